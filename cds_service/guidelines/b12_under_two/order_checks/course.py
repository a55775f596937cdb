"""What the first two weeks of a course give, against the regimen and published schedules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache

from cds_service.clinical import Medication, Phase, convert
from cds_service.guidelines.b12_under_two.age import days_since
from cds_service.guidelines.b12_under_two.assessment import Assessment
from cds_service.guidelines.b12_under_two.data import Dose, Guideline, Schedule
from cds_service.guidelines.b12_under_two.dosing import Line, doses_within, shown_dose
from cds_service.guidelines.b12_under_two.facts import Facts
from cds_service.guidelines.b12_under_two.order_checks.reading import Order, as_order
from cds_service.guidelines.b12_under_two.therapy import route_of

#: The days that are compared (policy), and those of each unit of a period.
TWO_WEEKS = Decimal(14)
_DAYS: Mapping[str, Decimal] = {
    "d": Decimal(1), "wk": Decimal(7), "mo": Decimal(30), "a": Decimal(365),
}  # fmt: skip
#: How far a dose may be from a published one.
_LEAST, _MOST = Decimal("0.9"), Decimal("1.1")


class Course:
    """The course that the drafts in ``of_b12`` begin or belong to, in micrograms."""

    def __init__(self, facts: Facts, a: Assessment, g: Guideline, of_b12: Sequence[Order]) -> None:
        self._facts, self._a, self.g = facts, a, g
        self._of_b12 = of_b12
        self._schedules: dict[int, tuple[Order, tuple[Schedule, ...]]] = {}

    def regimen(self, order: Order) -> Decimal:
        """What the recommended regimen for this child and the route of ``order`` gives in two
        weeks; where no route is known, the route that gives less."""
        doses = self.g.file.doses
        by_mouth = _of_regimen(doses.oral_regimen)
        if order.ways and not order.injected:
            return by_mouth
        signs = bool(self._facts.neurological)
        injected = _of_regimen(doses.neurological_injections if signs else doses.weekly_injections)
        return injected if order.injected else min(by_mouth, injected)

    def given(self, order: Order) -> Decimal | None:
        """All that is ordered or was given in the first two weeks of a treatment that begins;
        ``None`` where it cannot be determined, or where no treatment begins. Next to an injection
        only what is injected counts: a dose by mouth does not make up for one that is missing, and
        injections after what was swallowed begin a treatment."""
        if self._facts.age.under_one_month or not self._begins(order):
            return None
        doses = [one for one in self._facts.therapy.running if one.kind == "administration"]
        orders = self._orders(order)
        if order.injected:
            doses = [one for one in doses if route_of(one, self.g) != "oral"]
            orders = [one for one in orders if one.injected]
        amounts = [
            *(one.dosing.within(TWO_WEEKS, least=True) for one in orders),
            *map(_given, doses),
        ]
        known = [one for one in amounts if one is not None]
        return sum(known, Decimal(0)) if len(known) == len(amounts) else None

    def _begins(self, order: Order) -> bool:
        """Whether a treatment begins with it, or began within two weeks."""
        began = self._facts.therapy.start
        if order.injected and self._facts.therapy.route in ("oral", "other"):
            return True
        return began is None or days_since(began, self._facts.on) < TWO_WEEKS

    def _orders(self, order: Order) -> list[Order]:
        """``order``, the drafts next to it and the active orders, each once."""
        active = [as_order(one, order.weight_kg, self.g) for one in self._facts.therapy.active]
        drafts = (
            list(self._of_b12)
            if any(one is order for one in self._of_b12)
            else [*self._of_b12, order]
        )
        sources = {one.draft.source for one in drafts}
        return [*drafts, *(one for one in active if one.draft.source not in sources)]

    def share(self, order: Order) -> Decimal | None:
        given = self.given(order)
        return None if given is None else given / self.regimen(order)

    def share_alone(self, order: Order) -> Decimal | None:
        """The same of ``order`` without anything else that is ordered or was given."""
        given = order.dosing.within(TWO_WEEKS, least=True)
        return None if given is None else given / self.regimen(order)

    def in_words(self, order: Order) -> Mapping[str, object]:
        """What is given in two weeks and what the regimen gives, in micrograms."""
        given = self.given(order)
        if given is None:  # it is judged as what begins a treatment in place of another
            given = order.dosing.within(TWO_WEEKS, least=True)
        return {
            "given": "-" if given is None else shown_dose(given),
            "regimen": shown_dose(self.regimen(order)),
        }

    def published(self, order: Order) -> list[Schedule]:
        """The schedules for a child of this age and state that ``order`` follows."""
        signs = bool(self._facts.neurological)
        return [
            one
            for one in self._followed(order)
            if self._a.severity in one.severities and (one.signs or not signs) and not one.inborn
        ]

    def is_specialist(self, order: Order) -> bool:
        """Whether it is a course published for methylmalonic acidaemia, in a child with nothing
        else that is an inborn error."""
        inborn = {one.source for one in self._facts.inborn}
        alone = bool(inborn) and inborn <= {one.source for one in self._facts.methylmalonic}
        return alone and any(one.inborn for one in self._followed(order))

    def is_weekly(self, order: Order) -> bool:
        """Whether it is the formulary's course of weekly injections, for whatever child."""
        return any(one.formulary for one in self._followed(order))

    def _followed(self, order: Order) -> tuple[Schedule, ...]:
        """Found once for an order, of which it is asked again and again."""
        known = self._schedules.get(id(order))
        if known is None:
            known = self._schedules[id(order)] = order, tuple(self._found(order))
        return known[1]

    def _found(self, order: Order) -> Iterator[Schedule]:
        age, lines = self._facts.age, order.dosing.lines
        if not lines or not _is_regular(lines[0]):
            return
        for one in self.g.file.published_schedules:
            aged = one.from_month <= age.youngest and age.oldest < one.to_month
            named = one.substance in ("", order.drug.substance)
            if aged and named and not one.adults and _follows(lines[0], order, one):
                yield one


def _is_regular(line: Line) -> bool:
    """Whether a line says how much and, in one way, how often."""
    amount = line.high is not None and line.low is not None
    return amount and line.span is not None and line.times == line.least_times is not None


def _follows(line: Line, order: Order, schedule: Schedule) -> bool:
    """Whether the first line has its route, dose (within a tenth), frequency and duration."""
    if not order.ways or not order.dosing.ways.issubset(schedule.ways):
        return False
    if line.high is None or line.low is None or line.times is None or line.span is None:
        return False
    if line.days is not None and line.days < schedule.lasting:
        return False
    fits = schedule.least * _LEAST <= line.low and line.high <= schedule.most * _MOST
    return fits and line.times * schedule.days == schedule.times * line.span


def _given(one: Medication) -> Decimal | None:
    amounts = [convert(dose.amount, "ug") if dose.amount else None for dose in one.doses]
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(amounts) else None


@lru_cache(maxsize=64)
def _of_regimen(dose: Dose) -> Decimal:
    """What its phases give in two weeks, one after the other: the same for every child."""
    left, doses = TWO_WEEKS, 0
    for phase in dose.phases:
        if left <= 0:
            break
        lasts = min(left, _lasting(phase))
        span = phase.period * _DAYS[phase.period_unit]
        doses += min(
            doses_within(Decimal(phase.frequency), Decimal(span), lasts), phase.count or 99
        )
        left -= lasts
    return dose.amount * doses


def _lasting(phase: Phase) -> Decimal:
    return Decimal(phase.duration) * _DAYS[phase.duration_unit]
