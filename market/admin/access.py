"""Who may open the tables: moderators some, administrators all, by their session; never by a token."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote_plus, urlsplit

import structlog
from fastapi import Request
from sqladmin.authentication import AuthenticationBackend
from sqladmin.authorization import AuthorizationBackend
from sqlalchemy.exc import DataError
from starlette.datastructures import MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from generation.errors import RiffError
from market.accounts.errors import NotAllowed
from market.accounts.models import Account
from market.accounts.service import require_active
from market.api.actor import SAFE, guard, require, whoever
from market.api.origin import refuse_foreign
from market.errors import NotFound, status_of
from market.settings import Settings
from market.web.pages import problem_page

HEADERS: Mapping[str, str] = {
    # Widgets of sqladmin's scripts set styles on their elements; nothing else of it is inline.
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
log = structlog.stdlib.get_logger(__name__)


class Gate:
    """Lets moderators and administrators in, and nothing that another site's page sends in their name.

    What sqladmin would stumble over goes no further than here; every answer carries our headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request = Request(_at_our_address(scope), receive)
        statics = _path(scope).startswith("/statics/") and request.method in SAFE
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message).update(HEADERS)
                if not statics:
                    MutableHeaders(scope=message)["Cache-Control"] = "no-store"
            await send(message)

        try:
            if not statics:
                away = await _enter(request)
                if away is not None:
                    return await away(scope, receive, send_with_headers)
            await self._app(scope, receive, send_with_headers)
        except RiffError as refusal:
            answer = _problem(request, status_of(refusal), str(refusal))
            await answer(scope, receive, send_with_headers)
        except (ValueError, OverflowError, DataError) as error:
            # sqladmin reads keys out of addresses without a net.
            if started:
                raise
            log.info("an address of the tables made no sense", path=scope["path"], error=str(error))
            answer = _problem(request, 404, "There is nothing at this address.")
            await answer(scope, receive, send_with_headers)


class Session(AuthenticationBackend):
    """Our own sessions instead of sqladmin's."""

    def __init__(self) -> None:
        # Without sqladmin's own session cookie.
        self.middlewares = []

    async def login(self, request: Request) -> Response:  # noqa: ARG002
        return RedirectResponse("/sign-in?next=/admin/", status_code=303)

    async def logout(self, request: Request) -> Response:  # noqa: ARG002
        # A form there signs out: a link that does could be anybody's picture.
        return RedirectResponse("/account", status_code=303)

    async def authenticate(self, request: Request) -> bool:
        return acting_account(request) is not None

    async def get_user_id(self, request: Request) -> str | None:
        account = acting_account(request)
        return None if account is None else account.id


class Roles(AuthorizationBackend):
    """Administrators see every table, moderators those named; what may be done in one, the table says."""

    def __init__(self, moderators: frozenset[str]) -> None:
        self._moderators = moderators

    def has_permission(
        self,
        request: Request,
        identity: str,
        action: str,  # noqa: ARG002
        obj: Any | None = None,  # noqa: ARG002
    ) -> bool:
        account = acting_account(request)
        if account is None:
            return False
        return "admin" in account.roles or (identity in self._moderators and "moderator" in account.roles)


def acting_account(request: Any) -> Account | None:
    """The account that the gate let in."""
    account: Account | None = getattr(request.state, "admin_account", None)
    return account


async def _enter(request: Request) -> Response | None:
    """Where to go instead, for who is not signed in. Raises NotAllowed, NotFound, Suspended and ForeignRequest."""
    if request.method not in SAFE:
        refuse_foreign(request)
    # No database keeps text with a NUL in it, and PostgreSQL does not even look for it.
    if any("\0" in unquote_plus(part) for part in (request.url.path, request.url.query)):
        raise NotFound("page", "of this name")
    await guard(request)
    actor = await whoever(request)
    if actor.account is None:
        if request.method not in SAFE:
            require(actor, "moderate", "moderator")
        return RedirectResponse(f"/sign-in?next={quote(request.url.path)}", status_code=303)
    if not actor.may("moderator", "moderate"):
        raise NotAllowed("the role moderator")
    if request.method not in SAFE:
        require_active(actor.account)
    request.state.admin_account = actor.account
    return None


def _at_our_address(scope: Scope) -> Scope:
    """Let sqladmin's links name our public address, not the one that a proxy came by."""
    settings: Settings = scope["app"].state.settings
    if settings.public_url:
        public = urlsplit(settings.public_url)
        scope["scheme"] = public.scheme
        headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
        scope["headers"] = [*headers, (b"host", public.netloc.encode("idna"))]
    return scope


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _problem(request: Request, status: int, sentence: str) -> Response:
    return problem_page(request, status, HTTPStatus(status).phrase, sentence)
