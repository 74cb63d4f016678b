"""Deleting a riff's loops: all that there is of them, unless somebody else has a right to them."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from market.accounts.errors import Suspended
from market.accounts.models import Account
from market.catalog import removal
from market.catalog import service as catalog
from market.catalog.errors import NotYoursToDelete
from market.catalog.models import Listing, ListingPrint, ListingStatus, ListingTag, Loop
from market.catalog.removal import Removal
from market.community import service as community
from market.community.models import Favourite
from market.downloads import service as downloads
from market.downloads.models import Download
from market.models import AuditEntry, SearchEntry
from market.settings import Settings
from market.storage import Storage
from market.studio import service as studio
from market.studio.models import folder
from tests.market.catalog.conftest import Shop
from tests.market.catalog.loops import tune
from tests.market.community.conftest import Person, licence
from tests.market.conftest import count
from tests.market.state import nothing_changes


async def remove(shop: Shop, riff_id: str, account: Account) -> Removal:
    async with shop.database.write() as session:
        return await removal.remove_riff(session, riff_id, account)


async def status_of(shop: Shop, loop: Loop) -> str:
    async with shop.database.read() as session:
        return (await session.get_one(Listing, loop.id)).status


async def test_everything_that_was_said_of_a_loop_goes_with_it(
    shop: Shop, settings: Settings, storage: Storage
) -> None:
    other = await shop.make(sound=tune(2))
    kept = await storage.list(folder(other.riff_id))
    assert (await shop.publish()).status_code == 200
    ada, eve = shop.ada.account, shop.eve.account
    async with shop.database.write() as session:
        await community.favour(session, eve, shop.loop.id)
        path = downloads.link(settings, loop_id=shop.loop.id, format="wav", account_id=ada.id)
        link = await downloads.open_link(session, settings, path.rpartition("/")[2])
        assert await downloads.start(session, settings, link, None, "198.51.100.7")

    found = await remove(shop, shop.loop.riff_id, ada)
    await removal.remove_files(storage, shop.loop.riff_id, found.left)
    assert ([loop.id for loop in found.deleted], found.left) == ([shop.loop.id], [])
    for table in (Listing, ListingTag, ListingPrint, Favourite, Download, SearchEntry):
        assert await count(shop.database, table) == 0, table
    assert await storage.list(folder(shop.loop.riff_id)) == []
    assert await storage.list(folder(other.riff_id)) == kept
    async with shop.database.read() as session:
        assert (await catalog.get(session, other.id)).id == other.id
        assert (await studio.get(session, shop.loop.riff_id)).loops == []
        deletions = sa.select(AuditEntry).where(AuditEntry.action == "loop.delete")
        [entry] = await session.scalars(deletions)
        assert (entry.actor, entry.subject) == (ada.owner, f"loop:{shop.loop.id}")
    assert (await shop.http.get(f"/v1/loops/{shop.loop.id}")).status_code == 404
    async with nothing_changes(shop.database):
        assert await remove(shop, shop.loop.riff_id, ada) == Removal()


async def test_what_is_licensed_comes_off_the_market_and_stays_for_its_holders(shop: Shop) -> None:
    await shop.publish()
    grant = await licence(shop.database, shop.loop, Person(shop.eve.account, shop.http))
    found = await remove(shop, shop.loop.riff_id, shop.ada.account)
    assert ([loop.id for loop in found.licensed], found.deleted) == ([shop.loop.id], [])
    assert await status_of(shop, shop.loop) == ListingStatus.DELISTED
    wav = f"/v1/loops/{shop.loop.id}/audio.wav"
    assert (await shop.http.get(wav, headers=shop.eve.headers)).status_code == 200
    assert (await shop.http.get(f"/v1/licences/{grant.code}")).status_code == 200
    async with nothing_changes(shop.database):
        again = await remove(shop, shop.loop.riff_id, shop.ada.account)
    assert [loop.id for loop in again.left] == [shop.loop.id]


async def test_what_moderators_deal_with_stays(shop: Shop) -> None:
    """A draft that was taken down, a listing that was removed, and one that was reported."""
    await shop.publish()
    draft, reported = await shop.make(sound=tune(2)), await shop.make(sound=tune(3))
    report = {"subject": f"loop:{reported.id}", "reason": "spam", "text": "This is an advertisement."}
    answer = await shop.http.post("/v1/reports", json=report, headers=shop.eve.headers)
    assert answer.status_code == 201, answer.text
    async with shop.database.write() as session:
        for loop in (shop.loop, draft):
            await catalog.set_status(session, loop.id, ListingStatus.REMOVED)
    for loop in (shop.loop, draft, reported):
        async with nothing_changes(shop.database):
            found = await remove(shop, loop.riff_id, shop.ada.account)
        assert [kept.id for kept in found.disputed] == [loop.id]
        assert found.deleted == []


async def test_nobody_else_deletes_it(shop: Shop) -> None:
    ada = shop.ada.account
    async with nothing_changes(shop.database):
        for riff_id, account in (
            (shop.loop.riff_id, shop.eve.account),
            (shop.loop.riff_id, shop.moderator.account),
            ("0" * 24, ada),
            ("' OR 1=1 --", ada),
        ):
            with pytest.raises(NotYoursToDelete, match="only they can delete it"):
                await remove(shop, riff_id, account)
    async with shop.database.write() as session:
        found = await session.get_one(Account, ada.id)
        found.suspended_until = datetime.now(UTC) + timedelta(days=1)
    async with nothing_changes(shop.database):
        with pytest.raises(Suspended):
            await remove(shop, shop.loop.riff_id, found)


async def test_only_the_files_of_what_is_gone_are_deleted(storage: Storage, shop: Shop) -> None:
    """Takes 1 and 10 share a first figure."""
    whole = folder("a" * 24)
    for name in ("1-0f.wav", "1-0f.flac", "10-0f.wav", "10-0f.preview-m1.1.mp3", "2-0f.wav"):
        await storage.put(whole + name, b"sound", "audio/wav")
    [left] = [shop.loop]
    left.take = 1
    await removal.remove_files(storage, "a" * 24, [left])
    assert await storage.list(whole) == [f"{whole}1-0f.flac", f"{whole}1-0f.wav"]
