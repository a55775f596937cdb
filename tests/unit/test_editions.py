"""One table of FHIR versions: true to their models, and the same thing read in each spelling."""

from __future__ import annotations

import importlib
import json
from datetime import date
from typing import Any

import pytest
from each import each
from msgspec import Raw

from cds_service.clinical import Code, Medication, Need, Record
from cds_service.fhir import editions
from cds_service.fhir.drafts import open_drafts, read_basket
from cds_service.fhir.editions import EDITIONS, SHAPES, TYPES, WRITING, Shape
from cds_service.fhir.gather import Answer
from cds_service.fhir.reading import read_record

Json = dict[str, Any]

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
ADHERENCE = "http://hl7.org/fhir/CodeSystem/medication-statement-adherence"

# --- the table ---------------------------------------------------------------------------------

_PACKAGES = {"STU3": "fhir.resources.STU3", "R4B": "fhir.resources.R4B", "R5": "fhir.resources"}
#: Read besides the names that a version has; doses of STU3 are called so in some of its tools.
_BESIDE = {
    "doseSimpleQuantity",
    "occurrenceDateTime", "occurrencePeriod", "occurrenceTiming",
}  # fmt: skip


def members_of(model: Any) -> dict[str, Any]:
    return {one.alias or name: one for name, one in model.model_fields.items()}


def model(edition: str, name: str) -> Any:
    return getattr(importlib.import_module(f"{_PACKAGES[edition]}.{name.lower()}"), name)


MODELLED = [
    (edition, shape) for edition in _PACKAGES for shape in SHAPES if edition in shape.editions
]


@each(
    ("edition", "shape"), MODELLED, ids=[f"{edition} {shape.type}" for edition, shape in MODELLED]
)
def test_a_row_says_what_the_model_of_its_version_says(edition: str, shape: Shape) -> None:
    known = members_of(model(edition, shape.type))
    parts = (shape.about, shape.when, shape.noted, shape.due, shape.ended, shape.reasons)
    named = {shape.subject, *(name for part in parts for name in part), *shape.lines, *shape.denied}
    strange = named - known.keys()
    if shape.type == "MedicationAdministration" and edition == "R5":
        strange -= _BESIDE
    assert not strange
    enumerated = (known["status"].json_schema_extra or {}) if "status" in known else {}
    if shape.statuses:
        said = set(shape.statuses)
        if (edition, shape.type) == ("STU3", "ProcedureRequest"):
            said.discard("unknown")  # left out by the models, not by the standard
        assert said == set(enumerated["enum_values"])


@pytest.mark.parametrize("edition", _PACKAGES)
def test_a_dose_stands_where_the_model_of_its_version_has_it(edition: str) -> None:
    package = _PACKAGES[edition]
    line = members_of(importlib.import_module(f"{package}.dosage").Dosage)
    deeper = {}
    if edition != "STU3":
        deeper = members_of(importlib.import_module(f"{package}.dosage").DosageDoseAndRate)
    for shape in SHAPES:
        if edition in shape.editions and shape.type in ("MedicationRequest", "MedicationStatement"):
            for name in set(shape.dose) - _BESIDE:
                outer, _, inner = name.partition(".")
                assert outer in line
                assert not inner or inner in deeper


def test_every_version_has_every_kind_and_a_way_of_writing() -> None:
    # What is read of these three has one name in every version.
    for kind in TYPES.keys() - {"Patient", "FamilyMemberHistory", "Task"}:
        assert {one for shape in SHAPES if shape.kind == kind for one in shape.editions} == set(
            EDITIONS
        )
    assert set(WRITING) == set(EDITIONS)


def test_a_status_is_told_in_r4_s_word_for_it() -> None:
    assert editions.status_of("Procedure", "aborted") == "stopped"
    assert editions.status_of("DiagnosticOrder", "requested") == "active"
    assert editions.status_of("MedicationRequest", None) == ""
    assert editions.status_of("MedicationRequest", "recorded") is None


