"""Recipes read back from the files that carry them."""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

from generation.errors import RiffError

_LARGEST = 256 * 2**20


def read_recipe(path: Path) -> tuple[dict[str, Any], str | None]:
    """The recipe in a WAV or JSON file of ours, and the SHA-256 of the WAV's own samples (None for JSON).

    Raises RiffError when the file cannot be read or holds no recipe.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise RiffError(f"{path.name} is too large to be one of our loops.")
        content = path.read_bytes()
    except OSError as error:
        raise RiffError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        if content[:4] != b"RIFF":
            return _checked(json.loads(content)), None
        chunks = _chunks(content[12:])
        comment = _chunks(chunks[b"LIST"][4:])[b"ICMT"]
        return _checked(json.loads(comment.rstrip(b"\0"))), hashlib.sha256(chunks[b"data"]).hexdigest()
    except (KeyError, ValueError, TypeError, struct.error):
        raise RiffError(
            f"{path.name} holds no recipe of ours: give a WAV or JSON file that riff make wrote."
        ) from None


def _checked(recipe: dict[str, Any]) -> dict[str, Any]:
    return {name: recipe[name] for name in ("request", "model", "codec", "samples", "sha256")}


def _chunks(body: bytes) -> dict[bytes, bytes]:
    chunks, at = {}, 0
    while at + 8 <= len(body):
        name, size = struct.unpack_from("<4sI", body, at)
        chunks[name] = body[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    return chunks
