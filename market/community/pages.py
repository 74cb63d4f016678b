"""The community's pages: charts, creators, collections, what is said of a loop, one's own favourites; and the feeds.

All of them work without JavaScript.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from generation.errors import InvalidRequest, RiffError
from market.accounts.models import Account
from market.api.actor import Acting, Actor, signed_in
from market.api.origin import is_foreign
from market.api.session import Files, Further, Reading, Writing
from market.catalog.formats import Formats
from market.community import charts, collections, creators, feeds
from market.community import service as community
from market.community.schemas import (
    CollectionChange,
    CollectionIn,
    CollectionOut,
    CountsOut,
    CreatorPage,
    HideIn,
    ItemOut,
    RatingIn,
    RatingOut,
    ShownLoop,
)
from market.community.score import CHARTS, Chart
from market.community.service import MAX_PAGE, Shown
from market.errors import status_of
from market.settings import Settings
from market.storage import Storage
from market.web.pages import ForeignForm, own_form
from market.web.rendering import page

PER_PAGE = 24
PLAIN = r"^[^\x00-\x1f\x7f]*$"
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the stretch before")]
Genre = Annotated[
    str | None,
    Query(max_length=40, pattern=PLAIN, description="A genre by any of the names that searches know"),
]
Member = Annotated[Account, signed_in("community")]
Moderator = Annotated[Account, signed_in("moderate", "moderator")]
Form = TypeVar("Form", bound=BaseModel)


def _own_page(request: Request) -> None:
    # Beside `own_form`, for browsers without Fetch Metadata.
    if is_foreign(request):
        raise ForeignForm


router = APIRouter(include_in_schema=False)
forms = APIRouter(include_in_schema=False, dependencies=[Depends(own_form), Depends(_own_page)])


# For everybody


@router.get("/charts")
async def charts_page(
    request: Request, session: Reading, chart: Chart = "week", genre: Genre = None, cursor: Cursor = None
) -> Response:
    genre = charts.genre_of(genre)
    found = await charts.chart(session, chart, datetime.now(UTC), genre=genre, limit=PER_PAGE, cursor=cursor)
    context = {
        "here": "charts",
        "chart": chart,
        "charts": CHARTS,
        "genre": genre,
        "genres": await charts.genres(session, chart),
        "entries": [(one.place, ShownLoop.of(one.shown)) for one in found.rows],
        "next_cursor": found.next_cursor,
    }
    return page(request, "charts.html", context)


@router.get("/creators/{handle}")
async def creator_page(request: Request, session: Reading, handle: str, cursor: Cursor = None) -> Response:
    creator = await creators.get(session, handle)
    found = await creators.loops(session, creator, PER_PAGE, cursor)
    shown = await collections.public(session, PER_PAGE, None, creator.account)
    context = {
        "creator": CreatorPage.of(creator),
        "loops": [ShownLoop.of(each) for each in found.rows],
        "collections": [CollectionOut.of(each) for each in shown.rows],
        "next_cursor": found.next_cursor,
        "first": cursor is None,
    }
    return page(request, "creator.html", context)


@router.get("/collections/{collection_id}")
async def collection_page(
    request: Request, session: Reading, acting: Acting, collection_id: str, cursor: Cursor = None
) -> Response:
    return await _collection(request, session, acting, collection_id, cursor)


async def _collection(
    request: Request,
    session: AsyncSession,
    acting: Actor,
    collection_id: str,
    cursor: str | None,
    *,
    refusal: RiffError | None = None,
) -> Response:
    view = await collections.view(session, acting.account, collection_id)
    found = await collections.items(session, acting.account, collection_id, PER_PAGE, cursor)
    context = {
        "collection": CollectionOut.of(view),
        "items": [ItemOut.of(each) for each in found.rows],
        "mine": acting.account is not None and view.owner.id == acting.account.id,
        "next_cursor": found.next_cursor,
        "first": cursor is None,
        "error": None if refusal is None else str(refusal),
    }
    status = 200 if refusal is None else status_of(refusal)
    return page(request, "collection.html", context, status=status, fresh=True)


# What is said of a loop


@router.get("/loops/{loop_id}/ratings")
async def ratings_page(
    request: Request, session: Reading, acting: Acting, loop_id: str, cursor: Cursor = None
) -> Response:
    return await _ratings(request, session, acting, loop_id, cursor)


@forms.post("/loops/{loop_id}/ratings")
async def rate(request: Request, session: Writing, acting: Acting, me: Member, loop_id: str) -> Response:
    """Rate a loop from the form; `delete` takes the rating back."""
    fields = await _fields(request)
    try:
        async with session.begin_nested():
            if "delete" in fields:
                await community.unrate(session, me, loop_id)
            else:
                wish = _read(RatingIn, {"stars": fields.get("stars"), "comment": fields.get("comment", "")})
                await community.rate(session, me, loop_id, wish.stars, wish.comment)
    except RiffError as refusal:
        return await _ratings(request, session, acting, loop_id, None, refusal=refusal, said=fields)
    return _back(f"/loops/{loop_id}/ratings")


@forms.post("/loops/{loop_id}/favourite")
async def favour(request: Request, session: Writing, me: Member, loop_id: str) -> Response:
    """Keep a loop at hand, or let go of it with `let_go`."""
    if "let_go" in await _fields(request):
        await community.unfavour(session, me, loop_id)
    else:
        await community.favour(session, me, loop_id)
    return _back(f"/loops/{loop_id}/ratings")


@forms.post("/loops/{loop_id}/collect")
async def collect(request: Request, session: Writing, acting: Acting, me: Member, loop_id: str) -> Response:
    """Put a loop into a collection of one's own, or into a new one with the `title` that is given."""
    fields = await _fields(request)
    chosen, title = fields.get("collection", ""), fields.get("title", "").strip()
    try:
        async with session.begin_nested():
            if title:
                wish = _read(CollectionIn, {"title": title})
                chosen = (await collections.create(session, me, wish.title, "", public=False)).id
            await collections.put(session, me, chosen, loop_id)
    except RiffError as refusal:
        return await _ratings(request, session, acting, loop_id, None, refusal=refusal)
    return _back(f"/collections/{chosen}")


