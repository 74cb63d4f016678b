"""The buttons under the message that shows what plays. Their custom ids carry the server: they outlive restarts."""

import re
from typing import TYPE_CHECKING, Any, Self

import discord
from discord import ui

from bot import access
from bot.items import LastingItem
from market.language import say

if TYPE_CHECKING:
    from bot.client import RiffBot

# By name: label and emoji.
LOOKS = {
    "skip": ("Skip", "⏭️"),
    "quieter": ("Quieter", "🔉"),
    "louder": ("Louder", "🔊"),
    "queue": ("Queue", "📜"),
    "stop": ("Stop", "⏹️"),
}


def panel(language: str, guild_id: int) -> ui.View:
    """All of them."""
    view = ui.View(timeout=None)
    for action in LOOKS:
        view.add_item(VoiceButton(action, guild_id, language))
    return view


class VoiceButton(
    LastingItem[ui.Button[Any]],
    template=r"voice:(?P<action>skip|quieter|louder|queue|stop):(?P<guild_id>\d+)",
):
    """Does one thing with what plays on a server, for people in the same voice channel."""

    def __init__(self, action: str, guild_id: int, language: str = "en") -> None:
        label, emoji = LOOKS[action]
        super().__init__(
            ui.Button(label=say(language, label), emoji=emoji, custom_id=f"voice:{action}:{guild_id}")
        )
        self.action = action

    @classmethod
    def of(cls, match: re.Match[str]) -> Self:
        return cls(match["action"], int(match["guild_id"]))

    async def used(self, interaction: discord.Interaction["RiffBot"]) -> None:
        await access.require_here(interaction)
        await interaction.client.rooms.control(interaction, self.action)
