"""Licences that never change, their revocations, their channels, and the keys that sign them.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

from market.db import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# What may still change: the day that a key ends, and that a channel is taken off the list. Both once.
FIXED = {
    "licence_key": "NEW.id IS DISTINCT FROM OLD.id OR NEW.public IS DISTINCT FROM OLD.public "
    "OR NEW.valid_from IS DISTINCT FROM OLD.valid_from OR OLD.valid_until IS NOT NULL",
    "licence_grant": "TRUE",
    "licence_revocation": "TRUE",
    "licence_channel": "NEW.id IS DISTINCT FROM OLD.id OR NEW.code IS DISTINCT FROM OLD.code "
    "OR NEW.platform IS DISTINCT FROM OLD.platform OR NEW.url IS DISTINCT FROM OLD.url "
    "OR NEW.added_at IS DISTINCT FROM OLD.added_at OR NEW.expires_at IS DISTINCT FROM OLD.expires_at "
    "OR OLD.removed_at IS NOT NULL",
}
# SQLite's INSERT OR REPLACE deletes without asking the DELETE trigger.
UNIQUE = {
    "licence_key": "id = NEW.id",
    "licence_grant": "code = NEW.code OR intent = NEW.intent",
    "licence_revocation": "code = NEW.code",
    "licence_channel": "id = NEW.id OR (code = NEW.code AND url = NEW.url AND removed_at IS NULL)",
}


def upgrade() -> None:
    op.create_table(
        "licence_key",
        sa.Column("id", sa.String(43), nullable=False),
        sa.Column("public", sa.LargeBinary, nullable=False),
        sa.Column("valid_from", UtcDateTime, nullable=False),
        sa.Column("valid_until", UtcDateTime),
        sa.PrimaryKeyConstraint("id", name="pk_licence_key"),
    )
    op.create_table(
        "licence_grant",
        sa.Column("code", sa.String(20), nullable=False),
        sa.Column("intent", sa.String(200), nullable=False),
        sa.Column("tier", sa.String(16), nullable=False),
        sa.Column("terms_version", sa.String(16), nullable=False),
        sa.Column("terms_sha256", sa.String(64), nullable=False),
        sa.Column("uses", sa.JSON, nullable=False),
        sa.Column("limits", sa.JSON, nullable=False),
        sa.Column("loop_id", sa.String(32), nullable=False),
        sa.Column("loop_sha256", sa.String(64), nullable=False),
        sa.Column("loop_title", sa.String(100), nullable=False),
        sa.Column("creator_id", sa.String(24), nullable=False),
        sa.Column("creator_name", sa.String(80), nullable=False),
        sa.Column("account_id", sa.String(24), nullable=False),
        sa.Column("licensee", sa.String(120), nullable=False),
        sa.Column("project", sa.String(160), nullable=False),
        sa.Column("show_licensee", sa.Boolean, nullable=False),
        sa.Column("channels", sa.JSON, nullable=False),
        sa.Column("price_cents", sa.Integer, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("granted_at", UtcDateTime, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("key_id", sa.String(43), nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_licence_grant"),
        sa.UniqueConstraint("intent", name="uq_licence_grant_intent"),
        sa.ForeignKeyConstraint(["loop_id"], ["loop.id"], name="fk_licence_grant_loop_id_loop"),
        sa.ForeignKeyConstraint(["creator_id"], ["account.id"], name="fk_licence_grant_creator_id_account"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_licence_grant_account_id_account"),
        sa.ForeignKeyConstraint(["key_id"], ["licence_key.id"], name="fk_licence_grant_key_id_licence_key"),
    )
    op.create_index("ix_licence_grant_loop", "licence_grant", ["loop_id", "account_id"])
    op.create_index("ix_licence_grant_account", "licence_grant", ["account_id", "granted_at"])
    op.create_index("ix_licence_grant_sound", "licence_grant", ["loop_sha256", "tier"])
    op.create_index("ix_licence_grant_granted", "licence_grant", ["granted_at", "code"])
    op.create_table(
        "licence_revocation",
        sa.Column("code", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("revoked_by", sa.String(80), nullable=False),
        sa.Column("revoked_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_licence_revocation"),
        sa.ForeignKeyConstraint(
            ["code"], ["licence_grant.code"], name="fk_licence_revocation_code_licence_grant"
        ),
    )
    op.create_index("ix_licence_revocation_revoked", "licence_revocation", ["revoked_at", "code"])
    op.create_table(
        "licence_channel",
        sa.Column("id", sa.String(24), nullable=False),
        sa.Column("code", sa.String(20), nullable=False),
        sa.Column("platform", sa.String(16), nullable=False),
        sa.Column("url", sa.String(300), nullable=False),
        sa.Column("added_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime),
        sa.Column("removed_at", UtcDateTime),
        sa.PrimaryKeyConstraint("id", name="pk_licence_channel"),
        sa.ForeignKeyConstraint(
            ["code"], ["licence_grant.code"], name="fk_licence_channel_code_licence_grant"
        ),
    )
    op.create_index("ix_licence_channel_url", "licence_channel", ["url"])
    op.create_index("ix_licence_channel_code", "licence_channel", ["code"])
    listed = sa.text("removed_at IS NULL")
    op.create_index(
        "uq_licence_channel_listed",
        "licence_channel",
        ["code", "url"],
        unique=True,
        sqlite_where=listed,
        postgresql_where=listed,
    )
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def downgrade() -> None:
    for table in ("licence_channel", "licence_revocation", "licence_grant", "licence_key"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION licence_is_kept()")


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION licence_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'a row of % never changes', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$"
    )
    for table, changed in FIXED.items():
        op.execute(
            f"CREATE TRIGGER {table}_unchanged BEFORE UPDATE ON {table} FOR EACH ROW "
            f"WHEN ({changed}) EXECUTE FUNCTION licence_is_kept()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_undeleted BEFORE DELETE ON {table} FOR EACH ROW "
            "EXECUTE FUNCTION licence_is_kept()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_untruncated BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION licence_is_kept()"
        )


def _guard_sqlite() -> None:
    for table, changed in FIXED.items():
        # SQLite took up the standard's words in 3.39 only.
        changed = changed.replace("IS DISTINCT FROM", "IS NOT")
        refuse = f"BEGIN SELECT RAISE(ABORT, 'a row of {table} never changes'); END"
        op.execute(f"CREATE TRIGGER {table}_unchanged BEFORE UPDATE ON {table} WHEN {changed} {refuse}")
        op.execute(f"CREATE TRIGGER {table}_undeleted BEFORE DELETE ON {table} {refuse}")
        known = f"EXISTS (SELECT 1 FROM {table} WHERE {UNIQUE[table]})"  # noqa: S608
        op.execute(f"CREATE TRIGGER {table}_unreplaced BEFORE INSERT ON {table} WHEN {known} {refuse}")
