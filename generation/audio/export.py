"""Sound as files: WAV with its loop points, FLAC, OGG Vorbis, Opus and MP3 with tags, peaks to draw.

Every file carries the recipe that makes its sound again, and the same sound gives the same bytes.
"""

import hashlib
import io
import itertools
import json
import shutil
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from generation.arrangement import Song
from generation.audio import ffmpeg
from generation.audio.pcm import CHANNELS, FRAME_BYTES, audio_of, pcm24, sha256
from generation.errors import RiffError
from generation.files import write_whole
from generation.request import SAMPLE_RATE, RiffRequest, Take

_MIDDLE_C = 60


def wav(take: Take) -> bytes:
    """A 24-bit stereo WAV whose acid chunk tells tempo, metre and key and whose smpl chunk loops all of it.

    The recipe is the comment in LIST/INFO. Layout after "Multimedia Programming Interface and Data Specifications 1.0"
    (IBM and Microsoft, 1991), its smpl chunk, and Sonic Foundry's acid chunk as libsndfile reads it.
    """
    return _wav(take.audio, take.recipe)


def stem_wav(take: Take, role: str) -> bytes:
    """One stem of a take of layers as a WAV; its recipe is the take's, with the stem's name and digest."""
    stem = take.stems[role]
    return _wav(stem, {**take.recipe, "stem": role, "sha256": sha256(stem)})


@contextmanager
def wav_stream(path: Path, request: RiffRequest) -> Iterator["WavStream"]:
    """A WAV like that of `wav`, of any length, written as its sound is made; there as a whole or not at all.

    The block writes (samples, 2) float32 pieces and ends with `finish(recipe)`, for which `samples` and `sha256` are
    known by then. Raises StorageFull.
    """
    with write_whole(path) as file:
        out = WavStream(file, request)
        yield out
        if not out.finished:
            raise ValueError(f"{path.name} was not finished with its recipe.")


class WavStream:
    """A 24-bit stereo WAV that grows piece by piece in a seekable file; `samples` counts what is written."""

    def __init__(self, file: BinaryIO, request: RiffRequest) -> None:
        self.samples, self.finished = 0, False
        self._file, self._request, self._digest = file, request, hashlib.sha256()
        file.write(self._head())

    def write(self, audio: NDArray[np.float32]) -> None:
        """Add (samples, 2) in [-1, 1]."""
        data = pcm24(audio)
        self._digest.update(data)
        self._file.write(data)
        self.samples += len(audio)

    @property
    def sha256(self) -> str:
        """SHA-256 of the 24-bit PCM so far."""
        return self._digest.hexdigest()

    def finish(self, recipe: dict[str, Any]) -> None:
        """Add what follows the sound, the recipe among it, and the sizes that are known only now."""
        chunks = [_chunk(b"acid", _acid(self._request, self.samples))]
        if not isinstance(self._request.arrangement, Song):
            chunks.insert(0, _chunk(b"smpl", _smpl(self._request, self.samples)))
        chunks.append(_chunk(b"LIST", b"INFO" + _info(self._request, recipe)))
        tail = b"".join(chunks)
        data_bytes = self.samples * FRAME_BYTES
        self._file.write(tail)
        self._file.seek(0)
        self._file.write(self._head(data_bytes, len(tail)))
        self._file.seek(0, io.SEEK_END)
        self.finished = True

    @staticmethod
    def _head(data_bytes: int = 0, tail_bytes: int = 0) -> bytes:
        form = struct.pack("<HHIIHH", 1, CHANNELS, SAMPLE_RATE, SAMPLE_RATE * FRAME_BYTES, FRAME_BYTES, 24)
        body = b"WAVE" + _chunk(b"fmt ", form) + b"data" + struct.pack("<I", data_bytes)
        return b"RIFF" + struct.pack("<I", len(body) + data_bytes + tail_bytes) + body


@dataclass(frozen=True, slots=True)
class Encoding:
    """How ffmpeg writes a format: its container, its codec's arguments, and what it calls tempo and key."""

    container: str
    codec: tuple[str, ...]
    bpm: str = "BPM"
    key: str = "INITIALKEY"


ENCODINGS = {
    "flac": Encoding("flac", ("-c:a", "flac", "-sample_fmt", "s32", "-bits_per_raw_sample", "24")),
    "ogg": Encoding("ogg", ("-c:a", "libvorbis", "-q:a", "6")),
    "opus": Encoding("opus", ("-c:a", "libopus", "-b:a", "160k")),
    "mp3": Encoding("mp3", ("-c:a", "libmp3lame", "-b:a", "192k", "-id3v2_version", "4"), "TBPM", "TKEY"),
}


def mp3(take: Take, bitrate_kbps: int = 192) -> bytes:
    """A tagged MP3 with the recipe as its comment; players that know LAME's header play it without gaps."""
    return encode(wav(take), "mp3", tags_of(take.recipe), bitrate_kbps)


def flac(take: Take) -> bytes:
    """A tagged 24-bit FLAC with the recipe as its comment: the WAV's own samples in two thirds of the room."""
    return encode(wav(take), "flac", tags_of(take.recipe))


def ogg(take: Take) -> bytes:
    """A tagged OGG Vorbis file of about 190 kbit/s with the recipe as its comment."""
    return encode(wav(take), "ogg", tags_of(take.recipe))


def opus(take: Take) -> bytes:
    """A tagged Opus file of 160 kbit/s (at 48 kHz, as all Opus is) with the recipe as its comment."""
    return encode(wav(take), "opus", tags_of(take.recipe))


