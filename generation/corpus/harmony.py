"""Keys, progressions and voicings: which pitches the players may use at each moment of a loop."""

from dataclasses import dataclass
from random import Random

from generation.request import METRES, Key

_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_MIXOLYDIAN = (0, 2, 4, 5, 7, 9, 10)
_MINOR = (0, 2, 3, 5, 7, 8, 10)

# Scale degrees of the chords' roots, 0 for the tonic. They begin at home and end on what leads back to it, so
# that the seam of the loop is its cadence. By style: (major, minor).
_Degrees = tuple[tuple[int, ...], ...]
_PROGRESSIONS: dict[str, tuple[_Degrees, _Degrees]] = {
    "pop": (
        ((0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 4, 3), (0, 3, 0, 4), (0, 2, 3, 4), (0, 3, 1, 4), (0, 5, 1, 4)),
        ((0, 5, 2, 6), (0, 3, 5, 4), (0, 6, 5, 4), (0, 0, 5, 6), (0, 5, 3, 4), (0, 3, 0, 4), (0, 2, 5, 6)),
    ),
    "doo-wop": (((0, 5, 3, 4), (0, 5, 1, 4), (0, 3, 0, 4)), ((0, 5, 3, 4), (0, 3, 0, 4))),
    "blues": (((0, 0, 3, 4), (0, 3, 0, 4), (0, 3, 4, 0)), ((0, 3, 0, 4), (0, 0, 3, 4), (0, 5, 4, 0))),
    "jazz": (
        ((0, 5, 1, 4), (0, 1, 4, 0), (0, 3, 1, 4), (0, 0, 1, 4), (0, 2, 1, 4)),
        ((0, 5, 1, 4), (0, 1, 4, 0), (0, 0, 1, 4), (0, 3, 0, 4)),
    ),
    "classical": (
        ((0, 3, 4, 0), (0, 1, 4, 0), (0, 4, 0, 4), (0, 3, 1, 4), (0, 4, 5, 4), (0, 5, 1, 4)),
        ((0, 3, 4, 0), (0, 4, 0, 4), (0, 5, 3, 4), (0, 3, 0, 4), (0, 2, 3, 4)),
    ),
    "folk": (
        ((0, 3, 0, 4), (0, 4, 0, 3), (0, 0, 3, 4), (0, 5, 3, 4), (0, 3, 4, 0)),
        ((0, 6, 0, 4), (0, 6, 5, 6), (0, 2, 6, 0), (0, 3, 0, 6), (0, 6, 3, 4)),
    ),
    "andalusian": (((0, 3, 4, 0), (0, 4, 3, 4)), ((0, 6, 5, 4), (0, 3, 5, 4), (0, 6, 5, 4))),
    "epic": (
        ((0, 4, 5, 3), (0, 2, 3, 4), (0, 3, 0, 4), (0, 0, 3, 4)),
        ((0, 5, 2, 6), (0, 5, 3, 4), (0, 3, 0, 4), (0, 0, 5, 6), (0, 5, 0, 6), (0, 5, 6, 0)),
    ),
    "vamp": (
        ((0, 0, 0, 4), (0, 4, 0, 4), (0, 0, 3, 4), (0, 3, 0, 4)),
        ((0, 0, 0, 3), (0, 6, 0, 6), (0, 5, 0, 6), (0, 0, 3, 4), (0, 3, 0, 4)),
    ),
    "drone": (((0, 0, 0, 0), (0, 0, 0, 3)), ((0, 0, 0, 0), (0, 0, 0, 5), (0, 0, 0, 6), (0, 0, 3, 0))),
    "riffs": (((0, 0, 3, 4), (0, 4, 3, 0)), ((0, 0, 5, 6), (0, 0, 6, 5), (0, 5, 6, 0), (0, 0, 3, 4))),
}  # fmt: skip

# The styles that raise the seventh over the dominant of a minor key.
_LEADING = ("classical", "jazz", "andalusian", "doo-wop", "blues")


