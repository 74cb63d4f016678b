"""People from chat become accounts, and people from chat again."""

import sqlalchemy as sa
from alembic import command

from market.accounts import service as accounts
from market.db import Database, alembic_config, blocking_engine, upgrade
from market.settings import Settings
from tests.market.test_migrations import _filled

OWNERS = ["discord:1", "discord:1", "discord:2", "visitor:ab", "cli"]


async def test_owners_from_chat_become_accounts_and_go_back(settings: Settings, database: Database) -> None:
    await database.close()
    command.downgrade(alembic_config(settings), "0004")
    engine = blocking_engine(settings)
    try:
        old = sa.MetaData()
        with engine.begin() as connection:
            old.reflect(connection, only=["riff", "source"])
            riff, source = old.tables["riff"], old.tables["source"]
            for number, owner in enumerate(OWNERS):
                row = {"id": str(number), "owner": owner}
                connection.execute(_filled(riff, **row, idempotency_key=str(number)))
                connection.execute(_filled(source, **row, sha256=str(number)))
            connection.execute(_filled(source, id="9", owner="discord:3", sha256="9"))
        upgrade(settings)
        async with database.write() as session:
            ids = {user: (await accounts.of_discord(session, user, "Ada")).id for user in (1, 2, 3)}
        with engine.connect() as connection:
            accounts_now = [
                f"account:{ids[1]}",
                f"account:{ids[1]}",
                f"account:{ids[2]}",
                "visitor:ab",
                "cli",
            ]
            for table in (riff, source):
                query = sa.select(table.c.owner).order_by(table.c.id).limit(5)
                assert list(connection.scalars(query)) == accounts_now
            people = sa.text("SELECT count(*) FROM account")
            assert connection.scalar(people) == 3
            third = sa.select(source.c.owner).where(source.c.id == "9")
            assert connection.scalar(third) == f"account:{ids[3]}"
        await database.close()
        command.downgrade(alembic_config(settings), "0004")
        with engine.connect() as connection:
            for table in (riff, source):
                query = sa.select(table.c.owner).order_by(table.c.id).limit(5)
                assert list(connection.scalars(query)) == OWNERS
        command.upgrade(alembic_config(settings), "head")
    finally:
        engine.dispose()
