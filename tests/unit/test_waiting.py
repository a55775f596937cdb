"""Whose turn it is, how long the others wait, and who is refused."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from time import perf_counter

import pytest

from cds_service.errors import Busy
from cds_service.web.waiting import Pulse, Turns

LONG = 30.0


class Called:
    """A call on a thread of its own."""

    def __init__(self, turns: Turns, client: str, told: list[str], name: str = "") -> None:
        self.end = threading.Event()
        self.result = ""

        def call() -> None:
            try:
                turns.take(client, perf_counter())
            except Busy:
                self.result = "refused"
                return
            told.append(name or client)
            self.result = "worked on"
            self.end.wait(LONG)
            turns.leave()

        self.thread = threading.Thread(target=call, daemon=True)
        self.thread.start()


def until(holds: Callable[[], bool]) -> None:
    patience = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < patience
        time.sleep(0.002)


def in_line(turns: Turns) -> int:
    return turns._in_line


def joined(turns: Turns, client: str, told: list[str], name: str = "") -> Called:
    """A call that is in line when this returns."""
    before = in_line(turns)
    made = Called(turns, client, told, name)
    until(lambda: in_line(turns) == before + 1)
    return made


def full(turns: Turns, told: list[str], count: int = 2) -> list[Called]:
    begun = [Called(turns, "first", told) for _ in range(count)]
    until(lambda: len(told) == count)
    return begun


def test_a_few_are_worked_on_and_the_next_when_one_ends() -> None:
    told: list[str] = []
    turns = Turns(oldest=LONG)
    begun = full(turns, told)
    third = joined(turns, "first", told)
    assert told == ["first", "first"]
    begun[0].end.set()
    until(lambda: third.result == "worked on")
    third.end.set()
    begun[1].end.set()
    for one in (*begun, third):
        one.thread.join(LONG)
    # Every place is free again.
    assert [turns.take(one, perf_counter()) for one in "xxy"] == [None, None, None]


def test_a_client_that_sends_many_leaves_a_place_for_another() -> None:
    told: list[str] = []
    turns = Turns(oldest=LONG)
    begun = full(turns, told)
    waits = joined(turns, "first", told)
    other = Called(turns, "second", told)
    until(lambda: other.result == "worked on")  # past the line of the first
    last = joined(turns, "second", told)
    other.end.set()
    until(lambda: last.result == "worked on")  # the place stays one for others
    assert waits.result == ""
    begun[0].end.set()
    until(lambda: waits.result == "worked on")
    for one in (*begun, waits, last):
        one.end.set()
        one.thread.join(LONG)
    assert told == ["first", "first", "second", "second", "first"]


def test_a_call_that_comes_back_waits_for_a_place_of_its_client() -> None:
    told: list[str] = []
    turns = Turns(oldest=LONG)
    answer = threading.Event()

    def asks_a_server() -> None:
        with turns.of("first"):
            with turns.given_up():
                answer.wait(LONG)
            told.append("back")

    asking = threading.Thread(target=asks_a_server, daemon=True)
    asking.start()
    until(lambda: turns._away == 1)
    begun = full(turns, told)
    answer.set()
    until(lambda: len(turns._returning) == 1)
    other = Called(turns, "second", told)
    until(lambda: other.result == "worked on")
    assert "back" not in told
    begun[0].end.set()
    asking.join(LONG)
    assert told == ["first", "first", "second", "back"]
    for one in (begun[1], other):
        one.end.set()
        one.thread.join(LONG)


def test_one_call_of_each_client_comes_before_the_second_of_any() -> None:
    told: list[str] = []
    turns = Turns(oldest=LONG, at_once=1)
    [begun] = full(turns, told, 1)
    waiting = [joined(turns, name[0], told, name) for name in ("a1", "a2", "a3", "b1", "c1", "b2")]
    for one in (begun, *waiting):
        one.end.set()
    for one in waiting:
        one.thread.join(LONG)
    assert told[1:] == ["a1", "b1", "c1", "a2", "b2", "a3"]


@pytest.mark.parametrize(("most", "refused"), [(4, 1), (5, 0), (6, 0)])
def test_the_last_of_the_longest_line_gives_way_to_one_of_a_shorter(
    most: int, refused: int
) -> None:
    told: list[str] = []
    turns = Turns(most=most, oldest=LONG, at_once=1)
    [begun] = full(turns, told, 1)
    many = [joined(turns, "many", told, f"many {number}") for number in range(4)]
    few = Called(turns, "few", told)
    until(lambda: in_line(turns) == min(5, most))
    until(lambda: [one.result for one in many].count("refused") == refused)
    assert [one.result for one in many] == [""] * (4 - refused) + ["refused"] * refused
    for one in (begun, *many, few):
        one.end.set()
    few.thread.join(LONG)
    assert few.result == "worked on"
    assert told.index("few") == 2  # after the first of the many


def test_where_no_line_is_longer_the_newcomer_is_refused_before_anything_is_spent_on_it() -> None:
    told: list[str] = []
    turns = Turns(most=2, oldest=LONG, at_once=1)
    [begun] = full(turns, told, 1)
    waiting = [joined(turns, "a", told), joined(turns, "b", told)]
    for client in ("a", "b", "c"):
        with pytest.raises(Busy):
            turns.ask(client)
        with pytest.raises(Busy):
            turns.take(client, perf_counter())
    for one in (begun, *waiting):
        one.end.set()
        one.thread.join(LONG)
    turns.ask("c")


@pytest.mark.parametrize(
    ("waited", "line_for", "refused"),
    [
        (0.0, 0, False),
        (29.0, 0, False),
        (31.0, 0, False),  # there was no line before: there will be an end to this one
        (59.0, 0, False),
        (61.0, 0, True),
        (29.0, 100, False),
        (31.0, 100, True),
    ],
)
def test_a_call_that_waited_too_long_is_refused_and_not_begun(
    waited: float, line_for: float, *, refused: bool
) -> None:
    """Also one that waited before it came here."""
    turns = Turns(oldest=30.0, at_once=1, burst=60.0)
    turns.take("a", perf_counter())
    first = joined(turns, "a", [])
    turns._line_since -= line_for
    result: list[str] = []

    def call() -> None:
        try:
            turns.take("b", perf_counter() - waited)
        except Busy:
            result.append("refused")
        else:
            result.append("worked on")
            turns.leave()

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    until(lambda: bool(result) or in_line(turns) == 2)
    turns.leave()
    first.end.set()
    thread.join(LONG)
    assert result == ["refused" if refused else "worked on"]
    assert in_line(turns) == 0


def test_a_call_refused_after_its_wait_leaves_the_line() -> None:
    turns = Turns(oldest=0.01, at_once=1, burst=0.02)
    turns.take("a", perf_counter())
    with pytest.raises(Busy):
        turns.take("b", perf_counter())
    assert in_line(turns) == 0
    turns.leave()
    turns.take("b", perf_counter())


def test_a_call_that_waits_for_others_gives_up_its_turn_and_comes_back_first() -> None:
    told: list[str] = []
    turns = Turns(oldest=LONG, at_once=1)
    answer, back = threading.Event(), threading.Event()

    def asks_a_server() -> None:
        with turns.of("asks"):
            with turns.given_up():
                answer.wait(LONG)
            told.append("back")
            back.wait(LONG)

    asking = threading.Thread(target=asks_a_server, daemon=True)
    asking.start()
    second = Called(turns, "second", told)
    until(lambda: told == ["second"])
    third = joined(turns, "third", told)
    answer.set()
    until(lambda: len(turns._returning) == 1)
    second.end.set()
    until(lambda: told == ["second", "back"])
    back.set()
    third.end.set()
    third.thread.join(LONG)
    assert told == ["second", "back", "third"]


def test_those_that_wait_for_others_count_as_waiting() -> None:
    turns = Turns(most=1, oldest=LONG, at_once=1)
    with turns.of("a"), turns.given_up(), pytest.raises(Busy):
        turns.ask("b")
    turns.ask("b")


def test_no_turn_is_lost_among_many_threads() -> None:
    turns = Turns(oldest=LONG)
    under_way, most, lock = [0], [0], threading.Lock()

    def call(client: str) -> None:
        for _ in range(200):
            with turns.of(client):
                with lock:
                    under_way[0] += 1
                    most[0] = max(most[0], under_way[0])
                if under_way[0] % 3 == 0:
                    with lock:
                        under_way[0] -= 1
                    with turns.given_up():
                        pass
                    with lock:
                        under_way[0] += 1
                with lock:
                    under_way[0] -= 1

    threads = [threading.Thread(target=call, args=(f"{n % 3}",), daemon=True) for n in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(LONG)
        assert not one.is_alive()
    assert most[0] <= 3
    assert in_line(turns) == 0


# --- before a call has a thread ------------------------------------------------------------------


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def waiting_for(seconds: float, *, crowded: bool = True) -> tuple[Pulse, Clock]:
    """A pulse that is under way for so long; ``crowded`` where calls have waited for a while."""
    clock = Clock()
    pulse = Pulse(clock)
    if crowded:
        pulse._sent_at = clock.now - 0.02
        pulse.admit("before", {})
        clock.now += 1.2  # what was admitted then counts no more
    pulse._sent_at = clock.now - seconds
    return pulse, clock


def admitted(pulse: Pulse, clients: list[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for client in clients:
        try:
            pulse.admit(client, {})
        except Busy:
            continue
        found[client] += 1
    return found


@pytest.mark.parametrize(
    ("waited", "of_a_hundred"),
    [
        (0.0, 100),
        (0.009, 100),
        (0.037, 100),
        (0.039, 99),
        (0.095, 49),
        (0.149, 1),
        (0.15, 0),
        (5, 0),
    ],
)
def test_the_longer_calls_wait_the_more_of_them_are_refused(
    waited: float, of_a_hundred: int
) -> None:
    pulse, _ = waiting_for(waited)
    assert admitted(pulse, ["one"] * 100)["one"] == pytest.approx(of_a_hundred, abs=1)


@pytest.mark.parametrize(("waited", "some"), [(0.3, 0), (0.5, 0), (0.75, 50)])
def test_calls_that_came_together_and_have_not_waited_long_are_not_refused(
    waited: float, some: int
) -> None:
    pulse, clock = waiting_for(waited, crowded=False)
    assert admitted(pulse, ["one"] * 100)["one"] == 100 - some
    clock.now += 0.6
    assert not admitted(pulse, ["one"] * 100)
    # They are over: the next that come together are not refused either.
    pulse._sent_at = 0
    assert admitted(pulse, ["one"] * 100)["one"] == 100
    pulse._sent_at = clock.now - waited
    assert admitted(pulse, ["one"] * 100)["one"] == 100 - some


@pytest.mark.parametrize(("waited", "some"), [(0.75, 0), (2.4, 0), (6.25, 50), (10, 100)])
def test_what_may_wait_for_longer_is_not_refused_sooner_because_calls_came_together(
    waited: float, some: int
) -> None:
    clock = Clock()
    pulse = Pulse(clock, oldest=10)  # as an operator may set it
    pulse._sent_at = clock.now - waited
    assert admitted(pulse, ["one"] * 100)["one"] == 100 - some


def test_calls_of_one_that_has_more_than_its_share_are_refused_first() -> None:
    pulse, _ = waiting_for(0.04)
    found = admitted(pulse, ["few", *["many"] * 10] * 20)
    assert found["few"] == 20
    assert found["many"] <= 2 * found["few"]


def test_clients_of_equal_shares_are_refused_alike() -> None:
    pulse, _ = waiting_for(0.095)
    found = admitted(pulse, ["a", "b"] * 100)
    assert abs(found["a"] - found["b"]) <= 2


def test_what_one_had_a_second_ago_does_not_count() -> None:
    pulse, clock = waiting_for(0.04)
    admitted(pulse, ["few", *["many"] * 10] * 10)
    clock.now += 1.1
    pulse._sent_at = clock.now - 0.04
    assert admitted(pulse, ["many"])["many"] == 1


def test_what_was_waited_counts_until_the_next_is_known() -> None:
    pulse, clock = waiting_for(0.1)
    assert pulse.wait() == pytest.approx(0.1)
    assert not pulse.answer({"QUERY_STRING": "of another worker"})
    assert pulse.answer({"QUERY_STRING": pulse._name})
    assert pulse.wait() == pytest.approx(0.1)
    pulse._sent_at = clock.now
    clock.now += 0.02
    assert pulse.wait() == pytest.approx(0.1)
    clock.now += 0.2
    assert pulse.wait() == pytest.approx(0.22)
    assert pulse.answer({"QUERY_STRING": pulse._name})
    pulse._sent_at = clock.now
    clock.now += 0.001
    pulse.answer({"QUERY_STRING": pulse._name})
    assert pulse.wait() == pytest.approx(0.001)


def test_a_request_of_our_own_that_was_given_up_says_nothing_when_it_comes() -> None:
    """It came after its answer was no longer waited for: that is not how long calls wait."""
    pulse, _ = waiting_for(0.02)
    pulse._sent_at = 0.0
    assert pulse.answer({"QUERY_STRING": pulse._name})
    assert pulse.wait() == 0
    assert admitted(pulse, ["one"] * 10)["one"] == 10


def test_a_request_of_our_own_is_sent_where_there_is_much_to_do_and_else_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listens:
        address, port = listens.getsockname()
        environ = {"SERVER_SOFTWARE": "Granian", "SERVER_NAME": address, "SERVER_PORT": str(port)}
        pulse = Pulse()
        pulse.admit("a", environ)
        listens.settimeout(0.3)
        with pytest.raises(TimeoutError):
            listens.accept()
        listens.settimeout(LONG)
        stop = threading.Event()

        def call_on() -> None:
            while not stop.wait(0.001):
                pulse.admit("a", environ)

        calling = threading.Thread(target=call_on, daemon=True)
        calling.start()
        connection, _ = listens.accept()
        stop.set()
        calling.join(LONG)
        with connection:
            head = connection.recv(4096).decode()
            assert head.startswith(f"POST {Pulse.PATH}?{pulse._name} HTTP/1.1\r\n")
            # Answered by another worker: what was waited here is not known, no one is refused.
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            assert connection.recv(1) == b""
        assert pulse.wait() == 0
