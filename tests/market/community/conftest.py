"""People, loops that they publish, and licences that they take."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa

from market.accounts import service as accounts
from market.accounts import tokens
from market.accounts.models import Account
from market.catalog.models import Listing, ListingStatus, ListingTag, Loop
from market.db import Base, Database
from market.licensing import service as licensing
from market.licensing.models import Grant
from market.studio.models import RiffOrder, Status
from tests.market.conftest import loop, wish

SCOPES = ("read", "community", "moderate")
NOBODY = "0" * 24 + "-0"


@dataclass
class Person:
    """Somebody with an account, and a client that acts for them."""

    account: Account
    http: httpx.AsyncClient

    @property
    def handle(self) -> str:
        return self.account.handle


Somebody = Callable[..., Awaitable[Person]]
Publish = Callable[..., Awaitable[Loop]]


@pytest_asyncio.fixture
async def somebody(database: Database, server: str) -> Any:
    """Make somebody: `await somebody("Ana", roles=("member", "creator"))`."""
    clients: list[httpx.AsyncClient] = []

    async def make(
        name: str = "Ana", roles: tuple[str, ...] = ("member", "creator"), scopes: tuple[str, ...] = SCOPES
    ) -> Person:
        async with database.write() as session:
            account = await accounts.create(session, f"local:{secrets.token_hex(4)}", name, roles)
            _, secret = await tokens.issue(
                session, account, name="tests", scopes=scopes, days=1, daily_quota=100_000
            )
        client = httpx.AsyncClient(base_url=server, timeout=30, headers={"Authorization": f"Bearer {secret}"})
        clients.append(client)
        return Person(account, client)

    yield make
    for client in clients:
        await client.aclose()


@pytest_asyncio.fixture
async def ana(somebody: Somebody) -> Person:
    """A creator."""
    return await somebody("Ana")


@pytest_asyncio.fixture
async def ben(somebody: Somebody) -> Person:
    """A member."""
    return await somebody("Ben", ("member",))


@pytest_asyncio.fixture
async def mod(somebody: Somebody) -> Person:
    """A moderator."""
    return await somebody("Mo", ("member", "moderator"))


@pytest.fixture
def publish(database: Database) -> Publish:
    """Put a loop on sale: `await publish(ana, "Bells", genres=("house",))`. It has no files."""

    async def put(
        creator: Person,
        title: str = "Bells",
        *,
        genres: tuple[str, ...] = (),
        status: ListingStatus = ListingStatus.PUBLISHED,
        at: datetime | None = None,
        **more: Any,
    ) -> Loop:
        riff_id, now = secrets.token_hex(12), datetime.now(UTC)
        async with database.write() as session:
            session.add(
                RiffOrder(
                    id=riff_id,
                    owner=creator.account.owner,
                    door="rest",
                    idempotency_key=riff_id,
                    request=wish().to_dict(),
                    status=Status.DONE,
                    created_at=now,
                    finished_at=now,
                )
            )
        row = loop(riff_id, 0)
        row.sha256 = secrets.token_hex(32)
        await listed(database, row, creator.account, title, genres=genres, status=status, at=at, **more)
        return row

    return put


async def listed(
    database: Database,
    row: Loop,
    creator: Account,
    title: str,
    *,
    genres: tuple[str, ...] = (),
    status: ListingStatus = ListingStatus.PUBLISHED,
    at: datetime | None = None,
    **more: Any,
) -> None:
    """Write a loop, where it is new, and its listing."""
    at = at or datetime.now(UTC)
    async with database.write() as session:
        if await session.get(Loop, row.id) is None:
            session.add(row)
            await session.flush()
        values = {"prices": {"creator": 900}, "free": True, "description": "", "analysis": {}} | more
        session.add(
            Listing(
                loop_id=row.id,
                creator_id=creator.id,
                status=status,
                title=title,
                published_at=at,
                updated_at=at,
                **values,
            )
        )
        await session.flush()
        for genre in genres:
            session.add(
                ListingTag(loop_id=row.id, kind="genre", value=genre, confidence=1.0, origin="creator")
            )


async def licence(database: Database, row: Loop, person: Person, cents: int = 0) -> Grant:
    """Give somebody a licence."""
    async with database.write() as session:
        found = await session.get_one(Loop, row.id)
        return await licensing.grant(
            session,
            loop=found,
            tier="creator" if cents else "free",
            licensee=person.account.name,
            account=person.account,
            project="A film",
            channels=[{"url": "https://www.youtube.com/@films"}] if cents else [],
            price_cents=cents,
            currency="usd",
            intent=secrets.token_hex(8),
        )


async def snapshot(database: Database) -> dict[str, list[Any]]:
    """Every row of the community, to tell that nothing changed."""
    tables = [table for table in Base.metadata.sorted_tables if table.name in OURS]
    async with database.read() as session:
        return {table.name: sorted(map(repr, await session.execute(sa.select(table)))) for table in tables}


OURS = (
    "favourite", "collection", "collection_item", "rating", "play", "loop_day", "loop_touch", "loop_standing",
    "creator_profile", "audit_entry",
)  # fmt: skip
