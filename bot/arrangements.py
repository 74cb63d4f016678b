"""What goes beyond one loop, as chat takes and tells it: what fits into a message, minutes as typed, plans in words."""

import re
from collections.abc import Mapping, Sequence

from discord.utils import escape_markdown

from generation import fields
from generation.arrangement import SONG_SECONDS, Extend, Layers, Morph, Repaint, Song
from generation.errors import InvalidRequest
from generation.form import plan
from generation.request import RiffRequest
from market.catalog.models import Loop
from market.language import say, say_count

# A message takes ten files, one of which is the picture.
MAX_LOOPS = 9
MINUTES = (SONG_SECONDS[0] / 60, SONG_SECONDS[1] / 60)
# (name, low_hz, high_hz); names are English.
BANDS: Mapping[str, tuple[str, float | None, float | None]] = {
    "all": ("Everything", None, None),
    "low": ("The bass, to 200 Hz", None, 200.0),
    "middle": ("The middle, 200 Hz to 2 kHz", 200.0, 2000.0),
    "high": ("The treble, from 2 kHz", 2000.0, None),
}
CURVES = {"linear": "evenly", "ease": "slowly at both ends", "step": "at once, half way"}
KEEPS = {"groove": "its groove", "harmony": "its harmony"}
_CLOCK = re.compile(r"(\d{1,2}):([0-5]\d)")
_LONGEST = 1024  # characters of an embed's field


def require_room(request: RiffRequest) -> None:
    """That the loops of a request fit into one message. Raises InvalidRequest."""
    asked = request.arrangement
    if isinstance(asked, Morph) and asked.over == "loops" and asked.loops > MAX_LOOPS:
        raise InvalidRequest(
            "arrangement.loops",
            f"A message holds {MAX_LOOPS} loops and their picture, not {asked.loops}: take fewer, or morph over time.",
        )


def seconds_of(minutes: str) -> float:
    """Seconds from minutes as people type them: "2", "2.5", "2,5" or "2:30". Raises InvalidRequest; "" is two."""
    clock = _CLOCK.fullmatch(minutes.strip())
    if clock is not None:
        minutes = str(int(clock[1]) + int(clock[2]) / 60)
    return 60 * fields.number("minutes", minutes.strip().replace(",", "."), MINUTES, 2.0)


def number_of(text: str) -> str:
    """A number as people type it, with a comma or a percent sign, as `generation.fields` reads it."""
    return text.strip().removesuffix("%").strip().replace(",", ".")


def facts(language: str, request: RiffRequest, loops: Sequence[Loop] = ()) -> list[tuple[str, str]]:
    """What there is to know about a request besides one loop's settings: pairs of a name and a value.

    What a remix is of stands in the recipes of its loops.
    """
    told = []
    match request.arrangement:
        case Morph(prompts, count, over, curve):
            way = " → ".join(escape_markdown(prompt) for prompt in (request.prompt, *prompts))
            if over == "loops":
                how = say_count(language, "{count} loop", "{count} loops", count)
            else:
                how = say(language, "one piece of {count} times the length", count=count)
            told.append((say(language, "Morph"), f"{way} ({how}, {say(language, CURVES[curve])})"))
        case Song(seconds, text):
            told.append((say(language, "Form"), plan_of(language, request, seconds, text)))
        case Repaint(first, last, low, high):
            what = say(language, "bar {bar}", bar=first)
            if last > first:
                what = say(language, "bars {bars}", bars=f"{first}–{last}")
            told.append(
                (say(language, "Repainted"), ", ".join(filter(None, (what, _band(language, low, high)))))
            )
        case Extend(bars, side):
            what = say_count(language, "{count} bar", "{count} bars", bars)
            where = say(language, "{bars} after" if side == "after" else "{bars} before", bars=what)
            told.append((say(language, "Extended"), where))
        case Layers(prompts):
            told.append((say(language, "Layers"), ", ".join(say(language, role) for role, _ in prompts)))
        case None if request.source and loops:
            told.append((say(language, "Remix of"), _origin(language, request, loops)))
    if request.morph_to and request.morph:
        ends = (escape_markdown(request.prompt), escape_markdown(request.morph_to))
        told.append((say(language, "Morph"), f"{' → '.join(ends)}, {request.morph:.0%}"))
    return [(name, value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…") for name, value in told]


def plan_of(language: str, request: RiffRequest, seconds: float, form: str) -> str:
    """How long a song lasts, and its sections with their bars."""
    sections = plan(request, seconds, form)
    shown = " · ".join(f"{section.name} {section.bars}" for section in sections)
    lasts = (sections[-1].start + sections[-1].bars) * request.seconds / request.bars
    time = f"{int(lasts) // 60}:{int(lasts) % 60:02d}"
    return say(language, "{time}: {sections} bars", sections=shown, time=time)


def _origin(language: str, request: RiffRequest, loops: Sequence[Loop]) -> str:
    """What a remix started from, how far it went and what it kept."""
    source = loops[0].recipe.get("source", {})
    ours = source.get("recipe", {}).get("request", {}).get("prompt")
    said = [say(language, "an uploaded sound") if ours is None else escape_markdown(str(ours))]
    if request.strength < 1:
        said.append(say(language, "{share} new", share=f"{request.strength:.0%}"))
    if request.keep:
        said.append(say(language, "keeps {what}", what=say(language, KEEPS[request.keep])))
    return ", ".join(said)


def _band(language: str, low: float | None, high: float | None) -> str:
    if low is None:
        return "" if high is None else say(language, "up to {high} Hz", high=f"{high:g}")
    if high is None:
        return say(language, "from {low} Hz", low=f"{low:g}")
    return f"{low:g}–{high:g} Hz"
