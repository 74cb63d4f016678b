"""Audio that people bring: any WAV, MP3, OGG, Opus, FLAC or M4A file as stereo at 44.1 kHz, or a refusal in a sentence.

Nothing of a file is believed. Its first bytes choose the one demuxer that may read it, so that playlists, pictures and
archives never reach ffmpeg; what it says it holds is looked at before anything is decoded; and no more is decoded than
what is taken.
"""

import errno
import os
import re
import stat
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from generation.audio import ffmpeg
from generation.audio.recipes import id3_bytes
from generation.errors import StorageFull, UnreadableAudio
from generation.request import SAMPLE_RATE

# A minute of 24-bit stereo at 96 kHz has 33 MiB.
MAX_BYTES = 40 * 2**20
MAX_CHANNELS = 8
MIN_SECONDS = 0.5
FORMATS = "WAV, MP3, OGG, Opus, FLAC or M4A"

_SILENCE = 10 ** (-60 / 20)
# A file of exactly the longest length may come back a little longer.
_SLACK_SECONDS = 0.2
# This much of what a file says it lasts may be missing: encoders disagree about their own delays.
_MISSING_SHARE, _MISSING_SECONDS = 0.05, 0.1
_TIME_LIMIT = 10.0
_SAMPLE_BYTES = 4
_DECODERS = (
    "aac,alac,flac,mp3,mp3float,opus,vorbis,adpcm_ima_wav,adpcm_ms,"
    "pcm_u8,pcm_s16le,pcm_s24le,pcm_s32le,pcm_f32le,pcm_f64le,pcm_alaw,pcm_mulaw"
)
_DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_AU_HEADER = struct.Struct(">4s5I")
# 24-bit integers are read as n / 2^23 and written as n / (2^23 - 1): a loop of ours keeps its bytes on the way.
_FULL_SCALE = np.float32(2**23 / (2**23 - 1))


def read_audio(content: bytes | Path, *, max_seconds: float = 60.0, name: str = "") -> NDArray[np.float32]:
    """What a file sounds like: (samples, 2) float32 in [-1, 1] at 44.1 kHz.

    `name` is what errors call the file, a path's own name by default. Mono is heard on both sides, up to 8 channels are
    mixed down; audio above full scale is turned down to it. Raises UnreadableAudio for what is no audio, damaged, cut
    off, silent, shorter than half a second, or longer than `max_seconds`; StorageFull when the disk is full.
    """
    label = _label(name or (content.name if isinstance(content, Path) else ""))
    try:
        with ffmpeg.workplace() as work, _opened(content, work, label, _most_bytes(max_seconds)) as path:
            audio, stated = _decoded(path, max_seconds, work, label)
    except ffmpeg.FfmpegFailed:
        raise UnreadableAudio(
            f"{label} holds no sound that can be read: it is damaged, cut off or of an odd kind."
        ) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(tempfile.gettempdir()) from None
        raise UnreadableAudio(f"{label} cannot be read: {error.strerror}.") from None
    seconds = len(audio) / SAMPLE_RATE
    if seconds > max_seconds + _SLACK_SECONDS:
        raise _too_long(label, None, max_seconds)
    if stated is not None and seconds < stated * (1 - _MISSING_SHARE) - _MISSING_SECONDS:
        raise UnreadableAudio(
            f"{label} is cut off or damaged: only {seconds:.1f} of its {stated:.1f} seconds can be read."
        )
    if seconds < MIN_SECONDS:
        raise UnreadableAudio(f"{label} lasts {1000 * seconds:.0f} ms: at least half a second is needed.")
    if not np.isfinite(audio).all():
        raise UnreadableAudio(f"{label} contains samples that are not numbers: export it again.")
    peak = float(np.abs(audio).max())
    if peak < _SILENCE:
        raise UnreadableAudio(f"{label} is silent: there is nothing to start from.")
    audio = audio[: round(max_seconds * SAMPLE_RATE)]
    return np.clip(audio * _FULL_SCALE, -1, 1) if peak <= 1 else audio / np.float32(peak)


def _too_long(label: str, seconds: float | None, max_seconds: float) -> UnreadableAudio:
    lasts = "longer" if seconds is None else f"{int(seconds) // 60} min {int(seconds) % 60} s"
    return UnreadableAudio(
        f"{label} lasts {lasts}: at most {max_seconds:g} seconds are possible, so cut out what you want to use."
    )


def _label(name: str) -> str:
    """A file's name without its folder, short and printable."""
    last = PurePosixPath(name.replace("\\", "/")).name
    plain = "".join(character if character.isprintable() else "?" for character in last)
    return (plain if len(plain) <= 60 else f"{plain[:40]}…{plain[-15:]}") or "The file"


