"""Answering an interaction in whatever state it is."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
import discord
import structlog

from market.language import language_of

if TYPE_CHECKING:
    from bot.client import RiffBot

log = structlog.get_logger(__name__)

# Discord waits for three seconds, people for one: by then there is an answer, whatever the database does.
FIRST_ANSWER = 0.5
ATTEMPTS = 3
ALREADY_ACKNOWLEDGED, UNKNOWN_INTERACTION = 40060, 10062
THINKING = discord.InteractionResponseType.deferred_channel_message
BROKEN = (aiohttp.ClientError, OSError, TimeoutError)
Response = discord.InteractionCallbackResponse[Any]
T = TypeVar("T")


def language(interaction: discord.Interaction[Any]) -> str:
    """The language of the person who acted: what only they see is in it."""
    return language_of(interaction.locale.value)


async def give(answer: Callable[[], Awaitable[Response | None]]) -> Response | None:
    """Give a first answer; None where Discord has one already: an attempt of ours, or of the same thing sent twice.

    It is tried again where the connection breaks off, for Discord takes only one. Raises discord.HTTPException and
    what is in BROKEN.
    """
    for attempt in range(ATTEMPTS):
        try:
            return await answer()
        except discord.HTTPException as refusal:
            if refusal.code == ALREADY_ACKNOWLEDGED:
                return None
            raise
        except BROKEN:
            if attempt == ATTEMPTS - 1:
                raise
    return None


async def think(interaction: discord.Interaction["RiffBot"], *, ephemeral: bool = True) -> int | None:
    """Show that the bot is at work, to the person alone or to everybody; comes before what may take a second.

    Gives the id of the message that shows it, if Discord says it.
    """
    interaction.extras["private"] = ephemeral
    response = await give(lambda: interaction.response.defer(thinking=True, ephemeral=ephemeral))
    return None if response is None else response.message_id


async def soon(
    interaction: discord.Interaction["RiffBot"], work: Coroutine[Any, Any, T], *, ephemeral: bool = True
) -> T:
    """What `work` gives; if it takes long, the bot is seen thinking meanwhile. Raises what the work raises."""
    task = asyncio.create_task(work)
    done, _ = await asyncio.wait({task}, timeout=FIRST_ANSWER)
    if not done and not interaction.response.is_done():
        try:
            interaction.extras["message_id"] = await think(interaction, ephemeral=ephemeral)
        except (discord.HTTPException, *BROKEN) as refusal:
            log.warning("answered_too_late", interaction=interaction.id, reason=str(refusal))
    return await task


async def whisper(interaction: discord.Interaction[Any], content: str | None = None, **parts: Any) -> None:
    """Say something to the person alone: as the first answer, or after `think`.

    `parts` are those of `send_message` (embed, view, file ...). A message that everybody saw the bot thinking in goes.
    """
    parts = {name: value for name, value in parts.items() if value is not None}

    def say() -> Awaitable[Response]:
        _rewind(parts)
        return interaction.response.send_message(content, ephemeral=True, **parts)

    public = interaction.response.type is THINKING and not interaction.extras.get("private")
    if not interaction.response.is_done():
        if await give(say) is not None:
            return
        public = await _thinks_in_public(interaction)
    # A follow-up fills the loading message, as visible as that is: a public one has to go first.
    if public:
        with contextlib.suppress(discord.NotFound):
            await interaction.delete_original_response()
    _rewind(parts)
    await interaction.followup.send(content or "", ephemeral=True, **parts)


async def _thinks_in_public(interaction: discord.Interaction[Any]) -> bool:
    """Whether the answer that Discord has, and we do not know of, is a loading message that everybody sees."""
    try:
        flags = (await interaction.original_response()).flags
    except discord.NotFound:
        return False
    return flags.loading and not flags.ephemeral


def _rewind(parts: dict[str, Any]) -> None:
    """Make files ready to be sent once more."""
    for file in (*parts.get("files", ()), *([parts["file"]] if "file" in parts else ())):
        file.reset(seek=True)
