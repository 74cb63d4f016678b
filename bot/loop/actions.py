"""What can be done with a loop, by name: buttons, menu entries and panels are made of these."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import discord

from generation.errors import RiffError

if TYPE_CHECKING:
    from bot.client import RiffBot

Run = Callable[[discord.Interaction["RiffBot"], str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Action:
    """`run(interaction, loop_id)` does it, and gives the first answer; what it raises is answered in one place.

    `label` is English; an action for the `owner` only is refused to others, whatever a server's settings say.
    """

    name: str
    label: str
    emoji: str
    run: Run
    owner: bool = False
    style: discord.ButtonStyle = discord.ButtonStyle.secondary


class ActionGone(RiffError):
    """A button outlived what it does."""

    def __init__(self) -> None:
        super().__init__("This button is of an older version: use those under a newer message.")


_offered: dict[str, Action] = {}


def offer(*actions: Action) -> None:
    """Make actions known; done once, when the bot is put together."""
    for action in actions:
        _offered[action.name] = action


def offered() -> dict[str, Action]:
    """All actions by their names."""
    return _offered


def named(name: str) -> Action:
    """An action by its name. Raises ActionGone."""
    if name not in _offered:
        raise ActionGone
    return _offered[name]
