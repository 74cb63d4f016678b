"""The database: engines, transactions and migrations, on SQLite (WAL) and PostgreSQL alike.

The tables of the job engine (DBOS) live in the same database, on PostgreSQL in its schema `dbos`, so that a
riff and its place in the queue are one commit.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from generation.errors import StorageFull
from market.errors import DatabaseOutdated, DatabaseUnreachable
from market.settings import Settings

MIGRATIONS = Path(__file__).parents[1] / "migrations"
IDLE_IN_TRANSACTION_SECONDS = 10
DISK_FULL = "53100"  # PostgreSQL's error code
SQLITE_PRAGMAS = ("journal_mode=WAL", "busy_timeout=30000", "foreign_keys=ON", "synchronous=NORMAL")


class Base(DeclarativeBase):
    """The declarative base of every table of ours."""

    # One naming scheme, so that a migration can name a constraint that SQLite left unnamed.
    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC on both databases (SQLite itself keeps no time zone)."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: sa.Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """Connections of one process (and of one event loop)."""

    def __init__(self, settings: Settings) -> None:
        self.engine = create_async_engine(async_url(settings), **_options(settings))
        _prepare(self.engine.sync_engine)
        # A licence is signed as it is written: whoever has a session finds the settings for it there.
        info = {"settings": settings}
        self._reading = async_sessionmaker(self.engine, expire_on_commit=False, info=info)
        # Taking SQLite's write lock at the start makes check-then-write safe, and lets a writer wait its turn
        # where a reader that turns writer would be refused at once.
        writing = self.engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        self._writing = async_sessionmaker(writing, expire_on_commit=False, info=info)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """One transaction that only reads."""
        async with self._reading() as session, session.begin():
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """One transaction that may write: committed at the end, rolled back when an exception leaves it.

        Raises StorageFull where the database's own disk has no room for it.
        """
        try:
            async with self._writing() as session, session.begin():
                yield session
        except OperationalError as error:
            if _is_full(error):
                raise StorageFull("the database") from error
            raise

    async def close(self) -> None:
        await self.engine.dispose()


def insert_into(connection: AsyncSession | sa.Connection, table: Any) -> Any:
    """An INSERT in the words of the connection's database, both of which have ON CONFLICT."""
    bind = connection.get_bind() if isinstance(connection, AsyncSession) else connection
    return (postgresql if bind.dialect.name == "postgresql" else sqlite).insert(table)


def async_url(settings: Settings) -> sa.URL:
    """The database's URL with the driver that asyncio wants."""
    url = sa.make_url(settings.database_url)
    return url.set(drivername="sqlite+aiosqlite" if _is_sqlite(settings) else "postgresql+psycopg")


def plain_url(settings: Settings) -> str:
    """The database's URL as the job engine takes it: no driver named, the password in clear."""
    url = sa.make_url(settings.database_url)
    plain = url.set(drivername="sqlite" if _is_sqlite(settings) else "postgresql")
    return plain.render_as_string(hide_password=False)


def blocking_engine(settings: Settings) -> sa.Engine:
    """An engine for threads and migrations, with the same settings as the asynchronous one."""
    url = sa.make_url(settings.database_url)
    driver = "sqlite" if _is_sqlite(settings) else "postgresql+psycopg"
    engine = sa.create_engine(url.set(drivername=driver), **_options(settings))
    _prepare(engine)
    return engine


def upgrade(settings: Settings) -> None:
    """Bring our tables and the job engine's to this version; two processes may call it at once.

    Raises DatabaseUnreachable where no connection can be made.
    """
    from alembic import command

    if _is_sqlite(settings):
        Path(sa.make_url(settings.database_url).database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = blocking_engine(settings)
    try:
        with engine.connect():
            pass
        command.upgrade(alembic_config(settings), "head")
    except OperationalError:
        raise DatabaseUnreachable(engine.url.render_as_string()) from None
    finally:
        engine.dispose()
    from dbos import DBOS

    DBOS.migrate(plain_url(settings))


def require_current(settings: Settings) -> None:
    """Raise DatabaseOutdated or DatabaseUnreachable unless the database is ready for this version."""
    if _is_sqlite(settings) and not Path(sa.make_url(settings.database_url).database or "").exists():
        raise DatabaseOutdated
    engine = blocking_engine(settings)
    try:
        with engine.connect() as connection:
            if not is_current(connection):
                raise DatabaseOutdated
    except OperationalError:
        raise DatabaseUnreachable(engine.url.render_as_string()) from None
    finally:
        engine.dispose()


def is_current(connection: sa.Connection) -> bool:
    """Whether every migration of this version has been run."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    wanted = ScriptDirectory(str(MIGRATIONS)).get_heads()
    return set(MigrationContext.configure(connection).get_current_heads()) == set(wanted)


def alembic_config(settings: Settings) -> Any:
    """Alembic's configuration for these settings; independent of the folder that a process runs in."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["settings"] = settings
    return config


def _is_full(error: OperationalError) -> bool:
    if isinstance(error.orig, sqlite3.Error):
        return error.orig.sqlite_errorcode in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
    return getattr(error.orig, "sqlstate", None) == DISK_FULL


def _is_sqlite(settings: Settings) -> bool:
    return settings.database_url.startswith("sqlite")


def _options(settings: Settings) -> dict[str, Any]:
    if _is_sqlite(settings):
        return {}
    # A process that is stopped in the middle of a transaction must not hold up all others for ever.
    limit = f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_SECONDS}s"
    given = sa.make_url(settings.database_url).query.get("options", "")
    return {"pool_pre_ping": True, "connect_args": {"options": f"{given} {limit}"}}


def _prepare(engine: sa.Engine) -> None:
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        # The driver's own, late BEGIN is switched off: the listener below begins every transaction.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in SQLITE_PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))