# --- the same thing in every spelling ------------------------------------------------------------

NEEDS = (
    Need("patient", "Patient", "the child", "indispensable"),
    Need("b12", "Observation", "vitamin B12", "required"),
    Need("conditions", "Condition", "problems", "required"),
    Need("meds", "MedicationRequest", "orders", "optional"),
    Need("procedures", "Procedure", "procedures", "optional"),
    Need("allergies", "AllergyIntolerance", "allergies", "optional"),
    Need("administrations", "MedicationAdministration", "doses given", "optional"),
    Need("orders", "ServiceRequest", "tests ordered", "optional"),
)
DRUG: Json = {"coding": [{"system": RXNORM, "code": "317106"}], "text": "hydroxocobalamin"}
MILLIGRAM: Json = {"value": 1, "unit": "mg", "system": UCUM, "code": "mg"}
MINE: Json = {"reference": "Patient/1"}
DAY = "2026-01-12"


def read(**sent: list[Json]) -> Record:
    evidence = {need.key: Answer("empty") for need in NEEDS}
    everything = {"patient": [{"resourceType": "Patient", "id": "1"}], **sent}
    for key, resources in everything.items():
        raw = tuple(Raw(json.dumps(one).encode()) for one in resources)
        evidence[key] = Answer("present", raw, ("",) * len(raw))
    return read_record(evidence, NEEDS, "1")


def medication(key: str, sent: Json) -> Medication:
    record = read(**{key: [sent]})
    assert record.unreadable == {}
    (found,) = record.medications
    return found


OLD_DRUG: Json = {"medicationCodeableConcept": DRUG}
DRUG_OF_R5: Json = {"medication": {"concept": DRUG}}
GIVEN = {
    "DSTU2": {"patient": MINE, **OLD_DRUG, "effectiveTimeDateTime": DAY,
              "dosage": {"quantity": MILLIGRAM}},
    "DSTU2, a while": {"patient": MINE, **OLD_DRUG,
                       "effectiveTimePeriod": {"start": DAY, "end": DAY},
                       "dosage": {"quantity": MILLIGRAM}},
    "STU3": {"subject": MINE, **OLD_DRUG, "effectiveDateTime": DAY, "dosage": {"dose": MILLIGRAM}},
    "R4": {"subject": MINE, **OLD_DRUG, "effectivePeriod": {"start": DAY},
           "dosage": {"dose": MILLIGRAM}},
    "R4, only its end": {"subject": MINE, **OLD_DRUG, "effectivePeriod": {"end": DAY},
                         "dosage": {"dose": MILLIGRAM}},
    "R5": {"subject": MINE, **DRUG_OF_R5, "occurenceDateTime": DAY, "dosage": {"dose": MILLIGRAM}},
    "R5, a while": {"subject": MINE, **DRUG_OF_R5, "occurencePeriod": {"start": DAY, "end": DAY},
                    "dosage": {"dose": MILLIGRAM}},
    "R5, at times": {"subject": MINE, **DRUG_OF_R5, "occurenceTiming": {"event": [DAY]},
                     "dosage": {"dose": MILLIGRAM}},
    "R5, spelt right": {"subject": MINE, **DRUG_OF_R5, "occurrenceDateTime": DAY,
                        "dosage": {"dose": MILLIGRAM}},
    "R5, a while, spelt right": {"subject": MINE, **DRUG_OF_R5, "occurrencePeriod": {"start": DAY},
                                 "dosage": {"dose": MILLIGRAM}},
    "R5, at times, spelt right": {"subject": MINE, **DRUG_OF_R5, "dosage": {"dose": MILLIGRAM},
                                  "occurrenceTiming": {"repeat": {"boundsPeriod": {"start": DAY}}}},
    "R5's date of R4's drug": {"subject": MINE, **OLD_DRUG, "occurenceDateTime": DAY,
                               "dosage": {"dose": MILLIGRAM}},
    "R4's date of R5's drug": {"subject": MINE, **DRUG_OF_R5, "effectiveDateTime": DAY,
                               "dosage": {"dose": MILLIGRAM}},
}  # fmt: skip


