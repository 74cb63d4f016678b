"""A loop as a file: download, stems, GIF, MP4, voice message, direct message. Whatever leaves is signed."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import discord
import numpy as np
from discord.http import handle_message_parameters

from bot import answers, messages, orders, people, recordings
from bot.forms import Submitted
from bot.loop.actions import Action
from bot.loop.buttons import panel
from bot.loop.keep import as_file, picture_of
from bot.messages import Attached
from bot.models import Delivery
from generation.arrangement import ROLES, Layers
from generation.errors import RiffError
from generation.request import RiffRequest
from market.api.actor import Actor
from market.catalog import service as catalog
from market.catalog.models import ListingStatus, Loop
from market.catalog.service import Shown
from market.downloads import service as downloads
from market.downloads.archive import Archive, Checksums
from market.downloads.service import Format
from market.language import say

if TYPE_CHECKING:
    from bot.client import RiffBot

LINKED: tuple[Format, ...] = ("wav", "flac", "ogg", "mp3")
# By how much each is smaller than the WAV at best: what cannot fit is not made only to find that out.
LOSSLESS = {"wav": 1, "flac": 4}
STEMS = ("wav", "flac", "opus")
# A bot's own messages are under everybody's limit, whatever the person or the server has paid for.
OWN_LIMIT = discord.utils.DEFAULT_FILE_SIZE_LIMIT_BYTES
WAVEFORM_POINTS = 256


class DoesNotFit(RiffError):
    """Discord takes no file of this size here."""

    def __init__(self, link: str) -> None:
        super().__init__(
            f"This file is too large for Discord: it is at {link}."
            if link
            else "This file is too large for Discord, and this bot has no web page to put it on: make a shorter loop."
        )


class MessagesClosed(RiffError):
    """The person takes no messages from the bot."""

    def __init__(self) -> None:
        super().__init__(
            "I may not write to you: allow direct messages in the privacy settings of a server that we share."
        )


async def opened(interaction: discord.Interaction["RiffBot"], loop_id: str) -> Shown:
    """A loop whose files the person who acted may have. Raises NotFound, LoopRemoved and LicenceNeeded."""
    async with interaction.client.database.read() as session:
        return await catalog.open_files(session, loop_id, await people.known(session, interaction))


# Download


async def download(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """The whole loop: links to all formats where there is a web page, else the best one that fits."""
    await answers.think(interaction)
    language, bot = answers.language(interaction), interaction.client
    found = await opened(interaction, loop_id)
    if bot.settings.public_url:
        formats = (*LINKED, *(("stems",) if found.loop.stems else ()), "zip")
        await answers.whisper(interaction, embed=await _linked(interaction, found.loop, formats))
        return
    room = interaction.filesize_limit
    whole = await bot.storage.size(found.loop.wav)
    for ending, share in LOSSLESS.items():
        if whole > share * room:
            continue
        file = await _in_format(bot, found.loop, ending)
        if len(file.content) <= room:
            await answers.whisper(interaction, file=as_file(file))
            return
    smaller = await recordings.fitting(bot.storage, bot.formats, found.loop, room, beside=True)
    if not smaller:
        raise DoesNotFit("")
    said = say(language, "Lossless it is too large for Discord, so this is a smaller one.")
    await answers.whisper(interaction, said, files=[as_file(file) for file in smaller])


async def _linked(
    interaction: discord.Interaction["RiffBot"], loop: Loop, formats: Sequence[Format]
) -> discord.Embed:
    """Links for the person alone, with when they expire."""
    language, settings = answers.language(interaction), interaction.client.settings
    async with interaction.client.database.write() as session:
        actor = await people.actor_of(session, interaction)
        links = [await _link(session, settings, actor, loop, name) for name in formats]
    names = {"stems": say(language, "Stems"), "zip": say(language, "Everything")}
    lines = [
        f"[{names.get(name, name.upper())}]({settings.public_url}{path})"
        for name, (path, _) in zip(formats, links, strict=True)
    ]
    until = discord.utils.format_dt(min(expires_at for _, expires_at in links), "R")
    lines += ["", say(language, "They work for you alone and expire {time}.", time=until)]
    return discord.Embed(
        title=say(language, "Download"), description="\n".join(lines), colour=messages.COLOUR
    )


async def _link(session: Any, settings: Any, actor: Actor, loop: Loop, name: Format) -> tuple[str, datetime]:
    return await downloads.place(session, settings, actor, loop.id, name)


async def _in_format(bot: "RiffBot", loop: Loop, ending: str) -> Attached:
    """A whole loop, signed. Raises NotFound, AssetMissing, StorageFull and RiffError."""
    signed = await bot.formats.signed(loop, ending)
    return Attached(f"{catalog.request_of(loop).name}.{ending}", await bot.storage.get(signed.key))


# Stems


async def stems(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """The layers of a loop; of one that was not made of layers, a version is ordered that is."""
    found = await opened(interaction, loop_id)
    if not found.loop.stems:
        await orders.order_from(interaction, loop_id, layered)
        return
    await answers.think(interaction)
    if interaction.client.settings.public_url:
        await answers.whisper(interaction, embed=await _linked(interaction, found.loop, ("stems",)))
        return
    for ending in STEMS:
        archive = await _archive(interaction.client, found.loop, ending)
        if archive.size <= interaction.filesize_limit:
            content = b"".join([piece async for piece in archive.chunks(0, archive.size)])
            name = f"{catalog.request_of(found.loop).name}-stems.zip"
            await answers.whisper(interaction, file=as_file(Attached(name, content)))
            return
    raise DoesNotFit("")


def layered(request: RiffRequest) -> RiffRequest:
    """The same wish as layers, which start from prompts only."""
    every = Layers(tuple((role, "") for role in ROLES))
    return replace(request, takes=1, arrangement=every, source="", keep="", strength=1.0)


async def _archive(bot: "RiffBot", loop: Loop, ending: str) -> Archive:
    """A ZIP of a loop's stems, signed; Opus has its credentials beside it."""
    name = catalog.request_of(loop).name
    parts: dict[str, str | bytes] = {}
    for role in loop.stems:
        signed = await bot.formats.signed(loop, ending, role)
        file = f"{name}-stems/{name}-{role}.{ending}"
        parts[file] = signed.key
        if signed.manifest is not None:
            parts[f"{file}.c2pa"] = signed.manifest
    return await Archive.of(bot.storage, Checksums(bot.storage), parts)


