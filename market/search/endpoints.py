"""The search over HTTP."""

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, StringConstraints, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import UploadFile
from starlette.responses import Response

from generation.audio.ingest import read_audio
from generation.embedding import embed_audio, embed_text
from generation.errors import InvalidRequest
from market.api.actor import Acting, Actor
from market.api.problems import ANY_PROBLEM, problems
from market.api.session import Reading
from market.catalog import service as catalog
from market.catalog.schemas import LoopOut
from market.search import query as asked
from market.search import repository
from market.search import service as search
from market.search.cells import Vectors
from market.search.facets import KINDS
from market.search.keys import NO_KEY, KeyMatch, number_of
from market.search.schemas import (
    CompanionsOut,
    FacetsOut,
    NearestOut,
    NearOut,
    SearchOut,
    SentenceIn,
    SuggestionOut,
    SuggestionsOut,
)

router = APIRouter(prefix="/v1/loops", tags=["search"], responses=ANY_PROBLEM)
pages = APIRouter(include_in_schema=False)
# What takes a sound, and so more than other requests.
SOUNDS = "/v1/loops/similar"
MAX_CHOICES = 20
MAX_TEXT = 10_000
# The same address answers a creator otherwise than a passer-by.
CACHE = "private, max-age=30"

Value = Annotated[str, StringConstraints(max_length=80)]
Choices = Annotated[list[Value], Query(max_length=MAX_CHOICES)]
Bpm = Annotated[float | None, Query(gt=0, le=1000)]
Cents = Annotated[int | None, Query(ge=0, le=10_000_000)]
Limit = Annotated[int, Query(ge=1, le=search.MAX_PAGE)]
Few = Annotated[int, Query(ge=1, le=50)]
_UNCHANGED: dict[int | str, dict[str, Any]] = {
    304: {"description": "The client has it already (If-None-Match)"}
}


def question(
    q: Annotated[str, Query(max_length=MAX_TEXT, description="Words; all of them have to fit")] = "",
    literal: Annotated[bool, Query(description="Take the words as they are spelt")] = False,
    genre: Choices = [],  # noqa: B006
    mood: Choices = [],  # noqa: B006
    instrument: Choices = [],  # noqa: B006
    tags: Choices = [],  # noqa: B006
    key: Annotated[list[Value], Query(max_length=MAX_CHOICES, description='"Am", "F#", or "none"')] = [],  # noqa: B006
    key_match: Annotated[
        KeyMatch,
        Query(
            description="Whether the relative key, or all that go with it on the circle of fifths, will do, too"
        ),
    ] = "exact",
    bpm_min: Bpm = None,
    bpm_max: Bpm = None,
    bpm_related: Annotated[bool, Query(description="Whether half and double the tempo will do, too")] = False,
    bars: Annotated[list[Annotated[int, Query(ge=1, le=65_535)]], Query(max_length=MAX_CHOICES)] = [],  # noqa: B006
    metre: Choices = [],  # noqa: B006
    licence: Choices = [],  # noqa: B006
    creator: Annotated[list[Value], Query(max_length=MAX_CHOICES, description="Ids")] = [],  # noqa: B006
    kind: Annotated[list[Value], Query(max_length=MAX_CHOICES, description=", ".join(KINDS))] = [],  # noqa: B006
    stems: Annotated[bool | None, Query(description="Whether it has its layers one by one")] = None,
    price_min: Annotated[Cents, Query(description="In cents, of its cheapest licence")] = None,
    price_max: Cents = None,
    sort: asked.Sort = "relevance",
) -> asked.Query:
    """What a request asks for. Raises InvalidRequest."""
    return asked.Query(
        text=q,
        literal=literal,
        genres=tuple(genre),
        moods=tuple(mood),
        instruments=tuple(instrument),
        tags=tuple(tags),
        keys=tuple(map(_key, key)),
        key_match=key_match,
        bpm_min=bpm_min,
        bpm_max=bpm_max,
        related_bpm=bpm_related,
        bars=tuple(bars),
        metres=tuple(metre),
        tiers=tuple(licence),
        creators=tuple(creator),
        kinds=tuple(kind),
        has_stems=stems,
        price_min=price_min,
        price_max=price_max,
        sort=sort,
    )


Question = Annotated[asked.Query, Depends(question)]


@router.get("", responses={**_UNCHANGED, **problems(422)}, response_model=SearchOut)
async def find_loops(
    request: Request,
    session: Reading,
    acting: Acting,
    query: Question,
    limit: Limit = 20,
    cursor: Annotated[
        str | None, Query(max_length=200, description="`next_cursor` of the stretch before")
    ] = None,
    counts: Annotated[
        bool | None, Query(description="Whether to count facets; only for the first stretch if not said")
    ] = None,
) -> Response:
    """The published loops that fit. Within a filter any of the values will do, between filters all have to fit."""
    found = await search.search(session, query, limit=limit, cursor=cursor)
    counted = None
    if counts or (counts is None and cursor is None):
        counted = FacetsOut.of(await search.facet_counts(session, query))
    out = SearchOut(
        loops=await shown(session, found.loop_ids, acting),
        next_cursor=found.next_cursor,
        corrected=found.corrected,
        ignored=list(found.ignored),
        counts=counted,
    )
    return _answer(request, out, CACHE)


