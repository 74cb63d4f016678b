"""The engine: a model in memory that turns requests into riffs, with progress, previews and cancelling."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads starve whatever shares the machine

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from generation.audio.loudness import to_target_loudness
from generation.audio.pcm import sha256
from generation.audio.picture import preview_png
from generation.errors import Cancelled, NotPossible
from generation.models.pipeline import Canvas, DenoisingStep
from generation.models.shipped import SHIPPED, LoadedModel, load_model
from generation.models.styles import StyleShelf
from generation.models.text import EncodedText, TextEncoder
from generation.prompt import parse_prompt
from generation.request import Riff, RiffRequest, Take
from generation.spectrogram import Spectrogram

PREVIEW_EVERY = 2
# What a renderer may be able to do beyond playing a prompt; ours can do all of it. "canvas" is whatever needs a look at
# the picture while it is painted: extending, keeping a groove or a harmony, morphing over time.
FEATURES = frozenset(
    (
        "negative_prompt",
        "guidance",
        "steps",
        "key",
        "emphasis",
        "styles",
        "variation",
        "morph",
        "remix",
        "repaint",
    )
) | {"canvas"}


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


class Renderer(Protocol):
    """Whatever makes loops from requests: our own engine, or one around another model.

    `can` are those of FEATURES that it has. It raises NotPossible for a request that asks for more.
    """

    @property
    def model_id(self) -> str: ...

    @property
    def can(self) -> frozenset[str]: ...

    def render(
        self,
        request: RiffRequest,
        on_progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        source: NDArray[np.float32] | None = None,
    ) -> Riff: ...


def load_engine(model: str | Path | None = None, styles: Path | None = None) -> Renderer:
    """A model ready to render: the shipped one, a folder of ours, or another pipeline's folder or hub id.

    `styles` is the folder that `style:NAME` is looked for in. Raises ModelUnavailable in a sentence.
    """
    if model is None or (Path(model) / "riff.json").is_file():
        return Engine.load(model, styles)
    from generation.models.foreign import load_foreign

    return load_foreign(model)


class Engine:
    """One model in memory. It may be called from any thread; calls take turns."""

    can = FEATURES

    def __init__(self, model: LoadedModel, text_encoder: TextEncoder, styles: Path | None = None) -> None:
        self.pipeline, self.codec, self._encode_text = model.pipeline, model.codec, text_encoder
        self.model_id = model.model_id
        self._styles = StyleShelf(Path(os.devnull) if styles is None else styles)
        self._turn = threading.Lock()

    @classmethod
    def load(cls, model: str | Path | None = None, styles: Path | None = None) -> Self:
        """Load a model folder, the shipped one by default; raises ModelUnavailable in a sentence."""
        return cls(load_model(SHIPPED if model is None else Path(model)), TextEncoder(), styles)

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
        canvas = None if source is None else Canvas(self.codec.encode(source, request.sixteenths))
        return self.make(request, self.painting(canvas), self.sound, on_progress, cancelled, source)

    def make(
        self,
        request: RiffRequest,
        paint: Callable[[RiffRequest], Iterator[DenoisingStep]],
        sound: Callable[[RiffRequest, Spectrogram], NDArray[np.float32]],
        on_progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        source: NDArray[np.float32] | None = None,
    ) -> Riff:
        """Make all takes of a request: `paint` their pictures step by step, `sound` them to finished audio.

        `source` is the sound that they start from, for their recipes.
        """
        timings = {"denoising": 0.0, "decoding": 0.0}

        def make_take(index: int) -> Take:
            def report(phase: str, step: int, preview: bytes | None = None) -> None:
                if cancelled is not None and cancelled():
                    raise Cancelled
                if on_progress is not None:
                    on_progress(Progress(phase, index, request.takes, step, request.steps, preview))

            take = request.take(index)
            started = time.perf_counter()
            report("denoising", 0)
            with self._turn, self._worn(take) as styles:
                picture = self._painted(paint(take), report, shown=on_progress is not None)
            timings["denoising"] += time.perf_counter() - started

            started = time.perf_counter()
            report("decoding", take.steps)
            audio = sound(take, picture)
            recipe = {
                "request": take.to_dict(),
                "model": self.model_id,
                "codec": self.codec.name,
                "samples": len(audio),
                "sha256": sha256(audio),
                **({} if source is None else {"source": {"sha256": sha256(source)}}),
                **({"styles": styles} if styles else {}),
            }
            timings["decoding"] += time.perf_counter() - started
            report("decoding", take.steps + 2)
            return Take(audio, picture.level, recipe)

        return Riff(request, tuple(make_take(index) for index in range(request.takes)), timings)

    def painting(self, canvas: Canvas | None = None) -> Callable[[RiffRequest], Iterator[DenoisingStep]]:
        """How `make` paints a take's picture, on a canvas where something is known of it beforehand."""

        def paint(take: RiffRequest) -> Iterator[DenoisingStep]:
            prompt, negative = self.texts(take)
            return self.pipeline.denoise(take, prompt, negative, canvas)

        return paint

    def sound(self, take: RiffRequest, picture: Spectrogram) -> NDArray[np.float32]:
        """How `make` sounds a take's picture: as a loop of its own, at the usual loudness."""
        return to_target_loudness(self.codec.decode(picture, take.samples))

    def texts(self, take: RiffRequest) -> tuple[EncodedText, EncodedText | None]:
        """The prompt, on its way to another one where the request morphs, and the negative prompt if there is one."""
        texts = [parse_prompt(text) for text in (take.prompt, take.morph_to, take.negative_prompt)]
        encoded = self._encode_text.encode(texts)
        prompt = encoded[0].blend(encoded[1], take.morph) if take.morph_to and take.morph else encoded[0]
        return prompt, encoded[2] if take.negative_prompt else None

    def _painted(
        self, steps: Iterable[DenoisingStep], report: Callable[..., None], *, shown: bool
    ) -> Spectrogram:
        latents = None
        for moment in steps:
            latents = moment.predicted
            preview = None
            if shown and moment.step % PREVIEW_EVERY == 0:
                preview = preview_png(self.pipeline.picture(latents, self.codec))
            report("denoising", moment.step, preview)
        assert latents is not None
        return self.pipeline.picture(latents, self.codec)

    def _worn(self, take: RiffRequest) -> AbstractContextManager[dict[str, str]]:
        """The styles of the prompt, put on; on its way to another prompt, those of both by their shares."""
        morph = take.morph if take.morph_to else 0.0
        shares = ((take.prompt, 1 - morph), (take.morph_to, morph))
        styles = tuple(
            (name, weight * share)
            for text, share in shares
            for name, weight in parse_prompt(text).styles
            if share
        )
        return self._styles.worn(self.pipeline.transformer, styles, self.model_id)


def engine_that_paints(renderer: Renderer, verb: str) -> Engine:
    """The renderer, if it is our own; raises NotPossible for another one, which cannot `verb`."""
    if not isinstance(renderer, Engine):
        raise NotPossible(
            f"{renderer.model_id} cannot {verb}: leave out --model and RIFF_MODEL to do it with the shipped model."
        )
    return renderer
