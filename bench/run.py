"""`make bench`: this service compared with the ceiling and with the obvious way, in one run.

Four servers answer the same patient-view request, each as one worker of the same server with
the same settings as `cds-service serve`, all on one core; the load comes from another:

  bare      bare Flask answering a constant: the ceiling of this server on this machine
  floor     Flask, and only what msgspec does in C: the request decoded into the types the
            service reads, and its answer encoded; what Python adds is between floor and service
  service   `cds-service serve --demo`: everything on
  full      Flask, and fhir.resources parsing and validating every resource: the obvious way

Rounds are short and interleaved, and the best counts. The result is the ratio to `bare` in the
same run; absolute times on a shared machine mean little. "busy" is the share of the round in which
the server's worker was on its core; far below 100 % the load was too weak to trust the requests/s.
"cpu us" is the CPU time per request, which a weak load does not flatter and other processes
hardly affect; the ratio after it is that of bare to the server.
All traffic stays on the loopback interface; every loop is bounded. Linux only (/proc, affinity).
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"
SERVICE_PATH = "/cds-services/b12-under-two-patient-view"
AS_OF = "2026-01-15"  # the day the request's infant is ten months old, results days old

SERVER_CORE, CLIENT_CORE = 0, 1
CONNECTIONS = 8
ROUNDS = 8
ROUND_S = 1.0
LATENCY_REQUESTS = 1500
LATENCY_S = 2.0
COLD_STARTS = 3
START_LIMIT_S = 30.0

GOAL_RATIO, GOAL_P99_MS, GOAL_COLD_MS, GOAL_RSS_MB = 0.40, 2.0, 1000.0, 80.0

# Which need of the service an Observation of the request answers; the rest are other labs.
KEY_OF_LOINC = {
    "2132-9": "b12",
    "14685-2": "b12",
    "29463-7": "weight",
    "63895-7": "feeding",
}
KEYS = (
    "patient",
    "b12",
    "weight",
    "labs",
    "feeding",
    "conditions",
    "meds",
    "procedures",
    "allergies",
    "administrations",
    "orders",
)


def request_body() -> bytes:
    """The request file, its resources under this service's prefetch keys.

    The file names one result 14685-6, whose check digit is wrong: records hold such codes, and
    it stays. An empty need is ``null``, which says that the client looked and found nothing.
    """
    asked = json.loads((HERE / "patient_view_request.json").read_bytes())
    found: dict[str, list[Any]] = {key: [] for key in KEYS}
    for entry in asked["prefetch"]["observations"]["entry"]:
        loinc = entry["resource"]["code"]["coding"][0]["code"]
        found[KEY_OF_LOINC.get(loinc, "labs")].append(entry)
    found["conditions"] = asked["prefetch"]["conditions"]["entry"]
    prefetch: dict[str, Any] = {
        key: {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(entries),
            "entry": entries,
        }
        if entries
        else None
        for key, entries in found.items()
    }
    prefetch["patient"] = asked["prefetch"]["patient"]
    return json.dumps({**asked, "prefetch": prefetch}, separators=(",", ":")).encode()


# --- the servers to compare with ---------------------------------------------------------------


def bare_app() -> Any:
    from flask import Flask, Response, request

    app = Flask("bare")
    constant = b'{"cards":[]}'

    @app.post(SERVICE_PATH)
    def answer() -> Response:
        request.get_data()  # unread, the server would close the connection
        return Response(constant, mimetype="application/json")

    return app


def floor_app() -> Any:
    from datetime import date

    import msgspec
    from flask import Flask, Response, request

    from cds_service.cdshooks.request import parse_request
    from cds_service.cdshooks.response import encode
    from cds_service.consultation import Occasion, consult, load_services
    from cds_service.fhir import wire

    def bundle_of(resource: type) -> Any:
        entry = msgspec.defstruct("Entry", [("resource", resource)])
        return msgspec.defstruct("Bundle", [("entry", list[entry])]) | None  # type: ignore[valid-type]

    observations = dict.fromkeys(("labs", *KEY_OF_LOINC.values()), bundle_of(wire.Observation))
    read = {"patient": wire.Patient, "conditions": bundle_of(wire.Condition), **observations}
    prefetch = msgspec.defstruct("Prefetch", read.items())
    call = msgspec.defstruct("Call", [("prefetch", prefetch)])

    app = Flask("floor")
    decode = msgspec.json.Decoder(call).decode
    service = next(one for one in load_services() if SERVICE_PATH.endswith(one.id))
    asked = parse_request(request_body(), service.hook)
    constant = consult(service, asked, None, Occasion(date.fromisoformat(AS_OF), True))

    @app.post(SERVICE_PATH)
    def answer() -> Response:
        decode(request.get_data())
        return Response(encode(constant.response), mimetype="application/json")

    return app


def full_app() -> Any:
    from fhir.resources.R4B import get_fhir_model_class
    from flask import Flask, Response, request

    app = Flask("full")
    # The models are built before the first request, as a careful user of the library would.
    for kind in ("Patient", "Observation", "Condition", "Bundle"):
        get_fhir_model_class(kind)

    @app.post(SERVICE_PATH)
    def answer() -> Response:
        asked = request.get_json()
        read = 0
        for sent in asked["prefetch"].values():
            if sent is not None:
                get_fhir_model_class(sent["resourceType"]).model_validate(sent)
                read += 1
        return Response(json.dumps({"cards": [], "read": read}), mimetype="application/json")

    return app


def serve(name: str, port: int) -> None:
    from cds_service.commands.serving import listen

    apps = {"bare": bare_app, "floor": floor_app, "full": full_app}
    listen(apps[name], HOST, port, workers=1)


# --- starting and stopping ---------------------------------------------------------------------


class Server(NamedTuple):
    name: str
    port: int
    process: subprocess.Popen[bytes]
    worker: int
    answer: bytes
    started_ms: float


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def command(name: str, port: int) -> list[str]:
    if name == "service":
        words = ["-m", "cds_service", "serve", "--demo", "--host", HOST, "--port", str(port)]
        return [sys.executable, *words]
    return [sys.executable, str(HERE / "run.py"), "--serve", name, "--port", str(port)]


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    below = [int(word) for word in text.split()]
    return below + [deeper for child in below for deeper in children(child)]


def rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_s(pid: int) -> float:
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def is_right(name: str, answer: bytes) -> bool:
    """Whether the answer is the one expected: a card that offers a treatment, except for two."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        return False
    if name == "full":
        return json.loads(body) == {"cards": [], "read": 5}
    if name == "bare":
        return body == b'{"cards":[]}'
    offered = [
        action.get("resource", {}).get("resourceType")
        for card in json.loads(body)["cards"]
        for suggestion in card.get("suggestions", [])
        for action in suggestion.get("actions", [])
    ]
    return "MedicationRequest" in offered


