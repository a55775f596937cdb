"""What to give: the route (table RTE), its card, and treatment already ordered (table DUP)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import structs

from cds_service.clinical import Medication, PlannedDrug, StoppedDrug
from cds_service.guidelines.b12_under_two import monitoring
from cds_service.guidelines.b12_under_two.age import add_months, days_since
from cds_service.guidelines.b12_under_two.assessment import Assessment, at_risk
from cds_service.guidelines.b12_under_two.data import Dose, Guideline
from cds_service.guidelines.b12_under_two.facts import Facts
from cds_service.guidelines.b12_under_two.prescribing import Prescriber, dose_notes, safety_notes
from cds_service.guidelines.b12_under_two.words import card_values, finding_notes, named, test_notes
from cds_service.guidelines.engine import (
    CannotTell,
    Choice,
    Note,
    NotIndicated,
    Outcome,
    Recommend,
    most_urgent,
)
from cds_service.guidelines.tables import Reasoning

#: Rows of the route table that treat by injection.
PARENTERAL = frozenset({"RTE-03", "RTE-04", "RTE-05"})
#: What the label of a choice begins with that stops the present order as well.
REPLACING = "Replace the present order: "
_NO_RESULT_NEEDED = frozenset({"adequate", "probably adequate", "unknown", "unknown at risk"})


# --- route --------------------------------------------------------------------------------------


def choose_route(
    facts: Facts, a: Assessment, why: Reasoning, *, ignoring_treatment: bool = False
) -> str:
    """The row of the route table: oral for most, by injection for neurological signs, severe
    deficiency and malabsorption, a specialist for inborn errors and the newborn."""
    status = a.status
    deficient = status.deficient
    neuro = bool(facts.neurological)
    treated = not ignoring_treatment and facts.therapy.current
    if why.holds("RTE-01", a.cause == "inborn", "cause: {}", a.cause):
        return "RTE-01"
    if why.holds(
        "RTE-11",
        not ignoring_treatment and (treated or status.name == "follow-up"),
        "treatment active: {}, status: {}",
        treated,
        status.name,
    ):
        return "RTE-11"
    newborn = facts.age.under_one_month
    if why.holds(
        "RTE-02", deficient and newborn, "under one month: {}, status: {}", newborn, status.name
    ):
        return "RTE-02"
    if why.holds(
        "RTE-03", deficient and neuro, "neurological signs: {}, status: {}", neuro, status.name
    ):
        return "RTE-03"
    severe = deficient and a.severity == "severe"
    if why.holds("RTE-04", severe, "severity: {}", a.severity or "not graded"):
        return "RTE-04"
    malabsorbs = a.cause in ("malabsorption", "mixed")
    if why.holds("RTE-05", deficient and malabsorbs, "cause: {}", a.cause):
        return "RTE-05"
    moderate = deficient and a.severity == "moderate"
    if why.holds("RTE-06", moderate, "severity: {}", a.severity or "not graded"):
        return "RTE-06"
    if why.holds("RTE-07", deficient, "status: {}", status.name):
        return "RTE-07"
    if why.holds("RTE-08", status.name == "borderline", "status: {}", status.name):
        return "RTE-08"
    lasting = bool(facts.malabsorption_permanent)
    quiet = status.name in _NO_RESULT_NEEDED and not neuro
    if why.holds(
        "RTE-09", lasting and quiet, "lasting cause: {}, status: {}", lasting, status.name
    ):
        return "RTE-09"
    unsettled = status.name in ("adequate with signs", "unknown at risk") or (
        status.rule == "STAT-09"
    )
    if why.holds("RTE-10", unsettled, "status: {}", status.name):
        return "RTE-10"
    if why.holds("RTE-11b", status.name == "probably adequate", "status: {}", status.name):
        return "RTE-11b"
    why.holds("RTE-12", True, "status: {}", status.name)
    return "RTE-12"


# --- the card -----------------------------------------------------------------------------------


def recommend(route: str, facts: Facts, a: Assessment, g: Guideline, why: Reasoning) -> Outcome:
    """The main card of one row of the route table, with what may be ordered from it."""
    symptomatic = bool(
        facts.neurological or facts.failure_to_thrive or facts.anemia or facts.megaloblastic
    )
    quiet = route == "RTE-11b" and not (at_risk(a.cause) or symptomatic)
    if route == "RTE-12" or quiet:
        return NotIndicated(a.status.rule, g.file.rules[a.status.rule].result)
    texts = g.file.texts
    indicator = g.file.cards[route].indicator
    prescriber = Prescriber(facts, a, g, why)
    allergic = why.holds(
        "SAF-05", bool(facts.reactions), "reaction to cobalamin: {}", bool(facts.reactions)
    )
    leber = why.holds(
        "SAF-01", bool(facts.leber), "Leber's optic neuropathy: {}", bool(facts.leber)
    )
    why.holds("SAF-02", route == "RTE-01", "inborn error: {}", route == "RTE-01")
    choices: list[Choice] = []
    selection: Literal["at-most-one", "any"] = "at-most-one"
    notes: list[Note] = []
    doses = g.file.doses
    weekly, neurological = doses.weekly_injections, doses.neurological_injections
    if route in ("RTE-03", "RTE-04", "RTE-05", "RTE-06", "RTE-07") and not allergic:
        if route == "RTE-03":
            choices = [prescriber.injection(neurological, recommended=True)]
        elif route in ("RTE-04", "RTE-05") or leber:
            choices = [prescriber.injection(weekly, recommended=True)]
        elif route == "RTE-06":
            choices = [
                prescriber.oral(recommended=True),
                prescriber.injection(weekly, recommended=False),
            ]
        else:
            literal = g.file.policy.first_line == "age_based_daily"
            other = prescriber.maintenance(recommended=literal)
            literal = literal and other is not None
            choices = [prescriber.oral(recommended=not literal), *([other] if other else [])]
            if literal:
                notes.append(Note("advice", texts.local_first_line))
    elif route == "RTE-08":
        indicator = most_urgent(indicator, "warning" if at_risk(a.cause) else "info")
        tests, already = monitoring.plan_tests(
            monitoring.clarify(facts, a, g, why),
            facts,
            g,
            why,
            reasons=prescriber.reasons,
            urgent=prescriber.neuro,
        )
        if prescriber.neuro:
            indicator = "critical"
            if not (allergic or facts.age.under_one_month):
                choices = [prescriber.injection(neurological, recommended=False)]
        if not choices:
            choices, selection = list(monitoring.test_choices(route, tests)), "any"
            notes += test_notes((), already, g)
    elif route != "RTE-01":
        tests, already = monitoring.plan_tests(
            _tests_without_treatment(route, facts, a, g, why),
            facts,
            g,
            why,
            reasons=prescriber.reasons,
            urgent=prescriber.neuro or route in PARENTERAL,
        )
        choices, selection = list(monitoring.test_choices(route, tests)), "any"
        notes += test_notes((), already, g)
        if route == "RTE-10" and prescriber.neuro:
            indicator = "warning"
    notes += dose_notes(choices, prescriber)
    notes += prescriber.notes
    safety, indicator = safety_notes(route, choices, indicator, prescriber, allergic=allergic)
    if a.untreated_since is not None:
        indicator = "critical"
        safety.insert(
            0,
            Note(
                "finding",
                texts.urgent_untreated,
                {"date": a.untreated_since, "days": (facts.on - a.untreated_since).days},
            ),
        )
        if a.same_day:
            safety.insert(1, Note("advice", texts.urgent_same_day))
    if facts.therapy.earlier is not None:
        notes.append(Note("finding", texts.earlier_treatment, {"date": facts.therapy.earlier}))
    if facts.therapy.requirement_level:
        notes.append(
            Note("finding", texts.requirement_level, {"name": facts.therapy.requirement_level})
        )
    if facts.malabsorption_permanent and a.status.deficient:
        notes.append(Note("advice", texts.lasting_cause))
    if route == "RTE-01" and facts.therapy.active:
        notes.append(Note("finding", texts.active_now, {"order": order_names(facts)}))
    return Recommend(
        rule=route,
        card=_card_of(route, facts, a, allergic=allergic, leber=leber),
        indicator=indicator,
        values=card_values(facts, a, choices, g),
        notes=(*finding_notes(facts, a, g), *safety, *notes),
        choices=tuple(choices),
        selection=selection,
        main=True,
    )


def _card_of(route: str, facts: Facts, a: Assessment, *, allergic: bool, leber: bool) -> str:
    """The text that fits: the row's own, unless a fact turns its advice round."""
    treats = route in ("RTE-03", "RTE-04", "RTE-05", "RTE-06", "RTE-07")
    if allergic and (treats or (route == "RTE-08" and facts.neurological)):
        return "SAF-05.new"
    if leber and route in ("RTE-06", "RTE-07"):
        return "SAF-01.new"
    if route == "RTE-08" and facts.neurological:
        return "RTE-02" if facts.age.under_one_month else "RTE-08.signs"
    if route == "RTE-08" and a.status.level is None:
        return "RTE-08.diagnosis"
    if route == "RTE-10" and a.status.name == "adequate with signs":
        return "RTE-10.signs"
    if route == "RTE-10" and a.status.rule == "STAT-09":
        return "RTE-10.unplaced"
    return route


