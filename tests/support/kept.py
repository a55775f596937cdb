"""What the tests of the store have in common: calls to keep, feedback, a database to keep it in."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from msgspec import structs

from cds_service.cdshooks.feedback import Feedback, Reason
from cds_service.store.audit import Call, Card, Evaluation, RuleOutcome, Suggested
from cds_service.store.database import Database, tables

NOW = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
ON_POSTGRESQL = pytest.param(
    "postgresql", marks=pytest.mark.needs_environment("CDS_TEST_POSTGRESQL")
)
HOOK_INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"


@contextmanager
def database_on_postgresql() -> Iterator[str]:
    """The address of a new database there, dropped at the end."""
    server = os.environ["CDS_TEST_POSTGRESQL"]
    name = f"test_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
        try:
            yield re.sub(r"/\w+$", f"/{name}", server)
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[arg-type]


def card(uuid: str = "card-1", **changes: Any) -> Card:
    one = Card(
        uuid,
        "RTE-07",
        "RTE-07.oral",
        "B12RTE07oral",
        "warning",
        "0f" * 16,
        (Suggested(f"{uuid}-s1", "DOSE-B", True), Suggested(f"{uuid}-s2", "DOSE-A", False)),
    )
    return structs.replace(one, **changes)


def evaluation(*cards: Card, **changes: Any) -> Evaluation:
    one = Evaluation(
        guideline="b12-under-two",
        edition="1.0",
        outcome="advice" if cards else "nothing to say",
        rules=(
            RuleOutcome("RTE-07", "recommended"),
            RuleOutcome("MAT-01", "not indicated", because="The mother is known."),
            RuleOutcome("MON-02", "cannot tell", missing=("potassium",)),
        ),
        fired=("AGE-06", "RTE-07"),
        cards=cards,
        missing=("diet",),
        needs={"patient": "present prefetch", "diet": "absent"},
        durations={"gather": 0.2, "read": 0.9},
    )
    return structs.replace(one, **changes)


def call(*cards: Card, **changes: Any) -> Call:
    one = Call(
        service="b12-under-two-patient-view",
        hook="patient-view",
        status=200,
        ms=3.5,
        hook_instance=HOOK_INSTANCE,
        patient_id="SECRET-patient",
        user_id="Practitioner/SECRET-user",
        as_of="2026-01-15",
        evaluation=evaluation(*cards),
    )
    return structs.replace(one, **changes)


def accepted(card: str = "card-1", *suggestions: str) -> Feedback:
    return Feedback(card, "accepted", NOW, suggestions or (f"{card}-s1",))


def overridden(card: str = "card-1", **changes: Any) -> Feedback:
    one = Feedback(
        card,
        "overridden",
        NOW,
        reasons=(Reason("http://example.org/reasons", "already-treated", "Already treated"),),
        comment="SECRET comment",
    )
    return structs.replace(one, **changes)


def count(database: Database, table: str) -> int:
    with database._transaction(read_only=True) as connection:
        statement = sa.select(sa.func.count()).select_from(tables.tables[table])
        return connection.execute(statement).scalar_one()


def everything(database: Database) -> str:
    """All that the database holds, as text."""
    with database._transaction(read_only=True) as connection:
        return "\n".join(
            str(row) for table in tables.sorted_tables for row in connection.execute(table.select())
        )
