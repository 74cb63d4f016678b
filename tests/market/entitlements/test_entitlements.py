"""What Discord tells of purchases: once, in any order, and not of people who left."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from market.accounts import service as accounts
from market.db import Database
from market.entitlements import service as entitlements
from market.entitlements.models import Entitlement
from market.entitlements.service import Bought
from tests.market.state import nothing_changes

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ADA, BOB = 80351110224678912, 80351110224678913
PURCHASE = Bought(
    id=1019653849998299136,
    sku_id=1019475255913222144,
    user_id=ADA,
    guild_id=None,
    starts_at=NOON,
    ends_at=None,
    consumed=False,
    deleted=False,
)


async def rows(database: Database) -> list[Entitlement]:
    async with database.read() as session:
        return list(await session.scalars(sa.select(Entitlement).order_by(Entitlement.id)))


async def told(database: Database, bought: Bought, at: datetime = NOON) -> None:
    async with database.write() as session:
        await entitlements.tell(session, bought, at)


async def test_the_same_again_and_older_news_change_nothing(database: Database) -> None:
    used = replace(PURCHASE, consumed=True)
    await told(database, used)
    async with nothing_changes(database):
        await told(database, used)
        await told(database, PURCHASE, NOON - timedelta(seconds=1))
    await told(database, replace(used, deleted=True), NOON + timedelta(seconds=1))
    [row] = await rows(database)
    assert (row.id, row.sku_id, row.user_id, row.guild_id) == (PURCHASE.id, PURCHASE.sku_id, ADA, None)
    assert (row.consumed, row.deleted, row.starts_at, row.ends_at) == (True, True, NOON, None)


async def test_a_list_deletes_what_it_lacks_but_for_what_came_while_it_was_read(database: Database) -> None:
    refunded, second, newest = (replace(PURCHASE, id=PURCHASE.id + number) for number in range(3))
    await told(database, refunded, NOON - timedelta(days=1))
    await told(database, newest, NOON + timedelta(seconds=1))
    async with database.write() as session:
        await entitlements.reconcile(session, [second], NOON)
    assert [(row.id, row.deleted) for row in await rows(database)] == [
        (refunded.id, True),
        (second.id, False),
        (newest.id, False),
    ]
    async with nothing_changes(database), database.write() as session:
        await entitlements.reconcile(session, [second], NOON)


async def test_what_somebody_has_of_what_they_bought(database: Database) -> None:
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    for number, bought in enumerate(
        [
            PURCHASE,
            replace(PURCHASE, starts_at=None),
            replace(PURCHASE, ends_at=now + hour),
            replace(PURCHASE, ends_at=now - hour),
            replace(PURCHASE, starts_at=now + hour),
            replace(PURCHASE, consumed=True),
            replace(PURCHASE, deleted=True),
            replace(PURCHASE, user_id=BOB),
        ]
    ):
        await told(database, replace(bought, id=PURCHASE.id + number))
    async with database.write() as session:
        ada = await accounts.of_discord(session, ADA, "Ada")
        nobody = await accounts.create(session, "local:eve", "Eve")
        assert await entitlements.count_held(session, ada) == 3
        assert await entitlements.count_held(session, nobody) == 0


async def test_who_leaves_is_forgotten_until_they_come_back(database: Database) -> None:
    theirs, other = (
        replace(PURCHASE, guild_id=7),
        replace(PURCHASE, id=PURCHASE.id + 1, user_id=BOB),
    )
    async with database.write() as session:
        ada = await accounts.of_discord(session, ADA, "Ada")
    for bought in (theirs, other):
        await told(database, bought)
    async with database.write() as session:
        assert (await accounts.export(session, ada.id))["entitlements"] == [
            {
                "id": str(theirs.id),
                "sku": str(theirs.sku_id),
                "server": "7",
                "starts_at": "2026-11-20T12:00:00+00:00",
                "ends_at": None,
                "consumed": False,
                "deleted": False,
            }
        ]
        await accounts.delete(session, ada.id, ada.handle)
    # Discord goes on telling of it.
    for later in (1, 2):
        at = NOON + timedelta(hours=later)
        async with database.write() as session:
            await entitlements.reconcile(session, [theirs, other], at)
        assert [(row.user_id, row.guild_id, row.forgotten, row.told_at) for row in await rows(database)] == [
            (None, 7, True, at),
            (BOB, None, False, at),
        ]
    async with database.write() as session:
        await accounts.of_discord(session, ADA, "Ada")
        await entitlements.reconcile(session, [theirs, other], NOON + timedelta(hours=3))
    assert [(row.user_id, row.forgotten) for row in await rows(database)] == [(ADA, False), (BOB, False)]
