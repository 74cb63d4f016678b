"""What is bought from Discord itself: nothing without the setting; with it, every purchase is on record once."""

import pytest
import sqlalchemy as sa

from market.db import Database
from market.entitlements.models import Entitlement
from tests.bot.processes import StartBot, owner_of, sqlite_only
from tests.conftest import settings_in, until
from tests.fakes.discord import FakeDiscord, Message, User
from tests.fakes.discord.shop import Purchase

SKU = "1019475255913222144"
LIST = "/entitlements$"
PREMIUM = 6


async def rows(database: Database) -> dict[int, Entitlement]:
    async with database.read() as session:
        return {row.id: row for row in await session.scalars(sa.select(Entitlement))}


def shop_buttons(message: Message) -> list[str]:
    """The SKUs of the buttons that open Discord's shop."""
    return [
        item["sku_id"]
        for row in message.components
        for item in row["components"]
        if item["type"] == 2 and item["style"] == PREMIUM
    ]


def test_the_setting(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable is none, as docker compose leaves it."""
    for said, known in (("", None), (SKU, int(SKU))):
        monkeypatch.setenv("DISCORD_SKU_ID", said)
        assert settings_in(tmp_path).discord_sku == known  # type: ignore[arg-type]


@sqlite_only
async def test_without_the_setting_nothing_is_sold_and_nothing_is_noted(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    bot = await start_bot()
    purchase = await fake.shop.buy(Purchase(fake.user))
    for change in (fake.shop.change, fake.shop.refund):
        await change(purchase)
    interaction = await fake.answered(await fake.slash("credits"))
    assert interaction.message is not None
    assert interaction.message.components == []
    assert not [request for request in fake.requests if request.path.endswith("/entitlements")]
    assert await rows(database) == {}
    assert await bot.stop() == 0


@sqlite_only
async def test_every_purchase_is_on_record_whatever_the_bot_missed(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    await owner_of(database, fake.user)
    before = await fake_purchase(fake, Purchase(fake.user, starts_at="2026-11-01T12:00:00+00:00"))
    unread = fake.fail("GET", LIST, 403)
    bot = await start_bot(DISCORD_SKU_ID=SKU)
    await fake.until(lambda: unread.hits, "a list that Discord refuses")
    # Events come all the same, whichever way round and more than once.
    event = await fake.shop.buy(Purchase(User("bob"), fake.guild, sku_id=int(SKU)))
    known = await until(lambda: rows(database), lambda found: event.id in found)
    assert list(known) == [event.id]
    told = known[event.id]
    assert (told.sku_id, told.user_id, told.guild_id) == (int(SKU), event.user.id, fake.guild.id)
    await bot.kill()
    await fake.offline()

    # Bought and refunded while the bot was away.
    missed = await fake_purchase(fake, Purchase(fake.user))
    event.deleted = True
    bot = await start_bot(DISCORD_SKU_ID=SKU)
    known = await until(lambda: rows(database), lambda found: len(found) == 3)
    assert {each.id: each.deleted for each in known.values()} == {
        before.id: False,
        missed.id: False,
        event.id: True,
    }
    shown = await fake.answered(await fake.slash("credits"))
    assert shown.message is not None
    assert shop_buttons(shown.message) == [SKU]
    fields = {entry["name"]: entry["value"] for entry in shown.message.embeds[0]["fields"]}
    assert fields["Bought on Discord"] == "2, not used yet"

    # A session that cannot be resumed loses what was told meanwhile: the list is read again.
    fake.gateway.forget_sessions()
    lists = sum(request.path.endswith("/entitlements") for request in fake.requests)
    late = await fake_purchase(fake, Purchase(fake.user))
    await fake.gateway.drop()
    await until(lambda: rows(database), lambda found: late.id in found)
    assert sum(request.path.endswith("/entitlements") for request in fake.requests) == lists + 1
    before.consumed = True
    await fake.shop.change(before)
    await until(lambda: rows(database), lambda found: found[before.id].consumed)
    await fake.shop.refund(missed)
    await until(lambda: rows(database), lambda found: found[missed.id].deleted)
    shown = await fake.answered(await fake.slash("credits"))
    assert shown.message is not None
    fields = {entry["name"]: entry["value"] for entry in shown.message.embeds[0]["fields"]}
    assert fields["Bought on Discord"] == "1, not used yet"
    assert await bot.stop() == 0


async def fake_purchase(fake: FakeDiscord, purchase: Purchase) -> Purchase:
    """A purchase that no event tells of."""
    fake.shop.purchases.append(purchase)
    return purchase
