"""Loudness of loops: -14 LUFS (ITU-R BS.1770-4), what streaming platforms play at, with the peak kept below -1 dBFS."""

import math

import numpy as np
import pyloudnorm
from numpy.typing import NDArray

from generation.request import SAMPLE_RATE

TARGET_LUFS = -14.0
PEAK = 10 ** (-1 / 20)
_MEASURED_SECONDS = 4


def loudness(audio: NDArray[np.float32]) -> float:
    """Integrated loudness in LUFS of a loop as it sounds when it repeats; -inf for silence."""
    repeats = math.ceil(_MEASURED_SECONDS * SAMPLE_RATE / len(audio))
    return float(pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(np.tile(audio, (repeats, 1))))


def to_target_loudness(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """The loop at -14 LUFS, or as near as its peak allows without touching its shape; silence stays silent."""
    peak = float(np.abs(audio).max())
    measured = loudness(audio)
    if peak == 0 or math.isinf(measured):
        return audio
    gain = min(10 ** ((TARGET_LUFS - measured) / 20), PEAK / peak)
    return (audio * np.float32(gain)).astype(np.float32)
