"""Dance Diffusion (Harmonai, 2022): a U-Net on the waveform itself that was never told any words."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import IPNDMScheduler, UNet1DModel
from diffusers.pipelines.deprecated.dance_diffusion.pipeline_dance_diffusion import DanceDiffusionPipeline

from generation.models.foreign.family import Sound, Wish, for_model, from_model, generator_of, noise_of


@dataclass(frozen=True)
class DanceDiffusion:
    """The prompt is the loop's title only: the model plays what it was trained on."""

    unet: UNet1DModel
    scheduler: IPNDMScheduler
    name: str = "dance-diffusion"
    title: str = "Dance Diffusion"
    can: frozenset[str] = frozenset({"steps", "variation", "remix"})
    longest: float = 30.0

    @property
    def shortest(self) -> float:
        """The length that it was trained on."""
        return float(self.unet.config.sample_size / self.unet.config.sample_rate)

    def play(self, wish: Wish) -> Sound:
        """DanceDiffusionPipeline's loop, which tells nobody of its steps, and starts from noise alone."""
        request, config = wish.request, self.unet.config
        generator = generator_of(request)
        length = math.ceil(wish.seconds * config.sample_rate)
        block = 2 ** len(config.up_block_types)
        padded = math.ceil(length / block) * block
        audio = noise_of(request, (1, config.in_channels, padded), generator)
        scheduler = IPNDMScheduler.from_config(self.scheduler.config)
        scheduler.set_timesteps(request.steps)
        timesteps = scheduler.timesteps
        if wish.source is not None:
            begin = min(round(request.steps * (1 - request.strength)), request.steps - 1)
            timesteps = timesteps[begin:]
            scheduler.set_begin_index(begin)
            heard = for_model(wish.source, config.sample_rate, config.in_channels)
            heard = torch.nn.functional.pad(heard, (0, max(padded - heard.shape[-1], 0)))[..., :padded]
            audio = scheduler.alphas[begin] * heard + scheduler.betas[begin] * audio
        for step, timestep in enumerate(timesteps):
            velocity = self.unet(audio, timestep).sample
            audio = scheduler.step(velocity, timestep, audio).prev_sample
            wish.on_step(step + 1, len(timesteps))
        return from_model(audio.clamp(-1, 1)[..., :length], config.sample_rate)


def load(folder: Path) -> DanceDiffusion:
    pipeline = DanceDiffusionPipeline.from_pretrained(
        folder,
        use_safetensors=True,
        local_files_only=True,
        low_cpu_mem_usage=False,
        torch_dtype=torch.float32,
    )
    return DanceDiffusion(pipeline.unet.eval(), pipeline.scheduler)
