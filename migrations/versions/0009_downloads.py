"""The log of downloads.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

from market.db import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "download",
        sa.Column("link", sa.String(64), nullable=False),
        sa.Column("loop_id", sa.String(32), nullable=False),
        sa.Column("grant_code", sa.String(32)),
        sa.Column("account_id", sa.String(24)),
        sa.Column("format", sa.String(8), nullable=False),
        sa.Column("first_range", sa.String(64)),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("bytes_sent", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(32), nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("last_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("link", name="pk_download"),
        sa.ForeignKeyConstraint(["loop_id"], ["loop.id"], name="fk_download_loop_id_loop"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_download_account_id_account"),
    )
    op.create_index("ix_download_loop", "download", ["loop_id", "started_at"])
    op.create_index("ix_download_account", "download", ["account_id", "started_at"])
    op.create_index("ix_download_started", "download", ["started_at", "link"])
    op.create_index("ix_download_grant_code", "download", ["grant_code"])


def downgrade() -> None:
    op.drop_table("download")
