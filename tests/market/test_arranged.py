"""Everything that a riff can be, asked for over REST and made by a real worker."""

import asyncio
import io
import json
import wave
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from generation.audio.pcm import audio_of, sha256
from market.catalog.schemas import LoopOut
from market.db import Database
from market.models import Loop
from market.settings import Settings
from market.storage import Storage
from market.studio import service as studio
from tests.conftest import StartWorker, until
from tests.market.conftest import (
    beat,
    bodies,
    count,
    ended,
    finished,
    in_the_making,
    look,
    messages,
    order,
    wav,
    wish,
)

# Nothing that depends on the database.
SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
BELLS = {"prompt": "church bells", "bars": 2, "bpm": 120, "steps": 1, "seed": 3}
BELL = BELLS | {"bars": 1}
BAR = 88_200
# A dozen loops for the tiny model.
SONG = {"prompt": "church bells", "bars": 2, "bpm": 200, "steps": 1, "seed": 3}
SHORT_SONG = {"kind": "song", "seconds": 30, "form": "A A outro"}


async def test_all_of_it_at_once(
    http: httpx.AsyncClient, worker: StartWorker, database: Database, storage: Storage
) -> None:
    worker()
    [bells] = await made(http, BELLS)
    brought = (await http.post("/v1/uploads", content=wav(beat(bpm=100)))).json()
    arranged = {
        "series": BELL | {"arrangement": {"kind": "morph", "prompts": ["electronic beats"], "loops": 3}},
        "piece": BELL
        | {"arrangement": {"kind": "morph", "prompts": ["drums"], "loops": 2, "over": "time", "curve": "ease"}},
        "vary": {"source": bells["id"], "keep": "groove", "prompt": "a harpsichord", "steps": 1, "seed": 4},
        "repaint": {
            "source": bells["id"],
            "arrangement": {"kind": "repaint", "bars": 2},
            "steps": 1,
            "seed": 4,
        },
        "extend": {"source": bells["id"], "arrangement": {"kind": "extend", "bars": 1}, "steps": 1, "seed": 4},
        "remix": {"source": brought["id"], "prompt": "church bells", "steps": 2, "seed": 4},
        "layers": BELL | {"arrangement": {"kind": "layers", "drums": "", "bass": "acid bass"}},
        "song": SONG | {"arrangement": SHORT_SONG},
    }  # fmt: skip
    loops = dict(
        zip(arranged, await asyncio.gather(*(made(http, one) for one in arranged.values())), strict=True)
    )
    # One by one is how they are made; who is at which place was told meanwhile.
    song = loops["song"][0]
    measures = {
        name: [(loop["kind"], loop["bars"], loop["samples"]) for loop in found]
        for name, found in loops.items()
    }
    assert measures == {
        "series": [("loop", 1, BAR)] * 3,
        "piece": [("piece", 2, 2 * BAR)],
        "vary": [("loop", 2, 2 * BAR)],
        "repaint": [("loop", 2, 2 * BAR)],
        "extend": [("loop", 3, 3 * BAR)],
        "remix": [("loop", 2, 211_680)],
        "layers": [("loop", 1, BAR)],
        "song": [("song", song["bars"], song["bars"] * 52_920)],
    }  # fmt: skip
    assert 25 < song["seconds"] < 40
    assert len({loop["sha256"] for found in loops.values() for loop in found}) == 10

    sounds = {name: await sound_of(http, found[0]) for name, found in loops.items()}
    before = await sound_of(http, bells)
    assert np.array_equal(sounds["repaint"][:BAR], before[:BAR])
    assert not np.array_equal(sounds["repaint"], before)
    assert np.array_equal(sounds["extend"][: 2 * BAR], before)
    for name in ("vary", "repaint", "extend"):
        assert loops[name][0]["recipe"]["source"] == {"sha256": bells["sha256"], "recipe": bells["recipe"]}
    assert loops["remix"][0]["recipe"]["source"] == {"sha256": brought["sha256"]}

    [layered] = loops["layers"]
    assert set(layered["links"]["stems"]) == {"drums", "bass"}
    stems = [samples((await http.get(link)).content) for link in layered["links"]["stems"].values()]
    assert np.abs(sum(stems) - sounds["layers"]).max() < 1e-4
    missing = await http.get(f"/v1/loops/{layered['id']}/stems/lead.wav")
    assert (missing.status_code, missing.json()["detail"]) == (404, "There is no stem “lead” of this loop.")

    for found in loops.values():
        for loop in found:
            await has_its_files(http, storage, loop)
    pages = [f"/loops/{loop['id']}" for found in loops.values() for loop in found] + ["/", "/loops"]
    assert [(await http.get(page)).status_code for page in pages] == [200] * len(pages)
    page = (await http.get(f"/loops/{layered['id']}")).text
    assert all(link in page for link in layered["links"]["stems"].values())
    # What a person made from can be varied by anyone who hears it.
    again = await http.post(f"/loops/{loops['repaint'][0]['id']}/again")
    request = (await look(database, again.headers["location"].rpartition("/")[2])).request
    assert request["arrangement"] == {
        "kind": "repaint",
        "first": 2,
        "last": 2,
        "low_hz": None,
        "high_hz": None,
    }
    assert request["source"] == bells["sha256"]


