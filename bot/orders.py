"""From an interaction to an order: what the slash command and the buttons have in common."""

from typing import TYPE_CHECKING

import discord
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import ALREADY_ACKNOWLEDGED
from bot.models import Delivery
from generation.request import RiffRequest
from market.accounts import service as accounts
from market.catalog import service as catalog
from market.catalog.models import Loop
from market.studio import service as studio

if TYPE_CHECKING:
    from bot.client import RiffBot


def idempotency_key(interaction: discord.Interaction["RiffBot"]) -> str:
    """What makes an interaction that the gateway sends twice one order."""
    return f"dc:{interaction.id}"


async def acknowledge(interaction: discord.Interaction["RiffBot"]) -> int | None:
    """Show everybody that the bot is at work; the id of the message for the result, if Discord says it.

    Comes before any database work: Discord waits three seconds.
    """
    try:
        response = await interaction.response.defer(thinking=True)
    except discord.HTTPException as refusal:
        # The first attempt had got through, or the gateway dispatched the interaction twice.
        if refusal.code == ALREADY_ACKNOWLEDGED:
            return None
        raise
    return None if response is None else response.message_id


async def place(
    session: AsyncSession,
    interaction: discord.Interaction["RiffBot"],
    request: RiffRequest,
    message_id: int | None,
    loop: Loop | None = None,
) -> None:
    """Order a riff for the person who acted, together with the row that brings it back; both or neither.

    `loop` is what the request was made from. Raises Suspended for somebody whose account may only look, and
    LicenceNeeded and LoopRemoved where the loop is closed to them.
    """
    person = interaction.user
    account = await accounts.of_discord(session, person.id, person.global_name or person.name)
    accounts.require_active(account)
    if loop is not None:
        await catalog.require_remake(session, loop, request, account.owner)
    order = await studio.place(
        session,
        request,
        owner=account.owner,
        door="discord",
        idempotency_key=idempotency_key(interaction),
        guild_id=None if interaction.guild_id is None else str(interaction.guild_id),
    )
    if await session.get(Delivery, order.id) is None:
        session.add(
            Delivery(
                riff_id=order.id,
                application_id=interaction.application_id,
                interaction_token=interaction.token,
                token_expires_at=interaction.expires_at,
                guild_id=interaction.guild_id,
                channel_id=interaction.channel_id,
                message_id=message_id,
                user_id=interaction.user.id,
                filesize_limit=interaction.filesize_limit,
            )
        )
