"""What was kept, as FHIR R4: who asked when, what was answered, and what became of it.

* A call is an ``AuditEvent``: someone looked at a child's record, when, for what, how it ended.
* What it was answered with is a ``GuidanceResponse``, the formal response to a guidance request,
  and where FHIR itself puts the answer of a CDS Hooks service. Its cards are in a contained
  ``Parameters``: a ``RequestGroup`` would need each action's resource, which is not kept.
* Feedback is a ``Provenance`` on that response: a clinician's activity (accepted, overridden) at a
  moment, by someone, with reasons. A ``GuidanceResponse`` has no element for any of these; its
  ``reasonCode`` says why guidance was asked for.
* How far each chain of rows had come is an ``AuditEvent`` on the trail itself: the database can
  later be held against it.

Patients and users appear as they were kept, by pseudonym unless the operator keeps plain ids;
comments, which may tell about a patient, are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cds_service import PROGRAM

_HOME = f"https://{PROGRAM}.github.io"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_UUIDS = "urn:ietf:rfc:3986"
_is_uuid = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_is_uri = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+").fullmatch
_NOBODY_ASKED = "a client that was not asked who it is"

Json = dict[str, Any]
Row = Mapping[str, Any]


def of_consultation(row: Row) -> Iterator[Json]:
    """A kept consultation, as `database.Database.consultations` returns it.

    A second guideline that was tried on a call looked at nothing again and answered no one, so it
    leaves no trail.
    """
    if row["arm"] != "live":
        return
    yield _audit_event(row)
    if row["outcome"] is not None:
        yield _guidance(row)


def of_feedback(row: Row) -> Json:
    """One item of feedback, as `database.Database.feedback` returns it."""
    if row["consultation"]:
        target: Json = {"reference": f"GuidanceResponse/{row['consultation']}"}
    else:  # nothing is kept of what it is about
        target = {"type": "GuidanceResponse", "identifier": _identifier("card", row["card"])}
    about = [_identifier("card", row["card"])]
    about += [_identifier("suggestion", one) for one in row["accepted"]]
    made: Json = {
        "resourceType": "Provenance",
        "id": row["id"],
        "target": [target],
        "occurredDateTime": _instant(row["outcome_at"]),
        "recorded": _instant(row["received_at"]),
        "activity": {
            "coding": [{"system": f"{_HOME}/CodeSystem/feedback-outcome", "code": row["outcome"]}]
        },
        "agent": [{"who": _client(row["client"])}],
        "entity": [{"role": "source", "what": {"identifier": one}} for one in about],
    }
    reasons = [reason for one in row["reasons"] if (reason := _reason(one))]
    if reasons:
        made["reason"] = reasons
    return made


def of_head(row: Row, at: datetime) -> Json:
    """How far a chain had come at that moment, a row of ``chains``."""
    said = {"chain": row["chain"], "row": str(row["number"]), "hash": row["hash"]}
    return {
        "resourceType": "AuditEvent",
        "id": f"{row['chain']}-{row['number']}",
        "type": {
            "system": "http://dicom.nema.org/resources/ontology/DCM",
            "code": "110101",
            "display": "Audit Log Used",
        },
        "subtype": [{"system": f"{_HOME}/CodeSystem/trail", "code": "head"}],
        "action": "R",
        "recorded": _instant(at),
        "outcome": "0",
        "agent": [{"who": _this_service(row), "requestor": False}],
        "source": {"observer": _this_service(row), "type": [_APPLICATION_SERVER]},
        "entity": [
            {
                "type": _coding("audit-entity-type", "2", "System Object"),
                "name": "chain",
                "detail": [{"type": name, "valueString": one} for name, one in said.items()],
            }
        ],
    }


# --- the call -----------------------------------------------------------------------------------


def _audit_event(row: Row) -> Json:
    return {
        "resourceType": "AuditEvent",
        "id": row["id"],
        "type": {
            "system": "http://dicom.nema.org/resources/ontology/DCM",
            "code": "110112",
            "display": "Query",
        },
        "subtype": [{"system": f"{_HOME}/CodeSystem/hook", "code": row["hook"]}],
        "action": "E",
        "recorded": _instant(row["at"]),
        "outcome": "0" if row["status"] == 200 else "4" if row["status"] < 500 else "8",
        "outcomeDesc": row["problem"] or row["outcome"] or f"HTTP status {row['status']}",
        "agent": list(_agents(row)),
        "source": {"observer": _this_service(row), "type": [_APPLICATION_SERVER]},
        "entity": list(_entities(row)),
    }


def _agents(row: Row) -> Iterator[Json]:
    user = row["asked_by"]
    yield {"who": _client(row["client"]), "requestor": not user}
    if user:
        yield {"who": {"identifier": _identifier("user", user)}, "requestor": True}


def _entities(row: Row) -> Iterator[Json]:
    if row["patient"]:
        yield {
            "what": _patient(row),
            "type": _coding("audit-entity-type", "1", "Person"),
            "role": _coding("object-role", "1", "Patient"),
        }
    asked: Json = {
        "type": _coding("audit-entity-type", "2", "System Object"),
        "role": _coding("object-role", "24", "Query"),
        "name": row["service"],
        "detail": [
            {"type": name, "valueString": value}
            for name, value in (
                ("hookInstance", row["hook_instance"]),
                ("asOf", row["as_of"]),
                ("language", row["language"]),
                ("fhirServer", row["fhir_server"]),
                ("milliseconds", f"{row['ms']:g}"),
            )
            if value
        ],
    }
    yield asked
    if row["outcome"] is not None:
        yield {
            "what": {"reference": f"GuidanceResponse/{row['id']}"},
            "type": {"system": "http://hl7.org/fhir/resource-types", "code": "GuidanceResponse"},
            "role": _coding("object-role", "3", "Report"),
        }


# --- the answer ---------------------------------------------------------------------------------


def _guidance(row: Row) -> Json:
    made: Json = {
        "resourceType": "GuidanceResponse",
        "id": row["id"],
        "contained": [
            {"resourceType": "Parameters", "id": "answer", "parameter": list(_parameters(row))}
        ],
        "identifier": [_identifier("consultation", row["id"])],
        "moduleCanonical": f"{_HOME}/guidelines/{row['guideline']}|{row['edition']}",
        "status": _status(row),
        "occurrenceDateTime": _instant(row["at"]),
        "performer": _this_service(row),
        "outputParameters": {"reference": "#answer"},
    }
    if row["hook_instance"]:
        made["requestIdentifier"] = _identifier("hookInstance", row["hook_instance"])
    if row["patient"]:
        made["subject"] = _patient(row)
    return made


def _status(row: Row) -> str:
    if row["outcome"] == "not evaluated":
        return "data-required"
    return "data-requested" if row["missing"] else "success"


def _parameters(row: Row) -> Iterator[Json]:
    yield _said("outcome", row["outcome"])
    if row["overrides"]:
        yield _said("localSettings", row["overrides"])
    for name, key in (("rule", "fired"), ("missing", "missing")):
        yield from (_said(name, one) for one in row[key] or ())
    for card in row["cards"]:
        parts = [
            {"name": "identifier", "valueIdentifier": _identifier("card", card["uuid"])},
            *(_said(name, card[name]) for name in ("rule", "text", "topic") if card[name]),
            {"name": "indicator", "valueCode": card["indicator"]},
            {"name": "shown", "valueBoolean": card["shown"]},
        ]
        if not card["shown"]:
            parts.append(_said("notShownBecause", card["hidden"] or "not known"))
        parts += (_suggestion(one) for one in card["suggestions"])
        yield {"name": "card", "part": parts}


def _suggestion(one: Row) -> Json:
    return {
        "name": "suggestion",
        "part": [
            {"name": "identifier", "valueIdentifier": _identifier("suggestion", one["uuid"])},
            _said("rule", one["rule"]),
            {"name": "recommended", "valueBoolean": one["recommended"]},
        ],
    }


def _said(name: str, value: str) -> Json:
    return {"name": name, "valueString": value}


# --- pieces -------------------------------------------------------------------------------------


def _identifier(kind: str, value: str) -> Json:
    if _is_uuid(value):
        return {"system": _UUIDS, "value": f"urn:uuid:{value}"}
    return {"system": f"{_HOME}/identifier/{kind}", "value": value}


def _patient(row: Row) -> Json:
    return {"type": "Patient", "identifier": _identifier("patient", row["patient"])}


def _client(name: str | None) -> Json:
    if name is None:
        return {"display": _NOBODY_ASKED}
    return {"type": "Device", "identifier": _identifier("client", name), "display": name}


def _this_service(row: Row) -> Json:
    return {"type": "Device", "display": f"{PROGRAM} {row['version']}"}


def _coding(system: str, code: str, display: str) -> Json:
    return {"system": f"{_TERMINOLOGY}/{system}", "code": code, "display": display}


_APPLICATION_SERVER = _coding("security-source-type", "4", "Application Server")


def _reason(sent: Row) -> Json | None:
    """A reason as a client sent it; without a system that FHIR can name, a code is only words."""
    system, code = sent["system"], _printable(sent["code"])
    words = _printable(sent["display"])
    if code and code == sent["code"] and _is_uri(system):
        coding = {"system": system, "code": code, "display": words}
        made: Json = {"coding": [{name: value for name, value in coding.items() if value}]}
    else:
        words, made = words or code, {}
    if words:
        made["text"] = words
    return made or None


def _printable(text: str) -> str:
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
