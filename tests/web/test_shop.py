"""The shop window: a search that a person makes, with and without JavaScript."""

import pytest
from playwright.async_api import expect

from tests.market.catalog.conftest import Shop, shop
from tests.market.catalog.loops import tune
from tests.web.conftest import SQLITE, Visit

__all__ = ["shop"]
pytestmark = SQLITE


async def _shelf(shop: Shop) -> None:
    """Three loops for sale: two of bells at 120, slow and free, and an accordion at 90."""
    second = await shop.make(sound=tune(2), prompt="church bells, dark pad")
    third = await shop.make(sound=tune(3, bpm=90), prompt="accordion", bpm=90)
    for loop, offer in (
        (shop.loop, {"title": "Bells at noon"}),
        (second, {"title": "Bells at night", "free": False}),
        (third, {"title": "A quay in <b>Brest</b>", "prices": {"business": 4900}, "free": False}),
    ):
        answer = await shop.publish(loop, **offer)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_search_with_a_slip_and_filters(shop: Shop, visit: Visit, scripts: bool) -> None:
    await _shelf(shop)
    page = (await visit(java_script_enabled=scripts)).page
    await page.goto("/loops")
    titles = page.locator(".card h3")
    await expect(titles).to_have_count(3)
    await expect(page.get_by_text("3 loops to license")).to_be_visible()

    await page.get_by_label("Search").fill("bels")
    await page.get_by_role("button", name="Search").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("bells")
    await expect(titles).to_have_text(["Bells at night", "Bells at noon"])

    if not scripts:
        await page.get_by_text("Filters", exact=True).click()
    await page.locator("input[name=licence][value=free]").check()
    if not scripts:
        await page.get_by_role("button", name="Show these").click()
    await expect(titles).to_have_text(["Bells at noon"])
    # An address without what was left empty, to be sent to somebody.
    assert page.url.endswith("/loops?q=bels&licence=free")

    await page.get_by_label("Without Free").click()
    await expect(titles).to_have_count(2)


async def test_words_are_suggested_while_they_are_typed(shop: Shop, visit: Visit) -> None:
    await _shelf(shop)
    page = (await visit()).page
    await page.goto("/loops")
    await page.get_by_label("Search").press_sequentially("acc")
    await expect(page.locator("#suggestions option[value=accordion]").first).to_be_attached()


async def test_by_sound_and_by_what_goes_with_it(shop: Shop, visit: Visit) -> None:
    await _shelf(shop)
    page = (await visit()).page
    await page.goto("/loops?sounds=a+warm+night")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sounds like “a warm night”")
    await expect(page.locator(".card h3")).to_have_count(3)
    await page.goto(f"/loops?similar={shop.loop.id}")
    await expect(page.locator(".card h3")).to_have_count(2)
    # Markup in a title is text.
    await expect(page.get_by_role("link", name="A quay in <b>Brest</b>")).to_be_visible()
    await page.goto(f"/loops?goes_with={shop.loop.id}")
    await expect(page.locator(".card h3")).to_have_text(["Bells at night"])


async def test_what_is_no_search_is_refused_with_a_sentence(shop: Shop) -> None:
    before = await shop.state()
    for address, status in (
        ("/loops?bpm_min=fast", 422),
        ("/loops?key=H", 422),
        ("/loops?cursor=%27;drop", 422),
        ("/loops?similar=../../etc/passwd", 404),
        ("/loops?q=%27%20OR%201=1--%00%22*", 200),
    ):
        answer = await shop.http.get(address, headers={"accept": "text/html"})
        assert answer.status_code == status, address
        assert "<h1" in answer.text
    assert await shop.state() == before
