"""Ways to look at the market from a test."""

import io
import json
import wave
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import numpy as np
import pytest_asyncio
import sqlalchemy as sa
from numpy.typing import NDArray

from generation.audio.pcm import pcm24, sha256
from generation.request import SAMPLE_RATE, RiffRequest, Take
from market.db import Database
from market.models import Loop, RiffOrder
from market.storage import Storage
from market.studio import service as studio
from market.studio.assets import Assets, loop_of
from market.studio.models import OPEN
from tests.conftest import until

# Half a minute of work for the tiny model, a few seconds, and a few tenths of one.
ENDLESS = {"bars": 16, "steps": 100, "takes": 4}
LONG = {"bars": 4, "steps": 100, "takes": 3}
SHORT = {"bars": 1, "steps": 1}


@pytest_asyncio.fixture
async def http(server: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client that keeps its cookies."""
    async with httpx.AsyncClient(base_url=server, timeout=30) as client:
        yield client


def wish(prompt: str = "church bells", seed: int = 3, **more: Any) -> RiffRequest:
    return RiffRequest.parse(prompt=prompt, seed=seed, **more)


def loop(riff_id: str, take: int) -> Loop:
    """The row of a finished take."""
    return Loop(
        id=f"{riff_id}-{take}",
        riff_id=riff_id,
        take=take,
        prompt="church bells",
        bpm=120.0,
        key=None,
        bars=4,
        metre="4/4",
        seed=3 + take,
        seconds=8.0,
        samples=352_800,
        sha256="0" * 64,
        model="none",
        recipe={"request": wish(seed=3 + take).to_dict()},
        created_at=datetime.now(UTC),
        wav="w",
        mp3="m",
        png="p",
        peaks="j",
    )


def beat(bpm: float = 120, bars: int = 2, level: float = 0.5) -> NDArray[np.float32]:
    """A kick on one and after three, a snare on two and four, hats in eighths, and a low note from one to three."""
    random = np.random.default_rng(1)
    samples = round(bars * 240 * SAMPLE_RATE / bpm)
    sound = np.zeros(samples)
    place = np.arange(8_000) / SAMPLE_RATE
    kick = np.sin(2 * np.pi * (50 * place + 6 * np.exp(-place * 30))) * np.exp(-place * 18)
    noise = random.standard_normal(8_000)
    bass = 0.5 * np.sin(2 * np.pi * 55 * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE)
    for eighth in range(bars * 8):
        at = round(eighth * 30 * SAMPLE_RATE / bpm)
        hits = [0.3 * noise * np.exp(-place * 90)]
        if eighth % 8 in (0, 5):
            hits.append(kick)
        if eighth % 8 == 0:
            sound[at : at + round(60 * SAMPLE_RATE / bpm)] += bass[: round(60 * SAMPLE_RATE / bpm)]
        if eighth % 4 == 2:
            hits.append(0.8 * noise * np.exp(-place * 22))
        for hit in hits:
            stretch = sound[at : at + len(hit)]
            stretch += hit[: len(stretch)]
    return np.repeat((level * sound / np.abs(sound).max())[:, None], 2, 1).astype(np.float32)


def wav(sound: NDArray[np.float32], channels: int = 2, rate: int = SAMPLE_RATE) -> bytes:
    """(samples, 2) as a 24-bit WAV; the left side in as many channels as that."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(3)
        file.setframerate(rate)
        file.writeframes(pcm24(np.repeat(sound[:, :1], channels, 1)))
    return buffer.getvalue()


async def finished(database: Database, storage: Storage, sound: NDArray[np.float32] | None = None) -> Loop:
    """A loop of 2 bars with all its files, as a worker keeps it."""
    riff_id = await order(database, wish(bars=2))
    sound = beat() if sound is None else sound
    recipe = {
        "request": wish(bars=2).to_dict(),
        "model": "none",
        "codec": "none",
        "samples": len(sound),
        "sha256": sha256(sound),
    }
    image = np.tile(np.linspace(0, 255, 160).astype(np.uint8), (256, 1))
    record = await Assets.make(0, Take(sound, image, recipe)).keep(storage, riff_id)
    made = loop_of(riff_id, record, datetime.now(UTC))
    async with database.write() as session:
        await studio.finish(session, riff_id, [made])
    return made


async def order(database: Database, request: RiffRequest, owner: str = "somebody", key: str = "a") -> str:
    """Place a riff; its id."""
    async with database.write() as session:
        placed = await studio.place(session, request, owner=owner, door="cli", idempotency_key=key)
    return placed.id


async def look(database: Database, riff_id: str) -> RiffOrder:
    async with database.read() as session:
        return await studio.get(session, riff_id)


async def bodies(database: Database, riff_id: str) -> list[dict[str, Any]]:
    """What happened to a riff, in order."""
    async with database.read() as session:
        return [event.body for event in await studio.events(session, riff_id)]


async def ended(database: Database, riff_id: str, within: float = 240.0) -> RiffOrder:
    """Wait until a riff is done, failed or cancelled."""
    return await until(lambda: look(database, riff_id), lambda riff: riff.status not in OPEN, within)


async def in_the_making(database: Database, riff_id: str, beyond: float = 0.1) -> None:
    """Wait until a worker has told of some progress with a riff; it must not be through yet."""
    [*_, last] = await until(
        lambda: bodies(database, riff_id), lambda events: events[-1]["fraction"] > beyond
    )
    assert last["type"] == "progress"


async def count(database: Database, table: Any) -> int:
    """How many rows a table has."""
    async with database.read() as session:
        return await session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


async def queued_workflows(database: Database) -> int:
    """How many workflows the job engine knows of."""
    return await count(
        database, sa.table("workflow_status", schema="dbos" if is_postgresql(database) else None)
    )


def is_postgresql(database: Database) -> bool:
    return database.engine.dialect.name == "postgresql"


async def messages(response: httpx.Response) -> AsyncIterator[tuple[str | None, dict[str, Any]]]:
    """The server-sent events of a response: id and data."""
    seq: str | None = None
    async for line in response.aiter_lines():
        if line.startswith("id: "):
            seq = line[4:]
        elif line.startswith("data: "):
            yield seq, json.loads(line[6:])
            seq = None
