"""`/help`, `/info` and `/credits`: what the bot can do, what it is, and what somebody has."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from math import isfinite
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands
from sqlalchemy.ext.asyncio import AsyncSession

from bot import answers, guide, messages, people, permissions, premium
from bot.loop import keep
from bot.voice import choice
from generation import origin
from generation.credentials.manifest import statements_of
from generation.fields import quoted
from market.accounts.models import Account
from market.catalog import service as catalog
from market.community import service as community
from market.entitlements import service as entitlements
from market.errors import NotFound
from market.guilds import service as guilds
from market.guilds.service import Rules
from market.language import LANGUAGES, retold, say, say_count
from market.licensing import service as licensing
from market.studio import service as studio
from market.studio.service import Traffic

if TYPE_CHECKING:
    from bot.client import RiffBot

_LOOP_ID = re.compile(r"[0-9a-f]{24}-\d{1,2}")


class AboutCommands(commands.Cog):
    """What the bot can do, what it is, and what somebody has."""

    @app_commands.command(name="help")
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.allowed_installs(guilds=True, users=True)
    async def help(self, interaction: discord.Interaction["RiffBot"]) -> None:
        """See what I can do, with examples"""
        language, bot = answers.language(interaction), interaction.client
        ids = await answers.soon(interaction, bot.command_ids.found())
        await answers.whisper(
            interaction,
            embed=guide.overview(language, bot.tree, ids),
            view=guide.view_of(language, bot.tree),
        )

    @app_commands.command(name="info")
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.describe(riff="A loop, for how it was made and how to make the same again")
    async def info(self, interaction: discord.Interaction["RiffBot"], riff: str | None = None) -> None:
        """See what makes the loops, how busy it is and what holds here, or the recipe of a loop"""
        if riff is not None:
            named = _LOOP_ID.search(riff)
            if named is None:
                raise NotFound("loop", quoted(riff))
            await keep.info(interaction, named[0])
            return
        standing = await answers.soon(interaction, _standing(interaction.client))
        rules = await interaction.client.rules.of(interaction.guild_id)
        await answers.whisper(interaction, embed=_info(interaction, standing, rules))

    @info.autocomplete("riff")
    async def suggest_loops(
        self, interaction: discord.Interaction["RiffBot"], typed: str
    ) -> list[app_commands.Choice[str]]:
        found = await choice.suggestions(interaction, typed)
        return [app_commands.Choice(name=label, value=loop_id) for label, loop_id in found]

    @app_commands.command(name="credits")
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.allowed_installs(guilds=True, users=True)
    async def credits(self, interaction: discord.Interaction["RiffBot"]) -> None:
        """See what you have: riffs, kept loops, licences and what you sell"""
        language, settings = answers.language(interaction), interaction.client.settings
        had = await answers.soon(interaction, _had_by(interaction))
        embed = _credits(language, had, settings.public_url)
        await answers.whisper(interaction, embed=embed, view=premium.view(settings.discord_sku))


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the database says of the loop maker; `model` made the newest loop."""

    model: str
    traffic: Traffic


async def _standing(bot: "RiffBot") -> _Standing:
    async with bot.database.read() as session:
        newest = await catalog.newest_model(session)
        return _Standing(newest or origin.shipped().model_id, await studio.traffic(session))


def _info(interaction: discord.Interaction["RiffBot"], standing: _Standing, rules: Rules) -> discord.Embed:
    language, bot = answers.language(interaction), interaction.client
    embed = discord.Embed(title=f"Riffmarket {version('riffmarket')}", colour=messages.COLOUR)
    embed.add_field(name=say(language, "Loop maker"), value=_maker(standing.model), inline=False)
    learnt_from = " ".join(retold(language, said) for said in statements_of({"model": standing.model}))
    embed.add_field(name=say(language, "What it learnt from"), value=learnt_from, inline=False)
    traffic = standing.traffic
    at_work = [
        say_count(language, "{count} worker alive", "{count} workers alive", traffic.workers),
        say_count(language, "{count} riff waiting", "{count} riffs waiting", traffic.queued),
    ]
    if traffic.eta_seconds is not None:
        time = messages.duration(traffic.eta_seconds)
        at_work.append(say(language, "a new riff takes about {time}", time=time))
    embed.add_field(name=say(language, "At work"), value="\n".join(at_work))
    embed.add_field(name=say(language, "Connection"), value=_connection(interaction))
    if interaction.guild_id is not None and interaction.is_guild_integration():
        embed.add_field(
            name=say(language, "On this server"), value="\n".join(_rules(language, rules)), inline=False
        )
        lacking = permissions.missing(permissions.POSTING, interaction.app_permissions)
        if lacking.value:
            embed.add_field(
                name=say(language, "What an admin has to tick here"),
                value=permissions.listed(language, lacking),
                inline=False,
            )
    public_url = bot.settings.public_url
    if public_url:
        embed.url = public_url
    return embed


