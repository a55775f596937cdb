"""How often and how long, in dosage lines of orders being written, in the shapes of any version.

What is written and cannot be understood, or contradicts itself, raises `Unreadable`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import ROUND_CEILING, Decimal

from cds_service.clinical import Schedule
from cds_service.fhir import editions, elements, loose
from cds_service.fhir.elements import Unreadable
from cds_service.fhir.loose import Json

Line = Mapping[str, Json]

# --- how long --------------------------------------------------------------------------------

#: Days in a unit of time, as a fraction so that hours stay exact. A month counts 30 days and a
#: year 365.
_TIME: Mapping[str, tuple[int, int]] = {
    name: fraction
    for names, fraction in (
        ("s second", (1, 86400)),
        ("min minute", (1, 1440)),
        ("h hr hour", (1, 24)),
        ("d day", (1, 1)),
        ("wk week", (7, 1)),
        ("mo month", (30, 1)),
        ("a year", (365, 1)),
    )
    for name in names.split()
}


def _time(*written: str | None) -> tuple[int, int]:
    """What all names known here mean; that must be one unit."""
    plain = [name.strip().lower() for name in written if name]
    found = {_TIME.get(name) or _TIME.get(name.removesuffix("s")) for name in plain} - {None}
    if len(found) != 1:
        raise Unreadable
    return next(filter(None, found))


def in_days(sent: Json) -> Decimal:
    """A Duration, above zero, in days."""
    amount = loose.amount(sent)
    quantity = elements.quantity(amount)
    if amount is None or quantity is None or quantity.comparator or quantity.value <= 0:
        raise Unreadable
    days, of = _time(amount.code, amount.unit)
    return quantity.value * days / of


def _repeat(line: Line) -> Mapping[str, Json]:
    return loose.members(loose.members(line.get("timing")).get("repeat"))


def length(line: Line) -> Decimal | None:
    """The days the line lasts, at most; a period without two whole dates says nothing."""
    repeat = _repeat(line)
    for name in editions.BOUNDS:
        if loose.says_something(repeat.get(name)):
            return in_days(repeat[name])
    if loose.says_something(repeat.get("boundsRange")):
        return in_days(loose.members(repeat["boundsRange"]).get("high"))
    if not loose.says_something(repeat.get("boundsPeriod")):
        return None
    period = loose.period(repeat["boundsPeriod"])
    first, last = elements.start(period), elements.end(period)
    if first is None or last is None or first.first != first.last or last.first != last.last:
        return None
    days = (last.last - first.first).days + 1
    return Decimal(days) if days > 0 else None


def days_between(line: Line) -> tuple[date | None, date | None]:
    """The first day on which it may be given and the last, by its events, else by its bounds."""
    timing = loose.members(line.get("timing"))
    events = [elements.moment(loose.text(one)) for one in loose.many(timing.get("event"))]
    known = [one for one in events if one is not None]
    if known:
        return min(one.first for one in known), max(one.last for one in known)
    period = loose.period(_repeat(line).get("boundsPeriod"))
    first, last = elements.start(period), elements.end(period)
    return first.first if first is not None else None, last.last if last is not None else None


def count(line: Line) -> int | None:
    """How many doses there are in all, at most; without a repetition as many as its events."""
    repeat = _repeat(line)
    counts = [whole(repeat.get(name), least=1) for name in ("count", "countMax")]
    events = loose.many(loose.members(line.get("timing")).get("event"))
    known = [count for count in counts if count is not None]
    return max(known, default=len(events) or None)


def whole(sent: Json, *, least: int) -> int | None:
    given = loose.one(sent)
    if given is None:
        return None
    value = loose.number(given)
    if not least <= value <= 1_000_000 or value != int(value):
        raise Unreadable
    return int(value)


def as_needed(line: Line) -> bool:
    if any(loose.truth(line.get(name)) for name in editions.AS_NEEDED):
        return True
    if any(loose.says_something(line.get(name)) for name in editions.AS_NEEDED_FOR):
        return True
    code = loose.concept(loose.members(line.get("timing")).get("code"))
    codings = () if code is None else (code.coding or ())
    named = [code.text if code is not None else None]
    named += [name for one in codings for name in (one.code, one.display)]
    return any((name or "").replace(".", "").strip().upper() == "PRN" for name in named)


# --- how often -------------------------------------------------------------------------------

_SINGLE = Schedule(Decimal(1), Decimal(1), Decimal(0), Decimal(1))


def schedule(line: Line, doses: int | None) -> Schedule | None:
    """How often, from events, code and repetition, which must not contradict each other.

    A code unknown here next to a repetition only gives it a name. One dose in all is a single
    dose, whatever the rhythm.
    """
    timing = loose.members(line.get("timing"))
    events = _from_events(timing)
    by_code = _from_code(timing.get("code"))
    by_repeat = _from_repeat(loose.members(timing.get("repeat")))
    if events is not None:
        if by_code is not None or by_repeat is not None:
            raise Unreadable
        return events
    if by_code is not None and by_repeat is not None and not _agree(by_code, by_repeat):
        raise Unreadable
    found = by_repeat or by_code
    if doses == 1:
        return _SINGLE
    if found is None and loose.says_something(timing.get("code")):
        raise Unreadable
    return found


def _agree(one: Schedule, other: Schedule) -> bool:
    return (
        bool(one.days) == bool(other.days)
        and one.times * other.days == other.times * one.days
        and one.most_times * other.days == other.most_times * one.days
    )


def _from_events(timing: Mapping[str, Json]) -> Schedule | None:
    """So many doses in the days from the first to the last; one of them is a single dose, and of
    one a day at most each but the last is followed by another."""
    sent = loose.many(timing.get("event"))
    if not sent:
        return None
    dates = []
    for event in sent:
        when = elements.moment(loose.text(event))
        if when is None or when.first != when.last:
            raise Unreadable
        dates.append(when.first)
    if len(dates) == 1:
        return _SINGLE
    number, days = Decimal(len(dates)), (max(dates) - min(dates)).days + 1
    most_a_day = max(dates.count(one) for one in dates)
    if most_a_day == 1:
        number, days = number - 1, days - 1
    return Schedule(number, number, Decimal(days), Decimal(most_a_day))


def _from_repeat(repeat: Mapping[str, Json]) -> Schedule | None:
    """The frequency and the days and times of day it names.

    Days of the week without a frequency mean once on each; so do times of day.
    """
    frequency = _between(repeat.get("frequency"), repeat.get("frequencyMax"))
    period = _between(repeat.get("period"), repeat.get("periodMax"))
    units = [loose.text(loose.one(repeat.get(name))) for name in editions.PERIOD_UNITS]
    week_days = _week_days(repeat.get("dayOfWeek"))
    times_a_day = _times_a_day(repeat)
    if frequency is None and period is None and not any(units):
        if times_a_day is None and not week_days:
            return None
        if times_a_day == 0:
            raise Unreadable
        daily = Decimal(times_a_day or 1)
        return _on_days_of_week(_every((daily, daily), (Decimal(1), Decimal(1)), ["d"]), week_days)
    if period is None:
        raise Unreadable
    schedule = _every(frequency or (Decimal(1), Decimal(1)), period, units)
    if times_a_day and times_a_day != schedule.most_a_day:
        raise Unreadable
    return _on_days_of_week(schedule, week_days)


def _between(one: Json, other: Json) -> tuple[Decimal, Decimal] | None:
    """The lower and the higher of two numbers above zero, of which the second may be missing."""
    given = [
        loose.number(value) for value in (loose.one(one), loose.one(other)) if value is not None
    ]
    if not given:
        return None
    if loose.one(one) is None or not all(Decimal("1e-6") < value < 1_000_000 for value in given):
        raise Unreadable
    return min(given), max(given)


def _every(
    frequency: tuple[Decimal, Decimal], period: tuple[Decimal, Decimal], units: list[str]
) -> Schedule:
    """So often in every period; what is more often than daily counts by the day."""
    (least, most), (shortest, longest) = frequency, period
    days, of = _time(*units)
    if shortest * days <= of:
        times, most_times = least * of / (longest * days), most * of / (shortest * days)
        return Schedule(times, most_times, Decimal(1), _up(most_times))
    length = shortest * days / of
    return Schedule(least * shortest / longest, most, length, _up(most / length))


def _on_days_of_week(schedule: Schedule, week_days: int) -> Schedule:
    """The same on so many days of the week only (0: on any).

    "Once a week" on three named days means once or thrice, depending on who wrote it.
    """
    if not week_days:
        return schedule
    if schedule.days == 1:
        return Schedule(
            schedule.times * week_days,
            schedule.most_times * week_days,
            Decimal(7),
            schedule.most_a_day,
        )
    weeks = schedule.days // 7
    if not weeks:
        raise Unreadable
    most = schedule.most_times
    if schedule.days == 7:
        most = max(most, Decimal(week_days))
    return Schedule(schedule.times, most, schedule.days, _up(most / (week_days * weeks)))


def _up(number: Decimal) -> Decimal:
    return number.to_integral_value(ROUND_CEILING)


_WEEK = frozenset({"mon", "tue", "wed", "thu", "fri", "sat", "sun"})
_time_of_day = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?", re.ASCII).fullmatch
#: HL7's events of the day; those of unnamed meals do not say how many there are.
_MEALS = frozenset({"C", "AC", "PC"})
_EVENTS = _MEALS | {
    "MORN", "MORN.early", "MORN.late", "NOON", "AFT", "AFT.early", "AFT.late", "EVE", "EVE.early",
    "EVE.late", "NIGHT", "PHS", "HS", "WAKE", "CM", "CD", "CV", "ACM", "ACD", "ACV", "PCM", "PCD",
    "PCV",
}  # fmt: skip


def _week_days(sent: Json) -> int:
    """How many different days of the week are named; 0 when none is."""
    named = {loose.text(one).lower() for one in loose.many(sent)}
    if not named <= _WEEK:
        raise Unreadable
    return len(named)


def day_times(line: Line) -> frozenset[str]:
    """The times of the day that are named, by the clock or as HL7's events."""
    repeat = _repeat(line)
    named = (*loose.many(repeat.get("timeOfDay")), *loose.many(repeat.get("when")))
    return frozenset(loose.text(one) for one in named)


