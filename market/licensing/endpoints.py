"""Licences over HTTP: what can be had, taking one, checking one; and the pages for people."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from generation.errors import InvalidRequest
from market.accounts import service as accounts
from market.accounts.models import Account
from market.api.actor import Acting, Actor, require, signed_in
from market.api.files import IMMUTABLE
from market.api.idempotency import Idempotent
from market.api.origin import is_foreign
from market.api.problems import ANY_PROBLEM, problems
from market.api.session import Files, Reading, Writing
from market.catalog import service as catalog
from market.errors import AssetMissing, MarketError
from market.licensing import certificate, codes, document, tiers
from market.licensing import service as licensing
from market.licensing.channels import MAX_URL
from market.licensing.errors import NameKept
from market.licensing.models import Channel, Grant
from market.licensing.schemas import (
    MAX_CHANNELS,
    AttributionOut,
    ChannelIn,
    ChannelOut,
    ChannelsOut,
    CoveredOut,
    CoverOut,
    GiftIn,
    GrantIn,
    KeyOut,
    KeysOut,
    LicenceOut,
    LicencesOut,
    RevocationIn,
    SignedLicence,
    TierOut,
    TiersOut,
    VerdictOut,
)
from market.licensing.service import MAX_PAGE
from market.settings import Settings
from market.web.pages import ForeignForm, own_form
from market.web.rendering import page

Code = Annotated[str, Path(max_length=40, description="RM-XXXXX-XXXXX-XXXXX, as somebody typed it")]
Licensee = Annotated[Account, signed_in("license")]
Reader = Annotated[Account, signed_in("read")]
Moderator = Annotated[Account, signed_in("moderate", "moderator")]
Admin = Annotated[Account, signed_in("admin", "admin")]
MAX_ADDRESS = 200
JSON = {"application/json": {"schema": SignedLicence.model_json_schema()}}


def _own_page(request: Request) -> None:
    """Beside `own_form`, for browsers without Fetch Metadata."""
    if is_foreign(request):
        raise ForeignForm


router = APIRouter(prefix="/v1", tags=["licensing"], responses=ANY_PROBLEM, route_class=Idempotent)
# Checking a file writes nothing, so that it takes no turn among those who write.
checking = APIRouter()
pages = APIRouter(include_in_schema=False)
forms = APIRouter(include_in_schema=False, dependencies=[Depends(own_form), Depends(_own_page)])


@router.get("/licences/tiers")
async def list_tiers() -> TiersOut:
    """What can be licensed, and for what."""
    return TiersOut(tiers=[TierOut.of(tier) for tier in tiers.every().values()])


@router.get(
    "/licences/terms/{tier}/{version}",
    response_class=Response,
    responses={
        200: {"description": "The text", "content": {"text/markdown": {"schema": {"type": "string"}}}},
        304: {"description": "The client has it already (If-None-Match)"},
        **problems(404),
    },
)
async def get_terms(
    request: Request, tier: Annotated[str, Path(max_length=16)], version: Annotated[str, Path(max_length=16)]
) -> Response:
    """The text of a licence in one version, whose SHA-256 is in every licence granted under it. It never changes."""
    text = tiers.terms(tier, version)
    headers = {"ETag": f'"{text.sha256}"', "Cache-Control": IMMUTABLE}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(text.text, media_type="text/markdown; charset=utf-8", headers=headers)


@router.get("/licences/keys")
async def list_keys(session: Reading) -> KeysOut:
    """The public keys that licences are signed with; retired ones stay, for what they signed."""
    return KeysOut(keys=[KeyOut.of(key) for key in await licensing.public_keys(session)])


@checking.post("/licences/verify", responses=problems(413, 422))
async def verify_licence(session: Reading, acting: Acting, file: SignedLicence) -> VerdictOut:
    """Check a signed file: the signature by our keys, then what is on record of it."""
    verdict = await licensing.verify(session, file.licence, file.signature)
    found = None if verdict.grant is None else await _out(session, verdict.grant, acting, holds_file=True)
    return VerdictOut(
        authentic=verdict.authentic, valid=verdict.valid, verdict=verdict.sentence, licence=found
    )


@router.post(
    "/licences",
    status_code=201,
    responses={
        200: {"description": "This licence was granted before", "model": LicenceOut},
        **problems(401, 402, 403, 404, 409, 413, 422, 429),
    },
)
async def take_licence(session: Writing, me: Licensee, wish: GrantIn, response: Response) -> LicenceOut:
    """Take a licence that costs nothing; it holds at once. The same wish again gives the same licence."""
    given, fresh = await licensing.take(
        session,
        loop_id=wish.loop_id,
        tier=wish.tier,
        licensee=wish.licensee,
        account=me,
        project=wish.project,
        channels=_given(wish.channels),
        show_licensee=wish.show_licensee,
    )
    response.status_code = 201 if fresh else 200
    response.headers["Location"] = f"/v1/licences/{given.code}"
    return await _own(session, given)


@router.post(
    "/licences/complimentary",
    status_code=201,
    responses={
        200: {"description": "This licence was given before", "model": LicenceOut},
        **problems(401, 403, 404, 409, 413, 422, 429),
    },
)
async def give_licence(session: Writing, me: Admin, gift: GiftIn, response: Response) -> LicenceOut:
    """Give a licence of any tier for nothing (admins)."""
    account = await accounts.by_handle(session, gift.handle)
    given, fresh = await licensing.give(
        session,
        loop_id=gift.loop_id,
        tier=gift.tier,
        licensee=gift.licensee,
        account=account,
        project=gift.project,
        channels=_given(gift.channels),
        reason=gift.reason,
        by=me,
    )
    response.status_code = 201 if fresh else 200
    response.headers["Location"] = f"/v1/licences/{given.code}"
    return await _own(session, given)


@router.get("/me/licences", responses=problems(401, 403, 422, 429))
async def my_licences(
    session: Reading,
    me: Reader,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
    cursor: Annotated[
        str | None, Query(max_length=40, description="`next_cursor` of the stretch before")
    ] = None,
) -> LicencesOut:
    """Your licences, newest first, revoked ones too."""
    response.headers["Cache-Control"] = "private, no-store"
    stretch = await licensing.mine(session, me.id, limit, cursor)
    return LicencesOut(
        licences=[await _own(session, grant) for grant in stretch.grants], next_cursor=stretch.next_cursor
    )


@router.get("/licences/{code}", responses=problems(404))
async def get_licence(session: Reading, acting: Acting, code: Code, response: Response) -> LicenceOut:
    """Check a licence by its code: whether it holds, for which loop, and what it allows."""
    response.headers["Cache-Control"] = "private, no-store"
    return await _out(session, await licensing.get(session, code), acting)


@router.get(
    "/licences/{code}/certificate.pdf",
    response_class=Response,
    responses={
        200: {
            "description": "The certificate",
            "content": {certificate.MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems(404),
    },
)
async def get_certificate(
    request: Request, session: Reading, files: Files, acting: Acting, code: Code
) -> Response:
    """The licence on one page, the same bytes each time. Names are masked for whoever may not read them."""
    grant = await licensing.get(session, code)
    loop = await catalog.get(session, grant.loop_id)
    # Drawing takes a while: no connection is held meanwhile.
    await session.commit()
    licence, shown = document.signed(grant)["licence"], _shown(grant, acting)
    if not shown:
        licence |= {"licensee": licensing.masked(grant.licensee), "project": "kept by the licensee"}
    end = grant.revocation
    data = await asyncio.to_thread(
        certificate.certificate,
        licence,
        signature=document.encode(grant.signature),
        page=f"{_address(request)}/licences/{grant.code}",
        peaks=await _peaks(files, loop.peaks),
        revoked=None if end is None else f"{end.revoked_at:%Y-%m-%d}",
        masked=not shown,
    )
    headers = {
        "Content-Disposition": f'inline; filename="licence-{grant.code}.pdf"',
        "Cache-Control": "private, no-store",
    }
    return Response(data, media_type=certificate.MEDIA_TYPE, headers=headers)


@router.get(
    "/licences/{code}/licence.json",
    response_class=Response,
    responses={200: {"description": "The signed file", "content": JSON}, **problems(403, 404)},
)
async def get_signed(session: Reading, acting: Acting, code: Code) -> Response:
    """The signed file, for the licensee to keep and to pass on: docs/verify_licence.py checks it without us."""
    grant = await licensing.get(session, code)
    if not _shown(grant, acting):
        raise NameKept
    headers = {
        "Content-Disposition": f'attachment; filename="licence-{grant.code}.json"',
        "Cache-Control": "private, no-store",
    }
    data = json.dumps(document.signed(grant), ensure_ascii=False, indent=1)
    return Response(data.encode(), media_type="application/json", headers=headers)


@router.get("/licences/{code}/attribution", responses=problems(404))
async def get_attribution(request: Request, session: Reading, code: Code) -> AttributionOut:
    """The line that says where the music is from, to copy. The Free licence asks for it."""
    grant = await licensing.get(session, code)
    lines = licensing.attribution(grant, _address(request))
    return AttributionOut(required=tiers.get(grant.tier).attribution, **lines)


@router.post(
    "/licences/{code}/revocation", status_code=201, responses=problems(401, 403, 404, 409, 413, 422, 429)
)
async def revoke_licence(session: Writing, me: Moderator, code: Code, wish: RevocationIn) -> LicenceOut:
    """End a licence for good, with a reason (moderators)."""
    await licensing.revoke(session, code, wish.reason, me.owner)
    return await _own(session, await licensing.get(session, code))


@router.get("/licences/{code}/channels", responses=problems(401, 403, 404, 429))
async def list_channels(session: Reading, me: Reader, code: Code) -> ChannelsOut:
    """Every channel that was ever on your licence's list."""
    grant = await licensing.get(session, code)
    history = await licensing.channel_history(session, grant, me)
    return ChannelsOut(channels=[ChannelOut.of(channel) for channel in history])


