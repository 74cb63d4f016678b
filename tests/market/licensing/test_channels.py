"""Channels: one way to write each, a list that the licensee keeps, and an answer for whoever handles claims."""

from datetime import timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation.errors import InvalidRequest
from market.licensing import channels
from market.licensing import service as licensing
from market.licensing.channels import ChannelAddress
from market.licensing.errors import LicenceRevoked, NotYourLicence, TooManyChannels
from market.licensing.models import Channel
from tests.market.conftest import count
from tests.market.licensing.conftest import YOUTUBE, Market


@pytest.mark.parametrize(
    ("typed", "platform", "url"),
    [
        ("https://www.youtube.com/@Ada", "youtube", YOUTUBE),
        ("youtube.com/@ada/videos?view=0#x", "youtube", YOUTUBE),
        ("HTTP://M.YouTube.com/@ADA/", "youtube", YOUTUBE),
        ("https://www.youtube.com/%40ada", "youtube", YOUTUBE),
        ("https://www.youtube.com/channel/UCabcdefghijklmnopqrstuv/about", "youtube", "https://www.youtube.com/channel/UCabcdefghijklmnopqrstuv"),
        ("youtube.com/c/Ada", "youtube", "https://www.youtube.com/c/ada"),
        ("https://www.youtube.com/@夜明け", "youtube", "https://www.youtube.com/@%E5%A4%9C%E6%98%8E%E3%81%91"),
        ("twitch.tv/Ada_L", "twitch", "https://www.twitch.tv/ada_l"),
        ("https://www.tiktok.com/@ada.l?lang=en", "tiktok", "https://www.tiktok.com/@ada.l"),
        ("instagram.com/ada/", "instagram", "https://www.instagram.com/ada"),
        ("https://twitter.com/Ada", "x", "https://x.com/ada"),
        ("https://soundcloud.com/ada/sets/x", "soundcloud", "https://soundcloud.com/ada"),
        ("https://open.spotify.com/show/4rOoJ6Egrf8K2IrywzwOMk?si=1", "podcast", "https://open.spotify.com/show/4rOoJ6Egrf8K2IrywzwOMk"),
        ("https://podcasts.apple.com/gb/podcast/bells/id1234567", "podcast", "https://podcasts.apple.com/podcast/id1234567"),
        ("https://www.Example.org/", "website", "https://example.org"),
        ("https://bücher.example/feed", "website", "https://xn--bcher-kva.example/feed"),
        ("https://example.org/<script>", "website", "https://example.org/%3Cscript%3E"),
    ],
)  # fmt: skip
def test_one_way_to_write_a_channel(typed: str, platform: str, url: str) -> None:
    assert channels.read(typed) == ChannelAddress(platform, url)
    assert channels.read(url) == ChannelAddress(platform, url)


@pytest.mark.parametrize(
    "typed",
    [
        "", " ", "ada", "@ada", "ftp://youtube.com/@ada", "javascript:alert(1)", "file:///etc/passwd",
        "https://youtube.com@evil.example/@ada", "https://user:word@example.org/", "https://127.0.0.1/",
        "https://[::1]/", "https://localhost/", "https://example.org:8080/", "https://example.org:99999/",
        "https://exa mple.org/", "https://example.org/\x00", "https://example.org/\u202egro", "https://-a.example/",
        "https://youtube.com/watch?v=1", "https://www.youtube.com/", "https://www.youtube.com/channel/UCshort",
        "https://twitch.tv/videos/1", "https://www.tiktok.com/ada", "https://instagram.com/p/abc", "x.com/home",
        "https://example.org/" + "a" * 300, "https://twitch.tv/a%00b", "https://youtube.com/@a%20c", "https://exam\ud800ple.org",
    ],
)  # fmt: skip
def test_what_is_no_channel_is_refused(typed: str) -> None:
    with pytest.raises(InvalidRequest, match="channel"):
        channels.read(typed)


def test_a_platform_that_is_said_has_to_fit() -> None:
    feed = "https://example.org/feed.xml"
    assert channels.read(feed, "podcast") == ChannelAddress("podcast", feed)
    for wrong in ("twitch", "website", "myspace"):
        with pytest.raises(InvalidRequest, match="platform"):
            channels.read(YOUTUBE, wrong)


SOME = st.text(max_size=40)


@given(SOME | SOME.map("https://youtube.com/{}".format) | SOME.map("https://example.org/{}".format))
def test_whatever_is_typed_is_a_channel_or_refused(typed: str) -> None:
    try:
        found = channels.read(typed)
    except InvalidRequest:
        return
    assert found.url.isascii()
    assert found.url.isprintable()
    assert found.url.startswith("https://")
    assert len(found.url) <= channels.MAX_URL
    assert channels.read(found.url) == found


async def test_the_licensee_keeps_the_list(market: Market, http: httpx.AsyncClient) -> None:
    grant = await market.grant()
    place = f"/v1/licences/{grant.code}/channels"
    added = await http.post(place, json={"url": "twitch.tv/Ada"}, headers=market.ada.headers)
    assert added.status_code == 201
    assert (added.json()["platform"], added.json()["url"]) == ("twitch", "https://www.twitch.tv/ada")
    listed = (await http.get(f"/v1/licences/{grant.code}")).json()["channels"]
    assert [each["url"] for each in listed] == [YOUTUBE, "https://www.twitch.tv/ada"]
    # The same again has a new term, and its old one stays on record.
    assert (await http.post(place, json={"url": YOUTUBE}, headers=market.ada.headers)).status_code == 201
    gone = await http.delete(f"{place}/{added.json()['id']}", headers=market.ada.headers)
    assert gone.status_code == 200
    assert gone.json()["removed_at"] is not None
    history = (await http.get(place, headers=market.ada.headers)).json()["channels"]
    assert [(each["url"], each["removed_at"] is None) for each in history] == [
        (YOUTUBE, False),
        ("https://www.twitch.tv/ada", False),
        (YOUTUBE, True),
    ]
    listed = (await http.get(f"/v1/licences/{grant.code}")).json()["channels"]
    assert [each["url"] for each in listed] == [YOUTUBE]
    # What was granted says still what it said.
    assert [each["url"] for each in grant.channels] == [YOUTUBE]


