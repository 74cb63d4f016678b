"""How a page is rendered: the templates, their filters, and the headers that every page carries."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.templating import Jinja2Templates
from starlette.responses import Response

from generation.request import Key

STATIC = Path(__file__).with_name("static")

# Scripts and styles are files of ours, nothing is inline: what a person typed can never run.
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def page(
    request: Request, template: str, context: Mapping[str, Any], *, status: int = 200, fresh: bool = False
) -> Response:
    """Render `template`; a `fresh` page is asked for anew each time, even by the browser's Back button."""
    headers = {**PAGE_HEADERS, "Cache-Control": "no-store" if fresh else "no-cache"}
    return _templates.TemplateResponse(request, template, dict(context), status_code=status, headers=headers)


def nonce() -> str:
    """What makes two sendings of one form the same order."""
    return secrets.token_urlsafe(18)


def plain(number: float) -> str:
    """A number as a person writes it: 120, 92.5."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def key_name(key: str | Key) -> str:
    """ "F#m" as it is spoken: F♯ minor."""
    text = str(key)
    tonic = text.removesuffix("m")
    letters = tonic[0] + {"": "", "#": "♯", "b": "♭"}[tonic[1:]]
    return f"{letters} {'minor' if text.endswith('m') else 'major'}"


def dollars(cents: int) -> str:
    """A price for people: $9, $12.50."""
    return f"${cents // 100:,}" + (f".{cents % 100:02}" if cents % 100 else "")


def moment(time: datetime) -> str:
    """A point in time for people, in UTC: 22 November 2026, 17:06 UTC."""
    utc = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


_templates = Jinja2Templates(directory=Path(__file__).with_name("templates"))
_templates.env.filters.update(dollars=dollars, plain=plain, key_name=key_name, moment=moment)
_templates.env.trim_blocks = True
_templates.env.lstrip_blocks = True
