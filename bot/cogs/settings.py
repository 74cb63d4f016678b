"""`/settings`: what holds on a server, in one panel that only the person who asked for it sees.

Its buttons and menus carry the server's id, so that it works after a restart; each press is checked again.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import discord
from discord import ChannelType, Permissions, app_commands, ui
from discord.ext import commands
from sqlalchemy.ext.asyncio import AsyncSession

from bot import answers, people, permissions
from bot.forms import Field, Form, Submitted
from bot.items import LastingItem
from generation.request import TAKES
from market.accounts.models import Account
from market.guilds import service as guilds
from market.guilds.errors import NotTheManager
from market.guilds.service import MAX_BARS, MAX_IDS, SHARE, STARS, Rules
from market.language import LANGUAGES, say, say_count
from market.moderation import words

if TYPE_CHECKING:
    from bot.client import RiffBot

COLOUR = discord.Colour(0x7C5CFF)
HANGING = Permissions(view_channel=True, send_messages=True, embed_links=True, attach_files=True)
COUNTING = Permissions(read_message_history=True)
WORDS_PER_PAGE = 25
SHOWN_NAMES = 25
WORDS_AT_ONCE = 4000  # characters
# Discord takes no empty value for a choice.
EACH_THEIR_OWN = "own"
MADE_IN = [ChannelType.text, ChannelType.news, ChannelType.voice, ChannelType.stage_voice, ChannelType.forum]
HUNG_IN = [ChannelType.text, ChannelType.news]

RiffInteraction = discord.Interaction["RiffBot"]
Change = Callable[[AsyncSession, Account], Awaitable[object]]


class SettingsCommands(commands.Cog):
    """What holds on a server."""

    @app_commands.command(name="settings")
    @app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)
    @app_commands.allowed_installs(guilds=True, users=False)
    @app_commands.default_permissions(manage_guild=True)
    async def settings(self, interaction: discord.Interaction["RiffBot"]) -> None:
        """Choose where, by whom and how riffs are made on this server"""
        guild_id = _require_manager(interaction, interaction.guild_id)
        shown = await answers.soon(interaction, _panel(interaction, guild_id))
        await answers.whisper(interaction, **shown.parts())


@dataclass(frozen=True, slots=True)
class Shown:
    """One face of the panel."""

    embed: discord.Embed
    view: ui.View

    def parts(self) -> dict[str, Any]:
        """Arguments of a message, or of an edit that replaces the face before."""
        return {"embed": self.embed, "view": self.view}


class Setting(
    LastingItem[ui.Item[Any]],
    template=r"settings:(?P<what>[a-z]+):(?P<guild_id>\d{1,20})(?::(?P<page>\d{1,3}))?",
):
    """A button or a menu of the panel."""

    def __init__(
        self, item: ui.Item[Any], what: str, guild_id: int, page: int = 0, *, row: int | None = None
    ) -> None:
        super().__init__(item, row=row)
        self.what, self.guild_id, self.page = what, guild_id, page

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(item, match["what"], int(match["guild_id"]), int(match["page"] or 0))

    async def used(self, interaction: RiffInteraction) -> None:
        _require_manager(interaction, self.guild_id)
        await _PRESSES[self.what](interaction, self)


def _require_manager(interaction: RiffInteraction, guild_id: int | None) -> int:
    """The id of the server, for somebody who manages it. Raises NotTheManager."""
    if guild_id is None or interaction.guild_id != guild_id or not interaction.permissions.manage_guild:
        raise NotTheManager
    return guild_id


async def _update(interaction: RiffInteraction, work: Coroutine[Any, Any, Shown]) -> None:
    """Turn the panel into what `work` gives, as the first answer, or after a sign that it was heard."""
    task = asyncio.create_task(work)
    done, _ = await asyncio.wait({task}, timeout=answers.FIRST_ANSWER)
    if not done:
        await answers.give(interaction.response.defer)
    shown = await task
    if done:
        await answers.give(lambda: interaction.response.edit_message(**shown.parts()))
    else:
        await interaction.edit_original_response(**shown.parts())


async def _change(interaction: RiffInteraction, guild_id: int, change: Change) -> None:
    """Let `change` change something of the server, and this process know it at once."""
    bot = interaction.client
    async with bot.database.write() as session:
        await change(session, await people.active(session, interaction))
    bot.rules.forget(guild_id)


async def _set(interaction: RiffInteraction, guild_id: int, **parts: object) -> Shown:
    await _change(interaction, guild_id, lambda session, by: guilds.change(session, guild_id, by, **parts))
    return await _panel(interaction, guild_id)


# The panel


async def _panel(interaction: RiffInteraction, guild_id: int) -> Shown:
    """Everything that holds on the server, and what changes it."""
    async with interaction.client.database.read() as session:
        rules = await guilds.of(session, guild_id)
        blocked = len(await words.of_guild(session, str(guild_id)))
    language = answers.language(interaction)
    guild = interaction.client.get_guild(guild_id)
    embed = discord.Embed(title=say(language, "Settings of this server"), colour=COLOUR)
    for name, value in _told(language, rules, blocked):
        embed.add_field(name=name, value=value, inline=False)
    warning = _warning(language, guild, rules)
    if warning:
        embed.add_field(name="⚠️", value=warning, inline=False)
    return Shown(embed, _view(language, guild, guild_id, rules))


def _told(language: str, rules: Rules, blocked: int) -> list[tuple[str, str]]:
    """The settings in words: pairs of a name and what is set."""
    channels = ", ".join(f"<#{channel}>" for channel in rules.channels)
    roles = ", ".join(f"<@&{role}>" for role in rules.roles)
    limits = say(
        language,
        "{takes} at once, {bars} long at most.",
        takes=say_count(language, "{count} take", "{count} takes", rules.max_takes),
        bars=say_count(language, "{count} bar", "{count} bars", rules.max_bars),
    )
    gallery = say(language, "None: choose a channel below.")
    if rules.gallery_channel is not None:
        gallery = say_count(
            language,
            "Riffs with {count} ⭐ hang in {channel}.",
            "Riffs with {count} ⭐ and more hang in {channel}.",
            rules.gallery_stars,
            channel=f"<#{rules.gallery_channel}>",
        )
    return [
        (
            say(language, "Where riffs are made"),
            say(language, "{channels}, and their threads.", channels=channels)
            if channels
            else say(language, "In every channel."),
        ),
        (say(language, "Who makes them"), roles or say(language, "Everybody.")),
        (say(language, "Limits"), limits),
        (
            say(language, "Who may press the buttons under a riff"),
            say(language, "Everybody.")
            if rules.presses == guilds.EVERYONE
            else say(language, "Whoever asked for the riff."),
        ),
        (say(language, "Gallery"), gallery),
        (
            say(language, "Spoilers"),
            say(language, "Prompts, pictures and recordings are hidden until somebody clicks.")
            if rules.spoiler
            else say(language, "Nothing is hidden."),
        ),
        (
            say(language, "Language"),
            say(language, "Each person's own.") if not rules.language else LANGUAGES[rules.language],
        ),
        (
            say(language, "Blocked words"),
            say_count(
                language,
                "{count}, besides those that are blocked everywhere.",
                "{count}, besides those that are blocked everywhere.",
                blocked,
            ),
        ),
        (
            say(language, "The server's share"),
            say(
                language,
                "{share} % of what creators earn with loops made here. It counts from when sales are paid out.",
                share=rules.share,
            ),
        ),
    ]


def _warning(language: str, guild: discord.Guild | None, rules: Rules) -> str:
    """What keeps the gallery from working, and what an admin has to tick; empty where nothing does."""
    if guild is None or guild.me is None or rules.gallery_channel is None:
        return ""
    channel = guild.get_channel(rules.gallery_channel)
    if channel is None:
        return say(language, "The gallery's channel is gone: choose another one.")
    bot, place = guild.me.mention, channel.mention
    lacking = permissions.missing(HANGING, channel.permissions_for(guild.me))
    lines = []
    if lacking.value:
        lines.append(
            say(
                language,
                "An admin has to tick {permissions} for {bot} in {channel}.",
                permissions=permissions.listed(language, lacking),
                bot=bot,
                channel=place,
            )
        )
    uncounted = permissions.missing(COUNTING, guild.me.guild_permissions)
    if uncounted.value:
        lines.append(
            say(
                language,
                "Stars are counted only in channels where {permissions} is ticked for {bot}.",
                permissions=permissions.listed(language, uncounted),
                bot=bot,
            )
        )
    return "\n".join(lines)


def _view(language: str, guild: discord.Guild | None, guild_id: int, rules: Rules) -> ui.View:
    view = ui.View(timeout=None)

    def place(item: ui.Item[Any], what: str, row: int) -> None:
        view.add_item(Setting(item, what, guild_id, row=row))

    def button(what: str, emoji: str, label: str, row: int, *, on: bool = False) -> None:
        style = discord.ButtonStyle.primary if on else discord.ButtonStyle.secondary
        place(ui.Button(label=label, emoji=emoji, style=style, custom_id=_id(what, guild_id)), what, row)

    def known(ids: tuple[int, ...], kind: str) -> list[discord.Object]:
        """What is chosen and still there: a menu cannot show what was deleted."""
        there = getattr(guild, kind) if guild is not None else None
        return [discord.Object(each) for each in ids if there is None or there(each) is not None]

    place(
        ui.ChannelSelect(
            custom_id=_id("channels", guild_id),
            placeholder=say(language, "Where riffs are made: every channel"),
            channel_types=MADE_IN,
            min_values=0,
            max_values=MAX_IDS,
            default_values=known(rules.channels, "get_channel"),
        ),
        "channels",
        0,
    )
    place(
        ui.RoleSelect(
            custom_id=_id("roles", guild_id),
            placeholder=say(language, "Who makes them: everybody"),
            min_values=0,
            max_values=MAX_IDS,
            default_values=known(rules.roles, "get_role"),
        ),
        "roles",
        1,
    )
    place(
        ui.ChannelSelect(
            custom_id=_id("gallery", guild_id),
            placeholder=say(language, "Gallery: none"),
            channel_types=HUNG_IN,
            min_values=0,
            max_values=1,
            default_values=known((rules.gallery_channel,), "get_channel") if rules.gallery_channel else [],
        ),
        "gallery",
        2,
    )
    button("limits", "📏", say(language, "Limits…"), 3)
    button("stars", "⭐", say(language, "Stars…"), 3)
    button("words", "🚫", say(language, "Blocked words…"), 3)
    button("share", "💰", say(language, "Share…"), 3)
    button("language", "🌍", say(language, "Language…"), 3)
    owner_only = rules.presses == guilds.OWNER
    presses = (
        say(language, "Buttons: for the owner") if owner_only else say(language, "Buttons: for everybody")
    )
    button("presses", "👆", presses, 4, on=owner_only)
    spoiler = say(language, "Spoilers: on") if rules.spoiler else say(language, "Spoilers: off")
    button("spoiler", "🙈", spoiler, 4, on=rules.spoiler)
    return view


def _id(what: str, guild_id: int, page: int | None = None) -> str:
    return f"settings:{what}:{guild_id}" + ("" if page is None else f":{page}")


# What the menus and buttons of the panel do


def _chosen(interaction: RiffInteraction) -> list[str]:
    """The values of a menu; of channels and roles, their ids."""
    data: Any = interaction.data
    return [str(value) for value in data.get("values", [])]


async def _choose_channels(interaction: RiffInteraction, pressed: Setting) -> None:
    await _update(interaction, _set(interaction, pressed.guild_id, channels=_chosen(interaction)))


async def _choose_roles(interaction: RiffInteraction, pressed: Setting) -> None:
    await _update(interaction, _set(interaction, pressed.guild_id, roles=_chosen(interaction)))


async def _choose_gallery(interaction: RiffInteraction, pressed: Setting) -> None:
    chosen = next(iter(_chosen(interaction)), None)
    await _update(interaction, _set(interaction, pressed.guild_id, gallery_channel=chosen))


async def _toggle_presses(interaction: RiffInteraction, pressed: Setting) -> None:
    async def toggle() -> Shown:
        rules = await interaction.client.rules.of(pressed.guild_id)
        other = guilds.OWNER if rules.presses == guilds.EVERYONE else guilds.EVERYONE
        return await _set(interaction, pressed.guild_id, presses=other)

    await _update(interaction, toggle())


async def _toggle_spoiler(interaction: RiffInteraction, pressed: Setting) -> None:
    async def toggle() -> Shown:
        rules = await interaction.client.rules.of(pressed.guild_id)
        return await _set(interaction, pressed.guild_id, spoiler=not rules.spoiler)

    await _update(interaction, toggle())


async def _ask(interaction: RiffInteraction, name: str, guild_id: int, title: str, *asked: Field) -> None:
    await interaction.response.send_modal(Form(name, str(guild_id), title, asked))


async def _ask_numbers(
    interaction: RiffInteraction,
    pressed: Setting,
    name: str,
    title: str,
    *asked: tuple[str, str, tuple[int, int]],
) -> None:
    """Ask for some of the rules that are numbers: each a rule's name, its label, and from where to where it goes."""
    rules, language = await interaction.client.rules.of(pressed.guild_id), answers.language(interaction)
    fields = [
        Field(
            rule,
            label,
            str(getattr(rules, rule)),
            placeholder=say(language, "A number from {low} to {high}", low=low, high=high),
            required=True,
            max_length=5,
        )
        for rule, label, (low, high) in asked
    ]
    await _ask(interaction, name, pressed.guild_id, title, *fields)


