"""docker-compose.yml and Dockerfile held against the code: no container engine is needed to notice that they drift."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from cli.main import app
from market.settings import Settings

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = [name for name, service in COMPOSE["services"].items() if "command" in service]


def known_variables() -> set[str]:
    return {
        str(field.validation_alias or f"RIFF_{name.upper()}") for name, field in Settings.model_fields.items()
    }


def commands() -> dict[str, set[str]]:
    """Every command of `riff` with its subcommands."""
    group = typer.main.get_command(app)
    found: dict[str, set[str]] = {}
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        found[name] = set(getattr(command, "commands", {}))
    return found


@pytest.mark.parametrize("name", OURS)
def test_commands_and_variables_exist(name: str) -> None:
    service = COMPOSE["services"][name]
    program, command, *rest = service["command"]
    assert program == "riff"
    assert command in commands()
    assert set(rest) <= commands()[command]
    assert set(service["environment"]) <= known_variables()


def test_everything_waits_for_the_migration() -> None:
    assert set(OURS) == {"migrate", "market", "worker", "bot"}
    for name in set(OURS) - {"migrate"}:
        assert COMPOSE["services"][name]["depends_on"]["migrate"] == {
            "condition": "service_completed_successfully"
        }
    assert COMPOSE["services"]["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}


def test_the_image_speaks_of_what_exists() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert set(re.findall(r"\b(RIFF_[A-Z_]+)=", text)) <= known_variables()
    for line in re.findall(r"^COPY (?!--from)(.+) \./$", text, re.MULTILINE):
        assert all((ROOT / file).exists() for file in line.split())
    assert "8000:8000" in COMPOSE["services"]["market"]["ports"]
    assert "/readyz" in str(COMPOSE["services"]["market"]["healthcheck"])
