"""Orders not to give vitamin B12, a form of it or injections: what they hold back, and what they
are called when they are written."""

from __future__ import annotations

from typing import Any

import pytest
from builders import (
    CYANOCOBALAMIN,
    HYDROXOCOBALAMIN,
    MUSCLE,
    ORAL,
    ORAL_SOLUTION,
    VIAL,
    G,
    a_dosage,
    a_draft,
    a_level,
    a_record,
    an_injection,
    an_order,
    in_force,
    see,
    see_orders,
)

from cds_service.clinical import Basket, Code, Draft, Medication
from cds_service.guidelines.b12_under_two.order_checks import may_concern_b12

SEVERE = {"level": a_level(80)}


def forbidding(text: str, *codes: Code, route: Code | None = None) -> Medication:
    lines = (a_dosage(route=route),) if route else ()
    return an_order(
        status="prohibited", codes=codes, text=text, dosages=lines, source="MedicationRequest/no"
    )


def draft(text: str, *codes: Code, **but: Any) -> Draft:
    told = {"kind": "prohibition", "codes": codes, "text": text, "dosages": ()}
    return a_draft(**{**told, **but})


#: What is ordered not to be given, and whether it holds back drops of cyanocobalamin, and
#: injections of hydroxocobalamin.
FORBIDDEN = [
    (forbidding("Vitamin B12"), True, True),
    (forbidding("", HYDROXOCOBALAMIN), False, True),
    (forbidding("vitamin B12 1 MG/ML Oral Solution", ORAL_SOLUTION), True, True),
    (forbidding("Cyanocobalamin"), True, False),
    (forbidding("cyanocobalamin 1000 mcg/mL", VIAL), True, False),
    (forbidding("Hydroxocobalamin"), False, True),
    (forbidding("Vitamin B12", route=MUSCLE), False, True),
    (forbidding("Vitamin B12", route=ORAL), True, False),
    (forbidding("No IM injections"), False, True),
    (forbidding("Injections"), False, True),
    (forbidding("No subcutaneous injection"), False, False),
    (forbidding("Heparin injection"), False, False),
    (forbidding("Folic acid"), False, False),
    (forbidding("Paracetamol"), False, False),
]


@pytest.mark.parametrize(("order", "drops", "injections"), FORBIDDEN)
def test_what_is_forbidden_is_offered_and_not_recommended(
    order: Medication, drops: bool, injections: bool
) -> None:
    for but, held in (({}, drops), (SEVERE, injections)):
        free = see(a_record(**but))
        seen = see(a_record(**but, medications=[order]))
        assert set(free.doses.values()) == {True}
        assert set(seen.doses) == set(free.doses)
        assert set(seen.doses.values()) == {not held}
        assert seen.says("Ordered not to be given") is held
        assert seen.indicator in ("warning", "critical")


@pytest.mark.parametrize(("order", "drops", "injections"), FORBIDDEN)
def test_an_order_of_what_is_forbidden_is_warned_of(
    order: Medication, drops: bool, injections: bool
) -> None:
    for one, held in ((a_draft(code=CYANOCOBALAMIN), drops), (an_injection(), injections)):
        seen = see_orders(a_record(medications=[order]), one)
        assert seen.says("another order is not to give it") is held
        if held:
            assert seen.outcome("ORD-09").indicator == "warning"


def test_an_order_in_force_next_to_one_not_to_give_it_is_named_at_the_chart() -> None:
    line = a_dosage(days=7, route=MUSCLE)
    weekly = in_force(line, code=HYDROXOCOBALAMIN, ago=10, route=MUSCLE)
    assert not see(a_record(medications=[weekly])).shows("ORD-09")
    seen = see(a_record(medications=[weekly, forbidding("Vitamin B12")]))
    assert seen.outcome("ORD-09").indicator == "warning"
    assert not see(a_record(medications=[weekly, forbidding("Cyanocobalamin")])).shows("ORD-09")


def test_an_order_not_to_give_is_no_treatment() -> None:
    facts = see(
        a_record(medications=[forbidding("Vitamin B12", HYDROXOCOBALAMIN)])
    ).evaluation.facts
    assert not facts.therapy.current
    assert not facts.therapy.active
    assert not facts.therapy.unknown


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Vitamin B12", ()),
        ("", (HYDROXOCOBALAMIN,)),
        ("No IM injections", ()),
    ],
)
def test_a_draft_not_to_give_it_is_named_and_counts_as_no_order(
    text: str, codes: tuple[Code, ...]
) -> None:
    for level, indicator in ((80, "warning"), (400, "info")):
        seen = see_orders(a_record(level=a_level(level)), draft(text, *codes))
        assert seen.outcome("ORD-09").indicator == indicator
        assert seen.says("it orders not to give this")
        assert not seen.shows("ORD-08")
        assert set(seen.doses.values()) <= {False}  # it holds back at once
    basket = Basket((draft(text, *codes),))
    assert may_concern_b12(basket, G)


def test_a_draft_not_to_give_something_else_or_no_longer_is_silent() -> None:
    adequate = a_record(level=a_level(400))
    for one in (draft("Paracetamol"), draft("Vitamin B12", status="cancelled")):
        assert not see_orders(adequate, one).shows("ORD-09")
    assert not may_concern_b12(Basket((draft("Paracetamol"),)), G)
