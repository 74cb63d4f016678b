"""Plain measures of one loop's sound: seam, silence, loudness, width, brightness, and what the codec loses."""

import hashlib
import math
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from generation.audio.loudness import loudness
from generation.judge import detectors
from generation.request import SAMPLE_RATE

SILENCE_DBFS = -60.0
_FLOOR_DB = 80.0


class Codec(Protocol):
    """What turns a loop into a picture and back: a SpectrogramCodec, which is not imported for its torch."""

    def encode(self, audio: NDArray[np.float32], sixteenths: int) -> Any: ...

    def decode(self, spectrogram: Any, samples: int) -> NDArray[np.float32]: ...


def measure(audio: NDArray[np.float32], bars: int, sixteenths: int) -> dict[str, float | list[float]]:
    """Every measure of a finished loop, (samples, 2) float32, in plain numbers that JSON takes.

    `seam` is NaN for loops of one bar, which have no other bar start; `width` is the side's energy over the middle's
    in dB; `centroid` and `bandwidth` are in Hz.
    """
    mono = audio.mean(1)
    classes = detectors.chroma(mono)
    centroid, bandwidth = brightness(mono)
    onsets = detectors.onset_strength(detectors.repeated(mono, 12))
    return {
        "tempo": detectors.tempo(onsets),
        "key": detectors.key(classes),
        "chroma": [round(float(share), 5) for share in classes],
        "seam": seam_flux(mono, bars),
        "step": seam_step(mono),
        "silent": silent_share(audio, sixteenths),
        "lufs": loudness(audio),
        "peak": float(np.abs(audio).max()),
        "width": width(audio),
        "centroid": centroid,
        "bandwidth": bandwidth,
        "onsets": float(onsets.mean()),
    }


def rulers() -> str:
    """Eight digits that change when this module or the detectors measure otherwise than before."""
    sources = [Path(path).read_bytes() for path in (__file__, detectors.__file__)]
    return hashlib.sha256(b"".join(sources)).hexdigest()[:8]


def seam_flux(mono: NDArray[np.float32], bars: int) -> float:
    """How much the spectrum changes at the seam, over the median of the loop's other bar starts; NaN for one bar.

    What changes is told by `change_at`.
    """
    if bars < 2:
        return math.nan
    starts = np.rint(np.arange(bars) * len(mono) / bars).astype(int)
    change = [change_at(mono, int(start)) for start in starts]
    usual = float(np.median(change[1:]))
    return change[0] / usual if usual > 1e-6 else math.nan


def change_at(mono: NDArray[np.float32], start: int, frame: int = 1024, hop: int = 256) -> float:
    """How much a loop's spectrum changes at a sample.

    The largest mean difference in dB, over a range of 60 dB, of two frames of 23 ms, half a frame apart, within 17 ms.
    """
    centres = start + np.arange(-3, 4) * hop
    frames = mono[(centres[:, None] + np.arange(-frame // 2, frame // 2)) % len(mono)]
    spectra = np.abs(np.fft.rfft(frames * np.hanning(frame), axis=1))
    decibels = 20 * np.log10(spectra / max(float(spectra.max()), 1e-9) + 1e-3)
    return float(np.abs(decibels[2:] - decibels[:-2]).mean(1).max())


def seam_step(mono: NDArray[np.float32]) -> float:
    """The jump from the last sample to the first, over the 95th percentile of the jumps within 10 ms of the seam."""
    around = np.roll(mono, SAMPLE_RATE // 100)[: SAMPLE_RATE // 50]
    usual = float(np.quantile(np.abs(np.diff(around)), 0.95))
    return float(abs(mono[0] - mono[-1])) / max(usual, 1e-5)


def silent_share(audio: NDArray[np.float32], sixteenths: int) -> float:
    """The share of quarter notes whose RMS lies below -60 dBFS."""
    edges = np.linspace(0, len(audio), max(1, sixteenths // 4) + 1).astype(int)
    energy = np.add.reduceat(np.square(audio, dtype=np.float64).mean(1), edges[:-1]) / np.diff(edges)
    return float(np.mean(energy < 10 ** (SILENCE_DBFS / 10)))


def width(audio: NDArray[np.float32]) -> float:
    """Energy of (left - right) over that of (left + right) in dB, -60 at least."""
    middle, side = (
        float(np.square(part).sum()) for part in (audio[:, 0] + audio[:, 1], audio[:, 0] - audio[:, 1])
    )
    return 10 * math.log10(max(side, 1e-6 * middle, 1e-12) / max(middle, 1e-12))


def brightness(mono: NDArray[np.float32]) -> tuple[float, float]:
    """Spectral centroid and bandwidth in Hz of the loop's mean power spectrum's root."""
    frames = mono[: len(mono) // 2048 * 2048].reshape(-1, 2048) * np.hanning(2048)
    spectrum = np.sqrt(np.square(np.abs(np.fft.rfft(frames, axis=1))).mean(0))
    hertz = np.fft.rfftfreq(2048, 1 / SAMPLE_RATE)
    total = max(float(spectrum.sum()), 1e-12)
    centroid = float(spectrum @ hertz) / total
    return centroid, math.sqrt(float(spectrum @ np.square(hertz - centroid)) / total)


def log_spectral_distance(
    reference: NDArray[np.float32], other: NDArray[np.float32], highest_hz: float = SAMPLE_RATE / 2
) -> float:
    """Mean absolute difference in dB of two loops' circular STFTs, up to a frequency; both are (samples, channels).

    STFT 2048/512 with a Hann window; each channel of `other` at its least-squares gain; both floored 80 dB below the
    reference's loudest bin. The channels are averaged over.
    """
    bins = round(highest_hz / SAMPLE_RATE * 2048)
    distances = []
    for sides in zip(reference.T, other.T, strict=True):
        wanted, heard = (detectors.stft(side, 2048, 512) for side in sides)
        floor = max(float(wanted.max()) * 10 ** (-_FLOOR_DB / 20), 1e-12)
        heard = heard * (float((wanted * heard).sum()) / max(float(np.square(heard).sum()), 1e-20))
        apart = np.abs(20 * np.log10(np.maximum(wanted, floor) / np.maximum(heard, floor)))
        distances.append(float(apart[:, :bins].mean()))
    return float(np.mean(distances))


def codec_loss(codec: Codec, audio: NDArray[np.float32], sixteenths: int) -> tuple[float, float]:
    """Log-spectral distance of a loop and its own picture played back, full band and up to 10 kHz."""
    again = codec.decode(codec.encode(audio, sixteenths), len(audio))
    return log_spectral_distance(audio, again), log_spectral_distance(audio, again, 10_000)
