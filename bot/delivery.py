"""Brings every riff that was asked for in chat back to where it was asked for.

What is open stands in the database, so it does not matter when the bot was stopped or killed: the next one reads
the same rows. Each pass looks at all open deliveries with one query and starts what is due, at most one thing per
riff at a time; a delivery that Discord keeps refusing waits for its own next attempt and holds up nobody.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import discord
import structlog

from bot import messages, recordings, repository
from bot.messages import Post
from bot.models import Delivery
from bot.repository import OpenDelivery
from generation.request import RiffRequest
from market.catalog.formats import Formats
from market.db import Database
from market.errors import AssetMissing
from market.storage import Storage
from market.studio import service as studio
from market.studio.models import OPEN, RiffOrder, Status

log = structlog.get_logger(__name__)

EDIT_EVERY = 2.5  # seconds; Discord takes about five messages per five seconds in a channel
LOOK_EVERY = 0.25
LOOK_EVERY_IDLE = 2.0
BACKOFF = (2.0, 5.0, 15.0, 60.0, 300.0)
GIVE_UP_AFTER = timedelta(days=1)
# An edit that starts later than this before the end of the token could arrive after it.
TOKEN_MARGIN = timedelta(seconds=20)
ANSWER_GRACE = timedelta(seconds=5)
UPLOADS_AT_ONCE = 32
DRAIN = 10.0

UNKNOWN_MESSAGE, UNKNOWN_WEBHOOK, TOO_LARGE, INVALID_TOKEN = 10008, 10015, 40005, 50027


class NowhereToPost(Exception):
    """Neither the message nor the channel nor the person can be reached, and waiting will not change that."""


class Deliveries:
    """The part of the bot's process that posts and edits what orders became."""

    def __init__(
        self, bot: discord.Client, database: Database, storage: Storage, formats: Formats, public_url: str
    ) -> None:
        self._bot = bot
        self._database = database
        self._storage = storage
        self._formats = formats
        self._public_url = public_url
        self._woken = asyncio.Event()
        self._uploads = asyncio.Semaphore(UPLOADS_AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._report_due: dict[str, float] = {}
        self._retry_due: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._shown: dict[str, str] = {}

    def wake(self) -> None:
        """Look now: there is a new order."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled; what is under way then gets a few seconds to end."""
        try:
            while True:
                self._woken.clear()
                waiting = await self._look()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), LOOK_EVERY if waiting else LOOK_EVERY_IDLE)
        finally:
            if self._tasks:
                _, late = await asyncio.wait(self._tasks.values(), timeout=DRAIN)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)

    async def _look(self) -> bool:
        """Start whatever is due; whether anything is open at all."""
        try:
            async with self._database.read() as session:
                found = await repository.open_deliveries(session)
        except Exception:
            log.exception("deliveries_not_read")
            return False
        now = time.monotonic()
        for entry in found:
            delivery = entry.delivery
            if delivery.riff_id in self._tasks or now < self._retry_due.get(delivery.riff_id, 0.0):
                continue
            # The first answer is under way: nothing can be edited before it stands.
            if delivery.message_id is None and datetime.now(UTC) - entry.ordered_at < ANSWER_GRACE:
                continue
            if entry.status not in OPEN:
                self._start(delivery.riff_id, self._bring(delivery.riff_id))
            elif now >= self._report_due.get(delivery.riff_id, 0.0) and _has_news(entry):
                self._start(delivery.riff_id, self._report(delivery.riff_id))
        return bool(found)

    def _start(self, riff_id: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks[riff_id] = asyncio.create_task(self._guard(riff_id, work), name=f"delivery-{riff_id}")

    async def _guard(self, riff_id: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            failures = self._failures[riff_id] = self._failures.get(riff_id, 0) + 1
            self._retry_due[riff_id] = time.monotonic() + BACKOFF[min(failures, len(BACKOFF)) - 1]
            log.warning("delivery_delayed", riff=riff_id, failures=failures, exc_info=error)
        else:
            self._failures.pop(riff_id, None)
        finally:
            del self._tasks[riff_id]

    async def _report(self, riff_id: str) -> None:
        """Edit the deferred message: the place in the queue, or the picture as it stands."""
        try:
            await self._show(riff_id)
        finally:
            self._report_due[riff_id] = time.monotonic() + EDIT_EVERY

    async def _show(self, riff_id: str) -> None:
        async with self._database.read() as session:
            delivery = await session.get_one(Delivery, riff_id)
            order = await studio.get(session, riff_id)
            events = await studio.events(session, riff_id, after=delivery.posted_event_seq)
            place = await studio.place_in_queue(session, order)
        request = RiffRequest.from_dict(order.request)
        last = events[-1].body if events else {}
        if last.get("type") == "progress":
            post = messages.making(delivery.language, riff_id, request, last, await self._preview(last))
        elif order.status in OPEN:
            post = messages.waiting(delivery.language, riff_id, request, place)
        else:
            return
        if post.text != self._shown.get(riff_id):
            try:
                await self._edit(delivery, post)
            except discord.HTTPException as refusal:
                if not _message_lost(refusal):
                    raise
                await self._record(riff_id, token_expires_at=datetime.now(UTC), last_error=str(refusal))
                return
        self._shown[riff_id] = post.text
        if events:
            await self._record(riff_id, posted_event_seq=events[-1].seq)

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
        try:
            return await self._put(delivery, await self._result(delivery, order, delivery.filesize_limit))
        except discord.HTTPException as refusal:
            if refusal.status != 413 and refusal.code != TOO_LARGE:
                raise
        return await self._put(delivery, await self._result(delivery, order, 0))

    async def _result(self, delivery: Delivery, order: RiffOrder, filesize_limit: int) -> Post:
        if order.status != Status.DONE:
            return messages.failed(delivery.language, order)
        if not order.loops:
            return messages.gone(delivery.language, order)
        pictures = [await self._storage.get(loop.png) for loop in order.loops]
        sheet = await asyncio.to_thread(messages.sheet, pictures)
        picture = await self._formats.signed_bytes(sheet, "image/png", order.loops, "spectrogram.png")
        room = recordings.room_for_audio(len(order.loops), len(picture), filesize_limit)
        audio = [await recordings.fitting(self._storage, self._formats, loop, room) for loop in order.loops]
        shown = picture if len(picture) <= filesize_limit else None
        return messages.finished(delivery.language, order, order.loops, audio, shown, self._public_url)

    async def _put(self, delivery: Delivery, post: Post) -> int:
        """Into the deferred message while its token lives, else into the channel, else to the person."""
        if _token_works(delivery):
            try:
                return await self._edit(delivery, post)
            except discord.HTTPException as refusal:
                if not _message_lost(refusal):
                    raise
                log.info("message_lost", riff=delivery.riff_id, reason=str(refusal))
                await self._record(
                    delivery.riff_id, token_expires_at=datetime.now(UTC), last_error=str(refusal)
                )
        reason: Exception | None = None
        for way in (self._in_channel, self._in_person):
            try:
                return await way(delivery, post)
            except (discord.Forbidden, discord.NotFound, NowhereToPost) as refusal:
                log.info("closed", riff=delivery.riff_id, reason=str(refusal))
                reason = refusal
        raise NowhereToPost(str(reason))

    async def _edit(self, delivery: Delivery, post: Post) -> int:
        """Edit the answer to the interaction, with nothing but what the row holds."""
        webhook = discord.Webhook.partial(
            delivery.application_id, delivery.interaction_token or "", client=self._bot
        )
        # discord.py types the id as a number; Discord takes this name for the interaction's own message.
        message = await webhook.edit_message(cast(int, "@original"), **post.as_edit())
        return message.id

    async def _in_channel(self, delivery: Delivery, post: Post) -> int:
        """Post into the channel, in place of the message that can no longer be edited."""
        if delivery.channel_id is None:
            raise NowhereToPost("the channel is of a kind that discord.py does not know")
        channel = self._bot.get_partial_messageable(delivery.channel_id, guild_id=delivery.guild_id)
        sent = await self._say(channel, delivery, post)
        if delivery.message_id is not None:
            with contextlib.suppress(discord.HTTPException):
                await channel.get_partial_message(delivery.message_id).delete()
        return sent

    async def _in_person(self, delivery: Delivery, post: Post) -> int:
        return await self._say(await self._bot.create_dm(discord.Object(delivery.user_id)), delivery, post)

    async def _say(self, channel: discord.abc.Messageable, delivery: Delivery, post: Post) -> int:
        # Discord answers a nonce that it has just seen with the message that it belongs to: a crash between
        # posting and writing that down does not post twice.
        nonce = hashlib.sha256(delivery.riff_id.encode()).hexdigest()[:25]
        message = await channel.send(**post.as_new(delivery.user_id), nonce=nonce)
        return message.id

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
        for memory in (self._report_due, self._retry_due, self._failures, self._shown):
            memory.pop(riff_id, None)


def _has_news(entry: OpenDelivery) -> bool:
    """Whether there is something to show before the end, and a message to show it in."""
    queued = entry.status == Status.QUEUED
    return _token_works(entry.delivery) and (
        queued or entry.newest_event_seq > entry.delivery.posted_event_seq
    )


def _token_works(delivery: Delivery) -> bool:
    return (
        delivery.interaction_token is not None
        and datetime.now(UTC) < delivery.token_expires_at - TOKEN_MARGIN
    )


def _message_lost(refusal: discord.HTTPException) -> bool:
    return refusal.status == 401 or refusal.code in (UNKNOWN_MESSAGE, UNKNOWN_WEBHOOK, INVALID_TOKEN)
