"""The pages: the studio at /, one's own loops at /studio/loops, a loop's page, a riff's page.

All of them work without JavaScript: the order form posts to /riffs and leads to the riff's page, which turns
itself over until the loops are there.
"""

import hashlib
import json
import random
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from generation.errors import InvalidRequest, RiffError
from generation.request import METRES, TONICS, RiffRequest
from market.api.actor import Acting, Actor, require
from market.api.session import Files, Reading, Writing
from market.api.visitor import Visitor
from market.catalog import gate, offers
from market.catalog import service as catalog
from market.catalog.errors import GateRefused
from market.catalog.listening import listened
from market.catalog.models import ListingStatus
from market.catalog.schemas import ChecksOut, ListingOut, LoopOut
from market.catalog.tags import automatic
from market.db import Database
from market.errors import AlreadyFinished, MarketError, status_of
from market.licensing import tiers
from market.storage import Storage
from market.studio import service as studio
from market.studio.standing import seen_riff
from market.web.rendering import nonce, page

RECENT = 12
SHELF = 24

# What the form holds before anything is typed; the names are RiffRequest.parse's.
BLANK = {
    "prompt": "", "bars": "4", "metre": "", "bpm": "", "key": "", "seed": "",
    "negative_prompt": "", "takes": "1", "steps": "", "guidance_scale": "",
}  # fmt: skip
ADVANCED = ("negative_prompt", "takes", "steps", "guidance_scale")

EXAMPLES = (
    "church bells",
    "lofi hip hop with warm rhodes",
    "drum and bass break",
    "solo acoustic piano",
    "a waltz for accordion",
    "typing",
)
MOODS = ("warm", "dark", "dreamy", "bright", "dusty", "driving", "slow", "playful")
SOUNDS = (
    "church bells", "piano", "rhodes", "strings", "slap bass", "acoustic guitar", "vibraphone", "music box",
    "brass", "flute", "organ", "marimba", "synth lead", "drum kit", "cello", "acid bass", "808 drums", "chiptune lead",
    "accordion", "harp", "choir", "sitar", "kalimba", "theremin", "typing", "rain",
)  # fmt: skip
STYLES = (
    "lofi", "house", "techno", "drum and bass", "hip hop", "funk", "bossa nova", "ambient",
    "synthwave", "reggae", "trap", "jazz", "waltz", "celtic", "flamenco", "tango", "chiptune", "acid", "gospel",
    "afrobeat", "dubstep", "cinematic",
)  # fmt: skip

_TITLES = {403: "Not from here", 404: "Nothing plays here", 410: "Taken down", 429: "One at a time"}


class ForeignForm(MarketError):
    """A form was sent from a page that is not ours."""

    status_code = 403

    def __init__(self) -> None:
        super().__init__("This form came from another site: open the studio and try again.")


