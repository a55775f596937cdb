"""``cds-service samples load``: what it says and sends, against a server with set answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from loopback import Loopback, SilentHandler

from cds_service.__main__ import main
from cds_service.workbench import samples

pytestmark = pytest.mark.sampled_file(4)

ROOT = Path(__file__).parents[2]
STORIES = samples.stories(ROOT / "fhir_samples")
ON = "2026-09-01"


class Target(Loopback):
    """A FHIR server that takes every transaction, but for those that name a refused story."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.refuses: dict[str, tuple[int, dict[str, Any]]] = {}
        self.status = "201 Created"
        self.not_ready = 0

    @property
    def base(self) -> str:
        return f"http://{self.host}/fhir"

    def handler(self) -> type[BaseHTTPRequestHandler]:
        return _handler_of(self)


def _handler_of(target: Target) -> type[BaseHTTPRequestHandler]:
    class Handler(SilentHandler):
        def do_GET(self) -> None:
            assert self.path == "/fhir/metadata"
            ready = target.not_ready == 0
            target.not_ready -= not ready
            self.send_response(200 if ready else 503)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/fhir"
            assert self.headers["Content-Type"] == "application/fhir+json"
            bundle = json.loads(sent)
            target.got.append(bundle)
            entry = [{"response": {"status": target.status}} for _ in bundle["entry"]]
            answer: dict[str, Any] = {
                "resourceType": "Bundle",
                "type": "transaction-response",
                "entry": entry,
            }
            status = 200
            for name, refusal in target.refuses.items():
                if name in sent.decode():
                    status, answer = refusal
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as started:
        yield started


def load(base: str, *more: str) -> Result:
    return CliRunner().invoke(main, ["samples", "load", "--fhir", base, "--as-of", ON, *more])


def test_every_patient_has_a_given_name_as_the_public_sandbox_needs() -> None:
    patients = [
        entry["resource"]
        for story in STORIES.values()
        for entry in story.patient["entry"]
        if entry["resource"]["resourceType"] == "Patient"
    ]
    assert len(patients) >= len(STORIES)
    assert all(one["name"][0]["given"][0] for one in patients)


def test_each_story_is_one_transaction_told_as_of_the_day(target: Target) -> None:
    result = load(target.base)
    assert result.exit_code == 0, result.output
    day = date.fromisoformat(ON)
    told = [
        one
        for one in STORIES.values()
        if one.fhir_version == "R4" and samples.shifted(one, day) is not None
    ]
    assert len(target.got) == len(told) > 200
    for bundle in target.got:
        assert bundle["type"] == "transaction"
        for entry in bundle["entry"]:
            resource = entry["resource"]
            address = f"{resource['resourceType']}/{resource['id']}"
            assert entry["request"] == {"method": "PUT", "url": address}
            assert entry["fullUrl"] == f"{target.base}/{address}"
    name = "vegan-mother-low-b12-six-months"
    (record,) = [one for one in target.got if one["entry"][0]["resource"]["id"] == name]
    assert record["entry"][0]["resource"]["birthDate"].startswith("2026-02")
    assert ON in result.output
    resources = sum(len(one["entry"]) for one in target.got)
    assert f"{resources} resources created, 0 updated" in result.output
    assert "Left out, 1 (written in FHIR 3.0.2): stu3-shaped-record" in result.output


def test_what_was_there_is_reported_as_updated(target: Target) -> None:
    target.status = "200 OK"
    assert "0 resources created" in load(target.base).output


def test_a_refusal_is_reported_with_its_reason_and_the_rest_is_loaded(target: Target) -> None:
    why = {"severity": "error", "code": "processing", "diagnostics": "no room\nfor infants"}
    target.refuses["b12-below-100"] = (
        422,
        {"resourceType": "OperationOutcome", "issue": [why]},
    )
    result = load(target.base)
    assert result.exit_code != 0
    assert (
        "Refused, 1 (the FHIR server answered 422: no room for infants): b12-below-100"
        in result.output
    )
    assert len(target.got) > 200


@pytest.mark.parametrize(
    "answer",
    [{}, {"resourceType": "Bundle", "type": "transaction-response", "entry": []}],
    ids=["nothing of FHIR", "fewer entries than were sent"],
)
def test_an_answer_that_is_none_to_a_transaction_is_a_refusal(
    target: Target, answer: dict[str, Any]
) -> None:
    target.refuses["b12-below-100"] = (200, answer)
    result = load(target.base)
    assert result.exit_code != 0
    assert "(the FHIR server's answer is none to a transaction): b12-below-100" in result.output


def test_delete_takes_away_just_what_was_loaded(target: Target) -> None:
    load(target.base)
    loaded = {entry["request"]["url"] for one in target.got for entry in one["entry"]}
    target.got.clear()
    target.status = "204 No Content"
    result = load(target.base, "--delete")
    assert result.exit_code == 0
    requests = [entry for one in target.got for entry in one["entry"]]
    assert all(list(one) == ["request"] for one in requests)
    assert {one["request"]["method"] for one in requests} == {"DELETE"}
    assert loaded <= {one["request"]["url"] for one in requests}
    assert f"{len(requests)} resources deleted" in result.output


def test_a_server_that_is_not_there_ends_it_at_once() -> None:
    result = load("http://127.0.0.1:9/fhir")
    assert result.exit_code != 0
    said = "http://127.0.0.1:9/fhir: the FHIR server could not be reached; 0 stories were done"
    assert said in result.output


@pytest.mark.parametrize("base", ["ftp://example.org", "http://user@127.0.0.1/fhir", "fhir"])
def test_an_address_that_is_none_is_refused(base: str) -> None:
    result = load(base)
    assert result.exit_code != 0
    assert "--fhir: the FHIR server's address" in result.output


def test_a_folder_without_stories_is_refused(tmp_path: Path) -> None:
    result = load("http://127.0.0.1:9/fhir", "--samples", str(tmp_path))
    assert result.exit_code != 0
    assert "name their folder with --samples" in result.output


def test_a_server_that_is_still_starting_is_waited_for(target: Target) -> None:
    target.not_ready = 1
    result = load(target.base, "--wait", "30")
    assert result.exit_code == 0, result.output
    assert target.not_ready == 0
    assert len(target.got) > 200


def test_a_server_that_does_not_start_in_time_gets_nothing(target: Target) -> None:
    target.not_ready = 1000
    result = load(target.base, "--wait", "1")
    assert result.exit_code != 0
    assert "the FHIR server answered 503, asked for its metadata" in result.output
    assert target.got == []
