"""What Discord itself refuses, as a sentence that says who can change it."""

import re
from typing import Any

import discord
from discord import Permissions

from bot import permissions
from market.language import say

MISSING_ACCESS, MISSING_PERMISSIONS = 50001, 50013
# What Discord calls them, and what people can do about it.
_SENTENCES = {
    10003: "This channel is gone, or the bot cannot see it: try again in another one.",
    10008: "The message is gone: somebody has deleted it.",
    40005: "This is too large for this place: ask for fewer takes, or download it on the web.",
    50007: "Your direct messages are closed: allow them in this server's privacy settings, and try again.",
    50083: "This thread is archived: open it again, or try another channel.",
    200000: "This server's AutoMod does not let this text through: say it in other words.",
    200001: "This server's AutoMod does not let this title through: say it in other words.",
}
_CHANNEL = re.compile(r".*/channels/(\d+)(/.*)?")


def sentence(
    language: str, refusal: discord.HTTPException, interaction: discord.Interaction[Any]
) -> str | None:
    """What to tell the person whose command or button was refused; None where it is no business of theirs."""
    if refusal.code in (MISSING_ACCESS, MISSING_PERMISSIONS):
        return _not_allowed(language, refusal, interaction)
    if refusal.code in _SENTENCES:
        return say(language, _SENTENCES[refusal.code])
    if refusal.status == 413:
        return say(language, _SENTENCES[40005])
    if refusal.status == 429 or refusal.status >= 500:
        return say(language, "Discord has trouble just now: try again in a minute.")
    return None


def _not_allowed(language: str, refusal: discord.HTTPException, interaction: discord.Interaction[Any]) -> str:
    if interaction.guild_id is None:
        return say(language, "Discord does not let the bot do this here.")
    if not interaction.is_guild_integration():
        return say(
            language,
            "The bot is no member of this server, only of your apps: an admin can [add it]({link}).",
            link=discord.utils.oauth_url(interaction.application_id, permissions=permissions.EVERYTHING),
        )
    # aiohttp's answer; requests is never used.
    request: Any = refusal.response
    found = _CHANNEL.fullmatch(request.url.path)
    channel_id = interaction.channel_id if found is None else int(found[1])
    bot, channel = f"<@{interaction.application_id}>", f"<#{channel_id}>"
    needed = permissions.needed_for(request.method, request.url.path)
    lacking = permissions.missing(needed, _given(interaction, channel_id))
    if not lacking.value:
        return say(
            language,
            "Discord does not let the bot do this: an admin has to look at what {bot} may do in {channel}.",
            bot=bot,
            channel=channel,
        )
    return say(
        language,
        "An admin has to tick {permissions} for {bot} in {channel}.",
        permissions=permissions.listed(language, lacking),
        bot=bot,
        channel=channel,
    )


def _given(interaction: discord.Interaction[Any], channel_id: int | None) -> Permissions:
    """What the bot may do in a channel of the server where the person acted; nothing in one that it does not see."""
    if channel_id == interaction.channel_id:
        return interaction.app_permissions
    channel = None if interaction.guild is None else interaction.guild.get_channel_or_thread(channel_id or 0)
    return Permissions.none() if channel is None else channel.permissions_for(channel.guild.me)
