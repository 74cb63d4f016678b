"""Somebody who has a loop on the market, somebody who wants it, and their tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest_asyncio

from market.accounts import service as accounts
from market.accounts import tokens
from market.catalog import service as catalog
from market.db import Database
from market.licensing import service as licensing
from market.licensing.models import Grant
from market.models import Account, Listing, Loop
from market.storage import Storage
from tests.market.conftest import finished

PRICES = {"creator": 900, "business": 4900, "broadcast": 19900, "exclusive": 49900}
YOUTUBE = "https://www.youtube.com/@ada"


@dataclass(frozen=True)
class Person:
    """An account and what its token is sent with."""

    account: Account
    headers: dict[str, str]


@dataclass(frozen=True)
class Market:
    """A published loop with every tier, its creator, two buyers, a moderator and an admin."""

    database: Database
    loop: Loop
    creator: Person
    ada: Person
    eve: Person
    moderator: Person
    admin: Person

    async def grant(
        self,
        tier: str = "creator",
        *,
        to: Person | None = None,
        intent: str = "order:1",
        licensee: str = "Ada Lovelace",
        channels: Sequence[Mapping[str, str | None]] = ({"url": YOUTUBE},),
        **more: Any,
    ) -> Grant:
        async with self.database.write() as session:
            return await licensing.grant(
                session,
                loop=self.loop,
                tier=tier,
                licensee=licensee,
                account=(to or self.ada).account,
                project="A film about bells",
                channels=channels,
                price_cents=more.pop("price_cents", PRICES.get(tier, 0)),
                currency="usd",
                intent=intent,
                **more,
            )

    async def status(self, status: str) -> None:
        """Give the loop's listing another status."""
        async with self.database.write() as session:
            await catalog.set_status(session, self.loop.id, status)

    def wish(self, **more: object) -> dict[str, object]:
        """The body of a wish for a free licence."""
        wish = {
            "loop_id": self.loop.id,
            "tier": "free",
            "licensee": "Ada Lovelace",
            "project": "A film about bells",
        }
        return {**wish, **more}


@pytest_asyncio.fixture
async def market(database: Database, storage: Storage) -> Market:
    loop = await finished(database, storage)
    people = {
        name: await _person(database, name, roles)
        for name, roles in {
            "creator": ("member", "creator"),
            "ada": ("member",),
            "eve": ("member",),
            "moderator": ("member", "moderator"),
            "admin": ("member", "admin"),
        }.items()
    }
    now = datetime.now(UTC)
    async with database.write() as session:
        session.add(
            Listing(
                loop_id=loop.id,
                creator_id=people["creator"].account.id,
                status="published",
                title="Church bells",
                prices=dict(PRICES),
                free=True,
                published_at=now,
                updated_at=now,
            )
        )
    return Market(database, loop, **people)


async def _person(database: Database, name: str, roles: tuple[str, ...]) -> Person:
    async with database.write() as session:
        account = await accounts.create(session, f"discord:{name}", name.capitalize(), roles)
        _, secret = await tokens.issue(
            session, account, name="tests", scopes=list(tokens.SCOPES), days=None, daily_quota=10_000
        )
    return Person(account, {"Authorization": f"Bearer {secret}"})
