"""What a search found, a few cards at a time.

What was looked for is in the custom ids of the buttons that turn pages: they work for ever, and over restarts.
"""

import asyncio
import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Self, get_args

import discord
from discord import ui
from sqlalchemy.ext.asyncio import AsyncSession

from bot import access, answers, cards
from bot.items import LastingItem
from generation.embedding import embed_text
from generation.errors import InvalidRequest
from generation.fields import quoted
from market.api.actor import UNKNOWN, Actor
from market.catalog import service as catalog
from market.catalog.service import Shown
from market.catalog.vocabulary import canonical, vocabulary
from market.language import say, say_count
from market.search import cells, repository
from market.search import service as search
from market.search.cells import Vectors
from market.search.endpoints import question
from market.search.facets import TIERS
from market.search.keys import name_of
from market.search.query import Query, Sort
from market.web.rendering import plain

if TYPE_CHECKING:
    from bot.client import RiffBot

PAGES = search.MAX_PAGE // cards.MOST
# How many loops are near enough to be shown.
NEAR = 4 * cards.MOST
# What is left of a custom id's 100 characters, with every other part of a search at its longest.
MAX_WORDS = 60
MAX_SENTENCE = 400
SORTS: tuple[Sort, ...] = get_args(Sort)
SORT_NAMES = {
    "relevance": "best match", "new": "newest", "popular": "most played", "rating": "best rated",
    "price": "price, low first", "price_desc": "price, high first",
}  # fmt: skip
_SHOWN_VALUES = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: what fits a query, sounds like or goes with a loop, or sounds like a vector says."""

    query: Query = field(default_factory=Query)
    similar: str = ""
    companions: str = ""
    vector: bytes = b""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A page of what was found; `headline` says what it is a page of."""

    wanted: Wanted
    page: int
    pages: int
    found: Sequence[Shown]
    headline: str


def words(
    *,
    text: str | None = None,
    genre: str | None = None,
    mood: str | None = None,
    key: str | None = None,
    bpm_min: int | None = None,
    bpm_max: int | None = None,
    bars: int | None = None,
    free: bool = False,
    sort: str = "relevance",
) -> Wanted:
    """A search by words and facets. Raises InvalidRequest for what no loop can have."""
    said = " ".join((text or "").split())
    if len(said) > MAX_WORDS:
        raise InvalidRequest(
            "q", f"These are {len(said)} characters: at most {MAX_WORDS} are possible, a few words are best."
        )
    if bpm_min is not None and bpm_max is not None and bpm_min > bpm_max:
        raise InvalidRequest("bpm_min", "The lowest tempo is above the highest: exchange them.")
    query = question(
        q=said,
        genre=[_plain_name("genre", genre)] if genre else [],
        mood=[_plain_name("mood", mood)] if mood else [],
        key=[key] if key else [],
        bpm_min=bpm_min,
        bpm_max=bpm_max,
        bars=[bars] if bars else [],
        licence=[TIERS[0]] if free else [],
        sort=sort if sort in SORTS else "relevance",
    )
    return Wanted(query)


async def sentence(text: str) -> Wanted:
    """A search for what sounds like a sentence. Raises InvalidRequest."""
    said = text.strip()
    if not said or len(said) > MAX_SENTENCE:
        raise InvalidRequest("sounds", f"Say in 1 to {MAX_SENTENCE} characters what it should sound like.")
    return heard(await asyncio.to_thread(embed_text, said))


def heard(vector: Vectors) -> Wanted:
    """A search for what sounds like a (64,) unit vector, as coarse as the market keeps those of its loops."""
    return Wanted(vector=cells.embedding_of(vector))


def written(wanted: Wanted) -> str:
    """What is looked for, in at most 90 characters."""
    if wanted.vector:
        return "v" + base64.urlsafe_b64encode(wanted.vector).decode().rstrip("=")
    if wanted.similar or wanted.companions:
        return f"s{wanted.similar}" if wanted.similar else f"g{wanted.companions}"
    query = wanted.query
    bpm = "" if not query.tempos else "-".join(map(_number, (query.bpm_min, query.bpm_max)))
    parts = (
        f"{SORTS.index(query.sort)}{'f' if query.tiers else ''}",
        "".join(map(name_of, query.keys)),
        bpm,
        "".join(map(str, query.bars)),
        "".join(_code("genre", value) for value in query.genres),
        "".join(_code("mood", value) for value in query.moods),
        query.text,
    )
    return "w" + "~".join(parts)


def read(text: str) -> Wanted:
    """What `written` wrote."""
    kind, rest = text[0], text[1:]
    if kind == "v":
        return Wanted(vector=base64.urlsafe_b64decode(rest + "=="))
    if kind in "sg":
        return Wanted(similar=rest) if kind == "s" else Wanted(companions=rest)
    how, key, bpm, bars, genre, mood, said = rest.split("~", 6)
    low, _, high = bpm.partition("-")
    return words(
        text=said,
        genre=_coded()[f"genre{genre}"] if genre else None,
        mood=_coded()[f"mood{mood}"] if mood else None,
        key=key or None,
        bpm_min=int(low) if low else None,
        bpm_max=int(high) if high else None,
        bars=int(bars) if bars else None,
        free=how.endswith("f"),
        sort=SORTS[int(how[0])],
    )


