"""All the SQL of servers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from market.catalog.models import Listing, ListingStatus, Loop, TakenDown
from market.db import insert_into
from market.guilds.models import DUE, GalleryPost, GuildSettings, Hanging
from market.studio.models import RiffOrder
from market.studio.repository import lock

_HUNG = (Hanging.OPEN, Hanging.POSTED, Hanging.CHANGED)


async def settings(session: AsyncSession, guild_id: int) -> GuildSettings | None:
    return await session.get(GuildSettings, guild_id)


async def locked_settings(session: AsyncSession, guild_id: int) -> GuildSettings | None:
    """A server's row as it is now; whoever else wants to change it, or to be the first to write it, waits."""
    await lock(session, f"guild {guild_id}")
    return await session.get(GuildSettings, guild_id, populate_existing=True)


async def settings_by(session: AsyncSession, account_id: str) -> Sequence[GuildSettings]:
    """The servers that somebody was the last to change."""
    query = sa.select(GuildSettings).where(GuildSettings.updated_by == account_id)
    return (await session.scalars(query.order_by(GuildSettings.guild_id))).all()


async def forget_settings_by(session: AsyncSession, account_id: str) -> None:
    changed = sa.update(GuildSettings).where(GuildSettings.updated_by == account_id)
    await session.execute(changed.values(updated_by=None))


# The gallery


async def hang(session: AsyncSession, values: dict[str, Any]) -> bool:
    """Write that a riff is to be posted; False where that was written before."""
    statement = insert_into(session, GalleryPost).values(state=Hanging.OPEN, attempts=0, **values)
    statement = statement.on_conflict_do_nothing(index_elements=["guild_id", "riff_id"])
    return await session.scalar(statement.returning(GalleryPost.riff_id)) is not None


async def restar(
    session: AsyncSession, guild_id: int, riff_id: str, stars: int, channel_id: int, now: datetime
) -> None:
    """More stars: a post says so, and what its channel did not take is tried again, where the gallery is now."""
    place = sa.update(GalleryPost).where(GalleryPost.guild_id == guild_id, GalleryPost.riff_id == riff_id)
    failed = place.where(GalleryPost.state == Hanging.FAILED)
    await session.execute(
        failed.values(stars=stars, state=Hanging.OPEN, channel_id=channel_id, attempts=0, starred_at=now)
    )
    more = place.where(GalleryPost.stars < stars, GalleryPost.state.in_(_HUNG))
    hangs = sa.case((GalleryPost.state == Hanging.OPEN, Hanging.OPEN), else_=Hanging.CHANGED)
    await session.execute(more.values(stars=stars, state=hangs))


async def due(session: AsyncSession) -> Sequence[GalleryPost]:
    """The places about which something is to be done, oldest first."""
    query = sa.select(GalleryPost).where(GalleryPost.state.in_(DUE)).order_by(GalleryPost.starred_at)
    return (await session.scalars(query)).all()


async def move(session: AsyncSession, one: GalleryPost, state: Hanging, **values: Any) -> None:
    """Change a place, unless it has another state or more stars by now than when it was read."""
    changed = _place(one).where(GalleryPost.state == one.state, GalleryPost.stars == one.stars)
    await session.execute(changed.values(state=state, **values))


async def note(session: AsyncSession, one: GalleryPost, **values: Any) -> None:
    """Write down what came of a place, whatever its state is by now."""
    await session.execute(_place(one).values(**values))


async def posts_of(session: AsyncSession, owner: str) -> Sequence[GalleryPost]:
    """The places of somebody's riffs in all galleries."""
    query = sa.select(GalleryPost).join(RiffOrder, RiffOrder.id == GalleryPost.riff_id)
    query = query.where(RiffOrder.owner == owner).order_by(GalleryPost.starred_at)
    return (await session.scalars(query)).all()


async def take_down_of(session: AsyncSession, owner: str) -> None:
    """Let somebody's riffs leave every gallery."""
    riffs = sa.select(RiffOrder.id).where(RiffOrder.owner == owner)
    await _take_down(session, GalleryPost.riff_id.in_(riffs))


async def take_down_riff(session: AsyncSession, riff_id: str) -> None:
    """Let a riff leave every gallery."""
    await _take_down(session, GalleryPost.riff_id == riff_id)


async def take_down_removed(session: AsyncSession) -> None:
    """Let riffs leave that have no loops any more, or one that a moderator took down."""
    loops = sa.select(Loop.id).where(Loop.riff_id == GalleryPost.riff_id)
    listed = loops.join(Listing, Listing.loop_id == Loop.id).where(Listing.status == ListingStatus.REMOVED)
    drafts = loops.join(TakenDown, TakenDown.loop_id == Loop.id)
    await _take_down(session, sa.or_(~loops.exists(), listed.exists(), drafts.exists()))


async def _take_down(session: AsyncSession, which: sa.ColumnElement[bool]) -> None:
    leaving = sa.update(GalleryPost).where(which, GalleryPost.state.in_(_HUNG))
    await session.execute(leaving.values(state=Hanging.LEAVING))


def _place(one: GalleryPost) -> sa.Update:
    return sa.update(GalleryPost).where(
        GalleryPost.guild_id == one.guild_id, GalleryPost.riff_id == one.riff_id
    )
