"""What was overridden for a patient, as the database reports it and the store asks for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Event
from typing import Any

import pytest
from kept import NOW, accepted, call, card, overridden
from msgspec import structs

from cds_service.store.audit import Call, Kept, Pseudonyms
from cds_service.store.keeping import Store
from cds_service.store.ledger import Ledger

PLAIN = Pseudonyms(plain=True)
PATIENT = "SECRET-patient"
SERVICE = "b12-under-two-patient-view"
LONG_AGO = NOW - timedelta(days=30)
SECOND = timedelta(seconds=1)


def keep(ledger: Ledger, *calls: Call) -> None:
    kept = [Kept(f"call-{id(one)}", NOW.timestamp(), one) for one in calls]
    ledger.record(kept, PLAIN, "")


def report(
    ledger: Ledger, item: Any, *, at: datetime = NOW, client: str | None = None, **more: str
) -> None:
    ledger.add_feedback(more.get("service", SERVICE), client, [item], at)


def known(ledger: Ledger, *, since: datetime = LONG_AGO, **more: Any) -> dict[str, datetime]:
    found = ledger.overridden(more.get("client"), more.get("patient", PATIENT), since)
    return {content.digest: at for content, at in found.items()}


def test_an_override_is_known_by_patient_client_and_service(ledger: Ledger) -> None:
    keep(ledger, call(card()))
    report(ledger, overridden())
    digest = card().digest
    assert known(ledger) == {digest: NOW}
    assert known(ledger, patient="another") == {}
    assert known(ledger, client="north") == {}


@pytest.mark.parametrize(
    "told",
    [
        {"client": "north"},
        {"service": "b12-under-two-order-sign"},
    ],
)
def test_what_another_client_or_service_reports_silences_nothing(
    ledger: Ledger, told: dict[str, Any]
) -> None:
    keep(ledger, call(card()))
    report(ledger, overridden(), **told)
    assert known(ledger) == {}


def test_clients_do_not_know_of_each_others_overrides(ledger: Ledger) -> None:
    keep(ledger, call(card(), client="north"), call(card("card-2"), client="south"))
    report(ledger, overridden(), client="north")
    assert known(ledger, client="north") == {card().digest: NOW}
    assert known(ledger, client="south") == {}


@pytest.mark.parametrize(
    ("since", "is_known"), [(NOW - SECOND, True), (NOW, True), (NOW + SECOND, False)]
)
def test_an_override_counts_from_its_own_moment(
    ledger: Ledger, since: datetime, is_known: bool
) -> None:
    keep(ledger, call(card()))
    report(ledger, overridden(), at=NOW + timedelta(hours=1))
    assert bool(known(ledger, since=since)) == is_known


def test_a_clock_that_is_ahead_makes_no_silence_longer(ledger: Ledger) -> None:
    keep(ledger, call(card()))
    report(ledger, overridden(outcome_at=NOW + timedelta(days=365)))
    assert known(ledger) == {card().digest: NOW}


@pytest.mark.parametrize(
    ("after", "is_known"), [(-SECOND, True), (timedelta(0), False), (SECOND, False)]
)
def test_only_the_last_answer_counts(ledger: Ledger, after: timedelta, is_known: bool) -> None:
    later = NOW + timedelta(hours=1)
    keep(ledger, call(card()), call(card("card-2"), hook_instance="another"))
    report(ledger, overridden(), at=later)
    report(ledger, structs.replace(accepted("card-2"), outcome_at=NOW + after), at=later)
    assert bool(known(ledger)) == is_known


@pytest.mark.parametrize(
    "other",
    [
        call(card(), patient_id="another"),
        call(card(digest="1" * 32)),
    ],
)
def test_a_report_on_one_of_two_cards_of_one_uuid_silences_neither(
    ledger: Ledger, other: Call
) -> None:
    """A client that gives several calls one ``hookInstance`` gets one uuid for several cards."""
    keep(ledger, call(card()), other)
    report(ledger, overridden())
    assert known(ledger) == {}
    assert known(ledger, patient="another") == {}


def test_a_repeated_call_is_no_other_card(ledger: Ledger) -> None:
    keep(ledger, call(card()), call(card()))
    report(ledger, overridden())
    assert known(ledger) == {card().digest: NOW}


def test_what_was_not_shown_or_only_tried_was_not_answered(ledger: Ledger) -> None:
    tried = call(card("card-2"))
    assert tried.evaluation is not None
    tried = structs.replace(tried, evaluation=structs.replace(tried.evaluation, arm="challenger"))
    keep(ledger, call(card(hidden="in trial")), tried)
    report(ledger, overridden())
    report(ledger, overridden("card-2"))
    assert known(ledger) == {}


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

    monkeypatch.setattr(Ledger, "overridden", never_comes)
    # The fifth finds all four places taken and does not even begin.
    assert [asked.overridden(None, PATIENT, LONG_AGO, 0.05) for _ in range(5)] == [None] * 5
    released.set()


def test_what_fails_is_not_known_and_says_nothing_of_the_patient(
    asked: Store, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError("SECRET")

    monkeypatch.setattr(Ledger, "overridden", fail)
    assert [asked.overridden(None, PATIENT, LONG_AGO, 10) for _ in range(9)] == [None] * 9
    said = capfd.readouterr().out
    assert "ZeroDivisionError" in said
    assert "SECRET" not in said


def test_without_key_or_database_nothing_is_known(url: str, ledger: Ledger) -> None:
    keyless = Store(url)
    keyless.flush()
    assert keyless.overridden(None, PATIENT, LONG_AGO, 10) is None
    keyless.close()
    assert Store(url, pseudonyms=PLAIN).overridden(None, PATIENT, LONG_AGO, 10) is None
