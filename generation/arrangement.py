"""What a request may ask for beyond one loop from one prompt: a morph, a repaint, an extension, a song, layers.

An arrangement is part of its RiffRequest, parsed with it and written into the recipe with it. How each is made stands
in `generation.arrange`.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from generation import fields, form
from generation.errors import InvalidRequest

LOOPS = (2, 16)
MAX_PIECE_BARS = 64
MAX_FURTHER_PROMPTS = 4
CURVES = ("linear", "ease", "step")
SPREADS = ("loops", "time")
SIDES = ("after", "before")
SONG_SECONDS = (30.0, 360.0)
BAND_HZ = (20.0, 20_000.0)
ROLES = ("drums", "bass", "harmony", "lead")
_BARS = re.compile(r"\s*(\d{1,3})\s*(?:[-–]\s*(\d{1,3})\s*)?")


@dataclass(frozen=True, slots=True)
class Morph:
    """From the request's prompt through `prompts`, and from its seed to `to_seed` where that is given.

    `over` "loops" makes `loops` takes on one grid, each a loop by itself; "time" makes one piece of as many times the
    request's bars, through which the prompt slides. `curve` is how the way is gone.
    """

    prompts: tuple[str, ...]
    loops: int = 5
    over: str = "loops"
    curve: str = "linear"
    to_seed: int | None = None


@dataclass(frozen=True, slots=True)
class Repaint:
    """Bars `first` to `last` (from 1, both included) are made anew, all of them or their band `low_hz` to `high_hz`."""

    first: int
    last: int
    low_hz: float | None = None
    high_hz: float | None = None


@dataclass(frozen=True, slots=True)
class Extend:
    """The last (`side` "after") or first ("before") `bars` of the request's bars are new, the rest is the source's."""

    bars: int
    side: str = "after"


@dataclass(frozen=True, slots=True)
class Song:
    """A form of sections, about `seconds` long. `form` is text like "intro A A' B break A outro", or "" to choose."""

    seconds: float = 120.0
    form: str = ""


@dataclass(frozen=True, slots=True)
class Layers:
    """Stems that fit each other: (role, prompt) pairs, roles out of ROLES; an empty prompt follows the request's."""

    prompts: tuple[tuple[str, str], ...]


Arrangement = Morph | Repaint | Extend | Song | Layers
_KINDS: dict[str, type[Arrangement]] = {
    "morph": Morph, "repaint": Repaint, "extend": Extend, "song": Song, "layers": Layers,
}  # fmt: skip


def to_record(arrangement: Arrangement | None) -> dict[str, Any] | None:
    """A JSON-ready record that `from_record` reads back."""
    return None if arrangement is None else {"kind": kind_of(arrangement), **_plain(asdict(arrangement))}


def from_record(record: Mapping[str, Any] | None) -> Arrangement | None:
    if record is None:
        return None
    values = {name: _tupled(value) for name, value in record.items() if name != "kind"}
    return _KINDS[record["kind"]](**values)


def kind_of(arrangement: Arrangement) -> str:
    return next(name for name, kind in _KINDS.items() if isinstance(arrangement, kind))


