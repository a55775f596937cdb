"""Orders being written: read whatever shape a form sends, and never misread."""

from __future__ import annotations

import json
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from each import each
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from cds_service.clinical import Basket, Code, DoseAmount, Draft, DraftDosage, Schedule
from cds_service.fhir.dosages import read_dosage
from cds_service.fhir.drafts import WORDS, open_drafts, read_basket, referred_medications
from cds_service.fhir.gather import Answer

Json = dict[str, Any]

UCUM = "http://unitsofmeasure.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
DRUG_FORM = "http://terminology.hl7.org/CodeSystem/v3-orderableDrugForm"
ABBREVIATION = "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation"
TABLET = {
    "text": "Vitamin B 12 0.5 MG Oral Tablet",
    "coding": [{"display": "Vitamin B 12 0.5 MG Oral Tablet", "system": RXNORM, "code": "313896"}],
}
COBALAMIN: Json = {
    "resourceType": "Medication",
    "id": "m1",
    "code": {"coding": [{"system": RXNORM, "code": "11248"}], "text": "cobalamin"},
}
KNOWN = ((Code(RXNORM, "11248"),), "cobalamin")
NOWHERE: tuple[tuple[Code, ...], str] = ((), "")


def encoded(resource: object) -> bytes:
    return json.dumps(resource).encode()


def bundle(*resources: object, **more: object) -> Json:
    return {"resourceType": "Bundle", "entry": [{"resource": one} for one in resources], **more}


def order(**changes: Any) -> Json:
    """A drug being ordered; a part is removed where its new value is `...`."""
    made = {
        "resourceType": "MedicationRequest",
        "id": "request-7",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": TABLET,
        **changes,
    }
    return {name: value for name, value in made.items() if value is not ...}


def read(
    draft_orders: object,
    selections: tuple[str, ...] | None = None,
    evidence: dict[str, Answer] | None = None,
) -> Basket:
    sent = draft_orders if isinstance(draft_orders, bytes) else encoded(draft_orders)
    return read_basket(open_drafts(sent), selections, "p1", evidence)


def only(draft_orders: object, **but: Any) -> Draft:
    basket = read(draft_orders, **but)
    assert (basket.foreign, basket.unreadable, basket.sent) == (0, 0, True)
    (draft,) = basket.drafts
    return draft


def line(**parts: Any) -> DraftDosage:
    (dosage,) = only(order(dosageInstruction=[{"text": "as directed", **parts}])).dosages
    return dosage


def dose(quantity: object) -> DraftDosage:
    return line(doseAndRate=[{"doseQuantity": quantity}])


def rhythm(**repeat: Any) -> DraftDosage:
    return line(timing={"repeat": repeat})


def schedule(times: object, days: object, most_a_day: object, most: object = None) -> Schedule:
    often = Decimal(str(times))
    return Schedule(
        often,
        often if most is None else Decimal(str(most)),
        Decimal(str(days)),
        Decimal(str(most_a_day)),
    )


SINGLE = schedule(1, 0, 1)


# --- what the public sandbox sends -------------------------------------------------------------


def test_no_basket_is_not_an_empty_basket() -> None:
    for nothing in (None, b"null", Raw(b"null")):
        assert read_basket(open_drafts(nothing), None, "p1") == Basket(sent=False)
    for empty in (b"{}", encoded(bundle()), b'{"resourceType": "Bundle"}'):
        assert read_basket(open_drafts(empty), None, "p1") == Basket()


def test_an_order_before_a_drug_is_chosen_is_not_begun() -> None:
    draft = only(
        {
            "resourceType": "Bundle",
            "entry": [
                {
                    "resource": {
                        "resourceType": "MedicationRequest",
                        "id": "request-7",
                        "status": "draft",
                        "subject": {"reference": "Patient/p1"},
                        "authoredOn": "2026-05-01",
                    }
                }
            ],
        },
        selections=("MedicationRequest/request-7",),
    )
    assert (draft.kind, draft.source) == ("drug", "MedicationRequest/request-7")
    assert (draft.begun, draft.selected, draft.intent, draft.dosages) == (False, True, "", ())


def complete(edition: str = "R4") -> Json:
    """As the public sandbox sends it: objects where arrays belong, a dose without unit or route."""
    amount = {"value": 2, "system": UCUM, "code": "{pill}"}
    made: Json = {
        "resourceType": "MedicationRequest",
        "id": "request-7",
        "status": "draft",
        "subject": {"reference": "Patient/p1"},
        "authoredOn": "2026-05-01",
        "dosageInstruction": [
            {
                "timing": {"repeat": {"frequency": 3, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": amount}],
            }
        ],
        "dispenseRequest": {
            "expectedSupplyDuration": {"value": 60, "unit": "days", "system": UCUM, "code": "d"}
        },
        "intent": "order",
        "category": {"coding": [{"system": "urn:category", "code": "community"}]},
        "medicationCodeableConcept": TABLET,
        "reasonCode": {"coding": [{"code": "190634004", "system": SNOMED}], "text": "deficiency"},
    }
    if edition != "R4":
        made["dosageInstruction"][0].pop("doseAndRate")
        made["dosageInstruction"][0]["doseQuantity"] = amount
    if edition == "DSTU2":
        made["resourceType"], made["id"] = "MedicationOrder", "order-7"
        made["patient"], made["dateWritten"] = made.pop("subject"), made.pop("authoredOn")
        repeat = made["dosageInstruction"][0]["timing"]["repeat"]
        repeat["periodUnits"] = repeat.pop("periodUnit")
    return made


@pytest.mark.parametrize("edition", ["R4", "STU3", "DSTU2"])
def test_a_complete_order_of_every_version_is_read(edition: str) -> None:
    sent = complete(edition)
    draft = only(bundle(sent), selections=(f"{sent['resourceType']}/{sent['id']}",))
    assert draft.edition == edition
    assert json.loads(draft.resource) == sent
    assert (draft.status, draft.intent, draft.begun, draft.selected) == (
        "draft",
        "order",
        True,
        True,
    )
    assert [(code.system, code.code) for code in draft.codes] == [(RXNORM, "313896")]
    assert draft.text == "Vitamin B 12 0.5 MG Oral Tablet"
    (dosage,) = draft.dosages
    amount = DoseAmount(Decimal(2), "1", "2 pill", "pill")
    assert dosage == DraftDosage(amount, amount, schedule(3, 1, 3))


def test_a_test_with_an_empty_coding_is_a_test_of_nothing_known() -> None:
    draft = only(
        bundle(
            {
                "resourceType": "ServiceRequest",
                "id": "request-8",
                "status": "draft",
                "intent": "plan",
                "code": {"coding": [{}]},
                "subject": {"reference": "Patient/p1"},
                "reasonCode": [],
            }
        )
    )
    assert (draft.kind, draft.codes, draft.text) == ("test", (), "")
    assert draft.test is not None
    assert draft.test.codes == ()


@pytest.mark.parametrize(
    ("bounds", "days"),
    [
        ({"start": "Invalid date"}, None),
        ({"start": "0002-11-23"}, None),
        ({"start": "2026-05-01"}, None),
        ({"start": "2026-05-01", "end": "Invalid date"}, None),
        ({"start": "2026-05-01", "end": "2026-06"}, None),
        ({"start": "2026-05-01", "end": "2026-04-01"}, None),
        ({"start": "2026-05-01", "end": "2026-05-01"}, 1),
        ({"start": "2026-05-01", "end": "2026-05-30T08:00:00Z"}, 30),
    ],
)
def test_a_period_tells_how_long_once_both_its_dates_are_whole(
    bounds: Json, days: int | None
) -> None:
    dosage = rhythm(boundsPeriod=bounds, frequency=1, period=1, periodUnit="d")
    assert dosage.days == days
    assert dosage.unclear == ()
    assert dosage.schedule == schedule(1, 1, 1)


# --- the basket --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        bundle(order()),
        bundle(order(), type="collection"),
        bundle(order(), type=["batch"]),
        order(),
        {"resourceType": "Bundle", "entry": {"resource": order()}},
        {"resourceType": "Bundle", "entry": {"fullUrl": 5, "resource": [order()]}},
        {"resourceType": "Bundle", "entry": [order()]},
        {"entry": [{"resource": order()}]},
        bundle(order(), order()),
        {"resourceType": "Bundle", "entry": [None, {}, {"resource": None}, {"resource": order()}]},
    ],
)
def test_an_order_is_found_in_whatever_it_is_wrapped(sent: Json) -> None:
    assert only(sent).source == "MedicationRequest/request-7"


