"""A patient's record as the medicine sees it: no FHIR, no hooks, no storage.

``fhir/reading/`` fills these types, the guidelines read them. Everything is frozen; every
number is a ``Decimal`` exactly as it was sent; nothing here looks at a clock.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from cds_service.language import Words


class Code(Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """One coding: a code of one system. ``display`` is what the sender called it.

    Encoded unchanged it is a FHIR Coding.
    """

    system: str
    code: str
    display: str = ""


class LocalCode(Struct, frozen=True, gc=False):
    """A site's own code and what it means: the name of a code list, or a code known elsewhere.
    ``where`` is its place in the site's file ("line 3")."""

    code: Code
    means: str | Code
    where: str


class CodeMap(Struct, frozen=True):
    """What a site's own codes mean, from its file at ``path``; ``left_out`` counts what the file
    has and does not call the same."""

    path: str = ""
    codes: tuple[LocalCode, ...] = ()
    left_out: int = 0


class Moment(Struct, frozen=True, gc=False):
    """A time as far as it is known.

    ``first`` and ``last`` are the earliest and latest calendar dates it can mean, as written
    where it was recorded; they differ for partial dates ("2026", "2026-01") and periods.
    ``instant`` (seconds since 1970, UTC) only orders moments of the same date.
    """

    first: date
    last: date
    instant: float

    @property
    def is_partial(self) -> bool:
        """Whether it is known by its month, year or period only."""
        return self.first != self.last

    def may_be_as_late_as(self, other: Moment) -> bool:
        """Whether it may be of the same time as ``other`` or later."""
        if self.is_partial or other.is_partial:
            return self.last >= other.first
        return self.instant >= other.instant


class Quantity(Struct, frozen=True, gc=False):
    """A number with its unit.

    ``unit`` is the canonical UCUM unit of ``UNITS``, or ``None`` when the sender gave none, one
    that is not known here, or two that contradict each other; ``written`` is what was sent, for
    people ("142 pg/mL"). A quantity whose ``unit`` is ``None`` decides nothing. ``also`` is another
    unit that what was sent may mean ("G/L": gram or giga per litre): the dimension that is asked
    for decides.
    """

    value: Decimal
    unit: str | None
    written: str
    comparator: str = ""
    also: str | None = None


class Interval(Struct, frozen=True, gc=False):
    """A range as sent; either end may be missing."""

    low: Quantity | None
    high: Quantity | None


Interpretation = Literal["", "low", "normal", "high"]


class Measurement(Struct, frozen=True, gc=False):
    """One result or vital sign of this patient.

    ``status`` is FHIR's ("final", "preliminary", ...); ``value`` is the quantity, ``interval``
    a range, ``concepts`` and ``text`` a coded or written answer; at most one kind is present.
    ``withheld`` is true when the sender says why there is no value, ``why_withheld`` in whose
    words. ``about`` names someone else the result is about (``Observation.focus``: the mother, a
    fetus); such a result is never this patient's. ``source`` is its address in the record
    ("Observation/123"). ``unclear`` names what was sent about it and could not be understood
    ("date", "flag", "range"): such a result is never normal by it; "abnormal" where the flag says
    only abnormal or positive. ``name`` is what the sender calls it, or its code where it has no
    name, kept only where no code of a system known here says what was measured: it decides nothing.
    ``question`` is what the sender calls it, whatever its codes are. ``notes`` are what is written
    next to it. ``within`` is what it is a component of, by its codes; by its words alone where it
    has none.
    ``withheld`` is true when the sender says why there is no value. ``about`` names someone
    else the result is about (``Observation.focus``: the mother, a fetus); such a result is never
    this patient's. ``source`` is its address in the record ("Observation/123"). ``unclear`` names
    what was sent about it and could not be understood ("date", "flag", "range"): such a result is
    never normal by it; "abnormal" where the flag says only abnormal or positive. ``name`` is what
    the sender calls it, or its code where it has no name, kept only where no code of a system known
    here says what was measured: it decides nothing. ``question`` is what the sender calls it,
    whatever its codes are. ``notes`` are what is written next to it. ``within`` is what it is a
    component of, by its codes; by its words alone where it has none. ``begun`` and ``ended`` are
    those of a period, if it is of one: ``when`` is then its end, or when it was made known.
    """

    codes: tuple[Code, ...]
    status: str
    when: Moment | None
    source: str
    value: Quantity | None = None
    interval: Interval | None = None
    concepts: tuple[Code, ...] = ()
    text: str = ""
    interpretation: Interpretation = ""
    reference_low: Quantity | None = None
    reference_high: Quantity | None = None
    withheld: bool = False
    why_withheld: str = ""
    about: str = ""
    unclear: tuple[str, ...] = ()
    name: str = ""
    notes: str = ""
    question: str = ""
    within: tuple[Code, ...] = ()
    begun: Moment | None = None
    ended: Moment | None = None

    @property
    def is_answered(self) -> bool:
        return bool(self.value or self.interval or self.concepts or self.text)


