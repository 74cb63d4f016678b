"""The pages of charts, creators and collections in a browser: they fit, play and count a listener once."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.async_api import expect

from market.accounts import service as accounts
from market.community import collections, creators
from market.community.folding import fold_all
from market.community.models import Play
from market.db import Database
from market.storage import Storage
from tests.market.community.conftest import listed
from tests.market.conftest import count, finished
from tests.web.conftest import SQLITE, Visit

pytestmark = SQLITE


async def test_charts_creators_and_collections(
    visit: Visit, database: Database, storage: Storage, screenshots: Path
) -> None:
    bells = await finished(database, storage)
    async with database.write() as session:
        ana = await accounts.create(session, "local:ana", "Ana Kovač")
        link = {"label": "My records", "url": "https://ana.example.com/records"}
        await creators.describe(session, ana, "Loops for rainy days.\nPiano and tape.", [link])
    await listed(database, bells, ana, "Bells & <i>whistles</i>", genres=("house",))
    async with database.write() as session:
        shelf = await collections.create(session, ana, "Rainy days", "For reading.", True)
        await collections.put(session, ana, shelf.id, bells.id, note="Opens the second chapter.")
    await fold_all(database, datetime.now(UTC) + timedelta(minutes=2))

    pages = {
        "charts": "/charts?chart=all",
        "creator": f"/creators/{ana.handle}",
        "collection": f"/collections/{shelf.id}",
        "ratings": f"/loops/{bells.id}/ratings",
    }
    for width in (390, 1280):
        visitor = await visit(viewport={"width": width, "height": 900})
        page = visitor.page
        for name, path in pages.items():
            await page.goto(path)
            await expect(page.get_by_role("heading", name="Bells & <i>whistles</i>").first).to_be_visible()
            await visitor.check()
            await page.screenshot(path=screenshots / f"{name}-{width}.png", full_page=True)

    # Listened to for a while it counts, and once only.
    await page.goto(pages["charts"])
    async with page.expect_response(re.compile(r"/v1/loops/[^/]+/plays")) as told:
        await page.get_by_role("button", name=re.compile("^Play ")).click()
    assert (await (await told.value).json()) == {"counted": True}
    assert await count(database, Play) == 1
