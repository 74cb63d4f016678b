"""The tables of downloads."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from market.db import Base, UtcDateTime


class Download(Base):
    """One download: everything that was sent for one signed link, however often it was taken up again.

    `link` is a SHA-256 of what the link says, so that the log opens nothing. `grant_code` is None for what creators
    and moderators fetch. `first_range` is what the first request asked for, None for the whole; `bytes_sent` is what
    left in all. `address` is a digest of the client's address with a salt of that day (see market.downloads.service).
    """

    __tablename__ = "download"
    __table_args__ = (
        sa.Index("ix_download_loop", "loop_id", "started_at"),
        sa.Index("ix_download_account", "account_id", "started_at"),
        sa.Index("ix_download_started", "started_at", "link"),
    )

    link: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    loop_id: Mapped[str] = mapped_column(sa.ForeignKey("loop.id"))
    grant_code: Mapped[str | None] = mapped_column(sa.String(32), index=True)
    account_id: Mapped[str | None] = mapped_column(sa.ForeignKey("account.id"))
    format: Mapped[str] = mapped_column(sa.String(8))
    first_range: Mapped[str | None] = mapped_column(sa.String(64))
    requests: Mapped[int]
    bytes_sent: Mapped[int] = mapped_column(sa.BigInteger)
    address: Mapped[str] = mapped_column(sa.String(32))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
