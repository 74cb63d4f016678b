"""Requests that are sent twice: one thing is made, and both get the same answer."""

import asyncio
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from market.accounts.models import ApiToken, KeptAnswer
from market.api.idempotency import KEPT
from market.db import Database
from market.studio.models import RiffOrder
from tests.fakes.discord import FakeDiscord, User
from tests.market.accounts.conftest import Browser, bearing, token_of
from tests.market.conftest import count
from tests.market.state import nothing_changes

KEY = {"Idempotency-Key": "a name of mine"}
WISH = {"name": "script", "scopes": ["riffs"]}


async def test_sent_again_it_gets_the_same_answer(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    client = await browser(discord.user)
    first = await client.post("/v1/me/tokens", json=WISH, headers=KEY)
    assert (first.status_code, first.headers.get("idempotent-replayed")) == (201, None)
    async with nothing_changes(database):
        again = await client.post("/v1/me/tokens", json=WISH, headers=KEY)
    assert (again.status_code, again.json(), again.headers["idempotent-replayed"]) == (
        201,
        first.json(),
        "true",
    )
    assert (again.headers["content-type"], again.headers["cache-control"]) == ("application/json", "no-store")
    assert (await client.post("/v1/me/tokens", json=WISH)).json()["id"] != first.json()["id"]
    # What was told once stands nowhere, and neither does the key.
    async with database.read() as session:
        row = (await session.scalars(sa.select(KeptAnswer))).one()
    assert first.json()["token"].encode() not in (row.answer or b"")
    assert KEY["Idempotency-Key"] not in repr((row.owner, row.operation, row.key_sha256, row.answer))


async def test_eight_at_once_make_one(browser: Browser, discord: FakeDiscord, database: Database) -> None:
    client = await browser(discord.user)
    answers = await asyncio.gather(*(client.post("/v1/me/tokens", json=WISH, headers=KEY) for _ in range(8)))
    assert [answer.status_code for answer in answers] == [201] * 8
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 7
    assert await count(database, ApiToken) == await count(database, KeptAnswer) == 1


async def test_another_request_under_the_same_key_is_refused(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    client = await browser(discord.user)
    await client.post("/v1/me/tokens", json=WISH, headers=KEY)
    async with nothing_changes(database):
        for address, body in [("/v1/me/tokens", {**WISH, "days": 3}), ("/v1/me/tokens?a=b", WISH)]:
            answer = await client.post(address, json=body, headers=KEY)
            assert answer.status_code == 422
            assert "was used for another request" in answer.json()["detail"]


async def test_a_key_is_somebodys_own(browser: Browser, discord: FakeDiscord, database: Database) -> None:
    client, stranger = await browser(discord.user), await browser(User("bob"))
    first = await client.post("/v1/me/tokens", json=WISH, headers=KEY)
    other = await stranger.post("/v1/me/tokens", json=WISH, headers=KEY)
    assert other.status_code == 201
    assert other.json()["token"] != first.json()["token"]
    assert "idempotent-replayed" not in other.headers
    async with nothing_changes(database):
        anonymous = await (await browser()).post("/v1/me/tokens", json=WISH, headers=KEY)
        assert anonymous.status_code == 401


async def test_a_refusal_is_not_kept(browser: Browser, discord: FakeDiscord, database: Database) -> None:
    client = await browser(discord.user)
    async with nothing_changes(database):
        assert (await client.post("/v1/me/tokens", json={"name": ""}, headers=KEY)).status_code == 422
        assert (await client.post("/v1/me/tokens", content=b"{", headers=KEY)).status_code == 422
        for key in ("", "x" * 201):
            answer = await client.post("/v1/me/tokens", json=WISH, headers={"Idempotency-Key": key})
            assert answer.status_code == 422
    assert (await client.post("/v1/me/tokens", json=WISH, headers=KEY)).status_code == 201


async def test_keys_are_forgotten_after_a_while(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    client = await browser(discord.user)
    first = await client.post("/v1/me/tokens", json=WISH, headers=KEY)
    async with database.write() as session:
        past = datetime.now(UTC) - KEPT - timedelta(seconds=1)
        await session.execute(sa.update(KeptAnswer).values(created_at=past))
    fresh = await client.post("/v1/me/tokens", json=WISH, headers=KEY)
    assert fresh.json()["id"] != first.json()["id"]
    assert await count(database, KeptAnswer) == 1


async def test_riffs_of_accounts_have_keys_of_their_own(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    client, stranger = await browser(discord.user), await browser(User("bob"))
    secret = bearing(await token_of(client, "riffs"))
    wish = {"prompt": "bells"}
    first = await client.post("/v1/riffs", json=wish, headers=KEY)
    assert (await client.post("/v1/riffs", json=wish, headers=KEY | secret)).json()["id"] == first.json()[
        "id"
    ]
    other = await stranger.post("/v1/riffs", json={"prompt": "drums"}, headers=KEY)
    assert other.status_code == 202
    assert other.json()["id"] != first.json()["id"]
    async with nothing_changes(database):
        assert (await client.post("/v1/riffs", json={"prompt": "drums"}, headers=KEY)).status_code == 422
    assert await count(database, RiffOrder) == 2
