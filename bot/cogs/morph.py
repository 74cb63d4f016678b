"""`/morph`: from one prompt to another."""

from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.app_commands import Choice, locale_str
from discord.ext import commands

from bot import answers, orders, suggestions
from bot.arrangements import MAX_LOOPS
from bot.cogs.riff import prompts
from generation.arrangement import LOOPS
from generation.fields import MAX_PROMPT_LENGTH, MAX_SEED
from generation.request import BARS, BPM

if TYPE_CHECKING:
    from bot.client import RiffBot


class MorphCommands(commands.Cog):
    """Making what is on its way between two prompts."""

    @app_commands.command(name="morph")
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.describe(
        a="Where it begins: church bells",
        b="Where it goes: electronic beats",
        loops="How many loops, 2 to 9 (5 unless you say): a message holds no more beside their picture",
        over="Loops one after the other, or one piece that changes",
        curve="How the way is gone (evenly unless you say)",
        bars="How long each loop is, in bars (4 unless you say)",
        bpm="The tempo (read from the prompt unless you say)",
        key="The key: Am, F#, Bb minor …",
        seed="The same seed and words give the same loops again",
    )
    @app_commands.choices(
        over=[
            Choice(name=locale_str("loops, one after the other"), value="loops"),
            Choice(name=locale_str("one piece"), value="time"),
        ],
        curve=[
            Choice(name=locale_str("evenly"), value="linear"),
            Choice(name=locale_str("slowly at both ends"), value="ease"),
            Choice(name=locale_str("at once, half way"), value="step"),
        ],
    )
    async def morph(
        self,
        interaction: discord.Interaction["RiffBot"],
        a: app_commands.Range[str, 1, MAX_PROMPT_LENGTH],
        b: app_commands.Range[str, 1, MAX_PROMPT_LENGTH],
        loops: app_commands.Range[int, LOOPS[0], MAX_LOOPS] | None = None,
        over: str | None = None,
        curve: str | None = None,
        bars: app_commands.Range[int, *BARS] | None = None,
        bpm: app_commands.Range[float, *BPM] | None = None,
        key: str | None = None,
        seed: app_commands.Range[int, 0, MAX_SEED] | None = None,
    ) -> None:
        """Let one sound become another, loop by loop or within one piece"""
        given = {
            "prompt": a,
            "bars": bars,
            "bpm": bpm,
            "key": suggestions.key_of_words(key or ""),
            "seed": seed,
            "arrangement": {"kind": "morph", "prompts": [b], "loops": loops, "over": over, "curve": curve},
        }
        await orders.order_given(interaction, given)

    @morph.autocomplete("a")
    @morph.autocomplete("b")
    async def suggest_prompts(
        self, interaction: discord.Interaction["RiffBot"], typed: str
    ) -> list[Choice[str]]:
        return await prompts(interaction, typed)

    @morph.autocomplete("bpm")
    async def suggest_tempos(
        self, interaction: discord.Interaction["RiffBot"], typed: object
    ) -> list[Choice[float]]:
        prompt = str(interaction.namespace.a or "")
        return suggestions.tempos(answers.language(interaction), prompt, str(typed))

    @morph.autocomplete("key")
    async def suggest_keys(
        self, interaction: discord.Interaction["RiffBot"], typed: str
    ) -> list[Choice[str]]:
        return suggestions.keys(answers.language(interaction), typed)
