"""The rules of creators' pages, and what the community knows of a person."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from generation.fields import quoted
from market import cursor as cursors
from market.accounts import personal
from market.accounts.models import Account
from market.audit import service as audit
from market.community import repository
from market.community import service as community
from market.community.models import CreatorProfile
from market.community.service import Page, Shown
from market.errors import NotFound
from market.moderation import words

HANDLE = re.compile(r"[\w.-]{1,40}")


@dataclass(frozen=True, slots=True)
class Creator:
    """Somebody with a page. `loops` are published ones, `collections` public ones."""

    account: Account
    profile: CreatorProfile | None
    loops: int
    collections: int


async def get(session: AsyncSession, handle: str) -> Creator:
    """A creator. Whoever published nothing, shows no collection and says nothing has no page. Raises NotFound."""
    account = await repository.account_by_handle(session, handle) if HANDLE.fullmatch(handle) else None
    if account is None:
        raise NotFound("creator", quoted(handle))
    creator = Creator(
        account,
        await repository.profile(session, account.id),
        await repository.count_published(session, account.id),
        await repository.count_public_collections(session, account.id),
    )
    if creator.profile is None and not creator.loops and not creator.collections:
        raise NotFound("creator", quoted(handle))
    return creator


async def loops(session: AsyncSession, creator: Creator, limit: int, cursor: str | None) -> Page[Shown]:
    """What a creator published, newest first. Raises InvalidRequest for a cursor that is not ours."""
    return await newest(session, limit, cursor, creator_id=creator.account.id)


async def newest(
    session: AsyncSession,
    limit: int,
    cursor: str | None = None,
    *,
    creator_id: str | None = None,
    genre: str | None = None,
    whole: bool = False,
) -> Page[Shown]:
    """Published loops, newest first, with their recipes if `whole`. Raises InvalidRequest for a foreign cursor."""
    before = None if cursor is None else cursors.read_moment(cursor)
    found = await repository.newest(session, limit + 1, before, creator_id, genre, whole=whole)
    page, rest = await community.show(session, found[:limit]), found[limit:]
    last = page[-1] if rest else None
    if last is None or last.listing.published_at is None:
        return Page(page, None)
    return Page(page, cursors.write(last.listing.published_at, last.loop.id))


async def clear(session: AsyncSession, handle: str, reason: str, by: str) -> None:
    """Remove what somebody says of themselves: a moderator's decision. Raises NotFound."""
    creator = await get(session, handle)
    await repository.delete_profile(session, creator.account.id)
    await audit.record(session, by, "profile.clear", f"account:{creator.account.id}", reason=reason)


async def profile(session: AsyncSession, account: Account) -> CreatorProfile | None:
    """What an account says of itself."""
    return await repository.profile(session, account.id)


async def describe(
    session: AsyncSession, account: Account, bio: str, links: Sequence[dict[str, str]]
) -> CreatorProfile:
    """Say something of oneself. `links` have a label and a url. Raises InvalidRequest for a refused word."""
    await words.require(session, {"bio": bio, "links": "\n".join(link["label"] for link in links)})
    values = {"account_id": account.id, "bio": bio, "links": list(links), "updated_at": datetime.now(UTC)}
    await repository.put_profile(session, values)
    written = await repository.profile(session, account.id)
    assert written is not None
    return written


async def _exported(session: AsyncSession, account: Account) -> object:
    told = await repository.profile(session, account.id)
    collections: dict[str, dict[str, object]] = {}
    for collection, item in await repository.all_collections(session, account.id):
        entry = collections.setdefault(
            collection.id,
            {
                "title": collection.title,
                "description": collection.description,
                "public": collection.public,
                "created_at": collection.created_at.isoformat(),
                "loops": [],
            },
        )
        if item is not None:
            said = {"loop": item.loop_id, "note": item.note, "added_at": item.added_at.isoformat()}
            entry["loops"] = [*entry["loops"], said]  # type: ignore[misc]
    return {
        "profile": None if told is None else {"bio": told.bio, "links": told.links},
        "favourites": [
            {"loop": one.loop_id, "since": one.created_at.isoformat()}
            for one in await repository.all_favourites(session, account.id)
        ],
        "collections": list(collections.values()),
        "ratings": [
            {
                "loop": one.loop_id,
                "stars": one.stars,
                "comment": one.comment,
                "created_at": one.created_at.isoformat(),
                "updated_at": one.updated_at.isoformat(),
                "hidden_because": one.hidden_because,
            }
            for one in await repository.all_ratings(session, account.id)
        ],
    }


async def _erase(session: AsyncSession, account: Account) -> None:
    # Ratings stay, for those who read them, without a name: the account has none any more.
    await repository.forget_account(session, account.id)


personal.register("community", exported=_exported, erase=_erase)
