"""The bot's process: one client on Discord's gateway, one task that delivers."""

import asyncio
import hashlib
import json
import signal
import sys
from pathlib import Path

import aiohttp
import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot import access, errors, forms, licences
from bot.cancel import CancelButton
from bot.cards import CardButton, CardMenu
from bot.cogs import personal, riffs
from bot.cogs import settings as server_settings
from bot.cogs.about import AboutCommands
from bot.cogs.market import MarketCommands
from bot.cogs.morph import MorphCommands
from bot.cogs.remix import RemixCommands
from bot.cogs.riff import RiffCommands
from bot.cogs.song import SongCommands
from bot.cogs.voice import VoiceCommands
from bot.delivery import Deliveries
from bot.errors import BotUnavailable
from bot.gallery import Gallery
from bot.guide import CommandIds, HelpMenu
from bot.guilds import GuildRules
from bot.loop import actions, files, keep, listed, publish, remake
from bot.loop.buttons import LoopButton, LoopMenu, TakeMenu
from bot.premium import Premium
from bot.shelf import PageButton
from bot.translator import Translator
from bot.voice import soundboard
from bot.voice.controls import VoiceButton
from bot.voice.rooms import Rooms
from generation.errors import RiffError
from market import logs
from market.catalog.formats import Formats
from market.db import Database, require_current
from market.settings import Settings
from market.storage import Storage

log = structlog.get_logger(__name__)

AUTHENTICATION_FAILED = 4004
# Discord lets a client wait for hours that has told it its commands too often; those that it knows work meanwhile.
SYNC_PATIENCE = 2.0


class RiffTree(app_commands.CommandTree["RiffBot"]):
    """The commands, with their failures sent to the one place that answers them."""

    async def on_error(
        self, interaction: discord.Interaction["RiffBot"], error: app_commands.AppCommandError, /
    ) -> None:
        await errors.answer(interaction, error)

    async def interaction_check(self, interaction: discord.Interaction["RiffBot"], /) -> bool:
        """Whether the settings of this server let the person use commands here."""
        try:
            await access.require_here(interaction)
        except Exception as refusal:  # discord.py would only log it
            if interaction.type is discord.InteractionType.autocomplete:
                await interaction.response.autocomplete([])
            else:
                await errors.answer(interaction, refusal)
            return False
        return True


