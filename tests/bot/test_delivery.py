"""What was ordered arrives, once, whatever breaks on the way."""

import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import soundfile
import sqlalchemy as sa

from bot.models import Delivery
from market.db import Database
from tests.bot.processes import (
    StartBot,
    arrived,
    closed,
    deliveries,
    ended,
    fields,
    is_finished,
    orders,
    placed,
    sqlite_only,
)
from tests.conftest import StartWorker
from tests.fakes.discord import Channel, FakeDiscord, Guild, Interaction, User

EDIT = r"/messages/@original$"
POST = r"^/channels/\d+/messages$"
SHORT: dict[str, Any] = {"bars": 1, "bpm": 200}


async def riff_of(fake: FakeDiscord, database: Database, interaction: Interaction) -> str:
    """Wait until the order of an interaction is in the database; the riff's id."""
    await placed(fake, interaction)
    return next(
        row.riff_id
        for row in (await deliveries(database)).values()
        if row.interaction_token == interaction.token
    )


async def test_a_bot_that_is_killed_before_the_riff_is_done_delivers_it_once_when_it_is_back(
    fake: FakeDiscord, start_bot: StartBot, worker: StartWorker, database: Database
) -> None:
    bot = await start_bot()
    interaction = await fake.slash("riff", prompt="bells", **SHORT)
    riff_id = await riff_of(fake, database, interaction)
    await bot.kill()
    await fake.offline()

    worker()
    assert (await ended(database, riff_id)).status == "done"
    before = len(fake.edits(interaction))
    await start_bot()
    message = await arrived(fake, interaction)
    assert (await closed(database, riff_id)).state == "delivered"
    assert len(fake.edits(interaction)) == before + 1
    assert list(fake.channel.messages) == [message.id]


async def test_a_bot_that_is_killed_between_posting_and_noting_it_posts_no_second_message(
    fake: FakeDiscord, start_bot: StartBot, worker: StartWorker, database: Database
) -> None:
    bot = await start_bot()
    interaction = await fake.slash("riff", prompt="bells", **SHORT)
    riff_id = await riff_of(fake, database, interaction)
    interaction.expired = True
    posting = fake.hold("POST", POST, after=True)
    worker()
    await fake.until(lambda: posting.holding, "a message in the channel")
    await bot.kill()
    assert (await deliveries(database))[riff_id].state == "open"

    fake.release(posting)
    await start_bot()
    row = await closed(database, riff_id)
    assert row.state == "delivered"
    assert list(fake.channel.messages) == [row.message_id]


async def test_when_the_message_can_no_longer_be_edited_the_result_is_one_of_its_own(
    fake: FakeDiscord, start_bot: StartBot, worker: StartWorker, database: Database
) -> None:
    await start_bot()
    lost: dict[str, Interaction] = {}
    riffs: dict[str, str] = {}
    for case in ("expired", "too old", "deleted"):
        user, channel = User(case.replace(" ", "")), fake.add_channel(Channel(fake.guild))
        lost[case] = await fake.slash("riff", prompt=case, user=user, channel=channel, **SHORT)
        riffs[case] = await riff_of(fake, database, lost[case])
    lost["expired"].expired = True
    async with database.write() as session:
        past = sa.update(Delivery).where(Delivery.riff_id == riffs["too old"])
        await session.execute(past.values(token_expires_at=datetime.now(UTC) - timedelta(minutes=1)))
    assert lost["deleted"].message is not None
    fake.forget(lost["deleted"].message)
    edits_of_old = len(fake.edits(lost["too old"]))

    worker()
    for case, interaction in lost.items():
        row = await closed(database, riffs[case])
        assert (row.state, row.interaction_token) == ("delivered", None)
        assert interaction.message is not None
        assert interaction.message.deleted
        [message] = interaction.channel.messages.values()
        assert message.id == row.message_id
        assert message.content == f"<@{interaction.user.id}>"
        assert [name.rsplit(".", 1)[1] for name in message.files] == ["mp3", "png"]
        assert is_finished(message)
    assert len(fake.edits(lost["too old"])) == edits_of_old
    posts = [
        request.body
        for request in fake.requests
        if re.search(POST, request.path) and request.method == "POST"
    ]
    mentioned = {post["allowed_mentions"]["users"][0] for post in posts}
    assert mentioned == {interaction.user.id for interaction in lost.values()}


async def test_where_the_bot_is_no_member_the_result_goes_to_the_person(
    fake: FakeDiscord, start_bot: StartBot, worker: StartWorker, database: Database
) -> None:
    elsewhere = fake.add_channel(Channel(Guild("Elsewhere", has_bot=False)))
    bob, eve = User("bob"), User("eve")
    fake.closed_to_messages.add(eve)
    await start_bot()
    riffs = {}
    for user in (bob, eve):
        interaction = await fake.slash("riff", prompt="bells", user=user, channel=elsewhere, **SHORT)
        riffs[user] = await riff_of(fake, database, interaction)
        interaction.expired = True
    worker()

    assert (await closed(database, riffs[bob])).state == "delivered"
    [message] = fake.dm(bob).messages.values()
    assert message.content == f"<@{bob.id}>"
    assert is_finished(message)
    row = await closed(database, riffs[eve])
    assert (row.state, row.interaction_token) == ("undeliverable", None)
    assert row.last_error is not None
    assert "50007" in row.last_error
    assert fake.dm(eve).messages == {}


