"""What the picture leaves out: a small network from band levels to STFT magnitudes.

A band says how loud a stretch of frequencies is, not where in it the partials lie, nor what goes on above the highest
band. Both can be guessed from the pattern of all bands around a moment. The network is a ConvNeXt over frames, as in
Vocos (Siuzdak, 2023, "Vocos: Closing the gap between time-domain and Fourier-based neural vocoders"), whose
convolutions wrap round the loop; it predicts a correction to the interpolated band levels.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F

from generation.errors import ModelUnavailable
from generation.files import write_whole

# The hop at 120 bpm, and what a correction of 1 of the network's own units is in dB.
_USUAL_HOP, _UNIT_DB = 689, 13.0


class BandInverse(nn.Module):
    """The network: `bands` levels per frame to the powers of `bins` STFT bins."""

    def __init__(
        self, bands: int, bins: int, width: int = 256, depth: int = 3, kernel: int = 7, expansion: int = 3
    ) -> None:
        super().__init__()
        self.settings = {
            "bands": bands,
            "bins": bins,
            "width": width,
            "depth": depth,
            "kernel": kernel,
            "expansion": expansion,
        }
        self.read = nn.Linear(3 * bands + 2, width)
        self.blocks = nn.ModuleList(_Block(width, kernel, expansion) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.write = nn.Linear(width, bins)
        nn.init.zeros_(self.write.weight)
        nn.init.zeros_(self.write.bias)

    def forward(self, level: Tensor, hop: float) -> Tensor:
        """(batch, frames, bands) levels in 0..1 and the hop in samples to (batch, frames, bins) corrections in dB."""
        centred = 3 * (level - 0.5)
        tempo = math.log2(hop / _USUAL_HOP)
        condition = level.new_tensor([tempo, tempo * tempo]).expand(*level.shape[:2], 2)
        hidden = self.read(torch.cat([centred.roll(1, 1), centred, centred.roll(-1, 1), condition], -1))
        for block in self.blocks:
            hidden = block(hidden)
        correction: Tensor = _UNIT_DB * self.write(self.norm(hidden))
        return correction


class _Block(nn.Module):
    def __init__(self, width: int, kernel: int, expansion: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, kernel, groups=width)
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, expansion * width)
        self.shrink = nn.Linear(expansion * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.1))

    def forward(self, hidden: Tensor) -> Tensor:
        reach = self.depthwise.kernel_size[0] // 2
        around = torch.cat([hidden[:, -reach:], hidden, hidden[:, :reach]], 1)
        mixed = self.depthwise(around.transpose(1, 2)).transpose(1, 2)
        update: Tensor = self.shrink(F.gelu(self.expand(self.norm(mixed)), approximate="tanh"))
        return hidden + self.scale * update


def save_inverse(inverse: BandInverse, path: Path, codec: str) -> None:
    """Write the network in half precision as one safetensors file that names the codec it was trained for."""
    metadata = {"settings": json.dumps(inverse.settings), "codec": codec}
    weights = {name: weight.half().contiguous() for name, weight in inverse.state_dict().items()}
    with write_whole(path) as file:
        file.write(save(weights, metadata))


def load_inverse(path: Path, codec: str) -> BandInverse:
    """Read the network in single precision; raises ModelUnavailable if it cannot be read or is for another codec."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata: Mapping[str, str] = file.metadata() or {}
            weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        inverse = BandInverse(**json.loads(metadata["settings"]))
        inverse.load_state_dict(weights)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelUnavailable(
            f"The codec's network in {path} cannot be read: {error}. Reinstall it."
        ) from None
    if metadata.get("codec") != codec:
        raise ModelUnavailable(f"The network in {path} is for another codec ({metadata.get('codec')}).")
    return inverse.eval()
