"""kill -9 of the bot or of a worker at eleven named points: what was accepted arrives, and arrives once."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.models import Delivery
from market.db import Database
from market.storage import Storage
from market.studio import repository, service
from market.studio.models import RiffEvent, RiffOrder
from tests.bot.processes import StartBot, arrived, closed, deliveries, is_finished, orders, owner_of, placed
from tests.conftest import StartWorker, until
from tests.fakes.discord import Channel, FakeDiscord, Guild, Interaction, User

SHORT: dict[str, Any] = {"bars": 1, "bpm": 200}
LONG: dict[str, Any] = {"bars": 8, "bpm": 160, "takes": 2}


async def test_the_bot_is_killed_around_the_first_answer(
    fake: FakeDiscord, start_bot: StartBot, worker: StartWorker, database: Database
) -> None:
    bot = await start_bot()
    queued = await asked(fake, "in the queue")
    await placed(fake, queued)
    unsent = fake.hold("POST", "/callback$", lost=True)
    never_sent = await asked(fake, "order committed, answer not sent")
    await fake.until(lambda: unsent.holding, "the first answer on its way")
    unheard = fake.hold("POST", "/callback$", after=True)
    reply_lost = await asked(fake, "answer carried out, reply lost")
    await fake.until(lambda: unheard.holding, "the second answer carried out")
    late = fake.hold("POST", "/callback$", after=True)
    not_recorded = await asked(fake, "answered, message id not recorded")
    await fake.until(lambda: late.holding, "the third answer carried out")
    received = User("received")
    owner = await owner_of(database, received)
    rows = await until(
        lambda: rows_of(database), lambda rows: len(rows) == 4 and rows["in the queue"].message_id
    )

    async with database.write() as session:
        # On SQLite nobody else writes now; on PostgreSQL neither a new order of this person nor that row.
        await repository.lock(session, owner)
        riff_id = rows["answered, message id not recorded"].riff_id
        await session.execute(sa.select(Delivery).where(Delivery.riff_id == riff_id).with_for_update())
        fake.release(late)
        unwritten = await asked(fake, "interaction received, nothing written", received)
        await fake.until(lambda: unwritten.response, "a sign that the bot is at work")
        await bot.kill()
    await fake.offline()
    for held in (unsent, unheard):
        fake.release(held)
    kept = await rows_of(database)
    assert kept.keys() == rows.keys()
    assert {prompt for prompt, row in kept.items() if row.message_id} == {"in the queue"}

    # The bot that comes next is killed while an edit of the queue's place is on its way, which Discord still takes.
    late_edit = fake.hold("PATCH", f"{queued.token}/messages/@original$")
    bot = await start_bot()
    await fake.until(lambda: late_edit.holding, "an edit on its way")
    await bot.kill()
    await fake.offline()
    fake.release(late_edit)

    worker()
    await start_bot()
    for interaction in (queued, reply_lost, not_recorded):
        await arrived(fake, interaction)
    for row in kept.values():
        assert (await closed(database, row.riff_id)).state == "delivered"
    results = {
        prompt_of(message): message for message in fake.channel.messages.values() if is_finished(message)
    }
    assert results.keys() == kept.keys()
    assert results["order committed, answer not sent"].content == f"<@{never_sent.user.id}>"
    assert len(fake.channel.messages) == len(kept) + 1
    assert unwritten.message is not None
    assert unwritten.message.loading
    assert len(await orders(database)) == len(kept)


async def test_the_bot_is_killed_around_the_result(
    fake: FakeDiscord, start_bot: StartBot, worker: StartWorker, database: Database
) -> None:
    elsewhere = fake.add_channel(Channel(Guild("Elsewhere", has_bot=False)))
    bot = await start_bot()
    edited = await asked(fake, "result edit carried out, not recorded")
    posted = await asked(fake, "result posted into the channel, not recorded")
    told = await asked(fake, "result sent to the person, not recorded", channel=elsewhere)
    for interaction in (edited, posted, told):
        await placed(fake, interaction)
    posted.expired = told.expired = True
    direct = fake.dm(told.user)
    held = [
        fake.hold("PATCH", edited.token, after=True, text="riff:keep:"),
        fake.hold("POST", rf"^/channels/{fake.channel.id}/messages$", after=True),
        fake.hold("POST", rf"^/channels/{direct.id}/messages$", after=True),
    ]
    worker()
    await fake.until(lambda: all(fault.holding for fault in held), "all results on their way back")
    await bot.kill()
    await fake.offline()
    assert {row.state for row in (await deliveries(database)).values()} == {"open"}
    for fault in held:
        fake.release(fault)
    # Discord remembers a nonce for minutes, and a bot may be away for longer.
    for message in (*fake.channel.messages.values(), *direct.messages.values()):
        message.nonce = None

    await start_bot()
    for prompt, row in (await rows_of(database)).items():
        assert (await closed(database, row.riff_id)).state == "delivered", prompt
    rows = await deliveries(database)
    results = [message for message in fake.channel.messages.values() if is_finished(message)]
    assert sorted(map(prompt_of, results)) == [
        "result edit carried out, not recorded",
        "result posted into the channel, not recorded",
    ]
    [message] = direct.messages.values()
    assert {message.id, *(result.id for result in results)} == {row.message_id for row in rows.values()}
    assert len(fake.channel.messages) == 2


async def test_a_worker_is_killed(
    fake: FakeDiscord, start_bot: StartBot, worker: StartWorker, database: Database, storage: Storage
) -> None:
    """Once while it makes a riff, once when its files are kept and its row is not written."""
    await start_bot()
    interaction = await fake.slash("riff", prompt="riff running, files kept", **LONG)
    await placed(fake, interaction)
    [order] = await orders(database)
    first = worker()
    await until(lambda: progress(database, order.id), lambda told: told > 0)
    first.kill()

    told = await progress(database, order.id)
    second = worker()
    await until(lambda: progress(database, order.id), lambda seen: seen > told)
    files = Path(storage.place)
    async with database.write() as session:
        await repository.locked(session, order.id)
        await until(lambda: asyncio.to_thread(sounds, files), lambda found: len(found) == LONG["takes"])
        second.kill()
    assert (await orders(database))[0].status == "running"

    worker()
    message = await arrived(fake, interaction)
    assert (await closed(database, order.id)).state == "delivered"
    assert list(fake.channel.messages) == [message.id]
    assert len([name for name in message.files if name.endswith(".mp3")]) == LONG["takes"]
    async with database.read() as session:
        assert len((await service.get(session, order.id)).loops) == LONG["takes"]


async def asked(
    fake: FakeDiscord, prompt: str, user: User | None = None, channel: Channel | None = None
) -> Interaction:
    """A riff that somebody of their own asks for, with the point at which the bot is killed as its prompt."""
    name = prompt.replace(" ", "").replace(",", "")[:32]
    return await fake.slash("riff", prompt=prompt, user=user or User(name), channel=channel, **SHORT)


def prompt_of(message: Any) -> str:
    """What a finished riff was asked for with."""
    words: str = message.embeds[0]["description"].splitlines()[0]
    return words.strip("*")


async def rows_of(database: Database) -> Mapping[str, Delivery]:
    """The deliveries by the prompts of their riffs."""
    rows = await deliveries(database)
    return {order.request["prompt"]: rows[order.id] for order in await orders(database)}


async def progress(database: Database, riff_id: str) -> int:
    """How often a worker has told how far a riff is."""
    async with database.read() as session:
        query = sa.select(sa.func.count()).where(RiffEvent.riff_id == riff_id)
        running = (
            await session.scalar(sa.select(RiffOrder.status).where(RiffOrder.id == riff_id)) == "running"
        )
        return (await session.scalar(query) or 0) - 1 if running else 0


def sounds(folder: Path) -> list[Path]:
    return list(folder.glob("loops/*/*.wav"))
