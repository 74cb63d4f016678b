"""A search as it was asked for, and as the database is asked: words and facets become sets of lexemes."""

import hashlib
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from market.catalog.vocabulary import canonical
from market.search.keys import NO_KEY, KeyMatch, matching
from market.search.words import folded, lexeme_of, mark, primary

Sort = Literal["relevance", "new", "popular", "rating", "price", "price_desc"]
Clause = tuple[str, ...]
# A hand plays 120.4, and what is asked for as 120 means it too.
TEMPO_TOLERANCE = 0.5
MAX_PRICE = 2**31 - 1
# Textures are found as tags.
_TAGS = {"genre": "g", "mood": "m", "instrument": "i", "texture": "t"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is wanted. Within one facet any of the values will do, between facets all have to fit.

    `keys` are numbers of market.search.keys; `literal` takes the text as it is spelt. `related_bpm` lets half and
    double the tempo count as well.
    """

    text: str = ""
    literal: bool = False
    genres: tuple[str, ...] = ()
    moods: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    keys: tuple[int, ...] = ()
    key_match: KeyMatch = "exact"
    bpm_min: float | None = None
    bpm_max: float | None = None
    related_bpm: bool = False
    bars: tuple[int, ...] = ()
    metres: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    creators: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    has_stems: bool | None = None
    price_min: int | None = None
    price_max: int | None = None
    sort: Sort = "relevance"

    @property
    def digest(self) -> str:
        """A short name of this query, that a cursor can belong to."""
        values = [repr(getattr(self, field.name)) for field in fields(self)]
        return hashlib.blake2b("\n".join(values).encode("utf-8", "replace"), digest_size=6).hexdigest()

    @property
    def all_keys(self) -> frozenset[int]:
        """The keys that will do."""
        return frozenset(number for key in self.keys for number in matching(key, self.key_match))

    @property
    def tempos(self) -> tuple[tuple[float, float], ...]:
        """The ranges of bpm that will do; none where any does."""
        if self.bpm_min is None and self.bpm_max is None:
            return ()
        low = 0.0 if self.bpm_min is None else self.bpm_min - TEMPO_TOLERANCE
        high = 1e9 if self.bpm_max is None else self.bpm_max + TEMPO_TOLERANCE
        factors = (1.0, 0.5, 2.0) if self.related_bpm else (1.0,)
        return tuple((low * factor, high * factor) for factor in factors)

    @property
    def prices(self) -> tuple[int, int] | None:
        """The lowest and the highest price that will do; None where any does."""
        if self.price_min is None and self.price_max is None:
            return None
        return self.price_min or 0, MAX_PRICE if self.price_max is None else self.price_max

    @property
    def marks(self) -> dict[str, Clause]:
        """By facet, the marks one of which has to be there."""
        found = {
            "genre": tuple(mark("g", value) for value in self.genres),
            "mood": tuple(mark("m", value) for value in self.moods),
            "instrument": tuple(mark("i", value) for value in self.instruments),
            "tag": tuple(mark("t", value) for value in self.tags),
            "key": tuple(key_mark(number) for number in sorted(self.all_keys)),
            "bars": tuple(f"b={count}" for count in self.bars),
            "metre": tuple(mark("r", metre) for metre in self.metres),
            "licence": tuple(mark("l", tier) for tier in self.tiers),
            "creator": tuple(mark("c", creator) for creator in self.creators),
            "kind": tuple(mark("y", kind) for kind in self.kinds),
        }
        if self.has_stems is not None:
            found["stems"] = (f"s={int(self.has_stems)}",)
        return {facet: clause for facet, clause in found.items() if clause}

    def without(self, facet: str) -> "Query":
        """The same without what it asks of one facet."""
        match facet:
            case "bpm":
                return replace(self, bpm_min=None, bpm_max=None)
            case "price":
                return replace(self, price_min=None, price_max=None)
            case "stems":
                return replace(self, has_stems=None)
            case "licence":
                return replace(self, tiers=())
        nothing: dict[str, Any] = {facet if facet == "bars" else f"{facet}s": ()}
        return replace(self, **nothing)

    @property
    def filtered(self) -> frozenset[str]:
        """The facets that it asks something of."""
        ranges = {"bpm": bool(self.tempos), "price": self.prices is not None}
        return frozenset(self.marks) | {facet for facet, asked in ranges.items() if asked}


@dataclass(frozen=True, slots=True)
class Match:
    """Lexemes that a loop has to have: one of each clause of `every`, and not one of each clause of `unless`.

    `tempos` are ranges of bpm, one of which it has to be in, `prices` the range of its price.
    """

    every: tuple[Clause, ...] = ()
    unless: tuple[Clause, ...] = ()
    tempos: tuple[tuple[float, float], ...] = ()
    prices: tuple[int, int] | None = None


def key_mark(number: int) -> str:
    """The mark of a key by its number."""
    return "k=none" if number == NO_KEY else f"k={number}"


def text_clauses(terms: list[tuple[str, ...]]) -> tuple[Clause, ...]:
    """What a loop's words have to have: of "lo-fi" both parts, or both as one word, or the tag that it is a name of."""
    clauses: list[Clause] = []
    for term in terms:
        others = [lexeme_of("".join(term))]
        if (tag := tag_of(term)) is not None:
            others.append(tag)
        clauses.extend(tuple(dict.fromkeys((lexeme_of(part), *others))) for part in term)
    return tuple(dict.fromkeys(clauses))


def tag_of(term: tuple[str, ...]) -> str | None:
    """The mark of the tag that a term is another name of, "dnb" of drum and bass; None for none."""
    known = canonical("-".join(term))
    # A tag's own words find it already.
    if known is None or lexeme_of("".join(term)) == lexeme_of(folded(known[1])):
        return None
    return mark(_TAGS[known[0]], known[1])


def in_primary(clauses: tuple[Clause, ...]) -> tuple[Clause, ...]:
    """The same, but in titles and tags alone."""
    # A tag is one already.
    return tuple(tuple(one if "=" in one else primary(one) for one in clause) for clause in clauses)


def match_of(query: Query, text: tuple[Clause, ...], unless: tuple[Clause, ...] = ()) -> Match:
    """What a query asks of a loop whose text has to have these clauses."""
    return Match((*text, *query.marks.values()), unless, query.tempos, query.prices)
