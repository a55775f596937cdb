"""From a record to the facts the guideline speaks about; nothing is decided here."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal

from msgspec import Struct, structs

from cds_service.clinical import (
    BESIDE,
    IN_FORCE,
    PROHIBITED,
    Allergy,
    Code,
    Measurement,
    Medication,
    Moment,
    OpenTask,
    Patient,
    Problem,
    Procedure,
    Record,
    TestOrder,
    Unread,
    convert,
)
from cds_service.guidelines import naming
from cds_service.guidelines.b12_under_two.age import (
    Age,
    completed_months,
    fewest_days_since,
    is_ahead,
    read_age,
    recorded,
)
from cds_service.guidelines.b12_under_two.data import Guideline, Product
from cds_service.guidelines.b12_under_two.feeding import Told, Vegan, read_feeding
from cds_service.guidelines.b12_under_two.growth import Fall, fall_of
from cds_service.guidelines.b12_under_two.meanings import (
    Meaning,
    begins_with_denial,
    bleeds,
    diet_is_long_over,
    has_leber_by_code,
    impairs_remethylation,
    is_a_diet,
    is_herself,
    is_of_the_mother,
    is_preterm,
    lebers_of,
    may_be_a_sign,
    meaning_of,
    names_an_anticoagulant,
    names_nitrous_oxide,
)
from cds_service.guidelines.b12_under_two.messages import Texts
from cds_service.guidelines.b12_under_two.products import has_phrase, names_another, names_b12
from cds_service.guidelines.b12_under_two.results import (
    EARLY,
    FINAL,
    LAB_UNITS,
    Infant,
    Lab,
    LabName,
    Level,
    Weight,
    is_no_result,
    newest_first,
    read_lab,
    read_levels,
    read_weight,
    why_unusable,
)
from cds_service.guidelines.b12_under_two.screening import is_called_high, read_screening
from cds_service.guidelines.b12_under_two.tables.result import RemarkFacts
from cds_service.guidelines.b12_under_two.therapy import (
    NOT_AN_ORDER,
    Therapy,
    ended,
    is_trifling,
    lapsed,
    not_continued,
    read_therapy,
    untreated,
)
from cds_service.guidelines.b12_under_two.unread import unread_in
from cds_service.guidelines.codelists import CodeList
from cds_service.guidelines.tables import Reasoning
from cds_service.language import Sent, Words, say


class Finding(Struct, frozen=True, gc=False):
    """A problem, or a drug, that counts. ``possible`` when it is provisional or its status is
    unclear; ``term`` when its name is what a list here calls its code, and not the record's words;
    ``whose`` it is, "mother" or "family", where it is recorded of someone else."""

    name: str
    source: str
    onset: Moment | None
    possible: bool
    severe: bool
    term: bool = False
    whose: str = ""


class Worded(Struct, frozen=True):
    """Problems without a known code by what their words mean. Words hold back, warn and ask for a
    test; they never choose a dose."""

    inborn: tuple[Finding, ...] = ()
    neurological: tuple[Finding, ...] = ()
    malabsorption: tuple[Finding, ...] = ()
    suggestive: tuple[Finding, ...] = ()
    weak: tuple[Finding, ...] = ()
    screening: tuple[Finding, ...] = ()
    mother: tuple[Finding, ...] = ()
    bleeding: tuple[Finding, ...] = ()
    vegan: tuple[Finding, ...] = ()
    vegetarian: tuple[Finding, ...] = ()
    leber: tuple[Finding, ...] = ()


class Facts(Struct, frozen=True):
    """Everything the decision tables look at, for one patient on one date.

    ``early`` are the newest preliminary values that no final one has answered.
    ``neurological_other`` are diseases of the nervous system by a code that is not a sign of a
    deficiency here, and ``unjudged`` the names of problems by codes that are on no list and may be
    of any kind: next to one of them no neurological sign is called absent. ``not_understood`` are
    those, and problems in words, that may call for an injection as far as their names tell.
    ``terms`` are names that are what a list here calls the code, and not the record's words.
    ``suggestive`` and ``weak_signs`` are signs that suggest a deficiency, ``feeding_trouble`` one
    next to another sign only; ``screening`` names what of the newborn screening was high.
    ``preservative_reactions`` are to benzyl alcohol; ``preservative_in_words``: by name alone.
    ``remethylation`` is a deficiency of methylenetetrahydrofolate reductase, by code or in words.
    ``raised_elsewhere`` is methylmalonic acid or homocysteine that the laboratory calls high in
    urine, or under a code that only its name explains.
    ``growth_fall`` is failure to thrive that only the weights show, as calculated.
    ``unread`` is the account of what was sent and not used; ``newer_unread`` says that one of it is
    a B12 result that may be newer than every valid level.
    ``maternal`` is what is recorded of the mother that may leave her without vitamin B12,
    ``vegetarian`` what of it is only her diet or a medicine; ``tasks`` are open;
    ``diet_in_words`` is a plant-based diet of the child that only words tell;
    ``leber_in_words`` says that only words tell of Leber's disease; ``nitrous_oxide`` is where it
    is planned, ``nitrous_oxide_given`` where it was given in the last month.
    """

    on: date
    patient: Patient
    age: Age
    weight: Weight
    levels: tuple[Level, ...]
    preliminary: Level | None
    unusable: tuple[Words, ...]
    not_b12: tuple[str, ...]
    labs: dict[LabName, tuple[Lab, ...]]
    early: dict[LabName, Lab]
    gestation_weeks: Decimal | None
    neurological: tuple[Finding, ...]
    neurological_other: tuple[Finding, ...]
    unjudged: tuple[str, ...]
    terms: frozenset[str]
    not_understood: tuple[str, ...]
    paradoxical: tuple[Finding, ...]
    failure_to_thrive: tuple[Finding, ...]
    anemia: tuple[Finding, ...]
    megaloblastic: tuple[Finding, ...]
    pancytopenia: tuple[Finding, ...]
    malabsorption: tuple[Finding, ...]
    malabsorption_permanent: tuple[Finding, ...]
    malabsorption_possible: tuple[Finding, ...]
    enterocolitis: bool
    inborn: tuple[Finding, ...]
    remethylation: tuple[Finding, ...]
    methylmalonic: tuple[Finding, ...]
    dietary: tuple[Finding, ...]
    deficiency: tuple[Finding, ...]
    deficiency_nonspecific: tuple[Finding, ...]
    deficiency_ever: tuple[Finding, ...]
    bleeding: tuple[Finding, ...]
    thrombocytopenia: tuple[Finding, ...]
    leber: tuple[Finding, ...]
    leber_in_words: bool
    renal: tuple[Finding, ...]
    preterm: tuple[Finding, ...]
    reactions: tuple[str, ...]
    possible_reactions: tuple[str, ...]
    preservative_reactions: tuple[str, ...]
    preservative_in_words: bool
    ahead: tuple[Words, ...]
    breast_fed: bool | None
    maternal_diet: str
    child_diet: str
    therapy: Therapy
    orders: tuple[TestOrder, ...]
    missing: frozenset[str]
    incomplete: frozenset[str]
    unread: tuple[Unread, ...]
    newer_unread: bool
    before_birth: tuple[str, ...]
    suggestive: tuple[Finding, ...]
    weak_signs: tuple[Finding, ...]
    feeding_trouble: tuple[Finding, ...]
    screening: tuple[str, ...]
    worded: Worded
    b12_deficiency_anemia: tuple[Finding, ...]
    formula_fed: bool
    maternal: tuple[Words, ...]
    vegetarian: frozenset[Words]
    diet_in_words: str
    tasks: tuple[OpenTask, ...]
    vegan: Vegan
    nitrous_oxide: tuple[Words, ...]
    nitrous_oxide_given: tuple[Words, ...]
    growth_fall: Fall | None
    raised_elsewhere: tuple[Words, ...]

    @property
    def perhaps_neurological(self) -> tuple[Finding, ...]:
        """What may be a neurological sign of the deficiency: by words alone, or a disease of the
        nervous system. It holds treatment by mouth back and chooses no dose."""
        return (*self.worded.neurological, *self.neurological_other)

    def not_all_read(self, *needs: str) -> bool:
        """Whether something was sent for one of ``needs`` and not used: then nothing of its kind
        may be called absent."""
        return any(one.need in needs and one.reason not in BESIDE for one in self.unread)

    def may_be_unread(self, name: LabName) -> bool:
        """The same for one laboratory value: that one, or one that may be any, was not used."""
        left = [one for one in self.unread if one.need == "labs" and one.reason not in BESIDE]
        return any(one.kind in ("", name) for one in left)


# --- problems ---------------------------------------------------------------------------------

_CURRENT = frozenset({"", "active", "recurrence", "relapse"})


def counts(problem: Problem, on: date, *, lasting: bool, in_remission: bool) -> bool:
    """Whether a problem of the record is one now.

    Resolved problems count only for causes that last for life; inflammatory bowel and coeliac
    disease also in remission. A status no one can read is not an absence.
    """
    if problem.certainty in ("entered-in-error", "refuted"):
        return False
    if problem.onset is not None and problem.onset.first > on:
        return False
    over = problem.abated and (problem.abatement is None or problem.abatement.first <= on)
    current = (problem.clinical_status in _CURRENT or problem.uncertain_status) and not over
    return current or lasting or (in_remission and problem.clinical_status == "remission")


def _is_term(name: str, listed: str) -> bool:
    """Whether a name is what a list calls the code, or begins with it and is English so."""
    said, term = name.casefold(), listed.casefold()
    if not term or not said.startswith(term):
        return False
    rest = said[len(term) :]
    return not rest or rest.startswith((" (", ",")) or (" " in term and rest[0] == " ")


def _finding(problem: Problem, code: Code, g: Guideline, listed: str = "") -> Finding:
    """A problem by its own words, else as its list calls the code."""
    name = problem.text or code.display or listed or code.code
    possible = problem.uncertain_status or problem.certainty in (
        "provisional",
        "differential",
        "unconfirmed",
    )
    return Finding(
        name,
        problem.source,
        problem.onset or problem.recorded,
        possible,
        g.codes.severity_severe.any_of(problem.severity) is not None,
        _is_term(name, listed),
    )


def _first(codes: Sequence[Code]) -> Code:
    return next(iter(codes), Code("", ""))


class _Problems:
    """The problems and procedures of a record, by the list of the guideline they belong to."""

    def __init__(self, record: Record, on: date, g: Guideline) -> None:
        self._on, self._g, self._born = on, g, record.patient.birth
        self._problems: dict[str, list[tuple[Problem, Code]]] = {}
        self._procedures: dict[str, list[tuple[Procedure, Code]]] = {}
        self.unverified: list[Problem] = []
        self._worded: dict[Meaning, list[Finding]] = {}
        self._bleeding: list[Finding] = []
        self._remethylation: list[Finding] = []
        self._preterm: list[Finding] = []
        self._unknown = {one.source for one in record.unread if one.need == "conditions"}
        self.unjudged: list[str] = []
        self.not_understood: list[str] = []
        for problem in record.problems:
            self._sort_in(problem)
        for procedure in record.procedures:
            if not _done(procedure, on):
                continue
            self._sort_procedure_in(procedure)
        #: What only words tell, of all that was sorted in.
        self.worded = self._meant()

    def _sort_procedure_in(self, procedure: Procedure) -> None:
        listed = [
            (name, code)
            for code in procedure.codes
            for name in self._g.lists_of(code.system, code.code).decided
        ]
        for name, code in listed:
            self._procedures.setdefault(name, []).append((procedure, code))
        names = (procedure.text, *(code.display for code in procedure.codes))
        if not listed and meaning_of(names, self._g) == "malabsorption":
            called = next(filter(None, names))
            found = Finding(called, procedure.source, procedure.performed, False, False)
            self._worded.setdefault("malabsorption", []).append(found)

    def _sort_in(self, problem: Problem) -> None:
        lists: dict[str, Code] = {}
        mentioned = False
        for code in problem.codes:
            named = self._g.lists_of(code.system, code.code)
            mentioned = mentioned or named.mentioned
            for name in named.decided:
                lists.setdefault(name, code)
        for name, code in lists.items():
            self._problems.setdefault(name, []).append((problem, code))
        if not lists and counts(problem, self._on, lasting=False, in_remission=False):
            self._sort_in_by_words(problem, mentioned)
        elif not lists and counts(problem, self._on, lasting=True, in_remission=False):
            self._sort_in_what_ended(problem)

    def _sort_in_what_ended(self, problem: Problem) -> None:
        """A diet of the mother that is over counts unless it was for long at the birth."""
        names = (problem.text, *(code.display for code in problem.codes))
        if meaning_of(names, self._g) != "mother" or not any(
            is_a_diet(it, self._g) for it in names
        ):
            return
        if not diet_is_long_over(problem.abatement, self._born, self._g):
            self._add_words(names, _finding(problem, _first(problem.codes), self._g))

    def _sort_in_by_words(self, problem: Problem, mentioned: bool) -> None:
        """A problem that no list has: what its words mean, and what may have to be named."""
        names = (problem.text, *(code.display for code in problem.codes))
        found = _finding(problem, _first(problem.codes), self._g)
        understood = self._add_words(names, found)
        if not (understood or mentioned) and _is_of_any_kind(problem):
            self.unjudged.append(found.name)
        if not (understood or mentioned):
            self._leave_open(problem, names, found)
        if bleeds(names, self._g):
            self._bleeding.append(found)
        if impairs_remethylation(names, self._g):
            self._remethylation.append(found)
        if is_preterm(names, self._g):
            self._preterm.append(found)
        if problem.source in self._unknown:  # its notes may say what its code does not
            for line in problem.notes.splitlines():
                noted = structs.replace(problem, text=line)
                self._add_words((line,), _finding(noted, _first(()), self._g))
        if mentioned:
            self.unverified.append(problem)

    def _leave_open(self, problem: Problem, names: Sequence[str], found: Finding) -> None:
        """A problem that may be a sign, as far as its codes and names tell."""
        elsewhere = problem.codes and not _is_of_any_kind(problem)
        if not elsewhere and may_be_a_sign(names, self._g):
            self.not_understood.append(found.name)

    def _add_words(self, names: Sequence[str], found: Finding) -> bool:
        """Whether the words mean anything, by which it is kept."""
        meaning = meaning_of(names, self._g)
        if meaning is not None:
            self._worded.setdefault(meaning, []).append(found)
        return meaning is not None

    def of(
        self, name: str, *, lasting: bool = False, in_remission: bool = False
    ) -> tuple[Finding, ...]:
        found = self._problems.get(name)
        if found is None:
            return ()
        return tuple(
            [
                _finding(problem, code, self._g, self._called(name, code))
                for problem, code in found
                if counts(problem, self._on, lasting=lasting, in_remission=in_remission)
            ]
        )

    @property
    def terms(self) -> frozenset[str]:
        """The names of problems that are what a list here calls their codes."""
        named = (
            _finding(problem, code, self._g, self._called(name, code))
            for name, found in self._problems.items()
            for problem, code in found
        )
        return frozenset([one.name for one in named if one.term])

    def called(self, name: str) -> Iterator[str]:
        """What the list itself calls the codes on it, over or not."""
        listed: CodeList = getattr(self._g.codes, name)
        for problem, code in self._problems.get(name, ()):
            if counts(problem, self._on, lasting=True, in_remission=False):
                yield listed.called(code)

    def _called(self, name: str, code: Code) -> str:
        listed: CodeList = getattr(self._g.codes, name)
        return listed.called(code)

    def apnoea(self, birth: Moment | None, age: Age) -> tuple[Finding, ...]:
        """Apnoea and brief resolved events from one month of age. What is coded as apnoea of the
        newborn or of sleep as well, or began before, is not a sign."""
        if age.under_one_month or birth is None:
            return ()
        otherwise = {one.source for one in self.of("apnoea_otherwise", lasting=True)}
        return tuple(
            [
                one
                for one in self.of("apnoea")
                if one.source not in otherwise
                and (one.onset is None or completed_months(birth.first, one.onset.last) >= 1)
            ]
        )

    def _meant(self) -> Worded:
        meant = {meaning: tuple(found) for meaning, found in self._worded.items()}
        return Worded(**meant, bleeding=tuple(self._bleeding))

    @property
    def remethylation(self) -> tuple[Finding, ...]:
        """By code, or by words."""
        return (*self.of("remethylation", lasting=True), *self._remethylation)

    @property
    def preterm(self) -> tuple[Finding, ...]:
        """By code, or by words, which only hold a preservative back."""
        return (*self.of("preterm", lasting=True), *self._preterm)

    @property
    def told(self) -> Told:
        """What the problem list says of feeding, of diet and of the mother."""

        def named(meaning: Meaning) -> tuple[str, ...]:
            return tuple([one.name for one in self._worded.get(meaning, ())])

        return Told(
            bool(self.of("breast_fed")), named("mother"), named("vegan"), named("vegetarian")
        )

    def procedures(self, name: str) -> tuple[Finding, ...]:
        if name not in self._procedures:
            return ()
        return tuple(self._done(name, *one) for one in self._procedures.get(name, ()))

    def _done(self, name: str, procedure: Procedure, code: Code) -> Finding:
        listed = self._called(name, code)
        called = procedure.text or code.display or listed or code.code
        term = _is_term(called, listed)
        return Finding(called, procedure.source, procedure.performed, False, False, term)


#: Chapters of ICD-10, by their letters, whose diseases are of no organ that is asked about.
_ELSEWHERE = frozenset("BIJKLNOSTUVWXYZ")


def _is_of_any_kind(problem: Problem) -> bool:
    """Whether its codes leave open that it is a sign of the nervous system."""
    return bool(problem.codes) and not all(map(_is_elsewhere, problem.codes))


def _is_elsewhere(code: Code) -> bool:
    """Whether a code by its chapter says what is surely no sign of the nervous system."""
    return "icd-10" in code.system and code.code[:1] in _ELSEWHERE


def _done(procedure: Procedure, on: date) -> bool:
    ahead = procedure.performed is not None and procedure.performed.first > on
    return procedure.status in ("completed", "in-progress", "stopped", "") and not ahead


# --- all of it ----------------------------------------------------------------------------------


class _Measured(Struct, frozen=True):
    """The measurements of a record by their list; those of ``before_birth`` with their lists."""

    of: dict[str, list[Measurement]]
    before_birth: list[tuple[str, Measurement]]


#: What counts of the mother, whenever it was.
_HERS = frozenset({"diet", "breastfeeding_status", "b12_level"})


def _sort_measurements(record: Record, g: Guideline) -> _Measured:
    """By the first code that is on a list. What is dated before the birth is of the pregnancy,
    perhaps the mother's, and only counted, unless it is stated to be hers."""
    by_kind: dict[str, list[Measurement]] = {}
    birth = record.patient.birth
    before_birth: list[tuple[str, Measurement]] = []
    for measured in record.measurements:
        kind = None
        for code in measured.codes:
            kind = kind or g.kinds.get((code.system, code.code))
        if kind is None:
            continue
        when = measured.when
        early = when is not None and birth is not None and when.last < birth.first
        early = early and not (kind in _HERS and is_of_the_mother(measured.about, g))
        if early and kind not in ("gestational_age", "birth_weight"):
            before_birth.append((kind, measured))
        else:
            by_kind.setdefault(kind, []).append(measured)
    return _Measured(by_kind, before_birth)


