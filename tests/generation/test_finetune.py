"""Learning a style: it learns, the same run gives the same weights, and a run that stops goes on to them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.style import distance, gongs, profile
from generation.corpus.folder import TaggedLoop
from generation.engine import Engine
from generation.errors import InvalidRequest
from generation.models.shipped import SHIPPED, LoadedModel, load_model
from generation.models.styles import RECORD, WEIGHTS, Style, StyleShelf
from generation.models.text import TextEncoder
from generation.request import Key, RiffRequest
from generation.spectrogram import Spectrogram
from generation.training.finetune import FinetunePlan, Moment, StyleBegun, finetune, render_samples

PLAN = FinetunePlan(name="low", steps=40, rank=2, tokens=64, warm_up_steps=5, checkpoint_seconds=0)


class Stopped(Exception):
    """The run is interrupted at a moment of the test's choice."""


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> LoadedModel:
    return load_model(tiny_model)


@pytest.fixture(scope="module")
def loops() -> list[TaggedLoop]:
    """Bars of 4/4 and of 3/4, loud in low bands only; one without a tempo, one without a key."""
    chance = np.random.default_rng(0)
    made = []
    for number, (metre, sixteenths) in enumerate((("4/4", 16), ("3/4", 12)) * 2):
        level = np.zeros((sixteenths * 8, 160), np.uint8)
        level[:, :40] = chance.integers(200, 255, (sixteenths * 8, 40), dtype=np.uint8)
        stereo = np.full((sixteenths, 40, 2), 128, np.uint8)
        bpm, key = (None, Key(9, minor=True)) if number == 0 else (120.0, None)
        made.append(
            TaggedLoop(Spectrogram(level, stereo), ("bass", "deep [bass]")[number % 2], bpm, metre, key)
        )
    return made


Learnt = tuple[Style, list[Moment], Path]


def learn(
    model: LoadedModel,
    loops: list[TaggedLoop],
    folder: Path,
    plan: FinetunePlan = PLAN,
    stop_at: int | None = None,
) -> Learnt:
    moments: list[Moment] = []

    def on_progress(moment: Moment) -> None:
        moments.append(moment)
        if moment.step == stop_at:
            raise Stopped

    style = finetune(model, loops, StyleShelf(folder), plan, on_progress)
    return style, moments, folder / plan.name


@pytest.fixture(scope="module")
def learnt(model: LoadedModel, loops: list[TaggedLoop], tmp_path_factory: pytest.TempPathFactory) -> Learnt:
    return learn(model, loops, tmp_path_factory.mktemp("learnt") / "styles")


def losses(folder: Path) -> list[float]:
    return [entry["loss"] for entry in json.loads((folder / "learning.json").read_text())["loss"]]


def test_it_learns_and_leaves_a_style_with_its_history(learnt: Learnt) -> None:
    style, moments, folder = learnt
    assert [moment.step for moment in moments] == [10, 20, 30, 40]
    assert [round(moment.done, 3) for moment in moments] == [0.25, 0.5, 0.75, 1.0]
    assert moments[-1].loss < 0.9 * moments[0].loss
    assert (style.name, style.loops, style.steps, style.rank) == ("low", 4, 40, 2)
    assert style.captions == ("bass", "deep [bass]")
    assert losses(folder) == [moment.loss for moment in moments]
    assert StyleShelf(folder.parent).find("low") == style


def test_riffs_before_and_after(
    learnt: Learnt, model: LoadedModel, loops: list[TaggedLoop], tmp_path: Path
) -> None:
    style, _, folder = learnt
    engine = Engine(model, TextEncoder(), folder.parent)
    samples = render_samples(engine, style, loops, tmp_path)
    assert [(path.parent.name, path.name) for path in samples] == [
        ("before", "bass-120bpm-Am-0.wav"),
        ("before", "deep-bass-120bpm-0.wav"),
        ("before", "church-bells-120bpm-Am-0.wav"),
        ("after", "style-low-bass-120bpm-Am-0.wav"),
        ("after", "style-low-deep-bass-120bpm-0.wav"),
        ("after", "style-low-church-bells-120bpm-Am-0.wav"),
    ]
    assert all(path.with_suffix(".png").is_file() for path in samples)
    sounds = [soundfile.read(path)[0] for path in samples]
    for before, after in zip(sounds[:3], sounds[3:], strict=True):
        assert before.shape == after.shape
        assert not np.array_equal(before, after)


