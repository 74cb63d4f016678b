"""The listening page: 48 prompts nobody tuned on, seeds 0 and 1 of each, nothing picked by hand."""

import io
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generation.audio.picture import preview_png
from generation.engine import Engine
from generation.errors import RiffError
from generation.files import write_whole
from generation.judge.page import template
from generation.judge.prompts import PROMPTS, Listening
from generation.request import SAMPLE_RATE, RiffRequest, Take
from generation.spectrogram import Spectrogram

SEEDS = (0, 1)
_KBPS = 80


def write_listening_page(
    engine: Engine,
    folder: Path,
    limit: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Make the first `limit` prompts' riffs, all of them by default, and the page that plays them; gives its path.

    Sounds are Opus in Ogg, 80 kbit/s, pictures JPEG; older ones of the page are removed. Raises RiffError where the
    folder cannot be used.
    """
    wanted = PROMPTS[:limit]
    entries: list[tuple[Listening, list[dict[str, object]]]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in (*folder.glob("*.ogg"), *folder.glob("*.jpg")):
            stale.unlink()
        for number, listening in enumerate(wanted):
            takes = [_write_take(engine, request_of(listening, seed), folder, number) for seed in SEEDS]
            entries.append((listening, takes))
            if on_progress:
                on_progress(number + 1, len(wanted))
        page = template(
            "listen.html",
            model=engine.model_id,
            date=datetime.now(UTC).date().isoformat(),
            headings=[
                (name, list(group)) for name, group in groupby(entries, key=lambda entry: entry[0].heading)
            ],
            count=len(wanted),
        )
        with write_whole(folder / "index.html") as file:
            file.write(page.encode())
    except OSError as error:
        raise RiffError(f"The listening page cannot be written to {folder}: {error.strerror}.") from None
    return folder / "index.html"


def request_of(listening: Listening, seed: int) -> RiffRequest:
    """The request that a line of the page stands for."""
    return RiffRequest.parse(
        prompt=listening.prompt,
        seed=seed,
        bars=listening.bars,
        bpm=listening.bpm,
        metre=listening.metre,
        key=listening.key,
    )


def opus(audio: NDArray[np.float32]) -> bytes:
    """(samples, 2) at 44.1 kHz as Opus in Ogg, at a constant bitrate: the page's weight is known beforehand."""
    source = f"-v error -f f32le -ar {SAMPLE_RATE} -ac 2 -i -"
    target = f"-c:a libopus -b:a {_KBPS}k -vbr off -map_metadata -1 -bitexact -f ogg -"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), *source.split(), *target.split()]
    return subprocess.run(
        command, input=audio.astype("<f4").tobytes(), check=True, capture_output=True
    ).stdout


def _write_take(engine: Engine, request: RiffRequest, folder: Path, number: int) -> dict[str, object]:
    take = engine.render(request).takes[0]
    name = f"{number + 1:02d}-{request.seed}"
    contents = {"ogg": opus(take.audio), "jpg": _picture(take)}
    for ending, content in contents.items():
        with write_whole(folder / f"{name}.{ending}") as file:
            file.write(content)
    facts = [
        f"{request.bars} {'bar' if request.bars == 1 else 'bars'}",
        f"{request.bpm:g} bpm",
        request.metre,
        *([str(request.key)] if request.key else []),
    ]
    return {
        "seed": request.seed,
        "sound": f"{name}.ogg",
        "picture": f"{name}.jpg",
        "facts": " · ".join(facts),
    }


def _picture(take: Take) -> bytes:
    """A small JPEG: as a PNG it would weigh three times as much."""
    painted = preview_png(Spectrogram(take.image, np.zeros((len(take.image) // 8, 1, 2), np.uint8)))
    buffer = io.BytesIO()
    Image.open(io.BytesIO(painted)).convert("RGB").save(buffer, "JPEG", quality=72, optimize=True)
    return buffer.getvalue()
