"""The network that tells beats apart, learnt from a corpus."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from generation.arrange import grid
from generation.corpus import synth
from generation.corpus.build import read_shard
from generation.corpus.composer import compose
from generation.training.grid import hear, main, train

SEEDS = (1_500_022, 1_500_072, 1_500_174)  # that our own synthesisers play alone


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three loops as `riff corpus` writes them."""
    path = tmp_path_factory.mktemp("corpus") / "loops-00000000-00000002.npz"
    scores = [compose(seed) for seed in SEEDS]
    with zipfile.ZipFile(path, "w") as file:
        for index, score in enumerate(scores):
            for part in score.parts:
                stem = synth.play(part, score)
                with file.open(f"{index}/{part.role}.npy", "w") as member:
                    np.lib.format.write_array(member, (stem / np.abs(stem).max() * 9000).astype(np.int16))
        file.writestr("scores.json", json.dumps([score.to_dict() for score in scores]))
    assert len(list(read_shard(path))) == 3
    return path


def test_it_learns_where_bars_start(shard: Path) -> None:
    clips = hear(shard, 4)
    assert clips.four.shape == (12, 12, 48, 6)
    assert clips.answer.sum(1).tolist() == [1] * 12
    network = train(clips, 120)
    with torch.no_grad():
        told = network(clips).argmax(1)
    assert (told == clips.answer.argmax(1)).float().mean() > 0.9


def test_the_shipped_weights_answer_as_the_clips_do(shard: Path) -> None:
    """What is trained and what is asked see the same features and count the same way."""
    clips = hear(shard, 4)
    right = 0
    for four, three, context, valid, answer in zip(
        *(getattr(clips, name) for name in clips.__slots__), strict=True
    ):
        count = int(valid.sum())
        parts = [part[:count].numpy() for part in (four, three, context)]
        found = grid.Candidates(np.zeros(count), np.zeros(count), *parts)
        likely = np.concatenate(list(grid._likelihoods(found).values()), axis=1)
        right += int(likely.argmax()) == int(answer.argmax())
    assert right >= 10


def test_what_it_writes_is_read(shard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "grid.npz"
    main([str(shard.parent), "--out", str(out), "--clips", "4", "--epochs", "10"])
    with np.load(out) as written, np.load(grid._WEIGHTS) as shipped:
        assert {name: array.shape for name, array in written.items()} == {
            name: array.shape for name, array in shipped.items()
        }