@pytest.mark.parametrize("spelling", GIVEN)
def test_a_dose_given_is_read_in_every_spelling(spelling: str) -> None:
    sent = {"resourceType": "MedicationAdministration", "id": "1", "status": "completed"}
    found = medication("administrations", sent | GIVEN[spelling])
    assert (found.kind, found.status) == ("administration", "completed")
    assert found.codes == (Code(RXNORM, "317106"),)
    assert found.authored is not None
    assert found.authored.first == date(2026, 1, 12)
    (dose,) = found.doses
    assert dose.amount is not None
    assert dose.amount.written == "1 mg"


WHILE = {"start": "2026-01-01", "end": DAY}
TAKEN = {
    "DSTU2": {"patient": MINE, **OLD_DRUG, "effectivePeriod": WHILE,
              "dosage": [{"quantityQuantity": MILLIGRAM}]},
    "STU3": {"subject": MINE, **OLD_DRUG, "effectivePeriod": WHILE, "taken": "y",
             "dosage": [{"doseQuantity": MILLIGRAM}]},
    "STU3, by some tools": {"subject": MINE, **OLD_DRUG, "effectivePeriod": WHILE, "taken": "y",
                            "dosage": [{"doseSimpleQuantity": MILLIGRAM}]},
    "R4": {"subject": MINE, **OLD_DRUG, "effectivePeriod": WHILE,
           "dosage": [{"doseAndRate": [{"doseQuantity": MILLIGRAM}]}]},
    "R5": {"subject": MINE, **DRUG_OF_R5, "status": "recorded", "effectivePeriod": WHILE,
           "adherence": {"code": {"coding": [{"system": ADHERENCE, "code": "taking"}]}},
           "dosage": [{"doseAndRate": [{"doseQuantity": MILLIGRAM}]}]},
    "R5, at times": {"subject": MINE, **DRUG_OF_R5, "status": "recorded",
                     "effectiveTiming": {"repeat": {"boundsPeriod": WHILE}},
                     "dosage": [{"doseAndRate": [{"doseQuantity": MILLIGRAM}]}]},
}  # fmt: skip


@pytest.mark.parametrize("spelling", TAKEN)
def test_a_statement_is_read_in_every_spelling(spelling: str) -> None:
    sent = {"resourceType": "MedicationStatement", "id": "1", "status": "active"} | TAKEN[spelling]
    found = medication("meds", sent)
    assert (found.kind, found.status) == ("statement", "active")
    assert found.codes == (Code(RXNORM, "317106"),)
    assert found.authored is not None
    assert found.ended is not None
    assert (found.authored.first.day, found.ended.first.day) == (1, 12)
    assert [dose.amount and dose.amount.written for dose in found.doses] == ["1 mg"]


@pytest.mark.parametrize(
    ("code", "status"),
    [("taking", "active"), ("taking-not-as-directed", "active"), ("not-taking", "not-taken"),
     ("not-taking-as-directed", "not-taken"), ("on-hold", "on-hold"),
     ("stopped-not-as-directed", "stopped"), ("unknown", "unknown")],
)  # fmt: skip
def test_whether_a_drug_is_taken_is_read_of_r5_s_adherence(code: str, status: str) -> None:
    said = {"code": {"coding": [{"system": ADHERENCE, "code": code}]}}
    sent = {"resourceType": "MedicationStatement", **TAKEN["R5"], "adherence": said}
    assert medication("meds", sent).status == status
    words = {"code": {"text": code.replace("-", " ").capitalize()}}
    assert medication("meds", {**sent, "adherence": words}).status == status
    assert medication("meds", {**sent, "status": "entered-in-error"}).status == "entered-in-error"


