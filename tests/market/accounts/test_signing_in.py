"""Signing in with Discord, over real HTTP from the page to the cookie, and every way to cheat at it."""

import asyncio
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import sqlalchemy as sa

from market.accounts import service as accounts
from market.accounts.models import Account, Identity, SignInAttempt, WebSession
from market.db import Database
from market.settings import Settings
from market.studio.models import RiffOrder, Source
from tests.fakes.discord import FakeDiscord, User
from tests.market.accounts.conftest import Browser, from_discord, through_discord
from tests.market.conftest import beat, count, wav
from tests.market.state import nothing_changes


async def test_a_person_signs_in_and_out(browser: Browser, discord: FakeDiscord, database: Database) -> None:
    client = await browser()
    page = await client.get("/sign-in?next=/loops")
    assert page.status_code == 200
    assert "/sign-in/discord?next=/loops" in page.text
    assert (await client.get("/v1/me")).status_code == 401

    begun = await client.get("/sign-in/discord?next=/loops")
    asked = {name: value for name, [value] in parse_qs(urlsplit(begun.headers["location"]).query).items()}
    assert (asked["scope"], asked["response_type"], asked["code_challenge_method"]) == (
        "identify",
        "code",
        "S256",
    )
    agreed = await client.get(begun.headers["location"])
    back = await client.get(agreed.headers["location"])
    assert (back.status_code, back.headers["location"]) == (303, "/loops")
    [cookie] = [line for line in back.headers.get_list("set-cookie") if line.startswith("riff_session=")]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Lax", "Path=/"))

    me = (await client.get("/v1/me")).json()
    assert (me["name"], me["roles"]) == ("Ada", ["member"])
    assert me["handle"].startswith("ada-")
    assert (await client.get("/account")).status_code == 200
    assert await count(database, SignInAttempt) == 0
    async with database.read() as session:
        assert await session.scalar(sa.select(Identity.subject)) == f"discord:{discord.user.id}"
        assert cookie.split(".")[0] not in repr(
            (await session.execute(sa.select(WebSession.secret_sha256))).all()
        )

    out = await client.post("/sign-out")
    assert out.status_code == 303
    assert (await client.get("/v1/me")).status_code == 401
    assert await count(database, WebSession) == 0


