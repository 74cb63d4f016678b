"""The room that our own sounds stand in: a place between the loudspeakers and a reverb, wrapped round the loop."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import oaconvolve

from generation.corpus.synth.signal import Stereo, filtered, lay, seconds
from generation.request import SAMPLE_RATE

_EARLY = 9
# The reverb's level where a part's is 1.
_WET = 0.55


def placed(audio: NDArray[np.float32], pan: float) -> Stereo:
    """A sound (samples,) or (samples, 2) at `pan` from -1 (left) to 1, with equal power."""
    stereo = np.repeat(audio[:, None], 2, axis=1) if audio.ndim == 1 else audio
    side = (pan + 1) * np.pi / 4
    return np.asarray(stereo * np.array([np.cos(side), np.sin(side)], np.float32) * np.sqrt(2), np.float32)


def with_room(audio: Stereo, amount: float, random: Generator) -> Stereo:
    """A loop with a seeded room around it: early reflections and decaying noise, 0.25 to 2.2 s long."""
    answer = _answer(random)
    if amount <= 0:
        return audio
    wet = np.zeros_like(audio)
    lay(wet, 0, np.asarray(oaconvolve(audio, answer, axes=0), np.float32))
    return np.asarray(audio + np.float32(amount * _WET) * wet, np.float32)


def _answer(random: Generator) -> Stereo:
    length = float(np.exp(random.uniform(np.log(0.25), np.log(2.2))))
    time = seconds(int(length * SAMPLE_RATE))[:, None]
    noise = random.standard_normal((2, len(time), 2), dtype=np.float32)
    # Walls swallow high notes first.
    dark = filtered(noise[0] * np.exp(-6.9 * time / length), "lowpass", random.uniform(1800, 4500), 1)
    bright = filtered(noise[1] * np.exp(-6.9 * time / (0.45 * length)), "highpass", 2500.0, 1)
    late = (dark + np.float32(0.6) * bright) * np.minimum(time / 0.02, 1)
    answer = filtered(late / np.sqrt(np.sum(late**2) / 2), "highpass", 160.0)
    answer *= np.minimum(1, (length - time) / (0.1 * length))
    reach = min(0.06, 0.4 * length)
    for side in range(2):
        places = (random.uniform(0.004, reach, _EARLY) * SAMPLE_RATE).astype(int)
        strength = random.choice([-1.0, 1.0], _EARLY) * 0.28 * np.exp(-places / (reach * SAMPLE_RATE))
        np.add.at(answer[:, side], places, strength.astype(np.float32))
    return np.asarray(answer, np.float32)
