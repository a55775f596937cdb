"""Free words of feedback, encrypted; those kept before stay in the clear until they are sealed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("feedback", sa.Column("sealed", sa.Text))
