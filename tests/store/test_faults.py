"""What happens when the service is killed, and when its database is locked, full or away."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from kept import accepted, call, card, database_on_postgresql
from serving import answers, eventually, serving

from cds_service.errors import Unavailable
from cds_service.store.database import Database, consultations, feedback
from cds_service.store.keeping import Store

pytestmark = pytest.mark.sampled_file(3)

SERVICE = "b12-under-two-patient-view"


def kept_cards(database: Database) -> set[str]:
    """The cards that feedback is kept of."""
    with database._transaction(read_only=True) as connection:
        return set(connection.execute(sa.select(feedback.c.card)).scalars())


def kept_calls(database: Database) -> int:
    with database._transaction(read_only=True) as connection:
        counted = sa.select(sa.func.count()).select_from(consultations)
        return connection.execute(counted).scalar_one()


# --- killed and stopped ----------------------------------------------------------------------


def test_what_was_acknowledged_outlives_a_kill(url: str, database: Database) -> None:
    acknowledged: list[str] = []
    with serving(url, "--workers", "2") as service:

        def report(_: int) -> None:
            for _ in range(1000):
                batch = [uuid4().hex for _ in range(3)]
                try:
                    status, _body = service.report(*batch)
                except OSError:
                    return
                assert status in (200, 503)  # 503: not kept in time, so not acknowledged
                if status == 200:
                    acknowledged.extend(batch)

        with ThreadPoolExecutor(4) as clients:
            working = [clients.submit(report, n) for n in range(4)]
            eventually(lambda: len(acknowledged) >= 150)
            service.kill()
            for one in working:
                one.result()
    assert len(acknowledged) >= 150
    assert set(acknowledged) <= kept_cards(database)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_is_killed_is_replaced(url: str, database: Database, workers: int) -> None:
    """As the kernel does when memory is short: the service goes on, and counts on."""
    with serving(url, "--workers", str(workers)) as service:
        service.consult(str(uuid4()))
        eventually(lambda: kept_calls(database) == 1)
        killed, *others = service.workers()
        assert len(others) == workers - 1
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: len(set(service.workers()) - {killed}) == workers)
        assert set(others) < set(service.workers())
        eventually(lambda: answers(service))
        for _ in range(20):
            assert service.consult(str(uuid4()))
        eventually(lambda: kept_calls(database) == 21)
        if workers > 1:
            assert service.counted("cds_calls_total") == 21
        assert service.store() == {"state": "ok", "waiting": 0, "lost": 0}
        service.process.terminate()
        assert service.process.wait(30) == 0


# --- shared ----------------------------------------------------------------------------------


@pytest.mark.needs_environment("CDS_TEST_POSTGRESQL")
def test_two_services_share_one_database() -> None:
    with database_on_postgresql() as url:
        database = Database(url)
        database.upgrade()
        with serving(url) as one, serving(url) as other:
            shown = [str(uuid4()) for _ in range(10)]
            cards = [service.consult(name)[0]["uuid"] for name in shown for service in (one, other)]
            assert cards[0::2] == cards[1::2], "the same call has the same cards everywhere"
            eventually(lambda: kept_calls(database) == 20)
            first = one.report(*cards[0::2])
            again = other.report(*cards[0::2])
            assert first == (200, {"stored": 10, "repeated": 0, "unknownCards": 0})
            assert again == (200, {"stored": 0, "repeated": 10, "unknownCards": 0})
        database.close()


def test_the_workers_of_a_service_count_together_and_write_what_waits_when_stopped(
    url: str, database: Database
) -> None:
    with serving(url, "--workers", "2") as service:
        assert service.counted("cds_calls_total") == 0
        with ThreadPoolExecutor(4) as clients:
            list(clients.map(service.report, [str(uuid4()) for _ in range(20)]))
            list(clients.map(service.consult, [str(uuid4()) for _ in range(40)]))
        assert service.counted("cds_calls_total") == 40
        assert service.counted('cds_stage_seconds_count{stage="total"}') == 40
        assert service.counted("cds_feedback_total") == 20
        assert service.counted("cds_feedback_unknown_card_total") == 20
        assert service.counted("cds_store_lost_total") == 0
        service.process.terminate()
        assert service.process.wait(30) == 0
    assert kept_calls(database) == 40


# --- a database in trouble -------------------------------------------------------------------


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Someone else holds the tables."""
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield
            connection.execute("ROLLBACK")
        connection.close()
    else:
        with psycopg.connect(url) as connection:
            connection.execute("LOCK TABLE consultations, feedback, used_tokens")
            yield
            connection.rollback()


