"""Tables MON and MAT: tests to order, and the mother."""

from __future__ import annotations

from decimal import Decimal

import pytest
from builders import (
    CROHN,
    FAILURE_TO_THRIVE,
    NOT_BREAST_FED,
    SEIZURE,
    WORDS,
    G,
    a_diet,
    a_lab,
    a_level,
    a_record,
    a_test_order,
    breast_feeding,
    months_old,
    on_treatment,
    see,
)
from msgspec import structs

from cds_service.clinical import PlannedTest, Record
from cds_service.guidelines.b12_under_two.data import Constant

BASELINE = {"Blood count", "Methylmalonic acid", "Homocysteine", "Folate", "Ferritin"}
MONTH, QUARTER = 31, 92  # from 15 March to 15 April and 15 June


def names(record: Record, day: int) -> set[str]:
    return {name for name, due in see(record).tests if due == day}


def test_with_treatment_the_level_is_measured_at_one_and_three_months() -> None:
    seen = see(a_record())
    assert "MON-01" in seen.rules
    assert {("Vitamin B12", MONTH), ("Vitamin B12", QUARTER)} <= set(seen.tests)


def test_before_treatment_what_is_not_recent_is_measured() -> None:
    assert names(a_record(), 0) == BASELINE


@pytest.mark.parametrize(
    ("lab", "test"),
    [
        (a_lab("hemoglobin", 12), "Blood count"),
        (a_lab("methylmalonate", "0.2"), "Methylmalonic acid"),
        (a_lab("homocysteine", 5), "Homocysteine"),
        (a_lab("folate", 9), "Folate"),
        (a_lab("ferritin", 40), "Ferritin"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_recent_result_makes_its_baseline_test_unnecessary(lab: object, test: str) -> None:
    seen = see(a_record(lab))  # type: ignore[arg-type]
    assert "MON-02" in seen.rules
    assert {name for name, due in seen.tests if due == 0} == BASELINE - {test}


@pytest.mark.parametrize(
    "record",
    [a_record(a_lab("hemoglobin", "9.4")), a_record(level=a_level(80))],
    ids=["anaemia", "severe"],
)
def test_anaemia_and_severe_deficiency_are_watched_in_the_blood(record: Record) -> None:
    seen = see(record)
    assert "MON-03" in seen.rules
    assert {("Reticulocytes", 7), ("Blood count", MONTH)} <= set(seen.tests)


def test_mild_deficiency_is_not() -> None:
    assert "MON-03" not in see(a_record()).rules


def test_potassium_is_watched_when_a_marked_anaemia_is_injected() -> None:
    seen = see(a_record(a_lab("hemoglobin", "7.9"), problems=[CROHN]))
    assert "MON-04" in seen.rules
    assert {("Potassium", day) for day in range(3)} <= set(seen.tests)


def test_with_injections_the_metabolites_are_measured_before_the_next_dose() -> None:
    seen = see(a_record(problems=[CROHN]))
    assert "MON-05" in seen.rules
    later = [
        plan
        for offer in seen.offers
        for plan in offer.choice.plans
        if isinstance(plan, PlannedTest)
        and WORDS.language.text(plan.name) in ("Methylmalonic acid", "Vitamin B12")
        and plan.due > seen.evaluation.facts.on
    ]  # fmt: skip
    assert {WORDS.language.text(plan.name) for plan in later} == {
        "Methylmalonic acid",
        "Vitamin B12",
    }
    assert all("before a dose" in WORDS.language.text(plan.note) for plan in later)
    assert "MON-05" not in see(a_record()).rules


def test_a_borderline_level_is_clarified_now_and_repeated_in_four_weeks() -> None:
    seen = see(a_record(level=a_level(250)))
    assert "MON-06" in seen.rules
    assert {("Methylmalonic acid", 0), ("Homocysteine", 0), ("Vitamin B12", 28)} <= set(seen.tests)


@pytest.mark.parametrize("status", ["active", "draft", "on-hold"])
def test_a_test_already_ordered_is_not_ordered_twice(status: str) -> None:
    seen = see(a_record(test_orders=(a_test_order("13964-2", due_in=3, status=status),)))
    assert "MON-07" in seen.rules
    assert ("Methylmalonic acid", 0) not in seen.tests
    assert seen.says("Already ordered, not repeated: Methylmalonic acid")


@pytest.mark.parametrize("status", ["revoked", "completed", "entered-in-error", "unknown"])
def test_an_order_that_is_over_stands_in_nobodys_way(status: str) -> None:
    seen = see(a_record(test_orders=(a_test_order("13964-2", status=status),)))
    assert ("Methylmalonic acid", 0) in seen.tests


def test_the_molar_test_is_the_same_test() -> None:
    order = a_test_order("14685-2", due_in=MONTH)
    seen = see(a_record(test_orders=(order,)))
    assert ("Vitamin B12", MONTH) not in seen.tests
    assert ("Vitamin B12", QUARTER) in seen.tests


def test_an_order_without_a_due_date_is_placed_by_its_own() -> None:
    dated = a_test_order("13964-2", due_in=None, authored_ago=3)
    undated = a_test_order("13964-2", due_in=None)
    assert ("Methylmalonic acid", 0) not in see(a_record(test_orders=(dated,))).tests
    assert ("Methylmalonic acid", 0) in see(a_record(test_orders=(undated,))).tests


def test_our_own_series_stays_whole() -> None:
    tests = see(a_record(level=a_level(80))).tests
    assert [due for name, due in tests if name == "Potassium"] == [0, 1, 2]


def test_every_test_of_a_card_without_treatment_is_recommended_and_none_excludes_another() -> None:
    seen = see(a_record(level=a_level(250)))
    assert seen.outcome("RTE-08").selection == "any"  # type: ignore[union-attr]
    assert all(one.choice.recommended for one in seen.offers if one.outcome.rule == "RTE-08")


def test_with_signs_the_tests_of_today_are_urgent_and_later_ones_are_not() -> None:
    seen = see(a_record(problems=[SEIZURE]))
    plans = [p for o in seen.offers for p in o.choice.plans if isinstance(p, PlannedTest)]
    today = seen.evaluation.facts.on
    assert {plan.priority for plan in plans if plan.due == today} == {"urgent"}
    assert {plan.priority for plan in plans if plan.due > today} == {"routine"}


@pytest.mark.parametrize(
    ("constant", "value", "record", "wanted"),
    [
        ("one_month_check", 2, a_record(), {("Vitamin B12", 61), ("Vitamin B12", QUARTER)}),
        ("three_month_check", 4, a_record(), {("Vitamin B12", MONTH), ("Vitamin B12", 122)}),
        ("reticulocyte_check", 8, a_record(level=a_level(80)), {("Reticulocytes", 8)}),
        ("potassium_days", 2, a_record(level=a_level(80)), {("Potassium", 0), ("Potassium", 1)}),
        ("borderline_repeat", 5, a_record(level=a_level(250)), {("Vitamin B12", 35)}),
        (
            "adequate_repeat",
            2,
            a_record(a_lab("methylmalonate", "0.2"), level=a_level(250), problems=[CROHN]),
            {("Vitamin B12", 61)},
        ),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_when_a_test_is_wanted_is_a_number_of_the_data(
    constant: str, value: int, record: Record, wanted: set[tuple[str, int]]
) -> None:
    old: Constant = getattr(G.file.constants, constant)
    new = structs.replace(old, value=Decimal(value))
    constants = structs.replace(G.file.constants, **{constant: new})
    g = structs.replace(G, file=structs.replace(G.file, constants=constants))
    names = {name for name, _ in wanted}
    tests = {one for one in see(record, g=g).tests if one[0] in names}
    assert tests == wanted
    assert tests != {one for one in see(record).tests if one[0] in names}


# --- the mother -----------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [a_level(150), a_level(250)], ids=["deficient", "borderline"])
@pytest.mark.parametrize("fed", [(), (breast_feeding(),)], ids=["unknown", "breast-fed"])
def test_the_mother_of_an_infant_who_may_be_breast_fed_is_seen_to(
    level: object, fed: tuple[object, ...]
) -> None:
    seen = see(a_record(*fed, level=level))  # type: ignore[arg-type]
    assert "MAT-01" in seen.rules
    (task,) = seen.tasks
    told = WORDS.language.text(task.description)
    assert "mother" in told
    assert "own chart" in told


def test_the_mother_of_a_breast_fed_infant_at_risk_is_seen_to_before_there_is_a_result() -> None:
    record = a_record(measured=(breast_feeding(), a_diet(about="mother")))
    assert {"STAT-12", "MAT-01"} <= see(record).rules
    assert "MAT-01" not in see(a_record(measured=(), problems=[SEIZURE])).rules


def test_the_mother_of_a_breast_fed_toddler_is_seen_to() -> None:
    toddler = see(a_record(breast_feeding(), birth=months_old(15)))
    assert "MAT-02" in toddler.rules
    assert toddler.outcome("MAT-02").indicator == "info"
    assert "MAT-02" not in see(a_record(birth=months_old(15))).rules


def test_without_breast_feeding_there_is_nothing_to_do_for_the_mother() -> None:
    seen = see(a_record(breast_feeding(NOT_BREAST_FED), problems=[FAILURE_TO_THRIVE]))
    assert "MAT-03" in seen.rules
    assert not seen.tasks


def test_an_adequate_level_makes_no_task() -> None:
    assert not see(a_record(breast_feeding(), level=a_level(400))).tasks
    assert not see(on_treatment(40, (350, 30))).tasks
