"""The process that makes riffs, one at a time, until it is told to stop."""

import asyncio
import contextlib
import fcntl
import math
import os
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer

from market import logs
from market.db import Database, plain_url, require_current
from market.errors import WorkerRunning
from market.settings import Settings
from market.storage import Storage
from market.studio.caretaker import Caretaker, Liveness
from market.studio.queue import APPLICATION, QUEUE, VERSION
from market.studio.workshop import Workshop

MAX_SLOTS = 64
log = structlog.stdlib.get_logger(__name__)


def run(settings: Settings) -> None:
    """Make riffs until SIGTERM or SIGINT; the one in the making has `drain_seconds` to get finished.

    Raises DatabaseOutdated, DatabaseUnreachable and WorkerRunning.
    """
    logs.configure()
    require_current(settings)
    with _slot(settings.data_dir) as (executor_id, scratch):
        # What a worker before had not finished when it was killed is gone with the folder.
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        tempfile.tempdir = str(scratch)
        asyncio.run(_work(settings, executor_id))


async def _work(settings: Settings, executor_id: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    database, storage = Database(settings), Storage.open(settings)
    workshop = Workshop(database, storage, settings)
    caretaker = Caretaker(settings, database, storage, workshop)
    is_sqlite = settings.database_url.startswith("sqlite")
    with Liveness(settings, executor_id) as liveness:
        await asyncio.to_thread(workshop.warm_up)
        DBOS(
            config=DBOSConfig(
                name=APPLICATION,
                system_database_url=plain_url(settings),
                executor_id=executor_id,
                application_version=VERSION,
                notification_listener_polling_interval_sec=0.2,
                sys_db_pool_size=8,
                run_migrations=False,
                serializer=DBOSPortableJSONSerializer(),
                log_level="WARNING",
            )
        )
        # From within the event loop, so that the workflows run on it.
        DBOS.launch()
        await DBOS.register_queue_async(
            QUEUE,
            worker_concurrency=1,
            polling_interval_sec=0.1 if is_sqlite else 0.25,
            on_conflict="always_update",
        )
        liveness.take_over.set()
        log.info("ready for riffs", worker=executor_id)
        telling = asyncio.create_task(workshop.progress.run())
        caring = asyncio.create_task(caretaker.run())
        await stop.wait()
        log.info("stopping", unfinished=sorted(workshop.making))
        liveness.take_over.clear()
        await _end(caring)
        await asyncio.to_thread(
            DBOS.destroy, workflow_completion_timeout_sec=math.ceil(settings.drain_seconds)
        )
        await _end(telling)
        await database.close()
    if workshop.making:
        log.warning("left to the next worker", riffs=sorted(workshop.making))
        # Leaving in any other way would wait for the thread that renders.
        os._exit(0)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    # The job engine puts its own threads under asyncio.to_thread: they may have ended before the task.
    with contextlib.suppress(asyncio.CancelledError, RuntimeError):
        await task


@contextlib.contextmanager
def _slot(data_dir: Path) -> Iterator[tuple[str, Path]]:
    """The identity of this worker, and a folder of its own: the first of this machine's that no other process holds.

    It stays the same from one process to the next, so that a restarted worker finds its own unfinished riffs
    at once, and the lock keeps a second process from having it at the same time.
    """
    places = data_dir / "workers"
    places.mkdir(parents=True, exist_ok=True)
    for slot in range(MAX_SLOTS):
        with (places / f"{slot}.lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            file.seek(0)
            executor_id = file.read()
            if not executor_id:
                executor_id = f"{socket.gethostname()}-{slot}-{secrets.token_hex(4)}"
                file.write(executor_id)
                file.flush()
            yield executor_id, places / f"{slot}.scratch"
            return
    raise WorkerRunning(f"{MAX_SLOTS} workers run on {places} already: stop one of them.")


if __name__ == "__main__":
    run(Settings())
