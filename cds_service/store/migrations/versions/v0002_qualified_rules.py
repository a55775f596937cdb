"""The ids of rules with the guideline they are of: two guidelines may both have a STAT-02.

What was kept before says in its consultation which guideline answered.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_consultations = sa.table(
    "consultations", sa.column("id"), sa.column("guideline"), sa.column("rules"), sa.column("fired")
)
#: Rows written at a time.
_PAGE = 1000


def upgrade() -> None:
    for table in ("cards", "suggestions"):
        rules = sa.table(table, sa.column("consultation"), sa.column("rule"))
        of_its_consultation = sa.select(_consultations.c.guideline).where(
            _consultations.c.id == rules.c.consultation
        )
        qualified = of_its_consultation.scalar_subquery() + "/" + rules.c.rule
        op.execute(sa.update(rules).values(rule=qualified))
    connection, last = op.get_bind(), ""
    own = _consultations.c
    evaluated = sa.select(_consultations).where(own.guideline.is_not(None)).order_by(own.id)
    rewrite = (
        sa.update(_consultations)
        .where(own.id == sa.bindparam("name"))
        .values(rules=sa.bindparam("new_rules"), fired=sa.bindparam("new_fired"))
    )
    while page := connection.execute(evaluated.where(own.id > last).limit(_PAGE)).all():
        connection.execute(rewrite, [_qualified(row) for row in page])
        last = page[-1].id


def _qualified(row: Any) -> dict[str, str]:
    rules, fired = json.loads(row.rules), json.loads(row.fired)
    for one in rules:
        one["rule"] = f"{row.guideline}/{one['rule']}"
    return {
        "name": row.id,
        "new_rules": _written(rules),
        "new_fired": _written([f"{row.guideline}/{rule}" for rule in fired]),
    }


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
