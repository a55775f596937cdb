"""Dosage lines of orders being written, in the shapes of DSTU2, STU3, R4 and R5.

Whatever is written and cannot be understood is named in `DraftDosage.unclear`: an unknown dose is
never taken for no dose, nor an unknown rhythm for none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import TypeVar

from cds_service.clinical import (
    UNITS,
    Code,
    DoseAmount,
    DoseUnit,
    DraftDosage,
    Schedule,
    dose_unit,
)
from cds_service.fhir import elements, loose, wire
from cds_service.fhir.elements import UCUM, Unreadable
from cds_service.fhir.loose import Json

_T = TypeVar("_T")
_Line = Mapping[str, Json]
_NO_DOSE: tuple[DoseAmount | None, DoseAmount | None] = (None, None)
_NO_ROUTE: tuple[tuple[Code, ...], str] = ((), "")


def read_dosage(sent: Json, unclear: tuple[str, ...] = ()) -> DraftDosage:
    """One dosage line; ``unclear`` is what the whole order says that cannot be understood.

    Text alone is a line without a dose, as many orders have it: nothing about it is unclear.
    """
    if isinstance(sent, str):
        return DraftDosage(text=sent, unclear=unclear)
    if not isinstance(sent, dict):
        return DraftDosage(unclear=_once(unclear, "the line"))
    missed = list(unclear)

    def read(part: str, reader: Callable[[_Line], _T], otherwise: _T) -> _T:
        try:
            return reader(sent)
        except (Unreadable, ArithmeticError):
            missed.append(part)
            return otherwise

    if loose.says_something(sent.get("modifierExtension")):
        missed.append("the line")
    low, high = read("dose", _ends_of_dose, _NO_DOSE)
    route, route_text = read("route", _route, _NO_ROUTE)
    count = read("timing", _count, None)
    return DraftDosage(
        low,
        high,
        schedule=read("timing", lambda line: _schedule(line, count), None),
        route=route,
        route_text=route_text,
        as_needed=read("timing", _as_needed, False),
        days=read("timing", _length, None),
        count=count,
        maxima=read("dose", _maxima, ()),
        sequence=read("timing", lambda line: _whole(line.get("sequence"), least=0), None),
        text=loose.text(sent.get("text")) or loose.text(sent.get("patientInstruction")),
        unclear=_once(tuple(missed)),
    )


def _once(names: tuple[str, ...], *more: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*names, *more)))


# --- how much --------------------------------------------------------------------------------

_QUANTITIES = {"doseQuantity", "doseSimpleQuantity", "dose", "quantity", "quantityQuantity"}
_READ_APART = {"doseRange", "doseAndRate"}
_DOSE_UNIT_SYSTEMS = frozenset(
    {
        "",
        UCUM,
        "https://unitsofmeasure.org",
        "urn:oid:2.16.840.1.113883.6.8",
        "http://terminology.hl7.org/CodeSystem/v3-orderableDrugForm",
        "http://hl7.org/fhir/v3/orderableDrugForm",
        "urn:oid:2.16.840.1.113883.5.85",
    }
)


def _ends_of_dose(line: _Line) -> tuple[DoseAmount | None, DoseAmount | None]:
    """Lowest and highest of all doses on the line: ordered and calculated, simple and ranges.

    A rate makes it an infusion, which is not understood here.
    """
    distinct: dict[object, DoseAmount] = {}
    for part in (line, *map(loose.members, loose.many(line.get("doseAndRate")))):
        found = _range_of_doses(part.get("doseRange"))
        for name, value in part.items():
            if name in _QUANTITIES:
                amount = _dose_amount(value)
                found += [amount] if amount is not None else []
                continue
            strange = name.startswith(("dose", "rate")) and name not in _READ_APART
            if strange and loose.says_something(value):
                raise Unreadable
        for amount in found:
            distinct.setdefault(_measure(amount), amount)
    doses = list(distinct.values())
    if not doses:
        return _NO_DOSE
    if len({_measure(dose)[:-1] for dose in doses}) == 1:
        doses.sort(key=_measure)
    elif len(doses) > 2:
        raise Unreadable
    return doses[0], doses[-1]


def _range_of_doses(sent: Json) -> list[DoseAmount]:
    """Both ends; "up to" a dose is that dose, while "at least" one could be any."""
    given = loose.members(sent)
    if not given:
        return []
    low, high = _dose_amount(given.get("low")), _dose_amount(given.get("high"))
    if high is None:
        raise Unreadable
    return [low, high] if low is not None else [high]


def _measure(amount: DoseAmount) -> tuple[str, bool, bool, Decimal]:
    """What kind of amount it is, and how much of it; doses of one kind can be compared."""
    if amount.unit is None:
        kind, value = f"unknown {amount.written.partition(' ')[2]}", amount.value
    elif amount.unit in UNITS:
        kind, factor = UNITS[amount.unit]
        value = amount.value * factor
    else:
        kind, value = amount.thing, amount.value
    return kind, amount.per_kg, amount.per_day, value


def _dose_amount(sent: Json) -> DoseAmount | None:
    """An amount above zero; a dose of nothing, below or above something is none."""
    amount = loose.amount(sent)
    quantity = elements.quantity(amount)
    if amount is None or quantity is None:
        return None
    if quantity.comparator or quantity.value <= 0:
        raise Unreadable
    unit = _unit(amount)
    written = quantity.written.replace("{", "").replace("}", "")  # "3 pill", as people say it
    if unit is None:
        return DoseAmount(quantity.value, None, written)
    return DoseAmount(quantity.value, unit.unit, written, unit.thing, unit.per_kg, unit.per_day)


_MORE_EXACT = {("pill", "tablet"), ("pill", "capsule")}


def _unit(amount: wire.Amount) -> DoseUnit | None:
    """The code decides, as for results: the text stands in for it, but must not contradict it."""
    by_text = dose_unit(amount.unit) if amount.unit else None
    if not amount.code or (amount.system or "").rstrip("/") not in _DOSE_UNIT_SYSTEMS:
        return by_text
    by_code = dose_unit(amount.code)
    if by_code is None or by_text is None or by_code == by_text:
        return by_code
    for general, exact in ((by_code, by_text), (by_text, by_code)):
        same = DoseUnit(general.unit, exact.thing, general.per_kg, general.per_day) == exact
        if same and (not general.thing or (general.thing, exact.thing) in _MORE_EXACT):
            return exact
    return None


def _maxima(line: _Line) -> tuple[tuple[DoseAmount, Decimal | None], ...]:
    found: list[tuple[DoseAmount, Decimal | None]] = []
    for sent in loose.many(line.get("maxDosePerPeriod")):
        ratio = loose.members(sent)
        amount = _dose_amount(ratio.get("numerator"))
        if amount is None:
            raise Unreadable
        found.append((amount, _days(ratio.get("denominator"))))
    amount = _dose_amount(line.get("maxDosePerAdministration"))
    if amount is not None:
        found.append((amount, None))
    return tuple(found)  # what a whole life may bring says nothing of a dose


def _route(line: _Line) -> tuple[tuple[Code, ...], str]:
    route = loose.concept(line.get("route"))
    return elements.codes(route), elements.text(route)


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


def _days(sent: Json) -> Decimal:
    """A Duration, above zero, in days."""
    amount = loose.amount(sent)
    quantity = elements.quantity(amount)
    if amount is None or quantity is None or quantity.comparator or quantity.value <= 0:
        raise Unreadable
    days, of = _time(amount.code, amount.unit)
    return quantity.value * days / of


def _repeat(line: _Line) -> Mapping[str, Json]:
    return loose.members(loose.members(line.get("timing")).get("repeat"))


def _length(line: _Line) -> Decimal | None:
    """The days the line lasts, at most; a period without two whole dates tells nothing."""
    repeat = _repeat(line)
    for name in ("boundsDuration", "boundsQuantity"):
        if loose.says_something(repeat.get(name)):
            return _days(repeat[name])
    if loose.says_something(repeat.get("boundsRange")):
        return _days(loose.members(repeat["boundsRange"]).get("high"))
    if not loose.says_something(repeat.get("boundsPeriod")):
        return None
    period = loose.period(repeat["boundsPeriod"])
    first, last = elements.start(period), elements.end(period)
    if first is None or last is None or first.first != first.last or last.first != last.last:
        return None
    days = (last.last - first.first).days + 1
    return Decimal(days) if days > 0 else None


def _count(line: _Line) -> int | None:
    """How many doses there are in all, at most."""
    repeat = _repeat(line)
    counts = [_whole(repeat.get(name), least=1) for name in ("count", "countMax")]
    return max((count for count in counts if count is not None), default=None)


def _whole(sent: Json, *, least: int) -> int | None:
    given = loose.one(sent)
    if given is None:
        return None
    value = loose.number(given)
    if not least <= value <= 1_000_000 or value != int(value):
        raise Unreadable
    return int(value)


def _as_needed(line: _Line) -> bool:
    if any(loose.truth(line.get(name)) for name in ("asNeededBoolean", "asNeeded")):
        return True
    names = ("asNeededCodeableConcept", "asNeededFor")
    return any(loose.says_something(line.get(name)) for name in names)


# --- how often -------------------------------------------------------------------------------

_SINGLE = Schedule(Decimal(1), Decimal(1), Decimal(0), Decimal(1))


def _schedule(line: _Line, count: int | None) -> Schedule | None:
    """How often, from events, code and repetition, which must not contradict each other.

    A code unknown here beside a repetition only gives it a name. One dose in all is a single
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
    if count == 1:
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
    """So many doses in the days from the first to the last; one of them is a single dose."""
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
    return Schedule(number, number, Decimal(days), Decimal(most_a_day))


def _from_repeat(repeat: Mapping[str, Json]) -> Schedule | None:
    """The frequency and the days and times of day it names.

    Days of the week without a frequency mean once on each; so do times of day.
    """
    frequency = _between(repeat.get("frequency"), repeat.get("frequencyMax"))
    period = _between(repeat.get("period"), repeat.get("periodMax"))
    units = [loose.text(loose.one(repeat.get(name))) for name in ("periodUnit", "periodUnits")]
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


def _times_a_day(repeat: Mapping[str, Json]) -> int | None:
    """How many different times of the day are named; 0 for a number of meals nobody knows, and
    ``None`` when nothing is said."""
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
    "once": (1, 0), "single dose": (1, 0), "one time only": (1, 0), "stat": (1, 0),
}  # fmt: skip


def _from_code(sent: Json) -> Schedule | None:
    """What the code or its text means; ``None`` when there is none or it is not known here."""
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
