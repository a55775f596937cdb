"""The orders being written, from ``context.draftOrders``.

Clients send them as their forms have them: a Bundle without a type, a resource without a Bundle,
orders without intent, status or medication. So nothing is refused: an order that cannot be read at
all is counted, what part of one cannot be understood is named in its dosages, and numbers keep
the digits they were sent with. Whose an order is, codes and units are judged as for the record.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Raw, Struct, structs

from cds_service.clinical import Basket, Draft, DraftDosage, Edition, TestOrder
from cds_service.fhir import elements, loose, wire
from cds_service.fhir.dosages import read_dosages, read_notes
from cds_service.fhir.editions import DRUGS, SUBJECTS, TYPES, edition_of, names
from cds_service.fhir.elements import Moments, Unreadable, last_two_segments
from cds_service.fhir.gather import UNDECODABLE, Answer
from cds_service.fhir.loose import Json
from cds_service.fhir.reading.context import Owner
from cds_service.fhir.reading.ordered_tests import test_order
from cds_service.fhir.reading.products import Product, Products, identity_of, products_in

_T = TypeVar("_T")
_Find: TypeAlias = Callable[[str], Product | None]

_DRUGS = TYPES["MedicationRequest"] - TYPES["MedicationStatement"] - TYPES["MedicationDispense"]
_TESTS = TYPES["ServiceRequest"]
_DATES = tuple(
    dict.fromkeys((*names("MedicationRequest", "when"), *names("ServiceRequest", "when")))
)
_is_id = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII).fullmatch

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_items = msgspec.json.Decoder(list[Raw]).decode
_text = msgspec.json.Decoder(str).decode
#: Characters of words that are read of all orders in a basket: to ask what a text says of drug,
#: amount, rhythm and way takes a third of a second for as many. An ordinary order has a hundred.
WORDS = 100_000
_EMPTY = (b"", b"null", b"{}", b"[]", b'""')


class OpenedBasket(Struct, frozen=True):
    """The resources of ``draftOrders``, decoded once, by date and id; ``unreadable`` counts those
    that cannot be.

    ``sent`` is false when the client sent no basket.
    """

    entries: tuple[Entry, ...] = ()
    unreadable: int = 0
    sent: bool = True


def open_drafts(draft_orders: Raw | bytes | None) -> OpenedBasket:
    """What `referred_medications` and `read_basket` look into."""
    if draft_orders is None or bytes(draft_orders) == b"null":
        return OpenedBasket(sent=False)
    try:
        bundle = _members(draft_orders)
    except UNDECODABLE:
        return OpenedBasket(unreadable=1)
    sent: list[tuple[Raw | bytes, str]] = []
    unreadable = 0
    if "entry" in bundle:
        sent, unreadable = _resources_in(bundle["entry"])
    elif bundle and _text_of(bundle.get("resourceType")) != "Bundle":
        sent = [(draft_orders, "")]
    entries = [_decoded(bytes(resource), address) for resource, address in sent]
    good = [entry for entry in entries if entry is not None]
    good.sort(key=_by_date_and_id)
    return OpenedBasket(tuple(good), unreadable + len(entries) - len(good))


def _by_date_and_id(entry: Entry) -> tuple[float, str, bytes, str]:
    """What is not dated is the latest. No answer may hang on the order in which a form sends its
    orders: of two that are one too many, the later is spoken of."""
    written = (loose.text(entry.members.get(name)) for name in _DATES)
    when = next(filter(None, map(elements.moment, written)), None)
    return when.instant if when else math.inf, entry.id, entry.resource, entry.address


def referred_medications(opened: OpenedBasket) -> tuple[str, ...]:
    """The references, as written, to Medications that the orders name but do not bring along."""
    products = Products(_products_beside(opened.entries))
    found = []
    for entry in opened.entries:
        written = _referred(entry) if entry.kind in _DRUGS else ""
        if written and not written.startswith("#") and products.find(written) is None:
            found.append(written)
    return tuple(dict.fromkeys(found))


def _referred(entry: Entry) -> str:
    try:
        _, pointed = _named_medication(entry.members)
    except Unreadable:
        return ""
    return (pointed.reference or "") if pointed is not None else ""


def read_basket(
    opened: OpenedBasket,
    selections: Sequence[str] | None,
    patient_id: str,
    evidence: Mapping[str, Answer] | None = None,
) -> Basket:
    """The orders in the basket that are this patient's.

    ``selections`` name those that are worked on ("MedicationRequest/1", with or without base and
    version, a bare id, a full URL); without any, or when they name nothing that is there, it is
    all of them. An order that names no patient is in this patient's basket and is taken for
    this patient's: forms may not have filled it in yet. Medications are looked for in the order,
    next to it, and in ``evidence``.
    """
    if not opened.sent:
        return Basket(sent=False)
    entries, unreadable = opened.entries, opened.unreadable
    owner = _owner(entries, patient_id)
    find_product = _finder(entries, evidence or {})
    is_chosen = _chooser(entries, selections or ())
    drafts: dict[bytes, Draft] = {}
    foreign = 0
    room = WORDS
    others: list[Draft] = []
    for entry in entries:
        if entry.kind == "Medication" or entry.resource in drafts:
            continue
        mine = True
        try:
            mine = _is_of(owner, entry)
            foreign += not mine
            draft = _draft(entry, find_product, is_selected=is_chosen(entry))
            draft, room = _with_words_within(room, draft)
        except Unreadable:
            unreadable += mine
            continue
        if mine:
            drafts[entry.resource] = draft
        else:
            others.append(draft)
    return Basket(tuple(drafts.values()), foreign, unreadable, others=tuple(others))


def _with_words_within(room: int, draft: Draft) -> tuple[Draft, int]:
    """The draft with its words where there is room for them, else without and saying so; and the
    room that is left."""
    lines = draft.dosages
    count = sum(map(len, (*draft.notes, *(it for one in lines for it in one.words))))
    if count <= room:
        return draft, room - count
    without = [
        structs.replace(one, text="", beside=(), instructions=(), unclear=(*one.unclear, "words"))
        for one in lines or (DraftDosage(),)
    ]
    return structs.replace(draft, dosages=tuple(without), notes=()), room


def _finder(entries: Sequence[Entry], evidence: Mapping[str, Answer]) -> _Find:
    """Finds a Medication sent with the orders, else in the record."""
    beside = Products(_products_beside(entries))
    elsewhere = Products(pair for answer in evidence.values() for pair in products_in(answer))
    return lambda written: beside.find(written) or elsewhere.find(written)


def _chooser(entries: Sequence[Entry], selections: Sequence[str]) -> Callable[[Entry], bool]:
    """Whether an order is worked on."""
    chosen = {
        name for written in selections for name in (written, "/".join(last_two_segments(written)))
    }
    if not any(chosen & entry.names for entry in entries):
        return lambda entry: True
    return lambda entry: bool(chosen & entry.names)


# --- the Bundle ------------------------------------------------------------------------------


class Entry(Struct, frozen=True):
    """One resource: decoded, as sent, and its full URL ("" without one); its id, and its
    ``source``, "" without an id that a reference can hold."""

    kind: str
    members: Mapping[str, Json]
    resource: bytes
    address: str
    id: str
    source: str

    @property
    def names(self) -> set[str]:
        """All that a selection may call it."""
        return {self.id, self.source, self.address} - {""}


def _resources_in(bundle_entry: Raw) -> tuple[list[tuple[Raw | bytes, str]], int]:
    """Every resource with its full URL; one may come without the entry around it."""
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


def _decoded(resource: bytes, address: str) -> Entry | None:
    try:
        resource.decode()
        members = loose.decode(resource)
    except UNDECODABLE:
        return None
    kind = loose.text(members.get("resourceType")) if isinstance(members, dict) else ""
    if not kind:
        return None
    named = loose.text(members.get("id"))
    source = f"{kind}/{named}" if _is_id(named) else ""
    return Entry(kind, members, resource, address, named, source)


def _products_beside(entries: Sequence[Entry]) -> Iterator[tuple[str, Product]]:
    for entry in entries:
        if entry.kind == "Medication":
            identity = _identity(entry.members.get("code"), entry.members.get("ingredient"))
            for name in (entry.source, entry.address):
                if name:
                    yield name, identity


def _owner(entries: Sequence[Entry], patient_id: str) -> Owner:
    """The patient, who may be in the Bundle too, under an address of its own."""
    own = {one.address for one in entries if one.kind == "Patient" and one.id == patient_id}
    references = {f"Patient/{patient_id}", f"urn:uuid:{patient_id}", *own} - {""}
    return Owner(patient_id, frozenset(references))


def _is_of(owner: Owner, entry: Entry) -> bool:
    """Whether it is this patient's; `Unreadable` when no one can tell which patient it means."""
    named = set()
    for name in SUBJECTS:
        pointed = loose.reference(entry.members[name]) if name in entry.members else None
        if pointed is not None and pointed.reference:
            named.add(owner.is_meant_by(pointed))
    if len(named) > 1 or None in named:
        raise Unreadable
    return False not in named


