"""Order entry as clients do it: what the public sandbox sends, and what happens on accepting.

Requests have the shapes that were seen on the wire of the sandbox; the infants are the stories'.
"""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import pytest
from each import each
from expected_cards import shown
from fhir_server_stub import FhirStub
from played import Story, client_of, service_of
from test_stories import (
    EVALUATION_EXTENSION,
    ORDER_STORIES,
    RULES,
    STORIES,
    address,
    begins_a_treatment,
    finding_of,
    is_valid,
    story_of,
)

Json = dict[str, Any]

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
MILD = "order-select-nothing-chosen"
CROHN = "order-select-oral-in-crohn"
HYPOTONIA = "order-sign-oral-with-hypotonia"
SEVERE = "order-sign-oral-in-severe-deficiency"
LEBER = "order-sign-leber-cyanocobalamin"
COBALAMIN_C = "order-sign-oral-in-cobalamin-c"
ADEQUATE = "order-sign-empty-basket-adequate-level"
FOLIC = "order-select-folic-acid-alone"
ORAL_TABLET = ("309593", "Vitamin B 12 1 MG Oral Tablet")
SMALL_TABLET = ("309595", "Vitamin B 12 0.1 MG Oral Tablet")
INSTANCE = "4bdde6f8-d742-4582-af1e-54377c69a2db"
#: What an update of a draft may touch; a medication of its own goes when another is named.
MEDICATION = {
    "medicationCodeableConcept",
    "medicationReference",
    "dispenseRequest",
    "substitution",
    "contained",
}
CHANGEABLE = MEDICATION | {"dosageInstruction", "priority"}


# --- asking --------------------------------------------------------------------------------------


def basket(*drafts: Json) -> Json:
    """As the sandbox sends it: without a type."""
    return {"resourceType": "Bundle", "entry": [{"resource": draft} for draft in drafts]}


def ask(
    story: str,
    hook: str,
    drafts: list[Json] | None,
    selections: list[str] | None = None,
    **more: Any,
) -> Any:
    """The answer about the infant of ``story``; ``drafts`` of another story are made its own."""
    told = story_of(story)
    context = {"patientId": told.patient_id, "userId": "Practitioner/COREPRACTITIONER1"}
    if drafts is not None:
        context["draftOrders"] = basket(*drafts)
    if selections is not None:
        context["selections"] = selections
    sent = {
        "hookInstance": INSTANCE,
        "hook": hook,
        "context": context,
        "prefetch": told.request["prefetch"],
        **more,
    }
    return told.client().post(f"/cds-services/{service_of(hook).id}", json=sent)


def cards(answer: Any) -> list[Json]:
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json["cards"]
    return found


def account(answer: Any) -> Json:
    found: Json = answer.json["extension"][EVALUATION_EXTENSION]
    return found


def findings(answer: Any) -> list[tuple[str, str]]:
    """Every order check that has a card, and of which order."""
    found = [finding_of(card) for card in cards(answer)]
    return [(one["rule"], one["order"]) for one in found if one is not None]


def rules(answer: Any) -> set[str]:
    return {rule for rule, _ in findings(answer)}


def treatments(answer: Any) -> list[Json]:
    """Cards about the child, not about an order, that suggest something."""
    return [one for one in cards(answer) if finding_of(one) is None and "suggestions" in one]


def again(story: str, drafts: list[Json], **more: Any) -> Any:
    """The story's own call with another basket."""
    told = story_of(story)
    context = copy.deepcopy(told.request["context"])
    context["draftOrders"] = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": draft} for draft in drafts],
    }
    there = {address(draft) for draft in drafts}
    if "selections" in context:
        context["selections"] = [one for one in context["selections"] if one in there]
    return told.post(context=context, **more)


def with_stopped(story: str, ends: list[Json]) -> Json:
    """The record once the orders that ``ends`` stop have been stopped."""
    stopped = {address(one["resource"]): one["resource"] for one in ends}
    prefetch: Json = copy.deepcopy(story_of(story).request["prefetch"])
    for entry in (prefetch["meds"] or {"entry": []})["entry"]:
        entry["resource"] = stopped.get(address(entry["resource"]), entry["resource"])
    return prefetch


def drafts_of(story: str) -> list[Json]:
    sent = story_of(story).request["context"].get("draftOrders", {})
    return [copy.deepcopy(entry["resource"]) for entry in sent.get("entry", [])]


def own(draft: Json, story: str) -> Json:
    return {**draft, "subject": {"reference": f"Patient/{story_of(story).patient_id}"}}


