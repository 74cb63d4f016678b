"""The loops over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from starlette.responses import JSONResponse, Response

from market.accounts.models import Account
from market.api.actor import Acting, signed_in
from market.api.files import FILE_ANSWERS, answer_content, answer_file
from market.api.problems import ANY_PROBLEM, MEDIA_TYPE, Problem, problems
from market.api.session import Files, Further, Reading, Writing
from market.catalog import service as catalog
from market.catalog import vocabulary
from market.catalog.errors import GateRefused
from market.catalog.formats import SIGNED_TYPES
from market.catalog.listening import listened
from market.catalog.models import ListingStatus
from market.catalog.pictures import bare
from market.catalog.schemas import (
    CheckOut,
    ChecksOut,
    ListingIn,
    ListingOut,
    LoopOut,
    LoopsOut,
    PublishedOut,
    TagWord,
    VocabularyOut,
)
from market.catalog.service import MAX_PAGE, Shown

router = APIRouter(prefix="/v1", tags=["loops"], responses=ANY_PROBLEM)
pages = APIRouter(include_in_schema=False)

# The same address answers a creator otherwise than a passer-by: what is kept is kept by the one who asked.
CACHE = "private, max-age=31536000, immutable"
BARE_CACHE = "private, max-age=3600"
Publisher = Annotated[Account, signed_in("publish")]
Seen = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=40,
        description="The ETag of the listing that you have read; refused when it changed",
    ),
]


def _file(media_type: str, schema: dict[str, Any], *refusals: int) -> dict[int | str, dict[str, Any]]:
    content = {media_type: {"schema": schema}}
    return {
        200: {"description": "The file", "content": content},
        206: {"description": "The part of it that was asked for", "content": content},
        **FILE_ANSWERS,
        **problems(*(refusals or (403, 404, 410))),
    }


BINARY = {"type": "string", "format": "binary"}
PEAKS = {"type": "array", "items": {"type": "number", "minimum": 0, "maximum": 1}}
LISTING: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The listing",
        "headers": {"ETag": {"description": "Its version, for If-Match", "schema": {"type": "string"}}},
    }
}
REFUSED: dict[int | str, dict[str, Any]] = {
    422: {
        "description": "It cannot be published, or the request is wrong",
        "content": {
            MEDIA_TYPE: {
                "schema": {
                    **Problem.model_json_schema(),
                    "properties": {
                        **Problem.model_json_schema()["properties"],
                        "checks": {
                            "type": "array",
                            "items": CheckOut.model_json_schema(),
                            "description": "Every check that was made",
                        },
                    },
                }
            }
        },
    }
}


@dataclass(frozen=True, slots=True)
class _Bytes:
    """A small file in memory, as content."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    async def chunks(self, start: int, end: int) -> AsyncIterator[bytes]:
        yield self.data[start:end]


@dataclass(frozen=True, slots=True)
class FileDoor:
    """Who asks for a file of a loop, and where files come from."""

    request: Request
    session: Reading
    acting: Acting
    files: Files
    formats: Further

    async def whole(self, loop_id: str, ending: str, stem: str = "") -> Response:
        """A whole file: a draft's as it was made, a listed loop's with its content credentials."""
        found = await catalog.open_files(self.session, loop_id, self.acting)
        loop, name = found.loop, catalog.request_of(found.loop).name
        plain = {"wav": loop.wav, "mp3": loop.mp3}.get(ending, "")
        if stem:
            plain, name = catalog.stem_of(loop, stem), f"{name}-{stem}"
        # Encoding and signing take a while: no connection is held meanwhile.
        await self.session.commit()
        if found.listing is not None and found.listing.status != ListingStatus.DRAFT:
            key = (await self.formats.signed(loop, ending, stem)).key
        else:
            key = plain or await self.formats.key_of(loop, ending)
        return await answer_file(self.request, self.files, key, SIGNED_TYPES[ending], name, CACHE)

    async def picture(
        self, found: Shown, key: str, media_type: Literal["image/png", "image/webp"]
    ) -> Response:
        """A picture; without the recipe that it carries for whoever may not have that."""
        if found.access.full:
            name = catalog.request_of(found.loop).name
            return await answer_file(self.request, self.files, key, media_type, name, CACHE)
        stem, _, ending = key.rpartition("/")[2].rpartition(".")
        headers = {
            "ETag": f'"{stem}-bare"',
            "Cache-Control": BARE_CACHE,
            "Content-Disposition": f'inline; filename="{catalog.public_name(found.loop)}.{ending}"',
        }
        content = _Bytes(bare(await self.files.get(key), media_type))
        return await answer_content(self.request, content, media_type, headers)


Door = Annotated[FileDoor, Depends()]


@router.get("/tags")
async def list_tags() -> VocabularyOut:
    """The words that loops are tagged with and found by."""
    return VocabularyOut(tags=[TagWord.of(word) for word in vocabulary.vocabulary()])


