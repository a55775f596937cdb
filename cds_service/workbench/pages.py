"""The workbench: a page that plays an EHR over this service, and shows the reasoning behind it.

The page is plain files, sent as they are. Its calls go to the same CDS Hooks addresses as any
client's; the reasoning, dates other than today, and a Bundle made into a request have
addresses of their own. The code that shows them is imported on first use, so that a service without
them starts as fast as before. The sample infants are served here too, to the workbench and to users
of the demo.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import partial
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import msgspec
from flask import Flask, Response, request

from cds_service.cdshooks.request import Request, parse_request
from cds_service.consultation import Occasion, examine, respond
from cds_service.consultation.cases import read_case
from cds_service.consultation.services import guidelines_of, page_of, services_of
from cds_service.errors import BadRequest, Forbidden, NotFound
from cds_service.language import house, say
from cds_service.web.intake import accepted_language, json_body, limits_of
from cds_service.workbench import samples
from cds_service.workbench.sample_server import PATH, Parameters, SampleServer

if TYPE_CHECKING:
    from cds_service.cdshooks.response import Response as Answered
    from cds_service.clinical import Need
    from cds_service.consultation import Service
    from cds_service.guidelines.guideline import Guideline
    from cds_service.settings import Settings
    from cds_service.web.waiting import Turns

    #: The FHIR server that may be read for a call, or ``None`` and the reason.
    ServerFor = Callable[[Request], tuple[Any, str]]

_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

#: Nothing from elsewhere, nothing inline, and no text that becomes markup or script.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}

#: The largest body of which many values are tried: an ordinary record many times over.
_LONGEST_TO_VARY = 300_000

_encode = msgspec.json.Encoder(decimal_format="number").encode


class Workbench:
    """What the workbench is sent; the answer of each address is a method."""

    def __init__(
        self,
        settings: Settings,
        services: Sequence[Service],
        *,
        front_for_programs: Callable[[], Response],
        turns: Turns,
        today: Callable[[], date],
        server_for: ServerFor,
        prefetch_template: Callable[[Need], str],
        stories: Iterable[samples.Story] = (),
    ) -> None:
        self._settings = settings
        self._services = services
        self._by_id = {service.id: service for service in services}
        self._guidelines = {one.wording.about.id: one for one in guidelines_of(services)}
        self._pages: dict[str, bytes] = {}
        self._limits = limits_of(settings)
        self._front_for_programs = front_for_programs
        self._turns = turns
        self._today = today
        self._server_for = server_for
        self._prefetch_template = prefetch_template
        self._decided = Counter(rule for one in stories for rule in set(one.rules))
        self._parts = {
            part.name: part.read_bytes()
            for part in files(__package__).joinpath("static").iterdir()
            if "." + part.name.rpartition(".")[2] in _KINDS
        }
        self._frame = self._parts.pop("guideline.html").decode()
        self._index = self._parts.pop("index.html").decode()

    def _asked_for(self) -> Guideline:
        """The guideline that the address names, or the first."""
        name = request.args.get("guideline", next(iter(self._guidelines)))
        if name not in self._guidelines:
            raise NotFound("There is no guideline with this id; see /workbench/setup.")
        return self._guidelines[name]

    def _guideline_page(self, g: Guideline) -> bytes:
        """Made on first reading: rendering takes longer than starting."""
        from cds_service.workbench.showing import guideline_page

        name = g.wording.about.id
        if name not in self._pages:
            service = services_of(self._services, g)[0]
            self._pages[name] = guideline_page(
                self._frame, service, self._prefetch_template, self._decided
            )
        return self._pages[name]

    def front(self) -> Response:
        """The page to browsers; programs still get its JSON."""
        asks = request.accept_mimetypes
        if asks.best_match(("application/json", "text/html")) == "text/html":
            title = escape(self._asked_for().desk().title)
            return _page("index.html", self._index.replace("{{title}}", title).encode())
        answer = self._front_for_programs()
        answer.vary.add("Accept")
        return answer

    def guideline_to_read(self) -> Response:
        return _page("guideline.html", self._guideline_page(self._asked_for()))

    def part(self, name: str) -> Response:
        if name not in self._parts:
            raise NotFound("The workbench has no such part.")
        return _page(name, self._parts[name])

    def tell_setup(self) -> Response:
        from cds_service.workbench.showing import setup

        settings, g = self._settings, self._asked_for()
        as_of_is_set = settings.as_of is not None
        told = setup(self._services, g, on=self._today(), as_of_is_set=as_of_is_set)
        return _json({**told, "demo": settings.demo})

    def explain(self, service_id: str) -> Response:
        """The answer to a CDS Hooks request on any date, with everything that led to it."""
        from cds_service.workbench.showing import explained

        service = self._service(service_id)
        body = json_body(request.environ, self._settings.max_body_bytes)
        with self._turns.of("workbench"):
            asked = parse_request(body, service.hook, self._limits)
            server, no_server = None, "the workbench reads FHIR servers in the demo only"
            if self._settings.demo:
                server, no_server = self._server_for(asked)
            occasion = self._occasion(service, no_server)
            examined = examine(service, asked, server, occasion)
            response = respond(self._spoken(service), asked, examined, occasion)
            return _json(explained(service, asked, examined, response, occasion.on))

    def over_range(self, service_id: str) -> Response:
        """What is decided over the range of one fact, the rest of a request as it is."""
        from cds_service.workbench.showing import range_of

        service = self._service(service_id)
        body = json_body(request.environ, min(self._settings.max_body_bytes, _LONGEST_TO_VARY))
        occasion = self._occasion(service, "many values are tried without a FHIR server")
        spoken = self._spoken(service)

        def answered(written: bytes) -> Answered:
            with self._turns.of("workbench"):  # each has a turn of its own: others come in between
                asked = parse_request(written, service.hook, self._limits)
                return respond(spoken, asked, examine(service, asked, None, occasion), occasion)

        found = list(range_of(body, service.guideline, answered))
        return _json({"on": occasion.on, "stretches": found})

    def _service(self, service_id: str) -> Service:
        """The service that our own page asks."""
        service = self._by_id.get(service_id)
        if service is None:
            raise NotFound("There is no CDS service with this id; see /cds-services.")
        _refuse_other_pages(self._settings.public_url)
        return service

    def _occasion(self, service: Service, no_server: str) -> Occasion:
        """On the date that is asked for."""
        settings, now = self._settings, self._today()
        on = _date_asked(now)
        return Occasion(
            on,
            on != now or settings.as_of is not None,
            no_server,
            settings.max_entries,
            bool(settings.one_action),
            page=page_of(
                service, self._services, settings.public_url or request.host_url.rstrip("/")
            ),
        )

    def _spoken(self, service: Service) -> Service:
        """The service in the language of its cards: in the demo what the page's reader accepts."""
        asked = request.headers.get("Accept-Language", "") if self._settings.demo else ""
        return service.in_language(accepted_language(asked, service.languages))

    def request_of_bundle(self) -> Response:
        """The CDS Hooks request that a FHIR Bundle of one patient makes."""
        from cds_service.workbench.showing import request_of

        asks = request.args
        _refuse_other_pages(self._settings.public_url)
        body = json_body(request.environ, self._settings.max_body_bytes)
        hook, patient = asks.get("hook", ""), asks.get("patient", "")
        services = services_of(self._services, self._asked_for())
        case = read_case(body, services, hook, patient, self._limits)
        return _json(request_of(case.asked))


