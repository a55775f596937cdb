"""Every answer to every story holds to the standard; the checker that says so sees each breach."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from checker import problems_in_response
from each import each
from expected_cards import ORDER_STORIES
from played import STORIES, Story

from cds_service.cdshooks.feedback import CATEGORIES
from cds_service.consultation import load_services
from cds_service.consultation.services import reason_categories

Json = dict[str, Any]
NAMES = sorted(folder.name for folder in STORIES.iterdir() if folder.is_dir())


def test_there_are_stories_to_answer() -> None:
    assert len(NAMES) >= 30
    assert len(ORDER_STORIES) >= 30


@pytest.mark.requirement(
    "CH-01", "CH-03", "CH-04", "CH-05", "CH-67", "CH-69", "CH-72", "CH-73", "CH-74", "CH-75",
    "CH-76", "CH-77", "CH-78", "CH-79", "CH-80", "CH-81", "CH-82", "CH-84", "CH-85", "CH-86",
    "CH-87", "CH-88", "CH-89", "CH-90", "CH-91", "CH-92", "CH-93", "CH-94", "CH-95",
    "CH-97", "CH-99", "CH-100", "CH-101", "CH-102", "CH-103", "CH-104", "CH-139",
)  # fmt: skip
@each("name", NAMES, sample=120)
def test_the_answer_to_a_story_breaks_no_rule(
    load_story: Callable[[str], Story], name: str
) -> None:
    story = load_story(name)
    answer = story.answer()
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert problems_in_response(json.loads(answer.data), story.patient_id) == []


@pytest.mark.requirement("CH-96")
def test_an_update_is_the_order_on_record_with_another_status(
    load_story: Callable[[str], Story],
) -> None:
    story = load_story("oral-order-with-crohn")
    changed = [
        action["resource"]
        for card in story.post().json["cards"]
        for suggestion in card.get("suggestions", [])
        for action in suggestion.get("actions", [])
        if action["type"] == "update"
    ]
    assert changed
    for resource in changed:
        (on_record,) = [one for one in story.resources if one["id"] == resource["id"]]
        differing = {
            name for name in {*resource, *on_record} if resource.get(name) != on_record.get(name)
        }
        assert "status" in differing
        assert differing <= {"status", "statusReason"}


def changes(story: Story) -> list[Json]:
    """What the answer would update or delete."""
    return [
        action
        for card in story.answer().json["cards"]
        for suggestion in card.get("suggestions", [])
        for action in suggestion["actions"]
        if action["type"] != "create"
    ]


@pytest.mark.requirement("CH-96", "CH-97", "CH-98")
@each("name", ORDER_STORIES)
def test_order_hooks_change_orders_of_the_basket(
    load_story: Callable[[str], Story], name: str
) -> None:
    """An active order of the record may be stopped too: a draft by another route replaces it."""
    story = load_story(name)
    basket = {
        f"{draft['resourceType']}/{draft['id']}": draft
        for draft in (
            entry["resource"] for entry in story.request["context"]["draftOrders"].get("entry", [])
        )
    }
    for action in changes(story):
        if action["type"] == "delete":
            assert action["resourceId"] in basket
            continue
        resource = action["resource"]
        before = basket.get(f"{resource['resourceType']}/{resource['id']}")
        if before is None:
            (recorded,) = [one for one in story.resources if one["id"] == resource["id"]]
            assert recorded["status"] in ("active", "on-hold")
            assert resource["status"] == "stopped"
        else:
            kept = set(before) - {"medicationReference", "contained", "dispenseRequest"}
            assert kept <= set(resource)


@pytest.mark.requirement("CH-97", "CH-98")
def test_orders_are_updated_and_deleted_in_some_story(
    load_story: Callable[[str], Story],
) -> None:
    kinds = {action["type"] for name in ORDER_STORIES for action in changes(load_story(name))}
    assert kinds == {"update", "delete"}


@pytest.mark.requirement("CH-68")
def test_nothing_to_say_is_an_empty_list(load_story: Callable[[str], Story]) -> None:
    answer = load_story("adequate-level-silent").post()
    assert answer.status_code == 200
    assert answer.json["cards"] == []
    assert answer.json["extension"]


@pytest.mark.requirement("CH-73", "CH-89")
def test_every_call_has_uuids_of_its_own(story: Story) -> None:
    def uuids(answer: Any) -> set[str]:
        cards = answer.json["cards"]
        found = {one["uuid"] for one in cards}
        return found | {s["uuid"] for one in cards for s in one.get("suggestions", [])}

    first = uuids(story.post())
    other = uuids(story.post(hookInstance="f2f0a7a4-0b0f-4b8f-9f39-0d5c3f7f9d11"))
    assert first
    assert not first & other


@pytest.mark.requirement("CH-83")
def test_every_category_of_the_standard_has_a_reason_on_the_card(story: Story) -> None:
    categories = reason_categories(load_services())
    for card in story.post().json["cards"]:
        reasons = [(one["system"], one["code"]) for one in card["overrideReasons"]]
        assert {categories[one] for one in reasons} == set(CATEGORIES)
        assert len(reasons) == len(set(reasons))


@pytest.mark.requirement("CH-81", "CH-87")
def test_reasons_and_topics_are_the_same_in_every_call(story: Story) -> None:
    def stable(answer: Any) -> list[Any]:
        return [(c["source"]["topic"], c.get("overrideReasons")) for c in answer.json["cards"]]

    first = stable(story.post())
    assert first
    assert stable(story.post(hookInstance="f2f0a7a4-0b0f-4b8f-9f39-0d5c3f7f9d11")) == first


@pytest.mark.requirement("CH-70", "CH-71")
@pytest.mark.parametrize(
    ("changes", "status"), [({"prefetch": None}, 412), ({"hook": "x"}, 400), ({"context": 1}, 400)]
)
def test_errors_say_what_helps_and_nothing_of_the_patient(
    story: Story, changes: Json, status: int
) -> None:
    answer = story.post(**changes)
    assert (answer.status_code, answer.content_type) == (status, "application/json")
    assert answer.json["resourceType"] == "OperationOutcome"
    for issue in answer.json["issue"]:
        assert issue["severity"] == "error"
        assert issue["code"]
        assert issue["details"]["text"]
    assert story.patient_id not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.requirement("CH-129")
@pytest.mark.parametrize("name", NAMES[::8])
def test_the_log_holds_nothing_of_the_patient(
    load_story: Callable[[str], Story], name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    story = load_story(name)
    client = story.client()
    capfd.readouterr()
    client.post(story.path, json=story.request)
    (line,) = capfd.readouterr().out.splitlines()
    assert json.loads(line)["status"] == 200
    # Names of stories are made of words that rules know too; what identifies is longer.
    told = {one["id"] for one in story.resources}
    told |= {name["family"] for one in story.resources for name in _names(one)}
    told |= {one["birthDate"] for one in story.resources if "birthDate" in one}
    assert not [value for value in told if value in line]


def _names(resource: Json) -> list[Json]:
    name = resource.get("name", [])
    return [one for one in name if "family" in one] if isinstance(name, list) else []


# --- the checker -----------------------------------------------------------------------------

PATIENT = "1"
SOUND: Json = {
    "cards": [
        {
            "uuid": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
            "summary": "Low B12",
            "indicator": "warning",
            "detail": "**142 pg/mL**, below 200 and <200",
            "source": {
                "label": "Guideline",
                "url": "https://g.example.org",
                "topic": {"system": "https://g.example.org/topics", "code": "B12LOW"},
            },
            "suggestions": [
                {
                    "label": "Give",
                    "uuid": "d1577c69-dfbe-44ad-ba6d-3e05e953b2eb",
                    "isRecommended": True,
                    "actions": [
                        {
                            "type": "create",
                            "description": "Order",
                            "resource": {
                                "resourceType": "MedicationRequest",
                                "subject": {"reference": "Patient/1"},
                            },
                        },
                        {
                            "type": "delete",
                            "description": "Stop",
                            "resourceId": "MedicationRequest/2",
                        },
                    ],
                },
                {"label": "Wait", "uuid": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ec"},
            ],
            "selectionBehavior": "at-most-one",
            "overrideReasons": [{"system": "s", "code": "c", "display": "d"}],
            "links": [{"label": "Why", "url": "https://g.example.org/why", "type": "absolute"}],
            "extension": {"org.example.rules": {"a": 1}},
        }
    ],
    "extension": {"org.example.evaluation": {"a": 1}},
}
CARD = ("cards", 0)
SUGGESTION = (*CARD, "suggestions", 0)
ACTION = (*SUGGESTION, "actions", 0)
LINK = (*CARD, "links", 0)
GONE = object()
BROKEN: list[tuple[tuple[Any, ...], Any]] = [
    (("cards",), GONE),
    (("cards",), None),
    (("cards",), {}),
    (("cards", 0), "text"),
    (("systemActions",), [{"type": "create"}]),
    (("extension",), "text"),
    (("extension",), {"plain": {"a": 1}}),
    (("extension", "org.example.evaluation", "a"), None),
    (("extension", "org.example.evaluation", "a"), [""]),
    ((*CARD, "uuid"), GONE),
    ((*CARD, "uuid"), "D1577C69-DFBE-44AD-BA6D-3E05E953B2EA"),
    ((*CARD, "uuid"), "d1577c69-dfbe-44ad-ba6d-3e05e953b2eb"),
    ((*CARD, "summary"), GONE),
    ((*CARD, "summary"), " "),
    ((*CARD, "summary"), "x" * 140),
    ((*CARD, "summary"), "two\nlines"),
    ((*CARD, "indicator"), GONE),
    ((*CARD, "indicator"), "hard-stop"),
    ((*CARD, "detail"), ""),
    ((*CARD, "detail"), {"a": 1}),
    ((*CARD, "detail"), "<b>bold</b>"),
    ((*CARD, "source"), GONE),
    ((*CARD, "source"), "Guideline"),
    ((*CARD, "source", "label"), GONE),
    ((*CARD, "source", "url"), "/relative"),
    ((*CARD, "source", "url"), "https://g.example.org/Patient/1"),
    ((*CARD, "source", "icon"), "icon.png"),
    ((*CARD, "source", "topic"), GONE),
    ((*CARD, "source", "topic", "code"), "b12-low"),
    ((*CARD, "source", "topic", "system"), GONE),
    ((*CARD, "suggestions"), []),
    ((*CARD, "suggestions"), GONE),
    ((*CARD, "selectionBehavior"), GONE),
    ((*CARD, "selectionBehavior"), "all"),
    ((*CARD, "suggestions", 1, "isRecommended"), True),
    ((*SUGGESTION, "label"), GONE),
    ((*SUGGESTION, "uuid"), GONE),
    ((*SUGGESTION, "isRecommended"), "true"),
    ((*SUGGESTION, "actions"), []),
    ((*SUGGESTION, "actions"), {"type": "create"}),
    ((*SUGGESTION, "actionSelectionBehavior"), "all"),
    ((*ACTION, "type"), "CREATE"),
    ((*ACTION, "type"), "update"),
    ((*ACTION, "description"), GONE),
    ((*ACTION, "resource"), GONE),
    ((*ACTION, "resource"), '{"resourceType": "MedicationRequest"}'),
    ((*ACTION, "resource", "resourceType"), GONE),
    ((*ACTION, "resource", "subject"), GONE),
    ((*ACTION, "resource", "subject", "reference"), "Patient/2"),
    ((*ACTION, "resource", "note"), []),
    ((*ACTION, "resourceId"), "MedicationRequest/2"),
    ((*SUGGESTION, "actions", 1, "resourceId"), "2"),
    ((*SUGGESTION, "actions", 1, "resource"), {"resourceType": "MedicationRequest"}),
    ((*CARD, "overrideReasons"), []),
    ((*CARD, "overrideReasons", 0, "display"), GONE),
    ((*CARD, "overrideReasons", 0, "code"), GONE),
    ((*CARD, "overrideReasons", 0, "system"), GONE),
    ((*CARD, "links"), []),
    ((*LINK, "label"), GONE),
    ((*LINK, "url"), GONE),
    ((*LINK, "url"), "why.html"),
    ((*LINK, "type"), "relative"),
    ((*LINK, "appContext"), "x"),
    ((*LINK, "autolaunchable"), True),
    ((*CARD, "extension"), {"plain": {"a": 1}}),
]


def test_the_checker_has_nothing_against_a_sound_response() -> None:
    assert problems_in_response(SOUND, PATIENT) == []
    assert problems_in_response({"cards": []}, PATIENT) == []


@each(("place", "value"), BROKEN)
def test_the_checker_sees_every_breach(place: tuple[Any, ...], value: Any) -> None:
    broken = copy.deepcopy(SOUND)
    holder: Any = broken
    for step in place[:-1]:
        holder = holder[step]
    if value is GONE:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    assert problems_in_response(broken, PATIENT)


@pytest.mark.parametrize("value", [None, [], "text", 1])
def test_the_checker_refuses_what_is_no_object(value: Any) -> None:
    assert problems_in_response(value, PATIENT)