@router.get("/me/loops", responses=problems(401, 403, 422))
async def list_own_loops(
    session: Reading,
    acting: Acting,
    _account: Annotated[Account, signed_in("read")],
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
    cursor: Annotated[
        str | None, Query(max_length=200, description="`next_cursor` of the stretch before")
    ] = None,
) -> LoopsOut:
    """What you have made, listed or not, the newest first."""
    page = await catalog.mine(session, acting, limit, cursor)
    return LoopsOut(loops=[LoopOut.shown(found) for found in page.loops], next_cursor=page.next_cursor)


@router.get("/loops/{loop_id}", responses=problems(404, 410))
async def get_loop(session: Reading, acting: Acting, loop_id: str) -> LoopOut:
    """One loop, with what its creator says of it and asks for it."""
    return LoopOut.shown(await catalog.see(session, loop_id, acting))


@router.get("/loops/{loop_id}/listing", responses={**LISTING, **problems(404, 410)})
async def get_listing(session: Reading, acting: Acting, response: Response, loop_id: str) -> ListingOut:
    """What a loop's creator says of it, with an ETag to change it by."""
    found = await catalog.see(session, loop_id, acting)
    return _tagged(response, ListingOut.of(catalog.listing_of(found)))


@router.put(
    "/loops/{loop_id}/listing", responses={**LISTING, **REFUSED, **problems(401, 403, 404, 410, 412, 413)}
)
async def put_listing(
    session: Writing,
    account: Publisher,
    response: Response,
    loop_id: str,
    wish: ListingIn,
    if_match: Seen = None,
) -> ListingOut:
    """Write about a loop of yours, in place of all that was written; only its title stays where none is given."""
    held = await catalog.edit(session, loop_id, account, wish.whole(), seen=_version(if_match))
    return _tagged(response, ListingOut.of(held))


@router.patch(
    "/loops/{loop_id}/listing", responses={**LISTING, **REFUSED, **problems(401, 403, 404, 410, 412, 413)}
)
async def patch_listing(
    session: Writing,
    account: Publisher,
    response: Response,
    loop_id: str,
    wish: ListingIn,
    if_match: Seen = None,
) -> ListingOut:
    """Change some of what is written about a loop of yours."""
    held = await catalog.edit(session, loop_id, account, wish.parts(), seen=_version(if_match))
    return _tagged(response, ListingOut.of(held))


@router.get("/loops/{loop_id}/checks", responses=problems(401, 403, 404, 410))
async def get_checks(request: Request, account: Publisher, files: Files, loop_id: str) -> ChecksOut:
    """How a loop of yours stands before the gate: every check, with what was found and what the limit is."""
    measured = await listened(request.app.state.database, files, account, loop_id)
    async with request.app.state.database.read() as session:
        return ChecksOut.of(await catalog.checks(session, loop_id, account, measured))


@router.post(
    "/loops/{loop_id}/publish",
    response_model=PublishedOut,
    responses={**LISTING, **REFUSED, **problems(401, 403, 404, 409, 410, 412, 413)},
)
async def publish_loop(
    request: Request,
    session: Writing,
    account: Publisher,
    files: Files,
    response: Response,
    loop_id: str,
    wish: ListingIn | None = None,
    if_match: Seen = None,
) -> PublishedOut | Response:
    """Put a loop of yours on the market, perhaps with changes to its listing; what is on it already stays there.

    It has to pass the gate: a refusal names each reason and lists every check.
    """
    measured = await listened(request.app.state.database, files, account, loop_id)
    changes = wish.parts() if wish else {}
    try:
        held, checks = await catalog.publish(
            session, loop_id, account, measured, changes, seen=_version(if_match)
        )
    except GateRefused as refusal:
        # Nothing was written; the problem tells more than the others do.
        problem = Problem(title="Unprocessable Content", status=422, detail=str(refusal)).model_dump(
            exclude_none=True
        )
        looked = [CheckOut.of(check).model_dump() for check in refusal.checks]
        return JSONResponse({**problem, "checks": looked}, 422, media_type=MEDIA_TYPE)
    return PublishedOut(
        listing=_tagged(response, ListingOut.of(held)), checks=[CheckOut.of(check) for check in checks]
    )


@router.post("/loops/{loop_id}/delist", responses={**LISTING, **problems(401, 403, 404, 412)})
async def delist_loop(
    session: Writing, account: Publisher, response: Response, loop_id: str, if_match: Seen = None
) -> ListingOut:
    """Take a loop of yours off the market. Licences that were given stand."""
    held = await catalog.delist(session, loop_id, account, seen=_version(if_match))
    return _tagged(response, ListingOut.of(held))


@router.get("/loops/{loop_id}/audio.wav", response_class=Response, responses=_file("audio/wav", BINARY))
async def get_wav(door: Door, loop_id: str) -> Response:
    """The loop as it was made: 24-bit stereo WAV at 44.1 kHz with tempo and loop points inside."""
    return await door.whole(loop_id, "wav")