@forms.post("/ratings/{rating_id}/hidden")
async def moderate(request: Request, session: Writing, moderator: Moderator, rating_id: str) -> Response:
    """Hide a rating for a `reason`, or show it again with `show`."""
    fields = await _fields(request)
    if "show" in fields:
        rating = await community.unhide(session, rating_id, moderator.owner)
    else:
        reason = _read(HideIn, {"reason": fields.get("reason", "")}).reason
        rating = await community.hide(session, rating_id, reason, moderator.owner)
    return _back(f"/loops/{rating.loop_id}/ratings")


async def _ratings(
    request: Request,
    session: AsyncSession,
    acting: Actor,
    loop_id: str,
    cursor: str | None,
    *,
    refusal: RiffError | None = None,
    said: Mapping[str, str] | None = None,
) -> Response:
    opinion = await community.opinion(session, acting.account, loop_id)
    moderates = acting.may("moderator", "moderate")
    found = await community.ratings(session, loop_id, PER_PAGE, cursor, hidden=moderates)
    context = {
        "loop": ShownLoop.of(opinion.shown),
        "counts": CountsOut.of(opinion.shown.counts),
        "histogram": list(enumerate(await community.histogram(session, loop_id), 1))[::-1],
        "ratings": [RatingOut.of(rating, author) for rating, author in found.rows],
        "next_cursor": found.next_cursor,
        "me": acting.account,
        "mine": opinion.rating,
        "may_rate": opinion.may_rate,
        "favoured": opinion.favoured,
        "moderates": moderates,
        "collections": await _own_collections(session, acting.account),
        "error": None if refusal is None else str(refusal),
        "said": said or {},
    }
    status = 200 if refusal is None else status_of(refusal)
    return page(request, "ratings.html", context, status=status, fresh=True)


# One's own


