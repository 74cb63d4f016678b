"""How the processes start, and what they say when they cannot."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from market.api import app
from market.errors import DatabaseOutdated, PortTaken
from market.settings import Settings
from market.studio import worker
from tests.conftest import ROOT, settings_in


def python(code: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


@pytest.mark.parametrize("module", ["market.api.app", "market.db", "market.studio.service"])
def test_the_web_process_starts_without_the_model_code(module: str) -> None:
    heavy = python(
        f"import sys, {module}; print({{'torch', 'diffusers', 'transformers'}} & set(sys.modules))"
    )
    assert heavy == "set()"


@pytest.mark.parametrize("process", [app.run, worker.run])
def test_no_process_starts_on_a_database_that_was_not_set_up(process: object, tmp_path: Path) -> None:
    assert callable(process)
    with pytest.raises(DatabaseOutdated, match="run `riff db upgrade`"):
        process(settings_in(tmp_path))


def test_a_port_in_use(settings: Settings) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken) as refusal:
            app.run(settings.model_copy(update={"port": port}))
    assert (
        str(refusal.value) == f"Port {port} on 127.0.0.1 is in use: stop the other program or set RIFF_PORT."
    )


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    code = "from market.settings import Settings; print(repr(Settings()))"
    shown = python(
        code,
        RIFF_DATA_DIR=str(tmp_path),
        RIFF_MODEL="/models/mine",
        RIFF_PORT="9000",
        RIFF_PUBLIC_URL="https://riff.example/",
        DISCORD_TOKEN="token",
    )
    expected = settings_in(
        tmp_path,
        model=Path("/models/mine"),
        port=9000,
        public_url="https://riff.example",
        discord_token="token",
    )
    assert shown == repr(expected)
    assert expected.database_url == f"sqlite:///{tmp_path}/riff.db"
    assert expected.storage_url == f"{tmp_path}/assets"


def test_the_cookie_secret_is_made_once(tmp_path: Path) -> None:
    first = settings_in(tmp_path).signing_key
    assert len(first) > 40
    assert settings_in(tmp_path).signing_key == first
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600
    assert settings_in(tmp_path, secret_key="given").signing_key == "given"
