"""From a record to the facts the guideline speaks about; nothing is decided here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct, structs

from cds_service.clinical import (
    Code,
    Measurement,
    Moment,
    Patient,
    Problem,
    Procedure,
    Record,
    TestOrder,
    convert,
)
from cds_service.guidelines.b12_under_two.age import Age, is_ahead, read_age
from cds_service.guidelines.b12_under_two.data import Guideline, Product, Texts
from cds_service.guidelines.b12_under_two.products import names_b12
from cds_service.guidelines.b12_under_two.results import (
    FINAL,
    LAB_UNITS,
    Lab,
    LabName,
    Level,
    Weight,
    read_lab,
    read_levels,
    read_weight,
)
from cds_service.guidelines.b12_under_two.tables.result import NO_RESULT, RemarkFacts
from cds_service.guidelines.b12_under_two.therapy import Therapy, read_therapy
from cds_service.guidelines.tables import Reasoning
from cds_service.language import Words, say


class Finding(Struct, frozen=True):
    """A problem that counts. ``possible`` when it is provisional or its status is unclear."""

    name: str
    source: str
    onset: Moment | None
    possible: bool
    severe: bool


class Facts(Struct, frozen=True):
    """Everything the decision tables look at, for one patient on one date."""

    on: date
    patient: Patient
    age: Age
    weight: Weight
    levels: tuple[Level, ...]
    preliminary: Level | None
    unusable: tuple[Words, ...]
    not_b12: tuple[str, ...]
    labs: dict[LabName, tuple[Lab, ...]]
    gestation_weeks: Decimal | None
    neurological: tuple[Finding, ...]
    paradoxical: tuple[Finding, ...]
    failure_to_thrive: tuple[Finding, ...]
    anemia: tuple[Finding, ...]
    megaloblastic: tuple[Finding, ...]
    pancytopenia: tuple[Finding, ...]
    malabsorption: tuple[Finding, ...]
    malabsorption_permanent: tuple[Finding, ...]
    malabsorption_possible: tuple[Finding, ...]
    inborn: tuple[Finding, ...]
    dietary: tuple[Finding, ...]
    deficiency: tuple[Finding, ...]
    deficiency_nonspecific: tuple[Finding, ...]
    bleeding: tuple[Finding, ...]
    thrombocytopenia: tuple[Finding, ...]
    leber: tuple[Finding, ...]
    renal: tuple[Finding, ...]
    preterm: tuple[Finding, ...]
    reactions: tuple[str, ...]
    breast_fed: bool | None
    maternal_diet: str
    child_diet: str
    therapy: Therapy
    orders: tuple[TestOrder, ...]
    uncoded_problems: int
    unverified: tuple[str, ...]
    missing: frozenset[str]
    incomplete: frozenset[str]
    unreadable: int
    foreign: int
    before_birth: int


# --- problems ---------------------------------------------------------------------------------

_CURRENT = frozenset({"", "active", "recurrence", "relapse"})


def counts(problem: Problem, on: date, *, lasting: bool, in_remission: bool) -> bool:
    """Whether a problem of the record is one now.

    Resolved problems count only for causes that last for life; inflammatory bowel and coeliac
    disease also in remission. A status nobody can read is not an absence.
    """
    if problem.certainty in ("entered-in-error", "refuted"):
        return False
    if problem.onset is not None and problem.onset.first > on:
        return False
    over = problem.abated and (problem.abatement is None or problem.abatement.first <= on)
    current = (problem.clinical_status in _CURRENT or problem.uncertain_status) and not over
    return current or lasting or (in_remission and problem.clinical_status == "remission")


def _finding(problem: Problem, code: Code, g: Guideline) -> Finding:
    possible = problem.uncertain_status or problem.certainty in (
        "provisional",
        "differential",
        "unconfirmed",
    )
    return Finding(
        problem.text or code.display or code.code,
        problem.source,
        problem.onset or problem.recorded,
        possible,
        g.codes.severity_severe.any_of(problem.severity) is not None,
    )


class _Problems:
    """The problems and procedures of a record, by the list of the guideline they belong to."""

    def __init__(self, record: Record, on: date, g: Guideline) -> None:
        self._on, self._g = on, g
        self._problems: dict[str, list[tuple[Problem, Code]]] = {}
        self._procedures: dict[str, list[tuple[Procedure, Code]]] = {}
        self.uncoded = 0
        self.unverified: list[str] = []
        for problem in record.problems:
            self._sort_in(problem)
        for procedure in record.procedures:
            if not _done(procedure, on):
                continue
            for code in procedure.codes:
                for name in g.lists_of(code.system, code.code).decided:
                    self._procedures.setdefault(name, []).append((procedure, code))

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
        undecided = not problem.codes or (mentioned and not lists)
        if not undecided or not counts(problem, self._on, lasting=False, in_remission=False):
            return
        if problem.codes:
            first = problem.codes[0]
            self.unverified.append(problem.text or first.display or first.code)
        else:
            self.uncoded += 1

    def of(
        self, name: str, *, lasting: bool = False, in_remission: bool = False
    ) -> tuple[Finding, ...]:
        found = self._problems.get(name)
        if found is None:
            return ()
        return tuple(
            [
                _finding(problem, code, self._g)
                for problem, code in found
                if counts(problem, self._on, lasting=lasting, in_remission=in_remission)
            ]
        )

    def procedures(self, name: str) -> tuple[Finding, ...]:
        if name not in self._procedures:
            return ()
        return tuple(
            Finding(
                procedure.text or code.display or code.code,
                procedure.source,
                procedure.performed,
                False,
                False,
            )
            for procedure, code in self._procedures.get(name, ())
        )


def _done(procedure: Procedure, on: date) -> bool:
    ahead = procedure.performed is not None and procedure.performed.first > on
    return procedure.status in ("completed", "in-progress", "stopped", "") and not ahead


# --- feeding ------------------------------------------------------------------------------------


def _breast_fed(answers: Iterable[Measurement], problems: _Problems, g: Guideline) -> bool | None:
    """The newest answer that tells; ``None`` when it is not known."""
    breast_fed: bool | None = None
    newest = float("-inf")
    for measured in answers:
        if measured.status not in FINAL or measured.about or measured.when is None:
            continue
        answer = _feeding_answer(measured, g)
        if answer is not None and measured.when.instant >= newest:
            breast_fed, newest = answer, measured.when.instant
    if breast_fed is None and problems.of("breast_fed"):
        return True
    return breast_fed


def _feeding_answer(measured: Measurement, g: Guideline) -> bool | None:
    """By its codes, otherwise by the last of its words that say it."""
    if g.codes.breast_fed.any_of(measured.concepts) is not None:
        return True
    if g.codes.not_breast_fed.any_of(measured.concepts) is not None:
        return False
    answer: bool | None = None
    for text in (measured.text, *(code.display for code in measured.concepts)):
        plain = " ".join(text.lower().split())
        if plain in g.file.feeding.breast_fed:
            answer = True
        elif plain in g.file.feeding.not_breast_fed:
            answer = False
    return answer


class _Diets(NamedTuple):
    """Plant-based diets by name; "" when none is known."""

    mother: str
    child: str


def _read_diets(diets: Iterable[Measurement], on: date, g: Guideline) -> _Diets:
    mother = child = ""
    for measured in diets:
        if measured.status not in FINAL or measured.when is None:
            continue
        code = g.codes.diet_plant_based.any_of(measured.concepts)
        if code is None or is_ahead(measured.when, on, g.limits):
            continue
        name = code.display or code.code
        if not measured.about:
            child = name
        elif not set(g.file.feeding.mother).isdisjoint(measured.about.lower().split()):
            mother = name
    return _Diets(mother, child)


# --- all of it ----------------------------------------------------------------------------------


class _Measured(NamedTuple):
    """The measurements of a record by their list; ``before_birth`` were made before the birth."""

    of: dict[str, list[Measurement]]
    before_birth: int


def _sort_measurements(record: Record, g: Guideline) -> _Measured:
    """By the first code that is on a list. What is dated before the birth is of the pregnancy,
    perhaps the mother's, and only counted."""
    by_kind: dict[str, list[Measurement]] = {}
    birth = record.patient.birth
    before_birth = 0
    for measured in record.measurements:
        kinds = (g.kinds.get((code.system, code.code)) for code in measured.codes)
        kind = next((one for one in kinds if one is not None), None)
        if kind is None:
            continue
        when = measured.when
        early = when is not None and birth is not None and when.last < birth.first
        if early and kind not in ("gestational_age", "birth_weight"):
            before_birth += 1
        else:
            by_kind.setdefault(kind, []).append(measured)
    return _Measured(by_kind, before_birth)


