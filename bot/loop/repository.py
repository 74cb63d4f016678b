"""All the SQL of what people see of their riffs in chat."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Delivery
from market.catalog.models import Loop
from market.community.models import Favourite
from market.db import UtcDateTime
from market.studio.models import OPEN, RiffOrder, Status

Q = TypeVar("Q", bound="sa.Select[*tuple[Any, ...]]")
# A row's place in a list that is sorted by time: the moment, and the id where two are of one moment.
Place = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which part of a list: what is `older` than a place or `newer` than one, or the newest of all."""

    count: int
    older: Place | None = None
    newer: Place | None = None


async def riffs(
    session: AsyncSession,
    owner: str,
    stretch: Stretch,
    *,
    words: str = "",
    open_only: bool = False,
    guild_id: int | None = None,
    channel_id: int | None = None,
) -> Sequence[tuple[RiffOrder, Delivery | None]]:
    """An owner's riffs with where they went in chat, the newest first; those whose loops were deleted are left out.

    `words` have to stand in the prompt; a guild or a channel narrows them to what was asked for there.
    """
    made = sa.exists().where(Loop.riff_id == RiffOrder.id)
    query = (
        sa.select(RiffOrder, Delivery)
        .outerjoin(Delivery, Delivery.riff_id == RiffOrder.id)
        .where(RiffOrder.owner == owner, sa.or_(RiffOrder.status != Status.DONE, made))
    )
    if open_only:
        query = query.where(RiffOrder.status.in_(OPEN))
    if guild_id is not None:
        query = query.where(Delivery.guild_id == guild_id)
    if channel_id is not None:
        query = query.where(Delivery.channel_id == channel_id)
    if words:
        query = query.where(RiffOrder.request["prompt"].as_string().icontains(words, autoescape=True))
    query, is_turned = _stretched(query, stretch, RiffOrder.created_at.expression, RiffOrder.id.expression)
    found = [(order, delivery) for order, delivery in await session.execute(query)]
    return found[::-1] if is_turned else found


async def kept(
    session: AsyncSession, account_id: str, stretch: Stretch, *, words: str = ""
) -> Sequence[tuple[Loop, datetime, Delivery | None]]:
    """The loops that an account keeps, with when it began to and where they went in chat, the newest first."""
    query = (
        sa.select(Loop, Favourite.created_at, Delivery)
        .join(Favourite, Favourite.loop_id == Loop.id)
        .outerjoin(Delivery, Delivery.riff_id == Loop.riff_id)
        .where(Favourite.account_id == account_id)
    )
    if words:
        query = query.where(Loop.prompt.icontains(words, autoescape=True))
    query, is_turned = _stretched(
        query, stretch, Favourite.created_at.expression, Favourite.loop_id.expression
    )
    found = [(loop, at, delivery) for loop, at, delivery in await session.execute(query)]
    return found[::-1] if is_turned else found


async def note_deleted(session: AsyncSession, riff_id: str) -> None:
    """Note that the message that brought a riff is gone."""
    statement = sa.update(Delivery).where(Delivery.riff_id == riff_id, Delivery.state == "delivered")
    await session.execute(statement.values(state="deleted"))


def _stretched(
    query: Q, stretch: Stretch, at: sa.ColumnElement[datetime], key: sa.ColumnElement[str]
) -> tuple[Q, bool]:
    """The query for a stretch of what it gives, and whether its rows come the other way round."""
    place = stretch.older or stretch.newer
    if place is not None:
        here = sa.tuple_(sa.literal(place[0], UtcDateTime), sa.literal(place[1]))
        query = query.where(sa.tuple_(at, key) < here if stretch.older else sa.tuple_(at, key) > here)
    if stretch.newer is not None:
        return query.order_by(at, key).limit(stretch.count), True
    return query.order_by(at.desc(), key.desc()).limit(stretch.count), False
