"""ForeignEngine: a model of another house, asked like our own engine and answering in loops of exactly so many bars."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from generation.arrangement import Extend, Repaint
from generation.audio.loudness import to_target_loudness
from generation.audio.pcm import sha256
from generation.engine import Progress
from generation.errors import Cancelled, ModelUnavailable, NotPossible
from generation.models.foreign.closing import OVERLAP_SECONDS, close, measured, on_grid, overlap_of
from generation.models.foreign.family import Family, Sound, Wish, resampled
from generation.prompt import parse_prompt
from generation.request import SAMPLE_RATE, Riff, RiffRequest, Take
from generation.spectrogram import SpectrogramCodec

# What a model may be able to do (its `can`), and what is said where it cannot; the model's title goes in front.
REFUSALS = {
    "negative_prompt": "takes no negative prompt: leave it out",
    "guidance": "takes no guidance scale: leave it out",
    "steps": "plays without denoising steps: leave them out",
    "key": "cannot be asked for a key: leave it out",
    "emphasis": "does not weigh words: write the prompt without (…) and […]",
    "variation": "cannot vary a take: choose another seed",
    "morph": "cannot be between two prompts",
    "remix": "cannot start from a sound",
    "repaint": "cannot make a part of a loop anew",
}
# Resampling and whole frames may cost a little at the end of what is played.
_SPARE_SECONDS = 0.05
_DEFAULTS = {field.name: field.default for field in fields(RiffRequest)}


class ForeignEngine:
    """One model of another house in memory. `render` may be called from any thread; calls take turns.

    `can` names what it can do, out of REFUSALS; anything else is refused with NotPossible before a note is played.
    """

    def __init__(self, family: Family, digest: str) -> None:
        self._family, self._codec = family, SpectrogramCodec()
        self.model_id = f"{family.name}@{digest[:12]}"
        self.can = family.can
        self._turn = threading.Lock()

    def render(
        self,
        request: RiffRequest,
        on_progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        source: NDArray[np.float32] | None = None,
    ) -> Riff:
        """Make all takes of a request; raises Cancelled at the next step once `cancelled()` is true.

        `source` is the sound that a remix or a repaint starts from: (request.samples, 2), a loop on the request's
        grid. Of a repaint, the takes are the whole loop as the model plays it; to put the source's samples back where
        they stay is left to `generation.arrange.repaint`. Raises NotPossible for what the model cannot do.
        """
        self._refuse(request, source is not None)
        timings = {"denoising": 0.0, "decoding": 0.0}
        with self._turn:
            takes = tuple(
                self._render_take(request, index, on_progress, cancelled, source, timings)
                for index in range(request.takes)
            )
        return Riff(request, takes, timings)

    def _render_take(
        self,
        request: RiffRequest,
        index: int,
        on_progress: Callable[[Progress], None] | None,
        cancelled: Callable[[], bool] | None,
        source: NDArray[np.float32] | None,
        timings: dict[str, float],
    ) -> Take:
        def report(phase: str, step: int, steps: int) -> None:
            if cancelled is not None and cancelled():
                raise Cancelled
            if on_progress is not None:
                on_progress(Progress(phase, index, request.takes, step, steps, None))

        steps = request.steps

        def on_step(step: int, of: int) -> None:
            nonlocal steps
            steps = of
            report("denoising", step, of)

        take = request.take(index)
        started = time.perf_counter()
        report("denoising", 0, steps)
        bars = None if source is None else _repainted(take)
        if bars is None or source is None:
            played, closing = self._play_loop(take, source, on_step)
        else:
            played, closing = self._play_within(take, source, bars, on_step), {}
        loop = to_target_loudness(played)
        timings["denoising"] += time.perf_counter() - started

        started = time.perf_counter()
        report("decoding", steps, steps)
        image = self._codec.encode(loop, take.sixteenths).level
        recipe = {
            "request": take.to_dict(),
            "model": self.model_id,
            "codec": self._codec.name,
            "samples": len(loop),
            "sha256": sha256(loop),
            **closing,
        }
        if source is not None:
            recipe["source"] = {"sha256": take.source or sha256(source)}
        timings["decoding"] += time.perf_counter() - started
        report("decoding", steps + 2, steps)
        return Take(loop, image, recipe)

    def _play_loop(
        self,
        take: RiffRequest,
        source: NDArray[np.float32] | None,
        on_step: Callable[[int, int], None],
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """(take.samples, 2), closed, and what the recipe says of how; a source's tempo and downbeat are not touched."""
        room = math.floor((self._family.longest - _SPARE_SECONDS) * SAMPLE_RATE)
        overlap = min(overlap_of(take), room - take.samples)
        needed = take.samples + overlap
        if source is not None:
            played, found = self._play(take, needed, source, None, on_step), {}
        else:
            more = min(needed + take.samples // take.bars, room)
            played, grid = on_grid(self._play(take, more, None, None, on_step), take, needed)
            found = {"grid": grid}
        loop = close(played, take.samples, overlap)
        return loop, {**found, "seam": measured(loop, take, overlap)}

    def _play_within(
        self,
        take: RiffRequest,
        source: NDArray[np.float32],
        bars: tuple[int, int],
        on_step: Callable[[int, int], None],
    ) -> NDArray[np.float32]:
        """The source as the model plays it with the samples of some bars made anew; all of it is the model's sound.

        The loop is turned until those bars lie in its middle, with what is kept on both sides for the model to hear.
        """
        start, end = bars
        turn = (len(source) - (end - start)) // 2 - start
        turned = np.roll(source, turn, 0)
        played = self._play(take, len(source), turned, (start + turn, end + turn), on_step)
        return np.roll(played[: len(source)], -turn, 0)

    def _play(
        self,
        take: RiffRequest,
        needed: int,
        source: NDArray[np.float32] | None,
        bars: tuple[int, int] | None,
        on_step: Callable[[int, int], None],
    ) -> NDArray[np.float32]:
        """(needed or more, 2) at 44.1 kHz, as the model plays it."""
        seconds = max(min(needed / SAMPLE_RATE + _SPARE_SECONDS, self._family.longest), self._family.shortest)
        if source is not None:
            times = math.ceil((seconds + _SPARE_SECONDS) * SAMPLE_RATE / len(source))
            source = np.tile(source, (times, 1))[: math.ceil(seconds * SAMPLE_RATE)]
        repaint = None if bars is None else (bars[0] / SAMPLE_RATE, bars[1] / SAMPLE_RATE)
        # Where a pipeline draws without being given a generator, it draws from the process's own.
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(take.seed)
            sound = self._family.play(Wish(take, seconds, on_step, source, repaint))
        return self._stereo(sound, needed)

    def _stereo(self, sound: Sound, needed: int) -> NDArray[np.float32]:
        samples = resampled(sound.samples, sound.rate)
        if not np.isfinite(samples).all():
            raise ModelUnavailable(
                f"{self._family.title} played no sound but numbers without end: its weights are damaged."
            )
        missing = max(needed - len(samples), 0)
        if missing > _SPARE_SECONDS * SAMPLE_RATE:
            raise ModelUnavailable(f"{self._family.title} stopped {missing / SAMPLE_RATE:.1f} s too early.")
        samples = np.pad(samples, ((0, missing), (0, 0)))
        return np.ascontiguousarray(np.broadcast_to(samples[:, :2], (len(samples), 2)), dtype=np.float32)

    def _refuse(self, request: RiffRequest, from_sound: bool) -> None:
        """Raise NotPossible for the first thing that the model cannot do."""
        title, longest = self._family.title, self._family.longest
        for feature in _asked(request, from_sound):
            if feature not in self.can:
                raise NotPossible(f"{title} {REFUSALS[feature]}.")
        for text in (request.prompt, request.morph_to):
            for name, _ in parse_prompt(text).styles:
                raise NotPossible(
                    f"Styles are made for Riffmarket's own models: {title} cannot play style:{name}."
                )
        if request.keep:
            raise NotPossible(f"{title} cannot keep a loop's {request.keep}.")
        if isinstance(request.arrangement, Extend):
            raise NotPossible(f"{title} cannot continue a loop.")
        if request.seconds + OVERLAP_SECONDS[0] + _SPARE_SECONDS > longest:
            raise NotPossible(
                f"{title} plays {longest:.0f} s at most and this is {request.seconds:.1f} s: "
                "take fewer bars or a faster tempo."
            )


def _asked(request: RiffRequest, from_sound: bool) -> list[str]:
    """The REFUSALS that a request needs.

    Steps and guidance have a value in every request: they count as asked for where it is not the usual one.
    """
    repaint = isinstance(request.arrangement, Repaint) and _repainted(request) is not None
    asked = {
        "negative_prompt": bool(request.negative_prompt),
        "guidance": request.guidance_scale != _DEFAULTS["guidance_scale"],
        "steps": request.steps != _DEFAULTS["steps"],
        "key": request.key is not None,
        "emphasis": bool(parse_prompt(request.prompt).spans or parse_prompt(request.morph_to).spans),
        "variation": request.variation_seed is not None and request.variation > 0,
        "morph": bool(request.morph_to) and request.morph > 0,
        "repaint": repaint,
        "remix": from_sound and not repaint,
    }
    return [feature for feature, needed in asked.items() if needed]


def _repainted(request: RiffRequest) -> tuple[int, int] | None:
    """The samples that a repaint makes anew; None where it is all of them, or no repaint."""
    match request.arrangement:
        case Repaint(first, last) if last - first + 1 < request.bars:
            bar = request.samples / request.bars
            return round((first - 1) * bar), round(last * bar)
    return None
