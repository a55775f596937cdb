"""Which tests to order when, and what to do about the mother (tables MON and MAT)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Literal

from cds_service.clinical import PlannedTask, PlannedTest
from cds_service.guidelines.b12_under_two.age import (
    add_months,
    apart_at_most,
    days_since,
    whole_day,
)
from cds_service.guidelines.b12_under_two.assessment import (
    Assessment,
    extreme_homocysteine,
    months_at,
    raised_in_newborn,
    recent,
)
from cds_service.guidelines.b12_under_two.data import Guideline, Test
from cds_service.guidelines.b12_under_two.facts import Facts
from cds_service.guidelines.b12_under_two.messages import Texts
from cds_service.guidelines.b12_under_two.products import has_phrase, names_b12
from cds_service.guidelines.b12_under_two.results import LabName
from cds_service.guidelines.b12_under_two.tables.monitoring import MonitoringFacts
from cds_service.guidelines.b12_under_two.tables.mother import Mother, MotherFacts
from cds_service.guidelines.engine import Choice
from cds_service.guidelines.tables import Reasoning
from cds_service.language import Message, say

TestName = Literal[
    "b12", "mma", "homocysteine", "blood_count", "folate", "ferritin", "reticulocytes", "potassium",
    "amino_acids", "acylcarnitines", "organic_acids",
]  # fmt: skip
Wanted = tuple[TestName, date]

#: What a recent result of which laboratory value makes a baseline test unnecessary.
_BASELINE: tuple[tuple[TestName, LabName], ...] = (
    ("blood_count", "hemoglobin"),
    ("mma", "methylmalonate"),
    ("homocysteine", "homocysteine"),
    ("folate", "folate"),
    ("ferritin", "ferritin"),
)


#: What else is sampled where an inborn error is thought of (policy).
OF_METABOLISM: tuple[TestName, ...] = ("amino_acids", "acylcarnitines", "organic_acids")


def recent_value(facts: Facts, name: LabName, g: Guideline) -> Decimal | None:
    """The newest result of the last month, in the unit of ``LAB_UNITS``."""
    lab = recent(facts, name, g.limits.labs_recent)
    return lab.value if lab is not None else None


def potassium_low(facts: Facts, g: Guideline) -> bool:
    potassium = recent_value(facts, "potassium", g)
    return potassium is not None and g.limits.potassium_low.holds(potassium)


def baseline(facts: Facts, assessment: Assessment, g: Guideline, why: Reasoning) -> list[Wanted]:
    """Before treatment: blood count, metabolites, folate and ferritin without a recent result,
    what a metabolic specialist asks for where an inborn error is suspected, and the level itself
    where it is missing or old."""
    wanted = without_result([(test, facts.on) for test, _ in _BASELINE], facts, g)
    extreme = extreme_homocysteine(facts, g.limits) is not None
    if assessment.suspected or extreme or raised_in_newborn(facts, g.limits):
        wanted = [*((test, facts.on) for test in OF_METABOLISM), *wanted]
    if assessment.status.name in ("deficient (diagnosis only)", "deficient (old result)"):
        wanted.insert(0, ("b12", facts.on))
    elif assessment.untreated_since is not None and not _measured_this_month(facts, assessment, g):
        wanted.insert(0, ("b12", facts.on))  # untreated for so long: is it lower still?
    elif _was_treated_since(facts, assessment) and not _measured_this_month(facts, assessment, g):
        wanted.insert(0, ("b12", facts.on))  # it is older than the treatment that came after it
    if facts.neurological and recent(facts, "potassium", g.limits.labs_recent, surely=True) is None:
        wanted.append(("potassium", facts.on))
    lacking = tuple([test for test, _ in wanted])
    why.row(g.tables.monitoring, "MON-02", MonitoringFacts(without_result=lacking))
    return wanted


def _was_treated_since(facts: Facts, assessment: Assessment) -> bool:
    level = assessment.status.level
    return level is not None and any(day > level.when.last for day in facts.therapy.dates)


def _measured_this_month(facts: Facts, assessment: Assessment, g: Guideline) -> bool:
    level = assessment.status.level
    return level is not None and g.limits.labs_recent.holds(days_since(level.when, facts.on))


def without_result(wanted: Iterable[Wanted], facts: Facts, g: Guideline) -> list[Wanted]:
    """Those of ``wanted`` that have no usable result of the last month: what is there is not
    ordered again."""
    of = dict(_BASELINE)
    return [
        one
        for one in wanted
        if one[0] not in of
        or recent(facts, of[one[0]], g.limits.labs_recent, above=True, surely=True) is None
    ]


def repeated_metabolites(facts: Facts, assessment: Assessment, g: Guideline) -> list[Wanted]:
    """In four weeks, the metabolites that are neither normal nor convincingly raised, and those
    that are followed up next to an adequate level."""
    status = assessment.status
    unclear = [*status.grey_metabolites]
    followed = status.name == "adequate with signs" and not facts.neurological
    if followed or (status.name == "borderline" and not status.convincing):
        unclear += status.high_metabolites
    later = facts.on + timedelta(weeks=int(g.file.constants.borderline_repeat.value))
    names = {one.name for one in unclear}
    return [(test, later) for test, lab in _BASELINE[1:3] if lab in names]


def checks(start: date, g: Guideline) -> tuple[date, date]:
    """The days of the one- and the three-month check of a treatment that began on ``start``."""
    constants = g.file.constants
    return (
        add_months(start, int(constants.one_month_check.value)),
        add_months(start, int(constants.three_month_check.value)),
    )


def at_checks(due: Iterable[date], *, parenteral: bool) -> list[Wanted]:
    """The level on each day, and after an injection, when it is always high, the metabolites."""
    names: tuple[TestName, ...] = ("b12", "mma", "homocysteine") if parenteral else ("b12",)
    return [(name, day) for day in due for name in names]


def during_treatment(
    facts: Facts, assessment: Assessment, g: Guideline, why: Reasoning, *, parenteral: bool
) -> list[Wanted]:
    """After starting today: B12 at one and three months, and what severity and route add.

    Potassium falls in the first two days of treating a severe anaemia.
    """
    table, constants, start = g.tables.monitoring, g.file.constants, facts.on
    asked = MonitoringFacts(
        treating=True,
        parenteral=parenteral,
        severity=assessment.severity,
        signs=bool(facts.neurological),
        anaemia=bool(facts.anemia or facts.megaloblastic or facts.pancytopenia),
        hemoglobin=recent_value(facts, "hemoglobin", g),
        hemoglobin_months=months_at(facts, recent(facts, "hemoglobin", g.limits.labs_recent)),
        severe_megaloblastic=any(one.severe for one in facts.megaloblastic),
        potassium=recent_value(facts, "potassium", g),
    )
    wanted: list[Wanted] = []
    month, quarter = checks(start, g)
    if why.row(table, "MON-01", asked):
        wanted += [("b12", month), ("b12", quarter)]
    if why.row(table, "MON-03", asked):
        week = start + timedelta(days=int(constants.reticulocyte_check.value))
        wanted += [("reticulocytes", week), ("blood_count", month)]
    if why.row(table, "MON-04", asked):
        days = range(int(constants.potassium_days.value))
        wanted += [("potassium", start + timedelta(days=day)) for day in days]
    if why.row(table, "MON-05", asked):
        wanted += [("mma", month), ("homocysteine", month)]
    return wanted


def clarify(facts: Facts, assessment: Assessment, g: Guideline, why: Reasoning) -> list[Wanted]:
    """A borderline level: metabolites and blood count now, the level again in four weeks; at
    once where no level was measured."""
    asked = MonitoringFacts(status=assessment.status.name)
    why.row(g.tables.monitoring, "MON-06", asked)
    now = _spoilt_by_a_dose(facts, g)
    if assessment.status.level is None:
        return [*now, ("b12", facts.on)]
    later = timedelta(weeks=int(g.file.constants.borderline_repeat.value))
    again = repeated_metabolites(facts, assessment, g)
    return [*now, ("b12", facts.on + later), *again]


def while_unproven(
    facts: Facts, assessment: Assessment, g: Guideline, why: Reasoning, *, in_words: bool
) -> list[Wanted]:
    """Before a dose where no deficiency is established: a level unless one says something, and with
    a sign, also ``in_words`` that leave a level open, a risk or a borderline level what else the
    dose would hide."""
    status = assessment.status
    unknown = status.name in ("unknown", "unknown at risk")
    wanted: list[Wanted] = [("b12", facts.on)] if unknown and not facts.preliminary else []
    signs = in_words or bool(facts.neurological)
    if not (status.concerned or status.name == "unknown at risk" or signs):
        return wanted
    why.row(g.tables.monitoring, "MON-06", MonitoringFacts(status=status.name))
    if status.concerned and facts.neurological:  # injections are offered, with their baseline
        return wanted + baseline(facts, assessment, g, why)
    return wanted + _spoilt_by_a_dose(facts, g)


def _spoilt_by_a_dose(facts: Facts, g: Guideline) -> list[Wanted]:
    """Blood count and metabolites of today, which say nothing any more after a first dose."""
    return without_result([(test, facts.on) for test, _ in _BASELINE[:3]], facts, g)


def is_ordered(test: Test, due: date, facts: Facts, g: Guideline) -> bool:
    """Whether the record has an order for this test within the window around ``due``."""
    codes = {(one.system, one.code) for one in test.codes}
    return any(
        g.limits.order_window.holds(apart_at_most(when, whole_day(due)))
        and (
            any((one.system, one.code) in codes or one.code in test.same_as for one in order.codes)
            or order.text.lower() in test.same_words
        )
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
) -> tuple[tuple[PlannedTest, ...], tuple[Message, ...]]:
    """(tests to order, names and dates of those already ordered). An order on the record within
    14 days of the wanted date is not repeated; our own serial orders stay."""
    planned: list[PlannedTest] = []
    already: list[tuple[Test, date]] = []
    for name, due in sorted(dict.fromkeys(wanted), key=itemgetter(1)):
        test: Test = getattr(g.file.tests, name)
        if facts.orders and is_ordered(test, due, facts, g):
            already.append((test, due))
            continue
        later = due > facts.on
        planned.append(
            PlannedTest(
                test.codes,
                test.called,
                due,
                facts.on,
                "urgent" if urgent and not later else "routine",
                reasons,
                say(Texts.draw_before_dose)
                if before_dose and later and name in ("b12", "mma", "homocysteine")
                else "",
                test.called_inside,
            )
        )
    listed = tuple([f"{test.name} ({due})" for test, due in already])
    why.row(g.tables.monitoring, "MON-07", MonitoringFacts(already=listed))
    return tuple(planned), tuple(
        [say(Texts.test_on, name=test.called, date=due) for test, due in already]
    )


def test_choices(rule: str, planned: Iterable[PlannedTest]) -> tuple[Choice, ...]:
    """One suggestion a test, to be ticked as wanted."""
    return tuple(
        Choice(
            rule, say(Texts.order_test, name=test.name, date=test.due), (test,), recommended=True
        )
        for test in planned
    )


def maternal_task(
    facts: Facts, assessment: Assessment, g: Guideline, why: Reasoning
) -> tuple[str, PlannedTask] | None:
    """(rule, task): the mother of a breast-fed infant is assessed and treated too, or seen to
    before anything is wrong."""
    status = assessment.status
    level = status.level
    responding = status.name == "follow-up" and level is not None and level.verdict == "adequate"
    asked = MotherFacts(
        band=facts.age.band,
        breast_fed=facts.breast_fed,
        concerned=status.concerned,
        at_risk=status.name == "unknown at risk",
        formula_fed=facts.formula_fed,
        treated=facts.therapy.current,
        adequate=status.name == "adequate" or responding,
        maternal=tuple([one for one in facts.maternal if one not in facts.vegetarian]),
        vegan_child=facts.vegan.child,
    )
    match = why.all(g.tables.mother, asked)
    if not match.fired or match.result == "nothing" or _is_open(match.result, facts, g):
        return None
    sources = (status.level.source,) if status.level and status.level.source else ()
    texts: Mapping[Mother, Message] = {
        "prevent": say(Texts.prevention_mother),
        "prevent in the child": say(Texts.prevention_child),
    }
    text = texts.get(match.result, say(Texts.mother))
    return match.rule, PlannedTask(text, facts.on, sources)


def _is_open(wanted: Mother, facts: Facts, g: Guideline) -> bool:
    """Whether a task of prevention is being seen to: an open one about vitamin B12, of the mother
    or not as is wanted."""
    if wanted not in ("prevent", "prevent in the child"):
        return False
    hers = g.file.names.mother.words
    return any(
        names_b12([one.text], g) and has_phrase(one.text, hers) is (wanted == "prevent")
        for one in facts.tasks
    )


def task_choice(rule: str, task: PlannedTask) -> Choice:
    text = say(Texts.check_child if rule == "PRE-02" else Texts.assess_mother)
    return Choice(rule, text, (task,))
