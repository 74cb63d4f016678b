"""People: browsers that are signed in over a Discord of our own, programs with tokens, and what must not change."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
import pytest_asyncio

from market.settings import Settings
from tests.fakes.discord import FakeDiscord, Specification, User

# Begun and ended sign-ins, and how often a token was used: they change by being tried.


@pytest_asyncio.fixture
async def discord() -> AsyncIterator[FakeDiscord]:
    async with FakeDiscord(specification=Specification.load()) as fake:
        yield fake
        assert fake.violations == []


@pytest.fixture
def settings(settings: Settings, discord: FakeDiscord) -> Settings:
    """Settings with which people can sign in."""
    return settings.model_copy(
        update={
            "discord_client_id": discord.oauth.client_id,
            "discord_client_secret": discord.oauth.client_secret,
            "discord_api_base": discord.url,
        }
    )


Browser = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest_asyncio.fixture
async def browser(server: str, discord: FakeDiscord) -> AsyncIterator[Browser]:
    """Opens browsers; with a user, one that is signed in over Discord."""
    discord.oauth.redirect_uris.add(f"{server}/sign-in/discord/callback")
    async with AsyncExitStack() as stack:

        async def open_one(user: User | None = None, **headers: str) -> httpx.AsyncClient:
            client = httpx.AsyncClient(base_url=server, headers=headers, timeout=30)
            await stack.enter_async_context(client)
            if user is not None:
                discord.oauth.user = user
                answer = await through_discord(client)
                assert answer.status_code == 303, answer.text
            return client

        yield open_one


async def through_discord(client: httpx.AsyncClient, next_path: str = "/") -> httpx.Response:
    """Sign in as a browser does that follows where it is sent; the last answer of ours."""
    return await client.get(await from_discord(client, next_path))


async def from_discord(client: httpx.AsyncClient, next_path: str = "/") -> str:
    """Sign in up to the address that Discord sends the browser back to."""
    begun = await client.get("/sign-in/discord", params={"next": next_path})
    assert begun.status_code == 303, begun.text
    agreed = await client.get(begun.headers["location"])
    assert agreed.status_code == 302, agreed.text
    return agreed.headers["location"]


async def token_of(client: httpx.AsyncClient, *scopes: str, **more: Any) -> str:
    """A new token of whoever is signed in in this browser."""
    made = await client.post("/v1/me/tokens", json={"name": "a program", "scopes": list(scopes), **more})
    assert made.status_code == 201, made.text
    secret: str = made.json()["token"]
    return secret


def bearing(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}
