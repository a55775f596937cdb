"""Every limit on what a caller may send or use up: what is below and at it passes, above it not."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ehr import ASKED, Listener, service, services
from fhir_server_stub import FhirStub
from flask.testing import FlaskClient
from msgspec import Raw
from test_wrong_addresses import EMPTY, PATIENT, complete

from cds_service.app import create_app
from cds_service.cdshooks.request import Limits, parse_request
from cds_service.clinical import Need
from cds_service.errors import ServiceError
from cds_service.fhir.gather import gather
from cds_service.fhir.server import DOWN_S, MOST_FAILURES, Breaker, FhirServer
from cds_service.settings import SETTINGS, Settings, read_settings
from cds_service.trust import outward
from cds_service.trust.addresses import ApprovedFhirServer, approve_fhir_server

AROUND = [(-1, True), (0, True), (1, False)]


def refusal(body: dict[str, Any], hook: str = "order-select", **limits: int) -> tuple[int, str]:
    """Status and member of the refusal; 200 when it was let in."""
    try:
        parse_request(json.dumps({**ASKED, "hook": hook, **body}).encode(), hook, Limits(**limits))
    except ServiceError as error:
        return error.status, error.expression or ""
    return 200, ""


def with_context(**members: Any) -> dict[str, Any]:
    return {"context": {"userId": "u", "patientId": "p1", **members}}


def nested(depth: int, bracket: str = "[") -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if bracket == "[" else {"a": value}
    return value


@pytest.mark.parametrize(("more", "good"), AROUND)
@pytest.mark.parametrize("bracket", ["[", "{"])
def test_drafted_orders_have_a_greatest_depth(bracket: str, more: int, good: bool) -> None:
    orders = {"x": nested(49 + more, bracket)}
    said = refusal(with_context(draftOrders=orders), nesting=50)
    assert said == ((200, "") if good else (400, "context.draftOrders"))


def test_brackets_in_texts_are_no_depth() -> None:
    texts = {"x": ['[[[["\\', "]]]]", '"}{{{\\"'] * 50, "y": [[[1]]]}
    assert refusal(with_context(draftOrders=texts), nesting=4) == (200, "")
    assert refusal(with_context(draftOrders=texts), nesting=3)[0] == 400


def test_many_objects_beside_each_other_are_no_depth() -> None:
    assert refusal(with_context(draftOrders={"x": [{}] * 1000}), nesting=4) == (200, "")


@pytest.mark.parametrize(("more", "good"), AROUND)
def test_drafted_orders_have_a_greatest_number(more: int, good: bool) -> None:
    orders = {**EMPTY, "entry": [{}] * (20 + more)}
    said = refusal(with_context(draftOrders=orders), drafts=20)
    assert said == ((200, "") if good else (413, "context.draftOrders"))


@pytest.mark.parametrize(("more", "good"), AROUND)
@pytest.mark.parametrize(
    "member",
    [
        "context.userId",
        "context.encounterId",
        "context.selections",
        "fhirServer",
        "fhirAuthorization.access_token",
        "fhirAuthorization.patient",
    ],
)
def test_texts_have_a_greatest_length(member: str, more: int, good: bool) -> None:
    text = "x" * (600 + more)
    body: dict[str, Any] = {
        **with_context(),
        "fhirServer": "https://a.example",
        "fhirAuthorization": {"access_token": "t"},
    }
    where, _, name = member.rpartition(".")
    (body[where] if where else body)[name] = [text] if name == "selections" else text
    assert refusal(body, text=600) == ((200, "") if good else (413, member))


NEED = Need("b12", "Observation", "results", "required")


def bundle(count: int) -> bytes:
    entry = {"resource": {"resourceType": "Observation"}}
    return json.dumps({**EMPTY, "entry": [entry] * count}).encode()


@pytest.mark.parametrize(("more", "good"), AROUND)
def test_a_bundle_that_is_sent_has_a_greatest_number_of_entries(more: int, good: bool) -> None:
    sent = {"b12": Raw(bundle(100 + more))}
    if good:
        assert len(gather([NEED], sent, "p1", None, max_entries=100)["b12"].resources) == 100 + more
        return
    with pytest.raises(ServiceError) as error:
        gather([NEED], sent, "p1", None, max_entries=100)
    assert (error.value.status, error.value.expression) == (413, "prefetch.b12")


def reached(url: str, client: str = "", **more: Any) -> FhirServer:
    approved = approve_fhir_server(url, listed=(), demo=True, client=client)
    assert isinstance(approved, ApprovedFhirServer)
    return FhirServer(approved, None, 5.0, **more)


@pytest.mark.parametrize(("more", "good"), AROUND)
def test_the_pages_of_an_answer_have_a_greatest_number_of_entries(more: int, good: bool) -> None:
    found = [
        {"resourceType": "Observation", "id": str(n), "subject": {"reference": "Patient/p1"}}
        for n in range(100 + more)
    ]
    with FhirStub(found, page_size=40) as stub:
        answer = gather([NEED], {}, "p1", reached(stub.url), max_entries=100)["b12"]
    assert answer.complete == good
    assert good or "too many" in answer.why
    assert len(answer.resources) <= 100


@pytest.mark.parametrize(("asked", "at_once"), [(2, 2), (3, 3), (5, 3)])
def test_a_client_has_so_many_queries_under_way(asked: int, at_once: int) -> None:
    lock = threading.Lock()
    now, most = 0, 0

    def job() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.1)
        with lock:
            now -= 1

    reached("http://127.0.0.1:1/fhir", f"of {asked}", at_once=3).together([job] * asked)
    assert most == at_once


def test_a_client_whose_server_hangs_takes_no_thread_from_another() -> None:
    done = threading.Event()
    hung = reached("http://127.0.0.1:1/fhir", "hangs", at_once=2)
    thread = threading.Thread(target=hung.together, args=([lambda: done.wait(10)] * 4,))
    thread.start()
    came: list[int] = []
    reached("http://127.0.0.1:1/fhir", "works", at_once=2).together([lambda: came.append(1)] * 4)
    assert came == [1] * 4
    done.set()
    thread.join()


def test_a_fhir_server_that_drips_its_headers_holds_no_thread_past_the_deadline() -> None:
    with Listener() as dripping:
        dripping.drip_s = 0.05
        approved = approve_fhir_server(
            f"http://127.0.0.1:{dripping.port}/fhir", listed=(), demo=True, client="dripping"
        )
        assert isinstance(approved, ApprovedFhirServer)
        ended = threading.Event()

        def job() -> None:
            assert server.ask("Patient/1").problem == server.too_late
            ended.set()

        server = FhirServer(approved, None, 0.3)
        server.together([job])
        assert ended.wait(30), "its thread is free again"


# --- a server that does not answer ---------------------------------------------------------------


class Moments:
    """A breaker at a moment that the test moves, and what it said."""

    def __init__(self) -> None:
        self.now = 100.0
        self.said: list[tuple[str, bool]] = []
        self.breaker = Breaker(lambda base, down: self.said.append((base, down)), lambda: self.now)

    def fail(self, times: int, base: str = "a") -> None:
        for _ in range(times):
            self.breaker.failed(base)


@pytest.mark.parametrize(
    ("failures", "asked"),
    [(MOST_FAILURES - 1, True), (MOST_FAILURES, False), (MOST_FAILURES + 1, False)],
)
def test_a_server_counts_as_down_after_failures_in_a_row(failures: int, asked: bool) -> None:
    at = Moments()
    at.fail(failures)
    assert at.breaker.lets_through("a") is asked
    assert at.breaker.lets_through("b"), "another is not concerned"
    assert at.said == ([] if asked else [("a", True)])
    assert at.breaker.down == (not asked)


def test_one_answer_in_between_is_enough_to_count_from_the_start() -> None:
    at = Moments()
    at.fail(MOST_FAILURES - 1)
    at.breaker.answered("a")
    at.fail(MOST_FAILURES - 1)
    assert at.breaker.lets_through("a")


@pytest.mark.parametrize(("waited", "tries"), [(-0.1, 0), (0, 1), (0.1, 1)])
def test_a_server_that_is_down_is_tried_by_one_query_at_a_time(waited: float, tries: int) -> None:
    at = Moments()
    at.fail(MOST_FAILURES)
    at.now += DOWN_S + waited
    assert [at.breaker.lets_through("a") for _ in range(5)].count(True) == tries
    at.fail(1)
    assert not at.breaker.lets_through("a")
    at.now += DOWN_S
    assert at.breaker.lets_through("a")
    at.breaker.answered("a")
    assert all(at.breaker.lets_through("a") for _ in range(5))
    assert at.said == [("a", True), ("a", False)]
    assert at.breaker.down == 0


def test_addresses_that_requests_name_are_remembered_up_to_a_number() -> None:
    at = Moments()
    for number in range(3000):
        at.fail(1, f"{number}")
    assert len(at.breaker._failures) <= 1000


def test_calls_do_not_wait_for_a_server_that_is_down_and_say_so(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The cards name what is missing all the same; when it answers, the next call is whole."""
    with Listener(b"{}") as there:
        base = f"http://127.0.0.1:{there.port}/r4"
        there.may_answer.clear()
        app = create_app(
            Settings(fhir_servers=frozenset({base}), fhir_deadline=0.05, database_url=""),
            services(),
        )
        client = app.test_client()

        def call() -> Any:
            asked = {**ASKED, "fhirServer": base}
            return client.post("/cds-services/b12-under-two-patient-view", json=asked)

        until = time.monotonic() + 30

        def logs(line: str) -> None:
            """Which the thread does that asked the server, after it has counted the failure."""
            logged = ""
            while line not in (logged := logged + capfd.readouterr().out):
                time.sleep(0.01)
                assert time.monotonic() < until

        while not client.get("/readyz").json.get("fhirServersDown"):
            assert call().status_code == 412
            assert time.monotonic() < until
        assert client.get("/readyz").json["status"] == "degraded"
        logs(f'"address":"{base}"')
        before = there.connections
        answers = [call() for _ in range(20)]
        assert {answer.status_code for answer in answers} == {412}
        assert "was not asked" in answers[-1].text
        assert there.connections - before <= 20, "a few tries, not a query for each need"

        there.may_answer.set()
        while client.get("/readyz").json["status"] != "ok":
            call()
            time.sleep(0.05)
            assert time.monotonic() < until
        logs('"fhirServer":"up"')


