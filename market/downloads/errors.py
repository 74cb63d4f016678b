"""What downloads refuse."""

from market.errors import MarketError


class LinkForged(MarketError):
    """A link that this market did not make."""

    status_code = 403

    def __init__(self) -> None:
        super().__init__("This link is not one of ours, or was changed: make a new one on the loop's page.")


class LinkExpired(MarketError):
    """The link's time is over."""

    status_code = 410

    def __init__(self) -> None:
        super().__init__("This link has expired: make a new one on the loop's page.")


class LinkDead(MarketError):
    """What the link stood on is gone."""

    status_code = 410

    def __init__(self) -> None:
        super().__init__(
            "This link opens nothing any more: the licence was revoked or the loop was taken down."
        )


class TooLarge(MarketError):
    """The parts do not fit into a ZIP without the ZIP64 extension."""

    status_code = 422

    def __init__(self) -> None:
        super().__init__("This is too much for one ZIP: take the files one by one.")
