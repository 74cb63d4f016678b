"""What is written for a loop, and that it is taken back whole."""

import asyncio
from dataclasses import replace

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as tries
from hypothesis import strategies as st

from market.db import Database
from market.models import (
    SearchCell,
    SearchEntry,
    SearchSample,
    SearchSpelling,
    SearchValue,
    SearchVector,
    SearchWord,
)
from market.search import service as search
from market.search.query import Query
from tests.market.conftest import count
from tests.market.search.conftest import MANY, document, found, ids_of, put

TABLES = (SearchEntry, SearchSample, SearchVector, SearchWord, SearchSpelling, SearchValue)
VECTOR = bytes([127] + [0] * 63)
FULL = document(
    1,
    title="Warm bells",
    description="rain on a window",
    prompt="church bells",
    genres=("ambient",),
    moods=("warm",),
    instruments=("church bells",),
    tags=("night",),
    embedding=VECTOR,
    popularity=12.0,
    rating=4.0,
    rating_count=3,
)


async def everything(database: Database) -> list[object]:
    """All rows of the search."""
    async with database.read() as session:
        tables = [SearchCell.__table__, *(table.__table__ for table in TABLES)]
        rows = [(table.name, (await session.execute(sa.select(table))).all()) for table in tables]
    return [(name, sorted(map(repr, found))) for name, found in rows]


async def test_a_loop_is_found_from_the_commit_on_and_not_before(database: Database) -> None:
    before = await everything(database)
    async with database.write() as session:
        await search.put(session, FULL)
        assert (await search.search(session, Query(text="bells"))).loop_ids == [FULL.loop_id]
        await session.rollback()
    assert await everything(database) == before
    await put(database, FULL)
    assert await found(database, text="bells") == [FULL.loop_id]


async def test_the_same_again_changes_nothing(database: Database) -> None:
    await put(database, FULL, document(2, title="Warm bells", embedding=VECTOR))
    before = await everything(database)
    await put(database, FULL)
    await put(database, FULL)
    assert await everything(database) == before


async def test_a_changed_loop_is_found_as_it_is_now(database: Database) -> None:
    await put(database, FULL)
    changed = replace(
        FULL, title="Cold drums", prompt="", instruments=("drum kit",), moods=(), embedding=None, bpm=90.0
    )
    await put(database, changed)
    for gone in (
        {"text": "bells"},
        {"moods": ("warm",)},
        {"instruments": ("church bells",)},
        {"bpm_min": 119.0},
    ):
        assert await found(database, literal=True, **gone) == []
    for now in ({"text": "cold drums"}, {"instruments": ("drum kit",)}, {"bpm_max": 91.0}, {"text": "rain"}):
        assert await found(database, **now) == [FULL.loop_id]
    assert await count(database, SearchVector) == 0
    async with database.read() as session:
        words = set(await session.scalars(sa.select(SearchWord.word)))
        assert words == {"cold", "drums", "drum", "kit", "rain", "window", "ambient", "night"}
        assert await session.scalar(sa.select(sa.func.sum(SearchCell.loops))) == 1


async def test_what_is_dropped_leaves_nothing_behind(database: Database) -> None:
    loops = [replace(FULL, loop_id=document(number).loop_id) for number in range(40)]
    await put(database, *loops)
    assert await count(database, SearchSample) == sum(search.in_sample(one.loop_id) for one in loops) > 0
    for one in loops:
        async with database.write() as session:
            await search.drop(session, one.loop_id)
            await search.drop(session, one.loop_id)
    for table in (SearchEntry, SearchSample, SearchVector, SearchWord, SearchSpelling):
        assert await count(database, table) == 0, table
    async with database.read() as session:
        assert await session.scalar(sa.select(sa.func.sum(SearchCell.loops))) == 0
        assert await session.scalar(sa.select(sa.func.sum(SearchValue.loops))) == 0
        assert await search.suggest(session, "am") == []
    assert await found(database) == []


