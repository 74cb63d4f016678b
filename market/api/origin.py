"""Where a request comes from: which site's page sent it, which address we have, and paths that lead nowhere else."""

import ipaddress
from urllib.parse import urlsplit

from fastapi import Request

from market.errors import MarketError
from market.settings import Settings

MAX_PATH_LENGTH = 500
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


class ForeignRequest(MarketError):
    """Another site's page sent a request in the name of whoever looks at it."""

    status_code = 403

    def __init__(self) -> None:
        super().__init__(
            "This request came from another site's page: a program sends a token instead of cookies."
        )


class AddressUnknown(MarketError):
    """We cannot tell Discord where to send somebody back to."""

    status_code = 503

    def __init__(self) -> None:
        super().__init__("Signing in needs to know where this site is: set RIFF_PUBLIC_URL.")


def is_foreign(request: Request) -> bool:
    """Whether another site's page sent a request (Fetch Metadata, W3C; by `Origin` where a browser has none)."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc not in _own_hosts(request)


def refuse_foreign(request: Request) -> None:
    """Raise ForeignRequest where another site's page sent this."""
    if is_foreign(request):
        raise ForeignRequest


def origin_of(request: Request) -> str:
    """Our own address, without a path. Raises AddressUnknown where only the client says what it is."""
    settings: Settings = request.app.state.settings
    if settings.public_url:
        return settings.public_url
    if not _is_local_name(request.url.hostname or ""):
        raise AddressUnknown
    return f"{request.url.scheme}://{request.url.netloc}"


def is_local(request: Request) -> bool:
    """Whether this is a development machine's own browser: by our settings, the connection and the name it used."""
    settings: Settings = request.app.state.settings
    if settings.public_url or not _is_local_name(settings.host):
        return False
    if any(
        name in request.headers for name in ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
    ):
        return False
    peer = request.client.host if request.client else ""
    return _is_local_name(peer) and _is_local_name(request.url.hostname or "")


def same_site(path: str) -> str:
    """A path of ours to go on to; "/" for one that may lead elsewhere."""
    plain = path.isascii() and path.isprintable() and len(path) <= MAX_PATH_LENGTH
    if not plain or "\\" in path or not path.startswith("/") or path.startswith("//"):
        return "/"
    try:
        parts = urlsplit(path)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc else path


def _own_hosts(request: Request) -> set[str]:
    settings: Settings = request.app.state.settings
    return {urlsplit(settings.public_url).netloc if settings.public_url else request.headers.get("host", "")}


def _is_local_name(host: str) -> bool:
    if host in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
