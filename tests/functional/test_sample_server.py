"""The demo's infants as a FHIR server: read, searched, and read by the service itself."""

from __future__ import annotations

import json
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from flask.testing import FlaskClient
from served import running

from cds_service.app import create_app
from cds_service.consultation import load_services
from cds_service.settings import Settings

pytestmark = pytest.mark.sampled_file(12)

STORIES = Path(__file__).parents[2] / "fhir_samples" / "b12_under_two"
CLOVER = "vegan-mother-low-b12-six-months"
ON = date(2026, 3, 12)
SERVICES = load_services()
BASE = "http://localhost/fhir"


def client(**settings: Any) -> FlaskClient:
    return create_app(Settings(**{"demo": True, "as_of": ON, **settings}), SERVICES).test_client()


@cache
def demo() -> FlaskClient:
    return client()


def got(path: str, status: int = 200) -> Any:
    answer = demo().get(f"/fhir/{path}", headers={"Accept": "application/json+fhir"})
    assert answer.status_code == status, answer.data
    assert answer.mimetype == "application/fhir+json" or status != 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    return answer.json if answer.is_json else json.loads(answer.data)


def entries(bundle: Any) -> list[Any]:
    return [one["resource"] for one in bundle.get("entry", [])]


def test_it_says_what_it_can_do() -> None:
    told = got("metadata")
    assert told["fhirVersion"] == "4.0.1"
    CapabilityStatement.model_validate(told)
    kinds = {one["type"] for one in told["rest"][0]["resource"]}
    assert {need.kind for need in SERVICES[0].needs} <= kinds


def test_a_patient_is_read_and_an_unknown_one_is_not_found() -> None:
    assert got(f"Patient/{CLOVER}")["name"][0]["given"]
    told = got("Patient/nobody", 404)
    assert told["resourceType"] == "OperationOutcome"
    assert got("Basic/x", 404)["issue"][0]["code"] == "not-found"


def test_every_infant_is_listed_page_by_page() -> None:
    page, seen = got("Patient?_count=50"), []
    total = page["total"]
    while True:
        seen += [one["id"] for one in entries(page)]
        following = [one["url"] for one in page["link"] if one["relation"] == "next"]
        if not following:
            break
        page = got(following[0].removeprefix(f"{BASE}/"))
    assert len(seen) == len(set(seen)) == total > 200


@pytest.mark.parametrize("need", SERVICES[0].needs, ids=lambda need: need.key)
def test_every_search_that_discovery_names_is_answered_by_get_and_post(need: Any) -> None:
    discovery = demo().get("/cds-services").json
    assert discovery
    template = discovery["services"][0]["prefetch"][need.key]
    query = template.replace("{{context.patientId}}", CLOVER)
    asked = got(query)
    if need.kind == "Patient":
        assert asked["id"] == CLOVER
        return
    kind, _, parameters = query.partition("?")
    posted = demo().post(
        f"/fhir/{kind}/_search",
        data="&".join(
            f"{name}={quote(value)}"
            for name, value in sorted(one.split("=", 1) for one in parameters.split("&"))
        ),
        content_type="application/x-www-form-urlencoded",
    )
    found = json.loads(posted.data)
    assert found["entry" if "entry" in asked else "total"] == asked.get("entry", 0)
    assert asked["total"] == len(entries(asked))


def test_a_search_finds_what_has_the_code_of_this_patient_and_no_more() -> None:
    (level,) = entries(got(f"Observation?patient={CLOVER}&code=http://loinc.org|2132-9"))
    assert level["code"]["coding"][0]["code"] == "2132-9"
    assert level in entries(got(f"Observation?subject=Patient/{CLOVER}"))
    assert entries(got(f"Observation?patient={CLOVER}&code=http://snomed.info/sct|2132-9")) == []
    assert entries(got(f"Observation?patient={CLOVER}&code=2132-9,718-7"))
    assert entries(got("Observation?patient=nobody")) == []
    assert "entry" not in got("Observation?patient=nobody")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("Observation", 400),
        ("Observation?category=laboratory", 400),
        (f"Observation?patient={CLOVER}&date=ge2020-01-01", 400),
        (f"Observation?patient={CLOVER}&_include=Observation:subject", 400),
        ("Patient?_count=x", 200),
        ("Patient?_offset=99999999999999999999", 200),
    ],
)
def test_a_search_that_it_does_not_know_is_refused(query: str, status: int) -> None:
    got(query, status)


