"""Python programs as processes of their own, forked from one that has imported the large packages already.

A worker that starts from nothing spends 5 s of processor time on importing torch, diffusers and transformers: more
than on most of what it is watched doing. Here each process still runs its own `python -m module` from the first line,
with its own environment, arguments and files for what it prints.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        "pytest",  # whose main module each child of ours looks into
        "bot.client",
        "generation.audio.export",
        "generation.audio.picture",
        "generation.engine",
        "market.studio.caretaker",
        "market.studio.workshop",
    ]
)


class ForkedProcess:
    """A running `python -m module *arguments`, asked as a subprocess.Popen is."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        environment: Mapping[str, str],
        folder: Path,
        stderr: Path,
        stdout: Path | None = None,
    ) -> None:
        files = {2: str(stderr)} if stdout is None else {1: str(stdout), 2: str(stderr)}
        self._process: BaseProcess = _context.Process(
            target=_become, args=(module, arguments, dict(environment), str(folder), files)
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended. Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(str(self._process), timeout or 0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _become(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: str,
    files: Mapping[int, str],
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, path in files.items():
        with Path(path).open("wb") as file:
            os.dup2(file.fileno(), number)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