def own_form(request: Request) -> None:
    """Refuse a form that another site's page sends in this visitor's name (Fetch Metadata, W3C)."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ForeignForm


router = APIRouter(include_in_schema=False)
posting = APIRouter(include_in_schema=False, dependencies=[Depends(own_form)])


@router.get("/")
async def studio_page(request: Request, session: Reading, acting: Acting) -> Response:
    """The studio; what the address names (?prompt=…&bars=…) is already in the form."""
    values = {field: request.query_params.get(field, blank) for field, blank in BLANK.items()}
    return await _studio(request, session, acting, values, {})


@posting.post("/riffs")
async def order(request: Request, session: Writing, acting: Acting, visitor: Visitor) -> Response:
    """Place a riff from the form and lead to its page; on bad input the form comes back with a sentence."""
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    values = {field: form.get(field, blank) for field, blank in BLANK.items()}
    key = _order_key(form.get("idempotency_key", ""), values)
    try:
        wish = RiffRequest.parse(**{**values, "seed": values["seed"].strip() or studio.seed_of(key)})
        placed = await studio.place(session, wish, owner=visitor, door="web", idempotency_key=key)
    except InvalidRequest as refusal:
        return await _studio(request, session, acting, values, {refusal.field: str(refusal)}, status=422)
    except RiffError as refusal:
        return await _studio(request, session, acting, values, {"": str(refusal)}, status=status_of(refusal))
    return RedirectResponse(f"/riffs/{placed.id}", status_code=303)


@router.get("/riffs/{riff_id}")
async def riff_page(request: Request, session: Reading, acting: Acting, riff_id: str) -> Response:
    order = await studio.get(session, riff_id)
    riff = await seen_riff(session, order, acting)
    return page(
        request,
        "riff.html",
        {"riff": riff, "loops": riff.loops, "mine": order.owner == acting.owner},
        fresh=True,
    )


@posting.post("/riffs/{riff_id}/cancel")
async def cancel(session: Writing, visitor: Visitor, riff_id: str) -> Response:
    with suppress(AlreadyFinished):
        await studio.cancel(session, riff_id, visitor)
    return RedirectResponse(f"/riffs/{riff_id}", status_code=303)


@router.get("/studio/loops")
async def own_loops_page(
    request: Request, session: Reading, acting: Acting, cursor: Annotated[str | None, Query()] = None
) -> Response:
    """What somebody has made, with what became of it."""
    shelf = await catalog.mine(session, acting, SHELF, cursor)
    loops = [LoopOut.shown(found) for found in shelf.loops]
    context = {"here": "own", "loops": loops, "next_cursor": shelf.next_cursor}
    return page(request, "own-loops.html", context, fresh=True)


@router.get("/loops/{loop_id}")
async def loop_page(request: Request, session: Reading, acting: Acting, loop_id: str) -> Response:
    found = await catalog.see(session, loop_id, acting)
    loop, wish = found.loop, catalog.request_of(found.loop)
    held = found.listing
    maker = acting.owner == (
        f"account:{held.creator_id}" if held else (await studio.get(session, loop.riff_id)).owner
    )
    return page(
        request,
        "loop.html",
        {
            "loop": LoopOut.shown(found),
            "wish": wish,
            "name": wish.name if found.access.full else catalog.public_name(loop),
            "takes": len(await catalog.of_riff(session, loop.riff_id)) if found.access.full else 1,
            "remake": "/?" + urlencode(_form_values(wish)),
            "base_url": request.app.state.settings.public_url or str(request.base_url).rstrip("/"),
            "maker": maker,
            "on_sale": found.access.listed,
            "was_listed": held is not None and held.status != ListingStatus.DRAFT,
            "tiers": tiers.every(),
        },
        fresh=maker,
    )


@router.get("/loops/{loop_id}/publish")
async def publish_page(request: Request, acting: Acting, files: Files, loop_id: str) -> Response:
    """The form by which a creator offers a loop, with every check of the gate."""
    if acting.account is None:
        return RedirectResponse(f"/sign-in?next=/loops/{quote(loop_id, safe='')}/publish", status_code=303)
    return await _publishing(request, acting, files, loop_id, {}, {})


@posting.post("/loops/{loop_id}/publish")
async def publish_form(request: Request, acting: Acting, files: Files, loop_id: str) -> Response:
    """Save a listing, put it on the market or take it off, by the button that was pressed."""
    account = require(acting, "publish")
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    database: Database = request.app.state.database
    try:
        parts, action = _offer_in(form), form.get("action", "save")
        # What takes a second is done before a transaction begins.
        measured = (
            await listened(request.app.state.database, files, account, loop_id)
            if action == "publish"
            else None
        )
        async with database.write() as session:
            if measured is not None:
                await catalog.publish(session, loop_id, account, measured, parts)
            elif action == "delist":
                await catalog.delist(session, loop_id, account)
            else:
                await catalog.edit(session, loop_id, account, parts)
    except InvalidRequest as refusal:
        return await _publishing(
            request, acting, files, loop_id, form, {refusal.field: str(refusal)}, status=422
        )
    except GateRefused as refusal:
        return await _publishing(request, acting, files, loop_id, form, {"": str(refusal)}, status=422)
    return RedirectResponse(f"/loops/{loop_id}" if action == "publish" else f"/loops/{loop_id}/publish", 303)


@posting.post("/loops/{loop_id}/again")
async def again(session: Writing, visitor: Visitor, loop_id: str) -> Response:
    """The same wish with a fresh seed."""
    loop = await catalog.get(session, loop_id)
    wish = catalog.request_of(loop).again()
    await catalog.require_remake(session, loop, wish, visitor)
    placed = await studio.place(session, wish, owner=visitor, door="web", idempotency_key=nonce())
    return RedirectResponse(f"/riffs/{placed.id}", status_code=303)


@posting.post("/loops/{loop_id}/vary")
async def vary(session: Writing, visitor: Visitor, loop_id: str) -> Response:
    """A near variation of one loop."""
    loop = await catalog.get(session, loop_id)
    wish = catalog.request_of(loop).vary()
    await catalog.require_remake(session, loop, wish, visitor)
    placed = await studio.place(session, wish, owner=visitor, door="web", idempotency_key=nonce())
    return RedirectResponse(f"/riffs/{placed.id}", status_code=303)


router.include_router(posting)


def problem_page(request: Request, status: int, title: str, detail: str) -> Response:
    """An error as a page: a headline and the sentence."""
    context = {"status": status, "title": _TITLES.get(status, title), "sentence": detail}
    return page(request, "problem.html", context, status=status)


async def _studio(
    request: Request,
    session: Reading,
    acting: Actor,
    values: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    status: int = 200,
) -> Response:
    shelf = await catalog.mine(session, acting, RECENT)
    fresh = await catalog.recent(session, acting, RECENT)
    context = {
        "here": "studio",
        "nonce": nonce(),
        "values": values,
        "errors": errors,
        "advanced_open": any(values[field] != BLANK[field] or field in errors for field in ADVANCED),
        "metres": list(METRES),
        "tonics": TONICS,
        "examples": EXAMPLES,
        "dice": f"{random.choice(MOODS)} {random.choice(SOUNDS)}, {random.choice(STYLES)}",
        "wheel": {"moods": MOODS, "sounds": SOUNDS, "styles": STYLES},
        "loops": [LoopOut.shown(found) for found in shelf.loops],
        "next_cursor": shelf.next_cursor,
        "market": [LoopOut.shown(found) for found in fresh],
    }
    return page(request, "studio.html", context, status=status, fresh=True)


async def _publishing(
    request: Request,
    acting: Actor,
    files: Storage,
    loop_id: str,
    form: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    status: int = 200,
) -> Response:
    """The form for a listing, with what was typed or else with what is written already."""
    account = require(acting, "publish")
    measured = await listened(request.app.state.database, files, account, loop_id)
    database: Database = request.app.state.database
    async with database.read() as session:
        found = await catalog.see(session, loop_id, acting)
        checks = await catalog.checks(session, loop_id, account, measured)
        suggested = [tag.value for tag in automatic(found.loop.recipe, measured.tags)]
    held = None if found.listing is None else ListingOut.of(found.listing)
    tags = [tag.value for tag in held.tags] if held and (held.tags or held.version > 1) else suggested
    values = {
        "title": held.title if held else found.loop.prompt[: offers.TITLE_LENGTH],
        "description": held.description if held else "",
        "tags": ", ".join(tags),
        "free": "on" if held and held.free else "",
        "rights": "on" if held and held.rights_confirmed_at else "",
        **{f"price-{tier}": _dollars(held.prices.get(tier)) if held else "" for tier in offers.paid_tiers()},
    }
    context = {
        "here": "own",
        "loop": LoopOut.shown(found),
        "held": held,
        "values": {name: form.get(name, "") for name in values} if form else values,
        "suggested": suggested,
        "errors": errors,
        "checks": ChecksOut.of(checks),
        "tiers": [tiers.get(name) for name in offers.paid_tiers()],
        "brought": gate.starts_from_upload(found.loop.recipe),
        "prices": [f"{limit // 100:,}" for limit in offers.PRICE_CENTS],
    }
    return page(request, "publish.html", context, status=status, fresh=True)


def _offer_in(form: Mapping[str, str]) -> dict[str, object]:
    """What a listing's form asks for, by the names of `offers.parse`. Raises InvalidRequest."""
    typed = {tier: offers.cents(tier, form.get(f"price-{tier}", "")) for tier in offers.paid_tiers()}
    prices = {tier: cents for tier, cents in typed.items() if cents is not None}
    return {
        "title": form.get("title", ""),
        "description": form.get("description", ""),
        "tags": [word.strip() for word in form.get("tags", "").split(",") if word.strip()],
        "prices": prices,
        "free": "free" in form,
        "rights": "rights" in form,
    }


def _dollars(cents: int | None) -> str:
    return "" if cents is None else f"{cents // 100}" + (f".{cents % 100:02}" if cents % 100 else "")


def _form_values(wish: RiffRequest) -> dict[str, str]:
    """What the form has to hold to ask for this loop again."""
    record = wish.to_dict()
    return {field: str(record[field]) for field in BLANK if record[field] not in (None, "")}


def _order_key(form_nonce: str, values: Mapping[str, str]) -> str:
    """One key per form and content: sent twice it is one order, changed and sent again it is another."""
    return hashlib.sha256(json.dumps([form_nonce, values], sort_keys=True).encode()).hexdigest()
