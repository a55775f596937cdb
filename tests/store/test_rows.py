"""What reports and exports read: all of it, once, in order, in parts, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kept import accepted, call, card, evaluation, overridden
from msgspec import structs

from cds_service.cdshooks.feedback import Feedback
from cds_service.store.audit import Call, Kept, Pseudonyms
from cds_service.store.database import _PAGE, Database
from cds_service.store.ledger import Ledger
from cds_service.store.reports.figures import Rows, Selection, make_report

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
SERVICE = "b12-under-two-patient-view"
KEY = Pseudonyms(b"a key of the tests")
ANY = Selection()


def keep(ledger: Ledger, *calls: Call, at: datetime = NOON, first: int = 0) -> list[str]:
    kept = [Kept(f"{number:032x}", at.timestamp(), one) for number, one in enumerate(calls, first)]
    for start in range(0, len(kept), 200):
        ledger.record(kept[start : start + 200], KEY, "")
    return [one.id for one in kept]


def hear(ledger: Ledger, *items: Feedback, at: datetime = NOON, **whose: Any) -> None:
    client = whose.get("client")
    ledger.add_feedback(whose.get("service", SERVICE), client, items, at)


@pytest.mark.parametrize("count", [0, 1, _PAGE - 1, _PAGE, _PAGE + 1, 2 * _PAGE + 1])
def test_every_call_is_read_once_however_many_were_made_at_one_moment(
    database: Database, ledger: Ledger, count: int
) -> None:
    names = keep(ledger, *[call(card(f"card-{n}")) for n in range(count)])
    assert [one["id"] for one in database.consultations(ANY)] == names
    items = [accepted(f"card-{n}") for n in range(count)]
    for start in range(0, count, 200):
        hear(ledger, *items[start : start + 200])
    rows = database.rows(ANY)
    assert [one.cards[0].uuid for one in rows.calls] == [f"card-{n}" for n in range(count)]
    assert {one.said.card for one in rows.answers} == {f"card-{n}" for n in range(count)}
    assert len(rows.answers) == count
    told = list(database.feedback(ANY))
    assert sorted(one["consultation"] for one in told) == names


def test_what_is_read_is_what_was_kept(database: Database, ledger: Ledger) -> None:
    shown = call(card("a"), card("b", hidden="in trial"), client="north")
    keep(ledger, shown)
    said = overridden("a")
    hear(ledger, said, client="north")
    rows = database.rows(ANY)
    (found,) = rows.calls
    assert shown.evaluation is not None
    assert found.cards == shown.evaluation.cards
    assert (found.at, found.client, found.edition, found.arm) == (NOON, "north", "1.0", "live")
    assert found.patient == KEY.of("patient", "north", "SECRET-patient")
    (answer,) = rows.answers
    assert (answer.client, answer.service, answer.said) == ("north", SERVICE, said)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (Selection(), ["morning", "noon", "evening"]),
        (Selection(since=NOON), ["noon", "evening"]),
        (Selection(since=NOON + timedelta(microseconds=1)), ["evening"]),
        (Selection(until=NOON), ["morning"]),
        (Selection(until=NOON + timedelta(microseconds=1)), ["morning", "noon"]),
        (Selection(clients=("north",)), ["noon"]),
        (Selection(clients=("north", "south")), ["noon", "evening"]),
        (Selection(services=("other",)), ["evening"]),
        (Selection(since=NOON, services=(SERVICE,)), ["noon"]),
        (Selection(clients=("nobody",)), []),
    ],
)
def test_a_part_is_chosen_by_time_client_and_service(
    database: Database, ledger: Ledger, chosen: Selection, expected: list[str]
) -> None:
    for number, (name, hours, client, service) in enumerate(
        [
            ("morning", -4, None, SERVICE),
            ("noon", 0, "north", SERVICE),
            ("evening", 6, "south", "other"),
        ]
    ):
        at = NOON + timedelta(hours=hours)
        keep(ledger, call(card(name), client=client, service=service), at=at, first=number)
        hear(ledger, accepted(name), overridden(f"{name}?"), at=at, client=client, service=service)
    rows = database.rows(chosen)
    assert [one.cards[0].uuid for one in rows.calls] == expected
    assert sorted(one.said.card for one in rows.answers) == sorted(expected)
    assert rows.unknown_cards == len(expected)
    told = [one["card"] for one in database.feedback(chosen)]
    assert sorted(told) == sorted([*expected, *(f"{name}?" for name in expected)])


def test_feedback_is_on_the_answer_and_never_on_what_was_tried_beside_it(
    database: Database, ledger: Ledger
) -> None:
    tried = structs.replace(evaluation(card("a", hidden="challenger")), arm="challenger")
    before, live, after = keep(
        ledger, call(evaluation=tried), call(card("a")), call(evaluation=tried)
    )
    assert before < live < after
    hear(ledger, accepted("a"))
    (told,) = database.feedback(ANY)
    assert told["consultation"] == live
    found = make_report(database.rows(ANY), ANY, NOON + timedelta(days=2), timedelta(hours=24))
    assert (found.all.shown, found.all.accepted.count) == (1, 1)
    assert [(one.arm, one.why, one.cards) for one in found.unshown] == [
        ("challenger", "challenger", 2)
    ]
    (beside,) = found.comparisons
    assert (beside.calls, beside.agreeing.count, beside.cards[0].same) == (2, 2, 2)


def test_nothing_kept_makes_an_empty_report(database: Database) -> None:
    assert database.rows(ANY) == Rows([], [], 0)
    assert list(database.feedback(ANY)) == []
