"""All the SQL of the catalog."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.ext.asyncio import AsyncSession

from market.catalog.models import Listing, ListingPrint, ListingStatus, ListingTag, Loop, TakenDown
from market.db import UtcDateTime
from market.studio.models import RiffOrder

# Of a sub-print that thousands share (silence, a plain beat), only those are compared that share most.
MOST_CANDIDATES = 50


async def get(session: AsyncSession, loop_id: str) -> Loop | None:
    return await session.get(Loop, loop_id)


async def by_digest(session: AsyncSession, digest: str) -> Loop | None:
    """The oldest loop whose samples have this SHA-256."""
    query = sa.select(Loop).where(Loop.sha256 == digest).order_by(Loop.created_at, Loop.id).limit(1)
    return await session.scalar(query)


async def with_digest(session: AsyncSession, digest: str) -> Sequence[Loop]:
    """Every loop whose samples have this SHA-256, the oldest first."""
    query = sa.select(Loop).where(Loop.sha256 == digest).order_by(Loop.created_at, Loop.id)
    return (await session.scalars(query)).all()


async def of_riff(session: AsyncSession, riff_id: str) -> Sequence[Loop]:
    return (await session.scalars(sa.select(Loop).where(Loop.riff_id == riff_id).order_by(Loop.take))).all()


async def owner_of(session: AsyncSession, loop: Loop) -> str | None:
    """Whose riff a loop is."""
    return await session.scalar(sa.select(RiffOrder.owner).where(RiffOrder.id == loop.riff_id))


async def made_by(session: AsyncSession, digest: str, owner: str) -> bool:
    """Whether a riff of this owner gave these samples."""
    query = sa.select(Loop.id).join(RiffOrder, RiffOrder.id == Loop.riff_id)
    return (
        await session.scalar(query.where(Loop.sha256 == digest, RiffOrder.owner == owner).limit(1))
        is not None
    )


async def published(session: AsyncSession, limit: int) -> Sequence[tuple[Loop, Listing]]:
    """What is for sale, newest first."""
    query = sa.select(Loop, Listing).join(Listing, Listing.loop_id == Loop.id)
    query = query.where(Listing.status == ListingStatus.PUBLISHED)
    query = query.order_by(Listing.published_at.desc(), Listing.loop_id.desc()).limit(limit)
    return [(loop, held) for loop, held in await session.execute(query)]


async def of_owner(
    session: AsyncSession, owner: str, limit: int, before: tuple[datetime, str] | None
) -> Sequence[Loop]:
    """What somebody has made, newest first; `before` is the (created_at, id) after which to go on."""
    query = sa.select(Loop).join(RiffOrder, RiffOrder.id == Loop.riff_id).where(RiffOrder.owner == owner)
    query = query.order_by(Loop.created_at.desc(), Loop.id.desc()).limit(limit)
    if before is not None:
        query = query.where(_before(Loop.created_at.expression, Loop.id.expression, before))
    return (await session.scalars(query)).all()


async def listing(session: AsyncSession, loop_id: str) -> Listing | None:
    return await session.get(Listing, loop_id)


async def locked_listing(session: AsyncSession, loop_id: str) -> Listing | None:
    """The listing as it is now, held until the end of the transaction."""
    query = sa.select(Listing).where(Listing.loop_id == loop_id).with_for_update()
    return await session.scalar(query, execution_options={"populate_existing": True})


async def listings(session: AsyncSession, loop_ids: Collection[str]) -> Mapping[str, Listing]:
    """The listings of loops that have one, by their ids."""
    query = sa.select(Listing).where(Listing.loop_id.in_(loop_ids))
    return {found.loop_id: found for found in await session.scalars(query)}


async def closed_drafts(session: AsyncSession, drafts: Collection[Loop]) -> Mapping[str, str]:
    """Drafts that are their maker's only, and who that is: those taken down, and those whose riff has a loop listed."""
    other = orm.aliased(Loop)
    listed = (
        sa.select(Listing.loop_id)
        .join(other, other.id == Listing.loop_id)
        .where(other.riff_id == Loop.riff_id, Listing.status != ListingStatus.DRAFT)
    )
    gone = sa.select(TakenDown.loop_id).where(TakenDown.loop_id == Loop.id)
    query = sa.select(Loop.id, RiffOrder.owner).join(RiffOrder, RiffOrder.id == Loop.riff_id)
    query = query.where(Loop.id.in_([loop.id for loop in drafts]), sa.or_(listed.exists(), gone.exists()))
    return {loop_id: owner for loop_id, owner in await session.execute(query)}  # noqa: C416


async def taken_down(session: AsyncSession, loop_id: str) -> TakenDown | None:
    """Whether a loop without a listing was taken down, and when."""
    return await session.get(TakenDown, loop_id)


