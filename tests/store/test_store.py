"""The store through its front: what is kept, what is not, and what it does when it cannot."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from kept import HOOK_INSTANCE, NOW, accepted, call, card, count, evaluation, everything, overridden

from cds_service.cdshooks.feedback import Reason
from cds_service.errors import Unavailable
from cds_service.store import sqlite
from cds_service.store.audit import Call, Kept, Pseudonyms, UnknownCode
from cds_service.store.database import Database, tables, unknown_codes
from cds_service.store.keeping import Store
from cds_service.store.ledger import Ledger

SERVICE = "b12-under-two-patient-view"


# --- consultations ---------------------------------------------------------------------------


def test_a_call_is_kept_whole_and_found_by_each_of_its_names(
    store: Store, database: Database
) -> None:
    name = store.record_consultation(call(card("a"), card("b"), client="north"))
    assert store.flush()
    for known_by in (name, HOOK_INSTANCE, "a", "b"):
        assert database.find(known_by) == [name]
    kept = database.consultation(name)
    assert abs(kept["at"] - datetime.now(UTC)) < timedelta(minutes=1)  # noqa: TID251
    assert (kept["client"], kept["hook"], kept["status"]) == ("north", "patient-view", 200)
    assert (kept["guideline"], kept["edition"], kept["arm"]) == ("b12-under-two", "1.0", "live")
    assert kept["rules"] == [
        {"rule": "RTE-07", "outcome": "recommended"},
        {"rule": "MAT-01", "outcome": "not indicated", "because": "The mother is known."},
        {"rule": "MON-02", "outcome": "cannot tell", "missing": ["potassium"]},
    ]
    assert kept["missing"] == ["diet"]
    assert kept["needs"] == {"patient": "present prefetch", "diet": "absent"}
    assert kept["durations"] == {"gather": 0.2, "read": 0.9}
    assert [one["uuid"] for one in kept["cards"]] == ["a", "b"]
    assert kept["cards"][0]["shown"] is True
    assert [(one["uuid"], one["rule"]) for one in kept["cards"][1]["suggestions"]] == [
        ("b-s1", "DOSE-B"),
        ("b-s2", "DOSE-A"),
    ]


def test_a_refused_call_is_kept_too(store: Store, database: Database) -> None:
    name = store.record_consultation(call(status=412, problem="timeout", evaluation=None))
    store.flush()
    kept = database.consultation(name)
    assert (kept["status"], kept["problem"], kept["outcome"]) == (412, "timeout", None)


def test_the_same_call_twice_is_kept_twice(store: Store, database: Database) -> None:
    """A client that asks again shows the same card again, by the same uuid."""
    names = [store.record_consultation(call(card("a"))) for _ in range(2)]
    store.flush()
    assert database.find("a") == sorted(names)


def test_a_card_that_was_not_shown_says_why(store: Store, database: Database) -> None:
    name = store.record_consultation(call(card("a", hidden="overridden before")))
    store.flush()
    (kept,) = database.consultation(name)["cards"]
    assert (kept["shown"], kept["hidden"]) == (False, "overridden before")


def test_nobody_is_kept_by_name(store: Store, database: Database) -> None:
    store.record_consultation(call(card(), hook_instance="SECRET-instance"))
    store.flush()
    assert "SECRET" not in everything(database)


def test_equal_ids_stay_equal_within_a_client_only(store: Store, database: Database) -> None:
    names = [store.record_consultation(call(client=one)) for one in ("north", "north", "south")]
    store.flush()
    first, second, other = (database.consultation(name)["patient"] for name in names)
    assert first == second != other
    assert first


@pytest.mark.parametrize(
    ("pseudonyms", "patient"),
    [(Pseudonyms(), None), (Pseudonyms(plain=True), "SECRET-patient")],
)
def test_without_a_key_ids_are_not_kept_unless_as_they_are(
    url: str, database: Database, pseudonyms: Pseudonyms, patient: str | None
) -> None:
    store = Store(url, pseudonyms=pseudonyms)
    name = store.record_consultation(call())
    store.close()
    assert database.consultation(name)["patient"] == patient


def test_another_key_makes_other_names() -> None:
    one, other = Pseudonyms(b"one"), Pseudonyms(b"other")
    assert one.of("patient", None, "1") != other.of("patient", None, "1")
    assert one.of("patient", None, "1") != one.of("user", None, "1")
    assert "one" not in repr(one)


def test_a_sites_settings_are_kept_once_and_come_back_with_the_call(
    url: str, database: Database
) -> None:
    store = Store(url, overrides="[limits]\nb12_deficient = 1\n")
    names = [store.record_consultation(call()) for _ in range(3)]
    store.close()
    assert database.consultation(names[2])["overrides_text"].startswith("[limits]")
    assert count(database, "overrides") == 1


def test_what_waits_is_written_when_the_service_stops(url: str, database: Database) -> None:
    store = Store(url)
    for _ in range(1200):
        store.record_consultation(call(card()))
    store.close()
    assert count(database, "consultations") == 1200
    assert count(database, "suggestions") == 2400
    assert store.health().lost == 0


def test_recording_neither_waits_nor_grows_without_end(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/no/such/folder.sqlite", capacity=10)
    for _ in range(25):
        store.record_consultation(call())
    assert store.health().lost == 15  # had it waited for room, none would be
    store.close(patience=0.2)
    assert store.health().lost == 25


def test_one_row_the_database_refuses_does_not_take_others_along(
    store: Store, database: Database
) -> None:
    calls = [call(client=f"c{n}") for n in range(8)]
    calls[5] = call(hook=None)
    for one in calls:
        store.record_consultation(one)
    store.flush()
    assert count(database, "consultations") == 7
    assert store.health().lost == 1


# --- feedback --------------------------------------------------------------------------------


def test_feedback_is_there_when_it_is_acknowledged(store: Store, database: Database) -> None:
    name = store.record_consultation(call(card("a"), client="north"))
    stored = store.record_feedback(SERVICE, "north", [accepted("a"), overridden("a")])
    assert (len(stored.new), stored.repeated, stored.unknown) == (2, 0, 0)
    (kept,) = database.consultation(name)["cards"]
    by_outcome = {one["outcome"]: one for one in kept["feedback"]}
    assert by_outcome["accepted"]["accepted"] == ["a-s1"]
    assert by_outcome["overridden"]["comment"] == "SECRET comment"
    assert by_outcome["overridden"]["client"] == "north"
    assert by_outcome["overridden"]["outcome_at"] == NOW
    (reason,) = by_outcome["overridden"]["reasons"]
    assert (reason["system"], reason["code"]) == ("http://example.org/reasons", "already-treated")


def test_a_replay_is_kept_once_and_a_second_report_twice(store: Store, database: Database) -> None:
    batch = [accepted("a"), overridden("b")]
    store.record_feedback(SERVICE, None, batch)
    again = store.record_feedback(SERVICE, None, [*batch, *batch])
    assert (len(again.new), again.repeated) == (0, 4)
    later = overridden("b", outcome_at=NOW + timedelta(seconds=5))
    assert len(store.record_feedback(SERVICE, None, [later]).new) == 1
    assert count(database, "feedback") == 3
    assert count(database, "override_reasons") == 2


def test_feedback_on_an_unknown_card_is_kept_and_counted(store: Store, database: Database) -> None:
    store.record_consultation(call(card("a")))
    stored = store.record_feedback(SERVICE, None, [accepted("a"), accepted("w1")])
    assert (len(stored.new), stored.unknown) == (2, 1)
    assert count(database, "feedback") == 2


@pytest.mark.parametrize(
    ("service", "client"), [(SERVICE, "south"), (SERVICE, None), ("another-service", "north")]
)
def test_feedback_on_a_card_of_another_client_is_on_an_unknown_card(
    store: Store, database: Database, service: str, client: str | None
) -> None:
    """It neither counts there nor shows a client what another one was shown."""
    name = store.record_consultation(call(card("a"), client="north"))
    assert store.record_feedback(service, client, [accepted("a")]).unknown == 1
    assert store.record_feedback(SERVICE, "north", [overridden("a")]).unknown == 0
    (kept,) = database.consultation(name)["cards"]
    assert [one["client"] for one in kept["feedback"]] == ["north"]
    assert [one["outcome"] for one in kept["feedback"]] == ["overridden"]


def test_feedback_that_cannot_be_kept_is_said_to_be_lost(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/no/such/folder.sqlite")
    with pytest.raises(Unavailable) as refused:
        store.record_feedback(SERVICE, None, [accepted()])
    assert refused.value.status == 503
    assert str(tmp_path) not in refused.value.text
    assert store.health().state == "unavailable"
    store.close(patience=0)


# --- age -------------------------------------------------------------------------------------


def test_what_is_too_old_is_forgotten_with_all_its_parts(store: Store, database: Database) -> None:
    old = store.record_consultation(call(card("a")))
    store.record_feedback(SERVICE, None, [overridden("a")])
    before = datetime.now(UTC)  # noqa: TID251
    time.sleep(0.01)
    store.record_consultation(call(card("b")))
    store.record_feedback(SERVICE, None, [overridden("b")])
    assert database.prune(before, batch=1) == {
        "consultations": 1,
        "feedback": 1,
        "unknown codes": 0,
        "settings": 0,
    }
    assert database.find(old) == []
    left = {name: count(database, name) for name in tables.tables}
    assert left == {
        "consultations": 1,
        "cards": 1,
        "suggestions": 2,
        "feedback": 1,
        "override_reasons": 1,
        "accepted_suggestions": 0,
        "overrides": 0,
        "used_tokens": 0,
        "unknown_codes": 0,
        "chains": 1,
        "pruned_rows": 1,
        "alembic_version": 1,
    }
    assert database.prune(before) == {
        "consultations": 0,
        "feedback": 0,
        "unknown codes": 0,
        "settings": 0,
    }


def test_a_sites_settings_are_forgotten_when_no_call_names_them(
    ledger: Ledger, database: Database
) -> None:
    for days, local in ((0, "old"), (1, "kept by a call"), (2, "new")):
        at = (NOW + timedelta(days=days)).timestamp()
        ledger.record([Kept(f"{days:032}", at, call())], Pseudonyms(), local)
    later = (NOW + timedelta(days=10)).timestamp()
    ledger.record([Kept(f"{10:032}", later, call())], Pseudonyms(), "kept by a call")
    before = NOW + timedelta(days=1, hours=1)
    assert database.prune(before, batch=1)["settings"] == 1
    assert [text in everything(database) for text in ("'old'", "kept by a call", "'new'")] == [
        False,
        True,
        True,
    ]


def test_unknown_codes_are_forgotten_some_at_a_time(ledger: Ledger, database: Database) -> None:
    codes = tuple(LOCAL._replace(code=f"HGB{number}") for number in range(5))
    ledger.record([Kept("a" * 32, NOW.timestamp(), a_call(unknown=codes))], Pseudonyms(), "")
    assert database.prune(NOW, batch=2)["unknown codes"] == 0
    assert database.prune(NOW + timedelta(days=1), batch=2)["unknown codes"] == 5


# --- the file --------------------------------------------------------------------------------


def bytes_of(folder: Path) -> bytes:
    """Everything in an SQLite file and its logs."""
    return b"".join(file.read_bytes() for file in folder.glob("store.sqlite*"))


@pytest.mark.parametrize("compact", [False, True])
def test_pruned_words_are_gone_from_the_file_and_its_log(compact: bool, tmp_path: Path) -> None:
    """While the service that wrote them still has the file open, and newer rows lie between."""
    url = f"sqlite:///{tmp_path}/store.sqlite"
    now = [NOW.timestamp()]
    store = Store(url, clock=lambda: now[0])
    for number in range(400):
        now[0] = (NOW + timedelta(days=number % 2, seconds=number)).timestamp()
        word = "AMARYLLIS" if number % 2 == 0 else "BEGONIA"
        said = overridden(
            f"card-{number}",
            comment=f"{word} {number} " + "a long word " * (number % 300),
            extension=f'{{"said": "{word}"}}',
            reasons=(Reason("", "", f"{word} {number}"),),
            outcome_at=NOW + timedelta(seconds=number),
        )
        store.record_feedback(SERVICE, None, [said])
    assert bytes_of(tmp_path).count(b"AMARYLLIS") >= 600
    database = Database(url)
    assert database.prune(NOW + timedelta(hours=12), batch=50)["feedback"] == 200
    if compact:
        database.compact()
    left = bytes_of(tmp_path)
    assert b"AMARYLLIS" not in left
    assert left.count(b"BEGONIA") >= 600
    assert (tmp_path / "store.sqlite-wal").stat().st_size == 0
    database.close()
    store.close()


def test_a_log_that_is_being_read_is_said_not_to_be_empty(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    store = Store(url)
    store.record_feedback(SERVICE, None, [overridden("a")])
    with closing(sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM feedback").fetchall()
        store.record_feedback(SERVICE, None, [overridden("b")])
        with closing(sqlite.connect(tmp_path / "store.sqlite", 0.1)) as connection:
            assert not sqlite.write_back(connection)
            reader.execute("COMMIT")
            assert sqlite.write_back(connection)
    store.close()


def test_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = Store(f"sqlite:///{tmp_path}/store.sqlite")
        store.record_feedback(SERVICE, None, [overridden("a")])
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert len(modes) == 3
    assert set(modes.values()) == {0o600}


LOCAL = UnknownCode("labs", "urn:oid:2.999.1", "HGB")


def test_a_code_that_nobody_knew_is_counted_once_a_call_however_often_it_is_written(
    database: Database, ledger: Ledger
) -> None:
    calls = [
        Kept(f"{number:032}", NOW.timestamp() + 86400 * number, a_call(unknown=(LOCAL,)))
        for number in range(3)
    ]
    for batch in (calls[:2], calls):
        ledger.record(batch, Pseudonyms(), "")
    last = (NOW + timedelta(days=2)).date()
    assert database.unknown_codes() == [{**LOCAL._asdict(), "count": 3, "last": last}]
    with database._transaction() as connection:
        assert {"consultation", "patient"}.isdisjoint(unknown_codes.c.keys())
        assert connection.execute(sa.select(unknown_codes.c.count)).scalars().all() == [1, 1, 1]


def test_a_code_that_nobody_knew_is_forgotten_with_its_day(
    database: Database, ledger: Ledger
) -> None:
    kept = [
        Kept(f"{number:032}", NOW.timestamp() + 86400 * number, a_call(unknown=(LOCAL,)))
        for number in range(3)
    ]
    ledger.record(kept, Pseudonyms(), "")
    day = NOW.replace(hour=0, minute=0) + timedelta(days=1)
    assert database.prune(day)["unknown codes"] == 1
    assert database.prune(day - timedelta(seconds=1))["unknown codes"] == 0
    assert [one["count"] for one in database.unknown_codes()] == [2]


def a_call(**changes: Any) -> Call:
    return Call("s", "patient-view", 200, 1.0, evaluation=evaluation(**changes))
