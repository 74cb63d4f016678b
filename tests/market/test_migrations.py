"""One history for both databases."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from market.db import Base, alembic_config, blocking_engine, require_current, upgrade
from market.errors import DatabaseOutdated, DatabaseUnreachable
from market.models import Loop, RiffOrder
from market.settings import Settings
from tests import postgresql
from tests.conftest import ROOT, environment_of, settings_in


def tables(settings: Settings) -> set[str]:
    engine = blocking_engine(settings)
    try:
        return set(sa.inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_models_and_migrations_agree(settings: Settings) -> None:
    command.check(alembic_config(settings))


def test_down_and_up_again(settings: Settings) -> None:
    ours = set(Base.metadata.tables)
    assert ours <= tables(settings)
    command.downgrade(alembic_config(settings), "base")
    assert not ours & tables(settings)
    with pytest.raises(DatabaseOutdated, match="riff db upgrade"):
        require_current(settings)
    upgrade(settings)
    assert ours <= tables(settings)
    require_current(settings)


def test_loops_from_before_metres_and_kinds_are_loops_in_four(settings: Settings) -> None:
    command.downgrade(alembic_config(settings), "0002")
    engine = blocking_engine(settings)
    try:
        with engine.begin() as connection:
            old = sa.MetaData()
            old.reflect(connection, only=["riff", "loop"])
            riff, loop = old.tables["riff"], old.tables["loop"]
            connection.execute(_filled(riff, id="a"))
            connection.execute(_filled(loop, id="a-0", riff_id="a"))
        upgrade(settings)
        with engine.connect() as connection:
            columns = (Loop.id, Loop.metre, Loop.kind, Loop.pictures, Loop.stems)
            assert connection.execute(sa.select(*columns)).all() == [("a-0", "4/4", "loop", {}, {})]
            assert connection.scalar(sa.select(RiffOrder.source)) is None
        # And back, with rows that refer to each other.
        command.downgrade(alembic_config(settings), "0002")
        with engine.connect() as connection:
            assert connection.scalar(sa.select(sa.func.count()).select_from(sa.table("loop"))) == 1
    finally:
        engine.dispose()


def test_processes_that_upgrade_at_once_take_turns(settings: Settings) -> None:
    command.downgrade(alembic_config(settings), "base")
    with ThreadPoolExecutor() as pool:
        upgrades = [pool.submit(_upgrade_elsewhere, settings) for _ in range(3)]
        assert [upgrade.result() for upgrade in upgrades] == [""] * 3
    require_current(settings)


def test_sqlite_is_set_up_as_it_should_be(sqlite_template: Path) -> None:
    engine = blocking_engine(settings_in(sqlite_template.parent))
    with engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 30_000}


def test_postgresql_is_set_up_as_it_should_be(postgresql_template: str, tmp_path: Path) -> None:
    """A stopped process lets go of its locks; `options` of the address stay in force."""
    address = postgresql.address(postgresql_template)
    for url, search_path in [
        (address, '"$user", public'),
        (f"{address}?options=-csearch_path%3Dnone", "none"),
    ]:
        engine = blocking_engine(settings_in(tmp_path, database_url=url))
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar() == "10s"
            assert connection.exec_driver_sql("SHOW search_path").scalar() == search_path
        engine.dispose()


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatabaseOutdated):
        require_current(settings_in(tmp_path))
    assert list(tmp_path.iterdir()) == []
    nowhere = settings_in(tmp_path, database_url="postgresql://riff:secret@127.0.0.1:1/riff")
    for attempt in (require_current, upgrade):
        with pytest.raises(DatabaseUnreachable, match="cannot be reached") as refusal:
            attempt(nowhere)
        assert "secret" not in str(refusal.value)


def _filled(table: sa.Table, **values: object) -> sa.Insert:
    """A row in which every column that must not be empty has something."""
    blanks = {str: "x", int: 1, float: 1.0, object: {}, datetime: datetime.now(UTC)}
    needed = {column.name: blanks[column.type.python_type] for column in table.c if not column.nullable}
    return table.insert().values(needed | values)


def _upgrade_elsewhere(settings: Settings) -> str:
    """What another process, in another folder, has to say while it upgrades."""
    code = "from market.db import upgrade; from market.settings import Settings; upgrade(Settings())"
    environment = {"PYTHONPATH": str(ROOT), **environment_of(settings)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=settings.data_dir.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr
