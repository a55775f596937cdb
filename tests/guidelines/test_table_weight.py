"""Table WT: which weight a dose may rest on."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from builders import (
    PRETERM,
    a_lab,
    a_measurement,
    a_record,
    a_weight,
    day,
    days_ago,
    moment,
    months_old,
    quantity,
    see,
)

from cds_service.clinical import Code, Measurement, Patient, Sex
from cds_service.guidelines.b12_under_two.growth import heaviest, place_of
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
    ("value", "unit"), [("9000", "kg"), ("3", "g"), ("0.7", "kg"), ("7", None), ("-7", "kg")]
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


EIGHT_MONTHS = months_old(8)


@pytest.mark.parametrize(
    ("kg", "sex", "fate"),
    [
        # boys of 8 months: 3.98 is 6 and 5.45 is 4 deviations below; of 9 months: 13.52 is 4 above,
        # 14.75 is 5
        ("3.97", "male", "rejected"), ("3.98", "male", "unusual"), ("5.44", "male", "unusual"),
        ("5.45", "male", "used"), ("13.52", "male", "used"), ("13.53", "male", "unusual"),
        ("14.75", "male", "unusual"), ("14.76", "male", "rejected"),
        # girls: 3.48 and 4.87, then 13.42 and 14.86
        ("3.47", "female", "rejected"), ("3.48", "female", "unusual"), ("4.87", "female", "used"),
        ("4.86", "female", "unusual"), ("13.42", "female", "used"), ("13.43", "female", "unusual"),
        ("14.86", "female", "unusual"), ("14.87", "female", "rejected"),
        # the sex not known: the wider limit on either side
        ("3.47", "", "rejected"), ("3.48", "", "unusual"), ("4.87", "", "used"),
        ("4.86", "", "unusual"),
        ("13.52", "", "used"), ("13.53", "", "unusual"), ("14.86", "", "unusual"),
        ("14.87", "", "rejected"),
    ],
)  # fmt: skip
def test_a_weight_is_held_against_the_curve_of_its_age_and_sex(
    kg: str, sex: Sex, fate: str
) -> None:
    child = Patient("child", moment(EIGHT_MONTHS), sex=sex)
    seen = see(a_record(a_weight(kg, ago=0), patient=child))
    weight = seen.evaluation.facts.weight
    assert (weight.kg is None, weight.unusual) == (fate == "rejected", fate == "unusual")
    assert ("WT-02" in seen.rules, "WT-07" in seen.rules) == (weight.kg is None, weight.unusual)
    assert seen.says("weigh the child again") is weight.unusual
    assert seen.says(f"known unit: {kg} kg") is (weight.kg is None)


@pytest.mark.parametrize("months", range(24))
def test_within_a_month_the_lower_limit_is_of_its_beginning_and_the_upper_of_its_end(
    months: int,
) -> None:
    """The median of the month and of the next are neither light nor heavy, and the limits grow."""
    low, high = (heaviest(months + one, Decimal(0)) for one in (0, 1))
    for kg in (low, high):
        place = place_of(kg, months, months, "male")
        assert max(place.light, place.heavy) <= 0
    assert place_of(heaviest(months + 1, Decimal(5)), months, months, "").heavy == 5


def test_the_youngest_and_the_preterm_are_not_held_against_the_lower_curves() -> None:
    light = a_weight("2", ago=0)
    assert weight_of(light, birth=months_old(1)).kg == Decimal(2)
    assert weight_of(light, birth=months_old(2)).unusual
    small = a_weight("3", ago=0)
    assert weight_of(small, birth=EIGHT_MONTHS).kg is None
    for of_birth in ({"problems": [PRETERM]}, {"parts": [a_lab("gestational_age", 36)]}):
        parts = of_birth.pop("parts", [])
        seen = see(a_record(small, *parts, birth=EIGHT_MONTHS, **of_birth))
        assert seen.evaluation.facts.weight.kg == Decimal(3)
        assert not seen.evaluation.facts.weight.unusual


@pytest.mark.parametrize(
    ("value", "unit", "slip"),
    [
        ("18", "kg", "18 kg (18 lb would fit the age: check the unit)"),
        ("8200", "kg", "8200 kg (8200 g would fit the age: check the unit)"),
        ("8.2", "g", "8.2 g (8.2 kg would fit the age: check the unit)"),
        ("8.2", "[lb_av]", ""),  # 3.7 kg, which a boy or girl of 8 months can be: only unusual
        ("7.5", "[lb_av]", "7.5 [lb_av] (7.5 kg would fit the age: check the unit)"),
        ("82", "kg", "82 kg."),
    ],
)
def test_a_rejected_weight_names_the_unit_that_would_fit(value: str, unit: str, slip: str) -> None:
    seen = see(a_record(a_weight(value, unit, ago=0), birth=EIGHT_MONTHS))
    assert (seen.evaluation.facts.weight.kg is None) is bool(slip)
    assert not slip or seen.says(slip)


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
    assert (found.rule, found.kg, found.when) == ("WT-04", Decimal(7), days_ago(2))


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
    assert seen.says("not calculated without a usable weight. Weigh the child")


def test_of_two_weights_of_one_day_that_disagree_the_lower_counts() -> None:
    seen = see(a_record(a_weight(8, ago=1), a_weight("6.5", ago=1)))
    assert seen.evaluation.facts.weight.kg == Decimal("6.5")
    assert seen.says("Two weights of one day differ")


def test_a_weight_in_a_list_of_another_measurement_is_no_weight() -> None:
    head = Code("http://loinc.org", "9843-4", "Head circumference")
    assert weight_of(a_measurement(head, value=quantity(7, "kg"))).rule == "WT-06"


def test_a_partial_date_of_birth_makes_a_weight_fit_every_age_it_can_mean() -> None:
    """Born in September: six months or five, so the limits of both apply."""
    for kg, row in ((7, "WT-04"), ("3.14", "WT-06"), ("13.17", "WT-06"), ("13.16", "WT-04")):
        birth = moment(date(2025, 9, 1), date(2025, 9, 30))
        assert see(a_record(a_weight(kg), birth=birth)).evaluation.facts.weight.rule == row
