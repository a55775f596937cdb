"""Records as laboratories, wards and practices of many countries write them, by HTTP: what is
said of a deficient infant must not hang on how the unit, the code, the flag or the name is spelt.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.consultation import EVALUATION_EXTENSION, load_services
from cds_service.settings import Settings

Json = dict[str, Any]

SERVICES = {service.hook: service for service in load_services()}
KEYS = [need.key for need in SERVICES["patient-view"].needs]
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
SUBJECT = {"reference": "Patient/p1"}


@pytest.fixture(scope="module")
def service() -> FlaskClient:
    return create_app(Settings(demo=True, as_of=date(2026, 11, 22))).test_client()


def quantity(value: float, unit: str = "", code: str = "") -> Json:
    sent: Json = {"value": value}
    if unit:
        sent["unit"] = unit
    return sent | ({"system": UCUM, "code": code} if code else {})


def result(code: str, value: Json, system: str = LOINC, **but: Any) -> Json:
    made = {
        "resourceType": "Observation",
        "id": f"r-{code}",
        "status": "final",
        "code": {"coding": [{"system": system, "code": code}]},
        "subject": SUBJECT,
        "effectiveDateTime": "2026-11-20",
        "valueQuantity": value,
        **but,
    }
    return {name: member for name, member in made.items() if member is not None}


def b12(value: float = 150) -> Json:
    return result("2132-9", quantity(value, "pg/mL", "pg/mL"))


def condition(code: str, system: str = SNOMED) -> Json:
    return {
        "resourceType": "Condition",
        "id": f"c-{code}",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "subject": SUBJECT,
        "code": {"coding": [{"system": system, "code": code}]},
        "recordedDate": "2026-11-10",
    }


def bundle(*resources: Json) -> Json:
    return {"resourceType": "Bundle", "entry": [{"resource": one} for one in resources]}


def asked(hook: str = "patient-view", drafts: tuple[Json, ...] = (), **sent: Json) -> Json:
    """A call about an infant of nine months with a low level and nothing else on record."""
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "2026-02-01"}
    nothing = dict.fromkeys(KEYS, bundle())
    context: Json = {"userId": "Practitioner/1", "patientId": "p1"}
    if drafts:
        context["draftOrders"] = bundle(*drafts)
    return {
        "hook": hook,
        "hookInstance": "3f0ab1de-8d2b-4a4c-9a2c-7d4f0f6d9a11",
        "context": context,
        "prefetch": {**nothing, "patient": patient, "b12": bundle(b12()), **sent},
    }


def ask(service: FlaskClient, hook: str = "patient-view", **sent: Any) -> Json:
    body = json.dumps(asked(hook, **sent))
    path = f"/cds-services/{SERVICES[hook].id}"
    answer = service.post(path, data=body, content_type="application/json")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return dict(json.loads(answer.data))


def rules(answer: Json) -> list[str]:
    return list(answer["extension"][EVALUATION_EXTENSION]["ruleIds"])


def said(answer: Json) -> str:
    return "\n".join(f"{card['summary']}\n{card.get('detail', '')}" for card in answer["cards"])


# --- units -------------------------------------------------------------------------------------

SEIZURE = bundle(condition("91175000"))


@pytest.mark.parametrize(
    "written",
    [
        quantity(4.0, "mmol/l", "mmol/l"), quantity(4.0, "mmol/L"), quantity(64, "g/L", "g/L"),
        quantity(64, "G/L"), quantity(6.4, "gm/dL"), quantity(6.4, "g%"), quantity(6.4, "г/дл"),
        quantity(6.4, "Gramm pro Deziliter"), quantity(6.4, "g/dL{Hb}"),
    ],
)  # fmt: skip
def test_a_severe_anaemia_is_severe_in_whatever_unit(service: FlaskClient, written: Json) -> None:
    answer = ask(service, labs=bundle(result("718-7", written)))
    assert "SEV-02" in rules(answer)
    assert written["unit"] in said(answer)


@pytest.mark.parametrize("written", [quantity(4.0, "mmol/L{tetramer}"), quantity(6.4, "g/kg")])
def test_a_unit_that_is_not_known_here_makes_no_anaemia(
    service: FlaskClient, written: Json
) -> None:
    answer = ask(service, labs=bundle(result("718-7", written)))
    assert "SEV-02" not in rules(answer)


@pytest.mark.parametrize(
    "written",
    [
        quantity(30, "10*9/L", "10*9/L"), quantity(30, "G/L"), quantity(30, "G/L", "10*9/L"),
        quantity(30, "G/L", "G/L"), quantity(30, "/nanoliter", "/nL"),
        quantity(30000, "/uL", "{#}/uL"), quantity(30, "1000/uL"), quantity(3e10, "/L"),
        quantity(30, "10#9/L"), quantity(30, "10**9/L"), quantity(30, "10*9.L-1", "10*9.L-1"),
        quantity(30, "Tsd/µl"), quantity(30, "×10⁹/L"), quantity(3, "万/μL"),
        quantity(30, "10*6/mL"), quantity(30000, "cells/mcL"),
    ],
)  # fmt: skip
def test_few_platelets_keep_the_needle_out_of_the_muscle_however_they_are_counted(
    service: FlaskClient, written: Json
) -> None:
    answer = ask(service, conditions=SEIZURE, labs=bundle(result("777-3", written)))
    assert "SAF-03" in rules(answer)


@pytest.mark.parametrize(
    "written",
    [
        quantity(25, "nmol/mL", "nmol/mL"), quantity(25, "{µmol/L}", "{µmol/L}"),
        quantity(25, "mcmol/L"), quantity(0.025, "umol/mL"), quantity(25, "мкмоль/л"),
        quantity(3.38, "mg/L", "mg/L"),
    ],
)  # fmt: skip
def test_homocysteine_counts_in_whatever_unit(service: FlaskClient, written: Json) -> None:
    labs = bundle(result("13965-9", written))
    plain = bundle(result("13965-9", quantity(25, "umol/L", "umol/L")))
    borderline = bundle(b12(250))
    answer = ask(service, b12=borderline, labs=labs)
    assert rules(answer) == rules(ask(service, b12=borderline, labs=plain))
    assert rules(answer) != rules(ask(service, b12=borderline))


@pytest.mark.parametrize(
    "written", [quantity(6.8, "kilogram"), quantity(6.8, "кг"), quantity(6800, "grammes")]
)
def test_a_weight_in_words_is_a_weight(service: FlaskClient, written: Json) -> None:
    answer = ask(service, weight=bundle(result("29463-7", written)))
    assert "WT-04" in rules(answer)
