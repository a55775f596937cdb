"""The edge, before routing: one spelling of each path, preflight, CORS and security headers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

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
_GUARDED = frozenset(name.lower() for name, _ in _GUARDS)


class Edge:
    """What happens before routing: one spelling of each path, preflight, CORS and security headers.

    The public CDS Hooks sandbox calls ``/cds-services//id`` when its user typed a trailing slash,
    and a redirect would end a preflight, so every spelling is served as it is. CORS is
    implemented here because Flask-Cors took 50 to 65 us a call, half of what Flask itself takes.
    """

    def __init__(self, app: WSGIApplication, origins: Sequence[str], demo: bool) -> None:
        self.app = app
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

        answer = self.app(environ, start)
        try:
            return list(answer)  # granian sends a list in one piece, anything else in chunks
        finally:
            answer.close()  # type: ignore[attr-defined]

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
