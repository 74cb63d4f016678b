"""Who may use what here, by the settings of a server. In direct messages and elsewhere everybody may."""

from typing import TYPE_CHECKING

import discord

from generation.request import RiffRequest

if TYPE_CHECKING:
    from bot.client import RiffBot


async def require_here(interaction: discord.Interaction["RiffBot"]) -> None:
    """That the person may use the bot in this channel of this server. Raises NotAllowedHere."""


async def require_request(interaction: discord.Interaction["RiffBot"], request: RiffRequest) -> None:
    """That a request stays within the caps of this server. Raises CapExceeded."""


async def require_press(
    interaction: discord.Interaction["RiffBot"], loop_id: str, *, owner_only: bool = False
) -> None:
    """That the person may press buttons under this loop. Raises NotYourRiff."""


async def public_language(interaction: discord.Interaction["RiffBot"]) -> str:
    """The language of what everybody sees here: the server's, if it has chosen one, else the person's."""
    from bot import answers

    return answers.language(interaction)
