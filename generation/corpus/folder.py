"""A folder of somebody's own tagged audio as loops on the grid with captions, and what became of each file.

What a file sounds like is told by a text file of its name ("pad.txt" for "pad.wav"), else by `captions.csv` or
`metadata.csv` in the folder (file, caption, and perhaps bpm and key), else by its name: "warm_pad_120bpm_Am.wav" is a
warm pad at 120 bpm in A minor. A tempo that nobody tells is found.
"""

import csv
import io
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

with warnings.catch_warnings():  # pydub looks for an ffmpeg on the PATH; it only slices here
    warnings.simplefilter("ignore", RuntimeWarning)
    from pydub import AudioSegment

from generation import fields
from generation.arrange.grid import CONFIDENT, Grid, find_grid, fit
from generation.audio.ingest import read_audio
from generation.errors import InvalidRequest, RiffError
from generation.request import BPM, METRES, SAMPLE_RATE, Key, RiffRequest, metre_of
from generation.spectrogram import Spectrogram, SpectrogramCodec

MAX_SECONDS = 10 * 60.0
MAX_LOOPS = 1000
BARS = (4, 2, 1)
SILENCE_DBFS = -50.0
TABLES = ("captions.csv", "metadata.csv")

# What lies beside audio without being any: captions, and what riff make writes.
_COMPANIONS = {".txt", ".csv", ".json", ".png", ".md"}
# Tempo is looked for afresh this often, so that a player may hurry.
_STRETCH_SECONDS = 60.0
# Heard before and after a slice, for its end to be joined to its start.
_MARGIN_SECONDS = 0.1
# A tempo that is told is corrected by a found one within this share of it.
_SAME_TEMPO = 0.02
_TOLD = 10  # refused files, when none is usable
_INT32 = 2**31
_DEFAULT_BPM = 120.0
_BPM_WORDS = re.compile(r"\b(?:bpm\s?(\d{2,3}(?:\.\d+)?)|(\d{2,3}(?:\.\d+)?)\s?bpm)\b", re.IGNORECASE)
# Where the tempo stood, which a letter alone has to follow for being a key, and our own "Fsm" for F#m.
_TEMPO_MARK = "|"
_KEY_WORDS = re.compile(
    r"(?:\bin )?\b([A-G](?:#|b| sharp| flat)? ?(?:m|min|minor|maj|major)|[A-G][#b])(?![\w#])|(?<=\| )([A-G]s?m?)(?!\w)"
)
# A number that only counts files: "02 bells", "7", "bells 7", but not "drums 808".
_COUNTER = re.compile(r"^0\d*\b(?!\.)|^\d$|\s(?!(?:303|606|707|808|909)$)\d+$")


class NoUsableAudio(RiffError):
    """A folder gives no loop; the sentence says why."""


