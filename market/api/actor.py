"""Who sends a request: a visitor with a cookie, or an account by its session or its token.

`guard` looks before anything else of a request happens, in transactions of its own; what it found is kept with the
request. Endpoints ask by `Acting`, by `signed_in(scope, role)`, or by `Visitor` (market.api.visitor).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer

from market.accounts import sessions, tokens
from market.accounts.errors import NotAllowed, ScopeMissing, SignInNeeded, TokenRefused
from market.accounts.models import Account
from market.accounts.service import require_active
from market.api import cookies, limits
from market.api.limits import DAY, Limits, Standing
from market.api.origin import refuse_foreign
from market.db import Database

SAFE = ("GET", "HEAD", "OPTIONS")
# The owner of nothing.
UNKNOWN = "visitor:"


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever acts: `owner` is what their things belong to, `scopes` is None where no token limits them."""

    owner: str
    account: Account | None = None
    scopes: frozenset[str] | None = None

    def may(self, role: str, scope: str) -> bool:
        """Whether the account has a role (an admin has all) and the token, if there is one, reaches so far."""
        if self.account is None or not ({role, "admin"} & set(self.account.roles)):
            return False
        return self.scopes is None or scope in self.scopes


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request proved: an account, by the session or the token with this id."""

    account: Account
    id: str
    scopes: frozenset[str] | None = None


async def guard(request: Request) -> None:
    """Look who sends a request and whether it may come now; the first thing that happens to each.

    Raises TooOften, TokenRefused, QuotaSpent, and ForeignRequest for what another site's page sends with cookies.
    """
    limiting: Limits = request.app.state.limits
    by_program = request.url.path.startswith("/v1/")
    if by_program:
        limits.take(request, limiting.addresses, limiting.address_of(request))
    said = request.headers.get("authorization", "")
    if by_program and said:
        request.state.credential = await _by_token(request, said)
    else:
        if by_program and request.method not in SAFE and cookies.has_any(request):
            refuse_foreign(request)
        request.state.credential = await _by_session(request)
    credential: Credential | None = request.state.credential
    if by_program and credential is not None and credential.scopes is None:
        limits.take(request, limiting.accounts, credential.account.id)


async def whoever(request: Request) -> Actor:
    """Whoever sends this request, also when it may not act."""
    credential: Credential | None = request.state.credential
    if credential is None:
        # Who only looks gets no cookie: answers to that may be kept by caches.
        looking = request.method in SAFE
        return Actor(cookies.known_visitor(request) or (UNKNOWN if looking else cookies.visitor(request)))
    return Actor(credential.account.owner, credential.account, credential.scopes)


async def actor(request: Request, whoever: "Anybody") -> Actor:
    """Whoever sends this request. Raises Suspended for an account that may only look, and wants to do more."""
    if whoever.account is not None and request.method not in SAFE:
        require_active(whoever.account)
    return whoever


def _ways(
    _token: Annotated[object, Depends(HTTPBearer(bearerFormat="riff_…", auto_error=False))],
    _session: Annotated[object, Depends(APIKeyCookie(name=cookies.SESSION, auto_error=False))],
) -> None:
    """The document tells them; `guard` reads them."""


Documented = Annotated[None, Depends(_ways)]
Anybody = Annotated[Actor, Depends(whoever)]
Acting = Annotated[Actor, Depends(actor)]


def signed_in(scope: str = "read", role: str = "member") -> Any:
    """A dependency that gives the account. Raises SignInNeeded, NotAllowed and Suspended."""

    def check(acting: Acting, _: Documented) -> Account:
        return require(acting, scope, role)

    return Depends(check)


def require(acting: Actor, scope: str, role: str = "member") -> Account:
    """The account of an actor who may do this. Raises SignInNeeded and NotAllowed."""
    if acting.account is None:
        raise SignInNeeded
    if not {role, "admin"} & set(acting.account.roles):
        raise NotAllowed(f"the role {role}")
    if acting.scopes is not None and scope not in acting.scopes:
        raise ScopeMissing(scope)
    return acting.account


async def _by_token(request: Request, said: str) -> Credential:
    scheme, _, secret = said.partition(" ")
    if scheme.lower() != "bearer":
        raise TokenRefused("has to come as “Bearer riff_…”")
    database: Database = request.app.state.database
    now = datetime.now(UTC)
    async with database.read() as session:
        token, account = await tokens.find(session, secret.strip(), now)
    limits.take(request, request.app.state.limits.accounts, account.id)
    left = 0
    try:
        async with database.write() as session:
            left = await tokens.spend(session, token, now)
    finally:
        limits.note(request, Standing("day", token.daily_quota, DAY, left, tokens.seconds_left(now)))
    return Credential(account, token.id, frozenset(token.scopes))


async def _by_session(request: Request) -> Credential | None:
    ticket = cookies.ticket(request)
    if ticket is None:
        return None
    database: Database = request.app.state.database
    now = datetime.now(UTC)
    async with database.read() as session:
        found = await sessions.find(session, ticket, now)
    if found is None or found.stolen:
        if found is not None:
            async with database.write() as session:
                await sessions.end(session, ticket.session_id)
        cookies.drop_ticket(request)
        return None
    if found.due:
        async with database.write() as session:
            fresh = await sessions.rotate(session, ticket, now)
        if fresh is not None:
            cookies.keep_ticket(request, fresh)
    return Credential(found.account, ticket.session_id)
