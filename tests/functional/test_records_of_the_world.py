"""Records as laboratories, wards and practices of many countries write them, by HTTP: what is
stated of a deficient infant must not hang on how the unit, the code, the flag or the name is spelt.
"""

from __future__ import annotations

import codecs
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
FAILURE_TO_THRIVE = bundle(condition("36440009"))


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


@pytest.mark.parametrize(
    "written",
    [
        quantity(4.0, "mmol/L{tetramer}"), quantity(6.4, "g/kg"),
        quantity(4.0, "mmol/L", "{tetramer}"),
    ],
)  # fmt: skip
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
    sent = {"b12": bundle(b12(250)), "conditions": FAILURE_TO_THRIVE}
    answer = ask(service, **sent, labs=labs)
    assert rules(answer) == rules(ask(service, **sent, labs=plain))
    assert rules(answer) != rules(ask(service, **sent))


@pytest.mark.parametrize(
    "written",
    [
        quantity(6.8, "kilogram"), quantity(6.8, "кг"), quantity(6800, "grammes"),
        quantity(6.8, "kg", "{[lb_av],kg,g}"), quantity(6800, "g", "{mass}"),
    ],
)  # fmt: skip
def test_a_weight_in_words_is_a_weight(service: FlaskClient, written: Json) -> None:
    answer = ask(service, weight=bundle(result("29463-7", written)))
    assert "WT-04" in rules(answer)


# --- codes -------------------------------------------------------------------------------------

NPU = "http://npu-terminology.org"
DANISH, NORWEGIAN = "urn:oid:1.2.208.176.2.1", "urn:oid:2.16.578.1.12.4.1.1.7280"
JLAC10 = "urn:oid:1.2.392.200119.4.504"
ICD_10, ICD_10_GM = "http://hl7.org/fhir/sid/icd-10", "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
DAGGER_GM = "http://fhir.de/CodeSystem/dimdi/icd-10-gm"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"


@pytest.mark.parametrize(
    ("code", "system"),
    [
        ("59260-0", LOINC), ("93846-4", LOINC), ("30350-3", LOINC), ("1107511000000100", SNOMED),
        ("1022431000000105", "http://snomed.info/sct/83821000000107"), ("NPU28309", NPU),
        ("NPU02319", DANISH), ("NOR05172", NORWEGIAN), ("2A030000001930101", JLAC10),
        ("2A030000001999901", "http://medis.or.jp/CodeSystem/master-JLAC10-17digits"),
    ],
)  # fmt: skip
def test_haemoglobin_is_read_under_the_code_of_each_country(
    service: FlaskClient, code: str, system: str
) -> None:
    answer = ask(service, labs=bundle(result(code, quantity(6.4, "g/dL", "g/dL"), system)))
    assert "SEV-02" in rules(answer)


@pytest.mark.parametrize(
    ("code", "system"),
    [
        ("1108041000000107", SNOMED), ("1022651000000100", SNOMED), ("NPU03568", NPU),
        ("2A050000001930101", JLAC10),
    ],
)  # fmt: skip
def test_platelets_are_read_under_the_code_of_each_country(
    service: FlaskClient, code: str, system: str
) -> None:
    few = result(code, quantity(30, "10*9/L", "10*9/L"), system)
    assert "SAF-03" in rules(ask(service, conditions=SEIZURE, labs=bundle(few)))


@pytest.mark.parametrize("code", ["10346-5", "4548-4"])
def test_what_only_sounds_like_haemoglobin_is_none(service: FlaskClient, code: str) -> None:
    answer = ask(service, labs=bundle(result(code, quantity(6.4, "g/dL", "g/dL"))))
    assert "SEV-02" not in rules(answer)


def test_potassium_of_urine_is_not_that_of_serum(service: FlaskClient) -> None:
    anaemia = result("718-7", quantity(5.5, "g/dL", "g/dL"))
    serum = result("3H015000002326101", quantity(2.5, "mmol/L", "mmol/L"), JLAC10)
    urine = result("3H015000000126101", quantity(2.5, "mmol/L", "mmol/L"), JLAC10)
    assert "2.5 mmol/L" in said(ask(service, labs=bundle(anaemia, serum)))
    assert "2.5 mmol/L" not in said(ask(service, labs=bundle(anaemia, urine)))


