"""`/delete-my-data`: what is stored about somebody, as a file, and its end."""

import asyncio
import io
import json
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import discord
from discord import ButtonStyle, app_commands, ui
from discord.ext import commands

from bot import answers, people
from bot.forms import Field, Form, Submitted
from bot.items import LastingItem
from generation.errors import RiffError
from market.accounts import service as accounts
from market.accounts.models import Account
from market.language import say

if TYPE_CHECKING:
    from bot.client import RiffBot

EXPORT, DELETE = "export", "delete"
FORM = "delete-my-data"
FILE = "riffmarket-my-data"
_STORED = (
    "your account: your id and name on Discord, its name and handle, how you sign in",
    "your riffs: what you asked for, the loops, the sounds that you brought, where in chat they went",
    "what you keep, rate, collect, download, report and sell, and your licences",
    "what you set on servers, the places of your riffs in galleries, and purchases on Discord",
)
_GOES = (
    "names, ways to sign in, sounds that you brought, unfinished riffs, where in chat your riffs went",
    "your offers, collections, profile, places in galleries and what you keep",
)
_STAYS = (
    "licences, those that you hold and those of your loops: they are contracts, and others rely on them",
    "the log of what was decided and why, notices to moderators, as the law asks; loops and ratings, with no name",
    "messages in chat: press Delete under them first; afterwards only moderators of a server can",
)


class NothingStored(RiffError):
    """Somebody without an account wants to have it or to lose it."""

    def __init__(self) -> None:
        super().__init__("Nothing is stored about you here: there is nothing to give out or to delete.")


class TooMuchForChat(RiffError):
    """Discord does not take a file as large as what is stored about somebody."""

    def __init__(self, public_url: str) -> None:
        if public_url:
            super().__init__(
                f"What is stored about you is too much for a message: download it at {public_url}/account."
            )
        else:
            super().__init__(
                "What is stored about you is too much for a message: download it on your account's page on the web."
            )


class PersonalCommands(commands.Cog):
    """What is stored about people."""

    @app_commands.command(name="delete-my-data")
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.allowed_installs(guilds=True, users=True)
    async def delete_my_data(self, interaction: discord.Interaction["RiffBot"]) -> None:
        """See what is stored about you, take it with you or have it deleted"""
        language = answers.language(interaction)
        account = await answers.soon(interaction, _account(interaction))
        view = ui.View(timeout=None)
        for what in (EXPORT, DELETE):
            view.add_item(PersonalButton(what, account.handle, language))
        await answers.whisper(interaction, embed=_told(language, account), view=view)


class PersonalButton(
    LastingItem[ui.Button[Any]], template=r"my-data:(?P<what>export|delete):(?P<handle>[a-z0-9-]{3,40})"
):
    """Gives out or deletes what is stored about whoever presses it; the handle is the one to type for deleting."""

    def __init__(self, what: str, handle: str, language: str = "en") -> None:
        custom_id = f"my-data:{what}:{handle}"
        button: ui.Button[Any] = (
            ui.Button(label=say(language, "Export"), emoji="📦", custom_id=custom_id)
            if what == EXPORT
            else ui.Button(
                label=say(language, "Delete…"), emoji="🗑️", style=ButtonStyle.danger, custom_id=custom_id
            )
        )
        super().__init__(button)
        self.what, self.handle = what, handle

    async def used(self, interaction: discord.Interaction["RiffBot"]) -> None:
        if self.what == EXPORT:
            await _export(interaction)
        else:
            await _ask(interaction, self.handle)


async def _account(interaction: discord.Interaction["RiffBot"]) -> Account:
    """The account of the person who acted, which is not made by asking. Raises NothingStored."""
    async with interaction.client.database.read() as session:
        account = (await people.known(session, interaction)).account
    if account is None:
        raise NothingStored
    return account


async def _export(interaction: discord.Interaction["RiffBot"]) -> None:
    """Everything as a file, packed where Discord does not take it otherwise. Raises NothingStored, TooMuchForChat."""
    await answers.think(interaction)
    account = await _account(interaction)
    async with interaction.client.database.read() as session:
        everything = await accounts.export(session, account.id)
    name, content = await asyncio.to_thread(_written, everything, interaction.filesize_limit)
    if len(content) > interaction.filesize_limit:
        raise TooMuchForChat(interaction.client.settings.public_url)
    await answers.whisper(interaction, file=discord.File(io.BytesIO(content), name))


def _written(everything: Mapping[str, Any], limit: int) -> tuple[str, bytes]:
    """The file's name and content: JSON, in a ZIP archive where that is larger than the limit."""
    plain = json.dumps(everything, indent=1, ensure_ascii=False).encode() + b"\n"
    if len(plain) <= limit:
        return f"{FILE}.json", plain
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{FILE}.json", plain)
    return f"{FILE}.zip", packed.getvalue()


async def _ask(interaction: discord.Interaction["RiffBot"], handle: str) -> None:
    """Have the handle typed, so that nobody deletes by mistake."""
    language = answers.language(interaction)
    typed = Field(
        "handle",
        say(language, "Your handle"),
        description=say(language, "Type {handle} to delete your data, for good.", handle=handle),
        placeholder=handle,
        required=True,
        max_length=40,
    )
    form = Form(FORM, "", say(language, "Delete my data"), [typed])
    await answers.give(lambda: interaction.response.send_modal(form))


async def _delete(
    interaction: discord.Interaction["RiffBot"], _subject: str, fields: Mapping[str, str]
) -> None:
    """Delete what can be. Raises NothingStored and what `accounts.delete` raises, with nothing deleted."""
    await answers.think(interaction)
    account = await _account(interaction)
    async with interaction.client.database.write() as session:
        await accounts.delete(session, account.id, fields["handle"].strip().removeprefix("@"))
    # What was unfinished is cancelled: its messages say so.
    interaction.client.deliveries.wake()
    language = answers.language(interaction)
    await answers.whisper(
        interaction,
        say(
            language,
            "Your data is deleted. What was unfinished is cancelled; messages that stand in chat stay there, and "
            "moderators can delete them. Whoever uses a command again begins anew.",
        ),
    )


def _told(language: str, account: Account) -> discord.Embed:
    """What is stored, what would go and what would stay."""
    embed = discord.Embed(
        title=say(language, "What is stored about you"),
        description=_list(language, _STORED),
        colour=discord.Colour.red(),
    )
    embed.add_field(name=say(language, "Deleting it removes"), value=_list(language, _GOES), inline=False)
    embed.add_field(name=say(language, "What stays"), value=_list(language, _STAYS), inline=False)
    embed.add_field(name=say(language, "Your handle"), value=f"`{account.handle}`", inline=False)
    return embed


def _list(language: str, lines: tuple[str, ...]) -> str:
    return "\n".join(f"• {say(language, line)}" for line in lines)


FORMS: dict[str, Submitted] = {FORM: _delete}
