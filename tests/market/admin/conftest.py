"""The people of moderation open the tables."""

from tests.market.moderation.conftest import market

__all__ = ["market"]
