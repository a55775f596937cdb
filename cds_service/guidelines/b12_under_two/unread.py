"""The account of what was sent and not used, completed where the guideline does not use it.

Reading names what has no code of a system known here, and what it could not read at all. Here
that is taken back of which words were understood, and added what is known by its code and has a
unit, a status, a date, a flag or a range that no one can use.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal

from cds_service.clinical import (
    IN_FORCE,
    Allergy,
    Basket,
    Code,
    Measurement,
    Medication,
    Moment,
    Problem,
    Procedure,
    Reason,
    Record,
    Unread,
    in_short,
)
from cds_service.guidelines.b12_under_two.age import is_ahead
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.feeding import Fed, as_of
from cds_service.guidelines.b12_under_two.meanings import (
    diseases_of_the_mother,
    is_the_mother,
    lebers_of,
    meaning_of,
    names_nitrous_oxide,
)
from cds_service.guidelines.b12_under_two.products import names_b12, recognise
from cds_service.guidelines.b12_under_two.results import (
    FINAL,
    LAB_UNITS,
    as_compared,
    is_credible,
    is_no_result,
)
from cds_service.guidelines.b12_under_two.screening import Screening, is_unnamed
from cds_service.guidelines.b12_under_two.therapy import NOT_AN_ORDER, is_perhaps_taken
from cds_service.guidelines.codelists import ATC

#: Under which need a kind of result is asked for.
_NEEDS: Mapping[str, str] = {
    "b12_level": "b12", "weight": "weight", "weight_estimated": "weight", "birth_weight": "weight",
    **dict.fromkeys((*LAB_UNITS, "newborn_screening", "gestational_age"), "labs"),
    "breastfeeding_status": "feeding", "diet": "feeding",
}  # fmt: skip
#: Those of which an answer in words or codes counts.
_ANSWERED = frozenset({"newborn_screening", "breastfeeding_status", "diet"})
#: Where words stand in for a code; nothing stands in for what is wrong otherwise.
_WITHOUT_A_CODE = frozenset({"code system", "no code"})
#: Of a dose given and of a procedure: no one knows that it was.
_UNKNOWN = "unknown"


def unread_in(
    record: Record,
    measured: Mapping[str, list[Measurement]],
    unusable: Iterable[Measurement],
    elsewhere: Iterable[Measurement],
    named: Iterable[Measurement],
    metabolites: Iterable[Measurement],
    before_birth: Iterable[tuple[str, Measurement]],
    fed: Fed,
    screened: Screening,
    unverified: Iterable[Problem],
    on: date,
    g: Guideline,
) -> tuple[Unread, ...]:
    """Everything that was sent about this child and not used, each once. ``unusable`` are the B12
    results among ``measured`` that cannot be used, ``elsewhere`` those of another specimen,
    ``named`` those that only a name says to be of vitamin B12,
    ``metabolites`` those in urine or by name alone,
    ``before_birth`` those left out of it with their kinds, ``fed`` what was read of feeding,
    ``screened`` the same of the newborn screening,
    ``unverified`` the problems whose code is on a list and is not verified."""
    levels_used = {id(one) for one in measured.get("b12_level", ())} - {id(one) for one in unusable}
    found = list(record.unread)
    if found:
        by_name = (*_understood_by_name(record, g), *fed.understood, *screened.understood)
        understood = {(it, in_short(name)) for it, name in by_name}
        found = [
            one
            for one in found
            if one.reason not in _WITHOUT_A_CODE
            or (one.source, one.name or in_short(one.code)) not in understood
        ]
    found += map(_unverified, unverified)
    for kind, one in before_birth:
        if kind in _NEEDS:
            found.append(_measured(_NEEDS[kind], "before birth", kind, one, g))
    found += _of_feeding(fed, g)
    found += _untold(screened.untold, found, on, g)
    found += _undone(record, on, g)
    found += _of_b12_otherwise(named, elsewhere, found, g)
    found += _elsewhere(metabolites, found, g)
    found += _of_known_kinds(measured, levels_used, on, g)
    return tuple(_once(found))


def _of_known_kinds(
    measured: Mapping[str, list[Measurement]], levels_used: Container[int], on: date, g: Guideline
) -> Iterator[Unread]:
    """The results of which it is known what was measured."""
    for kind, need in _NEEDS.items():
        of_kind = measured.get(kind, ())
        for one in of_kind:
            if not _is_withheld(one):
                for reason in _reasons(kind, one, on, g, used=id(one) in levels_used):
                    yield _measured(need, reason, kind, one, g)
            elif kind not in _ANSWERED and not _is_followed(one, of_kind):
                yield _measured(need, "withheld", kind, one, g)


def unread_orders(basket: Basket) -> tuple[Unread, ...]:
    """The orders being written that were not read, or are another patient's."""
    return (
        *(Unread("draftOrders", "undecodable"),) * basket.unreadable,
        *(Unread("draftOrders", "another patient"),) * basket.foreign,
    )


