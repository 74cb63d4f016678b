"""Riffusion's codec: sound to image exactly as there, image to sound faster and nearer to the original.

Notable choices:

- Encoding is Riffusion's to the bit but for rounding: Hann windows of 100 ms in transforms of 400 ms, 512 triangles on
  the HTK mel scale over magnitudes, the fourth root, 255 for silence, low pitches at the bottom.
- Decoding leaves out the padding, which adds bins but no information, and everything above the image's highest
  frequency: at 21 kHz instead of 44.1 kHz, a tenth of the arithmetic is left of it.
- An image has fewer bands than bins above 1.2 kHz. Riffusion guesses the bins first and the phases afterwards; here
  both are found together: each Griffin-Lim step keeps the fine structure that the signal has meanwhile and scales it
  to the image's bands by one Richardson-Lucy update. The last steps hold the magnitudes that came out.
- The first phases are a fixed draw, so the same image gives the same samples.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.fft
import scipy.sparse
from numpy.typing import NDArray
from PIL import Image

from generation.errors import UnreadablePicture
from generation.riffusion.params import RiffusionParams

ITERATIONS, HELD_ITERATIONS = 64, 16
# Riffusion leaves this much room above its peaks.
PEAK = 10 ** (-0.1 / 20)
# A minute of sound at Riffusion's own settings, in numbers of its inner spectrogram.
_LARGEST = 6_600_000
_FULL_SCALE = 32_768.0
_MOMENTUM = 0.99
_FIRST_UPDATES = 20
_COLUMNS_AT_ONCE = 256
_PHASE_SEED = 20_221_215
# What is far below an 8-bit image's darkest grey counts as nothing.
_FAINTEST = 1e-9

Magnitudes = NDArray[np.float32]


@dataclass(frozen=True)
class RiffusionCodec:
    """Turns sound at `params.sample_rate` into images and back; keep one for many pictures of the same settings."""

    params: RiffusionParams = field(default_factory=RiffusionParams)

    def to_image(self, audio: NDArray[np.float32]) -> Image.Image:
        """An RGB image, EXIF tags included, of (samples, channels) audio in [-1, 1].

        With `params.stereo`, red is 0, green the left and blue the right channel; else all three are the mean of the
        channels. The width is 1 + samples // hop. Raises UnreadablePicture for audio too short or too long to draw.
        """
        mono = audio.mean(1, keepdims=True)
        channels = np.repeat(audio, 2, 1)[:, :2] if audio.shape[1] == 1 else audio[:, :2]
        channels = channels if self.params.stereo else mono
        self._require_width(1 + len(audio) // self.params.hop_length)
        bands = np.stack([self._bands(np.ascontiguousarray(channel)) for channel in channels.T])
        loudest = float(bands.max())
        scaled = np.power(bands / np.float32(loudest or 1.0), self.params.power) * 255
        drawn = (255 - scaled).astype(np.uint8)[:, ::-1]
        layers = (np.zeros_like(drawn[0]), *drawn) if self.params.stereo else (drawn[0],) * 3
        image = Image.fromarray(np.ascontiguousarray(np.stack(layers, -1)))
        image.getexif().update(self.params.to_exif(loudest))
        return image

    def to_audio(self, image: Image.Image) -> NDArray[np.float32]:
        """The sound of an image: ((width - 1) * hop, 1 or 2) float32 whose peak is at -0.1 dB.

        Raises UnreadablePicture when the image's height is not that of the settings, or its width no sound's.
        """
        if image.height != self.params.frequencies:
            raise UnreadablePicture(
                f"The image has {image.height} rows: with its settings it has to have {self.params.frequencies}."
            )
        self._require_width(image.width)
        levels = 255 - np.asarray(image.convert("RGB"), np.float32)[::-1]
        planes = (1, 2) if self.params.stereo else (0,)
        samples = (image.width - 1) * self.params.hop_length
        audio = np.stack(
            [
                self._sound(np.power(levels[..., plane] / 255, 1 / self.params.power), samples)
                for plane in planes
            ],
            1,
        )
        return (audio * np.float32(PEAK / max(float(np.abs(audio).max()), _FAINTEST))).astype(np.float32)

    def _require_width(self, columns: int) -> None:
        least = 2 + self.params.window_length // (2 * self.params.hop_length)
        most = _LARGEST // (self._inner.window_length // 2)
        if not least <= columns <= most:
            step = self.params.hop_length / self.params.sample_rate
            raise UnreadablePicture(
                f"{columns} columns are {columns * step:.2f} seconds: a Riffusion image of these settings has {least} "
                f"to {most} columns, {least * step:.2f} to {most * step:.0f} seconds."
            )

    def _bands(self, channel: NDArray[np.float32]) -> Magnitudes:
        """(bands, columns) mel magnitudes of one channel, in 16-bit units."""
        params = self.params
        # Where torch.stft puts a window that is shorter than its transform.
        before = params.n_fft // 2 - (params.n_fft - params.window_length) // 2
        scaled = channel * np.float32(_FULL_SCALE)
        padded = np.pad(scaled, (before, params.window_length - before), mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, params.window_length)[:: params.hop_length]
        frames = frames[: 1 + (len(channel) - params.n_fft % 2) // params.hop_length]
        window = _hann(params.window_length)
        filters = self._filters
        columns = [
            filters
            @ np.abs(scipy.fft.rfft(frames[first : first + _COLUMNS_AT_ONCE] * window, params.n_fft)).T
            for first in range(0, len(frames), _COLUMNS_AT_ONCE)
        ]
        return np.concatenate(columns, 1)

    def _sound(self, bands: Magnitudes, samples: int) -> NDArray[np.float32]:
        """The signal of one channel's (bands, columns) magnitudes, as long as asked for, at any level."""
        inner = self._inner
        bands = np.ascontiguousarray(bands)
        magnitude = inner.first_guess(bands)
        for _ in range(_FIRST_UPDATES):
            magnitude = inner.meet_bands(magnitude, bands)
        turns = np.random.default_rng(_PHASE_SEED).random(magnitude.shape[::-1], np.float32).T
        spectrum, previous = magnitude * np.exp(2j * np.pi * turns).astype(np.complex64), None
        for step in range(ITERATIONS):
            consistent = inner.analyse(inner.synthesise(spectrum))
            ahead = consistent if previous is None else consistent + _MOMENTUM * (consistent - previous)
            previous = consistent
            size = np.abs(ahead) + np.float32(_FAINTEST)
            if step < ITERATIONS - HELD_ITERATIONS:
                magnitude = inner.meet_bands(size, bands)
            spectrum = ahead * (magnitude / size)
        return _resampled(inner.synthesise(spectrum), samples)

    @cached_property
    def _filters(self) -> scipy.sparse.csr_array:
        """(bands, bins) triangles on the padded transform's bins."""
        return _mel_filters(self.params)

    @cached_property
    def _inner(self) -> "_Inner":
        return _Inner.of(self.params)


