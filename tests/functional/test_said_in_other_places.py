"""What a record says where it is not expected: numbers in words, drugs in statements and notes,
allergies in reactions, operations and signs in words. By HTTP: each is used, held back for, or
named."""

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

SERVICE = next(one for one in load_services() if one.hook == "patient-view")
KEYS = [need.key for need in SERVICE.needs]
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
SUBJECT = {"reference": "Patient/p1"}
BY_NAME = {"medicationCodeableConcept": {"text": "Vitamin B12 drops"}}


@pytest.fixture(scope="module")
def service() -> FlaskClient:
    return create_app(Settings(demo=True, as_of=date(2026, 11, 22))).test_client()


def resource(kind: str, **sent: Any) -> Json:
    return {"resourceType": kind, "id": "r1", "subject": SUBJECT, **sent}


def result(code: str, **sent: Any) -> Json:
    coded = {"coding": [{"system": LOINC, "code": code}]}
    return resource(
        "Observation", status="final", code=coded, effectiveDateTime="2026-11-20", **sent
    )


def order(**sent: Any) -> Json:
    made = {"status": "active", "intent": "order", "authoredOn": "2026-11-10", **sent}
    return resource("MedicationRequest", **made)


def bundle(*resources: Json) -> Json:
    return {"resourceType": "Bundle", "entry": [{"resource": one} for one in resources]}


def ask(service: FlaskClient, **sent: Json) -> Json:
    """The answer about an infant of nine months with a low level and nothing else on record."""
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "2026-02-01"}
    low = bundle(result("2132-9", valueQuantity={"value": 150, "unit": "pg/mL"}))
    body = {
        "hook": "patient-view",
        "hookInstance": "3f0ab1de-8d2b-4a4c-9a2c-7d4f0f6d9a11",
        "context": {"userId": "Practitioner/1", "patientId": "p1"},
        "prefetch": {**dict.fromkeys(KEYS, bundle()), "patient": patient, "b12": low, **sent},
    }
    path = f"/cds-services/{SERVICE.id}"
    answer = service.post(path, data=json.dumps(body), content_type="application/json")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return dict(json.loads(answer.data))


def first(answer: Json) -> str:
    return str(answer["cards"][0]["summary"])


def said(answer: Json) -> str:
    return "\n".join(f"{card['summary']}\n{card.get('detail', '')}" for card in answer["cards"])


def recommended(answer: Json) -> bool:
    """Whether any drug is preselected."""
    return any(
        it["isRecommended"] and "MedicationRequest" in json.dumps(it["actions"])
        for card in answer["cards"]
        for it in card.get("suggestions", [])
    )


def unread(answer: Json) -> list[Json]:
    return list(answer["extension"][EVALUATION_EXTENSION].get("unread", []))


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("78 pg/mL", "B12 78 pg/mL, severe"),
        ("78pg/ml", "B12 78 pg/mL, severe"),
        ("78,5 ng/l", "B12 78.5 pg/mL, severe"),
        (" 0.078 µg/L ", "B12 78 pg/mL, severe"),
        ("<100 pg/mL", "B12 below 100 pg/mL, severe (below the range of the assay)"),
        ("\u2264 99 pg/mL", "B12 below 99 pg/mL, severe"),
        ("90 pmol/L", "B12 121.9 pg/mL, low"),
        ("150 pg/mL (L)", "B12 150 pg/mL, low"),
        ("Less than 150 ng/L", "B12 below 150 pg/mL, low"),
        ("150pg/mL以下", "B12 below 150 pg/mL, low"),
        ("１５０ｐｇ／ｍＬ", "B12 150 pg/mL, low"),
        ("150,0 pgm/ml", "B12 150 pg/mL, low"),
    ],
)
def test_a_number_with_its_unit_is_one_though_it_is_sent_as_text(
    service: FlaskClient, written: str, told: str
) -> None:
    answer = ask(service, b12=bundle(result("2132-9", valueString=written)))
    assert first(answer).startswith(told)
    assert not unread(answer)


