"""Sounds that people brought, riffs that start from a sound, and loops that are songs or have stems.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from market.db import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "source",
        sa.Column("id", sa.String(24), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("bpm", sa.Double(), nullable=False),
        sa.Column("metre", sa.String(8), nullable=False),
        sa.Column("downbeat", sa.Integer(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("used_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_source"),
        sa.UniqueConstraint("owner", "sha256", name="uq_source_owner_sha256"),
    )
    op.create_index("ix_source_sha256", "source", ["sha256"])
    op.create_index("ix_source_owner", "source", ["owner", "created_at"])
    op.create_index("ix_source_used", "source", ["used_at"])

    op.add_column("riff", sa.Column("source", sa.String(64)))
    op.create_index("ix_riff_source", "riff", ["source"])

    op.add_column("loop", sa.Column("kind", sa.String(8), nullable=False, server_default="loop"))
    op.add_column("loop", sa.Column("pictures", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("loop", sa.Column("stems", sa.JSON(), nullable=False, server_default="{}"))
    op.create_index("ix_loop_sha256", "loop", ["sha256"])


def downgrade() -> None:
    op.drop_index("ix_loop_sha256", "loop")
    with op.batch_alter_table("loop") as loop:
        loop.drop_column("stems")
        loop.drop_column("pictures")
        loop.drop_column("kind")
    op.drop_index("ix_riff_source", "riff")
    # Not in a batch, which would drop the table that loops refer to.
    op.drop_column("riff", "source")
    op.drop_table("source")