# --- one order -------------------------------------------------------------------------------


def _draft(entry: Entry, find_product: _Find, *, is_selected: bool) -> Draft:
    sent, modified = entry.members, _modifiers(entry.members)
    kind: Literal["drug", "test", "prohibition", "other"] = "other"
    if loose.one(sent.get("doNotPerform")) in (True, "true"):
        kind = "prohibition" if entry.kind in _DRUGS else "other"
    else:
        kind = "drug" if entry.kind in _DRUGS else "test" if entry.kind in _TESTS else "other"
    if kind == "other" and _holds_an_order(entry):
        raise Unreadable
    product: Product | None = None
    test: TestOrder | None = None
    if kind in ("drug", "prohibition"):
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
        begun=kind not in ("drug", "prohibition") or product is not None,
        codes=codes,
        text=text,
        dosages=read_dosages(sent, modified) if kind in ("drug", "prohibition") else (),
        test=test,
        edition=_edition(entry),
        notes=read_notes(sent) if kind == "drug" else (),
    )


def _holds_an_order(entry: Entry) -> bool:
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
    """The concept as sent and the reference; R5 has both in one member."""
    pointers: list[Json] = []
    for name in [one for one in DRUGS if one in sent]:
        concept, pointer = _concept_or_reference(name, sent[name])
        if loose.says_something(concept):
            return concept, None
        pointers.append(pointer)
    return None, loose.reference(next(filter(loose.says_something, pointers), None))


