"""Orders as FHIR: what is filled in per patient, and what is refused."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from fhir.resources import medicationrequest as medicationrequest_of_r5
from fhir.resources.STU3 import medicationrequest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.clinical import (
    Code,
    Draft,
    Phase,
    PlannedDrug,
    PlannedTask,
    PlannedTest,
    RemovedDraft,
    RevisedDrug,
    StoppedDrug,
    Written,
)
from cds_service.consultation import check_orders, load_services
from cds_service.consultation.services import guidelines_of
from cds_service.errors import GuidelineError
from cds_service.fhir import orders
from cds_service.fhir.drafts import open_drafts, read_basket
from cds_service.language import Language, house, say

DAY = date(2026, 3, 15)
B12 = Code("http://loinc.org", "2132-9", "Vitamin B12")
ORAL = Code("http://snomed.info/sct", "26643006", "Oral route")
encode = msgspec.json.Encoder(decimal_format="number").encode


def written(plan: Written) -> dict[str, Any]:
    """The resource as a client receives it."""
    return dict(json.loads(encode(orders.write(plan, "p1", house.language()).resource)))


def drug(**but: Any) -> PlannedDrug:
    phase = Phase(2, 1, "wk", 14, "d", 4, "1000 µg twice weekly")
    given: dict[str, Any] = {
        "codes": (Code("http://www.nlm.nih.gov/research/umls/rxnorm", "1423423", "solution"),),
        "name": "Cyanocobalamin 1 mg/mL oral solution",
        "route": ORAL,
        "amount": Decimal(1000),
        "unit": "ug",
        "phases": (phase,),
        "authored": DAY,
        "priority": "routine",
    }
    return PlannedDrug(**{**given, **but})


@pytest.mark.parametrize(("unit", "shown"), [("ug", "micrograms"), ("mg", "mg"), ("mL", "mL")])
def test_a_dose_is_written_in_its_own_unit(unit: str, shown: str) -> None:
    (line,) = written(drug(unit=unit))["dosageInstruction"]
    (dose,) = line["doseAndRate"]
    assert dose["doseQuantity"]["value"] == 1000
    assert (dose["doseQuantity"]["unit"], dose["doseQuantity"]["code"]) == (shown, unit)


def test_a_prescription_carries_structured_timing_dose_and_route() -> None:
    order = written(drug(reasons=("Observation/b1",)))
    assert order["status"] == "draft"
    assert order["intent"] == "order"
    assert order["subject"] == {"reference": "Patient/p1"}
    assert order["reasonReference"] == [{"reference": "Observation/b1"}]
    (dosage,) = order["dosageInstruction"]
    assert dosage["timing"]["repeat"] == {
        "boundsDuration": {
            "value": 14, "unit": "days", "system": "http://unitsofmeasure.org", "code": "d",
        },
        "count": 4, "frequency": 2, "period": 1, "periodUnit": "wk",
    }  # fmt: skip
    assert dosage["doseAndRate"] == [
        {"doseQuantity": {
            "value": 1000, "unit": "micrograms",
            "system": "http://unitsofmeasure.org", "code": "ug"}}
    ]  # fmt: skip
    assert dosage["route"]["coding"][0]["code"] == "26643006"
    assert "asNeededBoolean" not in dosage


def test_a_dose_keeps_its_decimals() -> None:
    body = encode(orders.write(drug(amount=Decimal("2.2")), "p1", house.language()).resource)
    assert b'"value":2.2,' in body


def test_a_drug_without_a_code_is_named_in_words_only() -> None:
    concept = written(drug(codes=()))["medicationCodeableConcept"]
    assert concept == {"text": "Cyanocobalamin 1 mg/mL oral solution"}


def test_a_code_without_a_display_has_none_rather_than_an_empty_one() -> None:
    order = written(drug(codes=(Code("urn:site", "x1"),)))
    assert order["medicationCodeableConcept"]["coding"] == [{"system": "urn:site", "code": "x1"}]


def test_a_test_is_ordered_for_its_day() -> None:
    order = written(PlannedTest((B12,), "Vitamin B12", date(2026, 4, 15), DAY, note="trough"))
    assert order["occurrenceDateTime"] == "2026-04-15"
    assert order["authoredOn"] == "2026-03-15"
    assert order["code"]["text"] == "Vitamin B12"
    assert order["note"] == [{"text": "trough"}]


def test_the_task_for_the_mother_is_about_the_infant() -> None:
    task = written(PlannedTask("Assess the mother.", DAY, ("Observation/b1",)))
    assert task["for"] == {"reference": "Patient/p1"}
    assert (task["status"], task["intent"]) == ("requested", "proposal")


@pytest.mark.parametrize("source", ["", "Observation/(no id)", "urn:uuid:1", "x/y/z", "http://a/b"])
def test_what_is_no_local_reference_is_no_reason(source: str) -> None:
    assert "reasonReference" not in written(drug(reasons=(source,)))


def test_stopping_an_order_changes_its_status_and_nothing_else() -> None:
    sent = (
        b'{"resourceType":"MedicationRequest","id":"m1","status":"active","x":{"y":[1.10,null]},'
        b'"subject":{"reference":"Patient/p1"},"dosageInstruction":[{"text":"\\u00b5g"}]}'
    )
    body = encode(
        orders.write(
            StoppedDrug(sent, "MedicationRequest/m1", "drops"), "p1", house.language()
        ).resource
    )
    assert b'"x":{"y":[1.10,null]}' in body
    assert json.loads(body) == {**json.loads(sent), "status": "stopped"}


def test_every_order_of_the_guideline_is_valid() -> None:
    (guideline,) = guidelines_of(load_services())
    assert check_orders(guideline) > 50


def test_an_order_that_the_models_refuse_stops_the_service_by_name() -> None:
    bad = drug(name="")
    with pytest.raises(GuidelineError, match=r"doses\.broken"):
        orders.check([("doses.broken", bad)], house.language())


# --- drafts changed ----------------------------------------------------------------------------

INTRAMUSCULAR = Code("http://snomed.info/sct", "78421000", "Intramuscular route")
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
NEW = drug(route=INTRAMUSCULAR)
NEW_CONCEPT = {
    "coding": [{"system": RXNORM, "code": "1423423", "display": "solution"}],
    "text": "Cyanocobalamin 1 mg/mL oral solution",
}
NEW_ROUTE = {
    "coding": [
        {"system": INTRAMUSCULAR.system, "code": "78421000", "display": "Intramuscular route"}
    ],
    "text": "Intramuscular route",
}
#: As a form sends it: with numbers to keep, members unknown here, two dosage lines.
SENT = (
    b'{"resourceType":"MedicationRequest","id":"d1","status":"draft","intent":"proposal",'
    b'"medicationCodeableConcept":{"text":"Old"},"subject":{"reference":"Patient/p1","x":[]},'
    b'"authoredOn":"2026-03-01","dosageInstruction":[{"text":"a","route":{"text":"PO"},'
    b'"doseAndRate":[{"doseQuantity":{"value":3.00,"code":"{pill}"}}]},{"text":"b"}],'
    b'"dispenseRequest":{"quantity":{"value":30},"numberOfRepeatsAllowed":1.0,'
    b'"initialFill":{"quantity":{"value":1},"duration":{"value":1}}},'
    b'"substitution":{"allowedBoolean":true},"new":{"y":[1.10,1e3,null],"z":"\\u00b5"}}'
)


def draft_of(sent: bytes | dict[str, Any]) -> Draft:
    body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    (draft,) = read_basket(open_drafts(body), None, "p1").drafts
    return draft


def revised(sent: bytes | dict[str, Any], *parts: Any) -> bytes:
    plan = RevisedDrug(draft_of(sent), NEW, frozenset(parts))
    return encode(orders.write(plan, "p1", house.language()).resource)


def changed(sent: bytes | dict[str, Any], *parts: Any) -> dict[str, Any]:
    """The members that the revision changed, removed ones as `...`."""
    before = json.loads(sent) if isinstance(sent, bytes) else sent
    after = json.loads(revised(sent, *parts))
    names = [*before, *(name for name in after if name not in before)]
    return {
        name: after.get(name, ...)
        for name in names
        if before.get(name, ...) != after.get(name, ...)
    }


def test_a_revision_without_parts_changes_nothing() -> None:
    assert revised(SENT) == SENT


def test_another_medication_takes_along_what_was_to_be_dispensed_of_the_old_one() -> None:
    assert changed(SENT, "medication") == {
        "medicationCodeableConcept": NEW_CONCEPT,
        "dispenseRequest": ...,
        "substitution": ...,
    }
    body = revised(SENT, "medication")
    assert b'{"y":[1.10,1e3,null],"z":"\\u00b5"}' in body
    assert b'{"value":3.00,"code":"{pill}"}' in body


def test_who_dispenses_stays() -> None:
    supply = {"quantity": {"value": 30}, "performer": {"reference": "Organization/1"}}
    sent = {**json.loads(SENT), "dispenseRequest": supply}
    kept = changed(sent, "medication")["dispenseRequest"]
    assert kept == {"performer": {"reference": "Organization/1"}}


def test_another_dosage_takes_along_the_supply_of_the_old_one_and_nothing_else() -> None:
    assert changed(SENT, "dosage") == {
        "dosageInstruction": written(NEW)["dosageInstruction"],
        "dispenseRequest": ...,
    }


def test_another_route_leaves_the_rest_of_every_line() -> None:
    lines = json.loads(SENT)["dosageInstruction"]
    for one in lines:
        one.pop("text", None)  # in words it says the old route
    assert changed(SENT, "route") == {
        "dosageInstruction": [{**one, "route": NEW_ROUTE} for one in lines]
    }
    assert b'{"value":3.00,"code":"{pill}"}' in revised(SENT, "route")


def test_an_order_without_a_line_gets_one_for_its_route() -> None:
    bare = {"resourceType": "MedicationRequest", "id": "d1"}
    assert changed(bare, "route")["dosageInstruction"] == [{"route": NEW_ROUTE}]


@pytest.mark.parametrize(
    ("medication", "kept"),
    [
        ({"medicationReference": {"reference": "#m1"}}, ["o2"]),
        ({"medicationReference": {"reference": "#m1"}, "note": [{"x": "#o1"}]}, ["o1", "o2"]),
        ({"medicationReference": {"reference": "#m1"}, "basedOn": [{"reference": "#m1"}]},
         ["m1", "o1", "o2"]),
        ({"medicationReference": {"reference": "Medication/9"}}, ["m1", "o1", "o2"]),
    ],
)  # fmt: skip
def test_what_only_the_old_medication_led_to_goes_with_it(
    medication: dict[str, Any], kept: list[str]
) -> None:
    contained = [
        {"resourceType": "Medication", "id": "m1", "manufacturer": {"reference": "#o1"}},
        {"resourceType": "Organization", "id": "o1"},
        {"resourceType": "Organization", "id": "o2"},
    ]
    sent = {"resourceType": "MedicationRequest", "id": "d1", **medication, "contained": contained}
    after = json.loads(revised(sent, "medication"))
    assert [one["id"] for one in after["contained"]] == kept
    assert "medicationReference" not in after
    assert after["medicationCodeableConcept"] == NEW_CONCEPT


def test_the_last_contained_resource_takes_the_member_along() -> None:
    sent = {
        "resourceType": "MedicationRequest",
        "medicationReference": {"reference": "#m1"},
        "contained": {"resourceType": "Medication", "id": "m1"},
    }
    assert "contained" not in json.loads(revised(sent, "medication"))


def test_an_order_in_the_shape_of_r5_keeps_it() -> None:
    sent = {"resourceType": "MedicationRequest", "medication": {"concept": {"text": "Old"}}}
    after = json.loads(revised(sent, "medication"))
    assert after["medication"] == {"concept": NEW_CONCEPT}
    assert "medicationCodeableConcept" not in after


def test_an_order_of_r5_is_written_as_one() -> None:
    sent = {
        "resourceType": "MedicationRequest", "id": "d1", "medication": {"concept": {"text": "Old"}},
        "reason": {"concept": {"text": "low B12"}}, "category": {"text": "community"},
        "dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 1}}]}],
    }  # fmt: skip
    after = json.loads(revised(sent, "medication", "dosage"))
    (line,) = after["dosageInstruction"]
    assert after["reason"] == [{"concept": {"text": "low B12"}}]
    assert line["doseAndRate"][0]["doseQuantity"]["value"] == 1000
    assert line["maxDosePerPeriod"][0]["numerator"]["value"] == 1000
    medicationrequest_of_r5.MedicationRequest.model_validate(after)


def test_a_bare_order_becomes_one_that_can_be_saved() -> None:
    bare = {
        "resourceType": "MedicationRequest", "id": "d1", "status": None, "reasonCode": [],
        "category": {"coding": [{"code": "community"}]},
    }  # fmt: skip
    assert changed(bare, "medication", "dosage") == {
        "status": "draft",
        "reasonCode": ...,
        "category": [{"coding": [{"code": "community"}]}],
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": NEW_CONCEPT,
        "dosageInstruction": written(NEW)["dosageInstruction"],
    }
    plan = RevisedDrug(draft_of(bare), NEW, frozenset({"medication", "dosage"}))
    orders.check(
        [("revised", plan), ("removed", RemovedDraft("MedicationRequest/d1", "x"))],
        house.language(),
    )


def test_an_order_of_stu3_is_written_as_one() -> None:
    sent = {
        "resourceType": "MedicationRequest", "id": "d1", "category": {"text": "community"},
        "reasonCode": {"text": "low B12"},
        "dosageInstruction": [{"doseQuantity": {"value": 1}}],
    }  # fmt: skip
    after = json.loads(revised(sent, "medication", "dosage"))
    (line,) = after["dosageInstruction"]
    assert (after["category"], after["reasonCode"]) == (
        {"text": "community"},
        [{"text": "low B12"}],
    )
    assert line["doseQuantity"]["value"] == 1000
    assert "doseAndRate" not in line
    medicationrequest.MedicationRequest.model_validate(after)


def test_an_order_of_dstu2_is_written_as_one() -> None:
    sent = {
        "resourceType": "MedicationOrder", "id": "order-1", "dateWritten": "2026-03-01",
        "dosageInstruction": [{"timing": {"repeat": {"periodUnits": "d"}}}],
        "dispenseRequest": {"medicationCodeableConcept": {"text": "Old"}},
    }  # fmt: skip
    after = json.loads(revised(sent, "medication", "dosage"))
    assert after == {
        "resourceType": "MedicationOrder",
        "id": "order-1",
        "dateWritten": "2026-03-01",
        "status": "draft",
        "patient": {"reference": "Patient/p1"},
        "medicationCodeableConcept": NEW_CONCEPT,
        "dosageInstruction": after["dosageInstruction"],
    }
    (line,) = after["dosageInstruction"]
    assert sorted(line) == ["doseQuantity", "maxDosePerPeriod", "route", "text", "timing"]
    repeat = line["timing"]["repeat"]
    assert sorted(repeat) == ["boundsQuantity", "count", "frequency", "period", "periodUnits"]


places = st.sampled_from(
    [
        "status",
        "category",
        "contained",
        "dosageInstruction",
        "dispenseRequest",
        "medication",
        "note",
        "extension",
        "text",
        "renderedDosageInstruction",
        "effectiveDosePeriod",
    ]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.sampled_from(["", "#m1", "1 mg", "Medication"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["id", "quantity", "route", "reference", "value", "url", "text", "resourceType"]
            ),
            inner,
            max_size=2,
        )
    ),
    max_leaves=6,
)


@given(st.dictionaries(places, values), st.sets(st.sampled_from(["medication", "dosage", "route"])))
def test_whatever_a_form_sends_can_be_revised(parts: dict[str, Any], revise: set[str]) -> None:
    sent = {"resourceType": "MedicationRequest", "id": "d1", "x": 5, **parts}
    after = json.loads(revised(sent, *revise))
    assert (after["id"], after["x"]) == ("d1", 5)
    assert {"status", "intent", "subject"} <= set(after)
    if "medication" in revise:
        concepts = [after.get("medicationCodeableConcept"), after.get("medication")]
        assert concepts.count(None) == 1


# --- filed once --------------------------------------------------------------------------------

B12_TEST = PlannedTest((B12,), "Vitamin B12", date(2026, 4, 15), DAY)
CREATED = [drug(), B12_TEST, PlannedTask("Assess the mother.", DAY)]


@pytest.mark.parametrize("plan", CREATED, ids=["drug", "test", "task"])
def test_what_is_created_can_be_filed_once(plan: Written) -> None:
    made = orders.write(plan, "p1", house.language(), "call 1")
    (identifier,) = made.resource["identifier"]
    assert identifier["system"] == "urn:ietf:rfc:3986"
    assert identifier["value"].startswith("urn:uuid:")
    assert made.if_none_exist == f"identifier={identifier['system']}|{identifier['value']}"


@pytest.mark.parametrize("plan", CREATED, ids=["drug", "test", "task"])
def test_the_same_advice_in_the_same_call_has_one_identifier(plan: Written) -> None:
    again = orders.write(plan, "p1", house.language(), "call 1").if_none_exist
    assert again == orders.write(plan, "p1", house.language(), "call 1").if_none_exist
    others = [
        orders.write(plan, "p1", house.language(), "call 2"),
        orders.write(plan, "p2", house.language(), "call 1"),
    ]
    assert again not in {one.if_none_exist for one in others}


def test_an_identifier_is_the_same_in_every_language() -> None:
    """It follows from the plan, as ids and values, and not from the words of the resource."""
    english = house.language()
    turned = {name: f"x {text}" for name, text in english.texts.items()}
    told = drug(name=say(house.Action.remove, name="drops"))
    found = [orders.write(told, "p1", one, "call 1") for one in (english, Language("xx", turned))]
    texts = [one.resource["medicationCodeableConcept"]["text"] for one in found]
    assert texts[1] == f"x {texts[0]}"
    assert found[0].if_none_exist == found[1].if_none_exist


def test_orders_that_differ_have_identifiers_of_their_own() -> None:
    later = PlannedTest((B12,), "Vitamin B12", date(2026, 6, 15), DAY)
    plans = [*CREATED, later, drug(amount=Decimal(500)), drug(note="x")]
    found = {orders.write(plan, "p1", house.language(), "call 1").if_none_exist for plan in plans}
    assert len(found) == len(plans)


def test_what_is_changed_keeps_its_own_identifiers() -> None:
    sent = {**json.loads(SENT), "identifier": [{"system": "urn:site", "value": "7"}]}
    plans: list[Written] = [
        RevisedDrug(draft_of(sent), NEW, frozenset({"dosage"})),
        StoppedDrug(json.dumps(sent).encode(), "MedicationRequest/d1", "drops"),
    ]
    for plan in plans:
        made = orders.write(plan, "p1", house.language(), "call 1")
        assert made.if_none_exist == ""
        assert json.loads(encode(made.resource))["identifier"] == sent["identifier"]