@pytest.mark.parametrize(
    "written",
    ["78", "1,234 pg/mL", "1.234 pg/mL", "78 pg/mL (see note)", "78-90 pg/mL", "approx 78 pg/mL",
     "78 pg/mL 150 pg/mL", "78 IU", "low", "1e2 pg/mL", "-78 pg/mL"],
)  # fmt: skip
def test_any_other_text_is_no_number_and_is_shown_as_it_is(
    service: FlaskClient, written: str
) -> None:
    answer = ask(service, b12=bundle(result("2132-9", valueString=written)))
    assert "severe (" not in first(answer)
    assert "adequate" not in first(answer).lower()
    assert not recommended(answer) or written in ("78 IU",)
    shown = said(answer).replace("\\", "")
    assert written in shown or "B12 low (no number)" in shown


def test_a_blood_count_and_a_weight_may_be_sent_as_text(service: FlaskClient) -> None:
    counts = bundle(result("718-7", valueString="6.2 g/dL"))
    assert "severe (haemoglobin 6.2 g/dL)" in first(ask(service, labs=counts))
    weighed = bundle(result("29463-7", valueString="6.8 kg"))
    assert "× 6.8 kg" in said(ask(service, weight=weighed))


@pytest.mark.parametrize(
    "one",
    [
        resource("MedicationStatement", status="active", **BY_NAME),
        resource("MedicationStatement", status="active", effectiveDateTime="2026-11", **BY_NAME),
        resource(
            "MedicationStatement",
            status="active",
            medicationCodeableConcept={
                "coding": [{"system": "http://www.whocc.no/atc", "code": "B03BA03"}]
            },
        ),
        order(**BY_NAME),
        order(**{**BY_NAME, "status": "unknown"}),
        order(
            status="unknown",
            medicationCodeableConcept={
                "coding": [{"system": "http://www.whocc.no/atc", "code": "B03BA01"}],
                "text": "Cyanocobalamin",
            },
        ),
        order(
            medicationCodeableConcept={"text": "Medicine"},
            dosageInstruction=[{"text": "hydroxocobalamin 1 mg IM weekly"}],
        ),
    ],
)
def test_what_may_be_vitamin_b12_already_holds_a_second_back(
    service: FlaskClient, one: Json
) -> None:
    answer = ask(service, meds=bundle(one))
    assert "may be on vitamin B12 already" in first(answer)
    assert not recommended(answer)


@pytest.mark.parametrize(
    "one",
    [
        order(),
        order(medicationCodeableConcept={"text": "Drops"}),
        order(medicationCodeableConcept={"text": "Mixture 5 mL"}),
        order(medicationCodeableConcept={"text": "ბ12 ვიტამინი"}),
        order(medicationReference={"reference": "Medication/unknown"}),
        order(medicationReference={"reference": "Medication/unknown", "display": "Drops 1 mg/mL"}),
        order(medicationReference={"reference": "#nothing"}),
    ],
)
def test_an_order_that_names_no_drug_is_asked_about_first(service: FlaskClient, one: Json) -> None:
    answer = ask(service, meds=bundle(one))
    assert "1 active order names no drug and may be vitamin B12" in first(answer)
    assert not recommended(answer)


@pytest.mark.parametrize(
    "concept",
    [
        {"text": "Paracetamol"},
        {"coding": [{"system": "urn:example:drugs", "code": "77"}]},
        {"coding": [{"system": "urn:example:drugs", "code": "77", "display": "Paracetamol"}]},
        {"text": "Multivitamin drops"},
        {"text": "Vitamin D drops"},
    ],
)
def test_an_order_of_another_drug_withholds_nothing(service: FlaskClient, concept: Json) -> None:
    answer = ask(service, meds=bundle(order(medicationCodeableConcept=concept)))
    assert "cyanocobalamin 1000 micrograms (1 mL) by mouth" in first(answer)
    assert recommended(answer)


