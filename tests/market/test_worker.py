"""The whole way of a riff through a real worker process, and everything that can stop it on that way."""

import asyncio
import io
import json
import re
import shutil
import signal
import wave
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from market.db import Database
from market.models import Loop, RiffOrder
from market.storage import Storage
from market.studio import service as studio
from market.studio.caretaker import clear_previews
from market.studio.models import PREVIEWS
from tests.conftest import StartWorker, until
from tests.market.conftest import (
    ENDLESS,
    LONG,
    SHORT,
    bodies,
    count,
    ended,
    in_the_making,
    is_postgresql,
    look,
    messages,
    order,
    wish,
)


async def test_the_whole_way(http: httpx.AsyncClient, worker: StartWorker, database: Database) -> None:
    worker()
    placed = await http.post("/v1/riffs", json={"prompt": "a waltz", "bars": 2, "bpm": 100, "takes": 2})
    links = placed.json()["links"]
    async with http.stream("GET", links["events"], timeout=240) as stream:
        events = [data async for _, data in messages(stream)]
    assert [events[0]["type"], events[-1]["type"]] == ["queued", "done"]
    told = [event for event in events if event["type"] == "progress"]
    assert [event["fraction"] for event in told] == sorted(event["fraction"] for event in told)
    assert {(event["takes"], event["steps"]) for event in told} == {(2, 8)}
    assert {event["phase"] for event in told} <= {"denoising", "decoding"}
    preview = next(event["preview"] for event in told if event["preview"])
    assert (await http.get(preview)).content.startswith(b"\x89PNG")

    riff = (await http.get(links["self"])).json()
    assert (riff["status"], riff["fraction"], riff["position"], riff["error"]) == ("done", 1.0, 0, None)
    seed = riff["request"]["seed"]
    assert [(found["take"], found["seed"]) for found in riff["loops"]] == [
        (0, seed),
        (1, (seed + 1) % 2**32),
    ]
    for found in riff["loops"]:
        assert (found["bars"], found["bpm"], found["metre"], found["samples"]) == (2, 100.0, "3/4", 158_760)
        assert found["model"].startswith("tiny@")
        assert found["recipe"]["sha256"] == found["sha256"]
        files = {kind: await http.get(found["links"][kind]) for kind in ("wav", "mp3", "png", "peaks")}
        assert {kind: file.status_code for kind, file in files.items()} == dict.fromkeys(files, 200)
        with wave.open(io.BytesIO(files["wav"].content)) as sound:
            assert sound.getparams()[:4] == (2, 3, 44_100, 158_760)
        assert files["png"].content.startswith(b"\x89PNG")
        peaks = json.loads(files["peaks"].content)
        assert len(peaks) == 512
        assert all(0 <= peak <= 1 for peak in peaks)
        assert max(peaks) > 0.1
    last = riff["loops"][1]
    assert (await http.get(f"/v1/loops/{last['id']}")).json() == last
    # A draft is found by nobody but whoever has its link.
    assert (await http.get("/v1/loops")).json()["loops"] == []
    assert (await http.get("/readyz")).json()["workers"] == 1

    waiting = (await http.post("/v1/riffs", json={"prompt": "a second one"} | SHORT)).json()
    assert waiting["eta_seconds"] > 0
    await ended(database, waiting["id"])


async def test_a_riff_in_the_making_is_cancelled(
    worker: StartWorker, database: Database, storage: Storage
) -> None:
    worker()
    riff_id = await order(database, wish(**ENDLESS), key="endless")
    after = await order(database, wish(**SHORT), key="after")
    await in_the_making(database, riff_id, beyond=0.01)
    async with database.write() as session:
        await studio.cancel(session, riff_id, "somebody")
    assert (await ended(database, after)).status == "done"
    assert [body["type"] for body in await bodies(database, riff_id)][-1] == "cancelled"
    assert (await look(database, riff_id)).loops == []
    assert await storage.list(f"loops/{riff_id}") == []


async def test_killed_at_any_moment_and_finished_once(
    worker: StartWorker, database: Database, storage: Storage
) -> None:
    """The first kill hits the rendering, the second the writing of files and rows, or what comes after."""
    riff_id = await order(database, wish(**LONG))
    first = worker()
    await in_the_making(database, riff_id, beyond=0.5)
    first.kill()
    second = worker()
    folder = Path(storage.place)
    await until(lambda: asyncio.to_thread(list, folder.glob("loops/*/*.wav")), bool)
    second.kill()
    worker()
    riff = await ended(database, riff_id)
    await is_finished_once(database, storage, riff)


