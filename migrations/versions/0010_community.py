"""Favourites, collections, ratings, plays, standings and creators' profiles.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

from market.db import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "favourite",
        sa.Column("account_id", sa.String(24), nullable=False),
        sa.Column("loop_id", sa.String(32), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "loop_id", name="pk_favourite"),
        _to_account("favourite", "account_id"),
        _to_loop("favourite"),
    )
    op.create_index("ix_favourite_recent", "favourite", ["account_id", "created_at", "loop_id"])
    op.create_index("ix_favourite_loop", "favourite", ["loop_id", "created_at"])

    op.create_table(
        "collection",
        sa.Column("id", sa.String(24), nullable=False),
        sa.Column("owner_id", sa.String(24), nullable=False),
        sa.Column("title", sa.String(100), nullable=False),
        sa.Column("description", sa.String(2000), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_collection"),
        _to_account("collection", "owner_id"),
    )
    op.create_index("ix_collection_owner", "collection", ["owner_id", "updated_at", "id"])
    op.create_index("ix_collection_public", "collection", ["public", "updated_at", "id"])

    op.create_table(
        "collection_item",
        sa.Column("collection_id", sa.String(24), nullable=False),
        sa.Column("loop_id", sa.String(32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(500), nullable=False),
        sa.Column("added_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("collection_id", "loop_id", name="pk_collection_item"),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["collection.id"],
            name="fk_collection_item_collection_id_collection",
            ondelete="CASCADE",
        ),
        _to_loop("collection_item"),
    )
    op.create_index("ix_collection_item_order", "collection_item", ["collection_id", "position"])
    op.create_index("ix_collection_item_loop", "collection_item", ["loop_id"])

    op.create_table(
        "rating",
        sa.Column("id", sa.String(24), nullable=False),
        sa.Column("loop_id", sa.String(32), nullable=False),
        sa.Column("account_id", sa.String(24), nullable=False),
        sa.Column("stars", sa.Integer(), nullable=False),
        sa.Column("comment", sa.String(2000), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("hidden_at", UtcDateTime),
        sa.Column("hidden_because", sa.String(300)),
        sa.PrimaryKeyConstraint("id", name="pk_rating"),
        sa.UniqueConstraint("loop_id", "account_id", name="uq_rating_loop_id_account_id"),
        sa.CheckConstraint("stars BETWEEN 1 AND 5", name="ck_rating_stars"),
        _to_account("rating", "account_id"),
        _to_loop("rating"),
    )
    op.create_index("ix_rating_recent", "rating", ["loop_id", "created_at", "id"])
    op.create_index("ix_rating_account", "rating", ["account_id"])

    op.create_table(
        "play",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("loop_id", sa.String(32), nullable=False),
        sa.Column("listener", sa.String(32), nullable=False),
        sa.Column("place", sa.String(32), nullable=False),
        sa.Column("newcomer", sa.Boolean(), nullable=False),
        sa.Column("folded", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("day", "loop_id", "listener", name="pk_play"),
    )
    op.create_index("ix_play_place", "play", ["day", "loop_id", "place"])
    unfolded = sa.text("NOT folded")
    op.create_index("ix_play_unfolded", "play", ["loop_id"], postgresql_where=unfolded, sqlite_where=unfolded)

    op.create_table(
        "loop_day",
        sa.Column("loop_id", sa.String(32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("plays", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("loop_id", "day", name="pk_loop_day"),
        _to_loop("loop_day"),
    )

    op.create_table(
        "loop_touch",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False, autoincrement=True
        ),
        sa.Column("loop_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_loop_touch"),
        sqlite_autoincrement=True,
    )

    op.create_table(
        "loop_standing",
        sa.Column("loop_id", sa.String(32), nullable=False),
        sa.Column("plays", sa.Integer(), nullable=False),
        sa.Column("downloads", sa.Integer(), nullable=False),
        sa.Column("favourites", sa.Integer(), nullable=False),
        sa.Column("licences", sa.Integer(), nullable=False),
        sa.Column("ratings", sa.Integer(), nullable=False),
        sa.Column("stars", sa.Integer(), nullable=False),
        sa.Column("score_day", sa.Double(), nullable=False),
        sa.Column("score_week", sa.Double(), nullable=False),
        sa.Column("score_month", sa.Double(), nullable=False),
        sa.Column("score_all", sa.Double(), nullable=False),
        sa.Column("told", sa.Double(), nullable=False),
        sa.Column("active_on", sa.Date(), nullable=False),
        sa.Column("folded_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("loop_id", name="pk_loop_standing"),
        _to_loop("loop_standing"),
    )
    for chart in ("day", "week", "month", "all"):
        op.create_index(f"ix_loop_standing_{chart}", "loop_standing", [f"score_{chart}", "loop_id"])

    op.create_table(
        "fold_mark",
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("key", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_fold_mark"),
    )

    op.create_table(
        "creator_profile",
        sa.Column("account_id", sa.String(24), nullable=False),
        sa.Column("bio", sa.String(1000), nullable=False),
        sa.Column("links", sa.JSON(), nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_creator_profile"),
        _to_account("creator_profile", "account_id"),
    )


def downgrade() -> None:
    for table in (
        "creator_profile",
        "fold_mark",
        "loop_standing",
        "loop_touch",
        "loop_day",
        "play",
        "rating",
        "collection_item",
        "collection",
        "favourite",
    ):
        op.drop_table(table)


def _to_account(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["account.id"], name=f"fk_{table}_{column}_account")


def _to_loop(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["loop_id"], ["loop.id"], name=f"fk_{table}_loop_id_loop", ondelete="CASCADE"
    )
