"""What the card of one order says."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Literal, NamedTuple, cast

from msgspec import structs

from cds_service.clinical import PlannedDrug, RemovedDraft, RevisedDrug, StoppedDrug
from cds_service.guidelines import naming
from cds_service.guidelines.b12_under_two import treatment
from cds_service.guidelines.b12_under_two.age import recorded
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.dosing.amounts import shown_dose
from cds_service.guidelines.b12_under_two.giving import instead
from cds_service.guidelines.b12_under_two.messages import Orders, Texts
from cds_service.guidelines.b12_under_two.order_checks.reading import Order
from cds_service.guidelines.b12_under_two.order_checks.regimens import Regimens, replacement
from cds_service.guidelines.b12_under_two.prescribing import preservative_matters
from cds_service.guidelines.b12_under_two.tables.order import Answer
from cds_service.guidelines.b12_under_two.words import CardValues, finding_notes
from cds_service.guidelines.engine import (
    Choice,
    Indicator,
    Note,
    Recommend,
    found_once,
    most_urgent,
)
from cds_service.guidelines.tables import Reasoning
from cds_service.language import Briefly, Message, Value, say

#: The card of a dose that only a specialist can judge.
SPECIALIST = "ORD-04.specialist"
#: The card of a first phase that is enough, and of which no one has ordered what follows.
NEXT = "ORD-24.next"
#: The cards that send for an injection in place of the order.
_INJECTED_INSTEAD = frozenset(
    {
        "ORD-01",
        "ORD-02",
        "ORD-02.active",
        "ORD-02.inborn",
        "ORD-10.inborn",
        "ORD-10.suspected",
    }
)


class Said(NamedTuple):
    """A card and the answer it represents."""

    card: Recommend
    answer: Answer

    def offering(self, choices: tuple[Choice, ...], g: Guideline, *notes: Note) -> Said:
        """With these choices in place of its own, and no other dose in its headline or below it."""
        values = ChainMap(
            _in_place(None, g, say(Texts.injections_indicated)),
            cast(dict[str, object], self.card.values),
        )
        kept = [one for one in self.card.notes if one.section not in ("give", "course")]
        card = structs.replace(self.card, choices=choices, values=values, notes=(*kept, *notes))
        return Said(card, self.answer)

    def with_notes(self, *notes: Note) -> Said:
        return Said(structs.replace(self.card, notes=(*self.card.notes, *notes)), self.answer)

    def with_nothing_taken(self) -> Said:
        """With no choice preselected that only ends orders."""
        choices = tuple([
            structs.replace(one, recommended=False)
            if all(isinstance(plan, RemovedDraft | StoppedDrug) for plan in one.plans)
            else one
            for one in self.card.choices
        ])  # fmt: skip
        return Said(structs.replace(self.card, choices=choices), self.answer)

    def resting_on(self, words: Iterable[Message]) -> Said:
        """With the words that it rests on, and nothing preselected."""
        choices = tuple([structs.replace(one, recommended=False) for one in self.card.choices])
        notes = (*self.card.notes, *(Note("safety", one) for one in words))
        return Said(structs.replace(self.card, choices=choices, notes=notes), self.answer)


class Cards:
    """Writes the cards of one call; what they all say of the child is calculated once."""

    def __init__(self, regimens: Regimens) -> None:
        self._facts, self._a, self._g = regimens.facts, regimens.a, regimens.g
        self._regimens = regimens

    @found_once
    def _values(self) -> CardValues:
        return CardValues(self._facts, self._a, (), self._g)

    @found_once
    def _is_unproven(self) -> bool:
        """No deficiency is established, or treated."""
        a, therapy = self._a, self._facts.therapy
        unproven = ("unknown", "unknown at risk", "adequate", "probably adequate")
        return a.status.name in (*unproven, "adequate with signs") and not therapy.current

    @found_once
    def _is_unmeasured(self) -> bool:
        """A sign of the nerves, and no usable level: what is sampled first is not waited for."""
        unknown = self._a.status.name in ("unknown", "unknown at risk")
        return unknown and self._is_unproven and bool(self._facts.neurological)

    @found_once
    def _without_treatment(self) -> Message:
        """What a headline says of injections where none is recommended."""
        if self._is_unmeasured:
            return say(Texts.injections_unmeasured)
        if self._is_unproven:
            return say(Texts.injections_if_deficient)
        return say(Texts.injections_indicated)

    @found_once
    def _preservative_harms(self) -> bool:
        return preservative_matters(self._facts, self._g, Reasoning())

    @found_once
    def _findings(self) -> list[Note]:
        found = finding_notes(self._facts, self._a, self._g)
        return [one for one in found if one.section != "ask"]  # the chart's card asks

    @found_once
    def _because(self) -> list[Note]:
        """The same, where the level and what makes it severe are why the order is wrong: they are
        read first."""
        return [
            structs.replace(one, section="because") if one.section == "why" else one
            for one in self._findings
        ]

    def speak(
        self,
        rule: str,
        answer: Answer,
        order: Order,
        values: Mapping[str, object],
        choices: Iterable[Choice] | None = None,
        indicator: Indicator | None = None,
        *,
        notes: Iterable[Note] = (),
        selection: Literal["at-most-one", "any"] = "at-most-one",
    ) -> Said:
        """The card of a row that fired. Without ``choices`` it offers the row's own correction;
        ``indicator`` and that of the answer are what it has at the least."""
        if choices is None:
            choices = self._regimens.correct(order, answer.correction, rule)
        choices = tuple(choices)
        urgency = (self._g.file.cards[answer.card].indicator, answer.indicator, indicator)
        card = Recommend(
            rule,
            answer.card,
            most_urgent(*[one for one in urgency if one is not None]),
            self._values_with(choices).beside(
                {
                    "order": _called(order),
                    "dose": order.dose_in_words,
                    "way": order.ways_in_words,
                    **_in_place(_replaced(order, choices), self._g, self._without_treatment),
                    "samples": say(Orders.samples_then_inject),
                    **self._told_to(choices),
                    **_largest(order),
                    **values,
                }
            ),
            tuple(self._notes(answer, order, choices, notes)),
            choices,
            selection,
            about=order.draft.source,
        )
        return Said(card, answer)

    def _told_to(self, choices: tuple[Choice, ...]) -> dict[str, object]:
        """What is to be ordered instead, or why the card only offers it."""
        facts, over = self._facts, self._facts.therapy.over
        if over is not None and facts.therapy.is_injected_whole:
            following = say(Orders.inject_next, last=recorded(over.last), due=over.due)
            return {
                "full_course": following,
                "inject_instead": following,
                "samples": say(Orders.samples_now),
                "treat": following,
            }
        if any(one.recommended for one in choices) or (not choices and not self._is_unproven):
            return {
                "full_course": say(Orders.full_course),
                "inject_instead": say(Orders.inject_instead),
                "treat": say(Orders.treat),
            }
        if self._is_unmeasured:
            return {
                "full_course": say(Orders.full_course),
                "inject_instead": say(Orders.inject_unmeasured),
                "treat": say(Orders.treat),
            }
        if self._is_unproven:
            return {
                "full_course": say(Orders.full_course),
                "inject_instead": say(Orders.inject_if_deficient),
                "treat": say(Orders.treat),
            }
        in_words = facts.perhaps_neurological or facts.worded.inborn or facts.worded.malabsorption
        if self._a.status.name == "borderline" and not in_words:
            return {
                "full_course": say(Orders.full_course_borderline),
                "inject_instead": say(Orders.inject_borderline),
                "treat": say(Orders.treat_borderline),
            }
        if not in_words:
            return {
                "full_course": say(Orders.full_course_offered),
                "inject_instead": say(Orders.inject_instead),
                "treat": say(Orders.treat_offered),
            }
        return {
            "full_course": say(Orders.full_course_asked),
            "inject_instead": say(Orders.inject_asked),
            "treat": say(Orders.treat_asked),
        }

    def _values_with(self, choices: tuple[Choice, ...]) -> CardValues:
        """Only the drugs of the choices make a difference to what every card may name."""
        if any(isinstance(plan, PlannedDrug) for choice in choices for plan in choice.plans):
            return CardValues(self._facts, self._a, choices, self._g)
        return self._values

    def _notes(
        self, answer: Answer, order: Order, choices: tuple[Choice, ...], notes: Iterable[Note]
    ) -> Iterable[Note]:
        regimens = _change_a_dose(choices)
        if self._a.status.level is not None and (regimens or answer.shows_level):
            yield from self._because if answer.shows_level else self._findings
        yield from _as_ordered(order)
        yield from notes
        if answer.card == "ORD-10.suspected":
            yield from self._of_a_suspicion(dosed=bool(regimens))
        if answer.card.startswith(("ORD-03", "ORD-04")) and answer.card != SPECIALIST:
            yield from () if regimens else _usual_in_ml(order)  # the new dose is in mL too
        if regimens and answer.correction != "course":
            yield from self._instead(answer, order, choices)
        elif answer.shows_course:
            yield from self._whole_course(answer, order)
        elif self._preservative_harms and answer.card in _INJECTED_INSTEAD:
            yield Note("safety", say(Texts.preservative_free))

    def _of_a_suspicion(self, *, dosed: bool) -> Iterable[Note]:
        """The samples that come first, and what may be given where no button writes it."""
        yield Note("before", say(Texts.samples_first))
        if self._a.suspicion == "ETI-01b" and not dosed:
            yield treatment.for_the_specialist(self._facts, self._a, self._g)

    def _whole_course(self, answer: Answer, order: Order) -> Iterable[Note]:
        """The regimen that the order is the beginning of; nothing where that has no later phase
        and what follows is asked for."""
        regimen = self._regimens.like(order)
        if answer.correction == "course" and regimen and len(regimen.drug.phases) == 1:
            return ()
        told = self._regimens.notes(order, "regimen")
        return (one for one in told if one.section in ("usual", "course"))

    def _instead(self, answer: Answer, order: Order, choices: tuple[Choice, ...]) -> Iterable[Note]:
        """What is given in place of the order, and why it is only offered."""
        signs = answer.correction == "dose, offered"
        if not signs and not any(one.recommended for one in choices):
            yield from self._regimens.why_offered(order, answer.correction)
        written = replacement(order, choices)
        notes = self._regimens.notes(order, "instead", written, signs=signs)
        yield from (one for one in notes if not (signs and one.section == "give"))


def _change_a_dose(choices: Iterable[Choice]) -> bool:
    return any(
        isinstance(plan, RevisedDrug) and "dosage" in plan.parts
        for choice in choices
        for plan in choice.plans
    )


def _as_ordered(order: Order) -> Iterable[Note]:
    """An order of vitamin B12 as it was read, and by what it was recognised."""
    if order.kind == "b12":
        yield Note("ordered", _read(order))
        if order.drug.by == "name":
            yield Note("ordered", say(Texts.draft_by_name))


def _read(order: Order) -> Message:
    """The order as it was read, and as it was written where that is not the same."""
    if order.is_plain:
        return say(Texts.draft_reading, reading=order.reading)
    if order.largest is None:
        return say(Texts.draft_as_written, written=order.written, reading=order.reading)
    return say(Texts.draft_read, written=order.written, reading=order.reading)


def _in_place(drug: PlannedDrug | None, g: Guideline, otherwise: Message) -> dict[str, object]:
    """What a headline says is to be given in place of the order, or ``otherwise``."""
    if drug is None:
        return {"instead": "", "injected": otherwise}
    how = instead(drug, g)
    what = say(
        Texts.headline_drug,
        substance=naming.substance(drug.substance) if drug.substance else drug.name,
        how=how,
    )
    return {
        "instead": say(Texts.headline_instead, how=how),
        "injected": say(Texts.headline_injected, what=what),
    }


def _replaced(order: Order, choices: tuple[Choice, ...]) -> PlannedDrug | None:
    """The drug in place of the order that is recommended: a headline orders nothing that the card
    only offers."""
    return replacement(order, tuple([one for one in choices if one.recommended]))


#: The usual dose in micrograms, of which a too large one is a multiple.
_USUAL = Decimal(1000)


def _called(order: Order) -> Value:
    """An order by its name, or by what it is of where a headline has no room for that."""
    if order.kind == "b12":
        return Briefly(order.name, say(Orders.unnamed_b12), order.name)
    if order.kind == "folic acid":
        return Briefly(order.name, say(Orders.folic_acid), order.name)
    return order.name


def _largest(order: Order) -> Mapping[str, object]:
    """How large a dose is and how many times the usual one."""
    if order.largest is None:
        return {"large": order.dose_in_words, "times": "-"}
    amount, large = order.largest
    times = amount / _USUAL
    return {"large": large, "times": shown_dose(times, 1 if times < _USUAL / 100 else 0)}


def _usual_in_ml(order: Order) -> Iterable[Note]:
    """What the usual dose is in millilitres of the product ordered."""
    if order.drug.per_ml is not None:
        ml = shown_dose(_USUAL / order.drug.per_ml, 3)
        yield Note("usual", say(Orders.usual_in_ml, ml=ml))
