"""A visitor's browser that notes what must not happen: console errors, refused sources, too wide a page."""

from typing import Any

from playwright.async_api import Page
from sqlalchemy import func, select

from market.db import Database
from market.studio.models import RiffOrder

# Runs before the page's own scripts: what the stage goes through, what the content policy refuses.
WATCH = """
window.seen = { states: [], fractions: [], pictures: [], violations: [] };
document.addEventListener("securitypolicyviolation", (refused) => seen.violations.push(refused.violatedDirective));
addEventListener("DOMContentLoaded", () => {
  const stage = document.querySelector("[data-stage]");
  if (!stage) return;
  const note = (list, value) => value && list.at(-1) !== value && list.push(value);
  const look = () => {
    note(seen.states, stage.dataset.state);
    note(seen.fractions, stage.querySelector("progress").value);
    const preview = stage.querySelector("[data-preview]");
    if (!preview.hidden && preview.naturalWidth) note(seen.pictures, preview.src);
  };
  look();
  stage.querySelector("[data-preview]").addEventListener("load", look);
  new MutationObserver(look).observe(stage, { attributes: true, childList: true, subtree: true });
});
"""

STATE = "[data-stage][data-state='{}']"
PLAYER = "(await import('/static/player.js')).player"


class Visitor:
    """One page and the complaints that it raised."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    async def player(self, expression: str) -> Any:
        """Evaluate something of the page's one player, as `player`."""
        return await self.page.evaluate(f"async () => {{ const player = {PLAYER}; return {expression}; }}")

    async def check(self) -> None:
        """Nothing complained, nothing was refused by the policy, nothing stands out at the side."""
        assert self.complaints == []
        assert await self.page.evaluate("seen.violations") == []
        assert await self.page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


async def order(
    page: Page, prompt: str, *, bars: str = "1", metre: str = "", takes: str = "1", **fields: str
) -> str:
    """Fill the studio's form in, send it off, and give the riff's id once the stage follows it."""
    if "riff=" not in page.url:
        await page.goto("/")
    await page.locator("details.more").evaluate("fold => fold.open = true")
    for choice, value in {"bars": bars, "metre": metre, "takes": takes}.items():
        await page.locator(f"[name={choice}][value='{value}']").check()
    for field, value in {"prompt": prompt, **fields}.items():
        await page.fill(f"#{field}", value)
    before = page.url
    await page.get_by_role("button", name="Riff it").click()
    await page.wait_for_url(lambda url: "riff=" in url and url != before)
    return page.url.split("riff=")[1]


async def finished(page: Page) -> None:
    """Wait until the stage holds a finished loop."""
    await page.locator(STATE.format("done")).wait_for()


async def orders(database: Database) -> int:
    """How many riffs were ever ordered."""
    async with database.read() as session:
        return (await session.execute(select(func.count()).select_from(RiffOrder))).scalar_one()
