"""Table IN: unknown is not absent, and what is missing is stated."""

from __future__ import annotations

from datetime import date

import pytest
from builders import (
    COBALAMIN_C,
    CROHN,
    SEIZURE,
    G,
    Seen,
    a_level,
    a_record,
    a_weight,
    day,
    on_treatment,
    see,
)
from msgspec import structs

from cds_service.clinical import Measurement, Record, Unread
from cds_service.guidelines.engine import CannotTell

OPTIONAL = [need for need in G.needs if need.importance == "optional"]
REQUIRED = [need for need in G.needs if need.importance == "required"]


def test_the_patient_is_indispensable_and_results_and_problems_are_required() -> None:
    """IN-01: without the patient the call is answered with an error before anything is read."""
    assert [need.key for need in G.needs if need.importance == "indispensable"] == ["patient"]
    assert {need.key for need in REQUIRED} == {"b12", "conditions"}


@pytest.mark.parametrize("need", OPTIONAL, ids=lambda need: need.key)
def test_an_optional_need_that_could_not_be_had_is_named_and_stops_nothing(need: object) -> None:
    seen = see(a_record(a_weight(), missing={need.key: "timeout"}))  # type: ignore[attr-defined]
    assert "IN-02" in seen.rules
    assert seen.doses["DOSE-A"]
    assert seen.says(f"Not available to this service: {need.name}")  # type: ignore[attr-defined]


@pytest.mark.parametrize("need", REQUIRED, ids=lambda need: need.key)
def test_without_a_required_need_nothing_is_recommended(need: object) -> None:
    seen = see(a_record(a_weight(), missing={need.key: "timeout"}))  # type: ignore[attr-defined]
    assert "IN-03" in seen.rules
    assert isinstance(seen.outcome("IN-03"), CannotTell)
    assert not seen.offers
    assert seen.says("this is not an all-clear")
    assert need.name in seen.cards[0].summary  # type: ignore[attr-defined]


def without_problems(**but: object) -> Seen:
    return see(a_record(missing={"conditions": "timeout"}, **but))  # type: ignore[arg-type]


def test_without_the_problem_list_a_low_level_is_still_shown_and_a_warning() -> None:
    seen = without_problems()
    assert seen.indicator == "warning"
    assert seen.says("150 pg/mL on ")


def test_without_the_problem_list_no_deficiency_is_called_mild() -> None:
    assert not without_problems().says("Graded mild")
    assert without_problems(level=a_level(80)).says("Graded severe")


def test_without_the_problem_list_a_normal_level_is_information() -> None:
    assert without_problems(level=a_level(400)).indicator == "info"


def test_without_results_known_danger_is_still_said() -> None:
    record = a_record(measured=(), missing={"b12": "timeout"}, problems=[COBALAMIN_C])
    seen = see(record)
    assert seen.shows("RTE-01")
    assert seen.indicator == "critical"
    signs = see(a_record(measured=(), missing={"b12": "timeout"}, problems=[SEIZURE]))
    assert signs.indicator == "warning"


def test_a_part_is_not_taken_for_the_whole() -> None:
    seen = see(a_record(incomplete=frozenset({"b12"})))
    assert "IN-04" in seen.rules
    assert seen.says("Possibly incomplete: vitamin B12 results")


def test_what_was_left_out_is_counted() -> None:
    unread = (Unread("labs", "undecodable"),) * 2 + (Unread("labs", "unit", "potassium 4 arb"),)
    seen = see(a_record(unread=unread, foreign=3))
    assert seen.says(
        "Sent and not used, other laboratory results: 2 without a name (not readable);"
        " potassium 4 arb (unit missing, not known here or contradictory)"
    )
    assert seen.says("3 records of another patient were left out")


def test_of_nothing_left_out_nothing_is_said() -> None:
    seen = see(a_record(a_weight()))
    for text in ("left out", "Not available to this service", "Possibly incomplete"):
        assert not seen.says(text)


# --- what was sent and not used -------------------------------------------------------------------

