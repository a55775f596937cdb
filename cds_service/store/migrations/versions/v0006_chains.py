"""Rows in chains; what was kept before stays outside of them, since nothing proves it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    for table in ("consultations", "feedback"):
        op.add_column(table, sa.Column("chain", sa.String(16)))
        op.add_column(table, sa.Column("number", sa.Integer))
        op.add_column(table, sa.Column("hash", sa.String(64)))
        op.create_index(f"ix_{table}_chain_number", table, ["chain", "number"], unique=True)
    op.add_column("override_reasons", sa.Column("offered", sa.Boolean))
    op.create_table(
        "chains",
        sa.Column("chain", sa.String(16), nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("previous", sa.String(16)),
        sa.Column("previous_number", sa.Integer),
        sa.Column("previous_hash", sa.String(64)),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("chain", name="pk_chains"),
        sa.UniqueConstraint("place", name="uq_chains_place"),
    )
    op.create_table(
        "pruned_rows",
        sa.Column("chain", sa.String(16), nullable=False),
        sa.Column("first", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("last", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("chain", "first", name="pk_pruned_rows"),
    )
