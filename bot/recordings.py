"""A loop's audio in a form that fits into a message.

The MP3 as the worker made it where it fits: it plays in every client and holds its content credentials. Else Ogg/Opus,
which sounds better where there is less room, at falling bit rates, its credentials in a file beside it. Else, where ten
attachments have no room for those, MP3 at falling bit rates.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bot.messages import Attached, sheet
from generation.audio import export
from market.catalog import service as catalog
from market.catalog.formats import CONTENT_TYPES, Formats
from market.catalog.models import Loop
from market.storage import Storage

LOWER_KBPS = (128, 96, 64, 48, 32)
# Bit rates vary with the music: what may turn out this much smaller than its name is worth the attempt.
SMALLEST_SHARE = 0.85
# More than content credentials take, with the longest of certificate chains.
CREDENTIALS = 32 << 10
WHOLE_UPLOAD = 24 << 20  # bytes, of Discord's 25 MiB per request: the form around the files counts too
MOST_ATTACHMENTS = 10
ENCODING = asyncio.Semaphore(2)


def attachable(loops: int) -> int:
    """How many of so many recordings a message takes beside the picture."""
    return min(loops, MOST_ATTACHMENTS - 1)


def room_for_audio(loops: int, picture_bytes: int, filesize_limit: int) -> int:
    """How many bytes each recording may have: the limit per file, and its share of the whole upload."""
    return min(filesize_limit, (WHOLE_UPLOAD - picture_bytes) // attachable(loops))


async def attached(
    storage: Storage, formats: Formats, loops: Sequence[Loop], filesize_limit: int
) -> tuple[list[tuple[Attached, ...]], bytes | None]:
    """What a message with these loops takes: the files of each recording, and the picture of all of them.

    What does not fit is empty or None. Raises AssetMissing and RiffError.
    """
    pictures = [await storage.get(loop.png) for loop in loops]
    whole = await asyncio.to_thread(sheet, pictures)
    picture = await formats.signed_bytes(whole, "image/png", loops, "spectrogram.png")
    room = room_for_audio(len(loops), len(picture), filesize_limit)
    fits = attachable(len(loops))
    # Each credentials file beside a recording is one more attachment.
    beside = 2 * fits < MOST_ATTACHMENTS
    audio: list[tuple[Attached, ...]] = [() for _ in loops]
    for number, loop in enumerate(loops[:fits]):
        audio[number] = await fitting(storage, formats, loop, room, beside=beside)
    return audio, picture if len(picture) <= filesize_limit else None


async def fitting(
    storage: Storage, formats: Formats, loop: Loop, room: int, *, beside: bool
) -> tuple[Attached, ...]:
    """The best signed recording of a loop in at most `room` bytes, named after its request; nothing where none is.

    `beside` says whether there may be a second file, with its credentials. Raises AssetMissing and RiffError.
    """
    name = catalog.request_of(loop).name
    if await storage.size(loop.mp3) + CREDENTIALS <= room:
        signed = await formats.signed(loop, "mp3")
        return (Attached(f"{name}.mp3", await storage.get(signed.key)),)
    room -= CREDENTIALS
    ladder = [("opus", kbps) for kbps in LOWER_KBPS if beside] + [("mp3", kbps) for kbps in LOWER_KBPS]
    ladder = [(ending, kbps) for ending, kbps in ladder if kbps * 125 * loop.seconds * SMALLEST_SHARE <= room]
    if not ladder:
        return ()
    async with ENCODING:
        with tempfile.TemporaryDirectory(prefix="riff-") as folder:
            sound = Path(folder) / "sound.wav"
            await storage.get_file(loop.wav, sound)
            for ending, kbps in ladder:
                smaller = Path(folder) / f"{name}.{'ogg' if ending == 'opus' else ending}"
                await asyncio.to_thread(
                    export.encode_file, sound, smaller, ending, export.tags_of(loop.recipe), kbps
                )
                if smaller.stat().st_size <= room:
                    return await _signed(formats, loop, smaller)
    return ()


async def _signed(formats: Formats, loop: Loop, file: Path) -> tuple[Attached, ...]:
    data = await asyncio.to_thread(file.read_bytes)
    if file.suffix == ".mp3":
        return (Attached(file.name, await formats.signed_bytes(data, "audio/mpeg", [loop], file.name)),)
    manifest = await formats.manifest(file, CONTENT_TYPES["opus"], loop)
    return Attached(file.name, data), Attached(f"{file.name}.c2pa", manifest)
