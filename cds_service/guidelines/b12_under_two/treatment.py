"""What to give: the route (table RTE), its card, and treatment already ordered (table DUP)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from msgspec import Struct, structs

from cds_service.clinical import IN_FORCE, Medication, StoppedDrug
from cds_service.guidelines.b12_under_two import monitoring
from cds_service.guidelines.b12_under_two.age import add_months, days_since, recorded
from cds_service.guidelines.b12_under_two.assessment import (
    Assessment,
    at_risk,
    extreme_homocysteine,
    fallen_extremes,
    told_risk,
    untreated_low,
    without_treatment,
)
from cds_service.guidelines.b12_under_two.data import Dose, Guideline
from cds_service.guidelines.b12_under_two.facts import Facts
from cds_service.guidelines.b12_under_two.giving import given
from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.b12_under_two.messages import Orders, Texts
from cds_service.guidelines.b12_under_two.prescribing import (
    Prescriber,
    dose_notes,
    drugs_of,
    is_asked_first,
    safety_notes,
)
from cds_service.guidelines.b12_under_two.results import Level
from cds_service.guidelines.b12_under_two.tables.dose import Regimen
from cds_service.guidelines.b12_under_two.tables.duplication import DuplicationFacts
from cds_service.guidelines.b12_under_two.tables.route import Advice, RouteFacts
from cds_service.guidelines.b12_under_two.tables.safety import SafetyFacts
from cds_service.guidelines.b12_under_two.therapy import is_held
from cds_service.guidelines.b12_under_two.words import (
    CardValues,
    earlier_course,
    finding_notes,
    is_again,
    is_relapse,
    lasting,
    named,
    nothing_to_say,
    shown_dated,
    shown_labs,
    shown_risks,
    some_of,
    test_notes,
)
from cds_service.guidelines.engine import (
    CannotTell,
    Choice,
    Indicator,
    Note,
    Outcome,
    Recommend,
    most_urgent,
)
from cds_service.guidelines.tables import Reasoning
from cds_service.language import Listed, Message, Sent, Value, Words, say

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
        treated=facts.therapy.current and not _is_as_untreated(facts, a),
        set_aside=ignoring_treatment,
        lasting=bool(facts.malabsorption_permanent),
        unplaced=a.status.unplaced,
        suspicion=a.suspicion,
        worded=bool(facts.perhaps_neurological),
        worded_inborn=bool(facts.worded.inborn),
        worded_malabsorption=bool(facts.worded.malabsorption),
        unconfirmed=_is_unconfirmed(facts, g.limits),
        alarmed=a.signs.alarm == "warning",
    )
    return why.first(g.tables.route, asked).rule


def _is_as_untreated(facts: Facts, a: Assessment) -> bool:
    """Whether an order on hold is not followed up: under one month of age, where a specialist is
    called whatever is ordered, and where the level is not low."""
    return facts.therapy.is_held and (facts.age.under_one_month or not a.status.concerned)


def _is_unconfirmed(facts: Facts, limits: Limits) -> bool:
    """Words of a sign, or a positive newborn screening, ask for metabolites, and none is known; or
    one that is raised in urine for the same in blood, or an extreme one fell untreated."""
    measured = facts.labs.get("methylmalonate") or facts.labs.get("homocysteine")
    asked = bool(facts.worded.neurological or facts.screening)
    fell = bool(fallen_extremes(facts, limits))
    return (asked and not measured) or bool(facts.raised_elsewhere) or fell


# --- the card -----------------------------------------------------------------------------------


class _Offer(Struct, frozen=True):
    """What a card offers, how urgent that makes it, and its notes."""

    indicator: Indicator
    choices: tuple[Choice, ...] = ()
    selection: Literal["at-most-one", "any"] = "at-most-one"
    notes: Sequence[Note] = ()


def recommend(route: str, facts: Facts, a: Assessment, g: Guideline, why: Reasoning) -> Outcome:
    """The main card of one row of the route table, with what may be ordered from it."""
    advice = g.tables.route[route].then
    if advice.kind == "nothing" or (advice.tests == "repeat" and not _worth_repeating(facts, a)):
        return nothing_to_say(a.status.rule)
    prescriber = Prescriber(facts, a, g, why)
    allergic, leber = prescriber.minds("SAF-05"), prescriber.minds("SAF-01")
    prescriber.minds("SAF-02")
    offer = _offer(route, advice, prescriber, allergic=allergic, leber=leber)
    antidote = _antidote_in_force(facts)
    if prescriber.minds("SAF-05b") or antidote or facts.leber_in_words:
        offer = structs.replace(offer, choices=_left_open(offer.choices))
    offer = _without_a_requirement(offer, facts)
    told = _tells_to_inject(advice, facts, a)
    safety, indicator = safety_notes(
        offer.choices,
        offer.indicator,
        prescriber,
        allergic=allergic and (prescriber.safety.concerned or told),
        told=told,
    )
    urgency = _urgency_notes(facts, a)
    suspected = a.suspicion if advice.kind == "suspected" else ""
    return Recommend(
        rule=suspected or route,
        card=suspected or _card_of(route, advice, prescriber, allergic=allergic, leber=leber),
        indicator="critical" if urgency else indicator,
        values=CardValues(facts, a, offer.choices, g),
        notes=(
            *finding_notes(facts, a, g),
            *urgency,
            *_sign_notes(advice, facts, a, g),
            *_homocysteine_notes(advice, facts, a, g),
            *([Note("before", say(Texts.samples_first))] if suspected else []),
            *safety,
            *antidote,
            *offer.notes,
            *dose_notes(offer.choices, prescriber),
            *prescriber.notes,
            *_treatment_notes(advice, facts, a, g),
        ),
        choices=offer.choices,
        selection=offer.selection,
        main=True,
    )


def _tells_to_inject(advice: Advice, facts: Facts, a: Assessment) -> bool:
    """The words of the card send for an injection, or for treatment, whatever it offers."""
    if advice.kind in ("specialist", "choose"):
        return True
    if advice.kind == "suspected":
        return a.suspicion != "ETI-01d"
    said = a.status.deficient and facts.age.under_one_month  # RTE-02 names the product itself
    held = (*facts.perhaps_neurological, *facts.worded.inborn)
    return bool(held) and a.status.concerned and not said


def requirement_card(
    route: str, facts: Facts, a: Assessment, g: Guideline, why: Reasoning
) -> list[Recommend]:
    """What a healthy child needs each day, as text on a card of its own, where the row of the
    route names it, nothing is urgent, and a site has not put it first."""
    if "daily requirement" not in g.tables.route[route].then.regimens or a.untreated_since:
        return []
    p = Prescriber(facts, a, g, why)
    if p.minds("SAF-05") or p.minds("SAF-01") or g.file.policy.first_line == "age_based_daily":
        return []
    found = None if is_again(facts, a, g) else p.requirement()
    if not p.notes:
        return []
    rule = found[0].rule if found is not None else route
    card = "RTE-07.requirement"
    return [Recommend(rule, card, g.file.cards[card].indicator, {}, tuple(p.notes))]


def _antidote_in_force(facts: Facts) -> list[Note]:
    """The note where grams of hydroxocobalamin are ordered against cyanide: nothing that
    gives a drug is preselected, since the antidote is vitamin B12 as well."""
    ordered = [one for one in facts.therapy.antidotes if one.kind == "order"]
    acts = any(one.status in IN_FORCE for one in ordered)
    return [Note("before", say(Texts.antidote_in_force))] if acts else []


def _left_open(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    """The same choices, none that gives a drug preselected."""
    return tuple(
        [structs.replace(one, recommended=False) if drugs_of(one) else one for one in choices]
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
    suspected = advice.kind == "suspected"
    indicator = p.g.file.cards[p.a.suspicion if suspected else route].indicator
    if advice.kind == "specialist":
        return _Offer(indicator)
    if advice.kind == "suspected":
        return _suspected(route, p, allergic=allergic)
    if advice.kind == "treat" and not allergic:
        return _treatment(advice, indicator, p, leber=leber)
    if advice.kind == "choose" and not allergic:
        return _Offer(indicator, _unselected(advice, p))
    if advice.kind == "clarify":
        return _clarification(route, advice, indicator, p, allergic=allergic)
    wanted = _tests_without_treatment(advice, p)
    warns = advice.tests == "open question" and _is_alarming(p)
    # an allergy may have withheld the treatment
    urgent = p.neuro or advice.injects or advice.kind == "choose" or warns
    return _tests(route, wanted, "warning" if warns else indicator, p, urgent=urgent)


def _is_alarming(p: Prescriber) -> bool:
    """What asks for a test is worth a warning."""
    raised = p.facts.raised_elsewhere and p.a.status.name in ("adequate", "probably adequate")
    return p.neuro or bool(raised) or p.a.signs.alarm == "warning" or p.a.status.rule == "STAT-07c"


def _suspected(route: str, p: Prescriber, *, allergic: bool) -> _Offer:
    """Samples, and hydroxocobalamin where the level calls for an injection: recommended where it is
    deficient, offered where it is borderline, else left to the specialist."""
    facts, a, g = p.facts, p.a, p.g
    level = a.status.level
    indicator = g.file.cards[a.suspicion].indicator
    if a.status.deficient and facts.age.under_one_month:  # what its own row would be
        indicator = most_urgent(indicator, g.file.cards["RTE-02"].indicator)
    notes: list[Note] = []
    if _only_hydroxocobalamin(facts, g):
        notes.append(Note("advice", say(Texts.suspected_already, order=order_names(facts))))
    elif not allergic and level is not None and _dosed_by_level(facts, a, g):
        choice, said = _injected_instead(p, recommended=level.verdict == "deficient")
        return _Offer(indicator, (choice,), notes=[*notes, *said])
    elif a.suspicion == "ETI-01b":
        notes.append(for_the_specialist(facts, a, g))
    wanted = monitoring.baseline(facts, a, g, p.why)
    if not _current(level, facts, g):
        if level is not None:
            notes.append(Note("caution", say(Texts.suspected_old_level)))
        if ("b12", facts.on) not in wanted:
            wanted.insert(0, ("b12", facts.on))
    tests = _tests(route, wanted, indicator, p, urgent=True)
    return structs.replace(tests, notes=[*notes, *tests.notes])


def for_the_specialist(facts: Facts, a: Assessment, g: Guideline) -> Note:
    """The dose of hydroxocobalamin as text, where the level alone calls for none; no dose under one
    month of age or after a reaction."""
    if facts.age.under_one_month or facts.reactions:
        return Note("advice", say(Texts.suspected_no_dose))
    p = Prescriber(facts, a, g, Reasoning())
    dose = p.in_words(g.file.doses.injections(signs=p.neuro))
    return Note("usual", say(Texts.suspected_dose, dose=dose))


def _only_hydroxocobalamin(facts: Facts, g: Guideline) -> bool:
    """The child is on orders of hydroxocobalamin, and on nothing else."""
    active = facts.therapy.active
    return bool(active) and all(g.codes.hydroxocobalamin.any_of(one.codes) for one in active)


def _dosed_by_level(facts: Facts, a: Assessment, g: Guideline) -> bool:
    """Whether a dose may be shown: not under one month, not without the facts it rests on, nor
    where the level is adequate or too old to describe the child."""
    if a.suspicion != "ETI-01b" or facts.age.under_one_month or _lacks_a_need(facts, g):
        return False
    level = a.status.level
    if level is None or not _current(level, facts, g):
        return False
    return level.verdict in ("deficient", "low", "borderline")


def _current(level: Level | None, facts: Facts, g: Guideline) -> bool:
    """There is a level, and it still describes the child."""
    return level is not None and g.limits.result_current.holds(days_since(level.when, facts.on))


def _injected_instead(p: Prescriber, *, recommended: bool) -> tuple[Choice, list[Note]]:
    """The injection, which stops what is ordered now, and its notes."""
    facts, dose = p.facts, p.g.file.doses.injections(signs=p.neuro)
    choice = p.injection(dose, recommended=recommended)
    notes = [] if recommended else [Note("caution", say(Texts.suspected_offered))]
    if facts.therapy.active:
        replaced, said = _in_place_of(choice, facts)
        return replaced, [*notes, said]
    return choice, notes


def _in_place_of(choice: Choice, facts: Facts) -> tuple[Choice, Note]:
    """The choice that stops what is ordered now, and the note about the change."""
    therapy = facts.therapy
    ending = (*therapy.active, *therapy.requirement)
    said = say(Texts.replace_oral, names=_called(ending))
    ended = therapy.over is not None and not (therapy.on_hold or therapy.requirement)
    replacing = structs.replace(
        choice,
        label=say(Texts.replacing_ended if ended else Texts.replacing, label=choice.label),
        plans=(*stop_orders(ending), *choice.plans),
    )
    return replacing, Note("give", said)


def _without_a_requirement(offer: _Offer, facts: Facts) -> _Offer:
    """The same, its treatment in place of what is ordered of a healthy child's need: one order of
    vitamin B12 is left."""
    if not facts.therapy.requirement:
        return offer
    choices, notes = list(offer.choices), list(offer.notes)
    for place, one in enumerate(choices):
        if drugs_of(one) and not any(isinstance(plan, StoppedDrug) for plan in one.plans):
            choices[place], said = _in_place_of(one, facts)
            notes = [*offer.notes, said]
    return structs.replace(offer, choices=tuple(choices), notes=notes)


def _lacks_a_need(facts: Facts, g: Guideline) -> bool:
    """A fact that every dose rests on is missing."""
    return any(need.importance == "required" and need.key in facts.missing for need in g.needs)


def _treatment(advice: Advice, indicator: Indicator, p: Prescriber, *, leber: bool) -> _Offer:
    """The regimens of the row; where cyanocobalamin is dangerous, injections alone. A site may
    put the daily requirement first where the guideline offers it."""
    if p.unexplained and not advice.injects:  # the cells may not take up what is swallowed
        swallowed: tuple[Regimen, ...] = () if leber else advice.regimens[:1]
        return _Offer(indicator, _regimens(("weekly injections", *swallowed), None, p))
    regimens: tuple[Regimen, ...] = advice.regimens
    if leber and not advice.injects:
        regimens = ("weekly injections",)
    if "daily requirement" not in regimens:
        choices = _regimens(regimens, regimens[0], p)
        if p.facts.perhaps_neurological and regimens[0] == "weekly injections":
            choices += _if_confirmed(_regimens(("alternate-day injections",), None, p))
        return _Offer(indicator, choices)
    if p.g.file.policy.first_line != "age_based_daily":
        return _Offer(indicator, (p.oral(recommended=True),))
    requirement = p.maintenance(recommended=True)
    literal = requirement is not None
    regimen = p.oral(recommended=not literal)
    notes = [Note("position", say(Texts.local_first_line))] if literal else []
    choices = (regimen, requirement) if requirement is not None else (regimen,)
    return _Offer(indicator, choices, notes=notes)


def _if_confirmed(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    """Where words are found to be a neurological sign."""
    return tuple(
        [
            structs.replace(one, label=say(Texts.if_confirmed, choice=one.label), conditional=True)
            for one in choices
        ]
    )


def _clarification(
    route: str, advice: Advice, indicator: Indicator, p: Prescriber, *, allergic: bool
) -> _Offer:
    """Tests; with a neurological sign treatment after sampling, offered and not recommended."""
    facts, a = p.facts, p.a
    wanted = monitoring.clarify(facts, a, p.g, p.why)
    worded = bool(facts.perhaps_neurological)
    level = a.status.level
    low = untreated_low(facts, level, p.g.limits) if level is not None else None
    pressing = at_risk(a.cause) or worded or low is not None or bool(facts.worded.inborn)
    pressing = pressing or bool(fallen_extremes(facts, p.g.limits)) or a.signs.alarm == "warning"
    indicator = most_urgent(indicator, "warning" if pressing else "info")
    notes = [Note("safety", _not_undone(low))] if low is not None else []
    urgent = p.neuro or worded
    tests = _tests(route, wanted, "critical" if p.neuro else indicator, p, urgent=urgent)
    if not urgent or allergic or facts.age.under_one_month:
        return structs.replace(tests, notes=(*notes, *tests.notes))
    return _Offer(tests.indicator, _unselected(advice, p), notes=notes)


def _not_undone(low: Level) -> Message:
    return say(Texts.not_undone, value=Sent(low.written), date=recorded(low.when))


def _unselected(advice: Advice, p: Prescriber) -> tuple[Choice, ...]:
    """The regimens of the row, offered and not recommended."""
    return _regimens(advice.regimens, None, p)


def _regimens(
    regimens: Iterable[Regimen], recommended: Regimen | None, p: Prescriber
) -> tuple[Choice, ...]:
    """As orders, of which at most one is recommended."""
    found = [p.offer(one, recommended=one == recommended) for one in regimens]
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
    return _Offer(indicator, choices, "any", test_notes((), already, p.g, before=False, told=()))


def _tests_without_treatment(advice: Advice, p: Prescriber) -> list[monitoring.Wanted]:
    facts, status, g = p.facts, p.a.status, p.g
    on = facts.on
    if advice.tests == "baseline":
        return monitoring.baseline(facts, p.a, g, p.why)
    if advice.tests == "level":
        return [] if _current(status.level, facts, g) else [("b12", on)]
    if advice.tests == "repeat":
        return [("b12", add_months(on, int(g.file.constants.adequate_repeat.value)))]
    metabolites: list[monitoring.Wanted] = [("mma", on), ("homocysteine", on)]
    if status.name in ("adequate with signs", "adequate", "probably adequate"):
        again = monitoring.repeated_metabolites(facts, p.a, g)
        return [*monitoring.without_result(metabolites, facts, g), *again]
    if status.unplaced:
        return [("b12", on), *monitoring.without_result(metabolites, facts, g)]
    level_too: list[monitoring.Wanted] = [] if facts.preliminary else [("b12", on)]
    others: list[monitoring.Wanted] = [*metabolites, ("blood_count", on)]
    return [*level_too, *monitoring.without_result(others, facts, g)]


def _sign_notes(advice: Advice, facts: Facts, a: Assessment, g: Guideline) -> list[Note]:
    """What the signs of a child ask for that its level does not say, and what rests on words."""
    notes: list[Note] = []
    if a.status.name == "unknown at risk":
        notes += _unmeasured_notes(facts, a, g)
    if facts.screening and advice.kind != "nothing":
        names = Listed(facts.screening)
        positive = say(Texts.screening_positive, names=names)
        notes.append(Note("finding", positive, told=(names,)))
    if a.status.name == "borderline":
        notes += _signs_of_the_blood(facts, a)
    if facts.raised_elsewhere and a.status.name != "unknown at risk":
        raised = Listed(facts.raised_elsewhere)
        notes.append(Note("why", say(Texts.metabolites_elsewhere, values=raised)))
    notes += _held_by_words(advice, facts, a)
    notes += _held_by_the_unread(advice, facts, a)
    worded = tuple([one.name for one in facts.worded.neurological])
    suggestive = [one.name for one in (*facts.worded.suggestive, *facts.worded.weak)]
    in_words = tuple(dict.fromkeys([*worded, *suggestive]))
    if in_words:
        notes.append(Note("caution", say(Texts.by_words, names=Listed(in_words))))
    return notes


def _signs_of_the_blood(facts: Facts, a: Assessment) -> Iterator[Note]:
    """What suggests a deficiency next to a level that settles nothing and is not named otherwise:
    the problem list and the metabolites are."""
    recorded = (
        *facts.failure_to_thrive, *facts.megaloblastic, *facts.suggestive, *facts.weak_signs,
        *facts.feeding_trouble, *facts.worded.suggestive, *facts.worded.weak,
    )  # fmt: skip
    named = {one.name for one in recorded}
    metabolites = (*facts.raised_elsewhere, *shown_labs(a.status.high_metabolites).items)
    found = [one for one in a.signs.suggestive if one not in (*named, *metabolites)]
    if found:
        yield Note("why", say(Texts.may_come_of_it, names=Listed(tuple(found))))


def _held_by_words(advice: Advice, facts: Facts, a: Assessment) -> Iterator[Note]:
    """What words hold back, unless it is what the card is about."""
    choosing = "" if advice.kind != "choose" else advice.regimens[0]
    if advice.kind == "clarify" and a.status.level is not None and not facts.neurological:
        choosing = advice.regimens[0]
    if a.status.concerned and choosing != "alternate-day injections":
        yield from _of_worded_signs(facts, weekly=advice.regimens[:1] == ("weekly injections",))
    if advice.kind != "nothing" and choosing != "weekly injections":
        yield from _of_worded_inborn(facts)


def _of_worded_signs(facts: Facts, *, weekly: bool) -> Iterator[Note]:
    perhaps = Listed(tuple([one.name for one in facts.perhaps_neurological]))
    if perhaps.items and weekly:
        yield Note("safety", say(Texts.neurological_words_weekly, names=perhaps))
    elif perhaps.items:
        yield Note("safety", say(Texts.neurological_words, names=perhaps))


def _of_worded_inborn(facts: Facts) -> Iterator[Note]:
    inborn = tuple([one.name for one in facts.worded.inborn])
    if inborn:
        yield Note("safety", say(Texts.inborn_words, names=Listed(inborn)))


def _held_by_the_unread(advice: Advice, facts: Facts, a: Assessment) -> Iterator[Note]:
    """What is not understood and holds treatment by mouth back; of a mild deficiency the card
    RTE-07.unread says it."""
    swallowed = advice.kind == "treat" and advice.regimens[0] == "oral regimen"
    if facts.not_understood and swallowed and a.severity == "moderate":
        names = Listed(tuple(some_of(facts.not_understood)))
        yield Note("before", say(Texts.not_understood, names=names))


def held_by_words(facts: Facts) -> Iterator[Note]:
    """What words hold back of a course that begins again by mouth."""
    yield from _of_worded_signs(facts, weekly=False)
    yield from _of_worded_inborn(facts)


def _homocysteine_notes(advice: Advice, facts: Facts, a: Assessment, g: Guideline) -> list[Note]:
    """A homocysteine as high as in an inborn error, where the level may explain it or a later value
    is lower: the specialist is still asked."""
    high = fallen_extremes(facts, g.limits)
    if a.suspected or not high or advice.kind in ("nothing", "specialist"):
        return []
    shown = shown_dated(high, facts.on, g)
    stands = extreme_homocysteine(facts, g.limits) is not None
    if stands and advice.kind == "treat" and not advice.injects and not facts.reactions:
        return []  # the card is about it
    text = say(Texts.cobalamin_c if stands else Texts.homocysteine_fell, values=shown)
    return [Note("safety", text)]


def _unmeasured_notes(facts: Facts, a: Assessment, g: Guideline) -> Iterator[Note]:
    """What is known without a level, and what does not wait for one."""
    raised = a.signs.metabolites
    if raised:
        shown = shown_labs(raised)
        yield Note("why", say(Texts.metabolites_known, values=shown), told=(shown,))
    if a.signs.anaemia and not a.signs.severe_anaemia and not a.signs.macrocytosis:
        yield Note("finding", say(Texts.may_come_of_it, names=Listed(a.signs.anaemia)))
    if a.signs.severe_anaemia and len(raised) == _BOTH:
        yield Note("safety", say(Texts.treat_severe_anaemia))
    if facts.malabsorption_permanent:
        yield Note("course", lasting(facts))
    risk = () if at_risk(a.cause) else told_risk(facts)
    if risk:
        yield Note("why", say(Texts.told_risk, names=shown_risks(risk, facts, g)))


#: Methylmalonic acid and homocysteine.
_BOTH = 2


def _urgency_notes(facts: Facts, a: Assessment) -> list[Note]:
    """What has waited so long that it is critical."""
    since = a.untreated_since
    if since is None:
        return []
    if a.same_day:
        return [Note("safety", say(Texts.urgent_same_day, date=recorded(since)))]
    return [Note("safety", say(Texts.urgent_untreated, date=recorded(since)))]


def _treatment_notes(advice: Advice, facts: Facts, a: Assessment, g: Guideline) -> list[Note]:
    """Treatment there is or was, and how long it will be needed."""
    therapy = facts.therapy
    notes: list[Note] = []
    broken_off = therapy.broken_off
    if broken_off is not None:
        last, count = recorded(broken_off.last), broken_off.doses
        notes.append(Note("safety", say(Texts.broken_off, count=count, date=last)))
    elif therapy.earlier is not None and is_relapse(facts, a, g):
        notes.append(Note("ask", say(Texts.relapse, course=earlier_course(therapy.earlier))))
    elif therapy.earlier is not None and is_again(facts, a, g):
        notes.append(Note("ask", say(Texts.stopped_before, course=earlier_course(therapy.earlier))))
    elif therapy.earlier is not None:
        course = earlier_course(therapy.earlier)
        notes.append(Note("finding", say(Texts.earlier_treatment, course=course)))
    notes += why_stopped(facts)
    if therapy.requirement:
        name = medication_names(therapy.requirement)
        notes.append(Note("finding", say(Texts.requirement_level, name=name)))
    if therapy.combinations:
        names = Listed(therapy.combinations)
        notes.append(Note("caution", say(Texts.combination_active, names=names)))
    if therapy.injected:
        names = Listed(therapy.injected)
        notes.append(Note("ask", say(Texts.combination_injected, names=names)))
    if facts.malabsorption_permanent and a.status.deficient:
        notes.append(Note("course", lasting(facts)))
    if advice.kind == "specialist" and therapy.active:
        notes.append(Note("finding", say(Texts.active_now, order=order_names(facts))))
    return notes


def why_stopped(facts: Facts) -> Iterator[Note]:
    """Why vitamin B12 was stopped, is on hold, or was not given, as it was sent."""
    therapy = facts.therapy
    if therapy.stopped_for:
        reasons = Listed(tuple(some_of(therapy.stopped_for)))
        yield Note("before", say(Texts.reason_stopped, reasons=reasons))
    held = dict.fromkeys(therapy.held_for)
    if held:
        yield Note("before", say(Texts.reason_held, reasons=Listed(tuple(some_of(held)))))
    if therapy.missed_for:
        reasons = Listed(tuple(some_of(therapy.missed_for)))
        yield Note("before", say(Texts.reason_missed, reasons=reasons))


def _card_of(route: str, advice: Advice, p: Prescriber, *, allergic: bool, leber: bool) -> str:
    """The text that fits: the row's own, unless a fact turns its advice round."""
    facts, a = p.facts, p.a
    if allergic and (advice.kind in ("treat", "choose") or _offers_on_signs(advice, facts)):
        return "SAF-05.new"
    if leber and advice.kind == "treat" and not advice.injects:
        return "SAF-01.new"
    if advice.kind == "treat":
        return _card_of_treating(route, advice, p)
    if advice.kind == "clarify":
        return _card_of_clarifying(route, advice, facts, a, p.g)
    return _card_of_a_question(route, facts, a) if advice.tests == "open question" else route