class Resolver:
    """The system's, but that one name is not known before `may_answer`."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.may_answer = threading.Event()
        self.asked: list[str] = []
        self.addresses = ["127.0.0.1"]
        self._known = socket.getaddrinfo

    def __call__(self, host: Any, *rest: Any, **more: Any) -> Any:
        if host != "slow.example":
            return self._known(host, *rest, **more)
        self.asked.append(host)
        assert self.may_answer.wait(30)
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, self.port)) for one in self.addresses
        ]


def ask_slow(port: int, seconds: float) -> str:
    try:
        ends = time.monotonic() + seconds
        return str(outward.get(f"http://slow.example:{port}/", {}, ends, 100_000).status)
    except outward.NoAnswer as none:
        return none.why


def test_a_name_that_nobody_can_look_up_holds_no_thread_past_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All who need it wait for one look-up; another name is looked up meanwhile."""
    with Listener(b"{}") as there:
        resolver = Resolver(there.port)
        monkeypatch.setattr(socket, "getaddrinfo", resolver)
        with ThreadPoolExecutor(8) as many:
            came = list(many.map(lambda _: ask_slow(there.port, 0.2), range(8)))
        assert came == ["late"] * 8
        assert outward.get(there.url, {}, time.monotonic() + 10, 100).status == 200
        assert resolver.asked == ["slow.example"], "still being looked up"
        resolver.may_answer.set()
        assert ask_slow(there.port, 10) == "200"


