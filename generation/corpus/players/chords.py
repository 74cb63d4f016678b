"""Chords, voiced so that each voice moves little, in the rhythms of `genres`' chord styles."""

from dataclasses import dataclass
from random import Random

from generation.corpus.harmony import Harmony
from generation.corpus.instruments import Instrument
from generation.corpus.score import Note

# Patterns with a sixteenth per character (X accented, x played, o soft), and how long a stroke is held at most.
_RHYTHMS: dict[str, tuple[tuple[str, ...], float]] = {
    "stabs": (
        ("x..x..x.........", "x.....x...x.....", "....x.......x...", "x..x..x....x..x.", "..x..x....x..x.."),
        2.2,
    ),
    "offbeats": (("..x...x...x...x.", "..x...x...x..xx."), 1.5),
    "chops": (("..xx..x...xx.x..", ".xx.xx.x.xx.xx.x", "x.x..xx.x.x..xx.", "..x...xo..x...xo"), 0.6),
    "eighths": (("X.x.x.x.X.x.x.x.", "x.x.X.x.x.x.X.x."), 1.8),
    "skanks": (("....x.......x...", "..x...x...x...x.", "....xo......xo.."), 1.0),
    "bossa": (("x..x..x...x..x..", "..x..x..x..x..x.", "x...x..x..x...x."), 1.6),
    "comps": (
        ("x..x............", "...x..x.......x.", "x.....x....x....", "......x.......x.", "x.....x........."),
        2.0,
    ),
    "strums": (("X...x.xx..xxx.x.", "X...x...X.x.x.x.", "X..xx.x.X.xxx.x."), 1.9),
    "gated": (("x.xxx.xxx.x.xx.x", "xx.xxx.xxx.xxx.x", "x.xx.xx.x.xx.xx."), 0.7),
    "oom-pah": (("..x...x...x...x.", "....x.......x..."), 1.0),
    "dembow": (("x..x..x.x..x..x.", "...x..x....x..x."), 1.3),
    "pulse": (("xoxoxoxoxoxoxoxo", "x.o.x.o.x.o.x.o."), 0.9),
    "highlife": (("x.xx.xx.x.xx.x.x", "x..x.x.xx..x.x.."), 0.9),
    "tango": (("X...x...x...x.xx", "X...X...X...X...", "X..xx...X...x.x."), 1.4),
    "hits": (("X...............", "X.....X.........", "X..X..X........."), 3.0),
}
_THREE: dict[str, tuple[tuple[str, ...], float]] = {
    "strums": (("X...x.x.x.x.", "X...x...x.x."), 1.9),
    "comps": (("x.....x.....", "....x..x....", "x.....x...x."), 2.0),
    "eighths": (("X.x.x.x.x.x.",), 1.8),
    "waltz": (("....x...x...", "....x...x...", "....x...x.x."), 2.2),
}
_SIX: dict[str, tuple[tuple[str, ...], float]] = {
    "strums": (("X...x.X...x.", "X.x.x.X.x.x.", "X..xx.X..xx."), 1.9),
    "comps": (("x.....x.....", "x...x.....x.", "....x.....x."), 2.0),
    "eighths": (("X.x.x.X.x.x.",), 1.8),
    "waltz": (("....x.....x.", "..x.x...x.x.", "X...x.X...x."), 1.6),
}
_TABLES = {"4/4": _RHYTHMS, "3/4": _THREE, "6/8": _SIX}


def play_chords(
    random: Random,
    style: str,
    instrument: Instrument,
    harmony: Harmony,
    bars: int,
    metre: str,
    *,
    with_bass: bool = False,
) -> list[Note]:
    """Chords in one of the styles of `genres`, near the middle of the instrument's range.

    `with_bass` adds the roots below where the range allows: what a pianist's left hand does when nobody else
    plays the bass.
    """
    middle = max(instrument.low + 7, min(instrument.high - 8, 60 + random.randint(-4, 5)))
    low, high = max(instrument.low, middle - 9), min(instrument.high, middle + 11)
    voiced = harmony.voicings(bars, low, high, is_open=random.random() < 0.3)
    notes = _BY_NAME.get(style, _rhythmic)(random, _Chart(style, instrument, harmony, voiced, bars, metre))
    if with_bass and low - instrument.low >= 5:
        floor = min(note.pitch for note in notes)
        for start, length, chord in harmony.spans(bars):
            root = harmony.pitch_within(chord, instrument.low, instrument.low + 11)
            if root < floor:
                notes.append(Note(start, length - 0.25, root, 90 + random.randint(-5, 5)))
    return notes


_Voiced = list[tuple[int, int, list[int]]]


@dataclass(frozen=True, slots=True)
class _Chart:
    """What is to be played: `voiced` has (start, length, pitches) of each chord."""

    style: str
    instrument: Instrument
    harmony: Harmony
    voiced: _Voiced
    bars: int
    metre: str


def _at(voiced: _Voiced, step: float) -> list[int]:
    return next(pitches for start, length, pitches in voiced if start <= step < start + length)


def _strike(
    random: Random, step: float, hold: float, pitches: list[int], velocity: int, spread: float = 0.0
) -> list[Note]:
    velocity += random.randint(-5, 5)
    return [
        # The top voice sings a little.
        Note(step + spread * i, hold, pitch, velocity + (4 if pitch == max(pitches) else 0))
        for i, pitch in enumerate(pitches)
    ]


