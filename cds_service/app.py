"""Puts the service together."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from flask import Flask

from cds_service import consultation
from cds_service.fhir.gather import prefetch_template
from cds_service.fhir.server import FhirServer
from cds_service.settings import Settings, read_settings
from cds_service.web import add_routes

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
    return app


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
