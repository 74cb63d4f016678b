"""All the SQL of accounts."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from market.accounts.models import Account, ApiToken, Identity, KeptAnswer, SignInAttempt, WebSession
from market.db import UtcDateTime, insert_into
from market.studio.models import RiffOrder, Source

# The bot's table, which stands above the market: accounts are exported and deleted where no bot runs, too.
_delivery = sa.table(
    "delivery",
    sa.column("riff_id", sa.String),
    sa.column("state", sa.String),
    *(sa.column(name, sa.BigInteger) for name in ("user_id", "guild_id", "channel_id", "message_id")),
    sa.column("delivered_at", UtcDateTime),
)
PURGED_AT_ONCE = 200


async def get(session: AsyncSession, account_id: str) -> Account | None:
    return await session.get(Account, account_id)


async def locked(session: AsyncSession, account_id: str) -> Account | None:
    """The account as it is now, held until the end of the transaction."""
    query = sa.select(Account).where(Account.id == account_id).with_for_update()
    return await session.scalar(query, execution_options={"populate_existing": True})


async def by_handle(session: AsyncSession, handle: str) -> Account | None:
    return await session.scalar(sa.select(Account).where(Account.handle == handle))


async def by_subject(session: AsyncSession, subject: str) -> Account | None:
    query = sa.select(Account).join(Identity, Identity.account_id == Account.id)
    return await session.scalar(query.where(Identity.subject == subject))


async def claim_subject(session: AsyncSession, values: Mapping[str, Any]) -> bool:
    """Give a subject to an account; False when it is another's (by a transaction that just committed, too)."""
    statement = (
        insert_into(session, Identity).values(**values).on_conflict_do_nothing(index_elements=["subject"])
    )
    return await session.scalar(statement.returning(Identity.subject)) is not None


async def identities(session: AsyncSession, account_id: str) -> Sequence[Identity]:
    query = sa.select(Identity).where(Identity.account_id == account_id).order_by(Identity.created_at)
    return (await session.scalars(query)).all()


async def drop_account(session: AsyncSession, account_id: str) -> None:
    """Remove a row that nothing refers to yet."""
    await session.execute(sa.delete(Account).where(Account.id == account_id))


async def others_with_role(session: AsyncSession, role: str, account_id: str) -> int:
    """How many accounts besides this one have a role."""
    roles = await session.scalars(
        sa.select(Account.roles)
        .where(Account.id != account_id, Account.deleted_at.is_(None))
        # Few have a role beyond the first; JSON is searched as text on both databases.
        .where(sa.cast(Account.roles, sa.Text).contains(f'"{role}"', autoescape=True))
    )
    return sum(role in held for held in roles)


async def begin_attempt(session: AsyncSession, values: Mapping[str, Any], now: datetime) -> None:
    """Note a sign-in that begins; those that nobody ended are forgotten."""
    await _purge(session, SignInAttempt, SignInAttempt.expires_at < now)
    await session.execute(sa.insert(SignInAttempt).values(**values))


async def end_attempt(session: AsyncSession, state_sha256: str) -> SignInAttempt | None:
    """Take a sign-in out of the table: two that ask at once do not both get it."""
    statement = sa.delete(SignInAttempt).where(SignInAttempt.state_sha256 == state_sha256)
    return (await session.scalars(statement.returning(SignInAttempt))).first()


async def web_session(session: AsyncSession, session_id: str) -> tuple[WebSession, Account] | None:
    query = sa.select(WebSession, Account).join(Account, Account.id == WebSession.account_id)
    row = (await session.execute(query.where(WebSession.id == session_id))).first()
    return None if row is None else (row[0], row[1])


async def rotate(
    session: AsyncSession,
    session_id: str,
    seen_sha256: str,
    fresh_sha256: str,
    now: datetime,
    expires_at: datetime,
) -> bool:
    """Exchange a session's secret; False when somebody else has, or when the session is over."""
    statement = (
        sa.update(WebSession)
        .where(WebSession.id == session_id, WebSession.secret_sha256 == seen_sha256)
        .values(
            secret_sha256=fresh_sha256,
            former_sha256=seen_sha256,
            rotated_at=now,
            used_at=now,
            expires_at=expires_at,
        )
    )
    return await session.scalar(statement.returning(WebSession.id)) is not None


async def end_session(session: AsyncSession, session_id: str, account_id: str | None = None) -> bool:
    """End a session (of this account only, where one is named); whether there was one."""
    statement = sa.delete(WebSession).where(WebSession.id == session_id)
    if account_id is not None:
        statement = statement.where(WebSession.account_id == account_id)
    return await session.scalar(statement.returning(WebSession.id)) is not None


async def end_sessions(session: AsyncSession, account_id: str) -> None:
    await session.execute(sa.delete(WebSession).where(WebSession.account_id == account_id))


async def purge_sessions(session: AsyncSession, now: datetime) -> None:
    await _purge(session, WebSession, WebSession.expires_at < now)


async def sessions_of(session: AsyncSession, account_id: str, now: datetime) -> Sequence[WebSession]:
    """The sessions of an account that are not over, the last used first."""
    query = sa.select(WebSession).where(WebSession.account_id == account_id, WebSession.expires_at > now)
    return (await session.scalars(query.order_by(WebSession.used_at.desc(), WebSession.id))).all()


async def token(session: AsyncSession, secret_sha256: str) -> tuple[ApiToken, Account] | None:
    query = sa.select(ApiToken, Account).join(Account, Account.id == ApiToken.account_id)
    row = (await session.execute(query.where(ApiToken.secret_sha256 == secret_sha256))).first()
    return None if row is None else (row[0], row[1])


