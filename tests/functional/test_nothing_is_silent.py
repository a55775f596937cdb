"""Whatever a client sends for a need and this service does not use is stated, by HTTP: each
resource of a deficient infant's record is made one that cannot be read in one way, and the answer
must name it under its need with the reason, and never call anything of its kind absent."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import pytest
from each import each
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.consultation import EVALUATION_EXTENSION, load_services
from cds_service.settings import Settings

Json = dict[str, Any]

KEYS = [need.key for need in load_services()[0].needs]
LOINC, SNOMED, UCUM = "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org"
LOCAL = "http://hospital.example.org/codes"
SUBJECT = {"reference": "Patient/p1"}


def coded(system: str, code: str, text: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": text}], "text": text}


def result(code: str, text: str, value: float, unit: str) -> Json:
    return {
        "resourceType": "Observation",
        "id": f"o-{code}",
        "status": "final",
        "code": coded(LOINC, code, text),
        "subject": SUBJECT,
        "effectiveDateTime": "2026-11-20",
        "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit},
    }


DRUG = {"medicationCodeableConcept": coded("http://www.whocc.no/atc", "N03AG01", "Valproate")}
#: One resource for each need, as it can be read.
RESOURCES: dict[str, Json] = {
    "b12": result("2132-9", "Vitamin B12", 150, "pg/mL"),
    "weight": result("29463-7", "Body weight", 6.8, "kg"),
    "labs": result("718-7", "Haemoglobin", 11, "g/dL"),
    "feeding": {
        **{
            name: member
            for name, member in result("63895-7", "Breastfeeding status", 0, "1").items()
            if name != "valueQuantity"
        },
        "valueCodeableConcept": coded(SNOMED, "169741004", "Breastfed"),
    },
    "conditions": {
        "resourceType": "Condition",
        "id": "c1",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "verificationStatus": {"coding": [{"code": "confirmed"}]},
        "subject": SUBJECT,
        "code": coded(SNOMED, "91175000", "Seizure"),
        "onsetDateTime": "2026-11-01",
    },
    "meds": {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "active",
        "intent": "order",
        "subject": SUBJECT,
        "authoredOn": "2026-11-01",
        **DRUG,
    },
    "administrations": {
        "resourceType": "MedicationAdministration",
        "id": "a1",
        "status": "completed",
        "subject": SUBJECT,
        "effectiveDateTime": "2026-11-01",
        "medicationCodeableConcept": coded("http://www.whocc.no/atc", "B03BA03", "Hydroxo"),
    },
    "procedures": {
        "resourceType": "Procedure",
        "id": "p9",
        "status": "completed",
        "subject": SUBJECT,
        "performedDateTime": "2026-06-01",
        "code": coded(SNOMED, "53442002", "Gastrectomy"),
    },
    "allergies": {
        "resourceType": "AllergyIntolerance",
        "id": "g1",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "patient": SUBJECT,
        "code": coded(SNOMED, "227493005", "Cashew nuts"),
    },
    "orders": {
        "resourceType": "ServiceRequest",
        "id": "s1",
        "status": "active",
        "intent": "order",
        "subject": SUBJECT,
        "authoredOn": "2026-11-20",
        "code": coded(LOINC, "13964-2", "Methylmalonate"),
    },
}
ROLES = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
RESOURCES["family"] = {
    "resourceType": "FamilyMemberHistory",
    "id": "f1",
    "status": "completed",
    "patient": SUBJECT,
    "relationship": coded(ROLES, "MTH", "mother"),
    "condition": [{"code": coded(SNOMED, "396331005", "Coeliac disease")}],
}
RESOURCES["tasks"] = {
    "resourceType": "Task",
    "id": "t1",
    "status": "requested",
    "intent": "order",
    "for": SUBJECT,
    "code": coded(SNOMED, "14598005", "Vitamin B12 measurement of the mother"),
}
_NAMED_BY = ("code", "medicationCodeableConcept", "condition")
_TIMES = ("effectiveDateTime", "performedDateTime", "authoredOn", "onsetDateTime")


#: In a script in which no drug is known by its name: in others it would be another drug.
UNCOVERED = "รหัส ๑๗"


def named(change: Callable[[Json], None]) -> Callable[[Json], bool]:
    def changed(sent: Json) -> bool:
        member = next((name for name in _NAMED_BY if name in sent), None)
        if member is None or (sent["resourceType"] == "Task" and change is not without_words):
            return False  # a task is what its words say
        change(sent["condition"][0]["code"] if member == "condition" else sent[member])
        return True

    return changed


def under_a_local_code(concept: Json) -> None:
    concept["coding"] = [{"system": LOCAL, "code": "X17"}]
    concept["text"] = UNCOVERED


def without_words(concept: Json) -> None:
    concept["coding"] = [{"system": LOCAL, "code": "X17"}]
    del concept["text"]


def without_code(concept: Json) -> None:
    del concept["coding"]
    concept["text"] = UNCOVERED


def status(sent: Json) -> bool:
    if "status" in sent:
        sent["status"] = "hospital-state-7"
    return "status" in sent


_DATED = ("Observation", "MedicationAdministration")


def unknown(sent: Json) -> bool:
    if sent["resourceType"] not in (*_DATED, "Procedure"):
        return False
    sent["status"] = "unknown"
    return True


def dated(day: str, of: tuple[str, ...] = _DATED) -> Callable[[Json], bool]:
    def changed(sent: Json) -> bool:
        member = next((name for name in _TIMES if name in sent), None)
        if member is None or sent["resourceType"] not in (
            "Observation",
            "MedicationAdministration",
        ):
            return False
        sent[member] = day
        return True

    return changed


def unit(written: str) -> Callable[[Json], bool]:
    def changed(sent: Json) -> bool:
        if "valueQuantity" in sent:
            sent["valueQuantity"] = {"value": sent["valueQuantity"]["value"], "unit": written}
        return "valueQuantity" in sent

    return changed


def beside(**members: Json) -> Callable[[Json], bool]:
    """A flag or a range: of results only."""

    def changed(sent: Json) -> bool:
        is_laboratory = sent["id"] in ("o-2132-9", "o-718-7")
        if is_laboratory:
            sent.update({name: [member] for name, member in members.items()})
        return is_laboratory

    return changed


def answered_otherwise(sent: Json) -> bool:
    if "valueCodeableConcept" not in sent:
        return False
    sent["valueCodeableConcept"] = coded(LOCAL, "Y3", "Kategorie 3")
    return True


def modified(sent: Json) -> bool:
    sent["modifierExtension"] = [{"url": "http://hospital.example.org/not", "valueBoolean": True}]
    return True


def malformed(sent: Json) -> bool:
    member = next(name for name in _NAMED_BY if name in sent)
    sent[member] = 7
    return True


def of_nobody(sent: Json) -> bool:
    for name in _SUBJECTS:
        sent.pop(name, None)
    return True


_SUBJECTS = ("subject", "patient", "for")


def refers(reference: Json, contained: Json | None = None) -> Callable[[Json], bool]:
    """Names its patient by something else than the patient's address."""

    def changed(sent: Json) -> bool:
        sent[next(name for name in _SUBJECTS if name in sent)] = reference
        if contained is not None:
            sent["contained"] = [contained]
        return True

    return changed


