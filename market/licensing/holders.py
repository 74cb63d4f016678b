"""Who holds a licence: what others ask before they open a file, take a rating or list a loop."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from market.licensing import repository, tiers
from market.licensing.models import Grant


async def effective(session: AsyncSession, loop_id: str, account_id: str) -> Sequence[Grant]:
    """The licences of a loop that an account holds and that are not revoked, oldest first."""
    return await repository.effective(session, loop_id, account_id)


async def ever(session: AsyncSession, loop_id: str) -> bool:
    """Whether anybody ever had a licence of a loop, one that was revoked included."""
    return await repository.is_licensed(session, loop_id)


async def exclusive_of(session: AsyncSession, sound: str) -> Grant | None:
    """The effective grant that keeps a sound, by the SHA-256 of its PCM, from everybody else."""
    names = [tier.name for tier in tiers.every().values() if tier.exclusive]
    return await repository.exclusive(session, sound, names)