@router.post(
    "/licences/{code}/channels", status_code=201, responses=problems(401, 403, 404, 409, 413, 422, 429)
)
async def add_channel(session: Writing, me: Licensee, code: Code, channel: ChannelIn) -> ChannelOut:
    """Put a channel on your licence's list; one that is on it already gets a new term."""
    return ChannelOut.of(await licensing.add_channel(session, code, channel.url, channel.platform, me))


@router.delete("/licences/{code}/channels/{channel_id}", responses=problems(401, 403, 404, 409, 429))
async def remove_channel(
    session: Writing, me: Licensee, code: Code, channel_id: Annotated[str, Path(max_length=24)]
) -> ChannelOut:
    """Take a channel off your licence's list; that it was there stays on record."""
    return ChannelOut.of(await licensing.remove_channel(session, code, channel_id, me))


@router.get("/channels", responses=problems(422))
async def find_channel(
    session: Reading,
    url: Annotated[str, Query(min_length=1, max_length=MAX_URL, description="The channel's address")],
    loop_id: Annotated[
        str | None, Query(max_length=32, pattern="^[0-9a-f-]*$", description="Of one loop only")
    ] = None,
) -> CoveredOut:
    """Whether a channel is covered, and by which licences: for whoever handles claims."""
    address, found = await licensing.covering(session, url, loop_id)
    platform = found[0][0].platform if found else address.platform
    return CoveredOut(
        platform=platform,
        url=address.url,
        covered=bool(found),
        licences=[CoverOut.of(channel, grant) for channel, grant in found],
    )


