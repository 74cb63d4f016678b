"""PostgreSQL for tests: a server, and databases on it that are emptied rather than made anew."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from graphlib import TopologicalSorter
from typing import Any, LiteralString

import psycopg
import sqlalchemy as sa
from psycopg import sql

SERVER = os.environ.get("RIFF_TEST_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
PATIENCE_MS = 30_000

_TABLES: LiteralString = """
    SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
"""
_REFERENCES: LiteralString = """
    SELECT confrelid::regclass::text, conrelid::regclass::text FROM pg_constraint
    WHERE contype = 'f' AND confrelid <> conrelid
"""
_SHAPE: LiteralString = """
    SELECT c.oid::int8, n.nspname, c.relname, a.attname, a.atttypid::int8, a.attnotnull
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY c.oid, a.attnum
"""
_HANG_UP: LiteralString = """
    SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
_REWIND: LiteralString = "SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence"


class Databases:
    """Copies of a migrated database, for one test at a time.

    Making and dropping one takes up to seconds on a busy disk, emptying one takes milliseconds: it is kept for the
    next test, unless a test changed its tables.
    """

    def __init__(self, template: str) -> None:
        self._template = template
        self._kept: str | None = None
        with _connected(template) as connection:
            tables = {name for (name,) in connection.execute(_TABLES)}
            # What is written when a database is set up: its versions.
            self._versions = sorted(name for name in tables if _rows(connection, name))
            self._shape = self._read_shape(connection)
            order = TopologicalSorter({name: set[str]() for name in tables})
            for referenced, referring in connection.execute(_REFERENCES):
                order.add(referenced, referring)
            self._emptied = [name for name in order.static_order() if name not in self._versions]

    @contextmanager
    def one(self) -> Iterator[str]:
        """The name of a database that is as it is after its migrations."""
        name, self._kept = self._kept or self._make(), None
        yield name
        if self._empty(name):
            self._kept = name
        else:
            drop(name)

    def close(self) -> None:
        if self._kept is not None:
            drop(self._kept)

    def _make(self) -> str:
        name = fresh_name()
        on_server("CREATE DATABASE {} TEMPLATE {}", name, self._template)
        return name

    def _empty(self, name: str) -> bool:
        """Remove all rows; False where that would not make it as it was."""
        with _connected(name) as connection:
            # Killed processes may not have been missed yet.
            connection.execute(_HANG_UP, (PATIENCE_MS,))
            if self._read_shape(connection) != self._shape:
                return False
            with connection.transaction():
                # Tables that are only ever added to refuse it otherwise.
                connection.execute("SET LOCAL session_replication_role = replica")
                for table in self._emptied:
                    connection.execute(f"DELETE FROM {table}")
                connection.execute(_REWIND)
        return True

    def _read_shape(self, connection: psycopg.Connection[Any]) -> list[Any]:
        tables = {name for (name,) in connection.execute(_TABLES)}
        versions = [_rows(connection, name) for name in self._versions if name in tables]
        return [connection.execute(_SHAPE).fetchall(), versions]


def address(name: str) -> str:
    """The URL of a database on the server."""
    return sa.make_url(SERVER).set(database=name).render_as_string(hide_password=False)


def fresh_name() -> str:
    return f"riff_test_{secrets.token_hex(4)}"


def on_server(statement: LiteralString, *names: str) -> None:
    """Run a statement about databases. Raises psycopg.OperationalError where no server answers."""
    with psycopg.connect(SERVER, autocommit=True, connect_timeout=3) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def drop(name: str) -> None:
    on_server("DROP DATABASE {} WITH (FORCE)", name)


def _connected(name: str) -> psycopg.Connection[Any]:
    return psycopg.connect(address(name), autocommit=True)


def _rows(connection: psycopg.Connection[Any], table: str) -> list[Any]:
    return connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
