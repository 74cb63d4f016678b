"""The rules of the catalog: who sees and hears a loop, and how it comes onto the market and off it again.

Every function takes a session; those that write want one from `Database.write`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncSession

from generation.fields import quoted
from generation.request import RiffRequest
from market import cursor as cursors
from market.accounts import personal
from market.accounts.errors import Suspended
from market.accounts.models import Account
from market.audit import service as audit
from market.catalog import gate, offers, repository
from market.catalog.errors import (
    GateRefused,
    HeldExclusively,
    LicenceNeeded,
    ListingChanged,
    LoopRemoved,
    NotYourLoop,
)
from market.catalog.gate import Check, Measured
from market.catalog.models import Listing, ListingStatus, ListingTag, Loop, TakenDown
from market.catalog.tags import Tag, automatic, of_creator
from market.errors import MarketError, NotFound
from market.licensing import holders
from market.search import service as search
from market.search.document import Document
from market.studio import repository as studio_rows

if TYPE_CHECKING:
    from market.api.actor import Actor

MAX_PAGE = 100
LOOP_ID = re.compile("[0-9a-f]{24}-[0-9]{1,2}")


@dataclass(frozen=True, slots=True)
class Access:
    """What somebody may have of a loop: `visible` its page and preview, `full` its files; `listed` is it for sale."""

    listed: bool
    visible: bool
    full: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A loop as somebody sees it."""

    loop: Loop
    listing: Listing | None
    access: Access


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a list of loops; `next_cursor` is None at its end."""

    loops: Sequence[Shown]
    next_cursor: str | None


OPEN = Access(listed=False, visible=True, full=True)


async def get(session: AsyncSession, loop_id: str) -> Loop:
    """One loop. Raises NotFound."""
    loop = await repository.get(session, loop_id) if LOOP_ID.fullmatch(loop_id) else None
    if loop is None:
        raise NotFound("loop", loop_id)
    return loop


async def of_riff(session: AsyncSession, riff_id: str) -> Sequence[Loop]:
    """The loops of a riff, by take."""
    return await repository.of_riff(session, riff_id)


async def listing(session: AsyncSession, loop_id: str) -> Listing | None:
    """The listing of a loop; None where it is a draft that nobody has written about yet."""
    return await repository.listing(session, loop_id)


# Who sees and hears what


async def access(session: AsyncSession, loop: Loop, actor: "Actor") -> Access:
    """What somebody may have of a loop: the one rule.

    A draft is open to whoever has its link, until another loop of its riff is listed: then its link can be guessed, and
    it is its maker's only. What was published once has its files for its creator, for whoever holds a licence, and for
    moderators; what was taken down is seen by its creator and by moderators only.
    """
    return await _access(session, loop, actor.owner, actor.may("moderator", "moderate"))


async def see(session: AsyncSession, loop_id: str, actor: "Actor") -> Shown:
    """A loop as somebody sees it. Raises NotFound and LoopRemoved."""
    loop = await get(session, loop_id)
    found = Shown(loop, await repository.listing(session, loop_id), await access(session, loop, actor))
    if not found.access.visible:
        raise _hidden(loop, found.listing)
    return found


async def open_files(session: AsyncSession, loop_id: str, actor: "Actor") -> Shown:
    """A loop for somebody who wants its files. Raises NotFound, LoopRemoved and LicenceNeeded."""
    found = await see(session, loop_id, actor)
    if not found.access.full:
        raise LicenceNeeded(loop_id)
    return found


async def require_use(session: AsyncSession, loop: Loop, owner: str) -> None:
    """That an owner may make something of a loop. Raises NotFound, LoopRemoved and LicenceNeeded."""
    known = await _access(session, loop, owner, moderates=False)
    if not known.visible:
        raise _hidden(loop, await repository.listing(session, loop.id))
    if not known.full:
        raise LicenceNeeded(loop.id)


async def require_remake(session: AsyncSession, loop: Loop, wish: RiffRequest, owner: str) -> None:
    """That an owner may order a request that was made from a loop's. Raises NotFound, LoopRemoved and LicenceNeeded.

    A fresh seed is open to all; the loop's own would tell how to make it again.
    """
    if wish.seed == loop.seed:
        await require_use(session, loop, owner)


async def shown(session: AsyncSession, loops: Sequence[Loop], actor: "Actor") -> Sequence[Shown]:
    """Loops for a list, in their order; whether somebody holds a licence is not looked up for each."""
    held = await repository.listings(session, [loop.id for loop in loops])
    known = await _accesses(session, loops, held, actor.owner, actor.may("moderator", "moderate"))
    return [Shown(loop, held.get(loop.id), known[loop.id]) for loop in loops]


def listing_of(found: Shown) -> Listing:
    """What is written about a loop. Raises NotFound where nobody has written anything."""
    if found.listing is None:
        raise NotFound("listing", f"of loop {found.loop.id}")
    return found.listing


async def _access(session: AsyncSession, loop: Loop, owner: str, moderates: bool) -> Access:
    held = await repository.listings(session, [loop.id])
    known = (await _accesses(session, [loop], held, owner, moderates))[loop.id]
    kind, _, account_id = owner.partition(":")
    if known.full or not known.visible or kind != "account":
        return known
    licensed = bool(await holders.effective(session, loop.id, account_id))
    return Access(listed=known.listed, visible=True, full=licensed)


async def _accesses(
    session: AsyncSession, loops: Sequence[Loop], held: Mapping[str, Listing], owner: str, moderates: bool
) -> Mapping[str, Access]:
    """What an owner may have of loops, by their ids, licences aside."""
    drafts = [loop for loop in loops if loop.id not in held or held[loop.id].status == ListingStatus.DRAFT]
    closed = await repository.closed_drafts(session, drafts) if drafts else {}
    known = dict.fromkeys((loop.id for loop in drafts), OPEN)
    for loop_id, maker in closed.items():
        own = moderates or maker == owner
        known[loop_id] = Access(listed=False, visible=own, full=own)
    for loop in loops:
        if loop.id not in known:
            listing = held[loop.id]
            full = moderates or owner == f"account:{listing.creator_id}"
            visible = full or listing.status != ListingStatus.REMOVED
            known[loop.id] = Access(
                listed=listing.status == ListingStatus.PUBLISHED, visible=visible, full=full
            )
    return known


def _hidden(loop: Loop, held: Listing | None) -> MarketError:
    """Why somebody does not see a loop."""
    if held is not None and held.status == ListingStatus.REMOVED:
        return LoopRemoved()
    return NotFound("loop", loop.id)


# Lists


async def recent(session: AsyncSession, actor: "Actor", limit: int = 20) -> Sequence[Shown]:
    """What came onto the market last, newest first."""
    rows = await repository.published(session, limit)
    known = await _accesses(
        session,
        [loop for loop, _ in rows],
        {held.loop_id: held for _, held in rows},
        actor.owner,
        actor.may("moderator", "moderate"),
    )
    return [Shown(loop, held, known[loop.id]) for loop, held in rows]


async def mine(session: AsyncSession, actor: "Actor", limit: int = 20, cursor: str | None = None) -> Page:
    """What somebody has made, listed or not, newest first. Raises InvalidRequest for a cursor that is not ours."""
    before = None if cursor is None else cursors.read_moment(cursor)
    rows = await repository.of_owner(session, actor.owner, limit + 1, before)
    page, rest = rows[:limit], rows[limit:]
    following = cursors.write(page[-1].created_at, page[-1].id) if rest else None
    return Page(await shown(session, page, actor), following)


async def offered(
    session: AsyncSession, account: Account, limit: int, offset: int = 0
) -> tuple[Sequence[tuple[Loop, Listing]], int]:
    """What somebody has listed, drafts included, what changed last first; and how many there are in all."""
    rows = await repository.newest_of(session, account.id, limit, offset)
    return rows, await repository.count_listings(session, account.id)


async def newest_model(session: AsyncSession) -> str | None:
    """The model that made the newest loop, as recipes call it."""
    return await repository.newest_model(session)


async def count_listed(session: AsyncSession, account: Account) -> int:
    """How many loops somebody has on the market."""
    return len(await repository.published_by(session, account.id))


# On the market and off it


async def own(session: AsyncSession, loop_id: str, account: Account) -> Loop:
    """A loop that this account has made. Raises NotFound, NotYourLoop and Suspended."""
    loop = await get(session, loop_id)
    held = await repository.listing(session, loop_id)
    creator = await repository.owner_of(session, loop) if held is None else f"account:{held.creator_id}"
    if creator != account.owner:
        raise NotYourLoop
    if account.suspended_until is not None and account.suspended_until > datetime.now(UTC):
        raise Suspended(account.suspended_until)
    return loop


async def edit(
    session: AsyncSession,
    loop_id: str,
    account: Account,
    changes: Mapping[str, object],
    *,
    seen: int | None = None,
) -> Listing:
    """Write about a loop; its listing is begun where there is none, as a draft.

    `changes` are parts of an offer by name (`offers.parse`), `seen` the version that the editor has read. What is on
    sale is found as it is now, and has to stay fit for it. Raises InvalidRequest, GateRefused, ListingChanged and what
    `own` raises.
    """
    parts = offers.parse(changes)
    loop = await own(session, loop_id, account)
    held = await _held(session, loop, account, seen)
    if not _differs(held, parts):
        return held
    if held.status == ListingStatus.PUBLISHED:
        asked = {"title": held.title, "description": held.description, **_texts(parts)}
        found = [
            *await gate.of_words(session, asked),
            _offer(parts.get("prices", held.prices), parts.get("free", held.free)),
        ]
        _require(found)
    _apply(held, parts, loop)
    await session.flush()
    if "tags" in parts:
        await _retag(session, held, loop, parts["tags"])
    await audit.record(session, account.owner, "listing.edit", f"loop:{loop_id}", fields=sorted(parts))
    if held.status == ListingStatus.PUBLISHED:
        await search.put(session, await document_of(session, held))
    return held


async def checks(
    session: AsyncSession,
    loop_id: str,
    account: Account,
    measured: Measured,
    changes: Mapping[str, object] | None = None,
) -> Sequence[Check]:
    """Every check that publishing makes, as things stand, or as they would with these changes. Raises as `own` does."""
    parts = offers.parse(changes or {})
    loop = await own(session, loop_id, account)
    held = await repository.listing(session, loop_id)
    return await _checks(session, loop, account, held, measured, parts)


async def publish(
    session: AsyncSession,
    loop_id: str,
    account: Account,
    measured: Measured,
    changes: Mapping[str, object] | None = None,
    *,
    seen: int | None = None,
) -> tuple[Listing, Sequence[Check]]:
    """Put a loop on the market, with the checks that it passed. What is on it already stays as it is, but for changes.

    Raises GateRefused with every check, nothing written; HeldExclusively, LoopRemoved, and what `edit` raises.
    """
    parts = offers.parse(changes or {})
    loop = await own(session, loop_id, account)
    # One at a time: of two that sound alike, the second sees the first.
    await studio_rows.lock(session, "catalog.publish")
    stored = await repository.locked_listing(session, loop_id)
    _require_seen(stored, seen)
    gone = await repository.taken_down(session, loop_id) is not None
    if gone or (stored is not None and stored.status == ListingStatus.REMOVED):
        raise LoopRemoved
    if await holders.exclusive_of(session, loop.sha256) is not None:
        raise HeldExclusively
    found = await _checks(session, loop, account, stored, measured, parts)
    if stored is not None and stored.status == ListingStatus.PUBLISHED:
        return (await edit(session, loop_id, account, changes) if changes else stored), found
    _require(found)
    held = stored or await _held(session, loop, account, None)
    _apply(held, parts, loop)
    held.energy, held.brightness = measured.energy, measured.brightness
    held.fingerprint, held.embedding = measured.fingerprint, measured.embedding
    held.analysis = {
        "figures": dict(measured.figures),
        "heard": [[tag.kind, tag.value, tag.confidence] for tag in measured.tags],
    }
    await session.flush()
    await repository.put_prints(session, loop_id, measured.subprints)
    if "tags" in parts or not held.tags_edited:
        await _retag(session, held, loop, parts.get("tags"))
    await set_status(session, loop_id, ListingStatus.PUBLISHED)
    await _welcome(session, account.id)
    await audit.record(session, account.owner, "listing.publish", f"loop:{loop_id}", title=held.title)
    return held, found


async def delist(
    session: AsyncSession, loop_id: str, account: Account, *, seen: int | None = None
) -> Listing:
    """Take a loop off the market; licences that were given stand. What is not on it stays as it is.

    Raises NotFound where it never had a listing, and what `own` raises.
    """
    await own(session, loop_id, account)
    held = await repository.locked_listing(session, loop_id)
    if held is None:
        raise NotFound("listing", f"of loop {loop_id}")
    _require_seen(held, seen)
    if held.status == ListingStatus.PUBLISHED:
        await set_status(session, loop_id, ListingStatus.DELISTED)
        await audit.record(session, account.owner, "listing.delist", f"loop:{loop_id}")
    return held


async def delist_all(session: AsyncSession, account: Account) -> None:
    """Take everything of a creator off the market."""
    for loop_id in await repository.published_by(session, account.id):
        await set_status(session, loop_id, ListingStatus.DELISTED)


async def set_status(session: AsyncSession, loop_id: str, status: ListingStatus | str) -> Listing | None:
    """Give a listing a status, whatever it had, and keep the search in step.

    For nouns that have a reason of their own: a sale, a takedown. Whether it may is for them to know. A loop that
    nobody has listed can be removed and become a draft again; it has no listing then either. Raises NotFound.
    """
    held = await repository.locked_listing(session, loop_id)
    now = datetime.now(UTC)
    if held is None:
        await _set_unlisted(session, await get(session, loop_id), status, now)
        return None
    if held.status != status:
        held.status = ListingStatus(status)
        held.version += 1
        held.updated_at = now
    if status == ListingStatus.PUBLISHED:
        held.published_at = held.published_at or now
    await session.flush()
    if status == ListingStatus.PUBLISHED:
        await search.put(session, await document_of(session, held))
    else:
        await search.drop(session, loop_id)
    return held


async def _set_unlisted(
    session: AsyncSession, loop: Loop, status: ListingStatus | str, now: datetime
) -> None:
    gone = await repository.taken_down(session, loop.id)
    if status == ListingStatus.REMOVED and gone is None:
        session.add(TakenDown(loop_id=loop.id, at=now))
    elif status == ListingStatus.DRAFT and gone is not None:
        await session.delete(gone)
    elif status not in (ListingStatus.REMOVED, ListingStatus.DRAFT):
        raise NotFound("listing", f"of loop {loop.id}")
    await session.flush()


async def document_of(session: AsyncSession, held: Listing) -> Document:
    """What the search knows of a listing; how it is liked comes from whoever counts that (`search.rescore`)."""
    loop = await get(session, held.loop_id)
    await session.refresh(held, ["creator", "tags"])

    def named(*kinds: str) -> tuple[str, ...]:
        return tuple(tag.value for tag in held.tags if tag.kind in kinds)

    return Document(
        loop_id=loop.id,
        title=held.title,
        description=held.description,
        prompt=loop.prompt,
        creator_id=held.creator_id,
        creator_handle=held.creator.handle,
        kind=loop.kind,
        bpm=loop.bpm,
        key=loop.key,
        bars=loop.bars,
        metre=loop.metre,
        genres=named("genre"),
        moods=named("mood"),
        instruments=named("instrument"),
        tags=named("texture", "tag"),
        tiers=tiers_of(held),
        price_cents=min(held.prices.values(), default=None),
        free=held.free,
        has_stems=bool(loop.stems),
        energy=held.energy or 0.0,
        brightness=held.brightness or 0.0,
        embedding=held.embedding,
        published_at=held.published_at or held.updated_at,
    )


def tiers_of(held: Listing) -> tuple[str, ...]:
    """The names of the licences that a listing offers."""
    return (*(("free",) if held.free else ()), *held.prices)


# What belongs to a loop


def stem_of(loop: Loop, role: str) -> str:
    """The storage key of one layer of a loop. Raises NotFound."""
    if role not in loop.stems:
        raise NotFound("stem", f"{quoted(role)} of this {loop.kind}")
    return loop.stems[role]


def thumbnail_of(loop: Loop) -> str:
    """The storage key of a loop's small picture. Raises NotFound where it was made before there were any."""
    if "thumbnail" not in loop.pictures:
        raise NotFound("thumbnail", f"of loop {loop.id}")
    return loop.pictures["thumbnail"]


