"""Whose turn it is: how many calls are worked on at once, how long the others wait, and who is
refused.

Calls wait in two places. Those that have a thread wait in line (`Turns`), and how long is known.
Before that they wait for a thread and for the interpreter, where the server does not say since
when: so while there is much to do a request of our own goes the same way as all others, and
what it takes is what they take (`Pulse`). A call that waited too long is not computed: its caller
has given up, and computing it would delay the calls behind it.
"""

from __future__ import annotations

import secrets
import socket
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from threading import Event, Lock, Thread, local
from time import perf_counter
from typing import TYPE_CHECKING

from cds_service.errors import Busy

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

#: Calls of one client that a worker works on at once: more would take turns on one core, which
#: costs each of them some percent and makes all late; with one alone a long call would hold up all
#: others. And those of all clients: one that sends many leaves a place for another.
_OF_ONE_CLIENT = 2
_WORK_AT_ONCE = 3
#: Calls that wait in line or for a FHIR server, and the seconds after which one is refused: EHRs
#: wait for half a second, and what is answered later comes too late.
WAITING = 100
OLDEST_S = 0.15
#: So long a call may wait where calls have not waited for as long before: they came together, and
#: there is an end to them. And so long it may wait at most, whatever the others do.
BURST_S = 0.5
#: A client that has more than its share waits no longer: of its calls some are refused from the
#: first of these seconds on, all from the second on, so that the others hardly wait for it. Of all
#: others' some are refused from a quarter of ``oldest`` on.
_SOME_S, _MANY_S = 0.01, 0.04


def places(count: int) -> SimpleQueue[None]:
    """So many places: a call takes one and puts it back. A semaphore takes ten times as long."""
    free: SimpleQueue[None] = SimpleQueue()
    for _ in range(count):
        free.put(None)
    return free


class _Waiting:
    """A call in line. ``called`` is released when it has its turn, or is ``refused``."""

    __slots__ = ("called", "client", "in_line", "refused")

    def __init__(self, client: str) -> None:
        self.client = client
        self.called = Lock()
        self.called.acquire()
        self.in_line = True
        self.refused = False


