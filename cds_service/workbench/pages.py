"""The workbench: a page that plays an EHR over this service, and shows the reasoning behind it.

The page is plain files, sent as they are. Its calls go to the same CDS Hooks addresses as any
client's; only the reasoning, other dates than today, and a Bundle made into a request are asked of
addresses of its own. What shows them is imported when somebody looks, so that a service without
onlookers starts as fast as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from flask import Flask, Response, request

from cds_service.cdshooks.request import Request, parse_request
from cds_service.consultation import Occasion, examine, respond
from cds_service.consultation.cases import read_case
from cds_service.errors import BadRequest, Forbidden, NotFound
from cds_service.web.intake import json_body, limits_of

if TYPE_CHECKING:
    from cds_service.clinical import Need
    from cds_service.consultation import Service
    from cds_service.settings import Settings
    from cds_service.web.intake import Turns

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

_encode = msgspec.json.Encoder(decimal_format="number").encode


def add_workbench(
    app: Flask,
    settings: Settings,
    services: Sequence[Service],
    *,
    turns: Turns,
    today: Callable[[], date],
    server_for: ServerFor,
    prefetch_template: Callable[[Need], str],
) -> None:
    """Makes ``app`` show the workbench at ``/`` to browsers; programs still get its JSON."""
    by_id = {service.id: service for service in services}
    g: Any = services[0].guideline
    limits = limits_of(settings)
    parts = {
        part.name: part.read_bytes()
        for part in files(__package__).joinpath("static").iterdir()
        if "." + part.name.rpartition(".")[2] in _KINDS
    }
    frame = parts.pop("guideline.html").decode()

    @cache
    def guideline() -> bytes:  # made when somebody reads it: rendering takes longer than starting
        from cds_service.workbench.showing import guideline_page

        return guideline_page(frame, g, prefetch_template)

    front_for_programs = app.view_functions["front"]

    def front() -> Response:
        asks = request.accept_mimetypes
        if asks.best_match(("application/json", "text/html")) == "text/html":
            return _page("index.html", parts["index.html"])
        answer: Response = front_for_programs()  # type: ignore[assignment]
        answer.vary.add("Accept")
        return answer

    app.view_functions["front"] = front

    @app.get("/guideline")
    def guideline_to_read() -> Response:
        return _page("guideline.html", guideline())

    @app.get("/workbench/<name>")
    def part(name: str) -> Response:
        if name not in parts:
            raise NotFound("The workbench has no such part.")
        return _page(name, parts[name])

    @app.get("/workbench/setup")
    def tell_setup() -> Response:
        from cds_service.workbench.showing import setup

        told = setup(services, g.data, on=today(), as_of_is_set=settings.as_of is not None)
        return _json({**told, "demo": settings.demo})

    @app.post("/workbench/explain/<service_id>")
    def explain(service_id: str) -> Response:
        """The answer to a CDS Hooks request on any date, with everything that led to it."""
        from cds_service.workbench.showing import explained

        service = by_id.get(service_id)
        if service is None:
            raise NotFound("There is no CDS service of this id; see /cds-services.")
        _refuse_other_pages(settings.public_url)
        now = today()
        on = _date_asked(now)
        moved = on != now or settings.as_of is not None
        body = json_body(request.environ, settings.max_body_bytes)
        with turns:
            asked = parse_request(body, service.hook, limits)
            server, no_server = None, "the workbench reads FHIR servers in the demo only"
            if settings.demo:
                server, no_server = server_for(asked)
            occasion = Occasion(on, moved, no_server, settings.max_entries, settings.one_action)
            examined = examine(service, asked, server, occasion)
            response = respond(service, asked, examined, occasion)
            return _json(explained(service, asked, examined, response, on))

    @app.post("/workbench/request")
    def request_of_bundle() -> Response:
        """The CDS Hooks request that a FHIR Bundle of one patient makes."""
        from cds_service.workbench.showing import request_of

        asks = request.args
        _refuse_other_pages(settings.public_url)
        body = json_body(request.environ, settings.max_body_bytes)
        case = read_case(body, services, asks.get("hook", ""), asks.get("patient", ""), limits)
        return _json(request_of(case.asked))


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
    """What is told here holds a record, which no page of another origin shall read in passing.

    Browsers say where a request comes from, and no script can say otherwise for them. Not all say
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
