"""What to give: the route (table RTE), its card, and treatment already ordered (table DUP)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from msgspec import Struct, structs

from cds_service.clinical import Medication, StoppedDrug
from cds_service.guidelines.b12_under_two import monitoring, words
from cds_service.guidelines.b12_under_two.age import add_months, days_since
from cds_service.guidelines.b12_under_two.assessment import Assessment, at_risk
from cds_service.guidelines.b12_under_two.data import Dose, Guideline
from cds_service.guidelines.b12_under_two.facts import Facts
from cds_service.guidelines.b12_under_two.prescribing import (
    Prescriber,
    dose_notes,
    drugs_of,
    safety_notes,
)
from cds_service.guidelines.b12_under_two.tables.dose import Regimen
from cds_service.guidelines.b12_under_two.tables.duplication import DuplicationFacts
from cds_service.guidelines.b12_under_two.tables.route import Advice, RouteFacts
from cds_service.guidelines.b12_under_two.tables.safety import SafetyFacts
from cds_service.guidelines.b12_under_two.words import card_values, finding_notes, named, test_notes
from cds_service.guidelines.engine import (
    CannotTell,
    Choice,
    Indicator,
    Note,
    NotIndicated,
    Outcome,
    Recommend,
    most_urgent,
)
from cds_service.guidelines.tables import Reasoning

#: What the label of a choice begins with that stops the present order as well.
REPLACING = "Replace the present order: "


# --- route --------------------------------------------------------------------------------------


def choose_route(
    facts: Facts, a: Assessment, g: Guideline, why: Reasoning, *, ignoring_treatment: bool = False
) -> str:
    """The row of the route table: oral for most, by injection for neurological signs, severe
    deficiency and malabsorption, a specialist for inborn errors and the newborn."""
    asked = RouteFacts(
        cause=a.cause,
        status=a.status.name,
        deficient=a.status.deficient,
        severity=a.severity,
        signs=bool(facts.neurological),
        under_one_month=facts.age.under_one_month,
        treated=facts.therapy.current,
        set_aside=ignoring_treatment,
        lasting=bool(facts.malabsorption_permanent),
        unplaced=a.status.unplaced,
        worded=bool(facts.worded.neurological),
        alarmed=a.signs.alarm == "warning",
    )
    return why.first(g.tables.route, asked).rule


# --- the card -----------------------------------------------------------------------------------


class _Offer(Struct, frozen=True):
    """What a card offers, how urgent that makes it, and what is said of it."""

    indicator: Indicator
    choices: tuple[Choice, ...] = ()
    selection: Literal["at-most-one", "any"] = "at-most-one"
    notes: Sequence[Note] = ()


def recommend(route: str, facts: Facts, a: Assessment, g: Guideline, why: Reasoning) -> Outcome:
    """The main card of one row of the route table, with what may be ordered from it."""
    advice = g.tables.route[route].then
    if advice.kind == "nothing" or (advice.tests == "repeat" and not _worth_repeating(facts, a)):
        return NotIndicated(a.status.rule, g.file.rules[a.status.rule].result)
    prescriber = Prescriber(facts, a, g, why)
    allergic, leber = prescriber.minds("SAF-05"), prescriber.minds("SAF-01")
    prescriber.minds("SAF-02")
    offer = _offer(route, advice, prescriber, allergic=allergic, leber=leber)
    safety, indicator = safety_notes(
        route, offer.choices, offer.indicator, prescriber, allergic=allergic
    )
    urgency = _urgency_notes(facts, a, g)
    return Recommend(
        rule=route,
        card=_card_of(route, advice, facts, a, allergic=allergic, leber=leber),
        indicator="critical" if urgency else indicator,
        values=card_values(facts, a, offer.choices, g),
        notes=(
            *finding_notes(facts, a, g),
            *urgency,
            *_sign_notes(advice, facts, a, g),
            *safety,
            *offer.notes,
            *dose_notes(offer.choices, prescriber),
            *prescriber.notes,
            *_treatment_notes(advice, facts, a, g),
        ),
        choices=offer.choices,
        selection=offer.selection,
        main=True,
    )


def _worth_repeating(facts: Facts, a: Assessment) -> bool:
    """A known cause, or anything that a deficiency explains."""
    symptomatic = (
        facts.neurological
        or facts.failure_to_thrive
        or facts.anemia
        or facts.megaloblastic
        or a.signs.suggestive
    )
    return at_risk(a.cause) or bool(symptomatic)


def _offer(route: str, advice: Advice, p: Prescriber, *, allergic: bool, leber: bool) -> _Offer:
    indicator = p.g.file.cards[route].indicator
    if advice.kind == "specialist":
        return _Offer(indicator)
    if advice.kind == "treat" and not allergic:
        return _treatment(advice, indicator, p, leber=leber)
    if advice.kind == "choose" and not allergic:
        return _Offer(indicator, _unselected(advice, p))
    if advice.kind == "clarify":
        return _clarification(route, advice, indicator, p, allergic=allergic)
    wanted = _tests_without_treatment(advice, p)
    warns = advice.tests == "open question" and (p.neuro or p.a.signs.alarm == "warning")
    # an allergy may have withheld the treatment
    urgent = p.neuro or advice.injects or advice.kind == "choose" or warns
    return _tests(route, wanted, "warning" if warns else indicator, p, urgent=urgent)


def _treatment(advice: Advice, indicator: Indicator, p: Prescriber, *, leber: bool) -> _Offer:
    """The regimens of the row; where cyanocobalamin is dangerous, injections alone. A site may
    put the daily requirement first where the guideline offers it."""
    regimens: tuple[Regimen, ...] = advice.regimens
    if leber and not advice.injects:
        regimens = ("weekly injections",)
    if "daily requirement" not in regimens:
        found = [p.offer(one, recommended=one == regimens[0]) for one in regimens]
        return _Offer(indicator, tuple([one for one in found if one is not None]))
    literal = p.g.file.policy.first_line == "age_based_daily"
    requirement = p.maintenance(recommended=literal)
    literal = literal and requirement is not None
    regimen = p.oral(recommended=not literal)
    notes = [Note("advice", p.g.file.texts.local_first_line)] if literal else []
    choices = (regimen, requirement) if requirement is not None else (regimen,)
    return _Offer(indicator, choices, notes=notes)


def _clarification(
    route: str, advice: Advice, indicator: Indicator, p: Prescriber, *, allergic: bool
) -> _Offer:
    """Tests; with a neurological sign treatment after sampling, offered and not recommended."""
    facts, a = p.facts, p.a
    wanted = monitoring.clarify(facts, a, p.g, p.why)
    worded = bool(facts.worded.neurological)
    indicator = most_urgent(indicator, "warning" if at_risk(a.cause) or worded else "info")
    urgent = p.neuro or worded
    tests = _tests(route, wanted, "critical" if p.neuro else indicator, p, urgent=urgent)
    if not urgent or allergic or facts.age.under_one_month:
        return tests
    return _Offer(tests.indicator, _unselected(advice, p))


def _unselected(advice: Advice, p: Prescriber) -> tuple[Choice, ...]:
    """The regimens of the row, offered and not recommended."""
    found = [p.offer(one, recommended=False) for one in advice.regimens]
    return tuple([one for one in found if one is not None])


def _tests(
    route: str,
    wanted: Sequence[monitoring.Wanted],
    indicator: Indicator,
    p: Prescriber,
    *,
    urgent: bool,
) -> _Offer:
    tests, already = monitoring.plan_tests(
        wanted, p.facts, p.g, p.why, reasons=p.reasons, urgent=urgent
    )
    choices = monitoring.test_choices(route, tests)
    return _Offer(indicator, choices, "any", test_notes((), already, p.g))


def _tests_without_treatment(advice: Advice, p: Prescriber) -> list[monitoring.Wanted]:
    facts, status, g = p.facts, p.a.status, p.g
    on = facts.on
    if advice.tests == "baseline":
        return monitoring.baseline(facts, p.a, g, p.why)
    if advice.tests == "level":
        level = status.level
        current = level is not None and g.limits.result_current.holds(days_since(level.when, on))
        return [] if current else [("b12", on)]
    if advice.tests == "repeat":
        return [("b12", add_months(on, int(g.file.constants.adequate_repeat.value)))]
    metabolites = monitoring.missing_now(facts, ("mma", "homocysteine"), g)
    if status.name == "adequate with signs":
        return metabolites
    if status.unplaced:
        return [("b12", on), *metabolites]
    level_too: list[monitoring.Wanted] = [] if facts.preliminary else [("b12", on)]
    return [*level_too, *metabolites, *monitoring.missing_now(facts, ("blood_count",), g)]


def _sign_notes(advice: Advice, facts: Facts, a: Assessment, g: Guideline) -> list[Note]:
    """What the signs of a child ask for that its level does not say, and what rests on words."""
    texts = g.file.texts
    notes: list[Note] = []
    if a.status.name == "unknown at risk":
        notes += _unmeasured_notes(facts, a, g)
    if facts.screening and not a.status.deficient and advice.kind != "nothing":
        names = ", ".join(facts.screening)
        notes.append(Note("finding", texts.screening_positive, {"names": names}))
    worded = facts.worded.neurological
    if worded and a.status.concerned and advice.kind != "choose":
        names = ", ".join(one.name for one in worded)
        notes.append(Note("advice", texts.neurological_words, {"names": names}))
    in_words = (*worded, *facts.worded.suggestive, *facts.worded.weak)
    if in_words:
        names = ", ".join(dict.fromkeys(one.name for one in in_words))
        notes.append(Note("finding", texts.by_words, {"names": names}))
    return notes


def _unmeasured_notes(facts: Facts, a: Assessment, g: Guideline) -> Iterator[Note]:
    """What is known without a level, and what does not wait for one."""
    texts, raised = g.file.texts, a.signs.metabolites
    if raised:
        values = words.shown_labs(raised, g)
        yield Note("finding", texts.metabolites_known, {"values": values})
    if a.signs.severe_anaemia and len(raised) == _BOTH:
        yield Note("advice", texts.treat_severe_anaemia)
    if facts.malabsorption_permanent:
        yield Note("advice", texts.lasting_cause)


#: Methylmalonic acid and homocysteine.
_BOTH = 2


def _urgency_notes(facts: Facts, a: Assessment, g: Guideline) -> list[Note]:
    """What has waited so long that it is critical."""
    since, texts = a.untreated_since, g.file.texts
    if since is None:
        return []
    values: dict[str, object] = {"date": since, "days": (facts.on - since).days}
    notes = [Note("finding", texts.urgent_untreated, values)]
    if a.same_day:
        notes.append(Note("advice", texts.urgent_same_day))
    return notes


def _treatment_notes(advice: Advice, facts: Facts, a: Assessment, g: Guideline) -> list[Note]:
    """Treatment there is or was, and how long it will be needed."""
    texts, therapy = g.file.texts, facts.therapy
    notes: list[Note] = []
    if therapy.earlier is not None:
        notes.append(Note("finding", texts.earlier_treatment, {"date": therapy.earlier}))
    if therapy.requirement_level:
        values = {"name": therapy.requirement_level}
        notes.append(Note("finding", texts.requirement_level, values))
    if facts.malabsorption_permanent and a.status.deficient:
        notes.append(Note("advice", texts.lasting_cause))
    if advice.kind == "specialist" and therapy.active:
        notes.append(Note("finding", texts.active_now, {"order": order_names(facts)}))
    return notes


def _card_of(
    route: str, advice: Advice, facts: Facts, a: Assessment, *, allergic: bool, leber: bool
) -> str:
    """The text that fits: the row's own, unless a fact turns its advice round."""
    if allergic and (advice.kind in ("treat", "choose") or _offers_on_signs(advice, facts)):
        return "SAF-05.new"
    if leber and advice.kind == "treat" and not advice.injects:
        return "SAF-01.new"
    if facts.therapy.looks_like_b12 and advice.kind == "treat" and not facts.neurological:
        return "DUP-01.named"
    if _offers_on_signs(advice, facts):
        return "RTE-02" if facts.age.under_one_month else "RTE-08.signs"
    if advice.kind == "clarify" and a.status.level is None:
        return "RTE-08.diagnosis"
    if advice.tests == "open question":
        return _card_of_a_question(route, facts, a)
    return route


