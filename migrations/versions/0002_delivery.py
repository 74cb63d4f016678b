"""Deliveries: where riffs that were asked for in chat have to arrive.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from market.db import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "delivery",
        sa.Column("riff_id", sa.String(24), sa.ForeignKey("riff.id", name="fk_delivery_riff_id_riff")),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("application_id", sa.BigInteger, nullable=False),
        sa.Column("interaction_token", sa.Text),
        sa.Column("token_expires_at", UtcDateTime, nullable=False),
        sa.Column("guild_id", sa.BigInteger),
        sa.Column("channel_id", sa.BigInteger),
        sa.Column("message_id", sa.BigInteger),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("filesize_limit", sa.BigInteger, nullable=False),
        sa.Column("posted_event_seq", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("last_error", sa.Text),
        sa.Column("delivered_at", UtcDateTime),
        sa.PrimaryKeyConstraint("riff_id", name="pk_delivery"),
    )
    op.create_index("ix_delivery_state", "delivery", ["state"])


def downgrade() -> None:
    op.drop_table("delivery")
