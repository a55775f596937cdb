"""Assembles the service."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from importlib import import_module
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from cds_service import consultation
from cds_service.cdshooks.response import versions
from cds_service.consultation.known_answers import KnownAnswers
from cds_service.consultation.services import offered_reasons
from cds_service.errors import Unavailable
from cds_service.fhir.gather import prefetch_template
from cds_service.guidelines.registry import GUIDELINES
from cds_service.language import house
from cds_service.language.catalogues import ORIGINAL
from cds_service.settings import Settings, read_settings
from cds_service.store import metrics
from cds_service.store.audit import Pseudonyms
from cds_service.store.keeping import Store
from cds_service.store.log import log_line
from cds_service.store.sealing import Seals
from cds_service.trust.callers import Guard, OpenDoor
from cds_service.web.views import Views, add_routes, fhir_server_for
from cds_service.web.waiting import Turns
from cds_service.workbench import samples
from cds_service.workbench.pages import (
    SampleInfants,
    Workbench,
    add_guideline,
    add_samples,
    add_workbench,
)
from cds_service.workbench.sample_server import SampleServer

if TYPE_CHECKING:
    from cds_service.cdshooks.request import Request
    from cds_service.consultation.challenger import Challenger
    from cds_service.consultation.restraint import Restraint
    from cds_service.fhir.server import Breaker, FhirServer
    from cds_service.guidelines.guideline import Known
    from cds_service.store.audit import Evaluation
    from cds_service.trust.addresses import ApprovedFhirServer
    from cds_service.trust.callers import Door
    from cds_service.trust.keys import Register
    from cds_service.web.views import Consult


#: Seconds that a starting worker waits for the keys of clients that publish them.
FIRST_KEYS_S = 2.5


def _no_store(issuer: str, jti: str, expires: int) -> bool:
    raise Unavailable("there is no store to remember used tokens in")


#: Remembers that a token was used, see `callers.Guard`.
UseToken = Callable[[str, str, int], bool]


def create_app(
    settings: Settings,
    services: Sequence[consultation.Service] | None = None,
    consult: Consult = consultation.consult,
    store: Store | None = None,
    use_token: UseToken | None = None,
    guidelines: Sequence[Known] = GUIDELINES,
) -> Flask:
    """The application; ``services`` are all that ``guidelines`` offer unless given. It keeps what
    happens in ``store``."""

    turns = Turns(oldest=settings.queue)
    if settings.may_ask_servers:  # what asks them takes 10 MB, and a while to load
        import_module("cds_service.fhir.server")

    def connect(server: ApprovedFhirServer, token: str | None, host: str) -> FhirServer:
        from cds_service.fhir.server import FhirServer
        from cds_service.trust import outward

        deadline, at_once = settings.fhir_deadline, settings.fhir_at_once
        own = infants is not None and infants.is_at(server.url, host)
        get = infants.get if infants is not None and own else outward.get
        return FhirServer(server, token, deadline, at_once, turns.given_up, get, breaker())

    @cache
    def breaker() -> Breaker:
        from cds_service.fhir.server import Breaker

        return Breaker(partial(_say_of_server, not settings.demo))

    def today() -> date:
        """The day here, where the children are: not in UTC."""
        return settings.as_of or date.today()

    told = sample_stories(settings) if settings.demo else {}
    infants = SampleServer(told, today) if settings.demo else None
    if services is None:
        services = consultation.load_services(
            settings.guideline_overrides,
            guidelines,
            settings.code_map,
            languages_in_use(settings),
        )
    if store is not None:
        store.offered = offered_reasons(services)
    register = make_register(settings)
    used = use_token or (store.use_token if store else _no_store)
    door = make_door(settings, register, used)
    app = Flask(__name__, static_folder=None)
    app.extensions["register"] = register
    english = [one.in_language(ORIGINAL) for one in services]
    known = KnownAnswers(english, lambda: consultation.load_services(None, guidelines))
    app.extensions["known_answers"] = known
    views = Views(
        settings,
        services,
        discovery=_described,
        door=door,
        consult=_reusing(consult, settings),
        connect=connect,
        turns=turns,
        today=today,
        store=store,
        restraint=make_restraint(settings, services, store, register),
        register=register,
        servers_down=lambda: breaker().down if settings.may_ask_servers else 0,
        challenger=_challenger(settings, guidelines, store),
        known_answers=known,
    )
    add_routes(app, views, settings)
    if infants is not None:
        add_samples(app, SampleInfants(told, infants, today))
    if settings.workbench and services:
        workbench = Workbench(
            settings,
            services,
            front_for_programs=views.front,
            turns=turns,
            today=today,
            server_for=lambda asked: fhir_server_for(
                asked, door.authenticate(None, ()), settings.demo, connect, request.host
            ),
            prefetch_template=prefetch_template,
            stories=told.values(),
        )
        # It does not ask who the caller is, so all of it exists in open mode only.
        show = add_workbench if settings.clients_file is None else add_guideline
        show(app, workbench)
    return app


def _say_of_server(listed: bool, base: str, down: bool) -> None:
    """Counts and logs that a FHIR server does not answer, or answers again. Where it is one that
    the operator ``listed``, its address is named."""
    metrics.servers_down.inc(1 if down else -1)
    line = {"level": "error" if down else "info", "fhirServer": "down" if down else "up"}
    log_line({**line, **({"address": base} if listed else {})})


def languages_in_use(settings: Settings) -> tuple[str, ...]:
    """That of the answers, and all others that a client may get: those of the register, and in the
    demo every one there is. English is always there: it is what the service judges itself by."""
    clients: Sequence[str] = ()
    if settings.clients_file is not None:
        from cds_service.trust.clients import read_clients

        found = read_clients(settings.clients_file, plain_http=settings.demo)
        clients = [one.language for one in found if one.language]
    every = house.languages() if settings.demo else ()
    return tuple(dict.fromkeys([settings.language, *clients, *every, ORIGINAL]))


def _reusing(consult: Consult, settings: Settings) -> Consult:
    """With what was found out in the last seconds, where the operator allows it."""
    if not settings.reuse_seconds:
        return consult
    return partial(consult, reuse=consultation.Reuse(settings.reuse_seconds))


def make_register(settings: Settings) -> Register | None:
    """The register of clients, with its keys, if there is one."""
    if settings.clients_file is None:
        return None
    # What verifies signatures takes a sixth of a second to load, and open mode does not need it.
    from cds_service.trust.keys import Register

    return Register(settings.clients_file, plain_http=settings.demo, say=log_line)


def make_door(
    settings: Settings, register: Register | None, use_token: UseToken = _no_store
) -> Door:
    """Where callers are admitted: anyone in open mode, otherwise the clients of the register."""
    if register is None:
        return OpenDoor(settings.fhir_servers)
    guard = Guard((), {}, use_token, time.time, settings.calls_per_minute)
    register.tell(guard.admit)
    return guard


def make_restraint(
    settings: Settings,
    services: Sequence[consultation.Service],
    store: Store | None,
    register: Register | None,
) -> Restraint | None:
    """What is not shown, if anything."""
    windows = {
        "info": timedelta(hours=settings.respect_info_hours),
        "warning": timedelta(hours=settings.respect_warning_hours),
    }
    respects = store is not None and any(windows.values())
    if not (respects or settings.trials):
        return None
    from cds_service.consultation.restraint import Respect, Restraint, checked_trials

    clients = register.clients if register else ()
    trials = checked_trials(settings.trials, services, [one.name for one in clients])

    def fits(name: str) -> bool:
        """Two servers, or two tenants, may give one id to two children."""
        if register is None:
            return name == ""
        client = register.client(name)
        return client is not None and len(client.fhir_servers) <= 1 and len(client.tenants) <= 1

    respect = None
    if respects and store is not None:
        respect = Respect(store, windows, fits, lambda: datetime.fromtimestamp(time.time(), UTC))
    return Restraint(trials, respect)


def _challenger(
    settings: Settings, guidelines: Sequence[Known], store: Store | None
) -> Challenger | None:
    """The guideline that is tried alongside the one in force, if any."""
    if settings.challenger is None or store is None:
        return None
    from cds_service.consultation.challenger import ARM, Challenger

    def judge(
        service: consultation.Service, asked: Request, done: consultation.Consultation, on: date
    ) -> Evaluation | None:
        occasion = consultation.Occasion(
            on, settings.as_of is not None, one_action=done.one_action, arm=ARM
        )
        return consultation.judge(service, asked, done.evidence, occasion).evaluation

    tried = consultation.load_services(settings.challenger, guidelines, settings.code_map)
    return Challenger(tried, judge, store)


def create_store(settings: Settings) -> Store | None:
    """Where calls and feedback are kept, if anywhere."""
    if not settings.database_url:
        return None
    key = settings.pseudonym_key or (b"the demo" if settings.demo else b"")
    return Store(
        settings.database_url,
        pseudonyms=Pseudonyms(key, settings.plain_ids),
        overrides=_whole(settings.guideline_overrides, settings.code_map),
        tried=_whole(settings.challenger, settings.code_map) if settings.challenger else "",
        seals=Seals(settings.free_text_keys),
    )


def _whole(*files: Path | None) -> str:
    """What a site changed, as it is kept with the calls it was in force for."""
    return "\n".join(file.read_text("utf-8") for file in files if file is not None)


def sample_stories(settings: Settings) -> Mapping[str, samples.Story]:
    """The stories to try the demo with, by name: from ``CDS_SAMPLES``, else the checkout's."""
    folder = settings.samples or samples.find_folder(Path(__file__).parent)
    return samples.stories(folder) if folder else {}


def _described(service: consultation.Service, cds_hooks: str) -> dict[str, Any]:
    """The service's entry in discovery, for a client of that version of CDS Hooks."""
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
    return described | versions(cds_hooks)


@cache
def create() -> Flask:
    """The application from the environment, once: workers that are forked inherit the first."""
    settings = read_settings(os.environ)
    store = create_store(settings)
    app = create_app(settings, store=store)
    app.extensions["store"] = store
    # What lives as long as the worker need not be looked at by the collector, now or ever: to look
    # through it once would take a tenth of the start, and leave as much.
    gc.freeze()
    gc.enable()
    return app


def work() -> Flask:
    """The application in a worker, its store at work until the worker ends."""
    app = create()
    known: KnownAnswers = app.extensions["known_answers"]
    register: Register | None = app.extensions["register"]
    if register is not None:
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, lambda *_: register.reload_soon())
        register.start(FIRST_KEYS_S)
        Finalize(None, register.stop, exitpriority=20)
    known.start()
    Finalize(None, known.stop, exitpriority=20)
    store: Store | None = app.extensions["store"]
    if store is not None:
        store.start()
        Finalize(None, store.close, exitpriority=10)
    return app