def medication_names(medications: Iterable[Medication]) -> str:
    names = [one.text or one.codes[0].display or one.codes[0].code for one in medications]
    return ", ".join(dict.fromkeys(names)) or "vitamin B12"


def stop_orders(medications: Iterable[Medication]) -> tuple[StoppedDrug, ...]:
    """The orders among them stopped, each whole as it was sent."""
    return tuple(
        StoppedDrug(one.resource, one.source, one.text or one.codes[0].display)
        for one in medications
        if one.resource
    )


def order_names(facts: Facts) -> str:
    """The active orders by name."""
    return medication_names(facts.therapy.active)


def _tests_without_treatment(
    route: str, facts: Facts, a: Assessment, g: Guideline, why: Reasoning
) -> list[monitoring.Wanted]:
    on = facts.on
    if route in ("RTE-02", "RTE-03", "RTE-04", "RTE-05", "RTE-06", "RTE-07"):
        return monitoring.baseline(facts, a, g, why)  # an allergy withheld the treatment
    if route == "RTE-09":
        level = a.status.level
        current = level is not None and g.limits.result_current.holds(days_since(level.when, on))
        return [] if current else [("b12", on)]
    if route == "RTE-11b":
        return [("b12", add_months(on, 1))]
    if a.status.name == "adequate with signs":
        return [("mma", on), ("homocysteine", on)]
    if a.status.rule == "STAT-09":
        return [("b12", on), ("mma", on), ("homocysteine", on)]
    first: list[monitoring.Wanted] = [] if facts.preliminary else [("b12", on)]
    return [*first, ("mma", on), ("homocysteine", on), ("blood_count", on)]


