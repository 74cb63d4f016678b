"""Morphs: each step is a plain riff whose seam is as good as any; over time, one prompt gives way to the other."""

from pathlib import Path

import numpy as np
import pytest

from generation.arrange import perform
from generation.arrange.morph import curved, stage
from generation.arrangement import Morph
from generation.engine import Engine, Progress
from generation.errors import InvalidRequest, NotPossible
from generation.judge import measures
from generation.request import RiffRequest, samples_of
from tests.generation.arrange.test_repaint import Another


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Engine:
    return Engine.load(tiny_model)


@pytest.fixture(scope="module")
def shipped() -> Engine:
    return Engine.load()


def asked(*prompts: str, **values: object) -> RiffRequest:
    names = ("loops", "over", "curve", "to_seed")
    arrangement = {"kind": "morph", **{name: values.pop(name) for name in names if name in values}}
    arrangement["prompts"] = prompts[1:]
    plain = {"bars": 1, "seed": 3, "steps": 2, "bpm": 200}
    return RiffRequest.parse(**{**plain, **values}, prompt=prompts[0], arrangement=arrangement)


def test_each_loop_is_a_plain_riff(engine: Engine) -> None:
    seen: list[Progress] = []
    riff = perform(engine, asked("bells", "rain", "drums", loops=5, to_seed=9), on_progress=seen.append)
    ways = [RiffRequest.from_dict(take.recipe["request"]) for take in riff.takes]
    assert [(way.prompt, way.morph_to, way.morph) for way in ways] == [
        ("bells", "", 0.0),
        ("bells", "rain", 0.5),
        ("rain", "", 0.0),
        ("rain", "drums", 0.5),
        ("drums", "", 0.0),
    ]
    assert [(way.seed, way.variation_seed, way.variation) for way in ways] == [
        (3, 9, share / 4) for share in range(5)
    ]
    for way, take in zip(ways, riff.takes, strict=True):
        assert engine.render(way).takes[0].recipe == take.recipe
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)


def test_curves() -> None:
    ways = [0.0, 0.25, 0.5, 0.75, 1.0]
    assert [curved(way, "linear") for way in ways] == ways
    assert [curved(way, "step") for way in ways] == [0, 0, 1, 1, 1]
    ease = [curved(way, "ease") for way in ways]
    assert ease == [0, pytest.approx(0.103515625), 0.5, pytest.approx(0.896484375), 1]
    seeds_only = stage(asked("bells", to_seed=4), Morph((), to_seed=4), 0.5)
    assert (seeds_only.prompt, seeds_only.morph_to, seeds_only.variation) == ("bells", "", 0.5)


def test_every_seam_is_as_good_as_a_plain_loops(shipped: Engine) -> None:
    riff = perform(shipped, asked("church bells", "electronic beats", loops=5, bars=2, bpm=110, steps=8))
    monos = [take.audio.mean(1) for take in riff.takes]
    flux = [measures.seam_flux(mono, 2) for mono in monos]
    assert max(flux[1:-1]) < max(1.25, 1.25 * max(flux[0], flux[-1]))
    assert max(measures.seam_step(mono) for mono in monos) < 1
    pictures = [take.image.astype(float) for take in riff.takes]
    whole = np.abs(pictures[0] - pictures[-1]).mean()
    middle = [np.abs(pictures[2] - end).mean() for end in (pictures[0], pictures[-1])]
    assert max(middle) < whole


def test_over_time_the_first_prompt_goes_and_the_last_one_comes(shipped: Engine) -> None:
    request = asked("church bells", "electronic beats", over="time", loops=4, bars=2, bpm=110, steps=8)
    take = perform(shipped, request).takes[0]
    bar = len(take.image) // 8
    assert len(take.audio) == take.recipe["samples"] == samples_of(8 * 16, 110)
    assert take.recipe["request"] == request.to_dict()
    plain = {"bars": 2, "bpm": 110, "seed": 3}
    ends = [
        shipped.render(RiffRequest.parse(prompt=prompt, **plain)).takes[0].image.astype(float)
        for prompt in ("church bells", "electronic beats")
    ]
    heard = np.split(take.image.astype(float), 8)
    away = [[np.abs(now - end[k % 2 * bar :][:bar]).mean() for k, now in enumerate(heard)] for end in ends]
    share = np.array(away[0]) / (np.array(away[0]) + away[1])
    assert share[:2].max() < 0.3
    assert share[-2:].min() > 0.7
    assert np.corrcoef(share, np.arange(8))[0, 1] > 0.9
    assert np.abs(take.audio[[0, -1]]).max() < 0.001

    mono = take.audio.mean(1)
    starts = np.rint(np.arange(16) * len(mono) / 16).astype(int)
    change = np.array([measures.change_at(mono, int(start)) for start in starts[2:-1]])
    # Windows begin and end on bars; the beats between them are as rough without any.
    assert np.median(change[::2]) < 1.4 * np.median(change[1::2])


def test_a_morph_over_time_to_itself_is_the_loop_again_and_again(engine: Engine) -> None:
    """All windows agree on what each bar is, so where prompts do not change, nothing does; and it wraps."""
    request = asked("bells", "bells", over="time", loops=3, bars=2, bpm=200)
    take = perform(engine, request).takes[0]
    loop = engine.render(RiffRequest.parse(prompt="bells", bars=2, seed=3, steps=2, bpm=200)).takes[0]
    apart = np.abs(take.image.astype(int) - np.tile(loop.image, (3, 1)))
    assert apart.max() <= 1
    assert len(take.audio) == 3 * request.samples
    assert measures.seam_step(take.audio.mean(1)) < 1.5


def test_over_time_shows_the_whole_piece_and_can_be_cancelled(engine: Engine) -> None:
    seen: list[Progress] = []
    request = asked("bells", "rain", over="time", loops=3, metre="3/4", curve="ease", to_seed=8)
    first = perform(engine, request, on_progress=seen.append).takes[0]
    assert first.recipe == perform(engine, request).takes[0].recipe
    assert first.image.shape == (3 * 12 * 8, 160)
    assert seen[-1].fraction == 1
    assert any(progress.preview for progress in seen)


def test_what_cannot_be_is_refused(engine: Engine) -> None:
    seen: list[Progress] = []
    other = Another(engine, frozenset())
    with pytest.raises(NotPossible, match="another@0 cannot morph over time"):
        perform(other, asked("bells", "rain", over="time"), on_progress=seen.append)
    with pytest.raises(NotPossible, match="another@0 cannot morph between prompts"):
        perform(other, asked("bells", "rain"), on_progress=seen.append)
    with pytest.raises(InvalidRequest, match="would last 384 s: over time, at most 180 are possible"):
        perform(
            engine, asked("bells", "rain", over="time", bars=16, loops=4, bpm=40), on_progress=seen.append
        )
    with pytest.raises(NotPossible, match="one style all along"):
        perform(engine, asked("bells style:warm", "rain", over="time"), on_progress=seen.append)
    assert seen == []
