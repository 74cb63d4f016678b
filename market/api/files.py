"""A stored file as an HTTP answer: cached for good, in parts where asked (RFC 9110, sections 13 and 14)."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Protocol
from urllib.parse import quote

from fastapi import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from market.storage import Storage

# A larger part is sent piece by piece: a song as WAV has a hundred megabytes.
IN_MEMORY = 4 * 2**20
IMMUTABLE = "public, max-age=31536000, immutable"
_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

FILE_ANSWERS: dict[int | str, dict[str, Any]] = {
    304: {"description": "The client has it already (If-None-Match)"},
    416: {"description": "The file is shorter than that"},
}


class Content(Protocol):
    """Bytes that can be had from anywhere in them."""

    @property
    def size(self) -> int:
        """How many there are."""

    def chunks(self, start: int, end: int) -> AsyncIterator[bytes]:
        """Bytes `start` to `end` (exclusive), piece by piece."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file in the storage as content."""

    storage: Storage
    key: str
    size: int

    @classmethod
    async def of(cls, storage: Storage, key: str) -> "Stored":
        """Raises AssetMissing."""
        return cls(storage, key, await storage.size(key))

    def chunks(self, start: int, end: int) -> AsyncIterator[bytes]:
        return self.storage.chunks(self.key, start, end)


class _Counted(StreamingResponse):
    """Tells how many bytes of it were taken, once, however it ends."""

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        status: int,
        media_type: str,
        headers: dict[str, str],
        on_sent: Callable[[int], None],
    ) -> None:
        super().__init__(pieces, status, headers, media_type)
        self._on_sent = on_sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = 0

        async def counting(message: Message) -> None:
            nonlocal sent
            await send(message)
            sent += len(message.get("body", b""))

        try:
            await super().__call__(scope, receive, counting)
        finally:
            self._on_sent(sent)


async def answer_file(
    request: Request, storage: Storage, key: str, media_type: str, name: str, cache: str = IMMUTABLE
) -> Response:
    """The file under `key`, or the one range of bytes asked for. Several ranges at once get the whole file.

    `name` is what a browser saves it as, without the ending. Raises AssetMissing.
    """
    path = PurePosixPath(key)
    headers = {
        # A key names its content, so it is a strong validator.
        "ETag": f'"{path.stem}"',
        "Cache-Control": cache,
        "Content-Disposition": f'inline; filename="{name}{path.suffix}"',
    }
    if _matches(request, headers["ETag"]):
        return Response(status_code=304, headers={**headers, "Accept-Ranges": "bytes"})
    return await answer_content(request, await Stored.of(storage, key), media_type, headers)


async def answer_content(
    request: Request,
    content: Content,
    media_type: str,
    headers: dict[str, str],
    on_sent: Callable[[int], None] | None = None,
) -> Response:
    """Content, or the one range of it that was asked for, with these headers, among which is its ETag.

    `on_sent` is told how many bytes have left, once, when the answer is over or the client has gone. HEAD gets the
    headers only.
    """
    headers = {**headers, "Accept-Ranges": "bytes"}
    if _matches(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    span, status = asked_range(request, headers["ETag"], content.size), 200
    start, end = span or (0, content.size)
    if span is not None:
        if start >= end:
            headers["Content-Range"] = f"bytes */{content.size}"
            return Response(status_code=416, headers=headers)
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{content.size}"
        status = 206
    headers["Content-Length"] = str(end - start)
    if request.method == "HEAD":
        return Response(None, status, media_type=media_type, headers=headers)
    pieces = content.chunks(start, end)
    if on_sent is not None:
        return _Counted(pieces, status, media_type, headers, on_sent)
    if end - start <= IN_MEMORY:
        return Response(
            b"".join([piece async for piece in pieces]), status, media_type=media_type, headers=headers
        )
    return StreamingResponse(pieces, status, media_type=media_type, headers=headers)


def asked_range(request: Request, tag: str, size: int) -> tuple[int, int] | None:
    """Start and end (exclusive) of the range that a request is for, empty beyond the file's end.

    None where the whole is wanted, or If-Range names another version than `tag`.
    """
    asked = request.headers.get("range")
    if asked is None or request.headers.get("if-range", tag) != tag:
        return None
    return _range(asked, size)


def disposition(kind: str, name: str) -> str:
    """A Content-Disposition header for a file of any name (RFC 6266, with the plain name for old clients)."""
    plain = re.sub(r"[^ !#$&+.0-9A-Z^_`a-z{|}~()\[\],=@-]", "_", name)
    told = f'{kind}; filename="{plain}"'
    return told if plain == name else f"{told}; filename*=UTF-8''{quote(name, safe='')}"


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


def _matches(request: Request, tag: str) -> bool:
    asked = request.headers.get("if-none-match", "")
    return any(one.strip().removeprefix("W/") in (tag, "*") for one in asked.split(","))
