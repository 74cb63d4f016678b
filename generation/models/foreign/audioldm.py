"""AudioLDM, AudioLDM2 and MusicLDM (2023): latent diffusion of mel spectrograms and a vocoder, 16 kHz mono."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AudioLDM2Pipeline
from diffusers.pipelines.deprecated.audioldm.pipeline_audioldm import AudioLDMPipeline
from diffusers.pipelines.deprecated.musicldm.pipeline_musicldm import MusicLDMPipeline
from torch import Tensor
from transformers import GPT2LMHeadModel, GPT2Model, VitsModel

from generation.models.foreign.family import Sound, Wish, from_model, generator_of, noise_of


@dataclass(frozen=True)
class AudioLDM:
    """One of the three; `texts` are the pipeline's arguments for a prompt and what to keep away from."""

    pipeline: AudioLDMPipeline | AudioLDM2Pipeline | MusicLDMPipeline
    name: str
    title: str
    texts: Callable[[str, str | None], dict[str, Any]]
    can: frozenset[str] = frozenset({"negative_prompt", "guidance", "steps", "key", "variation"})
    shortest: float = 5.0
    longest: float = 30.0

    def play(self, wish: Wish) -> Sound:
        request, pipeline = wish.request, self.pipeline
        generator = generator_of(request)
        vocoder, factor = pipeline.vocoder.config, pipeline.vae_scale_factor
        frames = math.ceil(wish.seconds * vocoder.sampling_rate / math.prod(vocoder.upsample_rates) / factor)
        shape = (1, pipeline.unet.config.in_channels, frames, vocoder.model_in_dim // factor)
        audio = pipeline(
            audio_length_in_s=frames * factor * math.prod(vocoder.upsample_rates) / vocoder.sampling_rate,
            num_inference_steps=request.steps,
            guidance_scale=request.guidance_scale,
            latents=noise_of(request, shape, generator),
            generator=generator,
            callback=lambda step, _timestep, _latents: wish.on_step(step + 1, request.steps),
            output_type="pt",
            **self.texts(wish.described, wish.negative_prompt),
        ).audios
        return from_model(audio, vocoder.sampling_rate)


def load(folder: Path) -> AudioLDM:
    pipeline = _loaded(AudioLDMPipeline, folder)
    return AudioLDM(pipeline, "audioldm", "AudioLDM", _as_words)


def load_2(folder: Path) -> AudioLDM:
    pipeline = _loaded(AudioLDM2Pipeline, folder)
    if isinstance(pipeline.text_encoder_2, VitsModel):
        raise ValueError("it speaks, and plays no music")
    language_model = pipeline.language_model
    if isinstance(language_model, GPT2Model):
        # Older folders name a class that has lost what the pipeline asks of it; what it hears is the same.
        generating = GPT2LMHeadModel(language_model.config)
        generating.transformer = language_model
        pipeline.register_modules(language_model=generating.eval())
    return AudioLDM(pipeline, "audioldm2", "AudioLDM2", _as_words)


def load_music(folder: Path) -> AudioLDM:
    """MusicLDM is given its texts encoded: its pipeline expects of CLAP what transformers gave before version 5."""
    pipeline = _loaded(MusicLDMPipeline, folder)

    def encode(text: str) -> Tensor:
        tokenizer = pipeline.tokenizer
        batch = tokenizer(
            text,
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        features: Tensor = pipeline.text_encoder.get_text_features(**batch).pooler_output
        return features

    def texts(prompt: str, negative: str | None) -> dict[str, Any]:
        return {"prompt_embeds": encode(prompt), "negative_prompt_embeds": encode(negative or "")}

    return AudioLDM(pipeline, "musicldm", "MusicLDM", texts)


def _as_words(prompt: str, negative: str | None) -> dict[str, Any]:
    return {"prompt": prompt, "negative_prompt": negative}


def _loaded(pipeline_class: Any, folder: Path) -> Any:
    pipeline = pipeline_class.from_pretrained(
        folder,
        use_safetensors=True,
        local_files_only=True,
        low_cpu_mem_usage=False,
        torch_dtype=torch.float32,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
