"""A really running server is sent what hostile and broken clients send, and answers all of it.

Everything is refused or answered sanely: no 5xx, no worker lost, memory bounded. A few wrong values
are put in every place, more in CI, all of them by `make prove`.
"""

from __future__ import annotations

import gzip
import http.client
import json
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from bodies import BODIES, GOOD, OF_HOOK, misfits, request_of
from sampling import sample_of
from served import running

pytestmark = pytest.mark.sampled_file(7)

SERVICE = "/cds-services/b12-under-two-order-sign"
PATIENCE_S = 20
#: Of a worker, at its highest, over all that is sent here. It begins with some 60 MB.
MOST_MEMORY_MB = 400
SANE = {200, 400, 404, 405, 411, 412, 413, 414, 415, 417, 421, 431}


class Server(NamedTuple):
    process_id: int
    port: int
    log: Path

    def workers(self) -> list[int]:
        """The processes that answer: the children of the process that was started."""
        tasks = Path(f"/proc/{self.process_id}/task").glob("*/children")
        return sorted(int(one) for task in tasks for one in task.read_text().split())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hostile")
    log = folder / "log"
    variables = {
        "CDS_ALLOWED_HOSTS": "x",
        "CDS_AS_OF": "2026-11-25",
        "CDS_DATABASE_URL": f"sqlite:///{folder}/kept.sqlite",
    }
    with running("--demo", "--workers", "1", log=log, **variables) as (process, port):
        yield Server(process.pid, port, log)


@pytest.fixture(autouse=True)
def unharmed(server: Server) -> Iterator[None]:
    """After every test the same worker answers as before, in bounded memory, without a bug."""
    before = server.workers()
    assert before, "no worker is seen"
    logged = server.log.stat().st_size
    yield
    assert server.workers() == before, "a worker was lost"
    status, answer = post(server, GOOD.encode())
    assert status == 200
    assert json.loads(answer)["cards"][0]["indicator"] == "critical"
    for worker in before:
        lines = Path(f"/proc/{worker}/status").read_text().splitlines()
        (peak,) = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
        assert peak < MOST_MEMORY_MB * 1024
    with server.log.open("rb") as log:
        log.seek(logged)
        said = log.read().decode()
    assert '"level":"error"' not in said
    assert "Traceback" not in said
    assert "panicked" not in said


