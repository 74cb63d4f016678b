from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from generation.corpus.composer import compose
from generation.corpus.instruments import SOUNDS
from generation.corpus.score import Score
from generation.corpus.soundfonts import FLUID_R3, find_soundfont
from generation.judge import loops
from generation.judge.loops import Facts, Order, Rendering, Specimen

FACTS = Facts("jazz with piano", "jazz", ("piano", "jazz kit"), ("drums", "chords"), 120, 2, "3/4", 18, 7)


def test_specimens_come_back_from_the_disk_as_they_were(tmp_path: Path) -> None:
    first = Specimen(
        FACTS, np.arange(192 * 160, dtype=np.uint8).reshape(192, 160), {"seam": 1.5, "chroma": [0.5] * 12}
    )
    second = Specimen(replace(FACTS, roles=()), np.zeros((64, 160), np.uint8), {})
    loops.write(tmp_path / "part.npz", [first, second])
    back = loops.read(tmp_path / "part.npz")
    assert [specimen.facts for specimen in back] == [first.facts, second.facts]
    assert np.array_equal(back[0].level, first.level)
    assert [specimen.measures for specimen in back] == [first.measures, second.measures]


def test_orders_ask_for_players_that_are_there_and_are_the_same_every_time() -> None:
    orders = loops.held_out(20, loops.HELD_OUT_SEEDS)
    assert orders == loops.held_out(20, loops.HELD_OUT_SEEDS)
    assert orders[:5] == loops.held_out(5, loops.HELD_OUT_SEEDS)
    for order in orders:
        present = {part.role for part in compose(order.seed).parts}
        assert order.mixes[0]
        assert set(order.mixes[0]) <= present


def test_lessons_hold_the_whole_band_and_players_alone() -> None:
    for order in loops.for_the_classifier(12, loops.JUDGE_SEEDS):
        assert len(order.mixes[0]) == len(compose(order.seed).parts)
        assert any(len(mix) == 1 for mix in order.mixes)
        assert len(set(order.mixes)) == len(order.mixes)


def test_every_sound_is_asked_for_alone() -> None:
    counted: Counter[str] = Counter()
    for order in loops.solos(2, loops.SOLO_SEEDS):
        score = compose(order.seed)
        counted.update(part.instrument for mix in order.mixes for part in score.parts if part.role in mix)
    assert set(counted) == set(SOUNDS)
    assert set(counted.values()) == {2}


def test_a_rendered_loop_is_measured_once_and_kept(tmp_path: Path) -> None:
    pytest.importorskip("fluidsynth")
    score = min((compose(seed) for seed in range(loops.HELD_OUT_SEEDS, loops.HELD_OUT_SEEDS + 30)), key=_cost)
    order = Order(score.seed, ((score.parts[0].role,),))
    rendering = Rendering((find_soundfont(FLUID_R3),))  # the other one need not be there
    first = loops.render(tmp_path, [order], rendering, workers=1)
    (path,) = tmp_path.glob("*.npz")
    written = path.stat().st_mtime_ns
    again = loops.render(tmp_path, [order], rendering, workers=1)
    assert path.stat().st_mtime_ns == written
    assert [specimen.facts for specimen in first] == [specimen.facts for specimen in again]
    assert first[0].facts.instruments == (score.parts[0].instrument,)
    assert first[0].level.shape == (score.steps * 8, 160)
    assert first[0].level.max() == 255
    assert first[0].measures["lufs"] <= -13.9


def _cost(score: Score) -> tuple[bool, int]:
    """Short loops that our own synthesis plays, where no soundfont has to be read, come first."""
    return SOUNDS[score.parts[0].instrument].synth is None, score.samples