def _unverified(problem: Problem) -> Unread:
    code = problem.codes[0]
    name = problem.text or code.display or code.code
    return Unread("conditions", "code", name, code.system, code.code, problem.source)


def _of_b12_otherwise(
    named: Iterable[Measurement],
    elsewhere: Iterable[Measurement],
    found: Iterable[Unread],
    g: Guideline,
) -> Iterator[Unread]:
    """Vitamin B12 by its name, under a code of a system known here that is on no list, unless it
    was ``found`` already; and vitamin B12 of another specimen."""
    told = {one.source for one in found}
    for one in elsewhere:
        yield _measured("b12", "another specimen", "b12_level", one, g)
    for one in named:
        if one.source not in told:
            code = next(iter(one.codes), Code("", ""))
            name = in_short(one.name)
            yield Unread("b12", "code", name, code.system, code.code, one.source)


def _untold(
    results: Iterable[Measurement], found: Iterable[Unread], on: date, g: Guideline
) -> list[Unread]:
    """Those of the newborn screening of which no one can tell whether they are positive, unless
    they were ``found`` already."""
    told = {one.source for one in found}
    return [_of_screening(one, on, g) for one in results if one.source not in told]


def _of_screening(one: Measurement, on: date, g: Guideline) -> Unread:
    kind, code = "newborn_screening", next(iter(one.codes), Code("", ""))
    reason = _reason(kind, one, on, g) or ("unjudged" if one.value is not None else "answer")
    if reason == "answer" and is_unnamed(one, g):
        reason = "unnamed"
    lists = (g.codes.newborn_screening, g.codes.newborn_screening_panel)
    listed = next((it for it in (found.called(code) for found in lists) if it), code.code)
    name = one.name or code.display or listed
    written = one.value.written if one.value is not None else one.text
    said = in_short(" ".join([it for it in (name, written) if it]))
    return Unread("labs", reason, said, source=one.source, kind=kind, written=written)


def _of_feeding(fed: Fed, g: Guideline) -> Iterator[Unread]:
    for one in fed.unanswered:
        yield Unread("feeding", _unanswered(one), in_short(_answered(one)), source=one.source)
    for one in fed.over:
        yield Unread("feeding", "ended", in_short(_called_fed(one, g)), source=one.source)


def _undone(record: Record, on: date, g: Guideline) -> Iterator[Unread]:
    """What was done, given or began on a day to come, before the birth, or perhaps not at all."""

    def is_listed(thing: Procedure | Problem) -> bool:
        return any(g.lists_of(code.system, code.code).decided for code in thing.codes)

    told = {one.source for one in record.unread}
    for drug in record.medications:
        yield from _untaken(drug, record.patient.birth, on, g)
        if drug.source not in told and _is_nameless(drug, g):
            given = drug.kind == "administration"
            yield _left_out("administrations" if given else "meds", "code", drug)
    for done in record.procedures:
        reason = _why_not_done(done, on)
        if reason is not None and is_listed(done):
            yield _left_out("procedures", reason, done)
    for problem in record.problems:
        ahead = problem.onset is not None and problem.onset.first > on
        denied = problem.certainty in ("refuted", "entered-in-error")
        if ahead and not denied and is_listed(problem):
            yield _left_out("conditions", "ahead", problem)