async def test_a_riff_that_stops_three_workers_is_given_up(
    worker: StartWorker, database: Database, storage: Storage
) -> None:
    riff_id = await order(database, wish(**ENDLESS), key="poison")
    after = await order(database, wish(**SHORT), key="after")
    for seen in range(3):
        victim = worker()
        told = len(await bodies(database, riff_id))
        await until(lambda: bodies(database, riff_id), lambda events, told=told: len(events) > told)
        victim.kill()
        assert (await look(database, riff_id)).status == "running", seen
    worker(worker_ttl=3)
    riff = await ended(database, riff_id)
    assert (riff.status, riff.error) == (
        "failed",
        "This riff stopped its worker 3 times and was given up: ask for something else.",
    )
    assert (await ended(database, after)).status == "done"
    assert [body["type"] for body in await bodies(database, riff_id)][-1] == "failed"
    assert await storage.list(f"loops/{riff_id}") == []


async def test_a_worker_that_is_told_to_stop_finishes_what_it_makes(
    worker: StartWorker, database: Database, storage: Storage
) -> None:
    riff_id = await order(database, wish(**LONG))
    waiting = await order(database, wish(**SHORT), key="waiting")
    stopping = worker(drain_seconds=240)
    await in_the_making(database, riff_id)
    assert await asyncio.to_thread(stopping.stop) == 0
    await is_finished_once(database, storage, await look(database, riff_id))
    assert (await look(database, waiting)).status == "queued"
    async with database.read() as session:
        assert await session.scalar(sa.text("SELECT count(*) FROM worker_beat")) == 0


async def test_a_worker_that_may_not_finish_leaves_it_to_the_next(
    worker: StartWorker, database: Database, storage: Storage
) -> None:
    riff_id = await order(database, wish(**ENDLESS))
    stopping = worker(drain_seconds=1)
    await in_the_making(database, riff_id, beyond=0.005)
    assert await asyncio.to_thread(stopping.stop) == 0
    stopping_says = stopping.log.read_text().splitlines()
    assert json.loads(stopping_says[-1])["event"] == "left to the next worker"
    assert (await look(database, riff_id)).status == "running"
    async with database.write() as session:
        await studio.cancel(session, riff_id, "somebody")
    after = await order(database, wish(**SHORT), key="after")
    worker()
    assert (await ended(database, after)).status == "done"
    assert await storage.list(f"loops/{riff_id}") == []


