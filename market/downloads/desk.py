"""What a link is answered with, and the counting of what has left: the part of downloads that a web process keeps."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from generation.credentials.manifest import origin_of
from market.api.files import Content, Stored
from market.catalog import service as catalog
from market.catalog.formats import Formats
from market.catalog.models import Loop
from market.db import Database
from market.downloads import service as downloads
from market.downloads.archive import Archive, Checksums
from market.downloads.service import Opened
from market.licensing import document, tiers
from market.licensing import service as licensing
from market.licensing.certificate import certificate
from market.settings import Settings
from market.storage import Storage

ZIP = "application/zip"
log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A file to be sent: `tag` changes with its bytes; `manifest` is the key of the credentials beside it."""

    content: Content
    media_type: str
    name: str
    tag: str
    manifest: str | None = None


class Desk:
    """Makes what links open, and writes down what was sent."""

    def __init__(self, settings: Settings, database: Database, storage: Storage, formats: Formats) -> None:
        self._settings = settings
        self._database = database
        self._storage = storage
        self._formats = formats
        self._checksums = Checksums(storage)
        self._noting: set[asyncio.Task[None]] = set()

    async def parcel(self, opened: Opened) -> Parcel:
        """What a link opens. Raises AssetMissing, StorageFull and RiffError."""
        loop = opened.loop
        name = catalog.request_of(loop).name
        if opened.link.format in ("stems", "zip"):
            parts = {f"stems/{name}-{role}.wav": await self._key(loop, "wav", role) for role in loop.stems}
            whole: dict[str, str | bytes] = dict(parts)
            if opened.link.format == "zip":
                whole = {
                    f"{name}.wav": await self._key(loop, "wav"),
                    f"{name}.mp3": await self._key(loop, "mp3"),
                    **parts,
                    **await self._papers(opened),
                }
            archive = await Archive.of(
                self._storage, self._checksums, {f"{name}/{p}": part for p, part in whole.items()}
            )
            suffix = "-stems" if opened.link.format == "stems" else ""
            return Parcel(archive, ZIP, f"{name}{suffix}.zip", archive.tag)
        signed = await self._formats.signed(loop, opened.link.format)
        stored = await Stored.of(self._storage, signed.key)
        tag = signed.key.rpartition("/")[2]
        return Parcel(stored, signed.media_type, f"{name}.{opened.link.format}", tag, signed.manifest)

    def note(self, digest: str, count: int) -> None:
        """Write down that so many bytes of a download have left; nobody waits for that."""
        task = asyncio.get_running_loop().create_task(self._note(digest, count))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def close(self) -> None:
        """Finish writing."""
        await asyncio.gather(*self._noting, return_exceptions=True)

    async def _note(self, digest: str, count: int) -> None:
        try:
            async with self._database.write() as session:
                await downloads.sent(session, digest, count)
        except Exception:
            log.exception("sent bytes were not written down", count=count)

    async def _key(self, loop: Loop, ending: str, stem: str = "") -> str:
        return (await self._formats.signed(loop, ending, stem)).key

    async def _papers(self, opened: Opened) -> Mapping[str, bytes]:
        """What comes with the sound: the recipe, where the model's sounds are from, and the licence if there is one."""
        loop, grant = opened.loop, opened.grant
        texts = {
            "recipe.json": json.dumps(loop.recipe, indent=1, sort_keys=True),
            "origin.txt": origin_of(loop.recipe),
        }
        if grant is None:
            return _written(texts)
        address = self._settings.public_url
        signed = document.signed(grant)
        texts |= {
            "attribution.txt": licensing.attribution(grant, address)["plain"],
            "licence/LICENCE.md": tiers.terms(grant.tier, grant.terms_version).text,
            "licence/licence.json": json.dumps(signed, ensure_ascii=False, indent=1),
        }
        peaks = json.loads(await self._storage.get(loop.peaks))
        page = f"{address}/licences/{grant.code}"
        pdf = await asyncio.to_thread(
            certificate, signed["licence"], signature=signed["signature"], page=page, peaks=peaks
        )
        return {**_written(texts), "licence/certificate.pdf": pdf}


def _written(texts: Mapping[str, str]) -> dict[str, bytes]:
    return {path: text.rstrip("\n").encode() + b"\n" for path, text in texts.items()}
