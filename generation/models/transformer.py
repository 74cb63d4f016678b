"""RiffTransformer: what a loop is, given its noisy picture and a prompt.

Notable choices:

- One token is one sixteenth note: the whole 8 x 160 patch of the picture and its stereo cells, projected on the
  `latent_size` first principal components of the training corpus. Linear, so there is no decoder to train or run.
- It predicts the clean picture (Li and He, 2025, "Back to Basics: Let Denoising Generative Models Denoise") as a
  Wiener estimate per component plus a learnt correction (the preconditioning of Karras et al., 2022, for the flow
  x_t = (1 - sigma) x + sigma noise): near the data the estimate alone is right, near the noise the network is.
- Time is a circle of any number of bars: rotary embeddings with whole numbers of turns, half of them per bar and half
  per loop. A metre is the number of sixteenths in a bar and its own table of places within it.
- Text is extra keys and values in each layer; its mean, the noise level, tempo, key and length drive one shared
  adaptive normalisation (Peebles and Xie, 2023).
- The guidance scale is one more condition (Meng et al., 2023, "On Distillation of Guided Diffusion Models"): at 1 it
  changes nothing, and a distilled model gives for scale w what two passes gave before.
"""

import math
from typing import cast

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.loaders import PeftAdapterMixin
from torch import Tensor, nn

from generation.request import METRES

TEXT_SIZE = 384
UNKNOWN_KEY = 24

# The rows of each metre in the table of places within a bar.
_STEPS = {"4/4": slice(0, 16), "3/4": slice(16, 28), "6/8": slice(28, 40)}
assert {metre: steps.stop - steps.start for metre, steps in _STEPS.items()} == METRES


