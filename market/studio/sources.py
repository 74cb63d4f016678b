"""Sounds to start from: those that people bring, and the loops that were made here, found by their SHA-256."""

import asyncio
import hashlib
import io
import re
import wave
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncSession

from generation.audio.ingest import read_audio
from generation.audio.pcm import CHANNELS, SAMPLE_BYTES, audio_of, pcm24, sha256
from generation.errors import InvalidRequest, SourceMissing
from generation.request import BARS, SAMPLE_RATE
from market.catalog import repository as catalog_rows
from market.catalog import service as catalog
from market.catalog.models import Loop
from market.db import Database
from market.errors import AssetMissing, NotFound, TooManyUploads
from market.storage import Storage
from market.studio import repository
from market.studio.models import SOURCES, Source, source_key

MAX_UPLOAD_BYTES = 32 * 2**20
UPLOADS_PER_HOUR = 20
# What nobody has used for so long, and no loop was made from, is removed.
KEPT = timedelta(days=7)
SOURCE_ID = re.compile("[0-9a-f]{24}")
DIGEST = re.compile("[0-9a-f]{64}")
MAX_NAME_LENGTH = 200
# What an extension is where it is not said: so many bars, which may leave the source's so far.
EXTEND_BARS = 2
EXTEND_STRENGTH = 0.9
# Reading a minute of sound takes a core for a second or two, and some 100 MB.
_readers = ThreadPoolExecutor(2, thread_name_prefix="sources")
log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound to start from: (samples, 2) at 44.1 kHz, and the recipe of it where it is a loop of ours."""

    audio: NDArray[np.float32]
    recipe: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Origin:
    """What a request starts from: the SHA-256 of its sound, and the fields of a request that it can fill."""

    digest: str
    parts: Mapping[str, Any]

    def completed(self, given: Mapping[str, object]) -> dict[str, object]:
        """What a door was given, and where it was not, what the source says; an extension adds to the source's bars."""
        filled = {**self.parts, **given, "source": self.digest}
        arrangement = given.get("arrangement")
        if not isinstance(arrangement, Mapping) or arrangement.get("kind") != "extend":
            return filled
        further = arrangement.get("bars")
        if further in (None, ""):
            filled["arrangement"] = {**arrangement, "bars": (further := EXTEND_BARS)}
        filled.setdefault("strength", EXTEND_STRENGTH)
        if "bars" not in given and "bars" in self.parts and isinstance(further, int):
            filled["bars"] = self.parts["bars"] + further
        return filled


async def keep(
    session: AsyncSession, storage: Storage, content: bytes | NDArray[np.float32], *, owner: str, name: str
) -> Source:
    """Keep a sound that a person brought: a file's content, or (samples, 2) float32 at 44.1 kHz.

    The same sound of the same owner is kept once. Raises UnreadableAudio, TooManyUploads and StorageFull. Give it a
    fresh session: what takes long is done before the first statement, so that no lock is held meanwhile.
    """
    heard = await asyncio.get_running_loop().run_in_executor(_readers, _hear, content, name)
    await repository.lock(session, owner)
    # From here to the commit nobody takes the file for one that was left behind.
    await repository.lock(session, heard.digest)
    now = datetime.now(UTC)
    known = await repository.source_of(session, owner, heard.digest)
    if known is not None:
        if not await storage.exists(known.key):
            await storage.put(known.key, heard.wav, "audio/wav")
        known.used_at = now
        return known
    if await repository.count_sources_since(session, owner, now - timedelta(hours=1)) >= UPLOADS_PER_HOUR:
        raise TooManyUploads(UPLOADS_PER_HOUR)
    await storage.put(source_key(heard.digest), heard.wav, "audio/wav")
    source = Source(
        id=hashlib.sha256(f"{owner} {heard.digest}".encode()).hexdigest()[:24],
        owner=owner,
        sha256=heard.digest,
        name=_printable(name),
        samples=heard.samples,
        bpm=heard.bpm,
        metre=heard.metre,
        downbeat=heard.downbeat,
        confidence=heard.confidence,
        created_at=now,
        used_at=now,
    )
    session.add(source)
    await session.flush()
    return source


async def get(session: AsyncSession, source_id: str, owner: str) -> Source:
    """A sound that this owner brought. Raises NotFound, for somebody else's too."""
    source = await repository.get_source(session, source_id) if SOURCE_ID.fullmatch(source_id) else None
    if source is None or source.owner != owner:
        raise NotFound("upload", source_id)
    return source