def test_a_planned_order_of_vitamin_b12_is_named(service: FlaskClient) -> None:
    for intent in ("plan", "proposal"):
        answer = ask(service, meds=bundle(order(**{**BY_NAME, "intent": intent})))
        (left,) = unread(answer)
        assert (left["need"], left["what"]) == ("meds", ["Vitamin B12 drops"])


def test_what_is_of_another_kind_is_named_with_what_it_is_of(service: FlaskClient) -> None:
    eaten = resource("NutritionIntake", status="completed", code={"text": "Vitamin B12 drops"})
    (left,) = unread(ask(service, meds=bundle(eaten)))
    assert left["what"] == ["NutritionIntake Vitamin B12 drops"]


@pytest.mark.parametrize(
    ("but", "holds"),
    [
        ({"whenHandedOver": "2026-11-20"}, True),
        ({"whenHandedOver": "2026-08-24"}, True),
        ({"whenHandedOver": "2026-08-23"}, False),
        ({"whenPrepared": "2026-11-20"}, True),
        ({}, True),
        ({"whenHandedOver": "2026-11-24"}, False),
        ({"whenHandedOver": "2026-11-20", "status": "preparation"}, True),
        ({"whenHandedOver": "2026-11-20", "status": "declined"}, False),
        ({"whenHandedOver": "2026-11-20", "status": "entered-in-error"}, False),
        ({"whenHandedOver": "2026-11-20", "medicationCodeableConcept": {"text": "Iron"}}, False),
    ],
)
def test_vitamin_b12_that_was_handed_over_may_be_taken(
    service: FlaskClient, but: Json, *, holds: bool
) -> None:
    given = {"status": "completed", **BY_NAME, **but}
    answer = ask(service, meds=bundle(resource("MedicationDispense", **given)))
    assert bool(recommended(answer)) is not holds
    assert ("was handed over (Vitamin B12 drops)" in json.dumps(answer["cards"])) is holds


def test_what_was_handed_over_next_to_an_order_of_it_is_that_order(service: FlaskClient) -> None:
    given = resource("MedicationDispense", status="completed", **BY_NAME)
    drops = {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "1423423"}
    running = order(medicationCodeableConcept={"coding": [drops]})
    answer = ask(service, meds=bundle({**given, "id": "d1"}, running))
    assert "handed over" not in json.dumps(answer["cards"])


@pytest.mark.parametrize(
    "but",
    [
        {"reaction": [{"substance": {"text": "vitamin B12 injection"}}]},
        {"reaction": [{"description": "anaphylaxis after hydroxocobalamin"}]},
        {"reaction": [{"note": [{"text": "after cobalamin"}]}]},
        {"note": [{"text": "anaphylaxis to vitamin B12 injection"}]},
        {"note": {"text": "cobalt"}},
    ],
)
def test_an_allergy_is_read_in_its_reactions_and_notes(service: FlaskClient, but: Json) -> None:
    allergy = {
        "resourceType": "AllergyIntolerance",
        "id": "a1",
        "patient": SUBJECT,
        "code": {"text": "Drug allergy"},
    }
    assert recommended(ask(service, allergies=bundle(allergy)))
    answer = ask(service, allergies=bundle({**allergy, **but}))
    assert not recommended(answer)
    assert "ossible" in said(answer)


@pytest.mark.parametrize(
    "concept",
    [
        {"text": "Ileal resection"},
        {"coding": [{"system": "urn:example:ops", "code": "9", "display": "Ileal resection"}]},
    ],
)
def test_an_operation_in_words_holds_treatment_by_mouth_back(
    service: FlaskClient, concept: Json
) -> None:
    done = resource("Procedure", status="completed", code=concept)
    answer = ask(service, procedures=bundle(done))
    assert not recommended(answer)
    assert '"Ileal resection" in words only' in said(answer)
    never = resource("Procedure", status="not-done", code=concept)
    assert recommended(ask(service, procedures=bundle(never)))


