"""A loop in the voice channel and on the soundboard."""

import asyncio
import io
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import av
import discord
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from bot import answers, people
from bot.forms import Field, Form, Submitted
from bot.loop.actions import Action
from bot.voice.errors import ExpressionsForbidden, ServerNeeded, SoundboardFull
from bot.voice.play import play as play_loop
from generation import fields
from generation.audio.ingest import read_audio
from generation.errors import InvalidRequest
from generation.request import SAMPLE_RATE
from market.catalog import service as catalog
from market.catalog.models import Loop
from market.language import say

if TYPE_CHECKING:
    from bot.client import RiffBot

MAX_SECONDS = 5.2
# An MP3 is a little longer than what is in it: its frames are of 26 ms, and its encoder has a run-up.
_ROOM_SECONDS = 0.1
_BITRATE = 192_000
_FADE = 256
_NAME_LENGTH = (2, 32)
# What a select takes; longer pieces are asked for a number.
_MOST_CHOICES = 25
_FULL = 30045


async def play(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """Play a loop in the voice channel of whoever pressed."""
    await play_loop(interaction, loop_id)


async def offer(interaction: discord.Interaction["RiffBot"], loop_id: str) -> None:
    """Ask which bar goes onto the soundboard. Raises ServerNeeded, ExpressionsForbidden and what `open_files` does."""
    language = answers.language(interaction)
    _require_expressions(interaction)
    loop = await _opened(interaction, loop_id)
    choices = [(say(language, "Bar {number}", number=number), str(number)) for number in _bars(loop)]
    bar = Field(
        "bar",
        say(language, "Which bar"),
        value="1",
        required=True,
        choices=choices if len(choices) <= _MOST_CHOICES else (),
        description=say(language, "1 to {count}", count=len(choices)),
    )
    name = Field(
        "name", say(language, "Name"), value=_name(loop.prompt), required=True, max_length=_NAME_LENGTH[1]
    )
    await interaction.response.send_modal(Form("sound", loop_id, say(language, "Soundboard"), [name, bar]))


async def upload(interaction: discord.Interaction["RiffBot"], loop_id: str, given: Mapping[str, str]) -> None:
    """Put a bar of a loop onto the server's soundboard; the audit log tells for whom.

    Raises what `offer` raises, InvalidRequest and SoundboardFull.
    """
    language = answers.language(interaction)
    guild = _require_expressions(interaction)
    await answers.think(interaction)
    loop = await _opened(interaction, loop_id)
    bar = fields.whole("bar", given.get("bar"), (1, len(_bars(loop))), 1)
    name = " ".join(given.get("name", "").split())
    if not _NAME_LENGTH[0] <= len(name) <= _NAME_LENGTH[1]:
        raise InvalidRequest("name", "The name of a sound has 2 to 32 characters.")
    content = await interaction.client.storage.get(loop.wav)
    sound = await asyncio.to_thread(_sound, content, loop, bar)
    signed = await interaction.client.formats.signed_bytes(sound, "audio/mpeg", [loop], f"{name}.mp3")
    person = f"{interaction.user} ({interaction.user.id})"
    try:
        await guild.create_soundboard_sound(name=name, sound=signed, reason=person)
    except discord.Forbidden:
        raise ExpressionsForbidden("The bot") from None
    except discord.HTTPException as refusal:
        if refusal.code != _FULL:
            raise
        raise SoundboardFull from None
    told = say(language, "**{name}** is on the soundboard now.", name=discord.utils.escape_markdown(name))
    await answers.whisper(interaction, told)


def _require_expressions(interaction: discord.Interaction["RiffBot"]) -> discord.Guild:
    """The server, where both the person and the bot may add sounds."""
    guild = interaction.client.get_guild(interaction.guild_id or 0)
    if guild is None:
        raise ServerNeeded
    if not interaction.permissions.create_expressions:
        raise ExpressionsForbidden("You")
    if not interaction.app_permissions.create_expressions:
        raise ExpressionsForbidden("The bot")
    return guild


async def _opened(interaction: discord.Interaction["RiffBot"], loop_id: str) -> Loop:
    """The loop, for who may have its files. Raises NotFound, LoopRemoved and LicenceNeeded."""
    async with interaction.client.database.read() as session:
        return (await catalog.open_files(session, loop_id, await people.known(session, interaction))).loop


def _bars(loop: Loop) -> range:
    return range(1, loop.bars + 1)


def _sound(content: bytes, loop: Loop, bar: int) -> bytes:
    """One bar as an MP3 with an ID3 tag, by which discord.py knows it; faded at its ends."""
    audio = read_audio(content, max_seconds=400.0, name=loop.id)
    length = len(audio) / loop.bars
    start = round((bar - 1) * length)
    most = math.floor((MAX_SECONDS - _ROOM_SECONDS) * SAMPLE_RATE)
    piece = audio[start : min(round(bar * length), start + most)].copy()
    fade = np.linspace(0, 1, _FADE, dtype=np.float32)[:, None]
    piece[:_FADE] *= fade
    piece[-_FADE:] *= fade[::-1]
    return _mp3(piece)


def _mp3(audio: NDArray[np.float32]) -> bytes:
    """(samples, 2) at 44.1 kHz as an MP3."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=SAMPLE_RATE)
        assert isinstance(stream, AudioStream)
        stream.bit_rate, stream.layout, stream.format = _BITRATE, "stereo", "fltp"
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(audio.T), format="fltp", layout="stereo")
        frame.sample_rate = SAMPLE_RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def _name(prompt: str) -> str:
    return " ".join(prompt.split())[: _NAME_LENGTH[1]].strip().ljust(_NAME_LENGTH[0], "·")


ACTIONS = (
    Action("play", "Play in voice", "🔊", play),
    Action("soundboard", "Soundboard", "🎛️", offer),
)

FORMS: dict[str, Submitted] = {"sound": upload}
