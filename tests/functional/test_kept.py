"""What is kept, counted and logged of calls that go through the whole service."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fhir_server_stub import FhirStub
from flask.testing import FlaskClient
from played import PATIENCE_S, Story, services

from cds_service.app import create_app
from cds_service.consultation import EVALUATION_EXTENSION
from cds_service.consultation.cards import RULES_EXTENSION
from cds_service.settings import Settings
from cds_service.store import metrics
from cds_service.store.audit import Pseudonyms
from cds_service.store.database import Database
from cds_service.store.keeping import Store

STORY = "vegan-mother-low-b12-six-months"
Call = Callable[..., tuple[Any, dict[str, Any]]]


@pytest.fixture
def story() -> Story:
    return Story(STORY)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[tuple[Store, Database]]:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    database = Database(url)
    database.upgrade()
    store = Store(url, pseudonyms=Pseudonyms(b"a key of the tests"))
    yield store, database
    store.close()
    database.close()


@pytest.fixture
def client(kept: tuple[Store, Database], story: Story) -> FlaskClient:
    settings = Settings(demo=True, as_of=story.on, fhir_deadline=PATIENCE_S)
    return create_app(settings, services(), store=kept[0]).test_client()


@pytest.fixture
def called(
    client: FlaskClient, kept: tuple[Store, Database], capfd: pytest.CaptureFixture[str]
) -> Call:
    """Makes a call; returns the answer, and what is kept of it under the name that was logged."""

    def call(path: str, sent: Any) -> tuple[Any, dict[str, Any]]:
        capfd.readouterr()
        answer = client.post(path, json=sent)
        lines = [json.loads(one) for one in capfd.readouterr().out.splitlines()]
        (name,) = [one["consultation"] for one in lines if "consultation" in one]
        assert kept[0].flush()
        return answer, kept[1].consultation(name)

    return call


def test_the_record_of_a_call_says_what_the_answer_said(called: Call, story: Story) -> None:
    answer, record = called(story.path, story.request)
    account = answer.json["extension"][EVALUATION_EXTENSION]
    assert record["status"] == 200
    assert record["hook_instance"] == story.request["hookInstance"]
    for name in ("guideline", "edition", "outcome"):
        assert record[name] == account[name]
    assert record["fired"] == [f"b12-under-two/{rule}" for rule in account["ruleIds"]]
    assert record["as_of"] == story.on.isoformat()
    assert [one["uuid"] for one in record["cards"]] == [one["uuid"] for one in answer.json["cards"]]
    assert len(record["cards"]) > 1
    for one, card in zip(record["cards"], answer.json["cards"], strict=True):
        rules = [f"b12-under-two/{one}" for one in card["extension"][RULES_EXTENSION]["ruleIds"]]
        suggestions = card.get("suggestions", [])
        assert one["rule"] == rules[0]
        assert one["topic"] == card["source"]["topic"]["code"]
        assert one["indicator"] == card["indicator"]
        assert [s["uuid"] for s in one["suggestions"]] == [s["uuid"] for s in suggestions]
        assert [s["recommended"] for s in one["suggestions"]] == [
            s.get("isRecommended", False) for s in suggestions
        ]
        assert {s["rule"] for s in one["suggestions"]} <= set(rules)
    said = {one["rule"]: one["outcome"] for one in record["rules"]}
    assert {one["rule"] for one in record["cards"]} <= set(said)
    assert set(record["durations"]) == {"gather", "read", "evaluate", "cards"}
    assert 0 < sum(record["durations"].values()) <= record["ms"]


def test_the_digest_of_a_card_is_the_same_in_every_call_until_the_record_changes(
    called: Call, story: Story
) -> None:
    _, first = called(story.path, story.request)
    _, again = called(story.path, {**story.request, "hookInstance": str(uuid4())})
    prefetch = {**story.request["prefetch"], "b12": None}
    _, other = called(story.path, {**story.request, "prefetch": prefetch})
    digests = [{card["digest"] for card in one["cards"]} for one in (first, again, other)]
    assert digests[0] == digests[1]
    assert first["cards"][0]["digest"] not in digests[2]
    assert {card["uuid"] for card in first["cards"]}.isdisjoint(
        card["uuid"] for card in again["cards"]
    )


def test_where_each_need_came_from_is_kept(called: Call, story: Story) -> None:
    prefetch = {"patient": story.request["prefetch"]["patient"]}
    with FhirStub(story.resources) as stub:
        sent = {**story.request, "prefetch": prefetch, "fhirServer": stub.url}
        _, record = called(story.path, sent)
        assert record["fhir_server"] == stub.url
    assert record["needs"]["patient"] == "present prefetch"
    assert record["needs"]["b12"] == "present server"
    _, record = called(story.path, {**sent, "fhirServer": "https://not-listed.example.org"})
    assert record["fhir_server"] is None
    assert record["needs"]["b12"] == "absent"
    assert "b12" in record["missing"]


@pytest.mark.parametrize(
    ("changes", "status", "problem"),
    [
        ({"prefetch": {}}, 412, "not-found"),
        ({"hook": "order-sign"}, 400, "invalid"),
        ({"context": {}}, 400, "required"),
    ],
)
def test_a_call_that_is_refused_is_kept_as_well(
    called: Call, story: Story, changes: dict[str, Any], status: int, problem: str
) -> None:
    answer, record = called(story.path, {**story.request, **changes})
    assert answer.status_code == status
    assert (record["status"], record["problem"]) == (status, problem)
    assert record["outcome"] is None


def test_a_bug_is_kept_as_well(
    kept: tuple[Store, Database], capfd: pytest.CaptureFixture[str], story: Story
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("SECRET")

    app = create_app(Settings(), services(), fail, kept[0])
    assert app.test_client().post(story.path, json=story.request).status_code == 500
    kept[0].flush()
    (name,) = kept[1].find(story.request["hookInstance"])
    assert kept[1].consultation(name)["status"] == 500
    assert "SECRET" not in capfd.readouterr().out


def test_the_answer_is_the_same_whether_it_is_kept_or_not(
    client: FlaskClient, story: Story
) -> None:
    assert client.post(story.path, json=story.request).data == story.post().data


def test_a_worker_that_has_only_just_begun_does_not_spoil_the_metrics(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its file is there before there is anything in it."""
    folder = tmp_path / "workers"
    folder.mkdir()
    monkeypatch.setattr(metrics, "_FOLDER", str(folder))
    (folder / "counter_1.db").touch()
    (folder / "histogram_1.db").touch()
    answer = client.get("/metrics")
    assert (answer.status_code, answer.data) == (200, b"")


def test_the_metrics_hold_nothing_that_a_client_sent(client: FlaskClient, story: Story) -> None:
    secret = {"userId": "SECRET", "patientId": "SECRET"}
    client.post(story.path, json={**story.request, "context": secret, "hookInstance": "SECRET"})
    client.post("/cds-services/SECRET", json=story.request)
    client.post(story.path, json={**story.request, "hook": "SECRET"})
    client.post(story.path, json={**story.request, "prefetch": {"SECRET": 1}})
    answer = client.get("/metrics")
    assert answer.content_type.startswith("text/plain")
    assert "cds_calls_total{" in answer.text
    assert "SECRET" not in answer.text
    assert story.patient_id not in answer.text


def test_readiness_tells_how_the_store_does_and_stays_ready(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/no/such/folder.sqlite")
    client = create_app(Settings(), services(), store=store).test_client()
    assert client.get("/readyz").json["store"]["state"] == "opening"
    store.start()
    store.flush()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (200, "degraded")
    assert answer.json["store"] == {"state": "unavailable", "waiting": 0, "lost": 0}
    assert str(tmp_path) not in answer.text
    store.close(patience=0)
