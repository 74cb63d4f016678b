"""Channels: one way to write the address of each, whatever a person pastes. Nothing here is ever fetched."""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urlsplit

from generation.errors import InvalidRequest
from generation.fields import quoted

MAX_URL = 300
_HOST = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_YOUTUBE_ID = re.compile(r"/channel/(UC[\w-]{22})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class ChannelAddress:
    """A channel: `platform` is one of PLATFORMS, `url` its address in the one way that it is written here."""

    platform: str
    url: str


@dataclass(frozen=True, slots=True)
class _Platform:
    """`path` finds the part of an address that names the channel; its case does not matter."""

    home: str
    hosts: frozenset[str]
    path: re.Pattern[str]


def _platform(home: str, hosts: str, path: str) -> _Platform:
    return _Platform(home, frozenset([home, *hosts.split()]), re.compile(path))


_NAMED = {
    "youtube": _platform(
        "www.youtube.com", "youtube.com m.youtube.com music.youtube.com", r"/((?:@|c/|user/)[^/]+)"
    ),
    "twitch": _platform("www.twitch.tv", "twitch.tv m.twitch.tv", r"/(\w{2,30})"),
    "tiktok": _platform("www.tiktok.com", "tiktok.com m.tiktok.com", r"/(@[\w.]{1,30})"),
    "instagram": _platform("www.instagram.com", "instagram.com m.instagram.com", r"/([\w.]{1,40})"),
    "facebook": _platform("www.facebook.com", "facebook.com m.facebook.com fb.com", r"/([\w.-]{2,80})"),
    "x": _platform("x.com", "www.x.com twitter.com www.twitter.com mobile.twitter.com", r"/(\w{1,15})"),
    "soundcloud": _platform("soundcloud.com", "www.soundcloud.com m.soundcloud.com", r"/([\w-]{2,40})"),
}
_SHOWS = {
    "open.spotify.com": re.compile(r"/show/\w{10,40}"),
    "podcasts.apple.com": re.compile(r"/id\d{3,20}"),
}
# What stands where a channel's name would, and is none.
_PAGES = frozenset({
    "watch", "shorts", "playlist", "feed", "results", "directory", "videos", "explore", "p", "reel", "reels", "stories",
    "tag", "discover", "search", "hashtag", "events", "groups", "home", "i", "settings", "share", "login", "live",
    "profile.php", "pages",
})  # fmt: skip
PLATFORMS = (*_NAMED, "podcast", "website")


def read(url: str, platform: str | None = None) -> ChannelAddress:
    """The channel behind an address, which may lack its https://. Raises InvalidRequest with a sentence."""
    if platform is not None and platform not in PLATFORMS:
        raise InvalidRequest("platform", f"There is no platform {quoted(platform)}: {', '.join(PLATFORMS)}.")
    host, parts = _split(url)
    found = next((name for name, known in _NAMED.items() if host in known.hosts), None)
    if found is None:
        found = "podcast" if host in _SHOWS or platform == "podcast" else "website"
    if platform not in (None, found):
        raise InvalidRequest("platform", f"{quoted(url)} is not an address of the platform {platform}.")
    address = _in_platform(_NAMED[found], url, parts) if found in _NAMED else _elsewhere(host, parts)
    if len(address) > MAX_URL:
        raise _refusal(url)
    return ChannelAddress(found, address)


def _split(url: str) -> tuple[str, SplitResult]:
    text = unicodedata.normalize("NFC", url.strip())
    if len(text) > MAX_URL or any(unicodedata.category(letter)[0] in "CZ" for letter in text):
        raise _refusal(url)
    if not re.match(r"https?://", text, re.IGNORECASE):
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").encode("idna").decode()
        named = parts.username is not None or parts.port not in (None, 80, 443)
    except ValueError:
        raise _refusal(url) from None
    if named or not _HOST.fullmatch(host):
        raise _refusal(url)
    return host, parts


def _in_platform(platform: _Platform, url: str, parts: SplitResult) -> str:
    path = unicodedata.normalize("NFC", unquote(parts.path))
    channel = _YOUTUBE_ID.match(path)
    if channel is not None and "youtube.com" in platform.hosts:
        return f"https://{platform.home}{channel[0]}"
    found = platform.path.match(path)
    name = "" if found is None else found[1]
    ends = found is not None and path[found.end() : found.end() + 1] in ("", "/")
    if not ends or name.lower() in _PAGES or any(unicodedata.category(letter)[0] in "CZ" for letter in name):
        raise InvalidRequest(
            "url",
            f"{quoted(url)} is not the address of a channel: open the channel's own page and copy it there.",
        )
    return f"https://{platform.home}/{quote(name.lower(), safe='@/._-~')}"


def _elsewhere(host: str, parts: SplitResult) -> str:
    show = _SHOWS[host].search(parts.path) if host in _SHOWS else None
    if show is not None:
        return (
            f"https://{host}/podcast{show[0]}" if host.startswith("podcasts") else f"https://{host}{show[0]}"
        )
    path = quote(unquote(parts.path), safe="/@:._-~!$&'()*+,;=").rstrip("/")
    query = f"?{quote(unquote(parts.query), safe='=&/@:._-~+,;')}" if parts.query else ""
    return f"https://{host.removeprefix('www.')}{path}{query}"


def _refusal(url: str) -> InvalidRequest:
    return InvalidRequest(
        "url", f"{quoted(url)} is not the public address of a channel, like https://youtube.com/@name."
    )