@dataclass(frozen=True, slots=True)
class Harmony:
    """`chords` holds a scale degree per half bar, `scale` the semitones of the degrees above the tonic.

    `bar` is the length of a bar in sixteenths. `colour` is what is stacked on the roots: "triads", "sevenths",
    "ninths", "add9" or "sus". With `leading`, the seventh is raised over the fifth degree.
    """

    key: Key
    scale: tuple[int, ...]
    colour: str
    chords: tuple[int, ...]
    bar: int
    leading: bool

    def chord_at(self, step: float) -> int:
        """The degree of the chord at a position in sixteenths; behind the end the loop starts again."""
        return self.chords[int(step) // (self.bar // 2) % len(self.chords)]

    def pitch(self, degree: int, chord: int = 0) -> int:
        """The pitch of a scale degree over a chord, counted from the tonic of the lowest octave."""
        raised = self.leading and chord % 7 == 4 and degree % 7 == 6
        return self.key.tonic + self.scale[degree % 7] + 12 * (degree // 7) + raised

    def pitch_within(self, degree: int, low: int, high: int, chord: int = 0) -> int:
        """That pitch in the lowest octave of a range, which spans an octave or more."""
        return low + (self.pitch(degree, chord) - low) % 12 if high - low >= 11 else low

    def degree_of(self, pitch: int) -> int:
        """The scale degree that a pitch belongs to, the nearest below where it is a raised one."""
        octave, semitones = divmod(pitch - self.key.tonic, 12)
        return 7 * octave + max(d for d in range(7) if self.scale[d] <= semitones)

    def chord_tones(self, chord: int) -> list[int]:
        """The scale degrees of a chord; a ninth a semitone above its root is left out."""
        has_ninth = (self.scale[(chord + 1) % 7] - self.scale[chord % 7]) % 12 == 2
        match self.colour:
            case "sevenths":
                return [chord, chord + 2, chord + 4, chord + 6]
            case "ninths":
                return [chord, chord + 2, chord + 4, chord + 6, *([chord + 8] if has_ninth else [])]
            case "add9" if has_ninth:
                return [chord, chord + 2, chord + 4, chord + 8]
            case "sus" if has_ninth and chord % 7 == 4:
                return [chord, chord + 3, chord + 4]
            case _:
                return [chord, chord + 2, chord + 4]

    def spans(self, bars: int) -> list[tuple[int, int, int]]:
        """(start, length, degree) of each chord as it is held, in sixteenths; never longer than a bar."""
        half = self.bar // 2
        spans: list[tuple[int, int, int]] = []
        for start in range(0, bars * self.bar, half):
            chord = self.chord_at(start)
            if spans and start % self.bar and spans[-1][2] == chord:
                spans[-1] = (spans[-1][0], self.bar, chord)
            else:
                spans.append((start, half, chord))
        return spans

    def voicings(self, bars: int, low: int, high: int, *, is_open: bool) -> list[tuple[int, int, list[int]]]:
        """(start, length, pitches) of each span, every voice moving as little as it can from chord to chord.

        The first chord sits near the middle of `low` to `high`. `is_open` drops the second voice from the top
        an octave where there is room. A ninth's root is left to the bass.
        """
        middle = (low + high) / 2
        previous: list[int] | None = None
        voiced = []
        for start, length, chord in self.spans(bars):
            tones = self.chord_tones(chord)
            classes = {self.pitch(tone, chord) % 12 for tone in (tones[1:] if len(tones) == 5 else tones)}
            candidates = [
                self._stacked(bottom, classes) for bottom in range(low, high - 2) if bottom % 12 in classes
            ]
            if is_open:
                candidates = [self._opened(pitches, low) for pitches in candidates]
            candidates = [pitches for pitches in candidates if pitches[-1] <= high] or candidates[:1]

            def cost(pitches: list[int], before: list[int] | None = previous) -> float:
                off_centre = abs(sum(pitches) / len(pitches) - middle)
                if before is None:
                    return off_centre
                return sum(min(abs(pitch - old) for old in before) for pitch in pitches) + 0.3 * off_centre

            previous = min(candidates, key=cost)
            voiced.append((start, length, previous))
        return voiced

    @staticmethod
    def _stacked(bottom: int, classes: set[int]) -> list[int]:
        return sorted(bottom + (pitch - bottom) % 12 for pitch in classes)

    @staticmethod
    def _opened(pitches: list[int], low: int) -> list[int]:
        if len(pitches) < 3 or pitches[-2] - 12 < low:
            return pitches
        return sorted([*pitches[:-2], pitches[-2] - 12, pitches[-1]])


def harmonise(
    random: Random,
    bars: int,
    metre: str,
    *,
    minor: float,
    colour: str,
    flat_seventh: bool,
    progressions: str,
) -> Harmony:
    """Draw a key and a progression of a style that comes round in `bars` bars of a metre."""
    key = Key(random.randrange(12), random.random() < minor)
    scale = _MINOR if key.minor else _MIXOLYDIAN if flat_seventh else _MAJOR
    choices = _PROGRESSIONS[progressions][key.minor]
    # A key is heard where its tonic is: progressions that come home halfway are played more often.
    weights = [3 if chords.count(0) > 1 else 1 for chords in choices]
    four = random.choices(choices, weights)[0]
    # A short loop shows the way out and the way home: the tonic and the chord that leads back.
    two = (0, four[-1] if four[-1] else four[-2])
    halves: tuple[int, ...]
    match bars:
        case 1:
            halves = two if metre != "3/4" and random.random() < 0.3 else (0, 0)
        case 2:
            draw = random.random() if metre != "3/4" else 1.0
            halves = four if draw < 0.25 else (0, 0, 0, two[1]) if draw < 0.75 else _doubled(two)
        case 4:
            halves = _doubled(four)
            if metre != "3/4" and random.random() < 0.2:
                halves = (*halves[:-1], 4)
        case _:
            shape = random.random()
            other = random.choices(choices, weights)[0]
            if shape < 0.45:
                halves = _doubled(four + four)
            elif shape < 0.8:
                halves = _doubled(four + other)
            else:
                halves = _doubled(_doubled(four))
    leading = key.minor and progressions in _LEADING
    return Harmony(key, scale, colour, halves, METRES[metre], leading)


def _doubled(chords: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(chord for chord in chords for _ in range(2))
