"""Listings: what a creator says of a loop and asks for it, their tags, and the sub-prints that find duplicates.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from market.db import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "listing",
        sa.Column("loop_id", sa.String(32), nullable=False),
        sa.Column("creator_id", sa.String(24), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("title", sa.String(100), nullable=False),
        sa.Column("description", sa.String(2000), nullable=False, server_default=""),
        sa.Column("prices", sa.JSON(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False, server_default="usd"),
        sa.Column("free", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("tags_edited", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("rights_confirmed_at", UtcDateTime),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("published_at", UtcDateTime),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("energy", sa.Double()),
        sa.Column("brightness", sa.Double()),
        sa.Column("analysis", sa.JSON(), nullable=False, server_default="{}"),
        sa.Column("fingerprint", sa.LargeBinary()),
        sa.Column("embedding", sa.LargeBinary()),
        sa.ForeignKeyConstraint(["loop_id"], ["loop.id"], name="fk_listing_loop_id_loop"),
        sa.ForeignKeyConstraint(["creator_id"], ["account.id"], name="fk_listing_creator_id_account"),
        sa.PrimaryKeyConstraint("loop_id", name="pk_listing"),
    )
    op.create_index("ix_listing_published", "listing", ["status", "published_at", "loop_id"])
    op.create_index("ix_listing_creator", "listing", ["creator_id", "status", "published_at"])

    op.create_table(
        "listing_tag",
        sa.Column("loop_id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("value", sa.String(40), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("origin", sa.String(8), nullable=False),
        sa.ForeignKeyConstraint(["loop_id"], ["listing.loop_id"], name="fk_listing_tag_loop_id_listing"),
        sa.PrimaryKeyConstraint("loop_id", "kind", "value", name="pk_listing_tag"),
    )
    op.create_index("ix_listing_tag_value", "listing_tag", ["kind", "value", "loop_id"])

    op.create_table(
        "listing_print",
        sa.Column("hash", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("loop_id", sa.String(32), nullable=False),
        sa.ForeignKeyConstraint(["loop_id"], ["listing.loop_id"], name="fk_listing_print_loop_id_listing"),
        sa.PrimaryKeyConstraint("hash", "loop_id", name="pk_listing_print"),
    )
    op.create_index("ix_listing_print_loop_id", "listing_print", ["loop_id"])

    op.create_table(
        "loop_taken_down",
        sa.Column("loop_id", sa.String(32), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["loop_id"], ["loop.id"], name="fk_loop_taken_down_loop_id_loop"),
        sa.PrimaryKeyConstraint("loop_id", name="pk_loop_taken_down"),
    )


def downgrade() -> None:
    op.drop_table("loop_taken_down")
    op.drop_table("listing_print")
    op.drop_table("listing_tag")
    op.drop_table("listing")
