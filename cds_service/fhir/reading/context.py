"""What the reader of any resource has to know: whose record it is, and what to keep of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TypeAlias

import msgspec
from msgspec import Raw, Struct

from cds_service.clinical import Code, Reason
from cds_service.fhir import editions, elements, wire
from cds_service.fhir.elements import Moments, Unreadable, last_two_segments
from cds_service.fhir.gather import UNDECODABLE
from cds_service.fhir.reading.products import Product

#: Codes as (system, code); none at all: everything is kept.
Kept: TypeAlias = frozenset[tuple[str, str]]


class Owner(Struct, frozen=True):
    """This patient, every way to refer to it that needs no parsing, and its business identifiers,
    each with its system: one without is anyone's."""

    id: str
    references: frozenset[str]
    identifiers: frozenset[tuple[str, str]] = frozenset()

    def is_meant_by(
        self, reference: wire.Reference | None, resource: Raw | bytes = b""
    ) -> bool | None:
        """Whether the reference means this patient; ``None`` when it names no one known here.

        ``resource`` has the reference: a patient contained in it is this one by an identifier.
        """
        if reference is None:
            return None
        written = reference.reference
        if not written:
            return self._has_one_of(reference.identifier)
        if written in self.references:
            return True
        if written.startswith("urn:"):
            return False
        if written.startswith("#"):
            return self._is_contained(written[1:], resource)
        kind, identity = last_two_segments(written)
        if not kind or not identity:
            return None
        return kind == "Patient" and identity == self.id

    def whose(
        self,
        subject: wire.Reference | None,
        patient: wire.Reference | None,
        resource: Raw | bytes = b"",
    ) -> bool | None:
        """The same for a resource that may name its patient twice; two patients count as no one."""
        mine = self.is_meant_by(subject or patient, resource)
        if subject and patient and self.is_meant_by(patient, resource) is not mine:
            return None
        return mine

    def _has_one_of(self, identifier: object) -> bool | None:
        """True by an identifier of this patient; by another one no one can tell, since a patient
        may have several of one system."""
        return True if identifiers_in(identifier) & self.identifiers else None

    def _is_contained(self, identity: str, resource: Raw | bytes) -> bool | None:
        try:
            contained = _contained(resource).contained or []
            patients = [_contained_patient(one) for one in contained]
        except UNDECODABLE:
            return None
        for one in patients:
            if one.resource_type == "Patient" and (one.id or "").lstrip("#") == identity:
                return self._has_one_of(one.identifier)
        return None


_contained = msgspec.json.Decoder(wire.ContainedOnly).decode
_contained_patient = msgspec.json.Decoder(wire.Identified).decode


def identifiers_in(sent: object) -> frozenset[tuple[str, str]]:
    """System and value of each business identifier that has both."""
    found = sent if isinstance(sent, list) else [sent]
    pairs = [(one.get("system"), one.get("value")) for one in found if isinstance(one, dict)]
    return frozenset(
        (system, value)
        for system, value in pairs
        if isinstance(system, str) and isinstance(value, str) and system and value
    )


class Context(Struct, frozen=True):
    """Whose record, codes to keep, a site's own that are known, how to find a Medication, the
    times read so far, whether words count where no code to keep was sent, and the names by which
    an answer under any code is kept."""

    owner: Owner
    kept: Kept
    local: Kept
    find_product: Callable[[str], Product | None]
    moments: Moments
    by_words: bool = False
    by_name: frozenset[str] = frozenset()

    def wants(self, codes: Iterable[Code]) -> bool:
        return not self.kept or carries(codes, self.kept)

    def hears(self, name: str) -> bool:
        """Whether a name says something that is kept under whatever code."""
        return _has_one(name, self.by_name)


@lru_cache(maxsize=1024)
def _has_one(name: str, words: frozenset[str]) -> bool:
    """Laboratories call a test the same every day, and there are dozens of ``words``."""
    said = name.casefold()
    return any(one in said for one in words)


def are_known(codes: Iterable[Code], local: Kept) -> bool:
    """Whether one of the codes means something here: of a system that means the same everywhere,
    or a site's own that its map explains."""
    for one in codes:  # noqa: SIM110 (as in `carries`)
        if elements.is_known(one.system) or (one.system, one.code) in local:
            return True
    return False


def carries(codes: Iterable[Code], kept: Kept) -> bool:
    for code in codes:  # noqa: SIM110 (any() takes three times as long)
        if (code.system, code.code) in kept:
            return True
    return False


def source_of(resource: wire.Resource | wire.Observation) -> str:
    """Its address in the record ("Observation/123")."""
    return f"{resource.resource_type}/{resource.id or '(no id)'}"


_DENIED: Mapping[str, tuple[tuple[str, str], ...]] = {
    kind: tuple(
        (wire.attribute(struct, member), status)
        for member, status in editions.denials_of(kind).items()
    )
    for kind, struct in (
        ("Procedure", wire.Procedure),
        ("MedicationStatement", wire.Drug),
        ("MedicationAdministration", wire.Drug),
    )
}


class UnknownStatus(Unreadable):
    """A status that no version of FHIR has."""

    reason: Reason = "status"


def status_of(resource: wire.Resource) -> str:
    """R4's word for its status, "" without one; `UnknownStatus` when no version has such a status.

    What an older version says besides the status ("notGiven") is in R4's word for it.
    """
    kind = resource.resource_type or ""
    status = editions.status_of(kind, resource.status)
    if status is None:
        raise UnknownStatus
    if status != "entered-in-error":
        for member, denied in _DENIED.get(kind, ()):
            if getattr(resource, member):
                return denied
    return status
