"""Oneself: another name, everything that is known, and leaving; and what the operator may do."""

import pytest
import sqlalchemy as sa

from cli.main import app
from market.accounts import personal
from market.accounts import service as accounts
from market.accounts.errors import LastAdmin
from market.accounts.models import Account, ApiToken, Identity, WebSession
from market.audit.models import AuditEntry
from market.db import Database
from market.settings import Settings
from market.studio.models import RiffOrder, Source
from tests.conftest import environment_of
from tests.fakes.discord import FakeDiscord, User
from tests.market.accounts.conftest import Browser, bearing, token_of
from tests.market.conftest import beat, count, wav
from tests.market.state import nothing_changes


async def test_another_name_and_handle(browser: Browser, discord: FakeDiscord, database: Database) -> None:
    client = await browser(discord.user)
    changed = await client.patch("/v1/me", json={"name": "Ada Löwe 🎹", "handle": "ada-l"})
    assert (changed.json()["name"], changed.json()["handle"]) == ("Ada Löwe 🎹", "ada-l")
    assert (await client.post("/account", data={"name": "Ada", "handle": "ada"})).status_code == 303
    assert (await client.get("/v1/me")).json()["handle"] == "ada"
    other = await browser(User("bob"))
    async with nothing_changes(database):
        for taken in ("ada", "admin", "riffmarket"):
            assert (await other.patch("/v1/me", json={"name": "Eve", "handle": taken})).status_code == 409
            page = await other.post("/account", data={"name": "Eve", "handle": taken})
            assert page.status_code == 422
            assert "is taken" in page.text


BAD_NAMES: list[dict[str, object]] = [
    {"name": ""},
    {"name": "   "},
    {"name": "x" * 81},
    {"name": "a\x00b"},
    {"name": "two\nlines"},
    {"handle": "ab"},
    {"handle": "Ada"},
    {"handle": "-ada"},
    {"handle": "ada--l"},
    {"handle": "../../etc"},
    {"handle": "a' OR 1=1"},
    {"handle": "ada\n"},
    {"handle": "x" * 41},
    {"roles": ["admin"]},
    {"id": "0" * 24},
]


async def test_bad_names(browser: Browser, discord: FakeDiscord, database: Database) -> None:
    client = await browser(discord.user)
    async with nothing_changes(database):
        for body in BAD_NAMES:
            assert (await client.patch("/v1/me", json=body)).status_code == 422, body
        surrogate = b'{"name": "\\ud800"}'
        headers = {"content-type": "application/json"}
        assert (await client.patch("/v1/me", content=surrogate, headers=headers)).status_code == 422


