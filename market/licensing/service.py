"""The rules of licences: who gets one, that nothing is granted twice, how one ends, which channels it covers.

Every function takes a session; those that write want one from `Database.write`.
"""

import hashlib
import html
import json
import secrets
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value

from generation import fields
from generation.errors import InvalidRequest
from market.accounts import personal
from market.accounts.models import Account
from market.audit import service as audit
from market.catalog import service as catalog
from market.catalog.models import Listing, ListingStatus, Loop
from market.errors import NotFound
from market.licensing import channels as addresses
from market.licensing import codes, document, holders, keys, repository, tiers
from market.licensing.channels import ChannelAddress
from market.licensing.errors import (
    IntentReused,
    LicenceRevoked,
    NotOffered,
    NotYourLicence,
    OwnLoop,
    PaymentNeeded,
    TooManyChannels,
    TooManyLicences,
)
from market.licensing.models import Channel, Grant, Key, Revocation
from market.licensing.tiers import Tier

MAX_LICENSEE = 120
MAX_PROJECT = 160
MAX_REASON = 500
MAX_FREE_A_DAY = 100
MAX_PAGE = 100
# How often the whole list of channels may be changed within a year.
LISTS_A_YEAR = 3
_YEAR = timedelta(days=365)
# They turn the letters around them about: a name with them reads otherwise than it is written.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class Offer:
    """What a licence of a loop costs in a tier."""

    tier: Tier
    price_cents: int
    currency: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of checking a signed file: `authentic` says that a key of ours signed it, `valid` that it holds."""

    authentic: bool
    valid: bool
    sentence: str
    grant: Grant | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of somebody's licences, newest first; `next_cursor` is None at its end."""

    grants: Sequence[Grant]
    next_cursor: str | None


async def offer(session: AsyncSession, loop_id: str, tier: str) -> Offer:
    """What a tier of a loop costs now. Raises InvalidRequest, NotFound and NotOffered.

    A checkout asks this before anything is paid, and `grant` when it is.
    """
    chosen = tiers.get(tier)
    return _priced(await _offered(session, loop_id), chosen)


async def offers(session: AsyncSession, loop_id: str) -> Sequence[Offer]:
    """Every tier that a loop can be had in now, from the least to the most; none where it is not on the market."""
    try:
        listing = await _offered(session, loop_id)
    except NotOffered:
        return []
    names = [
        tier
        for tier in tiers.every().values()
        if tier.name in listing.prices or (listing.free and not tier.price_cents)
    ]
    return [_priced(listing, tier) for tier in names]


async def grant(
    session: AsyncSession,
    *,
    loop: Loop,
    tier: str,
    licensee: str,
    account: Account,
    project: str,
    channels: Sequence[Mapping[str, str | None]],
    price_cents: int,
    currency: str,
    intent: str,
    show_licensee: bool = False,
) -> Grant:
    """Give a licence, whole and signed. The same intent again gives the same licence again.

    `channels` are {"url": …, "platform": …}, of which the platform may be missing; `intent` names what it is given
    for, like "order:123". An exclusive one takes the loop off the market in the same transaction; of two at once one
    is refused. Whether the price is right is for the caller to know. Raises InvalidRequest, NotFound, NotOffered,
    OwnLoop, IntentReused and KeyUnusable.
    """
    chosen = tiers.get(tier)
    licensee = _line("licensee", licensee, MAX_LICENSEE)
    project = _line("project", project, MAX_PROJECT)
    listed = _listed(channels, chosen)
    told = [{"platform": each.platform, "url": each.url} for each in listed]
    values: dict[str, Any] = {
        "tier": tier,
        "loop_id": loop.id,
        "account_id": account.id,
        "licensee": licensee,
        "project": project,
        "show_licensee": show_licensee,
        "channels": told,
        "price_cents": price_cents,
        "currency": currency,
    }
    known = await repository.by_intent(session, intent)
    if known is None:
        await repository.hold_listing(session, loop.id)
        # Whoever held the loop meanwhile may have granted this very intent.
        known = await repository.by_intent(session, intent)
    if known is not None:
        return _same(known, values)
    listing = await _offered(session, loop.id)
    if listing.creator_id == account.id:
        raise OwnLoop
    if await holders.exclusive_of(session, loop.sha256) is not None:
        raise NotOffered("Somebody holds this loop exclusively: no new licence is granted for it.")
    made = await _row(session, loop, listing, chosen, values | {"intent": intent})
    if not await repository.insert(session, made):
        # Only the same intent for another loop, which nobody held, can come this far.
        raise IntentReused
    set_committed_value(made, "revocation", None)
    for each in listed:
        session.add(_channel(made, each, made.granted_at))
    await session.flush()
    await audit.record(
        session,
        account.owner,
        "licence.grant",
        f"licence:{made.code}",
        tier=tier,
        loop=loop.id,
        intent=intent,
    )
    if chosen.exclusive:
        await catalog.set_status(session, loop.id, ListingStatus.DELISTED)
    return made


