"""`python -m market.search.seed --loops N`: fills a fresh database with plausible published loops, for measuring.

The same N and seed give the same loops. They have no audio: their pages say so. Everything else is there, in the
tables of the studio, the catalogue and the search, as if each had been published; it is written in bulk, by COPY on
PostgreSQL.
"""

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from generation.corpus.genres import GENRES
from generation.corpus.instruments import MELODIC
from generation.request import TONICS
from market import models
from market.db import Base, blocking_engine, require_current
from market.errors import MarketError
from market.search import cells, facets, service
from market.search.document import Document
from market.search.models import SearchCell, SearchEntry
from market.search.words import folded, lexeme_of, rests_of, slug_of
from market.settings import Settings

Progress = Callable[[int], None]
CHUNK = 10_000
TAKES = 4
FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 600
_MOODS = (
    "warm", "dark", "dreamy", "happy", "sad", "calm", "energetic", "epic", "mellow", "nostalgic", "tense", "playful",
    "romantic", "mysterious", "uplifting", "melancholic", "groovy", "ethereal", "aggressive", "peaceful",
)  # fmt: skip
_NOUNS = (
    "night", "rain", "morning", "city", "river", "light", "garden", "train", "window", "winter", "summer", "forest",
    "mirror", "harbour", "signal", "desert", "cloud", "street", "island", "garage", "kitchen", "orbit", "satellite",
    "avenue", "lantern", "velvet", "paper", "copper", "ocean", "valley", "museum", "bridge", "tunnel", "balcony",
)  # fmt: skip
_USES = (
    "for vlogs and travel films", "works under a voice", "for a podcast intro", "made for late night streams",
    "for study sessions", "good behind a product demo", "for a game menu", "sits well under dialogue",
)  # fmt: skip
_TAGS = (
    "background",
    "vlog",
    "intro",
    "study",
    "trailer",
    "gaming",
    "podcast",
    "cinematic",
    "vintage",
    "minimal",
)
_SYLLABLES = (
    "ka",
    "ri",
    "mo",
    "lun",
    "ta",
    "vel",
    "so",
    "ner",
    "bi",
    "dor",
    "an",
    "este",
    "mar",
    "quo",
    "zi",
    "pel",
)
# Steep enough that the first few are in a fifth to a third of all loops.
_STEEPNESS = 0.9


class NotEmpty(MarketError):
    """Loops are there already."""

    status_code = 409

    def __init__(self) -> None:
        super().__init__("This database has published loops already: seed a fresh one.")


