"""What the gate hears in somebody's loop, for the doors that ask it."""

from market.accounts.models import Account
from market.catalog import gate
from market.catalog import service as catalog
from market.catalog.gate import Measured
from market.db import Database
from market.storage import Storage


async def listened(database: Database, storage: Storage, account: Account, loop_id: str) -> Measured:
    """What the gate measures in a loop of this account, with no transaction open meanwhile.

    Raises AssetMissing and what `catalog.own` raises, before anything is measured.
    """
    async with database.read() as session:
        loop = await catalog.own(session, loop_id, account)
    return await gate.listen(storage, loop)
