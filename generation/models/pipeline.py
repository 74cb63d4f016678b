"""RiffPipeline: prompt in, spectrogram out, as a diffusers pipeline.

Flow matching (Lipman et al., 2023) by a multistep solver (UniPC, Zhao et al., 2023) on the clean picture that the
transformer predicts. Guidance is classifier-free (Ho and Salimans, 2022): a distilled transformer has it built in, one
pass per step; another takes two.

What is known of a picture beforehand is put into each prediction: where a picture is not free, its prediction is
overwritten (as in RePaint, Lugmayr et al., 2022; on the straight way of a flow what is known arrives exactly), and
what is to be kept of it, its groove or its harmony, is exchanged for that of the prediction (as in ILVR, Choi et al.,
2021). Longer pictures are painted in windows that overlap (MultiDiffusion, Bar-Tal et al., 2023).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from diffusers import DiffusionPipeline, UniPCMultistepScheduler
from numpy.typing import NDArray
from torch import Tensor

from generation.models.text import EncodedText
from generation.models.tonality import leant
from generation.models.transformer import UNKNOWN_KEY, RiffTransformer
from generation.request import METRES, Key, RiffRequest
from generation.spectrogram import Spectrogram, SpectrogramCodec
from generation.spectrogram.patches import to_patches, to_spectrogram

# How much of the way is spent near pure noise, where what will be heard is decided (Esser et al., 2024, section 5.3.2).
FLOW_SHIFT = 9.0
_CODEC = SpectrogramCodec()
# What is kept of a source is held down to this noise level; below, the model smooths what was put together.
_KEPT_ABOVE = 0.6
# Down to here predictions are leant towards the key; below, the model makes notes of them.
_IN_KEY_ABOVE = 0.5
# Bands whose mean level moves with a groove, and neighbours over which a harmony's fine structure is told from timbre.
_GROOVE_BANDS, _TIMBRE_BANDS = 40, 21


def solver() -> UniPCMultistepScheduler:
    """The scheduler that the shipped models are sampled with."""
    return UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=FLOW_SHIFT, solver_order=2
    )


@dataclass(frozen=True, slots=True)
class Canvas:
    """What is known of a picture before it is painted.

    `picture` has as many sixteenths as the request. `free`, (frames, bands) bool, is where it is painted anew,
    everywhere by default. `keep` is "groove" or "harmony" where that of the picture stays.
    """

    picture: Spectrogram
    free: NDArray[np.bool_] | None = None
    keep: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """The `bars` bars of a longer picture from bar `first` on (from 0), and the text that they are painted after."""

    first: int
    bars: int
    prompt: EncodedText


@dataclass(frozen=True, slots=True)
class DenoisingStep:
    """After `step` of `steps`: the clean picture as it is predicted now, latents (1, tokens, latent_size)."""

    step: int
    steps: int
    predicted: Tensor


class RiffPipeline(DiffusionPipeline):  # type: ignore[misc]
    """A RiffTransformer and its scheduler; text comes in already encoded."""

    def __init__(self, transformer: RiffTransformer, scheduler: UniPCMultistepScheduler) -> None:
        super().__init__()
        self.register_modules(transformer=transformer, scheduler=scheduler)

    @torch.inference_mode()
    def __call__(
        self,
        request: RiffRequest,
        prompt: EncodedText,
        codec: SpectrogramCodec,
        negative: EncodedText | None = None,
        canvas: Canvas | None = None,
    ) -> Spectrogram:
        """The picture of the first take of a request; parameters as of `denoise`."""
        *_, last = self.denoise(request, prompt, negative, canvas)
        return self.picture(last.predicted, codec)

    @torch.inference_mode()
    def denoise(
        self,
        request: RiffRequest,
        prompt: EncodedText,
        negative: EncodedText | None = None,
        canvas: Canvas | None = None,
    ) -> Iterator[DenoisingStep]:
        """Sample the first take of a request, one step at a time.

        `prompt` and `negative` are one encoded text each. With a `canvas` that is not kept from in part, the way
        starts at its picture, behind `request.strength` of it in noise.
        """
        noise = starting_noise(request, self.transformer.config.latent_size)
        known: Callable[[Tensor, Tensor], Tensor] = _unchanged
        start = None
        if canvas is not None:
            known = self._known(canvas, request)
            start = self.transformer.to_latents(to_patches(canvas.picture)[None])

        def predict(latents: Tensor, sigma: Tensor) -> Tensor:
            return known(self._predict(latents, sigma, request, prompt, negative), sigma)

        yield from self._sample(request.steps, noise, predict, start, request.strength)

    @torch.inference_mode()
    def slide(
        self, request: RiffRequest, noise: Tensor, windows: list[Window], negative: EncodedText | None = None
    ) -> Iterator[DenoisingStep]:
        """Sample a picture of any number of bars from `noise`, (1, tokens, latent_size), in windows of one length.

        Windows overlap and may run over the end into the start. Bar b stands at bar b % `bars` in each of them: they
        agree on what each bar is in a loop.
        """
        bar, tokens = METRES[request.metre], noise.shape[1]
        length = windows[0].bars * bar
        places = [(window.first * bar + torch.arange(length)) % tokens for window in windows]
        weight = 1 - (torch.arange(length) + 0.5 - length / 2).abs() / (length / 2)
        turned = [torch.argsort(place % length) for place in places]
        order = torch.stack([place[turn] for place, turn in zip(places, turned, strict=True)])
        taper = torch.stack([weight[turn] for turn in turned])[..., None]
        total = torch.zeros(tokens, 1).index_add_(0, order.flatten(), taper.flatten(0, 1))
        prompts = _together([window.prompt for window in windows])
        against = None if negative is None else _together([negative] * len(windows))

        def predict(latents: Tensor, sigma: Tensor) -> Tensor:
            seen = self._predict(latents[0, order], sigma, request, prompts, against)
            whole = torch.zeros_like(latents[0]).index_add_(0, order.flatten(), (seen * taper).flatten(0, 1))
            return (whole / total)[None]

        yield from self._sample(request.steps, noise, predict)

    def picture(self, latents: Tensor, codec: SpectrogramCodec) -> Spectrogram:
        """Latents (1, tokens, latent_size) as the 8-bit picture that the codec decodes."""
        return to_spectrogram(self.transformer.to_patches(latents)[0], codec)

    def _sample(
        self,
        steps: int,
        latents: Tensor,
        predict: Callable[[Tensor, Tensor], Tensor],
        start: Tensor | None = None,
        strength: float = 1.0,
    ) -> Iterator[DenoisingStep]:
        """From noise, or from `start` behind `strength` of noise, to the clean latents that `predict` sees."""
        scheduler, first = self.scheduler, 1.0 if start is None else strength
        scheduler.set_timesteps(sigmas=np.linspace(first, 0, steps + 1)[:-1])
        if start is not None:
            latents = torch.lerp(start, latents, scheduler.sigmas[0])
        for step, timestep in enumerate(scheduler.timesteps):
            sigma = scheduler.sigmas[step]
            predicted = predict(latents, sigma)
            velocity = (latents - predicted) / sigma
            latents = scheduler.step(velocity, timestep, latents, return_dict=False)[0]
            yield DenoisingStep(step + 1, steps, predicted)

    def _known(self, canvas: Canvas, request: RiffRequest) -> Callable[[Tensor, Tensor], Tensor]:
        """What puts the known into predicted latents at a noise level."""
        transformer: RiffTransformer = self.transformer
        known, (cells, stereo_bands, _) = to_patches(canvas.picture)[None], canvas.picture.stereo.shape
        if canvas.free is not None:
            free = torch.from_numpy(_patch_mask(canvas.free, cells, stereo_bands))

            def overwritten(predicted: Tensor, _: Tensor) -> Tensor:
                return transformer.to_latents(torch.where(free, transformer.to_patches(predicted), known))

            return overwritten
        if not canvas.keep:
            return _unchanged
        levels = canvas.picture.level.shape
        split, half_bar = canvas.picture.level.size // cells, levels[0] // request.bars // 2

        def kept(patches: Tensor) -> Tensor:
            level = patches[0, :, :split].reshape(levels)
            feature = groove(level) if canvas.keep == "groove" else harmony(level, half_bar)
            return torch.cat([feature.reshape(1, cells, split), torch.zeros_like(patches[..., split:])], -1)

        wanted = kept(known)

        def exchanged(predicted: Tensor, sigma: Tensor) -> Tensor:
            if sigma < _KEPT_ABOVE:
                return predicted
            patches = transformer.to_patches(predicted)
            return transformer.to_latents(patches + wanted - kept(patches))

        return exchanged

    @property
    def _no_text(self) -> EncodedText:
        transformer = self.transformer
        return EncodedText(transformer.no_text[None], torch.ones(1, 1), transformer.no_pooled_text[None])

    def _predict(
        self,
        latents: Tensor,
        sigma: Tensor,
        request: RiffRequest,
        prompt: EncodedText,
        negative: EncodedText | None,
    ) -> Tensor:
        """The clean latents, (B, tokens, latent_size), of B texts under the request's guidance.

        A distilled transformer has learnt to guide away from "no text" only: from a negative prompt it takes two
        passes like any other. What a key is made of is decided early: there, predictions are leant towards it.
        """
        clean = self._guided(latents, sigma, request, prompt, negative)
        return clean if request.key is None or sigma < _IN_KEY_ABOVE else self._leant(clean, request.key)

    def _leant(self, latents: Tensor, key: Key) -> Tensor:
        patches = self.transformer.to_patches(latents)
        rows, tokens = patches.shape[:2]
        split = _CODEC.frames_per_sixteenth * _CODEC.bands
        level = patches[..., :split].reshape(rows, -1, _CODEC.bands)
        level = leant(level, key).reshape(rows, tokens, split)
        return cast(Tensor, self.transformer.to_latents(torch.cat([level, patches[..., split:]], -1)))

    def _guided(
        self,
        latents: Tensor,
        sigma: Tensor,
        request: RiffRequest,
        prompt: EncodedText,
        negative: EncodedText | None,
    ) -> Tensor:
        built_in = self.transformer.config.guided and negative is None
        if built_in or request.guidance_scale == 1:
            scale = torch.full((len(latents),), request.guidance_scale)
            return self._pass(latents, sigma, request, prompt, scale if built_in else None)
        against = _together([self._no_text] * len(latents)) if negative is None else negative
        texts = _together([prompt, against])
        held, free = self._pass(torch.cat([latents, latents]), sigma, request, texts).chunk(2)
        return free + request.guidance_scale * (held - free)

    def _pass(
        self,
        latents: Tensor,
        sigma: Tensor,
        request: RiffRequest,
        texts: EncodedText,
        scale: Tensor | None = None,
    ) -> Tensor:
        rows = len(latents)
        key = UNKNOWN_KEY if request.key is None else request.key.tonic * 2 + request.key.minor
        return self.transformer(  # type: ignore[no-any-return]
            latents,
            sigma.expand(rows),
            texts.states,
            texts.weight,
            texts.pooled,
            torch.full((rows,), request.bpm),
            torch.full((rows,), key),
            request.metre,
            scale,
        )


def starting_noise(request: RiffRequest, latent_size: int) -> Tensor:
    """(1, tokens, latent_size) standard normal; a variation is turned towards its own seed's noise on the sphere."""
    shape = (1, request.sixteenths, latent_size)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(request.seed))
    if request.variation_seed in (None, request.seed) or request.variation == 0:
        return noise
    other = torch.randn(shape, generator=torch.Generator().manual_seed(request.variation_seed or 0))
    return slerp(noise, other, request.variation)


