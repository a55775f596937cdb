"""Writing FHIR R4: what a guideline plans as resources a client can save.

`check` builds every kind of order through the ``fhir.resources`` R4B models (R4B equals R4 for
these types): in the tests for the guideline as it ships, by ``cds-service check``, and at start
for what a site changed, so a malformed regimen or code never reaches a patient. Per patient only
subject, dates, amounts and reasons are filled in. The models are not needed to answer a call and
stay out of a worker: they would double its memory and its start.

What is created carries an identifier, so that a client that receives it twice files it once. Orders
that others wrote are changed in ``revisions``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from cds_service import named_uuid
from cds_service.clinical import (
    Code,
    Phase,
    Plan,
    PlannedDrug,
    PlannedTask,
    PlannedTest,
    Priority,
    RemovedDraft,
    RevisedDrug,
    StoppedDrug,
    Written,
)
from cds_service.errors import GuidelineError
from cds_service.fhir import revisions
from cds_service.fhir.editions import WRITING, Writing
from cds_service.language import Language, Message, house, say

UCUM = "http://unitsofmeasure.org"
#: What a duration is counted in, in words, and the one day in which a dose may be given once.
_UNITS: Mapping[str, Message] = {
    "d": say(house.Order.days),
    "wk": say(house.Order.weeks),
    "mo": say(house.Order.months),
    "day": say(house.Order.day),
}
_REFERENCE = re.compile(r"[A-Za-z]+/[A-Za-z0-9\-.]{1,64}").fullmatch
_encode = msgspec.json.Encoder(decimal_format="number").encode

Resource = Mapping[str, Any]


#: Identifiers that are URIs, which a UUID is as "urn:uuid:...".
_OF_URIS = "urn:ietf:rfc:3986"
_NAMESPACE = bytes.fromhex("0b6d3b526f0f5c579b0e4c1f7a5d2a61")


class Order(Struct, frozen=True):
    """A resource to be saved.

    ``if_none_exist`` is for one to be created: the search by which a server finds that it has it
    already, as `ifNoneExist` of a transaction takes it; "" for an update. ``left_out`` says what an
    update takes out because it would contradict it, ``raised`` the priority that it raises it to.
    """

    resource: Resource
    if_none_exist: str = ""
    left_out: tuple[revisions.Stale, ...] = ()
    raised: Priority | None = None


def write(plan: Written, patient_id: str, language: Language, call: str = "") -> Order:
    """The order for ``plan``, see `Writer`."""
    return Writer(patient_id, language, call).write(plan)


class Writer:
    """Writes the orders of one answer, their subject ``Patient/{patient_id}``, in ``language``.

    ``call`` names the call that it answers: the same advice in the same call gets the same
    identifier, wherever it is, and never that of another call, patient or order.
    """

    def __init__(self, patient_id: str, language: Language, call: str = "") -> None:
        self._patient_id, self._language, self._call = patient_id, language, call
        # What all orders of an answer have in common is made once, and never changed.
        self._subject = {"reference": f"Patient/{patient_id}"}
        self._references: dict[tuple[str, ...], list[dict[str, str]]] = {}

    def write(self, plan: Written) -> Order:
        if isinstance(plan, StoppedDrug):
            changed = revisions.stopped(plan)
            return Order(changed.resource, left_out=changed.left_out)
        if isinstance(plan, RevisedDrug):
            changed = _revised(plan, self._patient_id, self._language)
            return Order(changed.resource, left_out=changed.left_out, raised=changed.raised)
        if isinstance(plan, PlannedTest):
            resource = self._service_request(plan)
        elif isinstance(plan, PlannedDrug):
            resource = self._medication_request(plan)
        else:
            resource = self._task(plan)
        if self._language.original is not self._language:
            resource["language"] = self._language.tag
        content = _encode((self._call, self._patient_id, plan))
        name = f"urn:uuid:{named_uuid(_NAMESPACE, content)}"
        resource["identifier"] = [{"system": _OF_URIS, "value": name}]
        return Order(resource, if_none_exist=f"identifier={_OF_URIS}|{name}")

    def _medication_request(self, plan: PlannedDrug) -> dict[str, Any]:
        language = self._language
        resource = {
            "resourceType": "MedicationRequest",
            "status": "draft",
            "intent": "order",
            "priority": plan.priority,
            "medicationCodeableConcept": _concept(plan.codes, language.text(plan.name)),
            "subject": self._subject,
            "authoredOn": plan.authored.isoformat(),
            "dosageInstruction": _dosages(plan, WRITING["R4"], language),
        }
        return self._with(resource, plan)

    def _service_request(self, plan: PlannedTest) -> dict[str, Any]:
        resource = {
            "resourceType": "ServiceRequest",
            "status": "draft",
            "intent": "order",
            "priority": plan.priority,
            "code": _concept(plan.codes, self._language.text(plan.name)),
            "subject": self._subject,
            "occurrenceDateTime": plan.due.isoformat(),
            "authoredOn": plan.authored.isoformat(),
        }
        return self._with(resource, plan)

    def _task(self, plan: PlannedTask) -> dict[str, Any]:
        resource: dict[str, Any] = {
            "resourceType": "Task",
            "status": "requested",
            "intent": "proposal",
            "description": self._language.text(plan.description),
            "for": self._subject,
            "authoredOn": plan.authored.isoformat(),
        }
        references = self._references_to(plan.reasons)
        if references:
            resource["reasonReference"] = references[0]
        return resource

    def _with(self, resource: dict[str, Any], plan: PlannedDrug | PlannedTest) -> dict[str, Any]:
        """With the reasons of the plan and its note."""
        references = self._references.get(plan.reasons)
        if references is None:
            references = self._references_to(plan.reasons)
        if references:
            resource["reasonReference"] = references
        if plan.note:
            resource["note"] = [{"text": self._language.text(plan.note)}]
        return resource

    def _references_to(self, sources: tuple[str, ...]) -> list[dict[str, str]]:
        found = [{"reference": source} for source in sources if _REFERENCE(source)]
        self._references[sources] = found
        return found


def _dosages(plan: PlannedDrug, how: Writing, language: Language) -> list[Resource]:
    """One line a phase, in the shape of a FHIR version; DSTU2 has them in their order only."""
    unit = language.unit(plan.unit, plan.amount)
    dose = {"value": plan.amount, "unit": unit, "system": UCUM, "code": plan.unit}
    day = {"value": 1, "unit": language.fill(_UNITS["day"]), "system": UCUM, "code": "d"}
    most = {"numerator": dose, "denominator": day}
    deep = how.dose == "doseAndRate"
    return [
        {
            **({"sequence": number} if how.has_sequence else {}),
            "text": language.text(phase.text),
            "timing": {"repeat": _repeat(phase, how, language)},
            "route": _concept((plan.route,), language.text(plan.route_name or plan.route.display)),
            how.dose: [{"doseQuantity": dose}] if deep else dose,
            "maxDosePerPeriod": [most] if how.maxima else most,
        }
        for number, phase in enumerate(plan.phases, 1)
    ]


def _repeat(phase: Phase, how: Writing, language: Language) -> Resource:
    """How often, and how long: by its days where the phase has a day on which it begins."""
    bounds: Resource = {
        how.bounds: {
            "value": phase.duration,
            "unit": language.fill(_UNITS[phase.duration_unit]),
            "system": UCUM,
            "code": phase.duration_unit,
        }
    }
    if phase.begins is not None and phase.ends is not None:
        period = {"start": phase.begins.isoformat(), "end": phase.ends.isoformat()}
        bounds = {"boundsPeriod": period}
    return {
        **bounds,
        "count": phase.count,
        "frequency": phase.frequency,
        "period": phase.period,
        how.period_unit: phase.period_unit,
    }


def _revised(plan: RevisedDrug, patient_id: str, language: Language) -> revisions.Revision:
    how, drug = WRITING[plan.draft.edition], plan.drug
    medication = _concept(drug.codes, language.text(drug.name))
    intent = {"intent": "order"} if how.has_intent else {}
    return revisions.revised(
        plan,
        required={
            "status": "draft",
            **intent,
            how.subject: {"reference": f"Patient/{patient_id}"},
        },
        medication=(
            medication if how.drug.endswith("CodeableConcept") else {"concept": medication}  # R5
        ),
        dosages=_dosages(drug, how, language),
        route=_concept((drug.route,), language.text(drug.route_name or drug.route.display)),
    )


def _concept(codes: tuple[Code, ...], text: str) -> Resource:
    return {"coding": codes, "text": text} if codes else {"text": text}


def check(plans: Iterable[tuple[str, Plan]], language: Language) -> None:
    """Refuse what the R4B models refuse; ``plans`` are named by where they are in the data."""
    from fhir.resources.R4B import medicationrequest, servicerequest, task
    from pydantic import ValidationError

    models: dict[type, Any] = {
        PlannedDrug: medicationrequest.MedicationRequest,
        PlannedTest: servicerequest.ServiceRequest,
        PlannedTask: task.Task,
        RevisedDrug: medicationrequest.MedicationRequest,
    }
    for name, plan in plans:
        if isinstance(plan, RemovedDraft):
            continue
        resource = _encode(write(plan, "example", language).resource)
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
