"""A look-ahead limiter for sound of any length, a piece at a time: true peaks stay below a ceiling."""

import math

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from generation.request import SAMPLE_RATE

# Gains are reckoned at the edges of blocks of so many samples, and go in straight lines between them.
_BLOCK = 32
_AHEAD = 6
_RELEASE = math.exp(-_BLOCK / (0.12 * SAMPLE_RATE))
_OVERSAMPLING = 4
# What the filter that looks between the samples needs to know on either side.
_MARGIN = 32


class Limiter:
    """Turns down what would exceed `ceiling` (1 is full scale) from 4 ms before it on, and comes back in 0.12 s.

    `push` gives back as much of the sound as is certain by then, `finish` the rest. What comes out is as long as what
    went in, and the same in whatever pieces it came. Of more than two channels the first two are listened to, and all
    are turned down alike.
    """

    def __init__(self, ceiling: float, channels: int = 2) -> None:
        self._ceiling = ceiling
        self._sound = np.zeros((_MARGIN, channels), np.float32)
        self._block_before = 1.0
        self._gains_before: NDArray[np.float64] | None = None

    def push(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take (n, channels) more and give (m, channels) back."""
        self._sound = np.concatenate([self._sound, audio])
        blocks = (len(self._sound) - 2 * _MARGIN) // _BLOCK - _AHEAD - 1
        return self._next(blocks) if blocks > 0 else self._sound[:0]

    def finish(self) -> NDArray[np.float32]:
        """Give back what is left after the last piece."""
        left = len(self._sound) - _MARGIN
        blocks = math.ceil(left / _BLOCK)
        silence = (blocks + _AHEAD + 1) * _BLOCK - left + _MARGIN
        self._sound = np.pad(self._sound, ((0, silence), (0, 0)))
        return self._next(blocks)[:left]

    def _next(self, blocks: int) -> NDArray[np.float32]:
        """The next so many blocks; `_AHEAD` + 1 more and the margin are known."""
        allowed = np.minimum(1.0, self._ceiling / _peaks(self._sound, blocks + _AHEAD + 1))
        # An edge holds for the block before and the one after it, and `_AHEAD` edges before it lead there.
        edges = np.minimum(np.concatenate([[self._block_before], allowed[:-1]]), allowed)
        lowest = np.lib.stride_tricks.sliding_window_view(edges, _AHEAD + 1).min(1)
        # A sound that begins loud is turned down from its beginning on.
        before = np.full(_AHEAD, lowest[0]) if self._gains_before is None else self._gains_before
        gains, gain = np.concatenate([before, np.empty(len(lowest))]), float(before[-1])
        for index, limit in enumerate(lowest.tolist(), _AHEAD):
            gain = min(limit, 1 - (1 - gain) * _RELEASE)
            gains[index] = gain
        smooth = np.lib.stride_tricks.sliding_window_view(gains, _AHEAD + 1).mean(1)
        curve = smooth[:-1, None] + np.diff(smooth)[:, None] * (np.arange(_BLOCK) / _BLOCK)
        end = _MARGIN + blocks * _BLOCK
        limited = self._sound[_MARGIN:end] * curve.reshape(-1, 1).astype(np.float32)
        self._sound = self._sound[end - _MARGIN :]
        self._block_before, self._gains_before = float(allowed[blocks - 1]), gains[blocks : blocks + _AHEAD]
        return np.asarray(limited, np.float32)


def limit_loop(loop: NDArray[np.float32], ceiling: float) -> NDArray[np.float32]:
    """A loop, (samples, channels), through a limiter as it sounds when it repeats; channels as in Limiter."""
    if float(np.abs(loop[:, :2]).max()) < 0.7 * ceiling:
        return loop
    before, after = np.arange(-SAMPLE_RATE // 2, 0), np.arange(SAMPLE_RATE // 20)
    repeated = [np.take(loop, place, axis=0, mode="wrap") for place in (before, after)]
    limiter = Limiter(ceiling, loop.shape[1])
    sound = np.concatenate([limiter.push(np.concatenate([repeated[0], loop, repeated[1]])), limiter.finish()])
    return sound[len(before) : len(before) + len(loop)]


def _peaks(sound: NDArray[np.float32], blocks: int) -> NDArray[np.float64]:
    """The largest magnitude, at and between samples, in each of so many blocks after the margin."""
    sound = sound[: 2 * _MARGIN + blocks * _BLOCK, :2]
    between = np.abs(scipy.signal.resample_poly(sound, _OVERSAMPLING, 1, axis=0)).max(1)
    inner = between[_MARGIN * _OVERSAMPLING :][: blocks * _BLOCK * _OVERSAMPLING]
    return np.asarray(np.maximum(inner.reshape(blocks, -1).max(1), 1e-9), np.float64)
