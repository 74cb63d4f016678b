"""The text encoder for a machine without its package: the word pieces of captions and 10-bit weights.

The same network as generation.models.text.TextEncoder (MiniLM, six BERT layers), its states within 0.02.
"""

import json
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from generation.models.text import MAX_TOKENS, EncodedText

_HEADS, _LAYERS, _EPSILON = 12, 6, 1e-12
# Weights are in 10 bits, 64 of them to a scale. With 8 bits, states would be off by more than 0.05.
_GROUP, _LARGEST = 64, 511
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
Weights = dict[str, Tensor]


class CarriedTextEncoder:
    """Call it with texts, as TextEncoder; `device` is where it computes, what it gives is on the CPU."""

    def __init__(self, file: Path, device: str = "cpu") -> None:
        with np.load(file) as stored:
            pieces = json.loads(str(stored["pieces"]))
            self._weights = {
                name: torch.from_numpy(_unpacked(stored, name)).to(device)
                for name in stored.files
                if name != "pieces" and not name.endswith(".scale")
            }
        self._wordpiece = WordPiece(pieces)
        self._device = device

    @torch.inference_mode()
    def __call__(self, texts: list[str]) -> EncodedText:
        rows = torch.tensor([self._wordpiece(text) for text in texts], device=self._device)
        mask = (rows != 0).float()
        states = bert(self._weights, rows, mask)
        mean = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return EncodedText(states.cpu(), mask.cpu(), F.normalize(mean, dim=-1).cpu())


class WordPiece:
    """Texts to rows of a table of word pieces: BERT's uncased tokenizer (Devlin et al., 2019)."""

    def __init__(self, pieces: list[str]) -> None:
        """`pieces` begin with [PAD], [UNK], [CLS] and [SEP]."""
        self._rows = {piece: row for row, piece in enumerate(pieces)}
        self._of_word = lru_cache(maxsize=100_000)(self._split)

    def __call__(self, text: str) -> list[int]:
        """MAX_TOKENS rows: [CLS], the pieces, [SEP], and [PAD] behind them."""
        found = [row for word in _words(text) for row in self._of_word(word)][: MAX_TOKENS - 2]
        return [2, *found, 3] + [0] * (MAX_TOKENS - 2 - len(found))

    def _split(self, word: str) -> list[int]:
        found, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                row = self._rows.get(("##" if start else "") + word[start:end])
                if row is not None:
                    break
            else:
                return [1]
            found.append(row)
            start = end
        return found


def bert(weights: Weights, rows: Tensor, mask: Tensor) -> Tensor:
    """The last layer's states (B, L, 384) of word pieces (B, L) of which `mask` (B, L) are heard."""
    hidden = weights["embeddings.word_embeddings.weight"][rows]
    hidden = hidden + weights["embeddings.position_embeddings.weight"][: rows.shape[1]]
    hidden = _norm(weights, "embeddings", hidden + weights["embeddings.token_type_embeddings.weight"][0])
    bias = torch.where(mask[:, None, None] > 0, 0.0, -1e9)
    for layer in range(_LAYERS):
        name = f"encoder.layer.{layer}"

        def heads(part: str, *, hidden: Tensor = hidden, name: str = name) -> Tensor:
            whole = _linear(weights, f"{name}.attention.self.{part}", hidden)
            return whole.view(*rows.shape, _HEADS, -1).transpose(1, 2)

        query, key, value = map(heads, ("query", "key", "value"))
        heard = F.scaled_dot_product_attention(query, key, value, attn_mask=bias).transpose(1, 2).flatten(2)
        hidden = hidden + _linear(weights, f"{name}.attention.output.dense", heard)
        hidden = _norm(weights, f"{name}.attention.output", hidden)
        inner = F.gelu(_linear(weights, f"{name}.intermediate.dense", hidden))
        hidden = _norm(weights, f"{name}.output", hidden + _linear(weights, f"{name}.output.dense", inner))
    return hidden


def write_carried(weights: Weights, vocabulary: list[str], wanted: Iterable[str], file: Path) -> int:
    """Write what CarriedTextEncoder reads: of BERT's `vocabulary` only the `wanted` pieces; gives how many.

    Single characters come along, so that no word is unknown for want of its pieces.
    """
    wanted = set(wanted)
    single = {piece for piece in vocabulary if len(piece.removeprefix("##")) == 1 and piece.isascii()}
    kept = [row for row, piece in enumerate(vocabulary) if piece in wanted | single and piece not in _SPECIAL]
    kept = [vocabulary.index(piece) for piece in _SPECIAL] + kept
    arrays: dict[str, NDArray[np.generic]] = {
        "pieces": np.array(json.dumps([vocabulary[row] for row in kept]))
    }
    for name, weight in weights.items():
        if name.startswith(("pooler", "embeddings.position_ids")):
            continue
        if "word_embeddings" in name:
            weight = weight[kept]
        elif "position_embeddings" in name:
            weight = weight[:MAX_TOKENS]
        if weight.dim() == 2:
            arrays[name], arrays[f"{name}.scale"] = _packed(weight.float().numpy())
        else:
            arrays[name] = weight.float().numpy()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return len(kept)


def _packed(weight: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """A matrix (rows, columns) in 10 bits as (2, rows, groups, 64), low and high bytes, and each group's scale."""
    groups = weight.reshape(len(weight), -1, _GROUP)
    scale = np.maximum(np.abs(groups).max(2, keepdims=True) / _LARGEST, 1e-7).astype(np.float16)
    whole = np.rint(groups / scale.astype(np.float32)).astype(np.int16)
    # Apart, the high bytes are two bits' worth and compress to that.
    return np.stack([whole & 255, whole >> 8 & 255]).astype(np.uint8), scale


def _unpacked(stored: "np.lib.npyio.NpzFile", name: str) -> NDArray[np.float32]:
    weight, scale = stored[name], f"{name}.scale"
    if scale not in stored.files:
        return np.asarray(weight, np.float32)
    whole = weight[0] + weight[1].astype(np.int8).astype(np.int16) * 256
    return np.asarray(whole * stored[scale].astype(np.float32), np.float32).reshape(len(whole), -1)


def _linear(weights: Weights, name: str, hidden: Tensor) -> Tensor:
    return F.linear(hidden, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _norm(weights: Weights, name: str, hidden: Tensor) -> Tensor:
    name = f"{name}.LayerNorm"
    return F.layer_norm(
        hidden, hidden.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], _EPSILON
    )


def _words(text: str) -> list[str]:
    """Lower case without accents, a word for each run of letters and digits and for each other character."""
    plain = [c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn"]
    return "".join(c if c.isalnum() else f" {c} " for c in plain).split()