def _untaken(drug: Medication, birth: Moment | None, on: date, g: Guideline) -> Iterator[Unread]:
    """Vitamin B12 that is only planned, or that no one knows to be taken, or when."""
    of_b12 = g.codes.b12_therapy.any_of(drug.codes) is not None
    named = names_b12((drug.text, *(code.display for code in drug.codes)), g)
    planned = drug.status in IN_FORCE and drug.intent in NOT_AN_ORDER
    if (of_b12 or named) and (planned or is_perhaps_taken(drug)):
        yield _left_out("meds", "status" if drug.kind == "order" else "date", drug)
    elif of_b12 and drug.kind not in ("order", "dispense"):
        reason = _why_not_given(drug, birth, on)
        if reason is not None:
            yield _left_out("administrations", reason, drug)


def _is_nameless(drug: Medication, g: Guideline) -> bool:
    """Whether an order in force or a dose given has nothing but a code that is on no list: of
    products no list has them all."""
    counts = drug.status in IN_FORCE or (drug.kind == "administration" and _is_done(drug.status))
    if not counts or drug.intent in NOT_AN_ORDER or drug.text or not drug.codes:
        return False
    if any(code.display or code.system == ATC for code in drug.codes):
        return False
    return recognise(drug.codes, "", g).kind == "unknown"


def _left_out(need: str, reason: Reason, thing: Medication | Procedure | Problem) -> Unread:
    return Unread(need, reason, thing.text or _first_name(thing.codes), source=thing.source)


def _why_not_given(drug: Medication, birth: Moment | None, on: date) -> Reason | None:
    if drug.status == _UNKNOWN:
        return "status"
    when = drug.authored
    if when is None:
        return None
    if birth is not None and when.last < birth.first:
        return "before birth"
    return "ahead" if when.first > on else None


def _why_not_done(done: Procedure, on: date) -> Reason | None:
    if done.status == _UNKNOWN:
        return "status"
    ahead = done.performed is not None and done.performed.first > on
    return "ahead" if ahead and _is_done(done.status) else None


def _is_done(status: str) -> bool:
    return status in ("completed", "in-progress", "stopped", "")


def _unanswered(one: Measurement) -> Reason:
    """The answer may be known, and not whose it is."""
    return "another person" if one.about else "answer"


def _answered(one: Measurement) -> str:
    """An answer as it was sent."""
    value = one.value.written if one.value is not None else ""
    return one.text or _first_name(one.concepts) or value or one.notes


def _called_fed(one: Measurement, g: Guideline) -> str:
    """How someone was fed, as it was sent; a code without a name as its list calls it."""
    lists = (g.codes.breast_fed, g.codes.not_breast_fed, g.codes.diet_plant_based)
    listed = (it.called(code) for code in one.concepts for it in lists)
    return (
        one.text
        or next((code.display for code in one.concepts if code.display), "")
        or next(filter(None, listed), _answered(one))
    )


def _first_name(codes: Iterable[Code]) -> str:
    return next((one.display or one.code for one in codes), "")


def _once(found: Iterable[Unread]) -> Iterator[Unread]:
    """One resource may be sent under several needs; without an id no one can tell."""
    seen = set()
    for one in found:
        if one.source and not one.source.endswith("(no id)"):
            key = one.source, one.reason, one.name
            if key in seen:
                continue
            seen.add(key)
        yield one


def _understood_by_name(record: Record, g: Guideline) -> Iterator[tuple[str, str]]:
    """What its name makes another drug or substance, or of vitamin B12 by name, and problems that
    are not this child's at all."""
    unknown = {one.source for one in record.unread}
    things: tuple[Medication | Allergy, ...] = (*record.medications, *record.allergies)
    for one in things:
        if one.source not in unknown:
            continue
        named = bool(one.text) and not getattr(one, "unresolved", False)
        if named and recognise(one.codes, one.text, g).kind != "unknown":
            yield one.source, one.text
    for procedure in record.procedures:
        if names_nitrous_oxide(procedure.codes, procedure.text, g):
            yield procedure.source, procedure.text
    for problem in record.problems:
        if problem.certainty in ("refuted", "entered-in-error") or _only_asks(problem, g):
            yield problem.source, problem.text
    for relative in record.relatives:
        hers = is_the_mother(relative, g)
        known = (*diseases_of_the_mother(relative, g), *lebers_of(relative, g))
        for name in known if hers else relative.diseases:
            yield relative.source, name


