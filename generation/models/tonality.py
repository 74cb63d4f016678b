"""Keeping a loop in the key that was asked for: predictions are leant towards its notes while they take shape.

What stands out of its neighbours in frequency is a note, or a partial of one. It is raised where the key likes it and
lowered where it does not, after the ratings of Krumhansl and Kessler (1982, "Tracing the dynamic changes in perceived
tonal organization in a spatial representation of musical keys"). Drums and noise stand out nowhere and stay what they
are.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from generation.request import Key
from generation.spectrogram import SpectrogramCodec

_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
# Bands over which a note stands out; about three semitones at 440 Hz.
_NEIGHBOURS = 15
# Below, a band is wider than a semitone; above, partials say little about the note.
_LOW_HZ, _FULL_HZ, _FALLING_HZ, _HIGH_HZ = 60, 120, 2000, 3500


def leant(level: Tensor, key: Key) -> Tensor:
    """Levels (..., bands), in any unit that grows with decibels, with what stands out of them leant towards a key."""
    reach = _NEIGHBOURS // 2
    flat = level.reshape(1, -1, level.shape[-1])
    around = torch.nn.functional.pad(flat, (reach, reach), mode="replicate")
    raised = flat - torch.nn.functional.avg_pool1d(around, _NEIGHBOURS, 1)
    return level + (_liking(key) * raised.clamp_min(0)).reshape(level.shape)


@cache
def _liking(key: Key) -> Tensor:
    """(bands,) from -1 to 1: how much a key likes each band of the codec's pictures."""
    hertz = SpectrogramCodec().centres_hz
    ratings = np.roll(_MINOR if key.minor else _MAJOR, key.tonic)
    pitch = 69 + 12 * np.log2(hertz / 440)
    below = np.floor(pitch).astype(int)
    rating = ratings[below % 12] + (pitch - below) * (ratings[(below + 1) % 12] - ratings[below % 12])
    telling = np.interp(hertz, (_LOW_HZ, _FULL_HZ, _FALLING_HZ, _HIGH_HZ), (0, 1, 1, 0))
    liking = (rating - rating.mean()) * telling
    return torch.tensor(liking / np.abs(liking).max(), dtype=torch.float32)
