"""What differs between the versions of FHIR, as one table: reading and writing both go by it.

**How a version is known.** Nothing says it: CDS Hooks announces none, no resource names its own,
and what a client's register or a media type may claim is not asked, since forms send one version
in another's clothes (an R5 server's form still sends R4's orders). Its shape shows it:

* For reading it need not be determined at all. The names of one version mean nothing else in
  another, so every name of every version is looked for, R4's first.
* For writing an order back, `edition_of` determines it: by the type where only one version has it,
  by the member that names the drug, by where a dose is put; what fits several is R4.

A resource that has none of the names that a reader cannot do without, or a status that no version
has, is of a version unknown here: it is counted as unreadable and said, never taken for absent.

Orders that we make are R4; R4B does not differ from it in any type that is read or written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from cds_service.clinical import Edition

#: In the order in which they count where a resource says something in two versions' words.
EDITIONS: tuple[Edition, ...] = ("R4", "R4B", "R5", "STU3", "DSTU2")

Part: TypeAlias = Literal[
    "about", "when", "noted", "due", "ended", "planned", "lines", "dose", "reasons"
]


class Shape(Struct, frozen=True):
    """Where a resource of ``type`` says things; choices in the order in which they count.

    ``subject`` is whose it is, ``about`` the drug, or the code of what was measured, found, done or
    ordered. ``when`` is when that was, began, or was ordered; ``noted`` when it was written down;
    ``due`` when an ordered test is wanted; ``ended`` when it was over, ``planned`` for how long it
    was ordered. ``lines`` are the dosage lines, ``dose`` the amount in one of them
    ("doseAndRate.doseQuantity": one deeper). ``denied`` are members that say that it was not so,
    each with the status that R4 has for it. ``statuses`` are those the version has, each with R4's
    word for it; empty where a status is not a plain code.
    """

    kind: str
    editions: tuple[Edition, ...]
    type: str
    subject: str
    about: tuple[str, ...]
    when: tuple[str, ...] = ()
    noted: tuple[str, ...] = ()
    due: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    planned: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    dose: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    denied: Mapping[str, str] = {}
    statuses: Mapping[str, str] = {}


def _shape(
    kind: str, editions: str, *, named: str = "", subject: str = "subject", **parts: str
) -> Shape:
    """A row: names apart by blanks, "here=there" where R4 says ``there``."""
    pairs = {
        name: {here: there or here for here, _, there in
               (word.partition("=") for word in parts.pop(name, "").split())}
        for name in ("denied", "statuses")
    }  # fmt: skip
    names = {part: tuple(written.split()) for part, written in parts.items()}
    return Shape(
        kind,
        tuple(one for one in EDITIONS if one in editions.split()),
        named or kind,
        subject,
        denied=pairs["denied"],
        statuses=pairs["statuses"],
        **names,
    )


_R4 = "R4 R4B"
_EITHER = "medicationCodeableConcept medicationReference"
_DOSE_OF_STU3 = "doseQuantity doseSimpleQuantity doseRange"
_DOSE_OF_R4 = "doseAndRate.doseQuantity doseAndRate.doseRange"
_ORDERED = "active on-hold cancelled completed entered-in-error stopped draft unknown"
_TAKEN = "active completed entered-in-error intended stopped on-hold"
_GIVEN = "in-progress not-done on-hold completed entered-in-error stopped unknown"
_HANDED_OVER = (
    "preparation in-progress cancelled on-hold completed entered-in-error stopped declined unknown"
)
_DONE = "preparation in-progress not-done on-hold stopped completed entered-in-error unknown"
_TEST = "draft active on-hold revoked completed entered-in-error unknown"
_TEST_OF_DSTU2 = (
    "proposed draft planned requested=active received=active accepted=active in-progress=active"
    " review=active completed suspended=on-hold cancelled=revoked rejected=revoked"
    " aborted=revoked failed=revoked"
)

#: The table. A kind is what a need asks for, by R4's name.
SHAPES: tuple[Shape, ...] = (
    # The guideline weighs a result's status itself, one that it does not know included.
    _shape("Observation", "DSTU2 STU3", about="code", when="effectiveDateTime effectivePeriod",
           noted="issued"),
    _shape("Observation", "R4 R4B R5", about="code", noted="issued",
           when="effectiveDateTime effectiveInstant effectivePeriod effectiveTiming"),
    # Nor need a problem have a date; its two statuses are codes or concepts.
    _shape("Condition", "DSTU2", subject="patient", about="code", noted="dateRecorded",
           when="onsetDateTime onsetPeriod", ended="abatementDateTime abatementPeriod"),
    _shape("Condition", "STU3", about="code", noted="assertedDate",
           when="onsetDateTime onsetPeriod", ended="abatementDateTime abatementPeriod"),
    _shape("Condition", "R4 R4B R5", about="code", noted="recordedDate",
           when="onsetDateTime onsetPeriod", ended="abatementDateTime abatementPeriod"),
    _shape("AllergyIntolerance", "DSTU2", subject="patient", about="substance"),
    _shape("AllergyIntolerance", "STU3 R4 R4B R5", subject="patient", about="code"),

    _shape("MedicationRequest", "DSTU2", named="MedicationOrder", subject="patient", about=_EITHER,
           when="dateWritten", ended="dateEnded", lines="dosageInstruction",
           dose="doseQuantity doseRange", reasons="reasonCodeableConcept reasonReference",
           statuses="active on-hold completed entered-in-error stopped draft"),
    _shape("MedicationRequest", "STU3", about=_EITHER, when="authoredOn",
           lines="dosageInstruction", dose=_DOSE_OF_STU3, reasons="reasonCode reasonReference",
           statuses=_ORDERED),
    _shape("MedicationRequest", _R4, about=_EITHER, when="authoredOn",
           lines="dosageInstruction", dose=_DOSE_OF_R4, reasons="reasonCode reasonReference",
           statuses=_ORDERED),
    _shape("MedicationRequest", "R5", about="medication", when="authoredOn",
           ended="statusChanged", planned="effectiveDosePeriod", lines="dosageInstruction",
           dose=_DOSE_OF_R4, reasons="reason", statuses=f"{_ORDERED} ended"),

    _shape("MedicationStatement", "DSTU2", subject="patient", about=_EITHER, noted="dateAsserted",
           when="effectiveDateTime effectivePeriod", lines="dosage", denied="wasNotTaken=not-taken",
           dose="quantityQuantity quantityRange", reasons="reasonForUseCodeableConcept"
           " reasonForUseReference", statuses="active completed entered-in-error intended"),
    _shape("MedicationStatement", "STU3", about=_EITHER, noted="dateAsserted", lines="dosage",
           when="effectiveDateTime effectivePeriod", dose=_DOSE_OF_STU3,
           reasons="reasonCode reasonReference", statuses=_TAKEN),
    _shape("MedicationStatement", _R4, about=_EITHER, noted="dateAsserted", lines="dosage",
           when="effectiveDateTime effectivePeriod", dose=_DOSE_OF_R4,
           reasons="reasonCode reasonReference", statuses=f"{_TAKEN} unknown not-taken"),
    _shape("MedicationStatement", "R5", about="medication", noted="dateAsserted", lines="dosage",
           when="effectiveDateTime effectivePeriod effectiveTiming", dose=_DOSE_OF_R4,
           reasons="reason", statuses="recorded=active entered-in-error draft"),

    _shape("MedicationAdministration", "DSTU2", subject="patient", about=_EITHER, lines="dosage",
           when="effectiveTimeDateTime effectiveTimePeriod", dose="quantity",
           denied="wasNotGiven=not-done", reasons="reasonGiven",
           statuses="in-progress on-hold completed entered-in-error stopped"),
    _shape("MedicationAdministration", "STU3", about=_EITHER, lines="dosage", dose="dose",
           when="effectiveDateTime effectivePeriod", denied="notGiven=not-done",
           reasons="reasonCode reasonReference",
           statuses="in-progress on-hold completed entered-in-error stopped unknown"),
    _shape("MedicationAdministration", _R4, about=_EITHER, lines="dosage", dose="dose",
           when="effectiveDateTime effectivePeriod", reasons="reasonCode reasonReference",
           statuses=_GIVEN),
    # R5 has one "r" in "occurence"; what is spelt as R5 meant it is read too.
    _shape("MedicationAdministration", "R5", about="medication", lines="dosage", dose="dose",
           when="occurenceDateTime occurencePeriod occurenceTiming"
           " occurrenceDateTime occurrencePeriod occurrenceTiming", reasons="reason",
           statuses=_GIVEN),

    # What was handed over was perhaps taken.
    _shape("MedicationDispense", "DSTU2", subject="patient", about=_EITHER,
           dose="doseQuantity doseRange", when="whenHandedOver whenPrepared",
           lines="dosageInstruction",
           statuses="in-progress on-hold completed entered-in-error stopped"),
    _shape("MedicationDispense", "STU3", about=_EITHER, when="whenHandedOver whenPrepared",
           lines="dosageInstruction", dose=_DOSE_OF_STU3,
           statuses="preparation in-progress on-hold completed entered-in-error stopped"),
    _shape("MedicationDispense", _R4, about=_EITHER, when="whenHandedOver whenPrepared",
           lines="dosageInstruction", dose=_DOSE_OF_R4, statuses=_HANDED_OVER),
    _shape("MedicationDispense", "R5", about="medication", when="whenHandedOver whenPrepared",
           noted="recorded", lines="dosageInstruction", dose=_DOSE_OF_R4, statuses=_HANDED_OVER),

    # A procedure without a date was done at some time: it counts.
    _shape("Procedure", "DSTU2", about="code", when="performedDateTime performedPeriod",
           denied="notPerformed=not-done",
           statuses="in-progress aborted=stopped completed entered-in-error"),
    _shape("Procedure", "STU3", about="code", when="performedDateTime performedPeriod",
           denied="notDone=not-done", statuses="preparation in-progress suspended=on-hold"
           " aborted=stopped completed entered-in-error unknown"),
    _shape("Procedure", _R4, about="code", when="performedDateTime performedPeriod",
           statuses=_DONE),
    _shape("Procedure", "R5", about="code", statuses=_DONE,
           when="occurrenceDateTime occurrencePeriod occurrenceTiming"),

    _shape("ServiceRequest", "DSTU2", named="DiagnosticOrder", about="item.code",
           statuses=_TEST_OF_DSTU2),
    _shape("ServiceRequest", "DSTU2", named="ProcedureRequest", about="code", when="orderedOn",
           due="scheduledDateTime scheduledPeriod scheduledTiming", statuses=_TEST_OF_DSTU2),
    _shape("ServiceRequest", "STU3", named="ProcedureRequest", about="code", when="authoredOn",
           due="occurrenceDateTime occurrencePeriod occurrenceTiming",
           statuses="draft active suspended=on-hold completed entered-in-error cancelled=revoked"
           " unknown"),
    _shape("ServiceRequest", "R4 R4B R5", about="code", when="authoredOn",
           due="occurrenceDateTime occurrencePeriod occurrenceTiming", statuses=_TEST),
)  # fmt: skip


# --- reading ---------------------------------------------------------------------------------


def _in_order(kind: str) -> Iterator[Shape]:
    """The shapes of a kind, or of every kind for "", R4's first."""
    for edition in EDITIONS:
        for shape in SHAPES:
            if edition == shape.editions[0] and kind in ("", shape.kind):
                yield shape


