"""`riff up`: everything in one go, kept alive, and gone when it is told to stop."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="the process tree is read from /proc"
)

WITHIN = 120.0


def wait_for(what: str, condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        if value := condition():
            return value
        threading.Event().wait(0.05)
    raise AssertionError(f"{what} did not come true within {WITHIN:g} s")


@contextmanager
def house(folder: Path, model: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    settings = {"RIFF_DATA_DIR": str(folder / "data"), "RIFF_MODEL": str(model), "RIFF_PORT": str(port)}
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "up"],
            env={**os.environ, **settings, "PYTHONPATH": str(Path(__file__).parents[2])},
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def children(process: "subprocess.Popen[bytes]") -> dict[str, int]:
    """Names and ids of the processes that `riff up` keeps."""
    found = {}
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        try:
            found[Path(f"/proc/{child}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")[-1].decode()] = int(
                child
            )
        except FileNotFoundError:
            continue
    return found


def call(port: int, path: str, body: object = None) -> dict[str, Any]:
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        None if body is None else json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        record: dict[str, Any] = json.load(answer)
        return record


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def test_a_killed_worker_comes_back_and_finishes(tiny_model: Path, tmp_path: Path, port: int) -> None:
    with house(tmp_path, tiny_model, port) as process:
        wait_for("the address", lambda: b"is open at" in (tmp_path / "out").read_bytes())
        first = children(process)
        assert set(first) == {"market", "worker"}
        riff = call(port, "/v1/riffs", {"prompt": "bells", "bars": 16, "steps": 100, "takes": 4, "seed": 1})
        wait_for("a running riff", lambda: call(port, f"/v1/riffs/{riff['id']}")["status"] == "running")
        os.kill(first["worker"], signal.SIGKILL)
        wait_for(
            "another worker", lambda: children(process).get("worker", first["worker"]) != first["worker"]
        )
        wait_for("the end", lambda: call(port, f"/v1/riffs/{riff['id']}")["status"] == "done")
        assert [loop["seed"] for loop in call(port, f"/v1/riffs/{riff['id']}")["loops"]] == [1, 2, 3, 4]

        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        with pytest.raises(urllib.error.URLError):
            call(port, "/healthz")


def test_a_taken_port_is_one_sentence(tiny_model: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with house(tmp_path, tiny_model, port) as process:
            assert process.wait(WITHIN) == 1
    sentence = f"Port {port} on 127.0.0.1 is in use: stop the other program or set RIFF_PORT.\n"
    assert (tmp_path / "out").read_text() == sentence
    assert not (tmp_path / "data").exists()
