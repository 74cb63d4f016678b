"""The loop: one finished take, which never changes."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from market.db import Base, UtcDateTime


class Loop(Base):
    """One take of a riff. `wav`, `mp3`, `png` and `peaks` are storage keys; `sha256` is that of its PCM."""

    __tablename__ = "loop"
    __table_args__ = (
        sa.UniqueConstraint("riff_id", "take"),
        sa.Index("ix_loop_recent", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    riff_id: Mapped[str] = mapped_column(sa.ForeignKey("riff.id"))
    take: Mapped[int]
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
