"""How a riff is made: a durable workflow of four steps, each of which may be run again after a crash.

The engine of the queue remembers what a step gave, so a worker that takes over goes on after the last one
that was finished. What a step changes is keyed by the riff, and the row, the loops and the last event are one
commit: a second run changes nothing.
"""

import asyncio
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from dbos import DBOS, DBOSConfiguredInstance, WorkflowSerializationFormat
from sqlalchemy.exc import DBAPIError

from generation.arrangement import Song
from generation.errors import Cancelled, ModelUnavailable, RiffError, StorageFull
from generation.request import RiffRequest, Take
from market.db import Database
from market.settings import Settings
from market.storage import Storage
from market.studio import service, sources
from market.studio.assets import Assets, loop_of
from market.studio.models import folder
from market.studio.progress import ProgressBoard
from market.studio.queue import WORKFLOW, WORKSHOP
from market.studio.sources import Sound

if TYPE_CHECKING:
    from generation.engine import Progress, Renderer

UNEXPECTED = "Something went wrong while this riff was made: try it again, and tell whoever runs this place."
# A riff that takes its worker down with it may do so three times.
MAX_RECOVERIES = 2
log = structlog.stdlib.get_logger(__name__)


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, DBAPIError | StorageFull)


_DATABASE_STEP: dict[str, Any] = {
    "retries_allowed": True,
    "max_attempts": 9,
    "interval_seconds": 0.5,
    "backoff_rate": 2.0,
    "should_retry": _is_transient,
}


@DBOS.dbos_class(WORKSHOP)
class Workshop(DBOSConfiguredInstance):
    """What a worker makes riffs with: the model in memory, the database and the storage."""

    def __init__(self, database: Database, storage: Storage, settings: Settings) -> None:
        super().__init__(WORKSHOP)
        self.progress = ProgressBoard(database, storage)
        self.making: set[str] = set()
        self._database = database
        self._storage = storage
        self._settings = settings
        self._engine: Renderer | None = None
        self._loading = threading.Lock()

    def engine(self) -> "Renderer":
        """The model, loaded at the first call. Raises ModelUnavailable; a later call tries again."""
        from generation.engine import load_engine

        with self._loading:
            if self._engine is None:
                self._engine = load_engine(self._settings.model, self._settings.styles_dir)
                log.info("the model is loaded", model=self._engine.model_id)
            return self._engine

    def warm_up(self) -> None:
        """Load the model before the first riff wants it; without one, riffs fail with the same sentence."""
        try:
            self.engine()
        except ModelUnavailable as error:
            log.error("riffs cannot be made until this is put right", error=str(error))

    @DBOS.workflow(
        name=WORKFLOW,
        max_recovery_attempts=MAX_RECOVERIES,
        serialization_type=WorkflowSerializationFormat.PORTABLE,
    )
    async def make(self, riff_id: str) -> None:
        """Make one riff, from its row to its loops."""
        self.making.add(riff_id)
        try:
            request = await self.start(riff_id)
            if request is not None:
                outcome = await self.render(riff_id, request)
                await self.finish(riff_id, outcome)
                await self.tidy(riff_id)
        finally:
            self.making.discard(riff_id)

    @DBOS.step(**_DATABASE_STEP)
    async def start(self, riff_id: str) -> dict[str, Any] | None:
        """Mark the riff as running: gives its request, or None when it was cancelled in the queue."""
        async with self._database.write() as session:
            request = await service.start(session, riff_id)
        return None if request is None else request.to_dict()

    @DBOS.step(**_DATABASE_STEP)
    async def render(self, riff_id: str, request: dict[str, Any]) -> dict[str, Any]:
        """Make the takes and keep their files: gives {"loops": records} or {"error": sentence}."""
        await self.progress.open(riff_id)
        try:
            wish = RiffRequest.from_dict(request)
            sound = await self._sound(wish.source) if wish.source else None
            with tempfile.TemporaryDirectory(prefix="song-") as work:
                takes = await asyncio.to_thread(self._render, riff_id, wish, sound, Path(work))
                return {"loops": [await take.keep(self._storage, riff_id) for take in takes]}
        except RiffError as error:
            if not isinstance(error, Cancelled):
                log.warning("a riff failed", riff=riff_id, error=str(error))
            return {"error": str(error)}
        except DBAPIError:
            # The step is run again.
            raise
        except Exception:
            log.exception("a riff failed", riff=riff_id)
            return {"error": UNEXPECTED}
        finally:
            await self.progress.close(riff_id)

    @DBOS.step(**_DATABASE_STEP)
    async def finish(self, riff_id: str, outcome: dict[str, Any]) -> None:
        """Write how the riff ended, once; a cancelled one has ended already."""
        now = datetime.now(UTC)
        async with self._database.write() as session:
            if "error" in outcome:
                await service.fail(session, riff_id, outcome["error"])
            else:
                loops = [loop_of(riff_id, record, now) for record in outcome["loops"]]
                await service.finish(session, riff_id, loops)

    @DBOS.step(**_DATABASE_STEP)
    async def tidy(self, riff_id: str) -> None:
        """Remove files of the riff that no row names: those of a cancelled, failed or killed attempt."""
        async with self._database.read() as session:
            order = await service.get(session, riff_id)
        kept = {key for loop in order.loops for key in loop.keys}
        await self._storage.sweep(folder(riff_id), kept)

    async def _sound(self, digest: str) -> Sound:
        async with self._database.read() as session:
            return await sources.sound_of(session, self._storage, digest)

    def _render(
        self, riff_id: str, request: RiffRequest, sound: Sound | None, work: Path
    ) -> Sequence[Assets]:
        """Make what is asked for; `work` is a folder for what is too large for memory."""
        from generation.arrange import perform

        def told(progress: "Progress") -> None:
            self.progress.report(riff_id, progress)

        def cancelled() -> bool:
            return self.progress.is_cancelled(riff_id)

        if isinstance(request.arrangement, Song):
            return [Assets.of_song(self.engine(), request, work, told, cancelled)]
        riff = perform(self.engine(), request, None if sound is None else sound.audio, told, cancelled)
        takes = riff.takes if sound is None else [_with_origin(take, sound) for take in riff.takes]
        return [Assets.make(index, take) for index, take in enumerate(takes)]


def _with_origin(take: Take, sound: Sound) -> Take:
    """The take, in whose recipe stands that of the sound it starts from, if that is one of ours."""
    if sound.recipe is None:
        return take
    source = {**take.recipe["source"], "recipe": sound.recipe}
    return replace(take, recipe={**take.recipe, "source": source})