@contextmanager
def away(url: str) -> Iterator[None]:
    """No one reaches the database any more."""
    if url.startswith("sqlite"):
        folder = Path(url.removeprefix("sqlite:///")).parent
        hidden = folder.rename(folder.with_name(f"{folder.name}-hidden"))
        yield
        hidden.rename(folder)
    else:
        with altered(url, "ALLOW_CONNECTIONS false", "ALLOW_CONNECTIONS true"):
            yield


@contextmanager
def read_only(url: str) -> Iterator[None]:
    """A server that protects a full or failing disk."""
    setting = "default_transaction_read_only"
    with altered(url, f"SET {setting} = on", f"RESET {setting}"):
        yield


@contextmanager
def altered(url: str, change: str, back: str) -> Iterator[None]:
    """The database on the server changed for a while, all its connections cut both times."""
    name = url.rpartition("/")[2]
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    with psycopg.connect(os.environ["CDS_TEST_POSTGRESQL"], autocommit=True) as server:
        for statement in (change, back):
            server.execute(f'ALTER DATABASE "{name}" {statement}')  # type: ignore[arg-type]
            server.execute(cut, [name])
            if statement is change:
                yield


TROUBLES = [
    pytest.param("sqlite", locked),
    pytest.param("sqlite", away),
    *(
        pytest.param("postgresql", one, marks=pytest.mark.needs_environment("CDS_TEST_POSTGRESQL"))
        for one in (locked, away, read_only)
    ),
]


@pytest.mark.parametrize(("url", "trouble"), TROUBLES, indirect=["url"])
def test_in_trouble_calls_wait_feedback_is_refused_and_both_come_back_by_themselves(
    url: str, database: Database, store: Store, trouble: Callable[[str], object]
) -> None:
    store.record_consultation(call(card("before")))
    assert store.flush()
    database.close()
    with trouble(url):  # type: ignore[attr-defined]
        for number in range(20):  # had one waited for the database, none would return in here
            store.record_consultation(call(card(f"meanwhile {number}")))
        with pytest.raises(Unavailable):
            store.record_feedback(SERVICE, None, [accepted("before")])
        with pytest.raises(Unavailable):
            store.use_token("https://a", "1", 2_000_000_000)
        assert store.health().state == "unavailable"
    assert store.flush(20)
    assert store.health() == type(store.health())("ok", 0, 0)
    assert kept_calls(database) == 21
    assert len(store.record_feedback(SERVICE, None, [accepted("before")]).new) == 1
    assert store.use_token("https://a", "1", 2_000_000_000)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="Linux alone lifts it from outside")
def test_a_full_disk_costs_no_card_and_is_got_over(tmp_path: Path) -> None:
    """No file of the service may grow beyond 200 KB, until that is lifted."""

    def starve() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))

    url = f"sqlite:///{tmp_path}/store.sqlite"
    with serving(url, starve=starve) as service:
        database = Database(url)
        calls = 0

        def full() -> bool:
            nonlocal calls
            for _ in range(20):
                assert service.consult(str(uuid4()))
                calls += 1
            return bool(service.store()["state"] == "unavailable")

        eventually(full)
        status, said = service.report(*(f"{n:0250}" for n in range(900)))
        assert (status, said["resourceType"]) == (503, "OperationOutcome")
        assert service.counted("cds_store_unavailable") == 1
        for worker in service.workers():
            resource.prlimit(worker, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        eventually(lambda: service.store() == {"state": "ok", "waiting": 0, "lost": 0})
        eventually(lambda: kept_calls(database) == calls)
        assert service.report("1")[0] == 200
        database.close()
