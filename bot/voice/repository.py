"""All the SQL of voice."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Delivery
from market.catalog.models import Loop


async def newest_in_channel(session: AsyncSession, channel_id: int) -> str | None:
    """The id of the loop that came into a channel last, if it still exists."""
    query = sa.select(Loop.id).join(Delivery, Delivery.riff_id == Loop.riff_id)
    query = query.where(Delivery.channel_id == channel_id, Delivery.state == "delivered")
    return await session.scalar(query.order_by(Loop.created_at.desc(), Loop.id).limit(1))