async def take(
    session: AsyncSession,
    *,
    loop_id: str,
    tier: str,
    licensee: str,
    account: Account,
    project: str,
    channels: Sequence[Mapping[str, str | None]],
    show_licensee: bool = False,
) -> tuple[Grant, bool]:
    """A licence that costs nothing, for whoever asks for one; and whether it is a new one.

    The same wish again gives the same licence. Raises PaymentNeeded for what costs money, TooManyLicences,
    LicenceRevoked where that one was revoked, and what `grant` raises.
    """
    chosen = tiers.get(tier)
    intent = _intent("free", account, [loop_id, tier, licensee, project, channels, show_licensee])
    known = await repository.by_intent(session, intent)
    if known is None:
        priced = _priced(await _offered(session, loop_id), chosen)
        if priced.price_cents:
            raise PaymentNeeded(chosen.title, money(priced.price_cents, priced.currency))
        if await repository.count_free(session, account.id, _now() - timedelta(days=1)) >= MAX_FREE_A_DAY:
            raise TooManyLicences(MAX_FREE_A_DAY)
    elif known.revocation is not None:
        raise LicenceRevoked(known.code)
    given = await grant(
        session,
        loop=await _loop(session, loop_id),
        tier=tier,
        licensee=licensee,
        account=account,
        project=project,
        channels=channels,
        price_cents=0,
        currency=tiers.currency(),
        intent=intent,
        show_licensee=show_licensee,
    )
    return given, known is None


async def give(
    session: AsyncSession,
    *,
    loop_id: str,
    tier: str,
    licensee: str,
    account: Account,
    project: str,
    channels: Sequence[Mapping[str, str | None]],
    reason: str,
    by: Account,
) -> tuple[Grant, bool]:
    """A complimentary licence of any tier, its reason in the audit log; and whether it is a new one.

    The same gift for the same reason is one licence. Raises LicenceRevoked and what `grant` raises.
    """
    reason = _line("reason", reason, MAX_REASON)
    intent = _intent("given", account, [loop_id, tier, licensee, project, channels, reason])
    known = await repository.by_intent(session, intent)
    if known is not None and known.revocation is not None:
        raise LicenceRevoked(known.code)
    given = await grant(
        session,
        loop=await _loop(session, loop_id),
        tier=tier,
        licensee=licensee,
        account=account,
        project=project,
        channels=channels,
        price_cents=0,
        currency=tiers.currency(),
        intent=intent,
    )
    if known is None:
        details = {"reason": reason, "to": account.id}
        await audit.record(session, by.owner, "licence.give", f"licence:{given.code}", **details)
    return given, known is None


async def get(session: AsyncSession, code: str) -> Grant:
    """The licence behind a code as somebody typed it. Raises NotFound."""
    spelt = codes.read(code)
    found = None if spelt is None else await repository.grant(session, spelt)
    if found is None:
        raise NotFound("licence", fields.quoted(code))
    return found


async def mine(session: AsyncSession, account_id: str, limit: int = 50, cursor: str | None = None) -> Page:
    """An account's licences, revoked ones too, newest first. Raises InvalidRequest for a cursor that is not ours."""
    before = None
    if cursor is not None:
        spelt = codes.read(cursor)
        last = None if spelt is None else await repository.grant(session, spelt)
        if last is None or last.account_id != account_id:
            raise InvalidRequest("cursor", "This cursor is not one of ours: take next_cursor as it came.")
        before = (last.granted_at, last.code)
    found = await repository.mine(session, account_id, limit + 1, before)
    page, rest = found[:limit], found[limit:]
    return Page(page, page[-1].code if rest else None)