def _times_a_day(repeat: Mapping[str, Json]) -> int | None:
    """How many different times of the day are named; 0 for a number of meals no one knows, and
    ``None`` when nothing is stated."""
    clock = {loose.text(one) for one in loose.many(repeat.get("timeOfDay"))}
    events = {loose.text(one) for one in loose.many(repeat.get("when"))}
    if (clock and events) or not all(map(_time_of_day, clock)) or not events <= _EVENTS:
        raise Unreadable
    if events & _MEALS:
        return 0
    return len(clock | events) or None


_ABBREVIATIONS = {
    "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation",
    "http://hl7.org/fhir/v3/GTSAbbreviation",
    "urn:oid:2.16.840.1.113883.5.1022",
}
#: Times in so many days; 0 days for a single dose. Codes of HL7's that mean something else
#: elsewhere ("MO" is also Monday) count only as such.
_CODES = {
    "QD": (1, 1), "BID": (2, 1), "TID": (3, 1), "QID": (4, 1), "QOD": (1, 2),
    "BD": (2, 1), "TDS": (3, 1), "QDS": (4, 1),
}  # fmt: skip
_CODES_OF_HL7 = {"AM": (1, 1), "PM": (1, 1), "BED": (1, 1), "WK": (1, 7), "MO": (1, 30)}
_every_hours = re.compile(r"Q([1-9]\d?)H", re.ASCII).fullmatch
_PHRASES = {
    **{f"{number} {period}": (times, days)
        for times, numbers in (
            (1, ("once", "one time", "1 time")),
            (2, ("twice", "two times", "2 times")),
            (3, ("three times", "3 times", "thrice")),
            (4, ("four times", "4 times")),
        )
        for number in numbers
        for days, periods in (
            (1, ("daily", "a day", "per day", "each day", "every day")),
            (7, ("weekly", "a week", "per week", "each week", "every week")),
            (30, ("monthly", "a month", "per month", "each month", "every month")),
        )
        for period in periods},
    "daily": (1, 1), "every day": (1, 1), "nightly": (1, 1), "at bedtime": (1, 1),
    "every morning": (1, 1), "every evening": (1, 1), "every night": (1, 1),
    "every other day": (1, 2), "every second day": (1, 2), "on alternate days": (1, 2),
    "weekly": (1, 7), "every week": (1, 7), "every other week": (1, 14), "every 2 weeks": (1, 14),
    "monthly": (1, 30), "every month": (1, 30),
    **dict.fromkeys((
        "once", "single dose", "one time only", "one dose", "1 dose", "once only", "stat",
        "einmalig", "einzeldosis", "einmalgabe", "dose unique", "prise unique", "dosis unica",
        "dosis única", "dose unica", "dose única", "una tantum", "dose singola", "eenmalig",
        "enkele dosis", "engangsdosis", "engangsdos", "engangsdose", "kerta-annos", "jednorazowo",
        "jednorázově", "tek doz", "однократно", "単回", "单次",
    ), (1, 0)),
}  # fmt: skip


