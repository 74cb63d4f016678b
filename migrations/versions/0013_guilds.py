"""What holds on each server, and which riffs hang in its gallery.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

from market.db import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "guild_settings",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channels", sa.JSON(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("max_takes", sa.Integer(), nullable=False),
        sa.Column("max_bars", sa.Integer(), nullable=False),
        sa.Column("gallery_channel", sa.BigInteger(), nullable=True),
        sa.Column("gallery_stars", sa.Integer(), nullable=False),
        sa.Column("spoiler", sa.Boolean(), nullable=False),
        sa.Column("presses", sa.String(8), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("share", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("updated_by", sa.String(24), nullable=True),
        sa.ForeignKeyConstraint(["updated_by"], ["account.id"], name="fk_guild_settings_updated_by_account"),
        sa.PrimaryKeyConstraint("guild_id", name="pk_guild_settings"),
    )
    op.create_table(
        "gallery_post",
        sa.Column("guild_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("riff_id", sa.String(24), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("origin_channel", sa.BigInteger(), nullable=False),
        sa.Column("origin_message", sa.BigInteger(), nullable=False),
        sa.Column("stars", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("starred_at", UtcDateTime, nullable=False),
        sa.Column("posted_at", UtcDateTime, nullable=True),
        sa.ForeignKeyConstraint(["riff_id"], ["riff.id"], name="fk_gallery_post_riff_id_riff"),
        sa.PrimaryKeyConstraint("guild_id", "riff_id", name="pk_gallery_post"),
    )
    op.create_index("ix_gallery_post_state", "gallery_post", ["state"])
    op.create_index("ix_gallery_post_riff", "gallery_post", ["riff_id"])
    op.create_index("ix_delivery_message", "delivery", ["message_id"])


def downgrade() -> None:
    op.drop_index("ix_delivery_message", "delivery")
    op.drop_table("gallery_post")
    op.drop_table("guild_settings")
