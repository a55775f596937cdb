"""While the database is known not to work, no caller waits for it."""

from __future__ import annotations

import re
import select
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from kept import accepted, database_on_postgresql

from cds_service.errors import Unavailable
from cds_service.store import metrics
from cds_service.store.database import Database
from cds_service.store.keeping import Store

pytestmark = pytest.mark.sampled_file(1)

SERVICE = "b12-under-two-patient-view"
UNTIL = 2_000_000_000


def failed_fast() -> float:
    (found,) = re.findall(
        r"^cds_store_failed_fast_total (\S+)", metrics.exposition().decode(), re.MULTILINE
    )
    return float(found)


def refused(store: Store, number: int) -> bool:
    try:
        store.use_token("https://a", str(number), UNTIL)
    except Unavailable:
        return True
    return False


def eventually_takes(store: Store) -> None:
    ends = time.monotonic() + 30
    number = 1000
    while refused(store, number):
        assert time.monotonic() < ends
        time.sleep(0.05)
        number += 1


def assert_others_do_not_wait(store: Store) -> None:
    """After one has found out."""
    assert refused(store, 0)
    assert store.health().state == "unavailable"
    before = failed_fast()
    assert all(refused(store, number) for number in range(1, 21))
    with pytest.raises(Unavailable):
        store.record_feedback(SERVICE, None, [accepted("a")])
    assert failed_fast() - before == 21


def test_a_locked_file_holds_one_caller_and_no_other(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/store.sqlite")
    store.start()
    eventually_takes(store)
    with closing(sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert_others_do_not_wait(store)
        other.execute("ROLLBACK")
    eventually_takes(store)
    assert len(store.record_feedback(SERVICE, None, [accepted("a")]).new) == 1
    store.close()


class Relay:
    """Passes on what is sent to a server and what it answers, unless it is frozen."""

    def __init__(self, host: str, port: int) -> None:
        self._there = (host, port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.flows = threading.Event()
        self.flows.set()
        self._ended = False

    @contextmanager
    def at_work(self) -> Iterator[Relay]:
        accepting = threading.Thread(target=self._accept)
        accepting.start()
        try:
            yield self
        finally:
            self._ended = True
            self.flows.set()
            accepting.join()
            self._listening.close()

    def _accept(self) -> None:
        passing = []
        while not self._ended:
            if select.select([self._listening], [], [], 0.05)[0]:
                here = self._listening.accept()[0]
                passing.append(threading.Thread(target=self._pass_on, args=(here,)))
                passing[-1].start()
        for one in passing:
            one.join()

    def _pass_on(self, here: socket.socket) -> None:
        with here, socket.create_connection(self._there) as there:
            other = {here: there, there: here}
            while not self._ended:
                for one in select.select(list(other), [], [], 0.05)[0]:
                    self.flows.wait()
                    try:
                        sent = one.recv(65_536)
                        other[one].sendall(sent)
                    except OSError:
                        return
                    if not sent:
                        return


@pytest.mark.needs_environment("CDS_TEST_POSTGRESQL")
def test_a_frozen_server_holds_one_caller_and_no_other() -> None:
    """It accepts connections and answers nothing, so none of its own limits is kept."""
    with database_on_postgresql() as url:
        found = re.search(r"@([^:/]+):(\d+)/", url)
        assert found
        database = Database(url)
        database.upgrade()
        database.close()
        with Relay(found[1], int(found[2])).at_work() as relay:
            through = url.replace(found[0], f"@127.0.0.1:{relay.port}/")
            store = Store(through)
            store.start()
            eventually_takes(store)
            relay.flows.clear()
            assert_others_do_not_wait(store)
            relay.flows.set()
            eventually_takes(store)
            assert len(store.record_feedback(SERVICE, None, [accepted("a")]).new) == 1
            store.close()
