"""Loops as 24-bit PCM: the form in which they are stored, hashed and compared."""

import hashlib

import numpy as np
from numpy.typing import NDArray

FULL_SCALE = 2**23 - 1


def pcm24(audio: NDArray[np.float32]) -> bytes:
    """(samples, channels) in [-1, 1] as interleaved 24-bit little-endian integers."""
    integers = np.round(np.clip(audio, -1, 1) * np.float64(FULL_SCALE)).astype("<i4")
    return integers.reshape(-1, 1).view(np.uint8)[:, :3].tobytes()


def sha256(audio: NDArray[np.float32]) -> str:
    """SHA-256 of the loop's 24-bit PCM."""
    return hashlib.sha256(pcm24(audio)).hexdigest()
