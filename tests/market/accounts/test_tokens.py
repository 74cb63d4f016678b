"""Personal tokens: shown once, kept as a hash, as far as their scopes reach, so often a day, until they are revoked."""

import hashlib
from datetime import UTC, datetime, timedelta

import httpx
import sqlalchemy as sa

from market.accounts.models import ApiToken
from market.accounts.tokens import MAX_TOKENS
from market.db import Database
from tests.fakes.discord import FakeDiscord, User
from tests.market.accounts.conftest import Browser, bearing, token_of
from tests.market.conftest import count
from tests.market.state import nothing_changes


async def test_a_token_is_told_once_and_kept_as_its_hash(
    server: str, browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    client = await browser(discord.user)
    made = await client.post("/v1/me/tokens", json={"name": "a script", "scopes": ["riffs"], "days": 30})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    secret = made.json()["token"]
    assert secret.startswith("riff_")
    async with database.read() as session:
        row = (await session.scalars(sa.select(ApiToken))).one()
    assert row.secret_sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert row.scopes == ["read", "riffs"]
    assert row.expires_at == row.created_at + timedelta(days=30)
    listed = await client.get("/v1/me/tokens")
    assert secret not in listed.text
    [entry] = listed.json()["tokens"]
    assert (entry["name"], entry["hint"], entry["used_today"]) == ("a script", secret[-4:], 0)

    async with httpx.AsyncClient(base_url=server, headers=bearing(secret)) as program:
        me = await program.get("/v1/me")
        assert me.json()["id"] == row.account_id
        assert "set-cookie" not in me.headers
        placed = await program.post("/v1/riffs", json={"prompt": "bells"})
        assert placed.status_code == 202
        riff = placed.json()["id"]
    # The browser and the program are the same person.
    assert (await client.delete(f"/v1/riffs/{riff}")).status_code == 200
    assert (await client.get("/v1/me/tokens")).json()["tokens"][0]["used_today"] == 2


async def test_the_page_shows_a_new_token_once(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    client = await browser(discord.user)
    form = {"token_name": "<b>script</b>", "scopes": ["riffs", "publish"], "days": "90"}
    page = await client.post("/account/tokens", data=form)
    assert page.status_code == 200
    assert "&lt;b&gt;script&lt;/b&gt;" in page.text
    secret = page.text.split('<code class="secret">')[1].split("<")[0]
    assert page.headers["cache-control"] == "no-store"
    assert secret not in (await client.get("/account")).text
    assert (await client.get("/v1/me", headers=bearing(secret))).status_code == 200
    async with database.read() as session:
        row = (await session.scalars(sa.select(ApiToken))).one()
    assert row.scopes == ["read", "riffs", "publish"]
    assert (await client.post(f"/account/tokens/{row.id}/revoke")).status_code == 303
    assert (await client.get("/v1/me", headers=bearing(secret))).status_code == 401
    async with nothing_changes(database):
        for bad in (
            {"token_name": ""},
            {"token_name": "x", "scopes": "everything"},
            {"token_name": "x", "days": "0"},
        ):
            assert (await client.post("/account/tokens", data=bad)).status_code == 422


async def test_what_is_no_token_is_refused(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    client = await browser(discord.user)
    unknown = "riff_" + "A" * 43
    headers = [
        f"Bearer {unknown}",
        "Bearer riff_short",
        "Bearer",
        "Basic cmlmZjpyaWZm",
        unknown,
        "Bearer ' OR ''='",
    ]
    async with nothing_changes(database):
        for header in [*headers, "Bearer riff_" + "A" * 5000]:
            answer = await client.post(
                "/v1/riffs", json={"prompt": "bells"}, headers={"Authorization": header}
            )
            assert answer.status_code == 401, header
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"] == 'Bearer realm="riffmarket", error="invalid_token"'


async def test_expired_and_revoked_tokens_open_nothing(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    client = await browser(discord.user)
    expired, revoked = await token_of(client, days=1), await token_of(client)
    async with database.write() as session:
        past = datetime.now(UTC) - timedelta(seconds=1)
        await session.execute(
            sa.update(ApiToken).where(ApiToken.expires_at.is_not(None)).values(expires_at=past)
        )
        other = await session.scalar(sa.select(ApiToken.id).where(ApiToken.expires_at.is_(None)))
    assert (await client.delete(f"/v1/me/tokens/{other}")).status_code == 204
    async with nothing_changes(database):
        for secret, why in ((expired, "has expired"), (revoked, "was revoked")):
            answer = await client.post("/v1/riffs", json={"prompt": "x"}, headers=bearing(secret))
            assert answer.status_code == 401
            assert why in answer.json()["detail"]
        assert (await client.delete(f"/v1/me/tokens/{other}")).status_code == 404


async def test_scopes_reach_so_far(browser: Browser, discord: FakeDiscord, database: Database) -> None:
    client = await browser(discord.user)
    reading = bearing(await token_of(client))
    handle = (await client.get("/v1/me", headers=reading)).json()["handle"]
    async with nothing_changes(database):
        for method, path, body in [
            ("POST", "/v1/riffs", {"prompt": "bells"}),
            ("PATCH", "/v1/me", {"name": "Mallory"}),
            ("DELETE", f"/v1/me?confirm={handle}", None),
            ("GET", "/v1/me/export", None),
            ("GET", "/v1/me/tokens", None),
            ("POST", "/v1/me/tokens", {"name": "more", "scopes": ["admin"]}),
        ]:
            answer = await client.request(method, path, json=body, headers=reading)
            assert answer.status_code == 403, (method, path)
            assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


async def test_a_token_makes_none_that_may_more(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    client = await browser(discord.user)
    own = bearing(await token_of(client, "admin", "riffs"))
    async with nothing_changes(database):
        answer = await client.post("/v1/me/tokens", json={"name": "x", "scopes": ["license"]}, headers=own)
        assert answer.status_code == 403
    less = await client.post("/v1/me/tokens", json={"name": "x", "scopes": ["riffs"]}, headers=own)
    assert less.status_code == 201
    # And a token may end itself.
    itself = less.json()
    assert (
        await client.delete(f"/v1/me/tokens/{itself['id']}", headers=bearing(itself["token"]))
    ).status_code == 204


async def test_a_token_of_another_account_is_not_there(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    client, stranger = await browser(discord.user), await browser(User("bob"))
    await token_of(client)
    own = await token_of(stranger, "admin")
    async with database.read() as session:
        [token_id] = await session.scalars(
            sa.select(ApiToken.id).where(ApiToken.scopes.cast(sa.Text).not_like("%admin%"))
        )
    async with nothing_changes(database):
        for asked in (token_id, "x", "0" * 24, "' OR ''='", "%00", "a" * 3000):
            for headers in ({}, bearing(own)):
                answer = await stranger.delete(f"/v1/me/tokens/{asked}", headers=headers)
                assert answer.status_code == 404
        assert (await stranger.post(f"/account/tokens/{token_id}/revoke")).status_code == 404


async def test_a_days_quota(browser: Browser, discord: FakeDiscord, database: Database) -> None:
    client = await browser(discord.user)
    secret = bearing(await token_of(client, "riffs"))
    async with database.write() as session:
        await session.execute(sa.update(ApiToken).values(daily_quota=2))
    first = await client.get("/v1/me", headers=secret)
    assert '"day";q=2;w=86400' in first.headers["ratelimit-policy"]
    assert '"day";r=1;t=' in first.headers["ratelimit"]
    assert (await client.get("/v1/me", headers=secret)).status_code == 200
    async with nothing_changes(database):
        spent = await client.post("/v1/riffs", json={"prompt": "bells"}, headers=secret)
        assert spent.status_code == 429
        assert 0 < int(spent.headers["retry-after"]) <= 86_400
        assert '"day";r=0' in spent.headers["ratelimit"]
        assert "its 2 requests of today" in spent.json()["detail"]
    # Tomorrow it counts anew.
    async with database.write() as session:
        await session.execute(
            sa.update(ApiToken).values(quota_day=datetime.now(UTC).date() - timedelta(days=1))
        )
    assert (await client.get("/v1/me", headers=secret)).status_code == 200


async def test_a_quota_holds_for_requests_at_once(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    import asyncio

    client = await browser(discord.user)
    secret = bearing(await token_of(client))
    async with database.write() as session:
        await session.execute(sa.update(ApiToken).values(daily_quota=3))
    answers = await asyncio.gather(*(client.get("/v1/me", headers=secret) for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [429] * 9


async def test_nobody_needs_more_tokens(browser: Browser, discord: FakeDiscord, database: Database) -> None:
    client = await browser(discord.user)
    for _ in range(MAX_TOKENS):
        await token_of(client)
    async with nothing_changes(database):
        answer = await client.post("/v1/me/tokens", json={"name": "one more"})
        assert answer.status_code == 409
    assert await count(database, ApiToken) == MAX_TOKENS


BAD_WISHES: list[dict[str, object]] = [
    {},
    {"name": ""},
    {"name": "x" * 81},
    {"name": "a\x00b"},
    {"name": "x", "scopes": ["root"]},
    {"name": "x", "scopes": ["read"] * 50},
    {"name": "x", "days": 0},
    {"name": "x", "days": 10**9},
    {"name": "x", "secret": "riff_mine"},
]


async def test_bad_wishes_for_tokens(browser: Browser, discord: FakeDiscord, database: Database) -> None:
    client = await browser(discord.user)
    async with nothing_changes(database):
        for body in BAD_WISHES:
            assert (await client.post("/v1/me/tokens", json=body)).status_code == 422, body
