"""What training asks of a RiffTransformer: to see the clean picture in a noisy one, with and without its text."""

import torch
from torch import Tensor

from generation.models.transformer import RiffTransformer
from generation.training.dataset import Conditions


def add_noise(clean: Tensor, noise_mean: float, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """Latents (B, tokens, latent_size) and the noise levels (B,) that they are at now, sigmoid(N(noise_mean, 1))."""
    sigma = torch.randn(len(clean), generator=chance, device=clean.device)
    sigma = torch.sigmoid(sigma + noise_mean)
    noise = torch.randn(clean.shape, generator=chance, device=clean.device)
    return torch.lerp(clean, noise, sigma[:, None, None]), sigma


def predict(
    model: RiffTransformer, noisy: Tensor, sigma: Tensor, told: Conditions, scale: Tensor | None = None
) -> Tensor:
    """The model's clean latents, at a guidance scale (B,) where it knows guidance."""
    predicted: Tensor = model(
        noisy, sigma, told.text, told.text_weight, told.pooled_text, told.bpm, told.key, told.metre, scale
    )
    return predicted


def flow_loss(predicted: Tensor, target: Tensor, sigma: Tensor) -> Tensor:
    """Mean squared error of clean latents, weighted by noise level as errors of the flow's velocity are, up to 10."""
    error = (predicted.float() - target).square().mean((1, 2))
    return (error / sigma.square().clamp_min(0.1)).mean()


@torch.no_grad()
def guided(teacher: RiffTransformer, noisy: Tensor, sigma: Tensor, told: Conditions, scale: Tensor) -> Tensor:
    """What the teacher says under classifier-free guidance: two passes."""
    everywhere = torch.ones(len(noisy), dtype=torch.bool, device=noisy.device)
    free = predict(teacher, noisy, sigma, without_text(teacher, told, everywhere)).float()
    held = predict(teacher, noisy, sigma, told).float()
    return free + scale[:, None, None] * (held - free)


def without_text(model: RiffTransformer, told: Conditions, rows: Tensor) -> Conditions:
    """The conditions with the model's own "no text" in the given rows, (B,) bool."""
    first = torch.zeros_like(told.text_weight[0])
    first[0] = 1
    return Conditions(
        torch.where(rows[:, None, None], model.no_text, told.text),
        torch.where(rows[:, None], first, told.text_weight),
        torch.where(rows[:, None], model.no_pooled_text, told.pooled_text),
        told.bpm,
        told.key,
        told.metre,
    )
