"""All the SQL of the community."""

from collections.abc import Collection as Several
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import defer
from sqlalchemy.sql.functions import GenericFunction

from market.accounts.models import Account
from market.catalog.models import Listing, ListingStatus, ListingTag, Loop
from market.community.models import (
    Collection,
    CollectionItem,
    CreatorProfile,
    Favourite,
    FoldMark,
    LoopDay,
    LoopTouch,
    Play,
    Rating,
    Standing,
)
from market.community.score import Chart
from market.db import UtcDateTime, insert_into
from market.downloads.models import Download
from market.licensing.models import Grant, Revocation

Row = tuple[Loop, Listing]


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened to a loop so far; `stars` is the sum over the `ratings` that count."""

    plays: int = 0
    downloads: int = 0
    favourites: int = 0
    licences: int = 0
    ratings: int = 0
    stars: int = 0


class UtcDay(GenericFunction[date]):
    """The day, in UTC, of a moment."""

    name = "utc_day"
    type = sa.Date()
    inherit_cache = True


@compiles(UtcDay, "sqlite")
def _sqlite_day(element: Any, compiler: Any, **options: Any) -> str:
    return f"date({compiler.process(element.clauses, **options)})"


@compiles(UtcDay, "postgresql")
def _postgresql_day(element: Any, compiler: Any, **options: Any) -> str:
    return f"(({compiler.process(element.clauses, **options)}) AT TIME ZONE 'UTC')::date"


# Loops as they are shown

_UNSHOWN = (defer(Listing.analysis), defer(Listing.fingerprint), defer(Listing.embedding))


def _shown(*, whole: bool = False) -> sa.Select[Loop, Listing]:
    """Loops with their listings, without what no list shows; `whole` ones have their recipes."""
    query = sa.select(Loop, Listing).join(Listing, Listing.loop_id == Loop.id).options(*_UNSHOWN)
    return query if whole else query.options(defer(Loop.recipe))


def _visible_to(account_id: str | None) -> sa.ColumnElement[bool]:
    """Published ones, and one's own."""
    published = Listing.status == ListingStatus.PUBLISHED
    if account_id is None:
        return published
    return published | ((Listing.creator_id == account_id) & (Listing.status != ListingStatus.REMOVED))


async def visible(session: AsyncSession, loop_id: str, account_id: str | None) -> Row | None:
    """A loop that is published or the account's own."""
    query = _shown().where(Loop.id == loop_id, _visible_to(account_id))
    return (await session.execute(query)).first()


async def listing(session: AsyncSession, loop_id: str) -> Listing | None:
    return await session.get(Listing, loop_id)


async def newest(
    session: AsyncSession,
    limit: int,
    before: tuple[datetime, str] | None = None,
    creator_id: str | None = None,
    genre: str | None = None,
    *,
    whole: bool = False,
) -> Sequence[Row]:
    """Published loops, the newest first; `before` is the (published_at, loop id) after which to go on.

    `whole` loops come with their recipes.
    """
    query = _shown(whole=whole).where(Listing.status == ListingStatus.PUBLISHED)
    query = query.order_by(Listing.published_at.desc(), Listing.loop_id.desc()).limit(limit)
    if creator_id is not None:
        query = query.where(Listing.creator_id == creator_id)
    if genre is not None:
        query = query.where(_has_genre(genre))
    if before is not None:
        query = query.where(sa.tuple_(Listing.published_at, Listing.loop_id) < _after(*before))
    return (await session.execute(query)).all()


def _has_genre(genre: str) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        ListingTag.loop_id == Listing.loop_id, ListingTag.kind == "genre", ListingTag.value == genre
    )


def counts_of(standing: Standing) -> Counts:
    """What had happened to a loop by the last fold."""
    return Counts(
        standing.plays,
        standing.downloads,
        standing.favourites,
        standing.licences,
        standing.ratings,
        standing.stars,
    )