def _only_asks(problem: Problem, g: Guideline) -> bool:
    """Whether its words are all that counts of it: of the mother, a diet, or Leber's disease."""
    names = (problem.text, *(code.display for code in problem.codes))
    return meaning_of(names, g) in ("mother", "vegan", "leber")


def _reasons(
    kind: str, measured: Measurement, on: date, g: Guideline, *, used: bool
) -> Iterator[Reason]:
    """Why a result of a known kind was not used, or its flag or range was not."""
    if measured.about or is_no_result(measured) or _is_awaited(measured):
        return
    reason = None if used else _reason(kind, measured, on, g)
    if reason is not None:
        yield reason
    elif kind in LAB_UNITS or kind == "b12_level":
        if "flag" in measured.unclear:
            yield "flag"
        if "range" in measured.unclear:
            yield "range"


def _is_withheld(measured: Measurement) -> bool:
    """Whether it is final without a value, and the sender says why."""
    final = measured.status in FINAL and not measured.about
    return measured.withheld and final and not measured.is_answered


def _is_followed(measured: Measurement, others: Iterable[Measurement]) -> bool:
    """Whether one of the ``others`` has a value, and is surely as new."""
    when = measured.when
    return when is not None and any(
        one.is_answered and one.when is not None and one.when.first >= when.last for one in others
    )


def _is_awaited(measured: Measurement) -> bool:
    """There is no answer yet, and the sender says so."""
    return measured.withheld or not (measured.is_answered or measured.status in FINAL)


def _reason(kind: str, measured: Measurement, on: date, g: Guideline) -> Reason | None:
    if measured.status not in FINAL:
        return "status"
    when = _when(kind, measured, on)
    if when is None:
        return "date"
    if is_ahead(when, on, g.limits):
        return "ahead"
    if kind in _ANSWERED:
        return None
    if kind in ("methylmalonate", "homocysteine") and measured.interpretation == "high":
        return "unit" if measured.value and as_compared(kind, measured.value, g) is None else None
    number = as_compared(kind, measured.value, g) if measured.value is not None else None
    if measured.value is not None and number is None:
        return "unit"
    used = number is not None and kind != "b12_level" and _is_possible(kind, number, g)
    return None if used else "value"


def _when(kind: str, measured: Measurement, on: date) -> Moment | None:
    return as_of(measured, on) if _NEEDS[kind] == "feeding" else measured.when


def _is_possible(kind: str, number: Decimal, g: Guideline) -> bool:
    return is_credible(kind, number, g) if kind in LAB_UNITS else number >= 0


def _elsewhere(
    metabolites: Iterable[Measurement], found: Iterable[Unread], g: Guideline
) -> list[Unread]:
    """Those of the metabolites that are not named yet."""
    named = {one.source for one in found if one.source}
    return [_measured_elsewhere(one, g) for one in metabolites if one.source not in named]


def _measured_elsewhere(measured: Measurement, g: Guideline) -> Unread:
    """A metabolite in urine, or under a code that only its name explains."""
    if not measured.name:
        kind = "methylmalonate_urine"
        return _measured("labs", "another specimen", kind, measured, g)
    value = measured.value.written if measured.value is not None else measured.text
    name = " ".join([one for one in (in_short(measured.name), value) if one])
    return Unread("labs", "code", name, source=measured.source, written=value)


def _measured(need: str, reason: Reason, kind: str, measured: Measurement, g: Guideline) -> Unread:
    """What it is called, and its value as it was sent."""
    called = g.file.labs.get(kind, "")
    value = measured.value.written if measured.value is not None else measured.text
    value = value or measured.why_withheld
    name = " ".join([one for one in (called, value) if one])
    lab = kind if called else ""
    return Unread(need, reason, name, source=measured.source, kind=kind, lab=lab, written=value)
