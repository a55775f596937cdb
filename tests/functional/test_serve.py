"""The command `serve` as a process: what it prints, answers over a socket, and how it ends."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from served import PATIENCE_S, refused, running

pytestmark = pytest.mark.sampled_file(3)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_answers_and_ends_when_told(stop: signal.Signals) -> None:
    with running("--demo", "--workers", "2") as (process, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/cds-services/", headers={"Origin": "http://localhost:8080"})
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert isinstance(json.loads(answer.read())["services"], list)
        connection.request("OPTIONS", "/cds-services//x", headers={"Origin": "http://a"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (204, b"")
        connection.close()
        process.send_signal(stop)
        assert process.wait(PATIENCE_S) == 0
        assert process.stdout is not None
        assert f"http://127.0.0.1:{port}/cds-services" in process.stdout.read()


def test_without_a_register_the_signal_to_read_it_again_changes_nothing() -> None:
    """Neither a worker is replaced nor a call lost."""
    with running("--workers", "3") as (process, port):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        workers = children.read_text()
        for _ in range(5):
            process.send_signal(signal.SIGHUP)
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            assert fetched(connection, "/healthz")
            connection.close()
        assert children.read_text() == workers


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_over_the_limit_is_refused_however_it_is_sent(chunked: bool) -> None:
    with running(CDS_MAX_BODY_BYTES="10000") as (_, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        listed = json.loads(fetched(connection, "/cds-services"))["services"]
        path = f"/cds-services/{listed[0]['id']}"
        chunks = [b"x" * 4000] * 5
        connection.request(
            "POST",
            path,
            body=iter(chunks) if chunked else b"".join(chunks),
            headers={"Content-Type": "application/json"},
            encode_chunked=chunked,
        )
        answer = connection.getresponse()
        assert answer.status == 413
        assert json.loads(answer.read())["resourceType"] == "OperationOutcome"
        connection.close()


def fetched(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    return connection.getresponse().read()


@pytest.mark.parametrize(
    ("options", "variables", "said"),
    [
        ((), {"CDS_DATABASE_URL": "sqlite:////no/such/folder/store.sqlite"}, "cannot be written"),
        ((), {"CDS_CLIENTS_FILE": "clients.toml"}, "CDS_CLIENTS_FILE"),
        ((), {"CDS_FHIR_SERVER": "https://a"}, "CDS_FHIR_SERVERS"),
        (("--host", "0.0.0.0"), {}, "CDS_OPEN"),  # noqa: S104
        (("--demo", "--host", "0.0.0.0"), {}, "CDS_OPEN"),  # noqa: S104
    ],
)
def test_it_refuses_to_start_half_configured(
    options: tuple[str, ...], variables: dict[str, str], said: str
) -> None:
    assert said in refused(*options, **variables)


def test_a_port_that_is_taken_is_said_in_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert str(port) in refused("--port", str(port))


def test_what_is_kept_of_a_first_start_lies_in_a_file_and_the_demo_leaves_none(
    tmp_path: Path,
) -> None:
    with running(CDS_DATABASE_URL=f"sqlite:///{tmp_path}/kept.sqlite") as (process, port):
        until = time.monotonic() + PATIENCE_S
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        while json.loads(fetched(connection, "/readyz"))["store"]["state"] != "ok":
            assert time.monotonic() < until
            time.sleep(0.05)
        connection.close()
        process.terminate()
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert "kept without patient and user: CDS_PSEUDONYM_KEY is not set" in said
    assert [one.name for one in tmp_path.iterdir()] == ["kept.sqlite"]
    with running("--demo", CDS_DATABASE_URL="", TMPDIR=str(tmp_path)) as (_, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        assert "store" in json.loads(fetched(connection, "/readyz"))
        connection.close()
        assert len(list(tmp_path.iterdir())) == 2
    assert [one.name for one in tmp_path.iterdir()] == ["kept.sqlite"]


def test_calls_that_wait_for_a_fhir_server_hold_up_no_other() -> None:
    path = "/cds-services/b12-under-two-patient-view"
    context = {"userId": "Practitioner/1", "patientId": "p1"}
    asks: dict[str, object] = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": context,
    }
    child = {"resourceType": "Patient", "id": "p1", "birthDate": "2015-01-01"}
    north, south = "127.0.0.2", "127.0.0.3"  # in open mode each address is a client

    def called(source: str, body: dict[str, object]) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, PATIENCE_S, (source, 0))
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    with (
        socket.create_server(("127.0.0.1", 0)) as hangs,
        running("--demo", CDS_FHIR_DEADLINE_MS="10000", CDS_QUEUE_MS="10000") as (_, port),
        ThreadPoolExecutor(100) as callers,
    ):
        server = f"http://127.0.0.1:{hangs.getsockname()[1]}/fhir"
        asked = {**asks, "fhirServer": server}
        waiting = [callers.submit(called, north, asked) for _ in range(100)]
        time.sleep(2)
        assert called(south, {**asks, "prefetch": {"patient": child}}) == 200
        assert sum(one.done() for one in waiting) <= 1, "but one that gave way in a full line"
        assert Counter(one.result() for one in waiting)[412] >= 99


def test_callers_that_never_end_their_body_keep_nobody_else_waiting() -> None:
    """Each holds a thread for as long as it likes; some threads are never given to reading."""

    def asked(method: str, path: str) -> tuple[int, str | None]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request(method, path, "{}", {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status, answer.headers["Retry-After"]

    path = "/cds-services/b12-under-two-patient-view"
    begun = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{{"
    stalled: list[socket.socket] = []

    def stall(count: int) -> None:
        for _ in range(count):
            stalled.append(socket.create_connection(("127.0.0.1", port)))
            stalled[-1].sendall(begun.encode())
        time.sleep(0.5)

    with running() as (_, port), ThreadPoolExecutor(1) as caller:
        for more in (4, 36, 19):
            stall(more)
            assert asked("POST", path) == (400, None)
        stall(1)
        in_line = caller.submit(asked, "POST", path)
        time.sleep(0.5)
        assert not in_line.done()
        stalled.pop().close()
        assert in_line.result() == (400, None)
        stall(1 + 48)
        assert asked("POST", path) == (503, "5")
        assert asked("POST", f"{path}/feedback")[0] == 404  # nothing is kept here
        assert asked("GET", "/healthz")[0] == asked("GET", "/cds-services")[0] == 200
        for one in stalled:
            one.close()
        until = time.monotonic() + PATIENCE_S
        while asked("POST", path) != (400, None):
            assert time.monotonic() < until


def test_a_hundred_large_bodies_at_once_are_all_answered() -> None:
    child = {"resourceType": "Patient", "id": "p1", "birthDate": "2015-01-01"}
    asks = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/1", "patientId": "p1"},
        "prefetch": {"patient": {**child, "text": {"div": "x" * 1_800_000}}},
    }
    body = json.dumps(asks).encode()
    together = Barrier(100)

    def called(_: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        connection.connect()
        together.wait(PATIENCE_S)
        connection.request(
            "POST", "/cds-services/b12-under-two-patient-view", body, {"Content-Type": "text/json"}
        )
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    # They have to wait for each other longer than a caller usually does.
    with running(CDS_QUEUE_MS="10000") as (_, port), ThreadPoolExecutor(100) as callers:
        assert set(callers.map(called, range(100))) == {200}