#: Every address of the workbench but the front page, which it shares, with its answer.
ROUTES: tuple[tuple[str, str, Callable[..., Response]], ...] = (
    ("GET", "/guideline", Workbench.guideline_to_read),
    ("GET", "/workbench/<name>", Workbench.part),
    ("GET", "/workbench/setup", Workbench.tell_setup),
    ("POST", "/workbench/explain/<service_id>", Workbench.explain),
    ("POST", "/workbench/range/<service_id>", Workbench.over_range),
    ("POST", "/workbench/request", Workbench.request_of_bundle),
)


#: What the guideline's page is made of, which anyone may read.
_OF_THE_GUIDELINE = ("style.css", "mark.svg", "guideline.js")


def add_guideline(app: Flask, workbench: Workbench) -> None:
    """Makes ``app`` show the guideline alone, which has no patient in it: cards link to it."""
    app.add_url_rule("/guideline", "guideline_to_read", workbench.guideline_to_read)
    for name in _OF_THE_GUIDELINE:
        app.add_url_rule(f"/workbench/{name}", name, partial(workbench.part, name))


def add_workbench(app: Flask, workbench: Workbench) -> None:
    """Makes ``app`` show ``workbench`` at ``/`` to browsers, and answer at its own addresses."""
    app.view_functions["front"] = workbench.front
    for method, path, view in ROUTES:
        app.add_url_rule(path, view.__name__, partial(view, workbench), methods=[method])


