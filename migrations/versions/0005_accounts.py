"""Accounts, and the owners from chat as accounts.

Revision ID: 0005
Revises: 0004
"""

import secrets
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from market.db import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_account = sa.table(
    "account",
    sa.column("id", sa.String),
    sa.column("handle", sa.String),
    sa.column("name", sa.String),
    sa.column("roles", sa.JSON),
    sa.column("created_at", UtcDateTime),
)
_identity = sa.table(
    "identity",
    sa.column("subject", sa.String),
    sa.column("account_id", sa.String),
    sa.column("created_at", UtcDateTime),
)
_owned = [
    sa.table("riff", sa.column("owner", sa.String)),
    sa.table("source", sa.column("owner", sa.String)),
]


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.String(24), nullable=False),
        sa.Column("handle", sa.String(40), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("suspended_until", UtcDateTime),
        sa.Column("deleted_at", UtcDateTime),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("handle", name="uq_account_handle"),
    )
    op.create_table(
        "identity",
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("account_id", sa.String(24), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_identity"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_identity_account_id_account"),
    )
    op.create_index("ix_identity_account_id", "identity", ["account_id"])
    op.create_table(
        "sign_in_attempt",
        sa.Column("state_sha256", sa.String(64), nullable=False),
        sa.Column("browser_sha256", sa.String(64), nullable=False),
        sa.Column("verifier", sa.String(128), nullable=False),
        sa.Column("next_path", sa.String(500), nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("state_sha256", name="pk_sign_in_attempt"),
    )
    op.create_index("ix_sign_in_attempt_expires_at", "sign_in_attempt", ["expires_at"])
    op.create_table(
        "web_session",
        sa.Column("id", sa.String(24), nullable=False),
        sa.Column("account_id", sa.String(24), nullable=False),
        sa.Column("secret_sha256", sa.String(64), nullable=False),
        sa.Column("former_sha256", sa.String(64)),
        sa.Column("user_agent", sa.String(300), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("rotated_at", UtcDateTime, nullable=False),
        sa.Column("used_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_web_session"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_web_session_account_id_account"),
    )
    op.create_index("ix_web_session_account_id", "web_session", ["account_id"])
    op.create_index("ix_web_session_expires_at", "web_session", ["expires_at"])
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(24), nullable=False),
        sa.Column("account_id", sa.String(24), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("secret_sha256", sa.String(64), nullable=False),
        sa.Column("hint", sa.String(4), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("daily_quota", sa.Integer(), nullable=False),
        sa.Column("quota_day", sa.Date(), nullable=False),
        sa.Column("quota_used", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("used_at", UtcDateTime),
        sa.Column("expires_at", UtcDateTime),
        sa.Column("revoked_at", UtcDateTime),
        sa.PrimaryKeyConstraint("id", name="pk_api_token"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_api_token_account_id_account"),
        sa.UniqueConstraint("secret_sha256", name="uq_api_token_secret_sha256"),
    )
    op.create_index("ix_api_token_account_id", "api_token", ["account_id"])
    op.create_table(
        "kept_answer",
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("operation", sa.String(300), nullable=False),
        sa.Column("key_sha256", sa.String(64), nullable=False),
        sa.Column("request_sha256", sa.String(64), nullable=False),
        sa.Column("answer", sa.LargeBinary()),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("owner", "operation", "key_sha256", name="pk_kept_answer"),
    )
    op.create_index("ix_kept_answer_created_at", "kept_answer", ["created_at"])
    _people_of_chat_become_accounts(op.get_bind())


def downgrade() -> None:
    _accounts_become_people_of_chat(op.get_bind())
    for table in ("kept_answer", "api_token", "web_session", "sign_in_attempt", "identity", "account"):
        op.drop_table(table)


def _people_of_chat_become_accounts(connection: sa.Connection) -> None:
    now = datetime.now(UTC)
    for subject in sorted(_owners(connection, "discord:")):
        account_id = secrets.token_hex(12)
        connection.execute(
            _account.insert().values(
                id=account_id,
                handle=f"someone-{secrets.token_hex(5)}",
                name="Someone",
                roles=["member"],
                created_at=now,
            )
        )
        connection.execute(_identity.insert().values(subject=subject, account_id=account_id, created_at=now))
        _rename(connection, subject, f"account:{account_id}")


def _accounts_become_people_of_chat(connection: sa.Connection) -> None:
    """An account that Discord does not know keeps its owner's name: a visitor's riffs have none that says more."""
    known = sa.select(_identity.c.subject, _identity.c.account_id).where(
        _identity.c.subject.like("discord:%")
    )
    for subject, account_id in connection.execute(known.order_by(_identity.c.subject)).all():
        _rename(connection, f"account:{account_id}", subject)


def _owners(connection: sa.Connection, kind: str) -> set[str]:
    return {
        owner
        for table in _owned
        for owner in connection.scalars(
            sa.select(table.c.owner).where(table.c.owner.like(f"{kind}%")).distinct()
        )
    }


def _rename(connection: sa.Connection, old: str, new: str) -> None:
    for table in _owned:
        connection.execute(table.update().where(table.c.owner == old).values(owner=new))