@pytest.mark.parametrize("system", [NPU, DANISH, NORWEGIAN])
def test_a_level_under_the_nordic_code_is_a_level(service: FlaskClient, system: str) -> None:
    level = result("NPU01700", quantity(90, "pmol/L"), system)
    answer = ask(service, b12=bundle(level))
    assert "STAT-02" in rules(answer)
    assert "90 pmol/L" in said(answer)


@pytest.mark.parametrize("code", ["27113001", "162763007"])
def test_a_weight_under_a_snomed_code_is_a_weight(service: FlaskClient, code: str) -> None:
    weight = result(code, quantity(6.8, "kilogram", "kg"), SNOMED)
    assert "WT-04" in rules(ask(service, weight=bundle(weight)))


@pytest.mark.parametrize(
    ("code", "system"),
    [
        ("G40.4", ICD_10_GM), ("G40.9", ICD_10), ("G40.01", DAGGER_GM), ("G404", ICD_10_GM),
        ("R56.8", ICD_10_GM), ("P90", ICD_10), ("G40.909", ICD_10_CM), ("84757009", SNOMED),
        ("G41.9", "urn:oid:2.16.578.1.12.4.1.1.7110"), ("R40.2", "http://hl7.org/fhir/sid/icd-10-nl"),
        ("G404", "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/ICD10-2013-full"),
    ],
)  # fmt: skip
def test_a_seizure_counts_in_the_classification_of_each_country(
    service: FlaskClient, code: str, system: str
) -> None:
    answer = ask(service, conditions=bundle(condition(code, system)))
    assert "No neurological sign" not in said(answer)
    assert "SEV-06" not in rules(answer)


@pytest.mark.parametrize("code", ["R56.0", "I10", "J06.9"])
def test_another_diagnosis_is_no_seizure(service: FlaskClient, code: str) -> None:
    answer = ask(service, conditions=bundle(condition(code, ICD_10_GM)))
    assert "SEV-06" in rules(answer)


@pytest.mark.parametrize(
    ("code", "system"),
    [("K50.9", ICD_10), ("K50.80", ICD_10_GM), ("K90.0", ICD_10), ("E84.1†", ICD_10_GM),
     ("K86.83", ICD_10_GM)],
)  # fmt: skip
def test_malabsorption_counts_in_the_classification_of_each_country(
    service: FlaskClient, code: str, system: str
) -> None:
    answer = ask(service, conditions=bundle(condition(code, system)))
    plain = ask(service, conditions=bundle(condition("34000006")))
    assert rules(answer) == rules(plain)
    assert rules(answer) != rules(ask(service))


ORPHA, ICPC = "http://www.orpha.net", "http://hl7.org/fhir/sid/icpc-2"


@pytest.mark.parametrize(
    ("code", "system", "rule"),
    [
        ("79282", ORPHA, "RTE-01"), ("859", ORPHA, "RTE-01"), ("ORPHA:27", ORPHA, "RTE-01"),
        ("35858", "https://www.orpha.net/", "ETI-02"), ("2301", ORPHA, "ETI-02"),
        ("104", ORPHA, "SAF-01"), ("ORPHA104", ORPHA, "SAF-01"), ("N88", ICPC, "RTE-03"),
        ("N88", "urn:oid:2.16.578.1.12.4.1.1.7170", "RTE-03"),
    ],
)  # fmt: skip
def test_a_few_codes_of_rare_diseases_and_primary_care_count(
    service: FlaskClient, code: str, system: str, rule: str
) -> None:
    answer = ask(service, conditions=bundle(condition(code, system)))
    assert rule in rules(answer)
    assert "unread" not in answer["extension"][EVALUATION_EXTENSION]