async def test_how_a_loop_is_liked_orders_it(database: Database) -> None:
    loops = [document(number) for number in range(3)]
    await put(database, *loops)
    assert await found(database) == ids_of(reversed(loops))
    async with database.write() as session:
        await search.rescore(session, loops[1].loop_id, 500.0, 0.0, 0)
        await search.rescore(session, loops[0].loop_id, 2.0, 5.0, 40)
        await search.rescore(session, "not known", 1.0, 1.0, 1)
    assert (await found(database))[0] == loops[1].loop_id
    assert (await found(database, sort="popular"))[:2] == ids_of([loops[1], loops[0]])
    assert (await found(database, sort="rating"))[0] == loops[0].loop_id
    # An edit says nothing of how a loop is liked.
    await put(database, replace(loops[1], title="Other"))
    assert (await found(database, text="other", sort="popular")) == [loops[1].loop_id]
    assert (await found(database))[0] == loops[1].loop_id


async def test_a_change_that_orders_nothing_is_not_written(database: Database) -> None:
    await put(database, document(0, popularity=1000.0))
    before = await everything(database)
    async with database.write() as session:
        await search.rescore(session, document(0).loop_id, 1001.0, 0.0, 0)
    assert await everything(database) == before


async def test_many_publish_at_once(database: Database) -> None:
    """All touch the same words, values and cell, in other orders: nobody waits for ever, and nothing is lost."""
    loops = [
        document(
            number,
            title=" ".join(("bells", "rain", "warm", "night", "drum")[turn:] + ("bells", "rain")[:turn]),
            embedding=VECTOR,
        )
        for number in range(12)
        for turn in [number % 3]
    ]
    await asyncio.gather(*(put(database, one) for one in loops))
    assert set(await found(database, text="bells")) == set(ids_of(loops))
    async with database.read() as session:
        assert await session.scalar(sa.select(sa.func.sum(SearchCell.loops))) == 12
        # A word that two transactions write for the first time is counted by one of them.
        loops_of = await session.scalar(sa.select(SearchWord.loops).where(SearchWord.word == "bells"))
        assert loops_of is not None
        assert 4 <= loops_of <= 12


TEXTS = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="'\"()*:^-+|&!<>%_\\\x00; ", max_size=40),
    st.sampled_from([
        "'; DROP TABLE search_entry; --", '" OR 1=1', "NEAR(a b, 2)", "words : bells", "a AND NOT b OR", "bells*",
        "{words} : bells", "p=bell", "g=ambient", "'bell':*A & !x", "%bell%", "<script>alert(1)</script>", "\ud800",
        "bell\x00bell", "🎹" * 100, "a" * 10_000, "bells " * 2000, "\u202ebells", "१२३ ベル", "ſ", "İstanbul",
    ]),
)  # fmt: skip


@given(text=TEXTS, facet=TEXTS)
@tries(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
async def test_no_text_is_an_error(database: Database, text: str, facet: str) -> None:
    await put(database, FULL)
    before = await count(database, SearchEntry)
    query = Query(
        text=text, genres=(facet,), tags=(facet,), creators=(facet,), metres=(facet,), kinds=(facet,)
    )
    for asked in (Query(text=text), Query(text=text, literal=True, sort="new"), query):
        async with database.read() as session:
            for limits in (search.LIMITS, MANY):
                await search.search(session, asked, limits=limits)
                await search.facet_counts(session, asked, limits=limits)
            await search.suggest(session, text)
    assert await count(database, SearchEntry) == before == 1


@given(text=TEXTS, tag=TEXTS)
@tries(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
async def test_whatever_is_published_is_found_and_forgotten(database: Database, text: str, tag: str) -> None:
    one = replace(FULL, title=text, description=text, tags=(tag,), genres=(tag,), creator_handle=tag)
    await put(database, one)
    assert await found(database, genres=(tag,)) == [one.loop_id]
    async with database.write() as session:
        await search.drop(session, one.loop_id)
    assert await count(database, SearchWord) == 0


@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
async def test_without_trigrams_one_wrong_letter_is_still_understood(database: Database) -> None:
    await put(database, document(0, title="Saxophone"))
    async with database.write() as session:
        await session.execute(sa.text("DROP EXTENSION pg_trgm CASCADE"))
    assert await found(database, text="saxophne") == [document(0).loop_id]
    assert await found(database, text="saxaphne") == []
