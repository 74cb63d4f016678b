"""Riffs over HTTP: order, look, follow, cancel."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request
from starlette.responses import Response, StreamingResponse

from market.api.files import FILE_ANSWERS, answer_file
from market.api.problems import ANY_PROBLEM, problems
from market.api.session import Feed, Files, Reading, Writing
from market.api.visitor import Visitor
from market.db import Database
from market.studio import service as studio
from market.studio.feed import EventFeed
from market.studio.models import OPEN, PREVIEWS, Status
from market.studio.schemas import RiffIn, RiffOut, RiffPlaced, preview_link, request_of

PLACE_INTERVAL = 2.0
PINGS_EVERY = 7
router = APIRouter(prefix="/v1/riffs", tags=["riffs"], responses=ANY_PROBLEM)

Key = Annotated[
    str | None,
    Header(
        max_length=200,
        description="A name of yours for this order: the same one again gives the same riff, not a second",
    ),
]


@router.post("", status_code=202, responses=problems(413, 422, 429))
async def place_riff(
    session: Writing, visitor: Visitor, response: Response, wish: RiffIn, idempotency_key: Key = None
) -> RiffPlaced:
    """Order a riff."""
    key = idempotency_key or secrets.token_urlsafe(24)
    request = request_of(wish, studio.seed_of(key))
    order = await studio.place(session, request, owner=visitor, door="api", idempotency_key=key)
    response.headers["Location"] = f"/v1/riffs/{order.id}"
    return RiffPlaced.of(order, await studio.place_in_queue(session, order))


@router.get("/{riff_id}", responses=problems(404))
async def get_riff(session: Reading, riff_id: str) -> RiffOut:
    """How a riff stands."""
    order = await studio.get(session, riff_id)
    return RiffOut.of(
        order, await studio.latest(session, riff_id), await studio.place_in_queue(session, order)
    )


@router.delete("/{riff_id}", responses=problems(403, 404, 409))
async def cancel_riff(session: Writing, visitor: Visitor, riff_id: str) -> RiffOut:
    """Take a riff back, whether it waits or is being made; only the one who ordered it can."""
    order = await studio.cancel(session, riff_id, visitor)
    return RiffOut.of(
        order, await studio.latest(session, riff_id), await studio.place_in_queue(session, order)
    )


@router.get(
    "/{riff_id}/events",
    response_class=Response,
    responses={
        200: {
            "description": "Server-sent events; `id` is the number to resume from, `data` a JSON object",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        204: {"description": "The riff has ended and the client has seen its last event"},
        **problems(404),
    },
)
async def follow_riff(
    request: Request,
    session: Reading,
    feed: Feed,
    riff_id: str,
    last_event_id: Annotated[str | None, Header(description="The `id` of the last event seen")] = None,
) -> Response:
    """What happens to a riff, as it happens, up to "done", "failed" or "cancelled".

    While it waits in the queue, messages without an id tell when its place changes.
    """
    order = await studio.get(session, riff_id)
    after = _seq(last_event_id)
    if order.status not in OPEN and not await studio.events(session, riff_id, after):
        return Response(status_code=204)
    return StreamingResponse(
        _messages(feed, request.app.state.database, riff_id, after),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.get(
    "/{riff_id}/previews/{name}",
    response_class=Response,
    responses={
        200: {
            "description": "The picture",
            "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
        },
        206: {"description": "The part of it that was asked for"},
        **FILE_ANSWERS,
        **problems(404),
    },
)
async def get_preview(
    request: Request,
    files: Files,
    riff_id: Annotated[str, Path(pattern="^[0-9a-f]{24}$")],
    name: Annotated[str, Path(pattern=r"^[0-9]{1,3}-[0-9]{1,3}\.png$")],
) -> Response:
    """A riff's picture as it stood at one step; kept until a few minutes after the riff has ended."""
    return await answer_file(request, files, f"{PREVIEWS}{riff_id}/{name}", "image/png", riff_id)


async def _messages(feed: EventFeed, database: Database, riff_id: str, after: int) -> AsyncIterator[str]:
    events = feed.follow(riff_id, after)
    coming = asyncio.ensure_future(anext(events, None))
    place, quiet = None, 0
    try:
        while True:
            ready, _ = await asyncio.wait({coming}, timeout=PLACE_INTERVAL)
            if ready:
                event = coming.result()
                if event is None:
                    return
                yield f"id: {event.seq}\n{_data(event.body)}"
                coming = asyncio.ensure_future(anext(events, None))
                continue
            async with database.read() as session:
                order = await studio.get(session, riff_id)
                now = await studio.place_in_queue(session, order)
            quiet += 1
            if order.status == Status.QUEUED and now != place:
                place = now
                yield _data(
                    {
                        "type": "queued",
                        "fraction": 0.0,
                        "position": now.position,
                        "eta_seconds": now.eta_seconds,
                    }
                )
            elif quiet % PINGS_EVERY == 0:
                yield ": still here\n\n"
    finally:
        coming.cancel()
        with suppress(asyncio.CancelledError):
            await coming
        await events.aclose()


def _data(body: Mapping[str, Any]) -> str:
    return f"data: {json.dumps({**body, 'preview': preview_link(body)})}\n\n"


def _seq(last_event_id: str | None) -> int:
    text = last_event_id or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
