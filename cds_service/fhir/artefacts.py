"""A guideline as FHIR R4 artefacts: what is decided, with what codes, and what may be ordered.

Everything is a draft, has the canonical address and version of its guideline, and no date, so that
the same guideline gives the same bytes. Conformance to the profiles of CPG is not claimed.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from cds_service import PROGRAM

Json = dict[str, Any]
_PLAN_TYPES = "http://terminology.hl7.org/CodeSystem/plan-definition-type"
_LIBRARY_TYPES = "http://terminology.hl7.org/CodeSystem/library-type"
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Home(Struct, frozen=True):
    """Whose artefacts they are: the address they are under, their version, their ``title``, and
    as their ``purpose`` how far they were reviewed."""

    base: str
    version: str
    title: str
    purpose: str

    def canonical(self, kind: str, name: str) -> str:
        """The address of an artefact with its version."""
        return f"{self.base}/{kind}/{slug(name)}|{self.version}"


class Listed(Struct, frozen=True):
    """A code of a list; one that ends in ``*`` is every code that begins so."""

    system: str
    code: str
    display: str


class Concept(Struct, frozen=True):
    code: str
    display: str
    definition: str = ""


class Authority(Struct, frozen=True):
    """What a row rests on: a publication, or words of its own ("policy: why")."""

    label: str
    citation: str = ""
    url: str = ""


class Step(Struct, frozen=True):
    """One row of a table: an action that applies where the expression ``asked`` is true.
    ``activities`` are what it may order, each with the expression of whether that is offered."""

    id: str
    title: str
    description: str
    asked: str
    authority: tuple[Authority, ...] = ()
    activities: Mapping[str, str] = {}


class Group(Struct, frozen=True):
    """One table: it is asked where ``asked`` is true, otherwise the action ``unasked`` applies."""

    id: str
    title: str
    description: str
    asked: str
    unasked: str
    selection: Literal["exactly-one", "at-most-one", "any"]
    steps: tuple[Step, ...]


def slug(name: str) -> str:
    """A name as FHIR allows an id."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-")[:64]


def _artefact(home: Home, kind: str, name: str, title: str) -> Json:
    return {
        "resourceType": kind,
        "id": slug(name),
        "url": f"{home.base}/{kind}/{slug(name)}",
        "version": home.version,
        "name": "".join(word.capitalize() for word in re.findall(r"[A-Za-z0-9]+", name)),
        "title": title,
        "status": "draft",
        "experimental": False,
        "publisher": PROGRAM,
    }


def library(home: Home, name: str, title: str, source: str, needs: Sequence[str] = ()) -> Json:
    """A library of CQL, ``name`` being what it is called there; ``needs`` are those it includes."""
    made = _artefact(home, "Library", name, title) | {"name": name, "purpose": home.purpose}
    made["type"] = {"coding": [{"system": _LIBRARY_TYPES, "code": "logic-library"}]}
    if needs:
        made["relatedArtifact"] = [
            {"type": "depends-on", "resource": home.canonical("Library", one)} for one in needs
        ]
    data = base64.b64encode(source.encode()).decode("ascii")
    return made | {"content": [{"contentType": "text/cql", "data": data}]}


def value_set(home: Home, name: str, title: str, codes: Iterable[Listed]) -> Json:
    """A list of codes; a family is a filter that only a terminology server can expand."""
    made = _artefact(home, "ValueSet", name, title)
    include: list[Json] = []
    by_system: dict[str, list[Listed]] = {}
    for one in codes:
        by_system.setdefault(one.system, []).append(one)
    for system, listed in by_system.items():
        exact = [one for one in listed if not one.code.endswith("*")]
        if exact:
            concepts = [_coded(one) for one in exact]
            include.append({"system": system, "concept": concepts})
        for one in listed:
            if one.code.endswith("*"):
                begins = re.escape(one.code.removesuffix("*"))
                asked = {"property": "code", "op": "regex", "value": f"{begins}.*"}
                include.append({"system": system, "filter": [asked]})
    return made | {"compose": {"include": include}}


def _coded(one: Listed) -> Json:
    return {"code": one.code, "display": one.display} if one.display else {"code": one.code}


def code_system(home: Home, name: str, title: str, concepts: Iterable[Concept]) -> Json:
    listed = [
        {
            name: value
            for name, value in msgspec.structs.asdict(one).items()
            if value
        }
        for one in concepts
    ]  # fmt: skip
    made = _artefact(home, "CodeSystem", name, title)
    return made | {
        "caseSensitive": True,
        "content": "complete",
        "count": len(listed),
        "concept": listed,
    }


