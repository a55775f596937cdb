"""The HTTP face: discovery, call, health. Parse, call, log, answer; nothing is decided here."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from threading import BoundedSemaphore
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec
from flask import Flask, Response, request
from werkzeug import exceptions

from cds_service import ABOUT, __version__
from cds_service.cdshooks.feedback import parse_feedback
from cds_service.cdshooks.request import Limits, Request, parse_request
from cds_service.cdshooks.response import encode, encode_outcome
from cds_service.consultation.occasion import Occasion
from cds_service.errors import (
    BadRequest,
    Busy,
    MethodNotAllowed,
    NotFound,
    ServiceError,
    TooLarge,
    UnsupportedMediaType,
)
from cds_service.store.audit import Call
from cds_service.telemetry import metrics
from cds_service.telemetry.log import log_line
from cds_service.trust.addresses import ApprovedFhirServer, Refused, approve_fhir_server

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from cds_service.consultation import Consultation, Service
    from cds_service.consultation.challenger import Challenger
    from cds_service.consultation.restraint import Restraint
    from cds_service.settings import Settings
    from cds_service.store.keeping import Store
    from cds_service.trust.callers import Caller, Door

    Consult = Callable[..., Consultation]
    #: Makes what `consult` reads through, for this call only, with the token or without one.
    Connect = Callable[[ApprovedFhirServer, str | None], object]

#: Bodies a worker waits for at once, a few less than it has threads: a caller that never ends its
#: body holds one for as long as it likes, and the others must still be answered.
_READ_AT_ONCE = 60
_reading = BoundedSemaphore(_READ_AT_ONCE)
#: Calls a worker works on at once: many would take turns on one core and make every call late.
_WORK_AT_ONCE = 4

_JSON = "application/json"
_encode_json = msgspec.json.encode
_is_uuid = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch


class Turns:
    """Lets a few calls be worked on at once; one that only waits gives up its turn meanwhile."""

    def __init__(self) -> None:
        self._free = BoundedSemaphore(_WORK_AT_ONCE)

    def __enter__(self) -> None:
        self._free.acquire()

    def __exit__(self, *error: object) -> None:
        self._free.release()

    @contextmanager
    def given_up(self) -> Iterator[None]:
        self._free.release()
        try:
            yield
        finally:
            self._free.acquire()


def add_routes(
    app: Flask,
    settings: Settings,
    services: Sequence[Service],
    *,
    discovery: Sequence[Mapping[str, Any]],
    door: Door,
    consult: Consult,
    connect: Connect,
    turns: Turns,
    today: Callable[[], date],
    store: Store | None,
    restraint: Restraint | None = None,
    challenger: Challenger | None = None,
) -> None:
    """Makes ``app`` answer for ``services``, which ``discovery`` describes in the same order.

    Without ``store`` nothing is kept, and feedback is not accepted.
    """
    limit = settings.max_body_bytes
    limits = limits_of(settings)
    app.wsgi_app = _Edge(app.wsgi_app, settings.allowed_origins, settings.demo)  # type: ignore[method-assign]
    app.register_error_handler(ServiceError, _answer_error)
    app.register_error_handler(exceptions.HTTPException, _answer_http_error)
    app.register_error_handler(Exception, _answer_bug)

    by_id = {service.id: service for service in services}

    def constant(path: str, name: str, value: Mapping[str, Any]) -> None:
        body = _encode_json(value)
        app.add_url_rule(path, name, lambda: Response(body, content_type=_JSON))

    constant("/", "front", _front_page(settings))
    constant("/healthz", "health", {"status": "ok"})

    base = f"{settings.public_url}/cds-services"
    services_page = _encode_json({"services": discovery})
    discovery_url = (base,)
    call_url = {service.id: (f"{base}/{service.id}",) for service in services}
    # Clients disagree whose address a token for feedback names.
    feedback_url = {id_: (f"{url}/feedback", url) for id_, (url,) in call_url.items()}

    def let_in(audiences: tuple[str, ...], what: str) -> Caller:
        """Whoever calls one of ``audiences``; one turned away is not kept in the store."""
        try:
            return door.authenticate(request.environ.get("HTTP_AUTHORIZATION"), audiences)
        except ServiceError as error:
            metrics.turned_away.labels(str(error.status)).inc()
            log_line({"level": "warning", "status": error.status, "for": what, **error.log})
            raise

    @app.get("/cds-services")
    def discover() -> Response:
        let_in(discovery_url, "discovery")
        return Response(services_page, content_type=_JSON)

    @app.get("/readyz")
    def readiness() -> Response:
        """Whoever gets here has loaded and checked every guideline, and cards need no store."""
        state: dict[str, Any] = {"status": "ok", "services": list(by_id)}
        if store is not None:
            state["store"] = health = store.health()
            state["status"] = "degraded" if health.state == "unavailable" else "ok"
        return Response(_encode_json(state), content_type=_JSON)

    @app.get("/metrics")
    def measured() -> Response:
        return Response(metrics.exposition(), content_type=metrics.CONTENT_TYPE)

    def find(service_id: str) -> Service:
        service = by_id.get(service_id)
        if service is None:
            raise NotFound("There is no CDS service of this id; see /cds-services.")
        return service

    def answer(service: Service, caller: Caller, asked: Request, on: date) -> Consultation:
        server, no_server = fhir_server_for(asked, caller, settings.demo, connect)
        unseen = restraint.unseen_rules(caller.name, service.id) if restraint else frozenset()
        occasion = Occasion(
            on,
            settings.as_of is not None,
            no_server,
            settings.max_entries,
            settings.one_action,
            unseen,
        )
        done = consult(service, asked, server, occasion)
        if restraint is None:
            return done
        return restraint.hold_back(done, service, caller.name, asked.context.patient_id)

    def account(
        service: Service,
        caller: Caller,
        started: float,
        result: Consultation | ServiceError,
        asked: Request | None,
        on: date,
    ) -> None:
        """Counts, keeps and logs one call, whatever became of it."""
        call = _call(service, caller, started, result, asked, on)
        said = {"consultation": store.record_consultation(call)} if store else {}
        metrics.count(call)
        _log_call(call, result, said)
        if challenger is not None and asked is not None and not isinstance(result, ServiceError):
            challenger.take(asked, result, call)

    @app.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        started = perf_counter()
        service = find(service_id)
        caller = let_in(call_url[service_id], service_id)
        asked, on = None, today()
        try:
            body = json_body(request.environ, limit)
            with turns:
                asked = parse_request(body, service.hook, limits)
                done = answer(service, caller, asked, on)
                answered = Response(encode(done.response), content_type=_JSON)
        except ServiceError as error:
            account(service, caller, started, error, asked, on)
            return _answer_error(error)
        except Exception:
            account(service, caller, started, ServiceError("a bug"), asked, on)
            raise
        account(service, caller, started, done, asked, on)
        return answered

    @app.post("/cds-services/<service_id>/feedback")
    def feedback(service_id: str) -> Response:
        started = perf_counter()
        service = find(service_id)
        caller = let_in(feedback_url[service_id], f"feedback of {service_id}")
        if store is None:
            raise NotFound("Feedback is not accepted: this service keeps nothing.")
        try:
            items = parse_feedback(json_body(request.environ, limit))
            stored = store.record_feedback(service.id, caller.name or None, items)
        except ServiceError as error:
            metrics.feedback_refused.labels(str(error.status)).inc()
            _log_feedback(service, error.status, started, {"issue": error.issue})
            return _answer_error(error)
        for item in stored.new:
            metrics.feedback.labels(service.id, item.outcome).inc()
        metrics.feedback_repeated.inc(stored.repeated)
        metrics.feedback_unknown.inc(stored.unknown)
        counts = {
            "stored": len(stored.new),
            "repeated": stored.repeated,
            "unknownCards": stored.unknown,
        }
        _log_feedback(service, 200, started, counts)
        return Response(_encode_json(counts), content_type=_JSON)


def limits_of(settings: Settings) -> Limits:
    return Limits(settings.max_text, settings.max_nesting, settings.max_drafts)


def _front_page(settings: Settings) -> dict[str, str]:
    return {
        "service": ABOUT,
        "version": __version__,
        "discovery": f"{settings.public_url}/cds-services",
        "note": "Give the discovery address to a CDS Hooks client. The guideline awaits human"
        " review: not for patients.",
    }


def fhir_server_for(
    asked: Request, caller: Caller, demo: bool, connect: Connect
) -> tuple[object | None, str]:
    """The FHIR server that may be read for this call, or ``None`` and the reason."""
    if asked.fhir_server is None:
        return None, "the request names no FHIR server"
    server = approve_fhir_server(
        asked.fhir_server, listed=caller.fhir_servers, demo=demo, client=caller.name
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
    if not _reading.acquire(blocking=False):
        raise Busy
    try:
        body: bytes = environ["wsgi.input"].read(min(size, limit + 1))
    finally:
        _reading.release()
    if len(body) > limit:
        raise TooLarge(f"The body is larger than {limit} bytes.")
    if length and len(body) < size:
        raise BadRequest("The body is shorter than its Content-Length.")
    return body


# --- errors ----------------------------------------------------------------------------------


def _answer_error(error: ServiceError) -> Response:
    return Response(encode_outcome(error), error.status, error.headers, content_type=_JSON)


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
    log_line({"level": "error", "status": 500, "error": type(error).__name__, "places": places})
    return _answer_error(ServiceError("The service failed; no advice was given."))


# --- what is kept and logged of a call -------------------------------------------------------


def _call(
    service: Service,
    caller: Caller,
    started: float,
    result: Consultation | ServiceError,
    asked: Request | None,
    on: date,
) -> Call:
    failure = result if isinstance(result, ServiceError) else None
    evaluation = None if isinstance(result, ServiceError) else result.evaluation
    # Only an address that was approved is kept: one that answered, or failed to.
    asked_server = evaluation and any(one.endswith("server") for one in evaluation.needs.values())
    return Call(
        service=service.id,
        hook=service.hook,
        status=failure.status if failure else 200,
        ms=round((perf_counter() - started) * 1000, 3),
        client=caller.name or None,
        hook_instance=asked.hook_instance if asked else "",
        patient_id=asked.context.patient_id if asked else "",
        user_id=asked.context.user_id if asked else "",
        fhir_server=(asked.fhir_server or "") if asked and asked_server else "",
        as_of=on.isoformat(),
        problem=failure.issue if failure else "",
        evaluation=evaluation,
    )


def _log_call(call: Call, result: Consultation | ServiceError, kept: Mapping[str, Any]) -> None:
    line: dict[str, Any] = {
        "level": "info",
        "service": call.service,
        "hook": call.hook,
        "status": call.status,
        "ms": round(call.ms, 2),
    }
    if call.client:
        line["client"] = call.client
    # Anything else a client sends as its hookInstance might say who the patient is.
    if _is_uuid(call.hook_instance):
        line["hookInstance"] = call.hook_instance
    if isinstance(result, ServiceError):
        line.update(issue=result.issue, at=result.expression)
    else:
        line.update(result.log)
    log_line({**line, **kept})


def _log_feedback(service: Service, status: int, started: float, said: Mapping[str, Any]) -> None:
    ms = round((perf_counter() - started) * 1000, 2)
    line = {"level": "info", "service": service.id, "feedback": True, "status": status, "ms": ms}
    log_line({**line, **said})


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
