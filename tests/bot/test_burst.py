"""Many people at once, while a worker computes."""

from market.db import Database
from tests.bot.processes import StartBot, arrived, deliveries, orders, sqlite_only
from tests.conftest import StartWorker, until
from tests.fakes.discord import FakeDiscord, Interaction, User
from tests.fakes.discord.server import ANSWER_WITHIN

PEOPLE = 12


@sqlite_only
async def test_all_of_a_burst_is_answered_in_time(
    fake: FakeDiscord, start_bot: StartBot, worker: StartWorker, database: Database
) -> None:
    await start_bot()
    worker().ready()
    loop = await arrived(fake, await fake.slash("riff", prompt="bells", bars=1, bpm=200))
    fake.answer_within = ANSWER_WITHIN
    burst: list[Interaction] = []
    for number in range(PEOPLE):
        user = User(f"person{number}")
        burst += [
            await fake.slash("riff", prompt="strings", user=user, bars=1, bpm=200),
            await fake.autocomplete("riff", "key", user=user, prompt="strings", key="a"),
            await fake.press(loop, loop.custom_id("riff:again:"), user=user),
            await fake.press(loop, loop.custom_id("riff:edit:"), user=user),
        ]
    for interaction in burst:
        await fake.answered(interaction)
    assert max(interaction.answered_after or 0.0 for interaction in burst) < ANSWER_WITHIN
    # Some were answered before their order was written.
    await until(lambda: orders(database), lambda found: len(found) == 1 + 2 * PEOPLE)
    assert len(await deliveries(database)) == 1 + 2 * PEOPLE
