"""Scores, the fold, and the charts that come of it."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from math import log2

import httpx
import pytest

from market.catalog import service as catalog
from market.catalog.models import Listing, ListingStatus
from market.community import repository, score
from market.community.folding import fold_all
from market.community.models import Standing
from market.community.score import EPOCH, Points
from market.db import Database
from market.licensing import service as licensing
from tests.conftest import StartWorker, until
from tests.market.community.conftest import (
    Person,
    Publish,
    Somebody,
    licence,
    snapshot,
)


def test_a_point_halves_in_each_half_life() -> None:
    start, later = Points(EPOCH, 8), Points(EPOCH + timedelta(days=7), 8)
    assert score.score("week", [start], 0, 0) == 3.0
    # Two half-lives later the same is worth four times as much: 2 in the logarithm.
    assert score.score("week", [later], 0, 0) == 5.0
    assert score.score("week", [start, later], 0, 0) == pytest.approx(log2(8 + 32))
    assert score.score("all", [start, later], 0, 0) == 4.0


def test_scores_do_not_overflow() -> None:
    far = Points(date(2126, 1, 1), 1)
    assert score.score("day", [Points(EPOCH, 1), far], 0, 0) == pytest.approx((far.day - EPOCH).days / 0.5)


def test_few_ratings_move_little() -> None:
    assert score.bayesian_mean(0, 0) == 3.5
    assert score.bayesian_mean(1, 5) == 3.75
    assert score.bayesian_mean(1000, 5000) == pytest.approx(4.99, abs=0.01)
    plain = score.score("all", [Points(EPOCH, 8)], 0, 0)
    assert score.score("all", [Points(EPOCH, 8)], 1000, 5000) == pytest.approx(
        plain + 2 * log2(5 / 3.5), abs=0.01
    )


async def listen(database: Database, loop_id: str, plays: int, day: datetime) -> None:
    async with database.write() as session:
        for number in range(plays):
            values = {"day": day.date(), "loop_id": loop_id, "listener": f"{number}", "place": "p"}
            await repository.add_play(session, values | {"newcomer": False})


async def test_charts_go_by_what_happened_lately(
    ana: Person, publish: Publish, database: Database, http: httpx.AsyncClient
) -> None:
    now = datetime.now(UTC)
    old = now - timedelta(days=60)
    evergreen = await publish(ana, "Evergreen", at=old, genres=("house",))
    fresh = await publish(ana, "Fresh", at=old, genres=("techno",))
    quiet = await publish(ana, "Quiet", at=old)
    hidden = await publish(ana, "Hidden", at=old)
    await listen(database, evergreen.id, 300, now - timedelta(days=20))
    await listen(database, fresh.id, 5, now)
    await listen(database, hidden.id, 50, now)
    async with database.write() as session:
        (await session.get_one(Listing, hidden.id)).status = ListingStatus.DELISTED
    await fold_all(database, now)

    async def titles(**params: object) -> list[str]:
        answer = await http.get("/v1/charts", params={name: str(value) for name, value in params.items()})
        assert answer.status_code == 200
        return [entry["loop"]["title"] for entry in answer.json()["entries"]]

    assert await titles(chart="day") == ["Fresh"]
    assert await titles(chart="week") == ["Fresh"]
    assert await titles(chart="month") == ["Evergreen", "Fresh"]
    assert await titles(chart="all") == ["Evergreen", "Fresh", "Quiet"]
    assert await titles(chart="all", genre="house") == ["Evergreen"]
    # As people call it, and what nobody calls anything.
    assert await titles(chart="all", genre="House music") in (["Evergreen"], [])
    assert await titles(chart="all", genre="' OR 1=1 --") == []
    assert (await http.get("/v1/charts", params={"chart": "decade"})).status_code == 422
    assert (await http.get("/v1/charts", params={"genre": "x\x00"})).status_code == 422
    entry = (await http.get("/v1/charts", params={"chart": "all"})).json()["entries"][0]
    assert (entry["place"], entry["loop"]["counts"]["plays"]) == (1, 300)
    assert (await http.get(f"/v1/loops/{quiet.id}/counts")).json()["plays"] == 0


async def test_a_chart_goes_on_where_it_stopped(
    ana: Person, publish: Publish, database: Database, http: httpx.AsyncClient
) -> None:
    at = datetime.now(UTC) - timedelta(hours=1)
    loops = [await publish(ana, f"Loop {number}", at=at) for number in range(5)]
    await fold_all(database, datetime.now(UTC))
    seen: list[tuple[int, str]] = []
    params: dict[str, str] = {"chart": "all", "limit": "2"}
    for _ in range(3):
        page = (await http.get("/v1/charts", params=params)).json()
        seen += [(entry["place"], entry["loop"]["id"]) for entry in page["entries"]]
        params["cursor"] = page["next_cursor"] or ""
    assert [place for place, _ in seen] == [1, 2, 3, 4, 5]
    assert {loop_id for _, loop_id in seen} == {loop.id for loop in loops}
    assert params["cursor"] == ""
    for cursor in ("nonsense", "MSAx", "MS4wIHguOTk5OTk5", ""):
        answer = await http.get("/v1/charts", params={"cursor": cursor})
        assert answer.status_code == 422 or not answer.json()["entries"], cursor


async def test_what_counts_and_what_does_not(
    ana: Person, ben: Person, somebody: Somebody, publish: Publish, database: Database
) -> None:
    cat = await somebody("Cat", ("member",))
    published = datetime.now(UTC) - timedelta(days=3)
    bells = await publish(ana, at=published)
    await ana.http.put(f"/v1/me/favourites/{bells.id}")
    await ben.http.put(f"/v1/me/favourites/{bells.id}")
    await licence(database, bells, ben, cents=900)
    ended = await licence(database, bells, cat)
    await ben.http.put(f"/v1/loops/{bells.id}/rating", json={"stars": 5})
    later = datetime.now(UTC) + timedelta(minutes=2)
    assert await fold_all(database, later) == 1

    async def standing() -> Standing:
        async with database.read() as session:
            return await session.get_one(Standing, bells.id)

    now = await standing()
    assert (now.favourites, now.licences, now.ratings, now.stars) == (2, 2, 1, 5)
    # Published 1, Ben's favourite 5 (Ana's own is none), a paid licence 30, a free one 10.
    assert now.score_all == pytest.approx(log2(46) + 2 * log2(3.75 / 3.5))

    async with database.write() as session:
        await licensing.revoke(session, ended.code, "Asked for", "system")
    await ben.http.delete(f"/v1/me/favourites/{bells.id}")
    assert await fold_all(database, datetime.now(UTC) + timedelta(minutes=2)) == 1
    now = await standing()
    assert (now.favourites, now.licences) == (1, 1)
    assert now.score_all == pytest.approx(log2(31) + 2 * log2(3.75 / 3.5))
    # Nothing more to do, and nothing done.
    before = await snapshot(database)
    assert await fold_all(database, datetime.now(UTC) + timedelta(minutes=2)) == 0
    assert await snapshot(database) == before


async def test_folds_at_once_count_once(ana: Person, publish: Publish, database: Database) -> None:
    loops = [await publish(ana, f"Loop {number}") for number in range(6)]
    now = datetime.now(UTC)
    for loop in loops:
        await listen(database, loop.id, 7, now)
    await asyncio.gather(*(fold_all(database, now) for _ in range(6)))
    await fold_all(database, now)
    async with database.read() as session:
        for loop in loops:
            assert (await session.get_one(Standing, loop.id)).plays == 7


async def test_search_learns_how_loops_are_liked(
    ana: Person, ben: Person, publish: Publish, database: Database, http: httpx.AsyncClient
) -> None:
    loops = [await publish(ana, title) for title in ("Bells", "Drums", "Organ")]
    async with database.write() as session:
        for loop in loops:
            await catalog.set_status(session, loop.id, ListingStatus.PUBLISHED)
    await ben.http.put(f"/v1/me/favourites/{loops[1].id}")
    await fold_all(database, datetime.now(UTC) + timedelta(minutes=2))
    found = (await http.get("/v1/loops", params={"sort": "popular"})).json()
    assert found["loops"][0]["id"] == loops[1].id


async def test_the_page(ana: Person, publish: Publish, database: Database, http: httpx.AsyncClient) -> None:
    assert "Nobody has been heard here" in (await http.get("/charts")).text
    bells = await publish(ana, "<script>alert(1)</script>", genres=("house",))
    await listen(database, bells.id, 1, datetime.now(UTC))
    await fold_all(database, datetime.now(UTC))
    answer = await http.get("/charts", params={"chart": "week", "genre": "house"})
    assert answer.status_code == 200
    assert "&lt;script&gt;alert(1)" in answer.text
    assert "<script>alert" not in answer.text
    assert f'href="/loops/{bells.id}"' in answer.text


async def test_a_worker_folds(ana: Person, publish: Publish, database: Database, worker: StartWorker) -> None:
    bells = await publish(ana)
    await listen(database, bells.id, 3, datetime.now(UTC))
    worker(worker_ttl=2.0)

    async def plays() -> int | None:
        async with database.read() as session:
            standing = await session.get(Standing, bells.id)
            return None if standing is None else standing.plays

    assert await until(plays, lambda found: found is not None) == 3
