"""Every table of the market, for Alembic and for whoever needs the relations between them resolved."""

from market.catalog.models import Loop
from market.studio.models import RiffEvent, RiffOrder, Source, WorkerBeat

__all__ = ["Loop", "RiffEvent", "RiffOrder", "Source", "WorkerBeat"]
