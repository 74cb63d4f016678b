"""Riffs, what happens to them, their loops, and the workers' signs of life.

Revision: 0001, the first
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "riff",
        sa.Column("id", sa.String(24), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("door", sa.String(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_riff"),
        sa.UniqueConstraint("idempotency_key", name="uq_riff_idempotency_key"),
    )
    op.create_index("ix_riff_queue", "riff", ["status", "created_at", "id"])
    op.create_index("ix_riff_owner", "riff", ["owner", "status"])
    op.create_index("ix_riff_finished", "riff", ["status", "finished_at"])

    op.create_table(
        "riff_event",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("riff_id", sa.String(24), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["riff_id"], ["riff.id"], name="fk_riff_event_riff_id_riff"),
        sa.PrimaryKeyConstraint("seq", name="pk_riff_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_riff_event_riff", "riff_event", ["riff_id", "seq"])

    op.create_table(
        "loop",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("riff_id", sa.String(24), nullable=False),
        sa.Column("take", sa.Integer(), nullable=False),
        sa.Column("prompt", sa.String(), nullable=False),
        sa.Column("bpm", sa.Double(), nullable=False),
        sa.Column("key", sa.String(), nullable=True),
        sa.Column("bars", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("recipe", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wav", sa.String(), nullable=False),
        sa.Column("mp3", sa.String(), nullable=False),
        sa.Column("png", sa.String(), nullable=False),
        sa.Column("peaks", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["riff_id"], ["riff.id"], name="fk_loop_riff_id_riff"),
        sa.PrimaryKeyConstraint("id", name="pk_loop"),
        sa.UniqueConstraint("riff_id", "take", name="uq_loop_riff_id_take"),
    )
    op.create_index("ix_loop_recent", "loop", ["created_at", "id"])

    op.create_table(
        "worker_beat",
        sa.Column("executor_id", sa.String(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("executor_id", name="pk_worker_beat"),
    )


def downgrade() -> None:
    op.drop_table("worker_beat")
    op.drop_table("loop")
    op.drop_table("riff_event")
    op.drop_table("riff")
