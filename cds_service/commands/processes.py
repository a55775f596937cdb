"""The processes of ``serve``: where they listen, the workers that answer there, how they end.

A worker ends on SIGTERM, when the process that started it ends, however that ends, and no
later than `GRACE_S` after the last call that it is answering: granian alone waits for as long as a
caller takes to finish what it began to send.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels, logger
from granian.server.mp import MPServer, WorkerProcess

from cds_service.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import InputStream, StartResponse, WSGIApplication, WSGIEnvironment

#: Requests a worker handles. Most only wait for their bodies or in line: `web/intake.py` and
#: `web/waiting.py` limit how many may, and some threads are always left to refuse the others. More
#: than these would only wait for the interpreter.
_THREADS = 120
#: Milliseconds a caller has for sending the head of a request.
_HEAD_MS = 10_000
#: Connections of a worker: what is one too many must be accepted to be refused.
_CONNECTIONS = 4_096
#: Connections that the kernel holds until a worker accepts them.
_BACKLOG = 1024
#: Where the server's own messages go, which wait for no one either.
_SAID = {"class": "cds_service.store.log.Handler", "formatter": "generic"}
#: Seconds that a worker, once it is to end, leaves to callers that have begun to send.
GRACE_S = 2.0
#: Seconds for the first bytes on connections accepted a moment before.
_FIRST_BYTES_S = 0.25
#: Seconds that the answer of the last call may take to be sent.
_SENDING_S = 1.0
#: Seconds that what waits for the database may take on top, see `store/keeping.py`.
_CLOSING_S = 12.0
#: How often it is looked at whether calls are still being answered.
_LOOK_S = 0.02
_TOLD = (signal.SIGTERM, signal.SIGINT)
#: What ends a worker's main thread from another thread.
_LEAVE = signal.SIGUSR1
#: The first file descriptor that systemd hands over.
_HANDED_OVER = 3


class Server(MPServer):
    """Workers that answer on a socket of ``listening`` each what ``load`` makes in them."""

    def __init__(
        self,
        listening: Sequence[socket.socket],
        workers: int,
        load: Callable[[], WSGIApplication],
        *,
        max_header_bytes: int,
        longest_call_s: float,
    ) -> None:
        address, port = listening[0].getsockname()[:2]
        super().__init__(
            f"{load.__module__}:{load.__name__}",
            address=address,
            port=port,
            interface=Interfaces.WSGI,
            workers=workers,
            blocking_threads=_THREADS,
            backlog=_BACKLOG,
            backpressure=_CONNECTIONS,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(
                header_read_timeout=_HEAD_MS, max_buffer_size=max_header_bytes
            ),
            websockets=False,
            log_level=LogLevels.warning,
            log_dictconfig={"handlers": {"console": _SAID, "access": _SAID}},
            # One that crashes again within seconds of its start ends the service.
            respawn_failed_workers=True,
        )
        # Every worker ends before that: this is for one that hangs.
        self._patience = longest_call_s + GRACE_S + _SENDING_S + _CLOSING_S
        self._listening = listening
        self._load = load
        self._parent = os.getpid()

    def run(self) -> None:
        """Answers until SIGTERM or SIGINT."""
        # Nothing is ever sent: a worker that reads its end learns that this process is no more.
        parent, of_parent = Pipe(duplex=False)
        worker = partial(_work, self._spawn_wsgi_worker, parent, of_parent, self._listening)
        self.serve(worker, target_loader=self._load, wrap_loader=False)

    def signal_handler_reload(self, *_: object) -> None:
        """Workers read the register again on SIGHUP; they are not replaced."""
        # A worker inherits this handler, and must not signal the others in turn.
        for worker in list(self.wrks) if os.getpid() == self._parent else ():
            with suppress(ProcessLookupError):
                os.kill(worker.inner.pid, signal.SIGHUP)

    def _init_shared_socket(self) -> None:
        """Nothing: the sockets are there, and open here for as long as this process lives, so that
        connections that a worker did not accept wait for its successor."""

    def _drop_shared_socket(self) -> None:
        for one in self._listening:
            one.close()

    def _spawn_worker(self, idx: int, *given: Any, **named: Any) -> WorkerProcess:
        held: dict[str, Any] = vars(self)
        mine = self._listening[idx % len(self._listening)]
        held["_sso"] = mine
        held["_shd"] = SocketHolder(mine.fileno(), False, self.backlog)  # type: ignore[call-arg]
        return super()._spawn_worker(idx, *given, **named)

    def _spawn_workers(self, *given: Any) -> None:
        with _signals_held():
            super()._spawn_workers(*given)  # type: ignore[no-untyped-call]

    def _stop_workers(self) -> None:
        """As granian, which on a busy machine takes workers that have just ended for alive."""
        until = monotonic() + self._patience
        for worker in self.wrks:
            worker.terminate()  # type: ignore[no-untyped-call]
        alive = {worker.inner.sentinel: worker for worker in self.wrks}
        while alive and (left := until - monotonic()) > 0:
            for ended in wait(list(alive), left):
                del alive[ended]
        for worker in alive.values():
            logger.warning(f"Killing worker-{worker.idx + 1}, which did not end")
            worker.kill()  # type: ignore[no-untyped-call]
        self.wrks.clear()

    def _respawn_workers(self, *given: Any, **named: Any) -> None:
        with _signals_held():
            super()._respawn_workers(*given, **named)


@contextmanager
def _signals_held() -> Iterator[None]:
    """A worker that is started meanwhile gets signals only once it can follow them: until then it
    has the handlers of the process that it was forked from, which would do nothing."""
    held = {*_TOLD, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, held)


def _work(
    answer: Callable[..., None],
    parent: Connection,
    of_parent: Connection,
    listening: Sequence[socket.socket],
    number: int,
    name: str | None,
    load: Callable[[], WSGIApplication],
    *given: Any,
) -> None:
    """A worker from its first instruction to its last; ``answer`` is granian's part of it."""
    of_parent.close()
    mine = listening[(number - 1) % len(listening)]
    for one in listening:
        if one is not mine:
            one.close()
    # They stay blocked: one thread takes the first of them and leaves the others alone.
    signal.pthread_sigmask(signal.SIG_BLOCK, _TOLD)
    signal.signal(signal.SIGTERM, _leave_at_once)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(_LEAVE, lambda *_: sys.exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    calls = _Calls()
    for each in (partial(_end_with, parent), partial(_end_in_time, calls, mine)):
        threading.Thread(target=each, name="end", daemon=True).start()
    try:
        answer(number, name, lambda: calls.counted(load()), *given)
    finally:  # what is written before the end is not interrupted
        signal.signal(_LEAVE, signal.SIG_IGN)


def _leave_at_once(*_: object) -> None:
    """Until granian has a handler of its own, no call has begun."""
    os._exit(0)


def _end_with(parent: Connection) -> None:
    with suppress(EOFError):
        parent.recv()
    os.kill(os.getpid(), signal.SIGTERM)


def _end_in_time(calls: _Calls, listening: socket.socket) -> None:
    """Ends the worker soon after the first signal."""
    signal.sigwait(_TOLD)
    # From here on nothing is accepted: under the number of the socket is one that no caller knows.
    # The connections before that get time for a request, for without one they are closed unheard.
    with socket.create_server(("127.0.0.1", 0)) as unknown:
        unknown.setblocking(False)
        os.dup2(unknown.fileno(), listening.fileno())
    sleep(_FIRST_BYTES_S)
    end: Callable[..., None] = signal.getsignal(signal.SIGTERM)  # type: ignore[assignment]
    end(signal.SIGTERM, None)  # once: given three times, granian's signal blocks the process
    until = monotonic() + GRACE_S
    while (now := monotonic()) < until:
        if calls.running:
            until = max(until, now + _SENDING_S)
        sleep(_LOOK_S)
    signal.pthread_kill(threading.main_thread().ident or 0, _LEAVE)


class _Calls:
    """The threads that answer a call now; one that still waits for its body does not."""

    def __init__(self) -> None:
        self.running: set[int] = set()

    def counted(self, app: WSGIApplication) -> WSGIApplication:
        running, here = self.running, threading.get_ident

        def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            me = here()
            running.add(me)
            environ["wsgi.input"] = _Body(environ["wsgi.input"], running, me)
            try:
                return app(environ, start)
            finally:
                running.discard(me)

        return answer


class _Body:
    """A request's body, during whose reading its thread answers nothing."""

    __slots__ = ("_body", "_me", "_running")

    def __init__(self, body: InputStream, running: set[int], me: int) -> None:
        self._body, self._running, self._me = body, running, me

    def read(self, size: int = -1) -> bytes:
        self._running.discard(self._me)
        try:
            return self._body.read(size) if size >= 0 else self._body.read()
        finally:
            self._running.add(self._me)


def listening_sockets(host: str, port: int, workers: int) -> list[socket.socket]:
    """What to answer on: the sockets that systemd hands over, else new ones at ``host``, one for
    each worker where the kernel spreads connections over them."""
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        handed = range(_HANDED_OVER, _HANDED_OVER + int(os.environ["LISTEN_FDS"]))
        return [socket.socket(fileno=one) for one in handed]
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        address = where[:2]
        # Whether the port is free: those that share it would not say.
        socket.create_server(address, family=family).close()
        spread = workers if sys.platform == "linux" else 1
        made = [
            socket.create_server(address, family=family, backlog=_BACKLOG, reuse_port=spread > 1)
            for _ in range(spread)
        ]
    except OSError as error:
        raise SettingsError(
            f"--host {host} --port {port}",
            f"the service cannot listen there ({error.strerror})",
            "Choose another --port or --host, or stop what listens there.",
        ) from None
    for one in made:  # connections take it over: an answer goes out at once, however small
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
