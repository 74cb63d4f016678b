"""The cookies: who a visitor is, which session a browser has, which sign-in it has begun.

All are signed or random, HttpOnly and SameSite=Lax, and Secure where the site is reached by https; the session's is
then bound to this host by its name (RFC 6265bis, section 4.1.3).
"""

import secrets

from fastapi import Request
from itsdangerous import BadSignature, URLSafeSerializer
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from market.accounts.sessions import Ticket
from market.settings import Settings

VISITOR = "riff_visitor"
SESSION = "riff_session"
SIGN_IN = "riff_sign_in"
ONE_YEAR = 365 * 24 * 60 * 60
NINETY_DAYS = 90 * 24 * 60 * 60
TEN_MINUTES = 10 * 60


def visitor(request: Request) -> str:
    """The owner id of whoever sent this request without an account; a first-time visitor gets one, and its cookie."""
    known = getattr(request.state, "visitor", None)
    if known is not None:
        return str(known)
    return known_visitor(request) or fresh_visitor(request)


def known_visitor(request: Request) -> str | None:
    """The owner id in the visitor's cookie, if it is one of ours."""
    value = _read(request, VISITOR, "visitor")
    return value if isinstance(value, str) else None


def fresh_visitor(request: Request) -> str:
    """Another owner id for this browser, and its cookie: nobody goes on as the visitor that it was."""
    owner = f"visitor:{secrets.token_hex(12)}"
    request.state.visitor = owner
    _set(request, VISITOR, _signed(request, "visitor", owner), ONE_YEAR)
    return owner


def ticket(request: Request) -> Ticket | None:
    """The session that this browser says it has."""
    value = _read(request, session_cookie(request.app.state.settings), SESSION)
    if not (isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value)):
        return None
    return Ticket(*value)


def keep_ticket(request: Request, given: Ticket) -> None:
    """Let the browser hold a session."""
    value = _signed(request, SESSION, [given.session_id, given.secret])
    _set(request, session_cookie(request.app.state.settings), value, NINETY_DAYS)


def drop_ticket(request: Request) -> None:
    """Let the browser forget its session."""
    _set(request, session_cookie(request.app.state.settings), "", 0)


def browser(request: Request) -> str:
    """A secret that only this browser has while it signs in; several tabs share it."""
    value = request.cookies.get(SIGN_IN, "")
    if len(value) != 43:
        value = secrets.token_urlsafe(32)
    _set(request, SIGN_IN, value, TEN_MINUTES)
    return value


def known_browser(request: Request) -> str | None:
    """The secret of a browser that has begun to sign in."""
    return request.cookies.get(SIGN_IN)


def has_any(request: Request) -> bool:
    """Whether the browser has added something that says who it is."""
    settings = request.app.state.settings
    return VISITOR in request.cookies or session_cookie(settings) in request.cookies


def session_cookie(settings: Settings) -> str:
    return f"__Host-{SESSION}" if _secure(settings) else SESSION


class Cookies:
    """Sets the cookies that a request called for on whatever is answered, pages, redirects and errors too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_cookies(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for cookie in scope.get("state", {}).get("cookies", {}).values():
                    headers.append("set-cookie", cookie)
            await send(message)

        await self._app(scope, receive, send_with_cookies if scope["type"] == "http" else send)


def _set(request: Request, name: str, value: str, seconds: int) -> None:
    secure = "; Secure" if _secure(request.app.state.settings) else ""
    waiting = getattr(request.state, "cookies", None)
    if waiting is None:
        waiting = request.state.cookies = {}
    waiting[name] = f"{name}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Lax{secure}"


def _secure(settings: Settings) -> bool:
    return settings.public_url.startswith("https://")


def _read(request: Request, name: str, salt: str) -> object:
    try:
        return _signer(request, salt).loads(request.cookies[name])
    except (KeyError, BadSignature):
        return None


def _signed(request: Request, salt: str, value: object) -> str:
    signed = _signer(request, salt).dumps(value)
    return signed if isinstance(signed, str) else signed.decode()


def _signer(request: Request, salt: str) -> URLSafeSerializer:
    return URLSafeSerializer(request.app.state.settings.signing_key, salt=salt)
