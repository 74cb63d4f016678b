"""All the SQL of downloads."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from market.db import insert_into
from market.downloads.models import Download


async def start(session: AsyncSession, values: dict[str, Any]) -> bool:
    """Write a download down; one that is taken up again counts a request more. Whether it is a new one."""
    taken_up = {"requests": Download.requests + 1, "last_at": values["last_at"]}
    query = insert_into(session, Download).values(**values)
    query = query.on_conflict_do_update(index_elements=["link"], set_=taken_up)
    return bool(await session.scalar(query.returning(Download.requests)) == 1)


async def add_bytes(session: AsyncSession, link: str, count: int, at: datetime) -> None:
    await session.execute(
        sa.update(Download)
        .where(Download.link == link)
        .values(bytes_sent=Download.bytes_sent + count, last_at=at)
    )


async def count(session: AsyncSession, loop_id: str) -> int:
    query = sa.select(sa.func.count()).select_from(Download).where(Download.loop_id == loop_id)
    return await session.scalar(query) or 0


async def of_account(session: AsyncSession, account_id: str) -> Sequence[Download]:
    query = sa.select(Download).where(Download.account_id == account_id).order_by(Download.started_at)
    return (await session.scalars(query)).all()


async def delete(session: AsyncSession, loop_id: str) -> None:
    """Remove what was written down about a loop's downloads."""
    await session.execute(sa.delete(Download).where(Download.loop_id == loop_id))


async def forget(session: AsyncSession, account_id: str) -> None:
    """Keep what was downloaded, and not from where."""
    await session.execute(sa.update(Download).where(Download.account_id == account_id).values(address=""))
