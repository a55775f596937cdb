"""What one line of an order gives: the dose, how often, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from math import ceil
from typing import Literal, NamedTuple

from msgspec import Struct

from cds_service.clinical import DoseAmount, DraftDosage, Instruction, Quantity, Schedule, convert
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.dosing.amounts import doses_within
from cds_service.guidelines.b12_under_two.dosing.ways import (
    BY_INJECTION,
    is_spinal,
    route_of_line,
    ways_said,
)
from cds_service.guidelines.b12_under_two.drugs import Drug, Form, Way
from cds_service.guidelines.b12_under_two.messages import Doubts
from cds_service.guidelines.b12_under_two.order_words import is_one_dose
from cds_service.guidelines.b12_under_two.products import form_of
from cds_service.guidelines.engine import Limit
from cds_service.language import Message, say

_NO_STRENGTH = say(Doubts.no_strength)

#: On alternate days: one dose in so many days.
_ALTERNATE = 2
_ONE = Decimal(1)


class Line(Struct, frozen=True):
    """One dosage line in micrograms; ``None`` is what cannot be calculated.

    ``low`` and ``high`` are the ends of a single dose, ``day`` the most on one day,
    ``average_low`` and ``average_high`` what is given a day on average (a single dose counts
    for one day), ``days`` how long it lasts. ``times`` doses are given in every ``span`` days, a
    single dose in 0 (``least_times`` where a range of times is given); ``count`` is how many there
    are in all. What is given ``as_needed`` is calculated as if every dose were. ``spinal``: it is
    to go into the spinal canal or the brain. ``problems`` say why something is ``None``.
    """

    low: Decimal | None = None
    high: Decimal | None = None
    day: Decimal | None = None
    average_low: Decimal | None = None
    average_high: Decimal | None = None
    days: Decimal | None = None
    sequence: int | None = None
    ways: frozenset[Way] = frozenset()
    needs_weight: bool = False
    problems: tuple[Message, ...] = ()
    times: Decimal | None = None
    span: Decimal | None = None
    count: int | None = None
    least_times: Decimal | None = None
    as_needed: bool = False
    spinal: bool = False

    @property
    def is_frequent(self) -> bool:
        """Injected daily or on alternate days, or more often."""
        return (
            bool(self.ways & BY_INJECTION)
            and not self.as_needed
            and self.times is not None
            and bool(self.span)
            and self.times * _ALTERNATE >= (self.span or 0)
        )

    def is_weekly(self, often: Limit) -> bool:
        """Injected less often than on alternate days, and still as ``often`` as a first phase."""
        if self.as_needed or self.is_frequent or not (self.ways & BY_INJECTION):
            return False
        times, span = self.times, self.span
        return bool(times and span) and often.holds((span or _ONE) / (times or _ONE))

    def is_rare(self, often: Limit) -> bool:
        """Given less often than in a first phase."""
        times, span = self.times, self.span
        return bool(times and span) and not often.holds((span or _ONE) / (times or _ONE))

    @property
    def apart(self) -> int | None:
        """The most days from one dose to the next; ``None`` where no one knows, as of a single dose
        and of what is given as needed."""
        times = self.times if self.least_times is None else self.least_times
        if self.as_needed or not times or not self.span:
            return None
        return ceil(self.span / times)

    @property
    def lasts(self) -> Decimal | None:
        """The days until it ends or its doses are used up."""
        used_up = None
        if self.count is not None and self.times and self.span is not None:
            used_up = self.count * self.span / self.times
        return min((one for one in (self.days, used_up) if one is not None), default=None)

    def within(self, days: Decimal, *, least: bool = False) -> Decimal | None:
        """The most micrograms it gives in its first ``days`` days, or what it gives at ``least``:
        the low end of a range, as seldom as it may be."""
        amount, times = (self.low, self.least_times) if least else (self.high, self.times)
        if amount is None or times is None or self.span is None:
            return None
        lasting = days if self.days is None else min(days, self.days)
        doses = doses_within(times, self.span, lasting)
        return amount * (doses if self.count is None else min(doses, self.count))


def is_any_spinal(lines: Iterable[Line]) -> bool:
    return any(line.spinal for line in lines)


def is_any_astray(lines: Sequence[Line], dosages: Sequence[DraftDosage], g: Guideline) -> bool:
    return any(_is_astray(line, one, g) for line, one in zip(lines, dosages, strict=True))


def line_of(dosage: DraftDosage, drug: Drug, weight_kg: Decimal | None, g: Guideline) -> Line:
    ways, route_problem = route_of_line(dosage, drug, g)
    problems = [route_problem] if route_problem else []
    if "the line" in dosage.unclear:
        return Line(sequence=dosage.sequence, ways=ways, problems=(say(Doubts.line_unclear),))
    reckoner = _Reckoner(drug, weight_kg, g, problems)
    low, high = _ends(dosage, reckoner)
    dosed = dosage.low or dosage.high
    problem = _dose_problem(dosage)
    if problem:
        problems.append(problem)
    problems += _not_understood(dosage, g)
    schedule = _schedule(dosage, problems, g, needed=dosed is not None and not dosed.per_day)
    if dosed is not None and dosed.per_day:
        given = _spread(low, high, schedule, problems)
    else:
        given = _given(low, high, schedule)
    if dosage.as_needed:
        problems.append(say(Doubts.as_needed))
    given = _with_maxima(given, dosage, reckoner)
    return Line(
        *given,
        _days(dosage, schedule),
        dosage.sequence,
        ways,
        reckoner.needs_weight,
        tuple(dict.fromkeys(problems)),
        *_rhythm(dosage, schedule),
        dosage.as_needed,
        is_spinal(dosage, g),
    )


def says_more(dosages: Iterable[DraftDosage], g: Guideline) -> bool:
    """Whether something is stated next to a dose that is not understood."""
    return any(not _is_plain(one, g) for line in dosages for one in line.instructions)


def _is_plain(instruction: Instruction, g: Guideline) -> bool:
    return g.codes.plain_instructions.any_of(instruction.codes) is not None


def _not_understood(dosage: DraftDosage, g: Guideline) -> Iterator[Message]:
    """What is stated next to the dose and not known to change nothing: it may end the treatment,
    or name the days on which it is given."""
    if "words" in dosage.unclear:
        yield say(Doubts.words_too_long)
    for one in dosage.instructions:
        if not _is_plain(one, g):
            displays = (code.display or code.code for code in one.codes)
            words = one.text or next(displays, "")
            yield say(Doubts.instruction, words=words) if words else say(Doubts.instruction_empty)


def _rhythm(
    dosage: DraftDosage, schedule: Schedule | None
) -> tuple[Decimal | None, Decimal | None, int | None, Decimal | None]:
    """How often; what is given as needed as often as it may be."""
    if schedule is None:
        return None, None, dosage.count, None
    most = max(schedule.times, schedule.most_times)
    return most, schedule.days, dosage.count, min(schedule.times, schedule.most_times)


def _ends(dosage: DraftDosage, reckoner: _Reckoner) -> tuple[Decimal | None, Decimal | None]:
    """The ends of the dose in micrograms, the lower first."""
    agreed = _agreed_by_type(dosage, reckoner)
    if agreed is not None:
        return agreed
    low, high = (
        reckoner.micrograms(one) if one is not None else None for one in (dosage.low, dosage.high)
    )
    if dosage.by_type is not None and low is not None and high is not None:
        return min(low, high), max(low, high)
    if low is not None and high is not None and low > high:
        reckoner.problems.append(say(Doubts.ends_reversed))
        return high, low
    return low, high


def _agreed_by_type(dosage: DraftDosage, reckoner: _Reckoner) -> tuple[Decimal, Decimal] | None:
    """The ends of a dose that was sent as ordered and as calculated, where both come to the same:
    as ordered, and of a dose by weight as calculated, which is what is drawn up."""
    if dosage.by_type is None:
        return None
    ordered, calculated = dosage.by_type
    found = [reckoner.micrograms(one) for one in (*ordered, *calculated)]
    least, most, lowest, highest = found
    if least is None or most is None or lowest is None or highest is None:
        return None
    if least > highest * _SAME or lowest > most * _SAME:
        return None
    return (lowest, highest) if ordered[1].per_kg else (least, most)


#: How far two statements of one dose may be apart: they were rounded.
_SAME = Decimal("1.1")


def _dose_problem(dosage: DraftDosage) -> Message | None:
    """What is wrong with how the dose is given, if anything is."""
    if "dose" in dosage.unclear:
        return say(Doubts.dose_unclear)
    if dosage.low is None and dosage.high is None:
        in_words = dosage.text and dosage.schedule is None and "timing" not in dosage.unclear
        return say(Doubts.dose_in_words, words=dosage.text) if in_words else say(Doubts.no_dose)
    if dosage.high is None or dosage.low is None:
        return say(Doubts.one_end)
    return None


def _days(dosage: DraftDosage, schedule: Schedule | None) -> Decimal | None:
    """How long the line lasts; a single dose one day."""
    if dosage.days is not None or schedule is None:
        return dosage.days
    if not schedule.days:
        return Decimal(1)
    if dosage.count is None:
        return None
    return dosage.count * schedule.days / schedule.times


class _Reckoner:
    """Turns amounts of one drug for one child into micrograms, and notes why it cannot."""

    def __init__(
        self, drug: Drug, weight_kg: Decimal | None, g: Guideline, problems: list[Message]
    ) -> None:
        self.drug, self.weight_kg, self.g, self.problems = drug, weight_kg, g, problems
        self.needs_weight = False

    def micrograms(self, amount: DoseAmount) -> Decimal | None:
        """Per kg multiplied by the weight; per day still per day."""
        if not amount.value.is_finite() or amount.value <= 0:
            self.problems.append(say(Doubts.not_above_zero, dose=amount.written))
            return None
        if amount.unit is None:
            self.problems.append(say(Doubts.unit_unknown, dose=amount.written))
            return None
        mass = self._of_pieces(amount) if amount.unit == "1" else self._of_unit(amount)
        if not amount.per_kg:
            return mass
        if self.weight_kg is None:
            self.needs_weight = True
            return None
        return None if mass is None else mass * self.weight_kg

    def _of_unit(self, amount: DoseAmount) -> Decimal | None:
        sent = Quantity(amount.value, amount.unit, amount.written)
        mass = convert(sent, "ug")
        volume = convert(sent, "mL") if mass is None else None
        if volume is None and mass is None:
            self.problems.append(say(Doubts.unit_unknown, dose=amount.written))
        if volume is not None:
            if self.drug.per_ml is not None:
                return volume * self.drug.per_ml
            solid = self.drug.form == "tablet"
            wrong = say(Doubts.does_not_fit, dose=amount.written)
            self.problems.append(wrong if solid else _NO_STRENGTH)
        return mass

    def _of_pieces(self, amount: DoseAmount) -> Decimal | None:
        """Pieces of the product's own form, at the strength of one."""
        drug = self.drug
        piece = form_of(amount.thing, self.g) if amount.thing else ""
        if amount.thing and not piece:
            self.problems.append(say(Doubts.unit_unknown, dose=amount.written))
            return None
        if piece == "drop" and drug.per_ml is not None and drug.drops_per_ml is not None:
            return amount.value * drug.per_ml / drug.drops_per_ml
        fit = _fit(piece, drug.form)
        if fit == "counted" and drug.per_unit is not None:
            return amount.value * drug.per_unit
        if fit != "no":
            self.problems.append(_NO_STRENGTH)
        elif not piece and not drug.form:
            self.problems.append(say(Doubts.counts_what, dose=amount.written))
        else:
            self.problems.append(say(Doubts.does_not_fit, dose=amount.written))
        return None