class Problem(Struct, frozen=True, gc=False):
    """A condition on the record. Empty ``clinical_status`` or ``certainty``: not stated.

    ``clinical_status`` is active, recurrence, relapse, inactive, remission or resolved;
    ``certainty`` is FHIR's verificationStatus (confirmed, provisional, refuted, ...);
    ``uncertain_status`` is true when a status was sent that is none of these. ``notes`` are what is
    written next to it.
    """

    codes: tuple[Code, ...]
    text: str
    source: str
    clinical_status: str = ""
    certainty: str = ""
    uncertain_status: bool = False
    severity: tuple[Code, ...] = ()
    onset: Moment | None = None
    recorded: Moment | None = None
    abated: bool = False
    abatement: Moment | None = None
    notes: str = ""


class Dose(Struct, frozen=True, gc=False):
    """One dosage line of a medication as sent: route codes, amount, and the sender's own text."""

    route: tuple[Code, ...] = ()
    route_text: str = ""
    amount: Quantity | None = None
    text: str = ""


class Medication(Struct, frozen=True, gc=False):
    """A medication ordered, stated to be taken, handed over or given.

    ``kind`` is "order", "statement", "dispense" or "administration". An identity that could not be
    obtained (a reference no one resolved) has no ``codes``, and at most the ``text`` that its order
    calls it by: ``unresolved``. It is unknown, not absent, whatever it is called.
    ``authored`` is when it was ordered or given (start of the period for a statement).
    ``resource`` is the order as sent, kept only for orders, so that an update can carry it whole.
    ``dosages`` are its lines as those of a draft are read, only of orders and statements, and
    ``notes`` its words as a whole. ``why`` says, as sent, why it was stopped, is on
    hold, or was not given.
    """

    kind: Literal["order", "statement", "dispense", "administration"]
    codes: tuple[Code, ...]
    text: str
    status: str
    source: str
    intent: str = ""
    authored: Moment | None = None
    ended: Moment | None = None
    doses: tuple[Dose, ...] = ()
    resource: bytes = b""
    dosages: tuple[DraftDosage, ...] = ()
    unresolved: bool = False
    notes: tuple[str, ...] = ()
    why: tuple[str, ...] = ()


#: The status of an order in force not to give a drug.
PROHIBITED = "prohibited"
#: Statuses, in R4's words, of an order that is carried out or may be at once.
IN_FORCE = frozenset({"active", "on-hold"})


class DoseAmount(Struct, frozen=True, gc=False):
    """How much a drafted order gives at a time.

    ``unit`` is a canonical UCUM mass or volume of ``UNITS``; "1" for countable things, which
    ``thing`` then names as `dose_unit` does ("tablet", "pill", "drop", "spray"; "" for a bare
    number); ``None`` when it was not given, is not known here or contradicts itself. ``per_kg``:
    to be multiplied by the body weight; ``per_day``: spread over the day. ``written`` is what was
    sent, for people.
    """

    value: Decimal
    unit: str | None
    written: str
    thing: str = ""
    per_kg: bool = False
    per_day: bool = False


