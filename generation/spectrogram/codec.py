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
  are retrieved once; what is wide turns them apart, which leaves each channel's magnitudes as they are.
- What the bands leave out is guessed by a small network where there is one (`generation.spectrogram.inverse`), and
  corrected until every band is met.
- Phases: onsets are put together, low partials followed, the rest starts at random (`generation.spectrogram.phase`),
  and fast Griffin-Lim does what is left to do.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray
from torch import Tensor

from generation.request import SAMPLE_RATE
from generation.spectrogram.inverse import BandInverse
from generation.spectrogram.phase import hashed_angles, starting_angles

DYNAMIC_RANGE_DB = 80.0
LEVEL_DIFFERENCE_DB = 20.0
_GOLDEN_SEED = 20_030_611
# Partials are followed up to here: what is higher is mostly noise.
_FOLLOWED_HZ = 4000
_MOMENTUM = 0.99


@dataclass(frozen=True, slots=True)
class Spectrogram:
    """A loop as the model sees it, in 8 bits.

    `level` is (sixteenths * 8, 160) uint8: 0 is -80 dB or less below the loudest band, 255 is the loudest.
    `stereo` is (sixteenths, 40, 2) uint8: level difference left over right (-20 dB to +20 dB) and coherence (-1 to 1).
    """

    level: NDArray[np.uint8]
    stereo: NDArray[np.uint8]

    @property
    def sixteenths(self) -> int:
        """Length in sixteenth notes."""
        return len(self.stereo)