@dataclass
class Batch:
    """Rows by table."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: str, **values: Any) -> None:
        self.rows.setdefault(table, []).append(values)


@dataclass
class Counts:
    """What is only known when all loops are: words, values and cells, and how many loops each has."""

    words: Counter[str] = field(default_factory=Counter)
    values: Counter[tuple[str, str]] = field(default_factory=Counter)
    labels: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    cells: Counter[int] = field(default_factory=Counter)

    def number(self, kind: str, label: str) -> int:
        """The number of a value, counted once more."""
        name = (kind, slug_of(label if kind != "creator" else label.partition(" ")[0]))
        shown = label if kind != "creator" else label.partition(" ")[2]
        self.values[name] += 1
        return self.labels.setdefault(name, (len(self.labels) + 1, shown))[0]


class Inventor:
    """Makes up loops: the same index is always the same loop."""

    def __init__(self, seed: int, creators: int) -> None:
        self._seed, self._creators = seed, creators
        self._genres = list(GENRES.values())
        self._instruments = [*MELODIC, "drum kit", "sub bass", "finger bass", "synth bass"]
        random = Random(seed)
        random.shuffle(self._genres)
        random.shuffle(self._instruments)
        # What most loops have, most people look for.
        for common in ("drum kit", "strings", "piano"):
            self._instruments.remove(common)
            self._instruments.insert(0, common)
        directions = np.random.default_rng(seed)
        self._directions = {
            name: directions.standard_normal(cells.DIMENSIONS) / 8
            for name in (*(genre.name for genre in self._genres), *_MOODS, *self._instruments)
        }
        self._weights = {
            count: _zipf(count) for count in (len(self._genres), len(self._instruments), creators)
        }

    def loops(self, first: int, last: int) -> Iterator[Document]:
        """The loops from one index to before another."""
        for index in range(first, last):
            yield self._loop(index)

    def _loop(self, index: int) -> Document:
        random = Random(f"{self._seed} {index}")
        genre = self._one(random, self._genres)
        instruments = {self._one(random, self._instruments) for _ in range(random.choice((1, 2, 2, 3, 4)))}
        moods = set(random.sample(_MOODS, random.choice((1, 1, 2, 2, 3))))
        players, feelings = sorted(instruments), sorted(moods)
        player, feeling = random.choice(players), random.choice(feelings)
        name = (
            "".join(random.choices(_SYLLABLES, k=random.choice((2, 3, 3, 4))))
            if random.random() < 0.3
            else ""
        )
        noun, other = random.choice(_NOUNS), random.choice(_NOUNS)
        title = (
            random.choice(
                (
                    f"{feeling} {noun}",
                    f"{noun} {other}",
                    f"{player} {noun}",
                    f"{feeling} {genre.name}",
                    f"{name} {noun}",
                    name,
                )
            )
            .strip()
            .title()
            or noun.title()
        )
        prompt = f"{feeling} {genre.name} with {' and '.join(players)}"
        said = (
            f"{noun} {random.choice(_USES)}, {feeling} {player} over {genre.name}"
            if random.random() < 0.4
            else ""
        )
        minor = random.random() < 0.6
        key = f"{random.choices(TONICS, (9, 2, 7, 3, 6, 7, 3, 8, 3, 9, 3, 4))[0]}{'m' if minor else ''}"
        free, priced = random.random() < 0.25, random.random() < 0.9
        tiers = (
            *(("free",) if free else ()),
            *(("creator", "business", "broadcast")[: random.randint(1, 3)] if priced else ()),
        )
        age = DAYS * random.random() ** 1.5
        popularity = random.paretovariate(1.1) - 1
        votes = int(popularity**0.5) if random.random() < 0.5 else 0
        low, high = genre.bpm
        return Document(
            loop_id=loop_id(self._seed, index),
            title=title[:100],
            description=said,
            prompt=prompt,
            creator_id=_id(
                self._seed, "creator", creator := bisected(self._weights[self._creators], random.random())
            ),
            creator_handle=f"{''.join(Random(creator).choices(_SYLLABLES, k=3))}-{creator}",
            kind=random.choices(("loop", "piece", "song"), (90, 4, 6))[0],
            bpm=float(random.randint(low, high))
            if random.random() < 0.7
            else float(round(random.uniform(low, high) / 10) * 10),
            key=None if random.random() < 0.08 else key,
            bars=random.choices((1, 2, 4, 8, 16), (5, 15, 50, 25, 5))[0],
            metre=random.choice(genre.metres),
            genres=(genre.name,),
            moods=tuple(feelings),
            instruments=tuple(players),
            tags=tuple(sorted(random.sample(_TAGS, random.choice((0, 1, 1, 2, 3))))),
            tiers=tiers or ("creator",),
            price_cents=random.choice((500, 900, 900, 1200, 1900, 2900)) if priced or not free else None,
            free=free,
            has_stems=random.random() < 0.3,
            energy=random.random(),
            brightness=random.random(),
            embedding=None,
            published_at=FIRST_DAY + timedelta(days=DAYS - age),
            popularity=min(popularity, 1e6),
            rating=min(5.0, max(1.0, random.gauss(4, 0.6))) if votes else 0.0,
            rating_count=votes,
        )

    def vectors(self, first: int, documents: Sequence[Document]) -> NDArray[np.int8]:
        """(n, 64) int8: an embedding for each, near those of loops with the same genre, moods and instruments."""
        random = np.random.default_rng((self._seed, first))
        sums = random.standard_normal((len(documents), cells.DIMENSIONS)) * 0.09
        for row, document in enumerate(documents):
            sums[row] += 1.2 * self._directions[document.genres[0]]
            for name in document.moods:
                sums[row] += 0.6 * self._directions[name] / len(document.moods)
            for name in document.instruments:
                sums[row] += self._directions[name] / len(document.instruments)
        sums /= np.linalg.norm(sums, axis=1, keepdims=True)
        return np.rint(sums * 127).astype(np.int8)

    def _one(self, random: Random, things: list[Any]) -> Any:
        return things[bisected(self._weights[len(things)], random.random())]


def seed(settings: Settings, loops: int, number: int = 0, *, progress: Progress | None = None) -> float:
    """Write the loops; the seconds it took, indexes included. Raises NotEmpty and DatabaseOutdated."""
    require_current(settings)
    engine = blocking_engine(settings)
    started = time.monotonic()
    try:
        with engine.connect() as connection:
            if connection.scalar(sa.select(sa.func.count()).select_from(SearchEntry)):
                raise NotEmpty
        indexes = _drop_indexes(engine)
        _write_all(engine, Inventor(number, max(10, loops // 50)), loops, progress)
        _create_indexes(engine, indexes)
        _settle(engine)
    finally:
        engine.dispose()
    return time.monotonic() - started


def bisected(weights: NDArray[np.float64], place: float) -> int:
    """Which of several things a number from 0 to 1 chooses, by their cumulated weights."""
    return int(np.searchsorted(weights, place))


def _write_all(engine: sa.Engine, inventor: Inventor, loops: int, progress: Progress | None) -> None:
    counts = Counts()
    middles = cells.shipped()
    creators = set[str]()
    for first in range(0, loops, CHUNK):
        documents = list(inventor.loops(first, min(first + CHUNK, loops)))
        vectors = inventor.vectors(first, documents)
        placed = (cells.vectors_of(vectors.tobytes()) @ middles.T).argmax(1)
        batch = Batch()
        for at, document in enumerate(documents):
            if document.creator_id not in creators:
                creators.add(document.creator_id)
                _add_account(batch, document)
            _add_loop(batch, document, first + at)
            _add_listing(batch, document, vectors[at].tobytes())
            _add_entry(batch, counts, document, first + at + 1, int(placed[at]), vectors[at].tobytes())
        _write(engine, batch)
        if progress is not None:
            progress(first + len(documents))
    _write(engine, _vocabulary(counts))


def _add_account(batch: Batch, document: Document) -> None:
    batch.add(
        "account",
        id=document.creator_id,
        handle=document.creator_handle,
        name=document.creator_handle.partition("-")[0].title(),
        roles=["member", "creator"],
        created_at=FIRST_DAY,
    )


def _add_loop(batch: Batch, document: Document, index: int) -> None:
    riff_id, _, take = document.loop_id.partition("-")
    request = {"prompt": document.prompt, "bars": document.bars, "bpm": document.bpm, "metre": document.metre}
    request |= {"key": document.key, "seed": index, "takes": TAKES}
    if take == "0":
        batch.add(
            "riff",
            id=riff_id,
            owner=f"account:{document.creator_id}",
            door="seed",
            idempotency_key=f"seed-{riff_id}",
            request=request,
            status="done",
            created_at=document.published_at,
            started_at=document.published_at,
            finished_at=document.published_at,
        )
    beats = {"4/4": 4, "3/4": 3, "6/8": 3}[document.metre]
    seconds = document.bars * beats * 60 / document.bpm
    batch.add(
        "loop",
        id=document.loop_id,
        riff_id=riff_id,
        take=int(take),
        kind=document.kind,
        prompt=document.prompt,
        bpm=document.bpm,
        key=document.key,
        bars=document.bars,
        metre=document.metre,
        seed=index,
        seconds=seconds,
        samples=round(seconds * 44_100),
        sha256=hashlib.sha256(document.loop_id.encode()).hexdigest(),
        model="seeded",
        recipe={"request": request, "model": "seeded"},
        created_at=document.published_at,
        **{part: f"seeded/{document.loop_id}.{part}" for part in ("wav", "mp3", "png", "peaks")},
        pictures={},
        stems={"drums": f"seeded/{document.loop_id}-drums.wav"} if document.has_stems else {},
    )


def _add_listing(batch: Batch, document: Document, embedding: bytes) -> None:
    price = document.price_cents
    paid = [tier for tier in document.tiers if tier != "free"]
    batch.add(
        "listing",
        loop_id=document.loop_id,
        creator_id=document.creator_id,
        status="published",
        title=document.title,
        description=document.description,
        prices={tier: price * 4**at for at, tier in enumerate(paid)} if price is not None else {},
        currency="usd",
        free=document.free,
        tags_edited=False,
        version=1,
        published_at=document.published_at,
        updated_at=document.published_at,
        energy=document.energy,
        brightness=document.brightness,
        analysis={},
        embedding=embedding,
    )
    for kind, values in (
        ("genre", document.genres),
        ("mood", document.moods),
        ("instrument", document.instruments),
        ("tag", document.tags),
    ):
        for value in values:
            batch.add(
                "listing_tag",
                loop_id=document.loop_id,
                kind=kind,
                value=value,
                confidence=1.0,
                origin="recipe",
            )


def _add_entry(
    batch: Batch, counts: Counts, document: Document, seq: int, cell: int, embedding: bytes
) -> None:
    vocabulary = service.vocabulary_of(document)
    counts.words.update({word for words in vocabulary.values() for word in words})
    counts.cells[cell] += 1
    ids = {
        ("creator", document.creator_id): counts.number(
            "creator", f"{document.creator_id} {document.creator_handle}"
        )
    }
    for kind, values in (
        ("genre", document.genres),
        ("mood", document.moods),
        ("instrument", document.instruments),
        ("tag", document.tags),
    ):
        ids |= {(kind, slug_of(value)): counts.number(kind, value) for value in values}
    place = {
        "bpm": document.bpm,
        "price": facets.price_of(document),
        "words": sorted(service.lexemes_of(document, vocabulary)),
        "facets": facets.record_of(document, ids),
    }
    published = round(document.published_at.timestamp() * 1e6)
    liked = service.liked_of(document.popularity, document.rating, document.rating_count, published)
    batch.add(
        "search_entry", seq=seq, loop_id=document.loop_id, cell=cell, published=published, **place, **liked
    )
    if service.in_sample(document.loop_id):
        batch.add("search_sample", seq=seq, **place)
    batch.add("search_vector", cell=cell, seq=seq, embedding=embedding)


def _vocabulary(counts: Counts) -> Batch:
    batch = Batch()
    for number, (word, count) in enumerate(sorted(counts.words.items()), 1):
        batch.add("search_word", id=number, word=word, lexeme=lexeme_of(word), loops=count)
        for rest in sorted(rests_of(word)):
            batch.add("search_spelling", rest=rest, word_id=number)
    for (kind, slug), (number, label) in counts.labels.items():
        batch.add(
            "search_value",
            id=number,
            kind=kind,
            value=slug,
            label=label,
            folded=folded(label),
            loops=counts.values[kind, slug],
        )
    for cell, count in sorted(counts.cells.items()):
        batch.add(SearchCell.__tablename__, cell=cell, loops=count)
    return batch


def _write(engine: sa.Engine, batch: Batch) -> None:
    """Write rows as fast as the database takes them."""
    with engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            if not (rows := batch.rows.get(table.name)):
                continue
            columns = [table.c[column] for column in rows[0]]
            written = [
                column.type.dialect_impl(engine.dialect).bind_processor(engine.dialect) for column in columns
            ]
            lines = [
                tuple(
                    value if process is None or value is None else process(value)
                    for process, value in zip(written, row.values(), strict=True)
                )
                for row in rows
            ]
            names = ", ".join(f'"{column.name}"' for column in columns)
            if engine.dialect.name == "postgresql":
                cursor = connection.connection.cursor()
                with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
                    for line in lines:
                        copy.write_row(
                            [json.dumps(part) if isinstance(part, dict | list) else part for part in line]
                        )
            else:
                marks = ", ".join("?" * len(columns))
                statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608
                connection.exec_driver_sql(statement, lines)


def _drop_indexes(engine: sa.Engine) -> list[sa.Index]:
    """Take the search's own indexes away: made of the whole at the end, they are smaller and sooner there."""
    indexes = [
        index
        for model in (models.SearchEntry, models.SearchSample, models.SearchVector)
        for index in Base.metadata.tables[model.__tablename__].indexes
    ]
    with engine.begin() as connection:
        for index in indexes:
            index.drop(connection, checkfirst=True)
    return indexes


