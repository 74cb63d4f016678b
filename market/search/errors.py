"""What the search refuses."""

from market.errors import MarketError


class NotHeard(MarketError):
    """A loop has no embedding to compare by."""

    status_code = 409

    def __init__(self, loop_id: str) -> None:
        super().__init__(
            f"Loop {loop_id} was published before loops were listened to: there is nothing to compare by."
        )


class ForeignCursor(MarketError):
    """A cursor is none of ours, or belongs to another search."""

    status_code = 422

    def __init__(self) -> None:
        super().__init__(
            "This cursor is not one of this search: take next_cursor as it came, with the same question."
        )
