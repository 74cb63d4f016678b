"""Extend: the old bars stay to the sample, the new ones continue them, the whole is a loop."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from generation.arrange import perform
from generation.audio.pcm import pcm24, sha256
from generation.engine import Engine
from generation.errors import InvalidRequest
from generation.judge import measures
from generation.models.pipeline import harmony
from generation.request import METRES, RiffRequest
from tests.generation.arrange.sounds import Audio, noise


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Engine:
    return Engine.load(tiny_model)


def asked(source: Audio, bars: int, added: int, side: str = "after", **values: object) -> RiffRequest:
    return RiffRequest.parse(
        **{"prompt": "church bells", "seed": 3, "steps": 1, "bpm": 200, **values},
        bars=bars,
        source=sha256(source),
        arrangement={"kind": "extend", "bars": added, "side": side},
    )


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_every_old_sample_stays(engine: Engine, data: st.DataObject) -> None:
    bars = data.draw(st.integers(2, 3))
    added = data.draw(st.integers(1, bars - 1))
    metre, bpm = data.draw(st.sampled_from(list(METRES))), data.draw(st.floats(160, 240))
    side = data.draw(st.sampled_from(["after", "before"]))
    plain = RiffRequest.parse(prompt="rain", bars=bars - added, bpm=bpm, metre=metre, seed=1)
    source = noise(plain.samples)
    request = asked(source, bars, added, side, bpm=bpm, metre=metre)
    audio = perform(engine, request, source).takes[0].audio
    assert len(audio) == request.samples
    kept, new = audio[: len(source)], audio[len(source) :]
    if side == "before":
        new, kept = audio[: -len(source)], audio[-len(source) :]
    assert pcm24(kept) == pcm24(source)
    assert np.abs(new).max() > 0.01
    assert np.abs(new[: len(new) // 2] - np.resize(source, new.shape)[: len(new) // 2]).max() > 0.01


def test_another_length_is_refused(engine: Engine) -> None:
    source = noise(50_000)
    with pytest.raises(InvalidRequest, match=r"but 1 bars at 200 bpm in 4/4 last 1\.200 s"):
        perform(engine, asked(source, 2, 1), source)


def test_new_bars_continue_the_old_ones_and_close_the_loop() -> None:
    """Their harmony is nearer to the old bars' than that of the same seed without them, at a seam as good."""
    engine = Engine.load()
    plain = RiffRequest.parse(prompt="rock guitar and drums", bars=2, bpm=124, seed=1)
    source = engine.render(plain).takes[0]
    request = asked(source.audio, 4, 2, steps=8, bpm=124, seed=101, prompt=plain.prompt)
    take = perform(engine, request, source.audio).takes[0]
    apart = engine.render(RiffRequest.parse(prompt=plain.prompt, bars=2, bpm=124, seed=101)).takes[0]

    def profile(level: NDArray[np.uint8]) -> NDArray[np.float32]:
        return harmony(torch.from_numpy(level.astype(np.float32)), len(level))[0].numpy()

    old = profile(source.image)
    continued = np.corrcoef(old, profile(take.image[len(source.image) :]))[0, 1]
    assert continued > np.corrcoef(old, profile(apart.image))[0, 1] + 0.1
    mono = take.audio.mean(1)
    edge = len(source.audio)
    for border in (0, edge):
        assert measures.seam_step(np.roll(mono, -border)) < 1
        assert measures.seam_flux(np.roll(mono, -border), 4) < 1.5
