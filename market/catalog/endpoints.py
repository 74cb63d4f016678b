"""The loops over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from market.api.files import FILE_ANSWERS, IMMUTABLE, answer_file
from market.api.problems import ANY_PROBLEM, problems
from market.api.session import Files, Further, Reading
from market.catalog import service as catalog
from market.catalog.formats import CONTENT_TYPES
from market.catalog.schemas import LoopOut, LoopsOut
from market.catalog.service import MAX_PAGE

router = APIRouter(prefix="/v1/loops", tags=["loops"], responses=ANY_PROBLEM)


def _file(media_type: str, schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    content = {media_type: {"schema": schema}}
    return {
        200: {"description": "The file", "content": content},
        206: {"description": "The part of it that was asked for", "content": content},
        **FILE_ANSWERS,
        **problems(404),
    }


BINARY = {"type": "string", "format": "binary"}
PEAKS = {"type": "array", "items": {"type": "number", "minimum": 0, "maximum": 1}}


@router.get("", responses=problems(422))
async def list_loops(
    session: Reading,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the stretch before")] = None,
) -> LoopsOut:
    """The newest loops first."""
    page = await catalog.recent(session, limit, cursor)
    return LoopsOut(loops=[LoopOut.of(loop) for loop in page.loops], next_cursor=page.next_cursor)


@router.get("/{loop_id}", responses=problems(404))
async def get_loop(session: Reading, loop_id: str) -> LoopOut:
    """One loop."""
    return LoopOut.of(await catalog.get(session, loop_id))


@router.get("/{loop_id}/audio.wav", response_class=Response, responses=_file("audio/wav", BINARY))
async def get_wav(request: Request, session: Reading, files: Files, loop_id: str) -> Response:
    """The loop as it was made: 24-bit stereo WAV at 44.1 kHz with tempo and loop points inside."""
    loop = await catalog.get(session, loop_id)
    return await answer_file(request, files, loop.wav, "audio/wav", catalog.request_of(loop).name)


@router.get("/{loop_id}/audio.mp3", response_class=Response, responses=_file("audio/mpeg", BINARY))
async def get_mp3(request: Request, session: Reading, files: Files, loop_id: str) -> Response:
    """The loop for listening on the way; MP3 pads its ends, so it does not loop without a gap."""
    loop = await catalog.get(session, loop_id)
    return await answer_file(request, files, loop.mp3, "audio/mpeg", catalog.request_of(loop).name)


@router.get("/{loop_id}/audio.flac", response_class=Response, responses=_file("audio/flac", BINARY))
async def get_flac(
    request: Request, session: Reading, files: Files, formats: Further, loop_id: str
) -> Response:
    """The WAV's own samples in two thirds of the room."""
    return await _formatted(request, session, files, formats, loop_id, "flac")


@router.get("/{loop_id}/audio.ogg", response_class=Response, responses=_file("audio/ogg", BINARY))
async def get_ogg(
    request: Request, session: Reading, files: Files, formats: Further, loop_id: str
) -> Response:
    """The loop as OGG Vorbis, which loops without a gap."""
    return await _formatted(request, session, files, formats, loop_id, "ogg")


@router.get("/{loop_id}/audio.opus", response_class=Response, responses=_file("audio/ogg", BINARY))
async def get_opus(
    request: Request, session: Reading, files: Files, formats: Further, loop_id: str
) -> Response:
    """The loop as Opus at 48 kHz: small, and good to post."""
    return await _formatted(request, session, files, formats, loop_id, "opus")


@router.get("/{loop_id}/stems/{role}.wav", response_class=Response, responses=_file("audio/wav", BINARY))
async def get_stem(
    request: Request, session: Reading, files: Files, loop_id: str, role: Annotated[str, Path(max_length=20)]
) -> Response:
    """One layer of a loop that was made of layers: drums, bass, harmony or lead, as long as the loop."""
    loop = await catalog.get(session, loop_id)
    name = f"{catalog.request_of(loop).name}-{role}"
    return await answer_file(request, files, catalog.stem_of(loop, role), "audio/wav", name)


@router.get("/{loop_id}/spectrogram.png", response_class=Response, responses=_file("image/png", BINARY))
async def get_picture(request: Request, session: Reading, files: Files, loop_id: str) -> Response:
    """The picture that the loop was made from."""
    loop = await catalog.get(session, loop_id)
    return await answer_file(request, files, loop.png, "image/png", catalog.request_of(loop).name)


@router.get("/{loop_id}/spectrogram-light.png", response_class=Response, responses=_file("image/png", BINARY))
async def get_light_picture(
    request: Request, session: Reading, files: Files, formats: Further, loop_id: str
) -> Response:
    """The same picture as ink on paper."""
    return await _formatted(request, session, files, formats, loop_id, "light.png")


@router.get("/{loop_id}/thumbnail.webp", response_class=Response, responses=_file("image/webp", BINARY))
async def get_thumbnail(request: Request, session: Reading, files: Files, loop_id: str) -> Response:
    """A small picture, 480 x 150, for lists."""
    loop = await catalog.get(session, loop_id)
    key, name = catalog.thumbnail_of(loop), catalog.request_of(loop).name
    return await answer_file(request, files, key, "image/webp", name)


@router.get("/{loop_id}/video.mp4", response_class=Response, responses=_file("video/mp4", BINARY))
async def get_video(
    request: Request, session: Reading, files: Files, formats: Further, loop_id: str
) -> Response:
    """The picture with a playhead that moves through it while the loop plays, for some 8 seconds at least."""
    return await _formatted(request, session, files, formats, loop_id, "mp4")


@router.get("/{loop_id}/recipe.json", responses=problems(404))
async def get_recipe(session: Reading, response: Response, loop_id: str) -> dict[str, Any]:
    """Everything that is needed to make the same bytes again; `riff verify` takes it."""
    loop = await catalog.get(session, loop_id)
    response.headers["Cache-Control"] = IMMUTABLE
    name = catalog.request_of(loop).name
    response.headers["Content-Disposition"] = f'inline; filename="{name}.json"'
    return loop.recipe


@router.get("/{loop_id}/peaks.json", response_class=Response, responses=_file("application/json", PEAKS))
async def get_peaks(request: Request, session: Reading, files: Files, loop_id: str) -> Response:
    """The loudest moment, 0 to 1, in each of equal stretches of the loop: for drawing a waveform."""
    loop = await catalog.get(session, loop_id)
    return await answer_file(request, files, loop.peaks, "application/json", catalog.request_of(loop).name)


async def _formatted(
    request: Request, session: Reading, files: Files, formats: Further, loop_id: str, ending: str
) -> Response:
    loop = await catalog.get(session, loop_id)
    # Encoding takes a while: no connection is held meanwhile.
    await session.commit()
    key = await formats.key_of(loop, ending)
    return await answer_file(request, files, key, CONTENT_TYPES[ending], catalog.request_of(loop).name)
