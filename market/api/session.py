"""What an endpoint asks for: a transaction, the files, the events. A request is one transaction."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from market.catalog.formats import Formats
from market.storage import Storage
from market.studio.feed import EventFeed


async def reading(request: Request) -> AsyncIterator[AsyncSession]:
    """A transaction that only reads."""
    async with request.app.state.database.read() as session:
        yield session


async def writing(request: Request) -> AsyncIterator[AsyncSession]:
    """A transaction that may write; it is committed before the answer leaves."""
    async with request.app.state.database.write() as session:
        yield session


def _files(request: Request) -> Storage:
    storage: Storage = request.app.state.storage
    return storage


def _formats(request: Request) -> Formats:
    formats: Formats = request.app.state.formats
    return formats


def _feed(request: Request) -> EventFeed:
    feed: EventFeed = request.app.state.feed
    return feed


# Scope "function": over as soon as the endpoint has returned, so that no answer tells of what was not
# committed, and no stream holds a connection while it lasts.
Reading = Annotated[AsyncSession, Depends(reading, scope="function")]
Writing = Annotated[AsyncSession, Depends(writing, scope="function")]
Files = Annotated[Storage, Depends(_files)]
Further = Annotated[Formats, Depends(_formats)]
Feed = Annotated[EventFeed, Depends(_feed)]
