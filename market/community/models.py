"""The tables of the community."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from market.db import Base, UtcDateTime

MAX_COMMENT = 2000


def _account() -> sa.ForeignKey:
    return sa.ForeignKey("account.id")


def _loop() -> sa.ForeignKey:
    return sa.ForeignKey("loop.id", ondelete="CASCADE")


class Favourite(Base):
    """A loop that somebody keeps at hand."""

    __tablename__ = "favourite"
    __table_args__ = (
        sa.Index("ix_favourite_recent", "account_id", "created_at", "loop_id"),
        sa.Index("ix_favourite_loop", "loop_id", "created_at"),
    )

    account_id: Mapped[str] = mapped_column(_account(), primary_key=True)
    loop_id: Mapped[str] = mapped_column(_loop(), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Collection(Base):
    """Loops that somebody put together, in an order of their own."""

    __tablename__ = "collection"
    __table_args__ = (
        sa.Index("ix_collection_owner", "owner_id", "updated_at", "id"),
        sa.Index("ix_collection_public", "public", "updated_at", "id"),
    )

    id: Mapped[str] = mapped_column(sa.String(24), primary_key=True)
    owner_id: Mapped[str] = mapped_column(_account())
    title: Mapped[str] = mapped_column(sa.String(100))
    description: Mapped[str] = mapped_column(sa.String(2000))
    public: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CollectionItem(Base):
    """A loop's place in a collection, counted from 0, and what its owner notes about it."""

    __tablename__ = "collection_item"
    __table_args__ = (
        sa.Index("ix_collection_item_order", "collection_id", "position"),
        sa.Index("ix_collection_item_loop", "loop_id"),
    )

    collection_id: Mapped[str] = mapped_column(
        sa.ForeignKey("collection.id", ondelete="CASCADE"), primary_key=True
    )
    loop_id: Mapped[str] = mapped_column(_loop(), primary_key=True)
    position: Mapped[int]
    note: Mapped[str] = mapped_column(sa.String(500))
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Rating(Base):
    """What a licensee thinks of a loop: 1 to 5 stars and, where they wrote one, a comment.

    A hidden one is shown to nobody but its author and moderators, and does not count.
    """

    __tablename__ = "rating"
    __table_args__ = (
        sa.UniqueConstraint("loop_id", "account_id"),
        sa.CheckConstraint("stars BETWEEN 1 AND 5", name="ck_rating_stars"),
        sa.Index("ix_rating_recent", "loop_id", "created_at", "id"),
        sa.Index("ix_rating_account", "account_id"),
    )

    id: Mapped[str] = mapped_column(sa.String(24), primary_key=True)
    loop_id: Mapped[str] = mapped_column(_loop())
    account_id: Mapped[str] = mapped_column(_account())
    stars: Mapped[int]
    comment: Mapped[str] = mapped_column(sa.String(MAX_COMMENT))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    hidden_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    hidden_because: Mapped[str | None] = mapped_column(sa.String(300))


class Play(Base):
    """Somebody heard a loop on a day. Kept until the day is over; `folded` once it is in the day's count.

    `newcomer` is one who had no cookie yet. Each play is a row of its own, so that listeners of one loop never wait for
    each other. `listener` and `place` are keyed hashes that change every day: no address is kept, and nobody can be
    followed from day to day.
    """

    __tablename__ = "play"
    __table_args__ = (
        sa.Index("ix_play_place", "day", "loop_id", "place"),
        sa.Index(
            "ix_play_unfolded",
            "loop_id",
            postgresql_where=sa.text("NOT folded"),
            sqlite_where=sa.text("NOT folded"),
        ),
    )

    day: Mapped[date] = mapped_column(primary_key=True)
    # No foreign key: each insert would lock the row of the loop that everybody listens to.
    loop_id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    listener: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    place: Mapped[str] = mapped_column(sa.String(32))
    newcomer: Mapped[bool]
    folded: Mapped[bool]


class LoopDay(Base):
    """How often a loop was played on a day."""

    __tablename__ = "loop_day"

    loop_id: Mapped[str] = mapped_column(_loop(), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    plays: Mapped[int]


class LoopTouch(Base):
    """A loop's standing has to be worked out anew: a queue that is only ever added to and emptied."""

    __tablename__ = "loop_touch"
    __table_args__ = ({"sqlite_autoincrement": True},)

    seq: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    loop_id: Mapped[str] = mapped_column(sa.String(32))


class Standing(Base):
    """What a loop's counts and scores were when they were folded last; the formula is in market/community/score.py.

    `active_on` is the last day on which it earned something, `told` what the search was told last.
    """

    __tablename__ = "loop_standing"
    __table_args__ = (
        sa.Index("ix_loop_standing_day", "score_day", "loop_id"),
        sa.Index("ix_loop_standing_week", "score_week", "loop_id"),
        sa.Index("ix_loop_standing_month", "score_month", "loop_id"),
        sa.Index("ix_loop_standing_all", "score_all", "loop_id"),
    )

    loop_id: Mapped[str] = mapped_column(_loop(), primary_key=True)
    plays: Mapped[int]
    downloads: Mapped[int]
    favourites: Mapped[int]
    licences: Mapped[int]
    ratings: Mapped[int]
    stars: Mapped[int]
    score_day: Mapped[float] = mapped_column(sa.Double)
    score_week: Mapped[float] = mapped_column(sa.Double)
    score_month: Mapped[float] = mapped_column(sa.Double)
    score_all: Mapped[float] = mapped_column(sa.Double)
    told: Mapped[float] = mapped_column(sa.Double)
    active_on: Mapped[date]
    folded_at: Mapped[datetime] = mapped_column(UtcDateTime)


class FoldMark(Base):
    """The last row that was folded of what others log: licences, their ends, downloads, publications."""

    __tablename__ = "fold_mark"

    name: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    key: Mapped[str] = mapped_column(sa.String(80))


class CreatorProfile(Base):
    """What somebody says of themselves on their page. `links` are {"label", "url"}."""

    __tablename__ = "creator_profile"

    account_id: Mapped[str] = mapped_column(_account(), primary_key=True)
    bio: Mapped[str] = mapped_column(sa.String(1000))
    links: Mapped[list[dict[str, str]]] = mapped_column(sa.JSON)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
