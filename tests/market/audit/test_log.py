"""The log of who did what: it is only ever added to, with what it tells of, and its chain shows what was changed."""

import asyncio
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from market.audit import service as audit
from market.audit.repository import Filter
from market.db import Database
from market.models import AuditEntry, AuditLink, Case, CaseStep, Report
from tests.market.conftest import count, is_postgresql
from tests.market.moderation.conftest import Market
from tests.market.state import contents, nothing_changes

KEPT = ("audit_entry", "audit_link", "case_step", "report")


async def note(database: Database, *subjects: str) -> None:
    async with database.write() as session:
        for subject in subjects:
            await audit.record(
                session, "account:ada", "loop.remove", subject, reason="bells", subject="as said"
            )


async def fill(database: Database) -> None:
    """A row in every table that is only added to."""
    now = datetime.now(UTC)
    await note(database, "loop:a", "loop:b")
    async with database.write() as session:
        await audit.chain(session)
        session.add(
            Case(id="a" * 24, subject="loop:a", title="a", reason="spam", status="open", opened_at=now)
        )
        await session.flush()
        session.add(CaseStep(case_id="a" * 24, at=now, actor="system", status="open", statement="x"))
        session.add(
            Report(
                id="b" * 24,
                case_id="a" * 24,
                subject="loop:a",
                reporter="visitor:1",
                reason="spam",
                text="x",
                place="p",
                created_at=now,
            )
        )


async def test_an_entry_is_written_with_what_it_tells_of(database: Database) -> None:
    async with database.write() as session:
        undone = await session.begin_nested()
        await audit.record(session, "account:ada", "loop.remove", "loop:a")
        await undone.rollback()
    assert await count(database, AuditEntry) == 0
    await note(database, "loop:a")
    async with database.read() as session:
        [entry] = (await audit.entries(session)).entries
    assert (entry.actor, entry.action, entry.subject) == ("account:ada", "loop.remove", "loop:a")
    assert entry.details == {"reason": "bells", "subject": "as said"}
    assert entry.at.tzinfo is not None