def request_of(loop: Loop) -> RiffRequest:
    """The request that gives this loop again."""
    return RiffRequest.from_dict(loop.recipe["request"])


def told_of(loop: Loop) -> dict[str, Any]:
    """What everybody may know of the recipe of a loop that is for sale.

    No digest of it: all else in a recipe is known or guessed, and of seeds there are few enough to try each.
    """
    return {"prompt": loop.prompt, "model": loop.model}


def public_name(loop: Loop) -> str:
    """A file name that does not tell the seed."""
    words = "-".join(re.findall("[a-z0-9]+", loop.prompt.lower()))[:48].strip("-")
    return f"{words or 'riff'}-{loop.bpm:g}bpm-{loop.id[:8]}"


# Parts of the above


async def _held(session: AsyncSession, loop: Loop, account: Account, seen: int | None) -> Listing:
    """The listing of a loop, begun as a draft where there is none. Raises ListingChanged and LoopRemoved."""
    await studio_rows.lock(session, f"listing {loop.id}")
    held = await repository.locked_listing(session, loop.id)
    _require_seen(held, seen)
    if held is None:
        held = Listing(
            loop_id=loop.id,
            creator_id=account.id,
            status=ListingStatus.DRAFT,
            title=loop.prompt[: offers.TITLE_LENGTH].strip(),
            description="",
            prices={},
            currency="usd",
            free=False,
            tags_edited=False,
            version=0,
            updated_at=datetime.now(UTC),
            analysis={},
            creator=account,
            tags=[],
        )
        session.add(held)
    if held.status == ListingStatus.REMOVED or await repository.taken_down(session, loop.id) is not None:
        raise LoopRemoved
    return held


