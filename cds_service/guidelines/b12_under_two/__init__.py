"""Vitamin B12 deficiency in children under two years.

``load`` reads and checks the guideline's data, its ``needs`` say what it wants to know about a
patient, ``evaluate`` answers: a pure function of a record, a date and the guideline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date

from msgspec import Struct, structs

from cds_service.clinical import (
    Basket,
    Moment,
    Plan,
    PlannedDrug,
    PlannedTest,
    Record,
    RemovedDraft,
    RevisedDrug,
    StoppedDrug,
    TestOrder,
)
from cds_service.guidelines import guideline
from cds_service.guidelines.b12_under_two import (
    follow_up,
    monitoring,
    order_checks,
    silence,
    treatment,
    words,
)
from cds_service.guidelines.b12_under_two.age import days_since, recorded
from cds_service.guidelines.b12_under_two.assessment import (
    Assessment,
    assess,
    at_risk,
    without_treatment,
)
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.facts import Facts, read_facts, with_tests
from cds_service.guidelines.b12_under_two.loading import load
from cds_service.guidelines.b12_under_two.messages import Orders, Texts
from cds_service.guidelines.b12_under_two.prescribing import drugs_of
from cds_service.guidelines.b12_under_two.products import long_texts_read_once
from cds_service.guidelines.b12_under_two.tables.duplication import DuplicationFacts
from cds_service.guidelines.b12_under_two.tables.inputs import InputFacts
from cds_service.guidelines.b12_under_two.tables.order import BasketFacts
from cds_service.guidelines.b12_under_two.tables.safety import SafetyFacts
from cds_service.guidelines.b12_under_two.unread import unread_orders
from cds_service.guidelines.engine import (
    INDICATORS,
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
from cds_service.language import Briefly, Listed, Message, Sent, Value, Words, say

__all__ = [
    "Evaluation",
    "Guideline",
    "data_notes",
    "evaluate",
    "evaluate_orders",
    "load",
    "look",
    "one_action_each",
]


class Evaluation(guideline.Evaluation[Facts], frozen=True):
    """With the judgements that come between the facts and the outcomes, where there are any."""

    assessment: Assessment | None = None


class Picture(Struct, frozen=True):
    """What a record shows on a date, whatever is asked of it: the facts, the judgements of a child
    whose age is covered, and the rules that were asked for each."""

    facts: Facts
    assessment: Assessment | None
    reading: Reasoning
    judging: Reasoning


# --- answering ----------------------------------------------------------------------------------


@long_texts_read_once()
def look(record: Record, on: date, g: Guideline) -> Picture:
    """What this record shows on this date; never raises on any record."""
    return _seen(record, on, g)


def _seen(record: Record, on: date, g: Guideline) -> Picture:
    reading, judging = Reasoning(), Reasoning()
    facts = read_facts(record, on, g, reading)
    assessment = assess(facts, g, judging) if facts.age.covered else None
    return Picture(facts, assessment, reading, judging)


@long_texts_read_once()
def evaluate(record: Record, on: date, g: Guideline, seen: Picture | None = None) -> Evaluation:
    """What the guideline says about this record on this date; never raises on any record. What
    was ``seen`` in it before need not be found out again."""
    seen = seen or _seen(record, on, g)
    why, facts = Reasoning(), seen.facts
    outcomes = _decide(seen, record, g, why)
    return Evaluation(
        _with_nitrous_oxide(_one_main(_one_treatment(outcomes)), facts, g, why),
        why,
        facts,
        (*facts.unusable, *facts.ahead),
        assessment=seen.assessment,
        unread=facts.unread,
    )


@long_texts_read_once()
def evaluate_orders(
    record: Record,
    basket: Basket,
    on: date,
    g: Guideline,
    *,
    signing: bool,
    seen: Picture | None = None,
) -> Evaluation:
    """What the guideline says about the orders in ``basket``; never raises on any of them.

    ``signing`` when they are about to be signed, all of them; otherwise the selected ones are
    being written. Tests in the basket count as ordered. What was ``seen`` in the record without
    them need not be found out again.
    """
    beside = tuple(order_checks.drugs_beside(basket, g))
    if beside:
        record = structs.replace(record, medications=(*record.medications, *beside))
    if beside or seen is None:
        seen = _seen(record, on, g)
    ordered = tuple([_dated(one.test, on) for one in basket.drafts if one.test is not None])
    facts = with_tests(seen.facts, record, ordered, g) if ordered else seen.facts
    why = Reasoning()
    why.follow(seen.reading)
    account = (*facts.unread, *unread_orders(basket))
    assessment = seen.assessment
    if assessment is None:
        outcome = _outside(facts.age.rule, facts, g)
        if isinstance(outcome, NotIndicated):
            older = why.row(g.tables.order_basket, "ORD-15", BasketFacts(age_rule=facts.age.rule))
            outcome = words.nothing_to_say("ORD-15") if older else outcome
        else:
            spoken = order_checks.may_concern_b12(basket, g)
            outcome = structs.replace(outcome, card=facts.age.rule if spoken else "")
        return Evaluation((outcome,), why, facts, facts.unusable, basket, account)
    why.follow(seen.judging)
    checked = order_checks.check_orders(basket, facts, assessment, g, why, signing=signing)
    if all(isinstance(one, NotIndicated) for one in checked):
        unread = silence.unread_among_orders(facts, basket, g, signing=signing)
        checked = _spoken_of(unread, checked, g, why)
    told = _with_nitrous_oxide(checked, facts, g, why)
    return Evaluation(told, why, facts, facts.unusable, basket, account, assessment)


def _spoken_of(
    unread: CannotTell | None, outcomes: list[Outcome], g: Guideline, why: Reasoning
) -> list[Outcome]:
    """What is not stated where something that was sent was not used, and may not be left in
    silence."""
    fired = why.row(g.tables.inputs, "IN-05", InputFacts(unread=unread is not None))
    return [unread] if fired and unread is not None else outcomes


def _dated(test: TestOrder, on: date) -> TestOrder:
    """A test in the basket is wanted today unless it says when."""
    if test.due is not None or test.authored is not None:
        return test
    return structs.replace(test, due=Moment(on, on, 0.0))


def _decide(seen: Picture, record: Record, g: Guideline, why: Reasoning) -> Sequence[Outcome]:
    facts, assessment = seen.facts, seen.assessment
    why.follow(seen.reading)
    if assessment is None:
        return [_outside(facts.age.rule, facts, g)]
    required = [need for need in g.needs if need.importance == "required"]
    lacking = [need for need in required if need.key in record.missing]
    absent = tuple([words.NEEDS[need.key] for need in lacking])
    inputs = InputFacts(
        missing=tuple(sorted(record.missing)),
        incomplete=tuple(sorted(record.incomplete)),
        required=tuple([need.name for need in lacking]),
    )
    for row in ("IN-01", "IN-02", "IN-04"):
        why.row(g.tables.inputs, row, inputs)
    why.follow(seen.judging)
    if why.row(g.tables.inputs, "IN-03", inputs):
        told = _cannot_evaluate(absent, facts, assessment, g, why)
        return [*told, *order_checks.active_antidotes(facts, assessment, g, why)]
    outcomes = list(_main(facts, assessment, g, why))
    outcomes += _unsettled_results(facts, assessment, g)
    outcomes += _mother(facts, assessment, g, why)
    outcomes += order_checks.active_antidotes(facts, assessment, g, why)
    outcomes += order_checks.gas_in_the_chart(facts, assessment, g, why)
    spoken: list[Outcome] = [one for one in outcomes if not isinstance(one, NotIndicated)]
    if spoken:
        return spoken
    unread = silence.unread_at_the_chart(facts, assessment, g)
    return _spoken_of(unread, outcomes, g, why)


def _mother(facts: Facts, a: Assessment, g: Guideline, why: Reasoning) -> list[Outcome]:
    """The card that asks to see to the mother, in other words where feeding is not documented."""
    mother = monitoring.maternal_task(facts, a, g, why)
    if mother is None:
        return []
    row, task = mother
    card = _mothers_card(row, facts, a)
    indicator = g.file.cards[row].indicator
    state = words.state_of(a.status)
    values: dict[str, Value] = {"maternal": Listed(facts.maternal), "b12": state}
    choices = (monitoring.task_choice(row, task),)
    hers = [one for one in facts.maternal if one != facts.maternal_diet]
    notes: tuple[Note, ...] = ()
    if hers and a.status.concerned:  # else another card of the answer says it
        shown = words.shown_risks(hers, facts, g)
        notes = (Note("why", say(Texts.told_mother, names=shown)),)
    return [Recommend(row, card, indicator, values, notes, choices)]


def _mothers_card(row: str, facts: Facts, a: Assessment) -> str:
    """Other words where feeding or level is not known, and on formula."""
    if row != "MAT-01":
        return row
    if not facts.breast_fed:
        return "MAT-01.formula" if facts.formula_fed else "MAT-01.unknown"
    return row if a.status.concerned else "MAT-01.unmeasured"


def _outside(rule: str, facts: Facts, g: Guideline) -> Outcome:
    """No age in the guideline's range: silence when the child is known to be too old or has
    died, a question when its age cannot be determined."""
    if rule in ("AGE-01", "AGE-04", "AGE-07"):
        return words.nothing_to_say(rule)
    measured = bool(facts.levels or facts.preliminary or facts.unusable or facts.ahead)
    return CannotTell(
        rule,
        (say(Texts.date_of_birth),),
        rule if measured or rule != "AGE-02" else "",
        g.file.cards[rule].indicator,
    )


def _cannot_evaluate(
    absent: tuple[Words, ...], facts: Facts, a: Assessment, g: Guideline, why: Reasoning
) -> list[Outcome]:
    """Without B12 results or the problem list nothing is recommended; what is known to be
    dangerous is still stated."""
    outcomes: list[Outcome] = [*treatment.running_treatment(facts, g, why)]
    harmful, several = order_checks.check_active(facts, a, g, why)
    outcomes += [*harmful, *several]
    if a.cause == "inborn":
        outcomes.append(treatment.recommend("RTE-01", facts, a, g, why))
    elif a.suspected:
        row = treatment.choose_route(facts, a, g, why)
        outcomes.append(treatment.recommend(row, facts, a, g, why))
    outcomes.append(treatment.cannot_evaluate(absent, facts, a, g))
    return outcomes


def _main(facts: Facts, a: Assessment, g: Guideline, why: Reasoning) -> list[Outcome]:
    """What leads: the treatment, or the follow-up of one that is running; in either case with
    what makes a running one dangerous."""
    row = treatment.choose_route(facts, a, g, why)
    ordered = DuplicationFacts(
        active=len(facts.therapy.active),
        route=facts.therapy.route,
        ended=facts.therapy.ended_orders,
    )
    why.row(g.tables.duplication, "DUP-01", ordered)
    why.row(g.tables.duplication, "DUP-04", ordered)
    dangers = treatment.running_treatment(facts, g, why)
    if g.tables.route[row].then.kind != "follow up":
        small = treatment.requirement_card(row, facts, a, g, why)
        leading = treatment.recommend(row, facts, a, g, why)
        dangers = treatment.with_hydroxocobalamin(dangers, facts, a, g, why, ordering=False)
        stopped = order_checks.stopped_by([leading, *dangers])
        harmful, several = order_checks.check_active(facts, a, g, why, replaced=stopped)
        held = _held_beside([*dangers, *harmful], facts, a, g, why)
        return [leading, *dangers, *harmful, *several, *small, *held]
    return _followed_up(dangers, facts, a, g, why)


def _followed_up(
    dangers: Sequence[Recommend], facts: Facts, a: Assessment, g: Guideline, why: Reasoning
) -> list[Outcome]:
    """The follow-up of a treatment, or the change of it, after what makes it dangerous."""
    outcomes = follow_up.follow_up(facts, a, g, why)
    judged = without_treatment(facts, a, g) if _fails_in_malabsorption(a) else a
    would_be = treatment.choose_route(facts, judged, g, Reasoning(), ignoring_treatment=True)
    replacement = treatment.replace_oral(would_be, facts, a, g, why)
    if replacement is not None and not any(map(follow_up.changes_treatment, outcomes)):
        others: list[Outcome] = [one for one in outcomes if not isinstance(one, NotIndicated)]
        if replacement.choices:  # what is on hold is stopped
            others = _without_what_is_held(others)
        outcomes = [replacement, *follow_up.beside("a change", others, g)]
    elif not any(map(follow_up.changes_treatment, outcomes)):
        dangers = treatment.with_hydroxocobalamin(dangers, facts, a, g, why)
        if any(drugs_of(it) for one in dangers for it in one.choices):  # what is on hold ends
            outcomes = _without_what_is_held(outcomes)
    stopped = order_checks.stopped_by([*dangers, *outcomes])
    harmful, several = order_checks.check_active(facts, a, g, why, replaced=stopped)
    alarms = [*dangers, *harmful]
    if alarms:
        told = follow_up.resumed_later(follow_up.beside("a danger", outcomes, g))
        outcomes = [*alarms, *told]
    return [*outcomes, *several]


def _without_what_is_held(outcomes: Iterable[Outcome]) -> list[Outcome]:
    return [one for one in outcomes if one.rule != "DUP-01"]


def _held_beside(
    dangers: Sequence[Outcome], facts: Facts, a: Assessment, g: Guideline, why: Reasoning
) -> Sequence[Outcome]:
    """The card of an order on hold, next to a treatment, and to ``dangers`` of that order."""
    if not facts.therapy.is_held:
        return []
    held = follow_up.held(facts, a, g, why)
    of_a_specialist = facts.age.under_one_month and a.status.concerned
    return follow_up.resumed_later(held) if dangers or of_a_specialist else held


def _fails_in_malabsorption(a: Assessment) -> bool:
    """Whether the level on treatment is still deficient where the bowel takes up too little: no one
    waits for the day of the response."""
    low = a.status.level is not None and a.status.level.is_low
    return low and a.status.name == "follow-up" and a.cause in ("malabsorption", "mixed")


def _one_treatment(outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Treatment is offered by one card of an answer, the most urgent: two that are both accepted
    would be given twice."""
    return _first_alone(
        outcomes,
        lambda one: any(drugs_of(it) for it in one.choices),
        lambda one: structs.replace(
            one, choices=tuple([it for it in one.choices if not drugs_of(it)])
        ),
    )


