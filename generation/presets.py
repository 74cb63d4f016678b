"""Presets: settings under a name, for whatever a person did not say themselves."""

from collections.abc import Mapping
from types import MappingProxyType

from generation.fields import choice

# Names of the request's fields; what is written into the request is what they held.
PRESETS: Mapping[str, Mapping[str, float | int | str]] = MappingProxyType(
    {
        "sketch": {"steps": 4, "bars": 2},
        "balanced": {},
        "fine": {"steps": 24},
        "literal": {"guidance_scale": 6.0},
        "free": {"guidance_scale": 1.5},
        "choice": {"takes": 4},
        "short": {"bars": 2},
        "long": {"bars": 8},
        "study": {"bars": 8, "bpm": 74, "negative_prompt": "vocals, lead"},
        "stream": {"bars": 8, "negative_prompt": "vocals"},
        "trailer": {"bars": 8, "bpm": 88, "guidance_scale": 5.0},
        "game": {"bars": 4, "bpm": 138},
    }
)


def preset_of(value: object) -> Mapping[str, float | int | str]:
    """The settings of a preset by its name; none for None and "". Raises InvalidRequest."""
    name = choice("preset", value, tuple(PRESETS), "balanced")
    return PRESETS[name]