@SQLITE
async def test_every_format_is_made_once(
    http: httpx.AsyncClient, database: Database, storage: Storage
) -> None:
    loop = LoopOut.of(await finished(database, storage)).model_dump()
    kept = await storage.list("loops")
    links = loop["links"]
    answers = {
        kind: await asyncio.gather(*(http.get(links[kind]) for _ in range(3)))
        for kind in ("flac", "ogg", "opus", "light", "video")
    }
    files = {}
    for kind, (first, *others) in answers.items():
        assert [answer.status_code for answer in (first, *others)] == [200] * 3, kind
        assert all(other.content == first.content for other in others), kind
        files[kind] = first.content
    assert {kind: answer[0].headers["content-type"] for kind, answer in answers.items()} == {
        "flac": "audio/flac",
        "ogg": "audio/ogg",
        "opus": "audio/ogg",
        "light": "image/png",
        "video": "video/mp4",
    }
    # FLAC's header holds the number of samples (RFC 9639, section 8.2).
    assert int.from_bytes(files["flac"][21:26]) & (1 << 36) - 1 == loop["samples"]
    assert b"vorbis" in files["ogg"][:100]
    assert b"OpusHead" in files["opus"][:100]
    assert files["video"][4:8] == b"ftyp"
    light = np.asarray(Image.open(io.BytesIO(files["light"])).convert("L"))
    dark = np.asarray(Image.open(io.BytesIO((await http.get(links["png"])).content)).convert("L"))
    assert light.shape == dark.shape
    assert light.mean() > 128 > dark.mean()
    further = sorted(set(await storage.list("loops")) - set(kept))
    assert [key.partition(".")[2] for key in further] == ["flac", "light.png", "mp4", "ogg", "opus"]
    part = await http.get(links["flac"], headers={"range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"fLaC")
    again = await http.get(links["flac"], headers={"if-none-match": part.headers["etag"]})
    assert again.status_code == 304


@SQLITE
async def test_a_song_that_was_killed_is_made_once_and_leaves_nothing(
    worker: StartWorker, database: Database, storage: Storage, settings: Settings
) -> None:
    riff_id = await order(database, wish(**{**SONG, "steps": 8}, arrangement=SHORT_SONG))
    first = worker()
    await in_the_making(database, riff_id, beyond=0.2)
    first.kill()
    scratch = settings.data_dir / "workers/0.scratch"
    assert await asyncio.to_thread(files_in, scratch)
    second = worker()
    riff = await ended(database, riff_id)
    assert (riff.status, riff.error) == ("done", None)
    [song] = riff.loops
    assert await count(database, Loop) == 1
    fractions = [body["fraction"] for body in await bodies(database, riff_id)]
    assert fractions[-1] == 1
    assert await until(lambda: storage.list("loops"), lambda keys: keys == sorted(song.keys), within=20)
    assert sha256(samples(await storage.get(song.wav))) == song.sha256
    assert await asyncio.to_thread(second.stop) == 0
    assert await asyncio.to_thread(files_in, scratch) == []


@SQLITE
async def test_a_song_is_cancelled_within_a_section(
    worker: StartWorker, database: Database, storage: Storage, settings: Settings
) -> None:
    endless = {"kind": "song", "seconds": 360}
    riff_id = await order(database, wish(bars=8, steps=100, arrangement=endless), key="song")
    after = await order(database, wish(bars=1, steps=1), key="after")
    worker()
    await in_the_making(database, riff_id, beyond=0.001)
    async with database.write() as session:
        await studio.cancel(session, riff_id, "somebody")
    assert (await ended(database, after)).status == "done"
    assert (await look(database, riff_id)).loops == []
    assert await storage.list(f"loops/{riff_id}") == []
    assert await asyncio.to_thread(files_in, settings.data_dir / "workers/0.scratch") == []


@SQLITE
async def test_a_source_that_vanished_fails_the_riff(
    http: httpx.AsyncClient, worker: StartWorker, database: Database, storage: Storage
) -> None:
    brought = (await http.post("/v1/uploads", content=wav(beat()))).json()
    placed = (await http.post("/v1/riffs", json={"source": brought["id"], "prompt": "x", "steps": 1})).json()
    await storage.sweep("sources/", set())
    worker()
    riff = await ended(database, placed["id"])
    assert (riff.status, riff.loops) == ("failed", [])
    assert riff.error == (
        f"The sound that this starts from ({brought['sha256'][:12]}…) is not here: give the same file again."
    )
    again = await http.post("/v1/uploads", content=wav(beat()))
    assert (again.status_code, again.json()) == (200, brought)
    wishes = {"source": brought["id"], "prompt": "x", "steps": 1}
    assert len(await made(http, wishes)) == 1


async def made(http: httpx.AsyncClient, wishes: dict[str, Any]) -> list[dict[str, Any]]:
    """Order a riff and follow it to its end; its loops."""
    placed = await http.post("/v1/riffs", json=wishes)
    assert placed.status_code == 202, placed.text
    links = placed.json()["links"]
    async with http.stream("GET", links["events"], timeout=240) as stream:
        events = [data async for _, data in messages(stream)]
    assert events[-1]["type"] == "done", events[-1]
    told = [event["fraction"] for event in events if event["type"] == "progress"]
    assert told == sorted(told)
    loops: list[dict[str, Any]] = (await http.get(links["self"])).json()["loops"]
    return loops


async def has_its_files(http: httpx.AsyncClient, storage: Storage, loop: dict[str, Any]) -> None:
    links = loop["links"]
    sound = await sound_of(http, loop)
    assert (len(sound), sha256(sound)) == (loop["samples"], loop["sha256"])
    assert (await http.get(links["mp3"])).content[:3] == b"ID3"
    assert (await http.get(links["png"])).content.startswith(b"\x89PNG")
    assert (await http.get(links["recipe"])).json() == loop["recipe"]
    thumbnail = (await http.get(links["thumbnail"])).content
    assert Image.open(io.BytesIO(thumbnail)).size == (480, 150)
    assert len(thumbnail) < len((await http.get(links["png"])).content) / 2
    peaks = json.loads((await http.get(links["peaks"])).content)
    assert max(peaks) == pytest.approx(np.abs(sound).max(), abs=1e-3)


async def sound_of(http: httpx.AsyncClient, loop: dict[str, Any]) -> NDArray[np.float32]:
    return samples((await http.get(loop["links"]["wav"])).content)


def samples(data: bytes) -> NDArray[np.float32]:
    with wave.open(io.BytesIO(data)) as file:
        return audio_of(file.readframes(file.getnframes()))


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
