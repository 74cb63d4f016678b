"""The judge's ear: a small convolutional network that names what is heard in a loop's picture.

Trained on loops from composer seeds and soundfonts that models are not trained on, some of them after a round trip
through the codec, so that the codec's own traces are not what it hears. It is told neither tempo nor key.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from generation.judge.loops import Specimen

FRAMES = 512
_CHANNELS = (24, 56, 96, 128)
_EMBEDDING = 192
_ROLES = ("drums", "bass")


@dataclass(frozen=True)
class Opinions:
    """Of N loops: logits `genre` (N, genres), `sounds` and `solo` (N, sounds), `roles` (N, 2); `embedding` (N, 192).

    `sounds` asks of each instrument, bass, kit and texture whether it is among those heard; `solo` which one is heard
    if it is only one; `roles` whether drums and bass are heard.
    """

    genre: NDArray[np.float64]
    sounds: NDArray[np.float64]
    solo: NDArray[np.float64]
    roles: NDArray[np.float64]
    embedding: NDArray[np.float64]

    def __getitem__(self, rows: list[int] | NDArray[np.int64] | slice) -> "Opinions":
        return Opinions(
            *(values[rows] for values in (self.genre, self.sounds, self.solo, self.roles, self.embedding))
        )


class Classifier(nn.Module):
    """Four convolutions over a picture of 64 sixteenths, mean and maximum over time, and one layer per question."""

    def __init__(self, genres: tuple[str, ...], sounds: tuple[str, ...]) -> None:
        super().__init__()
        self.genres, self.sounds = genres, sounds
        torch.manual_seed(0)  # the same lessons shall give the same classifier
        layers: list[nn.Module] = [nn.Conv2d(1, _CHANNELS[0], (5, 5), stride=2, padding=2)]
        for inner, outer in pairwise(_CHANNELS):
            layers += [nn.BatchNorm2d(inner), nn.ReLU(), nn.Conv2d(inner, outer, 3, stride=2, padding=1)]
        self.body = nn.Sequential(nn.AvgPool2d((2, 1)), *layers, nn.BatchNorm2d(_CHANNELS[-1]), nn.ReLU())
        self.embed = nn.Linear(_CHANNELS[-1] * 10 * 2, _EMBEDDING)
        self.answer = nn.Linear(_EMBEDDING, len(genres) + 2 * len(sounds) + len(_ROLES))

    def forward(self, views: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 256, 160) uint8 as `view` gives it, to all logits side by side and the embedding (B, 192)."""
        hidden = self.body(views.float()[:, None] / 127.5 - 1)
        hidden = torch.cat([hidden.mean(2), hidden.amax(2)], 1).flatten(1)
        embedding = F.relu(self.embed(hidden))
        return self.answer(F.dropout(embedding, 0.3, self.training)), embedding

    def questions(self, answers: Tensor) -> tuple[Tensor, ...]:
        """Logits side by side as genre, sounds, solo and roles."""
        sizes = [len(self.genres), len(self.sounds), len(self.sounds), len(_ROLES)]
        return tuple(torch.split(answers, sizes, -1))

    @torch.inference_mode()
    def judge(self, levels: list[NDArray[np.uint8]], batch: int = 32) -> Opinions:
        """What it thinks of pictures, (frames, bands) uint8 each; long ones are seen twice, half a loop apart."""
        self.eval()
        views = [(row, view(level, offset)) for row, level in enumerate(levels) for offset in _offsets(level)]
        answers, embeddings = [], []
        for at in range(0, len(views), batch):
            answer, embedding = self(torch.from_numpy(np.stack([seen for _, seen in views[at : at + batch]])))
            answers.append(answer)
            embeddings.append(embedding)
        rows = np.array([row for row, _ in views])
        first = np.flatnonzero(np.diff(rows, prepend=-1))

        def together(values: Tensor) -> NDArray[np.float64]:
            summed = np.add.reduceat(values.double().numpy(), first, axis=0)
            return np.asarray(summed / np.bincount(rows)[:, None])

        genre, sounds, solo, roles = (together(logits) for logits in self.questions(torch.cat(answers)))
        return Opinions(genre, sounds, solo, roles, together(torch.cat(embeddings)))


