"""The loop, one finished take, which never changes; and its listing, what its creator says of it and asks for it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from market.accounts.models import Account
from market.db import Base, UtcDateTime


class Loop(Base):
    """One take of a riff. `wav`, `mp3`, `png` and `peaks` are storage keys; `sha256` is that of its PCM.

    `kind` is "loop", "piece" (a morph over time) or "song" (which has an end); `bars` and `samples` are of the whole
    of it. `pictures` are the storage keys of a "thumbnail" and of the "level" picture that
    other formats are made from, `stems` those of its layers' WAVs by role.
    """

    __tablename__ = "loop"
    __table_args__ = (
        sa.UniqueConstraint("riff_id", "take"),
        sa.Index("ix_loop_recent", "created_at", "id"),
        sa.Index("ix_loop_sha256", "sha256"),
    )

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    riff_id: Mapped[str] = mapped_column(sa.ForeignKey("riff.id"))
    take: Mapped[int]
    kind: Mapped[str] = mapped_column(sa.String(8), server_default="loop")
    prompt: Mapped[str]
    bpm: Mapped[float] = mapped_column(sa.Double)
    key: Mapped[str | None]
    bars: Mapped[int]
    metre: Mapped[str] = mapped_column(sa.String(8), server_default="4/4")
    seed: Mapped[int] = mapped_column(sa.BigInteger)
    seconds: Mapped[float] = mapped_column(sa.Double)
    samples: Mapped[int]
    sha256: Mapped[str] = mapped_column(sa.String(64))
    model: Mapped[str]
    recipe: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    wav: Mapped[str]
    mp3: Mapped[str]
    png: Mapped[str]
    peaks: Mapped[str]
    pictures: Mapped[dict[str, str]] = mapped_column(sa.JSON, server_default="{}")
    stems: Mapped[dict[str, str]] = mapped_column(sa.JSON, server_default="{}")

    @property
    def keys(self) -> tuple[str, ...]:
        """Every file that was made with it."""
        return (self.wav, self.mp3, self.png, self.peaks, *self.pictures.values(), *self.stems.values())


class ListingStatus(StrEnum):
    """Where a listing stands. A loop without one is a draft, too; only a moderator removes and brings back."""

    DRAFT = "draft"
    PUBLISHED = "published"
    DELISTED = "delisted"
    REMOVED = "removed"


class Listing(Base):
    """A loop for sale. `prices` are cents by paid tier; `version` grows with each change, for If-Match.

    `tags_edited` says that the creator has chosen the tags, to which nothing is added by itself any more;
    `rights_confirmed_at` when they stated that a sound that they brought may be sold. The last five are what the
    gate measured: `fingerprint` is Chromaprint's (uint32, little endian), `embedding` 64 int8.
    """

    __tablename__ = "listing"
    __table_args__ = (
        sa.Index("ix_listing_published", "status", "published_at", "loop_id"),
        sa.Index("ix_listing_creator", "creator_id", "status", "published_at"),
    )

    loop_id: Mapped[str] = mapped_column(sa.ForeignKey("loop.id"), primary_key=True)
    creator_id: Mapped[str] = mapped_column(sa.ForeignKey("account.id"))
    status: Mapped[str] = mapped_column(sa.String(12))
    title: Mapped[str] = mapped_column(sa.String(100))
    description: Mapped[str] = mapped_column(sa.String(2000), server_default="")
    prices: Mapped[dict[str, int]] = mapped_column(sa.JSON)
    currency: Mapped[str] = mapped_column(sa.String(3), server_default="usd")
    free: Mapped[bool] = mapped_column(server_default=sa.false())
    tags_edited: Mapped[bool] = mapped_column(server_default=sa.false())
    rights_confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(server_default="1")
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    energy: Mapped[float | None] = mapped_column(sa.Double)
    brightness: Mapped[float | None] = mapped_column(sa.Double)
    analysis: Mapped[dict[str, Any]] = mapped_column(sa.JSON, server_default="{}")
    fingerprint: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    embedding: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    creator: Mapped[Account] = relationship(lazy="selectin")
    tags: Mapped[list["ListingTag"]] = relationship(
        order_by="ListingTag.kind, ListingTag.confidence.desc(), ListingTag.value",
        cascade="all, delete-orphan",
        lazy="selectin",
    )


class ListingTag(Base):
    """A word for a loop. `kind` is genre, mood, instrument, texture or tag, `origin` recipe, audio or creator."""

    __tablename__ = "listing_tag"
    __table_args__ = (sa.Index("ix_listing_tag_value", "kind", "value", "loop_id"),)

    loop_id: Mapped[str] = mapped_column(sa.ForeignKey("listing.loop_id"), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(12), primary_key=True)
    value: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    confidence: Mapped[float] = mapped_column(sa.Double)
    origin: Mapped[str] = mapped_column(sa.String(8))


class ListingPrint(Base):
    """One of the few sub-prints by which listings that sound alike are found without reading all of them."""

    __tablename__ = "listing_print"
    __table_args__ = (sa.Index("ix_listing_print_loop_id", "loop_id"),)

    hash: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    loop_id: Mapped[str] = mapped_column(sa.ForeignKey("listing.loop_id"), primary_key=True)


class TakenDown(Base):
    """A loop that a moderator took down before anybody had listed it."""

    __tablename__ = "loop_taken_down"

    loop_id: Mapped[str] = mapped_column(sa.ForeignKey("loop.id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
