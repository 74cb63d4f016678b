"""The rules of accounts: who is one person, what they are called, which roles they have, how they leave."""

import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from generation import fields
from generation.errors import InvalidRequest
from market.accounts import personal, repository
from market.accounts.errors import HandleTaken, LastAdmin, Suspended
from market.accounts.models import Account, Identity
from market.audit import service as audit
from market.errors import NotFound
from market.moderation import words

ROLES = ("member", "creator", "moderator", "admin")
MAX_NAME_LENGTH = 80
HANDLE = re.compile("[a-z0-9](?:-?[a-z0-9]){2,38}")
# Handles that would look as if the house itself spoke.
RESERVED = frozenset({
    "admin", "administrator", "creator", "deleted", "discord", "everyone", "here", "member", "moderator", "nobody",
    "official", "riff", "riffmarket", "root", "support", "system",
})  # fmt: skip
# Who was only known by a number so far: the first meeting tells the name.
UNNAMED = "Someone"
DELETED_NAME = "Somebody who left"
# Whom the riffs of people who left belong to: nobody can be it.
NOBODY = "nobody"
_DISCORD_ID = re.compile("[0-9]{1,20}")


async def create(
    session: AsyncSession, subject: str, name: str, roles: tuple[str, ...] = ("member",)
) -> Account:
    """A new account for a subject ("discord:<user id>", "local:<name>"); the one there is, if it has one."""
    known = await repository.by_subject(session, subject)
    if known is not None:
        return known
    now = datetime.now(UTC)
    name = plain_name(name)
    account = Account(
        id=secrets.token_hex(12), handle=_fresh_handle(name), name=name, roles=list(roles), created_at=now
    )
    session.add(account)
    await session.flush()
    if await repository.claim_subject(
        session, {"subject": subject, "account_id": account.id, "created_at": now}
    ):
        await audit.record(session, account.owner, "account.create", account.owner)
        return account
    # Another door met the same person at the same moment.
    await repository.drop_account(session, account.id)
    session.expunge(account)
    return await create(session, subject, name, roles)


async def of_discord(session: AsyncSession, user_id: int | str, name: str) -> Account:
    """The account of a person on Discord, in chat and on the web alike; made when it is the first time."""
    if not _DISCORD_ID.fullmatch(str(user_id)):
        raise InvalidRequest("user_id", f"{fields.quoted(user_id)} is not the id of a person on Discord.")
    account = await create(session, f"discord:{user_id}", name)
    if account.name == UNNAMED != plain_name(name):
        account.name, account.handle = plain_name(name), _fresh_handle(name)
        await session.flush()
    return account


async def get(session: AsyncSession, account_id: str) -> Account:
    """An account, one that was deleted too. Raises NotFound."""
    account = await repository.get(session, account_id)
    if account is None:
        raise NotFound("account", fields.quoted(account_id))
    return account


async def by_handle(session: AsyncSession, handle: str) -> Account:
    """The account with this handle. Raises NotFound, for one that was deleted too."""
    account = await repository.by_handle(session, handle) if HANDLE.fullmatch(handle) else None
    if account is None or account.deleted_at is not None:
        raise NotFound("account", fields.quoted(handle))
    return account


async def of_name(session: AsyncSession, who: str) -> Account:
    """The account that an operator means by a handle or "discord:<user id>"; the latter is made if need be."""
    kind, colon, user_id = who.partition(":")
    if colon and kind == "discord":
        return await of_discord(session, user_id, UNNAMED)
    return await by_handle(session, who.removeprefix("@"))


async def known(session: AsyncSession, subject: str) -> Account | None:
    """The account of a subject, if it has one: nothing is made for who only looks."""
    return await repository.by_subject(session, subject)


async def identities(session: AsyncSession, account: Account) -> Sequence[Identity]:
    """The ways to sign in to an account."""
    return await repository.identities(session, account.id)


def require_active(account: Account) -> None:
    """Raise Suspended for an account that may not act just now."""
    if account.suspended_until is not None and account.suspended_until > datetime.now(UTC):
        raise Suspended(account.suspended_until)


async def change(
    session: AsyncSession, account_id: str, *, name: str | None = None, handle: str | None = None
) -> Account:
    """Another name or handle, where they are given. Raises InvalidRequest and HandleTaken."""
    await words.require(session, {"name": name or "", "handle": handle or ""})
    account = await _locked(session, account_id)
    if name is not None:
        wanted = fields.text("name", name, "The name")
        if not 1 <= len(wanted) <= MAX_NAME_LENGTH:
            raise InvalidRequest("name", f"The name has to have 1 to {MAX_NAME_LENGTH} characters.")
        account.name = wanted
    if handle is not None and handle != account.handle:
        if not HANDLE.fullmatch(handle):
            raise InvalidRequest(
                "handle", "A handle has 3 to 40 of a to z, 0 to 9 and single hyphens between them."
            )
        if handle in RESERVED or not await _take_handle(session, account, handle):
            raise HandleTaken(handle)
    await session.flush()
    return account


async def set_role(session: AsyncSession, account_id: str, role: str, has: bool, by: str) -> Account:
    """Give or take a role. Raises InvalidRequest, and LastAdmin where nobody would be left to administer."""
    if role not in ROLES[1:]:
        raise InvalidRequest("role", f"A role is one of {', '.join(ROLES[1:])}, not {fields.quoted(role)}.")
    account = await _locked(session, account_id)
    if has == (role in account.roles):
        return account
    if not has and role == "admin" and not await repository.others_with_role(session, role, account.id):
        raise LastAdmin
    account.roles = [each for each in ROLES if (has if each == role else each in account.roles)]
    await audit.record(session, by, "account.role", account.owner, role=role, has=has)
    await session.flush()
    return account


