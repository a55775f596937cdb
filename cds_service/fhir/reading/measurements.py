"""Results and vital signs: Observations and their components, each with one answer at most."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from cds_service.clinical import Code, Interval, Measurement, Moment, Quantity
from cds_service.fhir import elements, wire
from cds_service.fhir.elements import Unreadable, last_two_segments
from cds_service.fhir.reading.context import Context, Owner, are_known, carries, source_of
from cds_service.fhir.reading.times import Times

_WHEN = Times(wire.Observation, "Observation", "when")
_ISSUED = Times(wire.Observation, "Observation", "noted")


def read_observation(
    sent: wire.Observation, context: Context, resource: Raw | bytes
) -> tuple[Measurement, ...]:
    kept = context.kept
    wanted = []
    for result in (sent, *sent.component) if sent.component else (sent,):
        codes = elements.codes(result.code)
        if not kept or carries(codes, kept):
            wanted.append((result, codes))
    name = ""  # what it is called, where only a name says what was measured
    if not wanted:
        codes = elements.codes(sent.code)
        name = "" if are_known(codes, context.local) else elements.text(sent.code)[:_LONGEST_NAME]
        if not name:
            return ()
        wanted.append((sent, codes))
    moments = context.moments
    # Of a period it is its end that counts, and nothing when that is open.
    when = _WHEN.of(sent, moments)[1] or _ISSUED.of(sent, moments)[1]
    unclear = () if when is not None or not _WHEN.are_unread(sent, moments) else ("date",)
    about = _about_another(sent, context.owner)
    source, status = source_of(sent), sent.status or ""
    return tuple(
        [
            _measure(result, codes, status, when, source, about, unclear, name)
            for result, codes in wanted
        ]
    )


#: A name is kept for every result under a code that no one knows.
_LONGEST_NAME = 200


def _measure(
    sent: wire.Result,
    codes: tuple[Code, ...],
    status: str,
    when: Moment | None,
    source: str,
    about: str,
    unclear: tuple[str, ...],
    name: str,
) -> Measurement:
    if sent.modifier_extension:
        raise Unreadable
    beyond_us = (
        sent.value_ratio,
        sent.value_sampled_data,
        sent.value_time,
        sent.value_date_time,
        sent.value_period,
        sent.value_attachment,
        sent.value_reference,
    )
    answers = (
        sent.value_quantity,
        sent.value_codeable_concept,
        sent.value_string,
        sent.value_boolean,
        sent.value_integer,
        sent.value_range,
        sent.data_absent_reason,
    )
    # One answer at most, and a reason for having none excludes having one.
    if beyond_us.count(None) < len(beyond_us) or answers.count(None) < len(answers) - 1:
        raise Unreadable
    value, interval, concepts, text = (
        (elements.quantity(sent.value_quantity), None, (), "")
        if sent.value_quantity is not None
        else _other_answer(sent)
    )
    normal = elements.reference_range(sent.reference_range, value)
    flag, understood = (
        elements.interpretation(sent.interpretation) if sent.interpretation else ("", True)
    )
    if not understood:
        unclear = (*unclear, "flag")
    return Measurement(
        codes,
        status,
        when,
        source,
        value,
        interval,
        concepts,
        text,
        flag,
        normal.low,
        normal.high,
        sent.data_absent_reason is not None,
        about,
        unclear if normal.understood else (*unclear, "range"),
        name,
    )


def _other_answer(
    sent: wire.Result,
) -> tuple[Quantity | None, Interval | None, tuple[Code, ...], str]:
    """An answer that is not sent as a quantity, if there is one."""
    if sent.value_codeable_concept is not None:
        answer = sent.value_codeable_concept
        return None, None, elements.codes(answer), elements.text(answer)
    if sent.value_string is not None:
        return None, None, (), sent.value_string
    if sent.value_boolean is not None:
        return None, None, (), "true" if sent.value_boolean else "false"
    if sent.value_integer is not None:
        bare = wire.Amount(Raw(str(sent.value_integer)))
        return elements.quantity(bare), None, (), ""
    return None, elements.interval(sent.value_range), (), ""


def _about_another(sent: wire.Observation, owner: Owner) -> str:
    """Who or what else the result is about, in the sender's words; "" if it is this patient."""
    about = _about(sent.focus, owner) if sent.focus else ""
    return about or (_about_by_extension(sent.extension, owner) if sent.extension else "")


def _about_by_extension(extensions: object, owner: Owner) -> str:
    """The same, where a standard extension says who it is by a code or a reference, or where any
    extension refers to a related person."""
    for one in extensions if isinstance(extensions, list) else ():
        if not isinstance(one, dict):
            continue
        named = str(one.get("url", "")).rpartition("/")[2] in _FOCUS_EXTENSIONS
        reference, concept = one.get("valueReference"), one.get("valueCodeableConcept")
        if isinstance(reference, dict):
            sent = wire.Reference(**{
                key: value for key in ("reference", "display")
                if isinstance(value := reference.get(key), str)
            })  # fmt: skip
            related = (sent.reference or "").startswith("RelatedPerson/")
            if (named or related) and (about := _about([sent], owner)):
                return about
        if named and isinstance(concept, dict) and (about := _called(concept)):
            return about
    return ""


#: Of R4 and R4B, and of STU3: who a result is about, if not the patient.
_FOCUS_EXTENSIONS = frozenset({"observation-focusCode", "observation-focal-subject"})
#: HL7's role codes of a mother, and SNOMED CT's.
_MOTHER = frozenset({"MTH", "NMTH", "NMTHF", "GESTM", "72705000"})
#: The patient, by role code.
_SELF = frozenset({"ONESELF", "SELF", "PAT"})


def _called(concept: dict[str, Any]) -> str:
    """Who a concept names, in its words, else by its code; "" if it is the patient."""
    codings = concept.get("coding")
    found = [one for one in codings if isinstance(one, dict)] if isinstance(codings, list) else []
    codes = {str(one.get("code", "")).upper() for one in found}
    if codes & _SELF:
        return ""
    if codes & _MOTHER:
        return "mother"
    words = (concept.get("text"), *(one.get("display") for one in found))
    return next((one for one in words if isinstance(one, str) and one), "someone else")


def _about(focus: list[wire.Reference] | wire.Reference, owner: Owner) -> str:
    """Who or what else the result is about, in the sender's words; "" if it is this patient."""
    for reference in elements.listed(focus):
        if not owner.is_meant_by(reference):
            kind, _ = last_two_segments(reference.reference or "")
            return reference.display or kind or "someone else"
    return ""