async def _ask_limits(interaction: RiffInteraction, pressed: Setting) -> None:
    language = answers.language(interaction)
    takes = ("max_takes", say(language, "Takes of a riff at most"), TAKES)
    bars = ("max_bars", say(language, "Bars of a loop at most"), MAX_BARS)
    title = say(language, "Limits of this server")
    await _ask_numbers(interaction, pressed, "settings-limits", title, takes, bars)


async def _ask_stars(interaction: RiffInteraction, pressed: Setting) -> None:
    language = answers.language(interaction)
    stars = ("gallery_stars", say(language, "Stars that it takes"), STARS)
    await _ask_numbers(interaction, pressed, "settings-stars", say(language, "Gallery"), stars)


async def _ask_share(interaction: RiffInteraction, pressed: Setting) -> None:
    language = answers.language(interaction)
    share = ("share", say(language, "Percent of what creators earn here"), SHARE)
    await _ask_numbers(interaction, pressed, "settings-share", say(language, "The server's share"), share)


async def _ask_language(interaction: RiffInteraction, pressed: Setting) -> None:
    rules, language = await interaction.client.rules.of(pressed.guild_id), answers.language(interaction)
    own = say(language, "The language of each person")
    await _ask(
        interaction,
        "settings-language",
        pressed.guild_id,
        say(language, "Language"),
        Field(
            "language",
            say(language, "What everybody sees is in"),
            rules.language or EACH_THEIR_OWN,
            required=True,
            choices=[(own, EACH_THEIR_OWN), *((name, tag) for tag, name in LANGUAGES.items())],
        ),
    )


