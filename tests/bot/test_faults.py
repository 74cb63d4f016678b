"""What Discord and the network do to a bot, and what people see of it: nothing, or a sentence."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from market.db import Database
from market.studio import repository as studio_rows
from market.studio.models import RiffOrder
from tests.bot.processes import (
    StartBot,
    arrived,
    closed,
    deliveries,
    ended,
    is_finished,
    order_all_that_one_may,
    orders,
    owner_of,
    placed,
    sqlite_only,
)
from tests.conftest import StartWorker, until
from tests.fakes.discord import Channel, FakeDiscord, Guild, Interaction, User
from tests.fakes.discord.world import Version

pytestmark = sqlite_only

SHORT: dict[str, Any] = {"bars": 1, "bpm": 200}
CALLBACK = "/callback$"


async def test_the_first_answer_survives_what_happens_to_it(
    fake: FakeDiscord, start_bot: StartBot, worker: StartWorker, database: Database
) -> None:
    """Each fault meets the answer to one person's riff; every riff arrives all the same."""
    await start_bot()
    lost: dict[str, Interaction] = {}
    expected = {
        "limited": [429, 200],
        "broken": [502, 200],
        "cut before": [499, 200],
        "cut after": [499, 400],
        "too late": [404],
    }
    for name, statuses in expected.items():
        if name.startswith("cut"):
            fake.cut("POST", CALLBACK, after=name == "cut after")
        else:
            fake.fail("POST", CALLBACK, statuses[0], code=10062 if name == "too late" else 0)
        lost[name] = await fake.slash("riff", prompt=name, user=User(name), **SHORT)
        await fake.until(partial(was_answered, fake, lost[name], statuses), name)
    # The gateway sends again what it thinks was not heard, while the first answer is still under way.
    held = fake.hold("POST", CALLBACK, after=True)
    lost["twice"] = await fake.slash("riff", prompt="twice", user=User("twice"), **SHORT)
    await fake.until(lambda: held.holding, "an answer on its way back")
    await fake.resend(lost["twice"])
    fake.release(held)
    await fake.until(partial(was_answered, fake, lost["twice"], [200, 400]), "a second answer")

    worker()
    too_late = lost.pop("too late")
    for name, interaction in lost.items():
        message = await arrived(fake, interaction)
        assert message.versions[0].embeds[0]["description"].startswith(f"**{name}**\n⏳"), name
        assert interaction.followups == []
    for row in (await deliveries(database)).values():
        assert (await closed(database, row.riff_id)).state == "delivered"
    assert too_late.response is None
    [told] = [message for message in fake.channel.messages.values() if message.content]
    assert told.content == f"<@{too_late.user.id}>"
    assert is_finished(told)
    assert len(fake.channel.messages) == len(lost) + 1 == len(await orders(database))


async def test_a_slow_answer_is_waited_for_and_nothing_older_covers_the_result(
    fake: FakeDiscord, start_bot: StartBot, worker: StartWorker, database: Database
) -> None:
    await start_bot()
    slow = fake.hold("POST", CALLBACK)
    interaction = await fake.slash("riff", prompt="bells", **SHORT)
    await fake.until(lambda: slow.holding, "the answer on its way")
    worker()
    [order] = await until(lambda: orders(database), bool)
    assert (await ended(database, order.id)).status == "done"
    # The order is older than what another process would be given for its answer.
    async with database.write() as session:
        await session.execute(sa.update(RiffOrder).values(created_at=datetime.now(UTC) - timedelta(hours=1)))
    await arrived(fake, await fake.slash("riff", prompt="meanwhile", user=User("bob"), **SHORT))
    assert interaction.response is None
    fake.release(slow)
    await arrived(fake, interaction)
    assert len(fake.edits(interaction)) == 1

    edit = fake.hold("PATCH", "@original$", text="riff-cancel:")
    second = await fake.slash("riff", prompt="strings", bars=16, bpm=160, takes=2)
    await fake.until(lambda: edit.holding, "a picture on its way")
    riff_id = (await orders(database))[-1].id
    assert (await ended(database, riff_id)).status == "done"
    fake.release(edit)
    message = await arrived(fake, second)
    await closed(database, riff_id)
    assert [is_result(version) for version in message.versions[-2:]] == [False, True]
    assert sum(map(is_result, message.versions)) == 1