def encode(sound: bytes, ending: str, tags: Mapping[str, str], bitrate_kbps: int | None = None) -> bytes:
    """A WAV of ours in another format of ENCODINGS. Raises RiffError where it cannot be made."""
    with ffmpeg.workplace() as work:
        source, result = work / "sound.wav", work / "result"
        source.write_bytes(sound)
        _run(source, result, ending, tags, bitrate_kbps, work)
        return result.read_bytes()


def encode_file(
    wav_path: Path,
    out_path: Path,
    ending: str,
    tags: Mapping[str, str],
    bitrate_kbps: int | None = None,
) -> None:
    """A WAV file of ours, of any length, as a file in another format of ENCODINGS, there as a whole or not at all.

    Raises RiffError where it cannot be made, StorageFull where there is no room for it.
    """
    with ffmpeg.workplace() as work:
        _run(wav_path, work / "result", ending, tags, bitrate_kbps, work)
        with (work / "result").open("rb") as result, write_whole(out_path) as out:
            shutil.copyfileobj(result, out)


def tags_of(recipe: Mapping[str, Any]) -> dict[str, str]:
    """What a file tells about its sound: title, artist, tempo, key where it has one, and the recipe."""
    request = recipe["request"]
    key = request["key"] or recipe.get("song", {}).get("key")
    return {
        "title": request["prompt"],
        "artist": "Riffmarket",
        "bpm": f"{request['bpm']:g}",
        **({"key": key} if key else {}),
        "comment": json.dumps(recipe, sort_keys=True),
    }


def tag_arguments(work: Path, encoding: Encoding, tags: Mapping[str, str]) -> list[str]:
    """ffmpeg's arguments for one more input that holds nothing but tags: long ones would not fit on a command line."""
    names = {"bpm": encoding.bpm, "key": encoding.key}
    lines = [f"{names.get(name, name)}={_escaped(text)}\n" for name, text in tags.items()]
    path = work / "tags"
    path.write_text(";FFMETADATA1\n" + "".join(lines))
    return ffmpeg.read_from(path, "ffmetadata")


def peaks(take: Take, count: int = 512) -> list[float]:
    """Largest magnitude, 0 to 1, in each of `count` equal stretches of the loop."""
    loudest = np.abs(take.audio).max(1)
    edges = np.linspace(0, len(loudest), count + 1).astype(int)[:-1]
    return [round(float(peak), 4) for peak in np.maximum.reduceat(loudest, edges)]


def peaks_file(pcm: NDArray[np.uint8], recipe: Mapping[str, Any], count: int = 512) -> bytes:
    """A JSON object of `peaks`, for 24-bit stereo PCM (samples, 6) of any length, with the recipe beside them."""
    edges = np.linspace(0, len(pcm), min(count, len(pcm)) + 1).astype(int)
    stretches = (audio_of(pcm[start:end].tobytes()) for start, end in itertools.pairwise(edges))
    values = [round(float(np.abs(stretch).max()), 4) for stretch in stretches]
    return json.dumps({"peaks": values, "recipe": recipe}, sort_keys=True).encode() + b"\n"


def _wav(audio: NDArray[np.float32], recipe: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    out = WavStream(buffer, RiffRequest.from_dict(recipe["request"]))
    out.write(audio)
    out.finish(recipe)
    return buffer.getvalue()


def _smpl(request: RiffRequest, samples: int) -> bytes:
    period = round(1e9 / SAMPLE_RATE)
    head = struct.pack("<9I", 0, 0, period, _root_note(request), 0, 0, 0, 1, 0)
    return head + struct.pack("<6I", 0, 0, 0, samples - 1, 0, 0)


def _acid(request: RiffRequest, samples: int) -> bytes:
    stretch, has_root = 4, 2
    flags = stretch | (has_root if request.key else 0)
    beats_per_bar, unit = map(int, request.metre.split("/"))
    beats = round(samples * request.bpm / 60 / SAMPLE_RATE)  # quarter notes, as the tempo counts
    return struct.pack(
        "<IHHfIHHf", flags, _root_note(request), 0x8000, 0, beats, unit, beats_per_bar, request.bpm
    )


def _root_note(request: RiffRequest) -> int:
    return _MIDDLE_C + (request.key.tonic if request.key else 0)


def _info(request: RiffRequest, recipe: dict[str, Any]) -> bytes:
    fields = {
        b"INAM": request.prompt,
        b"IART": "Riffmarket",
        b"ISFT": f"Riffmarket {recipe['model']}",
        b"ICMT": json.dumps(recipe, sort_keys=True),
    }
    return b"".join(_chunk(name, text.encode() + b"\0") for name, text in fields.items())


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _run(
    source: Path,
    result: Path,
    ending: str,
    tags: Mapping[str, str],
    bitrate_kbps: int | None,
    work: Path,
) -> None:
    encoding = ENCODINGS[ending]
    rate = [] if bitrate_kbps is None else ["-b:a", f"{bitrate_kbps}k"]
    size = source.stat().st_size
    arguments = [
        *ffmpeg.read_from(source, "wav"),
        *tag_arguments(work, encoding, tags),
        *("-map", "0:a"),
        *ffmpeg.SAME_BYTES,
        *("-map_metadata", "1"),
        *encoding.codec,
        *rate,
        *ffmpeg.write_to(result, encoding.container),
    ]
    try:
        # A minute, and on the slowest of machines twice as long as the sound lasts.
        ffmpeg.run(
            arguments,
            seconds=60 + 2 * size / FRAME_BYTES / SAMPLE_RATE,
            largest=2 * size + (1 << 20),
            work=work,
        )
    except ffmpeg.FfmpegFailed as failure:
        raise RiffError(f"The sound could not be written as {ending.upper()}: {failure}.") from failure


def _escaped(text: str) -> str:
    return "".join(f"\\{character}" if character in "=;#\\\n" else character for character in text)
