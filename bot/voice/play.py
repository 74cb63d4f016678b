"""Playing a loop where somebody is: what `/play` and the button under a loop have in common."""

from typing import TYPE_CHECKING

import discord

from bot import access, answers
from bot.voice import choice
from bot.voice.rooms import Room, line_of
from market.language import say

if TYPE_CHECKING:
    from bot.client import RiffBot


async def play(interaction: discord.Interaction["RiffBot"], named: str | None) -> None:
    """Play a loop where the person is: the whole answer of `/play` and of the button under a loop.

    Raises what `Rooms.channel_of`, `Rooms.enter`, `choice.wanted` and `choice.load` raise, and QueueFull.
    """
    rooms = interaction.client.rooms
    channel = rooms.channel_of(interaction)
    await answers.think(interaction, ephemeral=False)
    chosen = await choice.wanted(interaction, named)
    language = await access.public_language(interaction)
    room = rooms.of(channel.guild.id)
    # Nobody is let into a channel for something that cannot be played.
    track = await choice.load(interaction.client, chosen) if room is None else None
    room = await rooms.enter(channel, language)
    if room.jam is not None:
        room.jam.end()
    place = room.add(chosen, track)
    if place == 0:
        await show(interaction, room)
        return
    told = say(
        language, "Number {position} in the queue: {loop}", position=place, loop=line_of(language, chosen)
    )
    await interaction.followup.send(told)


async def show(interaction: discord.Interaction["RiffBot"], room: Room, content: str = "") -> None:
    """Answer with the message that shows what plays, and keep it up to date."""
    post = room.post()
    sent = await interaction.followup.send(content, wait=True, **post)
    assert interaction.channel_id is not None
    channel = interaction.client.get_partial_messageable(
        interaction.channel_id, guild_id=interaction.guild_id
    )
    room.show_in(channel.get_partial_message(sent.id), post)
