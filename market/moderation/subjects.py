"""What can be reported, and what taking it down means: loops, comments, accounts, collections."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from generation.errors import InvalidRequest
from generation.fields import quoted
from market.catalog import service as catalog
from market.catalog.models import ListingStatus
from market.community import collections
from market.community import service as community
from market.errors import NotFound
from market.moderation import repository

KINDS = ("loop", "comment", "account", "collection")
MAX_TITLE_LENGTH = 300
MAX_REASON_LENGTH = 300
# What a comment or a public collection was before it was taken down.
SHOWN = "shown"


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that somebody made: `title` says which, `maker_id` is the account, None for a visitor."""

    name: str
    title: str
    maker_id: str | None
    page: str | None


async def find(session: AsyncSession, name: str) -> Subject:
    """The subject "loop:…", "comment:…", "account:…" or "collection:…", as far as others see it.

    Raises InvalidRequest and NotFound.
    """
    kind, _, key = name.partition(":")
    if await repository.is_down(session, name):
        raise NotFound(kind, quoted(key))
    match kind:
        case "loop":
            loop = await catalog.get(session, key)
            listing = await catalog.listing(session, key)
            title = loop.prompt if listing is None else listing.title
            maker = await repository.owner_of_loop(session, key)
            maker_id = maker.removeprefix("account:") if maker.startswith("account:") else None
            page = f"/loops/{key}"
        case "comment":
            comment = await repository.comment(session, key)
            if comment is None or not comment.comment or comment.hidden_at is not None:
                raise NotFound("comment", quoted(key))
            title, maker_id, page = comment.comment, comment.account_id, f"/loops/{comment.loop_id}"
        case "account":
            account = await repository.account(session, key)
            if account is None or account.deleted_at is not None:
                raise NotFound("account", quoted(key))
            title, maker_id, page = (
                f"{account.name} (@{account.handle})",
                account.id,
                f"/creators/{account.handle}",
            )
        case "collection":
            collection = await repository.collection(session, key)
            if collection is None or not collection.public:
                raise NotFound("collection", quoted(key))
            title, maker_id, page = collection.title, collection.owner_id, f"/collections/{key}"
        case _:
            raise InvalidRequest("subject", f"A subject is one of {', '.join(KINDS)} with its id: “loop:…”.")
    return Subject(name, " ".join(title.split())[:MAX_TITLE_LENGTH], maker_id, page)


async def take_down(session: AsyncSession, name: str, why: str, by: str) -> str | None:
    """Let nobody see a subject any more but who made it; what it was before. An account bears strikes, no more."""
    kind, _, key = name.partition(":")
    reason = " ".join(why.split())[:MAX_REASON_LENGTH]
    match kind:
        case "loop":
            listing = await catalog.listing(session, key)
            before = None if listing is None else str(listing.status)
            await catalog.set_status(session, key, ListingStatus.REMOVED)
            return before
        case "comment":
            comment = await repository.comment(session, key)
            if comment is not None and comment.hidden_at is None:
                await community.hide(session, key, reason, by)
                return SHOWN
        case "collection":
            collection = await repository.collection(session, key)
            if collection is not None and collection.public:
                await collections.withdraw(session, key, reason, by)
                return SHOWN
    return None


async def bring_back(session: AsyncSession, name: str, before: str | None, by: str) -> None:
    """Undo what `take_down` did, as far as the subject is still there."""
    kind, _, key = name.partition(":")
    match kind:
        case "loop":
            listing = await catalog.listing(session, key)
            if listing is None or listing.status == ListingStatus.REMOVED:
                await catalog.set_status(session, key, ListingStatus(before or ListingStatus.DRAFT))
        case "comment":
            if before is not None and await repository.comment(session, key) is not None:
                await community.unhide(session, key, by)
        case "collection":
            collection = await repository.collection(session, key)
            if collection is not None and before is not None:
                collection.public = True