def _fit(piece: Form, form: Form) -> Literal["counted", "possible", "no"]:
    """Whether pieces of a product of this form can be counted, at the strength of one or at
    another; without a ``piece`` a bare number counts what the form is."""
    if not piece:
        return "counted" if form in ("tablet", "spray", "ampoule") else "no"
    if piece == form or (not form and piece in ("tablet", "ampoule")):
        return "counted"
    possible = not form or (form == "liquid" and piece in ("drop", "ampoule"))
    return "possible" if possible else "no"


def _schedule(
    dosage: DraftDosage, problems: list[Message], g: Guideline, *, needed: bool
) -> Schedule | None:
    """The timing, if it can be calculated with; a line of one dose is a single dose, also by its
    words alone, since that can only be too little."""
    schedule = dosage.schedule
    if schedule is not None:
        numbers = (schedule.times, schedule.most_times, schedule.most_a_day)
        if schedule.days >= 0 and all(one > 0 for one in numbers):
            return schedule
        problems.append(say(Doubts.timing_unclear))
        return None
    if "timing" in dosage.unclear:
        problems.append(say(Doubts.timing_unclear))
    elif dosage.count == 1 or (needed and is_one_dose(dosage.words, g)):
        return Schedule(Decimal(1), Decimal(1), Decimal(0), Decimal(1))
    elif needed:
        problems.append(say(Doubts.no_timing))
    return None


