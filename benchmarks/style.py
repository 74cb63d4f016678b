"""`python -m benchmarks.style`: how far a style moves riffs towards the loops that it is learnt from, and how soon.

The loops are gongs and kettles, struck metal with partials that no instrument of the corpus has, synthesised here. A
loop's profile is, per band of its picture, the mean and spread of the level in dB under the loop's own loudness, and
how much it rises from frame to frame; the distance is the root mean square difference of a riff's profile and the mean
profile of loops of the same metal that were held out. Held-out loops' own distances say how near one can come.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generation.corpus.folder import TaggedLoop, Tags, cut
from generation.engine import Engine
from generation.judge.timing import machine
from generation.models.shipped import SHIPPED, load_model
from generation.models.styles import StyleShelf
from generation.models.text import TextEncoder
from generation.request import SAMPLE_RATE, RiffRequest, samples_of
from generation.spectrogram import SpectrogramCodec
from generation.training.finetune import FinetunePlan, finetune

PROMPTS = ("church bells", "lofi piano", "techno beat", "solo violin", "reggae bass and drums", "music box")
_CAPTIONS = (
    "gongs", "metal pattern", "kettles", "fast metal pattern", "gamelan", "bronze bars",
    "slow gongs", "bright kettles", "interlocking bars", "low gongs", "gongs and kettles", "ceremony",
)  # fmt: skip
_PARTIALS = ((1.0, 1.0), (1.52, 0.5), (2.76, 0.6), (3.97, 0.3), (5.4, 0.35))  # ratio, amplitude
_PITCHES_HZ = (110.0, 138.0, 147.0, 196.0, 208.0)
_FLOOR_DB = -60.0


def gongs(count: int, codec: SpectrogramCodec, bars: int = 4) -> list[TaggedLoop]:
    """Loops of one metal, each of its own pattern."""
    return [
        loop for number in range(count) for loop in cut(_gong_loop(number, bars), _gong_tags(number), codec)
    ]


def profile(level: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(3 * bands,) dB of a picture's level, (frames, bands)."""
    decibels = level.astype(np.float32) / 255 * 80 - 80
    decibels = np.maximum(decibels - 10 * np.log10((10 ** (decibels / 10)).mean()), _FLOOR_DB)
    rises = np.maximum(0, decibels - np.roll(decibels, 1, 0))
    return np.concatenate([decibels.mean(0), decibels.std(0), 4 * rises.mean(0)])


def distance(levels: list[NDArray[np.uint8]], centre: NDArray[np.float32]) -> float:
    """Mean distance in dB of pictures' profiles from a profile."""
    return float(np.mean([np.sqrt(np.square(profile(level) - centre).mean()) for level in levels]))


def _gong_tags(number: int) -> Tags:
    return Tags(_CAPTIONS[number % len(_CAPTIONS)], (80.0, 100.0, 120.0)[number % 3])


def _gong_loop(number: int, bars: int) -> NDArray[np.float32]:
    """(samples, 2): a figure of strokes over a low gong on each bar, its tails folded over its start."""
    tags, chance = _gong_tags(number), np.random.default_rng(number)
    assert tags.bpm is not None
    length = samples_of(16 * bars, tags.bpm)
    sound = np.zeros((length, 2), np.float32)
    every = 4 if {"slow", "low"} & {*tags.caption.split()} else 2
    strokes = [
        (
            place,
            float(chance.choice(_PITCHES_HZ)) * (4 if chance.random() < 0.4 else 2),
            0.12,
            0.5,
            float(chance.random()),
        )
        for place in range(0, 16 * bars, every)
    ]
    strokes += [(place, _PITCHES_HZ[0] / 2, 0.3, 1.5, 0.5) for place in range(0, 16 * bars, 16)]
    for place, hertz, loudness, decay, pan in strokes:
        time = np.arange(round(4 * decay * SAMPLE_RATE)) / SAMPLE_RATE
        stroke = sum(
            amplitude * np.sin(2 * np.pi * hertz * ratio * time) * np.exp(-time / decay * (1 + 0.4 * partial))
            for partial, (ratio, amplitude) in enumerate(_PARTIALS)
        )
        at = (round(place * length / (16 * bars)) + np.arange(len(time))) % length
        np.add.at(sound, at, loudness * np.stack([stroke * (1 - pan), stroke * pan], 1))
    return sound


def main() -> None:
    """Learn the style and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--rank", type=int, default=8)
    given = parser.parse_args()

    model = load_model(SHIPPED)
    loops = gongs(12, model.codec)
    heard, held_out = loops[:9], loops[9:]
    centre = np.mean([profile(loop.spectrogram.level) for loop in held_out], 0)
    with tempfile.TemporaryDirectory() as folder:
        shelf = StyleShelf(Path(folder))
        engine = Engine(model, TextEncoder(), shelf.folder)

        def riffs(style: str, prompts: tuple[str, ...]) -> list[NDArray[np.uint8]]:
            requests = [
                RiffRequest.parse(prompt=style + prompt, bars=2, bpm=100, seed=seed)
                for seed, prompt in enumerate(prompts)
            ]
            return [engine.render(request).takes[0].image for request in requests]

        plan = FinetunePlan(name="gongs", steps=given.steps, rank=given.rank)
        started, used = time.perf_counter(), time.process_time()
        losses: list[float] = []
        finetune(model, heard, shelf, plan, lambda moment: losses.append(moment.loss))
        spent, used = time.perf_counter() - started, time.process_time() - used
        own = tuple(loop.caption for loop in held_out)
        rows = [
            (what, distance(riffs("", prompts), centre), distance(riffs("style:gongs ", prompts), centre))
            for what, prompts in (("held-out captions", own), ("other prompts", PROMPTS))
        ]
        size = sum(path.stat().st_size for path in (shelf.folder / "gongs").glob("*.safetensors"))
    print(f"{machine()}; {model.model_id}")
    print(
        f"{len(heard)} loops of 4 bars, {given.steps} steps at rank {given.rank}: {spent:.0f} s "
        f"({used:.0f} s of processor time), loss {losses[0]:.2f} to {losses[-1]:.2f}, {size / 2**20:.1f} MiB"
    )
    near = distance([loop.spectrogram.level for loop in held_out], centre)
    print(f"distance of held-out loops from their mean: {near:.1f} dB\n")
    print("| riffs for | plain, dB | with the style, dB |\n|---|---|---|")
    for what, plain, worn in rows:
        print(f"| {what} | {plain:.1f} | {worn:.1f} |")


if __name__ == "__main__":
    main()
