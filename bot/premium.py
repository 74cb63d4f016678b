"""Discord's Premium Apps: what people bought there is written down, and offered under `/credits`.

All of it is off without the setting `discord_sku`. Payments decide what a purchase grants; until then a row says that
there is one. Events tell of changes; the whole list is read whenever a shard has begun anew, for then some are lost.
"""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import discord
import structlog
from discord import ButtonStyle, ui
from discord.ext import commands

from market.entitlements import service as entitlements
from market.entitlements.service import Bought

if TYPE_CHECKING:
    from bot.client import RiffBot

log = structlog.get_logger(__name__)

TRY_AGAIN_AFTER = 60.0  # seconds


def view(sku_id: int | None) -> ui.View | None:
    """The button that opens Discord's own shop; None where nothing is sold."""
    if sku_id is None:
        return None
    offered = ui.View(timeout=None)
    offered.add_item(ui.Button(style=ButtonStyle.premium, sku_id=sku_id))
    return offered


class Premium(commands.Cog):
    """Listens to what Discord tells of purchases; only there where something is sold."""

    def __init__(self, bot: "RiffBot") -> None:
        self._bot = bot
        self._stale = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def cog_load(self) -> None:
        self._reading = asyncio.create_task(self._keep_reconciled(), name="entitlements")

    async def cog_unload(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    @commands.Cog.listener()
    async def on_shard_connect(self, _shard_id: int) -> None:
        """A session has begun, and what happened since the one before was told to nobody."""
        self._stale.set()

    @commands.Cog.listener()
    async def on_entitlement_create(self, entitlement: discord.Entitlement) -> None:
        await self._tell(_bought(entitlement))

    @commands.Cog.listener()
    async def on_entitlement_update(self, entitlement: discord.Entitlement) -> None:
        await self._tell(_bought(entitlement))

    @commands.Cog.listener()
    async def on_entitlement_delete(self, entitlement: discord.Entitlement) -> None:
        await self._tell(_bought(entitlement, is_deleted=True))

    async def _tell(self, bought: Bought) -> None:
        try:
            async with self._bot.database.write() as session:
                await entitlements.tell(session, bought, datetime.now(UTC))
        except Exception:
            log.exception("entitlement_not_written", entitlement=bought.id)
            self._stale.set()

    async def _keep_reconciled(self) -> None:
        """Read Discord's whole list whenever something may have been missed, again where that fails."""
        while True:
            await self._stale.wait()
            self._stale.clear()
            try:
                await self._reconcile()
            except Exception:
                log.exception("entitlements_not_read")
                self._stale.set()
                await asyncio.sleep(TRY_AGAIN_AFTER)

    async def _reconcile(self) -> None:
        began = datetime.now(UTC)
        # Discord leaves deleted ones out.
        told = [_bought(each) async for each in self._bot.entitlements(limit=None)]
        async with self._bot.database.write() as session:
            await entitlements.reconcile(session, told, began)
        log.info("entitlements_read", count=len(told))


def _bought(entitlement: discord.Entitlement, *, is_deleted: bool = False) -> Bought:
    return Bought(
        id=entitlement.id,
        sku_id=entitlement.sku_id,
        user_id=entitlement.user_id,
        guild_id=entitlement.guild_id,
        starts_at=entitlement.starts_at,
        ends_at=entitlement.ends_at,
        consumed=entitlement.consumed,
        deleted=entitlement.deleted or is_deleted,
    )
