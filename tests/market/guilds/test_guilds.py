"""What may be set on a server, what is refused, who is told of it, and what is left of somebody who leaves."""

import asyncio
from dataclasses import asdict
from typing import Any

import pytest
import sqlalchemy as sa

from generation.errors import InvalidRequest
from market.accounts import service as accounts
from market.audit import service as audit
from market.db import Database
from market.guilds import gallery
from market.guilds import service as guilds
from market.guilds.gallery import Starred
from market.guilds.models import GalleryPost
from market.guilds.service import OPEN_TO_ALL, Rules
from market.models import Account, Listing
from market.storage import Storage
from tests.market.conftest import finished
from tests.market.state import nothing_changes

GUILD = 7 << 40
EVERYTHING: dict[str, Any] = {
    "channels": ["11", 12],
    "roles": [str(2**62)],
    "max_takes": "2",
    "max_bars": 8,
    "gallery_channel": "13",
    "gallery_stars": "5",
    "spoiler": True,
    "presses": "owner",
    "language": "es",
    "share": 20,
}


async def somebody(database: Database, name: str = "mo") -> Account:
    async with database.write() as session:
        return await accounts.create(session, f"local:{name}", name.title())


async def change(database: Database, by: Account, **parts: object) -> Rules:
    async with database.write() as session:
        return await guilds.change(session, GUILD, by, **parts)


async def of(database: Database, guild_id: int = GUILD) -> Rules:
    async with database.read() as session:
        return await guilds.of(session, guild_id)


async def changes(database: Database) -> list[tuple[str, str, dict[str, Any]]]:
    """What the audit log has of servers, oldest first."""
    async with database.read() as session:
        page = await audit.entries(session)
    return [
        (entry.actor, entry.subject, entry.details)
        for entry in reversed(page.entries)
        if entry.action == "guild.change"
    ]


async def test_everything_is_allowed_until_somebody_sets_something(database: Database) -> None:
    assert await of(database) == OPEN_TO_ALL
    assert asdict(OPEN_TO_ALL) == {
        "channels": (), "roles": (), "max_takes": 4, "max_bars": 16, "gallery_channel": None, "gallery_stars": 3,
        "spoiler": False, "presses": "everyone", "language": "", "share": 0,
    }  # fmt: skip


async def test_what_is_set_holds_there_and_is_in_the_log(database: Database) -> None:
    mo, eve = await somebody(database), await somebody(database, "eve")
    wanted = Rules((11, 12), (2**62,), 2, 8, 13, 5, True, "owner", "es", 20)
    assert await change(database, mo, **EVERYTHING) == wanted
    assert await of(database) == wanted
    assert await of(database, GUILD + 1) == OPEN_TO_ALL

    assert (await change(database, eve, share="", channels=[], gallery_channel=None)).share == 0
    # The same again is no change.
    await change(database, mo, share=0)
    assert await changes(database) == [
        (
            mo.owner,
            f"guild:{GUILD}",
            {
                "before": {
                    "channels": [], "roles": [], "max_takes": 4, "max_bars": 16, "gallery_channel": None,
                    "gallery_stars": 3, "spoiler": False, "presses": "everyone", "language": "", "share": 0,
                },
                "after": {
                    "channels": ["11", "12"], "roles": [str(2**62)], "max_takes": 2, "max_bars": 8,
                    "gallery_channel": 13, "gallery_stars": 5, "spoiler": True, "presses": "owner", "language": "es",
                    "share": 20,
                },
            },
        ),
        (
            eve.owner,
            f"guild:{GUILD}",
            {
                "before": {"share": 20, "channels": ["11", "12"], "gallery_channel": 13},
                "after": {"share": 0, "channels": [], "gallery_channel": None},
            },
        ),
    ]  # fmt: skip


REFUSED = [
    ({"channels": "11"}, "The channels have to be a list."),
    ({"roles": ["everybody"]}, "“everybody” is not an id of Discord's."),
    ({"roles": [2**63]}, f"“{2**63}” is not an id of Discord's."),
    ({"channels": list(range(1, 27))}, "At most 25 channels can be chosen, not 26."),
    ({"max_takes": 5}, "max takes has to be from 1 to 4, not “5”."),
    ({"max_takes": "some"}, "max takes has to be a number from 1 to 4, not “some”."),
    ({"max_bars": 3}, "max bars has to be from 4 to 16, not “3”."),
    ({"max_bars": 4.5}, "max bars has to be a whole number, not “4.5”."),
    ({"gallery_channel": -1}, "“-1” is not an id of Discord's."),
    ({"gallery_stars": 0}, "gallery stars has to be from 1 to 1000, not “0”."),
    ({"spoiler": "yes"}, "Spoilers are either on or off."),
    ({"presses": "nobody"}, "presses has to be everyone or owner, not “nobody”."),
    ({"language": "fr"}, "language has to be en or es, not “fr”."),
    ({"share": "51"}, "share has to be from 0 to 50, not “51”."),
]


