"""Model folders as the hub keeps them: which family they are, whether they can be trusted, and how they are loaded.

Weights are read from safetensors only, and no code comes with a model: a folder that has only pickles, or that names
classes from elsewhere than diffusers and transformers, is refused.
"""

import hashlib
import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers.utils.logging
import transformers.utils.logging
from huggingface_hub import snapshot_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError
from safetensors import SafetensorError, safe_open

from generation.errors import ModelUnavailable
from generation.models.foreign import (
    ace_step,
    audioldm,
    dance_diffusion,
    musicgen,
    riffusion,
    stable_audio,
    stable_audio_3,
)
from generation.models.foreign.engine import ForeignEngine
from generation.models.foreign.family import Family

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# By what model_index.json calls the pipeline, and config.json the model.
_PIPELINES: dict[str, Callable[[Path], Family]] = {
    "StableDiffusionPipeline": riffusion.load,
    "RiffusionPipeline": riffusion.load,
    "DanceDiffusionPipeline": dance_diffusion.load,
    "StableAudioPipeline": stable_audio.load,
    "StableAudio3Pipeline": stable_audio_3.load,
    "StableAudio3AudioToAudioPipeline": stable_audio_3.load,
    "StableAudio3InpaintPipeline": stable_audio_3.load,
    "AceStepPipeline": ace_step.load,
    "AudioLDM2Pipeline": audioldm.load_2,
    "MusicLDMPipeline": audioldm.load_music,
    "AudioLDMPipeline": audioldm.load,
}
_MODELS: dict[str, Callable[[Path], Family]] = {"musicgen": musicgen.load}
_FAMILIES = (
    "Riffusion, Dance Diffusion, Stable Audio Open, Stable Audio 3, ACE-Step, AudioLDM, AudioLDM2, MusicLDM "
    "and MusicGen"
)
_LIBRARIES = {
    "diffusers", "transformers", "stable_diffusion", "stable_audio", "stable_audio_3", "ace_step", "audioldm2",
}  # fmt: skip
# A checker of pictures has no say in sounds, and is not loaded.
_LEFT_OUT = ("safety_checker", "feature_extractor")
_NOT_FETCHED = ["*.fp16.*", "*non_ema*", "safety_checker/*"]
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def load_foreign(model: str | Path) -> ForeignEngine:
    """Load a folder in diffusers' or transformers' layout, or a model of the hub by its id ("owner/name").

    Raises ModelUnavailable with what is wrong with it in one sentence.
    """
    _quieten()
    folder = Path(model)
    if not folder.is_dir() and _HUB_ID.fullmatch(str(model)):
        folder = _fetched(str(model))
    if not folder.is_dir():
        raise ModelUnavailable(
            f"The model's weights are missing (there is no folder {folder}): point RIFF_MODEL or --model at a "
            "model's folder."
        )
    load, components = _recognised(folder)
    digest = _digest(folder, components)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            family = load(folder)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise ModelUnavailable(
            f"The model in {folder} cannot be loaded ({_first_sentence(error)}): get it again, whole."
        ) from error
    return ForeignEngine(family, digest)


def _recognised(folder: Path) -> tuple[Callable[[Path], Family], list[str]]:
    """How to load a folder, and the names of its folders of weights ("" for the folder itself)."""
    index = _json(folder / "model_index.json")
    if index is not None:
        name = index.get("_class_name")
        name = name[-1] if isinstance(name, list) else name
        components = {
            part: value
            for part, value in index.items()
            if isinstance(value, list) and len(value) == 2 and value[0] is not None and part not in _LEFT_OUT
        }
        foreign = {value[0] for value in components.values()} - _LIBRARIES
        if foreign:
            raise ModelUnavailable(
                f"The model in {folder} wants to run code of its own ({', '.join(sorted(map(str, foreign)))}), "
                "which Riffmarket does not."
            )
        missing = sorted(part for part in components if not (folder / part).is_dir())
        if name in _PIPELINES and missing:
            raise ModelUnavailable(f"The model in {folder} is not whole: {', '.join(missing)} is missing.")
        if name in _PIPELINES:
            return _PIPELINES[name], list(components)
    else:
        config = _json(folder / "config.json")
        if config is None:
            raise ModelUnavailable(
                f"There is no model in {folder}: it has neither riff.json, model_index.json nor config.json."
            )
        name = config.get("model_type")
        if name in _MODELS:
            return _MODELS[name], [""]
    raise ModelUnavailable(f"{name} in {folder} is not a model that can play here: {_FAMILIES} are.")


def _json(path: Path) -> dict[str, Any] | None:
    """A JSON object, None where the file is missing."""
    try:
        record = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"{path.name} in {path.parent} cannot be read: {error}.") from None
    if not isinstance(record, dict):
        raise ModelUnavailable(f"{path.name} in {path.parent} is not what a model's is.")
    return record


def _digest(folder: Path, components: list[str]) -> str:
    """SHA-256 over the SHA-256 of each file of weights, by name."""
    files = sorted(path for part in components for path in (folder / part).glob("*.safetensors"))
    pickled = [
        path.parent.name
        for part in components
        for path in (folder / part).iterdir()
        if path.suffix in _PICKLES and not any((folder / part).glob("*.safetensors"))
    ]
    if pickled:
        raise ModelUnavailable(
            f"The model in {folder} keeps weights as pickles ({', '.join(sorted(set(pickled)))}), which can run "
            "code: get it as safetensors."
        )
    if not files:
        raise ModelUnavailable(f"The model in {folder} has no weights: there is no safetensors file.")
    together = hashlib.sha256()
    for path in files:
        try:
            with safe_open(path, "pt"):
                pass
            with path.open("rb") as file:
                together.update(hashlib.file_digest(file, "sha256").digest())
        except (OSError, SafetensorError) as error:
            raise ModelUnavailable(
                f"The model's weights in {folder} are damaged ({path.relative_to(folder)}: "
                f"{_first_sentence(error)}): get them again."
            ) from None
    return together.hexdigest()


def _fetched(hub_id: str) -> Path:
    """The folder of a model of the hub, from the cache or from the network: no more of it than is loaded."""
    try:
        folder = Path(snapshot_download(hub_id, allow_patterns=["*.json"]))
        depth = "*/" if (folder / "model_index.json").is_file() else ""
        wanted = ["*.json", *(f"{depth}*.{ending}" for ending in ("safetensors", "txt", "model"))]
        return Path(snapshot_download(hub_id, allow_patterns=wanted, ignore_patterns=_NOT_FETCHED))
    except GatedRepoError:
        raise ModelUnavailable(
            f"{hub_id} is given to people who accept its licence: do so at huggingface.co, and log in here."
        ) from None
    except RepositoryNotFoundError:
        raise ModelUnavailable(f"{hub_id} is neither a folder here nor a model of the hub.") from None
    except (HfHubHTTPError, OSError, ValueError, RuntimeError) as error:
        raise ModelUnavailable(
            f"{hub_id} is no folder here and could not be fetched from the hub ({_first_sentence(error)})."
        ) from None


def _quieten() -> None:
    """No progress bars and no warnings of diffusers' and transformers' among our own output."""
    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.set_verbosity_error()
        library.disable_progress_bar()


def _first_sentence(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".: ")[:160]
