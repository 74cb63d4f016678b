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

from bot import access, errors, forms
from bot.cancel import CancelButton
from bot.cogs.riff import RiffCommands
from bot.delivery import Deliveries
from bot.errors import BotUnavailable
from bot.loop import actions, files, keep, publish, remake
from bot.loop.buttons import LoopButton, LoopMenu, TakeMenu
from bot.voice import soundboard
from generation.errors import RiffError
from market import logs
from market.catalog.formats import Formats
from market.db import Database, require_current
from market.settings import Settings
from market.storage import Storage

log = structlog.get_logger(__name__)

AUTHENTICATION_FAILED = 4004

# discord.py warns at each start that its voice extra is not installed; nothing here speaks.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False


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
        except RiffError as refusal:
            if interaction.type is discord.InteractionType.application_command:
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
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self.settings = settings
        self.database = Database(settings)
        storage = Storage.open(settings)
        self.deliveries = Deliveries(
            self, self.database, storage, Formats(storage, settings), settings.public_url
        )
        self._delivering: asyncio.Task[None] | None = None

    async def setup_hook(self) -> None:
        for room in (remake, keep, files, publish, soundboard):
            actions.offer(*room.ACTIONS)
            for name, handler in room.FORMS.items():
                forms.on_submit(name, handler)
        await self.add_cog(RiffCommands())
        self.add_dynamic_items(CancelButton, LoopButton, LoopMenu, TakeMenu)
        await self._sync_commands()
        # Deliveries need only REST, so what finished while the bot was away does not wait for the gateway.
        self._delivering = asyncio.create_task(self.deliveries.run(), name="deliveries")

    async def on_interaction(self, interaction: discord.Interaction["RiffBot"]) -> None:
        """Forms that come back; commands and buttons find their way by themselves."""
        if interaction.type is discord.InteractionType.modal_submit:
            await forms.submitted(interaction)

    async def close(self) -> None:
        """Let deliveries that are under way end, then leave."""
        if self._delivering is not None:
            self._delivering.cancel()
            await asyncio.gather(self._delivering, return_exceptions=True)
        await super().close()
        await self.database.close()

    async def _sync_commands(self) -> None:
        """Tell Discord the commands if they are others than last time: it counts such calls per day."""
        declared = [command.to_dict(self.tree) for command in self.tree.get_commands()]
        digest = hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()
        kept = self.settings.data_dir / f"discord-commands-{self.application_id}.sha256"
        if kept.is_file() and kept.read_text() == digest:
            return
        await self.tree.sync()
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
