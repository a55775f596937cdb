"""What is read of a family and of open tasks, where a client sends them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from cds_service.clinical import Code, Need, OpenTask, Relative
from cds_service.fhir.gather import gather
from cds_service.fhir.reading import read_record

NEEDS = (
    Need("patient", "Patient", "the patient", "indispensable"),
    Need("family", "FamilyMemberHistory", "the family", "welcome"),
    Need("tasks", "Task", "tasks", "welcome"),
)
ROLES = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
MOTHER = {"coding": [{"system": ROLES, "code": "MTH", "display": "mother"}]}

Json = dict[str, Any]


SOURCE = "FamilyMemberHistory/(no id)"


def family(**but: Any) -> Json:
    return {
        "resourceType": "FamilyMemberHistory", "status": "completed",
        "patient": {"reference": "Patient/1"}, "relationship": MOTHER,
        "condition": [{"code": {"text": "Coeliac disease"}}], **but,
    }  # fmt: skip


def task(**but: Any) -> Json:
    return {
        "resourceType": "Task", "status": "requested", "intent": "order",
        "for": {"reference": "Patient/1"}, "description": "Check her vitamin B12", **but,
    }  # fmt: skip


def read(**sent: Json | None) -> Any:
    prefetch = {"patient": Raw(b'{"resourceType": "Patient", "id": "1"}')}
    for key, one in sent.items():
        bundle = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one}]}
        prefetch[key] = Raw(json.dumps(bundle).encode() if one is not None else b"null")
    return read_record(gather(NEEDS, prefetch, "1", None), NEEDS, "1")


def test_the_mothers_diseases_are_read() -> None:
    (found,) = read(family=family()).relatives
    assert found == Relative(
        "mother", (Code(ROLES, "MTH", "mother"),), ("Coeliac disease",), source=SOURCE
    )


@pytest.mark.parametrize(
    "but",
    [
        {"status": "entered-in-error"},
        {"patient": {"reference": "Patient/2"}},
        {"patient": None},
        {"modifierExtension": [{"url": "https://example.org/negated"}]},
        {"resourceType": "Condition"},
    ],
    ids=str,
)
def test_a_family_history_that_is_not_this_childs_or_was_an_error_is_left(but: Json) -> None:
    assert read(family=family(**but)).relatives == ()


@pytest.mark.parametrize(
    ("but", "open_"),
    [
        ({}, True), ({"status": "in-progress"}, True), ({"status": "draft"}, True),
        ({"status": "completed"}, False), ({"status": "rejected"}, False),
        ({"status": None}, False), ({"for": {"reference": "Patient/2"}}, False),
        ({"for": None}, False),
    ],
    ids=str,
)  # fmt: skip
def test_a_task_counts_while_it_is_open_and_this_childs(but: Json, *, open_: bool) -> None:
    expected = (OpenTask("Check her vitamin B12"),) if open_ else ()
    assert read(tasks=task(**but)).tasks == expected


def test_what_is_only_welcome_is_neither_fetched_nor_missed() -> None:
    for sent in ({}, {"family": None, "tasks": None}):
        record = read(**sent)
        assert not record.missing
        assert not record.incomplete


def test_what_cannot_be_read_of_it_is_named() -> None:
    (unread,) = read(family=family(condition=7)).unread
    assert (unread.need, unread.reason) == ("family", "undecodable")
