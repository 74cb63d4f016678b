"""A stored file as an HTTP answer: cached for good, in parts where asked (RFC 9110, sections 13 and 14)."""

import re
from pathlib import PurePosixPath
from typing import Any

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from market.storage import Storage

# A larger part is sent piece by piece: a song as WAV has a hundred megabytes.
IN_MEMORY = 4 * 2**20
IMMUTABLE = "public, max-age=31536000, immutable"
_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

FILE_ANSWERS: dict[int | str, dict[str, Any]] = {
    304: {"description": "The client has it already (If-None-Match)"},
    416: {"description": "The file is shorter than that"},
}


async def answer_file(request: Request, storage: Storage, key: str, media_type: str, name: str) -> Response:
    """The file under `key`, or the one range of bytes asked for. Several ranges at once get the whole file.

    `name` is what a browser saves it as, without the ending.
    """
    path = PurePosixPath(key)
    # A key names its content, so it is a strong validator.
    tag = f'"{path.stem}"'
    headers = {
        "ETag": tag,
        "Cache-Control": IMMUTABLE,
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'inline; filename="{name}{path.suffix}"',
    }
    if _matches(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    asked = request.headers.get("range")
    size = await storage.size(key)
    span, status = None, 200
    if asked is not None and request.headers.get("if-range", tag) == tag:
        span = _range(asked, size)
    start, end = span or (0, size)
    if span is not None:
        if start >= end:
            return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        status = 206
    if end - start <= IN_MEMORY:
        part = await storage.get_range(key, start, end)
        return Response(part, status, media_type=media_type, headers=headers)
    headers["Content-Length"] = str(end - start)
    return StreamingResponse(storage.chunks(key, start, end), status, media_type=media_type, headers=headers)


def _range(asked: str, size: int) -> tuple[int, int] | None:
    """Start and end (exclusive) of one range, empty beyond the file's end; None for anything else."""
    found = _ONE_RANGE.fullmatch(asked.replace(" ", ""))
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found[1], found[2]
    if not first:
        return max(size - int(last), 0), size
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, size) if last else size


def _matches(if_none_match: str, tag: str) -> bool:
    return any(one.strip().removeprefix("W/") in (tag, "*") for one in if_none_match.split(","))
