"""Loops as 24-bit PCM: the form in which they are stored, hashed and compared."""

import hashlib

import numpy as np
from numpy.typing import NDArray

FULL_SCALE = 2**23 - 1
CHANNELS, SAMPLE_BYTES = 2, 3
FRAME_BYTES = CHANNELS * SAMPLE_BYTES


def pcm24(audio: NDArray[np.float32]) -> bytes:
    """(samples, channels) in [-1, 1] as interleaved 24-bit little-endian integers."""
    integers = np.round(np.clip(audio, -1, 1) * np.float64(FULL_SCALE)).astype("<i4")
    return integers.reshape(-1, 1).view(np.uint8)[:, :3].tobytes()


def audio_of(pcm: bytes) -> NDArray[np.float32]:
    """(samples, 2) float32 of interleaved 24-bit little-endian integers: what `pcm24` took, to within a rounding."""
    # Three bytes become the upper ones of four, so that the sign is where numpy looks for it.
    padded = np.zeros((len(pcm) // SAMPLE_BYTES, 4), np.uint8)
    padded[:, 1:] = np.frombuffer(pcm, np.uint8).reshape(-1, SAMPLE_BYTES)
    return (padded.view("<i4") / np.float64(FULL_SCALE * 256)).astype(np.float32).reshape(-1, CHANNELS)


def sha256(audio: NDArray[np.float32]) -> str:
    """SHA-256 of the loop's 24-bit PCM."""
    return hashlib.sha256(pcm24(audio)).hexdigest()
