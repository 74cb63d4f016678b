"""`python -m market.search.training`: trains the cells on the loops that are here and moves all to their new ones.

Worth its minute from some ten thousand loops on, where fewer than all are compared, and again when there are several
times as many. With `--shipped` it makes the file that comes with this version instead, from sentences about made-up
loops: a distribution to start from, with the spread that embeddings have.
"""

import argparse
import asyncio
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncSession

from generation.embedding import embed_text
from generation.files import write_whole
from market import logs
from market.db import Database
from market.search import repository
from market.search.cells import CELLS, DIMENSIONS, SHIPPED, Vectors, unit, vectors_of
from market.search.seed import Inventor
from market.settings import Settings

SENTENCES = 2000
TRAINED_ON = 100_000


def train(vectors: Vectors, cells: int = CELLS, rounds: int = 12, seed: int = 0) -> NDArray[np.int8]:
    """(cells, 64) int8: spherical k-means (Dhillon and Modha, 2001); an empty cell takes part of the fullest."""
    random = np.random.default_rng(seed)
    middle = vectors[random.choice(len(vectors), cells, replace=len(vectors) < cells)]
    for _ in range(rounds):
        cell = _assigned(vectors, middle)
        counts = np.bincount(cell, minlength=cells)
        sums = np.zeros((cells, DIMENSIONS), np.float32)
        np.add.at(sums, cell, vectors)
        for empty in np.flatnonzero(counts == 0):
            fullest = int(counts.argmax())
            sums[empty] = vectors[random.choice(np.flatnonzero(cell == fullest))]
            counts[fullest] //= 2
        middle = unit(sums)
    return np.rint(middle * 127).astype(np.int8)


async def retrain(session: AsyncSession) -> int:
    """Train middles on loops that are here and move every loop to its new cell; how many loops there are."""
    await repository.hold_cells(session)
    embeddings = dict(await repository.all_embeddings(session))
    if not embeddings:
        return 0
    vectors = vectors_of(b"".join(embeddings.values()))
    random = np.random.default_rng(0)
    chosen = vectors[random.choice(len(vectors), min(TRAINED_ON, len(vectors)), replace=False)]
    centroids = await asyncio.to_thread(train, chosen)
    assigned = await asyncio.to_thread(_assigned, vectors, unit(centroids))
    places = list(zip(embeddings, assigned.tolist(), strict=True))
    await repository.replace_cells(session, centroids.tobytes(), places, embeddings)
    return len(embeddings)


def ship(path: Path = SHIPPED, sentences: int = SENTENCES) -> None:
    """Train middles on vectors with the mean and the covariance of sentences about made-up loops, and write them."""
    loops = Inventor(0, 10).loops(0, sentences)
    heard = np.array([embed_text(f"{loop.prompt}, {loop.title}") for loop in loops])
    random = np.random.default_rng(0)
    spread = random.multivariate_normal(heard.mean(0), np.cov(heard.T), TRAINED_ON // 2)
    with write_whole(path) as file:
        np.savez_compressed(file, centroids=train(unit(spread)))


async def _retrain_here() -> int:
    database = Database(Settings())
    try:
        async with database.write() as session:
            return await retrain(session)
    finally:
        await database.close()


def _assigned(vectors: Vectors, middles: Vectors) -> NDArray[np.intp]:
    parts = [(vectors[first : first + 8192] @ middles.T).argmax(1) for first in range(0, len(vectors), 8192)]
    return np.concatenate(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shipped", action="store_true")
    logs.configure()
    if parser.parse_args().shipped:
        ship()
    else:
        loops = asyncio.run(_retrain_here())
        structlog.stdlib.get_logger(__name__).info("trained new cells", loops=loops, cells=CELLS)


if __name__ == "__main__":
    main()
