"""All the SQL of the catalog."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from market.catalog.models import Loop


async def get(session: AsyncSession, loop_id: str) -> Loop | None:
    return await session.get(Loop, loop_id)


async def by_digest(session: AsyncSession, digest: str) -> Loop | None:
    """The oldest loop whose samples have this SHA-256."""
    query = sa.select(Loop).where(Loop.sha256 == digest).order_by(Loop.created_at, Loop.id).limit(1)
    return await session.scalar(query)


async def of_riff(session: AsyncSession, riff_id: str) -> Sequence[Loop]:
    return (await session.scalars(sa.select(Loop).where(Loop.riff_id == riff_id).order_by(Loop.take))).all()


async def recent(session: AsyncSession, limit: int, before: tuple[datetime, str] | None) -> Sequence[Loop]:
    """Newest first; `before` is the (created_at, id) after which to go on."""
    query = sa.select(Loop).order_by(Loop.created_at.desc(), Loop.id.desc()).limit(limit)
    if before is not None:
        at, loop_id = before
        query = query.where(sa.or_(Loop.created_at < at, sa.and_(Loop.created_at == at, Loop.id < loop_id)))
    return (await session.scalars(query)).all()
