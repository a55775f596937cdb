"""One order against the table ORD: its facts, and the questions asked of them in turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import combinations

from msgspec import structs

from cds_service.clinical import (
    Draft,
    Medication,
    Plan,
    PlannedDrug,
    RemovedDraft,
    RevisedDrug,
    StoppedDrug,
)
from cds_service.guidelines.b12_under_two import treatment
from cds_service.guidelines.b12_under_two.age import recorded
from cds_service.guidelines.b12_under_two.assessment import (
    Assessment,
    extreme_homocysteine,
    raised_in_newborn,
)
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.drugs import Route, Substance
from cds_service.guidelines.b12_under_two.facts import Facts, Finding
from cds_service.guidelines.b12_under_two.messages import Doubts, Orders, Texts
from cds_service.guidelines.b12_under_two.order_checks.cards import NEXT, SPECIALIST, Cards, Said
from cds_service.guidelines.b12_under_two.order_checks.course import Course
from cds_service.guidelines.b12_under_two.order_checks.indication import indications
from cds_service.guidelines.b12_under_two.order_checks.reading import (
    Order,
    read_order,
    unread,
)
from cds_service.guidelines.b12_under_two.order_checks.regimens import Regimens, alone
from cds_service.guidelines.b12_under_two.prescribing import (
    bleeding_in_words,
    bleeds_by_words,
    must_not_inject_muscle,
    preservative_matters,
)
from cds_service.guidelines.b12_under_two.tables.duplication import DuplicationFacts
from cds_service.guidelines.b12_under_two.tables.order import (
    REPEATED,
    Answer,
    Correction,
    OrderFacts,
    SilenceFacts,
)
from cds_service.guidelines.b12_under_two.therapy import is_held, route_of
from cds_service.guidelines.b12_under_two.words import (
    NAMED,
    NEEDS,
    calls_for_injections,
    named,
    some_of,
)
from cds_service.guidelines.engine import Choice, Note, Recommend, found_once
from cds_service.guidelines.tables import Match, Reasoning, Row, all_matches
from cds_service.language import Listed, Message, Value, Words, say

_WHERE: Mapping[Correction, Message] = {
    "under the skin": say(Orders.deep_under_the_skin),
    "into the muscle": say(Orders.into_the_muscle),
}


def _label_of(substance: Substance, *, deep: bool) -> Message:
    """Where the US label of a substance allows an injection; ``deep``: under the skin."""
    if substance == "cyanocobalamin":
        return say(Orders.label_cyanocobalamin)
    if substance == "hydroxocobalamin":
        return say(Orders.label_hydroxocobalamin_deep if deep else Orders.label_hydroxocobalamin)
    return say(Orders.label_any)


#: Cards that only matter of an order that is given.
_OF_WHAT_IS_GIVEN = frozenset(
    {SPECIALIST, "ORD-16.worded", "ORD-17", "ORD-17.weekly", "ORD-20", "ORD-23", "ORD-24", NEXT}
)
#: What is asked of an order that is right as it begins, and settled by its correction.
_OF_WHAT_FOLLOWS = frozenset({"ORD-16.worded", "ORD-17.weekly", "ORD-24", NEXT})
#: A unit was probably confused.
_CONFUSED = frozenset({"ORD-04", "ORD-04.per_kg"})


def dose_facts(child: OrderFacts, order: Order) -> OrderFacts:
    """What ``order`` is and how much it gives, with what is known of the child."""
    drug, dosing = order.drug, order.dosing
    frequent = dosing.frequent_injections()
    weekly = dosing.weekly_injections(order.g.limits.weekly_interval)
    return structs.replace(
        child,
        kind=drug.kind,
        substance=drug.substance,
        preservative_free=drug.preservative_free,
        form=drug.form,
        crushed=order.crushed,
        ways=order.ways,
        single=dosing.single_high,
        day=dosing.day_most,
        average=dosing.average_high,
        frequent=frequent is not None,
        frequent_days=frequent.days if frequent is not None else None,
        weekly=weekly is not None,
        weekly_days=weekly.days if weekly is not None else None,
        per_kg_in_mg=dosing.per_kg_in_mg,
        spinal=dosing.spinal,
        astray=dosing.astray,
        needs_weight=dosing.needs_weight,
    )


def _held_by_words(facts: Facts) -> tuple[Finding, ...]:
    """Words without a code, and diseases of the nervous system, against a dose by mouth."""
    return (*facts.perhaps_neurological, *facts.worded.malabsorption, *facts.worded.inborn)


def child_facts(facts: Facts, a: Assessment, g: Guideline) -> OrderFacts:
    """What the table ORD asks of the child, whatever the order."""
    gaps = []
    for need in g.needs:
        if need.importance == "required" and need.key in facts.missing | facts.incomplete:
            missing = need.key in facts.missing
            text = say(Orders.not_available if missing else Orders.incomplete, name=NEEDS[need.key])
            gaps.append(text)
    return OrderFacts(
        status=a.status.name,
        deficient=a.status.deficient,
        severity=a.severity,
        cause=a.cause,
        signs=tuple([one.name for one in facts.neurological]),
        worded=tuple([one.name for one in _held_by_words(facts)]),
        indications=indications(facts, a),
        treated=facts.therapy.current,
        reactions=facts.reactions,
        suspected=a.suspected or bool(raised_in_newborn(facts, g.limits)),
        preservative_reactions=facts.preservative_reactions,
        worded_inborn=tuple([one.name for one in facts.worded.inborn]),
        unexplained=extreme_homocysteine(facts, g.limits) is not None,
        possible_reactions=facts.possible_reactions,
        leber=tuple([one.name for one in facts.leber]),
        gaps=tuple(gaps),
    )


def amounts(child: OrderFacts, order: Order, course: Course) -> OrderFacts:
    """`dose_facts`, and what the order gives of a course."""
    return structs.replace(
        dose_facts(child, order),
        share=course.share(order),
        share_if_signs=course.share_if_signs(order),
        published=tuple([one.name for one in course.published(order)]),
        weekly_course=course.is_weekly(order),
        specialist_course=course.is_specialist(order),
        again=course.begins_again(order),
        of_the_course=course.of_the_whole(order),
        unfollowed=course.next_after(order) is not None,
    )


def forbidden_by(order: Order, facts: Facts) -> tuple[str, ...]:
    """The names of the orders in force not to give it."""
    drug, ways = order.drug, order.dosing.ways
    found = [one.name for one in facts.therapy.prohibited if one.forbids(drug.substance, ways)]
    return tuple(dict.fromkeys(found))


def what_bleeds(facts: Facts) -> Value:
    """Why nothing is injected into the muscle."""
    found = (*facts.bleeding, *facts.thrombocytopenia, *facts.worded.bleeding)
    return named(found) or say(Orders.low_platelets)


def said_forbidden(names: tuple[str, ...]) -> tuple[Message, ...]:
    return (say(Orders.forbidden, names=Listed(names)),) if names else ()


def unseen_course(asked: OrderFacts, order: Order, course: Course) -> tuple[Message, ...]:
    """That an order for a deficient child is too little unless more was given, which cannot be
    seen."""
    if asked.deficient and course.is_unseen(order):
        return (say(Doubts.course_unseen),)
    return ()


def at_least(asked: OrderFacts, order: Order) -> OrderFacts:
    """The same by the low ends of its ranges, and as if every dose as needed were given: too little
    is judged there, too much above."""
    dosing = order.dosing
    average = dosing.if_always if dosing.average_low is None else dosing.average_low
    return structs.replace(asked, single=dosing.single_least, average=average)


def is_wrong(asked: OrderFacts, order: Order, g: Guideline) -> bool:
    """Whether a card asks to change or remove an order, whatever is ordered next to it."""
    tables = g.tables
    questions = (
        tables.order_danger, tables.order_way, tables.order_form, tables.order_excess,
        tables.order_injection, tables.order_preservative,
    )  # fmt: skip
    asks = [(one, asked) for one in questions]
    return any(
        row.then.corrects
        for one, of in (*asks, (tables.order_shortage, at_least(asked, order)))
        for row in all_matches(one, of).fired
    )


def _of_one_mind(said: Sequence[Said]) -> list[Said]:
    """Where one card changes the order, or asks a specialist first, no other card has its removal
    preselected."""
    changed = any(it.recommended and _changes(it) for one in said for it in one.card.choices)
    refusing = [one for one in said if one.answer.refuses and one.answer is not REPEATED]
    removed = any(it.recommended for one in refusing for it in one.card.choices)
    if not changed and (removed or not refusing):
        return list(said)
    return [Said(structs.replace(one.card, choices=_left_open(one)), one.answer) for one in said]


def _left_open(said: Said) -> tuple[Choice, ...]:
    return tuple(
        one if _changes(one) else structs.replace(one, recommended=False)
        for one in said.card.choices
    )


def _still_asked(said: list[Said]) -> list[Said]:
    """Without what matters only of an order that is given, and as it is written."""
    if any(one.answer.refuses or one.answer.card in _CONFUSED for one in said):
        # No one need ask why it is given, or how much of it.
        said = [one for one in said if one.answer.card not in _OF_WHAT_IS_GIVEN]
    if any(_corrects(one) or one.card.rule == "ORD-10" for one in said):
        # The whole course takes its place, or a specialist is asked before any.
        said = [one for one in said if one.answer.card not in _OF_WHAT_FOLLOWS]
    if any(one.card.rule == "ORD-17" for one in said):
        said = [one for one in said if one.answer.card != NEXT]  # it is to end earlier
    return said


def _corrects(said: Said) -> bool:
    """Whether the card changes the order or takes it away, and does not only offer what follows; of
    a repeated one, preselected."""
    if said.answer == REPEATED:
        return any(one.recommended for one in said.card.choices)
    return said.answer.corrects


def _changes(choice: Choice) -> bool:
    return any(isinstance(plan, RevisedDrug) for plan in choice.plans)


def _without_a_dose(card: Recommend) -> Iterator[Note]:
    """The notes of a card that only asks: the treatment is on the chart's card next to it."""
    return (one for one in card.notes if one.section not in ("usual", "course"))


