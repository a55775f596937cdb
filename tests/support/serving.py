"""The service as processes of its own, to be stopped, starved and killed."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from served import PATIENCE_S, kill, running

from cds_service.workbench import samples

SERVICE = "/cds-services/b12-under-two-patient-view"
STORY = "b12-below-100"


@cache
def request() -> dict[str, Any]:
    """A call that is answered with cards."""
    folder = samples.find_folder(Path(samples.__file__).parents[1])
    assert folder is not None
    return dict(samples.stories(folder)[STORY].request)


@cache
def day() -> str:
    folder = samples.find_folder(Path(samples.__file__).parents[1])
    assert folder is not None
    return samples.stories(folder)[STORY].as_of.isoformat()


class Service:
    """One running service. Every method opens a connection of its own."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    def ask(self, path: str, body: object = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            if body is None:
                connection.request("GET", path)
            else:
                headers = {"Content-Type": "application/json"}
                connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def consult(self, hook_instance: str) -> list[dict[str, Any]]:
        status, body = self.ask(SERVICE, {**request(), "hookInstance": hook_instance})
        assert status == 200, body
        cards: list[dict[str, Any]] = json.loads(body)["cards"]
        return cards

    def report(self, *cards: str) -> tuple[int, dict[str, Any]]:
        items = [
            {"card": one, "outcome": "overridden", "outcomeTimestamp": "2026-01-15T09:30:00.5Z"}
            for one in cards
        ]
        status, body = self.ask(f"{SERVICE}/feedback", {"feedback": items})
        return status, json.loads(body)

    def store(self) -> dict[str, Any]:
        """What `/readyz` says of the store; the service itself is always ready."""
        status, body = self.ask("/readyz")
        assert status == 200
        said = json.loads(body)
        assert said["status"] == ("degraded" if said["store"]["state"] == "unavailable" else "ok")
        return dict(said["store"])

    def counted(self, name: str) -> float:
        """The sum of a metric over its labels."""
        status, body = self.ask("/metrics")
        assert status == 200
        lines = body.decode().splitlines()
        return sum(float(one.rpartition(" ")[2]) for one in lines if one.startswith(name))

    def workers(self) -> list[int]:
        tasks = f"/proc/{self.process.pid}/task"
        found: list[int] = []
        for task in os.listdir(tasks):
            with suppress(FileNotFoundError):  # a thread that ended meanwhile
                children = Path(f"{tasks}/{task}/children").read_text()
                found += map(int, children.split())
        return found

    def kill(self) -> None:
        kill(self.process)


@contextmanager
def serving(
    database: str, *options: str, starve: Callable[[], None] | None = None, **variables: str
) -> Iterator[Service]:
    """`serve --demo` over this database, on the day of the story."""
    told = {"CDS_DATABASE_URL": database, "CDS_AS_OF": day(), **variables}
    silence = Path(os.devnull)
    with running("--demo", *options, log=silence, starve=starve, **told) as (process, port):
        yield Service(process, port)


def answers(service: Service) -> bool:
    assert service.process.poll() is None, "the service ended"
    with suppress(OSError):
        return service.ask("/healthz")[0] == 200
    return False


def eventually(holds: Callable[[], bool], patience: float = PATIENCE_S) -> None:
    until = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < until, "it did not come to hold"
        time.sleep(0.05)
