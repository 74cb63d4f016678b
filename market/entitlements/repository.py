"""All the SQL of entitlements."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from market.accounts.models import Identity
from market.db import insert_into
from market.entitlements.models import Entitlement


async def put(session: AsyncSession, values: Mapping[str, Any], subject: str) -> None:
    """Write what Discord told of an entitlement of `subject`, unless something newer is known.

    Whoever left stays forgotten until they have an account again.
    """
    back = sa.exists().where(Identity.subject == subject)
    still_gone = sa.and_(Entitlement.forgotten, sa.not_(back))
    changed = {
        **values,
        "user_id": sa.case((still_gone, None), else_=values["user_id"]),
        "forgotten": still_gone,
    }
    statement = insert_into(session, Entitlement).values(**values, forgotten=False)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["id"], set_=changed, where=Entitlement.told_at <= values["told_at"]
        )
    )


async def delete_untold(session: AsyncSession, since: datetime) -> None:
    """Note as deleted whatever Discord has not told of since then."""
    untold = sa.update(Entitlement).where(Entitlement.told_at < since, sa.not_(Entitlement.deleted))
    await session.execute(untold.values(deleted=True, told_at=since))


async def of_users(session: AsyncSession, user_ids: Collection[int]) -> Sequence[Entitlement]:
    """Everything that people bought, the oldest first."""
    query = sa.select(Entitlement).where(Entitlement.user_id.in_(user_ids)).order_by(Entitlement.id)
    return (await session.scalars(query)).all()


async def count_held(session: AsyncSession, user_ids: Collection[int], now: datetime) -> int:
    """How much of what people bought they have and have not used."""
    query = sa.select(sa.func.count()).where(
        Entitlement.user_id.in_(user_ids),
        sa.not_(Entitlement.deleted),
        sa.not_(Entitlement.consumed),
        sa.or_(Entitlement.starts_at.is_(None), Entitlement.starts_at <= now),
        sa.or_(Entitlement.ends_at.is_(None), Entitlement.ends_at > now),
    )
    return await session.scalar(query) or 0


async def forget(session: AsyncSession, user_ids: Collection[int]) -> None:
    """Keep that something was bought, and not by whom."""
    bought = sa.update(Entitlement).where(Entitlement.user_id.in_(user_ids))
    await session.execute(bought.values(user_id=None, forgotten=True))
