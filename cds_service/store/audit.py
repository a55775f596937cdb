"""What is kept of one call: who asked what, which rules answered how, which cards came of it.

Names, codes, counts and times; no value from a patient's record. A ``rule`` is named with its
guideline, see `qualified`. The ids of patient, user and
hook instance are as sent here and are made unreadable before anything is kept, see `Pseudonyms`.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from cds_service.language import Instant, Language, Listed, Message, Rounded, Words, say
from cds_service.language.house import Kept as K


def qualified(guideline: str, rule: str) -> str:
    """The id of a rule among those of all guidelines: another may have a rule of the same id."""
    return f"{guideline}/{rule}"


def unqualified(rule: str) -> str:
    """The id of a rule in its own guideline, as shown on its card."""
    return rule.rpartition("/")[2]


class Suggested(Struct, frozen=True):
    """One suggestion of a card, by the uuid that its acceptance will name."""

    uuid: str
    rule: str
    recommended: bool


class Content(NamedTuple):
    """What a card says, whatever call it answers: two cards of one content say the same."""

    rule: str
    text: str
    topic: str
    indicator: str
    digest: str


class Card(Struct, frozen=True):
    """One card. ``text`` is the name of its text in the guideline, ``topic`` stays the same for the
    same advice, ``digest`` only as long as nothing on the card changes; ``hidden`` says why a
    card was not shown, "" when it was."""

    uuid: str
    rule: str
    text: str
    topic: str
    indicator: str
    digest: str
    suggestions: tuple[Suggested, ...] = ()
    hidden: str = ""

    @property
    def content(self) -> Content:
        return Content(self.rule, self.text, self.topic, self.indicator, self.digest)


class RuleOutcome(Struct, frozen=True, omit_defaults=True):
    """What one decision table concluded: why it says nothing, or which facts were missing."""

    rule: str
    outcome: Literal["recommended", "not indicated", "cannot tell"]
    because: str = ""
    missing: tuple[str, ...] = ()


class UnknownCode(NamedTuple):
    """A code that was sent for a need and is not known here: system and code alone. Counted by day,
    apart from the calls, so that no code can be led back to a patient."""

    need: str
    system: str
    code: str


class Evaluation(Struct, frozen=True):
    """The result of a call that was evaluated.

    ``fired`` are the rules that held on the way, ``missing`` the needs and facts that were missing,
    ``needs`` each need's state and where it came from, ``durations`` milliseconds by stage.
    ``unread`` counts what was sent and not used, by "need: reason"; ``unknown`` are the codes
    that were not known. ``arm`` distinguishes a guideline that is only tried from the one in force
    ("live").
    """

    guideline: str
    edition: str
    outcome: str
    rules: tuple[RuleOutcome, ...]
    fired: tuple[str, ...]
    cards: tuple[Card, ...]
    missing: tuple[str, ...]
    needs: Mapping[str, str]
    durations: Mapping[str, float]
    arm: str = "live"
    unread: Mapping[str, int] = {}
    unknown: tuple[UnknownCode, ...] = ()


class Call(Struct, frozen=True):
    """One call, answered with ``status`` after ``ms`` in ``language``; ``problem`` names what was
    refused."""

    service: str
    hook: str
    status: int
    ms: float
    client: str | None = None
    hook_instance: str = ""
    patient_id: str = ""
    user_id: str = ""
    fhir_server: str = ""
    as_of: str = ""
    problem: str = ""
    evaluation: Evaluation | None = None
    language: str = ""


class Kept(Struct, frozen=True):
    """A call under the name it is found by; ``at`` in seconds since 1970."""

    id: str
    at: float
    call: Call


class Pseudonyms(Struct, frozen=True):
    """Makes ids unreadable: equal ids stay equal, and only a holder of the key can test one.

    Without a key an id is not kept at all, and with ``plain`` it is kept as it is.
    """

    key: bytes = b""
    plain: bool = False

    def of(self, kind: str, client: str | None, name: str) -> str | None:
        if not name:
            return None
        if self.plain:
            return name
        if not self.key:
            return None
        return hmac.digest(self.key, f"{kind}|{client or ''}|{name}".encode(), "sha256").hex()[:32]

    def __repr__(self) -> str:
        return "Pseudonyms(...)"


# --- free words -------------------------------------------------------------------------------

#: The reasons that the service offers for an override, by system and code, with their displays.
Offered = Mapping[tuple[str, str], str]
_is_uuid = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch


def without_free_words(item: Mapping[str, Any], offered: Offered, instead: str) -> dict[str, Any]:
    """An item of feedback without what a client may have written as it liked, which may name a
    patient: comment, extension, reasons that were not offered, displays of those that were, and
    ids that are not UUIDs. ``instead`` takes their place, "" leaves them out."""
    kept = dict(item)
    for name in ("comment", "extension"):
        kept[name] = item[name] and (instead or None)
    kept["sealed"] = None
    kept["card"] = item["card"] if _is_uuid(item["card"]) else instead or "not a UUID"
    accepted = [one if _is_uuid(one) else instead for one in item["accepted"]]
    kept["accepted"] = list(filter(None, accepted))
    reasons = [_in_our_words(one, offered, instead) for one in item["reasons"]]
    kept["reasons"] = [one for one in reasons if one["code"] or one["display"]]
    return kept


def _in_our_words(reason: Mapping[str, Any], offered: Offered, instead: str) -> dict[str, Any]:
    """The reason in our own words, if it was offered."""
    display = as_offered(reason["system"], reason["code"], offered)
    if display is not None:
        return {**reason, "display": display}
    return {**reason, "system": "", "code": "", "display": instead}


def as_offered(system: str, code: str, offered: Offered) -> str | None:
    """How a reason was offered, if it was; some clients send its code alone."""
    for (one, known), display in offered.items():
        if code == known and system in ("", one):
            return display
    return None


# --- for a person to read -----------------------------------------------------------------------


def in_words(kept: Mapping[str, Any], language: Language) -> Iterator[str]:
    """A kept consultation, as `database.Database.consultation` returns it, for a person to read."""
    for depth, line in _lines(kept):
        yield "  " * depth + language.text(line)


#: How far a line is indented, and what it says.
_Line = tuple[int, Words]


def _lines(kept: Mapping[str, Any]) -> Iterator[_Line]:
    at = Instant(kept["at"])
    yield 0, say(K.consultation, id=kept["id"], at=at, version=kept["version"])
    service, hook, instance = kept["service"], kept["hook"], kept["hook_instance"]
    if instance:
        yield 1, say(K.service_instance, service=service, hook=hook, instance=instance)
    else:
        yield 1, say(K.service, service=service, hook=hook)
    for name, text in (
        ("client", say(K.client, name=kept["client"])),
        ("patient", say(K.patient, name=kept["patient"])),
        ("asked_by", say(K.asked_by, name=kept["asked_by"])),
        ("fhir_server", say(K.fhir_server, name=kept["fhir_server"])),
    ):
        if kept[name]:
            yield 1, text
    yield 1, _answered(kept)
    if kept["problem"]:
        yield 1, say(K.refused, problem=kept["problem"])
    if kept["outcome"] is not None:
        yield from _evaluated(kept)
        for card in kept["cards"]:
            yield from _shown(card)


def _answered(kept: Mapping[str, Any]) -> Message:
    status, ms = kept["status"], str(kept["ms"])
    stages = [
        say(K.stage, stage=stage, ms=Rounded(spent, 2))
        for stage, spent in (kept["durations"] or {}).items()
    ]
    if stages:
        return say(K.answered_in_stages, status=status, ms=ms, stages=Listed(tuple(stages)))
    return say(K.answered, status=status, ms=ms)


def _evaluated(kept: Mapping[str, Any]) -> Iterator[_Line]:
    guideline, edition = kept["guideline"], kept["edition"]
    yield 1, say(K.guideline, guideline=guideline, edition=edition, on=kept["as_of"])
    if kept["arm"] != "live":
        yield 1, say(K.tried, arm=kept["arm"])
    if kept["overrides"]:
        yield 1, say(K.settings, digest=kept["overrides"][:12])
        yield from ((2, line) for line in kept["overrides_text"].splitlines())
    if kept["language"]:
        yield 1, say(K.language, language=kept["language"])
    yield 1, say(K.outcome, outcome=kept["outcome"])
    for rule in kept["rules"]:
        name, outcome = rule["rule"], rule["outcome"]
        because = rule.get("because") or Listed(tuple(rule.get("missing", ())))
        if isinstance(because, str) or because.items:
            yield 1, say(K.rule_because, rule=name, outcome=outcome, because=because)
        else:
            yield 1, say(K.rule, rule=name, outcome=outcome)
    fired, missing = Listed(tuple(kept["fired"])), Listed(tuple(kept["missing"]))
    yield 1, say(K.fired, rules=fired) if fired.items else say(K.no_rule)
    yield 1, say(K.missing, facts=missing) if missing.items else say(K.nothing_missing)
    if kept["unread"]:
        counts = (f"{of} ({count})" for of, count in sorted(kept["unread"].items()))
        yield 1, say(K.unread, counts=Listed(tuple(counts), "semicolon"))
    needs = [say(K.need, need=key, state=state) for key, state in kept["needs"].items()]
    yield 1, say(K.needs, needs=Listed(tuple(needs)))


def _shown(card: Mapping[str, Any]) -> Iterator[_Line]:
    uuid, indicator, text, rule = (card[each] for each in ("uuid", "indicator", "text", "rule"))
    if card["shown"]:
        yield 1, say(K.card, uuid=uuid, indicator=indicator, text=text, rule=rule)
    else:
        hidden = str(card["hidden"])
        yield (
            1,
            say(
                K.card_not_shown,
                uuid=uuid,
                indicator=indicator,
                text=text,
                rule=rule,
                hidden=hidden,
            ),
        )
    for one in card["suggestions"]:
        if one["recommended"]:
            yield 2, say(K.suggestion_recommended, uuid=one["uuid"], rule=one["rule"])
        else:
            yield 2, say(K.suggestion, uuid=one["uuid"], rule=one["rule"])
    for item in card["feedback"]:
        at, outcome = Instant(item["outcome_at"]), item["outcome"]
        reasons = [one["display"] or one["code"] for one in item["reasons"]]
        details = (*item["accepted"], *reasons, *([item["comment"]] if item["comment"] else ()))
        if details:
            listed = Listed(details, "semicolon")
            yield 2, say(K.feedback_detailed, outcome=outcome, at=at, details=listed)
        else:
            yield 2, say(K.feedback, outcome=outcome, at=at)
    if not card["feedback"]:
        yield 2, say(K.no_feedback)
