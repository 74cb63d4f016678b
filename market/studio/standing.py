"""How a riff stands, as somebody sees it, for the doors that ask."""

from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncSession

from market.catalog import service as catalog
from market.studio import service as studio
from market.studio.models import RiffOrder
from market.studio.schemas import RiffOut

if TYPE_CHECKING:
    from market.api.actor import Actor


async def seen_riff(session: AsyncSession, order: RiffOrder, actor: "Actor") -> RiffOut:
    """A riff with its place in the queue and those of its loops that are open to somebody."""
    return RiffOut.of(
        order,
        await studio.latest(session, order.id),
        await studio.place_in_queue(session, order),
        await catalog.shown(session, order.loops, actor),
    )