def test_the_notes_of_a_problem_no_one_knows_may_tell_of_a_sign(service: FlaskClient) -> None:
    active = {"coding": [{"code": "active"}]}

    def noted(text: str, **code: Any) -> Json:
        told = resource(
            "Condition", clinicalStatus=active, code=code or {"text": "see note"},
            note=[{"text": text}],
        )  # fmt: skip
        return ask(service, conditions=bundle(told))

    answer = noted("recurrent seizures since January")
    assert not recommended(answer)
    assert "recurrent seizures since January" in said(answer)
    denied = noted("no seizures")  # what it is is not known all the same
    assert not recommended(denied)
    assert "part of the record could not be read" in denied["cards"][0]["summary"]
    eczema = {
        "system": "http://snomed.info/sct",
        "code": "24079001",
        "display": "Atopic dermatitis",
    }
    assert recommended(noted("seizures", coding=[eczema]))


# --- the newborn screening -----------------------------------------------------------------------


def screened(service: FlaskClient, code: Json, **sent: Any) -> Json:
    """The answer about an infant without a level, with one result besides."""
    one = resource("Observation", status="final", code=code, effectiveDateTime="2026-11-20", **sent)
    return ask(service, b12=bundle(), labs=bundle(one))


def local(text: str) -> Json:
    return {"coding": [{"system": "http://hospital.example/lab", "code": "NBS1"}], "text": text}


HL7 = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


def flag(code: str, system: str = HL7) -> Json:
    return {"interpretation": [{"coding": [{"system": system, "code": code}]}]}


PANEL = {"coding": [{"system": LOINC, "code": "54089-8"}], "text": "Newborn screening panel"}


def coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


BARE_PANEL = {"coding": [{"system": LOINC, "code": "54089-8"}]}
C3 = {"coding": [{"system": LOINC, "code": "53160-8"}]}
NINE = {"valueQuantity": {"value": 9.1, "unit": "umol/L"}}
POSITIVE_SCREENING = (
    (PANEL, {"valueString": "Out of range: C3 elevated"}),
    (PANEL, {"valueCodeableConcept": {"text": "Positive for MMA"}}),
    (local("Newborn screening"), {"valueString": "Positive for elevated C3"}),
    (local("Newborn screening positive for C3"), {"valueBoolean": True}),
    (local("Newborn screening: C3"), {**NINE, **flag("H")}),
    (local("Newborn screening: C3"), {**NINE, "referenceRange": [{"high": {"value": 5}}]}),
    (C3, {**NINE, **flag("A")}),
    (C3, {**NINE, **flag("POS")}),
    (C3, {"valueString": "Elevated"}),
    ({"text": "Dépistage néonatal : C3"}, {"valueString": "Élevé"}),
    (C3, {**NINE, "interpretation": [{"text": "High"}]}),
    (C3, {**NINE, "interpretation": [{"text": "Abnormal"}]}),
    (C3, {**NINE, **flag("LA18593-6", LOINC)}),
    (C3, {**NINE, **flag("10828004", SNOMED)}),
    (C3, {"valueCodeableConcept": {"coding": [{"system": LOINC, "code": "LA18593-6"}]}}),
    (
        BARE_PANEL,
        {"component": [{"code": C3, **NINE, "interpretation": flag("H")["interpretation"]}]},
    ),
    (BARE_PANEL, {"component": [{"code": {"text": "MMA"}, "valueString": "elevated"}]}),
    (
        BARE_PANEL,
        {"component": [{"code": C3, **NINE, **flag("H")}], "valueAttachment": {"url": "urn:x"}},
    ),
    (BARE_PANEL, {**flag("A"), "valueString": "C3, C3/C2"}),
    (BARE_PANEL, {"valueCodeableConcept": {"coding": [{"system": SNOMED, "code": "42393006"}]}}),
)


@pytest.mark.parametrize(("code", "sent"), POSITIVE_SCREENING)
def test_a_positive_screening_is_confirmed_whatever_its_code(
    service: FlaskClient, code: Json, sent: Json
) -> None:
    answer = screened(service, code, **sent)
    assert answer["cards"][0]["summary"].startswith("Newborn screening positive (")
    assert "Sent and not used" not in answer["cards"][0]["detail"]
    given = [one for card in answer["cards"] for one in card.get("suggestions", ())]
    kinds = {act["resource"]["resourceType"] for one in given for act in one["actions"]}
    assert kinds == {"ServiceRequest"}