def names(kind: str, part: Part) -> tuple[str, ...]:
    """Every name that ``part`` has in some version of ``kind`` ("" for all), R4's first."""
    every = (name for shape in _in_order(kind) for name in getattr(shape, part))
    return tuple(dict.fromkeys(every))


#: The members that say whose a resource is, and those that name a drug.
SUBJECTS = tuple(dict.fromkeys(shape.subject for shape in _in_order("")))
DRUGS = names("MedicationRequest", "about")

#: In a dosage line: whether a drug is taken only as needed, and for what.
AS_NEEDED = ("asNeededBoolean", "asNeeded")
AS_NEEDED_FOR = ("asNeededCodeableConcept", "asNeededFor")

#: The resource types that answer a need of a kind: its own, then its names in older versions. A
#: search for orders is also answered with what the patient is reported to be taking, and with what
#: was handed over.
TYPES: Mapping[str, frozenset[str]] = {
    "Patient": frozenset({"Patient"}),
    **{one.kind: frozenset(shape.type for shape in SHAPES if shape.kind == one.kind)
       for one in SHAPES},
    "MedicationRequest": frozenset(
        {"MedicationRequest", "MedicationOrder", "MedicationStatement", "MedicationDispense"}
    ),
    "FamilyMemberHistory": frozenset({"FamilyMemberHistory"}),
    "Task": frozenset({"Task"}),
}  # fmt: skip

