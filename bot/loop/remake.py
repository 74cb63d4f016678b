"""New riffs from a loop: again, vary, extend, morph, repaint, with other words."""

from dataclasses import replace
from typing import TYPE_CHECKING

import discord

from bot import orders
from bot.forms import Submitted
from bot.loop.actions import Action

if TYPE_CHECKING:
    from bot.client import RiffBot


async def again(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """The same wish with another seed."""
    seed = orders.seed_of(interaction)
    await orders.order_from(interaction, loop_id, lambda request: replace(request.again(), seed=seed))


async def vary(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """A near variation of a loop."""
    seed = orders.seed_of(interaction)
    await orders.order_from(
        interaction, loop_id, lambda request: replace(request.vary(), variation_seed=seed)
    )


ACTIONS = (
    Action("again", "Again", "🔁", again),
    Action("reroll", "Again", "🔁", again),
    Action("extend", "Extend", "➡️", again),
    Action("morph", "Morph…", "🌗", again),
    Action("repaint", "Repaint…", "🖌️", again),
    Action("edit", "Edit prompt…", "✏️", again),
    Action("song", "Song from this", "🎼", again),
    Action("vary", "Vary", "🎲", vary),
)

FORMS: dict[str, Submitted] = {}
