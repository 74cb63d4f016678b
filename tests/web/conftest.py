"""Debian's Chromium, driven by Playwright against the real server."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright, expect

from tests.web.browser import WATCH, Visitor

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
PATIENCE_MS = 60_000

# What is asked of the database is the same on every page: most tests need not ask it twice.
SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
Visit = Callable[..., Awaitable[Visitor]]


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on the PATH: install Debian's package chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture
async def visit(browser: Browser, server: str) -> AsyncIterator[Visit]:
    """Make a visitor of the site: `visit(**options of a browser context)`."""
    contexts: list[BrowserContext] = []
    expect.set_options(timeout=PATIENCE_MS)

    async def visitor(**options: Any) -> Visitor:
        context = await browser.new_context(base_url=server, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        await context.add_init_script(WATCH)
        return Visitor(await context.new_page())

    yield visitor
    for context in contexts:
        await context.close()


@pytest_asyncio.fixture
async def http(server: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server, timeout=PATIENCE_MS / 1000) as client:
        yield client


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """Where pictures of the pages go: RIFF_SCREENSHOTS, or a folder that vanishes."""
    folder = Path(os.environ.get("RIFF_SCREENSHOTS", tmp_path / "screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
