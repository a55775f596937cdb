"""The orders being written, from ``context.draftOrders``.

Clients send them as their forms have them: a Bundle without a type, a resource without a Bundle,
orders without intent, status or medication. So nothing is refused: an order that cannot be read at
all is counted, what part of one cannot be understood is named in its dosages, and numbers keep
the digits they were sent with. Whose an order is, codes and units are judged as for the record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import Raw

from cds_service.clinical import Basket, Draft, DraftDosage, TestOrder
from cds_service.fhir import elements, loose, wire
from cds_service.fhir.dosages import read_dosage
from cds_service.fhir.elements import Unreadable
from cds_service.fhir.gather import TYPES, UNDECODABLE, Answer
from cds_service.fhir.loose import Json
from cds_service.fhir.reading import (
    Owner,
    Product,
    Products,
    last_two_segments,
    products_in,
    test_order,
)

_Find: TypeAlias = Callable[[str], Product | None]

_DRUGS = TYPES["MedicationRequest"] - TYPES["MedicationStatement"]
_TESTS = TYPES["ServiceRequest"]

#: Without one of these members no order refers to a Medication ("medication" in R5).
_POINTERS = (b'"medicationReference"', b'"medication"')
_DOSES_OF_STU3 = {"doseQuantity", "doseRange", "doseSimpleQuantity"}
_is_id = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII).fullmatch

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_items = msgspec.json.Decoder(list[Raw]).decode
_text = msgspec.json.Decoder(str).decode
_EMPTY = (b"", b"null", b"{}", b"[]", b'""')


def read_basket(
    draft_orders: Raw | bytes | None,
    selections: Sequence[str] | None,
    patient_id: str,
    evidence: Mapping[str, Answer] | None = None,
) -> Basket:
    """The orders in ``draft_orders`` that are this patient's.

    ``selections`` name those that are worked on ("MedicationRequest/1", with or without base and
    version, a bare id, a full URL); without any, or when they name nothing that is there, it is
    all of them. An order that names no patient stands in this patient's basket and is taken for
    this patient's: forms may not have filled it in yet. Medications are looked for in the order,
    beside it, and in ``evidence``.
    """
    if draft_orders is None or bytes(draft_orders) == b"null":
        return Basket(sent=False)
    entries, unreadable = _open(draft_orders)
    owner = _owner(entries, patient_id)
    beside = Products(_products_beside(entries))
    elsewhere = Products(
        pair for answer in (evidence or {}).values() for pair in products_in(answer)
    )

    def find_product(written: str) -> Product | None:
        return beside.find(written) or elsewhere.find(written)

    chosen = {
        name
        for written in selections or ()
        for name in (written, "/".join(last_two_segments(written)))
    }
    is_all = not any(chosen & entry.names for entry in entries)
    drafts: dict[bytes, Draft] = {}
    foreign = 0
    for entry in entries:
        if entry.kind == "Medication" or entry.resource in drafts:
            continue
        try:
            if not _is_of(owner, entry):
                foreign += 1
                continue
            draft = _draft(entry, find_product, is_selected=is_all or bool(chosen & entry.names))
        except Unreadable:
            unreadable += 1
            continue
        drafts[entry.resource] = draft
    return Basket(tuple(drafts.values()), foreign, unreadable)


def referred_medications(draft_orders: Raw | bytes | None) -> tuple[str, ...]:
    """The references, as written, to Medications that the orders name but do not bring along."""
    if draft_orders is None or not any(name in bytes(draft_orders) for name in _POINTERS):
        return ()
    entries, _ = _open(draft_orders)
    products = Products(_products_beside(entries))
    found = []
    for entry in entries:
        if entry.kind in _DRUGS:
            try:
                pointed = _named_medication(entry.members)[1]
            except Unreadable:
                continue
            written = pointed.reference if pointed is not None else None
            if written and not written.startswith("#") and products.find(written) is None:
                found.append(written)
    return tuple(dict.fromkeys(found))


# --- the Bundle ------------------------------------------------------------------------------


class _Entry(NamedTuple):
    """One resource: decoded, as sent, and its full URL ("" without one)."""

    kind: str
    members: Mapping[str, Json]
    resource: bytes
    address: str

    @property
    def id(self) -> str:
        return loose.text(self.members.get("id"))

    @property
    def source(self) -> str:
        """ "" without an id that can stand in a reference."""
        return f"{self.kind}/{self.id}" if _is_id(self.id) else ""

    @property
    def names(self) -> set[str]:
        """All that a selection may call it."""
        return {self.id, self.source, self.address} - {""}


def _open(draft_orders: Raw | bytes) -> tuple[list[_Entry], int]:
    """The resources, and how many there were that cannot be read."""
    try:
        bundle = _members(draft_orders)
    except UNDECODABLE:
        return [], 1
    if "entry" not in bundle:
        kind = _text_of(bundle.get("resourceType"))
        sent = [] if kind == "Bundle" or not bundle else [(draft_orders, "")]
        unreadable = 0
    else:
        sent, unreadable = _resources_in(bundle["entry"])
    entries = []
    for resource, address in sent:
        entry = _decoded(bytes(resource), address)
        if entry is not None:
            entries.append(entry)
        else:
            unreadable += 1
    return entries, unreadable


def _resources_in(bundle_entry: Raw) -> tuple[list[tuple[Raw | bytes, str]], int]:
    """Every resource with its full URL; one may stand without the entry around it."""
    found: list[tuple[Raw | bytes, str]] = []
    unreadable = 0
    for item in _listed(bundle_entry):
        try:
            entry = _members(item)
        except UNDECODABLE:
            unreadable += 1
            continue
        address = _text_of(entry.get("fullUrl"))
        inside = _listed(entry["resource"]) if "resource" in entry else []
        if "resourceType" in entry:
            inside = [item]
        unreadable += not inside and bool(address)
        found += [(resource, address) for resource in inside]
    return found, unreadable


def _listed(sent: Raw) -> list[Raw]:
    """The items of an array, without empty ones; any other value is the only item."""
    try:
        items = _items(sent)
    except UNDECODABLE:
        items = [sent]
    return [item for item in items if bytes(item) not in _EMPTY]


def _text_of(sent: Raw | None) -> str:
    try:
        return _text(sent) if sent else ""
    except UNDECODABLE:
        return ""


def _decoded(resource: bytes, address: str) -> _Entry | None:
    try:
        resource.decode()
        members = loose.decode(resource)
    except UNDECODABLE:
        return None
    kind = loose.text(members.get("resourceType")) if isinstance(members, dict) else ""
    return _Entry(kind, members, resource, address) if kind else None


def _products_beside(entries: Sequence[_Entry]) -> Iterator[tuple[str, Product]]:
    for entry in entries:
        if entry.kind == "Medication":
            identity = _identity(entry.members.get("code"))
            for name in (entry.source, entry.address):
                if name:
                    yield name, identity


def _owner(entries: Sequence[_Entry], patient_id: str) -> Owner:
    """The patient, who may be in the Bundle too, under an address of its own."""
    own = {one.address for one in entries if one.kind == "Patient" and one.id == patient_id}
    references = {f"Patient/{patient_id}", f"urn:uuid:{patient_id}", *own} - {""}
    return Owner(patient_id, frozenset(references))


def _is_of(owner: Owner, entry: _Entry) -> bool:
    """Whether it is this patient's; `Unreadable` when nobody can tell whom it means."""
    named = set()
    for name in ("subject", "patient"):
        pointed = loose.reference(entry.members.get(name))
        if pointed is not None and pointed.reference:
            named.add(owner.is_meant_by(pointed))
    if len(named) > 1 or None in named:
        raise Unreadable
    return False not in named


