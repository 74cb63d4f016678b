"""The loop: one finished take, which never changes."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

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