LOCAL = "urn:oid:2.999.1"
NAMED = Unread("conditions", "code system", "Anfall", LOCAL, "x", "Condition/c")


def test_what_was_sent_and_not_used_is_no_card_by_itself() -> None:
    """IN-05"""
    seen = see(a_record(level=a_level(400), unread=(NAMED,)))
    assert not seen.cards
    assert seen.evaluation.unread == (NAMED,)


@pytest.mark.parametrize(
    "unread",
    [
        Unread("meds", "drug not found", "Drops", source="MedicationRequest/m"),
        Unread("meds", "undecodable", "Vitamin B12 drops"),
        Unread("administrations", "date", "Hydroxocobalamin"),
        Unread("allergies", "undecodable"),
        Unread("allergies", "undecodable", "Cobalt"),
    ],
    ids=str,
)
def test_what_may_be_vitamin_b12_is_a_card_by_itself(unread: Unread) -> None:
    seen = see(a_record(level=a_level(400), unread=(unread,)))
    assert seen.shows("IN-05")
    assert len(seen.cards) == 1


@pytest.mark.parametrize(
    "unread",
    [
        Unread("allergies", "undecodable", "Penicillin"),
        Unread("meds", "undecodable", "Paracetamol"),
        Unread("labs", "unit", "haemoglobin 5 arb"),
        Unread("meds", "another patient"),
        Unread("conditions", "another kind", "Observation"),
    ],
    ids=str,
)
def test_what_is_known_to_be_something_else_is_none(unread: Unread) -> None:
    assert not see(a_record(level=a_level(400), unread=(unread,))).cards


@pytest.mark.parametrize(("pg", "card"), [(299, True), (300, False)])
def test_below_the_limit_anything_is_a_card_where_nothing_else_is(pg: int, card: bool) -> None:
    treated = on_treatment(40, (pg, 5))
    assert see(treated).cards == see(structs.replace(treated, foreign=0)).cards
    seen = see(structs.replace(treated, unread=(NAMED,)))
    assert seen.cards
    assert seen.says("Sent and not used, the problem list: Anfall") or not card


def test_outside_the_age_range_it_stays_silent() -> None:
    old = a_record(birth=date(2020, 1, 1), unread=(Unread("meds", "drug not found"),))
    assert not see(old).cards


@pytest.mark.parametrize(
    ("record", "unsaid"),
    [
        (a_record(unread=(NAMED,)), "No neurological sign or malabsorption recorded"),
        (a_record(unread=(Unread("labs", "unit", "haemoglobin 5 arb"),)), "no neurological sign"),
        (a_record(unread=(Unread("labs", "unit", "haemoglobin 5 arb"),)), "provisional: no recent"),
        (a_record(measured=(), problems=[CROHN], unread=(NAMED,)), "none recorded"),
    ],
)
def test_nothing_is_called_absent_of_which_something_was_not_read(
    record: Record, unsaid: str
) -> None:
    assert see(structs.replace(record, unread=())).says(unsaid)
    assert not see(record).says(unsaid)


@pytest.mark.parametrize("newer", [a_level(78, None, ago=2), a_level(78, when=None)])
def test_an_older_level_does_not_stand_beside_a_newer_one_that_cannot_be_read(
    newer: Measurement,
) -> None:
    seen = see(a_record(newer, level=a_level(450, ago=90)))
    assert seen.shows("RTE-10.overtaken")
    assert "STAT-08" not in seen.rules


def test_an_older_one_that_cannot_be_read_takes_nothing_from_a_newer_level() -> None:
    assert not see(a_record(a_level(78, None, ago=90), level=a_level(450, ago=2))).cards


def test_a_low_level_stands_beside_a_newer_one_that_cannot_be_read() -> None:
    seen = see(a_record(a_level(450, None, ago=2), level=a_level(150, ago=20)))
    assert "RTE-07" in seen.rules


def test_a_need_that_is_missing_is_named_beside_a_result_dated_before_birth() -> None:
    seen = see(a_record(birth=day(-5), missing={"b12": "timeout"}))
    assert "Not available to this service: vitamin B12 results." in seen.cards[0].detail
