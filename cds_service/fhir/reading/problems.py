"""What is the matter and what was done: Conditions, allergies and Procedures."""

from __future__ import annotations

from msgspec import Raw

from cds_service.clinical import Allergy, Problem, Procedure
from cds_service.fhir import editions, elements, wire
from cds_service.fhir.reading.context import Context, source_of, status_of
from cds_service.fhir.reading.times import Times

_ONSET = Times(wire.Condition, "Condition", "when")
_RECORDED = Times(wire.Condition, "Condition", "noted")
_ABATED = Times(wire.Condition, "Condition", "ended")
_PERFORMED = Times(wire.Procedure, "Procedure", "when")
_SUBSTANCE = tuple(
    wire.attribute(wire.Allergy, member) for member in editions.names("AllergyIntolerance", "about")
)


def read_condition(
    sent: wire.Condition, context: Context, resource: Raw | bytes
) -> tuple[Problem, ...]:
    codes = elements.codes(sent.code)
    if not context.wants(codes):
        return ()
    clinical, clinical_unknown = elements.status(sent.clinical_status, elements.CLINICAL_STATUS)
    certainty, certainty_unknown = elements.status(sent.verification_status, elements.CERTAINTY)
    abated, moments = _is_over(sent), context.moments
    return (
        Problem(
            codes,
            elements.text(sent.code),
            source_of(sent),
            clinical,
            certainty,
            clinical_unknown or certainty_unknown,
            elements.codes(sent.severity),
            _ONSET.of(sent, moments)[0],
            _RECORDED.of(sent, moments)[0],
            abated,
            _ABATED.ended(sent, moments) if abated else None,
            elements.notes(sent.note, sent.notes) if sent.note or sent.notes else "",
        ),
    )


def _is_over(sent: wire.Condition) -> bool:
    """Whether it has an end, whatever its form."""
    ends = (
        sent.abatement_date_time,
        sent.abatement_period,
        sent.abatement_string,
        sent.abatement_age,
        sent.abatement_quantity,
        sent.abatement_range,
    )
    return ends.count(None) < len(ends) or bool(sent.abatement_boolean)


def read_procedure(
    sent: wire.Procedure, context: Context, resource: Raw | bytes
) -> tuple[Procedure, ...]:
    codes = elements.codes(sent.code)
    if not context.wants(codes):
        return ()
    performed = _PERFORMED.ended(sent, context.moments)
    return (
        Procedure(codes, elements.text(sent.code), status_of(sent), source_of(sent), performed),
    )


def read_allergy(
    sent: wire.Allergy, context: Context, resource: Raw | bytes
) -> tuple[Allergy, ...]:
    concept = next(filter(None, (getattr(sent, member) for member in _SUBSTANCE)), None)
    codes = elements.codes(concept)
    also = elements.notes(sent.note).splitlines()
    for reaction in sent.reaction or ():
        also += elements.notes(reaction.description, reaction.note).splitlines()
        for substance in elements.listed(reaction.substance):
            codes += tuple(code for code in elements.codes(substance) if code not in codes)
            also.append(elements.text(substance))
    if not context.wants(codes):
        return ()
    # DSTU2 has one status for both; a status unknown here leaves the allergy in force.
    clinical, certainty = (
        elements.status(said or sent.status, known)[0]
        for said, known in (
            (sent.clinical_status, elements.CLINICAL_STATUS),
            (sent.verification_status, elements.CERTAINTY),
        )
    )
    named = tuple(filter(None, also))
    return (Allergy(codes, elements.text(concept), source_of(sent), clinical, certainty, named),)
