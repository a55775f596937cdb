"""Real-shaped public records: Synthea infants, the US Core infant, a premature girl in STU3.

None of them has a B12 result, so each test adds one. The records are old: every child is evaluated
on the day of its last observation.
"""

from __future__ import annotations

import json
import os
import re
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from checker import problems_in_response
from each import each
from fhir_server_stub import FhirStub
from played import client_of, services

from cds_service.cdshooks.response import encode
from cds_service.consultation import EVALUATION_EXTENSION, Occasion, consult
from cds_service.consultation.cases import NO_SERVER, read_case

pytestmark = pytest.mark.needs_environment("CDS_TEST_DATA")

RULES = "io.github.b12-cds-service.rules"
SYNTHEA = (
    "Bruno_Bernhard",
    "Claudie_Walsh",
    "Enda_Schaefer",
    "Luigi_Wiegand",
    "Noel_Reynolds",
    "Shavonne_Schaefer",
)
INFANTS = (*(f"synthea-r4-infants/{name}" for name in SYNTHEA), "us-core-9.0.0")
OLDER = tuple(f"synthea-r4-over-2y/{name}" for name in ("Ernie_Rosenbaum", "Versie_Botsford"))
PREMATURE = "smart-pediatric-stu3/patient-7777705"
#: The bundles that `evaluate` reads as they are.
BUNDLES = (*INFANTS[:-1], *OLDER, PREMATURE)

Json = dict[str, Any]


@cache
def record(name: str) -> tuple[Json, ...]:
    """The resources as a server has them that was given the bundle: with literal references."""
    path = Path(os.environ["CDS_TEST_DATA"]) / name
    if path.is_dir():
        every = [json.loads(file.read_text("utf-8")) for file in sorted(path.glob("*.json"))]
        return tuple(
            one
            for one in every
            if f"{one['resourceType']}/{one['id']}" == "Patient/infant-example"
            or one.get("subject", {}).get("reference") == "Patient/infant-example"
        )
    text = path.with_suffix(".json").read_text("utf-8")
    for entry in json.loads(text)["entry"]:
        one = entry["resource"]
        text = text.replace(f"urn:uuid:{one['id']}", f"{one['resourceType']}/{one['id']}")
    return tuple(entry["resource"] for entry in json.loads(text)["entry"])


def patient(name: str) -> Json:
    (found,) = [one for one in record(name) if one["resourceType"] == "Patient"]
    return found


def last_day(name: str) -> date:
    """The day of the last observation."""
    days = [one["effectiveDateTime"][:10] for one in record(name) if "effectiveDateTime" in one]
    return date.fromisoformat(max(days))


def b12(name: str, value: int, on: date) -> Json:
    unit = {"unit": "pg/mL", "system": "http://unitsofmeasure.org", "code": "pg/mL"}
    return {
        "resourceType": "Observation",
        "id": "added-b12",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2132-9"}]},
        "subject": {"reference": f"Patient/{patient(name)['id']}"},
        "effectiveDateTime": (on - timedelta(days=3)).isoformat(),
        "valueQuantity": {"value": value, **unit},
    }


def answer(name: str, value: int, on: date | None = None) -> Json:
    """What the service says to the record with this result, over HTTP and from a FHIR server."""
    on = on or last_day(name)
    request = {
        "hook": "patient-view",
        "hookInstance": "7c2a5a54-31c1-4f5c-8a0e-0d7dd1a3b9c6",
        "context": {"userId": "Practitioner/example", "patientId": patient(name)["id"]},
    }
    with FhirStub([*record(name), b12(name, value, on)]) as fhir:
        sent = client_of(as_of=on).post(
            f"/cds-services/{services()[0].id}", json={**request, "fhirServer": fhir.url}
        )
    assert sent.status_code == 200, sent.text
    said: Json = sent.json
    assert problems_in_response(said, patient(name)["id"]) == []
    assert "missing" not in said["extension"][EVALUATION_EXTENSION]
    return said


def prescriptions(card: Json) -> list[Json]:
    return [
        action["resource"]
        for suggestion in card.get("suggestions", ())
        for action in suggestion["actions"]
        if action["resource"]["resourceType"] == "MedicationRequest"
    ]


def rules(card: Json) -> list[str]:
    found: list[str] = card["extension"][RULES]["ruleIds"]
    return found


