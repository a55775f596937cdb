"""What three clients make of what is suggested, and what they are shown when they ask again.

One applies every action as it was sent (`infants.accept`, `test_every_infant.py`). One keeps of a
suggested order only what its forms hold, as a server that stores the elements of one profile. One
keeps the name and the first code of one drug, as the public CDS Hooks sandbox does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from each import each
from expected_cards import ORDER_STORIES, STORIES
from infants import accept, bundle
from played import Story, service_of
from test_stories import RULES, story_of

from cds_service.guidelines.codelists import OWN

Json = dict[str, Any]

#: What a client form of the sandbox holds once a drug was chosen, before anything is entered.
UNTOUCHED_FORM: Json = {
    "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
    "doseAndRate": [
        {"doseQuantity": {"value": 1, "system": "http://unitsofmeasure.org", "code": "{pill}"}}
    ],
}
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"

#: The elements that servers of the US Core profile of MedicationRequest must be able to keep
#: (http://hl7.org/fhir/us/core/StructureDefinition/us-core-medicationrequest, "must support"),
#: and of its dosage: neither route nor identifier nor extension is among them.
US_CORE = {
    "resourceType", "id", "status", "intent", "category", "reportedBoolean", "subject",
    "medicationCodeableConcept", "encounter", "authoredOn", "requester", "reasonCode",
    "dosageInstruction", "dispenseRequest",
}  # fmt: skip
US_CORE_DOSAGE = {"text", "timing", "doseAndRate"}


def answered(told: Story, request: Json, **settings: Any) -> list[Json]:
    client = told.client(**settings)
    answer = client.post(f"/cds-services/{service_of(request['hook']).id}", json=request)
    assert answer.status_code == 200, answer.text
    cards: list[Json] = answer.json["cards"]
    return cards


def recommended_drugs(cards: list[Json]) -> Iterator[Json]:
    """What is to be pressed: each recommended suggestion that orders a drug."""
    for card in cards:
        for suggestion in card.get("suggestions", ()):
            if suggestion["isRecommended"] and any(map(orders_a_drug, suggestion["actions"])):
                yield suggestion


def orders_a_drug(action: Json) -> bool:
    resource = action.get("resource", {})
    return action["type"] in ("create", "update") and (
        resource.get("resourceType") == "MedicationRequest"
        and resource["status"] not in ("stopped", "cancelled")
    )


def of_the_orders(cards: list[Json]) -> list[Json]:
    return [one for one in cards if "order" in one["extension"][RULES]]


CHARTS = [name for name in STORIES if name not in ORDER_STORIES]


@cache
def treated() -> list[str]:
    return [
        name for name in CHARTS if any(recommended_drugs(story_of(name).answer().json["cards"]))
    ]


def test_there_are_infants_to_treat() -> None:
    assert len(treated()) >= 40


# --- the buttons ---------------------------------------------------------------------------------


@each("name", STORIES, sample=90)
def test_a_drug_that_is_not_recommended_says_so_first_on_its_button(name: str) -> None:
    """Clients hide `isRecommended`, and show the label alone."""
    for card in story_of(name).answer().json["cards"]:
        for suggestion in card.get("suggestions", ()):
            held_back = suggestion["label"].startswith(
                ("Not the recommended", "Offered, not", "If ")
            )
            drugs = [one for one in suggestion["actions"] if orders_a_drug(one)]
            assert len(drugs) <= 1
            assert held_back is bool(drugs and not suggestion["isRecommended"])


# --- the public sandbox --------------------------------------------------------------------------


def in_the_sandbox(told: Story, form: Json | None) -> Json:
    """What its Rx View sends: a bare order, or one whose drug was chosen."""
    draft: Json = {
        "resourceType": "MedicationRequest",
        "id": "request-123",
        "status": "draft",
        "subject": {"reference": f"Patient/{told.patient_id}"},
        **(form or {}),
    }
    context = {
        "patientId": told.patient_id,
        "userId": "Practitioner/COREPRACTITIONER1",
        "selections": ["MedicationRequest/request-123"],
        "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": draft}]},
    }
    return {**told.request, "hook": "order-select", "context": context}


def pressed(suggestion: Json, kept: Json) -> Json | None:
    """The form after the button: name and first code of the first drug, as one of RxNorm whatever
    its system, everything else as it was. The sandbox cannot use a drug without a code."""
    action = next(one for one in suggestion["actions"] if orders_a_drug(one))
    drug = action["resource"]["medicationCodeableConcept"]
    if "coding" not in drug:
        return None
    assert drug["coding"][0]["system"] in (RXNORM, OWN)
    first = {"system": RXNORM, "code": drug["coding"][0]["code"], "display": drug["text"]}
    return {**kept, "medicationCodeableConcept": {"text": drug["text"], "coding": [first]}}


#: Stories in which an injection without preservative is recommended.
WITHOUT_PRESERVATIVE = ("preterm-benzyl-alcohol", "benzyl-alcohol-allergy-by-unii-severe-level")


@cache
def beginning() -> list[str]:
    """Not those whose present treatment is to be replaced, which is stated where the chart is
    open."""
    return [
        name
        for name in treated()
        if not replaces(name)
        and any(recommended_drugs(answered(story_of(name), in_the_sandbox(story_of(name), None))))
    ]


def replaces(name: str) -> bool:
    """Whether what is recommended stops an order of the record, which the sandbox cannot."""
    return any(
        action.get("resource", {}).get("status") == "stopped"
        for card in story_of(name).answer().json["cards"]
        for suggestion in card.get("suggestions", ())
        if suggestion["isRecommended"]
        for action in suggestion["actions"]
    )


def test_there_is_no_drug_that_the_sandbox_cannot_take() -> None:
    cannot = [
        name
        for name in beginning()
        for button in recommended_drugs(
            answered(story_of(name), in_the_sandbox(story_of(name), None), one_action=True)
        )
        if pressed(button, {}) is None
    ]
    assert cannot == []
    assert len(beginning()) >= 80


@each("name", beginning)
def test_in_the_sandbox_the_button_leaves_the_right_drug_and_says_what_to_enter(name: str) -> None:
    told = story_of(name)
    entered = answered(told, in_the_sandbox(told, None), one_action=True)
    buttons = list(recommended_drugs(entered))
    assert len(buttons) == 1
    (button,) = buttons
    assert len(button["actions"]) == 1
    form = pressed(button, {"dosageInstruction": [UNTOUCHED_FORM]})
    assert form is not None
    after = answered(told, in_the_sandbox(told, form), one_action=True)
    assert not [one for one in recommended_drugs(after) if one["actions"][0]["type"] == "create"]
    (unread,) = [one for one in of_the_orders(after) if "not checked" in one["summary"]]
    assert unread["indicator"] in ("warning", "critical")
    # its code is RxNorm's no more, and its name does not say that it is injected
    what = "the route is not given" if name in WITHOUT_PRESERVATIVE else "1 pill"
    assert what in unread["summary"]
    assert "micrograms" in unread["detail"]
    assert " mL " in unread["detail"]


@each("number", [1, 3])
@each("name", lambda: beginning()[::8])
def test_in_the_sandbox_no_other_order_s_quantity_stays_unremarked(name: str, number: int) -> None:
    """The number of pills of a tablet remains when the button puts another drug into the form."""
    told = story_of(name)
    tablet = {"text": "Vitamin B 12 1 MG Oral Tablet"}
    tablet["coding"] = [{"system": RXNORM, "code": "309593", "display": tablet["text"]}]  # type: ignore[assignment]
    dosage = json.loads(json.dumps(UNTOUCHED_FORM))
    dosage["doseAndRate"][0]["doseQuantity"]["value"] = number
    before = {"medicationCodeableConcept": tablet, "dosageInstruction": [dosage]}
    cards = answered(told, in_the_sandbox(told, before), one_action=True)
    buttons = list(recommended_drugs(cards))
    for form in filter(None, [pressed(button, before) for button in buttons]):
        after = answered(told, in_the_sandbox(told, form), one_action=True)
        assert [one for one in of_the_orders(after) if f"{number} pill" in one["summary"]]


def recommended_taken(told: Story) -> Json:
    """The request at the same chart once what is recommended was ordered there."""
    prefetch = told.request["prefetch"]
    empty = {key: bundle([]) for key in ("meds", "orders") if not prefetch.get(key)}
    request = {**told.request, "prefetch": {**prefetch, **empty}}
    cards = answered(told, told.request)
    return accept(request, cards, lambda card, one: one["isRecommended"])


# --- a server that keeps what one profile names --------------------------------------------------


def kept_by_us_core(resource: Json) -> Json:
    if resource["resourceType"] != "MedicationRequest":
        return resource
    kept = {name: value for name, value in resource.items() if name in US_CORE}
    kept["dosageInstruction"] = [
        {name: value for name, value in one.items() if name in US_CORE_DOSAGE}
        for one in kept.get("dosageInstruction", ())
    ]
    return kept


@each("name", treated, sample=40)
def test_what_a_us_core_server_keeps_is_known_as_the_treatment(name: str) -> None:
    told = story_of(name)
    chart = recommended_taken(told)
    whole = answered(told, chart)
    for bundled in chart["prefetch"].values():
        for entry in (bundled or {}).get("entry", ()):
            entry["resource"] = kept_by_us_core(entry["resource"])
    kept = answered(told, chart)
    assert [one["extension"][RULES] for one in kept] == [one["extension"][RULES] for one in whole]
    assert [one["summary"] for one in kept] == [one["summary"] for one in whole]
    assert "could not be identified" not in json.dumps(kept)


# --- a server that writes what it stores in its own way ------------------------------------------


def rewritten(resource: Json, *, coded: bool = True) -> Json:
    """As a server hands back what it stored: other ids, an account of versions, a narrative, and
    codings without their display; without ``coded`` the words of the drug alone."""
    if resource["resourceType"] != "MedicationRequest":
        return resource
    drug = resource["medicationCodeableConcept"]
    coding = [{"system": one["system"], "code": one["code"]} for one in drug.get("coding", ())]
    return {
        **{name: it for name, it in resource.items() if name not in ("identifier", "note")},
        "id": "stored-7",
        "meta": {"versionId": "3", "lastUpdated": "2026-03-15T09:00:00Z"},
        "text": {"status": "generated", "div": "<div>an order</div>"},
        "medicationCodeableConcept": {
            **({"coding": coding} if coded else {}),
            "text": drug["text"],
        },
    }


@each("coded", [True, False])
@each("name", WITHOUT_PRESERVATIVE)
def test_our_own_order_without_preservative_is_known_by_its_code_and_asked_about_by_its_name(
    name: str, coded: bool
) -> None:
    told = story_of(name)
    cards = answered(told, told.request)
    (ordered,) = [one["actions"] for one in recommended_drugs(cards)]
    (drug,) = [one["resource"] for one in ordered if orders_a_drug(one)]
    assert [one["system"] for one in drug["medicationCodeableConcept"]["coding"]] == [OWN]
    chart = recommended_taken(told)
    for bundled in chart["prefetch"].values():
        for entry in (bundled or {}).get("entry", ()):
            if entry["resource"].get("status") == "active":
                entry["resource"] = rewritten(entry["resource"], coded=coded)
    again = answered(told, chart)
    offered = [one for card in again for one in card.get("suggestions", ()) if drugs_of(one)]
    assert ("by its name only" in json.dumps(again)) is not coded
    assert bool(offered) is not coded
    assert not any(one["isRecommended"] for one in offered)


def drugs_of(suggestion: Json) -> list[Json]:
    return [one for one in suggestion["actions"] if orders_a_drug(one)]
