"""How much a request may bring with it."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 64 * 1024


class BodyLimit:
    """Ends the reading of too large a body with a 413 that the app's error handling puts into words.

    `larger` are the paths that take more than MAX_BODY_BYTES, and how much. FastAPI's max_body_size answers past
    that handling, in plain text.
    """

    def __init__(self, app: ASGIApp, larger: Mapping[str, int]) -> None:
        self._app = app
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = 0
        limit = self._larger.get(scope.get("path", ""), MAX_BODY_BYTES)

        async def receive_some() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise HTTPException(413)
            return message

        await self._app(scope, receive_some if scope["type"] == "http" else receive, send)
