"""Where a list goes on: the sort values of the last row that was sent, as one opaque word."""

import base64
import binascii
import re
from datetime import UTC, datetime

from generation.errors import InvalidRequest

_PARTS = re.compile(r"[0-9a-z.+-]{1,40}( [0-9a-z.+-]{1,40})*")


def write(at: datetime | float, key: str) -> str:
    """The cursor after a row that sorts by `at` and then by `key`."""
    value = f"{at.timestamp():.6f}" if isinstance(at, datetime) else repr(at)
    return base64.urlsafe_b64encode(f"{value} {key}".encode()).decode()


def read_moment(cursor: str) -> tuple[datetime, str]:
    """The moment and key of a cursor. Raises InvalidRequest for one that is not ours."""
    value, key = read(cursor)
    try:
        return datetime.fromtimestamp(value, UTC), key
    except (ValueError, OverflowError, OSError):
        raise foreign() from None


def read(cursor: str) -> tuple[float, str]:
    """The number and key of a cursor. Raises InvalidRequest for one that is not ours."""
    try:
        text = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode("ascii")
        if not _PARTS.fullmatch(text):
            raise ValueError
        value, key = text.split(" ")
        number = float(value)
        # nan and the infinities compare with nothing.
        if not -1e15 < number < 1e15:
            raise ValueError
        return number, key
    except (binascii.Error, UnicodeError, ValueError):
        raise foreign() from None


def foreign() -> InvalidRequest:
    """The refusal of a cursor that is not ours."""
    return InvalidRequest("cursor", "This cursor is not one of ours: take next_cursor as it came.")