def _card_of_treating(route: str, advice: Advice, p: Prescriber) -> str:
    """An order that may be vitamin B12 is asked about first, then a homocysteine of an inborn
    error."""
    facts, a = p.facts, p.a
    asked = facts.therapy.doubtful or (
        facts.therapy.dispensed and is_asked_first(facts, a, injecting=advice.injects)
    )
    if asked and not facts.neurological:
        return "DUP-01.named"
    if is_asked_first(facts, a, injecting=advice.injects):
        return "DUP-01.combination" if facts.therapy.injected else "DUP-01.nameless"
    if p.unexplained and not advice.injects:
        return "RTE-06.homocysteine"
    unread = facts.not_understood or facts.not_all_read("conditions", "labs", "procedures")
    return "RTE-07.unread" if unread and route == "RTE-07" else route


def _card_of_clarifying(
    route: str, advice: Advice, facts: Facts, a: Assessment, g: Guideline
) -> str:
    """Signs do not wait for metabolites, and a diagnosis alone has no level to speak of."""
    if _offers_on_signs(advice, facts):
        return "RTE-02" if facts.age.under_one_month else "RTE-08.signs"
    if a.status.level is None:
        return "RTE-08.diagnosis"
    if facts.perhaps_neurological and not facts.age.under_one_month:
        return "RTE-08.words"
    if advice.tests == "open question":
        return _card_of_a_question(route, facts, a)
    return "RTE-08.repeat" if _are_both_repeated(facts, a, g) else route