class Turns:
    """Lets a few calls be worked on at once, and fewer of one client. The others wait in line: each
    client has its own, and one call of each has its turn before the second of any. A call is
    refused (`Busy`) that has waited for ``oldest`` seconds, or for ``burst`` until there has been a
    line for as long; and where ``most`` wait, the last of the longest line.

    A call that only waits for others, such as a FHIR server, gives up its turn meanwhile. It comes
    back before those that have not begun.
    """

    def __init__(
        self,
        most: int = WAITING,
        oldest: float = OLDEST_S,
        at_once: int = _WORK_AT_ONCE,
        burst: float = BURST_S,
    ) -> None:
        self._most, self._oldest, self._burst = most, oldest, max(burst, oldest)
        self._line_since = 0.0
        self._free = at_once
        self._of = Counter[str]()  # the calls of each client that are worked on
        self._mine = local()  # whose call it is that this thread works on
        self._lock = Lock()  # never held while anything slow is done
        self._lines: dict[str, deque[_Waiting]] = {}
        self._returning: deque[_Waiting] = deque()
        self._in_line = self._away = 0

    def take(self, client: str, since: float) -> None:
        """Returns when it is this call's turn, which `leave` ends. ``since`` is when it began to
        wait, by `perf_counter`."""
        self._mine.client = client
        with self._lock:
            # A caller that waits and may begin has begun: only its own line is before this call.
            if client not in self._lines and self._may_begin(client):
                self._begin(client)
                return
        self._wait(client, since)

    def leave(self) -> None:
        client = self._mine.client
        with self._lock:
            self._free += 1
            self._of[client] -= 1
            if not self._of[client]:
                del self._of[client]
            if self._in_line or self._returning:
                self._call_next()

    def ask(self, client: str) -> None:
        """Refuses a call that would be refused anyway, before anything is spent on it."""
        if self._in_line + self._away >= self._most:
            with self._lock:
                if self._longest(client) == client:
                    raise Busy

    @contextmanager
    def of(self, client: str) -> Iterator[None]:
        """A turn of a call that begins to wait now."""
        self.take(client, perf_counter())
        try:
            yield
        finally:
            self.leave()

    @contextmanager
    def given_up(self) -> Iterator[None]:
        with self._lock:
            self._away += 1
        self.leave()
        try:
            yield
        finally:
            waiting = _Waiting(self._mine.client)
            with self._lock:
                self._away -= 1
                self._returning.append(waiting)
                self._call_next()
            waiting.called.acquire()

    def _wait(self, client: str, since: float) -> None:
        waiting = _Waiting(client)
        with self._lock:
            if self._in_line + self._away >= self._most:
                longest = self._longest(client)
                if longest == client:
                    raise Busy
                self._refuse_last(longest)
            if not self._in_line:
                self._line_since = perf_counter()
            self._lines.setdefault(client, deque()).append(waiting)
            self._in_line += 1
            self._call_next()
        until = since + self._oldest
        while not waiting.called.acquire(timeout=max(0.0, until - perf_counter())):
            with self._lock:
                # Called meanwhile, it goes on; or it may wait longer than most.
                if waiting.in_line and self._is_too_late(since):
                    self._remove(client, waiting)
                    raise Busy
                until = since + self._burst
        if waiting.refused:
            raise Busy
        if self._is_too_late(since):  # its turn came, but this thread did not
            self.leave()
            raise Busy

    def _is_too_late(self, since: float) -> bool:
        now = perf_counter()
        lasting = now - self._line_since >= self._burst
        return now - since >= (self._oldest if lasting else self._burst)

    # --- with the lock held ----------------------------------------------------------------------

    def _may_begin(self, client: str) -> bool:
        return self._free > 0 and self._of[client] < _OF_ONE_CLIENT

    def _begin(self, client: str) -> None:
        self._free -= 1
        self._of[client] += 1

    def _call_next(self) -> None:
        """Gives every free place to the next in line who may have it."""
        while self._free and (waiting := self._next()) is not None:
            self._begin(waiting.client)
            waiting.called.release()

    def _next(self) -> _Waiting | None:
        for waiting in self._returning:
            if self._may_begin(waiting.client):
                self._returning.remove(waiting)
                return waiting
        client = next((one for one in self._lines if self._may_begin(one)), None)
        if client is None:
            return None
        waiting = self._lines[client][0]
        self._remove(client, waiting)
        if client in self._lines:  # behind all other clients
            self._lines[client] = self._lines.pop(client)
        return waiting

    def _longest(self, client: str) -> str:
        """Whose line is the longest; that of ``client`` where none is longer than it would be."""
        longest = max(self._lines, key=lambda one: len(self._lines[one]), default=client)
        own = len(self._lines.get(client, ())) + 1
        return longest if len(self._lines.get(longest, ())) > own else client

    def _refuse_last(self, client: str) -> None:
        waiting = self._lines[client][-1]
        self._remove(client, waiting)
        waiting.refused = True
        waiting.called.release()

    def _remove(self, client: str, waiting: _Waiting) -> None:
        line = self._lines[client]
        line.remove(waiting)
        if not line:
            del self._lines[client]
        waiting.in_line = False
        self._in_line -= 1


