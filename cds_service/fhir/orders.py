"""Writing FHIR R4: what a guideline plans as resources a client can save.

`check` builds every kind of order through the ``fhir.resources`` R4B models (R4B equals R4 for
these types): in the tests for the guideline as it ships, by ``cds-service check``, and at start
for what a site changed, so a malformed regimen or code never reaches a patient. Per patient only
subject, dates, amounts and reasons are filled in. The models are not needed to answer a call and
stay out of a worker: they would double its memory and its start.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from cds_service.clinical import (
    Code,
    Phase,
    Plan,
    PlannedDrug,
    PlannedTask,
    PlannedTest,
    StoppedDrug,
)
from cds_service.errors import GuidelineError

UCUM = "http://unitsofmeasure.org"
_UNIT_NAMES = {"d": "days", "wk": "weeks", "mo": "months"}
_REFERENCE = re.compile(r"[A-Za-z]+/[A-Za-z0-9\-.]{1,64}").fullmatch
_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

Resource = Mapping[str, Any]


def write(plan: Plan, patient_id: str) -> Resource:
    """The resource for ``plan``, its subject ``Patient/{patient_id}``."""
    if isinstance(plan, PlannedDrug):
        return _medication_request(plan, patient_id)
    if isinstance(plan, PlannedTest):
        return _service_request(plan, patient_id)
    if isinstance(plan, PlannedTask):
        return _task(plan, patient_id)
    return _stopped(plan)


def _medication_request(plan: PlannedDrug, patient_id: str) -> Resource:
    route = _concept((plan.route,), plan.route.display)
    dose = {"value": plan.amount, "unit": "µg", "system": UCUM, "code": "ug"}
    most = {
        "numerator": dose,
        "denominator": {"value": 1, "unit": "day", "system": UCUM, "code": "d"},
    }
    resource = {
        "resourceType": "MedicationRequest",
        "status": "draft",
        "intent": "order",
        "priority": plan.priority,
        "medicationCodeableConcept": _concept(plan.codes, plan.name),
        "subject": {"reference": f"Patient/{patient_id}"},
        "authoredOn": plan.authored.isoformat(),
        "dosageInstruction": [
            {
                "sequence": number,
                "text": phase.text,
                "timing": {"repeat": _repeat(phase)},
                "route": route,
                "doseAndRate": [{"doseQuantity": dose}],
                "maxDosePerPeriod": most,
            }
            for number, phase in enumerate(plan.phases, 1)
        ],
    }
    return _with(resource, plan.reasons, plan.note)


def _repeat(phase: Phase) -> Resource:
    return {
        "boundsDuration": {
            "value": phase.duration,
            "unit": _UNIT_NAMES[phase.duration_unit],
            "system": UCUM,
            "code": phase.duration_unit,
        },
        "count": phase.count,
        "frequency": phase.frequency,
        "period": phase.period,
        "periodUnit": phase.period_unit,
    }


def _service_request(plan: PlannedTest, patient_id: str) -> Resource:
    resource = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "order",
        "priority": plan.priority,
        "code": _concept(plan.codes, plan.name),
        "subject": {"reference": f"Patient/{patient_id}"},
        "occurrenceDateTime": plan.due.isoformat(),
        "authoredOn": plan.authored.isoformat(),
    }
    return _with(resource, plan.reasons, plan.note)


def _task(plan: PlannedTask, patient_id: str) -> Resource:
    resource: dict[str, Any] = {
        "resourceType": "Task",
        "status": "requested",
        "intent": "proposal",
        "description": plan.description,
        "for": {"reference": f"Patient/{patient_id}"},
        "authoredOn": plan.authored.isoformat(),
    }
    reasons = _references(plan.reasons)
    if reasons:
        resource["reasonReference"] = reasons[0]
    return resource


def _stopped(plan: StoppedDrug) -> Resource:
    """The whole order as the record has it, byte for byte, but stopped."""
    return {**_decode_members(plan.resource), "status": "stopped"}


def _concept(codes: tuple[Code, ...], text: str) -> Resource:
    return {"coding": codes, "text": text} if codes else {"text": text}


def _with(resource: dict[str, Any], reasons: Iterable[str], note: str) -> Resource:
    references = _references(reasons)
    if references:
        resource["reasonReference"] = references
    if note:
        resource["note"] = [{"text": note}]
    return resource


def _references(sources: Iterable[str]) -> list[dict[str, str]]:
    return [{"reference": source} for source in sources if _REFERENCE(source)]


def check(plans: Iterable[tuple[str, Plan]]) -> None:
    """Refuse what the R4B models refuse; ``plans`` are named by where they stand in the data."""
    from fhir.resources.R4B import medicationrequest, servicerequest, task
    from pydantic import ValidationError

    models: dict[type, Any] = {
        PlannedDrug: medicationrequest.MedicationRequest,
        PlannedTest: servicerequest.ServiceRequest,
        PlannedTask: task.Task,
    }
    for name, plan in plans:
        resource = _encode(write(plan, "example"))
        try:
            models[type(plan)].model_validate_json(resource)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise GuidelineError(
                "guideline.toml",
                name,
                f"makes no valid FHIR order ({where}: {first['msg']})",
                "correct the entry",
            ) from None


def specimen_drug(
    codes: tuple[Code, ...], name: str, route: Code, amount: Decimal, phases: tuple[Phase, ...]
) -> PlannedDrug:
    """An order of a regimen for nobody, to be checked."""
    return PlannedDrug(
        codes,
        name,
        route,
        amount,
        phases,
        date(2026, 1, 1),
        "routine",
        ("Observation/example",),
        "note",
    )
