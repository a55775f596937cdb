"""`make load`: overload, fairness and the search for the dearest body, with the milliseconds.

Everything runs on this machine, bounded in time, and what is judged is counted: it ends with 1
where a call was lost, a client went unanswered or a body was over the budget.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
for folder in ("support", "load"):
    sys.path.insert(0, str(HERE.parent / folder))
sys.path.insert(0, str(HERE.parents[1]))

import worst_bodies
from callers import Callers, Came, request_of
from served import running
from test_overload import SERVICE, orders

SECONDS = 60.0
CONNECTIONS = 1_500
#: What a worker may hold at most while so many are open.
MOST_MB = 120
#: The callers have a core of their own: on that of the service they would take its time.
SERVICE_CORE, CALLERS_CORE = 1, 0


def apart() -> bool:
    """Whether there are two cores to keep them apart."""
    return {SERVICE_CORE, CALLERS_CORE} <= os.sched_getaffinity(0)


def on_its_core() -> None:
    if apart():
        os.sched_setaffinity(0, {SERVICE_CORE})


def shown(name: str, came: Sequence[Came]) -> Counter[int]:
    """Prints how long the answers took, by status, and returns how many there were."""
    for status in sorted({one.status for one in came}):
        took = sorted(one.s * 1000 for one in came if one.status == status)
        half, most = took[len(took) // 2], took[int(len(took) * 0.99)]
        print(f"  {name:16} {status}: {len(took):6}, median {half:5.0f} ms, p99 {most:5.0f} ms")
    return Counter(one.status for one in came)


def memory(process: int) -> int:
    """The most that a worker has held, in MB."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    lines = [Path(f"/proc/{one}/status").read_text() for one in children]
    return max(int(one.partition("VmHWM:")[2].split()[0]) for one in lines) // 1024


def overload(log: Path) -> bool:
    call = request_of(SERVICE, orders(12))
    with running(log=log, starve=on_its_core) as (process, port):
        alone = Callers(port, 1)
        for _ in range(10):  # the first calls of a worker are slower
            alone.call(lambda number: call, 1_000.0, 0.001, 30.0)
        took = sorted(
            one.s
            for _ in range(40)
            for one in alone.call(lambda number: call, 1_000.0, 0.001, 30.0)
        )
        capacity = 1 / took[len(took) // 2]
        alone.close()
        callers = Callers(port, CONNECTIONS)
        print(f"{CONNECTIONS} connections, 3 times the load that one worker carries: {capacity:.0f}"
              f" order-signs of 12 drafts a second, for {SECONDS:.0f} s")  # fmt: skip
        statuses = shown("answered", callers.call(lambda number: call, 3 * capacity, SECONDS, 30.0))
        later = Callers(port, 1)
        after = later.call(lambda number: call, 1_000.0, 0.001, 30.0)
        shown("the next call", after)
        held = memory(process.pid)
        print(f"  memory of the worker at most {held} MB")
        for one in (callers, later):
            one.close()
    # A connection may be closed for being idle in the moment that it is used again.
    few_lost = statuses[0] < 0.01 * statuses.total() + 20
    return few_lost and held <= MOST_MB and [one.status for one in after] == [200]


def fairness(log: Path) -> bool:
    dear, one = request_of(SERVICE, orders(12)), request_of(SERVICE, orders(1))
    with running(log=log, starve=on_its_core) as (_, port):
        many, few = Callers(port, 300, "127.0.0.2"), Callers(port, 20, "127.0.0.3")
        print("A client at ten times its share, and another next to it")
        few.call(lambda number: one, 100.0, 0.5, 30.0)  # the first calls of a worker are slower
        few.came.clear()
        shown("alone", few.call(lambda number: one, 10.0, SECONDS / 6, 30.0))
        few.came.clear()
        flood = threading.Thread(target=many.call, args=(lambda number: dear, 300.0, SECONDS / 3))
        flood.start()
        beside = shown("beside", few.call(lambda number: one, 10.0, SECONDS / 3, 30.0))
        flood.join()
        shown("the first", many.came)
        for callers in (many, few):
            callers.close()
    # On a busy machine some of both are late; a client within its share is refused far less.
    refused = beside[503] / beside.total()
    return refused < Counter(one.status for one in many.came)[503] / len(many.came) / 2


def bodies() -> bool:
    print(f"The dearest bodies found in {SECONDS:.0f} s")
    found = sorted(worst_bodies.searched(SECONDS, 1), key=lambda one: -one[1].calls)
    for shape, cost in found[:5]:
        print(f"  {cost.calls:9} calls, {cost.cpu_s:5.2f} s, {cost.peak / 1e6:5.1f} MB,"
              f" answer {cost.answer / 1e3:5.1f} kB: {shape}")  # fmt: skip
    return all(
        cost.calls < worst_bodies.MOST_CALLS
        and cost.peak < worst_bodies.MOST_BYTES
        and cost.answer <= worst_bodies.LARGEST
        for _, cost in found
    )


if __name__ == "__main__":
    with TemporaryDirectory() as folder:  # a pipe that no one reads would soon hold all up
        log = Path(folder) / "log"
        if apart():
            os.sched_setaffinity(0, {CALLERS_CORE})
            print(f"The service on core {SERVICE_CORE}, its callers on core {CALLERS_CORE}")
        else:
            print("One core for all: the callers take some of the service's time")
        held = [overload(log), fairness(log)]
        held.append(bodies())
    print("held" if all(held) else "broken")
    sys.exit(not all(held))
