"""Oscillators, envelopes and filters that the patches are made of, a whole note at a time.

Oscillators read band-limited tables: one turn of the wave, summed from its harmonics below 19.5 kHz, so nothing
aliases. A table has one row for each cutoff of its low-pass, and a filter that moves is a cross-fade between
rows: without feedback there is nothing to compute sample by sample. The rows have the filter's magnitude and
no phase of its own, so that neighbouring rows cross-fade without cancelling.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from generation.request import SAMPLE_RATE

Mono = NDArray[np.float32]
Stereo = NDArray[np.float32]
Phase = NDArray[np.uint32]

_HIGHEST = 19_500.0
_TABLE_BITS = 14
_TABLE = 1 << _TABLE_BITS
_TURN = 2.0**32
_CUTOFF_LOW, _CUTOFF_HIGH, _ROWS_PER_OCTAVE = 60.0, 18_000.0, 4
_CUTOFFS = _CUTOFF_LOW * 2 ** np.arange(0, np.log2(_CUTOFF_HIGH / _CUTOFF_LOW), 1 / _ROWS_PER_OCTAVE)
# Filters run over so much of the circle's end before its beginning that they have settled.
_SETTLING = 16_384


def hertz(pitch: float) -> float:
    """The frequency of a MIDI note."""
    return float(440.0 * 2 ** ((pitch - 69) / 12))


def seconds(samples: int) -> Mono:
    """The time of each sample."""
    return np.arange(samples, dtype=np.float32) / np.float32(SAMPLE_RATE)


def phase(frequency: float | NDArray[np.floating], samples: int, start: float = 0.0) -> Phase:
    """The phase of an oscillator in 2^-32 turns, which wrap by themselves.

    `frequency` is in Hz, one number or one per sample; `start` is in turns.
    """
    first = np.uint32(int(start % 1.0 * _TURN))
    if isinstance(frequency, np.ndarray):
        steps = np.rint(frequency.astype(np.float64) * (_TURN / SAMPLE_RATE)).astype(np.uint32)
        return np.cumsum(steps, dtype=np.uint32) + first
    return np.arange(samples, dtype=np.uint32) * np.uint32(round(frequency * _TURN / SAMPLE_RATE)) + first


def angle(frequency: float | NDArray[np.floating], samples: int, start: float = 0.0) -> Mono:
    """The phase of an oscillator in radians."""
    return phase(frequency, samples, start).astype(np.float32) * np.float32(2 * np.pi / _TURN)


def sine(frequency: float | NDArray[np.floating], samples: int, start: float = 0.0) -> Mono:
    """A sine of one frequency in Hz or one that moves."""
    return np.asarray(np.sin(angle(frequency, samples, start)), np.float32)


class Wavetable:
    """A saw or a pulse for one note, with a resonant low-pass that can be swept from 60 Hz to 18 kHz.

    `highest` is the highest frequency in Hz that it will be played at. `width` is a pulse's; None is a saw.
    `resonance` is the filter's Q, `poles` 2 or 4.
    """

    def __init__(
        self, highest: float, width: float | None = None, resonance: float = 0.8, poles: Literal[2, 4] = 4
    ) -> None:
        order = np.arange(1, max(2, int(_HIGHEST / highest) + 1))
        harmonics = (-0.5j / order).astype(np.complex128)
        if width is not None:
            harmonics = harmonics * (1 - np.exp(-2j * np.pi * order * width))
        ratio = order * highest / _CUTOFFS[:, None]
        gain = 1 / np.sqrt((1 - ratio**2) ** 2 + (ratio / resonance) ** 2)
        if poles == 4:
            gain /= np.sqrt(1 + ratio**4)
        spectra = np.zeros((len(_CUTOFFS) + 1, _TABLE // 2 + 1), np.complex64)
        spectra[:-1, 1 : len(order) + 1] = (harmonics * gain)[:, : _TABLE // 2]
        spectra[-1, 1 : len(order) + 1] = harmonics[: _TABLE // 2]
        self._rows: NDArray[np.float32] = np.fft.irfft(spectra, _TABLE, axis=1).astype(np.float32)
        self._rows *= np.float32(_TABLE / 2)

    def raw(self, turns: Phase) -> Mono:
        """Unfiltered."""
        return np.asarray(self._rows[-1].take(turns >> np.uint32(32 - _TABLE_BITS)), np.float32)

    def at(self, turns: Phase, cutoff: float) -> Mono:
        """Through the filter at one cutoff in Hz."""
        row = int(np.clip(round(float(_row(cutoff))), 0, len(_CUTOFFS) - 1))
        return np.asarray(self._rows[row].take(turns >> np.uint32(32 - _TABLE_BITS)), np.float32)

    def swept(self, turns: Phase, cutoff: NDArray[np.floating]) -> Mono:
        """Through the filter at a cutoff in Hz for each sample."""
        place = np.clip(_row(cutoff), 0, len(_CUTOFFS) - 1.001).astype(np.float32)
        row = place.astype(np.uint32)
        cell = (turns >> np.uint32(32 - _TABLE_BITS)) + row * np.uint32(_TABLE)
        share = place - row.astype(np.float32)
        table = self._rows.ravel()
        low, high = table.take(cell), table.take(cell + np.uint32(_TABLE))
        return np.asarray(low + share * (high - low), np.float32)


def _row(cutoff: float | NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(np.log2(np.maximum(cutoff, 20.0) / _CUTOFF_LOW) * _ROWS_PER_OCTAVE, np.float64)


def envelope(hold: int, attack: float, decay: float, sustain: float, release: float) -> Mono:
    """Attack in seconds, decay as a time constant to `sustain`, then `release` seconds to nothing.

    As long as the key is held (`hold` samples) and its release.
    """
    time = seconds(max(hold, 1))
    held = np.minimum(time / attack, 1) * (
        sustain + (1 - sustain) * np.exp(-np.maximum(time - attack, 0) / decay)
    )
    tail = max(int(release * SAMPLE_RATE), 2)
    fall = np.linspace(0, 1, tail, dtype=np.float32)
    return np.concatenate([held, held[-1] * np.exp(-5 * fall) * (1 - fall)]).astype(np.float32)


def ringing(time_constant: float, attack: float = 0.0005, most: float = 6.0) -> Mono:
    """An exponential decay from 1, 60 dB long and `most` seconds at most."""
    samples = int(min(7 * time_constant, most) * SAMPLE_RATE)
    time = seconds(max(samples, 8))
    shape = np.minimum(time / attack, 1) * np.exp(-time / time_constant)
    return np.asarray(
        shape * np.minimum(1, (len(time) - np.arange(len(time))) / (0.15 * len(time))), np.float32
    )


def filtered(
    audio: NDArray[np.floating],
    kind: Literal["lowpass", "highpass", "bandpass"],
    frequency: float | tuple[float, float],
    order: int = 2,
) -> NDArray[np.float32]:
    """A Butterworth filter along the first axis, from silence."""
    nyquist = SAMPLE_RATE / 2
    edges = np.clip(np.asarray(frequency) / nyquist, 0.0005, 0.98)
    return np.asarray(sosfilt(butter(order, edges, kind, output="sos"), audio, axis=0), np.float32)


def filtered_circle(
    audio: NDArray[np.floating],
    kind: Literal["lowpass", "highpass", "bandpass"],
    frequency: float | tuple[float, float],
    order: int = 2,
) -> NDArray[np.float32]:
    """The same for a sound that goes round: its end runs into its beginning."""
    before = np.take(audio, np.arange(-_SETTLING, 0), axis=0, mode="wrap")
    return filtered(np.concatenate([before, audio]), kind, frequency, order)[_SETTLING:]


def crushed(audio: Mono, bits: float, hold: int) -> Mono:
    """Fewer bits and a lower rate: each `hold`-th sample, held, on 2^bits levels."""
    stepped = np.repeat(audio[::hold], hold)[: len(audio)]
    levels = 2 ** (bits - 1)
    return np.asarray(np.rint(stepped * levels) / levels, np.float32)


def lay(circle: NDArray[np.float32], start: int, sound: NDArray[np.float32]) -> None:
    """Add a sound to a circle of samples from `start` on, round and round until it ends."""
    samples, done = len(circle), 0
    start %= samples
    while done < len(sound):
        piece = min(samples - start, len(sound) - done)
        circle[start : start + piece] += sound[done : done + piece]
        done += piece
        start = 0
