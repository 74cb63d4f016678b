"""Stable Audio 3 (Stability AI, 2026): a distilled rectified flow over semantic latents of stereo sound."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from diffusers.pipelines.stable_audio_3.pipeline_stable_audio_3 import StableAudio3Pipeline
from diffusers.pipelines.stable_audio_3.pipeline_stable_audio_3_audio2audio import (
    StableAudio3AudioToAudioPipeline,
)
from diffusers.pipelines.stable_audio_3.pipeline_stable_audio_3_inpaint import StableAudio3InpaintPipeline
from torch import Tensor

from generation.errors import NotPossible
from generation.models.foreign.family import Sound, Wish, for_model, from_model, generator_of, noise_of


@dataclass(frozen=True)
class StableAudio3:
    """Guidance and negative prompts are for the base model: the distilled one has its guidance in its weights."""

    pipeline: StableAudio3Pipeline
    name: str = "stable-audio-3"
    title: str = "Stable Audio 3"
    shortest: float = 10.0

    @property
    def longest(self) -> float:
        return float(self.pipeline.duration_embedder.config.max_val)

    @cached_property
    def can(self) -> frozenset[str]:
        both = {"steps", "key", "variation", "morph", "remix", "repaint"}
        return frozenset(both if self._distilled else both | {"negative_prompt", "guidance"})

    def play(self, wish: Wish) -> Sound:
        request, pipeline = wish.request, self.pipeline
        vae = pipeline.vae
        if wish.source is not None and wish.negative_prompt:
            raise NotPossible(f"{self.title} takes no negative prompt together with a sound: leave it out.")
        generator = generator_of(request)
        frames = -(-int(wish.seconds * vae.config.sampling_rate) // vae.downsampling_ratio)
        seconds = frames * vae.downsampling_ratio / vae.config.sampling_rate
        prompt = self._encode(wish.described)
        if request.morph_to and request.morph:
            prompt = torch.lerp(prompt, self._encode(wish.morph_described), request.morph)

        def on_step(
            _pipeline: object, step: int, _timestep: Tensor, tensors: dict[str, Any]
        ) -> dict[str, Any]:
            wish.on_step(step + 1, request.steps)
            return tensors

        asked: dict[str, Any] = {
            "prompt_embeds": prompt,
            "duration": seconds,
            "num_inference_steps": request.steps,
            "generator": generator,
            "latents": noise_of(request, (1, vae.config.latent_dim, frames), generator),
            "callback_on_step_end": on_step,
        }
        parts = pipeline.components
        if wish.source is None:
            if not self._distilled:
                asked |= {"guidance_scale": request.guidance_scale, "negative_prompt": wish.negative_prompt}
            audio = pipeline(**asked).audios
        else:
            asked["audio"] = for_model(wish.source, vae.config.sampling_rate, vae.config.audio_channels)
            if wish.repaint is None:
                again = StableAudio3AudioToAudioPipeline(**parts)
                again.set_progress_bar_config(disable=True)
                audio = again(init_noise_level=request.strength, **asked).audios
            else:
                start, end = wish.repaint
                inpaint = StableAudio3InpaintPipeline(**parts)
                inpaint.set_progress_bar_config(disable=True)
                audio = inpaint(mask_start_seconds=start, mask_end_seconds=end, **asked).audios
        return from_model(audio, vae.config.sampling_rate)

    @property
    def _distilled(self) -> bool:
        return bool(self.pipeline.scheduler.config.stochastic_sampling)

    def _encode(self, text: str) -> Tensor:
        """T5Gemma's states (1, L, width), and where there is no word what the transformer has learnt to put there."""
        states, mask = self.pipeline.encode_prompt(text, torch.device("cpu"), 1)
        return torch.where(mask[..., None].bool(), states, self.pipeline.transformer.prompt_padding_embedding)


def load(folder: Path) -> StableAudio3:
    pipeline = StableAudio3Pipeline.from_pretrained(
        folder,
        use_safetensors=True,
        local_files_only=True,
        low_cpu_mem_usage=False,
        torch_dtype=torch.float32,
    )
    pipeline.set_progress_bar_config(disable=True)
    return StableAudio3(pipeline)