async def suspend(
    session: AsyncSession, account_id: str, until: datetime | None, by: str, reason: str
) -> Account:
    """Let an account only look until a moment; None lets it act again."""
    account = await _locked(session, account_id)
    account.suspended_until = until
    moment = None if until is None else until.isoformat()
    await audit.record(session, by, "account.suspend", account.owner, until=moment, reason=reason)
    await session.flush()
    return account


async def sign_in(session: AsyncSession, account: Account, visitor: str | None) -> None:
    """A visitor turns out to be this account: what the visitor made and brought is the account's now."""
    if visitor is None or not visitor.startswith("visitor:"):
        return
    await repository.hand_over(session, visitor, account.owner)
    for part in personal.every().values():
        if part.hand_over is not None:
            await part.hand_over(session, visitor, account)


async def export(session: AsyncSession, account_id: str) -> dict[str, Any]:
    """Everything that is stored about a person, as JSON can say it."""
    account = await get(session, account_id)
    now = datetime.now(UTC)
    riffs = await repository.riffs_of(session, account.owner)
    return {
        "exported_at": now.isoformat(),
        "account": {
            "id": account.id,
            "handle": account.handle,
            "name": account.name,
            "roles": account.roles,
            "created_at": account.created_at.isoformat(),
            "suspended_until": account.suspended_until and account.suspended_until.isoformat(),
        },
        "identities": [
            {"subject": each.subject, "since": each.created_at.isoformat()}
            for each in await repository.identities(session, account.id)
        ],
        "sessions": [
            {
                "user_agent": each.user_agent,
                "created_at": each.created_at.isoformat(),
                "used_at": each.used_at.isoformat(),
            }
            for each in await repository.sessions_of(session, account.id, now)
        ],
        "tokens": [
            {
                "id": each.id,
                "name": each.name,
                "scopes": each.scopes,
                "created_at": each.created_at.isoformat(),
                "used_at": each.used_at and each.used_at.isoformat(),
            }
            for each in await repository.tokens_of(session, account.id)
        ],
        "riffs": [
            {
                "id": riff.id,
                "door": riff.door,
                "request": riff.request,
                "status": riff.status,
                "created_at": riff.created_at.isoformat(),
                "finished_at": riff.finished_at and riff.finished_at.isoformat(),
            }
            for riff in riffs
        ],
        "loops": [
            {
                "id": loop.id,
                "riff_id": riff.id,
                "recipe": loop.recipe,
                "created_at": loop.created_at.isoformat(),
            }
            for riff in riffs
            for loop in riff.loops
        ],
        "messages": [
            {
                "riff_id": each.riff_id,
                "state": each.state,
                "person": str(each.user_id),
                "server": each.guild_id and str(each.guild_id),
                "channel": each.channel_id and str(each.channel_id),
                "message": each.message_id and str(each.message_id),
                "delivered_at": each.delivered_at and each.delivered_at.isoformat(),
            }
            for each in await repository.deliveries_of(session, account.owner)
        ],
        "uploads": [
            {
                "id": source.id,
                "name": source.name,
                "sha256": source.sha256,
                "seconds": source.seconds,
                "created_at": source.created_at.isoformat(),
            }
            for source in await repository.uploads_of(session, account.owner)
        ],
        **{
            name: await part.exported(session, account)
            for name, part in personal.every().items()
            if part.exported is not None
        },
    }


async def delete(session: AsyncSession, account_id: str, confirm: str) -> None:
    """Remove what tells who somebody is. `confirm` is the account's handle, so that nobody does it by mistake.

    Names, ways to sign in, sessions, tokens, uploads, unfinished riffs and where in chat riffs went go; messages stay
    in chat. Grants stay, with the account's id and no name, because a licence is a contract; loops that others have
    licensed stay with them.
    Raises InvalidRequest and LastAdmin.
    """
    account = await _locked(session, account_id)
    if confirm != account.handle:
        raise InvalidRequest("confirm", f"To delete this account, confirm with its handle, {account.handle}.")
    if "admin" in account.roles and not await repository.others_with_role(session, "admin", account.id):
        raise LastAdmin
    for part in personal.every().values():
        if part.erase is not None:
            await part.erase(session, account)
    await session.flush()
    await repository.erase(session, account.id, account.owner, NOBODY)
    account.handle = f"deleted-{account.id}"
    account.name = DELETED_NAME
    account.roles = []
    account.deleted_at = datetime.now(UTC)
    await audit.record(session, account.owner, "account.delete", account.owner)
    await session.flush()


def plain_name(name: str) -> str:
    """A name from elsewhere as we show it: on one line, printable, not empty."""
    printable = "".join(character if character.isprintable() else " " for character in name)
    return " ".join(printable.split())[:MAX_NAME_LENGTH].strip() or UNNAMED


async def _locked(session: AsyncSession, account_id: str) -> Account:
    account = await repository.locked(session, account_id)
    if account is None or account.deleted_at is not None:
        raise NotFound("account", fields.quoted(account_id))
    return account


async def _take_handle(session: AsyncSession, account: Account, handle: str) -> bool:
    try:
        async with session.begin_nested():
            account.handle = handle
            await session.flush()
    except IntegrityError:
        return False
    return True


def _fresh_handle(name: str) -> str:
    slug = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:24].strip("-") or "someone"
    return f"{slug}-{secrets.token_hex(3)}"
