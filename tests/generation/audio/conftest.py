"""A take whose files are looked at, and where temporary files go."""

import tempfile
from pathlib import Path

import pytest

from generation.engine import Engine, Progress
from generation.request import RiffRequest, Take


@pytest.fixture(scope="session")
def made(tiny_model: Path) -> tuple[Take, list[bytes]]:
    """A take of two bars, and the previews of its denoising."""
    previews: list[bytes] = []

    def on_progress(progress: Progress) -> None:
        if progress.preview is not None:
            previews.append(progress.preview)

    asked = RiffRequest.parse(prompt="café bells", bars=2, bpm=100, key="F#m", seed=3, steps=4)
    return Engine.load(tiny_model).render(asked, on_progress).takes[0], previews


@pytest.fixture(scope="session")
def take(made: tuple[Take, list[bytes]]) -> Take:
    return made[0]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that temporary files go to, to be looked at afterwards."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder
