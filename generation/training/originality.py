"""The prints that `generation.embedding.originality` compares with, and the network that hears notes for it.

python -m generation.training.originality --out generation/embedding/weights/prints.npz

The network learns from loops of the corpus that no model is trained on, players left out and turned up and down at
random: which pitch classes sound and which begin in a sixteenth, the same weights for all twelve. The prints are those
of the scores that stages 3 and 4 of `runs/riff-small.sh` were trained on.
"""

import argparse
import logging
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from generation.corpus.composer import compose, is_solo
from generation.corpus.renderer import Renderer
from generation.corpus.score import ROLES, Score
from generation.embedding.originality import print_of, semitone_levels, views
from generation.files import write_whole
from generation.training.dataset import GAIN_DB

log = logging.getLogger(__name__)

FIRST_SEED = 6_500_000
_HIDDEN, _BATCH, _LEARNING_RATE = 48, 512, 3e-3


def training_scores() -> Iterator[Score]:
    """What stages 3 and 4 were trained on."""
    yield from map(compose, range(1, 3601))
    yield from (compose(seed) for seed in range(20_001, 26_401) if is_solo(seed))


def prints() -> dict[str, NDArray[np.generic]]:
    """Packed prints (n, 2, bytes) and seeds (n,) of all of them that have notes, by metre and bars."""
    rows: dict[str, list[tuple[int, NDArray[np.uint8]]]] = defaultdict(list)
    for score in training_scores():
        marks = print_of(score)
        if marks.any():
            rows[f"{score.metre} {score.bars}"].append(
                (score.seed, np.packbits(marks.reshape(2, -1), axis=-1))
            )
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, found in sorted(rows.items()):
        arrays[f"seeds {name}"] = np.array([seed for seed, _ in found], np.uint16)
        arrays[f"prints {name}"] = np.stack([packed for _, packed in found])
    return arrays


def lessons(renderer: Renderer, count: int, first_seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """What the network sees of a loop, (sixteenths, 12, 384), and what it shall say, (sixteenths, 12, 2)."""
    for seed in range(first_seed, first_seed + count):
        score, chance = compose(seed), random.Random(f"notes of {seed}")
        if score.bars == 8 or not print_of(score).any():
            continue
        stems = renderer.render(score)
        roles = [role for role in ROLES if role in stems and chance.random() < 0.75] or list(stems)
        audio = np.sum(
            [stems[role] * np.float32(10 ** (chance.uniform(-GAIN_DB, GAIN_DB) / 20)) for role in roles],
            axis=0,
        )
        if float(np.abs(audio).max()) < 1e-3:
            continue
        parts = tuple(part for part in score.parts if part.role in roles)
        heard = Score(
            score.seed, score.genre, score.mood, score.bpm, score.bars, score.key, parts, score.metre
        )
        seen = views(semitone_levels(audio, score.steps))
        yield (
            torch.from_numpy(seen.astype(np.float32)),
            torch.from_numpy(print_of(heard).transpose(1, 2, 0).astype(np.float32)),
        )


def learn(seen: Tensor, said: Tensor, steps: int) -> nn.Sequential:
    """A network for rows of views and of answers."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(seen.shape[1], _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, said.shape[1]))
    optimizer = torch.optim.AdamW(network.parameters(), _LEARNING_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, steps + 1)
    for step in range(steps):
        rows = torch.randint(len(seen), (_BATCH,))
        loss = F.binary_cross_entropy_with_logits(network(seen[rows]), said[rows])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        if step % 500 == 0:
            log.info("step %d of %d: %.3f", step, steps, loss.item())
    return network


def save(network: nn.Sequential, path: Path) -> None:
    """Write the network and all prints as `generation.embedding.originality` reads them."""
    arrays = prints()
    for name, layer in (("hidden", network[0]), ("out", network[2])):
        assert isinstance(layer, nn.Linear)
        arrays[name] = layer.weight.detach().numpy().T.astype(np.float16)
        arrays[f"{name} bias"] = layer.bias.detach().numpy().astype(np.float16)
    with write_whole(path) as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def main(arguments: Sequence[str] | None = None) -> None:
    """Hear, learn, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--loops", type=int, default=700)
    parser.add_argument("--steps", type=int, default=4000)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    heard = list(lessons(Renderer(), given.loops, FIRST_SEED))
    log.info("heard %d loops", len(heard))
    seen, said = (torch.cat([pair[side].flatten(0, 1) for pair in heard]) for side in (0, 1))
    save(learn(seen, said, given.steps), given.out)


if __name__ == "__main__":
    main()
