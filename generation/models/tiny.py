"""A tiny, randomly initialised model in the shipped one's format: the real code at a thousandth of the work.

For tests, and for trying out a machine: what it plays is noise in time.
"""

from pathlib import Path

import torch

from generation.models.shipped import save_model
from generation.models.transformer import RiffTransformer


def save(folder: Path) -> Path:
    """Write the tiny model to `folder`, ready for Engine.load; always the same bytes."""
    torch.manual_seed(20_261_122)
    transformer = RiffTransformer(latent_size=16, width=32, depth=1, heads=2)
    with torch.no_grad():
        transformer.basis.copy_(torch.linalg.qr(torch.randn(transformer.config.patch_size, 16))[0])
        transformer.patch_scale.fill_(3.0)
        torch.nn.init.normal_(transformer.leave.weight, std=0.2)
    save_model(transformer, folder, name="tiny")
    return folder
