"""A recognisable string in every text of a request; then everything written is searched.

Written are the log of a really running server, answers of every kind, what the GET routes show
(metrics among them), and files. A planted string may be where `ALLOWED` says and nowhere else.
"""

from __future__ import annotations

import http.client
import itertools
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from bodies import OF_HOOK, request_of
from fhir_server_stub import FhirStub
from served import running

from cds_service.app import create_app
from cds_service.settings import Settings

PLANTED = re.compile(r"PLANT\d{5}Q")
RULES = "io.github.b12-cds-service.rules"
EVALUATION = "io.github.b12-cds-service.evaluation"

#: Where a card names what it rests on, so that a clinician can check it: in its words; in the
#: order it changes, which is the client's own; in what an order refers to. And in the account of
#: the evaluation, which result was unusable. Paths in an answer, "*" for any item of an array.
ALLOWED = (
    "cards.*.summary",
    "cards.*.detail",
    "cards.*.suggestions.*.label",
    "cards.*.suggestions.*.actions.*.description",
    "cards.*.suggestions.*.actions.*.resource",
    "cards.*.suggestions.*.actions.*.resourceId",
    f"cards.*.extension.{RULES}.order",
    f"extension.{EVALUATION}.because",
    f"extension.{EVALUATION}.unread.*.what",
)
#: What may never come back, wherever a card speaks: who looks, who the patient is, and secrets.
#: Paths in a request; the patient's id is not among them, since suggested orders name their
#: subject.
NEVER = (
    "hookInstance", "context.userId", "context.encounterId", "fhirAuthorization", "fhirServer",
    "prefetch.patient", "extension", "unknown",
)  # fmt: skip
#: Texts that must stay what they are for the request to be one at all, by the end of their path.
KEPT = re.compile(
    r"(^|\.)(hook|resourceType|system|code|birthDate|status|patientId|unit|intent|fhirServer"
    r"|\w*[dD]ate\w*|effective\w*|authored\w*|reference|periodUnit|type|value)$|patient\.id$"
)


class Planter:
    """Plants strings and remembers where."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self.where: dict[str, str] = {}

    def string(self, path: str) -> str:
        planted = f"PLANT{next(self._numbers):05}Q"
        self.where[planted] = path
        return planted

    def plant(self, sent: Any, path: str = "") -> Any:
        """``sent`` with a string in every text, and in a member of its own in every object."""
        if isinstance(sent, dict):
            told = {
                name: self.plant(value, f"{path}.{name}" if path else name)
                for name, value in sent.items()
            }
            return told | {self.string(f"{path}.unknown"): self.string(f"{path}.unknown")}
        if isinstance(sent, list):
            return [self.plant(one, f"{path}.*") for one in sent]
        if not isinstance(sent, str):
            return sent
        if path.endswith(".id") and not path.endswith("patient.id"):
            return self.string(path)
        return sent if KEPT.search(path) else f"{sent} {self.string(path)}"


def planted_request(planter: Planter, story: str) -> dict[str, Any]:
    sent = request_of(story)
    patient = sent["prefetch"]["patient"]
    patient |= {
        "name": [{"family": "x", "given": ["x"]}],
        "telecom": [{"system": "phone", "value": planter.string("prefetch.patient.telecom")}],
        "identifier": [{"value": planter.string("prefetch.patient.identifier")}],
        "address": [{"line": ["x"], "city": "x"}],
        "photo": [{"url": "x"}],
        "text": {"status": "generated", "div": "x"},
        "contact": [{"name": {"text": "x"}}],
    }
    sent["context"]["encounterId"] = "x"
    told: dict[str, Any] = planter.plant(sent)
    told["hookInstance"] = planter.string("hookInstance")  # no UUID, so it is not logged
    told["context"]["userId"] = f"Practitioner/{planter.string('context.userId')}"
    told["extension"] = {"x": planter.string("extension")}
    return told


def found_in(answer: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every planted string in an answer, with the path to where it is."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            yield from ((one, f"{path}.(name)") for one in PLANTED.findall(name))
            yield from found_in(value, f"{path}.{name}" if path else name)
    elif isinstance(answer, list):
        for one in answer:
            yield from found_in(one, f"{path}.*")
    elif isinstance(answer, str):
        yield from ((one, path) for one in PLANTED.findall(answer))


def is_within(path: str, places: tuple[str, ...]) -> bool:
    return any(path == one or path.startswith(f"{one}.") for one in places)


def assert_only_where_allowed(answer: Any, planter: Planter) -> int:
    found = list(found_in(answer))
    for planted, path in found:
        origin = planter.where[planted]
        assert is_within(path, ALLOWED), f"{origin} is in {path}"
        assert not is_within(origin, NEVER), f"{origin} is in {path}"
        shown_whole = ".resource." in f"{path}."
        assert shown_whole or not origin.endswith(".unknown"), f"{origin} is in {path}"
    return len(found)


class Server:
    def __init__(self, port: int, log: Path) -> None:
        self.port, self.log = port, log

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
        """The status, and the whole answer with its headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, str(answer.headers) + answer.read().decode()
        finally:
            connection.close()

    def post(self, hook: str, sent: Any, planter: Planter) -> tuple[int, Any]:
        """Planted in the query, the headers and the token as well."""
        status, answer = self.ask(
            "POST",
            f"/cds-services/b12-under-two-{hook}?{planter.string('query')}",
            sent if isinstance(sent, bytes) else json.dumps(sent).encode(),
            **{
                "Content-Type": "application/json",
                "Authorization": f"Bearer {planter.string('Authorization')}",
                "Cookie": planter.string("Cookie"),
                "Origin": f"https://{planter.string('Origin')}.example",
                "Referer": f"https://x.example/{planter.string('Referer')}",
                "User-Agent": planter.string("User-Agent"),
                "X-Request-Id": planter.string("X-Request-Id"),
                planter.string("a header's name"): "x",
            },
        )
        headers, _, body = answer.partition("\n\n")
        assert not PLANTED.search(headers)
        return status, json.loads(body)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planted")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    log = folder / "log"
    variables = {"CDS_AS_OF": "2026-03-15", "CDS_DATABASE_URL": f"sqlite:///{folder}/kept.sqlite"}
    with running("--demo", log=log, **variables) as (_, port):
        yield Server(port, log)


