"""`/delete-my-data`: everything that is stored about somebody, given out and deleted, whichever process does it."""

import io
import json
import re
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

import market
from bot.models import Delivery
from generation.request import RiffRequest
from market.accounts import repository as account_rows
from market.accounts import service as accounts
from market.accounts.models import Account, Identity
from market.accounts.service import NOBODY
from market.db import Database
from market.entitlements.models import Entitlement
from market.settings import Settings
from market.studio import service as studio
from tests.bot.answers import told
from tests.bot.processes import StartBot, closed, deliveries, orders, sqlite_only
from tests.conftest import ROOT, environment_of
from tests.fakes.discord import Channel, FakeDiscord, Interaction, Message, User
from tests.market.state import nothing_changes

NOTHING = "Nothing is stored about you here: there is nothing to give out or to delete."
POSTED = re.compile(r"/channels/\d+/messages$")


def fields(message: Message) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in message.embeds[0]["fields"]}


async def account_of(database: Database, user: User) -> Account | None:
    async with database.read() as session:
        return await accounts.known(session, f"discord:{user.id}")


async def ordered(fake: FakeDiscord, user: User, channel: Channel) -> Interaction:
    """A riff that waits: no worker is there."""
    asked = await fake.slash("riff", prompt="my secret bells", user=user, channel=channel)
    await fake.until(lambda: asked.message and asked.message.embeds, "the place in the queue")
    return asked


def posted(fake: FakeDiscord) -> list[str]:
    """Requests that made a new message somewhere."""
    return [each.path for each in fake.requests if each.method == "POST" and POSTED.search(each.path)]


