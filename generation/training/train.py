"""Training the RiffTransformer: flow matching with clean-picture prediction, resumable at any moment.

The run is measured in minutes of training, so that it ends on time on whatever machine it runs; a checkpoint holds
everything that the next session needs to go on as if nothing had happened.
"""

import copy
import json
import logging
import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from generation.files import write_whole
from generation.models.transformer import RiffTransformer
from generation.training.dataset import Batch, Dataset

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """Settings of a run. `minutes` is time spent training, over all sessions; `tokens` is sixteenths per batch."""

    minutes: float
    tokens: int = 1024
    learning_rate: float = 8e-4
    warm_up_steps: int = 200
    ema: float = 0.999
    text_dropout: float = 0.12
    latent_size: int = 320
    width: int = 320
    depth: int = 6
    heads: int = 5
    compile: bool = True
    seed: int = 0
    checkpoint_minutes: float = 3.0


@dataclass(frozen=True, slots=True)
class Moment:
    """How far a run is: `loss` is the mean since the last one, `held_out` the x-MSE per noise level, now and then."""

    step: int
    samples: int
    minutes: float
    loss: float
    held_out: dict[str, float] | None


def train(data: Path, folder: Path, plan: TrainingPlan) -> Iterator[Moment]:
    """Train on the examples in `data`, keep checkpoint and log in `folder`; yields every 25 steps.

    The examples of the last twentieth of the files are held out. The averaged weights stand in
    `folder`/transformer at each checkpoint, ready to be used.
    """
    files = sorted(data.glob("loops-*.npz"))
    held = max(1, len(files) // 20)
    dataset, held_out = Dataset(data, files[:-held]), Dataset(data, files[-held:])
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(dataset, folder, plan)
    checks = _held_out_batches(held_out)
    log.info("%d examples, %d parameters", len(dataset), sum(p.numel() for p in run.model.parameters()))
    losses: list[float] = []
    saved = run.seconds
    batches = dataset.batches(plan.tokens, run.chance)
    while run.seconds < plan.minutes * 60:
        started = time.monotonic()
        losses.append(run.step(dataset, next(batches)))
        run.seconds += time.monotonic() - started
        if run.steps % 25 == 0 or run.seconds >= plan.minutes * 60:
            checkpoint = (
                run.seconds - saved >= plan.checkpoint_minutes * 60 or run.seconds >= plan.minutes * 60
            )
            scores = _score(run.average, held_out, checks) if checkpoint else None
            if checkpoint:
                run.save()
                saved = run.seconds
            moment = Moment(run.steps, run.samples, run.seconds / 60, sum(losses) / len(losses), scores)
            with (folder / "log.jsonl").open("a") as file:
                file.write(json.dumps({name: getattr(moment, name) for name in Moment.__slots__}) + "\n")
            losses.clear()
            yield moment


class _Run:
    """The state of a run, as its checkpoint keeps it."""

    def __init__(self, dataset: Dataset, folder: Path, plan: TrainingPlan) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.folder = plan, folder
        self.steps, self.samples, self.seconds = 0, 0, 0.0
        self.chance = random.Random(plan.seed)
        patch_size = dataset.batch(*_any_row(dataset)).patches.shape[-1]
        self.model = RiffTransformer(patch_size, plan.latent_size, plan.width, plan.depth, plan.heads)
        _fit_basis(self.model, dataset, random.Random(plan.seed))
        self.average = copy.deepcopy(self.model).eval()
        decayed = [p for p in self.model.parameters() if p.dim() >= 2]
        plain = [p for p in self.model.parameters() if p.dim() < 2]
        self.optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}],
            lr=plan.learning_rate,
            betas=(0.9, 0.95),
            fused=True,
        )
        if (folder / "checkpoint.pt").exists():
            self._load(torch.load(folder / "checkpoint.pt", weights_only=False))
        self.noise = torch.Generator().manual_seed(plan.seed + self.steps)
        self.forward = torch.compile(self.model, dynamic=False) if plan.compile else self.model

    def step(self, dataset: Dataset, batch: Batch) -> float:
        """One update; gives the loss."""
        plan = self.plan
        done = self.seconds / (plan.minutes * 60)
        rate = plan.learning_rate * min(1, (self.steps + 1) / plan.warm_up_steps)
        rate *= 1 if done < 0.3 else max(0.02, 0.5 + 0.5 * math.cos(math.pi * (done - 0.3) / 0.7))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        clean = self.model.to_latents(batch.patches)
        text, mask, pooled, bpm, key = dataset.conditions(batch, self.noise)
        drop = torch.rand(len(clean), generator=self.noise) < plan.text_dropout
        text = torch.where(drop[:, None, None], self.model.no_text, text)
        mask = torch.where(drop[:, None], torch.arange(mask.shape[1]) == 0, mask)
        pooled = torch.where(drop[:, None], self.model.no_pooled_text, pooled)
        sigma = torch.sigmoid(torch.randn(len(clean), generator=self.noise) + 0.9)
        noise = torch.randn(clean.shape, generator=self.noise)
        noisy = torch.lerp(clean, noise, sigma[:, None, None])
        with torch.autocast("cpu", torch.bfloat16):
            predicted = self.forward(noisy, sigma, text, mask, pooled, bpm, key)
        error = (predicted.float() - clean).square().mean((1, 2))
        loss = (error / sigma.square().clamp_min(0.1)).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps += 1
        self.samples += len(clean)
        decay = min(plan.ema, (1 + self.steps) / (12 + self.steps))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - decay)
        return float(loss.detach())

    def save(self) -> None:
        """Checkpoint and averaged weights, each whole or not at all."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "steps": self.steps,
            "samples": self.samples,
            "seconds": self.seconds,
            "chance": self.chance.getstate(),
        }
        with write_whole(self.folder / "checkpoint.pt") as file:
            torch.save(state, file)
        self.average.save_pretrained(self.folder / "transformer")

    def _load(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.steps, self.samples, self.seconds = state["steps"], state["samples"], state["seconds"]
        self.chance.setstate(state["chance"])


def _any_row(dataset: Dataset) -> tuple[int, list[int]]:
    return next(iter(dataset.facts)), [0]


def _fit_basis(model: RiffTransformer, dataset: Dataset, chance: random.Random) -> None:
    """Mean, scale, principal components and their variances of the patches, from some 2,000 examples."""
    rows = [
        dataset.batch(bars, chance.sample(range(len(facts)), min(len(facts), max(1, 1200 // bars)))).patches
        for bars, facts in sorted(dataset.facts.items())
    ]
    patches = torch.cat([patch.flatten(0, 1) for patch in rows]).double()
    mean = patches.mean(0)
    scale = (patches - mean).square().mean().sqrt()
    centred = (patches - mean) / scale
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
    size = model.config.latent_size
    kept = values.flip(0)[:size]
    log.info("%d components keep %.4f of the variance", size, float(kept.sum() / values.sum()))
    for buffer, value in (
        (model.patch_mean, mean),
        (model.patch_scale, scale),
        (model.basis, vectors.flip(1)[:, :size]),
        (model.latent_variance, kept),
    ):
        buffer.copy_(value)


def _held_out_batches(dataset: Dataset) -> list[Batch]:
    """Up to 32 examples of each length, spread over the files."""
    return [
        dataset.batch(bars, list(range(0, len(facts), max(1, len(facts) // 32)))[:32])
        for bars, facts in sorted(dataset.facts.items())
    ]


@torch.no_grad()
def _score(model: RiffTransformer, dataset: Dataset, batches: list[Batch]) -> dict[str, float]:
    """Mean squared error of the clean latents, per value of the picture, by share of signal."""
    scores = {}
    for signal in (0.1, 0.3, 0.5, 0.7, 0.9):
        generator, errors = torch.Generator().manual_seed(1), []
        for batch in batches:
            clean = model.to_latents(batch.patches)
            noise = torch.randn(clean.shape, generator=generator)
            noisy = torch.lerp(clean, noise, 1 - signal)
            sigma = torch.full((len(clean),), 1 - signal)
            error = model(noisy, sigma, *dataset.conditions(batch)) - clean
            errors.append(float(error.square().sum() / (clean.shape[0] * clean.shape[1])))
        scores[str(signal)] = round(sum(errors) / len(errors) / model.config.patch_size, 5)
    return scores
