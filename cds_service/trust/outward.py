"""Asking other machines: the only place in this program that opens a connection.

No redirect is followed, nothing from the environment (proxy, netrc) is used, no cookie is kept. One
deadline covers looking up the name, connecting, the headers and the body, however slowly they drip.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import IO, Any, Literal, NamedTuple

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

_CHUNK = 65_536

Why = Literal["late", "insecure", "unreachable", "broken off", "too large"]


class Got(NamedTuple):
    """An answer; the body is read only with status 200, of a `post` always. ``headers`` by their
    names in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class NoAnswer(Exception):
    """Why there is no whole answer. Nothing of the cause is kept: its text contains the address."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


def get(url: str, headers: Mapping[str, str], ends: float, most: int) -> Got:
    """The answer of ``url``, of at most ``most`` bytes, by ``ends`` on `time.monotonic`."""
    return _answer(url, headers, ends, most, None)


def post(url: str, headers: Mapping[str, str], ends: float, most: int, sent: bytes) -> Got:
    """The answer to ``sent``, like `get`. It may arrive twice, so sending it twice must do no
    more than sending it once."""
    return _answer(url, headers, ends, most, sent)


def delete(url: str, headers: Mapping[str, str], ends: float) -> Got:
    """Has something removed, and reads nothing of the answer."""
    return _answer(url, headers, ends, 0, None, "DELETE")


def download(url: str, headers: Mapping[str, str], ends: float, most: int, to: IO[bytes]) -> Got:
    """The answer of ``url`` written to a file, like `get`."""
    return _answer(url, headers, ends, most, None, to=to)


def _answer(
    url: str,
    headers: Mapping[str, str],
    ends: float,
    most: int,
    sent: bytes | None,
    method: str = "",
    to: IO[bytes] | None = None,
) -> Got:
    asked = _Asked(method or ("GET" if sent is None else "POST"), url, headers, sent)
    try:
        return _read(asked, ends, most, to or io.BytesIO())
    except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError):
        why: Why = "late"
    except requests.exceptions.SSLError:
        why = "insecure"
    except requests.ConnectionError:
        why = "unreachable"
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError):
        why = "broken off"
    raise NoAnswer(why)


class _Asked(NamedTuple):
    method: str
    url: str
    headers: Mapping[str, str]
    sent: bytes | None


def _read(asked: _Asked, ends: float, most: int, to: IO[bytes]) -> Got:
    try:
        response = _send(asked, ends)
    except requests.Timeout:
        raise
    except requests.ConnectionError:
        # A server may close a kept connection at the moment it is used again.
        response = _send(asked, ends)
    with response:
        if asked.method != "DELETE" and (response.status_code == 200 or asked.sent is not None):
            length = 0
            # read1 returns what there is, so that a server sending drop by drop is noticed.
            while chunk := response.raw.read1(_CHUNK, decode_content=True):
                length += to.write(chunk)
                if length > most:
                    raise NoAnswer("too large")
                if time.monotonic() >= ends:
                    raise NoAnswer("late")
    told = {name.lower(): value for name, value in response.headers.items()}
    body = to.getvalue() if isinstance(to, io.BytesIO) else b""
    return Got(response.status_code, body, told)


def _send(asked: _Asked, ends: float) -> requests.Response:
    seconds = ends - time.monotonic()
    if seconds <= 0:
        raise NoAnswer("late")
    return _session().request(
        asked.method,
        asked.url,
        data=asked.sent,
        headers=asked.headers,
        timeout=Timeout(total=seconds),  # type: ignore[arg-type] # its types allow numbers only
        stream=True,
        allow_redirects=False,
    )


_local = threading.local()


def _session() -> requests.Session:
    """This thread's session, for its open connections; it never holds anything of a request."""
    session: requests.Session | None = getattr(_local, "session", None)
    if session is None:
        session = requests.Session()
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = _Adapter(pool_connections=8, pool_maxsize=1)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        _local.session = session
    return session


# --- the deadline of a whole answer ----------------------------------------------------------
#
# A socket's own timeout starts again with every byte. Here the whole answer must arrive in the
# time that was left when it began.


class _Until(io.RawIOBase):
    """What a socket sends until the timeout it has now is over, counted from now."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)
        self._ends = time.monotonic() + (sock.gettimeout() or 0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_Until(sock))


# --- the deadline of a connection -------------------------------------------------------------
#
# The system's resolver has a patience of its own, of ten seconds and more, and each address of a
# name would have the whole timeout.

_Address = tuple[Any, Any, int, str, Any]
_looking_up: dict[tuple[str, int], Future[list[_Address]]] = {}
_lock = threading.Lock()


def _addresses(host: str, port: int, seconds: float) -> list[_Address]:
    """The addresses of ``host``; `TimeoutError` where they are not known in time.

    Callers that need the same name meanwhile wait for the same thread. So a resolver that hangs has
    one thread for each name, all of them names that the operator listed.
    """
    with _lock:
        found = _looking_up.get((host, port))
        if found is None:
            found = _looking_up[host, port] = Future()
            looking = threading.Thread(
                target=_look_up, args=(host, port, found), name="name", daemon=True
            )
            try:
                looking.start()
            except RuntimeError as error:  # no more threads available
                del _looking_up[host, port]
                raise OSError(str(error)) from None
    return found.result(seconds)


def _look_up(host: str, port: int, found: Future[list[_Address]]) -> None:
    try:
        addresses = socket.getaddrinfo(host.strip("[]"), port, 0, socket.SOCK_STREAM)
    except Exception as error:  # noqa: BLE001 - raised where the addresses are awaited
        result: list[_Address] | Exception = error
    else:
        result = list(addresses)
    with _lock:
        del _looking_up[host, port]
    if isinstance(result, Exception):
        found.set_exception(result)
    else:
        found.set_result(result)


def _connect(asking: HTTPConnection) -> socket.socket:
    """A connection to the first address that takes one, within the timeout of all of it."""
    ends = time.monotonic() + float(asking.timeout or 0)
    try:
        addresses = _addresses(asking.host, asking.port, ends - time.monotonic())
        refused: OSError = OSError("the name has no address")
        for family, kind, protocol, _, address in addresses:
            left = ends - time.monotonic()
            if left <= 0:
                raise TimeoutError
            sock = socket.socket(family, kind, protocol)
            try:
                for option in asking.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(left)
                sock.connect(address)
            except OSError as error:
                sock.close()
                refused = error
            else:
                sock.settimeout(max(0.001, ends - time.monotonic()))
                return sock
        raise refused
    except TimeoutError:
        raise ConnectTimeoutError(asking, "too late") from None
    except OSError:
        raise NewConnectionError(asking, "there is no connection") from None


class _Connection(HTTPConnection):
    response_class = _Response

    def _new_conn(self) -> socket.socket:
        return _connect(self)


class _SecureConnection(HTTPSConnection):
    response_class = _Response

    def _new_conn(self) -> socket.socket:
        return _connect(self)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
