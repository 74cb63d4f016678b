"""Sessions: secrets that change, that end, and that tell when they were copied; and who may use their cookie."""

from datetime import UTC, datetime, timedelta

import httpx
import sqlalchemy as sa

from market.accounts.models import WebSession
from market.accounts.sessions import GRACE, IDLE, LONGEST, ROTATED_EVERY
from market.db import Database
from tests.fakes.discord import FakeDiscord, User
from tests.market.accounts.conftest import Browser, through_discord
from tests.market.conftest import count
from tests.market.state import nothing_changes


async def age(database: Database, **moved: timedelta) -> None:
    """Let sessions be older than they are."""
    async with database.write() as session:
        values = {name: getattr(WebSession, name) for name in moved}
        [row] = await session.execute(sa.select(WebSession.id, *values.values()))
        moments = {name: row[index + 1] - moved[name] for index, name in enumerate(moved)}
        await session.execute(sa.update(WebSession).values(**moments))


async def test_the_secret_is_exchanged_and_the_former_is_good_for_a_moment(
    server: str, browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    client = await browser(discord.user)
    first = client.cookies["riff_session"]
    assert (await client.get("/v1/me")).headers.get("set-cookie") is None
    await age(database, rotated_at=ROTATED_EVERY)
    renewed = await client.get("/v1/me")
    assert renewed.status_code == 200
    assert client.cookies["riff_session"] != first

    async with httpx.AsyncClient(base_url=server, cookies={"riff_session": first}) as parallel:
        answer = await parallel.get("/v1/me")
        assert (answer.status_code, answer.headers.get("set-cookie")) == (200, None)
    assert (await client.get("/v1/me")).status_code == 200


async def test_a_copied_cookie_that_comes_late_ends_the_session_for_both(
    server: str, browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    client = await browser(discord.user)
    copied = client.cookies["riff_session"]
    await age(database, rotated_at=ROTATED_EVERY)
    await client.get("/v1/me")
    await age(database, rotated_at=GRACE)
    async with httpx.AsyncClient(base_url=server, cookies={"riff_session": copied}) as thief:
        answer = await thief.get("/v1/me")
        assert answer.status_code == 401
        assert "riff_session=;" in answer.headers["set-cookie"]
    assert (await client.get("/v1/me")).status_code == 401
    assert await count(database, WebSession) == 0


async def test_parallel_requests_exchange_it_once(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    import asyncio

    client = await browser(discord.user)
    await age(database, rotated_at=ROTATED_EVERY)
    cookie = {"cookie": f"riff_session={client.cookies['riff_session']}"}
    client.cookies.clear()
    answers = await asyncio.gather(*(client.get("/v1/me", headers=cookie) for _ in range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert sum("set-cookie" in answer.headers for answer in answers) == 1


async def test_sessions_end_by_themselves(browser: Browser, discord: FakeDiscord, database: Database) -> None:
    client = await browser(discord.user)
    async with database.read() as session:
        row = (await session.scalars(sa.select(WebSession))).one()
    assert row.expires_at - row.created_at == IDLE
    await age(database, created_at=LONGEST - timedelta(days=1), rotated_at=ROTATED_EVERY)
    assert (await client.get("/v1/me")).status_code == 200
    async with database.read() as session:
        row = (await session.scalars(sa.select(WebSession))).one()
    # However often it is used, it ends.
    assert row.expires_at == row.created_at + LONGEST
    async with database.write() as session:
        await session.execute(sa.update(WebSession).values(expires_at=datetime.now(UTC)))
    assert (await client.get("/v1/me")).status_code == 401
    # The next sign-in sweeps it away.
    assert (await through_discord(client)).status_code == 303
    assert await count(database, WebSession) == 1


async def test_signing_in_again_leaves_one_session_in_a_browser(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    client = await browser(discord.user)
    former = client.cookies["riff_session"]
    discord.oauth.user = User("bob")
    assert (await through_discord(client)).status_code == 303
    assert (await client.get("/v1/me")).json()["name"] == "Bob"
    assert await count(database, WebSession) == 1
    assert client.cookies["riff_session"] != former


async def test_sign_out_everywhere(browser: Browser, discord: FakeDiscord, database: Database) -> None:
    one, two = await browser(discord.user), await browser(discord.user, **{"User-Agent": "Lynx <b>2</b>"})
    page = (await one.get("/account")).text
    assert "Lynx &lt;b&gt;2&lt;/b&gt;" in page
    other = await browser(User("bob"))
    assert (await one.post("/sign-out", data={"everywhere": "1"})).status_code == 303
    for client in (one, two):
        assert (await client.get("/v1/me")).status_code == 401
    assert (await other.get("/v1/me")).status_code == 200


async def test_one_of_ones_browsers_can_be_signed_out_and_nobody_elses(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    one, two = await browser(discord.user), await browser(discord.user)
    stranger = await browser(User("bob"))
    mine = (await one.get("/v1/me")).json()["id"]
    async with database.read() as session:
        newest_first = sa.select(WebSession.id).order_by(WebSession.created_at.desc())
        ids = list(await session.scalars(newest_first.where(WebSession.account_id == mine)))
    async with nothing_changes(database):
        for session_id in [*ids, "x", "%27%20OR%20%27%27=%27", "0" * 24, "%00"]:
            assert (await stranger.post(f"/account/sessions/{session_id}/end")).status_code == 404
    assert (await one.post(f"/account/sessions/{ids[0]}/end")).status_code == 303
    assert (await two.get("/v1/me")).status_code == 401
    assert (await one.get("/v1/me")).status_code == 200


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
]


async def test_another_sites_page_cannot_act_for_somebody(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    client, visitor = await browser(discord.user), await browser()
    await visitor.post("/v1/riffs", json={"prompt": "bells"})
    handle = (await client.get("/v1/me")).json()["handle"]
    for headers in FOREIGN:
        async with nothing_changes(database):
            attempts = [
                await client.post("/v1/me/tokens", json={"name": "t"}, headers=headers),
                await client.patch("/v1/me", json={"name": "Mallory"}, headers=headers),
                await client.delete("/v1/me", params={"confirm": handle}, headers=headers),
                await client.post("/v1/riffs", json={"prompt": "drums"}, headers=headers),
                await visitor.post("/v1/riffs", json={"prompt": "drums"}, headers=headers),
                await client.post("/account", data={"name": "Mallory"}, headers=headers),
                await client.post("/account/tokens", data={"token_name": "t"}, headers=headers),
                await client.post("/account/delete", data={"confirm": handle}, headers=headers),
                await client.post("/sign-out", data={"everywhere": "1"}, headers=headers),
                await client.post("/sign-in/local", data={"name": "x"}, headers=headers),
            ]
        assert {answer.status_code for answer in attempts} == {403}
    own = {"Sec-Fetch-Site": "same-origin", "Origin": str(client.base_url).rstrip("/")}
    assert (await client.patch("/v1/me", json={"name": "Ada L."}, headers=own)).status_code == 200
    assert (
        await client.patch("/v1/me", json={"name": "Ada"}, headers={"Origin": own["Origin"]})
    ).status_code == 200
