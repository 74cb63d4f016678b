"""Modals: each is known by a name, and carries in its custom id what it is about, so that it survives a restart.

discord.py keeps the modals that it sent in memory; what comes back is therefore read from the interaction itself.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from bot import errors
from generation.errors import RiffError

if TYPE_CHECKING:
    from bot.client import RiffBot

_CUSTOM_ID = re.compile(r"form:(?P<name>[a-z-]+):(?P<subject>.*)", re.DOTALL)
MAX_LABEL = 45
MAX_TITLE = 45

# (interaction, subject, what was entered by the fields' names)
Submitted = Callable[[discord.Interaction["RiffBot"], str, Mapping[str, str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that a form asks for; with `choices`, (label, value) pairs, it is a select, else a line of text.

    With `many`, several may be chosen: their values, here and in what comes back, have commas between them.
    """

    name: str
    label: str
    value: str = ""
    description: str = ""
    placeholder: str = ""
    long: bool = False
    required: bool = False
    max_length: int = 300
    choices: Sequence[tuple[str, str]] = ()
    many: bool = False


class FormGone(RiffError):
    """A form outlived what it was for."""

    def __init__(self) -> None:
        super().__init__("This form is of an older version: open it again.")


class Form(ui.Modal):
    """A modal as it is sent. What comes back goes to the handler of its name, see `submitted`."""

    def __init__(self, name: str, subject: str, title: str, fields: Sequence[Field]) -> None:
        super().__init__(title=title[:MAX_TITLE], custom_id=f"form:{name}:{subject}", timeout=None)
        for field in fields:
            self.add_item(
                ui.Label(
                    text=field.label[:MAX_LABEL],
                    description=field.description[:100] or None,
                    component=_select(field) if field.choices else _line(field),
                )
            )

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Nothing: `submitted` answers, for this form as for one that was sent before a restart."""


_handlers: dict[str, Submitted] = {}


def on_submit(name: str, handler: Submitted) -> None:
    """Let `handler` answer the forms of a name; done once, when the bot is put together."""
    _handlers[name] = handler


async def submitted(interaction: discord.Interaction["RiffBot"]) -> None:
    """Answer a form that came back; never raises."""
    data: Any = interaction.data
    found = _CUSTOM_ID.fullmatch(data["custom_id"])
    if found is None:
        return
    try:
        if found["name"] not in _handlers:
            raise FormGone
        await _handlers[found["name"]](interaction, found["subject"], dict(_values(data["components"])))
    except Exception as error:  # discord.py would only log it
        await errors.answer(interaction, error)


def _line(field: Field) -> ui.TextInput[Any]:
    return ui.TextInput(
        custom_id=field.name,
        style=discord.TextStyle.long if field.long else discord.TextStyle.short,
        default=field.value[: field.max_length] or None,
        placeholder=field.placeholder[:100] or None,
        required=field.required,
        max_length=field.max_length,
    )


def _select(field: Field) -> ui.Select[Any]:
    chosen = field.value.split(",") if field.many else [field.value]
    return ui.Select(
        custom_id=field.name,
        placeholder=field.placeholder[:150] or None,
        required=field.required,
        min_values=1 if field.required else 0,
        max_values=len(field.choices) if field.many else 1,
        options=[
            discord.SelectOption(label=label[:100], value=value, default=value in chosen)
            for label, value in field.choices
        ],
    )


def _values(components: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for part in components:
        inner = [part["component"]] if "component" in part else part.get("components", [])
        for field in inner:
            chosen = field.get("values")
            yield field["custom_id"], field.get("value", "") if chosen is None else ",".join(chosen)