router.include_router(checking)


@pages.get("/licences")
async def licences_page(
    request: Request, session: Reading, acting: Acting, code: Annotated[str, Query(max_length=60)] = ""
) -> Response:
    """What can be had, a place to type a code, and one's own licences."""
    if code:
        spelt = codes.read(code)
        if spelt is not None:
            return RedirectResponse(f"/licences/{spelt}", status_code=303)
    mine = None if acting.account is None else await licensing.mine(session, acting.account.id)
    context = {
        "here": "licences",
        "tiers": [TierOut.of(tier) for tier in tiers.every().values()],
        "mine": [] if mine is None else [await _own(session, grant) for grant in mine.grants],
        "signed_in": acting.account is not None,
        "typed": code,
    }
    return page(request, "licences.html", context, status=404 if code else 200, fresh=True)


@pages.get("/licences/new")
async def new_page(
    request: Request,
    session: Reading,
    acting: Acting,
    loop: Annotated[str, Query(max_length=32)],
    tier: Annotated[str, Query(max_length=16)] = "",
) -> Response:
    """A form for a licence of a loop; `tier` is the one that somebody has chosen already."""
    return await _form(request, session, acting, loop, {"tier": tier})


@pages.get("/licences/terms/{tier}/{version}")
async def terms_page(
    request: Request, tier: Annotated[str, Path(max_length=16)], version: Annotated[str, Path(max_length=16)]
) -> Response:
    text = tiers.terms(tier, version)
    context = {
        "here": "licences",
        "terms": text,
        "blocks": tiers.blocks(text.text),
        "newest": tiers.get(tier).terms if tier in tiers.every() else version,
    }
    return page(request, "licence-terms.html", context)


@pages.get("/licences/{code}")
async def licence_page(request: Request, session: Reading, acting: Acting, code: Code) -> Response:
    """The public page that verifies a licence."""
    return await _page(request, session, await licensing.get(session, code), acting)


@forms.post("/licences")
async def take_form(request: Request, session: Writing, acting: Acting) -> Response:
    """Take a licence from the form and lead to its page; on bad input the form comes back with a sentence."""
    me = require(acting, "license")
    given = await _fields(request)
    try:
        async with session.begin_nested():
            grant, _ = await licensing.take(
                session,
                loop_id=given.get("loop_id", ""),
                tier=given.get("tier", ""),
                licensee=given.get("licensee", ""),
                account=me,
                project=given.get("project", ""),
                channels=[{"url": line} for line in given.get("channels", "").split()[: MAX_CHANNELS + 1]],
                show_licensee="show_licensee" in given,
            )
    except (InvalidRequest, MarketError) as refusal:
        # A loop that is not there has no form either.
        return await _form(request, session, acting, given.get("loop_id", ""), given, refusal)
    return RedirectResponse(f"/licences/{grant.code}", status_code=303)


