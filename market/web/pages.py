"""The pages: the studio at /, every loop at /loops, a loop's own page, a riff's page.

All of them work without JavaScript: the order form posts to /riffs and leads to the riff's page, which turns
itself over until the loops are there.
"""

import hashlib
import json
import random
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from generation.errors import InvalidRequest, RiffError
from generation.request import METRES, TONICS, RiffRequest
from market.api.session import Reading, Writing
from market.api.visitor import Visitor
from market.catalog import service as catalog
from market.catalog.schemas import LoopOut
from market.errors import AlreadyFinished, MarketError, status_of
from market.studio import service as studio
from market.studio.schemas import RiffOut
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

_TITLES = {403: "Not from here", 404: "Nothing plays here", 429: "One at a time"}


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
async def studio_page(request: Request, session: Reading) -> Response:
    """The studio; what the address names (?prompt=…&bars=…) is already in the form."""
    values = {field: request.query_params.get(field, blank) for field, blank in BLANK.items()}
    return await _studio(request, session, values, {})


@posting.post("/riffs")
async def order(request: Request, session: Writing, visitor: Visitor) -> Response:
    """Place a riff from the form and lead to its page; on bad input the form comes back with a sentence."""
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    values = {field: form.get(field, blank) for field, blank in BLANK.items()}
    key = _order_key(form.get("idempotency_key", ""), values)
    try:
        wish = RiffRequest.parse(**{**values, "seed": values["seed"].strip() or studio.seed_of(key)})
        placed = await studio.place(session, wish, owner=visitor, door="web", idempotency_key=key)
    except InvalidRequest as refusal:
        return await _studio(request, session, values, {refusal.field: str(refusal)}, status=422)
    except RiffError as refusal:
        return await _studio(request, session, values, {"": str(refusal)}, status=status_of(refusal))
    return RedirectResponse(f"/riffs/{placed.id}", status_code=303)


@router.get("/riffs/{riff_id}")
async def riff_page(request: Request, session: Reading, visitor: Visitor, riff_id: str) -> Response:
    order = await studio.get(session, riff_id)
    newest, place = await studio.latest(session, riff_id), await studio.place_in_queue(session, order)
    riff = RiffOut.of(order, newest, place)
    return page(
        request, "riff.html", {"riff": riff, "loops": riff.loops, "mine": order.owner == visitor}, fresh=True
    )


@posting.post("/riffs/{riff_id}/cancel")
async def cancel(session: Writing, visitor: Visitor, riff_id: str) -> Response:
    with suppress(AlreadyFinished):
        await studio.cancel(session, riff_id, visitor)
    return RedirectResponse(f"/riffs/{riff_id}", status_code=303)


@router.get("/loops")
async def loops_page(
    request: Request, session: Reading, cursor: Annotated[str | None, Query()] = None
) -> Response:
    shelf = await catalog.recent(session, SHELF, cursor)
    loops = [LoopOut.of(loop) for loop in shelf.loops]
    return page(request, "loops.html", {"here": "loops", "loops": loops, "next_cursor": shelf.next_cursor})


@router.get("/loops/{loop_id}")
async def loop_page(request: Request, session: Reading, loop_id: str) -> Response:
    loop = await catalog.get(session, loop_id)
    wish = catalog.request_of(loop)
    return page(
        request,
        "loop.html",
        {
            "loop": LoopOut.of(loop),
            "wish": wish,
            "name": wish.name,
            "takes": len(await catalog.of_riff(session, loop.riff_id)),
            "remake": "/?" + urlencode(_form_values(wish)),
            "base_url": request.app.state.settings.public_url or str(request.base_url).rstrip("/"),
        },
    )


@posting.post("/loops/{loop_id}/again")
async def again(session: Writing, visitor: Visitor, loop_id: str) -> Response:
    """The same wish with a fresh seed."""
    wish = catalog.request_of(await catalog.get(session, loop_id)).again()
    placed = await studio.place(session, wish, owner=visitor, door="web", idempotency_key=nonce())
    return RedirectResponse(f"/riffs/{placed.id}", status_code=303)


@posting.post("/loops/{loop_id}/vary")
async def vary(session: Writing, visitor: Visitor, loop_id: str) -> Response:
    """A near variation of one loop."""
    wish = catalog.request_of(await catalog.get(session, loop_id)).vary()
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
    values: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    status: int = 200,
) -> Response:
    shelf = await catalog.recent(session, RECENT)
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
        "loops": [LoopOut.of(loop) for loop in shelf.loops],
        "next_cursor": shelf.next_cursor,
    }
    return page(request, "studio.html", context, status=status, fresh=True)


def _form_values(wish: RiffRequest) -> dict[str, str]:
    """What the form has to hold to ask for this loop again."""
    record = wish.to_dict()
    return {field: str(record[field]) for field in BLANK if record[field] not in (None, "")}


def _order_key(form_nonce: str, values: Mapping[str, str]) -> str:
    """One key per form and content: sent twice it is one order, changed and sent again it is another."""
    return hashlib.sha256(json.dumps([form_nonce, values], sort_keys=True).encode()).hexdigest()
