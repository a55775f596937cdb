"""What the first two weeks of a course give, against the regimen and published schedules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from cds_service.clinical import Medication, Moment
from cds_service.guidelines.b12_under_two.age import add_months, recorded
from cds_service.guidelines.b12_under_two.assessment import Assessment
from cds_service.guidelines.b12_under_two.data import Guideline, Schedule
from cds_service.guidelines.b12_under_two.dosing.amounts import shown_dose
from cds_service.guidelines.b12_under_two.dosing.lines import Line
from cds_service.guidelines.b12_under_two.facts import Facts
from cds_service.guidelines.b12_under_two.messages import Orders
from cds_service.guidelines.b12_under_two.order_checks.reading import Order, as_order
from cds_service.guidelines.b12_under_two.order_words import stated_in
from cds_service.guidelines.b12_under_two.therapy import (
    TWO_WEEKS,
    Over,
    Span,
    amount_given,
    doses_of,
    in_two_weeks,
    is_held,
)
from cds_service.language import say

#: How far a dose may be from a published one.
_LEAST, _MOST = Decimal("0.9"), Decimal("1.1")


class _Dose(NamedTuple):
    """A dose given, in micrograms where that is known."""

    amount: Decimal | None
    injected: bool


class _Part(NamedTuple):
    """One order, or one dose given, of a course. ``day`` is the first, ``None`` where no one says;
    ``days`` how long the order was carried out, ``None`` where it goes on or no one says. ``sure``
    says that it was carried out so long, ``begun`` that it is more than a draft."""

    order: Order
    day: date | None
    days: Decimal | None = None
    begun: bool = False
    sure: bool = True
    dose: _Dose | None = None

    @property
    def injected(self) -> bool:
        return self.order.injected if self.dose is None else self.dose.injected

    def is_aside(self, order: Order) -> bool:
        """Whether it does not count next to ``order``: what is swallowed next to an injection."""
        return order.injected and not self.injected

    @property
    def is_known(self) -> bool:
        return self.within(self.day or date.max) is not None

    def within(self, first: date) -> Decimal | None:
        """The least micrograms it gives in the two weeks from ``first`` on."""
        if self.day is None:
            return self._until(TWO_WEEKS)
        before = Decimal((first - self.day).days)
        if self.dose is not None:
            return self.dose.amount if -TWO_WEEKS < before <= 0 else Decimal(0)
        ends = before + TWO_WEEKS if self.days is None else min(before + TWO_WEEKS, self.days)
        until, already = self._until(ends), self._until(min(before, ends))
        return None if until is None or already is None else until - already

    def _until(self, days: Decimal) -> Decimal | None:
        return self.order.dosing.within(days, least=True) if days > 0 else Decimal(0)

    def starts(self) -> Iterator[date]:
        """The days from which on it may give most."""
        if self.day is not None:
            yield self.day
            if self.dose is None:
                for days in self.order.dosing.turns():
                    yield self.day + timedelta(days=int(days))

    def covers(self, day: date | None) -> bool:
        """Whether a dose given on ``day`` is one of this order's."""
        if not self.begun or self.dose is not None or self.day is None or day is None:
            return False
        return self.day <= day and (self.days is None or (day - self.day).days <= self.days)


