"""What holds on the servers, as the bot's process knows it: asked for at every press, read every few seconds."""

import time

from market.db import Database
from market.guilds import service as guilds
from market.guilds.service import Rules

# How long this process may go on with what it knew after another one has changed it.
LIFETIME_SECONDS = 10.0


class GuildRules:
    """The rules of servers; what this process changes holds for it at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[int, tuple[float, Rules]] = {}
        self._changes = 0

    async def of(self, guild_id: int | None) -> Rules:
        """What holds on a server; everything is allowed where there is none."""
        if guild_id is None:
            return guilds.OPEN_TO_ALL
        until, rules = self._known.get(guild_id, (0.0, guilds.OPEN_TO_ALL))
        if time.monotonic() < until:
            return rules
        changes = self._changes
        async with self._database.read() as session:
            rules = await guilds.of(session, guild_id)
        # What was read while a change was under way may be what stood before it.
        if changes == self._changes:
            self._known[guild_id] = (time.monotonic() + LIFETIME_SECONDS, rules)
        return rules

    def forget(self, guild_id: int) -> None:
        """Read a server's rules anew: they were changed."""
        self._changes += 1
        self._known.pop(guild_id, None)