def _by_name_alone(one: Measurement) -> Words:
    """A result that only a name says to be of vitamin B12: said, never used."""
    written = one.value.written if one.value is not None else one.text
    value = written or say(Texts.no_value)
    return say(Texts.value_of_unknown_code, value=value, name=one.name)


def _named_b12(record: Record, g: Guideline) -> list[Measurement]:
    """Results under a code that no one knows, of vitamin B12 by their name; or sent where such a
    level was asked for, with a name that says nothing or is in a script not read here."""
    asked = {one.source for one in record.unread if one.need == "b12"}
    return [
        one
        for one in record.measurements
        if one.name
        and not one.about
        and not is_no_result(one)
        and (names_b12([one.name], g) or (one.source in asked and not names_another(one.name, g)))
    ]


def _of_other_specimens(found: Iterable[Measurement], g: Guideline) -> list[Measurement]:
    """Levels of vitamin B12 under the code of another specimen: they cannot be compared with the
    limits, but a low one may well be a serum level under a wrong code."""
    return [
        one
        for one in found
        if (one.value is not None or one.text)
        and not one.about
        and not is_no_result(one)
        and g.codes.b12_other_specimen.any_of(one.codes) is not None
    ]


def _metabolites_elsewhere(
    record: Record, measured: Mapping[str, list[Measurement]], g: Guideline
) -> list[Measurement]:
    """Methylmalonic acid in urine, and a metabolite under a code that only its name explains: their
    numbers are compared with nothing."""
    named = [
        one
        for one in record.measurements
        if one.name and has_phrase(one.name, g.file.names.metabolites)
    ]
    found = (*measured.get("methylmalonate_urine", ()), *named)
    return [one for one in found if not one.about and not is_no_result(one)]


