"""Favourites: kept once, listed newest first, and nobody else's."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from market.catalog.models import Listing, ListingStatus
from market.community import repository, service
from market.community.errors import TooManyFavourites
from market.community.models import Favourite
from market.db import Database
from tests.market.community.conftest import NOBODY, Person, Publish, Somebody, snapshot
from tests.market.conftest import count, loop


async def test_favourites_are_kept_and_let_go(ana: Person, ben: Person, publish: Publish) -> None:
    bells, drums = await publish(ana, "Bells"), await publish(ana, "Drums")
    assert (await ben.http.put(f"/v1/me/favourites/{bells.id}")).status_code == 204
    assert (await ben.http.put(f"/v1/me/favourites/{drums.id}")).status_code == 204
    # Once more is fine, and does not move it to the front.
    assert (await ben.http.put(f"/v1/me/favourites/{bells.id}")).status_code == 204

    answer = await ben.http.get("/v1/me/favourites")
    assert answer.headers["cache-control"] == "private, no-store"
    found = answer.json()
    assert [each["loop"]["title"] for each in found["favourites"]] == ["Drums", "Bells"]
    assert found["next_cursor"] is None
    loop = found["favourites"][0]["loop"]
    assert loop["creator"] == {"handle": ana.handle, "name": "Ana", "page": f"/creators/{ana.handle}"}
    assert "seed" not in str(loop)

    assert (await ben.http.delete(f"/v1/me/favourites/{drums.id}")).status_code == 204
    assert (await ben.http.delete(f"/v1/me/favourites/{drums.id}")).status_code == 204
    left = (await ben.http.get("/v1/me/favourites")).json()["favourites"]
    assert [each["loop"]["title"] for each in left] == ["Bells"]
    assert (await ana.http.get("/v1/me/favourites")).json()["favourites"] == []


async def test_the_list_goes_on_where_it_stopped(
    ana: Person, ben: Person, publish: Publish, database: Database
) -> None:
    start = datetime.now(UTC)
    loops = [await publish(ana, f"Loop {number}") for number in range(5)]
    async with database.write() as session:
        for number, loop in enumerate(loops):
            # Two of them in the same moment: the loop's id decides.
            at = start + timedelta(seconds=number // 2)
            await repository.add_favourite(session, ben.account.id, loop.id, at)
    seen, cursor = [], None
    for _ in range(3):
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await ben.http.get("/v1/me/favourites", params=params)).json()
        seen += [each["loop"]["id"] for each in page["favourites"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert sorted(seen) == sorted(loop.id for loop in loops)
    assert seen[0] == loops[4].id


async def test_two_at_once_are_one(ana: Person, ben: Person, publish: Publish, database: Database) -> None:
    bells = await publish(ana)
    answers = await asyncio.gather(*(ben.http.put(f"/v1/me/favourites/{bells.id}") for _ in range(8)))
    assert {answer.status_code for answer in answers} == {204}
    assert await count(database, Favourite) == 1
    assert (await ben.http.get(f"/v1/loops/{bells.id}/counts")).json()["favourites"] == 1


async def test_what_is_refused_changes_nothing(
    ana: Person,
    ben: Person,
    somebody: Somebody,
    publish: Publish,
    http: httpx.AsyncClient,
    database: Database,
) -> None:
    bells = await publish(ana)
    removed = await publish(ana, "Removed", status=ListingStatus.REMOVED)
    reader = await somebody("Rae", ("member",), ("read",))
    before = await snapshot(database)
    for person, loop_id, status in [
        (ben, removed.id, 404),
        (ana, removed.id, 404),
        (ben, NOBODY, 404),
        (ben, "' OR 1=1 --", 404),
        (ben, "a" * 5000, 404),
        (ben, "%00", 404),
        (reader, bells.id, 403),
    ]:
        assert (await person.http.put(f"/v1/me/favourites/{loop_id}")).status_code == status
    assert (await http.put(f"/v1/me/favourites/{bells.id}")).status_code == 401
    assert (await http.get("/v1/me/favourites")).status_code == 401
    for cursor in ("nonsense", "bmFuIHg=", "MSAx", "\u0661", "1e400 a"):
        answer = await ben.http.get("/v1/me/favourites", params={"cursor": cursor})
        assert answer.status_code in (200, 422), cursor
        if answer.status_code == 422:
            assert answer.json()["field"] == "cursor"
    assert await snapshot(database) == before


async def test_a_draft_is_kept_by_whoever_may_see_it(
    ana: Person, ben: Person, publish: Publish, database: Database
) -> None:
    """By whoever has its link; once another loop of its riff is on the market, that can be guessed."""
    draft = await publish(ana, "Draft", status=ListingStatus.DRAFT)
    plain = loop(draft.riff_id, 1)
    async with database.write() as session:
        session.add(plain)
    for kept in (draft, plain):
        assert (await ben.http.put(f"/v1/me/favourites/{kept.id}")).status_code == 204
    async with database.read() as session:
        assert await service.kept(session, ben.account, [draft.id, plain.id]) == {draft.id, plain.id}
        assert await service.kept(session, ana.account, [draft.id, plain.id]) == set()
        assert await service.keepers(session, plain.id) == 1

    taken = loop(draft.riff_id, 2)
    async with database.write() as session:
        session.add(taken)
        (await session.get_one(Listing, draft.id)).status = ListingStatus.PUBLISHED
    before = await snapshot(database)
    assert (await ben.http.put(f"/v1/me/favourites/{taken.id}")).status_code == 404
    assert await snapshot(database) == before
    # It may come back into view; meanwhile it can be let go.
    assert (await ben.http.delete(f"/v1/me/favourites/{plain.id}")).status_code == 204
    async with database.read() as session:
        assert await service.keepers(session, plain.id) == 0


async def test_what_is_taken_off_the_market_is_left_out(
    ana: Person, ben: Person, publish: Publish, database: Database
) -> None:
    bells = await publish(ana)
    await ben.http.put(f"/v1/me/favourites/{bells.id}")
    async with database.write() as session:
        (await session.get_one(Listing, bells.id)).status = ListingStatus.DELISTED
    assert (await ben.http.get("/v1/me/favourites")).json()["favourites"] == []
    # It may come back; meanwhile it can be let go.
    assert await count(database, Favourite) == 1
    await ben.http.delete(f"/v1/me/favourites/{bells.id}")
    assert await count(database, Favourite) == 0


async def test_there_is_an_end_to_favourites(
    ana: Person, ben: Person, publish: Publish, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_FAVOURITES", 1)
    bells, drums = await publish(ana), await publish(ana, "Drums")
    async with database.write() as session:
        await service.favour(session, ben.account, bells.id)
    before = await snapshot(database)
    with pytest.raises(TooManyFavourites, match="1 favourites"):
        async with database.write() as session:
            await service.favour(session, ben.account, drums.id)
    assert await snapshot(database) == before