@dataclass(frozen=True, slots=True)
class TaggedLoop:
    """One loop to learn from; `bpm` and `key` are None where nobody knows them."""

    spectrogram: Spectrogram
    caption: str
    bpm: float | None
    metre: str
    key: Key | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a file: the number of its loops, or why there are none."""

    file: str
    loops: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Tags:
    """What is told about a file."""

    caption: str
    bpm: float | None = None
    key: Key | None = None


def read_folder(
    folder: Path, codec: SpectrogramCodec, on_progress: Callable[[int, int], None] | None = None
) -> tuple[list[TaggedLoop], list[Verdict]]:
    """The loops of a folder and of those within it, at most 1000, and a verdict on each file, by name.

    `on_progress` is told (files done, files in all). Raises NoUsableAudio when there is no loop.
    """
    if not folder.is_dir():
        raise NoUsableAudio(f"There is no folder {folder}.")
    files = [path for path in sorted(folder.rglob("*")) if _is_offered(path, folder)]
    table = _read_table(folder)
    loops: list[TaggedLoop] = []
    verdicts = []
    for count, path in enumerate(files, 1):
        name = path.relative_to(folder).as_posix()
        made: list[TaggedLoop] = []
        try:
            if len(loops) >= MAX_LOOPS:
                raise RiffError(f"There are {MAX_LOOPS} loops already: that is enough.")
            tags = _tags(path, table.pop(name, None))
            audio = read_audio(path, max_seconds=MAX_SECONDS)
            made = list(cut(audio, tags, codec, path.name))
            if not made:
                raise RiffError(f"{path.name} is silent in every bar.")
            verdicts.append(Verdict(name, len(made)))
        except RiffError as refusal:
            verdicts.append(Verdict(name, 0, str(refusal)))
        loops += made
        if on_progress:
            on_progress(count, len(files))
    verdicts += [Verdict(name, 0, f"{name} is in the table, but not in the folder.") for name in table]
    if not loops:
        raise NoUsableAudio(_why(folder, verdicts))
    return loops[:MAX_LOOPS], verdicts


def cut(
    audio: NDArray[np.float32], tags: Tags, codec: SpectrogramCodec, name: str = "It"
) -> Iterator[TaggedLoop]:
    """Loops of 4, 2 and 1 bars, as long as they go, from (samples, 2) at 44.1 kHz; silent ones are left out.

    Raises RiffError for a sound that is shorter than a bar.
    """
    size = round(_STRETCH_SECONDS * SAMPLE_RATE)
    stretches = [audio[at : at + size] for at in range(0, len(audio), size)]
    grids = [_grid(stretch, tags, is_whole=len(stretches) == 1) for stretch in stretches]
    if not any(grid.bars_in(len(stretch)) for grid, stretch in zip(grids, stretches, strict=True)):
        bar = METRES[grids[0].metre] * 15 / grids[0].bpm
        raise RiffError(
            f"{name} lasts {len(audio) / SAMPLE_RATE:.1f} s: a bar at {grids[0].bpm:g} bpm takes {bar:.1f} s."
        )
    for stretch, grid in zip(stretches, grids, strict=True):
        known = None if grid.is_free and tags.bpm is None else grid.bpm
        for sound, lead_in, bars in _slices(stretch, grid):
            request = RiffRequest(
                prompt=tags.caption, seed=0, bars=bars, bpm=grid.bpm, metre=grid.metre, key=tags.key
            )
            loop = fit(sound, replace(grid, downbeat_samples=lead_in), request)
            picture = codec.encode(loop, request.sixteenths)
            yield TaggedLoop(picture, tags.caption, known, grid.metre, tags.key)


def tags_of_name(stem: str) -> Tags:
    """What a file's name tells: "02_warm_pad_120bpm_Am" is "warm pad" at 120 bpm in A minor."""
    words = " ".join(re.sub(r"[_\-–.,()\[\]]+(?!\d)|[_\-–()\[\]]+", " ", stem).split())
    bpm = _BPM_WORDS.search(words)
    told = float(bpm[1] or bpm[2]) if bpm else 0.0
    words = _BPM_WORDS.sub(f" {_TEMPO_MARK} ", words).replace("  ", " ")
    key = _KEY_WORDS.search(words)
    left = _KEY_WORDS.sub(" ", words).replace(_TEMPO_MARK, " ").split()
    return Tags(
        _COUNTER.sub("", " ".join(left)).strip()[: fields.MAX_PROMPT_LENGTH],
        told if BPM[0] <= told <= BPM[1] else None,
        Key.parse(key[1] or key[2].replace("s", "#")) if key else None,
    )


def _is_offered(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.is_file() and not hidden and path.suffix.lower() not in _COMPANIONS


def _tags(path: Path, row: dict[str, str] | None) -> Tags:
    """What is told about a file; raises RiffError when its caption says nothing or its tempo or key cannot be."""
    named = tags_of_name(path.stem)
    told = row or {}
    try:
        tags = Tags(
            _sidecar(path) or told.get("caption", "") or named.caption,
            fields.number("bpm", told.get("bpm"), BPM, named.bpm or 0.0) or None,
            Key.parse(told["key"]) if told.get("key") else named.key,
        )
    except InvalidRequest as refusal:
        raise RiffError(f"{path.name}: {refusal}") from None
    if not tags.caption:
        raise RiffError(
            f"{path.name} does not say how it sounds: put it into its name, {path.stem}.txt or {TABLES[0]}."
        )
    return tags


def _sidecar(path: Path) -> str:
    """The caption in the text file beside a file, "" where there is none."""
    text = path.with_suffix(".txt")
    try:
        with text.open(encoding="utf-8-sig") as file:
            words = file.read(4 * fields.MAX_PROMPT_LENGTH)
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError):
        raise RiffError(f"{text.name} is not text that can be read: save it as UTF-8.") from None
    return _one_line(words)