def _maker(model: str) -> str:
    """The model, and the SHA-256 of its weights if it is the shipped one."""
    shipped = origin.shipped()
    hashes = shipped.weights.items() if model == shipped.model_id else ()
    return "\n".join(
        [f"**{model}**", *(f"-# {path.partition('/')[0]} `{digest}`" for path, digest in hashes)]
    )


def _connection(interaction: discord.Interaction["RiffBot"]) -> str:
    language, bot = answers.language(interaction), interaction.client
    shard_id = 0 if interaction.guild_id is None else (interaction.guild_id >> 22) % (bot.shard_count or 1)
    latency = dict(bot.latencies).get(shard_id, bot.latency)
    lines = [
        say(language, "shard {number} of {count}", number=shard_id + 1, count=bot.shard_count or 1),
        say_count(language, "{count} server", "{count} servers", len(bot.guilds)),
    ]
    # Before the first heartbeat was answered there is nothing to tell.
    return "\n".join(lines + ([f"{latency * 1000:.0f} ms"] if isfinite(latency) else []))


def _rules(language: str, rules: Rules) -> Iterator[str]:
    """What holds on a server, in a few lines."""
    channels = ", ".join(f"<#{channel}>" for channel in rules.channels) or say(language, "every channel")
    roles = ", ".join(f"<@&{role}>" for role in rules.roles) or say(language, "everybody")
    yield say(language, "Riffs: in {channels}, for {roles}", channels=channels, roles=roles)
    yield say(language, "At most {takes} takes and {bars} bars", takes=rules.max_takes, bars=rules.max_bars)
    if rules.presses == guilds.OWNER:
        yield say(language, "Buttons: only for whoever asked for the riff")
    if rules.gallery_channel is not None:
        channel = f"<#{rules.gallery_channel}>"
        yield say(
            language, "Gallery: {channel}, from {count} ⭐ on", channel=channel, count=rules.gallery_stars
        )
    if rules.language:
        yield say(language, "Language: {name}", name=LANGUAGES[rules.language])


@dataclass(frozen=True, slots=True)
class _Had:
    """What somebody has; `bought` is what they bought from Discord and have not used."""

    open: int = 0
    today: int = 0
    ever: int = 0
    kept: int = 0
    licences: int = 0
    listed: int = 0
    bought: int = 0


async def _had_by(interaction: discord.Interaction["RiffBot"]) -> _Had:
    async with interaction.client.database.read() as session:
        account = (await people.known(session, interaction)).account
        return _Had() if account is None else await _had(session, account)


async def _had(session: AsyncSession, account: Account) -> _Had:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return _Had(
        open=await studio.count_open(session, account.owner),
        today=await studio.count(session, account.owner, midnight),
        ever=await studio.count(session, account.owner),
        kept=await community.count_kept(session, account),
        licences=await licensing.count_held(session, account),
        listed=await catalog.count_listed(session, account),
        bought=await entitlements.count_held(session, account),
    )


def _credits(language: str, had: _Had, public_url: str) -> discord.Embed:
    embed = discord.Embed(
        title=say(language, "What you have"),
        description=say(language, "Riffs are free here: nothing is counted down."),
        colour=messages.COLOUR,
    )
    riffs = say(language, "{today} today (UTC), {ever} in all", today=f"{had.today:,}", ever=f"{had.ever:,}")
    facts: list[tuple[str, Any]] = [
        ("Riffs", riffs),
        ("Unfinished", say(language, "{open} of {most}", open=had.open, most=studio.MAX_OPEN_RIFFS)),
        ("Kept loops", f"{had.kept:,}"),
        ("Licences", f"{had.licences:,}"),
        ("On the market", f"{had.listed:,}"),
    ]
    if had.bought:
        facts.append(("Bought on Discord", say(language, "{count}, not used yet", count=had.bought)))
    for name, value in facts:
        embed.add_field(name=say(language, name), value=value)
    if public_url:
        pages = (("My loops", "/studio/loops"), ("My licences", "/licences"), ("My account", "/account"))
        links = " · ".join(f"[{say(language, name)}]({public_url}{path})" for name, path in pages)
        embed.add_field(name=say(language, "On the web"), value=links, inline=False)
    return embed
