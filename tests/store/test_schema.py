"""The tables: as the migrations make them, made once by many at once, refused when strange."""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from kept import NOW

from cds_service.errors import SchemaError, SettingsError, Unavailable
from cds_service.store import migrations
from cds_service.store.database import (
    Database,
    _migrate,
    cards,
    consultations,
    suggestions,
    tables,
)
from cds_service.store.keeping import check_database
from cds_service.store.ledger import Ledger
from cds_service.store.migrations import VERSION


def test_the_migrations_one_by_one_make_the_tables_of_the_program(url: str) -> None:
    database = Database(url)
    with database._transaction() as connection:
        _migrate(connection)
        found = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(found, tables) == []
    assert database.version() == VERSION
    database.close()


def test_rules_kept_before_are_named_with_their_guideline(url: str) -> None:
    """As version 0001 wrote them, evaluated and refused, one page of rows and one more."""
    database = Database(url)
    many = 1001
    with database._transaction() as connection:
        _migrate(connection, to="0001")
        call = {"at": NOW, "service": "s", "hook": "h", "status": 200, "arm": "live", "ms": 1,
                "version": "0.1.0"}  # fmt: skip
        because = 'says {"rule":"no rule"} – or "fired":["x"]'
        evaluated = {
            "guideline": "b12-under-two",
            "rules": [{"rule": "IN-03", "outcome": "not indicated", "because": because},
                      {"rule": "MON-02", "outcome": "cannot tell", "missing": ["AGE-01"]}],
            "fired": ["AGE-06", "IN-03"],
        }  # fmt: skip
        rows = [{"id": f"{number:032}", **call, **evaluated} for number in range(many)]
        rows[1] |= {"guideline": "another", "rules": [], "fired": []}
        connection.execute(consultations.insert(), rows)
        connection.execute(consultations.insert(), {"id": "refused", **call})
        card = {"uuid": "u", "rule": "RTE-07", "text": "RTE-07.oral", "topic": "t"}
        card |= {"indicator": "info", "digest": "d", "shown": True}
        for name in (rows[0]["id"], rows[1]["id"]):
            connection.execute(cards.insert(), {"consultation": name, "position": 0, **card})
            offer = {"consultation": name, "card": 0, "position": 0, "uuid": "s", "rule": "DOSE-A"}
            connection.execute(suggestions.insert(), {**offer, "recommended": True})
    assert database.upgrade() == ("0001", VERSION)
    first, other = (database.consultation(rows[place]["id"]) for place in (0, 1))
    assert first["fired"] == ["b12-under-two/AGE-06", "b12-under-two/IN-03"]
    assert first["rules"] == [
        {"rule": "b12-under-two/IN-03", "outcome": "not indicated", "because": because},
        {"rule": "b12-under-two/MON-02", "outcome": "cannot tell", "missing": ["AGE-01"]},
    ]
    assert (other["rules"], other["fired"]) == ([], [])
    for found, guideline in ((first, "b12-under-two"), (other, "another")):
        (kept,) = found["cards"]
        assert (kept["rule"], kept["text"]) == (f"{guideline}/RTE-07", "RTE-07.oral")
        assert [one["rule"] for one in kept["suggestions"]] == [f"{guideline}/DOSE-A"]
    last = database.consultation(rows[-1]["id"])
    assert (last["rules"], last["fired"]) == (first["rules"], first["fired"])
    refused = database.consultation("refused")
    assert (refused["rules"], refused["fired"]) == (None, None)
    database.close()


def test_the_programs_version_is_the_newest_migration() -> None:
    assert ScriptDirectory(str(Path(migrations.__file__).parent)).get_current_head() == VERSION


def test_an_upgrade_says_from_where_to_where_and_may_be_repeated(url: str) -> None:
    database = Database(url)
    assert database.version() is None
    assert database.upgrade() == (None, VERSION)
    assert database.upgrade() == (VERSION, VERSION)
    database.close()


