"""The sample infants are what their README says: complete, valid, consistent, in the child's life.

What the service answers to them is tested elsewhere; this holds the stories themselves.
"""

from __future__ import annotations

import calendar
import json
import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import Any

import pytest
from each import each
from expected_cards import FOLDER, ORDER_STORIES, STORIES
from fhir.resources.R4B import get_fhir_model_class
from fhir.resources.R4B.bundle import Bundle
from played import strings_in

from cds_service.guidelines.codelists import check_digit_problem

SAMPLES = FOLDER.parent

#: Prefetch keys of every service and the resource type that each one holds.
PREFETCH = {
    "patient": "Patient",
    "b12": "Observation",
    "weight": "Observation",
    "labs": "Observation",
    "feeding": "Observation",
    "conditions": "Condition",
    "meds": "MedicationRequest",
    "procedures": "Procedure",
    "allergies": "AllergyIntolerance",
    "administrations": "MedicationAdministration",
    "orders": "ServiceRequest",
}
KEY_OF_LOINC = {
    **dict.fromkeys(("2132-9", "14685-2", "16695-9"), "b12"),
    **dict.fromkeys(("29463-7", "3141-9", "3142-7", "8335-2", "8339-4"), "weight"),
    **dict.fromkeys(("63895-7", "81663-7"), "feeding"),
}
EXPECTED_KEYS = {"asOf", "tells", "fires", "silent", "indicator", "offers", "must_say", "cards"}
OPTIONAL_KEYS = {"weight_based_dose_ug", "fhir_version"}
#: Said of the orders being written.
ORDER_KEYS = {"findings", "tests", "updates", "deletes"}
HOOKS = {"patient-view", "order-select", "order-sign"}
#: Drafts in a shape that R4 does not allow: the public sandbox's own, and an older edition's.
LENIENT_DRAFTS = {
    "order-select-nothing-chosen",
    "order-select-sandbox-six-milligrams",
    "order-sign-dstu2-shape",
}
#: Also holds an order of another child.
NEIGHBOURS_ORDER = "order-sign-other-patients-draft"
#: Written in an older form of FHIR on purpose, so not valid as R4.
OLDER_FORMS = {"stu3-shaped-record", "dstu2-shaped-record"}
#: Rules about children whose age is unknown, impossible or at an end.
NO_USUAL_LIFE = {"AGE-01", "AGE-02", "AGE-03"}
PLANNED = {"ServiceRequest", "Procedure"}

Json = dict[str, Any]


@cache
def read(story: str, part: str) -> Json:
    found: Json = json.loads((FOLDER / story / f"{part}.json").read_text(encoding="utf-8"))
    return found


def on_record(story: str) -> list[Json]:
    return [entry["resource"] for entry in read(story, "patient")["entry"]]


def sent(story: str) -> Iterator[tuple[str, Json]]:
    """Each resource of the request, with the prefetch key it travels under."""
    for key, value in read(story, "request")["prefetch"].items():
        if value is None:
            continue
        if value["resourceType"] == "Bundle":
            yield from ((key, entry["resource"]) for entry in value["entry"])
        else:
            yield key, value


def hook_of(story: str) -> str:
    return str(read(story, "request")["hook"])


def drafts(story: str) -> list[Json]:
    """The orders being written."""
    basket = read(story, "request")["context"].get("draftOrders", {})
    return [entry["resource"] for entry in basket.get("entry", ())]


def address(resource: Json) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def patient_of(resource: Json) -> str:
    """The id of the child a resource is about ("patient" in DSTU2 and in allergies)."""
    if resource["resourceType"] == "Patient":
        return str(resource["id"])
    reference: str = (resource.get("subject") or resource["patient"])["reference"]
    return reference.removeprefix("Patient/")


