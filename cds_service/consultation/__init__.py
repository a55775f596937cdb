"""One call from beginning to end: gather, read, evaluate, word.

The services that can be called are in ``services``, what a call is answered for and with in
``occasion``, how it is accounted for in ``account``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from cds_service.cdshooks.request import Request
from cds_service.cdshooks.response import Response
from cds_service.clinical import Record
from cds_service.consultation.account import (
    EVALUATION_EXTENSION,
    account_of,
    kept,
    loggable,
)
from cds_service.consultation.cards import Spoken, build_cards, speaking
from cds_service.consultation.in_part import kept_whole
from cds_service.consultation.occasion import Consultation, Examined, Occasion
from cds_service.consultation.reuse import Reuse, content_of
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
    "Reuse",
    "Service",
    "check_orders",
    "consult",
    "examine",
    "judge",
    "load_services",
    "respond",
]


def consult(
    service: Service,
    asked: Request,
    server: FhirServer | None,
    occasion: Occasion,
    reuse: Reuse | None = None,
) -> Consultation:
    """The answer to a call, and its account; with ``reuse`` from what was found out of the same
    content before. Raises `DataUnavailable` when the patient cannot be obtained."""
    examined = examine(service, asked, server, occasion, reuse)
    return _answered(service, asked, examined, occasion, reuse)


def judge(
    service: Service, asked: Request, evidence: Mapping[str, Answer], occasion: Occasion
) -> Consultation:
    """What ``service`` says of evidence gathered before."""
    gathered = _Gathered(evidence, open_drafts(asked.context.draft_orders), 0.0)
    examined = _examined(service, asked, gathered, occasion)
    return _answered(service, asked, examined, occasion)


def examine(
    service: Service,
    asked: Request,
    server: FhirServer | None,
    occasion: Occasion,
    reuse: Reuse | None = None,
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
    gathered = _Gathered(evidence, drafts, (perf_counter() - begun) * 1000)
    return _examined(service, asked, gathered, occasion, reuse)


class _Gathered(NamedTuple):
    """What was gathered, the orders being written as they were opened, and how long it took."""

    evidence: Mapping[str, Answer]
    drafts: OpenedBasket
    ms: float


def _examined(
    service: Service,
    asked: Request,
    gathered: _Gathered,
    occasion: Occasion,
    reuse: Reuse | None = None,
) -> Examined:
    begun = perf_counter()
    evidence = gathered.evidence
    content = content_of(service, asked, evidence, occasion) if reuse is not None else None

    def read_it() -> Record:
        return read_record(evidence, service.needs, asked.context.patient_id)

    def look() -> Any:
        return service.guideline.look(record, occasion.on)

    def judge_it() -> Any:
        seen = None
        if reuse is not None and content is not None:
            seen = reuse.of(("seen", content.chart, occasion.on), look)
        evaluation = kept_whole(_evaluate(service, asked, gathered, record, occasion, seen))
        return service.guideline.one_action_each(evaluation) if occasion.one_action else evaluation

    if reuse is None or content is None:
        record = read_it()
        read = perf_counter()
        evaluation = judge_it()
    else:
        record = reuse.of(("record", content.chart), read_it)
        read = perf_counter()
        evaluation = reuse.of(("evaluation", content.whole), judge_it)
    evaluated = perf_counter()
    durations = {
        "gather": gathered.ms,
        "read": (read - begun) * 1000,
        "evaluate": (evaluated - read) * 1000,
    }
    return Examined(evidence, record, evaluation, durations, content.whole if content else None)


def _evaluate(
    service: Service,
    asked: Request,
    gathered: _Gathered,
    record: Record,
    occasion: Occasion,
    seen: Any,
) -> Any:
    """What the guideline says to this hook: about the chart, or about the orders being written."""
    g = service.guideline
    if service.hook == "patient-view":
        return g.evaluate(record, occasion.on, seen)
    context, evidence = asked.context, gathered.evidence
    basket = read_basket(gathered.drafts, context.selections, context.patient_id, evidence)
    signing = service.hook == "order-sign"
    return g.evaluate_orders(record, basket, occasion.on, signing=signing, seen=seen)


def respond(service: Service, asked: Request, examined: Examined, occasion: Occasion) -> Response:
    """The evaluation as cards, and the account of it that goes with every answer."""
    return _worded(service, asked, examined, occasion, _spoken(service, examined, occasion))


def _spoken(
    service: Service, examined: Examined, occasion: Occasion, reuse: Reuse | None = None
) -> Sequence[Spoken]:
    """The outcomes that cards are made of."""

    def speak() -> Sequence[Spoken]:
        g, evaluation = service.guideline, examined.evaluation
        return speaking(
            evaluation.outcomes,
            service.stationery,
            g.data_notes(evaluation, examined.record),
            occasion.unseen,
            once=g.review(),
            closing=g.closing(occasion.on, as_of_is_set=occasion.as_of_is_set),
        )

    if reuse is None or examined.content is None:
        return speak()
    said = (occasion.unseen, occasion.as_of_is_set, service.language.tag)
    return reuse.of(("spoken", examined.content, *said), speak)


def _worded(
    service: Service,
    asked: Request,
    examined: Examined,
    occasion: Occasion,
    spoken: Sequence[Spoken],
) -> Response:
    patient_id = asked.context.patient_id
    call = repr((asked.hook_instance, patient_id))
    cards = build_cards(
        spoken,
        service.stationery,
        orders.Writer(patient_id, service.language, call).write,
        call=repr((call, service.id, occasion.arm)),
        page=occasion.page,
    )
    account = account_of(examined.evaluation, examined.record, service, spoke=bool(cards))
    if occasion.as_of_is_set:
        account["asOf"] = occasion.on.isoformat()
    return Response(cards=cards, extension={EVALUATION_EXTENSION: account})


def _answered(
    service: Service,
    asked: Request,
    examined: Examined,
    occasion: Occasion,
    reuse: Reuse | None = None,
) -> Consultation:
    begun = perf_counter()
    spoken = _spoken(service, examined, occasion, reuse)
    response = _worded(service, asked, examined, occasion, spoken)
    durations = {**examined.durations, "cards": (perf_counter() - begun) * 1000}
    return Consultation(
        response,
        loggable(response, examined.evidence),
        kept(service, examined, spoken, response, durations),
        examined.evidence,
        occasion.one_action,
    )
