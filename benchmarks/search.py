"""`python -m benchmarks.search --loops 1000000`: how long the search takes on a catalogue of that size.

On PostgreSQL it needs RIFF_DATABASE_URL (a database of its own, which is set up and filled if it is empty); with
`--sqlite` it makes one in `--folder`. Every question is asked through `market.search.service`, as the endpoints do, in
a transaction of its own; questions are drawn from the seeded loops' own words. What is printed:

- milliseconds per class of question at the 50th, 95th and 99th percentile, and the CPU time of this process, which
  other processes do not lengthen as much;
- recall@10 of "similar" against comparing with every embedding;
- what one more loop costs to insert, in a transaction of its own (rolled back), and how large tables and indexes are;
- with `--explain`, what the database reads for a common and for a rare search (PostgreSQL).
"""

import argparse
import asyncio
import itertools
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import sqlalchemy as sa

from market.db import Database, blocking_engine, upgrade
from market.search import cells, repository, seed
from market.search import service as search
from market.search.document import Document
from market.search.keys import number_of
from market.search.models import SearchEntry
from market.search.query import Query
from market.settings import Settings

COMMON = ("piano", "strings", "drum", "warm", "dark", "bells", "night", "happy", "synth", "bass")
RARE = ("harbour", "museum", "theremin", "lantern", "velvet", "balcony", "kalimba")
FILTERS = ("genre", "mood", "instrument", "key", "bpm", "bars", "licence", "stems", "price")


@dataclass
class Times:
    """What each question of a class took in milliseconds, and how many of them this process computed."""

    each: list[float] = field(default_factory=list)
    computing: list[float] = field(default_factory=list)

    def add(self, others: "Times") -> None:
        """Count the last one of others, too."""
        self.each.append(others.each[-1])
        self.computing.append(others.computing[-1])

    def row(self, name: str) -> str:
        p50, p95, p99 = np.percentile(self.each, (50, 95, 99))
        figures = (p50, p95, p99, max(self.each), np.median(self.computing))
        return f"| {name} | {len(self.each)} | {' | '.join(f'{figure:.1f}' for figure in figures)} |"