async def _entered_numbers(interaction: RiffInteraction, subject: str, values: Mapping[str, str]) -> None:
    guild_id = _require_manager(interaction, int(subject))
    numbers = {name: value.strip().removesuffix("%").strip() for name, value in values.items()}
    await _update(interaction, _set(interaction, guild_id, **numbers))


async def _entered_language(interaction: RiffInteraction, subject: str, values: Mapping[str, str]) -> None:
    guild_id = _require_manager(interaction, int(subject))
    chosen = values["language"]
    language = "" if chosen == EACH_THEIR_OWN else chosen
    await _update(interaction, _set(interaction, guild_id, language=language))


# Blocked words


async def _words(interaction: RiffInteraction, guild_id: int, page: int) -> Shown:
    """The words that are blocked on the server, a page of them, and what changes them."""
    async with interaction.client.database.read() as session:
        listed = await words.of_guild(session, str(guild_id))
    language = answers.language(interaction)
    pages = max(1, -(-len(listed) // WORDS_PER_PAGE))
    page = min(page, pages - 1)
    here = listed[page * WORDS_PER_PAGE :][:WORDS_PER_PAGE]
    lines = [say(language, "Blocked on this server, besides what is blocked everywhere:")]
    lines += [f"• {discord.utils.escape_markdown(each.word)}" for each in here]
    if not here:
        lines = [say(language, "Nothing is blocked on this server but what is blocked everywhere.")]
    embed = discord.Embed(title=say(language, "Blocked words"), description="\n".join(lines), colour=COLOUR)
    if pages > 1:
        embed.set_footer(text=say(language, "Page {page} of {pages}", page=page + 1, pages=pages))
    view = ui.View(timeout=None)

    def place(item: ui.Item[Any], what: str, to: int, row: int) -> None:
        view.add_item(Setting(item, what, guild_id, to, row=row))

    def button(what: str, to: int, label: str, emoji: str | None = None) -> None:
        place(ui.Button(label=label, emoji=emoji, custom_id=_id(what, guild_id, to)), what, to, 1)

    if here:
        menu = ui.Select[Any](
            custom_id=_id("unword", guild_id, page),
            placeholder=say(language, "Choose words to let through again"),
            max_values=len(here),
            options=[discord.SelectOption(label=each.word, value=each.id) for each in here],
        )
        place(menu, "unword", page, 0)
    button("addwords", page, say(language, "Add…"), "➕")
    if page > 0:
        button("words", page - 1, "‹")
    if page < pages - 1:
        button("words", page + 1, "›")
    button("panel", 0, say(language, "Back"), "↩️")
    return Shown(embed, view)


async def _show_words(interaction: RiffInteraction, pressed: Setting) -> None:
    await _update(interaction, _words(interaction, pressed.guild_id, pressed.page))


async def _show_panel(interaction: RiffInteraction, pressed: Setting) -> None:
    await _update(interaction, _panel(interaction, pressed.guild_id))


async def _remove_words(interaction: RiffInteraction, pressed: Setting) -> None:
    guild_id, chosen = pressed.guild_id, set(_chosen(interaction))

    async def change(session: AsyncSession, by: Account) -> None:
        for each in await words.of_guild(session, str(guild_id)):
            if each.id in chosen:
                await words.remove(session, each.id, by=by.owner, guild_id=str(guild_id))

    async def remove() -> Shown:
        await _change(interaction, guild_id, change)
        return await _words(interaction, guild_id, pressed.page)

    await _update(interaction, remove())


async def _ask_words(interaction: RiffInteraction, pressed: Setting) -> None:
    language = answers.language(interaction)
    field = Field(
        "words",
        say(language, "Words and phrases, one per line"),
        description=say(language, "They are found however they are written."),
        long=True,
        required=True,
        max_length=WORDS_AT_ONCE,
    )
    await _ask(interaction, "settings-words", pressed.guild_id, say(language, "Blocked words"), field)


async def _entered_words(interaction: RiffInteraction, subject: str, values: Mapping[str, str]) -> None:
    guild_id = _require_manager(interaction, int(subject))
    entered = [line.strip() for line in values["words"].splitlines() if line.strip()]

    async def change(session: AsyncSession, by: Account) -> None:
        for word in entered:
            await words.add(session, word, by=by.owner, guild_id=str(guild_id))

    async def add() -> Shown:
        await _change(interaction, guild_id, change)
        return await _words(interaction, guild_id, 0)

    await _update(interaction, add())


_PRESSES: dict[str, Callable[[RiffInteraction, Setting], Awaitable[None]]] = {
    "channels": _choose_channels,
    "roles": _choose_roles,
    "gallery": _choose_gallery,
    "limits": _ask_limits,
    "stars": _ask_stars,
    "share": _ask_share,
    "language": _ask_language,
    "presses": _toggle_presses,
    "spoiler": _toggle_spoiler,
    "panel": _show_panel,
    "words": _show_words,
    "addwords": _ask_words,
    "unword": _remove_words,
}

FORMS: dict[str, Submitted] = {
    "settings-limits": _entered_numbers,
    "settings-stars": _entered_numbers,
    "settings-share": _entered_numbers,
    "settings-language": _entered_language,
    "settings-words": _entered_words,
}
