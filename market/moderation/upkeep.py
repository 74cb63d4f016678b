"""What moderation does by itself, every few minutes: deadlines, and the chain over the log."""

from datetime import datetime, timedelta

import structlog

from generation.errors import RiffError
from market.audit import service as audit
from market.db import Database
from market.moderation import service as moderation

EVERY = timedelta(minutes=5)
log = structlog.stdlib.get_logger(__name__)


async def keep_up(database: Database, now: datetime) -> int:
    """Settle the cases whose time is over, and chain what was logged; how many cases moved."""
    moved = await _settle(database, now)
    length = -1
    while True:
        async with database.write() as session:
            chain = await audit.chain(session)
        if chain.length == length:
            return moved
        length = chain.length


async def _settle(database: Database, now: datetime) -> int:
    moved = 0
    async with database.read() as session:
        due = await moderation.due(session, now)
    for case_id in due:
        try:
            async with database.write() as session:
                moved += await moderation.settle(session, case_id, now)
        except RiffError as error:
            # One that cannot be settled must not hold up the others.
            log.error("a case could not be settled", case=case_id, error=str(error))
    return moved