def identified(system: str, value: str) -> Json:
    return {
        "resourceType": "Patient",
        "id": "pat",
        "identifier": [{"system": system, "value": value}],
    }


NUMBER = {"system": "urn:clinic", "value": "4711"}
OTHERS = {"system": "urn:clinic", "value": "9999"}

#: What is done to a resource, and the reasons of which one must be stated.
MUTATIONS: Mapping[str, tuple[Callable[[Json], bool], frozenset[str]]] = {
    "code system": (named(under_a_local_code), frozenset({"code system"})),
    "code alone": (named(without_words), frozenset({"code system"})),
    "words alone": (named(without_code), frozenset({"no code"})),
    "status of no version": (status, frozenset({"status", "undecodable"})),
    "status unknown": (unknown, frozenset({"status"})),
    "impossible date": (dated("0001-01-01"), frozenset({"date"})),
    "no date": (dated("last week"), frozenset({"date"})),
    "future": (
        dated("2027-02-01", (*_DATED, "Condition", "Procedure")),
        frozenset({"ahead"}),
    ),
    "before birth": (dated("2025-06-01"), frozenset({"before birth"})),
    "unknown unit": (unit("Skt."), frozenset({"unit"})),
    "no unit": (unit(""), frozenset({"unit"})),
    "another quantity": (unit("mmHg"), frozenset({"unit"})),
    "flag": (beside(interpretation=coded(LOCAL, "F7", "siehe oben")), frozenset({"flag"})),
    "flag in words": (beside(interpretation={"text": "siehe oben"}), frozenset({"flag"})),
    "range in words": (beside(referenceRange={"text": "altersabhängig"}), frozenset({"range"})),
    "range of another unit": (
        beside(referenceRange={"low": {"value": 1, "unit": "Skt."}}),
        frozenset({"range"}),
    ),
    "another answer": (answered_otherwise, frozenset({"answer"})),
    "modifier": (modified, frozenset({"undecodable"})),
    "malformed": (malformed, frozenset({"undecodable"})),
    "nobody's": (of_nobody, frozenset({"undecodable"})),
    "by another number": (refers({"identifier": OTHERS}), frozenset({"undecodable"})),
    "by a number of no system": (
        refers({"identifier": {"value": "4711"}}),
        frozenset({"undecodable"}),
    ),
    "contained, with another number": (
        refers({"reference": "#pat"}, identified("urn:clinic", "9999")),
        frozenset({"undecodable"}),
    ),
    "contained, and not there": (refers({"reference": "#pat"}), frozenset({"undecodable"})),
    "another patient's": (refers({"reference": "Patient/p2"}), frozenset()),
}


