"""Collections: in an order of their own, public or private, and changed by nobody but their owner."""

import asyncio
from typing import Any

import httpx
import pytest

from market.catalog.models import ListingStatus
from market.community import collections
from market.community.errors import CollectionFull, TooManyCollections
from market.community.models import Collection, CollectionItem
from market.db import Database
from tests.market.community.conftest import NOBODY, Person, Publish, snapshot
from tests.market.conftest import count


async def made(person: Person, **wish: Any) -> dict[str, Any]:
    answer = await person.http.post("/v1/collections", json={"title": "Rainy days"} | wish)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/collections/{answer.json()['id']}"
    return dict(answer.json())


async def titles(client: httpx.AsyncClient, collection: dict[str, Any]) -> list[str]:
    found = (await client.get(f"/v1/collections/{collection['id']}/items")).json()["items"]
    assert [each["position"] for each in found] == sorted(each["position"] for each in found)
    return [each["loop"]["title"] for each in found]


async def test_a_collection_from_its_making_to_its_end(
    ana: Person, ben: Person, publish: Publish, database: Database
) -> None:
    rain = await made(ben, description="For reading.", public=True)
    assert rain["owner"] == {"handle": ben.handle, "name": "Ben", "page": f"/creators/{ben.handle}"}
    path = f"/v1/collections/{rain['id']}"
    for title in ("A", "B", "C", "D"):
        loop = await publish(ana, title)
        answer = await ben.http.put(f"{path}/items/{loop.id}", json={"note": f"Note {title}"})
        assert (answer.status_code, answer.json()["note"]) == (200, f"Note {title}")
    assert await titles(ana.http, rain) == ["A", "B", "C", "D"]

    # To the front, to the end, past the end; a note alone moves nothing.
    await ben.http.put(f"{path}/items/{loop.id}", json={"position": 0})
    assert await titles(ana.http, rain) == ["D", "A", "B", "C"]
    await ben.http.put(f"{path}/items/{loop.id}", json={"position": 2})
    assert await titles(ana.http, rain) == ["A", "B", "D", "C"]
    await ben.http.put(f"{path}/items/{loop.id}", json={"position": 99})
    moved = await ben.http.put(f"{path}/items/{loop.id}", json={"note": "Last"})
    assert (moved.json()["position"], moved.json()["note"]) == (3, "Last")
    assert await titles(ana.http, rain) == ["A", "B", "C", "D"]

    # Page by page.
    first = (await ana.http.get(f"{path}/items", params={"limit": 3})).json()
    rest = (await ana.http.get(f"{path}/items", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [len(first["items"]), len(rest["items"]), rest["next_cursor"]] == [3, 1, None]

    changed = (await ben.http.patch(path, json={"title": "Wet days", "public": False})).json()
    assert (changed["title"], changed["public"], changed["description"], changed["loops"]) == (
        "Wet days", False, "For reading.", 4,
    )  # fmt: skip
    assert (await ben.http.delete(f"{path}/items/{first['items'][0]['loop']['id']}")).status_code == 204
    assert await titles(ben.http, rain) == ["B", "C", "D"]
    assert (await ben.http.delete(path)).status_code == 204
    assert (await ben.http.get(path)).status_code == 404
    assert await count(database, Collection) == await count(database, CollectionItem) == 0


async def test_somebody_elses(
    ana: Person, ben: Person, publish: Publish, http: httpx.AsyncClient, database: Database
) -> None:
    bells = await publish(ana)
    private = await made(ben, title="Secret plans")
    public = await made(ben, title="Shown", public=True)
    for each in (private, public):
        await ben.http.put(f"/v1/collections/{each['id']}/items/{bells.id}", json={})
    before = await snapshot(database)
    for collection, status in [
        (private, 404),
        (public, 403),
        ({"id": NOBODY}, 404),
        ({"id": "' OR 1=1"}, 404),
    ]:
        path = f"/v1/collections/{collection['id']}"
        for answer in [
            await ana.http.patch(path, json={"title": "Mine"}),
            await ana.http.delete(path),
            await ana.http.put(f"{path}/items/{bells.id}", json={"note": "Mine"}),
            await ana.http.delete(f"{path}/items/{bells.id}"),
        ]:
            assert answer.status_code == status
            assert "Secret" not in answer.text
    for client in (ana.http, http):
        for path in (f"/v1/collections/{private['id']}", f"/v1/collections/{private['id']}/items"):
            assert (await client.get(path)).status_code == 404
        assert (await client.get(f"/collections/{private['id']}")).status_code == 404
    assert (await http.post("/v1/collections", json={"title": "x"})).status_code == 401
    assert (
        await ana.http.put(f"/v1/collections/{public['id']}/withdrawn", json={"reason": "No"})
    ).status_code in (403, 422)
    assert await snapshot(database) == before
    listed = (await http.get("/v1/collections")).json()["collections"]
    assert [each["title"] for each in listed] == ["Shown"]
    own = (await ben.http.get("/v1/me/collections")).json()["collections"]
    assert {each["title"] for each in own} == {"Secret plans", "Shown"}


async def test_what_makes_no_collection(
    ben: Person, ana: Person, publish: Publish, database: Database
) -> None:
    rain = await made(ben)
    draft = await publish(ana, "Draft", status=ListingStatus.DRAFT)
    before = await snapshot(database)
    for wish in [
        {},
        {"title": ""},
        {"title": "x" * 101},
        {"title": "nul\x00"},
        {"title": "two\nlines"},
        {"title": "x", "description": "y" * 2001},
        {"title": "x", "owner_id": ana.account.id},
        {"title": "x", "public": "perhaps"},
    ]:
        assert (await ben.http.post("/v1/collections", json=wish)).status_code == 422, wish
    items: list[tuple[str, dict[str, Any], int]] = [
        (draft.id, {}, 404),
        (NOBODY, {}, 404),
        ("x' OR 1=1 --", {}, 404),
        (draft.id, {"note": "z" * 501}, 422),
        (draft.id, {"position": -1}, 422),
        (draft.id, {"position": 10**12}, 422),
    ]
    for loop_id, item, status in items:
        answer = await ben.http.put(f"/v1/collections/{rain['id']}/items/{loop_id}", json=item)
        assert answer.status_code == status, item
    assert await snapshot(database) == before


async def test_drafts_of_ones_own_are_for_oneself(ana: Person, ben: Person, publish: Publish) -> None:
    draft, bells = await publish(ana, "Draft", status=ListingStatus.DRAFT), await publish(ana)
    shelf = await made(ana, public=True)
    for loop in (draft, bells):
        await ana.http.put(f"/v1/collections/{shelf['id']}/items/{loop.id}", json={})
    assert await titles(ana.http, shelf) == ["Draft", "Bells"]
    assert await titles(ben.http, shelf) == ["Bells"]
    assert (await ben.http.get(f"/v1/collections/{shelf['id']}")).json()["loops"] == 1
    assert "Draft" not in (await ben.http.get(f"/collections/{shelf['id']}")).text


async def test_loops_put_in_at_once_all_have_their_place(
    ana: Person, ben: Person, publish: Publish, database: Database
) -> None:
    rain = await made(ben, public=True)
    loops = [await publish(ana, f"Loop {number}") for number in range(6)]
    path = f"/v1/collections/{rain['id']}/items"
    answers = await asyncio.gather(
        *(ben.http.put(f"{path}/{loop.id}", json={"position": 0}) for loop in loops for _ in range(2))
    )
    assert {answer.status_code for answer in answers} == {200}
    found = (await ben.http.get(path)).json()["items"]
    assert [each["position"] for each in found] == list(range(6))


async def test_there_is_an_end_to_collections(
    ana: Person, ben: Person, publish: Publish, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collections, "MAX_COLLECTIONS", 1)
    monkeypatch.setattr(collections, "MAX_ITEMS", 1)
    bells, drums = await publish(ana), await publish(ana, "Drums")
    async with database.write() as session:
        shelf = await collections.create(session, ben.account, "One", "", False)
        await collections.put(session, ben.account, shelf.id, bells.id)
    before = await snapshot(database)
    with pytest.raises(TooManyCollections):
        async with database.write() as session:
            await collections.create(session, ben.account, "Two", "", False)
    with pytest.raises(CollectionFull):
        async with database.write() as session:
            await collections.put(session, ben.account, shelf.id, drums.id)
    assert await snapshot(database) == before


async def test_a_moderator_withdraws(ana: Person, ben: Person, mod: Person, publish: Publish) -> None:
    bells = await publish(ana)
    rude = await made(ben, title="Rude", public=True)
    await ben.http.put(f"/v1/collections/{rude['id']}/items/{bells.id}", json={})
    path = f"/v1/collections/{rude['id']}/withdrawn"
    assert (await mod.http.put(path, json={"reason": "Rude title"})).status_code == 204
    assert (await ana.http.get(f"/v1/collections/{rude['id']}")).status_code == 404
    assert (await mod.http.put(path, json={"reason": "Rude title"})).status_code == 404
    assert (await ben.http.get(f"/v1/collections/{rude['id']}")).json()["public"] is False


async def test_the_page_shows_what_was_written(
    ana: Person, ben: Person, publish: Publish, http: httpx.AsyncClient
) -> None:
    bells = await publish(ana, "Bells & whistles")
    evil = '<img src=x onerror="alert(1)">'
    shelf = await made(ben, title=evil, description=evil, public=True)
    await ben.http.put(f"/v1/collections/{shelf['id']}/items/{bells.id}", json={"note": evil})
    answer = await http.get(shelf["page"])
    assert answer.status_code == 200
    assert answer.text.count("&lt;img src=x onerror=") >= 4
    assert "<img src=x" not in answer.text
    assert "Bells &amp; whistles" in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]
