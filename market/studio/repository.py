"""All the SQL of the studio."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from market.db import insert_into
from market.studio.models import OPEN, RiffEvent, RiffOrder, Source, Status, WorkerBeat

# A reader that follows more riffs than this asks in several queries: SQLite refuses expressions 1000 deep.
FOLLOWED_PER_QUERY = 200


class ClockSeconds(GenericFunction[float]):
    """Seconds since 1970 by the database's own clock."""

    name = "clock_seconds"
    type = sa.Double()
    inherit_cache = True


@compiles(ClockSeconds, "sqlite")
def _sqlite_clock(*_: object, **__: object) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(ClockSeconds, "postgresql")
def _postgresql_clock(*_: object, **__: object) -> str:
    return "extract(epoch from clock_timestamp())"


async def get(session: AsyncSession, riff_id: str) -> RiffOrder | None:
    return await session.get(RiffOrder, riff_id)


async def locked(session: AsyncSession, riff_id: str) -> RiffOrder | None:
    """The riff as it is now, held until the end of the transaction."""
    query = sa.select(RiffOrder).where(RiffOrder.id == riff_id).with_for_update()
    return await session.scalar(query, execution_options={"populate_existing": True})


async def by_key(session: AsyncSession, idempotency_key: str) -> RiffOrder | None:
    return await session.scalar(sa.select(RiffOrder).where(RiffOrder.idempotency_key == idempotency_key))


async def lock(session: AsyncSession, name: str) -> None:
    """Let one transaction at a time deal with a name (an owner's orders, say). On SQLite all take turns already."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(name))))


async def count_open(session: AsyncSession, owner: str) -> int:
    query = sa.select(sa.func.count()).where(RiffOrder.owner == owner, RiffOrder.status.in_(OPEN))
    return await session.scalar(query) or 0


async def insert(session: AsyncSession, values: Mapping[str, Any]) -> bool:
    """Insert a riff; False when its idempotency key is taken (by a transaction that just committed, too)."""
    statement = insert_into(session, RiffOrder).values(**values)
    statement = statement.on_conflict_do_nothing(index_elements=["idempotency_key"])
    return await session.scalar(statement.returning(RiffOrder.id)) is not None


async def newest_requests(session: AsyncSession, owner: str, limit: int) -> Sequence[Mapping[str, Any]]:
    """What an owner ordered last, newest first."""
    query = sa.select(RiffOrder.request).where(RiffOrder.owner == owner)
    return (await session.scalars(query.order_by(RiffOrder.created_at.desc()).limit(limit))).all()


async def riffs_before(session: AsyncSession, order: RiffOrder) -> int:
    """How many queued riffs come before this queued one."""
    query = sa.select(sa.func.count()).where(
        RiffOrder.status == Status.QUEUED,
        sa.or_(
            RiffOrder.created_at < order.created_at,
            sa.and_(RiffOrder.created_at == order.created_at, RiffOrder.id < order.id),
        ),
    )
    return await session.scalar(query) or 0


async def queued_ids(session: AsyncSession) -> Sequence[str]:
    """The queued riffs in the order in which they are made."""
    query = sa.select(RiffOrder.id).where(RiffOrder.status == Status.QUEUED)
    return (await session.scalars(query.order_by(RiffOrder.created_at, RiffOrder.id))).all()


async def count_running(session: AsyncSession) -> int:
    return await session.scalar(sa.select(sa.func.count()).where(RiffOrder.status == Status.RUNNING)) or 0


async def count_queued(session: AsyncSession) -> int:
    return await session.scalar(sa.select(sa.func.count()).where(RiffOrder.status == Status.QUEUED)) or 0


async def count(session: AsyncSession, owner: str, since: datetime | None) -> int:
    """How many riffs an owner has ordered, perhaps only those since a moment."""
    query = sa.select(sa.func.count()).where(RiffOrder.owner == owner)
    return await session.scalar(query if since is None else query.where(RiffOrder.created_at >= since)) or 0


async def count_workers(session: AsyncSession) -> int:
    """How many workers are alive."""
    query = sa.select(sa.func.count()).where(WorkerBeat.expires_at > ClockSeconds())
    return await session.scalar(query) or 0


async def recent_service_times(session: AsyncSession, count: int) -> Sequence[tuple[datetime, datetime]]:
    """When the riffs that were done last were started and finished."""
    query = (
        sa.select(RiffOrder.started_at, RiffOrder.finished_at)
        .where(RiffOrder.status == Status.DONE)
        .order_by(RiffOrder.finished_at.desc())
        .limit(count)
    )
    return [(start, end) for start, end in await session.execute(query) if start and end]


async def events(session: AsyncSession, after: Mapping[str, int]) -> Sequence[RiffEvent]:
    """What happened to riffs, each after its own seq, in order."""
    found: list[RiffEvent] = []
    cursors = list(after.items())
    for first in range(0, len(cursors), FOLLOWED_PER_QUERY):
        newer = sa.or_(
            *(
                sa.and_(RiffEvent.riff_id == riff_id, RiffEvent.seq > seq)
                for riff_id, seq in cursors[first : first + FOLLOWED_PER_QUERY]
            )
        )
        found.extend(await session.scalars(sa.select(RiffEvent).where(newer).order_by(RiffEvent.seq)))
    return found


async def newest_event(session: AsyncSession, riff_id: str) -> RiffEvent | None:
    query = sa.select(RiffEvent).where(RiffEvent.riff_id == riff_id).order_by(RiffEvent.seq.desc()).limit(1)
    return await session.scalar(query)


async def with_status(session: AsyncSession, riff_ids: Iterable[str], status: Status) -> set[str]:
    query = sa.select(RiffOrder.id).where(RiffOrder.id.in_(list(riff_ids)), RiffOrder.status == status)
    return set(await session.scalars(query))


async def hold_running(session: AsyncSession, riff_ids: Iterable[str]) -> set[str]:
    """Those of the riffs that are running, kept so until the end of the transaction."""
    query = sa.select(RiffOrder.id).where(
        RiffOrder.id.in_(list(riff_ids)), RiffOrder.status == Status.RUNNING
    )
    return set(await session.scalars(query.with_for_update(read=True)))


async def open_ids(session: AsyncSession) -> Sequence[str]:
    return (await session.scalars(sa.select(RiffOrder.id).where(RiffOrder.status.in_(OPEN)))).all()


async def open_of(session: AsyncSession, owner: str) -> Sequence[str]:
    """The unfinished riffs of an owner."""
    query = sa.select(RiffOrder.id).where(RiffOrder.owner == owner, RiffOrder.status.in_(OPEN))
    return (await session.scalars(query)).all()


async def get_source(session: AsyncSession, source_id: str) -> Source | None:
    return await session.get(Source, source_id)


async def source_of(session: AsyncSession, owner: str, digest: str) -> Source | None:
    return await session.scalar(sa.select(Source).where(Source.owner == owner, Source.sha256 == digest))


async def any_source(session: AsyncSession, digest: str) -> Source | None:
    """Somebody's row of a sound."""
    return await session.scalar(sa.select(Source).where(Source.sha256 == digest).limit(1))


