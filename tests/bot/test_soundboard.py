"""A bar of a loop on a server's soundboard, and the market's loops in voice: who may, and what it sounds like."""

import io
from typing import Any

import numpy as np
import pytest
import soundfile

from bot.voice import choice
from market.accounts import service as accounts
from market.catalog import service as catalog
from market.db import Database
from market.storage import Storage
from tests.bot.answers import told, under
from tests.bot.processes import StartBot, owner_of, sqlite_only
from tests.fakes.discord import Channel, FakeDiscord, User
from tests.fakes.discord.voice import CREATE_EXPRESSIONS
from tests.fakes.discord.world import ALL_PERMISSIONS, EVERYDAY_PERMISSIONS
from tests.market.catalog.conftest import Shop
from tests.market.catalog.loops import make, tune
from tests.market.community.conftest import Person, licence
from tests.market.state import nothing_changes

MAX_SECONDS, MAX_BYTES = 5.2, 512 * 1024


def fields(form: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The fields of a form as Discord was told of them, by name."""
    return {label["component"]["custom_id"]: label["component"] for label in form["data"]["components"]}


def mono(mp3: bytes) -> tuple[np.ndarray[Any, Any], float]:
    sound, rate = soundfile.read(io.BytesIO(mp3))
    assert rate == 44_100
    return sound.mean(1), len(sound) / rate


@sqlite_only
async def test_a_bar_becomes_a_sound_of_the_server(
    fake: FakeDiscord, start_bot: StartBot, database: Database, storage: Storage
) -> None:
    owner = await owner_of(database, fake.user)
    sound = tune(1, bpm=120, bars=2)
    loop = await make(database, storage, owner, sound, key="1")
    slow = await make(database, storage, owner, tune(2, bpm=40, bars=1), key="2", bpm=40, bars=1)
    message = under(fake, loop, "soundboard")
    # Who makes expressions on a server has a permission for it.
    maker = User("maker", permissions=EVERYDAY_PERMISSIONS | CREATE_EXPRESSIONS)
    await start_bot()

    async with nothing_changes(database):
        refused = await fake.press(message, message.custom_ids[0])
        assert (await told(fake, refused)).content == (
            "You may not add sounds to this server: an admin has to allow Create Expressions in the role settings."
        )
        luz = User("luz", locale="es-ES")
        refused = await fake.press(message, message.custom_ids[0], user=luz)
        assert (await told(fake, refused)).content == (
            "Tu cuenta no puede agregar sonidos a este servidor: un administrador tiene que permitir "
            "Crear expresiones en los ajustes de roles."
        )
        fake.guild.bot_permissions = ALL_PERMISSIONS & ~CREATE_EXPRESSIONS
        refused = await fake.press(message, message.custom_ids[0], user=maker)
        assert (await told(fake, refused)).content == (
            "The bot may not add sounds to this server: an admin has to allow Create Expressions in the role settings."
        )
        direct = under(fake, loop, "soundboard", "play", channel=fake.dm(maker))
        for custom_id in direct.custom_ids:
            refused = await fake.press(direct, custom_id, user=maker)
            assert (await told(fake, refused)).content == (
                "Voice channels and soundboards are on servers that I am a member of: use this there."
            )
    fake.guild.bot_permissions = ALL_PERMISSIONS

    opened = await fake.answered(await fake.press(message, message.custom_ids[0], user=maker))
    assert opened.response is not None
    name, bar = fields(opened.response)["name"], fields(opened.response)["bar"]
    assert (name["value"], name["max_length"]) == ("church bells, warm pad", 32)
    assert [option["label"] for option in bar["options"]] == ["Bar 1", "Bar 2"]
    done = await fake.submit(opened, user=maker, bar="2", name="Ding *dong*")
    assert (await told(fake, done)).content == r"**Ding \*dong\*** is on the soundboard now."
    [(title, content)] = fake.voice.sounds
    assert title == "Ding *dong*"
    assert len(content) < MAX_BYTES
    heard, seconds = mono(content)
    assert seconds == pytest.approx(2, abs=0.01)
    # The second bar, wherever the encoder's run-up ends.
    wanted = sound[88_200:].mean(1)
    likeness = max(
        float(np.corrcoef(heard[shift : shift + 80_000], wanted[:80_000])[0, 1]) for shift in range(3_000)
    )
    assert likeness > 0.95

    # A bar of six seconds is cut to what fits; a name of one letter is none.
    opened = await fake.answered(
        await fake.press(under(fake, slow, "soundboard"), f"riff:soundboard:{slow.id}", user=maker)
    )
    short = await fake.submit(opened, user=maker, name=" x ")
    assert (await told(fake, short)).content == "The name of a sound has 2 to 32 characters."
    assert len(fake.voice.sounds) == 1
    await told(fake, await fake.submit(opened, user=maker))
    _, seconds = mono(fake.voice.sounds[1][1])
    assert 5 < seconds <= MAX_SECONDS

    fake.voice.slots = 2
    full = await fake.submit(opened, user=maker, name="one more")
    assert (await told(fake, full)).content == (
        "The soundboard of this server is full: delete a sound in the server settings, or boost."
    )
    fake.voice.slots = 8
    fake.fail("POST", r"/guilds/\d+/soundboard-sounds", 403, code=50013)
    forbidden = await fake.submit(opened, user=maker, name="one more")
    assert "The bot may not add sounds to this server" in (await told(fake, forbidden)).content
    assert len(fake.voice.sounds) == 2


@sqlite_only
async def test_the_market_is_heard_as_previews_until_there_is_a_licence(
    fake: FakeDiscord, start_bot: StartBot, room: Channel, shop: Shop
) -> None:
    bob = User("bob", permissions=EVERYDAY_PERMISSIONS | CREATE_EXPRESSIONS)
    own = await make(
        shop.database,
        shop.storage,
        await owner_of(shop.database, bob),
        tune(9),
        key="9",
        prompt="bob's bells",
    )
    async with shop.database.write() as session:
        given = {"title": "Night drive", "prices": {"creator": 900}, "free": True}
        await catalog.edit(session, shop.loop.id, shop.ada.account, given)
        await catalog.set_status(session, shop.loop.id, "published")
    await fake.voice.join(bob, room)
    await start_bot()

    async def offered(typed: str) -> list[dict[str, Any]]:
        return (await fake.answered(await fake.autocomplete("play", "riff", user=bob, riff=typed))).choices

    mine = {"name": "bob's bells · 120 bpm", "value": own.id}
    listed = {"name": "Night drive · 120 bpm", "value": shop.loop.id}
    assert await offered("") == [mine, listed]
    assert await offered("BOB") == [mine]
    assert await offered("bells") == [mine, listed]
    assert await offered("night") == [listed]
    assert await offered("zither") == []
    assert choice.CHOICES == 25

    played = await fake.slash("play", riff=shop.loop.id, user=bob)
    shown = await told(fake, played)
    assert shown.embeds[0]["description"].endswith("preview with its mark")
    await fake.voice.plays(0.5)
    message = under(fake, shop.loop, "soundboard", "play")
    refused = await told(fake, await fake.press(message, message.custom_id("riff:soundboard"), user=bob))
    assert refused.content.startswith("This loop is for sale")
    assert fake.voice.sounds == []

    async with shop.database.write() as session:
        account = await accounts.of_discord(session, bob.id, bob.name)
    await licence(shop.database, shop.loop, Person(account, shop.http))
    again = await told(fake, await fake.press(message, message.custom_id("riff:play"), user=bob))
    assert again.content == (
        f"Number 1 in the queue: **church bells, warm pad** · 120 bpm · 2 bars · <@{bob.id}>"
    )
