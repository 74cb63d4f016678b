"""The tables of accounts."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from market.db import Base, UtcDateTime


class Account(Base):
    """One person, in chat and on the web alike. `roles` are those of market.accounts.service.ROLES.

    A deleted account keeps its row, without anything that tells who it was: what it licensed stays licensed.
    """

    __tablename__ = "account"

    id: Mapped[str] = mapped_column(sa.String(24), primary_key=True)
    handle: Mapped[str] = mapped_column(sa.String(40), unique=True)
    name: Mapped[str] = mapped_column(sa.String(80))
    roles: Mapped[list[str]] = mapped_column(sa.JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    suspended_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def owner(self) -> str:
        """What its riffs and uploads have as their owner."""
        return f"account:{self.id}"


class Identity(Base):
    """A way to be known: subject "discord:<user id>", or "local:<handle>" of a development machine."""

    __tablename__ = "identity"

    subject: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    account_id: Mapped[str] = mapped_column(sa.ForeignKey("account.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SignInAttempt(Base):
    """A sign-in that was begun at Discord and may end once, in the browser that began it, until `expires_at`."""

    __tablename__ = "sign_in_attempt"

    state_sha256: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    browser_sha256: Mapped[str] = mapped_column(sa.String(64))
    verifier: Mapped[str] = mapped_column(sa.String(128))
    next_path: Mapped[str] = mapped_column(sa.String(500))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class WebSession(Base):
    """A browser that is signed in. Its cookie holds the secret; here is the hash of it and of the one before."""

    __tablename__ = "web_session"

    id: Mapped[str] = mapped_column(sa.String(24), primary_key=True)
    account_id: Mapped[str] = mapped_column(sa.ForeignKey("account.id"), index=True)
    secret_sha256: Mapped[str] = mapped_column(sa.String(64))
    former_sha256: Mapped[str | None] = mapped_column(sa.String(64))
    user_agent: Mapped[str] = mapped_column(sa.String(300))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    rotated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class ApiToken(Base):
    """A personal token; `hint` is its last four characters. `quota_used` counts the requests of `quota_day` (UTC)."""

    __tablename__ = "api_token"

    id: Mapped[str] = mapped_column(sa.String(24), primary_key=True)
    account_id: Mapped[str] = mapped_column(sa.ForeignKey("account.id"), index=True)
    name: Mapped[str] = mapped_column(sa.String(80))
    secret_sha256: Mapped[str] = mapped_column(sa.String(64), unique=True)
    hint: Mapped[str] = mapped_column(sa.String(4))
    scopes: Mapped[list[str]] = mapped_column(sa.JSON)
    daily_quota: Mapped[int]
    quota_day: Mapped[date] = mapped_column(sa.Date)
    quota_used: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class KeptAnswer(Base):
    """What a request with an Idempotency-Key was answered. `answer` is encrypted: some hold a secret, shown once."""

    __tablename__ = "kept_answer"

    owner: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    operation: Mapped[str] = mapped_column(sa.String(300), primary_key=True)
    key_sha256: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    request_sha256: Mapped[str] = mapped_column(sa.String(64))
    answer: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
