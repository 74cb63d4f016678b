"""A jam: people in a voice channel say words, and the music that plays turns into them, at one tempo and in one key.

Each of them is ordered as riffs of their own: two on the way, whose prompts are mixed, and one of the words alone. What
plays goes on until the next of them is ready. The orders are as lasting as any: a bot that is killed loses none.
"""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import discord
import structlog

from bot import access, orders, people
from bot.voice.choice import Wanted
from bot.voice.errors import JamSettled
from generation.request import BARS, RiffRequest
from market.language import retold
from market.studio import service as studio
from market.studio.feed import EventFeed
from market.studio.models import Status
from market.studio.service import QueuePlace

if TYPE_CHECKING:
    from bot.client import RiffBot
    from bot.voice.rooms import Room

log = structlog.get_logger(__name__)

# How far the prompt is on its way in the riffs between two prompts.
WAY = (0.35, 0.7)


class Jam:
    """What a room's music is on its way to: `goal` is the last thing that was asked for."""

    def __init__(self, bot: "RiffBot", room: "Room", feed: EventFeed, start: RiffRequest | None) -> None:
        self.goal = start
        self._bot, self._room, self._feed = bot, room, feed
        self._ordered: set[str] = set()
        self._coming: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self._following = asyncio.create_task(self._follow(), name=f"jam-{room.guild_id}")

    @property
    def heading(self) -> str:
        """The words that the music is on its way to."""
        return "" if self.goal is None else discord.utils.escape_markdown(self.goal.prompt)[:1000]

    async def add(
        self, interaction: discord.Interaction["RiffBot"], words: str, **given: object
    ) -> QueuePlace:
        """Order what leads to somebody's words, all of it or nothing; where it stands.

        `given` are bpm, key and bars for the first words of a jam from nothing. Raises JamSettled, Suspended and what
        `studio.place` raises.
        """
        given = {name: value for name, value in given.items() if value is not None}
        if given and self.goal is not None:
            raise JamSettled
        async with self._bot.database.write() as session:
            account = await people.active(session, interaction)
            seed = orders.seed_of(interaction) if self.goal is None else self.goal.seed
            wish = {"prompt": words, **(given if self.goal is None else _settled(self.goal))}
            goal = await studio.request_of(session, wish, seed=seed, owner=account.owner)
            riff_ids = []
            for number, request in enumerate([*_between(self.goal, goal), goal]):
                await access.require_request(interaction, request)
                riff = await studio.place(
                    session,
                    request,
                    owner=account.owner,
                    door="discord",
                    idempotency_key=f"jam:{interaction.id}:{number}",
                    guild_id=str(interaction.guild_id),
                )
                riff_ids.append(riff.id)
            place = await studio.place_in_queue(session, riff_ids[0])
        self.goal = goal
        for riff_id in riff_ids:
            if riff_id not in self._ordered:
                self._ordered.add(riff_id)
                self._coming.put_nowait((riff_id, interaction.user.id))
        self._room.refresh()
        return place

    def end(self) -> None:
        """Play nothing more of it; what is ordered is made all the same."""
        self._following.cancel()
        if self._room.jam is self:
            self._room.jam = None

    async def _follow(self) -> None:
        """Hand over each riff as it is ready, in the order in which they were asked for."""
        while True:
            riff_id, person_id = await self._coming.get()
            try:
                async for _ in self._feed.follow(riff_id):
                    pass
                async with self._bot.database.read() as session:
                    order = await studio.get(session, riff_id)
            except Exception:
                log.exception("jam_riff_lost", riff=riff_id)
                continue
            if order.status == Status.DONE and order.loops:
                self._room.add(Wanted(order.loops[0], person_id, soon=True))
            elif order.error:
                self._room.note = retold(self._room.language, order.error)
                self._room.refresh()


def start_of(playing: Wanted | None) -> RiffRequest | None:
    """What a jam starts from while a loop plays: its words, tempo and key, with a seed of the jam's own."""
    if playing is None or playing.loop.kind != "loop":
        return None
    loop = playing.loop
    return RiffRequest.parse(
        prompt=loop.prompt, bpm=loop.bpm, key=loop.key, metre=loop.metre, bars=min(loop.bars, BARS[1])
    )


def _settled(goal: RiffRequest) -> dict[str, object]:
    """What all riffs of a jam have in common."""
    key = None if goal.key is None else str(goal.key)
    return {"bpm": goal.bpm, "bars": goal.bars, "metre": goal.metre, "key": key}


def _between(start: RiffRequest | None, goal: RiffRequest) -> list[RiffRequest]:
    """The riffs on the way from words to words: the same noise, so that only what the words say changes."""
    if start is None or start.prompt == goal.prompt:
        return []
    return [replace(start, key=goal.key, morph_to=goal.prompt, morph=share) for share in WAY]
