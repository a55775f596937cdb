"""What a worker takes on: how large a body, and how many bodies at once."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from math import ceil
from queue import Empty
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from cds_service.cdshooks.request import Limits
from cds_service.errors import BadRequest, Busy, TooLarge, TooManyCalls, UnsupportedMediaType
from cds_service.web.waiting import places

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from cds_service.settings import Settings

#: Bodies a worker waits for at once: a caller that never finishes its body holds a thread for as
#: long as it likes, and the others must still be answered.
_READ_AT_ONCE = 60
#: Callers that wait until their bodies are waited for, and for how many seconds: a hundred large
#: bodies at once are taken in turn. `commands/processes.py` has a few threads more than these and
#: those, for everything else.
_IN_LINE = 48
_IN_LINE_S = 5.0

_reading = places(_READ_AT_ONCE)
_in_line = places(_IN_LINE)


def _wait_to_read() -> None:
    """Takes a place among those whose bodies are read, which another has to leave first."""
    try:
        _in_line.get_nowait()
    except Empty:
        raise Busy from None
    try:
        _reading.get(timeout=_IN_LINE_S)
    except Empty:
        raise Busy from None
    finally:
        _in_line.put(None)


def limits_of(settings: Settings) -> Limits:
    """What one request may hold, as the operator set it."""
    return Limits(
        settings.max_text, settings.max_nesting, settings.max_drafts, settings.max_draft_bytes
    )


def json_body(environ: WSGIEnvironment, limit: int) -> bytes:
    """The body, if it claims to be JSON of any kind (FHIR's included) or claims nothing; without
    the mark that some clients put before UTF-8.

    Read here because Werkzeug silently cuts a chunked body at the limit.
    """
    kind = environ.get("CONTENT_TYPE") or "application/json"
    if kind != "application/json" and "json" not in kind.partition(";")[0].lower():
        raise UnsupportedMediaType("Send the request as Content-Type: application/json.")
    if environ.get("HTTP_CONTENT_ENCODING", "identity") != "identity":
        raise UnsupportedMediaType("Send the request without Content-Encoding.")
    length = environ.get("CONTENT_LENGTH")
    if length:
        if not length.isdecimal():
            raise BadRequest("Content-Length is not a number.")
        size = int(length)
    else:  # a chunked body, whose end is known where the server marks it
        size = limit + 1 if environ.get("wsgi.input_terminated") else 0
    try:
        _reading.get_nowait()
    except Empty:
        _wait_to_read()
    try:
        body: bytes = environ["wsgi.input"].read(min(size, limit + 1))
    finally:
        _reading.put(None)
    if len(body) > limit:
        raise TooLarge(f"The body is larger than {limit} bytes.")
    if length and len(body) < size:
        raise BadRequest("The body is shorter than its Content-Length.")
    return body.removeprefix(codecs.BOM_UTF8)


class Allowance:
    """Lets each client send so many bytes at once, and then as many as an hour has made room for.
    Each worker process counts separately."""

    def __init__(self, per_hour: int, clock: Callable[[], float] = monotonic) -> None:
        self._most, self._clock = per_hour, clock
        self._lock = Lock()
        self._used: dict[str, tuple[float, float]] = {}

    def take(self, client: str, count: int) -> None:
        """Refuses (`TooManyCalls`) what is too much, and does not count it."""
        with self._lock:
            now = self._clock()
            used, at = self._used.get(client, (0.0, now))
            used = max(0.0, used - (now - at) * self._most / 3600)
            if used and used + count > self._most:  # the first may be as large as a body
                wait = min(used, used + count - self._most) * 3600 / self._most
                raise TooManyCalls(ceil(wait), client)
            if len(self._used) >= _MOST_CLIENTS:
                self._used.clear()
            self._used[client] = used + count, now


#: In open mode every address is a client.
_MOST_CLIENTS = 10_000
#: So much is read of what a caller says of its languages.
_LONGEST_HEADER = 200


def accepted_language(header: str, tags: Sequence[str]) -> str:
    """Which of ``tags`` an ``Accept-Language`` asks for, also by a country ("de-AT"); the first
    where it asks for none."""
    for tag in parse_accept_header(header[:_LONGEST_HEADER], LanguageAccept).values():
        for asked in (tag, tag.partition("-")[0]):
            if asked in tags:
                return asked
    return tags[0]
