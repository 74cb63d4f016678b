"""The periodic, beat-synchronous spectrogram codec: a loop as a small 8-bit picture, and the picture as a loop.

Notable choices:

- Time is a circle and is counted in beats: 8 frames per sixteenth note whatever the tempo, so the hop is a musical
  length and bar n of every loop stands in the same columns. Each window wraps round the end of the loop, in analysis,
  phase retrieval and synthesis alike: the end runs into the start because nothing knows where the end is.
- Analysis rounds each window's place; synthesis rounds the hop to whole samples, which turns overlap-add into a few
  rolled additions, and resamples the circle to its length at the end (by FFT, at most 0.15 %).
- 160 bands of equal width on the ERB scale (Glasberg and Moore, 1990), 30 Hz to 18 kHz, 80 dB in 8 bits.
- Stereo is parametric, as in MPEG-4 (Breebaart et al., 2005, "Parametric Coding of Stereo Audio"): the picture holds
  the mean of both channels, and per sixteenth note and 40 bands there are a level difference and a coherence. Phases
  are retrieved once, for both channels.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray
from torch import Tensor

from generation.request import BEATS_PER_BAR, SAMPLE_RATE

SIXTEENTHS_PER_BAR = 4 * BEATS_PER_BAR
DYNAMIC_RANGE_DB = 80.0
LEVEL_DIFFERENCE_DB = 20.0
_GOLDEN_SEED = 20_030_611


@dataclass(frozen=True, slots=True)
class Spectrogram:
    """A loop as the model sees it, in 8 bits.

    `level` is (bars * 16 * 8, 160) uint8: 0 is -80 dB or less below the loudest band, 255 is the loudest.
    `stereo` is (bars * 16, 40, 2) uint8: level difference left over right (-20 dB to +20 dB) and coherence (-1 to 1).
    """

    level: NDArray[np.uint8]
    stereo: NDArray[np.uint8]

    @property
    def bars(self) -> int:
        return len(self.stereo) // SIXTEENTHS_PER_BAR


@dataclass(frozen=True)
class SpectrogramCodec:
    """Settings of the codec and the arrays that follow from them."""

    bands: int = 160
    stereo_bands: int = 40
    frames_per_sixteenth: int = 8
    window_length: int = 3072
    low_hz: float = 30.0
    high_hz: float = 18_000.0

    @property
    def name(self) -> str:
        return f"erb{self.bands}-{self.stereo_bands}-{self.frames_per_sixteenth}x{self.window_length}"

    @property
    def frames_per_bar(self) -> int:
        return SIXTEENTHS_PER_BAR * self.frames_per_sixteenth

    @cached_property
    def window(self) -> Tensor:
        return torch.hann_window(self.window_length, periodic=True)

    @cached_property
    def centres_hz(self) -> NDArray[np.float64]:
        """Centre frequency of each band."""
        return self._edges()[1:-1]

    @cached_property
    def filters(self) -> Tensor:
        """(bands, bins) triangles on the ERB scale, at least one bin wide, each summing to 1."""
        edges, bin_hz = self._edges(), SAMPLE_RATE / self.window_length
        frequency = np.arange(self.window_length // 2 + 1) * bin_hz
        rows = []
        for low, centre, high in zip(edges[:-2], edges[1:-1], edges[2:], strict=True):
            width = max(high - centre, centre - low, bin_hz)
            left, right = min(low, centre - width), max(high, centre + width)
            rows.append(
                np.minimum((frequency - left) / (centre - left), (right - frequency) / (right - centre))
            )
        weights = np.maximum(0, np.stack(rows))
        return torch.tensor(weights / weights.sum(1, keepdims=True), dtype=torch.float32)

    def encode(self, audio: NDArray[np.float32], bars: int) -> Spectrogram:
        """The picture of one loop; `audio` is (samples, 2) and is taken to repeat for ever."""
        left, right = (self.analyse(torch.from_numpy(np.ascontiguousarray(side)), bars) for side in audio.T)
        return self.picture(left, right)

    def analyse(self, signal: Tensor, bars: int) -> Tensor:
        """Circular STFT of one channel: (samples,) to (frames, bins) complex, at the codec's own frame rate."""
        frames = bars * self.frames_per_bar
        return self._stft(signal, torch.round(torch.arange(frames) * (len(signal) / frames)).long())

    def picture(self, left: Tensor, right: Tensor) -> Spectrogram:
        """Both channels' STFTs, each (frames, bins), to the 8-bit picture."""
        filters = self.filters.T
        power_left, power_right = _power(left) @ filters, _power(right) @ filters
        cross = (left.real * right.real + left.imag * right.imag) @ filters
        decibels = 10 * torch.log10((power_left + power_right) / 2 + 1e-20)
        level = (decibels - decibels.max()) / DYNAMIC_RANGE_DB + 1

        def coarse(power: Tensor) -> Tensor:
            groups = self.bands // self.stereo_bands
            return power.reshape(-1, self.frames_per_sixteenth, self.stereo_bands, groups).sum((1, 3))

        power_left, power_right, cross = coarse(power_left), coarse(power_right), coarse(cross)
        floor = 1e-8 * (power_left + power_right).max() + 1e-20
        difference = 10 * torch.log10((power_left + floor) / (power_right + floor)) / LEVEL_DIFFERENCE_DB
        coherence = (cross + floor) / ((power_left + floor) * (power_right + floor)).sqrt()
        return Spectrogram(_to_bytes(level), _to_bytes(torch.stack([difference, coherence], -1) / 2 + 0.5))

    def decode(self, spectrogram: Spectrogram, samples: int, iterations: int = 16) -> NDArray[np.float32]:
        """The loop that a picture shows: (samples, 2) float32, its peak at 0.9. Same picture, same samples."""
        magnitude, step = self.magnitudes(spectrogram, samples)
        hop = round(samples / len(magnitude))
        phase = _retrieve_phase(self, magnitude, hop, iterations)
        sides = [
            _resample_circle(self._istft(side, hop), samples)
            for side in self._spread(phase, spectrogram, step)
        ]
        audio = torch.stack(sides, 1)
        return (audio * (0.9 / audio.abs().max().clamp_min(1e-9))).numpy()

    def magnitudes(self, spectrogram: Spectrogram, samples: int) -> tuple[Tensor, int]:
        """STFT magnitudes (frames * step, bins) of a picture, and the step.

        Slow loops have hops longer than a third of a window, which no phase retrieval survives: there, `step` frames
        are drawn between neighbours on the circle.
        """
        level = torch.from_numpy(spectrogram.level.astype(np.float32)) / 255
        step = math.ceil(samples / len(level) / (self.window_length / 3))
        if step > 1:
            following = level.roll(-1, 0)
            level = torch.stack([torch.lerp(level, following, k / step) for k in range(step)], 1).flatten(
                0, 1
            )
        return self._invert_bands(_from_level(level)).sqrt(), step

    def _invert_bands(self, bands: Tensor, iterations: int = 12) -> Tensor:
        """Bin powers whose bands are the given ones: (frames, bands) to (frames, bins).

        Starts from the interpolated bands and refines by Richardson-Lucy updates (Richardson, 1972), which stay
        positive and reproduce every band.
        """
        filters, totals = self.filters, self.filters.sum(0)
        reached = totals > 0
        scale = torch.where(reached, 1 / totals.clamp_min(1e-9), torch.zeros(()))
        power = (bands @ filters) * scale
        for _ in range(iterations):
            ratio = bands / (power @ filters.T).clamp_min(1e-20)
            power = power * ((ratio @ filters) * scale)
        return power

    def _spread(self, mono: Tensor, spectrogram: Spectrogram, step: int) -> tuple[Tensor, Tensor]:
        """Left and right STFTs from the mono one, by level difference and coherence."""
        stereo = torch.from_numpy(spectrogram.stereo.astype(np.float32)) / 127.5 - 1
        frames_per_cell = self.frames_per_sixteenth * step
        position = (torch.arange(len(mono)) + 0.5) / frames_per_cell - 0.5
        before, weight = position.floor().long(), (position - position.floor())[:, None, None]
        cells = len(stereo)
        smooth = torch.lerp(stereo[before % cells], stereo[(before + 1) % cells], weight)
        centre = self.centres_hz.reshape(self.stereo_bands, -1).mean(1)
        frequency = np.arange(mono.shape[1]) * SAMPLE_RATE / self.window_length
        place = torch.tensor(np.interp(frequency, centre, np.arange(self.stereo_bands)), dtype=torch.float32)
        low = place.floor().long().clamp_max(self.stereo_bands - 2)
        bins = torch.lerp(smooth[:, low], smooth[:, low + 1], (place - low)[None, :, None])
        ratio = 10 ** (bins[..., 0] * (LEVEL_DIFFERENCE_DB / 10))
        left_gain, right_gain = (2 * ratio / (1 + ratio)).sqrt(), (2 / (1 + ratio)).sqrt()
        coherence = bins[..., 1].clamp(-1, 1)
        common, apart = (
            ((1 + coherence) / 2).sqrt() * mono,
            ((1 - coherence) / 2).sqrt() * mono * self._decorrelator,
        )
        return left_gain * (common + apart), right_gain * (common - apart)

    @cached_property
    def _decorrelator(self) -> Tensor:
        """(bins,) all-pass whose response is some ten milliseconds of noise: what makes a sound wide."""
        generator = torch.Generator().manual_seed(_GOLDEN_SEED)
        length = 512
        noise = torch.randn(length, generator=generator) * torch.exp(-torch.arange(length) / (length / 4))
        response: Tensor = torch.fft.rfft(noise, n=self.window_length)
        return response / response.abs().clamp_min(1e-9)

    def _stft(self, circle: Tensor, centres: Tensor) -> Tensor:
        half = self.window_length // 2
        padded = torch.cat([_wrap(circle, half, end=True), circle, _wrap(circle, half, end=False)])
        frames = padded.unfold(0, self.window_length, 1)[centres]
        spectrum: Tensor = torch.fft.rfft(frames * self.window)
        return spectrum / self.window.square().sum().sqrt()

    def _istft(self, spectrum: Tensor, hop: int) -> Tensor:
        """Least-squares inverse on the circle (Griffin and Lim, 1984, equation 6)."""
        count, chunks = len(spectrum), math.ceil(self.window_length / hop)
        pad = chunks * hop - self.window_length
        frames = torch.fft.irfft(spectrum, n=self.window_length) * self.window
        pieces = torch.nn.functional.pad(frames, (0, pad)).view(count, chunks, hop)
        weights = torch.nn.functional.pad(self.window.square(), (0, pad)).view(chunks, hop).sum(0)
        signal = torch.zeros(count, hop)
        for chunk in range(chunks):
            signal += pieces[:, chunk].roll(chunk, 0)
        signal *= self.window.square().sum().sqrt() / weights.clamp_min(1e-3 * float(weights.max()))
        return signal.flatten().roll(-(self.window_length // 2))

    def _edges(self) -> NDArray[np.float64]:
        low, high = (math.log1p(hz / 229) for hz in (self.low_hz, self.high_hz))
        return np.asarray(229 * np.expm1(np.linspace(low, high, self.bands + 2)))


def _retrieve_phase(codec: SpectrogramCodec, magnitude: Tensor, hop: int, iterations: int) -> Tensor:
    """A complex STFT with the given magnitudes that some circular signal (nearly) has.

    Fast Griffin-Lim (Perraudin et al., 2013, momentum 0.99).
    """
    generator = torch.Generator().manual_seed(_GOLDEN_SEED)
    angle = 2 * math.pi * torch.rand(magnitude.shape, generator=generator)
    spectrum, previous = torch.polar(magnitude, angle), None
    centres = torch.arange(len(magnitude)) * hop
    for _ in range(iterations):
        consistent = codec._stft(codec._istft(spectrum, hop), centres)
        ahead = consistent if previous is None else consistent + 0.99 * (consistent - previous)
        previous = consistent
        spectrum = ahead * (magnitude / (ahead.abs() + 1e-9))
    return spectrum


def _power(spectrum: Tensor) -> Tensor:
    return spectrum.real.square() + spectrum.imag.square()


def _to_bytes(unit: Tensor) -> NDArray[np.uint8]:
    return torch.round(unit.clamp(0, 1) * 255).to(torch.uint8).numpy()


def _from_level(level: Tensor) -> Tensor:
    """Levels in 0..1 to powers; 0 is silence, not -80 dB."""
    return torch.where(level <= 0, torch.zeros(()), 10 ** ((level - 1) * (DYNAMIC_RANGE_DB / 10)))


def _wrap(circle: Tensor, count: int, *, end: bool) -> Tensor:
    """`count` samples from before the start (`end`) or after the end of a circle that may be shorter than that."""
    index = torch.arange(-count, 0) if end else torch.arange(count)
    return circle[index % len(circle)]


def _resample_circle(circle: Tensor, samples: int) -> Tensor:
    """Band-limited resampling of one period: its Fourier series is kept, so the result repeats as exactly."""
    if len(circle) == samples:
        return circle
    series = scipy.fft.rfft(circle.numpy())
    return torch.from_numpy(scipy.fft.irfft(series, n=samples) * np.float32(samples / len(circle)))
