"""A sum beside each row that a restart continues from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("trailing_stop_state", sa.Column("checksum", sa.Text()))
    op.add_column("intents", sa.Column("checksum", sa.Text()))
