"""All the SQL of the bot."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Delivery
from market.accounts.models import Identity
from market.studio.models import RiffEvent, RiffOrder, Status


@dataclass(frozen=True, slots=True)
class OpenDelivery:
    """An open delivery beside how far its riff is; `newest_event_seq` is 0 where nothing has happened yet."""

    delivery: Delivery
    status: str
    newest_event_seq: int
    ordered_at: datetime
    request: dict[str, Any]


async def open_deliveries(session: AsyncSession) -> Sequence[OpenDelivery]:
    """Everything that has not arrived, oldest order first."""
    newest = (
        sa.select(sa.func.coalesce(sa.func.max(RiffEvent.seq), 0))
        .where(RiffEvent.riff_id == Delivery.riff_id)
        .scalar_subquery()
    )
    query = (
        sa.select(Delivery, RiffOrder.status, newest, RiffOrder.created_at, RiffOrder.request)
        .join(RiffOrder, RiffOrder.id == Delivery.riff_id)
        .where(Delivery.state == "open")
        .order_by(RiffOrder.created_at)
    )
    return [OpenDelivery(*row) for row in (await session.execute(query)).all()]


async def change_open(session: AsyncSession, riff_id: str, **values: Any) -> None:
    """Change a delivery unless it has left "open" already."""
    statement = sa.update(Delivery).where(Delivery.riff_id == riff_id, Delivery.state == "open")
    await session.execute(statement.values(**values))


async def owns(session: AsyncSession, riff_id: str, user_id: int) -> bool:
    """Whether a person of Discord asked for a riff."""
    query = (
        sa.select(RiffOrder.id)
        .join(Identity, RiffOrder.owner == sa.literal("account:").concat(Identity.account_id))
        .where(RiffOrder.id == riff_id, Identity.subject == f"discord:{user_id}")
    )
    return await session.scalar(query) is not None


async def delivered_as(session: AsyncSession, message_id: int) -> Delivery | None:
    """What a message brought, or is just about to bring, if that is a riff."""
    query = (
        sa.select(Delivery)
        .join(RiffOrder, RiffOrder.id == Delivery.riff_id)
        .where(Delivery.message_id == message_id, RiffOrder.status == Status.DONE)
    )
    return await session.scalar(query.limit(1))
