"""New loops as Atom feeds (RFC 4287), each entry with its marked preview as an enclosure: a podcast of loops."""

import asyncio
import hashlib
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from weakref import WeakKeyDictionary
from xml.etree import ElementTree as ET

from fastapi import Request
from starlette.responses import Response

from generation.errors import RiffError
from market.catalog.formats import Formats
from market.catalog.models import Listing, Loop
from market.community.score import EPOCH
from market.storage import Storage
from market.web.rendering import key_name, plain

ENTRIES = 30
ATOM = "http://www.w3.org/2005/Atom"
MEDIA_TYPE = "application/atom+xml"
# Readers come by every hour or so; a takedown reaches them within minutes.
CACHED = "public, max-age=300"
# What XML 1.0 cannot hold, escaped or not (section 2.2).
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

ET.register_namespace("", ATOM)


@dataclass(frozen=True, slots=True)
class About:
    """What a feed is: a name that never changes, a title, the page it belongs to, and its own path."""

    name: str
    title: str
    page: str
    path: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A loop in a feed; `preview_bytes` is None where there is no preview."""

    loop: Loop
    listing: Listing
    preview_bytes: int | None


async def entries(formats: Formats, storage: Storage, loops: Sequence[tuple[Loop, Listing]]) -> list[Entry]:
    """Loops with the lengths of their previews. A preview that nobody has asked for yet is made."""
    lengths = await asyncio.gather(*(_length(formats, storage, loop) for loop, _ in loops))
    return [Entry(loop, listing, length) for (loop, listing), length in zip(loops, lengths, strict=True)]


def render(about: About, origin: str, found: Sequence[Entry]) -> bytes:
    """The feed as XML in UTF-8; `origin` is where this site is."""
    feed = ET.Element(_name("feed"))
    _add(feed, "id", _urn(about.name))
    _add(feed, "title", about.title)
    _add(feed, "updated", updated(found).isoformat())
    _add(feed, "link", rel="self", type=MEDIA_TYPE, href=origin + about.path)
    _add(feed, "link", rel="alternate", type="text/html", href=origin + about.page)
    _add(feed, "generator", "Riffmarket", uri=f"{origin}/")
    for entry in found:
        _entry(ET.SubElement(feed, _name("entry")), entry, origin)
    xml: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return xml


def updated(found: Sequence[Entry]) -> datetime:
    """When anything in a feed last changed, to the second."""
    latest = max((each.listing.updated_at for each in found), default=datetime(EPOCH.year, 1, 1, tzinfo=UTC))
    return latest.replace(microsecond=0)


def answer(request: Request, feed: bytes, changed: datetime) -> Response:
    """The feed, or 304 where the reader has it (RFC 9110, section 13)."""
    tag = f'"{hashlib.sha256(feed).hexdigest()[:32]}"'
    headers = {
        "ETag": tag,
        "Last-Modified": format_datetime(changed, usegmt=True),
        "Cache-Control": CACHED,
        "X-Content-Type-Options": "nosniff",
    }
    if _has_it(request, tag, changed):
        return Response(status_code=304, headers=headers)
    return Response(feed, media_type=f"{MEDIA_TYPE}; charset=utf-8", headers=headers)


def _entry(element: ET.Element, entry: Entry, origin: str) -> None:
    loop, listing = entry.loop, entry.listing
    _add(element, "id", _urn(f"loop:{loop.id}"))
    _add(element, "title", listing.title)
    _add(element, "published", (listing.published_at or listing.updated_at).isoformat(timespec="seconds"))
    _add(element, "updated", listing.updated_at.isoformat(timespec="seconds"))
    author = ET.SubElement(element, _name("author"))
    _add(author, "name", listing.creator.name or listing.creator.handle)
    _add(author, "uri", f"{origin}/creators/{listing.creator.handle}")
    _add(element, "link", rel="alternate", type="text/html", href=f"{origin}/loops/{loop.id}")
    if entry.preview_bytes is not None:
        preview = f"{origin}/v1/loops/{loop.id}/preview"
        _add(
            element, "link", rel="enclosure", type="audio/mpeg", length=str(entry.preview_bytes), href=preview
        )
    for tag in listing.tags:
        _add(element, "category", term=tag.value)
    _add(element, "summary", _summary(loop, listing), type="text")


def _summary(loop: Loop, listing: Listing) -> str:
    parts = [
        f"{loop.bars} {'bar' if loop.bars == 1 else 'bars'} at {plain(loop.bpm)} bpm",
        loop.metre if loop.metre != "4/4" else "",
        key_name(loop.key) if loop.key else "",
        "free with attribution" if listing.free else "",
    ]
    facts = ", ".join(part for part in parts if part)
    return f"{facts}.\n{listing.description}".strip()


def _add(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> None:
    element = ET.SubElement(parent, _name(name), {key: _fit(value) for key, value in attributes.items()})
    element.text = None if text is None else _fit(text)


def _name(local: str) -> str:
    return f"{{{ATOM}}}{local}"


def _fit(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


def _urn(name: str) -> str:
    # Stays the same when the site moves, which an address would not.
    return uuid.uuid5(uuid.NAMESPACE_URL, f"riffmarket:{name}").urn


def _has_it(request: Request, tag: str, changed: datetime) -> bool:
    said = request.headers.get("if-none-match")
    if said is not None:
        return any(one.strip().removeprefix("W/") in (tag, "*") for one in said.split(","))
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
    except ValueError:
        return False
    # A date without a zone, "-0000", is not one of HTTP's.
    return since.tzinfo is not None and changed <= since


# What a preview's file has in bytes never changes, and feeds are read all the time.
_lengths: WeakKeyDictionary[Formats, dict[str, int]] = WeakKeyDictionary()


async def _length(formats: Formats, storage: Storage, loop: Loop) -> int | None:
    known = _lengths.setdefault(formats, {})
    if loop.id not in known:
        try:
            known[loop.id] = await storage.size((await formats.preview(loop, "mp3")).key)
        except RiffError:
            return None
        if len(known) > 10_000:
            known.pop(next(iter(known)))
    return known[loop.id]