@sqlite_only
async def test_who_has_no_account_is_told_so_and_gets_none(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    await start_bot()
    async with database.write() as session:
        await accounts.of_discord(session, fake.user.id, "Ada")
    message = await told(fake, await fake.slash("delete-my-data"))
    export, delete = message.custom_ids
    eve = User("eve", locale="es-ES")
    async with nothing_changes(database):
        assert (await told(fake, await fake.slash("delete-my-data", user=User("bob")))).content == NOTHING
        pressed = await told(fake, await fake.press(message, export, user=eve))
        assert pressed.content == ("Aquí no se guarda nada sobre ti: no hay nada que entregar ni que borrar.")
        form = await fake.answered(await fake.press(message, delete, user=User("mal")))
        sent = await told(fake, await fake.submit(form, handle="ada"))
        assert sent.content == NOTHING


async def test_everything_is_given_out_and_then_deleted(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    bot = await start_bot()
    in_person = fake.dm(fake.user)
    here = await ordered(fake, fake.user, fake.channel)
    there = await ordered(fake, fake.user, in_person)
    other = await ordered(fake, User("bob"), fake.channel)
    account = await account_of(database, fake.user)
    assert account is not None
    async with database.write() as session:
        now = datetime.now(UTC)
        session.add(
            Entitlement(
                id=9,
                sku_id=10,
                user_id=fake.user.id,
                consumed=False,
                deleted=False,
                forgotten=False,
                told_at=now,
            )
        )

    message = await told(fake, await fake.slash("delete-my-data"))
    assert message.ephemeral
    assert fields(message)["Your handle"] == f"`{account.handle}`"
    assert "licences" in fields(message)["What stays"]
    assert "press Delete under them first" in fields(message)["What stays"]
    [export, delete] = message.custom_ids
    await bot.kill()
    await fake.offline()
    bot = await start_bot()

    file = await told(fake, await fake.press(message, export))
    assert file.ephemeral
    assert list(file.files) == ["riffmarket-my-data.json"]
    stored = json.loads(file.files["riffmarket-my-data.json"])
    assert stored["identities"][0]["subject"] == f"discord:{fake.user.id}"
    assert [riff["request"]["prompt"] for riff in stored["riffs"]] == ["my secret bells"] * 2
    assert {(each["channel"], each["person"], each["state"]) for each in stored["messages"]} == {
        (str(channel.id), str(fake.user.id), "open") for channel in (fake.channel, in_person)
    }
    assert stored["entitlements"][0]["id"] == "9"
    # Where the place takes less, it is packed; where even that is too much, said.
    plain = len(file.files["riffmarket-my-data.json"])
    packed = await told(fake, await fake.press(message, export, filesize_limit=plain - 1))
    with zipfile.ZipFile(io.BytesIO(packed.files["riffmarket-my-data.zip"])) as archive:
        assert json.loads(archive.read("riffmarket-my-data.json"))["riffs"] == stored["riffs"]
    large = await told(fake, await fake.press(message, export, filesize_limit=100))
    assert large.content == (
        "What is stored about you is too much for a message: download it on your account's page on the web."
    )

    form = await fake.answered(await fake.press(message, delete))
    async with nothing_changes(database):
        for wrong in ("ada", "' OR ''='"):
            said = (await told(fake, await fake.submit(form, handle=wrong))).content
            assert said == f"To delete this account, confirm with its handle, {account.handle}."
    before = len(posted(fake))
    done = await told(fake, await fake.submit(form, handle=f" @{account.handle} "))
    assert done.content.startswith("Your data is deleted. What was unfinished is cancelled;")
    for asked in (here, there):
        assert asked.message is not None
        waiting = asked.message
        await fake.until(lambda: not waiting.embeds, "the end of an open riff")  # noqa: B023
        assert waiting.content == "**my secret bells**\nThis riff was cancelled."
        assert waiting.components == []
    for order in await orders(database):
        if order.owner == NOBODY:
            row = await closed(database, order.id)
            assert (row.interaction_token, row.user_id, row.guild_id, row.channel_id) == (None, 0, None, None)
    assert len(posted(fake)) == before
    assert await account_of(database, fake.user) is None
    async with database.read() as session:
        entitlement = await session.get_one(Entitlement, 9)
        assert (entitlement.user_id, entitlement.forgotten) == (None, True)
        subjects = list(await session.scalars(sa.select(Identity.subject)))
    assert subjects == [f"discord:{other.user.id}"]
    assert sum(order.owner == NOBODY for order in await orders(database)) == 2
    [row] = [row for row in (await deliveries(database)).values() if row.user_id]
    assert (row.state, row.user_id) == ("open", other.user.id)

    # Sent twice, it deletes nothing more; and whoever comes back is somebody new.
    assert (await told(fake, await fake.submit(form, handle=account.handle))).content == NOTHING
    await ordered(fake, fake.user, fake.channel)
    again = await account_of(database, fake.user)
    assert again is not None
    assert again.id != account.id
    log = bot.log.read_text()
    assert "unexpected" not in log
    assert "delivery_delayed" not in log


@sqlite_only
async def test_what_nobody_waits_for_any_more_ends_quietly(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    """The person left on the web while the bot was away, and the messages can no longer be edited."""
    bot = await start_bot()
    expired = await ordered(fake, fake.user, fake.channel)
    late = await ordered(fake, fake.user, fake.dm(fake.user))
    account = await account_of(database, fake.user)
    assert account is not None
    await bot.kill()
    await fake.offline()
    expired.expired = True
    async with database.write() as session:
        past = sa.update(Delivery).where(Delivery.interaction_token == late.token)
        await session.execute(past.values(token_expires_at=datetime.now(UTC) - timedelta(minutes=1)))
        await accounts.delete(session, account.id, account.handle)
    before = len(posted(fake))
    bot = await start_bot()
    for order in await orders(database):
        row = await closed(database, order.id)
        assert (row.state, row.user_id, row.interaction_token) == ("undeliverable", 0, None)
        assert row.last_error == "the person has left"
    assert len(posted(fake)) == before
    assert "delivery_delayed" not in bot.log.read_text()


DELETES = """
import asyncio, json, sys
from market.accounts import service as accounts
from market.db import Database
from market.settings import Settings

async def main() -> None:
    database = Database(Settings(_env_file=None))
    async with database.write() as session:
        account = await accounts.known(session, sys.argv[1])
        parts = sorted(await accounts.export(session, account.id))
        await accounts.delete(session, account.id, account.handle)
    await database.close()
    loaded = [name for name in sys.modules if name.partition(".")[0] == "bot"]
    print(json.dumps([parts, loaded]))

asyncio.run(main())
"""


@sqlite_only
async def test_a_process_without_the_bot_deletes_the_same(database: Database, settings: Settings) -> None:
    async with database.write() as session:
        account = await accounts.of_discord(session, 7, "Ada")
        request = RiffRequest.parse(prompt="bells", seed=1)
        placed = await studio.place(
            session, request, owner=account.owner, door="discord", idempotency_key="1"
        )
        session.add(
            Delivery(
                riff_id=placed.id,
                application_id=1,
                interaction_token="token",
                token_expires_at=datetime.now(UTC),
                guild_id=2,
                channel_id=3,
                message_id=4,
                user_id=7,
                filesize_limit=5,
            )
        )
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", **environment_of(settings)}
    done = subprocess.run(  # noqa: ASYNC221
        [sys.executable, "-c", DELETES, "discord:7"],
        cwd=settings.data_dir.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    parts, loaded = json.loads(done.stdout)
    assert loaded == []
    assert {"messages", "entitlements", "servers", "community", "listings", "licences", "downloads"} <= set(
        parts
    )
    [row] = (await deliveries(database)).values()
    assert (row.user_id, row.guild_id, row.channel_id, row.message_id) == (0, None, None, None)
    [order] = await orders(database)
    assert (order.owner, order.status) == (NOBODY, "cancelled")


def test_every_noun_that_knows_people_is_loaded_before_one_is_deleted() -> None:
    folder = market.__path__[0]
    people = (ROOT / "market" / "people.py").read_text()
    for path in (ROOT / "market").rglob("*.py"):
        if re.search(r"^personal\.register\(", path.read_text(), re.MULTILINE):
            module = path.relative_to(folder)
            assert f"from market.{module.parent} import {module.stem} as" in people, module


def test_the_market_knows_the_bots_table_as_it_is() -> None:
    columns = Delivery.__table__.c
    for column in account_rows._delivery.c:
        assert column.name in columns
    # What tells who somebody is or where they are is erased: a new column of that kind wants to be, too.
    telling = {column.name for column in columns if column.name.endswith("_id")} - {"application_id"}
    assert telling == {"riff_id", "user_id", "guild_id", "channel_id", "message_id"}
