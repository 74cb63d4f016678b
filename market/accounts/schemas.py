"""Accounts on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from market.accounts.models import Account, ApiToken
from market.accounts.service import HANDLE, MAX_NAME_LENGTH
from market.accounts.tokens import MAX_DAYS, SCOPES

Scope = Literal["read", "riffs", "publish", "license", "community", "moderate", "admin"]
Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_LENGTH)]
Handle = Annotated[str, StringConstraints(min_length=3, max_length=40, pattern=f"^{HANDLE.pattern}$")]


class AccountOut(BaseModel):
    """Whoever is signed in. `roles` are member, creator, moderator and admin."""

    id: str
    handle: str
    name: str
    roles: list[str]
    created_at: datetime
    suspended_until: datetime | None

    @classmethod
    def of(cls, account: Account) -> "AccountOut":
        return cls(
            id=account.id,
            handle=account.handle,
            name=account.name,
            roles=list(account.roles),
            created_at=account.created_at,
            suspended_until=account.suspended_until,
        )


class AccountIn(BaseModel):
    """What may be changed of an account; what is not given stays."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    handle: Handle | None = None


class TokenIn(BaseModel):
    """A token to be made: for `days`, or until it is revoked. Every token may read."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    scopes: Annotated[list[Scope], Field(max_length=len(SCOPES))] = ["read"]
    days: Annotated[int, Field(ge=1, le=MAX_DAYS)] | None = None


class TokenOut(BaseModel):
    """A token as it is listed; `hint` are the last characters of its secret, `used_today` its requests of today."""

    id: str
    name: str
    hint: str
    scopes: list[str]
    daily_quota: int
    used_today: int
    created_at: datetime
    used_at: datetime | None
    expires_at: datetime | None

    @classmethod
    def of(cls, token: ApiToken, now: datetime) -> "TokenOut":
        return cls(**cls._fields(token, now))

    @staticmethod
    def _fields(token: ApiToken, now: datetime) -> dict[str, Any]:
        return {
            "id": token.id,
            "name": token.name,
            "hint": token.hint,
            "scopes": list(token.scopes),
            "daily_quota": token.daily_quota,
            "used_today": token.quota_used if token.quota_day == now.date() else 0,
            "created_at": token.created_at,
            "used_at": token.used_at,
            "expires_at": token.expires_at,
        }


class TokenMade(TokenOut):
    """A new token with its secret, `Authorization: Bearer <token>`: it is told here and never again."""

    token: str

    @classmethod
    def made(cls, token: ApiToken, secret: str, now: datetime) -> "TokenMade":
        return cls(**cls._fields(token, now), token=secret)


class TokensOut(BaseModel):
    """The tokens of whoever asks, the newest first."""

    tokens: list[TokenOut]


class ExportOut(BaseModel):
    """Everything that is stored about a person; other parts of the market add theirs by name."""

    model_config = ConfigDict(extra="allow")

    exported_at: datetime
    account: dict[str, object]
    identities: list[dict[str, object]]
    sessions: list[dict[str, object]]
    tokens: list[dict[str, object]]
    riffs: list[dict[str, object]]
    loops: list[dict[str, object]]
    uploads: list[dict[str, object]]
