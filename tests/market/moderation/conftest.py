"""People with sessions and tokens, a loop on the market, and what must not change."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest_asyncio
import sqlalchemy as sa
from itsdangerous import URLSafeSerializer

from market.accounts import service as accounts
from market.accounts import sessions, tokens
from market.api.cookies import SESSION
from market.db import Database
from market.models import Account, Listing, Loop
from market.settings import Settings
from market.storage import Storage
from tests.market.conftest import finished

FOREIGN = {"Sec-Fetch-Site": "cross-site"}


@dataclass(frozen=True)
class Person:
    """An account, a browser that is signed in to it, and a program that has a token of it."""

    account: Account
    browser: httpx.AsyncClient
    program: httpx.AsyncClient


@dataclass(frozen=True)
class Market:
    """A published loop of `creator`, and other people; `visitor` is a browser of nobody."""

    database: Database
    loop: Loop
    visitor: httpx.AsyncClient
    people: dict[str, Person] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Person:
        try:
            return self.people[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def subject(self) -> str:
        return f"loop:{self.loop.id}"

    async def report(self, by: httpx.AsyncClient | None = None, **more: Any) -> httpx.Response:
        wish = {"subject": self.subject, "reason": "spam", "text": "It is a copy.", **more}
        return await (by or self.visitor).post("/v1/reports", json=wish)

    async def case(self, **more: Any) -> str:
        """Report the loop; the id of the case."""
        assert (await self.report(**more)).status_code in (200, 201)
        found = await self.moderator.program.get("/v1/moderation/cases", params={"status": "open"})
        return str(found.json()["cases"][-1]["id"])

    async def decide(
        self, case_id: str, verdict: str, by: Person | None = None, **more: Any
    ) -> httpx.Response:
        wish = {"verdict": verdict, "reason": "I have heard both.", **more}
        return await (by or self.moderator).program.post(
            f"/v1/moderation/cases/{case_id}/decision", json=wish
        )

    async def answer(self, case_id: str, by: Person | None = None, **more: Any) -> httpx.Response:
        wish = {
            "statement": "I made it myself.",
            "name": "A. Maker",
            "contact": "maker@example.org",
            "sworn": True,
        }
        return await (by or self.creator).program.post(
            f"/v1/me/cases/{case_id}/counter", json={**wish, **more}
        )

    async def status(self) -> str:
        async with self.database.read() as session:
            listing = await session.get(Listing, self.loop.id)
            assert listing is not None
            return listing.status


@pytest_asyncio.fixture
async def market(
    database: Database, storage: Storage, settings: Settings, server: str
) -> AsyncIterator[Market]:
    loop = await finished(database, storage)
    async with AsyncExitStack() as stack:
        visitor = await stack.enter_async_context(httpx.AsyncClient(base_url=server, timeout=30))
        market = Market(database, loop, visitor)
        for name, roles in {
            "creator": ("member", "creator"),
            "ada": ("member",),
            "moderator": ("member", "moderator"),
            "second": ("member", "moderator"),
            "admin": ("member", "admin"),
        }.items():
            market.people[name] = await person(database, settings, server, stack, name, roles)
        now = datetime.now(UTC)
        async with database.write() as session:
            await session.execute(
                sa.text("UPDATE riff SET owner = :owner"), {"owner": market.creator.account.owner}
            )
            session.add(
                Listing(
                    loop_id=loop.id,
                    creator_id=market.creator.account.id,
                    status="published",
                    title="Church bells",
                    prices={"creator": 900},
                    free=True,
                    published_at=now,
                    updated_at=now,
                )
            )
        yield market


async def person(
    database: Database,
    settings: Settings,
    server: str,
    stack: AsyncExitStack,
    name: str,
    roles: tuple[str, ...],
) -> Person:
    async with database.write() as session:
        account = await accounts.create(session, f"local:{name}", name.capitalize(), roles)
        _, secret = await tokens.issue(
            session, account, name="tests", scopes=list(tokens.SCOPES), days=None, daily_quota=10_000
        )
        ticket = await sessions.begin(session, account, "a browser")
    cookie = URLSafeSerializer(settings.signing_key, salt=SESSION).dumps([ticket.session_id, ticket.secret])
    browser = httpx.AsyncClient(
        base_url=server, timeout=30, cookies={SESSION: cookie}, headers={"Accept": "text/html"}
    )
    program = httpx.AsyncClient(base_url=server, timeout=30, headers={"Authorization": f"Bearer {secret}"})
    return Person(account, await stack.enter_async_context(browser), await stack.enter_async_context(program))
