"""The cells of the inverted file: a sphere cut into parts, each with a middle, so that near embeddings share a cell.

Follows Sivic and Zisserman, "Video Google" (2003), and Jégou, Douze and Schmid, "Product quantization" (2011), without
the quantizer: 64 int8 are small enough to be compared as they are. market.search.training makes the middles.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncSession

from market.search import repository

DIMENSIONS = 64
CELLS = 1024
SHIPPED = Path(__file__).with_name("cells.npz")
# Loops without an embedding are counted in a cell of their own.
UNHEARD = -1
RECORD = np.dtype([("seq", ">i8"), ("embedding", "i1", DIMENSIONS)])
Vectors = NDArray[np.float32]


@lru_cache(1)
def shipped() -> Vectors:
    """(cells, 64): the middles that come with this version."""
    with np.load(SHIPPED) as file:
        return unit(file["centroids"])


async def middles(session: AsyncSession, *, held: bool = False) -> Vectors:
    """(cells, 64): the middles in force, `held` so until the end of the transaction."""
    trained = await repository.codebook(session, held)
    return shipped() if trained is None else vectors_of(trained)


def vectors_of(embeddings: bytes) -> Vectors:
    """(n, 64) unit vectors of int8 embeddings end to end."""
    return unit(np.frombuffer(embeddings, np.int8).reshape(-1, DIMENSIONS))


def embedding_of(vector: NDArray[np.floating]) -> bytes:
    """A vector as a listing keeps it: of unit length, times 127, as 64 int8."""
    unit = np.asarray(vector, np.float64) / max(float(np.linalg.norm(vector)), 1e-9)
    return np.rint(unit * 127).astype(np.int8).tobytes()


def cell_of(middles: Vectors, embedding: bytes | None) -> int:
    """The cell that an embedding falls into; UNHEARD for none."""
    if embedding is None:
        return UNHEARD
    return int((middles @ vectors_of(embedding)[0]).argmax())


def nearest(middles: Vectors, vector: Vectors, counts: Mapping[int, int], enough: int) -> list[int]:
    """The cells nearest to a vector that hold at least `enough` loops together."""
    chosen, held = [], 0
    for cell in np.argsort(-(middles @ vector), kind="stable").tolist():
        if counts.get(cell, 0) > 0:
            chosen.append(cell)
            held += counts[cell]
            if held >= enough:
                break
    return chosen


def unit(vectors: NDArray[np.generic]) -> Vectors:
    """The same vectors with length 1."""
    rows = np.asarray(vectors, np.float32)
    lengths: Vectors = np.linalg.norm(rows, axis=1, keepdims=True).astype(np.float32)
    return (rows / np.maximum(lengths, 1e-9)).astype(np.float32)
