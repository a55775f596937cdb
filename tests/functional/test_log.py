"""A log that no one reads: the service answers, and says afterwards how much of it is missing."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bodies import request_of
from served import PATIENCE_S, environment, free_port, kill, wait_until_ready

pytestmark = pytest.mark.sampled_file(2)

SERVICE = "b12-under-two-patient-view"
ROOT = Path(__file__).parents[2]
CALLS = 60


def call(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    body = json.dumps(request_of("vegan-mother-low-b12-six-months"))
    connection.request(
        "POST", f"/cds-services/{SERVICE}", body, {"Content-Type": "application/json"}
    )
    status = connection.getresponse().status
    connection.close()
    return status


def dropped(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    [line] = [one for one in lines if one.startswith("cds_log_lines_dropped_total ")]
    return int(float(line.rpartition(" ")[2]))


def small_pipe() -> tuple[int, int]:
    """As small as it can be: full after a few calls."""
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4_096)
    return read, write


def small_socket() -> tuple[int, int]:
    """What systemd gives a service for its journal is a socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    return ours.detach(), theirs.detach()


def all_that_is_there(number: int) -> bytes:
    os.set_blocking(number, False)
    found = b""
    try:
        while piece := os.read(number, 1 << 16):
            found += piece
    except BlockingIOError:
        pass
    return found


@pytest.mark.parametrize("ends", [small_pipe, small_socket])
def test_calls_are_answered_while_no_one_reads_the_log_and_what_is_missing_is_said_once(
    ends: object,
) -> None:
    read, write = ends()  # type: ignore[operator]
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "cds_service", "serve", "--port", str(port)],
        cwd=ROOT,
        env=environment(),
        stdout=write,
        stderr=write,
        start_new_session=True,
    ) as process:
        os.close(write)
        try:
            wait_until_ready(process, port)
            assert [call(port) for _ in range(CALLS)] == [200] * CALLS
            missing = dropped(port)
            assert 0 < missing < CALLS
            log = all_that_is_there(read)
            assert [call(port) for _ in range(3)] == [200] * 3
            log += all_that_is_there(read)
            assert dropped(port) == missing
            # A worker that ends is replaced, though what the server says of it is not read.
            for _ in range(CALLS):
                call(port)
            worker = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
            os.kill(worker, signal.SIGKILL)
            until = time.monotonic() + PATIENCE_S
            while worker_of(process.pid) in {0, worker}:
                assert time.monotonic() < until
                time.sleep(0.05)
            wait_until_ready(process, port)
            assert call(port) == 200
            process.terminate()
            assert process.wait(PATIENCE_S) == 0
        finally:
            if process.poll() is None:
                kill(process)  # type: ignore[arg-type]
            os.close(read)
    said = [json.loads(line) for line in log.splitlines() if line.startswith(b"{")]
    calls = [one for one in said if one.get("service") == SERVICE]
    told = [one for one in said if one.get("log") == "lines dropped"]
    assert [one["count"] for one in told] == [missing]
    assert len(calls) + missing == CALLS + 3
    # The number comes where they are missing, and every line that is there is whole.
    assert said.index(told[0]) == len(said) - 4


def worker_of(process: int) -> int:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return int(children[0]) if children else 0


LINES = """
import os, sys
from cds_service.store import log
def refuse(*given): raise PermissionError
if sys.argv[1] == "not opened again": os.open = refuse
missing = []
log.never_wait(lambda: missing.append(1))
for number in range(200): log.log_line({"number": number, "words": "x" * int(sys.argv[2])})
sys.stderr.write(str(len(missing)))
"""


@pytest.mark.parametrize("opened", ["opened again", "not opened again"])
@pytest.mark.parametrize("length", [10, 5_000])
def test_every_line_is_whole_or_counted_however_the_pipe_can_be_written_to(
    opened: str, length: int
) -> None:
    """A line longer than what is written in one piece may be taken in part: then nothing follows
    until its rest was."""
    read, write = small_pipe()
    done = subprocess.run(
        [sys.executable, "-c", LINES, opened, str(length)],
        cwd=ROOT,
        env=environment(),
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_S,
    )
    os.close(write)
    assert done.returncode == 0, done.stderr
    lines = all_that_is_there(read).splitlines(keepends=True)
    os.close(read)
    assert lines
    whole = [json.loads(line) for line in lines if line.endswith(b"\n")]
    assert [one["number"] for one in whole] == list(range(len(whole)))
    assert len(lines) + int(done.stderr) == 200
