"""Discord's OAuth 2 for one application: the page where a person agrees, codes, tokens, and who the person is."""

import base64
import hashlib
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from aiohttp import BasicAuth, web

from tests.fakes.discord.world import User

if TYPE_CHECKING:
    from tests.fakes.discord.server import FakeDiscord

CHALLENGE = re.compile("[A-Za-z0-9_-]{43}")
VERIFIER = re.compile("[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True)
class Grant:
    """What a code was given for."""

    user: User
    redirect_uri: str
    challenge: str
    scope: str


@dataclass
class OAuth:
    """Codes are good once, for the application, address and PKCE verifier that they were asked with.

    `user` is who sits at the browser (the world's user by default) and agrees, unless `agrees` is false.
    """

    world: "FakeDiscord"
    client_id: str = "112233445566778899"
    client_secret: str = "the application's secret"
    user: User | None = None
    agrees: bool = True
    redirect_uris: set[str] = field(default_factory=set)
    codes: dict[str, Grant] = field(default_factory=dict)
    tokens: dict[str, Grant] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)

    def add_routes(self, app: web.Application, api: str) -> None:
        app.router.add_get("/oauth2/authorize", self._authorize)
        app.router.add_post(f"{api}/oauth2/token", self._token)
        app.router.add_get(f"{api}/users/@me", self._me)

    async def _authorize(self, request: web.Request) -> web.StreamResponse:
        asked = request.query
        fault = await self._fault(request, "/oauth2/authorize")
        if fault is not None:
            return fault
        right = (
            asked.get("response_type") == "code"
            and asked.get("client_id") == self.client_id
            and asked.get("redirect_uri") in self.redirect_uris
            and asked.get("code_challenge_method") == "S256"
            and CHALLENGE.fullmatch(asked.get("code_challenge", ""))
            and len(asked.get("state", "")) >= 32
            and asked.get("scope") == "identify"
        )
        if not right:
            self.refusals.append(f"authorize {dict(asked)}")
            return web.json_response({"message": "400: Bad Request"}, status=400)
        answer = {"state": asked["state"]}
        if self.agrees:
            code = secrets.token_urlsafe(22)
            self.codes[code] = Grant(
                self.user or self.world.user, asked["redirect_uri"], asked["code_challenge"], asked["scope"]
            )
            answer["code"] = code
        else:
            answer |= {"error": "access_denied", "error_description": "The resource owner denied the request"}
        raise web.HTTPFound(f"{asked['redirect_uri']}?{urlencode(answer)}")

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        fault = await self._fault(request, "/oauth2/token")
        if fault is not None:
            return fault
        said = {name: str(value) for name, value in form.items()}
        if self._client_of(request, said) != (self.client_id, self.client_secret):
            return self._refused("invalid_client", 401)
        # Taken out first: a code that was shown wrongly is good for nothing more.
        grant = self.codes.pop(said.get("code", ""), None)
        verifier = said.get("code_verifier", "")
        digest = hashlib.sha256(verifier.encode()).digest()
        if (
            grant is None
            or said.get("grant_type") != "authorization_code"
            or said.get("redirect_uri") != grant.redirect_uri
            or not VERIFIER.fullmatch(verifier)
            or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != grant.challenge
        ):
            return self._refused("invalid_grant", 400)
        token = secrets.token_urlsafe(22)
        self.tokens[token] = grant
        return web.json_response(
            {
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": 604_800,
                "refresh_token": secrets.token_urlsafe(22),
                "scope": grant.scope,
            }
        )

    async def _me(self, request: web.Request) -> web.StreamResponse:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Bot":
            return await self.world.answer(request)
        fault = await self._fault(request, "/users/@me")
        if fault is not None:
            return fault
        grant = self.tokens.get(token)
        if scheme != "Bearer" or grant is None:
            return web.json_response({"message": "401: Unauthorized", "code": 0}, status=401)
        return web.json_response(
            {**grant.user.payload(), "locale": "en-US", "mfa_enabled": False, "premium_type": 0}
        )

    async def _fault(self, request: web.Request, path: str) -> web.StreamResponse | None:
        """The answer of a fault that a test ordered by FakeDiscord.fail or .cut."""
        fault = next((fault for fault in self.world.faults if fault.fits(request.method, path)), None)
        if fault is None:
            return None
        fault.hits += 1
        if fault.cut:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=fault.status or 499, text="injected fault")

    def _client_of(self, request: web.Request, form: dict[str, str]) -> tuple[str, str]:
        header = request.headers.get("Authorization")
        if header is None:
            return form.get("client_id", ""), form.get("client_secret", "")
        # RFC 6749, section 2.3.1
        auth = BasicAuth.decode(header)
        return auth.login, auth.password

    def _refused(self, error: str, status: int) -> web.Response:
        self.refusals.append(f"token {error} at {time.monotonic():.3f}")
        return web.json_response({"error": error}, status=status)
