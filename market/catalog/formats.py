"""Further formats of a loop, made when somebody first asks for one and kept beside it."""

import asyncio
import io
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generation.audio import export, picture, video
from generation.files import write_whole
from market.catalog.models import Loop
from market.errors import NotFound
from market.storage import Storage

CONTENT_TYPES = {
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "mp4": "video/mp4",
    "light.png": "image/png",
}


class Formats:
    """Makes formats of loops, `at_once` at a time; whoever else asks for the same one meanwhile gets that one."""

    def __init__(self, storage: Storage, at_once: int = 2) -> None:
        self._storage = storage
        self._makers = ThreadPoolExecutor(at_once, thread_name_prefix="formats")
        self._making: dict[str, asyncio.Task[None]] = {}

    async def key_of(self, loop: Loop, ending: str) -> str:
        """The storage key of a loop in one of the formats of CONTENT_TYPES.

        Raises NotFound, AssetMissing, StorageFull and RiffError.
        """
        # The WAV's key names its content, and the same sound gives the same file in every format.
        key = f"{loop.wav.removesuffix('.wav')}.{ending}"
        if not await self._storage.exists(key):
            if key not in self._making:
                self._making[key] = asyncio.create_task(self._make(loop, ending, key))
                self._making[key].add_done_callback(lambda _: self._making.pop(key))
            # Whoever goes away does not take it from the others.
            await asyncio.shield(self._making[key])
        return key

    def close(self) -> None:
        """Begin with no further format."""
        self._makers.shutdown(wait=False, cancel_futures=True)

    async def _make(self, loop: Loop, ending: str, key: str) -> None:
        level = None
        if ending in ("mp4", "light.png"):
            if "level" not in loop.pictures:
                raise NotFound("such format", f"of loop {loop.id}: it was made before there was one")
            level = await self._storage.get(loop.pictures["level"])
        with tempfile.TemporaryDirectory(prefix="riff-") as folder:
            sound, result = Path(folder) / "sound.wav", Path(folder) / "result"
            if ending != "light.png":
                await self._storage.get_file(loop.wav, sound)
            await asyncio.get_running_loop().run_in_executor(
                self._makers, _write, loop, ending, sound, level, result
            )
            await self._storage.put_file(key, result, CONTENT_TYPES[ending])


def _write(loop: Loop, ending: str, sound: Path, level: bytes | None, result: Path) -> None:
    if level is None:
        export.encode_file(sound, result, ending, export.tags_of(loop.recipe))
    elif ending == "mp4":
        video.film(sound, result, _level(level), loop.recipe)
    else:
        bars, beats = picture.grid_of(loop.recipe)
        with write_whole(result) as file:
            file.write(picture.picture_of(_level(level), bars, beats, loop.recipe, "light"))


def _level(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)))
