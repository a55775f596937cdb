"""What this guideline gives the workbench, by its data and ``workbench.toml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import zip_longest

from msgspec import Struct

from cds_service.clinical import Code, Moment, Quantity, Record, convert
from cds_service.guidelines.b12_under_two import growth
from cds_service.guidelines.b12_under_two.age import add_months
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.facts import Facts
from cds_service.guidelines.b12_under_two.loading import FOLDER
from cds_service.guidelines.b12_under_two.results import FINAL, LAB_UNITS
from cds_service.guidelines.b12_under_two.tables import blood
from cds_service.guidelines.checks import entries
from cds_service.guidelines.codelists import CodeList
from cds_service.guidelines.engine import convert as convert_file
from cds_service.guidelines.engine import read_toml
from cds_service.guidelines.workbench import (
    AgeControl,
    Band,
    Beginning,
    Chart,
    ChartList,
    ControlUnit,
    Curve,
    Desk,
    FirstDose,
    Mark,
    Orderable,
    Plot,
    Point,
    ProblemControl,
    ResultControl,
    Stretch,
)
from cds_service.language import Dated

# --- the file -----------------------------------------------------------------------------------


class _Line(Struct, frozen=True, forbid_unknown_fields=True):
    limit: str
    label: str


class _Unit(Struct, frozen=True, forbid_unknown_fields=True):
    unit: str
    code: str
    factor: Decimal = Decimal(1)
    molar_mass: str = ""


class _Result(Struct, frozen=True, forbid_unknown_fields=True):
    key: str
    title: str
    list: str
    units: tuple[_Unit, ...]
    least: Decimal
    most: Decimal
    step: Decimal
    exact: bool = False
    marks: tuple[_Line, ...] = ()


class _Age(Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    most: int
    marks: tuple[_Line, ...]


class _Problem(Struct, frozen=True, forbid_unknown_fields=True):
    key: str
    title: str
    list: str
    display: str


class _ChartWords(Struct, frozen=True, forbid_unknown_fields=True):
    level: str
    weight: str
    growth: str
    anaemia: str
    macrocytosis: str
    macrocytosis_flagged: str
    deficient: str
    borderline: str
    feeding: str
    breast_fed: str
    not_breast_fed: str
    mothers_diet: str
    childs_diet: str
    reactions: str
    lines: Mapping[str, _Line]


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    tour: str
    first_dose: str
    stories: tuple[Beginning, ...]
    results: tuple[_Result, ...]
    age: _Age
    problems: tuple[_Problem, ...]
    chart: _ChartWords


@cache
def _file() -> _File:
    path = FOLDER / "workbench.toml"
    return convert_file(read_toml(path), _File, path)


# --- once ---------------------------------------------------------------------------------------


def desk(g: Guideline) -> Desk:
    told = _file()
    dose = getattr(g.file.doses, told.first_dose)
    return Desk(
        title=told.title,
        controls=(
            *(_result(one, g) for one in told.results),
            AgeControl(told.age.title, told.age.most, _marks(told.age.marks, g)),
            *(_problem(one, g) for one in told.problems),
        ),
        products=tuple(Orderable(one.name, one.codes) for _, one in entries(g.file.products)),
        routes=tuple(route for _, route in entries(g.file.routes)),
        first_dose=FirstDose(dose.amount, dose.unit),
        stories=told.stories,
        tour=told.tour,
    )


def _result(one: _Result, g: Guideline) -> ResultControl:
    codes: CodeList = getattr(g.codes, one.list)
    units = tuple(
        ControlUnit(unit.unit, _factor(unit, g), _coding(codes, code=unit.code))
        for unit in one.units
    )
    marks = _marks(one.marks, g)
    return ResultControl(
        one.key,
        one.title,
        tuple(Code(row.system, row.code, row.display) for row in codes.codes),
        units,
        one.least,
        one.most,
        one.step,
        marks,
        one.exact,
    )


def _factor(unit: _Unit, g: Guideline) -> Decimal:
    """How many of ``unit`` one of the first unit is: a picogram is 1000 / molar mass picomoles."""
    if not unit.molar_mass:
        return unit.factor
    return 1000 / Decimal(getattr(g.file.constants, unit.molar_mass).value)


def _marks(lines: tuple[_Line, ...], g: Guideline) -> tuple[Mark, ...]:
    return tuple(Mark(getattr(g.limits, one.limit).value, one.label) for one in lines)


def _problem(one: _Problem, g: Guideline) -> ProblemControl:
    codes: CodeList = getattr(g.codes, one.list)
    return ProblemControl(one.key, one.title, _coding(codes, display=one.display))


def _coding(codes: CodeList, *, code: str = "", display: str = "") -> Code:
    """The row of that code or display, also where a site withdrew it."""
    row = next(it for it in codes.codes if it.code == code or it.display == display)
    return Code(row.system, row.code, row.display)


#: The deviations whose curves are drawn, as growth charts have them.
_DRAWN = tuple(map(Decimal, (-3, -2, 0, 2, 3)))

# --- the chart ----------------------------------------------------------------------------------


def chart(facts: Facts, record: Record, g: Guideline) -> Chart:
    words = _file().chart
    return Chart(
        plots=tuple(_plots(facts, record, g)),
        treatment=tuple(_treatment(facts)),
        lists=(
            ChartList(words.feeding, tuple(_feeding(facts))),
            ChartList(words.reactions, facts.reactions, only_if_any=True),
        ),
        findings={
            "b12": tuple(one.source for one in facts.levels[:1]),
            "weight": (facts.weight.source,) if facts.weight.source else (),
            "neurological": tuple(one.source for one in (*facts.neurological, *facts.paradoxical)),
            "malabsorption": tuple(one.source for one in facts.malabsorption),
        },
    )


def _feeding(facts: Facts) -> Iterator[str]:
    words = _file().chart
    if facts.breast_fed is not None:
        yield words.breast_fed if facts.breast_fed else words.not_breast_fed
    if facts.maternal_diet:
        yield words.mothers_diet.format(diet=facts.maternal_diet)
    if facts.child_diet:
        yield words.childs_diet.format(diet=facts.child_diet)


def _treatment(facts: Facts) -> Iterator[Stretch]:
    for one in facts.therapy.spans:
        goes_on = not one.given and (not one.ends or one.end >= facts.on)
        begins = min(one.begun.last, one.end)
        yield Stretch(begins, one.end, goes_on, one.given, one.taken.source)


def _plots(facts: Facts, record: Record, g: Guideline) -> Iterator[Plot]:
    """Every series with a number: vitamin B12 first, then weight, then the other results."""
    words = _file().chart
    deficient, adequate = g.limits.b12_deficient, g.limits.b12_adequate
    bands = (
        Band(words.deficient, "low", below=deficient.value),
        Band(words.borderline, "middle", deficient.value, adequate.value),
    )
    yield Plot("b12", words.level, deficient.unit, tuple(_levels(facts)), bands)
    weights = tuple(_weights(record, g))
    if weights:
        yield Plot(
            "weight",
            words.weight,
            "kg",
            weights,
            curves=tuple(_growth(record)),
            source=words.growth,
        )
    for key, labs in facts.labs.items():
        if labs:
            points = tuple(
                _point(one.when, one.value, one.written, one.source, one.comparator) for one in labs
            )
            name = g.file.labs.get(key, key)
            by_age = _BY_AGE.get(key)
            lines = by_age(record, g) if by_age else _line(key, g)
            yield Plot(key, name, LAB_UNITS[key], points, tuple(lines))


def _growth(record: Record) -> Iterator[Curve]:
    """The curves of a child whose day of birth and sex are known."""
    born = record.patient.birth
    if born is None or born.is_partial:
        return
    drawn = growth.lines_for(born.first, record.patient.sex)
    for deviation in _DRAWN:
        if deviation in drawn:
            yield Curve(f"{deviation:+}" if deviation else "0", drawn[deviation])


def _anaemia(record: Record, g: Guideline) -> Iterator[Band]:
    """The limits of haemoglobin by age."""
    for begins, since, until in _ages(record, g):
        limit = blood.anaemia_limit(begins, g.limits)
        if limit is not None:
            label = _file().chart.anaemia
            yield Band(label, "middle", below=limit.value, since=since, until=until)


def _macrocytosis(record: Record, g: Guideline) -> Iterator[Band]:
    """The limits of the cell volume by age: in the first months only of what is flagged."""
    words = _file().chart
    for begins, since, until in _ages(record, g):
        limit = blood.cell_volume_limit(begins, g.limits, flagged=True)
        if limit is not None:
            alone = blood.cell_volume_limit(begins, g.limits, flagged=False)
            label = words.macrocytosis if alone else words.macrocytosis_flagged
            yield Band(label, "middle", above=limit.value, since=since, until=until)


_BY_AGE = {"hemoglobin": _anaemia, "mcv": _macrocytosis}


def _ages(record: Record, g: Guideline) -> Iterator[tuple[int, date, date | None]]:
    """The ages at which limits of the blood count change, in months and as days, of a child
    whose day of birth is known."""
    born = record.patient.birth
    if born is None or born.is_partial:
        return
    months = [int(one.value) for one in blood.ages(g.limits)]
    for begins, ends in zip_longest(months, months[1:]):
        until = add_months(born.first, ends) if ends is not None else None
        yield begins, add_months(born.first, begins), until


def _levels(facts: Facts) -> Iterator[Point]:
    for one in (*facts.levels, *([facts.preliminary] if facts.preliminary else [])):
        if one.high is None and one.low is None:
            continue
        value = one.high if one.high is not None else one.low
        comparator = ""
        if one.high is None:
            comparator = ">"
        elif one.low is None or one.low < one.high:
            comparator = "<"
        early = one is facts.preliminary
        yield _point(one.when, value, one.written, one.source, comparator, preliminary=early)


def _line(key: str, g: Guideline) -> Iterator[Band]:
    line = _file().chart.lines.get(key)
    if line is None:
        return
    limit = getattr(g.limits, line.limit)
    if limit.side in ("below", "at_most"):
        yield Band(line.label, "middle", below=limit.value)
    elif limit.side == "above":
        yield Band(line.label, "middle", above=limit.value)
    else:
        yield Band(line.label, "middle", at_least=limit.value)


def _weights(record: Record, g: Guideline) -> Iterator[Point]:
    for measured in record.measurements:
        kinds = {g.kinds.get((one.system, one.code)) for one in measured.codes}
        if not kinds & {"weight", "weight_estimated", "birth_weight"}:
            continue
        value: Quantity | None = measured.value
        if value is None or measured.when is None or measured.status not in FINAL or measured.about:
            continue
        kg = convert(value, "kg")
        if kg is not None:
            yield _point(measured.when, kg, value.written, measured.source, value.comparator)


def _point(
    when: Moment, value: Decimal | None, written: str, source: str, comparator: str,
    *, preliminary: bool = False,
) -> Point:  # fmt: skip
    shown = round(value, 3) if value is not None else None
    stretch = Dated(when.first, when.last).stretch if when.is_partial else "days"
    dated = {"year": f"{when.first.year}", "month": f"{when.first:%b %Y}"}.get(stretch, "")
    return Point(when.last, shown, written, source, comparator, preliminary, dated)
