"""The sign-in of a development machine: there, and nowhere else."""

import httpx
import pytest

from market.accounts.models import Account
from market.db import Database
from market.settings import Settings
from tests.fakes.discord import FakeDiscord
from tests.market.accounts.conftest import Browser
from tests.market.conftest import count
from tests.market.state import nothing_changes


def unset_discord(settings: Settings) -> None:
    for name in ("discord_client_id", "discord_client_secret"):
        object.__setattr__(settings, name, None)


async def test_on_a_development_machine_one_can_be_anybody(
    settings: Settings, browser: Browser, database: Database
) -> None:
    unset_discord(settings)
    client, elsewhere = await browser(), await browser()
    assert "On this machine" in (await client.get("/sign-in")).text
    answer = await client.post("/sign-in/local", data={"name": "Ada", "next": "/loops"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/loops")
    assert (await client.get("/v1/me")).json()["name"] == "Ada"
    await elsewhere.post("/sign-in/local", data={"name": "ada", "next": "//evil.example"})
    assert (await elsewhere.get("/v1/me")).json() == (await client.get("/v1/me")).json()
    assert await count(database, Account) == 1


CLOSED: list[dict[str, object]] = [
    {"public_url": "http://127.0.0.1:8000"},
    {"public_url": "https://riffs.example"},
    {"host": "0.0.0.0"},
    {"host": "::"},
    {"host": "192.0.2.7"},
    {"host": "riffs.example"},
    {"local_sign_in": False},
    {"discord_client_id": "1", "discord_client_secret": "s"},
]
FOREIGN = [
    {"Host": "riffs.example"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": "localhost.evil.example:80"},
    {"X-Forwarded-For": "192.0.2.7"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"Forwarded": "for=192.0.2.7"},
    {"X-Real-IP": "192.0.2.7"},
]


async def test_anywhere_else_it_is_not_there(
    settings: Settings, browser: Browser, database: Database
) -> None:
    unset_discord(settings)
    client = await browser()
    before = settings.model_dump()
    async with nothing_changes(database):
        for changed in CLOSED:
            for name, value in changed.items():
                object.__setattr__(settings, name, value)
            await _closed(client, {})
            for name in changed:
                object.__setattr__(settings, name, before[name])
        for headers in FOREIGN:
            await _closed(client, headers)
    assert (await client.post("/sign-in/local", data={"name": "Ada"})).status_code == 303


async def test_beside_discord_it_has_to_be_asked_for(
    settings: Settings, browser: Browser, discord: FakeDiscord
) -> None:
    client = await browser()
    await _closed(client, {})
    object.__setattr__(settings, "local_sign_in", True)
    page = (await client.get("/sign-in")).text
    assert "On this machine" in page
    assert "Continue with Discord" in page
    assert (await client.post("/sign-in/local", data={"name": "Ada"})).status_code == 303


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_the_cookies_of_a_site_behind_https(settings: Settings, browser: Browser) -> None:
    unset_discord(settings)
    client = await browser()
    answer = await client.post("/sign-in/local", data={"name": "Ada"})
    assert not any("Secure" in line for line in answer.headers.get_list("set-cookie"))
    object.__setattr__(settings, "public_url", "https://riffs.example")
    placed = await client.post("/v1/riffs", json={"prompt": "bells"})
    [cookie] = placed.headers.get_list("set-cookie") or ["; Secure"]
    assert cookie.endswith("; Secure")
    # A session of the plain name is none here: another host of the domain could have set it.
    assert (await client.get("/v1/me")).status_code == 401


async def _closed(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await client.post("/sign-in/local", data={"name": "Mallory"}, headers=headers)
    assert answer.status_code == 404, headers
    assert "riff_session" not in answer.headers.get("set-cookie", "")
    assert "On this machine" not in (await client.get("/sign-in", headers=headers)).text
