"""Keeping, deleting and looking closer."""

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
    Action("keep", "Keep", "🔖", _unbuilt),
    Action("delete", "Delete", "🗑️", _unbuilt, owner=True),
    Action("more", "More", "⋯", _unbuilt),
    Action("info", "Recipe", "ℹ️", _unbuilt),
)

FORMS: dict[str, Submitted] = {}