async def count_held(session: AsyncSession, account: Account) -> int:
    """How many licences an account has that hold."""
    return await repository.count_held(session, account.id)


async def revoke(session: AsyncSession, code: str, reason: str, by: str) -> Revocation:
    """End a licence, for good. `by` is "account:…" or "system". Raises NotFound, InvalidRequest and LicenceRevoked."""
    reason = _line("reason", reason, MAX_REASON)
    found = await get(session, code)
    row = Revocation(code=found.code, reason=reason, revoked_by=by, revoked_at=_now())
    if found.revocation is not None or not await repository.insert(session, row):
        raise LicenceRevoked(found.code)
    await session.refresh(found, ["revocation"])
    await audit.record(session, by, "licence.revoke", f"licence:{found.code}", reason=reason)
    return row


async def verify(session: AsyncSession, licence: Mapping[str, Any], signature: str) -> Verdict:
    """Check a signed file: by our public keys, and then against what is on record."""
    key_id, code = licence.get("key"), licence.get("code")
    key = await repository.key(session, key_id) if isinstance(key_id, str) and _is_plain(key_id) else None
    if key is None:
        return Verdict(False, False, "No key of this market signed this file.")
    if not document.is_signed(licence, signature, key):
        return Verdict(
            False, False, "The signature does not fit: the file was changed, or never was one of ours."
        )
    # What our key signed has a code.
    found = await repository.grant(session, str(code))
    if found is None or found.document != document.canonical(licence):
        return Verdict(
            True, False, "A key of ours signed this file, but no such licence is on record: ask the market."
        )
    if found.revocation is not None:
        day = f"{found.revocation.revoked_at:%Y-%m-%d}"
        return Verdict(True, False, f"This licence is genuine, but was revoked on {day}.", found)
    return Verdict(True, True, "This licence is genuine and holds.", found)


async def public_keys(session: AsyncSession) -> Sequence[Key]:
    """Every key that ever signed a licence, newest first."""
    return await repository.keys(session)


async def listed_channels(session: AsyncSession, code: str) -> Sequence[Channel]:
    """The channels that a licence covers now: on the list and not expired."""
    now = _now()
    return [channel for channel in await repository.channels(session, code) if covers(channel, now)]


async def channel_history(session: AsyncSession, found: Grant, account: Account) -> Sequence[Channel]:
    """Every channel that was ever on the list, for the licensee. Raises NotYourLicence."""
    if found.account_id != account.id:
        raise NotYourLicence
    return await repository.channels(session, found.code)


async def add_channel(
    session: AsyncSession, code: str, url: str, platform: str | None, account: Account
) -> Channel:
    """Put a channel on a licence's list; one that is on it already gets a new term.

    Raises NotFound, NotYourLicence, LicenceRevoked, InvalidRequest and TooManyChannels.
    """
    found = await _changeable(session, code, account)
    address, now = addresses.read(url, platform), _now()
    rows = await repository.channels(session, found.code)
    most = int(found.limits.get("channels", 0))
    kept = [row for row in rows if covers(row, now) and row.url != address.url]
    if len(kept) >= most:
        raise TooManyChannels(
            f"This licence covers {most} channel{'' if most == 1 else 's'}: take one off the list first."
        )
    others = {row.url for row in rows if row.added_at > now - _YEAR} | {address.url}
    if len(others) > LISTS_A_YEAR * most:
        raise TooManyChannels(
            f"{LISTS_A_YEAR * most} channels were on this licence's list within a year: write to us to change it again."
        )
    for row in rows:
        if row.removed_at is None and row.url == address.url:
            row.removed_at = now
    await session.flush()
    fresh = _channel(found, address, now)
    session.add(fresh)
    await session.flush()
    return fresh


async def remove_channel(session: AsyncSession, code: str, channel_id: str, account: Account) -> Channel:
    """Take a channel off a licence's list. Raises NotFound, NotYourLicence and LicenceRevoked."""
    found = await _changeable(session, code, account)
    rows = await repository.channels(session, found.code)
    row = next((row for row in rows if row.id == channel_id and row.removed_at is None), None)
    if row is None:
        raise NotFound("such channel", "on this licence's list")
    row.removed_at = _now()
    await session.flush()
    return row


