"""The buttons and menus under loops. Their custom ids carry the loop's id: they work for ever, and over restarts."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import discord
from discord import ui

from bot import access
from bot.items import LastingItem
from bot.loop import actions
from market.language import say

if TYPE_CHECKING:
    from bot.client import RiffBot

LOOP_ID = r"(?P<loop_id>[0-9a-f]{24}-\d{1,2})"
ONE_TAKE = (
    ("keep", "vary", "extend", "morph", "repaint"),
    ("again", "edit", "download", "publish", "delete"),
)
EACH_TAKE = ("keep", "vary", "extend", "download", "more")
ALL_TAKES = ("reroll", "revise", "delete")
MENU = ("varyby", "song", "stems", "gif", "mp4", "voice", "dm", "play", "soundboard", "info")
MOST_ROWS_OF_TAKES = 4


def loop_view(language: str, loop_ids: Sequence[str]) -> ui.View:
    """What stands under a finished riff: all actions for one take; a row for each of up to four; else a choice."""
    if len(loop_ids) == 1:
        return panel(language, loop_ids[0])
    view = ui.View(timeout=None)
    rows = loop_ids if len(loop_ids) <= MOST_ROWS_OF_TAKES else ()
    for row, loop_id in enumerate(rows):
        for name in EACH_TAKE:
            view.add_item(LoopButton(name, loop_id, language, number=row + 1, row=row))
    if not rows:
        view.add_item(TakeMenu(loop_ids, language))
    for name in ALL_TAKES:
        view.add_item(LoopButton(name, loop_ids[0], language, row=len(rows) or 1))
    return view


def panel(language: str, loop_id: str) -> ui.View:
    """Everything that can be done with one loop."""
    view = ui.View(timeout=None)
    for row, names in enumerate(ONE_TAKE):
        for name in names:
            view.add_item(LoopButton(name, loop_id, language, row=row))
    view.add_item(LoopMenu(loop_id, language, row=len(ONE_TAKE)))
    return view


async def press(interaction: discord.Interaction["RiffBot"], name: str, loop_id: str) -> None:
    """Do what a button, a menu or a panel asks for."""
    action = actions.named(name)
    await access.require_press(interaction, loop_id, owner_only=action.owner)
    await action.run(interaction, loop_id)


class LoopButton(LastingItem[ui.Button[Any]], template=rf"riff:(?P<action>[a-z0-9]+):{LOOP_ID}"):
    """Does one thing with the loop that it stands under."""

    def __init__(
        self,
        action: str,
        loop_id: str,
        language: str = "en",
        *,
        number: int | None = None,
        row: int | None = None,
    ) -> None:
        button: ui.Button[Any] = ui.Button(label=action, custom_id=f"riff:{action}:{loop_id}")
        # One that stands under an old message may do what nothing does any more: pressed, it says so.
        look = actions.offered().get(action)
        if look is not None:
            button.label = say(language, look.label) + ("" if number is None else f" {number}")
            button.emoji, button.style = look.emoji, look.style
        super().__init__(button, row=row)
        self.action, self.loop_id = action, loop_id

    async def used(self, interaction: discord.Interaction["RiffBot"]) -> None:
        await press(interaction, self.action, self.loop_id)


class LoopMenu(LastingItem[ui.Select[Any]], template=rf"riff-menu:{LOOP_ID}"):
    """The rest of what can be done with a loop."""

    def __init__(self, loop_id: str, language: str = "en", *, row: int | None = None) -> None:
        options = [
            discord.SelectOption(label=say(language, look.label), value=look.name, emoji=look.emoji)
            for look in map(actions.named, MENU)
        ]
        super().__init__(
            ui.Select(custom_id=f"riff-menu:{loop_id}", placeholder=say(language, "More…"), options=options),
            row=row,
        )
        self.loop_id = loop_id

    async def used(self, interaction: discord.Interaction["RiffBot"]) -> None:
        await press(interaction, self.item.values[0], self.loop_id)


class TakeMenu(LastingItem[ui.Select[Any]], template=rf"riff-takes:{LOOP_ID}"):
    """Chooses among more takes than there is room for rows: each opens its panel."""

    def __init__(self, loop_ids: Sequence[str], language: str = "en", *, row: int | None = 0) -> None:
        options = [
            discord.SelectOption(label=say(language, "Take {number}", number=number), value=loop_id)
            for number, loop_id in enumerate(loop_ids, 1)
        ]
        super().__init__(
            ui.Select(
                custom_id=f"riff-takes:{loop_ids[0]}",
                placeholder=say(language, "Choose a take…"),
                options=options,
            ),
            row=row,
        )

    @classmethod
    def of(cls, match: re.Match[str]) -> Self:
        return cls([match["loop_id"]])

    async def used(self, interaction: discord.Interaction["RiffBot"]) -> None:
        await press(interaction, "more", self.item.values[0])
