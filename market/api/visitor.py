"""Who is there, for people without an account: an id in a signed cookie."""

import secrets
from typing import Annotated

from fastapi import Depends, Request
from itsdangerous import BadSignature, URLSafeSerializer
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from market.settings import Settings

COOKIE = "riff_visitor"
ONE_YEAR = 365 * 24 * 60 * 60


def visitor(request: Request) -> str:
    """The owner id of whoever sent this request; a first-time visitor gets one, and its cookie."""
    known = getattr(request.state, "visitor", None)
    if known is not None:
        return str(known)
    signer = _signer(request.app.state.settings)
    try:
        owner = str(signer.loads(request.cookies[COOKIE]))
    except (KeyError, BadSignature):
        owner = f"visitor:{secrets.token_hex(12)}"
        request.state.new_visitor = owner
    request.state.visitor = owner
    return owner


Visitor = Annotated[str, Depends(visitor)]


class VisitorCookie:
    """Sets the cookie of a first-time visitor on whatever the endpoint answers, pages and redirects too."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_cookie(message: Message) -> None:
            owner = scope.get("state", {}).get("new_visitor")
            if owner is not None and message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", self._cookie(owner))
            await send(message)

        await self._app(scope, receive, send_with_cookie if scope["type"] == "http" else send)

    def _cookie(self, owner: str) -> str:
        secure = "; Secure" if self._settings.public_url.startswith("https://") else ""
        value = _signer(self._settings).dumps(owner)
        return f"{COOKIE}={value}; Max-Age={ONE_YEAR}; Path=/; HttpOnly; SameSite=Lax{secure}"


def _signer(settings: Settings) -> URLSafeSerializer:
    return URLSafeSerializer(settings.signing_key, salt="visitor")
