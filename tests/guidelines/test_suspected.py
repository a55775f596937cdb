"""Rows ETI-01b to ETI-01d and RTE-01b to RTE-01d: an inborn error suspected from the metabolites;
SAF-05b: an allergy by its name only."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from builders import (
    COBALAMIN_C,
    MUSCLE,
    SEIZURE,
    G,
    Seen,
    a_dosage,
    a_dose_given,
    a_draft,
    a_lab,
    a_level,
    a_problem,
    a_record,
    an_allergy,
    an_injection,
    an_order,
    day,
    months_old,
    see,
    see_orders,
)

from cds_service.clinical import Code, Measurement, PlannedDrug, PlannedTest, StoppedDrug
from cds_service.guidelines.b12_under_two.messages import Texts
from cds_service.language import say

OLD = months_old(20)


def no_cyanocobalamin(seen: Seen) -> bool:
    """No suggestion of any card is cyanocobalamin, nothing is given by mouth."""
    return all(
        drug.substance == "hydroxocobalamin" and drug.route != G.file.routes.oral
        for drug in seen.drugs
    )


@pytest.mark.parametrize(
    ("value", "level", "suspected"),
    [
        ("49.9", 250, False), (50, 250, True), ("50.1", 250, True), (50, 200, True),
        (50, 400, True), (50, 199, False), (100, 199, False), ("100.1", 199, True),
        ("49.9", None, False), (50, None, True), (100, None, True),
    ],
)  # fmt: skip
def test_an_extreme_homocysteine_is_for_the_specialist_today(
    value: str | int, level: int | None, suspected: bool
) -> None:
    lab = a_lab("homocysteine", value)
    record = a_record(lab, level=a_level(level)) if level else a_record(measured=(lab,))
    seen = see(record)
    assert ("ETI-01b" in seen.rules) is suspected
    assert ("RTE-01b" in seen.rules) is suspected
    assert seen.shows("ETI-01b") is suspected
    if suspected:
        assert seen.outcome("ETI-01b").indicator == "critical"
        assert no_cyanocobalamin(seen)
        assert not seen.says("**mild**")
        assert seen.says("plasma amino acids, acylcarnitines, urine organic acids")


@pytest.mark.parametrize(
    ("level", "offered", "recommended"),
    [(199, True, True), (200, True, False), (299, True, False), (300, False, False)],
)
def test_the_dose_follows_the_level(level: int, offered: bool, recommended: bool) -> None:
    for problems, rule in (([], "DOSE-E"), ([SEIZURE], "DOSE-D")):
        seen = see(a_record(a_lab("homocysteine", 120), level=a_level(level), problems=problems))
        choices = [
            one
            for one in seen.outcome("ETI-01b").choices
            if any(isinstance(plan, PlannedDrug) for plan in one.plans)
        ]
        assert [one.rule for one in choices] == ([rule] if offered else [])
        assert [bool(one.recommended) for one in choices] == ([recommended] if offered else [])
        (card,) = [one for one in seen.cards if "metabolic specialist today" in one.summary]
        above = card.detail.partition("---")[0]
        only_offered = offered and not recommended
        assert ("then ask whether to inject" in above) is only_offered
        assert ("then inject" in above) is not only_offered
        assert ("1000 micrograms" in card.summary) is recommended
        samples = "plasma amino acids, acylcarnitines, urine organic acids"
        weekly = offered and rule == "DOSE-E"  # whose course takes their room above the rule
        assert samples in (card.detail if weekly else above)


@pytest.mark.parametrize(("ago", "offered"), [(180, True), (181, False), (365, False)])
def test_a_level_that_is_too_old_calls_for_no_dose_and_is_measured(ago: int, offered: bool) -> None:
    record = a_record(a_lab("homocysteine", 120), level=a_level(80, ago=ago), birth=months_old(15))
    seen = see(record)
    assert seen.outcome("ETI-01b").indicator == "critical"
    assert bool(seen.drugs) is offered
    if not offered:
        assert ("Vitamin B12", 0) in seen.tests
        assert seen.says("for the specialist to confirm")
        assert seen.says("older than half a year and calls for no dose")


@pytest.mark.parametrize(("homocysteine", "critical"), [(9, True), (20, True), ("49.9", True)])
@pytest.mark.parametrize("level", [200, 299, 300])
def test_a_high_homocysteine_makes_an_extreme_methylmalonate_no_less_urgent(
    homocysteine: str | int, critical: bool, level: int
) -> None:
    labs = (a_lab("methylmalonate", "10.1"), a_lab("homocysteine", homocysteine))
    seen = see(a_record(*labs, level=a_level(level)))
    assert (seen.outcome("ETI-01c").indicator == "critical") is critical
    assert not seen.drugs
    assert seen.says("ask whether to inject hydroxocobalamin")


@pytest.mark.parametrize("comparator", [">", ">="])
def test_the_ceiling_of_an_assay_counts(comparator: str) -> None:
    lab = a_lab("homocysteine", 50, comparator=comparator)
    assert see(a_record(lab, level=a_level(250))).shows("ETI-01b")


@pytest.mark.parametrize(
    ("labs", "suspected"),
    [
        ((a_lab("homocysteine", 120, ago=20), a_lab("homocysteine", 40, ago=2)), False),
        ((a_lab("homocysteine", 120, ago=20), a_lab("homocysteine", 60, ago=2)), True),
        ((a_lab("homocysteine", 120, ago=20),
          a_lab("homocysteine", 50, ago=2, comparator="<")), False),
        ((a_lab("homocysteine", 120, ago=20),
          a_lab("homocysteine", 30, ago=2, comparator=">")), True),
        ((a_lab("homocysteine", 120, ago=30),), True),
        ((a_lab("homocysteine", 120, ago=31),), True),
        ((a_lab("homocysteine", 120, ago=180),), True),
        ((a_lab("homocysteine", 120, ago=181),), False),
    ],
)  # fmt: skip
def test_a_later_value_settles_it_or_the_end_of_half_a_year(
    labs: tuple[Measurement, ...], suspected: bool
) -> None:
    assert see(a_record(*labs, level=a_level(400), birth=OLD)).shows("ETI-01b") is suspected


@pytest.mark.parametrize(("ago", "suspected"), [(30, True), (31, False)])
def test_once_treated_a_month_is_the_end(ago: int, suspected: bool) -> None:
    given = a_dose_given(ago=20)
    record = a_record(
        a_lab("homocysteine", 120, ago=ago), level=a_level(400), medications=[given], birth=OLD
    )
    assert see(record).shows("ETI-01b") is suspected


def test_on_treatment_it_is_said_too_and_one_order_is_left() -> None:
    for level in (150, 250):
        record = a_record(
            a_lab("homocysteine", 120),
            level=a_level(level, ago=12),
            medications=[an_order(ago=10)],
        )
        seen = see(record)
        assert "RTE-01b" in seen.rules
        (choice,) = [
            one
            for one in seen.outcome("ETI-01b").choices
            if any(isinstance(plan, PlannedDrug) for plan in one.plans)
        ]
        assert any(isinstance(plan, StoppedDrug) for plan in choice.plans)


def test_under_one_month_there_is_no_dose() -> None:
    labs = (a_lab("homocysteine", 11), a_lab("methylmalonate", "1.3"))
    for level in (150, 250, 400):
        seen = see(a_record(*labs, level=a_level(level), birth=day(20)))
        assert seen.shows("ETI-01b")
        assert not seen.doses
    assert not see(a_record(*labs, level=a_level(400))).shows("ETI-01b")


@pytest.mark.parametrize(
    ("age", "expected"), [(day(20), True), (months_old(1), False), (months_old(6), False)]
)
@pytest.mark.parametrize(
    ("record", "card"),
    [
        ({"labs": ("homocysteine", 120)}, "ETI-01b"),
        ({"labs": ("methylmalonate", 11)}, "ETI-01c"),
        ({"problems": [COBALAMIN_C]}, "RTE-01"),
    ],
)
def test_whoever_is_sent_for_an_injection_under_one_month_reads_which_product(
    record: dict[str, Any], card: str, age: date, *, expected: bool
) -> None:
    """Above the rule, though no dose is suggested at that age."""
    labs = [a_lab(*record["labs"])] if "labs" in record else []
    problems = record.get("problems", [])
    seen = see(a_record(*labs, level=a_level(250), birth=age, problems=problems))
    shown = [one for one in seen.cards if "reservative-free product only" in one.detail]
    assert seen.shows(card)
    assert bool(shown) is expected
    assert all("reservative-free" in one.detail.partition("---")[0] for one in shown)


@pytest.mark.parametrize(("age", "expected"), [(day(20), True), (months_old(1), False)])
def test_a_draft_refused_for_an_injection_says_so_too(age: date, *, expected: bool) -> None:
    record = a_record(a_lab("homocysteine", 120), level=a_level(400), birth=age)
    seen = see_orders(record, a_draft())
    notes = [note.text for note in seen.outcome("ORD-10.suspected").notes]
    assert (say(Texts.preservative_free) in notes) is expected


def test_a_reaction_to_cobalamin_withholds_the_dose_here_too() -> None:
    lab = a_lab("homocysteine", 120)
    seen = see(a_record(lab, level=a_level(150), allergies=(an_allergy(),)))
    assert seen.shows("ETI-01b")
    assert not seen.doses


def test_without_the_problem_list_it_is_still_said_and_no_dose_given() -> None:
    record = a_record(
        a_lab("homocysteine", 120), level=a_level(150), missing={"conditions": "timeout"}
    )
    seen = see(record)
    assert seen.shows("ETI-01b")
    assert not seen.doses


def test_a_recorded_inborn_error_is_not_suspected() -> None:
    seen = see(a_record(a_lab("homocysteine", 120), level=a_level(150), problems=[COBALAMIN_C]))
    assert seen.shows("RTE-01")
    assert not seen.shows("ETI-01b")


@pytest.mark.parametrize(
    ("value", "level", "days", "card"),
    [
        (10, 250, 180, ""), ("10.1", 250, 180, "ETI-01c"), ("10.1", 199, 180, ""),
        ("10.1", 400, 20, "ETI-01c"), (10, 400, 20, "ETI-01d"), ("1.26", 400, 20, "ETI-01d"),
        ("1.25", 400, 20, ""), (5, 199, 20, ""), (5, 400, 180, ""),
    ],
)  # fmt: skip
def test_methylmalonate_alone(value: str | int, level: int, days: int, card: str) -> None:
    lab = a_lab("methylmalonate", value)
    seen = see(a_record(lab, level=a_level(level), birth=day(days)))
    route = {"ETI-01c": "RTE-01c", "ETI-01d": "RTE-01d"}.get(card, "")
    for one, row in (("ETI-01c", "RTE-01c"), ("ETI-01d", "RTE-01d")):
        assert seen.shows(one) is (one == card)
        assert (row in seen.rules) is (row == route)
    if card:
        assert not seen.doses
        assert seen.outcome(card).indicator == ("critical" if card == "ETI-01c" else "warning")


def test_a_draft_of_cyanocobalamin_is_refused_and_becomes_one_order() -> None:
    record = a_record(a_lab("homocysteine", 120), level=a_level(250))
    seen = see_orders(record, a_draft())
    assert seen.shows("ORD-10.suspected")
    assert seen.outcome("ORD-10.suspected").indicator == "critical"
    assert no_cyanocobalamin(seen)
    (card,) = [one for one in seen.cards if "no cyanocobalamin while" in one.summary]
    assert (
        "plasma amino acids, acylcarnitines, urine organic acids" in card.detail.partition("---")[0]
    )
    assert "; give" not in card.summary
    assert "; order" not in card.summary


@pytest.mark.parametrize(
    ("problem", "preselected"),
    [(a_problem(None, text="Infantile spasms"), False), (SEIZURE, True)],
)
def test_words_of_a_sign_preselect_no_course_at_the_order(
    problem: Any, *, preselected: bool
) -> None:
    """What the chart only offers, an order is not changed to by preselection either, nor is it in
    the headline next to the count of another regimen."""
    draft = an_injection(a_dosage(route=MUSCLE, days=90))
    seen = see_orders(a_record(problems=[problem]), draft)
    outcome = seen.outcome("ORD-16")
    assert [bool(one.recommended) for one in outcome.choices] == [preselected]
    (card,) = [one for one in seen.cards if "too little" in one.summary]
    assert ("alternate days" in card.summary) is preselected


# --- what is there is not ordered again -----------------------------------------------------------


@pytest.mark.parametrize(("ago", "again"), [(30, False), (31, True)])
def test_a_metabolite_of_the_last_month_is_not_ordered_again(ago: int, again: bool) -> None:
    lab = a_lab("methylmalonate", "0.2", ago=ago)
    seen = see(a_record(lab, level=a_level(480), problems=[SEIZURE]))
    assert seen.shows("RTE-10.signs")
    assert (("Methylmalonic acid", 0) in seen.tests) is again
    assert ("Homocysteine", 0) in seen.tests


def test_what_cannot_be_used_is_ordered_again() -> None:
    lab = a_lab("methylmalonate", "0.2", status="preliminary")
    seen = see(a_record(lab, level=a_level(480), problems=[SEIZURE]))
    assert ("Methylmalonic acid", 0) in seen.tests


# --- allergies by name ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["Cobalt", "cobalt metal", "Kobalt", "Cobalto", "кобальт", "Vitamin B12", "Cobalamine"]
)
def test_an_allergy_by_name_is_possible_and_nothing_is_preselected(name: str) -> None:
    seen = see(a_record(allergies=(an_allergy(Code("", "", name)),)))
    assert "SAF-05b" in seen.rules
    assert "SAF-05" not in seen.rules
    main = seen.outcome("RTE-07")
    assert main.indicator == "warning"
    drugs = [one for one in main.choices if any(isinstance(p, PlannedDrug) for p in one.plans)]
    assert drugs
    assert not any(one.recommended for one in drugs)
    assert seen.says(name)


@pytest.mark.parametrize("name", ["Penicillin", "cobaltite", "Nickel"])
def test_another_allergy_is_none_to_cobalamin(name: str) -> None:
    seen = see(a_record(allergies=(an_allergy(Code("", "", name)),)))
    assert "SAF-05b" not in seen.rules
    assert any(one.recommended for one in seen.outcome("RTE-07").choices)


def test_a_running_order_and_a_draft_are_warned_of() -> None:
    cobalt = (an_allergy(Code("", "", "Cobalt")),)
    seen = see(a_record(allergies=cobalt, medications=[an_order(ago=5)]))
    assert seen.outcome("SAF-05b").indicator == "warning"
    assert see_orders(a_record(allergies=cobalt), a_draft()).shows("ORD-10.possible")


def test_tests_stay_preselected_beside_a_possible_allergy() -> None:
    seen = see(a_record(level=a_level(250), allergies=(an_allergy(Code("", "", "Cobalt")),)))
    tests = [
        one
        for one in seen.outcome("RTE-08").choices
        if all(isinstance(plan, PlannedTest) for plan in one.plans)
    ]
    assert tests
    assert all(one.recommended for one in tests)
