"""The tables of the audit log. Rows of both are only ever added: triggers of the database refuse everything else."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from market.db import Base, UtcDateTime

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


class AuditEntry(Base):
    """Who did what to what. `actor` and `subject` are "noun:id", `action` is "noun.verb"."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        sa.Index("ix_audit_entry_subject", "subject", "id"),
        sa.Index("ix_audit_entry_actor", "actor", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(sa.String(80))
    action: Mapped[str] = mapped_column(sa.String(60))
    subject: Mapped[str] = mapped_column(sa.String(120))
    details: Mapped[dict[str, Any]] = mapped_column(sa.JSON)


class AuditLink(Base):
    """An entry's place in the chain: `digest` covers the entry and the digest of the link before.

    Links are made after the fact, by one process at a time, so that nobody who writes an entry waits for another.
    """

    __tablename__ = "audit_link"

    position: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(sa.ForeignKey("audit_entry.id"), unique=True)
    digest: Mapped[str] = mapped_column(sa.String(64))
