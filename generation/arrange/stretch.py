"""Sound made longer or shorter at its own pitch.

What rings and what strikes are told apart by median filters and stretched each in its way, then added up again
(Driedger, Müller and Ewert, 2014, "Improving Time-Scale Modification of Music Signals Using Harmonic-Percussive
Separation"): strikes by overlap-add of short frames, each at its own place, so that they stay sharp and on the beat;
the rest by a phase vocoder with identity phase locking (Laroche and Dolson, 1999, "Improved Phase Vocoder Time-Scale
Modification of Audio"). Both channels are turned by the same angles, so the stereo image stays.
"""

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

Sound = NDArray[np.float32]
Frames = NDArray[np.complex64]

_SPLIT_WINDOW, _SPLIT_HOP = 2048, 512
_MEDIAN = 17
_RING_WINDOW, _RING_HOP = 4096, 1024
_STRIKE_WINDOW, _STRIKE_HOP = 512, 256
# A change of speed of less than one cent is not heard as one of pitch.
_ONE_CENT = 2 ** (1 / 1200) - 1


def stretch(audio: Sound, samples: int) -> Sound:
    """(n, channels) to (samples, channels) at the same pitch; what was at t comes to t * samples / n."""
    if abs(samples / len(audio) - 1) < _ONE_CENT:
        return _resampled(audio, samples)
    ringing = _ringing(audio)
    return _vocoded(ringing, samples) + _overlapped(audio - ringing, samples)


def _resampled(audio: Sound, samples: int) -> Sound:
    if len(audio) == samples:
        return audio
    place = np.arange(samples) * (len(audio) / samples)
    sides = [scipy.ndimage.map_coordinates(side, place[None], order=3, mode="nearest") for side in audio.T]
    return np.stack(sides, 1).astype(np.float32)


def _ringing(audio: Sound) -> Sound:
    """What lasts in time rather than over frequency; soft masks (Fitzgerald, 2010)."""
    centres = np.arange(0, len(audio) + _SPLIT_HOP, _SPLIT_HOP)
    spectra = _spectra(audio, centres, _SPLIT_WINDOW)
    size = np.abs(spectra).sum(2)
    lasting = scipy.ndimage.median_filter(size, (_MEDIAN, 1), mode="reflect") ** 2
    broad = scipy.ndimage.median_filter(size, (1, _MEDIAN), mode="reflect") ** 2
    mask = lasting / np.maximum(lasting + broad, 1e-12)
    return _added(spectra * mask[:, :, None].astype(np.float32), _SPLIT_WINDOW, _SPLIT_HOP, len(audio))


def _vocoded(audio: Sound, samples: int) -> Sound:
    places = np.rint(np.arange(0, samples + _RING_HOP, _RING_HOP) * (len(audio) / samples)).astype(int)
    now = _spectra(audio, places, _RING_WINDOW)
    # One hop earlier in the source, so that phases advance by as much as the hop in the result and need no unwrapping.
    before = _spectra(audio, places - _RING_HOP, _RING_WINDOW).sum(2)
    size, bins = np.abs(now.sum(2)), np.arange(now.shape[1])
    made = now.copy()
    for frame in range(1, len(now)):
        level = np.pad(size[frame], 2, mode="edge")
        around = np.max([level[shift : shift + len(bins)] for shift in (0, 1, 3, 4)], axis=0)
        peaks = np.flatnonzero(size[frame] >= around)
        nearest = peaks[np.searchsorted((peaks[1:] + peaks[:-1]) / 2, bins)]
        turn = (made[frame - 1].sum(1) * before[frame].conj())[nearest]
        made[frame] *= (turn / np.maximum(np.abs(turn), 1e-12))[:, None]
    return _added(made, _RING_WINDOW, _RING_HOP, samples)


def _overlapped(audio: Sound, samples: int) -> Sound:
    places = np.rint(np.arange(0, samples + _STRIKE_HOP, _STRIKE_HOP) * (len(audio) / samples)).astype(int)
    frames = _frames(audio, places, _STRIKE_WINDOW)
    window = _window(_STRIKE_WINDOW)
    return _sum(frames * window, window, _STRIKE_HOP, samples)


def _spectra(audio: Sound, centres: NDArray[np.int_], window: int) -> Frames:
    """(frames, bins, channels) of windows round the given samples; there is silence outside the sound."""
    frames = _frames(audio, centres, window) * _window(window)
    return np.asarray(scipy.fft.rfft(frames, axis=2).swapaxes(1, 2), np.complex64)


def _frames(audio: Sound, centres: NDArray[np.int_], window: int) -> NDArray[np.float32]:
    """(frames, channels, window)."""
    margin = window + max(0, -int(centres.min())), window + max(0, int(centres.max()) - len(audio))
    padded = np.pad(audio, (margin, (0, 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, window, axis=0)[centres + margin[0] - window // 2]


def _added(spectra: Frames, window: int, hop: int, samples: int) -> Sound:
    """Least-squares inverse STFT (Griffin and Lim, 1984) of frames centred at multiples of the hop."""
    shape = _window(window)
    frames = scipy.fft.irfft(spectra.swapaxes(1, 2), n=window, axis=2) * shape
    return _sum(frames, shape**2, hop, samples)


def _sum(frames: NDArray[np.float32], weight: NDArray[np.float32], hop: int, samples: int) -> Sound:
    """Overlap-add of (frames, channels, window) over the sum of the weights."""
    count, channels, window = frames.shape
    total = np.zeros((count + window // hop - 1, hop, channels), np.float32)
    weights = np.zeros((len(total), hop), np.float32)
    for part in range(window // hop):
        total[part : part + count] += frames[:, :, part * hop : (part + 1) * hop].swapaxes(1, 2)
        weights[part : part + count] += weight[part * hop : (part + 1) * hop]
    sound = (total / np.maximum(weights, 1e-3)[:, :, None]).reshape(-1, channels)
    return np.ascontiguousarray(sound[window // 2 : window // 2 + samples])


def _window(length: int) -> NDArray[np.float32]:
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length), np.float32)
