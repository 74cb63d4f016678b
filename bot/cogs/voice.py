"""`/play`, `/jam` and `/voice`: loops in voice channels."""

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from bot import access, answers, people
from bot.voice import choice
from bot.voice.jam import Jam, start_of
from bot.voice.play import play, show
from generation.fields import MAX_PROMPT_LENGTH
from generation.request import BARS, BPM
from market.language import say
from market.studio.feed import EventFeed

if TYPE_CHECKING:
    from bot.client import RiffBot

Interaction = discord.Interaction["RiffBot"]
PERCENT = (0, 100)


class VoiceCommands(commands.Cog):
    """Music where people talk."""

    voice = app_commands.Group(
        name="voice",
        description="What plays in the voice channel",
        guild_only=True,
        allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
    )

    def __init__(self, bot: "RiffBot") -> None:
        self._bot = bot
        self._feed = EventFeed(bot.database)

    async def cog_unload(self) -> None:
        """Leave every channel."""
        await self._bot.rooms.close()
        await self._feed.close()

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Leave channels that a bot was in that was killed."""
        for guild in self._bot.guilds:
            if self._bot.rooms.of(guild.id) is None:
                await self._bot.rooms.leave_stale(guild)

    @commands.Cog.listener()
    async def on_voice_state_update(
        self, member: discord.Member, _before: discord.VoiceState, _after: discord.VoiceState
    ) -> None:
        """Somebody came or went."""
        room = self._bot.rooms.of(member.guild.id)
        if room is not None:
            room.look_around()

    @app_commands.command(name="play")
    @app_commands.guild_only()
    @app_commands.allowed_installs(guilds=True, users=False)
    @app_commands.describe(
        riff="A loop of yours or of the market: its id, or a link to it (the newest unless you say)"
    )
    async def play(self, interaction: Interaction, riff: str | None = None) -> None:
        """Play a loop in your voice channel, round and round"""
        await play(interaction, riff)

    @play.autocomplete("riff")
    async def suggest_loops(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        found = await choice.suggestions(interaction, typed)
        return [app_commands.Choice(name=label, value=loop_id) for label, loop_id in found]

    @app_commands.command(name="jam")
    @app_commands.guild_only()
    @app_commands.allowed_installs(guilds=True, users=False)
    @app_commands.describe(
        prompt="What the music shall turn into",
        bpm="The tempo of a new jam (that of what plays unless you say)",
        key="The key of a new jam: Am, F#, Bb minor …",
        bars="How long the loops of a new jam are, in bars",
    )
    async def jam(
        self,
        interaction: Interaction,
        prompt: app_commands.Range[str, 1, MAX_PROMPT_LENGTH],
        bpm: app_commands.Range[float, *BPM] | None = None,
        key: str | None = None,
        bars: app_commands.Range[int, *BARS] | None = None,
    ) -> None:
        """Turn what plays in your voice channel into something else, together"""
        rooms = self._bot.rooms
        channel = rooms.channel_of(interaction)
        await answers.think(interaction, ephemeral=False)
        async with self._bot.database.write() as session:
            await people.active(session, interaction)
        language = await access.public_language(interaction)
        room = await rooms.enter(channel, language)
        given: dict[str, Any] = {"bpm": bpm, "key": key, "bars": bars}
        jam, fresh = room.jam, room.jam is None
        if jam is None:
            start = None if any(value is not None for value in given.values()) else start_of(room.playing)
            jam = room.jam = Jam(self._bot, room, self._feed, start)
        try:
            place = await jam.add(interaction, prompt, **given)
        except Exception:
            if fresh:
                jam.end()
            if room.silent:
                room.stop("")
            raise
        if fresh:
            room.clear()
        told = say(
            language, "{person}: **{prompt}**", person=interaction.user.mention, prompt=jam.heading[:500]
        )
        if place.position:
            told += " · " + say(language, "number {position} in the queue", position=place.position)
        if fresh:
            await show(interaction, room, told)
        else:
            await interaction.followup.send(told)

    @voice.command(name="skip")
    async def skip(self, interaction: Interaction) -> None:
        """Let the next loop come on the next bar"""
        await self._bot.rooms.control(interaction, "skip")

    @voice.command(name="stop")
    async def stop(self, interaction: Interaction) -> None:
        """End the music and leave the voice channel"""
        await self._bot.rooms.control(interaction, "stop")

    @voice.command(name="queue")
    async def queue(self, interaction: Interaction) -> None:
        """What plays next"""
        await self._bot.rooms.control(interaction, "queue")

    @voice.command(name="volume")
    @app_commands.describe(percent="How loud, in percent")
    async def volume(self, interaction: Interaction, percent: app_commands.Range[int, *PERCENT]) -> None:
        """How loud the music is, for everybody"""
        await self._bot.rooms.control(interaction, "volume", percent)
