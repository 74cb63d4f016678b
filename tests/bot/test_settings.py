"""/settings: one panel, what it changes, who may, and that it survives a restart."""

from typing import Any

import sqlalchemy as sa

from market.audit.models import AuditEntry
from market.db import Database
from market.guilds import service as guilds
from market.guilds.service import OPEN_TO_ALL, Rules
from market.models import BlockedWord
from market.moderation import words
from tests.bot.processes import StartBot, fields, sqlite_only
from tests.fakes.discord import Channel, FakeDiscord, Interaction, Message, User
from tests.fakes.discord.world import ALL_PERMISSIONS, EVERYDAY_PERMISSIONS
from tests.market.state import nothing_changes

ATTACH_FILES, READ_HISTORY = 1 << 15, 1 << 16
NOT_YOURS = "Only people with the permission Manage Server may change the settings."


def manager(**more: Any) -> User:
    return User("mo", permissions=ALL_PERMISSIONS, **more)


async def rules(database: Database, fake: FakeDiscord) -> Rules:
    async with database.read() as session:
        return await guilds.of(session, fake.guild.id)


async def opened(fake: FakeDiscord, user: User) -> Message:
    """The panel, as somebody who manages the server gets it."""
    interaction = await fake.slash("settings", user=user)
    await fake.until(lambda: interaction.message and interaction.message.embeds, "the panel")
    assert interaction.message is not None
    assert interaction.message.ephemeral
    return interaction.message


async def updated(fake: FakeDiscord, interaction: Interaction) -> Interaction:
    """Wait for the panel to change in its place, at once or after a sign that the press was heard."""
    await fake.answered(interaction)
    assert interaction.response is not None
    assert interaction.response["type"] in (6, 7), interaction.said
    if interaction.response["type"] == 6:
        await fake.until(lambda: fake.edits(interaction), "the panel changed")
    return interaction


async def told(fake: FakeDiscord, interaction: Interaction) -> Interaction:
    """Wait for what only the person sees, which may come after a sign that the bot is at work."""
    await fake.until(lambda: interaction.said, "a word to the person")
    return interaction


async def blocked(database: Database) -> list[tuple[str, str]]:
    async with database.read() as session:
        found = await session.scalars(sa.select(BlockedWord).order_by(BlockedWord.word))
        return [(each.word, each.guild_id) for each in found]


def chosen(message: Message, start: str) -> list[str]:
    """What a menu shows as chosen."""
    return [str(each["id"]) for each in message.component(message.custom_id(start)).get("default_values", [])]


