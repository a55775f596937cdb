"""What was overridden for a patient, as the database reports it and the store asks for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Event
from typing import Any

import pytest
from kept import NOW, accepted, call, card, overridden
from msgspec import structs

from cds_service.store.audit import Call, Kept, Pseudonyms
from cds_service.store.database import Database
from cds_service.store.keeping import Store

PLAIN = Pseudonyms(plain=True)
PATIENT = "SECRET-patient"
SERVICE = "b12-under-two-patient-view"
LONG_AGO = NOW - timedelta(days=30)
SECOND = timedelta(seconds=1)


def keep(database: Database, *calls: Call) -> None:
    kept = [Kept(f"call-{id(one)}", NOW.timestamp(), one) for one in calls]
    database.record(kept, PLAIN, "")


def report(
    database: Database, item: Any, *, at: datetime = NOW, client: str | None = None, **more: str
) -> None:
    database.add_feedback(more.get("service", SERVICE), client, [item], at)


def known(database: Database, *, since: datetime = LONG_AGO, **more: Any) -> dict[str, datetime]:
    found = database.overridden(more.get("client"), more.get("patient", PATIENT), since)
    return {content.digest: at for content, at in found.items()}


def test_an_override_is_known_by_patient_client_and_service(database: Database) -> None:
    keep(database, call(card()))
    report(database, overridden())
    digest = card().digest
    assert known(database) == {digest: NOW}
    assert known(database, patient="another") == {}
    assert known(database, client="north") == {}


@pytest.mark.parametrize(
    "told",
    [
        {"client": "north"},
        {"service": "b12-under-two-order-sign"},
    ],
)
def test_what_another_client_or_service_reports_silences_nothing(
    database: Database, told: dict[str, Any]
) -> None:
    keep(database, call(card()))
    report(database, overridden(), **told)
    assert known(database) == {}


def test_clients_do_not_know_of_each_others_overrides(database: Database) -> None:
    keep(database, call(card(), client="north"), call(card("card-2"), client="south"))
    report(database, overridden(), client="north")
    assert known(database, client="north") == {card().digest: NOW}
    assert known(database, client="south") == {}


@pytest.mark.parametrize(
    ("since", "is_known"), [(NOW - SECOND, True), (NOW, True), (NOW + SECOND, False)]
)
def test_an_override_counts_from_its_own_moment(
    database: Database, since: datetime, is_known: bool
) -> None:
    keep(database, call(card()))
    report(database, overridden(), at=NOW + timedelta(hours=1))
    assert bool(known(database, since=since)) == is_known


def test_a_clock_that_is_ahead_makes_no_silence_longer(database: Database) -> None:
    keep(database, call(card()))
    report(database, overridden(outcome_at=NOW + timedelta(days=365)))
    assert known(database) == {card().digest: NOW}


@pytest.mark.parametrize(
    ("after", "is_known"), [(-SECOND, True), (timedelta(0), False), (SECOND, False)]
)
def test_only_the_last_answer_counts(database: Database, after: timedelta, is_known: bool) -> None:
    later = NOW + timedelta(hours=1)
    keep(database, call(card()), call(card("card-2"), hook_instance="another"))
    report(database, overridden(), at=later)
    report(database, structs.replace(accepted("card-2"), outcome_at=NOW + after), at=later)
    assert bool(known(database)) == is_known


@pytest.mark.parametrize(
    "other",
    [
        call(card(), patient_id="another"),
        call(card(digest="1" * 32)),
    ],
)
def test_a_report_on_one_of_two_cards_of_one_uuid_silences_neither(
    database: Database, other: Call
) -> None:
    """A client that gives several calls one ``hookInstance`` gets one uuid for several cards."""
    keep(database, call(card()), other)
    report(database, overridden())
    assert known(database) == {}
    assert known(database, patient="another") == {}


def test_a_repeated_call_is_no_other_card(database: Database) -> None:
    keep(database, call(card()), call(card()))
    report(database, overridden())
    assert known(database) == {card().digest: NOW}


def test_what_was_not_shown_or_only_tried_was_not_answered(database: Database) -> None:
    tried = call(card("card-2"))
    assert tried.evaluation is not None
    tried = structs.replace(tried, evaluation=structs.replace(tried.evaluation, arm="challenger"))
    keep(database, call(card(hidden="in trial")), tried)
    report(database, overridden())
    report(database, overridden("card-2"))
    assert known(database) == {}


# --- the store --------------------------------------------------------------------------------


@pytest.fixture
def asked(store: Store) -> Store:
    """A store that is open, and in which ``card-1`` was overridden."""
    store.record_consultation(call(card()))
    assert store.flush()
    store.record_feedback(SERVICE, None, [overridden()])
    return store


def test_the_store_tells_in_time(asked: Store) -> None:
    found = asked.overridden(None, PATIENT, LONG_AGO, 10)
    assert found is not None
    assert [one.digest for one in found] == [card().digest]
    assert asked.overridden(None, "another", LONG_AGO, 10) == {}


def test_what_takes_too_long_is_not_known_and_holds_up_nobody(
    asked: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = Event()

    def never_comes(*_: object) -> dict[str, object]:
        released.wait(60)
        return {}

    monkeypatch.setattr(Database, "overridden", never_comes)
    # The fifth finds all four places taken and does not even begin.
    assert [asked.overridden(None, PATIENT, LONG_AGO, 0.05) for _ in range(5)] == [None] * 5
    released.set()


def test_what_fails_is_not_known_and_says_nothing_of_the_patient(
    asked: Store, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError("SECRET")

    monkeypatch.setattr(Database, "overridden", fail)
    assert [asked.overridden(None, PATIENT, LONG_AGO, 10) for _ in range(9)] == [None] * 9
    said = capfd.readouterr().out
    assert "ZeroDivisionError" in said
    assert "SECRET" not in said


def test_without_key_or_database_nothing_is_known(url: str, database: Database) -> None:
    keyless = Store(url)
    keyless.flush()
    assert keyless.overridden(None, PATIENT, LONG_AGO, 10) is None
    keyless.close()
    assert Store(url, pseudonyms=PLAIN).overridden(None, PATIENT, LONG_AGO, 10) is None
