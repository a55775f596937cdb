"""The log: one JSON line on standard output for what happened, no patient data in it.

Who reads it may stop reading, and then a pipe is full after 64 kB. A service does not wait for
that (`never_wait`): what is not taken at once is dropped and counted, and when lines are taken
again the first says how many are missing.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import stat
from collections.abc import Callable, Mapping
from functools import partial
from threading import Lock
from time import gmtime, strftime
from typing import Any

import msgspec

_STDOUT = 1


def log_line(line: Mapping[str, Any]) -> None:
    _output.take(_written(line))


def never_wait(dropped: Callable[[], None]) -> None:
    """From here on, in this process and those that are forked from it, no one waits for standard
    output; ``dropped`` is called for every line that is not written."""
    _output.write, _output.dropped = _write_at_once(_STDOUT), dropped


class Handler(logging.Handler):
    """What the HTTP server says of its workers, in the same way."""

    def emit(self, record: logging.LogRecord) -> None:
        _output.take(f"{self.format(record)}\n".encode("utf-8", "replace"))


def _written(line: Mapping[str, Any]) -> bytes:
    time = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime())
    return msgspec.json.encode({"time": time, **line}) + b"\n"


class _Output:
    """Standard output, a line in one write, so that those of several threads and workers do not
    mix. ``write`` says how many bytes were taken."""

    def __init__(self) -> None:
        self.write: Callable[[bytes], int] = partial(os.write, _STDOUT)
        self.dropped: Callable[[], None] = lambda: None
        self._lock = Lock()
        self._rest = b""  # of a line that was taken in part
        self._missing = 0

    def take(self, line: bytes) -> None:
        with self._lock:
            if self._missing:  # with a line that is taken too, or it would come often
                missing = {"level": "warning", "log": "lines dropped", "count": self._missing}
                line = _written(missing) + line
            if (not self._rest or self._push(self._rest)) and not self._rest and self._push(line):
                self._missing = 0
                return
            self._missing += 1
        self.dropped()

    def _push(self, line: bytes) -> bool:
        """Whether the line, or its beginning, was taken. When no one reads any more, calls are
        answered anyway."""
        try:
            taken = self.write(line)
        except OSError:
            return False
        if taken:
            self._rest = line[taken:]
        return taken > 0


_output = _Output()


def _write_at_once(number: int) -> Callable[[bytes], int]:
    """Writes what is taken without waiting, or raises `BlockingIOError`. The descriptor itself is
    left as it is: other processes share it."""
    try:
        kind = os.fstat(number).st_mode
    except OSError:  # closed by what started us
        kind = stat.S_IFREG
    if stat.S_ISREG(kind):
        return partial(os.write, number)
    if stat.S_ISSOCK(kind):  # systemd's journal
        return partial(_send, socket.socket(fileno=os.dup(number)))
    try:  # a pipe or terminal, opened once more
        again = os.open(f"/proc/self/fd/{number}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return partial(_write_if_ready, number)
    return partial(os.write, again)


def _send(connection: socket.socket, line: bytes) -> int:
    return connection.send(line, socket.MSG_DONTWAIT)


def _write_if_ready(number: int, line: bytes) -> int:
    """Where it cannot be opened again: another process may take the room meanwhile."""
    ready = select.poll()
    ready.register(number, select.POLLOUT)
    if not ready.poll(0):
        raise BlockingIOError
    return os.write(number, line[: select.PIPE_BUF])
