"""The form of a song: which sections follow each other, whose material each plays, and how many bars it lasts.

Planned from the request alone, so that a door can show the plan, or refuse it, before anything is rendered. Nothing
here knows a model.
"""

import math
import re
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from generation.errors import InvalidRequest
from generation.fields import quoted

if TYPE_CHECKING:
    from generation.request import RiffRequest

MAX_SECTIONS = 32
SECTION_BARS = (1, 64)
LONGEST_SECONDS = 390.0
_RING_SECONDS = 2.5


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a song.

    `letter` is whose material it plays and `variation` which variation of it (the number of primes). It lasts `bars`
    from bar `start` (the song's first is 0). `addition` is what its prompt says beyond the song's, `is_thin` that it
    goes without drums. `level_db` is how loud it begins beside the loudest, `swell_db` by how much that grows until its
    end, and `ending` how its last bar leads on: "fill", "build" or "".
    """

    name: str
    letter: str
    variation: int
    bars: int
    start: int
    addition: str
    is_thin: bool
    level_db: float
    swell_db: float
    ending: str


@dataclass(frozen=True, slots=True)
class _Kind:
    letter: str
    weight: int
    addition: str
    is_thin: bool
    level_db: float
    swell_db: float
    ending: str


_KINDS = {
    "intro": _Kind("A", 4, "sparse, no drums", True, -5.0, 3.5, "build"),
    "A": _Kind("A", 8, "", False, -1.0, 0.0, "fill"),
    "B": _Kind("B", 8, "full, energetic", False, 0.0, 0.0, "fill"),
    "C": _Kind("C", 8, "with a lead melody", False, -0.5, 0.0, "fill"),
    "D": _Kind("D", 8, "soft, quiet", False, -2.0, 0.0, "fill"),
    "break": _Kind("A", 4, "sparse, no drums", True, -4.5, 2.0, "build"),
    "outro": _Kind("A", 4, "sparse, no drums", True, -2.5, -6.0, ""),
}
_OTHER_NAMES = {"verse": "A", "chorus": "B", "drop": "B", "bridge": "C", "breakdown": "break"}
_END = _Kind("A", 0, "", False, -3.0, 0.0, "")

_TOKEN = re.compile(r"([a-z]+)('*)(?::(\d{1,3}))?(?:x(\d{1,2}))?", re.IGNORECASE)
_REPEAT = re.compile(r"x(\d{1,2})", re.IGNORECASE)
_PRIMES = str.maketrans(
    {"’": "'", "′": "'", "‘": "'", "`": "'", ",": " ", ";": " ", "-": " ", "–": " ", "|": " "}
)

_TEMPLATES = (
    "intro A outro",
    "intro A B outro",
    "intro A B A' outro",
    "intro A A' B outro",
    "intro A B A' B' outro",
    "intro A A' B A'' outro",
    "intro A B break A' B' outro",
    "intro A A' B break A'' outro",
    "intro A A' B break A'' B' outro",
    "intro A B A' break B' A'' outro",
    "intro A B A' C break A'' B' outro",
    "intro A A' B A'' break B' A''' outro",
    "intro A A' B A'' B' break C A''' B'' outro",
    "intro A B A' B' break C A'' B'' A''' outro",
    "intro A A' B A'' B' C break A''' B'' break B''' outro",
    "intro A B A' B' C break A'' A''' B'' C' B''' outro",
    "intro A A' B A'' C B' break A''' A B'' C' break A' B''' outro",
    "intro A A' B break A'' B' C C' break A''' A B'' A' B''' outro",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """One section as a form names it; `bars` is None where the length is left to the plan."""

    name: str
    kind: str
    variation: int
    bars: int | None


def read(text: str) -> tuple[Wanted, ...]:
    """A form like "intro A A' B:8 break A x2 outro"; () for "".

    Raises InvalidRequest("arrangement.form") for what is no section, with what there is.
    """
    wanted: list[Wanted] = []
    for token in text.translate(_PRIMES).split():
        again = _REPEAT.fullmatch(token)
        if again and wanted:
            wanted += wanted[-1:] * (_times(again[1]) - 1)
            continue
        found = _TOKEN.fullmatch(token)
        name = "" if found is None else found[1].upper() if len(found[1]) == 1 else found[1].lower()
        kind = _OTHER_NAMES.get(name, name)
        if found is None or kind not in _KINDS:
            raise _refused(
                f"{quoted(token)} is no section: there are A, B, C, D (and with ' a variation), intro, "
                "verse, chorus, bridge, break, drop and outro, each with its bars (A:8) or repeats (A x2) if you like."
            )
        bars = None if found[3] is None else int(found[3])
        if bars is not None and not SECTION_BARS[0] <= bars <= SECTION_BARS[1]:
            raise _refused(
                f"{quoted(token)}: a section has from {SECTION_BARS[0]} to {SECTION_BARS[1]} bars."
            )
        section = Wanted(name + found[2], kind, len(found[2]), bars)
        wanted += [section] * (1 if found[4] is None else _times(found[4]))
    if len(wanted) > MAX_SECTIONS:
        raise _refused(f"The form has {len(wanted)} sections: at most {MAX_SECTIONS} are possible.")
    return tuple(wanted)


def plan(request: "RiffRequest", seconds: float, form: str) -> tuple[Section, ...]:
    """The sections of a song, the last of which is the end: one hit that rings.

    Their bars come as near to `seconds` as the request's tempo lets whole bars come. Sections whose bars the form
    gives keep them, the others share what is left, in phrases of four bars where there is room. Raises InvalidRequest
    for a form that makes the song longer than six minutes and a half.
    """
    bar_seconds = request.seconds / request.bars
    ring = math.ceil(_RING_SECONDS / bar_seconds)
    available = max(1, round(seconds / bar_seconds) - ring)
    wanted = read(form) or read(_template(available, request.seed))
    lengths = _lengths(wanted, available)
    lasts = (sum(lengths) + ring) * bar_seconds
    if lasts > max(LONGEST_SECONDS, seconds + ring * bar_seconds):
        raise _refused(
            f"This form lasts {int(lasts) // 60} min {int(lasts) % 60} s at {request.bpm:g} bpm: "
            "a song is at most 6 minutes long, so take fewer bars or sections."
        )
    sections: list[Section] = []
    bar = 0
    for section, bars in zip(wanted, lengths, strict=True):
        sections.append(_section(section.name, _KINDS[section.kind], section.variation, bars, bar))
        bar += bars
    # Nothing leads on to the end but what is there already.
    sections[-1] = replace(sections[-1], ending="")
    return (*sections, _section("end", _END, 0, ring, bar))


def _section(name: str, kind: _Kind, variation: int, bars: int, start: int) -> Section:
    return Section(
        name,
        kind.letter,
        variation,
        bars,
        start,
        kind.addition,
        kind.is_thin,
        kind.level_db,
        kind.swell_db,
        kind.ending,
    )


def _lengths(wanted: tuple[Wanted, ...], available: int) -> list[int]:
    """Bars of each section: what is given, and the rest shared out by weight in whole phrases."""
    free = [index for index, section in enumerate(wanted) if section.bars is None]
    lengths = [section.bars or 0 for section in wanted]
    if not free:
        return lengths
    left = max(len(free), available - sum(lengths))
    average = left / len(free)
    unit = 4 if average >= 6 else 2 if average >= 3 else 1
    weights = {index: _KINDS[wanted[index].kind].weight for index in free}
    units = max(len(free), round(left / unit))
    shares = {index: units * weights[index] / sum(weights.values()) for index in free}
    counts = {index: max(1, int(shares[index])) for index in free}
    # Largest remainders first (Hamilton's method); sections that were lifted to one phrase may have to be paid for.
    while (missing := units - sum(counts.values())) != 0:
        step = 1 if missing > 0 else -1
        index = max(
            (index for index in free if step > 0 or counts[index] > 1),
            key=lambda index: (step * (shares[index] - counts[index]), -index),
        )
        counts[index] += step
    for index in free:
        lengths[index] = counts[index] * unit
    # A bar or two that make no phrase go where nobody counts phrases.
    odd = left - units * unit
    thin = [index for index in free if _KINDS[wanted[index].kind].is_thin]
    room = [index for index in thin or free if lengths[index] + odd >= min(unit, 2)]
    if room:
        lengths[max(room, key=lambda index: (lengths[index], index))] += odd
    return lengths


def _template(available: int, seed: int) -> str:
    """A form for so many bars: one of the three whose usual length is nearest, by the seed."""

    def distance(template: str) -> float:
        return abs(math.log(sum(_KINDS[section.kind].weight for section in read(template)) / available))

    return Random(seed).choice(sorted(_TEMPLATES, key=distance)[:3])


def _times(text: str) -> int:
    if int(text) < 1:
        raise _refused("A section is played at least once: write x2 to play it twice.")
    return int(text)


def _refused(sentence: str) -> InvalidRequest:
    return InvalidRequest("arrangement.form", sentence)
