"""Training examples: rendered scores become mixes of their stems, each with its picture, caption, tempo and key.

One file of examples per shard of the corpus, so that an interrupted preparation goes on where it stopped.
"""

import json
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from generation.corpus.build import Stems, read_shard
from generation.corpus.captions import caption
from generation.corpus.score import ROLES, Score
from generation.files import write_whole
from generation.models.text import TextEncoder
from generation.models.transformer import UNKNOWN_KEY
from generation.request import METRES
from generation.spectrogram import Spectrogram, SpectrogramCodec

GAIN_DB = 4.0
HIDDEN_BPM, HIDDEN_KEY = 0.2, 0.35  # shares of the rows that are not told
Length = tuple[str, int]  # metre and bars


@dataclass(frozen=True, slots=True)
class Example:
    """One mix: its 8-bit picture and what is known about it."""

    spectrogram: Spectrogram
    caption: str
    bpm: float
    metre: str
    key: int
    seed: int


@dataclass(frozen=True, slots=True)
class Batch:
    """`patches` (B, tokens, patch_size) of one metre; `captions` are rows of the table of encoded captions."""

    patches: Tensor
    metre: str
    captions: Tensor
    bpm: Tensor
    key: Tensor


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the model is told about each row of a batch, in the order of RiffTransformer's parameters."""

    text: Tensor
    text_weight: Tensor
    pooled_text: Tensor
    bpm: Tensor
    key: Tensor
    metre: str


def prepare(corpus: Path, folder: Path, *, mixes: int = 3, workers: int = 2) -> Iterator[tuple[int, int]]:
    """Turn each shard of `corpus` into a file of examples in `folder`; yields (done, all) as it goes."""
    folder.mkdir(parents=True, exist_ok=True)
    todo = sorted(corpus.glob("loops-*.npz"))
    open_shards = [shard for shard in todo if not (folder / f"{shard.stem}.npz").exists()]
    yield len(todo) - len(open_shards), len(todo)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        jobs = [
            pool.submit(_prepare_shard, shard, folder / f"{shard.stem}.npz", mixes) for shard in open_shards
        ]
        for count, job in enumerate(jobs, len(todo) - len(open_shards) + 1):
            job.result()
            yield count, len(todo)


def mix(score: Score, stems: Stems, codec: SpectrogramCodec, count: int) -> list[Example]:
    """`count` mixes of a score: all of it first, then subsets with other gains. The STFT is linear: taken once."""
    chance = random.Random(score.seed)
    spectra = {
        role: [codec.analyse(torch.from_numpy(side / np.float32(32768)), score.steps) for side in stem.T]
        for role, stem in stems.items()
    }
    present = [role for role in ROLES if role in stems]
    examples: list[Example] = []
    seen: set[str] = set()
    for number in range(count):
        roles = [role for role in present if number == 0 or chance.random() < 0.62] or [
            chance.choice(present)
        ]
        gains = {role: 10 ** (chance.uniform(-GAIN_DB, GAIN_DB) / 20) for role in roles}
        if len(roles) == 1 and roles[0] in seen:
            continue
        seen.update(roles if len(roles) == 1 else ())
        left, right = (
            torch.stack([spectra[role][side] * gains[role] for role in roles]).sum(0) for side in (0, 1)
        )
        examples.append(
            Example(
                codec.picture(left, right),
                caption(score, frozenset(roles), chance),
                score.bpm,
                score.metre,
                score.key.tonic * 2 + score.key.minor,
                score.seed,
            )
        )
    return examples


def write_examples(target: Path, examples: list[Example]) -> None:
    """A file of examples, as `Dataset` reads it."""
    facts = [
        {
            "caption": example.caption,
            "bpm": example.bpm,
            "key": example.key,
            "metre": example.metre,
            "bars": example.spectrogram.sixteenths // METRES[example.metre],
            "seed": example.seed,
        }
        for example in examples
    ]
    arrays: dict[str, NDArray[np.uint8]] = {}
    for length in {_length(fact) for fact in facts}:
        pairs = zip(examples, facts, strict=True)
        pictures = [example.spectrogram for example, fact in pairs if _length(fact) == length]
        arrays[_array("level", length)] = np.stack([picture.level for picture in pictures])
        arrays[_array("stereo", length)] = np.stack([picture.stereo for picture in pictures])
    with write_whole(target) as file:
        np.savez(file, facts=np.array(json.dumps(facts)), **arrays)  # type: ignore[arg-type]


