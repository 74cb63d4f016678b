"""The tables and the moderators' pages in a browser, whose policy lets nothing in from elsewhere."""

from urllib.parse import urlsplit

import sqlalchemy as sa
from playwright.async_api import expect

from market.api.cookies import SESSION
from market.models import BlockedWord
from tests.market.conftest import count
from tests.market.moderation.conftest import Market, Person
from tests.web.browser import Visitor
from tests.web.conftest import SQLITE, Visit, browser, visit

__all__ = ["browser", "visit"]


async def signed_in(visit: Visit, person: Person, server: str, **options: object) -> Visitor:
    visitor = await visit(**options)
    cookie = {"name": SESSION, "value": person.browser.cookies[SESSION], "url": server}
    await visitor.page.context.add_cookies([cookie])  # type: ignore[list-item]
    return visitor


@SQLITE
async def test_a_word_is_added_and_deleted_by_clicking(market: Market, visit: Visit, server: str) -> None:
    visitor = await signed_in(visit, market.moderator, server)
    page = visitor.page
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    await page.goto("/admin/blocked-word/create")
    await page.get_by_label("Word or phrase").fill("Banjo")
    await page.get_by_role("button", name="Save", exact=True).click()
    row = page.get_by_role("row").filter(has_text="Banjo")
    await expect(row).to_be_visible()
    assert await count(market.database, BlockedWord) == 1
    await row.locator("a[data-bs-target='#modal-delete']").click()
    async with page.expect_response(lambda response: response.request.method == "DELETE") as deleted:
        await page.locator("#modal-delete-button").click()
    assert (await deleted.value).status == 200
    assert await count(market.database, BlockedWord) == 0
    # The page comes anew, without what hid the table from whoever listens to it.
    await expect(page.get_by_text("Showing 1 to 0 of 0 items")).to_be_visible()
    await expect(row).to_have_count(0)
    await visitor.check()
    assert asked - {""} == {urlsplit(server).netloc}


@SQLITE
async def test_a_case_is_decided_and_answered_without_a_script(
    market: Market, visit: Visit, server: str
) -> None:
    case_id = await market.case(text="It is mine.\n<b>Really</b>", reason="imitation")
    moderator = await signed_in(visit, market.moderator, server, java_script_enabled=False)
    page = moderator.page
    await page.goto("/moderation")
    await page.get_by_role("link", name="Church bells").click()
    await expect(page.get_by_text("<b>Really</b>")).to_be_visible()
    await page.get_by_label("Uphold: take it down").check()
    await page.get_by_label("Why").fill("It passes for somebody.")
    await page.get_by_role("button", name="Decide").click()
    await expect(page.get_by_text("upheld").first).to_be_visible()
    assert await market.status() == "removed"

    creator = await signed_in(visit, market.creator, server, java_script_enabled=False)
    page = creator.page
    await page.goto("/cases")
    await page.get_by_role("link", name="Church bells").click()
    await page.get_by_label("Why the removal was wrong").fill("I sang it myself.")
    await page.get_by_label("Your name").fill("A. Maker")
    await page.get_by_label("How to reach you").fill("maker@example.org")
    await page.get_by_label("I believe in good faith").check()
    await page.get_by_role("button", name="Send the counter-notice").click()
    await expect(page.get_by_text("Unless a moderator confirms")).to_be_visible()
    async with market.database.read() as session:
        status = await session.scalar(
            sa.text("SELECT status FROM moderation_case WHERE id = :id"), {"id": case_id}
        )
    assert status == "countered"
    assert moderator.complaints == creator.complaints == []
