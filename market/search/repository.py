"""All the SQL of the search, for FTS5 and for tsvector with pg_trgm.

There are two ways through the entries. `look_up` asks the full-text index for all matches and sorts them: right
where few match. `scan` goes through the entries in the order wanted and stops when there are enough: right where many
do.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from market.catalog.models import Loop
from market.db import insert_into
from market.search.models import (
    SearchCell,
    SearchCodebook,
    SearchEntry,
    SearchSample,
    SearchSpelling,
    SearchValue,
    SearchVector,
    SearchWord,
)
from market.search.query import Clause, Match, Sort
from market.search.words import trigrams_of

# Plans are made for the values at hand; compiling one to machine code takes longer than running it.
_TUNING = {
    "jit": "off",
    "plan_cache_mode": "force_custom_plan",
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "0",
    "pg_trgm.similarity_threshold": "0.2",
}
_ENTRY = sa.inspect(SearchEntry).c
_SAMPLED = sa.inspect(SearchSample).c
# The same columns without their table's name, for a FROM that is written by hand.
_BARE = {column.key: sa.column(column.key, column.type) for column in _ENTRY}


@dataclass(frozen=True, slots=True)
class Order:
    """What entries are sorted by, with their numbers to tell equals apart."""

    column: sa.ColumnElement[Any]
    descending: bool = True

    def after(self, columns: Any, last: tuple[float, int]) -> sa.ColumnElement[bool]:
        """What comes after an entry with this value and number."""
        column, seq = columns[self.column.key], columns["seq"]
        here = sa.tuple_(column, seq)
        there = sa.tuple_(sa.literal(last[0], column.type), sa.literal(last[1], seq.type))
        return here < there if self.descending else here > there

    def of(self, columns: Any) -> list[sa.ColumnElement[Any]]:
        """The ORDER BY, over the entries' columns or those that were selected of them."""
        chosen = [columns[self.column.key], columns["seq"]]
        return [column.desc() for column in chosen] if self.descending else chosen


ORDERS: Mapping[Sort, Order] = {
    "relevance": Order(_ENTRY.score),
    "new": Order(_ENTRY.published),
    "popular": Order(_ENTRY.popularity),
    "rating": Order(_ENTRY.rating),
    "price": Order(_ENTRY.price, descending=False),
    "price_desc": Order(_ENTRY.price),
}


@dataclass(frozen=True, slots=True)
class Hit:
    """A loop that was found; `key` is what it was sorted by."""

    loop_id: str
    seq: int
    key: float


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry's number, loop, cell and facet record."""

    seq: int
    loop_id: str
    cell: int
    facets: bytes


@dataclass(frozen=True, slots=True)
class Spelt:
    """A word of the vocabulary."""

    id: int
    word: str
    loops: int


async def tune(session: AsyncSession) -> None:
    """Plan the rest of this transaction for short queries."""
    if _is_postgresql(session):
        await session.execute(
            sa.select(*(sa.func.set_config(name, value, True) for name, value in _TUNING.items()))
        )


async def loops(session: AsyncSession) -> int:
    """How many loops there are to be found."""
    return await session.scalar(sa.select(sa.func.sum(SearchCell.loops))) or 0


async def count_sample(session: AsyncSession, match: Match, limit: int) -> int:
    """How many of the sample match; at most `limit`."""
    found = sa.select(_SAMPLED.seq).where(*_in_sample(session, match)).limit(limit)
    return await session.scalar(sa.select(sa.func.count()).select_from(found.subquery())) or 0


async def sample_records(session: AsyncSession, match: Match, share: int) -> bytes:
    """The facet records of all matches in one of `share` parts of the sample."""
    query = sa.select(_SAMPLED.facets).where(*_in_sample(session, match))
    if share > 1:
        query = query.where(_SAMPLED.seq % share == 0)
    return await _joined(session, query)


async def entry_records(session: AsyncSession, match: Match, limit: int) -> bytes:
    """The facet records of all matches; at most `limit`."""
    query, _ = _looked_up(session, match, "facets")
    return await _joined(session, query.limit(limit))


