"""The pages by themselves: without JavaScript, for strangers, with hostile prompts, and as they look."""

import asyncio
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.async_api import expect

from market.db import Database
from tests.conftest import StartWorker
from tests.web.browser import Visitor, finished, order, orders
from tests.web.conftest import SQLITE, Visit

pytestmark = SQLITE
FORM = {"prompt": "church bells", "bars": "1", "bpm": "240", "takes": "1", "idempotency_key": "one-form"}


async def test_cancelling_without_javascript(visit: Visit) -> None:
    visitor = await visit(java_script_enabled=False)
    await visitor.page.goto("/")
    await visitor.page.fill("#prompt", "strings")
    await visitor.page.get_by_role("button", name="Riff it").click()
    await visitor.page.get_by_role("button", name="Cancel").click()
    await expect(visitor.page.locator("[data-word]")).to_have_text("Cancelled.")


async def test_the_same_form_twice_is_one_order(http: httpx.AsyncClient, database: Database) -> None:
    first, second = await http.post("/riffs", data=FORM), await http.post("/riffs", data=FORM)
    changed = await http.post("/riffs", data={**FORM, "bars": "2"})
    assert first.status_code == second.status_code == 303
    assert first.headers["location"] == second.headers["location"]
    assert changed.headers["location"] != first.headers["location"]
    assert await orders(database) == 2


async def test_a_metre_that_cannot_be_played_comes_back_with_a_sentence(
    http: httpx.AsyncClient, database: Database
) -> None:
    answer = await http.post("/riffs", data={**FORM, "metre": "5/4"})
    assert answer.status_code == 422
    assert "“5/4” is not a metre that can be played: choose 4/4, 3/4 or 6/8." in answer.text
    assert await orders(database) == 0


async def test_another_sites_form_is_refused(http: httpx.AsyncClient, database: Database) -> None:
    answer = await http.post(
        "/riffs", data=FORM, headers={"Sec-Fetch-Site": "cross-site", "Accept": "text/html"}
    )
    assert answer.status_code == 403
    assert "This form came from another site" in answer.text
    assert await orders(database) == 0


async def test_a_stranger_cannot_cancel(visit: Visit, http: httpx.AsyncClient) -> None:
    owner, stranger = await visit(), await visit()
    riff_id = await order(owner.page, "strings")
    await stranger.page.goto(f"/riffs/{riff_id}")
    await expect(stranger.page.locator("[data-phase]")).to_contain_text("Next in line")
    await expect(stranger.page.get_by_role("button", name="Cancel")).to_have_count(0)
    assert (await http.post(f"/riffs/{riff_id}/cancel")).status_code == 403
    assert (await http.get(f"/v1/riffs/{riff_id}")).json()["status"] == "queued"
    await stranger.check()


async def test_a_hostile_prompt_stays_text(visit: Visit, worker: StartWorker) -> None:
    prompt = "<img src=x onerror=alert(1)> \"bells' </script> & {{ 7 * 7 }}"
    visitor = await visit()
    page = visitor.page
    worker()
    await order(page, prompt, bpm="240")
    await finished(page)
    await expect(page.locator(".card h3")).to_have_text(prompt)
    await page.get_by_role("button", name=f"Play {prompt}").click()
    await expect(page.get_by_role("button", name=f"Stop {prompt}")).to_be_visible()
    await page.locator(".card h3 a").click()
    await expect(page.locator("h1")).to_have_text(prompt)
    await visitor.check()


@pytest.mark.parametrize("path", ["/nowhere", "/loops/none", "/riffs/none"])
async def test_a_missing_page_is_friendly(visit: Visit, http: httpx.AsyncClient, path: str) -> None:
    visitor = await visit()
    answer = await visitor.page.goto(path)
    assert answer is not None
    assert answer.status == 404
    await expect(visitor.page.get_by_role("heading", name="Nothing plays here")).to_be_visible()
    await expect(visitor.page.get_by_role("link", name="To the studio", exact=True)).to_be_visible()
    assert (await http.get(path)).headers["content-type"] == "application/problem+json"


