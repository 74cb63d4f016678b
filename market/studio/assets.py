"""The files of a finished take, and the loop's row that names them."""

import asyncio
import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generation.arrangement import Morph, Song
from generation.audio.picture import grid_of
from generation.request import SAMPLE_RATE, RiffRequest, Take
from market.catalog.models import Loop
from market.storage import Storage
from market.studio.models import folder

if TYPE_CHECKING:
    from generation.engine import Progress, Renderer

CONTENT_TYPES = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "png": "image/png",
    "webp": "image/webp",
    "json": "application/json",
}
PICTURE_ENDINGS = {"level": "png", "thumbnail": "webp"}


@dataclass(frozen=True, slots=True)
class Assets:
    """The files of one take, in memory or, where they are large, at a path, and what is known about the take.

    `files` and further `pictures` are by their loop's columns; `stems` are the WAVs of its layers by role.
    """

    take: int
    files: Mapping[str, bytes | Path]
    pictures: Mapping[str, bytes]
    recipe: dict[str, Any]
    stems: Mapping[str, bytes] = field(default_factory=dict)

    @classmethod
    def make(cls, index: int, take: Take) -> "Assets":
        """Encode a take for listening, looking and drawing. Blocks for a second or so."""
        from generation.audio import export, picture

        files = {
            "wav": export.wav(take),
            "mp3": export.mp3(take),
            "png": picture.spectrogram_png(take),
            "json": json.dumps(export.peaks(take)).encode(),
        }
        pictures = {"level": level_png(take.image), "thumbnail": picture.thumbnail(take)}
        stems = {role: export.stem_wav(take, role) for role in take.stems}
        return cls(index, files, pictures, take.recipe, stems)

    @classmethod
    def of_song(
        cls,
        engine: "Renderer",
        request: RiffRequest,
        work: Path,
        on_progress: Callable[["Progress"], None],
        cancelled: Callable[[], bool],
    ) -> "Assets":
        """Make a song in the folder `work`, from where its files can be kept. Raises what `song.write` raises."""
        from generation.arrange import song
        from generation.audio import export, picture

        made = song.write(engine, request, work / "song.wav", on_progress, cancelled)
        mp3 = work / "song.mp3"
        export.encode_file(made.path, mp3, "mp3", export.tags_of(made.recipe))
        looks = Take(np.zeros((0, 2), np.float32), made.level, made.recipe)
        files: dict[str, bytes | Path] = {
            "wav": made.path,
            "mp3": mp3,
            "png": picture.spectrogram_png(looks),
            "json": json.dumps(made.peaks).encode(),
        }
        pictures = {"level": level_png(made.level), "thumbnail": picture.thumbnail(looks)}
        return cls(0, files, pictures, made.recipe)

    async def keep(self, storage: Storage, riff_id: str) -> dict[str, Any]:
        """Put the files into the storage; gives the record that `loop_of` makes the row from.

        A key names its content, so that a second attempt at a riff meets its own files and nothing else's.
        """
        keys = {
            ending: await self._put(storage, riff_id, ending, file) for ending, file in self.files.items()
        }
        pictures = {
            name: await self._put(storage, riff_id, PICTURE_ENDINGS[name], file)
            for name, file in self.pictures.items()
        }
        stems = {role: await self._put(storage, riff_id, "wav", file) for role, file in self.stems.items()}
        return {
            "take": self.take,
            "keys": keys,
            "pictures": pictures,
            "stems": stems,
            "recipe": self.recipe,
        }

    async def _put(self, storage: Storage, riff_id: str, ending: str, file: bytes | Path) -> str:
        if isinstance(file, bytes):
            key = f"{folder(riff_id)}{self.take}-{hashlib.sha256(file).hexdigest()[:16]}.{ending}"
            await storage.put(key, file, CONTENT_TYPES[ending])
        else:
            digest = await asyncio.to_thread(_digest, file)
            key = f"{folder(riff_id)}{self.take}-{digest[:16]}.{ending}"
            await storage.put_file(key, file, CONTENT_TYPES[ending])
        return key


def level_png(level: NDArray[np.uint8]) -> bytes:
    """A level picture (frames, bands) as it is, for further formats to be made from."""
    buffer = io.BytesIO()
    Image.fromarray(level).save(buffer, "PNG")
    return buffer.getvalue()


def loop_of(riff_id: str, record: dict[str, Any], created_at: datetime) -> Loop:
    """The row of a take whose files are kept."""
    recipe, keys = record["recipe"], record["keys"]
    request = RiffRequest.from_dict(recipe["request"])
    samples = recipe["samples"]
    key = recipe["song"]["key"] if "song" in recipe else recipe["request"]["key"]
    return Loop(
        id=f"{riff_id}-{record['take']}",
        riff_id=riff_id,
        take=record["take"],
        kind=kind_of(request),
        prompt=request.prompt,
        bpm=request.bpm,
        key=key,
        bars=grid_of(recipe)[0],
        metre=request.metre,
        seed=request.seed,
        seconds=samples / SAMPLE_RATE,
        samples=samples,
        sha256=recipe["sha256"],
        model=recipe["model"],
        recipe=recipe,
        created_at=created_at,
        wav=keys["wav"],
        mp3=keys["mp3"],
        png=keys["png"],
        peaks=keys["json"],
        # What the version before had rendered when it was stopped has none.
        pictures=record.get("pictures", {}),
        stems=record.get("stems", {}),
    )


def kind_of(request: RiffRequest) -> str:
    """The kind of loop that a request gives."""
    match request.arrangement:
        case Song():
            return "song"
        case Morph(over="time"):
            return "piece"
    return "loop"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