class _Given(NamedTuple):
    """The first fields of a `Line`."""

    low: Decimal | None
    high: Decimal | None
    day: Decimal | None
    average_low: Decimal | None
    average_high: Decimal | None


def _given(low: Decimal | None, high: Decimal | None, schedule: Schedule | None) -> _Given:
    """What a dose at each time of ``schedule`` comes to."""
    if schedule is None:
        return _Given(low, high, None, None, None)
    days = schedule.days or Decimal(1)
    return _Given(
        low,
        high,
        None if high is None else high * schedule.most_a_day,
        None if low is None else low * schedule.times / days,
        None if high is None else high * max(schedule.times, schedule.most_times) / days,
    )


def _spread(
    low: Decimal | None, high: Decimal | None, schedule: Schedule | None, problems: list[Message]
) -> _Given:
    """The same for the amount of a day, shared among its times."""
    if schedule is None:
        return _Given(None, None, high, low, high)
    days = schedule.days or Decimal(1)
    if schedule.times % days:
        problems.append(say(Doubts.unequal_days))
        return _Given(None, None, high, None, None)
    times, most = schedule.times / days, max(schedule.times, schedule.most_times) / days
    return _Given(
        None if low is None else low / most,
        None if high is None else high / times,
        high,
        low,
        high,
    )


def _with_maxima(given: _Given, dosage: DraftDosage, reckoner: _Reckoner) -> _Given:
    """With what the "at most" amounts allow.

    They allow more than is ordered, and bound only what is given as needed. A maximum of
    several days says nothing of one day.
    """
    high, day = given.high, given.day
    for amount, days in dosage.maxima:
        most = reckoner.micrograms(amount)
        if most is None:
            continue
        if days is None and not amount.per_day:
            high = most if high is None else max(high, most)
        elif days is None or days <= 1:
            most = most / days if days else most
            bound = min if dosage.as_needed else max
            day = most if day is None else bound(day, most)
    return given._replace(high=high, day=day)


def _is_astray(line: Line, dosage: DraftDosage, g: Guideline) -> bool:
    """Whether a line states a route that is none of those known."""
    stated = bool(dosage.route or dosage.route_text) or "route" in dosage.unclear
    return line.spinal or (stated and not ways_said(dosage, g)[0])
