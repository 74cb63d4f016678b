"""What went wrong, as the person in chat sees it: every failure of a command or button ends here."""

import secrets

import discord
import structlog
from discord import app_commands

from generation.errors import RiffError

log = structlog.get_logger(__name__)

ALREADY_ACKNOWLEDGED = 40060


class BotUnavailable(RiffError):
    """The bot cannot go online, for a reason that whoever runs it can remove."""


async def answer(interaction: discord.Interaction, error: BaseException) -> None:
    """Tell the person who acted, and only them: a `RiffError` as its own sentence, anything else as an id.

    The id is in the log beside the traceback. Never raises: an answer that cannot be given is logged.
    """
    sentence = _sentence(interaction, error)
    try:
        await _whisper(interaction, sentence)
    except discord.HTTPException as refusal:
        log.warning("answer_not_given", interaction=interaction.id, sentence=sentence, reason=str(refusal))


def _sentence(interaction: discord.Interaction, error: BaseException) -> str:
    if isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    if isinstance(error, RiffError):
        return str(error)
    if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
        return "This command has changed: wait a minute, reload Discord and try again."
    number = secrets.token_hex(4)
    command = None if interaction.command is None else interaction.command.qualified_name
    log.error("unexpected", id=number, interaction=interaction.id, command=command, exc_info=error)
    return f"Something went wrong on our side. Whoever runs this bot finds it in the log under {number}."


async def _whisper(interaction: discord.Interaction, sentence: str) -> None:
    """Send an ephemeral message, whether or not the interaction has been deferred in public already."""
    if not interaction.response.is_done():
        try:
            await interaction.response.send_message(sentence, ephemeral=True)
            return
        except discord.HTTPException as refusal:
            if refusal.code != ALREADY_ACKNOWLEDGED:
                raise
    # A follow-up would fill the loading message, for everybody to see; without one it is as visible as it asks.
    await interaction.delete_original_response()
    await interaction.followup.send(sentence, ephemeral=True)