@pytest.fixture(autouse=True)
def nothing_written(server: Server, folder: Path) -> Iterator[None]:
    """After every test: the log, every page that can be read, and every file, are searched."""
    yield
    assert server.log.stat().st_size > 0
    for file in folder.rglob("*"):
        if file.is_file():
            assert not PLANTED.search(file.read_bytes().decode("utf-8", "replace")), file.name
    for path in readable_pages():
        _, answer = server.ask("GET", path)
        assert not PLANTED.search(answer), path


@cache
def readable_pages() -> list[str]:
    """Every address of the demo that is read without naming anything."""
    rules = create_app(Settings(demo=True)).url_map.iter_rules()
    return sorted(str(one) for one in rules if "GET" in (one.methods or ()) and not one.arguments)


def test_every_page_that_can_be_read_is_looked_at() -> None:
    assert {"/", "/cds-services", "/healthz", "/readyz", "/samples"} <= set(readable_pages())


STORIES = [(hook, story) for hook, stories in OF_HOOK.items() for story in stories]
STORIES += [
    ("patient-view", "results-discordant"),
    ("patient-view", "result-in-words"),
    ("patient-view", "weight-implausible"),
    ("order-sign", "order-sign-twin-drafts"),
    ("order-sign", "order-sign-allergy"),
]


@pytest.mark.parametrize(("hook", "story"), STORIES)
def test_what_a_request_holds_comes_back_in_cards_only(
    server: Server, hook: str, story: str
) -> None:
    planter = Planter()
    status, answer = server.post(hook, planted_request(planter, story), planter)
    assert status == 200
    assert assert_only_where_allowed(answer, planter) > 0, "the test plants nothing that is shown"
    assert len(planter.where) > 100