class RiffTransformer(ModelMixin, ConfigMixin, PeftAdapterMixin):  # type: ignore[misc]
    """Predicts clean latents (B, tokens, latent_size) from noisy ones.

    Parameters
    ----------
    patch_size : values of one sixteenth note: frames x bands + stereo cells x 2.
    latent_size : principal components kept of a patch.
    width, depth, heads : of the transformer.
    guided : whether it has learnt what a guidance scale does, so that one pass per step is enough.
    """

    _repeated_blocks = ("Block",)  # what diffusers' compile_repeated_blocks compiles, once for all layers

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        patch_size: int = 1360,
        latent_size: int = 320,
        width: int = 320,
        depth: int = 6,
        heads: int = 5,
        guided: bool = False,  # noqa: ARG002, read from the config
    ) -> None:
        super().__init__()
        self.register_buffer("patch_mean", torch.zeros(patch_size))
        self.register_buffer("patch_scale", torch.ones(()))
        self.register_buffer("basis", torch.eye(patch_size, latent_size))
        self.register_buffer("latent_variance", torch.ones(latent_size))
        self.enter = nn.Linear(latent_size, width)
        self.step_in_bar = nn.Parameter(torch.randn(_STEPS["6/8"].stop, width) * 0.02)
        self.place_in_loop = nn.Linear(8, width, bias=False)
        self.time = nn.Sequential(nn.Linear(128, width), nn.SiLU(), nn.Linear(width, width))
        self.pooled_text = nn.Linear(TEXT_SIZE, width)
        self.tempo = nn.Linear(16, width)
        self.length = nn.Embedding(16, width)
        self.key = nn.Embedding(UNKNOWN_KEY + 1, width)
        self.guidance = nn.Linear(16, width, bias=False)
        self.no_text = nn.Parameter(torch.randn(1, TEXT_SIZE) * 0.4)
        self.no_pooled_text = nn.Parameter(torch.zeros(TEXT_SIZE))
        self.no_tempo = nn.Parameter(torch.zeros(16))
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))
        self.blocks = nn.ModuleList([Block(width, heads, depth) for _ in range(depth)])
        self.last_modulation = nn.Linear(width, 2 * width)
        self.leave = nn.Linear(width, latent_size)
        for layer in (self.modulation[1], self.last_modulation, self.leave):
            nn.init.zeros_(cast(Tensor, layer.weight))
            nn.init.zeros_(cast(Tensor, layer.bias))
        for table in (self.key, self.length, self.guidance):
            nn.init.zeros_(table.weight)

    def to_latents(self, patches: Tensor) -> Tensor:
        """(B, tokens, patch_size) in [-1, 1] to (B, tokens, latent_size), whose mean variance is near 1."""
        return cast(Tensor, (patches - self.patch_mean) / self.patch_scale @ self.basis)

    def to_patches(self, latents: Tensor) -> Tensor:
        """The inverse of `to_latents`, up to what the kept components leave out."""
        return cast(Tensor, latents @ self.basis.T * self.patch_scale + self.patch_mean)

    def forward(
        self,
        noisy: Tensor,
        sigma: Tensor,
        text: Tensor,
        text_weight: Tensor,
        pooled_text: Tensor,
        bpm: Tensor,
        key: Tensor,
        metre: str = "4/4",
        guidance: Tensor | None = None,
    ) -> Tensor:
        """Clean latents.

        Parameters
        ----------
        noisy : (B, tokens, latent_size), (1 - sigma) x + sigma noise; a token per sixteenth note, whole bars.
        sigma : (B,) noise level, 1 is pure noise.
        text, text_weight, pooled_text : (B, L, 384), (B, L), (B, 384) as in `EncodedText`.
        bpm : (B,), NaN where unknown.
        key : (B,) tonic * 2 + minor, 24 where unknown.
        metre : of the whole batch.
        guidance : (B,) guidance scale, 1 where None.
        """
        tokens, bar = noisy.shape[1], METRES[metre]
        clean = (1 - sigma)[:, None, None]
        spread = clean.square() * self.latent_variance + sigma[:, None, None].square()
        hidden = self.enter(noisy / spread.sqrt())
        hidden = hidden + self.step_in_bar[_STEPS[metre]].repeat(tokens // bar, 1) + self._place(tokens)
        condition = self._condition(sigma, pooled_text, bpm, key, tokens // bar)[:, None]
        if guidance is not None:
            condition = condition + self._guidance(guidance)[:, None]
        modulation = self.modulation(condition)
        heard = torch.cat([text_weight.new_ones(len(noisy), tokens), text_weight], 1)
        bias = heard.log()[:, None, None]
        turns = _turns(tokens, bar, hidden.shape[-1] // self.config.heads, hidden.device)
        for block in self.blocks:
            hidden = block(hidden, modulation, text, bias, turns)
        shift, scale = self.last_modulation(F.silu(condition)).chunk(2, -1)
        correction = self.leave(_rms(hidden) * (1 + scale) + shift)
        posterior = (self.latent_variance / spread).sqrt() * sigma[:, None, None]
        return cast(Tensor, clean * self.latent_variance / spread * noisy + posterior * correction)

    def _place(self, tokens: int) -> Tensor:
        angle = 2 * math.pi * torch.arange(tokens, device=self.step_in_bar.device) / tokens
        turns = angle[:, None] * torch.tensor([1.0, 2.0, 4.0, 8.0], device=angle.device)
        return cast(Tensor, self.place_in_loop(torch.cat([turns.cos(), turns.sin()], -1)))

    def _condition(self, sigma: Tensor, pooled_text: Tensor, bpm: Tensor, key: Tensor, bars: int) -> Tensor:
        rates = torch.exp(-math.log(1e4) * torch.arange(64, device=sigma.device) / 64)
        angle = (1 - sigma)[:, None] * 1000 * rates
        tempo = torch.log2(torch.nan_to_num(bpm, 100.0) / 100)[:, None]
        tempo = tempo * torch.arange(1, 9, device=sigma.device) * 1.2
        tempo = torch.where(bpm.isnan()[:, None], self.no_tempo, torch.cat([tempo.sin(), tempo.cos()], -1))
        condition = self.time(torch.cat([angle.cos(), angle.sin()], -1))
        condition = condition + self.pooled_text(pooled_text * 8) + self.tempo(tempo) + self.key(key)
        return cast(Tensor, condition + self.length.weight[bars - 1])

    def _guidance(self, scale: Tensor) -> Tensor:
        angle = scale.log()[:, None] * torch.arange(1, 9, device=scale.device) * 0.6
        return cast(Tensor, self.guidance(torch.cat([angle.sin(), angle.cos() - 1], -1)))


class Block(nn.Module):
    """Attention over the loop and the text, then a gated feed-forward (SwiGLU), both adaptively normalised."""

    def __init__(self, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.heads, self.hidden = heads, width * 8 // 3 // 32 * 32
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.text_key_value = nn.Linear(TEXT_SIZE, 2 * width, bias=False)
        self.attended = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, 2 * self.hidden, bias=False)
        self.down = nn.Linear(self.hidden, width, bias=False)
        self.modulation = nn.Parameter(torch.zeros(6, width))
        with torch.no_grad():
            self.modulation[2] = self.modulation[5] = 0.5
        for layer in (self.attended, self.down):
            nn.init.normal_(layer.weight, std=0.02 / math.sqrt(2 * depth))

    def forward(
        self, hidden: Tensor, modulation: Tensor, text: Tensor, bias: Tensor, turns: tuple[Tensor, Tensor]
    ) -> Tensor:
        """(B, tokens, width) to the same; `modulation` is (B, 1, 6 * width), `bias` (B, 1, 1, tokens + L)."""
        batch, tokens, width = hidden.shape
        shift, scale, gate, shift_up, scale_up, gate_up = (modulation + self.modulation.flatten()).chunk(
            6, -1
        )
        inner = _rms(hidden) * (1 + scale) + shift
        query, key, value = (
            self.query_key_value(inner)
            .view(batch, tokens, 3, self.heads, -1)
            .permute(2, 0, 3, 1, 4)
            .unbind(0)
        )
        text_key, text_value = (
            self.text_key_value(text)
            .view(batch, -1, 2, self.heads, width // self.heads)
            .permute(2, 0, 3, 1, 4)
        ).unbind(0)
        key = torch.cat([_rotate(_rms(key), turns), _rms(text_key)], 2)
        value = torch.cat([value, text_value], 2)
        attended = F.scaled_dot_product_attention(
            _rotate(_rms(query), turns), key, value, attn_mask=bias.to(value.dtype)
        )
        hidden = hidden + gate * self.attended(attended.transpose(1, 2).reshape(batch, tokens, width))
        gated, up = self.up(_rms(hidden) * (1 + scale_up) + shift_up).chunk(2, -1)
        return cast(Tensor, hidden + gate_up * self.down(F.silu(gated) * up))


def _turns(tokens: int, bar: int, head_size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines (tokens, head_size / 2) of rotary embeddings that close over the loop (Su et al., 2021).

    A quarter of the pairs turn 1, 2, 3 ... times per bar, a quarter per loop, the rest stand still.
    """
    quarter = head_size // 8
    place = torch.arange(tokens, device=device)[:, None]
    turns = torch.arange(1, quarter + 1, device=device)
    angle = torch.cat([place * turns / bar, place * turns / tokens], 1) * 2 * math.pi
    angle = F.pad(angle, (0, head_size // 2 - 2 * quarter))
    return angle.cos(), angle.sin()


def _rotate(vectors: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    cosine, sine = (turn.to(vectors.dtype) for turn in turns)
    first, second = vectors.chunk(2, -1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], -1)


def _rms(values: Tensor) -> Tensor:
    return F.rms_norm(values, (values.shape[-1],))
