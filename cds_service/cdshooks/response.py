"""The answer to a CDS Hooks call, written as the standard requires.

Attributes without a value are left out, never sent as null or empty; only ``cards`` is always
present. Empty is ``()``, ``""``, ``None`` or ``{}`` as the defaults show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from cds_service.errors import ServiceError

Indicator = Literal["info", "warning", "critical"]


def versions(cds_hooks: str) -> dict[str, str]:
    """What discovery names to a client of that version of the standard. The ballot recommends
    both; version 2.0 does not have them. The library of hooks has one version for all three hooks.
    """
    return {"version": "3.0.0-ballot", "hookVersion": "1.0"} if cds_hooks == "3.0-ballot" else {}


class _Wire(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    pass


class Coding(_Wire, frozen=True):
    system: str
    code: str
    display: str = ""


class Source(_Wire, frozen=True):
    """``topic`` stays the same for the same advice: clients remember dismissals by it."""

    label: str
    url: str = ""
    icon: str = ""
    topic: Coding | None = None


class Action(_Wire, frozen=True):
    """Create and update carry a whole ``resource``, delete a ``resource_id`` ("Type/id")."""

    type: Literal["create", "update", "delete"]
    description: str
    resource: Mapping[str, Any] | None = None
    resource_id: str = ""
    extension: Mapping[str, Any] = {}


class Suggestion(_Wire, frozen=True):
    """Actions that belong together; without ``uuid`` its acceptance is never reported.

    ``is_recommended`` is always sent, false as well: some clients refuse a suggestion without it.
    """

    label: str
    uuid: str
    is_recommended: bool
    actions: tuple[Action, ...] = ()
    extension: Mapping[str, Any] = {}


class Link(_Wire, frozen=True):
    label: str
    url: str
    type: Literal["absolute", "smart"]
    app_context: str = ""


class Card(_Wire, frozen=True):
    """One piece of advice. ``summary`` is shorter than 140 characters, ``detail`` is GFM.

    ``selection_behavior`` is required with suggestions and left out without them.
    """

    uuid: str
    summary: str
    indicator: Indicator
    source: Source
    detail: str = ""
    suggestions: tuple[Suggestion, ...] = ()
    selection_behavior: Literal["", "at-most-one", "any"] = ""
    override_reasons: tuple[Coding, ...] = ()
    links: tuple[Link, ...] = ()
    extension: Mapping[str, Any] = {}


class Response(_Wire, frozen=True):
    """``cards`` without a default: it is sent even when there is nothing to say."""

    cards: tuple[Card, ...] | list[Card]
    extension: Mapping[str, Any] = {}


#: Doses are Decimals; FHIR wants them as JSON numbers with the digits they were given.
_encode = msgspec.json.Encoder(decimal_format="number").encode


def encode(part: Response | Card) -> bytes:
    return _encode(part)


def encode_outcome(error: ServiceError) -> bytes:
    """An OperationOutcome that says what a client can do about ``error``."""
    issue: dict[str, Any] = {
        "severity": "error",
        "code": error.issue,
        "details": {"text": error.text},
    }
    if error.expression:
        issue["diagnostics"] = f"at {error.expression}"
        issue["expression"] = [error.expression]
    return _encode({"resourceType": "OperationOutcome", "issue": [issue]})
