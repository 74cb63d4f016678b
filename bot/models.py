"""Where riffs that were asked for in chat have to arrive."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from market.db import Base, UtcDateTime


class Delivery(Base):
    """One riff's way back into chat; written with its order, kept after it arrived.

    `state` is "open", "delivered", "undeliverable" or, once somebody deleted its message, "deleted". The interaction's
    token, which can write into the channel, is forgotten when the row leaves "open". `language` is that of what
    everybody sees. `posted_event_seq` is the last progress event that was shown.
    """

    __tablename__ = "delivery"
    __table_args__ = (Index("ix_delivery_state", "state"), Index("ix_delivery_message", "message_id"))

    riff_id: Mapped[str] = mapped_column(ForeignKey("riff.id"), primary_key=True)
    state: Mapped[str] = mapped_column(String(16), default="open")
    language: Mapped[str] = mapped_column(String(8), default="en", server_default="en")
    application_id: Mapped[int] = mapped_column(BigInteger)
    interaction_token: Mapped[str | None] = mapped_column(Text)
    token_expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    guild_id: Mapped[int | None] = mapped_column(BigInteger)
    channel_id: Mapped[int | None] = mapped_column(BigInteger)
    message_id: Mapped[int | None] = mapped_column(BigInteger)
    user_id: Mapped[int] = mapped_column(BigInteger)
    filesize_limit: Mapped[int] = mapped_column(BigInteger)
    posted_event_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(Text)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
