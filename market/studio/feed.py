"""Following riffs as they are made: one poller per process, however many follow."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from market.db import Database
from market.studio import repository
from market.studio.models import RiffEvent, Status

INTERVAL = 0.2
LAST = (Status.DONE, Status.FAILED, Status.CANCELLED)
log = structlog.stdlib.get_logger(__name__)


@dataclass(eq=False, slots=True)
class _Follower:
    """One who follows a riff and has seen its events up to `seq`."""

    riff_id: str
    seq: int
    news: asyncio.Queue[RiffEvent | None] = field(default_factory=asyncio.Queue)


class EventFeed:
    """The events of riffs, read from the database every INTERVAL seconds while anybody follows one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._followers: set[_Follower] = set()
        self._wake = asyncio.Event()
        self._poller: asyncio.Task[None] | None = None

    async def follow(self, riff_id: str, after: int = 0) -> AsyncGenerator[RiffEvent, None]:
        """The events of a riff after event `after`, as they come, up to the one that ends it."""
        follower = _Follower(riff_id, after)
        self._followers.add(follower)
        self._wake.set()
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll())
        try:
            while (event := await follower.news.get()) is not None:
                yield event
                if event.body["type"] in LAST:
                    return
        finally:
            self._followers.discard(follower)

    async def close(self) -> None:
        """Stop polling and end every iterator."""
        if self._poller is not None:
            self._poller.cancel()
            with suppress(asyncio.CancelledError):
                await self._poller
            self._poller = None
        for follower in self._followers:
            follower.news.put_nowait(None)

    async def _poll(self) -> None:
        while True:
            if not self._followers:
                self._wake.clear()
                await self._wake.wait()
            try:
                await self._read()
            except Exception as error:
                # Whoever follows waits for the next round, not for ever.
                log.warning("events could not be read", error=str(error))
            await asyncio.sleep(INTERVAL)

    async def _read(self) -> None:
        # Per riff, not over all: on PostgreSQL a lower number can appear after a higher one, but the events
        # of one riff are written by one transaction after the other.
        seen: dict[str, int] = {}
        for follower in self._followers:
            seen[follower.riff_id] = min(follower.seq, seen.get(follower.riff_id, follower.seq))
        async with self._database.read() as session:
            events = await repository.events(session, seen)
        for event in events:
            for follower in self._followers:
                if follower.riff_id == event.riff_id and follower.seq < event.seq:
                    follower.seq = event.seq
                    follower.news.put_nowait(event)
