"""How old the child is (table AGE), and the arithmetic of dates."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal, Protocol, TypeVar

from msgspec import Struct

from cds_service.clinical import Moment, Patient
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.b12_under_two.tables.age import AgeFacts
from cds_service.guidelines.tables import Reasoning
from cds_service.language import Dated


class _Dated(Protocol):
    @property
    def when(self) -> Moment: ...


_Timed = TypeVar("_Timed", bound=_Dated)

Band = Literal["infant", "toddler", "either"]


class Age(Struct, frozen=True):
    """``youngest`` and ``oldest`` are completed months; they differ for a partial birth date."""

    rule: str
    covered: bool
    band: Band | None = None
    youngest: int = 0
    oldest: int = 0
    neonate: bool = False
    under_one_month: bool = False
    partial: bool = False


def add_months(day: date, months: int) -> date:
    """``months`` later, the day clamped to the month's end (31 January + 1 month: 28 February)."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if day.day <= 28:  # every month has it; to ask the calendar takes five times as long
        return date(year, month + 1, day.day)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def completed_months(birth: date, on: date) -> int:
    """Whole months from ``birth`` to ``on``; someone born on the 31st completes one on the 28th
    of February."""
    months = (on.year - birth.year) * 12 + on.month - birth.month
    return months if on >= add_months(birth, months) else months - 1


def recorded(when: Moment) -> date | Dated:
    """The day, or as much as is recorded of it."""
    return Dated(when.first, when.last) if when.is_partial else when.last


def whole_day(day: date) -> Moment:
    return Moment(day, day, 0.0)


def days_since(moment: Moment, on: date) -> int:
    """Days from the earliest date ``moment`` can mean: what is within a window by these is so
    whatever its date."""
    return (on - moment.first).days


def fewest_days_since(moment: Moment, on: date) -> int:
    """Days from the latest date ``moment`` can mean, up to today: what is within a window by these
    may be."""
    return (on - max(min(moment.last, on), moment.first)).days


def apart_at_least(one: Moment, other: Moment) -> int:
    """Days between two moments as far as they may be near each other."""
    return max((other.first - one.last).days, (one.first - other.last).days, 0)


def apart_at_most(one: Moment, other: Moment) -> int:
    return max((other.last - one.first).days, (one.last - other.first).days)


def worst_of_the_newest(
    found: Sequence[_Timed], worse: Callable[[_Timed], tuple[Decimal, ...]]
) -> list[_Timed]:
    """Newest first; of those of which any may be the newest the worst, and of two of one time."""
    ordered = sorted(found, key=lambda one: -one.when.instant)
    if len(ordered) < 2:
        return ordered
    newest = max(ordered, key=lambda one: one.when.first).when
    may_be = [one for one in ordered if one.when.may_be_as_late_as(newest)]
    rest = [one for one in ordered if not one.when.may_be_as_late_as(newest)]
    return [*sorted(may_be, key=worse), *rest]


def is_ahead(moment: Moment, on: date, limits: Limits) -> bool:
    return limits.dated_ahead.holds((moment.first - on).days)


def read_age(patient: Patient, on: date, g: Guideline, why: Reasoning) -> Age:
    """The child's age and what follows from it, from the table AGE."""
    limits, birth = g.limits, patient.birth
    if birth is None or patient.deceased or birth.first > on:
        day: Literal["by today", "after today"] | None = None
        if birth is not None:
            day = "after today" if birth.first > on else "by today"
        asked = AgeFacts(deceased=patient.deceased, birth=day)
        return Age(why.first(g.tables.age, asked).rule, covered=False)
    partial = birth.first != birth.last
    latest = min(birth.last, on)
    oldest = completed_months(birth.first, on)
    youngest = completed_months(latest, on) if partial else oldest
    asked = AgeFacts(birth="by today", partial=partial, youngest=youngest, oldest=oldest)
    match = why.first(g.tables.age, asked)
    if not match.result:
        too_old = match.rule == "AGE-07"  # whatever its age, which is not shown then
        return Age(
            match.rule,
            covered=False,
            youngest=0 if too_old else youngest,
            oldest=0 if too_old else oldest,
            partial=partial,
        )
    band = _band(youngest, oldest, limits)
    infant = band != "toddler"
    return Age(
        match.rule,
        covered=True,
        band=band,
        youngest=youngest,
        oldest=oldest,
        # a newborn when any possible birth date makes it one
        neonate=infant and limits.neonate_age.holds((on - latest).days),
        under_one_month=infant and limits.under_one_month_age.holds(youngest),
        partial=partial,
    )


def _band(youngest: int, oldest: int, limits: Limits) -> Band:
    toddlers = {limits.toddler_age.holds(months) for months in (youngest, oldest)}
    if len(toddlers) > 1:
        return "either"
    return "toddler" if toddlers.pop() else "infant"
