"""The one place that runs ffmpeg (imageio-ffmpeg's): with limits on time, memory and size, and nothing left behind."""

import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import imageio_ffmpeg

from generation.errors import StorageFull

MEMORY = 2 << 30
_LAST_WORDS = 64 << 10
# What a file says about versions, times and chance is left out, so that the same input gives the same bytes.
SAME_BYTES = ("-fflags", "+bitexact", "-flags", "+bitexact", "-threads", "1")


class FfmpegFailed(Exception):
    """ffmpeg refused its input or met a limit; the text is its own last line, for logs rather than for people."""


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder for what ffmpeg reads and writes, gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="riff-") as folder:
        yield Path(folder)


def read_from(path: Path, container: str) -> list[str]:
    """Arguments that open one local file, whatever its name, as this container (ffmpeg's name for it) only.

    Left to guess, ffmpeg takes a playlist for a sound and opens the files and addresses in it.
    """
    return ["-protocol_whitelist", "file", "-f", container, "-i", f"file:{path.absolute()}"]


def write_to(path: Path, container: str) -> list[str]:
    """Arguments that write one local file, whatever its name."""
    return ["-f", container, f"file:{path.absolute()}"]


def run(arguments: Sequence[str], *, seconds: float, largest: int, work: Path) -> None:
    """Run ffmpeg.

    It is killed after so many seconds and at `largest` bytes in any file that it writes, its complaints among them,
    which go into `work`, a `workplace`. Raises FfmpegFailed, and StorageFull where the disk is full.
    """
    messages = work / "messages"
    command = [_executable(), "-nostdin", "-loglevel", "error", "-y", *arguments]
    with messages.open("w+b") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, cwd=work
        )
        try:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest, largest))
            resource.prlimit(process.pid, resource.RLIMIT_AS, (MEMORY, MEMORY))
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise FfmpegFailed(f"more than {seconds:g} s") from None
        finally:
            process.kill()
            process.wait()
        log.seek(max(0, os.fstat(log.fileno()).st_size - _LAST_WORDS))
        said = log.read().decode(errors="replace").strip()
    if "No space left on device" in said:
        raise StorageFull(tempfile.gettempdir())
    if status:
        raise FfmpegFailed(f"signal {-status}" if status < 0 else said.rsplit("\n", 1)[-1])


@cache
def _executable() -> str:
    return str(imageio_ffmpeg.get_ffmpeg_exe())