def _raised_elsewhere(
    found: Iterable[Measurement],
    labs: Mapping[LabName, tuple[Lab, ...]],
    therapy: Therapy,
    on: date,
    g: Guideline,
) -> tuple[Words, ...]:
    """Those that the laboratory calls high, for as long as a level counts, while methylmalonate in
    blood has not answered them and nothing was given since."""
    answered = [one.when for one in labs.get("methylmalonate", ())]

    def stands(one: Measurement) -> bool:
        when = one.when
        if when is None or one.status not in FINAL or is_ahead(when, on, g.limits):
            return False
        if not g.limits.result_current.holds(fewest_days_since(when, on)):
            return False
        later = [*(it.first for it in answered), *therapy.dates]
        return all(day < when.first for day in later)

    return tuple(
        say(Texts.raised_elsewhere, name=one.name or naming.lab("methylmalonate_urine"),
            value=Sent(one.value.written) if one.value is not None else say(Texts.no_value))
        for one in found
        if stands(one) and is_called_high(one, g)
    )  # fmt: skip


def _by_other_specimen(one: Measurement) -> Words:
    """Such a level as it was sent."""
    value = one.value.written if one.value is not None else one.text
    return say(Texts.value_of_other_specimen, value=value, code=one.codes[0].code)


def _read_labs(
    measured: Mapping[str, list[Measurement]], on: date, g: Guideline
) -> dict[LabName, tuple[Lab, ...]]:
    """Every laboratory value that can be used, newest first."""
    labs: dict[LabName, tuple[Lab, ...]] = {}
    for name in LAB_UNITS:
        if name in measured:
            read = [read_lab(name, one, on, g) for one in measured[name]]
            usable = [one for one in read if one is not None]
            labs[name] = tuple(newest_first(usable))
    return labs