#: Of an order that is written for a patient, what is true of it for everyone.
_OF_AN_ORDER = {
    "MedicationRequest": ("medicationCodeableConcept", "productCodeableConcept"),
    "ServiceRequest": ("code", "code"),
}


def activity(
    home: Home, name: str, title: str, order: Mapping[str, Any], amount: str = "", needs: str = ""
) -> Json:
    """What a plan orders, from an ``order`` for someone. With ``amount``, an expression of the
    library ``needs``, the order's own amount is not taken: it depends on the child."""
    written: Json = msgspec.json.decode(_encode(order))
    kind = written["resourceType"]
    made = _artefact(home, "ActivityDefinition", name, title) | {"purpose": home.purpose}
    if needs:
        made["library"] = [home.canonical("Library", needs)]
    made |= {"kind": kind, "intent": "proposal"}
    if kind in _OF_AN_ORDER:
        theirs, ours = _OF_AN_ORDER[kind]
        made[ours] = written[theirs]
    else:
        made["description"] = written["description"]
    if "dosageInstruction" in written:
        made["dosage"] = [_dosage(one, keep=not amount) for one in written["dosageInstruction"]]
    if amount:
        made["dynamicValue"] = [
            {
                "path": "dosageInstruction[0].doseAndRate[0].doseQuantity.value",
                "expression": {"language": "text/cql-identifier", "expression": amount},
            }
        ]
    return made


def _dosage(written: Json, *, keep: bool) -> Json:
    """A line without empty words, and where its amount depends on the child, without amounts."""
    dosage = {name: one for name, one in written.items() if one != ""}
    if keep:
        return dosage
    for name in ("maxDosePerPeriod", "text"):
        dosage.pop(name, None)
    for one in dosage["doseAndRate"]:
        del one["doseQuantity"]["value"]
    return dosage


def plan(
    home: Home, name: str, title: str, description: str, library: str, groups: Iterable[Group]
) -> Json:
    """What is decided on one occasion: a group of actions for each table, in their order."""
    made = _artefact(home, "PlanDefinition", name, title) | {
        "description": description,
        "purpose": home.purpose,
    }
    made["type"] = {"coding": [{"system": _PLAN_TYPES, "code": "eca-rule"}]}
    made["library"] = [home.canonical("Library", library)]
    actions: list[Json] = []
    for group in groups:
        actions += _actions(home, group)
    return made | {"action": actions}


def _actions(home: Home, group: Group) -> list[Json]:
    steps = [_step(home, one) for one in group.steps]
    return [
        {
            "id": slug(group.id),
            "title": group.title,
            "description": group.description,
            "condition": [_condition(group.asked)],
            "groupingBehavior": "logical-group",
            "selectionBehavior": group.selection,
            "action": steps,
        },
        {
            "id": slug(group.unasked),
            "title": group.unasked,
            "condition": [_condition(group.unasked)],
        },
    ]


def _step(home: Home, step: Step) -> Json:
    made: Json = {
        "id": slug(step.id),
        "prefix": step.id,
        "title": step.title,
        "description": step.description,
        "condition": [_condition(step.asked)],
    }
    if step.authority:
        made["documentation"] = [_authority(one) for one in step.authority]
    if len(step.activities) == 1:
        (only,) = step.activities
        made["definitionCanonical"] = home.canonical("ActivityDefinition", only)
    elif step.activities:
        made["selectionBehavior"] = "at-most-one"
        made["action"] = [
            {
                "id": slug(f"{step.id} {one}"),
                "title": one,
                "condition": [_condition(offered)],
                "definitionCanonical": home.canonical("ActivityDefinition", one),
            }
            for one, offered in step.activities.items()
        ]
    return made


def _authority(one: Authority) -> Json:
    if not one.citation:
        return {"type": "justification", "display": one.label}
    made = {"type": "citation", "label": one.label, "citation": one.citation}
    return made | ({"url": one.url} if one.url else {})


def _condition(expression: str) -> Json:
    return {
        "kind": "applicability",
        "expression": {"language": "text/cql-identifier", "expression": expression},
    }


def guide(home: Home, name: str, resources: Sequence[Json]) -> Json:
    """The list of everything."""
    made = _artefact(home, "ImplementationGuide", name, home.title) | {
        "description": home.purpose,
        "packageId": f"io.github.{PROGRAM}",
        "fhirVersion": ["4.0.1"],
    }
    listed = [
        {
            "reference": {"reference": f"{one['resourceType']}/{one['id']}"},
            "name": one["title"],
        }
        for one in resources
    ]
    return made | {"definition": {"resource": listed}}


def written(resource: Json) -> str:
    """As a file."""
    return msgspec.json.format(_encode(resource), indent=1).decode() + "\n"