@dataclass(frozen=True)
class _Inner:
    """The unpadded transform, at the lowest rate that holds the image's frequencies, and the bands of its bins.

    Fast Griffin-Lim (Perraudin et al., 2013) meets a mel filter bank instead of magnitudes (after Masuyama et al.,
    2023, "Joint amplitude and phase refinement for monaural source separation", whose idea it borrows).
    """

    window_length: int
    hop: int
    bands: scipy.sparse.csr_array
    spread: scipy.sparse.csr_array
    guess: scipy.sparse.csr_array

    @classmethod
    def of(cls, params: RiffusionParams) -> "_Inner":
        window_length, hop = _reduced(params)
        bin_hz = params.sample_rate / params.window_length
        bins = window_length // 2 + 1
        # Magnitudes between two bins lie on a line, near enough: a window's lobe is four bins wide.
        place = np.arange(params.n_fft // 2 + 1) * (params.sample_rate / params.n_fft) / bin_hz
        between = _linear(place[place <= bins - 1], bins)
        bands = scipy.sparse.csr_array(_mel_filters(params)[:, : between.shape[0]] @ between)
        covered = np.asarray(bands.sum(0)).ravel()
        shares = scipy.sparse.diags_array(
            np.divide(1, covered, where=covered > 0, out=np.zeros_like(covered))
        )
        totals = np.maximum(np.asarray(bands.sum(1)).ravel(), _FAINTEST)
        centres = _mel_edges(params)[1:-1]
        nearest = np.interp(np.arange(bins) * bin_hz, centres, np.arange(len(centres)))
        guess = scipy.sparse.diags_array((covered > 0).astype(np.float32)) @ _linear(nearest, len(centres))
        return cls(
            window_length,
            hop,
            bands,
            scipy.sparse.csr_array((shares @ bands.T).astype(np.float32)),
            scipy.sparse.csr_array((guess @ scipy.sparse.diags_array(1 / totals)).astype(np.float32)),
        )

    def first_guess(self, bands: Magnitudes) -> Magnitudes:
        """(bins, columns) magnitudes that lie on lines between the bands' centres."""
        guess: Magnitudes = self.guess @ bands
        return guess

    def meet_bands(self, magnitude: Magnitudes, bands: Magnitudes) -> Magnitudes:
        """(bins, columns) magnitudes scaled towards the (bands, columns) ones; stays positive (Richardson, 1972)."""
        scaled: Magnitudes = magnitude * (
            self.spread @ (bands / np.maximum(self.bands @ magnitude, np.float32(_FAINTEST)))
        )
        return scaled

    def analyse(self, signal: NDArray[np.float32]) -> NDArray[np.complex64]:
        """STFT of a signal, mirrored at its ends: (bins, columns)."""
        half = self.window_length // 2
        padded = np.pad(signal, (half, self.window_length - half), mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.window_length)[:: self.hop]
        count = 1 + len(signal) // self.hop
        spectrum: NDArray[np.complex64] = scipy.fft.rfft(frames[:count] * _hann(self.window_length)).T
        return spectrum

    def synthesise(self, spectrum: NDArray[np.complex64]) -> NDArray[np.float32]:
        """Least-squares inverse of (bins, columns): (columns - 1) * hop samples (Griffin and Lim, 1984, equation 6)."""
        window = _hann(self.window_length)
        columns = spectrum.shape[1]
        frames: NDArray[np.float32] = scipy.fft.irfft(spectrum.T, self.window_length) * window
        chunks = math.ceil(self.window_length / self.hop)
        signal = np.zeros((columns + chunks - 1, self.hop), np.float32)
        weight = np.zeros_like(signal)
        for chunk in range(chunks):
            part = slice(chunk * self.hop, min((chunk + 1) * self.hop, self.window_length))
            width = part.stop - part.start
            signal[chunk : chunk + columns, :width] += frames[:, part]
            weight[chunk : chunk + columns, :width] += window[part] ** 2
        inside = slice(self.window_length // 2, self.window_length // 2 + (columns - 1) * self.hop)
        return np.asarray(signal.ravel()[inside] / np.maximum(weight.ravel()[inside], 1e-3), np.float32)


def _reduced(params: RiffusionParams) -> tuple[int, int]:
    """Window and hop of the lowest rate at which both are whole, the window is quickly transformed, and nothing
    below the image's highest frequency is lost."""
    window, hop = params.window_length, params.hop_length
    parts = math.gcd(window, hop)
    least = 2 * 1.04 * params.max_hz / params.sample_rate * parts
    for kept in range(math.ceil(least), parts):
        reduced = window // parts * kept
        if reduced % 2 == 0 and scipy.fft.next_fast_len(reduced, real=True) == reduced:
            return reduced, hop // parts * kept
    return window, hop


def _mel_edges(params: RiffusionParams) -> NDArray[np.float64]:
    """The bands' corner frequencies in Hz, two more than bands, equally spaced on the HTK mel scale."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (params.min_hz, params.max_hz))
    edges: NDArray[np.float64] = 700 * (10 ** (np.linspace(low, high, params.frequencies + 2) / 2595) - 1)
    return edges


def _mel_filters(params: RiffusionParams) -> scipy.sparse.csr_array:
    """(bands, bins) triangles with their peaks at 1."""
    edges, bin_hz = _mel_edges(params), params.sample_rate / params.n_fft
    rows, columns, weights = [], [], []
    for band, (low, centre, high) in enumerate(zip(edges[:-2], edges[1:-1], edges[2:], strict=True)):
        bins = np.arange(math.ceil(low / bin_hz), min(math.floor(high / bin_hz), params.n_fft // 2) + 1)
        hz = bins * bin_hz
        rows.append(np.full(len(bins), band))
        columns.append(bins)
        weights.append(np.minimum((hz - low) / (centre - low), (high - hz) / (high - centre)).clip(0))
    return scipy.sparse.csr_array(
        (np.concatenate(weights).astype(np.float32), (np.concatenate(rows), np.concatenate(columns))),
        shape=(params.frequencies, params.n_fft // 2 + 1),
    )


def _linear(place: NDArray[np.floating], count: int) -> scipy.sparse.csr_array:
    """(len(place), count) weights that read a table of `count` values at fractional places."""
    low = np.minimum(place.astype(int), count - 2)
    weight = np.concatenate([1 - (place - low), place - low]).astype(np.float32)
    row = np.tile(np.arange(len(place)), 2)
    return scipy.sparse.csr_array((weight, (row, np.concatenate([low, low + 1]))), shape=(len(place), count))


def _hann(length: int) -> NDArray[np.float32]:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)


def _resampled(signal: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    """The signal at another rate, band-limited, through one long transform; its ends are mirrored against ringing."""
    mirrored = np.concatenate([signal, signal[::-1]])
    spectrum = scipy.fft.rfft(mirrored)
    wanted = np.zeros(samples + 1, np.complex64)
    kept = min(len(spectrum), len(wanted))
    wanted[:kept] = spectrum[:kept]
    return np.asarray(scipy.fft.irfft(wanted, 2 * samples)[:samples] * (samples / len(signal)), np.float32)
