"""A sound that somebody brings, imagined anew."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from generation.arrange import perform
from generation.arrange.grid import find_grid, fit
from generation.audio.pcm import sha256
from generation.engine import Engine
from generation.errors import Cancelled
from generation.judge.detectors import onset_strength
from generation.request import Riff, RiffRequest
from tests.generation.arrange.test_grid import clip, rendered

Sound = NDArray[np.float32]
SEED = 1_500_174


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> Engine:
    return Engine.load(tiny_model)


@pytest.fixture(scope="module")
def source() -> Sound:
    return clip(rendered(SEED)[1], 31_000, 6.0)


def remixed(engine: Engine, source: Sound, **values: object) -> Riff:
    given = {"prompt": "church bells", "seed": 7, "bars": 2, "bpm": 128, "source": sha256(source), **values}
    return perform(engine, RiffRequest.parse(**given), source)


def test_a_remix_is_as_long_as_asked_and_names_its_source(tiny: Engine, source: Sound) -> None:
    for values in ({}, {"bpm": 100.7}, {"bars": 5}, {"metre": "3/4"}):
        riff = remixed(tiny, source, **values)
        assert riff.takes[0].audio.shape == (riff.request.samples, 2)
        assert riff.takes[0].recipe["source"] == {"sha256": sha256(source)}
        assert riff.takes[0].recipe["request"]["source"] == sha256(source)


def test_the_same_remix_gives_the_same_bytes(tiny: Engine, source: Sound) -> None:
    first, second = (remixed(tiny, source, takes=2).takes for _ in range(2))
    assert [take.recipe for take in first] == [take.recipe for take in second]
    assert first[0].recipe["sha256"] != first[1].recipe["sha256"]


def test_a_sound_of_the_right_length_is_taken_as_it_is(tiny: Engine, source: Sound) -> None:
    asked = RiffRequest.parse(
        prompt="church bells", seed=7, bars=2, bpm=128, source=sha256(source), strength=0.05
    )
    fitted = fit(source, find_grid(source), asked)
    whole = remixed(tiny, source, strength=0.05).takes[0].recipe["sha256"]
    assert remixed(tiny, fitted, strength=0.05).takes[0].recipe["sha256"] == whole
    assert remixed(tiny, np.roll(fitted, 3000, 0), strength=0.05).takes[0].recipe["sha256"] != whole


def test_a_sound_without_a_beat_is_remixed(tiny: Engine) -> None:
    noise = np.random.default_rng(0).normal(size=(30_000, 2)).astype(np.float32) * 0.1
    riff = remixed(tiny, noise)
    assert len(riff.takes[0].audio) == riff.request.samples


def test_a_remix_can_be_cancelled(tiny: Engine, source: Sound) -> None:
    request = RiffRequest.parse(prompt="bells", seed=1, source=sha256(source))
    with pytest.raises(Cancelled):
        perform(tiny, request, source, cancelled=lambda: True)


def test_strength_decides_how_much_of_the_source_is_heard(source: Sound) -> None:
    """With the shipped model: a weak remix keeps the beat, and strengths are steps apart from each other."""
    engine = Engine.load()
    asked = RiffRequest.parse(prompt="church bells", seed=7, bars=2, bpm=128)
    fitted = fit(source, find_grid(source), asked)
    heard = engine.codec.encode(fitted, asked.sixteenths).level.astype(np.float64)
    decibels = 80 / 255
    strengths = (0.3, 0.5, 0.8)
    takes = {strength: remixed(engine, source, strength=strength).takes[0] for strength in strengths}
    pictures = [takes[strength].image.astype(np.float64) for strength in strengths]
    apart = [decibels * float(np.abs(picture - heard).mean()) for picture in pictures]
    assert apart == sorted(apart)
    assert apart[0] < 6
    assert apart[-1] > 9
    weak, middle, strong = pictures
    assert decibels * np.abs(weak - middle).mean() > 1.5
    assert decibels * np.abs(middle - strong).mean() > 3

    def beat(audio: Sound) -> float:
        """Correlation of the onsets with the source's."""
        return float(np.corrcoef(onset_strength(fitted.mean(1)), onset_strength(audio.mean(1)))[0, 1])

    fresh = beat(engine.render(asked).takes[0].audio)
    assert beat(takes[0.3].audio) > max(0.7, fresh + 0.15)