ORDERED = {
    "DSTU2": {"resourceType": "MedicationOrder", "patient": MINE, **OLD_DRUG, "dateWritten": DAY,
              "dateEnded": "2026-02-01", "dosageInstruction": [{"doseQuantity": MILLIGRAM}]},
    "STU3": {"subject": MINE, **OLD_DRUG, "authoredOn": DAY,
             "dosageInstruction": [{"doseQuantity": MILLIGRAM, "timing": {"repeat": {
                 "boundsPeriod": {"end": "2026-02-01"}}}}]},
    "R4": {"subject": MINE, **OLD_DRUG, "authoredOn": DAY,
           "dosageInstruction": [{"doseAndRate": [{"doseQuantity": MILLIGRAM}], "timing": {
               "repeat": {"boundsPeriod": {"end": "2026-02-01"}}}}]},
    "R5": {"subject": MINE, **DRUG_OF_R5, "authoredOn": DAY,
           "effectiveDosePeriod": {"start": DAY, "end": "2026-02-01"},
           "dosageInstruction": [{"doseAndRate": [{"doseQuantity": MILLIGRAM}]}]},
}  # fmt: skip


@pytest.mark.parametrize("spelling", ORDERED)
def test_an_order_is_read_in_every_spelling(spelling: str) -> None:
    sent = {"resourceType": "MedicationRequest", "id": "1", "status": "active", **ORDERED[spelling]}
    found = medication("meds", sent)
    assert (found.kind, found.status) == ("order", "active")
    assert found.codes == (Code(RXNORM, "317106"),)
    assert found.authored is not None
    assert found.ended is not None
    assert (found.authored.first, found.ended.first) == (date(2026, 1, 12), date(2026, 2, 1))
    assert [dose.amount and dose.amount.written for dose in found.doses] == ["1 mg"]


@pytest.mark.parametrize("spelling", ORDERED)
def test_what_was_stopped_ended_on_the_day_it_says_not_when_it_was_planned_to(
    spelling: str,
) -> None:
    sent = {"resourceType": "MedicationRequest", "id": "1", **ORDERED[spelling]}
    stopped = medication("meds", {**sent, "status": "stopped"})
    assert (stopped.ended is not None) == (spelling == "DSTU2")  # dateEnded
    completed = medication("meds", {**sent, "status": "completed"})
    assert completed.ended is not None
    assert completed.ended.first == date(2026, 2, 1)
    changed = medication("meds", {**sent, "status": "stopped", "statusChanged": "2026-01-20"})
    assert changed.ended is not None
    assert changed.ended.first == date(2026, 1, 20)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"performedDateTime": DAY, "status": "aborted"}, "stopped"),  # DSTU2, STU3
        ({"performedPeriod": {"start": "2026-01-10", "end": DAY}, "status": "completed"},
         "completed"),
        ({"occurrenceDateTime": DAY, "status": "completed"}, "completed"),  # R5
        ({"occurrencePeriod": {"start": "2026-01-10", "end": DAY}, "status": "completed"},
         "completed"),
        ({"occurrencePeriod": {"start": DAY}, "status": "in-progress"}, "in-progress"),
        ({"occurrenceTiming": {"event": ["2026-01-10", DAY]}, "status": "completed"},
         "completed"),
        ({"performedDateTime": DAY, "status": "suspended"}, "on-hold"),  # STU3
        ({"performedDateTime": DAY, "status": "completed", "notPerformed": True}, "not-done"),
        ({"performedDateTime": DAY, "status": "entered-in-error", "notDone": True},
         "entered-in-error"),
    ],
)  # fmt: skip
def test_a_procedure_is_read_in_every_spelling(sent: Json, status: str) -> None:
    coded = {"resourceType": "Procedure", "subject": MINE, "code": {"text": "resection"}}
    (found,) = read(procedures=[coded | sent]).procedures
    assert (found.text, found.status) == ("resection", status)
    assert found.performed is not None
    assert found.performed.first == date(2026, 1, 12)


