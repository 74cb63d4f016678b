"""`python -m generation.corpus --out DIR --count N`: render a corpus to train on."""

import argparse
import sys
from pathlib import Path

from generation.corpus.build import build
from generation.errors import RiffError


def main(arguments: list[str] | None = None) -> int:
    """Build the corpus that the arguments describe; the exit status is 1 after a refusal."""
    parser = argparse.ArgumentParser(
        prog="python -m generation.corpus", description="Render a corpus to train on."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the shards")
    parser.add_argument("--count", type=int, default=4000, help="number of loops")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--soundfont", type=Path, help="a General MIDI soundfont instead of FluidR3_GM.sf2")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(arguments)
    try:
        build(given.out, given.count, given.first_seed, given.soundfont, given.workers, _report)
    except RiffError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _report(done: int, count: int) -> None:
    sys.stdout.write(f"{done} of {count} loops\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