async def fetch(session: AsyncSession, language: str, wanted: Wanted, page: int) -> Stretch:
    """A page of what is found; the last one where there are fewer. Raises NotFound and NotHeard."""
    if wanted.vector:
        vector = cells.vectors_of(wanted.vector)[0]
        near = await search.similar_to(session, vector, limit=NEAR)
        headline = say(language, "What sounds most like it:")
        return await _of_list(session, language, wanted, page, [one.loop_id for one in near], headline)
    origin = wanted.similar or wanted.companions
    if origin:
        loop = await catalog.get(session, origin)
        title = cards.title_of(loop, await catalog.listing(session, origin))
        title = discord.utils.escape_markdown(title)
        if wanted.similar:
            ids = [one.loop_id for one in await search.similar(session, origin, limit=NEAR)]
            headline = say(language, "What sounds most like “{title}”:", title=title)
        else:
            ids = await search.goes_with(session, origin, limit=NEAR)
            headline = say(language, "What goes with “{title}”:", title=title)
        return await _of_list(session, language, wanted, page, ids, headline)
    return await _of_words(session, language, wanted, page)


async def show(
    interaction: discord.Interaction["RiffBot"], wanted: Wanted, page: int = 0, *, public: bool = False
) -> None:
    """Fill the answer that is under way with a page of what is found; a `public` one is for everybody here."""
    bot = interaction.client
    language = await access.public_language(interaction) if public else answers.language(interaction)
    async with bot.database.read() as session:
        stretch = await fetch(session, language, wanted, page)
    loaded = await cards.load(bot, stretch.found, interaction.filesize_limit)
    await interaction.edit_original_response(**_message(language, stretch, loaded, bot.settings.public_url))


async def turn(interaction: discord.Interaction["RiffBot"]) -> None:
    """Begin to answer a button that turns a page: in place where only the person sees it, else beside it.

    What everybody sees stays as it is: two who turn its pages would take them from each other.
    """
    if interaction.message is None or not interaction.message.flags.ephemeral:
        await answers.think(interaction)
        return
    await answers.give(interaction.response.defer)


class PageButton(LastingItem[ui.Button[Any]], template=r"find:(?P<page>\d{1,2}):(?P<wanted>(?s:.+))"):
    """Shows another page of what is found; there is no state but its custom id."""

    def __init__(
        self, page: int, wanted: str, *, forth: bool = True, language: str = "en", row: int | None = None
    ) -> None:
        label = say(language, "Next") if forth else say(language, "Back")
        super().__init__(
            ui.Button(label=label, emoji="▶️" if forth else "◀️", custom_id=f"find:{page}:{wanted}"), row=row
        )
        self.page, self.wanted = page, wanted

    @classmethod
    def of(cls, match: re.Match[str]) -> Self:
        return cls(int(match["page"]), match["wanted"])

    async def used(self, interaction: discord.Interaction["RiffBot"]) -> None:
        await access.require_here(interaction)
        await turn(interaction)
        await show(interaction, read(self.wanted), self.page)


async def seen_as(session: AsyncSession, loop_ids: Sequence[str], acting: Actor) -> Sequence[Shown]:
    """Loops by their ids, in that order, as somebody sees them in a list."""
    return await catalog.shown(session, await repository.loops_named(session, loop_ids), acting)


