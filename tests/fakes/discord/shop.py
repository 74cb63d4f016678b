"""What people buy from Discord itself: the application's entitlements, listed, and told as events."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fakes.discord.world import Guild, User, snowflake

if TYPE_CHECKING:
    from tests.fakes.discord.server import FakeDiscord

APPLICATION_SUBSCRIPTION = 8


@dataclass(eq=False)
class Purchase:
    """An entitlement of a person, or of a server that a person bought it for."""

    user: User
    guild: Guild | None = None
    sku_id: int = field(default_factory=snowflake)
    starts_at: str | None = None
    ends_at: str | None = None
    consumed: bool = False
    deleted: bool = False
    id: int = field(default_factory=snowflake)

    def payload(self, application_id: int) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "sku_id": str(self.sku_id),
            "application_id": str(application_id),
            "user_id": str(self.user.id),
            "guild_id": None if self.guild is None else str(self.guild.id),
            "type": APPLICATION_SUBSCRIPTION,
            "deleted": self.deleted,
            "consumed": self.consumed,
            "starts_at": self.starts_at,
            "ends_at": self.ends_at,
        }


@dataclass
class Shop:
    """The entitlements of the application."""

    world: "FakeDiscord"
    purchases: list[Purchase] = field(default_factory=list)

    async def buy(self, purchase: Purchase) -> Purchase:
        """Somebody buys something."""
        self.purchases.append(purchase)
        await self._tell("CREATE", purchase)
        return purchase

    async def change(self, purchase: Purchase) -> None:
        """Tell that something has changed on a purchase."""
        await self._tell("UPDATE", purchase)

    async def refund(self, purchase: Purchase) -> None:
        """Take a purchase back."""
        await self._tell("DELETE", purchase)
        purchase.deleted = True

    def listed(self, application: str, **_: Any) -> tuple[int, Any]:
        """The answer to a request for all entitlements, without those that were deleted."""
        return 200, [
            purchase.payload(int(application)) for purchase in self.purchases if not purchase.deleted
        ]

    async def _tell(self, what: str, purchase: Purchase) -> None:
        payload = purchase.payload(self.world.bot.id)
        await self.world.gateway.tell(purchase.guild, f"ENTITLEMENT_{what}", payload)
