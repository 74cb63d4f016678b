"""Ratings: by licensees, one each, changed and hidden, and counted."""

import asyncio

import httpx
import pytest

from market.accounts import service as accounts
from market.accounts.models import Account
from market.catalog.models import Listing, ListingStatus
from market.community.models import Rating
from market.db import Database
from market.licensing import service as licensing
from tests.market.community.conftest import NOBODY, Person, Publish, Somebody, licence, snapshot
from tests.market.conftest import count


async def test_a_licensee_rates(ana: Person, ben: Person, publish: Publish, database: Database) -> None:
    bells = await publish(ana)
    path = f"/v1/loops/{bells.id}/rating"
    await licence(database, bells, ben)
    answer = await ben.http.put(path, json={"stars": 4, "comment": "Rings\ntrue."})
    assert answer.status_code == 200
    said = answer.json()
    assert said == {
        "id": said["id"],
        "stars": 4,
        "comment": "Rings\ntrue.",
        "author": {"handle": ben.handle, "name": "Ben", "page": None},
        "created_at": said["created_at"],
        "updated_at": said["updated_at"],
        "hidden": False,
        "hidden_because": None,
    }
    # Changed, it is the same rating still.
    changed = (await ben.http.put(path, json={"stars": 5})).json()
    assert (changed["id"], changed["stars"], changed["comment"]) == (said["id"], 5, "")
    assert changed["created_at"] == said["created_at"]
    assert (await ben.http.get(path)).json() == changed

    listed = (await ana.http.get(f"/v1/loops/{bells.id}/ratings")).json()
    assert listed == {
        "ratings": [changed],
        "rating": 5.0,
        "count": 1,
        "histogram": [0, 0, 0, 0, 1],
        "next_cursor": None,
    }
    counts = (await ana.http.get(f"/v1/loops/{bells.id}/counts")).json()
    assert counts == {
        "plays": 0, "downloads": 0, "favourites": 0, "licences": 1, "ratings": 1, "rating": 5.0,
    }  # fmt: skip
    assert (await ben.http.delete(path)).status_code == 204
    assert (await ben.http.get(path)).status_code == 404
    assert await count(database, Rating) == 0


