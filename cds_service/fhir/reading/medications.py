"""Drugs ordered, stated to be taken, handed over, and given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from msgspec import Raw

from cds_service.clinical import (
    IN_FORCE,
    PROHIBITED,
    Code,
    Dose,
    DraftDosage,
    Medication,
    Moment,
    Reason,
)
from cds_service.fhir import editions, elements, loose, wire
from cds_service.fhir.dosages import read_dosages, read_notes
from cds_service.fhir.elements import Unreadable
from cds_service.fhir.gather import UNDECODABLE
from cds_service.fhir.reading.context import Context, source_of, status_of
from cds_service.fhir.reading.products import Product, decode_medication, identity_of
from cds_service.fhir.reading.times import Times


class Undated(Unreadable):
    """A dose given or taken that does not say when; it was understood otherwise."""

    reason: Reason = "date"


Kind = Literal["order", "statement", "dispense", "administration"]


class _Sort(NamedTuple):
    """What a resource is, and where it says when."""

    kind: Kind
    when: Times
    noted: Times
    ended: Times
    planned: Times


def _sort(kind: Kind, of_type: str) -> _Sort:
    parts: tuple[editions.Part, ...] = ("when", "noted", "ended", "planned")
    when, noted, ended, planned = (Times(wire.Drug, of_type, part) for part in parts)
    return _Sort(kind, when, noted, ended, planned)


_ORDER = _sort("order", "MedicationRequest")
_SORTS: Mapping[str | None, _Sort] = {
    "MedicationStatement": _sort("statement", "MedicationStatement"),
    "MedicationDispense": _sort("dispense", "MedicationDispense"),
    "MedicationAdministration": _sort("administration", "MedicationAdministration"),
}
#: Nothing was given or taken, so no one asks when.
_NEVER_WAS = frozenset({"not-done", "not-taken", "entered-in-error", "intended", "draft"})


def read_drug(sent: wire.Drug, context: Context, resource: Raw | bytes) -> tuple[Medication, ...]:
    drug = _product_of(sent, context)
    if sent.do_not_perform:
        if not drug.codes and not drug.text:
            raise Unreadable
        wanted = _status(sent) == PROHIBITED  # else it forbids nothing any more, or not yet
    else:
        wanted = not drug.codes or context.wants(drug.codes)
    return (_medication(sent, drug, context, resource),) if wanted else ()


def _medication(
    sent: wire.Drug, drug: _Identity, context: Context, resource: Raw | bytes
) -> Medication:
    sort, moments = _SORTS.get(sent.resource_type, _ORDER), context.moments
    status = _status(sent)
    begun, ended = sort.when.of(sent, moments)
    authored = begun or ended or sort.noted.begun(sent, moments)
    if sort is not _ORDER and status not in _NEVER_WAS:
        _check_taken(sent, sort, status, authored)
    ended = ended if ended is not begun else sort.ended.ended(sent, moments)
    dosages = sent.dosage_instruction or elements.listed(sent.dosage)
    lines, notes, why = _as_written(sort, status, resource)
    return Medication(
        sort.kind,
        drug.codes,
        drug.text,
        status,
        source_of(sent),
        intent=sent.intent or "",
        authored=authored,
        ended=ended or _planned_end(sort, sent, context, status, dosages),
        doses=tuple(map(_dose, dosages)),
        resource=bytes(resource) if sort is _ORDER else b"",
        dosages=lines,
        unresolved=not drug.resolved,
        notes=notes,
        why=why,
    )


def _check_taken(sent: wire.Drug, sort: _Sort, status: str, authored: Moment | None) -> None:
    """What was given or taken says of what, and when; what is taken now may have begun any day,
    and what was handed over is perhaps taken in any case."""
    if not _names_a_drug(sent):
        raise Unreadable
    undated = sort.kind == "dispense" or (sort.kind, status) == ("statement", "active")
    if authored is None and not undated:
        raise Undated


def _status(sent: wire.Drug) -> str:
    status = status_of(sent)
    if status == "entered-in-error":
        return status
    if sent.do_not_perform and status in IN_FORCE:
        return PROHIBITED
    said = [sent.taken or ""]
    if sent.adherence is not None:
        words = elements.text(sent.adherence.code)
        said += [code.code for code in elements.codes(sent.adherence.code)]
        said.append("-".join(words.lower().split()))
    return next((editions.TAKING[one] for one in said if one in editions.TAKING), status)


# --- which drug ------------------------------------------------------------------------------


def _names_a_drug(sent: wire.Drug) -> bool:
    named = (sent.medication_codeable_concept, sent.medication_reference, sent.medication)
    return named.count(None) < len(named)


class _Identity(NamedTuple):
    """Codes and words for a medication, and whether more than the words of its order name it."""

    codes: tuple[Code, ...] = ()
    text: str = ""
    resolved: bool = True


def _product_of(sent: wire.Drug, context: Context) -> _Identity:
    concept, pointed = sent.medication_codeable_concept, sent.medication_reference
    if concept is None and pointed is None and sent.medication is not None:  # R5
        concept, pointed = sent.medication.concept, _reference_in(sent.medication)
    if concept is not None:
        return _Identity(elements.codes(concept), elements.text(concept))
    if pointed is None:
        return _Identity()
    written, found = pointed.reference or "", None
    if written.startswith("#"):
        found = _contained(sent, written[1:])
    elif written:
        found = context.find_product(written)
    codes, text = found or ((), "")
    return _Identity(codes, text or pointed.display or "", resolved=bool(codes or text))


def _reference_in(medication: wire.MedicationRef) -> wire.Reference:
    inner = medication.reference
    return inner if isinstance(inner, wire.Reference) else wire.Reference(inner)


def _contained(sent: wire.Drug, identity: str) -> Product | None:
    for raw in sent.contained or ():
        product = decode_medication(raw)
        if product is not None and product.id == identity:
            return identity_of(product.code, product.ingredient)
    return None


# --- how much --------------------------------------------------------------------------------

#: Where the amount is in a dosage line itself; a range of them is not read.
_AMOUNTS = tuple(
    wire.attribute(wire.Dosage, name)
    for name in editions.names("", "dose")
    if "." not in name and not name.endswith("Range")
)


def _as_written(
    sort: _Sort, status: str, resource: Raw | bytes
) -> tuple[tuple[DraftDosage, ...], tuple[str, ...], tuple[str, ...]]:
    """All that the lines of an order, or of what is stated to be taken, say, its notes, and why it
    was stopped or is on hold; "the line" is unclear where it says what may change it, or holds a
    number beyond all bounds. Of what never was nothing, of a dose why it was not given."""
    missed = sort.kind == "administration" and status == "not-done"
    if (sort.kind == "administration" or status in _NEVER_WAS) and not missed:
        return (), (), ()
    try:
        members = loose.members(loose.decode(bytes(resource)))
    except UNDECODABLE:
        return () if missed else (DraftDosage(unclear=("the line",)),), (), ()
    if missed:
        return (), (), _reasons(members)
    changed = loose.says_something(members.get("modifierExtension"))
    lines = read_dosages(members, ("the line",) if changed else ())
    return lines, read_notes(members), _reasons(members) if status in _BROKEN_OFF else ()


#: Statuses of what is not taken any more, or not now, and where that is explained: by R4 and R5, or
#: by STU3 and DSTU2.
_BROKEN_OFF = frozenset({"stopped", "cancelled", "on-hold"})
_EXPLAINED = ("statusReason", "reasonNotGiven", "reasonEnded")


def _reasons(members: Mapping[str, loose.Json]) -> tuple[str, ...]:
    """As sent: the text of each, else its display, else its code."""
    said = []
    for reason in (one for name in _EXPLAINED for one in loose.many(members.get(name))):
        try:
            concept = loose.concept(reason)
        except Unreadable:
            continue
        codes = [one.code for one in elements.codes(concept)]
        said.append(elements.text(concept) or next(iter(codes), ""))
    return tuple(dict.fromkeys(filter(None, said)))


def _dose(sent: wire.Dosage) -> Dose:
    if sent.modifier_extension:
        raise Unreadable
    route = elements.first(sent.route)
    amounts = [getattr(sent, name) for name in _AMOUNTS]
    amounts += [dose.dose_quantity for dose in sent.dose_and_rate or ()]
    amount = elements.quantity(next(filter(None, amounts), None))
    return Dose(elements.codes(route), elements.text(route), amount, sent.text or "")


def _planned_end(
    sort: _Sort, sent: wire.Drug, context: Context, status: str, dosages: Sequence[wire.Dosage]
) -> Moment | None:
    """Until when it was ordered; what was stopped was not taken so long."""
    if status == "stopped":
        return None
    return sort.planned.ended(sent, context.moments) or _last_dose(dosages)


def _last_dose(dosages: Sequence[wire.Dosage]) -> Moment | None:
    """When the last dosage line ends, if every line says when it does."""
    ends = [
        elements.end(dosage.timing.repeat.bounds_period)
        if dosage.timing is not None and dosage.timing.repeat is not None
        else None
        for dosage in dosages
    ]
    known = [end for end in ends if end is not None]
    if not known or len(known) < len(ends):
        return None
    return max(known, key=lambda end: end.instant)
