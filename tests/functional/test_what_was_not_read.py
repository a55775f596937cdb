"""What a client sent and this service did not use, by HTTP: named, counted, never met with silence
where it may matter."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.cdshooks.request import parse_request
from cds_service.consultation import EVALUATION_EXTENSION, Occasion, consult, load_services
from cds_service.fhir.reading.collecting import WORDS
from cds_service.settings import Settings

Json = dict[str, Any]

SERVICES = {service.hook: service for service in load_services()}
KEYS = [need.key for need in SERVICES["patient-view"].needs]
LOCAL, LOINC, SNOMED = "urn:oid:2.999.1", "http://loinc.org", "http://snomed.info/sct"
SUBJECT = {"reference": "Patient/p1"}


@pytest.fixture(scope="module")
def service() -> FlaskClient:
    return create_app(Settings(demo=True, as_of=date(2026, 11, 22))).test_client()


def result(
    code: str, value: float, day: str, *, system: str = LOINC, name: str = "", unit: str = "pg/mL"
) -> Json:
    return {
        "resourceType": "Observation",
        "id": f"o-{code}-{day}",
        "status": "final",
        "code": {"coding": [{"system": system, "code": code}], "text": name or code},
        "subject": SUBJECT,
        "effectiveDateTime": day,
        "valueQuantity": {"value": value, "unit": unit},
    }


def condition(name: str, system: str = LOCAL, code: str = "x1") -> Json:
    return {
        "resourceType": "Condition",
        "id": f"c-{code}",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "subject": SUBJECT,
        "code": {"coding": [{"system": system, "code": code}], "text": name},
    }


def order(name: str, status: str = "active", code: Json | None = None) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": f"m-{name.split()[0]}",
        "status": status,
        "intent": "order",
        "subject": SUBJECT,
        "medicationCodeableConcept": {"coding": [code] if code else [], "text": name},
    }


def bundle(*resources: Json) -> Json:
    entries = [{"resource": one} for one in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


def ask(service: FlaskClient, *drafts: Json, **sent: Json) -> Json:
    """The answer about a girl of eight months, at the chart or about ``drafts``."""
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "2026-03-20"}
    prefetch = {key: bundle() for key in KEYS} | {"patient": patient} | sent
    hook = "order-sign" if drafts else "patient-view"
    context: Json = {"userId": "Practitioner/1", "patientId": "p1"}
    if drafts:
        context["draftOrders"] = bundle(*drafts)
    called = service.post(
        f"/cds-services/{SERVICES[hook].id}",
        json={
            "hook": hook,
            "hookInstance": "3f0ab1de-8d2b-4a4c-9a2c-7d4f0f6d9a11",
            "context": context,
            "prefetch": prefetch,
        },
    )
    assert called.status_code == 200
    answer: Json = called.json
    return answer


def unread(answer: Json) -> list[Json]:
    found: list[Json] = answer["extension"][EVALUATION_EXTENSION].get("unread", [])
    return found


ADEQUATE = result("2132-9", 450, "2026-08-01")
UNNAMED = {"need": "conditions", "reason": "code system", "what": ["Anfall"], "count": 1}


def test_an_older_level_does_not_stand_beside_a_newer_one_of_a_local_code(
    service: FlaskClient,
) -> None:
    local = result("VB12", 78, "2026-11-19", system=LOCAL, name="Vitamin B12")
    answer = ask(service, b12=bundle(ADEQUATE, local))
    said = " ".join(card["summary"] for card in answer["cards"])
    assert "Vitamin B12 78 pg/mL" in said
    assert "newer than B12 450 pg/mL could not be read" in said
    assert unread(answer) == [
        {"need": "b12", "reason": "code system", "what": ["Vitamin B12"], "count": 1}
    ]


def test_a_silent_answer_says_what_it_did_not_read(service: FlaskClient) -> None:
    answer = ask(service, b12=bundle(ADEQUATE), conditions=bundle(condition("Anfall")))
    assert not answer["cards"]
    assert unread(answer) == [UNNAMED]
    told = answer["extension"][EVALUATION_EXTENSION]["because"]
    assert "1 of what was sent was not read" in told


def test_a_card_names_it_and_calls_nothing_of_its_kind_absent(service: FlaskClient) -> None:
    low = bundle(result("2132-9", 150, "2026-11-19"))
    answer = ask(service, b12=low, conditions=bundle(condition("Anfall")))
    detail = answer["cards"][0]["detail"]
    assert "Sent and not used, the problem list: Anfall (code system not known here)." in detail
    assert "is recorded" not in detail


def test_a_problem_of_a_known_system_on_no_list_was_understood(service: FlaskClient) -> None:
    other = condition("Otitis media", SNOMED, "65363002")
    answer = ask(service, b12=bundle(result("2132-9", 150, "2026-11-19")), conditions=bundle(other))
    assert unread(answer) == []
    assert "No neurological sign" in answer["cards"][0]["detail"]


def test_a_sign_in_words_is_a_card_where_nothing_else_is_said(service: FlaskClient) -> None:
    answer = ask(service, b12=bundle(ADEQUATE), conditions=bundle(condition("Tremor")))
    assert any("Tremor" in card["summary"] for card in answer["cards"])


def test_a_local_code_for_another_drug_is_no_card(service: FlaskClient) -> None:
    drug = order("Paracetamol", code={"system": LOCAL, "code": "77"})
    assert not ask(service, b12=bundle(ADEQUATE), meds=bundle(drug))["cards"]


@pytest.mark.parametrize(
    ("kind", "is_said"),
    [
        ("DiagnosticReport", True), ("MedicationDispense", True), ("QuestionnaireResponse", True),
        ("Provenance", False), ("Practitioner", False), ("Encounter", False),
    ],
)  # fmt: skip
def test_another_form_of_what_was_asked_for_is_named(
    service: FlaskClient, kind: str, *, is_said: bool
) -> None:
    other = {"resourceType": kind, "id": "d1", "status": "final", "subject": SUBJECT}
    answer = ask(service, labs=bundle(result("718-7", 11, "2026-11-20", unit="g/dL"), other))
    unread = answer["extension"][EVALUATION_EXTENSION].get("unread", [])
    assert [(one["need"], one["reason"], one["what"]) for one in unread] == (
        [("labs", "another kind", [kind])] if is_said else []
    )


def test_a_drug_that_is_referred_to_is_what_its_name_says(service: FlaskClient) -> None:
    code = {"coding": [{"system": "urn:local", "code": "P1"}], "text": "Paracetamol 60 mg"}
    order = {
        "resourceType": "MedicationRequest", "id": "m1", "status": "active", "intent": "order",
        "subject": {"reference": "Patient/p1"}, "authoredOn": "2026-11-10",
        "medicationReference": {"reference": "Medication/x1"},
    }  # fmt: skip
    drug = {"resourceType": "Medication", "id": "x1", "code": code}
    answer = ask(service, meds=bundle(order, drug))
    assert "unread" not in answer["extension"][EVALUATION_EXTENSION]


@pytest.mark.parametrize(("drug", "spoken"), [("Folic acid", True), ("Paracetamol", False)])
def test_at_order_entry_it_is_one_card_where_b12_or_folic_acid_is_written(
    service: FlaskClient, drug: str, spoken: bool
) -> None:
    local = (condition("Anfall"), condition("Leiden", code="x2"))
    answer = ask(service, order(drug, "draft"), b12=bundle(ADEQUATE), conditions=bundle(*local))
    named = [card for card in answer["cards"] if "Anfall, Leiden" in card["summary"]]
    assert len(named) == len(answer["cards"]) == spoken


def test_a_blood_count_in_a_unit_nobody_knows_is_named(service: FlaskClient) -> None:
    low = bundle(result("2132-9", 150, "2026-11-19"))
    count = result("718-7", 5, "2026-11-19", unit="arb")
    answer = ask(service, b12=low, labs=bundle(count))
    assert (
        "haemoglobin 5 arb (unit missing, not known here or contradictory)"
        in answer["cards"][0]["detail"]
    )
    assert unread(answer)[0]["reason"] == "unit"


def test_of_it_only_counts_are_kept(service: FlaskClient) -> None:
    """The audit row and the metrics say need and reason, never what a record says."""
    drug = order("Anfall Tropfen", "active")
    drug |= {"medicationCodeableConcept": None, "medicationReference": {"display": "Tropfen"}}
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "2026-03-20"}
    sent = {
        "b12": bundle(ADEQUATE),
        "conditions": bundle(condition("Anfall")),
        "meds": bundle(drug),
    }
    call = {
        "hook": "patient-view",
        "hookInstance": "3f0ab1de-8d2b-4a4c-9a2c-7d4f0f6d9a11",
        "context": {"userId": "Practitioner/1", "patientId": "p1"},
        "prefetch": {key: bundle() for key in KEYS} | {"patient": patient} | sent,
    }
    asked = parse_request(json.dumps(call).encode(), "patient-view")
    consultation = consult(SERVICES["patient-view"], asked, None, Occasion(date(2026, 11, 22)))
    assert [card.summary for card in consultation.response.cards] == [
        "Sent and not understood, so not evaluated: Tropfen (drug not found)"
    ]
    kept = consultation.evaluation
    assert kept.unread == {"conditions: code system": 1, "meds: drug not found": 1}
    written = msgspec.json.encode(kept).decode() + json.dumps(consultation.log)
    assert "Anfall" not in written
    assert "Tropfen" not in written
    ask(service, **sent)
    counted = service.get("/metrics").text
    assert 'cds_unread_total{need="conditions",reason="code system"}' in counted
    assert "Anfall" not in counted


# --- words without end ---------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "read"), [(3_999, True), (4_000, True), (4_001, False)])
def test_a_problem_in_more_words_than_are_read_is_counted(
    service: FlaskClient, length: int, *, read: bool
) -> None:
    words = "x" * length
    known = condition("Crohn disease", SNOMED, "34000006")
    answer = ask(service, conditions=bundle(known, condition(words, code="long")))
    found = [one for one in unread(answer) if one["reason"] == "undecodable"]
    assert [(one["need"], one["count"]) for one in found] == ([] if read else [("conditions", 1)])


@pytest.mark.parametrize(("more", "over"), [(-1, False), (0, False), (1, True)])
def test_what_is_said_beyond_the_words_that_are_read_is_counted_and_said(
    service: FlaskClient, more: int, *, over: bool
) -> None:
    """Words that repeat count once."""
    each = 3_000
    full, left = divmod(WORDS, each + 150)
    texts = [f"{number:06}".ljust(each, "x") for number in range(full)]
    texts += ["y" * (left - 150 + more)]
    sent = [condition(text, code=f"c{place}") for place, text in enumerate([*texts, *texts[:3]])]
    for one in sent:
        del one["code"]["coding"]
    answer = ask(service, conditions=bundle(*sent))
    counted = [one["count"] for one in unread(answer) if one["reason"] == "undecodable"]
    assert counted == ([1] if over else [])
    said = json.dumps(answer["extension"][EVALUATION_EXTENSION].get("missing", []))
    assert ("conditions" in said) is over