async def test_who_may_not_rate(
    ana: Person,
    ben: Person,
    somebody: Somebody,
    publish: Publish,
    http: httpx.AsyncClient,
    database: Database,
) -> None:
    bells = await publish(ana)
    cat, eve = await somebody("Cat", ("member",)), await somebody("Eve", ("member",))
    await licence(database, bells, cat)
    revoked = await licence(database, bells, eve)
    async with database.write() as session:
        await licensing.revoke(session, revoked.code, "Not paid", "system")
    gone = await publish(ana, "Gone")
    await licence(database, gone, cat)
    async with database.write() as session:
        (await session.get_one(Listing, gone.id)).status = ListingStatus.REMOVED
    before = await snapshot(database)

    for person, loop_id, wish, status in [
        (ben, bells.id, {"stars": 5}, 403),
        (eve, bells.id, {"stars": 1}, 403),
        (ana, bells.id, {"stars": 5}, 403),
        (cat, gone.id, {"stars": 5}, 404),
        (cat, NOBODY, {"stars": 5}, 404),
        (cat, "1' OR '1'='1", {"stars": 5}, 404),
        (cat, bells.id, {"stars": 0}, 422),
        (cat, bells.id, {"stars": 6}, 422),
        (cat, bells.id, {"stars": "many"}, 422),
        (cat, bells.id, {}, 422),
        (cat, bells.id, {"stars": 5, "comment": "x" * 2001}, 422),
        (cat, bells.id, {"stars": 5, "comment": "nul\x00"}, 422),
        (cat, bells.id, {"stars": 5, "comment": "bell\x07"}, 422),
        (cat, bells.id, {"stars": 5, "comment": "\ufffe"}, 422),
        (cat, bells.id, {"stars": 5, "account_id": ben.account.id}, 422),
    ]:
        answer = await person.http.put(f"/v1/loops/{loop_id}/rating", json=wish)
        assert answer.status_code == status, (person.handle, wish)
        assert answer.json()["detail"]
    # Half of a surrogate pair, which Python's JSON reads.
    answer = await cat.http.put(
        f"/v1/loops/{bells.id}/rating",
        content=rb'{"stars": 5, "comment": "\ud800"}',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert (await http.put(f"/v1/loops/{bells.id}/rating", json={"stars": 5})).status_code == 401
    assert (await ben.http.delete(f"/v1/loops/{bells.id}/rating")).status_code == 404
    assert await snapshot(database) == before


async def test_a_refused_word_is_not_said(
    ana: Person, ben: Person, publish: Publish, database: Database
) -> None:
    from market.moderation import words

    bells = await publish(ana)
    await licence(database, bells, ben)
    async with database.write() as session:
        await words.add(session, "brouhaha", by="system")
    before = await snapshot(database)
    answer = await ben.http.put(f"/v1/loops/{bells.id}/rating", json={"stars": 1, "comment": "A Brouh4ha!"})
    assert (answer.status_code, answer.json()["field"]) == (422, "comment")
    assert await snapshot(database) == before


async def test_a_moderator_hides_and_shows(
    ana: Person, ben: Person, mod: Person, publish: Publish, database: Database
) -> None:
    bells = await publish(ana)
    await licence(database, bells, ben)
    rating = (await ben.http.put(f"/v1/loops/{bells.id}/rating", json={"stars": 1, "comment": "Rude"})).json()
    hidden = f"/v1/ratings/{rating['id']}/hidden"

    before = await snapshot(database)
    for person in (ana, ben):
        assert (await person.http.put(hidden, json={"reason": "I say so"})).status_code == 403
        assert (await person.http.delete(hidden)).status_code == 403
    assert (await mod.http.put(hidden, json={"reason": ""})).status_code == 422
    for other in ("none", "%00", "f" * 24, "' OR 1=1 --"):
        answer = await mod.http.put(f"/v1/ratings/{other}/hidden", json={"reason": "Rude"})
        assert answer.status_code == 404
    assert await snapshot(database) == before

    assert (await mod.http.put(hidden, json={"reason": "Rude"})).status_code == 204
    seen = (await ana.http.get(f"/v1/loops/{bells.id}/ratings")).json()
    assert (seen["ratings"], seen["count"], seen["rating"]) == ([], 0, None)
    assert (await ana.http.get(f"/v1/loops/{bells.id}/counts")).json()["ratings"] == 0
    # Its author and moderators still see it, and why; the author cannot bring it back by changing it.
    await ben.http.put(f"/v1/loops/{bells.id}/rating", json={"stars": 5, "comment": "Kind"})
    own = (await ben.http.get(f"/v1/loops/{bells.id}/rating")).json()
    assert (own["hidden"], own["hidden_because"], own["comment"]) == (True, "Rude", "Kind")
    [for_moderators] = (await mod.http.get(f"/v1/loops/{bells.id}/ratings")).json()["ratings"]
    assert for_moderators["hidden_because"] == "Rude"

    assert (await mod.http.delete(hidden)).status_code == 204
    assert (await ana.http.get(f"/v1/loops/{bells.id}/ratings")).json()["count"] == 1
    log = (await snapshot(database))["audit_entry"]
    assert sum("rating.hide" in entry for entry in log) == sum("rating.show" in entry for entry in log) == 1


async def test_two_ratings_at_once_are_one(
    ana: Person, ben: Person, publish: Publish, database: Database
) -> None:
    bells = await publish(ana)
    await licence(database, bells, ben)
    wishes = [{"stars": 1 + number % 5} for number in range(8)]
    answers = await asyncio.gather(
        *(ben.http.put(f"/v1/loops/{bells.id}/rating", json=wish) for wish in wishes)
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await count(database, Rating) == 1


async def test_who_left_has_no_name(ana: Person, ben: Person, publish: Publish, database: Database) -> None:
    bells = await publish(ana)
    await licence(database, bells, ben)
    await ben.http.put(f"/v1/loops/{bells.id}/rating", json={"stars": 4, "comment": "Rings true."})
    async with database.write() as session:
        await accounts.delete(session, ben.account.id, ben.handle)
    answer = await ana.http.get(f"/v1/loops/{bells.id}/ratings")
    [rating] = answer.json()["ratings"]
    assert (rating["author"], rating["comment"]) == (None, "Rings true.")
    assert "Ben" not in answer.text
    assert ben.handle not in answer.text
    async with database.read() as session:
        assert (await session.get_one(Account, ben.account.id)).deleted_at is not None


@pytest.mark.parametrize("limit", [0, 101, "x"])
async def test_limits_of_lists(ana: Person, publish: Publish, limit: object) -> None:
    bells = await publish(ana)
    answer = await ana.http.get(f"/v1/loops/{bells.id}/ratings", params={"limit": str(limit)})
    assert (answer.status_code, answer.json()["field"]) == (422, "limit")