@contextmanager
def _opened(content: bytes | Path, work: Path, label: str, most_bytes: int) -> Iterator[Path]:
    """The path of a regular file with the content, of a size that is taken."""
    if isinstance(content, bytes):
        _check_size(len(content), label, most_bytes)
        path = work / "given"
        path.write_bytes(content)
        yield path
        return
    try:
        status = content.stat()
        is_readable = os.access(content, os.R_OK)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its name is impossible"
        raise UnreadableAudio(f"{label} cannot be opened: {reason}.") from None
    # A pipe would keep whoever opens it waiting for ever.
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableAudio(f"{label} is not a file.")
    if not is_readable:
        raise UnreadableAudio(f"{label} cannot be opened: {os.strerror(errno.EACCES)}.")
    _check_size(status.st_size, label, most_bytes)
    yield content


def _most_bytes(max_seconds: float) -> int:
    """What may last longer than a minute may be as much larger."""
    return round(MAX_BYTES * max(1.0, max_seconds / 60))


def _check_size(size: int, label: str, most_bytes: int) -> None:
    if size == 0:
        raise UnreadableAudio(f"{label} is empty.")
    if size > most_bytes:
        raise UnreadableAudio(
            f"{label} has {size / 2**20:.0f} MiB: at most {most_bytes // 2**20} are possible, so cut it or use MP3."
        )


def _decoded(
    path: Path, max_seconds: float, work: Path, label: str
) -> tuple[NDArray[np.float32], float | None]:
    """(samples, 2) at 44.1 kHz, a little more than `max_seconds` of a longer file, and how long the file says it is."""
    container = _container(path)
    if container is None:
        raise UnreadableAudio(f"{label} is not audio that can be read: give a {FORMATS} file.")
    source = ["-nostats", "-threads", "1", "-format_whitelist", container, "-codec_whitelist", _DECODERS]
    source += [*ffmpeg.read_from(path, container), "-map", "0:a:0", "-vn"]
    channels, stated = _probe(source, work)
    if channels > MAX_CHANNELS:
        raise UnreadableAudio(
            f"{label} has {channels} channels: at most {MAX_CHANNELS} are possible, two are best."
        )
    if stated is not None and stated > max_seconds + _SLACK_SECONDS:
        raise _too_long(label, stated, max_seconds)
    decoded, sides = (
        work / "decoded",
        min(channels, 2),
    )  # mono is doubled here: ffmpeg would turn it down by 3 dB
    enough = round((max_seconds + 2 * _SLACK_SECONDS) * SAMPLE_RATE) * sides * _SAMPLE_BYTES
    form = ["-ac", str(sides), "-ar", str(SAMPLE_RATE), "-c:a", "pcm_f32le", "-fs", str(enough)]
    ffmpeg.run(
        [*source, *form, *ffmpeg.write_to(decoded, "f32le")],
        seconds=_TIME_LIMIT,
        largest=2 * enough,
        work=work,
    )
    audio = np.fromfile(decoded, "<f4").astype(np.float32).reshape(-1, sides)
    return np.repeat(audio, 2 // sides, axis=1), stated


def _container(path: Path) -> str | None:
    """The name that ffmpeg gives to the format that a file's first bytes are in, None for none that is taken."""
    with path.open("rb") as file:
        start = file.read(12)
        if start[:3] == b"ID3":
            # A FLAC's content credentials are in a tag before it.
            file.seek(id3_bytes(start))
            return "flac" if file.read(4) == b"fLaC" else "mp3"
    if start[:4] in (b"RIFF", b"RF64") and start[8:] == b"WAVE":
        return "wav"
    if start[:4] == b"fLaC":
        return "flac"
    if start[:4] == b"OggS":
        return "ogg"
    if start[4:8] == b"ftyp":
        return "mov"
    is_layer_3 = int.from_bytes(start[:2], "big") & 0xFFE6 == 0xFFE2
    return "mp3" if is_layer_3 else None


def _probe(source: list[str], work: Path) -> tuple[int, float | None]:
    """A file's channels, and the seconds that it says it lasts: None where it does not say, or ffmpeg only guesses."""
    path = work / "first"
    form = ["-frames:a", "1", "-c:a", "pcm_s16be", *ffmpeg.write_to(path, "au")]
    ffmpeg.run(["-loglevel", "info", *source, *form], seconds=_TIME_LIMIT, largest=2**22, work=work)
    said = (work / "messages").read_text(errors="replace")
    header = path.read_bytes()[: _AU_HEADER.size]
    if len(header) < _AU_HEADER.size:
        raise ffmpeg.FfmpegFailed("nothing decoded")
    channels = int(_AU_HEADER.unpack(header)[-1])
    duration = _DURATION.search(said)
    if duration is None or "Estimating duration" in said:
        return channels, None
    hours, minutes, seconds = map(float, duration.groups())
    return channels, 3600 * hours + 60 * minutes + seconds
