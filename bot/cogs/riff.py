"""`/riff`: a prompt becomes a loop."""

from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands
from sqlalchemy.ext.asyncio import AsyncSession

from bot import orders
from generation.fields import MAX_PROMPT_LENGTH, MAX_SEED
from generation.request import BARS, BPM, METRES, TAKES, TONICS, RiffRequest
from market.studio import service as studio

if TYPE_CHECKING:
    from bot.client import RiffBot

# 24, of the 25 that Discord shows at once.
KEYS = tuple(f"{tonic}{mode}" for mode in ("", "m") for tonic in TONICS)


class RiffCommands(commands.Cog):
    """Making loops from words."""

    @app_commands.command(name="riff")
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.describe(
        prompt="What you want to hear: church bells into electronic beats",
        bars="How long, in bars (4 unless you say)",
        bpm="The tempo (read from the prompt unless you say)",
        metre="The metre (read from the prompt unless you say)",
        key="The key: Am, F#, Bb minor …",
        seed="The same seed and words give the same loop again",
        negative="What you do not want to hear",
        takes="How many takes to choose from (1 unless you say)",
    )
    @app_commands.choices(metre=[app_commands.Choice(name=metre, value=metre) for metre in METRES])
    async def riff(
        self,
        interaction: discord.Interaction["RiffBot"],
        prompt: app_commands.Range[str, 1, MAX_PROMPT_LENGTH],
        bars: app_commands.Range[int, *BARS] | None = None,
        bpm: app_commands.Range[float, *BPM] | None = None,
        metre: str | None = None,
        key: str | None = None,
        seed: app_commands.Range[int, 0, MAX_SEED] | None = None,
        negative: app_commands.Range[str, 1, MAX_PROMPT_LENGTH] | None = None,
        takes: app_commands.Range[int, *TAKES] | None = None,
    ) -> None:
        """Turn words into a seamless loop"""
        given = {
            "prompt": prompt,
            "bars": bars,
            "bpm": bpm,
            "metre": metre,
            "key": key,
            "seed": seed,
            "negative_prompt": negative,
            "takes": takes,
        }

        async def wish(session: AsyncSession, owner: str) -> RiffRequest:
            return await studio.request_of(session, given, seed=orders.seed_of(interaction), owner=owner)

        await orders.order(interaction, wish)

    @riff.autocomplete("key")
    async def suggest_keys(
        self, _: discord.Interaction["RiffBot"], typed: str
    ) -> list[app_commands.Choice[str]]:
        wanted = typed.strip().lower()
        return [
            app_commands.Choice(name=f"{key[:-1]} minor" if key.endswith("m") else f"{key} major", value=key)
            for key in KEYS
            if key.lower().startswith(wanted)
        ]
