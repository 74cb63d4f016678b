"""From one sound into another without a dip or a bump, however alike the two are."""

import math

import numpy as np
from numpy.typing import NDArray


def crossfaded(old: NDArray[np.float32], new: NDArray[np.float32]) -> NDArray[np.float32]:
    """`old` fading into `new`, both (n, channels), their power staying even.

    Gains of equal power are divided by what the correlation of the two adds (Fink, Holters and Zölzer, 2016,
    "Signal-Matched Power-Complementary Cross-Fading and Dry-Wet Mixing").
    """
    energy = math.sqrt(float(np.square(old).sum()) * float(np.square(new).sum()))
    alike = min(max(float((old * new).sum()) / energy, 0.0), 1.0) if energy else 0.0
    turn = (np.arange(len(old)) + 0.5)[:, None] / len(old) * (math.pi / 2)
    power = np.sqrt(1 + alike * np.sin(2 * turn))
    return np.asarray((np.cos(turn) * old + np.sin(turn) * new) / power, np.float32)
