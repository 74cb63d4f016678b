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
from generation.spectrogram import Spectrogram, SpectrogramCodec
from generation.spectrogram.patches import to_patches

GAIN_DB = 4.0


@dataclass(frozen=True, slots=True)
class Example:
    """One mix: its 8-bit picture and what is known about it."""

    spectrogram: Spectrogram
    caption: str
    bpm: float
    key: int
    seed: int


@dataclass(frozen=True, slots=True)
class Batch:
    """`patches` (B, tokens, patch_size); `captions` are rows of the table of encoded captions."""

    patches: Tensor
    captions: Tensor
    bpm: Tensor
    key: Tensor


def prepare(corpus: Path, folder: Path, *, mixes: int = 5, workers: int = 2) -> Iterator[tuple[int, int]]:
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
        role: [codec.analyse(torch.from_numpy(side / np.float32(32768)), score.bars) for side in stem.T]
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
                score.key.tonic * 2 + score.key.minor,
                score.seed,
            )
        )
    return examples


class Dataset:
    """All examples in memory, grouped by length, and their captions encoded once."""

    def __init__(self, folder: Path, files: list[Path], encoder_batch: int = 64) -> None:
        """Reads the files of examples; raises FileNotFoundError when there is none."""
        if not files:
            raise FileNotFoundError(f"no examples in {folder}")
        level: dict[int, list[NDArray[np.uint8]]] = {}
        stereo: dict[int, list[NDArray[np.uint8]]] = {}
        self.facts: dict[int, list[tuple[int, float, int]]] = {}
        captions: dict[str, int] = {}
        for file in files:
            with np.load(file) as shard:
                facts = json.loads(str(shard["facts"]))
                for bars in {fact["bars"] for fact in facts}:
                    level.setdefault(bars, []).append(shard[f"level{bars}"])
                    stereo.setdefault(bars, []).append(shard[f"stereo{bars}"])
            for fact in facts:
                row = captions.setdefault(fact["caption"], len(captions))
                self.facts.setdefault(fact["bars"], []).append((row, fact["bpm"], fact["key"]))
        self.level = {bars: np.concatenate(parts) for bars, parts in level.items()}
        self.stereo = {bars: np.concatenate(parts) for bars, parts in stereo.items()}
        self.text = _encode(
            list(captions), folder / f"captions-{files[0].stem}-{len(files)}.npz", encoder_batch
        )

    def __len__(self) -> int:
        return sum(len(facts) for facts in self.facts.values())

    def batch(self, bars: int, rows: list[int]) -> Batch:
        """Examples `rows` of one length."""
        patches = torch.stack(
            [to_patches(Spectrogram(self.level[bars][row], self.stereo[bars][row])) for row in rows]
        )
        facts = [self.facts[bars][row] for row in rows]
        return Batch(
            patches,
            torch.tensor([fact[0] for fact in facts]),
            torch.tensor([fact[1] for fact in facts]),
            torch.tensor([fact[2] for fact in facts]),
        )

    def batches(self, tokens: int, chance: random.Random) -> Iterator[Batch]:
        """For ever: batches of one length each, about `tokens` sixteenths, every example once per epoch."""
        while True:
            plan: list[tuple[int, list[int]]] = []
            for bars, facts in self.facts.items():
                rows, size = chance.sample(range(len(facts)), len(facts)), max(1, tokens // (16 * bars))
                plan += [(bars, rows[at : at + size]) for at in range(0, len(rows) - size + 1, size)]
            chance.shuffle(plan)
            for bars, rows in plan:
                yield self.batch(bars, rows)

    def conditions(
        self, batch: Batch, chance: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Text states, mask, pooled text, bpm and key of a batch; with `chance`, tempo and key are often hidden."""
        states, mask, pooled = (table[batch.captions] for table in self.text)
        bpm, key = batch.bpm, batch.key
        if chance is not None:
            hide = torch.rand(2, len(bpm), generator=chance)
            bpm = torch.where(hide[0] < 0.3, torch.nan, bpm)
            key = torch.where(hide[1] < 0.5, UNKNOWN_KEY, key)
        return states.float(), mask, pooled, bpm.float(), key


def _prepare_shard(shard: Path, target: Path, mixes: int) -> None:
    codec = SpectrogramCodec()
    examples = [example for score, stems in read_shard(shard) for example in mix(score, stems, codec, mixes)]
    facts = [
        {
            "caption": example.caption,
            "bpm": example.bpm,
            "key": example.key,
            "bars": example.spectrogram.bars,
            "seed": example.seed,
        }
        for example in examples
    ]
    arrays: dict[str, NDArray[np.uint8]] = {}
    for bars in {example.spectrogram.bars for example in examples}:
        of_length = [example.spectrogram for example in examples if example.spectrogram.bars == bars]
        arrays[f"level{bars}"] = np.stack([spectrogram.level for spectrogram in of_length])
        arrays[f"stereo{bars}"] = np.stack([spectrogram.stereo for spectrogram in of_length])
    with write_whole(target) as file:
        np.savez(file, facts=np.array(json.dumps(facts)), **arrays)  # type: ignore[arg-type]


def _encode(captions: list[str], cache: Path, size: int) -> tuple[Tensor, Tensor, Tensor]:
    if not cache.exists():
        encoder = TextEncoder()
        parts = [encoder(captions[at : at + size]) for at in range(0, len(captions), size)]
        with write_whole(cache) as file:
            np.savez(
                file,
                captions=np.array(json.dumps(captions)),
                states=torch.cat([part.states for part in parts]).half().numpy(),
                mask=torch.cat([part.mask for part in parts]).numpy(),
                pooled=torch.cat([part.pooled for part in parts]).numpy(),
            )
    with np.load(cache) as stored:
        if json.loads(str(stored["captions"])) == captions:
            return (
                torch.from_numpy(stored["states"]),
                torch.from_numpy(stored["mask"]),
                torch.from_numpy(stored["pooled"]),
            )
    cache.unlink()
    return _encode(captions, cache, size)


def _one_thread() -> None:
    torch.set_num_threads(1)
