"""From a draft onto the market and off it again, over HTTP."""

import asyncio
from pathlib import Path

import httpx
import numpy as np
import pytest
import sqlalchemy as sa

from generation import credentials
from market.catalog import service as catalog
from market.licensing import service as licensing
from market.models import AuditEntry, Listing, ListingPrint, Loop
from market.search import service as search
from market.search.query import Query
from tests.market.catalog.conftest import OFFER, Shop
from tests.market.catalog.loops import tune
from tests.market.conftest import count


async def found(shop: Shop, text: str = "") -> list[str]:
    async with shop.database.read() as session:
        return list((await search.search(session, Query(text=text))).loop_ids)


async def test_a_draft_becomes_a_listing_and_comes_off_again(shop: Shop) -> None:
    path = f"/v1/loops/{shop.loop.id}"
    assert (await shop.http.get(path)).json()["listing"] is None
    assert (await shop.http.get("/v1/loops")).json()["loops"] == []

    published = await shop.publish()
    assert published.status_code == 200, published.text
    listing, checks = published.json()["listing"], published.json()["checks"]
    assert (listing["status"], listing["title"], listing["licences"]) == (
        "published",
        "Bells at noon",
        ["free", "creator", "business"],
    )
    assert listing["prices"] == {"creator": 900, "business": 4900}
    assert listing["creator"] == {"id": shop.ada.account.id, "handle": shop.ada.account.handle, "name": "Ada"}
    assert published.headers["etag"] == f'"{listing["version"]}"'
    names = [check["name"] for check in checks]
    assert names == [
        "seam", "step", "silence", "clipping", "true peak", "loudness", "tempo", "key", "same samples", "fingerprint",
        "embedding", "originality", "origin", "words", "offer",
    ]  # fmt: skip
    assert all(check["passed"] or check["warning"] for check in checks)
    assert all(check["sentence"].endswith(".") for check in checks)

    seen = (await shop.http.get(path)).json()
    assert seen["listing"] == listing
    assert [each["id"] for each in (await shop.http.get("/v1/loops")).json()["loops"]] == [shop.loop.id]
    assert await found(shop, "noon") == [shop.loop.id]
    async with shop.database.read() as session:
        row = await catalog.listing(session, shop.loop.id)
        assert row is not None
        assert row.analysis["figures"]["seam"] == pytest.approx(1, abs=0.5)
        assert row.fingerprint is not None
        assert row.published_at is not None
        assert set(await session.scalars(sa.select(AuditEntry.action))) >= {"listing.publish"}
    assert await count(shop.database, ListingPrint) > 10

    again = await shop.publish()
    assert again.json()["listing"] == listing

    off = await shop.http.post(f"{path}/delist", headers=shop.ada.headers)
    assert (off.status_code, off.json()["status"]) == (200, "delisted")
    assert (await shop.http.post(f"{path}/delist", headers=shop.ada.headers)).json() == off.json()
    assert (await shop.http.get("/v1/loops")).json()["loops"] == []
    assert await found(shop, "noon") == []
    back = (await shop.publish()).json()["listing"]
    assert (back["status"], back["published_at"]) == ("published", listing["published_at"])


async def test_a_listing_is_written_read_and_changed_without_overwriting_each_other(shop: Shop) -> None:
    path = f"/v1/loops/{shop.loop.id}/listing"
    assert (await shop.http.get(path)).status_code == 404
    fresh = await shop.http.put(
        path, json={"title": "  Bells   of   June ", "free": True}, headers=shop.ada.headers
    )
    assert (fresh.status_code, fresh.json()["status"], fresh.json()["title"]) == (
        200,
        "draft",
        "Bells of June",
    )
    tag = fresh.headers["etag"]
    assert (await shop.http.get(path)).headers["etag"] == tag

    changed = await shop.http.patch(
        path, json={"description": "One\r\ntwo"}, headers={**shop.ada.headers, "If-Match": tag}
    )
    assert changed.json()["description"] == "One\ntwo"
    assert (changed.json()["title"], changed.json()["free"]) == ("Bells of June", True)
    before = await shop.state()
    for stale in (tag, '"x"', '"-1"', "", f"W/{changed.headers['etag']}"):
        late = await shop.http.patch(
            path, json={"title": "Mine"}, headers={**shop.ada.headers, "If-Match": stale}
        )
        assert (late.status_code, late.headers["content-type"]) == (412, "application/problem+json")
    headers = {**shop.ada.headers, "If-Match": tag}
    for end, body in (("publish", OFFER), ("delist", None)):
        late = await shop.http.post(f"/v1/loops/{shop.loop.id}/{end}", json=body, headers=headers)
        assert late.status_code == 412
    assert await shop.state() == before
    assert (await shop.publish()).status_code == 200

    emptied = await shop.http.put(path, json={"free": True}, headers=shop.ada.headers)
    assert (emptied.json()["title"], emptied.json()["description"], emptied.json()["prices"]) == (
        OFFER["title"],
        "",
        {},
    )


async def test_what_is_on_sale_has_to_stay_fit_for_it(shop: Shop) -> None:
    assert (await shop.publish()).status_code == 200
    path = f"/v1/loops/{shop.loop.id}/listing"
    before = await shop.state()
    nothing = await shop.http.patch(path, json={"prices": {}, "free": False}, headers=shop.ada.headers)
    assert (nothing.status_code, nothing.json()["detail"]) == (
        422,
        "It cannot be published. Nothing is offered: set a price, or make it free.",
    )
    assert await shop.state() == before

    renamed = await shop.http.patch(path, json={"title": "Carillon"}, headers=shop.ada.headers)
    assert renamed.status_code == 200
    assert (await found(shop, "carillon"), await found(shop, "noon")) == ([shop.loop.id], [])


