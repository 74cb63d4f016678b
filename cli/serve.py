"""`riff up` and the processes that it starts: market, worker and bot."""

import ctypes
import http.client
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import typer

from generation.errors import RiffError
from market.errors import PortTaken
from market.settings import Settings

commands = typer.Typer()
# Without a command of its own it serves; other files add theirs.
market = typer.Typer(invoke_without_command=True)
commands.add_typer(market, name="market")

STOP_SECONDS = 35.0
RESTART_SECONDS = (0.5, 30.0)
_PARENT_DIED = 1  # PR_SET_PDEATHSIG


@commands.command()
def up() -> None:
    """Start everything on this machine: migrate, then web, worker and, with DISCORD_TOKEN, the bot."""
    from market.db import upgrade

    settings = Settings()
    _refuse_taken_port(settings)
    upgrade(settings)
    names = ["market", "worker"] + (["bot"] if settings.discord_token else [])
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    children = [Child(name) for name in names]
    try:
        for child in children:
            child.start()
        _announce(settings, children[0], stopping)
        while not stopping.wait(0.2):
            for child in children:
                child.keep_alive()
    finally:
        for child in children:
            child.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for child in children:
            child.wait_until(deadline)


@market.callback()
def serve(context: typer.Context) -> None:
    """Serve the web pages and the REST API at RIFF_HOST:RIFF_PORT, or administer the market."""
    if context.invoked_subcommand is None:
        from market.api.app import run

        run(Settings())


@commands.command()
def worker() -> None:
    """Make riffs from the queue until told to stop."""
    from market.studio.worker import run

    run(Settings())


@commands.command()
def bot() -> None:
    """Join Discord with DISCORD_TOKEN."""
    from bot.client import run

    run(Settings())


@dataclass
class Child:
    """One process of `riff up`: started again after a pause that doubles while it keeps dying."""

    name: str
    process: subprocess.Popen[bytes] | None = None
    pause: float = RESTART_SECONDS[0]
    started: float = 0.0
    _due: float = field(default=0.0, repr=False)

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", self.name], preexec_fn=_die_with_parent()
        )

    def keep_alive(self) -> None:
        """Start the process again when it has ended and its pause is over."""
        if self.process is not None and (status := self.process.poll()) is not None:
            if time.monotonic() - self.started > RESTART_SECONDS[1]:
                self.pause = RESTART_SECONDS[0]
            typer.echo(f"{self.name} ended ({_why(status)}); again in {self.pause:g} s", err=True)
            self.process, self._due = None, time.monotonic() + self.pause
            self.pause = min(self.pause * 2, RESTART_SECONDS[1])
        elif self.process is None and time.monotonic() >= self._due:
            self.start()

    def terminate(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait_until(self, deadline: float) -> None:
        if self.process is not None:
            try:
                self.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def _announce(settings: Settings, web: Child, stopping: threading.Event) -> None:
    """Print the address as soon as the pages answer; a web process that ends at once ends all."""
    while not stopping.wait(0.1):
        if web.process is not None and (status := web.process.poll()) is not None:
            raise RiffError(f"The web process did not start ({_why(status)}); its message stands above.")
        try:
            connection = http.client.HTTPConnection(settings.host, settings.port, timeout=1)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                break
        except OSError:
            continue
    else:
        return
    typer.echo(f"Riffmarket is open at {settings.public_url or f'http://{settings.host}:{settings.port}'}")
    if not settings.discord_token:
        typer.echo("No DISCORD_TOKEN: the bot stays at home.")


def _refuse_taken_port(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError:
            raise PortTaken(settings.host, settings.port) from None


def _die_with_parent() -> Callable[[], None] | None:
    """On Linux: children get SIGTERM when `riff up` is killed, so that none holds the port afterwards."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return lambda: library.prctl(_PARENT_DIED, signal.SIGTERM)


def _why(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
