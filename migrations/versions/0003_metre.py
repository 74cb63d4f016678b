"""The metre of a loop; what was made before is in 4/4.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("loop", sa.Column("metre", sa.String(8), nullable=False, server_default="4/4"))


def downgrade() -> None:
    with op.batch_alter_table("loop") as loop:
        loop.drop_column("metre")