@pytest.mark.parametrize("table", KEPT)
async def test_rows_are_never_changed_or_removed(database: Database, table: str) -> None:
    """By raw SQL on the connection of the application itself."""
    await fill(database)
    key = {"audit_link": "position", "case_step": "seq"}.get(table, "id")
    statements = [
        f"UPDATE {table} SET {key} = {key}",
        f"DELETE FROM {table}",
        f"DELETE FROM {table} WHERE {key} = (SELECT max({key}) FROM {table})",
    ]
    if is_postgresql(database):
        statements += [f"TRUNCATE {table} CASCADE", f"TRUNCATE {', '.join(KEPT)}"]
        statements.append(
            f"INSERT INTO {table} SELECT * FROM {table} ON CONFLICT ({key}) DO UPDATE SET {key} = {table}.{key}"
        )
    else:
        statements.append(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")
        statements.append(f"UPDATE OR REPLACE {table} SET {key} = (SELECT min({key}) FROM {table})")
        statements.append(
            f"INSERT INTO {table} SELECT * FROM {table} WHERE true ON CONFLICT DO UPDATE SET {key} = {key}"
        )
    async with nothing_changes(database):
        for statement in statements:
            with pytest.raises(DBAPIError, match="only ever added to"):
                await run(database, statement)


async def run(database: Database, statement: str) -> None:
    async with database.write() as session:
        await session.execute(sa.text(statement))


async def test_a_notice_is_not_replaced_through_its_other_key(database: Database) -> None:
    if is_postgresql(database):
        return
    await fill(database)
    async with nothing_changes(database):
        for statement in (
            "INSERT OR REPLACE INTO report SELECT 'c', case_id, subject, reporter, reason, 'else', claimant, contact,"
            " place, created_at FROM report",
            "INSERT OR REPLACE INTO audit_link SELECT 9, entry_id, 'else' FROM audit_link",
        ):
            with pytest.raises(DBAPIError, match="only ever added to"):
                await run(database, statement)


async def test_entries_are_read_newest_first(database: Database) -> None:
    await note(database, "loop:a", "loop:b", "loop:a", "loop:c")
    async with database.read() as session:
        page = await audit.entries(session, 3)
        assert [entry.subject for entry in page.entries] == ["loop:c", "loop:a", "loop:b"]
        rest = await audit.entries(session, 3, page.next_cursor)
        assert ([entry.subject for entry in rest.entries], rest.next_cursor) == (["loop:a"], None)
        of_a = await audit.entries(session, wanted=Filter(subject="loop:a", actor="account:ada"))
        assert len(of_a.entries) == 2
        assert (await audit.entries(session, wanted=Filter(action="loop.add"))).entries == []


async def test_the_chain_grows_behind_the_log(database: Database) -> None:
    async with database.write() as session:
        assert await audit.chain(session) == audit.Chain(0, audit.NOTHING)
    await note(database, "loop:a", "loop:b")
    async with database.write() as session:
        first = await audit.chain(session)
    assert first.length == 2
    await note(database, "loop:c")
    # Whoever writes an entry meanwhile does not wait; who chains at once takes turns.
    chains = await asyncio.gather(*(chain(database) for _ in range(4)), note(database, "loop:d"))
    assert chains[0] is not None
    last = await chain(database)
    assert last.length == 4
    assert last.digest != first.digest
    async with database.read() as session:
        assert await audit.verify(session) == last
        assert await session.scalar(sa.select(sa.func.count(sa.distinct(AuditLink.entry_id)))) == 4


async def chain(database: Database) -> audit.Chain:
    async with database.write() as session:
        return await audit.chain(session)


@pytest.mark.parametrize("crime", ["change", "remove"])
async def test_the_chain_shows_what_somebody_changed(database: Database, crime: str) -> None:
    """Somebody who owns the database can take the triggers away; the digest that was logged tells."""
    await note(database, "loop:a", "loop:b", "loop:c")
    before = await chain(database)
    async with database.write() as session:
        if is_postgresql(database):
            await session.execute(sa.text("SET LOCAL session_replication_role = replica"))
        else:
            for trigger in ("kept", "not_deleted"):
                await session.execute(sa.text(f"DROP TRIGGER audit_entry_{trigger}"))
            await session.execute(sa.text("PRAGMA defer_foreign_keys = ON"))
        if crime == "change":
            await session.execute(sa.text("UPDATE audit_entry SET actor = 'account:eve' WHERE id = 2"))
        elif is_postgresql(database):
            await session.execute(sa.text("DELETE FROM audit_entry WHERE id = 2"))
        else:
            await session.execute(sa.text("DROP TRIGGER audit_link_kept"))
            await session.execute(sa.text("DROP TRIGGER audit_link_not_deleted"))
            await session.execute(sa.text("DELETE FROM audit_link WHERE entry_id = 2"))
            await session.execute(sa.text("DELETE FROM audit_entry WHERE id = 2"))
    async with database.read() as session:
        found = await audit.verify(session)
    assert found.broken_at == 2
    assert found.digest != before.digest


async def test_moderators_read_the_log(market: Market) -> None:
    await note(market.database, "loop:a")
    program = market.moderator.program
    found = (await program.get("/v1/moderation/audit", params={"limit": 1})).json()
    [entry] = found["entries"]
    assert (entry["actor"], entry["details"]) == ("account:ada", {"reason": "bells", "subject": "as said"})
    assert found["next_cursor"] == entry["id"]
    narrowed = await program.get(
        "/v1/moderation/audit", params={"action": "loop.remove", "subject": "loop:a"}
    )
    assert len(narrowed.json()["entries"]) == 1
    older = await program.get("/v1/moderation/audit", params={"cursor": found["next_cursor"]})
    assert entry["id"] not in [each["id"] for each in older.json()["entries"]]
    async with nothing_changes(market.database):
        for params in (
            {"cursor": "x"},
            {"cursor": -1},
            {"limit": 0},
            {"limit": 10**9},
            {"actor": "' OR 1=1"},
        ):
            assert (await program.get("/v1/moderation/audit", params=params)).status_code == 422
        for other, status in ((market.ada, 403), (market.moderator, 403)):
            answer = await other.program.post("/v1/moderation/audit/verification")
            assert answer.status_code == status
        assert (await market.visitor.post("/v1/moderation/audit/verification")).status_code == 401
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert (await program.request(method, "/v1/moderation/audit")).status_code == 405
    checked = (await market.admin.program.post("/v1/moderation/audit/verification")).json()
    entries = len((await contents(market.database))["audit_entry"])
    assert (checked["intact"], checked["length"], checked["broken_at"]) == (True, entries, None)
