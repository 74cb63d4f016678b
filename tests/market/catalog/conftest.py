"""People with loops that are fit for sale, and ways to see that nothing has changed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import pytest_asyncio
from numpy.typing import NDArray

from market.accounts import service as accounts
from market.accounts import tokens
from market.db import Database
from market.models import Account, Loop
from market.storage import Storage
from tests.market.catalog.loops import make, tune
from tests.market.state import contents

OFFER = {"title": "Bells at noon", "prices": {"creator": 900, "business": 4900}, "free": True}


@dataclass(frozen=True)
class Person:
    """An account and what its token is sent with."""

    account: Account
    headers: dict[str, str]


@dataclass
class Shop:
    """A database with people and loops in it; `loop` is ada's, fit for sale."""

    database: Database
    storage: Storage
    http: httpx.AsyncClient
    ada: Person
    eve: Person
    moderator: Person
    loop: Loop = field(init=False)
    made: int = 0

    async def make(
        self,
        owner: str | None = None,
        sound: NDArray[np.float32] | None = None,
        **more: Any,
    ) -> Loop:
        """A finished loop of somebody's, by default ada's; `more` is as in `loops.make`."""
        self.made += 1
        return await make(
            self.database,
            self.storage,
            owner or self.ada.account.owner,
            tune() if sound is None else sound,
            key=str(self.made),
            **more,
        )

    async def publish(
        self, loop: Loop | None = None, person: Person | None = None, **offer: Any
    ) -> httpx.Response:
        loop = loop or self.loop
        return await self.http.post(
            f"/v1/loops/{loop.id}/publish", json=OFFER | offer, headers=(person or self.ada).headers
        )

    async def state(self) -> dict[str, list[str]]:
        """Every row of every table of ours."""
        return await contents(self.database)


@pytest_asyncio.fixture
async def shop(database: Database, storage: Storage, http: httpx.AsyncClient) -> AsyncIterator[Shop]:
    people = []
    for name, roles in (("Ada", ("member",)), ("Eve", ("member",)), ("Mo", ("member", "moderator"))):
        async with database.write() as session:
            account = await accounts.create(session, f"local:{name.lower()}", name, roles)
            _, secret = await tokens.issue(
                session, account, name="tests", scopes=list(tokens.SCOPES), days=None, daily_quota=10_000
            )
        people.append(Person(account, {"Authorization": f"Bearer {secret}"}))
    ada, eve, moderator = people
    shop = Shop(database, storage, http, ada, eve, moderator)
    shop.loop = await shop.make()
    yield shop
