"""All the SQL of licensing."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from market.catalog.models import Listing, Loop
from market.licensing.models import Channel, Grant, Key, Revocation

_EFFECTIVE = ~sa.exists().where(Revocation.code == Grant.code)


async def insert(session: AsyncSession, row: Grant | Key | Revocation) -> bool:
    """Whether the row is new; False where another transaction has written one of the same name."""
    try:
        async with session.begin_nested():
            session.add(row)
            await session.flush()
    except IntegrityError:
        return False
    return True


async def grant(session: AsyncSession, code: str) -> Grant | None:
    return await session.get(Grant, code, populate_existing=True)


async def by_intent(session: AsyncSession, intent: str) -> Grant | None:
    return await session.scalar(sa.select(Grant).where(Grant.intent == intent))


async def effective(session: AsyncSession, loop_id: str, account_id: str) -> Sequence[Grant]:
    """Grants of a loop to an account that are not revoked, oldest first."""
    query = sa.select(Grant).where(Grant.loop_id == loop_id, Grant.account_id == account_id, _EFFECTIVE)
    return (await session.scalars(query.order_by(Grant.granted_at, Grant.code))).all()


async def is_licensed(session: AsyncSession, loop_id: str) -> bool:
    """Whether a loop was ever licensed; a licence that was revoked counts."""
    return await session.scalar(sa.select(Grant.code).where(Grant.loop_id == loop_id).limit(1)) is not None


async def exclusive(session: AsyncSession, sound: str, tiers: Sequence[str]) -> Grant | None:
    """The grant that keeps a sound (the SHA-256 of its PCM) from everybody else."""
    query = sa.select(Grant).where(Grant.loop_sha256 == sound, Grant.tier.in_(tiers), _EFFECTIVE)
    return await session.scalar(query.order_by(Grant.granted_at).limit(1))


async def count_effective(session: AsyncSession, sound: str) -> int:
    query = sa.select(sa.func.count()).select_from(Grant).where(Grant.loop_sha256 == sound, _EFFECTIVE)
    return await session.scalar(query) or 0


async def count_held(session: AsyncSession, account_id: str) -> int:
    """How many licences an account has, without those that were revoked."""
    query = sa.select(sa.func.count()).select_from(Grant).where(Grant.account_id == account_id, _EFFECTIVE)
    return await session.scalar(query) or 0


async def count_free(session: AsyncSession, account_id: str, since: datetime) -> int:
    query = sa.select(sa.func.count()).select_from(Grant)
    query = query.where(Grant.account_id == account_id, Grant.granted_at >= since, Grant.price_cents == 0)
    return await session.scalar(query) or 0


async def mine(
    session: AsyncSession, account_id: str, limit: int | None, before: tuple[datetime, str] | None
) -> Sequence[Grant]:
    """Newest first; `before` is the (granted_at, code) after which to go on."""
    query = sa.select(Grant).where(Grant.account_id == account_id)
    if before is not None:
        at, code = before
        query = query.where(sa.or_(Grant.granted_at < at, sa.and_(Grant.granted_at == at, Grant.code < code)))
    return (
        await session.scalars(query.order_by(Grant.granted_at.desc(), Grant.code.desc()).limit(limit))
    ).all()


async def loop(session: AsyncSession, loop_id: str) -> Loop | None:
    return await session.get(Loop, loop_id)


async def listing(session: AsyncSession, loop_id: str) -> Listing | None:
    """What is offered of a loop, as it is now."""
    query = sa.select(Listing).where(Listing.loop_id == loop_id).execution_options(populate_existing=True)
    return await session.scalar(query)


async def hold_listing(session: AsyncSession, loop_id: str) -> None:
    """Let nobody else change or grant a loop until this transaction ends. SQLite has one writer anyway."""
    query = sa.select(Listing.loop_id).where(Listing.loop_id == loop_id)
    await session.execute(query.with_for_update(key_share=True))


async def is_loop(session: AsyncSession, sound: str) -> bool:
    """Whether a sound is that of a loop of ours."""
    return bool(await session.scalar(sa.select(sa.exists().where(Loop.sha256 == sound))))


async def key(session: AsyncSession, key_id: str) -> Key | None:
    return await session.get(Key, key_id, populate_existing=True)


async def keys(session: AsyncSession) -> Sequence[Key]:
    """Every public key, newest first."""
    return (await session.scalars(sa.select(Key).order_by(Key.valid_from.desc(), Key.id))).all()


async def hold_grant(session: AsyncSession, code: str) -> None:
    """Let nobody else change the channels of a licence until this transaction ends."""
    await session.execute(sa.select(Grant.code).where(Grant.code == code).with_for_update(key_share=True))


async def channels(session: AsyncSession, code: str) -> Sequence[Channel]:
    """Every channel that was ever on a licence's list, in the order in which they were added."""
    query = sa.select(Channel).where(Channel.code == code).order_by(Channel.added_at, Channel.id)
    return (await session.scalars(query)).all()


async def covering(
    session: AsyncSession, url: str, loop_id: str | None, now: datetime, limit: int
) -> Sequence[tuple[Channel, Grant]]:
    """Effective grants with a channel on their list, newest first."""
    query = (
        sa.select(Channel, Grant)
        .join(Grant, Grant.code == Channel.code)
        .where(Channel.url == url, Channel.removed_at.is_(None), _EFFECTIVE)
        .where(sa.or_(Channel.expires_at.is_(None), Channel.expires_at > now))
    )
    if loop_id is not None:
        query = query.where(Grant.loop_id == loop_id)
    rows = await session.execute(query.order_by(Channel.added_at.desc(), Channel.id).limit(limit))
    return [(channel, grant) for channel, grant in rows]
