"""A Bundle with a patient's whole record, sorted into answers to what a guideline needs.

The opposite of asking a server: everything there is has come, so a need that nothing in the
Bundle answers is known to be empty, not unknown. Only a Bundle that says it is one page of
several leaves the rest unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import msgspec
from msgspec import Raw, Struct

from cds_service.clinical import Need
from cds_service.errors import BadRequest
from cds_service.fhir import elements, wire
from cds_service.fhir.editions import MEDICATION_KINDS, TYPES
from cds_service.fhir.gather import UNDECODABLE

#: Bundles that hold resources as they are now; others report on calls or on the past.
_RECORDS = frozenset({"collection", "transaction", "batch", "searchset", "document"})


class _Link(Struct):
    relation: str | None = None
    url: str | None = None


class _Entry(Struct, rename="camel"):
    resource: Raw = Raw()
    full_url: str | None = None


class _Bundle(Struct, rename="camel"):
    resource_type: str | None = None
    type: str | None = None
    timestamp: str | None = None
    link: list[_Link] | None = None
    entry: list[_Entry] | None = None


class _Identity(Struct, rename="camel"):
    resource_type: str | None = None
    id: str | None = None


_bundle = msgspec.json.Decoder(_Bundle).decode
_identity = msgspec.json.Decoder(_Identity).decode
_list = msgspec.json.Decoder(list[Raw]).decode
_document = msgspec.json.Decoder(Raw).decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_about = msgspec.json.Decoder(wire.SubjectOnly).decode
_code_only = msgspec.json.Decoder(wire.CodeOnly).decode
_components = msgspec.json.Decoder(list[wire.CodeOnly]).decode
_encode = msgspec.json.encode


class Entry(Struct, frozen=True):
    """One resource as sent, with its full URL ("" without one)."""

    kind: str
    resource: Raw
    address: str


class RecordBundle(Struct, frozen=True):
    """``patients`` are the ids of all patients in it, ``written`` the date of its timestamp.

    ``pages`` are its links to further pages, if it is a search result with more to come.
    """

    type: str
    entries: tuple[Entry, ...]
    patients: tuple[str, ...]
    written: date | None
    pages: tuple[Mapping[str, str], ...] = ()

    def answers(self, needs: Sequence[Need], patient_id: str) -> dict[str, Raw]:
        """For every need what a client would have sent as its prefetch, about this patient."""
        sorted_out: dict[str, list[Entry]] = {need.key: [] for need in needs}
        others = {f"Patient/{one}" for one in self.patients if one != patient_id}
        elsewhere = [one for one in self.entries if one.kind == "Patient" and one.address]
        others |= {one.address for one in elsewhere if _id_in(one) != patient_id}
        for entry in self.entries:
            if others and _subject(entry.resource) in others:
                continue
            for key in _keys(entry, needs, patient_id):
                sorted_out[key].append(entry)
        return {key: self._page(found) for key, found in sorted_out.items()}

    def _page(self, found: Sequence[Entry]) -> Raw:
        if not found and not self.pages:
            return Raw(b"null")
        page: dict[str, object] = {"resourceType": "Bundle", "type": "searchset"}
        if self.pages:
            page["link"] = self.pages
        page["entry"] = [
            {"fullUrl": one.address, "resource": one.resource}
            if one.address
            else {"resource": one.resource}
            for one in found
        ]
        return Raw(_encode(page))


def bundled(content: bytes) -> bytes:
    """A record outside a Bundle put into one: a list of resources, resources one on each line
    (NDJSON, as bulk exports write them), or a Patient alone. Anything else is as it was."""
    resources = _apart(content)
    try:
        kinds = [_identity(one).resource_type for one in resources]
    except UNDECODABLE:
        return content
    if not all(kinds) or (len(kinds) < _SEVERAL and kinds != ["Patient"]):
        return content
    entry = [{"resource": one} for one in resources]
    return bytes(_encode({"resourceType": "Bundle", "type": "collection", "entry": entry}))


_SEVERAL = 2


def _apart(content: bytes) -> list[Raw]:
    """The documents in ``content``: those of a list, the one there is, or one of each line."""
    try:
        return _list(content)
    except UNDECODABLE:
        pass
    try:
        return [_document(content)]
    except UNDECODABLE:
        return [Raw(one) for one in content.splitlines() if one.strip()]


def open_bundle(content: bytes) -> RecordBundle:
    """The Bundle in ``content``; `BadRequest` when it is none, or none with a record."""
    sent = _decoded(content)
    entries = [_entry(item, item.full_url or "") for item in sent.entry or () if item.resource]
    patients = [_id_in(one) for one in entries if one.kind == "Patient"]
    written = elements.moment(sent.timestamp)
    return RecordBundle(
        sent.type or "",
        tuple(entries),
        tuple(dict.fromkeys(one for one in patients if one)),
        written.first if written is not None else None,
        tuple(
            {"relation": "next", "url": link.url}
            for link in sent.link or ()
            if link.relation == "next" and link.url
        ),
    )


def _decoded(content: bytes) -> _Bundle:
    try:
        content.decode()
        sent = _bundle(content)
    except msgspec.ValidationError:
        raise BadRequest("The Bundle has not the shape of a FHIR Bundle.") from None
    except UNDECODABLE:
        raise BadRequest("It is not JSON.") from None
    if sent.resource_type != "Bundle":
        raise BadRequest(
            f"It is a FHIR {sent.resource_type or 'resource of no type'}, not a Bundle."
        )
    if sent.type not in _RECORDS:
        raise BadRequest(
            f"A Bundle of type {sent.type or '(none)'} is not a record; give one of type"
            f" {', '.join(sorted(_RECORDS))}."
        )
    return sent


def _entry(item: _Entry, address: str) -> Entry:
    try:
        known = _identity(item.resource)
    except UNDECODABLE:
        known = _Identity()
    resource = item.resource
    if known.resource_type == "Patient" and not known.id:
        # A resource to be created may have no id but that of its address.
        identity = address.replace(":", "/").rpartition("/")[2]
        resource = Raw(_encode({**_members(resource), "id": identity}))
    return Entry(known.resource_type or "", resource, address)


def _id_in(entry: Entry) -> str:
    return _identity(entry.resource).id or ""


def _keys(entry: Entry, needs: Sequence[Need], patient_id: str) -> Iterator[str]:
    """The needs that ``entry`` belongs to: by type, and by code where a need names codes."""
    if entry.kind == "OperationOutcome":  # what could not be obtained may concern any need
        return (need.key for need in needs if need.kind != "Patient")
    if entry.kind == "Medication":
        return (need.key for need in needs if need.kind in MEDICATION_KINDS)
    of_type = [need for need in needs if entry.kind in TYPES[need.kind]]
    if entry.kind == "Patient":
        return (need.key for need in of_type if _id_in(entry) == patient_id)
    return _keys_by_code(entry, of_type)


def _keys_by_code(entry: Entry, of_type: Sequence[Need]) -> Iterator[str]:
    codes = _codes(entry.resource) if any(need.kept for need in of_type) else frozenset()
    found = [
        need.key
        for need in of_type
        if not need.kept or (codes is not None and not need.kept.isdisjoint(codes))
    ]
    known = codes is not None and any(elements.is_known(system) for system, _ in codes)
    if not found and not known:  # no one can tell what it is about: the reader shall name it
        return (need.key for need in of_type[:1])
    return iter(found or [need.key for need in of_type if need.by_words])


def _subject(resource: Raw) -> str:
    """The reference to the patient it is about, as written; "" when none can be read."""
    try:
        sent = _about(resource)
    except UNDECODABLE:
        return ""
    pointed = sent.subject or sent.patient
    return (pointed.reference or "") if pointed is not None else ""


def _codes(resource: Raw) -> frozenset[tuple[str, str]] | None:
    """Its own codes and those of its components; ``None`` when they cannot be read."""
    try:
        sent = _code_only(resource)
        parts = [sent]
        if sent.component is not None:
            parts += _components(_members(resource)["component"])
        return frozenset(
            (code.system, code.code) for part in parts for code in elements.codes(part.code)
        )
    except (*UNDECODABLE, elements.Unreadable):
        return None