def _create_indexes(engine: sa.Engine, indexes: Sequence[sa.Index]) -> None:
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '512MB'")
        for index in indexes:
            index.create(connection, checkfirst=True)


def _settle(engine: sa.Engine) -> None:
    """Let the database look over what it has; numbers go on after those that were given."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "postgresql":
            for table, column in (("search_entry", "seq"), ("search_word", "id"), ("search_value", "id")):
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column})) FROM {table}"  # noqa: S608
                )
            # What stands first is read most: kept together, it is a tenth of the pages.
            connection.exec_driver_sql("CLUSTER search_entry USING ix_search_entry_score")
            connection.exec_driver_sql("VACUUM ANALYZE")
        else:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _zipf(count: int) -> NDArray[np.float64]:
    weights = np.cumsum(np.arange(1, count + 1, dtype=float) ** -_STEEPNESS)
    result: NDArray[np.float64] = weights / weights[-1]
    return result


def _id(*parts: object) -> str:
    return hashlib.blake2b(" ".join(map(str, parts)).encode(), digest_size=12).hexdigest()


def loop_id(seed: int, index: int) -> str:
    return f"{_id(seed, 'riff', index // TAKES)}-{index % TAKES}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loops", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()

    def progress(done: int) -> None:
        sys.stderr.write(f"\r{done:,} of {given.loops:,} loops")

    try:
        seconds = seed(Settings(), given.loops, given.seed, progress=progress)
    except MarketError as refusal:
        sys.exit(str(refusal))
    sys.stderr.write(f"\n{given.loops:,} loops in {seconds:.0f} s: {given.loops / seconds:,.0f} a second\n")


if __name__ == "__main__":
    main()
