"""Grooves bar after bar: ghost notes, open hats, hi-hat rolls, fills at phrase ends and builds."""

from dataclasses import dataclass
from random import Random

from generation.corpus.genres import Groove
from generation.corpus.instruments import (
    CLAP,
    CLOSED_HAT,
    CONCERT_CYMBAL,
    CRASH,
    HIGH_TOM,
    KICK,
    LOW_TOM,
    MID_TOM,
    OPEN_HAT,
    PEDAL_HAT,
    RIDE,
    RIM,
    SHAKER,
    SNARE,
    TAMBOURINE,
    TIMPANI_HIGH,
    TIMPANI_LOW,
)
from generation.corpus.score import Note

_LOUDNESS = {
    KICK: 110, SNARE: 106, CLAP: 104, RIM: 94, CLOSED_HAT: 76, PEDAL_HAT: 70, OPEN_HAT: 84,
    RIDE: 80, CRASH: 96, SHAKER: 70, TAMBOURINE: 72, CONCERT_CYMBAL: 96,
}  # fmt: skip
_RINGING = (CRASH, RIDE, OPEN_HAT, CONCERT_CYMBAL)
_TIMEKEEPERS = (CLOSED_HAT, RIDE, SHAKER, TAMBOURINE)
_ACCENT = {"X": 12, "x": 0, "o": -36}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drumming:
    """How a groove is played: the probabilities of a fill at the end, of ghost notes and of hi-hat rolls.

    `embellished` moves a stroke or two of the pattern itself: for drums that are heard alone. `orchestral`
    drums fill on timpani and snare.
    """

    fills: float
    ghosts: float = 0.0
    rolls: float = 0.0
    builds: float = 0.0
    embellished: bool = False
    orchestral: bool = False


