"""`python -m benchmarks.chat`: how soon the bot answers while a worker computes on the same machine.

The bot and a worker with the shipped model run as processes of their own, Discord is tests/fakes/discord in this one.
People order riffs first, so that the worker is busy all the time; then so many interactions of many people and of all
kinds arrive within so many seconds, at random moments. What is printed, by kind: the time from Discord's sending an
interaction to its first answer. And what it takes to deliver a riff, and a bot that has nothing to do.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from generation.judge.timing import machine
from market.db import upgrade
from market.settings import Settings
from tests.fakes.discord import FakeDiscord, Interaction, Message, User

Act = Callable[[User], Awaitable[Interaction]]
IDLE_SECONDS = 20
ANSWERED_WITHIN = 20.0
LIMIT = 1.0


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interactions", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--people", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="riff-chat-") as folder:
        url = os.environ.get("RIFF_DATABASE_URL", "")
        settings = Settings(_env_file=None, data_dir=Path(folder), database_url=url)  # type: ignore[call-arg]
        upgrade(settings)
        asyncio.run(_measure(given, settings))


async def _measure(given: argparse.Namespace, settings: Settings) -> None:
    async with FakeDiscord() as fake:
        # What comes later than Discord would take it is measured, too.
        fake.answer_within = ANSWERED_WITHIN
        environment = {
            **os.environ,
            "RIFF_DATA_DIR": str(settings.data_dir),
            "RIFF_DATABASE_URL": settings.database_url,
            "RIFF_LOCAL_SIGN_IN": "false",
            "DISCORD_TOKEN": fake.token,
            **({"RIFF_MODEL": str(given.model)} if given.model else {}),
        }
        log = (settings.data_dir / "log").open("wb")
        commands = (["-m", "tests.fakes.discord.client", fake.url], ["-m", "market.studio.worker"])
        bot, worker = [
            await asyncio.create_subprocess_exec(sys.executable, *command, env=environment, stderr=log)
            for command in commands
        ]
        try:
            await fake.ready()
            finished = await _finished(fake)
            idle = await _idle(bot.pid)
            print(f"{machine()}; {settings.database_url.split(':')[0]}; load {os.getloadavg()[0]:.1f}\n")
            computing = _seconds(bot.pid)
            times = await _burst(given, fake, finished)
            _print_times(times, given)
            spent = _seconds(bot.pid) - computing
            print(
                f"\nThe bot computed for {spent:.1f} s of {given.seconds:g}; {idle:.1%} of a core when idle."
            )
            _print_deliveries(fake, finished)
        finally:
            for process in (bot, worker):
                process.kill()
                await process.wait()


async def _finished(fake: FakeDiscord) -> Message:
    """A riff that was made and delivered: its buttons can be pressed."""
    interaction = await fake.slash("riff", prompt="church bells", bars=4, bpm=120)
    await fake.answered(interaction)
    message = interaction.message
    assert message is not None
    await fake.until(lambda: any("riff:keep" in name for name in message.custom_ids), "a riff", within=600)
    return message


async def _idle(pid: int) -> float:
    """How much of a core a bot takes that has nothing to do."""
    before = _seconds(pid)
    await asyncio.sleep(IDLE_SECONDS)
    return (_seconds(pid) - before) / IDLE_SECONDS


async def _burst(given: argparse.Namespace, fake: FakeDiscord, message: Message) -> dict[str, list[float]]:
    """Let the interactions happen; the seconds to the first answers by kind, `inf` where there is none."""
    random = Random(given.seed)
    people = [User(f"person{number}") for number in range(given.people)]
    busy = [await fake.slash("riff", prompt="rain", user=user, bars=8) for user in people[:20]]
    for interaction in busy:
        await fake.answered(interaction)
    acts = _acts(fake, message, random)
    kinds = random.choices(list(acts), weights=[weight for weight, _ in acts.values()], k=given.interactions)
    moments = sorted(random.uniform(0, given.seconds) for _ in kinds)
    started = asyncio.get_running_loop().time()
    done: dict[str, list[Interaction]] = defaultdict(list)
    for kind, moment in zip(kinds, moments, strict=True):
        await asyncio.sleep(max(0.0, started + moment - asyncio.get_running_loop().time()))
        done[kind].append(await acts[kind][1](random.choice(people)))
    with contextlib.suppress(AssertionError):
        await fake.until(
            lambda: all(one.response for those in done.values() for one in those),
            "all answers",
            within=ANSWERED_WITHIN,
        )
    return {
        kind: [float("inf") if one.answered_after is None else one.answered_after for one in those]
        for kind, those in done.items()
    }


def _acts(fake: FakeDiscord, message: Message, random: Random) -> Mapping[str, tuple[int, Act]]:
    """What people do, with how often of a hundred times: whatever of it this bot knows."""
    menu = next((name for name in message.custom_ids if name.startswith("riff-menu:")), "")

    def riff(user: User) -> Awaitable[Interaction]:
        return fake.slash("riff", prompt="lofi piano", user=user, bars=random.choice((2, 4)))

    def typing(user: User) -> Awaitable[Interaction]:
        return fake.autocomplete("riff", "key", user=user, prompt="bells", key=random.choice("acf"))

    def pressing(name: str) -> Act:
        return lambda user: fake.press(message, message.custom_id(f"riff:{name}:"), user=user)

    def using(name: str, options: Mapping[str, Any]) -> Act:
        return lambda user: fake.slash(name, user=user, **options)

    acts: dict[str, tuple[int, Act]] = {
        "/riff": (25, riff),
        "autocomplete": (15, typing),
        "Keep": (6, pressing("keep")),
        "Vary": (8, pressing("vary")),
        "Again": (6, pressing("again")),
        "Edit prompt…": (5, pressing("edit")),
        "Download": (3, pressing("download")),
    }
    if menu:
        acts["menu: Recipe"] = (5, lambda user: fake.choose(message, menu, "info", user=user))
    known = {command["name"] for command in fake.commands}
    more: tuple[tuple[str, int, dict[str, Any]], ...] = (
        ("riffs", 8, {}),
        ("help", 6, {}),
        ("info", 5, {}),
        ("credits", 3, {}),
        ("market search", 5, {"q": "bells"}),
    )
    for name, weight, options in more:
        if name.split()[0] in known:
            acts[f"/{name}"] = (weight, using(name, options))
    return acts


def _print_times(times: Mapping[str, list[float]], given: argparse.Namespace) -> None:
    print(f"{given.interactions} interactions in {given.seconds:g} s: seconds to the first answer\n")
    print("| what | how many | p50 | p95 | p99 | longest |\n|---|---|---|---|---|---|")
    everything = [seconds for those in times.values() for seconds in those]
    for name, those in (*sorted(times.items()), ("**all**", everything)):
        p50, p95, p99 = np.percentile(those, (50, 95, 99), method="higher")
        print(f"| {name} | {len(those)} | {p50:.3f} | {p95:.3f} | {p99:.3f} | {max(those):.3f} |")
    p99 = np.percentile(everything, 99, method="higher")
    print(f"\nneeded: p99 < {LIMIT:g} s: {'reached' if p99 < LIMIT else 'NOT reached'}")


def _print_deliveries(fake: FakeDiscord, message: Message) -> None:
    [interaction] = [
        one for one in fake.interactions.values() if one.message is message and one.kind == "command"
    ]
    requests = [request for request in fake.requests if interaction.token in request.path]
    files = sum(len(content) for request in requests for _, content in request.files.values())
    result = sum(map(len, message.files.values()))
    print(
        f"A riff of 8 s took {len(requests)} requests with {files / 1000:.0f} kB of files, "
        f"{result / 1000:.0f} kB of them the result."
    )


def _seconds(pid: int) -> float:
    """Processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
