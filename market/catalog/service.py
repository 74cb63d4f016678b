"""What can be asked of the finished loops."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from generation.errors import InvalidRequest
from generation.fields import quoted
from generation.request import RiffRequest
from market.catalog import repository
from market.catalog.models import Loop
from market.errors import NotFound

MAX_PAGE = 100
LOOP_ID = re.compile("[0-9a-f]{24}-[0-9]{1,2}")


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of the list of loops; `next_cursor` is None at its end."""

    loops: Sequence[Loop]
    next_cursor: str | None


async def get(session: AsyncSession, loop_id: str) -> Loop:
    """One loop. Raises NotFound."""
    loop = await repository.get(session, loop_id) if LOOP_ID.fullmatch(loop_id) else None
    if loop is None:
        raise NotFound("loop", loop_id)
    return loop


async def of_riff(session: AsyncSession, riff_id: str) -> Sequence[Loop]:
    """The loops of a riff, by take."""
    return await repository.of_riff(session, riff_id)


async def recent(session: AsyncSession, limit: int = 20, cursor: str | None = None) -> Page:
    """The newest loops first, `limit` at a time. Raises InvalidRequest for a cursor that is not ours."""
    loops = await repository.recent(session, limit + 1, None if cursor is None else _read_cursor(cursor))
    page, rest = loops[:limit], loops[limit:]
    return Page(page, _cursor(page[-1]) if rest else None)


def stem_of(loop: Loop, role: str) -> str:
    """The storage key of one layer of a loop. Raises NotFound."""
    if role not in loop.stems:
        raise NotFound("stem", f"{quoted(role)} of this {loop.kind}")
    return loop.stems[role]


def thumbnail_of(loop: Loop) -> str:
    """The storage key of a loop's small picture. Raises NotFound where it was made before there were any."""
    if "thumbnail" not in loop.pictures:
        raise NotFound("thumbnail", f"of loop {loop.id}")
    return loop.pictures["thumbnail"]


def request_of(loop: Loop) -> RiffRequest:
    """The request that gives this loop again."""
    return RiffRequest.from_dict(loop.recipe["request"])


def _cursor(loop: Loop) -> str:
    return base64.urlsafe_b64encode(f"{loop.created_at.timestamp():.6f} {loop.id}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        at, loop_id = (
            base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode("ascii").split(" ")
        )
        if not loop_id.isprintable():
            raise ValueError
        return datetime.fromtimestamp(float(at), UTC), loop_id
    except (binascii.Error, UnicodeError, ValueError, OverflowError, OSError):
        raise InvalidRequest(
            "cursor", "This cursor is not one of ours: take next_cursor as it came."
        ) from None
