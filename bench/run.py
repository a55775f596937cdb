"""`make bench`: this service next to the build before, the ceiling, and its peers, in one run.

Six servers, each as one worker on one core, with the load on another:

  bare         bare Flask answering a constant: the ceiling of this server on this machine
  floor        Flask, and only what msgspec does in C: the request decoded into the types the
               service reads, and its answer encoded; what Python adds is between floor and service
  service      `cds-service serve` as in production: everything on, with its store
  before       the same of an earlier commit, from its wheel in an environment of its own
  full         Flask, and fhir.resources parsing and validating every resource: the obvious way
  healthchain  HealthChain with a constant rule over plain dicts, no store, no account

All answer the benchmark's request; the service and the build before also the sample stories of
each hook. Rounds are short and take turns. The figure is requests per second of CPU time that the
server's processes used: a weak load does not flatter it and other processes hardly affect it. Of
rounds the median counts, never the best. Only ratios within one run are results.

With ``BENCH_POSTGRESQL`` (the address of a database server where databases may be made) the
service is also measured over PostgreSQL. All traffic stays on the loopback interface; every loop
is bounded. Linux only (/proc, affinity).
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import re
import select
import signal
import socket
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import peers

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent / "fhir_samples" / "b12_under_two"
HOST = "127.0.0.1"
SERVICE_PATH = "/cds-services/b12-under-two-patient-view"
HEALTHCHAIN_PATH = "/cds/cds-services/b12-under-two-patient-view"
AS_OF = "2026-01-15"  # the day the request's infant is ten months old, results days old
STORIES_AS_OF = "2026-03-15"  # the day of the sample stories
HOOKS = ("patient-view", "order-select", "order-sign")

SERVER_CORE, CLIENT_CORE = 0, 1
CONNECTIONS, MANY = 8, 16
ROUNDS = 7
ROUND_S = 1.0
LATENCY_S = 1.0
COLD_STARTS = 3
START_LIMIT_S = 60.0

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


def stories(hook: str) -> list[bytes]:
    """The requests of the sample stories of one hook, of the day most of them share."""
    found = []
    for folder in sorted(SAMPLES.iterdir()):
        request = json.loads((folder / "request.json").read_bytes())
        expected = json.loads((folder / "expected.json").read_bytes())
        if request["hook"] == hook and expected["asOf"] == STORIES_AS_OF:
            found.append(json.dumps(request, separators=(",", ":")).encode())
    return found


_DAY = re.compile(rb'(?<=")\d{4}-\d\d-\d\d(?=[T"])')


def moved(body: bytes, as_of: str) -> bytes:
    """The same request with its days moved to today: in production there is no other."""
    by = date.today() - date.fromisoformat(as_of)  # noqa: DTZ011, TID251 - what is moved is of today

    def later(found: re.Match[bytes]) -> bytes:
        return (date.fromisoformat(found[0].decode()) + by).isoformat().encode()

    return _DAY.sub(later, body)


def message(body: bytes, path: str = SERVICE_PATH) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        f"Accept: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


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


class Kind(NamedTuple):
    """How a server is started: the words of its command but for the port, the variables of its
    environment, the path of its service, and what a right answer has in it."""

    command: tuple[str, ...]
    path: str = SERVICE_PATH
    right: bytes = b"MedicationRequest"
    settings: Mapping[str, str] = {}
    ours: bool = True


def own(name: str, right: bytes) -> Kind:
    here = f"{HERE.parent}{os.pathsep}{HERE}"
    command = (sys.executable, str(HERE / "run.py"), "--serve", name, "--port")
    return Kind(command, right=right, settings={"PYTHONPATH": here})


def production(python: str, database: str, path: str = "") -> Kind:
    """The service as an operator runs it, but for the register of clients."""
    settings = {
        "CDS_OPEN": "true",
        "CDS_DATABASE_URL": database,
        "CDS_PSEUDONYM_KEY": "a key of sixteen characters or more",
    }
    command = (python, "-m", "cds_service", "serve", "--host", HOST, "--port")
    return Kind(command, settings=settings | ({"PYTHONPATH": path} if path else {}))


class Server(NamedTuple):
    name: str
    port: int
    process: subprocess.Popen[bytes]
    started_ms: float

    @property
    def family(self) -> list[int]:
        return [self.process.pid, *children(self.process.pid)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    below = [int(word) for word in text.split()]
    return below + [deeper for child in below for deeper in children(child)]


def rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_s(server: Server) -> float:
    """The time on a core of all threads of all its processes, to the nanosecond."""
    spent = 0
    for pid in server.family:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                spent += int((task / "schedstat").read_text().split()[0])
    return spent / 1e9


def start(name: str, kind: Kind, asked: bytes, folder: str, log: Path) -> Server:
    port = free_port()
    settings = {k: v for k, v in os.environ.items() if not k.startswith(("CDS_", "PYTHON"))}
    with log.open("ab") as out:
        began = time.perf_counter()
        process = subprocess.Popen(
            [*kind.command, str(port)],
            cwd=folder,
            env={**settings, **kind.settings},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
        )
    answer = b""
    while not answer:
        with contextlib.suppress(OSError), connect(port) as connection:
            connection.sendall(asked)
            answer = read_answer(connection)
            break
        if process.poll() is not None or time.perf_counter() - began > START_LIMIT_S:
            process.kill()
            raise SystemExit(f"{name} did not start:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.002)
    server = Server(name, port, process, (time.perf_counter() - began) * 1000)
    if not answer.startswith(b"HTTP/1.1 200") or kind.right not in answer:
        stop(server)
        raise SystemExit(f"{name} answered wrongly:\n{answer[:3000].decode(errors='replace')}")
    return server


def stop(server: Server) -> None:
    family = server.family
    server.process.terminate()
    try:
        server.process.wait(timeout=15)
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


def whole_length(data: bytes) -> int:
    """How long the answer that begins with ``data`` is; 0 while its head is not there."""
    head, end, _ = data.partition(b"\r\n\r\n")
    if not end:
        return 0
    at = head.lower().find(b"content-length:")
    if at < 0:
        raise SystemExit(f"an answer without Content-Length: {head!r}")
    return len(head) + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])


def read_answer(connection: socket.socket) -> bytes:
    data = b""
    while not (length := whole_length(data)) or len(data) < length:
        more = connection.recv(1 << 18)
        if not more:
            raise SystemExit("the server closed a connection in use")
        data += more
    return data


class Round(NamedTuple):
    per_cpu_s: float
    per_s: float


def throughput(server: Server, messages: Sequence[bytes], connections: int = CONNECTIONS) -> Round:
    """Requests per second of the server's CPU time, and of the clock."""
    poller = select.epoll()
    open_ones = {}
    came: dict[int, bytes] = {}
    sent = 0
    for _ in range(connections):
        connection = connect(server.port)
        open_ones[connection.fileno()] = connection
        came[connection.fileno()] = b""
        poller.register(connection.fileno(), select.EPOLLIN)
    busy = cpu_s(server)
    began = time.perf_counter()
    for connection in open_ones.values():
        connection.sendall(messages[sent % len(messages)])
        sent += 1
    done = 0
    end = began + ROUND_S
    while time.perf_counter() < end:
        for number, _ in poller.poll(1.0):
            connection = open_ones[number]
            data = came[number] + connection.recv(1 << 18)
            length = whole_length(data)
            if not length or len(data) < length:
                came[number] = data
                continue
            if data[9:12] != b"200":
                raise SystemExit(f"{server.name}: another answer under load: {data[:300]!r}")
            came[number] = b""
            done += 1
            connection.sendall(messages[sent % len(messages)])
            sent += 1
    spent, took = cpu_s(server) - busy, time.perf_counter() - began
    for connection in open_ones.values():
        connection.close()
    poller.close()
    return Round(done / spent, done / took)


