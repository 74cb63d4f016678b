"""A loop on the market, who made it, who licensed it, and a browser for links."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from market.db import Database
from market.models import Download
from market.settings import Settings
from tests.conftest import until
from tests.market.conftest import count
from tests.market.licensing.conftest import Market, Person, market

__all__ = ["Market", "Person", "market"]

FORMATS = ("wav", "flac", "mp3", "ogg", "opus")


class Shop:
    """Places links over HTTP and looks at what is written down about their use."""

    def __init__(
        self, http: httpx.AsyncClient, database: Database, settings: Settings, market: Market
    ) -> None:
        self.http, self.database, self.settings, self.market = http, database, settings, market

    async def place(self, format_: str = "wav", by: Person | None = None, **body: Any) -> httpx.Response:
        """Ask for a link as the licensee, or as somebody else."""
        return await self.http.post(
            f"/v1/loops/{self.market.loop.id}/downloads",
            json={"format": format_, **body},
            headers=(by or self.market.ada).headers,
        )

    async def link(self, format_: str = "wav", by: Person | None = None, **body: Any) -> str:
        placed = await self.place(format_, by, **body)
        assert placed.status_code == 201, placed.text
        url: str = placed.json()["url"]
        return url

    async def rows(self) -> list[Download]:
        import sqlalchemy as sa

        async with self.database.read() as session:
            return list(await session.scalars(sa.select(Download).order_by(Download.started_at)))

    async def row(self, bytes_sent: int) -> Download:
        """The only download, once it tells that so much was sent."""
        [found] = await until(self.rows, lambda rows: rows[0].bytes_sent >= bytes_sent, within=30)
        assert found.bytes_sent == bytes_sent
        return found

    async def downloads(self) -> int:
        return await count(self.database, Download)

    def files(self) -> set[str]:
        """Everything in the storage."""
        from pathlib import Path

        place = Path(self.settings.storage_url)
        return {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}


@pytest.fixture
def shop(http: httpx.AsyncClient, database: Database, settings: Settings, market: Market) -> Shop:
    return Shop(http, database, settings, market)


Sealed = Callable[[list[object]], str]


@pytest.fixture
def sealed(settings: Settings) -> Sealed:
    """Seals any payload as a link of this market would be."""
    from itsdangerous import URLSafeSerializer

    return lambda payload: str(URLSafeSerializer(settings.signing_key, salt="download").dumps(payload))