def switch_to_injection(
    dose: Dose, facts: Facts, a: Assessment, g: Guideline, why: Reasoning
) -> Recommend:
    """Stop the active orders and inject instead. An allergy withholds the injection and keeps
    the warning."""
    prescriber = Prescriber(facts, a, g, why)
    allergic = why.holds(
        "SAF-05", bool(facts.reactions), "reaction to cobalamin: {}", bool(facts.reactions)
    )
    active = facts.therapy.active
    names = order_names(facts) if facts.therapy.active else ""
    choices: list[Choice] = []
    if not allergic and not facts.age.under_one_month:
        stops = stop_orders(active)
        choice = prescriber.injection(dose, recommended=True)
        label = f"{REPLACING}{choice.label}" if active else choice.label
        choices = [Choice(choice.rule, label, (*stops, *choice.plans), recommended=True)]
    stopping = bool(names and choices)
    drugs = [plan.name for one in choices for plan in one.plans if isinstance(plan, PlannedDrug)]
    change = {"names": names, "drug": ", ".join(drugs)}
    notes = [Note("advice", g.file.texts.replace_oral, change)] if stopping else []
    notes += prescriber.notes
    notes += dose_notes(choices, prescriber)
    safety, indicator = safety_notes("DUP-03", choices, "warning", prescriber, allergic=allergic)
    return Recommend(
        "DUP-03",
        "DUP-03",
        indicator,
        card_values(facts, a, choices, g),
        (*safety, *notes),
        tuple(choices),
        "at-most-one",
        main=True,
    )


def cannot_evaluate(
    absent: tuple[str, ...], facts: Facts, a: Assessment, g: Guideline
) -> CannotTell:
    """Without B12 results or the problem list nothing is recommended; what is alarming is said."""
    alarming = a.status.deficient or bool(facts.neurological)
    shown = a
    if "conditions" in facts.missing and a.severity != "severe":
        shown = structs.replace(a, severity=None)  # no sign is known to be absent
    notes = finding_notes(facts, shown, g) if a.status.level is not None else []
    return CannotTell(
        "IN-03",
        absent,
        "IN-03",
        most_urgent(g.file.cards["IN-03"].indicator, "warning" if alarming else "info"),
        {"names": " and ".join(absent)},
        tuple(notes),
    )


def running_treatment(facts: Facts, g: Guideline, why: Reasoning) -> list[Outcome]:
    """What makes a treatment dangerous also makes one dangerous that is already running."""
    running, found = facts.therapy.running, []
    allergic = bool(running and facts.reactions)
    if why.holds("SAF-05", allergic, "reaction to cobalamin under treatment: {}", allergic):
        values = {"names": ", ".join(facts.reactions), "order": medication_names(running)}
        found.append(("SAF-05", values))
    wrong = [one for one in running if g.codes.cyanocobalamin.any_of(one.codes)]
    blinding = bool(facts.leber and wrong)
    if why.holds("SAF-01", blinding, "Leber's optic neuropathy under cyanocobalamin: {}", blinding):
        values = {"name": named(facts.leber), "order": medication_names(wrong)}
        found.append(("SAF-01", values))
    return [
        Recommend(rule, rule, g.file.cards[rule].indicator, values, main=True)
        for rule, values in found
    ]


def replace_oral(
    route: str, facts: Facts, a: Assessment, g: Guideline, why: Reasoning
) -> Recommend | None:
    """An active oral order where the guideline says injection: replace it, do not add to it."""
    neuro = bool(facts.neurological)
    therapy = facts.therapy
    wrong = (
        therapy.is_active and therapy.route in ("oral", "other") and (route in PARENTERAL or neuro)
    )
    if not why.holds(
        "DUP-03",
        wrong,
        "active route: {}, route table: {}",
        therapy.route if therapy.is_active else "no treatment",
        route,
    ):
        return None
    doses = g.file.doses
    dose = doses.neurological_injections if neuro else doses.weekly_injections
    switch = switch_to_injection(dose, facts, a, g, why)
    base = g.file.cards[route].indicator if route in g.file.cards else "warning"
    return Recommend(
        "DUP-03",
        "DUP-03",
        "critical" if neuro else most_urgent(switch.indicator, base),
        switch.values,
        (*finding_notes(facts, a, g), *switch.notes),
        switch.choices,
        switch.selection,
        main=True,
    )