@router.get("/suggest", responses={**_UNCHANGED, **problems(422)}, response_model=SuggestionsOut)
async def suggest(
    request: Request,
    session: Reading,
    q: Annotated[str, Query(max_length=MAX_TEXT, description="What has been typed so far")],
    limit: Annotated[int, Query(ge=1, le=20)] = 8,
) -> Response:
    """How a text that somebody is typing could go on."""
    found = await search.suggest(session, q, limit=limit)
    out = SuggestionsOut.model_validate(
        {"suggestions": [SuggestionOut.model_validate(one, from_attributes=True) for one in found]}
    )
    return _answer(request, out, "public, max-age=60")


_BINARY = {"type": "string", "format": "binary"}
_SOUND_OR_SENTENCE = {
    "required": True,
    "content": {
        "application/json": {"schema": SentenceIn.model_json_schema()},
        "application/octet-stream": {"schema": _BINARY},
        "audio/*": {"schema": _BINARY},
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {"file": _BINARY}, "required": ["file"]}
        },
    },
}


@router.post(
    "/similar",
    openapi_extra={"requestBody": _SOUND_OR_SENTENCE},
    responses=problems(400, 413, 422, 503),
)
async def similar_to_what_is_sent(
    request: Request, session: Reading, acting: Acting, limit: Few = 12
) -> NearestOut:
    """The published loops that sound most like a sound, or like what a sentence says.

    A sound is the body itself or the part `file` of a form: half a second to a minute, 32 MiB at most. Nothing of it is
    kept.
    """
    vector = await _vector_of(request)
    return await _nearest(session, acting, await search.similar_to(session, vector, limit=limit))


@router.get(
    "/{loop_id}/similar", responses={**_UNCHANGED, **problems(404, 409, 422)}, response_model=NearestOut
)
async def similar_loops(
    request: Request, session: Reading, acting: Acting, loop_id: str, limit: Few = 12
) -> Response:
    """The published loops that sound most like one of them."""
    near = await search.similar(session, loop_id, limit=limit)
    return _answer(request, await _nearest(session, acting, near), CACHE)


@router.get(
    "/{loop_id}/goes-with", responses={**_UNCHANGED, **problems(404, 422)}, response_model=CompanionsOut
)
async def companions(
    request: Request, session: Reading, acting: Acting, loop_id: str, limit: Few = 12
) -> Response:
    """The published loops to play together with one of them: the same grid, a key that goes with its key."""
    found = await search.goes_with(session, loop_id, limit=limit)
    return _answer(request, CompanionsOut(loops=await shown(session, found, acting)), CACHE)


async def shown(session: AsyncSession, loop_ids: Sequence[str], acting: Actor) -> list[LoopOut]:
    """Loops by their ids, in that order, as somebody sees them in a list."""
    loops = await repository.loops_named(session, loop_ids)
    return [LoopOut.shown(found) for found in await catalog.shown(session, loops, acting)]


async def _nearest(session: AsyncSession, acting: Actor, near: Iterable[search.Near]) -> NearestOut:
    similarities = {found.loop_id: found.similarity for found in near}
    loops = await shown(session, list(similarities), acting)
    return NearestOut(loops=[NearOut(loop=loop, similarity=similarities[loop.id]) for loop in loops])


async def _vector_of(request: Request) -> Vectors:
    """The embedding of the sound or the sentence in a request. Raises InvalidRequest and UnreadableAudio."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        try:
            sentence = SentenceIn.model_validate_json(await request.body()).sentence
        except ValidationError:
            raise InvalidRequest(
                "sentence", 'Send {"sentence": …} with 1 to 400 characters, or a sound.'
            ) from None
        return await asyncio.to_thread(embed_text, sentence)
    content = await _sound_in(request) if kind == "multipart/form-data" else await request.body()
    if not content:
        raise InvalidRequest("file", "There is nothing in the body: send a sound, or a sentence as JSON.")
    return await asyncio.to_thread(lambda: embed_audio(read_audio(content)))


async def _sound_in(request: Request) -> bytes:
    async with request.form(max_files=1, max_fields=8) as form:
        part = form.get("file")
        if not isinstance(part, UploadFile):
            raise InvalidRequest("file", "There is no file in the form: send it as the part “file”.")
        return await part.read()


def _key(name: str) -> int:
    number = NO_KEY if name == "none" else number_of(name)
    if number == NO_KEY and name != "none":
        raise InvalidRequest("key", "A key is written like Am, F#, Bb minor or C major; none is “none”.")
    return number


def _answer(request: Request, out: BaseModel, cache: str) -> Response:
    """A list as JSON, or 304 where the client has this very list."""
    body = out.model_dump_json().encode()
    headers = {"ETag": f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"', "Cache-Control": cache}
    tags = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
    if headers["ETag"] in tags or headers["ETag"].removeprefix("W/") in tags or "*" in tags:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
