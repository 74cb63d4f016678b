"""Recipes read back from the files that carry them: sounds, pictures, films and JSON.

Nothing of a file is believed: its first bytes choose the one reader that opens it, and every reader is limited.
"""

import hashlib
import html
import json
import re
import struct
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generation import arrangement as arrangements
from generation.arrangement import Arrangement
from generation.audio import ffmpeg
from generation.audio.pcm import CHANNELS, FRAME_BYTES
from generation.errors import InvalidRequest, RiffError
from generation.request import SAMPLE_RATE, RiffRequest

# What ffmpeg calls the containers of sound and film.
DEMUXERS = {"flac": "flac", "ogg": "ogg", "opus": "ogg", "mp3": "mp3", "mp4": "mov"}

_LARGEST = 256 * 2**20
_LARGEST_RECIPE = 2**20
_LARGEST_PICTURE = 2**24  # pixels
_SECONDS = 60
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FIELD = re.compile(r"((?:[^\\=\n]|\\.)*)=((?:[^\\\n]|\\[\s\S])*)\n")
_XMP = re.compile(rb' riff:recipe="([^"]*)"')


def read_recipe(path: Path) -> tuple[dict[str, Any], str | None]:
    """The recipe in a file of ours, and the SHA-256 of its own samples where it is lossless (WAV, FLAC), else None.

    Raises RiffError when the file cannot be read or holds no recipe.
    """
    ending = ending_of(path)
    try:
        recipe = checked(json.loads(_READERS[ending](path)))
        return recipe, _DIGESTS[ending](path) if ending in _DIGESTS else None
    except (
        *(AttributeError, KeyError, IndexError, TypeError, ValueError, RecursionError, SyntaxError, EOFError),
        *(OSError, struct.error, Image.DecompressionBombError, Image.DecompressionBombWarning),
        ffmpeg.FfmpegFailed,
    ):
        raise _foreign(path) from None


def ending_of(path: Path) -> str:
    """What kind of file of ours this is by its first bytes, as the usual ending: "wav", "flac", ... or "json".

    Raises RiffError when it cannot be read, is too large, or is none of them.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(64)
            if start[:3] == b"ID3":
                # Content credentials of a FLAC are in a tag before it, where those of an MP3 are, too.
                file.seek(id3_bytes(start))
                behind = file.read(64)
                start = behind if behind[:4] == b"fLaC" else start
    except OSError as error:
        raise RiffError(f"{path} cannot be read: {error.strerror}.") from None
    if size > _LARGEST:
        raise RiffError(f"{path.name} is too large to be a file of ours.")
    for ending, looks in _LOOKS.items():
        if looks(start):
            return ending
    raise _foreign(path)


def id3_bytes(start: bytes) -> int:
    """Length of the ID3v2 tag that a file starts with (ID3v2.4, section 3.1): four times seven bits and its head."""
    return 10 + sum(part << 7 * place for place, part in enumerate(reversed(start[6:10])))


def checked(record: Any) -> dict[str, Any]:
    """A recipe as it stands, or from beside the peaks of a file; raises ValueError where it has another shape."""
    try:
        recipe: dict[str, Any] = record["recipe"] if "peaks" in record else record
        digest = recipe["sha256"]
        fits = (
            isinstance(recipe["request"]["prompt"], str)
            and isinstance(recipe["model"], str)
            and isinstance(recipe["codec"], str)
            and type(recipe["samples"]) is int
            and recipe["samples"] > 0
            and _SHA256.fullmatch(digest) is not None
            and isinstance(recipe.get("stem", ""), str)
            and isinstance(recipe.get("song", {}).get("key", ""), str)
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("no recipe") from error
    if not fits:
        raise ValueError("no recipe")
    return recipe


def request_of(recipe: dict[str, Any]) -> RiffRequest:
    """The request of a recipe that may come from anywhere; raises RiffError unless a door could have made it."""
    try:
        record = recipe["request"]
        request = RiffRequest.from_dict(record)
        plain = {**record, "key": record["key"] or "", "arrangement": None}
        again = RiffRequest.parse(**plain, preset=None)
        arrangement = _parsed(request.arrangement, request.bars)
    except (InvalidRequest, AttributeError, KeyError, TypeError, ValueError):
        raise RiffError("The recipe asks for something that cannot be made.") from None
    if request != replace(again, arrangement=arrangement):
        raise RiffError("The recipe asks for something that cannot be made.")
    return request


def pcm_of(path: Path) -> NDArray[np.uint8]:
    """The 24-bit PCM of a WAV of ours, (samples, 6), read from the file as it is looked at. Raises RiffError."""
    try:
        with path.open("rb") as file:
            start, size = _chunks_of_wav(file)[b"data"]
        return np.memmap(path, np.uint8, "r", start, (size // FRAME_BYTES, FRAME_BYTES))
    except (OSError, KeyError, ValueError):
        raise _foreign(path) from None


def open_picture(path: Path, ending: str) -> Image.Image:
    """A picture or animation of ours; raises what Pillow raises, and ValueError for more pixels than we draw."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        picture = Image.open(path, formats=[ending.upper()])
    if picture.width * picture.height > _LARGEST_PICTURE:
        raise ValueError("too many pixels")
    return picture


