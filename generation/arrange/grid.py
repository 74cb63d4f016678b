"""The bars of a sound that nobody has counted, and the sound laid onto a request's bars.

`find_grid` weighs every beat that the sound may have, in each metre and from each sixteenth on. What sets in, folded
onto one such bar, goes into a network of one hidden layer that has heard a few thousand loops of the corpus, rain and
wind among them (`generation.training.grid`): it says how much that looks like a bar that starts there, and how much
like no beat at all. The tempo itself is measured, not learnt: to a few thousandths of a percent, over the whole length.
"""

import math
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generation.arrange.onsets import (
    FRAMES_PER_SECOND,
    HOP,
    SLOTS_PER_SIXTEENTH,
    Candidates,
    candidates,
    onset_strengths,
)
from generation.arrange.stretch import stretch
from generation.request import BARS, METRES, SAMPLE_RATE, RiffRequest, samples_of

Sound = NDArray[np.float32]

# Below this a sound is taken as one without a beat.
CONFIDENT = 0.5
_WEIGHTS = Path(__file__).parent / "weights" / "grid.npz"
# A sound that lasts as long as whole bars, all but this, is a loop: it says its tempo itself, and starts on a downbeat.
_LOOP_SHARE, _LOOP_SECONDS, _LOOP_BARS = 0.0005, 0.012, (1, 16)
_LONGEST_DEFAULT_BARS = 8
# Of a bar: what may be missing at its end.
_EARLY_END = 0.005
_FADE_SECONDS, _FREE_FADE_SECONDS = 0.02, 0.25


@dataclass(frozen=True, slots=True)
class Grid:
    """Where a sound's bars are: `bpm` counts quarter notes, `downbeat_samples` is where the first whole bar starts.

    `confidence` (0 to 1) is how likely the tempo is right; below CONFIDENT the sound counts as one without a beat.
    """

    bpm: float
    downbeat_samples: int
    confidence: float
    metre: str

    @property
    def is_free(self) -> bool:
        """Whether there is no beat to speak of."""
        return self.confidence < CONFIDENT

    @property
    def bar_samples(self) -> float:
        """Samples per bar, not rounded."""
        return METRES[self.metre] * 15 * SAMPLE_RATE / self.bpm

    def bars_in(self, samples: int) -> int:
        """Whole bars of a sound of so many samples, from the first downbeat on; one that ends a little early counts."""
        return max(0, int((samples - self.downbeat_samples) / self.bar_samples + _EARLY_END))

    def settings(self, samples: int) -> dict[str, Any]:
        """What a request takes over from a sound of so many samples where it does not say it itself; fields by name.

        Nothing from a sound without a beat.
        """
        if self.is_free:
            return {}
        bars = min(max(self.bars_in(samples), BARS[0]), _LONGEST_DEFAULT_BARS)
        return {"bars": bars, "bpm": round(self.bpm, 2), "metre": self.metre}


def find_grid(audio: Sound) -> Grid:
    """The grid of (samples, 2) at 44.1 kHz, half a second or more."""
    found = candidates(onset_strengths(np.asarray(audio.mean(1), np.float32)))
    if not len(found.bpm):
        return Grid(120.0, 0, 0.0, "4/4")
    likely = _likelihoods(found)
    beats = np.sum([starts.sum(1) for starts in likely.values()], axis=0)
    best = int(np.argmax(beats))
    metre = max(likely, key=lambda name: float(likely[name][best].sum()))
    confidence = min(1.0, float(beats[best]))
    bpm, start = float(found.bpm[best]), int(np.argmax(likely[metre][best]))
    sixteenth = 15 * FRAMES_PER_SECOND / bpm
    downbeat = (found.phase[best] + start * sixteenth) * HOP
    return _as_loop(Grid(bpm, round(downbeat), confidence, metre), len(audio))


def _likelihoods(found: Candidates) -> dict[str, NDArray[np.float64]]:
    """By metre, (candidates, sixteenths of its bar): how likely a bar of that beat starts at that sixteenth."""
    network = _network()
    context = (found.context - network["mean"]) / network["scale"]
    scores = {}
    for index, (metre, folded) in enumerate(
        (("4/4", found.four), ("3/4", found.three), ("6/8", found.three))
    ):
        slots = folded.shape[1]
        order = (np.arange(slots) + SLOTS_PER_SIXTEENTH * np.arange(METRES[metre])[:, None]) % slots
        bars = np.tensordot(folded[:, order] - 1, network[f"bar {metre}"], ((2, 3), (1, 2)))
        hidden = bars + (context @ network["context"][index].T + network["bias"][index])[:, None]
        scores[metre] = np.maximum(0, hidden) @ network["out"][index] + network["out bias"][index]
    no_beat = float(network["no beat"][0])
    top = max(no_beat, *(float(score.max()) for score in scores.values()))
    total = np.exp(no_beat - top) + sum(float(np.exp(score - top).sum()) for score in scores.values())
    return {metre: np.exp(score - top) / total for metre, score in scores.items()}


@cache
def _network() -> dict[str, NDArray[np.float32]]:
    with np.load(_WEIGHTS) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}


