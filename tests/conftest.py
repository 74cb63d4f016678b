"""What every test may ask for: settings on a fresh database of either kind, a worker process, an HTTP server."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
import pytest_asyncio
import sqlalchemy as sa
import uvicorn

from market.api.app import create_app
from market.db import Database, upgrade
from market.settings import Settings
from market.storage import Storage
from tests import postgresql
from tests.forked import ForkedProcess

T = TypeVar("T")
ROOT = Path(__file__).parents[1]

# The developer's own settings are not the tests'.
for name in [name for name in os.environ if name.startswith(("RIFF_", "DISCORD_", "STRIPE_"))]:
    if name not in (
        "RIFF_TEST_DATABASE_URL",
        "RIFF_TEST_PATIENCE",
        "RIFF_SCREENSHOTS",
        "RIFF_DISCORD_OPENAPI",
    ):
        del os.environ[name]
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def settings_in(folder: Path, **values: object) -> Settings:
    """Settings that take nothing from a .env file."""
    return Settings(_env_file=None, data_dir=folder, **values)  # type: ignore[arg-type,call-arg]


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database, to be copied."""
    settings = settings_in(tmp_path_factory.mktemp("template"))
    upgrade(settings)
    path = settings.data_dir / "riff.db"
    with sa.create_engine(f"sqlite:///{path}").connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture(scope="session")
def postgresql_template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a migrated PostgreSQL database, to be copied; skips where no server answers."""
    name = postgresql.fresh_name()
    try:
        postgresql.on_server("CREATE DATABASE {}", name)
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL at {postgresql.SERVER}: {str(error).splitlines()[0]}")
    upgrade(settings_in(tmp_path_factory.mktemp("template"), database_url=postgresql.address(name)))
    yield name
    postgresql.drop(name)


@pytest.fixture(scope="session")
def postgresql_databases(postgresql_template: str) -> Iterator[postgresql.Databases]:
    databases = postgresql.Databases(postgresql_template)
    yield databases
    databases.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Settings on a fresh data folder and a fresh, migrated database."""
    folder = tmp_path / "data"
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        folder.mkdir()
        shutil.copy(template, folder / "riff.db")
        yield settings_in(folder)
        return
    databases: postgresql.Databases = request.getfixturevalue("postgresql_databases")
    with databases.one() as name:
        yield settings_in(folder, database_url=postgresql.address(name))


@pytest_asyncio.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings)
    yield database
    await database.close()


@pytest.fixture
def storage(settings: Settings) -> Storage:
    return Storage.open(settings)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that renders a bar in well under a second."""
    from generation.models import tiny

    return tiny.save(tmp_path_factory.mktemp("model") / "tiny")


@dataclass
class WorkerProcess:
    """A `python -m market.studio.worker`; `log` is what it writes to stderr."""

    process: "subprocess.Popen[bytes] | ForkedProcess"
    log: Path

    def ready(self, within: float = 240.0) -> "WorkerProcess":
        """Wait until it takes riffs."""
        return self.says("ready for riffs", within)

    def says(self, words: str, within: float = 240.0) -> "WorkerProcess":
        """Wait until its log contains some words."""
        deadline = time.monotonic() + within
        while words not in self.log.read_text():
            assert self.process.poll() is None, f"the worker has ended: {self.log.read_text()}"
            assert time.monotonic() < deadline, f"the worker does not say {words!r}: {self.log.read_text()}"
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
        return self

    def kill(self) -> None:
        """kill -9: no chance to finish anything."""
        self.process.kill()
        self.process.wait()

    def stop(self, within: float = 240.0) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within)


StartWorker = Callable[..., WorkerProcess]


@dataclass
class _Workers:
    settings: Settings
    model: Path
    folder: Path
    started: list[WorkerProcess] = field(default_factory=list)

    def __call__(self, *, before: tuple[str, ...] = (), **settings: object) -> WorkerProcess:
        """Start one; `before` is a command that starts it, keyword arguments replace settings."""
        chosen = self.settings.model_copy(update={"model": self.model, **settings})
        environment = os.environ | environment_of(chosen)
        log = self.folder / f"worker-{len(self.started)}.log"
        log.touch()
        process: subprocess.Popen[bytes] | ForkedProcess
        if before:
            with log.open("wb") as stderr:
                command = [*before, sys.executable, "-m", "market.studio.worker"]
                process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=stderr)
        else:
            process = ForkedProcess("market.studio.worker", environment=environment, folder=ROOT, stderr=log)
        self.started.append(WorkerProcess(process, log))
        return self.started[-1]


@pytest.fixture
def worker(settings: Settings, tiny_model: Path, tmp_path: Path) -> Iterator[StartWorker]:
    """Starts worker processes with the tiny model; all are killed at the end."""
    workers = _Workers(settings, tiny_model, tmp_path)
    yield workers
    for started in workers.started:
        started.kill()


@pytest.fixture
def server(settings: Settings) -> Iterator[str]:
    """A real HTTP server on a free port: its address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            create_app(settings), log_config=None, timeout_graceful_shutdown=1, proxy_headers=False
        )
        serving = _Server(config)
        thread = threading.Thread(target=serving.run, kwargs={"sockets": [listener]})
        thread.start()
        deadline = time.monotonic() + 30
        while not serving.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline
            thread.join(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving.end()
        thread.join()


class _Server(uvicorn.Server):
    """Ends when it is told to, and not at its next look at the clock: there are a thousand tests with one each."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._told = asyncio.Event()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._told.wait()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._told.set)


def environment_of(settings: Settings) -> dict[str, str]:
    """The variables that give another process the same settings."""
    variables = {
        "RIFF_DATA_DIR": settings.data_dir,
        "RIFF_DATABASE_URL": settings.database_url,
        "RIFF_STORAGE_URL": settings.storage_url,
        "RIFF_MODEL": settings.model,
        "RIFF_HOST": settings.host,
        "RIFF_PORT": settings.port,
        "RIFF_SECRET_KEY": settings.secret_key,
        "RIFF_LICENCE_KEY": settings.licence_key,
        "RIFF_PUBLIC_URL": settings.public_url,
        "RIFF_WORKER_TTL": settings.worker_ttl,
        "RIFF_DRAIN_SECONDS": settings.drain_seconds,
        "RIFF_LOCAL_SIGN_IN": settings.local_sign_in,
        "RIFF_RATE_ADDRESS": settings.rate_address,
        "RIFF_RATE_ACCOUNT": settings.rate_account,
        "RIFF_RATE_SIGN_IN": settings.rate_sign_in,
        "RIFF_TOKEN_QUOTA": settings.token_quota,
        "RIFF_TRUSTED_PROXIES": settings.trusted_proxies,
        "DISCORD_API_BASE": settings.discord_api_base,
        "RIFF_C2PA_CERTIFICATE": settings.c2pa_certificate,
        "RIFF_C2PA_KEY": settings.c2pa_key,
    }
    return {name: str(value) for name, value in variables.items() if value is not None}


async def until(look: Callable[[], Awaitable[T]], good: Callable[[T], object], within: float = 240.0) -> T:
    """Look again and again until what is seen is good; what was seen."""
    async with asyncio.timeout(within):
        # What is waited for happens in another process.
        while not good(seen := await look()):  # noqa: ASYNC110
            await asyncio.sleep(0.03)
        return seen