class Schedule(Struct, frozen=True, gc=False):
    """How often: ``times`` (at most ``most_times``) in every ``days`` days.

    ``most_a_day`` is how many of them can fall on one day. A single dose has ``days`` 0.
    """

    times: Decimal
    most_times: Decimal
    days: Decimal
    most_a_day: Decimal


class Instruction(Struct, frozen=True, gc=False):
    """Something said next to the dose of a line, by codes or in words alone."""

    codes: tuple[Code, ...] = ()
    text: str = ""


class DraftDosage(Struct, frozen=True, gc=False):
    """One dosage line of a drafted order.

    ``low`` and ``high`` are the ends of the dose (the same when it is one number), both ``None``
    when none is given; of a dose sent twice in units that do not compare (10 ug/kg, then 60 ug)
    they are the two as sent. ``maxima`` are the "at most" amounts, with the days each is for
    (``None``: per administration). ``days`` is how long the line lasts, ``count``
    how many doses it has in all. ``unclear`` names what was written and cannot be understood
    ("dose", "timing", "route", "the line", and "words" where they are longer than is read): then
    the absent value is unknown, not absent.
    ``day_times`` are the times of the day at which it is given, where they are named.
    ``instructions`` are what is stated next to the dose, ``beside`` all words but ``text``.
    ``by_type`` are the ends of the dose as it was ordered and as it was calculated, where both were
    sent and say so.
    ``begins`` and ``ends`` are the days between which it is given, where they are written.
    """

    low: DoseAmount | None = None
    high: DoseAmount | None = None
    schedule: Schedule | None = None
    route: tuple[Code, ...] = ()
    route_text: str = ""
    as_needed: bool = False
    days: Decimal | None = None
    count: int | None = None
    maxima: tuple[tuple[DoseAmount, Decimal | None], ...] = ()
    sequence: int | None = None
    text: str = ""
    unclear: tuple[str, ...] = ()
    day_times: frozenset[str] = frozenset()
    instructions: tuple[Instruction, ...] = ()
    beside: tuple[str, ...] = ()
    by_type: tuple[tuple[DoseAmount, DoseAmount], tuple[DoseAmount, DoseAmount]] | None = None
    begins: date | None = None
    ends: date | None = None

    @property
    def words(self) -> tuple[str, ...]:
        return (self.text, *self.beside)


#: The versions of FHIR that are read; ``fhir/editions.py`` has the shape of each.
Edition = Literal["DSTU2", "STU3", "R4", "R4B", "R5"]


class Draft(Struct, frozen=True):
    """One order being written.

    ``kind`` is "drug", "test", "prohibition" (of a drug) or "other". ``source`` is how the client
    names it ("MedicationRequest/request-123"; "" without an id: it cannot be changed, only added
    to). ``selected`` when the clinician is working on it now. ``begun`` is false for a drug order
    that names no medication yet. A medication that is named but cannot be obtained has neither
    ``codes`` nor ``text``. ``test`` is a laboratory order as the record would have it. ``edition``
    is the FHIR version whose shape it has; ``resource`` the draft as it was sent. ``notes`` are its
    words as a whole.
    """

    kind: Literal["drug", "test", "prohibition", "other"]
    source: str
    resource: bytes
    selected: bool = True
    status: str = ""
    intent: str = ""
    begun: bool = True
    codes: tuple[Code, ...] = ()
    text: str = ""
    dosages: tuple[DraftDosage, ...] = ()
    test: TestOrder | None = None
    edition: Edition = "R4"
    notes: tuple[str, ...] = ()


