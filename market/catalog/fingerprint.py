"""How a loop sounds, as a few hundred bits that survive encoders, levels and where the loop was cut (Chromaprint).

Chromaprint (Jang et al., 2009, "Pairwise boosted audio fingerprint") describes each eighth of a second by 32 bits. Two
sounds are alike by the share of bits that agree at the best offset; which sounds to compare is told by sub-prints.
"""

import math
import wave
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from generation.audio import ffmpeg
from generation.request import SAMPLE_RATE

Print = NDArray[np.uint32]

# Chromaprint gives nothing for two seconds, and a loop's own turns say where it was cut as little as it should.
# Twice at least, so that two cuts of one loop lie over each other for a whole turn.
_SHORTEST, _LONGEST, _TURNS = 12, 120, 2
# Fewer eighths of a second than this that lie over each other say nothing.
_LEAST_OVERLAP = 48
SUBPRINTS = 16
# Of 32 bits the lowest change first when a sound is encoded again.
_STABLE = np.uint32(0xFFFFF000)
_MIX = np.uint64(0x9E3779B97F4A7C15)


def fingerprint(audio: NDArray[np.float32]) -> Print:
    """The prints of (samples, 2) at 44.1 kHz, repeated to 12 s or more, of its first two minutes.

    Raises ffmpeg.FfmpegFailed.
    """
    turns = max(_TURNS, math.ceil(_SHORTEST * SAMPLE_RATE / len(audio)))
    sound = np.tile(audio, (turns, 1))[: _LONGEST * SAMPLE_RATE]
    with ffmpeg.workplace() as work:
        heard, prints = work / "sound.wav", work / "prints"
        with wave.open(str(heard), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(np.round(np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
        arguments = [
            *ffmpeg.read_from(heard, "wav"),
            "-fp_format",
            "raw",
            *ffmpeg.write_to(prints, "chromaprint"),
        ]
        ffmpeg.run(arguments, seconds=60, largest=1 << 20, work=work)
        return np.frombuffer(prints.read_bytes(), "<u4").astype(np.uint32)


def similarity(one: Print, other: Print) -> float:
    """The largest share of bits that agree, 0 to 1, of all offsets at which enough of both lies over each other.

    Two sounds that have nothing to do with each other reach some 0.6.
    """
    if len(one) > len(other):
        one, other = other, one
    least = min(_LEAST_OVERLAP, len(one))
    if not least:
        return 0.0
    best = 0.0
    for offset in range(least - len(one), len(other) - least + 1):
        here = one[max(0, -offset) : len(other) - offset]
        there = other[max(0, offset) : max(0, offset) + len(here)]
        apart = int(np.bitwise_count(here ^ there).sum())
        best = max(best, 1 - apart / (32 * len(here)))
    return best


def subprints(prints: Print) -> Sequence[int]:
    """The few prints by which a sound is found again: those that a fixed shuffle puts first (a bottom-k sketch).

    Two sounds that share most of their prints share most of these, whatever their length (Broder, 1997).
    """
    stable = np.unique(prints & _STABLE).astype(np.uint64)
    mixed = (stable * _MIX) >> np.uint64(16)
    return [int(value) for value in np.sort(mixed)[:SUBPRINTS]]


def packed(prints: Print) -> bytes:
    """As a row keeps it."""
    return prints.astype("<u4").tobytes()


def unpacked(stored: bytes) -> Print:
    """What `packed` took."""
    return np.frombuffer(stored, "<u4").astype(np.uint32)
