"""One call from beginning to end, and the services that can be called."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from cds_service import audit
from cds_service.cards import RULES_EXTENSION, Stationery, build_cards, digest, speaking
from cds_service.cdshooks.request import Request
from cds_service.cdshooks.response import Card, Response
from cds_service.clinical import Need, Plan, PlannedTask, PlannedTest, Record
from cds_service.fhir import orders
from cds_service.fhir.drafts import OpenedBasket, open_drafts, read_basket, referred_medications
from cds_service.fhir.gather import Answer, gather
from cds_service.fhir.reading import read_record
from cds_service.guidelines import b12_under_two as b12
from cds_service.guidelines.engine import CannotTell, Note, NotIndicated, Outcome, Recommend

if TYPE_CHECKING:
    from cds_service.fhir.server import FhirServer

EVALUATION_EXTENSION = "io.github.b12-cds-service.evaluation"


class Service(Struct, frozen=True):
    """One CDS Hooks service as discovery shows it, with the guideline behind it."""

    id: str
    hook: str
    title: str
    description: str
    usage_requirements: str
    needs: tuple[Need, ...]
    guideline: b12.Guideline
    stationery: Stationery


class Consultation(Struct, frozen=True):
    """One answered call: the response, and what may be logged and kept of it (no patient data).

    ``evidence`` is what was gathered for it, to be judged again or let go.
    """

    response: Response
    log: Mapping[str, Any] = {}
    evaluation: audit.Evaluation | None = None
    evidence: Mapping[str, Answer] = {}


class Examined(Struct, frozen=True):
    """What was gathered for a call, what was read of it, and what the guideline says to it.

    ``durations`` are the milliseconds of each part.
    """

    evidence: Mapping[str, Answer]
    record: Record
    evaluation: b12.Evaluation
    durations: Mapping[str, float]


def consult(
    service: Service,
    asked: Request,
    server: FhirServer | None,
    *,
    on: date,
    as_of_is_set: bool = False,
    no_server: str = "",
    one_action: bool = False,
    max_entries: int = 5_000,
    unseen: Container[str] = (),
) -> Consultation:
    """Gather, read, evaluate, word. ``on`` is the date of evaluation; ``no_server`` says why
    there is no ``server``; ``one_action`` that the client applies one action of a suggestion;
    ``max_entries`` how many results one need may have; ``unseen`` are rules whose cards will not
    be shown.
    Raises `DataUnavailable` when the patient cannot be had."""
    examined = examine(
        service,
        asked,
        server,
        on=on,
        no_server=no_server,
        one_action=one_action,
        max_entries=max_entries,
    )
    return _answered(service, asked, examined, on=on, as_of_is_set=as_of_is_set, unseen=unseen)


def judge(
    service: Service,
    asked: Request,
    evidence: Mapping[str, Answer],
    *,
    on: date,
    arm: str,
    as_of_is_set: bool = False,
    one_action: bool = False,
) -> Consultation:
    """What ``service`` says of evidence gathered before. Cards of another ``arm`` than the live
    one have uuids of their own."""
    drafts = open_drafts(asked.context.draft_orders)
    examined = _examined(service, asked, evidence, drafts, on, one_action, 0.0)
    return _answered(service, asked, examined, on=on, as_of_is_set=as_of_is_set, arm=arm)


def _answered(
    service: Service,
    asked: Request,
    examined: Examined,
    *,
    on: date,
    as_of_is_set: bool,
    unseen: Container[str] = (),
    arm: str = "",
) -> Consultation:
    begun = perf_counter()
    response = respond(
        service, asked, examined, on=on, as_of_is_set=as_of_is_set, unseen=unseen, arm=arm
    )
    evidence = examined.evidence
    durations = {**examined.durations, "cards": (perf_counter() - begun) * 1000}
    closing = len(_closing(service.guideline, on, as_of_is_set))
    kept = _kept(service.guideline, examined, response, durations, closing)
    return Consultation(response, _loggable(response, evidence), kept, evidence)


def examine(
    service: Service,
    asked: Request,
    server: FhirServer | None,
    *,
    on: date,
    no_server: str = "",
    one_action: bool = False,
    max_entries: int = 5_000,
) -> Examined:
    """Gather, read, evaluate: everything `consult` does before wording it."""
    begun = perf_counter()
    drafts = open_drafts(asked.context.draft_orders)
    evidence = gather(
        service.needs,
        asked.prefetch,
        asked.context.patient_id,
        server,
        no_server,
        referred_medications(drafts),
        max_entries,
    )
    gathered_ms = (perf_counter() - begun) * 1000
    return _examined(service, asked, evidence, drafts, on, one_action, gathered_ms)


def _examined(
    service: Service,
    asked: Request,
    evidence: Mapping[str, Answer],
    drafts: OpenedBasket,
    on: date,
    one_action: bool,
    gathered_ms: float,
) -> Examined:
    patient_id = asked.context.patient_id
    begun = perf_counter()
    record = read_record(evidence, service.needs, patient_id)
    read = perf_counter()
    evaluation = evaluate(service, asked, evidence, drafts, record, on)
    evaluated = perf_counter()
    if one_action:
        evaluation = b12.one_action_each(evaluation, service.guideline)
    durations = {
        "gather": gathered_ms,
        "read": (read - begun) * 1000,
        "evaluate": (evaluated - read) * 1000,
    }
    return Examined(evidence, record, evaluation, durations)


def evaluate(
    service: Service,
    asked: Request,
    evidence: Mapping[str, Answer],
    drafts: OpenedBasket,
    record: Record,
    on: date,
) -> b12.Evaluation:
    """What the guideline says to this hook: about the chart, or about the orders being written."""
    if service.hook == "patient-view":
        return b12.evaluate(record, on, service.guideline)
    context = asked.context
    basket = read_basket(drafts, context.selections, context.patient_id, evidence)
    signing = service.hook == "order-sign"
    return b12.evaluate_orders(record, basket, on, service.guideline, signing=signing)


def respond(
    service: Service,
    asked: Request,
    examined: Examined,
    *,
    on: date,
    as_of_is_set: bool,
    unseen: Container[str] = (),
    arm: str = "",
) -> Response:
    """The evaluation as cards, and the account of it that goes with every answer."""
    g, evaluation, record = service.guideline, examined.evaluation, examined.record
    cards = build_cards(
        evaluation.outcomes,
        service.stationery,
        partial(orders.write, patient_id=asked.context.patient_id),
        call=f"{asked.hook_instance}|{service.id}{f'|{arm}' if arm else ''}",
        data_notes=b12.data_notes(evaluation, record, g),
        closing=_closing(g, on, as_of_is_set),
        unseen=unseen,
    )
    account = _account(evaluation, record, g, spoke=bool(cards))
    if as_of_is_set:
        account["asOf"] = on.isoformat()
    return Response(cards=cards, extension={EVALUATION_EXTENSION: account})


def _closing(g: b12.Guideline, on: date, as_of_is_set: bool) -> list[Note]:
    texts, about = g.file.texts, g.file.guideline
    notes = []
    if as_of_is_set:
        notes.append(Note("missing", texts.as_of, {"date": on}))
    if g.local:
        notes.append(Note("missing", texts.local_settings, {"names": ", ".join(g.local)}))
    notes.append(
        Note("missing", texts.review, {"status": about.review_status, "edition": about.edition})
    )
    return notes


def _account(
    evaluation: b12.Evaluation, record: Record, g: b12.Guideline, *, spoke: bool
) -> dict[str, Any]:
    """What was evaluated, so that no cards never means that nothing was looked at."""
    about = g.file.guideline
    outcomes = evaluation.outcomes
    silent = all(isinstance(one, NotIndicated) for one in outcomes)
    required = {need.key for need in g.needs if need.importance == "required"}
    partly = bool(required & (record.missing.keys() | record.incomplete))
    account: dict[str, Any] = {
        "guideline": about.id,
        "edition": about.edition,
        "outcome": "advice"
        if spoke
        else "nothing to say"
        if silent and not partly
        else "not evaluated",
        "ruleIds": list(evaluation.reasoning.fired()),
    }
    reasons = [f"{one.rule}: {one.reason}" for one in outcomes if isinstance(one, NotIndicated)]
    if not spoke and evaluation.facts.unusable:
        reasons.append(f"unusable result: {', '.join(evaluation.facts.unusable)}")
    missing = [
        *(f"{key}: {why}" for key, why in record.missing.items()),
        *(f"{key}: possibly incomplete" for key in sorted(record.incomplete)),
        *(f"{key}: {count} not readable" for key, count in record.unreadable.items()),
        *(fact for one in outcomes if isinstance(one, CannotTell) for fact in one.missing),
    ]
    foreign, basket = record.foreign, evaluation.basket
    if basket is not None:
        foreign += basket.foreign
        account["orders"] = len(basket.drafts)
        if not basket.sent:
            missing.append("draftOrders: not sent")
        if basket.unreadable:
            missing.append(f"draftOrders: {basket.unreadable} not readable")
    if reasons:
        account["because"] = reasons
    if missing:
        account["missing"] = missing
    if foreign:
        account["otherPatientsRecordsIgnored"] = foreign
    if g.local:
        account["localSettings"] = list(g.local)
    return account


def _loggable(response: Response, evidence: Mapping[str, Answer]) -> dict[str, Any]:
    """Names and counts only: no values, no ids, nothing a patient could be known by."""
    account = response.extension[EVALUATION_EXTENSION]
    return {
        "outcome": account["outcome"],
        "rules": account["ruleIds"],
        "cards": [card.extension[RULES_EXTENSION]["ruleIds"][0] for card in response.cards],
        "missing": [
            key for key, answer in evidence.items() if answer.state in ("failed", "absent")
        ],
        "fetched": [key for key, answer in evidence.items() if answer.origin == "server"],
    }


def _kept(
    g: b12.Guideline,
    examined: Examined,
    response: Response,
    durations: Mapping[str, float],
    closing: int,
) -> audit.Evaluation:
    evaluation, record = examined.evaluation, examined.record
    about, account = g.file.guideline, response.extension[EVALUATION_EXTENSION]
    outcomes = evaluation.outcomes
    lacking = [fact for one in outcomes if isinstance(one, CannotTell) for fact in one.missing]
    return audit.Evaluation(
        guideline=about.id,
        edition=about.edition,
        outcome=account["outcome"],
        rules=tuple([_rule_outcome(one) for one in outcomes]),
        fired=tuple(account["ruleIds"]),
        cards=tuple(
            [
                _kept_card(outcome, card, closing)
                for outcome, card in zip(speaking(outcomes), response.cards, strict=True)
            ]
        ),
        missing=(*record.missing, *sorted(record.incomplete), *record.unreadable, *lacking),
        needs={
            key: f"{answer.state} {answer.origin}" if answer.origin else answer.state
            for key, answer in examined.evidence.items()
        },
        durations=durations,
    )


def _rule_outcome(outcome: Outcome) -> audit.RuleOutcome:
    if isinstance(outcome, Recommend):
        return audit.RuleOutcome(outcome.rule, "recommended")
    if isinstance(outcome, NotIndicated):
        return audit.RuleOutcome(outcome.rule, "not indicated", because=outcome.reason)
    return audit.RuleOutcome(outcome.rule, "cannot tell", missing=outcome.missing)


def _kept_card(outcome: Recommend | CannotTell, card: Card, closing: int) -> audit.Card:
    choices = outcome.choices if isinstance(outcome, Recommend) else ()
    topic = card.source.topic
    return audit.Card(
        card.uuid,
        outcome.rule,
        outcome.card,
        topic.code if topic else "",
        card.indicator,
        digest(card, closing),
        tuple(
            [
                audit.Suggested(made.uuid, choice.rule, choice.recommended)
                for made, choice in zip(card.suggestions, choices, strict=True)
            ]
        ),
    )


# --- services -----------------------------------------------------------------------------------


def load_services(overrides: Path | None = None) -> tuple[Service, ...]:
    """Every service this program offers, its guideline loaded and checked.

    The orders of the guideline as it ships are checked by its tests; a site's changes to them
    are checked here. Raises `GuidelineError` with the file, the name and the cure.
    """
    g = b12.load(overrides)
    if g.local:
        check_orders(g)
    about, stationery = g.file.guideline, Stationery(g.wording)
    return tuple(
        Service(
            id=f"{about.id}-{hook}",
            hook=hook,
            title=f"{about.title}: {what}",
            description=f"{does} The guideline behind it awaits human review.",
            usage_requirements="FHIR R4 (4.0.1). The patient must be readable; the B12 results"
            " and the problem list are needed for advice, everything else makes it more precise.",
            needs=g.needs,
            guideline=g,
            stationery=stationery,
        )
        for hook, what, does in _HOOKS
    )


#: The hooks answered, each by a service of its own: what it looks at, and what it does.
_HOOKS: Sequence[tuple[str, str, str]] = (
    (
        "patient-view",
        "the chart",
        "Suggests treatment, tests and follow-up for an infant whose chart is opened.",
    ),
    (
        "order-select",
        "orders being written",
        "Checks route, dose and follow-up of the vitamin B12 order being written, and suggests"
        " treatment where an order is begun for a deficient, untreated infant.",
    ),
    (
        "order-sign",
        "orders being signed",
        "Checks route, dose and follow-up of every vitamin B12 order about to be signed, and"
        " says when a deficient, untreated infant gets none.",
    ),
)


def check_orders(g: b12.Guideline) -> int:
    """Builds one of every order the guideline can suggest as FHIR R4; returns how many."""
    specimens = list(_specimens(g))
    orders.check(specimens)
    return len(specimens)


def _specimens(g: b12.Guideline) -> Iterator[tuple[str, Plan]]:
    """One of every order the guideline can suggest, for nobody."""
    products, routes = g.file.products, g.file.routes
    for dose_name in g.file.doses.__struct_fields__:
        dose = getattr(g.file.doses, dose_name)
        for product_name in products.__struct_fields__:
            product = getattr(products, product_name)
            for route in routes.__struct_fields__:
                yield (
                    f"doses.{dose_name} of products.{product_name}",
                    orders.specimen_drug(
                        product.codes,
                        product.name,
                        getattr(routes, route),
                        dose.amount,
                        dose.phases,
                    ),
                )
    day = date(2026, 1, 1)
    for name in g.file.tests.__struct_fields__:
        test = getattr(g.file.tests, name)
        codes = test.codes
        yield f"tests.{name}", PlannedTest(codes, test.name, day, day)
    yield "texts.mother", PlannedTask(g.file.texts.mother, day)
