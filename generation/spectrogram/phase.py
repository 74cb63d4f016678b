"""Where phases start from when only magnitudes are known: nothing here knows where the loop begins.

What begins, begins at one moment; low partials are followed from frame to frame; everything else gets random phases
that are hashes of the picture, so that a loop which is turned by a sixteenth note sounds the same, turned.
"""

import math

import numpy as np
from numpy.typing import NDArray

# A Gaussian that fits a Hann window's main lobe, in squared window lengths: 0.25645 (Průša et al., 2017, "A
# noniterative method for reconstruction of phase from STFT magnitude"), less for magnitudes that are estimates.
_LOBE = 0.85 * 0.25645
# A rise of this many nepers from one frame to the next is an onset.
_ONSET = 0.8
_SPLITMIX = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def hashed_angles(level: NDArray[np.uint8], period: int, step: int, bins: int) -> NDArray[np.float32]:
    """(frames * step, bins) angles in radians, a hash of three frames of the (frames, bands) picture at each place.

    The place modulo `period` frames tells frames apart that look alike. The mixing is splitmix64's (Steele et al.,
    2014, "Fast splittable pseudorandom number generators").
    """
    golden, first, second = map(np.uint64, _SPLITMIX)
    whole = level.astype(np.uint64)
    weights = np.random.default_rng(0).integers(0, 2**63, (3, level.shape[1]), dtype=np.uint64) * 2 + 1
    row = np.zeros(len(level), np.uint64)
    for shift, weight in zip((-1, 0, 1), weights, strict=True):
        row += (np.roll(whole, shift, 0) * weight).sum(1, dtype=np.uint64)
    row = (
        np.repeat(row, step)
        + np.arange(len(level) * step, dtype=np.uint64) % np.uint64(period * step) * first
    )
    mixed = row[:, None] + np.arange(1, bins + 1, dtype=np.uint64) * golden
    mixed = (mixed ^ (mixed >> np.uint64(30))) * first
    mixed = (mixed ^ (mixed >> np.uint64(27))) * second
    mixed ^= mixed >> np.uint64(31)
    angles: NDArray[np.float32] = (mixed >> np.uint64(40)).astype(np.float32) * np.float32(math.tau / 2**24)
    return angles


def starting_angles(
    magnitude: NDArray[np.float32],
    random: NDArray[np.float32],
    hop: int,
    window_length: int,
    followed: int,
) -> NDArray[np.float32]:
    """Angles to begin phase retrieval with; `magnitude`, `random` and what is given are (frames, bins).

    - Where a lobe of the spectrum rises at once, its bins meet at one moment: their angles are the integral over
      frequency of the group delay, which the magnitudes' change in time tells (as in phase gradient integration).
    - In between, each lobe of the lowest `followed` bins goes on turning at its peak's frequency (Beauregard et al.,
      2015, "Single pass spectrogram inversion"). The way round the circle begins and ends at the strongest onset.
    - The rest is random: whatever follows noise makes it a tone.
    """
    frames, bins = magnitude.shape
    height = np.log(magnitude + 1e-9)
    peak = _uphill(height)

    def at_peak(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.take_along_axis(values, peak, 1)

    change = (np.roll(height, -1, 0) - np.roll(height, 1, 0)) / (2 * hop)
    delay = np.clip(-_LOBE * window_length * change, -0.9 * math.pi, 0.9 * math.pi)
    together = at_peak(np.cumsum((delay + np.roll(delay, 1, 1)) / 2, 1))
    struck = at_peak(height - np.roll(height, 1, 0)) > _ONSET
    within = np.clip(at_peak(delay), -1.2, 1.2) * (np.arange(bins) - peak)
    angles = np.where(struck, together + within, random)

    slope = np.zeros((frames, bins), np.float32)
    slope[:, 1:-1] = (height[:, 2:] - height[:, :-2]) / 2
    offset = np.clip(slope / (math.tau * _LOBE), -1.5, 1.5)
    turn = (hop * math.tau / window_length) * (peak + at_peak(offset))[:, :followed]
    origin = int(np.maximum(0, height - np.roll(height, 1, 0)).sum(1).argmax())
    low, start, again = (
        np.minimum(peak[:, :followed], followed - 1),
        together[:, :followed],
        struck[:, :followed],
    )
    angle = start[origin]
    angles[origin, :followed] = angle
    for frame in range(origin + 1, origin + frames):
        before, now = (frame - 1) % frames, frame % frames
        angle = (angle + (turn[before] + turn[now]) / 2)[low[now]] % math.tau
        angle = np.where(again[now], start[now], angle)
        angles[now, :followed] = angle
    angles[:, :followed] += within[:, :followed]
    # Angles count from the middle of the window, the transform counts from its beginning.
    angles[:, 1::2] += math.pi
    return angles.astype(np.float32)


def _uphill(height: NDArray[np.float32]) -> NDArray[np.intp]:
    """For each bin of (frames, bins), the peak that one comes to by always climbing to the higher neighbour."""
    padded = np.pad(height, ((0, 0), (1, 1)), constant_values=-np.inf)
    below, above = padded[:, :-2], padded[:, 2:]
    climb = np.where((above > height) & (above >= below), 1, np.where(below > height, -1, 0))
    place = np.arange(height.shape[1]) + climb
    for _ in range(4):
        place = np.take_along_axis(place, place, 1)
    return place
