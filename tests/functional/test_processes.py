"""How the processes of `serve` end, are replaced, and outlive one another."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from served import PATIENCE_S, ROOT, environment, running, wait_until_ready

from cds_service.commands.processes import GRACE_S, _Body

pytestmark = pytest.mark.sampled_file(3)

#: What a stop may take in all where nothing is being answered, and the least that it took when it
#: waited for callers, who have ten seconds for a head, and for a body as long as they like.
LONGEST_S = 3.0
FORMERLY_S = 9.5
PATH = "/cds-services/b12-under-two-patient-view"
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\n".encode()
ASKED: dict[str, object] = {
    "hook": "patient-view",
    "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
    "context": {"userId": "Practitioner/1", "patientId": "p1"},
}
CHILD = {"resourceType": "Patient", "id": "p1", "birthDate": "2015-01-01"}


def call(port: int, body: dict[str, object]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("POST", PATH, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(one) for one in children.read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def stop(process: subprocess.Popen[str]) -> tuple[float, str]:
    """The seconds it took, and its output; no worker had to be killed."""
    began = time.monotonic()
    process.terminate()
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    assert "Killing" not in said
    return time.monotonic() - began, said


@contextmanager
def begun(port: int, sent: bytes, count: int = 1) -> Iterator[list[socket.socket]]:
    """Callers that began to send ``sent`` and never go on."""
    with ExitStack() as open_ones:
        made = [
            open_ones.enter_context(socket.create_connection(("127.0.0.1", port)))
            for _ in range(count)
        ]
        for one in made:
            one.sendall(sent)
        time.sleep(0.3)
        yield made


# --- a stop ----------------------------------------------------------------------------------


@pytest.mark.sampled(3)
@pytest.mark.parametrize("later", [0.0, 0.02, 0.05, 0.1, 0.2, 0.4])
def test_a_stop_while_workers_still_begin_is_followed_by_all_of_them(later: float) -> None:
    """They were killed after ten seconds: they still had the handlers of the main process."""
    with running("--workers", "3") as (process, _):
        time.sleep(later)
        took, _said = stop(process)
        assert took < FORMERLY_S


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("sent", "count"),
    [
        (b"", 3),
        (HEAD[:30], 3),
        (HEAD + b"X-A: ", 3),
        (HEAD + b"Content-Length: 1000\r\n\r\n{", 1),
        (HEAD + b"Content-Length: 1000\r\n\r\n{", 70),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{", 3),
    ],
)
def test_a_stop_does_not_wait_for_what_callers_never_finish(sent: bytes, count: int) -> None:
    assert GRACE_S < LONGEST_S
    with running("--workers", "2") as (process, port), begun(port, sent, count):
        took, _said = stop(process)
        assert took < FORMERLY_S


def test_a_stop_waits_for_a_call_that_is_being_answered() -> None:
    """It is answered after the callers that never finish were given up."""
    deadline = GRACE_S + 2
    with (
        socket.create_server(("127.0.0.1", 0)) as hangs,
        running("--demo", CDS_FHIR_DEADLINE_MS=str(int(deadline * 1000))) as (process, port),
        ThreadPoolExecutor(1) as caller,
        begun(port, HEAD + b"Content-Length: 1000\r\n\r\n{"),
    ):
        server = f"http://127.0.0.1:{hangs.getsockname()[1]}/fhir"
        waiting = caller.submit(call, port, {**ASKED, "fhirServer": server})
        with hangs.accept()[0]:  # the call has reached it
            stop(process)
        assert waiting.result() == 412


def test_a_body_that_arrives_during_a_stop_is_still_answered() -> None:
    body = json.dumps({**ASKED, "prefetch": {"patient": CHILD}}).encode()
    head = HEAD + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with running() as (process, port), begun(port, head + body[:50]) as (slow,):
        process.terminate()
        time.sleep(GRACE_S / 4)
        slow.sendall(body[50:])
        slow.settimeout(PATIENCE_S)
        assert slow.recv(1000).startswith(b"HTTP/1.1 200")
        assert process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_changes_nothing(told: signal.Signals) -> None:
    """As from a terminal, where all processes get it, from a hasty operator again and again."""
    body = HEAD + b"Content-Length: 1000\r\n\r\n{"
    with running("--workers", "2") as (process, port), begun(port, body):
        for _ in range(4):
            os.killpg(process.pid, told)
            time.sleep(0.1)
        said, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, said
        assert "Killing" not in said
        assert "Traceback" not in said


# --- an end without a signal --------------------------------------------------------------


@pytest.mark.parametrize("stalled", [0, 3])
def test_workers_end_when_their_parent_is_killed(stalled: int) -> None:
    with running("--workers", "3") as (process, port):
        until(lambda: len(workers_of(process)) == 3)
        workers = workers_of(process)
        with begun(port, HEAD + b"Content-Length: 1000\r\n\r\n{", stalled):
            process.kill()
            process.wait(PATIENCE_S)
            until(lambda: not any(map(is_alive, workers)))
        with socket.create_server(("127.0.0.1", port)):
            pass  # and leave the port to others


def test_a_connection_waits_for_the_successor_of_a_killed_worker() -> None:
    with running() as (process, port):
        (worker,) = workers_of(process)
        os.kill(worker, signal.SIGKILL)
        until(lambda: not is_alive(worker))
        assert call(port, {**ASKED, "prefetch": {"patient": CHILD}}) == 200


# --- replaced without losing a call ------------------------------------------------------------


@contextmanager
def handed(listening: list[socket.socket], port: int) -> Iterator[subprocess.Popen[str]]:
    """The service with sockets handed over as systemd does: from descriptor 3 on, counted."""
    code = (
        "import os, sys\n"
        "for goal, given in enumerate(map(int, sys.argv[1].split(','))): os.dup2(given, 3 + goal)\n"
        "os.environ['LISTEN_FDS'] = str(1 + sys.argv[1].count(','))\n"
        "os.environ['LISTEN_PID'] = str(os.getpid())\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'cds_service', 'serve', *sys.argv[2:]])"
    )
    # Where one of them has a number that another gets, it would be closed.
    # A free one, not a given one: it could be a caller's connection, which would be cut.
    high = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 200) for one in listening]
    numbers = ",".join(map(str, high))
    with subprocess.Popen(
        [sys.executable, "-c", code, numbers, "--workers", "2"],
        cwd=ROOT,
        env=environment(CDS_QUEUE_MS="5000"),  # nothing is refused for its age
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        pass_fds=high,
    ) as process:
        for one in high:
            os.close(one)
        try:
            wait_until_ready(process, port)
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


@pytest.mark.parametrize("sockets", [1, 2])
def test_it_is_replaced_without_losing_a_call(sockets: int) -> None:
    """The socket stays open while no process answers on it: a caller waits, and is answered."""
    first = socket.create_server(("127.0.0.1", 0), backlog=1024, reuse_port=True)
    port = first.getsockname()[1]
    more = [
        socket.create_server(("127.0.0.1", port), backlog=1024, reuse_port=True)
        for _ in range(sockets - 1)
    ]
    outcomes: Counter[int | str] = Counter()
    done = threading.Event()

    def calls() -> None:
        while not done.is_set():
            try:
                outcomes[call(port, {**ASKED, "prefetch": {"patient": CHILD}})] += 1
            except OSError as error:
                outcomes[repr(error)] += 1

    with ExitStack() as sockets_held, ThreadPoolExecutor(4) as callers:
        for one in (first, *more):
            sockets_held.enter_context(one)
        try:
            for _ in range(3):
                with handed([first, *more], port) as process:
                    if not outcomes:
                        for _caller in range(4):
                            callers.submit(calls)
                    before = outcomes[200]
                    until(lambda seen=before: outcomes[200] > seen + 50)
                    stop(process)
        finally:
            with handed([first, *more], port):
                done.set()
                callers.shutdown()
    assert set(outcomes) == {200}, outcomes


def test_a_body_may_be_read_whole() -> None:
    """As Flask reads it, which does not say how much."""

    class Server:
        def read(self, size: int | None = None) -> bytes:
            if size is not None and size < 0:
                raise OverflowError  # as the server's own, in Rust
            return b"{}"[:size]

    running = {7}
    body = _Body(Server(), running, 7)  # type: ignore[arg-type]
    assert (body.read(), body.read(-1), body.read(1)) == (b"{}", b"{}", b"{")
    assert running == {7}
