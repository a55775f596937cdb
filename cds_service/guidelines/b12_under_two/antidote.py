"""Hydroxocobalamin as the antidote of cyanide, ordered or given: no treatment of a deficiency."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from cds_service.clinical import Dose, DoseAmount, DraftDosage, Medication
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.dosing import Dosing, understand
from cds_service.guidelines.b12_under_two.drugs import Drug
from cds_service.guidelines.b12_under_two.products import recognise
from cds_service.guidelines.b12_under_two.tables.order import AntidoteFacts
from cds_service.guidelines.tables import all_matches

_PER_MG = Decimal(1000)


def antidote_facts(
    dosing: Dosing,
    drug: Drug,
    dosages: Sequence[DraftDosage],
    weight_kg: Decimal | None,
    g: Guideline,
) -> AntidoteFacts:
    """What of an order says whether it is one of the antidote; ``dosing`` is what its
    ``dosages`` come to."""
    low, high = _per_kg(dosing, dosages, drug, weight_kg, g)
    return AntidoteFacts(
        kit=drug.kit,
        substance=drug.substance,
        ways=tuple(sorted(dosing.ways)),
        low=low,
        high=high,
        strength=drug.per_ml / _PER_MG if drug.per_ml is not None else None,
        once=len(dosing.lines) == 1 and (dosing.lines[0].span == 0 or dosing.lines[0].count == 1),
    )


def _per_kg(
    dosing: Dosing,
    dosages: Sequence[DraftDosage],
    drug: Drug,
    weight_kg: Decimal | None,
    g: Guideline,
) -> tuple[Decimal | None, Decimal | None]:
    """The ends of a single dose in milligrams per kilogram."""
    ends = [one for line in dosages for one in (line.low, line.high) if one is not None]
    if ends and all(one.per_kg for one in ends):
        dosing, weight_kg = understand(dosages, drug, Decimal(1), g), Decimal(1)
    if weight_kg is None or dosing.single_low is None or dosing.single_high is None:
        return None, None
    whole = weight_kg * _PER_MG
    return dosing.single_low / whole, dosing.single_high / whole


def is_antidote(facts: AntidoteFacts, g: Guideline) -> bool:
    return bool(all_matches(g.tables.order_antidote, facts).fired)


def was_antidote(one: Medication, weight_kg: Decimal | None, g: Guideline) -> bool:
    """Whether an order or a dose of the record was one of the antidote.

    Orders in force are read like those being written; of what was given, each dose counts as a
    single one.
    """
    drug = recognise(one.codes, one.text, g)
    if drug.kind != "b12" or drug.substance not in ("", "hydroxocobalamin"):
        return False
    dosages = one.dosages or tuple(map(_as_line, one.doses))
    dosing = understand(dosages, drug, weight_kg, g)
    return is_antidote(antidote_facts(dosing, drug, dosages, weight_kg, g), g)


def _as_line(dose: Dose) -> DraftDosage:
    sent = dose.amount
    amount = None if sent is None else DoseAmount(sent.value, sent.unit, sent.written)
    return DraftDosage(amount, amount, route=dose.route, route_text=dose.route_text, count=1)