def _foreign(path: Path) -> RiffError:
    return RiffError(f"{path.name} holds no recipe of ours: give a file that riff make or riff export wrote.")


def _parsed(arrangement: Arrangement | None, bars: int) -> Arrangement | None:
    """The same arrangement as a door would make it from what it is asked."""
    record = arrangements.to_record(arrangement)
    if record is not None and record["kind"] == "repaint":
        record["bars"] = f"{record.pop('first')}-{record.pop('last')}"
    if record is not None and record["kind"] == "layers":
        record |= dict(record.pop("prompts"))
    return arrangements.parse(record, bars=bars)


_LOOKS: dict[str, Callable[[bytes], bool]] = {
    "wav": lambda start: start[:4] == b"RIFF" and start[8:12] == b"WAVE",
    "webp": lambda start: start[:4] == b"RIFF" and start[8:12] == b"WEBP",
    "flac": lambda start: start[:4] == b"fLaC",
    "opus": lambda start: start[:4] == b"OggS" and b"OpusHead" in start,
    "ogg": lambda start: start[:4] == b"OggS",
    "mp3": lambda start: start[:3] == b"ID3",
    "mp4": lambda start: start[4:8] == b"ftyp",
    "png": lambda start: start[:8] == b"\x89PNG\r\n\x1a\n",
    "gif": lambda start: start[:6] in (b"GIF87a", b"GIF89a"),
    "json": lambda start: start[:1] == b"{",
}


def _from_json(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LARGEST_RECIPE)


def _from_wav(path: Path) -> bytes:
    with path.open("rb") as file:
        chunks = _chunks_of_wav(file)
        info = _read(file, chunks[b"LIST"])
    comment = _chunks(info[4:])[b"ICMT"]
    return comment.rstrip(b"\0")


def _from_png(path: Path) -> str:
    with open_picture(path, "png") as picture:
        return str(picture.info["riffmarket"])


def _from_gif(path: Path) -> bytes:
    with open_picture(path, "gif") as picture:
        return bytes(picture.info["comment"])


def _from_webp(path: Path) -> str:
    with open_picture(path, "webp") as picture:
        found = _XMP.search(picture.info["xmp"])
    if found is None:
        raise ValueError
    return html.unescape(found[1].decode())


def _from_tags(path: Path) -> str:
    """The comment that ffmpeg finds: the file's own, or with Ogg, its stream's."""
    ending = ending_of(path)
    with ffmpeg.workplace() as work:
        where = "0:s:a:0" if ending in ("ogg", "opus") else "0"
        opened = ffmpeg.read_from(path, DEMUXERS[ending])
        written = ffmpeg.write_to(work / "tags", "ffmetadata")
        ffmpeg.run(
            [*opened, "-map_metadata", where, *written], seconds=_SECONDS, largest=_LARGEST_RECIPE, work=work
        )
        text = (work / "tags").read_text()
    fields = {_unescaped(name): _unescaped(value) for name, value in _FIELD.findall(text)}
    return fields["comment"]


_READERS: dict[str, Callable[[Path], str | bytes]] = {
    "json": _from_json,
    "wav": _from_wav,
    "png": _from_png,
    "gif": _from_gif,
    "webp": _from_webp,
    **dict.fromkeys(DEMUXERS, _from_tags),
}


def _digest_of_wav(path: Path) -> str:
    with path.open("rb") as file:
        chunks = _chunks_of_wav(file)
        form = struct.unpack("<HHIIHH", _read(file, chunks[b"fmt "]))
        if form != (1, CHANNELS, SAMPLE_RATE, SAMPLE_RATE * FRAME_BYTES, FRAME_BYTES, 24):
            raise ValueError
        start, left = chunks[b"data"]
        digest = hashlib.sha256()
        file.seek(start)
        while left and (piece := file.read(min(left, 1 << 20))):
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest()


def _digest_of_flac(path: Path) -> str:
    with ffmpeg.workplace() as work:
        opened = ffmpeg.read_from(path, "flac")
        written = ffmpeg.write_to(work / "digest", "hash")
        ffmpeg.run(
            [*opened, "-map", "0:a", "-c:a", "pcm_s24le", "-hash", "sha256", *written],
            seconds=_SECONDS,
            largest=1 << 16,
            work=work,
        )
        return (work / "digest").read_text().strip().partition("=")[2]


_DIGESTS: dict[str, Callable[[Path], str]] = {"wav": _digest_of_wav, "flac": _digest_of_flac}


def _chunks_of_wav(file: BinaryIO) -> dict[bytes, tuple[int, int]]:
    """Where the first chunk of each name starts, and its size."""
    places: dict[bytes, tuple[int, int]] = {}
    at = 12
    while len(places) < 64:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            break
        name, size = struct.unpack("<4sI", head)
        places.setdefault(name, (at + 8, size))
        at += 8 + size + size % 2
    return places


def _read(file: BinaryIO, place: tuple[int, int]) -> bytes:
    file.seek(place[0])
    return file.read(min(place[1], _LARGEST_RECIPE))


def _chunks(body: bytes) -> dict[bytes, bytes]:
    chunks, at = {}, 0
    while at + 8 <= len(body):
        name, size = struct.unpack_from("<4sI", body, at)
        chunks[name] = body[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return chunks


def _unescaped(text: str) -> str:
    return re.sub(r"\\([\s\S])", r"\1", text)
