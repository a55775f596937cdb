"""JSON that only resembles FHIR, element by element, as the elements of ``wire``.

Forms fill orders in while they are written: an object is put where an array belongs and the other
way round, codings are empty, numbers are strings. What has one meaning only is read with it,
what says nothing is absent, and everything else raises `Unreadable`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

import msgspec

from cds_service.fhir import wire
from cds_service.fhir.elements import Unreadable

#: A decoded JSON value; its numbers are ``int`` or ``Decimal``, with the digits they were sent in.
Json: TypeAlias = Any


def _exactly(written: str) -> Decimal:
    try:
        return Decimal(written)
    except InvalidOperation:  # an exponent beyond all bounds
        return Decimal("NaN")


decode = msgspec.json.Decoder(float_hook=_exactly).decode
_plain_number = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?").fullmatch


def says_something(sent: Json) -> bool:
    """Whether there is any value in it, however deep: ``{"coding": [{}]}`` says nothing."""
    if not isinstance(sent, (dict, list)):
        return sent is not None and sent != ""
    waiting: list[Json] = [*(sent.values() if isinstance(sent, dict) else sent)]
    while waiting:
        value = waiting.pop()
        kind = type(value)  # what was decoded is of no subclass
        if kind is dict:
            waiting += value.values()
        elif kind is list:
            waiting += value
        elif value is not None and value != "":
            return True
    return False


def many(sent: Json) -> list[Json]:
    """The items of an array, without those that say nothing; any other value is the only item."""
    if sent is None:
        return []
    return [item for item in (sent if isinstance(sent, list) else [sent]) if says_something(item)]


def one(sent: Json) -> Json:
    """The value, or the only item of an array; ``None`` when it says nothing."""
    if sent is None or isinstance(sent, str):
        return sent or None
    if not isinstance(sent, list):
        return sent if says_something(sent) else None
    items = many(sent)
    if len(items) > 1:
        raise Unreadable
    return items[0] if items else None


def members(sent: Json) -> Mapping[str, Json]:
    """The members of an object; none when there is no object."""
    found = one(sent) if sent is not None else None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Unreadable
    return found


def text(sent: Json) -> str:
    """Text or "". A whole number counts as the text it would be: forms send codes and ids so."""
    if isinstance(sent, str):
        return sent
    return str(sent) if isinstance(sent, int) and not isinstance(sent, bool) else ""


def truth(sent: Json) -> bool:
    value = one(sent)
    if value is None or value in (False, "false"):
        return False
    if value is True or value == "true":
        return True
    raise Unreadable


def number(sent: Json) -> Decimal:
    """A number, also one written as plain text ("2.5", not "2,5" nor "1e3")."""
    if isinstance(sent, bool):
        raise Unreadable
    if isinstance(sent, (int, Decimal)) or (isinstance(sent, str) and _plain_number(sent)):
        return Decimal(sent)
    raise Unreadable


def amount(sent: Json) -> wire.Amount | None:
    """A quantity, which must have a number if it is there at all."""
    given = members(sent)
    if not given:
        return None
    comparator = one(given.get("comparator"))
    if comparator is not None and not isinstance(comparator, str):
        raise Unreadable
    return wire.Amount(
        msgspec.Raw(str(number(one(given.get("value"))))),
        comparator,
        text(given.get("unit")) or None,
        text(given.get("system")) or None,
        text(given.get("code")) or None,
    )


def concept(sent: Json) -> wire.Concept | None:
    """A CodeableConcept; a bare Coding and bare text count as one. Codings that are none are
    left out, as long as something remains."""
    given = one(sent)
    if isinstance(given, str):
        return wire.Concept(text=given)
    given = members(given)
    if "concept" in given:  # R5
        given = members(given["concept"])
    if not given:
        return None
    codings = [
        wire.Coding(
            text(coding.get("system")) or None,
            text(coding.get("code")) or None,
            text(coding.get("display")) or None,
        )
        for coding in many(given.get("coding", given))
        if isinstance(coding, dict)
    ]
    codings = [coding for coding in codings if coding.code or coding.display]
    words = text(given.get("text"))
    if not codings and not words:
        raise Unreadable
    return wire.Concept(codings, words or None)


def reference(sent: Json) -> wire.Reference | None:
    """A Reference; bare text counts as one."""
    given = one(sent)
    if isinstance(given, str):
        return wire.Reference(given)
    given = members(given)
    if not given:
        return None
    return wire.Reference(text(given.get("reference")), text(given.get("display")))


def period(sent: Json) -> wire.Period | None:
    given = members(sent)
    return wire.Period(text(given.get("start")), text(given.get("end"))) if given else None


def occurring(sent: Json) -> wire.Occurring | None:
    """A Timing that says when something is due."""
    given = members(sent)
    if not given:
        return None
    bounds = period(members(given.get("repeat")).get("boundsPeriod"))
    return wire.Occurring(wire.Repeat(bounds), [text(one) for one in many(given.get("event"))])
