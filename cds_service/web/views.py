"""What is answered at which address: `ROUTES` lists them all.

Each view is a method of `Views`: find the service, admit the caller, parse, call, account for it,
answer; nothing is decided here.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache, lru_cache, partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec
from flask import Flask, Response, request
from werkzeug import exceptions
from werkzeug.wsgi import get_host

from cds_service import ABOUT, __version__
from cds_service.cdshooks.feedback import parse_feedback
from cds_service.cdshooks.request import Request, parse_request
from cds_service.cdshooks.response import encode, encode_outcome
from cds_service.consultation.occasion import Occasion
from cds_service.consultation.room import LARGEST, fitted
from cds_service.consultation.services import page_of
from cds_service.errors import (
    BadRequest,
    Busy,
    HungUp,
    MethodNotAllowed,
    NotFound,
    ServiceError,
)
from cds_service.store import metrics
from cds_service.store.log import log_line
from cds_service.trust.addresses import ApprovedFhirServer, Refused, approve_fhir_server
from cds_service.trust.callers import calls_itself
from cds_service.web import accounts
from cds_service.web.accounts import Accounts, Arrival
from cds_service.web.edge import Answered, Edge, is_for_us
from cds_service.web.intake import Allowance, accepted_language, json_body, limits_of
from cds_service.web.waiting import Pulse, Turns

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from cds_service.consultation import Consultation, Service
    from cds_service.consultation.challenger import Challenger
    from cds_service.consultation.known_answers import KnownAnswers
    from cds_service.consultation.restraint import Restraint
    from cds_service.settings import Settings
    from cds_service.store.keeping import Store
    from cds_service.trust.callers import Caller, Door
    from cds_service.trust.keys import Register

    Consult = Callable[..., Consultation]
    #: Makes what `consult` reads through, for this call only, with the token or without one; last
    #: is the host that the call came to, which may be the server itself.
    Connect = Callable[[ApprovedFhirServer, str | None, str], object]

_JSON = "application/json"
#: What of a request says by which address it came.
_NAMED_BY = ("wsgi.url_scheme", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT")
#: Of a call that took so many seconds it is seen whether its caller is still there: only what was
#: sent is kept as shown. Of all others that is not worth what it costs.
_HUNG_UP_S = 0.05
#: The public CDS Hooks sandbox, https://github.com/cds-hooks/sandbox: its page, and the issuer of
#: its tokens wherever it runs.
SANDBOX = "https://sandbox.cds-hooks.org"
_encode_json = msgspec.json.encode
_HEALTHY = _encode_json({"status": "ok"})


class Views:
    """The answers for ``services``, each described by ``discovery`` for a version of CDS Hooks.

    Without ``store`` nothing is kept, and feedback is not accepted.
    """

    def __init__(
        self,
        settings: Settings,
        services: Sequence[Service],
        *,
        discovery: Callable[[Service, str], Mapping[str, Any]],
        door: Door,
        consult: Consult,
        connect: Connect,
        turns: Turns,
        today: Callable[[], date],
        store: Store | None,
        restraint: Restraint | None = None,
        challenger: Challenger | None = None,
        known_answers: KnownAnswers | None = None,
        register: Register | None = None,
        servers_down: Callable[[], int] = lambda: 0,
    ) -> None:
        self._settings = settings
        self._limits = limits_of(settings)
        self._door = door
        self._consult = consult
        self._connect = connect
        self._turns = turns
        self._feedback_of = Allowance(settings.feedback_bytes)
        self._pulse = Pulse(oldest=settings.queue)
        self._today = today
        self._store = store
        self._restraint = restraint
        self._known_answers = known_answers
        self._register = register
        self._servers_down = servers_down
        self._accounts = Accounts(store, challenger)
        self._by_id = {service.id: service for service in services}
        self._front = _encode_json(_front_page(settings))
        self._languages = services[0].languages if services else (settings.language,)

        @cache
        def described(cds_hooks: str, tag: str) -> bytes:
            entries = [discovery(one.in_language(tag), cds_hooks) for one in services]
            return _encode_json({"services": entries})

        @lru_cache(maxsize=64)
        def page_at(service_id: str, *server: Any) -> str:
            called = dict(zip(_NAMED_BY, server, strict=True))
            base = settings.public_url or f"{called['wsgi.url_scheme']}://{get_host(called)}"
            return page_of(self._by_id[service_id], services, base)

        self._discovery = described
        self._page_at = page_at
        base = f"{settings.public_url}/cds-services"
        self._discovery_url = (base,)
        self._call_url = {id_: (f"{base}/{id_}",) for id_ in self._by_id}
        # Clients disagree about which address a token for feedback names.
        self._feedback_url = {
            id_: (f"{url}/feedback", url) for id_, (url,) in self._call_url.items()
        }

    def front(self) -> Response:
        return Response(self._front, content_type=_JSON)

    def health(self) -> Response:
        return Response(_HEALTHY, content_type=_JSON)

    def readiness(self) -> Response:
        """A process that gets here has loaded and checked every guideline, and cards need no store.
        Only a wrong answer to a case whose right answer is known makes the service unready."""
        state: dict[str, Any] = {"status": "ok", "services": list(self._by_id)}
        status = 200
        if self._store is not None:
            state["store"] = health = self._store.health()
            degraded = health.state == "unavailable" or bool(health.clock_difference)
            state["status"] = "degraded" if degraded else "ok"
        servers_down = self._servers_down()
        if servers_down:
            state["fhirServersDown"], state["status"] = servers_down, "degraded"
        if self._register is not None:
            failing = self._register.failing
            state["clients"] = {"registered": len(self._register.clients), "withoutKeys": failing}
            state["status"] = "degraded" if failing else state["status"]
        if self._known_answers:
            state["knownAnswers"] = known = self._known_answers.state
            if known.wrong:
                state["status"], status = "failing", 503
        return Response(_encode_json(state), status, content_type=_JSON)

    def measured(self) -> Response:
        if self._register is not None:
            metrics.without_keys.set(self._register.failing)
        return Response(metrics.exposition(), content_type=metrics.CONTENT_TYPE)

    def discover(self) -> Response:
        caller = self._let_in(request.environ, self._discovery_url, "discovery")
        tag = self._language(caller, request.environ)
        headers = {"Content-Language": tag, "Vary": "Accept-Language"}
        return Response(self._discovery(caller.cds_hooks, tag), content_type=_JSON, headers=headers)

    def call(self, service_id: str) -> Response:
        """For addresses that are written in another way; `Edge` answers all others itself."""
        answered = self._answer(request.environ, self._find(service_id))
        if not isinstance(answered, Answered):
            return answered
        if answered.end is not None:
            answered.end(sent=True)
        headers = {"Content-Language": answered.language}
        return Response(answered.body, content_type=_JSON, headers=headers)

    def _answer(self, environ: WSGIEnvironment, service: Service) -> Answered | Response:
        """What answers a call: the cards encoded, or a response that says what went wrong. `Edge`
        asks for it without Flask, of whose work it needs nothing."""
        try:
            return self._answered(environ, service, perf_counter())
        except ServiceError as error:
            return answer_error(error)
        except Exception as error:  # noqa: BLE001 - as Flask has it for every other view
            return _answer_bug(error)

    def _answered(self, environ: WSGIEnvironment, service: Service, started: float) -> Answered:
        caller = self._let_in(environ, self._call_url[service.id], service.id, self._turns.ask)
        service = service.in_language(self._language(caller, environ))
        arrived = Arrival(service, caller, started, self._today())
        asked = None
        try:
            sending = perf_counter()
            body = json_body(environ, self._settings.max_body_bytes)
            upload = perf_counter() - sending
            arrived = arrived._replace(upload=upload)
            # In open mode a caller is known by where the call comes from alone.
            client = caller.name or environ.get("REMOTE_ADDR", "")
            waited = self._pulse.admit(client, environ)
            self._turns.take(client, started + upload - waited)
            try:
                asked = parse_request(body, service.hook, self._limits)
                one_action = self._applies_one_action(caller, environ)
                host, page = environ.get("HTTP_HOST", ""), self._page(service, environ)
                done = self._consulted(arrived, asked, host, one_action=one_action, page=page)
                answered = encode(done.response)
                if len(answered) > LARGEST:
                    done = fitted(done, service.language)
                    answered = encode(done.response)
            finally:
                self._turns.leave()
        except Busy:
            accounts.shed(service.id)
            raise
        except ServiceError as error:
            self._accounts.call(arrived, asked, error)
            raise
        except Exception:
            self._accounts.call(arrived, asked, ServiceError("a bug"))
            raise
        if perf_counter() - started - upload < _HUNG_UP_S:
            self._accounts.call(arrived, asked, done)
            return Answered(answered, service.language.tag)

        def end(*, sent: bool) -> None:
            self._accounts.call(arrived, asked, done if sent else HungUp())

        return Answered(answered, service.language.tag, end)

    def _own(self, environ: WSGIEnvironment) -> Answered | Response:
        """This worker's own request, see `Pulse`; no one else finds anything here."""
        if self._pulse.answer(environ):
            return Answered(b"", "en")
        return answer_error(NotFound("There is nothing at this path; see /cds-services."))

    def feedback(self, service_id: str) -> Response:
        started = perf_counter()
        service = self._find(service_id)
        audiences = self._feedback_url[service_id]
        caller = self._let_in(request.environ, audiences, f"feedback of {service_id}")
        if self._store is None:
            raise NotFound("Feedback is not accepted: this service keeps nothing.")
        try:
            body = json_body(request.environ, self._settings.max_body_bytes)
            client = caller.name or request.environ.get("REMOTE_ADDR", "")
            self._feedback_of.take(client, len(body))
            with self._turns.of(client):
                items = parse_feedback(body)
            stored = self._store.record_feedback(service.id, caller.name or None, items)
        except ServiceError as error:
            accounts.feedback_refused(service, started, error)
            return answer_error(error)
        counts = accounts.feedback_stored(service, started, stored)
        return Response(_encode_json(counts), content_type=_JSON)

    # --- what the views share --------------------------------------------------------------------

    def _find(self, service_id: str) -> Service:
        service = self._by_id.get(service_id)
        if service is None:
            raise NotFound("There is no CDS service with this id; see /cds-services.")
        return service

    def _let_in(
        self,
        environ: WSGIEnvironment,
        audiences: tuple[str, ...],
        what: str,
        ask: Callable[[str], None] = lambda client: None,
    ) -> Caller:
        """The caller of one of ``audiences``; a refused one is not kept in the store."""
        try:
            return self._door.authenticate(environ.get("HTTP_AUTHORIZATION"), audiences, ask)
        except Busy:
            accounts.shed(what)
            raise
        except ServiceError as error:
            accounts.turned_away(error, what)
            raise

    def _consulted(
        self, arrived: Arrival, asked: Request, host: str, *, one_action: bool, page: str
    ) -> Consultation:
        """The answer, without what this caller is not to see."""
        settings, restraint = self._settings, self._restraint
        service, caller = arrived.service, arrived.caller
        server, no_server = fhir_server_for(asked, caller, settings.demo, self._connect, host)
        unseen = restraint.unseen_rules(caller.name, service) if restraint else frozenset()
        occasion = Occasion(
            arrived.on,
            settings.as_of is not None,
            no_server,
            settings.max_entries,
            one_action,
            unseen,
            page=page,
        )
        done = self._consult(service, asked, server, occasion)
        if restraint is None:
            return done
        return restraint.hold_back(done, service, caller.name, asked.context.patient_id)

    def _page(self, service: Service, environ: WSGIEnvironment) -> str:
        """Where the guideline is read: under the service's own address, or else under the one it
        was called by, which was checked."""
        if not self._settings.workbench:
            return ""
        return self._page_at(service.id, *[environ.get(name) for name in _NAMED_BY])

    def _language(self, caller: Caller, environ: WSGIEnvironment) -> str:
        """That of this caller's answers, which is the operator's unless the register says so; the
        demo has no register, and asks the caller."""
        asked = environ.get("HTTP_ACCEPT_LANGUAGE") if self._settings.demo else None
        if asked and not caller.language:
            return accepted_language(asked, self._languages)
        wanted = caller.language or self._settings.language
        return wanted if wanted in self._languages else self._languages[0]

    def _applies_one_action(self, caller: Caller, environ: WSGIEnvironment) -> bool:
        """Whether this client applies one action of a suggestion and drops the others."""
        if caller.one_action is not None:
            return caller.one_action
        if self._settings.one_action is not None:
            return self._settings.one_action
        return self._settings.demo and calls_itself(
            SANDBOX, environ.get("HTTP_AUTHORIZATION"), environ.get("HTTP_ORIGIN")
        )