async def test_the_same_change_twice_is_one(shop: Shop) -> None:
    path = f"/v1/loops/{shop.loop.id}/listing"
    first = await shop.http.patch(
        path, json={"title": "Once", "prices": {"creator": 500}}, headers=shop.ada.headers
    )
    before = await shop.state()
    again = await shop.http.patch(
        path, json={"title": "Once", "prices": {"creator": 500}}, headers=shop.ada.headers
    )
    assert again.json() == first.json()
    assert await shop.state() == before


async def test_checks_can_be_read_before_anything_is_written(shop: Shop) -> None:
    before = await shop.state()
    answer = await shop.http.get(f"/v1/loops/{shop.loop.id}/checks", headers=shop.ada.headers)
    assert answer.status_code == 200
    failed = [
        check["name"] for check in answer.json()["checks"] if not check["passed"] and not check["warning"]
    ]
    assert (answer.json()["passed"], failed) == (False, ["offer"])
    assert await shop.state() == before


async def test_of_two_that_sound_the_same_one_is_published(shop: Shop) -> None:
    quieter = await shop.make(shop.eve.account.owner, tune() * np.float32(0.8))
    same = await shop.make(shop.eve.account.owner, tune())
    answers = await asyncio.gather(
        shop.publish(), shop.publish(quieter, shop.eve), shop.publish(same, shop.eve), shop.publish()
    )
    won = {answer.json()["listing"]["loop_id"] for answer in answers if answer.status_code == 200}
    assert len(won) == 1
    assert {answer.status_code for answer in answers} == {200, 422}
    async with shop.database.read() as session:
        assert set(await session.scalars(sa.select(Listing.loop_id))) == won
    assert await found(shop) == list(won)


async def test_a_loop_that_somebody_holds_exclusively_is_not_offered_again(shop: Shop) -> None:
    assert (await shop.publish(prices={"exclusive": 49900})).status_code == 200
    async with shop.database.write() as session:
        await licensing.grant(
            session, loop=shop.loop, tier="exclusive", licensee="Eve", account=shop.eve.account, project="A game",
            channels=[], price_cents=49900, currency="usd", intent="order:1",
        )  # fmt: skip
    refused = await shop.publish()
    assert refused.status_code == 409
    copy = await shop.make(shop.ada.account.owner, tune())
    before = await shop.state()
    assert (await shop.publish(copy)).status_code == 409
    assert await shop.state() == before


async def test_own_loops_are_listed_for_their_maker_only(shop: Shop, http: httpx.AsyncClient) -> None:
    others = await shop.make(shop.eve.account.owner, tune(2))
    mine = await http.get("/v1/me/loops", headers=shop.ada.headers)
    assert [each["id"] for each in mine.json()["loops"]] == [shop.loop.id]
    theirs = await http.get("/v1/me/loops", headers=shop.eve.headers)
    assert [each["id"] for each in theirs.json()["loops"]] == [others.id]
    assert (await http.get("/v1/me/loops")).status_code == 401


async def test_lists_are_walked_in_stretches(shop: Shop) -> None:
    loops: list[Loop] = [shop.loop] + [await shop.make(sound=tune(seed)) for seed in (21, 22, 23)]
    for loop in loops:
        assert (await shop.publish(loop)).status_code == 200
    seen, cursor = [], None
    while True:
        parameters = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        answer = (await shop.http.get("/v1/me/loops", params=parameters, headers=shop.ada.headers)).json()
        seen += [each["id"] for each in answer["loops"]]
        if (cursor := answer["next_cursor"]) is None:
            break
    assert seen == [loop.id for loop in reversed(loops)]
    page = (await shop.http.get("/loops")).text
    assert [page.index(f"/loops/{loop.id}") for loop in reversed(loops)] == sorted(
        page.index(f"/loops/{loop.id}") for loop in loops
    )
    nonsense = await shop.http.get("/v1/me/loops", params={"cursor": "nonsense"}, headers=shop.ada.headers)
    assert nonsense.status_code == 422


async def test_a_listed_loops_files_leave_with_credentials_and_a_drafts_as_they_were_made(
    shop: Shop, tmp_path: Path
) -> None:
    plain = await shop.storage.get(shop.loop.wav)
    path = f"/v1/loops/{shop.loop.id}/audio"
    assert (await shop.http.get(f"{path}.wav")).content == plain
    assert (await shop.publish()).status_code == 200
    for ending in ("wav", "mp3", "flac"):
        file = tmp_path / f"loop.{ending}"
        file.write_bytes((await shop.http.get(f"{path}.{ending}", headers=shop.ada.headers)).content)
        told = credentials.read(file)
        assert told is not None
        assert told.unchanged
    assert (await shop.http.get(f"{path}.wav")).status_code == 403


async def test_whoever_publishes_is_a_creator_and_takes_the_listings_along_when_leaving(shop: Shop) -> None:
    assert (await shop.publish()).status_code == 200
    me = await shop.http.get("/v1/me", headers=shop.ada.headers)
    assert me.json()["roles"] == ["member", "creator"]
    export = (await shop.http.get("/v1/me/export", headers=shop.ada.headers)).json()
    assert [(each["title"], each["status"]) for each in export["listings"]] == [
        ("Bells at noon", "published")
    ]
    left = await shop.http.request(
        "DELETE", "/v1/me", params={"confirm": shop.ada.account.handle}, headers=shop.ada.headers
    )
    assert left.status_code == 204
    assert (await shop.http.get("/v1/loops")).json()["loops"] == []
