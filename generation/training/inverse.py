"""Training the network that the codec guesses magnitudes with, resumable at any moment.

python -m generation.training.inverse CORPUS ... --out FOLDER [--minutes 76]

It needs no scores, only sounds: random stems of a corpus's loops, bent in every way that makes rendered music more
like music that was recorded (played faster or slower, mixed, driven, filtered, with noise and band limits), cut to a
short circle. Most of the run learns magnitudes; the last part hears what Griffin-Lim makes of them.
"""

import argparse
import copy
import io
import json
import logging
import math
import random
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from generation.files import write_whole
from generation.request import SAMPLE_RATE
from generation.spectrogram import SpectrogramCodec
from generation.spectrogram.codec import DYNAMIC_RANGE_DB
from generation.spectrogram.inverse import BandInverse, save_inverse

log = logging.getLogger(__name__)

WEIGHTS = "inverse.safetensors"
_FRAMES = 96
_FLOOR = 10 ** (-DYNAMIC_RANGE_DB / 10)
_DB = 10 / math.log(10)
_WINDOWS = {2048: 0.5, 1024: 0.25, 4096: 0.25}

Signal = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class InversePlan:
    """Settings of a run. `minutes` is time spent training, over all sessions; `heard` the share with Griffin-Lim."""

    minutes: float
    batch: int = 6
    learning_rate: float = 2e-3
    warm_up_steps: int = 100
    heard: float = 0.15
    iterations: int = 4
    ema: float = 0.999
    seed: int = 0
    checkpoint_minutes: float = 2.0


@dataclass(frozen=True, slots=True)
class Moment:
    """How far a run is; `decibels` is the mean difference of the log magnitudes since the last one."""

    step: int
    minutes: float
    loss: float
    decibels: float


def train(corpora: Sequence[Path], folder: Path, plan: InversePlan) -> Iterator[Moment]:
    """Train on the sounds of corpora, keep checkpoint, log and weights in `folder`; yields every 50 steps."""
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(folder, plan)
    # A session goes on with other examples than the ones that the last one began with.
    shards = [shard for corpus in corpora for shard in sorted(corpus.glob("loops-*.npz"))]
    source = LoopSource(shards, plan.seed + run.steps)
    noted: list[tuple[float, float]] = []
    saved = run.seconds
    while run.seconds < plan.minutes * 60:
        started = time.monotonic()
        noted.append(run.step(source))
        run.seconds += time.monotonic() - started
        over = run.seconds >= plan.minutes * 60
        if over or run.seconds - saved >= plan.checkpoint_minutes * 60:
            run.save()
            saved = run.seconds
        if over or run.steps % 50 == 0:
            loss, decibels = np.mean(noted, 0)
            moment = Moment(run.steps, run.seconds / 60, float(loss), float(decibels))
            with (folder / "log.jsonl").open("a") as file:
                file.write(json.dumps({name: getattr(moment, name) for name in Moment.__slots__}) + "\n")
            noted.clear()
            yield moment


