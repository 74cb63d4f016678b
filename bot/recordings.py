"""A loop's audio in a form that fits into a message: MP3, at a lower bit rate where the limit is tight."""

import asyncio
import io
import wave

import numpy as np
from numpy.typing import NDArray

from bot.messages import Attached
from generation.audio import export
from generation.request import Take
from market.catalog import service as catalog
from market.catalog.formats import Formats
from market.catalog.models import Loop
from market.storage import Storage

LOWER_BIT_RATES = (96, 64, 48)
# More than content credentials take, with the longest of certificate chains.
CREDENTIALS = 32 << 10
WHOLE_UPLOAD = 24 << 20  # bytes, of Discord's 25 MiB per request: the form around the files counts too


def room_for_audio(takes: int, picture_bytes: int, filesize_limit: int) -> int:
    """How many bytes each recording may have: the limit per file, and its share of the whole upload."""
    return min(filesize_limit, (WHOLE_UPLOAD - picture_bytes) // takes)


async def fitting(storage: Storage, formats: Formats, loop: Loop, room: int) -> Attached | None:
    """The best signed MP3 of a loop that is at most `room` bytes long, named after its request; None where none is.

    Raises AssetMissing.
    """
    name = f"{catalog.request_of(loop).name}.mp3"
    if await storage.size(loop.mp3) + CREDENTIALS <= room:
        signed = await formats.signed(loop, "mp3")
        return Attached(name, await storage.get(signed.key))
    room -= CREDENTIALS
    if LOWER_BIT_RATES[-1] * 1000 / 8 * loop.seconds > room:
        return None
    smaller = await asyncio.to_thread(_reencoded, await storage.get(loop.wav), loop, room)
    if smaller is None:
        return None
    return Attached(name, await formats.signed_bytes(smaller, "audio/mpeg", [loop], name))


def _reencoded(wav: bytes, loop: Loop, room: int) -> bytes | None:
    take = Take(audio=_samples(wav), image=np.empty((0, 0), np.uint8), recipe=loop.recipe)
    for kbps in LOWER_BIT_RATES:
        recording = export.mp3(take, bitrate_kbps=kbps)
        if len(recording) <= room:
            return recording
    return None


def _samples(wav: bytes) -> NDArray[np.float32]:
    """The sound of a 24-bit WAV of ours, (samples, channels) in [-1, 1]."""
    with wave.open(io.BytesIO(wav)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.uint8).reshape(-1, 3)
        channels = file.getnchannels()
    # Three bytes become the upper ones of four, so that the sign is where numpy looks for it.
    padded = np.concatenate([np.zeros((len(pcm), 1), np.uint8), pcm], axis=1)
    return (padded.view("<i4").reshape(-1, channels) / np.float32(2**31)).astype(np.float32)
