"""From an interaction to an order: what the slash commands, the buttons and the forms have in common."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import discord
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from bot import access, answers, arrangements, messages, people
from bot.messages import Post
from bot.models import Delivery
from generation.request import RiffRequest
from market.catalog import service as catalog
from market.studio import service as studio

if TYPE_CHECKING:
    from bot.client import RiffBot

log = structlog.get_logger(__name__)

# Gives the request that is ordered, in the transaction that orders it, for an owner.
Wish = Callable[[AsyncSession, str], Awaitable[RiffRequest]]


@dataclass(frozen=True, slots=True)
class Placed:
    """An order that stands. `fresh` is false where the same interaction had made it before."""

    riff_id: str
    waiting: Post
    fresh: bool


def idempotency_key(interaction: discord.Interaction["RiffBot"]) -> str:
    """What makes an interaction that the gateway sends twice one order."""
    return f"dc:{interaction.id}"


def seed_of(interaction: discord.Interaction["RiffBot"]) -> int:
    """The seed for a request that names none: the same interaction gives the same one."""
    return studio.seed_of(idempotency_key(interaction))


async def order(interaction: discord.Interaction["RiffBot"], wish: Wish) -> None:
    """Order what `wish` gives, and show where it stands in the queue: the whole answer of a command or a button.

    The answer comes after the commit, or, where that takes long, as a sign that the bot is at work. Raises what the
    wish raises, Suspended, NotAllowedHere, CapExceeded and what `studio.place` raises: nothing is ordered then. What
    is ordered stands, whether Discord takes the answer or not.
    """
    deliveries = interaction.client.deliveries
    with deliveries.answering(interaction.token):
        placed = await answers.soon(interaction, _place(interaction, wish), ephemeral=False)
        known: dict[str, Any] = {"message_id": interaction.extras.get("message_id")}
        shown = None
        if "private" not in interaction.extras:
            known = await _answer(interaction, placed)
            shown = placed.waiting.text
    deliveries.note(placed.riff_id, known)
    if placed.fresh:
        deliveries.answered(placed.riff_id, shown)


async def order_given(interaction: discord.Interaction["RiffBot"], given: Mapping[str, object]) -> None:
    """Order what a command was given, by the names of RiffRequest.parse. Raises what `studio.request_of` does."""

    async def wish(session: AsyncSession, owner: str) -> RiffRequest:
        return await studio.request_of(session, given, seed=seed_of(interaction), owner=owner)

    await order(interaction, wish)


async def order_from(
    interaction: discord.Interaction["RiffBot"], loop_id: str, change: Callable[[RiffRequest], RiffRequest]
) -> None:
    """Order what `change` makes of a loop's request. Raises NotFound, LicenceNeeded and LoopRemoved besides."""

    async def wish(session: AsyncSession, owner: str) -> RiffRequest:
        loop = await catalog.get(session, loop_id)
        request = change(catalog.request_of(loop))
        await catalog.require_remake(session, loop, request, owner)
        return request

    await order(interaction, wish)


async def _place(interaction: discord.Interaction["RiffBot"], wish: Wish) -> Placed:
    """Order, together with the row that brings the result back: both or neither."""
    language = await access.public_language(interaction)
    async with interaction.client.database.write() as session:
        account = await people.active(session, interaction)
        request = await wish(session, account.owner)
        arrangements.require_room(request)
        await access.require_request(interaction, request)
        riff = await studio.place(
            session,
            request,
            owner=account.owner,
            door="discord",
            idempotency_key=idempotency_key(interaction),
            guild_id=None if interaction.guild_id is None else str(interaction.guild_id),
        )
        fresh = await session.get(Delivery, riff.id) is None
        if fresh:
            session.add(
                Delivery(
                    riff_id=riff.id,
                    language=language,
                    application_id=interaction.application_id,
                    interaction_token=interaction.token,
                    token_expires_at=interaction.expires_at,
                    guild_id=interaction.guild_id,
                    channel_id=interaction.channel_id,
                    user_id=interaction.user.id,
                    filesize_limit=interaction.filesize_limit,
                )
            )
        place = await studio.place_in_queue(session, riff)
        return Placed(riff.id, messages.waiting(language, riff.id, request, place), fresh)


async def _answer(interaction: discord.Interaction["RiffBot"], placed: Placed) -> dict[str, Any]:
    """Answer with the place in the queue; what is known of the message by then, as values of the delivery's row."""
    rules = await interaction.client.rules.of(interaction.guild_id)
    waiting = placed.waiting.behind_spoilers() if rules.spoiler else placed.waiting
    try:
        response = await answers.give(lambda: interaction.response.send_message(**waiting.as_answer()))
    except (discord.HTTPException, *answers.BROKEN) as refusal:
        log.warning("answer_not_given", riff=placed.riff_id, reason=str(refusal))
        too_late = getattr(refusal, "code", None) == answers.UNKNOWN_INTERACTION
        return {"token_expires_at": datetime.now(UTC)} if too_late else {}
    return {} if response is None else {"message_id": response.message_id}