def test_nothing_can_be_written() -> None:
    for method in ("put", "post", "delete", "patch"):
        answer = getattr(demo(), method)(f"/fhir/Patient/{CLOVER}", data="{}")
        assert answer.status_code == 405


def test_it_is_there_in_the_demo_only() -> None:
    assert client(demo=False).get("/fhir/metadata").status_code == 404


def test_pages_of_any_origin_may_read_it() -> None:
    asked = {
        "Origin": "https://sandbox.cds-hooks.org",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = demo().options("/fhir/Observation/_search", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


# --- read by the service itself ------------------------------------------------------------------


def of_itself(base: str, story: str = CLOVER) -> dict[str, Any]:
    return {
        "hook": "patient-view",
        "hookInstance": "6f0d41f6-9d1a-4b0e-9a70-3a6b6a7b9f11",
        "fhirServer": base,
        "context": {"userId": "Practitioner/COREPRACTITIONER1", "patientId": story},
    }


def summaries(answer: Any) -> list[str]:
    return [card["summary"] for card in answer["cards"]]


STORY_NAMES = [
    CLOVER,
    "hypotonia-regression-severe",
    "crohn-ileum-toddler",
    "oral-therapy-no-response",
    "healthy-infant-silent",
]


# No one listens at these addresses: an answer is an answer without a socket.
@pytest.mark.parametrize("story", STORY_NAMES)
@pytest.mark.parametrize(
    "base", [BASE, f"{BASE}/", "http://127.0.0.1/fhir", "http://[::1]:80/fhir"]
)
def test_a_call_that_names_it_is_answered_within_the_process(base: str, story: str) -> None:
    path = "/cds-services/b12-under-two-patient-view"
    answer = demo().post(path, json=of_itself(base, story))
    assert answer.status_code == 200, answer.data
    sent = demo().get(f"/samples/{story}/request.json").json
    assert sent
    told = demo().post(path, json={**sent, "hook": "patient-view"})
    assert summaries(json.loads(answer.data)) == summaries(json.loads(told.data))


@pytest.mark.parametrize("base", ["http://localhost:81/fhir", "http://localhost/other"])
def test_another_address_is_another_server(base: str) -> None:
    answer = demo().post("/cds-services/b12-under-two-patient-view", json=of_itself(base))
    assert answer.status_code == 412


def test_one_worker_reads_itself(tmp_path: Path) -> None:
    with running("--demo", log=tmp_path / "log") as (_, port):
        here = f"http://127.0.0.1:{port}"
        for host in (here, f"http://localhost:{port}"):
            answer = requests.post(
                f"{here}/cds-services/b12-under-two-patient-view",
                json=of_itself(f"{host}/fhir"),
                timeout=30,
            )
            assert "B12" in summaries(answer.json())[0]


def test_each_infant_has_its_link_into_the_sandbox() -> None:
    listed = demo().get("/samples").json
    assert listed
    linked = [one for one in listed["samples"] if "sandbox" in one]
    assert len(linked) > 200
    for one in linked:
        asked = parse_qs(urlsplit(one["sandbox"]).query)
        assert asked["fhirServiceUrl"] == [BASE]
        assert asked["serviceDiscoveryURL"] == ["http://localhost/cds-services"]
        assert asked["patientId"] == [one["name"]]
        (patient,) = entries(got(f"Patient?_id={one['name']}"))
        assert isinstance(patient["name"][0]["given"], list), "the sandbox shows no one else"
    left_out = {one["name"] for one in listed["samples"]} - {one["name"] for one in linked}
    for name in left_out:
        got(f"Patient/{name}", 404)