async def covering(
    session: AsyncSession, url: str, loop_id: str | None = None, limit: int = MAX_PAGE
) -> tuple[ChannelAddress, Sequence[tuple[Channel, Grant]]]:
    """The licences that cover a channel now, perhaps only those of one loop. Raises InvalidRequest."""
    address = addresses.read(url)
    found = await repository.covering(session, address.url, loop_id, _now(), limit)
    if not found and address.platform == "website":
        # Only who lists a feed can know that it is a podcast's.
        feed = addresses.read(url, "podcast")
        found = await repository.covering(session, feed.url, loop_id, _now(), limit)
    return address, found


def covers(channel: Channel, now: datetime) -> bool:
    """Whether a channel is on its licence's list at that moment."""
    until = min(filter(None, (channel.removed_at, channel.expires_at)), default=None)
    return channel.added_at <= now and (until is None or until > now)


def shown_to(found: Grant, account: Account | None, *, moderating: bool = False) -> bool:
    """Whether somebody who has the code may read the licensee's name and project, and have the signed file."""
    return found.show_licensee or moderating or (account is not None and account.id == found.account_id)


def attribution(found: Grant, address: str) -> dict[str, str]:
    """The line that says where the music is from, for pasting: plain, html and markdown. `address` is this site's."""
    page = f"{address}/licences/{found.code}"

    def line(escape: Callable[[str], str], code: str) -> str:
        title, creator = escape(found.loop_title), escape(found.creator_name)
        return f"Music: “{title}” by {creator}, from Riffmarket, licence {code}"

    return {
        "plain": f"{line(str, found.code)} ({page})",
        "html": line(html.escape, f'<a href="{html.escape(page)}">{found.code}</a>'),
        "markdown": line(_markdown, f"[{found.code}]({page})"),
    }


def money(cents: int, currency: str) -> str:
    """A price as a person reads it: 9.00 USD."""
    return f"{cents // 100}.{cents % 100:02d} {currency.upper()}"


def masked(name: str) -> str:
    """A name of which only the first letters are told: A… L…."""
    return " ".join(f"{word[0]}…" for word in name.split()[:3])


async def _row(
    session: AsyncSession, loop: Loop, listing: Listing, tier: Tier, values: Mapping[str, Any]
) -> Grant:
    text = tiers.terms(tier.name, tier.terms)
    limits = dict(tier.limits)
    if tier.exclusive:
        limits["earlier_licences"] = await repository.count_effective(session, loop.sha256)
    # To the second, as the signed document says it.
    granted_at = _now().replace(microsecond=0)
    signer = await keys.current(session, session.info["settings"])
    made = Grant(
        **values,
        code=codes.fresh(),
        terms_version=text.version,
        terms_sha256=text.sha256,
        uses=list(tier.uses),
        limits=limits,
        loop_sha256=loop.sha256,
        loop_title=listing.title,
        creator_id=listing.creator_id,
        creator_name=listing.creator.name,
        granted_at=granted_at,
        key_id=signer.id,
    )
    made.document = document.canonical(document.document_of(made, await _origin(session, loop, listing)))
    made.signature = signer.sign(made.document.encode())
    return made


async def _origin(session: AsyncSession, loop: Loop, listing: Listing) -> dict[str, Any]:
    """What the terms speak of: which model made a loop, whether its origin is known, whether a sound was brought."""
    source = str(catalog.request_of(loop).source)
    brought = listing.rights_confirmed_at is not None or (
        bool(source) and not await repository.is_loop(session, source)
    )
    known = loop.model in tiers.known_models() and not loop.recipe.get("styles")
    return {"model": loop.model, "known_origin": known, "brought_sound": brought}


async def _loop(session: AsyncSession, loop_id: str) -> Loop:
    loop = await repository.loop(session, loop_id) if catalog.LOOP_ID.fullmatch(loop_id) else None
    if loop is None:
        raise NotFound("loop", fields.quoted(loop_id))
    return loop


