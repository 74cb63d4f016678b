"""What a worker does besides making riffs.

It shows that it lives, takes over from those that do not, and sees to riffs that the queue has given up.
"""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

import structlog
from dbos import DBOS
from sqlalchemy.exc import SQLAlchemyError

from market.community import folding
from market.db import Database, blocking_engine
from market.moderation import upkeep
from market.settings import Settings
from market.storage import Storage
from market.studio import repository, service, sources
from market.studio.models import OPEN, PREVIEWS, folder
from market.studio.queue import QUEUE
from market.studio.workshop import MAX_RECOVERIES, UNEXPECTED, Workshop

POISON = f"This riff stopped its worker {MAX_RECOVERIES + 1} times and was given up: ask for something else."
GIVEN_UP = ["ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
# Whoever follows a riff may still be fetching its last previews.
PREVIEWS_KEPT = timedelta(minutes=10)
CLEAR_SOURCES_EVERY = timedelta(hours=1)
log = structlog.stdlib.get_logger(__name__)


class Liveness:
    """Beats while the block lasts, from a thread of its own: the event loop may stall for longer than a beat.

    Once `take_over` is set, the riffs of workers whose beat has expired are queued again.
    """

    def __init__(self, settings: Settings, executor_id: str) -> None:
        self.take_over = threading.Event()
        self._executor_id = executor_id
        self._ttl = settings.worker_ttl
        self._engine = blocking_engine(settings)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="liveness", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        try:
            with self._engine.begin() as connection:
                repository.forget(connection, self._executor_id)
        except SQLAlchemyError as error:
            log.warning("the last sign of life could not be withdrawn", error=str(error))
        self._engine.dispose()

    def _run(self) -> None:
        while True:
            try:
                self._beat()
            except SQLAlchemyError as error:
                log.warning("no sign of life could be written", error=str(error))
            except Exception:
                log.exception("looking for dead workers failed")
            if self._stop.wait(self._ttl / 10):
                return

    def _beat(self) -> None:
        with self._engine.begin() as connection:
            repository.beat(connection, self._executor_id, self._ttl)
            living = repository.living(connection)
        if not self.take_over.is_set():
            return
        running = DBOS.list_workflows(status="PENDING", queue_name=QUEUE, load_input=False, load_output=False)
        dead = {riff.executor_id for riff in running if riff.executor_id is not None} - living
        if dead:
            # The engine's open-source part leaves this to its users; it has no public call for it.
            taken = DBOS._recover_pending_workflows(sorted(dead))
            log.warning("took over from dead workers", workers=sorted(dead), riffs=len(taken))


class Caretaker:
    """Every few seconds ends riffs that the queue gave up, restarts those it lost, clears old previews.

    Every minute it folds what happened to loops, every few minutes it settles cases whose time is over, every hour it
    removes the uploads that nobody uses.
    """

    def __init__(self, settings: Settings, database: Database, storage: Storage, workshop: Workshop) -> None:
        self._interval = settings.worker_ttl / 6
        self._database = database
        self._storage = storage
        self._workshop = workshop
        self._missed: set[str] = set()
        self._clear_sources_at = self._fold_at = self._moderate_at = datetime.now(UTC)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.end_given_up()
                await self.restart_lost()
                now = datetime.now(UTC)
                await clear_previews(self._database, self._storage, now - PREVIEWS_KEPT)
                if now >= self._fold_at:
                    await folding.fold_all(self._database, now)
                    self._fold_at = now + folding.FOLD_EVERY
                if now >= self._moderate_at:
                    await upkeep.keep_up(self._database, now)
                    self._moderate_at = now + upkeep.EVERY
                if now >= self._clear_sources_at:
                    await sources.clear(self._database, self._storage, now - sources.KEPT)
                    self._clear_sources_at = now + CLEAR_SOURCES_EVERY
            except Exception:
                log.exception("the caretaker stumbled")

    async def end_given_up(self) -> None:
        """Fail the riffs whose workflow ended without them: poison ones, and those it had an error for."""
        async with self._database.read() as session:
            unfinished = await repository.open_ids(session)
        if not unfinished:
            return
        for ended in await DBOS.list_workflows_async(
            workflow_ids=list(unfinished), status=GIVEN_UP, load_input=False, load_output=False
        ):
            sentence = POISON if ended.status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED" else UNEXPECTED
            log.error("a riff was given up", riff=ended.workflow_id, status=ended.status)
            async with self._database.write() as session:
                await service.fail(session, ended.workflow_id, sentence)
            await self._storage.sweep(folder(ended.workflow_id), set())

    async def restart_lost(self) -> None:
        """Queue again what the queue believes to run here and does not: its end could not be written."""
        running = await DBOS.list_workflows_async(
            status="PENDING", executor_id=DBOS.executor_id, load_input=False, load_output=False
        )
        missed = {riff.workflow_id for riff in running} - self._workshop.making
        for riff_id in missed & self._missed:
            log.warning("a riff had got lost and is queued again", riff=riff_id)
            await DBOS.resume_workflow_async(riff_id, queue_name=QUEUE)
        self._missed = missed - self._missed


async def clear_previews(database: Database, storage: Storage, before: datetime) -> None:
    """Remove the previews of riffs that ended before a moment."""
    for riff_id in await storage.folders(PREVIEWS):
        async with database.read() as session:
            order = await repository.get(session, riff_id)
        if order is None or (order.status not in OPEN and (order.finished_at or before) <= before):
            await storage.sweep(f"{PREVIEWS}{riff_id}/", set())
