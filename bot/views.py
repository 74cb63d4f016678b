"""The buttons under a loop. Their custom ids carry the loop's id, so they work for ever and over restarts."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
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
        view.add_item(AgainButton(loop_id, number, row=row))
        view.add_item(VaryButton(loop_id, number, row=row))
    return view


class AgainButton(ui.DynamicItem[ui.Button[Any]], template=f"riff:again:{LOOP_ID}"):
    """The same wish with a fresh seed."""

    def __init__(self, loop_id: str, number: str = "", *, row: int | None = None) -> None:
        super().__init__(
            ui.Button(label=f"Again{number}", emoji="🔁", custom_id=f"riff:again:{loop_id}"), row=row
        )
        self.loop_id = loop_id

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], _item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(match["loop_id"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        await _order_from(
            interaction, self.loop_id, lambda request, seed: replace(request.again(), seed=seed)
        )


class VaryButton(ui.DynamicItem[ui.Button[Any]], template=f"riff:vary:{LOOP_ID}"):
    """A near variation of this very take."""

    def __init__(self, loop_id: str, number: str = "", *, row: int | None = None) -> None:
        super().__init__(
            ui.Button(label=f"Vary{number}", emoji="🎲", custom_id=f"riff:vary:{loop_id}"), row=row
        )
        self.loop_id = loop_id

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], _item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(match["loop_id"])

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        await _order_from(
            interaction, self.loop_id, lambda request, seed: replace(request.vary(), variation_seed=seed)
        )


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
            await orders.place(session, interaction, change(catalog.request_of(loop), seed), message_id)
    except Exception as error:  # discord.py would only log it
        await errors.answer(interaction, error)
    else:
        bot.deliveries.wake()