async def scan(
    session: AsyncSession, match: Match, order: Order, after: tuple[float, int] | None, rows: int, limit: int
) -> list[Hit]:
    """The first `limit` matches, as far as they are among the next `rows` entries in that order."""
    inner = sa.select(*_ENTRY).where(*([] if after is None else [order.after(_ENTRY, after)]))
    part = inner.order_by(*order.of(_ENTRY)).limit(rows).subquery()
    fits = [_has(session, part.c.words, match), *_ranges(part.c, match)]
    query = sa.select(part.c.loop_id, part.c.seq, part.c[str(order.column.key)]).where(*fits)
    # A subquery's order is not promised to hold outside it; sorting what is sorted costs nothing.
    query = query.order_by(*order.of(part.c)).limit(limit)
    return [Hit(*row) for row in await session.execute(query)]


async def look_up(
    session: AsyncSession, match: Match, order: Order, after: tuple[float, int] | None, limit: int
) -> list[Hit]:
    """The first `limit` matches, found through the index."""
    query, columns = _looked_up(session, match, "loop_id", "seq", str(order.column.key))
    if after is not None:
        query = query.where(order.after(columns, after))
    # Kept apart, so that the planner does not go through all entries in this order instead.
    found = query.cte("found").prefix_with("MATERIALIZED")
    return [
        Hit(*row) for row in await session.execute(sa.select(found).order_by(*order.of(found.c)).limit(limit))
    ]


async def entry(session: AsyncSession, loop_id: str) -> SearchEntry | None:
    return await session.scalar(sa.select(SearchEntry).where(SearchEntry.loop_id == loop_id))


async def placed(session: AsyncSession, seqs: Iterable[int]) -> list[Placed]:
    """Entries by their numbers, without their words."""
    columns = (_ENTRY.seq, _ENTRY.loop_id, _ENTRY.cell, _ENTRY.facets)
    return [
        Placed(*row) for row in await session.execute(sa.select(*columns).where(_ENTRY.seq.in_(list(seqs))))
    ]


async def loops_named(session: AsyncSession, loop_ids: Sequence[str]) -> list[Loop]:
    """Loops by their ids, in that order."""
    found = {loop.id: loop for loop in await session.scalars(sa.select(Loop).where(Loop.id.in_(loop_ids)))}
    return [found[loop_id] for loop_id in loop_ids if loop_id in found]


# --- sounds


async def codebook(session: AsyncSession, held: bool = False) -> bytes | None:
    """The middles of the cells that were trained here, if they were; `held`, no others come into force meanwhile."""
    query = sa.select(SearchCodebook.centroids).order_by(SearchCodebook.version.desc()).limit(1)
    return await session.scalar(query.with_for_update(read=True) if held else query)


async def hold_cells(session: AsyncSession) -> None:
    """Wait for all who are writing embeddings, and let nobody else until the end of the transaction."""
    if _is_postgresql(session):
        await session.execute(sa.text("LOCK TABLE search_codebook IN EXCLUSIVE MODE"))


async def cells(session: AsyncSession) -> dict[int, int]:
    """How many loops each cell has."""
    counted = await session.execute(sa.select(SearchCell.cell, SearchCell.loops))
    return dict(counted.all())


async def in_cells(session: AsyncSession, wanted: Sequence[int], limit: int) -> bytes:
    """At most `limit` loops of some cells as records of market.search.cells."""
    # Hundreds of numbers of our own: written out, they cost less than as parameters.
    chosen: sa.BindParameter[int] = sa.bindparam("chosen", wanted, expanding=True, literal_execute=True)
    query = (
        sa.select(SearchVector.seq, SearchVector.embedding).where(SearchVector.cell.in_(chosen)).limit(limit)
    )
    if _is_postgresql(session):
        part = query.subquery()
        record = sa.func.int8send(part.c.seq, type_=sa.LargeBinary).concat(part.c.embedding)
        joined = sa.select(sa.func.string_agg(record, sa.literal(b"", sa.LargeBinary)))
        return await session.scalar(joined) or b""
    rows = await session.execute(query)
    return b"".join(seq.to_bytes(8) + embedding for seq, embedding in rows)


async def embeddings(session: AsyncSession, places: Iterable[tuple[int, int]]) -> dict[int, bytes]:
    """Embeddings by the numbers of their loops, from their (cell, number)."""
    query = sa.select(SearchVector.seq, SearchVector.embedding).where(
        sa.tuple_(SearchVector.cell, SearchVector.seq).in_(list(places))
    )
    return dict((await session.execute(query)).all())


# --- words


async def known(session: AsyncSession, lexemes: Iterable[str]) -> dict[str, int]:
    """Those of the lexemes that some loop has, and about how many have them."""
    query = sa.select(SearchWord.lexeme, sa.func.sum(SearchWord.loops)).group_by(SearchWord.lexeme)
    found = await session.execute(query.where(SearchWord.lexeme.in_(list(lexemes))))
    return {lexeme: int(loops) for lexeme, loops in found}


