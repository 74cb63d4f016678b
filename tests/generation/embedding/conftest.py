from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from generation.corpus.renderer import Renderer
from generation.corpus.score import Score
from generation.corpus.soundfonts import FLUID_R3, SynthesizerUnavailable, find_soundfont

Play = Callable[[Score], NDArray[np.float32]]


@pytest.fixture(scope="session")
def play() -> Play:
    """Plays a score with the soundfont that every machine of ours has, and our own synthesisers."""
    try:
        renderer = Renderer(find_soundfont(FLUID_R3))
    except SynthesizerUnavailable as absent:
        pytest.skip(str(absent))
    return lambda score: np.sum(list(renderer.render(score).values()), axis=0, dtype=np.float32)
