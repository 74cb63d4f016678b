"""An audible mark for previews: a soft two-note bell that comes again and again, and leaves the loop to be judged.

Its partials are those of a free bar (1 : 2.756 : 5.404, Rossing, "The Physics of Musical Instruments", 19.2), which
make no key of their own; its two notes are a tritone apart, which belongs to none. From one mark to the next there are
less than four beats (eight of a fast loop), at another place of each bar and on another side: no cut leaves a clean
bar over, and what is in the middle cannot be taken out. `seed` moves pitch and level a little, so that nobody can
subtract what they know.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generation.audio.loudness import loudness
from generation.request import SAMPLE_RATE

# Loudness of the bell by itself, against that of what it is laid over.
RELATIVE_LU = -6.0
QUIETEST_LUFS = -40.0
CEILING = 10 ** (-1 / 20)
_PARTIALS = ((1.0, 1.0, 0.30), (2.756, 0.45, 0.16), (5.404, 0.18, 0.08))  # ratio, level, seconds to 1/e
_PITCH, _TRITONE = 1318.5, 2**0.5
_NOTE_SECONDS, _SECONDS = 0.14, 0.75
# A mark every three beats, or six where those are shorter than this; moved by this share of them, in turn.
_EVERY, _SHORTEST_SECONDS = 3.0, 1.3
_MOVED = (0.12, 0.3, 0.05, 0.24, 0.18, 0.0)
_SIDES = (-0.45, 0.3, 0.45, -0.3)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mark is: its first sample, its side (-1 left to 1 right), its pitch and its level against the others."""

    start: int
    side: float
    pitch: float
    level: float


def places(samples: int, bpm: float, seed: str) -> Iterator[Place]:
    """The marks of a sound of so many samples, in order; at least one in any sound."""
    every = _EVERY * 60 * SAMPLE_RATE / bpm
    if every < _SHORTEST_SECONDS * SAMPLE_RATE:
        every *= 2
    for number in range(max(1, math.ceil(samples / every))):
        chance = hashlib.sha256(f"{seed} {number}".encode()).digest()
        start = round((number + _MOVED[number % len(_MOVED)]) * every)
        if number and start >= samples:
            return
        yield Place(
            start % samples,
            _SIDES[number % len(_SIDES)],
            _PITCH * 2 ** ((chance[0] / 255 - 0.5) / 6),
            10 ** ((chance[1] / 255 - 0.5) * 3 / 20),
        )


def bell(pitch: float = _PITCH) -> NDArray[np.float32]:
    """The mark itself, (samples,) with its largest magnitude at 1."""
    time = np.arange(round(_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    sound = np.zeros_like(time)
    for first, frequency in ((0.0, pitch), (_NOTE_SECONDS, pitch / _TRITONE)):
        since = time - first
        struck = since >= 0
        for ratio, level, decay in _PARTIALS:
            tone = np.sin(2 * np.pi * frequency * ratio * since) * np.exp(-since / decay)
            sound += np.where(struck, level * tone * np.minimum(1, since / 0.004), 0)
    sound *= np.minimum(1, (time[-1] - time) / 0.05)
    return np.asarray(sound / np.abs(sound).max(), np.float32)


def marked(audio: NDArray[np.float32], bpm: float, seed: str, *, repeats: bool) -> NDArray[np.float32]:
    """A sound (samples, 2) with the mark laid over it; where it `repeats`, a mark at its end rings on at its start."""
    overlay = np.zeros_like(audio)
    for place in places(len(audio), bpm, seed):
        sound = place.level * bell(place.pitch)
        panned = sound[:, None] * np.sqrt(np.array([1 - place.side, 1 + place.side], np.float32) / 2)
        where = np.arange(place.start, place.start + len(panned))
        if repeats:
            np.add.at(overlay, where % len(audio), panned)
        else:
            inside = where < len(audio)
            overlay[where[inside]] += panned[inside]
    # So much softer than the sound, however loud that is.
    beneath = max(loudness(audio), QUIETEST_LUFS)
    alone = loudness(np.stack([bell()] * 2, axis=1) / np.float32(math.sqrt(2)))
    mixed = audio + overlay * np.float32(10 ** ((beneath + RELATIVE_LU - alone) / 20))
    return (mixed * np.float32(min(1.0, CEILING / np.abs(mixed).max(initial=1e-9)))).astype(np.float32)
