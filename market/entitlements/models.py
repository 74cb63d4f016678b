"""The table of entitlements."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from market.db import Base, UtcDateTime


class Entitlement(Base):
    """Something bought on Discord, with Discord's ids: for a person, or by a person for a server.

    `told_at` is when Discord last told of it. `deleted` is Discord's word for refunded, or taken back. Of one whose
    person has left, `user_id` is None and `forgotten` true, so that Discord's telling it again does not bring it back.
    """

    __tablename__ = "entitlement"
    __table_args__ = (sa.Index("ix_entitlement_user", "user_id"),)

    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    sku_id: Mapped[int] = mapped_column(sa.BigInteger)
    user_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    guild_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    starts_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    consumed: Mapped[bool]
    deleted: Mapped[bool]
    forgotten: Mapped[bool]
    told_at: Mapped[datetime] = mapped_column(UtcDateTime)
