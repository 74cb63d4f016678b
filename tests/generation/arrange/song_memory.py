"""`python -m tests.generation.arrange.song_memory MODEL`: peak memory in MiB after a song of a minute, then of six."""

import json
import resource
import sys
from pathlib import Path

from generation.arrange import song
from generation.engine import Engine
from generation.request import RiffRequest

# Phrases of a second, and more loops than are kept.
_MINUTE = "intro:10 A:16 B:16 A':16"
_SIX = "intro:10 A:64 B:64 A':64 B':64 C:64 D:28"


def main() -> None:
    """Print [samples, peak] of both as JSON."""
    engine = Engine.load(Path(sys.argv[1]))
    peaks = []
    for form in (_MINUTE, _SIX):
        request = RiffRequest.parse(
            prompt="rain",
            seed=1,
            bars=1,
            bpm=240,
            steps=1,
            arrangement={"kind": "song", "seconds": 60, "form": form},
        )
        samples = sum(len(part.audio) for part in song.stream(engine, request))
        peaks.append([samples, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024])
    sys.stdout.write(json.dumps(peaks) + "\n")


if __name__ == "__main__":
    main()
