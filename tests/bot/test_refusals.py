"""Discord's own refusals, as sentences that name who can change it."""

import re
from types import SimpleNamespace
from typing import Any

import discord
import pytest
import yarl

from bot import permissions, refusals
from tests.bot.processes import StartBot, sqlite_only
from tests.conftest import ROOT
from tests.fakes.discord import Channel, FakeDiscord, Guild, Interaction, User
from tests.fakes.discord.world import ALL_PERMISSIONS

BOT = User("riffmarket", bot=True)


def used(channel: Channel) -> discord.Interaction[Any]:
    """A command that somebody used in a channel, as the client sees it."""
    happened = Interaction("command", User("ada"), channel, {"id": "1", "name": "riff", "type": 1}, "token")
    client = discord.Client(intents=discord.Intents(guilds=True))
    client._connection.user = discord.ClientUser(state=client._connection, data=BOT.payload())  # type: ignore[arg-type]
    if channel.guild is not None and channel.guild.has_bot:
        client._connection._add_guild_from_data(channel.guild.payload(BOT))  # type: ignore[arg-type]
    return discord.Interaction(data=happened.payload(BOT), state=client._connection)  # type: ignore[arg-type]


def refused(status: int, code: int, request: str = "POST /api/v10/webhooks/1/token") -> discord.HTTPException:
    method, path = request.split()
    url = yarl.URL(f"https://discord.com{path}")
    response: Any = SimpleNamespace(status=status, reason="No", method=method, url=url)
    return discord.HTTPException(response, {"code": code, "message": "No"})


def text_channel(*lacking: str, has_bot: bool = True) -> Channel:
    """A channel where the bot may do all but some things."""
    without = discord.Permissions(**dict.fromkeys(lacking, True))
    guild = Guild("Studio", has_bot=has_bot, bot_permissions=ALL_PERMISSIONS & ~without.value & ~(1 << 3))
    channel = Channel(guild)
    guild.channels.append(channel)
    return channel


@pytest.mark.parametrize(
    ("status", "code", "language", "sentence"),
    [
        (404, 10003, "en", "This channel is gone, or the bot cannot see it: try again in another one."),
        (404, 10008, "en", "The message is gone: somebody has deleted it."),
        (
            413,
            40005,
            "en",
            "This is too large for this place: ask for fewer takes, or download it on the web.",
        ),
        (413, 0, "en", "This is too large for this place: ask for fewer takes, or download it on the web."),
        (
            403,
            50007,
            "es",
            "Tus mensajes directos están cerrados: permítelos en la configuración de privacidad de este servidor y "
            "vuelve a intentarlo.",
        ),
        (502, 0, "en", "Discord has trouble just now: try again in a minute."),
        (429, 0, "es", "Discord tiene problemas en este momento: vuelve a intentarlo en un minuto."),
        (400, 50035, "en", None),
    ],
)
def test_what_people_can_do_about_it(status: int, code: int, language: str, sentence: str | None) -> None:
    assert refusals.sentence(language, refused(status, code), used(text_channel())) == sentence


def test_the_permissions_that_are_missing_where_the_command_was_used() -> None:
    channel = text_channel("attach_files", "embed_links", "send_voice_messages")
    for code in (50001, 50013):
        assert refusals.sentence("en", refused(403, code), used(channel)) == (
            f"An admin has to tick “Embed Links” and “Attach Files” for <@{BOT.id}> in <#{channel.id}>."
        )
    assert refusals.sentence("es", refused(403, 50013), used(channel)) == (
        f"Alguien que administre tiene que marcar “Insertar enlaces” y “Adjuntar archivos” "
        f"para <@{BOT.id}> en <#{channel.id}>."
    )


def test_the_permissions_that_are_missing_elsewhere_on_the_server() -> None:
    channel = text_channel("create_expressions")
    other = Channel(channel.guild, name="gallery")
    assert channel.guild is not None
    channel.guild.channels.append(other)
    posted = refused(403, 50013, f"POST /api/v10/channels/{other.id}/messages")
    assert refusals.sentence("en", posted, used(channel)) == (
        "Discord does not let the bot do this: an admin has to look at what "
        f"<@{BOT.id}> may do in <#{other.id}>."
    )
    unseen = refused(403, 50001, "GET /api/v10/channels/7/messages/8")
    assert refusals.sentence("en", unseen, used(channel)) == (
        f"An admin has to tick “View Channels” and “Read Message History” for <@{BOT.id}> in <#7>."
    )
    sounds = refused(403, 50013, f"POST /api/v10/guilds/{channel.guild.id}/soundboard-sounds")
    assert refusals.sentence("en", sounds, used(channel)) == (
        f"An admin has to tick “Create Expressions” for <@{BOT.id}> in <#{channel.id}>."
    )


def test_where_the_bot_is_no_member() -> None:
    sentence = refusals.sentence("en", refused(403, 50001), used(text_channel(has_bot=False)))
    assert sentence == (
        "The bot is no member of this server, only of your apps: an admin can [add it]"
        f"(https://discord.com/oauth2/authorize?client_id={BOT.id}&scope=bot+applications.commands"
        f"&permissions={permissions.EVERYTHING.value})."
    )
    in_person = used(Channel(recipient=User("ada")))
    assert refusals.sentence("en", refused(403, 50001), in_person) == (
        "Discord does not let the bot do this here."
    )


def test_every_permission_has_a_name() -> None:
    assert permissions.listed("en", discord.Permissions.none()) == ""
    assert permissions.listed("en", permissions.EVERYTHING).count("“") == len(
        [flag for flag, needed in permissions.EVERYTHING if needed]
    )


def test_the_guide_asks_for_what_the_code_needs() -> None:
    """Every permission that the bot's source names as its own, and no other, is in the link that adds it."""
    named = set()
    for path in (ROOT / "bot").rglob("*.py"):
        source = path.read_text()
        for asked in re.findall(r"Permissions\(([^)]+)\)", source):
            named |= set(re.findall(r"(\w+)=True", asked))
        named |= set(re.findall(r"app_permissions\.(\w+)", source))
    assert discord.Permissions(**dict.fromkeys(named, True)) == permissions.EVERYTHING
    guide = (ROOT / "docs" / "discord.md").read_text()
    assert re.findall(r"permissions=(\d+)", guide) == [str(permissions.EVERYTHING.value)]
    asked = guide.partition("## What it has to be allowed")[2].partition("## Settings")[0]
    [*names] = re.findall("“([^”]+)”", permissions.listed("en", permissions.EVERYTHING))
    assert [name for name in names if name not in asked] == []


@sqlite_only
async def test_they_reach_whoever_used_a_command(fake: FakeDiscord, start_bot: StartBot) -> None:
    channel = text_channel("attach_files")
    assert channel.guild is not None
    fake.add_channel(channel)
    bot = await start_bot()
    fake.fail("POST", "/callback$", 403, code=50013)
    interaction = await fake.slash("info", channel=channel)
    await fake.answered(interaction)
    assert interaction.said == [
        f"An admin has to tick “Attach Files” for <@{fake.bot.id}> in <#{channel.id}>."
    ]
    assert "unexpected" not in bot.log.read_text()