#: Needs that are about drugs, in the order in which their resources are in a record.
MEDICATION_KINDS = (
    "MedicationRequest", "MedicationStatement", "MedicationDispense", "MedicationAdministration",
)  # fmt: skip

_STATUSES: Mapping[str, Mapping[str, str]] = {
    one.type: {
        here: there
        for shape in _in_order(one.kind)
        for here, there in shape.statuses.items()
    }
    for one in SHAPES
}  # fmt: skip
_DENIALS: Mapping[str, Mapping[str, str]] = {
    one.type: {
        member: status
        for shape in _in_order(one.kind)
        for member, status in shape.denied.items()
    }
    for one in SHAPES
}  # fmt: skip


def status_of(of_type: str, sent: str | None) -> str | None:
    """R4's word for a status of any version, "" for none, ``None`` for one of no version."""
    return _STATUSES[of_type].get(sent) if sent else ""


def denials_of(of_type: str) -> Mapping[str, str]:
    """Members that, where true, say that it was not so, each with the status it then has."""
    return _DENIALS[of_type]


#: What STU3 says of a drug under ``taken`` and R5 under ``adherence``, in R4's words; all else
#: leaves the status as it is.
TAKING: Mapping[str, str] = {
    "n": "not-taken", "unk": "unknown", "na": "unknown", "unknown": "unknown",
    **{f"{word}{how}": status
       for word, status in (("not-taking", "not-taken"), ("on-hold", "on-hold"),
                            ("stopped", "stopped"))
       for how in ("", "-as-directed", "-not-as-directed")},
}  # fmt: skip


