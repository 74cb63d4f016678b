"""`python -m generation.judge.timing`: how long a warm riff takes on this machine, by phase, and how much memory.

A riff is the prompt encoded, all denoising steps, phase retrieval, loudness, and all files written as bytes (WAV, MP3,
PNG, peaks). It prints JSON. Run it in a process of its own: the memory counted is the process's.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from generation.audio.export import mp3, peaks, wav
from generation.audio.picture import spectrogram_png
from generation.engine import Engine
from generation.request import RiffRequest


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds per phase, one value per warm run; `loading` in seconds, `peak_memory` in MiB."""

    model: str
    seconds: float
    loading: float
    phases: dict[str, list[float]]
    peak_memory: float


def time_riffs(runs: int = 7, bars: int = 4, bpm: float = 120, model: Path | None = None) -> Timing:
    """Load the model, make one riff to warm up, then `runs` more, and time each phase."""
    started = time.perf_counter()
    engine = Engine.load(model)
    loading = time.perf_counter() - started
    phases: dict[str, list[float]] = {"denoising": [], "decoding": [], "files": [], "everything": []}
    for run in range(runs + 1):
        request = RiffRequest.parse(prompt="church bells", bars=bars, bpm=bpm, seed=run)
        started = time.perf_counter()
        riff = engine.render(request, on_progress=lambda _: None)
        rendered = time.perf_counter()
        for take in riff.takes:
            wav(take), mp3(take), spectrogram_png(take), peaks(take)
        ended = time.perf_counter()
        if run:
            for name, seconds in riff.timings.items():
                phases[name].append(seconds)
            phases["files"].append(ended - rendered)
            phases["everything"].append(ended - started)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return Timing(engine.model_id, request.seconds, loading, phases, memory)


def time_in_a_process(runs: int, model: Path | None) -> Timing:
    """`time_riffs` in a fresh process, whose memory is only the riffs'."""
    command = [sys.executable, "-m", __name__, f"--runs={runs}", *([f"--model={model}"] if model else [])]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    return Timing(**json.loads(finished.stdout.splitlines()[-1]))


def machine() -> str:
    """Processor, cores that may be used, and the version of PyTorch."""
    import torch

    cores = len(os.sched_getaffinity(0))
    return f"{processor()}, {cores} {'core' if cores == 1 else 'cores'}, PyTorch {torch.__version__}"


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )


def main() -> None:
    """Time riffs and print the result as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--bars", type=int, default=4)
    parser.add_argument("--bpm", type=float, default=120)
    parser.add_argument("--model", type=Path)
    given = parser.parse_args()
    timing = time_riffs(given.runs, given.bars, given.bpm, given.model)
    sys.stdout.write(json.dumps(asdict(timing)) + "\n")


if __name__ == "__main__":
    main()