# --- one order -------------------------------------------------------------------------------


def _draft(entry: _Entry, find_product: _Find, *, is_selected: bool) -> Draft:
    sent, modified = entry.members, _modifiers(entry.members)
    kind: Literal["drug", "test", "other"] = "other"
    if loose.one(sent.get("doNotPerform")) not in (True, "true"):
        kind = "drug" if entry.kind in _DRUGS else "test" if entry.kind in _TESTS else "other"
    if kind == "other" and _holds_an_order(entry):
        raise Unreadable
    product: Product | None = None
    test: TestOrder | None = None
    if kind == "drug":
        product = _product(sent, find_product)
    elif kind == "test":
        test = _test(entry)
        product = (test.codes, test.text)
        if modified:
            test = None
    codes, text = product or ((), "")
    return Draft(
        kind,
        entry.source,
        entry.resource,
        selected=is_selected,
        status=loose.text(sent.get("status")),
        intent=loose.text(sent.get("intent")),
        begun=kind != "drug" or product is not None,
        codes=codes,
        text=text,
        dosages=_dosages(sent, modified) if kind == "drug" else (),
        test=test,
        edition=_edition(entry),
    )


def _holds_an_order(entry: _Entry) -> bool:
    """Whether a drug may be ordered inside: in a Bundle, or contained in a group of requests."""
    if entry.kind == "Bundle":
        return bool(loose.many(entry.members.get("entry")))
    return any(
        isinstance(one, dict) and loose.text(one.get("resourceType")) in _DRUGS
        for one in loose.many(entry.members.get("contained"))
    )


