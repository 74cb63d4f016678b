"""Loops to be found."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest_asyncio

from market.accounts import service as accounts
from market.accounts.models import Account
from market.db import Database
from market.models import Listing
from market.search import service as search
from market.search.document import Document
from market.search.query import Query
from market.search.service import LIMITS, Limits
from market.studio import service as studio
from tests.market.conftest import loop, order, wish

START = datetime(2026, 9, 1, tzinfo=UTC)
# As if every catalogue were large, and many were few: what is done with millions of loops, done with a handful.
MANY = Limits(exact=1, small=0)


def document(number: int = 0, **more: Any) -> Document:
    """A plain loop, an hour younger than the one before it."""
    given: dict[str, Any] = {
        "loop_id": f"{hashlib.sha256(str(number).encode()).hexdigest()[:24]}-0",
        "title": f"Loop {number}",
        "description": "",
        "prompt": "",
        "creator_id": "a" * 24,
        "creator_handle": "mika",
        "kind": "loop",
        "bpm": 120.0,
        "key": "Am",
        "bars": 4,
        "metre": "4/4",
        "genres": (),
        "moods": (),
        "instruments": (),
        "tags": (),
        "tiers": ("creator",),
        "price_cents": 900,
        "free": False,
        "has_stems": False,
        "energy": 0.5,
        "brightness": 0.5,
        "embedding": None,
        "published_at": START + timedelta(hours=number),
    }
    return Document(**given | more)


async def put(database: Database, *documents: Document) -> None:
    async with database.write() as session:
        for one in documents:
            await search.put(session, one)


async def found(database: Database, limits: Limits = LIMITS, **asked: Any) -> list[str]:
    """The titles' or ids' owners: every loop id that a query finds, through all stretches."""
    query, ids, cursor = Query(**asked), list[str](), None
    while True:
        async with database.read() as session:
            page = await search.search(session, query, limit=7, cursor=cursor, limits=limits)
        ids += page.loop_ids
        cursor = page.next_cursor
        if cursor is None:
            return ids


def ids_of(documents: Iterable[Document]) -> list[str]:
    return [one.loop_id for one in documents]


@pytest_asyncio.fixture
async def creator(database: Database) -> Account:
    async with database.write() as session:
        return await accounts.create(session, "local:mika", "Mika", ("member", "creator"))


async def publish(database: Database, creator: Account, number: int = 0, **more: Any) -> Document:
    """A loop with its riff and its listing, as the catalogue has it, and found."""
    riff_id = await order(database, wish(), owner=creator.owner, key=f"riff {number}")
    async with database.write() as session:
        await studio.finish(session, riff_id, [loop(riff_id, 0)])
        await session.flush()
        one = document(
            number,
            loop_id=f"{riff_id}-0",
            creator_id=creator.id,
            creator_handle=creator.handle,
            **more,
        )
        session.add(
            Listing(
                loop_id=one.loop_id,
                creator_id=creator.id,
                status="published",
                title=one.title,
                prices={"creator": 900},
                published_at=one.published_at,
                updated_at=one.published_at,
                tags=[],
            )
        )
        await search.put(session, one)
    return one
