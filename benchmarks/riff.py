"""`python -m benchmarks.riff`: how long a warm riff takes on this machine, by phase, and how much memory.

What is timed is told in generation.judge.timing, which `riff evaluate` uses as well. Quote the median; a wide range
says that the machine was busy.
"""

import argparse
import statistics
from pathlib import Path

from generation.judge.timing import machine, time_riffs


def main() -> None:
    """Print a Markdown table of seconds per phase."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--bars", type=int, default=4)
    parser.add_argument("--bpm", type=float, default=120)
    parser.add_argument("--model", type=Path)
    given = parser.parse_args()

    timing = time_riffs(given.runs, given.bars, given.bpm, given.model)
    print(f"{machine()}; {timing.model}")
    print(
        f"{given.bars} bars at {given.bpm:g} bpm = {timing.seconds:g} s of stereo; {given.runs} warm runs\n"
    )
    print("| phase | min s | median s | max s |\n|---|---|---|---|")
    for name, seconds in timing.phases.items():
        print(f"| {name} | {min(seconds):.2f} | {statistics.median(seconds):.2f} | {max(seconds):.2f} |")
    print(f"\nloading {timing.loading:.1f} s, peak memory {timing.peak_memory:.0f} MiB")


if __name__ == "__main__":
    main()
