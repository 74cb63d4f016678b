"""A loop as a file: download, stems, GIF, MP4, voice message, direct message."""

from typing import TYPE_CHECKING

import discord

from bot.forms import Submitted
from bot.loop.actions import Action
from generation.errors import RiffError

if TYPE_CHECKING:
    from bot.client import RiffBot


async def _unbuilt(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    raise RiffError("UNBUILT")


ACTIONS = (
    Action("download", "Download", "⬇️", _unbuilt),
    Action("stems", "Stems", "🎚️", _unbuilt),
    Action("gif", "GIF", "🖼️", _unbuilt),
    Action("mp4", "Video", "🎬", _unbuilt),
    Action("voice", "Voice message", "🎙️", _unbuilt),
    Action("dm", "Send me a DM", "✉️", _unbuilt),
)

FORMS: dict[str, Submitted] = {}
