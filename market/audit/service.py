"""The log of who did what: entries that are only added, and a chain of hashes over them.

An entry is written in the transaction of what it tells of: both happen or neither. Chaining an entry to the one before
it while it is written would let one transaction wait for another, so `chain` does it afterwards, in a table of its own.
Whoever keeps the newest digest elsewhere (it is logged) can tell later that nothing before it was changed or removed.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from market.audit import repository
from market.audit.models import AuditEntry, AuditLink
from market.audit.repository import Filter

SYSTEM = "system"
MAX_PAGE = 200
# The digest before the first link.
NOTHING = "0" * 64
_STRETCH = 500
log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of the log, newest first; `next_cursor` is None at its end."""

    entries: Sequence[AuditEntry]
    next_cursor: int | None


@dataclass(frozen=True, slots=True)
class Chain:
    """How the chain stands: how many links, the last one's digest, and the first position that does not fit."""

    length: int
    digest: str
    broken_at: int | None = None


async def record(
    session: AsyncSession, actor: str, action: str, subject: str, /, **details: object
) -> AuditEntry:
    """Note that `actor` ("account:…", "visitor:…" or SYSTEM) did `action` ("loop.remove") to `subject` ("loop:…").

    `details` are whatever JSON can say: reasons, values before and after; never a secret.
    """
    entry = AuditEntry(
        at=datetime.now(UTC), actor=actor[:80], action=action, subject=subject[:120], details=dict(details)
    )
    session.add(entry)
    await session.flush()
    return entry


async def entries(
    session: AsyncSession, limit: int = 50, cursor: int | None = None, wanted: Filter | None = None
) -> Page:
    """The newest entries first, `limit` at a time."""
    found = await repository.newest(session, limit + 1, cursor, wanted or Filter())
    page, rest = found[:limit], found[limit:]
    return Page(page, page[-1].id if rest else None)


async def chain(session: AsyncSession, limit: int = 5000) -> Chain:
    """Add what is not in the chain yet, `limit` entries at most, and tell the log how it stands."""
    await repository.hold_chain(session)
    last = await repository.last_link(session)
    length, digest = (last.position, last.digest) if last else (0, NOTHING)
    found = await repository.unlinked(session, limit)
    for entry in found:
        length, digest = length + 1, _digest(digest, entry)
        session.add(AuditLink(position=length, entry_id=entry.id, digest=digest))
    await session.flush()
    if found:
        log.info("audit log chained", length=length, digest=digest)
    return Chain(length, digest)


async def verify(session: AsyncSession) -> Chain:
    """Compute the chain again from its first link."""
    length, digest = 0, NOTHING
    while found := await repository.links(session, length, _STRETCH):
        for link, entry in found:
            expected = None if entry is None else _digest(digest, entry)
            if link.position != length + 1 or link.digest != expected:
                return Chain(length, digest, broken_at=length + 1)
            length, digest = link.position, link.digest
    return Chain(length, digest)


def _digest(before: str, entry: AuditEntry) -> str:
    said = [before, entry.id, entry.at.isoformat(), entry.actor, entry.action, entry.subject, entry.details]
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
