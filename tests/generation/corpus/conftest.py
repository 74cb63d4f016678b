import pytest

from generation.corpus.renderer import Renderer
from generation.corpus.soundfonts import FLUID_R3, SynthesizerUnavailable, find_soundfont


@pytest.fixture(scope="session")
def renderer() -> Renderer:
    """One soundfont of the two is enough for the tests: the other's first use takes seven seconds."""
    try:
        return Renderer(find_soundfont(FLUID_R3))
    except SynthesizerUnavailable as absent:
        pytest.skip(str(absent))
