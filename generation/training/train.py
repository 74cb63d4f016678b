"""Training the RiffTransformer: flow matching with clean-picture prediction, resumable at any moment.

The run is measured in minutes of training, so that it ends on time on whatever machine it runs; a checkpoint holds
everything that the next session needs to go on as if nothing had happened. With a teacher, the run distils it: the
target is what the teacher says under classifier-free guidance of a random scale (Meng et al., 2023).
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
from torch import Tensor

from generation.files import write_whole
from generation.models.transformer import RiffTransformer
from generation.training.dataset import Batch, Dataset
from generation.training.objective import add_noise, flow_loss, guided, predict, without_text

log = logging.getLogger(__name__)

# Distillation draws guidance scales from 1 to this, evenly in their logarithm, and 1 itself for a tenth of the rows.
MAX_GUIDANCE = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """Settings of a run.

    `minutes` is time spent training, over all sessions, `steps` a number of updates: what is reached first ends the
    run. `tokens` is sixteenths per batch. `start` is the folder of a
    transformer to go on from, `teacher` of one to distil; without them the run starts from nothing. The learning
    rate stands still for `plateau` of the time and then sinks to nearly nothing along a cosine. Noise levels are
    sigmoid(N(noise_mean, 1)): sampling spends half of its steps above 0.9.
    """

    minutes: float
    steps: int | None = None
    start: Path | None = None
    teacher: Path | None = None
    tokens: int = 1024
    learning_rate: float = 8e-4
    plateau: float = 0.3
    warm_up_steps: int = 200
    ema: float = 0.999
    text_dropout: float = 0.12
    noise_mean: float = 1.6
    latent_size: int = 320
    width: int = 320
    depth: int = 6
    heads: int = 5
    compile: bool = True
    device: str = "cpu"
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

    The examples of every twentieth file are held out. The averaged weights stand in `folder`/transformer at each
    checkpoint, ready to be used.
    """
    files = sorted(data.glob("loops-*.npz"))
    kept_back = files[19::20] or files[-1:]
    held_out = Dataset(data, kept_back, plan.device)
    dataset = Dataset(data, [file for file in files if file not in kept_back], plan.device)
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(dataset, folder, plan)
    checks = _held_out_batches(held_out)
    log.info("%d examples, %d parameters", len(dataset), sum(p.numel() for p in run.model.parameters()))
    losses: list[Tensor] = []
    saved = run.seconds
    batches = dataset.batches(plan.tokens, run.chance)
    while run.done < 1:
        started = time.monotonic()
        losses.append(run.step(dataset, next(batches)))
        if run.steps % 25 == 0:
            losses[-1].item()  # a GPU is only done now, and its time counts
        run.seconds += time.monotonic() - started
        if run.steps % 25 == 0 or run.done >= 1:
            checkpoint = run.seconds - saved >= plan.checkpoint_minutes * 60 or run.done >= 1
            scores = run.score(held_out, checks) if checkpoint else None
            if checkpoint:
                run.save()
                saved = run.seconds
            loss = float(torch.stack(losses).mean())
            moment = Moment(run.steps, run.samples, run.seconds / 60, loss, scores)
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
        self.teacher = _read(plan.teacher, plan) if plan.teacher else None
        origin = plan.start or plan.teacher
        if origin:
            self.model = _read(origin, plan).train()
        else:
            patch_size = next(iter(dataset.pictures.values())).shape[-1]
            self.model = RiffTransformer(patch_size, plan.latent_size, plan.width, plan.depth, plan.heads)
            _fit_basis(self.model, dataset, random.Random(plan.seed))
            self.model.to(plan.device)
        if self.teacher:
            self.model.register_to_config(guided=True)
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
            self._load(torch.load(folder / "checkpoint.pt", map_location=plan.device, weights_only=False))
        self.noise = torch.Generator(plan.device).manual_seed(plan.seed + self.steps)
        if plan.compile:
            # One graph per length and metre: a layer takes seconds to compile, the whole model a minute each.
            torch._dynamo.config.recompile_limit = 64
            for model in filter(None, (self.model, self.teacher)):
                model.compile_repeated_blocks(dynamic=False)

    def step(self, dataset: Dataset, batch: Batch) -> Tensor:
        """One update; gives the loss, still on its device."""
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        clean = self.model.to_latents(batch.patches)
        told = dataset.conditions(batch, self.noise)
        rows = len(clean)
        drop = torch.rand(rows, generator=self.noise, device=clean.device) < self.plan.text_dropout
        heard = without_text(self.model, told, drop)
        noisy, sigma = add_noise(clean, self.plan.noise_mean, self.noise)
        scale, target = None, clean
        with torch.autocast(clean.device.type, torch.bfloat16):
            if self.teacher:
                draw = torch.rand(2, rows, generator=self.noise, device=clean.device)
                scale = torch.where(drop | (draw[0] < 0.1), torch.ones(()), MAX_GUIDANCE ** draw[1])
                target = guided(self.teacher, noisy, sigma, heard, scale)
            predicted = predict(self.model, noisy, sigma, heard, scale)
        loss = flow_loss(predicted, target, sigma)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps += 1
        self.samples += rows
        decay = min(self.plan.ema, (1 + self.steps) / (12 + self.steps))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - decay)
        return loss.detach()

    @torch.no_grad()
    def score(self, dataset: Dataset, batches: list[Batch]) -> dict[str, float]:
        """Held-out mean squared error of the averaged weights, per value of the picture, by share of signal.

        Against the clean picture, or in a distillation against the teacher at a guidance scale of 3.5.
        """
        scores = {}
        for signal in (0.1, 0.3, 0.5, 0.7, 0.9):
            generator, errors = torch.Generator().manual_seed(1), []
            for batch in batches:
                clean = self.average.to_latents(batch.patches)
                told, target, scale = dataset.conditions(batch), clean, None
                noise = torch.randn(clean.shape, generator=generator).to(clean.device)
                noisy = torch.lerp(clean, noise, 1 - signal)
                sigma = torch.full((len(clean),), 1 - signal, device=clean.device)
                if self.teacher:
                    scale = torch.full_like(sigma, 3.5)
                    target = guided(self.teacher, noisy, sigma, told, scale)
                error = predict(self.average, noisy, sigma, told, scale) - target
                errors.append(float(error.square().sum() / (clean.shape[0] * clean.shape[1])))
            scores[str(signal)] = round(sum(errors) / len(errors) / self.average.config.patch_size, 5)
        return scores

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

    @property
    def done(self) -> float:
        """Share of the run that lies behind, 1 at its end."""
        return max(self.seconds / (self.plan.minutes * 60), self.steps / (self.plan.steps or math.inf))

    def _learning_rate(self) -> float:
        plan, done = self.plan, self.done
        rate = plan.learning_rate * min(1, (self.steps + 1) / plan.warm_up_steps)
        if done < plan.plateau:
            return rate
        return rate * max(0.02, 0.5 + 0.5 * math.cos(math.pi * (done - plan.plateau) / (1 - plan.plateau)))

    def _load(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.steps, self.samples, self.seconds = state["steps"], state["samples"], state["seconds"]
        self.chance.setstate(state["chance"])


def _read(folder: Path, plan: TrainingPlan) -> RiffTransformer:
    model = RiffTransformer.from_pretrained(folder, torch_dtype=torch.float32, low_cpu_mem_usage=False)
    return model.to(plan.device).eval()  # type: ignore[no-any-return]


def _fit_basis(model: RiffTransformer, dataset: Dataset, chance: random.Random) -> None:
    """Mean, scale, principal components and their variances of the patches, from some 2,000 examples."""
    samples = []
    for length, facts in sorted(dataset.facts.items()):
        rows = chance.sample(range(len(facts)), min(len(facts), max(1, 1200 // length[1])))
        samples.append(dataset.batch(length, rows).patches.flatten(0, 1).cpu())
    patches = torch.cat(samples).double()
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
        dataset.batch(length, list(range(0, len(facts), max(1, len(facts) // 32)))[:32])
        for length, facts in sorted(dataset.facts.items())
    ]
