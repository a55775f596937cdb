"""All examples of the FHIR R4 specification, put in front of the service one by one.

None of them holds a vitamin B12 result, so nothing may be prescribed; and nothing may break, under
the prefetch key that fits the example or under one that does not.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from checker import problems_in_response
from flask.testing import FlaskClient
from played import client_of, services

from cds_service.settings import Settings

pytestmark = pytest.mark.needs_environment("CDS_TEST_R4_EXAMPLES")

#: The examples are about many people; most about "example", who is an infant here, alive at the
#: time that most of them are dated.
INFANT = "example"
BORN, ON = "2012-06-01", date(2013, 4, 10)
HOW_MANY = 5306
KEYS = {
    "Observation": ("b12", "weight", "labs", "feeding"),
    "Condition": ("conditions",),
    "MedicationRequest": ("meds",),
    "MedicationStatement": ("meds",),
    "MedicationDispense": ("meds",),
    "Medication": ("meds",),
    "Procedure": ("procedures",),
    "AllergyIntolerance": ("allergies",),
    "MedicationAdministration": ("administrations",),
    "ServiceRequest": ("orders",),
}
ALL_KEYS = tuple(dict.fromkeys(key for keys in KEYS.values() for key in keys))

_type = re.compile(rb'"resourceType"\s*:\s*"([A-Za-z]+)"').search
_id = re.compile(rb'"id"\s*:\s*"([A-Za-z0-9.-]{1,64})"').search


class Example(NamedTuple):
    """``body`` as it was published, not parsed: there are 190 MB of them."""

    name: str
    kind: str
    id: str
    body: bytes


@cache
def paths() -> tuple[Path, ...]:
    folder = Path(os.environ["CDS_TEST_R4_EXAMPLES"])
    return tuple(
        sorted(
            path
            for path in folder.glob("*.json")
            if path.name not in ("package.json", ".index.json")
        )
    )


def examples() -> Iterator[Example]:
    for path in paths():
        body = path.read_bytes()
        kind, identity = _type(body), _id(body)
        assert kind is not None, path.name
        yield Example(
            path.name,
            kind[1].decode(),
            identity[1].decode() if identity else "",
            body,
        )


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return client_of(as_of=ON)


def infant(identity: str = INFANT) -> bytes:
    return json.dumps(
        {"resourceType": "Patient", "id": identity, "birthDate": BORN, "gender": "female"}
    ).encode()


def call(client: FlaskClient, patient_id: str, prefetch: dict[str, bytes]) -> tuple[int, Any]:
    """The status, and the answer if there is one; what is not prefetched is known to be empty."""
    values = {**dict.fromkeys(ALL_KEYS, b"null"), **prefetch}
    members = b",".join(b'"%b":%b' % (key.encode(), value) for key, value in values.items())
    head = json.dumps(
        {
            "hook": "patient-view",
            "hookInstance": "0b4e3a8c-8c0e-4e0e-9d39-4fe9f6a6a3a5",
            "context": {"userId": "Practitioner/example", "patientId": patient_id},
        }
    ).encode()
    body = head[:-1] + b',"prefetch":{' + members + b"}}"
    answer = client.post(
        f"/cds-services/{services()[0].id}", data=body, content_type="application/json"
    )
    if len(body) > Settings().max_body_bytes:
        assert answer.status_code == 413
    return answer.status_code, answer.json


def problems(status: int, said: Any, patient_id: str) -> list[str]:
    """What is wrong with an answer about a child without a known B12 result."""
    if status == 413:
        return []
    if status != 200:
        return [f"status {status}"]
    found = problems_in_response(said, patient_id)
    for card in said["cards"]:
        for suggestion in card.get("suggestions", ()):
            found += [
                f"suggests a {action['resource']['resourceType']}"
                for action in suggestion["actions"]
                if action["resource"]["resourceType"] not in ("ServiceRequest", "Task")
            ]
    return found


def test_they_are_all_there() -> None:
    assert len(paths()) == HOW_MANY


def borderline() -> bytes:
    """A result that calls for tests and for no treatment, so that there is a card to look at."""
    unit = {"unit": "pg/mL", "system": "http://unitsofmeasure.org", "code": "pg/mL"}
    return json.dumps(
        {
            "resourceType": "Observation",
            "id": "added-b12",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "2132-9"}]},
            "subject": {"reference": f"Patient/{INFANT}"},
            "effectiveDateTime": ON.isoformat(),
            "valueQuantity": {"value": 250, **unit},
        }
    ).encode()


def searchset(*resources: bytes) -> bytes:
    entries = b",".join(b'{"resource":%b}' % one for one in resources)
    return b'{"resourceType":"Bundle","type":"searchset","entry":[%b]}' % entries


@pytest.mark.parametrize("measured", [False, True])
def test_an_example_under_its_own_key_breaks_nothing_and_treats_nobody(
    client: FlaskClient, measured: bool
) -> None:
    wrong: dict[str, list[str]] = {}
    results = [borderline()] if measured else []
    for one in examples():
        if one.kind not in KEYS:
            continue
        prefetch = {"patient": infant(), "b12": searchset(*results)}
        prefetch |= dict.fromkeys(KEYS[one.kind], searchset(one.body))
        if one.kind == "Observation":
            prefetch["b12"] = searchset(one.body, *results)
        status, said = call(client, INFANT, prefetch)
        wrong[one.name] = problems(status, said, INFANT)
        if measured and status == 200 and "250 pg/mL" not in json.dumps(said["cards"]):
            wrong[one.name].append("the result is lost")
    assert len(wrong) > 200
    assert {name: why for name, why in wrong.items() if why} == {}


def test_an_example_under_a_wrong_key_breaks_nothing_and_treats_nobody(
    client: FlaskClient,
) -> None:
    wrong: dict[str, list[str]] = {}
    for number, one in enumerate(examples()):
        keys = [key for key in ALL_KEYS if key not in KEYS.get(one.kind, ())]
        prefetch = {"patient": infant(), keys[number % len(keys)]: one.body}
        wrong[one.name] = problems(*call(client, INFANT, prefetch), INFANT)
    assert len(wrong) == HOW_MANY
    assert {name: why for name, why in wrong.items() if why} == {}


def test_only_an_example_of_a_patient_is_taken_for_the_patient(client: FlaskClient) -> None:
    wrong: dict[str, list[str]] = {}
    patients = 0
    for one in examples():
        status, said = call(client, one.id or INFANT, {"patient": one.body})
        if one.kind == "Patient":
            patients += 1
            wrong[one.name] = problems(status, said, one.id)
        elif status not in (412, 413):
            wrong[one.name] = [f"status {status}"]
    assert patients > 20
    assert {name: why for name, why in wrong.items() if why} == {}
