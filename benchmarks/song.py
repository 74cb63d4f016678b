"""`python -m benchmarks.song --minutes 3`: how long songs take on this machine, against how long they last, and memory.

Each length is made in a process of its own, so that its peak memory is its own, and written to a file that goes again.
The first row is usually the one to quote; the others show whether memory grows with the song.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PROMPT = "lofi hip hop with piano, drums and bass"


@dataclass(frozen=True)
class Made:
    """A song's length and how long it took, in seconds, and its process's peak memory in MiB."""

    model: str
    lasts: float
    loading: float
    making: float
    peak_memory: float


def main() -> None:
    """Print a Markdown table, a row for each length."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, nargs="+", default=[3, 1, 6])
    parser.add_argument("--prompt", default=PROMPT)
    parser.add_argument("--bpm", type=float)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--model", type=Path)
    given = parser.parse_args()

    print("| minutes | seconds of song | loading s | making s | times faster than real time | peak MiB |")
    print("|---|---|---|---|---|---|")
    for minutes in given.minutes:
        # A fresh process each: a forked one would begin with its parent's memory.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            made = pool.apply(make, (minutes, given.prompt, given.bpm, given.seed, given.model))
        print(
            f"| {minutes:g} | {made.lasts:.1f} | {made.loading:.1f} | {made.making:.1f} "
            f"| {made.lasts / made.making:.1f} | {made.peak_memory:.0f} |",
            flush=True,
        )
    print(f"\n{made.model}; “{given.prompt}”, seed {given.seed}")


def make(minutes: float, prompt: str, bpm: float | None, seed: int, model: Path | None) -> Made:
    """Make one song and forget it."""
    from generation.arrange.song import write
    from generation.engine import Engine
    from generation.request import SAMPLE_RATE, RiffRequest

    request = RiffRequest.parse(
        prompt=prompt, bpm=bpm, seed=seed, arrangement={"kind": "song", "seconds": 60 * minutes}
    )
    started = time.perf_counter()
    engine = Engine.load(model)
    loaded = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        made = write(engine, request, Path(folder) / "song.wav")
    ended = time.perf_counter()
    return Made(
        engine.model_id,
        made.recipe["samples"] / SAMPLE_RATE,
        loaded - started,
        ended - loaded,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


if __name__ == "__main__":
    main()