class Basket(Struct, frozen=True):
    """The orders being written, by date and id. ``foreign`` were of other patients, of which
    ``others`` could be read; ``unreadable`` could not be understood at all. ``sent`` is false when
    the client sent no basket."""

    drafts: tuple[Draft, ...] = ()
    foreign: int = 0
    unreadable: int = 0
    sent: bool = True
    others: tuple[Draft, ...] = ()


class Procedure(Struct, frozen=True, gc=False):
    codes: tuple[Code, ...]
    text: str
    status: str
    source: str
    performed: Moment | None = None


class Allergy(Struct, frozen=True, gc=False):
    """An allergy or intolerance; ``codes`` holds the substance and the reaction substances.
    ``also`` is what else may name one: reactions in words, and notes."""

    codes: tuple[Code, ...]
    text: str
    source: str
    clinical_status: str = ""
    certainty: str = ""
    also: tuple[str, ...] = ()


class TestOrder(Struct, frozen=True, gc=False):
    """A laboratory order already on the record; ``due`` is when the sample is wanted."""

    codes: tuple[Code, ...]
    text: str
    status: str
    source: str
    due: Moment | None = None
    authored: Moment | None = None


#: For reference curves only; "" where it is not known or neither.
Sex = Literal["", "female", "male"]


class Patient(Struct, frozen=True):
    """``birth`` is ``None`` when the date of birth is absent or cannot be read."""

    id: str
    birth: Moment | None
    deceased: bool = False
    sex: Sex = ""


Importance = Literal["indispensable", "required", "optional", "welcome"]


class Need(Struct, frozen=True):
    """One thing a guideline wants to know, declared once.

    Discovery prints it as a prefetch template, gathering turns it into a query for what the
    client did not send, the documentation prints it as a table row.

    ``kind`` is the FHIR resource type. ``asked`` are the codes the query names (without a system
    where countries use several addresses for it); ``kept`` the
    codes a resource must carry to be read (a superset: some are kept only to say that they
    cannot be used). Both empty: every resource of the kind. ``local`` are a site's own codes that
    have a meaning here, whatever it is. ``by_words``: what is sent under another code is
    kept as well, since words count; ``by_name``: an answer whose own name has one of these (in
    small letters) is kept under whatever code. ``reports`` are the codes, and
    ``reports_by_name`` the names, of reports whose conclusion is read as a result.

    Importance: without an *indispensable* need no answer can be given (412); without a *required*
    one nothing can be recommended (a card says so); without an *optional* one its facts are
    unknown. A *welcome* one is used where a client sends it, and neither fetched nor missed.
    """

    key: str
    kind: str
    name: str
    importance: Importance
    asked: tuple[Code, ...] = ()
    kept: frozenset[tuple[str, str]] = frozenset()
    local: frozenset[tuple[str, str]] = frozenset()
    by_words: bool = False
    by_name: frozenset[str] = frozenset()
    reports: frozenset[tuple[str, str]] = frozenset()
    reports_by_name: frozenset[str] = frozenset()


#: Why something that was sent was not used.
Reason = Literal[
    "code system", "no code", "code", "unit", "value", "answer", "status", "date",
    "before birth", "ahead", "flag", "range", "unjudged", "withheld", "unnamed", "another person",
    "before birth", "ahead", "ended", "flag", "range", "unjudged", "unnamed", "another person",
    "another patient", "another kind", "another specimen", "drug not found", "undecodable",
]  # fmt: skip


#: A name of an account is for a line of a card: `Unread` has so much of it.
LONGEST_NAME = 80


def in_short(name: str) -> str:
    """A name for a line of a card: a longer one ends after a word."""
    if len(name) <= LONGEST_NAME:
        return name
    room = name[: LONGEST_NAME - 1]
    return f"{room.rpartition(' ')[0].rstrip(' ,;:(-') or room}…"