B12_LEVEL: Json = {"coding": [{"system": LOINC, "code": "2132-9"}]}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"resourceType": "DiagnosticOrder", "item": [{"code": B12_LEVEL}], "status": "requested"},
         "active"),
        ({"resourceType": "ProcedureRequest", "code": B12_LEVEL, "status": "suspended",
          "scheduledDateTime": DAY, "orderedOn": "2026-01-01"}, "on-hold"),
        ({"resourceType": "ProcedureRequest", "code": B12_LEVEL, "status": "active",
          "scheduledTiming": {"event": [DAY]}, "orderedOn": "2026-01-01"}, "active"),
        ({"resourceType": "ProcedureRequest", "code": B12_LEVEL, "status": "cancelled",
          "occurrenceDateTime": DAY, "authoredOn": "2026-01-01"}, "revoked"),
        ({"code": B12_LEVEL, "status": "active", "occurrencePeriod": {"start": DAY, "end": DAY},
          "authoredOn": "2026-01-01"}, "active"),
        ({"code": {"concept": B12_LEVEL}, "status": "active", "authoredOn": "2026-01-01",
          "occurrenceTiming": {"repeat": {"boundsPeriod": {"start": DAY, "end": DAY}}}}, "active"),
    ],
)  # fmt: skip
def test_a_test_ordered_is_read_in_every_spelling(sent: Json, status: str) -> None:
    sent = {"resourceType": "ServiceRequest", "id": "t", "subject": MINE, **sent}
    (found,) = read(orders=[sent]).test_orders
    assert (found.codes, found.status) == ((Code(LOINC, "2132-9"),), status)
    if sent["resourceType"] != "DiagnosticOrder":
        assert found.due is not None
        assert found.authored is not None
        assert (found.due.first, found.authored.first) == (date(2026, 1, 12), date(2026, 1, 1))
    (draft,) = read_basket(open_drafts(json.dumps(sent).encode()), None, "1").drafts
    assert draft.test == found  # an order being written is read as the record has it


def test_a_problem_and_an_allergy_of_r5_are_read() -> None:
    active = {"coding": [{"code": "active"}]}
    record = read(
        conditions=[{"resourceType": "Condition", "subject": MINE, "code": {"text": "seizures"},
                     "clinicalStatus": active, "onsetDateTime": DAY, "recordedDate": DAY,
                     "participant": [{"actor": {"reference": "Practitioner/1"}}]}],
        allergies=[{"resourceType": "AllergyIntolerance", "patient": MINE, "clinicalStatus": active,
                    "type": {"coding": [{"code": "allergy"}]}, "code": {"text": "cobalamin"},
                    "participant": [{"actor": {"reference": "Practitioner/1"}}]}],
    )  # fmt: skip
    assert [(one.text, one.clinical_status) for one in record.problems] == [("seizures", "active")]
    assert [(one.text, one.clinical_status) for one in record.allergies] == [
        ("cobalamin", "active")
    ]


# --- what fits no version is stated --------------------------------------------------------------

ADMINISTERED = {"resourceType": "MedicationAdministration", "id": "1", "status": "completed"}


@pytest.mark.parametrize(
    "when",
    [
        {},
        {"effectiveDateTime": "yesterday"},
        {"_effectiveDateTime": {"extension": []}},
        {"happenedDateTime": DAY},
        {"effectivePeriod": {}},
        {"occurenceTiming": {"repeat": {"frequency": 1}}},
    ],
)
def test_a_dose_that_does_not_say_when_it_was_given_is_unread(when: Json) -> None:
    record = read(administrations=[{**ADMINISTERED, "subject": MINE, **OLD_DRUG, **when}])
    assert (record.medications, record.unreadable) == ((), {"administrations": 1})


@pytest.mark.parametrize(
    "never",
    [{"status": "not-done"}, {"status": "entered-in-error"}, {"notGiven": True}],
)
def test_when_nothing_was_given_needs_no_date(never: Json) -> None:
    record = read(administrations=[{**ADMINISTERED, "subject": MINE, **OLD_DRUG, **never}])
    assert (len(record.medications), record.unreadable) == (1, {})


