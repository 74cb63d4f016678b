"""Putting a loop on the market from chat."""

from typing import TYPE_CHECKING

import discord

from bot.forms import Submitted
from bot.loop.actions import Action
from generation.errors import RiffError

if TYPE_CHECKING:
    from bot.client import RiffBot


async def _unbuilt(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    raise RiffError("UNBUILT")


ACTIONS = (Action("publish", "Publish…", "🏷️", _unbuilt, owner=True),)

FORMS: dict[str, Submitted] = {}
