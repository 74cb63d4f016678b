"""`POST /run_inference/` as Riffusion's server has it: JSON without a content type, refusals in plain text, any origin.

It is no part of our own API and of its document: its errors are text because its web app takes any JSON for a clip.
"""

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import PlainTextResponse, Response

from generation.errors import InvalidRequest, RiffError
from market.api.session import Feed, Files
from market.api.visitor import Visitor
from market.errors import status_of
from market.riffusion import service as riffusion
from market.riffusion.schemas import InferenceIn

router = APIRouter(include_in_schema=False)

_ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}


@router.post("/run_inference/")
async def run_inference(request: Request, files: Files, feed: Feed, visitor: Visitor) -> Response:
    """Make a clip and answer with it."""
    try:
        wish = InferenceIn.model_validate_json(await request.body())
    except ValidationError as error:
        return _refusal(400, _sentence(error))
    database = request.app.state.database
    try:
        clip = await riffusion.run_inference(database, files, feed, wish, visitor)
    except RiffError as error:
        return _refusal(400 if isinstance(error, InvalidRequest) else status_of(error), str(error))
    return Response(clip.model_dump_json(), media_type="application/json", headers=_ANY_ORIGIN)


@router.options("/run_inference/")
async def preflight(request: Request) -> Response:
    """What a browser asks before it sends JSON from another site's page."""
    asked = request.headers.get("access-control-request-headers", "content-type")
    allowed = {"Access-Control-Allow-Methods": "POST, OPTIONS", "Access-Control-Allow-Headers": asked}
    return Response(headers={"Allow": "POST, OPTIONS", **_ANY_ORIGIN, **allowed})


def _refusal(status: int, sentence: str) -> Response:
    return PlainTextResponse(sentence, status, headers=_ANY_ORIGIN)


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "json_invalid":
        return "The body is not JSON."
    if first["type"] == "missing":
        return f'missing value for field "{field}"'
    return f'wrong value for field "{field}": {first["msg"]}'
