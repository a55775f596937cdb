"""One order against the table ORD: its facts, and the questions asked of them in turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import structs

from cds_service.clinical import Medication, Plan, PlannedDrug, RevisedDrug
from cds_service.guidelines.b12_under_two import treatment
from cds_service.guidelines.b12_under_two.age import recorded
from cds_service.guidelines.b12_under_two.assessment import Assessment
from cds_service.guidelines.b12_under_two.data import Guideline, Orders, Texts
from cds_service.guidelines.b12_under_two.facts import Facts
from cds_service.guidelines.b12_under_two.order_checks.cards import SPECIALIST, Cards, Said
from cds_service.guidelines.b12_under_two.order_checks.course import Course
from cds_service.guidelines.b12_under_two.order_checks.indication import indications
from cds_service.guidelines.b12_under_two.order_checks.reading import Order, as_order, unread
from cds_service.guidelines.b12_under_two.order_checks.regimens import Regimens, alone
from cds_service.guidelines.b12_under_two.prescribing import (
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
from cds_service.guidelines.b12_under_two.therapy import route_of
from cds_service.guidelines.b12_under_two.words import NEEDS, named
from cds_service.guidelines.engine import Choice, Note
from cds_service.guidelines.tables import Match, Reasoning, Row, all_matches
from cds_service.language import Listed, Message, Words, say

_WHERE: Mapping[Correction, Message] = {
    "under the skin": say(Orders.deep_under_the_skin),
    "into the muscle": say(Orders.into_the_muscle),
}


#: Cards that only matter of an order that is given.
_OF_WHAT_IS_GIVEN = frozenset({SPECIALIST, "ORD-17", "ORD-20"})
#: A unit was probably confused.
_CONFUSED = frozenset({"ORD-04", "ORD-04.per_kg"})


def dose_facts(child: OrderFacts, order: Order) -> OrderFacts:
    """What ``order`` is and how much it gives, beside what is known of the child."""
    drug, dosing = order.drug, order.dosing
    frequent = dosing.frequent_injections()
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
        per_kg_in_mg=dosing.per_kg_in_mg,
        needs_weight=dosing.needs_weight,
    )


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
        indications=indications(facts, a),
        treated=facts.therapy.current,
        reactions=facts.reactions,
        suspected=a.suspected,
        possible_reactions=facts.possible_reactions,
        leber=tuple([one.name for one in facts.leber]),
        gaps=tuple(gaps),
    )


def amounts(child: OrderFacts, order: Order, course: Course) -> OrderFacts:
    """`dose_facts`, and what the order gives of a course."""
    return structs.replace(
        dose_facts(child, order),
        share=course.share(order),
        published=tuple([one.name for one in course.published(order)]),
        weekly_course=course.is_weekly(order),
        specialist_course=course.is_specialist(order),
    )


def is_wrong(asked: OrderFacts, g: Guideline) -> bool:
    """Whether a card asks to change or remove an order, whatever stands beside it."""
    tables = g.tables
    questions = (
        tables.order_danger, tables.order_way, tables.order_form, tables.order_excess,
        tables.order_shortage,
    )  # fmt: skip
    return any(
        row.then.correction != "none" for one in questions for row in all_matches(one, asked).fired
    )


def _is_of_a_small_dose(said: Said) -> bool:
    """Whether the regimen, ordered in a form that suits, mends it too; an alarm stands."""
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

    def vitamin_b12(self, order: Order, others: Sequence[Order]) -> list[Said]:
        """What is to be said of an order of vitamin B12 among ``others`` of it."""
        same, elsewhere = self._running_beside(order)
        twins = [
            one.name for one in others
            if not (one.ways and order.ways) or one.injected == order.injected
        ]  # fmt: skip
        repeated = (*([treatment.medication_names(same)] if same else ()), *twins)
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
        said = self._without_what_harms(asked, self._with_form(order, asked, said))
        if any(one.answer.refuses or one.answer.card in _CONFUSED for one in said):
            # Nobody need ask why it is given, or how much of it.
            said = [one for one in said if one.answer.card not in _OF_WHAT_IS_GIVEN]
        cards = tuple([one.answer.card for one in said])
        self._why.first(
            self.g.tables.order_silence, SilenceFacts(said=cards, checked=True), order.called
        )
        return said

    def combination(self, order: Order) -> list[Said]:
        """Vitamin B12 among other substances: no treatment, and its dose is not worked out."""
        asked = structs.replace(self._child, kind=order.kind, substance=order.drug.substance)
        reasons = [say(Orders.does_not_treat)]
        return self._dangers(order, asked) or self._unclear(order, asked, reasons)

    def antidote(self, order: Order) -> list[Said]:
        """An antidote of cyanide: neither judged nor changed, but for a reaction to it."""
        asked = structs.replace(self._child, kind=order.kind, substance=order.drug.substance)
        danger = self._why.all(self.g.tables.order_danger, asked, order.called)
        match = self._why.first(self.g.tables.order_antidote, order.antidote_facts, order.called)
        return [
            self._cards.speak(row.rule, row.then, order, {}, ())
            for row in (*danger.fired, *match.fired)
        ]

    def unidentified(self, order: Order) -> list[Said]:
        """An order that may be of vitamin B12."""
        doubts = order.drug.doubts or (say(Orders.medication_unread),)
        return self._unclear(order, structs.replace(self._child, kind=order.kind), doubts)

    def unread(self, count: int) -> list[Said]:
        """Orders of which nothing could be read, which may be of vitamin B12."""
        order = unread(count, self.facts.weight.kg, self.g)
        reasons = [say(Orders.not_read)]
        return self._unclear(order, structs.replace(self._child, kind=order.kind), reasons)

    # --- the facts --------------------------------------------------------------------------------

    def _facts_of(
        self, order: Order, repeated: tuple[str, ...], elsewhere: Sequence[Medication]
    ) -> OrderFacts:
        return structs.replace(
            amounts(self._child, order, self._course),
            contradicts=order.dosing.contradicts,
            unclear=order.dosing.problems,
            repeated=repeated,
            elsewhere=(treatment.medication_names(elsewhere),) if elsewhere else (),
        )

    def _running_beside(self, order: Order) -> tuple[list[Medication], list[Medication]]:
        """The other orders of the record in force: those that may go by the same way as this one,
        and those known to go by another."""
        same: list[Medication] = []
        elsewhere: list[Medication] = []
        swallowed = order.by_mouth and not order.injected
        injected = order.injected and not order.by_mouth
        for one in self.facts.therapy.active:
            if one.source == order.draft.source:
                continue
            route = route_of(one, self.g)
            apart = (route == "parenteral" and swallowed) or (
                route in ("oral", "other") and injected
            )
            (elsewhere if apart else same).append(one)
        return same, elsewhere

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
        card = structs.replace(one.card, choices=kept, notes=(*one.card.notes, note))
        return Said(card, one.answer)

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
        return any(row.then.correction != "none" for row in dangers.fired)

    # --- one order is left ------------------------------------------------------------------------

    def _others(self, order: Order) -> tuple[list[Order], list[Medication]]:
        """The other drafts and active orders of vitamin B12, these also by their name alone."""
        drafts = [one for one in self._of_b12 if one is not order]
        therapy = self.facts.therapy
        active = [
            one for one in (*therapy.active, *therapy.named) if one.source != order.draft.source
        ]
        return drafts, active

    def _is_wrong(self, order: Order) -> bool:
        return is_wrong(amounts(self._child, order, self._course), self.g)

    def _amended(self, order: Order, rule: str, correction: Correction) -> tuple[Choice, ...]:
        """``order`` put right so that no other is left beside it: it goes where another is right
        or stands before it; otherwise the others go with its change."""
        if correction in ("none", "removed"):
            return self._regimens.correct(order, correction, rule)
        drafts, active = self._others(order)
        running = [as_order(one, self.facts.weight.kg, self.g) for one in active]
        right = any(not self._is_wrong(one) for one in (*drafts, *running))
        earlier = drafts and self._of_b12[0] is not order
        if right or earlier:
            removed = self._regimens.correct(order, "removed", rule)
            # Another order is right: taking this one away is all there is to do.
            return tuple(structs.replace(one, recommended=right) for one in removed)
        return tuple(
            alone(choice, drafts, active)
            for choice in self._regimens.correct(order, correction, rule)
        )

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
        signs = "" if excluded else named(self.facts.neurological)
        reason = signs or say(Texts.severe_deficiency, because=self.a.severity_because)
        return self._say(match, order, {"reason": reason})

    def _with_form(self, order: Order, asked: OrderFacts, said: list[Said]) -> list[Said]:
        """A form that does not suit the age: a card of its own, or a line on the one that changes
        the order for another reason."""
        match = self._why.first(self.g.tables.order_form, asked, order.called)
        for row in match.fired:
            nasal = "nasal" in asked.ways
            form = say(Orders.a_nasal_spray if nasal else Orders.a_solid_form)
            changing = [one for one in said if one.answer.correction != "none"]
            if all(_is_of_a_small_dose(one) for one in changing):
                others = [one for one in said if one not in changing]
                return [*others, self._speak(row, order, {"form": form})]
            if row.then.correction != "none" and changing[0].answer.correction != "removed":
                first, answer = changing[0]
                note = Note("advice", say(Orders.unfit_form, form=form))
                told = Said(structs.replace(first, notes=(*first.notes, note)), answer)
                return [told if one is changing[0] else one for one in said]
        return said

    def _dose(self, order: Order, asked: OrderFacts) -> list[Said]:
        tables, why = self.g.tables, self._why
        excess = why.first(tables.order_excess, asked, order.called)
        shortage = why.first(tables.order_shortage, asked, order.called)
        values = {"weight": self._weight_in_words()} if asked.needs_weight else {}
        return [
            *self._say(excess, order, values),
            *self._say(shortage, order, {**values, **self._course_in_words(order, asked)}),
        ]

    def _reason(self, order: Order, asked: OrderFacts) -> list[Said]:
        """Whether there is one, and for so many injections."""
        days = asked.frequent_days
        lasting = say(Orders.without_end) if days is None else say(Orders.for_days, days=days)
        match = self._why.all(self.g.tables.order_reason, asked, order.called)
        return self._say(match, order, {"lasting": lasting})

    def _course_in_words(self, order: Order, asked: OrderFacts) -> Mapping[str, object]:
        schedules = Listed(asked.published, "semicolon")
        return {"schedule": schedules, **self._course.in_words(order)}

    def _weight_in_words(self) -> Message:
        weight = self.facts.weight
        if weight.rule == "WT-05":
            return say(Orders.weight_too_old, date=recorded(weight.when) if weight.when else "-")
        return say(Orders.no_weight)

    def _injection(self, order: Order, asked: OrderFacts) -> Iterator[Said]:
        """Where, and with what preservative, it is injected."""
        if not order.injected:
            return
        facts, g, why = self.facts, self.g, self._why
        asked = structs.replace(asked, may_bleed=must_not_inject_muscle(facts, g, why))
        for row in why.all(g.tables.order_injection, asked, order.called).fired:
            yield self._speak(row, order, self._injected_in_words(row))
        asked = structs.replace(asked, preservative_harms=preservative_matters(facts, g, why))
        match = why.all(g.tables.order_preservative, asked, order.called)
        yield from self._say(match, order, {})

    def _injected_in_words(self, row: Row[Answer]) -> Mapping[str, object]:
        bleeding = named((*self.facts.bleeding, *self.facts.thrombocytopenia))
        return {
            "bleeding": bleeding or say(Orders.low_platelets),
            "route": _WHERE[row.then.correction],
        }

    def _twice(
        self, order: Order, asked: OrderFacts, elsewhere: Sequence[Medication]
    ) -> list[Said]:
        """The same drug is active already, or stands in the basket twice."""
        repeats = DuplicationFacts(draft_repeats=bool(asked.repeated))
        if self._why.row(self.g.tables.duplication, "DUP-02", repeats, order.called):
            values = {"other": Listed(asked.repeated)}
            return [self._cards.speak("ORD-06", REPEATED, order, values)]
        match = self._why.all(self.g.tables.order_twice, asked, order.called)
        if not match.fired:
            return []
        names = Listed(asked.elsewhere)
        stops = () if self._is_wrong(order) else treatment.stop_orders(elsewhere)
        choices = [Choice("ORD-06", say(Orders.stop_other, names=names), stops)] if stops else []
        return [
            self._cards.speak(row.rule, row.then, order, {"other": names}, choices)
            for row in match.fired
        ]

    def _unclear(self, order: Order, asked: OrderFacts, reasons: Sequence[Words]) -> list[Said]:
        """What could not be worked out is said, it never passes for checked."""
        match = self._why.first(self.g.tables.order_unclear, asked, order.called)
        if not match.fired:
            return []
        notes = [Note("why", say(Texts.draft_not_checked, reason=one)) for one in reasons]
        known = {"b12", "conditions"}.isdisjoint(self.facts.missing | self.facts.incomplete)
        if known and not self.facts.therapy.current:
            notes += self._regimens.notes(order, "regimen")
        values = {"reasons": Listed(tuple(reasons), "semicolon")}
        return [
            self._cards.speak(row.rule, row.then, order, values, notes=notes) for row in match.fired
        ]
