"""Results and vital signs: Observations and their components, each with one answer at most; and
reports whose conclusion is an answer."""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import Raw, structs

from cds_service.clinical import Code, Interpretation, Interval, Measurement, Moment, Quantity
from cds_service.fhir import elements, wire
from cds_service.fhir.elements import Unreadable, last_two_segments
from cds_service.fhir.reading.context import Context, Owner, are_known, source_of
from cds_service.fhir.reading.times import Times

_WHEN = Times(wire.Observation, "Observation", "when")
_ISSUED = Times(wire.Observation, "Observation", "noted")


def read_observation(
    sent: wire.Observation, context: Context, resource: Raw | bytes
) -> tuple[Measurement, ...]:
    sent = _concluded(sent) if concludes(sent) else sent
    wanted = _wanted(sent, context)
    if not wanted:
        return ()
    moments = context.moments
    # Of a period it is its end that counts, and nothing when that is open.
    begun, ended = _WHEN.of(sent, moments)
    when = ended or _ISSUED.of(sent, moments)[1]
    unclear = () if when is not None or not _WHEN.are_unread(sent, moments) else ("date",)
    about = _about_another(sent, context.owner)
    source, status = source_of(sent), sent.status or ""
    written = _written_next_to(sent)
    whole = _whole(sent)
    measured = []
    for result, codes, name in wanted:
        try:
            one = _measure(result, codes, status, when, source, about, unclear, name, written)
        except Unreadable:
            alone = len(wanted) == 1 or sent.modifier_extension
            if alone if result is sent else not (name or context.by_words):
                raise
            one = Measurement(codes, status, when, source, name=name)  # the others can be used
        measured.append(_placed(one, whole if result is not sent else (), begun, ended))
    return tuple(measured)


def _placed(
    one: Measurement, whole: tuple[Code, ...], begun: Moment | None, ended: Moment | None
) -> Measurement:
    """With what it is a component of, and the period that it is of, unless it is of a moment."""
    if begun is not ended:
        return structs.replace(one, within=whole, begun=begun, ended=ended)
    return structs.replace(one, within=whole) if whole else one


def _written_next_to(sent: wire.Observation) -> str:
    if not (sent.note or sent.comment or sent.comments):
        return ""
    return elements.notes(sent.note, sent.comment, sent.comments)[:_LONGEST_NOTES]


def concludes(sent: wire.Observation) -> bool:
    """Whether a report says in words or codes what was found."""
    return bool(sent.conclusion or sent.conclusion_code or sent.coded_diagnosis)


def _concluded(sent: wire.Observation) -> wire.Observation:
    """A report as the result that its conclusion is."""
    found = sent.conclusion_code or sent.coded_diagnosis or []
    codings = [coding for one in found for coding in one.coding or ()]
    said = "\n".join([it for it in (sent.conclusion, *(one.text for one in found)) if it])
    answer = wire.Concept(coding=codings, text=said or None)
    return structs.replace(sent, value_codeable_concept=answer)


def _whole(sent: wire.Observation) -> tuple[Code, ...]:
    """What the components are of, by its codes, and by its words where no code has a name."""
    if not sent.component:
        return ()
    codes = elements.codes(sent.code)
    words = elements.text(sent.code)[:_LONGEST_NAME]
    return (
        codes if not words or any(one.display for one in codes) else (*codes, Code("", "", words))
    )


_Wanted: TypeAlias = list[tuple[wire.Result, tuple[Code, ...], str]]


def _wanted(sent: wire.Observation, context: Context) -> _Wanted:
    """What is to be read of it, with its codes, and what it is called where only a name says what
    was measured. What only heads its components is left to them."""
    wanted: _Wanted = []
    for result in (sent, *sent.component) if sent.component else (sent,):
        codes = elements.codes(result.code)
        if context.wants(codes):
            wanted.append((result, codes, ""))
        elif not are_known(codes, context.local):
            if name := _called_here(result, codes):
                wanted.append((result, codes, name))
        elif context.by_words:
            wanted.append((result, codes, ""))
        elif context.by_name and _has_answer(result):
            name = elements.text(result.code)[:_LONGEST_NAME]
            if context.hears(name):
                wanted.append((result, codes, name))
    heads = len(wanted) > 1 and wanted[0][0] is sent and bool(wanted[0][2])
    return wanted[1:] if heads and not _has_answer(sent) else wanted


def _called_here(result: wire.Result, codes: tuple[Code, ...]) -> str:
    """What its sender calls it; without a name, the sender's code."""
    name = elements.text(result.code) or next(iter(codes), Code("", "")).code
    return name[:_LONGEST_NAME]


def _has_answer(sent: wire.Result) -> bool:
    """Whether anything was answered, or a reason was given for having no answer."""
    return any(getattr(sent, member) is not None for member in (*_READ, *_NOT_READ))


#: Answers that are read, and others, of which nothing here would be the answer.
_READ = (
    "value_quantity", "value_codeable_concept", "value_string", "value_boolean", "value_integer",
    "value_range", "data_absent_reason",
)  # fmt: skip
_NOT_READ = (
    "value_ratio", "value_sampled_data", "value_time", "value_date_time", "value_period",
    "value_attachment", "value_reference",
)  # fmt: skip
#: A name is kept for every result under a code that no one knows.
_LONGEST_NAME = 200
#: What is longer is a document, not a note on a result.
_LONGEST_NOTES = 2000


def _measure(
    sent: wire.Result,
    codes: tuple[Code, ...],
    status: str,
    when: Moment | None,
    source: str,
    about: str,
    unclear: tuple[str, ...],
    name: str,
    written: str,
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
    printed = elements.flagged_in_words(text) if sent.value_string is not None else None
    if printed is not None:
        value, text = printed[0], ""
    normal = elements.reference_range(sent.reference_range, value)
    flag, understood = _flag(sent, printed)
    if not understood:
        unclear = (*unclear, "flag")
        if elements.is_abnormal(sent.interpretation):
            unclear = (*unclear, "abnormal")
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
        _why_withheld(sent.data_absent_reason),
        about,
        unclear if normal.understood else (*unclear, "range"),
        name,
        written,
        sent.code.text[:_LONGEST_NAME] if sent.code is not None and sent.code.text else "",
    )


def _why_withheld(reason: wire.Concept | None) -> str:
    """Why there is no value: in the sender's words, else by the code."""
    if reason is None:
        return ""
    return elements.text(reason) or next((one.code for one in elements.codes(reason)), "")


def _flag(
    sent: wire.Result, printed: tuple[Quantity, Interpretation | None] | None
) -> tuple[Interpretation, bool]:
    """The laboratory's, else the one ``printed`` after the number; and whether it is understood."""
    if sent.interpretation:
        return elements.interpretation(sent.interpretation)
    flag = printed[1] if printed is not None else ""
    return flag or "", flag is not None


def _other_answer(
    sent: wire.Result,
) -> tuple[Quantity | None, Interval | None, tuple[Code, ...], str]:
    """An answer that is not sent as a quantity, if there is one."""
    if sent.value_codeable_concept is not None:
        answer = sent.value_codeable_concept
        return None, None, elements.codes(answer), elements.text(answer)
    if sent.value_string is not None:
        read = elements.quantity_in_words(sent.value_string)
        return read, None, (), "" if read is not None else sent.value_string
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
