"""Ordering, ordering twice, waiting, taking back."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from generation.request import RiffRequest
from market.db import Database
from market.errors import AlreadyFinished, KeyReused, NotFound, NotYours, TooManyRiffs
from market.models import RiffEvent, RiffOrder, WorkerBeat
from market.studio import service as studio
from market.studio.service import MAX_OPEN_RIFFS, QueuePlace, Traffic
from tests.market.conftest import bodies, count, look, loop, order, queued_workflows, wish


async def test_a_riff_its_event_and_its_place_in_the_queue_are_one_commit(database: Database) -> None:
    riff_id = await order(database, wish())
    riff = await look(database, riff_id)
    assert (riff.status, riff.error, riff.loops) == ("queued", None, [])
    assert RiffRequest.from_dict(riff.request) == wish()
    assert await bodies(database, riff_id) == [
        {"type": "queued", "fraction": 0.0, "position": 1, "eta_seconds": None}
    ]
    assert await queued_workflows(database) == 1


async def test_nothing_is_left_of_an_order_that_was_rolled_back(database: Database) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async with database.write() as session:
            await studio.place(session, wish(), owner="somebody", door="cli", idempotency_key="a")
            assert await session.scalar(sa.select(sa.func.count(RiffOrder.id))) / 0
    assert [await count(database, table) for table in (RiffOrder, RiffEvent)] == [0, 0]
    assert await queued_workflows(database) == 0


async def test_the_same_key_gives_the_same_order(database: Database) -> None:
    first = await order(database, wish())
    assert await order(database, wish()) == first
    assert await order(database, wish(), owner="somebody else") == first
    assert await count(database, RiffOrder) == 1
    assert await count(database, RiffEvent) == 1
    assert await queued_workflows(database) == 1


async def test_the_same_key_at_another_door_is_another_order(database: Database) -> None:
    first = await order(database, wish())
    async with database.write() as session:
        second = await studio.place(session, wish(), owner="somebody", door="web", idempotency_key="a")
    assert second.id != first


async def test_the_same_key_for_something_else_is_refused(database: Database) -> None:
    riff_id = await order(database, wish())
    with pytest.raises(KeyReused, match="take a new key"):
        await order(database, wish(seed=4))
    assert await count(database, RiffOrder) == 1
    assert (await look(database, riff_id)).request["seed"] == 3


@pytest.mark.parametrize("owners", [["one"] * 8, list("abcdefgh")])
async def test_one_key_eight_times_at_once_is_one_order(database: Database, owners: list[str]) -> None:
    ids = await asyncio.gather(*(order(database, wish(), owner=owner) for owner in owners))
    assert len(set(ids)) == 1
    assert await count(database, RiffOrder) == 1
    assert await queued_workflows(database) == 1


async def test_an_owner_has_so_many_unfinished_riffs_and_no_more(database: Database) -> None:
    results = await asyncio.gather(
        *(order(database, wish(), key=str(number)) for number in range(MAX_OPEN_RIFFS + 3)),
        return_exceptions=True,
    )
    refused = [result for result in results if isinstance(result, BaseException)]
    assert [type(refusal) for refusal in refused] == [TooManyRiffs] * 3
    assert str(refused[0]) == (
        f"You have {MAX_OPEN_RIFFS} unfinished riffs already: wait for one of them or cancel it."
    )
    assert await count(database, RiffOrder) == MAX_OPEN_RIFFS
    assert await queued_workflows(database) == MAX_OPEN_RIFFS

    await order(database, wish(), owner="somebody else", key="theirs")
    accepted = next(result for result in results if isinstance(result, str))
    async with database.write() as session:
        await studio.cancel(session, accepted, "somebody")
    await order(database, wish(), key="again")


async def test_an_accepted_order_is_given_back_even_at_the_limit(database: Database) -> None:
    ids = [await order(database, wish(), key=str(number)) for number in range(MAX_OPEN_RIFFS)]
    assert await order(database, wish(), key="0") == ids[0]


async def test_a_key_without_a_seed_names_one(database: Database) -> None:
    assert studio.seed_of("a") == studio.seed_of("a") != studio.seed_of("b")
    assert 0 <= studio.seed_of("a") < 2**32


async def test_a_queued_riff_is_taken_back(database: Database) -> None:
    riff_id = await order(database, wish())
    async with database.write() as session:
        await studio.cancel(session, riff_id, "somebody")
    riff = await look(database, riff_id)
    assert riff.status == "cancelled"
    assert riff.finished_at is not None
    assert [body["type"] for body in await bodies(database, riff_id)] == ["queued", "cancelled"]

    async with database.write() as session:
        await studio.cancel(session, riff_id, "somebody")
        assert await studio.start(session, riff_id) is None
    assert await count(database, RiffEvent) == 2


async def test_only_its_owner_takes_a_riff_back(database: Database) -> None:
    riff_id = await order(database, wish())
    with pytest.raises(NotYours):
        async with database.write() as session:
            await studio.cancel(session, riff_id, "somebody else")
    assert (await look(database, riff_id)).status == "queued"


@pytest.mark.parametrize("riff_id", ["0" * 24, "", "nonsense", "\0", "0" * 24 + "\n"])
async def test_what_is_not_there_is_not_found(database: Database, riff_id: str) -> None:
    async with database.write() as session:
        with pytest.raises(NotFound):
            await studio.get(session, riff_id)
        with pytest.raises(NotFound):
            await studio.cancel(session, riff_id, "somebody")


async def test_a_riff_ends_once(database: Database) -> None:
    riff_id = await order(database, wish())
    async with database.write() as session:
        assert await studio.start(session, riff_id) == wish()
    for _ in range(2):
        async with database.write() as session:
            await studio.finish(session, riff_id, [loop(riff_id, 0), loop(riff_id, 1)])
        async with database.write() as session:
            await studio.fail(session, riff_id, "Too late.")
    with pytest.raises(AlreadyFinished):
        async with database.write() as session:
            await studio.cancel(session, riff_id, "somebody")

    riff = await look(database, riff_id)
    assert (riff.status, riff.error, [found.take for found in riff.loops]) == ("done", None, [0, 1])
    assert [body["type"] for body in await bodies(database, riff_id)] == ["queued", "done"]


async def test_the_queue_tells_place_and_time(database: Database) -> None:
    first, second, third = [await order(database, wish(), key=key) for key in "abc"]
    async with database.read() as session:
        places = [await studio.place_in_queue(session, riff_id) for riff_id in (first, second, third)]
        traffic = await studio.traffic(session)
    assert places == [QueuePlace(1, None), QueuePlace(2, None), QueuePlace(3, None)]
    assert traffic == Traffic(workers=0, queued=3, running=0, eta_seconds=None)

    now = datetime.now(UTC)
    async with database.write() as session:
        riff = await studio.get(session, first)
        riff.started_at = now - timedelta(seconds=6)
        await studio.finish(session, first, [])
        await session.execute(
            sa.insert(WorkerBeat).values(executor_id="here", expires_at=now.timestamp() + 60)
        )
        await session.execute(
            sa.insert(WorkerBeat).values(executor_id="gone", expires_at=now.timestamp() - 60)
        )
        await studio.start(session, second)
    async with database.read() as session:
        assert await studio.place_in_queue(session, first) == QueuePlace(0, 0.0)
        running = await studio.place_in_queue(session, second)
        waiting = await studio.place_in_queue(session, third)
        traffic = await studio.traffic(session)
    assert running.position == 0
    assert running.eta_seconds == pytest.approx(6, abs=1)
    assert waiting.position == 1
    assert waiting.eta_seconds == pytest.approx(12, abs=1)
    assert (traffic.workers, traffic.queued, traffic.running) == (1, 1, 1)
    # One that is ordered now comes after both.
    assert traffic.eta_seconds == pytest.approx(18, abs=1)