@router.get("/favourites")
async def favourites_page(
    request: Request, session: Reading, acting: Acting, cursor: Cursor = None
) -> Response:
    if acting.account is None:
        return _back("/sign-in?next=/favourites")
    found = await community.favourites(session, acting.account, PER_PAGE, cursor)
    context = {
        "here": "favourites",
        "loops": [ShownLoop.of(shown) for shown, _ in found.rows],
        "collections": await _own_collections(session, acting.account),
        "next_cursor": found.next_cursor,
        "first": cursor is None,
    }
    return page(request, "favourites.html", context, fresh=True)


@forms.post("/collections/{collection_id}")
async def change_collection(
    request: Request, session: Writing, acting: Acting, me: Member, collection_id: str
) -> Response:
    """Change a collection of one's own from the form; `delete` deletes it, `take_out` takes a loop out."""
    fields = await _fields(request)
    try:
        async with session.begin_nested():
            if "delete" in fields:
                await collections.delete(session, me, collection_id)
                return _back("/favourites")
            if "take_out" in fields:
                await collections.take_out(session, me, collection_id, fields["take_out"])
            else:
                told = {name: fields.get(name, "") for name in ("title", "description")}
                change = _read(CollectionChange, {**told, "public": "public" in fields})
                await collections.change(session, me, collection_id, **change.model_dump())
    except InvalidRequest as refusal:
        return await _collection(request, session, acting, collection_id, None, refusal=refusal)
    return _back(f"/collections/{collection_id}")


async def _own_collections(session: AsyncSession, account: Account | None) -> list[CollectionOut]:
    if account is None:
        return []
    return [CollectionOut.of(view) for view in (await collections.own(session, account, MAX_PAGE, None)).rows]


async def _fields(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


def _read(form: type[Form], values: Mapping[str, Any]) -> Form:
    """What a form holds. Raises InvalidRequest with the first thing that is wrong."""
    try:
        return form.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else "form"
        sentence = f"{field.capitalize()}: {first['msg'][:1].lower()}{first['msg'][1:]}."
        raise InvalidRequest(field, sentence) from None


def _back(path: str) -> Response:
    return RedirectResponse(path, status_code=303)


# Feeds


@router.get("/feeds/new.xml")
async def newest_feed(request: Request, session: Reading, files: Files, formats: Further) -> Response:
    """The newest loops as an Atom feed."""
    about = feeds.About("feed:new", "New loops on Riffmarket", "/loops", "/feeds/new.xml")
    found = await creators.newest(session, feeds.ENTRIES, whole=True)
    return await _feed(request, session, files, formats, about, found.rows)


@router.get("/feeds/genres/{genre}.xml")
async def genre_feed(
    request: Request, session: Reading, files: Files, formats: Further, genre: str
) -> Response:
    """The newest loops of a genre as an Atom feed."""
    genre = charts.genre_called(genre)
    about = feeds.About(
        f"feed:genre:{genre}",
        f"New {genre} loops on Riffmarket",
        f"/charts?genre={quote(genre)}",
        f"/feeds/genres/{quote(genre)}.xml",
    )
    found = await creators.newest(session, feeds.ENTRIES, genre=genre, whole=True)
    return await _feed(request, session, files, formats, about, found.rows)


@router.get("/creators/{handle}/feed.xml")
async def creator_feed(
    request: Request, session: Reading, files: Files, formats: Further, handle: str
) -> Response:
    """A creator's newest loops as an Atom feed."""
    account = (await creators.get(session, handle)).account
    own = f"/creators/{account.handle}"
    about = feeds.About(f"feed:creator:{account.id}", f"New loops by {account.name}", own, f"{own}/feed.xml")
    found = await creators.newest(session, feeds.ENTRIES, creator_id=account.id, whole=True)
    return await _feed(request, session, files, formats, about, found.rows)


async def _feed(
    request: Request,
    session: Reading,
    files: Storage,
    formats: Formats,
    about: feeds.About,
    shown: Sequence[Shown],
) -> Response:
    # A preview that is not there yet takes a while: no connection is held meanwhile.
    await session.commit()
    found = await feeds.entries(formats, files, [(one.loop, one.listing) for one in shown])
    return feeds.answer(request, feeds.render(about, _origin(request), found), feeds.updated(found))


def _origin(request: Request) -> str:
    settings: Settings = request.app.state.settings
    return settings.public_url or str(request.base_url).rstrip("/")


router.include_router(forms)