def _read_table(folder: Path) -> dict[str, dict[str, str]]:
    """The rows of the folder's table by file; raises NoUsableAudio for one that cannot be understood."""
    path = next((folder / name for name in TABLES if (folder / name).is_file()), None)
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise NoUsableAudio(f"{path.name} is not text that can be read: save it as UTF-8.") from None
    head = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in head and "," not in head else ",")
    columns = {(name or "").strip().lower().removesuffix("_name"): name for name in rows.fieldnames or ()}
    if not {"file", "caption"} <= columns.keys():
        raise NoUsableAudio(f"{path.name} needs the columns file and caption, and may have bpm and key.")
    table = {}
    for row in rows:
        told = {column: _one_line(row[name] or "") for column, name in columns.items()}
        table[told["file"].replace("\\", "/")] = told
    return table


def _one_line(text: str) -> str:
    plain = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(plain.split())[: fields.MAX_PROMPT_LENGTH].strip()


def _grid(audio: NDArray[np.float32], tags: Tags, *, is_whole: bool) -> Grid:
    """The grid of a stretch of sound, or of all of it: the found one, unless another tempo is told.

    A whole file of as many bars as its told tempo makes is a loop: it starts on its downbeat.
    """
    metre = metre_of(tags.caption)
    if tags.bpm is not None and is_whole:
        told = Grid(tags.bpm, 0, CONFIDENT, metre)
        bars = round(len(audio) / told.bar_samples)
        if bars and abs(len(audio) / told.bar_samples - bars) < _SAME_TEMPO:
            return replace(told, bpm=bars * METRES[metre] * 15 * SAMPLE_RATE / len(audio))
    found = find_grid(audio)
    if tags.bpm is None:
        return Grid(_DEFAULT_BPM, 0, 0.0, metre) if found.is_free else found
    if found.is_free:
        return Grid(tags.bpm, 0, CONFIDENT, metre)
    if abs(found.bpm / tags.bpm - 1) < _SAME_TEMPO:
        return found
    told = Grid(tags.bpm, 0, CONFIDENT, metre)
    return replace(told, downbeat_samples=round(found.downbeat_samples % told.bar_samples))


def _slices(audio: NDArray[np.float32], grid: Grid) -> Iterator[tuple[NDArray[np.float32], int, int]]:
    """Slices of whole bars that can be heard, with what is there on both sides of each: (sound, lead-in, bars)."""
    integers = np.round(np.clip(audio, -1, 1) * np.float64(_INT32 - 1)).astype("<i4")
    whole = AudioSegment(integers.tobytes(), sample_width=4, frame_rate=SAMPLE_RATE, channels=2)
    margin = round(_MARGIN_SECONDS * SAMPLE_RATE)
    bar, last = 0, grid.bars_in(len(audio))
    while bar < last:
        bars = next(bars for bars in BARS if bars <= last - bar)
        start, end = (grid.downbeat_samples + round(at * grid.bar_samples) for at in (bar, bar + bars))
        bar += bars
        if whole.get_sample_slice(start, end).dBFS > SILENCE_DBFS:
            before = max(0, start - margin)
            around = whole.get_sample_slice(before, end + margin)
            values = np.frombuffer(around.raw_data, "<i4").reshape(-1, 2)
            yield (values / np.float64(_INT32)).astype(np.float32), start - before, bars


def _why(folder: Path, verdicts: list[Verdict]) -> str:
    if not verdicts:
        return f"There is no audio in {folder}."
    reasons = " ".join(verdict.reason for verdict in verdicts[:_TOLD])
    others = f" And so on: {len(verdicts)} files in all." if len(verdicts) > _TOLD else ""
    return f"There is no usable audio in {folder}. {reasons}{others}"
