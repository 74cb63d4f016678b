"""The bot's process: how it starts, stops, and says what it lacks."""

import hashlib
import json

import pytest

from market.settings import Settings
from tests.bot.processes import BotProcess, StartBot, arrived, placed, sqlite_only
from tests.fakes.discord import Channel, FakeDiscord, Guild

pytestmark = sqlite_only


async def ended(bot: BotProcess) -> tuple[int, str]:
    """Exit code and the last line of a process that ends by itself."""
    code = await bot.ended()
    return code, bot.log.read_text().splitlines()[-1]


async def test_without_a_token_it_says_where_one_comes_from(start_bot: StartBot) -> None:
    assert await ended(await start_bot(online=False, DISCORD_TOKEN="")) == (
        1,
        "DISCORD_TOKEN is not set: copy the bot's token from Discord's developer portal into it.",
    )


async def test_a_token_that_discord_refuses(start_bot: StartBot, fake: FakeDiscord) -> None:
    assert await ended(await start_bot(online=False, DISCORD_TOKEN="not.the.token")) == (
        1,
        "Discord refuses DISCORD_TOKEN: copy the bot's token again from the developer portal.",
    )
    assert fake.gateway.identified == []


async def test_a_token_that_was_revoked_meanwhile(start_bot: StartBot, fake: FakeDiscord) -> None:
    bot = await start_bot()
    fake.token = "another.token"
    fake.gateway.forget_sessions()
    await fake.gateway.drop()
    assert await ended(bot) == (
        1,
        "Discord refuses DISCORD_TOKEN: copy the bot's token again from the developer portal.",
    )


async def test_a_database_that_was_never_set_up(
    start_bot: StartBot, tmp_path_factory: pytest.TempPathFactory
) -> None:
    empty = tmp_path_factory.mktemp("empty") / "riff.db"
    assert await ended(await start_bot(online=False, RIFF_DATABASE_URL=f"sqlite:///{empty}")) == (
        1,
        "The database is not set up for this version: run `riff db upgrade`.",
    )


async def test_a_discord_that_is_not_there(start_bot: StartBot, fake: FakeDiscord) -> None:
    for _ in range(5):
        fake.cut("GET", "/users/@me")
    code, sentence = await ended(await start_bot(online=False))
    assert code == 1
    assert sentence.startswith("Discord cannot be reached: ")


async def test_the_commands_are_told_once_and_again_when_they_changed(
    start_bot: StartBot, fake: FakeDiscord, settings: Settings
) -> None:
    for _ in range(2):
        assert await (await start_bot()).stop() == 0
        await fake.offline()
    assert fake.command_syncs == 1
    [kept] = settings.data_dir.glob("discord-commands-*.sha256")
    kept.write_text("what an older version said")
    await start_bot()
    assert fake.command_syncs == 2
    told = [request.body for request in fake.requests if request.path.endswith("/commands")][-1]
    assert kept.read_text() == hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    assert any(command.get("name_localizations") for command in told)


async def test_commands_that_discord_does_not_take_keep_nobody_waiting_and_are_told_later(
    start_bot: StartBot, fake: FakeDiscord, settings: Settings
) -> None:
    fake.fail("PUT", "/commands$", 429, times=5)
    bot = await start_bot(online=False)
    await fake.until(fake.gateway.live, "a bot without its commands")
    assert await bot.stop() == 0
    assert "commands_not_synced" in bot.log.read_text()
    await fake.offline()
    assert (fake.command_syncs, [*settings.data_dir.glob("discord-commands-*")]) == (0, [])

    held = fake.hold("PUT", "/commands$")
    bot = await start_bot(online=False)
    await fake.until(fake.gateway.live, "a bot that does not wait for its commands")
    assert fake.command_syncs == 0
    fake.release(held)
    await fake.until(lambda: fake.command_syncs, "the commands")
    assert await bot.stop() == 0
    assert len([*settings.data_dir.glob("discord-commands-*")]) == 1


async def test_it_asks_for_nothing_privileged_and_comes_back_after_a_broken_connection(
    start_bot: StartBot, fake: FakeDiscord
) -> None:
    bot = await start_bot()
    assert [identity["intents"] for identity in fake.gateway.identified] == [1 | 1 << 7 | 1 << 10]
    await fake.gateway.drop()
    interaction = await fake.slash("riff", prompt="bells")
    await placed(fake, interaction)
    assert fake.gateway.resumed == 1
    assert await bot.stop() == 0


async def test_what_happens_on_every_shard_is_answered(
    start_bot: StartBot, fake: FakeDiscord, working: None
) -> None:
    fake.shards = 2
    neighbour = Guild("Neighbour", id=fake.guild.id + (1 << 22))
    far = fake.add_channel(Channel(neighbour))
    neighbour.channels.append(far)
    assert {fake.gateway.shard_of(guild) for guild in (fake.guild, neighbour)} == {0, 1}
    await start_bot()
    assert sorted(identity["shard"] for identity in fake.gateway.identified) == [[0, 2], [1, 2]]
    for channel in (fake.channel, far, fake.dm(fake.user)):
        interaction = await fake.slash("riff", prompt="bells", channel=channel, bars=1, bpm=200)
        message = await arrived(fake, interaction)
        assert list(channel.messages) == [message.id]
