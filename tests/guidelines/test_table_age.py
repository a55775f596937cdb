"""Table AGE: how old the child is, and that outside the covered age nothing is suggested."""

from __future__ import annotations

from datetime import date

import pytest
from builders import ON, Seen, a_level, a_patient, a_record, moment, months_old, see

from cds_service.clinical import Patient
from cds_service.guidelines.b12_under_two.age import add_months, completed_months


def born(first: date, last: date | None = None, **but: object) -> Seen:
    return see(a_record(birth=moment(first, last), **but))  # type: ignore[arg-type]


def age_rows(seen: Seen) -> list[str]:
    return [rule for rule in seen.fired if rule.startswith("AGE-")]


def test_for_a_child_who_has_died_there_is_no_card() -> None:
    seen = see(a_record(patient=a_patient(deceased=True)))
    assert age_rows(seen) == ["AGE-01"]
    assert seen.cards == ()


def test_a_missing_date_of_birth_is_asked_for_when_there_is_a_result() -> None:
    seen = see(a_record(patient=Patient("child", None)))
    assert age_rows(seen) == ["AGE-02"]
    assert seen.says("date of birth missing or not readable")
    assert not seen.offers


def test_a_missing_date_of_birth_without_any_result_makes_no_card() -> None:
    seen = see(a_record(patient=Patient("child", None), measured=()))
    assert age_rows(seen) == ["AGE-02"]
    assert seen.cards == ()


def test_a_birth_after_the_evaluation_is_called_implausible() -> None:
    seen = born(date(2026, 3, 16))
    assert age_rows(seen) == ["AGE-03"]
    assert seen.says("implausible date of birth")
    assert not seen.offers


@pytest.mark.parametrize(
    ("birth", "row"),
    [
        (date(2024, 3, 15), "AGE-04"),
        (date(2024, 3, 16), "AGE-05"),
        (date(2025, 3, 15), "AGE-05"),
        (date(2025, 3, 16), "AGE-06"),
        (date(2026, 3, 15), "AGE-06"),
    ],
)
def test_the_birthdays_themselves_belong_to_the_older_group(birth: date, row: str) -> None:
    assert age_rows(born(birth)) == [row]


def test_from_the_second_birthday_on_the_service_is_silent() -> None:
    assert born(date(2024, 3, 15)).silent


@pytest.mark.parametrize(
    ("first", "last", "row"),
    [
        (date(2023, 1, 1), date(2023, 12, 31), "AGE-07"),
        (date(2024, 3, 1), date(2024, 3, 15), "AGE-07"),
        (date(2025, 8, 1), date(2025, 8, 31), "AGE-08"),
        (date(2024, 8, 1), date(2024, 8, 31), "AGE-08"),
        (date(2025, 3, 1), date(2025, 3, 31), "AGE-09"),
        (date(2024, 3, 1), date(2024, 3, 31), "AGE-10"),
        (date(2024, 1, 1), date(2024, 12, 31), "AGE-10"),
    ],
)
def test_a_partial_date_of_birth_is_read_by_both_its_ends(
    first: date, last: date, row: str
) -> None:
    assert age_rows(born(first, last)) == [row]


def test_a_partial_date_is_cut_off_at_the_evaluation() -> None:
    """Born "2026-03", evaluated on the 15th: no one was born on the 31st."""
    seen = born(date(2026, 3, 1), date(2026, 3, 31))
    assert age_rows(seen) == ["AGE-08"]
    assert "RTE-02" in seen.rules


def test_a_child_who_may_be_under_one_month_is_treated_as_if_it_were() -> None:
    seen = born(date(2026, 2, 1), date(2026, 2, 28))
    assert seen.evaluation.facts.age.under_one_month
    assert not seen.drugs


def test_around_the_first_birthday_only_the_age_based_dose_waits_for_the_exact_date() -> None:
    seen = born(date(2025, 3, 1), date(2025, 3, 31))
    assert seen.doses == {"DOSE-A": True}
    assert seen.says("the exact date of birth decides")


def test_around_the_second_birthday_the_exact_date_is_asked_for_and_nothing_suggested() -> None:
    seen = born(date(2024, 3, 1), date(2024, 3, 31))
    assert seen.outcome("AGE-10").rule == "AGE-10"
    assert not seen.offers


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2025, 12, 15), 3, date(2026, 3, 15)),
        (date(2025, 3, 31), 0, date(2025, 3, 31)),
    ],
)
def test_months_are_added_by_the_calendar_and_clamped(
    day: date, months: int, expected: date
) -> None:
    assert add_months(day, months) == expected


def test_a_child_of_29_february_has_its_first_birthday_on_the_28th() -> None:
    assert completed_months(date(2024, 2, 29), date(2025, 2, 28)) == 12
    assert completed_months(date(2024, 2, 29), date(2025, 2, 27)) == 11


def test_a_birth_on_the_day_of_evaluation_is_zero_months() -> None:
    seen = born(ON, level=a_level(ago=0))
    assert seen.evaluation.facts.age.oldest == 0
    assert completed_months(months_old(7), ON) == 7
