"""The rules of entitlements: Discord's word counts, the newest of it, and leaving is for good.

Nothing is granted for them yet: a row says that something was bought, and whether Discord calls it used.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from market.accounts import personal
from market.accounts import service as accounts
from market.accounts.models import Account
from market.entitlements import repository

DISCORD = "discord:"


@dataclass(frozen=True, slots=True)
class Bought:
    """An entitlement as Discord tells of it; a test purchase starts and ends at no time."""

    id: int
    sku_id: int
    user_id: int | None
    guild_id: int | None
    starts_at: datetime | None
    ends_at: datetime | None
    consumed: bool
    deleted: bool


async def tell(session: AsyncSession, bought: Bought, at: datetime) -> None:
    """Write down what Discord told at a moment; the same again changes nothing, older news neither."""
    await repository.put(session, {**asdict(bought), "told_at": at}, f"{DISCORD}{bought.user_id}")


async def reconcile(session: AsyncSession, everything: Iterable[Bought], at: datetime) -> None:
    """Make the rows agree with Discord's whole list, whose reading began at a moment.

    What is missing from it was deleted; what was told since then is newer than the list and stays.
    """
    for bought in everything:
        await tell(session, bought, at)
    await repository.delete_untold(session, at)


async def count_held(session: AsyncSession, account: Account) -> int:
    """How much of what a person bought they have and have not used."""
    return await repository.count_held(session, await _user_ids(session, account), datetime.now(UTC))


async def _user_ids(session: AsyncSession, account: Account) -> Sequence[int]:
    subjects = [each.subject for each in await accounts.identities(session, account)]
    return [int(subject.removeprefix(DISCORD)) for subject in subjects if subject.startswith(DISCORD)]


async def _exported(session: AsyncSession, account: Account) -> object:
    return [
        {
            "id": str(each.id),
            "sku": str(each.sku_id),
            "server": each.guild_id and str(each.guild_id),
            "starts_at": each.starts_at and each.starts_at.isoformat(),
            "ends_at": each.ends_at and each.ends_at.isoformat(),
            "consumed": each.consumed,
            "deleted": each.deleted,
        }
        for each in await repository.of_users(session, await _user_ids(session, account))
    ]


async def _erase(session: AsyncSession, account: Account) -> None:
    await repository.forget(session, await _user_ids(session, account))


personal.register("entitlements", exported=_exported, erase=_erase)
