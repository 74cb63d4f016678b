"""What the bot says of itself and of what somebody has."""

import re
from typing import Any

import discord
from discord import app_commands

from bot import guide
from generation import origin
from generation.request import RiffRequest
from market.accounts import service as accounts
from market.community import service as community
from market.db import Database
from market.guilds import service as guilds
from market.language import say
from market.storage import Storage
from market.studio import service as studio
from tests.bot.answers import told
from tests.bot.processes import StartBot, owner_of, sqlite_only
from tests.conftest import ROOT
from tests.fakes.discord import Channel, FakeDiscord, Guild, Message, User
from tests.fakes.discord.world import ALL_PERMISSIONS
from tests.market.catalog.loops import make, tune
from tests.market.community.conftest import Person, licence, listed
from tests.market.state import nothing_changes

ADDRESS = "https://riffs.example"
MENTION = re.compile(r"</([^:>]+):(\d+)>")
CHAT, MESSAGE = 1, 3


def fields(message: Message) -> dict[str, str]:
    [embed] = message.embeds
    return {entry["name"]: entry["value"] for entry in embed.get("fields", [])}


def whole(message: Message) -> str:
    """Everything that an embed says."""
    [embed] = message.embeds
    return "\n".join([embed.get("title", ""), embed.get("description", ""), *fields(message).values()])


def leaves(command: dict[str, Any], before: str = "") -> dict[str, set[str]]:
    """What can be typed of a command as Discord was told of it, and the options that each takes."""
    name = f"{before} {command['name']}".strip()
    inner = [option for option in command.get("options") or [] if option["type"] in (1, 2)]
    if not inner:
        return {name: {option["name"] for option in command.get("options") or []}}
    return {leaf: options for each in inner for leaf, options in leaves(each, name).items()}


def options_of(message: Message) -> dict[str, str]:
    """The values and labels of the menu under a page of help."""
    return {option["value"]: option["label"] for option in message.component("help-topics")["options"]}


