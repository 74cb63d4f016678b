"""What each player does with a groove or a harmony: notes on a straight grid, before swing and human timing.

Every function takes its own randomness and gives notes inside the loop, in no particular order.
"""

from random import Random

from generation.corpus.genres import Groove
from generation.corpus.harmony import Harmony
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
    Instrument,
)
from generation.corpus.score import STEPS_PER_BAR, Note

_LOUDNESS = {
    KICK: 110, SNARE: 106, CLAP: 104, RIM: 94, CLOSED_HAT: 76, PEDAL_HAT: 70, OPEN_HAT: 84,
    RIDE: 80, CRASH: 96, SHAKER: 70, TAMBOURINE: 72, CONCERT_CYMBAL: 96,
}  # fmt: skip
_RINGING = (CRASH, RIDE, OPEN_HAT, CONCERT_CYMBAL)
_ACCENT = {"X": 12, "x": 0, "o": -34}


def steps_of(pattern: str) -> list[int]:
    """The positions of a pattern's notes."""
    return [step for step, mark in enumerate(pattern.replace(" ", "")) if mark != "."]


def play_drums(
    random: Random, groove: Groove, bars: int, *, fills: bool, embellished: bool = False
) -> list[Note]:
    """The groove bar after bar with strokes dropped and added, at times a layer from bar 5 on and a fill.

    `embellished` moves a stroke or two of the pattern itself: for drums that are heard alone.
    """
    groove = {key: pattern.replace(" ", "") for key, pattern in groove.items()}
    if embellished:
        groove = _embellished(random, groove)
    has_layer = random.random() < 0.4 and CLOSED_HAT in groove
    layer = random.choice((SHAKER, TAMBOURINE, OPEN_HAT)) if has_layer else None
    notes: list[Note] = []
    for bar in range(bars):
        for key, pattern in groove.items():
            if key in (CRASH, CONCERT_CYMBAL) and pattern.count("x") == 1 and bar % 4:
                continue
            notes += [
                _stroke(random, bar * STEPS_PER_BAR + step, key, mark)
                for step, mark in enumerate(pattern)
                if mark != "." and (step == 0 or random.random() > 0.03)
            ]
        if layer is not None and bar >= 4:
            notes += [_stroke(random, bar * STEPS_PER_BAR + step, layer, "x") for step in (2, 6, 10, 14)]
        if random.random() < 0.15 and KICK in groove:
            notes.append(_stroke(random, bar * STEPS_PER_BAR + random.choice((7, 11, 14, 15)), KICK, "o"))
    if fills:
        if bars >= 2 and random.random() < 0.45:
            notes = _filled(random, notes, bars * STEPS_PER_BAR, random.choice((4, 4, 8)))
        if bars == 8 and random.random() < 0.4:
            notes = _filled(random, notes, 4 * STEPS_PER_BAR, 2)
    return notes


def _stroke(random: Random, step: float, key: int, mark: str) -> Note:
    velocity = _LOUDNESS.get(key, 90) + _ACCENT[mark] + (6 if step % 4 == 0 else 0) + random.randint(-7, 7)
    return Note(step, 4.0 if key in _RINGING else 1.0, key, max(25, min(126, velocity)))


def _embellished(random: Random, groove: Groove) -> Groove:
    changed = dict(groove)
    hats = [key for key in (CLOSED_HAT, RIDE, SHAKER) if key in changed]
    if hats and random.random() < 0.4:
        changed[hats[0]] = random.choice(
            ("x.x.x.x.x.x.x.x.", "xoxoxoxoxoxoxoxo", "..x...x...x...x.", "x...x...x...x...")
        )
    if KICK in changed and random.random() < 0.6:
        strokes = list(changed[KICK])
        step = random.choice((3, 6, 7, 9, 10, 11, 14))
        strokes[step] = "." if strokes[step] != "." else "x"
        changed[KICK] = "".join(strokes)
    return changed


