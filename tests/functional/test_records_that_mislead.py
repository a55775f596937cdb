"""Records that are broken, contradictory or someone else's: no dose rests on them, none is
silently lost. Each was once answered wrongly."""

import json
from datetime import date
from typing import Any

import pytest

from cds_service.cdshooks.request import parse_request
from cds_service.cdshooks.response import encode
from cds_service.consultation import EVALUATION_EXTENSION, Occasion, consult, load_services

SERVICE = load_services()[0]
KEYS = [need.key for need in SERVICE.needs]
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


def b12(value: object = 150, **but: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2132-9"}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-11-20",
        "valueQuantity": {"value": value, "unit": "pg/mL"},
        **but,
    }


def condition(number: str = "28055006", **but: Any) -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": SNOMED, "code": number}]},
        **but,
    }


def bundle(*resources: object, **but: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "entry": [{"resource": one} for one in resources], **but}


def ask(**prefetch: Any) -> dict[str, Any]:
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "2026-02-01"}
    sent = {**dict.fromkeys(KEYS), "patient": patient, "b12": bundle(b12()), **prefetch}
    body = {
        "hook": "patient-view",
        "hookInstance": "3f0ab1de-8d2b-4a4c-9a2c-7d4f0f6d9a11",
        "context": {"userId": "Practitioner/1", "patientId": "p1"},
        "prefetch": sent,
    }
    asked = parse_request(json.dumps(body).encode(), "patient-view")
    answer = encode(consult(SERVICE, asked, None, Occasion(date(2026, 11, 22))).response)
    return dict(json.loads(answer))


def drugs(answer: dict[str, Any]) -> list[str]:
    return [
        action["resource"]["medicationCodeableConcept"]["text"]
        for card in answer["cards"]
        for suggestion in card.get("suggestions", [])
        for action in suggestion["actions"]
        if action["resource"]["resourceType"] == "MedicationRequest"
    ]


def rules(answer: dict[str, Any]) -> list[str]:
    return list(answer["extension"][EVALUATION_EXTENSION]["ruleIds"])


def test_the_record_as_it_should_be_is_treated_by_mouth() -> None:
    assert any("oral" in drug for drug in drugs(ask()))


@pytest.mark.parametrize(
    "sent",
    [
        {"resourceType": "Bundle", "entry": [{"fullUrl": "http://x/Condition/1"}]},
        {"resourceType": "Bundle", "entry": [{"response": {"status": "404"}}]},
        bundle(bundle(condition())),
        bundle(b12()),
        bundle(condition(subject={"reference": "Patient/p2"})),
        bundle(condition(code="x"), {"resourceType": "Condition", "code": "x"}),
    ],
    ids=["no resource", "404", "nested", "other type", "other patient", "unreadable"],
)
def test_a_problem_list_that_came_to_nothing_is_not_an_empty_one(sent: object) -> None:
    answer = ask(conditions=sent) if sent != "x" else {}
    if "RTE-07" in rules(answer):  # one readable problem among them: said to be incomplete
        assert any("Possibly incomplete" in card["detail"] for card in answer["cards"])
    else:
        assert "IN-03" in rules(answer)
        assert not drugs(answer)


@pytest.mark.parametrize(
    "broken", [{"severity": "severe"}, {"modifierExtension": [{"url": "http://x"}]}, {"onsetAge": 1,
               "abatementDateTime": 7}]
)  # fmt: skip
def test_a_sign_in_a_malformed_problem_still_counts_as_possible(broken: dict[str, Any]) -> None:
    answer = ask(conditions=bundle(condition(**broken), condition("271807003")))
    assert "RTE-03" in rules(answer)
    assert not any("oral" in drug for drug in drugs(answer))
    alone = ask(conditions=bundle(condition(**broken)))
    assert "IN-03" in rules(alone)
    assert not drugs(alone)


def an_allergy(**but: Any) -> dict[str, Any]:
    return {"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/p1"}, **but}


def test_an_allergy_that_is_hard_to_read_still_withholds_the_dose() -> None:
    code = {"coding": [{"system": RXNORM, "code": "11248"}]}
    answer = ask(allergies=bundle(an_allergy(code=code, clinicalStatus=7)))
    assert "SAF-05" in rules(answer)
    assert not drugs(answer)


@pytest.mark.parametrize(
    "code",
    [
        {"text": "Hydroxocobalamin - anaphylaxis"},
        {"coding": [{"system": "urn:local", "code": "7", "display": "Vitamin B12"}]},
    ],
    ids=["text", "local code"],
)
def test_an_allergy_by_its_name_only_is_warned_of_and_preselects_nothing(
    code: dict[str, Any],
) -> None:
    answer = ask(allergies=bundle(an_allergy(code=code)))
    assert "SAF-05b" in rules(answer)
    assert answer["cards"][0]["indicator"] == "warning"
    assert "by name only (" in answer["cards"][0]["detail"]
    offered = answer["cards"][0]["suggestions"]
    assert offered
    assert not any(one.get("isRecommended") for one in offered)


def test_an_allergy_of_nobody_makes_the_card_ask() -> None:
    answer = ask(allergies=bundle({"resourceType": "AllergyIntolerance", "code": {"text": "x"}}))
    assert "A reaction to cobalamin?" in answer["cards"][0]["detail"]


def test_an_order_that_is_hard_to_read_is_named_before_another_is_added() -> None:
    order = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": {
            "coding": [{"system": RXNORM, "code": "1423423", "display": "vitamin B12 1 MG/ML"}]
        },
        "dosageInstruction": "x",
    }
    card = ask(meds=bundle(order))["cards"][0]
    assert "Vitamin B12 by its name only" in card["detail"]
    assert not any(one.get("isRecommended") for one in card["suggestions"])


