"""How old the child is (table AGE), and the arithmetic of dates."""

from __future__ import annotations

from calendar import monthrange
from datetime import date
from typing import Literal

from msgspec import Struct

from cds_service.clinical import Moment, Patient
from cds_service.guidelines.b12_under_two.data import Limits
from cds_service.guidelines.engine import Limit
from cds_service.guidelines.tables import Reasoning

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


def days_since(moment: Moment, on: date) -> int:
    """Days from the earliest date ``moment`` can mean."""
    return (on - moment.first).days


def is_ahead(moment: Moment, on: date, limits: Limits) -> bool:
    return limits.dated_ahead.holds((moment.first - on).days)


def within(day: date, of: date, window: Limit) -> bool:
    return window.holds(abs((day - of).days))


def read_age(patient: Patient, on: date, limits: Limits, why: Reasoning) -> Age:
    """Children from birth to the day before the second birthday, by the calendar, uncorrected."""
    if why.holds("AGE-01", patient.deceased, "deceased: {}", patient.deceased):
        return Age("AGE-01", covered=False)
    birth = patient.birth
    if birth is None:
        why.holds("AGE-02", True, "no readable date of birth")
        return Age("AGE-02", covered=False)
    if why.holds("AGE-03", birth.first > on, "born {}, evaluated on {}", birth.first, on):
        return Age("AGE-03", covered=False)
    partial = birth.first != birth.last
    oldest = completed_months(birth.first, on)
    youngest = completed_months(min(birth.last, on), on) if partial else oldest
    if not partial:
        silent = not limits.covered_age.holds(oldest)
        if why.holds("AGE-04", silent, "{} completed months", oldest):
            return Age("AGE-04", covered=False, youngest=youngest, oldest=oldest)
        toddler = limits.toddler_age.holds(oldest)
        if why.holds("AGE-05", toddler, "{} completed months", oldest):
            return Age("AGE-05", covered=True, band="toddler", youngest=oldest, oldest=oldest)
        why.holds("AGE-06", True, "{} completed months", oldest)
        return _infant("AGE-06", birth, on, limits, youngest, oldest)
    ends = "between {} and {} completed months (birth date incomplete)"
    silent = not limits.covered_age.holds(youngest)
    if why.holds("AGE-07", silent, ends, youngest, oldest):
        return Age("AGE-07", covered=False, partial=True)
    below = limits.covered_age.holds(oldest)
    same = limits.toddler_age.holds(youngest) == limits.toddler_age.holds(oldest)
    if why.holds("AGE-08", below and same, ends, youngest, oldest):
        if limits.toddler_age.holds(youngest):
            return Age(
                "AGE-08",
                covered=True,
                band="toddler",
                youngest=youngest,
                oldest=oldest,
                partial=True,
            )
        return _infant("AGE-08", birth, on, limits, youngest, oldest)
    if why.holds("AGE-09", below, ends, youngest, oldest):
        infant = _infant("AGE-09", birth, on, limits, youngest, oldest)
        return Age(
            "AGE-09",
            covered=True,
            band="either",
            youngest=youngest,
            oldest=oldest,
            neonate=infant.neonate,
            under_one_month=infant.under_one_month,
            partial=True,
        )
    why.holds("AGE-10", True, ends, youngest, oldest)
    return Age("AGE-10", covered=False, youngest=youngest, oldest=oldest, partial=True)


def _infant(rule: str, birth: Moment, on: date, limits: Limits, youngest: int, oldest: int) -> Age:
    """Newborn flags are set when any possible birth date sets them."""
    return Age(
        rule,
        covered=True,
        band="infant",
        youngest=youngest,
        oldest=oldest,
        neonate=limits.neonate_age.holds((on - min(birth.last, on)).days),
        under_one_month=limits.under_one_month_age.holds(youngest),
        partial=birth.first != birth.last,
    )
