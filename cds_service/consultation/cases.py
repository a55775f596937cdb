"""A case in a file, and the answer to it in plain text: the service without HTTP.

A case is a CDS Hooks request, answered from its prefetch alone, or a FHIR Bundle with the whole
record of a patient, which becomes such a request. Both go the way of every other call.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping, Sequence
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
from cds_service.fhir.bundles import bundled, open_bundle
from cds_service.fhir.gather import UNDECODABLE
from cds_service.language import Language, Listed, Message, house, say

if TYPE_CHECKING:
    from cds_service.consultation.services import Service

    Fill = Callable[[Message], str]

#: Why a request that names a FHIR server is still answered from its prefetch.
NO_SERVER = "a file is evaluated without any FHIR server"

_members = msgspec.json.Decoder(dict[str, Raw]).decode


class Case(Struct, frozen=True):
    """``origin`` says what the file is, ``written`` is the date it gives itself."""

    service: Service
    asked: Request
    origin: Message
    written: date | None
    resources: tuple[Raw, ...]


def read_case(
    content: bytes,
    services: Sequence[Service],
    hook: str = "",
    patient: str = "",
    limits: Limits = DEFAULT_LIMITS,
) -> Case:
    """The case in ``content``: a request, a Bundle, or resources outside one; `BadRequest` says
    what is wrong with it.

    ``hook`` is the request's own unless given; ``patient`` chooses one of several in a Bundle.
    """
    content = bundled(content.removeprefix(codecs.BOM_UTF8))
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
        say(house.Case.bundle, type=bundle.type, count=len(bundle.entries)),
        bundle.written,
        tuple(entry.resource for entry in bundle.entries),
    )


def _not_members(content: bytes) -> str:
    """What ``content`` is, that is not a JSON object: the decoder stops at its first character."""
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
    origin = say(house.Case.request, hook=service.hook)
    return Case(service, asked, origin, None, tuple(resources))


def _service(services: Sequence[Service], hook: str) -> Service:
    for service in services:
        if service.hook == hook:
            return service
    offered = ", ".join(sorted({service.hook for service in services}))
    raise BadRequest(f"No service answers the hook {hook}; there is {offered}.", "hook")


# --- the answer in words ------------------------------------------------------------------------


def in_words(response: Response, language: Language) -> str:
    """Every card as a clinician would read it, then what was evaluated."""
    cards = response.cards
    parts = [_card(card, number, len(cards), language.fill) for number, card in enumerate(cards, 1)]
    account = response.extension[EVALUATION_EXTENSION]
    if not cards:
        parts.append(_no_card(account, language.fill))
    parts.append(_evaluation(account, language.fill))
    return "\n\n".join(parts)


def _card(card: Card, number: int, count: int, fill: Fill) -> str:
    title = say(house.Case.card, number=number, count=count, indicator=card.indicator.upper())
    lines = [_ruled(fill(title)), card.summary, "", card.detail]
    if card.suggestions:
        one = card.selection_behavior == "at-most-one"
        lines += ["", fill(say(house.Case.accept_one if one else house.Case.accept_any))]
    for suggestion in card.suggestions:
        best = suggestion.is_recommended
        text = say(
            house.Case.recommended if best else house.Case.suggestion, label=suggestion.label
        )
        lines.append(f"  {fill(text)}")
        for action in suggestion.actions:
            told = say(house.Case.action, type=action.type, description=action.description)
            lines.append(f"        {fill(told)}")
    if card.links:
        lines += ["", fill(say(house.Case.to_read))]
        for link in card.links:
            lines.append(f"  {fill(say(house.Case.link, label=link.label, url=link.url))}")
    lines += ["", fill(say(house.Case.source, label=card.source.label))]
    return "\n".join(lines)


def _no_card(account: Mapping[str, Any], fill: Fill) -> str:
    silent = account["outcome"] == "nothing to say"
    lines = [fill(say(house.Case.nothing_to_say if silent else house.Case.not_evaluated))]
    if "silence" in account:
        lines.append(f"  {account['silence']}")
    for reason in account.get("because", ()):
        lines.append(f"  {fill(say(house.Case.because, reason=reason))}")
    return "\n".join(lines)


def _evaluation(account: Mapping[str, Any], fill: Fill) -> str:
    fired = Listed(tuple(account["ruleIds"]))
    missing = Listed(tuple(account.get("missing", ())), "semicolon")
    local = Listed(tuple(account.get("localSettings", ())))
    foreign = account.get("otherPatientsRecordsIgnored", 0)
    rows = [(say(house.Case.outcome, outcome=account["outcome"]), True)]
    rows += [
        (say(house.Case.fired, rules=fired), bool(fired.items)),
        (say(house.Case.missing, facts=missing), bool(missing.items)),
        (say(house.Case.foreign, count=foreign), bool(foreign)),
        (say(house.Case.local, names=local), bool(local.items)),
    ]
    told = [f"  {fill(row)}" for row, holds in rows if holds]
    return "\n".join([_ruled(fill(say(house.Case.evaluation))), *told])


def _ruled(title: str) -> str:
    return f"── {title} " + "─" * max(4, 76 - len(title))