def _require_seen(held: Listing | None, seen: int | None) -> None:
    if seen is not None and seen != (0 if held is None else held.version):
        raise ListingChanged


def _differs(held: Listing, parts: Mapping[str, Any]) -> bool:
    """Whether the parts change a listing; one that was just begun is a change in itself."""
    plain = {
        name: value for name, value in parts.items() if name in ("title", "description", "prices", "free")
    }
    return (
        not held.version
        or "tags" in parts
        or any(getattr(held, name) != value for name, value in plain.items())
        or parts.get("rights", held.rights_confirmed_at is not None) != (held.rights_confirmed_at is not None)
    )


def _apply(held: Listing, parts: Mapping[str, Any], loop: Loop) -> None:
    now = datetime.now(UTC)
    for name in ("title", "description", "prices", "free"):
        if name in parts:
            setattr(held, name, parts[name])
    if "rights" in parts:
        # Where nothing was brought there is nothing to state.
        stated = parts["rights"] and gate.starts_from_upload(loop.recipe)
        held.rights_confirmed_at = (held.rights_confirmed_at or now) if stated else None
    held.version += 1
    held.updated_at = now


async def _retag(session: AsyncSession, held: Listing, loop: Loop, chosen: Sequence[str] | None) -> None:
    """Give a listing the tags that its creator chose, or those that are found by themselves."""
    heard = [
        Tag(kind, value, confidence, "audio") for kind, value, confidence in held.analysis.get("heard", ())
    ]
    found = automatic(loop.recipe, heard)
    held.tags_edited = chosen is not None
    if chosen is not None:
        # What was found and is kept keeps its confidence and origin.
        known = {(tag.kind, tag.value): tag for tag in found}
        found = [known.get((tag.kind, tag.value), tag) for tag in of_creator(chosen)]
    rows = [
        ListingTag(
            loop_id=held.loop_id, kind=tag.kind, value=tag.value, confidence=tag.confidence, origin=tag.origin
        )
        for tag in found
    ]
    await repository.put_tags(session, held, rows)


