"""The downloads over HTTP."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from market.api.actor import Acting, require
from market.api.files import FILE_ANSWERS, answer_content, answer_file, disposition
from market.api.problems import ANY_PROBLEM, problems
from market.api.session import Files, Further, Reading
from market.catalog import service as catalog
from market.catalog.formats import MANIFEST_TYPE
from market.downloads import service as downloads
from market.downloads.desk import Desk
from market.downloads.schemas import DownloadIn, DownloadOut
from market.errors import NotFound

router = APIRouter(prefix="/v1", tags=["downloads"], responses=ANY_PROBLEM)
pages = APIRouter(include_in_schema=False)

BINARY = {"schema": {"type": "string", "format": "binary"}}
# A takedown reaches a cache within the hour.
PREVIEW_CACHE = "public, max-age=3600"
DOWNLOAD_CACHE = "private, no-cache"
LoopId = Annotated[str, Path(max_length=40)]
Token = Annotated[str, Path(max_length=1000, description="As it came with the link")]


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


AtDesk = Annotated[Desk, Depends(_desk)]


def _files(*media_types: str) -> dict[int | str, dict[str, Any]]:
    content = dict.fromkeys(media_types, BINARY)
    return {
        200: {"description": "The file", "content": content},
        206: {"description": "The part of it that was asked for", "content": content},
        **FILE_ANSWERS,
    }


SOUNDS = ("audio/wav", "audio/flac", "audio/mpeg", "audio/ogg", "application/zip")


@router.get(
    "/loops/{loop_id}/preview",
    response_class=Response,
    responses={**_files("audio/mpeg", "audio/ogg"), **problems(404, 410, 422)},
)
async def get_preview(
    request: Request,
    session: Reading,
    files: Files,
    formats: Further,
    acting: Acting,
    loop_id: LoopId,
    format: Annotated[Literal["mp3", "ogg"], Query()] = "mp3",  # noqa: A002
) -> Response:
    """A loop to judge it by, with an audible mark: as long as the loop, a minute at most."""
    loop = (await catalog.see(session, loop_id, acting)).loop
    # Encoding takes a while: no connection is held meanwhile.
    await session.commit()
    preview = await formats.preview(loop, format)
    return await answer_file(
        request, files, preview.key, preview.media_type, f"{loop.id}-preview", PREVIEW_CACHE
    )


@router.post("/loops/{loop_id}/downloads", status_code=201, responses=problems(401, 403, 404, 410, 422))
async def place_download(
    request: Request, session: Reading, acting: Acting, loop_id: LoopId, wanted: DownloadIn
) -> DownloadOut:
    """Make a link to a loop's full files, for whoever made it or holds a licence."""
    if acting.account is not None:
        require(acting, "read")
    url, expires_at = await downloads.place(
        session, request.app.state.settings, acting, loop_id, wanted.format, wanted.minutes
    )
    return DownloadOut(url=url, expires_at=expires_at)


@router.get(
    "/downloads/{token}",
    response_class=Response,
    responses={**_files(*SOUNDS), **problems(403, 404, 410, 422)},
)
async def get_download(request: Request, desk: AtDesk, token: Token) -> Response:
    """The file behind a link, in parts where asked (Range, If-Range): what was broken off can be taken up again."""
    return await _send(request, desk, token)


@router.head(
    "/downloads/{token}", response_class=Response, responses={**_files(), **problems(403, 404, 410, 422)}
)
async def head_download(request: Request, desk: AtDesk, token: Token) -> Response:
    """How long the file behind a link is, and its ETag. This is no download."""
    return await _send(request, desk, token)


@router.get(
    "/downloads/{token}/manifest.c2pa",
    response_class=Response,
    responses={**_files(MANIFEST_TYPE), **problems(403, 404, 410, 422)},
)
async def get_manifest(
    request: Request, session: Reading, desk: AtDesk, files: Files, token: Token
) -> Response:
    """The content credentials of an OGG or Opus file, which has no room for them inside."""
    opened = await downloads.open_link(session, request.app.state.settings, token)
    if opened.link.format not in ("ogg", "opus"):
        raise NotFound("manifest", "beside this file: it is in it")
    await session.commit()
    parcel = await desk.parcel(opened)
    return await answer_file(
        request, files, parcel.manifest or "", MANIFEST_TYPE, parcel.name, DOWNLOAD_CACHE
    )


@router.get(
    "/credentials.pem",
    response_class=Response,
    responses={
        200: {
            "description": "The chain",
            "content": {"application/x-pem-file": {"schema": {"type": "string"}}},
        }
    },
)
async def get_certificate(formats: Further) -> Response:
    """The certificates that files from here are signed with: `riff verify --certificate` takes them."""
    return Response(formats.signer.chain, media_type="application/x-pem-file")


async def _send(request: Request, desk: Desk, token: str) -> Response:
    state = request.app.state
    async with state.database.read() as session:
        opened = await downloads.open_link(session, state.settings, token)
    # Encoding and signing take a while: no connection is held meanwhile.
    parcel = await desk.parcel(opened)
    headers = {
        "ETag": f'"{parcel.tag}"',
        "Cache-Control": DOWNLOAD_CACHE,
        "Content-Disposition": disposition("attachment", parcel.name),
    }
    if parcel.manifest is not None:
        headers["Link"] = f'</v1/downloads/{token}/manifest.c2pa>; rel="c2pa-manifest"'
    answer = await answer_content(
        request,
        parcel.content,
        parcel.media_type,
        headers,
        lambda count: desk.note(opened.link.digest, count),
    )
    if request.method == "GET" and answer.status_code in (200, 206):
        address = state.limits.address_of(request)
        async with state.database.write() as session:
            await downloads.start(session, state.settings, opened, request.headers.get("range"), address)
    return answer
