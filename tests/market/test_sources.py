"""Sounds that people bring: what is taken, what is refused, what a riff takes over from one, and when it goes."""

import asyncio
import io
import time
import wave
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from generation.audio import export
from generation.audio.pcm import pcm24, sha256
from market.db import Database
from market.models import RiffOrder, Source
from market.storage import Storage
from market.studio import service as studio
from market.studio import sources
from market.studio.models import SOURCES
from market.studio.sources import MAX_UPLOAD_BYTES, UPLOADS_PER_HOUR
from tests.market.conftest import beat, count, loop, order, wav, wish

RATE = 44_100


def two_hours() -> bytes:
    """At 4 kHz in 8 bits, so that it is let in at all."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 1, 4_000, 0, "NONE", ""))
        file.writeframes(bytes(range(256)) * (2 * 3600 * 4_000 // 256))
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("beat.wav", wav(beat()))
    return buffer.getvalue()


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (512, 512)).save(buffer, "PNG")
    return buffer.getvalue()


async def test_a_sound_is_brought_once(
    http: httpx.AsyncClient, server: str, database: Database, storage: Storage
) -> None:
    sound = beat(bpm=100)
    answer = await http.post("/v1/uploads", params={"name": "beat.wav"}, content=wav(sound))
    assert answer.status_code == 201
    brought = answer.json()
    assert brought == {
        "id": brought["id"],
        "sha256": sha256(sound),
        "name": "beat.wav",
        "seconds": 4.8,
        "samples": 211_680,
        "bpm": pytest.approx(100, rel=0.01),
        "metre": "4/4",
        "downbeat_seconds": brought["downbeat_seconds"],
        "confidence": brought["confidence"],
        "created_at": brought["created_at"],
    }
    assert 0 <= brought["confidence"] <= 1
    path = answer.headers["location"]
    assert path == f"/v1/uploads/{brought['id']}"
    assert (await http.get(path)).json() == brought
    [key] = await storage.list(SOURCES)
    with wave.open(io.BytesIO(await storage.get(key))) as file:
        assert file.getparams()[:4] == (2, 3, RATE, 211_680)
        assert np.array_equal(pcm24(sound), file.readframes(211_680))

    # As a form, as another format with the same samples, under another name: it is the same sound.
    form = await http.post("/v1/uploads", files={"file": ("other.wav", wav(sound))})
    flac = await http.post("/v1/uploads", content=export.encode(wav(sound), "flac", {}))
    assert (form.status_code, flac.status_code) == (200, 200)
    assert form.json() == flac.json() == brought
    assert await count(database, Source) == 1

    async with httpx.AsyncClient(base_url=server) as stranger:
        assert (await stranger.get(path)).status_code == 404
        theirs = await stranger.post("/v1/uploads", content=wav(sound))
        assert (theirs.status_code, theirs.json()["sha256"]) == (201, brought["sha256"])
        assert theirs.json()["id"] != brought["id"]
        refusal = await stranger.post("/v1/riffs", json={"prompt": "x", "source": brought["id"]})
        assert (refusal.status_code, refusal.json()["detail"]) == (
            404,
            f"There is no upload {brought['id']}.",
        )
    assert await storage.list(SOURCES) == [key]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (bytes, "There is no sound in the body: send the file as it is."),
        (lambda: wav(np.zeros((RATE, 2), np.float32)), "brought.wav is silent: there is nothing to start from."),
        (lambda: wav(beat()[:132]), "brought.wav lasts 3 ms: at least half a second is needed."),
        (lambda: wav(beat(), channels=24), "brought.wav has 24 channels: at most 8 are possible, two are best."),
        (two_hours, "brought.wav lasts 120 min 0 s: at most 60 seconds are possible"),
        (lambda: export.encode(wav(beat(bars=8)), "mp3", {})[:60_000], "brought.wav is cut off or damaged: only "),
        (zipped, "brought.wav is not audio that can be read: give a WAV, MP3"),
        (picture, "brought.wav is not audio that can be read: give a WAV, MP3"),
        (lambda: b"#EXTM3U\nfile:///etc/passwd\n", "brought.wav is not audio that can be read: give a WAV, MP3"),
        (lambda: wav(beat())[:44], "brought.wav lasts 0 ms: at least half a second is needed."),
    ],
)  # fmt: skip
async def test_bad_files_are_refused_in_a_sentence(
    http: httpx.AsyncClient,
    database: Database,
    storage: Storage,
    content: Callable[[], bytes],
    sentence: str,
) -> None:
    data = await asyncio.to_thread(content)
    started = time.monotonic()
    answer = await http.post("/v1/uploads", params={"name": "brought.wav"}, content=data)
    assert time.monotonic() - started < 20
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["detail"].startswith(sentence)
    assert answer.json()["detail"].endswith(".")
    assert await count(database, Source) == 0
    assert await storage.list("") == []


async def test_too_much_and_nothing_at_all(http: httpx.AsyncClient, storage: Storage) -> None:
    too_much = await http.post("/v1/uploads", content=bytes(MAX_UPLOAD_BYTES + 1))
    assert (too_much.status_code, too_much.json()["detail"]) == (413, "This request is too large.")
    no_file = await http.post("/v1/uploads", data={"name": "beat"}, files={"other": b"x"})
    assert (no_file.status_code, no_file.json()["detail"]) == (
        422,
        "There is no file in the form: send it as the part “file”.",
    )
    assert await storage.list("") == []


async def test_so_many_an_hour(http: httpx.AsyncClient, database: Database, storage: Storage) -> None:
    first = await http.post("/v1/uploads", content=wav(beat()))
    async with database.write() as session:
        mine = await session.scalar(sa.select(Source))
        assert mine is not None
        session.add_all(source(f"{number:064x}", mine.owner) for number in range(UPLOADS_PER_HOUR - 1))
    refusal = await http.post("/v1/uploads", content=wav(beat(bpm=90)))
    assert (refusal.status_code, refusal.json()["detail"]) == (
        429,
        f"You have uploaded {UPLOADS_PER_HOUR} files within an hour: try again in a while.",
    )
    assert await count(database, Source) == UPLOADS_PER_HOUR
    assert await storage.list(SOURCES) == [f"{SOURCES}{first.json()['sha256']}.wav"]
    assert (await http.post("/v1/uploads", content=wav(beat()))).status_code == 200

    async with database.write() as session:
        await session.execute(sa.update(Source).values(created_at=datetime.now(UTC) - timedelta(hours=2)))
    assert (await http.post("/v1/uploads", content=wav(beat(bpm=90)))).status_code == 201


async def test_what_is_not_said_is_the_sources(http: httpx.AsyncClient, database: Database) -> None:
    riff_id = await order(database, wish("a waltz", bars=2, bpm=90, key="Am"))
    made = loop(riff_id, 0)
    made.prompt, made.bars, made.bpm, made.metre, made.key, made.sha256 = (
        "a waltz",
        2,
        90.0,
        "3/4",
        "Am",
        "a" * 64,
    )
    long = loop(riff_id, 1)
    long.kind, long.bars, long.sha256 = "song", 70, "b" * 64
    async with database.write() as session:
        await studio.finish(session, riff_id, [made, long])
    brought = (await http.post("/v1/uploads", content=wav(beat(bpm=100)))).json()

    async def placed(**wishes: Any) -> dict[str, Any]:
        answer = await http.post("/v1/riffs", json=wishes)
        assert answer.status_code == 202, answer.text
        request: dict[str, Any] = answer.json()["request"]
        assert (await http.delete(answer.json()["links"]["self"])).status_code == 200
        return request

    def asked(request: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(request[field] for field in ("source", "prompt", "bars", "bpm", "metre", "key"))

    for name in (f"{riff_id}-0", "a" * 64):
        assert asked(await placed(source=name)) == ("a" * 64, "a waltz", 2, 90.0, "3/4", "Am")
    remix = await placed(source=f"{riff_id}-0", prompt="church bells", bpm=100, key="C")
    assert asked(remix) == ("a" * 64, "church bells", 2, 100.0, "3/4", "C")
    assert remix["strength"] == 0.6
    extended = await placed(source=f"{riff_id}-0", arrangement={"kind": "extend", "side": "before"})
    assert (extended["bars"], extended["strength"]) == (4, 0.9)
    assert extended["arrangement"] == {"kind": "extend", "bars": 2, "side": "before"}
    assert (await placed(source=f"{riff_id}-0", arrangement={"kind": "extend", "bars": 5}))["bars"] == 7
    for name in (brought["id"], brought["sha256"]):
        request = await placed(source=name, prompt="a harpsichord", keep="groove")
        assert asked(request)[:3] == (brought["sha256"], "a harpsichord", 2)
        assert request["bpm"] == pytest.approx(100, rel=0.01)

    before = await count(database, RiffOrder)
    for wishes, status, sentence in [
        ({"source": f"{riff_id}-1"}, 422, "This song has 70 bars: at most 16 are possible to start from."),
        ({"source": f"{riff_id}-9"}, 404, f"There is no loop {riff_id}-9."),
        ({"source": "nonsense"}, 404, "There is no loop nonsense."),
        ({"source": "0" * 24}, 404, f"There is no upload {'0' * 24}."),
        ({"source": 7}, 422, "The source is the id of a loop or of an upload, or a SHA-256."),
        ({"source": "c" * 64}, 422, "The sound that this starts from (cccccccccccc…) is not here: give the same file"),
        ({"source": brought["id"]}, 422, "The prompt is empty: say what you want to hear."),
        ({"prompt": "x", "keep": "groove"}, 422, "There is nothing to start from: keep needs a source."),
        (
            {"source": f"{riff_id}-0", "arrangement": {"kind": "repaint", "bars": "2-3"}},
            422,
            "The loop has bars 1 to 2: “2-3” is not among them.",
        ),
        (
            {"source": f"{riff_id}-0", "arrangement": {"kind": "song"}},
            422,
            "A song starts from prompts only, without a source.",
        ),
        (
            {"source": f"{riff_id}-0", "arrangement": {"kind": "extend", "bars": 15}},
            422,
            "bars has to be from 1 to 16, not “17”.",
        ),
    ]:  # fmt: skip
        refusal = await http.post("/v1/riffs", json=wishes)
        assert (refusal.status_code, refusal.json()["detail"][: len(sentence)]) == (status, sentence)
    assert await count(database, RiffOrder) == before


async def test_what_nobody_uses_goes(database: Database, storage: Storage) -> None:
    async with database.write() as session:
        kept = await sources.keep(session, storage, beat(), owner="a", name="kept.wav")
        needed = await sources.keep(session, storage, beat(bpm=90), owner="a", name="needed.wav")
        unused = await sources.keep(session, storage, wav(beat(bpm=80)), owner="a", name="unused.wav")
        cancelled = await sources.keep(session, storage, beat(bpm=70), owner="a", name="cancelled.wav")
    for digest, key in ((kept.sha256, "kept"), (needed.sha256, "needed"), (cancelled.sha256, "cancelled")):
        riff_id = await order(database, wish(source=digest), key=key)
        async with database.write() as session:
            if key == "kept":
                await studio.finish(session, riff_id, [loop(riff_id, 0)])
            elif key == "cancelled":
                await studio.cancel(session, riff_id, "somebody")
    orphan = f"{SOURCES}{'0' * 64}.wav"
    await storage.put(orphan, b"left by a killed process", "audio/wav")

    await sources.clear(database, storage, kept.created_at)
    everything = sorted(found.key for found in (kept, needed, unused, cancelled))
    assert await storage.list(SOURCES) == everything
    await sources.clear(database, storage, datetime.now(UTC) + timedelta(seconds=1))
    assert await storage.list(SOURCES) == sorted([kept.key, needed.key])
    assert await count(database, Source) == 2
    async with database.read() as session:
        found = await sources.sound_of(session, storage, kept.sha256)
    assert (sha256(found.audio), found.recipe) == (kept.sha256, None)
    with pytest.raises(sources.SourceMissing):
        await order(database, wish(source=unused.sha256), key="again")


async def test_the_same_file_from_many_at_once(database: Database, storage: Storage) -> None:
    """Uploads and the sweep take turns at a file: whoever is told that it is kept finds it."""

    async def bring(owner: str) -> Source:
        async with database.write() as session:
            return await sources.keep(session, storage, beat(), owner=owner, name="beat.wav")

    async def sweep() -> None:
        await sources.clear(database, storage, datetime.now(UTC) - timedelta(days=1))

    await storage.put(sources.source_key(sha256(beat())), wav(beat()), "audio/wav")
    brought, *_ = await asyncio.gather(
        asyncio.gather(*(bring(owner) for owner in "aabbc")), *(sweep() for _ in range(5))
    )
    assert len({found.id for found in brought}) == await count(database, Source) == 3
    assert len(await storage.get(brought[0].key)) == len(wav(beat()))


def source(digest: str, owner: str) -> Source:
    """The row of a sound that is not there."""
    now = datetime.now(UTC)
    return Source(
        id=digest[-24:],
        owner=owner,
        sha256=digest,
        name="x.wav",
        samples=RATE,
        bpm=120.0,
        metre="4/4",
        downbeat=0,
        confidence=1.0,
        created_at=now,
        used_at=now,
    )
