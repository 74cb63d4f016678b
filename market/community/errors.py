"""What the community refuses."""

from market.errors import MarketError


class OwnLoop(MarketError):
    """Nobody judges their own work here."""

    status_code = 403

    def __init__(self) -> None:
        super().__init__("This loop is your own: others rate it.")


class LicenceNeeded(MarketError):
    """Ratings come from people who use the loop."""

    status_code = 403

    def __init__(self) -> None:
        super().__init__(
            "Only holders of a licence for this loop can rate it: take one first, the free one will do."
        )


class NotYourCollection(MarketError):
    """A public collection that belongs to somebody else."""

    status_code = 403

    def __init__(self) -> None:
        super().__init__("This collection belongs to somebody else: only they can change it.")


class CollectionTakenDown(MarketError):
    """A collection that moderators have taken down is not shown again by whoever made it."""

    status_code = 409

    def __init__(self) -> None:
        super().__init__(
            "Moderators have taken this collection down: its case, at /cases, says why and until when."
        )


class TooManyFavourites(MarketError):
    """As many favourites as one account can have."""

    status_code = 409

    def __init__(self, limit: int) -> None:
        super().__init__(f"You have {limit} favourites already: let go of one first.")


class TooManyCollections(MarketError):
    """As many collections as one account can have."""

    status_code = 409

    def __init__(self, limit: int) -> None:
        super().__init__(f"You have {limit} collections already: delete one first.")


class CollectionFull(MarketError):
    """As many loops as one collection can have."""

    status_code = 409

    def __init__(self, limit: int) -> None:
        super().__init__(f"This collection has {limit} loops already: begin another one.")