def _are_both_repeated(facts: Facts, a: Assessment, g: Guideline) -> bool:
    """Both metabolites were measured lately, and settle nothing until they are measured again."""
    again = monitoring.repeated_metabolites(facts, a, g)
    return len(again) == 2 and not monitoring.without_result(again, facts, g)


def _card_of_a_question(route: str, facts: Facts, a: Assessment) -> str:
    """What asks for a test: the signs with a normal level, a level that cannot be placed, the
    screening, what suggests a deficiency, or else a neurological sign or a cause."""
    if a.status.name in ("adequate", "probably adequate"):
        if facts.worded.inborn:
            return "RTE-10.inborn"
        if facts.screening:
            return "RTE-10.screening"
        if facts.worded.neurological:
            return "RTE-10.words"
        return "RTE-10.elsewhere" if facts.raised_elsewhere else "RTE-10.fell"
    if a.status.name == "adequate with signs":
        if a.status.rule == "STAT-07c":
            return "RTE-10.marked"
        return "RTE-10.signs" if facts.neurological else "RTE-10.metabolites"
    if a.status.unplaced:
        level = a.status.level
        overtaken = level is not None and level.overtaken
        return "RTE-10.overtaken" if overtaken else "RTE-10.unplaced"
    return _card_without_a_level(route, facts, a)


