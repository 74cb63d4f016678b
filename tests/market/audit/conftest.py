"""The people of moderation look at the log, too."""

from tests.market.moderation.conftest import market

__all__ = ["market"]