def test_two_orders_of_one_id_that_differ_are_two() -> None:
    assert len(read(bundle(order(), order(status="active"))).drafts) == 2


@pytest.mark.parametrize(
    ("sent", "unreadable"),
    [
        (b"[]", 1),
        (b"5", 1),
        (b'{"entry":', 1),
        (b'{"a": 1}', 1),
        (b"[" * 100_000, 1),
        (bundle(5, "x", [7], {"id": "1"}, {"resourceType": 5.5}, order()), 5),
        (bundle({"resourceType": ["MedicationRequest"]}), 1),
        ({"entry": [{"fullUrl": "urn:uuid:1"}, 5, order()]}, 2),
        (bundle(order(subject={"reference": "somebody"})), 1),
        (bundle(order(subject=5)), 1),
        (bundle(order(patient={"reference": "Patient/p2"})), 1),
        (b'{"resourceType": "MedicationRequest", "x": %s}' % (b"9" * 5000), 1),
        (b'{"resourceType": "MedicationRequest", "x": "\xff"}', 1),
        (b'{"resourceType": "MedicationRequest", "x": "\\ud800"}', 1),
    ],
)
def test_what_is_no_order_anybody_could_read_is_counted(sent: Any, unreadable: int) -> None:
    basket = read(sent)
    assert basket.unreadable == unreadable
    assert all(draft.source == "MedicationRequest/request-7" for draft in basket.drafts)


@pytest.mark.parametrize(
    "subject",
    [
        ...,
        None,
        {},
        [],
        {"display": "the child"},
        "Patient/p1",
        [{"reference": "Patient/p1"}],
        {"reference": "https://fhir.example.org/r4/Patient/p1"},
        {"reference": "Patient/p1/_history/2"},
        {"reference": "urn:uuid:p1"},
    ],
)
def test_an_order_of_this_patient_or_of_nobody_is_kept(subject: object) -> None:
    assert only(order(subject=subject)).kind == "drug"


@pytest.mark.parametrize(
    "subject", ["Patient/p2", "Group/p1", "urn:uuid:0", "https://fhir.example.org/Patient/p11"]
)
@pytest.mark.parametrize("member", ["subject", "patient"])
def test_an_order_of_another_patient_is_dropped_and_counted(subject: str, member: str) -> None:
    theirs = order(subject=...) | {member: {"reference": subject}, "id": "theirs"}
    basket = read(bundle(theirs, order()))
    assert [draft.source for draft in basket.drafts] == ["MedicationRequest/request-7"]
    assert basket.foreign == 1


@pytest.mark.parametrize(
    ("holder", "hidden"),
    [
        ({"resourceType": "Bundle", "entry": [{"resource": order()}]}, 1),
        ({"resourceType": "Bundle", "entry": []}, 0),
        ({"resourceType": "RequestGroup", "contained": [order()]}, 1),
        ({"resourceType": "RequestGroup", "contained": order()}, 1),
        ({"resourceType": "CarePlan", "contained": [{"resourceType": "Group"}, order()]}, 1),
        ({"resourceType": "CarePlan", "contained": [{"resourceType": "Medication"}]}, 0),
        ({"resourceType": "CarePlan", "contained": ["odd", 1, None]}, 0),
        ({"resourceType": "CarePlan"}, 0),
    ],
)
def test_an_order_inside_another_resource_is_unread_not_absent(holder: Json, hidden: int) -> None:
    basket = read(bundle(holder, order()))
    assert basket.unreadable == hidden
    assert [draft.kind for draft in basket.drafts] == ["drug"] if hidden else ["other", "drug"]


def test_the_patient_may_be_in_the_bundle_under_an_address_of_its_own() -> None:
    sent = bundle(order(subject={"reference": "urn:uuid:0a"}))
    sent["entry"].append(
        {"fullUrl": "urn:uuid:0a", "resource": {"resourceType": "Patient", "id": "p1"}}
    )
    basket = read(sent)
    assert {draft.kind for draft in basket.drafts} == {"drug", "other"}
    assert (len(basket.drafts), basket.foreign) == (2, 0)


def test_drafts_stand_by_date_and_id_whatever_order_they_came_in() -> None:
    dated = [("c", "2026-03-01"), ("a", "2026-03-02"), ("b", "2026-03-02"), ("0", ...)]
    orders = [order(id=name, authoredOn=written) for name, written in dated]
    orders.insert(0, order(id="z", authoredOn="soon"))
    for told in (orders, orders[::-1]):
        drafts = read(bundle(*told)).drafts
        assert [one.source.rpartition("/")[2] for one in drafts] == ["c", "a", "b", "0", "z"]


@pytest.mark.parametrize(
    "selection",
    [
        "MedicationRequest/request-7",
        "request-7",
        "https://fhir.example.org/r4/MedicationRequest/request-7",
        "MedicationRequest/request-7/_history/1",
        "urn:uuid:77",
    ],
)
def test_a_selection_may_name_an_order_in_many_ways(selection: str) -> None:
    sent = bundle(order(id="request-6"), order())
    sent["entry"][1]["fullUrl"] = "urn:uuid:77"
    basket = read(sent, selections=(selection, "ServiceRequest/request-6"))
    assert [draft.selected for draft in basket.drafts] == [False, True]


