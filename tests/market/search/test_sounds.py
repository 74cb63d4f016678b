"""What sounds alike, and what goes together."""

import numpy as np
import pytest

from market.db import Database
from market.errors import NotFound
from market.search import cells, seed, training
from market.search import service as search
from market.search.errors import NotHeard
from market.search.service import Limits
from market.settings import Settings
from tests.market.search.conftest import document, ids_of, put


def vector(*parts: float) -> bytes:
    return cells.embedding_of(np.array(parts + (0.0,) * (64 - len(parts))))


def test_cells_are_trained_the_same_way_every_time() -> None:
    random = np.random.default_rng(3)
    vectors = cells.vectors_of(random.integers(-127, 128, (500, 64), np.int8).tobytes())
    trained = training.train(vectors, cells=16, rounds=4)
    assert trained.shape == (16, 64)
    assert np.array_equal(trained, training.train(vectors, cells=16, rounds=4))
    middles = cells.vectors_of(trained.tobytes())
    assert len(np.unique((vectors @ middles.T).argmax(1))) == 16
    assert cells.shipped().shape == (cells.CELLS, 64)
    np.testing.assert_allclose(np.linalg.norm(cells.shipped(), axis=1), 1, rtol=1e-5)


def test_as_many_cells_are_looked_into_as_hold_enough() -> None:
    middles = cells.vectors_of(np.eye(64, dtype=np.int8)[:4].tobytes())
    counts = {0: 10, 1: 5, 2: 0, 3: 20, -1: 99}
    near_second = cells.vectors_of(vector(0.5, 1.0, 0.2, 0.1))[0]
    assert cells.nearest(middles, near_second, counts, 1) == [1]
    assert cells.nearest(middles, near_second, counts, 6) == [1, 0]
    assert cells.nearest(middles, near_second, counts, 1000) == [1, 0, 3]
    assert cells.nearest(middles, near_second, {}, 10) == []


async def test_the_nearest_come_first(database: Database) -> None:
    loops = [document(number, embedding=vector(1, 0.1 * number)) for number in range(6)]
    opposite, unheard = document(7, embedding=vector(-1, 0.5)), document(8)
    await put(database, *loops, opposite, unheard)
    async with database.read() as session:
        near = await search.similar(session, loops[2].loop_id, limit=4)
        assert {one.loop_id for one in near[:2]} == {loops[1].loop_id, loops[3].loop_id}
        assert [one.similarity for one in near] == sorted((one.similarity for one in near), reverse=True)
        assert near[0].similarity == pytest.approx(0.995, abs=0.005)
        everything = await search.similar_to(session, cells.vectors_of(vector(1))[0], limit=50)
        assert [one.loop_id for one in everything] == ids_of([*loops, opposite])
        with pytest.raises(NotHeard, match="listened"):
            await search.similar(session, unheard.loop_id)
        for nothing in ("0" * 24 + "-0", "\x00", "'; DROP TABLE loop", "ü"):
            with pytest.raises(NotFound):
                await search.similar(session, nothing)


async def test_the_cells_find_what_comparing_with_all_finds(database: Database, settings: Settings) -> None:
    seed.seed(settings, 2000)
    vectors = cells.vectors_of(
        seed.Inventor(0, 40).vectors(0, list(seed.Inventor(0, 40).loops(0, 2000))).tobytes()
    )
    limits = Limits(candidates=200)

    async def recall() -> float:
        hits = 0
        for at in range(0, 2000, 100):
            best = np.argsort(-(vectors @ vectors[at]), kind="stable")[:10]
            expected = {seed.loop_id(0, int(index)) for index in best}
            async with database.read() as session:
                near = await search.similar_to(session, vectors[at], limit=10, limits=limits)
            hits += len(expected & {one.loop_id for one in near})
        return hits / 200

    # A tenth of all is looked at.
    assert await recall() > 0.8
    async with database.write() as session:
        assert await training.retrain(session) == 2000
    assert await recall() > 0.8


async def test_what_goes_with_a_loop_is_on_its_grid_and_in_a_key_that_fits(database: Database) -> None:
    one = document(0, bpm=120.0, key="Am", instruments=("piano",), embedding=vector(1))
    fits = [
        document(1, bpm=120.5, key="C", instruments=("bass",), embedding=vector(1, 0.5)),
        document(2, bpm=60.0, key="Em", instruments=("strings",), embedding=vector(1, 2)),
        document(3, bpm=240.0, key=None, instruments=("drum kit",)),
        document(4, bpm=119.0, key="Dm", instruments=("piano",), embedding=vector(1, 0.1)),
    ]
    others = [
        document(5, bpm=123.0, key="Am"),
        document(6, bpm=120.0, key="F#m"),
        document(7, bpm=120.0, key="Am", metre="3/4"),
        document(8, bpm=120.0, key="Am", kind="song"),
        document(9, bpm=180.0, key="Am"),
    ]
    await put(database, one, *fits, *others)
    async with database.read() as session:
        assert await search.goes_with(session, one.loop_id) == ids_of(fits)
        assert await search.goes_with(session, one.loop_id, limit=2) == ids_of(fits[:2])
        with pytest.raises(NotFound):
            await search.goes_with(session, "nobody")
