"""ACE-Step 1.5 (2026): a flow over latents of stereo music, with fields for tempo, metre and key."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from diffusers import AceStepPipeline

from generation.models.foreign.family import (
    Sound,
    Wish,
    for_model,
    from_model,
    generator_of,
    key_in_words,
    noise_of,
)

# What its authors shift the way from noise by; see AceStepPipeline.__call__.
_SHIFT = 3.0


@dataclass(frozen=True)
class AceStep:
    """Sings when it is given words; here it is told that there are none. Turbo models have guidance built in."""

    pipeline: AceStepPipeline
    name: str = "ace-step"
    title: str = "ACE-Step"
    shortest: float = 10.0
    longest: float = 600.0

    @cached_property
    def can(self) -> frozenset[str]:
        both = {"steps", "key", "variation", "remix", "repaint"}
        return frozenset(both if self.pipeline.is_turbo else both | {"guidance"})

    def play(self, wish: Wish) -> Sound:
        request, pipeline = wish.request, self.pipeline
        generator = generator_of(request)
        frames = math.ceil(wish.seconds * pipeline.latents_per_second)
        shape = (1, frames, pipeline.transformer.config.audio_acoustic_hidden_dim)
        latents = noise_of(request, shape, generator)
        start = 1.0
        asked: dict[str, Any] = {}
        if wish.source is not None:
            heard = for_model(wish.source, pipeline.sample_rate, pipeline.vae.config.audio_channels)
            whole = round(frames * pipeline.sample_rate / pipeline.latents_per_second)
            heard = torch.nn.functional.pad(heard, (0, max(whole - heard.shape[-1], 0)))[..., :whole]
            if wish.repaint is None:
                # Its "cover" task draws the same tune anew whatever the strength; starting on the way keeps the sound.
                start = _shifted(request.strength)
                known = pipeline.vae.encode(heard).latent_dist.sample(generator).transpose(1, 2)
                latents = torch.lerp(known, latents, start)
            else:
                asked = {
                    "task_type": "repaint",
                    "src_audio": heard,
                    "repainting_start": wish.repaint[0],
                    "repainting_end": wish.repaint[1],
                }

        def on_step(
            _pipeline: object, step: int, _timestep: float, tensors: dict[str, Any]
        ) -> dict[str, Any]:
            wish.on_step(step + 1, request.steps)
            return tensors

        way = torch.linspace(request.strength if start < 1 else 1.0, 0, request.steps + 1)[:-1]
        audio = pipeline(
            wish.prompt,
            lyrics="[Instrumental]",
            audio_duration=frames / pipeline.latents_per_second,
            bpm=round(request.bpm),
            keyscale=key_in_words(request),
            timesignature=request.metre.split("/")[0],
            num_inference_steps=request.steps,
            guidance_scale=1.0 if pipeline.is_turbo else request.guidance_scale,
            timesteps=[_shifted(float(share)) for share in way],
            latents=latents,
            generator=generator,
            callback_on_step_end=on_step,
            **asked,
        ).audios
        return from_model(audio, pipeline.sample_rate)


def _shifted(share: float) -> float:
    return _SHIFT * share / (1 + (_SHIFT - 1) * share)


def load(folder: Path) -> AceStep:
    pipeline = AceStepPipeline.from_pretrained(
        folder,
        use_safetensors=True,
        local_files_only=True,
        low_cpu_mem_usage=False,
        torch_dtype=torch.float32,
    )
    pipeline.set_progress_bar_config(disable=True)
    return AceStep(pipeline)
