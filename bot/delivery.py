"""Brings every riff that was asked for in chat back to where it was asked for.

What is open stands in the database, so it does not matter when the bot was stopped or killed: the next one reads
the same rows. Each pass looks at all open deliveries with one query and starts what is due, at most one thing per
riff at a time, so that an older state never overwrites a newer one; a delivery that Discord keeps refusing waits for
its own next attempt and holds up nobody.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import aiohttp
import discord
import structlog

from bot import messages, permissions, recordings, repository
from bot.guilds import GuildRules
from bot.messages import Post
from bot.models import Delivery
from bot.repository import OpenDelivery
from generation.request import RiffRequest
from market.catalog.formats import Formats
from market.db import Database
from market.errors import AssetMissing
from market.language import say
from market.storage import Storage
from market.studio import service as studio
from market.studio.models import OPEN, RiffOrder, Status
from market.studio.service import QueuePlace

log = structlog.get_logger(__name__)

EDIT_EVERY = 2.5  # seconds; Discord takes about five messages per five seconds in a channel
PLACES_EVERY = 5.0
LOOK_EVERY = 0.25
LOOK_EVERY_IDLE = 2.0
BACKOFF = (2.0, 5.0, 15.0, 60.0, 300.0)
GIVE_UP_AFTER = timedelta(days=1)
# An edit that starts later than this before the end of the token could arrive after it.
TOKEN_MARGIN = timedelta(seconds=20)
# What another process is answering, one that is being stopped or was killed, is left to it for so long.
ANSWER_GRACE = timedelta(seconds=5)
# After this, a picture that Discord does not take is given up: the next one is newer.
REPORT_PATIENCE = 60.0
UPLOADS_AT_ONCE = 16
DRAIN = 10.0
# What every channel takes; a direct message less than a boosted server.
BASE_FILESIZE = 10 << 20
HISTORY = 50

TOO_LARGE = 40005


class NowhereToPost(Exception):
    """Neither the message nor the channel nor the person can be reached, and waiting will not change that."""


class Deliveries:
    """The part of the bot's process that posts and edits what orders became."""

    def __init__(
        self,
        bot: discord.Client,
        database: Database,
        rules: GuildRules,
        storage: Storage,
        formats: Formats,
        public_url: str,
    ) -> None:
        self._bot = bot
        self._rules = rules
        self._database = database
        self._storage = storage
        self._formats = formats
        self._public_url = public_url
        self._woken = asyncio.Event()
        self._answering: dict[asyncio.Task[Any] | None, str] = {}
        self._answered: set[str] = set()
        self._notes: dict[str, dict[str, Any]] = {}
        self._uploads = asyncio.Semaphore(UPLOADS_AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._reported: dict[str, float] = {}
        self._places: Mapping[str, QueuePlace] = {}
        self._places_due = 0.0
        self._retry_due: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._shown: dict[str, str] = {}

    def wake(self) -> None:
        """Look now: something has changed."""
        self._woken.set()

    @contextlib.contextmanager
    def answering(self, interaction_token: str) -> Iterator[None]:
        """While the first answer to an interaction is under way, what it ordered is left alone."""
        task = asyncio.current_task()
        self._answering[task] = interaction_token
        try:
            yield
        finally:
            del self._answering[task]

    def note(self, riff_id: str, values: Mapping[str, Any]) -> None:
        """Keep what is known of a message in its row, with the next look: one transaction for all that is noted."""
        known = {name: value for name, value in values.items() if value is not None}
        if known:
            self._notes[riff_id] = self._notes.get(riff_id, {}) | known

    def answered(self, riff_id: str, shown: str | None) -> None:
        """The first answer stands, as far as it ever will; `shown` is the text that it has, if it has one."""
        self._answered.add(riff_id)
        if shown is None:
            self._places_due = 0.0
        else:
            self._shown[riff_id] = shown
            self._reported[riff_id] = time.monotonic()
        self.wake()

    async def run(self) -> None:
        """Deliver until cancelled; what is under way then gets a few seconds to end."""
        try:
            while True:
                self._woken.clear()
                waiting = await self._look()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), LOOK_EVERY if waiting else LOOK_EVERY_IDLE)
        finally:
            under_way = {*self._tasks.values(), *(task for task in self._answering if task is not None)}
            if under_way:
                _, late = await asyncio.wait(under_way, timeout=DRAIN)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)

    async def _look(self) -> bool:
        """Start whatever is due; whether anything is open at all."""
        now = time.monotonic()
        try:
            await self._write_notes()
            async with self._database.read() as session:
                found = await repository.open_deliveries(session)
                if now >= self._places_due and any(entry.status == Status.QUEUED for entry in found):
                    self._places = await studio.places_in_queue(session)
                    self._places_due = now + PLACES_EVERY
        except Exception:
            log.exception("deliveries_not_read")
            return False
        for entry in found:
            riff_id = entry.delivery.riff_id
            if (
                riff_id in self._tasks
                or now < self._retry_due.get(riff_id, 0.0)
                or self._is_being_answered(entry)
            ):
                continue
            if entry.status not in OPEN:
                self._start(riff_id, self._bring(riff_id))
            elif _token_works(entry.delivery):
                self._report(entry, now - self._reported.get(riff_id, 0.0))
        return bool(found)

    async def _write_notes(self) -> None:
        notes, self._notes = self._notes, {}
        if not notes:
            return
        try:
            async with self._database.write() as session:
                for riff_id, values in notes.items():
                    await repository.change_open(session, riff_id, **values)
        except BaseException:
            self._notes = notes | self._notes
            raise

    def _is_being_answered(self, entry: OpenDelivery) -> bool:
        """Whether the first answer is still under way: nothing can be edited before it stands."""
        delivery = entry.delivery
        if delivery.message_id is not None or delivery.riff_id in self._answered:
            return False
        if delivery.interaction_token in self._answering.values():
            return True
        return datetime.now(UTC) - entry.ordered_at < ANSWER_GRACE

    def _report(self, entry: OpenDelivery, since: float) -> None:
        """Show how far a riff is, if there is news: its place in the queue, or the picture as it stands."""
        delivery = entry.delivery
        if entry.status == Status.QUEUED:
            place = self._places.get(delivery.riff_id)
            if since < PLACES_EVERY or place is None:
                return
            request = RiffRequest.from_dict(entry.request)
            post = messages.waiting(delivery.language, delivery.riff_id, request, place)
            if post.text != self._shown.get(delivery.riff_id):
                self._start(delivery.riff_id, self._show(delivery, post))
        elif since >= EDIT_EVERY and entry.newest_event_seq > delivery.posted_event_seq:
            self._start(delivery.riff_id, self._show_making(delivery.riff_id))

    def _start(self, riff_id: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks[riff_id] = asyncio.create_task(self._guard(riff_id, work), name=f"delivery-{riff_id}")

    async def _guard(self, riff_id: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            failures = self._failures[riff_id] = self._failures.get(riff_id, 0) + 1
            self._retry_due[riff_id] = time.monotonic() + BACKOFF[min(failures, len(BACKOFF)) - 1]
            known = isinstance(error, discord.HTTPException | aiohttp.ClientError | OSError)
            log.warning(
                "delivery_delayed",
                riff=riff_id,
                failures=failures,
                reason=str(error) or type(error).__name__,
                exc_info=None if known else error,
            )
        else:
            self._failures.pop(riff_id, None)
        finally:
            del self._tasks[riff_id]

    async def _show_making(self, riff_id: str) -> None:
        """Show the newest of what has happened, and remember that."""
        async with self._database.read() as session:
            delivery = await session.get_one(Delivery, riff_id)
            order = await studio.get(session, riff_id)
            events = await studio.events(session, riff_id, after=delivery.posted_event_seq)
            place = await studio.place_in_queue(session, order)
        request = RiffRequest.from_dict(order.request)
        if order.status not in OPEN or not events:
            return
        last = events[-1].body
        if last["type"] == "progress":
            post = messages.making(delivery.language, riff_id, request, last, await self._preview(last))
        else:
            post = messages.waiting(delivery.language, riff_id, request, place)
        await self._show(delivery, post, posted_event_seq=events[-1].seq)

    async def _show(self, delivery: Delivery, post: Post, **values: Any) -> None:
        """Edit the message before the end, and note `values` in its row."""
        riff_id = delivery.riff_id
        try:
            if post.text != self._shown.get(riff_id):
                async with asyncio.timeout(REPORT_PATIENCE):
                    message_id = await self._edit(delivery, post)
                self._shown[riff_id] = post.text
                if delivery.message_id is None:
                    values["message_id"] = message_id
        except discord.HTTPException as refusal:
            if not _message_lost(refusal):
                raise
            values = {"token_expires_at": datetime.now(UTC), "last_error": str(refusal)}
        finally:
            self._reported[riff_id] = time.monotonic()
        if values:
            await self._record(riff_id, **values)

    async def _bring(self, riff_id: str) -> None:
        """Deliver what the riff ended as, and close the delivery."""
        async with self._uploads:
            async with self._database.read() as session:
                delivery = await session.get_one(Delivery, riff_id)
                order = await studio.get(session, riff_id)
            try:
                message_id = await self._post(delivery, order)
            except NowhereToPost as error:
                log.warning("undeliverable", riff=riff_id, reason=str(error))
                await self._close(riff_id, "undeliverable", last_error=str(error))
            except Exception as error:
                if datetime.now(UTC) - (order.finished_at or order.created_at) > GIVE_UP_AFTER:
                    log.error("undeliverable", riff=riff_id, exc_info=error)
                    await self._close(riff_id, "undeliverable", last_error=str(error))
                    return
                await self._record(riff_id, attempts=delivery.attempts + 1, last_error=str(error))
                raise
            else:
                await self._close(riff_id, "delivered", message_id=message_id, delivered_at=datetime.now(UTC))

    async def _post(self, delivery: Delivery, order: RiffOrder) -> int:
        """Put the result where it can be seen; the id of the message that it is in."""
        # The place may take less than Discord said of the first one; without files it takes it at all events.
        limits = sorted(
            {delivery.filesize_limit, min(delivery.filesize_limit, BASE_FILESIZE), 0}, reverse=True
        )
        for limit in limits[:-1]:
            try:
                return await self._put(delivery, await self._result(delivery, order, limit))
            except discord.HTTPException as refusal:
                if not _too_large(refusal):
                    raise
        return await self._put(delivery, await self._result(delivery, order, limits[-1]))

    async def _result(self, delivery: Delivery, order: RiffOrder, filesize_limit: int) -> Post:
        # Whoever has left takes nothing any more.
        if order.status != Status.DONE or not delivery.user_id:
            return messages.failed(delivery.language, order)
        if not order.loops:
            return messages.gone(delivery.language, order)
        audio, picture = await recordings.attached(self._storage, self._formats, order.loops, filesize_limit)
        return messages.finished(delivery.language, order, order.loops, audio, picture, self._public_url)

    async def _put(self, delivery: Delivery, post: Post) -> int:
        """Into the deferred message while its token lives, else into the channel, else to the person."""
        if _token_works(delivery):
            try:
                return await self._edit(delivery, post)
            except discord.HTTPException as refusal:
                if not _message_lost(refusal):
                    raise
                log.info("message_lost", riff=delivery.riff_id, reason=str(refusal))
                delivery.token_expires_at = datetime.now(UTC)
                await self._record(
                    delivery.riff_id, token_expires_at=delivery.token_expires_at, last_error=str(refusal)
                )
        reason: Exception | None = None
        for way in (self._in_channel, self._in_person):
            try:
                return await way(delivery, post)
            except (discord.HTTPException, NowhereToPost) as refusal:
                if isinstance(refusal, discord.HTTPException) and not _closed(refusal):
                    raise
                log.info("closed", riff=delivery.riff_id, reason=str(refusal))
                reason = refusal
        raise NowhereToPost(str(reason))

    async def _edit(self, delivery: Delivery, post: Post) -> int:
        """Edit the answer to the interaction, with nothing but what the row holds."""
        webhook = discord.Webhook.partial(
            delivery.application_id, delivery.interaction_token or "", client=self._bot
        )
        # discord.py types the id as a number; Discord takes this name for the interaction's own message.
        post = await self._as_allowed(delivery, post)
        message = await webhook.edit_message(cast(int, "@original"), **post.as_edit())
        return message.id

    async def _as_allowed(self, delivery: Delivery, post: Post) -> Post:
        """A post as the server wants it shown."""
        rules = await self._rules.of(delivery.guild_id)
        return post.behind_spoilers() if rules.spoiler else post

    async def _in_channel(self, delivery: Delivery, post: Post) -> int:
        """Post into the channel, in place of the message that can no longer be edited."""
        if delivery.channel_id is None:
            raise NowhereToPost("the channel is of a kind that discord.py does not know")
        channel = self._bot.get_partial_messageable(delivery.channel_id, guild_id=delivery.guild_id)
        sent = await self._say(channel, delivery, await self._as_allowed(delivery, post))
        if delivery.message_id is not None:
            with contextlib.suppress(discord.HTTPException):
                await channel.get_partial_message(delivery.message_id).delete()
        return sent

    async def _in_person(self, delivery: Delivery, post: Post) -> int:
        if not delivery.user_id:
            raise NowhereToPost("the person has left")
        if delivery.guild_id is not None and self._bot.get_guild(delivery.guild_id) is not None:
            why = say(
                delivery.language,
                "I may not post in {channel}: whoever runs that server can allow me {permissions} there.",
                channel=f"<#{delivery.channel_id}>",
                permissions=permissions.listed(delivery.language, permissions.POSTING),
            )
            post = replace(post, content=f"{why}\n{post.content or ''}".strip())
        return await self._say(await self._bot.create_dm(discord.Object(delivery.user_id)), delivery, post)

    async def _say(self, channel: discord.abc.Messageable, delivery: Delivery, post: Post) -> int:
        """Send a message, or find the one that was sent before the bot was stopped: never a second one."""
        if delivery.attempts:
            sent = await self._sent_before(channel, delivery, post)
            if sent is not None:
                return sent
        else:
            delivery.attempts = 1
            await self._record(delivery.riff_id, attempts=1)
        # Discord answers a nonce that it saw in the last minutes with the message that it belongs to.
        nonce = hashlib.sha256(delivery.riff_id.encode()).hexdigest()[:25]
        message = await channel.send(**post.as_new(delivery.user_id), nonce=nonce)
        return message.id

    async def _sent_before(
        self, channel: discord.abc.Messageable, delivery: Delivery, post: Post
    ) -> int | None:
        """The message with this result among the newest of a channel; None where it is not, or must not be read."""
        said = post.as_new(delivery.user_id)["content"]
        with contextlib.suppress(discord.Forbidden, discord.NotFound):
            async for message in channel.history(limit=HISTORY):
                ours = self._bot.user is not None and message.author.id == self._bot.user.id
                if ours and message.content == said and delivery.riff_id in _custom_ids(message):
                    return message.id
        return None

    async def _preview(self, event: dict[str, Any]) -> bytes | None:
        try:
            return await self._storage.get(event["preview"]) if event.get("preview") else None
        except AssetMissing:
            return None

    async def _record(self, riff_id: str, **values: Any) -> None:
        async with self._database.write() as session:
            await repository.change_open(session, riff_id, **values)

    async def _close(self, riff_id: str, state: str, **values: Any) -> None:
        await self._record(riff_id, state=state, interaction_token=None, **values)
        self._answered.discard(riff_id)
        for memory in (self._reported, self._retry_due, self._failures, self._shown):
            memory.pop(riff_id, None)


def _token_works(delivery: Delivery) -> bool:
    return (
        delivery.interaction_token is not None
        and datetime.now(UTC) < delivery.token_expires_at - TOKEN_MARGIN
    )


def _message_lost(refusal: discord.HTTPException) -> bool:
    """Whether the answer to the interaction, or the right to edit it, is gone for good."""
    return refusal.status in (401, 403, 404)


def _too_large(refusal: discord.HTTPException) -> bool:
    return refusal.status == 413 or refusal.code == TOO_LARGE


def _closed(refusal: discord.HTTPException) -> bool:
    """Whether a place does not take the message, now or later."""
    return 400 <= refusal.status < 500 and refusal.status != 429 and not _too_large(refusal)


def _custom_ids(message: discord.Message) -> str:
    rows = (row for row in message.components if isinstance(row, discord.ActionRow))
    return " ".join(item.custom_id or "" for row in rows for item in row.children)
