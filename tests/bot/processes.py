"""The bot as the process that it is in use, and what its tests look at and wait for."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
import sqlalchemy as sa

from bot.models import Delivery
from generation.request import RiffRequest
from market.accounts import service as accounts
from market.db import Database
from market.studio import service as studio
from market.studio.models import OPEN, RiffOrder
from tests.fakes.discord import FakeDiscord, Interaction, Message, User
from tests.fakes.discord.server import PATIENCE
from tests.forked import ForkedProcess


@dataclass
class BotProcess:
    """A running `python -m bot.client`, pointed at the fake; `log` is what it wrote to stderr."""

    process: ForkedProcess
    log: Path

    async def kill(self) -> None:
        """kill -9: no chance to finish anything."""
        self.process.kill()
        await self.ended()

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        """The exit code, once it has ended."""
        return await asyncio.to_thread(self.process.wait, PATIENCE)


StartBot = Callable[..., Awaitable[BotProcess]]
T = TypeVar("T")

# For what does not depend on the database at all.
sqlite_only = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


async def arrived(fake: FakeDiscord, interaction: Interaction, *, within: float = PATIENCE) -> Message:
    """Wait for the message with the loop, in answer to an interaction."""
    await fake.answered(interaction)
    assert interaction.message is not None
    message = interaction.message
    await fake.until(lambda: is_finished(message), "the loop", within=within)
    return message


async def placed(fake: FakeDiscord, interaction: Interaction) -> Message:
    """Wait for the message that tells the place in the queue: the order stands then."""
    await fake.until(lambda: interaction.message and interaction.message.versions, "the place in the queue")
    assert interaction.message is not None
    return interaction.message


def is_finished(message: Message) -> bool:
    """Whether a message holds finished loops: their buttons are under it."""
    return any(custom_id.startswith("riff:") for custom_id in message.custom_ids)


def fields(message: Message) -> dict[str, str]:
    """The fields of a message's embed."""
    return {entry["name"]: entry["value"] for entry in message.embeds[0]["fields"]}


async def orders(database: Database) -> list[RiffOrder]:
    async with database.read() as session:
        return list(await session.scalars(sa.select(RiffOrder).order_by(RiffOrder.created_at)))


async def owner_of(database: Database, user: User) -> str:
    """What the riffs of a person in chat have as their owner."""
    async with database.write() as session:
        return (await accounts.of_discord(session, user.id, user.name)).owner


async def order_all_that_one_may(database: Database, user: User) -> None:
    """As many unfinished riffs as a person may have."""
    owner = await owner_of(database, user)
    async with database.write() as session:
        for number in range(studio.MAX_OPEN_RIFFS):
            request = RiffRequest.parse(prompt="bells", seed=number)
            await studio.place(session, request, owner=owner, door="web", idempotency_key=str(number))


async def deliveries(database: Database) -> dict[str, Delivery]:
    async with database.read() as session:
        return {row.riff_id: row for row in await session.scalars(sa.select(Delivery))}


async def closed(database: Database, riff_id: str, *, within: float = PATIENCE) -> Delivery:
    """Wait until a delivery is no longer open."""

    async def look() -> Delivery | None:
        row = (await deliveries(database))[riff_id]
        return None if row.state == "open" else row

    return await _first(look, within)


async def ended(database: Database, riff_id: str, *, within: float = PATIENCE) -> RiffOrder:
    """Wait until a riff is done, failed or cancelled."""

    async def look() -> RiffOrder | None:
        async with database.read() as session:
            order = await studio.get(session, riff_id)
        return None if order.status in OPEN else order

    return await _first(look, within)


async def _first(look: Callable[[], Awaitable[T | None]], within: float) -> T:
    """What `look` gives as soon as it gives something; other processes change the database."""
    async with asyncio.timeout(within):
        found = await look()
        while found is None:
            await asyncio.sleep(0.05)
            found = await look()
    return found