async def test_pages_carry_a_strict_policy(http: httpx.AsyncClient) -> None:
    for path in ("/", "/loops", "/nowhere"):
        policy = (await http.get(path, headers={"Accept": "text/html"})).headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy


async def test_how_it_looks(visit: Visit, worker: StartWorker, screenshots: Path) -> None:
    """Every page at a phone's and a desk's width, dark and light: whole, not too wide, without a complaint."""
    visitors = {
        f"{width}-{scheme}": await visit(viewport={"width": width, "height": height}, color_scheme=scheme)
        for width, height in ((390, 844), (1280, 860))
        for scheme in ("dark", "light")
    }

    async def look(name: str, *, whole: bool = True) -> None:
        for kind, visitor in visitors.items():
            await _look(visitor, screenshots / f"{kind}-{name}.png", kind.endswith("dark"), whole)

    async def go(path: str) -> None:
        await asyncio.gather(*(visitor.page.goto(path) for visitor in visitors.values()))

    await go("/")
    await look("1-empty")
    first = next(iter(visitors.values())).page
    riff_id = await order(first, "church bells over a slow kick", bars="4", bpm="92", seed="3")
    await go(f"/?riff={riff_id}")
    for visitor in visitors.values():
        await expect(visitor.page.locator("[data-phase]")).to_contain_text("Next in line")
    await look("2-queued", whole=False)
    worker()
    for visitor in visitors.values():
        await finished(visitor.page)
        await visitor.page.get_by_role("button", name="Play", exact=True).click()
        await expect(visitor.page.locator("[data-counter]")).to_have_text("1.3")
    await look("3-playing", whole=False)
    # One person at four screens: drafts are on their maker's shelf only.
    known = await first.context.cookies()
    for visitor in visitors.values():
        await visitor.page.context.add_cookies(known)  # type: ignore[arg-type]
    for prompt in (
        "warm lofi rhodes and brushed drums with a very long description",
        "slap bass",
        "music box",
    ):
        latest = await order(first, prompt, bars="2", bpm="160", takes="2")
        await finished(first)
    await go(f"/riffs/{latest}")
    for visitor in visitors.values():
        await expect(visitor.page.locator(".card")).to_have_count(2)
    await look("4-riff")
    await go("/")
    for visitor in visitors.values():
        await expect(visitor.page.locator(".card")).to_have_count(7)
    await look("5-studio")
    await go(f"/loops/{latest}-1")
    await look("6-loop")
    await go("/studio/loops")
    await look("7-own-loops")
    await go("/")
    for visitor in visitors.values():
        await visitor.page.fill("#bpm", "999")
        await visitor.page.fill("#prompt", "church bells")
        await visitor.page.get_by_role("button", name="Riff it").click()
        await expect(visitor.page.locator("#bpm-error")).to_be_visible()
        visitor.complaints.clear()
    await look("8-refused")
    await go("/nowhere")
    for visitor in visitors.values():
        visitor.complaints.clear()
    await look("9-missing")


async def _look(visitor: Visitor, path: Path, dark: bool, whole: bool) -> None:
    page = visitor.page
    # Pictures below the fold are asked for too.
    await page.evaluate(
        """() => {
            const images = [...document.images].filter((image) => image.src && !image.hidden);
            for (const image of images) image.loading = "eager";
            return Promise.all(images.map((image) => image.decode()));
        }"""
    )
    await page.screenshot(path=path, full_page=whole)
    with Image.open(path) as image:
        colours = image.convert("RGB").getcolors(maxcolors=1 << 24)
    assert colours is not None
    assert len(colours) > 300
    assert page.viewport_size is not None
    assert image.width == page.viewport_size["width"]
    ground = await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert ground == ("rgb(12, 7, 20)" if dark else "rgb(250, 245, 238)")
    await visitor.check()
