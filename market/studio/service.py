"""The rules of ordering a riff: how many one may have, what the same order twice means, when to cancel.

Every function takes a session; those that write want one from `Database.write`.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from generation.fields import MAX_SEED
from generation.prompt import STYLE_NAME
from generation.request import RiffRequest
from market.accounts import personal
from market.accounts.models import Account
from market.catalog.models import Loop
from market.errors import AlreadyFinished, KeyReused, NotFound, NotYours, TooManyRiffs
from market.moderation import words
from market.studio import queue, repository, sources
from market.studio.models import OPEN, RiffEvent, RiffOrder, Status

MAX_OPEN_RIFFS = 8
SERVICE_TIMES = 20
RECENT_PROMPTS = 50
# What is no id is asked of no database: PostgreSQL, for one, refuses text with a NUL in it.
RIFF_ID = re.compile("[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """Where a riff stands: `position` 1 is next, 0 is being made or ended.

    `eta_seconds`, until it is finished, is None while no worker lives or none has finished anything yet.
    """

    position: int
    eta_seconds: float | None


@dataclass(frozen=True, slots=True)
class Traffic:
    """How busy the workers are; `eta_seconds`, as in QueuePlace, is that of a riff that would be ordered now."""

    workers: int
    queued: int
    running: int
    eta_seconds: float | None


def seed_of(idempotency_key: str) -> int:
    """The seed for a request that names none, so that the same request under the same key stays the same."""
    return int.from_bytes(hashlib.sha256(idempotency_key.encode()).digest()[:8]) % (MAX_SEED + 1)


async def request_of(
    session: AsyncSession, given: Mapping[str, object], *, seed: int, owner: str
) -> RiffRequest:
    """The request that a door was given, by the names of RiffRequest.parse, with `seed` where it names none.

    Its source may be a loop's id, an upload's id or the SHA-256 of either's sound, and fills in tempo, metre, key,
    length and, if it is a loop of ours, the prompt. Raises InvalidRequest, NotFound and SourceMissing.
    """
    parts = {name: value for name, value in given.items() if value not in (None, "")}
    if "source" in parts:
        origin = await sources.find(session, parts["source"], owner)
        parts = origin.completed(parts)
    return RiffRequest.parse(**{"prompt": None, "seed": seed, **parts})


async def place(
    session: AsyncSession,
    request: RiffRequest,
    *,
    owner: str,
    door: str,
    idempotency_key: str,
    guild_id: str | None = None,
) -> RiffOrder:
    """Order a riff: its row, its place in the queue and its first event, in the caller's transaction.

    The same key at the same door gives the same order again. Raises KeyReused when that one asked for
    something else, InvalidRequest where a prompt contains a word that is refused (on the server `guild_id`, too),
    TooManyRiffs when the owner has MAX_OPEN_RIFFS unfinished ones, and SourceMissing when the sound that it starts
    from is not here.
    """
    key = f"{door}:{idempotency_key}"
    await repository.lock(session, owner)
    known = await repository.by_key(session, key)
    if known is not None:
        return _same(known, request)
    await words.require(session, words.texts_of(request), guild_id)
    if await repository.count_open(session, owner) >= MAX_OPEN_RIFFS:
        raise TooManyRiffs(MAX_OPEN_RIFFS)
    if request.source:
        await sources.hold(session, request.source, owner)
    riff_id = secrets.token_hex(12)
    values = {
        "id": riff_id,
        "owner": owner,
        "door": door,
        "idempotency_key": key,
        "request": request.to_dict(),
        "source": request.source or None,
        "status": Status.QUEUED,
        "created_at": datetime.now(UTC),
    }
    if not await repository.insert(session, values):
        # Another owner's order took the key between the look and the insert.
        return await place(
            session, request, owner=owner, door=door, idempotency_key=idempotency_key, guild_id=guild_id
        )
    await queue.enqueue(session, riff_id)
    order = await get(session, riff_id)
    standing = await place_in_queue(session, order)
    _tell(session, riff_id, "queued", 0.0, position=standing.position, eta_seconds=standing.eta_seconds)
    return order


async def get(session: AsyncSession, riff_id: str) -> RiffOrder:
    """A riff with its loops. Raises NotFound."""
    order = await repository.get(session, riff_id) if RIFF_ID.fullmatch(riff_id) else None
    if order is None:
        raise NotFound("riff", riff_id)
    return order


async def cancel(session: AsyncSession, riff_id: str, owner: str) -> RiffOrder:
    """Take a riff back; a worker that is making it stops at its next step.

    Raises NotFound, NotYours, and AlreadyFinished when it is done or failed; a cancelled one stays cancelled.
    """
    order = await repository.locked(session, riff_id) if RIFF_ID.fullmatch(riff_id) else None
    if order is None:
        raise NotFound("riff", riff_id)
    if order.owner != owner:
        raise NotYours
    if order.status in OPEN:
        _end(session, order, Status.CANCELLED)
    elif order.status != Status.CANCELLED:
        raise AlreadyFinished
    return order


async def place_in_queue(session: AsyncSession, riff: RiffOrder | str) -> QueuePlace:
    """Where a riff stands and how long it will take, by the mean time of the last ones."""
    order = await get(session, riff) if isinstance(riff, str) else riff
    if order.status not in OPEN:
        return QueuePlace(0, 0.0)
    pace = await _pace(session)
    if order.status == Status.RUNNING:
        spent = (datetime.now(UTC) - (order.started_at or order.created_at)).total_seconds()
        return QueuePlace(0, None if pace.mean is None else round(max(pace.mean - spent, 0.0), 1))
    return pace.place(await repository.riffs_before(session, order) + 1)


async def places_in_queue(session: AsyncSession) -> Mapping[str, QueuePlace]:
    """Where each of the queued riffs stands, by their ids: what `place_in_queue` says of one."""
    pace = await _pace(session)
    queued = await repository.queued_ids(session)
    return {riff_id: pace.place(position) for position, riff_id in enumerate(queued, 1)}


async def traffic(session: AsyncSession) -> Traffic:
    """How busy the workers are."""
    pace = await _pace(session)
    queued = await repository.count_queued(session)
    return Traffic(pace.workers, queued, pace.running, pace.place(queued + 1).eta_seconds)


async def count(session: AsyncSession, owner: str, since: datetime | None = None) -> int:
    """How many riffs somebody has ordered, perhaps only those since a moment."""
    return await repository.count(session, owner, since)


async def count_open(session: AsyncSession, owner: str) -> int:
    """How many unfinished riffs somebody has, of MAX_OPEN_RIFFS."""
    return await repository.count_open(session, owner)


async def recent_prompts(session: AsyncSession, owner: str) -> Sequence[str]:
    """What an owner wanted to hear last, newest first, each prompt once."""
    asked = await repository.newest_requests(session, owner, RECENT_PROMPTS)
    return list(dict.fromkeys(request["prompt"] for request in asked))


async def events(session: AsyncSession, riff_id: str, after: int = 0) -> Sequence[RiffEvent]:
    """What happened to a riff after event `after`, in order."""
    return await repository.events(session, {riff_id: after})


async def latest(session: AsyncSession, riff_id: str) -> dict[str, Any]:
    """The body of the newest event of a riff. Raises NotFound."""
    event = await repository.newest_event(session, riff_id)
    if event is None:
        raise NotFound("riff", riff_id)
    return event.body


async def start(session: AsyncSession, riff_id: str) -> RiffRequest | None:
    """A worker begins with a riff: its request, or None when it has ended meanwhile."""
    order = await repository.locked(session, riff_id)
    if order is None or order.status not in OPEN:
        return None
    order.status = Status.RUNNING
    order.started_at = order.started_at or datetime.now(UTC)
    return RiffRequest.from_dict(order.request)


async def finish(session: AsyncSession, riff_id: str, loops: Sequence[Loop]) -> None:
    """A riff is done: its loops, its status and its last event. Nothing happens when it has ended before."""
    order = await repository.locked(session, riff_id)
    if order is not None and order.status in OPEN:
        session.add_all(loops)
        _end(session, order, Status.DONE)


async def fail(session: AsyncSession, riff_id: str, sentence: str) -> None:
    """A riff ends with a sentence instead of loops. Nothing happens when it has ended before."""
    order = await repository.locked(session, riff_id)
    if order is not None and order.status in OPEN:
        order.error = sentence
        _end(session, order, Status.FAILED)


def style_names(folder: Path) -> Sequence[str]:
    """The styles that prompts may name: the folders of the shelf that hold a finished one."""
    found = (path.parent.name for path in folder.glob("*/style.json"))
    return sorted(name for name in found if STYLE_NAME.fullmatch(name))


@dataclass(frozen=True, slots=True)
class _Pace:
    """How fast the queue moves: living workers, riffs in the making, and the mean seconds of the last ones."""

    workers: int
    running: int
    mean: float | None

    def place(self, position: int) -> QueuePlace:
        if self.mean is None or not self.workers:
            return QueuePlace(position, None)
        return QueuePlace(position, round((position + self.running) * self.mean / self.workers, 1))


async def _pace(session: AsyncSession) -> _Pace:
    times = await repository.recent_service_times(session, SERVICE_TIMES)
    mean = sum((end - start).total_seconds() for start, end in times) / len(times) if times else None
    return _Pace(await repository.count_workers(session), await repository.count_running(session), mean)


def _same(known: RiffOrder, request: RiffRequest) -> RiffOrder:
    if RiffRequest.from_dict(known.request) != request:
        raise KeyReused
    return known


def _end(session: AsyncSession, order: RiffOrder, status: Status) -> None:
    order.status = status
    order.finished_at = datetime.now(UTC)
    _tell(session, order.id, status, 1.0 if status == Status.DONE else 0.0, error=order.error)


def _tell(session: AsyncSession, riff_id: str, kind: str, fraction: float, **more: object) -> None:
    session.add(RiffEvent(riff_id=riff_id, body={"type": kind, "fraction": fraction, **more}))


async def _cancel_all(session: AsyncSession, account: Account) -> None:
    for riff_id in await repository.open_of(session, account.owner):
        with suppress(AlreadyFinished):
            await cancel(session, riff_id, account.owner)


# Nobody is there any more to take what would be made.
personal.register("riffs", erase=_cancel_all)
