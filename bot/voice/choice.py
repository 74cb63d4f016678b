"""Which loop somebody means, whether they may hear it, and its sound."""

import asyncio
import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import discord
from sqlalchemy.ext.asyncio import AsyncSession

from bot import people
from bot.voice import repository
from bot.voice.deck import Track, track_of
from bot.voice.errors import NoLoopYet
from generation.audio.ingest import read_audio
from generation.fields import quoted
from market.catalog import service as catalog
from market.catalog.models import Loop
from market.errors import MarketError, NotFound
from market.search import service as search
from market.search.query import Query

if TYPE_CHECKING:
    from bot.client import RiffBot

# Of what Discord shows, so many are somebody's own; the rest are the market's.
OWN, CHOICES = 13, 25
_LOOP_ID = re.compile(r"[0-9a-f]{24}-\d{1,2}")
_LONGEST_SECONDS = 400.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A loop that somebody wants to hear. Of what they hold no licence for, that is the preview with its mark.

    `soon` is for what belongs on the next bar rather than at its turn: the loops of a jam.
    """

    loop: Loop
    person_id: int
    preview: bool = False
    soon: bool = False

    @property
    def whole(self) -> bool:
        """Whether it has a beginning and an end, instead of going round."""
        return self.loop.kind == "song"


async def wanted(interaction: discord.Interaction["RiffBot"], text: str | None) -> Wanted:
    """The loop that a text names by its id or a link to it; without one the newest of the channel, or the person's.

    Raises NotFound, LoopRemoved and NoLoopYet.
    """
    async with interaction.client.database.read() as session:
        actor = await people.known(session, interaction)
        if text is not None:
            named = _LOOP_ID.search(text)
            if named is None:
                raise NotFound("loop", quoted(text))
            loop_id = named[0]
        else:
            loop_id = await _newest(session, interaction)
        shown = await catalog.see(session, loop_id, actor)
    return Wanted(shown.loop, interaction.user.id, preview=not shown.access.full)


async def suggestions(interaction: discord.Interaction["RiffBot"], typed: str) -> Sequence[tuple[str, str]]:
    """(label, loop id) of what somebody could mean: their own loops, newest first, then what the market has."""
    text = typed.strip().lower()
    async with interaction.client.database.read() as session:
        actor = await people.known(session, interaction)
        page = await catalog.mine(session, actor, limit=100 if text else OWN)
        own = [(found.loop, found.loop.prompt) for found in page.loops]
        if text:
            hits = await search.search(session, Query(text=text), limit=CHOICES)
            listed = []
            for loop_id in hits.loop_ids:
                # What was taken down a moment ago may still be found.
                with contextlib.suppress(MarketError):
                    listed.append(await catalog.see(session, loop_id, actor))
        else:
            listed = list(await catalog.recent(session, actor, limit=CHOICES))
    found = {loop.id: _label(loop, title) for loop, title in own if text in title.lower()}
    found = dict(list(found.items())[:OWN])
    for shown in listed:
        title = shown.loop.prompt if shown.listing is None else shown.listing.title
        found.setdefault(shown.loop.id, _label(shown.loop, title))
    return [(label, loop_id) for loop_id, label in list(found.items())[:CHOICES]]


async def load(bot: "RiffBot", chosen: Wanted) -> Track:
    """What was chosen, ready for the deck. Raises AssetMissing, UnreadableAudio and what making a preview raises."""
    loop = chosen.loop
    key = (await bot.formats.preview(loop, "ogg")).key if chosen.preview else loop.wav
    content = await bot.storage.get(key)
    return await asyncio.to_thread(_track, loop, content, chosen.whole)


def _track(loop: Loop, content: bytes, whole: bool) -> Track:
    audio = read_audio(content, max_seconds=_LONGEST_SECONDS, name=loop.id)
    # A preview of what is long ends early.
    bars = max(1, round(loop.bars * len(audio) / loop.samples))
    return track_of(loop.id, audio, bars=bars, metre=loop.metre, whole=whole)


async def _newest(session: AsyncSession, interaction: discord.Interaction["RiffBot"]) -> str:
    found = None
    if interaction.channel_id is not None:
        found = await repository.newest_in_channel(session, interaction.channel_id)
    if found is not None:
        return found
    page = await catalog.mine(session, await people.known(session, interaction), limit=1)
    if not page.loops:
        raise NoLoopYet
    return page.loops[0].loop.id


def _label(loop: Loop, title: str) -> str:
    known = " · ".join([f"{loop.bpm:g} bpm", *([loop.key] if loop.key else [])])
    return f"{title[: 97 - len(known)]} · {known}"
