"""The rules of the charts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from generation.fields import quoted
from market import cursor as cursors
from market.catalog import vocabulary
from market.community import repository
from market.community import service as community
from market.community.score import DAYS, Chart
from market.community.service import Page, Shown
from market.errors import NotFound

GENRES = 24
# Further down nobody looks, and places would have to be counted from the top.
LENGTH = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """A loop's place, from 1, in a chart."""

    place: int
    score: float
    shown: Shown


async def chart(
    session: AsyncSession,
    name: Chart,
    now: datetime,
    *,
    genre: str | None = None,
    limit: int = 20,
    cursor: str | None = None,
) -> Page[Entry]:
    """The loops that people like most, as of the last fold. Raises InvalidRequest for a cursor that is not ours."""
    place, before = 0, None
    if cursor is not None:
        score, key = cursors.read(cursor)
        loop_id, _, reached = key.rpartition(".")
        if not loop_id or not reached.isdigit():
            raise cursors.foreign()
        place, before = min(int(reached), LENGTH), (score, loop_id)
    limit = min(limit, LENGTH - place)
    found = await repository.chart(session, name, since(name, now), genre, limit + 1, before)
    page, rest = found[:limit], found[limit:]
    shown = await community.show(session, [(loop, listing) for loop, listing, _ in page])
    entries = [
        Entry(place + at, repository.score_of(standing, name), one)
        for at, (one, (_, _, standing)) in enumerate(zip(shown, page, strict=True), 1)
    ]
    if not rest or not entries or entries[-1].place >= LENGTH:
        return Page(entries, None)
    last = entries[-1]
    return Page(entries, cursors.write(last.score, f"{last.shown.loop.id}.{last.place}"))


async def genres(session: AsyncSession, name: Chart) -> Sequence[str]:
    """The genres that a chart is offered for: those of its first loops."""
    return await repository.chart_genres(session, name, LENGTH, GENRES)


def genre_of(name: str | None) -> str | None:
    """The genre that people call by a name; the name itself where we know none, of which there are no loops."""
    if name is None or not name.strip():
        return None
    known = vocabulary.canonical(name)
    return known[1] if known is not None and known[0] == "genre" else name


def genre_called(name: str) -> str:
    """The genre that people call by a name. Raises NotFound."""
    known = vocabulary.canonical(name)
    if known is None or known[0] != "genre":
        raise NotFound("genre", quoted(name))
    return known[1]


def since(name: Chart, now: datetime) -> date | None:
    """Whoever earned nothing since this day is not in a chart; None for the one of all times."""
    days = DAYS[name]
    return None if days is None else now.astimezone(UTC).date() - timedelta(days=days)
