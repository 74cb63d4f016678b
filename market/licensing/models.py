"""The tables of licensing. None of their rows is ever deleted, and the database itself refuses to change them."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from market.db import Base, UtcDateTime


class Key(Base):
    """A public key that licences are signed with: `id` is its thumbprint (RFC 7638), `public` its 32 bytes.

    What was granted after `valid_until` is not signed by it, whatever a file says. The private half is not here.
    """

    __tablename__ = "licence_key"

    id: Mapped[str] = mapped_column(sa.String(43), primary_key=True)
    public: Mapped[bytes] = mapped_column(sa.LargeBinary)
    valid_from: Mapped[datetime] = mapped_column(UtcDateTime)
    valid_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Grant(Base):
    """A licence as it was given. `document` is what was signed, as canonical JSON; the columns say the same.

    `intent` names what it was given for (an order, a request), so that nothing is granted twice. `show_licensee` is the
    licensee's choice of whether whoever has the code may read the name and the project.
    """

    __tablename__ = "licence_grant"
    __table_args__ = (
        sa.Index("ix_licence_grant_loop", "loop_id", "account_id"),
        sa.Index("ix_licence_grant_account", "account_id", "granted_at"),
        sa.Index("ix_licence_grant_sound", "loop_sha256", "tier"),
        sa.Index("ix_licence_grant_granted", "granted_at", "code"),
    )

    code: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    intent: Mapped[str] = mapped_column(sa.String(200), unique=True)
    tier: Mapped[str] = mapped_column(sa.String(16))
    terms_version: Mapped[str] = mapped_column(sa.String(16))
    terms_sha256: Mapped[str] = mapped_column(sa.String(64))
    uses: Mapped[list[str]] = mapped_column(sa.JSON)
    limits: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    loop_id: Mapped[str] = mapped_column(sa.ForeignKey("loop.id"))
    loop_sha256: Mapped[str] = mapped_column(sa.String(64))
    loop_title: Mapped[str] = mapped_column(sa.String(100))
    creator_id: Mapped[str] = mapped_column(sa.ForeignKey("account.id"))
    creator_name: Mapped[str] = mapped_column(sa.String(80))
    account_id: Mapped[str] = mapped_column(sa.ForeignKey("account.id"))
    licensee: Mapped[str] = mapped_column(sa.String(120))
    project: Mapped[str] = mapped_column(sa.String(160))
    show_licensee: Mapped[bool]
    channels: Mapped[list[dict[str, str]]] = mapped_column(sa.JSON)
    price_cents: Mapped[int]
    currency: Mapped[str] = mapped_column(sa.String(3))
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    document: Mapped[str] = mapped_column(sa.Text)
    key_id: Mapped[str] = mapped_column(sa.ForeignKey("licence_key.id"))
    signature: Mapped[bytes] = mapped_column(sa.LargeBinary)
    revocation: Mapped["Revocation | None"] = relationship(lazy="selectin", viewonly=True)


class Revocation(Base):
    """The end of a licence: why, by whom and when. There is one at most, and none is taken back."""

    __tablename__ = "licence_revocation"
    __table_args__ = (sa.Index("ix_licence_revocation_revoked", "revoked_at", "code"),)

    code: Mapped[str] = mapped_column(sa.ForeignKey("licence_grant.code"), primary_key=True)
    reason: Mapped[str] = mapped_column(sa.String(500))
    revoked_by: Mapped[str] = mapped_column(sa.String(80))
    revoked_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Channel(Base):
    """A channel that a licence covers, from when until when. Taken off the list it keeps its row."""

    __tablename__ = "licence_channel"
    __table_args__ = (
        sa.Index("ix_licence_channel_url", "url"),
        sa.Index("ix_licence_channel_code", "code"),
        sa.Index(
            "uq_licence_channel_listed",
            "code",
            "url",
            unique=True,
            sqlite_where=sa.text("removed_at IS NULL"),
            postgresql_where=sa.text("removed_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(sa.String(24), primary_key=True)
    code: Mapped[str] = mapped_column(sa.ForeignKey("licence_grant.code"))
    platform: Mapped[str] = mapped_column(sa.String(16))
    url: Mapped[str] = mapped_column(sa.String(300))
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
