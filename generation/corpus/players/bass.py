"""Bass lines, as patterns over the chords' roots.

A pattern gives a sixteenth per character: R root, 8 its octave, 5 the fifth below or above, 3 the third, 7 the
seventh, 6 the sixth, A a step that leads to the next chord, - holds the note, . rests. Lower case "r" is short.
"""

from random import Random

from generation.corpus.harmony import Harmony
from generation.corpus.instruments import Instrument
from generation.corpus.score import Note

_PATTERNS: dict[str, tuple[str, ...]] = {
    "offbeat": ("..R-..R-..R-..R-", "..R-..R-..R-..R8", "..R-..RR..R-..5-"),
    "octaves": ("R-8-R-8-R-8-R-8-", "R-8-R-88R-8-RR8-", "R.8.R.8.R.8.R.8A"),
    "rolling": (".rrr.rrr.rrr.rrr", ".rR8.rRr.rR8.rRr", "..rr..rr..rr..rr", "rrrrrrrrrrrrrrrr"),
    "drone": ("R---------------", "R---------------"),
    "long": ("R---------R-----", "R-------5-----A-", "R---------5---R-", "R-----------R-A-"),
    "halves": ("R-------R-------", "R-------5-------", "R-------3---A---"),
    "syncopated": ("R--rR---..R---A-", "R-.R..R---R-..R-", "R--R..5-..R-..A-", "R-----R-.R----8-"),
    "funk": ("r...r.8...7.r.A.", "r..8..r.r..7.8..", "r.r...8.r...5.A.", "R-.r..r8..7.5.r."),
    "eighths": ("R-R-R-R-R-R-R-R-", "R-R-R-R-R-R-R-A-", "R-R-R-R-R-R-5-A-", "R-RRR-R-R-RRR-A-"),
    "walk": ("R---3---5---A---", "R---5---3---A---", "R---R-3-5---A---", "R---6---5---A---"),
    "shuffle": ("R-R-5-5-6-6-5-5-", "R-R-3-3-5-5-6-A-", "R-R-5-5-7-7-5-A-"),
    "bossa": ("R--55---R--55---", "R--R5---R--55-A-", "R--.5--5R--.5---"),
    "reggae": ("....R-R-5--RR---", "R---..R-5---..A-", "R--R..3-5-......", "..R-R-..5-3-R-.."),
    "tumbao": ("...5--R-----R---", "...5--R-----A---", "R..5--R-..5-A---"),
    "root and fifth": ("R-------5-------", "R-------5---A---", "R---R---5---5---"),
    "dembow": ("R--R..R-R--R..R-", "R--R--5-R--R--A-", "R-----R-R--R..5-"),
    "acid": ("rr.8r.rr.r8rr.7r", "r.rR-8r.rr.7r.8.", "rrr8rr7rrr5rrr8A", "r..r8.r.R-r.7.r8"),
    "slides": ("R-------..R---8-", "R---------....A-", "R-----..R-R-..5-", "R-----------8-7-"),
    "wobble": ("R---R-R-R-RRR---", "R-RRR---R-R-8-R-", "R-------R-R-R-R-", "R--R--R-R-------"),
    "gallop": ("R-rrR-rrR-rrR-rr", "R-rrR-rrR-rr5-AA", "rrR-rrR-rrR-R-R-"),
    "cumbia": ("R---..5-3---..5-", "R-----5-R---5---"),
    "highlife": ("R-.5..8-5.R-..5-", "R--5.8-.R--5.A-.", "R-R-..5-8-..5-A-"),
}
_THREE: dict[str, tuple[str, ...]] = {
    "drone": ("R-----------", "R-----------"),
    "long": ("R-----------", "R-------A---"),
    "halves": ("R-----------", "R-------5---", "R-----------"),
    "walk": ("R---3---A---", "R---5---A---", "R---3---5---", "R---5---3-A-"),
    "root and fifth": ("R-------....", "R---....5---", "R-------A---"),
    "eighths": ("R-R-R-R-R-A-", "R-R-R-5-R-A-", "R---R-R-5---"),
}
_SIX: dict[str, tuple[str, ...]] = {
    "drone": ("R-----------", "R-----------"),
    "long": ("R---------A-", "R-----5-----"),
    "halves": ("R-----R-----", "R-----5-----", "R-----5---A-"),
    "walk": ("R---3-5---A-", "R---5-R---A-", "R-3-5-6-5-A-"),
    "root and fifth": ("R---..5---..", "R---R-5---A-", "R---..5-..A-"),
    "eighths": ("R-R-R-R-R-R-", "R-R-R-5-5-A-", "R---R-5---R-"),
    "tumbao": ("R---R-..5---", "R-..5-..8-A-", "R--.5-R--.8-"),
}
_FALLBACK = {"3/4": _THREE, "6/8": _SIX, "4/4": _PATTERNS}