@pytest.mark.parametrize(("parts", "sentence"), REFUSED)
async def test_what_cannot_be_is_refused_as_a_whole(
    database: Database, parts: dict[str, object], sentence: str
) -> None:
    mo = await somebody(database)
    await change(database, mo, max_takes=3)
    async with nothing_changes(database):
        with pytest.raises(InvalidRequest) as refusal:
            await change(database, mo, spoiler=True, **parts) if "spoiler" not in parts else await change(
                database, mo, **parts
            )
    assert (str(refusal.value), refusal.value.field) == (sentence, next(iter(parts)))


async def test_two_who_begin_at_once_both_are_heard(database: Database) -> None:
    mo, eve = await somebody(database), await somebody(database, "eve")
    await asyncio.gather(change(database, mo, share=10), change(database, eve, max_takes=1))
    rules = await of(database)
    assert (rules.share, rules.max_takes) == (10, 1)
    assert len(await changes(database)) == 2


async def posts(database: Database) -> list[tuple[str, int, int]]:
    async with database.read() as session:
        rows = await session.scalars(sa.select(GalleryPost).order_by(GalleryPost.guild_id))
        return [(row.state, row.stars, row.channel_id) for row in rows]


async def star(
    database: Database, riff_id: str, stars: int, *, guild_id: int = GUILD, channel_id: int = 13
) -> None:
    async with database.write() as session:
        await gallery.star(session, Starred(guild_id, riff_id, stars, channel_id, 21, 22))


async def test_a_riff_hangs_once_on_each_server_with_the_most_stars_that_were_counted(
    database: Database, storage: Storage
) -> None:
    riff_id = (await finished(database, storage)).riff_id
    await asyncio.gather(*(star(database, riff_id, stars) for stars in (3, 5, 4)))
    await star(database, riff_id, 3, guild_id=GUILD + 1)
    assert await posts(database) == [("open", 5, 13), ("open", 3, 13)]

    async with database.write() as session:
        first, second = await gallery.due(session)
        # More stars come in while it is posted.
    await star(database, riff_id, 6)
    async with database.write() as session:
        await gallery.posted(session, first, 31)
        await gallery.refused(session, second, "403", for_good=False, channel_id=14)
    assert await posts(database) == [("open", 6, 13), ("open", 3, 14)]

    async with database.write() as session:
        first, second = await gallery.due(session)
        assert first.message_id == 31
        await gallery.said(session, first)
        await gallery.refused(session, second, "404", for_good=True, channel_id=14)
    assert await posts(database) == [("posted", 6, 13), ("failed", 3, 14)]

    # What its channel did not take is tried again with the next star, what hangs says so, what has less stays.
    await star(database, riff_id, 4, guild_id=GUILD + 1, channel_id=15)
    await star(database, riff_id, 5)
    assert await posts(database) == [("posted", 6, 13), ("open", 4, 15)]
    await star(database, riff_id, 7)
    assert (await posts(database))[0] == ("changed", 7, 13)

    async with database.write() as session:
        for one in await gallery.due(session):
            await gallery.left(session, one)
    await star(database, riff_id, 9)
    assert (await posts(database))[0] == ("gone", 7, 13)


async def test_what_is_taken_down_leaves_and_what_a_person_left_is_told_and_forgotten(
    database: Database, storage: Storage
) -> None:
    loop = await finished(database, storage)
    mo = await somebody(database)
    async with database.write() as session:
        await session.execute(sa.text("UPDATE riff SET owner = :owner"), {"owner": mo.owner})
    await change(database, mo, share=10)
    await star(database, loop.riff_id, 3)

    async with database.write() as session:
        await gallery.take_down_removed(session)
    assert await posts(database) == [("open", 3, 13)]
    async with database.read() as session:
        told = (await accounts.export(session, mo.id))["servers"]
    assert [(each["server"], set(each)) for each in told["settings"]] == [
        (str(GUILD), {"server", "changed_at"})
    ]
    assert told["galleries"] == [{"server": str(GUILD), "riff": loop.riff_id, "stars": 3, "posted_at": None}]

    async with database.write() as session:
        session.add(
            Listing(
                loop_id=loop.id,
                creator_id=mo.id,
                status="removed",
                title="Bells",
                prices={},
                updated_at=mo.created_at,
            )
        )
        await session.flush()
        await gallery.take_down_removed(session)
    assert await posts(database) == [("leaving", 3, 13)]

    async with database.write() as session:
        await session.execute(sa.update(GalleryPost).values(state="posted"))
        await accounts.delete(session, mo.id, mo.handle)
    assert await posts(database) == [("leaving", 3, 13)]
    async with database.read() as session:
        assert await session.scalar(sa.text("SELECT updated_by FROM guild_settings")) is None
    assert (await of(database)).share == 10
