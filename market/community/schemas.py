"""The community as it goes over the wire."""

import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal, Self, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from market.accounts.models import Account
from market.catalog.schemas import Kind
from market.community.collections import Item, View
from market.community.creators import Creator
from market.community.models import CreatorProfile, Rating
from market.community.repository import Counts
from market.community.service import Shown

MAX_LINKS = 8


def _text(*allowed: str) -> Callable[[str], str]:
    """Checks that text has no control characters but these, and nothing that no database or XML can hold."""

    def check(value: str) -> str:
        # What browsers send of a text field.
        value = value.replace("\r\n", "\n")
        for character in value:
            code = ord(character)
            if character in allowed:
                continue
            if (
                unicodedata.category(character) in ("Cc", "Cs")
                or code & 0xFFFE == 0xFFFE
                or 0xFDD0 <= code <= 0xFDEF
            ):
                raise PydanticCustomError("text", "Control characters are not possible here, use plain text")
        return value.strip()

    return check


Line = AfterValidator(_text())
Paragraph = AfterValidator(_text("\n", "\t"))


def _link(value: str) -> str:
    """An https address of a site with a name, its host in ASCII: look-alike letters are seen for what they are."""
    problem = PydanticCustomError("link", "A link has to be an https address such as https://example.com/you")
    try:
        parts = urlsplit(value)
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = parts.port
    except (ValueError, UnicodeError):
        raise problem from None
    named = "." in host.strip(".") and not host.rpartition(".")[2].isdigit()
    if (
        parts.scheme != "https"
        or "@" in parts.netloc
        or not named
        or any(sign in value for sign in ' "<>\\^`{|}')
    ):
        raise problem
    return parts._replace(netloc=host if port in (None, 443) else f"{host}:{port}").geturl()


Link = Annotated[str, Field(max_length=300), Line, AfterValidator(_link)]


class Wish(BaseModel):
    """What clients send: unknown parts are refused."""

    model_config = ConfigDict(extra="forbid")


class CreatorRef(BaseModel):
    """Who made something; `page` is null where they show none."""

    handle: str
    name: str
    page: str | None

    @classmethod
    def of(cls, account: Account, *, public: bool = True) -> Self:
        page = f"/creators/{account.handle}" if public else None
        return cls(handle=account.handle, name=account.name, page=page)


class CountsOut(BaseModel):
    """What happened to a loop so far. `rating` is the mean of the stars, null before the first."""

    plays: int
    downloads: int
    favourites: int
    licences: int = Field(description="Those in force")
    ratings: int
    rating: float | None = Field(ge=1, le=5)

    @classmethod
    def of(cls, counts: Counts) -> Self:
        return cls(
            plays=counts.plays,
            downloads=counts.downloads,
            favourites=counts.favourites,
            licences=counts.licences,
            ratings=counts.ratings,
            rating=round(counts.stars / counts.ratings, 2) if counts.ratings else None,
        )


class ShownLinks(BaseModel):
    """Where a loop's page and what everybody may hear and see of it are."""

    page: str
    loop: str
    preview: str
    listen: str = Field(description="What a player plays: the preview")
    thumbnail: str
    png: str
    peaks: str


class ShownLoop(BaseModel):
    """A loop in a list: what everybody may know of it. `counts` are some minutes old."""

    id: str
    title: str
    prompt: str
    kind: Kind
    bpm: float
    key: str | None
    bars: int
    metre: str
    seconds: float
    genres: list[str]
    status: Literal["draft", "published", "delisted", "removed"]
    free: bool
    price_cents: int | None = Field(description="The lowest price of a licence that costs something")
    currency: str
    published_at: datetime | None
    creator: CreatorRef
    counts: CountsOut
    links: ShownLinks

    @classmethod
    def of(cls, shown: Shown) -> Self:
        loop, listing = shown.loop, shown.listing
        files = f"/v1/loops/{loop.id}"
        return cls(
            id=loop.id,
            title=listing.title,
            prompt=loop.prompt,
            kind=cast(Kind, loop.kind),
            bpm=loop.bpm,
            key=loop.key,
            bars=loop.bars,
            metre=loop.metre,
            seconds=loop.seconds,
            genres=[tag.value for tag in listing.tags if tag.kind == "genre"],
            status=listing.status,  # type: ignore[arg-type]
            free=listing.free,
            price_cents=min(listing.prices.values(), default=None),
            currency=listing.currency,
            published_at=listing.published_at,
            creator=CreatorRef.of(listing.creator),
            counts=CountsOut.of(shown.counts),
            links=ShownLinks(
                page=f"/loops/{loop.id}",
                loop=files,
                preview=f"{files}/preview",
                listen=f"{files}/preview",
                thumbnail=f"{files}/thumbnail.webp"
                if "thumbnail" in loop.pictures
                else f"{files}/spectrogram.png",
                png=f"{files}/spectrogram.png",
                peaks=f"{files}/peaks.json",
            ),
        )


class ShownLoopsOut(BaseModel):
    """A stretch of a list of loops; `next_cursor` leads to the next one and is null at the end."""

    loops: list[ShownLoop]
    next_cursor: str | None


class FavouriteOut(BaseModel):
    """A loop that somebody keeps at hand, since when."""

    loop: ShownLoop
    created_at: datetime


class FavouritesOut(BaseModel):
    """A stretch of one's favourites, newest first; `next_cursor` is null at the end."""

    favourites: list[FavouriteOut]
    next_cursor: str | None


class PlayOut(BaseModel):
    """Whether this play counted: once per listener, loop and day, and never the creator's own."""

    counted: bool