def play_bass(
    random: Random, style: str, bass: Instrument, harmony: Harmony, bars: int, metre: str
) -> list[Note]:
    """A line in one of the styles of `genres`: a pattern, varied where it answers and at the end.

    Outside 4/4, styles that have no pattern there are played as the waltz's and the jig's own.
    """
    if style == "riff":
        return _riff(random, bass, harmony, bars)
    table = _FALLBACK[metre]
    patterns = table.get(style) or table[random.choice(("halves", "root and fifth"))]
    first = random.choice(patterns)
    last = random.choice(patterns)
    answer = random.choice((first, first, last))
    accents = frozenset(random.sample(range(harmony.bar), 5)) if style == "acid" else frozenset({0})
    slurred = style in ("acid", "slides")
    notes: list[Note] = []
    previous = -1
    for bar in range(bars):
        is_last = bar == bars - 1 and bars > 1
        pattern = last if is_last else answer if bar % 2 else first
        line = _line(random, pattern, bar * harmony.bar, bass, harmony, accents, slurred=slurred)
        # A walking bass does not tread on the spot.
        if style == "walk" and previous >= 0 and line and line[0].pitch == previous:
            line[0] = _raised(line[0], bass)
        notes += line
        previous = line[-1].pitch if line else -1
    return notes


def _line(
    random: Random,
    pattern: str,
    start: int,
    bass: Instrument,
    harmony: Harmony,
    accents: frozenset[int],
    *,
    slurred: bool,
) -> list[Note]:
    """A bar of a pattern; a `slurred` line's long notes reach the next one, so that synthesizers glide."""
    notes = []
    for step, mark in enumerate(pattern):
        if mark in "-.":
            continue
        length = 1
        while step + length < len(pattern) and pattern[step + length] == "-":
            length += 1
        pitch = _pitch(random, mark, start + step, bass, harmony)
        weak = -20 if len(accents) > 1 else 2 if step % 4 == 0 else -6
        accent = 14 if step in accents else weak
        velocity = max(34, min(122, 102 + accent + random.randint(-5, 5)))
        held = length * 0.65 if mark == "r" else length - (0.05 if slurred else 0.2)
        notes.append(Note(start + step, held, pitch, velocity))
    return notes


def _pitch(random: Random, mark: str, step: int, bass: Instrument, harmony: Harmony) -> int:
    chord = harmony.chord_at(step)
    root = harmony.pitch_within(chord, bass.low, bass.high)
    match mark:
        case "8":
            pitch = root + 12
        case "5" | "3" | "6" | "7":
            degree = chord + {"3": 2, "5": 4, "6": 5, "7": 6}[mark]
            above = harmony.pitch_within(degree, root, root + 11, chord)
            pitch = above - 12 if mark == "5" and random.random() < 0.4 else above
        case "A":
            after = harmony.chord_at((step // (harmony.bar // 2) + 1) * (harmony.bar // 2))
            target = harmony.pitch_within(after, bass.low, bass.high)
            neighbour = after + random.choice((-1, -1, 1))
            pitch = harmony.pitch_within(neighbour, target - 6, target + 5, after)
        case _:
            pitch = root
    while pitch > bass.high:
        pitch -= 12
    while pitch < bass.low:
        pitch += 12
    return pitch


def _raised(note: Note, bass: Instrument) -> Note:
    pitch = note.pitch + 12 if note.pitch + 12 <= bass.high else max(bass.low, note.pitch - 12)
    return Note(
        note.start, note.length, pitch if pitch % 12 == note.pitch % 12 else note.pitch, note.velocity
    )


_RIFFS = (
    "x..x..x.x..x..x.",
    "x.x..x.xx.x..x..",
    "x..x..x...x.x...",
    "xx.x.xx.x.x.....",
    "x...x.xxx...x.x.",
    "x.xx.x.x.xx.x...",
    "x.....x.x..x....",
)


def _riff(random: Random, bass: Instrument, harmony: Harmony, bars: int) -> list[Note]:
    """One bar of root, third, fifth and seventh again and again, with another end every fourth bar."""
    rhythm = [step for step, mark in enumerate(random.choice(_RIFFS)) if mark == "x" and step < harmony.bar]
    tones = [0] + [random.choice((0, 0, 0, 2, 4, 4, 6)) for _ in rhythm[1:]]
    ending = [random.choice((0, 2, 4)) for _ in rhythm]
    notes = []
    for bar in range(bars):
        turned = bar % 4 == 3
        for index, step in enumerate(rhythm):
            at = bar * harmony.bar + step
            chord = harmony.chord_at(at)
            tone = ending[index] if turned and step >= harmony.bar // 2 else tones[index]
            pitch = harmony.pitch_within(chord + tone, bass.low, bass.high, chord)
            following = rhythm[index + 1] if index + 1 < len(rhythm) else harmony.bar
            length = min(following - step, 3) * 0.85
            notes.append(Note(at, length, pitch, 100 + (8 if step % 4 == 0 else 0) + random.randint(-6, 6)))
    return notes
