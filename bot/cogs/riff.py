"""`/riff`: a prompt becomes a loop."""

import asyncio
from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bot import answers, orders, people, suggestions
from generation.errors import InvalidRequest
from generation.fields import MAX_PROMPT_LENGTH, MAX_SEED, quoted
from generation.request import BARS, BPM, METRES, TAKES
from market.studio import service as studio

if TYPE_CHECKING:
    from bot.client import RiffBot


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
        mood="A mood, added to your words: dark, dreamy, playful …",
        preset="Settings under a name, for what you do not say",
        style="A style that was learnt here",
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
        mood: app_commands.Range[str, 1, 60] | None = None,
        preset: str | None = None,
        style: str | None = None,
        seed: app_commands.Range[int, 0, MAX_SEED] | None = None,
        negative: app_commands.Range[str, 1, MAX_PROMPT_LENGTH] | None = None,
        takes: app_commands.Range[int, *TAKES] | None = None,
    ) -> None:
        """Turn words into a seamless loop"""
        if style:
            style = style.strip().lower().removeprefix("style:")
            await _require_style(interaction, style)
        given = {
            "prompt": _worded(prompt, mood, style),
            "preset": preset,
            "bars": bars,
            "bpm": bpm,
            "metre": metre,
            "key": suggestions.key_of_words(key or ""),
            "seed": seed,
            "negative_prompt": negative,
            "takes": takes,
        }
        await orders.order_given(interaction, given)

    @riff.autocomplete("prompt")
    async def suggest_prompts(
        self, interaction: discord.Interaction["RiffBot"], typed: str
    ) -> list[app_commands.Choice[str]]:
        return await prompts(interaction, typed)

    @riff.autocomplete("bpm")
    async def suggest_tempos(
        self, interaction: discord.Interaction["RiffBot"], typed: object
    ) -> list[app_commands.Choice[float]]:
        prompt = str(interaction.namespace.prompt or "")
        return suggestions.tempos(answers.language(interaction), prompt, str(typed))

    @riff.autocomplete("key")
    async def suggest_keys(
        self, interaction: discord.Interaction["RiffBot"], typed: str
    ) -> list[app_commands.Choice[str]]:
        return suggestions.keys(answers.language(interaction), typed)

    @riff.autocomplete("mood")
    async def suggest_moods(
        self, interaction: discord.Interaction["RiffBot"], typed: str
    ) -> list[app_commands.Choice[str]]:
        return suggestions.moods(answers.language(interaction), typed)

    @riff.autocomplete("preset")
    async def suggest_presets(
        self, interaction: discord.Interaction["RiffBot"], typed: str
    ) -> list[app_commands.Choice[str]]:
        return suggestions.presets(answers.language(interaction), typed)

    @riff.autocomplete("style")
    async def suggest_styles(
        self, interaction: discord.Interaction["RiffBot"], typed: str
    ) -> list[app_commands.Choice[str]]:
        return suggestions.styles(await _styles_here(interaction), typed)


async def prompts(interaction: discord.Interaction["RiffBot"], typed: str) -> list[app_commands.Choice[str]]:
    """Prompts for whoever types one."""
    async with interaction.client.database.read() as session:
        actor = await people.known(session, interaction)
        own = await studio.recent_prompts(session, actor.owner)
    return suggestions.prompts(typed, own)


async def _require_style(interaction: discord.Interaction["RiffBot"], style: str) -> None:
    """That a style was learnt here. Raises InvalidRequest."""
    name = style.partition(":")[0]
    known = await _styles_here(interaction)
    if not known:
        raise InvalidRequest("style", f"There is no style {quoted(name)} here: none was learnt yet.")
    if name not in known:
        raise InvalidRequest("style", f"There is no style {quoted(name)} here, only {', '.join(known)}.")


async def _styles_here(interaction: discord.Interaction["RiffBot"]) -> list[str]:
    return list(await asyncio.to_thread(studio.style_names, interaction.client.settings.styles_dir))


def _worded(prompt: str, mood: str | None, style: str | None) -> str:
    """A prompt with a mood and a style in it, as prompts name them."""
    words = prompt if not mood else f"{prompt}, {suggestions.mood_of_words(mood)}"
    return words if not style else f"{words} style:{style}"
