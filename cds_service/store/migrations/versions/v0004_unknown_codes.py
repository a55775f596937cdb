"""Codes that were sent and were not known, counted by day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "unknown_codes",
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("need", sa.Text, nullable=False),
        sa.Column("system", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("day", "need", "system", "code", name="pk_unknown_codes"),
    )
