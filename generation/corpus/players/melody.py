"""Melodies from a motif, its contour and a form; riffs, bells, and counter-lines to a melody.

A motif is a bar of rhythm with a contour in scale steps. A form says how bars repeat and vary it: a capital
letter is a motif, a prime its other ending, a rest a bar that waits for the answer.
"""

from bisect import bisect_right
from dataclasses import dataclass
from random import Random

from generation.corpus.harmony import Harmony
from generation.corpus.instruments import Instrument
from generation.corpus.players.chords import play_chords
from generation.corpus.score import Note

# Rhythms of one beat by how busy they are: a quarter in 4/4 and 3/4, a dotted quarter in 6/8.
_CALM = ("x...", "x...", "x...", "....", "x.x.", "..x.")
_MIDDLE = ("x...", "x.x.", "x.x.", "x..x", "..x.", "....", "x.xx")
_BUSY = ("x.x.", "x.xx", "xx.x", "xxxx", "x..x", "xxx.", ".xx.", "x.x.")
_CALM_SIX = ("x.....", "x...x.", "......", "x.....")
_MIDDLE_SIX = ("x...x.", "x.x.x.", "x.....", "x..xx.", "....x.")
_BUSY_SIX = ("x.x.x.", "x.xxx.", "x.x.xx", "x...x.")

# What a phrase does over its length, as scale steps at evenly spaced points.
_CONTOURS = (
    (0, 2, 4, 2, 0),
    (4, 3, 2, 1, 0),
    (0, 1, 2, 3, 4),
    (3, 1, 0, 1, 3),
    (0, 4, 3, 1, 0),
    (0, 0, 1, 0, -1),
    (0, -1, -3, -1, 0),
    (0, 3, 0, 4, 2),
    (2, 0, 3, 1, 4),
)
_FORMS = {
    1: ("A",),
    2: ("A A'", "A B", "A A'", "A r"),
    4: ("A A' A B", "A B A B'", "A A B A'", "A B A C", "A r A' r", "A A A' B", "A r B A'"),
    8: (
        "A B A C A B A C'",
        "A A' B B' A A' C C'",
        "A A B A' A A B C",
        "A r A' r B r A C",
        "A A' A B C C' A B'",
        "A B C B' A B C A'",
    ),
}


def play_lead(
    random: Random,
    figure: str,
    instrument: Instrument,
    harmony: Harmony,
    bars: int,
    metre: str,
    density: float,
) -> list[Note]:
    """One voice on top: "melody", "slow melody", "riff", "arpeggio", "peal" (bells in rounds) or "toll"."""
    match figure:
        case "arpeggio":
            return play_chords(random, "arpeggio", instrument, harmony, bars, metre)
        case "peal":
            return _peal(random, instrument, harmony, bars)
        case "toll":
            return _toll(random, instrument, harmony, bars, 6 if metre == "6/8" else 4)
        case "riff":
            return _riff(random, instrument, harmony, bars, density)
    return _melody(random, instrument, harmony, bars, metre, 0.12 if figure == "slow melody" else density)


@dataclass(frozen=True, slots=True)
class _Motif:
    """Onsets in sixteenths with a scale step for each, and other steps for the end of its varied form."""

    onsets: tuple[int, ...]
    steps: tuple[int, ...]
    varied: tuple[int, ...]