async def _of_list(
    session: AsyncSession, language: str, wanted: Wanted, page: int, ids: Sequence[str], headline: str
) -> Stretch:
    pages = max(1, -(-len(ids) // cards.MOST))
    page = min(page, pages - 1)
    found = await seen_as(session, ids[page * cards.MOST : (page + 1) * cards.MOST], Actor(UNKNOWN))
    return Stretch(
        wanted,
        page,
        pages,
        found,
        headline if ids else say(language, "Nothing on the market is like it yet."),
    )


async def _of_words(session: AsyncSession, language: str, wanted: Wanted, page: int) -> Stretch:
    query = wanted.query
    counted = await search.facet_counts(session, query)
    pages = max(1, min(PAGES, -(-counted.total // cards.MOST)))
    page = min(page, pages - 1)
    found = await search.search(session, query, limit=(page + 1) * cards.MOST)
    shown = await seen_as(session, found.loop_ids[page * cards.MOST :], Actor(UNKNOWN))
    headline = (
        _headline(language, query, counted) if found.loop_ids else await _nothing(session, language, query)
    )
    notes = [headline]
    if found.loop_ids and found.corrected is not None:
        said = discord.utils.escape_markdown(found.corrected)
        notes.append(say(language, "Did you mean “{words}”? That is what is shown.", words=said))
    if found.loop_ids and found.ignored:
        said = discord.utils.escape_markdown(", ".join(found.ignored))
        notes.append(say(language, "No loop is described by: {words}.", words=said))
    return Stretch(wanted, page, pages, shown, "\n".join(notes))


def _message(
    language: str, stretch: Stretch, loaded: Sequence[cards.Card], public_url: str
) -> dict[str, Any]:
    view: ui.View | None = None
    if loaded:
        view = ui.View(timeout=None)
        view.add_item(cards.CardMenu("card", stretch.found, language, row=0))
        code = written(stretch.wanted)
        if stretch.page > 0:
            view.add_item(PageButton(stretch.page - 1, code, forth=False, language=language, row=1))
        if stretch.page + 1 < stretch.pages:
            view.add_item(PageButton(stretch.page + 1, code, language=language, row=1))
    content = stretch.headline
    if stretch.pages > 1:
        content += "\n" + say(language, "Page {page} of {pages}.", page=stretch.page + 1, pages=stretch.pages)
    return {
        "content": content[:2000],
        "embeds": [
            cards.embed_of(language, card, public_url, number) for number, card in enumerate(loaded, 1)
        ],
        "attachments": [cards.file_of(file) for card in loaded for file in card.files],
        "view": view,
    }


def _headline(language: str, query: Query, counted: search.Facets) -> str:
    """How many there are, of what, and how they are spread."""
    number = (
        f"{counted.total:,}" if counted.exact else say(language, "about {count}", count=f"{counted.total:,}")
    )
    many = say_count(language, "**{number} loop**", "**{number} loops**", counted.total, number=number)
    asked = _asked(language, query)
    lines = [f"{many} · {asked}" if asked else many]
    spread = []
    for facet in ("genre", "mood", "key"):
        values = [value for value in counted.facets[facet].values if value.value != "none"][:_SHOWN_VALUES]
        if facet not in query.filtered and len(values) > 1:
            spread.append(", ".join(f"{value.value} {value.count:,}" for value in values))
    if spread:
        lines.append(f"-# {' · '.join(spread)}")
    return "\n".join(lines)


def _asked(language: str, query: Query) -> str:
    """What is asked for, in words."""
    parts = []
    if query.text:
        parts.append(f"“{discord.utils.escape_markdown(query.text)}”")
    parts += [*query.genres, *query.moods]
    parts += [say(language, "no key") if name_of(key) == "none" else name_of(key) for key in query.keys]
    if query.bpm_min is not None and query.bpm_max is not None:
        parts.append(f"{plain(query.bpm_min)}–{plain(query.bpm_max)} bpm")
    elif query.bpm_min is not None:
        parts.append(say(language, "from {bpm} bpm", bpm=plain(query.bpm_min)))
    elif query.bpm_max is not None:
        parts.append(say(language, "up to {bpm} bpm", bpm=plain(query.bpm_max)))
    parts += [say_count(language, "{count} bar", "{count} bars", bars) for bars in query.bars]
    if query.tiers:
        parts.append(say(language, "free", context="price"))
    if query.sort != "relevance":
        parts.append(say(language, SORT_NAMES[query.sort]))
    return ", ".join(parts)


async def _nothing(session: AsyncSession, language: str, query: Query) -> str:
    """That nothing was found, and what to try instead."""
    asked = _asked(language, query)
    if not asked:
        return say(language, "Nothing is on the market yet.")
    lines = [say(language, "Nothing on the market is: {asked}.", asked=asked)]
    if query.filtered and query.text:
        others = (await search.facet_counts(session, Query(text=query.text))).total
        if others:
            lines.append(
                say_count(
                    language,
                    "Without the filters there is {count}.",
                    "Without the filters there are {count}.",
                    others,
                )
            )
    if query.text:
        suggestions = await search.suggest(session, query.text, limit=3)
        for word in () if suggestions else query.text.split():
            suggestions = suggestions or await search.suggest(session, word, limit=3)
        meant = [one.text for one in suggestions if one.text != query.text.lower()]
        if meant:
            said = ", ".join(f"“{discord.utils.escape_markdown(text)}”" for text in meant)
            lines.append(say(language, "Did you mean {words}?", words=said))
    return "\n".join(lines)


def _plain_name(kind: str, word: str) -> str:
    """The plain name of a genre or mood as somebody typed it. Raises InvalidRequest."""
    known = canonical(word)
    if known is None or known[0] != kind:
        raise InvalidRequest(kind, f"The market knows no {kind} {quoted(word)}: choose one of the list.")
    return known[1]


def _code(kind: str, name: str) -> str:
    """A short name for a word of the vocabulary that stays when the vocabulary grows."""
    return base64.urlsafe_b64encode(
        hashlib.blake2b(f"{kind} {name}".encode(), digest_size=3).digest()
    ).decode()


@cache
def _coded() -> dict[str, str]:
    known = {"genre", "mood"}
    return {
        word.kind + _code(word.kind, word.value): word.value for word in vocabulary() if word.kind in known
    }


def _number(value: float | None) -> str:
    return "" if value is None else plain(value)
