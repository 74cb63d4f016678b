"""Buttons and menus that live for ever: what they are about stands in their custom ids, and outlives a restart."""

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self, TypeVar

import discord
from discord import ui

from bot import errors

if TYPE_CHECKING:
    from bot.client import RiffBot

T = TypeVar("T", bound=ui.Item[Any])


class LastingItem(ui.DynamicItem[T], ABC, template=r"(?!)"):
    """A kind of button or menu, known by the template of its custom ids.

    When one is used it is made again, by `of`, and `used` does what it is for; what that raises is answered in one
    place.
    """

    @classmethod
    def of(cls, match: re.Match[str]) -> Self:
        """One by its custom id: the template's groups are the parameters, unless a kind says otherwise."""
        parts: dict[str, Any] = match.groupdict()
        return cls(**parts)

    @abstractmethod
    async def used(self, interaction: discord.Interaction["RiffBot"]) -> None:
        """Do what it is for, and give the first answer."""

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], _item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls.of(match)

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        try:
            await self.used(interaction)
        except Exception as error:  # discord.py would only log it
            await errors.answer(interaction, error)