def first_dose(prescription: Json) -> float:
    quantity = prescription["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]
    assert quantity["code"] == "ug"
    return float(quantity["value"])


@pytest.mark.parametrize("name", INFANTS)
def test_a_deficient_infant_gets_one_card_with_one_recommended_regimen(name: str) -> None:
    cards = answer(name, 150)["cards"]
    (treatment,) = [card for card in cards if prescriptions(card)]
    assert treatment is cards[0]
    assert rules(treatment)[0] == "RTE-07"  # no sign, no cause, no recent blood count on record
    assert "150 pg/mL" in treatment["summary"]
    (recommended,) = [one for one in treatment["suggestions"] if one.get("isRecommended")]
    (regimen,) = prescriptions({"suggestions": [recommended]})
    assert first_dose(regimen) == 1000
    assert len(regimen["dosageInstruction"]) == 4


@pytest.mark.parametrize("name", INFANTS)
def test_a_borderline_infant_gets_tests_and_no_treatment(name: str) -> None:
    cards = answer(name, 250)["cards"]
    assert rules(cards[0])[0] == "RTE-08"
    assert not any(prescriptions(card) for card in cards)
    ordered = {
        action["resource"]["code"]["coding"][0]["code"]
        for suggestion in cards[0]["suggestions"]
        for action in suggestion["actions"]
    }
    assert {"13964-2", "13965-9"} <= ordered


@pytest.mark.parametrize("name", INFANTS)
def test_an_adequate_infant_is_evaluated_and_left_in_peace(name: str) -> None:
    said = answer(name, 450)
    assert said["cards"] == []
    assert said["extension"][EVALUATION_EXTENSION]["outcome"] == "nothing to say"


@pytest.mark.parametrize("name", INFANTS)
def test_the_dose_by_weight_rests_on_the_last_weight_of_the_record(name: str) -> None:
    by_weight = [
        float(amount)
        for card in answer(name, 150)["cards"]
        for amount in re.findall(r"/kg/day × .* = ([\d.]+) micrograms daily", card["detail"])
    ]
    weights = {
        one["effectiveDateTime"]: one["valueQuantity"]["value"]
        for one in record(name)
        if one["resourceType"] == "Observation"
        and any(coding["code"] == "29463-7" for coding in one["code"].get("coding", ()))
    }
    born = date.fromisoformat(patient(name)["birthDate"])
    if not weights or (last_day(name) - born).days > 366:  # US Core's has a percentile only
        assert by_weight == []
    else:
        (dose,) = by_weight  # stated on a card of its own, and not ordered
        assert dose == pytest.approx(0.3 * weights[max(weights)], abs=0.05)


@pytest.mark.parametrize("name", [*INFANTS, *OLDER])
def test_a_child_of_two_years_is_not_spoken_about(name: str) -> None:
    born = date.fromisoformat(patient(name)["birthDate"])
    second_birthday = born.replace(year=born.year + 2)
    on = max(second_birthday, last_day(name))
    said = answer(name, 90, on)
    assert said["cards"] == []
    assert {"AGE-01", "AGE-04"} & set(said["extension"][EVALUATION_EXTENSION]["ruleIds"])


def test_results_of_unknown_status_weigh_nobody() -> None:
    """Every observation of the premature girl has the status "unknown"."""
    observations = [one for one in record(PREMATURE) if one["resourceType"] == "Observation"]
    assert {one["status"] for one in observations} == {"unknown"}
    cards = answer(PREMATURE, 150)["cards"]
    doses = [first_dose(one) for card in cards for one in prescriptions(card)]
    assert doses
    assert set(doses) == {1000}
    assert "without a usable weight" in " ".join(one["detail"] for one in cards)


@each("name", BUNDLES)
@each("value", [150, 250, 450])
def test_the_file_as_it_was_published_gets_the_same_cards(name: str, value: int) -> None:
    """With urn:uuid references, as a transaction has them."""
    path = (Path(os.environ["CDS_TEST_DATA"]) / name).with_suffix(".json")
    bundle = json.loads(path.read_text("utf-8"))
    on = last_day(name)
    bundle["entry"].append({"resource": b12(name, value, on)})
    case = read_case(json.dumps(bundle).encode(), services())
    done = consult(
        case.service, case.asked, None, Occasion(on, as_of_is_set=True, no_server=NO_SERVER)
    ).response
    assert seen(json.loads(encode(done))) == seen(answer(name, value))


#: What follows from the call, which is another one for the same file.
OF_THE_CALL = {"uuid", "identifier", "io.github.b12-cds-service.if-none-exist"}


def of_any_call(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: of_any_call(one) for name, one in value.items() if name not in OF_THE_CALL}
    return [of_any_call(one) for one in value] if isinstance(value, list) else value


def seen(said: Json) -> list[Json]:
    """The cards but for what follows from the call."""
    return [
        {
            **{name: card[name] for name in ("summary", "indicator", "detail")},
            "suggestions": of_any_call(card.get("suggestions", [])),
        }
        for card in said["cards"]
    ]
