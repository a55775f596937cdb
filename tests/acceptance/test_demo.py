"""The demo as a newcomer meets it: start it, take a sample infant, ask about it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Any
from urllib.request import Request, urlopen

import pytest
from expected_cards import FOLDER, STORIES
from served import PATIENCE_S, running

from cds_service.app import create_app
from cds_service.settings import Settings

EVALUATION = "io.github.b12-cds-service.evaluation"
RULES = "io.github.b12-cds-service.rules"
STORY = "vegan-mother-low-b12-six-months"


def fetched(url: str, body: bytes | None = None) -> Any:
    sent = Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    with urlopen(sent, timeout=PATIENCE_S) as answer:  # noqa: S310
        assert answer.status == 200
        return json.loads(answer.read())


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """The address of a demo that runs as a process of its own."""
    with running("--demo", CDS_DATABASE_URL="") as (process, port):
        url = f"http://127.0.0.1:{port}"
        yield url
        process.terminate()
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert f"Listening on {url}/cds-services" in said
    assert f"{len(STORIES)} sample infants" in said
    assert f"{url}/samples/{STORY}/request.json" in said


def test_the_samples_are_listed_with_what_they_tell(base: str) -> None:
    listed = {one["name"]: one for one in fetched(f"{base}/samples")["samples"]}
    assert list(listed) == STORIES
    assert "vegan mother" in listed[STORY]["tells"]
    told_today = [name for name, one in listed.items() if "request" in one]
    assert len(told_today) > 0.9 * len(STORIES)


def test_a_sample_taken_from_the_demo_gets_the_expected_advice_today(base: str) -> None:
    service = fetched(f"{base}/cds-services")["services"][0]
    assert service["hook"] == "patient-view"
    request = fetched(f"{base}/samples/{STORY}/request.json")
    answer = fetched(f"{base}/cds-services/{service['id']}", json.dumps(request).encode())
    expected = json.loads((FOLDER / STORY / "expected.json").read_text(encoding="utf-8"))
    fired = set(answer["extension"][EVALUATION]["ruleIds"])
    for card in answer["cards"]:
        fired.update(card["extension"][RULES]["ruleIds"])
    assert set(expected["fires"]) <= fired
    # dated today, it differs from the story in its dates alone
    assert [dateless(card["summary"]) for card in answer["cards"]] == [
        dateless(card["summary"]) for card in expected["cards"]
    ]
    assert [
        (suggestion["label"], suggestion.get("isRecommended", False))
        for card in answer["cards"]
        for suggestion in card.get("suggestions", ())
    ] == [
        (suggestion["label"], suggestion["isRecommended"])
        for card in expected["cards"]
        for suggestion in card["suggestions"]
    ]
    assert "Evaluated as of" not in answer["cards"][0]["detail"]


def dateless(text: str) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d", "(date)", text)


def test_another_date_than_today_is_said_on_every_card() -> None:
    app = create_app(Settings(demo=True, as_of=date(2026, 3, 15))).test_client()
    story = FOLDER / STORY / "request.json"
    answer = app.post(
        "/cds-services/b12-under-two-patient-view",
        data=story.read_bytes(),
        content_type="application/json",
    ).get_json()
    assert len(answer["cards"]) > 1
    assert all(
        "Evaluated as of 15 Mar 2026, not today." in one["detail"] for one in answer["cards"]
    )
