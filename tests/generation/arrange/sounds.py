"""Sounds to start from, made here."""

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]


def noise(samples: int, peak: float = 0.5, seed: int = 0) -> Audio:
    """(samples, 2) of noise whose largest magnitude is `peak`, as 24-bit PCM has it."""
    audio = np.random.default_rng(seed).standard_normal((samples, 2))
    return np.asarray(np.round(audio * (peak / np.abs(audio).max()) * (2**23 - 1)) / (2**23 - 1), np.float32)