def _as_loop(grid: Grid, samples: int) -> Grid:
    """The same grid, or for a sound of exactly so many bars the one that fits it to the sample."""
    bars = round(samples / grid.bar_samples)
    fewest, most = _LOOP_BARS
    missing = abs(samples - bars * grid.bar_samples)
    if not fewest <= bars <= most or missing > _LOOP_SHARE * samples + _LOOP_SECONDS * SAMPLE_RATE:
        return grid
    bpm = bars * METRES[grid.metre] * 15 * SAMPLE_RATE / samples
    return Grid(bpm, 0, grid.confidence, grid.metre)


def fit(audio: Sound, grid: Grid, request: RiffRequest) -> Sound:
    """(request.samples, 2): a loop of a sound's liveliest bars at the request's tempo and at their own pitch.

    Bars start where the grid's do. Fewer than asked for are repeated; another metre's are counted in sixteenths. A
    tempo nearer to the half or the double of the sound's takes that for its beat. A sound without a beat is cut and
    joined as it is.
    """
    grid = replace(grid, bpm=grid.bpm * 2.0 ** round(math.log2(request.bpm / grid.bpm)))
    steps = min(request.sixteenths, grid.bars_in(len(audio)) * METRES[grid.metre])
    if grid.is_free or steps == 0:
        return _free(audio, request.samples)
    length = steps * 15 * SAMPLE_RATE / grid.bpm
    loop = _looped(audio, _liveliest(audio, grid, length), length, samples_of(steps, request.bpm))
    starts = np.rint(
        np.arange(-(-request.sixteenths // steps) + 1) * (15 * SAMPLE_RATE / request.bpm * steps)
    )
    turns = [np.arange(size) % len(loop) for size in np.diff(starts).astype(int)]
    return np.asarray(loop[np.concatenate(turns)[: request.samples]])


def _liveliest(audio: Sound, grid: Grid, length: float) -> float:
    """The bar start, in samples, from which so many samples are the fullest of onsets: the earliest of about equals."""
    onsets = onset_strengths(np.asarray(audio.mean(1), np.float32)).sum(1)
    total = np.concatenate([[0.0], np.cumsum(onsets)])
    last = len(audio) - length + _EARLY_END * grid.bar_samples - grid.downbeat_samples
    starts = grid.downbeat_samples + np.arange(max(0, int(last / grid.bar_samples)) + 1) * grid.bar_samples
    heard = np.interp((starts + length) / HOP, np.arange(len(total)), total) - np.interp(
        starts / HOP, np.arange(len(total)), total
    )
    return float(starts[int(np.argmax(heard >= 0.97 * heard.max()))])


def _looped(audio: Sound, start: float, length: float, samples: int) -> Sound:
    """(samples, 2): a stretch of a sound, stretched, whose end fades into what was before its start.

    A stretch that is all there is stands for what was before it too.
    """
    margin = round(0.1 * SAMPLE_RATE)
    first = int(start) - margin
    place = np.arange(first, int(start + length) + margin)
    inside = (place >= start) & (place < start + length)
    missing = (place < 0) | (place >= len(audio))
    turned = np.where(missing & ~inside, place + np.where(place < start, 1, -1) * round(length), place)
    padded = np.pad(audio, ((0, 1), (0, 0)))
    region = padded[np.where((turned < 0) | (turned > len(audio)), len(audio), turned)]
    stretched = stretch(region, round(len(region) * samples / length))
    begin = round((start - first) * len(stretched) / len(region))
    loop = stretched[begin : begin + samples].copy()
    fade = min(round(_FADE_SECONDS * SAMPLE_RATE), samples // 4, begin)
    rising = np.square(_rise(fade))
    loop[-fade:] = loop[-fade:] * (1 - rising) + stretched[begin - fade : begin] * rising
    return loop


def _free(audio: Sound, samples: int) -> Sound:
    """(samples, 2) of a sound without a beat: the loudest stretch, joined to itself by long cross-fades."""
    fade = min(round(_FREE_FADE_SECONDS * SAMPLE_RATE), len(audio) // 4, samples // 4)
    rising = _rise(fade)
    falling = rising[::-1]
    while len(audio) < samples + fade:
        joint = audio[-fade:] * falling + audio[:fade] * rising
        audio = np.concatenate([audio[:-fade], joint, audio[fade:]])
    energy = np.concatenate([[0.0], np.cumsum(np.square(audio, dtype=np.float64).sum(1))])
    starts = np.arange(0, len(audio) - samples - fade + 1, SAMPLE_RATE // 10)
    start = int(starts[int(np.argmax(energy[starts + fade + samples] - energy[starts + fade]))])
    loop = audio[start + fade : start + fade + samples].copy()
    loop[-fade:] = loop[-fade:] * falling + audio[start : start + fade] * rising
    return loop


def _rise(samples: int) -> Sound:
    """(samples, 1) a quarter of a sine, from 0 to 1: its square and its mirror's sum to 1."""
    return np.asarray(np.sin(np.linspace(0, np.pi / 2, samples, dtype=np.float32))[:, None])
