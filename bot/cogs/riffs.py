"""`/riffs`: what somebody has made and kept, page by page, with the way to each."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Self

import discord
from discord import app_commands, ui
from discord.ext import commands
from sqlalchemy.ext.asyncio import AsyncSession

from bot import answers, messages, people
from bot.items import LastingItem
from bot.loop import repository
from bot.loop.buttons import press
from bot.loop.files import link_to
from bot.loop.repository import Place, Stretch
from bot.models import Delivery
from generation.request import RiffRequest
from market.api.actor import Actor
from market.catalog import service as catalog
from market.catalog.models import Loop
from market.language import retold, say, say_count
from market.studio import service as studio
from market.studio.models import OPEN, RiffOrder, Status

if TYPE_CHECKING:
    from bot.client import RiffBot

Show = Literal["all", "kept", "here", "open"]
PER_PAGE = 5
# What is looked for has to go into the buttons' custom ids, which hold 100 characters.
MAX_WORDS = 30
LONGEST_LABEL, LONGEST_PROMPT, LONGEST_REASON, MOST_OPTIONS = 100, 200, 200, 25
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of the list: a riff, or a loop that is kept. `loops` are what can be opened."""

    place: Place
    text: str
    prompt: str
    loops: Sequence[Loop] = ()
    open_riff: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a list; whether there is more before it and after it."""

    lines: Sequence[Line]
    has_newer: bool = False
    has_older: bool = False


class RiffsCommands(commands.Cog):
    """Finding again what one has made."""

    @app_commands.command(name="riffs")
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.describe(
        show="Which ones (all that are yours unless you say)", search="Words of the prompt"
    )
    @app_commands.choices(
        show=[
            app_commands.Choice(name="all of mine", value="all"),
            app_commands.Choice(name="what I keep", value="kept"),
            app_commands.Choice(name="made here", value="here"),
            app_commands.Choice(name="unfinished", value="open"),
        ]
    )
    async def riffs(
        self,
        interaction: discord.Interaction["RiffBot"],
        show: str = "all",
        search: app_commands.Range[str, 1, MAX_WORDS] | None = None,
    ) -> None:
        """Your riffs: open, find, follow or cancel them"""
        words = " ".join((search or "").split())
        embed, view = await answers.soon(interaction, _page(interaction, show, words, Stretch(PER_PAGE + 1)))
        await answers.whisper(interaction, embed=embed, view=view)


class PageButton(
    LastingItem[ui.Button[Any]],
    template=r"riffs:(?P<show>all|kept|here|open):(?P<way>newer|older)"
    r":(?P<at>\d{1,20})\.(?P<key>[0-9a-f-]{1,28}):(?P<words>.{0,30})",
):
    """Turns the page; where it goes on is in its custom id, so that it works for ever."""

    def __init__(self, show: str, way: str, place: Place, words: str) -> None:
        at = (place[0] - EPOCH) // MICROSECOND
        super().__init__(
            ui.Button(
                emoji="◀️" if way == "newer" else "▶️",
                custom_id=f"riffs:{show}:{way}:{at}.{place[1]}:{words}",
            ),
            row=2,
        )
        self.show, self.way, self.place, self.words = show, way, place, words

    @classmethod
    def of(cls, match: re.Match[str]) -> Self:
        place = EPOCH + int(match["at"]) * MICROSECOND, match["key"]
        return cls(match["show"], match["way"], place, match["words"])

    async def used(self, interaction: discord.Interaction["RiffBot"]) -> None:
        stretch = Stretch(PER_PAGE + 1, **{self.way: self.place})
        await answers.give(lambda: interaction.response.defer())
        embed, view = await _page(interaction, self.show, self.words, stretch)
        await interaction.edit_original_response(embed=embed, view=view)


class OpenMenu(LastingItem[ui.Select[Any]], template="riffs-open"):
    """Opens one of the loops of a page."""

    def __init__(self, language: str = "en", lines: Sequence[Line] = ()) -> None:
        # A morph has up to 16 loops: the rest of them are under the message that brought it.
        each = MOST_OPTIONS // max(1, len(lines))
        options = [
            discord.SelectOption(label=_label(language, line, loop), value=loop.id)
            for line in lines
            for loop in line.loops[:each]
        ]
        super().__init__(
            ui.Select(
                custom_id="riffs-open",
                placeholder=say(language, "Open a loop…"),
                options=options or [discord.SelectOption(label="-")],
            ),
            row=0,
        )

    async def used(self, interaction: discord.Interaction["RiffBot"]) -> None:
        await press(interaction, "more", self.item.values[0])


class CancelMenu(LastingItem[ui.Select[Any]], template="riffs-cancel"):
    """Takes one of the unfinished riffs of a page back."""

    def __init__(self, language: str = "en", lines: Sequence[Line] = ()) -> None:
        options = [
            discord.SelectOption(label=line.prompt[:LONGEST_LABEL], value=line.open_riff)
            for line in lines
            if line.open_riff is not None
        ]
        super().__init__(
            ui.Select(
                custom_id="riffs-cancel",
                placeholder=say(language, "Cancel a riff…"),
                options=options or [discord.SelectOption(label="-")],
            ),
            row=1,
        )

    async def used(self, interaction: discord.Interaction["RiffBot"]) -> None:
        await answers.soon(interaction, _cancel(interaction, self.item.values[0]))
        await answers.whisper(interaction, say(answers.language(interaction), "This riff was cancelled."))


async def _cancel(interaction: discord.Interaction["RiffBot"], riff_id: str) -> None:
    async with interaction.client.database.write() as session:
        account = await people.account_of(session, interaction)
        await studio.cancel(session, riff_id, account.owner)
    interaction.client.deliveries.wake()


async def _page(
    interaction: discord.Interaction["RiffBot"], show: str, words: str, stretch: Stretch
) -> tuple[discord.Embed, ui.View]:
    """A page as it is shown: its text, and what can be done with it."""
    language, newest = answers.language(interaction), Stretch(PER_PAGE + 1)
    async with interaction.client.database.read() as session:
        found = await _lines(session, interaction, show, words, stretch)
        if stretch != newest and len(found) <= (PER_PAGE if stretch.newer else 0):
            # The first page is a whole one; and so is what there is where the rest was deleted meanwhile.
            stretch = newest
            found = await _lines(session, interaction, show, words, stretch)
    page = _cut(found, stretch)
    text = "\n\n".join(line.text for line in page.lines) or _nothing(language, show, words)
    embed = discord.Embed(title=_title(language, show, words), description=text, colour=messages.COLOUR)
    view = ui.View(timeout=None)
    if any(line.loops for line in page.lines):
        view.add_item(OpenMenu(language, page.lines))
    if any(line.open_riff for line in page.lines):
        view.add_item(CancelMenu(language, page.lines))
    if page.has_newer:
        view.add_item(PageButton(show, "newer", page.lines[0].place, words))
    if page.has_older:
        view.add_item(PageButton(show, "older", page.lines[-1].place, words))
    return embed, view


def _cut(found: Sequence[Line], stretch: Stretch) -> Page:
    """A page of one line more than it shows: that one tells whether there is more in the direction of reading."""
    is_more = len(found) > PER_PAGE
    if stretch.newer is not None:
        return Page(found[-PER_PAGE:], has_newer=is_more, has_older=True)
    return Page(found[:PER_PAGE], has_newer=stretch.older is not None, has_older=is_more)


async def _lines(
    session: AsyncSession,
    interaction: discord.Interaction["RiffBot"],
    show: str,
    words: str,
    stretch: Stretch,
) -> Sequence[Line]:
    actor = await people.known(session, interaction)
    if show == "kept":
        return await _kept(session, interaction, actor, words, stretch)
    return await _riffs(session, interaction, actor, show, words, stretch)


async def _riffs(
    session: AsyncSession,
    interaction: discord.Interaction["RiffBot"],
    actor: Actor,
    show: str,
    words: str,
    stretch: Stretch,
) -> Sequence[Line]:
    here = show == "here"
    rows = await repository.riffs(
        session,
        actor.owner,
        stretch,
        words=words,
        open_only=show == "open",
        guild_id=interaction.guild_id if here else None,
        channel_id=interaction.channel_id if here and interaction.guild_id is None else None,
    )
    return [_riff(interaction, order, delivery) for order, delivery in rows]


def _riff(interaction: discord.Interaction["RiffBot"], order: RiffOrder, delivery: Delivery | None) -> Line:
    language, request = answers.language(interaction), RiffRequest.from_dict(order.request)
    address = interaction.client.settings.public_url
    parts = [_shape(language, request, order.loops), *_status(language, order)]
    is_open = order.status in OPEN
    text = _text(
        request.prompt, parts, order.created_at, _way(language, link_to(delivery, order.id, address))
    )
    return Line(
        (order.created_at, order.id),
        text,
        request.prompt,
        order.loops,
        order.id if is_open else None,
    )


async def _kept(
    session: AsyncSession,
    interaction: discord.Interaction["RiffBot"],
    actor: Actor,
    words: str,
    stretch: Stretch,
) -> Sequence[Line]:
    if actor.account is None:
        return []
    language, address = answers.language(interaction), interaction.client.settings.public_url
    rows = await repository.kept(session, actor.account.id, stretch, words=words)
    seen = {each.loop.id: each for each in await catalog.shown(session, [row[0] for row in rows], actor)}
    lines = []
    for loop, at, delivery in rows:
        if not seen[loop.id].access.visible:
            gone = say(language, "It is no longer open to you.")
            lines.append(Line((at, loop.id), _text("…", [gone], at, None), ""))
            continue
        # Where somebody else's riff was posted is told to those who are there.
        is_near = delivery is not None and (
            delivery.user_id == interaction.user.id
            or (delivery.guild_id is not None and delivery.guild_id == interaction.guild_id)
        )
        link = link_to(delivery if is_near else None, loop.riff_id, "")
        link = link or (f"{address}/loops/{loop.id}" if address else None)
        shape = _shape(language, catalog.request_of(loop), [loop])
        lines.append(
            Line((at, loop.id), _text(loop.prompt, [shape], at, _way(language, link)), loop.prompt, [loop])
        )
    return lines


def _text(prompt: str, parts: Sequence[str], at: datetime, way: str | None) -> str:
    """The text of a line: what was asked for in bold, below it the rest."""
    told = [*parts, discord.utils.format_dt(at, "R"), *([] if way is None else [way])]
    return f"**{discord.utils.escape_markdown(_shortened(prompt, LONGEST_PROMPT))}**\n{' · '.join(told)}"


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _shape(language: str, request: RiffRequest, loops: Sequence[Loop]) -> str:
    """Tempo, key and length; those of what was made, where that is more than was asked for."""
    bars, seconds = (loops[0].bars, loops[0].seconds) if loops else (request.bars, request.seconds)
    key = loops[0].key if loops else request.key
    length = f"{say_count(language, '{count} bar', '{count} bars', bars)}, {seconds:.1f} s"
    return " · ".join([f"{request.bpm:g} bpm", *([] if key is None else [str(key)]), length])


def _status(language: str, order: RiffOrder) -> list[str]:
    match order.status:
        case Status.QUEUED:
            return ["⏳ " + say(language, "waiting")]
        case Status.RUNNING:
            return ["🎶 " + say(language, "being made")]
        case Status.FAILED:
            return ["⚠️ " + _shortened(retold(language, order.error or ""), LONGEST_REASON)]
        case Status.CANCELLED:
            return ["✖️ " + say(language, "cancelled")]
    if len(order.loops) > 1:
        return [say_count(language, "{count} take", "{count} takes", len(order.loops))]
    return []


def _way(language: str, link: str | None) -> str | None:
    return None if link is None else f"[{say(language, 'go there')}]({link})"


def _label(language: str, line: Line, loop: Loop) -> str:
    """What the menu calls a loop: its prompt, and which take it is of several."""
    number = ""
    if len(line.loops) > 1:
        number = " · " + say(language, "Take {number}", number=loop.take + 1)
    return line.prompt[: LONGEST_LABEL - len(number)] + number


def _title(language: str, show: str, words: str) -> str:
    titles = {
        "all": say(language, "Your riffs"),
        "kept": say(language, "What you keep"),
        "here": say(language, "Your riffs from here"),
        "open": say(language, "Your unfinished riffs"),
    }
    return titles[show] + (f": “{discord.utils.escape_markdown(words)}”" if words else "")


def _nothing(language: str, show: str, words: str) -> str:
    if words:
        return say(language, "Nothing of that: try other words, or another choice of “show”.")
    if show == "kept":
        return say(language, "Nothing yet: press 🔖 Keep under a riff that you like.")
    if show == "open":
        return say(language, "Nothing is waiting or being made.")
    return say(language, "Nothing yet: /riff makes the first one.")
