"""What moderation refuses."""

from market.errors import MarketError


class TooManyReports(MarketError):
    """The person has reported as much today as one may."""

    status_code = 429

    def __init__(self, limit: int) -> None:
        super().__init__(f"You have sent {limit} reports within a day: a moderator reads those first.")


class CaseMoved(MarketError):
    """The case does not stand where this could be done to it."""

    status_code = 409

    def __init__(self, status: str) -> None:
        super().__init__(f"This case is {status} by now: read it again before you decide.")


class TooLate(MarketError):
    """The time for a counter-notice is over."""

    status_code = 409

    def __init__(self) -> None:
        super().__init__("The time for a counter-notice in this case is over.")


class NotTheAccused(MarketError):
    """Only the account that made the subject may answer."""

    status_code = 403

    def __init__(self) -> None:
        super().__init__("Only the account that this case is about can answer it.")


class WordKnown(MarketError):
    """The word is refused already."""

    status_code = 409

    def __init__(self, word: str) -> None:
        super().__init__(f"“{word}” is on this list already.")


class TooManyWords(MarketError):
    """The list is full."""

    status_code = 409

    def __init__(self, limit: int) -> None:
        super().__init__(f"This list has {limit} words, which is as many as it can have.")


class OwnCase(MarketError):
    """Nobody judges what they made themselves."""

    status_code = 403

    def __init__(self) -> None:
        super().__init__("This case is about something of yours: another moderator has to decide it.")
