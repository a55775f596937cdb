"""The account of a call: what goes with every answer, what is logged of it, and what is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cds_service import EXTENSIONS
from cds_service.cdshooks.response import Card, Response
from cds_service.clinical import Record
from cds_service.consultation.cards import RULES_EXTENSION, digest, speaking
from cds_service.consultation.occasion import Examined
from cds_service.fhir.gather import Answer
from cds_service.guidelines.engine import (
    CannotTell,
    Evaluation,
    NotIndicated,
    Outcome,
    Recommend,
)
from cds_service.guidelines.guideline import Guideline
from cds_service.store import audit

EVALUATION_EXTENSION = f"{EXTENSIONS}.evaluation"


def account_of(
    evaluation: Evaluation[Any], record: Record, g: Guideline, *, spoke: bool
) -> dict[str, Any]:
    """What was evaluated, so that no cards never means that nothing was looked at."""
    about = g.wording.about
    outcomes = evaluation.outcomes
    silent = all(isinstance(one, NotIndicated) for one in outcomes)
    required = {need.key for need in g.needs if need.importance == "required"}
    partly = bool(required & (record.missing.keys() | record.incomplete))
    account: dict[str, Any] = {
        "guideline": about.id,
        "edition": about.edition,
        "outcome": "not evaluated",
        "ruleIds": list(evaluation.reasoning.fired()),
    }
    if spoke:
        account["outcome"] = "advice"
    elif silent and not partly:
        account["outcome"] = "nothing to say"
    reasons = [f"{one.rule}: {one.reason}" for one in outcomes if isinstance(one, NotIndicated)]
    if not spoke and evaluation.unusable:
        reasons.append(f"unusable result: {', '.join(evaluation.unusable)}")
    foreign, basket = record.foreign, evaluation.basket
    if basket is not None:
        foreign += basket.foreign
        account["orders"] = len(basket.drafts)
    told = {
        "because": reasons,
        "missing": list(_missing(evaluation, record)),
        "otherPatientsRecordsIgnored": foreign,
        "localSettings": list(g.local),
    }
    return {**account, **{name: value for name, value in told.items() if value}}


def _missing(evaluation: Evaluation[Any], record: Record) -> Iterator[str]:
    yield from (f"{key}: {why}" for key, why in record.missing.items())
    yield from (f"{key}: possibly incomplete" for key in sorted(record.incomplete))
    yield from (f"{key}: {count} not readable" for key, count in record.unreadable.items())
    yield from _lacking(evaluation.outcomes)
    basket = evaluation.basket
    if basket is not None:
        if not basket.sent:
            yield "draftOrders: not sent"
        if basket.unreadable:
            yield f"draftOrders: {basket.unreadable} not readable"


def _lacking(outcomes: Iterable[Outcome]) -> list[str]:
    return [fact for one in outcomes if isinstance(one, CannotTell) for fact in one.missing]


def loggable(response: Response, evidence: Mapping[str, Answer]) -> dict[str, Any]:
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


def kept(
    g: Guideline,
    examined: Examined,
    response: Response,
    durations: Mapping[str, float],
    closing: int,
) -> audit.Evaluation:
    """What is kept of an answer; ``closing`` is how many paragraphs end every card."""
    evaluation, record = examined.evaluation, examined.record
    about, account = g.wording.about, response.extension[EVALUATION_EXTENSION]
    outcomes = evaluation.outcomes
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
        missing=(
            *record.missing,
            *sorted(record.incomplete),
            *record.unreadable,
            *_lacking(outcomes),
        ),
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
