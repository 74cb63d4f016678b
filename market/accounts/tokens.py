"""Personal tokens for programs: `Authorization: Bearer riff_…`. Only their SHA-256 is kept."""

import hashlib
import re
import secrets
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from generation import fields
from generation.errors import InvalidRequest
from market.accounts import repository
from market.accounts.errors import QuotaSpent, TokenRefused, TooManyTokens
from market.accounts.models import Account, ApiToken
from market.accounts.service import MAX_NAME_LENGTH
from market.audit import service as audit
from market.errors import NotFound

# What a token may be good for; every one may read.
SCOPES = ("read", "riffs", "publish", "license", "community", "moderate", "admin")
MAX_TOKENS = 20
MAX_DAYS = 366
SECRET = re.compile("riff_[0-9A-Za-z_-]{43}")
TOKEN_ID = re.compile("[0-9a-f]{24}")


async def issue(
    session: AsyncSession,
    account: Account,
    *,
    name: str,
    scopes: Collection[str],
    days: int | None,
    daily_quota: int,
) -> tuple[ApiToken, str]:
    """A new token and its secret, which nobody can tell again. Raises InvalidRequest and TooManyTokens."""
    wanted = fields.text("name", name, "The name")
    if not 1 <= len(wanted) <= MAX_NAME_LENGTH:
        raise InvalidRequest("name", f"The name has to have 1 to {MAX_NAME_LENGTH} characters.")
    if unknown := [scope for scope in scopes if scope not in SCOPES]:
        raise InvalidRequest(
            "scopes", f"A scope is one of {', '.join(SCOPES)}, not {fields.quoted(unknown[0])}."
        )
    if days is not None and not 1 <= days <= MAX_DAYS:
        raise InvalidRequest("days", f"A token is good for 1 to {MAX_DAYS} days, or until it is revoked.")
    await repository.locked(session, account.id)
    if len(await repository.tokens_of(session, account.id)) >= MAX_TOKENS:
        raise TooManyTokens(MAX_TOKENS)
    now = datetime.now(UTC)
    secret = f"riff_{secrets.token_urlsafe(32)}"
    token = ApiToken(
        id=secrets.token_hex(12),
        account_id=account.id,
        name=wanted,
        secret_sha256=_digest(secret),
        hint=secret[-4:],
        scopes=[scope for scope in SCOPES if scope == "read" or scope in scopes],
        daily_quota=daily_quota,
        quota_day=now.date(),
        quota_used=0,
        created_at=now,
        expires_at=None if days is None else now + timedelta(days=days),
    )
    session.add(token)
    await audit.record(session, account.owner, "token.issue", f"token:{token.id}", scopes=token.scopes)
    await session.flush()
    return token, secret


async def find(session: AsyncSession, secret: str, now: datetime) -> tuple[ApiToken, Account]:
    """The token with this secret, and whose it is. Raises TokenRefused."""
    row = await repository.token(session, _digest(secret)) if SECRET.fullmatch(secret) else None
    if row is None or row[1].deleted_at is not None:
        raise TokenRefused("is not one of ours")
    if row[0].revoked_at is not None:
        raise TokenRefused("was revoked")
    if row[0].expires_at is not None and row[0].expires_at <= now:
        raise TokenRefused("has expired")
    return row


async def spend(session: AsyncSession, token: ApiToken, now: datetime) -> int:
    """Count a request of a token; how many it has left today. Raises QuotaSpent."""
    used = await repository.spend(session, token.id, now.date(), now)
    if used is None:
        raise QuotaSpent(token.daily_quota, seconds_left(now))
    return token.daily_quota - used


async def of_account(session: AsyncSession, account: Account) -> Sequence[ApiToken]:
    """The tokens of an account, the newest first; those that expired too, until they are revoked."""
    return await repository.tokens_of(session, account.id)


async def revoke(session: AsyncSession, account: Account, token_id: str) -> None:
    """Make a token of this account open nothing more. Raises NotFound, for somebody else's too."""
    known = TOKEN_ID.fullmatch(token_id)
    if not known or not await repository.revoke_token(session, token_id, account.id, datetime.now(UTC)):
        raise NotFound("token", fields.quoted(token_id))
    await audit.record(session, account.owner, "token.revoke", f"token:{token_id}")


def seconds_left(now: datetime) -> int:
    """How long a day lasts yet, in UTC: when quotas begin anew."""
    return 86_400 - (now.hour * 3600 + now.minute * 60 + now.second)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
