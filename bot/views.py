"""The buttons under a loop. Their custom ids carry the loop's id, so they work for ever and over restarts."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import discord
from discord import ui

from bot import errors, orders
from generation.request import RiffRequest
from market.catalog import service as catalog
from market.studio import service as studio

if TYPE_CHECKING:
    from bot.client import RiffBot

LOOP_ID = r"(?P<loop_id>[\w-]{1,64})"


def loop_buttons(loop_ids: Sequence[str]) -> ui.View:
    """One row per take, at most five; numbered where there is more than one."""
    view = ui.View(timeout=None)
    for row, loop_id in enumerate(loop_ids[:5]):
        number = f" {row + 1}" if len(loop_ids) > 1 else ""
        for action in ACTIONS:
            view.add_item(LoopButton(action, loop_id, number, row=row))
    return view


@dataclass(frozen=True, slots=True)
class Action:
    """What a button asks for: `change` turns a loop's request and a seed into the new request."""

    label: str
    emoji: str
    change: Callable[[RiffRequest, int], RiffRequest]


ACTIONS = {
    "again": Action("Again", "🔁", lambda request, seed: replace(request.again(), seed=seed)),
    "vary": Action("Vary", "🎲", lambda request, seed: replace(request.vary(), variation_seed=seed)),
}


class LoopButton(ui.DynamicItem[ui.Button[Any]], template=rf"riff:(?P<action>{'|'.join(ACTIONS)}):{LOOP_ID}"):
    """Orders a riff from the loop that it stands under, by one of the actions."""

    def __init__(self, action: str, loop_id: str, number: str = "", *, row: int | None = None) -> None:
        look = ACTIONS[action]
        custom_id = f"riff:{action}:{loop_id}"
        super().__init__(
            ui.Button(label=f"{look.label}{number}", emoji=look.emoji, custom_id=custom_id), row=row
        )
        self.action, self.loop_id = action, loop_id

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], _item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(match["action"], match["loop_id"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        await _order_from(interaction, self.loop_id, ACTIONS[self.action].change)


async def _order_from(
    interaction: discord.Interaction["RiffBot"],
    loop_id: str,
    change: Callable[[RiffRequest, int], RiffRequest],
) -> None:
    """Order what `change` makes of a loop's request and a seed; the same interaction gives the same seed."""
    bot = interaction.client
    try:
        message_id = await orders.acknowledge(interaction)
        seed = studio.seed_of(orders.idempotency_key(interaction))
        async with bot.database.write() as session:
            loop = await catalog.get(session, loop_id)
            wish = change(catalog.request_of(loop), seed)
            await orders.place(session, interaction, wish, message_id, loop)
    except Exception as error:  # discord.py would only log it
        await errors.answer(interaction, error)
    else:
        bot.deliveries.wake()
