"""What nobody may do to a listing, each refused in a sentence, with nothing changed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from market.models import Account, Listing
from tests.market.catalog.conftest import OFFER, Shop
from tests.market.catalog.loops import KNOWN_MODEL, tune
from tests.market.conftest import count

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"title": ""}, "title"),
    ({"title": " \t\n"}, "title"),
    ({"title": "x" * 101}, "title"),
    ({"title": "a\x00b"}, "title"),
    ({"title": "\ud800"}, "title"),
    ({"title": 7}, "title"),
    ({"title": "two\nlines"}, "title"),
    ({"description": "x" * 2001}, "description"),
    ({"description": "\x00"}, "description"),
    ({"description": ["x"]}, "description"),
    ({"tags": [f"tag {number}" for number in range(21)]}, "tags"),
    ({"tags": ["x" * 41]}, "tags"),
    ({"tags": ["a\x00"]}, "tags"),
    ({"tags": "warm"}, "tags"),
    ({"tags": [["warm"]]}, "tags"),
    ({"prices": {"creator": -900}}, "prices.creator"),
    ({"prices": {"creator": 99}}, "prices.creator"),
    ({"prices": {"creator": 10**9}}, "prices.creator"),
    ({"prices": {"creator": 10**30}}, "prices.creator"),
    ({"prices": {"creator": 9.5}}, "prices.creator"),
    ({"prices": {"creator": True}}, "prices.creator"),
    ({"prices": {"creator": "900"}}, "prices.creator"),
    ({"prices": {"free": 100}}, "prices"),
    ({"prices": {"'; DROP TABLE listing; --": 900}}, "prices"),
    ({"prices": [900]}, "prices"),
    ({"free": "yes"}, "free"),
    ({"rights": 1}, "rights"),
    ({"status": "published"}, "status"),
    ({"creator_id": "0" * 24}, "creator_id"),
]


async def test_what_is_no_listing(shop: Shop) -> None:
    await shop.http.put(f"/v1/loops/{shop.loop.id}/listing", json=OFFER, headers=shop.ada.headers)
    before = await shop.state()
    for wish, field in REFUSED:
        for method, path in (("PATCH", "listing"), ("POST", "publish")):
            answer = await shop.http.request(
                method, f"/v1/loops/{shop.loop.id}/{path}", content=_json(wish), headers=_typed(shop)
            )
            assert (answer.status_code, answer.json().get("field")) == (422, field), (wish, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
    for body in (b"[]", b'"x"', b"{", b"null,", b'{"title": 1e999}'):
        answer = await shop.http.patch(
            f"/v1/loops/{shop.loop.id}/listing", content=body, headers=_typed(shop)
        )
        assert answer.status_code == 422, body
    huge = _json({"tags": ["x"] * 10_000, "description": "y" * 60_000})
    answer = await shop.http.patch(f"/v1/loops/{shop.loop.id}/listing", content=huge, headers=_typed(shop))
    assert answer.status_code == 413
    many = _json({"tags": ["x"] * 10_000})
    answer = await shop.http.patch(f"/v1/loops/{shop.loop.id}/listing", content=many, headers=_typed(shop))
    assert answer.status_code == 422
    assert await shop.state() == before


async def test_only_its_creator_offers_a_loop(shop: Shop) -> None:
    foreign = await shop.make("visitor:" + "0" * 24, tune(9))
    before = await shop.state()
    path = f"/v1/loops/{shop.loop.id}"
    calls = (
        ("PUT", f"{path}/listing"),
        ("PATCH", f"{path}/listing"),
        ("POST", f"{path}/publish"),
        ("POST", f"{path}/delist"),
        ("GET", f"{path}/checks"),
        ("POST", f"/v1/loops/{foreign.id}/publish"),
    )
    for method, address in calls:
        body: dict[str, Any] = {"json": OFFER} if method != "GET" and not address.endswith("delist") else {}
        nobody = await shop.http.request(method, address, **body)
        assert (nobody.status_code, nobody.json()["detail"]) == (401, "Sign in first: this needs an account.")
        for person in (shop.eve, shop.moderator):
            other = await shop.http.request(method, address, headers=person.headers, **body)
            assert other.status_code == 403
            assert other.json()["detail"] == "This loop was made by somebody else: only they can offer it."
    for nonsense in ("nonsense", "%00", "..%2f..%2fetc%2fpasswd", "0" * 24 + "-0", "' OR 1=1 --"):
        for method, end in (("PUT", "listing"), ("POST", "publish"), ("GET", "checks"), ("POST", "delist")):
            given: dict[str, Any] = {"json": OFFER} if end in ("listing", "publish") else {}
            answer = await shop.http.request(
                method, f"/v1/loops/{nonsense}/{end}", headers=shop.ada.headers, **given
            )
            assert answer.status_code in (404, 405), (nonsense, end)
    assert await shop.state() == before


async def test_who_is_suspended_offers_nothing(shop: Shop) -> None:
    async with shop.database.write() as session:
        until = datetime.now(UTC) + timedelta(days=1)
        await session.execute(
            sa.update(Account).where(Account.id == shop.ada.account.id).values(suspended_until=until)
        )
    before = await shop.state()
    for method, end in (("PUT", "listing"), ("PATCH", "listing"), ("POST", "publish"), ("POST", "delist")):
        body: dict[str, Any] = {} if end == "delist" else {"json": OFFER}
        answer = await shop.http.request(
            method, f"/v1/loops/{shop.loop.id}/{end}", headers=shop.ada.headers, **body
        )
        assert answer.status_code == 403, answer.text
        assert "suspended" in answer.json()["detail"]
    assert await shop.state() == before


async def test_markup_is_text(shop: Shop) -> None:
    title, description = "<script>alert(1)</script>", "<img src=x onerror=alert(2)>\n{{ 7 * 7 }}"
    published = await shop.publish(
        title=title, description=description, tags=['"><svg onload=alert(3)>', "warm"]
    )
    assert published.status_code == 200
    assert published.json()["listing"]["title"] == title
    for path in (f"/loops/{shop.loop.id}", "/loops", "/", f"/loops/{shop.loop.id}/publish"):
        page = await shop.http.get(path, headers=shop.ada.headers)
        for markup in ("<script>alert", "<img src=x", "<svg onload"):
            assert markup not in page.text, path
    page = await shop.http.get(f"/loops/{shop.loop.id}")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "{{ 7 * 7 }}" in page.text


@pytest.mark.parametrize("field", ["title", "description", "tags"])
async def test_words_that_are_refused(shop: Shop, field: str) -> None:
    from market.moderation import words

    async with shop.database.write() as session:
        await words.add(session, "gribblefax", by=shop.moderator.account.owner)
    before = await shop.state()
    value: Any = "A Gribblefax song" if field != "tags" else ["gribblefax"]
    refused = await shop.publish(**{field: value})
    assert refused.status_code == 422
    assert "gribblefax" in refused.json()["detail"]
    assert [check["name"] for check in refused.json()["checks"] if not check["passed"]] == ["words"]
    assert await shop.state() == before
    assert await count(shop.database, Listing) == 0


async def test_loops_of_unknown_origin(shop: Shop) -> None:
    foreign = await shop.make("account:" + "0" * 24, tune(3))
    upload = {"source": {"sha256": "2" * 64}}
    taken = {"source": {"sha256": foreign.sha256, "recipe": foreign.recipe}}
    through = {"source": {"sha256": shop.loop.sha256, "recipe": shop.loop.recipe | upload}}
    for recipe, sentence in (
        ({"model": "somebody@0"}, "It was made with somebody@0: nobody here can say what that learnt from."),
        (
            {"styles": {"prince": "3" * 64}},
            "It was made with the style prince: nobody here can say what that learnt",
        ),
        (upload, "It starts from a sound that you brought: confirm that you hold all rights to it (rights)."),
        (
            through,
            "It starts from a sound that you brought: confirm that you hold all rights to it (rights).",
        ),
        (taken, "It starts from a loop that somebody else made: only its maker can sell what comes of it."),
    ):
        loop = await shop.make(sound=tune(40 + shop.made), recipe=recipe)
        before = await shop.state()
        refused = await shop.publish(loop)
        assert refused.status_code == 422
        assert sentence in refused.json()["detail"]
        assert await shop.state() == before
        if "you brought" in sentence:
            stated = await shop.publish(loop, rights=True)
            assert stated.status_code == 200, stated.text
            assert stated.json()["listing"]["rights_confirmed_at"] is not None
    own = {"source": {"sha256": shop.loop.sha256, "recipe": shop.loop.recipe}, "model": KNOWN_MODEL}
    loop = await shop.make(sound=tune(90), recipe=own)
    plain = await shop.publish(loop, rights=True)
    assert (plain.status_code, plain.json()["listing"]["rights_confirmed_at"]) == (200, None)


def _json(value: object) -> bytes:
    import json

    return json.dumps(value).encode()


def _typed(shop: Shop) -> dict[str, str]:
    return {**shop.ada.headers, "content-type": "application/json"}
