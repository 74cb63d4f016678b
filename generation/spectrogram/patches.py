"""Between the 8-bit picture and the model's patches: one row of values in [-1, 1] per sixteenth note."""

import numpy as np
import torch
from torch import Tensor

from generation.spectrogram.codec import Spectrogram, SpectrogramCodec


def to_patches(spectrogram: Spectrogram) -> Tensor:
    """(sixteenths, frames * bands + stereo cells * 2) float32."""
    cells = len(spectrogram.stereo)
    values = np.concatenate(
        [spectrogram.level.reshape(cells, -1), spectrogram.stereo.reshape(cells, -1)],
        axis=1,
        dtype=np.float32,
    )
    return torch.from_numpy(values / 127.5 - 1)


def to_spectrogram(patches: Tensor, codec: SpectrogramCodec) -> Spectrogram:
    """The inverse of `to_patches`, rounded to 8 bits."""
    values = torch.round((patches.float().clamp(-1, 1) + 1) * 127.5).to(torch.uint8).cpu().numpy()
    split = codec.frames_per_sixteenth * codec.bands
    level = values[:, :split].reshape(-1, codec.bands)
    return Spectrogram(level, values[:, split:].reshape(len(values), codec.stereo_bands, 2))