@sqlite_only
async def test_help_has_every_command_on_pages_that_turn_for_ever(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    bot = await start_bot()
    # Until Discord has told the commands' ids, there is nothing to click on.
    refused = fake.fail("GET", "/commands$", 403)
    plain = await told(fake, await fake.slash("help"))
    assert refused.hits == 1
    assert MENTION.findall(whole(plain)) == []
    assert "`/market search`" in whole(plain)

    message = await told(fake, await fake.slash("help"))
    assert message.ephemeral
    chat = {command["name"]: command for command in fake.commands if command["type"] == CHAT}
    typed = {leaf: options for command in chat.values() for leaf, options in leaves(command).items()}
    mentioned = MENTION.findall(whole(message))
    assert sorted(mentioned) == sorted((leaf, chat[leaf.split()[0]]["id"]) for leaf in [*typed, "riff"])
    for command in fake.commands:
        if command["type"] == MESSAGE:
            assert f"**{command['name']}**" in whole(message)

    topics = options_of(message)
    assert list(topics) == [topic.name for topic in guide.TOPICS], "a command is in no topic"
    await bot.kill()
    await fake.offline()
    await start_bot()
    said = []
    for topic in topics:
        turned = await fake.answered(await fake.choose(message, "help-topics", topic))
        await fake.until(lambda: message.embeds[0]["title"].endswith(topics[topic]), "the page")  # noqa: B023
        assert turned.response["type"] in (6, 7)  # type: ignore[index]
        chosen = [each["value"] for each in message.component("help-topics")["options"] if each["default"]]
        assert chosen == [topic]
        said.append(message.embeds[0]["description"])
    pages = "\n".join(said)
    for leaf in typed:
        assert f"</{leaf}:" in pages
    for example in (example for topic in guide.TOPICS for example in topic.examples):
        assert set(example.options) <= typed[example.command]
        assert f"/{example.command}" in pages
    operators = (ROOT / "docs" / "discord.md").read_text()
    assert [leaf for leaf in typed if f"`/{leaf}`" not in operators] == []
    assert "`/riff prompt: church bells into electronic beats`" in pages
    assert "🔖 **Keep** — keep it at hand in /riffs" in pages

    ana = User("ana", locale="es-419")
    message = await told(fake, await fake.slash("help", user=ana))
    assert message.embeds[0]["title"] == "Escribe lo que quieres oír y recibe un loop"
    await fake.choose(message, "help-topics", "making", user=ana)
    await fake.until(lambda: message.embeds[0]["title"] == "🎹 Hacer loops", "the page")
    command, option = (say("es", name, "command") for name in ("riff", "prompt"))
    assert f"`/{command} {option}: campanas de iglesia que pasan a ritmos electrónicos`" in whole(message)


def test_a_command_that_is_in_no_topic_is_on_the_last_page() -> None:
    @app_commands.command(name="polka", description="Make a polka")
    async def polka(interaction: discord.Interaction, speed: int) -> None:
        """Nothing."""

    @app_commands.command(name="play", description="Play a loop")
    async def play(interaction: discord.Interaction) -> None:
        """Nothing."""

    tree = app_commands.CommandTree(discord.Client(intents=discord.Intents.none()))
    for command in (polka, play):
        tree.add_command(command)
    assert [topic.name for topic in guide.topics(tree)] == ["buttons", "voice", "rest"]
    last = guide.page("en", tree, {"polka": 7}, "rest")
    assert last.description == "What else there is.\n\n</polka:7> — Make a polka\n-# `speed`"
    # What is no topic any more leads to the first page.
    assert guide.page("en", tree, {}, "gone").title == guide.overview("en", tree, {}).title


@sqlite_only
async def test_info_tells_what_makes_the_loops_and_what_holds_here(
    fake: FakeDiscord, start_bot: StartBot, database: Database, storage: Storage
) -> None:
    ana = User("ana", locale="es-ES")
    narrow = Guild("Narrow", bot_permissions=ALL_PERMISSIONS & ~(1 << 3) & ~(1 << 15))
    channel = fake.add_channel(Channel(narrow))
    narrow.channels.append(channel)
    async with database.write() as session:
        by = await accounts.of_discord(session, fake.user.id, "Ada")
        wanted = {
            "channels": [channel.id],
            "max_takes": 2,
            "presses": guilds.OWNER,
            "gallery_channel": channel.id,
        }
        await guilds.change(session, narrow.id, by, **wanted)
        request = RiffRequest.parse(prompt="bells", seed=1)
        await studio.place(session, request, owner=by.owner, door="web", idempotency_key="1")
    await start_bot(RIFF_PUBLIC_URL=ADDRESS)

    message = await told(fake, await fake.slash("info"))
    assert message.ephemeral
    shipped = origin.shipped()
    said = fields(message)
    assert message.embeds[0]["title"].startswith("Riffmarket 0.")
    assert message.embeds[0]["url"] == ADDRESS
    assert said["Loop maker"].splitlines() == [
        f"**{shipped.model_id}**",
        *(f"-# {path.split('/')[0]} `{digest}`" for path, digest in shipped.weights.items()),
    ]
    assert said["What it learnt from"].startswith("Every sound that this model learnt from was written by")
    assert said["At work"] == "0 workers alive\n1 riff waiting"
    assert said["Connection"].splitlines()[:2] == ["shard 1 of 1", "2 servers"]
    assert said["On this server"] == ("Riffs: in every channel, for everybody\nAt most 4 takes and 16 bars")
    assert "What an admin has to tick here" not in said

    there = fields(await told(fake, await fake.slash("info", channel=channel, user=ana)))
    assert there["En este servidor"].splitlines() == [
        f"Riffs: en <#{channel.id}>, para todo el mundo",
        "Como máximo 2 tomas y 16 compases",
        "Botones: solo para quien pidió el riff",
        f"Galería: <#{channel.id}>, desde 3 ⭐",
    ]
    assert there["Qué tiene que marcar aquí quien administra"] == "“Adjuntar archivos”"
    assert there["Trabajo"] == "0 workers activos\n1 riff en espera"
    in_person = fields(await told(fake, await fake.slash("info", channel=fake.dm(fake.user))))
    assert "On this server" not in in_person

    # Another model has made the newest loop: of that one nothing is claimed.
    loop = await make(
        database,
        storage,
        await owner_of(database, fake.user),
        tune(),
        key="2",
        model="somebody@0",
        prompt="tuba",
    )
    said = fields(await told(fake, await fake.slash("info")))
    assert said["Loop maker"] == "**somebody@0**"
    assert said["What it learnt from"].startswith("This model is not the one that comes with Riffmarket")

    # A loop's recipe.
    typing = await fake.answered(await fake.autocomplete("info", "riff", riff="tub"))
    assert [choice["value"] for choice in typing.choices] == [loop.id]
    recipe = await told(fake, await fake.slash("info", riff=f"{ADDRESS}/loops/{loop.id}"))
    assert fields(recipe)["Seed"] == f"`{loop.seed}`"
    assert fields(recipe)["SHA-256 of the sound"] == f"`{loop.sha256}`"
    assert f"riff make --bars 2 --bpm 120 --metre 4/4 --seed {loop.seed}" in fields(recipe)["Make it again"]
    async with nothing_changes(database):
        unknown = await fake.slash("info", riff="no loop", user=User("eve"))
        assert (await told(fake, unknown)).content == "There is no loop “no loop”."


async def test_credits_count_what_somebody_has(
    fake: FakeDiscord, start_bot: StartBot, database: Database, storage: Storage
) -> None:
    await start_bot(RIFF_PUBLIC_URL=ADDRESS)
    nothing = {
        "Riffs": "0 today (UTC), 0 in all",
        "Unfinished": "0 of 8",
        "Kept loops": "0",
        "Licences": "0",
        "On the market": "0",
        "On the web": f"[My loops]({ADDRESS}/studio/loops) · [My licences]({ADDRESS}/licences) · "
        f"[My account]({ADDRESS}/account)",
    }
    async with nothing_changes(database):
        message = await told(fake, await fake.slash("credits"))
        assert message.ephemeral
        assert fields(message) == nothing
    assert message.embeds[0]["description"] == "Riffs are free here: nothing is counted down."
    assert message.components == []

    async with database.write() as session:
        ada = await accounts.of_discord(session, fake.user.id, "Ada")
        bob = await accounts.of_discord(session, 7, "Bob")
        for number in range(2):
            request = RiffRequest.parse(prompt="bells", seed=number)
            placed = await studio.place(
                session, request, owner=ada.owner, door="web", idempotency_key=f"w{number}"
            )
        # One of long ago.
        placed.created_at = placed.created_at.replace(year=2025)
    mine = await make(database, storage, ada.owner, tune(), key="1")
    theirs = await make(database, storage, bob.owner, tune(2), key="2")
    await listed(database, mine, ada, "Mine")
    await listed(database, theirs, bob, "Theirs")
    await licence(database, theirs, Person(ada, None))  # type: ignore[arg-type]
    async with database.write() as session:
        await community.favour(session, ada, theirs.id)
    assert fields(await told(fake, await fake.slash("credits"))) == nothing | {
        "Riffs": "2 today (UTC), 3 in all",
        "Unfinished": "2 of 8",
        "Kept loops": "1",
        "Licences": "1",
        "On the market": "1",
    }
