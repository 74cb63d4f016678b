"""The order, what happens to it, and the signs of life of those who work on it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from generation.request import SAMPLE_RATE
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
# Where the sounds are that people brought: sources/<sha256>.wav
SOURCES = "sources/"


def folder(riff_id: str) -> str:
    """Where the files of a riff's loops are."""
    return f"loops/{riff_id}/"


class RiffOrder(Base):
    """One riff as it was ordered. `error` is the sentence that a failed one ended with.

    `source` is the SHA-256 of the sound that it starts from, where there is one.
    """

    __tablename__ = "riff"
    __table_args__ = (
        sa.Index("ix_riff_queue", "status", "created_at", "id"),
        sa.Index("ix_riff_owner", "owner", "status"),
        sa.Index("ix_riff_finished", "status", "finished_at"),
        sa.Index("ix_riff_source", "source"),
    )

    id: Mapped[str] = mapped_column(sa.String(24), primary_key=True)
    owner: Mapped[str]
    door: Mapped[str]
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    request: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    source: Mapped[str | None] = mapped_column(sa.String(64))
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


class Source(Base):
    """A sound that a person brought; `sha256` is that of its 24-bit PCM, under which the storage has it.

    `bpm`, `metre`, `downbeat` (in samples) and `confidence` (0 to 1) are what was heard in it.
    """

    __tablename__ = "source"
    __table_args__ = (
        sa.UniqueConstraint("owner", "sha256"),
        sa.Index("ix_source_sha256", "sha256"),
        sa.Index("ix_source_owner", "owner", "created_at"),
        sa.Index("ix_source_used", "used_at"),
    )

    id: Mapped[str] = mapped_column(sa.String(24), primary_key=True)
    owner: Mapped[str]
    sha256: Mapped[str] = mapped_column(sa.String(64))
    name: Mapped[str]
    samples: Mapped[int]
    bpm: Mapped[float] = mapped_column(sa.Double)
    metre: Mapped[str] = mapped_column(sa.String(8))
    downbeat: Mapped[int]
    confidence: Mapped[float] = mapped_column(sa.Double)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def key(self) -> str:
        """Where the storage has the sound."""
        return source_key(self.sha256)

    @property
    def seconds(self) -> float:
        return self.samples / SAMPLE_RATE


def source_key(digest: str) -> str:
    """Where the storage has the sound with this SHA-256, if somebody brought it."""
    return f"{SOURCES}{digest}.wav"


class WorkerBeat(Base):
    """A worker's sign of life; `expires_at` is in seconds since 1970 by the database's clock."""

    __tablename__ = "worker_beat"

    executor_id: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[float] = mapped_column(sa.Double)
