"""RiffPipeline: prompt in, spectrogram out, as a diffusers pipeline.

Flow matching with Euler steps (Lipman et al., 2023) and classifier-free guidance (Ho and Salimans, 2022) on the
clean picture that the transformer predicts.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import DiffusionPipeline, FlowMatchEulerDiscreteScheduler
from torch import Tensor

from generation.models.text import EncodedText
from generation.models.transformer import TOKENS_PER_BAR, UNKNOWN_KEY, RiffTransformer
from generation.request import RiffRequest
from generation.spectrogram import Spectrogram, SpectrogramCodec
from generation.spectrogram.patches import to_spectrogram


@dataclass(frozen=True, slots=True)
class DenoisingStep:
    """After `step` of `steps`: the clean picture as it is predicted now, latents (1, tokens, latent_size)."""

    step: int
    steps: int
    predicted: Tensor


class RiffPipeline(DiffusionPipeline):  # type: ignore[misc]
    """A RiffTransformer and its scheduler; text comes in already encoded."""

    def __init__(self, transformer: RiffTransformer, scheduler: FlowMatchEulerDiscreteScheduler) -> None:
        super().__init__()
        self.register_modules(transformer=transformer, scheduler=scheduler)

    @torch.inference_mode()
    def __call__(self, request: RiffRequest, text: EncodedText, codec: SpectrogramCodec) -> Spectrogram:
        """The picture of the first take of a request; `text` holds the prompt and the negative prompt."""
        predicted = None
        for moment in self.denoise(request, text):
            predicted = moment.predicted
        assert predicted is not None
        return self.picture(predicted, codec)

    @torch.inference_mode()
    def denoise(self, request: RiffRequest, text: EncodedText) -> Iterator[DenoisingStep]:
        """Sample the first take of a request, one step at a time.

        `text` holds two rows: the prompt, and the negative prompt; where that is empty the model's own "no text"
        stands in its place.
        """
        transformer, scheduler = self.transformer, self.scheduler
        latents = starting_noise(request, transformer.config.latent_size)
        states, mask, pooled = text.states, text.mask, text.pooled
        if not request.negative_prompt:
            states = torch.stack([states[0], transformer.no_text.expand_as(states[0])])
            mask = torch.stack([mask[0], torch.arange(mask.shape[1]) == 0])
            pooled = torch.stack([pooled[0], transformer.no_pooled_text])
        guided = request.guidance_scale != 1
        rows = 2 if guided else 1
        bpm = torch.full((rows,), request.bpm)
        key = UNKNOWN_KEY if request.key is None else request.key.tonic * 2 + request.key.minor
        keys = torch.full((rows,), key)
        scheduler.set_timesteps(sigmas=np.linspace(1, 1 / request.steps, request.steps))
        for step, timestep in enumerate(scheduler.timesteps):
            sigma = scheduler.sigmas[step]
            predicted = transformer(
                latents.expand(rows, -1, -1),
                sigma.expand(rows),
                states[:rows],
                mask[:rows],
                pooled[:rows],
                bpm,
                keys,
            )
            if guided:
                predicted = predicted[1:] + request.guidance_scale * (predicted[:1] - predicted[1:])
            velocity = (latents - predicted) / sigma
            latents = scheduler.step(velocity, timestep, latents, return_dict=False)[0]
            yield DenoisingStep(step + 1, request.steps, predicted)

    def picture(self, latents: Tensor, codec: SpectrogramCodec) -> Spectrogram:
        """Latents (1, tokens, latent_size) as the 8-bit picture that the codec decodes."""
        return to_spectrogram(self.transformer.to_patches(latents)[0], codec)


def starting_noise(request: RiffRequest, latent_size: int) -> Tensor:
    """(1, tokens, latent_size) standard normal; a variation is turned towards its own seed's noise on the sphere."""
    shape = (1, request.bars * TOKENS_PER_BAR, latent_size)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(request.seed))
    if request.variation_seed is None or request.variation == 0:
        return noise
    other = torch.randn(shape, generator=torch.Generator().manual_seed(request.variation_seed))
    angle = torch.acos(torch.nn.functional.cosine_similarity(noise.flatten(), other.flatten(), dim=0))
    weights = torch.sin((1 - request.variation) * angle), torch.sin(request.variation * angle)
    return (weights[0] * noise + weights[1] * other) / torch.sin(angle)
