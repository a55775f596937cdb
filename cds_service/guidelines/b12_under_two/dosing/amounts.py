"""Amounts of an order: how they are written and read, and how many doses fall into a time."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import ceil

from cds_service.clinical import UNITS, DoseAmount, DraftDosage, Quantity, convert, dose_unit
from cds_service.guidelines.b12_under_two.messages import Orders
from cds_service.language import Message, say


def scale(micrograms: Decimal) -> tuple[str, Decimal]:
    """The unit in which an amount is shown, and how many micrograms it has: from 10,000 up a
    number of micrograms is misread."""
    for unit, factor in (("g", Decimal(1_000_000)), ("mg", Decimal(1000))):
        if micrograms >= 10 * max(factor, Decimal(1000)) and micrograms.adjusted() <= 20:
            return unit, factor
    return "ug", Decimal(1)


def unit_in_full(code: str, amount: Decimal) -> str | Message:
    """What `scale` chose, as a card writes it after an amount."""
    return say(Orders.in_micrograms, amount=amount) if code == "ug" else code


def in_full(micrograms: Decimal) -> Message:
    """An amount with its unit in full: "1500 micrograms", "1000 mg"."""
    unit, factor = scale(micrograms)
    amount = shown_dose(micrograms / factor)
    if unit == "ug":
        return say(Orders.micrograms, amount=amount)
    return say(Orders.milligrams if unit == "mg" else Orders.grams, amount=amount)


def shown_dose(amount: Decimal, places: int | None = None) -> Decimal | Message:
    """An amount rounded, unless ``places`` are given as far as it can be measured, but never to
    nothing; beyond all sense, where places no longer count, as it is: Decimal refuses to round more
    digits than it calculates with."""
    if amount.adjusted() > 20:
        return amount
    if places is None:
        places = 2 if amount >= 1 else 4
    least = Decimal(1).scaleb(-places)
    return round(amount, places) if amount >= least else say(Orders.less_than, amount=least)


def doses_within(times: Decimal, span: Decimal, days: Decimal) -> int:
    """How many doses fall in the first ``days`` days, the first at once, of ``times`` in every
    ``span`` days; a single dose has a span of 0."""
    return max(1, ceil(times)) if not span else ceil(days * times / span)


def readings_of(number: str) -> tuple[Decimal, ...]:
    """What a number can mean: a comma or a point before three digits may mean thousands."""
    plain = number.replace(",", ".")
    whole, _, rest = plain.partition(".")
    return (Decimal(plain), Decimal(whole + rest)) if len(rest) == 3 else (Decimal(plain),)


def in_micrograms(value: Decimal, unit: str) -> Decimal | None:
    known = dose_unit(unit)
    if known is None or known.per_kg or known.unit not in UNITS:
        return None
    return convert(Quantity(value, known.unit, unit), "ug")


def per_kg_in_mg(dosages: Sequence[DraftDosage]) -> bool:
    return any(amount.per_kg and _is_mg(amount) for one in dosages for amount in amounts_of(one))


def amounts_of(dosage: DraftDosage) -> list[DoseAmount]:
    ends = [one for one in (dosage.low, dosage.high) if one is not None]
    return [*ends, *(amount for amount, _ in dosage.maxima)]


def _is_mg(amount: DoseAmount) -> bool:
    """Whether the unit is a mass of milligrams or more."""
    dimension, factor = UNITS.get(amount.unit or "", ("", Decimal(0)))
    return dimension == "mass" and factor >= 1000