async def test_everything_that_is_known(
    browser: Browser, discord: FakeDiscord, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def one_noun(_: object, account: Account) -> object:
        return [account.handle]

    monkeypatch.setitem(personal.parts, "another_noun", personal.Part(one_noun, None, None))
    client, stranger = await browser(discord.user), await browser(User("bob"))
    await client.post("/v1/riffs", json={"prompt": "my bells"})
    await stranger.post("/v1/riffs", json={"prompt": "their drums"})
    upload = (await client.post("/v1/uploads?name=mine.wav", content=wav(beat()))).json()["id"]
    secret = await token_of(client, "riffs")
    answer = await client.get("/v1/me/export")
    assert answer.status_code == 200
    assert "attachment" in answer.headers["content-disposition"]
    told = answer.json()
    assert told["account"]["name"] == "Ada"
    assert [each["subject"] for each in told["identities"]] == [f"discord:{discord.user.id}"]
    assert [riff["request"]["prompt"] for riff in told["riffs"]] == ["my bells"]
    assert [(each["id"], each["name"]) for each in told["uploads"]] == [(upload, "mine.wav")]
    assert len(told["sessions"]) == len(told["tokens"]) == 1
    assert told["another_noun"] == [told["account"]["handle"]]
    assert secret not in answer.text


async def test_leaving(
    browser: Browser, discord: FakeDiscord, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    erased = []

    async def none(*_: object) -> object:
        return None

    async def erase(_: object, account: Account) -> None:
        erased.append(account.name)

    monkeypatch.setitem(personal.parts, "another_noun", personal.Part(none, erase, None))
    client, elsewhere = await browser(discord.user), await browser(discord.user)
    riff = (await client.post("/v1/riffs", json={"prompt": "bells"})).json()["id"]
    await client.post("/v1/uploads", content=wav(beat()))
    secret = await token_of(client, "admin")
    me = (await client.get("/v1/me")).json()
    async with nothing_changes(database):
        for wrong in ("", "ada", me["handle"].upper(), "' OR ''='"):
            assert (await client.delete("/v1/me", params={"confirm": wrong})).status_code == 422
            assert (await client.post("/account/delete", data={"confirm": wrong})).status_code == 422
        assert (await client.delete("/v1/me")).status_code == 422

    assert (await client.post("/account/delete", data={"confirm": me["handle"]})).status_code == 303
    assert erased == ["Ada"]
    for answer in (
        await client.get("/v1/me"),
        await elsewhere.get("/v1/me"),
        await elsewhere.get("/v1/me", headers=bearing(secret)),
    ):
        assert answer.status_code == 401
    for table in (WebSession, ApiToken, Identity, Source):
        assert await count(database, table) == 0
    async with database.read() as session:
        gone = (await session.scalars(sa.select(Account))).one()
        order = await session.get(RiffOrder, riff)
        written = [row.action for row in await session.scalars(sa.select(AuditEntry))]
    assert (gone.id, gone.name, gone.roles) == (me["id"], "Somebody who left", [])
    assert gone.handle == f"deleted-{gone.id}"
    assert order is not None
    assert (order.status, order.owner) == ("cancelled", "nobody")
    assert written[-1] == "account.delete"
    # Whoever comes back is somebody new.
    again = await browser(discord.user)
    assert (await again.get("/v1/me")).json()["id"] != me["id"]


async def test_the_only_administrator_stays(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    client = await browser(discord.user)
    me = (await client.get("/v1/me")).json()
    async with database.write() as session:
        await accounts.set_role(session, me["id"], "admin", True, by="system")
    async with nothing_changes(database):
        assert (await client.delete("/v1/me", params={"confirm": me["handle"]})).status_code == 409
        with pytest.raises(LastAdmin):
            async with database.write() as session:
                await accounts.set_role(session, me["id"], "admin", False, by="system")
    async with database.write() as session:
        other = await accounts.of_discord(session, 1, "Bob")
        await accounts.set_role(session, other.id, "admin", True, by="system")
    assert (await client.delete("/v1/me", params={"confirm": me["handle"]})).status_code == 204


async def test_who_is_suspended_only_looks(
    browser: Browser, discord: FakeDiscord, database: Database
) -> None:
    from datetime import UTC, datetime, timedelta

    client = await browser(discord.user)
    secret = bearing(await token_of(client, "riffs"))
    me = (await client.get("/v1/me")).json()
    until = datetime.now(UTC) + timedelta(days=2)
    async with database.write() as session:
        await accounts.suspend(session, me["id"], until, "system", "spam")
    async with nothing_changes(database):
        for headers in ({}, secret):
            answer = await client.post("/v1/riffs", json={"prompt": "bells"}, headers=headers)
            assert answer.status_code == 403
            assert f"suspended until {until:%Y-%m-%d}" in answer.json()["detail"]
        assert (await client.post("/riffs", data={"prompt": "bells"})).status_code == 403
    assert (await client.get("/v1/me")).status_code == 200
    assert "suspended until" in (await client.get("/account")).text
    assert (await client.delete("/v1/me", params={"confirm": me["handle"]})).status_code == 204


def test_the_operator_gives_and_takes_roles(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from typer.testing import CliRunner

    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(settings.data_dir.parent)
    runner = CliRunner()
    first = runner.invoke(app, ["market", "admin", "discord:80351110224678912"])
    assert first.exit_code == 0, first.output
    assert "is now: member, admin." in first.output

    async def look() -> Account:
        database = Database(settings)
        try:
            async with database.write() as session:
                # The first meeting tells the name.
                return await accounts.of_discord(session, 80351110224678912, "Nelly")
        finally:
            await database.close()

    account = asyncio.run(look())
    assert (account.name, account.roles) == ("Nelly", ["member", "admin"])
    given = runner.invoke(app, ["market", "role", account.handle, "moderator"])
    assert "Nelly" in given.output
    assert "member, moderator, admin." in given.output
    for refused, sentence in [
        (["market", "role", account.handle, "king"], "A role is one of"),
        (["market", "role", "nobody-here", "admin"], "There is no account"),
        (["market", "role", "discord:x' OR 1=1", "admin"], "is not the id"),
        (["market", "role", account.handle, "admin", "--remove"], "only administrator"),
    ]:
        result = runner.invoke(app, refused)
        assert result.exit_code == 1
        assert sentence in str(result.exception)
    assert asyncio.run(look()).roles == ["member", "moderator", "admin"]
    assert runner.invoke(app, ["market", "signout", account.handle]).exit_code == 0