def _read_early(
    measured: Mapping[str, list[Measurement]],
    labs: Mapping[LabName, tuple[Lab, ...]],
    on: date,
    g: Guideline,
) -> dict[LabName, Lab]:
    """The newest preliminary value of each kind, where no final one is newer."""
    early: dict[LabName, Lab] = {}
    for name, final in labs.items():
        read = [read_lab(name, one, on, g, EARLY) for one in measured[name]]
        newest = next(iter(newest_first([one for one in read if one is not None])), None)
        if newest is not None and all(_may_be_later(newest, one) for one in final):
            early[name] = newest
    return early


def _may_be_later(early: Lab, final: Lab) -> bool:
    return early.when.may_be_as_late_as(final.when) and early.when != final.when


def _nitrous_oxide(record: Record, g: Guideline) -> tuple[Words, ...]:
    """Where nitrous oxide is ordered, planned or being given."""
    found: list[Words] = [
        _called_gas(codes, text)
        for codes, text in _planned(record)
        if names_nitrous_oxide(codes, text, g)
    ]
    return tuple(dict.fromkeys(found))


def _nitrous_oxide_given(record: Record, on: date, g: Guideline) -> tuple[Words, ...]:
    """Where it was given within the last month, each with its day if that is known."""
    found: list[Words] = []
    for codes, text, when in _done_lately(record, on, g):
        if names_nitrous_oxide(codes, text, g):
            name = _called_gas(codes, text)
            if when is not None:
                name = say(Texts.given_on, name=name, date=recorded(when))
            found.append(name)
    return tuple(dict.fromkeys(found))


