"""Alembic's entry: the tables of the market and of the bot, one history, on SQLite and PostgreSQL."""

import importlib
import importlib.util

import sqlalchemy as sa
from alembic import context
from dbos._schemas.system_database import SystemSchema

from market.db import Base, blocking_engine
from market.search.models import FULL_TEXT_TABLES, TRIGRAM_INDEX
from market.settings import Settings

UPGRADE_LOCK = 7_433_001

for module in ("market.models", "bot.models"):
    if importlib.util.find_spec(module) is not None:
        importlib.import_module(module)

# On SQLite the job engine's tables are beside ours; its own migrations look after them. Full text is each database's
# own, and no model's.
FOREIGN = (
    {table.name for table in SystemSchema.metadata_obj.tables.values()}
    | {"dbos_migrations"}
    | FULL_TEXT_TABLES
)


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    return not ((kind == "table" and name in FOREIGN) or (kind == "index" and name == TRIGRAM_INDEX))


def _migrate(connection: sa.Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=_is_ours,
        render_as_batch=connection.dialect.name == "sqlite",
        transactional_ddl=True,
    )
    with context.begin_transaction():
        # Two processes that upgrade at once take turns; the second finds nothing to do.
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(UPGRADE_LOCK)))
        context.run_migrations()


engine = blocking_engine(context.config.attributes.get("settings") or Settings())
with engine.connect().execution_options(sqlite_begin="BEGIN IMMEDIATE") as connection:
    _migrate(connection)
engine.dispose()
