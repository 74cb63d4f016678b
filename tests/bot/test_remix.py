"""/remix and "Remix this": from a file or from a riff, in all the ways to name one, and what is refused."""

from typing import Any

import numpy as np
import sqlalchemy as sa

from generation.audio.pcm import sha256
from generation.request import SAMPLE_RATE
from market.db import Database
from market.models import Source
from market.storage import Storage
from market.studio import service as studio
from tests.bot.answers import under
from tests.bot.making import loop_of, opened, ordered, said
from tests.bot.processes import StartBot, arrived, fields, orders, owner_of, sqlite_only
from tests.fakes.discord import FakeDiscord, User
from tests.fakes.discord.world import File
from tests.market.conftest import beat, wav
from tests.market.state import contents, nothing_changes

BEAT = beat(bpm=100)
OGG = "“rain.mp3”"


async def sources(database: Database) -> list[Source]:
    async with database.read() as session:
        return list(await session.scalars(sa.select(Source)))


async def test_what_people_bring_and_what_was_made_here_is_imagined_anew(
    fake: FakeDiscord, start_bot: StartBot, database: Database, working: None
) -> None:
    bot = await start_bot()
    riff = await arrived(fake, await fake.slash("riff", prompt="bells", bars=1, bpm=240, takes=2, seed=5))
    [made] = await orders(database)

    # A file, by command: tempo and length are those that are heard in it.
    brought = fake.upload("my beat.wav", wav(BEAT))
    from_file = await fake.slash("remix", prompt="a harp", file=brought, strength=40, key="Mi menor", seed=7)
    request = await ordered(fake, database, from_file)
    [source] = await sources(database)
    assert (source.owner, source.name, source.sha256) == (
        await owner_of(database, fake.user),
        "my beat.wav",
        sha256(BEAT),
    )
    assert (request.source, request.strength, request.bpm, str(request.key), request.seed) == (
        source.sha256, 0.4, 100.0, "Em", 7,
    )  # fmt: skip
    told = fields(await arrived(fake, from_file))
    assert told["Remix of"] == "an uploaded sound, 40% new"

    # A riff, by command: the link to its message, its id, or one take of it with what stays for certain.
    link = f"https://discord.com/channels/{fake.guild.id}/{riff.channel.id}/{riff.id}"
    for name, take in ((link, 0), (str(riff.id), 0), (made.id, 0), (f"http://here/loops/{made.id}-1", 1)):
        asked = await fake.slash("remix", prompt="a harp", riff=name, keep="groove")
        request = await ordered(fake, database, asked)
        assert (request.prompt, request.keep, request.strength, request.bpm, request.bars) == (
            "a harp", "groove", 1.0, 240.0, 1,
        )  # fmt: skip
        async with database.read() as session:
            loops = (await studio.get(session, made.id)).loops
        assert request.source == loops[take].sha256
    told = fields(await arrived(fake, asked))
    assert told["Remix of"] == "bells, keeps its groove"

    # The menu of a message, answered after a restart.
    bob = User("bob")
    menu = await fake.use_on("Remix this", riff, user=bob)
    assert await opened(fake, menu) == {
        "prompt": "bells",
        "strength": "",
        "keep": "",
        "sound": f"{made.id}-0",
    }
    files = fake.say(
        User("eva"), {"one.wav": wav(BEAT), "two.wav": wav(BEAT[: 2 * SAMPLE_RATE]), "read.txt": b"me"}
    )
    of_files = await fake.use_on("Remix this", files)
    shown = await opened(fake, of_files)
    assert shown == {"prompt": "", "strength": "", "keep": "", "sound": str(files.attachments[0].id)}
    second = await fake.submit(of_files, prompt="drums", strength="30 %", sound=str(files.attachments[1].id))
    request = await ordered(fake, database, second)
    assert (request.source, request.strength) == (sha256(BEAT[: 2 * SAMPLE_RATE]), 0.3)

    forgotten = await fake.use_on("Remix this", files)
    await fake.answered(forgotten)
    await fake.until(lambda: second.message and not second.message.loading, "the place in the queue")
    assert await bot.stop() == 0
    await fake.offline()
    await start_bot()
    again = await ordered(fake, database, await fake.submit(menu, prompt="a\nharp", sound=f"{made.id}-1"))
    assert (again.prompt, again.source, again.strength) == ("a harp", loops[1].sha256, 0.6)
    assert (await orders(database))[-1].owner == await owner_of(database, bob)
    count = len(await orders(database))
    assert await said(fake, await fake.submit(forgotten, prompt="drums")) == [
        "The bot was started anew meanwhile: choose “Remix this” on the message once more."
    ]
    assert len(await orders(database)) == count