def _with_nitrous_oxide(
    outcomes: Sequence[Outcome], facts: Facts, g: Guideline, why: Reasoning
) -> tuple[Outcome, ...]:
    """Where nitrous oxide is planned, the most urgent card warns of it, whatever it is about, and
    where it was given it asks to look for harm; it never makes a card, but for a disease in which
    it does lasting harm (ORD-21)."""
    spoken = [one for one in outcomes if not isinstance(one, NotIndicated)]
    planned, given = facts.nitrous_oxide, facts.nitrous_oxide_given
    if not ((planned or given) and spoken) or any(one.rule == "ORD-21" for one in spoken):
        return tuple(outcomes)
    why.row(g.tables.safety, "SAF-09", SafetyFacts(nitrous_oxide=True))
    first = max(spoken, key=lambda one: INDICATORS.index(one.indicator))
    told = []
    if planned:
        told.append(Note("safety", say(Texts.nitrous_oxide_planned, names=Listed(planned))))
    if given:
        told.append(Note("safety", say(Texts.nitrous_oxide_given, names=Listed(given))))
    warned = structs.replace(
        first, notes=(*told, *first.notes), indicator=most_urgent(first.indicator, "warning")
    )
    return tuple([warned if one is first else one for one in outcomes])


def _one_main(outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """The most urgent of those that would lead does; the others follow."""
    return _first_alone(
        outcomes, lambda one: one.main, lambda one: structs.replace(one, main=False)
    )


def _first_alone(
    outcomes: Sequence[Outcome],
    claims: Callable[[Recommend], bool],
    without: Callable[[Recommend], Recommend],
) -> tuple[Outcome, ...]:
    """Of those that claim what one card alone may have, all but the most urgent are left without;
    of equals the first has it."""
    claiming = [one for one in outcomes if isinstance(one, Recommend) and claims(one)]
    claiming.sort(key=lambda one: -INDICATORS.index(one.indicator))
    others = {id(one) for one in claiming[1:]}
    return tuple(
        [
            without(one) if isinstance(one, Recommend) and id(one) in others else one
            for one in outcomes
        ]
    )


def _unsettled_results(facts: Facts, a: Assessment, g: Guideline) -> list[Outcome]:
    """A low preliminary result, or one that cannot be read, is stated explicitly unless a valid
    result has answered."""
    found = _early_result(facts, a, g)
    unread = facts.unusable or "b12" in facts.incomplete
    if unread and not _settled(a) and not found:
        written = Listed(facts.unusable) if facts.unusable else say(Texts.unreadable_result)
        missing = (say(Texts.usable_result),)
        indicator = g.file.cards["B12-04"].indicator
        found = [CannotTell("B12-04", missing, "B12-04", indicator, {"written": written})]
    if facts.ahead and not unread and not _settled(a) and not found:
        missing = (say(Texts.result_of_today),)
        ahead = Listed(facts.ahead)
        indicator = g.file.cards["B12-04.ahead"].indicator
        found = [CannotTell("B12-04", missing, "B12-04.ahead", indicator, {"written": ahead})]
    return [*found, *_high_without_treatment(facts, a, g)]


def _settled(a: Assessment) -> bool:
    """There is a result that settles the child's status."""
    return a.status.level is not None and a.status.name != "unknown"


def _early_result(facts: Facts, a: Assessment, g: Guideline) -> list[Outcome]:
    """A preliminary result that nothing has settled since."""
    early, level = facts.preliminary, a.status.level
    if early is None:
        return []
    if _settled(a) and level is not None and not early.when.may_be_as_late_as(level.when):
        return []
    return [
        CannotTell(
            "B12-02",
            (say(Texts.final_result),),
            "B12-02",
            "warning" if facts.neurological else g.file.cards["B12-02"].indicator,
            {
                "level": words.shown_level(early),
                "written": Sent(early.written),
                "date": recorded(early.when),
            },
        )
    ]


def _high_without_treatment(facts: Facts, a: Assessment, g: Guideline) -> list[Outcome]:
    """A very high level of an untreated child is worth a question where there are signs or a
    cause."""
    level = a.status.level
    if a.status.name != "adequate" or level is None or level.high is None:
        return []
    if facts.therapy.current or not g.limits.b12_high.holds(level.high):
        return []
    if not (a.signs.backing or at_risk(a.cause)):
        return []
    indicator = g.file.cards["STAT-08"].indicator
    return [Recommend("STAT-08", "STAT-08", indicator, words.CardValues(facts, a, (), g))]


def one_action_each(evaluation: Evaluation, g: Guideline) -> Evaluation:
    """The same advice for a client that applies one action of a suggestion and drops the rest.

    The drug stays on the card; what comes with it (tests, the order to be stopped) follows on a
    card of its own, one suggestion each.
    """
    outcomes: list[Outcome] = []
    rest: dict[Plan, None] = {}
    indicator = g.file.cards["MON-01"].indicator
    for one in evaluation.outcomes:
        if not isinstance(one, Recommend) or all(len(it.plans) == 1 for it in one.choices):
            outcomes.append(one)
            continue
        leads = [_leading(choice) for choice in one.choices]
        outcomes.append(structs.replace(one, choices=tuple(leads)))
        left = [
            plan
            for choice, lead in zip(one.choices, leads, strict=True)
            for plan in choice.plans
            if plan is not lead.plans[0]
        ]
        rest.update(dict.fromkeys(left))
        if any(isinstance(plan, StoppedDrug | RemovedDraft) for plan in left):
            indicator = most_urgent(indicator, one.indicator)
    if rest:
        outcomes.append(_companions(tuple(rest), indicator))
    return structs.replace(evaluation, outcomes=tuple(outcomes))


def _leading(choice: Choice) -> Choice:
    """The drug of a choice without what comes with it, or the first of its plans."""
    drugs = (one for one in choice.plans if isinstance(one, PlannedDrug | RevisedDrug))
    lead = next(drugs, choice.plans[0])
    return structs.replace(choice, label=choice.alone or choice.label, plans=(lead,))


def _companions(plans: Sequence[Plan], indicator: Indicator) -> Recommend:
    ending = [one for one in plans if isinstance(one, StoppedDrug | RemovedDraft)]
    tests = [one for one in plans if isinstance(one, PlannedTest)]
    stops = [Choice("MON-01", _ends(one), (one,), recommended=True) for one in ending]
    ended = [say(Texts.to_stop, name=name) for name in dict.fromkeys(one.name for one in ending)]
    named = tuple(dict.fromkeys(one.inside for one in tests))
    counted = say(Texts.tests_counted, count=len(named))
    names = Briefly(Listed((*ended, *named)), Listed((*ended, counted)))  # each has its button
    return Recommend(
        "MON-01",
        "MON-01",
        indicator,
        {"names": names},
        choices=(*stops, *monitoring.test_choices("MON-01", tests)),
    )


def _ends(plan: StoppedDrug | RemovedDraft) -> Message:
    """What the button of an order that ends says."""
    stops = isinstance(plan, StoppedDrug)
    return say(Texts.stop_order, name=plan.name) if stops else say(Orders.remove, name=plan.name)


def data_notes(evaluation: Evaluation, record: Record, g: Guideline) -> tuple[Note, ...]:
    """What was missing, left out or not used: said once, on the first card."""
    facts = evaluation.facts
    told: list[Message] = []
    if record.missing:
        sent = {one.need for one in facts.unread if one.source not in facts.before_birth}
        unsent = [words.NEEDS.get(key, key) for key in record.missing if key not in sent]
        if unsent:
            told.append(say(Texts.not_available, names=Listed(tuple(unsent))))
    if record.incomplete:
        names = Listed(tuple(words.NEEDS.get(key, key) for key in sorted(record.incomplete)))
        told.append(say(Texts.incomplete, names=names))
    told += silence.unread_notes(facts, g)
    told += _counted(facts, record)
    told += _not_used(facts)
    told += _flagged(facts)
    early = facts.preliminary
    if early is not None:
        told.append(say(Texts.preliminary, written=Sent(early.written), date=recorded(early.when)))
    told += _old_results(evaluation, g)
    return tuple(Note("missing", one) for one in told)


def _not_used(facts: Facts) -> Iterator[Message]:
    """What is there and counts for nothing, by name."""
    if facts.unusable:
        yield say(Texts.unusable_result, written=Listed(facts.unusable))
    if facts.ahead:
        yield say(Texts.result_ahead, written=Listed(facts.ahead))
    if facts.not_b12 and not facts.levels:
        yield say(Texts.not_a_b12_test, names=Listed(facts.not_b12))
    if facts.weight.rejected:
        yield say(Texts.weight_rejected, weights=Listed(facts.weight.rejected))


def _old_results(evaluation: Evaluation, g: Guideline) -> Iterator[Message]:
    """Levels that are too old to count, next to the level that does."""
    facts, limits = evaluation.facts, g.limits
    decisive = evaluation.assessment.status.level if evaluation.assessment else None
    for level in facts.levels:
        age = days_since(level.when, facts.on)
        if level is decisive or limits.result_current.holds(age):
            continue
        stale = limits.result_stale.holds(age)
        yield say(
            Texts.stale_result if stale else Texts.expired_result,
            written=Sent(level.written),
            date=recorded(level.when),
        )


def _counted(facts: Facts, record: Record) -> Iterator[Message]:
    """How many records were left out, and why."""
    if record.foreign:
        yield say(Texts.foreign, count=record.foreign)
    if facts.before_birth:
        yield say(Texts.before_birth, count=len(facts.before_birth))


def _flagged(facts: Facts) -> Iterator[Message]:
    """What qualifies weight and age."""
    if facts.weight.unusual:
        yield say(Texts.weight_unusual)
    if facts.weight.disagrees:
        partial = any(one.is_partial for one in facts.weight.newest)
        yield say(Texts.weights_disagree_partial if partial else Texts.weights_disagree)
    if facts.weight.estimated:
        yield say(Texts.weight_estimated)
    if facts.age.partial:
        yield say(Texts.age_partial)
    if facts.gestation_weeks is not None or facts.preterm:
        yield say(Texts.no_corrected_age)
