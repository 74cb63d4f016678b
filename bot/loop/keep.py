"""Keeping, deleting and looking closer."""

import contextlib
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import discord
import structlog

from bot import answers, messages, people, recordings
from bot import repository as deliveries
from bot.forms import Field, Form, Submitted
from bot.loop import repository
from bot.loop.actions import Action
from bot.loop.buttons import panel
from bot.messages import Attached
from bot.models import Delivery
from generation.command import command_of
from generation.credentials.manifest import statements_of
from market.catalog import removal
from market.catalog import service as catalog
from market.catalog.errors import NotYoursToDelete
from market.catalog.pictures import bare
from market.catalog.removal import Removal
from market.catalog.service import Shown
from market.community import service as community
from market.guilds import gallery
from market.language import retold, say, say_count

if TYPE_CHECKING:
    from bot.client import RiffBot

log = structlog.get_logger(__name__)

UNKNOWN_MESSAGE = 10008
RIFF, MESSAGE = "riff", "message"
LONGEST_COMMAND = 1000


# Keep


async def keep(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """Keep a loop at hand, or let go of it."""
    language = answers.language(interaction)
    is_kept, keepers = await answers.soon(interaction, _toggle(interaction, loop_id))
    if is_kept:
        said = say(language, "🔖 Kept: /riffs shows it with the rest.")
    else:
        said = say(language, "Let go: it is no longer among what you keep.")
    told = say_count(language, "{count} person keeps it.", "{count} people keep it.", keepers)
    await answers.whisper(interaction, f"{said} {told}")


async def _toggle(interaction: discord.Interaction["RiffBot"], loop_id: str) -> tuple[bool, int]:
    """Whether the loop is kept now, and by how many."""
    async with interaction.client.database.write() as session:
        account = await people.active(session, interaction)
        if await community.kept(session, account, [loop_id]):
            await community.unfavour(session, account, loop_id)
            return False, await community.keepers(session, loop_id)
        await community.favour(session, account, loop_id)
        return True, await community.keepers(session, loop_id)


# Delete


async def delete(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """Ask before anything goes. Raises NotYoursToDelete."""
    language, riff_id = answers.language(interaction), _riff_of(loop_id)
    async with interaction.client.database.read() as session:
        is_own = await deliveries.owns(session, riff_id, interaction.user.id)
        count = len(await catalog.of_riff(session, riff_id))
    choices = [(say(language, "Only the message here"), MESSAGE)]
    if is_own:
        everything = say_count(
            language,
            "The riff: its take, files and message",
            "The riff: all {count} takes, files and message",
            max(count, 1),
        )
        choices.insert(0, (everything, RIFF))
    elif not _may_delete_messages(interaction):
        raise NotYoursToDelete
    what = Field(
        "what",
        say(language, "What shall go?"),
        value=choices[0][1],
        description=say(language, "For good. What is for sale is taken off the market first."),
        required=True,
        choices=choices,
    )
    await interaction.response.send_modal(Form("delete", loop_id, say(language, "Delete"), [what]))


async def deleted(
    interaction: discord.Interaction["RiffBot"], loop_id: str, fields: Mapping[str, str]
) -> None:
    """Delete what was chosen. Raises NotYoursToDelete and Suspended, with nothing deleted."""
    language, riff_id = answers.language(interaction), _riff_of(loop_id)
    # The message that the button is on can then be deleted with the form's own token, wherever it is.
    await answers.give(lambda: interaction.response.defer())
    if fields["what"] == RIFF:
        async with interaction.client.database.write() as session:
            removed = await removal.remove_riff(session, riff_id, await people.active(session, interaction))
            await gallery.take_down(session, riff_id)
            delivery = await session.get(Delivery, riff_id)
        await removal.remove_files(interaction.client.storage, riff_id, removed.left)
        said = _told(language, removed)
    else:
        async with interaction.client.database.read() as session:
            if not (
                await deliveries.owns(session, riff_id, interaction.user.id)
                or _may_delete_messages(interaction)
            ):
                raise NotYoursToDelete
            delivery = await session.get(Delivery, riff_id)
        said = say(language, "The message is gone. The riff is still among its maker's: /riffs shows it.")
    if not await _delete_messages(interaction, delivery):
        said += " " + say(
            language, "I cannot delete its message in the other channel: somebody there has to do it by hand."
        )
    await answers.whisper(interaction, said)


def _told(language: str, removed: Removal) -> str:
    """What became of a riff's loops, in a sentence each."""
    parts = []
    if removed.deleted or not removed.left:
        parts.append(say(language, "🗑️ Deleted, with all files."))
    if removed.licensed:
        parts.append(
            say_count(
                language,
                "{count} take is licensed to others: it is off the market and stays for them alone.",
                "{count} takes are licensed to others: they are off the market and stay for them alone.",
                len(removed.licensed),
            )
        )
    if removed.disputed:
        parts.append(
            say_count(
                language,
                "{count} take stays while moderators deal with it.",
                "{count} takes stay while moderators deal with them.",
                len(removed.disputed),
            )
        )
    return " ".join(parts)


async def _delete_messages(interaction: discord.Interaction["RiffBot"], delivery: Delivery | None) -> bool:
    """Delete the message that the button is on and the one that brought the riff; whether both are gone."""
    here = interaction.message
    if here is not None:
        with contextlib.suppress(discord.NotFound):
            await interaction.delete_original_response()
    if delivery is None or delivery.state != "delivered":
        return True
    if here is None or here.id != delivery.message_id:
        if not _may_delete_there(interaction, delivery):
            return False
        assert delivery.channel_id is not None
        assert delivery.message_id is not None
        channel = interaction.client.get_partial_messageable(delivery.channel_id)
        try:
            await channel.get_partial_message(delivery.message_id).delete()
        except discord.HTTPException as refusal:
            if refusal.code != UNKNOWN_MESSAGE:
                log.info("message_not_deleted", riff=delivery.riff_id, reason=str(refusal))
                return False
    async with interaction.client.database.write() as session:
        await repository.note_deleted(session, delivery.riff_id)
    return True


def _may_delete_there(interaction: discord.Interaction["RiffBot"], delivery: Delivery) -> bool:
    """Whether the person may delete the message that brought a riff, where they are not pressing a button on it."""
    if delivery.channel_id is None or delivery.message_id is None:
        return False
    return delivery.user_id == interaction.user.id or delivery.channel_id == interaction.channel_id


def _may_delete_messages(interaction: discord.Interaction["RiffBot"]) -> bool:
    return interaction.guild_id is not None and interaction.permissions.manage_messages


def _riff_of(loop_id: str) -> str:
    return loop_id.partition("-")[0]


# More


async def more(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """One loop by itself: its sound, its picture, what is known of it, and everything that can be done with it."""
    await answers.think(interaction)
    language, bot = answers.language(interaction), interaction.client
    found = await seen(interaction, loop_id)
    picture = await picture_of(bot, found)
    room = recordings.room_for_audio(1, len(picture.content), interaction.filesize_limit)
    files = [*await sound_of(bot, found, room)]
    embed = about(language, found, bot.settings.public_url)
    if len(picture.content) <= interaction.filesize_limit:
        embed.set_image(url=f"attachment://{picture.name}")
        files.append(picture)
    await answers.whisper(
        interaction, embed=embed, files=[as_file(file) for file in files], view=panel(language, loop_id)
    )


async def seen(interaction: discord.Interaction["RiffBot"], loop_id: str) -> Shown:
    """A loop as the person who acted sees it. Raises NotFound and LoopRemoved."""
    async with interaction.client.database.read() as session:
        return await catalog.see(session, loop_id, await people.known(session, interaction))


def about(language: str, found: Shown, public_url: str) -> discord.Embed:
    """What there is to know about a loop; of one that is for sale nothing that it could be made again by."""
    loop, request = found.loop, catalog.request_of(found.loop)
    facts = messages.facts(language, request, [loop])
    if not found.access.full:
        # The first is the seed.
        facts = messages.facts(language, replace(request, variation_seed=None, negative_prompt=""), [loop])[
            1:
        ]
    embed = discord.Embed(description=messages.headline(request), colour=messages.COLOUR)
    if public_url:
        embed.title, embed.url = say(language, "Listen on the web"), f"{public_url}/loops/{loop.id}"
    for name, value in facts:
        embed.add_field(name=name, value=value)
    return embed


async def picture_of(bot: "RiffBot", found: Shown) -> Attached:
    """A loop's spectrogram, signed; without the recipe that it carries for whoever may not have that."""
    if found.access.full:
        signed = await bot.formats.signed(found.loop, "png")
        return Attached("spectrogram.png", await bot.storage.get(signed.key))
    return Attached("spectrogram.png", bare(await bot.storage.get(found.loop.png), "image/png"))


async def sound_of(bot: "RiffBot", found: Shown, room: int) -> tuple[Attached, ...]:
    """A loop to be heard, in at most `room` bytes; what is for sale with the mark that its preview has."""
    if found.access.full:
        return await recordings.fitting(bot.storage, bot.formats, found.loop, room, beside=True)
    preview = await bot.formats.preview(found.loop, "mp3")
    if await bot.storage.size(preview.key) > room:
        return ()
    return (Attached(f"{catalog.public_name(found.loop)}.mp3", await bot.storage.get(preview.key)),)


def as_file(attached: Attached) -> discord.File:
    """What Discord is sent."""
    return discord.File(io.BytesIO(attached.content), attached.name)


# Recipe


async def info(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """How a loop was made, and how to make it again."""
    language = answers.language(interaction)
    found = await answers.soon(interaction, seen(interaction, loop_id))
    loop, request = found.loop, catalog.request_of(found.loop)
    embed = about(language, found, interaction.client.settings.public_url)
    embed.add_field(name=say(language, "Model"), value=f"`{loop.model}`")
    recipe, name = catalog.told_of(loop), catalog.public_name(loop)
    if found.access.full:
        recipe, name = loop.recipe, request.name
        embed.add_field(name=say(language, "Steps"), value=str(request.steps))
        embed.add_field(name=say(language, "Guidance"), value=f"{request.guidance_scale:g}")
        embed.add_field(name=say(language, "SHA-256 of the sound"), value=f"`{loop.sha256}`", inline=False)
        command = command_of(request, f"{name}.json")
        if len(command) > LONGEST_COMMAND or "```" in command:
            command = f"riff export {name}.json --to flac,png"
        embed.add_field(name=say(language, "Make it again"), value=f"```sh\n{command}\n```", inline=False)
    origin = " ".join(retold(language, statement) for statement in statements_of(loop.recipe))
    embed.add_field(name=say(language, "Where its sounds come from"), value=origin, inline=False)
    written = json.dumps(recipe, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"
    await answers.whisper(interaction, embed=embed, file=as_file(Attached(f"{name}.json", written)))


ACTIONS = (
    Action("keep", "Keep", "🔖", keep),
    # Who may delete what stands here: moderators may delete a message of the bot's, and no riff.
    Action("delete", "Delete", "🗑️", delete),
    Action("more", "More", "⋯", more),
    Action("info", "Recipe", "ℹ️", info),
)

FORMS: dict[str, Submitted] = {"delete": deleted}
