"""Dosage lines of orders being written, in the shapes of any version: how much, by what way.

Whatever is written and cannot be understood is named in `DraftDosage.unclear`: an unknown dose is
never taken for no dose, nor an unknown rhythm for none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import TypeVar

from cds_service.clinical import (
    UNITS,
    Code,
    DoseAmount,
    DoseUnit,
    DraftDosage,
    Instruction,
    dose_unit,
)
from cds_service.fhir import editions, elements, loose, timings, wire
from cds_service.fhir.elements import UCUM, Unreadable
from cds_service.fhir.loose import Json
from cds_service.fhir.timings import Line

_T = TypeVar("_T")
_LINES = editions.names("", "lines")
_NO_DOSE: tuple[DoseAmount | None, DoseAmount | None] = (None, None)
_NO_ROUTE: tuple[tuple[Code, ...], str] = ((), "")
_NO_DAYS: tuple[date | None, date | None] = (None, None)


def read_dosages(
    sent: Mapping[str, Json], unclear: tuple[str, ...] = ()
) -> tuple[DraftDosage, ...]:
    """The lines of an order, in their sequence where every one has its place in it."""
    lines = next(filter(None, (loose.many(sent.get(name)) for name in _LINES)), [])
    dosages = [read_dosage(line, unclear) for line in lines]
    if unclear and not dosages:
        dosages = [DraftDosage(unclear=unclear)]
    if all(dosage.sequence is not None for dosage in dosages):
        dosages.sort(key=lambda dosage: dosage.sequence or 0)
    return tuple(dosages)


def read_notes(sent: Mapping[str, Json]) -> tuple[str, ...]:
    """The words of an order as a whole: its notes, and its dosage as R5 renders it."""
    notes = [
        loose.text(loose.members(one).get("text")) if isinstance(one, dict) else loose.text(one)
        for one in loose.many(sent.get("note"))
    ]
    return tuple(filter(None, (*notes, loose.text(sent.get("renderedDosageInstruction")))))


def read_dosage(sent: Json, unclear: tuple[str, ...] = ()) -> DraftDosage:
    """One dosage line; ``unclear`` is what the whole order says that cannot be understood.

    Text alone is a line without a dose, as many orders have it: nothing about it is unclear.
    """
    if isinstance(sent, str):
        return DraftDosage(text=sent, unclear=unclear)
    if not isinstance(sent, dict):
        return DraftDosage(unclear=_once(unclear, "the line"))
    key = (repr(sent), unclear)  # every digit and every kind of value
    found = _lines_read.get(key)
    if found is None:
        found = _read_line(sent, unclear)
        if len(key[0]) <= _LONGEST_LINE and _is_short(sent):
            if len(_lines_read) >= _MOST_KEPT:
                _lines_read.clear()
            _lines_read[key] = found
    return found


#: Lines as they were read. Orders are made from a few sets, so most of their lines were in an
#: earlier basket too, and reading them takes a tenth of a call. Longer ones, and those with words
#: longer than a name, which may be about anyone, are read every time.
_lines_read: dict[tuple[str, tuple[str, ...]], DraftDosage] = {}
_MOST_KEPT, _LONGEST_LINE, _LONGEST_WORDS = 512, 800, 100


def _is_short(sent: Json) -> bool:
    """Whether no words in it are longer than a name."""
    waiting: list[Json] = [sent]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and len(value) > _LONGEST_WORDS:
            return False
    return True


def _read_line(sent: Line, unclear: tuple[str, ...]) -> DraftDosage:
    missed = list(unclear)

    def read(part: str, reader: Callable[[Line], _T], otherwise: _T) -> _T:
        try:
            return reader(sent)
        except (Unreadable, ArithmeticError):
            missed.append(part)
            return otherwise

    if loose.says_something(sent.get("modifierExtension")):
        missed.append("the line")
    low, high = read("dose", _ends_of_dose, _NO_DOSE)
    route, route_text = read("route", _route, _NO_ROUTE)
    count = read("timing", timings.count, None)
    instructions = tuple(map(_instruction, _instructions_of(sent)))
    begins, ends = read("timing", timings.days_between, _NO_DAYS)
    words = [loose.text(sent.get("text")), loose.text(sent.get("patientInstruction"))]
    text, *beside = [one for one in words if one] or [""]
    return DraftDosage(
        low,
        high,
        schedule=read("timing", lambda line: timings.schedule(line, count), None),
        route=route,
        route_text=route_text,
        as_needed=read("timing", timings.as_needed, False),
        days=read("timing", timings.length, None),
        count=count,
        maxima=read("dose", _maxima, ()),
        sequence=read("timing", lambda line: timings.whole(line.get("sequence"), least=0), None),
        text=text,
        unclear=_once(tuple(missed)),
        day_times=read("timing", timings.day_times, frozenset()),
        instructions=instructions,
        beside=(*beside, *(one.text for one in instructions if one.text)),
        by_type=read("dose", _ends_by_type, None),
        begins=begins,
        ends=ends,
    )


def _once(names: tuple[str, ...], *more: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*names, *more)))


#: What is stated next to the dose: R4 and STU3, then DSTU2.
_INSTRUCTIONS = ("additionalInstruction", "additionalInstructions")


def _instructions_of(sent: Line) -> list[Json]:
    return [one for name in _INSTRUCTIONS for one in loose.many(sent.get(name))]


def _instruction(sent: Json) -> Instruction:
    """What cannot be read at all is an instruction without words."""
    try:
        concept = loose.concept(sent)
    except Unreadable:
        return Instruction()
    return Instruction(elements.codes(concept), elements.text(concept))


# --- how much --------------------------------------------------------------------------------

#: Where an amount is in a line, or one deeper; what holds one is read apart.
_NAMES = {part for name in editions.names("", "dose") for part in name.split(".")}
_READ_APART = {"doseRange", "doseAndRate"}
_QUANTITIES = {name for name in _NAMES - _READ_APART if not name.endswith("Range")}
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


def _ends_of_dose(line: Line) -> tuple[DoseAmount | None, DoseAmount | None]:
    """Lowest and highest of all doses on the line: ordered and calculated, simple and ranges."""
    return _ends_in((line, *_doses_of(line)))


def _doses_of(line: Line) -> list[Mapping[str, Json]]:
    return [loose.members(one) for one in loose.many(line.get("doseAndRate"))]


def _ends_by_type(
    line: Line,
) -> tuple[tuple[DoseAmount, DoseAmount], tuple[DoseAmount, DoseAmount]] | None:
    """The ends of the dose as ordered and as calculated, where both were sent and say so."""
    ends = []
    for kind in ("ordered", "calculated"):
        low, high = _ends_in([one for one in _doses_of(line) if kind in _types_of(one)])
        if low is None or high is None:
            return None
        ends.append((low, high))
    return ends[0], ends[1]


def _types_of(sent: Mapping[str, Json]) -> set[str]:
    """How the type of a dose is called, in codes and words."""
    concept = loose.concept(sent.get("type"))
    if concept is None:
        return set()
    names = [concept.text, *(it for one in concept.coding or () for it in (one.code, one.display))]
    return {name.strip().lower() for name in names if name}


def _ends_in(parts: Iterable[Mapping[str, Json]]) -> tuple[DoseAmount | None, DoseAmount | None]:
    """Lowest and highest of all doses in these. A rate makes it an infusion, which is not
    understood here."""
    distinct: dict[object, DoseAmount] = {}
    for part in parts:
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
    """The code decides, as for results: the text stands in for it, but must not contradict it.

    A code of another system, or of none and not UCUM's either, is the sender's own: then the text
    alone is read.
    """
    by_text = dose_unit(amount.unit) if amount.unit else None
    if not amount.code or (amount.system or "").rstrip("/") not in _DOSE_UNIT_SYSTEMS:
        return by_text
    by_code = dose_unit(amount.code)
    if by_code is None and not amount.system and not elements.is_ucum(amount.code):
        return by_text
    if by_code is None or by_text is None or by_code == by_text:
        return by_code
    for general, exact in ((by_code, by_text), (by_text, by_code)):
        same = DoseUnit(general.unit, exact.thing, general.per_kg, general.per_day) == exact
        if same and (not general.thing or (general.thing, exact.thing) in _MORE_EXACT):
            return exact
    return None


def _maxima(line: Line) -> tuple[tuple[DoseAmount, Decimal | None], ...]:
    found: list[tuple[DoseAmount, Decimal | None]] = []
    for sent in loose.many(line.get("maxDosePerPeriod")):
        ratio = loose.members(sent)
        amount = _dose_amount(ratio.get("numerator"))
        if amount is None:
            raise Unreadable
        found.append((amount, timings.in_days(ratio.get("denominator"))))
    amount = _dose_amount(line.get("maxDosePerAdministration"))
    if amount is not None:
        found.append((amount, None))
    return tuple(found)  # what a whole life may bring says nothing of a dose


def _route(line: Line) -> tuple[tuple[Code, ...], str]:
    route = loose.concept(line.get("route"))
    return elements.codes(route), elements.text(route)
