"""Every resource that any story suggests, judged by three who were not asked while building it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import jsonschema_rs
import pytest
from click.testing import CliRunner
from expected_cards import STORIES
from fhir.resources.R4B import get_fhir_model_class
from played import Json, Story
from started import Servers
from trail_of_a_day import exported

from cds_service.__main__ import main

pytestmark = pytest.mark.needs_environment("CDS_TEST_SERVERS")

#: Its order came as DSTU2's MedicationOrder, and is written back as what it is.
DRAFTED_IN_DSTU2 = "order-sign-dstu2-shape"

#: Warnings of HL7's validator that say nothing against an order, each with why.
EXPLAINED = {
    # A narrative is for people without our data; the card's text is what people read.
    r"Constraint failed: dom-6: .* \(Best Practice Recommendation\)",
    # LOINC, RxNorm and SNOMED CT are not among the offline definitions; their codes are checked by
    # `cds-service check` and are listed with their sources in codes/SOURCES.toml.
    r"CodeSystem is unknown and can't be validated: http://(loinc\.org|snomed\.info/sct|"
    r"www\.nlm\.nih\.gov/research/umls/rxnorm) for .*",
    # A code of our own for a product that no terminology sets apart: no one else can know it.
    r"CodeSystem is unknown and can't be validated: "
    r"https://b12-cds-service\.github\.io/CodeSystem/product for .*",
}

#: The same for what `cds-service audit export` writes.
OF_THE_TRAIL = {
    r"Constraint failed: dom-6: .* \(Best Practice Recommendation\)",
    # Code systems of our own, and one that a client made up: no one else can know them.
    r"CodeSystem is unknown and can't be validated: "
    r"(https://b12-cds-service\.github\.io|http://example\.org)/.*",
    # Value sets of "a code from here unless none fits": they have no hooks, no ends of
    # chains, and nothing for what a clinician does with advice, or why.
    r"The Coding provided \(https://b12-cds-service\.github\.io/CodeSystem/(hook|trail)#.*",
    r"None of the codings provided are in the value set "
    r"'(Provenance activity type|V3 Value SetPurposeOfUse)' .*",
    r"No code provided, and a code should be provided from the value set"
    r" 'V3 Value SetPurposeOfUse'.*",
}

#: R4 lists the languages of expressions of 2019; this one is of CPG on FHIR and of R5, and engines
#: need it. The binding is extensible.
OLD_LANGUAGES = "Unknown code 'http://hl7.org/fhir/expression-language#text/cql-identifier'"

#: The same for what `cds-service export --form cpg` writes.
OF_ARTEFACTS = {
    r"Constraint failed: dom-6: .* \(Best Practice Recommendation\)",
    # Terminologies that are not among the offline definitions.
    r"The value set references CodeSystem '.*' which has status 'not-present'",
    r"CodeSystem is unknown and can't be validated: .*",
}

#: Every way in which a good MedicationRequest is made a bad one, and what to say of it.
BROKEN: dict[str, Json] = {
    "no status": {"status": None},
    "a status of its own": {"status": "ordered"},
    "an intent of its own": {"intent": "wish"},
    "no subject": {"subject": None},
    "no date": {"authoredOn": "yesterday"},
    "a date and time without a zone": {"authoredOn": "2026-03-15T09:00:00"},
    "an empty list": {"note": []},
    "two medications": {"medicationReference": {"reference": "Medication/1"}},
    "an element of its own": {"urgency": "high"},
    "a dose in words": {"dosageInstruction": [{"doseAndRate": [{"doseQuantity": "1 mg"}]}]},
    "a unit's code without its system": {
        "dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 1, "code": "ug"}}]}]
    },
    "a period in fortnights": {
        "dosageInstruction": [
            {"timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "fortnight"}}}
        ]
    },
    "a period without its unit": {
        "dosageInstruction": [{"timing": {"repeat": {"frequency": 1, "period": 1}}}]
    },
}


@cache
def suggested() -> dict[str, str]:
    """Each different resource that is suggested, as JSON, and a story that suggests it."""
    found: dict[str, str] = {}
    for name in STORIES:
        if name != DRAFTED_IN_DSTU2:
            for resource in _resources(Story(name).post().json):
                found.setdefault(json.dumps(resource), name)
    assert len(found) > 1000
    return found


def _resources(answer: Json) -> Iterator[Json]:
    for card in answer["cards"]:
        for suggestion in card.get("suggestions", ()):
            for action in suggestion["actions"]:
                if "resource" in action:
                    yield action["resource"]


def broken() -> list[str]:
    (good, *_) = [one for one in map(json.loads, suggested()) if one.get("dosageInstruction")]
    assert good["resourceType"] == "MedicationRequest"
    return [
        json.dumps({k: v for k, v in {**good, **change}.items() if v is not None})
        for change in BROKEN.values()
    ]


def said_by_hl7(servers: Servers, resources: list[str]) -> list[list[tuple[str, str]]]:
    """For each resource what the validator says: severity, then place and text."""
    ran = subprocess.run(
        servers.java("Validator"),
        input="".join(f"{one}\n" for one in resources),
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        check=True,
    )
    said: list[list[tuple[str, str]]] = [[] for _ in resources]
    for line in ran.stdout.splitlines():
        number, severity, place, message = line.split("\t", 3)
        said[int(number)].append((severity, f"{place}: {message}"))
    return said


def test_hl7s_validator_passes_all_and_finds_what_is_broken(
    servers: Servers, record_property: Callable[[str, object], None]
) -> None:
    resources = suggested()
    said = said_by_hl7(servers, [*resources, *broken()])
    against = [
        f"{story}: {severity}: {text}"
        for story, messages in zip(resources.values(), said, strict=False)
        for severity, text in messages
        if severity != "information" and not _explained(severity, text)
    ]
    assert against == []
    found = {
        name
        for name, messages in zip(BROKEN, said[len(resources) :], strict=True)
        if any(severity in ("error", "fatal") for severity, _ in messages)
    }
    assert found == set(BROKEN)
    # Each resource was looked at: the validator says of each that it has no narrative.
    assert all(said)
    record_property("counted", ("suggested resources passed by HL7's validator", len(resources)))


def _explained(severity: str, text: str, explained: set[str] = EXPLAINED) -> bool:
    message = text.partition(": ")[2]
    return severity == "warning" and any(re.fullmatch(one, message) for one in explained)


def test_hl7s_validator_passes_the_trail(
    servers: Servers, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    resources = exported(tmp_path)
    event = next(json.loads(one) for one in resources if "AuditEvent" in one)
    nobody = json.dumps({name: value for name, value in event.items() if name != "agent"})
    *said, of_nobody = said_by_hl7(servers, [*resources, nobody])
    against = [
        f"{resource[:80]}: {severity}: {text}"
        for resource, messages in zip(resources, said, strict=True)
        for severity, text in messages
        if severity != "information" and not _explained(severity, text, OF_THE_TRAIL)
    ]
    assert against == []
    assert all(said)
    assert any(severity in ("error", "fatal") for severity, _ in of_nobody)
    record_property("counted", ("resources of the trail passed by HL7's validator", len(resources)))


def test_hl7s_validator_passes_the_exported_artefacts(
    servers: Servers, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    done = CliRunner().invoke(main, ["export", "--form", "cpg", "--to", str(tmp_path / "cpg")])
    assert done.exit_code == 0, done.output
    resources = [json.loads(file.read_bytes()) for file in sorted(tmp_path.rglob("*.json"))]
    assert len(resources) > 100
    plan = next(one for one in resources if one["resourceType"] == "PlanDefinition")
    wrong = [{**plan, "status": "ready"}, {**plan, "action": [{"selectionBehavior": "one"}]}]
    lines = [json.dumps(_without_object_ids(one)) for one in [*resources, *wrong]]
    *said, first, second = said_by_hl7(servers, lines)
    against = [
        f"{one['resourceType']}/{one['id']}: {severity}: {text}"
        for one, messages in zip(resources, said, strict=True)
        for severity, text in messages
        if severity != "information"
        and not (severity == "error" and OLD_LANGUAGES in text)
        and not _explained(severity, text, OF_ARTEFACTS)
    ]
    assert against == []
    assert all(said)
    for messages in (first, second):
        assert any(severity == "error" and OLD_LANGUAGES not in one for severity, one in messages)
    record_property("counted", ("exported artefacts passed by HL7's validator", len(resources)))


def _without_object_ids(resource: Json) -> Json:
    """A value set without codes of a system named by an object identifier: HAPI's packaging of the
    validator looks for that system in a way that it does not support, and stops."""
    compose = resource.get("compose")
    if not compose:
        return resource
    kept = [one for one in compose["include"] if not one["system"].startswith("urn:oid:")]
    return {**resource, "compose": {"include": kept}} if kept else resource


def test_fhir_resources_passes_all(record_property: Callable[[str, object], None]) -> None:
    for text, story in suggested().items():
        model = get_fhir_model_class(json.loads(text)["resourceType"])
        assert model.model_validate_json(text), story
    record_property("counted", ("suggested resources passed by fhir.resources", len(suggested())))


def test_the_json_schema_of_r4_passes_all(
    servers: Servers, record_property: Callable[[str, object], None]
) -> None:
    schema = json.loads((servers.definitions / "fhir.schema.json").read_bytes())
    definitions = schema["definitions"]
    # Medplum's edition points to names it does not define: one is R4's under another name, the
    # others are not types of R4, and nothing may be of them.
    definitions["Resource"] = definitions["ResourceList"]
    for name in re.findall(r'"#/definitions/(\w+)"', json.dumps(schema)):
        definitions.setdefault(name, False)
    validator = jsonschema_rs.validator_for(schema)
    for text, story in suggested().items():
        assert [str(one) for one in validator.iter_errors(json.loads(text))] == [], story
    assert sum(not validator.is_valid(json.loads(text)) for text in broken()) >= 5
    record_property("counted", ("suggested resources passed by the R4 schema", len(suggested())))
