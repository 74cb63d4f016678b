"""How often one address, one account and one token may ask: token buckets in this process, and a token's day.

Every answer under /v1 tells how the limits stand (draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` and
`RateLimit`). Several web processes count each for themselves; the daily quota of a token is counted in the database.
"""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from market.errors import MarketError
from market.settings import Settings

MINUTE = 60
DAY = 86_400
# More are not remembered at once: those that have been quiet longest have filled up again.
MAX_BUCKETS = 50_000


class TooOften(MarketError):
    """More requests than one may send in a minute."""

    status_code = 429

    def __init__(self, whose: str, seconds: int) -> None:
        super().__init__(f"Too many requests from this {whose}: go on in {seconds} s.")
        self.headers = {"Retry-After": str(seconds)}


@dataclass(frozen=True, slots=True)
class Standing:
    """How one limit stands: so many of `quota` requests per `window` seconds are left, all again after `reset`."""

    name: str
    quota: int
    window: int
    left: int
    reset: int


class Buckets:
    """Buckets of `per_minute` requests that fill up again within a minute; 0 is no limit."""

    def __init__(self, name: str, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.per_minute = per_minute
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> Standing | None:
        """Take a request out of somebody's bucket. Raises TooOften where it is empty."""
        if not self.per_minute:
            return None
        now = self._clock()
        level, at = self._levels.get(who, (float(self.per_minute), now))
        level = min(float(self.per_minute), level + (now - at) * self.per_minute / MINUTE)
        if level < 1:
            raise TooOften(self.name, max(1, math.ceil((1 - level) * MINUTE / self.per_minute)))
        self._levels[who] = (level - 1, now)
        self._levels.move_to_end(who)
        if len(self._levels) > MAX_BUCKETS:
            self._levels.popitem(last=False)
        return self._standing(level - 1)

    def _standing(self, level: float) -> Standing:
        reset = math.ceil((self.per_minute - level) * MINUTE / self.per_minute)
        return Standing(self.name, self.per_minute, MINUTE, int(level), reset)


class Limits:
    """The buckets of one web process."""

    def __init__(self, settings: Settings) -> None:
        self.addresses = Buckets("address", settings.rate_address)
        self.accounts = Buckets("account", settings.rate_account)
        self.sign_ins = Buckets("sign-in", settings.rate_sign_in)
        self._proxies = [
            ipaddress.ip_network(each.strip(), strict=False)
            for each in settings.trusted_proxies.split(",")
            if each.strip()
        ]

    def address_of(self, request: Request) -> str:
        """Whom a request comes from: the connection's other end, or, behind a trusted proxy, whom that one names.

        An IPv6 network of /64 is one address: its owner has all of them.
        """
        found = _address(request.client.host if request.client else "")
        if found is None:
            return "unknown"
        forwarded = request.headers.getlist("x-forwarded-for")
        hops = [hop.strip() for line in forwarded for hop in line.split(",")]
        while self._trusts(found) and hops and (nearer := _address(hops.pop())) is not None:
            found = nearer
        if found.version == 6:
            return str(ipaddress.ip_network((found, 64), strict=False))
        return str(found)

    def _trusts(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        return any(address in network for network in self._proxies)


def note(request: Request, standing: Standing | None) -> None:
    """Let the answer tell how a limit stands."""
    if standing is not None:
        told = getattr(request.state, "standings", None)
        if told is None:
            told = request.state.standings = {}
        told[standing.name] = standing


def take(request: Request, buckets: Buckets, who: str) -> None:
    """Count a request. Raises TooOften, whose answer tells that nothing is left."""
    try:
        note(request, buckets.take(who))
    except TooOften as refusal:
        wait = int(refusal.headers["Retry-After"])
        note(request, Standing(buckets.name, buckets.per_minute, MINUTE, 0, wait))
        raise


class LimitHeaders:
    """Adds `RateLimit-Policy` and `RateLimit` to whatever is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_limits(message: Message) -> None:
            standings = scope.get("state", {}).get("standings")
            if standings and message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                known = list(standings.values())
                headers["RateLimit-Policy"] = ", ".join(f'"{s.name}";q={s.quota};w={s.window}' for s in known)
                headers["RateLimit"] = ", ".join(f'"{s.name}";r={s.left};t={s.reset}' for s in known)
            await send(message)

        await self._app(scope, receive, send_with_limits if scope["type"] == "http" else send)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
