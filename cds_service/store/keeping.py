"""Keeps consultations without delaying callers, and feedback and used tokens before they count.

A consultation is put into a queue and written by a background thread, many in one go. When the
database does not work they wait; when too many wait they are lost, counted and logged, and the
cards are answered anyway. Feedback and tokens are written while the caller waits, or
`Unavailable` is raised.

The thread also does what is slow before the first write: opening the database, making an SQLite
file.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from datetime import UTC, date, datetime, timedelta
from math import inf
from pathlib import Path
from queue import Empty, SimpleQueue
from random import getrandbits
from threading import Event, Lock, Semaphore, Thread
from time import monotonic, sleep, time
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from cds_service.errors import SchemaError, SettingsError, Unavailable
from cds_service.store import metrics
from cds_service.store.audit import Call, Content, Kept, Offered, Pseudonyms
from cds_service.store.ledger import Ledger, Stored
from cds_service.store.log import log_line
from cds_service.store.migrations import VERSION
from cds_service.store.sealing import Seals

if TYPE_CHECKING:
    from cds_service.cdshooks.feedback import Feedback

#: Calls that may wait for the database, about 2 KB each; more are lost.
CAPACITY = 10_000
_BATCH = 500
#: Calls arrive singly: a short wait turns many into one write, of which each call costs half.
_GATHER_S = 0.1
#: Opening the database waits until the first card is out, or this long.
_START_S = 1.0
_IDLE_S = 5.0
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 1.0
#: Seconds between two looks at a database that does not work.
_PROBE_S = 1.0
#: How long a call waits for what the thread does.
_WAIT_S = 2.0
#: Calls that may look at once; what one of them waits for does not hold up the others.
_LOOKING = 4
_OPENING = "still being opened"
#: The server gives a worker ten seconds to end.
_DRAIN_S = 6.0
#: Seconds between two rounds of forgetting, however many calls there are, and tokens of one round.
_TIDY_S = 5.0
_TOKENS_AT_ONCE = 5_000
#: A used token is remembered so long after it expired, by the database's clock, and only a clock
#: that has run evenly for so many seconds is believed: one that jumps and returns forgets nothing.
TOKENS_KEPT = timedelta(hours=6)
EVEN_S = 3_600.0
#: Seconds by which this machine's clock may differ from the database's, or from its own pace.
CLOCKS_DIFFER_S = 60.0


class Health(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The state of the database, how many consultations wait for it and how many were lost.

    ``clock_difference`` are the seconds by which this machine's clock is ahead of the database's,
    where that is an alarm.
    """

    state: Literal["ok", "opening", "unavailable"]
    waiting: int
    lost: int
    clock_difference: int = 0


