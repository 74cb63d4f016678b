"""The fold: what happened to loops becomes their counts and scores, every minute.

Whatever happens is written as a row of its own (a play, a favourite, a licence, a download), so that nobody waits at a
counter of a loop that everybody listens to. The fold takes the rows that it has not seen, notes the loops that they are
about, and works out the standing of those loops anew from all of their rows. So it may run twice, be killed, or meet
another process's fold: what is committed was counted once, and the rest is still there.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from market.community import repository, score
from market.community.score import CHARTS, POPULARITY, Points
from market.db import Database
from market.search import service as search

FOLD_EVERY = timedelta(minutes=1)
# Of each kind in one transaction, for which all other writers wait on SQLite.
AT_ONCE = 200
PLAYS_AT_ONCE = 1000
# What differs by less (2 % of the points) does not move a loop in a search, and is not told.
TOLD_STEP = 0.03
# 2 to this power is a float still; a new loop's points come so far in forty years.
LARGEST = 1000.0
# A row carries the time at which its transaction began to write, and is seen when that has ended.
SETTLED = timedelta(minutes=1)
# Plays are told apart by day, and a day is over when its last transaction is.
PLAYS_KEPT = timedelta(days=1)


@dataclass
class _Tally:
    """What the rows about one loop say."""

    plays: int = 0
    favourites: int = 0
    licences: int = 0
    downloads: int = 0
    ratings: int = 0
    stars: int = 0
    points: dict[date, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def earned(self) -> list[Points]:
        return [Points(day, points) for day, points in self.points.items() if points > 0]


async def fold_all(database: Database, now: datetime) -> int:
    """Fold until there is nothing left to do; how many loops were worked out."""
    total = 0
    while True:
        async with database.write() as session:
            worked = await fold(session, now)
        if not worked:
            return total
        total += worked


async def fold(session: AsyncSession, now: datetime) -> int:
    """Bring standings up to what happened; how many loops were worked out. 0 means that there is nothing left to do.

    To be called again and again, each time in a transaction of its own; one process at a time does something.
    """
    if not await repository.try_lock(session, "community fold"):
        return 0
    touched = await _take_plays(session, now)
    touched |= await repository.take_touched(session, AT_ONCE)
    for log in repository.LOGS:
        touched |= set(await repository.take_logged(session, log, now - SETTLED, AT_ONCE))
    await _work_out(session, sorted(touched), now)
    return len(touched)


async def _take_plays(session: AsyncSession, now: datetime) -> set[str]:
    plays = Counter(await repository.take_plays(session, PLAYS_AT_ONCE))
    loops = await repository.known(session, {loop_id for loop_id, _ in plays})
    counted = {(loop_id, day): number for (loop_id, day), number in plays.items() if loop_id in loops}
    if counted:
        await repository.add_plays(session, counted)
    await repository.forget_plays(session, now.astimezone(UTC).date() - PLAYS_KEPT)
    return loops


async def _work_out(session: AsyncSession, loop_ids: list[str], now: datetime) -> None:
    tallies = await _tally(session, await repository.published_on(session, loop_ids))
    before = await repository.standings(session, tallies)
    rows = []
    for loop_id, tally in sorted(tallies.items()):
        row, known = _standing(loop_id, tally, now), before.get(loop_id)
        popularity, ratings = score.earnings(POPULARITY, tally.earned), (tally.ratings, tally.stars)
        if (
            known is None
            or ratings != (known.ratings, known.stars)
            or abs(popularity - known.told) >= TOLD_STEP
        ):
            mean = tally.stars / tally.ratings if tally.ratings else 0.0
            await search.rescore(session, loop_id, 2.0 ** min(popularity, LARGEST), mean, tally.ratings)
            rows.append(row | {"told": popularity})
        else:
            rows.append(row | {"told": known.told})
    if rows:
        await repository.put_standings(session, rows)


async def _tally(session: AsyncSession, published: Mapping[str, date]) -> dict[str, _Tally]:
    loop_ids = list(published)
    tallies = {loop_id: _Tally() for loop_id in loop_ids}
    for loop_id, day in published.items():
        tallies[loop_id].points[day] += score.PUBLISHED
    for loop_id, day, plays in await repository.plays_by_day(session, loop_ids):
        tallies[loop_id].plays += plays
        tallies[loop_id].points[day] += plays * score.PLAYED
    for loop_id, day, number, own in await repository.favourites_by_day(session, loop_ids):
        tallies[loop_id].favourites += number
        tallies[loop_id].points[day] += (number - own) * score.FAVOURED
    for loop_id, day, paid, own, number in await repository.licences_by_day(session, loop_ids):
        tallies[loop_id].licences += number
        if not own:
            tallies[loop_id].points[day] += number * (score.LICENSED if paid else score.LICENSED_FREE)
    for loop_id, number in await repository.downloads(session, loop_ids):
        tallies[loop_id].downloads = number
    for loop_id, number, stars in await repository.stars(session, loop_ids):
        tallies[loop_id].ratings, tallies[loop_id].stars = number, stars
    return tallies


def _standing(loop_id: str, tally: _Tally, now: datetime) -> dict[str, Any]:
    earned = tally.earned
    scores = {f"score_{chart}": score.score(chart, earned, tally.ratings, tally.stars) for chart in CHARTS}
    return {
        "loop_id": loop_id,
        "plays": tally.plays,
        "downloads": tally.downloads,
        "favourites": tally.favourites,
        "licences": tally.licences,
        "ratings": tally.ratings,
        "stars": tally.stars,
        **scores,
        "active_on": max(each.day for each in earned),
        "folded_at": now,
    }
