"""What a search answers, as it goes over the wire."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, Field

from market.catalog.schemas import LoopOut
from market.search import service as search


class ValueOut(BaseModel):
    """A value of a facet: `value` is what to ask for, `label` what a person reads."""

    value: str
    label: str
    count: int


class FacetOut(BaseModel):
    """The values of one facet. What is asked of the facet itself does not count here, so that one can choose anew."""

    exact: bool = Field(description="Counted; otherwise estimated from a sample, to two figures")
    values: list[ValueOut]


class FacetsOut(BaseModel):
    """How many loops a search finds, and how they are spread.

    The facets are genre, mood, instrument, key, bpm, bars, metre, licence, creator, stems, kind and price (in cents).
    """

    total: int
    exact: bool = Field(description="Counted; otherwise estimated from a sample, to two figures")
    facets: Mapping[str, FacetOut]

    @classmethod
    def of(cls, counted: search.Facets) -> Self:
        return cls(
            total=counted.total,
            exact=counted.exact,
            facets={
                name: FacetOut(
                    exact=facet.exact,
                    values=[
                        ValueOut(value=shown.value, label=shown.label, count=shown.count)
                        for shown in facet.values
                    ],
                )
                for name, facet in counted.facets.items()
            },
        )


class SearchOut(BaseModel):
    """A stretch of what a search finds; `next_cursor` leads to the next one and is null at the end."""

    loops: list[LoopOut]
    next_cursor: str | None
    corrected: str | None = Field(description="The text as it was read, where it was spelt otherwise")
    ignored: list[str] = Field(description="Words that no loop is described by, and nothing like them")
    counts: FacetsOut | None = Field(description="Null where they were not asked for")


class SuggestionOut(BaseModel):
    """How a text could go on: `text` is the whole of it, `value` the filter's value where `kind` is one."""

    text: str
    kind: Literal["word", "genre", "mood", "instrument", "tag", "creator"]
    value: str


class SuggestionsOut(BaseModel):
    """The likeliest first."""

    suggestions: list[SuggestionOut]


class NearOut(BaseModel):
    """A loop, and how much it sounds like what was asked for: the cosine of the embeddings."""

    loop: LoopOut
    similarity: float = Field(ge=-1, le=1)


class NearestOut(BaseModel):
    """The nearest first."""

    loops: list[NearOut]


class CompanionsOut(BaseModel):
    """Loops to play together with one: those with other instruments first."""

    loops: list[LoopOut]


class SentenceIn(BaseModel):
    """A sentence to look for sounds by: "warm rainy night"."""

    sentence: str = Field(min_length=1, max_length=400)
