"""The account of a call, whatever its result: kept, counted and logged.

The log gets one line per call, without patient data; refused callers are not kept in the store.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from cds_service.errors import ServiceError
from cds_service.store import metrics
from cds_service.store.audit import Call
from cds_service.store.log import log_line

if TYPE_CHECKING:
    from cds_service.cdshooks.request import Request
    from cds_service.consultation import Consultation, Service
    from cds_service.consultation.challenger import Challenger
    from cds_service.store.keeping import Store
    from cds_service.store.ledger import Stored
    from cds_service.trust.callers import Caller

_is_uuid = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch


class Arrival(NamedTuple):
    """Who called which service, when by `perf_counter`, and on which day.

    ``upload`` is how many seconds the caller took to send the body: not the service's own time.
    """

    service: Service
    caller: Caller
    started: float
    on: date
    upload: float = 0.0


class Accounts:
    """Accounts for every call; without a ``store`` nothing is kept."""

    def __init__(self, store: Store | None, challenger: Challenger | None) -> None:
        self._store = store
        self._challenger = challenger

    def call(
        self, arrived: Arrival, asked: Request | None, result: Consultation | ServiceError
    ) -> None:
        """Keeps, counts and logs one call; ``asked`` is ``None`` if it could not be read."""
        call = _call(arrived, asked, result)
        said = {"consultation": self._store.record_consultation(call)} if self._store else {}
        _count(call)
        _log_call(call, result, {"uploadMs": round(arrived.upload * 1000, 2), **said})
        challenger = self._challenger
        if challenger is not None and asked is not None and not isinstance(result, ServiceError):
            challenger.take(asked, result, call)


class _Shed:
    """Refused for want of time: each is counted, and said in the log once a second at most."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._unsaid = 0
        self._said_at = 0.0

    def __call__(self, what: str) -> None:
        metrics.shed.labels(what).inc()
        with self._lock:
            self._unsaid += 1
            now = perf_counter()
            if now - self._said_at < 1:
                return
            count, self._unsaid, self._said_at = self._unsaid, 0, now
        log_line({"level": "warning", "status": 503, "shed": count, "for": what})


shed = _Shed()


def turned_away(error: ServiceError, what: str) -> None:
    """Counts and logs a caller refused when calling ``what``."""
    metrics.turned_away.labels(str(error.status)).inc()
    log_line({"level": "warning", "status": error.status, "for": what, **error.log})


def feedback_stored(service: Service, started: float, stored: Stored) -> Mapping[str, int]:
    """Counts and logs the result of a batch of feedback, and returns it."""
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
    return counts


def feedback_refused(service: Service, started: float, error: ServiceError) -> None:
    """Counts and logs a batch of feedback that was not taken."""
    metrics.feedback_refused.labels(str(error.status)).inc()
    _log_feedback(service, error.status, started, {"issue": error.issue})


def _call(arrived: Arrival, asked: Request | None, result: Consultation | ServiceError) -> Call:
    service = arrived.service
    failure = result if isinstance(result, ServiceError) else None
    evaluation = None if isinstance(result, ServiceError) else result.evaluation
    # Only an address that was approved is kept: one that answered, or failed to.
    asked_server = evaluation and any(one.endswith("server") for one in evaluation.needs.values())
    return Call(
        service=service.id,
        hook=service.hook,
        status=failure.status if failure else 200,
        ms=round((perf_counter() - arrived.started - arrived.upload) * 1000, 3),
        client=arrived.caller.name or None,
        hook_instance=asked.hook_instance if asked else "",
        patient_id=asked.context.patient_id if asked else "",
        user_id=asked.context.user_id if asked else "",
        fhir_server=(asked.fhir_server or "") if asked and asked_server else "",
        as_of=arrived.on.isoformat(),
        problem=failure.issue if failure else "",
        evaluation=evaluation,
        language=service.language.tag,
    )


def _count(call: Call) -> None:
    done = call.evaluation
    outcome = done.outcome if done else call.problem
    metrics.count_call(call.service, call.status, outcome, call.ms / 1000)
    if done is None:
        return
    for card in done.cards:
        metrics.count_card(card.rule, card.indicator, shown=not card.hidden)
    metrics.count_needs(done.needs)
    for of, count in done.unread.items():
        metrics.count_unread(of, count)
    for stage, ms in done.durations.items():
        metrics.time_stage(stage, ms / 1000)


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
    # Anything else a client sends as its hookInstance might identify the patient.
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
