"""The sample infants as a small FHIR R4 server, read-only, for pages that play an EHR.

It knows the searches that this service's own discovery names and those of the public CDS Hooks
sandbox; what it does not know it refuses, since a search that leaves out a condition finds too
much. A call that names it as its FHIR server is answered within the process (`SampleServer.get`):
a service with one worker could not ask itself over a socket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import msgspec

from cds_service import PROGRAM
from cds_service.errors import BadRequest, NotFound, ServiceError
from cds_service.trust.addresses import is_loopback
from cds_service.workbench import samples

if TYPE_CHECKING:
    from cds_service.trust.outward import Got

Json = dict[str, Any]
#: The parameters of a search, in order; a name may come twice.
Parameters = Sequence[tuple[str, str]]

PATH = "/fhir"
_KINDS = (
    "AllergyIntolerance",
    "Condition",
    "FamilyMemberHistory",
    "MedicationAdministration",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "Procedure",
    "ServiceRequest",
    "Task",
)
_PATIENT = ("patient", "subject")
_KNOWN = {"_id", "_count", "_offset", "_format", "_pretty", "code", *_PATIENT}
_MOST = 200
_JSON = msgspec.json.Encoder(decimal_format="number")


class SampleServer:
    """The stories of ``stories`` that are written in FHIR R4, moved to ``today``."""

    def __init__(self, stories: Mapping[str, samples.Story], today: Callable[[], date]) -> None:
        self._stories = {
            name: story for name, story in stories.items() if story.fhir_version == "R4"
        }
        self._today = today
        self._whose: dict[str, str] = {}  # the story of each resource, by its address

    def holds(self, name: str) -> bool:
        """Whether the infant of this story is here today."""
        story = self._stories.get(name)
        return story is not None and samples.shifted(story, self._today()) is not None

    # --- as its own client ----------------------------------------------------------------------

    def is_at(self, base: str, host: str) -> bool:
        """Whether ``base``, in normal form, is this server, for a call that came to ``host``.

        Every name of this machine is the same, as long as the port is.
        """
        asked, called = urlsplit(base), urlsplit(f"//{host}")
        if asked.path != PATH:
            return False
        try:
            same_port = (asked.port or 80) == (called.port or 80)
        except ValueError:
            return False
        names = (asked.hostname or "", called.hostname or "")
        return same_port and (names[0] == names[1] or all(is_loopback(name) for name in names))

    def get(self, url: str, headers: Mapping[str, str], ends: float, most: int) -> Got:
        """`outward.get` without a socket."""
        from cds_service.trust.outward import Got

        asked = urlsplit(url)
        base = f"{asked.scheme}://{asked.netloc}{PATH}"
        path = unquote(asked.path.removeprefix(f"{PATH}/"))
        try:
            body = self.answer(base, path, parse_qsl(asked.query, keep_blank_values=True))
        except ServiceError as error:
            return Got(error.status, b"")
        return Got(200, body)

    # --- answering ------------------------------------------------------------------------------

    def answer(self, base: str, path: str, asked: Parameters) -> bytes:
        """What is at ``path`` below ``base``, the address that the client used; `NotFound` or
        `BadRequest`."""
        kind, _, rest = path.partition("/")
        if path == "metadata":
            return _JSON.encode(_capabilities(base, self._today()))
        if kind != "Patient" and kind not in _KINDS and kind != "Medication":
            raise NotFound("This server has no resources of this type.")
        if rest and rest != "_search":
            return self._read(f"{kind}/{rest}")
        unknown = sorted({name for name, _ in asked} - _KNOWN)
        if unknown:
            raise BadRequest("This server searches by patient, code and _id only.")
        return self._search(base, kind, asked)

    def _read(self, address: str) -> bytes:
        if not self._whose:
            self._whose = {
                f"{one['resourceType']}/{one['id']}": name
                for name, story in self._stories.items()
                for one in _resources(story)
            }
        for one in self._record(self._whose.get(address, "")):
            if f"{one['resourceType']}/{one['id']}" == address:
                return _JSON.encode(one)
        raise NotFound("There is no such resource.")

    def _record(self, name: str) -> Iterable[Json]:
        """Every resource of the infant of a story, as of today."""
        story = self._stories.get(name)
        told = samples.shifted(story, self._today()) if story is not None else None
        return _resources(told) if told is not None else ()

    def _search(self, base: str, kind: str, asked: Parameters) -> bytes:
        whose = [
            value.removeprefix("Patient/") for name, value in asked if name in (*_PATIENT, "_id")
        ]
        if kind == "Patient":
            found = self._patients(whose)
        elif not any(name in _PATIENT for name, _ in asked):
            raise BadRequest("Name the patient: patient=ID.")
        else:
            patient = next(value for name, value in asked if name in _PATIENT)
            patient = patient.removeprefix("Patient/")
            found = [
                one
                for one in self._record(patient)
                if one["resourceType"] == kind and _fits(one, patient, asked)
            ]
        return _page(base, kind, asked, found)

    def _patients(self, ids: Sequence[str]) -> list[Json]:
        names = ids[:1] if ids else list(self._stories)
        return [
            one
            for name in names
            for one in self._record(name)
            if one["resourceType"] == "Patient" and one["id"] == name
        ]


def _resources(story: samples.Story) -> list[Json]:
    return [entry["resource"] for entry in story.patient["entry"]]


def _fits(resource: Json, patient: str, asked: Parameters) -> bool:
    """Whether a resource is about ``patient`` and carries one code of every list asked for."""
    about = resource.get("subject") or resource.get("patient") or {}
    if about.get("reference") != f"Patient/{patient}":
        return False
    ids = [value for name, value in asked if name == "_id"]
    if ids and resource["id"] not in ids:
        return False
    wanted = [value.split(",") for name, value in asked if name == "code"]
    codes = _codes(resource)
    return all(any(_is_one(token, codes) for token in tokens) for tokens in wanted)


def _codes(resource: Json) -> list[Json]:
    concept = resource.get("code") or resource.get("medicationCodeableConcept") or {}
    return list(concept.get("coding", ()))


def _is_one(token: str, codes: Sequence[Json]) -> bool:
    """A token of FHIR: a code, or its system and itself."""
    system, bar, code = token.rpartition("|")
    return any(
        one.get("code") == code and (not bar or one.get("system", "") == system) for one in codes
    )


def _page(base: str, kind: str, asked: Parameters, found: Sequence[Json]) -> bytes:
    given = dict(asked)
    count, offset = _number(given.get("_count"), _MOST), _number(given.get("_offset"), 0)
    count = min(count, _MOST) if count else _MOST
    bundle: Json = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(found),
        "link": [{"relation": "self", "url": f"{base}/{kind}?{urlencode(asked)}"}],
        "entry": [
            {
                "fullUrl": f"{base}/{kind}/{one['id']}",
                "resource": one,
                "search": {"mode": "match"},
            }
            for one in found[offset : offset + count]
        ],
    }
    if offset + count < len(found):
        following = {**given, "_count": str(count), "_offset": str(offset + count)}
        bundle["link"].append({"relation": "next", "url": f"{base}/{kind}?{urlencode(following)}"})
    if not bundle["entry"]:
        del bundle["entry"]  # FHIR has no empty lists
    return _JSON.encode(bundle)


def _number(written: str | None, otherwise: int) -> int:
    short = written is not None and written.isascii() and written.isdigit() and len(written) < 7
    return int(written) if short and written else otherwise


def _capabilities(base: str, on: date) -> Json:
    def resource(kind: str, *parameters: tuple[str, str]) -> Json:
        return {
            "type": kind,
            "interaction": [{"code": "read"}, {"code": "search-type"}],
            "searchParam": [{"name": name, "type": sort} for name, sort in parameters],
        }

    by_patient = (("patient", "reference"), ("code", "token"), ("_id", "token"))
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": on.isoformat(),
        "kind": "instance",
        "implementation": {"description": PROGRAM, "url": base},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "resource": [
                    resource("Patient", ("_id", "token")),
                    *(resource(kind, *by_patient) for kind in _KINDS),
                ],
            }
        ],
    }
