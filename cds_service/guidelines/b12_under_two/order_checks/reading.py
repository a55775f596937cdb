"""A drafted order and what is understood of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct

from cds_service.clinical import DoseAmount, Draft, Medication
from cds_service.guidelines.b12_under_two.antidote import antidote_facts, is_antidote
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.dosing import (
    Dosing,
    first_day,
    given_until,
    last_day,
    understand,
)
from cds_service.guidelines.b12_under_two.dosing.amounts import (
    in_full,
    scale,
    shown_dose,
    unit_in_full,
)
from cds_service.guidelines.b12_under_two.dosing.lines import Line
from cds_service.guidelines.b12_under_two.drugs import BY_MOUTH, INJECTED, Drug, Kind, Way
from cds_service.guidelines.b12_under_two.giving import stretch
from cds_service.guidelines.b12_under_two.meanings import names_nitrous_oxide
from cds_service.guidelines.b12_under_two.messages import Orders, Texts
from cds_service.guidelines.b12_under_two.products import has_phrase, recognise
from cds_service.guidelines.b12_under_two.tables.order import AntidoteFacts
from cds_service.guidelines.engine import found_once
from cds_service.language import Listed, Message, Sent, Value, Words, say

_IN_WORDS: dict[Way, Message] = {
    "oral": say(Orders.by_mouth),
    "sublingual": say(Orders.under_the_tongue),
    "nasal": say(Orders.into_the_nose),
    "parenteral": say(Orders.by_injection),
    "intramuscular": say(Orders.into_the_muscle),
    "subcutaneous": say(Orders.under_the_skin),
    "intravenous": say(Orders.into_the_vein),
}
#: A draft in one of these states orders nothing (any more).
_DEAD = frozenset({"cancelled", "stopped", "completed", "ended", "entered-in-error", "revoked"})


class Order(Struct, frozen=True, dict=True):
    """A draft of a drug, its drug, and what its writer called it: ``name`` for cards, ``called``
    for the account of an answer.

    Its dosage is understood when first asked for: no one asks for that of another drug.
    ``weight_kg`` is the child's weight to dose by.
    """

    draft: Draft
    drug: Drug
    name: Words
    called: str
    weight_kg: Decimal | None
    g: Guideline

    @found_once
    def first_day(self) -> date | None:
        """The day on which it begins, where every line says one."""
        return first_day(self.draft.dosages)

    @found_once
    def last_day(self) -> date | None:
        return last_day(self.draft.dosages)

    def until(self, since: date | None) -> date | None:
        """The last day on which it is given, where that is known; it is given from ``since`` on
        where no day is written."""
        return given_until(self.draft.dosages, self.dosing, since)

    @found_once
    def kind(self) -> Kind:
        """What it is of; ordered as the antidote of cyanide it is not an order of vitamin B12."""
        return "antidote" if self.drug.kind == "b12" and self._is_antidote else self.drug.kind

    @found_once
    def antidote_facts(self) -> AntidoteFacts:
        return antidote_facts(self.dosing, self.drug, self.draft.dosages, self.weight_kg, self.g)

    @found_once
    def _is_antidote(self) -> bool:
        return is_antidote(self.antidote_facts, self.g)

    @found_once
    def dosing(self) -> Dosing:
        return understand(self.draft.dosages, self.drug, self.weight_kg, self.g, self.draft.notes)

    @found_once
    def ways(self) -> tuple[Way, ...]:
        return tuple(sorted(self.dosing.ways))

    @found_once
    def injected(self) -> bool:
        return not self.dosing.ways.isdisjoint(INJECTED)

    @found_once
    def crushed(self) -> bool:
        """Whether its name or its lines ask to crush or disperse it."""
        said = (self.draft.text, *(one.text for one in self.draft.dosages))
        return any(has_phrase(text, self.g.file.names.crushing) for text in said)

    @found_once
    def is_multivitamin(self) -> bool:
        """Whether it is of all vitamins, by its code or a name: a healthy child's need."""
        if self.g.codes.multivitamin_with_b12.any_of(self.draft.codes) is not None:
            return True
        return self._is_called(self.g.file.names.multivitamin)

    @found_once
    def holds_folic_acid(self) -> bool:
        """Whether a name says so."""
        return self._is_called(self.g.file.names.folic_acid)

    def _is_called(self, phrases: tuple[str, ...]) -> bool:
        names = (self.draft.text, *(one.display for one in self.draft.codes))
        return any(has_phrase(one, phrases) for one in names)

    @property
    def by_mouth(self) -> bool:
        return not self.dosing.ways.isdisjoint(BY_MOUTH)

    @found_once
    def dose_in_words(self) -> Message:
        return self.dosing.in_words()

    @found_once
    def ways_in_words(self) -> Listed | Message:
        ways = tuple([_IN_WORDS[one] for one in self.ways])
        return Listed(ways, "alternative") if ways else say(Orders.no_way)

    @found_once
    def largest(self) -> tuple[Decimal, Message] | None:
        """The amount by which it is too large, in micrograms and in words: the single dose, or
        all of one day where the single dose is not."""
        single, day = self.dosing.single_high, self.dosing.day_most
        suggested = self.g.limits.dose_suggested
        if single is not None and (day is None or suggested.holds(single) or day <= single):
            return single, in_full(single)
        return None if day is None else (day, say(Orders.a_day, dose=in_full(day)))

    @property
    def written(self) -> Value:
        """The doses as they were written."""
        written = dict.fromkeys([Sent(one.written, dose=True) for one in self._ends])
        return Listed(tuple(written), "slash") if written else say(Orders.nothing_written)

    @property
    def _ends(self) -> list[DoseAmount]:
        return [one for line in self.draft.dosages for one in (line.low, line.high) if one]

    @property
    def is_plain(self) -> bool:
        """Whether no dose is written, or every one in the unit in which it is shown: it is read as
        it was written."""
        largest = max(self.dosing.single_high or Decimal(0), self.dosing.day_most or Decimal(0))
        shown, _ = scale(largest)
        return all(one.unit == shown and not one.per_kg for one in self._ends)

    @property
    def reading(self) -> Message:
        """What the doses were taken to mean, and for how long where one line has an end; of steps
        that follow one another each."""
        days = self.dosing.days
        steps = self._steps
        if steps is not None:
            dose, ways = self.dose_in_words, self.ways_in_words
            return say(Orders.reading_steps, dose=dose, steps=steps, ways=ways)
        if len(self.dosing.lines) != 1 or days is None or self._often == say(Orders.once):
            return self._rhythm
        return say(Orders.reading_for, reading=self._rhythm, days=days)

    @property
    def brief(self) -> Message:
        """The dose and how often it is given at first."""
        first = min(self.dosing.lines, key=lambda one: one.sequence or 0, default=None)
        often = None
        if first is not None and first.times is not None and first.span is not None:
            often = _in_a_rhythm(first.times, first.span)
        if often is None:
            return self.dose_in_words
        return say(Orders.brief, dose=self.dose_in_words, often=often)

    @property
    def _steps(self) -> Listed | None:
        """How often and how long, step after step, where all give one dose."""
        lines = sorted(self.dosing.lines, key=lambda one: one.sequence or 0)
        apart = len({one.sequence for one in lines if one.sequence is not None}) == len(lines)
        if len(lines) < 2 or not apart or len({(one.low, one.high) for one in lines}) > 1:
            return None
        steps = [_step(one, later=place > 0) for place, one in enumerate(lines)]
        known = tuple([one for one in steps if one is not None])
        if len(known) < len(steps):
            return None
        if len(known) > _SHOWN and _falls(lines):
            return Listed((known[0], say(Orders.less_often, count=len(known) - 1)))
        return Listed(known)

    @property
    def _rhythm(self) -> Message:
        dose, ways, average = self.dose_in_words, self.ways_in_words, self.dosing.average_high
        single, day = self.dosing.single_high, self.dosing.day_most
        if average is None or (average == day and single is not None and single < day):
            return say(Orders.reading, dose=dose, ways=ways)
        often = self._often
        if average == single == self.dosing.single_low and often != say(Orders.once):
            return say(Orders.reading_daily, dose=dose, ways=ways)
        if often is not None:
            return say(Orders.reading_often, dose=dose, often=often, ways=ways)
        counted = self._counted
        if counted is not None:
            return counted
        code, factor = scale(average)
        daily = shown_dose(average / factor, 1 if average / factor < _ROUND else 0)
        unit = unit_in_full(code, average / factor)
        return say(Orders.reading_on_average, dose=dose, average=daily, unit=unit, ways=ways)

    @property
    def _counted(self) -> Message | None:
        """So many doses in so many days, where one line has no rhythm with a name."""
        (line, *others) = self.dosing.lines
        if others or line.times is None or not line.span or line.times != line.least_times:
            return None
        if line.times <= 1 or line.times != int(line.times) or line.span != int(line.span):
            return None
        dose, ways = self.dose_in_words, self.ways_in_words
        times, days = int(line.times), int(line.span)
        return say(Orders.reading_counted, dose=dose, count=times, days=days, ways=ways)

    @property
    def _often(self) -> Message | None:
        """How often, where its lines say the same and people have words for it."""
        rhythms = {(one.times, one.least_times, one.span) for one in self.dosing.lines}
        times, least, span = rhythms.pop() if len(rhythms) == 1 else (None, None, None)
        if times is None or span is None or times != least:
            return None
        return _in_a_rhythm(times, span)


