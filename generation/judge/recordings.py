"""Recordings of real music as loops, for what the codec loses on sounds that nobody here synthesised."""

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from generation.errors import RiffError
from generation.judge.measures import codec_loss
from generation.request import SAMPLE_RATE, samples_of
from generation.spectrogram import SpectrogramCodec

ENDINGS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aif", ".aiff")
_SIXTEENTHS, _BPM, _FADE = 64, 120.0, 0.15


def recordings_loss(folder: Path, codec: SpectrogramCodec, count: int) -> list[tuple[float, float]]:
    """What a round trip through the codec loses of up to `count` recordings: (full band, up to 10 kHz) in dB each.

    From each audio file in the folder and those below it, in the order of their names, 8 s from its middle, whose end
    is cross-faded into what comes before its start; shorter files are used whole if they last a second. Raises
    RiffError where there is no audio file.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    if not paths:
        raise RiffError(f"There are no recordings in {folder}.")
    losses = []
    for path in paths[:: -(-len(paths) // count)]:
        clip = _looped(_decoded(path))
        if clip is not None:
            sixteenths = max(16, round(_SIXTEENTHS * len(clip) / samples_of(_SIXTEENTHS, _BPM)))
            losses.append(codec_loss(codec, clip, sixteenths))
    return losses


def _decoded(path: Path) -> NDArray[np.float32]:
    """A file as (samples, 2) at 44.1 kHz; empty where it cannot be read."""
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-i",
        str(path),
        "-f",
        "f32le",
        "-ac",
        "2",
        "-ar",
    ]
    sound = subprocess.run([*command, str(SAMPLE_RATE), "-"], check=False, capture_output=True).stdout
    return np.frombuffer(sound[: len(sound) // 8 * 8], "<f4").reshape(-1, 2)


def _looped(audio: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """At most 8 s of a recording that run into themselves; None where it is silent or shorter than a second."""
    fade = int(_FADE * SAMPLE_RATE)
    length = min(samples_of(_SIXTEENTHS, _BPM), len(audio) - fade)
    if length < SAMPLE_RATE:
        return None
    start = fade + (len(audio) - fade - length) // 2
    clip = audio[start : start + length].copy()
    rising = np.linspace(0, 1, fade, dtype=np.float32)[:, None]
    clip[-fade:] = clip[-fade:] * np.sqrt(1 - rising) + audio[start - fade : start] * np.sqrt(rising)
    return clip if float(np.abs(clip).max()) > 1e-4 else None