@sqlite_only
async def test_what_cannot_be_remixed_is_refused_in_a_sentence(
    fake: FakeDiscord, start_bot: StartBot, database: Database, storage: Storage
) -> None:
    await start_bot()
    mine = await loop_of(database, storage, fake.user)
    sold = await loop_of(database, storage, User("eve"), listed=True)
    good = fake.upload("beat.wav", wav(BEAT))
    elsewhere = File(1, "beat.wav", wav(BEAT), "http://127.0.0.1:9/beat.wav")
    free = np.tile(BEAT, (2, 1))[: 5 * SAMPLE_RATE // 2]
    refused: list[tuple[dict[str, Any], str]] = [
        ({}, "Attach a sound as file, or name a riff: one of the two."),
        ({"file": good, "riff": mine.id}, "Attach a sound as file, or name a riff: one of the two."),
        ({"file": good, "prompt": " "}, "The prompt is empty: say what you want to hear."),
        ({"file": good, "strength": 0}, "strength has to be from 5 to 100, not “0”."),
        ({"file": good, "keep": "words"}, "keep has to be groove or harmony, not “words”."),
        ({"file": fake.upload("a.png", b"\x89PNG")}, "“a.png” is no sound: attach WAV, MP3, OGG, Opus, FLAC or M4A."),
        ({"file": elsewhere}, "“beat.wav” is not on Discord: attach it to a message here."),
        (
            {"file": fake.upload("big.wav", bytes((32 << 20) + 1))},
            "“big.wav” is too large: a sound has at most 32 MiB and a minute.",
        ),
        ({"file": fake.upload("noise.mp3", b"not a sound" * 99)}, "noise.mp3"),
        ({"file": fake.upload("long.wav", wav(np.tile(BEAT, (16, 1))[: 61 * SAMPLE_RATE]))}, "long.wav"),
        ({"riff": "nothing"}, "There is no riff “nothing”."),
        ({"riff": "f" * 24}, f"There is no riff “{'f' * 24}”."),
        ({"riff": "123456789012345678"}, "There is no riff “123456789012345678”."),
        (
            {"riff": sold.id},
            f"This loop is for sale: hear it at /v1/loops/{sold.id}/preview, and license it at /loops/{sold.id}.",
        ),
        (
            {"riff": mine.id, "keep": "harmony", "bars": 4},
            "Only of a loop something can be kept: this sound lasts 4.000 s, and 4 bars at 120 bpm last 8.000 s.",
        ),
    ]  # fmt: skip
    async with nothing_changes(database):
        for options, sentence in refused:
            told = await said(fake, await fake.slash("remix", **{"prompt": "drums", **options}))
            assert len(told) == 1
            assert told[0] == sentence or (" " not in sentence and sentence in told[0]), told
    assert [key async for key in listing(storage)] == []

    # What was brought, but not ordered, is the market's to remove.
    told = await said(
        fake, await fake.slash("remix", prompt="drums", file=fake.upload("x.wav", wav(free)), keep="groove")
    )
    assert told[0].startswith("Only of a loop something can be kept: this sound lasts 2.500 s")
    assert [(source.name, source.sha256) for source in await sources(database)] == [("x.wav", sha256(free))]
    assert len(await orders(database)) == 2


@sqlite_only
async def test_the_menu_refuses_messages_without_sound_and_files_that_are_gone(
    fake: FakeDiscord, start_bot: StartBot, database: Database, storage: Storage
) -> None:
    await start_bot()
    loop = await loop_of(database, storage, fake.user)
    spanish = User("eva", locale="es-ES")
    silent = fake.say(User("bob"), {"photo.png": b"\x89PNG"})
    audio = fake.say(User("bob"), {"beat.wav": wav(BEAT)})
    big = fake.say(User("bob"), {"big.wav": bytes((32 << 20) + 1)})
    # Ours, but not the message that the riff was delivered as: of the gallery, say.
    hung = under(fake, loop, "keep", "more")
    # What looks like ours, of somebody else.
    forged = under(fake, loop, "keep")
    forged.author = User("mallory")

    # A preview of ours of what is for sale: the loop counts, not the file.
    sold = await loop_of(database, storage, User("eve"), listed=True)
    card = under(fake, sold, "keep")
    card.change({}, {"files[0]": ("preview.wav", wav(BEAT))}, fake.url)
    on_card = await fake.answered(await fake.use_on("Remix this", card))
    plain = under(fake, loop)
    plain.change({}, {"files[0]": ("voice.wav", wav(BEAT))}, fake.url)

    before = await contents(database)
    nothing = "There is no sound in this message: use it on one with a riff or an audio file."
    for message in (silent, forged, plain):
        assert await said(fake, await fake.use_on("Remix this", message)) == [nothing]
    assert await said(fake, await fake.use_on("Remix this", silent, user=spanish)) == [
        "En este mensaje no hay ningún sonido: úsalo en uno con un riff o un archivo de audio."
    ]
    assert await said(fake, await fake.submit(on_card, prompt="drums")) == [
        f"This loop is for sale: hear it at /v1/loops/{sold.id}/preview, and license it at /loops/{sold.id}."
    ]
    assert await said(fake, await fake.use_on("Remix this", big)) == [
        "“big.wav” is too large: a sound has at most 32 MiB and a minute."
    ]
    menu = await fake.use_on("Remix this", audio)
    assert await opened(fake, menu) == {"prompt": "", "strength": "", "keep": ""}
    assert await said(fake, await fake.submit(menu, prompt="drums", strength="much")) == [
        "strength has to be a number from 5 to 100, not “much”."
    ]
    assert await contents(database) == before
    fake.forget(audio)
    assert await said(fake, await fake.submit(menu, prompt="drums")) == [
        "Discord does not have “beat.wav” any more: attach it again."
    ]
    assert await sources(database) == []
    assert len(await orders(database)) == 2

    # A file that takes long to come: everybody sees that the bot is at work, and then where the riff stands.
    slow = fake.say(User("bob"), {"beat.wav": wav(BEAT)})
    menu = await fake.answered(await fake.use_on("Remix this", slow))
    held = fake.hold("GET", "/attachments/")
    waiting = await fake.submit(menu, prompt="drums", strength="50")
    await fake.answered(waiting)
    assert waiting.response == {"type": 5}
    assert len(await orders(database)) == 2
    fake.release(held)
    assert (await ordered(fake, database, waiting)).strength == 0.5
    message = waiting.message
    assert message is not None
    await fake.until(lambda: message.versions, "the place in the queue")
    assert message.versions[-1].embeds[0]["description"].startswith("**drums**\n")
    assert not message.ephemeral

    menu = await fake.use_on("Remix this", hung)
    assert (await opened(fake, menu))["prompt"] == loop.prompt
    request = await ordered(fake, database, await fake.submit(menu, prompt="drums", keep="harmony"))
    assert (request.source, request.keep, request.strength) == (loop.sha256, "harmony", 1.0)

    typing = await fake.answered(await fake.autocomplete("remix", "riff", prompt="drums", riff="warm"))
    assert typing.choices == [{"name": f"{loop.prompt} · 120 bpm · {loop.id}", "value": loop.id}]
    typing = await fake.answered(
        await fake.autocomplete("remix", "riff", user=spanish, prompt="drums", riff="")
    )
    assert typing.choices == []


async def listing(storage: Storage) -> Any:
    for key in await storage.list("sources/"):
        yield key
