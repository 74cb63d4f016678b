"""What accounts refuse."""

from collections.abc import Mapping
from datetime import datetime

from market.errors import MarketError

REALM = 'Bearer realm="riffmarket"'


class SignInNeeded(MarketError):
    """This is for people with an account."""

    status_code = 401
    headers: Mapping[str, str] = {"WWW-Authenticate": REALM}

    def __init__(self) -> None:
        super().__init__("Sign in first: this needs an account.")


class TokenRefused(MarketError):
    """What stands in the Authorization header opens nothing (RFC 6750, section 3.1)."""

    status_code = 401
    headers: Mapping[str, str] = {"WWW-Authenticate": f'{REALM}, error="invalid_token"'}

    def __init__(self, why: str) -> None:
        super().__init__(f"This token {why}: make a new one on your account's page.")


class NotAllowed(MarketError):
    """The account's role, or the token's scopes, do not reach this far."""

    status_code = 403

    def __init__(self, needed: str) -> None:
        super().__init__(f"This needs {needed}.")


class ScopeMissing(NotAllowed):
    """The token does not reach this far, though its account may."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"a token with the scope {scope}")
        self.headers = {"WWW-Authenticate": f'{REALM}, error="insufficient_scope", scope="{scope}"'}


class Suspended(MarketError):
    """Somebody who may look but not act, for a while."""

    status_code = 403

    def __init__(self, until: datetime) -> None:
        super().__init__(
            f"This account is suspended until {until:%Y-%m-%d %H:%M} UTC: until then it can only look."
        )
        self.until = until


class QuotaSpent(MarketError):
    """The token has sent as many requests today as it may."""

    status_code = 429

    def __init__(self, quota: int, seconds: int) -> None:
        super().__init__(f"This token has sent its {quota} requests of today: go on after midnight UTC.")
        self.headers = {"Retry-After": str(seconds)}


class TooManyTokens(MarketError):
    """One person needs only so many tokens."""

    status_code = 409

    def __init__(self, limit: int) -> None:
        super().__init__(f"You have {limit} tokens already: revoke one that you do not use.")


class HandleTaken(MarketError):
    """Handles are unique."""

    status_code = 409

    def __init__(self, handle: str) -> None:
        super().__init__(f"The handle {handle} is taken: choose another one.")


class LastAdmin(MarketError):
    """A market without an administrator could not be administered over the web any more."""

    status_code = 409

    def __init__(self) -> None:
        super().__init__("This is the only administrator: make somebody else one first.")


class SignInUnavailable(MarketError):
    """Nobody has set up this way to sign in."""

    status_code = 503

    def __init__(self, needed: str) -> None:
        super().__init__(f"Signing in with Discord is not set up here: it needs {needed}.")


class SignInRefused(MarketError):
    """The way back from Discord was not the way there."""

    status_code = 400

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)


class DiscordAway(MarketError):
    """Discord did not answer as it should."""

    status_code = 502

    def __init__(self) -> None:
        super().__init__("Discord does not answer as it should: try to sign in again in a moment.")
