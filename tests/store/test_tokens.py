"""A token is valid for one call, whatever the clocks of services and database say."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kept import ON_POSTGRESQL, call, card, count, everything

from cds_service.store import metrics
from cds_service.store.database import Database
from cds_service.store.keeping import EVEN_S, TOKENS_KEPT, Health, Store, _Clocks
from cds_service.store.ledger import Ledger


def lines_of(said: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.readouterr().out.splitlines()]


def test_a_token_is_good_once_for_its_issuer(store: Store) -> None:
    until = datetime.now(UTC) + timedelta(minutes=5)  # noqa: TID251
    assert store.use_token("https://a", "1", until)
    assert not store.use_token("https://a", "1", until)
    assert not store.use_token("https://a", "1", int(until.timestamp()))
    assert store.use_token("https://a", "2", until)
    assert store.use_token("https://b", "1", until)
    assert store.use_token("https://a|", "1", until)
    assert store.use_token("https://a", "|1", until)


def test_of_many_that_use_a_token_at_once_one_is_let_in(url: str, database: Database) -> None:
    stores = [Store(url) for _ in range(4)]
    let_in: list[str] = []
    start = threading.Barrier(8)

    def use(store: Store) -> None:
        start.wait()
        for number in range(10):
            if store.use_token("https://a", str(number), 2_000_000_000):
                let_in.append(str(number))

    threads = [threading.Thread(target=use, args=(one,)) for one in stores * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(let_in) == [str(number) for number in range(10)]
    for store in stores:
        store.close()


class Hands:
    """A machine's clock, which the test sets, and the time that passes whatever it is set to."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.passed = 0.0
        self.clock = datetime.now(UTC).timestamp() + ahead_s  # noqa: TID251

    @property
    def clock(self) -> float:
        return self._ahead + self.passed

    @clock.setter
    def clock(self, seconds: float) -> None:
        self._ahead = seconds - self.passed

    def wait(self, seconds: float) -> None:
        self.passed += seconds

    def store(self, url: str) -> Store:
        return Store(url, clock=lambda: self.clock, passed=lambda: self.passed)


def tidied_for_hours(store: Store, hands: Hands, hours: float) -> None:
    """As the store's thread does, over and over, though not every five seconds."""
    store._tidy()
    for _ in range(int(hours * 4)):
        hands.wait(900)
        store._tidy()


ON_SQLITE = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


@ON_SQLITE
@pytest.mark.parametrize("ahead_s", [-86_400, -7200, -1200, 0, 1200, 7200, 86_400])
def test_no_token_is_good_twice_for_two_services_whose_clocks_differ(
    ahead_s: float, url: str, database: Database
) -> None:
    """The other service forgets by its own clock as long as it likes; this one is never late."""
    hands, others = Hands(), Hands(ahead_s)
    here, other = hands.store(url), others.store(url)
    until = int(hands.clock) + 330
    assert here.use_token("https://a", "1", until)
    tidied_for_hours(other, others, 1.25)
    assert not here.use_token("https://a", "1", until)
    tidied_for_hours(other, others, 40)
    assert count(database, "used_tokens") == 1, "it was forgotten, and up to when is kept"
    assert not here.use_token("https://a", "1", until)
    for store in (here, other):
        store.close()