async def _welcome(session: AsyncSession, account_id: str) -> None:
    """Make somebody who publishes for the first time a creator."""
    creator = await session.get_one(Account, account_id)
    if "creator" not in creator.roles:
        creator.roles = [*creator.roles, "creator"]
        await audit.record(session, creator.owner, "account.role", creator.owner, role="creator", has=True)


async def _checks(
    session: AsyncSession,
    loop: Loop,
    account: Account,
    held: Listing | None,
    measured: Measured,
    parts: Mapping[str, Any],
) -> Sequence[Check]:
    known: dict[str, Any] = {
        "title": held.title if held else loop.prompt[: offers.TITLE_LENGTH],
        "description": held.description if held else "",
        "prices": held.prices if held else {},
        "free": bool(held and held.free),
        "rights": bool(held and held.rights_confirmed_at),
    }
    now = {**known, **parts}
    chosen = parts.get("tags") or [
        tag.value for tag in (held.tags if held else ()) if tag.origin == "creator"
    ]
    texts = _texts({**now, "tags": chosen})
    found = await gate.checks(session, loop, account.owner, measured, texts, has_rights=now["rights"])
    return [*found, _offer(now["prices"], now["free"])]


def _texts(parts: Mapping[str, Any]) -> dict[str, str]:
    texts = {name: parts[name] for name in ("title", "description") if name in parts}
    return texts | ({"tags": ", ".join(parts["tags"])} if parts.get("tags") else {})


def _offer(prices: Mapping[str, int], free: bool) -> Check:
    offered = bool(prices or free)
    sentence = (
        "It is offered under a licence at least."
        if offered
        else "Nothing is offered: set a price, or make it free."
    )
    return Check("offer", offered, sentence, len(prices) + free, 1)


def _require(found: Sequence[Check]) -> None:
    if any(check.refuses for check in found):
        raise GateRefused(found)


async def _exported(session: AsyncSession, account: Account) -> object:
    return [
        {
            "loop": held.loop_id,
            "status": held.status,
            "title": held.title,
            "description": held.description,
            "tags": [tag.value for tag in held.tags],
            "prices": held.prices,
            "free": held.free,
            "published_at": held.published_at and held.published_at.isoformat(),
        }
        for held in await repository.listings_of(session, account.id)
    ]


# What was licensed stays with its licensees; nothing more is sold in the name of somebody who has gone.
personal.register("listings", exported=_exported, erase=delist_all)