def _whole(said: Sequence[Said]) -> list[Said]:
    """Where a card corrects the dose, which sets the route as well, or calls it far too much, no
    other changes the route and keeps the wrong dose."""
    parts = [
        plan.parts
        for one in said
        if one.answer.corrects
        for choice in one.card.choices
        for plan in choice.plans
        if isinstance(plan, RevisedDrug)
    ]
    excessive = any(one.card.rule == "ORD-04" and one.answer.card != SPECIALIST for one in said)
    if not excessive and not any("dosage" in one for one in parts):
        return list(said)
    return [
        Said(
            structs.replace(one.card, choices=tuple(filter(_is_whole, one.card.choices))),
            one.answer,
        )
        for one in said
    ]


def _is_whole(choice: Choice) -> bool:
    return not any(
        isinstance(plan, RevisedDrug) and plan.parts == {"route"} for plan in choice.plans
    )


def _is_of_a_small_dose(said: Said) -> bool:
    """Whether the regimen, ordered in a form that suits, corrects it too; an alarm remains."""
    return said.card.rule in ("ORD-07", "ORD-16") and said.card.indicator != "critical"


class OrderChecks:
    """Checks the orders of one call, one after the other; ``of_b12`` are all of them that are of
    vitamin B12, selected or not."""

    def __init__(
        self, regimens: Regimens, cards: Cards, why: Reasoning, of_b12: Sequence[Order]
    ) -> None:
        self._of_b12 = of_b12
        self.facts, self.a, self.g = regimens.facts, regimens.a, regimens.g
        self._regimens, self._cards, self._why = regimens, cards, why
        self._course = Course(self.facts, self.a, self.g, of_b12)
        self._child = child_facts(self.facts, self.a, self.g)
        self._known: dict[int, tuple[Order, OrderFacts]] = {}

    def vitamin_b12(self, order: Order, others: Sequence[Order]) -> list[Said]:
        """What to say of an order of vitamin B12 among ``others`` of it."""
        same, elsewhere = self._running_beside(order)
        is_kept = bool(others) and order is self._kept
        twins = some_of([
            one.brief if one.name == order.name else one.name for one in others
            if (not (one.ways and order.ways) or one.injected == order.injected)
            and not self._in_turn(one, order) and not (is_kept and self._goes(one))
        ])  # fmt: skip
        repeated = (*self._named(same), *twins)
        asked = self._facts_of(order, repeated, elsewhere)
        said = [
            *self._dangers(order, asked),
            *self._way(order, asked),
            *self._dose(order, asked),
            *self._reason(order, asked),
            *self._injection(order, asked),
            *self._twice(order, asked, elsewhere),
            *self._unclear(order, asked, (*asked.unclear, *asked.gaps)),
        ]
        said = _whole(said)
        said = _of_one_mind(self._without_what_harms(asked, self._with_form(order, asked, said)))
        said = _still_asked(said)
        cards = tuple([one.answer.card for one in said])
        self._why.first(
            self.g.tables.order_silence, SilenceFacts(said=cards, checked=True), order.called
        )
        return said

    def combination(self, order: Order) -> list[Said]:
        """Vitamin B12 among other substances: a multivitamin treats nothing; of any other no one
        knows, since its dose is not read."""
        asked = structs.replace(self._child, kind=order.kind, substance=order.drug.substance)
        dangers = self._dangers(order, asked)
        if dangers or order.is_multivitamin:
            return dangers or self._unclear(order, asked, [say(Orders.does_not_treat)])
        hidden = [say(Orders.holds_folic_acid)] if order.holds_folic_acid else []
        reasons = [*hidden, say(Orders.dose_among_others)]
        ask = say(Orders.ask_injected if order.injected else Orders.ask_what_it_holds)
        asked = structs.replace(asked, unclear=tuple(reasons))
        # Next to an order of vitamin B12 it is a second one, which only a person can judge.
        removed = self._regimens.correct(order, "removed", "ORD-09") if self._of_b12 else ()
        notes = (Note("advice", ask),)
        return [
            Said(
                structs.replace(card, notes=(*notes, *_without_a_dose(card)), choices=removed),
                answer,
            )
            for card, answer in self._unclear(order, asked, reasons)
        ]

    def antidote(self, order: Order) -> list[Said]:
        """An antidote of cyanide: neither judged nor changed, but for a reaction to it."""
        asked = structs.replace(self._child, kind=order.kind, substance=order.drug.substance)
        danger = self._why.all(self.g.tables.order_danger, asked, order.called)
        match = self._why.first(self.g.tables.order_antidote, order.antidote_facts, order.called)
        return [
            self._cards.speak(row.rule, row.then, order, {}, ())
            for row in (*danger.fired, *match.fired)
        ]

    def unidentified(self, order: Order, others: Sequence[Order] = ()) -> list[Said]:
        """An order that may be of vitamin B12, and ``others`` of which the same holds."""
        doubts = order.drug.doubts or (say(Orders.medication_unread),)
        if others:
            names = Listed(tuple([one.name for one in others]))
            doubts = (*doubts, say(Orders.and_others, names=names))
        return self._unclear(order, structs.replace(self._child, kind=order.kind), doubts)

    def prohibition(self, draft: Draft) -> list[Said]:
        """An order not to give vitamin B12, or injections: named as what it is."""
        order = read_order(draft, self.facts.weight.kg, self.g)
        asked = structs.replace(self._child, kind=order.kind, forbids=True)
        return self._unclear(order, asked, [say(Orders.not_to_give)])

    def of_another_patient(self, order: Order) -> list[Said]:
        """An order that is written for another patient: neither checked nor changed, and nothing of
        it is repeated but the drug."""
        asked = structs.replace(self._child, kind=order.kind, foreign=True)
        said = self._unclear(order, asked, [say(Orders.of_another_patient)])
        return [
            Said(
                structs.replace(
                    one.card,
                    about="",
                    notes=tuple([it for it in one.card.notes if it.section != "ordered"]),
                ),
                one.answer,
            )
            for one in said
        ]

    def unread(self, count: int) -> list[Said]:
        """Orders of which nothing could be read, which may be of vitamin B12."""
        order = unread(count, self.facts.weight.kg, self.g)
        reasons = [say(Orders.not_read)]
        return self._unclear(order, structs.replace(self._child, kind=order.kind), reasons)

    # --- the facts --------------------------------------------------------------------------------

    def _facts_of(
        self, order: Order, repeated: tuple[Words, ...], elsewhere: Sequence[Medication]
    ) -> OrderFacts:
        asked = self._amounts(order)
        untimely = tuple(self._out_of_time(order))
        unseen = unseen_course(asked, order, self._course)
        return structs.replace(
            self._begun_anew(order, asked) if self._replaces(order) else asked,
            contradicts=order.dosing.contradicts or order.dosing.unnumbered,
            as_needed=order.dosing.as_needed,
            in_words_alone=order.dosing.in_words_alone,
            forbidden=forbidden_by(order, self.facts),
            unclear=(
                *order.dosing.problems,
                *unseen,
                *said_forbidden(forbidden_by(order, self.facts)),
                *untimely,
            ),
            untimely=bool(untimely),
            unseen=bool(unseen),
            repeated=repeated,
            elsewhere=(
                *self._named(elsewhere),
                *self._drafted_elsewhere(order),
            ),
        )

    def _goes(self, order: Order) -> bool:
        """Whether it is wrong and its own card removes it, since another is kept."""
        return order.draft.selected and self._kept is not None and self._is_wrong(order)

    def _in_turn(self, one: Order, other: Order) -> bool:
        """Whether by the days that are written one ends before the other begins."""
        return self._ends_before(one, other) or self._ends_before(other, one)

    def _ends_before(self, one: Order, other: Order) -> bool:
        begins = other.first_day
        if begins is None:
            return False
        last = one.until(self.facts.on)
        return last is not None and last < begins

    def _out_of_time(self, order: Order) -> Iterator[Message]:
        """That all of it is over; or that it begins too late where nothing treats until then."""
        today = self.facts.on
        last = order.last_day
        if last is not None and last < today:
            yield say(Orders.over, date=last)
            return
        first = order.first_day
        late = self.g.limits.order_begins_late
        if first is None or self.facts.therapy.current or not late.holds((first - today).days):
            return
        others = [one.first_day for one in self._of_b12 if one is not order]
        if all(one is not None and late.holds((one - today).days) for one in others):
            yield say(Orders.begins_late, date=first)

    def _amounts(self, order: Order) -> OrderFacts:
        """Found once for an order, of which it is asked on its own and with others."""
        known = self._known.get(id(order))
        if known is None:
            known = self._known[id(order)] = order, amounts(self._child, order, self._course)
        return known[1]

    def _drafted_elsewhere(self, order: Order) -> Iterator[Words]:
        """The draft that is kept, where it goes by another way than ``order``."""
        kept = self._kept
        if kept is None or kept is order or not order.ways or kept.injected == order.injected:
            return
        if self._in_turn(kept, order):
            return
        if any(one is kept for one in self._of_b12) and not self._is_wrong(order):
            yield kept.name

    def _running_beside(self, order: Order) -> tuple[list[Medication], list[Medication]]:
        """The other orders of the record in force: those that may go by the same way as this one,
        and those known to go by another."""
        same: list[Medication] = []
        elsewhere: list[Medication] = []
        swallowed = order.by_mouth and not order.injected
        injected = order.injected and not order.by_mouth
        begins = order.first_day or self.facts.on
        for (one, route), until in zip(self._routes, self._last_days, strict=True):
            if one.source == order.draft.source:
                continue
            if until is not None and until < begins:
                continue  # the step of a course before this one
            apart = (route == "parenteral" and swallowed) or (
                route in ("oral", "other") and injected
            )
            (elsewhere if apart else same).append(one)
        return same, elsewhere

    @found_once
    def _coded(self) -> frozenset[int]:
        """The orders in force that are known by their code."""
        therapy = self.facts.therapy
        return frozenset(map(id, (*therapy.active, *therapy.requirement)))

    @found_once
    def _routes(self) -> list[tuple[Medication, Route]]:
        """The orders of the record in force, and the way each goes."""
        therapy = self.facts.therapy
        return [(one, route_of(one, self.g)) for one in (*therapy.active, *therapy.named)]

    @found_once
    def _last_days(self) -> list[date | None]:
        """The last day of each of them."""
        return [self._course.until(one) for one, _ in self._routes]

    # --- nothing that harms is suggested ----------------------------------------------------------

    def _without_what_harms(self, asked: OrderFacts, said: Sequence[Said]) -> list[Said]:
        """No card changes an order to a drug, or leaves it the drug, that another card forbids:
        where one does, the order is removed or given the right substance, and nothing else."""
        if not self._harms(asked):
            return list(said)
        return [self._harmless(one, asked) for one in said]

    def _harmless(self, one: Said, asked: OrderFacts) -> Said:
        choices = one.card.choices
        kept = tuple(
            choice
            for choice in choices
            if not any(self._is_forbidden(plan, asked) for plan in choice.plans)
        )
        if one.answer.correction in ("none", "removed") or len(kept) == len(choices) > 0:
            return Said(structs.replace(one.card, choices=kept), one.answer)
        note = Note("advice", say(Orders.other_card_first))
        return one.offering(kept, self.g, note)

    def _is_forbidden(self, plan: Plan, asked: OrderFacts) -> bool:
        """Whether what ``plan`` orders harms this child."""
        if isinstance(plan, RevisedDrug):
            substance = plan.drug.substance if "medication" in plan.parts else asked.substance
        elif isinstance(plan, PlannedDrug):
            substance = plan.substance
        else:
            return False
        given = structs.replace(asked, kind="b12", substance=substance)
        return self._harms(given)

    def _harms(self, asked: OrderFacts) -> bool:
        """Whether a danger asks to remove or replace it."""
        dangers = all_matches(self.g.tables.order_danger, asked)
        return any(row.then.corrects for row in dangers.fired)

    # --- one order is left ------------------------------------------------------------------------

    def _others(self, order: Order) -> tuple[list[Order], list[Medication]]:
        """The other drafts and active orders of vitamin B12, these also by their name alone and of
        what a healthy child needs."""
        drafts = [one for one in self._of_b12 if one is not order]
        return drafts, [one for one in self._ordered if one.source != order.draft.source]

    @found_once
    def _ordered(self) -> tuple[Medication, ...]:
        therapy = self.facts.therapy
        return (*therapy.active, *therapy.named, *therapy.requirement)

    @found_once
    def _ends(self) -> Mapping[int, RemovedDraft | StoppedDrug | None]:
        """What ends each order of vitamin B12, made once: every draft may end all others."""
        found: dict[int, RemovedDraft | StoppedDrug | None] = {
            id(one): RemovedDraft(one.draft.source, one.name) if one.draft.source else None
            for one in self._of_b12
        }
        for one in self._ordered:
            found[id(one)] = next(iter(treatment.stop_orders([one])), None)
        return found

    def _ending(
        self, orders: Iterable[Order | Medication]
    ) -> tuple[RemovedDraft | StoppedDrug, ...]:
        known = self._ends
        return tuple([end for one in orders if (end := known[id(one)]) is not None])

    def _named(self, medications: Sequence[Medication]) -> list[Words]:
        """Orders in force in one phrase, or the first of many and how many there are more; one on
        hold is called so."""
        few = len(medications) <= NAMED
        if few and not any(map(is_held, medications)):
            return [treatment.medication_names(medications)] if medications else []
        names = self._names_as_held
        return some_of([names[id(one)] for one in medications])

    @found_once
    def _names_as_held(self) -> Mapping[int, Words]:
        """Found out once: every draft names all that it may repeat."""
        names = self._names
        return {
            id(one): treatment.said_held(one, names[id(one)]) if is_held(one) else names[id(one)]
            for one, _ in self._routes
        }

    @found_once
    def _names(self) -> Mapping[int, str]:
        return {id(one): treatment.medication_names([one]) for one, _ in self._routes}

    def _asked(self, order: Order) -> OrderFacts:
        """What the rows ask of an order, whatever is ordered next to it."""
        asked = self._amounts(order)
        if not order.injected:
            return asked
        facts, g, aside = self.facts, self.g, Reasoning()
        return structs.replace(
            asked,
            may_bleed=must_not_inject_muscle(facts, g, aside),
            preservative_harms=preservative_matters(facts, g, aside),
        )

    def _is_wrong(self, order: Order) -> bool:
        return is_wrong(self._asked(order), order, self.g)

    def _by_itself(self, order: Order) -> OrderFacts:
        """The same once the others are gone."""
        return self._begun_anew(order, self._asked(order))

    def _begun_anew(self, order: Order, asked: OrderFacts) -> OrderFacts:
        """The same as the order that begins the treatment, alone."""
        if self.facts.age.under_one_month:
            return asked
        return structs.replace(asked, share=self._course.share_alone(order))

    def _replaces(self, order: Order) -> bool:
        """Whether the others end with its change, so that it is the only one."""
        if self._kept is not None or self._first is not order:
            return False
        return (bool(self._running) or len(self._of_b12) > 1) and self._is_wrong(order)

    @found_once
    def _running(self) -> list[Order]:
        """The orders in force by code that are not among the drafts, nor over by their days."""
        drafted = {one.draft.source for one in self._of_b12}
        return [
            self._course.order_of(one)
            for one in self.facts.therapy.active
            if one.source not in drafted and not self._course.is_over(one, self.facts.on)
        ]

    @found_once
    def _treating(self) -> list[Order]:
        """Those of them that are not on hold: these treat no one."""
        held = {one.source for one in self.facts.therapy.active if is_held(one)}
        return [one for one in self._running if one.draft.source not in held]

    @found_once
    def _kept(self) -> Order | None:
        """The one order that is left where some are right: the injection before what is
        swallowed, what is in force before what is being written, the earlier before the later.
        What is swallowed is never kept in place of injections in force, nor what is on hold in
        place of what is being written. Where a treatment begins that the chart recommends by mouth,
        what is swallowed comes before the injection."""
        injected = any(one.injected for one in self._treating)
        right = [
            one
            for one in (*self._treating, *self._of_b12)
            if (one.injected or not injected) and self._could_be_the_only_one(one)
        ]
        if len({one.injected for one in right}) == 2:  # else neither comes before the other
            swallowed = not self.facts.therapy.current and self._regimens.by_mouth
            right = [one for one in right if one.injected is not swallowed]
        return next(iter(right), None)

    @found_once
    def _first(self) -> Order:
        """The draft that is changed where no order is right: the first wrong one, rather one that
        is not too much, and rather one that is enough on its own."""
        wrong = [one for one in self._of_b12 if self._is_wrong(one)]
        return min(wrong, key=self._faults, default=self._of_b12[0])

    def _faults(self, order: Order) -> tuple[bool, bool]:
        """Whether it is too much, and too little once the others are gone."""
        tables = self.g.tables
        alone = at_least(self._by_itself(order), order)
        asks = ((tables.order_excess, self._asked(order)), (tables.order_shortage, alone))
        much, little = (
            any(row.then.corrects for row in all_matches(table, asked).fired)
            for table, asked in asks
        )
        return much, little

    def _could_be_the_only_one(self, order: Order) -> bool:
        """Right on its own, and a treatment; a draft is understood whole as well, while an order
        in force is not ended for what was not understood of it."""
        average = order.dosing.average_high
        feeds = average is not None and self.g.limits.requirement_dose.holds(average)
        drafted = any(one is order for one in self._of_b12)
        if feeds or (drafted and order.dosing.problems):
            return False
        return not is_wrong(self._by_itself(order), order, self.g)

    @property
    def leading(self) -> Order | None:
        """The selected order that is kept, else the first of them: what goes with a treatment is
        asked of it."""
        selected = [one for one in self._of_b12 if one.draft.selected]
        kept = self._kept if len(selected) > 1 else None
        return next((one for one in selected if one is kept), next(iter(selected), None))

    def leaving_one(self, said: list[Said]) -> list[Said]:
        """``said``, with nothing taken away unasked where several orders would still be given at
        once: which of them is right, only a person can say."""
        orders = (*self._of_b12, *self._treating)
        gone = {
            plan.source
            for one in said
            for choice in one.card.choices
            if choice.recommended
            for plan in choice.plans
            if isinstance(plan, RemovedDraft | StoppedDrug)
        }
        left = [one for one in orders if one.draft.source not in gone]
        if not gone or all(self._in_turn(one, other) for one, other in combinations(left, 2)):
            return said
        return [one.with_nothing_taken() for one in said]

    def _removed(self, order: Order, rule: str, *, recommended: bool) -> tuple[Choice, ...]:
        """``order`` taken away, and with it the orders in force that are not kept either."""
        kept = self._kept.draft.source if self._kept is not None else ""
        _, active = self._others(order)
        ended = [
            one for one in active if kept != one.source and id(one) in self._coded
        ] if kept else []  # fmt: skip
        twin = any(one.name == order.name for one in self._of_b12 if one is not order)
        name = say(Orders.with_dose, name=order.name, dose=order.brief) if twin else order.name
        return tuple(
            structs.replace(
                alone(choice, self._ending(ended)),
                label=say(Orders.remove, name=name),
                recommended=recommended,
            )
            for choice in self._regimens.correct(order, "removed", rule)
        )

    def _amended(self, order: Order, rule: str, correction: Correction) -> tuple[Choice, ...]:
        """``order`` put right so that no other is left next to it: it goes where another is right
        or comes before it; otherwise the others go with its change."""
        if correction in ("none", "removed"):
            return self._regimens.correct(order, correction, rule)
        if correction in ("course", "dose, offered"):
            apart = not any(self._others(order))
            return self._regimens.correct(order, correction, rule) if apart else ()
        if self._kept is not None:  # taking this one away is all there is to do
            return self._removed(order, rule, recommended=True)
        drafts, active = self._others(order)
        changed = self._regimens.correct(order, correction, rule)
        if drafts and self._first is not order:  # it goes with the change of the first, if selected
            selected = any(one.recommended for one in changed)
            return self._removed(order, rule, recommended=not selected)
        if not changed and self._running:
            return self._removed(order, rule, recommended=True)
        ends = self._ending((*drafts, *active))
        return tuple(alone(choice, ends) for choice in changed)

    # --- the questions ----------------------------------------------------------------------------

    def _speak(self, row: Row[Answer], order: Order, values: Mapping[str, object]) -> Said:
        choices = self._amended(order, row.rule, row.then.correction)
        return self._cards.speak(row.rule, row.then, order, values, choices)

    def _say(
        self, match: Match[OrderFacts, Answer], order: Order, values: Mapping[str, object]
    ) -> list[Said]:
        return [self._speak(row, order, values) for row in match.fired]

    def _dangers(self, order: Order, asked: OrderFacts) -> list[Said]:
        """A form or a drug that harms this child, also in a combination."""
        match = self._why.all(self.g.tables.order_danger, asked, order.called)
        return self._say(match, order, {})

    def _way(self, order: Order, asked: OrderFacts) -> list[Said]:
        match = self._why.first(self.g.tables.order_way, asked, order.called)
        if not match.fired:
            return []
        excluded = self.a.status.name in ("adequate", "probably adequate")
        signs = () if excluded else self.facts.neurological
        reason = calls_for_injections(signs, self.a)
        worded = Listed(asked.worded)
        values: dict[str, object] = {"reason": reason, "worded": worded}
        kept = self._kept
        if kept is not None and kept is not order and kept.injected and not order.injected:
            values["inject_instead"] = say(Orders.injection_ordered, name=kept.name)
        return self._say(match, order, values)

    def _with_form(self, order: Order, asked: OrderFacts, said: list[Said]) -> list[Said]:
        """A form that does not suit the age: a card of its own, or a line on the card that changes
        the order for another reason."""
        match = self._why.first(self.g.tables.order_form, asked, order.called)
        for row in match.fired:
            nasal = "nasal" in asked.ways
            form = say(Orders.a_nasal_spray if nasal else Orders.a_solid_form)
            unfit = say(Orders.spray_unknown if nasal else Orders.solid_harms)
            changing = [one for one in said if _corrects(one)]
            if all(_is_of_a_small_dose(one) for one in changing):
                others = [one for one in said if one not in changing]
                return [*others, self._speak(row, order, {"form": form, "unfit": unfit})]
            if row.then.correction != "none" and changing[0].answer.correction != "removed":
                first, answer = changing[0]
                note = Note("advice", say(Orders.unfit_form, form=form))
                told = Said(structs.replace(first, notes=(*first.notes, note)), answer)
                return [told if one is changing[0] else one for one in said]
        return said

    def _dose(self, order: Order, asked: OrderFacts) -> list[Said]:
        tables, why = self.g.tables, self._why
        excess = why.first(tables.order_excess, asked, order.called)
        shortage = why.first(tables.order_shortage, at_least(asked, order), order.called)
        values: dict[str, object] = {}
        if asked.needs_weight:
            values["weight"] = self._weight_in_words()
        said = self._say(excess, order, values)
        if shortage.fired:
            worded = Listed(tuple([one.name for one in self.facts.perhaps_neurological]))
            values = {**values, "worded": worded, **self._course_in_words(order, asked)}
            said += self._say(shortage, order, values)
        return said

    def _reason(self, order: Order, asked: OrderFacts) -> list[Said]:
        """Whether there is one, and for so many injections."""
        match = self._why.all(self.g.tables.order_reason, asked, order.called)
        over, next_day = self.facts.therapy.over, self._course.next_after(order)
        values: dict[str, Value] = {
            "last": recorded(over.last) if over is not None else "-",
            "due": over.due if over is not None else "-",
            "next": next_day if next_day is not None else "-",
            **self._ended_early(order),
        }
        said = []
        for row in match.fired:
            weekly = row.then.card == "ORD-17.weekly"
            days = asked.weekly_days if weekly else asked.frequent_days
            lasting = say(Orders.without_end) if days is None else say(Orders.for_days, days=days)
            said.append(self._speak(row, order, {"lasting": lasting, **values}))
        return said

    def _ended_early(self, order: Order) -> Mapping[str, Value]:
        """How a course falls short: it ends, or its injections become rare, too early."""
        if order.dosing.first_phase(self.g.limits.weekly_interval) is None:
            return {"early": say(Orders.ends_early), "early_advice": say(Orders.order_what_follows)}
        return {"early": say(Orders.rare_early), "early_advice": say(Orders.order_the_first_phase)}

    def _course_in_words(self, order: Order, asked: OrderFacts) -> Mapping[str, object]:
        ids = {one.name: one.id for one in self.g.file.published_schedules}
        named = [Message(f"schedules.{ids[name]}") for name in asked.published]
        schedules = Listed(tuple(named), "semicolon")
        return {"schedule": schedules, **self._course.in_words(order)}

    def _weight_in_words(self) -> Message:
        weight = self.facts.weight
        if weight.rule == "WT-05":
            return say(Orders.weight_too_old, date=recorded(weight.when) if weight.when else "-")
        return say(Orders.no_weight)

    def _injection(self, order: Order, asked: OrderFacts) -> Iterator[Said]:
        """Where, and with what preservative, it is injected."""
        if not order.injected and not asked.spinal:
            return
        facts, g, why = self.facts, self.g, self._why
        asked = structs.replace(asked, may_bleed=must_not_inject_muscle(facts, g, why))
        for row in why.all(g.tables.order_injection, asked, order.called).fired:
            said = self._speak(row, order, self._injected_in_words(row, order))
            if row.then.correction == "under the skin" and bleeds_by_words(facts):
                said = said.resting_on(bleeding_in_words(facts))
            yield said
        asked = structs.replace(asked, preservative_harms=preservative_matters(facts, g, why))
        names = Listed(facts.preservative_reactions)
        for said in self._say(
            why.all(g.tables.order_preservative, asked, order.called), order, {"reactions": names}
        ):
            in_words = said.answer.card == "ORD-12.allergy" and facts.preservative_in_words
            yield said.resting_on(()) if in_words else said

    def _injected_in_words(self, row: Row[Answer], order: Order) -> Mapping[str, object]:
        facts = self.facts
        asks = bool(facts.bleeding or facts.worded.bleeding)
        return {
            "bleeding": what_bleeds(facts),
            "deep": say(Orders.deep_and_ask if asks else Orders.deep_or_wait),
            "route": _WHERE[row.then.correction],
            "label": _label_of(order.drug.substance, deep=row.then.correction == "under the skin"),
        }

    def _twice(
        self, order: Order, asked: OrderFacts, elsewhere: Sequence[Medication]
    ) -> list[Said]:
        """The same drug is active already, or is in the basket twice."""
        repeats = DuplicationFacts(draft_repeats=bool(asked.repeated))
        if self._why.row(self.g.tables.duplication, "DUP-02", repeats, order.called):
            values = {"other": Listed(asked.repeated)}
            choices = self._one_of_two(order)
            return [self._cards.speak("ORD-06", REPEATED, order, values, choices)]
        match = self._why.all(self.g.tables.order_twice, asked, order.called)
        if self._goes(order):
            return []  # its own card removes it: nothing may say to stop the other
        names = Listed(asked.elsewhere)
        return [
            self._cards.speak(
                row.rule, row.then, order, {"other": names}, self._one_of_two(order, elsewhere)
            )
            for row in match.fired
        ]

    def _told_apart(
        self, drafts: Sequence[Order], active: Sequence[Medication], order: Order
    ) -> list[Words]:
        """Their names, and what a draft gives that is called as ``order`` is; without a call for
        each of thousands."""
        names = self._names
        return [
            *[names.get(id(one)) or treatment.medication_names([one]) for one in active],
            *[
                say(Orders.with_dose, name=one.name, dose=one.brief)
                if one.name == order.name
                else one.name
                for one in drafts
            ],
        ]

    def _one_of_two(self, order: Order, elsewhere: Sequence[Medication] = ()) -> tuple[Choice, ...]:
        """Which of two orders goes: the one in force where this one is kept, else this one; not
        where its own change takes the other along. What is vitamin B12 by its name alone is
        asked about, and nothing is selected."""
        drafts, active = self._others(order)
        ends = self._ends
        drafts = [one for one in drafts if ends[id(one)] is not None]
        ended = [one for one in elsewhere or active if ends[id(one)] is not None]
        plans = self._ending((*ended, *drafts))
        names = Listed(tuple(some_of(self._told_apart(drafts, ended, order))))
        coded = all(id(one) in self._coded for one in elsewhere or active)
        label = say(Orders.stop_other, names=names)
        stop = [Choice("ORD-06", label, plans, recommended=coded)] if plans else []
        if self._kept is order:
            return tuple(stop)
        if elsewhere and self._is_settled(order):
            return ()  # another card takes it away, or changes it and ends the others
        removed = self._removed(order, "ORD-06", recommended=self._is_one_too_many(order))
        if elsewhere and self._kept is not None:
            return (*removed, *(structs.replace(one, recommended=False) for one in stop))
        return removed

    def _is_one_too_many(self, order: Order) -> bool:
        """Whether to take it away is preselected: where another is kept, or, where none is right,
        where it is neither changed nor a part of what is enough together, and not the only one by
        its code."""
        if self._kept is not None:
            return True
        alone = len(self._of_b12) == 1 and not self._treating
        if alone or (not self._is_wrong(order) and is_wrong(self._by_itself(order), order, self.g)):
            return False
        return not (self._is_wrong(order) and self._goes_on(order))

    def _is_settled(self, order: Order) -> bool:
        """Whether the card of what is wrong with it leaves one order."""
        return self._is_wrong(order) and (self._kept is not None or self._goes_on(order))

    def _goes_on(self, order: Order) -> bool:
        """Whether it is changed where no order is right: preselected, or the child has
        nothing else. A change that rests on words does not end what is in force."""
        regimen = self._regimens.like(order)
        if regimen is None or self._first is not order:
            return False
        return self._regimens.preselects(order, regimen) or not self._running

    def _unclear(self, order: Order, asked: OrderFacts, reasons: Sequence[Words]) -> list[Said]:
        """Names what could not be calculated: it never passes for checked."""
        match = self._why.first(self.g.tables.order_unclear, asked, order.called)
        if not match.fired:
            return []
        notes = [
            Note("why", say(Texts.draft_not_checked, reason=one), told=(one,)) for one in reasons
        ]
        known = {"b12", "conditions"}.isdisjoint(self.facts.missing | self.facts.incomplete)
        if known and not self.facts.therapy.current and not asked.foreign:
            notes += self._regimens.notes(order, "regimen")
        values = {"reasons": Listed(tuple(reasons), "semicolon")}
        return [
            self._cards.speak(row.rule, row.then, order, values, notes=notes) for row in match.fired
        ]