async def standings(session: AsyncSession, loop_ids: Iterable[str]) -> dict[str, Standing]:
    query = sa.select(Standing).where(Standing.loop_id.in_(list(loop_ids)))
    found = await session.scalars(query, execution_options={"populate_existing": True})
    return {each.loop_id: each for each in found}


# Favourites


async def add_favourite(session: AsyncSession, account_id: str, loop_id: str, now: datetime) -> bool:
    """Whether it was none before."""
    statement = insert_into(session, Favourite).values(account_id=account_id, loop_id=loop_id, created_at=now)
    statement = statement.on_conflict_do_nothing(index_elements=["account_id", "loop_id"])
    return await session.scalar(statement.returning(Favourite.loop_id)) is not None


async def remove_favourite(session: AsyncSession, account_id: str, loop_id: str) -> bool:
    """Whether it was one."""
    statement = sa.delete(Favourite).where(Favourite.account_id == account_id, Favourite.loop_id == loop_id)
    return await session.scalar(statement.returning(Favourite.loop_id)) is not None


async def count_favourites(session: AsyncSession, account_id: str) -> int:
    query = sa.select(sa.func.count()).where(Favourite.account_id == account_id)
    return await session.scalar(query) or 0


async def favourites(
    session: AsyncSession, account_id: str, limit: int, before: tuple[datetime, str] | None
) -> Sequence[tuple[Loop, Listing, datetime]]:
    """The newest first; `before` is the (created_at, loop id) after which to go on."""
    query = (
        _shown()
        .add_columns(Favourite.created_at)
        .join(Favourite, Favourite.loop_id == Loop.id)
        .where(Favourite.account_id == account_id, _visible_to(account_id))
        .order_by(Favourite.created_at.desc(), Favourite.loop_id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(sa.tuple_(Favourite.created_at, Favourite.loop_id) < _after(*before))
    return (await session.execute(query)).all()


async def favourites_among(session: AsyncSession, account_id: str, loop_ids: Several[str]) -> set[str]:
    """Which of the loops are favourites of the account."""
    query = sa.select(Favourite.loop_id).where(
        Favourite.account_id == account_id, Favourite.loop_id.in_(list(loop_ids))
    )
    return set(await session.scalars(query))


# Collections


async def collection(session: AsyncSession, collection_id: str) -> Collection | None:
    return await session.get(Collection, collection_id)


async def hold_collection(session: AsyncSession, collection_id: str) -> Collection | None:
    """The collection as it is now, held until the end of the transaction."""
    query = sa.select(Collection).where(Collection.id == collection_id).with_for_update()
    return await session.scalar(query, execution_options={"populate_existing": True})


async def count_collections(session: AsyncSession, owner_id: str) -> int:
    query = sa.select(sa.func.count()).where(Collection.owner_id == owner_id)
    return await session.scalar(query) or 0


async def collections(
    session: AsyncSession,
    limit: int,
    before: tuple[datetime, str] | None,
    *,
    owner_id: str | None = None,
    public_only: bool = True,
) -> Sequence[tuple[Collection, Account, int]]:
    """Collections with their owners and numbers of loops, those that changed last first.

    Of public ones only those that have something to show.
    """
    items = (
        sa.select(sa.func.count())
        .select_from(CollectionItem)
        .join(Listing, Listing.loop_id == CollectionItem.loop_id)
        .where(CollectionItem.collection_id == Collection.id, _visible_to(None if public_only else owner_id))
        .correlate(Collection)
        .scalar_subquery()
    )
    query = (
        sa.select(Collection, Account, items)
        .join(Account, Account.id == Collection.owner_id)
        .order_by(Collection.updated_at.desc(), Collection.id.desc())
        .limit(limit)
    )
    if public_only:
        query = query.where(Collection.public.is_(True), Account.deleted_at.is_(None), items > 0)
    if owner_id is not None:
        query = query.where(Collection.owner_id == owner_id)
    if before is not None:
        query = query.where(sa.tuple_(Collection.updated_at, Collection.id) < _after(*before))
    return (await session.execute(query)).all()


async def places(session: AsyncSession, collection_id: str) -> list[tuple[str, int]]:
    """The loops of a collection with their positions, in order."""
    query = (
        sa.select(CollectionItem.loop_id, CollectionItem.position)
        .where(CollectionItem.collection_id == collection_id)
        .order_by(CollectionItem.position, CollectionItem.loop_id)
    )
    return list(await session.execute(query))


async def item(session: AsyncSession, collection_id: str, loop_id: str) -> CollectionItem | None:
    return await session.get(CollectionItem, (collection_id, loop_id))


async def remove_item(session: AsyncSession, collection_id: str, loop_id: str) -> bool:
    """Whether it was in there."""
    statement = sa.delete(CollectionItem).where(
        CollectionItem.collection_id == collection_id, CollectionItem.loop_id == loop_id
    )
    return await session.scalar(statement.returning(CollectionItem.loop_id)) is not None


async def place(session: AsyncSession, collection_id: str, positions: Mapping[str, int]) -> None:
    """Give loops of a collection other positions."""
    for loop_id, position in positions.items():
        await session.execute(
            sa.update(CollectionItem)
            .where(CollectionItem.collection_id == collection_id, CollectionItem.loop_id == loop_id)
            .values(position=position)
        )


async def items(
    session: AsyncSession, collection_id: str, viewer_id: str | None, limit: int, after: int
) -> Sequence[tuple[Loop, Listing, CollectionItem]]:
    """What a viewer sees of a collection, in order, from after a position on."""
    query = (
        sa.select(Loop, Listing, CollectionItem)
        .join(Listing, Listing.loop_id == Loop.id)
        .join(CollectionItem, CollectionItem.loop_id == Loop.id)
        .options(*_UNSHOWN, defer(Loop.recipe))
        .where(
            CollectionItem.collection_id == collection_id,
            CollectionItem.position > after,
            _visible_to(viewer_id),
        )
        .order_by(CollectionItem.position)
        .limit(limit)
    )
    return (await session.execute(query)).all()


async def count_items(session: AsyncSession, collection_id: str, viewer_id: str | None) -> int:
    """How many loops a viewer sees in a collection."""
    query = (
        sa.select(sa.func.count())
        .select_from(CollectionItem)
        .join(Listing, Listing.loop_id == CollectionItem.loop_id)
        .where(CollectionItem.collection_id == collection_id, _visible_to(viewer_id))
    )
    return await session.scalar(query) or 0


async def delete_collection(session: AsyncSession, collection_id: str) -> None:
    await session.execute(sa.delete(CollectionItem).where(CollectionItem.collection_id == collection_id))
    await session.execute(sa.delete(Collection).where(Collection.id == collection_id))


# Ratings


async def rating_of(session: AsyncSession, loop_id: str, account_id: str) -> Rating | None:
    query = sa.select(Rating).where(Rating.loop_id == loop_id, Rating.account_id == account_id)
    return await session.scalar(query)


async def put_rating(session: AsyncSession, values: Mapping[str, Any]) -> None:
    """Insert an account's rating of a loop, or change the stars and comment of the one there is."""
    statement = insert_into(session, Rating).values(**values)
    changed = {name: statement.excluded[name] for name in ("stars", "comment", "updated_at")}
    await session.execute(
        statement.on_conflict_do_update(index_elements=["loop_id", "account_id"], set_=changed)
    )


async def rating(session: AsyncSession, rating_id: str) -> Rating | None:
    """A rating, held until the end of the transaction."""
    return await session.scalar(sa.select(Rating).where(Rating.id == rating_id).with_for_update())


async def delete_rating(session: AsyncSession, rating_id: str) -> None:
    await session.execute(sa.delete(Rating).where(Rating.id == rating_id))


async def ratings(
    session: AsyncSession, loop_id: str, limit: int, before: tuple[datetime, str] | None, *, hidden: bool
) -> Sequence[tuple[Rating, Account]]:
    """Ratings of a loop with their authors, the newest first; `hidden` ones too where that is asked for."""
    query = (
        sa.select(Rating, Account)
        .join(Account, Account.id == Rating.account_id)
        .where(Rating.loop_id == loop_id)
        .order_by(Rating.created_at.desc(), Rating.id.desc())
        .limit(limit)
    )
    if not hidden:
        query = query.where(Rating.hidden_at.is_(None))
    if before is not None:
        query = query.where(sa.tuple_(Rating.created_at, Rating.id) < _after(*before))
    return (await session.execute(query)).all()


async def histogram(session: AsyncSession, loop_id: str) -> dict[int, int]:
    """How many ratings that count have how many stars."""
    query = (
        sa.select(Rating.stars, sa.func.count())
        .where(Rating.loop_id == loop_id, Rating.hidden_at.is_(None))
        .group_by(Rating.stars)
    )
    return dict((await session.execute(query)).all())


# Plays


async def lock(session: AsyncSession, name: str) -> None:
    """Let one transaction at a time deal with a name. On SQLite all writers take turns already."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(name))))


async def try_lock(session: AsyncSession, name: str) -> bool:
    """As `lock`, but False instead of waiting."""
    if session.get_bind().dialect.name == "postgresql":
        return bool(
            await session.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(sa.func.hashtext(name))))
        )
    return True


async def plays_from(session: AsyncSession, day: date, loop_id: str, place: str) -> tuple[int, int]:
    """How many listeners have played a loop at a place on a day, and how many of them were newcomers."""
    newcomers = sa.func.coalesce(sa.func.sum(sa.case((Play.newcomer, 1), else_=0)), 0)
    query = sa.select(sa.func.count(), newcomers).where(
        Play.day == day, Play.loop_id == loop_id, Play.place == place
    )
    return (await session.execute(query)).one()


async def add_play(session: AsyncSession, values: Mapping[str, Any]) -> bool:
    """Whether this listener had not played it that day."""
    statement = insert_into(session, Play).values(**values, folded=False)
    statement = statement.on_conflict_do_nothing(index_elements=["day", "loop_id", "listener"])
    return await session.scalar(statement.returning(Play.loop_id)) is not None


# Counts


async def counts(session: AsyncSession, loop_id: str) -> Counts:
    """What happened to a loop so far, to the moment, in one statement: a fold meanwhile changes nothing."""
    folded = sa.select(sa.func.coalesce(sa.func.sum(LoopDay.plays), 0)).where(LoopDay.loop_id == loop_id)
    fresh = _count(Play, Play.loop_id == loop_id, sa.not_(Play.folded))
    stars = sa.select(sa.func.coalesce(sa.func.sum(Rating.stars), 0)).where(
        Rating.loop_id == loop_id, Rating.hidden_at.is_(None)
    )
    row = (
        await session.execute(
            sa.select(
                folded.scalar_subquery() + fresh,
                _count(Download, Download.loop_id == loop_id),
                _count(Favourite, Favourite.loop_id == loop_id),
                _count(Grant, Grant.loop_id == loop_id, ~_revoked()),
                _count(Rating, Rating.loop_id == loop_id, Rating.hidden_at.is_(None)),
                stars.scalar_subquery(),
            )
        )
    ).one()
    return Counts(*(int(number) for number in row))


def _count(table: type[Any], *where: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count()).select_from(table).where(*where).scalar_subquery()


def _revoked() -> sa.ColumnElement[bool]:
    return sa.exists().where(Revocation.code == Grant.code)


# The fold


async def take_plays(session: AsyncSession, limit: int) -> list[tuple[str, date]]:
    """Mark plays as folded, and give the loop and day of each."""
    key = sa.tuple_(Play.day, Play.loop_id, Play.listener)
    fresh = sa.select(Play.day, Play.loop_id, Play.listener).where(sa.not_(Play.folded)).limit(limit)
    statement = sa.update(Play).where(key.in_(fresh), sa.not_(Play.folded)).values(folded=True)
    found = await session.execute(
        statement.returning(Play.loop_id, Play.day), execution_options={"synchronize_session": False}
    )
    return list(found)


async def add_plays(session: AsyncSession, plays: Mapping[tuple[str, date], int]) -> None:
    """Add to the counts of days."""
    statement = insert_into(session, LoopDay)
    statement = statement.on_conflict_do_update(
        index_elements=["loop_id", "day"], set_={"plays": LoopDay.plays + statement.excluded.plays}
    )
    rows = [{"loop_id": loop, "day": day, "plays": number} for (loop, day), number in sorted(plays.items())]
    await session.execute(statement, rows)


async def forget_plays(session: AsyncSession, before: date) -> None:
    """Delete who played what before a day, once it is counted."""
    await session.execute(sa.delete(Play).where(Play.day < before, Play.folded))


async def touch(session: AsyncSession, loop_id: str) -> None:
    await session.execute(sa.insert(LoopTouch).values(loop_id=loop_id))


async def take_touched(session: AsyncSession, limit: int) -> set[str]:
    oldest = sa.select(LoopTouch.seq).order_by(LoopTouch.seq).limit(limit)
    statement = sa.delete(LoopTouch).where(LoopTouch.seq.in_(oldest)).returning(LoopTouch.loop_id)
    return set(await session.scalars(statement, execution_options={"synchronize_session": False}))


_LOGS: dict[str, tuple[Any, Any, Any, Any]] = {
    "published": (
        Listing.published_at,
        Listing.loop_id,
        Listing.loop_id,
        Listing.status == ListingStatus.PUBLISHED,
    ),
    "licences": (Grant.granted_at, Grant.code, Grant.loop_id, sa.true()),
    "revocations": (Revocation.revoked_at, Revocation.code, Grant.loop_id, Grant.code == Revocation.code),
    "downloads": (Download.started_at, Download.link, Download.loop_id, sa.true()),
}
LOGS = tuple(_LOGS)


async def take_logged(session: AsyncSession, log: str, until: datetime, limit: int) -> list[str]:
    """The loops of the next rows of a log, up to a moment, and a mark after the last of them."""
    at, key, loop_id, condition = _LOGS[log]
    query = sa.select(at, key, loop_id).where(condition, at <= until).order_by(at, key).limit(limit)
    mark = await session.get(FoldMark, log)
    if mark is not None:
        query = query.where(sa.tuple_(at, key) > _after(mark.at, mark.key))
    rows = (await session.execute(query)).all()
    if rows:
        last_at, last_key, _ = rows[-1]
        if mark is None:
            session.add(FoldMark(name=log, at=last_at, key=last_key))
        else:
            mark.at, mark.key = last_at, last_key
        await session.flush()
    return [loop for _, _, loop in rows]


async def published_on(session: AsyncSession, loop_ids: Several[str]) -> dict[str, date]:
    """The days on which those of the loops were published that ever were."""
    query = sa.select(Listing.loop_id, UtcDay(Listing.published_at)).where(
        Listing.loop_id.in_(list(loop_ids)), Listing.published_at.is_not(None)
    )
    return dict((await session.execute(query)).all())


async def known(session: AsyncSession, loop_ids: Several[str]) -> set[str]:
    """Which of the loops there are."""
    return set(await session.scalars(sa.select(Loop.id).where(Loop.id.in_(list(loop_ids)))))


async def plays_by_day(session: AsyncSession, loop_ids: Several[str]) -> Sequence[tuple[str, date, int]]:
    query = sa.select(LoopDay.loop_id, LoopDay.day, LoopDay.plays).where(LoopDay.loop_id.in_(list(loop_ids)))
    return (await session.execute(query)).all()


async def favourites_by_day(
    session: AsyncSession, loop_ids: Several[str]
) -> Sequence[tuple[str, date, int, int]]:
    """Loop, day, how many, and how many of them are the creator's own."""
    day = UtcDay(Favourite.created_at)
    own = sa.case((Favourite.account_id == Listing.creator_id, sa.literal(1)), else_=0)
    query = (
        sa.select(Favourite.loop_id, day, sa.func.count(), sa.func.sum(own))
        .join(Listing, Listing.loop_id == Favourite.loop_id)
        .where(Favourite.loop_id.in_(list(loop_ids)))
        .group_by(Favourite.loop_id, day)
    )
    rows: Sequence[tuple[str, date, int, int]] = (await session.execute(query)).all()
    return rows


async def licences_by_day(
    session: AsyncSession, loop_ids: Several[str]
) -> Sequence[tuple[str, date, bool, bool, int]]:
    """Loop, day, whether they were paid for, whether they are the creator's own, how many."""
    day, paid, own = (
        UtcDay(Grant.granted_at),
        Grant.price_cents > sa.literal_column("0"),
        Grant.account_id == Grant.creator_id,
    )
    query = (
        sa.select(Grant.loop_id, day, paid, own, sa.func.count())
        .where(Grant.loop_id.in_(list(loop_ids)), ~_revoked())
        .group_by(Grant.loop_id, day, paid, own)
    )
    return (await session.execute(query)).all()


async def downloads(session: AsyncSession, loop_ids: Several[str]) -> Sequence[tuple[str, int]]:
    """Loop, how many."""
    query = (
        sa.select(Download.loop_id, sa.func.count())
        .where(Download.loop_id.in_(list(loop_ids)))
        .group_by(Download.loop_id)
    )
    return (await session.execute(query)).all()


async def stars(session: AsyncSession, loop_ids: Several[str]) -> Sequence[tuple[str, int, int]]:
    """Loop, how many ratings count, the sum of their stars."""
    query = (
        sa.select(Rating.loop_id, sa.func.count(), sa.func.sum(Rating.stars))
        .where(Rating.loop_id.in_(list(loop_ids)), Rating.hidden_at.is_(None))
        .group_by(Rating.loop_id)
    )
    return (await session.execute(query)).all()


async def put_standings(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    statement = insert_into(session, Standing)
    changed = {
        column.name: statement.excluded[column.name]
        for column in Standing.__table__.columns
        if column.name != "loop_id"
    }
    await session.execute(
        statement.on_conflict_do_update(index_elements=["loop_id"], set_=changed), list(rows)
    )


# Charts


_SCORES: dict[Chart, Any] = {
    "day": Standing.score_day,
    "week": Standing.score_week,
    "month": Standing.score_month,
    "all": Standing.score_all,
}


async def chart(
    session: AsyncSession,
    name: Chart,
    active_since: date | None,
    genre: str | None,
    limit: int,
    before: tuple[float, str] | None,
) -> Sequence[tuple[Loop, Listing, Standing]]:
    """The highest scores first; `before` is the (score, loop id) after which to go on."""
    score = _SCORES[name]
    query = (
        sa.select(Loop, Listing, Standing)
        .join(Listing, Listing.loop_id == Loop.id)
        .join(Standing, Standing.loop_id == Loop.id)
        .options(*_UNSHOWN, defer(Loop.recipe))
        .where(Listing.status == ListingStatus.PUBLISHED)
        .order_by(score.desc(), Standing.loop_id.desc())
        .limit(limit)
    )
    if active_since is not None:
        query = query.where(Standing.active_on >= active_since)
    if genre is not None:
        query = query.where(_has_genre(genre))
    if before is not None:
        query = query.where(sa.tuple_(score, Standing.loop_id) < _after(*before))
    return (await session.execute(query)).all()


def score_of(standing: Standing, name: Chart) -> float:
    """A loop's score in a chart, as it was folded last."""
    return float(getattr(standing, _SCORES[name].key))


async def chart_genres(session: AsyncSession, name: Chart, top: int, limit: int) -> Sequence[str]:
    """The genres that most of the first loops of a chart have, by name."""
    first = sa.select(Standing.loop_id).order_by(_SCORES[name].desc(), Standing.loop_id.desc()).limit(top)
    query = (
        sa.select(ListingTag.value)
        .where(ListingTag.kind == "genre", ListingTag.loop_id.in_(first))
        .group_by(ListingTag.value)
        .order_by(sa.func.count().desc(), ListingTag.value)
        .limit(limit)
    )
    return sorted(await session.scalars(query))


# Creators


async def account_by_handle(session: AsyncSession, handle: str) -> Account | None:
    query = sa.select(Account).where(Account.handle == handle, Account.deleted_at.is_(None))
    return await session.scalar(query)


async def profile(session: AsyncSession, account_id: str) -> CreatorProfile | None:
    return await session.get(CreatorProfile, account_id, populate_existing=True)


async def put_profile(session: AsyncSession, values: Mapping[str, Any]) -> None:
    statement = insert_into(session, CreatorProfile).values(**values)
    changed = {name: statement.excluded[name] for name in ("bio", "links", "updated_at")}
    await session.execute(statement.on_conflict_do_update(index_elements=["account_id"], set_=changed))


async def delete_profile(session: AsyncSession, account_id: str) -> None:
    await session.execute(sa.delete(CreatorProfile).where(CreatorProfile.account_id == account_id))


async def count_published(session: AsyncSession, creator_id: str) -> int:
    query = sa.select(sa.func.count()).where(
        Listing.creator_id == creator_id, Listing.status == ListingStatus.PUBLISHED
    )
    return await session.scalar(query) or 0


async def count_public_collections(session: AsyncSession, owner_id: str) -> int:
    query = sa.select(sa.func.count()).where(Collection.owner_id == owner_id, Collection.public.is_(True))
    return await session.scalar(query) or 0


# What an account leaves behind


async def all_favourites(session: AsyncSession, account_id: str) -> Sequence[Favourite]:
    query = sa.select(Favourite).where(Favourite.account_id == account_id).order_by(Favourite.created_at)
    return (await session.scalars(query)).all()


async def all_collections(
    session: AsyncSession, owner_id: str
) -> Sequence[tuple[Collection, CollectionItem | None]]:
    query = (
        sa.select(Collection, CollectionItem)
        .outerjoin(CollectionItem, CollectionItem.collection_id == Collection.id)
        .where(Collection.owner_id == owner_id)
        .order_by(Collection.created_at, Collection.id, CollectionItem.position)
    )
    return (await session.execute(query)).all()


async def all_ratings(session: AsyncSession, account_id: str) -> Sequence[Rating]:
    query = sa.select(Rating).where(Rating.account_id == account_id).order_by(Rating.created_at)
    return (await session.scalars(query)).all()


async def forget_account(session: AsyncSession, account_id: str) -> None:
    """Delete all that an account had here but its ratings."""
    favoured = sa.select(Favourite.loop_id).where(Favourite.account_id == account_id)
    await session.execute(sa.insert(LoopTouch).from_select(["loop_id"], favoured))
    await session.execute(sa.delete(Favourite).where(Favourite.account_id == account_id))
    own = sa.select(Collection.id).where(Collection.owner_id == account_id)
    await session.execute(sa.delete(CollectionItem).where(CollectionItem.collection_id.in_(own)))
    await session.execute(sa.delete(Collection).where(Collection.owner_id == account_id))
    await session.execute(sa.delete(CreatorProfile).where(CreatorProfile.account_id == account_id))


def _after(value: datetime | float, key: str) -> Any:
    kind: Any = UtcDateTime if isinstance(value, datetime) else sa.Double
    return sa.tuple_(sa.literal(value, kind), sa.literal(key))
