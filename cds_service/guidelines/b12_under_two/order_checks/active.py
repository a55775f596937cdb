"""Orders in force against the table ORD: what endangers the child regardless of its author."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from msgspec import structs

from cds_service.clinical import IN_FORCE, Medication, StoppedDrug
from cds_service.guidelines.b12_under_two import treatment
from cds_service.guidelines.b12_under_two.assessment import Assessment, without_treatment
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.dosing.lines import says_more
from cds_service.guidelines.b12_under_two.dosing.ways import is_said_under_the_skin
from cds_service.guidelines.b12_under_two.facts import Facts
from cds_service.guidelines.b12_under_two.messages import Orders, Texts
from cds_service.guidelines.b12_under_two.order_checks.cards import Cards
from cds_service.guidelines.b12_under_two.order_checks.course import Course
from cds_service.guidelines.b12_under_two.order_checks.one_order import (
    amounts,
    child_facts,
    forbidden_by,
    is_wrong,
    said_forbidden,
    unseen_course,
    what_bleeds,
)
from cds_service.guidelines.b12_under_two.order_checks.reading import Order, as_order
from cds_service.guidelines.b12_under_two.order_checks.regimens import Regimens
from cds_service.guidelines.b12_under_two.prescribing import must_not_inject_muscle
from cds_service.guidelines.b12_under_two.tables.duplication import DuplicationFacts
from cds_service.guidelines.b12_under_two.tables.order import Answer, OrderFacts
from cds_service.guidelines.b12_under_two.therapy import TWO_WEEKS, is_held, what_treats
from cds_service.guidelines.b12_under_two.words import named, shown_extremes
from cds_service.guidelines.engine import Choice, Note, Outcome, Recommend, found_once
from cds_service.guidelines.tables import Reasoning, first_match
from cds_service.language import Listed, Message, Value, say


class _Running(NamedTuple):
    """An order in force, what is understood of it and what the table asks of it; ``coded`` when
    it is of vitamin B12 by more than its name."""

    sent: Medication
    order: Order
    asked: OrderFacts
    coded: bool


def check_active(
    facts: Facts,
    a: Assessment,
    g: Guideline,
    why: Reasoning,
    *,
    replaced: Collection[str] = frozenset(),
) -> tuple[list[Recommend], list[Recommend]]:
    """The cards of the orders in force that harm this child, go by the wrong way, give too much,
    or begin a treatment too slowly, by the same rows as a draft's; and that of several at once.

    An order is only ever stopped: what replaces it is on the card in words, so that no two
    cards together order vitamin B12 twice. An order recognised by its name alone is asked too.
    ``replaced`` are those that another card of the answer stops.
    """
    sent = [*facts.therapy.active, *facts.therapy.named]
    if not sent:
        return [], []
    untreated = without_treatment(facts, a, g)
    child, course = child_facts(facts, a, g), Course(facts, untreated, g, ())
    running = []
    for place, one in enumerate(sent):
        order = course.order_of(one)
        if order.kind in ("b12", "unknown"):
            coded = place < len(facts.therapy.active)
            running.append(_Running(one, order, amounts(child, order, course), coded))
    before = child_facts(facts, untreated, g)
    checks = _ActiveChecks(running, Regimens(facts, a, g), course, before, why)
    spoken = [
        card
        for one in running
        for card in (
            *checks.harmful(one, is_replaced=one.sent.source in replaced),
            *checks.excessive(one),
            *checks.scant(one),
            *checks.worded(one),
            *(checks.bleeding(one) if one.coded else ()),
        )
    ]
    unread = [card for one in running if one.coded for card in checks.unread(one, replaced)]
    return spoken, [*unread, *checks.several(replaced)]


def bleeding_beside(facts: Facts, a: Assessment, g: Guideline, why: Reasoning) -> list[Recommend]:
    """What of the orders in force goes into the muscle, next to a drug against clotting that is
    being ordered."""
    child, course = child_facts(facts, a, g), Course(facts, without_treatment(facts, a, g), g, ())
    checks = _ActiveChecks((), Regimens(facts, a, g), course, child, why)
    orders = [(one, course.order_of(one)) for one in facts.therapy.active]
    running = [
        _Running(one, order, amounts(child, order, course), True)
        for one, order in orders
        if order.kind == "b12" and one.status != "draft"
    ]
    return [card for one in running for card in checks.bleeding(one)]


def stopped_by(outcomes: Sequence[Outcome]) -> frozenset[str]:
    """The orders that the choices of ``outcomes`` stop."""
    return frozenset(
        plan.source
        for one in outcomes
        if isinstance(one, Recommend)
        for choice in one.choices
        for plan in choice.plans
        if isinstance(plan, StoppedDrug)
    )


class _ActiveChecks:
    """Asks the rows about the orders in force of one child; ``untreated`` is what they ask of the
    child as if nothing were ordered or given."""

    def __init__(
        self,
        running: Sequence[_Running],
        regimens: Regimens,
        course: Course,
        untreated: OrderFacts,
        why: Reasoning,
    ) -> None:
        self._untreated = untreated
        self._running, self._course, self._cards = running, course, Cards(regimens)
        self._facts, self._a, self._g = regimens.facts, regimens.a, regimens.g
        self._regimens, self._why = regimens, why
        treating = what_treats(one.sent for one in running)
        self._injected = sum(one.order.injected for one in running if one.sent in treating)

    def harmful(self, one: _Running, *, is_replaced: bool) -> Iterator[Recommend]:
        """A drug that harms this child (ORD-10), or a way that does not treat it (ORD-02). The
        rows answer in any case; a card is left out where another one says it already."""
        danger = self._why.all(self._g.tables.order_danger, one.asked, one.order.called)
        way = first_match(self._g.tables.order_way, one.asked, one.order.called)
        by_mouth = bool(way.fired) and way.rule == "ORD-02"
        if by_mouth:
            self._why.keep(way)
        if is_replaced:
            return
        dangers = [row for row in danger.fired if not self._is_told(one, row.then.card)]
        for row in dangers:
            indicator = self._g.file.cards[row.then.card].indicator
            answer = Answer("ORD-10.active", indicator=indicator)
            values = {"danger": self._danger(row.then.card)}
            yield self._card(row.rule, answer, one, values)
        injected = self._injected - one.order.injected > 0
        certain = [row for row in dangers if row.then.card != "ORD-10.possible"]
        if by_mouth and not certain and not injected:
            reason = named((*self._facts.inborn, *self._facts.neurological))
            severe = say(Texts.severe_deficiency, because=self._a.severity_because)
            yield self._card("ORD-02", Answer("ORD-02.active"), one, {"reason": reason or severe})

    def _danger(self, card: str) -> Message:
        facts = self._facts
        match card:
            case "ORD-10.allergy":
                return say(Orders.danger_allergy, names=Listed(facts.reactions))
            case "ORD-10.possible":
                return say(Orders.danger_possible, names=Listed(facts.possible_reactions))
            case "ORD-10.leber":
                return say(Orders.danger_leber, names=named(facts.leber))
            case "ORD-10.inborn":
                return say(Orders.danger_inborn, names=named(facts.inborn))
            case "ORD-10.worded":
                return say(Orders.danger_worded, names=named(facts.worded.inborn))
            case _:
                return say(Orders.danger_suspected, names=shown_extremes(facts, self._a, self._g))

    def _is_told(self, one: _Running, card: str) -> bool:
        """Whether SAF-01, SAF-05 or SAF-05b speaks of the running treatment already; and a
        homocysteine that a low level may explain is for the follow-up of what runs."""
        if card == "ORD-10.homocysteine":
            return True
        if card == "ORD-10.leber":
            return self._g.codes.cyanocobalamin.any_of(one.sent.codes) is not None
        return one.coded and card in ("ORD-10.allergy", "ORD-10.possible")

    def _card(
        self, rule: str, answer: Answer, one: _Running, values: Mapping[str, object]
    ) -> Recommend:
        said = self._cards.speak(rule, answer, one.order, values, ())
        return structs.replace(said.card, main=True, about="")

    def excessive(self, one: _Running) -> Iterator[Recommend]:
        """What is too much is stopped, and the regimen stated where it was the only order."""
        match = self._why.first(self._g.tables.order_excess, one.asked, one.order.called)
        for row in match.fired:
            if row.then.correction == "none":
                continue  # a specialist dose is not commented on at every view
            answer = Answer(f"{row.then.card}.active", indicator=row.then.indicator)
            instead: Sequence[Note] = (
                self._regimens.notes(one.order, "instead") if len(self._running) == 1 else ()
            )
            plans = treatment.stop_orders([one.sent])
            label = say(Orders.stop_this, names=treatment.medication_names([one.sent]))
            choices = [Choice(row.rule, label, plans)] if plans else []
            said = self._cards.speak(row.rule, answer, one.order, {}, choices, notes=instead)
            yield structs.replace(said.card, main=True, about="")

    def scant(self, one: _Running) -> Iterator[Recommend]:
        """The card of an order in force of a course that at no time gave enough; nothing is
        stopped, since it is the only one that the child gets. Its single dose and its average are
        not asked about: they are for the follow-up. Words of a sign do not make it too little."""
        asked = self._as_untreated(one)
        low = structs.replace(asked, single=None, average=None, share_if_signs=None)
        match = first_match(self._g.tables.order_shortage, low, one.order.called)
        if not match.fired or match.rule != "ORD-16":
            return
        self._why.keep(match)
        answer = structs.replace(match.result, card="ORD-16.active", correction="none")
        yield self._card(match.rule, answer, one, self._course.in_words(one.order))

    def _as_untreated(self, one: _Running) -> OrderFacts:
        """What the rows ask of it, the child held against its level as if nothing ran."""
        return amounts(self._untreated, one.order, self._course)

    def bleeding(self, one: _Running) -> Iterator[Recommend]:
        """An injection in force into the muscle of a child who may bleed there (ORD-11); not one
        whose route a server has lost, and whose words still say under the skin."""
        order = one.order
        lost = order.dosing.ways <= {"parenteral"}
        if not order.injected or (lost and is_said_under_the_skin(order.draft.dosages, self._g)):
            return
        asked = structs.replace(one.asked, may_bleed=self._may_bleed)
        match = self._why.all(self._g.tables.order_injection, asked, one.order.called)
        for row in match.fired:
            if row.then.card == "ORD-11":
                answer = Answer("ORD-11.active")
                yield self._card(row.rule, answer, one, {"bleeding": what_bleeds(self._facts)})

    @found_once
    def _may_bleed(self) -> bool:
        return must_not_inject_muscle(self._facts, self._g, self._why)

    def worded(self, one: _Running) -> Iterator[Recommend]:
        """Far too much in words alone, where no dose can be read."""
        stated = one.order.dosing.in_words_alone
        if stated is not None and self._g.limits.dose_excessive.holds(stated):
            more = {"in_words_alone": stated, "unclear": one.order.dosing.problems}
            yield from self._not_checked(one, structs.replace(one.asked, **more))

    def unread(self, one: _Running, replaced: Collection[str]) -> Iterator[Recommend]:
        """An order whose dose, or what is stated next to it, cannot be read, or whose words state
        another dose: whether it treats is not known. Not of one that another card stops, nor of
        one that says nothing of how much."""
        dosing, asked = one.order.dosing, one.asked
        undosed = asked.single is None and asked.day is None
        told = dosing.in_words_alone
        if (
            not one.sent.dosages
            or one.sent.source in replaced
            or (told is not None and self._g.limits.dose_excessive.holds(told))
        ):
            return
        unseen = unseen_course(self._untreated, one.order, self._course)
        forbidden = forbidden_by(one.order, self._facts)
        doubtful = undosed or dosing.contradicts or bool(forbidden or unseen)
        doubtful = doubtful or self._may_lack_doses(one)
        if doubtful or says_more(one.order.draft.dosages, self._g):
            more = {
                "unclear": (*dosing.problems, *unseen, *said_forbidden(forbidden)),
                "forbidden": forbidden,
                "contradicts": dosing.contradicts,
                "as_needed": dosing.as_needed,
                "gaps": (),
            }
            yield from self._not_checked(one, structs.replace(self._as_untreated(one), **more))

    def _may_lack_doses(self, one: _Running) -> bool:
        """Whether it is as needed in a child whose level is not adequate: at an adequate one the
        response has shown what was given."""
        low = self._untreated.deficient or self._untreated.status == "borderline"
        return one.order.dosing.as_needed and low

    def _not_checked(self, one: _Running, asked: OrderFacts) -> Iterator[Recommend]:
        match = self._why.first(self._g.tables.order_unclear, asked, one.order.called)
        for row in match.fired:
            reasons = Listed(asked.unclear, "semicolon")
            yield self._card(row.rule, row.then, one, {"reasons": reasons})

    def _is_right(self, one: _Running) -> bool:
        """Whether it could be the only order."""
        asked = one.asked
        if asked.share is not None:
            asked = structs.replace(asked, share=self._course.share_alone(one.order))
        return not one.order.dosing.problems and not is_wrong(asked, one.order, self._g)

    @found_once
    def _given_now(self) -> list[_Running]:
        """Those that are not over by their days."""
        on = self._facts.on
        return [one for one in self._running if not self._course.is_over(one.sent, on)]

    def several(self, replaced: Collection[str]) -> Iterator[Recommend]:
        """More than one order in force (DUP-05): the right one stays, the others are stopped.

        Of several that are right the injection stays, else what gives most in two weeks. What
        ends earlier than another may be the first step of a course, and what is vitamin B12 by
        its name alone is not known: then nothing is selected. What is over by its days is not
        given any more and not counted. One on hold is not kept in place of one that treats, and
        where all are on hold nothing is selected.
        """
        running = self._given_now
        asked = DuplicationFacts(several=len(running) > 1)
        fired = self._why.row(self._g.tables.duplication, "DUP-05", asked)
        if not fired or all(one.sent.source in replaced for one in running):
            return
        held = sum(is_held(one.sent) for one in running)
        values: dict[str, Value] = {
            "names": _with_doses(running), "count": len(running), "held": held
        }  # fmt: skip
        card = "DUP-05.hold" if held else "DUP-05"
        yield Recommend(
            "DUP-05",
            card,
            self._g.file.cards[card].indicator,
            values,
            (),
            self._one_of(running),
            "any",
        )

    def _one_of(self, running: Sequence[_Running]) -> tuple[Choice, ...]:
        """The others stopped where one of ``running`` stays."""
        treating = [one for one in running if not is_held(one.sent)]
        right = [one for one in treating or running if self._is_right(one)]
        kept = max(right, key=_strength, default=None)
        if kept is None:
            return ()
        others = [one for one in running if one is not kept]
        plans = treatment.stop_orders([one.sent for one in others])
        if not plans:
            return ()
        sure = bool(treating) and all(
            one.coded and not one.order.dosing.problems and not _may_follow(one, kept)
            for one in others
        )
        label = say(Orders.stop_other, names=_with_doses(others))
        return (Choice("DUP-05", label, plans, recommended=sure),)


def _strength(one: _Running) -> tuple[bool, bool, Decimal, float]:
    within = one.order.dosing.within(TWO_WEEKS) or Decimal(0)
    written = one.sent.authored.instant if one.sent.authored is not None else 0.0
    return one.coded, one.order.injected, within, written


def _with_doses(running: Sequence[_Running]) -> Listed:
    """By name and dose: two orders of one drug are distinguished."""
    return Listed(
        tuple(
            [
                say(
                    Orders.with_dose,
                    name=treatment.said_held(one.sent, one.order.name),
                    dose=one.order.written,
                )
                for one in running
            ]
        )
    )


def _may_follow(one: _Running, kept: _Running) -> bool:
    """Whether it may be a later step of the course that ``kept`` begins."""
    return kept.order.injected == one.order.injected and _lasting(one) > _lasting(kept)


def _lasting(one: _Running) -> Decimal:
    """For how long it is ordered; what has no end lasts longest."""
    days = one.order.dosing.days
    return Decimal("Infinity") if days is None else days


def active_antidotes(
    facts: Facts, a: Assessment, g: Guideline, why: Reasoning
) -> Iterator[Recommend]:
    """The cards of the active orders of the antidote of cyanide: no treatment, and not judged."""
    for one in facts.therapy.antidotes:
        if one.kind == "order" and one.status in IN_FORCE:
            order = as_order(one, facts.weight.kg, g)
            match = why.first(g.tables.order_antidote, order.antidote_facts, order.called)
            for row in match.fired:
                said = Cards(Regimens(facts, a, g)).speak(row.rule, row.then, order, {}, ())
                yield structs.replace(said.card, about="")