@forms.post("/licences/{code}/channels")
async def channel_form(request: Request, session: Writing, acting: Acting, code: Code) -> Response:
    """Put a channel on the list, or take one off."""
    me = require(acting, "license")
    given = await _fields(request)
    try:
        if given.get("remove"):
            await licensing.remove_channel(session, code, given["remove"], me)
        else:
            platform = given.get("platform") or None
            await licensing.add_channel(session, code, given.get("url", ""), platform, me)
    except InvalidRequest as refusal:
        return await _page(request, session, await licensing.get(session, code), acting, str(refusal), 422)
    return RedirectResponse(f"/licences/{codes.read(code)}", status_code=303)


pages.include_router(forms)


async def _page(
    request: Request, session: Reading, grant: Grant, acting: Actor, error: str = "", status: int = 200
) -> Response:
    own = acting.account is not None and acting.account.id == grant.account_id
    tier = tiers.every().get(grant.tier)
    context = {
        "here": "licences",
        "licence": await _out(session, grant, acting),
        "tier": tier,
        "own": own,
        "shown": _shown(grant, acting),
        "public": grant.show_licensee,
        "masked": licensing.masked(grant.licensee),
        "channels": await licensing.listed_channels(session, grant.code),
        "attribution": licensing.attribution(grant, _address(request)),
        "price": licensing.money(grant.price_cents, grant.currency),
        "error": error,
    }
    return page(request, "licence.html", context, status=status, fresh=True)


async def _form(
    request: Request,
    session: Reading,
    acting: Actor,
    loop_id: str,
    values: Mapping[str, str],
    refusal: InvalidRequest | MarketError | None = None,
) -> Response:
    seen = await catalog.see(session, loop_id, acting)
    offers = await licensing.offers(session, loop_id)
    name, chosen = "" if acting.account is None else acting.account.name, values.get("tier", "")
    offers = sorted(offers, key=lambda each: each.tier.name != chosen)
    context = {
        "here": "licences",
        "chosen": chosen,
        "loop_id": seen.loop.id,
        "title": seen.listing.title if seen.listing else seen.loop.prompt,
        "offers": [
            (TierOut.of(each.tier), licensing.money(each.price_cents, each.currency)) for each in offers
        ],
        "free": any(each.price_cents == 0 for each in offers),
        "signed_in": acting.account is not None,
        "values": {"licensee": name, **values},
        "field": refusal.field if isinstance(refusal, InvalidRequest) else "",
        "error": "" if refusal is None else str(refusal),
    }
    return page(
        request, "licence-new.html", context, status=200 if refusal is None else _status(refusal), fresh=True
    )


def _status(refusal: InvalidRequest | MarketError) -> int:
    return refusal.status_code if isinstance(refusal, MarketError) else 422


async def _fields(request: Request) -> dict[str, str]:
    form = await request.form(max_files=0, max_fields=20)
    return {name: value for name, value in form.items() if isinstance(value, str)}


async def _out(session: Reading, grant: Grant, acting: Actor, *, holds_file: bool = False) -> LicenceOut:
    own = _moderates(acting) or (acting.account is not None and acting.account.id == grant.account_id)
    listed = list(await licensing.listed_channels(session, grant.code))
    return LicenceOut.of(grant, listed, shown=holds_file or _shown(grant, acting), own=own)


async def _own(session: Reading, grant: Grant) -> LicenceOut:
    listed: Sequence[Channel] = await licensing.listed_channels(session, grant.code)
    return LicenceOut.of(grant, list(listed), shown=True, own=True)


def _shown(grant: Grant, acting: Actor) -> bool:
    return licensing.shown_to(grant, acting.account, moderating=_moderates(acting))


def _moderates(acting: Actor) -> bool:
    return acting.may("moderator", "moderate")


def _given(channels: Sequence[ChannelIn]) -> list[dict[str, str | None]]:
    return [{"url": channel.url, "platform": channel.platform} for channel in channels]


def _address(request: Request) -> str:
    """This site's address, for what people take away with them."""
    settings: Settings = request.app.state.settings
    address = settings.public_url or str(request.base_url).rstrip("/")
    # Without a setting it is what the client said; a QR code holds only so much.
    return address if len(address) <= MAX_ADDRESS else ""


async def _peaks(files: Files, key: str) -> list[float]:
    """The waveform, where it is still there: a licence outlives the files."""
    try:
        return [float(peak) for peak in json.loads(await files.get(key))]
    except AssetMissing:
        return []
