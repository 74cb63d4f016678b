"""All the SQL of the bot."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Delivery
from market.studio.models import RiffEvent, RiffOrder


@dataclass(frozen=True, slots=True)
class OpenDelivery:
    """An open delivery beside how far its riff is; `newest_event_seq` is 0 where nothing has happened yet."""

    delivery: Delivery
    status: str
    newest_event_seq: int
    ordered_at: datetime


async def open_deliveries(session: AsyncSession) -> Sequence[OpenDelivery]:
    """Everything that has not arrived, oldest order first."""
    newest = (
        sa.select(sa.func.coalesce(sa.func.max(RiffEvent.seq), 0))
        .where(RiffEvent.riff_id == Delivery.riff_id)
        .scalar_subquery()
    )
    query = (
        sa.select(Delivery, RiffOrder.status, newest, RiffOrder.created_at)
        .join(RiffOrder, RiffOrder.id == Delivery.riff_id)
        .where(Delivery.state == "open")
        .order_by(RiffOrder.created_at)
    )
    return [OpenDelivery(*row) for row in (await session.execute(query)).all()]


async def change_open(session: AsyncSession, riff_id: str, **values: Any) -> None:
    """Change a delivery unless it has left "open" already."""
    statement = sa.update(Delivery).where(Delivery.riff_id == riff_id, Delivery.state == "open")
    await session.execute(statement.values(**values))