async def find(session: AsyncSession, name: object, owner: str) -> Origin:
    """What a request may start from, by a loop's id, the id of this owner's upload, or the SHA-256 of a sound.

    Raises InvalidRequest, NotFound, SourceMissing, and LicenceNeeded and LoopRemoved for somebody else's loop.
    """
    if not isinstance(name, str):
        raise InvalidRequest("source", "The source is the id of a loop or of an upload, or a SHA-256.")
    if DIGEST.fullmatch(name):
        loop = await _usable(session, name, owner)
        if loop is not None:
            return _origin_of_loop(loop)
        source = await repository.any_source(session, name)
        if source is None:
            raise SourceMissing(name)
        return _origin_of_source(source)
    if SOURCE_ID.fullmatch(name):
        return _origin_of_source(await get(session, name, owner))
    loop = await catalog.get(session, name)
    await catalog.require_use(session, loop, owner)
    return _origin_of_loop(loop)


async def _usable(session: AsyncSession, digest: str, owner: str) -> Loop | None:
    """A loop with these samples, if there is one, that this owner may start from.

    Whoever made or brought the same sound has it already. Raises LicenceNeeded and LoopRemoved.
    """
    loops = await catalog_rows.with_digest(session, digest)
    if not loops:
        return None
    has_it = await catalog_rows.made_by(session, digest, owner) or await repository.source_of(
        session, owner, digest
    )
    if not has_it:
        for loop in loops:
            await catalog.require_use(session, loop, owner)
    return loops[0]


def _origin_of_loop(loop: Loop) -> Origin:
    if loop.bars > BARS[1]:
        raise InvalidRequest(
            "source", f"This {loop.kind} has {loop.bars} bars: at most {BARS[1]} are possible to start from."
        )
    parts = {"prompt": loop.prompt, "bars": loop.bars, "bpm": loop.bpm, "metre": loop.metre, "key": loop.key}
    return Origin(loop.sha256, parts)


def _origin_of_source(source: Source) -> Origin:
    from generation.arrange.grid import Grid

    grid = Grid(source.bpm, source.downbeat, source.confidence, source.metre)
    return Origin(source.sha256, grid.settings(source.samples))


async def hold(session: AsyncSession, digest: str, owner: str) -> None:
    """Make sure that a sound is here, and stays as long as an order that is placed in this transaction needs it.

    Raises SourceMissing, and LicenceNeeded and LoopRemoved for somebody else's loop.
    """
    is_brought = await repository.touch_sources(session, digest, datetime.now(UTC))
    if await _usable(session, digest, owner) is None and not is_brought:
        raise SourceMissing(digest)


async def sound_of(session: AsyncSession, storage: Storage, digest: str) -> Sound:
    """The sound with this SHA-256. Raises SourceMissing."""
    loop = await catalog_rows.by_digest(session, digest)
    try:
        data = await storage.get(source_key(digest) if loop is None else loop.wav)
    except AssetMissing:
        raise SourceMissing(digest) from None
    return Sound(await asyncio.to_thread(_samples, data), None if loop is None else loop.recipe)


async def clear(database: Database, storage: Storage, before: datetime) -> None:
    """Remove what people brought and nobody has used since a moment, unless an order or a loop names it.

    With it go files that a killed process left without a row.
    """
    async with database.write() as session:
        await repository.delete_unused_sources(session, before)
    found = {PurePosixPath(key).stem: key for key in await storage.list(SOURCES)}
    async with database.read() as session:
        gone = set(found) - await repository.source_digests(session)
    for digest in gone:
        async with database.write() as session:
            await repository.lock(session, digest)
            # Somebody may have brought it again meanwhile.
            if await repository.any_source(session, digest) is None:
                await storage.delete(found[digest])
                log.info("an unused upload was removed", sha256=digest)


@dataclass(frozen=True, slots=True)
class _Heard:
    wav: bytes
    digest: str
    samples: int
    bpm: float
    metre: str
    downbeat: int
    confidence: float


def _hear(content: bytes | NDArray[np.float32], name: str) -> _Heard:
    from generation.arrange.grid import find_grid

    audio = read_audio(content, name=name) if isinstance(content, bytes) else content
    grid = find_grid(audio)
    return _Heard(
        wav=_wav(audio),
        digest=sha256(audio),
        samples=len(audio),
        bpm=grid.bpm,
        metre=grid.metre,
        downbeat=grid.downbeat_samples,
        confidence=grid.confidence,
    )


def _wav(audio: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(CHANNELS)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm24(audio))
    return buffer.getvalue()


def _samples(data: bytes) -> NDArray[np.float32]:
    with wave.open(io.BytesIO(data)) as file:
        return audio_of(file.readframes(file.getnframes()))


def _printable(name: str) -> str:
    plain = "".join(character if character.isprintable() else "?" for character in name)
    return plain[:MAX_NAME_LENGTH]