def slerp(start: Tensor, end: Tensor, share: float) -> Tensor:
    """Spherical interpolation (Shoemake, 1985) of two tensors taken as vectors."""
    angle = torch.acos(torch.nn.functional.cosine_similarity(start.flatten(), end.flatten(), dim=0))
    return (torch.sin((1 - share) * angle) * start + torch.sin(share * angle) * end) / torch.sin(angle)


def groove(level: Tensor) -> Tensor:
    """What (frames, bands) levels have of a groove, in their own shape: how the level of broad bands moves in time."""
    broad = level.reshape(len(level), -1, _GROOVE_BANDS).mean(2)
    return (broad - broad.mean(0)).repeat_interleave(_GROOVE_BANDS, 1)


def harmony(level: Tensor, frames: int) -> Tensor:
    """What (frames, bands) levels have of a harmony: which bands stand out of their neighbours, per so many frames."""
    slow = level.reshape(-1, frames, level.shape[1]).mean(1)
    reach = _TIMBRE_BANDS // 2
    around = torch.nn.functional.pad(slow[None], (reach, reach), mode="replicate")
    timbre = torch.nn.functional.avg_pool1d(around, _TIMBRE_BANDS, 1)[0]
    return (slow - timbre).repeat_interleave(frames, 0)


def _unchanged(predicted: Tensor, _: Tensor) -> Tensor:
    return predicted


def _together(texts: list[EncodedText]) -> EncodedText:
    """Texts as one batch."""
    length = max(text.states.shape[1] for text in texts)
    texts = [text.padded(length) for text in texts]
    return EncodedText(
        torch.cat([text.states for text in texts]),
        torch.cat([text.weight for text in texts]),
        torch.cat([text.pooled for text in texts]),
    )


def _patch_mask(free: NDArray[np.bool_], sixteenths: int, stereo_bands: int) -> NDArray[np.bool_]:
    """(frames, bands) as (sixteenths, patch size); a stereo cell is free where most of its levels are."""
    level = free.reshape(sixteenths, -1)
    cells = free.reshape(sixteenths, -1, stereo_bands, free.shape[1] // stereo_bands).mean((1, 3)) > 0.5
    return np.concatenate([level, np.repeat(cells, 2, 1)], 1)
