"""What was calculated and is not shown: rules and services in trial, and answers already given.

A trial hides what an operator named. An answer is respected when a card, word for word the same,
was overridden for the same patient a short time ago. Where that is not certain the card is
shown, and some cards always are:

- a critical card, which only says that it was overridden before;
- at ``order-sign`` every card: it is the last look before a dose reaches a child;
- a card about an order being written: a new draft is a new act, whatever it resembles;
- a card that says what could not be evaluated.

What is hidden is counted, kept with its reason, and said in the account of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from msgspec import Struct, structs

from cds_service.cdshooks.response import Card, Response
from cds_service.consultation.account import EVALUATION_EXTENSION
from cds_service.consultation.cards import RULES_EXTENSION
from cds_service.consultation.occasion import Consultation
from cds_service.errors import SettingsError
from cds_service.language import Language, house, say
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
    which would show what someone meant to hide."""
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
            "CDS_TRIALS", f"rule:{name} is not a rule that has cards", f"Name one of: {listed}."
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
    """For how long an answer is respected, by indicator, and whether a client ``fits``: whether its
    patients have one id each. ``now`` is the clock."""

    overrides: Overrides
    windows: Mapping[str, timedelta]
    fits: Callable[[str], bool]
    now: Callable[[], datetime]

    def already(self, client: str, patient: str) -> Mapping[audit.Content, datetime]:
        """When what was overridden for this patient; nothing where that is not known."""
        if not self.fits(client):
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
        tried = frozenset([one.rule for one in self.trials if one.covers(client, service.id)])
        whole = "" in tried
        # A service in trial shows nothing anyway.
        before = self._overridden(client, patient) if kept.cards and not whole else {}
        unsaid = _unsaid(kept)
        judged = []
        for card, own in zip(done.response.cards, kept.cards, strict=True):
            at = before.get(own.content)
            if tried & {"", own.rule}:
                judged.append(_Judged(card, own, at, None, IN_TRIAL))
            else:
                until = None if own.rule in unsaid else self._rests(service.hook, card, at)
                why = OVERRIDDEN if until is not None else ""
                judged.append(_Judged(card, own, at, until, why))
        if not (whole or before or any(one.why for one in judged)):
            return done
        return _held_back(done, kept, judged, service.language, whole=whole)

    def _overridden(self, client: str, patient: str) -> Mapping[audit.Content, datetime]:
        """What was overridden before for this patient, and when, where that is respected."""
        return self.respect.already(client, patient) if self.respect else {}

    def _rests(self, hook: str, card: Card, at: datetime | None) -> datetime | None:
        """Until when ``card`` rests that was overridden ``at``, if it was and does."""
        return self.respect.until(hook, card, at) if self.respect and at is not None else None


class _Judged(NamedTuple):
    """A card as it would be shown and as it is kept; when it was overridden before, until when it
    rests for that, and ``why`` it is not shown, "" when it is."""

    card: Card
    own: audit.Card
    at: datetime | None
    until: datetime | None = None
    why: str = ""


def _unsaid(kept: audit.Evaluation) -> frozenset[str]:
    """The rules that could not tell: what they say is never withheld as said before."""
    return frozenset([one.rule for one in kept.rules if one.outcome == "cannot tell"])


def _held_back(
    done: Consultation,
    kept: audit.Evaluation,
    judged: Sequence[_Judged],
    language: Language,
    *,
    whole: bool,
) -> Consultation:
    """``done`` with those cards only that are shown; ``whole`` when its service is in trial."""
    shown = [one for one in judged if not one.why]
    withheld = [one for one in judged if one.why]
    for one in withheld:
        metrics.withheld.labels(one.own.rule, one.why).inc()
    account = dict(done.response.extension[EVALUATION_EXTENSION])
    account.update(_said_of(shown, withheld, language, whole=whole))
    return structs.replace(
        done,
        response=Response(
            cards=[_marked(one) for one in shown],
            extension={**done.response.extension, EVALUATION_EXTENSION: account},
        ),
        log={
            **done.log,
            "outcome": account["outcome"],
            "cards": [unqualified(one.own.rule) for one in shown],
            "withheld": [unqualified(one.own.rule) for one in withheld],
        },
        evaluation=structs.replace(
            kept,
            outcome=account["outcome"],
            cards=tuple([structs.replace(one.own, hidden=one.why) for one in judged]),
        ),
    )


def _said_of(
    shown: Sequence[_Judged], withheld: Sequence[_Judged], language: Language, *, whole: bool
) -> dict[str, Any]:
    """What the account of the answer says otherwise, and besides."""
    said: dict[str, Any] = {}
    if whole:
        trial = language.fill(say(house.Account.in_trial))
        said.update(outcome="in trial", trial=trial, silence=trial)
    elif withheld and not shown:
        tried = all(one.why == IN_TRIAL for one in withheld)
        said["outcome"] = "in trial" if tried else "advice withheld"
        said["silence"] = language.fill(say(house.Account.withheld))
    if withheld:
        said["withheld"] = [_entry(one) for one in withheld]
    return said


def _entry(judged: _Judged) -> dict[str, Any]:
    """What the account says of a card that is not shown."""
    topic = judged.card.source.topic
    entry: dict[str, Any] = {
        "ruleIds": judged.card.extension[RULES_EXTENSION]["ruleIds"],
        "topic": topic.code if topic else "",
        "indicator": judged.card.indicator,
        "because": judged.why,
    }
    if judged.until is not None and judged.at is not None:
        entry.update(overriddenAt=_written(judged.at), until=_written(judged.until))
    return entry


def _marked(judged: _Judged) -> Card:
    """The card, with the moment when it was overridden before if it was."""
    card, at = judged.card, judged.at
    if at is None:
        return card
    rules = {**card.extension[RULES_EXTENSION], "overriddenBefore": _written(at)}
    return structs.replace(card, extension={**card.extension, RULES_EXTENSION: rules})


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
