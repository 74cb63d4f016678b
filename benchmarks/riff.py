"""`python -m benchmarks.riff`: how long a warm riff takes on this machine, by phase, and how much memory.

A riff is the prompt encoded, 8 steps, phase retrieval, loudness, and all files written as bytes (WAV, MP3,
PNG, peaks). Quote the median; a wide range says that the machine was busy.
"""

import argparse
import os
import platform
import resource
import statistics
import time
from pathlib import Path

from generation.audio.export import mp3, peaks, wav
from generation.audio.picture import spectrogram_png
from generation.engine import Engine
from generation.request import RiffRequest


def main() -> None:
    """Print a Markdown table of seconds per phase."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--bars", type=int, default=4)
    parser.add_argument("--bpm", type=float, default=120)
    parser.add_argument("--model", type=Path)
    given = parser.parse_args()

    started = time.perf_counter()
    engine = Engine.load(given.model)
    loading = time.perf_counter() - started
    phases: dict[str, list[float]] = {"denoising": [], "decoding": [], "files": [], "everything": []}
    for run in range(given.runs + 1):
        request = RiffRequest.parse(prompt="church bells", bars=given.bars, bpm=given.bpm, seed=run)
        started = time.perf_counter()
        riff = engine.render(request, on_progress=lambda _: None)
        rendered = time.perf_counter()
        for take in riff.takes:
            wav(take), mp3(take), spectrogram_png(take), peaks(take)
        ended = time.perf_counter()
        if run:  # the first one warms up
            for name, seconds in riff.timings.items():
                phases[name].append(seconds)
            phases["files"].append(ended - rendered)
            phases["everything"].append(ended - started)

    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"{_processor()}, {len(os.sched_getaffinity(0))} cores; {engine.model_id}")
    print(
        f"{request.bars} bars at {request.bpm:g} bpm = {request.seconds:g} s of stereo; {given.runs} warm runs\n"
    )
    print("| phase | min s | median s | max s |\n|---|---|---|---|")
    for name, seconds_of in phases.items():
        print(
            f"| {name} | {min(seconds_of):.2f} | {statistics.median(seconds_of):.2f} | {max(seconds_of):.2f} |"
        )
    print(f"\nloading {loading:.1f} s, peak memory {memory:.0f} MiB")


def _processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )


if __name__ == "__main__":
    main()
