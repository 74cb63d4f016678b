"""Plays: once per listener, loop and day, whoever asks how often, and right when all come at once."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import sqlalchemy as sa

from market.catalog.models import ListingStatus
from market.community import service as community
from market.community.folding import fold_all
from market.community.models import LoopDay, LoopTouch, Play
from market.community.service import MAX_PLAYS_PER_PLACE, Listener
from market.db import Database
from tests.market.community.conftest import NOBODY, Person, Publish, snapshot
from tests.market.conftest import count

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = "secret"


async def play(database: Database, loop_id: str, listener: Listener, at: datetime = NOON) -> bool:
    async with database.write() as session:
        return await community.play(session, KEY, loop_id, listener, at)


def visitor(number: int, network: str = "192.0.2.1", *, newcomer: bool = False) -> Listener:
    return Listener(owner=f"visitor:{number:024x}", network=network, newcomer=newcomer)


async def test_a_play_counts_once_a_day(
    ana: Person, ben: Person, publish: Publish, http: httpx.AsyncClient
) -> None:
    bells, drums = await publish(ana), await publish(ana, "Drums")

    async def counted(client: httpx.AsyncClient, loop_id: str) -> bool:
        answer = await client.post(f"/v1/loops/{loop_id}/plays")
        assert answer.status_code == 200
        return bool(answer.json()["counted"])

    # A visitor who had no cookie before, and has one now.
    assert await counted(http, bells.id)
    assert not await counted(http, bells.id)
    assert await counted(http, drums.id)
    # The cookie thrown away, the address is the same.
    http.cookies.clear()
    assert not await counted(http, bells.id)
    # Somebody with an account, and the creator.
    assert await counted(ben.http, bells.id)
    assert not await counted(ben.http, bells.id)
    assert not await counted(ana.http, bells.id)
    assert (await http.get(f"/v1/loops/{bells.id}/counts")).json()["plays"] == 2
    assert (await http.get(f"/v1/loops/{drums.id}/counts")).json()["plays"] == 1


async def test_another_day_counts_anew(ana: Person, publish: Publish, database: Database) -> None:
    bells = await publish(ana)
    assert await play(database, bells.id, visitor(1))
    assert not await play(database, bells.id, visitor(1), NOON + timedelta(hours=11))
    assert await play(database, bells.id, visitor(1), NOON + timedelta(hours=13))


async def test_one_address_cannot_make_a_hit(ana: Person, publish: Publish, database: Database) -> None:
    bells = await publish(ana)
    counted = [await play(database, bells.id, visitor(number)) for number in range(MAX_PLAYS_PER_PLACE + 5)]
    assert sum(counted) == MAX_PLAYS_PER_PLACE
    assert not any(counted[MAX_PLAYS_PER_PLACE:])
    assert await play(database, bells.id, visitor(99, "198.51.100.7"))
    before = await snapshot(database)
    assert not await play(database, bells.id, visitor(98))
    assert await snapshot(database) == before


async def test_nobody_can_be_recognised(ana: Person, publish: Publish, database: Database) -> None:
    bells = await publish(ana)
    await play(database, bells.id, visitor(1))
    await play(database, bells.id, visitor(1), NOON + timedelta(days=1))
    async with database.read() as session:
        first, second = await session.scalars(sa.select(Play).order_by(Play.day))
    for each in (first, second):
        assert "192.0.2" not in each.place
        assert f"{1:024x}" not in each.listener
    # The same person on another day is somebody else.
    assert first.listener != second.listener
    assert first.place != second.place


async def test_what_is_not_on_sale_has_no_plays(
    ana: Person, publish: Publish, http: httpx.AsyncClient, database: Database
) -> None:
    draft = await publish(ana, "Draft", status=ListingStatus.DRAFT)
    removed = await publish(ana, "Removed", status=ListingStatus.REMOVED)
    before = await snapshot(database)
    for loop_id in (draft.id, removed.id, NOBODY, "x' OR 1=1", "../../me"):
        answer = await http.post(f"/v1/loops/{loop_id}/plays")
        assert answer.status_code in (404, 405), loop_id
    assert (await http.get(f"/v1/loops/{removed.id}/counts")).status_code == 404
    assert await snapshot(database) == before


async def test_counts_are_right_when_all_come_at_once(
    ana: Person, publish: Publish, database: Database
) -> None:
    bells = await publish(ana)
    now = datetime.now(UTC)
    listeners = [visitor(number, f"192.0.2.{number}") for number in range(40)]

    async def folding() -> int:
        return await fold_all(database, now)

    # Each twice, with folds in between, on several connections.
    played = await asyncio.gather(
        *(play(database, bells.id, listener, now) for listener in listeners),
        folding(),
        *(play(database, bells.id, listener, now) for listener in listeners),
        folding(),
    )
    assert sum(one is True for one in played) == 40
    await fold_all(database, now)
    async with database.read() as session:
        assert (await community.counts(session, bells.id)).plays == 40
        assert (await session.get_one(LoopDay, (bells.id, now.date()))).plays == 40
    assert await count(database, LoopTouch) == 0
    # Folded again, nothing is counted twice.
    await fold_all(database, now)
    async with database.read() as session:
        assert (await community.counts(session, bells.id)).plays == 40


async def test_who_played_is_forgotten(ana: Person, publish: Publish, database: Database) -> None:
    bells = await publish(ana)
    await play(database, bells.id, visitor(1))
    await fold_all(database, NOON)
    # Still known, so that it does not count again today.
    assert not await play(database, bells.id, visitor(1), NOON + timedelta(hours=1))
    await fold_all(database, NOON + timedelta(days=2))
    assert await count(database, Play) == 0
    async with database.read() as session:
        assert (await community.counts(session, bells.id)).plays == 1