def _concept_or_reference(name: str, sent: Json) -> tuple[Json, Json]:
    """What the member holds; in a CodeableReference, what has no such form is taken for a
    concept."""
    if name.endswith("CodeableConcept"):
        return sent, None
    if name.endswith("Reference"):
        return None, sent
    given = loose.one(sent)
    if not isinstance(given, dict) or not ("concept" in given or "reference" in given):
        return given, None
    inner = given.get("reference")
    return given.get("concept"), inner if isinstance(inner, dict) else given


def _product(sent: Mapping[str, Json], find_product: _Find) -> Product | None:
    """Codes and words for the medication; neither when it cannot be obtained, ``None`` without
    one."""
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
        found = _contained(sent, written[1:])
    elif written:
        found = find_product(written)
    codes, text = found or ((), "")
    return codes, text or pointed.display or ""


def _contained(sent: Mapping[str, Json], identity: str) -> Product | None:
    found = None
    for inside in loose.many(sent.get("contained")):
        is_drug = isinstance(inside, dict) and inside.get("resourceType") == "Medication"
        if is_drug and loose.text(inside.get("id")) == identity:
            found = _identity(inside.get("code"), inside.get("ingredient"))
    return found


def _identity(called: Json, ingredients: Json = None) -> Product:
    try:
        concept = loose.concept(called)
    except Unreadable:
        concept = None
    return identity_of(concept, ingredients)


def _edition(entry: Entry) -> Edition:
    """The version whose shape it has; `Unreadable` when that is none known here."""
    sent = entry.members
    naming = [
        one for one in sent if one.startswith("medication") and loose.says_something(sent[one])
    ]
    lines = (
        set(line) for line in loose.many(sent.get("dosageInstruction")) if isinstance(line, dict)
    )
    edition = edition_of(entry.kind, naming, lines)
    if edition is None:
        raise Unreadable
    return edition


_WHEN = {"Period": loose.period, "Timing": loose.occurring}
#: The members that say when a test is ordered or due: what `test_order` calls them, and how they
#: are read.
_TIMES_OF_TESTS: Sequence[tuple[str, str, Callable[[Json], object]]] = [
    (wire.attribute(wire.TestOrder, name), name, _WHEN.get(name[-6:], loose.text))
    for name in (*names("ServiceRequest", "when"), *names("ServiceRequest", "due"))
]


def _test(entry: Entry) -> TestOrder:
    """The order as the record would have it; parts that cannot be read are left out."""
    sent = entry.members
    times: dict[str, Any] = {
        member: _readable(read, sent[name])
        for member, name, read in _TIMES_OF_TESTS
        if name in sent
    }
    items = [item for item in loose.many(sent.get("item")) if isinstance(item, dict)]
    return test_order(
        wire.TestOrder(
            resource_type=entry.kind,
            id=entry.id or None,
            status=loose.text(sent.get("status")),
            code=_readable(loose.concept, sent.get("code")),
            item=[wire.OrderedItem(_readable(loose.concept, item.get("code"))) for item in items],
            **times,
        ),
        Moments(),
    )


def _readable(read: Callable[[Json], _T], sent: Json) -> _T | None:
    try:
        return read(sent)
    except Unreadable:
        return None