async def test_nobody_else_keeps_the_list(market: Market, http: httpx.AsyncClient) -> None:
    grant = await market.grant()
    place = f"/v1/licences/{grant.code}/channels"
    async with market.database.read() as session:
        [channel] = await licensing.listed_channels(session, grant.code)
    for headers, status in ((market.eve.headers, 403), (market.admin.headers, 403), ({}, 401)):
        assert (await http.get(place, headers=headers)).status_code == status
        assert (await http.post(place, json={"url": "twitch.tv/eve"}, headers=headers)).status_code == status
        assert (await http.delete(f"{place}/{channel.id}", headers=headers)).status_code == status
    for wrong in ("x", "0" * 24, "%00", "' OR 1=1 --"):
        assert (await http.delete(f"{place}/{wrong}", headers=market.ada.headers)).status_code == 404
    for body in (
        {"url": "ftp://x"},
        {"url": YOUTUBE, "platform": "twitch"},
        {"url": "a" * 301},
        {},
        {"url": YOUTUBE, "more": 1},
    ):
        assert (await http.post(place, json=body, headers=market.ada.headers)).status_code == 422
    async with market.database.read() as session:
        [same] = await licensing.listed_channels(session, grant.code)
    assert (same.id, same.removed_at) == (channel.id, None)
    assert await count(market.database, Channel) == 1


async def test_a_list_has_an_end_and_is_not_a_turntable(market: Market) -> None:
    grant = await market.grant("free", channels=())
    ada = market.ada.account
    for at in range(3):
        async with market.database.write() as session:
            added = await licensing.add_channel(session, grant.code, f"twitch.tv/ada{at}", None, ada)
        with pytest.raises(TooManyChannels, match="covers 1 channel:"):
            async with market.database.write() as session:
                await licensing.add_channel(session, grant.code, "twitch.tv/other", None, ada)
        async with market.database.write() as session:
            await licensing.remove_channel(session, grant.code, added.id, ada)
    with pytest.raises(TooManyChannels, match="within a year"):
        async with market.database.write() as session:
            await licensing.add_channel(session, grant.code, "twitch.tv/ada9", None, ada)
    # One of those may come back.
    async with market.database.write() as session:
        await licensing.add_channel(session, grant.code, "twitch.tv/ada0", None, ada)
    assert await count(market.database, Channel) == 4


async def test_who_covers_a_channel(market: Market, http: httpx.AsyncClient) -> None:
    grant = await market.grant()
    feed = await market.grant(
        "free", intent="order:2", channels=[{"url": "https://example.org/feed.xml", "platform": "podcast"}]
    )
    found = (await http.get("/v1/channels", params={"url": "youtube.com/@ADA/videos"})).json()
    assert (found["platform"], found["url"], found["covered"]) == ("youtube", YOUTUBE, True)
    [cover] = found["licences"]
    assert (cover["code"], cover["loop_id"], cover["tier"]) == (grant.code, market.loop.id, "creator")
    assert "licensee" not in cover
    podcast = (await http.get("/v1/channels", params={"url": "example.org/feed.xml"})).json()
    assert (podcast["platform"], [each["code"] for each in podcast["licences"]]) == ("podcast", [feed.code])
    other = (await http.get("/v1/channels", params={"url": YOUTUBE, "loop_id": "0" * 24 + "-0"})).json()
    assert (other["covered"], other["licences"]) == (False, [])
    for wrong in ("", "x", "javascript:alert(1)", "https://youtube.com/\x00", "a" * 301):
        assert (await http.get("/v1/channels", params={"url": wrong})).status_code == 422
    async with market.database.write() as session:
        await licensing.revoke(session, grant.code, "A claim.", "system")
    assert (await http.get("/v1/channels", params={"url": YOUTUBE})).json()["covered"] is False
    with pytest.raises(LicenceRevoked):
        async with market.database.write() as session:
            await licensing.add_channel(session, grant.code, "twitch.tv/ada", None, market.ada.account)
    with pytest.raises(NotYourLicence):
        async with market.database.write() as session:
            await licensing.add_channel(session, feed.code, "twitch.tv/eve", None, market.eve.account)
    assert await count(market.database, Channel) == 2


async def test_a_channel_leaves_the_list_by_itself(market: Market) -> None:
    grant = await market.grant()
    async with market.database.read() as session:
        [channel] = await licensing.listed_channels(session, grant.code)
    assert channel.expires_at is not None
    assert channel.expires_at - channel.added_at == timedelta(days=365)
    assert licensing.covers(channel, channel.added_at)
    assert licensing.covers(channel, channel.expires_at - timedelta(seconds=1))
    assert not licensing.covers(channel, channel.expires_at)
    assert not licensing.covers(channel, channel.added_at - timedelta(seconds=1))
