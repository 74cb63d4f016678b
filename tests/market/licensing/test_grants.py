"""A licence is given once, never changes, and ends by a row of its own."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from generation.errors import InvalidRequest, RiffError
from market.catalog import service as catalog
from market.db import Database, blocking_engine
from market.errors import NotFound
from market.licensing import codes, document, holders, tiers
from market.licensing import service as licensing
from market.licensing.errors import IntentReused, LicenceRevoked, NotOffered, OwnLoop
from market.licensing.models import Channel, Grant, Key, Revocation
from market.models import AuditEntry, Listing
from market.settings import Settings
from tests.market.conftest import count
from tests.market.licensing.conftest import YOUTUBE, Market


async def rows(database: Database) -> list[int]:
    """How many grants, revocations, channels, and entries of the audit log about licences there are."""
    said = sa.select(AuditEntry.id).where(AuditEntry.action.like("licence%")).subquery()
    return [await count(database, table) for table in (Grant, Revocation, Channel, said)]


async def test_a_grant_holds_all_that_was_agreed(market: Market) -> None:
    grant = await market.grant()
    terms = tiers.terms("creator", "1")
    assert codes.read(grant.code) == grant.code
    assert (grant.tier, grant.terms_version, grant.terms_sha256) == ("creator", "1", terms.sha256)
    assert terms.sha256 == hashlib.sha256(terms.text.encode()).hexdigest()
    assert (grant.loop_id, grant.loop_sha256, grant.loop_title) == (
        market.loop.id,
        market.loop.sha256,
        "Church bells",
    )
    assert (grant.creator_name, grant.licensee, grant.project) == (
        "Creator",
        "Ada Lovelace",
        "A film about bells",
    )
    assert (grant.price_cents, grant.currency, grant.account_id) == (900, "usd", market.ada.account.id)
    assert grant.limits == {"monetised": True, "channels": 10, "channel_days": 365}
    assert grant.channels == [{"platform": "youtube", "url": YOUTUBE}]
    told = json.loads(grant.document)
    assert document.canonical(told) == grant.document
    assert (told["price_cents"], told["licensee"], told["key"]) == (900, "Ada Lovelace", grant.key_id)
    assert told["loop"]["model"] == "none"
    assert (told["loop"]["known_origin"], told["loop"]["brought_sound"]) == (False, False)
    async with market.database.read() as session:
        key = await session.get_one(Key, grant.key_id)
        assert document.is_signed(told, document.encode(grant.signature), key)
        [held] = await holders.effective(session, market.loop.id, market.ada.account.id)
        assert (held.code, held.document, held.revocation) == (grant.code, grant.document, None)
        assert await holders.effective(session, market.loop.id, market.eve.account.id) == []
        entry = (
            await session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "licence.grant"))
        ).one()
    assert (entry.actor, entry.subject) == (market.ada.account.owner, f"licence:{grant.code}")


async def test_the_same_intent_gives_the_same_licence_and_no_other(market: Market) -> None:
    first = await market.grant()
    before = await rows(market.database)
    assert (await market.grant()).code == first.code
    others: list[dict[str, Any]] = [
        {"tier": "business"},
        {"licensee": "Eve"},
        {"to": market.eve},
        {"price_cents": 1},
        {"channels": [{"url": "youtube.com/@eve"}]},
        {"show_licensee": True},
    ]
    for other in others:
        with pytest.raises(IntentReused):
            await market.grant(**other)
    assert await rows(market.database) == before


async def test_the_same_intent_at_the_same_time_is_granted_once(market: Market) -> None:
    grants = await asyncio.gather(*(market.grant() for _ in range(8)))
    assert len({grant.code for grant in grants}) == 1
    assert await rows(market.database) == [1, 0, 1, 1]
    # Nor is one refused because it itself took the loop off the market meanwhile.
    grants = await asyncio.gather(*(market.grant("exclusive", intent="order:2") for _ in range(8)))
    assert len({grant.code for grant in grants}) == 1
    assert (await market.grant("exclusive", intent="order:2")).code == grants[0].code
    assert await rows(market.database) == [2, 0, 2, 2]


async def test_of_two_who_want_it_exclusively_one_gets_it(market: Market) -> None:
    earlier = await market.grant("business", intent="order:0")
    outcomes = await asyncio.gather(
        *(
            market.grant("exclusive", to=person, intent=f"order:{at}", channels=())
            for at, person in enumerate([market.ada, market.eve, market.ada, market.eve], 1)
        ),
        return_exceptions=True,
    )
    won = [outcome for outcome in outcomes if isinstance(outcome, Grant)]
    lost = [outcome for outcome in outcomes if isinstance(outcome, NotOffered)]
    assert (len(won), len(lost)) == (1, 3)
    assert {str(refusal) for refusal in lost} == {
        "No new licence is granted for this loop: somebody holds it exclusively."
    }
    assert won[0].limits["earlier_licences"] == 1
    async with market.database.read() as session:
        assert (await session.get_one(Listing, market.loop.id)).status == "delisted"
        assert await holders.effective(session, market.loop.id, market.ada.account.id)
        exclusive = await holders.exclusive_of(session, market.loop.sha256)
        assert exclusive is not None
        assert exclusive.code == won[0].code
        assert (await licensing.get(session, earlier.code)).revocation is None
    before = await rows(market.database)
    for tier in ("free", "creator", "exclusive"):
        with pytest.raises(NotOffered, match="exclusively"):
            await market.grant(tier, intent="order:9")
    # Even when it is put back by mistake.
    await market.status("published")
    with pytest.raises(NotOffered, match="exclusively"):
        await market.grant("free", intent="order:9")
    assert await rows(market.database) == before


@pytest.mark.parametrize(
    ("status", "refusal"), [("draft", NotOffered), ("delisted", NotOffered), ("removed", NotFound)]
)
async def test_what_is_not_for_sale_is_not_granted(
    market: Market, status: str, refusal: type[RiffError]
) -> None:
    await market.status(status)
    before = await rows(market.database)
    for tier in tiers.every():
        with pytest.raises(refusal):
            await market.grant(tier)
        async with market.database.read() as session:
            with pytest.raises(refusal):
                await licensing.offer(session, market.loop.id, tier)
    assert await rows(market.database) == before
    assert await count(market.database, Key) == 0


async def test_a_creator_needs_no_licence_for_their_own(market: Market) -> None:
    with pytest.raises(OwnLoop):
        await market.grant(to=market.creator)
    assert await rows(market.database) == [0, 0, 0, 0]


WRONG: list[dict[str, Any]] = [
    {"tier": "royal"},
    {"tier": "../free"},
    {"licensee": ""},
    {"licensee": "  "},
    {"licensee": "Ada\x00"},
    {"licensee": "Ada\nEve"},
    {"licensee": "\ud800"},
    {"licensee": "Ada \u202eevE"},
    {"licensee": "A" * 121},
    {"channels": ()},
    {"channels": [{"url": "file:///etc/passwd"}]},
    {"channels": [{"url": f"https://youtube.com/@a{at}"} for at in range(11)]},
]


async def test_a_wrong_wish_is_refused(market: Market) -> None:
    for wrong in WRONG:
        with pytest.raises(InvalidRequest):
            await market.grant(**wrong)
    assert await rows(market.database) == [0, 0, 0, 0]


async def test_revoked_once_and_for_good(market: Market) -> None:
    grant = await market.grant()
    async with market.database.write() as session:
        await licensing.revoke(session, grant.code, "The payment was taken back.", market.admin.account.owner)
    before = await rows(market.database)
    assert before == [1, 1, 1, 2]
    with pytest.raises(LicenceRevoked):
        async with market.database.write() as session:
            await licensing.revoke(session, grant.code, "Again.", "system")
    with pytest.raises(NotFound):
        async with market.database.write() as session:
            await licensing.revoke(session, "RM-00000-00000-00000", "Nobody's.", "system")
    async with market.database.read() as session:
        assert await holders.effective(session, market.loop.id, market.ada.account.id) == []
        found = await licensing.get(session, grant.code)
        page = await licensing.mine(session, market.ada.account.id)
    assert found.revocation is not None
    assert (found.revocation.reason, found.revocation.revoked_by) == (
        "The payment was taken back.",
        market.admin.account.owner,
    )
    assert [each.code for each in page.grants] == [grant.code]
    assert found.document == grant.document
    assert await rows(market.database) == before


async def test_revoked_at_the_same_time_by_many(market: Market) -> None:
    grant = await market.grant()

    async def revoke() -> None:
        async with market.database.write() as session:
            await licensing.revoke(session, grant.code, "A claim.", "system")

    outcomes = await asyncio.gather(*(revoke() for _ in range(6)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LicenceRevoked"] * 5 + ["NoneType"]
    assert await rows(market.database) == [1, 1, 1, 2]


CHANGES = [
    "UPDATE licence_grant SET licensee = 'Eve'",
    "UPDATE licence_grant SET price_cents = 0, tier = 'exclusive'",
    "UPDATE licence_grant SET document = document",
    "DELETE FROM licence_grant",
    "UPDATE licence_revocation SET reason = 'none'",
    "DELETE FROM licence_revocation",
    "DELETE FROM licence_channel",
    "UPDATE licence_channel SET url = 'https://www.youtube.com/@eve'",
    "UPDATE licence_channel SET expires_at = NULL",
    "UPDATE licence_channel SET removed_at = NULL",
    "UPDATE licence_key SET public = 'x'",
    "UPDATE licence_key SET valid_until = NULL",
    "DELETE FROM licence_key",
]


async def test_the_database_itself_refuses_to_change_a_licence(market: Market, settings: Settings) -> None:
    grant = await _ended(market)
    before = await _everything(market.database)
    assert len(before) == 4
    assert grant.code in str(before)
    tables = ("licence_grant", "licence_revocation", "licence_channel", "licence_key")
    engine = blocking_engine(settings)
    if engine.dialect.name == "postgresql":
        further = [f"TRUNCATE {table} CASCADE" for table in tables]
    else:
        further = [f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}" for table in tables]
    try:
        for statement in CHANGES + further:
            with pytest.raises(DBAPIError, match="never changes"), engine.begin() as connection:
                connection.exec_driver_sql(statement)
            assert await _everything(market.database) == before
    finally:
        engine.dispose()


async def test_an_exclusive_grant_that_cannot_be_delisted_is_no_grant(market: Market) -> None:
    """All or nothing: what breaks after the grant's row takes it back."""
    async with market.database.write() as session:
        await licensing.grant(
            session,
            loop=market.loop,
            tier="exclusive",
            licensee="Ada",
            account=market.ada.account,
            project="A film",
            channels=[],
            price_cents=49900,
            currency="usd",
            intent="order:1",
        )
        await session.rollback()
    assert await rows(market.database) == [0, 0, 0, 0]
    async with market.database.read() as session:
        held = await catalog.listing(session, market.loop.id)
    assert held is not None
    assert held.status == "published"