def _melody(
    random: Random, instrument: Instrument, harmony: Harmony, bars: int, metre: str, density: float
) -> list[Note]:
    motifs = {letter: _motif(random, metre, harmony.bar, density) for letter in "ABC"}
    form = random.choice(_FORMS[bars]).split()
    bottom, top = _register(instrument)
    octaves = 12 * round(((bottom + top) / 2 - 2 - harmony.key.tonic) / 12)
    # The phrase as a whole rises and falls a little; the second motif answers from higher up.
    lift = {"A": 0, "B": random.choice((1, 2, 3, -2)), "C": random.choice((2, 4, -1))}
    anchor = random.choice((0, 0, 2, 4))
    staccato = not instrument.sustained or random.random() < 0.25
    degrees: list[tuple[int, int, int]] = []
    for bar, letter in enumerate(form):
        if letter == "r":
            continue
        motif = motifs[letter[0]]
        steps = motif.varied if letter.endswith("'") else motif.steps
        start = bar * harmony.bar
        base = _nearest_tone(harmony, harmony.chord_at(start), anchor + lift[letter[0]])
        for index, (onset, step) in enumerate(zip(motif.onsets, steps, strict=True)):
            at = start + onset
            chord = harmony.chord_at(at)
            degree = base + step
            following = motif.onsets[index + 1] - onset if index + 1 < len(motif.onsets) else 4
            if onset % (6 if metre == "6/8" else 4) == 0 or following >= 4:
                degree = _nearest_tone(harmony, chord, degree)
            degrees.append((at, degree, chord))
    degrees = _cadence(random, degrees, harmony, bars)
    degrees = _tamed(degrees)
    notes = []
    for index, (at, degree, chord) in enumerate(degrees):
        following = degrees[index + 1][0] if index + 1 < len(degrees) else bars * harmony.bar
        gap = following - at
        length = min(gap, 3.0 if staccato else 14.0) * (1.0 if staccato else 0.95)
        if gap >= harmony.bar:
            length = min(length, harmony.bar * 0.75)
        pitch = _into(harmony.pitch(degree, chord) + octaves, bottom, top)
        # Phrases swell towards their top and their strong beats.
        height = (pitch - bottom) / max(1, top - bottom)
        accent = 9 if at % harmony.bar == 0 else 4 if at % 4 == 0 else -4
        notes.append(Note(at, length, pitch, round(86 + accent + 12 * height) + random.randint(-5, 5)))
    return notes


