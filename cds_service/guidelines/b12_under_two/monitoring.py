"""Which tests to order when, and what to do about the mother (tables MON and MAT)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Literal

from cds_service.clinical import PlannedTask, PlannedTest
from cds_service.guidelines.b12_under_two.age import add_months, within
from cds_service.guidelines.b12_under_two.assessment import Assessment, recent
from cds_service.guidelines.b12_under_two.data import Guideline, Test
from cds_service.guidelines.b12_under_two.facts import Facts
from cds_service.guidelines.b12_under_two.results import LabName
from cds_service.guidelines.engine import Choice
from cds_service.guidelines.tables import Reasoning

TestName = Literal[
    "b12", "mma", "homocysteine", "blood_count", "folate", "ferritin", "reticulocytes", "potassium"
]
Wanted = tuple[TestName, date]

#: What a recent result of which laboratory value makes a baseline test unnecessary.
_BASELINE: tuple[tuple[TestName, LabName], ...] = (
    ("blood_count", "hemoglobin"),
    ("mma", "methylmalonate"),
    ("homocysteine", "homocysteine"),
    ("folate", "folate"),
    ("ferritin", "ferritin"),
)


def _anemia(facts: Facts, g: Guideline) -> bool:
    hemoglobin = recent(facts, "hemoglobin", g.limits.labs_recent)
    low = hemoglobin is not None and g.limits.hemoglobin_anaemia.holds(hemoglobin.value)
    return low or bool(facts.anemia or facts.megaloblastic or facts.pancytopenia)


def potassium_at_risk(facts: Facts, g: Guideline) -> bool:
    """Severe megaloblastic anaemia, haemoglobin under 7 g/dL, or a low potassium (SAF-06)."""
    hemoglobin = recent(facts, "hemoglobin", g.limits.labs_recent)
    very_low = hemoglobin is not None and g.limits.hemoglobin_severe.holds(hemoglobin.value)
    return very_low or any(one.severe for one in facts.megaloblastic) or potassium_low(facts, g)


def potassium_low(facts: Facts, g: Guideline) -> bool:
    potassium = recent(facts, "potassium", g.limits.labs_recent)
    return potassium is not None and g.limits.potassium_low.holds(potassium.value)


def baseline(facts: Facts, assessment: Assessment, g: Guideline, why: Reasoning) -> list[Wanted]:
    """Before treatment: blood count, metabolites, folate and ferritin without a recent result;
    the level itself where there is none, or only an old one."""
    wanted: list[Wanted] = [
        (test, facts.on)
        for test, lab in _BASELINE
        if recent(facts, lab, g.limits.labs_recent, above=True) is None
    ]
    if assessment.status.name in ("deficient (diagnosis only)", "deficient (old result)"):
        wanted.insert(0, ("b12", facts.on))
    if facts.neurological and recent(facts, "potassium", g.limits.labs_recent) is None:
        wanted.append(("potassium", facts.on))
    why.holds("MON-02", bool(wanted), "{} baseline tests without a recent result", len(wanted))
    return wanted


def during_treatment(
    facts: Facts, assessment: Assessment, g: Guideline, why: Reasoning, *, parenteral: bool
) -> list[Wanted]:
    """After starting today: B12 at one and three months, and what severity and route add."""
    start = facts.on
    month = add_months(start, 1)
    why.holds("MON-01", True, "treatment suggested from {}", start)
    wanted: list[Wanted] = [("b12", month), ("b12", add_months(start, 3))]
    watch = _anemia(facts, g) or assessment.severity == "severe"
    if why.holds("MON-03", watch, "anaemia or severe: {}", watch):
        wanted += [("reticulocytes", start + timedelta(days=7)), ("blood_count", month)]
    wanted += potassium_series(facts, assessment, g, why, parenteral=parenteral)
    if why.holds("MON-05", parenteral, "by injection: {}", parenteral):
        wanted += [("mma", month), ("homocysteine", month)]
    return wanted


def potassium_series(
    facts: Facts, assessment: Assessment, g: Guideline, why: Reasoning, *, parenteral: bool
) -> list[Wanted]:
    """Potassium falls in the first two days of treating a severe anaemia."""
    hemoglobin = recent(facts, "hemoglobin", g.limits.labs_recent)
    low = hemoglobin is not None and g.limits.hemoglobin_potassium.holds(hemoglobin.value)
    severe = assessment.severity == "severe" and not facts.neurological
    needed = potassium_at_risk(facts, g) or (parenteral and (low or severe))
    if why.holds("MON-04", needed, "risk of low potassium: {}", needed):
        return [("potassium", facts.on + timedelta(days=day)) for day in range(3)]
    return []


def clarify(facts: Facts, assessment: Assessment, g: Guideline, why: Reasoning) -> list[Wanted]:
    """A borderline level: metabolites and blood count now, the level again in four weeks; at
    once where no level was measured."""
    why.holds("MON-06", True, "borderline")
    now: list[Wanted] = [
        (test, facts.on)
        for test, lab in _BASELINE[:3]
        if recent(facts, lab, g.limits.labs_recent, above=True) is None
    ]
    measured = assessment.status.level is not None
    return [*now, ("b12", facts.on + timedelta(weeks=4) if measured else facts.on)]


def is_ordered(test: Test, due: date, facts: Facts, g: Guideline) -> bool:
    """Whether the record has an order for this test within the window around ``due``."""
    codes = {(one.system, one.code) for one in test.codes}
    return any(
        within(when.last, due, g.limits.order_window)
        and any((one.system, one.code) in codes or one.code in test.same_as for one in order.codes)
        for order in facts.orders
        if (when := order.due or order.authored) is not None
    )


def plan_tests(
    wanted: Iterable[Wanted],
    facts: Facts,
    g: Guideline,
    why: Reasoning,
    *,
    reasons: tuple[str, ...] = (),
    urgent: bool = False,
    before_dose: bool = False,
) -> tuple[tuple[PlannedTest, ...], tuple[str, ...]]:
    """(tests to order, names of those already ordered). An order on the record within 14 days
    of the wanted date is not repeated; our own serial orders stay."""
    planned: list[PlannedTest] = []
    already: list[str] = []
    for name, due in sorted(dict.fromkeys(wanted), key=lambda one: one[1]):
        test: Test = getattr(g.file.tests, name)
        if facts.orders and is_ordered(test, due, facts, g):
            already.append(f"{test.name} ({due})")
            continue
        later = due > facts.on
        planned.append(
            PlannedTest(
                test.codes,
                test.name,
                due,
                facts.on,
                "urgent" if urgent and not later else "routine",
                reasons,
                g.file.texts.draw_before_dose
                if before_dose and later and name in ("b12", "mma", "homocysteine")
                else "",
            )
        )
    why.holds("MON-07", bool(already), "already ordered: {}", ", ".join(already) or "nothing")
    return tuple(planned), tuple(already)


def test_choices(rule: str, planned: Iterable[PlannedTest]) -> tuple[Choice, ...]:
    """One suggestion a test, to be ticked as wanted."""
    return tuple(
        Choice(rule, f"Order {test.name} ({test.due})", (test,), recommended=True)
        for test in planned
    )


def maternal_task(
    facts: Facts, assessment: Assessment, g: Guideline, why: Reasoning
) -> tuple[str, PlannedTask] | None:
    """(rule, task): the mother of a breast-fed infant is assessed and treated too."""
    status = assessment.status
    concerned = status.deficient or status.name == "borderline"
    at_risk = status.name == "unknown at risk"
    fed = facts.breast_fed
    shown = "not documented" if fed is None else fed
    infant = facts.age.band in ("infant", "either")
    if why.holds("MAT-03", fed is False, "breast-fed: {}", shown):
        return None
    task = PlannedTask(
        g.file.texts.mother,
        facts.on,
        (status.level.source,) if status.level and status.level.source else (),
    )
    if why.holds(
        "MAT-01",
        infant and (concerned or (at_risk and fed is True)),
        "infant, breast-fed: {}, deficient or borderline: {}",
        shown,
        concerned,
    ):
        return "MAT-01", task
    if why.holds(
        "MAT-02",
        facts.age.band == "toddler" and fed is True and concerned,
        "toddler, breast-fed: {}",
        shown,
    ):
        return "MAT-02", task
    return None


def task_choice(rule: str, task: PlannedTask) -> Choice:
    return Choice(rule, "Create a task: assess the mother's vitamin B12", (task,))