@pytest.mark.parametrize("hook", sorted(OF_HOOK))
def test_a_refusal_names_fields_and_no_value(server: Server, hook: str) -> None:
    planter = Planter()
    good = json.dumps(planted_request(planter, OF_HOOK[hook][0]))
    word = planter.string("a wrong value")
    changes: list[Callable[[dict[str, Any]], Any]] = [
        lambda sent: sent.update(hook=word),
        lambda sent: sent.update(context=word),
        lambda sent: sent.update(prefetch=word),
        lambda sent: sent.update(prefetch=[word]),
        lambda sent: sent.update(hookInstance=f"{word} "),
        lambda sent: sent.update(hookInstance=[word]),
        lambda sent: sent["context"].update(patientId=f"{word}?"),
        lambda sent: sent["context"].update(patientId={word: word}),
        lambda sent: sent["context"].update(patientId=word),
        lambda sent: sent["context"].update(userId=[word]),
        lambda sent: sent["context"].pop("patientId"),
        lambda sent: sent.update(fhirAuthorization={"access_token": f"{word}\n"}, fhirServer="x"),
        lambda sent: sent.update(fhirAuthorization={"access_token": word}),
        lambda sent: sent.update(fhirAuthorization=word),
        lambda sent: sent.update(fhirAuthorization={"access_token": {word: word}}),
        lambda sent: sent["prefetch"].update(patient={"resourceType": "Patient", "id": word}),
        lambda sent: sent["prefetch"].update(patient={"resourceType": word}),
        lambda sent: sent["prefetch"].update(patient=None),
        lambda sent: sent["prefetch"].update(
            patient={"resourceType": "OperationOutcome",
                     "issue": [{"severity": "fatal", "diagnostics": word}]}),
    ]  # fmt: skip
    bodies = [good[: len(good) // 2].encode(), f"[{good}]".encode(), good.encode("utf-16")]
    bodies.append(good.encode() + b" " * 5_000_000)
    for change in changes:
        sent = json.loads(good)
        change(sent)
        bodies.append(json.dumps(sent).encode())
    for body in bodies:
        status, answer = server.post(hook, body, planter)
        assert 400 <= status < 500
        assert answer["resourceType"] == "OperationOutcome"
        assert list(found_in(answer)) == []


def test_paths_and_methods_are_not_repeated(server: Server) -> None:
    for method in ("GET", "POST", "PUT", "OPTIONS", "PLANT00000Q"):
        for path in (
            "/PLANT00001Q",
            "/cds-services/PLANT00002Q",
            "/cds-services/PLANT00003Q/feedback",
            "/samples/PLANT00004Q/request.json",
            "/?x=PLANT00005Q",
        ):
            status, answer = server.ask(method, path, b"{}", **{"Content-Type": "PLANT00006Q/json"})
            assert status < 500
            assert not PLANTED.search(answer)


@pytest.mark.parametrize("fault", ["none", "refused", "an outcome", "no JSON", "a redirect"])
def test_a_fhir_server_is_heard_in_cards_only(server: Server, fault: str) -> None:
    """Its answers, its errors, its address and the token for it."""
    planter = Planter()
    story = "neuro-on-oral-therapy"
    sent = planted_request(planter, story)
    patient = sent["prefetch"]["patient"]
    resources = [
        planter.plant(entry["resource"], f"server.{key}")
        for key, bundle in request_of(story)["prefetch"].items()
        if isinstance(bundle, dict) and bundle.get("resourceType") == "Bundle"
        for entry in bundle.get("entry", ())
    ]
    token = planter.string("fhirAuthorization")
    with FhirStub([patient, *resources]) as stub:
        word = planter.string("server")
        outcome = {
            "resourceType": "OperationOutcome",
            "issue": [{"severity": "error", "code": word, "diagnostics": word}],
        }
        if fault == "refused":
            stub.misbehave("Observation", status=500, body=word.encode())
        elif fault == "an outcome":
            stub.misbehave("Observation", status=403, body=json.dumps(outcome).encode())
        elif fault == "no JSON":
            stub.misbehave("Observation", body=f"<html>{word}".encode())
        elif fault == "a redirect":
            stub.misbehave("Observation", status=302, headers={"Location": f"{stub.url}/{word}"})
        sent["fhirServer"] = stub.url
        sent["fhirAuthorization"] = {
            "access_token": token,
            "token_type": "Bearer",
            "scope": planter.string("fhirAuthorization"),
            "subject": planter.string("fhirAuthorization"),
        }
        sent["prefetch"] = {"patient": patient}
        status, answer = server.post("patient-view", sent, planter)
        assert stub.seen
        assert all(one.headers["Authorization"] == f"Bearer {token}" for one in stub.seen)
        assert not any(PLANTED.search(one.target) for one in stub.seen)
    assert status == 200
    assert_only_where_allowed(answer, planter)
    assert word not in json.dumps(answer)
    assert stub.url not in json.dumps(answer)
    assert stub.url not in server.log.read_text()
