"""The community over HTTP: favourites, ratings, plays, collections, charts and creators under /v1."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from market.accounts.models import Account
from market.api import cookies
from market.api.actor import Acting, Actor, signed_in
from market.api.idempotency import Idempotent
from market.api.limits import Limits
from market.api.problems import ANY_PROBLEM, problems
from market.api.session import Reading, Writing
from market.community import charts, collections, creators
from market.community import service as community
from market.community.collections import View
from market.community.pages import PLAIN, Cursor, Genre
from market.community.pages import router as pages
from market.community.schemas import (
    ChartEntry,
    ChartOut,
    CollectionChange,
    CollectionIn,
    CollectionOut,
    CollectionsOut,
    CountsOut,
    CreatorPage,
    FavouriteOut,
    FavouritesOut,
    HideIn,
    ItemIn,
    ItemOut,
    ItemsOut,
    PlayOut,
    ProfileIn,
    ProfileOut,
    RatingIn,
    RatingOut,
    RatingsOut,
    ShownLoop,
    ShownLoopsOut,
)
from market.community.score import Chart
from market.community.service import MAX_PAGE, Listener, Page
from market.settings import Settings

__all__ = ["pages", "router"]

router = APIRouter(prefix="/v1", tags=["community"], responses=ANY_PROBLEM, route_class=Idempotent)

Reader = Annotated[Account, signed_in()]
Member = Annotated[Account, signed_in("community")]
Moderator = Annotated[Account, signed_in("moderate", "moderator")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


def _private(response: Response) -> None:
    response.headers["Cache-Control"] = "private, no-store"


Private = Depends(_private)


# Favourites


@router.get("/me/favourites", responses=problems(401, 403, 422), dependencies=[Private])
async def list_favourites(
    session: Reading, me: Reader, limit: Limit = 20, cursor: Cursor = None
) -> FavouritesOut:
    """The loops that you keep at hand, newest first. What is not on sale any more is left out."""
    found = await community.favourites(session, me, limit, cursor)
    favourites = [FavouriteOut(loop=ShownLoop.of(shown), created_at=at) for shown, at in found.rows]
    return FavouritesOut(favourites=favourites, next_cursor=found.next_cursor)


@router.put("/me/favourites/{loop_id}", status_code=204, responses=problems(401, 403, 404, 409))
async def add_favourite(session: Writing, me: Member, loop_id: str) -> None:
    """Keep a loop at hand; once more is fine."""
    await community.favour(session, me, loop_id)


@router.delete("/me/favourites/{loop_id}", status_code=204, responses=problems(401, 403))
async def remove_favourite(session: Writing, me: Member, loop_id: str) -> None:
    """Let go of a favourite; of one that is none, too."""
    await community.unfavour(session, me, loop_id)


# Plays, counts, ratings


@router.post("/loops/{loop_id}/plays", responses=problems(403, 404))
async def add_play(request: Request, session: Writing, acting: Acting, loop_id: str) -> PlayOut:
    """Tell that somebody listens. It counts once per listener, loop and day (UTC), and never for its creator."""
    settings: Settings = request.app.state.settings
    listener = _listener(request, acting)
    counted = await community.play(session, settings.signing_key, loop_id, listener, datetime.now(UTC))
    return PlayOut(counted=counted)


@router.get("/loops/{loop_id}/counts", responses=problems(404))
async def get_counts(session: Reading, loop_id: str) -> CountsOut:
    """What happened to a loop so far, to the moment."""
    return CountsOut.of(await community.counts(session, loop_id))


@router.get("/loops/{loop_id}/ratings", responses=problems(404, 422))
async def list_ratings(
    session: Reading, acting: Acting, loop_id: str, limit: Limit = 20, cursor: Cursor = None
) -> RatingsOut:
    """What licensees say of a loop, newest first. Moderators see hidden ones, too."""
    moderates = acting.may("moderator", "moderate")
    found = await community.ratings(session, loop_id, limit, cursor, hidden=moderates)
    histogram = await community.histogram(session, loop_id)
    count, stars = sum(histogram), sum(at * number for at, number in enumerate(histogram, 1))
    return RatingsOut(
        ratings=[RatingOut.of(rating, author) for rating, author in found.rows],
        rating=round(stars / count, 2) if count else None,
        count=count,
        histogram=histogram,
        next_cursor=found.next_cursor,
    )


@router.get("/loops/{loop_id}/rating", responses=problems(401, 403, 404), dependencies=[Private])
async def get_rating(session: Reading, me: Reader, loop_id: str) -> RatingOut:
    """What you said of a loop."""
    return RatingOut.of(await community.own_rating(session, me, loop_id), me)


@router.put("/loops/{loop_id}/rating", responses=problems(401, 403, 404, 422))
async def put_rating(session: Writing, me: Member, loop_id: str, wish: RatingIn) -> RatingOut:
    """Say what you think of a loop that you hold a licence for, or change what you said."""
    return RatingOut.of(await community.rate(session, me, loop_id, wish.stars, wish.comment), me)


@router.delete("/loops/{loop_id}/rating", status_code=204, responses=problems(401, 403, 404))
async def delete_rating(session: Writing, me: Member, loop_id: str) -> None:
    """Take back what you said of a loop."""
    await community.unrate(session, me, loop_id)


@router.put("/ratings/{rating_id}/hidden", status_code=204, responses=problems(401, 403, 404, 422))
async def hide_rating(session: Writing, moderator: Moderator, rating_id: str, wish: HideIn) -> None:
    """Hide a rating: its author and moderators still see it, with the reason, and it counts for nothing."""
    await community.hide(session, rating_id, wish.reason, moderator.owner)


@router.delete("/ratings/{rating_id}/hidden", status_code=204, responses=problems(401, 403, 404))
async def unhide_rating(session: Writing, moderator: Moderator, rating_id: str) -> None:
    """Show a hidden rating again."""
    await community.unhide(session, rating_id, moderator.owner)


# Collections


@router.get("/collections", responses=problems(422))
async def list_collections(session: Reading, limit: Limit = 20, cursor: Cursor = None) -> CollectionsOut:
    """Public collections, those that changed last first."""
    return _collections(await collections.public(session, limit, cursor))


@router.get("/me/collections", responses=problems(401, 403, 422), dependencies=[Private])
async def list_own_collections(
    session: Reading, me: Reader, limit: Limit = 20, cursor: Cursor = None
) -> CollectionsOut:
    """Your collections, those that changed last first."""
    return _collections(await collections.own(session, me, limit, cursor))


@router.post("/collections", status_code=201, responses=problems(401, 403, 409, 422))
async def create_collection(
    session: Writing, me: Member, response: Response, wish: CollectionIn
) -> CollectionOut:
    """A new collection; only you see it unless it is public."""
    made = await collections.create(session, me, wish.title, wish.description, wish.public)
    response.headers["Location"] = f"/v1/collections/{made.id}"
    return CollectionOut.of(View(made, me, 0))


@router.get("/collections/{collection_id}", responses=problems(404))
async def get_collection(session: Reading, acting: Acting, collection_id: str) -> CollectionOut:
    """A collection that is public or yours."""
    view = await collections.view(session, acting.account, collection_id)
    return CollectionOut.of(view)


@router.patch("/collections/{collection_id}", responses=problems(401, 403, 404, 409, 422))
async def change_collection(
    session: Writing, me: Member, collection_id: str, change: CollectionChange
) -> CollectionOut:
    """Change the title, the description or who sees it; what is left out stays."""
    await collections.change(session, me, collection_id, **change.model_dump())
    view = await collections.view(session, me, collection_id)
    return CollectionOut.of(view)


@router.delete("/collections/{collection_id}", status_code=204, responses=problems(401, 403, 404))
async def delete_collection(session: Writing, me: Member, collection_id: str) -> None:
    """Delete a collection; the loops stay where they are."""
    await collections.delete(session, me, collection_id)


@router.get("/collections/{collection_id}/items", responses=problems(404, 422))
async def list_items(
    session: Reading, acting: Acting, collection_id: str, limit: Limit = 20, cursor: Cursor = None
) -> ItemsOut:
    """The loops of a collection, in its order. What is not on sale any more is left out."""
    found = await collections.items(session, acting.account, collection_id, limit, cursor)
    return ItemsOut(items=[ItemOut.of(each) for each in found.rows], next_cursor=found.next_cursor)


@router.put("/collections/{collection_id}/items/{loop_id}", responses=problems(401, 403, 404, 409, 422))
async def put_item(session: Writing, me: Member, collection_id: str, loop_id: str, wish: ItemIn) -> ItemOut:
    """Put a loop into a collection of yours, or change its place or note there."""
    item = await collections.put(session, me, collection_id, loop_id, note=wish.note, position=wish.position)
    return ItemOut.of(item)


@router.delete(
    "/collections/{collection_id}/items/{loop_id}", status_code=204, responses=problems(401, 403, 404)
)
async def delete_item(session: Writing, me: Member, collection_id: str, loop_id: str) -> None:
    """Take a loop out of a collection of yours; one that is not in there, too."""
    await collections.take_out(session, me, collection_id, loop_id)


@router.put("/collections/{collection_id}/withdrawn", status_code=204, responses=problems(401, 403, 404, 422))
async def withdraw_collection(
    session: Writing, moderator: Moderator, collection_id: str, wish: HideIn
) -> None:
    """Make a public collection private again, as a moderator."""
    await collections.withdraw(session, collection_id, wish.reason, moderator.owner)


# Charts and creators


@router.get("/charts", responses=problems(422))
async def get_chart(
    session: Reading,
    chart: Annotated[Chart, Query(description="How far back it looks")] = "week",
    genre: Genre = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> ChartOut:
    """The loops that people like most; how they are scored is in docs/community.md."""
    genre = charts.genre_of(genre)
    found = await charts.chart(session, chart, datetime.now(UTC), genre=genre, limit=limit, cursor=cursor)
    entries = [
        ChartEntry(place=one.place, score=one.score, loop=ShownLoop.of(one.shown)) for one in found.rows
    ]
    return ChartOut(chart=chart, genre=genre, entries=entries, next_cursor=found.next_cursor)


@router.get("/creators/{handle}", responses=problems(404))
async def get_creator(session: Reading, handle: str) -> CreatorPage:
    """Somebody who published something, shows a collection or says something of themselves."""
    return CreatorPage.of(await creators.get(session, handle))


@router.get("/creators/{handle}/loops", responses=problems(404, 422))
async def list_creators_loops(
    session: Reading, handle: str, limit: Limit = 20, cursor: Cursor = None
) -> ShownLoopsOut:
    """What a creator published, newest first."""
    found = await creators.loops(session, await creators.get(session, handle), limit, cursor)
    return ShownLoopsOut(loops=[ShownLoop.of(shown) for shown in found.rows], next_cursor=found.next_cursor)


@router.get("/creators/{handle}/collections", responses=problems(404, 422))
async def list_creators_collections(
    session: Reading, handle: str, limit: Limit = 20, cursor: Cursor = None
) -> CollectionsOut:
    """What a creator put together, those that changed last first."""
    owner = (await creators.get(session, handle)).account
    return _collections(await collections.public(session, limit, cursor, owner))


@router.delete("/creators/{handle}/profile", status_code=204, responses=problems(401, 403, 404, 422))
async def clear_profile(
    session: Writing,
    moderator: Moderator,
    handle: str,
    reason: Annotated[str, Query(min_length=3, max_length=300, pattern=PLAIN)],
) -> None:
    """Remove what somebody says of themselves, as a moderator."""
    await creators.clear(session, handle, reason, moderator.owner)


@router.get("/me/profile", responses=problems(401, 403), dependencies=[Private])
async def get_profile(session: Reading, me: Reader) -> ProfileOut:
    """What you say of yourself on your page."""
    return ProfileOut.of(await creators.profile(session, me))


@router.put("/me/profile", responses=problems(401, 403, 422))
async def put_profile(session: Writing, me: Member, wish: ProfileIn) -> ProfileOut:
    """Say something of yourself, with links to other sites; from then on you have a page."""
    links = [link.model_dump() for link in wish.links]
    return ProfileOut.of(await creators.describe(session, me, wish.bio, links))


def _listener(request: Request, acting: Actor) -> Listener:
    limits: Limits = request.app.state.limits
    return Listener(
        owner=acting.owner,
        network=limits.address_of(request),
        account_id=None if acting.account is None else acting.account.id,
        newcomer=acting.account is None and cookies.known_visitor(request) is None,
    )


def _collections(found: Page[View]) -> CollectionsOut:
    shown = [CollectionOut.of(view) for view in found.rows]
    return CollectionsOut(collections=shown, next_cursor=found.next_cursor)