def _card_without_a_level(route: str, facts: Facts, a: Assessment) -> str:
    """What asks for one: words of an inborn error, the screening, signs, or a cause."""
    if facts.worded.inborn and a.signs.rule in ("", "SIGN-02b"):
        return "RTE-10.inborn"
    if facts.screening:
        return "RTE-10.screening"
    if a.signs.suggestive and not facts.neurological:
        return "RTE-10.suggestive"
    neurological = facts.neurological or facts.worded.neurological
    return "RTE-10.neurological" if neurological else route


def _offers_on_signs(advice: Advice, facts: Facts) -> bool:
    """To be clarified, and neurological signs do not wait for that."""
    return advice.kind == "clarify" and bool(facts.neurological)


def medication_names(medications: Iterable[Medication]) -> str:
    names = [one.text or one.codes[0].display or one.codes[0].code for one in medications]
    return ", ".join(dict.fromkeys(names)) or "vitamin B12"


def said_held(medication: Medication, name: Words) -> Words:
    """``name``, and that it is on hold."""
    return say(Orders.on_hold, name=name) if is_held(medication) else name


def orders_in_force(facts: Facts) -> Listed:
    """The active orders by name, and which of them are on hold."""
    return _called(facts.therapy.active)


def _called(medications: Iterable[Medication]) -> Listed:
    """By name, and which of them are on hold."""
    each = [said_held(one, medication_names([one])) for one in medications]
    return Listed(tuple(dict.fromkeys(each)))


