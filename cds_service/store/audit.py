"""What is kept of one call: who asked what, which rules answered how, which cards came of it.

Names, codes, counts and times; no value from a patient's record. The ids of patient, user and
hook instance are as sent here and are made unreadable before anything is kept, see `Pseudonyms`.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from msgspec import Struct


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
    """What one decision table said: why nothing is to be said, or which facts it lacked."""

    rule: str
    outcome: Literal["recommended", "not indicated", "cannot tell"]
    because: str = ""
    missing: tuple[str, ...] = ()


class Evaluation(Struct, frozen=True):
    """What came of a call that was evaluated.

    ``fired`` are the rules that held on the way, ``missing`` the needs and facts that lacked,
    ``needs`` each need's state and where it came from, ``durations`` milliseconds by stage. ``arm``
    tells a guideline that is only tried from the one in force ("live").
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


class Call(Struct, frozen=True):
    """One call, answered with ``status`` after ``ms``; ``problem`` names what was refused."""

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


class Kept(Struct, frozen=True):
    """A call under the name it is found by; ``at`` in seconds since 1970."""

    id: str
    at: float
    call: Call


class Pseudonyms(Struct, frozen=True):
    """Makes ids unreadable: equal ids stay equal, and only who has the key can try one out.

    Without a key nothing is made of an id at all, and with ``plain`` it is kept as it is.
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


def in_words(kept: Mapping[str, Any]) -> Iterator[str]:
    """A kept consultation, as `database.Database.consultation` returns it, for a person to read."""
    yield f"Consultation {kept['id']}, {_at(kept['at'])}, by version {kept['version']}"
    hook, instance = kept["hook"], kept["hook_instance"]
    yield f"  service {kept['service']}, hook {hook}{f', instance {instance}' if instance else ''}"
    for what in ("client", "patient", "asked_by", "fhir_server"):
        if kept[what]:
            yield f"  {what.replace('_', ' ')}: {kept[what]}"
    yield f"  answered {kept['status']} in {kept['ms']} ms{_spent(kept['durations'])}"
    if kept["problem"]:
        yield f"  refused: {kept['problem']}"
    if kept["outcome"] is not None:
        yield from _evaluation_in_words(kept)
        for card in kept["cards"]:
            yield from _card_in_words(card)


def _evaluation_in_words(kept: Mapping[str, Any]) -> Iterator[str]:
    yield f"  {kept['guideline']}, edition {kept['edition']}, as of {kept['as_of']}"
    if kept["arm"] != "live":
        yield f"  not in force, only tried: {kept['arm']}"
    if kept["overrides"]:
        yield f"  with this site's settings {kept['overrides'][:12]}:"
        yield from (f"    {line}" for line in kept["overrides_text"].splitlines())
    yield f"  outcome: {kept['outcome']}"
    for rule in kept["rules"]:
        why = rule.get("because") or ", ".join(rule.get("missing", ()))
        yield f"  {rule['rule']}: {rule['outcome']}{f' ({why})' if why else ''}"
    yield f"  rules that held: {', '.join(kept['fired']) or 'none'}"
    yield f"  missing: {', '.join(kept['missing']) or 'nothing'}"
    yield "  needs: " + ", ".join(f"{key} {state}" for key, state in kept["needs"].items())


def _card_in_words(card: Mapping[str, Any]) -> Iterator[str]:
    shown = "" if card["shown"] else f", not shown: {card['hidden']}"
    yield f"  card {card['uuid']}: {card['indicator']}, {card['text']} by {card['rule']}{shown}"
    for one in card["suggestions"]:
        best = ", recommended" if one["recommended"] else ""
        yield f"    suggestion {one['uuid']} by {one['rule']}{best}"
    for item in card["feedback"]:
        reasons = [one["display"] or one["code"] for one in item["reasons"]]
        details = [*item["accepted"], *reasons, *([item["comment"]] if item["comment"] else ())]
        said = f": {'; '.join(details)}" if details else ""
        yield f"    {item['outcome']} {_at(item['outcome_at'])}{said}"
    if not card["feedback"]:
        yield "    no feedback"


def _at(moment: datetime) -> str:
    return moment.isoformat(" ", "seconds")


def _spent(durations: Mapping[str, float] | None) -> str:
    spent = ", ".join(f"{stage} {ms:.2f}" for stage, ms in (durations or {}).items())
    return f" ({spent})" if spent else ""
