"""What a drafted order gives: the dose, how much a day, how much on average, and by what route.

In micrograms, exactly as far as it can be calculated. Nothing is guessed: what is missing,
unknown or contradictory is a problem that is stated, and what does not depend on it is calculated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from math import ceil
from typing import NamedTuple

from msgspec import Struct

from cds_service.clinical import DraftDosage
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.dosing.amounts import (
    amounts_of,
    per_kg_in_mg,
    scale,
    shown_dose,
    unit_in_full,
)
from cds_service.guidelines.b12_under_two.dosing.lines import (
    Line,
    is_any_astray,
    is_any_spinal,
    line_of,
)
from cds_service.guidelines.b12_under_two.dosing.phases import (
    all_together,
    are_of_one_day,
    as_phases,
    by_turn,
    day_most,
    duration_of,
    for_certain,
    lines_in_turn,
    longest_of,
    most_intensive,
)
from cds_service.guidelines.b12_under_two.dosing.said import (
    excess_in_words,
    held_against_words,
    illegible,
    stated_alone,
)
from cds_service.guidelines.b12_under_two.dosing.ways import ways_of
from cds_service.guidelines.b12_under_two.drugs import Drug, Way
from cds_service.guidelines.b12_under_two.messages import Doubts, Orders
from cds_service.guidelines.b12_under_two.order_words import stated_in
from cds_service.guidelines.b12_under_two.products import LONGEST_NAME
from cds_service.guidelines.engine import Limit
from cds_service.language import Listed, Message, id_of, say


class Frequent(NamedTuple):
    """Injections of one rhythm, for so many days; ``None`` without an end."""

    days: Decimal | None


class Dosing(Struct, frozen=True):
    """A drafted order in micrograms; ``None`` is what cannot be calculated.

    ``single_low`` and ``single_high`` bound the single dose, ``day_most`` is the most known to
    be given on one day, the averages are those of the most intensive line (``None`` when one
    line's is unknown), ``days`` the whole duration. ``ways`` are all routes it may go by: several
    when alternatives are given, or when route and product contradict each other.

    ``per_kg_in_mg``: some dose is written in milligrams or grams per kg. ``needs_weight``: some
    dose is per kg and there is no weight; this alone is not a problem. ``contradicts``: words state
    another dose, rhythm, route or length than the lines have. ``as_needed``: so it is written,
    in structure or words. ``problems`` say what was
    not understood; without any, and with no weight needed, the order was understood whole.
    ``in_words_alone`` is the largest mass that words state where no dose can be read; it is never
    a dose. ``single_least`` is the low end of the largest single dose. ``unnumbered``: its lines
    are read as phases, though they have no sequence. ``if_always`` is the average if every dose
    given as needed is given. ``spinal``: some line is to go into the spinal canal or the brain;
    ``astray``: some line states a route that is not known here.
    """

    lines: tuple[Line, ...]
    single_low: Decimal | None
    single_high: Decimal | None
    day_most: Decimal | None
    average_low: Decimal | None
    average_high: Decimal | None
    days: Decimal | None
    ways: frozenset[Way]
    per_kg_in_mg: bool
    needs_weight: bool
    contradicts: bool
    problems: tuple[Message, ...]
    in_words_alone: Decimal | None = None
    single_least: Decimal | None = None
    as_needed: bool = False
    unnumbered: bool = False
    if_always: Decimal | None = None
    spinal: bool = False
    astray: bool = False

    def within(self, days: Decimal, *, least: bool = False) -> Decimal | None:
        """The most micrograms given in the first ``days`` days, or the least, later lines after
        earlier ones."""
        always, turns = by_turn(self.lines)
        amounts = [line.within(days, least=least) for line in always]
        for turn in turns:
            if days <= 0:
                break
            amounts += [line.within(days, least=least) for line in turn]
            days = (
                days - longest_of(turn) if all(one.days is not None for one in turn) else Decimal(0)
            )
        known = [one for one in amounts if one is not None]
        return sum(known, Decimal(0)) if amounts and len(known) == len(amounts) else None

    def turns(self) -> Iterator[Decimal]:
        """After how many days each later line begins."""
        _, turns = by_turn(self.lines)
        days = Decimal(0)
        for turn in turns[:-1]:
            if any(one.days is None for one in turn):
                return
            days += longest_of(turn)
            yield days

    def between(self, day: int) -> int | None:
        """How many days after a dose of its ``day``, the first of which is 0, the next is due;
        ``None`` where none is, or no one knows, as of what is given as needed."""
        always, turns = by_turn(self.lines)
        until = Decimal(0)
        for lines in turns or [always]:
            until += max([one.lasts or Decimal("Infinity") for one in lines], default=Decimal(0))
            apart = [one.apart for one in lines]
            known = [one for one in apart if one is not None]
            if day < until and len(known) < len(apart):
                return None
            if day < until and day + min(known) < until:
                return min(known)
        return None

    def frequent_injections(self) -> Frequent | None:
        """How long it is injected daily or on alternate days; ``None`` where it is not."""
        return self._injected(lambda one: one.is_frequent)

    def weekly_injections(self, often: Limit) -> Frequent | None:
        """How long it is injected less often than that, and still as ``often`` as a first phase."""
        return self._injected(lambda one: one.is_weekly(often))

    def first_phase(self, often: Limit) -> Decimal | None:
        """The days until doses become rarer than ``often``; ``None`` where they do not, or
        begin so."""
        _, turns = by_turn(self.lines)
        rare = [all(one.is_rare(often) for one in turn) for turn in turns]
        before = turns[: rare.index(True)] if True in rare else []
        if not before or any(one.days is None for turn in before for one in turn):
            return None
        return sum((longest_of(turn) for turn in before), Decimal(0))

    def last_dose(self) -> int | None:
        """How many days after the first dose the last is given, where that is known."""
        if self.days is None:
            return None
        day = 0
        while (days := self.between(day)) is not None:
            day += days
        return day

    def _injected(self, so: Callable[[Line], bool]) -> Frequent | None:
        """How long those lines last that are ``so``."""
        always, turns = by_turn(self.lines)
        groups = [[one for one in group if so(one)] for group in (always, *turns)]
        lines = [one for group in groups for one in group]
        if not lines:
            return None
        if any(one.lasts is None for one in lines):
            return Frequent(None)
        alongside, *in_turn = [
            max((one.lasts for one in group if one.lasts is not None), default=Decimal(0))
            for group in groups
        ]
        return Frequent(max(alongside, sum(in_turn, Decimal(0))))

    def in_words(self) -> Message:
        """The dose for a card: "500 to 1000 micrograms, up to 2000 a day", or mg, or g."""
        low, high, day = self.single_low, self.single_high, self.day_most
        largest = max(high or Decimal(0), day or Decimal(0))
        code, factor = scale(largest)
        unit = unit_in_full(code, largest / factor)
        most = None if day is None else shown_dose(day / factor)
        if high is None:
            return (
                say(Orders.dose_unknown)
                if most is None
                else say(Orders.dose_a_day, day=most, unit=unit)
            )
        several = low is not None and low < high
        ends = [shown_dose(one / factor) for one in (low if low is not None else high, high)]
        if day is None or most is None or day <= high:
            if several:
                return say(Orders.dose_range, low=ends[0], high=ends[1], unit=unit)
            return say(Orders.dose, dose=ends[1], unit=unit)
        if several:
            return say(Orders.dose_range_and_day, low=ends[0], high=ends[1], day=most, unit=unit)
        return say(Orders.dose_and_day, dose=ends[1], day=most, unit=unit)


def first_day(dosages: Sequence[DraftDosage]) -> date | None:
    """The day on which an order begins, where every line says one."""
    return min(_of_every([one.begins for one in dosages]), default=None)


def last_day(dosages: Sequence[DraftDosage]) -> date | None:
    """The last day of an order, where every line says one."""
    return max(_of_every([one.ends for one in dosages]), default=None)


def _of_every(days: Sequence[date | None]) -> list[date]:
    """The days of all lines, where each has one."""
    known = [one for one in days if one is not None]
    return known if len(known) == len(days) else []


def given_until(dosages: Sequence[DraftDosage], dosing: Dosing, since: date | None) -> date | None:
    """The last day on which an order is given: as it is written, or by how long it lasts from the
    day on which it begins, ``since`` where none is written. Not known where words say otherwise."""
    begins, days = first_day(dosages) or since, dosing.days
    written = last_day(dosages)
    if written is not None or begins is None or days is None or dosing.contradicts:
        return written
    return begins + timedelta(days=ceil(days) - 1)


def understand(
    dosages: Sequence[DraftDosage],
    drug: Drug,
    weight_kg: Decimal | None,
    g: Guideline,
    notes: Sequence[str] = (),
) -> Dosing:
    """What ``dosages`` of ``drug`` give a child of ``weight_kg``; ``notes`` are the words of the
    order as a whole."""
    if not any(amount.per_kg for one in dosages for amount in amounts_of(one)):
        weight_kg = None  # it makes no difference: the same order is the same for every child
    words = (*notes, *[text for one in dosages for text in one.words])
    short = all(len(one) <= LONGEST_NAME for one in words)
    read = _understood if short else _understood.__wrapped__
    return read(tuple(dosages), drug, weight_kg, g, tuple(notes))


@lru_cache(maxsize=512)
def _understood(
    dosages: Sequence[DraftDosage],
    drug: Drug,
    weight_kg: Decimal | None,
    g: Guideline,
    notes: Sequence[str],
) -> Dosing:
    dosages = lines_in_turn(dosages, g)
    lines, phases = as_phases(tuple([line_of(one, drug, weight_kg, g) for one in dosages]), dosages)
    singles = [one for line in lines for one in (line.low, line.high) if one is not None]
    average_low, average_high = (all_together if are_of_one_day(dosages, g) else most_intensive)(
        lines
    )
    if_always = average_high
    average_low, average_high = for_certain(lines, average_low, average_high)
    ways = [line.ways for line in lines] or [ways_of(drug)]
    differ, needed = held_against_words(lines, dosages, notes, drug, g)
    alone = stated_alone(lines, dosages)
    problems = [
        *drug.doubts,
        *excess_in_words(alone, g),
        *differ,
        *needed,
        *illegible(dosages, notes, g),
        *phases,
        *(_told(lines) if lines else (_nothing_told(notes, g),)),
    ]
    return Dosing(
        lines,
        min(singles, default=None),
        _largest([line.high for line in lines]),
        day_most(lines),
        average_low,
        average_high,
        duration_of(lines),
        frozenset[Way]().union(*ways),
        per_kg_in_mg(dosages),
        any(line.needs_weight for line in lines),
        bool(differ),
        _quoted_once(tuple(dict.fromkeys(problems))),
        alone,
        _largest([line.low for line in lines]),
        bool(needed) or any(sent.as_needed for sent in dosages),
        bool(phases),
        if_always,
        is_any_spinal(lines),
        is_any_astray(lines, dosages, g),
    )


def _nothing_told(notes: Sequence[str], g: Guideline) -> Message:
    """Of an order without a line: its dose may be in the words of the order as a whole."""
    told = next((one for one in notes if stated_in(one, g).rhythms), "")
    return say(Doubts.dose_in_words, words=told) if told else say(Doubts.no_dose)


def _largest(amounts: Sequence[Decimal | None]) -> Decimal | None:
    return max((one for one in amounts if one is not None), default=None)


def _quoted_once(problems: tuple[Message, ...]) -> tuple[Message, ...]:
    """Without the words of a dose where what they say far too much is stated already."""
    ids = {one.id for one in problems}
    if id_of(Doubts.excess_in_words) not in ids:
        return problems
    return tuple([one for one in problems if one.id != id_of(Doubts.dose_in_words)])


def _told(lines: Sequence[Line]) -> tuple[Message, ...]:
    """The problems of all lines, each once, with the lines it is about unless it is about all."""
    every = dict.fromkeys(problem for line in lines for problem in line.problems)
    told = []
    for problem in every:
        where = [place for place, line in enumerate(lines, 1) if problem in line.problems]
        if len(where) == len(lines):
            told.append(problem)
        elif len(where) == 1:
            told.append(say(Doubts.in_line, problem=problem, line=where[0]))
        else:
            told.append(say(Doubts.in_lines, problem=problem, lines=Listed(tuple(where))))
    return tuple(told)
