"""The settings of a Riffusion image and the EXIF tags that carry them (riffusion/spectrogram_params.py there)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from generation.errors import UnreadablePicture

SAMPLE_RATE_TAG, STEREO_TAG, MAX_VALUE_TAG = 11000, 11005, 11080
STEP_TAG, WINDOW_TAG, PADDED_TAG = 11010, 11020, 11030
FREQUENCIES_TAG, MIN_FREQUENCY_TAG, MAX_FREQUENCY_TAG, POWER_TAG = 11040, 11050, 11060, 11070

TAG_NAMES = {
    SAMPLE_RATE_TAG: "SAMPLE_RATE",
    STEREO_TAG: "STEREO",
    STEP_TAG: "STEP_SIZE_MS",
    WINDOW_TAG: "WINDOW_DURATION_MS",
    PADDED_TAG: "PADDED_DURATION_MS",
    FREQUENCIES_TAG: "NUM_FREQUENCIES",
    MIN_FREQUENCY_TAG: "MIN_FREQUENCY",
    MAX_FREQUENCY_TAG: "MAX_FREQUENCY",
    POWER_TAG: "POWER_FOR_IMAGE",
    MAX_VALUE_TAG: "MAX_VALUE",
}
_REQUIRED = TAG_NAMES.keys() - {MAX_VALUE_TAG}


@dataclass(frozen=True, slots=True)
class RiffusionParams:
    """How sound became a picture: one column every `step_ms`, one row per mel band (HTK scale, no norm).

    Raises UnreadablePicture for settings that no sound can have been drawn with, or that would take the machine
    down: whoever sends a picture chooses them.
    """

    stereo: bool = False
    sample_rate: int = 44_100
    step_ms: int = 10
    window_ms: int = 100
    padded_ms: int = 400
    frequencies: int = 512
    min_hz: int = 0
    max_hz: int = 10_000
    power: float = 0.25

    def __post_init__(self) -> None:
        ranges = {
            SAMPLE_RATE_TAG: (self.sample_rate, 8_000, 96_000),
            STEP_TAG: (self.step_ms, 1, 100),
            WINDOW_TAG: (self.window_ms, 2 * self.step_ms, 500),
            PADDED_TAG: (self.padded_ms, self.window_ms, 2_000),
            FREQUENCIES_TAG: (self.frequencies, 16, 4_096),
            MIN_FREQUENCY_TAG: (self.min_hz, 0, self.sample_rate // 4),
            MAX_FREQUENCY_TAG: (self.max_hz, self.min_hz + 100, self.sample_rate // 2),
            POWER_TAG: (self.power, 0.05, 2),
        }
        for tag, (value, low, high) in ranges.items():
            if not low <= value <= high:
                raise UnreadablePicture(
                    f"{TAG_NAMES[tag]} is {_short(value)}: a Riffusion image has {low} to {high} there."
                )

    @property
    def n_fft(self) -> int:
        """Length of the transform in samples; the window stands in its middle."""
        return int(self.padded_ms / 1000.0 * self.sample_rate)

    @property
    def window_length(self) -> int:
        return int(self.window_ms / 1000.0 * self.sample_rate)

    @property
    def hop_length(self) -> int:
        return int(self.step_ms / 1000.0 * self.sample_rate)

    def to_exif(self, max_value: float) -> dict[int, int | float]:
        """The tags as Riffusion writes them; `max_value` is the magnitude that is drawn darkest, in 16-bit units."""
        return {
            SAMPLE_RATE_TAG: self.sample_rate,
            STEREO_TAG: int(self.stereo),
            STEP_TAG: self.step_ms,
            WINDOW_TAG: self.window_ms,
            PADDED_TAG: self.padded_ms,
            FREQUENCIES_TAG: self.frequencies,
            MIN_FREQUENCY_TAG: self.min_hz,
            MAX_FREQUENCY_TAG: self.max_hz,
            POWER_TAG: float(self.power),
            MAX_VALUE_TAG: float(max_value),
        }

    @classmethod
    def from_exif(cls, exif: Mapping[int, Any]) -> Self:
        """The settings that tags tell; Riffusion's defaults where one is missing, as there.

        Raises UnreadablePicture for tags that are no numbers or out of range.
        """
        if not exif.keys() >= _REQUIRED:
            return cls()
        numbers = {tag: _number(tag, exif[tag]) for tag in _REQUIRED}
        power = numbers.pop(POWER_TAG)
        whole = {tag: _whole(tag, number) for tag, number in numbers.items()}
        return cls(
            stereo=bool(whole[STEREO_TAG]),
            sample_rate=whole[SAMPLE_RATE_TAG],
            step_ms=whole[STEP_TAG],
            window_ms=whole[WINDOW_TAG],
            padded_ms=whole[PADDED_TAG],
            frequencies=whole[FREQUENCIES_TAG],
            min_hz=whole[MIN_FREQUENCY_TAG],
            max_hz=whole[MAX_FREQUENCY_TAG],
            power=power,
        )


def _number(tag: int, value: Any) -> float:
    try:
        if isinstance(value, str | bytes):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        raise UnreadablePicture(f"{TAG_NAMES[tag]} is not a number in the image's EXIF tags.") from None
    if not math.isfinite(number):
        raise UnreadablePicture(f"{TAG_NAMES[tag]} is not a number in the image's EXIF tags.")
    return number


def _whole(tag: int, number: float) -> int:
    if number != int(number):
        raise UnreadablePicture(f"{TAG_NAMES[tag]} is {_short(number)}: it has to be a whole number.")
    return int(number)


def _short(value: float) -> str:
    return f"{value:.6g}"
