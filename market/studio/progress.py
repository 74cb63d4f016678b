"""How far the riffs of a worker are: told to the database a few times a second, however fast it goes."""

import asyncio
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from generation.errors import StorageFull
from market.db import Database
from market.storage import Storage
from market.studio import repository
from market.studio.models import PREVIEWS, RiffEvent, Status

if TYPE_CHECKING:
    from generation.engine import Progress

INTERVAL = 0.25
log = structlog.stdlib.get_logger(__name__)


class ProgressBoard:
    """The latest progress of each riff in the making, and whether it was cancelled meanwhile.

    `report` and `is_cancelled` are called by the thread that renders, the rest by the event loop.
    """

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage
        self._lock = threading.Lock()
        self._latest: dict[str, Progress] = {}
        self._previews: dict[str, str] = {}
        self._making: set[str] = set()
        self._cancelled: set[str] = set()
        self._flushing = asyncio.Lock()

    def report(self, riff_id: str, progress: "Progress") -> None:
        """Note where a riff stands; a preview that was not written yet survives a later note without one."""
        with self._lock:
            earlier = self._latest.get(riff_id)
            if progress.preview is None and earlier is not None and earlier.take == progress.take:
                progress = replace(progress, preview=earlier.preview)
            self._latest[riff_id] = progress

    def is_cancelled(self, riff_id: str) -> bool:
        return riff_id in self._cancelled

    async def open(self, riff_id: str) -> None:
        """Begin to watch a riff; a cancellation of before is seen at once."""
        self._making.add(riff_id)
        await self._look_for_cancelled()

    async def close(self, riff_id: str) -> None:
        """Stop telling of a riff. After this nothing of it is on its way to the database any more."""
        async with self._flushing:
            self._making.discard(riff_id)
            self._cancelled.discard(riff_id)
            self._previews.pop(riff_id, None)
            with self._lock:
                self._latest.pop(riff_id, None)

    async def run(self) -> None:
        """Flush for ever. A database that cannot be written to for a while costs progress, never a riff."""
        while True:
            await asyncio.sleep(INTERVAL)
            if not self._making:
                continue
            try:
                await self.flush()
                await self._look_for_cancelled()
            except (SQLAlchemyError, StorageFull) as error:
                log.warning("progress could not be written", error=str(error))

    async def flush(self) -> None:
        """Write the latest progress of every riff in one insert."""
        async with self._flushing:
            with self._lock:
                latest, self._latest = self._latest, {}
            if not latest:
                return
            for riff_id, progress in latest.items():
                await self._keep_preview(riff_id, progress)
            async with self._database.write() as session:
                # A riff that was cancelled a moment ago has had its last event.
                for riff_id in await repository.hold_running(session, latest):
                    session.add(RiffEvent(riff_id=riff_id, body=self._body(riff_id, latest[riff_id])))

    async def _look_for_cancelled(self) -> None:
        async with self._database.read() as session:
            self._cancelled |= await repository.with_status(session, self._making, Status.CANCELLED)

    async def _keep_preview(self, riff_id: str, progress: "Progress") -> None:
        if progress.preview is None:
            return
        key = f"{PREVIEWS}{riff_id}/{progress.take}-{progress.step}.png"
        # Where there is no room for a preview there is none for the loop: the riff itself will say so.
        with suppress(StorageFull):
            await self._storage.put(key, progress.preview, "image/png")
            self._previews[riff_id] = key

    def _body(self, riff_id: str, progress: "Progress") -> dict[str, object]:
        return {
            "type": "progress",
            "fraction": round(progress.fraction, 4),
            "phase": progress.phase,
            "take": progress.take,
            "takes": progress.takes,
            "step": progress.step,
            "steps": progress.steps,
            "preview": self._previews.get(riff_id),
        }