class Unread(Struct, frozen=True, gc=False):
    """Something that was sent for a need and was not used, or not all of it, and why.

    ``need`` is the need's key. ``name`` is what the sender calls it ("" where it has no name or is
    not of this patient), ``system`` and ``code`` its first coding where that is what was not
    understood, ``source`` its address in the record. A ``reason`` of "flag" or "range": the value
    next to it was used. "code": a code that is on a list of the guideline and not verified.
    ``kind`` is the kind of result where its code is known, ``lab`` the same of a laboratory value
    that is named here, and ``written`` its value: ``name`` is both.
    """

    need: str
    reason: Reason
    name: str = ""
    system: str = ""
    code: str = ""
    source: str = ""
    kind: str = ""
    lab: str = ""
    written: str = ""


#: With these, nothing about this patient was lost: they are another patient's, or no clinical fact
#: of the kind that was asked for.
BESIDE: frozenset[Reason] = frozenset({"another patient", "another kind"})


class Relative(Struct, frozen=True):
    """Someone of the family, and what is recorded of them: ``diseases`` in words, ``notes`` as they
    are written next to them. ``source`` is its address in the record."""

    role: str
    codes: tuple[Code, ...] = ()
    diseases: tuple[str, ...] = ()
    disease_codes: tuple[Code, ...] = ()
    source: str = ""
    notes: str = ""


class OpenTask(Struct, frozen=True):
    """A task about this patient that no one has finished, in its words."""

    text: str


class Record(Struct, frozen=True):
    """All that could be read about one patient, and what could not.

    ``missing`` maps the key of each need that could not be obtained to a plain reason; its facts
    are unknown, never absent. ``incomplete`` names needs of which only a part arrived.
    ``unread`` is the account of what was sent and not used, each with its reason. ``unreadable``
    counts, by need, resources that could not be understood; ``foreign`` those of other patients,
    which were dropped.
    """

    patient: Patient
    measurements: tuple[Measurement, ...] = ()
    problems: tuple[Problem, ...] = ()
    medications: tuple[Medication, ...] = ()
    procedures: tuple[Procedure, ...] = ()
    allergies: tuple[Allergy, ...] = ()
    test_orders: tuple[TestOrder, ...] = ()
    missing: Mapping[str, str] = {}
    incomplete: frozenset[str] = frozenset()
    unreadable: Mapping[str, int] = {}
    foreign: int = 0
    unread: tuple[Unread, ...] = ()
    relatives: tuple[Relative, ...] = ()
    tasks: tuple[OpenTask, ...] = ()


# --- what a guideline would have ordered --------------------------------------------------------


#: How urgent an order is, the least first.
Priority = Literal["routine", "urgent", "asap", "stat"]
PRIORITIES: tuple[Priority, ...] = ("routine", "urgent", "asap", "stat")