ICD_11, CTV3 = "http://id.who.int/icd/release/11/mms", "http://read.info/ctv3"
#: A code of each list that decides, next to one of SNOMED CT or ICD-10-CM of the same list.
ALIKE = [
    (ICD_11, "5B5F", "190634004", SNOMED), (ICD_11, "3A01.2", "D51.3", ICD_10_CM),
    (ICD_11, "3A01.30", "D51.0", ICD_10_CM), (ICD_11, "3A01.0", "D51.2", ICD_10_CM),
    (ICD_11, "DA95", "K90.0", ICD_10_CM), (ICD_11, "DD70.1", "K50.0", ICD_10_CM),
    (ICD_11, "DA96.04", "K90.82", ICD_10_CM), (ICD_11, "KB88.3", "P77.3", ICD_10_CM),
    (ICD_11, "KB88.0", "P77.1", ICD_10_CM), (ICD_11, "DD71.0", "K51.0", ICD_10_CM),
    (ICD_11, "5C63.0", "74653006", SNOMED), (ICD_11, "9C40.8", "H47.22", ICD_10_CM),
    (ICD_11, "MG44.11", "R62.51", ICD_10_CM), (ICD_11, "8A62.0", "28055006", SNOMED),
    (ICD_11, "8A63.00", "R56.0", ICD_10_CM), (ICD_11, "8A68.4", "91175000", SNOMED),
    (ICD_11, "KB08.2", "P94.2", ICD_10_CM), (ICD_11, "MB46.Z", "R25.9", ICD_10_CM),
    (ICD_11, "MG44.10", "R62.0", ICD_10_CM), (ICD_11, "3B10.0", "D66", ICD_10_CM),
    (ICD_11, "3B64.Z", "D69.6", ICD_10_CM), (ICD_11, "GB61.3", "N18.3", ICD_10_CM),
    (ICD_10, "D51.3", "D51.3", ICD_10_CM), (ICD_10_GM, "D51.9", "D51.9", ICD_10_CM),
    (ICD_10, "D65", "D68.9", ICD_10_CM), (ICD_10_GM, "D65.1", "D68.9", ICD_10_CM),
    (ICD_10_CM, "D65", "D68.9", ICD_10_CM), (ICD_11, "3B20", "D68.9", ICD_10_CM),
    (CTV3, "C2621", "190634004", SNOMED), (CTV3, "XE13h", "D51.3", ICD_10_CM),
    (CTV3, "XE2ro", "84027009", SNOMED), (CTV3, "XE2QL", "34000006", SNOMED),
    (CTV3, "XE0ag", "64766004", SNOMED), (CTV3, "F25..", "84757009", SNOMED),
    (CTV3, "F256.", "28055006", SNOMED), (CTV3, "X20CN", "127034005", SNOMED),
    (ICPC, "A07", "371632003", SNOMED), (ICPC, "N08", "102542000", SNOMED),
    (ICPC, "N07", "41497008", SNOMED), (ICPC, "T10", "36440009", SNOMED),
    (ICPC, "D94", "24526004", SNOMED), (ICPC, "B83", "64779008", SNOMED),
]  # fmt: skip


@pytest.mark.parametrize(("system", "code", "other", "known"), ALIKE)
def test_a_code_that_decides_counts_as_the_same_disease_in_another_system(
    service: FlaskClient, system: str, code: str, other: str, known: str
) -> None:
    """With a low level, without one, and with seizures: some diseases change only what is asked
    without a level, others only where something is injected."""
    seizure = condition("91175000")
    changed = False
    for others, level in (((), bundle(b12())), ((), bundle()), ((seizure,), bundle(b12()))):
        answer, same, plain = (
            ask(service, conditions=bundle(*others, *added), b12=level)
            for added in ((condition(code, system),), (condition(other, known),), ())
        )
        assert rules(answer) == rules(same)
        assert "unread" not in answer["extension"][EVALUATION_EXTENSION]
        changed |= said(answer) != said(plain)
    assert changed


def test_the_mixed_anaemia_of_icpc_asks_for_tests_as_one_of_unknown_cause(
    service: FlaskClient,
) -> None:
    """B81 is that of vitamin B12 or folate: without a level it suggests no treatment."""
    answer = ask(service, b12=bundle(), conditions=bundle(condition("B81", ICPC)))
    other = ask(service, b12=bundle(), conditions=bundle(condition("53165003")))
    assert rules(answer) == rules(other) != rules(ask(service, b12=bundle()))


