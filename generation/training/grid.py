"""Training the small network by which `generation.arrange.grid` tells beats, metres and downbeats.

python -m generation.training.grid CORPUS ... --out FILE [--clips 2]

It hears clips of a corpus's loops (`riff corpus`): some of the players, from anywhere in the loop on, for five seconds
to half a minute, played up to 6 % slower or faster, at times through noise, a filter or a driven amplifier. Of the
beats that each clip may have, it learns to pick the right one with its metre and first sixteenth, and to pick none
where only weather is heard. What it has heard of a corpus is kept beside it: an interrupted run goes on where it was.

What ships was trained for 12 epochs on three clips of each of the seeds 0 to 2399, cut and mixed by a prototype without
filters, noise and amplifier: its bytes cannot be made again, its like can.
"""

import argparse
import logging
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from generation.arrange.onsets import (
    BANDS,
    FRAMES_PER_SECOND,
    HOP,
    MAX_CANDIDATES,
    SLOTS_PER_SIXTEENTH,
    candidates,
    onset_strengths,
)
from generation.corpus.build import Stems, read_shard
from generation.corpus.score import ROLES, Score
from generation.files import write_whole
from generation.request import METRES, SAMPLE_RATE

log = logging.getLogger(__name__)

# Where each metre's sixteenths stand among all answers; the last answer is "no beat".
_ANSWERS = {"4/4": slice(0, 16), "3/4": slice(16, 28), "6/8": slice(28, 40)}
_HIDDEN, _BATCH, _LEARNING_RATE, _WEIGHT_DECAY = 32, 64, 3e-3, 0.05
_DROPPED_SLOTS, _DROPPED_BANDS, _BLURRED_CONTEXT = 0.15, 0.1, 0.15
_SECONDS, _SPEED = (5.0, 30.0), 1.06
_NEAR = 0.01


@dataclass(frozen=True, slots=True)
class Clips:
    """What was heard: n clips with MAX_CANDIDATES beats each, as in `Candidates`, padded where `valid` is false.

    `answer` (n, MAX_CANDIDATES * 40 + 1) is 1 where a beat, metre and sixteenth are right, the last one for no beat.
    """

    four: Tensor
    three: Tensor
    context: Tensor
    valid: Tensor
    answer: Tensor

    def __getitem__(self, rows: Tensor) -> "Clips":
        return Clips(*(getattr(self, name)[rows] for name in self.__slots__))


class GridNetwork(nn.Module):
    """Scores (n, MAX_CANDIDATES * 40 + 1) of every answer for clips."""

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        shapes = [METRES[metre] * SLOTS_PER_SIXTEENTH for metre in _ANSWERS]
        self.bars = nn.ParameterList(torch.randn(_HIDDEN, BANDS, slots) * 0.03 for slots in shapes)
        self.context = nn.Linear(len(mean), len(shapes) * _HIDDEN)
        self.out = nn.Parameter(torch.randn(len(shapes), _HIDDEN) * 0.1)
        self.out_bias = nn.Parameter(torch.zeros(len(shapes)))
        self.no_beat = nn.Parameter(torch.zeros(1))
        self.mean, self.scale = mean, scale

    def forward(self, clips: Clips) -> Tensor:
        count = len(clips.context)
        four, three, context = clips.four - 1, clips.three - 1, (clips.context - self.mean) / self.scale
        if self.training:
            band = (torch.rand(count, 1, 1, BANDS) > _DROPPED_BANDS).float() / (1 - _DROPPED_SLOTS)
            four, three = (bar * band * (torch.rand_like(bar) > _DROPPED_SLOTS) for bar in (four, three))
            context = context + _BLURRED_CONTEXT * torch.randn_like(context)
        told = self.context(context).reshape(count, -1, len(self.bars), _HIDDEN)
        scores = []
        for index, (weight, bar) in enumerate(zip(self.bars, (four, three, three), strict=True)):
            circle = bar.flatten(0, 1).transpose(1, 2)
            circle = torch.cat([circle, circle[..., :-SLOTS_PER_SIXTEENTH]], -1)
            heard = F.conv1d(circle, weight, stride=SLOTS_PER_SIXTEENTH)
            hidden = torch.relu(heard.reshape(count, -1, *heard.shape[1:]) + told[:, :, index, :, None])
            scores.append(torch.einsum("nchs,h->ncs", hidden, self.out[index]) + self.out_bias[index])
        beats = torch.cat(scores, -1).masked_fill(~clips.valid[..., None], -1e4)
        return torch.cat([beats.flatten(1), self.no_beat.expand(count, 1)], 1)

    def save(self, path: Path) -> None:
        """Write the weights as `generation.arrange.grid` reads them."""
        shape = (len(self.bars), _HIDDEN)
        arrays = {
            **{f"bar {metre}": bar.transpose(1, 2) for metre, bar in zip(_ANSWERS, self.bars, strict=True)},
            "context": self.context.weight.reshape(*shape, -1),
            "bias": self.context.bias.reshape(shape),
            "out": self.out,
            "out bias": self.out_bias,
            "no beat": self.no_beat,
            "mean": self.mean,
            "scale": self.scale,
        }
        with write_whole(path) as file:
            np.savez(
                file, **{name: value.detach().numpy().astype(np.float16) for name, value in arrays.items()}
            )


