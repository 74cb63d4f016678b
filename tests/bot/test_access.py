"""What a server allows: where, who, how much, whose buttons, in which language, and behind spoilers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from market.accounts import service as accounts
from market.db import Database
from market.guilds import service as guilds
from tests.bot.processes import StartBot, arrived, fields, orders, sqlite_only
from tests.fakes.discord import Channel, FakeDiscord, Interaction, Message, User
from tests.fakes.discord.world import ALL_PERMISSIONS
from tests.market.state import nothing_changes

SHORT: dict[str, Any] = {"bars": 1, "bpm": 200}
MUSICIAN = 77


async def allow(database: Database, fake: FakeDiscord, **parts: object) -> None:
    """Set what holds on the server, before the bot knows of it."""
    async with database.write() as session:
        by = await accounts.create(session, "local:mo", "Mo")
        await guilds.change(session, fake.guild.id, by, **parts)


async def told(fake: FakeDiscord, interaction: Interaction) -> str:
    """What a person is told, and nobody else."""
    await fake.until(lambda: interaction.said, "a word to the person")
    [sentence] = interaction.said
    return sentence


async def placed(fake: FakeDiscord, interaction: Interaction) -> Message:
    """Wait until an order stands; the message that says so."""
    await fake.until(lambda: interaction.message and interaction.message.custom_ids, "a place in the queue")
    assert interaction.message is not None
    return interaction.message


@asynccontextmanager
async def nothing_is_ordered(database: Database) -> AsyncIterator[None]:
    """What happens inside is refused; a worker beside it may write what it likes."""
    before = [order.id for order in await orders(database)]
    yield
    assert [order.id for order in await orders(database)] == before


@sqlite_only
async def test_riffs_are_made_where_and_by_whom_the_server_says(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    garden = fake.add_channel(Channel(fake.guild, name="garden"))
    thread = fake.add_channel(Channel(fake.guild, name="jam", kind=11, parent=fake.channel))
    fake.guild.channels.append(garden)
    fake.guild.roles[MUSICIAN] = "Musicians"
    await allow(database, fake, channels=[fake.channel.id], roles=[MUSICIAN])
    await start_bot()
    ada, bob, mo = fake.user, User("bob", roles=[MUSICIAN]), User("mo", permissions=ALL_PERMISSIONS)
    elsewhere = f"Riffs are made in <#{fake.channel.id}> here: go there and try again."
    no_role = f"Riffs are for <@&{MUSICIAN}> here: ask whoever gives out the roles."

    async with nothing_changes(database):
        assert (
            await told(fake, await fake.slash("riff", prompt="bells", user=bob, channel=garden)) == elsewhere
        )
        assert await told(fake, await fake.slash("riff", prompt="bells", user=ada)) == no_role
        assert await told(fake, await fake.slash("riff", prompt="bells", user=mo)) == no_role
        spanish = await fake.slash("riff", prompt="bells", user=User("ana", locale="es-ES"))
        assert (
            await told(fake, spanish)
            == f"Aquí los riffs son para <@&{MUSICIAN}>: habla con quien reparte los roles."
        )
        nothing = await fake.answered(await fake.autocomplete("riff", "key", key="a", user=ada))
        assert nothing.choices == []
    offered = await fake.answered(await fake.autocomplete("riff", "key", key="a", user=bob))
    assert offered.choices != []

    # Who manages the server finds the settings from everywhere, and everybody help and their own data.
    panel = await fake.slash("settings", user=mo, channel=garden)
    await fake.until(lambda: panel.message and panel.message.embeds, "the panel")
    help_ = await fake.answered(await fake.slash("help", user=ada, channel=garden))
    assert elsewhere not in help_.said

    for channel in (fake.channel, thread, fake.add_channel(Channel(recipient=ada))):
        person = ada if channel.guild is None else bob
        message = await placed(
            fake, await fake.slash("riff", prompt="bells", user=person, channel=channel, **SHORT)
        )
        pressed = await fake.press(message, message.custom_id("riff-cancel:"), user=person)
        assert await told(fake, pressed) == "This riff was cancelled."
    assert len(await orders(database)) == 3


@sqlite_only
async def test_caps_are_kept_for_commands_and_buttons_and_changes_hold_at_once(
    fake: FakeDiscord, start_bot: StartBot, database: Database, working: None
) -> None:
    await start_bot()
    mo = User("mo", permissions=ALL_PERMISSIONS)
    made = await arrived(fake, await fake.slash("riff", prompt="bells", bars=5, bpm=240))
    panel = await fake.slash("settings", user=mo)
    await fake.until(lambda: panel.message and panel.message.embeds, "the panel")
    assert panel.message is not None

    async def limit(**values: str) -> None:
        assert panel.message is not None
        form = await fake.press(panel.message, panel.message.custom_id("settings:limits"), user=mo)
        before = panel.message.embeds
        await fake.submit(await fake.answered(form), **values)
        await fake.until(lambda: panel.message and panel.message.embeds != before, "the panel changed")

    await limit(max_takes="2", max_bars="4")
    async with nothing_is_ordered(database):
        many = await fake.slash("riff", prompt="bells", takes=3)
        assert await told(fake, many) == "On this server a riff has 2 takes at most: ask for fewer."
        long = await fake.slash("riff", prompt="bells", bars=5)
        assert await told(fake, long) == "On this server a loop has 4 bars at most: ask for fewer."
        again = await fake.press(made, made.custom_id("riff:again"))
        assert await told(fake, again) == "On this server a loop has 4 bars at most: ask for fewer."
    await limit(max_takes="1")
    one = await fake.slash("riff", prompt="bells", takes=2)
    assert await told(fake, one) == "On this server a riff has one take: ask for one."
    await placed(fake, await fake.slash("riff", prompt="bells"))
    assert len(await orders(database)) == 2


async def test_buttons_are_for_whom_the_server_and_the_action_say(
    fake: FakeDiscord, start_bot: StartBot, database: Database, working: None
) -> None:
    await start_bot()
    bob = User("bob")
    made = await arrived(fake, await fake.slash("riff", prompt="bells", **SHORT))
    refused = await fake.press(made, made.custom_id("riff:publish"), user=bob)
    assert await told(fake, refused) == "Only whoever asked for this riff can do that."
    await placed(fake, await fake.press(made, made.custom_id("riff:again"), user=bob))

    panel = await fake.slash("settings", user=User("mo", permissions=ALL_PERMISSIONS))
    await fake.until(lambda: panel.message and panel.message.embeds, "the panel")
    assert panel.message is not None
    await fake.press(panel.message, panel.message.custom_id("settings:presses"), user=panel.user)
    await fake.until(
        lambda: panel.message and "Whoever asked for the riff." in fields(panel.message).values(),
        "the panel changed",
    )
    async with nothing_is_ordered(database):
        for name in ("again", "keep", "download"):
            sentence = await told(fake, await fake.press(made, made.custom_id(f"riff:{name}"), user=bob))
            assert sentence == "On this server only whoever asked for a riff may press its buttons."
    await placed(fake, await fake.press(made, made.custom_id("riff:again")))


@sqlite_only
async def test_what_everybody_sees_is_in_the_servers_language_and_behind_spoilers(
    fake: FakeDiscord, start_bot: StartBot, database: Database, worker: Any
) -> None:
    await allow(database, fake, language="es", spoiler=True)
    await start_bot()
    interaction = await fake.slash("riff", prompt="dark || *bells*", negative="drums", **SHORT)
    waiting = await placed(fake, interaction)
    first = waiting.embeds[0]["description"]
    assert first.splitlines()[0] == r"||**dark \|\| \*bells\***||"
    worker()
    message = await arrived(fake, interaction)
    for version in message.versions:
        if version.embeds:
            assert version.embeds[0]["description"].splitlines()[0] == first.splitlines()[0]
            assert "image" not in version.embeds[0]
        assert all(name.startswith("SPOILER_") for name in version.files)
    assert [name.rsplit(".", 1)[1] for name in message.files] == ["mp3", "png"]
    shown = fields(message)
    assert shown["Tonalidad"]
    assert shown["Sin"] == "||drums||"

    # In direct messages nothing of that holds.
    dm = await fake.slash(
        "riff", prompt="bells", channel=fake.add_channel(Channel(recipient=fake.user)), **SHORT
    )
    message = await arrived(fake, dm)
    assert message.embeds[0]["description"] == "**bells**"
    assert message.embeds[0]["image"] == {"url": "attachment://spectrogram.png"}