def codings(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        if isinstance(value.get("system"), str) and isinstance(value.get("code"), str):
            yield value["system"], value["code"]
        for inner in value.values():
            yield from codings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from codings(inner)


def dates(value: Any) -> Iterator[str]:
    return (one[:10] for one in strings_in(value) if re.match(r"\d{4}-\d\d-\d\d", one))


def lived(birth: str) -> tuple[date, date]:
    """First and last day that a full or partial date of birth can mean."""
    year, month, day = (*map(int, birth.split("-")), 0, 0)[:3]
    last_month = month or 12
    last = day or calendar.monthrange(year, last_month)[1]
    return date(year, month or 1, day or 1), date(year, last_month, last)


def test_there_are_enough_stories_and_nothing_else_in_their_folder() -> None:
    assert len(STORIES) >= 40
    assert [story for story in STORIES if hook_of(story) != "patient-view"] == ORDER_STORIES
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", story) for story in STORIES)


@each("story", STORIES)
def test_a_story_has_its_three_files_and_no_other(story: str) -> None:
    files = sorted(file.name for file in (FOLDER / story).iterdir())
    assert files == ["expected.json", "patient.json", "request.json"]


@each("story", STORIES)
def test_the_record_is_valid_r4(story: str) -> None:
    bundle = read(story, "patient")
    assert bundle["type"] == "collection"
    if story in OLDER_FORMS:
        assert read(story, "expected")["fhir_version"] in {"3.0.2", "1.0.2"}
        with pytest.raises(ValueError, match=r"validation error"):
            Bundle.model_validate(bundle)
    else:
        assert "fhir_version" not in read(story, "expected")
        Bundle.model_validate(bundle)


@each("story", STORIES)
def test_ids_are_unique_short_and_point_to_the_child(story: str) -> None:
    resources = on_record(story)
    ids = [(resource["resourceType"], resource["id"]) for resource in resources]
    assert ids[0] == ("Patient", story)
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9.-]{1,64}", name) for _, name in ids)
    assert {patient_of(resource) for resource in resources} == {story}


@each("story", STORIES)
def test_the_child_has_an_invented_name(story: str) -> None:
    (name,) = on_record(story)[0]["name"]
    assert name["family"] == "Testinfant"
    assert name["given"][0]


@each("story", STORIES)
def test_request_and_record_hold_the_same_resources(story: str) -> None:
    recorded = [one for one in on_record(story) if one["resourceType"] != "RelatedPerson"]
    own = [resource for _, resource in sent(story) if patient_of(resource) == story]
    assert own == recorded
    strangers = [one for _, one in sent(story) if patient_of(one) != story]
    assert bool(strangers) == (story == "twin-result-in-the-bundle")


@each("story", STORIES)
def test_every_focus_is_on_the_record(story: str) -> None:
    people = {f"RelatedPerson/{one['id']}" for one in on_record(story)}
    for resource in on_record(story):
        for focus in resource.get("focus", ()):
            assert focus["display"] == "mother"
            assert focus["reference"] in people


@each("story", STORIES)
def test_the_request_is_a_call_with_every_prefetch_key(story: str) -> None:
    request = read(story, "request")
    assert request["hook"] in HOOKS
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", request["hookInstance"])
    said = {"userId": "Practitioner/example", "patientId": story}
    context = dict(request["context"])
    basket = context.pop("draftOrders", None)
    selected = context.pop("selections", None)
    assert context == said
    assert (basket is None) == (request["hook"] == "patient-view")
    if selected is not None:
        assert request["hook"] == "order-select"
        assert selected
        assert set(selected) <= {address(draft) for draft in drafts(story)}
    assert list(request["prefetch"]) == list(PREFETCH)
    for key, resource in sent(story):
        assert resource["resourceType"] == PREFETCH[key]
        if resource["resourceType"] == "Observation":
            code = resource["code"]["coding"][0]["code"]
            assert key == KEY_OF_LOINC.get(code, "labs")


def test_every_request_has_its_own_hook_instance() -> None:
    instances = {read(story, "request")["hookInstance"] for story in STORIES}
    assert len(instances) == len(STORIES)


