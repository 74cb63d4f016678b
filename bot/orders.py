"""From an interaction to an order: what the slash command and the buttons have in common."""

from typing import TYPE_CHECKING

import discord
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import ALREADY_ACKNOWLEDGED
from bot.models import Delivery
from generation.request import RiffRequest
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
) -> None:
    """Order a riff for the person who acted, together with the row that brings it back; both or neither."""
    order = await studio.place(
        session,
        request,
        owner=f"discord:{interaction.user.id}",
        door="discord",
        idempotency_key=idempotency_key(interaction),
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