@pytest.mark.parametrize("drug", [{}, {"product": {"concept": DRUG}}])
def test_a_dose_of_nothing_is_unread(drug: Json) -> None:
    sent = {**ADMINISTERED, "subject": MINE, "effectiveDateTime": DAY, **drug}
    assert read(administrations=[sent]).unreadable == {"administrations": 1}


def test_a_drug_said_to_have_been_taken_at_no_time_is_unread_and_no_order_of_it_is_made_up() -> (
    None
):
    sent: Json = {"resourceType": "MedicationStatement", "status": "active", "subject": MINE}
    record = read(meds=[{**sent, **OLD_DRUG, "status": "completed"}])
    assert (record.medications, record.unreadable) == ((), {"meds": 1})
    taken = medication("meds", sent | OLD_DRUG)
    assert (taken.kind, taken.authored) == ("statement", None)
    assert medication("meds", {**sent, **OLD_DRUG, "dateAsserted": DAY}).authored is not None
    assert medication("meds", {**sent, **OLD_DRUG, "status": "not-taken"}).authored is None


def test_an_order_needs_no_date() -> None:
    sent = {"resourceType": "MedicationRequest", "status": "active", "subject": MINE, **OLD_DRUG}
    assert medication("meds", sent).authored is None


@pytest.mark.parametrize(
    ("key", "sent"),
    [
        ("administrations", {**ADMINISTERED, **OLD_DRUG, "effectiveDateTime": DAY}),
        ("procedures", {"resourceType": "Procedure", "code": {"text": "resection"}}),
        ("orders", {"resourceType": "ServiceRequest", "code": B12_LEVEL}),
    ],
)
def test_a_status_of_no_version_is_unread(key: str, sent: Json) -> None:
    record = read(**{key: [{**sent, "subject": MINE, "status": "perhaps"}]})
    assert record.unreadable == {key: 1}
    assert (*record.medications, *record.procedures, *record.test_orders) == ()


def test_an_order_of_a_status_of_no_version_is_one_to_be_looked_at() -> None:
    for drug in (OLD_DRUG, DRUG_OF_R5):
        sent = {"resourceType": "MedicationRequest", "id": "1", "subject": MINE, **drug}
        record = read(meds=[{**sent, "status": "perhaps"}])
        assert record.unreadable == {"meds": 1}
        (found,) = record.medications
        assert (found.kind, found.status, found.text) == ("order", "active", "hydroxocobalamin")


# --- orders being written ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "edition"),
    [
        ({"resourceType": "MedicationOrder", **OLD_DRUG}, "DSTU2"),
        ({**OLD_DRUG, "dosageInstruction": [{"doseQuantity": MILLIGRAM}]}, "STU3"),
        ({"medicationReference": {"reference": "Medication/1"}}, "R4"),
        ({}, "R4"),
        (DRUG_OF_R5, "R5"),
        ({**DRUG_OF_R5, "medicationCodeableConcept": {}}, "R5"),
        ({**DRUG_OF_R5, **OLD_DRUG}, "R4"),  # as forms send it, whatever their server is
        ({"medicationText": "", **OLD_DRUG}, "R4"),
        ({"resourceType": "ProcedureRequest"}, "STU3"),
        ({"resourceType": "ServiceRequest"}, "R4"),
    ],
)
def test_the_version_of_an_order_is_told_by_its_shape(sent: Json, edition: str) -> None:
    body = json.dumps({"resourceType": "MedicationRequest", "id": "1", **sent}).encode()
    (draft,) = read_basket(open_drafts(body), None, "1").drafts
    assert draft.edition == edition


def test_an_order_of_a_version_unknown_here_is_unread_not_unbegun() -> None:
    sent = {"resourceType": "MedicationRequest", "id": "1", "medicationChoice": DRUG}
    basket = read_basket(open_drafts(json.dumps(sent).encode()), None, "1")
    assert (basket.drafts, basket.unreadable) == ((), 1)