@pytest.fixture(scope="module")
def service() -> FlaskClient:
    return create_app(Settings(demo=True, as_of=date(2026, 11, 22))).test_client()


def bundle(*resources: Json) -> Json:
    entries = [{"resource": one} for one in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


def ask(service: FlaskClient, sent: Mapping[str, Json], **instead: Json) -> Json:
    patient = {
        "resourceType": "Patient",
        "id": "p1",
        "birthDate": "2026-03-20",
        "identifier": [NUMBER, {"system": "urn:insurer", "value": "A1"}],
    }
    prefetch = {key: bundle(*([sent[key]] if key in sent else [])) for key in KEYS}
    answer = service.post(
        "/cds-services/b12-under-two-patient-view",
        json={
            "hook": "patient-view",
            "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
            "context": {"userId": "Practitioner/1", "patientId": "p1"},
            "prefetch": {**prefetch, "patient": patient, **instead},
        },
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()  # type: ignore[no-any-return]


def account(answer: Json) -> Json:
    return answer["extension"][EVALUATION_EXTENSION]  # type: ignore[no-any-return]


def unread(answer: Json) -> list[Json]:
    return account(answer).get("unread", [])  # type: ignore[no-any-return]


CASES = [
    (need, name)
    for need, resource in RESOURCES.items()
    for name, (change, _) in MUTATIONS.items()
    if change(copy.deepcopy(resource))
]


def test_the_record_is_read_whole_as_it_is(service: FlaskClient) -> None:
    assert unread(ask(service, RESOURCES)) == []


@pytest.mark.parametrize(
    "change",
    [
        refers({"identifier": NUMBER}),
        refers({"identifier": NUMBER, "display": "Baby"}),
        refers({"reference": "#pat"}, identified("urn:clinic", "4711")),
        refers({"reference": "#pat"}, identified("urn:insurer", "A1")),
    ],
)
def test_it_is_read_whichever_way_it_names_its_patient(
    service: FlaskClient, change: Callable[[Json], bool]
) -> None:
    sent = copy.deepcopy(RESOURCES)
    for one in sent.values():
        change(one)
    answer, usual = ask(service, sent), ask(service, RESOURCES)
    assert unread(answer) == []
    assert [one["summary"] for one in answer["cards"]] == [one["summary"] for one in usual["cards"]]


def test_every_need_is_mutated() -> None:
    assert {need for need, _ in CASES} == set(KEYS) - {"patient"}


@pytest.mark.parametrize("need", ["family", "tasks"])
@pytest.mark.parametrize(
    "sent", [{"resourceType": "Basic"}, {"resourceType": "OperationOutcome"}, 7], ids=str
)
def test_what_is_welcome_and_could_not_be_had_is_missing(
    service: FlaskClient, need: str, sent: Json
) -> None:
    answer = ask(service, RESOURCES, **{need: sent})
    assert any(one.startswith(f"{need}:") for one in account(answer)["missing"]), account(answer)


@pytest.mark.parametrize(
    ("relationship", "is_said"),
    [
        (coded(ROLES, "FTH", "father"), False),
        ({"text": "paternal grandmother"}, False),
        ({"coding": [{"system": LOCAL, "code": "R1"}]}, True),
    ],
)
def test_of_a_relative_who_is_not_the_mother_no_disease_is_asked(
    service: FlaskClient, relationship: Json, *, is_said: bool
) -> None:
    family = copy.deepcopy(RESOURCES["family"])
    family["relationship"], family["condition"] = relationship, [{"code": {"text": "Gicht"}}]
    answer = ask(service, {**RESOURCES, "family": family})
    assert bool(unread(answer)) is is_said


@pytest.mark.parametrize(
    ("code", "is_lebers"),
    [
        ({"coding": [{"system": SNOMED, "code": "58610003"}]}, True),
        ({"coding": [{"system": "http://www.orpha.net", "code": "104"}]}, True),
        ({"text": "Lebersche Optikusatrophie"}, True),
        ({"text": "Leber's hereditary optic neuropathy"}, True),
        ({"text": "Leber: Zirrhose"}, False),
        ({"text": "Optic neuritis"}, False),
    ],
)
def test_lebers_disease_in_the_family_keeps_cyanocobalamin_away(
    service: FlaskClient, code: Json, *, is_lebers: bool
) -> None:
    family = copy.deepcopy(RESOURCES["family"])
    family["relationship"] = coded(ROLES, "MUNCLE", "maternal uncle")
    family["condition"] = [{"code": code}]
    sent = {key: RESOURCES[key] for key in ("b12", "weight")}
    answer = ask(service, {**sent, "family": family})
    orders = [
        action["resource"]
        for card in answer["cards"]
        for suggestion in card.get("suggestions", [])
        for action in suggestion["actions"]
        if action["resource"]["resourceType"] == "MedicationRequest"
    ]
    assert ("SAF-01" in account(answer)["ruleIds"]) is is_lebers
    assert orders
    assert any("yanocobalamin" in str(one) for one in orders) is not is_lebers
    assert ("maternal uncle" in str(answer["cards"])) is is_lebers


def test_a_disease_of_the_mother_in_words_is_read(service: FlaskClient) -> None:
    family = copy.deepcopy(RESOURCES["family"])
    family["condition"] = [{"code": {"text": "Zöliakie"}}]
    assert unread(ask(service, {**RESOURCES, "family": family})) == []


@each(("need", "name"), CASES)
def test_what_is_not_used_is_said_with_its_reason(
    service: FlaskClient, need: str, name: str
) -> None:
    change, reasons = MUTATIONS[name]
    sent = copy.deepcopy(dict(RESOURCES))
    change(sent[need])
    answer = ask(service, sent)
    said = [one for one in unread(answer) if one["need"] == need]
    if not reasons:
        assert account(answer)["otherPatientsRecordsIgnored"] == 1
        assert not said
        return
    assert {one["reason"] for one in said} & reasons, (need, name, unread(answer))
    text = "\n".join(f"{one['summary']}\n{one.get('detail', '')}" for one in answer["cards"])
    for claim in CLAIMS.get(need, ()):
        assert claim not in text


#: What no card may claim of a need whose record was not read whole.
CLAIMS: Mapping[str, tuple[str, ...]] = {
    "conditions": ("No neurological sign is recorded", "no neurological sign recorded"),
    "feeding": ("ause: none recorded", "deficiency: none recorded"),
}


@each(("need", "name"), CASES)
def test_a_silent_answer_over_it_says_so(service: FlaskClient, need: str, name: str) -> None:
    """Alone, with nothing else known of the child."""
    change, _ = MUTATIONS[name]
    one = copy.deepcopy(RESOURCES[need])
    change(one)
    answer = ask(service, {need: one})
    if not answer["cards"] and "otherPatientsRecordsIgnored" not in account(answer):
        assert any("not read" in said for said in account(answer)["because"]), account(answer)
