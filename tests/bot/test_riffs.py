"""`/riffs`: pages, what each line says, the way to each riff, and what can be done from there."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.models import Delivery
from generation.request import RiffRequest
from market.accounts import service as accounts
from market.catalog.models import ListingStatus, TakenDown
from market.community import service as community
from market.db import Database
from market.storage import Storage
from market.studio import service as studio
from market.studio.models import RiffOrder
from tests.bot.answers import told
from tests.bot.processes import StartBot, arrived, closed, deliveries, owner_of, sqlite_only
from tests.bot.test_keep import account_of
from tests.conftest import StartWorker
from tests.fakes.discord import Channel, FakeDiscord, Guild, Message, User
from tests.market.catalog.loops import make, tune
from tests.market.community.conftest import listed

SHORT: dict[str, Any] = {"bars": 1, "bpm": 200}
START = datetime(2026, 1, 1, tzinfo=UTC)


async def ordered(database: Database, user: User, *prompts: str, minute: int = 0, **more: Any) -> list[str]:
    """Riffs of somebody's that wait, each a minute after the one before; their ids."""
    owner, ids = await owner_of(database, user), []
    for number, prompt in enumerate(prompts, minute):
        async with database.write() as session:
            request = RiffRequest.parse(prompt=prompt, seed=number, **more)
            key = f"{user.name} {prompt}"
            order = await studio.place(session, request, owner=owner, door="web", idempotency_key=key)
            order.created_at = START + timedelta(minutes=number)
            ids.append(order.id)
    return ids


def lines(page: Message) -> list[str]:
    text: str = page.embeds[0]["description"]
    return text.split("\n\n")


def prompts(page: Message) -> list[str]:
    return [line.split("\n")[0].strip("*") for line in lines(page)]


async def turned(fake: FakeDiscord, page: Message, way: str) -> Message:
    """A page after one of its buttons was pressed."""
    seen = len(page.versions)
    await fake.press(page, page.custom_id(f"riffs:{way}"))
    await fake.until(lambda: len(page.versions) > seen, "another page")
    return page


async def test_every_line_says_what_it_is_how_it_stands_and_where_it_went(
    fake: FakeDiscord, start_bot: StartBot, database: Database, worker: StartWorker
) -> None:
    await start_bot(RIFF_PUBLIC_URL="https://riff.example")
    [web] = await ordered(database, fake.user, "from the web", key="F# minor", bars=2, bpm=96)
    asked = await fake.slash("riff", prompt="*bells*", takes=2, **SHORT)
    await told(fake, asked)
    [riff_id] = await deliveries(database)
    [broken] = await ordered(database, fake.user, "broken", minute=1)
    async with database.write() as session:
        await studio.fail(session, broken, "The source is not here.")
    waiting = await told(fake, await fake.slash("riffs", show="open"))
    assert [re.sub(r":\d+:", ":…:", line) for line in lines(waiting)] == [
        "**\\*bells\\***\n200 bpm · 1 bar, 1.2 s · ⏳ waiting · <t:…:R> · "
        f"[go there](https://riff.example/riffs/{riff_id})",
        "**from the web**\n96 bpm · F#m · 2 bars, 5.0 s · ⏳ waiting · <t:…:R> · "
        f"[go there](https://riff.example/riffs/{web})",
    ]
    assert waiting.ephemeral
    assert waiting.custom_ids == ["riffs-cancel"]

    cancelled = await fake.choose(waiting, "riffs-cancel", web)
    await told(fake, cancelled)
    assert cancelled.said == ["This riff was cancelled."]
    bob = User("bob")
    foreign = await fake.choose(waiting, "riffs-cancel", riff_id, user=bob)
    await told(fake, foreign)
    assert foreign.said == ["This riff was asked for by somebody else: only they can cancel it."]

    worker()
    message = await arrived(fake, asked)
    await closed(database, riff_id)
    page = await told(fake, await fake.slash("riffs", user=fake.user))
    address = f"https://discord.com/channels/{fake.guild.id}/{fake.channel.id}/{message.id}"
    assert [re.sub(r":\d+:", ":…:", line) for line in lines(page)] == [
        f"**\\*bells\\***\n200 bpm · 1 bar, 1.2 s · 2 takes · <t:…:R> · [go there]({address})",
        "**broken**\n120 bpm · 4 bars, 8.0 s · ⚠️ The source is not here. · <t:…:R> · "
        f"[go there](https://riff.example/riffs/{broken})",
        "**from the web**\n96 bpm · F#m · 2 bars, 5.0 s · ✖️ cancelled · <t:…:R> · "
        f"[go there](https://riff.example/riffs/{web})",
    ]
    assert page.custom_ids == ["riffs-open"]
    options = page.component("riffs-open")["options"]
    assert [(option["label"], option["value"]) for option in options] == [
        ("*bells* · Take 1", f"{riff_id}-0"),
        ("*bells* · Take 2", f"{riff_id}-1"),
    ]
    panel = await told(fake, await fake.choose(page, "riffs-open", f"{riff_id}-1"))
    assert panel.custom_id("riff:keep") == f"riff:keep:{riff_id}-1"

    fake.user.locale = "es-ES"
    spanish = await told(fake, await fake.slash("riffs"))
    assert spanish.embeds[0]["title"] == "Tus riffs"
    assert "200 bpm · 1 compás, 1.2 s · 2 tomas" in lines(spanish)[0]
    assert "✖️ cancelado" in lines(spanish)[2]
    assert [line for line in lines(spanish) if "[ir allí](" in line] == lines(spanish)
    nobody = await told(fake, await fake.slash("riffs", user=bob))
    assert lines(nobody) == ["Nothing yet: /riff makes the first one."]


