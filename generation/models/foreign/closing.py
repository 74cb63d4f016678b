"""How a stretch of sound that knows nothing of loops becomes one: brought to the tempo, cut to the sample, closed."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generation.arrange.grid import find_grid
from generation.arrange.stretch import stretch
from generation.audio.crossfade import crossfaded
from generation.judge.measures import seam_flux, seam_step
from generation.request import SAMPLE_RATE, RiffRequest

OVERLAP_SECONDS = (0.05, 0.5)
# What is played at another tempo than this many times the asked one, or its half or double, is left at its own.
_TEMPO_RANGE = 1.25


def overlap_of(request: RiffRequest) -> int:
    """Samples that are played beyond the loop's end and faded into its start: a beat, between 50 ms and 0.5 s."""
    low, high = OVERLAP_SECONDS
    beat = min(max(60 / request.bpm, low), high, request.seconds / 4)
    return round(beat * SAMPLE_RATE)


def on_grid(
    played: NDArray[np.float32], request: RiffRequest, needed: int
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """(needed or more, 2): what was played, from its first downbeat on and stretched to the request's tempo.

    Models are told a tempo and play about that. Also gives what was found, for the recipe: the tempo in quarter notes
    a minute, how sure that is, and whether the sound was `fitted`; one without a beat, at a wholly different tempo or
    too short for it stays as it is.
    """
    grid = find_grid(played)
    times = min((0.5, 1.0, 2.0), key=lambda times: abs(math.log(grid.bpm * times / request.bpm)))
    ratio = grid.bpm * times / request.bpm
    found = {"bpm": round(grid.bpm * times, 2), "confidence": round(grid.confidence, 3), "fitted": False}
    if grid.is_free or not 1 / _TEMPO_RANGE <= ratio <= _TEMPO_RANGE or len(played) * ratio < needed:
        return played, found
    start = grid.downbeat_samples if grid.metre == request.metre else 0
    if round((len(played) - start) * ratio) < needed:
        start = 0
    heard = played[start : start + math.ceil(needed / ratio)]
    return stretch(heard, max(round(len(heard) * ratio), needed)), {**found, "fitted": True}


def close(played: NDArray[np.float32], samples: int, overlap: int) -> NDArray[np.float32]:
    """A loop of `samples` samples from (samples + overlap or more, 2): what follows its end fades into its start."""
    loop = played[:samples].copy()
    loop[:overlap] = crossfaded(played[samples : samples + overlap], loop[:overlap])
    return loop


def measured(loop: NDArray[np.float32], request: RiffRequest, overlap: int) -> dict[str, float | None]:
    """How well the seam is closed, for the recipe: spectral flux over other bar starts' and the step over others'.

    `flux` is None for one bar, which has no other start to compare with, and for silence; `overlap` is in seconds.
    """
    mono = loop.mean(1)
    flux = seam_flux(mono, request.bars)
    return {
        "flux": None if math.isnan(flux) else round(flux, 3),
        "step": round(seam_step(mono), 3),
        "overlap": round(overlap / SAMPLE_RATE, 4),
    }
