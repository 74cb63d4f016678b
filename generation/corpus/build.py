"""A corpus on disk: rendered stems and their scores in shards that NumPy reads.

A shard is an uncompressed .npz of up to 64 loops: `scores.json`, `soundfonts.json` (the file that each loop's
sampled parts were played with) and, for each loop and role, an array `<index>/<role>` of (samples, 2) int16.
Beside the shards, `origin.json` says which soundfonts with which SHA-256 the corpus was made with.
"""

import json
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generation.corpus.composer import compose, is_solo
from generation.corpus.renderer import Renderer
from generation.corpus.score import Role, Score
from generation.corpus.soundfonts import find_soundfonts, origin_of
from generation.errors import RiffError
from generation.files import write_whole

Stems = dict[Role, NDArray[np.int16]]

LOOPS_PER_SHARD = 64
ORIGIN = "origin.json"


class OtherOrigin(RiffError):
    """A folder's loops were played with other soundfonts."""


def build(
    folder: str | Path,
    count: int,
    first_seed: int = 0,
    soundfont: str | Path | None = None,
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
    *,
    solos: bool = False,
) -> list[Path]:
    """Render the loops of `count` seeds from `first_seed` on; gives the shards' paths, in their order.

    With `solos` only those of the seeds that are for a soloist.

    Shards that are there already are kept, so an interrupted build goes on where it was; it raises OtherOrigin
    where that was with other soundfonts. A loop takes 4 MB. `on_progress` is told (loops done, loops in all) at
    the start and after each shard of 64. Raises SynthesizerUnavailable without FluidSynth or a soundfont and
    StorageFull when the disk is full; a shard is whole or absent, and the same seeds give the same bytes.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    soundfonts = find_soundfonts(soundfont)
    _record_origin(folder, soundfonts)
    end = first_seed + count
    shards = [
        (folder / f"loops-{seed:08d}-{min(seed + LOOPS_PER_SHARD, end) - 1:08d}.npz", seed)
        for seed in range(first_seed, end, LOOPS_PER_SHARD)
    ]
    sizes = {path: min(LOOPS_PER_SHARD, end - seed) for path, seed in shards}
    missing = [(path, seed) for path, seed in shards if not path.exists()]
    done = sum(sizes[path] for path in sizes if path.exists())
    if on_progress:
        on_progress(done, count)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = {
            pool.submit(_write_shard, path, range(seed, seed + sizes[path]), soundfont, solos): path
            for path, seed in missing
        }
        try:
            for finished in as_completed(waiting):
                finished.result()
                done += sizes[waiting[finished]]
                if on_progress:
                    on_progress(done, count)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [path for path, _ in shards]


def read(folder: str | Path) -> Iterator[tuple[Score, Stems]]:
    """Every loop of a corpus in the order of the shards' names, one in memory at a time."""
    for path in sorted(Path(folder).glob("loops-*.npz")):
        yield from read_shard(path)


def read_shard(path: str | Path) -> Iterator[tuple[Score, Stems]]:
    """The loops of one shard."""
    with zipfile.ZipFile(path) as shard:
        records = json.loads(shard.read("scores.json"))
        for index, record in enumerate(records):
            score = Score.from_dict(record)
            stems: Stems = {}
            for part in score.parts:
                with shard.open(f"{index}/{part.role}.npy") as member:
                    stems[part.role] = np.lib.format.read_array(member)
            yield score, stems


def origin(folder: str | Path) -> list[dict[str, str]]:
    """The soundfonts that a corpus was made with: file name, SHA-256, version and licence of each."""
    record: dict[str, list[dict[str, str]]] = json.loads((Path(folder) / ORIGIN).read_text())
    return record["soundfonts"]


def _record_origin(folder: Path, soundfonts: tuple[Path, ...]) -> None:
    now = [origin_of(soundfont) for soundfont in soundfonts]
    if not (folder / ORIGIN).exists():
        with write_whole(folder / ORIGIN) as file:
            file.write(json.dumps({"soundfonts": now}, indent=2).encode() + b"\n")
    elif [font["sha256"] for font in origin(folder)] != [font["sha256"] for font in now]:
        raise OtherOrigin(
            f"The loops in {folder} were played with {' and '.join(font['file'] for font in origin(folder))}:"
            " choose another folder or the same soundfonts."
        )


@cache
def _renderer(soundfont: str | Path | None) -> Renderer:
    return Renderer(soundfont)


def _write_shard(path: Path, seeds: range, soundfont: str | Path | None, solos: bool) -> None:
    """Runs in a worker process, which keeps its soundfonts for the next shard."""
    renderer = _renderer(soundfont)
    scores = [compose(seed) for seed in seeds if not solos or is_solo(seed)]
    with write_whole(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as shard:
        for index, score in enumerate(scores):
            for role, stem in renderer.render(score).items():
                whole = np.clip(np.rint(stem * 32767), -32768, 32767).astype(np.int16)
                with shard.open(_member(f"{index}/{role}.npy"), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, whole)
        soundfonts = [renderer.soundfont(score).name for score in scores]
        shard.writestr(_member("scores.json"), json.dumps([score.to_dict() for score in scores]))
        shard.writestr(_member("soundfonts.json"), json.dumps(soundfonts))


def _member(name: str) -> zipfile.ZipInfo:
    """Without the time of writing: the same loops make the same file."""
    return zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