@pytest.mark.parametrize(
    ("code", "sent"),
    [
        (PANEL, {"valueString": "C3 not elevated"}),
        (local("Newborn screening: C3"), {**NINE, **flag("N")}),
        (local("Newborn screening: C3"), {**NINE, "referenceRange": [{"high": {"value": 9.1}}]}),
        (local("Newborn screening positive for C3"), {"valueBoolean": False}),
        (C3, {**NINE, **flag("N")}),
        (C3, {**NINE, **flag("NEG")}),
        (C3, {**NINE, **flag("260385009", SNOMED)}),
        (C3, {"valueCodeableConcept": {"coding": [{"system": LOINC, "code": "LA18592-8"}]}}),
        (BARE_PANEL, flag("N")),
        (BARE_PANEL, {"component": [{"code": C3, **NINE, **flag("N")}]}),
    ],
)
def test_a_negative_screening_is_understood_and_no_card(
    service: FlaskClient, code: Json, sent: Json
) -> None:
    answer = screened(service, code, **sent)
    assert answer["cards"] == []
    assert "unread" not in answer["extension"][EVALUATION_EXTENSION]


@pytest.mark.parametrize(
    ("code", "sent", "reason"),
    [
        (C3, NINE, "unjudged"),
        (PANEL, {"valueString": "Positive"}, "answer"),
        (local("Newborn screening: C3"), NINE, "code system"),
        (C3, {**NINE, **flag("?")}, "unjudged"),
        (C3, {"valueCodeableConcept": {"coding": [{"system": LOINC, "code": "LA1-1"}]}}, "answer"),
        (C3, {**NINE, "interpretation": [{"text": "see below"}]}, "unjudged"),
        (BARE_PANEL, flag("POS"), "unnamed"),
        (BARE_PANEL, {**flag("A"), "component": [{"code": C3, **flag("N")}]}, "unnamed"),
    ],
)
def test_a_screening_that_no_one_can_tell_is_named(
    service: FlaskClient, code: Json, sent: Json, reason: str
) -> None:
    answer = screened(service, code, **sent)
    assert answer["cards"] == []
    unread = answer["extension"][EVALUATION_EXTENSION]["unread"]
    assert [one["reason"] for one in unread] == [reason]


@pytest.mark.parametrize(
    ("code", "said", "cards", "reasons"),
    [
        (BARE_PANEL, {"conclusion": "C3 elevated"}, 1, []),
        (local("Neugeborenenscreening"), {"conclusion": "auffällig: C3 erhöht"}, 1, []),
        (BARE_PANEL, {"conclusionCode": [coded(SNOMED, "42393006")]}, 1, []),
        (BARE_PANEL, {"codedDiagnosis": [coded(SNOMED, "42393006")]}, 1, []),
        (BARE_PANEL, {"conclusion": "No methylmalonic acidaemia. All normal."}, 0, []),
        (BARE_PANEL, {"conclusion": "abnormal, see the letter"}, 0, ["answer"]),
        (BARE_PANEL, {}, 0, ["another kind"]),
        (coded(LOINC, "58410-2"), {"conclusion": "C3 elevated"}, 0, ["another kind"]),
    ],
)
def test_the_conclusion_of_a_report_of_the_screening_is_its_answer(
    service: FlaskClient, code: Json, said: Json, cards: int, reasons: list[str]
) -> None:
    report = resource(
        "DiagnosticReport", status="final", code=code, effectiveDateTime="2026-11-20", **said
    )
    answer = ask(service, b12=bundle(), labs=bundle(report))
    assert len(answer["cards"]) >= cards
    shown = [one["summary"] for one in answer["cards"]]
    assert bool(shown) is bool(cards)
    assert all(one.startswith("Newborn screening positive (") for one in shown[:1])
    unread = answer["extension"][EVALUATION_EXTENSION].get("unread", [])
    assert [one["reason"] for one in unread] == reasons