def _sustained(random: Random, chart: _Chart) -> list[Note]:
    again = not chart.instrument.sustained and random.random() < 0.35
    rolled = 0.12 if not chart.instrument.sustained and random.random() < 0.3 else 0.0
    notes = []
    for start, span, pitches in chart.voiced:
        half = span // 2
        for offset, length in (
            ((0, half), (half, span - half)) if again and span == chart.harmony.bar else ((0, span),)
        ):
            notes += _strike(
                random, start + offset, length - 0.25, pitches, 82 if offset == 0 else 74, rolled
            )
    if (
        chart.harmony.bar == 12
        and chart.metre == "3/4"
        and random.random() < 0.5
        and not chart.instrument.sustained
    ):
        # Oom-pah-pah: the bottom of the chord, then the rest twice.
        notes = []
        for start, _, pitches in chart.voiced:
            notes += _strike(random, start, 3.5, pitches[:1], 92)
            for beat in (4, 8):
                notes += _strike(random, start + beat, 2.2, pitches[1:], 76)
    return notes


def _arpeggio(random: Random, chart: _Chart) -> list[Note]:
    order = random.choice(("up", "down", "up and down", "broken", "alberti"))
    rate = random.choice((1, 2, 2, 2))
    notes = []
    for step in range(0, chart.bars * chart.harmony.bar, rate):
        pitches = _broken_chord(_at(chart.voiced, step), order)
        within = step % (chart.harmony.bar // 2 if chart.metre == "6/8" else chart.harmony.bar)
        pitch = pitches[within // rate % len(pitches)]
        pitch = pitch if pitch <= chart.instrument.high else pitch - 12
        hold = rate * (0.9 if chart.instrument.sustained else 1.7)
        beat = 6 if chart.metre == "6/8" else 4
        notes += _strike(random, step, hold, [pitch], 94 if step % beat == 0 else 82)
    return notes


def _broken_chord(voices: list[int], order: str) -> list[int]:
    rising = [*voices, voices[0] + 12]
    match order:
        case "down":
            return rising[::-1]
        case "up and down":
            return rising + rising[-2:0:-1]
        case "broken" if len(rising) > 2:
            return [rising[0], rising[2], rising[1], rising[2]]
        case "alberti" if len(voices) > 2:
            return [voices[0], voices[-1], voices[1], voices[-1]]
    return rising


def _montuno(random: Random, chart: _Chart) -> list[Note]:
    notes = []
    for bar in range(chart.bars):
        for index, step in enumerate(_steps("x.xx.x.x.xx.x.x."[: chart.harmony.bar])):
            voices = _at(chart.voiced, bar * chart.harmony.bar + step)
            octave = [voices[0], voices[0] + 12] if voices[0] + 12 <= chart.instrument.high else voices[:1]
            notes += _strike(
                random, bar * chart.harmony.bar + step, 1.2, octave if index % 2 == 0 else voices[1:], 88
            )
    return notes


def _chugs(random: Random, chart: _Chart) -> list[Note]:
    """Power chords low on the neck: palm-muted runs, or a blues shuffle between fifth and sixth."""
    chug = random.choice(("xxx.xxx.xxx.x.x.", "x.x.x.x.x.x.x.x.", "x.xxx.xxx.xxx.xx", "xx.xx.xxxx.x.x.x"))
    tops = (7, 7, 9, 9, 7, 7, 9, 9)
    notes = []
    for bar in range(chart.bars):
        for step in _steps((chug if chart.style == "chugs" else "x.x.x.x.x.x.x.x.")[: chart.harmony.bar]):
            at = bar * chart.harmony.bar + step
            bottom = chart.harmony.pitch_within(
                chart.harmony.chord_at(at), chart.instrument.low, chart.instrument.high
            )
            top = 7 if chart.style == "chugs" else tops[step // 2]
            hold = 1.6 if step % 4 == 0 or chart.style == "shuffle" else 0.8
            notes += _strike(random, at, hold, [bottom, bottom + top], 104 if step % 4 == 0 else 92)
    return notes


def _rhythmic(random: Random, chart: _Chart) -> list[Note]:
    table = _TABLES[chart.metre]
    rhythms, longest = (
        table.get(chart.style)
        or table[random.choice(("eighths", "comps") if chart.metre == "4/4" else ("waltz", "eighths"))]
    )
    first = random.choice(rhythms)
    answer = first if random.random() < 0.6 else random.choice(rhythms)
    spread = 0.08 if chart.style == "strums" else 0.0
    notes = []
    for bar in range(chart.bars):
        pattern = answer if bar % 2 else first
        steps = _steps(pattern)
        for index, step in enumerate(steps):
            following = steps[index + 1] if index + 1 < len(steps) else chart.harmony.bar
            velocity = {"X": 98, "x": 87, "o": 64}[pattern[step]]
            hold = min(longest, following - step) * (0.95 if chart.instrument.sustained else 1.0)
            voices = _at(chart.voiced, bar * chart.harmony.bar + step)
            # Upstrokes, on the odd eighths, come from the high strings.
            voices = voices[::-1] if chart.style == "strums" and step % 4 else voices
            notes += _strike(random, bar * chart.harmony.bar + step, hold, voices, velocity, spread)
    return notes


def _steps(pattern: str) -> list[int]:
    return [step for step, mark in enumerate(pattern) if mark != "."]


_BY_NAME = {
    "sustained": _sustained,
    "arpeggio": _arpeggio,
    "montuno": _montuno,
    "chugs": _chugs,
    "shuffle": _chugs,
}
