"""From FHIR resources to a `Record`: tolerant of form, strict about meaning.

Each resource is decoded alone into the few elements the medicine uses, under the names they have
in any version of FHIR (see `editions`). One that cannot be decoded, contradicts itself, names no
patient, does not say when a dose was given, or has a status or a modifier unknown here is counted
as unreadable under its need: it is neither used nor taken for absent. Whether or not
an answer was filtered, subject, code and unit are checked again.

`read_record` is the front. `collecting` goes through the resources and keeps the books, and each
of ``measurements``, ``problems``, ``medications`` and ``ordered_tests`` reads resources of its
kinds; `Owner` says whose one is, `Products` finds a Medication that is only referred to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from cds_service.clinical import Need, Patient, Record, Sex
from cds_service.errors import DataUnavailable
from cds_service.fhir import elements, wire
from cds_service.fhir.editions import MEDICATION_KINDS
from cds_service.fhir.gather import UNDECODABLE, Answer
from cds_service.fhir.reading.around import Around
from cds_service.fhir.reading.collecting import Collector, type_of
from cds_service.fhir.reading.context import Owner, identifiers_in

_patient = msgspec.json.Decoder(wire.Patient).decode


def read_record(evidence: Mapping[str, Answer], needs: Sequence[Need], patient_id: str) -> Record:
    """The record of this patient, from what was gathered for the ``needs``.

    A resource is kept if it carries a code that its need keeps. ``DataUnavailable`` when the
    patient itself is missing, unreadable or another one.
    """
    patient, owner = _read_patient(evidence, needs, patient_id)
    collector, around = Collector(evidence, needs, owner), Around(owner)
    missing: dict[str, str] = {}
    incomplete = set()
    for need in needs:
        answer = evidence.get(need.key)
        if need.kind == "Patient" or (answer is None and need.importance == "welcome"):
            continue
        if answer is None:
            missing[need.key] = "not asked for"
        elif answer.state in ("failed", "absent"):
            missing[need.key] = answer.why
        else:
            if not answer.complete:
                incomplete.add(need.key)
            if need.importance == "welcome":
                around.read(need, answer)
            elif answer.resources:
                if not collector.read(need, answer):
                    missing[need.key] = "nothing that was sent could be used"
                elif collector.unreadable.get(need.key):
                    incomplete.add(need.key)
    return Record(
        patient,
        measurements=collector.found("Observation"),
        problems=collector.found("Condition"),
        medications=collector.found(*MEDICATION_KINDS),
        procedures=collector.found("Procedure"),
        allergies=collector.found("AllergyIntolerance"),
        test_orders=collector.found("ServiceRequest"),
        missing=missing,
        incomplete=frozenset(incomplete),
        unreadable=collector.unreadable,
        foreign=collector.foreign,
        unread=(*collector.unread, *around.unread),
        relatives=tuple(around.relatives),
        tasks=tuple(around.tasks),
    )


def _read_patient(
    evidence: Mapping[str, Answer], needs: Sequence[Need], patient_id: str
) -> tuple[Patient, Owner]:
    need = next((need for need in needs if need.kind == "Patient"), None)
    answer = evidence.get(need.key) if need is not None else None
    field = f"prefetch.{need.key}" if need is not None else None
    if answer is None or answer.state in ("failed", "absent"):
        why = answer.why if answer is not None else "not asked for"
        raise DataUnavailable(f"The patient's own record could not be obtained: {why}.", field)
    problem = "There is no patient of this id."
    for resource, address in answer.each():
        try:
            sent = _patient(resource)
        except UNDECODABLE:
            if type_of(resource) in (None, "Patient"):
                problem = "The patient's own record could not be read."
            continue
        if sent.resource_type == "Patient":
            problem = _why_not(sent, patient_id)
            if not problem:
                return _patient_and_owner(sent, patient_id, address)
    raise DataUnavailable(problem, field)


def _why_not(sent: wire.Patient, patient_id: str) -> str:
    """What is wrong with a patient sent as this one; "" when nothing is."""
    if sent.id != patient_id:
        return "The patient sent is not the one of context.patientId."
    if sent.modifier_extension or sent.implicit_rules:
        return "The patient's own record holds modifiers unknown to this service."
    return ""


_SEXES: dict[str, Sex] = {"female": "female", "male": "male"}


def _patient_and_owner(sent: wire.Patient, patient_id: str, address: str) -> tuple[Patient, Owner]:
    references = {f"Patient/{patient_id}", f"urn:uuid:{patient_id}", address} - {""}
    patient = Patient(
        patient_id,
        elements.moment(sent.birth_date),
        deceased=bool(sent.deceased_boolean or sent.deceased_date_time),
        sex=_SEXES.get(sent.gender, "") if isinstance(sent.gender, str) else "",
    )
    return patient, Owner(patient_id, frozenset(references), identifiers_in(sent.identifier))