@router.get("/loops/{loop_id}/audio.mp3", response_class=Response, responses=_file("audio/mpeg", BINARY))
async def get_mp3(door: Door, loop_id: str) -> Response:
    """The loop for listening on the way; MP3 pads its ends, so it does not loop without a gap."""
    return await door.whole(loop_id, "mp3")


@router.get("/loops/{loop_id}/audio.flac", response_class=Response, responses=_file("audio/flac", BINARY))
async def get_flac(door: Door, loop_id: str) -> Response:
    """The WAV's own samples in two thirds of the room."""
    return await door.whole(loop_id, "flac")


@router.get("/loops/{loop_id}/audio.ogg", response_class=Response, responses=_file("audio/ogg", BINARY))
async def get_ogg(door: Door, loop_id: str) -> Response:
    """The loop as OGG Vorbis, which loops without a gap."""
    return await door.whole(loop_id, "ogg")


@router.get("/loops/{loop_id}/audio.opus", response_class=Response, responses=_file("audio/ogg", BINARY))
async def get_opus(door: Door, loop_id: str) -> Response:
    """The loop as Opus at 48 kHz: small, and good to post."""
    return await door.whole(loop_id, "opus")


@router.get(
    "/loops/{loop_id}/stems/{role}.wav", response_class=Response, responses=_file("audio/wav", BINARY)
)
async def get_stem(door: Door, loop_id: str, role: Annotated[str, Path(max_length=20)]) -> Response:
    """One layer of a loop that was made of layers: drums, bass, harmony or lead, as long as the loop."""
    return await door.whole(loop_id, "wav", role)


@router.get(
    "/loops/{loop_id}/spectrogram.png",
    response_class=Response,
    responses=_file("image/png", BINARY, 404, 410),
)
async def get_picture(door: Door, loop_id: str) -> Response:
    """The picture that the loop was made from."""
    found = await catalog.see(door.session, loop_id, door.acting)
    return await door.picture(found, found.loop.png, "image/png")


@router.get(
    "/loops/{loop_id}/spectrogram-light.png",
    response_class=Response,
    responses=_file("image/png", BINARY, 404, 410),
)
async def get_light_picture(door: Door, loop_id: str) -> Response:
    """The same picture as ink on paper."""
    found = await catalog.see(door.session, loop_id, door.acting)
    # Drawing takes a while: no connection is held meanwhile.
    await door.session.commit()
    key = await door.formats.key_of(found.loop, "light.png")
    return await door.picture(found, key, "image/png")


@router.get(
    "/loops/{loop_id}/thumbnail.webp",
    response_class=Response,
    responses=_file("image/webp", BINARY, 404, 410),
)
async def get_thumbnail(door: Door, loop_id: str) -> Response:
    """A small picture, 480 x 150, for lists."""
    found = await catalog.see(door.session, loop_id, door.acting)
    return await door.picture(found, catalog.thumbnail_of(found.loop), "image/webp")


@router.get("/loops/{loop_id}/video.mp4", response_class=Response, responses=_file("video/mp4", BINARY))
async def get_video(door: Door, loop_id: str) -> Response:
    """The picture with a playhead that moves through it while the loop plays, for some 8 seconds at least."""
    return await door.whole(loop_id, "mp4")


@router.get("/loops/{loop_id}/recipe.json", responses=problems(403, 404, 410))
async def get_recipe(session: Reading, acting: Acting, response: Response, loop_id: str) -> dict[str, Any]:
    """Everything that is needed to make the same bytes again; `riff verify` takes it."""
    loop = (await catalog.open_files(session, loop_id, acting)).loop
    response.headers["Cache-Control"] = CACHE
    name = catalog.request_of(loop).name
    response.headers["Content-Disposition"] = f'inline; filename="{name}.json"'
    return loop.recipe


@router.get(
    "/loops/{loop_id}/peaks.json",
    response_class=Response,
    responses=_file("application/json", PEAKS, 404, 410),
)
async def get_peaks(door: Door, loop_id: str) -> Response:
    """The loudest moment, 0 to 1, in each of equal stretches of the loop: for drawing a waveform."""
    loop = (await catalog.see(door.session, loop_id, door.acting)).loop
    name = catalog.public_name(loop)
    return await answer_file(door.request, door.files, loop.peaks, "application/json", name, CACHE)


def _tagged(response: Response, listing: ListingOut) -> ListingOut:
    response.headers["ETag"] = f'"{listing.version}"'
    response.headers["Cache-Control"] = "private, no-cache"
    return listing


def _version(if_match: str | None) -> int | None:
    """The version that an If-Match header names; one that nothing has where it is none of ours."""
    if if_match is None or if_match.strip() == "*":
        return None
    digits = if_match.strip().strip('"')
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else -1