def stop_orders(medications: Iterable[Medication]) -> tuple[StoppedDrug, ...]:
    """The orders among them stopped, each whole as it was sent."""
    return tuple(
        StoppedDrug(one.resource, one.source, medication_names([one]))
        for one in medications
        if one.resource
    )


def order_names(facts: Facts) -> str:
    """The active orders by name."""
    return medication_names(facts.therapy.active)


def change_to(
    dose: Dose,
    facts: Facts,
    a: Assessment,
    g: Guideline,
    why: Reasoning,
    *,
    recommended: bool = True,
) -> Recommend:
    """Stop the active orders, and inject, or begin the regimen by mouth, instead. An allergy
    withholds what is ordered and keeps the warning."""
    prescriber = Prescriber(facts, a, g, why)
    allergic = prescriber.minds("SAF-05")
    choices: list[Choice] = []
    notes: list[Note] = []
    injected = dose is not g.file.doses.oral_regimen
    if not allergic and not facts.age.under_one_month:
        if injected:
            choice = prescriber.injection(dose, recommended=recommended)
        else:
            choice = prescriber.oral(recommended=recommended)
        if facts.therapy.active:
            choice, said = _in_place_of(choice, facts)
            notes.append(said)
        choices.append(choice)
    antidote = _antidote_in_force(facts)
    if prescriber.minds("SAF-05b") or antidote:
        choices = list(_left_open(choices))
    notes += prescriber.notes
    notes += dose_notes(choices, prescriber)
    safety, indicator = safety_notes(
        choices, "warning", prescriber, allergic=allergic, told=injected
    )
    return Recommend(
        "DUP-03",
        "DUP-03",
        indicator,
        CardValues(facts, a, choices, g),
        (*safety, *antidote, *notes),
        tuple(choices),
        "at-most-one",
        main=True,
    )


