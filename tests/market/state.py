"""Everything that a database holds, so that a refusal can be held against it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy as sa

from market.db import Base, Database

# What changes by being tried: attempts to sign in as a whole, of sessions and tokens when they were last used. And a
# living worker beats.
VOLATILE = {
    "sign_in_attempt": None,
    "worker_beat": None,
    "web_session": {"used_at"},
    "api_token": {"used_at", "quota_used"},
}


async def contents(database: Database) -> dict[str, list[str]]:
    """Every row of every table, but for what changes by being tried and by itself."""
    found = {}
    async with database.read() as session:
        for name, table in Base.metadata.tables.items():
            volatile = VOLATILE.get(name, set())
            if volatile is None:
                continue
            columns = [column for column in table.c if column.name not in volatile]
            found[name] = sorted(map(repr, await session.execute(sa.select(*columns))))
    return found


@asynccontextmanager
async def nothing_changes(database: Database) -> AsyncIterator[None]:
    """What happens inside leaves every row as it was."""
    before = await contents(database)
    yield
    assert await contents(database) == before