def _card_of_a_question(route: str, facts: Facts, a: Assessment) -> str:
    """What asks for a test: the signs beside a normal level, a level that cannot be placed, the
    screening, what suggests a deficiency, or else a neurological sign or a cause."""
    if a.status.name == "adequate with signs":
        return "RTE-10.signs"
    if a.status.unplaced:
        return "RTE-10.unplaced"
    if facts.screening:
        return "RTE-10.screening"
    if a.signs.suggestive and not facts.neurological:
        return "RTE-10.suggestive"
    return route


def _offers_on_signs(advice: Advice, facts: Facts) -> bool:
    """To be clarified, and neurological signs do not wait for that."""
    return advice.kind == "clarify" and bool(facts.neurological)


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


def switch_to_injection(
    dose: Dose, facts: Facts, a: Assessment, g: Guideline, why: Reasoning
) -> Recommend:
    """Stop the active orders and inject instead. An allergy withholds the injection and keeps
    the warning."""
    prescriber = Prescriber(facts, a, g, why)
    allergic = prescriber.minds("SAF-05")
    active = facts.therapy.active
    choices: list[Choice] = []
    notes: list[Note] = []
    if not allergic and not facts.age.under_one_month:
        choice = prescriber.injection(dose, recommended=True)
        if active:
            names = ", ".join(drug.name for drug in drugs_of(choice))
            change = {"names": order_names(facts), "drug": names}
            notes.append(Note("advice", g.file.texts.replace_oral, change))
            choice = structs.replace(
                choice,
                label=f"{REPLACING}{choice.label}",
                plans=(*stop_orders(active), *choice.plans),
            )
        choices.append(choice)
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
    running = facts.therapy.running
    if not running:
        return []
    asked = SafetyFacts(reactions=facts.reactions, leber=bool(facts.leber))
    found = []
    if why.row(g.tables.safety, "SAF-05", asked):
        values = {"names": ", ".join(facts.reactions), "order": medication_names(running)}
        found.append(("SAF-05", values))
    wrong = [one for one in running if g.codes.cyanocobalamin.any_of(one.codes)]
    if wrong and why.row(g.tables.safety, "SAF-01", asked):
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
    therapy = facts.therapy
    asked = DuplicationFacts(
        active=len(therapy.active),
        route=therapy.route,
        injections=g.tables.route[route].then.injects,
        signs=bool(facts.neurological),
    )
    if not why.row(g.tables.duplication, "DUP-03", asked):
        return None
    doses = g.file.doses
    dose = doses.neurological_injections if asked.signs else doses.weekly_injections
    switch = switch_to_injection(dose, facts, a, g, why)
    base = g.file.cards[route].indicator if route in g.file.cards else "warning"
    return structs.replace(
        switch,
        indicator="critical" if asked.signs else most_urgent(switch.indicator, base),
        notes=(*finding_notes(facts, a, g), *switch.notes),
    )