def go_on(
    facts: Facts, a: Assessment, g: Guideline, why: Reasoning, *, recommended: bool
) -> Recommend | None:
    """The injections that follow a course which is over, in place of its order; ``None`` where the
    drug, the dose or the day is not certain, something is on hold, or none may be given."""
    over, p = facts.therapy.over, Prescriber(facts, a, g, why)
    if over is None or facts.age.under_one_month or p.minds("SAF-05"):
        return None
    if not over.is_certain or facts.therapy.on_hold or over.substance != p.injected.substance:
        return None
    choice = p.next_injections(over.due, recommended=recommended)
    notes = [Note("give", given(drug, g)) for drug in drugs_of(choice)]
    if facts.therapy.active or facts.therapy.requirement:
        choice, stops = _in_place_of(choice, facts)
        notes.insert(0, stops)
    antidote = _antidote_in_force(facts)
    unsure = p.minds("SAF-05b") or antidote or facts.leber_in_words
    choices = _left_open([choice]) if unsure else (choice,)
    said, indicator = safety_notes(choices, "info", p, allergic=False, told=True)
    safety = [one for one in said if one.section == "safety"]  # it has been injected before
    notes = [*safety, *antidote, *notes, *p.notes]
    return Recommend("DUP-08", "DUP-08", indicator, {}, tuple(notes), choices, "at-most-one")


