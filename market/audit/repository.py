"""All the SQL of the audit log."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from market.audit.models import AuditEntry, AuditLink
from market.studio.repository import lock

# How many entries may be written while the transaction of one lasts.
LATE = 10_000


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries are wanted; None means any."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None


async def newest(
    session: AsyncSession, limit: int, before: int | None, wanted: Filter
) -> Sequence[AuditEntry]:
    """Newest first; `before` is the id after which to go on."""
    query = sa.select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    if wanted.actor is not None:
        query = query.where(AuditEntry.actor == wanted.actor)
    if wanted.action is not None:
        query = query.where(AuditEntry.action == wanted.action)
    if wanted.subject is not None:
        query = query.where(AuditEntry.subject == wanted.subject)
    return (await session.scalars(query)).all()


async def hold_chain(session: AsyncSession) -> None:
    """Let one transaction at a time add links."""
    await lock(session, "audit chain")


async def last_link(session: AsyncSession) -> AuditLink | None:
    return await session.scalar(sa.select(AuditLink).order_by(AuditLink.position.desc()).limit(1))


async def unlinked(session: AsyncSession, limit: int) -> Sequence[AuditEntry]:
    """Entries that are not in the chain yet, oldest first; those of a transaction that took long, too."""
    newest = sa.select(sa.func.coalesce(sa.func.max(AuditLink.entry_id), 0)).scalar_subquery()
    linked = sa.exists().where(AuditLink.entry_id == AuditEntry.id)
    query = sa.select(AuditEntry).where(AuditEntry.id > newest - LATE, ~linked)
    return (await session.scalars(query.order_by(AuditEntry.id).limit(limit))).all()


async def links(
    session: AsyncSession, after: int, limit: int
) -> Sequence[tuple[AuditLink, AuditEntry | None]]:
    """The next stretch of the chain, each link with its entry, if that is still there."""
    query = (
        sa.select(AuditLink, AuditEntry)
        .outerjoin(AuditEntry, AuditEntry.id == AuditLink.entry_id)
        .where(AuditLink.position > after)
        .order_by(AuditLink.position)
        .limit(limit)
    )
    return [(link, entry) for link, entry in await session.execute(query)]