async def test_pages_go_forth_and_back_after_a_restart_and_find_words(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    bot = await start_bot()
    names = [f"riff {number}" for number in range(8)]
    await ordered(database, fake.user, *names)
    await ordered(database, User("bob"), "somebody else's")
    async with database.write() as session:
        for order in await session.scalars(sa.select(RiffOrder).where(RiffOrder.owner.is_not(None))):
            await studio.fail(session, order.id, "No.")
    await ordered(database, fake.user, "100% riff_8", "100 riff 9")
    newest = ["100 riff 9", "100% riff\\_8"]
    async with database.write() as session:
        late = sa.update(RiffOrder).where(RiffOrder.status == "queued")
        await session.execute(late.values(created_at=START + timedelta(hours=1)))

    page = await told(fake, await fake.slash("riffs"))
    first = prompts(page)
    assert sorted(first[:2]) == newest
    assert first[2:] == names[7:4:-1]
    assert await bot.stop() == 0
    await fake.offline()
    await start_bot()
    assert prompts(await turned(fake, page, "all:older")) == names[4::-1]
    assert [custom_id.split(":")[2] for custom_id in page.custom_ids if ":" in custom_id] == ["newer"]
    assert prompts(await turned(fake, page, "all:newer")) == first
    assert [custom_id.split(":")[2] for custom_id in page.custom_ids if ":" in custom_id] == ["older"]

    found = await told(fake, await fake.slash("riffs", search="  RIFF   1 "))
    assert prompts(found) == ["riff 1"]
    assert found.embeds[0]["title"] == "Your riffs: “RIFF 1”"
    for words, hits in (("100%", ["100% riff\\_8"]), ("_8", ["100% riff\\_8"]), ("f_9", [])):
        found = await told(fake, await fake.slash("riffs", search=words))
        assert prompts(found) == (hits or ["Nothing of that: try other words, or another choice of “show”."])
    carl = User("carl")
    await ordered(database, carl, *(f"{number}{'*' * 299}" for number in range(5)))
    longest = await told(fake, await fake.slash("riffs", user=carl))
    assert [line.count("\\*") for line in lines(longest)] == [198] * 5
    many = await told(fake, await fake.slash("riffs", search="riff"))
    assert prompts(await turned(fake, many, "all:older")) == names[4::-1]
    assert many.custom_id("riffs:all:newer").endswith(":riff")


@sqlite_only
async def test_what_was_made_here_and_what_is_kept(
    fake: FakeDiscord, start_bot: StartBot, database: Database, storage: Storage
) -> None:
    await start_bot()
    other = fake.add_channel(Channel(Guild("Elsewhere", has_bot=False)))
    private = fake.dm(fake.user)
    for prompt, channel in (("here", fake.channel), ("there", other), ("alone", private)):
        await fake.answered(await fake.slash("riff", prompt=prompt, channel=channel))
    for channel, expected in ((fake.channel, ["here"]), (other, ["there"]), (private, ["alone"])):
        page = await told(fake, await fake.slash("riffs", show="here", channel=channel))
        assert prompts(page) == expected

    bob, loops = User("bob"), []
    owner = await owner_of(database, bob)
    for number, prompt in enumerate(["draft", "for sale", "taken down", "removed"]):
        loops.append(await make(database, storage, owner, tune(), key=str(number), prompt=prompt))
    draft, sold, down, removed = loops
    async with database.write() as session:
        me = await accounts.of_discord(session, fake.user.id, fake.user.name)
        for loop in loops:
            await community.favour(session, me, loop.id)
        session.add(TakenDown(loop_id=down.id, at=START))
        # Where bob's loop went is nobody's business who is not there.
        for loop, guild in ((draft, fake.guild.id), (sold, other.guild.id if other.guild else 0)):
            session.add(
                Delivery(
                    riff_id=loop.riff_id, state="delivered", application_id=1, token_expires_at=START,
                    guild_id=guild, channel_id=5, message_id=6, user_id=bob.id, filesize_limit=1,
                )
            )  # fmt: skip
    creator = await account_of(database, bob)
    await listed(database, sold, creator, "Bells")
    await listed(database, removed, creator, "Gone", status=ListingStatus.REMOVED)
    page = await told(fake, await fake.slash("riffs", show="kept"))
    assert prompts(page) == ["…", "…", "for sale", "draft"]
    assert [line.split("\n")[1].split(" · ")[0] for line in lines(page)] == [
        "It is no longer open to you.",
        "It is no longer open to you.",
        "120 bpm",
        "120 bpm",
    ]
    assert ["go there" in line for line in lines(page)] == [False, False, False, True]
    options = [option["value"] for option in page.component("riffs-open")["options"]]
    assert options == [sold.id, draft.id]
    only = await told(fake, await fake.slash("riffs", show="kept", search="SALE"))
    assert prompts(only) == ["for sale"]


@sqlite_only
async def test_the_command_is_declared_for_everywhere(fake: FakeDiscord, start_bot: StartBot) -> None:
    await start_bot()
    [command] = [each for each in fake.commands if each["name"] == "riffs"]
    assert (command["contexts"], command["integration_types"]) == ([0, 1, 2], [0, 1])
    show, search = command["options"]
    assert [choice["value"] for choice in show["choices"]] == ["all", "kept", "here", "open"]
    assert (search["name"], search["min_length"], search["max_length"]) == ("search", 1, 30)
    assert (show["name_localizations"]["es-ES"], search["name_localizations"]["es-419"]) == (
        "mostrar",
        "buscar",
    )
    assert (
        command["description_localizations"]["es-ES"] == "Tus riffs: ábrelos, búscalos, síguelos o cancélalos"
    )
    assert show["choices"][1]["name_localizations"]["es-ES"] == "lo que guardo"
