"""Variations that keep something: what is kept stays, by measures of its own; the rest does not."""

from pathlib import Path

import numpy as np
import pytest

from generation.arrange import perform
from generation.audio.pcm import sha256
from generation.engine import Engine
from generation.errors import InvalidRequest, NotPossible
from generation.judge import detectors
from generation.request import RiffRequest, Take
from tests.generation.arrange.sounds import noise
from tests.generation.arrange.test_repaint import Another


@pytest.fixture(scope="module")
def shipped() -> Engine:
    return Engine.load()


def kept(source: Take, keep: str, engine: Engine, prompt: str) -> Take:
    asked = RiffRequest.parse(prompt=prompt, bars=2, bpm=110, seed=51, source=sha256(source.audio), keep=keep)
    return perform(engine, asked, source.audio).takes[0]


def alike(first: Take, second: Take) -> tuple[float, float]:
    """Correlation of onsets, and of the pitch classes bar by bar."""

    def harmony(take: Take) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.concatenate([detectors.chroma(bar) for bar in np.split(take.audio.mean(1), 2)])

    onsets = [detectors.onset_strength(take.audio.mean(1)) for take in (first, second)]
    return float(np.corrcoef(*onsets)[0, 1]), float(np.corrcoef(harmony(first), harmony(second))[0, 1])


@pytest.mark.parametrize(
    ("start", "prompt"),
    [
        ("lofi piano and soft drums", "techno with acid bass"),
        ("funk bass and brass", "lofi piano and soft drums"),
    ],
)
def test_what_is_kept_stays_and_the_rest_changes(shipped: Engine, start: str, prompt: str) -> None:
    source = shipped.render(RiffRequest.parse(prompt=start, bars=2, bpm=110, seed=1)).takes[0]
    free = shipped.render(RiffRequest.parse(prompt=prompt, bars=2, bpm=110, seed=51)).takes[0]
    groove, harmony = (kept(source, keep, shipped, prompt) for keep in ("groove", "harmony"))
    (free_onsets, free_chroma), groove_alike, harmony_alike = (
        alike(source, take) for take in (free, groove, harmony)
    )
    assert groove_alike[0] > max(0.7, free_onsets + 0.25)
    assert harmony_alike[1] > max(0.5, free_chroma + 0.25)
    assert groove_alike[1] < harmony_alike[1] - 0.2
    assert harmony_alike[0] < groove_alike[0] - 0.2
    for take in (groove, harmony):
        assert np.abs(take.image.astype(float) - source.image).mean() > 15


def test_what_is_kept_needs_its_own_length_and_our_model(tiny_model: Path) -> None:
    engine, source = Engine.load(tiny_model), noise(50_000)
    asked = RiffRequest.parse(prompt="rain", bars=1, bpm=120, seed=1, source=sha256(source), keep="groove")
    with pytest.raises(InvalidRequest, match=r"1 bars at 120 bpm in 4/4 last 2\.000 s"):
        perform(engine, asked, source)
    whole = noise(88_200)
    asked = RiffRequest.parse(prompt="rain", bars=1, bpm=120, seed=1, source=sha256(whole), keep="groove")
    with pytest.raises(NotPossible, match="another@0 cannot keep the groove of a loop"):
        perform(Another(engine, frozenset()), asked, whole)
    first, again = (perform(engine, asked, whole).takes[0] for _ in range(2))
    assert first.recipe == again.recipe
