"""What a client may save of an answer: orders changed, stopped and created, over HTTP.

Accepting is done as clients do it: an update is put over the old order, a create goes into the
basket, a delete takes a draft out by its id.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from played import Json, client_of, service_of

ON = date(2026, 11, 28)
UCUM = "http://unitsofmeasure.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED",
}  # fmt: skip
INSTANCE = "0a4b0ce6-63cf-4c25-8a57-4c1e3d9b1f20"


def bundle(*resources: Json) -> Json:
    return {"resourceType": "Bundle", "entry": [{"resource": one} for one in resources]}


def result(code: str, value: float, unit: str, patient: str = "p1") -> Json:
    return {
        "resourceType": "Observation",
        "id": f"o-{code}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2026-11-27",
        "valueQuantity": {"value": value, "unit": unit},
    }


def ask(
    hook: str,
    *drafts: Json,
    patient: str = "p1",
    level: float = 150,
    instance: str = INSTANCE,
    one_action: bool = False,
    **prefetch: Any,
) -> Json:
    """The answer about an infant of ten months with a low level."""
    keys = [need.key for need in service_of(hook).needs]
    context: Json = {"userId": "Practitioner/1", "patientId": patient}
    if hook != "patient-view":
        context["draftOrders"] = bundle(*drafts)
    sent = {
        "hook": hook,
        "hookInstance": instance,
        "context": context,
        "prefetch": {
            **dict.fromkeys(keys),
            "patient": {"resourceType": "Patient", "id": patient, "birthDate": "2026-02-01"},
            "b12": bundle(result("2132-9", level, "pg/mL", patient)),
            **prefetch,
        },
    }
    client = client_of(as_of=ON, one_action=one_action)
    answer = client.post(f"/cds-services/{service_of(hook).id}", json=sent)
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def suggestions(answer: Json) -> Iterator[Json]:
    for card in answer["cards"]:
        yield from card.get("suggestions", ())


def actions(answer: Json, kind: str) -> list[Json]:
    return [act for one in suggestions(answer) for act in one["actions"] if act["type"] == kind]


def uuids(answer: Json) -> set[str]:
    found = [card["uuid"] for card in answer["cards"]]
    found += [one["uuid"] for one in suggestions(answer)]
    assert len(set(found)) == len(found)
    return set(found)


def said(answer: Json) -> str:
    return "\n".join(f"{card['summary']}\n{card['detail']}" for card in answer["cards"])


# --- a thousandfold dose, accepted as corrected -------------------------------------------------

GRAM: Json = {"value": 1000, "unit": "mg", "system": UCUM, "code": "mg"}
DAILY: Json = {"frequency": 1, "period": 1, "periodUnit": "d"}
DRUG: Json = {"text": "Cyanocobalamin 1 mg/mL oral solution"}
NARRATIVE: Json = {"status": "generated", "div": "<div>Cyanocobalamin 1000 mg once a day</div>"}
SUPPLY: Json = {
    "quantity": {"value": 28000, "unit": "mg"},
    "expectedSupplyDuration": {"value": 28, "unit": "d", "system": UCUM, "code": "d"},
    "numberOfRepeatsAllowed": 11,
}
NOTE = [{"text": "Agreed with the mother: 1,000 mg"}, {"text": "Fridge"}]
LINE: Json = {"text": "1000 mg by mouth once daily", "route": {"text": "oral"}}


def order(**members: Any) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": "d1",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "text": NARRATIVE,
        "dispenseRequest": SUPPLY,
        "note": NOTE,
        **members,
    }


R4_LINE = {**LINE, "timing": {"repeat": DAILY}, "doseAndRate": [{"doseQuantity": GRAM}]}
CONTAINED: Json = {
    "resourceType": "Medication",
    "id": "m",
    "text": NARRATIVE,
    "code": DRUG,
    "amount": {"numerator": {"value": 28, "unit": "g"}, "denominator": {"value": 1}},
}
DRAFTS = {
    "DSTU2": {
        "resourceType": "MedicationOrder",
        "id": "d1",
        "status": "draft",
        "patient": {"reference": "Patient/p1"},
        "text": NARRATIVE,
        "note": "Agreed with the mother: 1000 mg",
        "medicationCodeableConcept": DRUG,
        "dispenseRequest": SUPPLY,
        "dosageInstruction": [
            {
                **LINE,
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnits": "d"}},
                "doseQuantity": GRAM,
            }
        ],
    },
    "STU3": order(
        medicationCodeableConcept=DRUG,
        dosageInstruction=[{**LINE, "timing": {"repeat": DAILY}, "doseQuantity": GRAM}],
    ),
    "R4": order(
        medicationCodeableConcept=DRUG,
        dosageInstruction=[R4_LINE],
        extension=[
            {
                "url": "http://hl7.org/fhir/5.0/StructureDefinition/"
                f"extension-MedicationRequest.{name}",
                value: said_there,
            }
            for name, value, said_there in (
                ("renderedDosageInstruction", "valueMarkdown", "1000 mg by mouth once daily"),
                ("effectiveDosePeriod", "valuePeriod", {"start": "2026-11-28"}),
            )
        ],
    ),
    "R4 with a contained medication": order(
        medicationReference={"reference": "#m"},
        contained=[CONTAINED],
        dosageInstruction=[R4_LINE],
    ),
    "R5": order(
        medication={"concept": DRUG},
        dosageInstruction=[R4_LINE],
        renderedDosageInstruction="1000 mg by mouth once daily",
        effectiveDosePeriod={"start": "2026-11-28", "end": "2026-12-26"},
    ),
    "R5 with a contained medication": order(
        medication={"reference": {"reference": "#m"}},
        contained=[{**CONTAINED, "amount": None, "totalVolume": {"value": 28, "unit": "g"}}],
        dosageInstruction=[R4_LINE],
    ),
}


def texts_and_numbers(value: Any) -> Iterator[str]:
    """Every text and number of a resource; a quantity as one text."""
    if isinstance(value, dict):
        if isinstance(value.get("value"), int):
            yield f"{value['value']} {value.get('unit', '')}"
        for item in value.values():
            yield from texts_and_numbers(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_and_numbers(item)
    else:
        yield str(value)


_OLD = re.compile(r"1,?000 ?mg|\b1 g\b|28,?000|\b28 (?:g|d)\b|1000000|^(?:11|28)$")


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize("name", DRAFTS)
def test_an_accepted_change_says_the_old_dose_nowhere(name: str, hook: str) -> None:
    draft = DRAFTS[name]
    assert sum(bool(_OLD.search(one)) for one in texts_and_numbers(draft)) >= 5
    answer = ask(hook, draft)
    assert answer["cards"][0]["indicator"] == "critical"
    (update,) = actions(answer, "update")
    saved = update["resource"]
    assert [one for one in texts_and_numbers(saved) if _OLD.search(one)] == []
    assert saved["id"] == "d1"
    assert "Left out, because it no longer fits: the narrative, " in update["description"]
    again = ask(hook, saved)
    assert [card["indicator"] for card in again["cards"] if "order" in card["extension"]] == []
    assert not actions(again, "update")


# --- orders sent in part -------------------------------------------------------------------------

DROPS: Json = {
    "resourceType": "MedicationRequest",
    "id": "m1",
    "status": "active",
    "intent": "order",
    "subject": {"reference": "Patient/p1"},
    "authoredOn": "2026-11-25",
    "medicationCodeableConcept": {
        "coding": [{"system": RXNORM, "code": "1423423"}],
        "text": "vitamin B12 drops",
    },
    "dosageInstruction": [
        {
            "timing": {"repeat": DAILY},
            "route": {"text": "oral"},
            "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "mg"}}],
        }
    ],
}
INJECTION: Json = {
    "resourceType": "MedicationRequest",
    "id": "d2",
    "status": "draft",
    "intent": "order",
    "subject": {"reference": "Patient/p1"},
    "medicationCodeableConcept": {"text": "Hydroxocobalamin 1 mg/mL injection"},
    "dosageInstruction": [
        {
            "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "wk"}},
            "route": {"text": "intramuscular"},
            "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "mg"}}],
        }
    ],
}
SEIZURES: Json = {
    "resourceType": "Condition",
    "id": "c1",
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "91175000"}]},
    "subject": {"reference": "Patient/p1"},
}
TAGS = [
    SUBSETTED,
    {"system": "http://hl7.org/fhir/v3/ObservationValue", "code": "SUBSETTED"},
    {"code": "SUBSETTED"},
]


def in_part(resource: Json, tag: Json = SUBSETTED) -> Json:
    return {**resource, "meta": {"versionId": "7", "tag": [{"code": "x"}, tag]}}


@pytest.mark.parametrize("tag", TAGS)
def test_an_active_order_sent_in_part_is_stopped_in_words_only(tag: Json) -> None:
    whole = ask("order-sign", INJECTION, meds=bundle(DROPS))
    (stop,) = actions(whole, "update")
    assert stop["resource"] == {**DROPS, "status": "stopped"}
    partial = ask("order-sign", INJECTION, meds=bundle(in_part(DROPS, tag)))
    assert actions(partial, "update") == []
    assert "To be stopped by hand: vitamin B12 drops" in said(partial)
    assert len(partial["cards"]) == len(whole["cards"])
    assert [card["indicator"] for card in partial["cards"]] == [
        card["indicator"] for card in whole["cards"]
    ]


@pytest.mark.parametrize("one_action", [False, True])
def test_no_second_order_is_offered_beside_one_that_cannot_be_stopped(one_action: bool) -> None:
    def told(drops: Json) -> Json:
        meds, conditions = bundle(drops), bundle(SEIZURES)
        return ask("patient-view", one_action=one_action, meds=meds, conditions=conditions)

    whole = told(DROPS)
    assert [one["resource"]["id"] for one in actions(whole, "update")] == ["m1"]
    drugs = [one for one in actions(whole, "create") if "dosageInstruction" in one["resource"]]
    assert drugs
    partial = told(in_part(DROPS))
    assert actions(partial, "update") == []
    created = actions(partial, "create")
    assert not [one for one in created if "dosageInstruction" in one["resource"]]
    tests = {one["description"] for one in actions(whole, "create")}
    assert {one["description"] for one in created} == tests - {drugs[0]["description"]}
    assert "To be stopped by hand: vitamin B12 drops" in said(partial)
    assert "When that is done: Prescribe Hydroxocobalamin 1 mg/mL injection" in said(partial)
    assert partial["cards"][0]["indicator"] == whole["cards"][0]["indicator"]


def test_a_draft_sent_in_part_can_only_be_taken_out() -> None:
    draft = in_part(DRAFTS["R4"])
    answer = ask("order-sign", draft)
    assert answer["cards"][0]["indicator"] == "critical"
    assert actions(answer, "update") == []
    (removal,) = actions(answer, "delete")
    assert removal["resourceId"] == "MedicationRequest/d1"
    assert "To be changed by hand: Cyanocobalamin 1 mg/mL oral solution" in said(answer)
    assert "1000 micrograms by mouth once daily for 7 days" in said(answer)


def test_a_draft_in_part_without_a_drug_gets_the_new_order_beside_it() -> None:
    empty = {"resourceType": "MedicationRequest", "id": "d9", "status": "draft"}
    whole, partial = ask("order-sign", empty), ask("order-sign", in_part(empty))
    assert [one["resource"]["id"] for one in actions(whole, "update")] == ["d9"]
    assert actions(partial, "update") == []
    created = [one["resource"]["resourceType"] for one in actions(partial, "create")]
    assert created.count("MedicationRequest") == 1


# --- filed once, and distinguished ---------------------------------------------------------------


def identifiers(answer: Json) -> dict[str, str]:
    """The identifier of everything that is created, with what it is."""
    found = {}
    for one in actions(answer, "create"):
        (identifier,) = one["resource"]["identifier"]
        search = f"identifier={identifier['system']}|{identifier['value']}"
        assert one["extension"] == {"io.github.b12-cds-service.if-none-exist": search}
        found[search] = one["description"]
    return found


def test_what_is_created_is_told_apart_by_child_and_call_and_by_nothing_else() -> None:
    first, again = ask("patient-view"), ask("patient-view")
    assert first == again
    found = identifiers(first)
    assert len(found) == len(set(found.values())) > 3
    assert found.keys().isdisjoint(identifiers(ask("patient-view", patient="p2")))
    other = INSTANCE.replace("0", "1")
    assert found.keys().isdisjoint(identifiers(ask("patient-view", instance=other)))


def test_the_same_advice_on_two_cards_is_filed_once() -> None:
    one = identifiers(ask("order-sign", one_action=True))
    assert one == identifiers(ask("order-sign"))


WRONG = order(medicationCodeableConcept=DRUG, dosageInstruction=[R4_LINE])


def with_dose(value: int, draft: Json = WRONG) -> Json:
    changed = copy.deepcopy(draft)
    changed["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] = value
    return changed


@pytest.mark.parametrize(
    "drafts",
    [
        (WRONG, {**WRONG, "id": "d2"}),
        (WRONG, with_dose(5000)),
        ({**WRONG, "id": None}, {**with_dose(5000), "id": None}),
    ],
    ids=["two ids", "one id", "no id"],
)
@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_two_drafts_share_no_uuid_in_two_calls_of_one_instance(
    hook: str, drafts: tuple[Json, Json]
) -> None:
    one, two = (ask(hook, draft) for draft in drafts)
    assert uuids(one).isdisjoint(uuids(two))
    assert uuids(one) == uuids(ask(hook, drafts[0]))


def test_two_drafts_share_no_uuid_in_one_call() -> None:
    drafts = [{**with_dose(1000 + n), "id": None} for n in range(3)]
    answer = ask("order-sign", *drafts, {**drafts[0], "priority": "routine"})
    assert len(uuids(answer)) >= len(drafts) + 1


@pytest.mark.parametrize("hook", ["patient-view", "order-sign"])
def test_two_children_share_no_uuid(hook: str) -> None:
    one, two = (ask(hook, patient=name) for name in ("p1", "p2"))
    assert [card["summary"] for card in one["cards"]] == [card["summary"] for card in two["cards"]]
    assert uuids(one).isdisjoint(uuids(two))


# --- said always ---------------------------------------------------------------------------------


def test_whether_a_suggestion_is_recommended_is_always_said() -> None:
    answer = ask("patient-view", conditions=bundle())
    said_there = [one["isRecommended"] for one in suggestions(answer)]
    assert {True, False} == set(said_there)


@pytest.mark.parametrize(
    "coded",
    [
        {"code": "UNIT-17", "system": "https://hospital.example.org/units"},
        {"code": "UNIT-17"},
        {"code": "UNIT-17", "system": ""},
        {},
    ],
)
def test_a_dose_is_read_by_its_unit_where_the_code_is_the_hospitals_own(coded: Json) -> None:
    draft = copy.deepcopy(WRONG)
    quantity = {"value": 1000, "unit": "mg", **coded}
    draft["dosageInstruction"][0]["doseAndRate"] = [{"doseQuantity": quantity}]
    (first, *_) = ask("order-sign", draft)["cards"]
    assert first["indicator"] == "critical"
    assert "1000 mg, 1000 times" in first["summary"]


def test_a_dose_whose_code_may_mean_another_unit_is_not_guessed() -> None:
    draft = copy.deepcopy(WRONG)
    quantity = {"value": 1000, "unit": "mg", "code": "[iU]"}
    draft["dosageInstruction"][0]["doseAndRate"] = [{"doseQuantity": quantity}]
    answer = ask("order-sign", draft)
    rules = str([card["extension"] for card in answer["cards"]])
    assert "ORD-04" not in rules
    assert "ORD-09" in rules  # what its words state is shown, and is not a dose


def test_a_dose_is_checked_whose_words_are_longer_than_is_read_and_that_is_said() -> None:
    draft = copy.deepcopy(WRONG)
    draft["note"] = [{"text": "Agreed with the mother. " * 5_000}]
    answer = ask("order-sign", draft)
    assert answer["cards"][0]["indicator"] == "critical"
    assert "1000 mg, 1000 times" in answer["cards"][0]["summary"]
    assert "its words are longer than is read here" in said(answer)
    draft["note"] = [{"text": "Agreed with the mother."}]
    assert "longer than is read" not in said(ask("order-sign", draft))