# --- orders as the public sandbox writes them ----------------------------------------------------


def bare(story: str, **more: Any) -> Json:
    draft = {
        "resourceType": "MedicationRequest",
        "id": "request-123",
        "status": "draft",
        "authoredOn": "2026-03-15",
        **more,
    }
    return own(draft, story)


def chosen(
    story: str, drug: tuple[str, str], pieces: float = 1, times: int = 1, **more: Any
) -> Json:
    code, name = drug
    return bare(
        story,
        dosageInstruction=[
            {
                "timing": {"repeat": {"frequency": times, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [
                    {
                        "doseQuantity": {
                            "value": pieces,
                            "system": "http://unitsofmeasure.org",
                            "code": "{pill}",
                        }
                    }
                ],
            }
        ],
        dispenseRequest={
            "expectedSupplyDuration": {
                "value": 30,
                "unit": "days",
                "system": "http://unitsofmeasure.org",
                "code": "d",
            }
        },
        intent="order",
        category={
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/medicationrequest-category",
                    "code": "community",
                }
            ]
        },
        medicationCodeableConcept={
            "text": name,
            "coding": [{"display": name, "system": RXNORM, "code": code}],
        },
        reasonCode={
            "coding": [
                {
                    "code": "190634004",
                    "display": "Vitamin B12 deficiency",
                    "system": "http://snomed.info/sct",
                }
            ],
            "text": "Vitamin B12 deficiency",
        },
        **more,
    )


def as_in_the_sandbox(draft: Json, suggestion: Json, story: str) -> Json:
    """What the sandbox makes of an accepted suggestion: its first usable action names the drug."""
    for action in suggestion["actions"]:
        if action["type"] == "delete":
            return bare(story)
        resource = action["resource"]
        concept = resource.get("medicationCodeableConcept", {})
        if resource["resourceType"] != "MedicationRequest" or "text" not in concept:
            continue
        code = concept.get("coding", [{}])[0].get("code")
        if code:
            coding = {"display": concept["text"], "system": RXNORM, "code": code}
            name = {"text": concept["text"], "coding": [coding]}
            return {**draft, "intent": "order", "medicationCodeableConcept": name}
    return draft


def lab_order(story: str) -> Json:
    """As the sandbox's imaging screen sends it on entry."""
    draft = {
        "resourceType": "ServiceRequest",
        "id": "example-request-id",
        "status": "draft",
        "intent": "plan",
        "code": {"coding": [{}]},
        "reasonCode": [],
    }
    return own(draft, story)


# --- what the sandbox sends ----------------------------------------------------------------------


def test_opening_the_order_screen_suggests_the_treatment_into_the_open_order() -> None:
    answer = ask(MILD, "order-select", [bare(MILD)], ["MedicationRequest/request-123"])
    (treatment,) = treatments(answer)
    drugs = [
        (action["type"], action["resource"]["id"])
        for suggestion in treatment["suggestions"]
        for action in suggestion["actions"]
        if action["resource"]["resourceType"] == "MedicationRequest"
    ]
    assert drugs
    assert set(drugs) == {("update", "request-123")}
    for suggestion in treatment["suggestions"]:
        first = suggestion["actions"][0]["resource"]
        assert first["medicationCodeableConcept"]["text"]
        assert first["medicationCodeableConcept"]["coding"][0]["system"] == RXNORM


def test_several_open_orders_are_not_written_into() -> None:
    drafts = [bare(MILD), {**bare(MILD), "id": "request-124"}]
    answer = ask(MILD, "order-select", drafts, [address(one) for one in drafts])
    (treatment,) = treatments(answer)
    kinds = {a["type"] for s in treatment["suggestions"] for a in s["actions"]}
    assert kinds == {"create"}


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_a_chosen_drug_is_checked(hook: str) -> None:
    selected = ["MedicationRequest/request-123"] if hook == "order-select" else None
    answer = ask(MILD, hook, [chosen(MILD, ORAL_TABLET, 3, 2)], selected)
    assert rules(answer) == {"ORD-04", "ORD-08"}
    assert not treatments(answer)


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_a_click_on_the_open_tab_comes_without_orders(hook: str) -> None:
    """Neither draftOrders nor selections: no one knows what is in the basket, which is not
    the same as nothing."""
    for story, speaks in ((MILD, True), (ADEQUATE, False)):
        answer = ask(story, hook, None)
        assert cards(answer) == []
        assert account(answer)["outcome"] == "not evaluated"
        assert any("draftOrders" in one for one in account(answer)["missing"])
        assert bool(treatments(ask(story, hook, []))) == speaks


