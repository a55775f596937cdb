"""The edge, before routing: which host a request names, one spelling of each path, preflight,
CORS and security headers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self
from urllib.parse import urlsplit

from cds_service.cdshooks.response import encode_outcome
from cds_service.errors import BadRequest, Misdirected, ServiceError, UnsupportedMediaType
from cds_service.trust.addresses import is_loopback

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

#: The headers of every answer: it is data, for this caller only, not to be kept or shown elsewhere.
_GUARDS = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
]
_JSON = ("Content-Type", "application/json")
_GUARDED = frozenset(name.lower() for name, _ in _GUARDS)

#: Asked by what watches over the service, under any name.
_FOR_ANY_HOST = frozenset({"/healthz", "/readyz"})
_is_address = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\]").fullmatch
_without_port = re.compile(r"(\[[^\]]*\]|[^:]*)(?::\d*)?").fullmatch


def is_for_us(named: Sequence[str], public_url: str) -> Callable[[str], bool]:
    """Whether a ``Host`` header names this service: one of ``named`` ("*" for any), the host of
    ``public_url``, loopback, or any IP address.

    A page on the internet can have its own *name* lead to this machine and then read what its
    script is answered, as if from its own server (DNS rebinding). An address cannot be led
    elsewhere, so it is allowed: probes and containers call by address.
    """
    hosts = {one.lower() for one in named}
    ours = frozenset({*hosts, (urlsplit(public_url).hostname or "").lower()} - {""})

    @lru_cache(maxsize=64)
    def check(host: str) -> bool:
        found = _without_port(host.lower())
        if found is None or len(host) > 255:
            return False
        name = found[1].removesuffix(".")
        return name in ours or bool(_is_address(name)) or is_loopback(name)

    return (lambda host: True) if "*" in hosts else check


class End(Protocol):
    """Hears whether the answer was sent, or its caller had gone."""

    def __call__(self, *, sent: bool) -> None: ...


class Answered(NamedTuple):
    """JSON that answers a call, and the language of its words; ``end`` where someone waits to hear
    whether it was sent."""

    body: bytes
    language: str
    end: End | None = None


class _Watched:
    """An answer of which it is seen whether the server still has someone to send it to: it asks for
    what comes after the body only if it could pass the body on."""

    def __init__(self, body: bytes, end: End) -> None:
        self._left, self._end, self._ended = [body], end, False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._left:
            return self._left.pop()
        self._tell(sent=True)
        raise StopIteration

    def close(self) -> None:
        self._tell(sent=False)

    def _tell(self, *, sent: bool) -> None:
        if not self._ended:
            self._ended = True
            self._end(sent=sent)


class Edge:
    """What happens before routing: refusing what is addressed to others, one spelling of each
    path, preflight, CORS and security headers.

    The public CDS Hooks sandbox calls ``/cds-services//id`` when its user typed a trailing slash,
    and a redirect would end a preflight, so every spelling is served as it is. CORS is
    implemented here because Flask-Cors took 50 to 65 us a call, half of what Flask itself takes.

    ``calls`` are answered here by their path, without what Flask spends on finding a view and on
    making a request and a response: JSON that is right, or an application that answers an error.
    """

    def __init__(
        self,
        app: WSGIApplication,
        origins: Sequence[str],
        demo: bool,
        is_for_us: Callable[[str], bool] = lambda host: True,
        calls: Mapping[str, Callable[[WSGIEnvironment], Answered | WSGIApplication]] | None = None,
    ) -> None:
        self.app = app
        self.is_for_us = is_for_us
        self.calls = calls or {}
        self.origins = frozenset(origins)
        self.demo = demo
        any_origin = "*" in self.origins
        self.on_all = [
            *_GUARDS,
            ("Access-Control-Allow-Origin", "*") if any_origin else ("Vary", "Origin"),
        ]
        self.any_origin = any_origin

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        if not path or "//" in path or path[-1] == "/":
            environ["PATH_INFO"] = "/" + "/".join(part for part in path.split("/") if part)
        headers = self.on_all
        if not self.any_origin:
            origin = environ.get("HTTP_ORIGIN")
            if origin in self.origins:
                headers = [*headers, ("Access-Control-Allow-Origin", origin)]
        if environ["REQUEST_METHOD"] == "OPTIONS":
            start_response("204 No Content", self._preflight(environ, headers))
            return []

        def start(status: str, sent: list[tuple[str, str]], exc_info: Any = None) -> Any:
            said = {name.lower() for name, _ in sent} & _GUARDED  # a page knows what it may load
            sent.extend([one for one in headers if one[0].lower() not in said] if said else headers)
            return start_response(status, sent, exc_info)

        refused = self._refused(environ)
        if refused is not None:
            start(_line(refused), [_JSON])
            return [encode_outcome(refused)]
        app = self.app
        call = self.calls.get(environ["PATH_INFO"])
        if call is not None and environ["REQUEST_METHOD"] == "POST":
            answered = call(environ)
            if isinstance(answered, Answered):
                length = ("Content-Length", str(len(answered.body)))
                spoken = ("Content-Language", answered.language)
                start_response("200 OK", [_JSON, length, spoken, *headers])
                if answered.end is not None:
                    return _Watched(answered.body, answered.end)
                return [answered.body]
            app = answered
        answer = app(environ, start)
        try:
            return list(answer)  # granian sends a list in one piece, anything else in chunks
        finally:
            answer.close()  # type: ignore[attr-defined]

    def _refused(self, environ: WSGIEnvironment) -> ServiceError | None:
        """Why the request is not passed on, if it is not."""
        host = environ.get("HTTP_HOST", "")
        # The server joins two headers by a comma, which no name of a host has.
        if "," in host or (not host and environ.get("SERVER_PROTOCOL") == "HTTP/1.1"):
            return BadRequest("A request needs one Host header.")
        if not self.is_for_us(host) and environ["PATH_INFO"] not in _FOR_ANY_HOST:
            return Misdirected(
                "The Host header does not name this service; its operator lists its names in"
                " CDS_ALLOWED_HOSTS."
            )
        # Without a type a page may send it anywhere, unasked: only one that it declares as JSON
        # needs a preflight.
        from_page = "HTTP_ORIGIN" in environ and environ["REQUEST_METHOD"] == "POST"
        if from_page and not environ.get("CONTENT_TYPE"):
            return UnsupportedMediaType(
                "A request from a web page needs Content-Type: application/json."
            )
        return None

    def _preflight(
        self, environ: WSGIEnvironment, headers: list[tuple[str, str]]
    ) -> list[tuple[str, str]]:
        answer = [
            *headers,
            ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
            # "*" would not cover Authorization
            ("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept"),
            ("Access-Control-Max-Age", "600"),
        ]
        asks = environ.get("HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK") == "true"
        allowed = any(name == "Access-Control-Allow-Origin" for name, _ in headers)
        if self.demo and asks and allowed:
            answer.append(("Access-Control-Allow-Private-Network", "true"))
        return answer


def _line(error: ServiceError) -> str:
    return f"{error.status} {HTTPStatus(error.status).phrase}"