async def spelt_like(session: AsyncSession, rests: Iterable[str]) -> list[Spelt]:
    """Words of which one of these is left when they lose a letter, or none."""
    ids = sa.select(SearchSpelling.word_id).where(SearchSpelling.rest.in_(list(rests)))
    return await _spelt(session, sa.select(*_SPELT).where(SearchWord.id.in_(ids)))


async def sounding_like(session: AsyncSession, word: str, limit: int) -> list[Spelt]:
    """Words that share stretches of three letters with this one, the most frequent first."""
    if not _is_postgresql(session):
        match = " OR ".join(f'"{trigram}"' for trigram in trigrams_of(word))
        text = sa.text("SELECT rowid FROM search_trigram WHERE search_trigram MATCH :trigrams")
        ids = text.bindparams(trigrams=match).columns(sa.column("rowid", sa.Integer))
        near = SearchWord.id.in_(ids)
    elif await session.scalar(sa.text("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")):
        near = SearchWord.word.op("%", is_comparison=True)(word)
    else:
        return []
    query = sa.select(*_SPELT).where(near).order_by(SearchWord.loops.desc(), SearchWord.word).limit(limit)
    return await _spelt(session, query)


async def words(session: AsyncSession, wanted: Iterable[str]) -> list[Spelt]:
    return await _spelt(session, sa.select(*_SPELT).where(SearchWord.word.in_(list(wanted))))


async def words_of_lexemes(session: AsyncSession, lexemes: Iterable[str]) -> list[Spelt]:
    return await _spelt(session, sa.select(*_SPELT).where(SearchWord.lexeme.in_(list(lexemes))))


async def words_beginning(session: AsyncSession, prefix: str, limit: int) -> list[Spelt]:
    """The most frequent words that begin so."""
    query = sa.select(*_SPELT).where(*_begins(SearchWord.word, prefix))
    return await _spelt(session, query.order_by(SearchWord.loops.desc(), SearchWord.word).limit(limit))


_SPELT = (SearchWord.id, SearchWord.word, SearchWord.loops)


async def _spelt(session: AsyncSession, query: sa.Select[int, str, int]) -> list[Spelt]:
    return [Spelt(*row) for row in await session.execute(query)]


async def values_beginning(session: AsyncSession, prefix: str, limit: int) -> Sequence[SearchValue]:
    """The most frequent genres, moods, instruments, tags and creators that begin so."""
    query = sa.select(SearchValue).where(*_begins(SearchValue.folded, prefix), SearchValue.loops > 0)
    order = (SearchValue.loops.desc(), SearchValue.folded, SearchValue.id)
    return (await session.scalars(query.order_by(*order).limit(limit))).all()


async def values(session: AsyncSession, slugs: Iterable[str]) -> Sequence[SearchValue]:
    """The values with these slugs, of whatever kind."""
    query = sa.select(SearchValue).where(SearchValue.value.in_(list(slugs)))
    return (await session.scalars(query, execution_options={"populate_existing": True})).all()


async def values_numbered(session: AsyncSession, numbers: Iterable[int]) -> dict[int, SearchValue]:
    query = sa.select(SearchValue).where(SearchValue.id.in_(list(numbers)))
    return {value.id: value for value in await session.scalars(query)}


# --- writing


async def hold(session: AsyncSession, loop_id: str) -> SearchEntry | None:
    """The entry of a loop as it is now, held until the end of the transaction."""
    query = sa.select(SearchEntry).where(SearchEntry.loop_id == loop_id).with_for_update()
    return await session.scalar(query, execution_options={"populate_existing": True})


async def write_entry(session: AsyncSession, given: Mapping[str, Any]) -> int:
    """Write a loop's entry, new or again; its number."""
    statement = insert_into(session, SearchEntry).values(**given)
    again = {name: statement.excluded[name] for name in given if name != "loop_id"}
    statement = statement.on_conflict_do_update(index_elements=["loop_id"], set_=again)
    return int((await session.execute(statement.returning(SearchEntry.seq))).scalar_one())


async def write_sample(session: AsyncSession, given: Mapping[str, Any]) -> None:
    statement = insert_into(session, SearchSample).values(**given)
    again = {name: statement.excluded[name] for name in given if name != "seq"}
    await session.execute(statement.on_conflict_do_update(index_elements=["seq"], set_=again))