def _motif(random: Random, metre: str, bar: int, density: float) -> _Motif:
    beat = 6 if metre == "6/8" else 4
    calm, middle, busy = (_CALM_SIX, _MIDDLE_SIX, _BUSY_SIX) if beat == 6 else (_CALM, _MIDDLE, _BUSY)
    rhythm = ""
    for place in range(bar // beat):
        # The bar's end breathes more often than its beginning.
        draw = random.random() + density - 0.5 - (0.25 if place == bar // beat - 1 else 0.0)
        rhythm += random.choice(busy if draw > 0.85 else middle if draw > 0.3 else calm)
    if "x" not in rhythm[: bar // 2]:
        rhythm = "x" + rhythm[1:]
    onsets = tuple(step for step, mark in enumerate(rhythm) if mark == "x")
    contour = random.choice(_CONTOURS)
    scaled = random.choice((1.0, 1.0, 0.6, 1.4))
    steps = []
    for onset in onsets:
        along = onset / bar * (len(contour) - 1)
        low = int(along)
        high = min(low + 1, len(contour) - 1)
        value = contour[low] + (contour[high] - contour[low]) * (along - low)
        steps.append(round(value * scaled) + random.choice((0, 0, 0, 0, 1, -1)))
    # A note repeated more than twice in a row stands still.
    for index in range(2, len(steps)):
        if steps[index] == steps[index - 1] == steps[index - 2]:
            steps[index] += random.choice((1, -1))
    turn = random.choice((1, -1, 2, -2))
    varied = [step + (turn if index >= (len(steps) + 1) // 2 else 0) for index, step in enumerate(steps)]
    return _Motif(onsets, tuple(steps), tuple(varied))


def _cadence(
    random: Random, degrees: list[tuple[int, int, int]], harmony: Harmony, bars: int
) -> list[tuple[int, int, int]]:
    """The last bar comes to rest on a chord tone, or runs by step into the note that the loop begins with."""
    if bars == 1 or len(degrees) < 3:
        return degrees
    last = (bars - 1) * harmony.bar
    if random.random() < 0.6:
        kept = [entry for entry in degrees if entry[0] <= last + harmony.bar // 2]
        at, degree, chord = kept[-1]
        tones = [chord, chord + 4] if chord % 7 == 4 else [0, 2]
        nearest = min(
            (tone + 7 * octave for tone in tones for octave in (-2, -1, 0, 1, 2)),
            key=lambda t: abs(t - degree),
        )
        return [*kept[:-1], (at, nearest, chord)]
    first = degrees[0][1]
    kept = [entry for entry in degrees if entry[0] < last + harmony.bar - 4]
    side = random.choice((-1, 1))
    for index, onset in enumerate((harmony.bar - 4, harmony.bar - 2)):
        at = last + onset
        kept.append((at, first + side * (2 - index), harmony.chord_at(at)))
    return kept


def _tamed(degrees: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """No leap above an octave: the note behind it comes nearer by one."""
    tamed: list[tuple[int, int, int]] = []
    for at, degree, chord in degrees:
        before = tamed[-1][1] if tamed else degree
        while degree - before > 7:
            degree -= 7
        while before - degree > 7:
            degree += 7
        tamed.append((at, degree, chord))
    return tamed


_RIFFS = (
    "x..x..x.x..x..x.",
    "x.x..x.xx.x..x..",
    "x..x..x...x.x...",
    "xx.x.xx.x.x.....",
    "x...x.xxx...x.x.",
    "x.xx.x.x.xx.x...",
    "x.....x.x..x....",
    "..x..x..x.x.x...",
)
# Scale degrees without the ones that rub: major 1 2 3 5 6, minor 1 3 4 5 7.
_PENTATONIC = {False: (0, 1, 2, 4, 5), True: (0, 2, 3, 4, 6)}


def _riff(random: Random, instrument: Instrument, harmony: Harmony, bars: int, density: float) -> list[Note]:
    """An ostinato on the key's pentatonic scale, stubborn whatever the chords do, with a turn every fourth bar."""
    scale = _PENTATONIC[harmony.key.minor]
    rhythm = random.choice(_RIFFS)[: harmony.bar]
    onsets = [
        step
        for step, mark in enumerate(rhythm)
        if mark == "x" and (step == 0 or random.random() < 0.55 + density)
    ]
    place, places = random.choice((0, 0, 2, 3)), []
    for _ in onsets:
        places.append(place)
        place = max(-2, min(6, place + random.choice((-2, -1, -1, 1, 1, 2, 0))))
    turned = [
        *places[: len(places) // 2],
        *(p + random.choice((1, 2, -1)) for p in places[len(places) // 2 :]),
    ]
    bottom, top = _register(instrument)
    octaves = 12 * round(((bottom + top) / 2 - 4 - harmony.key.tonic) / 12)
    notes = []
    for bar in range(bars):
        line = turned if bar % 4 == 3 or (bars == 2 and bar == 1 and len(onsets) > 4) else places
        for index, (onset, step) in enumerate(zip(onsets, line, strict=True)):
            octave, degree = divmod(step, 5)
            pitch = _into(harmony.pitch(scale[degree] + 7 * octave) + octaves, bottom, top)
            following = onsets[index + 1] if index + 1 < len(onsets) else harmony.bar
            length = min(following - onset, 4 if instrument.sustained else 2) * 0.9
            velocity = 98 + (8 if onset % 4 == 0 else -3) + random.randint(-5, 5)
            notes.append(Note(bar * harmony.bar + onset, length, pitch, velocity))
    return notes


def play_counter(
    random: Random, figure: str, instrument: Instrument, harmony: Harmony, bars: int, lead: list[Note]
) -> list[Note]:
    """A second voice: "thirds" below the lead, "answers" where it rests, or "held notes" against it."""
    lead = sorted(lead, key=lambda note: (note.start, -note.pitch))
    match figure:
        case "thirds" if lead:
            return _thirds(random, instrument, harmony, lead)
        case "answers" if lead:
            return _answers(random, instrument, harmony, bars, lead)
    return _held(random, instrument, harmony, bars)


def _thirds(random: Random, instrument: Instrument, harmony: Harmony, lead: list[Note]) -> list[Note]:
    below = random.choice((2, 2, 5))
    notes = []
    for note in lead:
        degree = harmony.degree_of(note.pitch) - below
        pitch = _into(harmony.pitch(degree, harmony.chord_at(note.start)), instrument.low, instrument.high)
        notes.append(Note(note.start, note.length, pitch, note.velocity - 10))
    return notes


def _answers(
    random: Random, instrument: Instrument, harmony: Harmony, bars: int, lead: list[Note]
) -> list[Note]:
    """The lead's own rhythm a half bar later, thinned to where it is silent or holds."""
    bottom, top = _register(instrument)
    busy = {int(note.start) for note in lead}
    end = bars * harmony.bar
    degree, direction = 0, random.choice((1, -1))
    notes = []
    for note in lead:
        at = int(note.start + harmony.bar // 2) % end
        if busy & {at - 1, at, at + 1}:
            continue
        chord = harmony.chord_at(at)
        degree += direction
        if at % 4 == 0:
            degree = _nearest_tone(harmony, chord, degree)
        direction = -direction if abs(degree) > 3 else direction
        pitch = harmony.pitch(degree, chord)
        pitch = _into(pitch + 12 * round(((bottom + top) / 2 - pitch) / 12), bottom, top)
        notes.append(Note(float(at), 1.8, pitch, 84 + random.randint(-5, 5)))
    return notes or _held(random, instrument, harmony, bars)


def _held(random: Random, instrument: Instrument, harmony: Harmony, bars: int) -> list[Note]:
    """Thirds, fifths and sevenths of the chords, each as near to the one before as can be."""
    bottom, top = _register(instrument)
    middle = (bottom + top) // 2
    notes: list[Note] = []
    for start, length, chord in harmony.spans(bars):
        tones = harmony.chord_tones(chord)[1:]
        near = notes[-1].pitch if notes else middle
        pitches = [
            pitch
            for tone in tones
            for octave in range(2, 9)
            if bottom <= (pitch := harmony.pitch(tone, chord) + 12 * octave) <= top
        ]
        pitch = min(pitches, key=lambda pitch: (abs(pitch - near), pitch))
        notes.append(Note(start, length - 0.3, pitch, 78 + random.randint(-5, 5)))
    return notes


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
    for step in range(0, bars * harmony.bar, rate):
        place = step // rate % bells
        if place == 0 and step:
            swap = random.randrange(bells - 1)
            pitches[swap], pitches[swap + 1] = pitches[swap + 1], pitches[swap]
        notes.append(Note(step, rate * 1.5, pitches[place], 100 + random.randint(-10, 8)))
    return notes


def _toll(random: Random, instrument: Instrument, harmony: Harmony, bars: int, beat: int) -> list[Note]:
    """One great bell struck slowly, now and then answered by a second."""
    rate = random.choice(
        [beat * count for count in (1, 2, 2, 4) if harmony.bar % (beat * count) == 0] + [harmony.bar]
    )
    great = harmony.pitch_within(0, instrument.low, instrument.high)
    answer = harmony.pitch_within(random.choice((2, 4)), instrument.low, instrument.high)
    second = random.random() < 0.5
    return [
        Note(step, rate, answer if second and step // rate % 2 else great, 104 + random.randint(-8, 8))
        for step in range(0, bars * harmony.bar, rate)
    ]


def _register(instrument: Instrument) -> tuple[int, int]:
    """The part of the range where it sings: an octave and a half around the upper middle, never outside."""
    middle = round(instrument.low + 0.55 * (instrument.high - instrument.low))
    return max(instrument.low, middle - 10), min(instrument.high, middle + 10)


def _into(pitch: int, bottom: int, top: int) -> int:
    """The pitch, or the octave of it that lies in a range of an octave or more."""
    while pitch > top:
        pitch -= 12
    while pitch < bottom:
        pitch += 12
    return pitch


def _nearest_tone(harmony: Harmony, chord: int, degree: int) -> int:
    """The chord tone closest to a scale degree, so that a melody lands on the harmony with a small step."""
    tones = sorted(tone + 7 * octave for tone in harmony.chord_tones(chord) for octave in range(-3, 4))
    place = bisect_right(tones, degree)
    return min(tones[max(0, place - 1) : place + 1], key=lambda tone: (abs(tone - degree), tone))
