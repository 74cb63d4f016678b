"""The commands in other languages, as Discord shows them: names, descriptions, options and choices."""

import asyncio

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation

from market.language import DEFAULT, LANGUAGES, language_of, say

# Names are told apart from descriptions and choices: "key" may be a word of a sentence elsewhere.
NAMES = (
    TranslationContextLocation.command_name,
    TranslationContextLocation.group_name,
    TranslationContextLocation.parameter_name,
)


class Translator(app_commands.Translator):
    """Finds what discord.py asks for in the catalogues of `market.language`; None leaves it English."""

    async def load(self) -> None:
        """Read the catalogues before anybody waits for an answer in them."""
        for language in LANGUAGES:
            await asyncio.to_thread(say, language, "")

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """A string in the language of a locale."""
        language = language_of(locale.value)
        if language == DEFAULT:
            return None
        told = say(language, string.message, "command" if context.location in NAMES else None)
        return None if told == string.message else told
