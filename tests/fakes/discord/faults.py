"""What can go wrong with a request to the REST API, and the form of its answers."""

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any

from aiohttp import web


@dataclass
class Fault:
    """What goes wrong with requests whose method and path (without /api/v10) fit and that say `text`, `times` times.

    With `status` it answers that, with `cut` the connection breaks off; with `after` the request is carried
    out first, so that only the answer is lost. A `gate` holds the request (with `after`: its answer) until the
    event is set; `holding` counts those that wait.
    """

    method: str
    path: str
    status: int | None = None
    code: int = 0
    message: str = "injected fault"
    times: int = 1
    after: bool = False
    cut: bool = False
    gate: asyncio.Event | None = None
    text: str = ""
    hits: int = 0
    holding: int = 0

    def fits(self, method: str, path: str, body: Any = None) -> bool:
        fits = self.hits < self.times and method == self.method and re.search(self.path, path) is not None
        return fits and self.text in json.dumps(body)


class Refusal(Exception):
    """An error answer in Discord's form."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


async def read(request: web.Request) -> tuple[Any, dict[str, tuple[str, bytes]]]:
    if request.content_type != "multipart/form-data":
        raw = await request.read()
        return (json.loads(raw) if raw else None), {}
    body: Any = None
    files: dict[str, tuple[str, bytes]] = {}
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            files[name] = (value.filename, value.file.read())
        elif name == "payload_json":
            body = json.loads(value)
    return body, files


def answer(status: int, body: Any) -> web.Response:
    if status == 204:
        return web.Response(status=204)
    # discord.py reads JSON only where the type is exactly this, without a charset.
    return web.Response(
        status=status, body=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )


def error(status: int, code: int, message: str) -> web.Response:
    if status == 429:
        headers = {"Content-Type": "application/json", "Via": "1.1 google", "Retry-After": "0"}
        body = {"message": "You are being rate limited.", "retry_after": 0.05, "global": False}
        return web.Response(status=429, body=json.dumps(body).encode(), headers=headers)
    return answer(status, {"code": code, "message": message})
