"""Servers send the entries of a Bundle as they please: no answer hangs on their order.

Every sample infant is sent again with the entries of every Bundle in other orders, the drafts
among them, over every hook: the answer is the same to the byte, its uuids and rule ids included.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from each import each
from expected_cards import STORIES
from played import Json, Story, service_of

HOOKS = ("patient-view", "order-select", "order-sign")
SEEDS = (1, 2)


def bundles(request: Json) -> Iterator[list[Json]]:
    """The entries of every Bundle in a request."""
    for sent in (*request["prefetch"].values(), request["context"].get("draftOrders")):
        if isinstance(sent, dict) and isinstance(sent.get("entry"), list):
            yield sent["entry"]


def in_another_order(request: Json, change: Callable[[list[Json]], object]) -> Json:
    told: Json = json.loads(json.dumps(request))
    for entries in bundles(told):
        change(entries)
    return told


def orders_of(request: Json) -> Iterator[Json]:
    """The request with its entries in other orders, each different from the one sent."""
    changes: list[Callable[[list[Json]], object]] = [list.reverse]
    changes += [random.Random(seed).shuffle for seed in SEEDS]
    for change in changes:
        told = in_another_order(request, change)
        if told != request:
            yield told


def bytes_of(story: Story, hook: str, request: Json) -> bytes:
    context = request["context"]
    if hook != "patient-view":
        empty: Json = {"resourceType": "Bundle", "entry": []}
        context = {"draftOrders": empty, **context}
    sent = {**request, "hook": hook, "context": context}
    answer = story.client().post(f"/cds-services/{service_of(hook).id}", json=sent)
    assert answer.status_code == 200, answer.text
    body: bytes = answer.data
    return body


@each("name", STORIES, sample=40)
def test_the_order_of_entries_changes_no_byte(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    story = Story(name)
    told = list(orders_of(story.request))
    for hook in HOOKS:
        answer = bytes_of(story, hook, story.request)
        for other in told:
            assert bytes_of(story, hook, other) == answer
    record_property("counted", ("answers with entries in another order", len(HOOKS) * len(told)))


def test_the_stories_have_orders_to_change() -> None:
    longest = {
        name: max((len(one) for one in bundles(Story(name).request)), default=0) for name in STORIES
    }
    assert sum(length >= 3 for length in longest.values()) >= 100


# --- what no story has ---------------------------------------------------------------------------

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


def order(identity: str, written: str, **but: Any) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": identity,
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {
            "coding": [{"system": RXNORM, "code": "1423423"}],
            "text": f"B12 drops {identity}",
        },
        "subject": {"reference": "Patient/p1"},
        "authoredOn": written,
        **but,
    }


def record_of(**prefetch: list[Json]) -> Json:
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "2025-09-01"}
    level = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2132-9"}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-03-10",
        "valueQuantity": {"value": 150, "unit": "pg/mL"},
    }
    keys = [need.key for need in service_of("patient-view").needs]
    return {
        "hookInstance": "7d1fb2a4-9a53-4b05-8a0c-6f6d9c5d3c11",
        "context": {"userId": "Practitioner/1", "patientId": "p1"},
        "prefetch": {
            **dict.fromkeys(keys),
            "patient": patient,
            "b12": {"resourceType": "Bundle", "entry": [{"resource": {**level, "id": "b1"}}]},
            **{
                key: {"resourceType": "Bundle", "entry": [{"resource": one} for one in resources]}
                for key, resources in prefetch.items()
            },
        },
    }


COPIES = [
    order("m1", "2026-03-01", meta={"lastUpdated": "2026-03-01T08:00:00Z"}),
    order("m1", "2026-03-02"),
    order("m1", "2026-03-03", meta={"lastUpdated": "2026-03-03T08:00:00Z"}),
]
NAMED_TWICE = [
    {"resourceType": "Medication", "id": "x", "code": {"text": "vitamin B12 drops"}},
    {"resourceType": "Medication", "id": "x", "code": {"text": "amoxicillin"}},
    {
        **order("m3", "2026-03-01"),
        "medicationCodeableConcept": None,
        "medicationReference": {"reference": "Medication/x"},
    },
]


@pytest.mark.parametrize(
    "meds",
    [
        [order("m2", "2026-03-01"), order("m1", "2026-03-01"), order("m10", "2026-02-01")],
        COPIES,
        NAMED_TWICE,
        [order("same", "2026-03-01", note=[{"text": str(n)}]) for n in range(4)],
    ],
    ids=["of one day", "copies of one", "one medication under two names", "of one id"],
)
@pytest.mark.parametrize("hook", HOOKS)
def test_twins_are_told_in_one_order(hook: str, meds: list[Json]) -> None:
    story = Story(STORIES[0])
    request = record_of(meds=meds)
    answers = set()
    for seed in range(12):
        told = in_another_order(request, random.Random(seed).shuffle)
        answers.add(bytes_of(story, hook, told))
    assert len(answers) == 1


def test_twins_are_named_by_date_then_by_id() -> None:
    meds = [order("b", "2026-03-01"), order("a", "2026-03-01"), order("c", "2026-02-01")]
    meds += [{**order("0", ""), "authoredOn": None}]
    said = bytes_of(Story(STORIES[0]), "patient-view", record_of(meds=meds)).decode()
    places = [said.index(f"B12 drops {name}") for name in "cab0"]
    assert places == sorted(places)
