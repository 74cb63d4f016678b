"""Riffusion v1 (Forsgren and Martiros, 2022): Stable Diffusion on pictures of spectrograms, and Riffusion's own codec.

Its ways are RiffusionPipeline's (riffusion-hobby, MIT): prompts are interpolated as embeddings and noise on the sphere,
words are weighed, a sound to start from is a picture that is noised, and what a mask keeps is put back after each step.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from torch import Tensor

from generation.models.foreign.family import Sound, Wish, generator_of, noise_of
from generation.prompt import parse_prompt
from generation.request import SAMPLE_RATE
from generation.riffusion import RiffusionCodec

_HEIGHT = 512
_COLUMNS_PER_SECOND = 100
# Riffusion's own pictures are whole multiples of 32 columns wide, 512 at first.
_COLUMNS = 32


@dataclass(frozen=True)
class Riffusion:
    """Trained on 512 columns, 5.11 seconds; a wider picture plays longer, at a cost that grows with its square."""

    pipeline: StableDiffusionPipeline
    codec: RiffusionCodec = field(default_factory=RiffusionCodec)
    name: str = "riffusion"
    title: str = "Riffusion"
    can: frozenset[str] = frozenset(
        {"negative_prompt", "guidance", "steps", "key", "emphasis", "variation", "morph", "remix", "repaint"}
    )
    shortest: float = 5.11
    longest: float = 20.47

    def play(self, wish: Wish) -> Sound:
        return Sound(self.codec.to_audio(self.paint(wish)), SAMPLE_RATE)

    @torch.inference_mode()
    def paint(self, wish: Wish) -> Image.Image:
        """The spectrogram's picture, 512 high, wide enough for the wish."""
        request, pipeline = wish.request, self.pipeline
        generator = generator_of(request)
        width = math.ceil((wish.seconds * _COLUMNS_PER_SECOND + 1) / _COLUMNS - 1e-9) * _COLUMNS
        factor = pipeline.vae_scale_factor
        shape = (1, pipeline.unet.config.in_channels, _HEIGHT // factor, width // factor)
        noise = noise_of(request, shape, generator)
        prompt = self._prompt(wish)
        against = self._encode(wish.negative_prompt or "")
        scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
        scheduler.set_timesteps(request.steps)
        timesteps = scheduler.timesteps
        known, kept = None, None
        if wish.source is None:
            latents = noise * scheduler.init_noise_sigma
        else:
            begin = max(request.steps - max(int(request.steps * request.strength), 1), 0) * scheduler.order
            timesteps = timesteps[begin:]
            if hasattr(scheduler, "set_begin_index"):
                scheduler.set_begin_index(begin)
            known = self._latents_of(wish.source, width, generator)
            latents = scheduler.add_noise(known, noise, timesteps[:1])
            kept = _kept(wish.repaint, width // factor, factor)
        extra = pipeline.prepare_extra_step_kwargs(generator, 0.0)
        for step, timestep in enumerate(timesteps):
            predicted = self._guided(
                scheduler.scale_model_input(latents, timestep), timestep, prompt, against, wish
            )
            latents = scheduler.step(predicted, timestep, latents, **extra).prev_sample
            if kept is not None:
                latents = torch.lerp(latents, scheduler.add_noise(known, noise, timestep[None]), kept)
            wish.on_step(step + 1, len(timesteps))
        return self._picture(latents)

    def _guided(
        self, latents: Tensor, timestep: Tensor, prompt: Tensor, against: Tensor, wish: Wish
    ) -> Tensor:
        """The noise that is predicted, away from what is not wanted (Ho and Salimans, 2022)."""
        scale, unet = wish.request.guidance_scale, self.pipeline.unet
        if scale == 1:
            return unet(latents, timestep, prompt).sample  # type: ignore[no-any-return]
        free, held = unet(latents.expand(2, -1, -1, -1), timestep, torch.cat([against, prompt])).sample.chunk(
            2
        )
        return free + scale * (held - free)  # type: ignore[no-any-return]

    def _prompt(self, wish: Wish) -> Tensor:
        """The prompt's embeddings (1, 77, width), on their way to another prompt's where the request morphs."""
        request = wish.request
        start = self._encode(wish.described, parse_prompt(request.prompt).spans)
        if not request.morph_to or request.morph == 0:
            return start
        end = self._encode(wish.morph_described, parse_prompt(request.morph_to).spans)
        return torch.lerp(start, end, request.morph)

    def _encode(self, text: str, spans: tuple[tuple[int, int, float], ...] = ()) -> Tensor:
        """CLIP's states; those of weighed words are scaled, and all of them then brought back to the same mean."""
        tokenizer = self.pipeline.tokenizer
        batch: Any = tokenizer(
            text,
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        states: Tensor = self.pipeline.text_encoder(batch.input_ids)[0]
        if not spans:
            return states
        weights = torch.ones(states.shape[1])
        for token, (start, end) in enumerate(batch.offset_mapping[0].tolist()):
            for first, last, weight in spans:
                if start < end and start < last and end > first:
                    weights[token] = weight
        weighed = states * weights[:, None]
        return weighed * (states.mean() / weighed.mean())

    def _latents_of(self, source: Any, width: int, generator: torch.Generator) -> Tensor:
        """A sound's picture in the model's latents, its columns repeated or cut to the width."""
        picture = np.asarray(self.codec.to_image(source).convert("RGB"))
        picture = picture[:, np.arange(width) % picture.shape[1]]
        pixels = torch.from_numpy(picture.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
        vae = self.pipeline.vae
        return vae.encode(pixels).latent_dist.sample(generator) * vae.config.scaling_factor  # type: ignore[no-any-return]

    def _picture(self, latents: Tensor) -> Image.Image:
        pixels = self.pipeline.vae.decode(latents / self.pipeline.vae.config.scaling_factor).sample[0]
        levels = ((pixels / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
        return Image.fromarray(levels.permute(1, 2, 0).contiguous().numpy())


def _kept(repaint: tuple[float, float] | None, columns: int, factor: int) -> Tensor | None:
    """1 in the columns of latents, `factor` of the picture each, that stay, 0 in those that are made anew."""
    if repaint is None:
        return None
    centres = (torch.arange(columns) + 0.5) * (factor / _COLUMNS_PER_SECOND)
    return ((centres < repaint[0]) | (centres >= repaint[1])).float()


def load(folder: Path) -> Riffusion:
    pipeline = StableDiffusionPipeline.from_pretrained(
        folder,
        use_safetensors=True,
        local_files_only=True,
        low_cpu_mem_usage=False,
        torch_dtype=torch.float32,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return Riffusion(pipeline)
