"""The rules of galleries: what got enough stars on a server hangs there once, until its loops or its maker go.

open --posted--> posted --more stars--> changed --edited--> posted
  |                +------------ taken down ------------> leaving --> gone
  +--given up--> failed --another star--> open
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from market.guilds import repository
from market.guilds.models import GalleryPost, Hanging

GIVE_UP_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Starred:
    """A riff that people gave stars on a server, to which message, and the channel where it is to hang."""

    guild_id: int
    riff_id: str
    stars: int
    channel_id: int
    origin_channel: int
    origin_message: int


async def star(session: AsyncSession, starred: Starred) -> None:
    """Let a riff hang in the gallery, or say that it has more stars than it had."""
    now = datetime.now(UTC)
    values = {
        "guild_id": starred.guild_id,
        "riff_id": starred.riff_id,
        "stars": starred.stars,
        "channel_id": starred.channel_id,
        "origin_channel": starred.origin_channel,
        "origin_message": starred.origin_message,
        "starred_at": now,
    }
    if not await repository.hang(session, values):
        await repository.restar(
            session, starred.guild_id, starred.riff_id, starred.stars, starred.channel_id, now
        )


async def due(session: AsyncSession) -> Sequence[GalleryPost]:
    """The places about which something is to be done, oldest first."""
    return await repository.due(session)


async def take_down(session: AsyncSession, riff_id: str) -> None:
    """Let a riff leave every gallery: its maker has deleted it."""
    await repository.take_down_riff(session, riff_id)


async def take_down_removed(session: AsyncSession) -> None:
    """Let riffs leave every gallery whose loops are gone, or were taken down by a moderator."""
    await repository.take_down_removed(session)


async def posting(session: AsyncSession, one: GalleryPost) -> None:
    """It is about to be posted: after this, it may have been."""
    await repository.note(session, one, attempts=one.attempts + 1)


async def posted(session: AsyncSession, one: GalleryPost, message_id: int) -> None:
    """It hangs, and says how many stars it has."""
    await repository.note(session, one, message_id=message_id, posted_at=datetime.now(UTC), last_error=None)
    await repository.move(session, one, Hanging.POSTED)


async def said(session: AsyncSession, one: GalleryPost) -> None:
    """It says how many stars it had when it was read."""
    await repository.move(session, one, Hanging.POSTED)


async def refused(
    session: AsyncSession, one: GalleryPost, error: str, *, for_good: bool, channel_id: int | None
) -> None:
    """Its channel did not take it: it is tried again, where the gallery is by now, unless that is hopeless."""
    too_old = datetime.now(UTC) - one.starred_at > GIVE_UP_AFTER
    elsewhere = channel_id is not None and channel_id != one.channel_id
    given_up = channel_id is None or too_old or (for_good and not elsewhere)
    await repository.note(session, one, last_error=error)
    await repository.move(
        session, one, Hanging.FAILED if given_up else Hanging.OPEN, channel_id=channel_id or one.channel_id
    )


async def left(session: AsyncSession, one: GalleryPost) -> None:
    """It hangs no longer, and never will again."""
    await repository.note(session, one, state=Hanging.GONE)