def cannot_evaluate(
    absent: tuple[Words, ...], facts: Facts, a: Assessment, g: Guideline
) -> CannotTell:
    """Without B12 results or the problem list nothing is recommended; what is alarming is
    stated."""
    alarming = a.status.deficient or bool(facts.neurological)
    shown = a
    if "conditions" in facts.missing and a.severity != "severe":
        shown = structs.replace(a, severity=None)  # no sign is known to be absent
    notes = finding_notes(facts, shown, g) if a.status.level is not None else []
    lacking = (one.key for one in g.needs if one.key in facts.missing)
    required = {one.key for one in g.needs if one.importance == "required"}
    unread = all(facts.not_all_read(key) for key in lacking if key in required)
    return CannotTell(
        "IN-03",
        absent,
        "IN-03.unread" if unread else "IN-03",
        most_urgent(g.file.cards["IN-03"].indicator, "warning" if alarming else "info"),
        {"names": Listed(absent, "conjunction")},
        tuple(notes),
    )


def running_treatment(facts: Facts, g: Guideline, why: Reasoning) -> list[Recommend]:
    """What makes a treatment dangerous also makes one dangerous that is already running."""
    running = facts.therapy.running
    if not running:
        return []
    asked = SafetyFacts(
        reactions=facts.reactions,
        possible_reactions=facts.possible_reactions,
        leber=bool(facts.leber),
    )
    found: list[tuple[str, dict[str, Value]]] = []
    if why.row(g.tables.safety, "SAF-05", asked):
        names = Listed(facts.reactions)
        found.append(("SAF-05", {"names": names, "order": medication_names(running)}))
    if why.row(g.tables.safety, "SAF-05b", asked):
        names = Listed(facts.possible_reactions)
        found.append(("SAF-05b", {"names": names, "order": medication_names(running)}))
    wrong = [one for one in running if _is_cyanocobalamin(one, g)]
    if wrong and why.row(g.tables.safety, "SAF-01", asked):
        leber = named(facts.leber)
        found.append(("SAF-01", {"name": leber, "order": _called(wrong)}))
    return [
        Recommend(rule, rule, g.file.cards[rule].indicator, values, main=True)
        for rule, values in found
    ]


