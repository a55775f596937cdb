"""Reading FHIR resources: tolerant of versions and forms, never misread."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from each import each
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from cds_service import clinical
from cds_service.clinical import Code, Need, Quantity, Record, Unread
from cds_service.errors import DataUnavailable
from cds_service.fhir.gather import Answer
from cds_service.fhir.reading import read_record
from cds_service.guidelines import b12_under_two as b12

Json = dict[str, Any]

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
NPU = "http://npu-terminology.org"  # asked for without a system: it has several addresses
UCUM = "http://unitsofmeasure.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


def kept(*codes: str) -> frozenset[tuple[str, str]]:
    return frozenset((LOINC, code) for code in codes)


NEEDS = (
    Need("patient", "Patient", "the child", "indispensable"),
    Need("b12", "Observation", "vitamin B12", "required", kept=kept("2132-9", "14685-2")),
    Need("weight", "Observation", "weight", "optional", kept=kept("29463-7")),
    Need("conditions", "Condition", "problems", "required"),
    Need("meds", "MedicationRequest", "orders", "optional"),
    Need("procedures", "Procedure", "procedures", "optional"),
    Need("allergies", "AllergyIntolerance", "allergies", "optional"),
    Need("administrations", "MedicationAdministration", "doses given", "optional"),
    Need("orders", "ServiceRequest", "tests ordered", "optional"),
)
CHILD: Json = {"resourceType": "Patient", "id": "1", "birthDate": "2025-06-01"}


def answer(*resources: Json | bytes) -> Answer:
    raw = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in resources]
    return Answer("present", tuple(map(Raw, raw)), ("",) * len(raw))


def read(child: Json | bytes = CHILD, /, **answers: Answer | list[Json | bytes]) -> Record:
    """The record of a child with these answers; every other need is known to be empty."""
    evidence = {need.key: Answer("empty") for need in NEEDS}
    evidence["patient"] = answer(child)
    for key, given_ in answers.items():
        evidence[key] = given_ if isinstance(given_, Answer) else answer(*given_)
    return read_record(evidence, NEEDS, "1")


def result(**changes: Any) -> Json:
    made: Json = {
        "resourceType": "Observation",
        "id": "b1",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "2132-9"}]},
        "subject": {"reference": "Patient/1"},
        "effectiveDateTime": "2026-01-11T08:00:00Z",
        "valueQuantity": {"value": 142, "unit": "pg/mL", "system": UCUM, "code": "pg/mL"},
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


def measured(**changes: Any) -> clinical.Measurement:
    record = read(b12=[result(**changes)])
    assert record.unreadable == {}
    (measurement,) = record.measurements
    return measurement


def unreadable(key: str, resource: Json | bytes) -> bool:
    record = read(**{key: [resource]})
    nothing = not (
        record.measurements
        or record.problems
        or record.medications
        or record.procedures
        or record.allergies
        or record.test_orders
    )
    return nothing and record.unreadable == {key: 1} and record.foreign == 0


@pytest.mark.parametrize("key", ["b12", "weight"])
def test_a_result_of_vitamin_b12_by_its_own_name_is_kept_under_any_known_code(key: str) -> None:
    jlac = "http://medis.or.jp/CodeSystem/master-JLAC10-17digits"
    names = frozenset({"b12", "b-12", "кобаламин"})
    needs = tuple([structs.replace(one, by_name=names) if one.key == key else one for one in NEEDS])

    def kept(sent: Json) -> list[str]:
        evidence = {need.key: Answer("empty") for need in needs}
        evidence |= {"patient": answer(CHILD), key: answer(sent)}
        return [one.name for one in read_record(evidence, needs, "1").measurements]

    for system, name, heard in (
        (LOINC, "Vitamin B-12 total", True),
        (jlac, "ビタミンB12", True),
        (LOINC, "КОБАЛАМИН", True),
        (LOINC, "Glucose", False),
    ):
        code = {"coding": [{"system": system, "code": "99999-9", "display": name}]}
        assert kept(result(code=code)) == ([name] if heard else [])
        assert kept(result(code=code, valueQuantity=None)) == []  # a panel that heads others


# --- the patient -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patient", "birth", "deceased"),
    [
        ({"birthDate": "2025-06-01"}, (date(2025, 6, 1), date(2025, 6, 1)), False),
        ({"birthDate": "2025-06"}, (date(2025, 6, 1), date(2025, 6, 30)), False),
        ({"birthDate": "2025"}, (date(2025, 1, 1), date(2025, 12, 31)), False),
        ({"birthDate": "unknown"}, None, False),
        ({}, None, False),
        ({"deceasedBoolean": False}, None, False),
        ({"deceasedBoolean": True}, None, True),
        ({"deceasedDateTime": "2026"}, None, True),
    ],
)
def test_a_patient_has_a_birth_as_far_as_known(patient: Json, birth: Any, deceased: bool) -> None:
    found = read({"resourceType": "Patient", "id": "1", **patient}).patient
    assert (found.birth and (found.birth.first, found.birth.last)) == birth
    assert found.deceased is deceased


@pytest.mark.parametrize(
    "patient",
    [
        {**CHILD, "id": "2"},
        {"resourceType": "Patient", "birthDate": "2025-06-01"},
        {**CHILD, "birthDate": 2025},
        {**CHILD, "deceasedBoolean": "true"},
        {**CHILD, "modifierExtension": [{"url": "urn:x"}]},
        {"resourceType": "Person", "id": "1"},
        b"null",
        b"[]",
    ],
)
def test_another_or_an_unreadable_patient_ends_the_reading(patient: Json | bytes) -> None:
    with pytest.raises(DataUnavailable) as raised:
        read(patient)
    assert raised.value.expression == "prefetch.patient"
    assert "2025" not in raised.value.text


@pytest.mark.parametrize("state", ["failed", "absent", "empty"])
def test_a_missing_patient_ends_the_reading(state: Any) -> None:
    with pytest.raises(DataUnavailable):
        read(patient=Answer(state, why="the FHIR server answered 403"))


# --- whose -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/1",
        "Patient/1/_history/3",
        "https://fhir.example.org/r4/Patient/1",
        "https://fhir.example.org/r4/Patient/1/_history/3",
        "urn:uuid:1",
    ],
)
def test_every_way_to_refer_to_this_patient_is_understood(reference: str) -> None:
    assert measured(subject={"reference": reference}).source == "Observation/b1"


def test_a_patient_is_referred_to_by_the_full_url_it_came_with() -> None:
    address = "urn:uuid:0f8b5a1c-6f5b-4a8e-8a53-0c0e0b7f3c11"
    patient = Answer("present", (Raw(json.dumps(CHILD).encode()),), (address,))
    record = read(b12=[result(subject={"reference": address})], patient=patient)
    assert len(record.measurements) == 1


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/2", "Patient/11", "Patient/1x", "https://fhir.example.org/r4/Patient/2",
        "Group/1", "Device/1", "patient/1", "urn:uuid:2", "Patient/2/_history/1",
    ],
)  # fmt: skip
def test_another_patient_s_result_is_dropped_and_counted(reference: str) -> None:
    record = read(b12=[result(subject={"reference": reference})])
    assert (record.measurements, record.foreign, record.unreadable) == ((), 1, {})


@pytest.mark.parametrize(
    "subject",
    [None, {}, {"display": "Baby Example"}, {"reference": "#p"}, {"reference": "1"},
     {"identifier": {"value": "1"}}, {"reference": ""}, "Patient/1", {"reference": 1}],
)  # fmt: skip
def test_a_result_that_names_no_patient_is_unreadable(subject: Any) -> None:
    assert unreadable("b12", result(subject=subject))


def test_an_undecodable_result_of_another_patient_is_only_foreign() -> None:
    record = read(b12=[result(status=7, subject={"reference": "Patient/2"})])
    assert (record.foreign, record.unreadable) == (1, {})


@pytest.mark.parametrize(
    ("focus", "about"),
    [
        ([{"reference": "Patient/1"}], ""),
        ([], ""),
        ([{"reference": "RelatedPerson/mother"}], "RelatedPerson"),
        ([{"reference": "Patient/2", "display": "the mother"}], "the mother"),
        ([{"display": "Mother"}], "Mother"),
        ([{"reference": "#m"}], "someone else"),
        ([{"reference": "Patient/1"}, {"reference": "Patient/2"}], "Patient"),
    ],
)
def test_a_result_about_somebody_else_says_so(focus: list[Json], about: str) -> None:
    assert measured(focus=focus).about == about


FOCUS_CODE = "http://hl7.org/fhir/StructureDefinition/observation-focusCode"
FOCAL_SUBJECT = "http://hl7.org/fhir/StructureDefinition/observation-focal-subject"


@pytest.mark.parametrize(
    ("extension", "about"),
    [
        ([{"url": FOCUS_CODE, "valueCodeableConcept": {"coding": [{"code": "MTH"}]}}], "mother"),
        ([{"url": FOCUS_CODE, "valueCodeableConcept": {"coding": [{"code": "72705000"}]}}],
         "mother"),
        ([{"url": FOCUS_CODE, "valueCodeableConcept": {"text": "Kindsmutter"}}], "Kindsmutter"),
        ([{"url": FOCUS_CODE, "valueCodeableConcept": {"coding": [{"code": "FTH"}]}}],
         "someone else"),
        ([{"url": FOCUS_CODE, "valueCodeableConcept": {"coding": [{"code": "ONESELF"}]}}], ""),
        ([{"url": FOCAL_SUBJECT, "valueReference": {"reference": "RelatedPerson/2",
           "display": "mother"}}], "mother"),
        ([{"url": FOCAL_SUBJECT, "valueReference": {"reference": "Patient/1"}}], ""),
        ([{"url": "https://ehr.example.org/whose", "valueReference": {
           "reference": "RelatedPerson/2"}}], "RelatedPerson"),
        ([{"url": "https://ehr.example.org/device", "valueReference": {
           "reference": "Device/2"}}], ""),
        ([{"url": "https://ehr.example.org/note", "valueString": "mother"}], ""),
        ([{"url": FOCUS_CODE, "valueCodeableConcept": {"coding": [7]}}, 3], "someone else"),
        ({"url": FOCUS_CODE}, ""),
    ],
)  # fmt: skip
def test_an_extension_may_say_whom_a_result_is_about(extension: Any, about: str) -> None:
    assert measured(extension=extension).about == about


# --- which -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "system",
    [
        LOINC, "http://loinc.org/", "https://loinc.org", "urn:oid:2.16.840.1.113883.6.1",
        "http://LOINC.org", "HTTP://LOINC.ORG/", "http://loinc.org|2.80", " http://loinc.org",
        "2.16.840.1.113883.6.1", "oid:2.16.840.1.113883.6.1", "URN:OID:2.16.840.1.113883.6.1",
    ],
)  # fmt: skip
def test_a_code_system_is_known_by_its_other_names(system: str) -> None:
    for code in ("2132-9", "2132-9 ", " 2132-9"):
        found = measured(code={"coding": [{"system": system, "code": code, "display": "B12"}]})
        assert found.codes == (Code(LOINC, "2132-9", "B12"),)


def test_a_result_without_a_kept_code_is_not_read() -> None:
    coding = {"system": LOINC, "code": "16695-9"}
    record = read(b12=[result(code={"coding": [coding], "text": "Vitamin B12"})])
    assert (record.measurements, record.unreadable) == ((), {})


@pytest.mark.parametrize(
    "coding",
    [
        {"system": "urn:local", "code": "2132-9"}, {"code": "2132-9"}, {"system": LOINC}, {},
        {"system": "http://loinc.org.example", "code": "2132-9"},
    ],
)  # fmt: skip
def test_of_a_result_under_a_code_that_nobody_knows_the_name_is_kept(coding: Json) -> None:
    found = measured(code={"coding": [coding], "text": "Vitamin B12"})
    assert found.name == "Vitamin B12"
    assert Code(LOINC, "2132-9") not in found.codes
    assert measured().name == ""
    nameless = read(b12=[result(code={"coding": [coding]})]).measurements
    assert [one.name for one in nameless] == ([coding["code"]] if "code" in coding else [])


def test_all_codings_of_a_result_stay_with_it() -> None:
    codings = [{"system": "urn:local", "code": "B12"}, {"system": LOINC, "code": "2132-9"}]
    assert [code.code for code in measured(code={"coding": codings}).codes] == ["B12", "2132-9"]


def test_a_result_is_read_if_its_own_need_keeps_its_code() -> None:
    assert [found.source for found in read(b12=[result()]).measurements] == ["Observation/b1"]
    assert read(weight=[result()]).measurements == ()


MEASURED = tuple(need for need in b12.load().needs if need.kind == "Observation")


@each("key", [need.key for need in MEASURED])
@each("code", ["2132-9", "14685-2", "29463-7", "718-7", "777-3", "13964-2", "63895-7", "16695-9"])
def test_the_guideline_reads_a_result_under_whatever_key_it_came(key: str, code: str) -> None:
    needs = b12.load().needs
    sent = result(code={"coding": [{"system": LOINC, "code": code}]})
    evidence = {need.key: Answer("empty") for need in needs}
    evidence |= {"patient": answer(CHILD), key: answer(sent)}
    record = read_record(evidence, needs, "1")
    assert [found.source for found in record.measurements] == ["Observation/b1"]
    assert [found.codes[0].code for found in record.measurements] == [code]


def test_the_guideline_keeps_every_code_it_asks_for_under_every_key() -> None:
    asked = {(code.system or NPU, code.code) for need in MEASURED for code in need.asked}
    assert len(MEASURED) == 4
    panel = (LOINC, "54089-8")  # a newborn screening of many diseases
    assert panel in asked
    for need in MEASURED:
        assert asked <= need.kept
        assert (LOINC, "8302-2") not in need.kept  # body height, which no one asks for


@pytest.mark.parametrize(
    ("text", "sent", "flag", "unclear"),
    [
        ("90 pg/mL (L)", None, "low", ()),
        ("90 pg/mL *", None, "", ("flag",)),
        ("90 pg/mL (H)", "L", "low", ()),
        ("90 pg/mL", "L", "low", ()),
        ("90 pg/mL", None, "", ()),
    ],
)
def test_a_flag_printed_after_a_number_is_its_flag(
    text: str, sent: str | None, flag: str, unclear: tuple[str, ...]
) -> None:
    coded = [{"coding": [{"system": INTERPRETATION, "code": sent}]}] if sent else None
    found = measured(valueQuantity=None, valueString=text, interpretation=coded)
    assert found.value is not None
    assert (found.value.value, found.interpretation, found.unclear) == (90, flag, unclear)
    assert found.text == ""


@pytest.mark.parametrize(
    ("when", "period"),
    [
        ({"effectivePeriod": {"start": "2026-01-10", "end": "2026-01-13"}}, (10, 13)),
        ({"effectivePeriod": {"start": "2026-01-10"}}, (10, None)),
        ({"effectivePeriod": {"end": "2026-01-13"}}, (None, 13)),
        ({"effectivePeriod": {"start": "2026-01-10", "end": "2026-01-10"}}, (None, None)),
        ({"effectiveDateTime": "2026-01-10"}, (None, None)),
        ({"issued": "2026-01-10T00:00:00Z"}, (None, None)),
    ],
)
def test_a_period_keeps_its_beginning_and_its_end(
    when: Json, period: tuple[int | None, int | None]
) -> None:
    sent = result(**({"effectiveDateTime": None} | when))
    (found,) = read(b12=[sent]).measurements
    ends = (found.begun, found.ended)
    assert tuple(one.first.day if one is not None else None for one in ends) == period


def test_a_component_knows_what_it_is_a_component_of() -> None:
    whole = {"coding": [{"system": LOINC, "code": "2132-9"}], "text": "Vitamins"}
    part = {"code": {"text": "B12"}, "valueString": "low"}
    first, second = read(b12=[result(code=whole, component=[part])]).measurements
    assert first.within == ()
    assert [one.display or one.code for one in second.within] == ["2132-9", "Vitamins"]


def test_the_same_result_in_two_answers_is_read_once() -> None:
    assert len(read(b12=[result(), result()], weight=[result()]).measurements) == 1


def test_of_two_versions_of_a_result_the_later_counts() -> None:
    old = result(meta={"lastUpdated": "2026-01-11T09:00:00Z"})
    new = result(meta={"lastUpdated": "2026-01-12T09:00:00Z"}, status="entered-in-error")
    for pair in ([old, new], [new, old]):
        assert [found.status for found in read(b12=pair).measurements] == ["entered-in-error"]


def test_results_without_an_id_are_all_read() -> None:
    assert len(read(b12=[result(id=None), result(id=None)]).measurements) == 2


@pytest.mark.parametrize(
    "other",
    [
        {"resourceType": "OperationOutcome", "issue": [{"severity": "warning"}]},
        {"resourceType": "Condition", "id": "b1", "subject": {"reference": "Patient/1"}},
        {"resourceType": "Encounter", "status": 7, "subject": 8},
    ],
)
def test_a_resource_of_another_type_is_ignored(other: Json) -> None:
    record = read(b12=[other, result()])
    assert (len(record.measurements), record.unreadable, record.foreign) == (1, {}, 0)


@pytest.mark.parametrize(
    "broken",
    [b"null", b"7", b"[]", b'"text"', b"{}", b'{"a":' * 3000, b'{"resourceType":7}'],
    ids=lambda broken: repr(broken[:12]),
)
def test_what_is_no_resource_is_counted(broken: bytes) -> None:
    assert unreadable("b12", broken)


def test_an_undecodable_result_does_not_cost_the_others() -> None:
    record = read(b12=[result(id="b0", status=["final"]), result()])
    assert (len(record.measurements), record.unreadable) == (1, {"b12": 1})


def test_an_undecodable_result_of_another_test_is_not_counted() -> None:
    other = result(status=7, code={"coding": [{"system": LOINC, "code": "718-7"}]})
    assert read(b12=[other]).unreadable == {}


def test_elements_that_are_not_needed_may_have_any_shape() -> None:
    assert measured(category={"coding": {}}, performer="x", note=7, encounter=[], text=[1]).value


@pytest.mark.parametrize("modifier", [{"modifierExtension": [{"url": "urn:not"}]},
                                      {"implicitRules": "urn:rules"}])  # fmt: skip
def test_a_modifier_unknown_here_makes_a_resource_unreadable(modifier: Json) -> None:
    assert unreadable("b12", result(**modifier))


# --- values ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "value", "written"),
    [
        ("19.10", "19.10", "19.10 pg/mL"), ("142", "142", "142 pg/mL"),
        ("1E+2", "100", "100 pg/mL"), ("1.42e2", "142", "142 pg/mL"), ("0", "0", "0 pg/mL"),
        ("-3", "-3", "-3 pg/mL"), ("0.30000000000000004", "0.30000000000000004",
                                   "0.30000000000000004 pg/mL"),
        ("1e-7", "0.0000001", "0.0000001 pg/mL"), ('"19.5"', "19.5", "19.5 pg/mL"),
        ('"142"', "142", "142 pg/mL"), ('"0"', "0", "0 pg/mL"), ('"0.50"', "0.50", "0.50 pg/mL"),
        ('"-3"', "-3", "-3 pg/mL"),
    ],
)  # fmt: skip
def test_a_number_is_exactly_what_was_sent(number: str, value: str, written: str) -> None:
    sent = json.dumps(result()).replace('"value": 142', f'"value": {number}').encode()
    (found,) = read(b12=[sent]).measurements
    assert found.value is not None
    assert (found.value.value, found.value.written) == (Decimal(value), written)
    if "e" not in number.lower():
        assert str(found.value.value) == number.strip('"')


@each(
    "number",
    ["1e999999", "1e-999999", "1e99999999999999999999", "9" * 5000, "0." + "1" * 5000, '"NaN"',
     '"Infinity"', '"high"', '"1,9"', "true", "[142]", "{}", '""', '"-"', '"1_000"', '"1__0"',
     '" 142"', '"142 "', '"1 000"', '"1\\u00a0000"', '"+142"', '"1e3"', '"1E3"', '".5"', '"5."',
     '"007"', '"0x10"', '"1\\u005f000"', '"14\\n"', '"\u0661\u0664\u0662"',
     '"\uff11\uff14\uff12"', '"\u2212142"', '"142 pg/mL"', '"1.000,5"'],
    ids=lambda number: ascii(number[:12]),
)  # fmt: skip
def test_a_number_nobody_could_mean_is_unreadable(number: str) -> None:
    sent = json.dumps(result()).replace('"value": 142', f'"value": {number}').encode()
    assert unreadable("b12", sent)


@each(
    ("amount", "unit"),
    [
        ({"unit": "pg/mL", "system": UCUM, "code": "pg/mL"}, "pg/mL"),
        ({"system": UCUM, "code": "pg/mL"}, "pg/mL"),
        ({"code": "pg/mL"}, "pg/mL"),
        ({"unit": "pg/ml"}, "pg/mL"),
        ({"unit": "picograms", "system": UCUM, "code": "pg/mL"}, "pg/mL"),
        ({"unit": "PG/ML", "system": UCUM, "code": "ng/L"}, "ng/L"),
        ({"unit": "lbs", "system": UCUM, "code": "[lb_av]"}, "[lb_av]"),
        ({"unit": "lbs"}, "[lb_av]"),
        ({"unit": "kg", "system": "http://snomed.info/sct", "code": "258683005"}, "kg"),
        ({"unit": "kg", "system": "urn:oid:2.16.840.1.113883.6.8", "code": "kg"}, "kg"),
        ({"unit": "kg", "code": "UNIT-17"}, "kg"),
        ({"unit": "kg", "code": "258683005"}, "kg"),
        # none, unknown, or two that contradict each other
        ({}, None),
        ({"unit": ""}, None),
        ({"unit": "pg"}, None),
        ({"unit": "pmol/L", "system": UCUM, "code": "pg/mL"}, None),
        ({"unit": "kg", "system": UCUM, "code": "g"}, None),
        ({"unit": "lbs", "system": UCUM, "code": "lb"}, None),
        ({"unit": "pg/mL", "system": UCUM, "code": "{whatever}"}, "pg/mL"),
        ({"unit": "pg/mL", "system": UCUM, "code": "{tetramer}"}, None),
        ({"unit": "pg/mL", "system": UCUM, "code": "UNIT-17"}, None),
        ({"code": "UNIT-17"}, None),
        ({"unit": "pg/mL", "code": "mg"}, None),
        ({"unit": "pg/mL", "code": "mol/L"}, None),
        ({"unit": "kg", "code": "k" * 41 + "g"}, "kg"),
    ],
)
def test_the_unit_is_the_one_that_can_be_relied_on(amount: Json, unit: str | None) -> None:
    value = measured(valueQuantity={"value": 142, **amount}).value
    assert value is not None
    assert value.unit == unit


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ({"unit": "pmol/L", "system": UCUM, "code": "pg/mL"}, "142 pmol/L (pg/mL)"),
        ({"unit": "kg", "code": "g"}, "142 kg (g)"),
        ({"unit": "pg/mL", "system": UCUM, "code": "pg/mL"}, "142 pg/mL"),
        ({"unit": "furlong", "code": "UNIT-17"}, "142 furlong"),
        ({"unit": "pg/mL", "system": UCUM, "code": "{tetramer}"}, "142 pg/mL"),
        ({}, "142"),
    ],
)
def test_units_that_contradict_each_other_are_both_shown(amount: Json, written: str) -> None:
    value = measured(valueQuantity={"value": 142, **amount}).value
    assert value is not None
    assert value.written == written


@pytest.mark.parametrize("comparator", ["<", "<=", ">", ">="])
def test_a_comparator_stays_with_its_value(comparator: str) -> None:
    quantity = {"value": 150, "comparator": comparator, "unit": "pg/mL"}
    expected = Quantity(Decimal(150), "pg/mL", f"{comparator}150 pg/mL", comparator)
    assert measured(valueQuantity=quantity).value == expected


@pytest.mark.parametrize("comparator", ["ad", "~", "about"])
def test_an_unknown_comparator_makes_a_result_unreadable(comparator: str) -> None:
    assert unreadable("b12", result(valueQuantity={"value": 150, "comparator": comparator}))


def test_a_quantity_without_a_number_is_no_value() -> None:
    assert measured(valueQuantity={"unit": "pg/mL"}).value is None


def test_an_integer_has_no_unit() -> None:
    assert measured(valueQuantity=None, valueInteger=7).value == Quantity(Decimal(7), None, "7")


def test_coded_written_and_range_answers_are_kept_apart() -> None:
    coded = measured(
        valueQuantity=None,
        valueCodeableConcept={"coding": [{"system": SNOMED, "code": "169741004"}], "text": "yes"},
    )
    assert (coded.concepts, coded.text) == ((Code(SNOMED, "169741004"),), "yes")
    assert measured(valueQuantity=None, valueString="hemolysed").text == "hemolysed"
    assert measured(valueQuantity=None, valueBoolean=False).text == "false"
    span = measured(
        valueQuantity=None,
        valueRange={
            "low": {"value": 150, "unit": "pg/mL"},
            "high": {"value": 190, "unit": "pg/mL"},
        },
    ).interval
    assert span is not None
    assert span.low == Quantity(Decimal(150), "pg/mL", "150 pg/mL")
    assert span.high == Quantity(Decimal(190), "pg/mL", "190 pg/mL")


@pytest.mark.parametrize(
    "value",
    [
        {"valueRatio": {"numerator": {"value": 1}}}, {"valueSampledData": {}},
        {"valueTime": "08:00"}, {"valueDateTime": "2026"}, {"valuePeriod": {}},
    ],
)  # fmt: skip
def test_an_answer_of_a_kind_not_understood_is_unreadable(value: Json) -> None:
    assert unreadable("b12", result(valueQuantity=None, **value))


@pytest.mark.parametrize(
    "second",
    [{"valueString": "142"}, {"valueInteger": 7}, {"valueCodeableConcept": {"text": "low"}},
     {"dataAbsentReason": {"text": "unknown"}}],
)  # fmt: skip
def test_two_answers_at_once_are_unreadable(second: Json) -> None:
    assert unreadable("b12", result(**second))


def test_a_withheld_value_says_so() -> None:
    found = measured(valueQuantity=None, dataAbsentReason={"text": "not performed"})
    assert (found.withheld, found.value) == (True, None)
    assert measured(valueQuantity=None).withheld is False


@pytest.mark.parametrize(
    ("system", "code", "meaning"),
    [
        (INTERPRETATION, "L", "low"), (INTERPRETATION, "LL", "low"), (INTERPRETATION, "LU", "low"),
        (INTERPRETATION, "N", "normal"), (INTERPRETATION, "H", "high"),
        (INTERPRETATION, "HH", "high"), ("http://hl7.org/fhir/v2/0078", "L", "low"),
        (None, "L", "low"), (INTERPRETATION, "A", ""), (INTERPRETATION, "<", ""),
        (INTERPRETATION, ">", ""), ("urn:local", "L", ""), (INTERPRETATION, None, ""),
    ],
)  # fmt: skip
def test_an_interpretation_is_read_from_known_codes(
    system: str | None, code: str | None, meaning: str
) -> None:
    concept = {"coding": [{"system": system, "code": code}]}
    assert measured(interpretation=concept).interpretation == meaning  # DSTU2, STU3
    assert measured(interpretation=[concept]).interpretation == meaning


def test_interpretations_that_contradict_each_other_mean_nothing() -> None:
    both = [{"coding": [{"system": INTERPRETATION, "code": code}]} for code in "LH"]
    assert measured(interpretation=both).interpretation == ""


LOW = {"value": 200, "unit": "pg/mL"}
HIGH = {"value": 900, "unit": "pg/mL"}


NORMAL: Json = {"coding": [{"code": "normal"}]}
OTHER: Json = {"coding": [{"code": "treatment"}]}


@pytest.mark.parametrize(
    ("ranges", "low", "high"),
    [
        ([{"low": LOW, "high": HIGH}], "200 pg/mL", "900 pg/mL"),
        ([{"high": HIGH}], None, "900 pg/mL"),
        ([{"low": LOW, "type": {"coding": [{"code": "normal"}]}}], "200 pg/mL", None),
        ([{"low": LOW, "type": {"coding": [{"code": "therapeutic"}]}}], None, None),
        ([{"low": LOW}, {"low": LOW}], "200 pg/mL", None),
        ([{"low": LOW}, {"high": HIGH}], None, None),
        ([{"low": LOW, "type": NORMAL}, {"high": HIGH, "type": OTHER}], "200 pg/mL", None),
        ([{"high": HIGH}, {"low": LOW, "type": NORMAL}], "200 pg/mL", None),
        ([{"high": HIGH}, {"low": LOW, "type": OTHER}], None, "900 pg/mL"),
        ([{"low": LOW, "type": NORMAL}, {"high": HIGH, "type": NORMAL}], None, None),
        ([{"low": {"value": 200}}], "200", None),
        ([{"low": {"value": 200, "unit": "fL"}}], None, None),
        ([{"low": {"value": 200, "unit": "blips"}}], None, None),
        ([{"text": "200-900"}], "200", "900"),
        ([{"text": "200-900 (adults)"}], None, None),
        ([{"low": {"value": 0}, "high": {"value": 0}}], None, None),
        ([], None, None),
    ],
)
def test_a_reference_range_is_used_when_there_is_one(
    ranges: list[Json], low: str | None, high: str | None
) -> None:
    found = measured(referenceRange=ranges)
    assert (found.reference_low and found.reference_low.written) == low
    assert (found.reference_high and found.reference_high.written) == high


def test_a_range_without_a_unit_is_in_that_of_the_value() -> None:
    found = measured(referenceRange=[{"low": {"value": 200}, "high": {"value": 900}}])
    assert found.reference_low == Quantity(Decimal(200), "pg/mL", "200")
    assert found.unclear == ()


@pytest.mark.parametrize(
    "ranges",
    [
        [{"text": "200-900 (adults)"}],
        [{"low": {"value": 200, "unit": "blips"}}],
        [{"low": {"value": 200, "unit": "fL"}}],
        [{"low": LOW}, {"high": HIGH}],
        [{"low": LOW, "type": NORMAL}, {"high": HIGH, "type": NORMAL}],
    ],
)
def test_a_range_that_was_not_understood_is_told(ranges: list[Json]) -> None:
    assert measured(referenceRange=ranges).unclear == ("range",)


@pytest.mark.parametrize(
    ("system", "code", "meaning", "unclear"),
    [
        (SNOMED, "281302008", "high", ()), (SNOMED, "281300000", "low", ()),
        (SNOMED, "281301001", "normal", ()), (SNOMED, "394844007", "", ("flag",)),
        ("urn:oid:2.16.840.1.113883.6.96", "281302008", "high", ()),
        (INTERPRETATION, "HX", "high", ()), (INTERPRETATION, "A", "", ("flag", "abnormal")),
        (INTERPRETATION, "POS", "", ("flag", "abnormal")), (INTERPRETATION, "?", "", ("flag",)),
        ("urn:local", "A", "", ("flag",)),
        (INTERPRETATION, ">", "", ()), ("urn:local", "H", "", ("flag",)),
        (SNOMED, "H", "", ("flag",)),
    ],
)  # fmt: skip
def test_a_flag_is_understood_or_told(
    system: str, code: str, meaning: str, unclear: tuple[str, ...]
) -> None:
    found = measured(interpretation=[{"coding": [{"system": system, "code": code}]}])
    assert (found.interpretation, found.unclear) == (meaning, unclear)


def test_a_flag_in_words_alone_is_not_understood() -> None:
    assert measured(interpretation=[{"text": "te hoog"}]).unclear == ("flag",)
    known = {"coding": [{"system": INTERPRETATION, "code": "H"}], "text": "te hoog"}
    assert measured(interpretation=[known]).unclear == ()


@pytest.mark.parametrize(
    ("times", "day"),
    [
        ({"effectiveDateTime": "2026-01-11"}, 11),
        ({"effectiveInstant": "2026-01-12T00:00:00Z"}, 12),
        ({"effectivePeriod": {"start": "2026-01-10", "end": "2026-01-13"}}, 13),
        ({"effectivePeriod": {"start": "2026-01-10"}, "issued": "2026-01-14T00:00:00Z"}, 14),
        ({"effectiveDateTime": "garbage", "issued": "2026-01-15T00:00:00Z"}, 15),
        ({"effectivePeriod": {"start": "2026-01-10"}}, None),
        ({"effectiveTiming": {"event": ["2026-01-12", "2026-01-10"]}}, 12),
        ({"effectiveTiming": {"repeat": {"boundsPeriod": {"end": "2026-01-16"}}}}, 16),
        ({"effectiveTiming": {"repeat": {"frequency": 1}}}, None),
        ({}, None),
    ],
)
def test_the_time_of_a_result_is_its_time_else_when_it_was_issued(
    times: Json, day: int | None
) -> None:
    when = measured(**{"effectiveDateTime": None, **times}).when
    assert (when and when.first) == (day and date(2026, 1, day))


def test_a_component_with_a_kept_code_is_a_result_of_its_own() -> None:
    panel = result(
        code={"coding": [{"system": LOINC, "code": "58410-2"}]},
        valueQuantity=None,
        hasMember=[{"reference": "Observation/b2"}],
        component=[
            {
                "code": {"coding": [{"system": LOINC, "code": "2132-9"}]},
                "valueQuantity": {"value": 90, "unit": "pg/mL"},
                "interpretation": [{"coding": [{"system": INTERPRETATION, "code": "L"}]}],
            },
            {"code": {"coding": [{"system": LOINC, "code": "718-7"}]}, "valueString": "?"},
        ],
    )
    (found,) = read(b12=[panel]).measurements
    assert found.codes[0].code == "2132-9"
    assert (found.status, found.source, found.interpretation) == ("final", "Observation/b1", "low")
    assert found.value == Quantity(Decimal(90), "pg/mL", "90 pg/mL")
    assert found.when is not None


# --- problems --------------------------------------------------------------------------------


def problem(**changes: Any) -> clinical.Problem:
    record = read(
        conditions=[
            {
                "resourceType": "Condition",
                "id": "c1",
                "subject": {"reference": "Patient/1"},
                "code": {"coding": [{"system": SNOMED, "code": "190634004"}]},
                **changes,
            }
        ]
    )
    assert record.unreadable == {}
    (found,) = record.problems
    return found


def status(
    code: str, system: str = "http://terminology.hl7.org/CodeSystem/condition-clinical"
) -> Json:
    return {"coding": [{"system": system, "code": code}]}


@pytest.mark.parametrize(
    ("changes", "clinical_status", "certainty", "uncertain"),
    [
        ({}, "", "", False),
        ({"clinicalStatus": status("active"), "verificationStatus": status("confirmed")},
         "active", "confirmed", False),
        ({"clinicalStatus": "resolved", "verificationStatus": "refuted"},
         "resolved", "refuted", False),  # STU3, DSTU2
        ({"clinicalStatus": status("ACTIVE")}, "", "", True),
        ({"clinicalStatus": {"text": "active"}}, "", "", True),
        ({"clinicalStatus": "gone"}, "", "", True),
        ({"verificationStatus": "probably"}, "", "", True),
        ({"verificationStatus": {"coding": [{"code": "confirmed"}, {"code": "entered-in-error"}]}},
         "", "entered-in-error", False),
        ({"clinicalStatus": ""}, "", "", False),
    ],
)  # fmt: skip
def test_the_statuses_of_a_problem_are_read_in_every_version(
    changes: Json, clinical_status: str, certainty: str, uncertain: bool
) -> None:
    found = problem(**changes)
    assert (found.clinical_status, found.certainty, found.uncertain_status) == (
        clinical_status,
        certainty,
        uncertain,
    )


@pytest.mark.parametrize(
    ("changes", "abated", "day"),
    [
        ({}, False, None),
        ({"abatementBoolean": False}, False, None),
        ({"abatementBoolean": True}, True, None),
        ({"abatementDateTime": "2026-01-02"}, True, 2),
        ({"abatementDateTime": "garbage"}, True, None),
        ({"abatementPeriod": {"start": "2026-01-02", "end": "2026-01-05"}}, True, 5),
        ({"abatementPeriod": {"start": "2026-01-02"}}, True, 2),
        ({"abatementString": "in spring"}, True, None),
        ({"abatementAge": {"value": 3}}, True, None),
        ({"abatementRange": {}}, True, None),
    ],
)
def test_an_end_of_a_problem_counts_whatever_its_form(
    changes: Json, abated: bool, day: int | None
) -> None:
    found = problem(**changes)
    assert found.abated is abated
    assert (found.abatement and found.abatement.first) == (day and date(2026, 1, day))


@pytest.mark.parametrize(
    ("changes", "onset", "recorded"),
    [
        ({"onsetDateTime": "2025-11-02", "recordedDate": "2025-12-01"}, "2025-11-02", "2025-12-01"),
        ({"onsetPeriod": {"start": "2025-11-03"}, "assertedDate": "2025-12-02"},
         "2025-11-03", "2025-12-02"),
        ({"onsetAge": {"value": 3}, "dateRecorded": "2025-12-03"}, None, "2025-12-03"),
        ({"onsetString": "at birth"}, None, None),
    ],
)  # fmt: skip
def test_onset_and_recording_are_read_in_every_version(
    changes: Json, onset: str | None, recorded: str | None
) -> None:
    found = problem(**changes)
    assert (found.onset and found.onset.first.isoformat()) == onset
    assert (found.recorded and found.recorded.first.isoformat()) == recorded


def test_a_dstu2_problem_names_its_patient_directly() -> None:
    record = read(
        conditions=[
            {"resourceType": "Condition", "id": "c1", "patient": {"reference": "Patient/1"},
             "code": {"text": "uncoded"}},
            {"resourceType": "Condition", "id": "c2", "patient": {"reference": "Patient/2"}},
        ]
    )  # fmt: skip
    assert [found.text for found in record.problems] == ["uncoded"]
    assert record.foreign == 1


def test_icd_10_codes_without_their_point_get_it() -> None:
    icd = "urn:oid:2.16.840.1.113883.6.90"
    found = problem(code={"coding": [{"system": icd, "code": "D513", "display": "dietary"}]})
    assert found.codes == (Code("http://hl7.org/fhir/sid/icd-10-cm", "D51.3", "dietary"),)
    who = problem(code={"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "D513"}]})
    assert who.codes == (Code("http://hl7.org/fhir/sid/icd-10", "D51.3"),)


@pytest.mark.parametrize(
    ("system", "code", "known"),
    [
        ("http://fhir.de/CodeSystem/dimdi/icd-10-gm", "G40.4", ("icd-10-gm", "G40.4")),
        ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "G404", ("icd-10-gm", "G40.4")),
        ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "G32.0*", ("icd-10-gm", "G32.0")),
        ("http://hl7.org/fhir/sid/icd-10", "E84.1†", ("icd-10", "E84.1")),
        ("urn:oid:2.16.578.1.12.4.1.1.7110", "A051", ("icd-10", "A05.1")),
        ("http://hl7.org/fhir/sid/icd-10-nl", "K50.9", ("icd-10", "K50.9")),
        ("http://fhir.de/CodeSystem/bfarm/atc", "B03BA01", ("atc", "B03BA01")),
        ("urn:oid:2.16.578.1.12.4.1.1.7180", "B03BA03", ("atc", "B03BA03")),
        ("https://dmd.nhs.uk", "327529002", ("sct", "327529002")),
        ("https://dmd.nhs.uk/", "327529002", ("sct", "327529002")),
        ("http://snomed.info/sct/83821000000107", "27113001", ("sct", "27113001")),
        ("2.16.840.1.113883.6.1", "2132-9", ("loinc.org", "2132-9")),
        ("urn:oid:2.16.578.1.12.4.1.1.7280", "NOR05172", ("npu-terminology.org", "NOR05172")),
        ("urn:oid:1.2.208.176.2.1", "NPU01700", ("npu-terminology.org", "NPU01700")),
        ("urn:oid:1.2.392.200119.4.504", "2A030000001930101", ("-17digits", "2A0300000019")),
        ("urn:oid:1.2.392.200119.4.504", "3H015000000126101", ("-17digits", "3H0150000001")),
        ("https://twcore.mohw.gov.tw/CodeSystem/nhi", "09129C", ("/nhi", "09129C")),
    ],
)  # fmt: skip
def test_a_code_is_known_by_whatever_name_its_system_goes(
    system: str, code: str, known: tuple[str, str]
) -> None:
    (found,) = problem(code={"coding": [{"system": system, "code": code}]}).codes
    assert found.system.endswith(known[0])
    assert found.code == known[1]


# --- medications -----------------------------------------------------------------------------

B12_DRUG: Json = {
    "coding": [{"system": RXNORM, "code": "309594", "display": "vitamin B12 1 MG/ML"}]
}


def order(**changes: Any) -> Json:
    made = {
        "resourceType": "MedicationRequest",
        "id": "o1",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/1"},
        "authoredOn": "2026-01-12",
        "medicationCodeableConcept": B12_DRUG,
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


def medication(resource: Json, *others: Json, key: str = "meds") -> clinical.Medication:
    record = read(**{key: [resource, *others]})
    assert record.unreadable == {}
    (found,) = record.medications
    return found


def test_an_order_is_read_with_its_doses_and_kept_as_sent() -> None:
    sent = order(
        dosageInstruction=[
            {
                "text": "every other day",
                "route": {"coding": [{"system": SNOMED, "code": "78421000"}], "text": "IM"},
                "timing": {"repeat": {"boundsPeriod": {"end": "2026-03-01"}}},
                "doseAndRate": [{"doseQuantity": {"value": 1000, "system": UCUM, "code": "ug"}}],
            }
        ]
    )
    found = medication(sent)
    assert (found.kind, found.status, found.intent) == ("order", "active", "order")
    assert found.codes == (Code(RXNORM, "309594", "vitamin B12 1 MG/ML"),)
    assert found.text == "vitamin B12 1 MG/ML"
    assert found.authored is not None
    assert found.authored.first == date(2026, 1, 12)
    assert found.ended is not None
    assert found.ended.first == date(2026, 3, 1)
    assert json.loads(found.resource) == sent
    (dose,) = found.doses
    assert (dose.route, dose.route_text, dose.text) == (
        (Code(SNOMED, "78421000"),),
        "IM",
        "every other day",
    )
    assert dose.amount == Quantity(Decimal(1000), "ug", "1000 ug")


@pytest.mark.parametrize(
    ("status", "changes", "why"),
    [
        ("stopped", {"statusReason": {"text": "Rash"}}, ("Rash",)),
        ("on-hold", {"statusReason": {"coding": [{"code": "9", "display": "Away"}]}}, ("Away",)),
        ("stopped", {"statusReason": {"coding": [{"system": SNOMED, "code": "9"}]}}, ("9",)),
        ("cancelled", {"statusReason": [{"text": "Rash"}, {"text": "Cost"}]}, ("Rash", "Cost")),
        ("stopped", {"reasonEnded": {"text": "Rash"}}, ("Rash",)),
        ("stopped", {"statusReason": "Rash"}, ("Rash",)),
        ("stopped", {"statusReason": {"coding": [{}]}}, ()),
        ("stopped", {"statusReason": 7}, ()),
        ("stopped", {}, ()),
        ("active", {"statusReason": {"text": "Rash"}}, ()),
    ],
)
def test_why_an_order_was_stopped_or_is_on_hold_is_kept_as_sent(
    status: str, changes: Json, why: tuple[str, ...]
) -> None:
    assert medication(order(status=status, **changes)).why == why


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "not-done", "statusReason": [{"text": "Refused"}]}, ("Refused",)),
        ({"status": "stopped", "notGiven": True, "reasonNotGiven": [{"text": "No access"}]},
         ("No access",)),
        ({"status": "completed", "statusReason": [{"text": "Refused"}]}, ()),
    ],
)  # fmt: skip
def test_why_a_dose_was_not_given_is_kept_as_sent(changes: Json, why: tuple[str, ...]) -> None:
    sent = order(resourceType="MedicationAdministration", authoredOn=None, intent=None)
    given = {**sent, "effectiveDateTime": "2026-01-12", **changes}
    found = medication(given, key="administrations")
    assert (found.kind, found.why) == ("administration", why)


def test_a_dstu2_order_is_read_as_an_order() -> None:
    found = medication(
        {
            "resourceType": "MedicationOrder",
            "id": "order-123",
            "status": "active",
            "patient": {"reference": "Patient/1"},
            "dateWritten": "2026-01-12",
            "dateEnded": "2026-02-01",
            "medicationCodeableConcept": B12_DRUG,
            "category": {"coding": [{"code": "community"}]},
            "reasonCode": {"text": "deficiency"},
            "dosageInstruction": [
                {
                    "doseQuantity": {"value": 1, "unit": "mg"},
                    "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnits": "d"}},
                }
            ],
        }
    )
    assert (found.kind, found.source) == ("order", "MedicationOrder/order-123")
    assert found.authored is not None
    assert found.ended is not None
    assert found.ended.first == date(2026, 2, 1)
    assert found.doses[0].amount == Quantity(Decimal(1), "mg", "1 mg")


def test_an_order_ends_only_when_every_line_does() -> None:
    line = {"timing": {"repeat": {"boundsPeriod": {"end": "2026-03-01"}}}}
    later = {"timing": {"repeat": {"boundsPeriod": {"end": "2026-04-01"}}}}
    ended = medication(order(dosageInstruction=[line, later])).ended
    assert ended is not None
    assert ended.first == date(2026, 4, 1)
    assert medication(order(dosageInstruction=[line, {"text": "then weekly"}])).ended is None


DRUG_RESOURCE: Json = {"resourceType": "Medication", "id": "m1", "code": B12_DRUG}


@pytest.mark.parametrize(
    "reference",
    ["Medication/m1", "Medication/m1/_history/2", "https://fhir.example.org/Medication/m1"],
)
def test_a_referenced_medication_in_the_same_answer_is_found(reference: str) -> None:
    sent = order(medicationCodeableConcept=None, medicationReference={"reference": reference})
    assert medication(sent, DRUG_RESOURCE).codes[0].code == "309594"


def test_a_medication_is_found_by_the_full_url_of_its_entry() -> None:
    sent = order(medicationCodeableConcept=None, medicationReference={"reference": "urn:uuid:7"})
    raw = tuple(Raw(json.dumps(each).encode()) for each in (sent, DRUG_RESOURCE))
    record = read(meds=Answer("present", raw, ("urn:uuid:6", "urn:uuid:7")))
    assert record.medications[0].codes[0].code == "309594"


def test_a_contained_medication_is_found() -> None:
    sent = order(
        medicationCodeableConcept=None,
        medicationReference={"reference": "#m1"},
        contained=[7, {"resourceType": "Substance", "id": "m1"}, DRUG_RESOURCE],
    )
    assert medication(sent).codes[0].code == "309594"


def test_a_medication_wrapped_as_in_r5_is_read() -> None:
    sent = order(medicationCodeableConcept=None, medication={"concept": B12_DRUG})
    assert medication(sent).codes[0].code == "309594"
    by_reference = {"reference": {"reference": "Medication/m1"}}
    sent = order(medicationCodeableConcept=None, medication=by_reference)
    assert medication(sent, DRUG_RESOURCE).codes[0].code == "309594"


HYDROXO = {"text": "Hydroxocobalamin"}
PRODUCT_NUMBER = {"system": "http://fhir.de/CodeSystem/ifa/pzn", "code": "01234567"}


@each(
    ("code", "ingredient", "text", "codes"),
    [
        ({"text": "Drops"}, [{"itemCodeableConcept": HYDROXO}], "Drops (Hydroxocobalamin)", 0),
        ({"text": "Drops"}, [{"item": {"concept": HYDROXO}}], "Drops (Hydroxocobalamin)", 0),
        ({"text": "Drops"}, [{"item": HYDROXO}], "Drops (Hydroxocobalamin)", 0),
        ({"text": "Drops"}, [{"itemReference": {"reference": "#s", "display": "B12"}}],
         "Drops (B12)", 0),
        ({"text": "Drops"}, [{"item": {"reference": {"reference": "#s", "display": "B12"}}}],
         "Drops (B12)", 0),
        ({"text": "Drops"}, {"itemCodeableConcept": HYDROXO}, "Drops (Hydroxocobalamin)", 0),
        (None, [{"itemCodeableConcept": HYDROXO}], "Hydroxocobalamin", 0),
        ({"text": "HYDROXOCOBALAMIN 1 mg"}, [{"itemCodeableConcept": HYDROXO}],
         "HYDROXOCOBALAMIN 1 mg", 0),
        ({"text": "Drops"}, [{"itemCodeableConcept": HYDROXO}, {"itemCodeableConcept": B12_DRUG}],
         "Drops (Hydroxocobalamin + vitamin B12 1 MG/ML)", 0),
        ({"text": "Drops"}, [{"itemCodeableConcept": HYDROXO, "isActive": False}], "Drops", 0),
        ({"coding": [PRODUCT_NUMBER]}, [{"itemCodeableConcept": B12_DRUG}],
         "vitamin B12 1 MG/ML", 2),
        ({"text": "Drops"}, [7, "odd", None, {"item": 7}, {"item": {"reference": 7}}], "Drops", 0),
        ({"text": "Drops"}, 7, "Drops", 0),
    ],
)  # fmt: skip
def test_a_drug_is_known_by_what_is_in_it(
    code: Json | None, ingredient: Any, text: str, codes: int
) -> None:
    """By its name, with what is in it behind it; by code where it is one thing alone."""
    product = {**DRUG_RESOURCE, "code": code, "ingredient": ingredient}
    pointer = {"medicationReference": {"reference": "#m1"}, "contained": [product]}
    sent = order(medicationCodeableConcept=None, **pointer)
    found = medication(sent)
    assert (found.text, len(found.codes)) == (text, codes)
    elsewhere = order(medicationCodeableConcept=None,
                      medicationReference={"reference": "Medication/m1"})  # fmt: skip
    assert medication(elsewhere, product).text == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, ""),
        ({"medicationReference": {"reference": "Medication/gone"}}, ""),
        ({"medicationReference": {"reference": "#gone"}}, ""),
        ({"medicationReference": {"reference": "Medication/gone", "display": "B12 drops"}},
         "B12 drops"),
        ({"medicationReference": {"display": "B12 drops"}}, "B12 drops"),
    ],
)  # fmt: skip
def test_a_medication_nobody_can_identify_is_kept_as_unknown(changes: Json, text: str) -> None:
    found = medication(order(medicationCodeableConcept=None, **changes))
    assert (found.codes, found.text) == ((), text)


def test_an_order_not_to_give_something_has_a_status_of_its_own() -> None:
    assert medication(order(doNotPerform=True)).status == "prohibited"
    assert medication(order(doNotPerform=False)).status == "active"
    over = read(meds=[order(doNotPerform=True, status="stopped")])
    assert not over.medications
    assert not over.unreadable


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"status": "active"}, "active"),
        ({"status": "completed", "taken": "n"}, "not-taken"),  # STU3
        ({"status": "active", "taken": "unk"}, "unknown"),
        ({"status": "active", "taken": "y"}, "active"),
        ({"status": "active", "wasNotTaken": True}, "not-taken"),  # DSTU2
    ],
)
def test_a_statement_of_not_taking_is_not_one_of_taking(changes: Json, status: str) -> None:
    found = medication(
        order(
            resourceType="MedicationStatement",
            effectivePeriod={"start": "2026-01-01", "end": "2026-01-31"},
            dosage=[{"quantityQuantity": {"value": 1, "unit": "mg"}}],
            **changes,
        )
    )
    assert (found.kind, found.status, found.resource) == ("statement", status, b"")
    assert found.authored is not None
    assert found.ended is not None
    assert found.doses[0].amount is not None


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"status": "completed", "effectiveDateTime": "2026-01-12"}, "completed"),
        ({"status": "not-done", "effectivePeriod": {"start": "2026-01-12"}}, "not-done"),
        ({"status": "completed", "notGiven": True, "effectiveDateTime": "2026-01-12"}, "not-done"),
        ({"status": "completed", "wasNotGiven": True, "effectiveTimeDateTime": "2026-01-12"},
         "not-done"),
        ({"status": "completed", "effectiveTimePeriod": {"start": "2026-01-12"}}, "completed"),
    ],
)  # fmt: skip
def test_a_dose_not_given_is_not_one_given(changes: Json, status: str) -> None:
    found = medication(
        order(
            resourceType="MedicationAdministration",
            dosage={"dose": {"value": 1, "unit": "mg"}, "route": {"text": "IM"}},
            **changes,
        ),
        key="administrations",
    )
    assert (found.kind, found.status) == ("administration", status)
    assert found.authored is not None
    assert found.authored.first == date(2026, 1, 12)
    assert found.doses[0].route_text == "IM"


# --- the rest --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"status": "completed"}, "completed"), ({"notDone": True, "status": "completed"}, "not-done"),
     ({"notPerformed": True, "status": "completed"}, "not-done")],
)  # fmt: skip
def test_a_procedure_is_read_with_its_time_and_status(changes: Json, status: str) -> None:
    record = read(
        procedures=[
            {
                "resourceType": "Procedure",
                "id": "p1",
                "subject": {"reference": "Patient/1"},
                "code": {"coding": [{"system": SNOMED, "code": "53442002"}]},
                "performedPeriod": {"start": "2025-10-01", "end": "2025-10-02"},
                **changes,
            }
        ]
    )
    (found,) = record.procedures
    assert found.status == status
    assert found.performed is not None
    assert found.performed.first == date(2025, 10, 2)


def test_an_allergy_has_its_substance_and_those_of_its_reactions() -> None:
    cobalamin = {"coding": [{"system": SNOMED, "code": "419382002"}], "text": "cyanocobalamin"}
    record = read(
        allergies=[
            {
                "resourceType": "AllergyIntolerance",
                "id": "a1",
                "patient": {"reference": "Patient/1"},
                "code": {"text": "vitamin injection"},
                "clinicalStatus": status("active"),
                "verificationStatus": status("refuted"),
                "reaction": [{"substance": cobalamin}],
            },
            {
                "resourceType": "AllergyIntolerance",  # DSTU2
                "id": "a2",
                "patient": {"reference": "Patient/1"},
                "substance": cobalamin,
                "status": "entered-in-error",
            },
        ]
    )
    first, second = record.allergies
    assert (first.text, first.clinical_status, first.certainty) == (
        "vitamin injection",
        "active",
        "refuted",
    )
    assert first.codes == second.codes == (Code(SNOMED, "419382002"),)
    assert (second.clinical_status, second.certainty) == ("", "entered-in-error")


@pytest.mark.parametrize(
    "changes",
    [
        {"code": {"coding": [{"system": LOINC, "code": "2132-9"}]}},
        {"code": {"concept": {"coding": [{"system": LOINC, "code": "2132-9"}]}}},  # R5
        {"resourceType": "DiagnosticOrder",
         "item": [{"code": {"coding": [{"system": LOINC, "code": "2132-9"}]}}]},  # DSTU2
    ],
)  # fmt: skip
def test_a_test_ordered_is_read_with_when_it_is_due(changes: Json) -> None:
    sent = {
        "resourceType": "ServiceRequest",
        "id": "s1",
        "status": "active",
        "subject": {"reference": "Patient/1"},
        "occurrencePeriod": {"start": "2026-02-01", "end": "2026-02-10"},
        "authoredOn": "2026-01-12",
        **changes,
    }
    (found,) = read(orders=[sent]).test_orders
    assert [code.code for code in found.codes] == ["2132-9"]
    assert found.due is not None
    assert (found.due.first, found.due.last) == (date(2026, 2, 1), date(2026, 2, 10))
    assert unreadable("orders", {**sent, "doNotPerform": True})


# --- the record ------------------------------------------------------------------------------


def test_what_could_not_be_had_is_missing_and_what_came_in_part_incomplete() -> None:
    record = read(
        b12=Answer("failed", why="the FHIR server answered 403"),
        weight=Answer("absent", why="not sent"),
        conditions=Answer("present", complete=False, why="only the first page was sent"),
    )
    assert record.missing == {"b12": "the FHIR server answered 403", "weight": "not sent"}
    assert record.incomplete == {"conditions"}


def test_an_answer_nobody_gave_is_missing() -> None:
    record = read_record({"patient": answer(CHILD)}, NEEDS, "1")
    assert set(record.missing) == {need.key for need in NEEDS} - {"patient"}


# --- anything at all -------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
EXAMPLES: dict[str, Json] = {
    "b12": result(
        interpretation=[{"coding": [{"code": "L"}]}],
        referenceRange=[{"low": LOW}],
        component=[{"code": {"coding": [{"system": LOINC, "code": "2132-9"}]}}],
        focus=[{"reference": "Patient/1"}],
        effectivePeriod={"end": "2026"},
    ),
    "conditions": {
        "resourceType": "Condition",
        "id": "c1",
        "subject": {"reference": "Patient/1"},
        "code": {"coding": [{"system": SNOMED, "code": "1"}], "text": "x"},
        "clinicalStatus": "active",
        "verificationStatus": status("confirmed"),
        "onsetPeriod": {"start": "2026"},
        "abatementDateTime": "2026",
    },
    "meds": order(
        contained=[DRUG_RESOURCE],
        medicationReference={"reference": "#m1", "display": "x"},
        dosageInstruction=[
            {"route": {"text": "IM"}, "doseAndRate": [{"doseQuantity": {"value": 1}}],
             "timing": {"repeat": {"boundsPeriod": {"end": "2026"}}}}
        ],
    ),
    "procedures": {"resourceType": "Procedure", "subject": {"reference": "Patient/1"},
                   "code": {"text": "x"}, "performedPeriod": {"end": "2026"}},
    "allergies": {"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/1"},
                  "code": {"text": "x"}, "reaction": [{"substance": [{"text": "y"}]}]},
    "administrations": order(resourceType="MedicationAdministration",
                             dosage={"dose": {"value": 1}}, effectiveDateTime="2026"),
    "orders": {"resourceType": "ServiceRequest", "subject": {"reference": "Patient/1"},
               "code": {"text": "x"}, "occurrencePeriod": {"start": "2026"}},
}  # fmt: skip


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(value, dict | list):
        return [path]
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(place for key, each in inside for place in places_in(each, (*path, key)))]


def with_other(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    if not path:
        return other
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[path[0]] = with_other(value[path[0]], path[1:], other)
    return changed


@given(st.data())
def test_whatever_one_element_of_a_resource_is_the_reading_goes_on(data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(EXAMPLES)))
    path = data.draw(st.sampled_from(places_in(EXAMPLES[key])))
    resource = with_other(EXAMPLES[key], path, data.draw(json_values))
    record = read(**{key: [json.dumps(resource).encode()]})
    assert sum(record.unreadable.values()) <= 1
    assert set(record.missing) <= {key}


@given(json_values)
def test_whatever_comes_in_place_of_a_resource_the_reading_goes_on(value: Any) -> None:
    raw = json.dumps(value).encode()
    assert read(b12=[raw], meds=[raw]).measurements == ()


@given(st.binary(max_size=60))
def test_whatever_bytes_come_the_reading_goes_on(raw: bytes) -> None:
    assert read(b12=[raw]).unreadable == {"b12": 1}


# --- the account of what was not used -------------------------------------------------------------

LOCAL_CODE = {"system": "urn:oid:2.999.1", "code": "VB12"}


@pytest.mark.parametrize(
    ("key", "sent", "unread"),
    [
        ("b12", result(code={"coding": [LOCAL_CODE], "text": "Ferritin"}),
         Unread("b12", "code system", "Ferritin", "urn:oid:2.999.1", "VB12", "Observation/b1")),
        ("b12", result(code={"coding": [LOCAL_CODE]}),
         Unread("b12", "code system", "", "urn:oid:2.999.1", "VB12", "Observation/b1")),
        ("b12", result(code={"text": "B12"}),
         Unread("b12", "no code", "B12", source="Observation/b1")),
        ("b12", result(subject={"reference": "Patient/2"}), Unread("b12", "another patient")),
        ("b12", result(subject=None, code={"coding": [LOCAL_CODE], "text": "Ferritin"}),
         Unread("b12", "undecodable", "Ferritin", "urn:oid:2.999.1", "VB12", "Observation/b1")),
        ("b12", result(code={"coding": [LOCAL_CODE], "text": "Ferritin"}, status="cancelled"),
         Unread("b12", "code system", "Ferritin", "urn:oid:2.999.1", "VB12", "Observation/b1")),
        ("conditions", result(), Unread("conditions", "another kind", "Observation")),
        ("meds", {"resourceType": "CarePlan"}, Unread("meds", "another kind", "CarePlan")),
        ("b12", {"resourceType": "Bundle", "entry": [{"resource": result()}]},
         Unread("b12", "another kind", "Bundle")),
        ("meds", order(medicationCodeableConcept=None,
                       medicationReference={"reference": "Medication/x", "display": "Drops"}),
         Unread("meds", "drug not found", "Drops", source="MedicationRequest/o1")),
    ],
    ids=lambda one: one.reason if isinstance(one, Unread) else "",
)  # fmt: skip
def test_what_was_sent_and_not_used_is_accounted_for(key: str, sent: Json, unread: Unread) -> None:
    assert read(**{key: [sent]}).unread == (unread,)


@pytest.mark.parametrize(
    "sent",
    [
        result(),
        result(code={"coding": [{"system": LOINC, "code": "1-8"}]}),
        result(code={"coding": [LOCAL_CODE], "text": "Ferritin"}, status="entered-in-error"),
        *(
            result(
                code={"coding": [LOCAL_CODE], "text": "Ferritin"}, status=one, valueQuantity=None
            )
            for one in ("registered", "cancelled")
        ),
    ],
)
def test_what_was_used_or_understood_or_is_nothing_is_not(sent: Json) -> None:
    assert read(b12=[sent]).unread == ()


@pytest.mark.parametrize("digits", [30, 5_000])
def test_a_number_beyond_all_bounds_is_no_failure_and_loses_no_order(digits: int) -> None:
    line = {"doseAndRate": [{"doseQuantity": {"value": "VALUE", "unit": "mg"}}]}
    written = json.dumps(order(dosageInstruction=[line])).encode()
    record = read(meds=[written.replace(b'"VALUE"', b"9" * digits)])
    (found,) = record.medications
    assert (found.text, found.status) == ("vitamin B12 1 MG/ML", "active")
    assert record.unreadable == ({} if digits == 30 else {"meds": 1})
