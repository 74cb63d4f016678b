"""Where something begins in a sound, and which beats that could be: what `generation.arrange.grid` chooses from.

Onset strengths are followed in five bands, and where the harmony changes in a sixth. The periods of the beat that
explain their echoes best are taken, with their simple multiples, and each is refined over the whole length. What sets
in is then folded onto one bar of each, with twelve slots to a beat: sixteenths and triplets both have theirs.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from generation.request import SAMPLE_RATE

HOP = 256
FRAMES_PER_SECOND = SAMPLE_RATE / HOP
SLOTS_PER_BEAT = 12
SLOTS_PER_SIXTEENTH = 3
MAX_CANDIDATES = 12
BANDS = 6
CONTEXT = 54

Values = NDArray[np.float64]

_WINDOW = 2048
_EDGES_HZ = (130, 400, 1500, 5000)
_HIGHEST_HZ = 16_000
# A difference over three frames sees the whole of an attack.
_LAG = 3
_CHORD_WINDOW, _CHORD_HOP, _CHORD_BINS, _CHORD_SECONDS = 8192, 1024, 400, 0.35

_TEMPI = np.exp(np.arange(math.log(38), math.log(250), math.log(1.004)))
_SLOWEST, _FASTEST = 40.1, 239.0
# How a beat echoes after so many beats, and how much that counts.
_ECHOES = np.array([0.25, 0.5, 1, 2, 3, 4, 6, 8])
_ECHO_WEIGHTS = np.array([0.2, 0.5, 1, 1, 0.35, 1, 0.2, 0.6])
_PREFERRED_BPM, _PREFERENCE_OCTAVES = 110, 1.0
_PEAKS = 5
_RELATIVES = np.array([1 / 3, 1 / 2, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 2, 3])
_DISTANCE = 0.008
# Beats and their subdivisions as harmonics of the tempo, for refining it.
_HARMONICS = ((1, 1.0), (2, 1.0), (3, 0.5), (4, 1.0), (6, 0.4), (8, 0.6))
_REFINED_BY, _REFINED_STEPS = 0.02, 81
_CONTEXT_ECHOES = np.array([1 / 4, 1 / 3, 1 / 2, 2 / 3, 1, 4 / 3, 3 / 2, 2, 3, 4, 6, 8])


@dataclass(frozen=True, slots=True)
class Candidates:
    """Beats that a sound may have, n of them.

    `bpm` and `phase` (the frame of some sixteenth, below one) are (n,); `four` (n, 48, 6) and `three` (n, 36, 6) what
    sets in within a bar of four and of three such beats, from that sixteenth on; `context` (n, 54) how the beat
    echoes, how fast it is, and what kind of sound it is.
    """

    bpm: Values
    phase: Values
    four: NDArray[np.float32]
    three: NDArray[np.float32]
    context: NDArray[np.float32]


def onset_strengths(mono: NDArray[np.float32]) -> Values:
    """(frames, 6) how strongly something begins: five bands from low to high, then the harmony; one per 256 samples."""
    loud = _log_bands(mono)
    growth = np.maximum(0, loud[_LAG:] - loud[:-_LAG])
    growth = np.concatenate([np.zeros((_LAG, growth.shape[1])), growth])
    bands = np.stack([growth[:, group == _GROUP].mean(1) for group in range(BANDS - 1)], 1)
    strengths = np.concatenate([bands, _harmony_changes(mono, len(bands))[:, None]], 1)
    return np.maximum(0, strengths - _moving_mean(strengths, round(0.5 * FRAMES_PER_SECOND)))


def candidates(strengths: Values) -> Candidates:
    """What could be the beat of a sound with these onset strengths; none where nothing begins."""
    mean = strengths.mean(0)
    usual = float(mean[: BANDS - 1].mean())
    if usual <= 1e-9:
        four, three = (np.zeros((0, beats * SLOTS_PER_BEAT, BANDS), np.float32) for beats in (4, 3))
        return Candidates(np.zeros(0), np.zeros(0), four, three, np.zeros((0, CONTEXT), np.float32))
    both = (strengths[:, : BANDS - 1] / (mean[: BANDS - 1] + 0.1 * usual)).sum(1)
    echo = _echo(both)
    tempi = _tempi(both, echo)
    phases = [_phase(both, bpm) for bpm in tempi]
    even = strengths / (mean + 0.05 * usual)
    echoes = [
        (echo, _CONTEXT_ECHOES),
        (_echo(strengths[:, :2].sum(1)), _CONTEXT_ECHOES),
        (_echo(strengths[:, 3:5].sum(1)), _CONTEXT_ECHOES),
        (_echo(strengths[:, 5]), _CONTEXT_ECHOES[4:]),
    ]
    sound = [*np.sqrt(mean / (mean[: BANDS - 1].sum() + 1e-9)), math.log10(usual + 1e-4)]
    context = []
    for bpm in tempi:
        period, octaves = _period(bpm), math.log2(bpm / _PREFERRED_BPM)
        bars = math.log2(len(strengths) / period / 16) / 2
        heard = [_at(values, beats * period) for values, beats in echoes]
        context.append(np.concatenate([*heard, [octaves, octaves**2 - 0.3, bars], sound]))
    return Candidates(
        np.array(tempi),
        np.array(phases),
        _folded(even, tempi, phases, 4),
        _folded(even, tempi, phases, 3),
        np.array(context, np.float32),
    )


def _log_bands(mono: NDArray[np.float32]) -> Values:
    """(frames, bands) loudness in bands of a semitone or more, up to 16 kHz."""
    frames = _frames(mono, _WINDOW, HOP)
    window = np.hanning(_WINDOW).astype(np.float32)
    blocks = []
    for start in range(0, len(frames), 512):
        size = np.abs(scipy.fft.rfft(frames[start : start + 512] * window, axis=1))[:, : _EDGES[-1]]
        blocks.append(np.add.reduceat(size, _EDGES[:-1], axis=1) / np.diff(_EDGES))
    bands = np.concatenate(blocks).astype(np.float64)
    return np.log1p(300 * bands / max(1e-9, float(np.quantile(bands.max(1), 0.98))))


def _edges() -> NDArray[np.int_]:
    last = _HIGHEST_HZ / SAMPLE_RATE * _WINDOW
    return np.unique(
        np.round(np.concatenate([np.linspace(1, 12, 12), np.geomspace(13, last, 37)])).astype(int)
    )


_EDGES = _edges()
_GROUP = np.digitize(_EDGES[:-1] * SAMPLE_RATE / _WINDOW + 1, _EDGES_HZ)


def _harmony_changes(mono: NDArray[np.float32], frames: int) -> Values:
    """(frames,) how far the pitch classes of the next third of a second are from those of the last."""
    window = np.hanning(_CHORD_WINDOW).astype(np.float32)
    size = np.abs(scipy.fft.rfft(_frames(mono, _CHORD_WINDOW, _CHORD_HOP) * window, axis=1))[:, :_CHORD_BINS]
    hertz = np.arange(_CHORD_BINS) * SAMPLE_RATE / _CHORD_WINDOW
    classes = np.where(hertz > 60, np.round(12 * np.log2(np.maximum(hertz, 1) / 440)) % 12, -1)
    loud = np.log1p(50 * size / max(1e-9, float(size.max())))
    chroma = np.stack([loud[:, classes == (index + 3) % 12].sum(1) for index in range(12)], 1).astype(
        np.float64
    )
    reach, at = int(_CHORD_SECONDS * SAMPLE_RATE / _CHORD_HOP), np.arange(len(chroma))
    total = np.concatenate([np.zeros((1, 12)), np.cumsum(chroma, 0)])
    before = total[at] - total[np.maximum(0, at - reach)]
    after = total[np.minimum(len(chroma), at + reach)] - total[at]
    sizes = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    change = np.where(sizes > 1e-9, 1 - (before * after).sum(1) / np.maximum(sizes, 1e-9), 0)
    change[:reach] = 0
    change[len(change) - reach :] = 0
    return np.asarray(np.interp(np.arange(frames) * HOP / _CHORD_HOP, at, change))


def _frames(mono: NDArray[np.float32], window: int, hop: int) -> NDArray[np.float32]:
    padded = np.pad(mono, (window // 2, window // 2))
    return np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]


def _moving_mean(values: Values, reach: int) -> Values:
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, 0)])
    at = np.arange(len(values))
    low, high = np.maximum(0, at - reach), np.minimum(len(values), at + reach)
    return np.asarray((total[high] - total[low]) / (high - low)[:, None])


def _period(bpm: float) -> float:
    """Frames per beat."""
    return 60 * FRAMES_PER_SECOND / bpm


def _at(values: Values, places: Values) -> Values:
    return np.interp(np.minimum(places, len(values) - 2), np.arange(len(values)), values)


def _echo(values: Values) -> Values:
    """Autocorrelation by lag in frames, 1 at none, and none below 0."""
    centred, count = values - values.mean(), len(values)
    power = np.abs(scipy.fft.rfft(centred, scipy.fft.next_fast_len(2 * count))) ** 2
    echo = scipy.fft.irfft(power)[:count]
    echo = echo / max(1e-12, float(echo[0])) / np.maximum(0.15, np.linspace(1, 1 / count, count))
    return np.convolve(np.maximum(0, echo), [0.25, 0.5, 0.25], mode="same")


def _tempi(values: Values, echo: Values) -> list[float]:
    """Tempi of the strongest combs of echoes (Scheirer, 1998) and their simple multiples, the likeliest first."""
    places = np.outer(_ECHOES, 60 * FRAMES_PER_SECOND / _TEMPI)
    preference = np.exp(-0.5 * (np.log2(_TEMPI / _PREFERRED_BPM) / _PREFERENCE_OCTAVES) ** 2)
    comb = (_ECHO_WEIGHTS @ _at(echo, places)) * preference
    peaks = [k for k in range(1, len(comb) - 1) if comb[k - 1] <= comb[k] > comb[k + 1]]
    peaks = sorted(peaks, key=lambda k: -comb[k])[:_PEAKS]
    pool = []
    for peak in peaks:
        for ratio in _RELATIVES:
            bpm = float(_TEMPI[peak] * ratio)
            pool.append((abs(ratio - 1) < 1e-9, float(np.interp(bpm, _TEMPI, comb)), bpm))
    length = scipy.fft.next_fast_len(max(2**16, 8 * len(values)))
    spectrum = np.abs(scipy.fft.rfft((values - values.mean()) * np.hanning(len(values)), length))
    found: list[float] = []
    for _, _, rough in sorted(pool, reverse=True):
        if len(found) == MAX_CANDIDATES:
            break
        if not _SLOWEST < rough < _FASTEST:
            continue
        bpm = _refined(spectrum, length / FRAMES_PER_SECOND, rough)
        if _SLOWEST < bpm < _FASTEST and all(abs(math.log(bpm / other)) > _DISTANCE for other in found):
            found.append(bpm)
    return found


def _refined(spectrum: Values, seconds: float, bpm: float) -> float:
    """The tempo within 2 % whose harmonics are strongest in the spectrum of all onsets."""
    steps = np.linspace(-_REFINED_BY, _REFINED_BY, _REFINED_STEPS)
    hertz = bpm / 60 * np.exp(steps)
    strength = np.sum(
        [weight * _at(spectrum, hertz * times * seconds) for times, weight in _HARMONICS], axis=0
    )
    best, offset = int(np.argmax(strength)), 0.0
    if 0 < best < len(steps) - 1:
        left, top, right = strength[best - 1 : best + 2]
        offset = 0.5 * (left - right) / min(left - 2 * top + right, -1e-12)
    return bpm * math.exp(float(steps[best]) + offset * 2 * _REFINED_BY / (_REFINED_STEPS - 1))


def _phase(values: Values, bpm: float) -> float:
    """The frame of some sixteenth: of those that most onsets lie on."""
    sixteenth, bins = _period(bpm) / 4, 64
    place = np.arange(len(values), dtype=np.float64) * (bins / sixteenth)
    folded = _binned(place, values[:, None], bins)[:, 0]
    distance = (np.arange(bins) + bins // 2) % bins - bins // 2
    blur = np.exp(-0.5 * (distance / bins * sixteenth / (0.012 * FRAMES_PER_SECOND)) ** 2)
    smooth = scipy.fft.irfft(scipy.fft.rfft(folded) * scipy.fft.rfft(blur), bins)
    return int(np.argmax(smooth)) / bins * sixteenth


def _folded(strengths: Values, tempi: list[float], phases: list[float], beats: int) -> NDArray[np.float32]:
    """(tempi, 12 * beats, bands) the root of the mean of all bars of so many beats."""
    slots = SLOTS_PER_BEAT * beats
    bars = []
    for bpm, phase in zip(tempi, phases, strict=True):
        place = (np.arange(len(strengths), dtype=np.float64) - phase) * (SLOTS_PER_BEAT / _period(bpm))
        count = _binned(place, np.ones((len(strengths), 1)), slots)
        bars.append(np.sqrt(_binned(place, strengths, slots) / np.maximum(count, 1e-3)))
    return np.array(bars, np.float32)


def _binned(place: Values, values: Values, bins: int) -> Values:
    """(bins, bands) sums of values at places on a circle, each shared between its two neighbours."""
    below = np.floor(place).astype(int)
    share = place - below
    return np.stack(
        [
            np.bincount(below % bins, band * (1 - share), bins)
            + np.bincount((below + 1) % bins, band * share, bins)
            for band in values.T
        ],
        1,
    )