async def spend(session: AsyncSession, token_id: str, today: date, now: datetime) -> int | None:
    """Count one request of a token: how many it has sent today, or None when its quota is spent."""
    fresh = ApiToken.quota_day != today
    statement = (
        sa.update(ApiToken)
        .where(ApiToken.id == token_id, sa.or_(fresh, ApiToken.quota_used < ApiToken.daily_quota))
        .values(quota_day=today, quota_used=sa.case((fresh, 1), else_=ApiToken.quota_used + 1), used_at=now)
        .execution_options(synchronize_session=False)
    )
    used: int | None = await session.scalar(statement.returning(ApiToken.quota_used))
    return used


async def tokens_of(session: AsyncSession, account_id: str) -> Sequence[ApiToken]:
    """The tokens of an account that were not revoked, the newest first."""
    query = sa.select(ApiToken).where(ApiToken.account_id == account_id, ApiToken.revoked_at.is_(None))
    return (await session.scalars(query.order_by(ApiToken.created_at.desc(), ApiToken.id))).all()


async def revoke_token(session: AsyncSession, token_id: str, account_id: str, now: datetime) -> bool:
    """Revoke a token of this account; whether there was one."""
    statement = (
        sa.update(ApiToken)
        .where(ApiToken.id == token_id, ApiToken.account_id == account_id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return await session.scalar(statement.returning(ApiToken.id)) is not None


async def riffs_of(session: AsyncSession, owner: str) -> Sequence[RiffOrder]:
    query = sa.select(RiffOrder).where(RiffOrder.owner == owner).order_by(RiffOrder.created_at, RiffOrder.id)
    return (await session.scalars(query)).all()


async def deliveries_of(session: AsyncSession, owner: str) -> Sequence[sa.RowMapping]:
    """Where in chat an owner's riffs went, in the order of their ids."""
    query = sa.select(_delivery).where(_delivery.c.riff_id.in_(_riff_ids(owner)))
    return (await session.execute(query.order_by(_delivery.c.riff_id))).mappings().all()


async def uploads_of(session: AsyncSession, owner: str) -> Sequence[Source]:
    return (
        await session.scalars(sa.select(Source).where(Source.owner == owner).order_by(Source.created_at))
    ).all()


async def hand_over(session: AsyncSession, former: str, owner: str) -> None:
    """Make an owner's riffs and uploads another's; a sound that both brought is kept once."""
    await session.execute(sa.update(RiffOrder).where(RiffOrder.owner == former).values(owner=owner))
    theirs = {source.sha256: source for source in await uploads_of(session, owner)}
    for source in await uploads_of(session, former):
        known = theirs.get(source.sha256)
        if known is not None:
            known.used_at = max(known.used_at, source.used_at)
            await session.delete(source)
            continue
        # An upload's id says whose it is, so that the same sound of the same owner is one row.
        fresh = hashlib.sha256(f"{owner} {source.sha256}".encode()).hexdigest()[:24]
        await session.execute(sa.update(Source).where(Source.id == source.id).values(id=fresh, owner=owner))
    await session.flush()


async def erase(session: AsyncSession, account_id: str, owner: str, nobody: str) -> None:
    """Remove what tells who an account was; its riffs become nobody's."""
    # A channel may be the direct messages with the person; the token of an open delivery lasts for minutes.
    nowhere = {"user_id": 0, "guild_id": None, "channel_id": None, "message_id": None}
    theirs = sa.update(_delivery).where(_delivery.c.riff_id.in_(_riff_ids(owner)))
    await session.execute(theirs.values(**nowhere))
    await session.execute(sa.update(RiffOrder).where(RiffOrder.owner == owner).values(owner=nobody))
    await session.execute(sa.delete(Source).where(Source.owner == owner))
    await session.execute(sa.delete(KeptAnswer).where(KeptAnswer.owner == owner))
    for table in (WebSession, ApiToken, Identity):
        await session.execute(sa.delete(table).where(table.account_id == account_id))


async def keep_key(session: AsyncSession, values: Mapping[str, Any]) -> bool:
    """Claim an idempotency key; False when it is taken. Waits for a transaction that is about to decide it."""
    names = ["owner", "operation", "key_sha256"]
    statement = insert_into(session, KeptAnswer).values(**values).on_conflict_do_nothing(index_elements=names)
    return await session.scalar(statement.returning(KeptAnswer.owner)) is not None


async def kept_answer(
    session: AsyncSession, owner: str, operation: str, key_sha256: str
) -> KeptAnswer | None:
    return await session.get(KeptAnswer, (owner, operation, key_sha256))


async def answer_key(
    session: AsyncSession, owner: str, operation: str, key_sha256: str, answer: bytes
) -> None:
    statement = sa.update(KeptAnswer).where(
        KeptAnswer.owner == owner, KeptAnswer.operation == operation, KeptAnswer.key_sha256 == key_sha256
    )
    await session.execute(statement.values(answer=answer))


async def purge_keys(session: AsyncSession, before: datetime) -> None:
    await _purge(session, KeptAnswer, KeptAnswer.created_at < before)


async def _purge(session: AsyncSession, table: type[Any], old: sa.ColumnElement[bool]) -> None:
    """Delete some old rows, those that nobody else is deleting just now."""
    keys = sa.inspect(table).primary_key
    some = sa.select(*keys).where(old).limit(PURGED_AT_ONCE).with_for_update(skip_locked=True)
    found = [tuple(row) for row in await session.execute(some)]
    if found:
        await session.execute(
            sa.delete(table).where(sa.tuple_(*keys).in_(found)).execution_options(synchronize_session=False)
        )


def _riff_ids(owner: str) -> sa.Select[str]:
    return sa.select(RiffOrder.id).where(RiffOrder.owner == owner)
