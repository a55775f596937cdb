"""What was sent and not used, by need and reason; of what was kept before nothing is known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("consultations", sa.Column("unread", sa.Text))
