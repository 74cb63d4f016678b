"""The rooms that music plays in: one voice channel of a server each, with its deck, its queue and its message.

All of it is in memory only. A restart of the bot ends the music; what was ordered for a jam is made all the same, and
stands in /riffs.
"""

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import discord
import structlog

from bot import answers
from bot.messages import COLOUR
from bot.voice import choice, controls
from bot.voice.choice import Wanted
from bot.voice.deck import Deck, Track
from bot.voice.errors import (
    ChannelFull,
    ElsewhereInVoice,
    NoStage,
    NothingPlays,
    NothingWaits,
    NotInVoice,
    QueueFull,
    ServerNeeded,
    VoiceForbidden,
    VoiceUnreachable,
)
from bot.voice.source import DeckSource
from generation.errors import RiffError
from market.language import retold, say, say_count

if TYPE_CHECKING:
    from bot.client import RiffBot
    from bot.voice.jam import Jam

log = structlog.get_logger(__name__)

MOST_WAITING = 25
SHOWN_WAITING = 8
VOLUME_STEPS = {"quieter": -10, "louder": 10}
CONNECT_WITHIN, RECONNECT_WITHIN = 15.0, 120.0
EDIT_EVERY = 2.5
NEEDED = {"view_channel": "View Channel", "connect": "Connect", "speak": "Speak"}


