"""Music in voice channels: what people hear over a voice server of ours, and who may have a say in it."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bot.models import Delivery
from bot.voice import repository
from bot.voice.deck import FRAME, RATE, Deck, Track, track_of
from market.catalog.models import Loop
from market.db import Database
from market.storage import Storage
from tests.bot.processes import StartBot, owner_of, sqlite_only
from tests.fakes.discord import Channel, FakeDiscord, Interaction, Message, User
from tests.fakes.discord.voice import Line
from tests.fakes.discord.world import ALL_PERMISSIONS, role
from tests.market.catalog.loops import make, tune

FULL, USUAL = 100, 50


class Shelf:
    """Makes loops of somebody's, of a second each; `track` is how one of them is played."""

    def __init__(self, fake: FakeDiscord, database: Database, storage: Storage) -> None:
        self._fake, self._database, self._storage = fake, database, storage
        self._sounds: dict[str, NDArray[np.float32]] = {}

    async def loop(self, seed: int, *, user: User | None = None, bpm: float = 240, **request: Any) -> Loop:
        owner = await owner_of(self._database, user or self._fake.user)
        sound = tune(seed, bpm=bpm, bars=1)
        words = {"prompt": f"tune {seed}", "bars": 1, "bpm": bpm, **request}
        made = await make(self._database, self._storage, owner, sound, key=str(seed), **words)
        self._sounds[made.id] = sound
        return made

    def track(self, loop: Loop) -> Track:
        return track_of(loop.id, self._sounds[loop.id], bars=1)


@pytest.fixture
def shelf(fake: FakeDiscord, database: Database, storage: Storage) -> Shelf:
    return Shelf(fake, database, storage)


def likeness(heard: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    """1 for the same sound, however loud; 0 for another one."""
    count = min(len(heard), len(wanted))
    one, other = heard[:count].astype(float), wanted[:count].astype(float)
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))


def simulated(
    first: Track, then: Track | None = None, bars: int = 0, frames: int = 600
) -> NDArray[np.float32]:
    """What a deck plays by itself, with another loop cued within the bar after `bars` bars."""
    deck = Deck(FULL)
    deck.cue(first)
    sound = []
    for number in range(frames):
        if then is not None and number * FRAME > bars * first.bar:
            deck.cue(then, soon=True)
            then = None
        frame = deck.frame()
        assert frame is not None
        sound.append(frame)
    return np.concatenate(sound)


def aligned(heard: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.float32]:
    """What was heard from the first frame with a sound on: silence goes out until there is a loop."""
    offsets = range(0, min(len(heard) - 2 * RATE, 25 * FRAME), FRAME)
    return heard[max(offsets, key=lambda offset: likeness(heard[offset : offset + 2 * RATE], wanted)) :]


def loudness(sound: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.square(sound).mean()))