def hear(shard: Path, per_loop: int) -> Clips:
    """Clips of the loops in a shard of a corpus, each the same on every machine; kept in a file beside the shard."""
    kept = shard.with_name(f"grid-{per_loop}-{shard.name}")
    if not kept.exists():
        heard = [
            _hear_clip(score, stems, random.Random(f"clip {number} of {score.seed}"))
            for score, stems in read_shard(shard)
            if score.parts
            for number in range(per_loop)
        ]
        with write_whole(kept) as file:
            np.savez(file, *(np.stack(rows) for rows in zip(*heard, strict=True)))
    with np.load(kept) as stored:
        four, three, context, valid, answer = (torch.from_numpy(stored[name]) for name in stored.files)
    return Clips(four.float(), three.float(), context.float(), valid, answer.float())


def train(clips: Clips, epochs: int) -> GridNetwork:
    """A network that answers as the clips do."""
    torch.manual_seed(0)
    known = clips.context[clips.valid]
    network = GridNetwork(known.mean(0), known.std(0) + 1e-3)
    steps = epochs * len(clips.answer) // _BATCH
    optimizer = torch.optim.AdamW(network.parameters(), _LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, steps)
    answered = torch.nonzero(clips.answer.sum(1)).squeeze(1)
    for step in range(steps):
        batch = clips[answered[torch.randint(len(answered), (_BATCH,))]]
        right = torch.log_softmax(network(batch), 1).masked_fill(batch.answer == 0, -1e9)
        loss = -right.logsumexp(1).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            log.info("step %d of %d: %.3f", step, steps, loss.detach())
    return network.eval()


def _hear_clip(score: Score, stems: Stems, chance: random.Random) -> tuple[NDArray[Any], ...]:
    """A row of Clips, in half precision."""
    roles = [role for role in ROLES if role in stems]
    if chance.random() < 0.4:
        roles = [role for role in roles if chance.random() < 0.62] or [chance.choice(roles)]
    mix = np.sum([stems[role] * (10 ** (chance.uniform(-4, 4) / 20)) for role in roles], axis=0).mean(1)
    speed = math.exp(chance.uniform(-1, 1) * math.log(_SPEED))
    seconds = math.exp(chance.uniform(*map(math.log, _SECONDS)))
    start = chance.uniform(0, len(mix))
    place = (start + np.arange(round(seconds * SAMPLE_RATE)) * speed) % len(mix)
    mono = np.interp(place, np.arange(len(mix) + 1), np.append(mix, mix[0])).astype(np.float32) / 32768
    found = candidates(onset_strengths(_bent(mono, chance)))
    missing = (0, MAX_CANDIDATES - len(found.bpm))
    four, three = (np.pad(bar, (missing, (0, 0), (0, 0))) for bar in (found.four, found.three))
    context = np.pad(found.context, (missing, (0, 0)))
    answer = np.zeros((MAX_CANDIDATES, 40))
    is_weather = roles == ["texture"]
    for index, (bpm, phase) in enumerate(zip(found.bpm, found.phase, strict=True)):
        if not is_weather and abs(bpm / (score.bpm * speed) - 1) < _NEAR:
            sixteenth = 15 * FRAMES_PER_SECOND / bpm
            first = round((-start / speed / HOP - phase) / sixteenth) % METRES[score.metre]
            answer[index, _ANSWERS[score.metre]][first] = 1
    return (
        four.astype(np.float16),
        three.astype(np.float16),
        context.astype(np.float16),
        np.arange(MAX_CANDIDATES) < len(found.bpm),
        np.append(answer.flatten(), is_weather).astype(np.float16),
    )


def _bent(mono: NDArray[np.float32], chance: random.Random) -> NDArray[np.float32]:
    """Some clips as they might come from elsewhere: driven, filtered, noisy."""
    loud = float(np.abs(mono).max()) + 1e-9
    if chance.random() < 0.15:
        mono = np.tanh(mono * (chance.uniform(1, 4) / loud)).astype(np.float32) * loud
    if chance.random() < 0.2:
        cut = math.exp(chance.uniform(math.log(1500), math.log(12_000)))
        mono = _filtered(mono, cut, "low")
    if chance.random() < 0.15:
        cut = math.exp(chance.uniform(math.log(60), math.log(400)))
        mono = _filtered(mono, cut, "high")
    if chance.random() < 0.2:
        noise = np.random.default_rng(chance.getrandbits(32)).normal(size=len(mono))
        mono = mono + (noise * (loud * 10 ** (chance.uniform(-60, -30) / 20))).astype(np.float32)
    return mono


def _filtered(mono: NDArray[np.float32], cut: float, kind: str) -> NDArray[np.float32]:
    sections = scipy.signal.butter(2, cut, kind, fs=SAMPLE_RATE, output="sos")
    return np.asarray(scipy.signal.sosfilt(sections, mono), np.float32)


def main(arguments: Sequence[str] | None = None) -> None:
    """Hear every corpus, train, write the weights."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpora", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=2, help="Clips of each loop.")
    parser.add_argument("--epochs", type=int, default=14)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    heard = []
    for corpus in given.corpora:
        for shard in sorted(corpus.glob("loops-*.npz")):
            log.info("hearing %s", shard.name)
            heard.append(hear(shard, given.clips))
    clips = Clips(*(torch.cat([getattr(part, name) for part in heard]) for name in Clips.__slots__))
    train(clips, given.epochs).save(given.out)


if __name__ == "__main__":
    main()
