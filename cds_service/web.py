"""The HTTP face: discovery, call, health. Parse, call, log, answer; nothing is decided here."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from time import gmtime, perf_counter, strftime
from typing import TYPE_CHECKING, Any

import msgspec
from flask import Flask, Response, request
from werkzeug import exceptions

from cds_service import __version__
from cds_service.cdshooks.request import Request, parse_request
from cds_service.cdshooks.response import encode, encode_outcome
from cds_service.errors import (
    BadRequest,
    MethodNotAllowed,
    NotFound,
    ServiceError,
    TooLarge,
    UnsupportedMediaType,
)
from cds_service.security import ApprovedFhirServer, Refused, approve_fhir_server

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from cds_service.consultation import Consultation, Service
    from cds_service.settings import Settings

    Consult = Callable[..., Consultation]
    #: Makes what `consult` reads through, for this call only, with the token or without one.
    Connect = Callable[[ApprovedFhirServer, str | None], object]

_JSON = "application/json"
_encode_json = msgspec.json.encode
_is_uuid = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch


def add_routes(
    app: Flask,
    settings: Settings,
    services: Sequence[Service],
    *,
    discovery: Sequence[Mapping[str, Any]],
    consult: Consult,
    connect: Connect,
    today: Callable[[], date],
) -> None:
    """Makes ``app`` answer for ``services``, which ``discovery`` describes in the same order."""
    limit = settings.max_body_bytes
    app.wsgi_app = _Edge(app.wsgi_app, settings.allowed_origins, settings.demo)  # type: ignore[method-assign]
    app.register_error_handler(ServiceError, _answer_error)
    app.register_error_handler(exceptions.HTTPException, _answer_http_error)
    app.register_error_handler(Exception, _answer_bug)

    by_id = {service.id: service for service in services}

    def constant(path: str, name: str, value: Mapping[str, Any]) -> None:
        body = _encode_json(value)
        app.add_url_rule(path, name, lambda: Response(body, content_type=_JSON))

    constant("/", "front", _front_page(settings))
    constant("/cds-services", "discovery", {"services": discovery})
    constant("/healthz", "health", {"status": "ok"})
    # Whoever gets here has loaded and checked every guideline.
    constant("/readyz", "readiness", {"status": "ok", "services": list(by_id)})

    def answer(service: Service, body: bytes) -> tuple[Request, Consultation]:
        asked = parse_request(body, service.hook)
        server, no_server = fhir_server_for(asked, settings, connect)
        done = consult(
            service,
            asked,
            server,
            on=today(),
            as_of_is_set=settings.as_of is not None,
            no_server=no_server,
            one_action=settings.one_action,
        )
        return asked, done

    @app.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        started = perf_counter()
        service = by_id.get(service_id)
        if service is None:
            raise NotFound("There is no CDS service of this id; see /cds-services.")
        try:
            asked, done = answer(service, json_body(request.environ, limit))
        except ServiceError as error:
            _log_call(
                service, error.status, started, {"issue": error.issue, "at": error.expression}
            )
            return _answer_error(error)
        _log_call(service, 200, started, done.log, asked.hook_instance)
        return Response(encode(done.response), content_type=_JSON)

    @app.post("/cds-services/<service_id>/feedback")
    def feedback(service_id: str) -> Response:
        raise NotFound("Feedback is not accepted: this version stores nothing.")


def _front_page(settings: Settings) -> dict[str, str]:
    return {
        "service": "CDS Hooks service for vitamin B12 deficiency in children under two years",
        "version": __version__,
        "discovery": f"{settings.public_url}/cds-services",
        "note": "Give the discovery address to a CDS Hooks client. The guideline awaits human"
        " review: not for patients.",
    }


def fhir_server_for(
    asked: Request, settings: Settings, connect: Connect
) -> tuple[object | None, str]:
    """The FHIR server that may be read for this call, or ``None`` and the reason."""
    if asked.fhir_server is None:
        return None, "the request names no FHIR server"
    server = approve_fhir_server(
        asked.fhir_server, listed=settings.fhir_servers, demo=settings.demo
    )
    if isinstance(server, Refused):
        return None, server.reason
    authorization = asked.authorization
    if authorization is None:
        return connect(server, None), ""
    if authorization.patient not in (None, asked.context.patient_id):
        return None, "the access token is for another patient"
    return connect(server, authorization.access_token), ""


def json_body(environ: WSGIEnvironment, limit: int) -> bytes:
    """The body, if it claims to be JSON of any kind (FHIR's included) or claims nothing.

    Read here because Werkzeug cuts a chunked body at the limit without a word.
    """
    kind = environ.get("CONTENT_TYPE") or _JSON
    if kind != _JSON and "json" not in kind.partition(";")[0].lower():
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
    body: bytes = environ["wsgi.input"].read(min(size, limit + 1))
    if len(body) > limit:
        raise TooLarge(f"The body is larger than {limit} bytes.")
    if length and len(body) < size:
        raise BadRequest("The body is shorter than its Content-Length.")
    return body


# --- errors ----------------------------------------------------------------------------------


def _answer_error(error: ServiceError) -> Response:
    answer = Response(encode_outcome(error), error.status, content_type=_JSON)
    if isinstance(error, MethodNotAllowed):
        answer.headers["Allow"] = error.allow
    return answer


def _answer_http_error(error: exceptions.HTTPException) -> Response:
    if isinstance(error, exceptions.NotFound):
        return _answer_error(NotFound("There is nothing at this path; see /cds-services."))
    if isinstance(error, exceptions.MethodNotAllowed):
        methods = ", ".join(sorted({*(error.valid_methods or ()), "OPTIONS"}))
        return _answer_error(MethodNotAllowed("This path does not have this method.", methods))
    if error.code is not None and error.code < 500:
        return _answer_error(BadRequest("The request cannot be read."))
    return _answer_bug(error)


def _answer_bug(error: Exception) -> Response:
    """A bug. Its message may quote a patient's record, so only type and places are logged."""
    places = [
        f"{os.path.basename(frame.filename)}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)[-8:]
    ]
    _log({"level": "error", "status": 500, "error": type(error).__name__, "places": places})
    return _answer_error(ServiceError("The service failed; no advice was given."))


# --- the log: one JSON line on standard output, no patient data ------------------------------


def _log_call(
    service: Service,
    status: int,
    started: float,
    said: Mapping[str, Any],
    hook_instance: str = "",
) -> None:
    line: dict[str, Any] = {
        "level": "info",
        "service": service.id,
        "hook": service.hook,
        "status": status,
        "ms": round((perf_counter() - started) * 1000, 2),
    }
    # Anything else a client sends as its hookInstance might say who the patient is.
    if _is_uuid(hook_instance):
        line["hookInstance"] = hook_instance
    line.update(said)
    _log(line)


def _log(line: dict[str, Any]) -> None:
    written = _encode_json({"time": strftime("%Y-%m-%dT%H:%M:%SZ", gmtime()), **line})
    # When nobody reads the log any more, calls are answered all the same.
    with suppress(OSError):
        # One write for a whole line: lines of several threads and workers do not mix.
        os.write(1, written + b"\n")


# --- the edge --------------------------------------------------------------------------------


#: What every answer says: it is data, for this caller alone, to be kept and shown nowhere.
_GUARDS = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
]
_GUARDED = frozenset(name.lower() for name, _ in _GUARDS)


class _Edge:
    """What stands before routing: one spelling of each path, preflight, CORS and security headers.

    The public CDS Hooks sandbox calls ``/cds-services//id`` when its user typed a trailing slash,
    and a redirect would end a preflight, so every spelling is served where it stands. CORS is
    written out here because Flask-Cors took 50 to 65 us a call, half of what Flask itself takes.
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