def _by_name_alone(record: Record, g: Guideline) -> Iterator[Words]:
    """Results that only a name says to be of vitamin B12: said, never used."""
    for one in record.measurements:
        if one.name and not one.about and one.status not in NO_RESULT and names_b12([one.name], g):
            written = one.value.written if one.value is not None else one.text
            value = written or say(Texts.no_value)
            yield say(Texts.value_of_unknown_code, value=value, name=one.name)


def _read_labs(
    measured: Mapping[str, list[Measurement]], on: date, g: Guideline
) -> dict[LabName, tuple[Lab, ...]]:
    """Every laboratory value that can be used, newest first."""
    labs: dict[LabName, tuple[Lab, ...]] = {}
    for name in LAB_UNITS:
        if name in measured:
            read = [read_lab(name, one, on, g) for one in measured[name]]
            usable = [one for one in read if one is not None]
            if len(usable) > 1:
                usable.sort(key=lambda one: -one.when.instant)
            labs[name] = tuple(usable)
    return labs


def _gestation(found: Iterable[Measurement]) -> Decimal | None:
    weeks = None
    for measured in found:
        if measured.status in FINAL and measured.value is not None and not measured.about:
            weeks = convert(measured.value, "wk")
    return weeks


def _as_possible(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple([structs.replace(one, possible=True) for one in findings])


def _malabsorption(problems: _Problems, permanent: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Each once; the permanent first, those whose code leaves it open as possible."""
    found = (
        *permanent,
        *problems.of("malabsorption", in_remission=True),
        *problems.procedures("malabsorption"),
        *_as_possible(problems.of("malabsorption_uncertain", in_remission=True)),
    )
    return tuple({one.source or one.name: one for one in found}.values())


def read_facts(record: Record, on: date, g: Guideline, why: Reasoning) -> Facts:
    """The facts of ``record`` on the date ``on``; pure, and total over any record."""
    measured, before_birth = _sort_measurements(record, g)
    age = read_age(record.patient, on, g, why)
    weights = [
        (kind, one)
        for kind in ("weight", "weight_estimated", "birth_weight")
        for one in measured.get(kind, ())
    ]
    weight = read_weight(weights, record.patient.birth, age, on, g, why)
    levels, preliminary, unusable = read_levels(measured.get("b12_level", ()), on, g, why)
    not_b12 = tuple(_name(one) for one in measured.get("b12_not_usable", ()))
    for name in not_b12:
        why.row(g.tables.result_remarks, "B12-05", RemarkFacts(another_test=True), name)
    problems = _Problems(record, on, g)
    therapy = read_therapy(record, on, g)
    neurological, paradoxical = _neurological(problems, therapy, g)
    permanent = (
        *problems.of("malabsorption_permanent", lasting=True),
        *problems.procedures("malabsorption_permanent"),
    )
    diets = _read_diets(measured.get("diet", ()), on, g)
    return Facts(
        on=on,
        patient=record.patient,
        age=age,
        weight=weight,
        levels=levels,
        preliminary=preliminary,
        unusable=(*unusable, *_by_name_alone(record, g)),
        not_b12=not_b12,
        labs=_read_labs(measured, on, g),
        gestation_weeks=_gestation(measured.get("gestational_age", ())),
        neurological=neurological,
        paradoxical=paradoxical,
        failure_to_thrive=problems.of("failure_to_thrive"),
        anemia=problems.of("anemia"),
        megaloblastic=problems.of("megaloblastic_anemia"),
        pancytopenia=problems.of("pancytopenia"),
        malabsorption=_malabsorption(problems, permanent),
        malabsorption_permanent=permanent,
        malabsorption_possible=(
            *problems.of("malabsorption_possible"),
            *problems.procedures("malabsorption_possible"),
        ),
        inborn=problems.of("inborn", lasting=True),
        dietary=problems.of("dietary_deficiency"),
        deficiency=problems.of("b12_deficiency"),
        deficiency_nonspecific=problems.of("b12_deficiency_nonspecific"),
        bleeding=problems.of("bleeding", lasting=True),
        thrombocytopenia=problems.of("thrombocytopenia"),
        leber=(
            *problems.of("leber", lasting=True),
            *_as_possible(problems.of("leber_possible", lasting=True)),
        ),
        renal=problems.of("renal_impairment"),
        preterm=problems.of("preterm", lasting=True),
        reactions=_reactions(record, problems, g),
        breast_fed=_breast_fed(measured.get("breastfeeding_status", ()), problems, g),
        maternal_diet=diets.mother,
        child_diet=diets.child,
        therapy=therapy,
        orders=tuple(
            one for one in record.test_orders if one.status in ("active", "draft", "on-hold")
        ),
        uncoded_problems=problems.uncoded,
        unverified=tuple(problems.unverified),
        missing=frozenset(record.missing),
        incomplete=record.incomplete,
        unreadable=sum(record.unreadable.values()),
        foreign=record.foreign,
        before_birth=before_birth,
    )


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
            first = (finding.onset.first - therapy.start).days
            last = (finding.onset.last - therapy.start).days
            reaction = g.limits.paradox_from.holds(first) and g.limits.paradox_to.holds(last)
        (reactions if reaction else signs).append(finding)
    return tuple(signs), tuple(reactions)


def _reactions(record: Record, problems: _Problems, g: Guideline) -> tuple[str, ...]:
    """Allergies and adverse reactions to cobalamin that stand."""
    found = [one.name for one in problems.of("cobalamin_reaction", lasting=True)]
    for allergy in record.allergies:
        if allergy.certainty in ("entered-in-error", "refuted"):
            continue
        if allergy.clinical_status in ("inactive", "resolved"):
            continue
        code = g.codes.cobalamin_substance.any_of(
            allergy.codes
        ) or g.codes.cobalamin_reaction.any_of(allergy.codes)
        by_name = names_b12((allergy.text, *(one.display for one in allergy.codes)), g)
        if code is not None or by_name:
            name = allergy.text or (code.display if code else "")
            found.append(
                name or next((one.display for one in allergy.codes), g.file.texts.recorded_by_code)
            )
    return tuple(found)


def _name(measured: Measurement) -> str:
    code = measured.codes[0]
    return f"{code.display or 'result'} ({code.code})"


def injection_product(facts: Facts, g: Guideline) -> Product:
    """The site's injectable, but hydroxocobalamin wherever Leber's neuropathy is in question."""
    name = g.file.policy.parenteral_product
    if facts.leber:
        name = "hydroxocobalamin_injection"
    product: Product = getattr(g.file.products, name)
    return product
