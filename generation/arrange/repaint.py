"""Bars of a loop, or a band of them, painted anew into the gap that they leave; every other sample stays as it is.

The model sees what is known in every step, and phase retrieval holds it, so that the new sound grows out of the old
one; what is left of a step at a border is cross-faded inside the new bars.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from generation.arrangement import Repaint
from generation.audio.crossfade import crossfaded
from generation.audio.pcm import sha256
from generation.engine import Engine, Progress, Renderer, engine_that_paints
from generation.errors import InvalidRequest
from generation.models.pipeline import Canvas
from generation.request import SAMPLE_RATE, Riff, RiffRequest, Take
from generation.spectrogram import Spectrogram

Audio = NDArray[np.float32]

_PEAK = 10 ** (-1 / 20)
_FADE_SECONDS = 0.005
# The flanks of a band, in octaves to both sides of its edge, and how long before a peak its limiter turns down.
_FLANK_OCTAVES, _LIMITER_SECONDS = 1 / 6, 0.002


def perform(
    engine: Renderer,
    request: RiffRequest,
    source: Audio,
    on_progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Riff:
    """Paint bars of `source`, (request.samples, 2), anew; raises InvalidRequest where it is not as long as that."""
    asked = request.arrangement
    assert isinstance(asked, Repaint)
    require_length(source, request, request.bars)
    edges = bar_edges(request)
    start, stop = edges[asked.first - 1], edges[asked.last]
    band = asked.low_hz or 0.0, asked.high_hz or SAMPLE_RATE / 2
    if not isinstance(engine, Engine) and "repaint" in engine.can:
        riff = engine.render(request, on_progress, cancelled, source)
        takes = tuple(_put_into(source, take, start, stop, band) for take in riff.takes)
        return replace(riff, takes=takes)
    ours = engine_that_paints(engine, "repaint")

    picture = ours.codec.encode(source, request.sixteenths)
    free = np.zeros(picture.level.shape, np.bool_)
    frames = len(free) // request.bars
    bands = (ours.codec.centres_hz >= band[0]) & (ours.codec.centres_hz <= band[1])
    free[(asked.first - 1) * frames : asked.last * frames, bands] = True

    def sound(_: RiffRequest, painted: Spectrogram) -> Audio:
        return spliced(
            source, ours.codec.decode_within(painted, source, within(source, start, stop)), start, stop, band
        )

    canvas = Canvas(picture, free)
    return ours.make(request, ours.painting(canvas), sound, on_progress, cancelled, source)


def require_length(source: Audio, request: RiffRequest, bars: int) -> None:
    """Raise InvalidRequest unless a sound is exactly so many bars of a request's grid long."""
    wanted = replace(request, bars=bars).samples
    if len(source) != wanted:
        raise InvalidRequest(
            "source",
            f"The sound lasts {len(source) / SAMPLE_RATE:.3f} s, but {bars} bars at {request.bpm:g} bpm in "
            f"{request.metre} last {wanted / SAMPLE_RATE:.3f} s: say its bars and tempo.",
        )


def bar_edges(request: RiffRequest) -> list[int]:
    """The sample at which each bar of a loop begins, and its end."""
    return [round(bar * request.samples / request.bars) for bar in range(request.bars + 1)]


def within(audio: Audio, start: int, stop: int) -> NDArray[np.bool_]:
    """(samples,) true from `start` to `stop`."""
    inside = np.zeros(len(audio), np.bool_)
    inside[start:stop] = True
    return inside


def spliced(
    source: Audio, painted: Audio, start: int, stop: int, band: tuple[float, float] = (0, SAMPLE_RATE / 2)
) -> Audio:
    """`source` with its samples from `start` to `stop` taken out of `painted`, or a band of them; all (samples, 2).

    Every sample outside is the source's. Cross-fades lie inside, of equal power for what differs and of equal level
    for what does not, and peaks inside are limited to -1 dBFS.
    """
    new = painted if band == (0, SAMPLE_RATE / 2) else source + _only(band, painted - source)
    new, old = new[start:stop].copy(), source[start:stop]
    if stop - start < len(source):
        length = min(round(_FADE_SECONDS * SAMPLE_RATE), len(new) // 2)
        new[:length] = crossfaded(old[:length], new[:length])
        new[-length:] = crossfaded(old[-length:][::-1], new[-length:][::-1])[::-1]
    result = source.copy()
    result[start:stop] = _limited(new)
    return result


def _only(band: tuple[float, float], audio: Audio) -> Audio:
    """What a loop has within a band, its phases untouched, with flanks of a third of an octave."""
    hertz = np.maximum(scipy.fft.rfftfreq(len(audio), 1 / SAMPLE_RATE), 1e-6)
    gain = np.ones(len(hertz))
    for edge, side in zip(band, (1, -1), strict=True):
        if 0 < edge < SAMPLE_RATE / 2:
            octaves = side * np.log2(hertz / edge)
            gain *= np.square(np.sin(np.clip(octaves / _FLANK_OCTAVES + 1, 0, 2) * math.pi / 4))
    spectrum = scipy.fft.rfft(audio, axis=0) * gain[:, None].astype(np.float32)
    return np.asarray(scipy.fft.irfft(spectrum, len(audio), axis=0), np.float32)


def _limited(audio: Audio) -> Audio:
    """A sound with its peaks brought down to -1 dBFS by a gain that moves smoothly; another comes back as it is."""
    needed = np.minimum(1, _PEAK / np.maximum(np.abs(audio).max(1), 1e-9))
    if needed.min() == 1:
        return audio
    reach = round(_LIMITER_SECONDS * SAMPLE_RATE)
    lowest = scipy.ndimage.minimum_filter1d(needed, 2 * reach + 1, mode="nearest")
    gain = scipy.ndimage.uniform_filter1d(lowest, 2 * reach + 1, mode="nearest")
    return np.asarray(audio * gain[:, None], np.float32)


def _put_into(source: Audio, take: Take, start: int, stop: int, band: tuple[float, float]) -> Take:
    """Another model's take of the whole loop, of which only the repainted part is used, at the source's level."""
    gain = np.sqrt(np.square(source).sum() / max(float(np.square(take.audio).sum()), 1e-12))
    audio = spliced(source, np.asarray(take.audio * gain, np.float32), start, stop, band)
    return replace(take, audio=audio, recipe={**take.recipe, "sha256": sha256(audio)})
