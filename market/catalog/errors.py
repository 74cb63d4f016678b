"""What the catalog refuses."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from market.errors import MarketError

if TYPE_CHECKING:
    from market.catalog.gate import Check


class NotYourLoop(MarketError):
    """Only who made a loop offers it."""

    status_code = 403

    def __init__(self) -> None:
        super().__init__("This loop was made by somebody else: only they can offer it.")


class NotYoursToDelete(MarketError):
    """Only who made a riff deletes it."""

    status_code = 403

    def __init__(self) -> None:
        super().__init__("This riff was made for somebody else: only they can delete it.")


class LicenceNeeded(MarketError):
    """The loop is for sale: its files are for whoever holds a licence."""

    status_code = 403

    def __init__(self, loop_id: str) -> None:
        super().__init__(
            f"This loop is for sale: hear it at /v1/loops/{loop_id}/preview, and license it at /loops/{loop_id}."
        )


class LoopRemoved(MarketError):
    """A moderator has taken the loop down."""

    status_code = 410

    def __init__(self) -> None:
        super().__init__("This loop was taken down.")


class ListingChanged(MarketError):
    """Somebody else's change came first."""

    status_code = 412

    def __init__(self) -> None:
        super().__init__("This listing has changed since you read it: read it again, then change it.")


class HeldExclusively(MarketError):
    """Who holds a loop exclusively was promised that nobody else gets it."""

    status_code = 409

    def __init__(self) -> None:
        super().__init__("Somebody holds this loop exclusively: it cannot be offered again.")


class GateRefused(MarketError):
    """The loop is not fit for sale as it is; `checks` are all that were made."""

    status_code = 422

    def __init__(self, checks: Sequence["Check"]) -> None:
        super().__init__(
            "It cannot be published. " + " ".join(each.sentence for each in checks if each.refuses)
        )
        self.checks = checks
