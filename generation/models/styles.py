"""Styles: LoRA adapters (Hu et al., 2021) of a RiffTransformer on a shelf of folders, put on for one riff at a time.

A style is a folder of its name: `pytorch_lora_weights.safetensors` as diffusers writes it, and `style.json`, written
last, which tells what the weights were learnt from and for, and their SHA-256.
"""

import hashlib
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from diffusers.loaders.lora_base import LORA_ADAPTER_METADATA_KEY
from diffusers.utils import logging
from safetensors import safe_open
from safetensors.torch import save

from generation.errors import RiffError
from generation.files import write_whole
from generation.models.transformer import RiffTransformer
from generation.prompt import STYLE_NAME

WEIGHTS = "pytorch_lora_weights.safetensors"
RECORD = "style.json"
LICENCE = "Learnt from audio that its owner brought; it is theirs, and theirs to answer for."


class UnknownStyle(RiffError):
    """A prompt names a style that is not on the shelf."""


class StyleUnavailable(RiffError):
    """A style is damaged, or belongs to another model."""


@dataclass(frozen=True, slots=True)
class Style:
    """What is known of a style: `model` is the id of the model that it was learnt on, `loops` how many it learnt from.

    `captions` are those of the loops, each once; `sha256` is of the file of weights.
    """

    name: str
    model: str
    rank: int
    loops: int
    captions: tuple[str, ...]
    steps: int
    sha256: str
    licence: str = LICENCE

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Self:
        return cls(**{**record, "captions": tuple(record["captions"])})


class StyleShelf:
    """The styles in a folder, which need not be there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """The names of the finished styles, in order."""
        return sorted(
            path.parent.name
            for path in self.folder.glob(f"*/{RECORD}")
            if STYLE_NAME.fullmatch(path.parent.name)
        )

    def find(self, name: str) -> Style:
        """A style by its name. Raises UnknownStyle with the names there are, StyleUnavailable for a damaged one."""
        if name not in self.names():
            raise UnknownStyle(f"There is no style “{name[:40]}”: {_listed(self.names())}.")
        try:
            style = Style.from_dict(json.loads((self.folder / name / RECORD).read_text()))
            intact = style.sha256 == _sha256(self.folder / name / WEIGHTS) and style.name == name
        except (OSError, ValueError, TypeError, KeyError):
            intact = False
        if not intact:
            raise StyleUnavailable(
                f"The style “{name}” is damaged: its files are not those that were learnt. Learn it again."
            )
        return style

    def save(self, transformer: RiffTransformer, adapter: str, style: Style) -> Style:
        """Put an adapter of a transformer on the shelf under the style's name; gives the style with its SHA-256."""
        folder = self.folder / style.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECORD).unlink(missing_ok=True)
        with write_whole(folder / WEIGHTS) as file:
            file.write(_weights(transformer, adapter))
        saved = Style.from_dict({**asdict(style), "sha256": _sha256(folder / WEIGHTS)})
        with write_whole(folder / RECORD) as file:
            file.write(json.dumps(asdict(saved), indent=1, ensure_ascii=False).encode() + b"\n")
        return saved

    @contextmanager
    def worn(
        self, transformer: RiffTransformer, styles: tuple[tuple[str, float], ...], model_id: str
    ) -> Iterator[dict[str, str]]:
        """A transformer with some styles on, each by its weight; gives the SHA-256 of each by its name.

        `model_id` is the transformer's. When the block ends, however it does, the transformer is as plain as before, to
        the bit. Raises UnknownStyle and StyleUnavailable, with nothing put on.
        """
        weights: dict[str, float] = {}
        for name, weight in styles:
            weights[name] = weights.get(name, 0.0) + weight
        found = [self.find(name) for name in weights]
        for style in found:
            if style.model != model_id:
                raise StyleUnavailable(
                    f"The style “{style.name}” was learnt on {style.model}, and this is {model_id}: learn it again."
                )
        heard = [style for style in found if weights[style.name]]
        try:
            for style in heard:
                self._put_on(transformer, style)
            if heard:
                transformer.set_adapters(
                    [style.name for style in heard], [weights[style.name] for style in heard]
                )
            yield {style.name: style.sha256 for style in found}
        finally:
            if heard:
                transformer.unload_lora()

    def _put_on(self, transformer: RiffTransformer, style: Style) -> None:
        try:
            with _quiet():
                transformer.load_lora_adapter(
                    self.folder / style.name,
                    prefix=None,
                    weight_name=WEIGHTS,
                    adapter_name=style.name,
                    use_safetensors=True,
                    local_files_only=True,
                )
        except Exception as error:
            raise StyleUnavailable(
                f"The style “{style.name}” cannot be used with this model ({type(error).__name__}): learn it again."
            ) from error


def _weights(transformer: RiffTransformer, adapter: str) -> bytes:
    """The file that diffusers makes of an adapter, without what its bytes owe to chance: the order of sets and maps."""
    config = transformer.peft_config[adapter]
    config.target_modules = sorted(config.target_modules)
    with TemporaryDirectory() as place, _quiet():
        transformer.save_lora_adapter(place, adapter, weight_name=WEIGHTS)
        with safe_open(Path(place) / WEIGHTS, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
            settings = file.metadata()[LORA_ADAPTER_METADATA_KEY]
    return save(tensors, {LORA_ADAPTER_METADATA_KEY: settings})


@contextmanager
def _quiet() -> Iterator[None]:
    """What PEFT and diffusers remark on is meant, and what goes wrong is said once, in our own words."""
    usual = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        logging.set_verbosity(usual)


def _listed(names: list[str]) -> str:
    if not names:
        return "none has been learnt yet; riff finetune learns one"
    if len(names) == 1:
        return f"there is {names[0]}"
    return f"there are {', '.join(names[:-1])} and {names[-1]}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
