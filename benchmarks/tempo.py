"""`python -m benchmarks.tempo`: how often the tempo and the downbeat of a sound that somebody brings are found.

Loops of the corpus, from seeds that nothing is trained on, and loops of the shipped model. Each is played up to 6 %
slower or faster for 6 to 30 seconds from anywhere on, goes through an MP3 of 128 kbit/s and comes in through the same
door as a person's file. A downbeat counts within 30 ms, where the tempo is right.
"""

import argparse
import math
import random
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from generation.arrange.grid import Grid, find_grid
from generation.audio.ingest import read_audio
from generation.audio.pcm import pcm24
from generation.corpus.composer import compose
from generation.engine import load_engine
from generation.judge.detectors import tempo_error
from generation.judge.loops import held_out, sounds
from generation.judge.timing import machine
from generation.request import METRES, SAMPLE_RATE, RiffRequest, bpm_of

FIRST_SEED = 1_400_000
PROMPTS = (
    "house with a piano and a round bass", "boom bap drums and upright bass", "funk guitar, bass and drums",
    "drum and bass, fast breaks", "lofi beat with electric piano", "techno, dark and driving",
    "reggae with organ", "rock band, distorted guitar", "bossa nova guitar and brushes", "trap beat with bells",
    "a waltz for accordion and strings", "synthwave with arpeggios",
)  # fmt: skip

Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop and what is known about it."""

    group: str
    audio: Sound
    bpm: float
    bars: int
    metre: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found of a clip; `missed` is how far the downbeat is off, in seconds."""

    grid: Grid
    bpm: float
    metre: str
    missed: float
    seconds: float


def main() -> None:
    """Print a Markdown table, a row for each kind of loop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loops", type=int, default=300, help="Scores of the corpus.")
    parser.add_argument("--riffs", type=int, default=24, help="Loops of the shipped model.")
    given = parser.parse_args()

    answers: dict[str, list[Answer]] = defaultdict(list)
    chance = random.Random(1)
    for loops in (corpus_loops(given.loops), model_loops(given.riffs)):
        for loop in loops:
            answer = listen(loop, chance)
            answers[loop.group].append(answer)
            if loop.group not in ("the shipped model", "weather"):
                answers["corpus, all with a beat"].append(answer)
    spent = [answer.seconds for rows in answers.values() for answer in rows]
    print(f"{machine()}; {np.median(spent):.2f} s a clip\n")
    print(
        "| loops | n | within 1 % | within 4 % | octave errors | median error | metre | downbeat | taken as free |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    for group, rows in answers.items():
        print(f"| {group} | {len(rows)} | {' | '.join(row_of(rows))} |")


def corpus_loops(count: int) -> Iterator[Loop]:
    """Mixes as a model is trained on, by who plays."""
    for order in held_out(count, FIRST_SEED):
        score, roles = compose(order.seed), order.mixes[0]
        if roles == ("texture",):
            group = "weather"
        elif len(roles) == 1 and roles[0] != "drums":
            group = "corpus, one player"
        else:
            group = "corpus, drums" if "drums" in roles else "corpus, several players"
        for audio, _ in sounds([order]):
            yield Loop(group, audio, score.bpm, score.bars, score.metre)


def model_loops(count: int) -> Iterator[Loop]:
    """What the shipped model makes of prompts with a beat, at random tempi about their genres' own."""
    engine, chance = load_engine(), random.Random(2)
    for number in range(count):
        prompt = PROMPTS[number % len(PROMPTS)]
        bpm = bpm_of(prompt) * chance.uniform(0.85, 1.15)
        request = RiffRequest.parse(prompt=prompt, bpm=bpm, bars=chance.choice((2, 4)), seed=number)
        audio = engine.render(request).takes[0].audio
        yield Loop("the shipped model", audio, request.bpm, request.bars, request.metre)


def listen(loop: Loop, chance: random.Random) -> Answer:
    """Cut a clip from a loop that goes on for ever, and ask for its grid."""
    speed = math.exp(chance.uniform(-1, 1) * math.log(1.06))
    seconds = math.exp(chance.uniform(math.log(6), math.log(30)))
    start = chance.uniform(0, len(loop.audio))
    place = (start + np.arange(round(seconds * SAMPLE_RATE)) * speed) % len(loop.audio)
    circle = np.concatenate([loop.audio, loop.audio[:1]])
    clip = np.stack([np.interp(place, np.arange(len(circle)), side) for side in circle.T], 1).astype(
        np.float32
    )
    audio = read_audio(as_mp3(clip * (0.9 / float(np.abs(clip).max()))), name="clip.mp3")
    started = time.process_time()
    grid = find_grid(audio)
    spent = time.process_time() - started
    bpm = loop.bpm * speed
    bar = METRES[loop.metre] * 15 * SAMPLE_RATE / bpm
    missed = ((grid.downbeat_samples + start / speed + bar / 2) % bar - bar / 2) / SAMPLE_RATE
    return Answer(grid, bpm, loop.metre, missed, spent)


def as_mp3(audio: Sound) -> bytes:
    """An MP3 of (samples, 2), at 128 kbit/s."""
    with TemporaryDirectory() as folder:
        target = Path(folder) / "clip.mp3"
        raw = ["-f", "s24le", "-ar", str(SAMPLE_RATE), "-ac", "2", "-i", "pipe:0"]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *raw, "-b:a", "128k", str(target)]
        subprocess.run(command, input=pcm24(audio), check=True)
        return target.read_bytes()


def row_of(answers: list[Answer]) -> list[str]:
    """The cells of one row of the table."""

    def share(hits: list[bool]) -> str:
        return f"{100 * float(np.mean(hits)):.1f} %" if hits else "–"

    errors = [abs(answer.grid.bpm / answer.bpm - 1) for answer in answers]
    right = [answer for answer, error in zip(answers, errors, strict=True) if error <= 0.01]
    small = [error for error in errors if error <= 0.01]
    return [
        share([error <= 0.01 for error in errors]),
        share([error <= 0.04 for error in errors]),
        share([tempo_error(answer.grid.bpm, answer.bpm) == "octave" for answer in answers]),
        f"{100 * float(np.median(small)):.3f} %" if small else "–",
        share([answer.grid.metre == answer.metre for answer in right]),
        share([abs(answer.missed) < 0.03 for answer in right]),
        share([answer.grid.is_free for answer in answers]),
    ]


if __name__ == "__main__":
    main()
