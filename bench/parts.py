"""`make profile`: where the CPU time of a call goes, part by part.

The whole service in this process, as WSGI: everything a request meets but the server's own C. It
answers the requests of the sample stories and of the benchmark, hook by hook in rounds that take
turns, so that other load on the machine falls on all of them; the median of the rounds counts.
Each part is charged with the CPU time of its thread while it is the innermost one: the columns add
up, and what the stopwatch itself costs (a third of a microsecond a change) is among them. The
thread that writes to the store is timed separately.

The last rows are what one call does: calls of Python functions, counted without any clock, so the
same on every machine.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import os
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import wraps
from importlib import import_module
from pathlib import Path
from time import thread_time_ns
from typing import Any

from run import AS_OF, STORIES_AS_OF, request_body, stories

ROUNDS = 7
B12 = "cds_service.guidelines.b12_under_two"

#: What is charged to which part: a module, and a function or a method in it as its callers find it.
PARTS: dict[str, tuple[tuple[str, str], ...]] = {
    "parse": (("cds_service.web.views", "parse_request"),),
    "gather": (("cds_service.consultation", "gather"), ("cds_service.consultation", "open_drafts")),
    "read": (("cds_service.consultation", "read_record"),),
    "drafts": (("cds_service.consultation", "read_basket"),),
    "facts": ((B12, "read_facts"),),
    "assess": ((B12, "assess"),),
    "tables": (
        ("cds_service.guidelines.tables", "Reasoning.first"),
        ("cds_service.guidelines.tables", "Reasoning.all"),
        ("cds_service.guidelines.tables", "Reasoning.row"),
    ),
    "treatment": ((f"{B12}.treatment", "recommend"),),
    "order checks": (
        (f"{B12}.order_checks", "check_orders"),
        (f"{B12}.order_checks", "check_active"),
    ),
    "rest of evaluate": (("cds_service.consultation", "_evaluate"),),
    "identities": (("cds_service.consultation", "_spoken"),),
    "cards": (("cds_service.consultation", "build_cards"),),
    "orders": (("cds_service.fhir.orders", "Writer.write"),),
    "account": (("cds_service.consultation", "account_of"),),
    "what is kept": (
        ("cds_service.consultation", "kept"),
        ("cds_service.consultation", "loggable"),
    ),
    "encode": (("cds_service.web.views", "encode"),),
    "metrics and log": (("cds_service.web.accounts", "Accounts.call"),),
}  # fmt: skip
HTTP, STORE = "HTTP layer and glue", "store's thread"


class Ledger:
    """Charges the CPU time of this thread to the innermost part that is at work."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._open = [HTTP]
        self._since = 0

    def start(self) -> None:
        self.spent.clear()
        self._since = thread_time_ns()

    def stop(self) -> None:
        self._charge()

    def _charge(self) -> None:
        now = thread_time_ns()
        self.spent[self._open[-1]] += now - self._since
        self._since = now

    def charged(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def measured(*args: Any, **named: Any) -> Any:
            self._charge()
            self._open.append(part)
            try:
                return function(*args, **named)
            finally:
                self._charge()
                self._open.pop()

        return measured


def charge(ledger: Ledger) -> None:
    """Puts the ledger around every function of `PARTS`."""
    for part, functions in PARTS.items():
        for module, path in functions:
            owner: Any = import_module(module)
            *classes, name = path.split(".")
            for one in classes:
                owner = getattr(owner, one)
            setattr(owner, name, ledger.charged(part, getattr(owner, name)))


class Load:
    """Requests of one hook, sent to an application as a WSGI server does."""

    def __init__(self, app: Callable[..., Any], hook: str, bodies: Sequence[bytes]) -> None:
        self._app, self._bodies = app, bodies
        self._path = f"/cds-services/b12-under-two-{hook}"
        self.size = len(bodies)

    def run(self) -> None:
        for body in self._bodies:
            environ = {
                "REQUEST_METHOD": "POST",
                "PATH_INFO": self._path,
                "QUERY_STRING": "",
                "SERVER_NAME": "127.0.0.1",
                "SERVER_PORT": "8080",
                "SERVER_PROTOCOL": "HTTP/1.1",
                "HTTP_HOST": "127.0.0.1:8080",
                "CONTENT_TYPE": "application/json",
                "CONTENT_LENGTH": str(len(body)),
                "wsgi.url_scheme": "http",
                "wsgi.input": io.BytesIO(body),
            }
            self._app(environ, self._start)

    @staticmethod
    def _start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        if not status.startswith("200"):
            raise SystemExit(f"the service answered {status}")


def loads(folder: str, most: int | None) -> tuple[dict[str, Load], list[Any]]:
    """The loads by name, over two applications: of the stories' day and of the benchmark's."""
    from cds_service.app import create_app, create_store
    from cds_service.settings import Settings

    apps, stores = [], []
    for day in (STORIES_AS_OF, AS_OF):
        settings = Settings(
            public_url="http://127.0.0.1:8080",
            as_of=date.fromisoformat(day),
            database_url=f"sqlite:///{folder}/{day}.db",
        )
        store = create_store(settings)
        assert store is not None
        store.start()
        stores.append(store)
        apps.append(create_app(settings, store=store).wsgi_app)
    hooks = ("patient-view", "order-select", "order-sign")
    made = {hook: Load(apps[0], hook, stories(hook)[:most]) for hook in hooks}
    made["the benchmark's"] = Load(apps[1], "patient-view", [request_body()] * (most or 100))
    return made, stores


@contextlib.contextmanager
def unlogged() -> Iterator[None]:
    """Without the log line of every call, which is written to the first file descriptor."""
    sys.stdout.flush()
    kept = os.dup(1)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)