class Phase(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One stretch of a regimen: ``frequency`` times per ``period`` for ``duration``.

    ``period_unit`` and ``duration_unit`` are d, wk or mo; ``count`` is the number of doses. A phase
    that does not follow on the one before begins ``after_months`` after day ``after_days`` of the
    course, on ``begins``; it lasts up to ``ends``. ``then`` follows, which ``text`` says too.
    """

    frequency: int
    period: int
    period_unit: Literal["d", "wk", "mo"]
    duration: int
    duration_unit: Literal["d", "wk", "mo"]
    count: int
    text: Words
    then: Words = ""
    after_days: int = 0
    after_months: int = 0
    begins: date | None = None
    ends: date | None = None


class PlannedDrug(Struct, frozen=True, gc=False):
    """A medication to prescribe: ``amount`` at each time, phase after phase; ``unit`` is a
    canonical UCUM mass or volume of `UNITS`.

    ``substance`` is the active one and ``strength`` how much of it, in ``unit``, one mL holds,
    where the guideline knows it; ``purpose`` is "maintenance" for what only meets the daily
    requirement. ``route_name`` is that of the route in words; ``preservative_free``: no product
    with a preservative may be given.
    """

    codes: tuple[Code, ...]
    name: Words
    route: Code
    amount: Decimal
    unit: str
    phases: tuple[Phase, ...]
    authored: date
    priority: Priority
    reasons: tuple[str, ...] = ()
    note: Words = ""
    substance: str = ""
    strength: Decimal | None = None
    purpose: Literal["treatment", "maintenance"] = "treatment"
    route_name: Words = ""
    preservative_free: bool = False


class PlannedTest(Struct, frozen=True, gc=False):
    """A laboratory test to order, its sample wanted on ``due``; ``inside`` is its name inside a
    sentence."""

    codes: tuple[Code, ...]
    name: Words
    due: date
    authored: date
    priority: Priority = "routine"
    reasons: tuple[str, ...] = ()
    note: Words = ""
    inside: Words = ""


class PlannedTask(Struct, frozen=True, gc=False):
    """Something for a person to do about this patient (here: see to the mother)."""

    description: Words
    authored: date
    reasons: tuple[str, ...] = ()


class StoppedDrug(Struct, frozen=True, gc=False):
    """An order of the record to be stopped; ``resource`` is the whole order as it was sent."""

    resource: bytes
    source: str
    name: str


class RevisedDrug(Struct, frozen=True, gc=False):
    """A draft as it was sent with only ``parts`` of it taken from ``drug``; a changed medication
    takes what was to be dispensed of the old one with it."""

    draft: Draft
    drug: PlannedDrug
    parts: frozenset[Literal["medication", "dosage", "route"]]


class RemovedDraft(Struct, frozen=True, gc=False):
    """A draft to be taken out of the basket; ``name`` is what its writer called it."""

    source: str
    name: Words


#: Plans that are resources to be saved, and all plans.
Written = PlannedDrug | PlannedTest | PlannedTask | StoppedDrug | RevisedDrug
Plan = Written | RemovedDraft

# --- units -----------------------------------------------------------------------------------

Dimension = Literal[
    "mass concentration", "substance concentration", "equivalents", "mass",
    "number concentration", "volume", "entitic volume", "fraction", "time",
]  # fmt: skip

#: Canonical UCUM unit -> (dimension, factor to the dimension's reference unit). Reference units:
#: pg/mL, pmol/L, meq/L, ug, 10*9/L, mL, fL, %, d. Checked against a UCUM library in the tests.
#: International avoirdupois pound and ounce: exactly 0.45359237 kg and 1/16 of it.
UNITS: Mapping[str, tuple[Dimension, Decimal]] = {
    unit: (dimension, Decimal(factor))  # type: ignore[misc]
    for dimension, factors in {
        "mass concentration": {
            "pg/mL": "1", "ng/L": "1", "ng/dL": "10", "ng/mL": "1e3", "ug/L": "1e3",
            "ug/dL": "1e4", "ug/mL": "1e6", "mg/L": "1e6", "mg/dL": "1e7", "g/L": "1e9",
            "mg/mL": "1e9", "g/dL": "1e10",
        },
        "substance concentration": {
            "pmol/L": "1", "nmol/L": "1e3", "umol/L": "1e6", "mmol/L": "1e9", "mol/L": "1e12",
            "pmol/dL": "10", "nmol/dL": "1e4", "umol/dL": "1e7", "mmol/dL": "1e10",
            "fmol/mL": "1", "pmol/mL": "1e3", "nmol/mL": "1e6", "umol/mL": "1e9",
        },
        "equivalents": {"meq/L": "1"},
        "mass": {
            "ng": "1e-3", "ug": "1", "mg": "1e3", "g": "1e6", "kg": "1e9",
            "[lb_av]": "453592370", "[oz_av]": "28349523.125",
        },
        "number concentration": {
            "10*9/L": "1", "10*3/uL": "1", "10*12/L": "1e3", "10*6/uL": "1e3", "/uL": "1e-3",
            "/mm3": "1e-3", "10*6/L": "1e-3", "/nL": "1", "10*6/mL": "1", "10*2/uL": "1e-1",
            "10*4/uL": "10", "10*5/uL": "100", "10*3/L": "1e-6", "/mL": "1e-6", "/L": "1e-9",
        },
        "volume": {"uL": "1e-3", "mL": "1", "L": "1e3"},
        "entitic volume": {"fL": "1", "um3": "1"},
        "fraction": {"%": "1"},
        "time": {"d": "1", "wk": "7"},
    }.items()
    for unit, factor in factors.items()
}  # fmt: skip


class DoseUnit(Struct, frozen=True, gc=False):
    """The unit of a dose; each part as in `DoseAmount`."""

    unit: str
    thing: str = ""
    per_kg: bool = False
    per_day: bool = False


#: Symbols in this case only: "G" is gauss in UCUM, and "UG" no more than a guess. "Mg" and "MG"
#: are milligrams, as RxNorm writes them: no one doses megagrams.
_DOSE_SYMBOLS = {
    spelling: unit
    for unit, spellings in {
        "ng": "ng", "ug": "ug mcg Mcg MCG mcgs", "mg": "mg Mg MG mgs", "g": "g gm gms",
        "uL": "uL ul", "mL": "mL ml ML mls mLs cc CC cm3",
    }.items()
    for spelling in spellings.split()
}  # fmt: skip
#: Words in any case, and in the plural.
_DOSE_WORDS = {
    **{
        word: unit
        for unit, words in {
            "ug": "mikrogramm mikrogram mikrogrammi mikrograma microgramo micrograma microgrammo"
            " микрограмм мкг mkg 微克 マイクログラム 마이크로그램",
            "mg": "milligramm milligrammi miligram miligramo miligrama milligrammo миллиграмм мг"
            " 毫克 ミリグラム 밀리그램",
            "g": "gramm grammi gramo grama grammo грамм 克 グラム",
            "mL": "mililitro mililiter milliliteri millilitro millilitr mililitr миллилитр мл 毫升"
            " ミリリットル 밀리리터",
        }.items()
        for word in words.split()
    },
    "nanogram": "ng", "microgram": "ug", "milligram": "mg", "gram": "g",
    "nanogramme": "ng", "microgramme": "ug", "milligramme": "mg", "gramme": "g",
    "microliter": "uL", "microlitre": "uL", "milliliter": "mL", "millilitre": "mL",
}  # fmt: skip
#: Countable things by their names in any case: UCUM annotations ("{tbl}"), HL7's orderable drug
#: forms ("SLTAB") and what people write. A pill is a tablet or a capsule; an actuation a spray.
_THINGS = {
    name: thing
    for thing, names in {
        "tablet": "tablet tab tbl ortab sltab chewtab disintab buctab caplet tabl tablett tablette"
        " tabletten tabletter tabletti tablettia tabletka tabletki tableta comprimé comprime comp"
        " cpr comprimido compr compressa compresse tabletă таблетка таблетки таблеток табл 錠 锭 片"
        " 정",
        "capsule": "capsule cap orcap kapsel kapseln kaps kapsler kapslar kapseli kapsułka gélule"
        " gelule gél cápsula capsula capsulă капсула капсулы カプセル 胶囊 膠囊 캡슐",
        "pill": "pill",
        "drop": "drop drp gtt ordrop ndrop tropfen trpf goutte gota goccia gocce druppel"
        " dråbe dråber droppe droppar dråpe dråper tippa tippaa kropla krople kropli капля капли"
        " капель 滴 방울",
        "spray": "spray spry nasspry orspry puff actuat actuation hub hübe sprühstoß sprühstöße"
        " bouffée pulvérisation pulverización",
        "dose": "dose dosis dosi doses dosen 回分",
        "ampoule": "ampoule ampule ampul amp ampulle ampullen ampolla ampola fiala fiale ampułka"
        " ampulka ампула ампулы アンプル 安瓿 앰플",
        "vial": "vial flacon viaal durchstechflasche fläschchen fiole флакон バイアル 바이알",
        "syringe": "syringe spritze fertigspritze seringue jeringa spuit",
        "": "1 each ea stück stuck stk st stuk stuks piece pièce pieza pezzo pz unité"
        " unidad szt sztuka kpl 個 个 ks kus шт штука",
    }.items()
    for name in names.split()
}
_PER_BODY_WEIGHT = frozenset({"kg", "kilogram"})
_PER_DAY = frozenset({"d", "day", "24h", "24hr"})


_LONGEST_DOSE_UNIT = 100


def dose_unit(written: str) -> DoseUnit | None:
    """What a dose is measured in, or ``None`` when it is not one known here ("IU", "mg/mL").

    Masses and volumes, countable things, and both per kilogram of body weight ("ug/kg") or
    spread over the day ("mg/day", "ug/(kg.d)"). "Per dose" is what every dose is.
    """
    # No unit is so long; a text of megabytes must neither be searched nor remembered.
    return _dose_unit(written) if len(written) <= _LONGEST_DOSE_UNIT else None


@lru_cache(maxsize=256)
def _dose_unit(written: str) -> DoseUnit | None:
    plain = unicodedata.normalize("NFKC", written).replace("\u03bc", "u").replace("(s)", "")
    plain = re.sub(r"\sper\s", "/", plain, flags=re.IGNORECASE)
    plain = re.sub(r"\s*/\s*", "/", plain.strip())
    plain = re.sub(r"/\((\w+)\.(\w+)\)$", r"/\1/\2", plain)
    plain = re.sub(r"\s*\(unit of presentation\)$", "", plain, flags=re.IGNORECASE)
    given, *divisors = plain.split("/")
    mass_or_volume = _DOSE_SYMBOLS.get(given) or _DOSE_WORDS.get(_singular(given))
    thing = _THINGS.get(_singular(re.sub(r"^(?:\{(.*)\}|\[(drp)\])$", r"\1\2", given)))
    if mass_or_volume is None and thing is None:
        return None
    per = [_singular(re.sub(r"^\{(.*)\}$", r"\1", divisor)) for divisor in divisors]
    per = [divisor for divisor in per if divisor != "dose"]
    per_kg = any(divisor in _PER_BODY_WEIGHT for divisor in per)
    per_day = any(divisor in _PER_DAY for divisor in per)
    if len(per) != per_kg + per_day:
        return None
    return DoseUnit(mass_or_volume or "1", thing or "", per_kg, per_day)


def _singular(word: str) -> str:
    plain = word.lower().rstrip(".")
    return plain[:-1] if len(plain) > 3 and plain.endswith("s") else plain


def convert(quantity: Quantity, to: str, *, molar_mass: Decimal | None = None) -> Decimal | None:
    """The quantity's value in unit ``to`` (canonical UCUM), or ``None`` if it has no such value.

    Mass and substance concentrations convert into each other only when ``molar_mass`` (g/mol) of
    the analyte is given. Milliequivalents count as millimoles only for callers that say so by
    asking for "meq/L": nothing else knows the charge.
    """
    if quantity.unit is None:
        return None
    if quantity.unit == to:
        return quantity.value
    found = _in_unit(quantity.value, quantity.unit, to, molar_mass)
    if found is None and quantity.also is not None:
        return _in_unit(quantity.value, quantity.also, to, molar_mass)
    return found


def _in_unit(value: Decimal, unit: str, to: str, molar_mass: Decimal | None) -> Decimal | None:
    dimension, factor = UNITS[unit]
    wanted, divisor = UNITS[to]
    if dimension == wanted:
        return value * factor / divisor
    if molar_mass is not None:
        # 1 pmol/L of a substance of M g/mol is M pg/L, a thousandth of that in pg/mL
        if dimension == "substance concentration" and wanted == "mass concentration":
            return value * factor * molar_mass / 1000 / divisor
        if dimension == "mass concentration" and wanted == "substance concentration":
            return value * factor * 1000 / molar_mass / divisor
    return None