@pytest.mark.parametrize(
    "result",
    [
        b12(50, subject=None),
        b12(50, subject={"identifier": {"value": "p1"}}),
        b12(50, focus="Patient/p1"),
        b12(50, status="Final"),
        b12(50, status=None),
        b12(50, valueQuantity={"unit": "pg/mL"}),
        b12(50, valueQuantity={"value": 50, "unit": "pg/mL", "comparator": "ad"}),
        b12(50, valueString="50"),
        b12(50, subject={"reference": "Patient/p1#x"}),
    ],
)
def test_a_result_that_cannot_be_used_is_never_passed_over_in_silence(result: object) -> None:
    answer = ask(b12=bundle(result))
    assert answer["cards"]
    assert not drugs(answer)


def test_two_results_under_one_id_are_two() -> None:
    low = b12(50, effectiveDateTime="2026-11-20")
    assert drugs(ask(b12=bundle(b12(450, effectiveDateTime="2026-11-01"), low)))


@pytest.mark.parametrize(
    "reference",
    [
        "http://a/Patient/p2?y=/Patient/p1",
        "http://a/fhir/Patient/p2#/Patient/p1",
        "Group/Patient/p1",
    ],
)
def test_a_reference_that_only_ends_in_this_patient_is_not_to_it(reference: str) -> None:
    assert not drugs(ask(b12=bundle(b12(50, subject={"reference": reference}))))


def test_a_result_of_two_patients_is_nobodys() -> None:
    assert not drugs(ask(b12=bundle(b12(50, patient={"reference": "Patient/p2"}))))


def test_words_that_name_another_unit_than_the_code_make_no_number() -> None:
    litre = {"value": 150, "unit": "pmol/litre", "code": "pg/mL"}
    assert not drugs(ask(b12=bundle(b12(valueQuantity=litre))))


def test_a_long_name_never_hides_what_to_do() -> None:
    name = "Crohn disease of ileum, complicated by stricture, " * 4
    answer = ask(conditions=bundle(condition("34000006", code={
        "coding": [{"system": SNOMED, "code": "34000006"}], "text": name})))  # fmt: skip
    assert "hydroxocobalamin 1000 micrograms (1 mL) IM today" in answer["cards"][0]["summary"]
    assert len(json.dumps(answer)) < 40_000


def test_invisible_characters_are_not_carried_on() -> None:
    name = "Tremor \u202e\x00\x1b[31m gnp"
    answer = ask(conditions=bundle(condition("26079004", code={
        "coding": [{"system": SNOMED, "code": "26079004"}], "text": name})))  # fmt: skip
    shown = json.dumps(answer, ensure_ascii=False)
    assert not any(hidden in shown for hidden in ("\u202e", "\\u0000", "\\u001b"))


def test_nothing_to_say_is_never_said_of_what_was_not_looked_at() -> None:
    answer = ask(b12=None, conditions=bundle(condition("x"), {"resourceType": "Condition"}))
    assert answer["extension"][EVALUATION_EXTENSION]["outcome"] != "nothing to say"


def given(**when: Any) -> dict[str, Any]:
    """An injection of vitamin B12, in the form of R5 but for what ``when`` says."""
    drug = {"coding": [{"system": RXNORM, "code": "317106"}], "text": "hydroxocobalamin"}
    return {
        "resourceType": "MedicationAdministration",
        "id": "m1",
        "status": "completed",
        "subject": {"reference": "Patient/p1"},
        "medication": {"concept": drug},
        "dosage": {"dose": {"value": 1000, "unit": "ug"}},
        **when,
    }


@pytest.mark.parametrize(
    ("display", "said"),
    [
        (None, "1 dose already given could not be identified: vitamin B12?"),
        ("Hydroxocobalamin", "looks like vitamin B12 by its name only (Hydroxocobalamin)"),
    ],
)
def test_an_injection_of_a_drug_that_was_not_sent_is_said(display: str | None, said: str) -> None:
    named = {"reference": "Medication/elsewhere"} | ({"display": display} if display else {})
    sent = given(effectiveDateTime="2026-11-21", medicationReference=named)
    del sent["medication"]
    answer = ask(administrations=bundle(sent))
    assert drugs(answer)
    assert said in answer["cards"][0]["detail"]


@pytest.mark.parametrize("member", ["effectiveDateTime", "occurenceDateTime", "occurrenceDateTime"])
def test_an_injection_of_yesterday_counts_whichever_version_tells_of_it(member: str) -> None:
    answer = ask(administrations=bundle(given(**{member: "2026-11-21T10:00:00Z"})))
    assert not drugs(answer)
    assert answer["cards"][0]["summary"].startswith("Vitamin B12 treatment (day 1)")


@pytest.mark.parametrize(
    "when", [{}, {"effectiveDateTime": "yesterday"}, {"givenDateTime": "2026-11-21"}]
)
def test_an_injection_that_does_not_say_when_is_said_to_be_unread(when: dict[str, Any]) -> None:
    answer = ask(administrations=bundle(given(**when), given(effectiveDateTime="2020", id="m2")))
    said = "Sent and not used, medications given: "
    assert said in answer["cards"][0]["detail"]
    missing = answer["extension"][EVALUATION_EXTENSION]["missing"]
    assert "administrations: 1 not readable" in missing
    assert "administrations: possibly incomplete" in missing