#: Every address, with what answers there.
ROUTES: tuple[tuple[str, str, Callable[..., Response]], ...] = (
    ("GET", "/", Views.front),
    ("GET", "/healthz", Views.health),
    ("GET", "/readyz", Views.readiness),
    ("GET", "/metrics", Views.measured),
    ("GET", "/cds-services", Views.discover),
    ("POST", "/cds-services/<service_id>", Views.call),
    ("POST", "/cds-services/<service_id>/feedback", Views.feedback),
)


def add_routes(app: Flask, views: Views, settings: Settings) -> None:
    """Makes ``app`` answer at every address of `ROUTES`, and answer errors as the views do."""
    ours = is_for_us(settings.allowed_hosts, settings.public_url)
    calls: dict[str, Callable[[WSGIEnvironment], Answered | Response]] = {
        f"/cds-services/{id_}": partial(views._answer, service=one)
        for id_, one in views._by_id.items()
    }
    calls[Pulse.PATH] = views._own
    edge = Edge(app.wsgi_app, settings.origins, settings.demo, ours, calls)
    app.wsgi_app = edge  # type: ignore[method-assign]
    app.register_error_handler(ServiceError, answer_error)
    app.register_error_handler(exceptions.HTTPException, _answer_http_error)
    app.register_error_handler(Exception, _answer_bug)
    for method, path, view in ROUTES:
        app.add_url_rule(path, view.__name__, partial(view, views), methods=[method])


