import pytest

from generation.corpus.renderer import Renderer, SynthesizerUnavailable


@pytest.fixture(scope="session")
def renderer() -> Renderer:
    try:
        return Renderer()
    except SynthesizerUnavailable as absent:
        pytest.skip(str(absent))
