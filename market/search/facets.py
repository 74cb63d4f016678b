"""Facets: a loop's values as one small record, and many records counted at once.

The counts of a facet leave out what is asked of that facet itself, so that what else could be chosen is seen.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generation.request import METRES
from market.search.document import Document
from market.search.keys import NO_KEY, number_of
from market.search.query import MAX_PRICE, Query
from market.search.words import slug_of

KINDS = ("loop", "piece", "song")
TIERS = ("free", "creator", "business", "broadcast", "exclusive")
METRE_NAMES = tuple(METRES)
# Of the values that are words, as many as a record holds.
SLOTS = {"genre": 3, "mood": 4, "instrument": 6}
RECORD = np.dtype(
    [
        ("bpm", "<f4"), ("price", "<u4"), ("creator", "<u4"), ("bars", "<u2"), ("key", "u1"), ("metre", "u1"),
        ("kind", "u1"), ("tiers", "u1"), ("stems", "u1"), *((facet, "<u4", slots) for facet, slots in SLOTS.items()),
    ]
)  # fmt: skip
BPM_STEP = 10
PRICE_STEPS = (1, 500, 1000, 2000, 5000, 10_000)
FACETS = (
    "genre", "mood", "instrument", "key", "bpm", "bars", "metre", "licence", "creator", "stems", "kind", "price",
)  # fmt: skip
SHOWN = 40
Records = NDArray[np.void]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many loops have a value of a facet: `value` as a query takes it, or a number of market.search.models."""

    value: str | int
    count: int


def record_of(document: Document, ids: Mapping[tuple[str, str], int]) -> bytes:
    """The record of a loop; `ids` are the numbers of its creator, genres, moods and instruments by their slugs."""
    record = np.zeros((), RECORD)
    record["bpm"] = document.bpm
    record["price"] = price_of(document)
    record["creator"] = ids["creator", slug_of(document.creator_id)]
    record["bars"] = min(document.bars, 0xFFFF)
    record["key"] = number_of(document.key)
    record["metre"] = METRE_NAMES.index(document.metre) if document.metre in METRE_NAMES else 0xFF
    record["kind"] = KINDS.index(document.kind) if document.kind in KINDS else 0xFF
    record["tiers"] = sum(1 << TIERS.index(tier) for tier in set(document.tiers) & set(TIERS))
    record["stems"] = document.has_stems
    for facet, values in values_of(document).items():
        record[facet][: len(values)] = [ids[facet, slug_of(value)] for value in values]
    return record.tobytes()


def values_of(document: Document) -> dict[str, list[str]]:
    """The values that are words, by facet, as many as are shown."""
    given = {"genre": document.genres, "mood": document.moods, "instrument": document.instruments}
    return {facet: list(dict.fromkeys(given[facet]))[:slots] for facet, slots in SLOTS.items()}


def price_of(document: Document) -> int:
    """Its lowest price in cents; what is not for sale is beyond every price."""
    if document.free:
        return 0
    return MAX_PRICE if document.price_cents is None else document.price_cents


def masks_of(records: Records, query: Query, ids: Mapping[tuple[str, str], int]) -> dict[str, Mask]:
    """By facet that the query asks something of, which of the records fit it."""

    def having(facet: str, values: Sequence[str]) -> Mask:
        wanted: Mask = np.any(np.isin(records[facet], _numbers(ids, facet, values)), axis=1)
        return wanted

    asked: dict[str, Callable[[], Mask]] = {
        "genre": lambda: having("genre", query.genres),
        "mood": lambda: having("mood", query.moods),
        "instrument": lambda: having("instrument", query.instruments),
        "key": lambda: np.isin(records["key"], list(query.all_keys)),
        "bars": lambda: np.isin(records["bars"], query.bars),
        "metre": lambda: np.isin(records["metre"], _places(METRE_NAMES, query.metres)),
        "kind": lambda: np.isin(records["kind"], _places(KINDS, query.kinds)),
        "licence": lambda: (records["tiers"] & sum(1 << place for place in _places(TIERS, query.tiers))) > 0,
        "creator": lambda: np.isin(records["creator"], _numbers(ids, "creator", query.creators)),
        "stems": lambda: records["stems"] == query.has_stems,
        "price": lambda: _within(records["price"], [query.prices or (0, MAX_PRICE)]),
        "bpm": lambda: _within(records["bpm"], query.tempos),
    }
    # Tags are not shown as a facet; whoever fetched the records has seen to them.
    return {facet: asked[facet]() for facet in query.filtered if facet in asked}