@pytest.mark.parametrize(
    ("code", "system"),
    [
        ("8A62.0", "http://id.who.int/icd/release/11/2025-01/mms"),
        ("8A62.0", "http://hl7.org/fhir/sid/icd-11"), ("8A62.0", "2.16.840.1.113883.6.347"),
        ("8A62.0", "https://smt.esante.gouv.fr/fhir/CodeSystem/terminologie-cim11-mms"),
        ("F25..", "urn:oid:2.16.840.1.113883.2.1.3.2.4.14"),
        ("N88", "urn:oid:2.16.840.1.113883.6.139"),
    ],
)  # fmt: skip
def test_each_name_of_a_system_is_that_system(service: FlaskClient, code: str, system: str) -> None:
    assert "RTE-03" in rules(ask(service, conditions=bundle(condition(code, system))))


@pytest.mark.parametrize(
    ("code", "system"),
    [
        ("558", ORPHA), ("K78", ICPC), ("T91", ICPC), ("BA00", ICD_11), ("f25..", CTV3),
        ("H33..", CTV3), ("8A62.0&XY7Z", ICD_11), ("3A01.Z/8E47", ICD_11),
        ("8A62.0", "http://id.who.int/icd/release/11/mms/26"),
    ],
)  # fmt: skip
def test_another_code_of_a_system_of_which_few_are_known_is_said(
    service: FlaskClient, code: str, system: str
) -> None:
    answer = ask(service, conditions=bundle(condition(code, system)))
    (unread,) = answer["extension"][EVALUATION_EXTENSION]["unread"]
    assert (unread["need"], unread["reason"]) == ("conditions", "code system")
    assert "No neurological sign" not in said(answer)


@pytest.mark.parametrize(
    "name",
    ["Hydrocobamine 500 µg/ml", "Cohemin Depot 1 mg/ml", "Dobetin gocce", "OHB12 ampula",
     "弥可保片", "ビーコバM注500μg", "فيتامين ب ١٢", "विटामिन बी १२", "비타민비12",
     "цијанокобаламин", "سیانوکوبالامین", "hidroxokobalamin"],
)  # fmt: skip
def test_an_order_by_the_brand_or_spelling_of_its_country_is_asked_about(
    service: FlaskClient, name: str
) -> None:
    """No second treatment next to it: nothing is preselected, and the headline asks."""
    answer = ask(service, meds=bundle(named_order(name)))
    assert f"may be on vitamin B12 already ({name})" in said(answer)
    chosen = [one for card in answer["cards"] for one in card.get("suggestions", [])]
    assert not any(one.get("isRecommended") for one in chosen)


@pytest.mark.parametrize(
    "name",
    ["Coversyl 4 mg", "コバシル錠4mg", "甲氧氯普胺片", "Rubraca", "transcobalamin", "Folinsäure"],
)
def test_what_only_looks_like_it_changes_nothing(service: FlaskClient, name: str) -> None:
    assert said(ask(service, meds=bundle(named_order(name)))) == said(ask(service))


def test_a_product_is_called_on_a_card_as_it_was_recorded(service: FlaskClient) -> None:
    seizing = {"conditions": bundle(condition("91175000"))}
    answer = ask(service, meds=bundle(named_order("Clexane")), **seizing)
    assert "Clexane" in said(answer)
    assert "clexane" not in said(answer)


def named_order(name: str) -> Json:
    order = running("", "")
    return {**order, "medicationCodeableConcept": {"text": name}}


def test_a_code_means_what_its_own_classification_says(service: FlaskClient) -> None:
    """K86.81: exocrine insufficiency in the American ICD-10-CM, a stone in the German one."""
    stone = ask(service, conditions=bundle(condition("K86.81", ICD_10_GM)))
    insufficiency = ask(service, conditions=bundle(condition("K86.81", ICD_10_CM)))
    assert rules(stone) == rules(ask(service))
    assert rules(insufficiency) != rules(stone)


def running(system: str, code: str) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "active",
        "intent": "order",
        "subject": SUBJECT,
        "authoredOn": "2026-11-01",
        "medicationCodeableConcept": {"coding": [{"system": system, "code": code}]},
        "dosageInstruction": [{"text": "1x"}],
    }