def _front_page(settings: Settings) -> dict[str, str]:
    return {
        "service": ABOUT,
        "version": __version__,
        "discovery": f"{settings.public_url}/cds-services",
        "note": "Give the discovery address to a CDS Hooks client. The guideline awaits human"
        " review: not for patients.",
    }


def fhir_server_for(
    asked: Request, caller: Caller, demo: bool, connect: Connect, host: str
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
        return connect(server, None, host), ""
    if authorization.patient not in (None, asked.context.patient_id):
        return None, "the access token is for another patient"
    return connect(server, authorization.access_token, host), ""


# --- errors ----------------------------------------------------------------------------------


def answer_error(error: ServiceError) -> Response:
    return Response(encode_outcome(error), error.status, error.headers, content_type=_JSON)


def _answer_http_error(error: exceptions.HTTPException) -> Response:
    if isinstance(error, exceptions.NotFound):
        return answer_error(NotFound("There is nothing at this path; see /cds-services."))
    if isinstance(error, exceptions.MethodNotAllowed):
        methods = ", ".join(sorted({*(error.valid_methods or ()), "OPTIONS"}))
        return answer_error(MethodNotAllowed("This path does not have this method.", methods))
    if error.code is not None and error.code < 500:
        return answer_error(BadRequest("The request cannot be read."))
    return _answer_bug(error)


def _answer_bug(error: Exception) -> Response:
    """A bug. Its message may quote a patient's record, so only type and places are logged."""
    places = [
        f"{os.path.basename(frame.filename)}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)[-8:]
    ]
    log_line({"level": "error", "status": 500, "error": type(error).__name__, "places": places})
    return answer_error(ServiceError("The service failed; no advice was given."))
