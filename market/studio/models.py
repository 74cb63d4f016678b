"""The order, what happens to it, and the signs of life of those who work on it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from market.catalog.models import Loop
from market.db import Base, UtcDateTime


class Status(StrEnum):
    """Where a riff stands. The last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (Status.QUEUED, Status.RUNNING)
# Where in the storage the pictures are that events name: previews/<riff>/<take>-<step>.png
PREVIEWS = "previews/"


class RiffOrder(Base):
    """One riff as it was ordered. `error` is the sentence that a failed one ended with."""

    __tablename__ = "riff"
    __table_args__ = (
        sa.Index("ix_riff_queue", "status", "created_at", "id"),
        sa.Index("ix_riff_owner", "owner", "status"),
        sa.Index("ix_riff_finished", "status", "finished_at"),
    )

    id: Mapped[str] = mapped_column(sa.String(24), primary_key=True)
    owner: Mapped[str]
    door: Mapped[str]
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    request: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    status: Mapped[str] = mapped_column(sa.String(16))
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    loops: Mapped[list[Loop]] = relationship(order_by=Loop.take, lazy="selectin")


class RiffEvent(Base):
    """Something that happened to a riff; `seq` grows within a riff and is what a reader resumes from."""

    __tablename__ = "riff_event"
    __table_args__ = (sa.Index("ix_riff_event_riff", "riff_id", "seq"), {"sqlite_autoincrement": True})

    seq: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    riff_id: Mapped[str] = mapped_column(sa.ForeignKey("riff.id"))
    body: Mapped[dict[str, Any]] = mapped_column(sa.JSON)


class WorkerBeat(Base):
    """A worker's sign of life; `expires_at` is in seconds since 1970 by the database's clock."""

    __tablename__ = "worker_beat"

    executor_id: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[float] = mapped_column(sa.Double)