def view(level: NDArray[np.uint8], offset: int = 0) -> NDArray[np.uint8]:
    """64 sixteenths of a loop from a frame on, (256, 160) uint8: short loops repeat, pairs of frames are one."""
    frames = level[(offset + np.arange(FRAMES)) % len(level)].astype(np.uint16)
    return ((frames[::2] + frames[1::2]) // 2).astype(np.uint8)


def _offsets(level: NDArray[np.uint8]) -> tuple[int, ...]:
    return (0,) if len(level) <= FRAMES else (0, len(level) // 2)


@dataclass(frozen=True)
class Lessons:
    """Training loops: `views` (N, 512, 160) uint8 before pairs are joined, and one row of labels each.

    -1 in `genre` and `solo` means that the question is not asked of a loop.
    """

    views: NDArray[np.uint8]
    genre: Tensor
    sounds: Tensor
    solo: Tensor
    roles: Tensor

    @classmethod
    def of(cls, specimens: list[Specimen], genres: tuple[str, ...], sounds: tuple[str, ...]) -> "Lessons":
        """Specimens as lessons. A genre is asked of two players or more only: one alone could be from anywhere."""
        views = np.empty((len(specimens), FRAMES // 2, specimens[0].level.shape[1]), np.uint8)
        present = torch.zeros(len(specimens), len(sounds))
        genre, solo = torch.full((2, len(specimens)), -1)
        for row, specimen in enumerate(specimens):
            facts = specimen.facts
            views[row] = view(specimen.level, facts.seed * 8 * 16 % len(specimen.level))
            for name in facts.instruments:
                present[row, sounds.index(name)] = 1
            if len(facts.instruments) == 1:
                solo[row] = sounds.index(facts.instruments[0])
            elif facts.genre:
                genre[row] = genres.index(facts.genre)
        roles = torch.tensor(
            [[float(role in specimen.facts.roles) for role in _ROLES] for specimen in specimens]
        )
        return cls(views, genre, present, solo, roles)


def train(
    classifier: Classifier, lessons: Lessons, epochs: float, batch: int = 32
) -> Iterator[tuple[int, int, float]]:
    """Teach in place; yields (step, steps, loss) as it goes. The same lessons give the same classifier."""
    chance = random.Random(0)
    torch.manual_seed(0)
    count = len(lessons.views)
    steps = max(1, round(epochs * count / batch))
    optimizer = torch.optim.AdamW(classifier.parameters(), 2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1, (step + 1) / 50) * (0.01 + 0.99 * math.cos(math.pi / 2 * min(1, step / steps))),
    )
    weights = _balance(lessons)
    classifier.train()
    for step in range(steps):
        rows = torch.tensor(chance.choices(range(count), weights, k=batch))
        answers, _ = classifier(torch.from_numpy(_disturbed(lessons.views[rows], chance)))
        genre, sounds, solo, roles = classifier.questions(answers)
        loss = (
            _asked(genre, lessons.genre[rows])
            + _asked(solo, lessons.solo[rows])
            + 8 * F.binary_cross_entropy_with_logits(sounds, lessons.sounds[rows])
            + 0.5 * F.binary_cross_entropy_with_logits(roles, lessons.roles[rows])
        )
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        yield step + 1, steps, loss.item()
    classifier.eval()


def _asked(logits: Tensor, labels: Tensor) -> Tensor:
    if not bool((labels >= 0).any()):
        return logits.sum() * 0
    return F.cross_entropy(logits, labels, ignore_index=-1, label_smoothing=0.05)


def _balance(lessons: Lessons) -> list[float]:
    """Rare soloists are shown more often, up to four times."""
    solo = lessons.solo[lessons.solo >= 0]
    if len(solo) == 0:
        return [1.0] * len(lessons.views)
    counts = torch.bincount(solo, minlength=lessons.sounds.shape[1]).float()
    usual = counts[counts > 0].mean()
    return [
        1.0 if label < 0 else float((usual / counts[label]).sqrt().clamp(0.5, 4))
        for label in lessons.solo.tolist()
    ]


def _disturbed(views: NDArray[np.uint8], chance: random.Random) -> NDArray[np.uint8]:
    """Turned in time, tilted, louder or softer, and with noise: what does not change what is heard."""
    turned = np.empty_like(views)
    tilt = np.linspace(-1, 1, views.shape[2], dtype=np.float32)
    for row, seen in enumerate(views):
        level = np.roll(seen, chance.randrange(len(seen)), 0)
        if chance.random() < 0.5:
            louder = level + np.float32(chance.uniform(-8, 8)) * tilt + chance.uniform(-4, 4)
            noise = np.random.default_rng(chance.getrandbits(32)).standard_normal(level.shape, np.float32)
            level = np.clip(louder + chance.uniform(0, 7) * noise, 0, 255).astype(np.uint8)
        turned[row] = level
    return turned
