"""`/song`: a prompt becomes a song of sections."""

from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.app_commands import Choice
from discord.ext import commands

from bot import answers, arrangements, orders, suggestions
from bot.arrangements import MINUTES
from bot.cogs.riff import prompts
from generation.fields import MAX_PROMPT_LENGTH, MAX_SEED
from generation.request import BARS, BPM

if TYPE_CHECKING:
    from bot.client import RiffBot


class SongCommands(commands.Cog):
    """Making songs."""

    @app_commands.command(name="song")
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.describe(
        prompt="What you want to hear: lofi hip hop with warm rhodes",
        minutes="About how long (2 unless you say)",
        form="Its sections: intro A B A' B' outro (chosen unless you say)",
        bars="How long a phrase is, in bars (4 unless you say)",
        bpm="The tempo (read from the prompt unless you say)",
        key="The key: Am, F#, Bb minor …",
        seed="The same seed and words give the same song again",
        negative="What you do not want to hear",
    )
    async def song(
        self,
        interaction: discord.Interaction["RiffBot"],
        prompt: app_commands.Range[str, 1, MAX_PROMPT_LENGTH],
        minutes: app_commands.Range[float, *MINUTES] | None = None,
        form: app_commands.Range[str, 1, MAX_PROMPT_LENGTH] | None = None,
        bars: app_commands.Range[int, *BARS] | None = None,
        bpm: app_commands.Range[float, *BPM] | None = None,
        key: str | None = None,
        seed: app_commands.Range[int, 0, MAX_SEED] | None = None,
        negative: app_commands.Range[str, 1, MAX_PROMPT_LENGTH] | None = None,
    ) -> None:
        """Make a song: sections with fills, an intro and an end"""
        asked = {
            "kind": "song",
            "seconds": arrangements.seconds_of("" if minutes is None else f"{minutes:g}"),
            "form": form,
        }
        given = {
            "prompt": prompt,
            "bars": bars,
            "bpm": bpm,
            "key": suggestions.key_of_words(key or ""),
            "seed": seed,
            "negative_prompt": negative,
            "arrangement": asked,
        }
        await orders.order_given(interaction, given)

    @song.autocomplete("prompt")
    async def suggest_prompts(
        self, interaction: discord.Interaction["RiffBot"], typed: str
    ) -> list[Choice[str]]:
        return await prompts(interaction, typed)

    @song.autocomplete("form")
    async def suggest_forms(self, _: discord.Interaction["RiffBot"], typed: str) -> list[Choice[str]]:
        return suggestions.song_forms(typed)

    @song.autocomplete("bpm")
    async def suggest_tempos(
        self, interaction: discord.Interaction["RiffBot"], typed: object
    ) -> list[Choice[float]]:
        prompt = str(interaction.namespace.prompt or "")
        return suggestions.tempos(answers.language(interaction), prompt, str(typed))

    @song.autocomplete("key")
    async def suggest_keys(
        self, interaction: discord.Interaction["RiffBot"], typed: str
    ) -> list[Choice[str]]:
        return suggestions.keys(answers.language(interaction), typed)
