"""The files of a finished take, and the loop's row that names them."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from generation.request import RiffRequest, Take
from market.catalog.models import Loop
from market.storage import Storage

CONTENT_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg", "png": "image/png", "json": "application/json"}


@dataclass(frozen=True, slots=True)
class Assets:
    """The files of one take, made in memory, and what is known about the take."""

    take: int
    files: dict[str, bytes]
    recipe: dict[str, Any]

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
        return cls(index, files, take.recipe)

    async def keep(self, storage: Storage, riff_id: str) -> dict[str, Any]:
        """Put the files into the storage; gives the record that `loop_of` makes the row from.

        A key names its content, so that a second attempt at a riff meets its own files and nothing else's.
        """
        keys = {}
        for ending, data in self.files.items():
            keys[ending] = f"{folder(riff_id)}{self.take}-{hashlib.sha256(data).hexdigest()[:16]}.{ending}"
            await storage.put(keys[ending], data, CONTENT_TYPES[ending])
        return {"take": self.take, "keys": keys, "recipe": self.recipe}


def folder(riff_id: str) -> str:
    """Where the files of a riff's loops are."""
    return f"loops/{riff_id}/"


def loop_of(riff_id: str, record: dict[str, Any], created_at: datetime) -> Loop:
    """The row of a take whose files are kept."""
    recipe, keys = record["recipe"], record["keys"]
    request = RiffRequest.from_dict(recipe["request"])
    return Loop(
        id=f"{riff_id}-{record['take']}",
        riff_id=riff_id,
        take=record["take"],
        prompt=request.prompt,
        bpm=request.bpm,
        key=None if request.key is None else str(request.key),
        bars=request.bars,
        metre=request.metre,
        seed=request.seed,
        seconds=request.seconds,
        samples=recipe["samples"],
        sha256=recipe["sha256"],
        model=recipe["model"],
        recipe=recipe,
        created_at=created_at,
        wav=keys["wav"],
        mp3=keys["mp3"],
        png=keys["png"],
        peaks=keys["json"],
    )
