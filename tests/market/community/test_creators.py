"""Creators' pages: for who has stepped forward, with links that lead where they say."""

import httpx
import pytest

from market.accounts import service as accounts
from market.catalog.models import ListingStatus
from market.community.models import Collection, CreatorProfile, Favourite
from market.db import Database
from tests.market.community.conftest import Person, Publish, snapshot
from tests.market.conftest import count

HOME = {"label": "Home", "url": "https://example.com/ana"}


async def test_a_creator_and_what_they_made(ana: Person, publish: Publish, http: httpx.AsyncClient) -> None:
    for title in ("First", "Second", "Third"):
        await publish(ana, title)
    await publish(ana, "Draft", status=ListingStatus.DRAFT)
    said = await ana.http.put("/v1/me/profile", json={"bio": "I make\nloops.", "links": [HOME]})
    assert said.json() == {"bio": "I make\nloops.", "links": [HOME], "updated_at": said.json()["updated_at"]}
    assert (await ana.http.get("/v1/me/profile")).json() == said.json()

    creator = (await http.get(f"/v1/creators/{ana.handle}")).json()
    assert creator == {
        "handle": ana.handle,
        "name": "Ana",
        "bio": "I make\nloops.",
        "links": [HOME],
        "loops": 3,
        "collections": 0,
        "since": creator["since"],
        "page": f"/creators/{ana.handle}",
        "feed": f"/creators/{ana.handle}/feed.xml",
    }
    path = f"/v1/creators/{ana.handle}/loops"
    first = (await http.get(path, params={"limit": 2})).json()
    rest = (await http.get(path, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    shown = [loop["title"] for page in (first, rest) for loop in page["loops"]]
    assert (shown, rest["next_cursor"]) == (["Third", "Second", "First"], None)

    page = (await http.get(f"/creators/{ana.handle}")).text
    assert 'rel="nofollow noopener noreferrer ugc"' in page
    assert "example.com" in page
    assert "Third" in page
    assert "Draft" not in page


async def test_nobody_is_put_on_show(
    ana: Person, ben: Person, http: httpx.AsyncClient, database: Database
) -> None:
    before = await snapshot(database)
    for handle in (
        ben.handle,
        "nobody",
        "' OR 1=1 --",
        "%00",
        "a" * 300,
        "../../etc/passwd",
        "ana%0d%0aX: 1",
    ):
        for path in (
            f"/v1/creators/{handle}",
            f"/v1/creators/{handle}/loops",
            f"/creators/{handle}",
            f"/creators/{handle}/feed.xml",
        ):
            answer = await http.get(path)
            assert answer.status_code == 404, path
            assert "Ben" not in answer.text
    assert await snapshot(database) == before
    assert (await ben.http.put("/v1/me/profile", json={})).status_code == 200
    assert (await http.get(f"/v1/creators/{ben.handle}")).status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "javascript:alert(1)",
        "https://",
        "https:///path",
        "https://user:secret@example.com/",
        "https://example.com@evil.example/",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://[::1]/",
        "https://example.com:port/",
        "https://exa mple.com/",
        'https://example.com/"onmouseover="alert(1)',
        "https://example.com/\\evil",
        "https://example.com/\x00",
        "https://example.com/" + "a" * 300,
        "//example.com",
        "",
    ],
)
async def test_links_that_are_refused(ana: Person, database: Database, url: str) -> None:
    before = await snapshot(database)
    answer = await ana.http.put("/v1/me/profile", json={"links": [{"label": "Home", "url": url}]})
    assert answer.status_code == 422
    assert await snapshot(database) == before


async def test_what_else_is_refused(ana: Person, http: httpx.AsyncClient, database: Database) -> None:
    before = await snapshot(database)
    for wish in [
        {"bio": "x" * 1001},
        {"bio": "\x00"},
        {"links": [HOME] * 9},
        {"links": [{"label": "", "url": HOME["url"]}]},
        {"links": [HOME | {"rel": "me"}]},
        {"account_id": "somebody"},
    ]:
        assert (await ana.http.put("/v1/me/profile", json=wish)).status_code == 422, wish
    assert (await http.put("/v1/me/profile", json={})).status_code == 401
    assert await snapshot(database) == before


async def test_a_look_alike_shows_its_face(ana: Person, http: httpx.AsyncClient) -> None:
    # The first letter is Cyrillic.
    link = {"label": "apple.com", "url": "https://\u0430pple.com/"}
    said = (await ana.http.put("/v1/me/profile", json={"links": [link]})).json()
    assert said["links"][0]["url"] == "https://xn--pple-43d.com/"
    assert "<span>xn--pple-43d.com</span>" in (await http.get(f"/creators/{ana.handle}")).text


async def test_html_is_text(ana: Person, publish: Publish, http: httpx.AsyncClient) -> None:
    evil = "</p><script>alert(1)</script>"
    await publish(ana, evil)
    wish = {"bio": evil, "links": [{"label": "<b>Home</b>", "url": HOME["url"]}]}
    assert (await ana.http.put("/v1/me/profile", json=wish)).status_code == 200
    page = (await http.get(f"/creators/{ana.handle}")).text
    assert "<script>alert" not in page
    assert "<b>Home" not in page
    assert "&lt;script&gt;alert(1)" in page


async def test_a_moderator_clears_a_profile(
    ana: Person, ben: Person, mod: Person, http: httpx.AsyncClient, database: Database
) -> None:
    await ana.http.put("/v1/me/profile", json={"bio": "Rude"})
    path = f"/v1/creators/{ana.handle}/profile"
    before = await snapshot(database)
    assert (await ben.http.delete(path, params={"reason": "Rude"})).status_code == 403
    assert (await mod.http.delete(path)).status_code == 422
    assert await snapshot(database) == before
    assert (await mod.http.delete(path, params={"reason": "Rude"})).status_code == 204
    assert (await http.get(f"/v1/creators/{ana.handle}")).status_code == 404


async def test_what_is_stored_goes_out_and_away(
    ana: Person, ben: Person, publish: Publish, database: Database
) -> None:
    bells = await publish(ana)
    await ben.http.put(f"/v1/me/favourites/{bells.id}")
    await ben.http.put("/v1/me/profile", json={"bio": "Hello"})
    shelf = (await ben.http.post("/v1/collections", json={"title": "Mine", "public": True})).json()
    await ben.http.put(f"/v1/collections/{shelf['id']}/items/{bells.id}", json={"note": "Good"})
    async with database.read() as session:
        told = (await accounts.export(session, ben.account.id))["community"]
    assert told["profile"] == {"bio": "Hello", "links": []}
    assert told["favourites"][0]["loop"] == bells.id
    assert told["collections"][0]["loops"][0]["note"] == "Good"
    async with database.write() as session:
        await accounts.delete(session, ben.account.id, ben.handle)
    for table in (Favourite, Collection, CreatorProfile):
        assert await count(database, table) == 0
    assert (await ana.http.get(shelf["page"])).status_code == 404
