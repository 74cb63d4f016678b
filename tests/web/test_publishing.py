"""A creator offers a loop in a real browser, and somebody else finds it closed."""

from pathlib import Path

from playwright.async_api import expect

from market.accounts import service as accounts
from market.db import Database
from market.storage import Storage
from tests.market.catalog.loops import make, tune
from tests.web.conftest import SQLITE, Visit


@SQLITE
async def test_from_a_draft_to_a_listing(
    visit: Visit, database: Database, storage: Storage, screenshots: Path
) -> None:
    async with database.write() as session:
        ada = await accounts.create(session, "local:ada", "Ada")
    loop = await make(database, storage, ada.owner, tune(), key="1")
    creator = await visit(viewport={"width": 1280, "height": 860})
    page = creator.page
    await page.goto(f"/loops/{loop.id}/publish")
    await page.locator("input[name=name]").fill("Ada")
    await page.locator("form[action='/sign-in/local'] button").click()
    await page.wait_for_url(f"**/loops/{loop.id}/publish")
    await expect(page.locator(".checks .failed")).to_have_count(1)
    await page.get_by_label("Title").fill("Bells at noon")
    await page.get_by_label("Creator", exact=True).fill("9.50")
    await page.screenshot(path=screenshots / "publish.png", full_page=True)
    await page.get_by_role("button", name="Publish").click()
    await page.wait_for_url(f"**/loops/{loop.id}")
    await expect(page.get_by_role("heading", name="Bells at noon")).to_be_visible()
    await page.screenshot(path=screenshots / "listing.png", full_page=True)
    await page.goto("/studio/loops")
    await expect(page.locator(".state")).to_have_text("For sale")
    await page.screenshot(path=screenshots / "own.png", full_page=True)
    await creator.check()

    other = await visit(viewport={"width": 390, "height": 844})
    page = other.page
    await page.goto(f"/loops/{loop.id}")
    await expect(page.get_by_role("heading", name="License it")).to_be_visible()
    await expect(page.get_by_role("link", name="WAV")).to_have_count(0)
    await expect(page.get_by_role("button", name="Vary")).to_have_count(0)
    await page.get_by_role("button", name="Play", exact=True).click()
    await expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    assert await other.player("player.source.buffer.length") > loop.samples - 3000
    await page.screenshot(path=screenshots / "listing-phone.png", full_page=True)
    await other.check()