def measure(
    rounds: int, most: int | None = None
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Microseconds a call by load and part, and calls of Python functions a call."""
    from cds_service.store.keeping import Store

    writing = Counter[str]()
    write = Store._write

    def timed(self: Store, batch: list[Any]) -> list[Any]:
        begun = thread_time_ns()
        left = write(self, batch)
        writing["ns"] += thread_time_ns() - begun
        return left

    Store._write = timed  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder, unlogged():
        made, stores = loads(folder, most)
        counted = {name: _functions(load) for name, load in made.items()}
        ledger = Ledger()
        charge(ledger)
        gc.collect()
        gc.freeze()
        spent: dict[str, list[Counter[str]]] = {name: [] for name in made}
        for _ in range(rounds):
            for name, load in made.items():
                for store in stores:
                    store.flush()
                writing.clear()
                ledger.start()
                load.run()
                ledger.stop()
                for store in stores:
                    store.flush()
                ledger.spent[STORE] = writing["ns"]
                spent[name].append(Counter({k: v / load.size for k, v in ledger.spent.items()}))
        for store in stores:
            store.close()
    parts = (*PARTS, HTTP, STORE)
    return {
        name: {part: statistics.median([one[part] / 1000 for one in of]) for part in parts}
        for name, of in spent.items()
    }, counted


def _functions(load: Load) -> float:
    """How many Python functions a call of this load calls, C's not counted."""
    load.run()
    count = 0

    def see(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(see)
    load.run()
    sys.setprofile(None)
    return count / load.size


def report(table: dict[str, dict[str, float]], counted: dict[str, float]) -> None:
    print(f"microseconds of CPU a call, CPython {sys.version.split()[0]}, median of the rounds\n")
    print(f"{'':22}" + "".join(f"{name:>17}" for name in table))
    for part in (*PARTS, HTTP, STORE):
        row = "".join(f"{parts[part]:17.0f}" for parts in table.values())
        print(f"{part:22}{row}")
    print(f"{'together':22}" + "".join(f"{sum(of.values()):17.0f}" for of in table.values()))
    print(f"{'Python functions':22}" + "".join(f"{counted[name]:17,.0f}" for name in table))


def main() -> None:
    parser = argparse.ArgumentParser(description="where the CPU time of a call goes")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--stories", type=int, help="of each hook so many; all unless given")
    asked = parser.parse_args()
    report(*measure(asked.rounds, asked.stories))


if __name__ == "__main__":
    main()
