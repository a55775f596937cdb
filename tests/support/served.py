"""The command `serve` as a process of its own, for tests that speak to it over a socket."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    return {**kept, "CDS_DATABASE_URL": "none", **more}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    *options: str,
    log: Path | None = None,
    starve: Callable[[], None] | None = None,
    **variables: str,
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The process, in a group of its own, and its port. All it says goes to ``log``, so that it may
    say much, or else to pipes. ``starve`` is called in it first, to take from it what it needs."""
    port = free_port()
    said = log.open("wb") if log else nullcontext(subprocess.PIPE)
    with (
        said as written,
        subprocess.Popen(
            [sys.executable, "-m", "cds_service", "serve", "--port", str(port), *options],
            cwd=ROOT,
            env=environment(**variables),
            stdout=written,
            stderr=subprocess.STDOUT if log else written,
            encoding="utf-8",
            start_new_session=True,
            preexec_fn=starve,
        ) as process,
    ):
        try:
            wait_until_ready(process, port)
            yield process, port
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                kill(process)
                raise


def refused(*options: str, **variables: str) -> str:
    """What `serve` says when it does not start."""
    done = subprocess.run(
        [sys.executable, "-m", "cds_service", "serve", "--port", str(free_port()), *options],
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "Listening" not in done.stdout
    return done.stderr


def kill(process: subprocess.Popen[str]) -> None:
    """Ends all of it at once, as a power cut would, or the kernel short of memory."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE_S)


def wait_until_ready(
    process: subprocess.Popen[str], port: int, patience_s: float = PATIENCE_S
) -> None:
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            assert connection.getresponse().status == 200
            return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    pytest.fail("the service did not become ready")