async def test_errors_of_discord_are_retried_and_hold_up_nobody_else(
    fake: FakeDiscord, start_bot: StartBot, worker: StartWorker, database: Database
) -> None:
    await start_bot()
    first = await fake.slash("riff", prompt="bells", **SHORT)
    riff_id = await riff_of(fake, database, first)
    path = f"{first.token}{EDIT}"
    failing = [fake.fail("PATCH", path, 500, times=2), fake.cut("PATCH", path), fake.fail("PATCH", path, 429)]
    stuck = fake.hold("PATCH", path)
    worker()
    await fake.until(lambda: stuck.holding, "the first riff stuck")
    assert [fault.hits for fault in failing] == [2, 1, 1]

    second = await fake.slash("riff", prompt="strings", **SHORT)
    await arrived(fake, second)
    assert first.message is not None
    assert not is_finished(first.message)
    fake.release(stuck)
    await arrived(fake, first)
    assert (await closed(database, riff_id)).state == "delivered"
    assert len(fake.channel.messages) == 2


async def test_a_riff_that_cannot_be_made_ends_with_its_sentence(
    fake: FakeDiscord, start_bot: StartBot, worker: StartWorker, database: Database
) -> None:
    await start_bot()
    interaction = await fake.slash("riff", prompt="*bells*", **SHORT)
    riff_id = await riff_of(fake, database, interaction)
    worker(model=Path("/there/is/no/model"))
    assert (await closed(database, riff_id)).state == "delivered"
    [order] = await orders(database)
    message = interaction.message
    assert message is not None
    assert (order.status, message.embeds, message.components, message.files) == ("failed", [], [], {})
    assert message.content == f"**\\*bells\\***\n{order.error}"


async def test_who_ordered_a_riff_and_nobody_else_takes_it_back(
    fake: FakeDiscord, start_bot: StartBot, database: Database
) -> None:
    await start_bot()
    interaction = await fake.slash("riff", prompt="bells")
    message = await placed(fake, interaction)
    button = message.custom_id("riff-cancel:")
    riff_id = button.removeprefix("riff-cancel:")

    others = await fake.press(message, button, user=User("bob"))
    await fake.until(lambda: others.said, "a refusal")
    assert others.said == ["This riff was asked for by somebody else: only they can cancel it."]
    assert (await orders(database))[0].status == "queued"

    own = await fake.press(message, button)
    await fake.until(lambda: own.said, "a confirmation")
    assert own.said == ["This riff was cancelled."]
    assert (await closed(database, riff_id)).state == "delivered"
    assert (message.content, message.embeds, message.components) == (
        "**bells**\nThis riff was cancelled.",
        [],
        [],
    )
    assert (await orders(database))[0].status == "cancelled"


@sqlite_only
async def test_audio_is_made_to_fit_and_what_cannot_is_linked(
    fake: FakeDiscord, start_bot: StartBot, worker: StartWorker, database: Database
) -> None:
    await start_bot(RIFF_PUBLIC_URL="https://riffs.example")
    worker()
    options: dict[str, Any] = {"prompt": "bells", "bars": 2, "bpm": 120, "seed": 1}
    whole = await arrived(fake, await fake.slash("riff", **options))
    [name] = [name for name in whole.files if name.endswith(".mp3")]
    size = len(whole.files[name])

    # Opus where the MP3 has no room, with its credentials beside it, and MP3 at a low bit rate where Opus has none.
    opus = name.replace(".mp3", ".ogg")
    sizes = [size]
    for share, audio, subtype in ((0.99, opus, "OPUS"), (0.75, opus, "OPUS"), (0.5, name, "MPEG_LAYER_III")):
        limit = int(share * size)
        lower = await arrived(fake, await fake.slash("riff", filesize_limit=limit, **options))
        assert [file for file in lower.files if not file.endswith(".png")] == [audio, f"{audio}.c2pa"][
            : 2 if audio == opus else 1
        ]
        assert soundfile.info(io.BytesIO(lower.files[audio])).subtype == subtype
        assert len(lower.files[audio]) <= limit
        assert "Audio" not in fields(lower)
        sizes.append(len(lower.files[audio]))
    assert sizes == sorted(set(sizes), reverse=True)

    linked = await arrived(fake, await fake.slash("riff", filesize_limit=9_000, **options))
    assert linked.files == {}
    loop_id = linked.custom_id("riff:keep:").removeprefix("riff:keep:")
    link = f"https://riffs.example/v1/loops/{loop_id}/audio.mp3"
    assert fields(linked)["Audio"] == f"Too large for this server: [listen here]({link})."

    surprised = await fake.slash("riff", **options)
    surprised.filesize_limit = 1_000  # less than Discord had promised
    refused = await arrived(fake, surprised)
    assert (refused.files, "image" in refused.embeds[0]) == ({}, False)