async def test_a_page_of_ones_own_licences(market: Market) -> None:
    made = [await market.grant("free", intent=f"order:{at}", channels=()) for at in range(5)]
    await market.grant("free", to=market.eve, intent="order:eve", channels=())
    seen: list[str] = []
    cursor = None
    async with market.database.read() as session:
        for _ in range(3):
            page = await licensing.mine(session, market.ada.account.id, 2, cursor)
            seen += [grant.code for grant in page.grants]
            cursor = page.next_cursor
        assert cursor is None
        for foreign in ("x", "RM-00000-00000-00000"):
            with pytest.raises(InvalidRequest, match="cursor"):
                await licensing.mine(session, market.ada.account.id, 2, foreign)
        with pytest.raises(InvalidRequest, match="cursor"):
            await licensing.mine(session, market.eve.account.id, 2, made[0].code)
    assert sorted(seen) == sorted(grant.code for grant in made)


async def _ended(market: Market) -> Grant:
    """A licence that was revoked, with a channel that was taken off and a key that was retired."""
    grant = await market.grant()
    async with market.database.write() as session:
        [channel] = await licensing.listed_channels(session, grant.code)
        await licensing.remove_channel(session, grant.code, channel.id, market.ada.account)
        await licensing.revoke(session, grant.code, "A claim.", "system")
        key = await session.get_one(Key, grant.key_id)
        key.valid_until = datetime.now(UTC)
    return grant


async def _everything(database: Database) -> list[object]:
    async with database.read() as session:
        return [
            tuple(row)
            for table in (Grant, Revocation, Channel, Key)
            for row in await session.execute(sa.select(*table.__table__.columns))
        ]