def _modifiers(sent: Mapping[str, Json]) -> tuple[str, ...]:
    """ "the line" when something unknown here may change what the order means."""
    if any(loose.says_something(sent.get(name)) for name in ("modifierExtension", "implicitRules")):
        return ("the line",)
    try:
        loose.truth(sent.get("doNotPerform"))
    except Unreadable:
        return ("the line",)
    return ()


def _named_medication(
    sent: Mapping[str, Json],
) -> tuple[Json, wire.Reference | None]:
    """The concept as sent and the reference; R5 has both in ``medication``."""
    concepts, pointers = [sent.get("medicationCodeableConcept")], [sent.get("medicationReference")]
    medication = loose.one(sent.get("medication"))
    if isinstance(medication, dict) and ("concept" in medication or "reference" in medication):
        concepts.append(medication.get("concept"))
        inner = medication.get("reference")
        pointers.append(inner if isinstance(inner, dict) else medication)
    else:
        concepts.append(medication)
    concept = next(filter(loose.says_something, concepts), None)
    if concept is not None:
        return concept, None
    return None, loose.reference(next(filter(loose.says_something, pointers), None))


def _product(sent: Mapping[str, Json], find_product: _Find) -> Product | None:
    """Codes and words for the medication; neither when it cannot be had, ``None`` without one."""
    try:
        concept, pointed = _named_medication(sent)
    except Unreadable:
        return (), ""
    if concept is not None:
        return _identity(concept)
    if pointed is None:
        return None
    written, found = pointed.reference or "", None
    if written.startswith("#"):
        for contained in loose.many(sent.get("contained")):
            if (
                isinstance(contained, dict)
                and contained.get("resourceType") == "Medication"
                and loose.text(contained.get("id")) == written[1:]
            ):
                found = _identity(contained.get("code"))
    elif written:
        found = find_product(written)
    codes, text = found or ((), "")
    return codes, text or pointed.display or ""


def _identity(sent: Json) -> Product:
    try:
        concept = loose.concept(sent)
    except Unreadable:
        return (), ""
    return elements.codes(concept), elements.text(concept)


def _dosages(sent: Mapping[str, Json], modified: tuple[str, ...]) -> tuple[DraftDosage, ...]:
    """The lines, in their sequence where every one has its place in it."""
    lines = loose.many(sent.get("dosageInstruction")) or loose.many(sent.get("dosage"))
    dosages = [read_dosage(line, modified) for line in lines]
    if modified and not dosages:
        dosages = [DraftDosage(unclear=modified)]
    if all(dosage.sequence is not None for dosage in dosages):
        dosages.sort(key=lambda dosage: dosage.sequence or 0)
    return tuple(dosages)


def _edition(entry: _Entry) -> Literal["R4", "STU3", "DSTU2"]:
    """By its type and, for MedicationRequest, by where a dose stands."""
    if entry.kind in ("MedicationOrder", "DiagnosticOrder"):
        return "DSTU2"
    if entry.kind == "ProcedureRequest":
        return "STU3"
    if entry.kind == "MedicationRequest":
        for line in loose.many(entry.members.get("dosageInstruction")):
            parts = set(line) if isinstance(line, dict) else set()
            if "doseAndRate" not in parts and parts & _DOSES_OF_STU3:
                return "STU3"
    return "R4"


def _test(entry: _Entry) -> TestOrder:
    """The order as the record would have it; parts that cannot be read are left out."""
    sent = entry.members

    def concept(value: Json) -> wire.Concept | None:
        try:
            return loose.concept(value)
        except Unreadable:
            return None

    def period(value: Json) -> wire.Period | None:
        try:
            return loose.period(value)
        except Unreadable:
            return None

    return test_order(
        wire.TestOrder(
            resource_type=entry.kind,
            id=entry.id or None,
            status=loose.text(sent.get("status")),
            code=concept(sent.get("code")),
            item=[
                wire.OrderedItem(concept(item.get("code")))
                for item in loose.many(sent.get("item"))
                if isinstance(item, dict)
            ],
            occurrence_date_time=loose.text(sent.get("occurrenceDateTime")),
            occurrence_period=period(sent.get("occurrencePeriod")),
            scheduled_date_time=loose.text(sent.get("scheduledDateTime")),
            scheduled_period=period(sent.get("scheduledPeriod")),
            authored_on=loose.text(sent.get("authoredOn")),
            ordered_on=loose.text(sent.get("orderedOn")),
        )
    )