def test_the_model_is_plain_again(learnt: Learnt, model: LoadedModel, tiny_model: Path) -> None:
    plain = load_model(tiny_model).pipeline.transformer.state_dict()
    now = model.pipeline.transformer.state_dict()
    assert list(now) == list(plain)
    assert all(bool((now[name] == plain[name]).all()) for name in plain)


def test_a_run_that_stops_goes_on_to_the_same_weights(
    learnt: Learnt, model: LoadedModel, loops: list[TaggedLoop], tmp_path: Path
) -> None:
    with pytest.raises(Stopped):
        learn(model, loops, tmp_path, stop_at=20)
    assert StyleShelf(tmp_path).names() == []
    style, moments, folder = learn(model, loops, tmp_path)
    assert [moment.step for moment in moments] == [30, 40]
    assert style == learnt[0]
    assert losses(folder) == losses(learnt[2])
    assert (folder / WEIGHTS).read_bytes() == (learnt[2] / WEIGHTS).read_bytes()

    again, moments, _ = learn(model, loops, tmp_path)
    assert (again, moments) == (style, [])
    longer, moments, _ = learn(model, loops, tmp_path, replace(PLAN, steps=50))
    assert [moment.step for moment in moments] == [50]
    assert longer.sha256 != style.sha256


def test_another_seed_gives_another_style(
    learnt: Learnt, model: LoadedModel, loops: list[TaggedLoop], tmp_path: Path
) -> None:
    other, _, _ = learn(model, loops, tmp_path, replace(PLAN, seed=1))
    assert other.sha256 != learnt[0].sha256


@pytest.mark.parametrize("change", ["rank", "seed", "loops"])
def test_a_name_is_not_given_to_other_loops_or_settings(
    change: str, model: LoadedModel, loops: list[TaggedLoop], tmp_path: Path
) -> None:
    with pytest.raises(Stopped):
        learn(model, loops, tmp_path, stop_at=10)
    held = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    plan = PLAN if change == "loops" else replace(PLAN, **{change: 3})
    with pytest.raises(StyleBegun) as refusal:
        learn(model, loops[:3] if change == "loops" else loops, tmp_path, plan)
    assert str(refusal.value) == (
        "The style “low” was begun with other loops, rank, seed or model: choose another name, "
        f"or delete {tmp_path / 'low'} to learn it anew."
    )
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == held


def test_a_style_that_was_brought_from_elsewhere_is_not_overwritten(
    learnt: Learnt, model: LoadedModel, loops: list[TaggedLoop], tmp_path: Path
) -> None:
    folder = tmp_path / "low"
    folder.mkdir()
    for name in (WEIGHTS, RECORD):
        (folder / name).write_bytes((learnt[2] / name).read_bytes())
    with pytest.raises(StyleBegun):
        learn(model, loops, tmp_path)
    assert StyleShelf(tmp_path).find("low") == learnt[0]


@pytest.mark.parametrize("name", ["", "Low", "../low", "a" * 33, "low bass"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="The name of a style has 1 to 32 characters"):
        FinetunePlan(name=name)


def test_on_the_shipped_model_riffs_move_towards_what_was_learnt(tmp_path: Path) -> None:
    """Six loops of struck metal, two bars each: riffs of their captions and of another prompt come nearer to others."""
    shipped = load_model(SHIPPED)
    loops = gongs(9, shipped.codec, bars=2)
    centre = np.mean([profile(loop.spectrogram.level) for loop in loops[6:]], 0)
    shelf = StyleShelf(tmp_path)
    finetune(shipped, loops[:6], shelf, FinetunePlan(name="gongs", steps=40, tokens=128))
    engine = Engine(shipped, TextEncoder(), tmp_path)
    for prompt in ("gamelan", "lofi piano"):
        plain, worn = (
            distance(
                [
                    engine.render(RiffRequest.parse(prompt=f"{style}{prompt}", bars=1, bpm=100, seed=1))
                    .takes[0]
                    .image
                ],
                centre,
            )
            for style in ("", "style:gongs ")
        )
        assert worn < 0.8 * plain
