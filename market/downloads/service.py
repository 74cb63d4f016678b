"""The rules of downloads: who gets a link, what a link opens, and what is written down about it."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy.ext.asyncio import AsyncSession

from market.accounts import personal
from market.accounts.models import Account
from market.api.actor import Actor
from market.catalog import service as catalog
from market.catalog.errors import LicenceNeeded, LoopRemoved
from market.catalog.models import Loop
from market.downloads import repository
from market.downloads.errors import LinkDead, LinkExpired, LinkForged
from market.errors import NotFound
from market.licensing import holders
from market.licensing.models import Grant
from market.settings import Settings

Format = Literal["wav", "flac", "mp3", "ogg", "opus", "stems", "zip"]
LINK_MINUTES, MAX_MINUTES = 60, 24 * 60
_SALT = "download"


@dataclass(frozen=True, slots=True)
class Link:
    """What a token says. `grant_code` is what the account holds the loop by; None for what is its own anyway."""

    loop_id: str
    format: Format
    grant_code: str | None
    account_id: str | None
    expires_at: datetime
    nonce: str

    @property
    def digest(self) -> str:
        """What it says as a SHA-256; several spellings of a token say the same."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Opened:
    """A link that may be used, with its loop and its licence."""

    link: Link
    loop: Loop
    grant: Grant | None


def link(
    settings: Settings,
    *,
    loop_id: str,
    format: Format,  # noqa: A002
    grant_code: str | None = None,
    account_id: str | None = None,
    minutes: int = LINK_MINUTES,
) -> str:
    """The path of a signed link that works for so many minutes, as long as the right behind it lasts."""
    expires = int((datetime.now(UTC) + timedelta(minutes=minutes)).timestamp())
    # Two links of one minute are two downloads.
    token = _signer(settings).dumps(
        [loop_id, format, grant_code, account_id, expires, secrets.token_urlsafe(9)]
    )
    return f"/v1/downloads/{token}"


def read(settings: Settings, token: str) -> Link:
    """What a link is for. Raises LinkForged and LinkExpired."""
    try:
        loop_id, format_, grant_code, account_id, expires, nonce = _signer(settings).loads(token)
    except (BadData, ValueError, TypeError):
        raise LinkForged from None
    expires_at = datetime.fromtimestamp(expires, UTC)
    if datetime.now(UTC) >= expires_at:
        raise LinkExpired
    return Link(loop_id, format_, grant_code, account_id, expires_at, nonce)


async def place(
    session: AsyncSession,
    settings: Settings,
    acting: Actor,
    loop_id: str,
    format: Format,  # noqa: A002
    minutes: int = LINK_MINUTES,
) -> tuple[str, datetime]:
    """A link for somebody who may have the files of a loop, and when it expires.

    Raises NotFound, LoopRemoved and LicenceNeeded.
    """
    loop, grant = await _right(session, loop_id, acting, None)
    if format == "stems" and not loop.stems:
        raise NotFound("stem", f"of this {loop.kind}")
    account_id = None if acting.account is None else acting.account.id
    path = link(
        settings,
        loop_id=loop.id,
        format=format,
        grant_code=None if grant is None else grant.code,
        account_id=account_id,
        minutes=minutes,
    )
    return path, read(settings, path.rpartition("/")[2]).expires_at


async def open_link(session: AsyncSession, settings: Settings, token: str) -> Opened:
    """What a link opens now. Raises LinkForged, LinkExpired, and LinkDead where the right behind it has ended."""
    found = read(settings, token)
    account = None if found.account_id is None else await session.get(Account, found.account_id)
    if found.account_id is not None and (account is None or account.deleted_at is not None):
        raise LinkDead
    acting = Actor("visitor:" if account is None else account.owner, account)
    try:
        loop, grant = await _right(session, found.loop_id, acting, found.grant_code)
    except (NotFound, LoopRemoved, LicenceNeeded):
        raise LinkDead from None
    return Opened(found, loop, grant)


async def start(
    session: AsyncSession, settings: Settings, opened: Opened, asked_range: str | None, address: str
) -> bool:
    """Write down that a download begins, or that it is taken up again; whether it is a new one."""
    now = datetime.now(UTC)
    values = {
        "link": opened.link.digest,
        "loop_id": opened.loop.id,
        "grant_code": opened.link.grant_code,
        "account_id": opened.link.account_id,
        "format": opened.link.format,
        "first_range": None if asked_range is None else asked_range[:64],
        "requests": 1,
        "bytes_sent": 0,
        "address": _blurred(settings, address, now),
        "started_at": now,
        "last_at": now,
    }
    return await repository.start(session, values)


async def sent(session: AsyncSession, digest: str, count: int) -> None:
    """Write down that so many bytes of a download have left."""
    await repository.add_bytes(session, digest, count, datetime.now(UTC))


async def count(session: AsyncSession, loop_id: str) -> int:
    """How often a loop was downloaded; one that was taken up again counts once."""
    return await repository.count(session, loop_id)


async def _right(
    session: AsyncSession, loop_id: str, acting: Actor, code: str | None
) -> tuple[Loop, Grant | None]:
    """A loop whose files somebody may have, and the licence that they have them by, if they need one.

    Of several licences it is the newest, or the one with that code. Raises NotFound, LoopRemoved and LicenceNeeded.
    """
    loop = (await catalog.open_files(session, loop_id, acting)).loop
    if acting.account is None:
        return loop, None
    grants = await holders.effective(session, loop_id, acting.account.id)
    if code is not None:
        grants = [grant for grant in grants if grant.code == code]
        if not grants:
            raise LicenceNeeded(loop_id)
    return loop, grants[-1] if grants else None


def _signer(settings: Settings) -> URLSafeSerializer:
    return URLSafeSerializer(settings.signing_key, salt=_SALT)


def _blurred(settings: Settings, address: str, now: datetime) -> str:
    """A digest of an address with a salt that nobody can compute without the key, and that is another one each day."""
    salt = hmac.new(
        settings.signing_key.encode(), f"{_SALT} {now:%Y-%m-%d}".encode(), hashlib.sha256
    ).digest()
    return hmac.new(salt, address.encode(), hashlib.sha256).hexdigest()[:32]


async def _exported(session: AsyncSession, account: Account) -> object:
    return [
        {
            "loop": row.loop_id,
            "format": row.format,
            "licence": row.grant_code,
            "bytes_sent": row.bytes_sent,
            "started_at": row.started_at.isoformat(),
        }
        for row in await repository.of_account(session, account.id)
    ]


async def _erase(session: AsyncSession, account: Account) -> None:
    await repository.forget(session, account.id)


personal.register("downloads", exported=_exported, erase=_erase)