async def test_without_weights_riffs_fail_with_the_sentence_until_it_is_put_right(
    worker: StartWorker, database: Database, tiny_model: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    running = worker(model=model).ready()
    missing = await ended(database, await order(database, wish(**SHORT), key="missing"))
    shutil.copytree(tiny_model, model)
    [weights] = model.glob("transformer/*.safetensors")
    whole = weights.read_bytes()
    weights.write_bytes(whole[:1000])
    corrupt = await ended(database, await order(database, wish(**SHORT), key="corrupt"))
    for riff in (missing, corrupt):
        assert (riff.status, riff.loops) == ("failed", [])
        assert riff.error is not None
        assert str(model) in riff.error
        assert "\n" not in riff.error
        assert (await bodies(database, riff.id))[-1] == {
            "type": "failed",
            "fraction": 0.0,
            "error": riff.error,
        }
    assert json.loads(running.log.read_text().splitlines()[0])["error"] == missing.error
    assert "Traceback" not in running.log.read_text()

    weights.write_bytes(whole)
    assert (await ended(database, await order(database, wish(**SHORT), key="b"))).status == "done"


async def test_a_full_disk_fails_the_riff_and_nothing_is_left_of_it(
    worker: StartWorker, database: Database, tmp_path: Path
) -> None:
    """A file system of 1 MiB, where one can be mounted without being root; the database is on another one."""
    full = tmp_path / "full"
    full.mkdir()
    as_root = ("unshare", "--user", "--map-root-user", "--mount")
    mount = f"mount -t tmpfs -o size=1m tmpfs '{full}'"
    attempt = await asyncio.create_subprocess_exec(
        *as_root, "sh", "-c", mount, stderr=asyncio.subprocess.PIPE
    )
    _, refusal = await attempt.communicate()
    if attempt.returncode:
        pytest.skip(f"no file system can be mounted here: {refusal.decode().strip()}")
    running = worker(
        before=(*as_root, "sh", "-c", f'{mount} && exec "$@"', "-"), storage_url=str(full / "assets")
    )
    # The mount can be seen through the worker only.
    loops = Path(f"/proc/{running.ready().process.pid}/root{full}/assets/loops")

    too_much = await ended(database, await order(database, wish(bars=4, bpm=40, steps=1)))
    assert (too_much.status, too_much.loops) == ("failed", [])
    assert too_much.error == (f"There is no space left to write to {full}/assets: free some and try again.")
    assert await count(database, Loop) == 0
    assert await asyncio.to_thread(endings, loops) == []

    little = await ended(database, await order(database, wish(bars=1, bpm=240, steps=1), key="b"))
    assert little.status == "done"
    assert await asyncio.to_thread(endings, loops) == ["json", "mp3", "png", "png", "wav", "webp"]


async def test_another_worker_takes_over_from_one_that_shows_no_life(
    worker: StartWorker, database: Database, storage: Storage
) -> None:
    """The first comes back to life when the second has finished its riff, and must not finish it again."""
    riff_id = await order(database, wish(**LONG))
    stalled = worker(worker_ttl=3)
    await in_the_making(database, riff_id)
    stalled.process.send_signal(signal.SIGSTOP)
    worker(worker_ttl=3).ready().says("took over from dead workers")
    riff = await ended(database, riff_id)
    stalled.process.send_signal(signal.SIGCONT)
    after = [await order(database, wish(**SHORT), key=key) for key in "bcd"]
    assert [(await ended(database, riff_id)).status for riff_id in after] == ["done"] * 3
    assert await asyncio.to_thread(stalled.stop) == 0
    await is_finished_once(database, storage, await look(database, riff.id))


async def test_a_riff_that_the_queue_lost_is_made_all_the_same(
    worker: StartWorker, database: Database
) -> None:
    """As after a full disk: for the queue the riff runs here, but nothing here makes it."""
    running = worker(worker_ttl=3).ready()
    [found] = re.findall(r'"worker": "([^"]+)"', running.log.read_text())
    workflow = sa.table(
        "workflow_status",
        *map(sa.column, ("workflow_uuid", "status", "executor_id")),
        schema="dbos" if is_postgresql(database) else None,
    )
    async with database.write() as session:
        placed = await studio.place(session, wish(**SHORT), owner="a", door="cli", idempotency_key="a")
        lost = sa.update(workflow).where(workflow.c.workflow_uuid == placed.id)
        await session.execute(lost.values(status="PENDING", executor_id=found))
    assert (await ended(database, placed.id)).status == "done"
    assert "had got lost" in running.log.read_text()


async def test_previews_of_riffs_that_ended_are_cleared(database: Database, storage: Storage) -> None:
    kept, over = [await order(database, wish(), key=key) for key in "ab"]
    async with database.write() as session:
        await studio.fail(session, over, "On purpose.")
    finished_at = (await look(database, over)).finished_at
    assert finished_at is not None
    for riff_id in (kept, over, "0" * 24):
        await storage.put(f"{PREVIEWS}{riff_id}/0-2.png", b"picture", "image/png")
    before: Any = finished_at.replace(year=2000)
    await clear_previews(database, storage, before)
    assert await storage.folders(PREVIEWS) == sorted([kept, over])
    await clear_previews(database, storage, finished_at)
    assert await storage.folders(PREVIEWS) == [kept]


async def is_finished_once(database: Database, storage: Storage, riff: RiffOrder) -> None:
    assert (riff.status, riff.error) == ("done", None)
    assert [loop.take for loop in riff.loops] == list(range(LONG["takes"]))
    assert await count(database, sa.select(Loop).where(Loop.riff_id == riff.id).subquery()) == LONG["takes"]
    kinds = [body["type"] for body in await bodies(database, riff.id)]
    assert kinds[0] == "queued"
    assert kinds[-1] == "done"
    assert set(kinds[1:-1]) == {"progress"}
    named = sorted(key for loop in riff.loops for key in loop.keys)

    async def stored() -> object:
        return await storage.list(f"loops/{riff.id}")

    assert await until(stored, lambda keys: keys == named, within=20)
    for loop in riff.loops:
        assert len(await storage.get(loop.wav)) > 6 * loop.samples
    assert await asyncio.to_thread(staged, storage) == []


def staged(storage: Storage) -> list[Path]:
    """What obstore had not finished writing."""
    return list(Path(storage.place).rglob("*#*"))


def endings(folder: Path) -> list[str]:
    """What kinds of files are in a folder."""
    return sorted(path.name.partition(".")[2] for path in folder.rglob("*") if path.is_file())