def play_drums(
    random: Random, groove: Groove, bars: int, bar_length: int, style: Drumming
) -> tuple[str, list[Note]]:
    """What is played, "groove", "fill" (a groove with a fill at its end) or "build", and its notes."""
    groove = {key: pattern.replace(" ", "") for key, pattern in groove.items()}
    if style.embellished:
        groove = _embellished(random, groove)
    varied = _embellished(random, groove) if bars >= 4 and random.random() < 0.4 else groove
    ghosted = SNARE in groove and random.random() < style.ghosts
    rolled = CLOSED_HAT in groove and random.random() < style.rolls
    opened = CLOSED_HAT in groove and OPEN_HAT not in groove and bar_length == 16 and random.random() < 0.3
    layer = random.choice((SHAKER, TAMBOURINE)) if CLOSED_HAT in groove and random.random() < 0.3 else None
    crashes = CRASH in groove or (style.fills > 0.3 and not style.orchestral and random.random() < 0.25)
    end = bars * bar_length
    notes: list[Note] = []
    for bar in range(bars):
        start = bar * bar_length
        # A and B in turns of two bars: what answers may differ from what asks.
        pattern_of = varied if bar % 4 >= 2 else groove
        for key, pattern in pattern_of.items():
            if key in (CRASH, CONCERT_CYMBAL) and pattern.lower().count("x") == 1 and bar % 4:
                continue
            notes += [
                _stroke(random, start + step, key, mark)
                for step, mark in enumerate(pattern)
                if mark != "." and (step == 0 or random.random() > 0.02)
            ]
        if crashes and bar % 4 == 0 and CRASH not in groove:
            notes.append(_stroke(random, start, CRASH, "x"))
        if ghosted:
            taken = {note.start for note in notes if note.pitch in (SNARE, CLAP)}
            free = [start + step for step in range(1, bar_length, 2) if start + step not in taken]
            notes += [
                _stroke(random, step, SNARE, "o")
                for step in sorted(random.sample(free, random.choice((1, 2, 2, 3))))
            ]
        if layer is not None and bar >= bars // 2 and bars >= 4:
            notes += [_stroke(random, start + step, layer, "x") for step in range(2, bar_length, 4)]
        if opened and bar % 2:
            notes = [note for note in notes if note.pitch != CLOSED_HAT or note.start < start + 14]
            notes.append(_stroke(random, start + 14, OPEN_HAT, "x"))
        if rolled and random.random() < 0.7:
            notes = _with_hat_roll(random, notes, start, bar_length)
        if random.random() < 0.12 and KICK in groove:
            notes.append(_stroke(random, start + random.choice((3, 7, 10, bar_length - 2)), KICK, "o"))
    if bars >= 2 and random.random() < style.builds:
        return "build", _built(random, notes, bars, bar_length)
    if bars >= 2 and random.random() < style.fills:
        notes = _filled(random, notes, end, random.choice((4, 4, 6, 8)), style.orchestral)
        if bars == 8 and random.random() < 0.6:
            notes = _filled(random, notes, end // 2, random.choice((2, 4)), style.orchestral)
        return "fill", notes
    return "groove", notes


def _stroke(random: Random, step: float, key: int, mark: str) -> Note:
    accent = 8 if step % 4 == 0 else -6 if step % 2 and key in _TIMEKEEPERS else 0
    velocity = _LOUDNESS.get(key, 90) + _ACCENT[mark] + accent + random.randint(-6, 6)
    return Note(step, 4.0 if key in _RINGING else 1.0, key, max(22, min(126, velocity)))


def _embellished(random: Random, groove: Groove) -> Groove:
    changed = dict(groove)
    steps = len(next(iter(groove.values())))
    hats = [key for key in _TIMEKEEPERS if key in changed]
    if hats and random.random() < 0.4:
        changed[hats[0]] = (random.choice(("x.x.", "xoxo", "..x.", "x...", "x.xo", "xoxx")) * 4)[:steps]
    if KICK in changed and random.random() < 0.6:
        strokes = list(changed[KICK])
        step = random.choice([step for step in (3, 6, 7, 9, 10, 11, 14) if step < steps])
        strokes[step] = "." if strokes[step] != "." else "x"
        changed[KICK] = "".join(strokes)
    return changed


def _with_hat_roll(random: Random, notes: list[Note], start: int, bar_length: int) -> list[Note]:
    """A run of 32nds or triplets on the closed hat in place of its strokes."""
    at = start + random.choice((2, 6, 10, 12, 14)) % bar_length
    length, count = random.choice(((2, 4), (2, 3), (2, 6), (1, 2)))
    kept = [note for note in notes if note.pitch != CLOSED_HAT or not at <= note.start < at + length]
    first, last = random.choice(((50, 92), (90, 55), (72, 72)))
    return kept + [
        Note(
            at + index * length / count,
            length / count,
            CLOSED_HAT,
            round(first + (last - first) * index / count),
        )
        for index in range(count)
    ]


def _filled(random: Random, notes: list[Note], end: int, length: int, orchestral: bool) -> list[Note]:
    """The last `length` sixteenths before `end` given over to snare and toms, louder towards the end."""
    keepers = (KICK, CLOSED_HAT) if length <= 4 else (KICK,)
    kept = [note for note in notes if not end - length <= note.start < end or note.pitch in keepers]
    if orchestral:
        pitches = random.choice(([TIMPANI_HIGH, TIMPANI_LOW], [SNARE], [TIMPANI_LOW]))
        rhythm = "x" * length
    else:
        pitches = random.choice(
            (
                [SNARE],
                [SNARE, SNARE, HIGH_TOM, LOW_TOM],
                [HIGH_TOM, MID_TOM, LOW_TOM],
                [SNARE, HIGH_TOM, MID_TOM, LOW_TOM],
            )
        )
        rhythm = (random.choice(("xxxx", "x.xx", "xx.x", "x.x.", "xxx.")) * 2)[:length]
    onsets = [step for step, mark in enumerate(rhythm) if mark == "x"]
    fill = []
    for index, step in enumerate(onsets):
        drum = pitches[index * len(pitches) // len(onsets)]
        velocity = 82 + round(34 * step / length) + random.randint(-6, 6)
        fill.append(Note(end - length + step, 1.0, drum, max(40, min(124, velocity))))
        if drum == SNARE and step == length - 1 and random.random() < 0.4:
            fill.append(Note(end - 0.5, 0.5, SNARE, 112))
    return kept + fill


def _built(random: Random, notes: list[Note], bars: int, bar_length: int) -> list[Note]:
    """The last one or two bars as a snare roll that doubles its rate and grows."""
    length = bar_length * (2 if bars >= 4 else 1)
    end = bars * bar_length
    kept = [note for note in notes if note.start < end - length or note.pitch == KICK]
    step, roll = 0.0, []
    while step < length:
        rate = 2.0 if step < length / 2 else 1.0 if step < length * 3 / 4 else 0.5
        roll.append(
            Note(
                end - length + step,
                rate,
                SNARE,
                min(124, 60 + round(60 * step / length) + random.randint(-3, 3)),
            )
        )
        step += rate
    return kept + roll
