"""Stories held by a real FHIR server, and what the service answers from there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import uuid4

from expected_cards import STORIES, shown
from played import PATIENCE_S, UNASKED, Json, Story, without_unasked

from cds_service.consultation import EVALUATION_EXTENSION
from cds_service.fhir.server import FhirServer
from cds_service.fhir.transactions import Outcome, transact
from cds_service.trust.addresses import approve_fhir_server

#: Written in an older version of FHIR, which an R4 server cannot hold.
NOT_R4 = {"dstu2-shaped-record", "stu3-shaped-record"}
R4_STORIES = [name for name in STORIES if name not in NOT_R4]

#: What a server adds to the ``meta`` of a resource it stores.
OF_THE_SERVER = {"versionId", "lastUpdated", "source", "author"}

DEFICIENT = "vegan-mother-low-b12-six-months"


def writer(base: str) -> FhirServer:
    approved = approve_fhir_server(base, listed=(), demo=True)
    return FhirServer(approved, None, PATIENCE_S)  # type: ignore[arg-type]


def put(base: str, resources: Iterable[Json]) -> Outcome:
    outcome = transact(writer(base), "PUT", list(resources))
    assert not outcome.refused, outcome.refused
    return outcome


def remove(base: str, resources: Iterable[Json]) -> None:
    outcome = transact(writer(base), "DELETE", list(resources))
    assert not outcome.refused, outcome.refused


def renamed(name: str, own: str) -> Story:
    """The story under ids that were never used, for a test that changes what the server holds."""
    story = Story(name)
    own = f"{own}-{uuid4().hex[:8]}"

    def other(value: Any) -> Any:
        return json.loads(json.dumps(value).replace(name, own))

    story.request, story.resources = other(story.request), other(story.resources)
    story.patient_id = story.request["context"]["patientId"]
    return story


def read_from(base: str, story: Story, **more: Any) -> Any:
    """The answer with nothing prefetched."""
    return story.post(fhirServer=base, prefetch={}, **more)


def cards(answer: Any) -> list[Json]:
    """The cards as shown, without what the server wrote into ``meta`` of an order to be changed."""
    found = shown(answer.json["cards"])
    for card in found:
        for suggestion in card["suggestions"]:
            for action in suggestion["actions"]:
                resource = action.get("resource", {})
                kept = {k: v for k, v in resource.get("meta", {}).items() if k not in OF_THE_SERVER}
                if "meta" in resource:
                    del resource["meta"]
                if kept:
                    resource["meta"] = kept
    return found


def prefetched_cards(story: Story) -> list[Json]:
    """The accepted cards of its prefetch, but where that holds what no server is asked for."""
    if story.name in UNASKED:
        return cards(story.post(prefetch=without_unasked(story)))
    accepted: list[Json] = story.expected["cards"]
    return accepted


def account(answer: Any) -> Json:
    found: Json = answer.json["extension"][EVALUATION_EXTENSION]
    return found


def b12_result(story: Story, name: str, value: float, days_later: int = 1) -> Json:
    """Another B12 result of the same child, by default a day after the story."""
    (first, *_) = [
        one
        for one in story.resources
        if one["resourceType"] == "Observation" and one["code"]["coding"][0]["code"] == "2132-9"
    ]
    result = json.loads(json.dumps(first))
    on = story.on + timedelta(days=days_later - 1)
    return result | {
        "id": f"{story.patient_id}-{name}",
        "effectiveDateTime": on.isoformat(),
        "valueQuantity": {**result["valueQuantity"], "value": value},
    }


def suggested_drugs(answer: Any) -> list[Json]:
    return [
        action["resource"]
        for card in answer.json["cards"]
        for suggestion in card.get("suggestions", ())
        for action in suggestion["actions"]
        if action.get("resource", {}).get("resourceType") == "MedicationRequest"
    ]
