"""Repaint: what is not asked for stays to the sample, what is asked for fits in."""

from pathlib import Path

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from generation.arrange import perform
from generation.arrange.repaint import bar_edges, spliced
from generation.audio.pcm import pcm24, sha256
from generation.engine import Engine, Progress
from generation.errors import InvalidRequest, NotPossible, SourceMissing
from generation.judge import measures
from generation.request import METRES, SAMPLE_RATE, Riff, RiffRequest
from tests.generation.arrange.sounds import Audio, noise

_PEAK = 10 ** (-1 / 20)


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Engine:
    return Engine.load(tiny_model)


@pytest.fixture(scope="module")
def shipped() -> Engine:
    return Engine.load()


def asked(source: Audio, **values: object) -> RiffRequest:
    arrangement = {
        "kind": "repaint",
        **{name: values.pop(name) for name in ("low_hz", "high_hz") if name in values},
    }
    arrangement["bars"] = values.pop("stretch", "")
    plain = {"prompt": "church bells", "bars": 2, "seed": 3, "steps": 1, "bpm": 200}
    return RiffRequest.parse(**{**plain, **values}, source=sha256(source), arrangement=arrangement)


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_every_sample_outside_stays(engine: Engine, data: st.DataObject) -> None:
    bars = data.draw(st.integers(2, 3))
    first = data.draw(st.integers(1, bars))
    last = data.draw(st.integers(first, bars))
    metre, bpm = data.draw(st.sampled_from(list(METRES))), data.draw(st.floats(160, 240))
    low = data.draw(st.sampled_from([None, 800]))
    plain = RiffRequest.parse(prompt="rain", bars=bars, bpm=bpm, metre=metre, seed=1)
    source = noise(plain.samples, data.draw(st.floats(0.01, 1.0)))
    request = asked(source, bars=bars, bpm=bpm, metre=metre, stretch=f"{first}-{last}", low_hz=low)
    take = perform(engine, request, source).takes[0]
    edges = bar_edges(request)
    start, stop = edges[first - 1], edges[last]
    assert pcm24(take.audio[:start]) == pcm24(source[:start])
    assert pcm24(take.audio[stop:]) == pcm24(source[stop:])
    assert pcm24(take.audio[start:stop]) != pcm24(source[start:stop])
    assert np.abs(take.audio[start:stop]).max() <= _PEAK + 1e-6
    assert take.recipe["sha256"] == sha256(take.audio)
    assert take.recipe["source"] == {"sha256": sha256(source)}


def test_only_the_band_changes(engine: Engine) -> None:
    source = noise(asked(noise(10)).samples, 0.1)
    request = asked(source, low_hz=1000, high_hz=4000)
    change = (perform(engine, request, source).takes[0].audio - source).mean(1)
    hertz, power = scipy.signal.periodogram(change, SAMPLE_RATE)
    within = (hertz > 1000 * 2 ** (-1 / 6)) & (hertz < 4000 * 2 ** (1 / 6))
    assert power[within].sum() > 1e-5
    assert power[~within].sum() < 1e-6 * power[within].sum()


def test_a_cross_fade_lies_inside_and_is_short() -> None:
    source, other = noise(20_000, 0.1), noise(20_000, 0.1, seed=1)
    result = spliced(source, other, 5_000, 15_000)
    assert (result[:5_000] == source[:5_000]).all()
    assert (result[15_000:] == source[15_000:]).all()
    fade = SAMPLE_RATE // 200
    assert (result[5_000 + fade : 15_000 - fade] == other[5_000 + fade : 15_000 - fade]).all()
    assert abs(result[5_000] - source[5_000]).max() < 0.01
    same = spliced(source, source, 5_000, 15_000)
    assert np.abs(same - source).max() < 1e-6


def test_the_same_request_gives_the_same_bytes(engine: Engine) -> None:
    source = noise(asked(noise(10)).samples)
    request = asked(source, stretch="2")
    first, again = (perform(engine, request, source).takes[0] for _ in range(2))
    assert first.recipe == again.recipe
    assert (first.audio == again.audio).all()
    other = perform(engine, asked(source, stretch="2", seed=4), source).takes[0]
    assert other.recipe["sha256"] != first.recipe["sha256"]


def test_another_length_is_refused_with_nothing_painted(engine: Engine) -> None:
    source, seen = noise(40_000), list[Progress]()
    with pytest.raises(InvalidRequest, match=r"lasts 0\.907 s, but 2 bars at 200 bpm in 4/4 last 2\.400 s"):
        perform(engine, asked(source), source, seen.append)
    with pytest.raises(SourceMissing):
        perform(engine, asked(source), noise(40_000, seed=5), seen.append)
    assert seen == []


class Another:
    """A model of another house that plays whole loops; `can` says what it takes on."""

    model_id = "another@0"

    def __init__(self, engine: Engine, can: frozenset[str]) -> None:
        self.can, self._engine = can, engine

    def render(self, request: RiffRequest, on_progress=None, cancelled=None, source=None) -> Riff:  # type: ignore[no-untyped-def]
        return self._engine.render(request, on_progress, cancelled, source)


def test_another_model_repaints_if_it_can(engine: Engine) -> None:
    source = noise(asked(noise(10)).samples)
    request = asked(source, stretch="1")
    with pytest.raises(NotPossible, match="another@0 cannot repaint"):
        perform(Another(engine, frozenset()), request, source)
    take = perform(Another(engine, frozenset({"repaint"})), request, source).takes[0]
    half = bar_edges(request)[1]
    assert (take.audio[half:] == source[half:]).all()
    assert (take.audio[:half] != source[:half]).any()
    assert take.recipe["sha256"] == sha256(take.audio)


def test_new_bars_fit_between_the_old_ones(shipped: Engine) -> None:
    plain = RiffRequest.parse(prompt="church bells", bars=4, bpm=100, seed=3)
    source = shipped.render(plain).takes[0].audio
    request = asked(source, bars=4, bpm=100, steps=8, stretch="2-3", seed=77)
    audio = perform(shipped, request, source).takes[0].audio
    edges = bar_edges(request)

    def level(sound: Audio) -> float:
        return float(10 * np.log10(np.square(sound).mean()))

    for start, stop in ((edges[1], edges[2]), (edges[2], edges[3])):
        assert abs(level(audio[start:stop]) - level(source)) < 4
    mono, before = audio.mean(1), source.mean(1)
    usual = max(measures.seam_flux(np.roll(before, -edge), 4) for edge in edges[:4])
    for border in (edges[1], edges[3]):
        assert measures.seam_step(np.roll(mono, -border)) < 1
        assert measures.seam_flux(np.roll(mono, -border), 4) < max(1.3, 1.2 * usual)
