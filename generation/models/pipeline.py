"""RiffPipeline: prompt in, spectrogram out, as a diffusers pipeline.

Flow matching (Lipman et al., 2023) by a multistep solver (UniPC, Zhao et al., 2023) on the clean picture that the
transformer predicts. Guidance is classifier-free (Ho and Salimans, 2022): a distilled transformer has it built in, one
pass per step; another takes two.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import DiffusionPipeline, UniPCMultistepScheduler
from torch import Tensor

from generation.models.text import EncodedText
from generation.models.transformer import UNKNOWN_KEY, RiffTransformer
from generation.request import RiffRequest
from generation.spectrogram import Spectrogram, SpectrogramCodec
from generation.spectrogram.patches import to_patches, to_spectrogram

# How much of the way is spent near pure noise, where what will be heard is decided (Esser et al., 2024, section 5.3.2).
FLOW_SHIFT = 9.0


def solver() -> UniPCMultistepScheduler:
    """The scheduler that the shipped models are sampled with."""
    return UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=FLOW_SHIFT, solver_order=2
    )


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
        source: Spectrogram | None = None,
    ) -> Spectrogram:
        """The picture of the first take of a request; parameters as of `denoise`."""
        *_, last = self.denoise(request, prompt, negative, source)
        return self.picture(last.predicted, codec)

    @torch.inference_mode()
    def denoise(
        self,
        request: RiffRequest,
        prompt: EncodedText,
        negative: EncodedText | None = None,
        source: Spectrogram | None = None,
    ) -> Iterator[DenoisingStep]:
        """Sample the first take of a request, one step at a time.

        `prompt` and `negative` are one encoded text each. With a `source`, a picture of as many sixteenths, the way
        starts there, behind `request.strength` of it in noise.
        """
        scheduler, strength = self.scheduler, 1.0 if source is None else request.strength
        scheduler.set_timesteps(sigmas=np.linspace(strength, 0, request.steps + 1)[:-1])
        latents = starting_noise(request, self.transformer.config.latent_size)
        if source is not None:
            heard = self.transformer.to_latents(to_patches(source)[None])
            latents = torch.lerp(heard, latents, scheduler.sigmas[0])
        for step, timestep in enumerate(scheduler.timesteps):
            sigma = scheduler.sigmas[step]
            predicted = self._predict(latents, sigma, request, prompt, negative)
            velocity = (latents - predicted) / sigma
            latents = scheduler.step(velocity, timestep, latents, return_dict=False)[0]
            yield DenoisingStep(step + 1, request.steps, predicted)

    def picture(self, latents: Tensor, codec: SpectrogramCodec) -> Spectrogram:
        """Latents (1, tokens, latent_size) as the 8-bit picture that the codec decodes."""
        return to_spectrogram(self.transformer.to_patches(latents)[0], codec)

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
        """The clean latents under the request's guidance.

        A distilled transformer has learnt to guide away from "no text" only: from a negative prompt it takes two
        passes like any other.
        """
        built_in = self.transformer.config.guided and negative is None
        if built_in or request.guidance_scale == 1:
            scale = torch.full((1,), request.guidance_scale)
            return self._pass(latents, sigma, request, [prompt], scale if built_in else None)
        against = self._no_text if negative is None else negative
        held, free = self._pass(latents, sigma, request, [prompt, against]).chunk(2)
        return free + request.guidance_scale * (held - free)

    def _pass(
        self,
        latents: Tensor,
        sigma: Tensor,
        request: RiffRequest,
        texts: list[EncodedText],
        scale: Tensor | None = None,
    ) -> Tensor:
        rows = len(texts)
        length = max(text.states.shape[1] for text in texts)
        texts = [text.padded(length) for text in texts]
        key = UNKNOWN_KEY if request.key is None else request.key.tonic * 2 + request.key.minor
        return self.transformer(  # type: ignore[no-any-return]
            latents.expand(rows, -1, -1),
            sigma.expand(rows),
            torch.cat([text.states for text in texts]),
            torch.cat([text.weight for text in texts]),
            torch.cat([text.pooled for text in texts]),
            torch.full((rows,), request.bpm),
            torch.full((rows,), key),
            request.metre,
            scale,
        )


def starting_noise(request: RiffRequest, latent_size: int) -> Tensor:
    """(1, tokens, latent_size) standard normal; a variation is turned towards its own seed's noise on the sphere."""
    shape = (1, request.sixteenths, latent_size)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(request.seed))
    if request.variation_seed is None or request.variation == 0:
        return noise
    other = torch.randn(shape, generator=torch.Generator().manual_seed(request.variation_seed))
    angle = torch.acos(torch.nn.functional.cosine_similarity(noise.flatten(), other.flatten(), dim=0))
    weights = torch.sin((1 - request.variation) * angle), torch.sin(request.variation * angle)
    return (weights[0] * noise + weights[1] * other) / torch.sin(angle)
