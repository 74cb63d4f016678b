"""The rules of favourites, ratings and plays."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from generation.fields import quoted
from market import cursor as cursors
from market.accounts.models import Account
from market.api.actor import Actor
from market.audit import service as audit
from market.catalog import service as catalog
from market.catalog.errors import LoopRemoved
from market.catalog.models import Listing, ListingStatus, Loop
from market.catalog.service import LOOP_ID
from market.community import repository
from market.community.errors import LicenceNeeded, OwnLoop, TooManyFavourites
from market.community.models import Rating
from market.community.repository import Counts
from market.errors import NotFound
from market.licensing import holders
from market.moderation import words

ID = re.compile("[0-9a-f]{24}")
MAX_PAGE = 100
MAX_FAVOURITES = 10_000
# Behind one address there may be a school, but not a city.
MAX_PLAYS_PER_PLACE = 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A stretch of a list; `next_cursor` is None at its end."""

    rows: Sequence[T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A loop as a list shows it."""

    loop: Loop
    listing: Listing
    counts: Counts


@dataclass(frozen=True, slots=True)
class Opinion:
    """A loop and what somebody has to do with it: what they said of it, and whether they may say something."""

    shown: Shown
    rating: Rating | None
    may_rate: bool
    favoured: bool


@dataclass(frozen=True, slots=True)
class Listener:
    """Who plays something. A `newcomer` brought no cookie; the `network` is an address, or what stands for one."""

    owner: str
    network: str
    account_id: str | None = None
    newcomer: bool = False


# Favourites


async def favour(session: AsyncSession, account: Account, loop_id: str) -> None:
    """Keep a loop at hand that the account may see; a favourite already is fine.

    Drafts may be kept by whoever has their link. Raises NotFound and TooManyFavourites.
    """
    await keepable(session, account, loop_id)
    now = datetime.now(UTC)
    if await repository.add_favourite(session, account.id, loop_id, now):
        if await repository.count_favourites(session, account.id) > MAX_FAVOURITES:
            raise TooManyFavourites(MAX_FAVOURITES)
        await repository.touch(session, loop_id)


async def unfavour(session: AsyncSession, account: Account, loop_id: str) -> None:
    """Let go of a favourite; one that is none is fine."""
    if LOOP_ID.fullmatch(loop_id) and await repository.remove_favourite(session, account.id, loop_id):
        await repository.touch(session, loop_id)


async def favourites(
    session: AsyncSession, account: Account, limit: int, cursor: str | None
) -> Page[tuple[Shown, datetime]]:
    """An account's favourites, newest first. Raises InvalidRequest for a cursor that is not ours."""
    before = None if cursor is None else cursors.read_moment(cursor)
    found = await repository.favourites(session, account.id, limit + 1, before)
    page, rest = found[:limit], found[limit:]
    shown = await show(session, [(loop, listing) for loop, listing, _ in page])
    rows = [(one, at) for one, (_, _, at) in zip(shown, page, strict=True)]
    return Page(rows, cursors.write(rows[-1][1], rows[-1][0].loop.id) if rest else None)


# Ratings


async def rate(session: AsyncSession, account: Account, loop_id: str, stars: int, comment: str) -> Rating:
    """Say what one thinks of a loop, or change it. For holders of an effective licence.

    Raises NotFound, OwnLoop, LicenceNeeded and InvalidRequest for a refused word.
    """
    listing = await on_sale_once(session, loop_id)
    if listing.creator_id == account.id:
        raise OwnLoop
    if not await holders.effective(session, loop_id, account.id):
        raise LicenceNeeded
    await words.require(session, {"comment": comment})
    now = datetime.now(UTC)
    values = {
        "id": secrets.token_hex(12),
        "loop_id": loop_id,
        "account_id": account.id,
        "stars": stars,
        "comment": comment,
        "created_at": now,
        "updated_at": now,
    }
    await repository.put_rating(session, values)
    await repository.touch(session, loop_id)
    return await own_rating(session, account, loop_id)


async def own_rating(session: AsyncSession, account: Account, loop_id: str) -> Rating:
    """What an account said of a loop. Raises NotFound."""
    rating = await repository.rating_of(session, loop_id, account.id) if LOOP_ID.fullmatch(loop_id) else None
    if rating is None:
        raise NotFound("rating of yours", f"of loop {quoted(loop_id)}")
    return rating


async def unrate(session: AsyncSession, account: Account, loop_id: str) -> None:
    """Take a rating back. Raises NotFound."""
    rating = await own_rating(session, account, loop_id)
    await repository.delete_rating(session, rating.id)
    await repository.touch(session, loop_id)


async def hide(session: AsyncSession, rating_id: str, reason: str, by: str) -> Rating:
    """Let a rating be seen by its author and moderators only, and count for nothing. Raises NotFound."""
    rating = await _rating(session, rating_id)
    rating.hidden_at = datetime.now(UTC)
    rating.hidden_because = reason
    await _moderated(session, rating, "rating.hide", by, reason=reason)
    return rating


async def unhide(session: AsyncSession, rating_id: str, by: str) -> Rating:
    """Show a hidden rating again. Raises NotFound."""
    rating = await _rating(session, rating_id)
    rating.hidden_at = rating.hidden_because = None
    await _moderated(session, rating, "rating.show", by)
    return rating


async def ratings(
    session: AsyncSession, loop_id: str, limit: int, cursor: str | None, *, hidden: bool = False
) -> Page[tuple[Rating, Account]]:
    """A loop's ratings with their authors, newest first; `hidden` ones too, for moderators.

    Raises NotFound and InvalidRequest.
    """
    await on_sale_once(session, loop_id)
    before = None if cursor is None else cursors.read_moment(cursor)
    found = await repository.ratings(session, loop_id, limit + 1, before, hidden=hidden)
    page, rest = found[:limit], found[limit:]
    return Page(page, cursors.write(page[-1][0].created_at, page[-1][0].id) if rest else None)


async def histogram(session: AsyncSession, loop_id: str) -> list[int]:
    """How many of a loop's ratings that count have 1, 2, 3, 4 and 5 stars."""
    found = await repository.histogram(session, loop_id)
    return [found.get(stars, 0) for stars in range(1, 6)]


# Plays and counts


async def play(session: AsyncSession, key: str, loop_id: str, listener: Listener, now: datetime) -> bool:
    """Count a play, once per listener, loop and day (UTC); whether it counted. Raises NotFound.

    `key` is the secret that listeners' names are hashed with, so that whoever reads the table learns nothing.
    """
    _, listing = await visible(session, loop_id, None)
    if listing.creator_id == listener.account_id:
        return False
    day = now.astimezone(UTC).date()
    place = _hashed(key, f"{day} {listener.network}")
    if listener.account_id is None:
        # A cookie is easily thrown away, an address is not.
        await repository.lock(session, f"plays {loop_id} {place}")
        listeners, newcomers = await repository.plays_from(session, day, loop_id, place)
        if listeners >= MAX_PLAYS_PER_PLACE or (listener.newcomer and newcomers):
            return False
    values = {
        "day": day,
        "loop_id": loop_id,
        "listener": _hashed(key, f"{day} {listener.owner}"),
        "place": place,
        "newcomer": listener.newcomer,
    }
    return await repository.add_play(session, values)


async def counts(session: AsyncSession, loop_id: str) -> Counts:
    """What happened to a loop so far, to the moment. Raises NotFound."""
    await on_sale_once(session, loop_id)
    return await repository.counts(session, loop_id)


async def opinion(session: AsyncSession, account: Account | None, loop_id: str) -> Opinion:
    """A loop, its counts to the moment, and what an account has to do with it. Raises NotFound."""
    listing = await on_sale_once(session, loop_id)
    loop = await session.get_one(Loop, loop_id)
    shown = Shown(loop, listing, await repository.counts(session, loop_id))
    if account is None:
        return Opinion(shown, None, may_rate=False, favoured=False)
    licensed = bool(await holders.effective(session, loop_id, account.id))
    return Opinion(
        shown,
        await repository.rating_of(session, loop_id, account.id),
        may_rate=licensed and listing.creator_id != account.id,
        favoured=bool(await repository.favourites_among(session, account.id, [loop_id])),
    )


async def show(session: AsyncSession, rows: Sequence[tuple[Loop, Listing]]) -> list[Shown]:
    """Loops with the counts of the last fold."""
    known = await repository.standings(session, [loop.id for loop, _ in rows])
    return [
        Shown(loop, listing, repository.counts_of(known[loop.id]) if loop.id in known else Counts())
        for loop, listing in rows
    ]


async def on_sale_once(session: AsyncSession, loop_id: str) -> Listing:
    """The listing of a loop that is or was published, and not removed. Raises NotFound."""
    listing = await repository.listing(session, loop_id) if LOOP_ID.fullmatch(loop_id) else None
    if listing is None or listing.status not in (ListingStatus.PUBLISHED, ListingStatus.DELISTED):
        raise NotFound("published loop", quoted(loop_id))
    return listing


async def visible(session: AsyncSession, loop_id: str, account_id: str | None) -> tuple[Loop, Listing]:
    """A loop that is published or the account's own, with its listing. Raises NotFound."""
    found = await repository.visible(session, loop_id, account_id) if LOOP_ID.fullmatch(loop_id) else None
    if found is None:
        raise NotFound("published loop", quoted(loop_id))
    return found


async def keepable(session: AsyncSession, account: Account, loop_id: str) -> None:
    """That an account sees a loop, which was not taken down. Raises NotFound."""
    try:
        found = await catalog.see(session, loop_id, Actor(account.owner, account))
    except (NotFound, LoopRemoved):
        found = None
    if found is None or (found.listing is not None and found.listing.status == ListingStatus.REMOVED):
        raise NotFound("loop", quoted(loop_id))


async def count_kept(session: AsyncSession, account: Account) -> int:
    """How many loops an account keeps at hand."""
    return await repository.count_favourites(session, account.id)


async def kept(session: AsyncSession, account: Account, loop_ids: Sequence[str]) -> set[str]:
    """Which of these loops an account keeps at hand."""
    return await repository.favourites_among(session, account.id, loop_ids)


async def keepers(session: AsyncSession, loop_id: str) -> int:
    """How many people keep a loop at hand."""
    return (await repository.counts(session, loop_id)).favourites


async def _rating(session: AsyncSession, rating_id: str) -> Rating:
    rating = await repository.rating(session, rating_id) if ID.fullmatch(rating_id) else None
    if rating is None:
        raise NotFound("rating", quoted(rating_id))
    return rating


async def _moderated(session: AsyncSession, rating: Rating, action: str, by: str, **details: object) -> None:
    await session.flush()
    await repository.touch(session, rating.loop_id)
    await audit.record(session, by, action, f"rating:{rating.id}", loop=rating.loop_id, **details)


def _hashed(key: str, text: str) -> str:
    return hmac.new(key.encode(), f"play {text}".encode(), hashlib.sha256).hexdigest()[:32]