def _called_gas(codes: Iterable[Code], text: str) -> Words:
    return text or next((code.display for code in codes), "") or say(Texts.nitrous_oxide_gas)


class _Clotting(Struct, frozen=True):
    """Drugs against clotting that act now, by code, and those that only a name shows."""

    coded: tuple[Finding, ...]
    named: tuple[Finding, ...]


def _against_clotting(record: Record, on: date, g: Guideline) -> _Clotting:
    """They speak against an injection into the muscle like a disorder of clotting."""
    coded: list[Finding] = []
    named: list[Finding] = []
    for drug in record.medications:
        if not _acts(drug, on, g):
            continue
        code = g.codes.anticoagulant.any_of(drug.codes)
        names = [one for one in (drug.text, *(it.display for it in drug.codes)) if one]
        called = next(iter(names), code.display if code is not None else "")
        found = Finding(called, drug.source, drug.authored, False, False, term=not names)
        if code is not None:
            coded.append(found)
        elif any(names_an_anticoagulant(one, g) for one in names):
            named.append(found)
    return _Clotting(tuple(coded), tuple(named))


def _acts(drug: Medication, on: date, g: Guideline) -> bool:
    """Whether a drug is, or may be, ordered or taken now, or was given lately."""
    if drug.intent in NOT_AN_ORDER or drug.status in _NEVER:
        return False
    recent = g.limits.anticoagulant_recent
    if drug.kind != "administration" and drug.status in _IN_USE:
        return drug.ended is None or recent.holds((on - drug.ended.last).days)
    last = drug.ended or drug.authored
    return last is not None and last.first <= on and recent.holds((on - last.last).days)


#: Not given, ordered not to be, or a record of nothing.
_NEVER = frozenset(
    {PROHIBITED, "not-done", "not-given", "not-taken", "entered-in-error", "cancelled", "intended"}
)
_IN_USE = IN_FORCE | {"", "draft", "unknown"}


def _planned(record: Record) -> Iterator[tuple[tuple[Code, ...], str]]:
    """Codes and name of what is ordered, planned or being done."""
    for order in record.test_orders:
        if order.status in _PLANNED:
            yield order.codes, order.text
    for procedure in record.procedures:
        if procedure.status in _PLANNED:
            yield procedure.codes, procedure.text
    for drug in record.medications:
        if drug.kind == "order" and drug.status in _PLANNED:
            yield drug.codes, drug.text


def _done_lately(
    record: Record, on: date, g: Guideline
) -> Iterator[tuple[tuple[Code, ...], str, Moment | None]]:
    """Codes, name and time of what was done or given within the last month."""
    for procedure in record.procedures:
        done = procedure.status in ("completed", "stopped", "")
        if done and _lately(procedure.performed, on, g):
            yield procedure.codes, procedure.text, procedure.performed
    for drug in record.medications:
        given = drug.status in ("completed", "in-progress")
        planned = drug.kind == "order" and drug.status in _PLANNED
        if given and not planned and _lately(drug.authored, on, g):
            yield drug.codes, drug.text, drug.authored


_PLANNED = frozenset({"active", "draft", "on-hold", "preparation", "in-progress"})


def _infant(
    patient: Patient, problems: _Problems, measured: Mapping[str, list[Measurement]], g: Guideline
) -> Infant:
    """Whose weight it is; preterm by a problem or by the weeks of gestation."""
    weeks = _gestation(measured.get("gestational_age", ()))
    early = weeks is not None and g.limits.preterm_birth.holds(weeks)
    preterm = early or bool(problems.preterm)
    return Infant(patient.birth, patient.sex, preterm)


def _growth_fall(child: Infant, weight: Weight, on: date, g: Guideline) -> Fall | None:
    """Failure to thrive that only the weights show; not of a preterm child, whose curve is another,
    nor without an exact date of birth."""
    birth = child.birth
    if birth is None or birth.first != birth.last or child.preterm:
        return None
    return fall_of(weight.weighed, birth.first, child.sex, on, g.limits)


def _lately(when: Moment | None, on: date, g: Guideline) -> bool:
    """Within the last month, or on a day no one wrote down."""
    return when is None or g.limits.nitrous_oxide_recent.holds((on - when.last).days)


def _gestation(found: Iterable[Measurement]) -> Decimal | None:
    weeks = None
    for measured in found:
        if measured.status in FINAL and measured.value is not None and not measured.about:
            weeks = convert(measured.value, "wk")
    return weeks


#: As the names of codes write them; "less than" leaves the number open.
_COMPLETED_WEEKS = re.compile(r"(?<!less than )(?<![0-9])([0-9]{2}) completed weeks")


def _weeks_of_gestation(
    measured: Mapping[str, list[Measurement]], problems: _Problems
) -> Decimal | None:
    """As they were observed, else by a code."""
    weeks = _gestation(measured.get("gestational_age", ()))
    return weeks if weeks is not None else _gestation_by_code(problems)


def _gestation_by_code(problems: _Problems) -> Decimal | None:
    """The fewest completed weeks that a code names."""
    named = [_COMPLETED_WEEKS.search(one) for one in problems.called("preterm_of_known_weeks")]
    return min([Decimal(one[1]) for one in named if one is not None], default=None)