@pytest.mark.parametrize(
    ("addresses", "came"),
    [([], "unreachable"), (["127.0.0.2"], "unreachable"), (["127.0.0.2", "127.0.0.1"], "200")],
)
def test_a_name_is_called_at_each_of_its_addresses(
    addresses: list[str], came: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Listener(b"{}") as there:
        resolver = Resolver(there.port)
        resolver.addresses = addresses
        resolver.may_answer.set()
        monkeypatch.setattr(socket, "getaddrinfo", resolver)
        assert ask_slow(there.port, 10) == came


@pytest.mark.parametrize(("more", "status"), [(-1, 200), (0, 200), (1, 413)])
def test_a_body_has_a_largest_size(more: int, status: int) -> None:
    client = service(Path(), clients_file=None, max_body_bytes=10_000)
    body = json.dumps(ASKED)
    body += " " * (10_000 + more - len(body))
    answer = client.post("/cds-services/small", data=body, content_type="application/json")
    assert answer.status_code == status


# --- as settings, through the whole service ------------------------------------------------------


def padded(bundle: dict[str, Any], size: int) -> dict[str, Any]:
    """The same in so many bytes, as the client of the tests writes them."""
    return {**bundle, "x": "x" * (size - len(json.dumps(bundle)))}


def real(**settings: Any) -> FlaskClient:
    return create_app(Settings(**settings), services()).test_client()


@pytest.mark.parametrize(("more", "status"), [(-1, 200), (0, 200), (1, 413)])
def test_the_settings_reach_where_they_hold(more: int, status: int) -> None:
    client = real(max_entries=100, max_drafts=10, max_text=512, max_draft_bytes=10_000)
    path = "/cds-services/b12-under-two-order-sign"
    observations = [{"resource": {"resourceType": "Observation"}}] * (100 + more)
    for changed in (
        {"prefetch": complete(b12={**EMPTY, "entry": observations})},
        with_context(draftOrders={**EMPTY, "entry": [{}] * (10 + more)}),
        {"context": {"userId": "u" * (512 + more), "patientId": "p1"}},
        with_context(draftOrders=padded({**EMPTY, "x": ""}, 10_000 + more)),
    ):
        asked = {**ASKED, "hook": "order-sign", "prefetch": complete(), **changed}
        answer = client.post(path, json=asked)
        assert answer.status_code == status, answer.text
    assert PATIENT["id"] == "p1"


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("CDS_CALLS_PER_MINUTE", 1, 1_000_000),
        ("CDS_FHIR_AT_ONCE", 1, 256),
        ("CDS_MAX_HEADER_BYTES", 8_192, 1_000_000),
        ("CDS_MAX_NESTING", 16, 500),
        ("CDS_MAX_ENTRIES", 100, 1_000_000),
        ("CDS_MAX_DRAFTS", 10, 10_000),
        ("CDS_FEEDBACK_BYTES_PER_HOUR", 100_000, 1_000_000_000),
        ("CDS_MAX_DRAFT_BYTES", 10_000, 1_000_000_000),
        ("CDS_MAX_TEXT", 512, 100_000),
    ],
)
def test_a_limit_can_be_set_within_reason(name: str, least: int, most: int) -> None:
    field = SETTINGS[name].field
    for value in (least, most):
        assert getattr(read_settings({name: str(value)}), field) == value
    for value in (least - 1, most + 1):
        with pytest.raises(Exception, match=f"{name}: is not a whole number in range"):
            read_settings({name: str(value)})
