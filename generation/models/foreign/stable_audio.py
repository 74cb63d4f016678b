"""Stable Audio Open (Stability AI, 2024): latent diffusion of stereo sound, told its length in seconds."""

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import EDMDPMSolverMultistepScheduler, StableAudioPipeline
from torch import Tensor

from generation.models.foreign.family import Sound, Wish, for_model, from_model, generator_of, noise_of


@dataclass(frozen=True)
class StableAudio:
    """Always denoises its whole length, whatever is asked: a short loop costs as much as a long one."""

    pipeline: StableAudioPipeline
    solver: EDMDPMSolverMultistepScheduler
    name: str = "stable-audio-open"
    title: str = "Stable Audio Open"
    can: frozenset[str] = frozenset(
        {"negative_prompt", "guidance", "steps", "key", "variation", "morph", "remix"}
    )
    shortest: float = 10.0

    @property
    def longest(self) -> float:
        pipeline = self.pipeline
        played = (
            pipeline.transformer.config.sample_size
            * pipeline.vae.hop_length
            / pipeline.vae.config.sampling_rate
        )
        return float(min(played, pipeline.projection_model.config.max_value))

    def play(self, wish: Wish) -> Sound:
        request, pipeline = wish.request, self.pipeline
        vae, config = pipeline.vae, pipeline.transformer.config
        generator = generator_of(request)
        prompt, mask = self._encode(wish.described)
        if request.morph_to and request.morph:
            other, other_mask = self._encode(wish.morph_described)
            prompt, mask = torch.lerp(prompt, other, request.morph), torch.maximum(mask, other_mask)
        negative, negative_mask = None, None
        if wish.negative_prompt and request.guidance_scale > 1:
            negative, negative_mask = self._encode(wish.negative_prompt)
        source = {}
        if wish.source is not None:
            source = {
                "initial_audio_waveforms": for_model(
                    wish.source, vae.config.sampling_rate, vae.config.audio_channels
                ),
                "initial_audio_sampling_rate": vae.config.sampling_rate,
            }
        # The pipeline holds its solver's state: each take gets a solver of its own.
        pipeline.scheduler = self._solver_from(1.0 if wish.source is None else request.strength)
        audio = pipeline(
            prompt_embeds=prompt,
            attention_mask=mask,
            negative_prompt_embeds=negative,
            negative_attention_mask=negative_mask,
            audio_end_in_s=min(wish.seconds, self.longest),
            num_inference_steps=request.steps,
            guidance_scale=request.guidance_scale,
            latents=noise_of(request, (1, config.in_channels, config.sample_size), generator),
            generator=generator,
            callback=lambda step, _timestep, _latents: wish.on_step(step + 1, request.steps),
            **source,
        ).audios
        return from_model(audio, vae.config.sampling_rate)

    def _encode(self, text: str) -> tuple[Tensor, Tensor]:
        """T5's states (1, L, width), nothing where there is no word, and the mask (1, L)."""
        tokenizer = self.pipeline.tokenizer
        batch = tokenizer(
            text,
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        states = self.pipeline.text_encoder(batch.input_ids, attention_mask=batch.attention_mask)[0]
        return states * batch.attention_mask[..., None], batch.attention_mask

    def _solver_from(self, strength: float) -> EDMDPMSolverMultistepScheduler:
        """The model's solver, from the share `strength` of the way between its least noise and its most (in dB)."""
        config = self.solver.config
        start = config.sigma_min * (config.sigma_max / config.sigma_min) ** strength
        return EDMDPMSolverMultistepScheduler.from_config(config, sigma_max=start)


def load(folder: Path) -> StableAudio:
    pipeline = StableAudioPipeline.from_pretrained(
        folder,
        use_safetensors=True,
        local_files_only=True,
        low_cpu_mem_usage=False,
        torch_dtype=torch.float32,
    )
    pipeline.set_progress_bar_config(disable=True)
    return StableAudio(pipeline, pipeline.scheduler)