@dataclass(frozen=True)
class SpectrogramCodec:
    """Settings of the codec and the arrays that follow from them; `inverse` is a trained network for these settings."""

    bands: int = 160
    stereo_bands: int = 40
    frames_per_sixteenth: int = 8
    window_length: int = 3072
    low_hz: float = 30.0
    high_hz: float = 18_000.0
    inverse: BandInverse | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        return f"erb{self.bands}-{self.stereo_bands}-{self.frames_per_sixteenth}x{self.window_length}"

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

    def encode(self, audio: NDArray[np.float32], sixteenths: int) -> Spectrogram:
        """The picture of one loop of so many sixteenth notes; `audio` is (samples, 2) and taken to repeat for ever."""
        left, right = (
            self.analyse(torch.from_numpy(np.ascontiguousarray(side)), sixteenths) for side in audio.T
        )
        return self.picture(left, right)

    def analyse(self, signal: Tensor, sixteenths: int) -> Tensor:
        """Circular STFT of one channel: (samples,) to (frames, bins) complex, at the codec's own frame rate."""
        frames = sixteenths * self.frames_per_sixteenth
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

    @torch.no_grad()
    def decode(self, spectrogram: Spectrogram, samples: int, iterations: int = 12) -> NDArray[np.float32]:
        """The loop that a picture shows: (samples, 2) float32, its peak at 0.9. Same picture, same samples."""
        magnitude, step = self.magnitudes(spectrogram, samples)
        hop = round(samples / len(magnitude))
        random = hashed_angles(spectrogram.level, self.frames_per_sixteenth, step, magnitude.shape[1])
        followed = round(_FOLLOWED_HZ * self.window_length / SAMPLE_RATE)
        angles = starting_angles(magnitude.numpy(), random, hop, self.window_length, followed)
        mono = self.griffin_lim(magnitude, torch.from_numpy(angles), hop, iterations)
        sides = [
            _resample_circle(self.synthesise(side, hop), samples)
            for side in self._spread(mono, spectrogram, step)
        ]
        audio = torch.stack(sides, 1)
        return (audio * (0.9 / audio.abs().max().clamp_min(1e-9))).numpy()

    @torch.no_grad()
    def decode_within(
        self, spectrogram: Spectrogram, audio: NDArray[np.float32], free: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """The loop that a picture shows, as it runs into and out of known audio: (samples, 2) float32.

        `audio` (samples, 2) is known where `free` (samples,) is not; the picture counts its levels from the loudest
        band of all of `audio`, as `encode` does. What is known is held through phase retrieval, so that phases meet at
        its borders; it comes back nearly as it was.
        """
        samples = len(audio)
        magnitude, step = self.magnitudes(spectrogram, samples)
        hop = round(samples / len(magnitude))
        loudest = self._loudest(audio, spectrogram.sixteenths)
        known = torch.stack(
            [_resample_circle(torch.from_numpy(side / loudest), hop * len(magnitude)) for side in audio.T]
        )
        place = torch.arange(known.shape[1]) * samples // known.shape[1]
        hidden = torch.from_numpy(free)[place]
        painted = hidden[torch.arange(len(magnitude)) * hop][:, None]

        spectra = torch.fft.rfft(self.frames(known, hop)) / self.window.square().sum().sqrt()
        heard = torch.polar((_power(spectra).mean(0)).sqrt(), spectra.sum(0).angle())
        random = hashed_angles(spectrogram.level, self.frames_per_sixteenth, step, magnitude.shape[1])
        followed = round(_FOLLOWED_HZ * self.window_length / SAMPLE_RATE)
        magnitude = torch.where(painted, magnitude, heard.abs())
        angles = starting_angles(magnitude.numpy(), random, hop, self.window_length, followed)
        angle = torch.where(painted, torch.from_numpy(angles), heard.angle())
        middle = self.synthesise(heard, hop)
        mono = self.griffin_lim(magnitude, angle, hop, 12, (middle, hidden))
        both = torch.where(painted, torch.stack(self._spread(mono, spectrogram, step)), spectra)
        both = self.griffin_lim(both.abs(), both.angle(), hop, 4, (known, hidden))
        sides = [_resample_circle(side, samples) for side in self.synthesise(both, hop)]
        return (torch.stack(sides, 1) * loudest).numpy()

    @torch.no_grad()
    def magnitudes(self, spectrogram: Spectrogram, samples: int) -> tuple[Tensor, int]:
        """STFT magnitudes (frames * step, bins) of a picture, and the step.

        Slow loops have hops longer than a third of a window, which no phase retrieval survives: there, `step` frames
        are drawn between neighbours on the circle.
        """
        level = torch.from_numpy(spectrogram.level.astype(np.float32)) / 255
        hop = samples / len(level)
        step = math.ceil(hop / (self.window_length / 3))
        level = self.between(level[None], step)
        if self.inverse is None:
            bands = _from_level(level) @ self.filters
            power = self.meet_bands(level, bands * self._coverage, 12)
        else:
            guessed = self.corrected(level, self.inverse(level, hop / step))
            guessed = self.meet_bands(level, guessed, 4)
            power = torch.where(level.amax(-1, keepdim=True) > 0, guessed, torch.zeros(()))
        return power[0].sqrt(), step

    def between(self, level: Tensor, step: int) -> Tensor:
        """Levels (batch, frames, bands) with `step` frames for each, drawn in straight lines round the circle."""
        following = level.roll(-1, 1)
        return torch.stack([torch.lerp(level, following, k / step) for k in range(step)], 2).flatten(1, 2)

    def corrected(self, level: Tensor, correction: Tensor) -> Tensor:
        """Bin powers (batch, frames, bins) from the levels and what a network adds to them, in dB."""
        decibels = (level - 1) * DYNAMIC_RANGE_DB @ self._interpolation + correction
        return (decibels.clamp(-140, 40) * (math.log(10) / 10)).exp()

    def griffin_lim(
        self,
        magnitude: Tensor,
        angles: Tensor,
        hop: int,
        iterations: int,
        held: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """A complex STFT with the given magnitudes that some circular signal (nearly) has: all (..., frames, bins).

        Fast Griffin-Lim (Perraudin et al., 2013, "A fast Griffin-Lim algorithm") from the given angles. `held` are
        samples (..., samples) that the signal is known to have, and where it is not known: (samples,) bool.
        """
        spectrum, previous = torch.polar(magnitude, angles), None
        for _ in range(iterations):
            circle = self.synthesise(spectrum, hop)
            if held is not None:
                circle = torch.where(held[1], circle, held[0])
            consistent = torch.view_as_real(torch.fft.rfft(self.frames(circle, hop)))
            ahead = consistent if previous is None else torch.lerp(previous, consistent, 1 + _MOMENTUM)
            previous = consistent
            size = ahead[..., 0].square().addcmul_(ahead[..., 1], ahead[..., 1])
            spectrum = torch.view_as_complex(ahead * (magnitude * size.add_(1e-18).rsqrt_())[..., None])
        return spectrum

    def frames(self, circle: Tensor, hop: int) -> Tensor:
        """Windowed frames at every hop of circles that are whole hops long: (..., samples) to (..., frames, window)."""
        half = self.window_length // 2
        padded = torch.cat([_wrap(circle, half, end=True), circle, _wrap(circle, half, end=False)], -1)
        return padded.unfold(-1, self.window_length, hop)[..., : circle.shape[-1] // hop, :] * self.window

    def synthesise(self, spectrum: Tensor, hop: int) -> Tensor:
        """Least-squares inverse STFT on the circle (Griffin and Lim, 1984, equation 6): (..., frames * hop) samples."""
        count, length = spectrum.shape[-2], self.window_length
        frames = torch.fft.irfft(spectrum, n=length) * self.window
        signal, weights = torch.zeros(*spectrum.shape[:-1], hop), torch.zeros(hop)
        for chunk, start in enumerate(range(0, length, hop)):
            width, turn = min(hop, length - start), chunk % count
            piece = frames[..., start : start + width]
            signal[..., turn:, :width] += piece[..., : count - turn, :]
            signal[..., :turn, :width] += piece[..., count - turn :, :]
            weights[:width] += self.window[start : start + width].square()
        signal = signal * (self.window.square().sum().sqrt() / weights.clamp_min(1e-3 * float(weights.max())))
        return signal.flatten(-2).roll(-(length // 2), -1)

    def meet_bands(self, level: Tensor, power: Tensor, iterations: int) -> Tensor:
        """Bin powers (..., bins) corrected towards the given levels (..., bands).

        Richardson-Lucy updates (Richardson, 1972), which stay positive and come to reproduce every band. Bands at
        level 0 are only kept from being louder than that.
        """
        bands, filters, shares = _from_level(level), self.filters, self.filters * self._coverage
        unseen = (self._coverage == 0).float()
        faintest = 10 ** (-DYNAMIC_RANGE_DB / 10)
        for _ in range(iterations):
            reached = (power @ filters.T).clamp_min(1e-12)
            ratio = torch.where(level <= 0, (faintest / reached).clamp_max(1), bands / reached)
            power = power * (ratio @ shares + unseen)
        return power

    def _spread(self, mono: Tensor, spectrogram: Spectrogram, step: int) -> tuple[Tensor, Tensor]:
        """Left and right STFTs from the mono one, by level difference and coherence.

        The channels' phases are turned apart by the angle whose cosine is the coherence, one way or the other by a
        fixed pattern over frequency. Unlike a sum with an all-pass, this cancels nothing in either channel.
        """
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
        ahead, aside = ((1 + coherence) / 2).sqrt(), ((1 - coherence) / 2).sqrt() * self._decorrelator
        left = torch.complex(left_gain * ahead, left_gain * aside)
        right = torch.complex(right_gain * ahead, -right_gain * aside)
        return left * mono, right * mono

    def _loudest(self, audio: NDArray[np.float32], sixteenths: int) -> float:
        """The amplitude that a loop's picture counts its levels from."""
        sides = [self.analyse(torch.from_numpy(np.ascontiguousarray(side)), sixteenths) for side in audio.T]
        powers = _power(torch.stack(sides)).mean(0) @ self.filters.T
        return math.sqrt(float(powers.max()) + 1e-20)

    @cached_property
    def _decorrelator(self) -> Tensor:
        """(bins,) of 1 and -1: the signs of some ten milliseconds of noise, which is what makes a sound wide."""
        generator = torch.Generator().manual_seed(_GOLDEN_SEED)
        length = 512
        noise = torch.randn(length, generator=generator) * torch.exp(-torch.arange(length) / (length / 4))
        return torch.where(torch.fft.rfft(noise, n=self.window_length).imag < 0, -1.0, 1.0)

    @cached_property
    def _coverage(self) -> Tensor:
        """(bins,) one over the sum of all filters, 0 where there are none."""
        totals = self.filters.sum(0)
        return torch.where(totals > 0, 1 / totals.clamp_min(1e-9), torch.zeros(()))

    @cached_property
    def _interpolation(self) -> Tensor:
        """(bands, bins) weights that draw straight lines between the bands' centres, and hold the outermost."""
        frequency = np.arange(self.window_length // 2 + 1) * SAMPLE_RATE / self.window_length
        place = np.interp(frequency, self.centres_hz, np.arange(self.bands))
        weights = np.maximum(0, 1 - np.abs(np.arange(self.bands)[:, None] - place))
        return torch.tensor(weights, dtype=torch.float32)

    def _stft(self, circle: Tensor, centres: Tensor) -> Tensor:
        half = self.window_length // 2
        padded = torch.cat([_wrap(circle, half, end=True), circle, _wrap(circle, half, end=False)])
        frames = padded.unfold(0, self.window_length, 1)[centres]
        spectrum: Tensor = torch.fft.rfft(frames * self.window)
        return spectrum / self.window.square().sum().sqrt()

    def _edges(self) -> NDArray[np.float64]:
        low, high = (math.log1p(hz / 229) for hz in (self.low_hz, self.high_hz))
        return np.asarray(229 * np.expm1(np.linspace(low, high, self.bands + 2)))


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
    return circle[..., index % circle.shape[-1]]


def _resample_circle(circle: Tensor, samples: int) -> Tensor:
    """Band-limited resampling of one period: its Fourier series is kept, so the result repeats as exactly."""
    if len(circle) == samples:
        return circle
    series = scipy.fft.rfft(circle.numpy())
    return torch.from_numpy(scipy.fft.irfft(series, n=samples) * np.float32(samples / len(circle)))
