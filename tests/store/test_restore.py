"""A backup of a running service, and a service that goes on from it, as docs/operating.md says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from kept import call, card, count, database_on_postgresql, overridden

from cds_service.__main__ import main
from cds_service.store import keeping
from cds_service.store.database import Database
from cds_service.store.keeping import Store

SERVICE = "b12-under-two-patient-view"
OPERATING = (Path(__file__).parents[2] / "docs" / "operating.md").read_text("utf-8")
UNTIL = 2_000_000_000


def documented(program: str) -> list[str]:
    """The commands of the page that begin with this program, in order."""
    return re.findall(rf"^{program} .*$", OPERATING, re.MULTILINE)


def live(store: Store) -> str:
    """What a service keeps in a day; the name of its call."""
    name = store.record_consultation(call(card("a")))
    store.record_feedback(SERVICE, None, [overridden("a")])
    assert store.use_token("https://a", "1", UNTIL)
    return name


def assert_goes_on(url: str, name: str) -> None:
    keeping.check_database(url)
    database, store = Database(url), Store(url)
    database.check()
    (found,) = [database.consultation(one) for one in database.find(name)]
    assert found["cards"][0]["feedback"][0]["comment"] == "SECRET comment"
    assert not store.use_token("https://a", "1", UNTIL), "a token stays used"
    assert store.use_token("https://a", "2", UNTIL)
    repeated = store.record_feedback(SERVICE, None, [overridden("a")])
    assert (len(repeated.new), repeated.repeated) == (0, 1)
    assert live_again(store) != name
    assert count(database, "consultations") == 2
    found = database.verify()
    assert (found.chained.broken, len(found.chained.chains)) == ([], 2)
    store.close()
    database.close()


def live_again(store: Store) -> str:
    name = store.record_consultation(call(card("b")))
    assert store.flush()
    return name


def carried_out(command: str, folder: Path, **named: str) -> None:
    """A command of the page, in folders of its own."""
    for path in ("/var/lib/cds", "/var/backups"):
        (folder / path[1:]).mkdir(parents=True, exist_ok=True)
        command = command.replace(path, f"{folder}{path}")
    command = command.replace("cds-service", f"{sys.executable} -m cds_service")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    environment = {**kept, **named}
    subprocess.run(["sh", "-euc", command], check=True, timeout=60, env=environment)


def test_sqlite_is_restored_from_a_backup_made_while_it_runs(tmp_path: Path) -> None:
    (backup,), (remove,), (restore,) = map(documented, ("cds-service db backup", "rm", "install"))
    (tmp_path / "var/lib/cds").mkdir(parents=True)
    file = tmp_path / "var/lib/cds/kept.sqlite"
    url = f"sqlite:///{file}"
    store = Store(url)
    name = live(store)
    carried_out(backup, tmp_path, CDS_DATABASE_URL=url)
    live_again(store)  # after the backup, so not in it
    store.close()
    file.write_bytes(b"damaged")
    carried_out(remove, tmp_path)
    carried_out(restore, tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    assert_goes_on(url, name)


@pytest.mark.needs_environment("CDS_TEST_POSTGRESQL")
def test_postgresql_is_restored_from_a_backup_made_while_it_runs(tmp_path: Path) -> None:
    (backup,), (restore,) = documented("pg_dump"), documented("pg_restore")
    with database_on_postgresql() as there, database_on_postgresql() as empty:
        database, store = Database(there), Store(there)
        database.upgrade()
        name = live(store)
        carried_out(backup, tmp_path, CDS_DATABASE_URL=there)
        live_again(store)
        store.close()
        database.close()
        carried_out(restore, tmp_path, CDS_DATABASE_URL=empty)
        assert_goes_on(empty, name)


def test_a_backup_replaces_no_file_and_is_private(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/kept.sqlite"
    store = Store(url)
    live(store)
    to = tmp_path / "copy.sqlite"
    run = CliRunner(env={"CDS_DATABASE_URL": url}).invoke
    assert run(main, ["db", "backup", str(to)]).exit_code == 0
    assert to.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.glob("copy*")] == ["copy.sqlite"], "one file"
    again = run(main, ["db", "backup", str(to)])
    assert again.exit_code == 1
    assert "exists already" in again.output
    store.close()
