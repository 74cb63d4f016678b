"""Learning a style: a LoRA (Hu et al., 2021, "LoRA: Low-Rank Adaptation") on loops of somebody's own, on a CPU too.

The loss is that of training. Chance is drawn afresh from the seed and the step's number, and a checkpoint holds the
adapter and the optimizer, so a run that was killed goes on to the very weights that it would have come to. A model
that has learnt what guidance does is told scales like those of its distillation, each with the loop itself as the
target: a style has to be heard at whatever scale is asked for.
"""

import contextlib
import hashlib
import json
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from peft import LoraConfig

from generation.audio.export import wav
from generation.audio.picture import spectrogram_png
from generation.corpus.folder import TaggedLoop
from generation.engine import Renderer
from generation.errors import InvalidRequest, RiffError
from generation.files import write_whole
from generation.models.shipped import LoadedModel
from generation.models.styles import RECORD, Style, StyleShelf
from generation.models.transformer import UNKNOWN_KEY
from generation.prompt import STYLE_NAME
from generation.request import METRES, RiffRequest
from generation.training.dataset import Batch, Dataset, Example, write_examples
from generation.training.objective import add_noise, flow_loss, predict, without_text
from generation.training.train import MAX_GUIDANCE

# Attention over loop and text and the feed-forward of every layer; how latents come in and go out; what modulates them.
ADAPTED = (
    "query_key_value",
    "text_key_value",
    "attended",
    "up",
    "down",
    "enter",
    "leave",
    "modulation.1",
    "last_modulation",
)
_ADAPTER = "learnt"
_PLAIN_SHARE = 0.25  # of the rows are told a guidance scale of 1
_MOMENT_STEPS = 10
_SAMPLE_PROMPTS = ("church bells", "lofi drums", "warm strings")
_LONGEST_PROMPT = 240


