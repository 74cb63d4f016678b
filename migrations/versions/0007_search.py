"""The search: entries, a sample of them, embeddings by cell, the vocabulary, and full text.

Revision ID: 0007
Revises: 0006
"""

import logging
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = (
    "search_entry", "search_sample", "search_vector", "search_cell", "search_codebook", "search_word",
    "search_spelling", "search_value",
)  # fmt: skip
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LEXEMES = sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql")
GIN: dict[str, Any] = {
    "postgresql_using": "gin",
    "postgresql_with": {"fastupdate": "off"},
    "sqlite_where": sa.text("0 = 1"),
}
WITHOUT_TRIGRAMS = (
    "pg_trgm is missing on this server or this user may not create it: the search will correct one wrong letter in a "
    "word and no more. To have more, run CREATE EXTENSION pg_trgm as a superuser, then CREATE INDEX "
    "ix_search_word_trigram ON search_word USING gin (word gin_trgm_ops)."
)
# FTS5 with another table's content has to be told of each change to it (https://www.sqlite.org/fts5.html, 4.4.3).
LEARN = "INSERT INTO {text}(rowid, {column}) VALUES (new.{key}, new.{column});"
FORGET = "INSERT INTO {text}({text}, rowid, {column}) VALUES ('delete', old.{key}, old.{column});"


def upgrade() -> None:
    op.create_table(
        "search_entry",
        sa.Column("seq", NUMBER, autoincrement=True, nullable=False),
        sa.Column("loop_id", sa.String(32), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("popularity", sa.Double(), nullable=False),
        sa.Column("rating", sa.Double(), nullable=False),
        sa.Column("rating_count", sa.Integer(), nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=False),
        sa.Column("bpm", sa.Double(), nullable=False),
        sa.Column("price", sa.Integer(), nullable=False),
        sa.Column("cell", sa.SmallInteger(), nullable=False),
        sa.Column("words", LEXEMES, nullable=False),
        sa.Column("facets", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_search_entry"),
        sa.UniqueConstraint("loop_id", name="uq_search_entry_loop_id"),
    )
    op.create_index("ix_search_entry_words", "search_entry", ["words"], **GIN)
    for order in ("score", "published", "popularity", "rating", "price"):
        op.create_index(f"ix_search_entry_{order}", "search_entry", [order, "seq"])
    op.create_index("ix_search_entry_bpm", "search_entry", ["bpm"])
    op.create_table(
        "search_sample",
        sa.Column("seq", NUMBER, autoincrement=False, nullable=False),
        sa.Column("bpm", sa.Double(), nullable=False),
        sa.Column("price", sa.Integer(), nullable=False),
        sa.Column("words", LEXEMES, nullable=False),
        sa.Column("facets", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_search_sample"),
    )
    op.create_index("ix_search_sample_words", "search_sample", ["words"], **GIN)
    op.create_table(
        "search_vector",
        sa.Column("cell", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", NUMBER, autoincrement=False, nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("cell", "seq", name="pk_search_vector"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_search_vector_cell",
        "search_vector",
        ["cell"],
        postgresql_include=["seq", "embedding"],
        sqlite_where=sa.text("0 = 1"),
    )
    op.create_table(
        "search_cell",
        sa.Column("cell", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("loops", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("cell", name="pk_search_cell"),
    )
    op.create_table(
        "search_codebook",
        sa.Column("version", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("centroids", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_search_codebook"),
    )
    op.create_table(
        "search_word",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("word", _prefixed(32), nullable=False),
        sa.Column("lexeme", sa.String(32), nullable=False),
        sa.Column("loops", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_search_word"),
        sa.UniqueConstraint("word", name="uq_search_word_word"),
    )
    op.create_index("ix_search_word_lexeme", "search_word", ["lexeme"])
    op.create_table(
        "search_spelling",
        sa.Column("rest", sa.String(32), nullable=False),
        sa.Column("word_id", NUMBER, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("rest", "word_id", name="pk_search_spelling"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "search_value",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("value", sa.String(80), nullable=False),
        sa.Column("label", sa.String(80), nullable=False),
        sa.Column("folded", _prefixed(80), nullable=False),
        sa.Column("loops", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_search_value"),
        sa.UniqueConstraint("kind", "value", name="uq_search_value_kind_value"),
    )
    op.create_index("ix_search_value_folded", "search_value", ["folded"])

    if op.get_bind().dialect.name == "sqlite":
        # "search_text" over all entries, and the vocabulary by its trigrams.
        op.execute(
            "CREATE VIRTUAL TABLE search_text USING fts5(words, content='search_entry', content_rowid='seq', "
            "detail='none', columnsize=0, tokenize=\"ascii tokenchars '=_-'\")"
        )
        op.execute(
            "CREATE VIRTUAL TABLE search_trigram USING fts5(word, content='search_word', content_rowid='id', "
            "detail='none', columnsize=0, tokenize='trigram')"
        )
        _follow("search_text", "search_entry", "seq", "words")
        _follow("search_trigram", "search_word", "id", "word")
    else:
        _create_trigram_index()


def downgrade() -> None:
    # pg_trgm stays: it may have been there before.
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE search_text")
        op.execute("DROP TABLE search_trigram")
    for table in reversed(TABLES):
        op.drop_table(table)


def _prefixed(length: int) -> sa.types.TypeEngine[str]:
    """Text whose index finds what begins with something."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def _follow(text: str, table: str, key: str, column: str) -> None:
    learn, forget = (part.format(text=text, key=key, column=column) for part in (LEARN, FORGET))
    for name, when, what in (
        ("insert", "INSERT", learn),
        ("delete", "DELETE", forget),
        ("update", f"UPDATE OF {column}", f"{forget} {learn}"),
    ):
        op.execute(f"CREATE TRIGGER {text}_{name} AFTER {when} ON {table} BEGIN {what} END")


def _create_trigram_index() -> None:
    connection = op.get_bind()
    try:
        with connection.begin_nested():
            connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
            connection.execute(
                sa.text("CREATE INDEX ix_search_word_trigram ON search_word USING gin (word gin_trgm_ops)")
            )
    except DBAPIError:
        logging.getLogger("alembic.runtime.migration").warning(WITHOUT_TRIGRAMS)
