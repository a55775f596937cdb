"""FHIR as it is published: the resources of a folder of JSON, NDJSON and XML files.

The folder has one folder a country, and in each what its guides hold. XML says neither what is a
list nor what is a number: the models of the version in which a resource fits best say it.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

Json = dict[str, Any]

_FHIR = "{http://hl7.org/fhir}"
_XHTML = "{http://www.w3.org/1999/xhtml}"


class Found(NamedTuple):
    """A resource, the country whose folder it is in, and its file."""

    country: str
    file: str
    resource: Json


def resources_in(folder: Path) -> Iterator[Found]:
    """Every resource of the files of a folder, those of a Bundle one by one."""
    for file in sorted(folder.rglob("*")):
        if file.suffix in _READERS and file.is_file():
            place = file.relative_to(folder)
            for sent in _resources_of(file):
                for one in _singly(sent):
                    yield Found(place.parts[0], str(place), one)


def _singly(sent: Json) -> Iterator[Json]:
    if sent.get("resourceType") != "Bundle":
        yield sent
        return
    for entry in sent.get("entry") or ():
        inner = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(inner, dict):
            yield from _singly(inner)


def _resources_of(file: Path) -> Iterator[Json]:
    """What of a file is FHIR; guides hold much else, and drafts of both."""
    try:
        found = _READERS[file.suffix](file.read_text(encoding="utf-8-sig", errors="replace"))
    except (ValueError, ElementTree.ParseError):
        return
    for one in found:
        if isinstance(one, dict) and isinstance(one.get("resourceType"), str):
            yield one


_READERS = {
    ".json": lambda text: [json.loads(text)],
    ".ndjson": lambda text: [json.loads(line) for line in text.splitlines() if line.strip()],
    ".xml": lambda text: [_of_xml(ElementTree.fromstring(text))],  # noqa: S314 (a maintainer's own)
}


# --- XML -----------------------------------------------------------------------------------------


class _Member(NamedTuple):
    """What a model says of a member: the name of its type, and whether it is a list."""

    kind: str
    is_list: bool
    edition: str


#: Members that no model has are of another version; in all of them a concept has many codings.
_UNKNOWN, _UNKNOWN_LIST = _Member("", False, ""), _Member("", True, "")


def _of_xml(root: ElementTree.Element) -> Json | None:
    kind = root.tag.removeprefix(_FHIR)
    shapes = [shape for edition in ("R4B", "STU3") if (shape := _shape_of(kind, edition))]
    if not root.tag.startswith(_FHIR) or not shapes:
        return None
    names = {one.tag.removeprefix(_FHIR) for one in root}
    fitting = min(shapes, key=lambda shape: len(names - shape.keys()))
    return {"resourceType": kind, **_members(root, fitting)}


def _members(element: ElementTree.Element, shape: Mapping[str, _Member]) -> Json:
    made: Json = {name: value for name, value in element.attrib.items() if name in ("id", "url")}
    for child in element:
        name = child.tag.removeprefix(_FHIR)
        member = shape.get(name, _UNKNOWN_LIST if name == "coding" else _UNKNOWN)
        value = None if child.tag.startswith(_XHTML) else _value(child, member)
        if value is not None and member.is_list:
            made.setdefault(name, []).append(value)
        elif value is not None:
            made[name] = value
    return made


def _value(element: ElementTree.Element, member: _Member) -> Any:
    if member.kind == "Resource":
        return _of_xml(element[0]) if len(element) else None
    written = element.attrib.get("value")
    if written is None:
        return _members(element, _shape_of(member.kind, member.edition) or {}) or None
    return json.loads(written) if member.kind in _NOT_IN_QUOTES else written


_NOT_IN_QUOTES = ("bool", "int", "Decimal", "float")


@cache
def _shape_of(kind: str, edition: str) -> Mapping[str, _Member] | None:
    """The members of a type in a version; ``None`` when the version has no such type."""
    try:
        model = importlib.import_module(f"fhir.resources.{edition}").get_fhir_model_class(kind)
    except (LookupError, ImportError):
        return None
    return {
        field.alias or name: _member(str(field.annotation), edition)
        for name, field in model.model_fields.items()
    }


def _member(annotation: str, edition: str) -> _Member:
    kind = re.search(r"abc\.(\w+)Type\b", annotation)
    kind = kind or re.search(rf"\b({'|'.join(_NOT_IN_QUOTES)})\b", annotation)
    return _Member(kind[1] if kind else "", "List[" in annotation, edition)