@pytest.mark.parametrize("selections", [None, (), ("MedicationRequest/gone",), ("", "/")])
def test_without_a_selection_that_names_anything_all_are_selected(
    selections: tuple[str, ...] | None,
) -> None:
    basket = read(bundle(order(id="request-6"), order()), selections=selections)
    assert [draft.selected for draft in basket.drafts] == [True, True]


@pytest.mark.parametrize("identity", [..., None, "", "a b", "a/b", "x" * 129, 5.5, {}])
def test_an_order_without_a_usable_id_has_no_source(identity: object) -> None:
    assert only(order(id=identity)).source == ""


def test_a_number_for_an_id_is_its_text() -> None:
    assert only(order(id=7)).source == "MedicationRequest/7"


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        ({"resourceType": "NutritionOrder", "patient": {"reference": "Patient/p1"}}, "other"),
        ({"resourceType": "DeviceRequest"}, "other"),
        (order(doNotPerform=True), "prohibition"),
        (order(doNotPerform=["true"]), "prohibition"),
        ({"resourceType": "ServiceRequest", "doNotPerform": True}, "other"),
        (order(doNotPerform=False), "drug"),
        (order(doNotPerform="no"), "drug"),
        ({"resourceType": "ProcedureRequest"}, "test"),
    ],
)
def test_only_orders_to_do_something_are_drugs_and_tests(sent: Json, kind: str) -> None:
    assert only(sent).kind == kind


@pytest.mark.parametrize(
    "sent",
    [
        {
            "resourceType": "ServiceRequest",
            "code": {"coding": {"system": LOINC, "code": "2132-9"}, "text": "B12"},
            "occurrenceDateTime": "2026-06-01",
            "authoredOn": "2026-05-01",
        },
        {
            "resourceType": "ProcedureRequest",
            "code": [{"coding": [{"system": LOINC, "code": "2132-9"}], "text": "B12"}],
            "occurrencePeriod": {"start": "2026-06-01", "end": "2026-06-01"},
            "authoredOn": "2026-05-01",
        },
        {
            "resourceType": "DiagnosticOrder",
            "item": {"code": {"coding": [{"system": LOINC, "code": "2132-9"}], "text": "B12"}},
            "scheduledDateTime": "2026-06-01",
            "orderedOn": "2026-05-01",
            "supportingInformation": 5,
        },
    ],
)
def test_a_test_is_what_the_record_would_have_of_it(sent: Json) -> None:
    draft = only({**sent, "id": "t1", "status": "draft"})
    test = draft.test
    assert test is not None
    assert draft.codes == test.codes == (Code(LOINC, "2132-9"),)
    assert (test.text, test.status, test.source) == ("B12", "draft", f"{sent['resourceType']}/t1")
    if sent["resourceType"] != "DiagnosticOrder":
        assert str(test.due and test.due.first) == "2026-06-01"
        assert str(test.authored and test.authored.first) == "2026-05-01"


def test_a_test_modified_in_an_unknown_way_is_not_relied_on() -> None:
    sent = {
        "resourceType": "ServiceRequest",
        "code": {"text": "B12"},
        "modifierExtension": [{"a": 1}],
    }
    draft = only(sent)
    assert (draft.kind, draft.text, draft.test) == ("test", "B12", None)


# --- which medication --------------------------------------------------------------------------


@each(
    ("medication", "identity"),
    [
        ({"medicationCodeableConcept": COBALAMIN["code"]}, KNOWN),
        ({"medicationCodeableConcept": [COBALAMIN["code"]]}, KNOWN),
        (
            {"medicationCodeableConcept": {"coding": COBALAMIN["code"]["coding"][0], "text": "c"}},
            (KNOWN[0], "c"),
        ),
        (
            {"medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": 11248}, 5, None]}},
            (KNOWN[0], ""),
        ),
        ({"medicationCodeableConcept": {"system": RXNORM, "code": "11248"}}, (KNOWN[0], "")),
        ({"medicationCodeableConcept": "B12 drops"}, ((), "B12 drops")),
        ({"medicationCodeableConcept": {"coding": 5, "text": "B12 drops"}}, ((), "B12 drops")),
        ({"medicationCodeableConcept": 5}, NOWHERE),
        ({"medicationCodeableConcept": [COBALAMIN["code"], TABLET]}, NOWHERE),
        ({"medicationCodeableConcept": {"coding": [{"system": RXNORM}]}}, NOWHERE),
        ({"medication": {"concept": COBALAMIN["code"]}}, KNOWN),
        ({"medication": {"reference": {"reference": "Medication/m1"}}}, KNOWN),
        ({"medication": {"reference": "Medication/m1"}}, KNOWN),
        ({"medicationReference": {"reference": "Medication/m1"}}, KNOWN),
        ({"medicationReference": [{"reference": "Medication/m1/_history/3"}]}, KNOWN),
        ({"medicationReference": "Medication/m1"}, KNOWN),
        ({"medicationReference": {"reference": "https://a.example/r4/Medication/m1"}}, KNOWN),
        ({"medicationReference": {"reference": "urn:uuid:11"}}, KNOWN),
        ({"medicationReference": {"reference": "Medication/m2"}}, NOWHERE),
        ({"medicationReference": {"reference": "#m1"}}, NOWHERE),
        ({"medicationReference": {"identifier": {"value": "1"}}}, NOWHERE),
        ({"medicationReference": 5}, NOWHERE),
        ({"medicationReference": {"display": "B12 drops"}}, ((), "B12 drops")),
        (
            {"medicationReference": {"reference": "Medication/m2", "display": "B12 drops"}},
            ((), "B12 drops"),
        ),
        (
            {
                "medicationReference": {"reference": "#c1"},
                "contained": [{"resourceType": "Medication", "id": "c0"}, COBALAMIN | {"id": "c1"}],
            },
            KNOWN,
        ),
        (
            {"medicationReference": {"reference": "#c1"}, "contained": COBALAMIN | {"id": "c1"}},
            KNOWN,
        ),
        (
            {"medicationReference": {"reference": "#c1"}, "contained": [COBALAMIN]},
            NOWHERE,
        ),
        (
            {
                "medicationReference": {"reference": "#c1"},
                "contained": [{
                    "resourceType": "Medication", "id": "c1", "code": {"text": "Drops"},
                    "ingredient": [{"itemCodeableConcept": {"text": "Cyanocobalamin"}}],
                }],
            },
            ((), "Drops (Cyanocobalamin)"),
        ),
    ],
)  # fmt: skip
def test_a_medication_is_found_wherever_it_is_said(medication: Json, identity: object) -> None:
    sent = bundle(order(**{"medicationCodeableConcept": ..., **medication}))
    sent["entry"].append({"fullUrl": "urn:uuid:11", "resource": COBALAMIN})
    draft = only(sent)
    assert draft.begun
    assert (draft.codes, draft.text) == identity