async def write_vector(session: AsyncSession, cell: int, seq: int, embedding: bytes) -> None:
    statement = insert_into(session, SearchVector).values(cell=cell, seq=seq, embedding=embedding)
    again = {"embedding": statement.excluded.embedding}
    await session.execute(statement.on_conflict_do_update(index_elements=["cell", "seq"], set_=again))


async def delete_vector(session: AsyncSession, cell: int, seq: int) -> None:
    await session.execute(sa.delete(SearchVector).where(SearchVector.cell == cell, SearchVector.seq == seq))


async def delete_entry(session: AsyncSession, seq: int) -> None:
    await session.execute(sa.delete(SearchSample).where(SearchSample.seq == seq))
    await session.execute(sa.delete(SearchEntry).where(SearchEntry.seq == seq))


async def rescore(session: AsyncSession, seq: int, given: Mapping[str, Any]) -> None:
    await session.execute(sa.update(SearchEntry).where(SearchEntry.seq == seq).values(**given))


async def all_embeddings(session: AsyncSession) -> Sequence[tuple[int, bytes]]:
    query = sa.select(SearchVector.seq, SearchVector.embedding).order_by(SearchVector.seq)
    return [(seq, embedding) for seq, embedding in await session.execute(query)]


async def replace_cells(
    session: AsyncSession,
    centroids: bytes,
    places: Sequence[tuple[int, int]],
    embeddings: Mapping[int, bytes],
) -> None:
    """Put new cells in force: their middles, and each loop's (number, cell)."""
    await session.execute(sa.insert(SearchCodebook).values(centroids=centroids))
    await session.execute(sa.delete(SearchVector))
    await session.execute(sa.delete(SearchCell).where(SearchCell.cell >= 0))
    for first in range(0, len(places), 5000):
        part = places[first : first + 5000]
        rows = [{"cell": cell, "seq": seq, "embedding": embeddings[seq]} for seq, cell in part]
        await session.execute(sa.insert(SearchVector), rows)
        # Through the table itself: the unit of work need not know.
        moved = [{"number": seq, "place": cell} for seq, cell in part]
        statement = (
            sa.update(SearchEntry)
            .where(SearchEntry.seq == sa.bindparam("number"))
            .values(cell=sa.bindparam("place"))
        )
        await (await session.connection()).execute(statement, moved)
    counted = sa.select(SearchVector.cell, sa.func.count()).group_by(SearchVector.cell)
    await session.execute(sa.insert(SearchCell).from_select(["cell", "loops"], counted))


async def count_cell(session: AsyncSession, cell: int, change: int) -> None:
    statement = insert_into(session, SearchCell).values(cell=cell, loops=change)
    again = {"loops": SearchCell.loops + change}
    await session.execute(statement.on_conflict_do_update(index_elements=["cell"], set_=again))


async def add_words(session: AsyncSession, lexemes: Mapping[str, str]) -> dict[str, int]:
    """Write new words with their lexemes; the ids of those that nobody else has just written."""
    if not lexemes:
        return {}
    rows = [{"word": word, "lexeme": lexemes[word], "loops": 1} for word in sorted(lexemes)]
    statement = insert_into(session, SearchWord).values(rows).on_conflict_do_nothing(index_elements=["word"])
    added = await session.execute(statement.returning(SearchWord.word, SearchWord.id))
    return {word: int(number) for word, number in added}


async def add_spellings(session: AsyncSession, rests: Iterable[tuple[str, int]]) -> None:
    rows = [{"rest": rest, "word_id": number} for rest, number in rests]
    if rows:
        await session.execute(insert_into(session, SearchSpelling).values(rows).on_conflict_do_nothing())


async def count_words(session: AsyncSession, changes: Mapping[int, int]) -> None:
    """Change the counts of some words; those of which nothing is left are forgotten."""
    await _count(session, SearchWord, changes)
    gone = sa.select(SearchWord.id).where(SearchWord.id.in_(list(changes)), SearchWord.loops <= 0)
    if any(change < 0 for change in changes.values()) and (ids := list(await session.scalars(gone))):
        await session.execute(sa.delete(SearchSpelling).where(SearchSpelling.word_id.in_(ids)))
        await session.execute(sa.delete(SearchWord).where(SearchWord.id.in_(ids)))


