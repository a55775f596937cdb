"""The account of a call: what goes with every answer, what is logged of it, and what is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cds_service import EXTENSIONS
from cds_service.cdshooks.response import Card, Response
from cds_service.clinical import BESIDE, Code, Need, Record, Unread
from cds_service.consultation.cards import RULES_EXTENSION, Spoken, digest
from cds_service.consultation.occasion import Examined
from cds_service.fhir.gather import Answer
from cds_service.fhir.reading.context import are_known
from cds_service.guidelines.engine import (
    CannotTell,
    NotIndicated,
    Outcome,
    Recommend,
)
from cds_service.guidelines.guideline import Evaluation
from cds_service.language import Language, Listed, Message, Words, house, say
from cds_service.store import audit
from cds_service.store.audit import qualified

if TYPE_CHECKING:
    from cds_service.consultation.services import Service

EVALUATION_EXTENSION = f"{EXTENSIONS}.evaluation"


def account_of(
    evaluation: Evaluation[Any], record: Record, service: Service, *, spoke: bool
) -> dict[str, Any]:
    """What was evaluated, so that no cards never means that nothing was looked at."""
    g, language = service.guideline, service.language
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
    if evaluation.basket is not None:
        account["orders"] = len(evaluation.basket.drafts)
    unread = evaluation.unread
    if not spoke:
        facts = tuple(_missing(evaluation, record))
        account["silence"] = language.fill(
            _silence(outcomes, facts, evaluated=silent and not partly)
        )
    told = {
        "because": [language.text(one) for one in _because(evaluation, unread, spoke=spoke)],
        "missing": [language.text(one) for one in _missing(evaluation, record)],
        "unread": _unread_listed(unread),
        "otherPatientsRecordsIgnored": sum(one.reason == "another patient" for one in unread),
        "localSettings": list(g.local),
    }
    return {**account, **{name: value for name, value in told.items() if value}}


def _silence(
    outcomes: Iterable[Outcome], missing: tuple[Words, ...], *, evaluated: bool
) -> Message:
    """Why there is no card, in one sentence."""
    if not evaluated:
        return say(house.Account.not_evaluated, facts=Listed(missing, "semicolon"))
    reasons = [one.reason for one in outcomes if isinstance(one, NotIndicated)]
    return say(house.Account.nothing_to_say, reasons=Listed(tuple(reasons), "semicolon"))


def _unread_listed(unread: Iterable[Unread]) -> list[dict[str, Any]]:
    """For each need and reason what it is by name, and how many."""
    listed: dict[tuple[str, str], list[str]] = {}
    for one in unread:
        if one.reason == "another patient":
            continue  # reported as otherPatientsRecordsIgnored
        listed.setdefault((one.need, one.reason), []).append(one.name or one.code)
    return [
        {
            "need": need,
            "reason": reason,
            **({"what": known[:_MOST_NAMES]} if (known := sorted({*names} - {""})) else {}),
            "count": len(names),
        }
        for (need, reason), names in sorted(listed.items())
    ]


#: An answer names so many of one need and reason, and counts them all.
_MOST_NAMES = 20


def _because(
    evaluation: Evaluation[Any], unread: Iterable[Unread], *, spoke: bool
) -> Iterator[Words]:
    for one in evaluation.outcomes:
        if isinstance(one, NotIndicated):
            yield say(house.Account.because, rule=one.rule, reason=one.reason)
    if not spoke and evaluation.unusable:
        yield say(house.Account.unusable, results=Listed(evaluation.unusable))
    count = sum(one.reason not in BESIDE for one in unread)
    if not spoke and count:
        yield say(house.Account.silent_over, count=count)


def _missing(evaluation: Evaluation[Any], record: Record) -> Iterator[Words]:
    for key, why in record.missing.items():
        yield say(house.Account.missing, need=key, reason=why)
    for key in sorted(record.incomplete):
        yield say(house.Account.incomplete, need=key)
    for key, count in record.unreadable.items():
        yield say(house.Account.unreadable, need=key, count=count)
    yield from _lacking(evaluation.outcomes)
    basket = evaluation.basket
    if basket is not None:
        if not basket.sent:
            yield say(house.Account.no_basket)
        if basket.unreadable:
            yield say(house.Account.unreadable_drafts, count=basket.unreadable)


def _lacking(outcomes: Iterable[Outcome]) -> list[Words]:
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
    service: Service,
    examined: Examined,
    spoken: Iterable[Spoken],
    response: Response,
    durations: Mapping[str, float],
) -> audit.Evaluation:
    """What is kept of an answer whose cards are those of the outcomes that are ``spoken``: the
    same in whatever language it was given."""
    evaluation, record = examined.evaluation, examined.record
    about, account = service.guideline.wording.about, response.extension[EVALUATION_EXTENSION]
    outcomes, original = evaluation.outcomes, service.language.original
    return audit.Evaluation(
        guideline=about.id,
        edition=about.edition,
        outcome=account["outcome"],
        rules=tuple([_rule_outcome(about.id, one, original) for one in outcomes]),
        fired=tuple([qualified(about.id, rule) for rule in account["ruleIds"]]),
        cards=tuple(
            [
                _kept_card(about.id, one, card)
                for one, card in zip(spoken, response.cards, strict=True)
            ]
        ),
        missing=(
            *record.missing,
            *sorted(record.incomplete),
            *record.unreadable,
            *(original.text(one) for one in _lacking(outcomes)),
        ),
        needs={
            key: f"{answer.state} {answer.origin}" if answer.origin else answer.state
            for key, answer in examined.evidence.items()
        },
        durations=durations,
        unread=_counted(evaluation.unread),
        unknown=tuple(sorted({*_unknown_codes(examined, service.needs)})[:_MOST_UNKNOWN]),
    )


def _counted(unread: Iterable[Unread]) -> dict[str, int]:
    """What was not used, by need and reason."""
    counts: dict[str, int] = {}
    for one in unread:
        of = f"{one.need}: {one.reason}"
        counts[of] = counts.get(of, 0) + 1
    return counts


#: So many different codes of one call are counted.
_MOST_UNKNOWN = 50
#: No code is longer, and none has a blank: what does is not a code but someone's words.
is_code = re.compile(r"[!-~]{1,64}").fullmatch
is_system = re.compile(r"[!-~]{0,200}").fullmatch


def _unknown_codes(examined: Examined, needs: Sequence[Need]) -> Iterator[audit.UnknownCode]:
    """The codes of a call that are not known here, also of what its name explained."""
    sent = [
        (one.need, Code(one.system, one.code))
        for one in examined.record.unread
        if one.reason == "code system"
    ]
    basket = examined.evaluation.basket
    local = next((need.local for need in needs), frozenset[tuple[str, str]]())
    for draft in basket.drafts if basket is not None else ():
        if draft.kind == "drug" and draft.codes and not are_known(draft.codes, local):
            sent.append(("draftOrders", draft.codes[0]))
    for need, one in sent:
        if is_code(one.code) and is_system(one.system):
            yield audit.UnknownCode(need, one.system, one.code)


def _rule_outcome(guideline: str, outcome: Outcome, language: Language) -> audit.RuleOutcome:
    rule = qualified(guideline, outcome.rule)
    if isinstance(outcome, Recommend):
        return audit.RuleOutcome(rule, "recommended")
    if isinstance(outcome, NotIndicated):
        because = language.text(outcome.reason)
        return audit.RuleOutcome(rule, "not indicated", because=because)
    missing = tuple([language.text(one) for one in outcome.missing])
    return audit.RuleOutcome(rule, "cannot tell", missing=missing)


def _kept_card(guideline: str, spoken: Spoken, card: Card) -> audit.Card:
    outcome = spoken.outcome
    choices = outcome.choices if isinstance(outcome, Recommend) else ()
    topic = card.source.topic
    return audit.Card(
        card.uuid,
        qualified(guideline, outcome.rule),
        outcome.card,
        topic.code if topic else "",
        card.indicator,
        digest(spoken),
        tuple(
            [
                audit.Suggested(made.uuid, qualified(guideline, choice.rule), choice.recommended)
                for made, choice in zip(card.suggestions, choices, strict=True)
            ]
        ),
    )