class _Leber(Struct, frozen=True):
    """Leber's disease of the child, or possibly, and whether only words tell of it."""

    found: tuple[Finding, ...]
    in_words: bool


def _read_leber(record: Record, problems: _Problems, g: Guideline) -> _Leber:
    """By a code of the child's, or of a relative's: it may then be the child's as well."""
    own = problems.of("leber", lasting=True)
    coded = (*own, *_as_possible(problems.of("leber_possible", lasting=True)))
    by_name = (*_as_possible(problems.worded.leber), *_lebers_in_the_family(record, g))
    in_words = not coded and not any(has_leber_by_code(one, g) for one in record.relatives)
    return _Leber((*coded, *by_name), bool(by_name) and in_words)


def _lebers_in_the_family(record: Record, g: Guideline) -> Iterator[Finding]:
    for one in record.relatives:
        for name in lebers_of(one, g):
            if is_herself(one, g):  # who hands it down to every child
                yield Finding(name, one.source, None, False, False, whose="mother")
            elif one.role:
                yield Finding(f"{name} ({one.role})", one.source, None, True, False)
            else:
                yield Finding(name, one.source, None, True, False, whose="family")


def _as_possible(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple([structs.replace(one, possible=True) for one in findings])


def _resected_enterocolitis(problems: _Problems) -> tuple[Finding, ...]:
    """Necrotising enterocolitis for which a part of the bowel was taken out, over or not."""
    inflamed = problems.of("necrotising_enterocolitis", lasting=True)
    resected = (
        *problems.of("bowel_resection", lasting=True),
        *problems.procedures("bowel_resection"),
    )
    return (*inflamed, *resected) if inflamed and resected else ()


def _possible_malabsorption(
    problems: _Problems, counted: tuple[Finding, ...]
) -> tuple[Finding, ...]:
    """What fits many histories and is not counted as a cause; over or not, it is named."""
    sources = {one.source for one in counted}
    found = (
        *problems.of("malabsorption_possible", lasting=True),
        *problems.procedures("malabsorption_possible"),
    )
    return tuple([one for one in found if one.source not in sources])


def _malabsorption(problems: _Problems, permanent: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Each once; the permanent first, those whose code leaves it open as possible."""
    found = (
        *permanent,
        *problems.of("malabsorption", in_remission=True),
        *problems.procedures("malabsorption"),
        *_as_possible(problems.of("malabsorption_uncertain", in_remission=True)),
    )
    once: dict[str, Finding] = {}
    for one in found:
        once.setdefault(one.source or one.name, one)
    return tuple(once.values())


def _weights(measured: Mapping[str, list[Measurement]]) -> list[tuple[str, Measurement]]:
    return [
        (kind, one)
        for kind in ("weight", "weight_estimated", "birth_weight")
        for one in measured.get(kind, ())
    ]


def read_facts(record: Record, on: date, g: Guideline, why: Reasoning) -> Facts:
    """The facts of ``record`` on the date ``on``; pure, and total over any record."""
    sorted_in = _sort_measurements(record, g)
    measured, before_birth = sorted_in.of, sorted_in.before_birth
    age = read_age(record.patient, on, g, why)
    problems = _Problems(record, on, g)
    child = _infant(record.patient, problems, measured, g)
    weight = read_weight(_weights(measured), child, age, on, g, why)
    read = read_levels(measured.get("b12_level", ()), on, g, why)
    named = _named_b12(record, g)
    not_levels = measured.get("b12_not_usable", ())
    elsewhere = _of_other_specimens(not_levels, g)
    for one in not_levels:
        why.row(g.tables.result_remarks, "B12-05", RemarkFacts(another_test=True), _name(one))
    responses = [one.when.first for one in read.stands if one.verdict == "adequate"]
    low = _last_low(read.stands)
    therapy = read_therapy(record, weight.kg, on, g, low=low, adequate=responses)
    levels, preliminary, after = _without_antidote(read.stands, read.preliminary, therapy, g)
    early = [one for kind, one in before_birth if kind == "b12_level"]
    doubtful = [*read.unusable, *read.ahead, *named, *elsewhere, *early]
    overtaken = _is_newer_unread(doubtful, levels)
    if overtaken and levels and levels[0].verdict == "adequate":
        newest = structs.replace(levels[0], verdict="indeterminate", overtaken=True)
        levels = (newest, *levels[1:])
    neurological, paradoxical = _neurological(problems, therapy, g)
    neurological += problems.apnoea(record.patient.birth, age)
    deficiency = problems.of("b12_deficiency")
    therapy = _still_acting(therapy, problems, neurological, age, record, weight.kg, on, g)
    therapy = _as_it_goes_on(
        therapy, age, weight.kg, on, g, why,
        low=_is_low_still(levels, deficiency), signs=bool(neurological),
    )  # fmt: skip
    permanent = (
        *problems.of("malabsorption_permanent", lasting=True),
        *problems.procedures("malabsorption_permanent"),
        *_resected_enterocolitis(problems),
    )
    reactions = _reactions(record, problems, g)
    preservative = _preservative_reactions(record, g)
    labs = _read_labs(measured, on, g)
    leber = _read_leber(record, problems, g)
    fed = read_feeding(record, measured, problems.told, on, g)
    clotting = _against_clotting(record, on, g)
    metabolites = _metabolites_elsewhere(record, measured, g)
    told = (*problems.of("screening_positive"), *problems.worded.screening)
    screened = read_screening(record, [one.name for one in told], on, g)
    return Facts(
        on=on,
        patient=record.patient,
        age=age,
        weight=weight,
        levels=levels,
        preliminary=preliminary,
        unusable=(
            *(why_unusable(one, g, later=False) for one in read.unusable),
            *after,
            *map(_by_name_alone, named),
            *map(_by_other_specimen, elsewhere),
        ),
        not_b12=tuple([_name(one) for one in not_levels if one not in elsewhere]),
        labs=labs,
        early=_read_early(measured, labs, on, g),
        gestation_weeks=_weeks_of_gestation(measured, problems),
        neurological=neurological,
        neurological_other=_other_neurological(problems, (*neurological, *paradoxical)),
        unjudged=tuple(dict.fromkeys(problems.unjudged)),
        terms=problems.terms,
        not_understood=tuple(dict.fromkeys(problems.not_understood)),
        paradoxical=paradoxical,
        failure_to_thrive=problems.of("failure_to_thrive"),
        anemia=problems.of("anemia"),
        megaloblastic=problems.of("megaloblastic_anemia"),
        pancytopenia=problems.of("pancytopenia"),
        malabsorption=_malabsorption(problems, permanent),
        malabsorption_permanent=permanent,
        malabsorption_possible=_possible_malabsorption(problems, permanent),
        enterocolitis=bool(problems.of("necrotising_enterocolitis", lasting=True)),
        inborn=problems.of("inborn", lasting=True),
        remethylation=problems.remethylation,
        methylmalonic=problems.of("methylmalonic", lasting=True),
        dietary=problems.of("dietary_deficiency"),
        deficiency=deficiency,
        deficiency_nonspecific=problems.of("b12_deficiency_nonspecific"),
        deficiency_ever=(
            *problems.of("b12_deficiency", lasting=True),
            *problems.of("dietary_deficiency", lasting=True),
        ),
        bleeding=(*problems.of("bleeding", lasting=True), *clotting.coded),
        thrombocytopenia=problems.of("thrombocytopenia"),
        leber=leber.found,
        leber_in_words=leber.in_words,
        renal=problems.of("renal_impairment"),
        preterm=problems.preterm,
        reactions=reactions.coded,
        possible_reactions=(*reactions.named, *_reacted(therapy, g)),
        preservative_reactions=(*preservative.coded, *preservative.named),
        preservative_in_words=not preservative.coded,
        ahead=tuple([why_unusable(one, g, later=True) for one in read.ahead]),
        breast_fed=fed.breast_fed,
        maternal_diet=fed.mother,
        child_diet=fed.child,
        therapy=therapy,
        orders=_wanted_tests(record),
        missing=frozenset(record.missing),
        incomplete=record.incomplete,
        unread=unread_in(
            record,
            measured,
            (*read.unusable, *read.ahead),
            elsewhere,
            named,
            metabolites,
            before_birth,
            fed,
            screened,
            problems.unverified,
            on,
            g,
        ),
        newer_unread=_is_newer_unread([*doubtful, *read.withheld], levels),
        before_birth=tuple([one.source for _, one in before_birth]),
        suggestive=problems.of("suggestive_sign"),
        weak_signs=problems.of("weak_sign"),
        feeding_trouble=problems.of("feeding_trouble"),
        screening=screened.positive,
        worded=structs.replace(
            problems.worded, bleeding=(*problems.worded.bleeding, *clotting.named)
        ),
        b12_deficiency_anemia=problems.of("b12_deficiency_anemia"),
        formula_fed=fed.formula,
        maternal=fed.maternal,
        vegetarian=fed.vegetarian,
        diet_in_words=fed.in_words,
        vegan=fed.vegan,
        tasks=record.tasks,
        nitrous_oxide=_nitrous_oxide(record, g),
        nitrous_oxide_given=_nitrous_oxide_given(record, on, g),
        growth_fall=_growth_fall(child, weight, on, g),
        raised_elsewhere=_raised_elsewhere(metabolites, labs, therapy, on, g),
    )


def with_tests(facts: Facts, record: Record, ordered: tuple[TestOrder, ...], g: Guideline) -> Facts:
    """The facts of ``record``, had these tests been ordered too: they count as its own do."""
    more = structs.replace(record, test_orders=(*record.test_orders, *ordered))
    return structs.replace(facts, orders=_wanted_tests(more), nitrous_oxide=_nitrous_oxide(more, g))


def _wanted_tests(record: Record) -> tuple[TestOrder, ...]:
    """The tests that are ordered or planned."""
    return tuple([one for one in record.test_orders if one.status in _WANTED])


_WANTED = frozenset({"active", "draft", "on-hold"})


def _is_low_still(levels: Sequence[Level], deficiency: tuple[Finding, ...]) -> bool:
    """The newest level, or without one the problem list, says deficient or borderline."""
    if not levels:
        return bool(deficiency)
    return levels[0].verdict in ("deficient", "low", "borderline")


def _other_neurological(problems: _Problems, counted: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Diseases of the nervous system that are not among the signs."""
    sources = {one.source for one in counted}
    found = problems.of("neurological_other")
    return tuple([one for one in found if one.source not in sources])


def _is_newer_unread(unread: Sequence[Measurement], levels: Sequence[Level]) -> bool:
    """Whether a B12 result that cannot be read, or that only its name shows to be one, may be newer
    than the newest valid level; one without a date may be."""
    if not levels:
        return bool(unread)
    newest = levels[0].when
    return any(one.when is None or one.when.last >= newest.first for one in unread)


def _still_acting(
    therapy: Therapy,
    problems: _Problems,
    signs: Collection[Finding],
    age: Age,
    record: Record,
    weight_kg: Decimal | None,
    on: date,
    g: Guideline,
) -> Therapy:
    """The same, without a course that has ended and does not do: one that was swallowed where there
    are ``signs``, by codes or in words, which need injections; one that gave next to nothing; and
    any in a newborn, whose treatment is a specialist's."""
    if not therapy.finished:
        return therapy
    pressing = signs or problems.worded.neurological or problems.worded.malabsorption
    swallowed = bool(pressing) and therapy.route != "parenteral"
    trifling = is_trifling(therapy, weight_kg, g, signs=bool(signs))
    if not (swallowed or trifling or age.under_one_month):
        return therapy
    return read_therapy(record, weight_kg, on, g, low=date.max)


def _as_it_goes_on(
    therapy: Therapy,
    age: Age,
    weight_kg: Decimal | None,
    on: date,
    g: Guideline,
    why: Reasoning,
    *,
    low: bool,
    signs: bool,
) -> Therapy:
    """The same, with what is known of its end; none where it was not continued, nor in a newborn
    with nothing ordered, for what comes next is a specialist's."""
    therapy = not_continued(therapy, on, g, why, low=low, signs=signs)
    therapy = ended(therapy, weight_kg, on, g, signs=signs)
    therapy = lapsed(therapy, weight_kg, on, g, why)
    return untreated(therapy) if therapy.over and age.under_one_month else therapy


def _last_low(levels: Sequence[Level]) -> date | None:
    """The day of the newest level, where it is known not to be adequate."""
    newest = next((one for one in levels if one.verdict != "indeterminate"), None)
    return newest.when.first if newest is not None and newest.verdict != "adequate" else None


def _without_antidote(
    levels: tuple[Level, ...], preliminary: Level | None, therapy: Therapy, g: Guideline
) -> tuple[tuple[Level, ...], Level | None, tuple[Words, ...]]:
    """The levels that an antidote of cyanide cannot have raised, a preliminary one among them,
    and the others by name."""
    given = [one.authored for one in therapy.antidotes if one.authored is not None]
    if not given:
        return levels, preliminary, ()

    def raised(level: Level) -> bool:
        return any(
            level.when.last >= one.first
            and g.limits.antidote_effect.holds((level.when.first - one.last).days)
            for one in given
        )

    every = [*levels, *([preliminary] if preliminary else [])]
    told = tuple(
        say(Texts.after_antidote, written=Sent(one.written), date=recorded(one.when))
        for one in every
        if raised(one)
    )
    stands = preliminary if preliminary is not None and not raised(preliminary) else None
    return tuple(one for one in levels if not raised(one)), stands, told


def _neurological(
    problems: _Problems, therapy: Therapy, g: Guideline
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """(neurological signs, movements that began in the first two weeks of treatment).

    The second may be a passing reaction to treatment: they are neither a new sign nor a failure.
    """
    signs: list[Finding] = []
    reactions: list[Finding] = []
    movements = {one.source for one in problems.of("movement_disorder")}
    for finding in problems.of("neurological"):
        reaction = False
        if (
            therapy.start is not None
            and finding.onset is not None
            and (finding.source in movements)
        ):
            first = (finding.onset.first - therapy.start.last).days
            last = (finding.onset.last - therapy.start.first).days
            reaction = g.limits.paradox_from.holds(first) and g.limits.paradox_to.holds(last)
        (reactions if reaction else signs).append(finding)
    return tuple(signs), tuple(reactions)


class _Reactions(Struct, frozen=True):
    """Reactions to a substance by code, and those that only a name shows."""

    coded: tuple[str, ...]
    named: tuple[str, ...]


def _reactions(record: Record, problems: _Problems, g: Guideline) -> _Reactions:
    """Allergies and adverse reactions in force. By a name alone one is only possible: it may be of
    the metal, or of something else in the product."""
    coded = [one.name for one in problems.of("cobalamin_reaction", lasting=True)]
    named: list[str] = []
    for allergy in filter(_allergy_stands, record.allergies):
        code = g.codes.cobalamin_substance.any_of(
            allergy.codes
        ) or g.codes.cobalamin_reaction.any_of(allergy.codes)
        told = (allergy.text, *(it.display for it in allergy.codes), *allergy.also)
        names = [one for one in told if one]
        if code is not None:
            known = next(iter([*names, code.display]), "")
            coded.append(known or g.file.texts.recorded_by_code)
        else:
            named += [one for one in names if _names_cobalamin(one, g)][:1]
    return _Reactions(tuple(coded), tuple(named))


def _reacted(therapy: Therapy, g: Guideline) -> Iterator[str]:
    """Why vitamin B12 was stopped or is on hold, where its words may mean a reaction to it; not
    once it is given again."""
    if therapy.is_treating:
        return
    for reason in dict.fromkeys([*therapy.stopped_for, *therapy.held_for]):
        if has_phrase(reason, g.file.names.reaction) and not begins_with_denial(reason, g):
            yield reason


def _preservative_reactions(record: Record, g: Guideline) -> _Reactions:
    """Those to benzyl alcohol, by code and by name."""
    coded: list[str] = []
    named: list[str] = []
    for allergy in filter(_allergy_stands, record.allergies):
        code = g.codes.benzyl_alcohol.any_of(allergy.codes)
        names = [one for one in (allergy.text, *(it.display for it in allergy.codes)) if one]
        if code is not None:
            coded.append(next(iter([*names, code.display])) or g.codes.benzyl_alcohol.called(code))
        else:
            told = [*names, *allergy.also]
            named += [one for one in told if _names_preservative(one, g)][:1]
    return _Reactions(tuple(coded), tuple(named))


def _names_preservative(name: str, g: Guideline) -> bool:
    return has_phrase(name, g.file.names.benzyl_alcohol) and not begins_with_denial(name, g)


def _names_cobalamin(name: str, g: Guideline) -> bool:
    """Whether a name is of cobalamin or cobalt, and the allergy to it is not denied in it."""
    said = names_b12([name], g) or has_phrase(name, g.file.names.cobalt)
    return said and not begins_with_denial(name, g)


def _allergy_stands(allergy: Allergy) -> bool:
    refuted = allergy.certainty in ("entered-in-error", "refuted")
    return not refuted and allergy.clinical_status not in ("inactive", "resolved")


def _name(measured: Measurement) -> str:
    code = measured.codes[0]
    return f"{code.display or 'result'} ({code.code})"


def injection_product(facts: Facts, g: Guideline, *, suspected: bool = False) -> Product:
    """The site's injectable, but hydroxocobalamin wherever Leber's neuropathy is in question, or
    an inborn error is ``suspected`` or recorded in words."""
    name = g.file.policy.parenteral_product
    if facts.leber or suspected or facts.worded.inborn:
        name = "hydroxocobalamin_injection"
    product: Product = getattr(g.file.products, name)
    return product
