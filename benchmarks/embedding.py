"""`python -m benchmarks.embedding`: what the market's ear hears, how sentences find loops, and what counts as too near.

Loops of the corpus from seeds that nothing was trained on, each from its score's whole band, and loops of the shipped
model. Sentences are the corpus's captions of the same loops. Confidences count from the shipped threshold on. A loop
that went through the codec is looked for among all loops as they were.
"""

import argparse
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from generation.corpus.captions import caption
from generation.corpus.composer import compose
from generation.corpus.renderer import Renderer
from generation.corpus.score import Note, Score
from generation.embedding import CONFIDENT, Heard, embed_audio, embed_text, heard
from generation.embedding.originality import TOO_NEAR, Originality, load_prints, originality
from generation.engine import load_engine
from generation.judge.timing import machine
from generation.models.shipped import SHIPPED
from generation.request import RiffRequest
from generation.spectrogram import SpectrogramCodec
from generation.spectrogram.inverse import load_inverse
from generation.training.embedding import moods_of

FIRST_SEED = 1_600_000
NEAREST = 10
SENTENCES = (
    "warm rainy night", "angry metal guitars", "something for a baby to fall asleep", "pirates at sea",
    "driving through a neon city at night", "retro video game", "church bells", "monks in a cathedral",
    "spooky and mysterious", "summer holiday on the beach", "café jazz", "lluvia y guitarra española",
)  # fmt: skip

Sound = NDArray[np.float32]
Named = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop, its score, and the place of each in the joint space."""

    score: Score
    audio: Sound
    place: Sound
    said: Heard


def main() -> None:
    """Print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loops", type=int, default=400, help="Held-out scores of the corpus.")
    parser.add_argument("--codec", type=int, default=100, help="How many of them go through the codec.")
    parser.add_argument(
        "--trained", type=int, default=200, help="Training scores that are played again; 0: none."
    )
    parser.add_argument("--riffs", type=int, default=40, help="Loops of the shipped model; 0: none.")
    given = parser.parse_args()

    renderer = Renderer()
    loops = list(held_out(renderer, given.loops))
    print(f"{machine()}; {len(loops)} held-out loops\n")
    finding(loops, given.codec)
    naming(loops)
    if given.trained and given.riffs:
        nearness(renderer, loops, given.trained, given.riffs)
    timing(loops)
    asking(loops)


def held_out(renderer: Renderer, count: int) -> Iterator[Loop]:
    """Loops whose tempo the ear is told, every other one: the market knows it of its own loops."""
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        score = compose(seed)
        audio = play(renderer, score)
        if float(np.abs(audio).max(initial=0)) > 1e-3:
            bpm = score.bpm if seed % 2 else None
            yield Loop(score, audio, embed_audio(audio, bpm), heard(audio, bpm))


def finding(loops: Sequence[Loop], through_codec: int) -> None:
    """Sentences to loops, and loops to themselves."""
    places = np.stack([loop.place for loop in loops])
    ranks = []
    for row, loop in enumerate(loops):
        roles = frozenset(part.role for part in loop.score.parts)
        near = places @ embed_text(caption(loop.score, roles, random.Random(loop.score.seed)))
        ranks.append(int((near > near[row]).sum()))
    codec = SpectrogramCodec()
    codec = SpectrogramCodec(inverse=load_inverse(SHIPPED / "inverse/inverse.safetensors", codec.name))
    first = []
    for row, loop in enumerate(loops[:through_codec]):
        again = codec.decode(codec.encode(loop.audio, loop.score.steps), len(loop.audio))
        near = places @ embed_audio(again, loop.score.bpm if loop.score.seed % 2 else None)
        first.append(int(near.argmax()) == row)
    print("| finding | |\n|---|---|")
    for depth in (1, NEAREST):
        found = share(rank < depth for rank in ranks)
        print(f"| sentence to its loop, among the first {depth} of {len(loops)} | {found} |")
    print(f"| median rank | {np.median(ranks) + 1:.0f} |")
    print(f"| a loop through the codec finds itself first among {len(loops)} | {share(first)} |\n")


def naming(loops: Sequence[Loop]) -> None:
    """Precision and recall of names, all loops' counted together."""
    print(f"| named with a confidence of {CONFIDENT} or more | precision | recall | right names per loop |")
    print("|---|---|---|---|")
    rows: dict[str, Callable[[Loop], tuple[Named, set[str]]]] = {
        "genre": lambda loop: (loop.said.genres, {loop.score.genre} - {""}),
        "instruments and kits": lambda loop: (
            loop.said.instruments,
            {part.instrument for part in loop.score.parts if part.role != "texture"},
        ),
        "textures": lambda loop: (
            loop.said.textures,
            {part.instrument for part in loop.score.parts if part.role == "texture"},
        ),
        "moods (all that fit the genre and the key)": lambda loop: (
            loop.said.moods,
            set(moods_of(loop.score)) if any(part.role != "texture" for part in loop.score.parts) else set(),
        ),
        "drums": lambda loop: (
            (("drums", loop.said.has_drums),),
            {str(part.role) for part in loop.score.parts} & {"drums"},
        ),
    }
    for name, ask in rows.items():
        asked = [ask(loop) for loop in loops]
        named = [
            ({word for word, confidence in said if confidence >= CONFIDENT}, right) for said, right in asked
        ]
        hits = sum(len(said & right) for said, right in named)
        precision = hits / max(1, sum(len(said) for said, _ in named))
        recall = hits / max(1, sum(len(right) for _, right in named))
        print(f"| {name} | {precision:.1%} | {recall:.1%} | {hits / len(named):.2f} |")
    genres = [loop for loop in loops if loop.score.genre]
    first = [loop.said.genres[0][0] == loop.score.genre for loop in genres if loop.said.genres]
    print(f"\nThe likeliest genre is right for {share(first)} of the {len(genres)} loops that have one.\n")


