"""Deleting what somebody made: a riff's loops for good, as far as nobody else has a right to them."""

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from market.accounts.models import Account
from market.audit import service as audit
from market.catalog import repository
from market.catalog import service as catalog
from market.catalog.errors import NotYoursToDelete
from market.catalog.models import ListingStatus, Loop
from market.downloads import repository as downloads
from market.licensing import holders
from market.moderation import repository as cases
from market.search import service as search
from market.storage import Storage
from market.studio import repository as studio_rows
from market.studio.models import folder


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of a riff's loops, by their ids.

    `deleted` ones are gone, `licensed` ones are off the market and stay for whoever holds a licence, and `disputed`
    ones stay as they are: a moderator took them down or has yet to decide about a report.
    """

    deleted: list[Loop] = field(default_factory=list)
    licensed: list[Loop] = field(default_factory=list)
    disputed: list[Loop] = field(default_factory=list)

    @property
    def left(self) -> list[Loop]:
        """What is still there."""
        return [*self.licensed, *self.disputed]


async def remove_riff(session: AsyncSession, riff_id: str, account: Account) -> Removal:
    """Delete the loops of a riff and all that was said of them; their files are left to `remove_files`.

    A riff whose loops are gone already is fine. Raises NotYoursToDelete and Suspended, with nothing
    deleted.
    """
    order = await studio_rows.get(session, riff_id)
    if order is None or order.owner != account.owner:
        raise NotYoursToDelete
    found = Removal()
    for loop in await repository.of_riff(session, riff_id):
        await catalog.own(session, loop.id, account)
        if await _is_disputed(session, loop):
            found.disputed.append(loop)
        elif await holders.ever(session, loop.id):
            await catalog.delist(session, loop.id, account)
            found.licensed.append(loop)
        else:
            await search.drop(session, loop.id)
            await downloads.delete(session, loop.id)
            await repository.delete(session, loop)
            await audit.record(session, account.owner, "loop.delete", f"loop:{loop.id}", sha256=loop.sha256)
            found.deleted.append(loop)
    return found


async def remove_files(storage: Storage, riff_id: str, left: Collection[Loop]) -> None:
    """Delete the files of a riff's loops, in every format, but for those of the loops that are `left`."""
    whole = folder(riff_id)
    kept = tuple(f"{whole}{loop.take}-" for loop in left)
    await storage.sweep(whole, {key for key in await storage.list(whole) if key.startswith(kept)})


async def _is_disputed(session: AsyncSession, loop: Loop) -> bool:
    held = await repository.locked_listing(session, loop.id)
    return (
        (held is not None and held.status == ListingStatus.REMOVED)
        or await repository.taken_down(session, loop.id) is not None
        or await cases.live_case(session, f"loop:{loop.id}") is not None
    )