def _filled(random: Random, notes: list[Note], end: int, length: int) -> list[Note]:
    """The last `length` sixteenths before `end` given over to snare and toms."""
    kept = [
        note for note in notes if not end - length <= note.start < end or note.pitch in (KICK, CLOSED_HAT)
    ]
    toms = sorted(random.choices((SNARE, HIGH_TOM, MID_TOM, LOW_TOM), k=length), reverse=True)
    drums = toms if random.random() < 0.5 else [SNARE] * length
    return kept + [
        Note(end - length + index, 1.0, drum, max(40, min(124, 84 + index * 4 + random.randint(-8, 8))))
        for index, drum in enumerate(drums)
        if random.random() < 0.8
    ]


def play_bass(random: Random, style: str, bass: Instrument, harmony: Harmony, bars: int) -> list[Note]:
    """A bass line in one of the styles of `genres`."""
    weak_steps = sorted(random.sample(range(1, 16), 3))
    riff = _riff_rhythm(random)
    riff_tones = [random.choice((0, 0, 0, 2, 4, 7, 6)) for _ in riff]
    notes: list[Note] = []

    def play(step: float, length: float, pitch: int, velocity: int) -> None:
        while pitch > bass.high:
            pitch -= 12
        notes.append(Note(step, length, pitch, max(30, min(124, velocity + random.randint(-5, 5)))))

    def root(degree: int) -> int:
        return harmony.pitch_within(degree, bass.low, bass.high)

    for bar in range(bars):
        start = bar * STEPS_PER_BAR
        chord, second, following = (harmony.chord_at(start + step) for step in (0, 8, 16))
        one, two, after = root(chord), root(second), root(following)
        fifth = one + 7 if one + 7 <= bass.high - 6 else one - 5
        fifth = fifth if fifth >= bass.low else one
        halves = [one] * 8 + [two] * 8
        match style:
            case "offbeat":
                for step in (2, 6, 10, 14):
                    play(start + step, 1.6, halves[step] if random.random() < 0.85 else fifth, 100)
            case "octaves":
                for step in range(0, 16, 2):
                    play(start + step, 1.7, halves[step] + (12 if step % 4 else 0), 100)
            case "rolling":
                for step in (step for step in range(16) if step % 4):
                    up = 12 if step % 8 == 6 and random.random() < 0.3 else 0
                    play(start + step, 0.9, halves[step] + up, 92 + (12 if step % 4 == 2 else 0))
            case "drone":
                for at, length, degree in _bar_spans(harmony, bar):
                    play(at, length - 0.2, root(degree), 94)
            case "long":
                play(start, 7.6 if two != one else 9, one, 104)
                play(start + (8 if two != one else 10), 5.5, two if random.random() < 0.6 else fifth, 98)
            case "halves":
                play(start, 7.8, one, 98)
                play(start + 8, 7.8, two if two != one else fifth, 94)
            case "syncopated":
                play(start, 2.5, one, 108)
                play(start + 3, 1, one, 90)
                play(start + 6, 2, one if random.random() < 0.5 else fifth, 100)
                play(start + 10, 2, two, 98)
                play(start + 14, 1.5, max(bass.low, after - 1) if random.random() < 0.4 else two, 92)
            case "funk":
                play(start, 1.4, one, 114)
                for step in sorted({*weak_steps, 6, 10}):
                    play(start + step, 0.8, halves[step] + random.choice((0, 0, 12, 7, 10)), 98)
            case "eighths":
                for step in range(0, 16, 2):
                    play(
                        start + step,
                        1.8,
                        after if step == 14 and random.random() < 0.4 else halves[step],
                        102,
                    )
            case "walk":
                third = root(chord + random.choice((1, 2)))
                approach = max(bass.low, min(bass.high, after + random.choice((-1, 1, 2))))
                for beat, pitch in enumerate((one, third, two if two != one else fifth, approach)):
                    play(start + 4 * beat, 3.7, pitch, 100)
            case "shuffle":
                for step, semitones in zip(range(0, 16, 2), (0, 0, 7, 7, 9, 9, 7, 7), strict=True):
                    play(start + step, 1.7, halves[step] + semitones, 100)
            case "bossa":
                for at, low in ((0, one), (8, two)):
                    play(start + at, 2.6, low, 104)
                    play(start + at + 3, 0.9, fifth, 86)
                    play(start + at + 4, 3.4, fifth, 98)
            case "reggae" if bar % 2 == 0:
                skipped = ((4, 1.6, one), (6, 1.6, one), (8, 1.6, fifth), (11, 1.0, two), (12, 2.6, two))
                for step, hold, pitch in skipped:
                    play(start + step, hold, pitch, 107)
            case "reggae":
                for step, hold, pitch in ((0, 3.0, one), (6, 1.6, fifth), (8, 3.0, two)):
                    play(start + step, hold, pitch, 107)
            case "tumbao":
                play(start + 3, 2.6, fifth, 104)
                play(start + 6, 5.5, two, 106)
                play(start + 12, 3.7, after, 104)
            case "root and fifth":
                play(start, 7, one, 100)
                play(start + 8, 6.5, two if two != one else fifth, 96)
            case "riff":
                for step, tone in zip(riff, riff_tones, strict=True):
                    degree = (chord if step < 8 else second) + tone
                    play(start + step, 1.6, root(degree) + (12 if tone == 7 else 0), 102)
            case _:
                raise ValueError(f"no bass style {style}")
    return notes


