"""Browsers that are signed in: rows here, and a secret in each browser's cookie.

The secret is exchanged at every sign-in and every ROTATED_EVERY. The one before is good for GRACE, for requests that
were under way; whoever comes with it later has copied it, or was copied from: then the session ends for both.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from generation import fields
from market.accounts import repository
from market.accounts.models import Account, WebSession
from market.errors import NotFound

ROTATED_EVERY = timedelta(hours=1)
GRACE = timedelta(minutes=1)
# Without use a session ends after the one, and in any case after the other.
IDLE = timedelta(days=14)
LONGEST = timedelta(days=90)
MAX_USER_AGENT = 300
SESSION_ID = re.compile("[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a browser holds: which session, and its secret."""

    session_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a ticket is worth: whose it is, and whether its secret is due to be exchanged, or was stolen."""

    account: Account
    due: bool = False
    stolen: bool = False


async def begin(session: AsyncSession, account: Account, user_agent: str) -> Ticket:
    """A new session of an account."""
    now = datetime.now(UTC)
    ticket = Ticket(secrets.token_hex(12), secrets.token_urlsafe(32))
    await repository.purge_sessions(session, now)
    session.add(
        WebSession(
            id=ticket.session_id,
            account_id=account.id,
            secret_sha256=_digest(ticket.secret),
            user_agent=_printable(user_agent),
            created_at=now,
            rotated_at=now,
            used_at=now,
            expires_at=now + IDLE,
        )
    )
    await session.flush()
    return ticket


async def find(session: AsyncSession, ticket: Ticket, now: datetime) -> Found | None:
    """Whose a ticket is; None when its session is over or was never."""
    row = await repository.web_session(session, ticket.session_id)
    if row is None or row[0].expires_at <= now or row[1].deleted_at is not None:
        return None
    known, account = row
    digest = _digest(ticket.secret)
    if hmac.compare_digest(digest, known.secret_sha256):
        return Found(account, due=known.rotated_at <= now - ROTATED_EVERY)
    if known.former_sha256 is not None and hmac.compare_digest(digest, known.former_sha256):
        return Found(account, stolen=known.rotated_at <= now - GRACE)
    return None


async def rotate(session: AsyncSession, ticket: Ticket, now: datetime) -> Ticket | None:
    """The session with a fresh secret; None where another request has just done it."""
    row = await repository.web_session(session, ticket.session_id)
    if row is None:
        return None
    fresh = Ticket(ticket.session_id, secrets.token_urlsafe(32))
    expires_at = min(now + IDLE, row[0].created_at + LONGEST)
    done = await repository.rotate(
        session, ticket.session_id, _digest(ticket.secret), _digest(fresh.secret), now, expires_at
    )
    return fresh if done else None


async def of_account(session: AsyncSession, account: Account) -> Sequence[WebSession]:
    """Where an account is signed in, the last used first."""
    return await repository.sessions_of(session, account.id, datetime.now(UTC))


async def end(session: AsyncSession, session_id: str) -> None:
    """Sign one browser out."""
    await repository.end_session(session, session_id)


async def end_of(session: AsyncSession, account: Account, session_id: str) -> None:
    """Sign one of an account's browsers out. Raises NotFound, for somebody else's too."""
    known = SESSION_ID.fullmatch(session_id)
    if not known or not await repository.end_session(session, session_id, account.id):
        raise NotFound("session", fields.quoted(session_id))


async def end_all(session: AsyncSession, account: Account) -> None:
    """Sign every browser of an account out."""
    await repository.end_sessions(session, account.id)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _printable(user_agent: str) -> str:
    plain = "".join(character if character.isprintable() else "?" for character in user_agent)
    return plain[:MAX_USER_AGENT]
