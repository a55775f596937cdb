"""Puts the service together."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from flask import Flask, Response

from cds_service import consultation, samples
from cds_service.errors import NotFound
from cds_service.fhir.gather import prefetch_template
from cds_service.fhir.server import FhirServer
from cds_service.settings import Settings, read_settings
from cds_service.web import add_routes, fhir_server_for
from cds_service.workbench import add_workbench

if TYPE_CHECKING:
    from cds_service.security import ApprovedFhirServer
    from cds_service.web import Consult


def create_app(
    settings: Settings,
    services: Sequence[consultation.Service] | None = None,
    consult: Consult = consultation.consult,
) -> Flask:
    """The application; ``services`` are all this program offers unless given."""

    def connect(server: ApprovedFhirServer, token: str | None) -> FhirServer:
        return FhirServer(server, token, settings.fhir_deadline)

    def today() -> date:
        """The day here, where the children are: not in UTC."""
        return settings.as_of or date.today()  # noqa: DTZ011, TID251

    if services is None:
        services = consultation.load_services(settings.guideline_overrides)
    app = Flask(__name__, static_folder=None)
    add_routes(
        app,
        settings,
        services,
        discovery=[_described(service) for service in services],
        consult=consult,
        connect=connect,
        today=today,
    )
    if settings.demo:
        _add_samples(app, sample_stories(settings), today)
    if settings.workbench and services:
        add_workbench(
            app,
            settings,
            services,
            today=today,
            server_for=lambda asked: fhir_server_for(asked, settings, connect),
            prefetch_template=prefetch_template,
        )
    return app


def sample_stories(settings: Settings) -> dict[str, samples.Story]:
    """The stories to try the demo with, by name: from ``CDS_SAMPLES``, else the checkout's."""
    folder = settings.samples or samples.find_folder(Path(__file__).parent)
    return samples.stories(folder) if folder else {}


def _add_samples(
    app: Flask, stories: Mapping[str, samples.Story], today: Callable[[], date]
) -> None:
    """Makes ``app`` list the stories and hand them out, told as if today were their day."""

    def answer(value: Mapping[str, Any]) -> Response:
        return Response(msgspec.json.encode(value), content_type="application/json")

    @app.get("/samples")
    def list_samples() -> Response:
        on = today()
        listed: list[dict[str, Any]] = []
        for name, story in stories.items():
            entry: dict[str, Any] = {"name": name, "tells": story.tells, "storyDate": story.as_of}
            if samples.shifted(story, on) is None:
                entry["notToday"] = "no birth date gives this child's age on this day"
            else:
                entry["toldOn"] = on
                entry["request"] = f"/samples/{name}/request.json"
                entry["patient"] = f"/samples/{name}/patient.json"
            listed.append(entry)
        return answer({"samples": listed})

    @app.get("/samples/<name>/<any(request,patient):part>.json")
    def sample(name: str, part: str) -> Response:
        if name not in stories:
            raise NotFound("There is no sample of this name; see /samples.")
        told = samples.shifted(stories[name], today())
        if told is None:
            raise NotFound("This story cannot be told on this day; see /samples.")
        return answer(told.request if part == "request" else told.patient)


def _described(service: consultation.Service) -> dict[str, Any]:
    """The service's entry in discovery."""
    described: dict[str, Any] = {
        "hook": service.hook,
        "id": service.id,
        "title": service.title,
        "description": service.description,
    }
    if service.usage_requirements:
        described["usageRequirements"] = service.usage_requirements
    if service.needs:
        described["prefetch"] = {need.key: prefetch_template(need) for need in service.needs}
    return described


@cache
def create() -> Flask:
    """The application from the environment, once: workers that are forked inherit the first."""
    app = create_app(read_settings(os.environ))
    # What lives as long as the worker need not be looked at by the collector again.
    gc.collect()
    gc.freeze()
    return app
