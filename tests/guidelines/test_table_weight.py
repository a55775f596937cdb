"""Table WT: which weight a dose may rest on."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from builders import (
    a_measurement,
    a_record,
    a_weight,
    day,
    days_ago,
    moment,
    quantity,
    see,
)

from cds_service.clinical import Code, Measurement
from cds_service.guidelines.b12_under_two.results import Weight


def weight_of(*weights: Measurement, birth: date | None = None) -> Weight:
    return see(a_record(*weights, birth=birth)).evaluation.facts.weight


@pytest.mark.parametrize(
    "but",
    [
        {"status": "preliminary"},
        {"status": "entered-in-error"},
        {"status": "unknown"},
        {"status": ""},
        {"withheld": True},
        {"when": None},
        {"when": days_ago(-2)},
        {"about": "mother"},
        {"comparator": ">"},
        {"value": None},
    ],
    ids=str,
)
def test_a_weight_that_does_not_stand_is_ignored(but: dict[str, object]) -> None:
    seen = see(a_record(a_weight(**but)))  # type: ignore[arg-type]
    assert {"WT-01", "WT-06"} <= seen.rules
    assert seen.evaluation.facts.weight.rejected == ()


@pytest.mark.parametrize(
    ("value", "unit"), [("7000", "kg"), ("7", "g"), ("0.7", "kg"), ("7", None), ("-7", "kg")]
)
def test_an_implausible_weight_is_shown_and_never_rescaled(value: str, unit: str | None) -> None:
    seen = see(a_record(a_weight(value, unit)))
    assert {"WT-02", "WT-06"} <= seen.rules
    assert seen.says(f"Weight not used, implausible for age or without a known unit: {value}")


def test_plausible_is_judged_by_the_age_at_weighing() -> None:
    two_months = day(61)
    assert weight_of(a_weight(3, ago=35), birth=two_months).rule == "WT-05"
    assert weight_of(a_weight("1.2", ago=35), birth=two_months).rule == "WT-05"
    assert weight_of(a_weight("1.2", ago=1), birth=two_months).rule == "WT-06"


@pytest.mark.parametrize(
    ("value", "unit", "kg"),
    [
        ("7484", "g", "7.484"),
        ("16.5", "[lb_av]", "7.484274105"),
        ("264", "[oz_av]", "7.484274105"),
        ("7.484", "kg", "7.484"),
    ],
)
def test_a_weight_is_converted_exactly(value: str, unit: str, kg: str) -> None:
    assert weight_of(a_weight(value, unit)).kg == Decimal(kg)


def test_a_birth_weight_counts_in_the_first_week_only() -> None:
    for age, row in ((6, "WT-04"), (9, "WT-06")):
        seen = see(a_record(a_weight("3.4", ago=age, code="8339-4"), birth=day(age)))
        assert row in seen.rules
        assert ("WT-03" in seen.rules) is (age == 9)


def test_the_latest_weight_is_used() -> None:
    found = weight_of(a_weight(7, ago=2), a_weight("6.5", ago=20))
    assert (found.rule, found.kg, found.on) == ("WT-04", Decimal(7), day(2))


def test_a_stated_weight_is_used_and_called_an_estimate() -> None:
    seen = see(a_record(a_weight(7, code="3142-7")))
    assert seen.evaluation.facts.weight.estimated
    assert seen.says("stated or estimated, not measured")


def test_a_weight_that_is_too_old_makes_no_dose_and_asks_to_weigh() -> None:
    seen = see(a_record(a_weight(7, ago=31)))
    assert "WT-05" in seen.rules
    assert "DOSE-B" not in seen.doses
    assert seen.says("the last weight is too old. Weigh the child")


def test_without_a_weight_the_fixed_dose_is_still_offered() -> None:
    seen = see(a_record())
    assert "WT-06" in seen.rules
    assert seen.doses == {"DOSE-A": True}
    assert seen.says("not worked out without a usable weight. Weigh the child")


def test_of_two_weights_of_one_day_that_disagree_the_lower_counts() -> None:
    seen = see(a_record(a_weight(8, ago=1), a_weight("6.5", ago=1)))
    assert seen.evaluation.facts.weight.kg == Decimal("6.5")
    assert seen.says("Two weights of one day differ")


def test_a_weight_in_a_list_of_another_measurement_is_no_weight() -> None:
    head = Code("http://loinc.org", "9843-4", "Head circumference")
    assert weight_of(a_measurement(head, value=quantity(7, "kg"))).rule == "WT-06"


def test_a_partial_date_of_birth_makes_a_weight_fit_every_age_it_can_mean() -> None:
    """Born in September: six months or five, so the windows of both apply."""
    for kg, row in ((7, "WT-04"), ("2.5", "WT-06"), (13, "WT-06")):
        birth = moment(date(2025, 9, 1), date(2025, 9, 30))
        assert see(a_record(a_weight(kg), birth=birth)).evaluation.facts.weight.rule == row
