"""Answering an interaction in whatever state it is."""

import contextlib
from typing import TYPE_CHECKING, Any

import discord

from market.language import language_of

if TYPE_CHECKING:
    from bot.client import RiffBot

ALREADY_ACKNOWLEDGED = 40060
THINKING = discord.InteractionResponseType.deferred_channel_message


def language(interaction: discord.Interaction[Any]) -> str:
    """The language of the person who acted: what only they see is in it."""
    return language_of(interaction.locale.value)


async def think(interaction: discord.Interaction["RiffBot"], *, ephemeral: bool = True) -> None:
    """Show that the bot is at work, to the person alone or to everybody; comes before what may take a second."""
    interaction.extras["private"] = ephemeral
    try:
        await interaction.response.defer(thinking=True, ephemeral=ephemeral)
    except discord.HTTPException as refusal:
        # The first attempt had got through, or the gateway dispatched the interaction twice.
        if refusal.code != ALREADY_ACKNOWLEDGED:
            raise


async def whisper(interaction: discord.Interaction[Any], content: str | None = None, **parts: Any) -> None:
    """Say something to the person alone: as the first answer, or after `think`.

    `parts` are those of `send_message` (embed, view, file ...). A message that everybody saw the bot thinking in goes.
    """
    parts = {name: value for name, value in parts.items() if value is not None}
    if not interaction.response.is_done():
        try:
            await interaction.response.send_message(content, ephemeral=True, **parts)
            return
        except discord.HTTPException as refusal:
            if refusal.code != ALREADY_ACKNOWLEDGED:
                raise
    # A follow-up fills the loading message, as visible as that is: a public one has to go first.
    if interaction.response.type in (None, THINKING) and not interaction.extras.get("private"):
        with contextlib.suppress(discord.NotFound):
            await interaction.delete_original_response()
    await interaction.followup.send(content or "", ephemeral=True, **parts)
