"""Putting a whole record on a FHIR server, and taking it away again.

A record is one transaction, so it is there as a whole or not at all. Each resource is put under
its own id, so that sending it again leaves the same record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from cds_service.fhir.gather import UNDECODABLE
from cds_service.fhir.server import FhirServer

_LONGEST_REASON = 300


class Outcome(Struct, frozen=True):
    """How many resources became what, or why none did; ``answered`` is false if no one did."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    refused: str = ""
    answered: bool = True


class _Response(Struct):
    status: str = ""


class _Entry(Struct):
    response: _Response = msgspec.field(default_factory=_Response)


class _Details(Struct):
    text: str | None = None


class _Issue(Struct):
    diagnostics: str | None = None
    details: _Details | None = None


class _Answer(Struct):
    """A transaction's answer, or the OperationOutcome that refuses it."""

    type: str | None = None
    entry: list[_Entry] = []
    issue: list[_Issue] = []


_answer = msgspec.json.Decoder(_Answer).decode


def transact(
    server: FhirServer, method: Literal["PUT", "DELETE"], resources: Sequence[Mapping[str, Any]]
) -> Outcome:
    """PUT or DELETE all ``resources`` on ``server`` at once."""
    entries = []
    for resource in resources:
        address = f"{resource['resourceType']}/{resource['id']}"
        entry: dict[str, Any] = {"request": {"method": method, "url": address}}
        if method == "PUT":
            entry |= {"fullUrl": f"{server.base}/{address}", "resource": resource}
        entries.append(entry)
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    reply = server.transact(msgspec.json.encode(bundle))
    try:
        answer = _answer(reply.body)
    except UNDECODABLE:
        answer = _Answer()
    if reply.problem:
        reasons = "; ".join(filter(None, map(_reason, answer.issue)))
        return Outcome(
            refused=f"{reply.problem}: {reasons}"[:_LONGEST_REASON] if reasons else reply.problem,
            answered=bool(reply.status),
        )
    statuses = [entry.response.status[:3] for entry in answer.entry]
    good = len(statuses) == len(entries) and all(one.startswith("2") for one in statuses)
    if answer.type != "transaction-response" or not good:
        return Outcome(refused="the FHIR server's answer is none to a transaction")
    if method == "DELETE":
        return Outcome(deleted=len(statuses))
    created = statuses.count("201")
    return Outcome(created=created, updated=len(statuses) - created)


def _reason(issue: _Issue) -> str:
    return " ".join((issue.diagnostics or (issue.details and issue.details.text) or "").split())
