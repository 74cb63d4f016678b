"""The button under a riff that is not finished yet."""

from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from bot import answers, people
from bot.items import LastingItem
from market.language import say
from market.studio import service as studio

if TYPE_CHECKING:
    from bot.client import RiffBot


def cancel_view(language: str, riff_id: str) -> ui.View:
    """The one button."""
    view = ui.View(timeout=None)
    view.add_item(CancelButton(riff_id, language))
    return view


class CancelButton(LastingItem[ui.Button[Any]], template=r"riff-cancel:(?P<riff_id>[0-9a-f]{24})"):
    """Takes a riff back. What its message says then comes by delivery, like every end of a riff."""

    def __init__(self, riff_id: str, language: str = "en") -> None:
        super().__init__(
            ui.Button(label=say(language, "Cancel"), emoji="✖️", custom_id=f"riff-cancel:{riff_id}")
        )
        self.riff_id = riff_id

    async def used(self, interaction: discord.Interaction["RiffBot"]) -> None:
        await answers.soon(interaction, self._cancel(interaction))
        interaction.client.deliveries.wake()
        await answers.whisper(interaction, say(answers.language(interaction), "This riff was cancelled."))

    async def _cancel(self, interaction: discord.Interaction[Any]) -> None:
        async with interaction.client.database.write() as session:
            account = await people.account_of(session, interaction)
            await studio.cancel(session, self.riff_id, account.owner)