class RiffBot(commands.AutoShardedBot):
    """The client. Slash commands and buttons only: it asks for no privileged intent and sees no message."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            tree_cls=RiffTree,
            intents=discord.Intents(guilds=True, guild_reactions=True, voice_states=True),
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self.settings = settings
        self.database = Database(settings)
        self.rules = GuildRules(self.database)
        self.storage = Storage.open(settings)
        self.formats = Formats(self.storage, settings)
        self.deliveries = Deliveries(
            self, self.database, self.rules, self.storage, self.formats, settings.public_url
        )
        self.gallery = Gallery(self)
        self.rooms = Rooms(self)
        self.command_ids = CommandIds(self.tree)
        self._delivering: asyncio.Task[None] | None = None
        self._hanging: asyncio.Task[None] | None = None
        self._syncing: asyncio.Task[None] | None = None

    async def setup_hook(self) -> None:
        for room in (remake, keep, files, publish, listed, soundboard):
            actions.offer(*room.ACTIONS)
            for name, handler in room.FORMS.items():
                forms.on_submit(name, handler)
        for name, handler in (*server_settings.FORMS.items(), *personal.FORMS.items()):
            forms.on_submit(name, handler)
        for cog in (RiffCommands(), MorphCommands(), RemixCommands(self), SongCommands()):
            await self.add_cog(cog)
        await self.add_cog(MarketCommands())
        await self.add_cog(riffs.RiffsCommands())
        await self.add_cog(VoiceCommands(self))
        await self.add_cog(server_settings.SettingsCommands())
        await self.add_cog(AboutCommands())
        await self.add_cog(personal.PersonalCommands())
        if self.settings.discord_sku is not None:
            await self.add_cog(Premium(self))
        self.add_dynamic_items(CancelButton, LoopButton, LoopMenu, TakeMenu)
        self.add_dynamic_items(CardButton, CardMenu, PageButton, *licences.ITEMS, *publish.ITEMS)
        self.add_dynamic_items(riffs.PageButton, riffs.OpenMenu, riffs.CancelMenu)
        self.add_dynamic_items(VoiceButton)
        self.add_dynamic_items(server_settings.Setting)
        self.add_dynamic_items(HelpMenu, personal.PersonalButton)
        self._syncing = asyncio.create_task(self._sync_commands(), name="commands")
        done, _ = await asyncio.wait({self._syncing}, timeout=SYNC_PATIENCE)
        for syncing in done:
            syncing.result()
        # Deliveries need only REST, so what finished while the bot was away does not wait for the gateway.
        self._delivering = asyncio.create_task(self.deliveries.run(), name="deliveries")
        self._hanging = asyncio.create_task(self.gallery.run(), name="gallery")

    async def on_interaction(self, interaction: discord.Interaction["RiffBot"]) -> None:
        """Forms that come back; commands and buttons find their way by themselves."""
        if interaction.type is discord.InteractionType.modal_submit:
            await forms.submitted(interaction)

    async def on_raw_reaction_add(self, reaction: discord.RawReactionActionEvent) -> None:
        """A star may be one of those that bring a riff into the gallery."""
        self.gallery.starred(reaction)

    async def close(self) -> None:
        """Let deliveries that are under way end, then leave."""
        if self._syncing is not None:
            # Commands that Discord has taken should be known as such at the next start.
            await asyncio.wait({self._syncing}, timeout=SYNC_PATIENCE)
        running = [task for task in (self._delivering, self._hanging, self._syncing) if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await super().close()
        await self.database.close()

    async def _sync_commands(self) -> None:
        """Tell Discord the commands if they, or their translations, are others than last time: it counts such calls.

        Where it refuses them, the next start tries again.
        """
        translator = Translator()
        await self.tree.set_translator(translator)
        declared = [
            await command.get_translated_payload(self.tree, translator)
            for command in self.tree.get_commands()
        ]
        digest = hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()
        kept = self.settings.data_dir / f"discord-commands-{self.application_id}.sha256"
        if kept.is_file() and kept.read_text() == digest:
            return
        try:
            await self.tree.sync()
        except (discord.HTTPException, aiohttp.ClientError) as refusal:
            log.error("commands_not_synced", reason=str(refusal))
            return
        await asyncio.to_thread(_write, kept, digest)
        log.info("commands_synced", count=len(declared))


def run(settings: Settings) -> None:
    """Serve Discord until SIGTERM or SIGINT: the process behind `riff bot`.

    Raises BotUnavailable where the token is missing or refused or Discord cannot be reached, and
    DatabaseOutdated or DatabaseUnreachable.
    """
    logs.configure()
    if not settings.discord_token:
        raise BotUnavailable(
            "DISCORD_TOKEN is not set: copy the bot's token from Discord's developer portal into it."
        )
    require_current(settings)
    asyncio.run(_serve(settings, settings.discord_token))


def main() -> None:
    """`python -m bot.client`: errors are one sentence and exit 1."""
    try:
        run(Settings())
    except RiffError as error:
        sys.exit(str(error))


async def _serve(settings: Settings, token: str) -> None:
    bot = RiffBot(settings)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    serving = asyncio.create_task(bot.start(token), name="serving")
    told = asyncio.create_task(stopping.wait(), name="told-to-stop")
    try:
        await asyncio.wait({serving, told}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            _explain(serving)
    finally:
        await bot.close()
        # A client that is still waiting for its first connection would try for ever.
        for task in (serving, told):
            task.cancel()
        await asyncio.gather(serving, told, return_exceptions=True)


def _explain(serving: "asyncio.Task[None]") -> None:
    """Raise what ended the client, in words for whoever runs it."""
    refused = BotUnavailable(
        "Discord refuses DISCORD_TOKEN: copy the bot's token again from the developer portal."
    )
    try:
        serving.result()
    except discord.LoginFailure:
        raise refused from None
    except discord.ConnectionClosed as closed:
        if closed.code == AUTHENTICATION_FAILED:
            raise refused from None
        raise BotUnavailable(f"Discord closed the connection for good (code {closed.code}).") from closed
    except (aiohttp.ClientError, discord.GatewayNotFound, discord.DiscordServerError, OSError) as error:
        raise BotUnavailable(f"Discord cannot be reached: {error}.") from error


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    main()
