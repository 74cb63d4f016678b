from itertools import pairwise

import numpy as np
import pytest
import scipy.signal
from numpy.typing import NDArray

from generation.audio.limiter import Limiter, limit_loop
from generation.audio.loudness import true_peak

Audio = NDArray[np.float32]

CEILING = 10 ** (-1.2 / 20)


def bursts(seconds: float, loudest: float, seed: int = 1) -> Audio:
    """Noise below 16 kHz whose level jumps twenty times a second: (samples, 2)."""
    random = np.random.default_rng(seed)
    noise = random.standard_normal((round(seconds * 44_100), 2))
    noise = scipy.signal.sosfilt(scipy.signal.butter(8, 16_000, fs=44_100, output="sos"), noise, axis=0)
    levels = np.repeat(random.uniform(0.02, 1, len(noise) // 2205 + 1), 2205)[: len(noise)]
    noise *= levels[:, None]
    return (noise * (loudest / np.abs(noise).max())).astype(np.float32)


def limited(audio: Audio, pieces: list[int]) -> Audio:
    limiter = Limiter(CEILING, audio.shape[1])
    ends = np.cumsum([0, *pieces, len(audio)])
    given = [limiter.push(audio[start:end]) for start, end in pairwise(ends)]
    return np.concatenate([*given, limiter.finish()])


def test_no_peak_is_left_above_the_ceiling() -> None:
    loud = bursts(3, 3.0)
    quieter = limited(loud, [])
    assert quieter.shape == loud.shape
    # A meter for loops looks round the seam, which this sound has not got.
    assert 20 * np.log10(true_peak(np.pad(quieter, ((0, 4410), (0, 0))))) <= -1
    # It is turned down, not cut off: every sample keeps its sign and the shape around it.
    gain = quieter[np.abs(loud) > 0.01] / loud[np.abs(loud) > 0.01]
    assert 0.2 < gain.min() < gain.max() <= 1
    assert np.abs(quieter).max() > 0.8 * CEILING


@pytest.mark.parametrize("pieces", [[1], [40_000, 3, 31, 32, 33, 50_000], [0, 88_200]])
def test_pieces_make_no_difference(pieces: list[int]) -> None:
    loud = bursts(3, 2.0)
    assert (limited(loud, pieces) == limited(loud, [])).all()


def test_what_is_quiet_stays_as_it_is() -> None:
    quiet = bursts(1, 0.5)
    assert (limited(quiet, [100]) == quiet).all()
    assert limit_loop(quiet, CEILING) is quiet
    for samples in (0, 1, 100):
        assert (limited(quiet[:samples], []) == quiet[:samples]).all()


def test_further_channels_are_turned_down_alike() -> None:
    loud = bursts(1, 2.0)
    parts = bursts(1, 0.4, seed=2)
    together = limited(np.concatenate([loud, parts, loud - parts], axis=1), [])
    assert np.abs(together[:, :2] - together[:, 2:4] - together[:, 4:]).max() < 1e-6
    assert not (together[:, 2:4] == parts).all()


def test_a_loop_goes_round() -> None:
    """A loud start is prepared for at the end, so that the loop has no step where it repeats."""
    loop = bursts(2, 0.5)
    loop[:4000] *= 4
    turned = np.roll(loop, 44_100, axis=0)
    assert (
        np.abs(np.roll(limit_loop(loop, CEILING), 44_100, axis=0) - limit_loop(turned, CEILING)).max() < 0.02
    )
    assert np.abs(limit_loop(loop, CEILING)[-100:]).max() < np.abs(loop[-100:]).max()
