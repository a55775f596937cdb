"""Orders as FHIR: what is filled in per patient, and what is refused."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from cds_service.clinical import (
    Code,
    Phase,
    Plan,
    PlannedDrug,
    PlannedTask,
    PlannedTest,
    StoppedDrug,
)
from cds_service.consultation import check_orders
from cds_service.errors import GuidelineError
from cds_service.fhir import orders
from cds_service.guidelines import b12_under_two as b12

DAY = date(2026, 3, 15)
B12 = Code("http://loinc.org", "2132-9", "Vitamin B12")
ORAL = Code("http://snomed.info/sct", "26643006", "Oral route")
encode = msgspec.json.Encoder(decimal_format="number").encode


def written(plan: Plan) -> dict[str, Any]:
    """The resource as a client receives it."""
    return dict(json.loads(encode(orders.write(plan, "p1"))))


def drug(**but: Any) -> PlannedDrug:
    phase = Phase(2, 1, "wk", 14, "d", 4, "1000 µg twice weekly")
    given: dict[str, Any] = {
        "codes": (Code("http://www.nlm.nih.gov/research/umls/rxnorm", "1423423", "solution"),),
        "name": "Cyanocobalamin 1 mg/mL oral solution",
        "route": ORAL,
        "amount": Decimal(1000),
        "phases": (phase,),
        "authored": DAY,
        "priority": "routine",
    }
    return PlannedDrug(**{**given, **but})


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
            "value": 1000, "unit": "µg", "system": "http://unitsofmeasure.org", "code": "ug"}}
    ]  # fmt: skip
    assert dosage["route"]["coding"][0]["code"] == "26643006"
    assert "asNeededBoolean" not in dosage


def test_a_dose_keeps_its_decimals() -> None:
    body = encode(orders.write(drug(amount=Decimal("2.2")), "p1"))
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
    body = encode(orders.write(StoppedDrug(sent, "MedicationRequest/m1", "drops"), "p1"))
    assert b'"x":{"y":[1.10,null]}' in body
    assert json.loads(body) == {**json.loads(sent), "status": "stopped"}


def test_every_order_of_the_guideline_is_valid() -> None:
    assert check_orders(b12.load()) > 50


def test_an_order_that_the_models_refuse_stops_the_service_by_name() -> None:
    bad = drug(name="")
    with pytest.raises(GuidelineError, match=r"doses\.broken"):
        orders.check([("doses.broken", bad)])