@pytest.mark.parametrize(
    ("system", "code"),
    [
        ("http://fhir.de/CodeSystem/bfarm/atc", "B03BA01"),
        ("http://fhir.de/CodeSystem/dimdi/atc", "B03BA03"),
        ("urn:oid:2.16.578.1.12.4.1.1.7180", "B03BA03"), ("https://dmd.nhs.uk", "327529002"),
        (SNOMED, "24856311000001103"),
    ],
)  # fmt: skip
def test_a_running_treatment_counts_whatever_its_code_is_called(
    service: FlaskClient, system: str, code: str
) -> None:
    answer = ask(service, meds=bundle(running(system, code)))
    american = running("http://www.nlm.nih.gov/research/umls/rxnorm", "309594")
    assert rules(answer) == rules(ask(service, meds=bundle(american)))
    assert not any(
        action["type"] == "create" and action["resource"]["resourceType"] == "MedicationRequest"
        for card in answer["cards"]
        for suggestion in card.get("suggestions", [])
        for action in suggestion["actions"]
    )


# --- flags and ranges --------------------------------------------------------------------------

BORDERLINE = bundle(b12(250))


def mma(value: float, **but: Any) -> Json:
    return bundle(result("13964-2", quantity(value, "umol/L", "umol/L"), **but))


def limit(value: float, kind: str = "", unit: str = "umol/L") -> Json:
    made: Json = {"high": quantity(value, unit, unit)}
    return made | ({"type": {"coding": [{"code": kind}]}} if kind else {})


def flag(system: str, code: str) -> Json:
    return {"interpretation": [{"coding": [{"system": system, "code": code}]}]}


@pytest.mark.parametrize(
    "but",
    [
        flag(SNOMED, "281302008"),
        {"referenceRange": [limit(0.32, "normal"), limit(1, "treatment")]},
        {"referenceRange": [limit(0.32, unit="")]},
        {"referenceRange": [limit(0.32), limit(1, "treatment")]},
    ],
)
def test_a_raised_metabolite_is_raised_by_flag_and_by_the_normal_range(
    service: FlaskClient, but: Json
) -> None:
    sent = {"b12": BORDERLINE, "conditions": FAILURE_TO_THRIVE}
    raised = ask(service, **sent, labs=mma(0.35, **but))
    plain = ask(service, **sent, labs=mma(0.35, referenceRange=[limit(0.32)]))
    assert rules(raised) == rules(plain)
    assert rules(raised) != rules(ask(service, **sent))


@pytest.mark.parametrize(
    "but",
    [
        flag("urn:local", "7"),
        {"interpretation": [{"text": "verhoogd"}]},
        {"referenceRange": [{"text": "see the printed report"}]},
        {"referenceRange": [limit(1, unit="blips")]},
        {"referenceRange": [limit(0.3, "normal"), limit(1, "normal")]},
        {**flag("urn:local", "7"), "referenceRange": [limit(1)]},
    ],
)
def test_beside_a_flag_or_range_that_was_not_understood_no_metabolite_is_normal(
    service: FlaskClient, but: Json
) -> None:
    answer = ask(service, b12=BORDERLINE, labs=mma(0.25, **but))
    normal = ask(service, b12=BORDERLINE, labs=mma(0.25, referenceRange=[limit(1)]))
    assert "STAT-04" in rules(normal)
    assert "STAT-04" not in rules(answer)


# --- dates and statuses ------------------------------------------------------------------------


def level(value: float, day: str, name: str = "l1", **but: Any) -> Json:
    value_sent = quantity(value, "pg/mL", "pg/mL")
    return {**result("2132-9", value_sent, effectiveDateTime=day, **but), "id": name}


@pytest.mark.parametrize(
    ("day", "shown"),
    [("2026", "in 2026"), ("2026-11", "in Nov 2026"), ("2026-11-20", "on 20 Nov 2026")],
)
def test_a_date_is_shown_as_it_is_recorded(service: FlaskClient, day: str, shown: str) -> None:
    answer = ask(service, b12=bundle(level(142, day)))
    assert f"142 pg/mL {shown}" in said(answer)
    assert "31 Dec 2026" not in said(answer)
    assert "30 Nov 2026" not in said(answer)


