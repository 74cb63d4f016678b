"""Errors as the client sees them: RFC 9457 problem details, or a page for a browser that asked for one."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from generation.errors import InvalidRequest, RiffError
from market.errors import MarketError, status_of
from market.web.pages import problem_page

MEDIA_TYPE = "application/problem+json"
DATABASE_AWAY = "The database does not answer: try again in a moment."
UNEXPECTED = "Something went wrong here: try again, and tell whoever runs this place if it stays so."
log = structlog.stdlib.get_logger(__name__)


class Problem(BaseModel):
    """What went wrong: `detail` is a sentence for a person, `field` the part of the request that is wrong."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    field: str | None = None


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documentation of the errors that an endpoint answers with."""
    return {status: _documented(HTTPStatus(status).phrase) for status in statuses}


def _documented(description: str) -> dict[str, Any]:
    return {"description": description, "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}}


# For every router; without it FastAPI documents an answer of its own that we never give.
ANY_PROBLEM: dict[int | str, dict[str, Any]] = {"default": _documented("Anything else that goes wrong")}


def install(app: FastAPI) -> None:
    """Let every error of the app end as a problem."""

    @app.exception_handler(RiffError)
    async def _refused(request: Request, error: RiffError) -> Response:
        field = error.field if isinstance(error, InvalidRequest) else None
        headers = error.headers if isinstance(error, MarketError) else {}
        return _answer(request, status_of(error), str(error), field, headers)

    @app.exception_handler(OperationalError)
    async def _database_away(request: Request, error: OperationalError) -> Response:
        log.error("the database failed", method=request.method, path=request.url.path, error=str(error))
        return _answer(request, 503, DATABASE_AWAY)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place, *path = first["loc"]
        if place == "path":
            return _answer(request, 404, "There is nothing at this address.")
        field = ".".join(str(part) for part in path)
        return _answer(request, 422, _sentence(first["type"], field, first["msg"]), field or None)

    @app.exception_handler(HTTPException)
    async def _refused_by_framework(request: Request, error: HTTPException) -> Response:
        sentence = {
            404: "There is nothing at this address.",
            405: f"{request.method} does not work at this address.",
            413: "This request is too large.",
        }.get(error.status_code, error.detail)
        return _answer(request, error.status_code, sentence, headers=dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def _broken(request: Request, error: Exception) -> Response:
        log.error("a request failed", method=request.method, path=request.url.path, exc_info=error)
        return _answer(request, 500, UNEXPECTED)


def _answer(
    request: Request,
    status: int,
    detail: str,
    field: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    title = HTTPStatus(status).phrase
    path, accept = request.url.path, request.headers.get("accept", "")
    if "text/html" in accept and not path.startswith("/v1/"):
        response = problem_page(request, status, title, detail)
    else:
        problem = Problem(title=title, status=status, detail=detail, field=field)
        response = JSONResponse(problem.model_dump(exclude_none=True), status, media_type=MEDIA_TYPE)
    response.headers.update(headers or {})
    return response


def _sentence(kind: str, field: str, message: str) -> str:
    match kind:
        case "json_invalid":
            return "The body is not JSON."
        case "missing" if not field:
            return "The body is missing: send the request as JSON."
        case "missing":
            return f"{field} is missing."
        case "extra_forbidden":
            return f"{field} is not a part of this request."
        case "model_attributes_type" | "model_type" | "dict_type":
            return "The body has to be a JSON object, sent as application/json."
    return f"{field}: {message[:1].lower()}{message[1:]}."