def nearness(renderer: Renderer, loops: Sequence[Loop], trained: int, riffs: int) -> None:
    """Training scores must be found; new ones and the shipped model's loops must pass."""
    chance = random.Random(0)
    seeds = sorted(int(seed) for prints in load_prints().values() for seed in prints.seeds)
    print(
        f"| nearest training score, {len(seeds)} prints | loops | at {TOO_NEAR} or more | median |\n|---|---|---|---|"
    )
    again, higher = [], []
    for seed in chance.sample(seeds, trained):
        score = compose(seed)
        again.append((judged(play(renderer, score), score), seed))
        moved = transposed(score, chance.choice((-5, -3, -2, 2, 4, 5)))
        higher.append((judged(play(renderer, moved), moved), seed))
    for name, found in (("training loops played again", again), ("in another key", higher)):
        report(name, [one for one, _ in found])
        right = [one.seed == seed for one, seed in found if not one.is_original]
        print(f"| … and the right seed is named | {len(right)} | {share(right)} | |")
    fresh = [
        loop for loop in loops if any(part.role not in ("drums", "texture") for part in loop.score.parts)
    ]
    report("held-out scores with notes", [judged(loop.audio, loop.score) for loop in fresh[:trained]])
    report("loops of the shipped model", list(model_loops(loops, riffs)))
    print()


def model_loops(loops: Sequence[Loop], count: int) -> Iterator[Originality]:
    """From captions of held-out scores, in their tempo, key and metre."""
    engine = load_engine()
    for loop in loops[:count]:
        score = loop.score
        roles = frozenset(part.role for part in score.parts)
        request = RiffRequest(
            prompt=caption(score, roles, random.Random(score.seed)),
            seed=score.seed,
            bars=score.bars,
            bpm=float(score.bpm),
            metre=score.metre,
            key=score.key,
        )
        yield originality(engine.render(request).takes[0].audio, score.bpm, score.metre, score.bars)


def report(name: str, found: Sequence[Originality]) -> None:
    nearest = [one.nearest for one in found]
    print(
        f"| {name} | {len(found)} | {share(not one.is_original for one in found)} | {np.median(nearest):.2f} |"
    )


def judged(audio: Sound, score: Score) -> Originality:
    return originality(audio, score.bpm, score.metre, score.bars)


def transposed(score: Score, semitones: int) -> Score:
    parts = [
        part
        if part.role in ("drums", "texture")
        else replace(
            part,
            notes=tuple(
                Note(note.start, note.length, note.pitch + semitones, note.velocity) for note in part.notes
            ),
        )
        for part in score.parts
    ]
    return replace(score, parts=tuple(parts))


def play(renderer: Renderer, score: Score) -> Sound:
    stems = list(renderer.render(score).values())
    return np.asarray(np.sum(stems, axis=0) if stems else np.zeros((score.samples, 2)), np.float32)


def timing(loops: Sequence[Loop]) -> None:
    """CPU time of one call on eight seconds of audio."""
    sound = np.tile(loops[0].audio, (20, 1))[: 8 * 44_100]
    calls: dict[str, Callable[[], object]] = {
        "embed_audio": lambda: embed_audio(sound, 120),
        "heard": lambda: heard(sound, 120),
        "embed_text": lambda: embed_text("warm rainy night"),
        "originality": lambda: originality(sound, 120, "4/4", 4),
    }
    print("| call, 8 s of audio | CPU ms |\n|---|---|")
    for name, call in calls.items():
        call()
        spent = []
        for _ in range(7):
            started = time.process_time()
            call()
            spent.append(time.process_time() - started)
        print(f"| {name} | {1000 * float(np.median(spent)):.0f} |")
    print()


def asking(loops: Sequence[Loop]) -> None:
    """What sentences of no caption find."""
    places = np.stack([loop.place for loop in loops])
    for sentence in SENTENCES:
        near = np.argsort(-(places @ embed_text(sentence)))[:3]
        found = (
            f"{loops[row].score.genre or '-'} ({', '.join(part.instrument for part in loops[row].score.parts)})"
            for row in near
        )
        print(f"- {sentence}: {'; '.join(found)}")


def share(hits: Iterator[bool] | Sequence[bool]) -> str:
    counted = list(hits)
    return f"{np.mean(counted):.1%}" if counted else "-"


if __name__ == "__main__":
    main()
