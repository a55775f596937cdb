"""Writing FHIR R4: what a guideline plans as resources a client can save.

`check` builds every kind of order through the ``fhir.resources`` R4B models (R4B equals R4 for
these types): in the tests for the guideline as it ships, by ``cds-service check``, and at start
for what a site changed, so a malformed regimen or code never reaches a patient. Per patient only
subject, dates, amounts and reasons are filled in. The models are not needed to answer a call and
stay out of a worker: they would double its memory and its start.

Orders that others wrote are changed as little as they can be: what is not revised stays byte for
byte as it was sent, in the FHIR version it was sent in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from cds_service.clinical import (
    Code,
    Phase,
    Plan,
    PlannedDrug,
    PlannedTask,
    PlannedTest,
    RemovedDraft,
    RevisedDrug,
    StoppedDrug,
    Written,
)
from cds_service.errors import GuidelineError
from cds_service.fhir.editions import DRUGS, WRITING, Writing
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
_local_references = re.compile(rb'"#[^"]*"').findall
_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_items = msgspec.json.Decoder(list[Raw]).decode

Resource = Mapping[str, Any]


def write(plan: Written, patient_id: str, language: Language) -> Resource:
    """The resource for ``plan`` with the subject ``Patient/{patient_id}``, in ``language``."""
    if isinstance(plan, PlannedDrug):
        return _medication_request(plan, patient_id, language)
    if isinstance(plan, PlannedTest):
        return _service_request(plan, patient_id, language)
    if isinstance(plan, PlannedTask):
        return _task(plan, patient_id, language)
    if isinstance(plan, RevisedDrug):
        return _revised(plan, patient_id, language)
    return _stopped(plan)


def _medication_request(plan: PlannedDrug, patient_id: str, language: Language) -> Resource:
    resource = {
        "resourceType": "MedicationRequest",
        "status": "draft",
        "intent": "order",
        "priority": plan.priority,
        "medicationCodeableConcept": _concept(plan.codes, language.text(plan.name)),
        "subject": {"reference": f"Patient/{patient_id}"},
        "authoredOn": plan.authored.isoformat(),
        "dosageInstruction": _dosages(plan, WRITING["R4"], language),
    }
    return _with(resource, plan.reasons, language.text(plan.note))


def _dosages(plan: PlannedDrug, how: Writing, language: Language) -> list[Resource]:
    """One line a phase, in the shape of a FHIR version; DSTU2 has them in their order only."""
    unit = language.unit(plan.unit)
    dose = {"value": plan.amount, "unit": unit, "system": UCUM, "code": plan.unit}
    day = {"value": 1, "unit": language.fill(_UNITS["day"]), "system": UCUM, "code": "d"}
    most = {"numerator": dose, "denominator": day}
    deep = how.dose == "doseAndRate"
    return [
        {
            **({"sequence": number} if how.has_sequence else {}),
            "text": language.text(phase.text),
            "timing": {"repeat": _repeat(phase, how, language)},
            "route": _concept((plan.route,), plan.route.display),
            how.dose: [{"doseQuantity": dose}] if deep else dose,
            "maxDosePerPeriod": [most] if how.maxima else most,
        }
        for number, phase in enumerate(plan.phases, 1)
    ]


def _repeat(phase: Phase, how: Writing, language: Language) -> Resource:
    return {
        how.bounds: {
            "value": phase.duration,
            "unit": language.fill(_UNITS[phase.duration_unit]),
            "system": UCUM,
            "code": phase.duration_unit,
        },
        "count": phase.count,
        "frequency": phase.frequency,
        "period": phase.period,
        how.period_unit: phase.period_unit,
    }


def _service_request(plan: PlannedTest, patient_id: str, language: Language) -> Resource:
    resource = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "order",
        "priority": plan.priority,
        "code": _concept(plan.codes, language.text(plan.name)),
        "subject": {"reference": f"Patient/{patient_id}"},
        "occurrenceDateTime": plan.due.isoformat(),
        "authoredOn": plan.authored.isoformat(),
    }
    return _with(resource, plan.reasons, language.text(plan.note))


def _task(plan: PlannedTask, patient_id: str, language: Language) -> Resource:
    resource: dict[str, Any] = {
        "resourceType": "Task",
        "status": "requested",
        "intent": "proposal",
        "description": language.text(plan.description),
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


# --- drafts ----------------------------------------------------------------------------------

_NOTHING = (b"null", b"[]", b"{}")


def _revised(plan: RevisedDrug, patient_id: str, language: Language) -> Resource:
    """The whole draft byte for byte, but for what is revised and what FHIR would refuse.

    A resource we suggest must be one a server can save, whatever a form left undone: a missing
    status, intent or patient is filled in, an object becomes the array that belongs there, and
    members that say nothing go, since FHIR has neither null nor empty ones.
    """
    draft, drug, parts = plan.draft, plan.drug, plan.parts
    how = WRITING[draft.edition]
    sent = _decode_members(draft.resource)
    revised: dict[str, Any] = {
        name: _in_array(value) if name in how.arrays else value
        for name, value in sent.items()
        if bytes(value) not in _NOTHING
    }
    for name, value in _required(how, patient_id).items():
        revised.setdefault(name, value)
    if "medication" in parts:
        revised = _with_medication(revised, drug, how, language)
    if "dosage" in parts:
        revised["dosageInstruction"] = _dosages(drug, how, language)
    elif "route" in parts:
        route = _concept((drug.route,), drug.route.display)
        lines = _items_of(revised.get("dosageInstruction")) or [Raw(b"{}")]
        revised["dosageInstruction"] = [_by_route(_members_of(line), route) for line in lines]
    return revised


def _by_route(line: Mapping[str, Raw], route: Resource) -> dict[str, Any]:
    """The line by another route, without the words, which say the old one."""
    kept = {
        name: value for name, value in line.items() if name not in ("text", "patientInstruction")
    }
    return {**kept, "route": route}


def _required(how: Writing, patient_id: str) -> Resource:
    intent = {"intent": "order"} if how.has_intent else {}
    return {"status": "draft", **intent, how.subject: {"reference": f"Patient/{patient_id}"}}


#: What was to be dispensed of a medication, how much and how often: another one needs its own.
_OF_THE_SUPPLY = frozenset({
    "quantity", "numberOfRepeatsAllowed", "expectedSupplyDuration", "initialFill",
    "dispenseInterval", *DRUGS,
})  # fmt: skip


def _with_medication(
    sent: Mapping[str, Any], drug: PlannedDrug, how: Writing, language: Language
) -> dict[str, Any]:
    """With another medication, and without what was to be dispensed of the old one."""
    medication = _concept(drug.codes, language.text(drug.name))
    if not how.drug.endswith("CodeableConcept"):  # R5
        medication = {"concept": medication}
    revised: dict[str, Any] = {}
    for member, value in sent.items():
        if member in DRUGS:
            revised[how.drug] = medication
        elif member != "substitution":
            revised[member] = value
    revised[how.drug] = medication
    if "dispenseRequest" in revised:
        supply = _members_of(revised["dispenseRequest"])
        kept = {each: supply[each] for each in supply if each not in _OF_THE_SUPPLY}
        _replace(revised, "dispenseRequest", kept)
    if "contained" in revised:
        needed = _still_needed(_items_of(sent["contained"]), sent, revised)
        _replace(revised, "contained", needed)
    return revised


def _replace(resource: dict[str, Any], member: str, value: Any) -> None:
    """An empty value takes the member along: FHIR has none."""
    if value:
        resource[member] = value
    else:
        del resource[member]


def _still_needed(
    contained: Sequence[Raw], before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[Raw]:
    """Without the resources that only the old medication led to."""
    led_to, leads_to = (_reached(contained, each) for each in (before, after))
    return [one for one in contained if bytes(one) not in led_to - leads_to]


def _reached(contained: Sequence[Raw], sent: Mapping[str, Any]) -> set[bytes]:
    """The contained resources that are referred to, from without or by one another."""
    by_reference: dict[bytes, list[bytes]] = {}
    for one in contained:
        identity = bytes(_members_of(one).get("id", b""))
        by_reference.setdefault(b'"#' + identity[1:], []).append(bytes(one))
    reached: set[bytes] = set()
    unread = [_encode({name: value for name, value in sent.items() if name != "contained"})]
    while unread:  # each text once, however long the chain
        for reference in _local_references(unread.pop()):
            found = by_reference.pop(reference, [])
            reached.update(found)
            unread += found
    return reached


def _in_array(sent: Raw) -> Raw:
    return sent if bytes(sent).startswith(b"[") else Raw(b"[" + bytes(sent) + b"]")


def _items_of(sent: Raw | None) -> list[Raw]:
    return _decode_items(sent) if sent is not None else []


def _members_of(sent: Raw) -> dict[str, Raw]:
    """The members of an object; of anything else nothing can be kept."""
    try:
        return _decode_members(sent)
    except msgspec.DecodeError:
        return {}


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


def check(plans: Iterable[tuple[str, Plan]], language: Language) -> None:
    """Refuse what the R4B models refuse; ``plans`` are named by where they stand in the data."""
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
        resource = _encode(write(plan, "example", language))
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