def test_an_imaging_order_without_a_code_is_silence() -> None:
    answer = ask(MILD, "order-select", [lab_order(MILD)], ["ServiceRequest/example-request-id"])
    assert cards(answer) == []
    assert account(answer)["because"]


@pytest.mark.parametrize(
    "bounds",
    [
        {"start": "Invalid date"},
        {"start": "0002-11-23"},
        {"start": "0202-11-23", "end": "Invalid date"},
        {"start": "2026-03-15", "end": "0020-03-1"},
        {"start": "2026-03-15", "end": "2026-06-15"},
    ],
)
def test_dates_while_they_are_typed_change_nothing_in_the_dose(bounds: Json) -> None:
    draft = chosen(MILD, ORAL_TABLET, 3, 2)
    draft["dosageInstruction"][0]["timing"]["repeat"]["boundsPeriod"] = bounds
    draft["authoredOn"] = bounds["start"]
    assert "ORD-04" in rules(ask(MILD, "order-sign", [draft]))


def test_an_order_of_dstu2_is_checked_and_stays_one() -> None:
    order = {
        "resourceType": "MedicationOrder",
        "id": "order-123",
        "status": "draft",
        "patient": {"reference": f"Patient/{MILD}"},
        "dateWritten": "2026-03-15",
        "intent": "order",
        "medicationCodeableConcept": chosen(MILD, ORAL_TABLET)["medicationCodeableConcept"],
        "dosageInstruction": [
            {
                "doseQuantity": {
                    "value": 3,
                    "system": "http://unitsofmeasure.org",
                    "code": "{pill}",
                },
                "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnits": "d"}},
            }
        ],
    }
    answer = ask(MILD, "order-select", [order], ["MedicationOrder/order-123"])
    assert ("ORD-04", "MedicationOrder/order-123") in findings(answer)
    updates = [one["resource"] for one in actions_of(answer) if one["type"] == "update"]
    assert updates
    for after in updates:
        assert (after["resourceType"], after["id"]) == ("MedicationOrder", "order-123")
        assert after["patient"] == order["patient"]
        assert "subject" not in after
        for step in after["dosageInstruction"]:
            assert step["doseQuantity"]["code"] == "ug"
            assert step["timing"]["repeat"]["periodUnits"]
            assert "doseAndRate" not in step
            assert "periodUnit" not in step["timing"]["repeat"]


