"""What is in a sound: its place in the space that it shares with sentences, and names for what is heard.

Everything here runs on NumPy, in a process that has no torch, and gives the same numbers for the same bytes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generation.corpus.instruments import BASSES, KITS, MELODIC
from generation.embedding.minilm import MiniLM
from generation.embedding.network import Network
from generation.embedding.picture import FRAMES_PER_SECOND, Audio, level, powers
from generation.errors import InvalidRequest

# What is at least this likely is said without being asked; benchmarks/embedding.py measures how often that is right.
CONFIDENT = 0.5

_AT_LEAST = 0.05
_INSTRUMENTS = frozenset((*MELODIC, *BASSES, *KITS))
# Where corpus loops lie: the ends of the scales, about its 2nd and its 98th percentile.
_DARK, _BRIGHT = 0.16, 0.44
_STILL, _BUSY = 4.0, 85.0
_QUIET_DB, _LOUD_DB = -40.0, -10.0
_GROUPS = 16

Vector = NDArray[np.float32]
Named = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """Names with confidences from 0 to 1, the surest first, down to 0.05; and measures from 0 to 1.

    `genres`, `instruments` (drum kits and basses among them), `textures` and `moods` are the corpus's own names.
    `brightness` is the centre of the spectrum, each ERB band counting as loud as it sounds (power to 0.3): lifting
    treble never lowers it. `energy` is 0.4 of how much sets in per second, 0.35 of the level (RMS from -40 to -10 dB),
    0.25 of the brightness: a louder copy of a sound never has less. `has_drums` is the confidence that a kit plays.
    """

    genres: Named
    instruments: Named
    textures: Named
    moods: Named
    energy: float
    brightness: float
    has_drums: float


def embed_audio(audio: Audio, bpm: float | None = None) -> Vector:
    """(64,) of unit length for (samples, 2) at 44.1 kHz: near those of sounds like it and of sentences about it.

    A known tempo helps. Raises UnreadableAudio for less than half a second, silence and what is not a number.
    """
    return Network.load().listen(level(powers(audio)), bpm).embedding


def embed_text(sentence: str) -> Vector:
    """(64,) of unit length, in the space of `embed_audio`; long ones are cut at 64 word pieces.

    Raises InvalidRequest for an empty sentence and ModelUnavailable without the text encoder.
    """
    if not sentence.strip():
        raise InvalidRequest("sentence", "There is nothing to look for: write a few words.")
    return Network.load().read(MiniLM.load()(sentence))


def heard(audio: Audio, bpm: float | None = None) -> Heard:
    """What is heard in (samples, 2) at 44.1 kHz; raises UnreadableAudio as `embed_audio` does."""
    power = powers(audio)
    answers = Network.load().listen(level(power), bpm)
    sounds = answers.sounds
    bright = brightness(power)
    return Heard(
        genres=_sorted(answers.genres),
        instruments=_sorted({name: sounds[name] for name in sounds if name in _INSTRUMENTS}),
        textures=_sorted({name: sounds[name] for name in sounds if name not in _INSTRUMENTS}),
        moods=_sorted(answers.moods),
        energy=energy(audio, power, bright),
        brightness=bright,
        has_drums=answers.drums,
    )


def brightness(power: Vector) -> float:
    """0 (dark) to 1 (bright) of (frames, bands) powers, as `Heard` says."""
    loudness = np.power(power.mean(0, dtype=np.float64), 0.3)
    centre = float(loudness @ np.linspace(0, 1, len(loudness)) / loudness.sum())
    return _scaled(centre, _DARK, _BRIGHT)


def energy(audio: Audio, power: Vector, bright: float) -> float:
    """0 to 1, as `Heard` says; `bright` is the brightness."""
    rms = 10 * np.log10(float(np.square(audio, dtype=np.float64).mean()) + 1e-20)
    return (
        0.4 * _scaled(attacks(level(power)), _STILL, _BUSY)
        + 0.35 * _scaled(rms, _QUIET_DB, _LOUD_DB)
        + 0.25 * bright
    )


def attacks(picture: Vector) -> float:
    """Decibels that sixteen groups of bands rise per second, on the mean of the groups, round the end."""
    groups = picture.reshape(len(picture), _GROUPS, -1).mean(2) * 80
    rise = np.maximum(0, groups - np.roll(groups, 2, 0) - 1.5)
    return float(rise.mean() * FRAMES_PER_SECOND / 2)


def _scaled(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0, 1))


def _sorted(confidences: dict[str, float]) -> Named:
    found = sorted(confidences.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple((name, round(value, 4)) for name, value in found if value >= _AT_LEAST)