class SampleInfants:
    """Lists the stories and serves them, with their dates moved to ``today``; ``server`` has them
    as a FHIR server has."""

    def __init__(
        self,
        stories: Mapping[str, samples.Story],
        server: SampleServer,
        today: Callable[[], date],
    ) -> None:
        self._stories = stories
        self._server = server
        self._today = today

    def list_samples(self) -> Response:
        on = self._today()
        listed: list[dict[str, Any]] = []
        for name, story in self._stories.items():
            entry: dict[str, Any] = {
                "name": name,
                "tells": story.tells,
                "storyDate": story.as_of,
                "rules": story.rules,
                "indicator": story.indicator,
                "says": story.says,
                "findings": story.findings,
                "hook": story.request["hook"],
                "born": story.birth,
            }
            if samples.shifted(story, on) is None:
                entry["notToday"] = house.language().fill(say(house.Workbench.not_today))
            else:
                entry["toldOn"] = on
                entry["request"] = f"/samples/{name}/request.json"
                entry["patient"] = f"/samples/{name}/patient.json"
                if self._server.holds(name):
                    entry["sandbox"] = _in_the_sandbox(request.host_url, name)
            listed.append(entry)
        return _sample({"samples": listed})

    def sample(self, name: str, part: str) -> Response:
        if name not in self._stories:
            raise NotFound("There is no sample with this name; see /samples.")
        told = samples.shifted(self._stories[name], self._today())
        if told is None:
            raise NotFound("This story cannot be moved to this day; see /samples.")
        return _sample(told.request if part == "request" else told.patient)

    def fhir_search(self, kind: str) -> Response:
        asked = [*request.args.items(multi=True), *request.form.items(multi=True)]
        return self._from_server(kind, asked)

    def fhir(self, path: str) -> Response:
        return self._from_server(path, [*request.args.items(multi=True)])

    def _from_server(self, path: str, asked: Parameters) -> Response:
        base = f"{request.host_url}{PATH.removeprefix('/')}"
        body = self._server.answer(base, path, asked)
        return Response(body, content_type="application/fhir+json")


def _in_the_sandbox(here: str, name: str) -> str:
    """The address that opens the infant of a story in the public CDS Hooks sandbox."""
    names = {
        "fhirServiceUrl": f"{here}fhir",
        "patientId": name,
        "serviceDiscoveryURL": f"{here}cds-services",
    }
    return f"https://sandbox.cds-hooks.org/?{urlencode(names)}"


#: The addresses of the sample infants.
SAMPLE_ROUTES: tuple[tuple[str, str, Callable[..., Response]], ...] = (
    ("GET", "/samples", SampleInfants.list_samples),
    ("GET", "/samples/<name>/<any(request,patient):part>.json", SampleInfants.sample),
    ("GET", f"{PATH}/<path:path>", SampleInfants.fhir),
    ("POST", f"{PATH}/<kind>/_search", SampleInfants.fhir_search),
)


def add_samples(app: Flask, infants: SampleInfants) -> None:
    """Makes ``app`` answer at the addresses of `SAMPLE_ROUTES`."""
    for method, path, view in SAMPLE_ROUTES:
        app.add_url_rule(path, view.__name__, partial(view, infants), methods=[method])


def _sample(value: Mapping[str, Any]) -> Response:
    return Response(msgspec.json.encode(value), content_type="application/json")


def _page(name: str, content: bytes) -> Response:
    kind = _KINDS["." + name.rpartition(".")[2]]
    answer = Response(content, content_type=kind, headers=_HEADERS)
    answer.set_etag(sha256(content).hexdigest()[:16])
    if name == "index.html":
        answer.vary.add("Accept")
    answer.make_conditional(request)
    return answer


def _json(value: object) -> Response:
    kept = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(_encode(value), content_type="application/json", headers=kept)


def _refuse_other_pages(public_url: str) -> None:
    """The answers here contain a record, which no page of another origin may read.

    Browsers say where a request comes from, and no script can change that. Not all send
    `Sec-Fetch-Site`, and none over plain HTTP beyond loopback; a POST has its `Origin` in all.
    """
    sent = request.headers
    own = {None, request.host, urlsplit(public_url).netloc or request.host}
    origin = sent.get("Origin")
    host = urlsplit(origin).netloc if origin is not None else None
    if host not in own or sent.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise Forbidden("Only the workbench's own page may ask this.")


def _date_asked(today: date) -> date:
    written = request.args.get("on", "")
    if not written:
        return today
    try:
        if len(written) != 10:
            raise ValueError
        return date.fromisoformat(written)
    except ValueError:
        raise BadRequest("on is not a date: write it as year-month-day.", "on") from None