async def test_the_panel_shows_and_changes_what_holds_and_outlives_the_process(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    gallery = fake.add_channel(Channel(fake.guild, name="gallery"))
    fake.guild.channels.append(gallery)
    fake.guild.roles[77] = "Musicians"
    bot = await start_bot()
    [command] = [each for each in fake.commands if each["name"] == "settings"]
    assert (command["default_member_permissions"], command["contexts"], command["integration_types"]) == (
        "32",
        [0],
        [0],
    )
    mo = manager()
    panel = await opened(fake, mo)
    assert panel.embeds[0]["title"] == "Settings of this server"
    assert fields(panel) == {
        "Where riffs are made": "In every channel.",
        "Who makes them": "Everybody.",
        "Limits": "4 takes at once, 16 bars long at most.",
        "Who may press the buttons under a riff": "Everybody.",
        "Gallery": "None: choose a channel below.",
        "Spoilers": "Nothing is hidden.",
        "Language": "Each person's own.",
        "Blocked words": "0, besides those that are blocked everywhere.",
        "The server's share": (
            "0 % of what creators earn with loops made here. It counts from when sales are paid out."
        ),
    }
    guild_id = fake.guild.id
    assert panel.custom_ids == [
        f"settings:{what}:{guild_id}"
        for what in (
            "channels", "roles", "gallery", "limits", "stars", "words", "share", "language", "presses", "spoiler",
        )
    ]  # fmt: skip

    here = str(fake.channel.id)
    await updated(fake, await fake.choose(panel, panel.custom_id("settings:channels"), here, user=mo))
    assert fields(panel)["Where riffs are made"] == f"<#{here}>, and their threads."
    assert chosen(panel, "settings:channels") == [here]

    assert await bot.stop() == 0
    await fake.offline()
    await start_bot()
    await updated(fake, await fake.choose(panel, panel.custom_id("settings:roles"), "77", user=mo))
    await updated(
        fake, await fake.choose(panel, panel.custom_id("settings:gallery"), str(gallery.id), user=mo)
    )
    assert (fields(panel)["Who makes them"], chosen(panel, "settings:roles")) == ("<@&77>", ["77"])
    assert fields(panel)["Gallery"] == f"Riffs with 3 ⭐ and more hang in <#{gallery.id}>."
    assert "⚠️" not in fields(panel)

    async def enter(what: str, **values: str) -> Interaction:
        form = await fake.answered(await fake.press(panel, panel.custom_id(f"settings:{what}"), user=mo))
        return await fake.answered(await fake.submit(form, **values))

    await updated(fake, await enter("limits", max_takes="2", max_bars="8"))
    await updated(fake, await enter("stars", gallery_stars="1"))
    await updated(fake, await enter("share", share="15 %"))
    await updated(fake, await enter("language", language="es"))
    for what in ("presses", "spoiler"):
        await updated(fake, await fake.press(panel, panel.custom_id(f"settings:{what}"), user=mo))
    shown = fields(panel)
    assert shown["Limits"] == "2 takes at once, 8 bars long at most."
    assert shown["Gallery"] == f"Riffs with 1 ⭐ hang in <#{gallery.id}>."
    assert shown["The server's share"].startswith("15 % of what creators earn")
    assert shown["Language"] == "Español"
    assert shown["Who may press the buttons under a riff"] == "Whoever asked for the riff."
    assert shown["Spoilers"] == "Prompts, pictures and recordings are hidden until somebody clicks."
    labels = [
        panel.component(panel.custom_id(f"settings:{what}"))["label"] for what in ("presses", "spoiler")
    ]
    assert labels == ["Buttons: for the owner", "Spoilers: on"]
    wanted = Rules((fake.channel.id,), (77,), 2, 8, gallery.id, 1, True, "owner", "es", 15)
    assert await rules(database, fake) == wanted

    # A form holds what is set, and what it refuses changes nothing.
    form = await fake.answered(await fake.press(panel, panel.custom_id("settings:limits"), user=mo))
    assert form.response is not None
    assert [label["component"]["value"] for label in form.response["data"]["components"]] == ["2", "8"]
    before = list(panel.embeds)
    async with nothing_changes(database):
        refused = await told(fake, await fake.submit(form, max_takes="9"))
        assert refused.said == ["max takes has to be from 1 to 4, not “9”."]
    assert panel.embeds == before

    await updated(fake, await fake.choose(panel, panel.custom_id("settings:channels"), user=mo))
    assert (await rules(database, fake)).channels == ()
    assert "default_values" not in panel.component(panel.custom_id("settings:channels"))
    async with database.read() as session:
        entries = list(
            await session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "guild.change"))
        )
    assert len(entries) == 10
    assert entries[-1].details == {"before": {"channels": [here]}, "after": {"channels": []}}