@pytest.mark.parametrize(
    "medication",
    [
        {},
        {"medicationCodeableConcept": None},
        {"medicationCodeableConcept": {"coding": [{}], "text": ""}},
        {"medicationReference": {"reference": ""}, "medication": []},
    ],
)
def test_an_order_that_names_no_medication_is_not_begun(medication: Json) -> None:
    draft = only(order(**{"medicationCodeableConcept": ..., **medication}))
    assert (draft.begun, draft.codes, draft.text) == (False, (), "")


def referring(reference: str, **more: Any) -> Json:
    return order(
        medicationCodeableConcept=..., medicationReference={"reference": reference}, **more
    )


def test_a_medication_beside_the_order_wins_over_the_record_which_wins_over_its_name() -> None:
    record = {"meds": Answer("present", (encoded({**COBALAMIN, "code": {"text": "old"}}),), ("",))}
    beside = bundle(referring("Medication/m1"), COBALAMIN)
    assert only(beside, evidence=record).text == "cobalamin"
    assert only(referring("Medication/m1"), evidence=record).text == "old"


def test_only_medications_that_are_not_there_are_referred_to() -> None:
    sent = bundle(
        COBALAMIN,
        referring("Medication/m1"),
        referring("#c1"),
        referring("Medication/m2"),
        referring("Medication/m2", id="again"),
        order(
            medicationCodeableConcept=..., medication={"reference": {"reference": "Medication/m3"}}
        ),
        order(medicationReference={"reference": "Medication/m4"}),
        order(medicationCodeableConcept=..., medicationReference=5),
        {
            "resourceType": "MedicationStatement",
            "medicationReference": {"reference": "Medication/m5"},
        },
    )
    assert referred_medications(open_drafts(encoded(sent))) == ("Medication/m2", "Medication/m3")
    for nothing in (None, b"null"):
        assert referred_medications(open_drafts(nothing)) == ()


# --- how much ----------------------------------------------------------------------------------


def amount(value: object, unit: str | None, written: str = "", **more: Any) -> DoseAmount:
    return DoseAmount(Decimal(str(value)), unit, written or f"{value} {unit}", **more)


@each(
    ("quantity", "expected"),
    [
        ({"value": 1000, "unit": "ug", "system": UCUM, "code": "ug"}, amount(1000, "ug")),
        ({"value": 1.10, "unit": "mg"}, amount("1.1", "mg")),
        ({"value": "2.5", "unit": "mL"}, amount("2.5", "mL")),
        ({"value": [2], "code": "mg"}, amount(2, "mg")),
        ({"value": 1, "unit": "MCG/KG"}, amount(1, "ug", "1 MCG/KG", per_kg=True)),
        ({"value": 1, "unit": "mcg/kg"}, amount(1, "ug", "1 mcg/kg", per_kg=True)),
        ({"value": 1, "code": "ug/(kg.d)"},
         amount(1, "ug", "1 ug/(kg.d)", per_kg=True, per_day=True)),
        ({"value": 1, "unit": "TAB", "system": DRUG_FORM, "code": "TAB"},
         amount(1, "1", "1 TAB", thing="tablet")),
        ({"value": 1, "unit": "tablet", "system": SNOMED, "code": "428673006"},
         amount(1, "1", "1 tablet", thing="tablet")),
        ({"value": 1, "system": SNOMED, "code": "428673006"}, amount(1, None, "1 428673006")),
        ({"value": 3}, amount(3, None, "3")),
        ({"value": 3, "code": "1", "system": UCUM}, amount(3, "1", "3 1")),
        ({"value": 3, "unit": "tablets", "code": "1", "system": UCUM},
         amount(3, "1", "3 tablets", thing="tablet")),
        ({"value": 3, "unit": "capsule", "code": "{pill}"},
         amount(3, "1", "3 capsule", thing="capsule")),
        ({"value": 3, "unit": "capsule", "code": "{tbl}"}, amount(3, None, "3 capsule")),
        ({"value": 3, "unit": "mg", "code": "ug", "system": UCUM}, amount(3, None, "3 mg (ug)")),
        ({"value": 3, "unit": "mg/kg", "code": "mg", "system": UCUM}, amount(3, None, "3 mg/kg")),
        ({"value": 3, "unit": "mg", "code": "what", "system": UCUM}, amount(3, None, "3 mg")),
        ({"value": 100, "unit": "IU", "code": "[IU]", "system": UCUM}, amount(100, None, "100 IU")),
        # a code of the sender's own says nothing of the unit, with a system or without
        ({"value": 3, "unit": "mg", "code": "UNIT-17"}, amount(3, "mg")),
        ({"value": 3, "unit": "mg", "code": "UNIT-17", "system": ""}, amount(3, "mg")),
        ({"value": 3, "unit": "mg", "code": "UNIT-17", "system": "urn:site"}, amount(3, "mg")),
        ({"value": 3, "unit": "mg", "code": "ug", "system": "urn:site"}, amount(3, "mg")),
        ({"value": 3, "unit": "mg", "code": 258684004}, amount(3, "mg")),
        ({"value": 3, "unit": "tablets", "code": "TBL_7"},
         amount(3, "1", "3 tablets", thing="tablet")),
        # without words it leaves the unit unknown
        ({"value": 3, "code": "UNIT-17"}, amount(3, None, "3 UNIT-17")),
        ({"value": 3, "unit": "scoop", "code": "UNIT-17"}, amount(3, None, "3 scoop")),
        # one that may be UCUM's means a unit, and two of them are not a unit
        ({"value": 3, "unit": "mg", "code": "ug"}, amount(3, None, "3 mg (ug)")),
        ({"value": 3, "unit": "mg", "code": "[iU]"}, amount(3, None, "3 mg")),
        ({"value": 3, "unit": "mg", "code": "IU"}, amount(3, None, "3 mg")),
        ({"value": 3, "unit": "mg", "code": "mmol"}, amount(3, None, "3 mg")),
        ({"value": 3, "unit": "mg", "code": "mg/mL"}, amount(3, None, "3 mg (mg/mL)")),
        ({"value": 3, "unit": "mg", "code": "{scoop}"}, amount(3, None, "3 mg")),
    ],
)  # fmt: skip
def test_a_dose_is_read_with_its_unit(quantity: Json, expected: DoseAmount) -> None:
    dosage = dose(quantity)
    assert (dosage.low, dosage.high, dosage.unclear) == (expected, expected, ())


def test_a_dose_keeps_every_digit() -> None:
    sent = encoded(order(dosageInstruction=[{"doseQuantity": {"value": 4711, "unit": "mg"}}]))
    draft = only(sent.replace(b"4711", b"0.1000000000000000055"))
    assert draft.dosages[0].low is not None
    assert str(draft.dosages[0].low.value) == "0.1000000000000000055"


MALFORMED = [
    "1,000", "1e3", " 1", "+1", "-1", "01", "", "x", "NaN", -1, 0, True, False, [1, 2], {},
    {"a": 1}, "0.0", "١", "1_0", "1 mg",
]  # fmt: skip