def start(name: str, message: bytes, folder: str, log: Path) -> Server:
    port = free_port()
    settings = {k: v for k, v in os.environ.items() if not k.startswith("CDS_")}
    settings |= {"CDS_AS_OF": AS_OF, "PYTHONPATH": f"{HERE.parent}{os.pathsep}{HERE}"}
    with log.open("ab") as out:
        began = time.perf_counter()
        process = subprocess.Popen(
            command(name, port),
            cwd=folder,
            env=settings,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
        )
    while True:
        with contextlib.suppress(OSError):
            connection = connect(port)
            break
        if process.poll() is not None or time.perf_counter() - began > START_LIMIT_S:
            process.kill()
            raise SystemExit(f"{name} did not start:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.002)
    with connection:
        connection.sendall(message)
        answer = read_answer(connection)
    took = (time.perf_counter() - began) * 1000
    server = Server(name, port, process, process.pid, answer, took)
    if not is_right(name, answer):
        stop(server)
        raise SystemExit(f"{name} answered wrongly:\n{answer[:3000].decode(errors='replace')}")
    # The server forks helpers too; the worker is the busiest process.
    family = [process.pid, *children(process.pid)]
    before = {pid: cpu_s(pid) for pid in family}
    throughput(server, message)
    return server._replace(worker=max(family, key=lambda pid: cpu_s(pid) - before[pid]))


def stop(server: Server) -> None:
    family = [server.process.pid, *children(server.process.pid)]
    server.process.terminate()
    try:
        server.process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()
    for pid in family[1:]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


# --- the load ----------------------------------------------------------------------------------


def connect(port: int) -> socket.socket:
    connection = socket.create_connection((HOST, port), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
    return connection


def read_answer(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _received(connection)
    head, _, _ = data.partition(b"\r\n\r\n")
    lengths = [
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    if not lengths:
        raise SystemExit(f"an answer without Content-Length: {head!r}")
    while len(data) < len(head) + 4 + lengths[0]:
        data += _received(connection)
    return data


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 18)
    if not data:
        raise SystemExit("the server closed a connection in use")
    return data


def throughput(server: Server, message: bytes) -> tuple[float, float]:
    """Requests per second over several connections, and the worker's share of its core.

    Answers are compared by their length alone: the same request on the same day must give the
    same bytes, so another length is an error, and the client stays far cheaper than the server.
    """
    expected = len(server.answer)
    poller = select.epoll()
    connections = {}
    missing = {}
    for _ in range(CONNECTIONS):
        connection = connect(server.port)
        connections[connection.fileno()] = connection
        missing[connection.fileno()] = expected
        poller.register(connection.fileno(), select.EPOLLIN)
    for connection in connections.values():
        connection.sendall(message)
    done = 0
    busy = cpu_s(server.worker)
    began = time.perf_counter()
    end = began + ROUND_S
    while (now := time.perf_counter()) < end:
        for number, _ in poller.poll(1.0):
            connection = connections[number]
            data = connection.recv(1 << 18)
            left = missing[number] - len(data)
            if left > 0 and data:
                missing[number] = left
                continue
            if left or (len(data) == expected and data[9:12] != b"200"):
                raise SystemExit(f"{server.name}: another answer under load: {data[:300]!r}")
            missing[number] = expected
            done += 1
            connection.sendall(message)
    busy = (cpu_s(server.worker) - busy) / (now - began)
    for connection in connections.values():
        connection.close()
    poller.close()
    return done / (now - began), busy


def latencies(server: Server, message: bytes) -> tuple[float, float]:
    """The median and the 99th percentile at one connection, ms."""
    took = []
    with connect(server.port) as connection:
        end = time.perf_counter() + LATENCY_S
        while len(took) < LATENCY_REQUESTS and time.perf_counter() < end:
            began = time.perf_counter_ns()
            connection.sendall(message)
            left = len(server.answer)
            while left > 0:
                left -= len(_received(connection))
            took.append((time.perf_counter_ns() - began) / 1e6)
    took.sort()
    return took[len(took) // 2], took[min(len(took) - 1, len(took) * 99 // 100)]


# --- the run -----------------------------------------------------------------------------------


class Result(NamedTuple):
    per_s: float
    busy: float
    p50_ms: float
    p99_ms: float
    cold_ms: float
    rss_mb: float

    @property
    def cpu_us(self) -> float:
        return self.busy / self.per_s * 1e6


def measure(names: list[str]) -> dict[str, Result]:
    body = request_body()
    head = (
        f"POST {SERVICE_PATH} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        f"Accept: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    message = head.encode() + body
    print(
        f"request {len(body) / 1000:.1f} kB, as of {AS_OF}, server on core {SERVER_CORE}, ", end=""
    )
    print(f"load on core {CLIENT_CORE}, {CONNECTIONS} connections, best of {ROUNDS} rounds")
    os.sched_setaffinity(0, {CLIENT_CORE})
    cold: dict[str, float] = dict.fromkeys(names, float("inf"))
    rates: dict[str, tuple[float, float]] = dict.fromkeys(names, (0.0, 0.0))
    waits: dict[str, tuple[float, float]] = dict.fromkeys(names, (float("inf"), float("inf")))
    with tempfile.TemporaryDirectory() as folder, running() as servers:
        log = Path(folder, "servers.log")
        for turn in range(COLD_STARTS):
            for name in names:
                server = start(name, message, folder, log)
                servers.append(server)
                cold[name] = min(cold[name], server.started_ms)
                if turn < COLD_STARTS - 1:
                    stop(servers.pop())
        gc.disable()
        for server in servers:  # warm up
            throughput(server, message)
        for _ in range(ROUNDS):
            for server in servers:
                rates[server.name] = max(rates[server.name], throughput(server, message))
                p50, p99 = latencies(server, message)
                best50, best99 = waits[server.name]
                waits[server.name] = min(best50, p50), min(best99, p99)
        memory = {server.name: rss_mb(server.worker) for server in servers}
    return {n: Result(*rates[n], *waits[n], cold[n], memory[n]) for n in names}


@contextlib.contextmanager
def running() -> Iterator[list[Server]]:
    servers: list[Server] = []
    try:
        yield servers
    finally:
        for server in servers:
            stop(server)


def report(results: dict[str, Result]) -> None:
    columns = f"{'':10}{'requests/s':>12}{'of bare':>10}{'busy':>8}{'cpu us':>10}{'of bare':>10}"
    print(f"\n{columns}{'p50 ms':>10}{'p99 ms':>10}{'start ms':>11}{'worker MB':>11}")
    bare = results["bare"]
    ceiling = bare.per_s
    for name, one in results.items():
        print(
            f"{name:10}{one.per_s:12,.0f}{one.per_s / ceiling:10.3f}{one.busy:8.0%}"
            f"{one.cpu_us:10,.0f}{bare.cpu_us / one.cpu_us:10.3f}"
            f"{one.p50_ms:10.2f}{one.p99_ms:10.2f}{one.cold_ms:11,.0f}{one.rss_mb:11.1f}"
        )
    if "service" not in results:
        return
    ours = results["service"]
    ratio = ours.per_s / ceiling
    goals = [
        ("requests/s, of bare Flask", ratio, f"at least {GOAL_RATIO:.2f}", ratio >= GOAL_RATIO),
        (
            "p99 at one connection, ms",
            ours.p99_ms,
            f"at most {GOAL_P99_MS}",
            ours.p99_ms <= GOAL_P99_MS,
        ),
        (
            "start to first card, ms",
            ours.cold_ms,
            f"at most {GOAL_COLD_MS:.0f}",
            ours.cold_ms <= GOAL_COLD_MS,
        ),
        (
            "a worker's memory, MB",
            ours.rss_mb,
            f"at most {GOAL_RSS_MB:.0f}",
            ours.rss_mb <= GOAL_RSS_MB,
        ),
    ]
    print()
    for what, value, goal, reached in goals:
        print(f"{'pass' if reached else 'MISS'}  {what:28}{value:10.2f}   {goal}")
    if "full" in results:
        print(
            f"\nthe service answers {ours.per_s / results['full'].per_s:.1f} times as many as full"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="compare this service with bare Flask")
    parser.add_argument("--only", nargs="*", default=["bare", "floor", "service", "full"])
    parser.add_argument("--serve", choices=["bare", "floor", "full"], help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve, asked.port)
        return
    if not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) <= CLIENT_CORE:
        raise SystemExit("the benchmark needs Linux and two cores")
    report(measure(asked.only))


if __name__ == "__main__":
    main()