async def published_by(session: AsyncSession, creator_id: str) -> Sequence[str]:
    query = sa.select(Listing.loop_id).where(
        Listing.creator_id == creator_id, Listing.status == ListingStatus.PUBLISHED
    )
    return (await session.scalars(query)).all()


async def newest_model(session: AsyncSession) -> str | None:
    """What made the newest loop."""
    return await session.scalar(
        sa.select(Loop.model).order_by(Loop.created_at.desc(), Loop.id.desc()).limit(1)
    )


async def listings_of(session: AsyncSession, creator_id: str) -> Sequence[Listing]:
    """All that somebody has listed, drafts and what was removed included, by loop."""
    query = sa.select(Listing).where(Listing.creator_id == creator_id).order_by(Listing.loop_id)
    return (await session.scalars(query)).all()


async def newest_of(
    session: AsyncSession, creator_id: str, limit: int, offset: int
) -> Sequence[tuple[Loop, Listing]]:
    """What somebody has listed, what changed last first."""
    query = sa.select(Loop, Listing).join(Listing, Listing.loop_id == Loop.id)
    query = query.where(Listing.creator_id == creator_id)
    query = query.order_by(Listing.updated_at.desc(), Listing.loop_id).limit(limit).offset(offset)
    return [(loop, held) for loop, held in await session.execute(query)]


async def count_listings(session: AsyncSession, creator_id: str) -> int:
    """How many listings somebody has, drafts and what was removed included."""
    query = sa.select(sa.func.count()).select_from(Listing).where(Listing.creator_id == creator_id)
    return await session.scalar(query) or 0


async def listed_with_digest(session: AsyncSession, digest: str, *, besides: str) -> str | None:
    """A loop with these samples that was ever published: taken down and exclusively sold ones count, drafts do not."""
    query = sa.select(Loop.id).outerjoin(Listing, Listing.loop_id == Loop.id)
    query = query.outerjoin(TakenDown, TakenDown.loop_id == Loop.id)
    query = query.where(Loop.sha256 == digest, Loop.id != besides)
    query = query.where(sa.or_(Listing.status != ListingStatus.DRAFT, TakenDown.loop_id.is_not(None)))
    return await session.scalar(query.order_by(Loop.id).limit(1))


async def candidates(
    session: AsyncSession, subprints: Iterable[int], *, besides: str
) -> Sequence[tuple[str, bytes]]:
    """Listings that share sub-prints, those that share most first: their loops' ids and their fingerprints."""
    shared = (
        sa.select(ListingPrint.loop_id, sa.func.count().label("count"))
        .where(ListingPrint.hash.in_(list(subprints)), ListingPrint.loop_id != besides)
        .group_by(ListingPrint.loop_id)
        .order_by(sa.desc("count"), ListingPrint.loop_id)
        .limit(MOST_CANDIDATES)
        .subquery()
    )
    query = sa.select(Listing.loop_id, Listing.fingerprint).join(shared, shared.c.loop_id == Listing.loop_id)
    rows = await session.execute(query.where(Listing.status != ListingStatus.DRAFT))
    return [(loop_id, stored) for loop_id, stored in rows if stored]


async def fingerprints_of(session: AsyncSession, loop_ids: Collection[str]) -> Sequence[tuple[str, bytes]]:
    """The fingerprints of listings that have one, by their loops' ids."""
    query = sa.select(Listing.loop_id, Listing.fingerprint).where(Listing.loop_id.in_(loop_ids))
    return [(loop_id, stored) for loop_id, stored in await session.execute(query) if stored]


async def delete(session: AsyncSession, loop: Loop) -> None:
    """Remove a loop with its listing, and by the database's own rule what the community said of it."""
    for table in (ListingPrint, ListingTag, Listing, TakenDown):
        await session.execute(sa.delete(table).where(table.loop_id == loop.id))
    await session.execute(sa.delete(Loop).where(Loop.id == loop.id))


async def put_prints(session: AsyncSession, loop_id: str, subprints: Iterable[int]) -> None:
    """Let a listing be found by these sub-prints and no others."""
    await session.execute(sa.delete(ListingPrint).where(ListingPrint.loop_id == loop_id))
    session.add_all(ListingPrint(hash=value, loop_id=loop_id) for value in subprints)
    await session.flush()


async def put_tags(session: AsyncSession, held: Listing, tags: Iterable[ListingTag]) -> None:
    """Give a listing these tags and no others."""
    await session.execute(sa.delete(ListingTag).where(ListingTag.loop_id == held.loop_id))
    session.expire(held, ["tags"])
    session.add_all(tags)
    await session.flush()
    await session.refresh(held, ["tags"])


def _before(
    time: sa.ColumnElement[Any], name: sa.ColumnElement[str], place: tuple[datetime, str]
) -> sa.ColumnElement[bool]:
    at, loop_id = place
    return sa.tuple_(time, name) < sa.tuple_(sa.literal(at, UtcDateTime), sa.literal(loop_id))