@sqlite_only
async def test_only_who_manages_the_server_sees_and_changes_it(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    await start_bot()
    mo = manager()
    panel = await opened(fake, mo)
    form = await fake.answered(await fake.press(panel, panel.custom_id("settings:limits"), user=mo))
    async with nothing_changes(database):
        assert (await told(fake, await fake.slash("settings"))).said == [NOT_YOURS]
        # The permission was taken away while the panel was open.
        mo.permissions = EVERYDAY_PERMISSIONS
        for interaction in (
            await fake.press(panel, panel.custom_id("settings:spoiler"), user=mo),
            await fake.choose(panel, panel.custom_id("settings:channels"), "1", user=mo),
            await fake.submit(form, max_takes="1"),
        ):
            assert (await told(fake, interaction)).said == [NOT_YOURS]
    assert await rules(database, fake) == OPEN_TO_ALL


@sqlite_only
async def test_what_the_gallery_lacks_is_said_when_its_channel_is_chosen(
    fake: FakeDiscord, start_bot: StartBot
) -> None:
    gallery = fake.add_channel(Channel(fake.guild, name="gallery"))
    fake.guild.channels.append(gallery)
    # Neither administrator nor what files and old messages take.
    fake.guild.bot_permissions = EVERYDAY_PERMISSIONS & ~(ATTACH_FILES | READ_HISTORY)
    await start_bot()
    mo = manager()
    panel = await opened(fake, mo)
    assert "⚠️" not in fields(panel)
    menu = panel.custom_id("settings:gallery")
    await updated(fake, await fake.choose(panel, menu, str(gallery.id), user=mo))
    assert fields(panel)["⚠️"] == (
        f"An admin has to tick “Attach Files” for <@{fake.bot.id}> in <#{gallery.id}>.\n"
        f"Stars are counted only in channels where “Read Message History” is ticked for <@{fake.bot.id}>."
    )
    await updated(fake, await fake.choose(panel, menu, "5", user=mo))
    assert fields(panel)["⚠️"] == "The gallery's channel is gone: choose another one."
    assert "default_values" not in panel.component(menu)


@sqlite_only
async def test_blocked_words_are_shown_added_and_let_through_again(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    await start_bot()
    mo = manager()
    panel = await opened(fake, mo)

    async def press(what: str) -> Interaction:
        return await fake.answered(await fake.press(panel, panel.custom_id(f"settings:{what}"), user=mo))

    await updated(fake, await press("words"))
    description = panel.embeds[0]["description"]
    assert description == "Nothing is blocked on this server but what is blocked everywhere."
    guild_id = str(fake.guild.id)
    await updated(fake, await fake.submit(await press("addwords"), words="Banjo\n\n  kazoo *solo* \n"))
    assert panel.embeds[0]["description"].splitlines()[1:] == ["• Banjo", "• kazoo \\*solo\\*"]
    assert await blocked(database) == [("Banjo", guild_id), ("kazoo *solo*", guild_id)]
    refused = await told(fake, await fake.slash("riff", prompt="a banjo"))
    assert refused.said == ["“Banjo” in the prompt is refused here: say it in other words."]

    form = await press("addwords")
    async with nothing_changes(database):
        again = await told(fake, await fake.submit(form, words="lute\nbanjo"))
        assert again.said == ["“banjo” is on this list already."]

    async with database.write() as session:
        for number in range(25):
            await words.add(session, f"word {number:02}", by="account:m", guild_id=guild_id)
    await updated(fake, await press("panel"))
    assert fields(panel)["Blocked words"] == "27, besides those that are blocked everywhere."
    await updated(fake, await press("words"))
    assert panel.embeds[0]["footer"] == {"text": "Page 1 of 2"}
    await updated(fake, await fake.press(panel, f"settings:words:{guild_id}:1", user=mo))
    menu = panel.component(panel.custom_id("settings:unword"))
    assert [option["label"] for option in menu["options"]] == ["word 23", "word 24"]
    both = [option["value"] for option in menu["options"]]
    await updated(fake, await fake.choose(panel, menu["custom_id"], *both, user=mo))
    menu = panel.component(panel.custom_id("settings:unword"))
    banjo = menu["options"][0]["value"]
    await updated(fake, await fake.choose(panel, menu["custom_id"], banjo, user=mo))
    assert [word for word, _ in await blocked(database)][:2] == ["kazoo *solo*", "word 00"]
    fine = await fake.answered(await fake.slash("riff", prompt="a banjo"))
    await fake.until(lambda: fine.message and fine.message.custom_ids, "a place in the queue")
    await updated(fake, await press("panel"))
    assert fields(panel)["Blocked words"] == "24, besides those that are blocked everywhere."


@sqlite_only
async def test_it_speaks_spanish(fake: FakeDiscord, start_bot: StartBot) -> None:
    await start_bot()
    [command] = [each for each in fake.commands if each["name"] == "settings"]
    assert command["name_localizations"]["es-ES"] == "ajustes"
    mo = manager(locale="es-419")
    panel = await opened(fake, mo)
    assert panel.embeds[0]["title"] == "Ajustes de este servidor"
    assert fields(panel)["Límites"] == "4 tomas a la vez, de 16 compases como máximo."
    form = await fake.answered(await fake.press(panel, panel.custom_id("settings:limits"), user=mo))
    refused = await told(fake, await fake.submit(form, max_takes="9"))
    assert refused.said == ["El máximo de tomas tiene que estar entre 1 y 4, no “9”."]
    refused = await told(fake, await fake.slash("settings", user=User("ana", locale="es-ES")))
    assert refused.said == ["Solo quien tiene el permiso Gestionar servidor puede cambiar los ajustes."]
