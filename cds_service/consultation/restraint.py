"""What was worked out and is not shown: rules and services in trial, and answers already given.

A trial hides what an operator named. An answer is respected when a card, word for word the same,
was overridden for the same patient a short time ago. Whoever cannot be sure of that shows the
card, and some cards are always shown:

- a critical card, which only says that it was overridden before;
- at ``order-sign`` every card: it is the last look before a dose reaches a child;
- a card about an order being written: a new draft is a new act, whatever it resembles;
- a card that says what could not be evaluated.

What is hidden is counted, kept with its reason, and said in the account of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct, structs

from cds_service.cdshooks.response import Card, Response
from cds_service.consultation.account import EVALUATION_EXTENSION
from cds_service.consultation.cards import RULES_EXTENSION
from cds_service.consultation.occasion import Consultation
from cds_service.errors import SettingsError
from cds_service.language import house, say
from cds_service.settings import Trial
from cds_service.store import audit, metrics
from cds_service.store.audit import qualified, unqualified

if TYPE_CHECKING:
    from cds_service.consultation.services import Service

IN_TRIAL = "in trial"
OVERRIDDEN = "overridden before"
#: How long a call waits to learn what was overridden before.
LOOK_UP_S = 0.05


def checked_trials(
    trials: Sequence[Trial], services: Sequence[Service], clients: Collection[str]
) -> tuple[Trial, ...]:
    """``trials`` with each rule named with its guideline. Refuses one of what does not exist,
    which would show what somebody meant to hide."""
    known = {"client": set(clients), "service": {one.id for one in services}}
    rules = {
        qualified(one.guideline.wording.about.id, name.partition(".")[0])
        for one in services
        for name in one.stationery.frames
    }
    for trial in trials:
        for part, names in known.items():
            name = getattr(trial, part)
            if name and name not in names:
                listed = ", ".join(sorted(names)) or "none, without CDS_CLIENTS_FILE"
                raise SettingsError(
                    "CDS_TRIALS", f"there is no {part} {name!r}", f"Name one of: {listed}."
                )
    return tuple([structs.replace(one, rule=_known_rule(one.rule, rules)) for one in trials])


def _known_rule(name: str, rules: Collection[str]) -> str:
    """The rule of that ``name``, with or without its guideline, or "" for none."""
    meant = sorted(one for one in rules if name in (one, unqualified(one)))
    if name and not meant:
        listed = ", ".join(sorted(rules))
        raise SettingsError(
            "CDS_TRIALS", f"rule:{name} is no rule that has cards", f"Name one of: {listed}."
        )
    if len(meant) > 1:
        raise SettingsError(
            "CDS_TRIALS",
            f"rule:{name} is a rule of more than one guideline",
            f"Name one of: {', '.join(meant)}.",
        )
    return meant[0] if meant else ""


class Overrides(Protocol):
    """Knows what was overridden, see `keeping.Store.overridden`."""

    def overridden(
        self, client: str | None, patient: str, since: datetime, patience: float
    ) -> Mapping[audit.Content, datetime] | None: ...


class Respect(Struct, frozen=True):
    """For how long an answer is respected, by indicator, and of which ``clients``: those whose
    patients have one id each. ``now`` is the clock."""

    overrides: Overrides
    windows: Mapping[str, timedelta]
    clients: Collection[str]
    now: Callable[[], datetime]

    def already(self, client: str, patient: str) -> Mapping[audit.Content, datetime]:
        """When what was overridden for this patient; nothing where that is not known."""
        if client not in self.clients:
            return {}
        since = self.now() - max(self.windows.values())
        found = self.overrides.overridden(client or None, patient, since, LOOK_UP_S)
        metrics.override_lookups.labels("unknown" if found is None else "known").inc()
        return found or {}

    def until(self, hook: str, card: Card, at: datetime) -> datetime | None:
        """Until when ``card``, overridden ``at``, rests; ``None`` when it is shown."""
        if hook == "order-sign" or "order" in card.extension[RULES_EXTENSION]:
            return None
        # A critical card has no window, whatever the settings say.
        window = self.windows.get(card.indicator) if card.indicator != "critical" else None
        if not window or self.now() >= at + window:
            return None
        return at + window


class Restraint(Struct, frozen=True):
    """Takes out of an answer what is not to be shown."""

    trials: tuple[Trial, ...] = ()
    respect: Respect | None = None

    def unseen_rules(self, client: str, service: Service) -> frozenset[str]:
        """The guideline's rules in trial for this caller, as its cards name them; these carry
        nothing that others must see."""
        own = qualified(service.guideline.wording.about.id, "")
        return frozenset(
            [
                unqualified(one.rule)
                for one in self.trials
                if one.rule.startswith(own) and one.covers(client, service.id)
            ]
        )

    def hold_back(
        self, done: Consultation, service: Service, client: str, patient: str
    ) -> Consultation:
        """``done`` as it is answered and recorded."""
        kept = done.evaluation
        if kept is None:
            return done
        covering = [one for one in self.trials if one.covers(client, service.id)]
        whole = any(not one.rule for one in covering)
        rules = {one.rule for one in covering}
        before: Mapping[audit.Content, datetime] = {}
        if self.respect is not None and kept.cards and not whole:
            before = self.respect.already(client, patient)
        shown: list[Card] = []
        kept_cards: list[audit.Card] = []
        withheld: list[dict[str, Any]] = []
        unsaid = {one.rule for one in kept.rules if one.outcome == "cannot tell"}
        for card, own in zip(done.response.cards, kept.cards, strict=True):
            at = before.get(own.content)
            why, until = "", None
            if whole or own.rule in rules:
                why = IN_TRIAL
            elif at is not None and own.rule not in unsaid:
                until = self.respect.until(service.hook, card, at) if self.respect else None
                why = OVERRIDDEN if until is not None else ""
            kept_cards.append(structs.replace(own, hidden=why) if why else own)
            if why:
                withheld.append(_entry(card, why, at, until))
                metrics.withheld.labels(own.rule, why).inc()
            else:
                shown.append(card if at is None else _marked(card, at))
        if not (withheld or whole or before):
            return done
        account = dict(done.response.extension[EVALUATION_EXTENSION])
        if whole:
            told = service.language.fill(say(house.Account.in_trial))
            account.update(outcome="in trial", trial=told)
        elif withheld and not shown:
            tried = all(one["because"] == IN_TRIAL for one in withheld)
            account["outcome"] = "in trial" if tried else "advice withheld"
        if withheld:
            account["withheld"] = withheld
        extension = {**done.response.extension, EVALUATION_EXTENSION: account}
        return structs.replace(
            done,
            response=Response(cards=shown, extension=extension),
            log={
                **done.log,
                "outcome": account["outcome"],
                "cards": [unqualified(one.rule) for one in kept_cards if not one.hidden],
                "withheld": [unqualified(one.rule) for one in kept_cards if one.hidden],
            },
            evaluation=structs.replace(kept, outcome=account["outcome"], cards=tuple(kept_cards)),
        )


def _entry(card: Card, why: str, at: datetime | None, until: datetime | None) -> dict[str, Any]:
    """What the account says of a card that is not shown."""
    topic = card.source.topic
    entry: dict[str, Any] = {
        "ruleIds": card.extension[RULES_EXTENSION]["ruleIds"],
        "topic": topic.code if topic else "",
        "indicator": card.indicator,
        "because": why,
    }
    if until is not None and at is not None:
        entry.update(overriddenAt=_written(at), until=_written(until))
    return entry


def _marked(card: Card, at: datetime) -> Card:
    rules = {**card.extension[RULES_EXTENSION], "overriddenBefore": _written(at)}
    return structs.replace(card, extension={**card.extension, RULES_EXTENSION: rules})


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
