"""A creator's way through the pages, without JavaScript."""

import re

import httpx
import pytest

from tests.market.catalog.conftest import Shop
from tests.market.catalog.loops import tune

SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


async def sign_in(http: httpx.AsyncClient, name: str) -> None:
    answer = await http.post("/sign-in/local", data={"name": name, "next": "/"})
    assert answer.status_code == 303


async def test_a_creator_publishes_from_the_form(shop: Shop, server: str) -> None:
    address = f"/loops/{shop.loop.id}/publish"
    away = await shop.http.get(address)
    assert (away.status_code, away.headers["location"]) == (303, f"/sign-in?next={address}")
    await sign_in(shop.http, "Ada")
    listed = await shop.http.get("/studio/loops")
    assert f'href="{address}"' in listed.text
    assert "Draft" in listed.text

    form = await shop.http.get(address)
    assert form.status_code == 200
    assert "It cannot be published as it is." in form.text
    assert "Found by themselves: " in form.text
    before = await shop.state()
    wrong = {"title": "", "price-creator": "9", "action": "publish"}
    refused = await shop.http.post(address, data=wrong)
    assert (refused.status_code, "The title is empty: give the loop a name." in refused.text) == (422, True)
    assert 'name="price-creator" type="text" inputmode="decimal" value="9"' in refused.text
    for typed in ("nine", "-9", "9.999", "0.5", "99999999", "9\x00"):
        refused = await shop.http.post(address, data={"title": "Bells", "price-creator": typed})
        assert refused.status_code == 422, typed
    nothing = await shop.http.post(address, data={"title": "Bells", "action": "publish"})
    assert (nothing.status_code, "Nothing is offered" in nothing.text) == (422, True)
    foreign = await shop.http.post(address, data={"title": "Bells"}, headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403
    assert await shop.state() == before

    sold = {"title": "Bells at noon", "description": "All of\r\nthem", "tags": "church bells, noon",
            "price-creator": "9", "price-business": "$1,049.50", "free": "on", "action": "publish"}  # fmt: skip
    published = await shop.http.post(address, data=sold)
    assert (published.status_code, published.headers["location"]) == (303, f"/loops/{shop.loop.id}")
    page = (await shop.http.get(f"/loops/{shop.loop.id}")).text
    for text in (
        "Bells at noon",
        "All of\nthem",
        ">noon</a>",
        "$1,049.50",
        "Free, or from $9",
        "Edit its listing",
        "FLAC",
    ):
        assert text in page, text
    own = (await shop.http.get(address)).text
    assert 'value="1049.50"' in own
    assert "Take it off the market" in own

    async with httpx.AsyncClient(base_url=server, timeout=30) as passer_by:
        page = (await passer_by.get(f"/loops/{shop.loop.id}")).text
        assert "Bells at noon" in page
        assert "Hear the preview" in page
        for text in ("FLAC", "Edit its listing", "audio.wav", str(shop.loop.seed)):
            assert text not in re.sub(r'data-loop="[^"]*"|href="[^"]*" download hidden', "", page), text
        for path in ("/loops", "/"):
            page = (await passer_by.get(path)).text
            assert "Bells at noon" in page
            assert "Free, or from $9" in page
        assert "Nothing here yet" in (await passer_by.get("/studio/loops")).text
        await sign_in(passer_by, "Eve")
        assert (await passer_by.get(address)).status_code == 403
        before = await shop.state()
        assert (await passer_by.post(address, data=sold)).status_code == 403
        assert await shop.state() == before

    off = await shop.http.post(address, data={"action": "delist", "title": "Bells at noon"})
    assert (off.status_code, off.headers["location"]) == (303, address)
    assert "Bells at noon" not in (await shop.http.get("/loops")).text
    assert "off the market" in (await shop.http.get(f"/loops/{shop.loop.id}")).text
    assert (await shop.http.get("/loops/nonsense/publish")).status_code == 404


@SQLITE
async def test_drafts_of_visitors_are_on_their_own_shelf(shop: Shop, server: str) -> None:
    draft = await shop.make("account:" + shop.eve.account.id, tune(31), prompt="a secret sketch")
    page = (await shop.http.get("/")).text
    assert "a secret sketch" not in page
    assert "a secret sketch" not in (await shop.http.get("/loops")).text
    await sign_in(shop.http, "Eve")
    for path in ("/", "/studio/loops"):
        assert "a secret sketch" in (await shop.http.get(path)).text
    assert (await shop.http.get(f"/loops/{draft.id}")).status_code == 200