class Course:
    """The course that the drafts in ``of_b12`` begin or belong to, in micrograms."""

    def __init__(self, facts: Facts, a: Assessment, g: Guideline, of_b12: Sequence[Order]) -> None:
        self._facts, self._a, self.g = facts, a, g
        self._of_b12 = of_b12
        self._schedules: dict[int, tuple[Order, tuple[Schedule, ...]]] = {}
        self._given: dict[int, tuple[Order, Decimal | None]] = {}
        self._orders: dict[int, tuple[Medication, Order]] = {}

    def order_of(self, one: Medication) -> Order:
        """An order of the record as it is understood; read once, however often it is asked for."""
        known = self._orders.get(id(one))
        if known is None:
            order = as_order(one, self._facts.weight.kg, self.g)
            known = self._orders[id(one)] = one, order
        return known[1]

    def until(self, one: Medication) -> date | None:
        """The last day on which an order in force is given, where that is known. One on hold may go
        on after the days for which it was ordered, and one of several that were written on the
        same day may begin when another ends."""
        written = one.authored
        others = [it.authored for it in self._facts.therapy.active if it is not one]
        together = any(_may_be_of_a_day(written, it) for it in others)
        if written is None or together or is_held(one):
            return self.order_of(one).until(None)
        return self.order_of(one).until(written.last)

    def is_over(self, one: Medication, on: date) -> bool:
        """Whether by its days an order in force has ended before ``on``."""
        until = self.until(one)
        return until is not None and until < on

    def regimen(self, order: Order) -> Decimal:
        """What the recommended regimen for this child and the route of ``order`` gives in two
        weeks; where no route is known, the route that gives less."""
        doses = self.g.file.doses
        by_mouth = in_two_weeks(doses.oral_regimen)
        if order.ways and not order.injected:
            return by_mouth
        injected = in_two_weeks(doses.injections(signs=bool(self._facts.neurological)))
        return injected if order.injected else min(by_mouth, injected)

    def given(self, order: Order) -> Decimal | None:
        """What the two weeks of the course give that give most, with all that is ordered or was
        given: what the first weeks gave later ones need not give again. ``None`` where it cannot be
        determined, or where a course that began by a published schedule goes on. Next to an
        injection only what is injected counts: a dose by mouth does not make up for one that is
        missing, and injections after what was swallowed begin a treatment."""
        known = self._given.get(id(order))
        if known is None:
            known = self._given[id(order)] = order, self._found_given(order)
        return known[1]

    def _found_given(self, order: Order) -> Decimal | None:
        parts = self._parts(order)
        if self.leaves_unfinished(order):
            return _fullest([one for one in parts if not one.begun], self._facts.on)
        if self._facts.age.under_one_month or self._began_as_published(order, parts):
            return None
        most = _fullest(parts, self._facts.on)
        surely = [one for one in parts if one.sure and one.is_known]
        if most is not None and (len(surely) == len(parts) or self._is_scant(order, most)):
            return most
        least = _fullest(surely, self._facts.on)
        return None if least is None or self._is_scant(order, least) else least

    def is_unseen(self, order: Order) -> bool:
        """Whether it is too little on its own, and no one can tell what else was given."""
        alone, parts = self.share_alone(order), self._parts(order)
        if alone is None or not self.g.limits.course_scant.holds(alone):
            return False
        if self._facts.age.under_one_month or self._began_as_published(order, parts):
            return False
        return self.given(order) is None

    def leaves_unfinished(self, order: Order) -> bool:
        """Whether less than the course was injected, nothing else of it is ordered, and what is
        being injected does not bring the rest: then it is counted alone, where neurological signs
        or severe deficiency need the whole course. One that an order gave whole as a published
        schedule has it lacks nothing."""
        over = self._unfinished
        if over is None or not order.injected:
            return False
        parts = self._parts(order)
        whole = [one for one in parts if one.begun and not self._lacks_doses(one, parts)]
        if self._began_as_published(order, whole):
            return False
        drafted = [_doses_in(one.order, TWO_WEEKS) for one in parts if not one.begun]
        known = [one for one in drafted if one is not None]
        return 0 < len(known) == len(drafted) and sum(known, Decimal(0)) < over.lacking

    @property
    def _unfinished(self) -> Over | None:
        """A course of injections that was not given whole, in a child who needs the whole of it."""
        facts, over = self._facts, self._facts.therapy.over
        if facts.age.under_one_month or facts.therapy.route != "parenteral":
            return None
        pressing = bool(facts.neurological) or self._a.severity == "severe"
        return over if over is not None and over.unfinished and pressing else None

    def begins_again(self, order: Order) -> bool:
        """Whether it begins a course of injections that was given whole lately."""
        if not (order.injected and self._facts.therapy.is_injected_whole):
            return False
        alone = self.share_alone(order)
        return alone is not None and not self.g.limits.course_scant.holds(alone)

    def of_the_whole(self, order: Order) -> Decimal | None:
        """What share of the doses of the recommended course an order has that begins one alone,
        until its doses become rare; ``None`` where that has no end, or goes on with what was
        ordered or given before."""
        frequent = order.dosing.frequent_injections()
        first = order.dosing.first_phase(self.g.limits.weekly_interval)
        days = order.dosing.days if first is None else first
        doses = None if days is None or not self._is_alone(order) else _doses_in(order, days)
        if doses is None or not order.ways:
            return None
        known = self.g.file.doses
        injected = known.injections(signs=frequent is not None or bool(self._facts.neurological))
        regimen = injected if order.injected else known.oral_regimen
        return doses / doses_of(regimen, injected=order.injected)

    def _is_alone(self, order: Order) -> bool:
        return not self._begun and all(one is order for one in self._of_b12)

    def next_after(self, order: Order) -> date | None:
        """When the injection is due that follows a first phase, of which nothing else is ordered,
        and nothing says what does."""
        dosing, weekly = order.dosing, self.g.limits.weekly_interval
        first_phase = all(one.is_frequent or one.is_weekly(weekly) for one in dosing.lines)
        over = order.last_day is not None and order.last_day < self._facts.on
        clear = first_phase and self._is_alone(order) and not (dosing.contradicts or over)
        last = dosing.last_dose() if clear else None
        words = (*order.draft.notes, *(it for one in order.draft.dosages for it in one.words))
        if last is None or any(stated_in(one, self.g).goes_on for one in words):
            return None
        later = self.g.file.doses.weekly_injections.phases[-1]
        given = (order.first_day or self._facts.on) + timedelta(days=last)
        return add_months(given, int(later.period))

    def _lacks_doses(self, one: _Part, parts: Sequence[_Part]) -> bool:
        """Whether fewer doses than an order had were recorded in its days, or some as not given."""
        given = sum(it.dose is not None and one.covers(it.day) for it in parts)
        missed = sum(one.covers(it.first) for it in self._facts.therapy.missed)
        days = one.order.dosing.days
        ordered = None if days is None else _doses_in(one.order, days)
        if ordered is None or not (given or missed):
            return False
        return (given or ordered - missed) < ordered

    def _is_scant(self, order: Order, given: Decimal) -> bool:
        return self.g.limits.course_scant.holds(given / self.regimen(order))

    def _began_as_published(self, order: Order, parts: Sequence[_Part]) -> bool:
        """Whether an earlier order of the course is the first phase of a published schedule."""
        return any(
            one.days is None or one.days >= schedule.lasting
            for one in parts
            if one.begun and one.order.draft.source != order.draft.source
            for schedule in self.published(one.order)
        )

    def _parts(self, order: Order) -> list[_Part]:
        """``order``, the drafts next to it, the orders in force and the episode, each once."""
        begun = self._begun
        drafts = list(self._of_b12)
        known = {one.order.draft.source for one in begun} - {""}
        if order.draft.source not in known and not any(one is order for one in drafts):
            drafts.append(order)
        sources = {one.draft.source for one in drafts}
        parts = [
            *(_Part(one, self._facts.on) for one in drafts),
            *(one for one in begun if one.order.draft.source not in sources),
        ]
        return [
            one
            for one in parts
            if one.order is order or not (self._is_confused(one.order) or one.is_aside(order))
        ]

    def _is_confused(self, order: Order) -> bool:
        """Whether its unit was probably confused: it will not be given as it is written."""
        ends = (order.dosing.single_high, order.dosing.day_most)
        limit = self.g.limits.dose_excessive
        return any(one is not None and limit.holds(one) for one in ends)

    @cached_property
    def _begun(self) -> list[_Part]:
        """What the record has of the course: the episode, and orders in force without a date, but
        for those on hold, which give nothing."""
        facts = self._facts
        dated = {one.taken.source for one in facts.therapy.episode}
        undated = [
            one for one in facts.therapy.active if one.source not in dated and not is_held(one)
        ]
        return [
            *(self._taken(one) for one in facts.therapy.episode if not is_held(one.taken)),
            *(_Part(self.order_of(one), None, begun=True) for one in undated),
        ]

    def _taken(self, span: Span) -> _Part:
        """One order, statement or dose of the episode."""
        order = self.order_of(span.taken)
        day = span.begun.first
        if span.given:
            swallowed = span.route in ("oral", "other")
            dose = _Dose(amount_given(span.taken), injected=not swallowed)
            return _Part(order, day, begun=True, dose=dose)
        running = span.taken in self._facts.therapy.running
        lasted = Decimal((span.end - day).days + 1)
        days = lasted if span.ends and not running else None
        return _Part(order, day, days, begun=True, sure=span.ends)

    def share(self, order: Order) -> Decimal | None:
        given = self.given(order)
        return None if given is None else given / self.regimen(order)

    def share_if_signs(self, order: Order) -> Decimal | None:
        """The same of the regimen for neurological signs, where only words tell of one, of a
        deficient child's injections that are enough without it."""
        facts = self._facts
        in_words = facts.perhaps_neurological and not (facts.neurological or facts.inborn)
        given = self.given(order) if in_words and order.injected else None
        if given is None or not self._a.status.deficient:
            return None
        if self._is_scant(order, given) and not self.published(order):
            return None
        regimen = self.g.file.doses.injections(signs=True)
        return given / in_two_weeks(regimen)

    def share_alone(self, order: Order) -> Decimal | None:
        """The same of ``order`` without anything else that is ordered or was given."""
        given = order.dosing.within(TWO_WEEKS, least=True)
        return None if given is None else given / self.regimen(order)

    def in_words(self, order: Order) -> Mapping[str, object]:
        """What is given in two weeks and what the regimen gives, in micrograms."""
        given = self.given(order)
        if given is None:  # it is judged as what begins a treatment in place of another
            given = order.dosing.within(TWO_WEEKS, least=True)
        over, counted = self._facts.therapy.over, say(Orders.all_counted)
        if over is not None and self.leaves_unfinished(order):
            counted = say(Orders.rest_lacking, count=int(over.lacking), last=recorded(over.last))
        return {
            "given": "-" if given is None else shown_dose(given),
            "regimen": shown_dose(self.regimen(order)),
            "counted": counted,
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


def _doses_in(order: Order, days: Decimal) -> Decimal | None:
    """How many doses it gives in so many days."""
    given, single = order.dosing.within(days, least=True), order.dosing.single_high
    return None if given is None or not single else given / single


def _may_be_of_a_day(one: Moment | None, other: Moment | None) -> bool:
    """Whether both are known, and may be of the same day."""
    if one is None or other is None:
        return False
    return one.first <= other.last and other.first <= one.last


def _is_regular(line: Line) -> bool:
    """Whether a line says how much and, in one way, how often."""
    amount = line.high is not None and line.low is not None
    if line.as_needed:
        return False
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


def _fullest(parts: Sequence[_Part], on: date) -> Decimal | None:
    """The most that any two weeks give that have begun."""
    starts = {day for one in parts for day in one.starts() if day <= on} or {on}
    totals = [_in_two_weeks(parts, first) for first in starts]
    known = [one for one in totals if one is not None]
    return max(known) if len(known) == len(totals) else None


def _in_two_weeks(parts: Sequence[_Part], first: date) -> Decimal | None:
    """What all give from ``first`` on; a dose that was given while an order ran is the order's."""
    ordered = given = apart = Decimal(0)
    for one in parts:
        amount = one.within(first)
        if amount is None:
            return None
        if one.dose is None:
            ordered += amount
        else:
            given += amount
            apart += Decimal(0) if any(it.covers(one.day) for it in parts) else amount
    return max(ordered + apart, given)
