"""Table IN: unknown is not absent, and what is missing is said."""

from __future__ import annotations

import pytest
from builders import (
    COBALAMIN_C,
    SEIZURE,
    G,
    Seen,
    a_level,
    a_record,
    a_weight,
    see,
)

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
    assert seen.says("This is not an all-clear")
    assert need.name in seen.cards[0].summary  # type: ignore[attr-defined]


def without_problems(**but: object) -> Seen:
    return see(a_record(missing={"conditions": "timeout"}, **but))  # type: ignore[arg-type]


def test_without_the_problem_list_a_low_level_is_still_shown_and_a_warning() -> None:
    seen = without_problems()
    assert seen.indicator == "warning"
    assert seen.says("Vitamin B12 150 pg/mL")


def test_without_the_problem_list_no_deficiency_is_called_mild() -> None:
    assert not without_problems().says("Severity: mild")
    assert without_problems(level=a_level(80)).says("Severity: severe")


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
    seen = see(a_record(unreadable={"labs": 2, "b12": 1}, foreign=3))
    assert seen.says("3 record(s) could not be read")
    assert seen.says("3 record(s) of another patient were left out")


def test_of_nothing_left_out_nothing_is_said() -> None:
    seen = see(a_record(a_weight()))
    for text in ("record(s)", "Not available to this service", "Possibly incomplete"):
        assert not seen.says(text)
