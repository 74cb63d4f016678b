"""What the ear's network looks at: a loop's level in 128 bands, 43 times a second, whatever its tempo.

Frames go round the end, as the loop does. Levels are counted down from the loudest band, so that a quiet copy of a
loop looks like the loop.
"""

from functools import cache

import numpy as np
import scipy.fft
import scipy.signal
import scipy.sparse
from numpy.typing import NDArray

from generation.errors import UnreadableAudio
from generation.request import SAMPLE_RATE

BANDS = 128
HOP = 1024
FRAMES_PER_SECOND = SAMPLE_RATE / HOP
DYNAMIC_RANGE_DB = 80.0
SHORTEST_SECONDS = 0.5

_WINDOW = 4096
_LOW_HZ, _HIGH_HZ = 30.0, 16_000.0
_FRAMES_AT_ONCE = 512
# Below 16 bits' last step (-90 dB) there is nothing that anybody meant to be heard.
_SILENCE = 3e-5

Audio = NDArray[np.float32]
Picture = NDArray[np.float32]


def powers(audio: Audio) -> Picture:
    """(frames, 128) mean power of both channels in each band; `audio` is (samples, 2) at 44.1 kHz.

    Raises UnreadableAudio for what is shorter than half a second, silent, or not a number.
    """
    check(audio)
    frames = round(len(audio) / HOP)
    starts = np.round(np.arange(frames) * (len(audio) / frames)).astype(np.int64)
    window = scipy.signal.windows.hann(_WINDOW, sym=False).astype(np.float32)
    total = np.zeros((frames, BANDS), np.float32)
    for side in audio.T:
        circle = np.concatenate([side, side[:_WINDOW]]).astype(np.float32)
        views = np.lib.stride_tricks.sliding_window_view(circle, _WINDOW)
        for first in range(0, frames, _FRAMES_AT_ONCE):
            spectra = scipy.fft.rfft(views[starts[first : first + _FRAMES_AT_ONCE]] * window)
            power = spectra.real**2 + spectra.imag**2
            total[first : first + _FRAMES_AT_ONCE] += (_filters() @ power.T).T
    return np.asarray(total / 2, np.float32)


def picture(audio: Audio) -> Picture:
    """(frames, 128) level from 0 (80 dB below the loudest cell, or less) to 1. Raises as `powers` does."""
    return level(powers(audio))


def level(power: Picture) -> Picture:
    """Powers as levels from 0 to 1."""
    decibels = 10 * np.log10(power + np.float32(1e-20))
    return np.asarray(
        np.clip((decibels - decibels.max()) / np.float32(DYNAMIC_RANGE_DB) + 1, 0, 1), np.float32
    )


def check(audio: Audio) -> None:
    """Raises UnreadableAudio, in a sentence, for audio in which nothing can be heard."""
    if audio.ndim != 2 or audio.shape[1] != 2:
        raise UnreadableAudio(f"This is no stereo sound: its shape is {audio.shape}, not (samples, 2).")
    if len(audio) < SHORTEST_SECONDS * SAMPLE_RATE:
        raise UnreadableAudio(
            f"{len(audio) / SAMPLE_RATE:.2f} seconds are too short to hear anything in:"
            f" {SHORTEST_SECONDS} seconds is the least."
        )
    if not np.isfinite(audio).all():
        raise UnreadableAudio("This sound is damaged: some of its samples are not numbers.")
    if float(np.abs(audio).max()) < _SILENCE:
        raise UnreadableAudio("There is only silence in this sound.")


def centres_hz() -> NDArray[np.float64]:
    """Centre frequency of each band."""
    return _edges()[1:-1]


@cache
def _filters() -> scipy.sparse.csr_array:
    """(bands, bins) triangles on the ERB scale, at least a bin wide, each summing to 1."""
    edges, bin_hz = _edges(), SAMPLE_RATE / _WINDOW
    frequency = np.arange(_WINDOW // 2 + 1) * bin_hz
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    width = np.maximum(np.maximum(high - centre, centre - low), bin_hz)
    left, right = np.minimum(low, centre - width), np.maximum(high, centre + width)
    weights = np.maximum(
        0, np.minimum((frequency - left) / (centre - left), (right - frequency) / (right - centre))
    )
    return scipy.sparse.csr_array((weights / weights.sum(1, keepdims=True)).astype(np.float32))


@cache
def _edges() -> NDArray[np.float64]:
    """ERB-rate scale of Glasberg and Moore (1990)."""
    low, high = (21.4 * np.log10(1 + 0.00437 * hertz) for hertz in (_LOW_HZ, _HIGH_HZ))
    return np.asarray((10 ** (np.linspace(low, high, BANDS + 2) / 21.4) - 1) / 0.00437)
