"""Model folders: what a trained model looks like on disk, how it is written and how it is trusted again.

A folder holds model_index.json, scheduler/ and transformer/ as diffusers writes them, and riff.json: the model's
name, the codec that its pictures are for, and the SHA-256 of its weights, so that a damaged file is noticed.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import UniPCMultistepScheduler

from generation.errors import ModelUnavailable
from generation.files import write_whole
from generation.models.pipeline import RiffPipeline, solver
from generation.models.transformer import RiffTransformer
from generation.spectrogram import SpectrogramCodec

SHIPPED = Path(__file__).parent / "weights"
_WEIGHTS = Path("transformer/diffusion_pytorch_model.safetensors")


@dataclass(frozen=True)
class LoadedModel:
    """`model_id` is its name and the first 12 digits of its weights' SHA-256."""

    pipeline: RiffPipeline
    codec: SpectrogramCodec
    model_id: str


def save_model(transformer: RiffTransformer, folder: Path, *, name: str) -> None:
    """Write a model folder, weights in half precision."""
    transformer.register_to_config(
        _name_or_path=name
    )  # else the folder on this machine that it was read from
    RiffPipeline(transformer.half(), solver()).save_pretrained(folder)
    record = {"name": name, "codec": SpectrogramCodec().name, "sha256": _sha256(folder / _WEIGHTS)}
    with write_whole(folder / "riff.json") as file:
        file.write(json.dumps(record, indent=1).encode() + b"\n")


def load_model(folder: Path) -> LoadedModel:
    """Read a model folder in single precision; raises ModelUnavailable with what is wrong with it."""
    try:
        record = json.loads((folder / "riff.json").read_text())
        digest = _sha256(folder / _WEIGHTS)
    except FileNotFoundError as error:
        raise ModelUnavailable(
            f"The model's weights are missing ({Path(error.filename).name} is not in {folder}): "
            "reinstall Riffmarket, or point RIFF_MODEL at a model folder."
        ) from None
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"The model in {folder} cannot be read: {error}.") from None
    codec = SpectrogramCodec()
    if digest != record.get("sha256"):
        raise ModelUnavailable(
            f"The model's weights in {folder} are damaged: their checksum is wrong. Reinstall them."
        )
    if record.get("codec") != codec.name:
        raise ModelUnavailable(
            f"The model in {folder} is for another codec ({record.get('codec')}): get a newer one."
        )
    transformer = RiffTransformer.from_pretrained(
        folder / "transformer", torch_dtype=torch.float32, low_cpu_mem_usage=False
    ).eval()
    scheduler = UniPCMultistepScheduler.from_pretrained(folder / "scheduler")
    return LoadedModel(RiffPipeline(transformer, scheduler), codec, f"{record['name']}@{digest[:12]}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