def _bar_spans(harmony: Harmony, bar: int) -> list[tuple[int, int, int]]:
    start = bar * STEPS_PER_BAR
    return [span for span in harmony.spans(bar + 1) if span[0] >= start]


_CHORD_RHYTHMS: dict[str, tuple[tuple[str, ...], float]] = {
    "stabs": (
        ("x..x ..x. .... ....", "x... ..x. ..x. ....", ".... x... .... x...", "x..x ..x. ...x ..x."),
        2.2,
    ),
    "offbeats": (("..x. ..x. ..x. ..x.",), 1.5),
    "chops": (("..xx ..x. ..xx .x..", ".xx. xx.x .xx. xx.x", "x.x. .xx. x.x. .xx."), 0.6),
    "eighths": (("x.x. x.x. x.x. x.x.",), 1.8),
    "skanks": ((".... x... .... x...", "..x. ..x. ..x. ..x."), 1.0),
    "bossa": (("x..x ..x. ..x. .x..",), 1.6),
    "comps": (("x..x .... .... ....", "...x ..x. .... ..x.", "x... ..x. ...x ...."), 2.0),
    "strums": (("x... x.xx ..xx x.x.", "x... x... x.x. x.x."), 1.9),
    "gated": (("x.xx x.xx x.x. xx.x", "xx.x xx.x xx.x xx.x"), 0.7),
}