@each("story", STORIES)
def test_what_is_expected_is_complete_and_does_not_contradict_itself(story: str) -> None:
    expected = read(story, "expected")
    assert set(expected) >= EXPECTED_KEYS
    about_orders = "findings" in expected
    assert about_orders == (hook_of(story) != "patient-view")
    assert set(expected) - EXPECTED_KEYS <= OPTIONAL_KEYS | (ORDER_KEYS if about_orders else set())
    assert expected["tells"].endswith((".", ".)"))
    assert expected["fires"]
    assert len(set(expected["fires"])) == len(expected["fires"])
    assert all(re.fullmatch(r"[A-Z]+(12)?-\d\d[bcd]?", rule) for rule in expected["fires"])
    assert expected["silent"] == (expected["indicator"] is None)
    if expected["silent"]:
        assert not expected["offers"]
        assert not expected["must_say"]
    else:
        assert expected["indicator"] in {"info", "warning", "critical"}
    assert sum(offer["recommended"] for offer in expected["offers"]) <= 1
    doses = [offer["dose"] for offer in expected["offers"]]
    assert all(
        re.fullmatch(r"DOSE-[ADE](, after a course)?", dose) for dose in doses
    )  # B and C are text
    for finding in expected.get("findings", ()):
        assert finding["rule"] in expected["fires"]
        if story == NEIGHBOURS_ORDER:
            assert "order" not in finding
            continue
        assert finding["order"] in {address(draft) for draft in drafts(story)}


@each("story", STORIES)
def test_the_story_happens_within_the_childs_life(story: str) -> None:
    expected = read(story, "expected")
    as_of = date.fromisoformat(expected["asOf"])
    assert read(story, "patient")["timestamp"].startswith(expected["asOf"])
    if NO_USUAL_LIFE & set(expected["fires"]):
        return
    born, born_at_latest = lived(on_record(story)[0]["birthDate"])
    assert born <= as_of
    for resource in on_record(story)[1:]:
        for written in dates(resource):
            when = date.fromisoformat(written)
            assert when >= min(born_at_latest, as_of), f"{resource['id']} before birth"
            if resource["resourceType"] not in PLANNED:
                assert when <= as_of, f"{resource['id']} after the story"


@each("story", ORDER_STORIES)
def test_the_orders_being_written_are_valid_r4_and_the_childs(story: str) -> None:
    assert story.startswith(hook_of(story))
    for draft in drafts(story):
        if story in LENIENT_DRAFTS and draft["resourceType"] != "ServiceRequest":
            assert draft["id"] in {"request-123", "order-123"}
        else:
            get_fhir_model_class(draft["resourceType"]).model_validate(draft)
    addresses = [address(draft) for draft in drafts(story)]
    assert len(set(addresses)) == len(addresses)
    whose = {patient_of(draft) for draft in drafts(story)}
    assert whose <= {story, f"{story}-neighbour"}
    assert (f"{story}-neighbour" in whose) == (story == NEIGHBOURS_ORDER)


def test_every_order_check_decides_in_some_story() -> None:
    decided = {
        finding["rule"]
        for story in ORDER_STORIES
        for finding in read(story, "expected")["findings"]
    }
    assert decided == {f"ORD-{number:02}" for number in (*range(1, 14), *range(16, 25))}
    silent = {rule for story in ORDER_STORIES for rule in read(story, "expected")["fires"]}
    assert {"ORD-14", "ORD-15"} <= silent


def test_every_code_has_a_valid_check_digit() -> None:
    used = {
        coding
        for story in STORIES
        for resource in [*(one for _, one in sent(story)), *drafts(story)]
        for coding in codings(resource)
        if coding[0] in {"http://loinc.org", "http://snomed.info/sct"}
    }
    assert len(used) > 30
    problems = {coding: check_digit_problem(*coding) for coding in used}
    assert {coding: why for coding, why in problems.items() if why} == {}


def test_the_readme_lists_every_story_with_what_it_tells() -> None:
    text = (SAMPLES / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| \[([^\]]+)\]\(b12_under_two/\1/\) \| (.+) \|$", text, flags=re.M))
    assert rows == {story: read(story, "expected")["tells"] for story in STORIES}