class _Run:
    """The state of a run, as its checkpoint keeps it."""

    def __init__(self, folder: Path, plan: InversePlan) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.folder, self.codec = plan, folder, SpectrogramCodec()
        self.steps, self.seconds = 0, 0.0
        self.model = BandInverse(self.codec.bands, self.codec.window_length // 2 + 1)
        self.average = copy.deepcopy(self.model).eval()
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=plan.learning_rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True
        )
        if (folder / "checkpoint.pt").exists():
            state = torch.load(folder / "checkpoint.pt", weights_only=True)
            self.steps, self.seconds = state["steps"], state["seconds"]
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])

    def step(self, source: "LoopSource") -> tuple[float, float]:
        """One update; gives the loss and the log magnitudes' mean difference in dB."""
        plan, codec = self.plan, self.codec
        done = self.seconds / (plan.minutes * 60)
        rate = plan.learning_rate * min(1, (self.steps + 1) / plan.warm_up_steps)
        rate *= 1 if done < 0.3 else max(0.02, (1 - done) / 0.7)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        example = source.example(codec, plan.batch)
        with torch.autocast("cpu", torch.bfloat16):
            correction = self.model(example.level, example.hop)
        power = codec.corrected(example.level, correction.float())
        with torch.autocast("cpu", torch.bfloat16):
            power = codec.meet_bands(example.level, power, 2)
        decibels, loss = _magnitude_loss(power, example.power)
        if done > 1 - plan.heard:
            angles = math.tau * torch.rand(power.shape)
            spectrum = codec.griffin_lim((power + 1e-12).sqrt(), angles, example.hop, plan.iterations)
            heard = codec.synthesise(spectrum, example.hop)
            loss = 0.3 * loss + _heard_loss(heard, example.audio)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.steps += 1
        decay = min(plan.ema, (1 + self.steps) / (12 + self.steps))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - decay)
        return float(loss.detach()), float(decibels.detach())

    def save(self) -> None:
        """Checkpoint and averaged weights, each whole or not at all."""
        state = {
            "steps": self.steps,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        with write_whole(self.folder / "checkpoint.pt") as file:
            torch.save(state, file)
        save_inverse(self.average, self.folder / WEIGHTS, self.codec.name)


@dataclass(frozen=True, slots=True)
class Example:
    """A batch of short circles.

    `level` (batch, frames, bands) in 0..1, `power` (batch, frames, bins) and `audio` (batch, samples) on the scale on
    which level 1 is 1, `hop` in samples.
    """

    hop: int
    level: Tensor
    power: Tensor
    audio: Tensor


class LoopSource:
    """All stems of a corpus in memory, and circles of them as no renderer plays them."""

    def __init__(self, shards: list[Path], seed: int) -> None:
        self._chance, self._noise = random.Random(seed), np.random.default_rng(seed)
        self._loops = [stems for shard in shards for stems in _read_stems(shard)]

    def example(self, codec: SpectrogramCodec, batch: int) -> Example:
        """Circles of one tempo from 40 to 240 bpm, seen as the codec sees them: in 8 bits, now and then blurred."""
        chance = self._chance
        low, high = (64, 190) if chance.random() < 0.75 else (40, 240)
        bpm = math.exp(chance.uniform(math.log(low), math.log(high)))
        between = 15 * SAMPLE_RATE / bpm / codec.frames_per_sixteenth
        step = math.ceil(between / (codec.window_length / 3))
        hop = round(between / step)
        audio = torch.from_numpy(np.stack([self._circle(_FRAMES * hop) for _ in range(batch)]))
        spectrum = torch.fft.rfft(codec.frames(audio, hop)) / codec.window.square().sum().sqrt()
        power = spectrum.real.square() + spectrum.imag.square()
        bands = power @ codec.filters.T
        # A stretch of a loop is rarely its loudest.
        faintness = torch.tensor([10 ** (-abs(chance.gauss(0, 5)) / 10) for _ in range(batch)])
        scale = (faintness / bands.amax((1, 2)))[:, None, None]
        level = (10 / DYNAMIC_RANGE_DB) * torch.log10(bands * scale + 1e-20) + 1
        level = self._blurred(codec.between(level[:, ::step].clamp(0, 1), step)[:, :_FRAMES])
        level = torch.round(level.clamp(0, 1) * 255) / 255
        return Example(hop, level, power * scale, audio * scale[:, :, 0].sqrt())

    def _blurred(self, level: Tensor) -> Tensor:
        """Generated pictures are a little noisier and softer than ones of sounds."""
        rows = []
        for row in level:
            if self._chance.random() < 0.4:
                noise = self._noise.standard_normal(row.shape, np.float32)
                row = row + self._chance.uniform(0, 0.012) * torch.from_numpy(noise)
            if self._chance.random() < 0.2:
                beside = (row.roll(1, 0) + row.roll(-1, 0)) / 2
                row = torch.lerp(row, beside, self._chance.uniform(0, 0.25))
            rows.append(row)
        return torch.stack(rows)

    def _circle(self, samples: int) -> Signal:
        fade = min(4096, samples // 4)
        length = samples + fade
        while float(np.abs(sound := self._stretch(length)).max()) < 1e-3:
            pass
        if self._chance.random() < 0.25:
            sound = sound + self._gain(-10, 3) * self._stretch(length)
        sound = self._filtered(self._with_noise(self._driven(sound)))
        rise = np.linspace(0, np.pi / 2, fade, dtype=np.float32)
        circle = sound[fade:].copy()
        circle[-fade:] = circle[-fade:] * np.cos(rise) + sound[:fade] * np.sin(rise)
        return np.asarray(circle / (np.abs(circle).max() + 1e-9), dtype=np.float32)

    def _stretch(self, length: int) -> Signal:
        """Some stems of a loop from a random place on, one side or both, now and then faster or slower."""
        chance = self._chance
        loop = chance.choice(self._loops)
        stems = [stem for stem in loop if chance.random() < 0.7] or [chance.choice(loop)]
        speed = math.exp(chance.uniform(-0.35, 0.35)) if chance.random() < 0.4 else 1.0
        first = chance.randrange(len(loop[0]))
        side = np.array(chance.choice([(1, 0), (0, 1), (0.5, 0.5), (0.5, 0.5)]), np.float32)
        place = np.arange(first, first + int(length * speed) + 2) % len(loop[0])
        sound = np.zeros(len(place), np.float32)
        for stem in stems:
            sound += (stem[place] @ side) * np.float32(10 ** (chance.gauss(0, 5) / 20) / 32768)
        if speed == 1:
            return sound[:length]
        position = np.arange(length) * speed
        whole = position.astype(int)
        part = (position - whole).astype(np.float32)
        return np.asarray(sound[whole] * (1 - part) + sound[whole + 1] * part, np.float32)

    def _driven(self, sound: Signal) -> Signal:
        if self._chance.random() >= 0.25:
            return sound
        if self._chance.random() < 0.2:
            return np.asarray(sound + np.abs(sound) * np.float32(self._chance.random()), np.float32)
        drive = 10 ** self._chance.uniform(-0.3, 1.3)
        loudness = float(np.sqrt(np.square(sound).mean())) + 1e-6
        return np.asarray(np.tanh(sound * (drive / loudness)) * loudness, np.float32)

    def _with_noise(self, sound: Signal) -> Signal:
        """White to pink noise, steady or in pulses that die away."""
        if self._chance.random() >= 0.35:
            return sound
        length = len(sound)
        frequency = np.fft.rfftfreq(length, 1 / SAMPLE_RATE) + 20
        colour = frequency ** -self._chance.uniform(0, 1)
        noise = np.fft.irfft(np.fft.rfft(self._noise.standard_normal(length)) * colour, length)
        noise /= noise.std()
        if self._chance.random() < 0.5:
            period = int(SAMPLE_RATE * self._chance.uniform(0.08, 0.6))
            since = (np.arange(length) + self._chance.randrange(period)) % period
            noise *= np.exp(-since / (SAMPLE_RATE * self._chance.uniform(0.01, 0.2)))
        loudness = np.sqrt(np.square(sound).mean())
        return np.asarray(sound + noise * (loudness * self._gain(-60, -6)), np.float32)

    def _filtered(self, sound: Signal) -> Signal:
        """Another tone: bent within some dB per octave, and the upper limit of a lossy file or an old tape."""
        chance = self._chance
        if chance.random() >= 0.65:
            return sound
        length = len(sound)
        frequency = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
        knots = np.log2([30, 100, 300, 1000, 3000, 8000, 16_000, 22_050])
        bend = self._noise.normal(0, chance.choice([3, 6, 9]), 8) + np.linspace(0, chance.uniform(-6, 14), 8)
        response = 10 ** (np.interp(np.log2(frequency + 30), knots, bend) / 20)
        if chance.random() < 0.45:
            limit, steepness = chance.uniform(3500, 20_500), chance.choice([4, 16, 80, 200])
            response *= 1 / np.sqrt(
                1 + np.minimum(frequency / limit, 10 ** (150 / steepness)) ** (2 * steepness)
            )
        if chance.random() < 0.1:
            response *= 1 / (1 + (chance.uniform(40, 1500) / (frequency + 1)) ** 2)
        return np.asarray(np.fft.irfft(np.fft.rfft(sound) * response, length), np.float32)

    def _gain(self, low: float, high: float) -> np.float32:
        """An amplitude between two levels in dB."""
        return np.float32(10 ** (self._chance.uniform(low, high) / 20))


def _read_stems(shard: Path) -> Iterator[list[NDArray[np.int16]]]:
    """The stems of each loop of a shard, (samples, 2) each; what they play does not matter here."""
    with zipfile.ZipFile(shard) as members:
        loops: dict[str, list[str]] = {}
        for name in members.namelist():
            if name.endswith(".npy"):
                loops.setdefault(name.split("/")[0], []).append(name)
        for names in loops.values():
            yield [np.lib.format.read_array(io.BytesIO(members.read(name))) for name in names]


def _magnitude_loss(found: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Mean difference of log powers in dB, and the loss: it and the magnitudes' own relative errors."""
    floor = _FLOOR * wanted.amax((1, 2), keepdim=True)
    decibels = _DB * ((found + floor).log() - (wanted + floor).log()).abs().mean()
    found, wanted = (found + 1e-14).sqrt(), (wanted + 1e-14).sqrt()
    apart = found - wanted
    linear = (apart.abs().sum((1, 2)) / wanted.sum((1, 2))).mean()
    square = (apart.square().sum((1, 2)).sqrt() / wanted.square().sum((1, 2)).sqrt()).mean()
    return decibels, decibels / _DB + 0.7 * (linear + square)


def _heard_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """The same of signals (batch, samples), on STFTs of three windows (Yamamoto et al., 2020, "Parallel WaveGAN")."""
    loss = torch.zeros(())
    for window, weight in _WINDOWS.items():
        mine, theirs = (_magnitudes(signal, window) for signal in (found, wanted))
        floor = math.sqrt(_FLOOR) * theirs.amax((1, 2), keepdim=True)
        loss = loss + weight * 2 * ((mine + floor).log() - (theirs + floor).log()).abs().mean()
        apart = (mine - theirs).square().sum((1, 2)).sqrt() / theirs.square().sum((1, 2)).sqrt()
        loss = loss + 0.5 / len(_WINDOWS) * apart.mean()
    return loss


def _magnitudes(signal: Tensor, window: int) -> Tensor:
    samples = signal.shape[1]
    around = torch.arange(samples + window) % samples
    frames = signal[:, around].unfold(1, window, window // 4) * torch.hann_window(window)
    spectrum = torch.fft.rfft(frames)
    magnitudes: Tensor = (spectrum.real.square() + spectrum.imag.square() + 1e-16).sqrt()
    return magnitudes


def main() -> None:
    """The shipped network: run it again to go on after an interruption."""
    parser = argparse.ArgumentParser()
    parser.add_argument("corpora", type=Path, nargs="+", help="folders that riff corpus filled")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, log and weights")
    parser.add_argument("--minutes", type=float, default=76, help="of training, over all sessions")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    for moment in train(given.corpora, given.out, InversePlan(minutes=given.minutes)):
        log.info(
            "%6.1f min, step %d, loss %.3f, %.2f dB",
            moment.minutes,
            moment.step,
            moment.loss,
            moment.decibels,
        )


if __name__ == "__main__":
    main()
