"""What is kept of one call: who asked what, which rules answered how, which cards came of it.

Names, codes, counts and times; no value from a patient's record. The ids of patient, user and
hook instance are as sent here and are made unreadable before anything is kept, see `store`.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct


class Suggested(Struct, frozen=True):
    """One suggestion of a card, by the uuid that its acceptance will name."""

    uuid: str
    rule: str
    recommended: bool


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
