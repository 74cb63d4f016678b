"""Real loops for the judge: rendered from seeds that no model is trained on, measured, and kept as pictures.

The ranges of seeds say what a loop may be used for. Models are trained on seeds below a million.
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from generation.audio.loudness import to_target_loudness
from generation.corpus.captions import caption
from generation.corpus.composer import compose
from generation.corpus.instruments import SOUNDS
from generation.corpus.renderer import Renderer
from generation.corpus.score import ROLES, Role, Score
from generation.files import write_whole
from generation.judge.measures import measure
from generation.spectrogram import SpectrogramCodec
from generation.training.dataset import GAIN_DB

HELD_OUT_SEEDS = 1_000_000
FLOOR_SEEDS = 1_100_000
SOLO_SEEDS = 1_200_000
CODEC_SEEDS = 1_300_000
JUDGE_SEEDS = 2_000_000
JUDGE_SEEDS_OF_THE_CORPUS = 3_000_000

_LOOPS_PER_FILE = 32
_ROUND_TRIP_EVERY = 6


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a loop, or asked of a riff: `key` is tonic * 2 + minor, `genre` "" for none."""

    caption: str
    genre: str
    instruments: tuple[str, ...]
    roles: tuple[str, ...]
    bpm: float
    bars: int
    metre: str
    key: int
    seed: int

    @classmethod
    def of(cls, score: Score, roles: tuple[Role, ...], chance: random.Random) -> Self:
        """The facts of some of a score's stems, with a caption that fits them."""
        parts = [part for part in score.parts if part.role in roles]
        return cls(
            caption=caption(score, frozenset(roles), chance),
            genre=score.genre,
            instruments=tuple(dict.fromkeys(part.instrument for part in parts)),
            roles=tuple(part.role for part in parts),
            bpm=score.bpm,
            bars=score.bars,
            metre=score.metre,
            key=score.key.tonic * 2 + score.key.minor,
            seed=score.seed,
        )

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Self:
        """Read back what `dataclasses.asdict` and JSON made of it."""
        lists = {name: tuple(record[name]) for name in ("instruments", "roles")}
        return cls(**{**record, **lists})

    @property
    def is_tonal(self) -> bool:
        """Whether notes are heard, so that there is a key to find."""
        return bool({"bass", "chords", "lead", "counter"} & set(self.roles))


@dataclass(frozen=True, slots=True)
class Specimen:
    """A loop as the judge keeps it: facts, picture (frames, bands) uint8, and what was measured on its sound."""

    facts: Facts
    level: NDArray[np.uint8]
    measures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """A score to render, and which of its roles to hear together, once per mix."""

    seed: int
    mixes: tuple[tuple[Role, ...], ...]


@dataclass(frozen=True, slots=True)
class Rendering:
    """How a set of loops is made: with which soundfonts (none: the corpus's own choice) and what is measured.

    `round_trips` adds the same loop's picture after a round trip through the codec, every so many scores.
    """

    soundfonts: tuple[Path, ...] = ()
    measured: bool = True
    round_trips: bool = False


def held_out(count: int, first_seed: int) -> list[Order]:
    """Mixes as a model is trained on: mostly everybody, else some of the players."""
    return [
        Order(score.seed, (_some(score, random.Random(score.seed)),)) for score in _scores(first_seed, count)
    ]


def for_the_classifier(count: int, first_seed: int) -> list[Order]:
    """Mixes to learn from: everybody, some, and two players alone."""
    orders = []
    for score in _scores(first_seed, count):
        chance, roles = random.Random(score.seed), _roles(score)
        alone = [(role,) for role in chance.sample(roles, min(2, len(roles)))]
        orders.append(Order(score.seed, tuple(dict.fromkeys([roles, _some(score, chance), *alone]))))
    return orders


def solos(per_sound: int, first_seed: int, at_most: int = 20_000) -> list[Order]:
    """Every instrument, bass, kit and texture alone, `per_sound` times, as far as `at_most` scores have them."""
    wanted = dict.fromkeys(SOUNDS, per_sound)
    orders: dict[int, list[tuple[Role, ...]]] = {}
    for score in _scores(first_seed, at_most):
        if not any(wanted.values()):
            break
        for part in score.parts:
            if wanted[part.instrument] > 0:
                wanted[part.instrument] -= 1
                orders.setdefault(score.seed, []).append((part.role,))
    return [Order(seed, tuple(mixes)) for seed, mixes in orders.items()]


def render(
    folder: Path,
    orders: list[Order],
    rendering: Rendering,
    workers: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Specimen]:
    """The specimens of the orders, in their order; what `folder` holds of them already is not made again.

    Raises SynthesizerUnavailable without FluidSynth or a soundfont, StorageFull when the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = [orders[at : at + _LOOPS_PER_FILE] for at in range(0, len(orders), _LOOPS_PER_FILE)]
    # A part is named for what is in it, so a smaller run leaves what a larger one can use.
    paths = [folder / f"{part[0].seed:08d}-{len(part):02d}.npz" for part in parts]
    missing = [(path, part) for path, part in zip(paths, parts, strict=True) if not path.exists()]
    if on_progress:
        on_progress(len(parts) - len(missing), len(parts))
    if workers == 1 or len(missing) < 2:
        _follow(
            (_write_part(path, part, rendering) for path, part in missing),
            len(parts) - len(missing),
            len(parts),
            on_progress,
        )
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
            jobs = [pool.submit(_write_part, path, part, rendering) for path, part in missing]
            _follow((job.result() for job in jobs), len(parts) - len(missing), len(parts), on_progress)
    return [specimen for path in paths for specimen in read(path)]


def sounds(orders: list[Order]) -> Iterator[tuple[NDArray[np.float32], int]]:
    """The orders' loops as sound, (samples, 2) each, with their lengths in sixteenths; nothing is kept."""
    for order in orders:
        score = compose(order.seed)
        for _, audio in _mixes(order, score, ()):
            yield audio, score.steps


