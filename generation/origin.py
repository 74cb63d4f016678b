"""The model that comes with Riffmarket, as its folder tells: for those who must not load it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SHIPPED = Path(__file__).parent / "models" / "weights"


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """`model_id` is what recipes call it, `weights` the SHA-256 of each file of weights."""

    model_id: str
    weights: Mapping[str, str]


@cache
def shipped() -> ModelFacts:
    """What the shipped model's own folder says of it."""
    record = json.loads((SHIPPED / "riff.json").read_text())
    return ModelFacts(model_id(record["name"], record["sha256"].values()), record["sha256"])


def model_id(name: str, digests: Iterable[str]) -> str:
    """A model's name and 12 digits that change with any of its weights."""
    return f"{name}@{hashlib.sha256(''.join(digests).encode()).hexdigest()[:12]}"
