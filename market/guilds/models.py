"""The tables of servers."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from market.db import Base, UtcDateTime


class GuildSettings(Base):
    """What the people who manage a server have set. `channels` and `roles` are ids, none of them means all.

    `share` is the percentage of a creator's income from loops made on the server that the server gets.
    """

    __tablename__ = "guild_settings"

    guild_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    channels: Mapped[list[str]] = mapped_column(sa.JSON)
    roles: Mapped[list[str]] = mapped_column(sa.JSON)
    max_takes: Mapped[int]
    max_bars: Mapped[int]
    gallery_channel: Mapped[int | None] = mapped_column(sa.BigInteger)
    gallery_stars: Mapped[int]
    spoiler: Mapped[bool]
    presses: Mapped[str] = mapped_column(sa.String(8))
    language: Mapped[str] = mapped_column(sa.String(8))
    share: Mapped[int]
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_by: Mapped[str | None] = mapped_column(sa.ForeignKey("account.id"))


class Hanging(StrEnum):
    """Where a riff's place in a gallery stands; something is to be done about those of DUE.

    An OPEN one is to be posted, a CHANGED one to be edited, for it has more stars, a LEAVING one to be taken off.
    FAILED is one that the channel did not take, GONE one that was taken off for good.
    """

    OPEN = "open"
    POSTED = "posted"
    CHANGED = "changed"
    LEAVING = "leaving"
    FAILED = "failed"
    GONE = "gone"


DUE = (Hanging.OPEN, Hanging.CHANGED, Hanging.LEAVING)


class GalleryPost(Base):
    """A riff that got enough stars on a server; written before it is posted, once per server.

    The stars were given to `origin_message` in `origin_channel`. `attempts` counts those to post it.
    """

    __tablename__ = "gallery_post"
    __table_args__ = (sa.Index("ix_gallery_post_state", "state"), sa.Index("ix_gallery_post_riff", "riff_id"))

    guild_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    riff_id: Mapped[str] = mapped_column(sa.ForeignKey("riff.id"), primary_key=True)
    state: Mapped[str] = mapped_column(sa.String(8))
    channel_id: Mapped[int] = mapped_column(sa.BigInteger)
    message_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    origin_channel: Mapped[int] = mapped_column(sa.BigInteger)
    origin_message: Mapped[int] = mapped_column(sa.BigInteger)
    stars: Mapped[int]
    attempts: Mapped[int]
    last_error: Mapped[str | None] = mapped_column(sa.Text)
    starred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    posted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
