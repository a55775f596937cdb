"""What is wrong with a response, judged by the standard alone: a client's point of view.

It does not know the service under test. Each problem is a sentence that begins with its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_REFERENCE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}")
_TOPIC = re.compile(r"[A-Za-z0-9]{1,100}")
_REVERSE_DOMAIN = re.compile(r"[a-z][a-z0-9-]*(\.[A-Za-z0-9][A-Za-z0-9_-]*){2,}")
_HTML = re.compile(r"<[A-Za-z/!]")
#: Types whose subject has a name other than ``subject``.
_SUBJECT = {
    "AllergyIntolerance": "patient",
    "MedicationOrder": "patient",
    "NutritionOrder": "patient",
    "Task": "for",
}


def problems_in_response(response: Any, patient_id: str) -> list[str]:
    """Every breach of the standard in the body of a 200 for a call about ``patient_id``."""
    return list(_response(response, patient_id))


def problems_in_discovery(discovery: Mapping[str, Any]) -> list[str]:
    """Empty attributes and misnamed extensions anywhere in discovery."""
    found = list(_extension(discovery, "discovery"))
    for number, entry in enumerate(discovery["services"]):
        place = f"services[{number}]"
        found += [*_empty(entry, place), *_extension(entry, place)]
    return found


def _response(response: Any, patient_id: str) -> Iterator[str]:
    if not isinstance(response, dict):
        yield "response: not an object"
        return
    yield from _empty(response, "response")
    yield from _extension(response, "response")
    if "systemActions" in response:
        yield "response: has systemActions"
    cards = response.get("cards")
    if not isinstance(cards, list):
        yield "cards: not an array"
        return
    uuids: list[Any] = []
    for number, card in enumerate(cards):
        yield from _card(card, f"cards[{number}]", patient_id)
        if isinstance(card, dict):
            uuids.append(card.get("uuid"))
            uuids += [s.get("uuid") for s in _objects(card.get("suggestions"))]
    if len(set(map(str, uuids))) < len(uuids):
        yield "cards: a uuid is used twice"


def _empty(value: Any, place: str) -> Iterator[str]:
    """null, "", [] and {} anywhere, but for ``cards`` of the response."""
    if isinstance(value, dict):
        for name, inner in value.items():
            where = f"{place}.{name}"
            if inner is None or inner == "" or inner == [] or inner == {}:
                if where != "response.cards" or inner != []:
                    yield f"{where}: empty"
            else:
                yield from _empty(inner, where)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            where = f"{place}[{number}]"
            if inner is None or inner == "" or inner == [] or inner == {}:
                yield f"{where}: empty"
            else:
                yield from _empty(inner, where)


def _extension(holder: Mapping[str, Any], place: str) -> Iterator[str]:
    extension = holder.get("extension", {})
    if not isinstance(extension, dict):
        yield f"{place}.extension: not an object"
        return
    for name in extension:
        if not _REVERSE_DOMAIN.fullmatch(name):
            yield f"{place}.extension: {name} is not a reverse-domain name"


def _card(card: Any, place: str, patient_id: str) -> Iterator[str]:
    if not isinstance(card, dict):
        yield f"{place}: not an object"
        return
    yield from _extension(card, place)
    yield from _uuid(card, place)
    yield from _text(card, "summary", place)
    summary = card.get("summary")
    if isinstance(summary, str) and (len(summary) >= 140 or "\n" in summary):
        yield f"{place}.summary: not one line of fewer than 140 characters"
    if card.get("indicator") not in ("info", "warning", "critical"):
        yield f"{place}.indicator: none of info, warning, critical"
    detail = card.get("detail", "x")
    if not isinstance(detail, str):
        yield f"{place}.detail: not a text"
    elif _HTML.search(detail):
        yield f"{place}.detail: holds HTML"
    yield from _source(card.get("source"), f"{place}.source", patient_id)
    yield from _suggestions(card, place, patient_id)
    for name in ("overrideReasons", "links"):
        yield from _list(card, name, place)
    for number, reason in enumerate(_objects(card.get("overrideReasons"))):
        yield from _coding(reason, f"{place}.overrideReasons[{number}]", "display")
    for number, link in enumerate(_objects(card.get("links"))):
        yield from _link(link, f"{place}.links[{number}]", patient_id)


def _source(source: Any, place: str, patient_id: str) -> Iterator[str]:
    if not isinstance(source, dict):
        yield f"{place}: not an object"
        return
    yield from _text(source, "label", place)
    for name in ("url", "icon"):
        if name in source:
            yield from _address(source, name, place, patient_id)
    topic = source.get("topic")
    if not isinstance(topic, dict):
        yield f"{place}.topic: not an object"
        return
    yield from _coding(topic, f"{place}.topic")
    if not _TOPIC.fullmatch(str(topic.get("code"))):
        yield f"{place}.topic.code: not 1 to 100 letters and digits"


def _suggestions(card: Mapping[str, Any], place: str, patient_id: str) -> Iterator[str]:
    yield from _list(card, "suggestions", place)
    suggestions = _objects(card.get("suggestions"))
    behavior = card.get("selectionBehavior")
    if "suggestions" in card and behavior not in ("at-most-one", "any"):
        yield f"{place}.selectionBehavior: neither at-most-one nor any"
    if "suggestions" not in card and "selectionBehavior" in card:
        yield f"{place}.selectionBehavior: without suggestions"
    recommended = [one for one in suggestions if one.get("isRecommended") is True]
    if behavior == "at-most-one" and len(recommended) > 1:
        yield f"{place}.suggestions: several are recommended, at most one can be chosen"
    for number, suggestion in enumerate(suggestions):
        where = f"{place}.suggestions[{number}]"
        yield from _extension(suggestion, where)
        yield from _uuid(suggestion, where)
        yield from _text(suggestion, "label", where)
        if not isinstance(suggestion.get("isRecommended", False), bool):
            yield f"{where}.isRecommended: neither true nor false"
        if "actionSelectionBehavior" in suggestion:
            yield f"{where}.actionSelectionBehavior: sent"
        yield from _list(suggestion, "actions", where)
        for index, action in enumerate(_objects(suggestion.get("actions"))):
            yield from _action(action, f"{where}.actions[{index}]", patient_id)


def _action(action: Mapping[str, Any], place: str, patient_id: str) -> Iterator[str]:
    yield from _extension(action, place)
    yield from _text(action, "description", place)
    kind = action.get("type")
    if kind not in ("create", "update", "delete"):
        yield f"{place}.type: none of create, update, delete"
        return
    if kind == "delete":
        if not _REFERENCE.fullmatch(str(action.get("resourceId"))):
            yield f"{place}.resourceId: not a type and an id"
        if "resource" in action:
            yield f"{place}.resource: sent with delete"
        return
    if "resourceId" in action:
        yield f"{place}.resourceId: sent with {kind}"
    resource = action.get("resource")
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        yield f"{place}.resource: not a FHIR resource as an object"
        return
    if kind == "update" and not resource.get("id"):
        yield f"{place}.resource: an update without id"
    name = _SUBJECT.get(resource["resourceType"], "subject")
    subject = resource.get(name)
    if not isinstance(subject, dict) or subject.get("reference") != f"Patient/{patient_id}":
        yield f"{place}.resource.{name}: not the patient of the call"


def _link(link: Mapping[str, Any], place: str, patient_id: str) -> Iterator[str]:
    yield from _extension(link, place)
    yield from _text(link, "label", place)
    yield from _address(link, "url", place, patient_id)
    if link.get("type") not in ("absolute", "smart"):
        yield f"{place}.type: neither absolute nor smart"
    if "appContext" in link:
        yield from _text(link, "appContext", place)
        if link.get("type") != "smart":
            yield f"{place}.appContext: with a link that is not smart"
    if "autolaunchable" in link:
        yield f"{place}.autolaunchable: sent"


def _coding(coding: Mapping[str, Any], place: str, *more: str) -> Iterator[str]:
    for name in ("code", "system", *more):
        yield from _text(coding, name, place)


def _uuid(holder: Mapping[str, Any], place: str) -> Iterator[str]:
    if not _UUID.fullmatch(str(holder.get("uuid"))):
        yield f"{place}.uuid: not a UUID in lower case"


def _text(holder: Mapping[str, Any], name: str, place: str) -> Iterator[str]:
    value = holder.get(name)
    if not isinstance(value, str) or not value.strip():
        yield f"{place}.{name}: not a text"


def _address(holder: Mapping[str, Any], name: str, place: str, patient_id: str) -> Iterator[str]:
    value = holder.get(name)
    parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
    if parts.scheme not in ("https", "http") or not parts.hostname:
        yield f"{place}.{name}: not an absolute address"
    elif patient_id in str(value):
        yield f"{place}.{name}: names the patient"


def _list(holder: Mapping[str, Any], name: str, place: str) -> Iterator[str]:
    value = holder.get(name)
    if name in holder and (
        not isinstance(value, list) or not all(isinstance(one, dict) for one in value)
    ):
        yield f"{place}.{name}: not a list of objects"


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
