"""Keys, progressions and voicings: which pitches the players may use at each moment of a loop."""

from dataclasses import dataclass
from random import Random

from generation.corpus.score import STEPS_PER_BAR
from generation.request import Key

_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_MIXOLYDIAN = (0, 2, 4, 5, 7, 9, 10)
_MINOR = (0, 2, 3, 5, 7, 8, 10)

# Scale degrees of the chords' roots, 0 for the tonic.
_MAJOR_PROGRESSIONS = (
    (0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 4, 3), (1, 4, 0, 0),
    (0, 3, 0, 4), (5, 3, 0, 4), (0, 2, 3, 4), (0, 3, 1, 4),
)  # fmt: skip
_MINOR_PROGRESSIONS = (
    (0, 5, 2, 6), (0, 3, 4, 0), (0, 6, 5, 4), (0, 0, 5, 6),
    (0, 5, 3, 4), (0, 3, 0, 4), (0, 2, 5, 6), (0, 5, 0, 6),
)  # fmt: skip
_JAZZ_PROGRESSIONS = ((1, 4, 0, 5), (1, 4, 0, 0), (0, 5, 1, 4), (3, 6, 2, 5))
_TWO_CHORDS = ((0, 3), (0, 4), (0, 5), (0, 0), (1, 4), (0, 6), (0, 2))

_HALF_BAR = STEPS_PER_BAR // 2


@dataclass(frozen=True, slots=True)
class Harmony:
    """`chords` holds a scale degree per half bar, `scale` the semitones of the degrees above the tonic."""

    key: Key
    scale: tuple[int, ...]
    sevenths: bool
    chords: tuple[int, ...]

    def chord_at(self, step: float) -> int:
        """The degree of the chord at a position in sixteenths; behind the end the loop starts again."""
        return self.chords[int(step) // _HALF_BAR % len(self.chords)]

    def pitch(self, degree: int) -> int:
        """The pitch of a scale degree, counted from the tonic of the lowest octave."""
        return self.key.tonic + self.scale[degree % 7] + 12 * (degree // 7)

    def pitch_within(self, degree: int, low: int, high: int) -> int:
        """That pitch in the lowest octave of a range, which spans an octave or more."""
        return low + (self.pitch(degree) - low) % 12 if high - low >= 11 else low

    def chord_tones(self, chord: int) -> list[int]:
        """The scale degrees of a triad or, in a harmony of sevenths, of a seventh chord."""
        return [chord, chord + 2, chord + 4, *([chord + 6] if self.sevenths else [])]

    def voicing(self, chord: int, low: int) -> list[int]:
        """The chord's pitches within the octave above `low`, from the lowest up."""
        return sorted(self.pitch_within(tone, low, low + 12) for tone in self.chord_tones(chord))

    def spans(self, bars: int) -> list[tuple[int, int, int]]:
        """(start, length, degree) of each chord as it is held, in sixteenths; never longer than a bar."""
        spans: list[tuple[int, int, int]] = []
        for start in range(0, bars * STEPS_PER_BAR, _HALF_BAR):
            chord = self.chord_at(start)
            if spans and start % STEPS_PER_BAR and spans[-1][2] == chord:
                spans[-1] = (spans[-1][0], STEPS_PER_BAR, chord)
            else:
                spans.append((start, _HALF_BAR, chord))
        return spans


def harmonise(
    random: Random, bars: int, *, minor: float, sevenths: float, flat_seventh: bool, jazz: bool
) -> Harmony:
    """Draw a key and a progression that comes round in `bars` bars."""
    key = Key(random.randrange(12), random.random() < minor)
    scale = _MINOR if key.minor else _MIXOLYDIAN if flat_seventh else _MAJOR
    progressions = _MINOR_PROGRESSIONS if key.minor else _MAJOR_PROGRESSIONS
    four = random.choice(_JAZZ_PROGRESSIONS if jazz and not key.minor else progressions)
    two = random.choice(_TWO_CHORDS)
    halves: tuple[int, ...]
    match bars:
        case 1:
            halves = (two[0], two[0]) if random.random() < 0.5 else two
        case 2:
            halves = four if random.random() < 0.3 else _doubled(two)
        case 4:
            halves = _doubled(four)
        case _:
            shape = random.random()
            if shape < 0.6:
                halves = _doubled(four + four)
            elif shape < 0.8:
                halves = _doubled(four + random.choice(progressions))
            else:
                halves = _doubled(_doubled(four))
    return Harmony(key, scale, random.random() < sevenths, halves)


def _doubled(chords: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(chord for chord in chords for _ in range(2))
