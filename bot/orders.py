"""From an interaction to an order: what the slash commands, the buttons and the forms have in common."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import discord
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from bot import access, messages, people, repository
from bot.answers import ALREADY_ACKNOWLEDGED
from bot.messages import Post
from bot.models import Delivery
from generation.request import RiffRequest
from market.catalog import service as catalog
from market.studio import service as studio

if TYPE_CHECKING:
    from bot.client import RiffBot

log = structlog.get_logger(__name__)

# Discord waits for three seconds, people for one: by then there is an answer, whatever the database does.
FIRST_ANSWER = 0.5
# What Discord says to an answer that comes too late: the order stands, and its result goes into the channel.
UNKNOWN_INTERACTION = 10062

# Gives the request that is ordered, in the transaction that orders it, for an owner.
Wish = Callable[[AsyncSession, str], Awaitable[RiffRequest]]


def idempotency_key(interaction: discord.Interaction["RiffBot"]) -> str:
    """What makes an interaction that the gateway sends twice one order."""
    return f"dc:{interaction.id}"


def seed_of(interaction: discord.Interaction["RiffBot"]) -> int:
    """The seed for a request that names none: the same interaction gives the same one."""
    return studio.seed_of(idempotency_key(interaction))


async def order(interaction: discord.Interaction["RiffBot"], wish: Wish) -> None:
    """Order what `wish` gives, and show where it stands in the queue: the whole answer of a command or a button.

    The answer comes after the commit, or, where that takes long, as a sign that the bot is at work. Raises what the
    wish raises, Suspended, NotAllowedHere, CapExceeded and what `studio.place` raises: nothing is ordered then.
    """
    bot = interaction.client
    language = await access.public_language(interaction)
    placing = asyncio.create_task(_place(interaction, wish, language))
    done, _ = await asyncio.wait({placing}, timeout=FIRST_ANSWER)
    message_id = None
    if not done:
        message_id = await _acknowledge(interaction)
    riff_id, post = await placing
    try:
        if done:
            message_id = await _show(interaction, post)
        if message_id is not None:
            async with bot.database.write() as session:
                await repository.change_open(session, riff_id, message_id=message_id)
    except discord.HTTPException as refusal:
        if refusal.code != UNKNOWN_INTERACTION:
            raise
        log.warning("answered_too_late", riff=riff_id)
    finally:
        bot.deliveries.wake()


async def order_from(
    interaction: discord.Interaction["RiffBot"], loop_id: str, change: Callable[[RiffRequest], RiffRequest]
) -> None:
    """Order what `change` makes of a loop's request. Raises NotFound, LicenceNeeded and LoopRemoved besides."""

    async def wish(session: AsyncSession, owner: str) -> RiffRequest:
        loop = await catalog.get(session, loop_id)
        request = change(catalog.request_of(loop))
        await catalog.require_remake(session, loop, request, owner)
        return request

    await order(interaction, wish)


async def _place(interaction: discord.Interaction["RiffBot"], wish: Wish, language: str) -> tuple[str, Post]:
    """Order, together with the row that brings the result back, both or neither; the riff's id and how it waits."""
    async with interaction.client.database.write() as session:
        account = await people.active(session, interaction)
        request = await wish(session, account.owner)
        await access.require_request(interaction, request)
        riff = await studio.place(
            session,
            request,
            owner=account.owner,
            door="discord",
            idempotency_key=idempotency_key(interaction),
            guild_id=None if interaction.guild_id is None else str(interaction.guild_id),
        )
        if await session.get(Delivery, riff.id) is None:
            session.add(
                Delivery(
                    riff_id=riff.id,
                    language=language,
                    application_id=interaction.application_id,
                    interaction_token=interaction.token,
                    token_expires_at=interaction.expires_at,
                    guild_id=interaction.guild_id,
                    channel_id=interaction.channel_id,
                    user_id=interaction.user.id,
                    filesize_limit=interaction.filesize_limit,
                )
            )
        place = await studio.place_in_queue(session, riff)
        return riff.id, messages.waiting(language, riff.id, request, place)


async def _show(interaction: discord.Interaction["RiffBot"], post: Post) -> int | None:
    """Answer with a post; the id of its message, if Discord says it."""
    try:
        response = await interaction.response.send_message(**post.as_answer())
    except discord.HTTPException as refusal:
        # The first attempt had got through, or the gateway dispatched the interaction twice.
        if refusal.code == ALREADY_ACKNOWLEDGED:
            return None
        raise
    return response.message_id


async def _acknowledge(interaction: discord.Interaction["RiffBot"]) -> int | None:
    """Show everybody that the bot is at work; the id of the message for the result, if Discord says it."""
    try:
        response = await interaction.response.defer(thinking=True)
    except discord.HTTPException as refusal:
        if refusal.code == ALREADY_ACKNOWLEDGED:
            return None
        if refusal.code == UNKNOWN_INTERACTION:
            log.warning("answered_too_late", interaction=interaction.id)
            return None
        raise
    return None if response is None else response.message_id
