"""Signing in with Discord: OAuth 2 with PKCE (RFC 7636), by a state that is good once and in one browser.

https://docs.discord.com/developers/topics/oauth2
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx2
import structlog
from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]
from authlib.common.security import generate_token  # type: ignore[import-untyped]
from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]
from sqlalchemy.ext.asyncio import AsyncSession

from market.accounts import repository
from market.accounts.errors import DiscordAway, SignInRefused, SignInUnavailable
from market.settings import Settings

SCOPE = "identify"
MINUTES = timedelta(minutes=10)
CALLBACK = "/sign-in/discord/callback"
TIMEOUT_SECONDS = 10.0
log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Person:
    """Who somebody is on Discord."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Return:
    """What a sign-in that came back was begun with."""

    verifier: str
    next_path: str


def require(settings: Settings) -> None:
    """Raise SignInUnavailable, with what is missing."""
    needed = [
        name
        for name, value in (
            ("DISCORD_CLIENT_ID", settings.discord_client_id),
            ("DISCORD_CLIENT_SECRET", settings.discord_client_secret),
        )
        if not value
    ]
    if needed:
        raise SignInUnavailable(" and ".join(needed))


async def begin(
    session: AsyncSession, settings: Settings, *, origin: str, browser: str, next_path: str
) -> str:
    """Where at Discord to send a browser, known by a secret of its own, so that it comes back signed in.

    Raises SignInUnavailable.
    """
    require(settings)
    now = datetime.now(UTC)
    state, verifier = secrets.token_urlsafe(32), generate_token(64)
    await repository.begin_attempt(
        session,
        {
            "state_sha256": _digest(state),
            "browser_sha256": _digest(browser),
            "verifier": verifier,
            "next_path": next_path,
            "expires_at": now + MINUTES,
        },
        now,
    )
    async with _client(settings, origin) as client:
        address, _ = client.create_authorization_url(
            f"{settings.discord_api_base}/oauth2/authorize",
            state=state,
            code_verifier=verifier,
            prompt="none",
        )
    return str(address)


async def come_back(session: AsyncSession, state: str, browser: str | None) -> Return | None:
    """End the sign-in with this state, which is over afterwards in any case; None where it is not this browser's."""
    attempt = await repository.end_attempt(session, _digest(state))
    if attempt is None or attempt.expires_at <= datetime.now(UTC):
        return None
    if browser is None or not hmac.compare_digest(attempt.browser_sha256, _digest(browser)):
        return None
    return Return(attempt.verifier, attempt.next_path)


async def who_is(settings: Settings, *, origin: str, code: str, verifier: str) -> Person:
    """The person whom Discord gave this code for. Raises SignInRefused and DiscordAway."""
    base = f"{settings.discord_api_base}/api/v10"
    try:
        async with _client(settings, origin) as client:
            await client.fetch_token(f"{base}/oauth2/token", code=code, code_verifier=verifier)
            answer = await client.get(f"{base}/users/@me")
            answer.raise_for_status()
            said = answer.json()
        return Person(str(int(said["id"])), str(said.get("global_name") or said["username"]))
    except AuthlibBaseError as refusal:
        log.warning("Discord refused a sign-in", error=refusal.error)
        raise SignInRefused("Discord does not confirm this sign-in: begin again.") from None
    except (httpx2.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.error("Discord does not answer as it should", error=repr(error))
        raise DiscordAway from None


def _client(settings: Settings, origin: str) -> AsyncOAuth2Client:
    return AsyncOAuth2Client(
        settings.discord_client_id,
        settings.discord_client_secret,
        scope=SCOPE,
        redirect_uri=f"{origin}{CALLBACK}",
        code_challenge_method="S256",
        timeout=TIMEOUT_SECONDS,
        trust_env=False,
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
