"""Ordering riffs from a test: what a form shows, what a person alone is told, and loops to start from."""

from datetime import UTC, datetime
from typing import Any

from generation.request import RiffRequest
from market.catalog import service as catalog
from market.catalog.models import Listing, ListingStatus, Loop
from market.db import Database
from market.storage import Storage
from market.studio.models import RiffOrder
from tests.bot.processes import orders, owner_of
from tests.conftest import until
from tests.fakes.discord import FakeDiscord, Interaction, User
from tests.fakes.discord.server import PATIENCE
from tests.market.catalog import loops

_made = iter(range(1, 1000))


async def said(fake: FakeDiscord, interaction: Interaction) -> list[str]:
    """What the person alone is told; nothing else is left of what they did."""
    await fake.until(lambda: interaction.said, "a sentence for the person alone")
    message = interaction.message
    assert message is not None
    assert message.deleted or message.ephemeral
    return interaction.said


async def opened(fake: FakeDiscord, interaction: Interaction) -> dict[str, str]:
    """The fields of the form that an interaction was answered with, and what they hold already."""
    await fake.answered(interaction)
    assert interaction.response is not None
    assert interaction.response["type"] == 9, interaction.response
    return {
        field["component"]["custom_id"]: _held(field["component"])
        for field in interaction.response["data"]["components"]
    }


def _held(field: dict[str, Any]) -> str:
    chosen = [option["value"] for option in field.get("options", []) if option.get("default")]
    return str(field.get("value") or ",".join(chosen))


async def ordered(fake: FakeDiscord, database: Database, interaction: Interaction) -> RiffRequest:
    """The request that an interaction ordered."""
    await fake.answered(interaction)
    key = f"discord:dc:{interaction.id}"

    async def look() -> list[RiffOrder]:
        return [order for order in await orders(database) if order.idempotency_key == key]

    # The answer may be that the bot is at work.
    [order] = await until(look, bool, PATIENCE)
    return RiffRequest.from_dict(order.request)


async def loop_of(
    database: Database, storage: Storage, user: User, *, listed: bool = False, **request: Any
) -> Loop:
    """A finished loop of somebody's, for sale or not, without a message of its own."""
    number = next(_made)
    bars, bpm = request.get("bars", 2), request.get("bpm", 120)
    sound = loops.tune(seed=number, bars=bars, bpm=bpm)
    owner = await owner_of(database, user)
    loop = await loops.make(database, storage, owner, sound, key=str(number), **request)
    if listed:
        async with database.write() as session:
            session.add(_listing(loop, owner))
            await session.flush()
            await catalog.set_status(session, loop.id, ListingStatus.PUBLISHED)
    return loop


def _listing(loop: Loop, owner: str) -> Listing:
    return Listing(
        loop_id=loop.id,
        creator_id=owner.removeprefix("account:"),
        status=ListingStatus.DRAFT,
        title="For sale",
        description="",
        prices={"creator": 900},
        currency="usd",
        free=False,
        tags_edited=False,
        version=1,
        updated_at=datetime.now(UTC),
        analysis={},
    )
