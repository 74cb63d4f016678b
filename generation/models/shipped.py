"""Model folders: what a trained model looks like on disk, how it is written and how it is trusted again.

A folder holds model_index.json, scheduler/ and transformer/ as diffusers writes them, perhaps inverse/ with the
codec's network, and riff.json: the model's name, the codec that its pictures are for, and the SHA-256 of each file of
weights, so that a damaged one is noticed.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import UniPCMultistepScheduler

from generation import origin
from generation.errors import ModelUnavailable
from generation.files import write_whole
from generation.models.pipeline import RiffPipeline, solver
from generation.models.transformer import RiffTransformer
from generation.spectrogram import SpectrogramCodec
from generation.spectrogram.inverse import BandInverse, load_inverse, save_inverse

SHIPPED = origin.SHIPPED
_WEIGHTS = Path("transformer/diffusion_pytorch_model.safetensors")
_INVERSE = Path("inverse/inverse.safetensors")


@dataclass(frozen=True)
class LoadedModel:
    """`model_id` is as in `generation.origin`."""

    pipeline: RiffPipeline
    codec: SpectrogramCodec
    model_id: str


def save_model(
    transformer: RiffTransformer, folder: Path, *, name: str, inverse: BandInverse | None = None
) -> None:
    """Write a model folder, weights in half precision; with `inverse`, the network that the codec decodes with."""
    codec = SpectrogramCodec()
    # Else the config names the folder on this machine that it was read from.
    transformer.register_to_config(_name_or_path=name)
    RiffPipeline(transformer.half(), solver()).save_pretrained(folder)
    files = [_WEIGHTS]
    if inverse is not None:
        (folder / _INVERSE).parent.mkdir(exist_ok=True)
        save_inverse(inverse, folder / _INVERSE, codec.name)
        files.append(_INVERSE)
    digests = {path.as_posix(): _sha256(folder / path) for path in files}
    with write_whole(folder / "riff.json") as file:
        record = {"name": name, "codec": codec.name, "sha256": digests}
        file.write(json.dumps(record, indent=1).encode() + b"\n")


def load_model(folder: Path) -> LoadedModel:
    """Read a model folder in single precision; raises ModelUnavailable with what is wrong with it."""
    codec = SpectrogramCodec()
    try:
        record = json.loads((folder / "riff.json").read_text())
        if record.get("codec") != codec.name or not isinstance(record.get("sha256"), dict):
            raise ModelUnavailable(
                f"The model in {folder} is for another codec or release ({record.get('codec')}): get a newer one."
            )
        digests = {path: _sha256(folder / path) for path in record["sha256"]}
    except FileNotFoundError as error:
        raise ModelUnavailable(
            f"The model's weights are missing ({Path(error.filename).name} is not in {folder}): "
            "reinstall Riffmarket, or point RIFF_MODEL at a model folder."
        ) from None
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"The model in {folder} cannot be read: {error}.") from None
    if digests != record["sha256"]:
        raise ModelUnavailable(
            f"The model's weights in {folder} are damaged: their checksum is wrong. Reinstall them."
        )
    if _INVERSE.as_posix() in digests:
        codec = SpectrogramCodec(inverse=load_inverse(folder / _INVERSE, codec.name))
    transformer = RiffTransformer.from_pretrained(
        folder / "transformer", torch_dtype=torch.float32, low_cpu_mem_usage=False
    ).eval()
    scheduler = UniPCMultistepScheduler.from_pretrained(folder / "scheduler")
    return LoadedModel(
        RiffPipeline(transformer, scheduler), codec, origin.model_id(record["name"], digests.values())
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
