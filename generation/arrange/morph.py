"""Morphs from prompt to prompt: as a series of loops on one grid, or over time within one piece.

A loop on its way is one constant mixture of two prompts, for which the model shares out its attention: it is coherent,
loops by itself, and is a request by itself. Over time the piece is one loop that goes round and round while its prompt
slides: all bars with the same place in the loop begin from the same noise, and windows of the loop's length, each with
its own mixture, agree with their neighbours in every step (`RiffPipeline.slide`).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from generation.arrangement import Morph
from generation.audio.loudness import to_target_loudness
from generation.engine import Engine, Progress, Renderer, engine_that_paints
from generation.errors import InvalidRequest, NotPossible
from generation.models.pipeline import DenoisingStep, Window, starting_noise
from generation.prompt import parse_prompt
from generation.request import METRES, SAMPLE_RATE, Riff, RiffRequest, Take, samples_of
from generation.spectrogram import Spectrogram

# Sixteenth notes of silence round a piece that does not loop, so that its end does not run into its start.
_MARGIN = 4
_FADE_SECONDS = 0.003
# A piece is decoded as a whole, which takes some 9 MB a second.
_LONGEST_SECONDS = 180


def perform(
    engine: Renderer,
    request: RiffRequest,
    on_progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Riff:
    """A take for each loop of the morph, or one long take; raises NotPossible where the model cannot."""
    asked = request.arrangement
    assert isinstance(asked, Morph)
    if asked.over == "time":
        return _over_time(
            engine_that_paints(engine, "morph over time"), request, asked, on_progress, cancelled
        )
    if "morph" not in engine.can:
        raise NotPossible(f"{engine.model_id} cannot morph between prompts.")
    return _as_loops(engine, request, asked, on_progress, cancelled)


def stage(request: RiffRequest, asked: Morph, way: float) -> RiffRequest:
    """The plain request for the loop at `way` (0 to 1) of a morph."""
    prompts = (request.prompt, *asked.prompts)
    segment = min(int(way * len(asked.prompts)), max(0, len(asked.prompts) - 1))
    share = curved(way * len(asked.prompts) - segment, asked.curve)
    if share == 1 and asked.prompts:
        segment, share = segment + 1, 0.0
    plain = replace(request, prompt=prompts[segment], arrangement=None)
    if share:
        plain = replace(plain, morph_to=prompts[segment + 1], morph=share)
    if asked.to_seed is not None:
        plain = replace(plain, variation_seed=asked.to_seed, variation=curved(way, asked.curve))
    return plain


def curved(way: float, curve: str) -> float:
    """How far a morph is at `way`, both 0 to 1: "linear", "ease" (slow at both ends; Perlin, 2002), or "step"."""
    match curve:
        case "ease":
            return way**3 * (way * (way * 6 - 15) + 10)
        case "step":
            return float(way >= 0.5)
    return way


def _as_loops(
    engine: Renderer,
    request: RiffRequest,
    asked: Morph,
    on_progress: Callable[[Progress], None] | None,
    cancelled: Callable[[], bool] | None,
) -> Riff:
    takes: list[Take] = []
    timings: dict[str, float] = {}
    for index in range(asked.loops):

        def relay(at: Progress, index: int = index) -> None:
            if on_progress is not None:
                on_progress(replace(at, take=index, takes=asked.loops))

        plain = stage(request, asked, index / (asked.loops - 1))
        loop = engine.render(plain, None if on_progress is None else relay, cancelled)
        takes += loop.takes
        for phase, seconds in loop.timings.items():
            timings[phase] = timings.get(phase, 0.0) + seconds
    return Riff(request, tuple(takes), timings)


def _over_time(
    engine: Engine,
    request: RiffRequest,
    asked: Morph,
    on_progress: Callable[[Progress], None] | None,
    cancelled: Callable[[], bool] | None,
) -> Riff:
    prompts = (request.prompt, *asked.prompts)
    if len({parse_prompt(prompt).styles for prompt in prompts}) > 1:
        raise NotPossible(
            "A morph over time has one style all along: give each prompt the same, or morph over loops."
        )
    bars = asked.loops * request.bars
    seconds = asked.loops * request.seconds
    if seconds > _LONGEST_SECONDS:
        raise InvalidRequest(
            "arrangement.loops",
            f"This morph would last {seconds:.0f} s: over time, at most {_LONGEST_SECONDS} are possible.",
        )
    closed = len(prompts) > 1 and prompts[-1] == request.prompt and asked.to_seed is None
    firsts = _window_places(bars, request.bars, closed=closed)

    def way(first: int) -> float:
        return first / bars if closed else first / (bars - request.bars)

    def paint(take: RiffRequest) -> Iterator[DenoisingStep]:
        windows = [
            Window(first, take.bars, engine.texts(stage(take, asked, way(first)))[0]) for first in firsts
        ]
        noise = _noise(take, asked, bars, engine.pipeline.transformer.config.latent_size)
        return engine.pipeline.slide(take, noise, windows, engine.texts(take)[1])

    def sound(take: RiffRequest, picture: Spectrogram) -> NDArray[np.float32]:
        if closed:
            audio = engine.codec.decode(picture, samples_of(picture.sixteenths, take.bpm))
        else:
            audio = _open_ended(engine, take, picture)
        return to_target_loudness(audio)

    return engine.make(request, paint, sound, on_progress, cancelled)


def _window_places(bars: int, length: int, *, closed: bool) -> list[int]:
    """The bars at which windows of `length` begin that cover a piece of so many bars, overlapping by half or more."""
    hop = max(1, length // 4)
    return list(range(0, bars if closed else bars - length + 1, hop))


def _noise(request: RiffRequest, asked: Morph, bars: int, latent_size: int) -> Tensor:
    """(1, tokens, latent_size) for the whole piece: the loop's noise again and again, turned from seed to seed."""
    bar, pieces = METRES[request.metre], []
    for index in range(bars):
        way = min(1.0, max(0.0, (index + 0.5 - request.bars / 2) / (bars - request.bars)))
        whole = starting_noise(stage(request, asked, way), latent_size)
        place = index % request.bars * bar
        pieces.append(whole[:, place : place + bar])
    return torch.cat(pieces, 1)


def _open_ended(engine: Engine, request: RiffRequest, picture: Spectrogram) -> NDArray[np.float32]:
    """A picture as sound that begins and ends: between silence instead of on a circle, cut where it starts and ends."""
    frames = _MARGIN * len(picture.level) // picture.sixteenths
    apart = Spectrogram(
        np.pad(picture.level, ((frames, frames), (0, 0))),
        np.pad(picture.stereo, ((_MARGIN, _MARGIN), (0, 0), (0, 0)), mode="edge"),
    )
    margin, length = samples_of(_MARGIN, request.bpm), samples_of(picture.sixteenths, request.bpm)
    audio = engine.codec.decode(apart, samples_of(apart.sixteenths, request.bpm))[margin : margin + length]
    fade = np.linspace(0, 1, round(_FADE_SECONDS * SAMPLE_RATE), dtype=np.float32)[:, None]
    audio[: len(fade)] *= fade
    audio[-len(fade) :] *= fade[::-1]
    return audio
