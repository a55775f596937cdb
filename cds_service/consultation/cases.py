"""A case in a file, and the answer to it in plain text: the service without HTTP.

A case is a CDS Hooks request, answered from its prefetch alone, or a FHIR Bundle with the whole
record of a patient, which becomes such a request. Both go the way of every other call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec import Raw, Struct

from cds_service.cdshooks.request import (
    DEFAULT_LIMITS,
    Context,
    Limits,
    Request,
    parse_request,
)
from cds_service.cdshooks.response import Card, Response
from cds_service.consultation.account import EVALUATION_EXTENSION
from cds_service.errors import BadRequest
from cds_service.fhir.bundles import open_bundle
from cds_service.fhir.gather import UNDECODABLE

if TYPE_CHECKING:
    from cds_service.consultation.services import Service

#: Why a request that names a FHIR server is still answered from its prefetch.
NO_SERVER = "a file is evaluated without any FHIR server"

_members = msgspec.json.Decoder(dict[str, Raw]).decode


class Case(Struct, frozen=True):
    """``origin`` says what the file is, ``written`` the date it gives itself."""

    service: Service
    asked: Request
    origin: str
    written: date | None
    resources: tuple[Raw, ...]


def read_case(
    content: bytes,
    services: Sequence[Service],
    hook: str = "",
    patient: str = "",
    limits: Limits = DEFAULT_LIMITS,
) -> Case:
    """The case in ``content``; `BadRequest` says what is wrong with it.

    ``hook`` is the request's own unless given; ``patient`` chooses one of several in a Bundle.
    """
    try:
        content.decode()
        members = _members(content)
    except UNDECODABLE:
        raise BadRequest(_not_members(content)) from None
    if "hook" in members:
        return _request(content, services, hook, limits)
    if "resourceType" not in members:
        raise BadRequest(
            'It is neither a CDS Hooks request (it has no "hook") nor a FHIR Bundle'
            ' (it has no "resourceType").'
        )
    bundle = open_bundle(content)
    service = _service(services, hook or "patient-view")
    if not bundle.patients:
        raise BadRequest("The Bundle holds no Patient.")
    listed = ", ".join(bundle.patients)
    if not patient and len(bundle.patients) > 1:
        raise BadRequest(
            f"The Bundle holds {len(bundle.patients)} patients; choose one with --patient: {listed}"
        )
    chosen = patient.removeprefix("Patient/") or bundle.patients[0]
    if chosen not in bundle.patients:
        raise BadRequest(f"The Bundle holds no patient {chosen}; there is {listed}.")
    call = str(uuid5(NAMESPACE_URL, f"case:{chosen}"))
    return Case(
        service,
        Request(
            service.hook,
            call,
            Context("Practitioner/nobody", chosen),
            None,
            None,
            bundle.answers(service.needs, chosen),
        ),
        f"a FHIR Bundle ({bundle.type}, {len(bundle.entries)} resources)",
        bundle.written,
        tuple(entry.resource for entry in bundle.entries),
    )


def _not_members(content: bytes) -> str:
    """What ``content`` is, that is no JSON object: the decoder stops at its first character."""
    try:
        msgspec.json.decode(content.decode())
    except UNDECODABLE:
        return "It is not JSON."
    return "It is JSON, but neither a CDS Hooks request nor a FHIR Bundle."


def _request(content: bytes, services: Sequence[Service], hook: str, limits: Limits) -> Case:
    try:
        written = msgspec.json.decode(_members(content)["hook"], type=str)
    except msgspec.ValidationError:
        raise BadRequest("hook has the wrong type.", "hook") from None
    service = _service(services, hook or written)
    asked = parse_request(content, service.hook, limits)
    resources: list[Raw] = []
    for value in asked.prefetch.values():
        try:
            entries = open_bundle(bytes(value)).entries
            resources += (entry.resource for entry in entries)
        except BadRequest:
            if bytes(value) != b"null":
                resources.append(value)
    return Case(service, asked, f"a CDS Hooks request ({service.hook})", None, tuple(resources))


def _service(services: Sequence[Service], hook: str) -> Service:
    for service in services:
        if service.hook == hook:
            return service
    offered = ", ".join(sorted({service.hook for service in services}))
    raise BadRequest(f"No service answers the hook {hook}; there is {offered}.", "hook")


# --- the answer in words ------------------------------------------------------------------------


def in_words(response: Response) -> str:
    """Every card as a clinician would read it, then what was evaluated."""
    cards = response.cards
    parts = [_card(card, f"Card {number} of {len(cards)}") for number, card in enumerate(cards, 1)]
    account = response.extension[EVALUATION_EXTENSION]
    if not cards:
        parts.append(_no_card(account))
    parts.append(_evaluation(account))
    return "\n\n".join(parts)


def _card(card: Card, number: str) -> str:
    lines = [_ruled(f"{number} · {card.indicator.upper()}"), card.summary, "", card.detail]
    if card.suggestions:
        how = "at most one" if card.selection_behavior == "at-most-one" else "any of them"
        lines += ["", f"Suggestions (accept {how}):"]
    for suggestion in card.suggestions:
        mark = " (recommended)" if suggestion.is_recommended else ""
        lines.append(f"  [ ] {suggestion.label}{mark}")
        lines += (f"        {action.type}: {action.description}" for action in suggestion.actions)
    if card.links:
        lines += ["", "To read:"]
        lines += (f"  {link.label}: {link.url}" for link in card.links)
    lines += ["", f"Source: {card.source.label}"]
    return "\n".join(lines)


def _no_card(account: Mapping[str, Any]) -> str:
    if account["outcome"] == "nothing to say":
        lines = ["Nothing to say: the case was evaluated, and there is no card."]
    else:
        lines = ["Not evaluated, and no card. This is not an all-clear."]
    return "\n".join([*lines, *(f"  because {one}" for one in account.get("because", ()))])


def _evaluation(account: Mapping[str, Any]) -> str:
    rows = [
        ("outcome", account["outcome"]),
        ("rules that fired", ", ".join(account["ruleIds"])),
        ("missing", "; ".join(account.get("missing", ()))),
        ("other patients' records ignored", account.get("otherPatientsRecordsIgnored", "")),
        ("local settings", ", ".join(account.get("localSettings", ()))),
    ]
    lines = [f"  {name}: {value}" for name, value in rows if value]
    return "\n".join([_ruled("Evaluation"), *lines])


def _ruled(title: str) -> str:
    return f"── {title} " + "─" * max(4, 76 - len(title))
