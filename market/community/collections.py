"""The rules of collections."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from generation.fields import quoted
from market import cursor as cursors
from market.accounts.models import Account
from market.audit import service as audit
from market.catalog.service import LOOP_ID
from market.community import repository
from market.community import service as community
from market.community.errors import (
    CollectionFull,
    CollectionTakenDown,
    NotYourCollection,
    TooManyCollections,
)
from market.community.models import Collection, CollectionItem
from market.community.service import ID, Page, Shown
from market.errors import NotFound
from market.moderation import standing, words

MAX_COLLECTIONS = 200
MAX_ITEMS = 500


@dataclass(frozen=True, slots=True)
class View:
    """A collection as somebody sees it; `loops` is how many of its loops they see."""

    collection: Collection
    owner: Account
    loops: int


@dataclass(frozen=True, slots=True)
class Item:
    """A loop in a collection."""

    shown: Shown
    item: CollectionItem


async def create(
    session: AsyncSession, owner: Account, title: str, description: str, public: bool
) -> Collection:
    """A new, empty collection. Raises TooManyCollections and InvalidRequest for a refused word."""
    await words.require(session, {"title": title, "description": description})
    await repository.lock(session, f"collections {owner.id}")
    if await repository.count_collections(session, owner.id) >= MAX_COLLECTIONS:
        raise TooManyCollections(MAX_COLLECTIONS)
    now = datetime.now(UTC)
    collection = Collection(
        id=secrets.token_hex(12),
        owner_id=owner.id,
        title=title,
        description=description,
        public=public,
        created_at=now,
        updated_at=now,
    )
    session.add(collection)
    await session.flush()
    return collection


async def view(session: AsyncSession, viewer: Account | None, collection_id: str) -> View:
    """A collection that is public or the viewer's own. Raises NotFound: of a private one nobody else learns."""
    collection = await repository.collection(session, collection_id) if ID.fullmatch(collection_id) else None
    viewer_id = None if viewer is None else viewer.id
    if collection is None or not (collection.public or collection.owner_id == viewer_id):
        raise NotFound("collection", quoted(collection_id))
    owner = await session.get_one(Account, collection.owner_id)
    return View(collection, owner, await repository.count_items(session, collection_id, viewer_id))


async def items(
    session: AsyncSession, viewer: Account | None, collection_id: str, limit: int, cursor: str | None
) -> Page[Item]:
    """What the viewer sees of a collection, in its order. Raises NotFound and InvalidRequest."""
    await view(session, viewer, collection_id)
    after = -1 if cursor is None else int(cursors.read(cursor)[0])
    viewer_id = None if viewer is None else viewer.id
    found = await repository.items(session, collection_id, viewer_id, limit + 1, min(after, MAX_ITEMS))
    page, rest = found[:limit], found[limit:]
    shown = await community.show(session, [(loop, listing) for loop, listing, _ in page])
    rows = [Item(one, item) for one, (_, _, item) in zip(shown, page, strict=True)]
    return Page(rows, cursors.write(float(rows[-1].item.position), rows[-1].item.loop_id) if rest else None)


async def public(
    session: AsyncSession, limit: int, cursor: str | None, owner: Account | None = None
) -> Page[View]:
    """Public collections (of one owner, where one is named) that have something to show, latest change first."""
    before = None if cursor is None else cursors.read_moment(cursor)
    owner_id = None if owner is None else owner.id
    return _page(await repository.collections(session, limit + 1, before, owner_id=owner_id), limit)


async def own(session: AsyncSession, owner: Account, limit: int, cursor: str | None) -> Page[View]:
    """An account's own collections, latest change first."""
    before = None if cursor is None else cursors.read_moment(cursor)
    found = await repository.collections(session, limit + 1, before, owner_id=owner.id, public_only=False)
    return _page(found, limit)


