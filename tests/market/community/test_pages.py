"""The pages that somebody who is signed in works with, through their forms, without JavaScript."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from market.accounts import service as accounts
from market.accounts.models import Account
from market.db import Database
from tests.market.community.conftest import NOBODY, Person, Publish, licence, snapshot


@pytest_asyncio.fixture
async def dora(server: str, database: Database) -> AsyncIterator[Person]:
    """Somebody with a browser."""
    async with httpx.AsyncClient(base_url=server, timeout=30) as client:
        answer = await client.post("/sign-in/local", data={"name": "dora", "next": "/"})
        assert answer.status_code == 303, answer.text
        async with database.write() as session:
            account: Account = await accounts.create(session, "local:dora", "dora")
        yield Person(account, client)


async def test_a_loop_is_rated_kept_and_collected(
    ana: Person, dora: Person, publish: Publish, database: Database
) -> None:
    bells = await publish(ana)
    path = f"/loops/{bells.id}"
    first = (await dora.http.get(f"{path}/ratings")).text
    assert "Nobody has rated it yet" in first
    assert "take a licence" in first
    assert 'name="stars"' not in first

    await licence(database, bells, dora)
    evil = "Rings\r\ntrue.</textarea><script>alert(1)</script>"
    sent = await dora.http.post(f"{path}/ratings", data={"stars": "4", "comment": evil})
    assert (sent.status_code, sent.headers["location"]) == (303, f"{path}/ratings")
    await dora.http.post(f"{path}/favourite")
    begun = await dora.http.post(f"{path}/collect", data={"title": "Rainy days"})
    shelf = begun.headers["location"]
    seen = (await dora.http.get(f"{path}/ratings")).text
    assert "<script>alert" not in seen
    assert "Rings\ntrue.&lt;/textarea&gt;" in seen
    assert "A favourite of yours" in seen
    assert "Rainy days" in seen
    assert "Rainy days" in (await dora.http.get(shelf)).text
    own = (await dora.http.get("/favourites")).text
    assert "Rainy days" in own
    assert path in own

    change = {"title": "Wet days", "description": "Two\r\nlines", "public": "on"}
    assert (await dora.http.post(shelf, data=change)).status_code == 303
    shown = (await ana.http.get(shelf)).text
    assert "Wet days" in shown
    assert "Change this collection" not in shown
    await dora.http.post(shelf, data={"take_out": bells.id})
    assert "Nothing is in here yet" in (await dora.http.get(shelf)).text
    assert (await dora.http.post(shelf, data={"delete": "1"})).headers["location"] == "/favourites"
    assert (await dora.http.get(shelf)).status_code == 404
    await dora.http.post(f"{path}/favourite", data={"let_go": "1"})
    await dora.http.post(f"{path}/ratings", data={"delete": "1"})
    assert "Nobody has rated it yet" in (await dora.http.get(f"{path}/ratings")).text


async def test_forms_that_are_refused(
    ana: Person, dora: Person, publish: Publish, http: httpx.AsyncClient, database: Database
) -> None:
    bells = await publish(ana)
    path = f"/loops/{bells.id}"
    shelf = (await ana.http.post("/v1/collections", json={"title": "Ana's", "public": True})).json()["page"]
    before = await snapshot(database)
    for address, data, status in [
        (f"{path}/ratings", {"stars": "5"}, 403),
        (f"{path}/ratings", {"stars": "9"}, 422),
        (f"{path}/ratings", {"stars": "5", "comment": "x" * 2001}, 422),
        (f"{path}/ratings", {"stars": "5", "comment": "\x00"}, 422),
        (f"{path}/ratings", {}, 422),
        (f"{path}/ratings", {"delete": "1"}, 404),
        (f"{path}/collect", {"collection": shelf.removeprefix("/collections/")}, 403),
        (f"{path}/collect", {"collection": "' OR 1=1 --"}, 404),
        (f"{path}/collect", {"title": "x" * 101}, 422),
        (f"/loops/{NOBODY}/favourite", {}, 404),
        (f"/loops/{NOBODY}/collect", {"title": "New"}, 404),
        (shelf, {"title": "Mine"}, 403),
        (shelf, {"delete": "1"}, 403),
        (f"/ratings/{'a' * 24}/hidden", {"reason": "I say so"}, 403),
    ]:
        answer = await dora.http.post(address, data=data)
        assert answer.status_code == status, (address, data)
    # Somebody else's page sends the form, or nobody is signed in.
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert (await dora.http.post(f"{path}/favourite", headers=foreign)).status_code == 403
    assert (
        await dora.http.post(f"{path}/favourite", headers={"Origin": "https://evil.example"})
    ).status_code == 403
    assert (await http.post(f"{path}/favourite")).status_code == 401
    assert (await http.get("/favourites")).headers["location"] == "/sign-in?next=/favourites"
    assert await snapshot(database) == before


async def test_a_moderator_works_on_the_page(
    ana: Person, dora: Person, publish: Publish, database: Database
) -> None:
    bells = await publish(ana)
    await licence(database, bells, dora)
    path = f"/loops/{bells.id}/ratings"
    await dora.http.post(path, data={"stars": "1", "comment": "Rude words"})
    rating = (await dora.http.get(f"/v1/loops/{bells.id}/rating")).json()["id"]
    assert "Why it should go" not in (await dora.http.get(path)).text
    async with database.write() as session:
        account = await session.get_one(Account, dora.account.id)
        account.roles = ["member", "moderator"]
    assert "Why it should go" in (await dora.http.get(path)).text
    hide = {"reason": "Rude"}
    assert (await dora.http.post(f"/ratings/{rating}/hidden", data=hide)).headers["location"] == path
    assert "Rude words" not in (await ana.http.get(path)).text
    await dora.http.post(f"/ratings/{rating}/hidden", data={"show": "1"})
    assert "Rude words" in (await ana.http.get(path)).text
