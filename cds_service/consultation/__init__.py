"""One call from beginning to end: gather, read, evaluate, word.

The services that can be called are in ``services``, what a call is answered for and with in
``occasion``, how it is accounted for in ``account``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from cds_service.cdshooks.request import Request
from cds_service.cdshooks.response import Response
from cds_service.clinical import Record
from cds_service.consultation.account import (
    EVALUATION_EXTENSION,
    account_of,
    kept,
    loggable,
)
from cds_service.consultation.cards import build_cards
from cds_service.consultation.in_part import kept_whole
from cds_service.consultation.occasion import Consultation, Examined, Occasion
from cds_service.consultation.services import Service, check_orders, load_services
from cds_service.fhir import orders
from cds_service.fhir.drafts import OpenedBasket, open_drafts, read_basket, referred_medications
from cds_service.fhir.gather import Answer, gather
from cds_service.fhir.reading import read_record

if TYPE_CHECKING:
    from cds_service.fhir.server import FhirServer

__all__ = [
    "EVALUATION_EXTENSION",
    "Consultation",
    "Examined",
    "Occasion",
    "Service",
    "check_orders",
    "consult",
    "examine",
    "judge",
    "load_services",
    "respond",
]


def consult(
    service: Service, asked: Request, server: FhirServer | None, occasion: Occasion
) -> Consultation:
    """The answer to a call, and its account. Raises `DataUnavailable` when the patient cannot be
    had."""
    examined = examine(service, asked, server, occasion)
    return _answered(service, asked, examined, occasion)


def judge(
    service: Service, asked: Request, evidence: Mapping[str, Answer], occasion: Occasion
) -> Consultation:
    """What ``service`` says of evidence gathered before."""
    drafts = open_drafts(asked.context.draft_orders)
    examined = _examined(service, asked, evidence, drafts, occasion, 0.0)
    return _answered(service, asked, examined, occasion)


def examine(
    service: Service, asked: Request, server: FhirServer | None, occasion: Occasion
) -> Examined:
    """Gather, read, evaluate: everything `consult` does before wording it."""
    begun = perf_counter()
    drafts = open_drafts(asked.context.draft_orders)
    evidence = gather(
        service.needs,
        asked.prefetch,
        asked.context.patient_id,
        server,
        occasion.no_server,
        referred_medications(drafts),
        occasion.max_entries,
    )
    gathered_ms = (perf_counter() - begun) * 1000
    return _examined(service, asked, evidence, drafts, occasion, gathered_ms)


def _examined(
    service: Service,
    asked: Request,
    evidence: Mapping[str, Answer],
    drafts: OpenedBasket,
    occasion: Occasion,
    gathered_ms: float,
) -> Examined:
    begun = perf_counter()
    record = read_record(evidence, service.needs, asked.context.patient_id)
    read = perf_counter()
    evaluation = _evaluate(service, asked, evidence, drafts, record, occasion)
    evaluation = kept_whole(evaluation)
    evaluated = perf_counter()
    if occasion.one_action:
        evaluation = service.guideline.one_action_each(evaluation)
    durations = {
        "gather": gathered_ms,
        "read": (read - begun) * 1000,
        "evaluate": (evaluated - read) * 1000,
    }
    return Examined(evidence, record, evaluation, durations)


def _evaluate(
    service: Service,
    asked: Request,
    evidence: Mapping[str, Answer],
    drafts: OpenedBasket,
    record: Record,
    occasion: Occasion,
) -> Any:
    """What the guideline says to this hook: about the chart, or about the orders being written."""
    g = service.guideline
    if service.hook == "patient-view":
        return g.evaluate(record, occasion.on)
    context = asked.context
    basket = read_basket(drafts, context.selections, context.patient_id, evidence)
    return g.evaluate_orders(record, basket, occasion.on, signing=service.hook == "order-sign")


def respond(service: Service, asked: Request, examined: Examined, occasion: Occasion) -> Response:
    """The evaluation as cards, and the account of it that goes with every answer."""
    g, evaluation, record = service.guideline, examined.evaluation, examined.record
    patient_id = asked.context.patient_id
    call = repr((asked.hook_instance, patient_id))
    cards = build_cards(
        evaluation.outcomes,
        service.stationery,
        partial(orders.write, patient_id=patient_id, call=call),
        call=repr((call, service.id, occasion.arm)),
        data_notes=g.data_notes(evaluation, record),
        closing=g.closing(occasion.on, as_of_is_set=occasion.as_of_is_set),
        unseen=occasion.unseen,
    )
    account = account_of(evaluation, record, g, spoke=bool(cards))
    if occasion.as_of_is_set:
        account["asOf"] = occasion.on.isoformat()
    return Response(cards=cards, extension={EVALUATION_EXTENSION: account})


def _answered(
    service: Service, asked: Request, examined: Examined, occasion: Occasion
) -> Consultation:
    begun = perf_counter()
    response = respond(service, asked, examined, occasion)
    durations = {**examined.durations, "cards": (perf_counter() - begun) * 1000}
    g = service.guideline
    closing = len(g.closing(occasion.on, as_of_is_set=occasion.as_of_is_set))
    return Consultation(
        response,
        loggable(response, examined.evidence),
        kept(g, examined, response, durations, closing),
        examined.evidence,
    )
