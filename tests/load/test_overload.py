"""More calls than a worker can answer, against a running service; judged by counts alone.

The long form, with milliseconds, is `make load`.
"""

from __future__ import annotations

import copy
import http.client
import json
import socket
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from bodies import request_of as story
from callers import Callers, request_of
from served import PATIENCE_S, running

pytestmark = pytest.mark.sampled_file(2)

SERVICE = "b12-under-two-order-sign"


def orders(count: int) -> bytes:
    """A basket of so many drafts: a call that takes a while."""
    sent = story("order-sign-milligrams-for-micrograms")
    bundle = sent["context"]["draftOrders"]
    first = bundle["entry"][0]
    bundle["entry"] = [copy.deepcopy(first) for _ in range(count)]
    for number, entry in enumerate(bundle["entry"]):
        entry["resource"]["id"] = f"draft-{number}"
    return json.dumps(sent).encode()


def kept(database: Path) -> Counter[int]:
    """How many calls were kept, by status."""
    with closing(sqlite3.connect(database)) as connection:
        return Counter(
            dict(connection.execute("SELECT status, count(*) FROM consultations GROUP BY 1"))
        )


def counted(port: int, name: str) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def held_by_worker(process: int) -> int:
    """How many bytes of memory it has now."""
    [worker] = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    status = Path(f"/proc/{worker}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def test_what_is_too_much_is_refused_and_what_was_answered_is_kept(tmp_path: Path) -> None:
    """However slow the machine is: here it is the length of the line that decides."""
    dear, cheap = request_of(SERVICE, orders(20)), request_of(SERVICE, orders(1))
    log = tmp_path / "log"
    url = f"sqlite:///{tmp_path}/kept.sqlite"
    with running(CDS_DATABASE_URL=url, CDS_QUEUE_MS="10000", log=log) as (process, port):
        many, other = Callers(port, 300, "127.0.0.2"), Callers(port, 1, "127.0.0.3")
        flood = threading.Thread(target=many.call, args=(lambda number: dear, 400.0, 2.0, 60.0))
        flood.start()
        beside = [other.call(lambda number: cheap, 1000.0, 0.001, 60.0) for _ in range(5)]
        flood.join()
        statuses = Counter(one.status for one in many.came)
        assert statuses.keys() == {200, 503}
        assert statuses[200] > 5
        assert statuses[503] > 20
        refusals = [one for one in many.came if one.status == 503]
        assert all(b"retry-after: 5" in one.head.lower() for one in refusals)
        issues = {json.loads(one.body)["issue"][0]["code"] for one in refusals}
        assert issues == {"throttled"}
        # One that calls now and then has its turn among a hundred of another's calls.
        assert [one.status for came in beside for one in came] == [200] * 5
        assert counted(port, "cds_shed_total") == statuses[503]
        many.close()
        other.close()
        process.terminate()
        process.wait(PATIENCE_S)
    assert kept(tmp_path / "kept.sqlite") == {200: statuses[200] + 5}
    said = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line[0] == "{"]
    shed = [one for one in said if "shed" in one]
    assert shed[0] | {"time": ""} == {
        "time": "", "level": "warning", "status": 503, "shed": 1, "for": SERVICE,
    }  # fmt: skip
    # Not a line for each: once a second at most.
    assert len(shed) < 10
    assert sum(one["shed"] for one in shed) <= statuses[503]


def test_what_waited_too_long_is_refused(tmp_path: Path) -> None:
    dear = request_of(SERVICE, orders(60))
    with running(CDS_QUEUE_MS="50", log=tmp_path / "log") as (_, port):
        callers = Callers(port, 40)
        came = callers.call(lambda number: dear, 60.0, 3.0, 60.0)
        assert Counter(one.status for one in came).keys() == {200, 503}
        # No one is refused when it is over.
        assert [one.status for one in callers.call(lambda number: dear, 1000.0, 0.001)] == [200]
        callers.close()


@pytest.mark.parametrize("stays", [True, False])
def test_an_answer_that_no_one_waits_for_is_not_kept_as_shown(
    tmp_path: Path, *, stays: bool
) -> None:
    database, request = tmp_path / "kept.sqlite", request_of(SERVICE, orders(200))
    with running(CDS_DATABASE_URL=f"sqlite:///{database}", log=tmp_path / "log") as (_, port):
        if stays:
            callers = Callers(port, 1)
            [came] = callers.call(lambda number: request, 1000.0, 0.001, 60.0)
            callers.close()
            assert came.status == 200
            assert json.loads(came.body)["cards"]
        else:
            with socket.create_connection(("127.0.0.1", port)) as caller:
                caller.sendall(request)
                time.sleep(0.02)  # what hangs up before it is read is not even begun
        until = time.monotonic() + PATIENCE_S
        while not (database.exists() and (found := statuses_in(database))):
            assert time.monotonic() < until
            time.sleep(0.05)
    assert found == ({200: 1} if stays else {499: 1})
    with closing(sqlite3.connect(database)) as connection:
        [(cards,)] = connection.execute("SELECT count(*) FROM cards")
    assert bool(cards) is stays


def statuses_in(database: Path) -> Counter[int]:
    try:
        return kept(database)
    except sqlite3.OperationalError:  # not made yet
        return Counter()


def test_a_thousand_connections_hold_no_more_than_their_sockets(tmp_path: Path) -> None:
    """Each has sent a body of 16 kB, which no one holds any more. With the server's memory as
    it comes they cost 40 kB each."""
    body = request_of("b12-under-two-patient-view", b"{" + b" " * 16_000)
    with running(log=tmp_path / "log", CDS_QUEUE_MS="10000") as (process, port):
        few, many = Callers(port, 8), Callers(port, 1_000)
        few.call(lambda number: body, 100.0, 1.0, 60.0)
        before = held_by_worker(process.pid)
        for _ in range(3):
            came = many.call(lambda number: body, 1_000.0, 1.0, 60.0)
            assert {one.status for one in came} == {400}
            assert len(came) > 900  # the others were not accepted in time
        assert held_by_worker(process.pid) - before < 1_000 * 25_000
        few.close()
        many.close()


def test_a_stranger_finds_nothing_at_the_address_of_the_pulse() -> None:
    with running() as (_, port):
        for path in ("/pulse", "/pulse?x"):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("POST", path, "", {"Content-Type": "application/json"})
            assert connection.getresponse().status == 404
            connection.close()
