"""What every family of models is asked for and gives, and what several of them need to do so."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
import scipy.signal
import torch
from numpy.typing import NDArray
from torch import Tensor

from generation.models.pipeline import slerp
from generation.prompt import parse_prompt
from generation.request import SAMPLE_RATE, RiffRequest


@dataclass(frozen=True, slots=True)
class Wish:
    """One take as a family is asked for it.

    `seconds` are how much to play at least. `source` is (n, 2) float32 at 44.1 kHz, as long as that, where a sound is
    started from; `repaint` is the stretch of it, in seconds, that is made anew. `on_step(step, steps)` is called
    after each step and may raise Cancelled.
    """

    request: RiffRequest
    seconds: float
    on_step: Callable[[int, int], None]
    source: NDArray[np.float32] | None = None
    repaint: tuple[float, float] | None = None

    @property
    def prompt(self) -> str:
        """The prompt without marks of emphasis."""
        return parse_prompt(self.request.prompt).text

    @property
    def described(self) -> str:
        """The prompt with tempo, metre and key as words, for models that have no fields for them."""
        return f"{self.prompt}, {self._setting}"

    @property
    def morph_described(self) -> str:
        """The prompt to morph to, in the same way."""
        return f"{parse_prompt(self.request.morph_to).text}, {self._setting}"

    @property
    def negative_prompt(self) -> str | None:
        return self.request.negative_prompt or None

    @property
    def _setting(self) -> str:
        request = self.request
        metre = [] if request.metre == "4/4" else [f"{request.metre} time"]
        key = [] if request.key is None else [key_in_words(request)]
        return ", ".join([f"{request.bpm:g} bpm", *metre, *key, "seamless loop"])


@dataclass(frozen=True, slots=True)
class Sound:
    """What a model played: (n, channels) float32 at its own rate."""

    samples: NDArray[np.float32]
    rate: int


class Family(Protocol):
    """A model in memory. `can` are the features, out of `engine.REFUSALS`, that it has; lengths are in seconds."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def can(self) -> frozenset[str]: ...
    @property
    def shortest(self) -> float: ...
    @property
    def longest(self) -> float: ...

    def play(self, wish: Wish) -> Sound: ...


def key_in_words(request: RiffRequest) -> str:
    """The request's key as "A minor" or "Eb major", "" where it has none."""
    if request.key is None:
        return ""
    return f"{str(request.key).removesuffix('m')} {'minor' if request.key.minor else 'major'}"


def generator_of(request: RiffRequest) -> torch.Generator:
    return torch.Generator().manual_seed(request.seed)


def noise_of(request: RiffRequest, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Standard normal noise from the request's generator, a variation turned towards its own seed's on the sphere."""
    noise = torch.randn(shape, generator=generator)
    if request.variation_seed is None or request.variation == 0:
        return noise
    other = torch.randn(shape, generator=torch.Generator().manual_seed(request.variation_seed))
    return slerp(noise, other, request.variation)


def resampled(samples: NDArray[np.float32], rate: int, to: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """(n, channels) at another rate, by a polyphase filter."""
    if rate == to:
        return samples
    ratio = Fraction(to, rate)
    return np.asarray(
        scipy.signal.resample_poly(samples, ratio.numerator, ratio.denominator, axis=0), np.float32
    )


def for_model(source: NDArray[np.float32], rate: int, channels: int) -> Tensor:
    """A sound at 44.1 kHz as a model's encoder takes it: (1, channels, n) at its rate."""
    sides = source if channels == 2 else source.mean(1, keepdims=True)
    return torch.from_numpy(np.ascontiguousarray(resampled(sides, SAMPLE_RATE, rate).T))[None]


def from_model(audio: Tensor, rate: int) -> Sound:
    """A pipeline's (1, channels, n) or (1, n) tensor as a sound."""
    samples = audio.detach().float().cpu().numpy()[0]
    return Sound(np.ascontiguousarray(np.atleast_2d(samples).T, dtype=np.float32), rate)