def play_chords(
    random: Random, style: str, instrument: Instrument, harmony: Harmony, bars: int
) -> list[Note]:
    """Chords in one of the styles of `genres`, voiced near the middle of the instrument's range."""
    low = max(instrument.low, min(instrument.high - 13, 57 + random.randint(-4, 4)))
    rhythms, length = _CHORD_RHYTHMS.get(style, ((), 0.0))
    rhythm = steps_of(random.choice(rhythms)) if rhythms else []
    chug = steps_of(random.choice(("xxx. xxx. xxx. x.x.", "x.x. x.x. x.x. x.x.", "x.xx x.xx x.xx x.xx")))
    order = random.choice(("up", "down", "up and down", "broken"))
    rate = random.choice((1, 2, 2, 2))
    notes: list[Note] = []

    def lowest(step: int) -> int:
        return harmony.pitch_within(harmony.chord_at(step), instrument.low, instrument.high)

    def strike(step: float, hold: float, pitches: list[int], velocity: int, spread: float = 0.0) -> None:
        velocity += random.randint(-6, 6)
        notes.extend(Note(step + spread * i, hold, pitch, velocity) for i, pitch in enumerate(pitches))

    for bar in range(bars):
        start = bar * STEPS_PER_BAR
        match style:
            case "sustained":
                for at, span, chord in _bar_spans(harmony, bar):
                    again = span == 16 and not instrument.sustained and random.random() < 0.3
                    for offset, part in ((0, 8), (8, 8)) if again else ((0, span),):
                        strike(at + offset, part - 0.25, harmony.voicing(chord, low), 82)
            case "arpeggio":
                for index, step in enumerate(range(start, start + 16, rate)):
                    pitches = _broken_chord(harmony.voicing(harmony.chord_at(step), low), order)
                    pitch = min(instrument.high, pitches[index % len(pitches)])
                    hold = rate * (0.9 if instrument.sustained else 1.6)
                    strike(step, hold, [pitch], 92 if step % 4 == 0 else 84)
            case "montuno":
                for index, step in enumerate(steps_of("x.xx .x.x .xx. x.x.")):
                    voices = harmony.voicing(harmony.chord_at(start + step), low)
                    octave = [voices[0], min(instrument.high, voices[0] + 12)]
                    strike(start + step, 1.2, octave if index % 2 == 0 else voices[1:], 88)
            case "chugs":
                for step in chug:
                    bottom = lowest(start + step)
                    strike(start + step, 1.6 if step % 4 == 0 else 0.8, [bottom, bottom + 7], 104)
            case "shuffle":
                for step, top in zip(range(0, 16, 2), (7, 7, 9, 9, 7, 7, 9, 9), strict=True):
                    bottom = lowest(start + step)
                    strike(start + step, 1.7, [bottom, bottom + top], 90)
            case _:
                for step in rhythm:
                    voices = harmony.voicing(harmony.chord_at(start + step), low)
                    strike(start + step, length, voices, 87, spread=0.05 if style == "strums" else 0.0)
    return notes


def _broken_chord(voices: list[int], order: str) -> list[int]:
    rising = [*voices, voices[0] + 12]
    if order == "down":
        return rising[::-1]
    if order == "up and down":
        return rising + rising[-2:0:-1]
    if order == "broken":
        return [rising[0], rising[2], rising[1], rising[2]]
    return rising


_RIFFS = (
    "x..x ..x. x..x ..x.",
    "x.x. .x.x x.x. .x..",
    "x..x ..x. ..x. x...",
    "xx.x .xx. x.x. ....",
    "x... x.xx x... x.x.",
    "x.xx .x.x .xx. x...",
    "x... ..x. x..x ....",
)


def play_lead(
    random: Random, figure: str, instrument: Instrument, harmony: Harmony, bars: int, density: float
) -> list[Note]:
    """One voice on top: "melody", "slow melody", "riff", "arpeggio", "peal" (bells in rounds) or "toll"."""
    match figure:
        case "arpeggio":
            return play_chords(random, "arpeggio", instrument, harmony, bars)
        case "peal":
            return _peal(random, instrument, harmony, bars)
        case "toll":
            return _toll(random, instrument, harmony, bars)
        case "riff":
            motif = (_riff_rhythm(random), [random.choice((-2, -1, 0, 1, 2, 4)) for _ in range(16)])
            motifs = dict.fromkeys("ABC", motif)
        case _:
            slow = figure == "slow melody"
            motifs = {letter: _motif(random, density, slow) for letter in "ABC"}
    plan = random.choice(("AAAB", "ABAB", "AABA", "ABAC"))
    plan = random.choice(("AA", "AB")) if bars == 2 else (plan + plan[:3] + "C")[:bars]
    bottom, top = _register(instrument)
    octaves = 12 * round(((bottom + top) / 2 - harmony.pitch(1)) / 12)
    longest = {"slow melody": 12.0, "riff": 6.0 if instrument.sustained else 1.5}.get(figure, 6.0)
    notes: list[Note] = []
    for bar, letter in enumerate(plan):
        onsets, moves = motifs[letter]
        chord = harmony.chord_at(bar * STEPS_PER_BAR)
        degree = (chord if chord < 5 else chord - 7) + (0 if letter == "A" else 2)
        for index, onset in enumerate(onsets):
            step = bar * STEPS_PER_BAR + onset
            if onset % 8 == 0:
                degree = _nearest_tone(harmony, harmony.chord_at(step), degree)
            pitch = harmony.pitch(degree) + octaves
            while pitch > top:
                pitch -= 12
            while pitch < bottom:
                pitch += 12
            following = onsets[index + 1] if index + 1 < len(onsets) else STEPS_PER_BAR
            length = min(following - onset, longest) * (0.94 if instrument.sustained else 1.0)
            velocity = 96 + (6 if onset % 4 == 0 else 0) + random.randint(-8, 8)
            notes.append(Note(step, length, pitch, velocity))
            degree += moves[index]
    return notes