async def test_the_same_person_is_one_account_in_chat_and_on_the_web(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    async with database.write() as session:
        chatting = await accounts.of_discord(session, discord.user.id, "Ada")
    first, second = await browser(discord.user), await browser(discord.user)
    ids = {(await client.get("/v1/me")).json()["id"] for client in (first, second)}
    assert ids == {chatting.id}
    other = await browser(User("bob"))
    assert (await other.get("/v1/me")).json()["id"] != chatting.id
    assert await count(database, Account) == 2


async def test_what_a_visitor_made_and_brought_comes_along(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    known = await browser(discord.user)
    sound, other = wav(beat()), wav(beat(100))
    mine = (await known.post("/v1/uploads", content=sound)).json()["id"]
    client = await browser()
    riff = (await client.post("/v1/riffs", json={"prompt": "bells"})).json()["id"]
    for content in (sound, other):
        assert (await client.post("/v1/uploads", content=content)).status_code == 201
    visitor = client.cookies["riff_visitor"]

    discord.oauth.user = discord.user
    assert (await through_discord(client)).status_code == 303
    me = (await client.get("/v1/me")).json()
    async with database.read() as session:
        assert list(await session.scalars(sa.select(RiffOrder.owner))) == [f"account:{me['id']}"]
        rows = (await session.execute(sa.select(Source.id, Source.owner))).all()
    assert {owner for _, owner in rows} == {f"account:{me['id']}"}
    assert len(rows) == 2
    assert mine in {source_id for source_id, _ in rows}
    # It is somebody else now who leaves: the next visitor in this browser owns none of it.
    assert client.cookies["riff_visitor"] != visitor
    await client.post("/sign-out")
    assert (await client.delete(f"/v1/riffs/{riff}")).status_code == 403
    assert (await client.post("/v1/uploads", content=other)).status_code == 201
    assert (await known.delete(f"/v1/riffs/{riff}")).status_code == 200


async def test_a_replayed_state_opens_nothing(browser: Browser, database: Database) -> None:
    client = await browser()
    back = await from_discord(client)
    assert (await client.get(back)).status_code == 303
    async with nothing_changes(database):
        again = await client.get(back)
        assert again.status_code == 400
        assert "begin again" in again.json()["detail"]
        assert "riff_session" not in again.headers.get("set-cookie", "")


async def test_a_forged_or_missing_state_opens_nothing(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    client = await browser()
    code = parse_qs(urlsplit(await from_discord(client)).query)["code"][0]
    async with nothing_changes(database):
        for state in (
            "",
            "x",
            "A" * 43,
            "' OR 1=1 --",
            "%00",
            "\ud83d\ude00".encode("utf-16", "surrogatepass").hex(),
        ):
            answer = await client.get("/sign-in/discord/callback", params={"state": state, "code": code})
            assert answer.status_code == 400
    # And the code was not shown to anybody.
    assert code in discord.oauth.codes


async def test_a_state_of_another_browser_opens_nothing(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    """Somebody is sent the address that ends an attacker's sign-in, to act as the attacker from then on."""
    attacker, victim = await browser(), await browser()
    back = await from_discord(attacker)
    async with nothing_changes(database):
        assert (await victim.get(back)).status_code == 400
        await victim.get("/sign-in/discord")
        assert (await victim.get(back)).status_code == 400
    assert (await victim.get("/v1/me")).status_code == 401
    # The attempt is spent for its own browser, too.
    async with nothing_changes(database):
        assert (await attacker.get(back)).status_code == 400
    assert discord.oauth.tokens == {}


async def test_a_sign_in_that_took_too_long(browser: Browser, database: Database) -> None:
    client = await browser()
    back = await from_discord(client)
    async with database.write() as session:
        await session.execute(
            sa.update(SignInAttempt).values(expires_at=datetime.now(UTC) - timedelta(seconds=1))
        )
    async with nothing_changes(database):
        assert (await client.get(back)).status_code == 400


async def test_a_code_is_good_once_and_for_its_own_sign_in_only(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    """PKCE: a stolen code does not fit to the verifier of the thief's own sign-in."""
    victim, thief = await browser(), await browser()
    stolen = parse_qs(urlsplit(await from_discord(victim)).query)["code"][0]
    discord.oauth.user = User("mallory")
    state = parse_qs(urlsplit(await from_discord(thief)).query)["state"][0]
    async with nothing_changes(database):
        answer = await thief.get("/sign-in/discord/callback", params={"state": state, "code": stolen})
        assert answer.status_code == 400
        assert "does not confirm" in answer.json()["detail"]
    assert any("invalid_grant" in refusal for refusal in discord.oauth.refusals)

    back = await from_discord(thief)
    assert (await thief.get(back)).status_code == 303
    used = parse_qs(urlsplit(back).query)["code"][0]
    state = parse_qs(urlsplit(await from_discord(thief)).query)["state"][0]
    async with nothing_changes(database):
        answer = await thief.get("/sign-in/discord/callback", params={"state": state, "code": used})
        assert answer.status_code == 400


async def test_who_does_not_agree_is_not_signed_in(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    discord.oauth.agrees = False
    client = await browser()
    async with nothing_changes(database):
        answer = await through_discord(client)
        assert (answer.status_code, answer.json()["detail"]) == (
            400,
            "Discord was not allowed to say who you are: nothing has changed.",
        )


async def test_discord_away(browser: Browser, discord: FakeDiscord, database: Database) -> None:
    client = await browser()
    for method, path in (("POST", "/oauth2/token"), ("GET", "/users/@me")):
        for status in (500, 429, None):
            if status is None:
                discord.cut(method, path)
            else:
                discord.fail(method, path, status)
            async with nothing_changes(database):
                answer = await through_discord(client)
                assert answer.status_code == 502, (path, status)
                assert answer.json()["detail"].startswith("Discord does not answer as it should")
    assert (await through_discord(client)).status_code == 303


ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/%0d%0aSet-Cookie:%20a=b\r\nX: y",
    "javascript:alert(1)",
    "evil.example",
    "/" + "a" * 600,
    "",
    "/ok\x00",
    "/ä",
]


async def test_the_way_on_never_leads_elsewhere(browser: Browser, database: Database) -> None:
    client = await browser()
    for path in ELSEWHERE:
        answer = await through_discord(client, path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/"), path
        assert "x" not in answer.headers
        page = await client.get("/sign-in", params={"next": path})
        assert 'href="/sign-in/discord?next=/"' in page.text
    onwards = await through_discord(client, "/loops?q=a%20b&sort=new")
    assert onwards.headers["location"] == "/loops?q=a%20b&sort=new"


async def test_names_are_only_names(browser: Browser, discord: FakeDiscord, database: Database) -> None:
    wild = User("<script>alert(1)</script>'); DROP TABLE account; --\u202e\x00")
    client = await browser(wild)
    me = (await client.get("/v1/me")).json()
    assert "\x00" not in me["name"]
    assert me["handle"].startswith("script-alert-1-script")
    page = await client.get("/account")
    assert "<script>" not in page.text.lower()
    assert "&lt;script&gt;" in page.text.lower()
    assert await count(database, Account) == 1


async def test_a_forged_session_cookie_is_nobody(
    server: str, browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    client = await browser(discord.user)
    good = client.cookies["riff_session"]
    head, signature = good.rsplit(".", 1)
    async with database.read() as session:
        session_id = await session.scalar(sa.select(WebSession.id))
    forgeries = [
        head,
        f"{head}.{signature[:-2]}AA",
        f"{head}x.{signature}",
        f'["{session_id}","x"]',
        client.cookies["riff_visitor"],
        "",
        "x" * 4000,
    ]
    async with nothing_changes(database):
        for forgery in forgeries:
            async with httpx.AsyncClient(base_url=server, cookies={"riff_session": forgery}) as stranger:
                assert (await stranger.get("/v1/me")).status_code == 401
                assert (await stranger.post("/account", data={"name": "Mallory"})).status_code == 401
    assert (await client.get("/v1/me")).status_code == 200


async def test_without_settings_the_page_says_what_is_missing(
    settings: Settings, browser: Browser, database: Database
) -> None:
    client = await browser()
    for name in ("discord_client_id", "discord_client_secret"):
        object.__setattr__(settings, name, None)
    async with nothing_changes(database):
        assert "it needs DISCORD_CLIENT_ID and DISCORD_CLIENT_SECRET" in (await client.get("/sign-in")).text
        for path in ("/sign-in/discord", "/sign-in/discord/callback?state=x&code=y"):
            answer = await client.get(path)
            assert answer.status_code == 503
            assert "DISCORD_CLIENT_ID" in answer.json()["detail"]


async def test_a_foreign_host_name_is_not_where_discord_sends_anybody(
    browser: Browser, database: Database
) -> None:
    client = await browser()
    async with nothing_changes(database):
        answer = await client.get("/sign-in/discord", headers={"host": "evil.example"})
        assert answer.status_code == 503
        assert "RIFF_PUBLIC_URL" in answer.json()["detail"]


async def test_two_doors_that_meet_somebody_at_once_make_one_account(database: Database) -> None:
    async def meet() -> str:
        async with database.write() as session:
            return (await accounts.of_discord(session, 7, "Ada")).id

    assert len(set(await asyncio.gather(*(meet() for _ in range(8))))) == 1
    assert await count(database, Account) == await count(database, Identity) == 1