@pytest.mark.parametrize(
    ("service", "hook"),
    [
        ("order-select", "order-sign"),
        ("order-sign", "order-select"),
        ("patient-view", "order-select"),
        ("order-select", "patient-view"),
        ("order-sign", None),
    ],
)
def test_another_services_hook_is_refused(service: str, hook: str | None) -> None:
    told = story_of(MILD)
    sent = {**told.request, "hook": hook}
    answer = told.client().post(f"/cds-services/{service_of(service).id}", json=sent)
    assert answer.status_code == 400
    assert answer.json["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_two_hundred_orders_are_read(hook: str) -> None:
    others = [
        {**chosen(MILD, ("310965", "Ibuprofen 200 MG Oral Tablet")), "id": f"other-{number}"}
        for number in range(199)
    ]
    wrong = chosen(MILD, ORAL_TABLET, 3, 2)
    answer = ask(MILD, hook, [*others, wrong], ["MedicationRequest/request-123"])
    assert findings(answer)[0] == ("ORD-04", "MedicationRequest/request-123")
    assert not treatments(answer)


def test_with_only_the_patient_prefetched_the_rest_is_read() -> None:
    """The sandbox sends what it could resolve, and the address of its server with a slash."""
    told = story_of(MILD)
    with FhirStub(told.resources) as fhir:
        answer = ask(
            MILD,
            "order-sign",
            [chosen(MILD, ORAL_TABLET, 3, 2)],
            prefetch={"patient": told.request["prefetch"]["patient"]},
            fhirServer=f"{fhir.url}/",
        )
    assert shown(cards(answer)) == shown(
        cards(ask(MILD, "order-sign", [chosen(MILD, ORAL_TABLET, 3, 2)]))
    )


WRONG: list[Any] = [None, "text", "", 7, 0.5, True, [], ["text"], [[]], {}, {"a": 1}, [None], [{}]]


@each("hook", ["order-select", "order-sign"])
@each("value", WRONG, ids=str)
@each("member", ["userId", "patientId", "encounterId", "selections", "draftOrders"])
def test_a_member_of_the_wrong_type_is_no_crash(hook: str, member: str, value: Any) -> None:
    told = story_of(CROHN)
    context = {**told.request["context"], member: value}
    if hook == "order-sign" and member != "selections":
        del context["selections"]
    answer = told.client().post(
        f"/cds-services/{service_of(hook).id}",
        json={**told.request, "hook": hook, "context": context},
    )
    if (member, value) == ("patientId", "text"):
        # the id of someone else
        assert answer.status_code == 412
        return
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 400:
        (issue,) = answer.json["issue"]
        assert answer.json["resourceType"] == "OperationOutcome"
        assert issue["details"]["text"]
        assert member in str(issue["expression"])


def places(value: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Every place inside a draft."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for name, one in inner:
        yield (*path, name)
        if isinstance(one, dict | list):
            yield from places(one, *path, name)


@pytest.mark.parametrize("value", WRONG, ids=str)
def test_a_draft_with_anything_anywhere_is_no_crash(value: Any) -> None:
    draft = drafts_of("order-sign-contained-tablet")[0]
    draft = own({**draft, "dispenseRequest": {"quantity": {"value": 1}}}, CROHN)
    for path in places(draft):
        broken = copy.deepcopy(draft)
        holder = broken
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = value
        answer = ask(CROHN, "order-sign", [broken])
        assert answer.status_code == 200, (path, answer.text)
        # what can no longer be read is not ignored
        if path[0] in ("dosageInstruction", "medicationReference"):
            assert cards(answer), path


@pytest.mark.parametrize(
    "wrap",
    [
        lambda draft: {**draft, "dosageInstruction": draft["dosageInstruction"][0]},
        lambda draft: {
            **draft,
            "dosageInstruction": [
                {
                    **draft["dosageInstruction"][0],
                    "doseAndRate": draft["dosageInstruction"][0]["doseAndRate"][0],
                }
            ],
        },
        lambda draft: {**draft, "category": [draft["category"]]},
        lambda draft: {**draft, "reasonCode": [draft["reasonCode"]]},
        lambda draft: {
            **draft,
            "medicationCodeableConcept": {
                **draft["medicationCodeableConcept"],
                "coding": draft["medicationCodeableConcept"]["coding"][0],
            },
        },
    ],
)
def test_objects_and_lists_may_stand_for_each_other(wrap: Callable[[Json], Json]) -> None:
    draft = wrap(chosen(MILD, ORAL_TABLET, 3, 2))
    assert "ORD-04" in rules(ask(MILD, "order-sign", [draft]))


# --- which orders, which drug --------------------------------------------------------------------


@pytest.mark.parametrize(
    "named",
    [
        "MedicationRequest/request-123",
        "https://ehr.example.org/fhir/MedicationRequest/request-123",
    ],
)
def test_a_selection_names_its_order(named: str) -> None:
    iron = {**chosen(MILD, ("x", "Ferrous sulfate 325 MG Oral Tablet")), "id": "iron"}
    drafts = [iron, chosen(MILD, ORAL_TABLET, 3, 2)]
    assert "ORD-04" in rules(ask(MILD, "order-select", drafts, [named]))
    assert cards(ask(MILD, "order-select", drafts, ["MedicationRequest/iron"])) == []


def test_without_selections_every_order_is_selected() -> None:
    drafts = [chosen(MILD, ORAL_TABLET, 3, 2)]
    assert "ORD-04" in rules(ask(MILD, "order-select", drafts))


MEDICATION_RESOURCE = {
    "resourceType": "Medication",
    "id": "m-1",
    "code": {"coding": [{"system": RXNORM, "code": "309593"}]},
}


ADDRESS = "https://ehr.example.org/fhir/Medication/m-1"
UUID = "urn:uuid:8c5b1b86-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("reference", "full_url"),
    [("Medication/m-1", ADDRESS), (ADDRESS, ADDRESS), (UUID, UUID)],
)
def test_a_medication_in_the_basket_is_found(reference: str, full_url: str) -> None:
    draft = chosen(MILD, ORAL_TABLET, 3, 2)
    del draft["medicationCodeableConcept"]
    draft["medicationReference"] = {"reference": reference}
    sent = basket(draft)
    sent["entry"].append({"fullUrl": full_url, "resource": MEDICATION_RESOURCE})
    told = story_of(MILD)
    context = {**told.request["context"], "draftOrders": sent}
    assert "ORD-04" in rules(told.post(context=context))


def test_a_medication_on_the_fhir_server_is_read() -> None:
    draft = chosen(MILD, ORAL_TABLET, 3, 2)
    del draft["medicationCodeableConcept"]
    draft["medicationReference"] = {"reference": "Medication/m-1"}
    with FhirStub([*story_of(MILD).resources, MEDICATION_RESOURCE]) as fhir:
        answer = ask(MILD, "order-sign", [draft], fhirServer=fhir.url)
        assert [one.target for one in fhir.seen] == ["Medication/m-1"]
    assert "ORD-04" in rules(answer)


def test_a_medication_that_is_only_displayed_is_known_by_its_name() -> None:
    draft = chosen(MILD, ORAL_TABLET, 3, 2)
    del draft["medicationCodeableConcept"]
    draft["medicationReference"] = {
        "reference": "Medication/elsewhere",
        "display": "Vitamin B 12 1 MG Oral Tablet",
    }
    assert "ORD-04" in rules(ask(MILD, "order-sign", [draft]))


@pytest.mark.parametrize(
    "name",
    [
        "Vitamin B 12 2.5 MG Oral Tablet",
        "mecobalamin 2.5 MG Oral Capsule",
        "vitamin B12 2500 MCG tablet",
    ],
)
def test_a_drug_is_known_by_its_name_and_strength(name: str) -> None:
    assert "ORD-04" in rules(ask(MILD, "order-sign", [chosen(MILD, ("0", name))]))


@pytest.mark.parametrize(
    "name",
    [
        "Folic Acid 1 MG / Vitamin B 12 1 MG / Vitamin B6 10 MG Oral Tablet",
        "Metformin 500 MG Oral Tablet",
        "Vitamin B6 25 MG Oral Tablet",
    ],
)
def test_a_combination_and_another_drug_are_no_treatment_with_b12(name: str) -> None:
    drafts = [chosen(MILD, ("0", name), 3, 2)]
    writing = ask(MILD, "order-select", drafts, ["MedicationRequest/request-123"])
    combination = "Vitamin B 12" in name
    assert rules(writing) == ({"ORD-09"} if combination else set())
    assert not treatments(writing)
    assert treatments(ask(MILD, "order-sign", drafts))


@pytest.mark.parametrize("state", ["cancelled", "stopped", "completed", "entered-in-error"])
def test_a_dead_draft_is_no_order(state: str) -> None:
    dead = chosen(MILD, ORAL_TABLET, 3, 2) | {"status": state}
    answer = ask(MILD, "order-sign", [dead])
    assert findings(answer) == []
    assert treatments(answer)


def test_an_active_order_that_is_signed_again_is_checked() -> None:
    active = chosen(MILD, ORAL_TABLET, 3, 2) | {"status": "active"}
    assert "ORD-04" in rules(ask(MILD, "order-sign", [active]))


def test_another_patients_order_is_counted_and_never_named() -> None:
    name = "order-sign-other-patients-draft"
    answer = story_of(name).post()
    assert account(answer)["otherPatientsRecordsIgnored"] == 1
    assert "draft-2" not in answer.text


@pytest.mark.parametrize("missing", ["b12", "conditions"])
def test_without_what_is_needed_to_judge_an_order_it_says_so(missing: str) -> None:
    """The order itself is sound; without the results or the problem list no one can tell."""
    told = story_of("order-sign-recommended-regimen")
    answer = told.post(missing)
    (finding,) = [one for one in cards(answer) if finding_of(one) is not None]
    assert finding_of(finding) == {
        "rule": "ORD-09",
        "order": "MedicationRequest/draft-1",
        "indicator": "info",
    }
    assert "suggestions" not in finding


def test_what_is_wrong_whatever_the_record_says_is_said_without_it() -> None:
    told = story_of("order-sign-milligrams-for-micrograms")
    assert {"ORD-04", "ORD-09"} <= rules(told.post("b12", "conditions"))


def test_the_same_treatment_is_suggested_as_in_the_chart() -> None:
    for name in ("order-sign-empty-basket", "order-sign-iron-alone", "order-select-empty-basket"):
        told = story_of(name)
        here = cards(told.post())[0]
        chart = {**told.request, "hook": "patient-view"}
        there = told.client().post(f"/cds-services/{service_of('patient-view').id}", json=chart)
        (expected,) = shown(cards(there)[:1])
        (found,) = shown([here])
        assert found == expected


# --- accepting, as the sandbox does --------------------------------------------------------------


@pytest.mark.parametrize(
    ("story", "rule", "draft"),
    [
        (MILD, "ORD-04", partial(chosen, drug=ORAL_TABLET, pieces=3, times=2)),
        (MILD, "ORD-03", partial(chosen, drug=("244190", "Vitamin B 12 2 MG Oral Tablet"))),
        (MILD, "ORD-03", partial(chosen, drug=ORAL_TABLET, pieces=2)),
        (MILD, "ORD-19", partial(chosen, drug=SMALL_TABLET, pieces=0.25)),
        (CROHN, "ORD-01", partial(chosen, drug=ORAL_TABLET)),
        (CROHN, "ORD-01", partial(chosen, drug=("237779", "Vitamin B 12 1 MG Sublingual Tablet"))),
        (HYPOTONIA, "ORD-02", partial(chosen, drug=ORAL_TABLET)),
        (SEVERE, "ORD-02", partial(chosen, drug=ORAL_TABLET)),
        (LEBER, "ORD-10", partial(chosen, drug=ORAL_TABLET)),
        (FOLIC, "ORD-13", partial(chosen, drug=("310410", "Folic Acid 1 MG Oral Tablet"))),
    ],
)  # fmt: skip
@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_accepting_in_the_sandbox_makes_the_card_go_away(
    hook: str, story: str, rule: str, draft: Callable[[str], Json]
) -> None:
    """Dose, route and everything else stay as they were: only the drug is replaced."""
    before = draft(story)
    answer = ask(story, hook, [before])
    (card,) = [one for one in cards(answer) if (finding_of(one) or {}).get("rule") == rule]
    assert card.get("suggestions"), "nothing to accept"
    for suggestion in card["suggestions"]:
        after = as_in_the_sandbox(before, suggestion, story)
        assert after != before
        assert rule not in rules(ask(story, hook, [after]))


def test_accepting_the_treatment_in_the_sandbox_makes_its_card_go_away() -> None:
    selected = ["MedicationRequest/request-123"]
    (treatment,) = treatments(ask(MILD, "order-select", [bare(MILD)], selected))
    drug = chosen(MILD, ORAL_TABLET)["medicationCodeableConcept"]
    for suggestion in treatment["suggestions"]:
        after = as_in_the_sandbox(bare(MILD), suggestion, MILD)
        assert after["medicationCodeableConcept"] != drug
        assert treatments(ask(MILD, "order-select", [after], selected)) == []


# --- accepting, as an EHR does -------------------------------------------------------------------


def fixes(story: str) -> Iterator[tuple[str, Json]]:
    """Every suggestion of a card about one order that changes or removes an order."""
    for card in cards(story_of(story).answer()):
        if finding_of(card) is None:
            continue
        for suggestion in card.get("suggestions", ()):
            if any(action["type"] != "create" for action in suggestion["actions"]):
                yield finding_of(card)["rule"], suggestion  # type: ignore[index]


def applied(drafts: list[Json], action: Json) -> list[Json]:
    if action["type"] == "delete":
        return [one for one in drafts if address(one) != action["resourceId"]]
    return [
        action["resource"] if address(one) == address(action["resource"]) else one for one in drafts
    ]


def with_tests(answer: Any, drafts: list[Json]) -> list[Json]:
    """The basket with every test that the card of ORD-08 suggests."""
    tests = [
        action["resource"]
        for card in cards(answer)
        if (finding_of(card) or {}).get("rule") == "ORD-08"
        for suggestion in card["suggestions"]
        for action in suggestion["actions"]
    ]
    assert all(one["resourceType"] == "ServiceRequest" for one in tests)
    return [*drafts, *({**one, "id": f"new-{number}"} for number, one in enumerate(tests))]


def fixable() -> list[str]:
    return [name for name in ORDER_STORIES if story_of(name).expected.get("updates")]


@cache
def removable() -> list[str]:
    """Of a second order of the same; others are removed because nothing like them should be
    given."""
    return [
        name
        for name in ORDER_STORIES
        if story_of(name).expected.get("deletes")
        and "ORD-06" in story_of(name).expected["fires"]
        and any(rule == "ORD-06" and one["isRecommended"] for rule, one in fixes(name))
    ]


def test_there_is_something_to_accept() -> None:
    assert len(fixable()) >= 10
    assert len(removable()) >= 3


@each("name", fixable)
def test_after_accepting_a_change_nothing_is_wrong_with_the_order(name: str) -> None:
    in_basket = {address(one) for one in drafts_of(name)}
    accepted = 0
    for _, suggestion in fixes(name):
        action, *ends = suggestion["actions"]
        if action["type"] == "delete" or address(action["resource"]) not in in_basket:
            continue
        accepted += 1
        drafts = applied(drafts_of(name), action)
        answer = again(name, drafts, prefetch=with_stopped(name, ends))
        assert rules(answer) <= {"ORD-08", "ORD-24"}
        signed = with_tests(answer, drafts)
        left = again(name, signed, prefetch=with_stopped(name, ends))
        # An order that ends with its first phase as before: what follows is named.
        assert rules(left) <= {"ORD-24"}
        assert {one["indicator"] for one in cards(left)} <= {"info"}
    recorded = {address(one) for one in story_of(name).resources}
    stopped = {update["order"] for update in story_of(name).expected["updates"]} <= recorded
    assert accepted or stopped


@each("name", removable)
def test_after_removing_a_duplicate_the_other_order_stays(name: str) -> None:
    chosen = [(rule, one) for rule, one in fixes(name) if one["isRecommended"]]
    assert "ORD-06" in {rule for rule, _ in chosen}
    removed = [action for _, one in chosen for action in one["actions"]]
    assert len({action["resourceId"] for action in removed}) == 1
    drafts = applied(drafts_of(name), removed[0])
    assert len(drafts) == len(drafts_of(name)) - 1
    answer = again(name, drafts)
    assert rules(answer) <= {"ORD-08"}
    assert cards(again(name, with_tests(answer, drafts))) == []


def test_after_stopping_the_other_order_the_new_one_stands_alone() -> None:
    name = "order-sign-injection-beside-oral"
    ((rule, suggestion),) = fixes(name)
    assert rule == "ORD-06"
    (action,) = suggestion["actions"]
    assert action["resource"]["status"] == "stopped"
    told = story_of(name)
    prefetch = copy.deepcopy(told.request["prefetch"])
    (entry,) = prefetch["meds"]["entry"]
    assert entry["resource"] == {**action["resource"], "status": "active"}
    entry["resource"] = action["resource"]
    assert "ORD-06" not in rules(told.post(prefetch=prefetch))


def test_the_tests_of_an_order_are_asked_for_once() -> None:
    name = "order-sign-regimen-without-tests"
    answer = story_of(name).post()
    (card,) = cards(answer)
    assert card["selectionBehavior"] == "any"
    assert cards(again(name, with_tests(answer, drafts_of(name)))) == []


# --- what an update changes ----------------------------------------------------------------------


def as_lists(before: Json, after: Json) -> Json:
    """With a list where one was owed and an object was sent, if that is how it comes back."""
    return {
        part: [value] if isinstance(value, dict) and after.get(part) == [value] else value
        for part, value in before.items()
    }


@each("name", ORDER_STORIES)
def test_an_update_is_the_whole_draft_with_only_what_was_meant_changed(name: str) -> None:
    drafts = {address(one): one for one in drafts_of(name)}
    every = [(rule, action) for rule, one in fixes(name) for action in one["actions"]]
    for rule, action in every:
        if action["type"] == "delete":
            assert "resource" not in action
            assert action["resourceId"] in drafts
            continue
        after = action["resource"]
        before = drafts.get(address(after))
        if before is None:
            (before,) = [one for one in story_of(name).resources if address(one) == address(after)]
            assert after == {**before, "status": "stopped"}
            continue
        sent = as_lists(before, after)
        changed = {part for part in {*sent, *after} if sent.get(part) != after.get(part)}
        assert changed <= CHANGEABLE, rule
        assert changed, rule
        if not changed & {"medicationCodeableConcept", "medicationReference"}:
            assert changed - {"priority"} == {"dosageInstruction"}
        else:
            # that much was to be dispensed of the other drug
            assert "quantity" not in after.get("dispenseRequest", {})
        if is_valid(before):
            assert is_valid(after)


@each("name", ORDER_STORIES)
def test_a_treatment_written_into_an_open_order_keeps_what_is_there(name: str) -> None:
    drafts = {address(one): one for one in drafts_of(name)}
    for card in cards(story_of(name).answer()):
        if finding_of(card) is not None:
            continue
        for suggestion in card.get("suggestions", ()):
            for action in suggestion["actions"]:
                if action["type"] == "update" and begins_a_treatment(action, name):
                    before = drafts[address(action["resource"])]
                    assert before.items() <= action["resource"].items()


# --- one action each -----------------------------------------------------------------------------


def actions_of(answer: Any) -> list[Json]:
    return [
        action
        for card in cards(answer)
        for suggestion in card.get("suggestions", ())
        for action in suggestion["actions"]
    ]


def what_is_done(answer: Any) -> Counter[str]:
    done = (
        {part: one for part, one in action.items() if part in ("type", "resource", "resourceId")}
        for action in actions_of(answer)
    )
    return Counter(json.dumps(one, sort_keys=True) for one in done)


def one_action(name: str) -> Any:
    told: Story = story_of(name)
    return told.client(one_action=True).post(told.path, json=told.request)


@each("name", STORIES, sample=60)
def test_with_one_action_each_nothing_is_lost(name: str) -> None:
    normal, single = story_of(name).answer(), one_action(name)
    for card in cards(single):
        for suggestion in card.get("suggestions", ()):
            assert len(suggestion["actions"]) == 1
    assert set(what_is_done(single)) == set(what_is_done(normal))


@each("name", STORIES, sample=60)
def test_with_one_action_each_no_headline_is_cut_and_nothing_is_left_out(name: str) -> None:
    for card in cards(one_action(name)):
        assert "…" not in card["summary"]
        assert "Left out here" not in card["detail"]


def test_where_many_tests_go_with_an_order_to_be_stopped_that_comes_first() -> None:
    """The headline has room for the order, and counts the tests: each has a button of its own."""
    (card,) = [one for one in cards(one_action("neuro-on-oral-therapy")) if is_card_of_tests(one)]
    assert re.fullmatch(r"Orders that go with it: stop vitamin B12 .+, \d+ tests", card["summary"])
    assert card["suggestions"][0]["label"].startswith("Stop ")


@each("name", STORIES, sample=60)
def test_an_order_is_named_only_where_a_card_is_about_a_draft(name: str) -> None:
    in_basket = {address(one) for one in drafts_of(name)}
    for answer in (story_of(name).answer(), one_action(name)):
        named = {card["extension"][RULES].get("order") for card in cards(answer)} - {None}
        assert named <= in_basket


@each("name", STORIES, sample=60)
def test_with_one_action_each_the_drug_stays_where_it_was(name: str) -> None:
    normal, single = story_of(name).answer(), one_action(name)
    before, after = cards(normal), cards(single)
    assert [one["summary"] for one in before] == [
        one["summary"] for one in after if not is_card_of_tests(one) or one in before
    ]
    bundled = [s for c in before for s in c.get("suggestions", ()) if len(s["actions"]) > 1]
    if any(kind(action) == "ServiceRequest" for s in bundled for action in s["actions"]):
        assert any(is_card_of_tests(one) for one in after)


def kind(action: Json) -> str:
    return str(action.get("resource", {}).get("resourceType"))


def is_card_of_tests(card: Json) -> bool:
    """What went with a drug: tests, a running order to be stopped, or a draft to be removed."""
    if card["extension"][RULES]["ruleIds"][0] != "MON-01":
        return False
    assert card["selectionBehavior"] == "any"
    for suggestion in card["suggestions"]:
        for action in suggestion["actions"]:
            stops = action["type"] == "update" and action["resource"]["status"] == "stopped"
            assert stops or action["type"] == "delete" or kind(action) == "ServiceRequest"
    return True


def test_one_action_each_is_a_setting() -> None:
    told = story_of("order-sign-empty-basket")
    settings = {"as_of": told.on, "one_action": True}
    answer = client_of(**settings).post(told.path, json=told.request)
    assert answer.data == one_action(told.name).data
    assert answer.data != told.post().data


# --- names in other scripts ----------------------------------------------------------------------


def in_georgian(*names: str) -> list[Json]:
    return [
        {
            "resourceType": "MedicationRequest",
            "id": f"draft-{number}",
            "status": "draft",
            "intent": "order",
            "subject": {"reference": "Patient/x"},
            "medicationCodeableConcept": {"text": name},
        }
        for number, name in enumerate(names)
    ]


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_names_in_a_script_that_is_not_read_are_said_once(hook: str) -> None:
    """A clinic that writes in it writes every order so: one card, and only where it may matter."""
    told = story_of(MILD)
    drafts = in_georgian("ვიტამინი ბ12", "პარაცეტამოლი")
    for draft in drafts:
        draft["subject"]["reference"] = f"Patient/{told.patient_id}"
    selected = [address(one) for one in drafts]
    found = [one for one in cards(ask(MILD, hook, drafts, selected)) if "script" in one["summary"]]
    assert len(found) == 1
    assert "ვიტამინი ბ12" in found[0]["summary"]
    assert "პარაცეტამოლი" in found[0]["summary"] + found[0]["detail"]


def test_names_in_a_script_that_is_not_read_change_nothing_where_the_level_is_adequate() -> None:
    told = story_of(ADEQUATE)
    drafts = in_georgian("პარაცეტამოლი")
    drafts[0]["subject"]["reference"] = f"Patient/{told.patient_id}"
    assert cards(ask(ADEQUATE, "order-sign", drafts)) == []