#: So many steps are shown of a course that is given ever less often, as the regimens are.
_SHOWN = 2


def _falls(lines: Sequence[Line]) -> bool:
    """Whether each line is given less often than the one before."""
    average = [one.average_high for one in lines]
    return all(
        before is not None and after is not None and before > after
        for before, after in pairwise(average)
    )


def _step(line: Line, *, later: bool) -> Message | None:
    """How often and how long one line is given; ``None`` where people have no words for it."""
    if line.times is None or line.span is None or line.times != line.least_times:
        return None
    often = _in_a_rhythm(line.times, line.span)
    if often is None:
        return None
    return stretch(often, None if often == say(Orders.once) else line.days, later=later)


def _in_a_rhythm(times: Decimal, days: Decimal) -> Message | None:
    """So many times in so many days, as people say it; a month counts 30 days."""
    if not days:
        return say(Orders.once) if times == 1 else None
    named = _RHYTHMS.get((times, days))
    if named is not None:
        return named
    if days == 1 and times == int(times):
        return say(Orders.times_daily, times=times)
    if times != 1 or days != int(days):
        return None
    whole = int(days)
    if not whole % _MONTH:
        return say(Texts.interval_months, period=whole // _MONTH)
    if not whole % _WEEK:
        return say(Orders.every_weeks, weeks=whole // _WEEK)
    return say(Orders.every_days, days=whole)


_WEEK, _MONTH = 7, 30
#: From here on an average has no decimal.
_ROUND = 10
_RHYTHMS = {
    (Decimal(times), Decimal(days)): words
    for times, days, words in (
        (1, 1, say(Texts.interval_daily)),
        (2, 1, say(Orders.twice_daily)),
        (1, 2, say(Texts.interval_alternate)),
        (1, 7, say(Texts.interval_weekly)),
        (2, 7, say(Texts.interval_twice_weekly)),
        (3, 7, say(Orders.three_times_weekly)),
        (1, 30, say(Orders.monthly)),
    )
}


def is_live(draft: Draft) -> bool:
    """Whether it orders a drug, or will when it is signed."""
    return draft.kind == "drug" and draft.begun and draft.status not in _DEAD


def is_prohibition(draft: Draft) -> bool:
    """Whether it orders not to give a drug."""
    return draft.kind == "prohibition" and draft.begun and draft.status not in _DEAD


def orders_nitrous_oxide(draft: Draft, g: Guideline) -> bool:
    """Whether it orders the gas, as a drug or as a procedure."""
    if draft.test is not None:
        return names_nitrous_oxide(draft.test.codes, draft.test.text, g)
    return is_live(draft) and names_nitrous_oxide(draft.codes, draft.text, g)


def is_empty(draft: Draft) -> bool:
    """Whether it is an order of a drug that is not chosen yet."""
    return draft.kind == "drug" and not draft.begun


def read_order(draft: Draft, weight_kg: Decimal | None, g: Guideline) -> Order:
    drug = recognise(draft.codes, draft.text, g)
    written = draft.text or next((one.display for one in draft.codes if one.display), "")
    if written:
        return Order(draft, drug, written, written, weight_kg, g)
    if drug.kind == "b12":
        return Order(draft, drug, say(Orders.unnamed_b12), g.file.orders.unnamed_b12, weight_kg, g)
    return Order(draft, drug, say(Orders.unnamed), g.file.orders.unnamed, weight_kg, g)


def as_order(one: Medication, weight_kg: Decimal | None, g: Guideline) -> Order:
    """An order of the record, to be asked what a draft is asked."""
    draft = Draft(
        "drug",
        one.source,
        one.resource,
        status=one.status,
        intent=one.intent,
        codes=one.codes,
        text=one.text,
        dosages=one.dosages,
        notes=one.notes,
    )
    return read_order(draft, weight_kg, g)


def unread(count: int, weight_kg: Decimal | None, g: Guideline) -> Order:
    """Represents ``count`` orders of which nothing could be read."""
    one, several = g.file.orders.unread_order, g.file.orders.unread_orders
    name = say(Orders.unread_order) if count == 1 else say(Orders.unread_orders, count=count)
    called = one if count == 1 else several.format(count=count)
    return Order(Draft("drug", "", b"{}"), Drug("unknown"), name, called, weight_kg, g)
