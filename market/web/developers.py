"""The page of examples: developers.md, each request of which a test sends as it stands there."""

from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from markdown_it import MarkdownIt
from starlette.responses import Response

from market.web.rendering import page

router = APIRouter(include_in_schema=False)
TEXT = Path(__file__).with_name("developers.md")


@router.get("/developers")
async def developers_page(request: Request) -> Response:
    return page(request, "developers.html", {"here": "developers", "text": _rendered()})


@cache
def _rendered() -> str:
    # Only what stands in our own file is rendered; HTML in it stays text all the same.
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    return str(markdown.render(TEXT.read_text(encoding="utf-8")))