def parse(value: object, *, bars: int) -> Arrangement | None:
    """An arrangement from what a door was given: None, or an object whose "kind" names it.

    `bars` is the request's length. Raises InvalidRequest with the field ("arrangement.bars") and a sentence.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, Mapping) or value.get("kind") not in _KINDS:
        raise InvalidRequest(
            "arrangement", f"An arrangement is an object whose kind is {_or(tuple(_KINDS))}."
        )
    given = {name: part for name, part in value.items() if name != "kind"}
    kind = str(value["kind"])
    allowed = PARTS[kind]
    for name in given:
        if name not in allowed:
            raise InvalidRequest(
                f"arrangement.{name}",
                f"{fields.quoted(name)} is not a part of a {kind}: it has {_and(allowed)}.",
            )
    match kind:
        case "morph":
            return _morph(given, bars)
        case "repaint":
            return _repaint(given, bars)
        case "extend":
            return _extend(given, bars)
        case "song":
            text = fields.text("arrangement.form", given.get("form"), "The form")
            form.read(text)
            return Song(fields.number("arrangement.seconds", given.get("seconds"), SONG_SECONDS, 120.0), text)
    return _layers(given)


PARTS = {
    "morph": ("prompts", "loops", "over", "curve", "to_seed"),
    "repaint": ("bars", "low_hz", "high_hz"),
    "extend": ("bars", "side"),
    "song": ("seconds", "form"),
    "layers": ROLES,
}


def _morph(given: Mapping[str, Any], bars: int) -> Morph:
    value = given.get("prompts")
    texts = [value] if isinstance(value, str) else value or []
    if not isinstance(texts, list | tuple) or len(texts) > MAX_FURTHER_PROMPTS:
        raise InvalidRequest(
            "arrangement.prompts",
            f"A morph goes to one prompt, or through a list of up to {MAX_FURTHER_PROMPTS}.",
        )
    prompts = tuple(fields.text("arrangement.prompts", text, "A prompt to morph to") for text in texts)
    to_seed = given.get("to_seed")
    if "" in prompts or (not prompts and to_seed in (None, "")):
        raise InvalidRequest(
            "arrangement.prompts", "The prompt to morph to is empty: say where the morph goes."
        )
    loops = fields.whole("arrangement.loops", given.get("loops"), LOOPS, max(5, len(prompts) + 1))
    over = fields.choice("arrangement.over", given.get("over"), SPREADS, "loops")
    if loops <= len(prompts):
        raise InvalidRequest(
            "arrangement.loops",
            f"A morph through {len(prompts) + 1} prompts takes at least {len(prompts) + 1} loops.",
        )
    if over == "time" and loops * bars > MAX_PIECE_BARS:
        raise InvalidRequest(
            "arrangement.loops",
            f"A morph over time has at most {MAX_PIECE_BARS} bars, not {loops} times {bars}: take fewer.",
        )
    return Morph(
        prompts,
        loops,
        over,
        fields.choice("arrangement.curve", given.get("curve"), CURVES, "linear"),
        None
        if to_seed in (None, "")
        else fields.whole("arrangement.to_seed", to_seed, (0, fields.MAX_SEED), 0),
    )


def _repaint(given: Mapping[str, Any], bars: int) -> Repaint:
    asked = given.get("bars")
    found = _BARS.fullmatch(f"1-{bars}" if asked in (None, "") else str(asked))
    if found is None:
        raise InvalidRequest(
            "arrangement.bars", f"{fields.quoted(asked)} is no stretch of bars: write it like 2-3, or 4."
        )
    first, last = int(found[1]), int(found[2] or found[1])
    if not 1 <= first <= last <= bars:
        raise InvalidRequest(
            "arrangement.bars", f"The loop has bars 1 to {bars}: {fields.quoted(asked)} is not among them."
        )
    low, high = (
        None
        if given.get(name) in (None, "")
        else fields.number(f"arrangement.{name}", given[name], BAND_HZ, 0.0)
        for name in ("low_hz", "high_hz")
    )
    if low is not None and high is not None and low >= high:
        raise InvalidRequest("arrangement.low_hz", "The band's low end has to be below its high end.")
    return Repaint(first, last, low, high)


def _extend(given: Mapping[str, Any], bars: int) -> Extend:
    if bars < 2:
        raise InvalidRequest("bars", "An extended loop has at least 2 bars: its length is the whole of it.")
    return Extend(
        fields.whole("arrangement.bars", given.get("bars"), (1, bars - 1), bars // 2),
        fields.choice("arrangement.side", given.get("side"), SIDES, "after"),
    )


def _layers(given: Mapping[str, Any]) -> Layers:
    asked = given or dict.fromkeys(ROLES, "")
    prompts = tuple(
        (role, fields.text(f"arrangement.{role}", asked[role], f"The prompt for {role}"))
        for role in ROLES
        if role in asked
    )
    if len(prompts) < 2:
        raise InvalidRequest("arrangement", f"Layers are two or more of {_and(ROLES)}.")
    return Layers(prompts)


def _or(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _and(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    return {name: _listed(value) for name, value in record.items()}


def _listed(value: Any) -> Any:
    return [_listed(part) for part in value] if isinstance(value, tuple) else value


def _tupled(value: Any) -> Any:
    return tuple(_tupled(part) for part in value) if isinstance(value, list) else value