async def _offered(session: AsyncSession, loop_id: str) -> Listing:
    """The listing of a loop that is for sale. Raises NotFound and NotOffered."""
    loop = await _loop(session, loop_id)
    listing = await repository.listing(session, loop_id)
    if listing is None or listing.status == ListingStatus.DRAFT:
        raise NotOffered("This loop is not on the market: its creator has not published it.")
    if listing.status == ListingStatus.REMOVED:
        raise NotFound("loop", fields.quoted(loop_id))
    if listing.status != ListingStatus.PUBLISHED:
        sold = await holders.exclusive_of(session, loop.sha256) is not None
        why = "somebody holds it exclusively" if sold else "its creator took it off the market"
        raise NotOffered(f"No new licence is granted for this loop: {why}.")
    return listing


def _priced(listing: Listing, tier: Tier) -> Offer:
    if tier.price_cents == 0 and listing.free:
        return Offer(tier, 0, listing.currency)
    price = listing.prices.get(tier.name, 0)
    if price <= 0:
        offered = [
            *(["free"] if listing.free else []),
            *(name for name in tiers.every() if listing.prices.get(name)),
        ]
        has = f"It offers {', '.join(offered)}." if offered else "It offers none at the moment."
        raise NotOffered(f"This loop has no {tier.title} licence. {has}")
    return Offer(tier, price, listing.currency)


def _listed(given: Sequence[Mapping[str, str | None]], tier: Tier) -> list[ChannelAddress]:
    """Channels, each once, in one order. Raises InvalidRequest."""
    most = int(tier.limits.get("channels", 0))
    listed = sorted({addresses.read(str(each.get("url") or ""), each.get("platform")) for each in given})
    if len(listed) > most:
        raise InvalidRequest("channels", f"A {tier.title} licence covers {most} channels at most.")
    if tier.needs_channels and not listed:
        raise InvalidRequest("channels", f"A {tier.title} licence is for channels: name one at least.")
    return listed


async def _changeable(session: AsyncSession, code: str, account: Account) -> Grant:
    found = await get(session, code)
    if found.account_id != account.id:
        raise NotYourLicence
    await repository.hold_grant(session, found.code)
    await session.refresh(found, ["revocation"])
    if found.revocation is not None:
        raise LicenceRevoked(found.code)
    return found


def _channel(found: Grant, address: ChannelAddress, now: datetime) -> Channel:
    days = found.limits.get("channel_days")
    return Channel(
        id=secrets.token_hex(12),
        code=found.code,
        platform=address.platform,
        url=address.url,
        added_at=now,
        expires_at=None if days is None else now + timedelta(days=days),
    )


def _intent(kind: str, account: Account, wish: Sequence[object]) -> str:
    """A name for a wish, so that it is granted once."""
    said = json.dumps(wish).encode()
    return f"{kind}:{account.id}:{hashlib.sha256(said).hexdigest()}"


def _same(known: Grant, values: Mapping[str, Any]) -> Grant:
    if any(getattr(known, name) != value for name, value in values.items()):
        raise IntentReused
    return known


def _line(field: str, value: str, longest: int) -> str:
    label = fields.said(field).capitalize()
    if any(letter in _TURNING or unicodedata.category(letter) in ("Cc", "Cs") for letter in value):
        raise InvalidRequest(
            field, f"{label} has characters in it that cannot be shown: use plain text on one line."
        )
    text = " ".join(unicodedata.normalize("NFC", value).split())
    if not text:
        raise InvalidRequest(field, f"{label} is missing.")
    if len(text) > longest:
        raise InvalidRequest(field, f"{label} has {len(text)} characters: at most {longest} are possible.")
    return text


def _is_plain(name: str) -> bool:
    return name.isascii() and name.isprintable() and len(name) <= 43


def _markdown(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>()#+-.!|~&" else letter for letter in text)


def _now() -> datetime:
    return datetime.now(UTC)


async def _exported(session: AsyncSession, account: Account) -> object:
    found = await repository.mine(session, account.id, None, None)
    return [
        {
            **document.signed(each),
            "revoked_at": each.revocation and document.stamp(each.revocation.revoked_at),
            "channels": [
                {
                    "platform": channel.platform,
                    "url": channel.url,
                    "added_at": document.stamp(channel.added_at),
                    "removed_at": channel.removed_at and document.stamp(channel.removed_at),
                }
                for channel in await repository.channels(session, each.code)
            ],
        }
        for each in found
    ]


# Nothing is erased: a licence is a contract with whom it names, and others rely on it.
personal.register("licences", exported=_exported)
