"""Jams: people's words become riffs on the way from what plays, at one tempo, crossfaded in as a worker makes them."""

import numpy as np

from generation.request import RiffRequest
from market.db import Database
from market.storage import Storage
from tests.bot.processes import StartBot, ended, orders, owner_of, sqlite_only
from tests.bot.test_voice import loudness, require_whole
from tests.fakes.discord import Channel, FakeDiscord, User
from tests.market.catalog.loops import make, tune


@sqlite_only
async def test_words_of_two_people_lead_from_what_plays_to_what_they_say(
    fake: FakeDiscord,
    start_bot: StartBot,
    room: Channel,
    database: Database,
    storage: Storage,
    working: None,
) -> None:
    ada, eve = fake.user, User("eve")
    loop = await make(
        database,
        storage,
        await owner_of(database, ada),
        tune(1, bpm=180, bars=1),
        key="1",
        prompt="church bells",
        bars=1,
        bpm=180,
        musical_key="Am",
    )
    for person in (ada, eve):
        await fake.voice.join(person, room)
    bot = await start_bot()
    playing = await fake.slash("play", riff=loop.id)
    await fake.until(lambda: playing.message is not None and playing.message.embeds, "what plays")
    line = await fake.voice.plays(0.5)

    first = await fake.slash("jam", prompt="acid techno")
    await fake.until(lambda: first.message is not None and first.message.embeds, "the jam")
    assert first.message is not None
    message = first.message
    assert message.content.startswith(f"<@{ada.id}>: **acid techno**")
    assert message.embeds[0]["title"] == "Jam"
    assert message.embeds[0]["fields"][0] == {
        "name": "On the way to",
        "value": "acid techno",
        "inline": False,
    }
    second = await fake.slash("jam", prompt="sea shanty", user=eve)
    await fake.until(lambda: second.message is not None and second.message.content, "the answer")
    settled = await fake.slash("jam", prompt="slower", bpm=90, user=eve)
    await fake.until(lambda: settled.said, "a refusal")
    assert settled.said == [
        "The jam has its tempo, key and length already: give only words, or /voice stop first."
    ]

    made = [riff for riff in await orders(database) if riff.id != loop.riff_id]
    requests = [RiffRequest.from_dict(riff.request) for riff in made]
    wanted = [
        ("church bells", "acid techno", 0.35),
        ("church bells", "acid techno", 0.7),
        ("acid techno", "", 0.0),
        ("acid techno", "sea shanty", 0.35),
        ("acid techno", "sea shanty", 0.7),
        ("sea shanty", "", 0.0),
    ]
    assert [(each.prompt, each.morph_to, each.morph) for each in requests] == wanted
    # One tempo, key, length and noise.
    assert {(each.bpm, str(each.key), each.bars, each.metre) for each in requests} == {
        (180.0, "Am", 1, "4/4")
    }
    assert len({each.seed for each in requests}) == 1
    assert [riff.owner for riff in made] == [await owner_of(database, ada)] * 3 + [
        await owner_of(database, eve)
    ] * 3
    assert [riff.idempotency_key for riff in made] == [
        f"discord:jam:{interaction.id}:{number}" for interaction in (first, second) for number in range(3)
    ]

    await fake.until(
        lambda: message.embeds and "sea shanty" in message.embeds[0]["description"],
        "the last loop in the message",
    )
    shown = [version.embeds[0]["description"] for version in message.versions if version.embeds]
    assert shown[0].startswith("**church bells**")
    assert shown[-1].startswith(f"**sea shanty** · 180 bpm · Am · 1 bar · <@{eve.id}>")
    line = await fake.voice.plays(1.5)
    require_whole(line)
    heard = line.heard()
    seconds = [loudness(heard[at : at + 48_000]) for at in range(48_000, len(heard) - 48_000, 24_000)]
    assert min(seconds) > 0.02, "it was silent for a second"
    assert np.abs(heard).max() < 1

    # What is ordered is made, whatever becomes of the bot.
    third = await fake.slash("jam", prompt="harp", user=eve)
    await fake.until(lambda: third.message is not None and third.message.content, "the answer")
    await bot.kill()
    last = (await orders(database))[-1]
    assert (await ended(database, last.id)).status == "done"


@sqlite_only
async def test_a_jam_from_nothing_and_what_it_refuses(
    fake: FakeDiscord, start_bot: StartBot, room: Channel, database: Database, working: None
) -> None:
    await fake.voice.join(fake.user, room)
    await start_bot()
    refused = await fake.slash("jam", prompt="bells", key="H")
    await fake.until(lambda: refused.said, "a refusal")
    assert "is not a key" in refused.said[0]
    await fake.until(lambda: fake.voice.where(fake.bot) is None, "the bot out of the channel")
    assert await orders(database) == []

    begun = await fake.slash("jam", prompt="bells", bpm=200, bars=1, key="C")
    await fake.until(lambda: begun.message is not None and begun.message.embeds, "the jam")
    message = begun.message
    assert message is not None
    assert message.embeds[0]["description"] == "The first loop is being made."
    await fake.until(lambda: "**bells**" in message.embeds[0]["description"], "the loop in the message")
    await fake.voice.plays(1)
    assert loudness(fake.voice.line.heard()[-48_000:]) > 0.02
    [order] = await orders(database)
    request = RiffRequest.from_dict(order.request)
    assert (request.prompt, request.bpm, str(request.key), request.bars) == ("bells", 200.0, "C", 1)
    # The same words again are the loop itself, and no way to it.
    again = await fake.slash("jam", prompt="bells")
    await fake.until(lambda: again.message is not None and again.message.content, "the answer")
    assert [each.request for each in await orders(database)] == [order.request] * 2
    # Somebody's own loop ends the jam.
    played = await fake.slash("play")
    await fake.until(lambda: played.message is not None and played.message.content, "the place in the queue")
    await fake.until(lambda: message.embeds[0]["title"] == "Now playing", "the end of the jam")