async def count_sources_since(session: AsyncSession, owner: str, moment: datetime) -> int:
    query = sa.select(sa.func.count()).where(Source.owner == owner, Source.created_at > moment)
    return await session.scalar(query) or 0


async def touch_sources(session: AsyncSession, digest: str, now: datetime) -> bool:
    """Note that a sound is used; False when nobody brought it. A sweep that deletes it waits, and sees the note."""
    statement = sa.update(Source).where(Source.sha256 == digest).values(used_at=now).returning(Source.id)
    return (await session.execute(statement)).first() is not None


async def delete_unused_sources(session: AsyncSession, before: datetime) -> None:
    """Delete the rows of sounds that were last used before a moment and that no riff needs or was made from."""
    needed = sa.exists().where(RiffOrder.source == Source.sha256, RiffOrder.status.in_((*OPEN, Status.DONE)))
    await session.execute(sa.delete(Source).where(Source.used_at < before, ~needed))


async def source_digests(session: AsyncSession) -> set[str]:
    """The sounds that rows name."""
    return set(await session.scalars(sa.select(Source.sha256)))


def beat(connection: sa.Connection, executor_id: str, ttl: float) -> None:
    """Tell that a worker lives, for `ttl` seconds from now."""
    statement = insert_into(connection, WorkerBeat).values(
        executor_id=executor_id, expires_at=ClockSeconds() + ttl
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["executor_id"], set_={"expires_at": statement.excluded.expires_at}
        )
    )


def forget(connection: sa.Connection, executor_id: str) -> None:
    """Tell that a worker has stopped of its own accord."""
    connection.execute(sa.delete(WorkerBeat).where(WorkerBeat.executor_id == executor_id))


def living(connection: sa.Connection) -> set[str]:
    """The workers whose last sign of life has not expired."""
    query = sa.select(WorkerBeat.executor_id).where(WorkerBeat.expires_at > ClockSeconds())
    return set(connection.scalars(query))