async def change(
    session: AsyncSession,
    owner: Account,
    collection_id: str,
    *,
    title: str | None = None,
    description: str | None = None,
    public: bool | None = None,
) -> Collection:
    """Change what is given.

    Raises NotFound, NotYourCollection, CollectionTakenDown, and InvalidRequest for a refused word.
    """
    await words.require(session, {"title": title or "", "description": description or ""})
    collection = await _held(session, owner, collection_id)
    if public and await standing.is_down(session, f"collection:{collection_id}"):
        raise CollectionTakenDown
    if title is not None:
        collection.title = title
    if description is not None:
        collection.description = description
    if public is not None:
        collection.public = public
    collection.updated_at = datetime.now(UTC)
    await session.flush()
    return collection


async def delete(session: AsyncSession, owner: Account, collection_id: str) -> None:
    """Delete a collection. Raises NotFound and NotYourCollection."""
    await _held(session, owner, collection_id)
    await repository.delete_collection(session, collection_id)


async def withdraw(session: AsyncSession, collection_id: str, reason: str, by: str) -> None:
    """Make a collection private: a moderator's decision. Raises NotFound."""
    collection = await _hold(session, collection_id)
    if collection is None or not collection.public:
        raise NotFound("public collection", quoted(collection_id))
    collection.public = False
    await session.flush()
    await audit.record(session, by, "collection.withdraw", f"collection:{collection_id}", reason=reason)


async def put(
    session: AsyncSession,
    owner: Account,
    collection_id: str,
    loop_id: str,
    *,
    note: str | None = None,
    position: int | None = None,
) -> Item:
    """Put a loop into a collection, or change its note or place. Where no place is named it stays, or goes to the end.

    Raises NotFound, NotYourCollection, CollectionFull and InvalidRequest for a refused word.
    """
    await words.require(session, {"note": note or ""})
    collection = await _held(session, owner, collection_id)
    row = await community.visible(session, loop_id, owner.id)
    order = dict(await repository.places(session, collection_id))
    if loop_id not in order:
        if len(order) >= MAX_ITEMS:
            raise CollectionFull(MAX_ITEMS)
        now = datetime.now(UTC)
        session.add(
            CollectionItem(
                collection_id=collection_id,
                loop_id=loop_id,
                position=len(order),
                note=note or "",
                added_at=now,
            )
        )
        await session.flush()
        position = len(order) if position is None else position
    item = await repository.item(session, collection_id, loop_id)
    assert item is not None
    if note is not None:
        item.note = note
    if position is not None:
        others = [one for one in order if one != loop_id]
        others.insert(position, loop_id)
        await _arrange(session, collection_id, others, order)
    collection.updated_at = datetime.now(UTC)
    await session.flush()
    await session.refresh(item)
    [shown] = await community.show(session, [row])
    return Item(shown, item)


async def take_out(session: AsyncSession, owner: Account, collection_id: str, loop_id: str) -> None:
    """Take a loop out of a collection; one that is not in there is fine. Raises NotFound and NotYourCollection."""
    collection = await _held(session, owner, collection_id)
    if not LOOP_ID.fullmatch(loop_id) or not await repository.remove_item(session, collection_id, loop_id):
        return
    order = dict(await repository.places(session, collection_id))
    await _arrange(session, collection_id, list(order), order)
    collection.updated_at = datetime.now(UTC)


async def _hold(session: AsyncSession, collection_id: str) -> Collection | None:
    return await repository.hold_collection(session, collection_id) if ID.fullmatch(collection_id) else None


async def _held(session: AsyncSession, owner: Account, collection_id: str) -> Collection:
    collection = await _hold(session, collection_id)
    if collection is not None and collection.owner_id == owner.id:
        return collection
    if collection is not None and collection.public:
        raise NotYourCollection
    raise NotFound("collection", quoted(collection_id))


async def _arrange(
    session: AsyncSession, collection_id: str, order: list[str], before: dict[str, int]
) -> None:
    """Number the loops of a collection from 0 on."""
    moved = {loop_id: at for at, loop_id in enumerate(order) if before.get(loop_id) != at}
    await repository.place(session, collection_id, moved)


def _page(found: object, limit: int) -> Page[View]:
    rows = [View(*row) for row in found]  # type: ignore[attr-defined]
    page, rest = rows[:limit], rows[limit:]
    last = page[-1].collection if rest else None
    return Page(page, cursors.write(last.updated_at, last.id) if last else None)