@pytest.mark.parametrize("day", ["0001-01-01T00:00:00Z", "0001-01-01", "1753-01-01", "yesterday"])
def test_a_low_level_with_an_impossible_date_is_said_and_not_used(
    service: FlaskClient, day: str
) -> None:
    answer = ask(service, b12=bundle(level(142, day)))
    assert "142 pg/mL (impossible date)" in said(answer)
    assert not [rule for rule in rules(answer) if rule.startswith(("DOSE", "SEV"))]


def test_a_level_of_unknown_status_is_said_and_not_used(service: FlaskClient) -> None:
    answer = ask(service, b12=bundle(level(90, "2026-11-20", status="unknown")))
    assert "90 pg/mL (status: unknown)" in said(answer)
    assert "B12-04" in rules(answer)
    assert not [rule for rule in rules(answer) if rule.startswith(("DOSE", "SEV"))]


@pytest.mark.parametrize(
    ("partial", "counts"), [("2026-11", True), ("2026", True), ("2026-10", False), ("2025", False)]
)
def test_of_two_results_of_which_either_may_be_newer_the_lower_counts(
    service: FlaskClient, partial: str, counts: bool
) -> None:
    both = bundle(level(350, "2026-11-15", "l2"), level(150, partial))
    answer = ask(service, b12=both)
    assert (not {"STAT-02", "STAT-10"}.isdisjoint(rules(answer))) is counts
    if counts:
        assert "150 pg/mL" in answer["cards"][0]["summary"]


# --- drugs by name -------------------------------------------------------------------------------


def draft(name: str, milligrams: float, **but: Any) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": "d1",
        "status": "draft",
        "intent": "order",
        "subject": SUBJECT,
        "medicationCodeableConcept": {"text": name},
        "authoredOn": "2026-11-22",
        "dosageInstruction": [
            {
                "text": "1日1回",
                "route": {"coding": [{"system": SNOMED, "code": "26643006"}]},
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": quantity(milligrams, "mg", "mg")}],
            }
        ],
        **but,
    }


@pytest.mark.parametrize(
    "name", ["メコバラミン錠500μg", "Vibeden 1 mg/ml", "甲钴胺片", "시아노코발라민정", "витаминB12",
             "Κυανοκοβαλαμίνη", "فيتامين ب12", "विटामिन बी12"]
)  # fmt: skip
def test_an_order_named_in_another_script_is_checked(service: FlaskClient, name: str) -> None:
    answer = ask(service, "order-sign", drafts=(draft(name, 500),))
    assert any(card["indicator"] == "critical" for card in answer["cards"])
    assert not [
        action
        for card in answer["cards"]
        for suggestion in card.get("suggestions", [])
        for action in suggestion["actions"]
        if action["type"] == "create" and action["resource"]["resourceType"] == "MedicationRequest"
    ]


@pytest.mark.parametrize("name", ["アセトアミノフェン錠", "亚叶酸钙片", "витамин В6"])
def test_another_drug_in_another_script_is_not_checked(service: FlaskClient, name: str) -> None:
    answer = ask(service, "order-sign", drafts=(draft(name, 500),))
    assert not any(card["indicator"] == "critical" for card in answer["cards"])


@pytest.mark.parametrize("display", ["Drops 1 mg/mL", "Paracetamol", "Vitamin B12 drops", ""])
def test_a_drug_that_cannot_be_found_stays_unidentified_whatever_it_is_called(
    service: FlaskClient, display: str
) -> None:
    order = running("", "")
    del order["medicationCodeableConcept"]
    order["medicationReference"] = {"reference": "Medication/gone"}
    if display:
        order["medicationReference"]["display"] = display
    answer = ask(service, meds=bundle(order))
    # Called vitamin B12, it is asked about by that name, and warned of as a second order.
    asked_of = "by its name only" if "B12" in display else "could not be identified"
    assert asked_of in said(answer)
    assert "(drug not found)" in said(answer)


# --- odd but valid -----------------------------------------------------------------------------


def test_a_body_may_begin_with_the_mark_of_its_encoding(service: FlaskClient) -> None:
    body = codecs.BOM_UTF8 + json.dumps(asked()).encode()
    path = f"/cds-services/{SERVICES['patient-view'].id}"
    answer = service.post(path, data=body, content_type="application/json")
    assert answer.status_code == 200
    assert "STAT-02" in rules(dict(json.loads(answer.data)))


