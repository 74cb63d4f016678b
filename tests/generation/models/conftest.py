from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from generation.models.foreign import ForeignEngine, load_foreign
from tests.generation.models import checkpoints


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Builds a checkpoint by its function's name, once."""
    folder = tmp_path_factory.mktemp("checkpoints")

    @cache
    def build(name: str, **settings: bool) -> Path:
        own = "-".join([name, *(f"{key}-{value}" for key, value in settings.items())])
        built: Path = getattr(checkpoints, name)(folder / own, **settings)
        return built

    return build


@pytest.fixture(scope="session")
def engine(checkpoint: Callable[..., Path]) -> Callable[..., ForeignEngine]:
    """Loads a checkpoint by its function's name, once."""

    @cache
    def load(name: str, **settings: bool) -> ForeignEngine:
        return load_foreign(checkpoint(name, **settings))

    return load
