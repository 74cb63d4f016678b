"""The weights that the repository ships: there, whole, small enough, and seamless in what they play."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from generation.audio.export import wav
from generation.engine import Engine
from generation.models.shipped import SHIPPED
from generation.request import RiffRequest, Take

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bells() -> Take:
    return Engine.load().render(RiffRequest.parse(prompt="church bells", bars=2, bpm=100, seed=3)).takes[0]


def test_the_weights_are_small_enough() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.rglob("*") if file.is_file()) <= 24 * 2**20


def test_the_tracked_tree_is_small_enough() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    files = [ROOT / name.decode() for name in listed.split(b"\0") if name]
    assert sum(file.stat().st_size for file in files if file.is_file()) < 48 * 2**20


def test_the_same_request_gives_the_same_file(bells: Take, tmp_path: Path) -> None:
    again = Engine.load().render(RiffRequest.parse(prompt="church bells", bars=2, bpm=100, seed=3)).takes[0]
    assert wav(again) == wav(bells)
    (tmp_path / "loop.wav").write_bytes(wav(bells))
    assert soundfile.info(tmp_path / "loop.wav").frames == 2 * 4 * 60 * 44_100 // 100


def test_the_join_is_no_rougher_than_the_rest(bells: Take) -> None:
    """Second differences across the join against the loudest hundredth of those inside."""
    bend = np.abs(np.diff(np.concatenate([bells.audio[-3:], bells.audio[:3]]), 2, axis=0)).max()
    inside = np.abs(np.diff(bells.audio, 2, axis=0)).max(1)
    assert bend <= np.quantile(inside, 0.99)


def test_a_riff_is_not_silent(bells: Take) -> None:
    frames = bells.audio[: len(bells.audio) // 2048 * 2048].reshape(-1, 2048, 2)
    levels = 10 * np.log10((frames**2).mean((1, 2)) + 1e-12)
    assert (levels < -60).mean() < 0.01
