"""A proxy on loopback before a real FHIR server, to put in its way what gets in its way outside.

with Proxy(base, token="secret") as proxy:
    ... proxy.base ...
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from loopback import Loopback, SilentHandler

LOGIN_PAGE = b"<html><body><h1>401 Unauthorized</h1></body></html>"


class Proxy(Loopback):
    """``token``: without it the answer is 401 and HTML. ``rewrite`` changes the path and query.
    ``before`` is called with the number of each request before it is passed on. ``cut_after``
    sends so many bytes of each body and hangs up. ``own_host`` gives the server the proxy's
    address, so that its links lead back here."""

    def __init__(
        self,
        base: str,
        *,
        token: str | None = None,
        rewrite: Callable[[str], str] = str,
        before: Callable[[int], None] = lambda number: None,
        cut_after: int | None = None,
        delay_s: float = 0.0,
        own_host: bool = True,
    ) -> None:
        self.target = urlsplit(base)
        self.token = token
        self.rewrite = rewrite
        self.before = before
        self.cut_after = cut_after
        self.delay_s = delay_s
        self.own_host = own_host
        self.asked: list[str] = []
        self._lock = threading.Lock()

    def note(self, path: str) -> int:
        with self._lock:
            self.asked.append(path)
            return len(self.asked)

    @property
    def base(self) -> str:
        return f"http://{self.host}{self.target.path}"

    def handler(self) -> type[BaseHTTPRequestHandler]:
        return _handler_of(self)


def _handler_of(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(SilentHandler):
        def do_GET(self) -> None:
            number = proxy.note(self.path)
            time.sleep(proxy.delay_s)
            if proxy.token and self.headers["Authorization"] != f"Bearer {proxy.token}":
                self._answer(401, "text/html", LOGIN_PAGE)
                return
            proxy.before(number)
            try:
                status, kind, body = self._passed_on()
            except (OSError, http.client.HTTPException):
                return  # hangs up
            self._answer(status, kind, body)

        def _passed_on(self) -> tuple[int, str, bytes]:
            target = proxy.target
            upstream = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
            host = proxy.host if proxy.own_host else target.netloc
            headers = {"Host": host, "Accept": self.headers["Accept"], "Cache-Control": "no-cache"}
            try:
                upstream.request("GET", proxy.rewrite(self.path), headers=headers)
                answer = upstream.getresponse()
                return answer.status, answer.headers["Content-Type"] or "", answer.read()
            finally:
                upstream.close()

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: proxy.cut_after])
            except ConnectionError:
                pass

    return Handler