@ON_SQLITE
@pytest.mark.parametrize("jump_s", [1200, 86_400, 400 * 86_400])
def test_a_clock_that_jumps_and_returns_forgets_nothing(
    jump_s: float, url: str, database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    hands = Hands()
    store = hands.store(url)
    tidied_for_hours(store, hands, 2)
    until = int(hands.clock) + 330
    assert store.use_token("https://a", "1", until)
    hands.clock += jump_s
    tidied_for_hours(store, hands, EVEN_S / 3600 - 0.25)
    hands.clock -= jump_s
    tidied_for_hours(store, hands, 1)
    assert not store.use_token("https://a", "1", until)
    assert store.use_token("https://a", "new", int(hands.clock) + 330), "nothing else is refused"
    assert [line["byS"] for line in lines_of(capfd) if line.get("clock") == "jumped"] == [
        jump_s,
        -jump_s,
    ]
    store.close()


@ON_SQLITE
def test_a_wrong_clock_that_was_believed_costs_calls_and_never_a_replay(
    url: str, database: Database
) -> None:
    hands = Hands()
    store = hands.store(url)
    start = int(hands.clock)
    assert store.use_token("https://a", "1", start + 330)
    hands.clock += 86_400
    tidied_for_hours(store, hands, 1.25)
    hands.clock = start
    assert not store.use_token("https://a", "1", start + 330)
    assert not store.use_token("https://a", "below", start + 329)
    assert not store.use_token("https://a", "on", start + 330)
    assert store.use_token("https://a", "above", start + 331)
    store.close()


@pytest.mark.parametrize(("expired_s", "kept"), [(-60, 1), (60, 0)])
def test_a_used_token_is_forgotten_hours_after_it_expired(
    expired_s: int, kept: int, url: str, database: Database, ledger: Ledger
) -> None:
    """By the database's clock, which only PostgreSQL has besides this machine's."""
    hands = Hands()
    store = hands.store(url)
    store._tidy()
    store._clocks._even_since -= EVEN_S
    now = datetime.fromtimestamp(hands.clock, UTC)
    until = now - TOKENS_KEPT - timedelta(seconds=expired_s)
    store.use_token("https://a", "1", until)
    store._tidy()
    assert ledger.forget_tokens(datetime(2000, 1, 1, tzinfo=UTC)) == 0
    assert ("forgotten" in everything(database)) == (not kept)
    assert count(database, "used_tokens") == 1
    assert not store.use_token("https://a", "1", until)
    store.close()


@pytest.mark.parametrize(("expires_s", "gone"), [(-1, 1), (0, 0), (1, 0)])
def test_a_token_is_forgotten_when_it_expired_before(
    expires_s: int, gone: int, store: Store, database: Database, ledger: Ledger
) -> None:
    before = 2_000_000_000
    store.use_token("https://a", "1", before + expires_s)
    assert ledger.forget_tokens(datetime.fromtimestamp(before, UTC)) == gone
    assert not store.use_token("https://a", "1", before + expires_s)


@pytest.mark.parametrize(("most", "left"), [(2, 2), (3, 1), (4, 1)])
def test_tokens_are_forgotten_some_at_a_time(
    most: int, left: int, store: Store, database: Database, ledger: Ledger
) -> None:
    start = 2_000_000_000
    for number in range(3):
        store.use_token("https://a", str(number), start + number)
    assert ledger.forget_tokens(datetime.fromtimestamp(start + 100, UTC), most) == min(most, 3)
    assert count(database, "used_tokens") == left, "and the row that says up to when"
    assert not any(store.use_token("https://a", str(one), start + one) for one in range(3))


@ON_SQLITE
def test_tokens_are_forgotten_while_calls_keep_coming(url: str, database: Database) -> None:
    """The thread used to forget when it had nothing to write, which under load is never."""
    hands = Hands()
    store = hands.store(url)
    store.use_token("https://a", "1", int(hands.clock) - 86_400)
    stop = threading.Event()

    def call_on() -> None:
        while not stop.wait(0.001):
            store.record_consultation(call(card("a")))

    calling = threading.Thread(target=call_on)
    calling.start()
    try:
        assert store.flush()
        for _ in range(200):
            hands.wait(EVEN_S)
            if "forgotten" in everything(database):
                break
            time.sleep(0.05)
        assert "forgotten" in everything(database)
        assert count(database, "used_tokens") == 1
    finally:
        stop.set()
        calling.join()
        store.close()


@pytest.mark.parametrize(("ahead_s", "differs"), [(59, False), (61, True), (-61, True)])
def test_a_clock_that_differs_from_the_databases_is_said(
    ahead_s: float, differs: bool, database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    hands = Hands()
    clocks = _Clocks(lambda: hands.clock + ahead_s, lambda: hands.passed)
    clocks.compare(lambda: datetime.fromtimestamp(hands.clock, UTC))
    assert clocks.differ_by == (ahead_s if differs else 0)
    said = [line for line in lines_of(capfd) if "clock" in line]
    assert [line["aheadS"] for line in said] == ([ahead_s] if differs else [])
    assert f"cds_clock_difference_seconds {float(abs(ahead_s))}" in metrics.exposition().decode()


@pytest.mark.parametrize("url", [ON_POSTGRESQL], indirect=True)
def test_a_service_ahead_of_its_database_is_degraded_until_its_clock_is_right(
    url: str, database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    hands = Hands(1200)
    store = hands.store(url)
    store._tidy()
    assert 1190 < store.health().clock_difference <= 1201
    hands.clock -= 1200
    store._tidy()
    assert store.health() == Health("ok", 0, 0)
    assert [line["clock"] for line in lines_of(capfd) if "clock" in line] == [
        "differs from the database's",
        "agrees with the database's",
    ]
    store.close()


def test_a_token_is_not_kept_readable(store: Store, database: Database) -> None:
    store.use_token("https://SECRET", "SECRET", 2_000_000_000)
    assert "SECRET" not in everything(database)