@pytest.mark.parametrize("value", MALFORMED)
def test_a_number_that_is_none_makes_no_dose(value: object) -> None:
    dosage = dose({"value": value, "unit": "mg"})
    assert (dosage.low, dosage.high, dosage.unclear) == (None, None, ("dose",))


@pytest.mark.parametrize(
    "number", [b"1e400", b"1e99999999999999999999", b"1e-400", b"1" * 40, b"0." + b"1" * 40]
)
def test_a_number_beyond_all_measure_makes_no_dose(number: bytes) -> None:
    sent = encoded(order(dosageInstruction=[{"doseQuantity": {"value": 4711, "unit": "mg"}}]))
    (dosage,) = only(sent.replace(b"4711", number)).dosages
    assert (dosage.low, dosage.unclear) == (None, ("dose",))


MG = {"unit": "mg", "system": UCUM, "code": "mg"}
UG = {"unit": "ug", "system": UCUM, "code": "ug"}


@pytest.mark.parametrize(
    ("parts", "low", "high"),
    [
        ({}, None, None),
        ({"doseAndRate": []}, None, None),
        ({"doseAndRate": {"doseQuantity": {"value": 1, **MG}}}, "1 mg", "1 mg"),
        ({"doseAndRate": [{"doseRange": {"low": {"value": 1, **MG}, "high": {"value": 2, **MG}}}]},
         "1 mg", "2 mg"),
        ({"doseAndRate": [{"doseRange": {"low": {"value": 3, **MG}, "high": {"value": 2, **MG}}}]},
         "2 mg", "3 mg"),
        ({"doseRange": {"high": {"value": 2, **MG}}}, "2 mg", "2 mg"),
        ({"doseSimpleQuantity": {"value": 2, **MG}}, "2 mg", "2 mg"),
        ({"doseQuantity": [{"value": 2, **MG}]}, "2 mg", "2 mg"),
        ({"doseAndRate": [
            {"type": {"text": "ordered"}, "doseQuantity": {"value": 1, **MG}},
            {"type": {"text": "calculated"}, "doseQuantity": {"value": 1000, **UG}}]},
         "1 mg", "1 mg"),
        ({"doseAndRate": [
            {"doseQuantity": {"value": 2, **MG}}, {"doseQuantity": {"value": 500, **UG}},
            {"doseQuantity": {"value": 1, **MG}}]},
         "500 ug", "2 mg"),
        ({"doseAndRate": [
            {"doseQuantity": {"value": 10, "unit": "ug/kg"}},
            {"doseQuantity": {"value": 60, **UG}}]},
         "10 ug/kg", "60 ug"),
        ({"doseAndRate": [
            {"doseQuantity": {"value": 2000, "unit": "IU"}},
            {"doseQuantity": {"value": 1000, "unit": "IU"}}]},
         "1000 IU", "2000 IU"),
    ],
)  # fmt: skip
def test_several_doses_are_the_range_of_them(parts: Json, low: object, high: object) -> None:
    dosage = line(**parts)
    assert (dosage.low and dosage.low.written, dosage.high and dosage.high.written) == (low, high)
    assert dosage.unclear == ()


@pytest.mark.parametrize(
    "parts",
    [
        {"doseAndRate": "1 mg"},
        {"doseAndRate": [{"doseQuantity": 5}]},
        {"doseAndRate": [{"doseQuantity": {"unit": "mg"}}]},
        {"doseAndRate": [{"doseQuantity": {"value": 1, "comparator": "<", **MG}}]},
        {"doseAndRate": [{"doseQuantity": {"value": 1, "comparator": 5, **MG}}]},
        {"doseAndRate": [{"doseRange": {"low": {"value": 1, **MG}}}]},
        {"doseAndRate": [{"doseQuantity": {"value": 1, **MG}, "rateQuantity": {"value": 1}}]},
        {"rateRatio": {"numerator": {"value": 1}}},
        {"doseAndRate": [{"rateRange": {"low": {"value": 1}}}]},
        {"doseString": "one or two"},
        {"doseAndRate": [
            {"doseQuantity": {"value": 10, "unit": "ug/kg"}},
            {"doseQuantity": {"value": 60, **UG}}, {"doseQuantity": {"value": 60, "unit": "IU"}}]},
        {"maxDosePerPeriod": {"numerator": {"value": 1, **MG}}},
        {"maxDosePerPeriod": {"denominator": {"value": 1, "code": "d"}}},
        {"maxDosePerPeriod": 5},
        {"maxDosePerAdministration": {"value": "many"}},
    ],
)  # fmt: skip
def test_a_dose_that_cannot_be_understood_is_named(parts: Json) -> None:
    dosage = line(**parts)
    assert (dosage.low, dosage.high, dosage.maxima) == (None, None, ())
    assert dosage.unclear == ("dose",)


def test_the_most_that_may_be_given_is_read_with_its_days() -> None:
    one = {"value": 1, **MG}
    dosage = line(
        maxDosePerPeriod=[
            {"numerator": one, "denominator": {"value": 1, "unit": "day", "code": "d"}},
            {"numerator": {"value": 2, **MG}, "denominator": {"value": 1, "unit": "weeks"}},
        ],
        maxDosePerAdministration=one,
        maxDosePerLifetime={"value": 30, **MG},
    )
    assert [(most.written, days) for most, days in dosage.maxima] == [
        ("1 mg", 1), ("2 mg", 7), ("1 mg", None),
    ]  # fmt: skip
    ratio = {"numerator": one, "denominator": {"value": 12, "code": "h"}}
    assert line(maxDosePerPeriod=ratio).maxima == ((amount(1, "mg"), Decimal("0.5")),)


# --- how often ---------------------------------------------------------------------------------