def quietest(sound: NDArray[np.float32]) -> float:
    """The loudness of the quietest tenth of a second: a missing packet or a gap would be one."""
    return min(loudness(sound[at : at + RATE // 10]) for at in range(0, len(sound) - RATE // 10, FRAME))


def require_whole(line: Line) -> None:
    """No packet is missing, late numbers and times included, and nothing is silent once there was a sound."""
    numbers = [packet.sequence for packet in line.packets]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    times = [packet.timestamp for packet in line.packets]
    assert times == list(range(times[0], times[0] + FRAME * len(times), FRAME))


def following(message: Message) -> str:
    """What the message says comes next."""
    shown = {entry["name"]: entry["value"] for entry in message.embeds[0].get("fields", [])}
    return shown.get("Next", "")


async def shown(fake: FakeDiscord, interaction: Interaction) -> Message:
    """The message that shows what plays, as the answer to an interaction."""
    await fake.until(
        lambda: (
            interaction.message is not None and any("voice:" in i for i in interaction.message.custom_ids)
        ),
        "the message that shows what plays",
    )
    assert interaction.message is not None
    return interaction.message


@sqlite_only
async def test_a_loop_goes_round_then_another_comes_on_the_bar(
    fake: FakeDiscord, start_bot: StartBot, room: Channel, shelf: Shelf
) -> None:
    first, second = await shelf.loop(1), await shelf.loop(2)
    await fake.voice.join(fake.user, room)
    await start_bot()
    interaction = await fake.slash("play", riff=first.id)
    message = await shown(fake, interaction)
    assert interaction.response == {"type": 5}
    line = await fake.voice.plays(4.2)
    assert line.channel is room
    assert line.identity["max_dave_protocol_version"] == 1
    assert [entry for entry in fake.guild.voice_states if entry["user_id"] == str(fake.bot.id)]
    require_whole(line)
    assert line.speaking == [0, 1]

    wanted = simulated(shelf.track(first))
    heard = aligned(line.heard(), wanted)
    assert likeness(heard, wanted) > 0.98
    # Each round by itself, and around each loop point.
    for at in range(RATE // 2, len(heard) - RATE, RATE // 2):
        assert likeness(heard[at : at + RATE], wanted[at:]) > 0.97
    assert quietest(heard) > 0.5 * 0.8 * quietest(wanted[: len(heard)])
    assert loudness(heard) == pytest.approx(0.5 * loudness(wanted[: len(heard)]), rel=0.05)
    embed = message.embeds[0]
    assert (embed["title"], embed["footer"]["text"]) == (
        "Now playing",
        "Volume 50 % · Lasts until the bot restarts",
    )
    assert embed["description"] == f"**tune 1** · 240 bpm · 1 bar · <@{fake.user.id}>"

    # Another one waits, is shown, and comes on the bar for whoever skips.
    queued = await fake.slash("play", riff=f"https://example.org/loops/{second.id}")
    await fake.until(lambda: queued.message is not None and queued.message.content, "the place in the queue")
    assert queued.message is not None
    assert queued.message.content == (
        f"Number 1 in the queue: **tune 2** · 240 bpm · 1 bar · <@{fake.user.id}>"
    )
    await fake.until(lambda: following(message), "the queue in the message")
    assert following(message) == f"1. **tune 2** · 240 bpm · 1 bar · <@{fake.user.id}>"
    told = await fake.answered(await fake.press(message, message.custom_id("voice:queue")))
    assert told.said == [following(message)]
    skipped = await fake.answered(await fake.press(message, message.custom_id("voice:skip")))
    assert skipped.said == ["The next loop comes on the next bar."]
    await fake.until(lambda: "tune 2" in message.embeds[0]["description"], "the next loop in the message")
    await fake.voice.plays(2.5)
    require_whole(line)
    heard = aligned(line.heard(), wanted)
    # On which bar is known by listening; that it is a bar, by how little differs from what a deck does by itself.
    one, other, frames = shelf.track(first), shelf.track(second), len(heard) // FRAME
    assert any(likeness(heard, simulated(one, other, bars, frames)) > 0.97 for bars in range(3, 60))

    # Nothing else waits.
    again = await fake.answered(await fake.press(message, message.custom_id("voice:skip")))
    assert again.said == [
        "Nothing else is ready to be played: add something with /play, or end with /voice stop."
    ]

    quiet = await fake.answered(await fake.slash("voice volume", percent=10))
    assert quiet.said == ["Volume 10 %"]
    before = loudness(line.heard()[-RATE:])
    await fake.voice.plays(1.2)
    assert loudness(line.heard()[-RATE:]) == pytest.approx(before / 5, rel=0.1)
    louder = await fake.answered(await fake.press(message, message.custom_id("voice:louder")))
    assert louder.response is not None
    assert louder.response["type"] == 7
    assert message.embeds[0]["footer"]["text"] == "Volume 20 % · Lasts until the bot restarts"

    stopped = await fake.answered(await fake.slash("voice stop"))
    assert stopped.said == ["The music fades out."]
    await fake.until(lambda: fake.voice.where(fake.bot) is None, "the bot out of the channel")
    await fake.until(lambda: message.content, "the end in the message")
    assert message.content == f"<@{fake.user.id}> stopped the music."
    assert (message.embeds, message.custom_ids) == ([], [])
    assert (line.speaking[:2], set(line.speaking[2:])) == ([0, 1], {0})
    assert loudness(line.heard()[-RATE // 50 :]) < 0.01

    # Who is faster than the fade begins anew.
    message = await shown(fake, await fake.slash("play", riff=first.id))
    await fake.voice.plays(0.2)
    await fake.answered(await fake.slash("voice stop"))
    anew = await shown(fake, await fake.slash("play", riff=second.id))
    await fake.until(lambda: message.content, "the end in the message")
    assert message.content == f"<@{fake.user.id}> stopped the music."
    assert anew.embeds[0]["description"].startswith("**tune 2**")
    assert loudness((await fake.voice.plays(0.5)).heard()[-RATE // 5 :]) > 0.01
    assert fake.voice.where(fake.bot) == room.id
    assert len(fake.voice.lines) == 3


@sqlite_only
async def test_an_encrypted_call_a_kill_and_a_clean_end(
    fake: FakeDiscord, start_bot: StartBot, room: Channel, shelf: Shelf
) -> None:
    fake.voice.dave = 1
    loop = await shelf.loop(1)
    await fake.voice.join(fake.user, room)
    bot = await start_bot()
    message = await shown(fake, await fake.slash("play"))  # the newest one of the person
    line = await fake.voice.plays(0.2)
    await fake.until(lambda: line.encrypted, "a call with a group")
    line = await fake.voice.plays(2.5)
    first_secret = [packet.secret for packet in line.music].index(True)
    assert all(packet.secret for packet in line.music[first_secret:])
    wanted = simulated(shelf.track(loop))
    assert likeness(aligned(line.heard(), wanted), wanted) > 0.97
    require_whole(line)

    # A bot that was killed stays in the channel for Discord; the next one leaves it, and its buttons say how it is.
    await bot.kill()
    await fake.offline()
    assert fake.voice.where(fake.bot) == room.id
    bot = await start_bot()
    await fake.until(lambda: fake.voice.where(fake.bot) is None, "the bot out of the channel")
    for name in ("skip", "quieter", "louder", "queue", "stop"):
        pressed = await fake.answered(await fake.press(message, message.custom_id(f"voice:{name}")))
        assert pressed.said == ["Nothing plays on this server: start with /play or /jam."]

    message = await shown(fake, await fake.slash("play", riff=loop.id))
    await fake.voice.plays(0.5)
    assert await bot.stop() == 0
    assert fake.voice.where(fake.bot) is None
    assert message.content == "The bot restarts: start again with /play or /jam."


@sqlite_only
async def test_who_may_and_what_the_bot_needs(
    fake: FakeDiscord, start_bot: StartBot, room: Channel, shelf: Shelf
) -> None:
    loop = await shelf.loop(1)
    stage = fake.add_channel(Channel(fake.guild, kind=13, name="stage"))
    other = fake.add_channel(Channel(fake.guild, kind=2, name="talk"))
    fake.guild.channels += [stage, other]
    connect, speak = 1 << 20, 1 << 21
    fake.guild.bot_permissions = ALL_PERMISSIONS & ~connect & ~speak & ~(1 << 3)
    await start_bot()

    async def refused(command: str, **more: Any) -> str:
        interaction = await fake.answered(await fake.slash(command, **more))
        [sentence] = interaction.said
        return sentence

    join_first = "Join a voice channel of this server first: the music plays where you are."
    assert await refused("play") == join_first
    assert await refused("jam", prompt="bells") == join_first
    await fake.voice.join(fake.user, stage)
    assert await refused("play") == "I do not play on stages: join a voice channel."
    await fake.voice.join(fake.user, room)
    assert await refused("play") == (
        "I may not play in jam room: in its permissions, an admin has to allow me Connect and Speak."
    )
    spanish = User("luz", locale="es-ES")
    await fake.voice.join(spanish, room)
    assert await refused("play", user=spanish) == (
        "No puedo tocar en jam room: en sus permisos, un administrador tiene que permitirme Conectar y Hablar."
    )
    await fake.gateway.tell(
        fake.guild,
        "GUILD_ROLE_UPDATE",
        {
            "guild_id": str(fake.guild.id),
            "role": role(fake.guild.id, "@everyone", ALL_PERMISSIONS & ~(1 << 3) & ~(1 << 24)),
        },
    )
    fake.guild.bot_permissions = ALL_PERMISSIONS
    await fake.gateway.tell(fake.guild, "CHANNEL_UPDATE", {**room.payload(), "user_limit": 2})
    assert await refused("play") == "There is no room for me in jam room: an admin can raise its user limit."
    await fake.gateway.tell(fake.guild, "CHANNEL_UPDATE", room.payload())
    assert await refused("voice skip") == "Nothing plays on this server: start with /play or /jam."
    missing = await fake.slash("play", riff="f" * 24 + "-0")
    await fake.until(lambda: missing.said, "a refusal")
    assert missing.said == [f"There is no loop {'f' * 24}-0."]
    assert fake.voice.lines == []

    # Who is elsewhere has no say; a button in direct messages has no channel to go to.
    message = await shown(fake, await fake.slash("play", riff=loop.id))
    await fake.voice.plays(0.2)
    eve = User("eve")
    await fake.voice.join(eve, other)
    elsewhere = "The music plays in jam room: join that channel to have a say in it."
    assert await refused("play", user=eve) == elsewhere
    assert await refused("voice volume", percent=0, user=eve) == elsewhere
    pressed = await fake.answered(await fake.press(message, message.custom_id("voice:stop"), user=eve))
    assert pressed.said == [elsewhere]
    gone = User("gone")
    assert await refused("voice stop", user=gone) == join_first
    assert message.embeds[0]["footer"]["text"].startswith("Volume 50 %")
    assert (await fake.voice.plays(0.2)).speaking == [0, 1]
    # Where nobody listens any more the bot comes along.
    await fake.voice.leave(fake.user)
    await fake.voice.leave(spanish)
    await shown(fake, await fake.slash("play", riff=loop.id, user=eve))
    assert (await fake.voice.plays(0.2)).channel is other
    assert message.content == "The music is over."


@sqlite_only
async def test_it_leaves_when_it_is_alone_and_when_it_is_thrown_out(
    fake: FakeDiscord, start_bot: StartBot, room: Channel, shelf: Shelf
) -> None:
    loop = await shelf.loop(1)
    await fake.voice.join(fake.user, room)
    await start_bot(RIFF_VOICE_ALONE_SECONDS="1")
    message = await shown(fake, await fake.slash("play", riff=loop.id))
    await fake.voice.plays(0.2)
    eve, radio = User("eve"), User("radio", bot=True)
    await fake.voice.join(radio, room)
    await fake.voice.leave(fake.user)
    await fake.voice.join(eve, room)
    line = await fake.voice.plays(1.5)
    assert fake.voice.where(fake.bot) == room.id
    # Another bot does not listen.
    await fake.voice.leave(eve)
    await fake.until(lambda: fake.voice.where(fake.bot) is None, "the bot out of the channel")
    await fake.until(lambda: message.content, "the end in the message")
    assert message.content == "Everybody left, so I left too."
    require_whole(line)

    await fake.voice.join(fake.user, room)
    message = await shown(fake, await fake.slash("play", riff=loop.id))
    await fake.voice.plays(0.2)
    await fake.voice.throw_out()
    await fake.until(lambda: message.content, "the end in the message")
    assert message.content == "The music is over."
    refused = await fake.answered(await fake.slash("voice skip"))
    assert refused.said == ["Nothing plays on this server: start with /play or /jam."]

    # A voice server that goes away is found again, and the loop goes on.
    message = await shown(fake, await fake.slash("play", riff=loop.id))
    before = await fake.voice.plays(0.2)
    await fake.voice.crash()
    await fake.until(lambda: fake.voice.line is not before, "another connection")
    line = await fake.voice.plays(2.5)
    wanted = simulated(shelf.track(loop))
    best = max(likeness(line.heard()[:RATE], wanted[at : at + RATE]) for at in range(0, RATE, FRAME))
    assert best > 0.9
    assert message.content == ""


async def test_the_newest_loop_of_a_channel_is_the_last_that_arrived_there(
    fake: FakeDiscord, database: Database, shelf: Shelf
) -> None:
    older, newer, open_yet, elsewhere = [await shelf.loop(seed) for seed in (1, 2, 3, 4)]
    states = (
        (older, 7, "delivered"),
        (newer, 7, "delivered"),
        (open_yet, 7, "open"),
        (elsewhere, 8, "delivered"),
    )
    async with database.write() as session:
        for loop, channel_id, state in states:
            session.add(
                Delivery(
                    riff_id=loop.riff_id,
                    state=state,
                    application_id=1,
                    token_expires_at=loop.created_at,
                    channel_id=channel_id,
                    user_id=fake.user.id,
                    filesize_limit=1,
                )
            )
    async with database.read() as session:
        assert await repository.newest_in_channel(session, 7) == newer.id
        assert await repository.newest_in_channel(session, 8) == elsewhere.id
        assert await repository.newest_in_channel(session, 9) is None