class Questions:
    """Questions as people ask them, drawn from what the loops are called and played with."""

    def __init__(self, loops: int, number: int) -> None:
        self._inventor = seed.Inventor(0, max(10, loops // 50))
        self._random = Random(number)
        self._loops = loops

    def _some(self) -> Document:
        index = self._random.randrange(self._loops)
        return next(self._inventor.loops(index, index + 1))

    def text(self, kind: str) -> str:
        one, random = self._some(), self._random
        match kind:
            case "one common word":
                return random.choice(COMMON)
            case "one rarer word":
                return random.choice((*RARE, random.choice(one.title.lower().split())))
            case "two or three words":
                return random.choice(
                    (
                        f"{random.choice(one.moods)} {random.choice(one.instruments)}",
                        f"{random.choice(one.instruments)} {one.genres[0]}",
                        one.title,
                        f"{random.choice(COMMON)} {random.choice(RARE)}",
                    )
                )
            case "misspelt":
                word = random.choice((*COMMON, *RARE, random.choice(one.instruments).split()[0]))
                at = random.randrange(1, max(2, len(word) - 1))
                return random.choice(
                    (
                        word[:at] + word[at + 1 :],
                        word[:at] + "x" + word[at:],
                        word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :],
                    )
                )
        raise ValueError(kind)

    def filtered(self, query: Query, count: int) -> Query:
        """The same with some filters that fit some loop."""
        one, random = self._some(), self._random
        given = {
            "genre": lambda: replace(query, genres=one.genres),
            "mood": lambda: replace(query, moods=one.moods[:2]),
            "instrument": lambda: replace(query, instruments=one.instruments[:1]),
            "key": lambda: replace(
                query, keys=(number_of(one.key),), key_match=random.choice(("exact", "compatible"))
            ),
            "bpm": lambda: replace(
                query, bpm_min=one.bpm - 4, bpm_max=one.bpm + 4, related_bpm=random.random() < 0.3
            ),
            "bars": lambda: replace(query, bars=(one.bars,)),
            "licence": lambda: replace(query, tiers=one.tiers[:1]),
            "stems": lambda: replace(query, has_stems=True),
            "price": lambda: replace(query, price_max=1500),
        }
        for name in random.sample(FILTERS, count):
            query = given[name]()
        return query

    def query(self, kind: str) -> Query:
        random = self._random
        match kind:
            case "nothing typed":
                return Query(sort=random.choice(("relevance", "new", "popular", "rating", "price")))
            case "filters alone":
                return self.filtered(
                    Query(sort=random.choice(("relevance", "new", "popular"))), random.choice((1, 2, 3))
                )
            case "words and filters":
                text = self.text(random.choice(("one common word", "one rarer word", "two or three words")))
                return self.filtered(Query(text=text), random.choice((1, 1, 2, 3)))
            case "words, another order":
                text = self.text(random.choice(("one common word", "one rarer word", "two or three words")))
                return Query(text=text, sort=random.choice(("new", "popular", "rating", "price")))
            case "deeper pages":
                text = self.text(random.choice(("one common word", "two or three words")))
                return self.filtered(Query(text=text), random.choice((0, 0, 1)))
        return Query(text=self.text(kind))


KINDS = (
    "nothing typed", "one common word", "one rarer word", "two or three words", "misspelt", "filters alone",
    "words and filters", "words, another order", "deeper pages",
)  # fmt: skip


async def timed(
    database: Database, times: Times, ask: Callable[..., Awaitable[object]], *given: object, **more: object
) -> None:
    """Ask one question, in a transaction of its own."""
    started, computing = time.perf_counter(), time.process_time()
    async with database.read() as session:
        await ask(session, *given, **more)
    times.each.append((time.perf_counter() - started) * 1e3)
    times.computing.append((time.process_time() - computing) * 1e3)


async def measure(database: Database, loops: int, runs: int) -> None:
    """Print a Markdown table."""
    questions = Questions(loops, 1)
    table: dict[str, Times] = {}
    everything = {"search": Times(), "facets": Times()}
    for kind in KINDS:
        for _ in range(runs):
            query = questions.query(kind)
            cursor = None
            if kind == "deeper pages":
                async with database.read() as session:
                    for _ in range(8):
                        page = await search.search(session, query, cursor=cursor)
                        if page.next_cursor is None:
                            break
                        cursor = page.next_cursor
            times = table.setdefault(f"search: {kind}", Times())
            await timed(database, times, search.search, query, cursor=cursor)
            everything["search"].add(times)
            if kind != "deeper pages":
                times = table.setdefault(f"facets: {kind}", Times())
                await timed(database, times, search.facet_counts, query)
                everything["facets"].add(times)
    random = Random(2)
    for _ in range(2 * runs):
        loop_id = seed.loop_id(0, random.randrange(loops))
        await timed(database, table.setdefault("similar", Times()), search.similar, loop_id)
        await timed(database, table.setdefault("goes with", Times()), search.goes_with, loop_id)
        text = questions.text(random.choice(("one rarer word", "two or three words")))
        typed = text[: random.randint(1, len(text))]
        await timed(database, table.setdefault("suggest", Times()), search.suggest, typed)
    print(
        "| question | asked | p50 ms | p95 ms | p99 ms | max ms | p50 CPU ms here |\n|---|---|---|---|---|---|---|"
    )
    for name, times in itertools.chain(
        ((f"**{name}: all classes**", times) for name, times in everything.items()), table.items()
    ):
        print(times.row(name))


async def recall(database: Database, asked: int = 100) -> None:
    """Print how many of the ten nearest are among the ten found."""
    async with database.read() as session:
        rows = await repository.all_embeddings(session)
    seqs = np.array([seq for seq, _ in rows])
    vectors = cells.vectors_of(b"".join(embedding for _, embedding in rows))
    chosen = np.random.default_rng(5).choice(len(vectors), asked, replace=False)
    hits = 0
    for at in chosen:
        cosines = vectors @ vectors[at]
        tenth = np.sort(cosines)[-10]
        async with database.read() as session:
            near = await search.similar_to(session, vectors[at], limit=10)
        hits += sum(one.similarity >= round(float(tenth), 4) for one in near)
    print(f"\nrecall@10 of similar, {asked} questions against all {len(seqs):,}: {hits / asked / 10:.3f}")


async def inserting(database: Database, loops: int, count: int = 200) -> None:
    """Print what one more loop costs."""
    inventor = seed.Inventor(0, max(10, loops // 50))
    fresh = list(inventor.loops(loops, loops + count))
    vectors = inventor.vectors(loops, fresh)
    each = []
    for one, vector in zip(fresh, vectors, strict=True):
        started = time.perf_counter()
        async with database.write() as session:
            await search.put(session, replace(one, embedding=vector.tobytes()))
        each.append((time.perf_counter() - started) * 1e3)
    started = time.perf_counter()
    for one in fresh:
        async with database.write() as session:
            await search.drop(session, one.loop_id)
    dropped = (time.perf_counter() - started) * 1e3 / count
    print(
        f"put, each committed: p50 {np.median(each):.1f} ms, p95 {np.percentile(each, 95):.1f} ms, "
        f"{1e3 * count / sum(each):.0f} a second from one writer; drop {dropped:.1f} ms"
    )


async def sizes(database: Database) -> None:
    """Print the larger tables and indexes of the search."""
    statement = (
        "SELECT relname, pg_table_size(oid) FROM pg_class "
        "WHERE relname LIKE '%search\\_%' AND relkind IN ('r', 'i') ORDER BY 2 DESC LIMIT 24"
    )
    if database.engine.dialect.name == "sqlite":
        statement = (
            "SELECT name, sum(pgsize) FROM dbstat WHERE name LIKE '%search%' "
            "GROUP BY name ORDER BY 2 DESC LIMIT 24"
        )
    async with database.read() as session:
        try:
            found = (await session.execute(sa.text(statement))).all()
        except sa.exc.OperationalError:
            print("\nThis SQLite tells no sizes (it was built without dbstat).")
            return
    print("\n| table or index | MB |\n|---|---|")
    for name, size in found:
        print(f"| {name} | {size / 1e6:.1f} |")


async def explain(database: Database) -> None:
    """Print what PostgreSQL reads for some questions: rows, and pages of 8 KiB."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        asked.append((statement, parameters))

    sa.event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    queries = (
        Query(text="piano"),
        Query(text="lantern museum"),
        Query(text="piano", genres=("soul",), keys=(21,)),
    )
    asks: tuple[Callable[..., Awaitable[object]], ...] = (search.search, search.facet_counts)
    for query, ask in itertools.product(queries, asks):
        asked.clear()
        await timed(database, Times(), ask, query)
        print(f"\n{getattr(ask, '__name__', '')}: {query.text} {' '.join(query.genres)} {query.keys or ''}")
        for statement, parameters in tuple(asked):
            async with database.read() as session:
                await repository.tune(session)
                connection = await session.connection()
                plan = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", parameters)
                lines = [line.rstrip() for line in plan.scalars()]
            print(f"  {' '.join(statement.split())[:110]}")
            for line in lines:
                if any(
                    word in line for word in ("Scan", "Sort  ", "Buffers", "Limit", "Aggregate", "Execution")
                ):
                    print(f"      {line[:150]}")


async def run(settings: Settings, runs: int, explained: bool) -> None:
    database = Database(settings)
    try:
        async with database.read() as session:
            there = await session.scalar(sa.select(sa.func.count()).select_from(SearchEntry)) or 0
        load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        print(f"{database.engine.dialect.name}, {there:,} loops; {load}\n")
        if explained:
            await explain(database)
            return
        await measure(database, there, runs)
        await recall(database)
        await inserting(database, there)
        await sizes(database)
    finally:
        await database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loops", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=40, help="questions per class")
    parser.add_argument("--sqlite", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path("data/benchmark"))
    parser.add_argument("--explain", action="store_true")
    given = parser.parse_args()
    settings = Settings(database_url="", data_dir=given.folder) if given.sqlite else Settings()
    upgrade(settings)
    engine = blocking_engine(settings)
    with engine.connect() as connection:
        empty = connection.scalar(sa.select(SearchEntry.seq).limit(1)) is None
    engine.dispose()
    if empty:
        seconds = seed.seed(settings, given.loops)
        print(f"seeded {given.loops:,} loops in {seconds:.0f} s: {given.loops / seconds:,.0f} a second")
    asyncio.run(run(settings, given.runs, given.explain))


if __name__ == "__main__":
    main()