@each(
    ("repeat", "expected"),
    [
        ({}, None),
        ({"frequency": 1, "period": 1, "periodUnit": "d"}, schedule(1, 1, 1)),
        ({"frequency": "2", "period": "1", "periodUnit": "d"}, schedule(2, 1, 2)),
        ({"frequency": 2, "period": 1, "periodUnits": "d"}, schedule(2, 1, 2)),
        ({"period": 1, "periodUnit": "d"}, schedule(1, 1, 1)),
        ({"frequency": [1], "period": [1], "periodUnit": ["d"]}, schedule(1, 1, 1)),
        ({"frequency": 1, "period": 1, "periodUnit": "days"}, schedule(1, 1, 1)),
        ({"frequency": 1, "period": 8, "periodUnit": "h"}, schedule(3, 1, 3)),
        ({"frequency": 1, "period": 36, "periodUnit": "h"}, schedule(1, "1.5", 1)),
        ({"frequency": 1, "period": 480, "periodUnit": "min"}, schedule(3, 1, 3)),
        ({"frequency": 1, "period": 43200, "periodUnit": "s"}, schedule(2, 1, 2)),
        ({"frequency": 1, "period": 2, "periodUnit": "d"}, schedule(1, 2, 1)),
        ({"frequency": 1, "period": 1, "periodUnit": "wk"}, schedule(1, 7, 1)),
        ({"frequency": 7, "period": 1, "periodUnit": "wk"}, schedule(7, 7, 1)),
        ({"frequency": 8, "period": 1, "periodUnit": "wk"}, schedule(8, 7, 2)),
        ({"frequency": 1, "period": 1, "periodUnit": "mo"}, schedule(1, 30, 1)),
        ({"frequency": 1, "period": 1, "periodUnit": "a"}, schedule(1, 365, 1)),
        ({"frequency": 1, "frequencyMax": 3, "period": 1, "periodUnit": "d"},
         schedule(1, 1, 3, most=3)),
        ({"frequency": 1, "period": 4, "periodMax": 6, "periodUnit": "h"},
         schedule(4, 1, 6, most=6)),
        ({"frequency": 1, "period": 1, "periodMax": 2, "periodUnit": "wk"},
         schedule("0.5", 7, 1, most=1)),
        ({"dayOfWeek": ["mon", "thu"]}, schedule(2, 7, 1)),
        ({"dayOfWeek": "mon"}, schedule(1, 7, 1)),
        ({"dayOfWeek": ["mon", "mon"], "frequency": 2, "period": 1, "periodUnit": "d"},
         schedule(2, 7, 2)),
        ({"dayOfWeek": ["mon", "wed", "fri"], "frequency": 1, "period": 1, "periodUnit": "d"},
         schedule(3, 7, 1)),
        ({"dayOfWeek": ["mon", "wed", "fri"], "frequency": 3, "period": 1, "periodUnit": "wk"},
         schedule(3, 7, 1)),
        ({"dayOfWeek": ["mon", "wed", "fri"], "frequency": 1, "period": 1, "periodUnit": "wk"},
         schedule(1, 7, 1, most=3)),
        ({"dayOfWeek": ["mon"], "frequency": 2, "period": 1, "periodUnit": "wk"},
         schedule(2, 7, 2)),
        ({"dayOfWeek": ["mon"], "frequency": 1, "period": 1, "periodUnit": "mo"},
         schedule(1, 30, 1)),
        ({"timeOfDay": ["08:00:00", "20:00"]}, schedule(2, 1, 2)),
        ({"timeOfDay": ["08:00:00", "20:00"], "dayOfWeek": ["sat"]}, schedule(2, 7, 2)),
        ({"timeOfDay": ["08:00"], "frequency": 1, "period": 1, "periodUnit": "wk"},
         schedule(1, 7, 1)),
        ({"timeOfDay": ["08:00", "20:00"], "frequency": 2, "period": 1, "periodUnit": "d"},
         schedule(2, 1, 2)),
        ({"when": ["MORN", "HS"], "offset": 30}, schedule(2, 1, 2)),
        ({"when": "HS"}, schedule(1, 1, 1)),
        ({"when": ["AC"], "frequency": 3, "period": 1, "periodUnit": "d"}, schedule(3, 1, 3)),
        ({"duration": 30, "durationUnit": "min", "frequency": 1, "period": 1, "periodUnit": "d"},
         schedule(1, 1, 1)),
        ({"count": 1}, SINGLE),
        ({"count": 1, "frequency": 1, "period": 1, "periodUnit": "d"}, SINGLE),
        ({"count": 3}, None),
    ],
)  # fmt: skip
def test_a_repetition_tells_how_often(repeat: Json, expected: Schedule | None) -> None:
    dosage = rhythm(**repeat)
    assert dosage.schedule == expected
    assert dosage.unclear == ()


@each(
    "repeat",
    [
        {"frequency": 2},
        {"frequency": 2, "periodUnit": "d"},
        {"period": 1},
        {"periodUnit": "d"},
        {"frequency": 0, "period": 1, "periodUnit": "d"},
        {"frequency": 1, "period": 0, "periodUnit": "d"},
        {"frequency": -1, "period": 1, "periodUnit": "d"},
        {"frequency": "often", "period": 1, "periodUnit": "d"},
        {"frequency": 1, "period": 1e-30, "periodUnit": "d"},
        {"frequency": 1e30, "period": 1, "periodUnit": "d"},
        {"frequencyMax": 2, "period": 1, "periodUnit": "d"},
        {"frequency": 1, "period": 1, "periodUnit": "fortnight"},
        {"frequency": 1, "period": 1, "periodUnit": "d", "periodUnits": "wk"},
        {"frequency": [1, 2], "period": 1, "periodUnit": "d"},
        {"dayOfWeek": ["moonday"]},
        {"dayOfWeek": ["mon"], "frequency": 1, "period": 2, "periodUnit": "d"},
        {"timeOfDay": ["25:00"]},
        {"timeOfDay": ["08:00"], "when": ["HS"]},
        {"timeOfDay": ["08:00"], "frequency": 2, "period": 1, "periodUnit": "d"},
        {"timeOfDay": ["08:00", "20:00"], "frequency": 1, "period": 1, "periodUnit": "wk"},
        {"when": ["AC"]},
        {"when": ["whenever"]},
        {"count": 0},
        {"count": 1.5},
        {"count": "many"},
        {"boundsDuration": {"value": 3, "unit": "moons"}},
        {"boundsDuration": {"value": 3, "unit": "weeks", "code": "d"}},
        {"boundsDuration": 3},
        {"boundsRange": {"low": {"value": 3, "code": "d"}}},
        5,
        "twice a day",
        [{"frequency": 1}, {"frequency": 2}],
    ],
)
def test_a_repetition_that_cannot_be_understood_is_named(repeat: Any) -> None:
    dosage = line(timing={"repeat": repeat})
    assert dosage.schedule is None
    assert dosage.unclear == ("timing",)


@each(
    ("code", "expected"),
    [
        ({"coding": [{"system": ABBREVIATION, "code": "BID"}]}, schedule(2, 1, 2)),
        *(
            ({"coding": [{"system": ABBREVIATION, "code": code}]}, expected)
            for code, expected in (
                ("TID", schedule(3, 1, 3)), ("QID", schedule(4, 1, 4)), ("QD", schedule(1, 1, 1)),
                ("QOD", schedule(1, 2, 1)), ("AM", schedule(1, 1, 1)), ("PM", schedule(1, 1, 1)),
                ("Q1H", schedule(24, 1, 24)), ("Q4H", schedule(6, 1, 6)),
                ("Q6H", schedule(4, 1, 4)), ("Q8H", schedule(3, 1, 3)), ("Q12H", schedule(2, 1, 2)),
                ("Q48H", schedule(1, 2, 1)), ("WK", schedule(1, 7, 1)), ("MO", schedule(1, 30, 1)),
                ("BED", schedule(1, 1, 1)),
            )
        ),
        *(
            ({"text": words}, expected)
            for words, expected in (
                ("once daily", schedule(1, 1, 1)), ("Once a day", schedule(1, 1, 1)),
                ("twice daily", schedule(2, 1, 2)), ("three times a day", schedule(3, 1, 3)),
                ("b.i.d.", schedule(2, 1, 2)), ("weekly", schedule(1, 7, 1)),
                ("Once  weekly", schedule(1, 7, 1)), ("twice a week", schedule(2, 7, 1)),
                ("every other day", schedule(1, 2, 1)), ("monthly", schedule(1, 30, 1)),
                ("once", SINGLE), ("q8h", schedule(3, 1, 3)),
            )
        ),
        ("daily", schedule(1, 1, 1)),
        ({"coding": [{"system": "urn:local", "code": "301"}], "text": "BID"}, schedule(2, 1, 2)),
    ],
)  # fmt: skip
def test_a_code_or_a_phrase_tells_how_often(code: object, expected: Schedule) -> None:
    dosage = line(timing={"code": code})
    assert (dosage.schedule, dosage.unclear) == (expected, ())


