"""The audit log, reports and their cases, strikes, blocked words.

What is a notice or a log is only ever added to: triggers refuse everything else, whoever is connected.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

from market.db import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# With what makes a row of each the same as another.
APPENDED = {
    "audit_entry": ("id = NEW.id",),
    "audit_link": ("position = NEW.position", "entry_id = NEW.entry_id"),
    "case_step": ("seq = NEW.seq",),
    "report": ("id = NEW.id", "case_id = NEW.case_id AND reporter = NEW.reporter"),
}
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LIVE = sa.text("status IN ('open', 'upheld', 'countered')")


def upgrade() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("action", sa.String(60), nullable=False),
        sa.Column("subject", sa.String(120), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entry"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_entry_subject", "audit_entry", ["subject", "id"])
    op.create_index("ix_audit_entry_actor", "audit_entry", ["actor", "id"])
    op.create_table(
        "audit_link",
        sa.Column("position", NUMBER, autoincrement=False, nullable=False),
        sa.Column("entry_id", NUMBER, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["audit_entry.id"], name="fk_audit_link_entry_id_audit_entry"),
        sa.PrimaryKeyConstraint("position", name="pk_audit_link"),
        sa.UniqueConstraint("entry_id", name="uq_audit_link_entry_id"),
    )
    op.create_table(
        "moderation_case",
        sa.Column("id", sa.String(24), nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("accused_id", sa.String(24), nullable=True),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("status_before", sa.String(12), nullable=True),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.Column("deadline", UtcDateTime, nullable=True),
        sa.ForeignKeyConstraint(["accused_id"], ["account.id"], name="fk_moderation_case_accused_id_account"),
        sa.PrimaryKeyConstraint("id", name="pk_moderation_case"),
    )
    op.create_index(
        "uq_moderation_case_live",
        "moderation_case",
        ["subject"],
        unique=True,
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    )
    op.create_index("ix_moderation_case_subject", "moderation_case", ["subject"])
    op.create_index("ix_moderation_case_queue", "moderation_case", ["status", "opened_at", "id"])
    op.create_index("ix_moderation_case_accused", "moderation_case", ["accused_id", "opened_at"])
    op.create_index("ix_moderation_case_deadline", "moderation_case", ["deadline"])
    op.create_table(
        "case_step",
        sa.Column("seq", NUMBER, autoincrement=True, nullable=False),
        sa.Column("case_id", sa.String(24), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("statement", sa.String(), nullable=False),
        sa.Column("contact", sa.String(400), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"], ["moderation_case.id"], name="fk_case_step_case_id_moderation_case"
        ),
        sa.PrimaryKeyConstraint("seq", name="pk_case_step"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_case_step_case", "case_step", ["case_id", "seq"])
    op.create_table(
        "report",
        sa.Column("id", sa.String(24), nullable=False),
        sa.Column("case_id", sa.String(24), nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("reporter", sa.String(80), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("claimant", sa.String(200), nullable=True),
        sa.Column("contact", sa.String(200), nullable=True),
        sa.Column("place", sa.String(32), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["moderation_case.id"], name="fk_report_case_id_moderation_case"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_report"),
        sa.UniqueConstraint("case_id", "reporter", name="uq_report_case_id_reporter"),
    )
    op.create_index("ix_report_reporter", "report", ["reporter", "created_at"])
    op.create_index("ix_report_place", "report", ["place"])
    op.create_index("ix_report_recent", "report", ["created_at", "id"])
    op.create_table(
        "strike",
        sa.Column("id", sa.String(24), nullable=False),
        sa.Column("account_id", sa.String(24), nullable=False),
        sa.Column("case_id", sa.String(24), nullable=False),
        sa.Column("given_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("lifted_at", UtcDateTime, nullable=True),
        sa.Column("suspended_until", UtcDateTime, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_strike_account_id_account"),
        sa.ForeignKeyConstraint(
            ["case_id"], ["moderation_case.id"], name="fk_strike_case_id_moderation_case"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_strike"),
        sa.UniqueConstraint("case_id", name="uq_strike_case_id"),
    )
    op.create_index("ix_strike_account", "strike", ["account_id", "expires_at"])
    op.create_table(
        "blocked_word",
        sa.Column("id", sa.String(24), nullable=False),
        sa.Column("guild_id", sa.String(20), server_default="", nullable=False),
        sa.Column("word", sa.String(80), nullable=False),
        sa.Column("note", sa.String(200), server_default="", nullable=False),
        sa.Column("added_by", sa.String(80), nullable=False),
        sa.Column("added_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_blocked_word"),
        sa.UniqueConstraint("guild_id", "word", name="uq_blocked_word_guild_id_word"),
    )
    if op.get_bind().dialect.name == "postgresql":
        _seal_postgresql()
    else:
        _seal_sqlite()


def downgrade() -> None:
    for table in (
        "blocked_word",
        "strike",
        "report",
        "case_step",
        "moderation_case",
        "audit_link",
        "audit_entry",
    ):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION only_appended()")


def _seal_postgresql() -> None:
    op.execute(
        """
        CREATE FUNCTION only_appended() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    for table in APPENDED:
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION only_appended()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION only_appended()"
        )


def _seal_sqlite() -> None:
    for table, same in APPENDED.items():
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is only ever added to'); END"
        op.execute(f"CREATE TRIGGER {table}_kept BEFORE UPDATE ON {table} {refuse}")
        op.execute(f"CREATE TRIGGER {table}_not_deleted BEFORE DELETE ON {table} {refuse}")
        # INSERT OR REPLACE takes the old row away without asking the trigger above.
        taken = f"EXISTS (SELECT 1 FROM {table} WHERE {' OR '.join(same)})"  # noqa: S608
        op.execute(f"CREATE TRIGGER {table}_not_replaced BEFORE INSERT ON {table} WHEN {taken} {refuse}")
