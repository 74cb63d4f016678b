"""Riffs over HTTP: order, look, follow, cancel."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi import Path as InPath
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from generation.errors import InvalidRequest
from generation.presets import PRESETS
from market.api.actor import Acting
from market.api.files import FILE_ANSWERS, answer_file
from market.api.problems import ANY_PROBLEM, problems
from market.api.session import Feed, Files, Reading, Writing
from market.api.visitor import Visitor
from market.db import Database
from market.studio import service as studio
from market.studio import sources
from market.studio.feed import EventFeed
from market.studio.models import OPEN, PREVIEWS, Status
from market.studio.schemas import PresetsOut, RiffIn, RiffOut, RiffPlaced, StylesOut, UploadOut, preview_link
from market.studio.standing import seen_riff

PLACE_INTERVAL = 2.0
PINGS_EVERY = 7
router = APIRouter(prefix="/v1/riffs", tags=["riffs"], responses=ANY_PROBLEM)
uploads = APIRouter(prefix="/v1/uploads", tags=["uploads"], responses=ANY_PROBLEM)
shelf = APIRouter(prefix="/v1", tags=["riffs"], responses=ANY_PROBLEM)

Key = Annotated[
    str | None,
    Header(
        max_length=200,
        description="A name of yours for this order: the same one again gives the same riff, not a second",
    ),
]


# What a server-sent event has; `data` is JSON of its own.
_EVENT = {"type": "object", "properties": {"id": {"type": "string"}, "data": {"type": "string"}}}


@router.post("", status_code=202, responses=problems(403, 404, 410, 413, 422, 429))
async def place_riff(
    session: Writing, visitor: Visitor, response: Response, wish: RiffIn, idempotency_key: Key = None
) -> RiffPlaced:
    """Order a riff."""
    key = idempotency_key or secrets.token_urlsafe(24)
    request = await studio.request_of(session, dict(wish), seed=studio.seed_of(key), owner=visitor)
    # A client without cookies is somebody else at each call, so that only accounts have keys of their own.
    name = f"{visitor} {key}" if visitor.startswith("account:") else key
    order = await studio.place(session, request, owner=visitor, door="api", idempotency_key=name)
    response.headers["Location"] = f"/v1/riffs/{order.id}"
    return RiffPlaced.of(order, await studio.place_in_queue(session, order))


@router.get("/{riff_id}", responses=problems(404))
async def get_riff(session: Reading, acting: Acting, riff_id: str) -> RiffOut:
    """How a riff stands."""
    return await seen_riff(session, await studio.get(session, riff_id), acting)


@router.delete("/{riff_id}", responses=problems(403, 404, 409))
async def cancel_riff(session: Writing, acting: Acting, visitor: Visitor, riff_id: str) -> RiffOut:
    """Take a riff back, whether it waits or is being made; only the one who ordered it can."""
    return await seen_riff(session, await studio.cancel(session, riff_id, visitor), acting)


@router.get(
    "/{riff_id}/events",
    response_class=Response,
    responses={
        200: {
            "description": "Server-sent events; `id` is the number to resume from, `data` a JSON object",
            "content": {"text/event-stream": {"schema": _EVENT}},
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
    riff_id: Annotated[str, InPath(pattern="^[0-9a-f]{24}$")],
    name: Annotated[str, InPath(pattern=r"^[0-9]{1,3}-[0-9]{1,5}\.png$")],
) -> Response:
    """A riff's picture as it stood at one step; kept until a few minutes after the riff has ended."""
    return await answer_file(request, files, f"{PREVIEWS}{riff_id}/{name}", "image/png", riff_id)


_BINARY = {"type": "string", "format": "binary"}
_UPLOAD = {
    "required": True,
    "content": {
        "application/octet-stream": {"schema": _BINARY},
        "audio/*": {"schema": _BINARY},
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {"file": _BINARY}, "required": ["file"]}
        },
    },
}


@uploads.post(
    "",
    status_code=201,
    openapi_extra={"requestBody": _UPLOAD},
    responses={
        200: {"description": "This sound was here already", "model": UploadOut},
        **problems(413, 422, 429, 507),
    },
)
async def bring_sound(
    request: Request,
    session: Writing,
    visitor: Visitor,
    files: Files,
    response: Response,
    name: Annotated[
        str, Query(max_length=sources.MAX_NAME_LENGTH, description="What the file is called")
    ] = "",
) -> UploadOut:
    """Bring a sound to start from: the file itself as the body, or as the part `file` of a form.

    WAV, MP3, OGG, Opus, FLAC or M4A, from half a second to a minute, 32 MiB at most. It is removed after a week in
    which nothing was made from it.
    """
    content, called = await _brought(request)
    source = await sources.keep(session, files, content, owner=visitor, name=name or called)
    response.headers["Location"] = f"/v1/uploads/{source.id}"
    if source.used_at > source.created_at:
        response.status_code = 200
    return UploadOut.of(source)


@uploads.get("/{upload_id}", responses=problems(404))
async def get_upload(session: Reading, visitor: Visitor, upload_id: str) -> UploadOut:
    """A sound that you brought."""
    return UploadOut.of(await sources.get(session, upload_id, visitor))


@shelf.get("/presets")
async def list_presets() -> PresetsOut:
    """What `preset` may be, and what each stands for."""
    return PresetsOut(presets={name: dict(fields) for name, fields in PRESETS.items()})


@shelf.get("/styles")
async def list_styles(request: Request) -> StylesOut:
    """The styles that prompts may name here."""
    folder: Path = request.app.state.settings.styles_dir
    return StylesOut(styles=list(await asyncio.to_thread(studio.style_names, folder)))


async def _brought(request: Request) -> tuple[bytes, str]:
    """The file in a request, and what it is called there. Raises InvalidRequest."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        content, called = await request.body(), ""
    else:
        async with request.form(max_files=1, max_fields=8) as form:
            part = form.get("file")
            if not isinstance(part, UploadFile):
                raise InvalidRequest("file", "There is no file in the form: send it as the part “file”.")
            content, called = await part.read(), part.filename or ""
    if not content:
        raise InvalidRequest("file", "There is no sound in the body: send the file as it is.")
    if len(content) > sources.MAX_UPLOAD_BYTES:
        raise HTTPException(413)
    return content, called


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