class RatingIn(Wish):
    """What a licensee thinks of a loop."""

    stars: Annotated[int, Field(ge=1, le=5)]
    comment: Annotated[str, Field(max_length=2000), Paragraph] = ""


class RatingOut(BaseModel):
    """A rating; `author` is null where they have left. `hidden_because` is for its author and moderators only."""

    id: str
    stars: int
    comment: str
    author: CreatorRef | None
    created_at: datetime
    updated_at: datetime
    hidden: bool
    hidden_because: str | None

    @classmethod
    def of(cls, rating: Rating, author: Account) -> Self:
        return cls(
            id=rating.id,
            stars=rating.stars,
            comment=rating.comment,
            author=None if author.deleted_at else CreatorRef.of(author, public=False),
            created_at=rating.created_at,
            updated_at=rating.updated_at,
            hidden=rating.hidden_at is not None,
            hidden_because=rating.hidden_because,
        )


class RatingsOut(BaseModel):
    """A stretch of a loop's ratings, newest first. `histogram` is how many have 1, 2, 3, 4 and 5 stars."""

    ratings: list[RatingOut]
    rating: float | None
    count: int
    histogram: Annotated[list[int], Field(min_length=5, max_length=5)]
    next_cursor: str | None


class HideIn(Wish):
    """Why a rating is hidden; its author reads it."""

    reason: Annotated[str, Field(min_length=3, max_length=300), Line]


class CollectionIn(Wish):
    """A collection to be."""

    title: Annotated[str, Field(min_length=1, max_length=100), Line]
    description: Annotated[str, Field(max_length=2000), Paragraph] = ""
    public: bool = False


class CollectionChange(Wish):
    """What to change of a collection; what is left out stays."""

    title: Annotated[str, Field(min_length=1, max_length=100), Line] | None = None
    description: Annotated[str, Field(max_length=2000), Paragraph] | None = None
    public: bool | None = None


class CollectionOut(BaseModel):
    """A collection; `loops` is how many of its loops you can see."""

    id: str
    title: str
    description: str
    public: bool
    owner: CreatorRef
    loops: int
    created_at: datetime
    updated_at: datetime
    page: str

    @classmethod
    def of(cls, view: View) -> Self:
        collection = view.collection
        return cls(
            id=collection.id,
            title=collection.title,
            description=collection.description,
            public=collection.public,
            owner=CreatorRef.of(view.owner, public=collection.public),
            loops=view.loops,
            created_at=collection.created_at,
            updated_at=collection.updated_at,
            page=f"/collections/{collection.id}",
        )


class CollectionsOut(BaseModel):
    """A stretch of collections, those that changed last first; `next_cursor` is null at the end."""

    collections: list[CollectionOut]
    next_cursor: str | None


class ItemIn(Wish):
    """A loop's place in a collection, counted from 0 (the end where none is named), and a note on it."""

    note: Annotated[str, Field(max_length=500), Line] | None = None
    position: Annotated[int, Field(ge=0, le=1_000_000)] | None = None


class ItemOut(BaseModel):
    """A loop in a collection."""

    loop: ShownLoop
    position: int
    note: str
    added_at: datetime

    @classmethod
    def of(cls, item: Item) -> Self:
        place = item.item
        return cls(
            loop=ShownLoop.of(item.shown), position=place.position, note=place.note, added_at=place.added_at
        )


class ItemsOut(BaseModel):
    """A stretch of a collection, in its order; `next_cursor` is null at the end."""

    items: list[ItemOut]
    next_cursor: str | None


class ChartEntry(BaseModel):
    """A loop's place in a chart. `score` means something only beside others of the same chart."""

    place: int
    score: float
    loop: ShownLoop


class ChartOut(BaseModel):
    """A stretch of a chart, some minutes old; `next_cursor` is null at the end."""

    chart: Literal["day", "week", "month", "all"]
    genre: str | None
    entries: list[ChartEntry]
    next_cursor: str | None


class ProfileLink(Wish):
    """A place of a creator's on another site."""

    label: Annotated[str, Field(min_length=1, max_length=40), Line]
    url: Link

    @property
    def site(self) -> str:
        """Where it really leads, whatever the label says."""
        return urlsplit(self.url).netloc.removeprefix("www.")


class ProfileIn(Wish):
    """What somebody says of themselves; from then on they have a page."""

    bio: Annotated[str, Field(max_length=1000), Paragraph] = ""
    links: Annotated[list[ProfileLink], Field(max_length=MAX_LINKS)] = []


class ProfileOut(BaseModel):
    """What somebody says of themselves."""

    bio: str
    links: list[ProfileLink]
    updated_at: datetime | None

    @classmethod
    def of(cls, profile: CreatorProfile | None) -> Self:
        if profile is None:
            return cls(bio="", links=[], updated_at=None)
        links = [ProfileLink.model_construct(label=link["label"], url=link["url"]) for link in profile.links]
        return cls(bio=profile.bio, links=links, updated_at=profile.updated_at)


class CreatorPage(BaseModel):
    """A creator as everybody sees them."""

    handle: str
    name: str
    bio: str
    links: list[ProfileLink]
    loops: int = Field(description="Published ones")
    collections: int = Field(description="Public ones")
    since: datetime
    page: str
    feed: str

    @classmethod
    def of(cls, creator: Creator) -> Self:
        said = ProfileOut.of(creator.profile)
        page = f"/creators/{creator.account.handle}"
        return cls(
            handle=creator.account.handle,
            name=creator.account.name,
            bio=said.bio,
            links=said.links,
            loops=creator.loops,
            collections=creator.collections,
            since=creator.account.created_at,
            page=page,
            feed=f"{page}/feed.xml",
        )
