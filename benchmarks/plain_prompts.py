"""`python -m benchmarks.plain_prompts`: does a riff sound like the instrument that its prompt names?

A linear discriminant (Fisher, 1936) of 400 plain measures (level per band where it is loud, its spread, and its
onsets) is fitted to solo loops from composer seeds that the model never saw. Its hits on other such loops are its own
ceiling; its hits on riffs of the model, asked for by the instrument's plain name, are the figure.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generation.corpus.composer import compose
from generation.corpus.instruments import BASSES, KITS, MELODIC
from generation.corpus.renderer import Renderer
from generation.engine import Engine
from generation.request import RiffRequest
from generation.spectrogram import SpectrogramCodec

FIRST_SEED = 1_000_000
PLAIN = {
    "a drum kit": KITS,
    "piano": ["piano"],
    "bass": BASSES,
    "church bells": ["church bells"],
    "strings": ["strings", "synth strings"],
}


def main() -> None:
    """Print Markdown tables: the judge on real solos and on riffs, and the plain prompts one by one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--solos", type=int, default=14, help="real loops per instrument; a third is held out"
    )
    parser.add_argument("--seeds", type=int, default=2, help="riffs per instrument")
    parser.add_argument("--plain-seeds", type=int, default=8, help="riffs per plain prompt")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--model", type=Path)
    given = parser.parse_args()

    names = [*MELODIC, *BASSES, *KITS]
    started = time.perf_counter()
    solos = _solos(names, given.solos)
    print(f"{sum(map(len, solos.values()))} real solos in {time.perf_counter() - started:.0f} s")
    held = max(1, given.solos // 3)
    judge = _Judge(names, {name: loops[held:] for name, loops in solos.items()})
    real = [(name, loop) for name, loops in solos.items() for loop in loops[:held]]

    engine = Engine.load(given.model)

    def picture(prompt: str, seed: int) -> NDArray[np.uint8]:
        request = RiffRequest.parse(
            prompt=prompt, seed=seed, steps=given.steps, guidance_scale=given.guidance
        )
        return engine.render(request).takes[0].image

    riffs = []
    for sound in (MELODIC | BASSES | KITS).values():
        prompt = sound.synonyms[0] if sound.name in KITS else f"solo {sound.synonyms[0]}"
        riffs += [(sound.name, _measures(picture(prompt, seed))) for seed in range(given.seeds)]
    print(f"{engine.model_id}, {len(names)} classes\n\n| loops | n | top 1 | top 3 |\n|---|---|---|---|")
    for label, loops in (("real solos, held out", real), ("riffs", riffs)):
        places = np.array([judge.place(measures, [name]) for name, measures in loops])
        print(f"| {label} | {len(places)} | {(places == 0).mean():.2f} | {(places < 3).mean():.2f} |")
    weak = sorted({name for name, measures in riffs if judge.place(measures, [name]) > 2})
    print(f"\nNever or not always among the first three: {', '.join(weak) or 'none'}\n")

    print(f"| plain prompt | hits of {given.plain_seeds}, top 1 | top 3 |\n|---|---|---|")
    for prompt, wanted in PLAIN.items():
        places = np.array(
            [judge.place(_measures(picture(prompt, seed)), list(wanted)) for seed in range(given.plain_seeds)]
        )
        print(f"| {prompt} | {(places == 0).sum()} | {(places < 3).sum()} |")


class _Judge:
    """Linear discriminant analysis with a shrunk covariance (Ledoit and Wolf's identity target, fixed weight)."""

    def __init__(self, names: list[str], loops: dict[str, list[NDArray[np.float64]]]) -> None:
        self._names = names
        self._means = np.stack([np.mean(loops[name], 0) for name in names])
        centred = np.concatenate([np.stack(loops[name]) - np.mean(loops[name], 0) for name in names])
        covariance = centred.T @ centred / len(centred)
        size = len(covariance)
        self._inverse = np.linalg.inv(0.7 * covariance + 0.3 * np.trace(covariance) / size * np.eye(size))

    def place(self, measures: NDArray[np.float64], wanted: list[str]) -> int:
        """Rank, from 0, of the best placed of the wanted classes."""
        apart = measures - self._means
        distance = np.einsum("ci,ij,cj->c", apart, self._inverse, apart)
        order = [self._names[index] for index in distance.argsort()]
        return min(order.index(name) for name in wanted)


def _solos(names: list[str], count: int) -> dict[str, list[NDArray[np.float64]]]:
    renderer, codec = Renderer(), SpectrogramCodec()
    solos: dict[str, list[NDArray[np.float64]]] = {name: [] for name in names}
    seed = FIRST_SEED
    while any(len(loops) < count for loops in solos.values()):
        score = compose(seed)
        seed += 1
        instruments = {part.instrument for part in score.parts}
        if len(instruments) == 1 and len(loops := solos[instruments.pop()]) < count:
            audio = sum(renderer.render(score).values())
            assert isinstance(audio, np.ndarray)
            loops.append(_measures(codec.encode(audio, score.bars).level))
    return solos


def _measures(level: NDArray[np.uint8]) -> NDArray[np.float64]:
    """400 values of a picture: band levels where it is loud, their spread over time, onsets per four bands."""
    values = level.astype(np.float64) / 255
    loudness = values.mean(1)
    loud = values[loudness >= np.quantile(loudness, 0.6)]
    profile = loud.mean(0)
    rise = np.maximum(0, values - np.roll(values, 1, 0)).mean(0).reshape(-1, 2).mean(1)
    return np.concatenate([profile - profile.mean(), values.std(0), rise * 5])


if __name__ == "__main__":
    main()
