"""Training on a handful of made-up examples: it learns, goes on where it stopped, and distils guidance."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from generation.models.text import TextEncoder
from generation.models.transformer import RiffTransformer
from generation.training.dataset import Dataset
from generation.training.train import Moment, TrainingPlan, train

PLAN = TrainingPlan(
    minutes=9,
    steps=30,
    warm_up_steps=5,
    ema=0.9,
    width=32,
    heads=2,
    depth=1,
    latent_size=16,
    tokens=64,
    compile=False,
)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of examples, as `prepare` writes them: a bar of 4/4 and two bars of 3/4, low or high."""
    folder = tmp_path_factory.mktemp("examples")
    chance = np.random.default_rng(0)
    for file in range(2):
        facts, arrays = [], {}
        for metre, bars, sixteenths in (("4/4", 1, 16), ("3/4", 2, 24)):
            level = chance.integers(0, 80, (8, sixteenths * 8, 160), dtype=np.uint8)
            level[::2, :, :80] += 150
            level[1::2, :, 80:] += 150
            name = f"{metre.replace('/', '-')}-{bars}"
            arrays[f"level-{name}"] = level
            arrays[f"stereo-{name}"] = np.full((8, sixteenths, 40, 2), 128, np.uint8)
            facts += [
                {"caption": word, "bpm": 120, "key": 0, "metre": metre, "bars": bars, "seed": row}
                for row, word in enumerate(["bass", "flute"] * 4)
            ]
        np.savez(folder / f"loops-{file:08d}.npz", facts=np.array(json.dumps(facts)), **arrays)
    return folder


def run(examples: Path, folder: Path, plan: TrainingPlan) -> list[Moment]:
    return list(train(examples, folder, plan))


def test_it_learns_and_goes_on_where_it_stopped(examples: Path, tmp_path: Path) -> None:
    first = run(examples, tmp_path, PLAN)
    second = run(examples, tmp_path, replace(PLAN, steps=60))
    assert first[-1].held_out
    assert second[-1].held_out
    assert second[0].step > first[-1].step
    assert second[-1].samples > first[-1].samples
    assert second[-1].held_out["0.1"] < first[-1].held_out["0.1"]
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == len(first) + len(second)


def test_a_run_can_start_from_another_ones_weights(examples: Path, tmp_path: Path) -> None:
    learnt = run(examples, tmp_path / "a", PLAN)[-1].held_out
    started = run(
        examples, tmp_path / "b", replace(PLAN, start=tmp_path / "a/transformer", learning_rate=1e-9)
    )[-1].held_out
    assert learnt
    assert started
    assert started["0.1"] == pytest.approx(learnt["0.1"], rel=1e-3)


def test_distilling_brings_one_pass_near_the_teachers_two(examples: Path, tmp_path: Path) -> None:
    teacher = tmp_path / "a/transformer"
    run(examples, tmp_path / "a", replace(PLAN, steps=200, learning_rate=5e-3))
    plan = replace(PLAN, teacher=teacher, learning_rate=2e-3)
    before = run(examples, tmp_path / "b", replace(plan, learning_rate=1e-9))[-1].held_out
    after = run(examples, tmp_path / "c", replace(plan, steps=120))[-1].held_out
    assert before
    assert after
    assert after["0.1"] < 0.8 * before["0.1"]
    student = RiffTransformer.from_pretrained(tmp_path / "c/transformer", low_cpu_mem_usage=False)
    assert student.config.guided


def test_the_loops_of_a_batch_are_of_one_length_and_their_captions_their_own(examples: Path) -> None:
    dataset = Dataset(examples, sorted(examples.glob("loops-*.npz"))[:1])
    assert len(dataset) == 16
    batch = dataset.batch(("3/4", 2), [0, 1, 5])
    assert batch.patches.shape == (3, 24, 1360)
    told = dataset.conditions(batch)
    expected = TextEncoder()(["bass", "flute", "flute"])
    torch.testing.assert_close(told.text, expected.states, atol=2e-3, rtol=1e-2)
    torch.testing.assert_close(told.pooled_text, expected.pooled)
    assert told.metre == "3/4"
