"""What RiffTransformer needs of diffusers, where diffusers is not installed: the same folders, none of the rest.

`generation.training.gpu.machine` puts this module in the place of `diffusers` there.
"""

import functools
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file, save_file
from torch import nn

_WEIGHTS = "diffusion_pytorch_model.safetensors"


class Config(dict[str, Any]):
    """A model's settings, as entries and as attributes."""

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(name)


class ConfigMixin:
    """Keeps what a model was made with."""

    config: Config

    def register_to_config(self, **values: Any) -> None:
        """Settings that join or replace the ones there are."""
        self.config = Config(getattr(self, "config", {}), **values)


class PeftAdapterMixin:
    """Adapters are neither learnt nor loaded there."""


class ModelMixin(nn.Module):
    """Reads and writes a folder of config.json and weights as diffusers does."""

    config: Config
    _repeated_blocks: tuple[str, ...] = ()

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        *,
        torch_dtype: torch.dtype,
        low_cpu_mem_usage: bool = False,  # noqa: ARG003, weights are always read at once here
    ) -> Self:
        """The model that a folder holds."""
        stored = json.loads((Path(folder) / "config.json").read_text())
        model = cls(**{name: value for name, value in stored.items() if not name.startswith("_")})
        model.load_state_dict(load_file(Path(folder) / _WEIGHTS))
        return model.to(torch_dtype).eval()

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the folder that `from_pretrained` reads, here and in diffusers."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        save_file(weights, folder / _WEIGHTS, metadata={"format": "pt"})
        config = {"_class_name": type(self).__name__, **self.config}
        (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")

    def compile_repeated_blocks(self, **options: Any) -> None:
        """torch.compile for each layer of the kinds that `_repeated_blocks` names."""
        for module in self.modules():
            if type(module).__name__ in self._repeated_blocks:
                module.compile(**options)


def register_to_config(init: Callable[..., None]) -> Callable[..., None]:
    """Decorates `__init__`: what it is called with, and its defaults, become the model's config."""
    signature = inspect.signature(init)

    @functools.wraps(init)
    def registered(self: Any, *args: Any, **values: Any) -> None:
        bound = signature.bind(self, *args, **values)
        bound.apply_defaults()
        init(self, *args, **values)
        self.register_to_config(**dict(list(bound.arguments.items())[1:]))

    return registered
