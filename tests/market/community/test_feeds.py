"""The Atom feeds (RFC 4287), as a reader's XML parser sees them."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree as ET

import httpx
import pytest

from market.catalog.models import Listing, ListingStatus
from market.community.feeds import ENTRIES
from market.db import Database
from market.storage import Storage
from tests.market.community.conftest import Person, Publish, listed
from tests.market.conftest import finished

ATOM = "{http://www.w3.org/2005/Atom}"
ODD = 'Bells <b>&amp;</b> "whistles" ]]> \u202e \U0001f514'


def parsed(answer: httpx.Response) -> ET.Element:
    """The feed, with what RFC 4287 asks of every feed and entry."""
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    feed = ET.fromstring(answer.content)
    assert feed.tag == f"{ATOM}feed"
    entries = feed.findall(f"{ATOM}entry")
    for element in (feed, *entries):
        for name in ("id", "title", "updated"):
            assert len(element.findall(ATOM + name)) == 1, name
        assert text(element, "id").startswith("urn:uuid:")
        assert datetime.fromisoformat(text(element, "updated")).tzinfo is not None
        assert links(element, "alternate")
    assert len({text(each, "id") for each in (feed, *entries)}) == 1 + len(entries)
    # Where an entry has no author the feed would need one.
    assert all(each.find(f"{ATOM}author/{ATOM}name") is not None for each in entries)
    [itself] = links(feed, "self")
    assert itself.get("href") == str(answer.url)
    return feed


def text(element: ET.Element, name: str) -> str:
    return element.findtext(ATOM + name) or ""


def links(element: ET.Element, rel: str) -> list[ET.Element]:
    return [each for each in element.findall(f"{ATOM}link") if each.get("rel") == rel]


def titles(feed: ET.Element) -> list[str]:
    return [text(entry, "title") for entry in feed.findall(f"{ATOM}entry")]


async def test_a_feed_of_real_loops(
    ana: Person, database: Database, storage: Storage, http: httpx.AsyncClient
) -> None:
    bells = await finished(database, storage)
    await listed(database, bells, ana.account, ODD, genres=("house",), description="Ring\n\ning.")
    feed = parsed(await http.get("/feeds/new.xml"))
    assert text(feed, "title") == "New loops on Riffmarket"
    [entry] = feed.findall(f"{ATOM}entry")
    assert text(entry, "title") == ODD
    assert entry.findtext(f"{ATOM}author/{ATOM}name") == "Ana"
    assert entry.findtext(f"{ATOM}author/{ATOM}uri") == str(http.base_url.join(f"/creators/{ana.handle}"))
    assert [each.get("term") for each in entry.findall(f"{ATOM}category")] == ["house"]
    assert text(entry, "summary") == "2 bars at 120 bpm, free with attribution.\nRing\n\ning."

    [enclosure] = links(entry, "enclosure")
    preview = await http.get(enclosure.attrib["href"])
    assert preview.status_code == 200
    assert preview.headers["content-type"] == enclosure.get("type") == "audio/mpeg"
    assert int(enclosure.attrib["length"]) == len(preview.content) > 1000
    [page] = links(entry, "alternate")
    assert (await http.get(page.attrib["href"])).status_code == 200


async def test_which_loops_are_in_which_feed(
    ana: Person, ben: Person, publish: Publish, database: Database, http: httpx.AsyncClient
) -> None:
    await publish(ana, "Mine", genres=("house",))
    await publish(ben, "Theirs", genres=("drum and bass",))
    await publish(ana, "Draft", genres=("house",), status=ListingStatus.DRAFT)
    gone = await publish(ana, "Gone", genres=("house",))
    assert titles(parsed(await http.get("/feeds/new.xml"))) == ["Gone", "Theirs", "Mine"]
    async with database.write() as session:
        (await session.get_one(Listing, gone.id)).status = ListingStatus.REMOVED
    assert titles(parsed(await http.get("/feeds/new.xml"))) == ["Theirs", "Mine"]
    assert titles(parsed(await http.get("/feeds/genres/house.xml"))) == ["Mine"]
    assert titles(parsed(await http.get("/feeds/genres/drum%20and%20bass.xml"))) == ["Theirs"]
    own = parsed(await http.get(f"/creators/{ana.handle}/feed.xml"))
    assert (text(own, "title"), titles(own)) == ("New loops by Ana", ["Mine"])
    # Without files there is no preview to enclose, and the feed is whole all the same.
    assert not [link for entry in own.findall(f"{ATOM}entry") for link in links(entry, "enclosure")]
    for path in (
        "/feeds/genres/nonsense.xml",
        "/feeds/genres/%00.xml",
        "/feeds/genres/'--.xml",
        "/feeds/x.xml",
    ):
        assert (await http.get(path)).status_code == 404, path


async def test_a_feed_is_the_newest_only(ana: Person, publish: Publish, http: httpx.AsyncClient) -> None:
    for number in range(ENTRIES + 2):
        await publish(ana, f"Loop {number}")
    found = titles(parsed(await http.get("/feeds/new.xml")))
    assert found == [f"Loop {number}" for number in range(ENTRIES + 1, 1, -1)]


async def test_an_empty_feed_is_a_feed(http: httpx.AsyncClient) -> None:
    assert titles(parsed(await http.get("/feeds/new.xml"))) == []


async def test_what_the_reader_has_is_not_sent_again(
    ana: Person, publish: Publish, http: httpx.AsyncClient
) -> None:
    await publish(ana, "First", at=datetime.now(UTC) - timedelta(hours=1))
    first = await http.get("/feeds/new.xml")
    tag, changed = first.headers["etag"], first.headers["last-modified"]
    assert parsedate_to_datetime(changed) <= datetime.now(UTC)
    for headers in (
        {"If-None-Match": tag},
        {"If-None-Match": f'"other", W/{tag}'},
        {"If-Modified-Since": changed},
        {"If-Modified-Since": "Mon, 01 Jan 2125 00:00:00 GMT"},
    ):
        again = await http.get("/feeds/new.xml", headers=headers)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), headers
    for headers in (
        {"If-None-Match": '"other"'},
        # The tag counts where there are both.
        {"If-None-Match": '"other"', "If-Modified-Since": changed},
        {"If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT"},
        {"If-Modified-Since": "yesterday"},
        {"If-Modified-Since": "Mon, 01 Jan 2125 00:00:00 -0000"},
    ):
        assert (await http.get("/feeds/new.xml", headers=headers)).status_code == 200, headers
    await publish(ana, "Second")
    newer = await http.get("/feeds/new.xml", headers={"If-None-Match": tag, "If-Modified-Since": changed})
    assert titles(parsed(newer)) == ["Second", "First"]
    assert newer.headers["etag"] != tag


@pytest.mark.parametrize("character", ["\ufffe", "\u000b", "\uffff"])
async def test_what_xml_cannot_hold(
    ana: Person, publish: Publish, http: httpx.AsyncClient, character: str
) -> None:
    await publish(ana, f"Odd{character}one")
    assert titles(parsed(await http.get("/feeds/new.xml"))) == ["Odd\ufffdone"]
