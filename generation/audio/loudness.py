"""Loudness of loops (ITU-R BS.1770-4): -14 LUFS, what streaming platforms play at, and no true peak above -1 dBTP."""

import math
from functools import cache

import numpy as np
import pyloudnorm
import scipy.signal
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from generation.request import SAMPLE_RATE

TARGET_LUFS = -14.0
CEILING_DBTP = -1.0
_MEASURED_SECONDS = 4
_OVERSAMPLING, _TAPS, _BLOCK = 4, 24, 64
# Between the four points for each sample a peak may stand this much higher; a finer meter should not object.
_BETWEEN_POINTS_DB = 0.1


def loudness(audio: NDArray[np.float32]) -> float:
    """Integrated loudness in LUFS of a loop as it sounds when it repeats; -inf for silence."""
    repeats = math.ceil(_MEASURED_SECONDS * SAMPLE_RATE / len(audio))
    return float(pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(np.tile(audio, (repeats, 1))))


def true_peak(audio: NDArray[np.float32]) -> float:
    """Largest magnitude of a loop (samples, channels) between its samples too, round its seam as well; 1 is 0 dBTP.

    BS.1770-4, annex 2: four times oversampled, with a longer filter than the one given there. Only stretches near
    samples so large that something between them can exceed the largest sample are looked at, which finds the same.
    """
    kernel, gain = _between_samples()
    highest = float(np.abs(audio).max())
    blocks = -(-len(audio) // _BLOCK)
    around = np.arange(-_TAPS, blocks * _BLOCK + _TAPS) % len(audio)
    for channel in audio.T:
        circle = np.ascontiguousarray(channel)[around]
        loudest = np.abs(circle[_TAPS:-_TAPS]).reshape(blocks, _BLOCK).max(1)
        nearby = np.maximum(loudest, np.maximum(np.roll(loudest, 1), np.roll(loudest, -1)))
        chosen = np.flatnonzero(nearby * gain >= highest)
        stretches = sliding_window_view(circle, _BLOCK + _TAPS)[::_BLOCK][chosen]
        between = sliding_window_view(stretches, _TAPS, axis=1).reshape(-1, _TAPS) @ kernel
        highest = max(highest, float(np.abs(between).max(initial=0.0)))
    return highest


def gain_to_target(audio: NDArray[np.float32]) -> float:
    """What to multiply a loop with to bring it to -14 LUFS, or as near as its true peak allows; 1 for silence."""
    measured = loudness(audio)
    if math.isinf(measured):
        return 1.0
    ceiling = 10 ** ((CEILING_DBTP - _BETWEEN_POINTS_DB) / 20)
    return min(10 ** ((TARGET_LUFS - measured) / 20), ceiling / true_peak(audio))


def to_target_loudness(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """The loop times `gain_to_target`: its shape is not touched."""
    return (audio * np.float32(gain_to_target(audio))).astype(np.float32)


@cache
def _between_samples() -> tuple[NDArray[np.float32], float]:
    """(taps, 3) weights that give the three points after a sample, and the most that they can make of samples of 1."""
    low_pass = scipy.signal.firwin(
        _OVERSAMPLING * _TAPS + 1, 1 / _OVERSAMPLING, window=("kaiser", 8.0), scale=True
    )
    phases = [low_pass[point : point + _OVERSAMPLING * _TAPS : _OVERSAMPLING] for point in (1, 2, 3)]
    kernel = np.stack(phases, axis=1)[::-1] * _OVERSAMPLING
    return kernel.astype(np.float32), float(np.abs(kernel).sum(0).max())