# To be looked at


async def gif(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """The spectrogram with a moving playhead."""
    await _show(interaction, loop_id, "gif")


async def mp4(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """The same with its sound."""
    await _show(interaction, loop_id, "mp4")


async def _show(interaction: discord.Interaction["RiffBot"], loop_id: str, ending: str) -> None:
    """Post a loop in a format for all to see, or, of what is on the market, for the person alone."""
    await answers.think(interaction, ephemeral=False)
    found = await opened(interaction, loop_id)
    language, said = answers.language(interaction), messages.headline(catalog.request_of(found.loop))
    files: tuple[Attached, ...] = (await _in_format(interaction.client, found.loop, ending),)
    if len(files[0].content) > interaction.filesize_limit:
        files = await _heard_and_seen(interaction, found)
        instead = say(language, "As a film it is too large for Discord: here are its sound and its picture.")
        said = f"{said}\n{instead}"
    sent = [as_file(file) for file in files]
    if _is_open(found):
        await interaction.followup.send(said, files=sent)
    else:
        await answers.whisper(interaction, said, files=sent)


async def _heard_and_seen(interaction: discord.Interaction["RiffBot"], found: Shown) -> tuple[Attached, ...]:
    """A loop's sound and picture, in what room there is. Raises DoesNotFit."""
    bot, limit = interaction.client, interaction.filesize_limit
    picture = await picture_of(bot, found)
    room = recordings.room_for_audio(1, len(picture.content), limit)
    sound = await recordings.fitting(bot.storage, bot.formats, found.loop, room, beside=True)
    if not sound:
        address = bot.settings.public_url
        raise DoesNotFit(f"{address}/loops/{found.loop.id}" if address else "")
    return (*sound, picture) if len(picture.content) <= limit else sound


def _is_open(found: Shown) -> bool:
    """Whether a loop's files may be seen by all: the recipe of one that is on the market stays with who may have it."""
    return found.listing is None or found.listing.status == ListingStatus.DRAFT


# Voice message


class VoiceFile(discord.File):
    """The one file of a voice message, with what a client draws before it is played."""

    def __init__(self, content: bytes, seconds: float, waveform: bytes) -> None:
        super().__init__(io.BytesIO(content), "voice-message.ogg")
        self._told = {"duration_secs": round(seconds, 3), "waveform": base64.b64encode(waveform).decode()}

    def to_dict(self, index: int) -> dict[str, Any]:
        """The entry in the message's list of attachments."""
        return {**super().to_dict(index), **self._told}


async def voice(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """The loop as a voice message in the channel, or, where the bot may not, in the person's direct messages."""
    await answers.think(interaction)
    language, bot = answers.language(interaction), interaction.client
    found = await opened(interaction, loop_id)
    loop = found.loop
    signed = await bot.formats.signed(loop, "opus")
    content = await bot.storage.get(signed.key)
    if len(content) > OWN_LIMIT:
        raise DoesNotFit("")
    file = VoiceFile(content, loop.seconds, waveform(json.loads(await bot.storage.get(loop.peaks))))
    if _is_open(found) and await _speak(interaction, file):
        await answers.whisper(interaction, say(language, "🎙️ Posted."))
        return
    file.reset()
    channel = await _person(interaction)
    if not await _spoken(bot, channel.id, file):
        raise MessagesClosed
    await answers.whisper(interaction, say(language, "🎙️ It is in your direct messages."))


def waveform(peaks: Sequence[float]) -> bytes:
    """The outline of a sound for Discord: at most 256 levels of 0 to 255."""
    values = np.asarray(peaks, np.float64)
    edges = np.linspace(0, len(values), min(len(values), WAVEFORM_POINTS) + 1).astype(int)[:-1]
    return (np.maximum.reduceat(values, edges).clip(0, 1) * 255).round().astype(np.uint8).tobytes()


async def _speak(interaction: discord.Interaction["RiffBot"], file: VoiceFile) -> bool:
    """Post a voice message where the person is; whether the bot may."""
    may = interaction.app_permissions
    allowed = may.send_messages and may.attach_files and may.send_voice_messages
    if interaction.channel_id is None or (interaction.guild_id is not None and not allowed):
        return False
    return await _spoken(interaction.client, interaction.channel_id, file)


async def _spoken(bot: "RiffBot", channel_id: int, file: VoiceFile) -> bool:
    # discord.py sends files, but not this flag.
    with handle_message_parameters(file=file, flags=discord.MessageFlags(voice=True)) as parameters:
        try:
            await bot.http.send_message(channel_id, params=parameters)
        except (discord.Forbidden, discord.NotFound):
            return False
    return True


# Direct message


async def dm(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """Sound, picture and buttons into the person's direct messages, with the way back. Raises MessagesClosed."""
    await answers.think(interaction)
    language, bot = answers.language(interaction), interaction.client
    found = await opened(interaction, loop_id)
    picture = await picture_of(bot, found)
    room = recordings.room_for_audio(1, len(picture.content), OWN_LIMIT)
    sound = await recordings.fitting(bot.storage, bot.formats, found.loop, room, beside=True)
    embed = discord.Embed(
        description=messages.headline(catalog.request_of(found.loop)), colour=messages.COLOUR
    )
    embed.set_image(url=f"attachment://{picture.name}")
    embed.set_footer(text=say(language, messages.LICENCE))
    origin = await _origin(interaction, found.loop)
    if origin is not None:
        embed.description = f"{embed.description}\n[{say(language, 'Where it comes from')}]({origin})"
    channel = await _person(interaction)
    try:
        await channel.send(
            embed=embed, files=[as_file(file) for file in (*sound, picture)], view=panel(language, loop_id)
        )
    except discord.Forbidden:
        raise MessagesClosed from None
    await answers.whisper(interaction, say(language, "✉️ It is in your direct messages."))


async def _person(interaction: discord.Interaction["RiffBot"]) -> discord.DMChannel:
    try:
        return await interaction.user.create_dm()
    except discord.Forbidden:
        raise MessagesClosed from None


async def _origin(interaction: discord.Interaction["RiffBot"], loop: Loop) -> str | None:
    """The message that the person is at, or that brought the loop; else its page."""
    here = interaction.message
    if here is not None and not here.flags.ephemeral:
        return here.jump_url
    async with interaction.client.database.read() as session:
        delivery = await session.get(Delivery, loop.riff_id)
    return link_to(delivery, loop.riff_id, interaction.client.settings.public_url)


def link_to(delivery: Delivery | None, riff_id: str, public_url: str) -> str | None:
    """Where a riff can be seen: the message that brought it, else its page on the web, if there is one."""
    if delivery is not None and delivery.state == "delivered" and delivery.message_id is not None:
        place = "@me" if delivery.guild_id is None else delivery.guild_id
        return f"https://discord.com/channels/{place}/{delivery.channel_id}/{delivery.message_id}"
    return f"{public_url}/riffs/{riff_id}" if public_url else None


ACTIONS = (
    Action("download", "Download", "⬇️", download),
    Action("stems", "Stems", "🎚️", stems),
    Action("gif", "GIF", "🖼️", gif),
    Action("mp4", "Video", "🎬", mp4),
    Action("voice", "Voice message", "🎙️", voice),
    Action("dm", "Send me a DM", "✉️", dm),
)

FORMS: Mapping[str, Submitted] = {}