def _from_code(sent: Json) -> Schedule | None:
    """What the code or its text means; ``None`` when it is missing or not known here."""
    concept = loose.concept(sent)
    if concept is None:
        return None
    found = [_rhythm(concept.text)]
    for coding in concept.coding or ():
        found += [_rhythm(coding.code), _rhythm(coding.display)]
        if coding.system in _ABBREVIATIONS:
            found.append(_of(_CODES_OF_HL7.get(coding.code or "")))
    known = [schedule for schedule in found if schedule is not None]
    if any(not _agree(known[0], other) for other in known):
        raise Unreadable
    return known[0] if known else None


def _rhythm(written: str | None) -> Schedule | None:
    """What an abbreviation or a phrase known here means."""
    plain = " ".join((written or "").replace(".", "").split())
    hours = _every_hours(plain.upper())
    if hours:
        return _every((Decimal(1), Decimal(1)), (Decimal(hours[1]), Decimal(hours[1])), ["h"])
    return _of(_CODES.get(plain.upper()) or _PHRASES.get(plain.lower()))


def _of(rhythm: tuple[int, int] | None) -> Schedule | None:
    if rhythm is None:
        return None
    times, days = map(Decimal, rhythm)
    return _every((times, times), (days, days), ["d"]) if days else _SINGLE
