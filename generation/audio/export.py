"""A take as files: WAV with its loop points, MP3 to post and hear, peaks to draw."""

import io
import json
import struct
import warnings
from functools import cache

import imageio_ffmpeg
import numpy as np

with warnings.catch_warnings():  # pydub looks for an ffmpeg on the PATH; ours comes from imageio-ffmpeg
    warnings.simplefilter("ignore", RuntimeWarning)
    from pydub import AudioSegment

from generation.audio.pcm import pcm24
from generation.request import SAMPLE_RATE, RiffRequest, Take

_CHANNELS, _SAMPLE_BYTES = 2, 3
_MIDDLE_C = 60


def wav(take: Take) -> bytes:
    """A 24-bit stereo WAV whose acid chunk tells tempo, metre and key and whose smpl chunk loops all of it.

    The recipe is the comment in LIST/INFO. Layout after "Multimedia Programming Interface and Data Specifications 1.0"
    (IBM and Microsoft, 1991), its smpl chunk, and Sonic Foundry's acid chunk as libsndfile reads it.
    """
    request = RiffRequest.from_dict(take.recipe["request"])
    data = pcm24(take.audio)
    frame = _CHANNELS * _SAMPLE_BYTES
    chunks = [
        _chunk(b"fmt ", struct.pack("<HHIIHH", 1, _CHANNELS, SAMPLE_RATE, SAMPLE_RATE * frame, frame, 24)),
        _chunk(b"data", data),
        _chunk(b"smpl", _smpl(request, len(take.audio))),
        _chunk(b"acid", _acid(request)),
        _chunk(b"LIST", b"INFO" + _info(take, request)),
    ]
    return _chunk(b"RIFF", b"WAVE" + b"".join(chunks))


def mp3(take: Take, bitrate_kbps: int = 192) -> bytes:
    """An MP3 with title and tempo as tags."""
    request = RiffRequest.from_dict(take.recipe["request"])
    AudioSegment.converter = _ffmpeg()
    integers = np.round(np.clip(take.audio, -1, 1) * 32767).astype("<i2")
    segment = AudioSegment(integers.tobytes(), sample_width=2, frame_rate=SAMPLE_RATE, channels=_CHANNELS)
    buffer = io.BytesIO()
    tags = {"title": request.prompt, "artist": "Riffmarket", "TBPM": f"{request.bpm:g}"}
    segment.export(buffer, format="mp3", bitrate=f"{bitrate_kbps}k", tags=tags)
    return buffer.getvalue()


def peaks(take: Take, count: int = 512) -> list[float]:
    """Largest magnitude, 0 to 1, in each of `count` equal stretches of the loop."""
    loudest = np.abs(take.audio).max(1)
    edges = np.linspace(0, len(loudest), count + 1).astype(int)[:-1]
    return [round(float(peak), 4) for peak in np.maximum.reduceat(loudest, edges)]


def _smpl(request: RiffRequest, samples: int) -> bytes:
    period = round(1e9 / SAMPLE_RATE)
    head = struct.pack("<9I", 0, 0, period, _root_note(request), 0, 0, 0, 1, 0)
    return head + struct.pack("<6I", 0, 0, 0, samples - 1, 0, 0)


def _acid(request: RiffRequest) -> bytes:
    stretch, has_root = 4, 2
    flags = stretch | (has_root if request.key else 0)
    beats_per_bar, unit = map(int, request.metre.split("/"))
    beats = request.sixteenths // 4  # quarter notes, as the tempo counts
    return struct.pack(
        "<IHHfIHHf", flags, _root_note(request), 0x8000, 0, beats, unit, beats_per_bar, request.bpm
    )


def _root_note(request: RiffRequest) -> int:
    return _MIDDLE_C + (request.key.tonic if request.key else 0)


def _info(take: Take, request: RiffRequest) -> bytes:
    fields = {
        b"INAM": request.prompt,
        b"ISFT": f"Riffmarket {take.recipe['model']}",
        b"ICMT": json.dumps(take.recipe, sort_keys=True),
    }
    return b"".join(_chunk(name, text.encode() + b"\0") for name, text in fields.items())


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


@cache
def _ffmpeg() -> str:
    return str(imageio_ffmpeg.get_ffmpeg_exe())