@pytest.mark.parametrize(
    "subject",
    [
        {"identifier": {"system": "urn:ssn", "value": "1"}},
        {"reference": "#p", "display": "Baby"},
        {"display": "Baby"},
    ],
)
def test_a_result_whose_patient_is_not_referred_to_is_said_and_not_used(
    service: FlaskClient, subject: Json
) -> None:
    sent = result("2132-9", quantity(90, "pg/mL", "pg/mL"), subject=subject)
    answer = ask(service, b12=bundle(sent))
    assert answer["cards"]
    assert "DOSE-A" not in rules(answer)


def test_the_same_result_sent_twice_is_one(service: FlaskClient) -> None:
    twice = ask(service, b12=bundle(level(150, "2026-11-20"), level(150, "2026-11-20")))
    assert "Several results" not in said(twice)
    assert rules(twice) == rules(ask(service, b12=bundle(level(150, "2026-11-20"))))


@pytest.mark.parametrize("system", ["urn:oid:2.16.840.1.113883.6.1", "2.16.840.1.113883.6.1"])
def test_a_system_may_go_by_its_object_identifier(service: FlaskClient, system: str) -> None:
    low = result("2132-9", quantity(150, "pg/mL", "pg/mL"), system)
    assert "STAT-02" in rules(ask(service, b12=bundle(low)))


# --- names alone -------------------------------------------------------------------------------


def under_a_local_code(name: str, **but: Any) -> Json:
    made = result("09129C", quantity(90, "pg/mL", "pg/mL"), "urn:local:tests", **but)
    made["code"]["coding"][0]["display"] = name
    return made


@pytest.mark.parametrize(
    "name",
    ["維生素B12免疫分析", "Vitamin B12", "ビタミンB12", "P-Vit. B12 (Kobalamin)", "витаминB12"],
)
@pytest.mark.parametrize("need", ["b12", "labs"])
def test_a_level_under_a_local_code_is_named_and_not_used(
    service: FlaskClient, name: str, need: str
) -> None:
    answer = ask(service, **{"b12": bundle(), need: bundle(under_a_local_code(name))})
    shown = said(answer).replace("\\", "")
    assert f"{name} 90 pg/mL (a code not known here)" in shown
    assert not [rule for rule in rules(answer) if rule.startswith(("DOSE", "SEV"))]


def test_a_level_without_any_code_is_named_too(service: FlaskClient) -> None:
    sent = result("x", quantity(90, "pg/mL", "pg/mL"))
    sent["code"] = {"text": "Vitamin B12 in serum"}
    assert "Vitamin B12 in serum 90 pg/mL" in said(ask(service, b12=bundle(sent)))


@pytest.mark.parametrize("name", ["維生素B6", "Vitamin B1", "Haemoglobin A1c", "鐵蛋白"])
def test_another_result_under_a_local_code_says_nothing(service: FlaskClient, name: str) -> None:
    answer = ask(service, b12=bundle(under_a_local_code(name)))
    assert answer["cards"] == []


def test_a_level_under_a_local_code_that_is_none_says_nothing(service: FlaskClient) -> None:
    level = under_a_local_code("Vitamin B12", status="entered-in-error")
    assert ask(service, b12=bundle(level))["cards"] == []


def test_a_number_whose_status_is_cancelled_is_named(service: FlaskClient) -> None:
    level = under_a_local_code("Vitamin B12", status="cancelled")
    (card,) = ask(service, b12=bundle(level))["cards"]
    assert card["summary"].startswith("A vitamin B12 result could not be read")


@pytest.mark.parametrize("member", ["occurenceDateTime", "effectiveDateTime"])
def test_a_dose_given_counts_in_the_spelling_of_either_version(
    service: FlaskClient, member: str
) -> None:
    given = {
        "resourceType": "MedicationAdministration",
        "id": "a1",
        "status": "completed",
        "medication": {"concept": {"coding": [{"system": SNOMED, "code": "1217427007"}]}},
        "subject": SUBJECT,
        member: "2026-11-21T10:00:00Z",
        "dosage": {"dose": quantity(1000, "ug", "ug")},
    }
    assert "RTE-11" in rules(ask(service, administrations=bundle(given)))
