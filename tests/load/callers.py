"""Many callers at once, on one thread: each connection sends a request when it is due, and what
came of it is noted. For tests and measurements of a service under load, on loopback only."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import NamedTuple

#: Bytes of an answer read at once.
_PIECE = 1 << 18
#: Requests sent before it is looked what came: else the callers themselves would be late.
_SENT_AT_ONCE = 8


class Came(NamedTuple):
    """``status`` is 0 where the connection ended instead; ``s`` are the seconds it took."""

    status: int
    s: float
    head: bytes
    body: bytes


class _Connection:
    __slots__ = ("got", "left", "sending", "sent_at", "socket")

    def __init__(self, address: tuple[str, int], source: str) -> None:
        self.socket = socket.create_connection(address, timeout=30, source_address=(source, 0))
        self.socket.setblocking(False)
        self.sending = memoryview(b"")
        self.got = b""
        self.left = -1
        self.sent_at = 0.0


class Callers:
    """``count`` connections to a service on this machine; `call` lets them send requests.
    In open mode those of one ``source``, an address of this machine, are one client."""

    def __init__(self, port: int, count: int, source: str = "127.0.0.1") -> None:
        self._source = source
        self._address = ("127.0.0.1", port)
        self._poll = select.epoll()
        self._open: dict[int, _Connection] = {}
        self._free: list[int] = []
        self.came: list[Came] = []
        #: Requests that found every connection still waiting.
        self.unsent = 0
        for _ in range(count):
            self._connect()

    def _connect(self) -> None:
        made = _Connection(self._address, self._source)
        number = made.socket.fileno()
        self._poll.register(number, select.EPOLLIN)
        self._open[number] = made
        self._free.append(number)

    def call(
        self,
        request: Callable[[int], bytes],
        per_second: float,
        seconds: float,
        patience: float = 10.0,
    ) -> Sequence[Came]:
        """Sends ``request`` of each number when it is due, for so long, and waits for the answers
        for at most ``patience`` seconds more."""
        began, number = perf_counter(), 0
        self.came = []
        while True:
            now = perf_counter() - began
            over = number and now > seconds
            if now > seconds + patience or (over and self._idle()):
                return self.came
            for _ in range(_SENT_AT_ONCE):
                if number >= min(now, seconds) * per_second:
                    break
                self._send(request(number))
                number += 1
            for ready, event in self._poll.poll(0.001):
                self._go_on(ready, event)

    def _idle(self) -> bool:
        return len(self._free) == len(self._open)

    def _send(self, request: bytes) -> None:
        if not self._free:
            self.unsent += 1
            return
        number = self._free.pop(0)
        one = self._open[number]
        one.sending, one.sent_at, one.got, one.left = memoryview(request), perf_counter(), b"", -1
        self._push(number, one)

    def _push(self, number: int, one: _Connection) -> None:
        try:
            while one.sending:
                one.sending = one.sending[one.socket.send(one.sending) :]
        except BlockingIOError:
            pass
        except OSError:
            self._end(number, one)
            return
        self._poll.modify(number, select.EPOLLIN | (select.EPOLLOUT if one.sending else 0))

    def _go_on(self, number: int, event: int) -> None:
        one = self._open[number]
        if event & select.EPOLLOUT:
            self._push(number, one)
        if number not in self._open or not event & ~select.EPOLLOUT:
            return
        try:
            piece = one.socket.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self._end(number, one)
            return
        self._take(number, one, piece)

    def _take(self, number: int, one: _Connection, piece: bytes) -> None:
        one.got += piece
        if one.left < 0 and b"\r\n\r\n" in one.got:
            head = one.got.partition(b"\r\n\r\n")[0]
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            one.left = len(head) + 4 + int(length)
        if 0 <= one.left <= len(one.got):
            head, _, body = one.got.partition(b"\r\n\r\n")
            self.came.append(
                Came(int(head.split(b" ", 2)[1]), perf_counter() - one.sent_at, head, body)
            )
            one.sent_at = 0.0
            self._free.append(number)

    def _end(self, number: int, one: _Connection) -> None:
        """Of a connection that ended another takes the place."""
        if one.sent_at:
            self.came.append(Came(0, perf_counter() - one.sent_at, b"", b""))
        else:
            self._free.remove(number)
        self._poll.unregister(number)
        one.socket.close()
        del self._open[number]
        self._connect()

    def close(self) -> None:
        for one in self._open.values():
            one.socket.close()
        self._poll.close()


def request_of(service: str, body: bytes) -> bytes:
    """The whole of a call as it is sent."""
    head = (
        f"POST /cds-services/{service} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"
    )
    return f"{head}\r\nContent-Type: application/json\r\n\r\n".encode() + body
