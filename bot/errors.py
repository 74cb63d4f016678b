"""What went wrong, as the person in chat sees it: every failure of a command or button ends here."""

import secrets
from typing import Any

import discord
import structlog
from discord import app_commands

from bot import answers, refusals
from generation.errors import RiffError
from market.accounts.errors import Suspended
from market.language import retold, say

log = structlog.get_logger(__name__)


class BotUnavailable(RiffError):
    """The bot cannot go online, for a reason that whoever runs it can remove."""


async def answer(interaction: discord.Interaction[Any], error: BaseException) -> None:
    """Tell the person who acted, and only them: a `RiffError` as its own sentence, anything else as an id.

    The id is in the log beside the traceback. Never raises: an answer that cannot be given is logged.
    """
    sentence = _sentence(interaction, error)
    try:
        await answers.whisper(interaction, sentence)
    except discord.HTTPException as refusal:
        log.warning("answer_not_given", interaction=interaction.id, sentence=sentence, reason=str(refusal))


def _sentence(interaction: discord.Interaction[Any], error: BaseException) -> str:
    language = answers.language(interaction)
    if isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    if isinstance(error, RiffError):
        sentence = retold(language, str(error))
        if isinstance(error, Suspended):
            # Each person's Discord shows a moment in their own time.
            return sentence.replace(
                f"{error.until:%Y-%m-%d %H:%M} UTC", discord.utils.format_dt(error.until, "f")
            )
        return sentence
    if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
        return say(language, "This command has changed: wait a minute, reload Discord and try again.")
    if isinstance(error, discord.HTTPException):
        refused = refusals.sentence(language, error, interaction)
        if refused is not None:
            log.info("refused", interaction=interaction.id, status=error.status, code=error.code)
            return refused
    number = secrets.token_hex(4)
    command = None if interaction.command is None else interaction.command.qualified_name
    log.error("unexpected", id=number, interaction=interaction.id, command=command, exc_info=error)
    return say(
        language,
        "Something went wrong on our side. Whoever runs this bot finds it in the log under {number}.",
        number=number,
    )