def post(server: Server, body: bytes, path: str = SERVICE, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"} | dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def assert_sane(status: int, body: bytes, what: str) -> str:
    """ "refused" or "answered"."""
    assert status in SANE, (status, what)
    sent: Any = json.loads(body)
    if status == 200:
        assert isinstance(sent["cards"], list), what
        assert sent["extension"], what
        return "answered"
    assert sent["resourceType"] == "OperationOutcome", what
    (issue,) = sent["issue"]
    assert len(issue["details"]["text"]) < 300, what
    return "refused"


def test_bodies_written_by_hand(
    server: Server, record_property: Callable[[str, object], None]
) -> None:
    assert len(BODIES) >= 60
    outcomes: Counter[str] = Counter()
    for name, body in BODIES.items():
        outcomes[assert_sane(*post(server, body), name)] += 1
    for outcome, count in outcomes.items():
        record_property("counted", (f"bodies written by hand, {outcome}", count))
    assert outcomes["refused"] >= 40


BEYOND_SENSE = {
    "a dose beyond 64 bits",
    "a dose of more digits than are rounded",
    "a dose of as many digits as are read",
}
NO_DOSE_IN = [name for name in BODIES if name.startswith("a dose ")]


@pytest.mark.parametrize("name", NO_DOSE_IN)
def test_no_impossible_dose_is_read_as_a_dose(server: Server, name: str) -> None:
    """Refused, or said to be not checked; nothing is calculated from it."""
    status, answer = post(server, BODIES[name])
    if status == 400:
        return
    said = {
        card["extension"]["io.github.b12-cds-service.rules"]["ruleIds"][0]: card["summary"]
        for card in json.loads(answer)["cards"]
    }
    if name in BEYOND_SENSE:
        # The longest number leaves no room for what it is a multiple of.
        usual = "" if name == "a dose of as many digits as are read" else " 1000"
        assert f" times the usual{usual}" in said["ORD-04"]
    elif name == "a dose of next to nothing":
        assert ": less than 0.0001 micrograms, maintenance only" in said["ORD-07"]
    else:
        assert " not checked: " in said["ORD-09"]
        assert said.keys() <= {"ORD-09", "ORD-08", "RTE-07"}


@pytest.mark.sampled(len(OF_HOOK))
@pytest.mark.parametrize("hook", sorted(OF_HOOK))
def test_a_wrong_value_in_any_place(
    server: Server, hook: str, record_property: Callable[[str, object], None]
) -> None:
    outcomes: Counter[str] = Counter()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    for story in OF_HOOK[hook]:
        assert request_of(story)["hook"] == hook
        for name, body in misfits(story, sample_of(2)):
            connection.request(
                "POST",
                f"/cds-services/b12-under-two-{hook}",
                body,
                {"Content-Type": "application/json"},
            )
            answer = connection.getresponse()
            outcomes[assert_sane(answer.status, answer.read(), f"{story}: {name}")] += 1
    connection.close()
    for outcome, count in outcomes.items():
        record_property("counted", (f"wrong values in a good request, {outcome}", count))
    assert outcomes["refused"] > 20
    assert outcomes["answered"] > 200


# --- below the body ---------------------------------------------------------------------------

_JSON = b"Content-Type: application/json\r\n"


def _head(*lines: bytes, line: bytes = b"POST " + SERVICE.encode() + b" HTTP/1.1") -> bytes:
    return b"\r\n".join([line, b"Host: x", b"Content-Type: application/json", *lines]) + b"\r\n\r\n"


def _sized(body: bytes, size: object, *lines: bytes) -> bytes:
    return _head(f"Content-Length: {size}".encode(), *lines) + body


_BODY = GOOD.encode()
_CHUNK = f"{len(_BODY):x}\r\n".encode() + _BODY + b"\r\n"
_CHUNKED = b"Transfer-Encoding: chunked"
_GET = b"GET /cds-services"
#: What is written to the socket, whole, before the client stops sending.
WIRE: dict[str, bytes] = {
    "less than its Content-Length": _sized(_BODY, len(_BODY) + 100),
    "more than its Content-Length": _sized(_BODY, len(_BODY) - 100),
    "no Content-Length": _head() + _BODY,
    "a Content-Length of nothing": _sized(_BODY, 0),
    "a negative Content-Length": _sized(_BODY, -1),
    "a Content-Length in words": _sized(_BODY, "many"),
    "a Content-Length in other digits": _sized(_BODY, "\u0663\u0663"),
    "a Content-Length with a plus": _sized(_BODY, f"+{len(_BODY)}"),
    "an endless Content-Length": _sized(_BODY, "9" * 5000),
    "a Content-Length of 4 GB": _sized(_BODY, 2**32 + len(_BODY)),
    "two Content-Lengths": _sized(_BODY, len(_BODY), b"Content-Length: 5"),
    "a Content-Length and chunks": _head(b"Content-Length: 5", _CHUNKED) + _CHUNK + b"0\r\n\r\n",
    "chunks": _head(_CHUNKED) + _CHUNK + b"0\r\n\r\n",
    "chunks that do not end": _head(_CHUNKED) + _CHUNK,
    "a chunk that is too short": _head(_CHUNKED) + b"ffff\r\nx\r\n0\r\n\r\n",
    "a chunk of no size": _head(_CHUNKED) + b"zz\r\nx\r\n0\r\n\r\n",
    "a chunk of all memory": _head(_CHUNKED) + b"ffffffffffffffffff\r\nx",
    "a negative chunk": _head(_CHUNKED) + b"-1\r\nx\r\n0\r\n\r\n",
    "many small chunks": _head(_CHUNKED) + b"1\r\n[\r\n" * 5_000 + b"0\r\n\r\n",
    "an unknown Transfer-Encoding": _head(b"Transfer-Encoding: xyz") + _BODY,
    "chunks twice over": _head(b"Transfer-Encoding: chunked, chunked") + _CHUNK + b"0\r\n\r\n",
    "gzip": _sized(gzip.compress(_BODY), len(gzip.compress(_BODY)), b"Content-Encoding: gzip"),
    "a bomb of gzip": _sized(
        gzip.compress(b" " * 10_000_000), len(gzip.compress(b" " * 10_000_000)),
        b"Content-Encoding: gzip"),
    "deflate": _sized(_BODY, len(_BODY), b"Content-Encoding: deflate"),
    "brotli": _sized(_BODY, len(_BODY), b"Content-Encoding: br"),
    "Expect": _sized(_BODY, len(_BODY), b"Expect: 100-continue"),
    "Upgrade": _sized(_BODY, len(_BODY), b"Connection: Upgrade", b"Upgrade: websocket"),
    "a header of 1 MB": _sized(_BODY, len(_BODY), b"X-Long: " + b"x" * 1_000_000),
    "ten thousand headers": _sized(_BODY, len(_BODY), *[b"X-%d: 1" % n for n in range(10_000)]),
    "a header without a name": _sized(_BODY, len(_BODY), b": x"),
    "a header with a NUL": _sized(_BODY, len(_BODY), b"X: a\0b"),
    "a header in Latin-1": _sized(_BODY, len(_BODY), b"X: \xff\xfe"),
    "a folded header": _sized(_BODY, len(_BODY), b"X: a", b" b"),
    "an Origin with a NUL": _sized(_BODY, len(_BODY), b"Origin: a\0b"),
    "an Origin in Latin-1": _sized(_BODY, len(_BODY), b"Origin: \xff"),
    "a Content-Type in Latin-1": _head(line=b"POST " + SERVICE.encode() + b" HTTP/1.1\r\n"
                                       b"Content-Type: application/\xff"),
    "no Host": b"GET /cds-services HTTP/1.1\r\n\r\n",
    "no Host, and a watch": b"GET /healthz HTTP/1.1\r\n\r\n",
    "an empty Host": b"GET /cds-services HTTP/1.1\r\nHost:\r\n\r\n",
    "two Hosts": b"GET /cds-services HTTP/1.1\r\nHost: x\r\nHost: evil.example\r\n\r\n",
    "two Hosts, ours last": b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\nHost: x\r\n\r\n",
    "the same Host twice": b"GET /cds-services HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
    "an odd Host": b"GET /cds-services HTTP/1.1\r\nHost: \xff..x:99999999\r\n\r\n",
    "a Host that is a path": b"GET /cds-services HTTP/1.1\r\nHost: a/b?c#d@e\r\n\r\n",
    "HTTP/0.9": b"GET /cds-services\r\n\r\n",
    "HTTP/9.9": b"GET /cds-services HTTP/9.9\r\nHost: x\r\n\r\n",
    "HTTP/2 without an upgrade": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
    "no request": b"\r\n\r\n\r\n",
    "noise": bytes(range(256)) * 20,
    "a method of its own": b"WHATEVER /cds-services HTTP/1.1\r\nHost: x\r\n\r\n",
    "TRACE": b"TRACE /cds-services HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "another server's address": b"GET http://evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path that climbs": b"GET /samples/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path that climbs in code": b"GET /samples/..%2f..%2fetc%2fpasswd/request.json HTTP/1.1\r\n"
                                  b"Host: x\r\n\r\n",
    "a path that is not UTF-8": b"GET /cds-services/%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path with a NUL": b"GET /cds-services/%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path with a line break": b"GET /cds-services/%0d%0aX:%20y HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path with half a code": b"GET /cds-services/%f HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path of bytes": b"GET /cds-services/\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path of 60 kB": _GET + b"/x" * 30_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path of slashes": b"GET " + b"/" * 30_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a query of 60 kB": _GET + b"?" + b"x=1&" * 15_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a cookie of 60 kB": b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a=b;" * 15_000 + b"\r\n\r\n",
    "a hundred requests at once": b"GET /cds-services HTTP/1.1\r\nHost: x\r\n\r\n" * 100,
}  # fmt: skip


ANSWERED = {"chunks", "Expect", "another server's address"}
HOSTS = {name for name in WIRE if "no Host" in name or "two Hosts" in name} | {
    "an empty Host",
    "the same Host twice",
}
CUT = {"less than its Content-Length", "a Content-Length of 4 GB", "more than its Content-Length"}


def exchanged(server: Server, sent: bytes) -> bytes:
    """All that comes back, until the server closes or has nothing to say for a moment."""
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=1) as connection:
        with suppress(OSError):  # the server may stop reading in the middle
            connection.sendall(sent.replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n"))
        for _ in range(2):
            with suppress(OSError):
                while chunk := connection.recv(65_536):
                    received += chunk
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)  # what was cut off stays cut off
    return received.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")


def test_requests_that_are_no_good_http(
    server: Server, record_property: Callable[[str, object], None]
) -> None:
    outcomes: Counter[str] = Counter()
    for name, sent in WIRE.items():
        received = exchanged(server, sent)
        if not received and name not in HOSTS:
            outcomes["connection closed"] += 1
            continue
        status = received.partition(b"\r\n")[0].split(b" ")[1].decode()
        assert status < "500", (name, received[:200])
        assert b"Traceback" not in received, name
        assert b"root:" not in received, name
        assert name not in ANSWERED or status == "200", (name, received[:200])
        assert name not in CUT | HOSTS or status == "400", (name, received[:200])
        outcomes["answered" if status < "300" else "refused"] += 1
    for outcome, count in outcomes.items():
        record_property("counted", (f"requests that are not valid HTTP, {outcome}", count))
    assert outcomes["refused"] >= 20


def test_a_caller_that_leaves_in_the_middle_costs_nothing(server: Server, unharmed: None) -> None:
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            connection.sendall(_sized(_BODY[:1000], len(_BODY)))