@pytest.mark.parametrize(
    "timing",
    [
        {"code": {"text": "as the mother sees fit"}},
        {"code": {"coding": [{"system": "urn:local", "code": "MO"}]}},
        {"code": {"coding": [{"code": "BID"}, {"code": "TID"}]}},
        {"code": {"coding": [{"code": "BID"}], "text": "once daily"}},
        {"code": {"text": "BID"}, "repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
        {"code": {"text": "once"}, "repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
        {"code": 5},
        {"event": ["tomorrow"]},
        {"event": ["2026-05"]},
        {"event": ["2026-05-01"], "code": {"text": "weekly"}},
        {"event": ["2026-05-01"], "repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
        "BID",
        5,
    ],
)
def test_timings_that_are_unknown_or_contradict_each_other_are_named(timing: object) -> None:
    dosage = line(timing=timing)
    assert (dosage.schedule, dosage.unclear) == (None, ("timing",))


@pytest.mark.parametrize(
    "code", [{"text": "BID"}, {"text": "with breakfast and supper"}, {"coding": [{"code": "77"}]}]
)
def test_a_code_beside_a_repetition_must_agree_or_only_names_it(code: Json) -> None:
    dosage = line(timing={"code": code, "repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}})
    assert (dosage.schedule, dosage.unclear) == (schedule(2, 1, 2), ())


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (["2026-05-01"], SINGLE),
        ("2026-05-01T08:00:00Z", SINGLE),
        (["2026-05-01", "2026-05-08"], schedule(1, 7, 1)),
        (["2026-05-01", "2026-05-08", "2026-05-15"], schedule(2, 14, 1)),
        (["2026-05-01T08:00:00Z", "2026-05-01T20:00:00Z", "2026-05-02"], schedule(3, 2, 2)),
    ],
)
def test_events_are_so_many_doses_in_so_many_days(events: object, expected: Schedule) -> None:
    dosage = line(timing={"event": events})
    assert (dosage.schedule, dosage.unclear) == (expected, ())
    assert dosage.count == (len(events) if isinstance(events, list) else 1)


def test_a_repetition_counts_its_doses_itself() -> None:
    repeat = {"frequency": 1, "period": 1, "periodUnit": "d", "count": 4}
    assert line(timing={"event": ["2026-05-01"], "repeat": repeat}).count == 4


@pytest.mark.parametrize(
    ("repeat", "days", "count"),
    [
        ({"boundsDuration": {"value": 2, "unit": "weeks", "code": "wk"}}, 14, None),
        ({"boundsDuration": {"value": 36, "unit": "hours"}}, Decimal("1.5"), None),
        ({"boundsQuantity": {"value": 3, "code": "mo"}}, 90, None),
        ({"boundsRange": {"low": {"value": 3, "code": "d"}, "high": {"value": 5, "code": "d"}}},
         5, None),
        ({"count": 4}, None, 4),
        ({"count": 4, "countMax": 6}, None, 6),
    ],
)  # fmt: skip
def test_how_long_and_how_many_in_all(repeat: Json, days: object, count: int | None) -> None:
    dosage = rhythm(**repeat)
    assert (dosage.days, dosage.count, dosage.unclear) == (days, count, ())


# --- the rest of a line ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "as_needed"),
    [
        ({}, False),
        ({"asNeededBoolean": False}, False),
        ({"asNeededBoolean": True}, True),
        ({"asNeededBoolean": "true"}, True),
        ({"asNeeded": True}, True),
        ({"asNeededCodeableConcept": {"text": "fatigue"}}, True),
        ({"asNeededCodeableConcept": {}}, False),
        ({"asNeededFor": [{"text": "fatigue"}]}, True),
    ],
)
def test_as_needed_is_said_in_many_ways(parts: Json, as_needed: bool) -> None:
    dosage = line(**parts)
    assert (dosage.as_needed, dosage.unclear) == (as_needed, ())


@pytest.mark.parametrize(
    ("route", "codes", "text", "unclear"),
    [
        ({"coding": [{"system": SNOMED, "code": "26643006"}]}, ["26643006"], "", ()),
        (
            [{"coding": {"system": SNOMED, "code": "26643006"}, "text": "PO"}],
            ["26643006"],
            "PO",
            (),
        ),
        ("by mouth", [], "by mouth", ()),
        ({"coding": [{}]}, [], "", ()),
        (None, [], "", ()),
        (5, [], "", ("route",)),
        ({"coding": 5}, [], "", ("route",)),
        ([{"text": "PO"}, {"text": "IM"}], [], "", ("route",)),
    ],
)
def test_a_route_is_read_or_named(
    route: object, codes: list[str], text: str, unclear: tuple[str, ...]
) -> None:
    dosage = line(route=route)
    assert [code.code for code in dosage.route] == codes
    assert (dosage.route_text, dosage.unclear) == (text, unclear)


@pytest.mark.parametrize(
    "sent",
    [
        [{"text": "1 mL weekly"}],
        [{"patientInstruction": "1 mL weekly"}],
        {"text": "1 mL weekly"},
        "1 mL weekly",
        [None, "1 mL weekly", {}],
    ],
)
def test_text_alone_is_a_line_without_a_dose(sent: object) -> None:
    assert only(order(dosageInstruction=sent)).dosages == (DraftDosage(text="1 mL weekly"),)


def test_a_line_that_is_none_is_named() -> None:
    assert only(order(dosageInstruction=[5])).dosages == (DraftDosage(unclear=("the line",)),)


def test_lines_come_in_their_sequence_where_all_have_one() -> None:
    def sequence(*places: object) -> list[str]:
        lines = [{"sequence": place, "text": str(place)} for place in places]
        return [one.text for one in only(order(dosageInstruction=lines)).dosages]

    assert sequence(2, 1, "0") == ["0", "1", "2"]
    assert sequence(2, None, 1) == ["2", "None", "1"]
    assert line(sequence="first").unclear == ("timing",)


@pytest.mark.parametrize(
    "modifier",
    [
        {"modifierExtension": [{"url": "urn:x"}]},
        {"implicitRules": "urn:rules"},
        {"doNotPerform": "perhaps"},
    ],
)
def test_an_unknown_modifier_makes_every_line_unclear(modifier: Json) -> None:
    lines = [{"text": "a"}, {"text": "b", "doseQuantity": {"value": "x"}}]
    dosages = only(order(dosageInstruction=lines, **modifier)).dosages
    assert [one.unclear for one in dosages] == [("the line",), ("the line", "dose")]
    (alone,) = only(order(**modifier)).dosages
    assert alone.unclear == ("the line",)


def test_a_modifier_of_one_line_is_of_that_line() -> None:
    lines = [{"text": "a"}, {"text": "b", "modifierExtension": {"url": "urn:x"}}]
    dosages = only(order(dosageInstruction=lines)).dosages
    assert [one.unclear for one in dosages] == [(), ("the line",)]


# --- anything at all ---------------------------------------------------------------------------

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["d", "mg", "BID", "MedicationRequest", "Patient/p1", "1", "2026-05-01"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            [
                "resourceType", "entry", "resource", "id", "value", "unit", "code", "coding", "low",
                "high", "repeat", "frequency", "period", "periodUnit", "reference", "text",
                "numerator", "denominator", "start", "end", "event", "doseQuantity", "doseRange",
            ]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


def _places(value: Any, so_far: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in it."""
    found = [so_far] if so_far else []
    inside: Any = ()
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    for name, one in inside:
        found += _places(one, (*so_far, name))
    return found


DAY = {"value": 1, "code": "d"}
RICH = bundle(
    COBALAMIN,
    complete("R4") | {"contained": [COBALAMIN]},
    complete("DSTU2"),
    referring("Medication/m1", id="request-9"),
    order(
        id="request-10",
        dosageInstruction=[
            {
                "sequence": 1,
                "timing": {
                    "repeat": {
                        "boundsRange": {"low": DAY, "high": DAY},
                        "count": 4, "frequency": 1, "frequencyMax": 2, "period": 1, "periodMax": 2,
                        "periodUnit": "wk", "dayOfWeek": ["mon"], "timeOfDay": ["08:00"],
                    },
                    "code": {"text": "weekly"},
                },
                "route": {"coding": [{"system": SNOMED, "code": "26643006"}]},
                "asNeededBoolean": False,
                "doseAndRate": [
                    {"doseRange": {"low": {"value": 1, **MG}, "high": {"value": 2, **MG}}}
                ],
                "maxDosePerPeriod": {
                    "numerator": {"value": 2, **MG}, "denominator": {"value": 1, "code": "d"},
                },
            }
        ],
    ),
    {
        "resourceType": "ServiceRequest", "id": "t1", "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": LOINC, "code": "2132-9"}]},
        "occurrencePeriod": {"start": "2026-06-01"},
    },
)  # fmt: skip


@given(st.sampled_from(_places(RICH)), values)
def test_anything_in_any_place_is_read_or_counted(place: tuple[Any, ...], value: Any) -> None:
    sent = deepcopy(RICH)
    at: Any = sent
    for name in place[:-1]:
        at = at[name]
    at[place[-1]] = value
    body = encoded(sent)
    opened = open_drafts(body)
    basket = read_basket(opened, ("MedicationRequest/request-10",), "p1")
    referred_medications(opened)
    for draft in basket.drafts:
        assert json.loads(draft.resource)
        for dosage in draft.dosages:
            assert (dosage.low is None) == (dosage.high is None)
            for one in (dosage.low, dosage.high, *(most for most, _ in dosage.maxima)):
                assert one is None or one.value > 0
            rhythm_ = dosage.schedule
            if rhythm_ is not None:
                assert 0 < rhythm_.times <= rhythm_.most_times
                assert rhythm_.days >= 0
                assert rhythm_.most_a_day >= 1


@given(values)
def test_anything_at_all_for_a_basket_never_raises(value: Any) -> None:
    opened = open_drafts(encoded(value))
    read_basket(opened, None, "p1")
    referred_medications(opened)


@given(st.binary(max_size=40))
@example(
    b'{"resourceType":"MedicationRequest","dosageInstruction":[{"doseQuantity":{"value":NaN}}]}'
)
@example(b'{"entry":[{"resource":{"resourceType":"Bundle","entry":[]}}]}')
def test_any_bytes_for_a_basket_never_raise(sent: bytes) -> None:
    read_basket(open_drafts(sent), None, "p1")


@given(values)
def test_no_malformed_number_ever_makes_a_dose(value: Any) -> None:
    well_formed = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    if isinstance(value, str):
        well_formed = value == "1" or (value.isascii() and value.isdigit() and value[:1] != "0")
    dosage = dose({"value": value, "unit": "mg"})
    if isinstance(value, list):
        return
    if dosage.low is not None:
        assert well_formed
        assert dosage.low.value == Decimal(str(value))
    else:
        assert dosage.unclear == ("dose",)


@pytest.mark.parametrize("member", ["additionalInstruction", "additionalInstructions"])
def test_what_is_said_beside_the_dose_is_read_in_every_spelling(member: str) -> None:
    food = {"coding": [{"system": "http://snomed.info/sct", "code": "311504000"}]}
    said = [food, {"text": "on dialysis days"}, "stop after a week", {"coding": "nonsense"}]
    line = read_dosage({"text": "1 mL", "patientInstruction": "give 1 mL", member: said})
    assert [(one.codes != (), one.text) for one in line.instructions] == [
        (True, ""), (False, "on dialysis days"), (False, "stop after a week"), (False, ""),
    ]  # fmt: skip
    assert line.beside == ("give 1 mL", "on dialysis days", "stop after a week")
    assert read_dosage({member: food}).instructions == line.instructions[:1]
    assert read_dosage({"patientInstruction": "give 1 mL", member: []}).text == "give 1 mL"


# --- words ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("long", "are_read"), [(WORDS - 1, True), (WORDS, True), (WORDS + 1, False)]
)
def test_words_of_a_basket_are_read_up_to_a_limit_and_beyond_it_are_said(
    long: int, are_read: bool
) -> None:
    words = "daily " * (WORDS // 6 + 1)
    line = {"text": "x" * 10, "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "mg"}}]}
    draft = only(order(dosageInstruction=[line], note=[{"text": words[: long - 10]}]))
    (dosage,) = draft.dosages
    assert bool(draft.notes) is are_read
    assert bool(dosage.text) is are_read
    assert ("words" in dosage.unclear) is not are_read
    assert dosage.low is not None  # what is structured is read in any case


def test_a_short_order_is_read_after_one_with_too_many_words() -> None:
    long, short = (
        order(id=name, note=[{"text": text}]) for name, text in (("a", "x" * 200_000), ("b", "x"))
    )
    first, second = read(bundle(long, short)).drafts
    assert ([one.unclear for one in first.dosages], first.notes) == ([("words",)], ())
    assert second.notes == ("x",)