# --- writing ---------------------------------------------------------------------------------


class Writing(Struct, frozen=True):
    """How an order of a drug is written in a version, beyond its `Shape`.

    ``drug`` is a CodeableConcept, in R5 one deeper; ``dose`` where the amount of a line is.
    ``arrays`` are the members that are arrays: forms send the only item of some without its
    array. ``maxima`` is whether "at most" is one, ``has_sequence`` whether lines are numbered,
    ``has_priority`` whether an order says how urgent it is.
    """

    subject: str
    drug: str
    dose: str
    arrays: frozenset[str]
    bounds: Literal["boundsDuration", "boundsQuantity"] = "boundsDuration"
    period_unit: Literal["periodUnit", "periodUnits"] = "periodUnit"
    has_intent: bool = True
    has_sequence: bool = True
    has_priority: bool = True
    maxima: bool = False


def _writing(edition: Edition, arrays: str, **how: bool | str) -> Writing:
    (shape,) = (
        one for one in SHAPES if one.kind == "MedicationRequest" and edition in one.editions
    )
    several = frozenset(arrays.split())
    if edition != "DSTU2":  # where there is one reason at most
        several |= frozenset(shape.reasons)
    dose = shape.dose[0].partition(".")[0]
    return Writing(shape.subject, shape.about[0], dose, several, **how)  # type: ignore[arg-type]


_ARRAYS = (
    "basedOn contained detectedIssue dosageInstruction eventHistory extension identifier"
    " instantiatesCanonical instantiatesUri note supportingInformation"
)
_ARRAYS_OF_R4 = f"{_ARRAYS} category insurance"

WRITING: Mapping[Edition, Writing] = {
    "DSTU2": _writing(
        "DSTU2",
        "contained dosageInstruction extension identifier",
        bounds="boundsQuantity",
        period_unit="periodUnits",
        has_intent=False,
        has_sequence=False,
        has_priority=False,
    ),
    "STU3": _writing("STU3", _ARRAYS),
    "R4": _writing("R4", _ARRAYS_OF_R4),
    "R4B": _writing("R4B", _ARRAYS_OF_R4),
    "R5": _writing("R5", f"{_ARRAYS_OF_R4} device performer", maxima=True),
}

#: How long a line lasts, and the unit of how often, as any version writes them.
BOUNDS = tuple(dict.fromkeys(WRITING[one].bounds for one in EDITIONS))
PERIOD_UNITS = tuple(dict.fromkeys(WRITING[one].period_unit for one in EDITIONS))

#: Types that only an older version has, and where both have one, the later of the two.
_OLD_TYPES = {shape.type: shape.editions[0] for shape in SHAPES if shape.type != shape.kind}
_DRUG_OF_R5 = frozenset(DRUGS) - frozenset(_EITHER.split())
_DOSE_OF_OLD = frozenset(_DOSE_OF_STU3.split())


def edition_of(
    of_type: str, naming: Collection[str], lines: Iterable[Collection[str]]
) -> Edition | None:
    """The version whose shape an order being written has; ``None`` if it names its drug as no
    version known here does.

    ``naming`` are its members that name a drug ("medication..."), ``lines`` those of each of its
    dosage lines.
    """
    if of_type in _OLD_TYPES:
        return _OLD_TYPES[of_type]
    if of_type != "MedicationRequest":
        return "R4"
    if naming and set(naming).isdisjoint(DRUGS):
        return None
    if naming and _DRUG_OF_R5.issuperset(naming):
        return "R5"
    for line in lines:
        if "doseAndRate" not in line and not _DOSE_OF_OLD.isdisjoint(line):
            return "STU3"
    return "R4"