class StyleBegun(RiffError):
    """A style of this name was begun with other loops or settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetunePlan:
    """Settings of a run, which ends after `minutes` of learning over all sessions or after `steps`, if there are any.

    The same loops, settings and number of steps give the same weights. `tokens` is sixteenths per batch; the learning
    rate stands still for `plateau` of the time and then sinks along a cosine. Raises InvalidRequest for a name that is
    none.
    """

    name: str
    minutes: float = math.inf
    steps: float = math.inf
    rank: int = 8
    seed: int = 0
    learning_rate: float = 6e-3
    plateau: float = 0.3
    warm_up_steps: int = 20
    tokens: int = 256
    text_dropout: float = 0.12
    noise_mean: float = 1.6
    checkpoint_seconds: float = 5.0

    def __post_init__(self) -> None:
        if not STYLE_NAME.fullmatch(self.name):
            raise InvalidRequest(
                "name", "The name of a style has 1 to 32 characters: small letters, digits, - and _."
            )


@dataclass(frozen=True, slots=True)
class Moment:
    """How far a run is: `loss` is the mean of the last ten steps, `done` the share of the run that lies behind."""

    step: int
    minutes: float
    loss: float
    done: float


def finetune(
    model: LoadedModel,
    loops: list[TaggedLoop],
    shelf: StyleShelf,
    plan: FinetunePlan,
    on_progress: Callable[[Moment], None] | None = None,
) -> Style:
    """Learn a style from loops and put it on the shelf; a run that was interrupted goes on.

    Beside the weights stand `learning.json` with the loss every ten steps and `learning/` with what is needed to go on.
    Raises StyleBegun when the name was given to other loops or settings, and StorageFull.
    """
    return _Run(model, loops, shelf.folder / plan.name, plan).learn(shelf, on_progress)


def render_samples(engine: Renderer, style: Style, loops: list[TaggedLoop], folder: Path) -> list[Path]:
    """Three riffs without and with a style, as WAV and PNG in `folder`/before and /after; gives the WAVs' paths.

    Two are of captions that it has learnt, one is of none of them.
    """
    requests = _requests(loops)
    worn = [replace(request, prompt=f"style:{style.name} {request.prompt}") for request in requests]
    return [
        _sample(engine, request, folder / side)
        for side, wanted in (("before", requests), ("after", worn))
        for request in wanted
    ]


class _Run:
    """A run: its loops as examples, and its state as the checkpoint keeps it."""

    def __init__(self, model: LoadedModel, loops: list[TaggedLoop], folder: Path, plan: FinetunePlan) -> None:
        self.model, self.plan, self.folder, self.work = model, plan, folder, folder / "learning"
        self.transformer = model.pipeline.transformer
        self.steps, self.seconds = 0, 0.0
        self.losses: list[tuple[int, float]] = []
        examples = [_example(loop) for loop in loops]
        self.identity = _identity(examples, model.model_id, plan)
        self.checkpoint = self.work / "checkpoint.pt"
        self.state = self._read()
        self.work.mkdir(parents=True, exist_ok=True)
        file = self.work / "loops.npz"
        write_examples(file, examples)
        self.dataset = Dataset(self.work, [file])
        self.captions = tuple(dict.fromkeys(loop.caption for loop in loops))

    def learn(self, shelf: StyleShelf, on_progress: Callable[[Moment], None] | None) -> Style:
        """Go on from the checkpoint to the run's end, and put the adapter on the shelf; the model is plain again."""
        config = LoraConfig(r=self.plan.rank, lora_alpha=self.plan.rank, target_modules=list(ADAPTED))
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.plan.seed)
                self.transformer.add_adapter(config, _ADAPTER)
            self.weights = [value for value in self.transformer.parameters() if value.requires_grad]
            self.optimizer = torch.optim.AdamW(
                self.weights, lr=self.plan.learning_rate, betas=(0.9, 0.95), weight_decay=0.0
            )
            if self.state is not None:
                self._restore(self.state)
            self._go_on(on_progress)
            style = Style(
                name=self.plan.name,
                model=self.model.model_id,
                rank=self.plan.rank,
                loops=len(self.dataset),
                captions=self.captions,
                steps=self.steps,
                sha256="",
            )
            self._write_history()
            return shelf.save(self.transformer, _ADAPTER, style)
        finally:
            self.transformer.unload_lora()

    def _go_on(self, on_progress: Callable[[Moment], None] | None) -> None:
        recent: list[float] = []
        saved = -math.inf  # the first moment is saved, so that a full disk is noticed at once
        while self._done < 1:
            started = time.monotonic()
            recent.append(self._step())
            self.seconds += time.monotonic() - started
            if self.steps % _MOMENT_STEPS and self._done < 1:
                continue
            loss = round(sum(recent) / len(recent), 5)
            recent.clear()
            self.losses.append((self.steps, loss))
            if self.seconds - saved >= self.plan.checkpoint_seconds or self._done >= 1:
                self._save()
                saved = self.seconds
            if on_progress:
                on_progress(Moment(self.steps, self.seconds / 60, loss, min(1.0, self._done)))

    def _step(self) -> float:
        """One update; gives the loss."""
        chance = torch.Generator().manual_seed(self.plan.seed * 1_000_003 + self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        batch = self._batch(chance)
        rows = len(batch.patches)
        told = self.dataset.conditions(batch, chance)
        drop = torch.rand(rows, generator=chance) < self.plan.text_dropout
        clean = self.transformer.to_latents(batch.patches)
        noisy, sigma = add_noise(clean, self.plan.noise_mean, chance)
        scale = None
        if self.transformer.config.guided:
            draw = torch.rand(2, rows, generator=chance)
            scale = torch.where(draw[0] < _PLAIN_SHARE, torch.ones(()), MAX_GUIDANCE ** draw[1])
        told = without_text(self.transformer, told, drop)
        loss = flow_loss(predict(self.transformer, noisy, sigma, told, scale), clean, sigma)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps += 1
        return float(loss.detach())

    def _batch(self, chance: torch.Generator) -> Batch:
        """Loops of one length, drawn afresh each time, each turned by a whole number of bars."""
        lengths = sorted(self.dataset.facts)
        shares = torch.tensor([float(len(self.dataset.facts[length])) for length in lengths])
        length = lengths[int(torch.multinomial(shares, 1, generator=chance))]
        bar = METRES[length[0]]
        rows = max(1, self.plan.tokens // (bar * length[1]))
        chosen = torch.randint(len(self.dataset.facts[length]), (rows,), generator=chance).tolist()
        turns = torch.randint(length[1], (rows,), generator=chance).tolist()
        batch = self.dataset.batch(length, chosen)
        turned = [patches.roll(turn * bar, 0) for patches, turn in zip(batch.patches, turns, strict=True)]
        return replace(batch, patches=torch.stack(turned))

    @property
    def _done(self) -> float:
        return max(self.seconds / 60 / self.plan.minutes, self.steps / self.plan.steps)

    def _learning_rate(self) -> float:
        plan, done = self.plan, self._done
        rate = plan.learning_rate * min(1, (self.steps + 1) / plan.warm_up_steps)
        if done < plan.plateau:
            return rate
        return rate * max(0.02, 0.5 + 0.5 * math.cos(math.pi * (done - plan.plateau) / (1 - plan.plateau)))

    def _save(self) -> None:
        state = {
            "identity": self.identity,
            "weights": [value.detach() for value in self.weights],
            "optimizer": self.optimizer.state_dict(),
            "steps": self.steps,
            "seconds": self.seconds,
            "losses": self.losses,
        }
        with write_whole(self.checkpoint) as file:
            torch.save(state, file)

    def _write_history(self) -> None:
        curve = [{"step": step, "loss": loss} for step, loss in self.losses]
        record = {"minutes": round(self.seconds / 60, 2), "seed": self.plan.seed, "loss": curve}
        with write_whole(self.folder / "learning.json") as file:
            file.write(json.dumps(record, indent=1).encode() + b"\n")

    def _read(self) -> dict[str, Any] | None:
        """The checkpoint, if there is one; raises StyleBegun where it is of another run."""
        if not self.folder.exists():
            return None
        state: dict[str, Any] = {}
        if self.checkpoint.exists():
            with contextlib.suppress(OSError, RuntimeError, ValueError, UnpicklingError):
                state = torch.load(self.checkpoint, weights_only=True)
        elif not (self.folder / RECORD).exists():
            return None
        if state.get("identity") != self.identity:
            raise StyleBegun(
                f"The style “{self.plan.name}” was begun with other loops, rank, seed or model: choose another name, "
                f"or delete {self.folder} to learn it anew."
            )
        return state

    def _restore(self, state: dict[str, Any]) -> None:
        with torch.no_grad():
            for weights, kept in zip(self.weights, state["weights"], strict=True):
                weights.copy_(kept)
        self.optimizer.load_state_dict(state["optimizer"])
        self.steps, self.seconds = state["steps"], state["seconds"]
        self.losses = [(step, loss) for step, loss in state["losses"]]


def _example(loop: TaggedLoop) -> Example:
    key = UNKNOWN_KEY if loop.key is None else loop.key.tonic * 2 + loop.key.minor
    return Example(loop.spectrogram, loop.caption, loop.bpm or math.nan, loop.metre, key, seed=0)


def _identity(examples: list[Example], model_id: str, plan: FinetunePlan) -> str:
    """A digest of what a run learns from and of the settings that its checkpoint is only good for."""
    facts = [(item.caption, item.bpm, item.metre, item.key) for item in examples]
    settings = [model_id, plan.rank, plan.seed, plan.learning_rate, plan.tokens, plan.text_dropout]
    digest = hashlib.sha256(json.dumps([facts, settings]).encode())
    for item in examples:
        digest.update(item.spectrogram.level.tobytes() + item.spectrogram.stereo.tobytes())
    return digest.hexdigest()


def _requests(loops: list[TaggedLoop]) -> list[RiffRequest]:
    """Two of the captions, as their loops are, and what is none of them."""
    first = {loop.caption: loop for loop in reversed(loops)}
    captions = list(dict.fromkeys([loops[0].caption, loops[-1].caption]))
    others = [prompt for prompt in _SAMPLE_PROMPTS if prompt not in first]
    return [
        RiffRequest.parse(
            # What is a mark in a prompt is none in a caption.
            prompt=re.sub(r"[:()\[\]\\]+", " ", prompt)[:_LONGEST_PROMPT],
            bars=loop.spectrogram.sixteenths // METRES[loop.metre],
            bpm=loop.bpm and round(loop.bpm, 2),
            metre=loop.metre,
            key=loop.key and str(loop.key),
            seed=0,
        )
        for prompt in [*captions, *others][:3]
        for loop in [first.get(prompt, loops[0])]
    ]


def _sample(engine: Renderer, request: RiffRequest, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    take = engine.render(request).takes[0]
    target = folder / f"{request.name}.wav"
    for path, content in ((target.with_suffix(".png"), spectrogram_png(take)), (target, wav(take))):
        with write_whole(path) as file:
            file.write(content)
    return target