class Room:
    """What plays in one voice channel. `language` is that of the message that everybody sees."""

    def __init__(self, rooms: "Rooms", guild_id: int, language: str) -> None:
        loop = asyncio.get_running_loop()
        self.guild_id, self.language = guild_id, language
        self.voice: discord.VoiceClient | None = None
        self.playing: Wanted | None = None
        self.waiting: list[Wanted] = []
        self.jam: Jam | None = None
        self.note = ""
        self.ending = False
        self.deck = Deck(on_change=lambda track: _later(loop, self._changed, track))
        self._rooms = rooms
        self._cued: Wanted | None = None
        self._loaded: dict[str, Wanted] = {}
        self._message: discord.PartialMessage | None = None
        self._shown: object = None
        self._news = asyncio.Event()
        self._filling: asyncio.Task[None] | None = None
        self._announcing = asyncio.create_task(self._announce(), name=f"voice-{guild_id}")
        self._leaving: asyncio.Task[None] | None = None

    @property
    def channel(self) -> discord.VoiceChannel | discord.StageChannel:
        """Where it plays: a moderator can move the bot."""
        assert self.voice is not None
        joined = self.voice.channel
        # A new session with the gateway makes a new picture of every server, which knows who is where.
        guild = self._rooms.bot.get_guild(self.guild_id)
        known = None if guild is None else guild.get_channel(joined.id)
        return known if isinstance(known, discord.VoiceChannel | discord.StageChannel) else joined

    @property
    def next(self) -> list[Wanted]:
        """What comes after what is heard, in order."""
        return [*([] if self._cued is None else [self._cued]), *self.waiting]

    @property
    def silent(self) -> bool:
        """Whether nothing plays and nothing is on its way."""
        return self.playing is None and self.jam is None and not self.next

    @property
    def connected(self) -> bool:
        """Whether the bot is in the channel, or about to be there again."""
        return self.voice is not None and self.channel.guild.voice_client is self.voice

    def start(self, voice: discord.VoiceClient) -> None:
        """Send what the deck plays, silence at first."""
        self.voice = voice
        loop = asyncio.get_running_loop()
        source = DeckSource(self.deck, voice.channel.bitrate)
        voice.play(source, after=lambda error: _later(loop, self._rooms.ended, self, error))

    def add(self, chosen: Wanted, track: Track | None = None) -> int:
        """Let a loop play: at once, or after those that wait; its place among them, 0 for at once. Raises QueueFull."""
        if len(self.next) >= MOST_WAITING and not chosen.soon:
            raise QueueFull(MOST_WAITING)
        if chosen.soon:
            self.waiting.insert(sum(wanted.soon for wanted in self.waiting), chosen)
        else:
            self.waiting.append(chosen)
        first = self.playing is None and len(self.next) == 1
        if first and track is not None:
            self._cue(chosen, track)
        self._fill()
        self.refresh()
        return 0 if first else len(self.next)

    def skip(self) -> None:
        """Let the next loop come on the next bar. Raises NothingWaits."""
        if not self.next:
            raise NothingWaits
        self.deck.skip()

    def turn(self, percent: int) -> int:
        """Set the volume, 0 to 100."""
        self.deck.volume = max(0, min(100, percent))
        self.refresh()
        return self.deck.volume

    def clear(self) -> None:
        """Let nothing wait any more."""
        self.waiting.clear()

    def listeners(self) -> int:
        """How many people are there to hear it."""
        guild = self.channel.guild
        here = [user_id for user_id in self.channel.voice_states if user_id != guild.me.id]
        return sum(not getattr(guild.get_member(user_id), "bot", False) for user_id in here)

    def look_around(self) -> None:
        """Begin to wait for somebody when nobody is left, and stop waiting when somebody is there."""
        if self.voice is None:
            return
        if self.listeners():
            if self._leaving is not None:
                self._leaving.cancel()
                self._leaving = None
        elif self._leaving is None:
            self._leaving = asyncio.create_task(self._leave_alone(), name=f"voice-alone-{self.guild_id}")

    def stop(self, why: str) -> None:
        """Fade out and leave; `why` is what the message says then."""
        self.note, self.ending = why, True
        self.clear()
        if self.jam is not None:
            self.jam.end()
        self.deck.end()

    def show_in(self, message: discord.PartialMessage, post: dict[str, Any]) -> None:
        """Keep a message that was sent as `post` up to date from now on, in place of any other."""
        self._message = message
        self._shown = post["embed"].to_dict()
        self.refresh()

    def post(self) -> dict[str, Any]:
        """The message that shows what plays: arguments for sending or editing one."""
        return {"embed": self._embed(), "view": controls.panel(self.language, self.guild_id)}

    def refresh(self) -> None:
        """Bring the message up to date soon."""
        self._news.set()

    async def close(self) -> None:
        """End everything that belongs to the room, and say in its message that it is over."""
        if self.jam is not None:
            self.jam.end()
        for task in (self._filling, self._announcing, self._leaving):
            if task is not None:
                task.cancel()
        # Whoever was thrown out has nothing to leave any more, and would wait for Discord to say that it did.
        if self.voice is not None and self.connected:
            await self.voice.disconnect(force=True)
        over = self.note or say(self.language, "The music is over.")
        await self._edit({"content": over, "embed": None, "view": None})

    def _changed(self, track: Track) -> None:
        self.playing, self.note = self._loaded[track.loop_id], ""
        if self._cued is self.playing:
            self._cued = None
        self._loaded = {chosen.loop.id: chosen for chosen in (self.playing, self._cued) if chosen is not None}
        self._fill()
        self.refresh()

    def _fill(self) -> None:
        if self._filling is None or self._filling.done():
            self._filling = asyncio.create_task(self._load_next(), name=f"voice-load-{self.guild_id}")

    async def _load_next(self) -> None:
        """Have what comes next ready on the deck: only that is in memory beside what is heard."""
        while self.waiting and (self._cued is None or (self.waiting[0].soon and not self._cued.soon)):
            chosen = self.waiting[0]
            try:
                track = await choice.load(self._rooms.bot, chosen)
            except RiffError as error:
                self.note = retold(self.language, str(error))
                track = None
            except Exception:
                log.exception("loop_not_loaded", loop=chosen.loop.id)
                track = None
            if chosen in self.waiting:
                if track is None:
                    self.waiting.remove(chosen)
                else:
                    self._cue(chosen, track)
            self.refresh()

    def _cue(self, chosen: Wanted, track: Track) -> None:
        self.waiting.remove(chosen)
        self._cued = self._loaded[track.loop_id] = chosen
        self.deck.cue(track, soon=chosen.soon)

    async def _leave_alone(self) -> None:
        await asyncio.sleep(self._rooms.bot.settings.voice_alone_seconds)
        self.stop(say(self.language, "Everybody left, so I left too."))

    async def _announce(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            post = self.post()
            shown = post["embed"].to_dict()
            if shown != self._shown:
                await self._edit(post)
                self._shown = shown
                await asyncio.sleep(EDIT_EVERY)

    async def _edit(self, parts: dict[str, Any]) -> None:
        if self._message is None:
            return
        try:
            await self._message.edit(**parts)
        except discord.HTTPException as refusal:
            log.info("voice_message_lost", guild=self.guild_id, reason=str(refusal))
            self._message = None

    def _embed(self) -> discord.Embed:
        language = self.language
        known = [*([] if self.playing is None else [self.playing]), *self.next]
        first = line_of(language, known[0]) if known else say(language, "The first loop is being made.")
        lines = [first, *([self.note] if self.note else [])]
        title = say(language, "Now playing") if self.jam is None else say(language, "Jam")
        embed = discord.Embed(title=title, description="\n".join(lines), colour=COLOUR)
        if self.jam is not None and self.jam.heading:
            embed.add_field(name=say(language, "On the way to"), value=self.jam.heading, inline=False)
        if known[1:]:
            embed.add_field(name=say(language, "Next"), value=queue_text(language, known[1:]), inline=False)
        volume = say(language, "Volume {percent} %", percent=self.deck.volume)
        embed.set_footer(text=f"{volume} · {say(language, 'Lasts until the bot restarts')}")
        return embed


class Rooms:
    """All rooms of the bot, by server."""

    def __init__(self, bot: "RiffBot") -> None:
        self.bot = bot
        self._rooms: dict[int, Room] = {}
        self._opening: dict[int, asyncio.Lock] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def of(self, guild_id: int | None) -> Room | None:
        """What plays on a server, unless it fades out already."""
        room = None if guild_id is None else self._rooms.get(guild_id)
        return None if room is None or room.ending else room

    def controlled(self, interaction: discord.Interaction["RiffBot"]) -> Room:
        """The room that somebody may control: they are in its channel.

        Raises ServerNeeded, NothingPlays, NotInVoice and ElsewhereInVoice.
        """
        member = _member(interaction)
        room = self.of(interaction.guild_id)
        if room is None or room.voice is None:
            raise NothingPlays
        if member.voice is None or member.voice.channel is None:
            raise NotInVoice
        if member.voice.channel.id != room.channel.id:
            raise ElsewhereInVoice(room.channel.name)
        return room

    def channel_of(self, interaction: discord.Interaction["RiffBot"]) -> discord.VoiceChannel:
        """The voice channel of whoever acts, where the bot may play.

        Raises ServerNeeded, NotInVoice, NoStage, ElsewhereInVoice, VoiceForbidden and ChannelFull.
        """
        member = _member(interaction)
        channel = None if member.voice is None else member.voice.channel
        if channel is None:
            raise NotInVoice
        if not isinstance(channel, discord.VoiceChannel):
            raise NoStage
        room = self.of(channel.guild.id)
        if room is not None and room.voice is not None:
            if room.channel.id == channel.id:
                return channel
            if room.listeners():
                raise ElsewhereInVoice(room.channel.name)
        allowed = channel.permissions_for(channel.guild.me)
        missing = [label for name, label in NEEDED.items() if not getattr(allowed, name)]
        if missing:
            raise VoiceForbidden(channel.name, missing)
        full = channel.user_limit and len(channel.voice_states) >= channel.user_limit
        if full and not allowed.move_members:
            raise ChannelFull(channel.name)
        return channel

    async def control(
        self, interaction: discord.Interaction["RiffBot"], action: str, percent: int | None = None
    ) -> None:
        """Do what a button or a command asks for, with its answer. Raises what `controlled` does and NothingWaits."""
        room = self.controlled(interaction)
        language = answers.language(interaction)
        match action:
            case "queue":
                told = queue_text(language, room.next) or say(language, "Nothing waits.")
            case "skip":
                room.skip()
                told = say(language, "The next loop comes on the next bar.")
            case "stop":
                room.stop(say(room.language, "{person} stopped the music.", person=interaction.user.mention))
                told = say(language, "The music fades out.")
            case _:
                now = room.turn(
                    room.deck.volume + VOLUME_STEPS.get(action, 0) if percent is None else percent
                )
                told = say(language, "Volume {percent} %", percent=now)
        if action in VOLUME_STEPS:
            await interaction.response.edit_message(**room.post())
        else:
            await answers.whisper(interaction, told)

    async def enter(self, channel: discord.VoiceChannel, language: str) -> Room:
        """The room of a channel: the one there is, else the bot joins. Raises VoiceUnreachable."""
        guild = channel.guild
        async with self._opening.setdefault(guild.id, asyncio.Lock()):
            room = self._rooms.get(guild.id)
            if room is not None:
                if room.channel.id == channel.id and not room.ending:
                    return room
                await self._close(room)
            if guild.voice_client is not None:
                await guild.voice_client.disconnect(force=True)
            room = Room(self, guild.id, language)
            try:
                room.start(await channel.connect(timeout=CONNECT_WITHIN, self_deaf=True))
            except (TimeoutError, discord.ClientException, discord.ConnectionClosed, OSError) as error:
                log.warning("voice_not_connected", guild=guild.id, reason=repr(error))
                await room.close()
                raise VoiceUnreachable from error
            self._rooms[guild.id] = room
            room.look_around()
            return room

    def ended(self, room: Room, error: Exception | None) -> None:
        """A player has stopped: the music faded out, the bot was thrown out, or the connection is being made anew."""
        if error is not None:
            log.error("voice_failed", guild=room.guild_id, exc_info=error)
        if self._rooms.get(room.guild_id) is room:
            going_on = self._close(room) if error is not None else self._go_on(room)
            task = asyncio.create_task(going_on, name=f"voice-ended-{room.guild_id}")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _go_on(self, room: Room) -> None:
        """Play on where discord.py connects again, which ends its player now and then; else close the room."""
        until = time.monotonic() + RECONNECT_WITHIN
        while room.connected and not room.ending and (left := until - time.monotonic()) > 0:
            assert room.voice is not None
            if await asyncio.to_thread(room.voice.wait_until_connected, left):
                room.start(room.voice)
                return
        await self._close(room)

    async def leave_stale(self, guild: discord.Guild) -> None:
        """Leave a channel that the bot was in before it was killed."""
        me = guild.get_member(self.bot.user.id) if self.bot.user is not None else None
        if me is not None and me.voice is not None and guild.voice_client is None:
            await guild.change_voice_state(channel=None)

    async def close(self) -> None:
        """Leave every channel."""
        for room in list(self._rooms.values()):
            room.note = say(room.language, "The bot restarts: start again with /play or /jam.")
        await asyncio.gather(*map(self._close, list(self._rooms.values())), *self._closing)

    async def _close(self, room: Room) -> None:
        if self._rooms.get(room.guild_id) is room:
            del self._rooms[room.guild_id]
        await room.close()


def line_of(language: str, chosen: Wanted) -> str:
    """One loop in a line."""
    loop = chosen.loop
    title = loop.prompt if len(loop.prompt) <= 100 else f"{loop.prompt[:99]}…"
    bars = say_count(language, "{count} bar", "{count} bars", loop.bars)
    known = [f"**{discord.utils.escape_markdown(title)}**", f"{loop.bpm:g} bpm"]
    known += [*([loop.key] if loop.key else []), bars, f"<@{chosen.person_id}>"]
    if chosen.preview:
        known.append(say(language, "preview with its mark"))
    return " · ".join(known)


def queue_text(language: str, waiting: list[Wanted]) -> str:
    """What waits, a line each, at most as much as a field holds."""
    lines: list[str] = []
    for number, chosen in enumerate(waiting[:SHOWN_WAITING], 1):
        line = f"{number}. {line_of(language, chosen)}"
        if len("\n".join([*lines, line])) > 960:
            break
        lines.append(line)
    if len(waiting) > len(lines):
        lines.append(say(language, "… and {count} more", count=len(waiting) - len(lines)))
    return "\n".join(lines)


def _member(interaction: discord.Interaction["RiffBot"]) -> discord.Member:
    """Who acts, on a server that the bot is a member of. Raises ServerNeeded."""
    guild = interaction.client.get_guild(interaction.guild_id or 0)
    if guild is None or not isinstance(interaction.user, discord.Member):
        raise ServerNeeded
    return interaction.user


def _later(loop: asyncio.AbstractEventLoop, function: Any, *values: Any) -> None:
    """Call a function in the loop, from the thread of a player; nothing where the loop has ended."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *values)
