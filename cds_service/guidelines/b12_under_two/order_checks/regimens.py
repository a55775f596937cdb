"""What the guideline would order for this child, and how a drafted order becomes that."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from msgspec import structs

from cds_service.clinical import (
    UNITS,
    PlannedDrug,
    PlannedTest,
    RemovedDraft,
    RevisedDrug,
    StoppedDrug,
)
from cds_service.guidelines import naming
from cds_service.guidelines.b12_under_two import monitoring, treatment
from cds_service.guidelines.b12_under_two.assessment import Assessment
from cds_service.guidelines.b12_under_two.data import Dose, Guideline
from cds_service.guidelines.b12_under_two.facts import Facts
from cds_service.guidelines.b12_under_two.giving import begun, course, instead
from cds_service.guidelines.b12_under_two.messages import Orders, Texts
from cds_service.guidelines.b12_under_two.order_checks.reading import Order
from cds_service.guidelines.b12_under_two.prescribing import Prescriber, safety_notes
from cds_service.guidelines.b12_under_two.products import recognise
from cds_service.guidelines.b12_under_two.tables.order import Correction
from cds_service.guidelines.b12_under_two.words import NEEDS, some_of
from cds_service.guidelines.engine import Choice, Note, Outcome, Recommend, Section, found_once
from cds_service.guidelines.tables import Reasoning
from cds_service.language import Briefly, Listed, Message, say

_Part = Literal["medication", "dosage"]
#: The parts of a treatment card that are also stated where its drug replaces another.
_OF_SAFETY = ("safety", "before", "ask", "course")
_PARTS: dict[Correction, tuple[_Part, ...]] = {
    "product": ("medication",),
    "product and dose": ("medication", "dosage"),
    "product and dose, or removed": ("medication", "dosage"),
}


class Regimen(NamedTuple):
    """A drug as the guideline would order it, what to say of its safety, whether it is to be
    preselected: not where it rests on the words of a sign, and whether it is ``aside``: injected,
    since that is ordered, in a child whose treatment is by mouth."""

    drug: PlannedDrug
    safety: tuple[Note, ...]
    recommended: bool
    aside: bool


def drug_of(choice: Choice) -> PlannedDrug | None:
    return next((one for one in choice.plans if isinstance(one, PlannedDrug)), None)


def _changing(order: Order, drug: PlannedDrug, parts: frozenset[_Part], g: Guideline) -> Message:
    if "dosage" not in parts:
        return say(Orders.change_drug, drug=drug.name)
    how = instead(_as_changed(order, drug, parts), g)
    if "medication" not in parts:
        return say(Orders.change_dose, how=how)
    return say(Orders.change_drug_and_dose, drug=drug.name, how=how)


def _as_a_course(choice: Choice) -> Iterator[Choice]:
    """``choice`` as an offer, by its phases where only the dosage is changed: how it begins may
    be what is ordered already. None where its orders end with the first phase too."""
    plan = choice.plans[0]
    if not isinstance(plan, RevisedDrug) or len(plan.drug.phases) == 1:
        return
    label = choice.label
    if plan.parts == {"dosage"}:
        label = say(Orders.change_course, phases=course(plan.drug))
    yield _offered(structs.replace(choice, label=label))


def _of_safety(notes: Iterable[Note]) -> tuple[Note, ...]:
    return tuple([one for one in notes if one.section in _OF_SAFETY])


def _offered(choice: Choice) -> Choice:
    return structs.replace(choice, recommended=False)


def _as_changed(order: Order, drug: PlannedDrug, parts: Container[str]) -> PlannedDrug:
    """``drug`` as the changed order gives it: of the product that is ordered, unless that is
    changed too, and by the name it is ordered by."""
    if "medication" in parts:
        return drug
    return structs.replace(drug, name=order.name, substance="", strength=order.drug.per_ml)


def alone(choice: Choice, ends: Sequence[RemovedDraft | StoppedDrug]) -> Choice:
    """``choice`` with what ``ends`` all other drafts and orders in force: one order is left."""
    if not ends:
        return choice
    names = Listed(tuple(some_of([one.name for one in ends])))
    return structs.replace(
        choice,
        label=say(Orders.and_end_others, change=choice.label, names=names),
        plans=(*choice.plans, *ends),
        alone=choice.alone or choice.label,
    )


def is_unmeasured(order: Order) -> bool:
    """Whether no one can draw up a dose of it: its strength is unknown."""
    return order.drug.per_ml is None


def replacement(order: Order, choices: Iterable[Choice]) -> PlannedDrug | None:
    """What a choice makes of ``order`` where it changes its dose: of the same product, or of
    another."""
    for plan in (one for choice in choices for one in choice.plans):
        if isinstance(plan, RevisedDrug) and "dosage" in plan.parts:
            return _as_changed(order, plan.drug, plan.parts)
    return None


#: The rules of what is too little: to begin a course of injections is then no correction.
_TOO_LITTLE = frozenset({"ORD-05", "ORD-07", "ORD-16"})
#: Rows of the route table for a child that a specialist is called for before any dose.
_SPECIALISTS = frozenset({"RTE-01b", "RTE-01c", "RTE-01d", "RTE-02"})


class Regimens:
    """What the chart's card would order for one child, calculated once and when first asked for.

    ``absent`` names the facts that every dose rests on and that are not there.
    """

    def __init__(self, facts: Facts, a: Assessment, g: Guideline) -> None:
        self.facts, self.a, self.g = facts, a, g
        self._regimens: dict[bool, Regimen | None] = {}
        self.absent = tuple(
            [
                NEEDS[need.key]
                for need in g.needs
                if need.importance == "required" and need.key in facts.missing
            ]
        )

    @found_once
    def route(self) -> str:
        """The row of the route table that would answer if the child were not treated."""
        return treatment.choose_route(
            self.facts, self.a, self.g, Reasoning(), ignoring_treatment=True
        )

    @property
    def asks_a_specialist(self) -> bool:
        """Whether what is given is a specialist's to decide, whatever is ordered."""
        return self.g.tables.route[self.route].then.kind in ("specialist", "suspected")

    @found_once
    def _advice(self) -> tuple[Outcome, Reasoning]:
        """What the chart's card says, and the rules that it took."""
        why = Reasoning()
        return treatment.recommend(self.route, self.facts, self.a, self.g, why), why

    def chart_card(self, why: Reasoning | None = None) -> Recommend | None:
        """The card that the chart gets, where it is one of treatment or of a specialist's; none
        without the facts that every dose rests on. ``why`` takes over the rules that it took."""
        if self.absent and not self.asks_a_specialist:
            return None
        asks_for = self.g.tables.route[self.route].then.kind
        pressing = asks_for == "clarify" and bool(self.facts.neurological)
        if not (self.a.status.deficient or self.asks_a_specialist or pressing):
            return None
        card, asked = self._advice
        if why is not None:
            why.follow(asked)
        return card if isinstance(card, Recommend) else None

    @found_once
    def question(self) -> Recommend | None:
        """The card of the chart where it asks for tests and not for a treatment: no deficiency is
        established; none without the facts that every dose rests on."""
        if self.absent or self.a.status.deficient:
            return None
        if self.g.tables.route[self.route].then.kind not in ("clarify", "test"):
            return None
        adequate = self.a.status.name in ("adequate", "probably adequate")
        if self.a.status.name == "follow-up" or (adequate and not self.facts.perhaps_neurological):
            return None  # words that may be a sign leave an adequate level open
        card, _ = self._advice
        return card if isinstance(card, Recommend) else None

    def specialist(self, said: Sequence[Recommend], why: Reasoning) -> list[Recommend]:
        """The card of the chart that calls a specialist before any dose, next to an order that is
        written all the same; where a card refuses the drug and calls one, the samples alone. It
        orders the tests where no other card does."""
        card = self.chart_card(why) if self.route in _SPECIALISTS else None
        if card is None:
            return []
        if any(one.card == "ORD-10.suspected" for one in said):
            return self._samples(card)
        tested = any(one.rule == "ORD-08" for one in said)
        tests = () if tested else tuple([one for one in card.choices if drug_of(one) is None])
        return [structs.replace(card, choices=tests)]

    def _samples(self, card: Recommend) -> list[Recommend]:
        """What ``card`` orders for today before the first dose."""
        plans = [plan for one in card.choices for plan in one.plans]
        tests = [one for one in plans if isinstance(one, PlannedTest) and one.due <= one.authored]
        if not tests:
            return []
        names = Listed(tuple([one.inside for one in tests]))
        counted = say(Texts.tests_counted, count=len(tests))
        indicator = self.g.file.cards["MON-02"].indicator
        choices = monitoring.test_choices("MON-02", tests)
        shown = {"names": Briefly(names, counted, names)}
        return [Recommend("MON-02", "MON-02", indicator, shown, choices=choices)]

    @found_once
    def by_mouth(self) -> bool:
        """Whether the chart's card recommends a treatment by mouth."""
        card = self.chart_card()
        drugs = [drug_of(one) for one in card.choices if one.recommended] if card else []
        return any(one is not None and one.route == self.g.file.routes.oral for one in drugs)

    def like(self, order: Order) -> Regimen | None:
        """What would be ordered, injected where ``order`` is; none where nothing would be."""
        if order.injected not in self._regimens:
            self._regimens[order.injected] = self._choose(injected=order.injected)
        return self._regimens[order.injected]

    @found_once
    def for_signs(self) -> Regimen | None:
        """The injections that words call for if they mean a neurological sign; none where nothing
        would be ordered."""
        if self.chart_card() is None:
            return None
        return self._injections(self.g.file.doses.neurological_injections, recommended=False)

    def _injections(self, dose: Dose, *, recommended: bool) -> Regimen | None:
        prescriber = Prescriber(self.facts, self.a, self.g, Reasoning())
        choice = prescriber.injection(dose, recommended=recommended)
        notes, _ = safety_notes([choice], "info", prescriber, allergic=False)
        drug = drug_of(choice)
        return None if drug is None else Regimen(drug, _of_safety(notes), recommended, aside=True)

    def notes(
        self,
        order: Order,
        place: Literal["instead", "regimen"],
        written: PlannedDrug | None = None,
        *,
        signs: bool = False,
    ) -> list[Note]:
        """The regimen in words, its drug named, and the safety of it; nothing without one.
        ``written`` is the drug that a button writes, where one does: no other is named. ``signs``
        asks for what words call for, if they mean one."""
        regimen = self.for_signs if signs else self.like(order)
        if regimen is None:
            return []
        drug, safety = regimen.drug, regimen.safety
        drug = written or drug
        section: Section = "give" if place == "instead" else "usual"
        whole = say(Texts.course, phases=course(drug))
        return [Note(section, begun(drug, self.g)), Note("course", whole), *safety]

    def why_offered(self, order: Order, correction: Correction) -> Iterator[Note]:
        """Why a change of ``order`` is only offered, apart from what words tell of the child."""
        regimen = self.like(order)
        if correction == "dose" and is_unmeasured(order):
            yield Note("safety", say(Orders.strength_unknown, name=order.name))
        if regimen is not None and regimen.aside:
            yield Note("because", say(Orders.treated_by_mouth))

    def _choose(self, *, injected: bool) -> Regimen | None:
        whole = self.facts.therapy.is_injected_whole
        if whole and not injected:
            return None  # what follows is one injection, and not the course again
        card = self.chart_card()
        offered = sorted(card.choices, key=lambda one: not one.recommended) if card else []
        drugs = [(drug, one) for one in offered if (drug := drug_of(one)) is not None]
        if card is None or not drugs:
            return None
        drug, _ = drugs[0]
        unsure = self.g.tables.route[self.route].then.kind in ("choose", "clarify")
        sure = not (unsure or whole or self.facts.worded.inborn)
        if injected and drug.route == self.g.file.routes.oral:
            return self._injections(self.g.file.doses.weekly_injections, recommended=sure)
        return Regimen(drug, _of_safety(card.notes), sure, aside=False)

    # --- ways to put an order right ---------------------------------------------------------------

    def correct(self, order: Order, correction: Correction, rule: str) -> tuple[Choice, ...]:
        """``order`` put right; nothing where it cannot be changed or nothing would be ordered."""
        if correction == "none" or not order.draft.source:
            return ()
        if correction == "removed":
            return self._removed(order, rule)
        if correction == "under the skin":
            return self._rerouted(order, rule, "subcutaneous")
        if correction == "into the muscle":
            return self._rerouted(order, rule, "intramuscular")
        if correction in ("dose", "course", "dose, offered"):
            return self._dosed(order, correction, rule)
        if correction == "product and dose, or removed" and order.kind != "b12":
            return self._removed(order, rule)  # a combination does not treat
        changed = self._changed(order, rule, _PARTS[correction], self.like(order))
        if not changed and correction == "product and dose, or removed":
            return self._removed(order, rule)
        return changed

    def _dosed(self, order: Order, correction: Correction, rule: str) -> tuple[Choice, ...]:
        parts = self._parts_of_a_dose(order)
        if correction == "dose, offered":
            return tuple(map(_offered, self._changed(order, rule, parts, self.for_signs)))
        changed = self._changed(order, rule, parts, self.like(order))
        if correction == "dose":
            return changed
        return tuple([one for choice in changed for one in _as_a_course(choice)])

    def _removed(self, order: Order, rule: str) -> tuple[Choice, ...]:
        plan = RemovedDraft(order.draft.source, order.name)
        return (Choice(rule, say(Orders.remove, name=order.name), (plan,)),)

    def _changed(
        self, order: Order, rule: str, parts: tuple[_Part, ...], regimen: Regimen | None
    ) -> tuple[Choice, ...]:
        """The order changed in ``parts`` to ``regimen``, if there is one; not preselected where
        that rests on words."""
        if regimen is None:
            return ()
        drug = regimen.drug
        to_inject = drug.route != self.g.file.routes.oral and not order.injected
        if to_inject and "medication" not in parts:
            parts = ("medication", *parts)  # what is swallowed cannot be injected
        unmeasured = "medication" not in parts and is_unmeasured(order)
        if unmeasured or ("medication" not in parts and self._is_too_weak(order, drug)):
            parts = ("medication", *parts)
        if "dosage" not in parts and self._is_counted_otherwise(order, drug):
            parts = (*parts, "dosage")
        changed = frozenset(parts)
        label = _changing(order, drug, changed, self.g)
        plan = RevisedDrug(order.draft, drug, changed)
        sure = self.preselects(order, regimen) if unmeasured else regimen.recommended
        begins = rule in _TOO_LITTLE and regimen.aside
        return (Choice(rule, label, (plan,), recommended=sure and not begins),)

    @staticmethod
    def preselects(order: Order, regimen: Regimen) -> bool:
        """Whether ``order`` is changed to the regimen without being asked: not where it is of a
        product that is known by its name alone, or of another drug, whose strength is unknown."""
        if not is_unmeasured(order):
            return regimen.recommended
        same = order.drug.substance in ("", regimen.drug.substance)
        return regimen.recommended and order.drug.by == "code" and same

    def _is_too_weak(self, order: Order, drug: PlannedDrug) -> bool:
        """Whether the recommended dose is more of the product ordered than is sensibly given."""
        if order.drug.per_ml is None:
            return False
        swallowed = drug.route == self.g.file.routes.oral
        limits = self.g.limits
        most = limits.oral_corrected if swallowed else limits.injection_corrected
        return most.holds(drug.amount / order.drug.per_ml)

    def _is_counted_otherwise(self, order: Order, drug: PlannedDrug) -> bool:
        """Whether a dose is in millilitres or pieces that hold something else of the new
        product: kept, it would be another dose."""
        ends = [one for line in order.draft.dosages for one in (line.low, line.high)]
        amounts = [*ends, *(one for line in order.draft.dosages for one, _ in line.maxima)]
        by_mass = all(
            one is None or UNITS.get(one.unit or "", ("",))[0] == "mass" for one in amounts
        )
        if by_mass:
            return False
        new = recognise(drug.codes, "", self.g)
        in_volume = all(
            one is None or UNITS.get(one.unit or "", ("",))[0] in ("mass", "volume")
            for one in amounts
        )
        return not in_volume or new.per_ml is None or new.per_ml != order.drug.per_ml

    def _rerouted(
        self, order: Order, rule: str, way: Literal["subcutaneous", "intramuscular"]
    ) -> tuple[Choice, ...]:
        """The order as it is, by another route; not one whose dose is in words alone, which
        would still say the old route."""
        if order.dosing.average_high is None:
            return ()
        drug = PlannedDrug(
            order.draft.codes, order.name, getattr(self.g.file.routes, way), Decimal(0), "ug", (),
            self.facts.on, "routine", route_name=naming.route(way, inside=True),
        )  # fmt: skip
        plan = RevisedDrug(order.draft, drug, frozenset({"route"}))
        label = say(Orders.change_route, route=naming.route(way, inside=True))
        return (Choice(rule, label, (plan,), recommended=True),)

    def _parts_of_a_dose(self, order: Order) -> tuple[_Part, ...]:
        """Another product too where one piece of it is too much, or is one to swallow whole:
        infants are given a liquid."""
        drug = order.drug
        strong = drug.per_unit is not None and self.g.limits.dose_suggested.holds(drug.per_unit)
        return ("medication", "dosage") if strong or drug.form == "tablet" else ("dosage",)
