"""The gallery of a server: what gets enough stars there is posted into a channel of its own, once.

The stars are counted as Discord has them, not as events come in. A riff's place is a row before it is a message, so
that a bot which was stopped or killed in between goes on where it was.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import discord
import structlog

from bot import messages, recordings, repository
from bot.delivery import BACKOFF, BASE_FILESIZE, DRAIN, EDIT_EVERY, HISTORY, LOOK_EVERY
from bot.messages import Post
from bot.models import Delivery
from generation.request import RiffRequest
from market.guilds import gallery
from market.guilds.gallery import Starred
from market.guilds.models import GalleryPost, Hanging
from market.language import say
from market.studio import service as studio
from market.studio.models import RiffOrder

if TYPE_CHECKING:
    from bot.client import RiffBot

log = structlog.get_logger(__name__)

STAR = "⭐"
LOOK_EVERY_IDLE = 5.0
SWEEP_EVERY = 30.0
UPLOADS_AT_ONCE = 4
TOO_LARGE = 40005

Key = tuple[int, str]


class Gallery:
    """The part of the bot's process that counts stars and fills the galleries."""

    def __init__(self, bot: "RiffBot") -> None:
        self._bot = bot
        self._woken = asyncio.Event()
        self._uploads = asyncio.Semaphore(UPLOADS_AT_ONCE)
        self._starred: dict[Key, discord.RawReactionActionEvent] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._due: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._sweep_due = 0.0

    def starred(self, reaction: discord.RawReactionActionEvent) -> None:
        """Somebody gave a message a reaction: if it is a star for one of ours, count them soon."""
        ours = self._bot.user is not None and reaction.message_author_id == self._bot.user.id
        if ours and reaction.guild_id is not None and str(reaction.emoji) == STAR:
            self._starred[reaction.message_id, STAR] = reaction
            self._woken.set()

    async def run(self) -> None:
        """Count and post until cancelled; what is under way then gets a few seconds to end."""
        try:
            while True:
                self._woken.clear()
                busy = await self._look()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), LOOK_EVERY if busy else LOOK_EVERY_IDLE)
        finally:
            if self._tasks:
                _, late = await asyncio.wait(self._tasks.values(), timeout=DRAIN)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)

    async def _look(self) -> bool:
        """Start whatever is due; whether anything is left to do soon."""
        now = time.monotonic()
        self._due = {key: due for key, due in self._due.items() if due > now}
        for key, reaction in list(self._starred.items()):
            if self._is_free(key):
                del self._starred[key]
                self._start(key, self._count(key, reaction))
        try:
            if now >= self._sweep_due:
                self._sweep_due = now + SWEEP_EVERY
                async with self._bot.database.write() as session:
                    await gallery.take_down_removed(session)
            async with self._bot.database.read() as session:
                found = await gallery.due(session)
        except Exception:
            log.exception("gallery_not_read")
            return bool(self._starred)
        for one in found:
            if self._is_free((one.guild_id, one.riff_id)):
                self._start((one.guild_id, one.riff_id), self._settle(one))
        return bool(found or self._starred)

    def _is_free(self, key: Key) -> bool:
        return key not in self._tasks and key not in self._due

    def _start(self, key: Key, work: Coroutine[Any, Any, None]) -> None:
        self._tasks[key] = asyncio.create_task(self._guard(key, work), name=f"gallery-{key[0]}-{key[1]}")

    async def _guard(self, key: Key, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            self._due[key] = time.monotonic() + BACKOFF[min(failures, len(BACKOFF)) - 1]
            log.warning("gallery_delayed", key=key, failures=failures, exc_info=error)
        else:
            self._failures.pop(key, None)
            self._due[key] = time.monotonic() + EDIT_EVERY
        finally:
            del self._tasks[key]
            self._woken.set()

    # Counting

    async def _count(self, key: Key, reaction: discord.RawReactionActionEvent) -> None:
        """Write down that a riff is to hang, if it has the stars for it."""
        try:
            starred = await self._found(reaction)
        except (discord.NotFound, discord.Forbidden) as refusal:
            log.info("stars_not_counted", message=reaction.message_id, reason=str(refusal))
            return
        except Exception:
            self._starred.setdefault(key, reaction)
            raise
        if starred is not None:
            async with self._bot.database.write() as session:
                await gallery.star(session, starred)

    async def _found(self, reaction: discord.RawReactionActionEvent) -> Starred | None:
        """The riff that a message brought, if its stars are enough for the gallery of its server."""
        assert reaction.guild_id is not None
        rules = await self._bot.rules.of(reaction.guild_id)
        if rules.gallery_channel is None:
            return None
        async with self._bot.database.read() as session:
            delivery = await repository.delivered_as(session, reaction.message_id)
        if delivery is None or self._is_behind_age_gate(reaction, rules.gallery_channel):
            return None
        stars = await self._stars(reaction, delivery.user_id)
        if stars < rules.gallery_stars:
            return None
        return Starred(
            reaction.guild_id,
            delivery.riff_id,
            stars,
            rules.gallery_channel,
            reaction.channel_id,
            reaction.message_id,
        )

    def _is_behind_age_gate(self, reaction: discord.RawReactionActionEvent, gallery_channel: int) -> bool:
        """Whether it would bring what was made behind an age gate before everybody."""
        guild = self._bot.get_guild(reaction.guild_id or 0)
        if guild is None:
            return False
        origin, wall = guild.get_channel_or_thread(reaction.channel_id), guild.get_channel(gallery_channel)
        return bool(getattr(origin, "nsfw", False)) and not getattr(wall, "nsfw", False)

    async def _stars(self, reaction: discord.RawReactionActionEvent, maker: int) -> int:
        """How many stars a message has, besides its maker's own."""
        place = self._bot.get_partial_messageable(reaction.channel_id, guild_id=reaction.guild_id)
        message = await place.fetch_message(reaction.message_id)
        given = discord.utils.find(lambda each: str(each.emoji) == STAR, message.reactions)
        if given is None:
            return 0
        stars = given.count
        kinds = {
            discord.ReactionType.normal: given.normal_count,
            discord.ReactionType.burst: given.burst_count,
        }
        for kind, count in kinds.items():
            if count and maker:
                # They come in the order of their ids.
                first = given.users(limit=1, after=discord.Object(maker - 1), type=kind)
                stars -= len([person async for person in first if person.id == maker])
        return stars

    # Posting

    async def _settle(self, one: GalleryPost) -> None:
        """Do what is to be done about a riff's place."""
        if one.state == Hanging.LEAVING:
            await self._take_off(one)
        elif one.message_id is None:
            async with self._uploads:
                await self._hang(one)
        else:
            await self._say_stars(one, one.message_id)

    async def _hang(self, one: GalleryPost) -> None:
        async with self._bot.database.read() as session:
            order = await studio.get(session, one.riff_id)
            delivery = await session.get(Delivery, one.riff_id)
        if not order.loops or delivery is None or not delivery.user_id:
            await self._take_off(one)
            return
        try:
            message_id = await self._post(one, order, delivery)
        except Exception as refusal:
            # What was refused for certain does not hang there, so it may hang elsewhere.
            certain = isinstance(refusal, discord.NotFound | discord.Forbidden)
            rules = await self._bot.rules.of(one.guild_id)
            channel_id = rules.gallery_channel if certain else one.channel_id
            for_good = isinstance(refusal, discord.NotFound)
            async with self._bot.database.write() as session:
                await gallery.refused(session, one, str(refusal), for_good=for_good, channel_id=channel_id)
            raise
        async with self._bot.database.write() as session:
            await gallery.posted(session, one, message_id)
        log.info("hung", riff=one.riff_id, guild=one.guild_id, stars=one.stars)

    async def _post(self, one: GalleryPost, order: RiffOrder, delivery: Delivery) -> int:
        """Put it into the channel, or find it there: never a second time. The id of its message."""
        channel = self._bot.get_partial_messageable(one.channel_id, guild_id=one.guild_id)
        if one.attempts:
            before = await self._hung_before(channel, one)
            if before is not None:
                return before
        async with self._bot.database.write() as session:
            await gallery.posting(session, one)
        # Discord answers a nonce that it saw in the last minutes with the message that it belongs to.
        nonce = hashlib.sha256(f"{one.guild_id} {one.riff_id}".encode()).hexdigest()[:25]
        guild = self._bot.get_guild(one.guild_id)
        most = BASE_FILESIZE if guild is None else guild.filesize_limit
        for limit in sorted({most, BASE_FILESIZE, 0}, reverse=True):
            post = await self._shown(one, order, delivery, limit)
            try:
                return (await channel.send(**post.as_answer(), nonce=nonce)).id
            except discord.HTTPException as refusal:
                if not limit or (refusal.status != 413 and refusal.code != TOO_LARGE):
                    raise
        raise AssertionError("a message without files was too large")

    async def _hung_before(self, channel: discord.PartialMessageable, one: GalleryPost) -> int | None:
        """The message that an attempt before this one has left; None where there is none, or it must not be read."""
        with contextlib.suppress(discord.Forbidden, discord.NotFound):
            async for message in channel.history(limit=HISTORY):
                ours = self._bot.user is not None and message.author.id == self._bot.user.id
                if ours and any(_origin(one) in (embed.description or "") for embed in message.embeds):
                    return message.id
        return None

    async def _shown(
        self, one: GalleryPost, order: RiffOrder, delivery: Delivery, filesize_limit: int
    ) -> Post:
        bot = self._bot
        rules = await bot.rules.of(one.guild_id)
        language = rules.language or delivery.language
        request = RiffRequest.from_dict(order.request)
        audio, picture = await recordings.attached(bot.storage, bot.formats, order.loops, filesize_limit)
        credit = say(language, "By {person}", person=f"<@{delivery.user_id}>")
        link = f"[{say(language, 'Go to it')}]({_origin(one)})"
        embed = discord.Embed(
            description=f"{messages.headline(request)}\n{credit} · {link}", colour=messages.COLOUR
        )
        public_url = bot.settings.public_url
        if public_url:
            embed.title = say(language, "Listen on the web")
            embed.url = f"{public_url}/loops/{order.loops[0].id}"
        embed.set_footer(text=say(language, messages.LICENCE))
        files = [file for recording in audio for file in recording]
        if picture is not None:
            embed.set_image(url="attachment://spectrogram.png")
            files.append(messages.Attached("spectrogram.png", picture))
        post = Post(content=_stars_line(one), embed=embed, attached=tuple(files), wish=request)
        return post.behind_spoilers() if rules.spoiler else post

    async def _say_stars(self, one: GalleryPost, message_id: int) -> None:
        channel = self._bot.get_partial_messageable(one.channel_id, guild_id=one.guild_id)
        try:
            await channel.get_partial_message(message_id).edit(content=_stars_line(one))
        except discord.NotFound:
            async with self._bot.database.write() as session:
                await gallery.left(session, one)
            return
        except discord.Forbidden as refusal:
            log.info("stars_not_said", riff=one.riff_id, guild=one.guild_id, reason=str(refusal))
        async with self._bot.database.write() as session:
            await gallery.said(session, one)

    async def _take_off(self, one: GalleryPost) -> None:
        channel = self._bot.get_partial_messageable(one.channel_id, guild_id=one.guild_id)
        message_id = one.message_id
        if message_id is None and one.attempts:
            message_id = await self._hung_before(channel, one)
        if message_id is not None:
            with contextlib.suppress(discord.NotFound, discord.Forbidden):
                await channel.get_partial_message(message_id).delete()
        async with self._bot.database.write() as session:
            await gallery.left(session, one)


def _stars_line(one: GalleryPost) -> str:
    return f"{STAR} **{one.stars}** · <#{one.origin_channel}>"


def _origin(one: GalleryPost) -> str:
    return f"https://discord.com/channels/{one.guild_id}/{one.origin_channel}/{one.origin_message}"