async def test_riffs_arrive_over_reconnects_of_every_kind(
    fake: FakeDiscord, start_bot: StartBot, worker: StartWorker, database: Database
) -> None:
    bot = await start_bot()
    first = await fake.slash("riff", prompt="a network that breaks", **SHORT)
    await fake.gateway.drop()
    missed = await fake.slash("riff", prompt="said while nobody listened", **SHORT)
    await fake.answered(missed)
    assert fake.gateway.resumed == 1
    await fake.gateway.ask_to_reconnect()
    await fake.until(lambda: fake.gateway.resumed == 2, "a resume that was asked for")
    fake.gateway.forget_sessions()
    worker()
    await fake.gateway.drop()
    await fake.until(lambda: len(fake.gateway.identified) == 2, "a new session")
    for interaction in (first, missed, await fake.slash("riff", prompt="after all that", **SHORT)):
        await arrived(fake, interaction)
    for row in (await deliveries(database)).values():
        assert (await closed(database, row.riff_id)).state == "delivered"
    assert len(fake.channel.messages) == 3
    assert await bot.stop() == 0


async def test_a_channel_that_is_closed_to_the_bot_is_named_with_what_to_tick(
    fake: FakeDiscord, start_bot: StartBot, worker: StartWorker, database: Database
) -> None:
    await start_bot()
    closed_channel = fake.add_channel(Channel(fake.guild))
    interaction = await fake.slash("riff", prompt="bells", channel=closed_channel, **SHORT)
    await placed(fake, interaction)
    interaction.expired = True
    fake.fail("POST", rf"^/channels/{closed_channel.id}/messages$", 403, code=50013)
    worker()
    [row] = (await deliveries(database)).values()
    assert (await closed(database, row.riff_id)).state == "delivered"
    [message] = fake.dm(fake.user).messages.values()
    assert message.content == (
        f"<@{fake.user.id}> I may not post in <#{closed_channel.id}>: whoever runs that server can allow me "
        "“View Channels”, “Send Messages”, “Send Messages in Threads”, “Embed Links” and “Attach Files” there."
    )
    assert is_finished(message)


async def test_an_order_that_takes_long_and_is_refused_leaves_nothing_but_a_sentence(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    await start_bot()
    await order_all_that_one_may(database, fake.user)
    owner = await owner_of(database, fake.user)
    async with database.write() as session:
        # Whoever writes on SQLite holds up all others; on PostgreSQL an owner's orders take turns.
        await session.execute(sa.select(1))
        await studio_rows.lock(session, owner)
        slow = await fake.slash("riff", prompt="one too many")
        await fake.answered(slow)
        assert slow.response == {"type": 5}
    await fake.until(lambda: slow.followups, "a sentence")
    assert slow.said == ["You have 8 unfinished riffs already: wait for one of them or cancel it."]
    assert slow.message is not None
    assert slow.message.deleted
    assert fake.channel.messages.keys() == {message.id for message in slow.followups}
    assert await deliveries(database) == {}


async def test_where_the_bot_is_no_member_the_answer_is_edited_while_it_can_be(
    fake: FakeDiscord, start_bot: StartBot, worker: StartWorker, database: Database
) -> None:
    elsewhere = fake.add_channel(Channel(Guild("Elsewhere", has_bot=False)))
    await start_bot()
    interaction = await fake.slash("riff", prompt="bells", channel=elsewhere, **SHORT)
    worker()
    message = await arrived(fake, interaction)
    [row] = (await deliveries(database)).values()
    assert (await closed(database, row.riff_id)).message_id == message.id
    assert interaction.followups == []
    assert list(elsewhere.messages) == [message.id]


def answers_to(fake: FakeDiscord, interaction: Interaction) -> list[int]:
    """How Discord took the first answers to an interaction."""
    path = f"{interaction.token}/callback"
    return [request.status for request in fake.requests if request.path.endswith(path)]


def was_answered(fake: FakeDiscord, interaction: Interaction, statuses: list[int]) -> bool:
    return answers_to(fake, interaction) == statuses


def is_result(version: Version) -> bool:
    """Whether a message held finished loops at some time."""
    return any(
        "riff:keep:" in item.get("custom_id", "") for row in version.components for item in row["components"]
    )
