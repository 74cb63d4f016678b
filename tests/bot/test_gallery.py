"""What gets enough stars hangs in the gallery, once, whatever breaks on the way."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import sqlalchemy as sa

from generation.request import RiffRequest
from market.accounts import service as accounts
from market.db import Database
from market.guilds import service as guilds
from market.guilds.models import GalleryPost
from market.models import Identity
from tests.bot.processes import StartBot, arrived, orders, sqlite_only
from tests.conftest import until
from tests.fakes.discord import Channel, FakeDiscord, Message, User
from tests.fakes.discord.server import PATIENCE

SHORT: dict[str, Any] = {"bars": 1, "bpm": 200, "seed": 3}
STAR = "⭐"


async def gallery_of(fake: FakeDiscord, database: Database, **parts: object) -> Channel:
    """A channel of the server that is its gallery, from two stars on."""
    gallery = fake.add_channel(Channel(fake.guild, name="gallery"))
    fake.guild.channels.append(gallery)
    async with database.write() as session:
        by = await accounts.create(session, "local:mo", "Mo")
        parts = {"gallery_channel": gallery.id, "gallery_stars": 2} | parts
        await guilds.change(session, fake.guild.id, by, **parts)
    return gallery


async def rows(database: Database) -> list[tuple[str, int, int | None]]:
    """The places in the gallery: state, stars, message."""
    async with database.read() as session:
        found = await session.scalars(sa.select(GalleryPost))
        return [(row.state, row.stars, row.message_id) for row in found]


def state_of(database: Database) -> Callable[[], Awaitable[str]]:
    async def look() -> str:
        return " ".join(state for state, _, _ in await rows(database))

    return look


async def stars(fake: FakeDiscord, message: Message, *names: str) -> None:
    """Several people give a message a star at the same moment."""
    await asyncio.gather(*(fake.react(message, STAR, User(name)) for name in names))


async def hung(fake: FakeDiscord, gallery: Channel) -> Message:
    """Wait for the one message in the gallery."""
    await fake.until(lambda: gallery.messages, "a message in the gallery")
    [message] = gallery.messages.values()
    return message


async def test_enough_stars_bring_a_riff_into_the_gallery_once(
    fake: FakeDiscord, start_bot: StartBot, database: Database, working: None
) -> None:
    gallery = await gallery_of(fake, database)
    await start_bot()
    made = await arrived(fake, await fake.slash("riff", prompt="church *bells*", **SHORT))
    async with asyncio.timeout(PATIENCE):
        await fake.react(made, STAR, fake.user)
        await fake.react(made, "🎉", User("dot"))
        await stars(fake, made, "bob")
        # Their maker's own star is not counted: these are looked at before the next.
        await fake.until(lambda: [r for r in fake.requests if "/reactions/" in r.path], "the stars counted")
        assert await rows(database) == []
        await stars(fake, made, "cy", "eve")
    message = await hung(fake, gallery)
    await until(state_of(database), lambda state: state == "posted", PATIENCE)

    origin = f"https://discord.com/channels/{fake.guild.id}/{fake.channel.id}/{made.id}"
    [embed] = message.embeds
    assert message.content.endswith(f" · <#{fake.channel.id}>")
    assert embed["description"] == (f"**church \\*bells\\***\nBy <@{fake.user.id}> · [Go to it]({origin})")
    assert embed["image"] == {"url": "attachment://spectrogram.png"}
    request = RiffRequest.parse(prompt="church *bells*", **SHORT)
    assert list(message.files) == [f"{request.name}.mp3", "spectrogram.png"]
    assert message.files[f"{request.name}.mp3"] == made.files[f"{request.name}.mp3"]
    assert message.custom_ids == []

    edits = len(message.versions)
    await stars(fake, made, "fay", "gus", "hal", "ian")
    await fake.until(lambda: message.content.startswith(f"{STAR} **7** "), "all stars said")
    assert len(message.versions) - edits <= 2
    await until(state_of(database), lambda state: state == "posted", PATIENCE)
    assert await rows(database) == [("posted", 7, message.id)]

    # What a moderator takes off stays off.
    fake.forget(message)
    await stars(fake, made, "joy")
    await until(state_of(database), lambda state: state == "gone", PATIENCE)
    await stars(fake, made, "kim")
    second = await arrived(fake, await fake.slash("riff", prompt="strings", **SHORT))
    await stars(fake, second, "bob", "cy")
    assert (await hung(fake, gallery)).embeds[0]["description"].startswith("**strings**")
    assert len(await orders(database)) == 2


@sqlite_only
async def test_a_kill_between_the_row_and_the_message_neither_loses_nor_doubles_it(
    fake: FakeDiscord, start_bot: StartBot, database: Database, working: None
) -> None:
    gallery = await gallery_of(fake, database)
    bot = await start_bot()
    for number, after in enumerate((False, True), 1):
        made = await arrived(fake, await fake.slash("riff", prompt=f"bells {number}", **SHORT))
        posting = fake.hold("POST", f"/channels/{gallery.id}/messages", after=after)
        await stars(fake, made, "bob", "cy")
        await fake.until(lambda posting=posting: posting.holding, "a message on its way")
        await bot.kill()
        await fake.offline()
        assert [state for state, _, _ in await rows(database)] == ["posted"] * (number - 1) + ["open"]
        assert len(gallery.messages) == (number if after else number - 1)

        bot = await start_bot()
        await until(state_of(database), lambda state: "open" not in state, PATIENCE)
        fake.release(posting)
        assert len(gallery.messages) == number
    ids = {message_id for _, _, message_id in await rows(database)}
    assert ids == set(gallery.messages)


@sqlite_only
async def test_what_is_refused_is_tried_again_and_what_leaves_leaves(
    fake: FakeDiscord, start_bot: StartBot, database: Database, working: None
) -> None:
    gallery = await gallery_of(fake, database, gallery_stars=1, spoiler=True, language="es")
    bedroom = fake.add_channel(Channel(fake.guild, name="bedroom", nsfw=True))
    fake.guild.channels.append(bedroom)
    bot = await start_bot()
    made = await arrived(fake, await fake.slash("riff", prompt="bells", **SHORT))
    lost = await arrived(fake, await fake.slash("riff", prompt="lost bells", **SHORT))
    rude = await arrived(fake, await fake.slash("riff", prompt="rude bells", channel=bedroom, **SHORT))

    # Neither a message that is gone nor what was made behind an age gate comes before everybody.
    fake.forget(lost)
    await stars(fake, lost, "bob")
    await stars(fake, rude, "bob")
    path = f"/channels/{lost.channel.id}/messages/{lost.id}"
    await fake.until(lambda: [r for r in fake.requests if r.path == path and r.status == 404], "it is gone")
    refused = fake.fail("POST", f"/channels/{gallery.id}/messages", 403, code=50013)
    await stars(fake, made, "bob")
    message = await hung(fake, gallery)
    assert refused.hits == 1
    await until(state_of(database), lambda state: state == "posted", PATIENCE)
    assert message.embeds[0]["description"].splitlines()[0] == "||**bells**||"
    assert (
        message.embeds[0]["description"].splitlines()[1].startswith(f"De <@{fake.user.id}> · [Ir al riff](")
    )
    assert "image" not in message.embeds[0]
    assert [name.partition("_")[0] for name in message.files] == ["SPOILER", "SPOILER"]

    # Whoever leaves takes what they made with them, also while the bot is away.
    assert await bot.stop() == 0
    await fake.offline()
    async with database.write() as session:
        subject = f"discord:{fake.user.id}"
        account_id = await session.scalar(sa.select(Identity.account_id).where(Identity.subject == subject))
        assert account_id is not None
        account = await accounts.get(session, account_id)
        await accounts.delete(session, account.id, account.handle)
    await start_bot()
    await fake.until(lambda: not gallery.messages, "the gallery empty")
    await until(state_of(database), lambda state: state == "gone", PATIENCE)
