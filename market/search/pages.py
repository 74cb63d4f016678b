"""The shop window at /loops: words, facets with counts, what sounds like a sentence or a loop, what goes with one.

Everything is in the address, so a search can be sent to somebody; the form works without JavaScript.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from generation.embedding import embed_text
from market.api.actor import Acting
from market.api.session import Reading
from market.catalog import service as catalog
from market.catalog.schemas import LoopOut
from market.search import service as search
from market.search.endpoints import Question, shown
from market.search.facets import TIERS
from market.web.rendering import key_name, page

router = APIRouter(include_in_schema=False)
SHELF = 24
SHOWN_AT_FIRST = 7
SORTS = {
    "relevance": "Best match", "new": "Newest", "popular": "Most played", "rating": "Best rated",
    "price": "Price, low first", "price_desc": "Price, high first",
}  # fmt: skip
# What the form shows as boxes to tick; tempo and the wider keys have fields of their own.
BOXES = {
    "genre": "Genre", "mood": "Mood", "instrument": "Instrument", "key": "Key", "bars": "Bars", "metre": "Metre",
    "licence": "Licence", "kind": "Kind", "stems": "Stems",
}  # fmt: skip
LABELS = {("stems", "true"): "With stems", ("stems", "false"): "Without", ("key", "none"): "No key"}


@router.get("/find")
async def find(request: Request) -> Response:
    """Where the form leads: to the address of the search, without what was left empty."""
    asked = [(name, value.strip()) for name, value in request.query_params.multi_items() if value.strip()]
    return RedirectResponse(f"/loops?{urlencode(asked)}" if asked else "/loops", status_code=303)


@router.get("/loops")
async def loops_page(
    request: Request,
    session: Reading,
    acting: Acting,
    query: Question,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    sounds: Annotated[str, Query(max_length=400)] = "",
    similar: Annotated[str, Query(max_length=40)] = "",
    goes_with: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """What a search finds; what `sounds` like a sentence, is `similar` to a loop or `goes_with` one, where asked."""
    context: dict[str, Any] = {"here": "loops", "q": query.text, "sounds": sounds, "origin": None}
    if sounds or similar or goes_with:
        loops = await _alike(session, acting, sounds, similar, goes_with)
        if similar or goes_with:
            found = await catalog.see(session, similar or goes_with, acting)
            context |= {"origin": LoopOut.shown(found), "how": "similar" if similar else "goes_with"}
        context |= {"loops": loops, "next": None, "facets": None}
        return page(request, "loops.html", context)
    found_now = await search.search(session, query, limit=SHELF, cursor=cursor)
    context |= {
        "loops": await shown(session, found_now.loop_ids, acting),
        "next": _address(request, cursor=found_now.next_cursor) if found_now.next_cursor else None,
        "corrected": found_now.corrected,
        "literal": _address(request, cursor=None, literal="true"),
        "ignored": found_now.ignored,
        "query": query,
        "sorts": SORTS,
        "facets": None,
    }
    # The grid that grows asks for the stretches after the first, and needs no counts.
    if cursor is None:
        counted = await search.facet_counts(session, query)
        context |= {
            "total": counted.total,
            "exact": counted.exact,
            "facets": _boxes(request, counted.facets),
            "picked": _picked(request),
        }
    return page(request, "loops.html", context)


async def _alike(
    session: Reading, acting: Acting, sentence: str, similar: str, goes_with: str
) -> Sequence[LoopOut]:
    if goes_with:
        ids: Sequence[str] = await search.goes_with(session, goes_with, limit=SHELF)
    elif similar:
        ids = [near.loop_id for near in await search.similar(session, similar, limit=SHELF)]
    else:
        vector = await asyncio.to_thread(embed_text, sentence)
        ids = [near.loop_id for near in await search.similar_to(session, vector, limit=SHELF)]
    return await shown(session, ids, acting)


def _boxes(request: Request, counted: Mapping[str, search.Facet]) -> list[dict[str, Any]]:
    """The facets as the form has them: what is ticked first, however little is found by it, then by number."""
    boxes = []
    for name, title in BOXES.items():
        ticked = request.query_params.getlist(name)
        values = {value.value: value for value in counted[name].values}
        if name == "licence":
            order = {tier: place for place, tier in enumerate(TIERS)}
            values = dict(sorted(values.items(), key=lambda item: order.get(item[0], len(order))))
        rows = [(value, 0) for value in ticked if value not in values]
        rows += [(value, values[value].count) for value in values]
        rows.sort(key=lambda row: row[0] not in ticked)
        shown_rows = [
            {
                "value": value,
                "label": _label(name, value, values[value].label if value in values else value),
                "count": count,
                "ticked": value in ticked,
            }
            for value, count in rows
        ]
        boxes.append(
            {
                "name": name,
                "title": title,
                "exact": counted[name].exact,
                "rows": shown_rows[:SHOWN_AT_FIRST],
                "more": shown_rows[SHOWN_AT_FIRST:],
            }
        )
    return boxes


def _label(name: str, value: str, label: str) -> str:
    if (name, value) in LABELS:
        return LABELS[name, value]
    if name == "key":
        return key_name(value)
    if name == "bars":
        return f"{value} {'bar' if value == '1' else 'bars'}"
    return label[:1].upper() + label[1:] if name in ("licence", "kind") else label


def _picked(request: Request) -> list[dict[str, str]]:
    """What narrows the search down, each with the address of the same search without it."""
    asked = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    picked = []
    for place, (name, value) in enumerate(asked):
        if name in BOXES or name in ("bpm_min", "bpm_max", "tags", "creator", "price_max"):
            rest = urlencode([*asked[:place], *asked[place + 1 :]])
            spoken = {"bpm_min": f"from {value} bpm", "bpm_max": f"to {value} bpm"}.get(name)
            picked.append({"label": spoken or _label(name, value, value), "without": f"/loops?{rest}"})
    return picked


def _address(request: Request, **changed: str | None) -> str:
    """This page's address with some parts of it changed, or left out where they are None."""
    asked = [(name, value) for name, value in request.query_params.multi_items() if name not in changed]
    asked += [(name, value) for name, value in changed.items() if value is not None]
    return f"/loops?{urlencode(asked)}"
