"""Sounds that people attach to messages, fetched from Discord's own host and nowhere else."""

import asyncio
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Self

import aiohttp
import discord
import yarl

from generation.errors import RiffError
from generation.fields import quoted
from market.studio.sources import MAX_UPLOAD_BYTES

ENDINGS = (".wav", ".mp3", ".ogg", ".oga", ".opus", ".flac", ".m4a")
_MIB = 1 << 20
_CHUNK = 1 << 18
_TIMEOUT = aiohttp.ClientTimeout(total=90, sock_connect=10, sock_read=20)
# Each may take MAX_UPLOAD_BYTES of memory.
_places = asyncio.Semaphore(4)


class SoundRefused(RiffError):
    """An attachment that is not brought over."""


@dataclass(frozen=True, slots=True)
class AttachedSound:
    """Where an attachment is, and what Discord says of it."""

    id: int
    name: str
    url: str
    size: int
    is_sound: bool

    @classmethod
    def of(cls, attachment: discord.Attachment) -> Self:
        kind = attachment.content_type or ""
        known = PurePosixPath(attachment.filename.lower()).suffix in ENDINGS
        return cls(
            attachment.id,
            attachment.filename,
            attachment.url,
            attachment.size,
            known or kind.startswith("audio/"),
        )

    def require(self) -> None:
        """That it may be fetched. Raises SoundRefused."""
        if not self.is_sound:
            raise SoundRefused(f"{quoted(self.name)} is no sound: attach WAV, MP3, OGG, Opus, FLAC or M4A.")
        if self.size > MAX_UPLOAD_BYTES:
            raise self._too_large()
        if yarl.URL(self.url).origin() != yarl.URL(discord.Asset.BASE).origin():
            raise SoundRefused(f"{quoted(self.name)} is not on Discord: attach it to a message here.")

    async def fetch(self) -> bytes:
        """Its content. Raises SoundRefused."""
        self.require()
        try:
            async with (
                _places,
                aiohttp.ClientSession(timeout=_TIMEOUT) as http,
                http.get(self.url, allow_redirects=False) as response,
            ):
                if response.status != 200:
                    raise SoundRefused(
                        f"Discord does not have {quoted(self.name)} any more: attach it again."
                    )
                content = bytearray()
                async for part in response.content.iter_chunked(_CHUNK):
                    content += part
                    if len(content) > MAX_UPLOAD_BYTES:
                        raise self._too_large()
                return bytes(content)
        except (aiohttp.ClientError, TimeoutError):
            raise SoundRefused(
                f"{quoted(self.name)} could not be fetched from Discord: try again in a moment."
            ) from None

    def _too_large(self) -> SoundRefused:
        return SoundRefused(
            f"{quoted(self.name)} is too large: a sound has at most {MAX_UPLOAD_BYTES // _MIB} MiB and a minute."
        )
