"""The engine: a model in memory that turns requests into riffs, with progress, previews and cancelling."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads starve whatever shares the machine

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from generation.audio.loudness import to_target_loudness
from generation.audio.pcm import sha256
from generation.audio.picture import preview_png
from generation.errors import Cancelled
from generation.models.shipped import SHIPPED, LoadedModel, load_model
from generation.models.text import EncodedText, TextEncoder
from generation.request import Riff, RiffRequest, Take

PREVIEW_EVERY = 2


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a riff stands: `phase` is "denoising" or "decoding"; `preview` a small PNG every few steps."""

    phase: str
    take: int
    takes: int
    step: int
    steps: int
    preview: bytes | None

    @property
    def fraction(self) -> float:
        """Share of the whole riff that is done, 0 to 1; decoding counts as two steps."""
        return (self.take + self.step / (self.steps + 2)) / self.takes


class Engine:
    """One model in memory. `render` may be called from any thread; calls take turns."""

    def __init__(self, model: LoadedModel, text_encoder: TextEncoder) -> None:
        self._pipeline, self._codec, self._encode_text = model.pipeline, model.codec, text_encoder
        self.model_id = model.model_id
        self._turn = threading.Lock()

    @classmethod
    def load(cls, model: str | Path | None = None) -> Self:
        """Load a model folder, the shipped one by default; raises ModelUnavailable in a sentence."""
        return cls(load_model(SHIPPED if model is None else Path(model)), TextEncoder())

    def render(
        self,
        request: RiffRequest,
        on_progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        source: NDArray[np.float32] | None = None,
    ) -> Riff:
        """Make all takes of a request; raises Cancelled at the next step once `cancelled()` is true.

        `source` is the audio that a remix starts from: (request.samples, 2), a loop on the request's grid.
        """
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
        def report(phase: str, step: int, preview: bytes | None = None) -> None:
            if cancelled is not None and cancelled():
                raise Cancelled
            if on_progress is not None:
                on_progress(Progress(phase, index, request.takes, step, request.steps, preview))

        take = request.take(index)
        started = time.perf_counter()
        report("denoising", 0)
        prompt, negative = self._texts(take)
        start = None if source is None else self._codec.encode(source, take.sixteenths)
        latents = None
        for moment in self._pipeline.denoise(take, prompt, negative, start):
            latents = moment.predicted
            preview = None
            if on_progress is not None and moment.step % PREVIEW_EVERY == 0:
                preview = preview_png(self._pipeline.picture(latents, self._codec))
            report("denoising", moment.step, preview)
        assert latents is not None
        timings["denoising"] += time.perf_counter() - started

        started = time.perf_counter()
        spectrogram = self._pipeline.picture(latents, self._codec)
        report("decoding", take.steps)
        audio = to_target_loudness(self._codec.decode(spectrogram, take.samples))
        recipe = {
            "request": take.to_dict(),
            "model": self.model_id,
            "codec": self._codec.name,
            "samples": len(audio),
            "sha256": sha256(audio),
        }
        if source is not None:
            recipe["source"] = sha256(source)
        timings["decoding"] += time.perf_counter() - started
        report("decoding", take.steps + 2)
        return Take(audio, spectrogram.level, recipe)

    def _texts(self, take: RiffRequest) -> tuple[EncodedText, EncodedText | None]:
        """The prompt, on its way to another one where the request morphs, and the negative prompt if there is one."""
        encoded = self._encode_text([take.prompt, take.morph_to, take.negative_prompt])
        prompt = encoded[0].blend(encoded[1], take.morph) if take.morph_to and take.morph else encoded[0]
        return prompt, encoded[2] if take.negative_prompt else None