def latencies(server: Server, asked: bytes) -> tuple[float, float]:
    """The median and the 99th percentile at one connection, ms."""
    took = []
    with connect(server.port) as connection:
        end = time.perf_counter() + LATENCY_S
        while time.perf_counter() < end:
            began = time.perf_counter_ns()
            connection.sendall(asked)
            read_answer(connection)
            took.append((time.perf_counter_ns() - began) / 1e6)
    took.sort()
    return took[len(took) // 2], took[min(len(took) - 1, len(took) * 99 // 100)]


# --- the run -----------------------------------------------------------------------------------


class Result(NamedTuple):
    per_cpu_s: float
    per_s: float
    p50_ms: float
    p99_ms: float
    cold_ms: float
    rss_mb: float


def kinds(folder: str, only: Sequence[str]) -> dict[str, Kind]:
    """The servers that can be started here, by name."""
    sqlite = f"sqlite:///{folder}"
    found = {
        "bare": own("bare", b'{"cards":[]}'),
        "floor": own("floor", b"MedicationRequest"),
        "service": production(sys.executable, f"{sqlite}/service.db", str(HERE.parent)),
        "full": own("full", b'"read": 5'),
    }
    for name, python in (("before", peers.before), ("healthchain", peers.healthchain)):
        if only and name not in only:
            continue
        made = python()
        if isinstance(made, str):
            print(f"without {name}: {made}")
        elif name == "before":
            found[name] = production(str(made), f"{sqlite}/before.db")
        else:
            command = (str(made), str(HERE / "healthchain_service.py"))
            found[name] = Kind(command, HEALTHCHAIN_PATH, b"deficient", ours=False)
    server, name = os.environ.get("BENCH_POSTGRESQL"), "service, PostgreSQL"
    if server and (not only or name in only):
        found[name] = production(sys.executable, postgresql(server), str(HERE.parent))
    return {name: kind for name, kind in found.items() if not only or name in only}


def postgresql(server: str) -> str:
    """The address of an empty database on ``server``, which has this name for every run."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS b12_bench")
        connection.execute("CREATE DATABASE b12_bench")
    made = f"{server.rpartition('/')[0]}/b12_bench"
    settings = {**os.environ, "CDS_DATABASE_URL": made, "PYTHONPATH": str(HERE.parent)}
    upgrade = [sys.executable, "-m", "cds_service", "db", "upgrade"]
    subprocess.run(upgrade, check=True, env=settings, stdout=subprocess.DEVNULL)
    return made


def measure(only: Sequence[str], rounds: int) -> dict[str, Result]:
    """Every server with the benchmark's request."""
    body = moved(request_body(), AS_OF)
    print(f"request {len(body) / 1000:.1f} kB, server on core {SERVER_CORE}, ", end="")
    print(f"load on core {CLIENT_CORE}, {CONNECTIONS} connections, median of {rounds} rounds")
    with tempfile.TemporaryDirectory() as folder, running() as servers:
        log = Path(folder, "servers.log")
        cold: dict[str, list[float]] = {}
        asked = {}
        for name, kind in kinds(folder, only).items():
            asked[name] = message(body, kind.path)
            for turn in range(COLD_STARTS):
                server = start(name, kind, asked[name], folder, log)
                servers.append(server)
                cold.setdefault(name, []).append(server.started_ms)
                if turn < COLD_STARTS - 1:
                    stop(servers.pop())
        gc.disable()
        for server in servers:  # warm up
            throughput(server, [asked[server.name]])
        came: dict[str, list[tuple[Round, tuple[float, float]]]] = {}
        for _ in range(rounds):
            for server in servers:
                one = throughput(server, [asked[server.name]])
                waits = latencies(server, asked[server.name])
                came.setdefault(server.name, []).append((one, waits))
        memory = {}
        for server in servers:
            throughput(server, [asked[server.name]], MANY)
            memory[server.name] = max(rss_mb(pid) for pid in server.family)
    median = statistics.median
    return {
        name: Result(
            median([one.per_cpu_s for one, _ in of]),
            median([one.per_s for one, _ in of]),
            median([p50 for _, (p50, _) in of]),
            median([p99 for _, (_, p99) in of]),
            min(cold[name]),
            memory[name],
        )
        for name, of in came.items()
    }


def measure_stories(only: Sequence[str], rounds: int) -> dict[str, dict[str, float]]:
    """Requests per second of CPU time with the sample stories, by hook and build."""
    names = [one for one in ("service", "before") if not only or one in only]
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder, running() as servers:
        log = Path(folder, "servers.log")
        for name, kind in kinds(folder, names).items():
            if not kind.ours or name not in names:
                continue
            asked = message(moved(stories("patient-view")[0], STORIES_AS_OF))
            servers.append(start(name, kind._replace(right=b'"cards"'), asked, folder, log))
        for hook in HOOKS:
            path = SERVICE_PATH.replace("patient-view", hook)
            messages = [message(moved(body, STORIES_AS_OF), path) for body in stories(hook)]
            came: dict[str, list[float]] = {}
            for turn in range(rounds + 1):
                for server in servers:
                    one = throughput(server, messages)
                    if turn:  # the first warms up
                        came.setdefault(server.name, []).append(one.per_cpu_s)
            found[hook] = {name: statistics.median(of) for name, of in came.items()}
    return found


@contextlib.contextmanager
def running() -> Iterator[list[Server]]:
    servers: list[Server] = []
    try:
        yield servers
    finally:
        for server in servers:
            stop(server)


class Goal(NamedTuple):
    what: str
    value: float
    goal: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        return self.value <= self.goal if self.at_most else self.value >= self.goal


def goals(results: Mapping[str, Result], told: Mapping[str, Mapping[str, float]]) -> Iterator[Goal]:
    ours = results["service"]
    for hook, goal in (("patient-view", 1.6), ("order-sign", 2.0)):
        of = told.get(hook, {})
        if {"service", "before"} <= of.keys():
            what = f"requests per CPU second, {hook} stories, of the build before"
            yield Goal(what, of["service"] / of["before"], goal)
    for name, what, goal in (
        ("before", "the same, the benchmark's request, of the build before", 1.6),
        ("healthchain", "the same, of HealthChain's constant rule", 1.2),
        ("bare", "the same, of bare Flask", 0.16),
    ):
        if name in results:
            yield Goal(what, ours.per_cpu_s / results[name].per_cpu_s, goal)
    yield Goal("99th percentile at one connection, store on, ms", ours.p99_ms, 2.0, at_most=True)
    yield Goal("a worker after 16 connections, store on, MB", ours.rss_mb, 55.0, at_most=True)
    yield Goal("start to the first correct card, ms", ours.cold_ms, 300.0, at_most=True)


def report(results: Mapping[str, Result], told: Mapping[str, Mapping[str, float]]) -> None:
    chosen = sysconfig.get_config_var("CONFIG_ARGS") or ""
    pgo = "with" if "--enable-optimizations" in chosen else "without"
    lto = "with" if "--with-lto" in chosen else "without"
    print(f"CPython {sys.version.split()[0]}, {pgo} profile-guided, {lto} link-time optimisation\n")
    print(f"{'':20}{'per CPU s':>10}{'cpu us':>9}{'per s':>9}{'p50 ms':>9}{'p99 ms':>9}", end="")
    print(f"{'start ms':>10}{'MB':>8}")
    for name, one in results.items():
        print(
            f"{name:20}{one.per_cpu_s:10,.0f}{1e6 / one.per_cpu_s:9,.0f}{one.per_s:9,.0f}"
            f"{one.p50_ms:9.2f}{one.p99_ms:9.2f}{one.cold_ms:10,.0f}{one.rss_mb:8.1f}"
        )
    for hook, of in told.items():
        said = ", ".join(f"{name} {per_cpu_s:,.0f}" for name, per_cpu_s in of.items())
        print(f"{hook} stories, requests per CPU second: {said}")
    if "service" not in results:
        return
    print(f"\n{'goal':68}{'':>9}{'here':>8}")
    for one in goals(results, told):
        side = "at most" if one.at_most else "at least"
        verdict = "met" if one.met else "MISSED"
        print(f"{one.what:68}{side:>9}{one.goal:7.2f}{one.value:9.2f}  {verdict}")


def main() -> None:
    parser = argparse.ArgumentParser(description="compare this service with its peers")
    parser.add_argument("--only", nargs="*", default=[], help="servers by name; all unless given")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--serve", choices=["bare", "floor", "full"], help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve, asked.port)
        return
    if not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) <= CLIENT_CORE:
        raise SystemExit("the benchmark needs Linux and two cores")
    os.sched_setaffinity(0, {CLIENT_CORE})
    results = measure(asked.only, asked.rounds)
    report(results, measure_stories(asked.only, asked.rounds))


if __name__ == "__main__":
    main()