def _motif(random: Random, density: float, slow: bool) -> tuple[list[int], list[int]]:
    """Where in the bar a melody's notes begin, and by how many scale steps it moves after each."""
    if slow:
        onsets = sorted({0, random.choice((4, 8, 8, 12)), *random.choice(((), (8,), (6, 12), (10,)))})
    else:
        likely = {0: 0.95, 1: 0.2, 2: 0.75, 3: 0.2}
        onsets = [step for step in range(16) if random.random() < density * likely[step % 4] * 1.25]
        onsets = sorted({*onsets, random.choice((0, 0, 0, 2)), random.choice((4, 8, 8, 10))})
    moves, drift = [], 0
    for _ in range(16):
        move = random.choice((-2, -1, -1, 0, 1, 1, 2, 3))
        move = -abs(move) if drift > 3 else abs(move) if drift < -3 else move
        drift += move
        moves.append(move)
    return onsets, moves


def _riff_rhythm(random: Random) -> list[int]:
    return steps_of(random.choice(_RIFFS))


def _peal(random: Random, instrument: Instrument, harmony: Harmony, bars: int) -> list[Note]:
    """Bells rung in rounds: down the scale again and again, two neighbours swapped from round to round."""
    bells = random.choice((4, 5, 6, 8))
    rate = random.choice((2, 4)) if bars < 8 else 4
    top = min(instrument.high, instrument.low + 12 + random.randint(0, 6))
    tonic = top - (top - harmony.key.tonic) % 12
    scale = (*harmony.scale, 12)[:bells]
    rung = [tonic - 12 + semitones for semitones in reversed(scale)]
    pitches = [pitch + 12 if pitch < instrument.low else pitch for pitch in rung]
    notes: list[Note] = []
    for step in range(0, bars * STEPS_PER_BAR, rate):
        place = step // rate % bells
        if place == 0 and step:
            swap = random.randrange(bells - 1)
            pitches[swap], pitches[swap + 1] = pitches[swap + 1], pitches[swap]
        notes.append(Note(step, rate * 1.5, pitches[place], 100 + random.randint(-10, 8)))
    return notes


def _toll(random: Random, instrument: Instrument, harmony: Harmony, bars: int) -> list[Note]:
    """One great bell struck slowly, now and then answered by a second."""
    rate = random.choice((4, 8, 8, 16))
    great = harmony.pitch_within(0, instrument.low, instrument.high)
    answer = harmony.pitch_within(random.choice((2, 4)), instrument.low, instrument.high)
    second = random.random() < 0.5
    return [
        Note(step, rate, answer if second and step // rate % 2 else great, 104 + random.randint(-8, 8))
        for step in range(0, bars * STEPS_PER_BAR, rate)
    ]


def _register(instrument: Instrument) -> tuple[int, int]:
    """The part of the range where it sings: an octave and a half around the upper middle, never outside."""
    middle = round(instrument.low + 0.55 * (instrument.high - instrument.low))
    return max(instrument.low, middle - 9), min(instrument.high, middle + 9)


def _nearest_tone(harmony: Harmony, chord: int, degree: int) -> int:
    """The chord tone closest to a scale degree, so that a melody lands on the harmony with a small step."""
    tones = [tone + 7 * octave for tone in harmony.chord_tones(chord) for octave in (-2, -1, 0, 1, 2)]
    return min(tones, key=lambda tone: (abs(tone - degree), tone))
