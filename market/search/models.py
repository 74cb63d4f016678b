"""The tables of the search: everything in them follows from the listings and can be made again.

`search_entry` has a row per published loop, `search_sample` one in SAMPLE of them once more, small enough to be counted
through. `search_vector` is an inverted file: embeddings by the cell of the sphere that they fall into.
`search_word` is every word that some loop is described by; `search_spelling` leads to it from what is left of it when a
letter is lost. `search_value` numbers what facets show. On SQLite two full-text tables go with them, kept by triggers.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from market.db import Base

SAMPLE = 16
MAX_WORD = 32
# Made by the migration in each database's own words, as are what FTS5 keeps them in.
FULL_TEXT_TABLES = frozenset(
    f"{name}{part}"
    for name in ("search_text", "search_trigram")
    for part in ("", "_data", "_idx", "_docsize", "_config")
)
TRIGRAM_INDEX = "ix_search_word_trigram"


class Lexemes(TypeDecorator[Iterable[str]]):
    """A set of ASCII words without quotes or spaces: a tsvector on PostgreSQL, words between spaces on SQLite."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(postgresql.TSVECTOR() if dialect.name == "postgresql" else sa.Text())

    def process_result_value(self, value: str | None, _dialect: sa.Dialect) -> frozenset[str] | None:
        return None if value is None else frozenset(value.replace("'", "").split())

    def process_bind_param(self, value: Iterable[str] | None, dialect: sa.Dialect) -> str | None:
        if value is None:
            return None
        if dialect.name == "postgresql":
            return " ".join(f"'{lexeme}'" for lexeme in value)
        return f" {' '.join(value)} "


_Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
# SQLite has its full-text tables instead, and an index there that no row is in costs nothing.
_GIN: dict[str, Any] = {
    "postgresql_using": "gin",
    "postgresql_with": {"fastupdate": "off"},
    "sqlite_where": sa.text("0 = 1"),
}


class SearchEntry(Base):
    """A published loop. `score` orders what matches equally well; `published` is in microseconds since 1970.

    `price` is 0 where a free licence is offered; `facets` is one record of market.search.facets.RECORD.
    """

    __tablename__ = "search_entry"
    __table_args__ = (
        sa.Index("ix_search_entry_words", "words", **_GIN),
        sa.Index("ix_search_entry_score", "score", "seq"),
        sa.Index("ix_search_entry_published", "published", "seq"),
        sa.Index("ix_search_entry_popularity", "popularity", "seq"),
        sa.Index("ix_search_entry_rating", "rating", "seq"),
        sa.Index("ix_search_entry_price", "price", "seq"),
        sa.Index("ix_search_entry_bpm", "bpm"),
    )

    seq: Mapped[int] = mapped_column(_Number, primary_key=True, autoincrement=True)
    loop_id: Mapped[str] = mapped_column(sa.String(32), unique=True)
    score: Mapped[float] = mapped_column(sa.Double)
    popularity: Mapped[float] = mapped_column(sa.Double)
    rating: Mapped[float] = mapped_column(sa.Double)
    rating_count: Mapped[int]
    published: Mapped[int] = mapped_column(sa.BigInteger)
    bpm: Mapped[float] = mapped_column(sa.Double)
    price: Mapped[int]
    cell: Mapped[int] = mapped_column(sa.SmallInteger)
    words: Mapped[Any] = mapped_column(Lexemes)
    facets: Mapped[bytes] = mapped_column(sa.LargeBinary)


class SearchSample(Base):
    """What is counted of one in SAMPLE loops."""

    __tablename__ = "search_sample"
    __table_args__ = (sa.Index("ix_search_sample_words", "words", **_GIN),)

    seq: Mapped[int] = mapped_column(_Number, primary_key=True, autoincrement=False)
    bpm: Mapped[float] = mapped_column(sa.Double)
    price: Mapped[int]
    words: Mapped[Any] = mapped_column(Lexemes)
    facets: Mapped[bytes] = mapped_column(sa.LargeBinary)


class SearchVector(Base):
    """The embedding of a loop, beside the others of its cell."""

    __tablename__ = "search_vector"
    __table_args__ = (
        sa.Index(
            "ix_search_vector_cell",
            "cell",
            postgresql_include=["seq", "embedding"],
            sqlite_where=sa.text("0 = 1"),
        ),
        {"sqlite_with_rowid": False},
    )

    cell: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(_Number, primary_key=True, autoincrement=False)
    embedding: Mapped[bytes] = mapped_column(sa.LargeBinary)


class SearchCell(Base):
    """How many loops a cell has; cell -1 has those that nobody listened to."""

    __tablename__ = "search_cell"

    cell: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    loops: Mapped[int]


class SearchCodebook(Base):
    """The middles of the cells, (cells, 64) int8, where they were trained on the loops that are here."""

    __tablename__ = "search_codebook"

    version: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=True)
    centroids: Mapped[bytes] = mapped_column(sa.LargeBinary)


class SearchWord(Base):
    """A word as people write it, its lexeme, and about how many loops it is said of."""

    __tablename__ = "search_word"
    __table_args__ = (sa.Index("ix_search_word_lexeme", "lexeme"),)

    id: Mapped[int] = mapped_column(_Number, primary_key=True, autoincrement=True)
    word: Mapped[str] = mapped_column(
        sa.String(MAX_WORD).with_variant(sa.String(MAX_WORD, collation="C"), "postgresql"), unique=True
    )
    lexeme: Mapped[str] = mapped_column(sa.String(MAX_WORD))
    loops: Mapped[int]


class SearchSpelling(Base):
    """What is left of a word without one of its letters, or the whole of it."""

    __tablename__ = "search_spelling"
    __table_args__ = ({"sqlite_with_rowid": False},)

    rest: Mapped[str] = mapped_column(sa.String(MAX_WORD), primary_key=True)
    word_id: Mapped[int] = mapped_column(_Number, primary_key=True, autoincrement=False)


class SearchValue(Base):
    """Something a facet can show: a genre, mood or instrument, or a creator, whose `label` is a handle.

    `folded` is its label as suggestions compare it; `loops` is about how many have it.
    """

    __tablename__ = "search_value"
    __table_args__ = (sa.UniqueConstraint("kind", "value"), sa.Index("ix_search_value_folded", "folded"))

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    value: Mapped[str] = mapped_column(sa.String(80))
    label: Mapped[str] = mapped_column(sa.String(80))
    folded: Mapped[str] = mapped_column(
        sa.String(80).with_variant(sa.String(80, collation="C"), "postgresql")
    )
    loops: Mapped[int]
