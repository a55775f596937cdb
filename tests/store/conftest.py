"""A fresh database for each test, the same tests on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kept import ON_POSTGRESQL, database_on_postgresql

from cds_service.store.audit import Pseudonyms
from cds_service.store.database import Database
from cds_service.store.keeping import Store
from cds_service.store.ledger import Ledger


@pytest.fixture(params=["sqlite", ON_POSTGRESQL])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/store.sqlite"
        return
    with database_on_postgresql() as made:
        yield made


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    made = Database(url)
    made.upgrade()
    yield made
    made.close()


@pytest.fixture
def ledger(url: str, database: Database) -> Iterator[Ledger]:
    """The same database, as a worker uses it."""
    made = Ledger(url)
    yield made
    made.close()


@pytest.fixture
def store(url: str, database: Database) -> Iterator[Store]:
    made = Store(url, pseudonyms=Pseudonyms(b"a key of the tests"))
    yield made
    made.close()
