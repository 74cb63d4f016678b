"""POST requests that may be sent twice: `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header).

    router = APIRouter(prefix="/v1", route_class=Idempotent, …)

Every POST of such a router honours the header. The answer is written in the endpoint's own transaction: a thing and
the answer that tells of it are both there or neither. A second request waits for the first and gets its answer; a
refusal is not kept, so that what was put right can be sent again under the same key.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from cryptography.fernet import Fernet
from fastapi import Depends, Header, Request
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from market.accounts import repository
from market.api.actor import Acting
from market.api.session import Writing
from market.errors import MarketError
from market.settings import Settings

KEPT = timedelta(days=2)
REPLAYED = "Idempotent-Replayed"
# What an answer has of its own; the rest belongs to the connection.
KEPT_HEADERS = ("content-type", "location", "cache-control", "content-disposition")


class KeyOfAnother(MarketError):
    """An idempotency key came again with another request."""

    status_code = 422

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another request: take a new key for a new one.")


class Claim:
    """An idempotency key that the transaction of this request has taken."""

    def __init__(
        self, session: AsyncSession, settings: Settings, owner: str, operation: str, key: str
    ) -> None:
        self._session = session
        self._place = (owner, operation[:300], hashlib.sha256(key.encode()).hexdigest())
        # Answers may hold what is told only once: without the key and our secret nobody reads them.
        secret = hashlib.sha256(f"idempotency {settings.signing_key} {owner} {key}".encode()).digest()
        self._cipher = Fernet(base64.urlsafe_b64encode(secret))

    async def take(self, digest: str) -> Response | None:
        """Take the key for a request with this digest; the kept answer where it was taken. Raises KeyOfAnother."""
        now = datetime.now(UTC)
        owner, operation, key_sha256 = self._place
        await repository.purge_keys(self._session, now - KEPT)
        if await repository.keep_key(
            self._session,
            {
                "owner": owner,
                "operation": operation,
                "key_sha256": key_sha256,
                "request_sha256": digest,
                "created_at": now,
            },
        ):
            return None
        known = await repository.kept_answer(self._session, *self._place)
        if known is None or known.answer is None or known.request_sha256 != digest:
            raise KeyOfAnother
        status, headers, body = json.loads(self._cipher.decrypt(known.answer))
        return Response(base64.b64decode(body), status, {**headers, REPLAYED: "true"})

    async def keep(self, response: Response) -> None:
        """Keep an answer, in the transaction that it tells of."""
        headers = {name: value for name, value in response.headers.items() if name in KEPT_HEADERS}
        kept = [response.status_code, headers, base64.b64encode(bytes(response.body)).decode()]
        answer = self._cipher.encrypt(json.dumps(kept).encode())
        await repository.answer_key(self._session, *self._place, answer)


class _Known(Exception):
    """The request was answered before."""

    def __init__(self, response: Response) -> None:
        self.response = response


async def claim(
    request: Request,
    session: Writing,
    acting: Acting,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="A name of yours for this request: sent again within two days it gets the same answer",
        ),
    ] = None,
) -> None:
    """Take the request's idempotency key, if it has one."""
    if idempotency_key is None:
        return
    settings: Settings = request.app.state.settings
    operation = f"{request.method} {request.url.path}"
    taken = Claim(session, settings, acting.owner, operation, idempotency_key)
    known = await taken.take(await _digest(request))
    if known is not None:
        raise _Known(known)
    request.state.claim = taken


class Idempotent(APIRoute):
    """A route whose POST requests honour `Idempotency-Key`."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if "POST" in (options.get("methods") or ()):
            options["dependencies"] = [*(options.get("dependencies") or ()), Depends(claim)]
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        if "POST" not in (self.methods or ()):
            return handler

        async def answer(request: Request) -> Response:
            if "idempotency-key" in request.headers:
                # Kept by the request, so that a form can still be read from it.
                await request.body()
            try:
                response = await handler(request)
            except _Known as known:
                return known.response
            taken: Claim | None = getattr(request.state, "claim", None)
            if taken is not None:
                await taken.keep(response)
            return response

        return answer


async def _digest(request: Request) -> str:
    said = f"{request.headers.get('content-type', '')}\n{request.url.query}\n".encode()
    return hashlib.sha256(said + await request.body()).hexdigest()
