"""The sample infants of the demo: dated as if today were the day of their story."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient
from played import strings_in
from sampling import chosen

from cds_service import consultation
from cds_service.app import create_app
from cds_service.cdshooks.request import parse_request
from cds_service.settings import Settings
from cds_service.workbench import samples

ROOT = Path(__file__).parents[2]
STORIES = samples.stories(ROOT / "fhir_samples")
SERVICES = {service.hook: service for service in consultation.load_services()}
SERVICE = SERVICES["patient-view"]
CALL = f"/cds-services/{SERVICE.id}"

#: The child is under a month old by the calendar, or its birth date is incomplete: on some days
#: no birth date says the same, and the story is left out.
NOT_ON_EVERY_DAY = {
    "birth-month-maybe-newborn",
    "birth-month-straddles-two-years",
    "birth-year-only",
    "under-one-month",
}

#: Tests on the last day of a window around a calendar month. Another day's month is shorter or
#: longer, the window lies elsewhere, and the story loses its point.
#: Of a child known by its year of birth the youngest age differs from day to day, and so whether
#: its weight is too high.
ON_THE_EDGE_OF_A_MONTH = {
    "active-order-since-a-month",  # written as a month: it may come to hold the day of the level
    "birth-year-only",
    "order-sign-injection-every-three-months-after-drops",  # due after a month, of 28 to 31 days
    "order-sign-tests-fifteen-days-off",
    "order-sign-tests-fourteen-days-off",
}

# Ends of months and years, the leap day and its neighbours, and days drawn once for all.
_drawn = random.Random(2026)
DAYS = [
    date(2026, 12, 31),
    date(2027, 2, 28),
    date(2027, 3, 1),
    date(2027, 3, 31),
    date(2028, 2, 29),
    date(2028, 3, 1),
    *(date(2024, 6, 1) + timedelta(days=_drawn.randrange(3000)) for _ in range(10)),
]


def answer_to(story: samples.Story) -> tuple[list[str], list[tuple[str, int]]]:
    """The rules that fire, and of each card its indicator and how much it suggests."""
    service = SERVICES[story.request["hook"]]
    asked = parse_request(msgspec.json.encode(story.request), service.hook)
    response = consultation.consult(
        service, asked, None, consultation.Occasion(story.as_of)
    ).response
    account = response.extension[consultation.EVALUATION_EXTENSION]
    cards = [(card.indicator, len(card.suggestions)) for card in response.cards]
    return sorted(account["ruleIds"]), cards


@cache
def answer_as_written(name: str) -> tuple[list[str], list[tuple[str, int]]]:
    return answer_to(STORIES[name])


def dates(value: Any) -> Iterator[str]:
    return (one for one in strings_in(value) if re.match(r"\d{4}-\d\d-\d\d($|T)", one))


@pytest.mark.parametrize("day", [*DAYS, date.today()], ids=str)  # noqa: DTZ011, TID251
def test_a_story_told_on_another_day_fires_the_same_rules(day: date) -> None:
    for name, story in chosen(STORIES.items(), 40, str(day)):
        told = samples.shifted(story, day)
        if told is None:
            assert name in NOT_ON_EVERY_DAY
            continue
        assert told.as_of == day
        if name not in ON_THE_EDGE_OF_A_MONTH:
            assert answer_to(told) == answer_as_written(name), name


@pytest.mark.parametrize("name", sorted(NOT_ON_EVERY_DAY))
def test_stories_that_not_every_day_can_tell_are_told_on_most(name: str) -> None:
    year = [date(2027, 1, 1) + timedelta(days=day) for day in range(365)]
    told = sum(samples.shifted(STORIES[name], day) is not None for day in year)
    assert 200 < told < 365


def test_on_its_own_day_a_story_is_as_written() -> None:
    for story in STORIES.values():
        assert samples.shifted(story, story.as_of) is story


def test_every_date_moves_by_the_same_days_and_keeps_its_time() -> None:
    story = STORIES["oral-therapy-no-response"]
    told = samples.shifted(story, story.as_of + timedelta(days=100))
    assert told is not None
    before, after = list(dates(story.request)), list(dates(told.request))
    assert len(before) == len(after) == 5
    moved = {
        (date.fromisoformat(new[:10]) - date.fromisoformat(old[:10])).days
        for old, new in zip(before, after, strict=True)
        if old != story.birth
    }
    assert moved == {100}
    assert [one[10:] for one in before] == [one[10:] for one in after]


def test_a_birthday_stays_a_birthday() -> None:
    for day in DAYS:
        told = samples.shifted(STORIES["first-birthday-today"], day)
        assert told is not None
        assert told.birth is not None
        born = date.fromisoformat(told.birth)
        leap = (day.month, day.day) == (2, 29)
        assert (born.month, born.day) == ((2, 28) if leap else (day.month, day.day))


def test_the_day_before_a_birthday_stays_the_day_before() -> None:
    for day in DAYS:
        told = samples.shifted(STORIES["day-before-second-birthday"], day)
        assert told is not None
        assert told.birth is not None
        born, tomorrow = date.fromisoformat(told.birth), day + timedelta(days=1)
        leap = (tomorrow.month, tomorrow.day) == (2, 29)
        assert (born.month, born.day) in (
            [(2, 28), (3, 1)] if leap else [(tomorrow.month, tomorrow.day)]
        )


def test_nothing_is_moved_to_before_birth() -> None:
    for name, story in STORIES.items():
        if story.birth is None or len(story.birth) < 10 or story.birth > str(story.as_of):
            continue
        if any(one[:10] < story.birth for one in dates(story.patient["entry"])):
            continue
        for day in DAYS:
            told = samples.shifted(story, day)
            if told is not None and told.birth is not None:
                first = min(one[:10] for one in dates(told.patient["entry"]))
                assert first >= told.birth, (name, day)


def test_the_age_groups_are_those_of_the_guideline() -> None:
    limits = SERVICE.guideline.data.limits
    ages = (limits.under_one_month_age, limits.toddler_age, limits.covered_age)
    assert tuple(limit.days for limit in ages) == samples.AGE_GROUPS
    assert limits.neonate_age.days == samples.NEWBORN_DAYS


def test_the_samples_are_found_beside_the_package_and_nowhere_else(tmp_path: Path) -> None:
    assert samples.find_folder(ROOT / "cds_service") == ROOT / "fhir_samples"
    assert samples.find_folder(tmp_path / "site-packages" / "cds_service") is None


# --- over HTTP ----------------------------------------------------------------------------------


def client(**settings: Any) -> FlaskClient:
    return create_app(Settings(**settings)).test_client()


def test_the_demo_lists_its_samples_with_what_happens_and_when() -> None:
    listed = client(demo=True).get("/samples").get_json()["samples"]
    assert [one["name"] for one in listed] == sorted(STORIES)
    first = listed[0]
    assert first["tells"] == STORIES[first["name"]].tells
    assert first["storyDate"] == STORIES[first["name"]].as_of.isoformat()


def test_a_sample_of_the_demo_gets_the_answer_of_its_story_today() -> None:
    demo = client(demo=True)
    for name in ("vegan-mother-low-b12-six-months", "untreated-ninety-one-days"):
        request = demo.get(f"/samples/{name}/request.json").get_data()
        answer = demo.post(CALL, data=request, content_type="application/json").get_json()
        rules = answer["extension"][consultation.EVALUATION_EXTENSION]["ruleIds"]
        assert sorted(rules) == answer_as_written(name)[0]
        assert "asOf" not in answer["extension"][consultation.EVALUATION_EXTENSION]


def test_the_record_and_the_request_of_a_sample_tell_of_the_same_day() -> None:
    demo = client(demo=True, as_of=date(2027, 5, 31))
    name = "vegan-mother-low-b12-six-months"
    patient = demo.get(f"/samples/{name}/patient.json").get_json()
    request = demo.get(f"/samples/{name}/request.json").get_json()
    assert patient["timestamp"].startswith("2027-05-31")
    assert patient["entry"][0]["resource"] == request["prefetch"]["patient"]


def test_a_story_that_the_day_cannot_tell_says_so() -> None:
    demo = client(demo=True, as_of=date(2026, 12, 31))
    listed = {one["name"]: one for one in demo.get("/samples").get_json()["samples"]}
    assert "no birth date" in listed["birth-year-only"]["notToday"]
    answer = demo.get("/samples/birth-year-only/request.json")
    assert answer.status_code == 404
    assert "cannot be moved to this day" in answer.get_json()["issue"][0]["details"]["text"]


@pytest.mark.parametrize("path", ["/samples/nobody/request.json", "/samples/../request.json"])
def test_only_what_is_listed_is_handed_out(path: str) -> None:
    answer = client(demo=True).get(path)
    assert answer.status_code == 404
    assert answer.get_json()["resourceType"] == "OperationOutcome"


def test_without_the_demo_there_are_no_samples() -> None:
    assert client().get("/samples").status_code == 404


def test_samples_of_another_folder_are_served(tmp_path: Path) -> None:
    story = tmp_path / "own"
    story.mkdir()
    original = ROOT / "fhir_samples" / "b12_under_two" / "adequate-level-silent"
    for file in original.iterdir():
        (story / file.name).write_bytes(file.read_bytes())
    listed = client(demo=True, samples=tmp_path).get("/samples").get_json()["samples"]
    assert [one["name"] for one in listed] == ["own"]
    assert json.loads((story / "expected.json").read_text())["tells"] == listed[0]["tells"]
