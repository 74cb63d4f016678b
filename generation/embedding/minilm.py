"""all-MiniLM-L6-v2 in NumPy: what `generation.models.text` computes with torch, for processes that have none.

BERT (Devlin et al., 2019), six layers of 384. The weights are mapped from the installed package's file, so that all
processes of a machine share them; a sentence reads its own rows of the table of word pieces only.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf
from tokenizers import Tokenizer

from generation.minilm import model_folder

SIZE = 384
MAX_TOKENS = 64

_LAYERS, _HEADS = 6, 12
_EPSILON = 1e-12

Values = NDArray[np.float32]


@dataclass(frozen=True)
class MiniLM:
    """The encoder; call it with a sentence."""

    weights: dict[str, Values]
    tokenizer: Tokenizer

    @classmethod
    @cache
    def load(cls) -> "MiniLM":
        """The package's model, once per process; raises ModelUnavailable."""
        folder = model_folder()
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        return cls(_mapped(folder / "model.safetensors"), tokenizer)

    def __call__(self, sentence: str) -> Values:
        """(384,) of unit length: the mean of the sentence's token states; longer ones are cut at 64 word pieces."""
        mean = self.states(sentence).mean(0)
        return np.asarray(mean / np.linalg.norm(mean), np.float32)

    def states(self, sentence: str) -> Values:
        """(tokens, 384) the last layer's states, [CLS] and [SEP] among them."""
        tokens = self.tokenizer.encode(sentence).ids
        place = "embeddings."
        hidden = (
            self.weights[f"{place}word_embeddings.weight"][tokens]
            + self.weights[f"{place}position_embeddings.weight"][: len(tokens)]
            + self.weights[f"{place}token_type_embeddings.weight"][0]
        )
        hidden = self._normed(hidden, f"{place}LayerNorm")
        for layer in range(_LAYERS):
            place = f"encoder.layer.{layer}."
            attended = self._linear(
                self._attention(hidden, f"{place}attention.self."), f"{place}attention.output.dense"
            )
            hidden = self._normed(hidden + attended, f"{place}attention.output.LayerNorm")
            inner = self._linear(hidden, f"{place}intermediate.dense")
            inner *= np.float32(0.5) * (1 + erf(inner * np.float32(0.5**0.5)))
            hidden = self._normed(
                hidden + self._linear(inner, f"{place}output.dense"), f"{place}output.LayerNorm"
            )
        return hidden

    def _attention(self, hidden: Values, place: str) -> Values:
        query, key, value = (
            self._linear(hidden, place + name).reshape(len(hidden), _HEADS, -1).transpose(1, 0, 2)
            for name in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.float32((SIZE // _HEADS) ** 0.5)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        heard = (scores / scores.sum(-1, keepdims=True)) @ value
        return np.asarray(heard.transpose(1, 0, 2).reshape(len(hidden), SIZE))

    def _linear(self, hidden: Values, name: str) -> Values:
        return np.asarray(hidden @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"])

    def _normed(self, hidden: Values, name: str) -> Values:
        centred = hidden - hidden.mean(-1, keepdims=True)
        scaled = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + np.float32(_EPSILON))
        return np.asarray(scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"])


def _mapped(path: Path) -> dict[str, Values]:
    """The float32 tensors of a safetensors file by name, in place: its own NumPy reader would copy all 90 MB."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    whole = np.memmap(path, np.uint8, "r", offset=8 + length)
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            first, last = entry["data_offsets"]
            tensors[name] = whole[first:last].view(np.float32).reshape(entry["shape"])
    return tensors