def fingerprint(soundfonts: tuple[Path, ...], codec: SpectrogramCodec) -> str:
    """Twelve digits that change when the corpus composes, captions or sounds otherwise than before."""
    digest = hashlib.sha256(codec.name.encode())
    for order in held_out(12, HELD_OUT_SEEDS):
        score = compose(order.seed)
        digest.update(json.dumps(score.to_dict(), sort_keys=True).encode())
        digest.update(Facts.of(score, order.mixes[0], random.Random(0)).caption.encode())
    shortest = min((compose(HELD_OUT_SEEDS + k) for k in range(12)), key=lambda score: score.samples)
    for stem in _renderer(_font(soundfonts, shortest.seed)).render(shortest).values():
        digest.update(np.ascontiguousarray(stem).tobytes())
    return digest.hexdigest()[:12]


def write(path: Path, specimens: list[Specimen]) -> None:
    """Specimens as one .npz that `read` reads."""
    records = [{"facts": asdict(specimen.facts), "measures": specimen.measures} for specimen in specimens]
    levels = {str(number): specimen.level for number, specimen in enumerate(specimens)}
    with write_whole(path) as file:
        np.savez(file, records=np.array(json.dumps(records)), **levels)  # type: ignore[arg-type]


def read(path: Path) -> list[Specimen]:
    """What `write` wrote."""
    with np.load(path) as stored:
        return [
            Specimen(Facts.from_dict(record["facts"]), stored[str(number)], record["measures"])
            for number, record in enumerate(json.loads(str(stored["records"])))
        ]


def _scores(first_seed: int, count: int) -> Iterator[Score]:
    return (score for seed in range(first_seed, first_seed + count) if (score := compose(seed)).parts)


def _roles(score: Score) -> tuple[Role, ...]:
    return tuple(role for role in ROLES if score.part(role))


def _some(score: Score, chance: random.Random) -> tuple[Role, ...]:
    roles = _roles(score)
    if chance.random() < 0.6:
        return roles
    return tuple(role for role in roles if chance.random() < 0.62) or (chance.choice(roles),)


def _write_part(path: Path, orders: list[Order], rendering: Rendering) -> Path:
    codec = SpectrogramCodec()
    write(path, [specimen for order in orders for specimen in _specimens(order, rendering, codec)])
    return path


def _specimens(order: Order, rendering: Rendering, codec: SpectrogramCodec) -> Iterator[Specimen]:
    score, chance = compose(order.seed), random.Random(order.seed)
    for number, (mix, audio) in enumerate(_mixes(order, score, rendering.soundfonts)):
        if rendering.measured:  # no picture depends on it
            audio = to_target_loudness(audio)
        facts = Facts.of(score, mix, chance)
        spectrogram = codec.encode(audio, score.steps)
        measures = measure(audio, score.bars, score.steps) if rendering.measured else {}
        yield Specimen(facts, spectrogram.level, measures)
        if rendering.round_trips and number == 0 and order.seed % _ROUND_TRIP_EVERY == 0:
            again = codec.encode(codec.decode(spectrogram, len(audio)), score.steps)
            yield Specimen(facts, again.level, measures)


def _mixes(
    order: Order, score: Score, soundfonts: tuple[Path, ...]
) -> Iterator[tuple[tuple[Role, ...], NDArray[np.float32]]]:
    """Each mix of an order that is not silent, with a level of its own for each stem, as in training."""
    heard = {role for mix in order.mixes for role in mix}
    played = replace(score, parts=tuple(part for part in score.parts if part.role in heard))
    stems = _renderer(_font(soundfonts, order.seed)).render(played)
    chance = random.Random(f"gains of {order.seed}")
    for mix in order.mixes:
        gains = {role: np.float32(10 ** (chance.uniform(-GAIN_DB, GAIN_DB) / 20)) for role in mix}
        audio = np.asarray(np.sum([stems[role] * gains[role] for role in mix], axis=0), np.float32)
        if np.abs(audio).max() > 0:
            yield mix, audio


def _font(soundfonts: tuple[Path, ...], seed: int) -> Path | None:
    return soundfonts[seed % len(soundfonts)] if soundfonts else None


@cache
def _renderer(soundfont: Path | None) -> Renderer:
    return Renderer(soundfont)


def _follow(
    parts: Iterable[Path], done: int, total: int, on_progress: Callable[[int, int], None] | None
) -> None:
    for count, _ in enumerate(parts, done + 1):
        if on_progress:
            on_progress(count, total)


def _one_thread() -> None:
    torch.set_num_threads(1)