class Store:
    """One process's way to the database. Nothing runs before `start`, so workers may be forked.

    ``clock`` says when things happen, in seconds since 1970; ``passed`` are seconds that no one
    can set.
    """

    def __init__(
        self,
        url: str,
        *,
        pseudonyms: Pseudonyms | None = None,
        overrides: str = "",
        tried: str = "",
        seals: Seals | None = None,
        capacity: int = CAPACITY,
        clock: Callable[[], float] = time,
        passed: Callable[[], float] = monotonic,
    ) -> None:
        self._url = url
        self._clock = clock
        self._clocks = _Clocks(clock, passed)
        self._tidied_at = -inf
        self._head_said_on: date | None = None
        self._pseudonyms = pseudonyms or Pseudonyms()
        self._overrides = overrides
        self._tried = tried
        self._seals = seals or Seals()
        #: The reasons that cards offer, and so are not free words.
        self.offered: Offered = {}
        self._looking = Semaphore(_LOOKING)
        self._capacity = capacity
        self._queue: SimpleQueue[Kept | Event | None] = SimpleQueue()
        self._database: Ledger | None = None
        self._opening = Lock()
        self._counting = Lock()  # never held while anything slow is done
        self._thread: Thread | None = None
        self._hurry = Event()
        self._stopping = Event()
        self._stop_at = inf
        self._problem = _OPENING
        self._lost = self._lost_said = 0

    def start(self) -> None:
        """Starts the thread that writes, which `close` ends."""
        with self._counting:
            if self._thread is None:
                self._thread = Thread(target=self._write_on, name="store", daemon=True)
                self._thread.start()

    def close(self, patience: float = _DRAIN_S) -> None:
        """Writes what waits, as far as that can be done in time, and ends."""
        self._stop_at = monotonic() + patience
        self._stopping.set()
        self._hurry.set()
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join(patience + 5)
        self._say_head()
        if self._database is not None:
            self._database.close()

    # --- what calls use --------------------------------------------------------------------------

    def record_consultation(self, call: Call) -> str:
        """Has the call kept soon, without waiting; returns the name it will be found by."""
        now = self._clock()
        name = f"{int(now * 1000):012x}{getrandbits(80):020x}"
        if self._queue.qsize() >= self._capacity:
            self._lose(1, "too many waited")
        else:
            self._queue.put(Kept(name, now, call))
            if self._thread is None:
                self.start()
        return name

    def record_feedback(
        self, service: str, client: str | None, items: Sequence[Feedback]
    ) -> Stored:
        """Keeps all of ``items``, safe when this returns; `Unavailable` if nothing was kept."""
        self._fail_fast()
        self.flush(_WAIT_S)  # that a card which just went out is known
        try:
            now = _moment(self._clock())
            stored = self._opened().add_feedback(service, client, items, now, self.offered)
        except Unavailable as error:
            self._failed(error.problem)
            raise
        self._succeeded()
        return stored

    def use_token(self, issuer: str, jti: str, expires: datetime | int) -> bool:
        """Whether this token of ``issuer`` was never used before, here or in another process.

        Raises `Unavailable` where that cannot be known. A token is remembered for hours after
        ``expires``, see `TOKENS_KEPT`.
        """
        self._fail_fast()
        until = expires if isinstance(expires, datetime) else _moment(expires)
        try:
            fresh = self._opened().use_token(issuer, jti, until)
        except Unavailable as error:
            self._failed(error.problem)
            raise
        self._succeeded()
        return fresh

    def overridden(
        self, client: str | None, patient: str, since: datetime, patience: float
    ) -> Mapping[Content, datetime] | None:
        """What was last answered with an override for this patient since then, and when.

        ``None`` where that cannot be known within ``patience`` seconds, for whatever reason.
        """
        name = self._pseudonyms.of("patient", client, patient)
        database = self._database
        if name is None or database is None or self._problem:
            return None
        if not self._looking.acquire(blocking=False):
            return None
        found: list[Mapping[Content, datetime]] = []

        def look() -> None:
            try:
                found.append(database.overridden(client, name, since))
            except Exception as error:  # noqa: BLE001 - whatever it is, the card is shown
                log_line({"level": "error", "store": "look-up", "error": type(error).__name__})
            finally:
                self._looking.release()

        looking = Thread(target=look, name="look-up", daemon=True)
        try:
            looking.start()
        except RuntimeError:  # no more threads available
            self._looking.release()
            return None
        looking.join(patience)
        return found[0] if found else None

    def health(self) -> Health:
        """How the last writing went, at most some seconds ago; no call waits for the database."""
        waiting, lost = self._queue.qsize(), self._lost
        ahead = self._clocks.differ_by
        if self._problem == _OPENING:
            return Health("opening", waiting, lost, ahead)
        return Health("unavailable" if self._problem else "ok", waiting, lost, ahead)

    def flush(self, patience: float = 10.0) -> bool:
        """Waits until everything recorded so far is written; whether it was, in time."""
        if self._thread is None:
            self.start()
        written = Event()
        self._queue.put(written)
        self._hurry.set()
        return written.wait(patience)

    # --- the thread ------------------------------------------------------------------------------

    def _write_on(self) -> None:
        self._hurry.wait(_START_S)
        self._tidy()
        batch: list[Kept] = []
        waiting: list[Event] = []
        pause = _SHORTEST_PAUSE_S
        while True:
            if not batch:
                batch, waiting = self._collect()
            if batch:
                batch = self._write(batch)
            elif self._stopping.is_set():
                self._say_lost()
                return
            due = self._problem or self._clocks.passed() - self._tidied_at >= _TIDY_S
            if not batch and due:
                self._tidy()
            metrics.waiting.set(self._queue.qsize() + len(batch))
            if not batch:
                for event in waiting:
                    event.set()
                waiting = []
                pause = _SHORTEST_PAUSE_S
                continue
            if monotonic() > self._stop_at:
                self._lose(len(batch) + len(self._collect(inf)[0]), "the service stopped")
                self._say_lost()
                return
            self._say_lost()
            if self._stopping.is_set():
                sleep(_SHORTEST_PAUSE_S)
            else:
                self._stopping.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)

    def _collect(self, most: float = _BATCH) -> tuple[list[Kept], list[Event]]:
        """The next calls to write, and who waits for them to be written."""
        batch: list[Kept] = []
        waiting: list[Event] = []
        stopping = self._stopping.is_set()
        with suppress(Empty):
            found = self._queue.get(not stopping, _PROBE_S if self._problem else _IDLE_S)
            if isinstance(found, Kept) and not stopping:
                self._hurry.wait(_GATHER_S)
            self._hurry.clear()
            while True:
                if isinstance(found, Kept):
                    batch.append(found)
                elif found is not None:
                    waiting.append(found)
                if len(batch) >= most:
                    break
                found = self._queue.get_nowait()
        return batch, waiting

    def _write(self, batch: list[Kept]) -> list[Kept]:
        """Writes ``batch``; returns what has to be tried again."""
        try:
            self._opened().record(batch, self._pseudonyms, self._overrides, self._tried)
        except Unavailable as error:
            self._failed(error.problem)
            return batch
        except Exception as error:  # noqa: BLE001 - one bad row must not hold up the others
            if len(batch) == 1:
                self._lose(1, "the database refused it")
                log_line({"level": "error", "store": "refused", "error": type(error).__name__})
                return []
            half = len(batch) // 2
            left = self._write(batch[:half])
            return left + batch[half:] if left else self._write(batch[half:])
        self._succeeded()
        return []

    def _tidy(self) -> None:
        """Forgets tokens that expired long ago, and so sees whether the database and the clocks
        still work."""
        self._tidied_at = self._clocks.passed()
        try:
            database = self._opened()
            now = self._clocks.compare(database.now)
            if self._clocks.even:
                database.forget_tokens(now - TOKENS_KEPT, _TOKENS_AT_ONCE)
        except Unavailable as error:
            self._failed(error.problem)
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread goes on
            self._failed(type(error).__name__)
        else:
            self._succeeded()
            if self._head_said_on != _moment(self._clock()).date():
                self._say_head()

    def _say_head(self) -> None:
        """Logs how far this process's chain has come, so that the log can prove it."""
        head = self._database.head if self._database is not None else None
        if head is not None:
            said = {"chain": head.chain, "row": head.number, "hash": head.hash}
            log_line({"level": "info", "trail": "head", **said})
            self._head_said_on = _moment(self._clock()).date()

    def _opened(self) -> Ledger:
        if self._database is not None:
            return self._database
        if not self._opening.acquire(timeout=_WAIT_S):
            raise Unavailable(_OPENING)
        try:
            if self._database is None:
                with ExitStack() as unless_it_works:
                    database = Ledger(self._url, self._seals)
                    unless_it_works.callback(database.close)
                    try:
                        database.prepare()
                    except SchemaError as error:
                        raise Unavailable(error.problem) from None
                    unless_it_works.pop_all()
                self._database = database
            return self._database
        finally:
            self._opening.release()

    # --- how it goes -----------------------------------------------------------------------------

    def _fail_fast(self) -> None:
        """While the database is known not to work no caller waits for it: the thread tries it every
        second, and ends this."""
        if self._problem not in ("", _OPENING) and self._thread is not None:
            metrics.failed_fast.inc()
            raise Unavailable(self._problem)

    def _failed(self, problem: str) -> None:
        if problem != self._problem:
            log_line({"level": "error", "store": "unavailable", "problem": problem})
        self._problem = problem
        metrics.unavailable.set(1)

    def _succeeded(self) -> None:
        if self._problem:
            log_line({"level": "info", "store": "available"})
        self._problem = ""
        metrics.unavailable.set(0)

    def _lose(self, count: int, because: str) -> None:
        with self._counting:
            self._lost += count
        metrics.lost.labels(because).inc(count)

    def _say_lost(self) -> None:
        if self._lost > self._lost_said:
            self._lost_said = self._lost
            log_line({"level": "error", "store": "lost consultations", "count": self._lost})