class Pulse:
    """How long a request waits until a thread of this worker begins with it, and who is refused
    because of that.

    While there is much to do, a request of our own is sent every few milliseconds to the address
    that the calls come to. In a service of several workers it may reach another: then it is
    sent on another connection, until one leads here. Without much to do nothing is sent.
    """

    PATH = "/pulse"

    def __init__(self, clock: Callable[[], float] = perf_counter, oldest: float = OLDEST_S) -> None:
        self._clock = clock
        self._name = secrets.token_hex(16)
        self._calls = 0
        self._sent_at = 0.0
        self._waited = 0.0
        self._here = Event()
        self._thread: Thread | None = None
        self._shares = _Shares(clock, oldest)

    def wait(self) -> float:
        """How long what begins now has waited, in seconds; at least, and about."""
        sent_at = self._sent_at
        return max(self._waited, self._clock() - sent_at) if sent_at else self._waited

    def admit(self, client: str, environ: WSGIEnvironment) -> float:
        """How long a call of ``client`` has waited. Refuses it (`Busy`) where that is too long;
        of those that waited somewhat, as many as is needed to keep it so."""
        self._calls += 1
        if self._thread is None:
            self._start(environ)
        waited = self.wait()
        if waited > _SOME_S:
            self._shares.admit(client, waited)
        elif self._shares.crowded:
            self._shares.crowded = False
        return waited

    def answer(self, environ: WSGIEnvironment) -> bool:
        """Whether this request is the one of this worker's own that is under way."""
        if environ.get("QUERY_STRING") != self._name:
            return False
        sent_at, self._sent_at = self._sent_at, 0.0
        if sent_at:  # else no one waits for it any more
            self._waited = self._clock() - sent_at
        self._here.set()
        return True

    def _start(self, environ: WSGIEnvironment) -> None:
        if environ.get("SERVER_SOFTWARE") != "Granian":
            return
        # Workers are forked: each needs a name of its own.
        self._name = secrets.token_hex(16)
        address = environ["SERVER_NAME"], int(environ["SERVER_PORT"])
        self._thread = Thread(target=self._beat, args=(address,), name="pulse", daemon=True)
        self._thread.start()

    def _beat(self, address: tuple[str, int]) -> None:
        sent = b"POST %b?%b HTTP/1.1\r\n" % (self.PATH.encode(), self._name.encode())
        sent += b"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n"
        connection: socket.socket | None = None
        pause = Event()
        while True:
            before = self._calls
            pause.wait(_BEAT_S)
            if self._calls - before < _BUSY and not self._waited > _SOME_S:
                continue
            self._here.clear()
            self._sent_at = self._clock()
            try:
                if connection is None:
                    connection = socket.create_connection(address, timeout=_PATIENCE_S)
                connection.sendall(sent)
                answered = connection.recv(4096)
            except OSError:
                answered = b""
            self._sent_at = 0.0
            if not self._here.is_set():
                # Another worker's, or none: what was waited is not known.
                self._waited = 0.0
                if connection is not None:
                    with suppress(OSError):
                        connection.close()
                connection = None
                if not answered:
                    pause.wait(1.0)


#: Seconds between two pulses, and how many calls come in that time where there is much to do. So
#: long it is waited for one.
_BEAT_S, _BUSY, _PATIENCE_S = 0.025, 4, 5.0


class _Shares:
    """Which calls are refused while calls wait: more of them, the longer they wait, and first those
    of clients that have had more than others. Calls that came together, and have not waited for
    long, are not refused."""

    def __init__(self, clock: Callable[[], float], oldest: float) -> None:
        self._clock, self._oldest = clock, oldest
        self.crowded = False
        self._crowded_since = 0.0
        self._lock = Lock()
        self._had: Counter[str] = Counter()
        self._before: Counter[str] = Counter()
        self._since = 0.0
        self._owed: Counter[str] = Counter()

    def admit(self, client: str, waited: float) -> None:
        with self._lock:
            now = self._clock()
            if not self.crowded:
                self.crowded, self._crowded_since = True, now
            if now - self._since > _WINDOW_S:
                self._before = self._had if now - self._since < 2 * _WINDOW_S else Counter()
                self._had, self._since = Counter(), now
                self._owed.clear()
            had = self._had[client] + self._before[client]
            clients = self._had.keys() | self._before.keys() | {client}
            share = (self._had.total() + self._before.total()) / len(clients)
            greedy = had > _GREEDY * share + 1
            some, all_ = (_SOME_S, _MANY_S) if greedy else (self._oldest / 4, self._oldest)
            if now - self._crowded_since < BURST_S:
                some, all_ = max(some, BURST_S), max(all_, 2 * BURST_S)
            # So many of a hundred, evenly and without chance.
            self._owed[client] += round(100 * min(1.0, max(0.0, (waited - some) / (all_ - some))))
            if self._owed[client] >= 100:
                self._owed[client] -= 100
                raise Busy
            self._had[client] += 1


#: Seconds that are counted together, and how much more than its share makes a client greedy.
_WINDOW_S, _GREEDY = 0.5, 1.2
