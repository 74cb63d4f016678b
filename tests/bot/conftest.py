"""A Discord of our own, and the bot and the worker as processes."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from market.settings import Settings
from tests.bot.processes import BotProcess, StartBot
from tests.conftest import ROOT, StartWorker, environment_of
from tests.fakes.discord import Channel, FakeDiscord, Specification
from tests.fakes.discord.server import PATIENCE
from tests.forked import ForkedProcess
from tests.market.catalog.conftest import shop as shop
from tests.market.conftest import http as http


@pytest.fixture
async def fake() -> AsyncIterator[FakeDiscord]:
    """Discord; every request that it gets is held against Discord's document where that is present."""
    async with FakeDiscord(specification=Specification.load()) as server:
        # A machine that runs much else stalls for seconds: how soon it answers is the business of one test.
        server.answer_within = PATIENCE
        yield server
        assert server.violations == []


@pytest.fixture
async def start_bot(settings: Settings, fake: FakeDiscord, tmp_path: Path) -> AsyncIterator[StartBot]:
    """Start the bot on the test's database and wait until it is online (or, with online=False, do not)."""
    started: list[BotProcess] = []

    async def start(*, online: bool = True, **environment: str) -> BotProcess:
        log = tmp_path / f"bot-{len(started)}.log"
        log.touch()
        process = await asyncio.to_thread(
            ForkedProcess,
            "tests.fakes.discord.client",
            fake.url,
            environment={
                **os.environ,
                **environment_of(settings),
                "DISCORD_TOKEN": fake.token,
                **environment,
            },
            folder=ROOT,
            stderr=log,
        )
        started.append(BotProcess(process, log))
        if online:
            await fake.ready()
        return started[-1]

    yield start
    for bot in started:
        await bot.kill()


@pytest.fixture
def working(worker: StartWorker) -> None:
    """A worker that makes whatever is ordered."""
    worker()


@pytest.fixture
def room(fake: FakeDiscord) -> Channel:
    """A voice channel."""
    channel = fake.add_channel(Channel(fake.guild, kind=2, name="jam room"))
    fake.guild.channels.append(channel)
    return channel