class _Clocks:
    """This machine's clock, the database's, and whether they can be believed.

    ``own`` is this machine's in seconds since 1970, ``passed`` what no one can set.
    """

    def __init__(self, own: Callable[[], float], passed: Callable[[], float]) -> None:
        self._own, self.passed = own, passed
        self._pace: float | None = None
        self._even_since = inf
        self.differ_by = 0

    @property
    def even(self) -> bool:
        """Whether the database's clock has run without a jump for long enough to forget by it."""
        return self.passed() - self._even_since >= EVEN_S

    def compare(self, ask: Callable[[], datetime | None]) -> datetime:
        """The database's time, as stated by `ask`; differences and jumps are logged and counted."""
        before = self._own()
        told = ask()
        own = (before + self._own()) / 2
        there = own if told is None else told.timestamp()
        ahead = own - there
        metrics.clock_difference.set(abs(ahead))
        differs = abs(ahead) > CLOCKS_DIFFER_S
        if differs != bool(self.differ_by):
            level = "error" if differs else "info"
            said = "differs from the database's" if differs else "agrees with the database's"
            log_line({"level": level, "clock": said, "aheadS": round(ahead)})
        self.differ_by = round(ahead) if differs else 0
        passed = self.passed()
        pace = there - passed
        if self._pace is None or abs(pace - self._pace) > CLOCKS_DIFFER_S:
            if self._pace is not None:
                metrics.clock_jumps.inc()
                log_line({"level": "error", "clock": "jumped", "byS": round(pace - self._pace)})
            self._pace, self._even_since = pace, passed
        return _moment(there)


def check_database(url: str) -> None:
    """Refuses to start on a database that cannot be used; one that is only away may come back.

    An SQLite file is looked at, not made: the thread that writes does that.
    """
    if not url.startswith("sqlite:"):
        database = Ledger(url)
        try:
            database.prepare()
        except Unavailable as error:
            log_line({"level": "error", "store": "unavailable", "problem": error.problem})
        finally:
            database.close()
        return
    path = Path(url.removeprefix("sqlite:///"))
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise SettingsError(
            "CDS_DATABASE_URL",
            f"{path} cannot be written",
            "Name a file in a folder that may be written, or none to keep nothing.",
        )
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path, timeout=_WAIT_S)) as connection:
            (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:  # no tables yet, or another process makes them
        return
    except sqlite3.DatabaseError:
        raise SettingsError(
            "CDS_DATABASE_URL", f"{path} is not an SQLite database", "Name another file."
        ) from None
    if version > VERSION:
        raise SchemaError(version, VERSION)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
