"""`/market` and `/licence`: what others have made, what one has offered, and what a licence says."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, get_args

import discord
from discord import app_commands
from discord.ext import commands

from bot import answers, cards, licences, shelf
from bot.loop import listed, publish
from bot.shelf import MAX_SENTENCE, MAX_WORDS, Wanted
from generation.audio.ingest import MAX_BYTES, read_audio
from generation.embedding import embed_audio
from generation.errors import InvalidRequest, UnreadableAudio
from generation.fields import quoted
from market.api.actor import UNKNOWN, Actor
from market.catalog.service import LOOP_ID
from market.catalog.vocabulary import vocabulary
from market.search import service as search
from market.search.keys import NO_KEY, camelot, name_of
from market.search.query import Query, Sort

if TYPE_CHECKING:
    from bot.client import RiffBot

Choices = list[app_commands.Choice[str]]
MAX_CHOICES = 25
MAX_NAME = 100
BPM = (20, 400)
BARS = (1, 1024)
KEYS = tuple(range(NO_KEY + 1))


class MarketCommands(commands.Cog):
    """The market inside chat; paying is on the web."""

    market = app_commands.Group(
        name="market",
        description="Loops that people offer",
        allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True),
        allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
    )

    @market.command(name="search")
    @app_commands.describe(
        q="Words: bells, warm pad, a creator's name",
        genre="Only this genre",
        mood="Only this mood",
        key="Only this key: Am, F#, Bb minor, or none",
        bpm_min="No slower than this",
        bpm_max="No faster than this",
        bars="Exactly as many bars",
        free="Only what can be had free",
        sort="What comes first",
        sounds="In place of words: a sentence that says what it sounds like",
        like="In place of words: a sound that it is to be like",
        share="Show it to everybody here",
    )
    @app_commands.choices(
        sort=[app_commands.Choice(name=shelf.SORT_NAMES[sort], value=sort) for sort in get_args(Sort)]
    )
    async def search(
        self,
        interaction: discord.Interaction["RiffBot"],
        q: app_commands.Range[str, 1, MAX_WORDS] | None = None,
        genre: str | None = None,
        mood: str | None = None,
        key: str | None = None,
        bpm_min: app_commands.Range[int, *BPM] | None = None,
        bpm_max: app_commands.Range[int, *BPM] | None = None,
        bars: app_commands.Range[int, *BARS] | None = None,
        free: bool = False,
        sort: str = "relevance",
        sounds: app_commands.Range[str, 1, MAX_SENTENCE] | None = None,
        like: discord.Attachment | None = None,
        share: bool = False,
    ) -> None:
        """Find loops on the market"""
        words = shelf.words(
            text=q,
            genre=genre,
            mood=mood,
            key=key,
            bpm_min=bpm_min,
            bpm_max=bpm_max,
            bars=bars,
            free=free,
            sort=sort,
        )
        if ((sounds is not None or like is not None) and words != Wanted()) or (sounds and like):
            raise InvalidRequest("sounds", "Search by words, by a sentence or by a sound: by one of them.")
        await answers.think(interaction, ephemeral=not share)
        if like is not None:
            words = await _heard(like)
        elif sounds is not None:
            words = await shelf.sentence(sounds)
        await shelf.show(interaction, words, public=share)

    @market.command(name="loop")
    @app_commands.describe(
        loop="Its title, its id or a link to it",
        share="Show it to everybody here",
    )
    async def loop(
        self,
        interaction: discord.Interaction["RiffBot"],
        loop: app_commands.Range[str, 1, 300],
        share: bool = False,
    ) -> None:
        """Look closer at a loop"""
        await answers.think(interaction, ephemeral=not share)
        await listed.show(interaction, await _loop_id(interaction, loop), public=share)

    @market.command(name="mine")
    async def mine(self, interaction: discord.Interaction["RiffBot"]) -> None:
        """What you offer: where it stands, and how it is liked"""
        await answers.think(interaction)
        await publish.mine(interaction)

    @app_commands.command(name="licence")
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.describe(
        code="The code on it: RM-XXXXX-XXXXX-XXXXX. Empty: your own licences",
        share="Show it to everybody here",
    )
    async def licence(
        self,
        interaction: discord.Interaction["RiffBot"],
        code: app_commands.Range[str, 1, 60] | None = None,
        share: bool = False,
    ) -> None:
        """Check a licence, or see your own"""
        if code is None:
            await answers.think(interaction)
            await licences.mine(interaction)
            return
        await answers.think(interaction, ephemeral=not share)
        await licences.check(interaction, code, public=share)

    @search.autocomplete("q")
    async def suggest_words(self, interaction: discord.Interaction["RiffBot"], typed: str) -> Choices:
        async with interaction.client.database.read() as session:
            found = await search.suggest(session, typed, limit=MAX_CHOICES)
        return _choices((one.text, one.text) for one in found if len(one.text) <= MAX_WORDS)

    @search.autocomplete("genre")
    async def suggest_genres(self, _: discord.Interaction["RiffBot"], typed: str) -> Choices:
        return _words("genre", typed)

    @search.autocomplete("mood")
    async def suggest_moods(self, _: discord.Interaction["RiffBot"], typed: str) -> Choices:
        return _words("mood", typed)

    @search.autocomplete("key")
    async def suggest_keys(self, _: discord.Interaction["RiffBot"], typed: str) -> Choices:
        wanted = typed.strip().lower()
        # With the place on the wheel that disc jockeys know.
        named = [(name_of(key), "" if key == NO_KEY else f" ({camelot(key)})") for key in KEYS]
        return _choices(
            (f"{name}{place}", name)
            for name, place in sorted(named, key=lambda each: len(each[0]))
            if name.lower().startswith(wanted) or place.lower().startswith(f" ({wanted}")
        )

    @loop.autocomplete("loop")
    async def suggest_loops(self, interaction: discord.Interaction["RiffBot"], typed: str) -> Choices:
        async with interaction.client.database.read() as session:
            text = typed[:MAX_NAME]
            if typed.strip():
                # A word that is still being typed is looked for as what it will probably be.
                likely = await search.suggest(session, text, limit=1)
                text = likely[0].text if likely else text
            query = Query(text=text, sort="relevance" if typed.strip() else "popular")
            found = await search.search(session, query, limit=MAX_CHOICES)
            shown = await shelf.seen_as(session, found.loop_ids, Actor(UNKNOWN))
        return _choices((cards.line_of(one, MAX_NAME), one.loop.id) for one in shown)


def _choices(found: Iterable[tuple[str, str]]) -> Choices:
    return [
        app_commands.Choice(name=name[:MAX_NAME], value=value) for name, value in found if name and value
    ][:MAX_CHOICES]


def _words(kind: str, typed: str) -> Choices:
    """Words of the vocabulary that begin like what was typed, by any of their names, then those that contain it."""
    wanted = typed.strip().lower()
    tests: tuple[Callable[[str], bool], ...] = (
        lambda name: name.startswith(wanted),
        lambda name: wanted in name,
    )
    known = [word for word in vocabulary() if word.kind == kind]
    found = dict.fromkeys(
        word.value for test in tests for word in known if any(map(test, (word.value, *word.aliases)))
    )
    return _choices((value, value) for value in found)


async def _loop_id(interaction: discord.Interaction["RiffBot"], said: str) -> str:
    """The loop that somebody means by an id, a link or a title. Raises InvalidRequest."""
    named = LOOP_ID.search(said)
    if named is not None:
        return named[0]
    async with interaction.client.database.read() as session:
        found = await search.search(session, Query(text=said[:MAX_NAME]), limit=1)
    if not found.loop_ids:
        raise InvalidRequest(
            "loop", f"Nothing on the market is like {quoted(said)}: choose one of the list, or give its link."
        )
    return found.loop_ids[0]


async def _heard(sound: discord.Attachment) -> Wanted:
    """A search for what is like a sound that was sent. Raises UnreadableAudio."""
    if sound.size > MAX_BYTES:
        raise UnreadableAudio(f"{sound.filename} is larger than {MAX_BYTES >> 20} MiB.")
    content = await sound.read()
    vector = await asyncio.to_thread(lambda: embed_audio(read_audio(content, name=sound.filename)))
    return shelf.heard(vector)