def fitting(masks: Mapping[str, Mask], count: int, without: str = "") -> Mask:
    """Which of `count` records fit all masks but one."""
    fit = np.ones(count, bool)
    for facet, mask in masks.items():
        if facet != without:
            fit &= mask
    return fit


def tallies(records: Records, facet: str) -> list[Tally]:
    """How many of the records have each value of a facet, the most frequent first, ranges in their order."""
    match facet:
        case "genre" | "mood" | "instrument" | "creator":
            numbers, counts = np.unique(records[facet], return_counts=True)
            order = np.lexsort((numbers, -counts))
            found = [Tally(int(numbers[at]), int(counts[at])) for at in order if numbers[at]]
            return found[:SHOWN]
        case "key":
            counts = np.bincount(records["key"], minlength=NO_KEY + 1)[: NO_KEY + 1]
            return _ranked([Tally(number, int(count)) for number, count in enumerate(counts)])
        case "bars":
            numbers, counts = np.unique(records["bars"], return_counts=True)
            return [Tally(str(number), int(count)) for number, count in zip(numbers, counts, strict=True)][
                :SHOWN
            ]
        case "metre" | "kind":
            names = METRE_NAMES if facet == "metre" else KINDS
            return _ranked([Tally(name, int((records[facet] == at).sum())) for at, name in enumerate(names)])
        case "licence":
            offered = [int(((records["tiers"] >> at) & 1).sum()) for at in range(len(TIERS))]
            return [Tally(tier, count) for tier, count in zip(TIERS, offered, strict=True) if count]
        case "stems":
            having = int(records["stems"].sum())
            return _ranked([Tally("true", having), Tally("false", len(records) - having)])
        case "bpm":
            numbers, counts = np.unique(records["bpm"] // BPM_STEP, return_counts=True)
            return [
                Tally(f"{int(number) * BPM_STEP}-{(int(number) + 1) * BPM_STEP}", int(count))
                for number, count in zip(numbers, counts, strict=True)
            ][:SHOWN]
        case "price":
            steps = np.searchsorted(PRICE_STEPS, records["price"][records["price"] < MAX_PRICE], side="right")
            counts = np.bincount(steps, minlength=len(PRICE_STEPS) + 1)
            return [Tally(price_range(at), int(count)) for at, count in enumerate(counts) if count]
    raise ValueError(facet)


def price_range(step: int) -> str:
    """The range of prices, in cents, of one step: "0-0", "1-499", up to "10000-"."""
    if step == 0:
        return "0-0"
    below = PRICE_STEPS[step] - 1 if step < len(PRICE_STEPS) else ""
    return f"{PRICE_STEPS[step - 1]}-{below}"


def rounded(count: int) -> int:
    """An estimate with as many figures as it deserves: two."""
    return int(float(f"{count:.1e}")) if count >= 100 else count


def _ranked(found: list[Tally]) -> list[Tally]:
    return sorted((tally for tally in found if tally.count), key=lambda tally: -tally.count)[:SHOWN]


def _places(names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    return [names.index(name) for name in wanted if name in names]


def _numbers(ids: Mapping[tuple[str, str], int], facet: str, values: Sequence[str]) -> list[int]:
    return [ids[facet, slug] for value in values if (facet, slug := slug_of(value)) in ids]


def _within(column: NDArray[Any], ranges: Sequence[tuple[float, float]]) -> Mask:
    within = np.zeros(len(column), bool)
    for low, high in ranges:
        within |= (column >= low) & (column <= high)
    return within
