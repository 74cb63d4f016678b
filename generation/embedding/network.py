"""The ear's network in NumPy: pictures to the joint space and to names, sentences to the joint space.

Four convolutions over windows of three seconds, mean and maximum over time, one layer, then a layer per
question; a sentence's MiniLM vector goes through a layer and a shortcut. Trained by `generation.training.embedding`.
The weights are 8-bit whole numbers, each output with a scale of its own.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from generation.errors import ModelUnavailable

SIZE = 64
FRAMES = 128  # of a window
MAX_WINDOWS = 12
KERNELS = (5, 3, 3, 3)
# Known tempos are told as distances to these, in octaves from 120 bpm.
TEMPI = np.linspace(-1.5, 1.0, 8)
TEMPO_WIDTH = 0.25

WEIGHTS = Path(__file__).parent / "weights" / "ear.npz"

Values = NDArray[np.float32]


@dataclass(frozen=True)
class Answers:
    """Of one sound: `embedding` (64,) of unit length and confidences from 0 to 1 by name."""

    embedding: Values
    genres: dict[str, float]
    sounds: dict[str, float]
    moods: dict[str, float]
    drums: float


@dataclass(frozen=True)
class Network:
    """Weights by name, and the names that the network knows."""

    weights: dict[str, Values]
    names: dict[str, list[str]]

    @classmethod
    @cache
    def load(cls, path: Path = WEIGHTS) -> "Network":
        """The shipped network, once per process; raises ModelUnavailable."""
        try:
            with np.load(path) as stored:
                names = json.loads(str(stored["names"]))
                weights = {
                    name: _whole(stored, name)
                    for name in stored.files
                    if name != "names" and not name.endswith(" scale")
                }
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise ModelUnavailable(f"The ear's weights in {path} cannot be read: {error}.") from None
        return cls(weights, names)

    def listen(self, picture: Values, bpm: float | None) -> Answers:
        """What is heard in a picture, (frames, 128) as `generation.embedding.picture` draws it."""
        hidden = windows(picture)[..., None] * 2 - 1
        for index, kernel in enumerate(KERNELS):
            hidden = self._convolved(hidden, f"conv{index}", kernel)
        hidden = np.maximum(0, self._linear(hidden, "narrow"))
        hidden = hidden.reshape(*hidden.shape[:2], -1)
        told = np.tile(tempo_features(bpm), (len(hidden), 1))
        pooled = np.concatenate([hidden.mean(1), hidden.max(1), told], 1)
        heard = np.maximum(0, self._linear(pooled, "hidden"))
        genre, sounds, moods, drums = (
            self._linear(heard, name).mean(0) for name in ("genre", "sounds", "moods", "drums")
        )
        likely = np.exp(genre - genre.max())
        return Answers(
            _unit(self._linear(heard, "embed").mean(0)),
            _named(self.names["genres"], likely / likely.sum()),
            _named(self.names["sounds"], _sigmoid(sounds)),
            _named(self.names["moods"], _sigmoid(moods)),
            float(_sigmoid(drums)[0]),
        )

    def read(self, sentence: Values) -> Values:
        """A sentence's MiniLM vector (384,) in the joint space, (64,) of unit length."""
        inner = np.maximum(0, self._linear(sentence, "text inner"))
        return _unit(self._linear(inner, "text outer") + self._linear(sentence, "text"))

    def _convolved(self, image: Values, name: str, kernel: int) -> Values:
        """(windows, time, bands, channels) to half as many times and bands, with ReLU."""
        pad = kernel // 2
        padded = np.pad(image, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
        views = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(1, 2))[:, ::2, ::2]
        count, times, bands = views.shape[:3]
        columns = views.reshape(count * times * bands, -1)
        heard = np.maximum(0, self._linear(columns, name))
        return np.asarray(heard.reshape(count, times, bands, -1))

    def _linear(self, values: Values, name: str) -> Values:
        return np.asarray(values @ self.weights[name] + self.weights[f"{name} bias"])


def windows(picture: Values) -> Values:
    """(n, 128, 128) parts of a picture that goes round its end: as many as it takes to see it all, 12 at most."""
    count = min(MAX_WINDOWS, -(-len(picture) // FRAMES))
    starts = np.round(np.arange(count) * (len(picture) / count)).astype(np.int64)
    return np.asarray(picture[(starts[:, None] + np.arange(FRAMES)) % len(picture)])


def tempo_features(bpm: float | None) -> Values:
    """(9,) how near a tempo is to each of TEMPI, and whether it is known at all."""
    if bpm is None:
        return np.zeros(len(TEMPI) + 1, np.float32)
    distance = (np.log2(bpm / 120) - TEMPI) / TEMPO_WIDTH
    return np.append(np.exp(-0.5 * distance**2), 1).astype(np.float32)


def _whole(stored: Any, name: str) -> Values:
    """Weights as numbers: (inputs, outputs), or a row of biases."""
    scale = stored[f"{name} scale"] if f"{name} scale" in stored.files else 1
    return np.asarray(stored[name] * scale, np.float32)


def _unit(vector: Values) -> Values:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)


def _sigmoid(logits: Values) -> Values:
    return np.asarray(1 / (1 + np.exp(-logits)))


def _named(names: list[str], values: Values) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=False))
