"""Who may use what here, by the settings of a server. In direct messages and elsewhere everybody may."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import discord

from bot import answers, repository
from generation.request import RiffRequest
from market.guilds import service as guilds
from market.guilds.errors import NotYourRiff, RoleMissing, TooManyBars, TooManyTakes, WrongChannel
from market.guilds.service import Rules

if TYPE_CHECKING:
    from bot.client import RiffBot

# Where people learn what holds, and what concerns nobody but themselves.
EVERYWHERE = frozenset({"help", "delete-my-data"})
SETTINGS = "settings"


async def require_here(interaction: discord.Interaction["RiffBot"]) -> None:
    """That the person may use the bot in this channel of this server. Raises NotAllowedHere."""
    data: Any = interaction.data or {}
    command = data.get("name")
    manages = interaction.permissions.manage_guild
    if command not in EVERYWHERE and not (command == SETTINGS and manages):
        _require_place(interaction, await _rules(interaction))


async def require_request(interaction: discord.Interaction["RiffBot"], request: RiffRequest) -> None:
    """That a request stays within the caps of this server. Raises CapExceeded."""
    rules = await _rules(interaction)
    if request.takes > rules.max_takes:
        raise TooManyTakes(rules.max_takes)
    if request.bars > rules.max_bars:
        raise TooManyBars(rules.max_bars)


async def require_press(
    interaction: discord.Interaction["RiffBot"], loop_id: str, *, owner_only: bool = False
) -> None:
    """That the person may press buttons under this loop. Raises NotAllowedHere and NotYourRiff."""
    rules = await _rules(interaction)
    _require_place(interaction, rules)
    if owner_only or rules.presses == guilds.OWNER:
        riff_id = loop_id.partition("-")[0]
        async with interaction.client.database.read() as session:
            owns = await repository.owns(session, riff_id, interaction.user.id)
        if not owns:
            raise NotYourRiff(all_buttons=not owner_only)


async def public_language(interaction: discord.Interaction["RiffBot"]) -> str:
    """The language of what everybody sees here: the server's, if it has chosen one, else the person's."""
    return (await _rules(interaction)).language or answers.language(interaction)


async def _rules(interaction: discord.Interaction["RiffBot"]) -> Rules:
    return await interaction.client.rules.of(interaction.guild_id)


def _require_place(interaction: discord.Interaction["RiffBot"], rules: Rules) -> None:
    if rules.channels:
        # What a channel allows its threads allow.
        here = {interaction.channel_id, getattr(interaction.channel, "parent_id", None)}
        if here.isdisjoint(rules.channels):
            raise WrongChannel(_listed(f"<#{channel}>" for channel in rules.channels))
    # On each server the role of everybody has the server's own id.
    if rules.roles and interaction.guild_id not in rules.roles:
        # Member.roles leaves out what the gateway has not told yet.
        held = getattr(interaction.user, "_roles", ())
        if set(rules.roles).isdisjoint(held):
            raise RoleMissing(_listed(f"<@&{role}>" for role in rules.roles))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