def _is_cyanocobalamin(medication: Medication, g: Guideline) -> bool:
    return g.codes.cyanocobalamin.any_of(medication.codes) is not None


def with_hydroxocobalamin(
    dangers: Iterable[Recommend],
    facts: Facts,
    a: Assessment,
    g: Guideline,
    why: Reasoning,
    *,
    ordering: bool = True,
) -> list[Recommend]:
    """``dangers``, that of Leber's disease (SAF-01) with the change that it asks for.

    The cyanocobalamin ends; where hydroxocobalamin is ordered and not on hold, that stays, else the
    regimen by injection is ordered for a child who is deficient. For one who is not, only what is
    on hold ends, which treats no one: where in its course a child is, no one knows from here.
    Without ``ordering`` another card says what is given.
    """
    return [
        _changed_to_hydroxocobalamin(one, facts, a, g, why, ordering=ordering)
        if one.rule == "SAF-01"
        else one
        for one in dangers
    ]


def _changed_to_hydroxocobalamin(
    told: Recommend, facts: Facts, a: Assessment, g: Guideline, why: Reasoning, *, ordering: bool
) -> Recommend:
    active = facts.therapy.active
    wrong = [one for one in active if _is_cyanocobalamin(one, g)]
    right = [one for one in active if g.codes.hydroxocobalamin.any_of(one.codes) is not None]
    if not wrong or len(wrong) + len(right) < len(active):
        return told
    treated = not all(map(is_held, right))
    deficient = without_treatment(facts, a, g).status.deficient
    if treated or (facts.therapy.is_held and not deficient):
        return _with_end_of(wrong, told, facts)
    if not (deficient and ordering):
        return told
    dose = g.file.doses.injections(signs=bool(facts.neurological))
    switch = change_to(dose, facts, a, g, why)
    if not switch.choices:
        return told
    return structs.replace(
        told,
        card="SAF-01.change",
        values=CardValues(facts, a, switch.choices, g),
        notes=(*finding_notes(facts, a, g), *switch.notes),
        choices=_offered_in_words(switch.choices, facts),
        selection=switch.selection,
    )


def _with_end_of(wrong: Sequence[Medication], told: Recommend, facts: Facts) -> Recommend:
    """The card that stops these orders and brings nothing in their place."""
    plans = stop_orders(wrong)
    label = say(Orders.stop_this, names=_called(wrong))
    choices = (Choice("SAF-01", label, plans, recommended=True),) if plans else ()
    return structs.replace(told, choices=_offered_in_words(choices, facts))


def _offered_in_words(choices: tuple[Choice, ...], facts: Facts) -> tuple[Choice, ...]:
    """Not selected where only words tell of Leber's disease."""
    if not facts.leber_in_words:
        return choices
    return tuple([structs.replace(one, recommended=False) for one in choices])


def replace_oral(
    route: str, facts: Facts, a: Assessment, g: Guideline, why: Reasoning
) -> Recommend | None:
    """An active oral order where the guideline says injection: replace it, do not add to it."""
    therapy = facts.therapy
    asked = DuplicationFacts(
        active=len(therapy.active) or int(therapy.is_known),
        route=therapy.route,
        injections=g.tables.route[route].then.injects,
        signs=bool(facts.neurological),
    )
    if not why.row(g.tables.duplication, "DUP-03", asked):
        return None
    dose = g.file.doses.injections(signs=bool(asked.signs))
    unsettled = therapy.is_held and not a.status.deficient  # offered, as without an order (RTE-08)
    switch = change_to(dose, facts, a, g, why, recommended=not unsettled)
    base = g.file.cards[route].indicator if route in g.file.cards else "warning"
    card = "DUP-03" if therapy.active else "DUP-03.over"
    if therapy.is_held:
        offered = unsettled and asked.signs and switch.choices
        card = "RTE-08.signs" if offered else "DUP-03.hold"
    return structs.replace(
        switch,
        card=card,
        indicator="critical" if asked.signs else most_urgent(switch.indicator, base),
        notes=(*finding_notes(facts, a, g), *switch.notes),
    )