async def add_values(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        statement = insert_into(session, SearchValue).values(list(rows))
        await session.execute(statement.on_conflict_do_nothing(index_elements=["kind", "value"]))


async def count_values(session: AsyncSession, changes: Mapping[int, int]) -> None:
    await _count(session, SearchValue, changes)


async def relabel(session: AsyncSession, number: int, label: str, folded: str) -> None:
    await session.execute(
        sa.update(SearchValue).where(SearchValue.id == number).values(label=label, folded=folded)
    )


async def _count(
    session: AsyncSession, table: type[SearchWord] | type[SearchValue], changes: Mapping[int, int]
) -> None:
    # One order for all, so that no two transactions wait for each other.
    held = sa.select(table.id).where(table.id.in_(list(changes))).order_by(table.id).with_for_update()
    await session.execute(held)
    for change in set(changes.values()):
        ids = [number for number, by in changes.items() if by == change]
        statement = sa.update(table).where(table.id.in_(ids)).values(loops=table.loops + change)
        await session.execute(statement, execution_options={"synchronize_session": False})


# --- conditions


def _looked_up(session: AsyncSession, match: Match, *names: str) -> tuple[sa.Select[Any], Any]:
    """A selection of what the index gives for a match, and the columns to say more about it with."""
    if _is_postgresql(session) or not match.every:
        query = sa.select(*(_ENTRY[name] for name in names)).where(*_ranges(_ENTRY, match))
        return query.where(_has(session, _ENTRY.words, match)), _ENTRY
    # SQLite keeps the order of a CROSS JOIN: matches first, then each one's entry.
    both = sa.text("search_text CROSS JOIN search_entry ON search_entry.seq = search_text.rowid")
    query = sa.select(*(_BARE[name] for name in names)).select_from(both).where(*_ranges(_BARE, match))
    return query.where(sa.text("search_text MATCH :match").bindparams(match=_fts5(match))), _BARE


def _in_sample(session: AsyncSession, match: Match) -> list[sa.ColumnElement[bool]]:
    return [_has(session, _SAMPLED.words, match), *_ranges(_SAMPLED, match)]


def _has(session: AsyncSession, words: Any, match: Match) -> sa.ColumnElement[bool]:
    """Whether the words at hand match: asked of each row, of no index."""
    if not match.every:
        return sa.true()
    if _is_postgresql(session):
        return _tsquery_fits(words, match)
    text = sa.type_coerce(words, sa.Text)

    def fit(clauses: Iterable[Clause]) -> sa.ColumnElement[bool]:
        return sa.and_(
            *(sa.or_(*(sa.func.instr(text, f" {one} ") > 0 for one in clause)) for clause in clauses)
        )

    return sa.and_(fit(match.every), ~fit(match.unless)) if match.unless else fit(match.every)


def _ranges(columns: Any, match: Match) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if match.tempos:
        conditions.append(sa.or_(*(columns["bpm"].between(low, high) for low, high in match.tempos)))
    if match.prices is not None:
        conditions.append(columns["price"].between(*match.prices))
    return conditions


def _tsquery_fits(words: Any, match: Match) -> sa.ColumnElement[bool]:
    def fit(clauses: Iterable[Clause]) -> str:
        return " & ".join("(" + " | ".join(f"'{lexeme}'" for lexeme in clause) + ")" for clause in clauses)

    query = fit(match.every) + (f" & !({fit(match.unless)})" if match.unless else "")
    fits: sa.ColumnElement[bool] = words.op("@@", is_comparison=True)(
        sa.cast(sa.literal(query, sa.Text), postgresql.TSQUERY)
    )
    return fits


def _fts5(match: Match) -> str:
    def fit(clauses: Iterable[Clause]) -> str:
        return (
            "("
            + " AND ".join("(" + " OR ".join(f'"{one}"' for one in clause) + ")" for clause in clauses)
            + ")"
        )

    return fit(match.every) + (f" NOT {fit(match.unless)}" if match.unless else "")


async def _joined(session: AsyncSession, query: sa.Select[Any]) -> bytes:
    """The one column of a selection, end to end."""
    if _is_postgresql(session):
        part = query.subquery()
        joined = sa.func.string_agg(part.c[0], sa.literal(b"", sa.LargeBinary))
        return await session.scalar(sa.select(joined)) or b""
    return b"".join(await session.scalars(query))


def _begins(column: Any, prefix: str) -> list[sa.ColumnElement[bool]]:
    return [column >= prefix, column < f"{prefix}\U0010ffff"]


def _is_postgresql(session: AsyncSession) -> bool:
    return session.get_bind().dialect.name == "postgresql"