def test_many_that_start_at_once_make_the_tables_once(url: str) -> None:
    failures: list[Exception] = []
    start = threading.Barrier(4)

    def upgrade() -> None:
        database = Database(url)
        until = time.monotonic() + 30
        start.wait()
        while True:
            try:
                database.upgrade()
                break
            except Unavailable as error:  # as a service does that finds it busy: try again
                if time.monotonic() > until:
                    failures.append(error)
                    break
            except Exception as error:  # noqa: BLE001 - reported below
                failures.append(error)
                break
        database.close()

    threads = [threading.Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    database = Database(url)
    assert database.version() == VERSION
    database.close()


def test_a_new_sqlite_file_needs_no_command_and_postgresql_does(url: str) -> None:
    database, ledger = Database(url), Ledger(url)
    if database.is_sqlite:
        ledger.prepare()
        assert database.version() == VERSION
    else:
        with pytest.raises(SchemaError, match="cds-service db upgrade"):
            check_database(url)
        with pytest.raises(SchemaError, match="cds-service db upgrade"):
            ledger.prepare()
        assert database.version() is None
    database.close()
    ledger.close()


def test_a_new_sqlite_file_has_the_tables_of_the_program(tmp_path: Path) -> None:
    """A worker makes it from ``tables.sql``, without SQLAlchemy."""
    by_file, by_program = (f"sqlite:///{tmp_path}/{name}.sqlite" for name in ("file", "program"))
    Ledger(by_file).prepare()
    Database(by_program).upgrade()

    def made(url: str) -> set[str]:
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            found = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
            return {" ".join(sql.split()) for (sql,) in found}

    assert made(by_file) == made(by_program)


def test_an_older_sqlite_file_is_brought_up_to_date_by_a_worker(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    database = Database(url)
    with database._transaction() as connection:
        _migrate(connection, to="0001")
    ledger = Ledger(url)
    ledger.prepare()
    assert database.version() == VERSION
    ledger.close()
    database.close()


def test_many_workers_that_start_at_once_make_the_tables_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    start = threading.Barrier(4)

    def prepare(_: int) -> None:
        ledger = Ledger(url)
        start.wait()
        ledger.prepare()
        ledger.close()

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(prepare, range(4)))
    database = Database(url)
    assert database.version() == VERSION
    database.close()


def test_a_newer_database_is_left_alone(url: str) -> None:
    database = Database(url)
    database.upgrade()
    with database._transaction() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    ledger = Ledger(url)
    for refuse in (lambda: check_database(url), ledger.prepare, database.upgrade):
        with pytest.raises(SchemaError, match=r"9999.*[Ii]nstall the newer program"):
            refuse()
    ledger.close()
    database.close()


def test_a_file_that_cannot_be_used_is_refused_with_the_cure(tmp_path: Path) -> None:
    other = tmp_path / "notes.sqlite"
    other.write_text("Not a database at all, but longer than a header of a hundred bytes. " * 3)
    with pytest.raises(SettingsError, match=r"CDS_DATABASE_URL: .* is not an SQLite database"):
        check_database(f"sqlite:///{other}")
    with pytest.raises(SettingsError, match="cannot be written"):
        check_database(f"sqlite:///{tmp_path}/no/such/folder.sqlite")


def test_a_file_that_is_new_or_empty_is_taken(tmp_path: Path) -> None:
    check_database(f"sqlite:///{tmp_path}/new.sqlite")
    assert list(tmp_path.iterdir()) == []
    with sqlite3.connect(tmp_path / "empty.sqlite"):
        pass
    check_database(f"sqlite:///{tmp_path}/empty.sqlite")


def test_postgresql_that_is_away_does_not_keep_the_service_from_starting(
    capfd: pytest.CaptureFixture[str],
) -> None:
    check_database("postgresql://cds@127.0.0.1:1/nothing")
    assert '"store":"unavailable"' in capfd.readouterr().out