class Dataset:
    """All examples in memory, grouped by metre and bars, and their captions encoded once."""

    def __init__(self, folder: Path, files: list[Path], device: str = "cpu", encoder_batch: int = 64) -> None:
        """Reads the files of examples to `device`; raises FileNotFoundError when there is none."""
        if not files:
            raise FileNotFoundError(f"no examples in {folder}")
        pictures: dict[Length, list[NDArray[np.uint8]]] = {}
        known: dict[Length, list[tuple[int, float, int]]] = {}
        captions: dict[str, int] = {}
        for file in files:
            with np.load(file) as shard:
                facts = json.loads(str(shard["facts"]))
                for length in sorted({_length(fact) for fact in facts}):
                    level, stereo = shard[_array("level", length)], shard[_array("stereo", length)]
                    cells = stereo.shape[:2]
                    pictures.setdefault(length, []).append(
                        np.concatenate([level.reshape(*cells, -1), stereo.reshape(*cells, -1)], axis=2)
                    )
            for fact in facts:
                row = captions.setdefault(fact["caption"], len(captions))
                known.setdefault(_length(fact), []).append((row, fact["bpm"], fact["key"]))
        self.device = device
        self.pictures = {
            length: torch.from_numpy(np.concatenate(parts)).to(device) for length, parts in pictures.items()
        }
        self.facts = {length: torch.tensor(facts, device=device) for length, facts in known.items()}
        cache = folder / f"captions-{files[0].stem}-{len(files)}.npz"
        self.text = [table.to(device) for table in _encode(list(captions), cache, encoder_batch)]

    def __len__(self) -> int:
        return sum(map(len, self.facts.values()))

    def batch(self, length: Length, rows: list[int]) -> Batch:
        """Examples `rows` of one metre and length."""
        chosen = torch.tensor(rows, device=self.device)
        captions, bpm, key = self.facts[length][chosen].unbind(1)
        patches = self.pictures[length][chosen].float() / 127.5 - 1
        return Batch(patches, length[0], captions.long(), bpm, key.long())

    def batches(self, tokens: int, chance: random.Random) -> Iterator[Batch]:
        """For ever: batches of one length each, about `tokens` sixteenths, every example once per epoch."""
        while True:
            plan: list[tuple[Length, list[int]]] = []
            for (metre, bars), facts in self.facts.items():
                rows = chance.sample(range(len(facts)), len(facts))
                size = max(1, min(len(rows), tokens // (METRES[metre] * bars)))
                plan += [((metre, bars), rows[at : at + size]) for at in range(0, len(rows) - size + 1, size)]
            chance.shuffle(plan)
            for length, rows in plan:
                yield self.batch(length, rows)

    def conditions(self, batch: Batch, chance: torch.Generator | None = None) -> Conditions:
        """What is known of a batch; with `chance`, tempo and key are often hidden."""
        states, weight, pooled = (table[batch.captions] for table in self.text)
        bpm, key = batch.bpm, batch.key
        if chance is not None:
            hide = torch.rand(2, len(bpm), generator=chance, device=chance.device)
            bpm = torch.where(hide[0] < HIDDEN_BPM, torch.nan, bpm)
            key = torch.where(hide[1] < HIDDEN_KEY, UNKNOWN_KEY, key)
        return Conditions(states.float(), weight.float(), pooled, bpm, key, batch.metre)


def _prepare_shard(shard: Path, target: Path, mixes: int) -> None:
    codec = SpectrogramCodec()
    examples = [example for score, stems in read_shard(shard) for example in mix(score, stems, codec, mixes)]
    write_examples(target, examples)


def _length(fact: dict[str, Any]) -> Length:
    return fact["metre"], fact["bars"]


def _array(kind: str, length: Length) -> str:
    metre, bars = length
    return f"{kind}-{metre.replace('/', '-')}-{bars}"


def _encode(captions: list[str], cache: Path, size: int) -> tuple[Tensor, Tensor, Tensor]:
    if not cache.exists():
        encoder = TextEncoder()
        parts = [encoder(captions[at : at + size]) for at in range(0, len(captions), size)]
        with write_whole(cache) as file:
            np.savez(
                file,
                captions=np.array(json.dumps(captions)),
                states=torch.cat([part.states for part in parts]).half().numpy(),
                weight=torch.cat([part.weight for part in parts]).bool().numpy(),
                pooled=torch.cat([part.pooled for part in parts]).numpy(),
            )
    with np.load(cache) as stored:
        if json.loads(str(stored["captions"])) == captions:
            return (
                torch.from_numpy(stored["states"]),
                torch.from_numpy(stored["weight"]),
                torch.from_numpy(stored["pooled"]),
            )
    cache.unlink()
    return _encode(captions, cache, size)


def _one_thread() -> None:
    torch.set_num_threads(1)
