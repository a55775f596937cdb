"""`docs/openapi.yaml` says what the service does: its routes, its answers, and what it refuses."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
import yaml
from each import each
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from msgspec import structs
from sampling import sample_of
from schemathesis.checks import CHECKS as CHECKS_THERE_ARE
from schemathesis.checks import load_all_checks
from worst_bodies import Shape, body, cost_of

from cds_service import __version__, errors
from cds_service.app import create_app, create_store
from cds_service.cdshooks.response import encode
from cds_service.consultation import EVALUATION_EXTENSION
from cds_service.consultation.room import fitted
from cds_service.language import house
from cds_service.settings import Settings, Trial
from cds_service.store.keeping import Store

ROOT = Path(__file__).parents[2]
STORIES = ROOT / "fhir_samples" / "b12_under_two"
TOLD: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8"))
APP = create_app(Settings())


def validator(name: str) -> Any:
    return jsonschema_rs.Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": TOLD["components"]},
        validate_formats=True,
    )


PATIENT_VIEW = "b12-under-two-patient-view"
#: A request that is answered with a warning and a card of information, and its day.
WITH_CARDS = (
    json.loads((STORIES / "vegan-mother-low-b12-six-months" / "request.json").read_bytes()),
    date(2026, 3, 15),
)
ANSWER, REFUSAL, REQUEST = map(validator, ("Response", "OperationOutcome", "Request"))


def test_it_is_of_this_version() -> None:
    assert TOLD["info"]["version"] == __version__


def test_it_tells_every_route_and_no_other() -> None:
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(rule)), method.lower())
        for rule in APP.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        # what the workbench's page asks is its own affair, and no client's
        if not str(rule).startswith(("/workbench/", "/guideline"))
    }
    told = {
        (path, method)
        for path, operations in TOLD["paths"].items()
        for method in operations
        if method != "parameters"
    }
    assert routes == told


def test_it_tells_every_status_that_an_error_can_have() -> None:
    refusals = {
        one.status
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.ServiceError)
    }
    told = {
        int(status)
        for path in TOLD["paths"].values()
        for name, operation in path.items()
        if name != "parameters"
        for status in operation["responses"]
    }
    # 405 belongs to no operation; 403 is what the workbench says to pages of other origins, and
    # with 499 no answer is sent
    assert refusals - {403, 405, 499} <= told
    assert told <= refusals | {200}


def test_it_tells_the_services_there_are() -> None:
    offered = APP.test_client().get("/cds-services").get_json()
    validator("Discovery").validate(offered)
    assert TOLD["components"]["parameters"]["ServiceId"]["schema"]["enum"] == [
        one["id"] for one in offered["services"]
    ]


@pytest.fixture(scope="module")
def clients() -> dict[str, FlaskClient]:
    return {}


@each("story", sorted(one.name for one in STORIES.iterdir() if one.is_dir()), sample=60)
def test_every_story_is_asked_and_answered_as_told(
    story: str, clients: dict[str, FlaskClient]
) -> None:
    sent = json.loads((STORIES / story / "request.json").read_text(encoding="utf-8"))
    as_of = json.loads((STORIES / story / "expected.json").read_text(encoding="utf-8"))["asOf"]
    if as_of not in clients:
        app = create_app(Settings(demo=True, as_of=date.fromisoformat(as_of)))
        clients[as_of] = app.test_client()
    REQUEST.validate(sent)
    answer = clients[as_of].post(f"/cds-services/b12-under-two-{sent['hook']}", json=sent)
    assert answer.status_code == 200
    ANSWER.validate(answer.get_json())


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (json.dumps({"hook": "patient-view"}).encode(), 400),
        (
            json.dumps(
                {
                    "hook": "patient-view",
                    "hookInstance": "x",
                    "context": {"userId": "x", "patientId": "x"},
                }
            ).encode(),
            412,
        ),
        (b" " * 5_000_001, 413),
    ],
)
def test_a_refusal_is_as_told(sent: bytes, status: int) -> None:
    answer = APP.test_client().post(
        "/cds-services/b12-under-two-patient-view", data=sent, content_type="application/json"
    )
    assert answer.status_code == status
    REFUSAL.validate(answer.get_json())


def test_feedback_and_readiness_are_as_told(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/kept.sqlite")
    client = create_app(Settings(), store=store).test_client()
    sent = {
        "feedback": [
            {"card": "x", "outcome": "overridden", "outcomeTimestamp": "2026-01-15T09:30:00Z"}
        ]
    }
    validator("Feedback").validate(sent)
    answer = client.post("/cds-services/b12-under-two-order-sign/feedback", json=sent)
    assert answer.status_code == 200
    validator("Stored").validate(answer.get_json())
    validator("Readiness").validate(client.get("/readyz").get_json())
    store.close()


@pytest.mark.parametrize("trial", [Trial(rule="MAT-01"), Trial(service=PATIENT_VIEW)])
def test_an_answer_in_trial_is_as_told(trial: Trial) -> None:
    client = create_app(Settings(demo=True, as_of=WITH_CARDS[1], trials=(trial,))).test_client()
    answer = client.post(f"/cds-services/{PATIENT_VIEW}", json=WITH_CARDS[0]).get_json()
    ANSWER.validate(answer)
    assert "withheld" in str(answer["extension"])


def test_an_answer_that_would_be_too_large_is_as_told() -> None:
    whole = cost_of(body(Shape("order-sign", drafts=60)), "order-sign").done
    assert whole is not None
    answer = json.loads(encode(fitted(whole, house.language(), 40_000).response))
    ANSWER.validate(answer)
    told = answer["extension"][EVALUATION_EXTENSION]
    assert told["notShown"]["orders"]
    listed = fitted(
        structs.replace(
            whole,
            response=structs.replace(
                whole.response,
                extension={
                    EVALUATION_EXTENSION: {
                        **whole.response.extension[EVALUATION_EXTENSION],
                        **{name: ["x"] * 51 for name in ("because", "missing", "localSettings")},
                    }
                },
            ),
        ),
        house.language(),
        40_000,
    )
    answer = json.loads(encode(listed.response))
    ANSWER.validate(answer)
    assert answer["extension"][EVALUATION_EXTENSION]["missingMore"] == 1


def test_an_answer_that_respects_another_is_as_told(tmp_path: Path) -> None:
    settings = Settings(
        demo=True,
        as_of=WITH_CARDS[1],
        respect_info_hours=1,
        database_url=f"sqlite:///{tmp_path}/kept.sqlite",
    )
    store = create_store(settings)
    assert store is not None
    client = create_app(settings, store=store).test_client()
    seen = []
    for _ in range(40):  # a busy machine may miss the time there is for looking
        answer = client.post(f"/cds-services/{PATIENT_VIEW}", json=WITH_CARDS[0]).get_json()
        ANSWER.validate(answer)
        seen.append("overriddenBefore" in str(answer["cards"]) and "until" in str(answer))
        if seen[-1]:
            break
        now = datetime.fromtimestamp(time.time(), UTC).isoformat()
        items = [
            {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": now}
            for card in answer["cards"]
        ]
        sent = {"feedback": items}
        client.post(f"/cds-services/{PATIENT_VIEW}/feedback", json=sent)
    assert seen[-1]
    store.close()


load_all_checks()
CHECKS = [
    CHECKS_THERE_ARE.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    )
]
described = schemathesis.openapi.from_dict(TOLD)
described.app = APP


@described.parametrize()
@settings(max_examples=min(sample_of(25), 200), suppress_health_check=list(HealthCheck))
def test_whatever_the_description_allows_is_answered_as_it_says(case: schemathesis.Case) -> None:
    """And what it does not allow, as it says too."""
    answer = case.call()
    case.validate_response(answer, checks=CHECKS)
