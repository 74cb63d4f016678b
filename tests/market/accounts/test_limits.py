"""How often one may ask: per address, account and sign-in; and what every answer tells of it."""

import re

import httpx
import pytest

from market.api.limits import Buckets, Limits, TooOften
from market.db import Database
from market.settings import Settings
from tests.fakes.discord import FakeDiscord, User
from tests.market.accounts.conftest import Browser, bearing, token_of
from tests.market.state import nothing_changes


def test_a_bucket_fills_up_again() -> None:
    now = 0.0
    buckets = Buckets("address", 60, clock=lambda: now)
    for left in range(59, -1, -1):
        standing = buckets.take("a")
        assert standing is not None
        assert standing.left == left
    with pytest.raises(TooOften, match="go on in 1 s") as refusal:
        buckets.take("a")
    assert refusal.value.headers == {"Retry-After": "1"}
    assert buckets.take("b") is not None
    now = 0.5
    with pytest.raises(TooOften, match="go on in 1 s"):
        buckets.take("a")
    now = 1.0
    standing = buckets.take("a")
    assert standing is not None
    assert (standing.left, standing.reset) == (0, 60)
    now = 1e6
    standing = buckets.take("a")
    assert standing is not None
    assert standing.left == 59
    assert Buckets("address", 0).take("a") is None


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"rate_address": 30, "rate_account": 8, "rate_sign_in": 14})


async def test_an_address_may_ask_so_often(server: str, browser: Browser, database: Database) -> None:
    client = await browser()
    first = await client.get("/v1/loops")
    assert first.headers["ratelimit-policy"] == '"address";q=30;w=60'
    assert re.fullmatch(r'"address";r=29;t=\d+', first.headers["ratelimit"])
    seen = [await client.get("/v1/loops") for _ in range(40)]
    assert 429 in {answer.status_code for answer in seen}
    async with nothing_changes(database):
        refused = await client.post("/v1/riffs", json={"prompt": "bells"})
        while refused.status_code != 429:
            refused = await client.post("/v1/riffs", json={"prompt": "bells"})
    assert refused.headers["content-type"] == "application/problem+json"
    assert int(refused.headers["retry-after"]) >= 1
    assert '"address";r=0' in refused.headers["ratelimit"]
    # Nobody gets more by saying to be somebody else.
    async with httpx.AsyncClient(base_url=server) as other:
        spoofed = {"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1"}
        answers = [await other.get("/v1/loops", headers=spoofed) for _ in range(12)]
        assert 429 in {answer.status_code for answer in answers}
    # Pages and signs of life are not counted.
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/loops")).status_code == 200


async def test_an_account_may_ask_so_often_by_whatever_it_holds(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    client = await browser(discord.user)
    secret = bearing(await token_of(client))
    answers = [await client.get("/v1/me", headers=headers) for headers in ({}, secret) * 6]
    statuses = [answer.status_code for answer in answers]
    assert statuses[:7] == [200] * 7
    assert 429 in statuses
    assert [name.split(";")[0] for name in answers[1].headers["ratelimit-policy"].split(", ")] == [
        '"address"',
        '"account"',
        '"day"',
    ]
    refused = answers[statuses.index(429)]
    assert "from this account" in refused.json()["detail"]
    assert (await (await browser(User("bob"))).get("/v1/me")).status_code == 200


async def test_signing_in_is_counted_by_itself(browser: Browser, database: Database) -> None:
    client = await browser()
    statuses = [(await client.get("/sign-in/discord")).status_code for _ in range(16)]
    assert statuses[:14] == [303] * 14
    assert statuses[15] == 429


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_whose_word_counts_for_an_address(settings: Settings) -> None:
    from starlette.requests import Request

    def address(peer: str, forwarded: str, proxies: str = "10.0.0.0/8, 127.0.0.1") -> str:
        headers = [(b"x-forwarded-for", line.encode()) for line in forwarded.split("\n") if line]
        scope = {"type": "http", "headers": headers, "client": (peer, 1)}
        return Limits(settings.model_copy(update={"trusted_proxies": proxies})).address_of(Request(scope))

    assert address("192.0.2.1", "198.51.100.7") == "192.0.2.1"
    assert address("127.0.0.1", "198.51.100.7", proxies="") == "127.0.0.1"
    assert address("127.0.0.1", "198.51.100.7") == "198.51.100.7"
    # The last that no proxy of ours vouches for; what stands before it can be made up.
    assert address("127.0.0.1", "1.1.1.1, 198.51.100.7, 10.1.2.3") == "198.51.100.7"
    assert address("127.0.0.1", "1.1.1.1\n198.51.100.7, 10.1.2.3") == "198.51.100.7"
    assert address("127.0.0.1", "<script>") == "127.0.0.1"
    assert address("127.0.0.1", "") == "127.0.0.1"
    assert address("2001:db8:1:2:3:4:5:6", "") == address("2001:db8:1:2:ffff::1", "") == "2001:db8:1:2::/64"
    assert address("::ffff:192.0.2.1", "") == "192.0.2.1"
    assert address("", "") == "unknown"
